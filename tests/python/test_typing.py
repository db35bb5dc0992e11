"""mypy --strict, pyright and ruff are content with the package, its tests, and with a program that uses it."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import re
import subprocess
import sys
from typing import Dict, Set

import pytest

import embws
import embws.aio
import embws.sync

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "bindings" / "python" / "src"
TESTS = ROOT / "tests" / "python"
PROGRAM = TESTS / "typed_program.py"
INSTALLED = SOURCE not in pathlib.Path(embws.__file__).parents
RUFF = ["ruff", "--config", str(TESTS / "ruff.toml")]
WHAT = [str(path) for path in (ROOT / "bindings" / "python", TESTS, ROOT / "examples" / "python") if path.exists()]


def tool(*arguments: str, path: str = str(SOURCE), cwd: pathlib.Path = SOURCE) -> "subprocess.CompletedProcess[str]":
    """Runs a module of this interpreter's environment."""
    programs = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", "")))
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env={**os.environ, "MYPYPATH": path, "PATH": programs},
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
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import embws\nembws.ServerProtocol().send_text(b'bytes')\n")
    options = ["--strict", "--cache-dir", str(tmp_path)]
    done = tool("mypy", *options, str(wrong), path="" if INSTALLED else str(SOURCE), cwd=tmp_path)
    assert done.returncode == 1 and "arg-type" in done.stdout, done.stdout + done.stderr


def test_the_typed_program_uses_all_that_is_public() -> None:
    source = PROGRAM.read_text()
    for module in (embws, embws.aio, embws.sync):
        names = set(module.__all__) - {"Event", "__version__"}  # a union that is written out; a str
        assert not {name for name in names if not re.search(rf"\b{name}\b", source)}
    for module in (embws.aio, embws.sync):
        assert not {name for name in module.__all__ if f"{module.__name__}.{name}" not in source}
    unused: Dict[str, Set[str]] = {}
    for of in (embws.ServerProtocol, embws.ClientProtocol, embws.aio.Connection, embws.sync.Connection):
        public = {name for name in dir(of) if not name.startswith("_")} - set(dir(asyncio.BufferedProtocol))
        unused[f"{of.__module__}.{of.__name__}"] = {name for name in public if not re.search(rf"\.{name}\b", source)}
    assert not any(unused.values()), unused


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


def test_no_type_of_what_the_package_exports_has_to_be_guessed(tmp_path: pathlib.Path) -> None:
    """What is inferred, each checker infers in its own way."""
    if tool("pyright", "--version").returncode != 0:
        pytest.skip("pyright needs Node.js, which cannot be had here")
    if not INSTALLED:
        pytest.skip("pyright --verifytypes looks at an installed package, and this is the source folder's")
    done = tool("pyright", "--verifytypes", "embws", "--ignoreexternal", "--outputjson", path="", cwd=tmp_path)
    symbols = json.loads(done.stdout)["typeCompleteness"]["symbols"]
    exported = {symbol["name"]: symbol for symbol in symbols if symbol["isExported"]}
    assert {"embws.connect", "embws.sync.serve", "embws.aio.receiving.Receiving.recv", "embws.View"} <= set(exported)
    unknown = {
        name: [diagnostic["message"] for diagnostic in symbol["diagnostics"]]
        for name, symbol in exported.items()
        if symbol["isTypeAmbiguous"] or not symbol["isTypeKnown"]
    }
    assert not unknown


def test_ruff() -> None:
    done = tool(*RUFF, "check", "--no-cache", "--output-format", "concise", *WHAT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_format_is_that_of_ruff() -> None:
    done = tool(*RUFF, "format", "--no-cache", "--diff", *WHAT)
    assert done.returncode == 0, done.stdout + done.stderr
