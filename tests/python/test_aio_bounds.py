"""What a peer can make an asyncio server keep is bounded, and what a handler does wrong ends its connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from typing import Any, AsyncIterator, Awaitable, Callable, List, Tuple

import pytest

from embws import ConnectionClosed
from embws.aio import ServerConnection, serve
from wire import BINARY, PING, REQUEST, frame

SECONDS = 20

Handler = Callable[[ServerConnection], Awaitable[None]]


@contextlib.asynccontextmanager
async def raw_client(
    handler: Handler, **settings: Any
) -> AsyncIterator[Tuple[asyncio.StreamReader, asyncio.StreamWriter, List[ServerConnection]]]:
    """A server, and a peer of it that speaks bytes."""
    connections: List[ServerConnection] = []

    async def noted(connection: ServerConnection) -> None:
        connections.append(connection)
        await handler(connection)

    async with serve(noted, "127.0.0.1", 0, ping_interval=None, close_timeout=0.2, **settings) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**10)
        try:
            yield reader, writer, connections
        finally:
            writer.transport.abort()


async def flood(writer: asyncio.StreamWriter, data: bytes, seconds: float = 1.0) -> int:
    """Sends the same bytes again and again for a while, as far as they are taken; returns how many."""
    sent = 0
    with contextlib.suppress(asyncio.TimeoutError, ConnectionError):
        async with asyncio.timeout(seconds):
            while sent < 200 << 20:
                writer.write(data)
                await writer.drain()
                sent += len(data)
    return sent


def test_what_follows_a_request_that_is_looked_at_is_not_read() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def process_request(connection: ServerConnection, request: object) -> None:
            await release.wait()

        async def handler(connection: ServerConnection) -> None:
            assert await connection.recv() == b"x" * 1000

        async with raw_client(handler, process_request=process_request) as (reader, writer, _):
            writer.write(REQUEST)
            await asyncio.sleep(0.1)
            sent = await flood(writer, frame(BINARY, b"x" * 1000) * 100)
            assert sent < 20 << 20, "the server has read on"
            release.set()
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")

    asyncio.run(asyncio.wait_for(main(), SECONDS))


def test_a_peer_that_pings_and_does_not_read_is_not_read_from() -> None:
    async def main() -> None:
        async def handler(connection: ServerConnection) -> None:
            async for _ in connection:
                pass

        async with raw_client(handler) as (reader, writer, connections):
            writer.write(REQUEST)
            await reader.readuntil(b"\r\n\r\n")
            sent = await flood(writer, frame(PING, b"p" * 125) * 500)
            assert sent < 50 << 20, "the server has read on"
            assert connections[0].transport.get_write_buffer_size() < 4 << 20

    asyncio.run(asyncio.wait_for(main(), SECONDS))


def test_messages_in_between_do_not_make_it_read_from_again() -> None:
    """Where there are more than max_queue messages, each that is received lets the queue shrink, which is no reason to read
    on."""

    async def main() -> None:
        async def handler(connection: ServerConnection) -> None:
            async for _ in connection:
                pass

        async with raw_client(handler) as (reader, writer, _):
            writer.write(REQUEST)
            await reader.readuntil(b"\r\n\r\n")
            sent = await flood(writer, frame(PING, b"p" * 125) * 100 + frame(BINARY, b"message") * 20)
        assert sent < 30 << 20, f"{sent} bytes of Pings were taken, whose answers nobody reads"

    asyncio.run(asyncio.wait_for(main(), SECONDS))


def test_send_waits_also_while_messages_are_queued() -> None:
    async def main() -> None:
        served: "asyncio.Future[ServerConnection]" = asyncio.get_running_loop().create_future()

        async def handler(connection: ServerConnection) -> None:
            served.set_result(connection)
            async for _ in connection:
                await connection.send(bytes(60_000))
                await asyncio.sleep(0)

        async with raw_client(handler, write_limit=2**15) as (reader, writer, _):
            writer.write(REQUEST)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(frame(BINARY, b"x") * 3000)
            transport, peak = (await served).transport, 0
            for _round in range(200):
                peak = max(peak, transport.get_write_buffer_size())
                await asyncio.sleep(0.005)
        assert 2**15 < peak < 1 << 20

    asyncio.run(asyncio.wait_for(main(), SECONDS))


@pytest.mark.parametrize("size", [100, 1000, 65536])
def test_a_peer_that_resets_the_connection_does_not_hold_the_event_loop(size: int) -> None:
    """The transport's end is told by the loop, which must come to it however much a handler sends."""

    async def main() -> None:
        ended: "asyncio.Queue[BaseException]" = asyncio.Queue()

        async def handler(connection: ServerConnection) -> None:
            try:
                while True:
                    await connection.send(bytes(size))
            except ConnectionClosed as error:
                ended.put_nowait(error)

        for _ in range(10):
            async with raw_client(handler) as (reader, writer, _connections):
                writer.write(REQUEST)
                await reader.readuntil(b"\r\n\r\n")
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                assert isinstance(await ended.get(), ConnectionClosed)

    asyncio.run(asyncio.wait_for(main(), SECONDS))


def test_pings_of_a_peer_that_does_not_read_are_bounded_without_a_write_limit_too() -> None:
    async def main() -> None:
        async def handler(connection: ServerConnection) -> None:
            async for _ in connection:
                pass

        async with raw_client(handler, write_limit=None) as (reader, writer, connections):
            writer.write(REQUEST)
            await reader.readuntil(b"\r\n\r\n")
            await flood(writer, frame(PING, b"p" * 125) * 500)
            assert connections[0].transport.get_write_buffer_size() < 4 << 20

    asyncio.run(asyncio.wait_for(main(), SECONDS))


def test_without_a_write_limit_send_does_not_wait() -> None:
    async def main() -> None:
        sent = asyncio.Event()

        async def handler(connection: ServerConnection) -> None:
            for _ in range(100):
                await connection.send(bytes(200_000))
            sent.set()

        async with raw_client(handler, write_limit=None) as (_reader, writer, _connections):
            writer.write(REQUEST)  # and nothing is read
            await sent.wait()

    asyncio.run(asyncio.wait_for(main(), SECONDS))


def test_a_refused_client_that_stays_does_not_hold_the_end_of_the_server() -> None:
    async def main() -> None:
        async def handler(connection: ServerConnection) -> None:
            raise AssertionError("it was refused")

        async with serve(
            handler, "127.0.0.1", 0, origins=["https://example.com"], close_timeout=None, open_timeout=None
        ) as server:
            reader, writer = await asyncio.open_connection(*next(iter(server.sockets)).getsockname())
            writer.write(REQUEST)
            assert (await reader.readline()).startswith(b"HTTP/1.1 403 ")
        writer.transport.abort()

    asyncio.run(asyncio.wait_for(main(), SECONDS))


def test_a_handler_that_ends_cancelled_ends_its_connection() -> None:
    async def main() -> None:
        async def handler(connection: ServerConnection) -> None:
            raise asyncio.CancelledError

        async with raw_client(handler) as (reader, writer, _):
            writer.write(REQUEST)
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(4) == b"\x88\x02\x03\xf3"

    asyncio.run(asyncio.wait_for(main(), SECONDS))


def test_a_client_is_answered_though_what_process_request_awaited_was_cancelled() -> None:
    async def main() -> None:
        async def process_request(connection: ServerConnection, request: object) -> None:
            task = asyncio.ensure_future(asyncio.sleep(SECONDS))
            asyncio.get_running_loop().call_soon(task.cancel)
            await task

        async def handler(connection: ServerConnection) -> None:
            raise AssertionError("it was refused")

        async with raw_client(handler, process_request=process_request) as (reader, writer, _):
            writer.write(REQUEST)
            assert (await reader.readline()).startswith(b"HTTP/1.1 500 ")

    asyncio.run(asyncio.wait_for(main(), SECONDS))


def test_a_peer_that_vanishes_is_no_failure_of_the_handler(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async def handler(connection: ServerConnection) -> None:
            async for _ in connection:
                pass

        async with raw_client(handler) as (reader, writer, connections):
            writer.write(REQUEST)
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
            await connections[0].wait_closed()
            while connections[0].server._tasks:
                await asyncio.sleep(0)

    with caplog.at_level(logging.INFO, "embws"):
        asyncio.run(asyncio.wait_for(main(), SECONDS))
    assert [record.levelname for record in caplog.records if "closed: no close frame" in record.message] == ["INFO"]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
