"""The package as pip and build tools see it: wheel, sdist, editable, metadata."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from typing import Dict, Optional

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
    folder = tmp_path_factory.mktemp("sdist")
    program = f"import embws_build; print(embws_build.build_sdist({str(folder)!r}))"
    backend = PACKAGE / "backend"
    name = subprocess.run(
        [sys.executable, "-c", program], cwd=backend, check=True, capture_output=True, text=True
    ).stdout
    return folder / name.strip()


def fresh_python(folder: pathlib.Path) -> str:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
    return str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def play(python: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("EMBWS_LIBRARY", "PYTHONPATH")}
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
    assert "License-Expression: MIT OR Apache-2.0\n" in metadata and "Requires-Python: >=3.11\n" in metadata
    assert "Root-Is-Purelib: false\n" in about and about.count("Tag: ") == 1
    assert "Requires-Dist" not in metadata, "no runtime dependencies"
    for name in ("embws/py.typed", "embws/page.html", "embws/aio/__init__.py", "embws/sync/__init__.py"):
        assert name in names
    assert {line.rsplit(",", 2)[0] for line in record.splitlines()} == set(names)
    licenses = [name.rsplit("/", 1)[1] for name in names if "/licenses/" in name]
    assert {"LICENSE-MIT", "LICENSE-APACHE", "LICENSE-go-pointer"} <= set(licenses)


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


def test_an_editable_install_works(tmp_path: pathlib.Path, sdist: pathlib.Path) -> None:
    with tarfile.open(sdist) as archive:  # not in the checkout: it would get a library that other tests then find
        archive.extractall(tmp_path, filter="data")
    python = fresh_python(tmp_path / "venv")
    pip("install", "--no-index", "-e", str(tmp_path / "embws-0.1.0"), python=python, environment={"GOPROXY": "off"})
    play(python)


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
