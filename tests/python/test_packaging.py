"""The package as pip and build tools see it: wheel, sdist, editable, metadata."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import BytesParser
from typing import Dict, Optional

import packaging.metadata
import pyproject_hooks
import pytest

PACKAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "bindings" / "python"

ROUND_TRIP = """
import embws
client, server = embws.ClientProtocol("ws://example.com/"), embws.ServerProtocol()
server.receive_data(client.data_to_send())
server.accept()
client.receive_data(server.data_to_send())
client.send_text("hello")
server.receive_data(client.data_to_send())
assert list(server.messages()) == ["hello"]
print(embws.__version__, embws.library_version)
"""


def pip(*arguments: str, environment: Optional[Dict[str, str]] = None, python: str = sys.executable) -> str:
    """Runs pip, which must succeed, without an index."""
    done = subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", *arguments],
        env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def wheel_of(source: pathlib.Path, folder: pathlib.Path, **environment: str) -> pathlib.Path:
    pip("wheel", "--no-index", "--no-deps", "-w", str(folder), str(source), environment=environment)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return wheel_of(PACKAGE, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return built_sdist(PACKAGE, tmp_path_factory.mktemp("sdist"))


def built_sdist(source: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    program = f"import embws_build; print(embws_build.build_sdist({str(folder)!r}))"
    name = subprocess.run(
        [sys.executable, "-c", program], cwd=source / "backend", check=True, capture_output=True, text=True
    ).stdout
    return folder / name.strip()


def fresh_python(folder: pathlib.Path) -> str:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
    return str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def play(python: str, **more: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("EMBWS_LIBRARY", "PYTHONPATH")}
    environment.update(more)
    done = subprocess.run(
        [python, "-W", "error", "-c", ROUND_TRIP], capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_works_in_an_environment_with_nothing_else(wheel: pathlib.Path, tmp_path: pathlib.Path) -> None:
    python = fresh_python(tmp_path / "venv")
    pip("install", "--no-index", str(wheel), python=python)
    assert play(python).split() == ["0.1.0", "0.1.0"]


def test_the_wheel_says_what_it_is(wheel: pathlib.Path) -> None:
    assert wheel.name.startswith("embws-0.1.0-py3-none-")
    if sys.platform == "linux":
        assert "manylinux_2_" in wheel.name, "the library uses a glibc that is known"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read("embws-0.1.0.dist-info/METADATA").decode()
        about = archive.read("embws-0.1.0.dist-info/WHEEL").decode()
        record = archive.read("embws-0.1.0.dist-info/RECORD").decode()
    assert "Requires-Python: >=3.11\n" in metadata
    assert "Root-Is-Purelib: false\n" in about and about.count("Tag: ") == 1
    assert "Requires-Dist" not in metadata, "no runtime dependencies"
    for name in ("embws/py.typed", "embws/page.html", "embws/aio/__init__.py", "embws/sync/__init__.py"):
        assert name in names
    assert {line.rsplit(",", 2)[0] for line in record.splitlines()} == set(names)


def test_the_metadata_name_the_licences_of_all_that_is_distributed(wheel: pathlib.Path, sdist: pathlib.Path) -> None:
    with zipfile.ZipFile(wheel) as archive, tarfile.open(sdist) as source:
        in_wheel = archive.read("embws-0.1.0.dist-info/METADATA")
        member = source.extractfile("embws-0.1.0/PKG-INFO")
        assert member is not None and member.read() == in_wheel
        about = packaging.metadata.Metadata.from_email(in_wheel, validate=True)
        assert about.license_expression == "(MIT OR Apache-2.0) AND MIT AND BSD-3-Clause"
        folder = "embws-0.1.0.dist-info/licenses/"
        there = [name.removeprefix(folder) for name in archive.namelist() if name.startswith(folder)]
        assert sorted(about.license_files or []) == sorted(there)
        assert set(there) == {"LICENSE-MIT", "LICENSE-APACHE", "LICENSE-go-pointer", "LICENSE-go"}
        for name in there:
            file = source.extractfile(f"embws-0.1.0/{name}")
            assert file is not None and file.read() == archive.read(folder + name)
        assert b"Yasuhiro Matsumoto" in archive.read(folder + "LICENSE-go-pointer")
        assert b"The Go Authors" in archive.read(folder + "LICENSE-go")


def test_the_licence_of_go_is_that_of_the_go_here() -> None:
    root = subprocess.run(["go", "env", "GOROOT"], check=True, capture_output=True, text=True).stdout.strip()
    theirs = pathlib.Path(root) / "LICENSE"
    if not theirs.exists():
        pytest.skip("the Go that is installed here has no licence beside it")

    def words(path: pathlib.Path) -> str:
        return " ".join(path.read_text().replace("(c) ", "").replace("Google Inc.", "Google LLC").split())

    assert words(PACKAGE / "LICENSE-go") == words(theirs)


def test_the_metadata_that_are_asked_for_first_are_those_of_the_wheel(tmp_path: pathlib.Path) -> None:
    hooks = pyproject_hooks.BuildBackendHookCaller(str(PACKAGE), "embws_build", ["backend"])
    (first := tmp_path / "first").mkdir()
    info = first / hooks.prepare_metadata_for_build_wheel(str(first))
    with zipfile.ZipFile(tmp_path / hooks.build_wheel(str(tmp_path), metadata_directory=str(info))) as archive:
        for name in archive.namelist():
            if name.startswith(f"{info.name}/"):
                assert (first / name).read_bytes() == archive.read(name), name
        tags = BytesParser().parsebytes(archive.read(f"{info.name}/WHEEL")).get_all("Tag")
        assert archive.filename is not None and tags == [pathlib.Path(archive.filename).stem.split("-", 2)[2]]


def test_pip_builds_the_library_once(tmp_path: pathlib.Path) -> None:
    if os.name == "nt":
        pytest.skip("the stand-in for `go` is a shell script")
    real, log = shutil.which("go"), tmp_path / "log"
    (tmp_path / "go").write_text(f'#!/bin/sh\necho "$1" >>"{log}"\nexec "{real}" "$@"\n')
    (tmp_path / "go").chmod(0o755)
    wheel_of(PACKAGE, tmp_path, PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert log.read_text().split().count("build") == 1


def test_auditwheel_finds_no_newer_glibc_than_the_tag_says(wheel: pathlib.Path) -> None:
    if sys.platform != "linux":
        pytest.skip("auditwheel is for Linux")
    done = subprocess.run(
        [sys.executable, "-m", "auditwheel", "show", str(wheel)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r'consistent with the following platform tag: "manylinux_2_(\d+)_', " ".join(done.stdout.split()))
    own = re.search(r"-manylinux_2_(\d+)_", wheel.name)
    assert found is not None and own is not None, done.stdout
    assert int(found[1]) <= int(own[1])


def test_the_library_takes_from_glibc_nothing_that_has_another_name_in_older_ones(wheel: pathlib.Path) -> None:
    if sys.platform != "linux":
        pytest.skip("there is glibc on Linux only")
    with zipfile.ZipFile(wheel) as archive:
        library = archive.read("embws/libembws.so")
    # What is newer than glibc 2.17 of what C code likes to call; the threads' functions are as old, under other versions.
    newer = (b"getrandom", b"getentropy", b"arc4random_buf", b"explicit_bzero", b"gettid")
    assert b"\0memcpy\0" in library
    assert not [name for name in newer if b"\0" + name + b"\0" in library]


def test_the_same_sources_give_the_same_bytes(wheel: pathlib.Path, tmp_path: pathlib.Path) -> None:
    assert wheel_of(PACKAGE, tmp_path).read_bytes() == wheel.read_bytes()


def test_the_sdist_builds_alone_and_offline(sdist: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    assert not [name for name in names if name.endswith("_test.go")]
    alone = tmp_path / "alone"
    alone.mkdir()
    copy = pathlib.Path(shutil.copy(sdist, alone))
    built = wheel_of(copy, tmp_path / "wheels", GOPROXY="off", GOFLAGS="", GOMODCACHE=str(tmp_path / "modules"))
    python = fresh_python(tmp_path / "venv")
    pip("install", "--no-index", str(built), python=python)
    play(python)


def test_an_editable_install_works_and_goes_again(tmp_path: pathlib.Path, sdist: pathlib.Path) -> None:
    with tarfile.open(sdist) as archive:  # not in the checkout: it would get a library that other tests then find
        archive.extractall(tmp_path / "h\u00e9re", filter="data")
    python = fresh_python(tmp_path / "venv")
    source = str(tmp_path / "h\u00e9re" / "embws-0.1.0")
    for _ in range(2):
        pip(
            "install", "--no-index", "--no-build-isolation", "-e", source, python=python, environment={"GOPROXY": "off"}
        )
        play(python)
    # A locale that has no such letter: Python ends at its start if it cannot read what the install put in its way.
    play(python, LC_ALL="C", PYTHONCOERCECLOCALE="0")
    pip("uninstall", "--yes", "embws", python=python)
    left = [path.name for path in (tmp_path / "venv").rglob("*embws*")]
    assert not left


def test_a_cross_build_has_the_tag_of_its_target(tmp_path: pathlib.Path) -> None:
    compiler = shutil.which("aarch64-linux-gnu-gcc")
    if compiler is None:
        pytest.skip("there is no cross compiler for arm64 here")
    built = wheel_of(PACKAGE, tmp_path, GOOS="linux", GOARCH="arm64", CC=compiler)
    assert built.name.endswith("_aarch64.whl")


def test_without_go_one_sentence_says_what_to_install(tmp_path: pathlib.Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "-w", str(tmp_path), str(PACKAGE)],
        env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode != 0
    assert "embws: building needs Go 1.23 or newer, and there is no `go` on PATH" in done.stdout + done.stderr


def test_without_a_c_compiler_one_sentence_says_what_to_install(tmp_path: pathlib.Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "-w", str(tmp_path), str(PACKAGE)],
        env={**os.environ, "CC": str(tmp_path / "no-such-compiler")}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode != 0
    assert "embws: building needs a C compiler besides Go" in done.stdout + done.stderr
