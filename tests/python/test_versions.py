"""Every Python from 3.11 to 3.14 that is installed imports the package and plays round_trips.py.

The package has no compiled part of its own, so what was installed for this interpreter serves all of them.
"""

from __future__ import annotations

import glob
import os
import pathlib
import shutil
import subprocess
from typing import Optional

import pytest

import embws
from embws import _library

PROGRAM = pathlib.Path(__file__).parent / "round_trips.py"


def interpreter(version: str) -> Optional[str]:
    """An interpreter of that version: on the PATH, or where pyenv keeps them."""
    names = [shutil.which(f"python{version}")]
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    names += sorted(glob.glob(os.path.join(root, "versions", f"{version}*", "bin", f"python{version}")))
    for name in filter(None, names):
        ask = [name, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        done = subprocess.run(ask, capture_output=True, text=True, timeout=60, check=False)
        if done.stdout.strip() == version:  # what pyenv puts on the PATH need not run
            return name
    return None


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_messages_and_closes_in_both_directions(version: str, capsys: pytest.CaptureFixture[str]) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"Python {version} is not installed here")
    environment = {
        **os.environ,
        "PYTHONPATH": str(pathlib.Path(embws.__file__).parent.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "EMBWS_LIBRARY": _library.lib._name,
    }
    # Not isolated (-I), for that would not look at PYTHONPATH; -S leaves out what is installed beside it.
    done = subprocess.run(
        [python, "-S", "-W", "error", str(PROGRAM)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    # Also what raises nothing is a failure: a warning in a destructor, an exception of a thread or of a handler.
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    with capsys.disabled():
        print(f"\n{done.stdout.strip()}")
