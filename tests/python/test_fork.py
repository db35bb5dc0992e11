"""After os.fork() the child has no library: every call that would enter it raises ForkError, and the parent goes on."""

from __future__ import annotations

import multiprocessing
import os
import sys
from typing import Any, Callable, List

import pytest

import embws
from conftest import Run
from embws import ClientProtocol, ServerProtocol

SECONDS = 20  # the child kills itself by then


#: What the programs begin in the child: each of CALLS must raise ForkError, and again the second time.
FORKED = """
sys.stdout.flush()
child = os.fork()
if child == 0:
    signal.alarm(20)
    wrong = 0
    for name, call in CALLS.items():
        for _ in range(2):
            try:
                call()
            except embws.ForkError:
                continue
            except BaseException as error:
                print(f"{name}: {error!r}")
            else:
                print(f"{name}: no ForkError")
            wrong += 1
"""

#: Runs in a fresh interpreter: a child of this one would have hypothesis and the tests' threads in it.
PROGRAM = (
    """
import os, signal, sys, warnings
from wire import REQUEST, TEXT, frame
import embws
from embws import ClientProtocol, ServerProtocol

warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 and later: the runtime's threads are there at the fork
server, client, early = ServerProtocol(handshake=False), ClientProtocol(None), ServerProtocol()
waiting, silent, large = ServerProtocol(), ServerProtocol(), ServerProtocol(handshake=False)
early.receive_data(REQUEST)
list(early.events())
server.receive_data(frame(TEXT, b"before"))
server.send_text("sent before")
CALLS = {
    "receive_data": lambda: server.receive_data(frame(TEXT, b"x")),
    "buffer_updated": lambda: server.buffer_updated(6),
    "receive_data of a head": lambda: waiting.receive_data(REQUEST),
    "send_text": lambda: server.send_text("x"),
    "send_binary": lambda: client.send_binary(b"x"),
    "send_binary, large": lambda: large.send_binary(bytes(100_000)),
    "send_continuation": lambda: server.send_continuation(b"x"),
    "ping": lambda: server.ping(),
    "pong": lambda: client.pong(b"x"),
    "close": lambda: server.close(),
    "fail": lambda: client.fail(),
    "accept": lambda: early.accept(),
    "reject": lambda: early.reject(404, "no"),
    "receive_eof": lambda: silent.receive_eof(),
    "ServerProtocol": lambda: ServerProtocol(),
    "ServerProtocol, open": lambda: ServerProtocol(handshake=False),
    "ClientProtocol": lambda: ClientProtocol("ws://example.com/"),
    "ClientProtocol, open": lambda: ClientProtocol(None),
}
"""
    + FORKED
    + """    # What needs no library still works: what had arrived, and what was to be sent.
    kept = [embws.Data("before", True, True, True)], b"\\x81\\x0bsent before"
    if (list(server.events()), server.data_to_send()) != kept:
        print("what was there before the fork is lost")
        wrong += 1
    for protocol in (server, client, early, waiting, silent, large):
        protocol.data_to_send(), protocol.state, protocol.close_code, repr(protocol)
    del protocol, server, client, early, waiting, silent, large
    sys.stdout.flush()
    os._exit(1 if wrong else 0)
_, status = os.waitpid(child, 0)
assert status == 0, status
# The parent goes on.
assert list(server.messages()) == ["before"]
server.send_text("after")
client.receive_data(server.data_to_send())
assert list(client.messages()) == ["sent before", "after"]
early.accept()
assert early.data_to_send().startswith(b"HTTP/1.1 101 ")
print("fine")
"""
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")
def test_every_call_in_a_forked_child_raises_forkerror_at_once_and_the_parent_goes_on(run_python: Run) -> None:
    done = run_python(PROGRAM)
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stdout + done.stderr


CONNECTIONS = (
    """
import asyncio, os, signal, sys, threading, warnings
import embws, embws.aio, embws.sync

warnings.simplefilter("ignore", DeprecationWarning)


def echo(connection):
    for message in connection:
        connection.send(message)


server = embws.sync.serve(echo, "127.0.0.1", 0)
thread = threading.Thread(target=server.serve_forever)
thread.start()
uri = "ws://127.0.0.1:%d/" % server.socket.getsockname()[1]
connection = embws.sync.connect(uri)
connection.send("before")
assert connection.recv() == "before"


async def connect():
    await embws.aio.connect(uri)


async def serve():
    async with embws.aio.serve(echo, "127.0.0.1", 0):
        pass


CALLS = {
    "recv": lambda: connection.recv(),
    "recv with a time-out": lambda: connection.recv(5),
    "iteration": lambda: next(iter(connection)),
    "recv_streaming": lambda: next(connection.recv_streaming()),
    "send": lambda: connection.send("x"),
    "send in fragments": lambda: connection.send(["x", "y"]),
    "ping": lambda: connection.ping(),
    "pong": lambda: connection.pong(),
    "close": lambda: connection.close(),
    "wait_closed": lambda: connection.wait_closed(),
    "broadcast": lambda: embws.sync.broadcast([connection], "x"),
    "shutdown": lambda: server.shutdown(),
    "serve_forever": lambda: server.serve_forever(),
    "sync.connect": lambda: embws.sync.connect(uri),
    "sync.serve": lambda: embws.sync.serve(echo, "127.0.0.1", 0),
    "aio.connect": lambda: asyncio.run(connect()),
    "aio.serve": lambda: asyncio.run(serve()),
}
"""
    + FORKED
    + """    sys.stdout.flush()
    os._exit(1 if wrong else 0)
_, status = os.waitpid(child, 0)
assert status == 0, status
connection.send("after")
assert connection.recv() == "after"
connection.close()
server.shutdown()
thread.join()
print("fine")
"""
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")
def test_connections_in_a_forked_child_raise_forkerror_and_wait_for_no_thread(run_python: Run) -> None:
    done = run_python(CONNECTIONS)
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stdout + done.stderr


LATE = """
import os, sys
child = os.fork()
if child == 0:
    import embws
    protocol = embws.ServerProtocol(handshake=False)
    protocol.send_text("x")
    os._exit(0 if protocol.data_to_send() == b"\\x81\\x01x" else 1)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")
def test_a_child_that_loads_the_library_itself_works(run_python: Run) -> None:
    done = run_python(LATE)
    assert done.returncode == 0, done.stdout + done.stderr


def echo(text: str) -> str:
    """Runs in another process."""
    client, server = ClientProtocol(None), ServerProtocol(handshake=False)
    client.send_text(text)
    server.receive_data(client.data_to_send())
    (message,) = server.messages()
    return f"{message} from {'another' if os.getpid() != int(os.environ['EMBWS_TEST_PARENT']) else 'the same'} process"


@pytest.mark.parametrize("method", [m for m in ("spawn", "forkserver") if m in multiprocessing.get_all_start_methods()])
def test_workers_of_multiprocessing_work(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBWS_TEST_PARENT", str(os.getpid()))
    monkeypatch.setenv(
        "PYTHONPATH",
        os.pathsep.join(path for path in (os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")) if path),
    )
    echo_: Callable[[str], str] = echo
    with multiprocessing.get_context(method).Pool(2) as pool:
        results: List[Any] = [pool.apply_async(echo_, (text,)) for text in ("a", "b", "c")]
        assert [result.get(timeout=50) for result in results] == [f"{text} from another process" for text in "abc"]


def test_the_message_of_a_forkerror_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert issubclass(embws.ForkError, RuntimeError) and issubclass(embws.ForkError, embws.EmbwsError)
    assert "spawn" in (embws.ForkError.__doc__ or ""), sys.version
    monkeypatch.setattr(embws._library, "_forked", True)
    with pytest.raises(embws.ForkError, match="spawn"):
        embws._library.check_fork()
