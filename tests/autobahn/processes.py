"""Child processes in groups of their own, so that a shell, a `go run` and what they start end together."""

import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

_live: set["Group"] = set()
_lock = threading.Lock()
_given: set[int] = set()
_ending = False


class Group:
    """A command, its process group, and the file that its output goes to. To be used in a `with`."""

    def __init__(self, command: str | list[str], log: pathlib.Path, cwd: pathlib.Path | None = None):
        self.log = log
        with _lock:
            if _ending:
                raise RuntimeError("the run is ending")
            with open(log, "wb") as out:
                self.process = subprocess.Popen(
                    command, shell=isinstance(command, str), cwd=cwd, start_new_session=True,
                    stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                )  # fmt: skip
            _live.add(self)

    def __enter__(self) -> "Group":
        return self

    def __exit__(self, *_) -> None:
        self.end()

    @property
    def exit_code(self) -> int | None:
        return self.process.poll()

    def wait(self, seconds: float) -> bool:
        """Whether the command ended by itself within the time."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self, grace: float = 5.0) -> None:
        """Ends the whole group: SIGTERM, and SIGKILL to what is left after the grace."""
        self._signal(signal.SIGTERM)
        self.wait(grace)
        self._signal(signal.SIGKILL)
        self.process.wait()
        with _lock:
            _live.discard(self)

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def last_lines(self, count: int = 8) -> str:
        """The end of the output, for messages."""
        try:
            text = self.log.read_bytes()[-4000:].decode(errors="replace")
        except OSError:
            return ""
        return "\n".join("    " + line for line in text.strip().splitlines()[-count:])


def end_all() -> None:
    """Ends every group that still runs, and lets no new one start: for when the runner itself is told to stop."""
    global _ending
    with _lock:
        _ending = True
        groups = list(_live)
    for group in groups:
        group.end(grace=1.0)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and that was not handed out before in this run."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        with _lock:
            if port not in _given:
                _given.add(port)
                return port


def wait_for_port(port: int, group: Group, seconds: float) -> str | None:
    """Waits until someone listens on the port; otherwise says why not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if group.exit_code is not None:
            return f"exited with {group.exit_code} before it listened:\n{group.last_lines()}"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return None
        except OSError:
            time.sleep(0.05)
    return f"did not listen within {seconds:.0f} s:\n{group.last_lines()}"
