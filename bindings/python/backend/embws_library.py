"""Building libembws for the package: where its sources are, how Go builds it, and on which platforms it runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, NamedTuple, NoReturn, Optional

HERE = Path(__file__).resolve().parent.parent
POINTER = "github.com/mattn/go-pointer"

# The Go sources: those of the checkout that this folder is in, or those that the sdist has in go/.
CHECKOUT = HERE.parent.parent
GO = HERE / "go" if (HERE / "go" / "go.mod").exists() else CHECKOUT


def fail(sentence: str) -> NoReturn:
    """Ends the build with one sentence."""
    raise SystemExit(f"embws: {sentence}")


def project_file(name: str) -> Path:
    """A file of the project's root, which in an sdist is here or in go/."""
    for root in (HERE, GO, CHECKOUT):
        if (root / name).exists():
            return root / name
    fail(f"{name} is missing: this is neither a checkout of the project nor its sdist")


class Target(NamedTuple):
    """The platform that is built for, in Go's words."""

    os: str
    arch: str

    @classmethod
    def of_environment(cls) -> "Target":
        """$GOOS and $GOARCH, or this machine."""
        found = go("env", "GOOS", "GOARCH").split()
        return cls(found[0], found[1])

    @property
    def library_name(self) -> str:
        return {"windows": "embws.dll", "darwin": "libembws.dylib"}.get(self.os, "libembws.so")

    @property
    def machine(self) -> str:
        """The architecture, as a wheel's tag has it."""
        names = {"amd64": "x86_64", "arm64": "aarch64", "386": "i686", "arm": "armv7l"}
        if self.os == "darwin":
            names["arm64"] = "arm64"
        if self.os == "windows":
            names.update({"amd64": "amd64", "arm64": "arm64", "386": "win32"})
        return names.get(self.arch, self.arch)

    def guess_tag(self) -> str:
        """The platform tag, as far as it is known before the library is built."""
        if self.os == "darwin":
            return f"macosx_{'11_0' if self.arch == 'arm64' else '10_15'}_{self.machine}"
        if self.os == "windows":
            return self.machine if self.arch == "386" else f"win_{self.machine}"
        return f"{self.os}_{self.machine}"

    def tag(self, library: Path) -> str:
        """The platform tag of a wheel with this library: manylinux for the oldest glibc that has all that it uses."""
        if self.os != "linux":
            return self.guess_tag()
        data = library.read_bytes()
        minors = [int(minor) for minor in re.findall(rb"\0GLIBC_2\.(\d+)(?:\.\d+)?\0", data.replace(b"\0", b"\0\0"))]
        if not minors:  # every library of Go's uses symbols of glibc that have a version; musl has none
            fail("musl cannot load the Go runtime from a shared library, so the package does not work here; take glibc")
        return f"manylinux_2_{max(17, *minors)}_{self.machine}"


def go(*arguments: str, folder: Optional[Path] = None, **environment: str) -> str:
    """Runs the go command and returns what it prints."""
    command = shutil.which("go")
    if command is None:
        fail("building needs Go 1.23 or newer, and there is no `go` on PATH: install it from https://go.dev/dl/")
    done = subprocess.run(
        [command, *arguments], cwd=folder or GO, env={**os.environ, "GOWORK": "off", **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    if done.returncode != 0:
        sys.stderr.write(done.stderr)
        said = done.stderr
        if "C compiler" in said or "executable file not found" in said:
            fail("building needs a C compiler besides Go: install gcc or clang, or set CC")
        if "requires go >=" in said or "go.mod requires" in said:
            fail("building needs Go 1.23 or newer: install it from https://go.dev/dl/")
        fail(f"`go {' '.join(arguments[:2])}` failed; what it said stands above")
    return done.stdout


def build_library(target: Target, folder: Path) -> Path:
    """Builds the library into a folder, stripped, and the same each time."""
    library = folder / target.library_name
    link: List[str] = []
    if target.os == "linux":
        link = [f"-Wl,--version-script={project_file('cmake/embws.map')}", "-Wl,-soname,libembws.so.0"]
        link.append("-Wl,--build-id=none")
    elif target.os == "darwin":
        link = [f"-Wl,-exported_symbols_list,{project_file('cmake/embws.exp')}"]
        link.append("-Wl,-install_name,@rpath/libembws.dylib")
    options = " ".join(f"'{option}'" for option in link)
    vendored = ["-mod=vendor"] if (GO / "vendor").exists() else []  # also where GOFLAGS says another
    go(
        "build", *vendored, "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-tags=embws_norand",
        f'-ldflags=-s -w -buildid= -extldflags "{options}"', "-o", str(library), "./capi",
        CGO_ENABLED="1", GOOS=target.os, GOARCH=target.arch,
    )  # fmt: skip
    library.with_suffix(".h").unlink(missing_ok=True)  # cgo's header, which is not ours to show
    return library


# -- What an sdist carries --------------------------------------------------------------------------------------------

MODULE = f"""module github.com/embws/embws

go 1.23

require {POINTER} v0.0.1
"""
VENDORED = f"""# {POINTER} v0.0.1
## explicit
{POINTER}
"""


def pointer_folder() -> Path:
    """Where the sources of go-pointer are."""
    vendored = GO / "vendor" / POINTER
    if vendored.exists():
        return vendored
    go("mod", "download", POINTER)
    return Path(go("list", "-m", "-f", "{{.Dir}}", POINTER).strip())


def go_sources() -> Dict[str, bytes]:
    """All that is needed to build the library, by its path in an sdist's folder go/."""
    files = {"go.mod": MODULE.encode(), "vendor/modules.txt": VENDORED.encode()}
    for part in ("ws", "capi", "include", "cmake"):
        for path in sorted((GO / part).rglob("*")):
            name = path.relative_to(GO).as_posix()
            suffixes = (".map", ".exp") if part == "cmake" else (".go", ".s", ".c", ".h", ".pgo")
            wanted = path.suffix in suffixes
            if path.is_file() and wanted and not name.endswith("_test.go"):
                files[name] = path.read_bytes()
    for path in sorted(pointer_folder().glob("*")):
        if path.name == "LICENSE" or path.suffix == ".go" and not path.name.endswith("_test.go"):
            files[f"vendor/{POINTER}/{path.name}"] = path.read_bytes()
    return files


def go_license() -> Dict[str, bytes]:
    """The licences of what the library has in it that is not of this project."""
    found = {}
    for name, path in (
        ("LICENSE-go", Path(go("env", "GOROOT").strip()) / "LICENSE"),
        ("LICENSE-go-pointer", pointer_folder() / "LICENSE"),
    ):
        if path.exists():
            found[name] = path.read_bytes()
    return found
