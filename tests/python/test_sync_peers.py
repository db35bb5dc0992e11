"""embws.sync against websockets.sync and embws.aio, both ways, with TLS and without."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from typing import Any, Callable, Iterator, Optional

import pytest

import embws.aio
import tls
from embws.sync import connect, serve

MESSAGES = ["text", "é" * 50_000, b"", b"\x00" * 125, bytes(range(256)) * 4096]
SIZE = 4 * 2**20


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def secure(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def echo(websocket: Any) -> None:
    for message in websocket:
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


def embws_server(context: Optional[ssl.SSLContext]) -> Any:
    return in_thread(serve(echo, "127.0.0.1", 0, ssl=context, max_size=SIZE))


def websockets_server(context: Optional[ssl.SSLContext]) -> Any:
    server = pytest.importorskip("websockets.sync.server", reason="websockets is not installed")
    return in_thread(server.serve(echo, "127.0.0.1", 0, ssl=context, max_size=SIZE))


@contextlib.contextmanager
def asyncio_server(context: Optional[ssl.SSLContext]) -> Iterator[int]:
    ready: "list[Any]" = []
    started = threading.Event()

    async def handler(websocket: embws.aio.ServerConnection) -> None:
        async for message in websocket:
            await websocket.send(message)

    async def main() -> None:
        async with embws.aio.serve(handler, "127.0.0.1", 0, ssl=context, max_size=SIZE) as server:
            stop = asyncio.Event()
            ready.extend((next(iter(server.sockets)).getsockname()[1], asyncio.get_running_loop(), stop))
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert started.wait(10)
    yield ready[0]
    ready[1].call_soon_threadsafe(ready[2].set)
    thread.join(10)
    assert not thread.is_alive()


def play(websocket: Any) -> None:
    for message in MESSAGES:
        websocket.send(message)
        assert websocket.recv(timeout=10) == message
    websocket.send(["in ", "three ", "parts"])
    assert websocket.recv(timeout=10) == "in three parts"
    assert websocket.ping().wait(5)


@pytest.mark.parametrize("server", [embws_server, websockets_server, asyncio_server])
def test_the_client_talks_to(server: Callable[[Any], Any], secure: bool) -> None:
    server_context, client_context = tls.both(secure)
    with server(server_context) as port:
        with connect(tls.uri(secure, port), ssl=client_context, max_size=SIZE) as websocket:
            play(websocket)
        assert websocket.close_code == 1000


def test_the_server_talks_to_websockets(secure: bool) -> None:
    client = pytest.importorskip("websockets.sync.client", reason="websockets is not installed")
    server_context, client_context = tls.both(secure)
    with embws_server(server_context) as port:
        with client.connect(tls.uri(secure, port), ssl=client_context, max_size=SIZE, proxy=None) as websocket:
            play(websocket)
        assert websocket.close_code == 1000


def test_tls_is_used_by_two_threads_at_once() -> None:
    server_context, client_context = tls.contexts()
    with embws_server(server_context) as port:
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
    with embws_server(server_context) as port:
        with connect(f"wss://localhost:{port}/", ssl=client_context) as websocket:
            play(websocket)
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(tls.uri(True, port), ssl=client_context, server_hostname="other.example")
