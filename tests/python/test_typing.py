"""mypy --strict, pyright and ruff are content with the package, its tests, and with a program that uses it."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

import embws

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "bindings" / "python" / "src"
TESTS = ROOT / "tests" / "python"
PROGRAM = TESTS / "typed_program.py"
RUFF = ["ruff", "--config", str(TESTS / "ruff.toml")]
WHAT = [str(path) for path in (ROOT / "bindings" / "python", TESTS, ROOT / "examples" / "python") if path.exists()]


def tool(*arguments: str, path: str = str(SOURCE), cwd: pathlib.Path = SOURCE) -> "subprocess.CompletedProcess[str]":
    """Runs a module of this interpreter's environment."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env={**os.environ, "MYPYPATH": path},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


@pytest.mark.parametrize("version", ["3.11", "3.14"])
def test_mypy_strict(version: str, tmp_path: pathlib.Path) -> None:
    options = ["--strict", "--python-version", version, "--cache-dir", str(tmp_path)]
    done = tool("mypy", *options, "-p", "embws")
    assert done.returncode == 0, done.stdout + done.stderr
    done = tool("mypy", *options, str(PROGRAM))
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_finds_a_wrong_call(tmp_path: pathlib.Path) -> None:
    """The package as it was installed is typed for its users, too: without py.typed, all of it would be Any."""
    installed = SOURCE not in pathlib.Path(embws.__file__).parents
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import embws\nembws.ServerProtocol().send_text(b'bytes')\n")
    options = ["--strict", "--cache-dir", str(tmp_path)]
    done = tool("mypy", *options, str(wrong), path="" if installed else str(SOURCE), cwd=tmp_path)
    assert done.returncode == 1 and "arg-type" in done.stdout, done.stdout + done.stderr


def test_pyright(tmp_path: pathlib.Path) -> None:
    if tool("pyright", "--version").returncode != 0:
        pytest.skip("pyright needs Node.js, which cannot be had here")
    config = tmp_path / "pyrightconfig.json"
    config.write_text(
        f'{{"include": ["{SOURCE}", "{PROGRAM}"], "extraPaths": ["{SOURCE}"], "pythonVersion": "3.11",'
        ' "typeCheckingMode": "standard"}'
    )
    done = tool("pyright", "--project", str(config), "--pythonpath", sys.executable)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff() -> None:
    done = tool(*RUFF, "check", "--no-cache", "--output-format", "concise", *WHAT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_format_is_that_of_ruff() -> None:
    done = tool(*RUFF, "format", "--no-cache", "--diff", *WHAT)
    assert done.returncode == 0, done.stdout + done.stderr
