"""embws.aio against other implementations, both ways, on asyncio's event loop and uvloop, with TLS and without."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any, AsyncIterator, Coroutine, Optional

import pytest

import embws
import tls
from embws.aio import ServerConnection, connect, serve

MESSAGES: "list[str | bytes]" = ["text", "é" * 50_000, b"", b"\x00" * 125, bytes(range(256)) * 4096]
SIZE = 4 * 2**20


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_factory(request: pytest.FixtureRequest) -> Any:
    if request.param == "asyncio":
        return None
    return pytest.importorskip("uvloop", reason="uvloop is not installed").new_event_loop


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def secure(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def run(loop_factory: Any, coroutine: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await coroutine

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(bounded())


async def echo(websocket: Any) -> None:
    async for message in websocket:
        await websocket.send(message)


# -- Servers that echo, of each implementation ------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def embws_server(context: Optional[ssl.SSLContext]) -> AsyncIterator[int]:
    codes = []

    async def handler(websocket: ServerConnection) -> None:
        await echo(websocket)
        codes.append(websocket.close_code)

    async with serve(handler, "127.0.0.1", 0, ssl=context, max_size=SIZE) as server:
        yield next(iter(server.sockets)).getsockname()[1]
    assert codes == [1000]


@contextlib.asynccontextmanager
async def websockets_server(context: Optional[ssl.SSLContext]) -> AsyncIterator[int]:
    server = pytest.importorskip("websockets.asyncio.server", reason="websockets is not installed")
    async with server.serve(echo, "127.0.0.1", 0, ssl=context, max_size=SIZE) as running:
        yield running.sockets[0].getsockname()[1]


@contextlib.asynccontextmanager
async def aiohttp_server(context: Optional[ssl.SSLContext]) -> AsyncIterator[int]:
    web = pytest.importorskip("aiohttp.web", reason="aiohttp is not installed")

    async def handler(request: Any) -> Any:
        websocket = web.WebSocketResponse(max_msg_size=SIZE)
        await websocket.prepare(request)
        async for message in websocket:
            await (websocket.send_str if message.type == web.WSMsgType.TEXT else websocket.send_bytes)(message.data)
        return websocket

    application = web.Application()
    application.router.add_get("/", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def picows_server(context: Optional[ssl.SSLContext]) -> AsyncIterator[int]:
    picows = pytest.importorskip("picows", reason="picows is not installed")

    class Echo(picows.WSListener):  # type: ignore[name-defined, misc]
        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            if frame.msg_type == picows.WSMsgType.CLOSE:
                transport.send_close(frame.get_close_code())
                transport.disconnect()
            elif frame.msg_type == picows.WSMsgType.PING:
                transport.send_pong(frame.get_payload_as_bytes())
            else:
                transport.send(frame.msg_type, frame.get_payload_as_bytes(), frame.fin)

    server = await picows.ws_create_server(
        lambda request: Echo(), "127.0.0.1", 0, ssl=context, websocket_handshake_timeout=5, max_frame_size=SIZE
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


# -- Clients that play MESSAGES, of each implementation ---------------------------------------------------------------


async def embws_client(uri: str, context: Optional[ssl.SSLContext]) -> None:
    async with connect(uri, ssl=context, max_size=SIZE) as websocket:
        for message in MESSAGES:
            await websocket.send(message)
            assert await websocket.recv() == message
        await websocket.send(["in ", "three ", "parts"])
        assert await websocket.recv() == "in three parts"
        assert await (await websocket.ping()) > 0
    assert websocket.close_code == 1000


async def websockets_client(uri: str, context: Optional[ssl.SSLContext]) -> None:
    client = pytest.importorskip("websockets.asyncio.client", reason="websockets is not installed")
    async with client.connect(uri, ssl=context, max_size=SIZE, proxy=None) as websocket:
        for message in MESSAGES:
            await websocket.send(message)
            assert await websocket.recv() == message
        await websocket.send(["in ", "three ", "parts"])
        assert await websocket.recv() == "in three parts"
        assert await (await websocket.ping()) >= 0
    assert websocket.close_code == 1000


async def aiohttp_client(uri: str, context: Optional[ssl.SSLContext]) -> None:
    aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(uri, ssl=context or True, max_msg_size=SIZE) as websocket:
            for message in MESSAGES:
                await (websocket.send_str if isinstance(message, str) else websocket.send_bytes)(message)
                assert (await websocket.receive()).data == message
        assert websocket.close_code == 1000


async def picows_client(uri: str, context: Optional[ssl.SSLContext]) -> None:
    picows = pytest.importorskip("picows", reason="picows is not installed")
    received: "asyncio.Queue[bytes]" = asyncio.Queue()

    class Listener(picows.WSListener):  # type: ignore[name-defined, misc]
        parts = b""

        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            if frame.msg_type == picows.WSMsgType.CLOSE:
                transport.disconnect()
                return
            self.parts += frame.get_payload_as_bytes()
            if frame.fin:
                received.put_nowait(self.parts)
                self.parts = b""

    transport, _ = await picows.ws_connect(Listener, uri, ssl_context=context, max_frame_size=SIZE)
    for message in MESSAGES:
        data = message.encode() if isinstance(message, str) else message
        transport.send(picows.WSMsgType.TEXT if isinstance(message, str) else picows.WSMsgType.BINARY, data)
        assert await received.get() == data
    transport.send_close(picows.WSCloseCode.OK)
    await transport.wait_disconnected()


@pytest.mark.parametrize("server", [embws_server, websockets_server, aiohttp_server, picows_server])
def test_the_client_talks_to(server: Any, loop_factory: Any, secure: bool) -> None:
    async def main() -> None:
        server_context, client_context = tls.both(secure)
        async with server(server_context) as port:
            await embws_client(tls.uri(secure, port), client_context)

    run(loop_factory, main())


@pytest.mark.parametrize("client", [websockets_client, aiohttp_client, picows_client])
def test_the_server_talks_to(client: Any, loop_factory: Any, secure: bool) -> None:
    async def main() -> None:
        server_context, client_context = tls.both(secure)
        async with embws_server(server_context) as port:
            await client(tls.uri(secure, port), client_context)

    run(loop_factory, main())


def test_tls_checks_the_name(loop_factory: Any) -> None:
    async def main() -> None:
        server_context, client_context = tls.contexts()
        async with serve(echo, "127.0.0.1", 0, ssl=server_context) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with connect(f"wss://localhost:{port}/", ssl=client_context, host="127.0.0.1") as websocket:
                await websocket.send("checked")
                assert await websocket.recv() == "checked"
            with pytest.raises(ssl.SSLCertVerificationError):
                await connect(f"wss://127.0.0.1:{port}/", ssl=client_context, server_hostname="other.example")
            with pytest.raises(ssl.SSLCertVerificationError):
                await connect(f"wss://127.0.0.1:{port}/")  # the default context does not know the authority

    run(loop_factory, main())


def test_back_pressure_holds(loop_factory: Any, secure: bool) -> None:
    async def main() -> None:
        server_context, client_context = tls.both(secure)
        gate = asyncio.Event()

        async def handler(websocket: ServerConnection) -> None:
            await gate.wait()
            async for message in websocket:
                assert len(message) == 100_000
            assert websocket.close_code == 1000

        async with serve(handler, "127.0.0.1", 0, ssl=server_context, max_queue=2) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with connect(tls.uri(secure, port), ssl=client_context) as websocket:

                async def flood() -> None:
                    for _ in range(400):
                        await websocket.send(bytes(100_000))

                task = asyncio.create_task(flood())
                await asyncio.sleep(0.2)
                assert not task.done(), "40 MB left without anybody reading"
                gate.set()
                await task

    run(loop_factory, main())


def test_a_violation_is_told(loop_factory: Any, secure: bool) -> None:
    async def main() -> None:
        server_context, client_context = tls.both(secure)
        async with serve(echo, "127.0.0.1", 0, ssl=server_context, max_size=100) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with connect(tls.uri(secure, port), ssl=client_context) as websocket:
                await websocket.send("x" * 101)
                with pytest.raises(embws.ConnectionClosedError) as caught:
                    await websocket.recv()
                assert caught.value.code == 1009

    run(loop_factory, main())
