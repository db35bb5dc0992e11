"""The build backend in surroundings that are not as it would like them: Go's settings, musl, an old Python, `build`."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
from typing import Dict

import pytest
from test_packaging import PACKAGE, built_sdist, sdist, wheel_of  # sdist() builds it once for this module
from test_versions import interpreter

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


def test_an_sdist_builds_whatever_the_environment_says_and_writes_nothing(
    sdist: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    root = unpacked(sdist, tmp_path / "outer, h\u00e9re")
    (root.parent / "go.work").write_text("go 1.23\n")
    (tmp_path / "modules").mkdir()
    before = content(root.parent)
    wheel_of(
        root, tmp_path / "out", GOPROXY="off", GOFLAGS="-mod=mod", GO111MODULE="off", CGO_ENABLED="0", LC_ALL="C",
        GOMODCACHE=str(tmp_path / "modules"), PYTHONDONTWRITEBYTECODE="1",
    )  # fmt: skip
    assert content(root.parent) == before, "the sources may be where nothing can be written"


def content(folder: pathlib.Path) -> Dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_sdist_of_a_used_tree_has_nothing_of_its_use(sdist: pathlib.Path, tmp_path: pathlib.Path) -> None:
    root = unpacked(sdist, tmp_path)
    for name in (
        "src/embws/libembws.so", "src/embws/__pycache__/uri.cpython-311.pyc", "src/embws/._uri.py", "src/embws/notes.txt",
        "src/embws/.ipynb_checkpoints/uri.py", "src/embws/aio/.cache/x/y.py", "build/lib/embws/uri.py", "dist/a.whl",
        "src/embws.egg-info/PKG-INFO", "backend/.#embws_build.py", "go/ws/.codec.go", "go/capi/.vscode/a.h", "go/ws/ws.test",
    ):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("not the project's")
    for name in ("src/embws/.#uri.py", "src/embws/gone.py", "go/capi/gone.go"):  # an editor's lock is such a link
        (root / name).symlink_to("nowhere")
    assert built_sdist(root, tmp_path).read_bytes() == sdist.read_bytes()


def test_a_path_that_cgo_does_not_take_is_told(sdist: pathlib.Path, tmp_path: pathlib.Path) -> None:
    root = unpacked(sdist, tmp_path / "it's")
    command = [sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "-w", str(tmp_path), str(root)]
    said = refusal(command, GOPROXY="off")
    assert f"embws: cgo allows no quotes or brackets in the path of the sources, {root / 'go'}: move them" in said


def test_on_musl_one_sentence_says_why_not(tmp_path: pathlib.Path) -> None:
    if shutil.which("musl-gcc") is None:
        pytest.skip("there is no musl-gcc here")
    command = [sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "-w", str(tmp_path), str(PACKAGE)]
    assert "embws: musl cannot load the Go runtime" in refusal(command, CC="musl-gcc")
    assert not list(tmp_path.glob("*.whl"))


def test_an_old_python_is_told_which_it_takes() -> None:
    old = next((path for version in ("3.10", "3.9", "3.8") if (path := interpreter(version))), None)
    if old is None:
        pytest.skip("there is no Python older than 3.11 here")
    program = "import sys, embws_build; embws_build.build_wheel(sys.argv[1])"
    said = refusal([old, "-c", program, "nowhere"], PYTHONPATH=str(PACKAGE / "backend"), PYTHONDONTWRITEBYTECODE="1")
    assert "embws: the package needs Python 3.11 or newer" in said
    assert "Traceback" not in said


def test_build_makes_the_wheel_from_the_sdist(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-m", "build", "--outdir", str(tmp_path), str(PACKAGE)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".gz", ".whl"]
