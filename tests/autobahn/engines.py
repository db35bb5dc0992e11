"""The two engines that play the cases: where they are installed, and how they are started.

original  autobahntestsuite, the reference. It needs CPython 2.7.
kosoku    a fallback for any Python 3. It judges less: see README.md.
"""

import glob
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
INSTALL_SECONDS = 300


class Unavailable(Exception):
    """An engine cannot run here; the text says why."""


class Original:
    name = "original"
    # It prints a line as each case begins, so a run that stands still is seen before its time is up.
    reports_progress = True

    def __init__(self, folder: pathlib.Path, log):
        self.python = _python27()
        self.packages = folder / "original"
        requirements = HERE / "requirements-original.txt"
        stamp = f"{self.python}\n{requirements.read_text()}"
        if not _installed(self.packages, stamp):
            log(f"installing the original engine for {self.python}")
            shutil.rmtree(self.packages, ignore_errors=True)
            pip = [self.python, "-s", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
            _run([*pip, "--target", self.packages, "--requirement", requirements])
            (self.packages / "installed").write_text(stamp)

    def drive_server(self, agent: str, port: int, selected: list[str], report: pathlib.Path) -> list[str]:
        """The command that plays the cases against the server at port and writes the report."""
        url = f"ws://127.0.0.1:{port}"
        return self._command("fuzzingclient", {"servers": [{"agent": agent, "url": url}]}, selected, report)

    def serve_client(self, port: int, selected: list[str], report: pathlib.Path) -> list[str]:
        """The command that plays the cases with the client that comes to port."""
        return self._command("fuzzingserver", {"url": f"ws://127.0.0.1:{port}"}, selected, report)

    def _command(self, mode: str, spec: dict, selected: list[str], report: pathlib.Path) -> list[str]:
        path = report / "spec.json"
        path.write_text(json.dumps({**spec, "outdir": str(report), "cases": selected, "exclude-cases": []}))
        return [self.python, "-u", "-s", str(HERE / "wstest27.py"), str(self.packages), mode, str(path)]


class Kosoku:
    name = "kosoku"
    reports_progress = False

    def __init__(self, folder: pathlib.Path, log):
        venv = folder / "kosoku"
        self.command = venv / "bin" / "kosoku"
        requirements = HERE / "requirements-kosoku.txt"
        stamp = f"{sys.version}\n{requirements.read_text()}"
        if not _installed(venv, stamp):
            log("installing the kosoku engine")
            shutil.rmtree(venv, ignore_errors=True)
            _run([sys.executable, "-m", "venv", venv])
            pip = [venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run([*pip, "--requirement", requirements])
            (venv / "installed").write_text(stamp)

    def drive_server(self, agent: str, port: int, selected: list[str], report: pathlib.Path) -> list[str]:
        return self._command("fuzzingclient", f"ws://127.0.0.1:{port}", selected, report)

    def serve_client(self, port: int, selected: list[str], report: pathlib.Path) -> list[str]:
        return self._command("fuzzingserver", f"127.0.0.1:{port}", selected, report)

    def _command(self, mode: str, address: str, selected: list[str], report: pathlib.Path) -> list[str]:
        includes = [f"--include={case}" for case in selected]
        return [str(self.command), "--mode", mode, "--outdir", str(report), *includes, address]


def choose(wish: str, folder: pathlib.Path, log):
    """The engine that was asked for; for "auto" the original, and kosoku where that cannot run."""
    if wish == "kosoku":
        return Kosoku(folder, log)
    try:
        return Original(folder, log)
    except Unavailable as e:
        if wish == "original":
            raise
        log(f"the original engine cannot run here: {e}; taking kosoku, which judges less")
        return Kosoku(folder, log)


def _python27() -> str:
    """A CPython 2.7 that runs and has pip. A version manager's shim may be on the path and not work."""
    candidates = [os.environ.get("PYTHON27"), shutil.which("python2.7")]
    roots = [os.environ.get("PYENV_ROOT"), os.path.expanduser("~/.pyenv")]
    if shutil.which("pyenv"):
        roots.append(_output(["pyenv", "root"]).strip())
    for root in filter(None, roots):
        candidates += sorted(glob.glob(os.path.join(root, "versions", "2.7.*", "bin", "python2.7")))
    probe = "import sys, platform, pip; print(platform.python_implementation(), sys.version_info[:2] == (2, 7))"
    for python in filter(None, candidates):
        if re.search(r"CPython.*True", _output([python, "-s", "-c", probe])):
            return python
    raise Unavailable("no CPython 2.7 with pip (looked for python2.7, under pyenv and in PYTHON27)")


def _installed(folder: pathlib.Path, stamp: str) -> bool:
    try:
        return (folder / "installed").read_text() == stamp
    except OSError:
        return False


def _output(command: list) -> str:
    """What a quick command prints; nothing where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _run(command: list) -> None:
    """One step of an installation."""
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(
            [str(c) for c in command], env=env, stdin=subprocess.DEVNULL, timeout=INSTALL_SECONDS,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as e:
        raise Unavailable(str(e)) from e
    if done.returncode != 0:
        last = "\n".join(done.stdout.strip().splitlines()[-5:])
        raise Unavailable(f"{' '.join(map(str, command[:6]))} ... failed:\n{last}")
