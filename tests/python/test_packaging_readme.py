"""The package's README, which an index shows: its programs and commands do what it says."""

from __future__ import annotations

import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
from typing import Dict

import embws
import embws.sync

README = pathlib.Path(__file__).resolve().parent.parent.parent / "bindings" / "python" / "README.md"


def programs() -> Dict[str, str]:
    """The Python programs, by the line above each."""
    text = README.read_text(encoding="utf-8")
    return dict(re.findall(r"^(\w[^\n]*):\n\n```python\n(.*?)^```", text, re.M | re.S))


def program(about: str) -> str:
    (found,) = (source for name, source in programs().items() if name.startswith(about))
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def run(*arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments], input=stdin, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_program_on_asyncio() -> None:
    assert run("-c", program("With asyncio").replace("8765", str(free_port()))) == "hello\n"


def test_the_program_with_threads() -> None:
    def echo(websocket: embws.sync.ServerConnection) -> None:
        for message in websocket:
            websocket.send(message)

    server = embws.sync.serve(echo, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        port = server.socket.getsockname()[1]
        assert run("-c", program("With threads").replace("8765", str(port))) == "hello\n"
    finally:
        server.shutdown()
        thread.join(30)


def test_the_program_without_io() -> None:
    """It does its receiving and sending once: for the request here, and again for a message."""
    start, turn = program("Without I/O").split("protocol.receive_data", 1)
    near, far = socket.socketpair()
    with near, far:
        names = {"sock": far}
        exec(start, names)
        client = embws.ClientProtocol("ws://example.com/")
        near.sendall(client.data_to_send())
        exec("protocol.receive_data" + turn, names)
        client.receive_data(near.recv(65536))
        assert [type(event) for event in client.events()] == [embws.Response]
        client.send_text("hello")
        near.sendall(client.data_to_send())
        exec("protocol.receive_data" + turn, names)
        client.receive_data(near.recv(65536))
        assert list(client.messages()) == ["hello"]


def test_the_commands_talk_to_each_other() -> None:
    serve, talk = re.findall(r"`python (-m embws [^`]+)`", README.read_text(encoding="utf-8"))
    port = str(free_port())
    with subprocess.Popen(
        [sys.executable, *serve.split(), "--port", port], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as server:  # fmt: skip
        try:
            assert server.stdout is not None and port in server.stdout.readline(), "it says where it listens"
            assert "hello" in run(*talk.replace("1337", port).split(), stdin="hello\n")
        finally:
            server.kill()
