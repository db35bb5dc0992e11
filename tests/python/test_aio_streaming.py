"""embws.aio: messages that are received in parts."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, AsyncIterator, Awaitable, Callable, List, Tuple

import pytest
from test_aio_bounds import SECONDS, raw_client

import embws
from embws.aio import ServerConnection, connect, serve
from wire import BINARY, CONTINUATION, PING, REQUEST, TEXT, frame


@contextlib.asynccontextmanager
async def receiving(**settings: Any) -> AsyncIterator[Tuple[ServerConnection, Callable[..., Awaitable[None]]]]:
    """A server's connection, and what sends it bytes and returns when they have arrived."""
    ended = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        await ended.wait()

    async with raw_client(handler, **settings) as (reader, writer, connections):
        writer.write(REQUEST)
        await reader.readuntil(b"\r\n\r\n")

        async def send(*frames: bytes) -> None:
            writer.write(b"".join(frames) + frame(PING, b"there?"))
            await reader.readexactly(8)

        try:
            yield connections[0], send
        finally:
            ended.set()


def run(test: Callable[[], Any]) -> None:
    asyncio.run(asyncio.wait_for(test(), SECONDS))


def test_parts_are_given_as_they_come() -> None:
    async def main() -> None:
        async with receiving() as (connection, send):
            parts = connection.recv_streaming()
            await send(frame(TEXT, b"h\xc3", fin=False))
            assert await anext(parts) == "h"
            await send(frame(CONTINUATION, b"\xa9", fin=False), frame(CONTINUATION, b"", fin=False))
            assert await anext(parts) == "é"
            await send(frame(CONTINUATION, b"!"), frame(BINARY, b"next"))
            assert [part async for part in parts] == ["!"]
            assert await connection.recv() == b"next"

    run(main)


@pytest.mark.parametrize(
    ("opcode", "decode", "expected"),
    [(TEXT, None, "text"), (TEXT, False, b"text"), (BINARY, None, b"text"), (BINARY, True, "text")],
)
def test_parts_have_the_type_that_is_wanted(opcode: int, decode: Any, expected: Any) -> None:
    async def main() -> None:
        async with receiving() as (connection, send):
            await send(frame(opcode, b"text"))
            assert [part async for part in connection.recv_streaming(decode)] == [expected]
            parts = connection.recv_streaming(decode)
            await send(frame(opcode, b"te", fin=False))
            assert await anext(parts) == expected[:2]
            await send(frame(CONTINUATION, b"xt"))
            assert [part async for part in parts] == [expected[2:]]
            await send(frame(opcode, b""))
            assert [part async for part in connection.recv_streaming(decode)] == [expected[:0]]

    run(main)


def test_what_has_come_of_a_message_before_is_its_first_part() -> None:
    async def main() -> None:
        async with receiving() as (connection, send):
            await send(frame(TEXT, b"a", fin=False), frame(CONTINUATION, b"b", fin=False))
            parts = connection.recv_streaming()
            assert await anext(parts) == "ab"
            await send(frame(CONTINUATION, "é".encode()))
            assert [part async for part in parts] == ["é"]

    run(main)


def test_the_rest_of_a_message_that_is_left_early_is_passed_over() -> None:
    async def main() -> None:
        async with receiving() as (connection, send):
            await send(frame(TEXT, b"a", fin=False))
            async for part in connection.recv_streaming():
                assert part == "a"
                break
            await send(frame(CONTINUATION, b"b", fin=False), frame(CONTINUATION, b"c"), frame(TEXT, b"next"))
            assert await connection.recv() == "next"  # at once: the iterator has ended with the loop

    run(main)


@pytest.mark.parametrize("begun", [False, True])
def test_cancelling_before_the_first_part_loses_nothing(begun: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the first part has come, and the one that waits for it was not woken yet."""

    async def main() -> None:
        async with receiving() as (connection, send):
            parts = connection.recv_streaming()
            waiting = asyncio.ensure_future(anext(parts))
            await asyncio.sleep(0)
            if begun:
                wake = connection._wake_receiver
                monkeypatch.setattr(connection, "_wake_receiver", lambda: (wake(), waiting.cancel()))
                await send(frame(TEXT, b"a", fin=False))
            else:
                waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await send(*([] if begun else [frame(TEXT, b"a", fin=False)]), frame(CONTINUATION, b"b"))
            assert await connection.recv() == "ab"

    run(main)


def test_a_message_need_not_fit_into_memory() -> None:
    size = 32 << 20

    async def main() -> None:
        async def handler(connection: ServerConnection) -> None:
            await connection.send(bytes(size))
            await connection.send("behind")

        async with serve(handler, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}/", max_size=None, max_queue=4) as connection:
                parts = connection.recv_streaming()
                total, most = len(await anext(parts)), 0
                while not connection._full:
                    await asyncio.sleep(0)
                async for part in parts:
                    most = max(most, connection._waiting())
                    total += len(part)
                assert total == size and most < 20
                assert await connection.recv() == "behind"

    run(main)


def test_the_end_within_a_message_is_raised_behind_its_parts() -> None:
    async def main() -> None:
        begun = asyncio.Event()
        ended: "asyncio.Future[List[Any]]" = asyncio.get_running_loop().create_future()

        async def handler(connection: ServerConnection) -> None:
            got: List[Any] = []
            try:
                async for part in connection.recv_streaming():
                    got.append(part)
                    begun.set()
            except embws.ConnectionClosedError as error:
                got.append(error.code)
            ended.set_result(got)

        async with raw_client(handler) as (_, writer, _connections):
            writer.write(REQUEST + frame(TEXT, b"begun", fin=False))
            await begun.wait()
            writer.close()
            assert await ended == ["begun", 1006]

    run(main)


def test_max_size_limits_a_message_in_parts() -> None:
    async def main() -> None:
        async with receiving(max_size=1000) as (connection, send):
            await send(frame(BINARY, bytes(600), fin=False))
            parts = connection.recv_streaming()
            assert len(await anext(parts)) == 600
            with contextlib.suppress(asyncio.IncompleteReadError):
                await send(frame(CONTINUATION, bytes(600)))
            with pytest.raises(embws.ConnectionClosedError) as caught:
                await anext(parts)
            assert caught.value.sent_code == 1009

    run(main)


def test_data_that_is_no_text_is_an_error_and_passed_over() -> None:
    async def main() -> None:
        async with receiving() as (connection, send):
            await send(frame(BINARY, b"a\xff", fin=False))
            with pytest.raises(UnicodeDecodeError):
                async for _ in connection.recv_streaming(decode=True):
                    pass
            await send(frame(CONTINUATION, b"c"), frame(TEXT, b"next"))
            assert await connection.recv() == "next"

    run(main)


def test_nobody_else_receives_within_a_message() -> None:
    async def main() -> None:
        async with receiving() as (connection, send):
            await send(frame(TEXT, b"a", fin=False))
            parts = connection.recv_streaming()
            assert await anext(parts) == "a"
            with pytest.raises(embws.ConcurrencyError):
                await connection.recv()
            with pytest.raises(embws.ConcurrencyError):
                await anext(connection.recv_streaming())
            with pytest.raises(embws.ConcurrencyError):
                await anext(connection)
            await send(frame(CONTINUATION, b"b"))
            assert [part async for part in parts] == ["b"]

    run(main)


def test_a_message_that_was_left_is_not_the_next_one() -> None:
    async def main() -> None:
        async with receiving() as (connection, send):
            await send(frame(TEXT, b"A1", fin=False))
            async for part in connection.recv_streaming():
                assert part == "A1"
                break
            parts = connection.recv_streaming()
            first = asyncio.ensure_future(anext(parts))
            await asyncio.sleep(0)
            for piece in (frame(CONTINUATION, b"A2", fin=False), frame(CONTINUATION, b"A3"), frame(TEXT, b"B")):
                await send(piece)
            assert await first == "B"
            assert [part async for part in parts] == []
            await send(frame(TEXT, b"C"))
            assert await connection.recv() == "C"

    run(main)


@pytest.mark.parametrize("begin", [b"", b"\xc3"])
def test_cancelling_behind_parts_that_have_nothing_to_show_loses_nothing(begin: bytes) -> None:
    async def main() -> None:
        async with receiving() as (connection, send):
            parts = connection.recv_streaming()
            waiting = asyncio.ensure_future(anext(parts))
            await send(frame(TEXT, begin, fin=False))
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await send(frame(CONTINUATION, "é".encode()[len(begin) :] + b"!"))
            assert await connection.recv() == "é!"

    run(main)


def test_data_that_is_no_text_is_passed_over_with_all_that_came_at_once() -> None:
    async def main() -> None:
        async with receiving() as (connection, send):
            parts = connection.recv_streaming(decode=True)
            waiting = asyncio.ensure_future(anext(parts))
            await asyncio.sleep(0)
            rest = [frame(CONTINUATION, b"1", fin=False), frame(CONTINUATION, b"2"), frame(TEXT, b"next")]
            await send(frame(BINARY, b"\xff", fin=False), *rest)
            with pytest.raises(UnicodeDecodeError):
                await waiting
            assert await connection.recv() == "next"

    run(main)
