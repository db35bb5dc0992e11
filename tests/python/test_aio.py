"""embws.aio: what its connections do, by themselves and against bytes written by hand."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
import weakref
from typing import Any, AsyncIterator, Awaitable, Callable, Coroutine, Iterator, List, Tuple, TypeVar

import pytest

import embws
import wire
from embws.aio import ClientConnection, Server, ServerConnection, broadcast, connect, serve, unix_connect, unix_serve

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T], timeout: float = 30) -> T:
    """Runs a test, for so many seconds at most; tasks that it leaves behind are a failure."""

    async def bounded() -> T:
        async with asyncio.timeout(timeout):
            result = await coroutine
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        if rest:
            _, rest = await asyncio.wait(rest, timeout=2)
        assert not rest, f"tasks left behind: {rest}"
        return result

    return asyncio.run(bounded())


async def echo(websocket: ServerConnection) -> None:
    async for message in websocket:
        await websocket.send(message)


def address(server: Server) -> str:
    port = next(iter(server.sockets)).getsockname()[1]
    return f"ws://127.0.0.1:{port}/"


@contextlib.asynccontextmanager
async def pair(
    handler: Callable[[ServerConnection], Awaitable[None]] = echo, client: Any = None, **arguments: Any
) -> AsyncIterator[ClientConnection]:
    async with serve(handler, "127.0.0.1", 0, **arguments) as server:
        async with connect(address(server), **(client or {})) as websocket:
            yield websocket


@contextlib.asynccontextmanager
async def raw_server(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], behind: bytes = b""
) -> AsyncIterator[str]:
    """A server of bytes: it answers the handshake, with further bytes behind the head, and then does as told."""

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            protocol = embws.ServerProtocol()
            protocol.receive_data(head)
            assert isinstance(next(iter(protocol.events())), embws.Request)
            protocol.accept()
            writer.write(protocol.data_to_send() + behind)
            await talk(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        await server.wait_closed()


async def raw_client(server: Server) -> Tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client of bytes, that has shaken hands."""
    port = next(iter(server.sockets)).getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(wire.REQUEST)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101")
    return reader, writer


# -- Messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    ["", "text", "é" * 300_000, b"", b"\x00\xff", b"z" * 1_000_000],
    ids=lambda message: f"{type(message).__name__}-{len(message)}",
)
def test_echoes_messages_of_any_size(message: Any) -> None:
    async def main() -> None:
        async with pair() as websocket:
            await websocket.send(message)
            assert await websocket.recv() == message

    run(main())


def test_receives_a_message_of_many_megabytes() -> None:
    async def main() -> None:
        big = bytes(range(256)) * 65536
        async with pair(max_size=None, client={"max_size": None}) as websocket:
            await websocket.send(big)
            assert await websocket.recv() == big

    run(main())


def test_recv_decodes_as_told() -> None:
    async def main() -> None:
        async with pair() as websocket:
            for message in ("é", "é", "é".encode(), "é".encode()):
                await websocket.send(message)
            assert await websocket.recv() == "é"
            assert await websocket.recv(decode=False) == "é".encode()
            assert await websocket.recv(decode=True) == "é"
            assert await websocket.recv() == "é".encode()

    run(main())


def test_send_takes_bytes_like_objects_and_a_kind() -> None:
    async def main() -> None:
        async with pair() as websocket:
            changing = bytearray(b"abc")
            await websocket.send(changing)
            changing[:] = b"xyz"
            await websocket.send(memoryview(b"view"))
            await websocket.send(b"text", text=True)
            await websocket.send("data", text=False)
            assert [await websocket.recv() for _ in range(4)] == [b"abc", b"view", "text", b"data"]

    run(main())


@pytest.mark.parametrize("wrong", [None, 1, {"a": 1}, object()])
def test_send_refuses_what_is_no_message(wrong: Any) -> None:
    async def main() -> None:
        async with pair() as websocket:
            with pytest.raises(TypeError, match="message must be"):
                await websocket.send(wrong)
            await websocket.send("still open")
            assert await websocket.recv() == "still open"

    run(main())


def test_sends_iterables_as_one_message() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b"a", b"b" * 100_000, b"c"):
            await asyncio.sleep(0)
            yield part

    async def main() -> None:
        async with pair() as websocket:
            await websocket.send(["one ", "two ", "three"])
            await websocket.send(parts())
            await websocket.send([])  # no message at all
            await websocket.send("end")
            assert await websocket.recv() == "one two three"
            assert await websocket.recv() == b"a" + b"b" * 100_000 + b"c"
            assert await websocket.recv() == "end"

    run(main())


def test_other_senders_wait_for_a_fragmented_message() -> None:
    async def main() -> None:
        gate = asyncio.Event()

        async def parts() -> AsyncIterator[str]:
            yield "first "
            await gate.wait()
            yield "second"

        async with pair() as websocket:
            slow = asyncio.create_task(websocket.send(parts()))
            await asyncio.sleep(0.01)
            others = [asyncio.create_task(websocket.send(f"other {i}")) for i in range(3)]
            await asyncio.sleep(0.01)
            assert not any(other.done() for other in others)
            assert await (await websocket.ping()) >= 0  # control frames pass
            gate.set()
            await asyncio.gather(slow, *others)
            assert await websocket.recv() == "first second"
            assert {await websocket.recv() for _ in range(3)} == {"other 0", "other 1", "other 2"}

    run(main())


@pytest.mark.parametrize("wrong", [["text", b"bytes"], [b"bytes", "text"], ["text", 1]])
def test_parts_of_different_types_close_the_connection(wrong: Any) -> None:
    async def main() -> None:
        async with pair() as websocket:
            with pytest.raises(TypeError, match="of one type"):
                await websocket.send(wrong)
            await websocket.wait_closed()
            with pytest.raises(embws.ConnectionClosedError) as caught:
                await websocket.recv()
            assert caught.value.sent_code == 1011

    run(main())


def test_a_cancelled_fragmented_message_closes_the_connection() -> None:
    async def forever() -> AsyncIterator[str]:
        yield "part"
        await asyncio.Event().wait()

    async def main() -> None:
        async with pair() as websocket:
            task = asyncio.create_task(websocket.send(forever()))
            await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            with pytest.raises(embws.ConnectionClosedError):
                await websocket.send("more")

    run(main())


# -- Cancellation and concurrency -------------------------------------------------------------------------------------


def test_a_cancelled_recv_loses_no_message() -> None:
    async def main() -> None:
        async with pair() as websocket:
            received: List[Any] = []
            for i in range(200):
                await websocket.send(str(i))
                if i % 2:
                    task = asyncio.create_task(websocket.recv())
                    for _ in range(i % 7):
                        await asyncio.sleep(0)
                    task.cancel()
                    await asyncio.wait([task])
                    if not task.cancelled():
                        received.append(task.result())
            while len(received) < 200:
                received.append(await websocket.recv())
            assert received == [str(i) for i in range(200)]

    run(main())


def test_recv_cancelled_in_the_step_in_which_a_message_comes_loses_nothing() -> None:
    async def main() -> None:
        async with pair() as websocket:
            task = asyncio.create_task(websocket.recv())
            await asyncio.sleep(0)
            await websocket.send("kept")
            while not websocket._messages:
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            message = task.result() if not task.cancelled() else await websocket.recv()
            assert message == "kept"

    run(main())


def test_cancelled_sends_leave_the_stream_whole() -> None:
    async def main() -> None:
        sizes: List[int] = []
        gate = asyncio.Event()

        async def handler(websocket: ServerConnection) -> None:
            await gate.wait()
            async for message in websocket:
                assert message == message[:1] * len(message)
                sizes.append(len(message))

        async with pair(handler, max_queue=1) as websocket:
            for i in range(40):
                task = asyncio.create_task(websocket.send(bytes([i]) * 500_000))
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
            gate.set()
            await websocket.close()
        assert set(sizes) == {500_000}

    run(main())


def test_a_second_recv_is_refused() -> None:
    async def main() -> None:
        async with pair() as websocket:
            first = asyncio.create_task(websocket.recv())
            await asyncio.sleep(0)
            with pytest.raises(embws.StateError, match="another coroutine"):
                await websocket.recv()
            with pytest.raises(embws.StateError, match="another coroutine"):
                await websocket.__anext__()
            await websocket.send("for the first")
            assert await first == "for the first"

    run(main())


# -- Back-pressure ----------------------------------------------------------------------------------------------------


def test_send_waits_for_a_peer_that_does_not_read() -> None:
    async def main() -> None:
        gate = asyncio.Event()
        received = 0

        async def handler(websocket: ServerConnection) -> None:
            nonlocal received
            await gate.wait()
            async for message in websocket:
                received += len(message)

        async with pair(handler, max_queue=1, client={"write_limit": 1024}) as websocket:
            sent = 0

            async def flood() -> None:
                nonlocal sent
                for _ in range(400):
                    await websocket.send(bytes(100_000))
                    sent += 1

            task = asyncio.create_task(flood())
            await asyncio.sleep(0.3)
            stuck = sent
            assert stuck < 400, "40 MB left without anybody reading"
            await asyncio.sleep(0.1)
            assert sent == stuck
            gate.set()
            await task
        assert received == 40_000_000

    run(main())


def test_reading_pauses_while_the_queue_is_full() -> None:
    async def main() -> None:
        gate, received = asyncio.Event(), 0

        async def handler(websocket: ServerConnection) -> None:
            nonlocal received
            await gate.wait()
            assert len(websocket._messages) <= 4 + 256 * 1024 // 10_000
            async for _ in websocket:
                received += 1

        async with pair(handler, max_queue=4) as websocket:
            task = asyncio.create_task(_send_many(websocket, bytes(10_000), 2000))
            await asyncio.sleep(0.2)
            assert not task.done()
            gate.set()
            await task
        assert received == 2000

    run(main())


async def _send_many(websocket: ClientConnection, message: bytes, count: int) -> None:
    for _ in range(count):
        await websocket.send(message)


def test_close_gets_through_a_full_queue() -> None:
    async def main() -> None:
        async def flood(websocket: ServerConnection) -> None:
            with contextlib.suppress(embws.ConnectionClosed):
                while True:
                    await websocket.send(bytes(50_000))

        async with pair(flood, client={"max_queue": 2}) as websocket:
            await asyncio.sleep(0.1)
            async with asyncio.timeout(5):
                await websocket.close()
            assert websocket.close_code == 1000

    run(main())


def test_answers_of_one_wake_up_are_written_together() -> None:
    async def main() -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            reader, writer = await raw_client(server)
            connection = next(iter(server.connections))
            writes: List[int] = []
            write = connection._write

            def counted(buffers: List[embws.protocol.BytesLike]) -> None:
                writes.append(len(buffers))
                write(buffers)

            connection._write = counted  # type: ignore[method-assign]
            writer.write(b"".join(wire.frame(wire.TEXT, b"%d" % i) for i in range(50)))
            expected = b"".join(wire.frame(wire.TEXT, b"%d" % i, mask=False) for i in range(50))
            assert await reader.readexactly(len(expected)) == expected
            assert len(writes) == 1
            writer.close()
            await writer.wait_closed()

    run(main())


# -- Closing ----------------------------------------------------------------------------------------------------------


def test_the_server_closes_when_the_handler_returns() -> None:
    async def main() -> None:
        async def handler(websocket: ServerConnection) -> None:
            await websocket.send("bye")

        async with pair(handler) as websocket:
            assert [message async for message in websocket] == ["bye"]
            assert websocket.close_code == 1000 and websocket.close_reason == ""
            with pytest.raises(embws.ConnectionClosedOK):
                await websocket.recv()
            with pytest.raises(embws.ConnectionClosedOK):
                await websocket.send("late")
            await websocket.close()  # nothing happens

    run(main())


def test_close_sends_code_and_reason() -> None:
    async def main() -> None:
        seen: List[Any] = []

        async def handler(websocket: ServerConnection) -> None:
            with pytest.raises(embws.ConnectionClosedError) as caught:
                await websocket.recv()
            seen.append((caught.value.code, caught.value.reason, websocket.close_code, websocket.close_reason))

        async with pair(handler) as websocket:
            await websocket.close(3000, "enough")
        assert seen == [(3000, "enough", 3000, "enough")]

    run(main())


def test_a_handler_that_raises_closes_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async def handler(websocket: ServerConnection) -> None:
            raise KeyError("oops")

        async with pair(handler) as websocket:
            with pytest.raises(embws.ConnectionClosedError) as caught:
                await websocket.recv()
            assert caught.value.code == 1011

    with caplog.at_level(logging.ERROR):
        run(main())
    assert "connection handler failed" in caplog.text


def test_messages_before_a_close_arrive() -> None:
    async def main() -> None:
        async def handler(websocket: ServerConnection) -> None:
            for i in range(100):
                await websocket.send(str(i))

        async with pair(handler) as websocket:
            await asyncio.sleep(0.05)
            assert [int(message) async for message in websocket] == list(range(100))

    run(main())


def test_close_time_out_drops_a_peer_that_does_not_answer() -> None:
    async def main() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.read(4096):
                pass

        async with raw_server(silent) as uri:
            websocket = await connect(uri, close_timeout=0.1)
            async with asyncio.timeout(5):
                await websocket.close()
            assert websocket.close_code == 1006

    run(main())


def test_a_lost_transport_is_an_error() -> None:
    async def main() -> None:
        async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.abort()

        async with raw_server(gone) as uri, connect(uri) as websocket:
            with pytest.raises(embws.ConnectionClosedError) as caught:
                await websocket.recv()
            assert caught.value.code == 1006 == websocket.close_code

    run(main())


def test_a_violation_closes_and_says_why() -> None:
    async def main() -> None:
        async def masks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(wire.frame(wire.TEXT, b"good", mask=False) + wire.frame(wire.TEXT, b"bad", mask=True))
            head = await reader.readexactly(2)  # the Close
            assert head[0] == 0x88

        async with raw_server(masks) as uri, connect(uri) as websocket:
            assert await websocket.recv() == "good"
            with pytest.raises(embws.ConnectionClosedError) as caught:
                await websocket.recv()
            assert caught.value.sent_code == 1002
            assert isinstance(caught.value.__cause__, embws.ProtocolError)

    run(main())


@pytest.mark.parametrize("last", [wire.frame(wire.CLOSE, b"\x03\xe8"), wire.frame(3)], ids=["close", "violation"])
def test_the_answer_that_is_owed_leaves_before_the_close(last: bytes) -> None:
    async def main() -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            reader, writer = await raw_client(server)
            writer.write(wire.frame(wire.TEXT, b"one") + wire.frame(wire.TEXT, b"two") + last)
            answers = wire.frame(wire.TEXT, b"one", mask=False) + wire.frame(wire.TEXT, b"two", mask=False)
            assert await reader.readexactly(len(answers)) == answers
            assert await reader.readexactly(1) == b"\x88"
            await reader.read()
            writer.close()
            await writer.wait_closed()

    run(main())


def test_a_message_that_is_too_large_is_refused() -> None:
    async def main() -> None:
        async with pair(max_size=1000) as websocket:
            await websocket.send(bytes(1000))
            assert len(await websocket.recv()) == 1000
            await websocket.send(bytes(1001))
            with pytest.raises(embws.ConnectionClosedError) as caught:
                await websocket.recv()
            assert caught.value.code == 1009

    run(main())


def test_messages_right_behind_the_handshake_are_not_lost() -> None:
    async def main() -> None:
        async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)

        behind = wire.frame(wire.TEXT, b"early", mask=False) + wire.frame(wire.CLOSE, b"\x03\xe8", mask=False)
        async with raw_server(wait, behind) as uri, connect(uri) as websocket:
            assert [message async for message in websocket] == ["early"]
            assert websocket.close_code == 1000

        async with serve(echo, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(wire.REQUEST + wire.frame(wire.TEXT, b"early"))
            assert await reader.readuntil(b"early")
            writer.close()
            await writer.wait_closed()

    run(main())


# -- Pings ------------------------------------------------------------------------------------------------------------


def test_ping_gives_the_latency() -> None:
    async def main() -> None:
        async with pair() as websocket:
            assert websocket.latency == 0
            first, second = await websocket.ping(), await websocket.ping(b"second")
            with pytest.raises(ValueError, match="no Pong yet"):
                await websocket.ping(b"second")
            seconds = await second
            assert 0 <= await first < 10 and 0 < seconds < 10 and websocket.latency == seconds
            await websocket.pong(b"unasked")

    run(main())


def test_a_ping_that_is_never_answered_ends_with_the_connection() -> None:
    async def main() -> None:
        async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)

        async with raw_server(deaf) as uri, connect(uri) as websocket:
            waiter = await websocket.ping()
            with pytest.raises(embws.ConnectionClosedError):
                await waiter

    run(main())


def test_keepalive_pings_and_measures() -> None:
    async def main() -> None:
        async with pair(client={"ping_interval": 0.02}) as websocket:
            await asyncio.sleep(0.2)
            assert websocket.latency > 0
            await websocket.send("open")
            assert await websocket.recv() == "open"

    run(main())


def test_keepalive_drops_a_peer_that_does_not_answer() -> None:
    async def main() -> None:
        async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.read(4096):
                pass

        async with raw_server(deaf) as uri:
            websocket = await connect(uri, ping_interval=0.05, ping_timeout=0.05, close_timeout=0.1)
            with pytest.raises(embws.ConnectionClosedError) as caught:
                await websocket.recv()
            assert caught.value.sent_code == 1011
            await websocket.wait_closed()

    run(main())


# -- The handshake ----------------------------------------------------------------------------------------------------


def test_connection_tells_about_itself() -> None:
    async def main() -> None:
        seen: List[Any] = []

        async def handler(websocket: ServerConnection) -> None:
            assert websocket.request is not None
            seen.append((websocket.request.path, websocket.request.headers["X-Token"], websocket.remote_address))

        async with serve(handler, "127.0.0.1", 0, server_header="test") as server:
            uri = address(server) + "chat?room=1"
            async with connect(uri, additional_headers={"X-Token": "secret"}) as websocket:
                assert websocket.response is not None and websocket.response.status_code == 101
                assert websocket.response.headers["Server"] == "test"
                assert websocket.remote_address[:2] == next(iter(server.sockets)).getsockname()[:2]
                assert websocket.id != (await connect(uri, additional_headers={"X-Token": "secret"})).id
                local = websocket.local_address
                await websocket.wait_closed()
            assert seen[0] == ("/chat?room=1", "secret", local)

    run(main())


def test_subprotocols_are_agreed_on() -> None:
    async def main() -> None:
        async with pair(subprotocols=["b", "a"], client={"subprotocols": ["a", "b"]}) as websocket:
            assert websocket.subprotocol == "b"
        with pytest.raises(embws.InvalidStatus) as caught:
            async with pair(subprotocols=["x"], client={"subprotocols": ["a"]}):
                pass
        assert caught.value.response.status_code == 400

        def select(connection: ServerConnection, offered: Any) -> str:
            assert connection.request is not None
            return str(offered[-1])

        async with pair(select_subprotocol=select, client={"subprotocols": ["a", "b"]}) as websocket:
            assert websocket.subprotocol == "b"

    run(main())


def test_origins_are_checked() -> None:
    import re

    async def main() -> None:
        for origin, allowed in (
            ("https://a.example", True),
            ("https://x.b.example", True),
            ("https://evil", False),
            (None, False),
        ):
            origins = ["https://a.example", re.compile(r"https://.*\.b\.example")]
            try:
                async with pair(origins=origins, client={"origin": origin}):
                    assert allowed
            except embws.InvalidStatus as refused:
                assert not allowed and refused.response.status_code == 403

    run(main())


@pytest.mark.parametrize("asynchronous", [False, True])
def test_process_request_answers(asynchronous: bool) -> None:
    def process(connection: ServerConnection, request: embws.Request) -> Any:
        if request.path != "/health":
            return None
        return connection.respond(404 if request.upgrade else 200, "fine\n")

    async def process_later(connection: ServerConnection, request: embws.Request) -> Any:
        await asyncio.sleep(0)
        return process(connection, request)

    def process_response(connection: ServerConnection, request: embws.Request, response: embws.Response) -> None:
        response.headers["X-More"] = "yes"

    async def main() -> None:
        chosen = process_later if asynchronous else process
        async with serve(echo, "127.0.0.1", 0, process_request=chosen, process_response=process_response) as server:
            async with connect(address(server)) as websocket:
                assert websocket.response is not None and websocket.response.headers["X-More"] == "yes"
            with pytest.raises(embws.InvalidStatus) as caught:
                await connect(address(server) + "health")
            assert caught.value.response.status_code == 404
            port = next(iter(server.sockets)).getsockname()[1]
            for path, status in ((b"/health", b"200"), (b"/", b"426")):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                answer = await reader.read()
                assert answer.split()[1] == status
                assert (b"Upgrade: websocket" in answer) == (status == b"426")
                writer.close()
                await writer.wait_closed()

    run(main())


def test_a_failing_process_request_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    def process(connection: ServerConnection, request: embws.Request) -> Any:
        raise RuntimeError("oops")

    async def main() -> None:
        with pytest.raises(embws.InvalidStatus) as caught:
            async with pair(process_request=process):
                pass
        assert caught.value.response.status_code == 500

    run(main())
    assert "process_request failed" in caplog.text


def test_open_time_outs() -> None:
    async def main() -> None:
        async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        mute = await asyncio.start_server(nothing, "127.0.0.1", 0)
        with pytest.raises(TimeoutError, match="opening handshake"):
            await connect(f"ws://127.0.0.1:{mute.sockets[0].getsockname()[1]}/", open_timeout=0.1)
        mute.close()
        await mute.wait_closed()
        async with serve(echo, "127.0.0.1", 0, open_timeout=0.1) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(wire.REQUEST[:20])
            with contextlib.suppress(OSError):
                assert await reader.read() == b""
            writer.close()

    run(main())


def test_bad_answers_are_errors() -> None:
    async def main() -> None:
        async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(babble, "127.0.0.1", 0)
        uri = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        answer = b"SSH-2.0\r\n\r\n"
        with pytest.raises(embws.InvalidHandshake):
            await connect(uri)
        answer = b"HTTP/1.1 101 Switching"
        with pytest.raises(embws.InvalidHandshake):
            await connect(uri)
        server.close()
        await server.wait_closed()
        with pytest.raises(OSError):
            await connect(uri)

    run(main())


def test_bad_arguments_are_named() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="ws://"):
            connect("http://127.0.0.1/")
        with pytest.raises(ValueError, match="ssl is set"):
            connect("ws://127.0.0.1/", ssl=True)
        with pytest.raises(ValueError, match="open_timeout is -1"):
            connect("ws://127.0.0.1/", open_timeout=-1)
        with pytest.raises(TypeError, match="handler"):
            serve(None, "127.0.0.1", 0)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="subprotocols"):
            serve(echo, "127.0.0.1", 0, subprotocols="chat")
        async with serve(echo, "127.0.0.1", 0) as server:
            with pytest.raises(ValueError, match="max_queue is -1"):
                await connect(address(server), max_queue=-1)

    run(main())


# -- The server -------------------------------------------------------------------------------------------------------


def test_server_close_says_1001() -> None:
    async def main() -> None:
        server = await serve(echo, "127.0.0.1", 0)
        async with connect(address(server)) as websocket:
            assert len(server.connections) == 1
            task = asyncio.create_task(server.serve_forever())
            await asyncio.sleep(0)
            server.close()
            with pytest.raises(embws.ConnectionClosedOK) as caught:
                await websocket.recv()
            assert caught.value.code == 1001
            await server.wait_closed()
            await task
            assert not server.is_serving() and not server.connections

    run(main())


def test_cancelling_serve_forever_closes_the_server() -> None:
    async def main() -> None:
        server = await serve(echo, "127.0.0.1", 0)
        async with connect(address(server)) as websocket:
            task = asyncio.create_task(server.serve_forever())
            await asyncio.sleep(0.01)
            task.cancel()
            assert [message async for message in websocket] == []
            await asyncio.wait([task])
            assert task.cancelled()

    run(main())


def test_broadcast_reaches_all_and_passes_over_the_closed() -> None:
    async def main() -> None:
        async def wait(websocket: ServerConnection) -> None:
            await websocket.wait_closed()

        async with serve(wait, "127.0.0.1", 0) as server:
            clients = [await connect(address(server)) for _ in range(5)]
            everyone = set(server.connections)
            await clients[0].close()
            broadcast(everyone, "news")
            assert [await client.recv() for client in clients[1:]] == ["news"] * 4
            with pytest.raises(TypeError, match="message must be"):
                broadcast(everyone, ["news"])  # type: ignore[arg-type]
            for client in clients:
                await client.close()

    run(main())


def test_connect_iterates_over_connections() -> None:
    async def main() -> None:
        def delays() -> Iterator[float]:
            while True:
                yield 0.01

        async with serve(echo, "127.0.0.1", 0) as server:
            count = 0
            async for websocket in connect(address(server), reconnect_delays=delays):  # type: ignore[arg-type]
                await websocket.send("again")
                assert await websocket.recv() == "again"
                count += 1
                if count == 3:
                    break
            assert count == 3

    run(main())


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no Unix sockets")
def test_unix_sockets(tmp_path: Any) -> None:
    async def main() -> None:
        path = str(tmp_path / "socket")
        async with unix_serve(echo, path), unix_connect(path) as websocket:
            await websocket.send("local")
            assert await websocket.recv() == "local"

    run(main())


# -- What remains -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["embws", "embws.sync"])
def test_asyncio_and_ssl_are_loaded_only_where_they_are_used(module: str, run_python: Any) -> None:
    result = run_python(f"import sys, {module}; print([m for m in ('asyncio', 'ssl') if m in sys.modules])")
    assert result.stdout == "[]\n", result.stdout + result.stderr


def test_nothing_keeps_a_closed_connection_alive() -> None:
    async def main() -> None:
        references: List[Any] = []

        async def handler(websocket: ServerConnection) -> None:
            references.append(weakref.ref(websocket))
            async for message in websocket:
                await websocket.send(message)

        gc.disable()
        try:
            async with serve(handler, "127.0.0.1", 0) as server:
                websocket = await connect(address(server))
                references.append(weakref.ref(websocket))
                await websocket.send("x" * 100_000)
                await websocket.recv()
                await (await websocket.ping())
                await websocket.close()
                del websocket
                for _ in range(10):
                    await asyncio.sleep(0.01)
                assert [reference() for reference in references] == [None, None]
        finally:
            gc.enable()

    run(main())


def test_a_failed_connection_is_not_kept_alive_either() -> None:
    async def main() -> None:
        references: List[Any] = []

        async def handler(websocket: ServerConnection) -> None:
            references.append(weakref.ref(websocket))
            with contextlib.suppress(embws.ConnectionClosed):
                await websocket.recv()

        gc.disable()
        try:
            async with serve(handler, "127.0.0.1", 0) as server:
                reader, writer = await raw_client(server)
                writer.write(wire.frame(3))
                await reader.read()
                writer.close()
                await writer.wait_closed()
                for _ in range(10):
                    await asyncio.sleep(0.01)
                assert [reference() for reference in references] == [None]
        finally:
            gc.enable()

    run(main())


def test_an_idle_loop_is_left_alone() -> None:
    async def main() -> None:
        async with pair(client={"ping_interval": None}, ping_interval=None):
            loop = asyncio.get_running_loop()
            timers = [timer for timer in getattr(loop, "_scheduled", []) if not timer.cancelled()]
            assert len(timers) <= 1, timers  # the test's own

    run(main())
