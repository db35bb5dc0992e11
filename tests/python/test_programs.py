"""The programs: the command line of the package, and the examples, each in a process of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Iterator, List, Tuple

import pytest

import embws
from embws.sync import connect

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples" / "python"
SECONDS = 30

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the programs are ended by signals")


@contextlib.contextmanager
def running(*command: str, listens: str = r"127\.0\.0\.1:(\d+)") -> Iterator[Tuple["subprocess.Popen[str]", int]]:
    """Runs a program until the end of the block, once it has said where it listens."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    try:
        said = ""
        while (found := re.search(listens, said)) is None:
            line = process.stdout.readline()
            assert line, said
            said += line
        yield process, int(found[1])
    finally:
        process.kill()
        process.wait(SECONDS)
        process.stdout.close()


def ended(process: "subprocess.Popen[str]", number: int = signal.SIGTERM) -> Tuple[int, str]:
    """Ends a program by a signal, and returns its status and what it said since it began to listen."""
    process.send_signal(number)
    said, _ = process.communicate(timeout=SECONDS)
    return process.returncode, said


def talk(port: int, lines: List[str], *options: str, path: str = "/chat") -> "subprocess.CompletedProcess[str]":
    """Pipes lines into the client of the command line."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "embws", f"ws://127.0.0.1:{port}{path}", *options],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


# -- The command line -------------------------------------------------------------------------------------------------


def test_lines_from_a_pipe_are_sent_and_the_replies_printed() -> None:
    with running("-m", "embws", "serve", "--port", "0") as (_, port):
        lines = ["hello", "wörld", "", "/ping is no command in a pipe"]
        done = talk(port, lines, "--subprotocol", "chat")
        assert (done.returncode, done.stdout.splitlines()) == (0, lines), done.stderr
        assert "subprotocol chat" in done.stderr and "Close 1000" in done.stderr


def test_quiet_prints_messages_only() -> None:
    with running("-m", "embws", "serve", "--port", "0") as (_, port):
        done = talk(port, ["x"], "--quiet")
        assert (done.stdout, done.stderr) == ("x\n", "")


def test_a_refusal_and_a_wrong_address_are_told_in_one_line() -> None:
    with running("-m", "embws", "serve", "--port", "0") as (_, port):
        done = talk(port, [], path="/nothing")
        assert done.returncode == 1 and "refused: HTTP 404" in done.stderr
    done = talk(free_port(), [])
    assert done.returncode == 1 and "cannot connect" in done.stderr and "Traceback" not in done.stderr
    done = subprocess.run([sys.executable, "-m", "embws", "http://x/"], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 2 and "must begin with ws://" in done.stderr


def test_the_demo_serves_the_page_and_closes_with_1001() -> None:
    with running("-m", "embws", "serve", "--port", "0") as (process, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=SECONDS) as page:
            assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
            assert page.read().lower().startswith(b"<!doctype html>")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/other", timeout=SECONDS)
        assert refused.value.code == 404
        refused.value.close()
        with connect(f"ws://127.0.0.1:{port}/chat", max_size=None) as connection:
            large = os.urandom(1 << 20)
            connection.send(large)
            assert connection.recv(timeout=SECONDS) == large
            process.send_signal(signal.SIGINT)
            with pytest.raises(embws.ConnectionClosed) as closed:
                connection.recv(timeout=SECONDS)
            assert closed.value.code == 1001
        assert process.wait(SECONDS) == 0


@pytest.mark.skipif(importlib.util.find_spec("readline") is None, reason="this Python has no readline")
def test_a_terminal_has_prompts_commands_and_shows_control_frames() -> None:
    import pty

    with running("-m", "embws", "serve", "--port", "0") as (_, port):
        ours, theirs = pty.openpty()
        uri = f"ws://127.0.0.1:{port}/chat"
        process = subprocess.Popen([sys.executable, "-m", "embws", uri], stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        seen = b""

        def expect(wanted: bytes) -> None:
            nonlocal seen
            end = time.monotonic() + SECONDS
            while wanted not in seen:
                assert time.monotonic() < end, seen
                seen += os.read(ours, 4096)

        try:
            expect(b"connected")
            os.write(ours, b"hello\n")
            expect(b"< hello")
            os.write(ours, b"/ping x\n")
            expect(b"Pong 'x'")
            os.write(ours, b"/nonsense\n")
            expect(b"there are /ping, /pong and /close")
            os.write(ours, b"/close 4001 bye\n")
            expect(b"Close 4001")
            process.wait(SECONDS)
        finally:
            process.kill()
            process.wait(SECONDS)
            os.close(ours)


# -- The examples -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["echo_server", "selectors_server"])
def test_an_echo_server_of_the_examples(name: str) -> None:
    with running(str(EXAMPLES / f"{name}.py"), "--port", "0") as (process, port):
        done = talk(port, ["one", "zwölf" * 50_000], "--quiet", path="/")
        assert done.stdout.splitlines() == ["one", "zwölf" * 50_000], done.stderr[:500]
        client = subprocess.run(
            [sys.executable, str(EXAMPLES / "client.py"), f"ws://127.0.0.1:{port}/", "a", "b"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert (client.returncode, client.stdout) == (0, "a\nb\n"), client.stderr
        with connect(f"ws://127.0.0.1:{port}/") as connection:
            process.send_signal(signal.SIGTERM)
            with pytest.raises(embws.ConnectionClosed) as closed:
                connection.recv(timeout=SECONDS)
            assert closed.value.code == 1001
        assert process.wait(SECONDS) == 0


def test_the_chat_of_the_examples() -> None:
    with running(str(EXAMPLES / "chat.py"), "--port", "0") as (process, port):
        with connect(f"ws://127.0.0.1:{port}/ann") as ann:
            assert ann.recv(timeout=SECONDS) == "* ann is here, as 1 are"
            with connect(f"ws://127.0.0.1:{port}/bob") as bob:
                assert ann.recv(timeout=SECONDS) == bob.recv(timeout=SECONDS) == "* bob is here, as 2 are"
                bob.send("hello")
                assert ann.recv(timeout=SECONDS) == bob.recv(timeout=SECONDS) == "bob: hello"
            assert ann.recv(timeout=SECONDS) == "* bob has left"
        assert ended(process)[0] == 0


@pytest.mark.skipif(importlib.util.find_spec("uvicorn") is None, reason="uvicorn is not installed")
def test_an_asgi_application_under_uvicorn() -> None:
    port = free_port()
    with running(str(EXAMPLES / "asgi.py"), "--port", str(port), listens=r"running on http://127\.0\.0\.1:(\d+)"):
        done = talk(port, ["one", "two"], "--quiet", path="/any")
        assert done.stdout.splitlines() == ["one", "two"], done.stderr
        with connect(f"ws://127.0.0.1:{port}/") as connection:
            large = os.urandom(1 << 20)
            connection.send(large)
            assert connection.recv(timeout=SECONDS) == large
