"""What a peer, the system or a user can do to embws.sync ends in time, and takes a bounded amount of memory."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import select
import socket
import threading
import time
from typing import Any, Callable, Iterator, List

import pytest
from test_sync import raw_server, until_eof

import embws
import embws.aio
import tls
import wire
from conftest import Run
from embws.sync import ClientConnection, Server, ServerConnection, connect, serve

SECONDS = 10


def echo(websocket: ServerConnection) -> None:
    for message in websocket:
        websocket.send(message)


def in_time(call: Callable[[], Any]) -> None:
    """Calls it in a thread, which has to end."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive(), f"{call} has not ended"


def soon(condition: Callable[[], object]) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it has not come to that"
        time.sleep(0.005)


@contextlib.contextmanager
def serving(handler: Callable[[ServerConnection], None] = echo, **arguments: Any) -> Iterator[Server]:
    """A server that runs in a thread, and can be shut down in time."""
    server = serve(handler, "127.0.0.1", 0, **arguments)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        in_time(server.shutdown)
        thread.join(SECONDS)
        assert not thread.is_alive()


@contextlib.contextmanager
def serving_on_asyncio(handler: Any, **arguments: Any) -> Iterator[Any]:
    """A server of embws.aio in a thread of its own; gives its address."""

    async def main() -> None:
        async with embws.aio.serve(handler, "127.0.0.1", 0, **arguments) as server:
            stop = asyncio.Event()
            made.extend((server.sockets[0].getsockname(), asyncio.get_running_loop(), stop))
            ready.set()
            await stop.wait()

    made: List[Any] = []
    ready = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(SECONDS)
    try:
        yield made[0]
    finally:
        made[1].call_soon_threadsafe(made[2].set)
        thread.join(SECONDS)
        assert not thread.is_alive()


def address(server: Server) -> Any:
    return server.socket.getsockname()


def uri(server: Server) -> str:
    return f"ws://127.0.0.1:{address(server)[1]}/"


def receive(websocket: ClientConnection, found: List[Any]) -> None:
    for message in websocket:
        found.append(message)
        if len(found) % 500 == 0:
            time.sleep(0.01)  # others are faster


# -- Refusals ---------------------------------------------------------------------------------------------------------


def large_refusal(connection: ServerConnection, request: embws.Request) -> embws.Response:
    return embws.Response(403, "", embws.Headers(), bytes(32 << 20))


@contextlib.contextmanager
def refused(server: Server) -> Iterator[socket.socket]:
    """A peer that is refused with more than it reads."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(SECONDS)
        sock.connect(address(server))
        sock.sendall(wire.REQUEST)
        assert sock.recv(12) == b"HTTP/1.1 403"
        yield sock


@pytest.mark.parametrize("timeouts", [{"close_timeout": 0.2}, {"close_timeout": None, "open_timeout": 0.2}], ids=str)
def test_a_refusal_that_is_not_read_is_dropped_in_time(timeouts: Any) -> None:
    with serving(process_request=large_refusal, **timeouts) as server, refused(server):
        soon(lambda: not server._threads)


def test_shutdown_drops_a_refusal_that_is_not_read() -> None:
    with serving(process_request=large_refusal, close_timeout=None, open_timeout=None) as server, refused(server):
        in_time(server.shutdown)


def test_a_refusal_that_is_read_arrives() -> None:
    with serving(process_request=large_refusal) as server, refused(server) as sock:
        received = 12
        while chunk := sock.recv(1 << 20):
            received += len(chunk)
        assert received > 32 << 20


# -- Threads ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def one_thread_fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the next thread whose name begins so fail to start."""

    def fail(name: str) -> None:
        start, failed = threading.Thread.start, threading.Event()

        def fails_once(self: threading.Thread) -> None:
            if self.name.startswith(name) and not failed.is_set():
                failed.set()
                raise RuntimeError("can't start new thread")
            start(self)

        monkeypatch.setattr(threading.Thread, "start", fails_once)

    return fail


def echoes(server: Server) -> None:
    with connect(uri(server)) as websocket:
        websocket.send("still here")
        assert websocket.recv(SECONDS) == "still here"


def test_a_connection_without_a_thread_is_dropped_and_the_server_goes_on(
    one_thread_fails: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    with serving() as server:
        one_thread_fails("embws connection")
        with socket.create_connection(address(server), SECONDS) as sock:
            assert sock.recv(1) == b""
        assert "can't start new thread" in caplog.text
        echoes(server)
        soon(lambda: not server._threads)


def test_a_connection_without_a_keeper_is_refused_and_the_server_goes_on(
    one_thread_fails: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    with serving() as server:
        one_thread_fails("embws keeper")
        with pytest.raises(embws.InvalidStatus) as caught:
            connect(uri(server))
        assert caught.value.response.status_code == 503
        assert "can't start new thread" in caplog.text
        echoes(server)


def test_a_client_without_a_keeper_leaves_nothing_behind(one_thread_fails: Callable[[str], None]) -> None:
    ended = threading.Event()

    def talk(sock: socket.socket) -> None:
        until_eof(sock)
        ended.set()

    with raw_server(talk) as address:
        one_thread_fails("embws keeper")
        with pytest.raises(RuntimeError, match="can't start new thread"):
            connect(address)
        gc.collect()  # a socket that is left open is an error here
        assert ended.wait(SECONDS)


# -- After the Close --------------------------------------------------------------------------------------------------


def numbered(count: int) -> bytes:
    return b"".join(wire.frame(wire.BINARY, i.to_bytes(4, "big") * 250, mask=False) for i in range(count))


def numbers(messages: List[Any]) -> List[int]:
    return [int.from_bytes(message[:4], "big") for message in messages]


def answer_the_close(sock: socket.socket, count: int) -> None:
    closing = sock.recv(8, socket.MSG_WAITALL)
    assert closing[:2] == b"\x88\x82"
    sock.sendall(numbered(count) + wire.closing(1000, mask=False))


@contextlib.contextmanager
def flood_behind_the_close(count: int) -> Iterator[str]:
    """A server that answers a Close with many messages, and then with its own."""

    with raw_server(lambda sock: answer_the_close(sock, count)) as uri:
        yield uri


def test_what_nobody_takes_after_the_close_is_dropped() -> None:
    with flood_behind_the_close(20_000) as uri:
        websocket = connect(uri, max_queue=4)
        websocket.close()
        assert websocket.close_code == 1000
        kept = len(websocket._messages)
        assert 4 < kept < 4 + 2 * 256 * 1024 // 1000
        found = numbers(list(websocket))
        assert found == list(range(kept))


def test_who_takes_after_the_close_gets_everything() -> None:
    found: List[Any] = []

    def talk(sock: socket.socket) -> None:
        sock.sendall(wire.frame(wire.BINARY, bytes(4), mask=False))
        answer_the_close(sock, 20_000)

    with raw_server(talk) as uri:
        websocket = connect(uri, max_queue=4)
        thread = threading.Thread(target=receive, args=(websocket, found))
        thread.start()
        soon(lambda: found)
        websocket.close()
        thread.join(SECONDS)
        assert numbers(found[1:]) == list(range(20_000))


# -- Peers that have gone ---------------------------------------------------------------------------------------------


class WithoutKeeper(ClientConnection):
    """Nobody reads but who calls something."""

    def _start_keeper(self) -> None:
        pass


def left_by_its_peer(last: bytes) -> Any:
    """A server that says something, does not read what it gets, and resets the connection."""

    def talk(sock: socket.socket) -> None:
        sock.sendall(b"".join(wire.frame(wire.TEXT, b"%d" % i, mask=False) for i in range(3)) + last)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    return raw_server(talk)


@pytest.mark.skipif(not hasattr(select, "poll"), reason="the reset is found by poll()")
@pytest.mark.parametrize(("last", "code"), [(wire.closing(1001, mask=False), 1001), (b"", 1006)])
def test_what_a_peer_has_sent_before_it_went_is_received(last: bytes, code: int) -> None:
    with left_by_its_peer(last) as uri:
        websocket = connect(uri, create_connection=WithoutKeeper)
        poller = select.poll()
        poller.register(websocket.socket, 0)
        assert poller.poll(SECONDS * 1000)  # the reset
        with pytest.raises(embws.ConnectionClosed) as caught:
            websocket.send("lost")
        assert caught.value.code == code == websocket.close_code
        assert [websocket.recv(SECONDS) for _ in range(3)] == ["0", "1", "2"]
        with pytest.raises(embws.ConnectionClosed) as caught:
            websocket.recv(SECONDS)
        assert caught.value.code == code
        websocket.close()


def test_a_message_that_did_not_leave_is_an_error() -> None:
    started = threading.Event()

    def talk(sock: socket.socket) -> None:
        sock.recv(1)
        started.set()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    with raw_server(talk) as uri:
        websocket = connect(uri)
        with pytest.raises(embws.ConnectionClosedError) as caught:
            websocket.send(bytes(64 << 20))
        assert caught.value.code == 1006
        assert started.is_set()
        websocket.close()


def test_a_close_that_found_no_room_is_sent_while_another_thread_receives() -> None:
    read = threading.Event()
    found: List[Any] = []

    def talk(sock: socket.socket) -> None:
        sock.sendall(wire.frame(wire.TEXT, b"after this, who receives reads", mask=False))
        read.wait(SECONDS)
        while chunk := sock.recv(1 << 20):
            if chunk[-8:-6] == b"\x88\x82":
                sock.sendall(wire.closing(1000, mask=False))
                return

    with raw_server(talk) as uri:
        websocket = connect(uri, ping_interval=None, close_timeout=SECONDS)
        thread = threading.Thread(target=receive, args=(websocket, found))
        thread.start()
        soon(lambda: found and websocket._reading and websocket._receiving and websocket._keeper_waiter)
        # Pings, and nobody waits for them to leave.
        websocket._do(lambda: [websocket.protocol.ping(b"x" * 125) for _ in range(60_000)] and websocket._flush())
        assert websocket._transport, "the socket has taken everything"
        websocket._do(lambda: websocket._start_closing(1000, ""))
        read.set()
        thread.join(SECONDS)
        assert not thread.is_alive()
        assert websocket.close_code == 1000


# -- TLS --------------------------------------------------------------------------------------------------------------


def test_shutdown_ends_a_tls_handshake_that_stalls() -> None:
    with serving(ssl=tls.contexts()[0], open_timeout=None) as server:
        with socket.create_connection(address(server), SECONDS) as sock:
            soon(lambda: server._opening)
            in_time(server.shutdown)
            with contextlib.suppress(ConnectionError):
                assert sock.recv(1) == b""


def test_tls_and_the_request_have_one_time_out() -> None:
    server_context, client_context = tls.contexts()
    with serving(ssl=server_context, open_timeout=2) as server:
        began = time.monotonic()
        with socket.create_connection(address(server), SECONDS) as raw:
            soon(lambda: server._opening and time.monotonic() > began + 1.5)
            with client_context.wrap_socket(raw, server_hostname="127.0.0.1") as sock:
                sock.sendall(wire.REQUEST[:20])
                assert sock.recv(1) == b""
        assert time.monotonic() - began < 3.2


def test_last_words_arrive_over_tls_while_the_peer_goes_on_sending() -> None:
    server_context, client_context = tls.contexts()
    with serving(ssl=server_context, close_timeout=2) as server:
        with socket.create_connection(address(server), SECONDS) as raw:
            with client_context.wrap_socket(raw, server_hostname="127.0.0.1") as sock:
                sock.sendall(wire.REQUEST)
                assert sock.recv(4096).startswith(b"HTTP/1.1 101")
                for _ in range(100):  # no mask: a violation (RFC 6455 5.1)
                    sock.sendall(wire.frame(wire.BINARY, bytes(60_000), mask=False))
                assert sock.recv(4)[2:] == b"\x03\xea"


# -- The server -------------------------------------------------------------------------------------------------------


def test_descriptors_may_be_large(run_python: Run) -> None:
    done = run_python(
        """
import os, socket, threading
from embws.sync import connect, serve
try:
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
except (ImportError, ValueError):
    print("skip")
    raise SystemExit
null = os.open(os.devnull, os.O_RDONLY)
while os.dup(null) < 1100:
    pass

def echo(websocket):
    for message in websocket:
        websocket.send(message)

with serve(echo, "127.0.0.1", 0) as server:
    assert server.fileno() > 1024
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with connect(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/") as websocket:
        websocket.send("high")
        assert websocket.recv(10) == "high"
thread.join(10)
print("done")
"""
    )
    assert done.returncode == 0, done.stderr
    if done.stdout == "skip\n":
        pytest.skip("this process may not have so many descriptors")
    assert done.stdout == "done\n", done.stderr


def test_handlers_may_shut_the_server_down_at_once() -> None:
    both, ended = threading.Barrier(2), threading.Barrier(3)

    def handler(websocket: ServerConnection) -> None:
        both.wait(SECONDS)
        websocket.server.shutdown()
        ended.wait(SECONDS)

    with serving(handler) as server:
        with connect(uri(server)) as one, connect(uri(server)) as two:
            ended.wait(SECONDS)
            for websocket in (one, two):
                with pytest.raises(embws.ConnectionClosedOK) as caught:
                    websocket.recv(SECONDS)
                assert caught.value.code == 1001
        server.serve_forever()  # which returns at once
        server.shutdown()


def test_serve_forever_runs_once() -> None:
    with serving() as server:
        soon(lambda: server._loop is not None)
        with pytest.raises(embws.StateError, match="running already"):
            server.serve_forever()


def test_a_connection_that_opens_during_shutdown_is_refused() -> None:
    asked, go = threading.Event(), threading.Event()

    def process_request(connection: ServerConnection, request: embws.Request) -> None:
        asked.set()
        go.wait(SECONDS)

    with serving(process_request=process_request, close_timeout=None, open_timeout=None) as server:
        with socket.create_connection(address(server), SECONDS) as sock:
            sock.sendall(wire.REQUEST)
            assert asked.wait(SECONDS)
            stopper = threading.Thread(target=server.shutdown)
            stopper.start()
            soon(lambda: not server.is_serving())
            go.set()
            assert sock.recv(4096).startswith(b"HTTP/1.1 503")
            stopper.join(SECONDS)  # although this end does not close
            assert not stopper.is_alive()


def test_an_argument_beside_a_socket_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with pytest.raises(TypeError, match="port"):
            serve(echo, port=1, sock=listener)
        with socket.create_connection(listener.getsockname()) as sock:
            with pytest.raises(TypeError, match="source_address"):
                connect("ws://127.0.0.1/", sock=sock, source_address=("127.0.0.1", 0))
    with pytest.raises(TypeError, match="sauce_address"):
        connect("ws://127.0.0.1/", sauce_address=("127.0.0.1", 0))


def test_a_socket_can_be_given() -> None:
    with serving() as server:
        with connect("ws://name.invalid/", sock=socket.create_connection(address(server), SECONDS)) as websocket:
            websocket.send("by hand")
            assert websocket.recv(SECONDS) == "by hand"


# -- Time-outs --------------------------------------------------------------------------------------------------------

NAMES = ["open_timeout", "ping_interval", "ping_timeout", "close_timeout"]
FOR_EVER = [math.inf, 1e300, 10**400, 1e9]


@pytest.mark.parametrize("seconds", FOR_EVER[:-1], ids=["inf", "large", "huge"])
def test_a_time_out_may_be_as_long_as_it_wants(seconds: float) -> None:
    settings: Any = dict.fromkeys(NAMES, seconds)
    with serving(**settings) as server, connect(uri(server), **settings) as websocket:
        websocket.ping()
        websocket.send("for ever")
        assert websocket.recv(timeout=seconds) == "for ever"
        late = threading.Timer(0.1, websocket.send, ["late"])
        late.start()
        assert websocket.recv(timeout=seconds) == "late"
        late.join()
        closer = threading.Timer(0.1, websocket.close)
        closer.start()
        assert websocket.wait_closed(seconds)
        closer.join()


def test_a_wait_for_days_waits() -> None:
    """poll() takes no more milliseconds than an int has."""
    with serving() as server, connect(uri(server), create_connection=WithoutKeeper) as websocket:
        late = threading.Timer(0.1, websocket.send, ["late"])
        late.start()
        assert websocket.recv(timeout=3e6) == "late"
        late.join()


def test_a_time_out_for_ever_is_one_on_asyncio_too() -> None:
    async def main() -> None:
        async def handler(websocket: embws.aio.ServerConnection) -> None:
            async for message in websocket:
                await websocket.send(message)

        for seconds in FOR_EVER:
            settings: Any = dict.fromkeys(NAMES, seconds)
            async with embws.aio.serve(handler, "127.0.0.1", 0, **settings) as server:
                port = next(iter(server.sockets)).getsockname()[1]
                async with embws.aio.connect(f"ws://127.0.0.1:{port}/", **settings) as websocket:
                    await websocket.send("for ever")
                    assert await websocket.recv() == "for ever"

    asyncio.run(asyncio.wait_for(main(), SECONDS))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrong", [math.nan, -1, -math.inf])
def test_what_is_no_number_of_seconds_is_refused(name: str, wrong: float) -> None:
    settings: Any = {name: wrong}
    with pytest.raises(ValueError, match=name):
        serve(echo, "127.0.0.1", 0, **settings)
    with pytest.raises(ValueError, match=name):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/", **settings)


def test_the_time_out_of_recv_is_checked() -> None:
    with serving() as server, connect(uri(server)) as websocket:
        with pytest.raises(ValueError, match="timeout is nan"):
            websocket.recv(math.nan)
        with pytest.raises(TypeError, match="timeout must be"):
            websocket.recv("1")  # type: ignore[call-overload]
        for past in (0, -1, -math.inf):
            with pytest.raises(TimeoutError):
                websocket.recv(past)
        websocket.send("and it goes on")
        assert websocket.recv(SECONDS) == "and it goes on"


def test_recv_without_a_wait_looks_at_the_socket() -> None:
    connected = threading.Event()

    def talk(sock: socket.socket) -> None:
        connected.wait(SECONDS)
        sock.sendall(wire.frame(wire.TEXT, b"there", mask=False))
        until_eof(sock)

    with raw_server(talk) as uri, connect(uri, create_connection=WithoutKeeper, close_timeout=0.1) as websocket:
        connected.set()
        assert select.select([websocket.socket], [], [], SECONDS)[0]
        assert websocket.recv(timeout=0) == "there"


def test_the_opening_is_bounded_with_the_look_up_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    answered, look_up = threading.Event(), socket.getaddrinfo

    def slow(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        if not flags & socket.AI_NUMERICHOST:
            answered.wait(SECONDS)
        return look_up(host, port, family, type, proto, flags)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="opening handshake, after 0.2 s"):
        connect("ws://localhost/", open_timeout=0.2)
    assert time.monotonic() - began < 2
    answered.set()
    soon(lambda: not [thread for thread in threading.enumerate() if thread.name == "embws look-up"])


def test_all_addresses_of_a_name_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))

        def two(host: Any, port: Any, *arguments: Any) -> Any:
            if host != "two.example":
                return look_up(host, port, *arguments)
            if arguments[-1] == socket.AI_NUMERICHOST:
                raise socket.gaierror(socket.EAI_NONAME, "no number")
            closed, right = look_up(*unused.getsockname(), *arguments), look_up("127.0.0.1", port, *arguments)
            return closed + right

        with serving() as server:
            monkeypatch.setattr(socket, "getaddrinfo", two)
            with connect(uri(server).replace("127.0.0.1", "two.example")) as websocket:
                websocket.send("found")
                assert websocket.recv(SECONDS) == "found"
        with pytest.raises(ExceptionGroup):
            connect(f"ws://two.example:{unused.getsockname()[1]}/", all_errors=True)


def test_what_a_user_makes_fail_leaves_no_socket(caplog: pytest.LogCaptureFixture) -> None:
    class Wrong(ServerConnection):
        def __init__(self, *arguments: Any, **settings: Any) -> None:
            raise KeyError("wrong")

    with caplog.at_level(logging.ERROR), serving(create_connection=Wrong) as server:
        with socket.create_connection(address(server), SECONDS) as sock:
            assert sock.recv(1) == b""
        soon(lambda: not server._threads)
        gc.collect()
    assert "a connection has failed" in caplog.text


# -- The keeper -------------------------------------------------------------------------------------------------------


def test_a_ping_is_answered_while_the_handler_is_busy_after_it_has_waited_long() -> None:
    """While a thread waits in recv() and nothing comes the keeper sleeps, and takes over when that has changed."""
    release = threading.Event()
    connections: List[ServerConnection] = []

    def handler(websocket: ServerConnection) -> None:
        connections.append(websocket)
        websocket.recv()
        release.wait(SECONDS)  # and does not read

    with serving(handler) as server, connect(uri(server)) as websocket:
        soon(lambda: connections and connections[0]._keeper_idle)
        websocket.send("go on")
        try:
            assert websocket.ping().wait(SECONDS / 2)
        finally:
            release.set()


def test_a_peer_that_vanishes_is_no_failure_of_the_handler(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "embws"), serving() as server:
        with socket.create_connection(address(server)) as sock:
            sock.sendall(wire.REQUEST)
            assert sock.recv(12) == b"HTTP/1.1 101"
        soon(lambda: not server._threads)
    assert [record.levelname for record in caplog.records if "closed: no close frame" in record.message] == ["INFO"]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_ping_without_a_pong_is_told_at_the_end_only_if_that_was_asked_for() -> None:
    ended = threading.Event()

    def talk(sock: socket.socket) -> None:
        ended.wait(SECONDS)  # and no Ping is answered

    with raw_server(talk) as uri_of_peer, connect(uri_of_peer) as websocket:
        alone, also = websocket.ping(b"1"), websocket.ping(b"2", ack_on_close=True)
        assert not also.is_set()
        ended.set()
        assert also.wait(SECONDS)
        assert websocket.wait_closed(SECONDS)
        assert not alone.is_set()
