"""embws.aio against other implementations, both ways, on asyncio's event loop and uvloop, with TLS and without."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from asyncio.trsock import TransportSocket
from typing import Any, AsyncIterator, Coroutine, Dict, Optional

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


#: What a server closes with that is asked to, and what a client closes with that has a reason.
LATER, RESTART = (1013, "later"), (1012, "restart")


async def echo(websocket: Any) -> None:
    """Sends back what comes, and does what it is asked for."""
    async for message in websocket:
        if message == "parts":
            await websocket.send(["in ", "three ", "parts"])
        elif message == "ping":
            await (await websocket.ping())
            await websocket.send("pong")
        elif message == "close":
            await websocket.close(*LATER)
            return
        else:
            await websocket.send(message)


# -- Servers that echo, of each implementation ------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def embws_server(context: Optional[ssl.SSLContext]) -> AsyncIterator[int]:
    closes = {}

    async def handler(websocket: ServerConnection) -> None:
        try:
            await echo(websocket)
        finally:
            closes[websocket.close_code] = websocket.close_reason

    async with serve(handler, "127.0.0.1", 0, ssl=context, max_size=SIZE) as server:
        yield next(iter(server.sockets)).getsockname()[1]
    check_closes(closes)


def check_closes(closes: "Dict[Optional[int], Optional[str]]") -> None:
    """What a server was told at the ends of the three connections that a client makes. Where it has closed itself, its own
    code comes back, or 1000, which aiohttp answers to whatever it gets."""
    assert {1000, RESTART[0]} <= set(closes) <= {1000, RESTART[0], LATER[0]} and closes[RESTART[0]] == RESTART[1], (
        closes
    )


@contextlib.asynccontextmanager
async def websockets_server(context: Optional[ssl.SSLContext]) -> AsyncIterator[int]:
    server = pytest.importorskip("websockets.asyncio.server", reason="websockets is not installed")
    closes = {}

    async def handler(websocket: Any) -> None:
        try:
            await echo(websocket)
        finally:
            closes[websocket.close_code] = websocket.close_reason

    async with server.serve(handler, "127.0.0.1", 0, ssl=context, max_size=SIZE) as running:
        yield running.sockets[0].getsockname()[1]
    check_closes(closes)


@contextlib.asynccontextmanager
async def aiohttp_server(context: Optional[ssl.SSLContext]) -> AsyncIterator[int]:
    web = pytest.importorskip("aiohttp.web", reason="aiohttp is not installed")
    codes = []

    async def handler(request: Any) -> Any:
        websocket = web.WebSocketResponse(max_msg_size=SIZE, autoping=False)  # or it would not show the Pong
        await websocket.prepare(request)
        async for message in websocket:
            if message.type == web.WSMsgType.PING:
                await websocket.pong(message.data)
            elif message.type == web.WSMsgType.PONG:
                await websocket.send_str(message.data.decode())
            elif message.data == "parts":  # which it cannot send
                await websocket.send_str("in three parts")
            elif message.data == "ping":
                await websocket.ping(b"pong")
            elif message.data == "close":
                await websocket.close(code=LATER[0], message=LATER[1].encode())
            elif message.type == web.WSMsgType.TEXT:
                await websocket.send_str(message.data)
            else:
                await websocket.send_bytes(message.data)
        codes.append(websocket.close_code)
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
    assert sorted(codes) == [1000, RESTART[0], LATER[0]]


@contextlib.asynccontextmanager
async def picows_server(context: Optional[ssl.SSLContext]) -> AsyncIterator[int]:
    picows = pytest.importorskip("picows", reason="picows is not installed")
    kinds, closes = picows.WSMsgType, {}

    class Echo(picows.WSListener):  # type: ignore[name-defined, misc]
        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            payload = frame.get_payload_as_bytes()
            if frame.msg_type == kinds.CLOSE:
                closes[frame.get_close_code().value] = frame.get_close_reason()
                if not transport.is_close_frame_sent:
                    transport.send_close(frame.get_close_code())
                transport.disconnect()
            elif frame.msg_type == kinds.PONG:
                transport.send(kinds.TEXT, payload)
            elif frame.msg_type == kinds.TEXT and payload == b"parts":
                transport.send(kinds.TEXT, b"in ", fin=False)
                transport.send(kinds.CONTINUATION, b"three ", fin=False)
                transport.send(kinds.CONTINUATION, b"parts")
            elif payload == b"ping":
                transport.send_ping(b"pong")
            elif payload == b"close":
                transport.send_close(picows.WSCloseCode(LATER[0]), LATER[1].encode())
            else:
                transport.send(frame.msg_type, payload, frame.fin)

    server = await picows.ws_create_server(
        lambda request: Echo(), "127.0.0.1", 0, ssl=context, websocket_handshake_timeout=5, max_frame_size=SIZE
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
    check_closes(closes)


# -- Clients of each implementation. Each makes three connections, which end in the three ways. ------------------------


async def play(websocket: Any) -> None:
    for message in MESSAGES:
        await websocket.send(message)
        assert await websocket.recv() == message
    await websocket.send(["in ", "three ", "parts"])
    assert await websocket.recv() == "in three parts"
    await websocket.send("parts")
    assert await websocket.recv() == "in three parts"
    assert await (await websocket.ping()) >= 0
    await websocket.send("ping")
    assert await websocket.recv() == "pong"


async def embws_client(uri: str, context: Optional[ssl.SSLContext]) -> None:
    async with connect(uri, ssl=context, max_size=SIZE) as websocket:
        await play(websocket)
    assert websocket.close_code == 1000
    async with connect(uri, ssl=context) as websocket:
        await websocket.send("close")
        with pytest.raises(embws.ConnectionClosedError) as caught:
            await websocket.recv()
        check_told(caught.value)
    async with connect(uri, ssl=context) as websocket:
        await websocket.close(*RESTART)
    assert websocket.close_code in (RESTART[0], 1000)


def check_told(told: embws.ConnectionClosed) -> None:
    """What an end of embws knows after the other has closed."""
    assert told.rcvd == LATER and told.sent is not None and told.sent.code == LATER[0] and told.rcvd_then_sent


async def websockets_client(uri: str, context: Optional[ssl.SSLContext]) -> None:
    client = pytest.importorskip("websockets.asyncio.client", reason="websockets is not installed")
    async with client.connect(uri, ssl=context, max_size=SIZE, proxy=None) as websocket:
        await play(websocket)
    assert websocket.close_code == 1000
    async with client.connect(uri, ssl=context, proxy=None) as websocket:
        await websocket.send("close")
        await websocket.wait_closed()
    assert (websocket.close_code, websocket.close_reason) == LATER
    async with client.connect(uri, ssl=context, proxy=None) as websocket:
        await websocket.close(*RESTART)
    assert websocket.close_code == RESTART[0]


async def aiohttp_client(uri: str, context: Optional[ssl.SSLContext]) -> None:
    aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    sockets: "list[Any]" = []
    settings = {"ssl": context or True, "max_msg_size": SIZE}
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(uri, **settings) as websocket:
            sockets.append(websocket.get_extra_info("socket"))
            for message in MESSAGES:
                await (websocket.send_str if isinstance(message, str) else websocket.send_bytes)(message)
                assert (await websocket.receive()).data == message
            await websocket.send_str("parts")
            assert (await websocket.receive()).data == "in three parts"
            await websocket.send_str("ping")  # it answers while it receives
            assert (await websocket.receive()).data == "pong"
        assert websocket.close_code == 1000
        async with session.ws_connect(uri, autoping=False, **settings) as websocket:
            sockets.append(websocket.get_extra_info("socket"))
            await websocket.ping(b"there?")
            assert await websocket.receive() == (aiohttp.WSMsgType.PONG, b"there?", "")
            await websocket.send_str("close")
            assert await websocket.receive() == (aiohttp.WSMsgType.CLOSE, *LATER)
        async with session.ws_connect(uri, **settings) as websocket:
            sockets.append(websocket.get_extra_info("socket"))
            await websocket.close(code=RESTART[0], message=RESTART[1].encode())
        assert websocket.close_code == RESTART[0]
    # TLS ends after that, and so must the event loop. (A socket of uvloop does not tell.)
    while any(sock.fileno() >= 0 for sock in sockets if isinstance(sock, TransportSocket)):
        await asyncio.sleep(0.01)


async def picows_client(uri: str, context: Optional[ssl.SSLContext]) -> None:
    picows = pytest.importorskip("picows", reason="picows is not installed")
    kinds = picows.WSMsgType

    class Listener(picows.WSListener):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            self.received: "asyncio.Queue[Any]" = asyncio.Queue()
            self.parts = b""

        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            if frame.msg_type == kinds.CLOSE:
                self.received.put_nowait((frame.get_close_code().value, frame.get_close_reason()))
                if not transport.is_close_frame_sent:
                    transport.send_close(frame.get_close_code())
                transport.disconnect()
                return
            self.parts += frame.get_payload_as_bytes()
            if frame.fin:
                self.received.put_nowait((frame.msg_type, self.parts) if frame.msg_type == kinds.PONG else self.parts)
                self.parts = b""

    async def connected() -> "tuple[Any, Any]":
        transport, listener = await picows.ws_connect(Listener, uri, ssl_context=context, max_frame_size=SIZE)
        return transport, listener.received

    transport, received = await connected()
    for message in MESSAGES:
        data = message.encode() if isinstance(message, str) else message
        transport.send(kinds.TEXT if isinstance(message, str) else kinds.BINARY, data)
        assert await received.get() == data
    transport.send(kinds.TEXT, b"in ", fin=False)
    transport.send(kinds.CONTINUATION, b"two")
    assert await received.get() == b"in two"
    transport.send(kinds.TEXT, b"parts")
    assert await received.get() == b"in three parts"
    transport.send_ping(b"there?")
    assert await received.get() == (kinds.PONG, b"there?")
    transport.send(kinds.TEXT, b"ping")  # it answers by itself
    assert await received.get() == b"pong"
    transport.send_close(picows.WSCloseCode.OK)
    assert (await received.get())[0] == 1000
    await transport.wait_disconnected()
    transport, received = await connected()
    transport.send(kinds.TEXT, b"close")
    assert await received.get() == LATER
    await transport.wait_disconnected()
    transport, received = await connected()
    transport.send_close(picows.WSCloseCode(RESTART[0]), RESTART[1].encode())
    assert (await received.get())[0] == RESTART[0]
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


@pytest.mark.parametrize("end", ["client", "server"])
def test_compression_that_websockets_offers_is_none(loop_factory: Any, end: str) -> None:
    client = pytest.importorskip("websockets.asyncio.client", reason="websockets is not installed")
    server = pytest.importorskip("websockets.asyncio.server", reason="websockets is not installed")
    message = "compressible " * 1000

    async def main() -> None:
        serving: Any = serve if end == "client" else server.serve
        async with serving(echo, "127.0.0.1", 0, **({} if end == "client" else {"compression": "deflate"})) as running:
            uri = f"ws://127.0.0.1:{next(iter(running.sockets)).getsockname()[1]}/"
            opened: Any = client.connect(uri, compression="deflate", proxy=None) if end == "client" else connect(uri)
            async with opened as websocket:
                assert ("Sec-WebSocket-Extensions" in websocket.request.headers) == (end == "client")
                assert "Sec-WebSocket-Extensions" not in websocket.response.headers
                await websocket.send(message)
                assert await websocket.recv() == message

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


@pytest.mark.parametrize("limit", [None, 2**40])
def test_a_write_limit_may_be_as_large_as_one_likes(limit: Any, loop_factory: Any) -> None:
    async def main() -> None:
        async with serve(echo, "127.0.0.1", 0, write_limit=limit) as server:
            port = server.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}/", write_limit=limit) as websocket:
                await websocket.send("x")
                assert await websocket.recv() == "x"

    run(loop_factory, main())


def test_a_write_limit_of_nothing_is_one_that_can_be_kept(loop_factory: Any, secure: bool) -> None:
    """With 0, each send() waits until all has left: and then goes on."""

    async def main() -> None:
        server_context, client_context = tls.both(secure)
        async with serve(echo, "127.0.0.1", 0, ssl=server_context, write_limit=0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with connect(tls.uri(secure, port), ssl=client_context, write_limit=0) as websocket:
                for count in (1, 2, 3, 1):
                    for size in (1, 100_000):
                        for _ in range(count):
                            await websocket.send(bytes(size))
                        for _ in range(count):
                            assert await websocket.recv() == bytes(size)
                        assert await (await websocket.ping()) > 0

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
