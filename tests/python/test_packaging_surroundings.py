"""The build backend in surroundings that are not as it would like them: Go's settings, musl, an old Python, `build`."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

import pytest
from test_packaging import PACKAGE, sdist, wheel_of  # the first builds the sdist once for this module

__all__ = ["sdist"]


def unpacked(sdist: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (root,) = folder.glob("embws-*")
    return root


def refusal(command: list[str], **environment: str) -> str:
    """What a command prints that must fail."""
    done = subprocess.run(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode != 0, done.stdout
    return done.stdout


def test_an_sdist_builds_the_same_bytes_in_any_folder(sdist: pathlib.Path, tmp_path: pathlib.Path) -> None:
    first = wheel_of(unpacked(sdist, tmp_path / "one"), tmp_path / "1", GOPROXY="off")
    second = wheel_of(unpacked(sdist, tmp_path / "with a space"), tmp_path / "2", GOPROXY="off")
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


def test_an_sdist_builds_whatever_go_is_told_about_modules(sdist: pathlib.Path, tmp_path: pathlib.Path) -> None:
    root = unpacked(sdist, tmp_path / "outer")
    (tmp_path / "outer" / "go.work").write_text("go 1.23\n")
    (tmp_path / "modules").mkdir()
    wheel_of(root, tmp_path / "out", GOPROXY="off", GOFLAGS="-mod=mod", GOMODCACHE=str(tmp_path / "modules"))


def test_on_musl_one_sentence_says_why_not(tmp_path: pathlib.Path) -> None:
    if shutil.which("musl-gcc") is None:
        pytest.skip("there is no musl-gcc here")
    command = [sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "-w", str(tmp_path), str(PACKAGE)]
    assert "embws: musl cannot load the Go runtime" in refusal(command, CC="musl-gcc")
    assert not list(tmp_path.glob("*.whl"))


def test_an_old_python_is_told_which_it_takes() -> None:
    old = next((path for name in ("python3.10", "python3.9") if (path := works(name))), None)
    if old is None:
        pytest.skip("there is no Python older than 3.11 here")
    program = "import sys, embws_build; embws_build.prepare_metadata_for_build_wheel(sys.argv[1])"
    said = refusal([old, "-c", program, "nowhere"], PYTHONPATH=str(PACKAGE / "backend"), PYTHONDONTWRITEBYTECODE="1")
    assert "embws: the package needs Python 3.11 or newer" in said
    assert "Traceback" not in said


def works(name: str) -> str | None:
    """The path of a Python that starts: a version manager leaves names of such that do not."""
    path = shutil.which(name)
    if path is None or subprocess.run([path, "-c", ""], capture_output=True, timeout=60).returncode != 0:
        return None
    return path


def test_build_makes_the_wheel_from_the_sdist(tmp_path: pathlib.Path) -> None:
    if importlib.util.find_spec("build") is None:
        pytest.skip("the package `build` is not installed here")
    command = [sys.executable, "-m", "build", "--outdir", str(tmp_path), str(PACKAGE)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".gz", ".whl"]
