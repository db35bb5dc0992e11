"""The build backend (PEP 517, PEP 660): builds libembws by Go, and packs it with the Python files.

It needs Go and a C compiler, and no Python package. In a checkout the Go sources are those of the repository; an sdist
has them in its folder go/, with the one module that they need, so that it builds alone and offline.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import shutil
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from embws_library import build_library, fail, files_of, go_sources, license_text, project_file

HERE = Path(__file__).resolve().parent.parent
SOURCES = HERE / "src" / "embws"
Settings = Optional[Mapping[str, Any]]

if sys.version_info < (3, 11):
    fail(f"the package needs Python 3.11 or newer, and this is {sys.version.split()[0]}")

# -- The hooks --------------------------------------------------------------------------------------------------------


def get_requires_for_build_wheel(config_settings: Settings = None) -> List[str]:
    return []


get_requires_for_build_sdist = get_requires_for_build_wheel
get_requires_for_build_editable = get_requires_for_build_wheel


# There is no prepare_metadata_for_build_wheel: what it returns must be the wheel's own, tag included, and the tag is known
# when the library is built. Without that hook, pip and others build the wheel, read it, and keep it for later.


def build_wheel(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: Optional[str] = None
) -> str:
    files = {f"embws/{name}": data for name, data in package_files().items()}
    with tempfile.TemporaryDirectory() as folder:
        library, tag = build_library(Path(folder))
        files[f"embws/{library.name}"] = library.read_bytes()
    return write_wheel(Path(wheel_directory), files, tag)


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: Optional[str] = None
) -> str:
    with tempfile.TemporaryDirectory() as folder:  # what cannot work does not get beside the sources
        library, tag = build_library(Path(folder))
        beside = SOURCES / library.name
        beside.unlink(missing_ok=True)  # not written over: a program may have it loaded
        shutil.copy(library, beside)
    return write_wheel(Path(wheel_directory), {"embws.pth": path_line(str(SOURCES.parent))}, tag)


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    root = f"embws-{version()}"
    files = {"pyproject.toml": (HERE / "pyproject.toml").read_bytes(), "PKG-INFO": metadata()}
    files["README.md"] = (HERE / "README.md").read_bytes()
    files.update(license_files())
    for path in files_of(HERE / "backend"):
        if path.suffix == ".py":
            files[f"backend/{path.name}"] = path.read_bytes()
    files.update({f"src/embws/{name}": data for name, data in package_files().items()})
    files.update({f"go/{name}": data for name, data in go_sources().items()})

    target = Path(sdist_directory) / f"{root}.tar.gz"
    with tempfile.TemporaryFile() as plain:
        with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name in sorted(files):
                info = tarfile.TarInfo(f"{root}/{name}")
                info.size, info.mode, info.mtime = len(files[name]), 0o644, epoch()
                tar.addfile(info, io.BytesIO(files[name]))
        plain.seek(0)
        target.write_bytes(gzipped(plain.read()))
    return target.name


# -- What goes in -----------------------------------------------------------------------------------------------------


def package_files() -> Dict[str, bytes]:
    """The Python files of the package, py.typed, and the page of the demo server, by their path in it."""
    files = {}
    for path in files_of(SOURCES):
        if path.suffix == ".py" or path.name == "py.typed":
            files[path.relative_to(SOURCES).as_posix()] = path.read_bytes()
    page = SOURCES / "page.html"
    if not page.exists():
        page = project_file("examples/browser/index.html")
    files["page.html"] = page.read_bytes()
    return files


def project() -> Dict[str, Any]:
    import tomllib

    with open(HERE / "pyproject.toml", "rb") as file:
        table: Dict[str, Any] = tomllib.load(file)["project"]
    return table


def version() -> str:
    """The version that the package states, which must be the library's."""
    found = re.search(r'^__version__ = "([^"]+)"', (SOURCES / "__init__.py").read_text(encoding="utf-8"), re.M)
    text = project_file("include/embws.h").read_text(encoding="utf-8")
    header = re.search(r'^#define EMBWS_VERSION_STRING\s+"([^"]+)"', text, re.M)
    if found is None or header is None or found[1] != header[1]:
        ours, theirs = found and found[1], header and header[1]
        fail(f"embws/__init__.py is of version {ours}, include/embws.h of {theirs}: make them one")
    return found[1]


def dist_info() -> str:
    return f"embws-{version()}.dist-info"


def metadata() -> bytes:
    """METADATA (core metadata 2.4)."""
    about = project()
    lines = ["Metadata-Version: 2.4", f"Name: {about['name']}", f"Version: {version()}"]
    lines += [f"Summary: {about['description']}", f"Keywords: {','.join(about['keywords'])}"]
    lines += [f"License-Expression: {about['license']}"]
    lines += [f"License-File: {name}" for name in about["license-files"]]
    lines += [f"Classifier: {name}" for name in about["classifiers"]]
    lines += [f"Project-URL: {name}, {url}" for name, url in about["urls"].items()]
    lines += [f"Requires-Python: {about['requires-python']}", "Description-Content-Type: text/markdown", ""]
    readme = HERE / str(about["readme"])
    return ("\n".join(lines) + "\n").encode() + readme.read_bytes()


def metadata_files(tag: str) -> Dict[str, bytes]:
    """The files of the .dist-info folder but RECORD."""
    wheel = f"Wheel-Version: 1.0\nGenerator: embws_build {version()}\nRoot-Is-Purelib: false\nTag: py3-none-{tag}\n"
    scripts = "".join(f"{name} = {target}\n" for name, target in project()["scripts"].items())
    files = {
        "METADATA": metadata(),
        "WHEEL": wheel.encode(),
        "entry_points.txt": f"[console_scripts]\n{scripts}".encode(),
    }
    files.update({f"licenses/{name}": text for name, text in license_files().items()})
    return files


def license_files() -> Dict[str, bytes]:
    return {name: license_text(name) for name in project()["license-files"]}


def path_line(folder: str) -> bytes:
    """The line of a .pth file that puts a folder on Python's path.

    Python reads it in the encoding of its locale, and does not even start if it cannot. So what is not ASCII is escaped.
    """
    line = folder if folder.isascii() else f"import sys; sys.path.append({ascii(folder)})"
    return f"{line}\n".encode("ascii")


# -- The archives: the same bytes each time ---------------------------------------------------------------------------


def epoch() -> int:
    """The time that files have in an archive, in seconds: not before 1980, where ZIP begins, nor after gzip's end, 2106."""
    said = os.environ.get("SOURCE_DATE_EPOCH") or "0"
    if not re.fullmatch(r"\d+", said, re.A):
        fail(f"SOURCE_DATE_EPOCH is {said!r}, which is no number of seconds since 1970")
    return min(max(int(said), 315532800), 2**32 - 1)


def gzipped(data: bytes) -> bytes:
    import gzip

    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=epoch()) as file:
        file.write(data)
    return out.getvalue()


def write_wheel(directory: Path, files: Mapping[str, bytes], tag: str) -> str:
    import time

    folder = dist_info()
    entries: Dict[str, bytes] = dict(files)
    entries.update({f"{folder}/{name}": data for name, data in metadata_files(tag).items()})
    entries[f"{folder}/RECORD"] = record(entries.items(), f"{folder}/RECORD")
    target = directory / f"embws-{version()}-py3-none-{tag}.whl"
    when = time.gmtime(epoch())[:6]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name in sorted(entries, key=lambda name: (name.startswith(folder), name)):
            info = zipfile.ZipInfo(name, when)
            info.compress_type = zipfile.ZIP_DEFLATED
            mode = 0o755 if name.endswith((".so", ".dylib", ".dll")) else 0o644
            info.external_attr = (0o100000 | mode) << 16
            info.create_system = 3
            wheel.writestr(info, entries[name])
    return target.name


def record(entries: Iterable[Tuple[str, bytes]], own: str) -> bytes:
    lines = []
    for name, data in sorted(entries):
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(data)}")
    return "\n".join([*lines, f"{own},,", ""]).encode()
