"""The programs: the command line of the package, and the examples, each in a process of its own."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import pathlib
import re
import runpy
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
        [sys.executable, "-W", "error", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
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


def example(name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs an example that ends by itself."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)


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


def test_the_demo_has_any_path_and_its_log_no_control_characters() -> None:
    with running("-m", "embws", "serve", "--port", "0", "--path", "/ch\N{LATIN SMALL LETTER A WITH DIAERESIS}t") as (
        process,
        port,
    ):
        with connect(f"ws://127.0.0.1:{port}/ch\N{LATIN SMALL LETTER A WITH DIAERESIS}t") as connection:
            connection.close(1000, "\x1b[31mred\nforged")
        status, said = ended(process)
        assert status == 0 and r"closed: 1000 \x1b[31mred\x0aforged" in said and "\x1b" not in said


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
        client = example("client", f"ws://127.0.0.1:{port}/", "a", "b")
        assert (client.returncode, client.stdout, client.stderr) == (0, "a\nb\n", "")
        with connect(f"ws://127.0.0.1:{port}/") as connection:
            process.send_signal(signal.SIGTERM)
            with pytest.raises(embws.ConnectionClosed) as closed:
                connection.recv(timeout=SECONDS)
            assert closed.value.code == 1001
        said, _ = process.communicate(timeout=SECONDS)
        assert (process.returncode, said) == (0, "")  # a socket that is left open would be told here


def test_the_chat_of_the_examples() -> None:
    with running(str(EXAMPLES / "chat.py"), "--port", "0") as (process, port):
        with connect(f"ws://127.0.0.1:{port}/ann") as ann:
            assert ann.recv(timeout=SECONDS) == "* ann is here, as 1 are"
            with connect(f"ws://127.0.0.1:{port}/bob") as bob:
                assert ann.recv(timeout=SECONDS) == bob.recv(timeout=SECONDS) == "* bob is here, as 2 are"
                bob.send("hello")
                assert ann.recv(timeout=SECONDS) == bob.recv(timeout=SECONDS) == "bob: hello"
            assert ann.recv(timeout=SECONDS) == "* bob has left"
        assert ended(process) == (0, "")


def test_the_client_of_the_examples_tells_in_a_line_what_is_wrong() -> None:
    for uri in ("http://x/", "ws://", f"ws://127.0.0.1:{free_port()}/"):
        done = example("client", uri)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"{uri}: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["echo_server", "chat", "selectors_server"])
def test_a_port_that_cannot_be_had_is_told_in_a_line(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for port in (str(taken.getsockname()[1]), "65536", "-1"):
            done = example(name, "--port", port)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.startswith(f"cannot listen on port {port}: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["echo_server", "chat"])
def test_an_example_runs_where_the_event_loop_has_no_signal_handlers(name: str) -> None:
    """As on Windows."""
    program = f"""if True:
        import asyncio, runpy, sys
        def none(*_):
            raise NotImplementedError
        asyncio.SelectorEventLoop.add_signal_handler = none
        sys.argv = ["x", "--port", "0"]
        runpy.run_path({str(EXAMPLES / name)!r} + ".py", run_name="__main__")
    """
    with running("-c", program) as (process, port):
        with connect(f"ws://127.0.0.1:{port}/"):
            pass
        assert ended(process, signal.SIGINT)[0] == 0


def test_the_selectors_server_goes_on_when_accept_fails() -> None:
    program = f"""if True:
        import embws, os, resource, runpy, sys
        room = len(os.listdir("/dev/fd")) + 10
        resource.setrlimit(resource.RLIMIT_NOFILE, (room, room))
        sys.argv = ["x", "--port", "0"]
        runpy.run_path({str(EXAMPLES / "selectors_server.py")!r}, run_name="__main__")
    """
    with running("-c", program) as (process, port), contextlib.ExitStack() as stack:
        first = stack.enter_context(connect(f"ws://127.0.0.1:{port}/"))
        with contextlib.ExitStack() as others:
            for _ in range(12):
                others.enter_context(socket.create_connection(("127.0.0.1", port), SECONDS))
            assert process.stdout is not None and "cannot accept" in process.stdout.readline()
            first.send("still there")
            assert first.recv(timeout=SECONDS) == "still there"
        with connect(f"ws://127.0.0.1:{port}/") as another:
            another.send("again")
            assert another.recv(timeout=SECONDS) == "again"


def test_the_selectors_server_does_not_copy_what_waits_for_a_slow_client() -> None:
    module = runpy.run_path(str(EXAMPLES / "selectors_server.py"))

    class Slow:
        def __init__(self) -> None:
            self.got, self.memory = b"", set()

        def send(self, data: memoryview) -> int:
            self.memory.add(id(data.obj))
            self.got += bytes(data[:100])
            return min(100, len(data))

    slow = Slow()
    client = module["Client"](slow)
    client.protocol = embws.ServerProtocol(handshake=False)
    client.protocol.send_binary(bytes(10_000))
    client.send()
    assert len(slow.got) == 10_004 and len(slow.memory) == 1
    assert client.waiting == 0 and not client.unsent


def test_the_upload_writes_what_was_sent(tmp_path: pathlib.Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    file.write_bytes(os.urandom(8 << 20))
    name = hashlib.sha256(file.read_bytes()).hexdigest()
    command = [sys.executable, "-W", "error", str(EXAMPLES / "upload.py"), "serve", str(folder), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            uri = server.stdout.readline().strip()
            for _ in range(2):
                done = example("upload", "send", str(file), uri)
                assert (done.returncode, done.stdout, done.stderr) == (0, f"{name}\n", "")
            assert [path.name for path in folder.iterdir()] == [name]
            assert (folder / name).read_bytes() == file.read_bytes()
            done = example("upload", "send", str(tmp_path / "none"), uri)
            assert done.returncode == 1 and done.stderr.count("\n") == 1
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(SECONDS) == 0


def test_the_examples_are_typed(tmp_path: pathlib.Path) -> None:
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    files = [str(path) for path in sorted(EXAMPLES.glob("*.py"))]
    assert len(files) >= 5
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.11", "--cache-dir", str(tmp_path), *files],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# -- ASGI -------------------------------------------------------------------------------------------------------------

#: An application with all that the adapter has to bear, each on a path of its own.
APPLICATION = f"""if True:
    import asyncio, sys
    sys.path.insert(0, {str(EXAMPLES)!r})
    import asgi, uvicorn

    outcome = []
    known, reached, go = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def app(scope, receive, send):
        path = scope["path"]
        assert (await receive())["type"] == "websocket.connect"
        if path == "/denied":
            assert "websocket.http.response" in scope["extensions"]
            fields = [(b"WWW-Authenticate", b"Basic"), (b"Content-Length", b"7")]
            await send({{"type": "websocket.http.response.start", "status": 401, "headers": fields}})
            await send({{"type": "websocket.http.response.body", "body": b"who ", "more_body": True}})
            await send({{"type": "websocket.http.response.body", "body": b"are you?"}})
        elif path == "/200":
            await send({{"type": "websocket.http.response.start", "status": 200, "headers": []}})
            await send({{"type": "websocket.http.response.body", "body": b""}})
        elif path == "/close":
            await send({{"type": "websocket.close"}})
        elif path == "/raises":
            raise ValueError("a defect")
        elif path == "/early":
            await send({{"type": "websocket.send", "text": "before it is open"}})
        elif path == "/late":
            reached.set()
            await go.wait()
            await send({{"type": "websocket.accept"}})
            await send({{**await receive(), "type": "websocket.send"}})
        elif path == "/wrong":
            await send({{"type": "websocket.accept"}})
            await send({{"type": "websocket.close", "code": 1}})
        elif path == "/gone":
            await send({{"type": "websocket.accept"}})
            outcome.append((await receive())["type"])
            try:
                await send({{"type": "websocket.send", "text": "x"}})
            except OSError as error:
                outcome.append(type(error).__name__)
            known.set()
        elif path == "/outcome":
            await send({{"type": "websocket.accept"}})
            await known.wait()
            await send({{"type": "websocket.send", "text": " ".join(outcome)}})
        elif path == "/reached":
            await reached.wait()
        elif path == "/go":
            go.set()

    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), ws=asgi.EmbwsProtocol, lifespan="off")
"""
UVICORN = r"running on http://127\.0\.0\.1:(\d+)"


def refusal(port: int, path: str) -> embws.Response:
    with pytest.raises(embws.InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{port}{path}")
    return refused.value.response


@pytest.mark.skipif(importlib.util.find_spec("uvicorn") is None, reason="uvicorn is not installed")
def test_the_asgi_adapter_keeps_to_the_specification() -> None:
    with running("-c", APPLICATION, str(free_port()), listens=UVICORN) as (process, port):
        # A response instead of the upgrade.
        response = refusal(port, "/denied")
        assert (response.status_code, response.body) == (401, b"who are you?")
        assert response.headers["WWW-Authenticate"] == "Basic" and response.headers.get_all("Content-Length") == ["12"]
        assert refusal(port, "/close").status_code == 403
        # What the application does wrong, or not at all.
        for path in ("/200", "/raises", "/early", "/nothing"):
            assert refusal(port, path).status_code == 500, path
        with connect(f"ws://127.0.0.1:{port}/wrong") as connection:
            with pytest.raises(embws.ConnectionClosed) as closed:
                connection.recv(timeout=SECONDS)
            assert closed.value.code == 1011
        # Sending to who has gone is an OSError.
        connect(f"ws://127.0.0.1:{port}/gone").close()
        with connect(f"ws://127.0.0.1:{port}/outcome") as connection:
            assert connection.recv(timeout=SECONDS) == "websocket.disconnect ClientDisconnected"
        # What comes before the application has accepted waits for that.
        client = embws.ClientProtocol(f"ws://127.0.0.1:{port}/late")
        with socket.create_connection(("127.0.0.1", port), SECONDS) as sock:
            sock.sendall(client.data_to_send())
            assert refusal(port, "/reached").status_code == 500  # else uvicorn itself drops what follows the request
            eager = embws.ClientProtocol(None)
            eager.send_text("early")
            sock.sendall(eager.data_to_send())
            assert refusal(port, "/go").status_code == 500
            found: List[object] = []
            while len(found) < 2:
                client.receive_data(sock.recv(4096))
                found += client.events()
            assert isinstance(found[1], embws.Data) and found[1].data == "early"


@pytest.mark.skipif(importlib.util.find_spec("uvicorn") is None, reason="uvicorn is not installed")
def test_an_asgi_application_under_uvicorn() -> None:
    port = free_port()
    with running(str(EXAMPLES / "asgi.py"), "--port", str(port), listens=UVICORN) as (process, _):
        done = talk(port, ["one", "two"], "--quiet", path="/any")
        assert done.stdout.splitlines() == ["one", "two"], done.stderr
        with connect(f"ws://127.0.0.1:{port}/") as connection:
            large = os.urandom(1 << 20)
            connection.send(large)
            assert connection.recv(timeout=SECONDS) == large
        with pytest.raises(urllib.error.HTTPError) as plain:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=SECONDS)
        with plain.value as answer:
            assert answer.code == 426 and answer.read() == b"This is a WebSocket.\n"
        done = example("asgi", "--port", str(port))
        assert done.returncode != 0 and "Traceback" not in done.stderr and done.stderr.count("ERROR") == 1
        with connect(f"ws://127.0.0.1:{port}/") as connection:
            process.send_signal(signal.SIGINT)
            with pytest.raises(embws.ConnectionClosed) as closed:
                connection.recv(timeout=SECONDS)
            assert closed.value.code == 1012
        said, _ = process.communicate(timeout=SECONDS)
        assert "Traceback" not in said and "Warning" not in said
    done = example("asgi", "--port", "65536")
    assert done.returncode == 1 and done.stderr.startswith("cannot listen on port 65536: ")
    assert done.stderr.count("\n") == 1
