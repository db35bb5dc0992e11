"""embws.sync: what its connections do, by themselves and against bytes written by hand."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from typing import Any, Callable, Iterator, List

import pytest

import embws
import wire
from embws.sync import ClientConnection, Server, ServerConnection, connect, serve, unix_connect, unix_serve


def echo(websocket: ServerConnection) -> None:
    for message in websocket:
        websocket.send(message)


@contextlib.contextmanager
def running(handler: Callable[[ServerConnection], None] = echo, **arguments: Any) -> Iterator[str]:
    """A server that runs in a thread; gives its URI. Threads that it leaves behind are a failure."""
    before = set(threading.enumerate())
    server = serve(handler, "127.0.0.1", 0, **arguments)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
    finally:
        server.shutdown()
        thread.join(10)
        deadline = time.monotonic() + 5
        while (rest := set(threading.enumerate()) - before) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not rest, f"threads left behind: {rest}"


@contextlib.contextmanager
def raw_server(talk: Callable[[socket.socket], None], behind: bytes = b"") -> Iterator[str]:
    """A server of bytes for one connection: it answers the handshake, and then does as told."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)

    def serve_one() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.settimeout(20)
            protocol = embws.ServerProtocol()
            protocol.receive_data(sock.recv(4096))
            assert isinstance(next(iter(protocol.events())), embws.Request)
            protocol.accept()
            sock.sendall(protocol.data_to_send() + behind)
            with contextlib.suppress(ConnectionError):
                talk(sock)

    thread = threading.Thread(target=serve_one)
    thread.start()
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        thread.join(20)
        listener.close()
        assert not thread.is_alive()


def until_eof(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


# -- Messages ---------------------------------------------------------------------------------------------------------


def test_echoes_messages_of_any_size() -> None:
    with running(max_size=None) as uri, connect(uri, max_size=None) as websocket:
        for message in ("", "text", "é" * 300_000, b"", b"\x00\xff", bytes(range(256)) * 40_000):
            websocket.send(message)
            assert websocket.recv(10) == message


def test_two_ends_that_send_much_at_once_do_not_block_each_other() -> None:
    def handler(websocket: ServerConnection) -> None:
        for _ in range(10):
            websocket.send(bytes(3_000_000))
        assert all(len(websocket.recv(10)) == 3_000_000 for _ in range(10))

    with running(handler, max_size=None) as uri, connect(uri, max_size=None) as websocket:
        for _ in range(10):
            websocket.send(bytes(3_000_000))
        assert all(len(websocket.recv(10)) == 3_000_000 for _ in range(10))


def test_send_takes_what_can_be_sent() -> None:
    with running() as uri, connect(uri) as websocket:
        websocket.send(bytearray(b"abc"))
        websocket.send(memoryview(b"view"))
        websocket.send(b"text", text=True)
        websocket.send("data", text=False)
        websocket.send(["one ", "two ", "three"])
        websocket.send(part for part in (b"a", b"b" * 200_000))
        websocket.send([])  # no message at all
        assert websocket.recv(5) == b"abc"
        assert websocket.recv(5, decode=True) == "view"
        assert websocket.recv(5, decode=False) == b"text"
        assert websocket.recv(5) == b"data"
        assert websocket.recv(5) == "one two three"
        assert websocket.recv(5) == b"a" + b"b" * 200_000
        for wrong in (None, 1, {"a": 1}):
            with pytest.raises(TypeError, match="message must be"):
                websocket.send(wrong)  # type: ignore[arg-type]


def test_parts_of_different_types_close_the_connection() -> None:
    with running() as uri, connect(uri) as websocket:
        with pytest.raises(TypeError, match="of one type"):
            websocket.send(["text", b"bytes"])
        with pytest.raises(embws.ConnectionClosedError) as caught:
            websocket.recv(5)
        assert caught.value.sent_code == 1011


def test_recv_times_out_and_loses_nothing() -> None:
    def handler(websocket: ServerConnection) -> None:
        time.sleep(0.2)
        websocket.send("late")

    with running(handler) as uri, connect(uri) as websocket:
        with pytest.raises(TimeoutError):
            websocket.recv(timeout=0.01)
        with pytest.raises(TimeoutError):
            websocket.recv(timeout=0)
        assert websocket.recv(5) == "late"


def test_many_threads_send_whole_messages() -> None:
    with running() as uri, connect(uri, max_queue=None) as websocket:

        def work(i: int) -> None:
            for n in range(30):
                websocket.send([f"{i}:{n}:", "x" * 1000, ":end"] if n % 3 == 0 else f"{i}:{n}:{'x' * 1000}:end")

        threads = [threading.Thread(target=work, args=(i,)) for i in range(5)]
        for thread in threads:
            thread.start()
        received = [websocket.recv(10) for _ in range(150)]
        for thread in threads:
            thread.join(10)
        assert sorted(received) == sorted(f"{i}:{n}:{'x' * 1000}:end" for i in range(5) for n in range(30))


def test_a_second_recv_is_refused() -> None:
    with running() as uri, connect(uri) as websocket:
        result: List[Any] = []
        thread = threading.Thread(target=lambda: result.append(websocket.recv(10)))
        thread.start()
        time.sleep(0.05)
        with pytest.raises(embws.StateError, match="another thread"):
            websocket.recv()
        websocket.send("for the first")
        thread.join(10)
        assert result == ["for the first"]


def test_reading_pauses_while_the_queue_is_full() -> None:
    gate, sent = threading.Event(), 0

    def handler(websocket: ServerConnection) -> None:
        nonlocal sent
        for _ in range(400):
            websocket.send(bytes(100_000))
            sent += 1

    with running(handler) as uri, connect(uri, max_queue=2) as websocket:
        time.sleep(0.5)
        assert sent < 400, "40 MB were read without anybody taking them"
        assert len(websocket._messages) <= 2 + 256 * 1024 // 100_000 + 1
        gate.set()
        assert sum(1 for _ in websocket) == 400


# -- Closing ----------------------------------------------------------------------------------------------------------


def test_close_sends_code_and_reason() -> None:
    seen: List[Any] = []

    def handler(websocket: ServerConnection) -> None:
        with pytest.raises(embws.ConnectionClosedError) as caught:
            websocket.recv()
        seen.append((caught.value.code, caught.value.reason, websocket.close_code, websocket.close_reason))

    with running(handler) as uri:
        websocket = connect(uri)
        websocket.close(3000, "enough")
        assert websocket.wait_closed(0)
        with pytest.raises(embws.ConnectionClosedError):
            websocket.send("late")
        websocket.close()  # nothing happens
    assert seen == [(3000, "enough", 3000, "enough")]


def test_the_server_closes_when_the_handler_returns() -> None:
    with running(lambda websocket: websocket.send("bye")) as uri, connect(uri) as websocket:
        assert list(websocket) == ["bye"]
        assert (websocket.close_code, websocket.close_reason) == (1000, "")
        with pytest.raises(embws.ConnectionClosedOK):
            websocket.recv()


def test_a_handler_that_raises_closes_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    def handler(websocket: ServerConnection) -> None:
        raise KeyError("oops")

    with running(handler) as uri, connect(uri) as websocket:
        with pytest.raises(embws.ConnectionClosedError) as caught:
            websocket.recv(5)
        assert caught.value.code == 1011
    assert "connection handler failed" in caplog.text


def test_close_from_another_thread_wakes_recv() -> None:
    with running() as uri:
        websocket = connect(uri)
        timer = threading.Timer(0.05, websocket.close)
        timer.start()
        assert list(websocket) == []
        timer.join(5)


def test_close_time_out_drops_a_peer_that_does_not_answer() -> None:
    with raw_server(until_eof) as uri:
        websocket = connect(uri, close_timeout=0.1)
        began = time.monotonic()
        websocket.close()
        assert time.monotonic() - began < 5
        assert websocket.close_code == 1006


def test_a_lost_transport_is_an_error() -> None:
    with raw_server(lambda sock: None) as uri, connect(uri) as websocket:
        with pytest.raises(embws.ConnectionClosedError) as caught:
            websocket.recv(5)
        assert caught.value.code == 1006 == websocket.close_code


def test_a_violation_closes_and_says_why() -> None:
    def masks(sock: socket.socket) -> None:
        sock.sendall(wire.frame(wire.TEXT, b"good", mask=False) + wire.frame(wire.TEXT, b"bad", mask=True))
        assert sock.recv(1) == b"\x88"
        until_eof(sock)

    with raw_server(masks) as uri, connect(uri) as websocket:
        assert websocket.recv(5) == "good"
        with pytest.raises(embws.ConnectionClosedError) as caught:
            websocket.recv(5)
        assert caught.value.sent_code == 1002
        assert isinstance(caught.value.__cause__, embws.ProtocolError)


@pytest.mark.parametrize("last", [wire.frame(wire.CLOSE, b"\x03\xe8"), wire.frame(3)], ids=["close", "violation"])
def test_the_answer_that_is_owed_leaves_before_the_close(last: bytes) -> None:
    with running() as uri, socket.create_connection(("127.0.0.1", int(uri.split(":")[2].strip("/"))), 5) as sock:
        sock.sendall(wire.REQUEST)
        assert sock.recv(4096).startswith(b"HTTP/1.1 101")
        sock.sendall(wire.frame(wire.TEXT, b"one") + wire.frame(wire.TEXT, b"two") + last)
        received = b""
        while chunk := sock.recv(4096):
            received += chunk
            if b"\x88" in received:
                sock.shutdown(socket.SHUT_WR)
        answers = wire.frame(wire.TEXT, b"one", mask=False) + wire.frame(wire.TEXT, b"two", mask=False)
        assert received.startswith(answers + b"\x88")


def test_a_message_that_is_too_large_is_refused() -> None:
    with running(max_size=1000) as uri, connect(uri) as websocket:
        websocket.send(bytes(1001))
        with pytest.raises(embws.ConnectionClosedError) as caught:
            websocket.recv(5)
        assert caught.value.code == 1009


def test_messages_right_behind_the_handshake_are_not_lost() -> None:
    behind = wire.frame(wire.TEXT, b"early", mask=False) + wire.frame(wire.CLOSE, b"\x03\xe8", mask=False)
    with raw_server(until_eof, behind) as uri, connect(uri, close_timeout=1) as websocket:
        assert list(websocket) == ["early"]


# -- Pings ------------------------------------------------------------------------------------------------------------


def test_ping_gives_the_latency() -> None:
    with running() as uri, connect(uri) as websocket:
        websocket.send("first, so that somebody has read")
        websocket.recv(5)
        began = time.monotonic()
        assert websocket.ping().wait(5)
        assert 0 < websocket.latency <= time.monotonic() - began < 0.2
        websocket.pong(b"unasked")


def test_pings_are_answered_while_the_user_is_busy() -> None:
    answered: List[bool] = []

    def handler(websocket: ServerConnection) -> None:
        answered.append(websocket.ping().wait(5))

    with running(handler) as uri, connect(uri) as websocket:
        time.sleep(0.5)
        websocket.wait_closed(5)
    assert answered == [True]


def test_keepalive_drops_a_peer_that_does_not_answer() -> None:
    with raw_server(until_eof) as uri:
        websocket = connect(uri, ping_interval=0.05, ping_timeout=0.05, close_timeout=0.1)
        with pytest.raises(embws.ConnectionClosedError) as caught:
            websocket.recv(5)
        assert caught.value.sent_code == 1011
        assert websocket.wait_closed(5)


def test_keepalive_goes_on_while_it_is_answered() -> None:
    with running() as uri, connect(uri, ping_interval=0.02, ping_timeout=1) as websocket:
        time.sleep(0.2)
        assert websocket.latency > 0
        websocket.send("open")
        assert websocket.recv(5) == "open"


# -- The handshake ----------------------------------------------------------------------------------------------------


def test_the_handshake_is_seen_by_both() -> None:
    seen: List[Any] = []

    def handler(websocket: ServerConnection) -> None:
        assert websocket.request is not None
        seen.append((websocket.request.path, websocket.request.headers["X-Token"], websocket.remote_address))

    def process_response(connection: ServerConnection, request: embws.Request, response: embws.Response) -> None:
        response.headers["X-More"] = "yes"

    with running(handler, subprotocols=["b", "a"], process_response=process_response) as uri:
        with connect(uri + "chat", additional_headers={"X-Token": "secret"}, subprotocols=["a", "b"]) as websocket:
            assert websocket.subprotocol == "b"
            assert websocket.response is not None and websocket.response.headers["X-More"] == "yes"
            local = websocket.local_address
            websocket.wait_closed(5)
        assert seen == [("/chat", "secret", local)]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({"origins": ["https://a.example"]}, 403),
        ({"subprotocols": ["chat"]}, 400),
        ({"process_request": lambda connection, request: connection.respond(401, "no")}, 401),
        ({"process_request": lambda connection, request: 1 // 0}, 500),
    ],
)
def test_a_server_refuses(arguments: Any, status: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL), running(**arguments) as uri:
        with pytest.raises(embws.InvalidStatus) as caught:
            connect(uri)
        assert caught.value.response.status_code == status


def test_open_time_outs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        with pytest.raises(TimeoutError, match="opening handshake"):
            connect(f"ws://127.0.0.1:{mute.getsockname()[1]}/", open_timeout=0.1)
    with running(open_timeout=0.1) as uri:
        with socket.create_connection(("127.0.0.1", int(uri.split(":")[2].strip("/"))), timeout=5) as sock:
            sock.sendall(wire.REQUEST[:20])
            assert sock.recv(100) == b""


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="ws://"):
        connect("http://127.0.0.1/")
    with pytest.raises(ValueError, match="ssl is set"):
        connect("ws://127.0.0.1/", ssl=True)
    with pytest.raises(TypeError, match="port"):
        serve(echo, "127.0.0.1")
    with pytest.raises(ValueError, match="max_queue is -1"):
        serve(echo, "127.0.0.1", 0, max_queue=-1)
    with running() as uri, pytest.raises(TypeError, match="ping_interval"):
        connect(uri, ping_interval="20")  # type: ignore[arg-type]


# -- The server -------------------------------------------------------------------------------------------------------


def test_shutdown_says_1001() -> None:
    server: Server = serve(echo, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with connect(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/") as websocket:
        assert len(server.connections) == 1
        stopper = threading.Thread(target=server.shutdown)
        stopper.start()
        with pytest.raises(embws.ConnectionClosedOK) as caught:
            websocket.recv(5)
        assert caught.value.code == 1001
    stopper.join(10)
    thread.join(10)
    assert not stopper.is_alive() and not thread.is_alive()


def test_a_server_that_never_ran_can_be_shut_down() -> None:
    with serve(echo, "127.0.0.1", 0):
        pass


def test_hundred_clients_at_once() -> None:
    with running() as uri:
        clients: List[ClientConnection] = [connect(uri) for _ in range(100)]
        for i, client in enumerate(clients):
            client.send(str(i))
        assert [client.recv(10) for client in clients] == [str(i) for i in range(100)]
        for client in clients:
            client.close()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no Unix sockets")
def test_unix_sockets(tmp_path: Any) -> None:
    path = str(tmp_path / "socket")
    with unix_serve(echo, path) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with unix_connect(path) as websocket:
            websocket.send("local")
            assert websocket.recv(5) == "local"
    thread.join(10)
