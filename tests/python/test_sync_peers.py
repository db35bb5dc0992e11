"""embws.sync against other implementations and embws.aio, both ways, with TLS and without. Those of asyncio are the
servers and clients of test_aio_peers.py."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import importlib
import socket
import ssl
import threading
from typing import (
    Any,
    AsyncContextManager,
    AsyncIterator,
    Callable,
    ContextManager,
    Coroutine,
    Dict,
    Iterator,
    Optional,
)

import pytest
import test_aio_peers
from test_aio_peers import LATER, MESSAGES, RESTART, SIZE, check_closes, check_told

import embws
import embws.aio
import tls
from embws.sync import connect, serve

SECONDS = 30

Server = Callable[[Optional[ssl.SSLContext]], ContextManager[int]]


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def secure(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def echo(websocket: Any) -> None:
    """Sends back what comes, and does what it is asked for."""
    for message in websocket:
        if message == "parts":
            websocket.send(["in ", "three ", "parts"])
        elif message == "ping":
            assert websocket.ping().wait(5)
            websocket.send("pong")
        elif message == "close":
            websocket.close(*LATER)
            return
        else:
            websocket.send(message)


@contextlib.contextmanager
def in_thread(server: Any) -> Iterator[int]:
    """Runs a server of embws.sync or websockets.sync."""
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1]
    thread.join(10)
    assert not thread.is_alive()


@contextlib.contextmanager
def echo_server(serving: Callable[..., Any], context: Optional[ssl.SSLContext]) -> Iterator[int]:
    closes: Dict[Optional[int], Optional[str]] = {}

    def handler(websocket: Any) -> None:
        try:
            echo(websocket)
        finally:
            closes[websocket.close_code] = websocket.close_reason

    with in_thread(serving(handler, "127.0.0.1", 0, ssl=context, max_size=SIZE)) as port:
        yield port
    check_closes(closes)


def embws_server(context: Optional[ssl.SSLContext]) -> ContextManager[int]:
    return echo_server(serve, context)


def websockets_server(context: Optional[ssl.SSLContext]) -> ContextManager[int]:
    return echo_server(
        pytest.importorskip("websockets.sync.server", reason="websockets is not installed").serve, context
    )


def in_loop(server: Callable[[Optional[ssl.SSLContext]], AsyncContextManager[int]]) -> Server:
    """A server of asyncio, with an event loop in a thread of its own."""

    @contextlib.contextmanager
    def running(context: Optional[ssl.SSLContext]) -> Iterator[int]:
        started: "concurrent.futures.Future[Any]" = concurrent.futures.Future()

        async def main() -> None:
            try:
                async with asyncio.timeout(SECONDS), server(context) as port:
                    stop = asyncio.Event()
                    started.set_result((port, asyncio.get_running_loop(), stop))
                    await stop.wait()
            except BaseException as error:
                if not started.done():
                    started.set_exception(error)
                raise

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            ended = pool.submit(lambda: asyncio.run(main()))
            port, loop, stop = started.result(SECONDS)
            try:
                yield port
            finally:
                loop.call_soon_threadsafe(stop.set)
            ended.result(SECONDS)

    return running


def play(websocket: Any) -> None:
    for message in MESSAGES:
        websocket.send(message)
        assert websocket.recv(timeout=10) == message
    websocket.send(["in ", "three ", "parts"])
    assert websocket.recv(timeout=10) == "in three parts"
    websocket.send("parts")
    assert websocket.recv(timeout=10) == "in three parts"
    assert websocket.ping().wait(5)
    websocket.send("ping")
    assert websocket.recv(timeout=10) == "pong"


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(embws_server, id="embws.sync"),
        pytest.param(websockets_server, id="websockets.sync"),
        pytest.param(in_loop(test_aio_peers.embws_server), id="embws.aio"),
        pytest.param(in_loop(test_aio_peers.websockets_server), id="websockets"),
        pytest.param(in_loop(test_aio_peers.aiohttp_server), id="aiohttp"),
        pytest.param(in_loop(test_aio_peers.picows_server), id="picows"),
    ],
)
def test_the_client_talks_to(server: Server, secure: bool) -> None:
    server_context, client_context = tls.both(secure)
    with server(server_context) as port:
        uri = tls.uri(secure, port)
        with connect(uri, ssl=client_context, max_size=SIZE) as websocket:
            play(websocket)
        assert websocket.close_code == 1000
        with connect(uri, ssl=client_context) as websocket:
            websocket.send("close")
            with pytest.raises(embws.ConnectionClosedError) as caught:
                websocket.recv(timeout=10)
            check_told(caught.value)
        with connect(uri, ssl=client_context) as websocket:
            websocket.close(*RESTART)
        assert websocket.close_code in (RESTART[0], 1000)


@contextlib.contextmanager
def websockets_connection(uri: str, context: Optional[ssl.SSLContext]) -> Iterator[Any]:
    client = pytest.importorskip("websockets.sync.client", reason="websockets is not installed")
    with contextlib.ExitStack() as stack:
        for attempts_left in reversed(range(5)):
            try:
                opening = client.connect(uri, ssl=context, max_size=SIZE, proxy=None, open_timeout=2)
                websocket = stack.enter_context(opening)
                break
            except TimeoutError:
                # Two of its threads use a TLS socket at once while it opens, and now and then its request is lost; to its
                # own server, too.
                if context is None or not attempts_left:
                    raise
        yield websocket


def websockets_sync_client(uri: str, context: Optional[ssl.SSLContext]) -> None:
    with websockets_connection(uri, context) as websocket:
        play(websocket)
    assert websocket.close_code == 1000
    closed = importlib.import_module("websockets.exceptions").ConnectionClosedError
    with websockets_connection(uri, context) as websocket:
        websocket.send("close")
        with pytest.raises(closed):
            websocket.recv(timeout=10)
    assert (websocket.close_code, websocket.close_reason) == LATER
    with websockets_connection(uri, context) as websocket:
        websocket.close(*RESTART)
    assert websocket.close_code == RESTART[0]


def of_asyncio(client: Callable[[str, Optional[ssl.SSLContext]], Coroutine[Any, Any, None]]) -> Callable[..., None]:
    return lambda uri, context: asyncio.run(asyncio.wait_for(client(uri, context), SECONDS))


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(websockets_sync_client, id="websockets.sync"),
        pytest.param(of_asyncio(test_aio_peers.embws_client), id="embws.aio"),
        pytest.param(of_asyncio(test_aio_peers.websockets_client), id="websockets"),
        pytest.param(of_asyncio(test_aio_peers.aiohttp_client), id="aiohttp"),
        pytest.param(of_asyncio(test_aio_peers.picows_client), id="picows"),
    ],
)
def test_the_server_talks_to(client: Callable[..., None], secure: bool) -> None:
    server_context, client_context = tls.both(secure)
    with embws_server(server_context) as port:
        client(tls.uri(secure, port), client_context)


@pytest.mark.parametrize("kind", ["embws.sync", "embws.aio"])
def test_a_server_talks_to_wsproto_on_a_bare_socket(kind: str) -> None:
    pytest.importorskip("wsproto", reason="wsproto is not installed")
    pytest.importorskip("websockets", reason="websockets is not installed")
    peers = importlib.import_module("test_peers")

    @contextlib.asynccontextmanager
    async def on_asyncio(context: None) -> AsyncIterator[int]:
        handler = test_aio_peers.echo
        async with embws.aio.serve(handler, "127.0.0.1", 0, max_size=SIZE, subprotocols=["chat"]) as server:
            yield next(iter(server.sockets)).getsockname()[1]

    running: ContextManager[int]
    if kind == "embws.sync":
        running = in_thread(serve(echo, "127.0.0.1", 0, max_size=SIZE, subprotocols=["chat"]))
    else:
        running = in_loop(on_asyncio)(None)  # type: ignore[arg-type]
    with running as port, socket.create_connection(("127.0.0.1", port), SECONDS) as sock:
        peer = peers.peer_of("wsproto", "client")

        def hear(count: int) -> "list[Any]":
            """Sends what wsproto has to say, and receives until it has heard so many messages and codes."""
            heard: "list[Any]" = []
            sock.sendall(peer.sent())
            while len(heard) < count:
                data = sock.recv(65536)
                assert data, heard
                heard += peer.receive(data)
                sock.sendall(peer.sent())
            return heard

        sock.sendall(peer.sent())
        while not peer.connection.state.name == "OPEN":  # it refuses to say anything before
            assert peer.receive(sock.recv(65536)) == []
        for message in MESSAGES:
            peer.say(message)
        assert hear(len(MESSAGES)) == MESSAGES
        for said, answer in ("parts", "in three parts"), ("ping", "pong"):
            peer.say(said)
            assert hear(1) == [answer]
        peer.close()
        assert hear(1) == [1001]
        assert sock.recv(1) == b""


@pytest.mark.parametrize("end", ["client", "server"])
def test_compression_that_websockets_offers_is_none(end: str) -> None:
    client = pytest.importorskip("websockets.sync.client", reason="websockets is not installed")
    server = pytest.importorskip("websockets.sync.server", reason="websockets is not installed")
    if end == "client":
        running: Any = serve(echo, "127.0.0.1", 0)
    else:
        running = server.serve(echo, "127.0.0.1", 0, compression="deflate")
    message = "compressible " * 1000
    with in_thread(running) as port:
        uri = f"ws://127.0.0.1:{port}/"
        opened: Any = client.connect(uri, compression="deflate", proxy=None) if end == "client" else connect(uri)
        with opened as websocket:
            assert ("Sec-WebSocket-Extensions" in websocket.request.headers) == (end == "client")
            assert "Sec-WebSocket-Extensions" not in websocket.response.headers
            websocket.send(message)
            assert websocket.recv(timeout=10) == message


def test_tls_is_used_by_two_threads_at_once() -> None:
    server_context, client_context = tls.contexts()
    with in_thread(serve(echo, "127.0.0.1", 0, ssl=server_context, max_size=SIZE)) as port:
        with connect(tls.uri(True, port), ssl=client_context, max_size=SIZE, max_queue=None) as websocket:

            def write() -> None:
                for i in range(200):
                    websocket.send(bytes([i]) * 20_000)

            thread = threading.Thread(target=write)
            thread.start()
            for i in range(200):
                assert websocket.recv(10) == bytes([i]) * 20_000
            thread.join(10)


def test_tls_checks_the_name() -> None:
    server_context, client_context = tls.contexts()
    with in_thread(serve(echo, "127.0.0.1", 0, ssl=server_context, max_size=SIZE)) as port:
        with connect(f"wss://localhost:{port}/", ssl=client_context) as websocket:
            play(websocket)
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(tls.uri(True, port), ssl=client_context, server_hostname="other.example")
