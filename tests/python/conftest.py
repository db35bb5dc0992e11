"""What the tests of the Python package share."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from typing import Callable, Dict, Optional

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_python() -> Run:
    """Runs a program in a fresh interpreter, for at most a minute: run_python(source, environment, python)."""

    def run(
        source: str, environment: Optional[Dict[str, str]] = None, python: str = sys.executable
    ) -> "subprocess.CompletedProcess[str]":
        folder = str(pathlib.Path(__file__).parent)
        path = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
        return subprocess.run(
            [python, "-W", "error", "-c", source],
            env={**os.environ, "PYTHONPATH": path, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
