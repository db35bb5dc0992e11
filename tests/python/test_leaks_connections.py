"""A million messages through each kind of connection, and thousands of connections that end in every way, leave nothing
behind: no memory, no library handle, thread, file descriptor or task. Nor does a connection need the collector of cycles to
be freed: with it goes a handle of the library, and its socket."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import socket
import ssl
import threading
import time
import weakref
from typing import Any, AsyncIterator, Awaitable, Callable, Iterator, List, Optional, Union

import pytest
from test_leaks import MIB, grown, told

import embws
import embws.aio
import embws.sync
import tls
from embws import _library
from wire import BINARY, REQUEST, TEXT, frame

SECONDS = 30
#: Short messages, as they are most of the time, and one of each longer form.
LENGTHS = [0, 5, 32, 100, 125, 126, 300] * 142 + [4096] * 5 + [70_000]
MIXED: List[Union[str, bytes]] = ["t" * n if i % 2 else b"b" * n for i, n in enumerate(LENGTHS)]
assert len(MIXED) == 1000
#: Files that the runtime of Go opens once, when it first needs its poller.
OF_GO = 2
#: It writes nothing, and keeps no record. (What pytest keeps of a log has tracebacks.)
QUIET = logging.Logger("quiet", logging.CRITICAL + 1)


class Alive:
    """What is alive: connections, and handles of the library."""

    def __init__(self) -> None:
        self.connections: "weakref.WeakSet[Any]" = weakref.WeakSet()
        self.handles = 0

    def __bool__(self) -> bool:
        return bool(self.handles or self.connections)

    def __repr__(self) -> str:
        return f"{self.handles} handles, {list(self.connections)}"


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> Alive:
    gc.collect()
    result = Alive()

    def counted(name: str, by: int) -> None:
        call = getattr(_library.lib, name)

        def counting(*arguments: Any) -> int:
            status: int = call(*arguments)
            result.handles += by if status == _library.OK else 0
            return status

        monkeypatch.setattr(_library.lib, name, counting)

    for name in ("serve", "connect", "open"):
        counted(f"embws_session_{name}", 1)
    counted("embws_session_free", -1)

    def tracked(kind: Any) -> None:
        make = kind.__init__

        def making(self: Any, *arguments: Any, **settings: Any) -> None:
            make(self, *arguments, **settings)
            result.connections.add(self)

        monkeypatch.setattr(kind, "__init__", making)

    tracked(embws.aio.Connection)
    tracked(embws.sync.Connection)
    return result


@contextlib.contextmanager
def no_collector() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        pytest.skip("the open files cannot be counted here")


def check_ended(threads: int, files: int) -> None:
    """Threads end a moment after what they do."""
    deadline = time.monotonic() + SECONDS
    while threading.active_count() > threads or open_files() > files + OF_GO:
        assert time.monotonic() < deadline, (threading.enumerate(), open_files(), files)
        time.sleep(0.001)


# -- A million messages -----------------------------------------------------------------------------------------------


def test_a_million_messages_on_asyncio(capsys: pytest.CaptureFixture[str]) -> None:
    async def echo(connection: embws.aio.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async def opened() -> "tuple[embws.aio.Server, embws.aio.ClientConnection]":
        server = await embws.aio.serve(echo, "127.0.0.1", 0)
        port = next(iter(server.sockets)).getsockname()[1]
        return server, await embws.aio.connect(f"ws://127.0.0.1:{port}/", max_queue=None)

    async def play(client: embws.aio.ClientConnection) -> None:
        for _ in range(10):
            for message in MIXED:
                await client.send(message)
            for message in MIXED:
                assert await client.recv() == message

    async def closed(server: embws.aio.Server, client: embws.aio.ClientConnection) -> None:
        await client.close()
        server.close()
        await server.wait_closed()

    with asyncio.Runner() as runner:
        server, client = runner.run(opened())
        growth = grown(lambda: runner.run(play(client)), 50)
        runner.run(closed(server, client))
    told(capsys, "a million messages on asyncio", growth)
    assert growth[0] < 16 * MIB and growth[1] < 20_000


def test_a_million_messages_on_sockets(capsys: pytest.CaptureFixture[str]) -> None:
    """Both ends say a fifth of them to each other; the rest comes many at once, from a bare socket."""
    chunk = b"".join(
        frame(TEXT, message.encode()) if isinstance(message, str) else frame(BINARY, message) for message in MIXED
    )

    def handler(connection: embws.sync.ServerConnection) -> None:
        assert connection.request is not None
        if connection.request.path == "/":
            for message in connection:
                connection.send(message)
        count = 0
        for message in connection:
            count += 1
            if message == "how many?":
                connection.send(str(count - 1))

    with embws.sync.serve(handler, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = server.socket.getsockname()
        with (
            embws.sync.connect(f"ws://127.0.0.1:{address[1]}/", max_queue=None) as client,
            socket.create_connection(address, SECONDS) as sock,
            sock.makefile("rb") as answers,
        ):
            sock.sendall(REQUEST)
            while answers.readline() != b"\r\n":
                pass
            total = 0

            def work() -> None:
                nonlocal total
                for _ in range(2):
                    for message in MIXED:
                        client.send(message)
                    for message in MIXED:
                        assert client.recv(SECONDS) == message
                for _ in range(16):
                    sock.sendall(chunk)
                sock.sendall(frame(TEXT, b"how many?"))
                answer = answers.read(answers.read(2)[1])
                total += 16_000
                assert int(answer) == total
                total += 1

            growth = grown(work, 50)
    thread.join(SECONDS)
    told(capsys, "a million messages on sockets", growth)
    assert growth[0] < 16 * MIB and growth[1] < 20_000


# -- Connections on asyncio, which end in every way -------------------------------------------------------------------


class Asyncio:
    """Two servers, one of which never says a word, and a client's ways to have a connection with them."""

    def __init__(self, port: int, silent: int, context: Optional[ssl.SSLContext]) -> None:
        self.uri, self.silent, self.context = tls.uri(context is not None, port), silent, context

    def connect(self, path: str = "", **settings: Any) -> embws.aio.connect:
        return embws.aio.connect(self.uri + path, ssl=self.context, logger=QUIET, **settings)

    async def in_order(self) -> None:
        async with self.connect() as connection:
            await connection.send("hello")
            assert await connection.recv() == "hello"
            await (await connection.ping())
        assert connection.close_code == 1000

    async def by_the_server(self) -> None:
        async with self.connect("close") as connection:
            assert (await closed_by(connection.recv()))[0] == 1000

    async def in_the_middle_of_a_message(self) -> None:
        connection = await self.connect()
        waiter = await connection.ping()
        sending = asyncio.ensure_future(connection.send(never_ending()))
        await waiter
        connection.transport.abort()
        assert (await closed_by(connection.recv()))[0] == 1006
        sending.cancel()
        await asyncio.wait([sending])

    async def cut_off_by_the_server(self) -> None:
        connection = await self.connect("abort")
        assert (await closed_by(anext(connection.recv_streaming())))[0] == 1006

    async def refused(self) -> None:
        with pytest.raises(embws.InvalidStatus):
            await self.connect("refused")

    async def with_a_request_that_fails(self) -> None:
        with pytest.raises(embws.InvalidStatus):
            await self.connect("broken")

    async def by_a_violation_of_the_server(self) -> None:
        async with self.connect("violate") as connection:
            assert isinstance((await closed_by(connection.recv()))[1], embws.ProtocolError)

    async def by_a_violation_of_the_client(self) -> None:
        async with self.connect() as connection:
            connection.transport.write(b"\xff" * 20)
            assert (await closed_by(connection.recv()))[0] == 1002

    async def by_a_handler_that_fails(self) -> None:
        async with self.connect("raise") as connection:
            assert (await closed_by(connection.recv()))[0] == 1011

    async def with_an_answer_that_is_none(self) -> None:
        with pytest.raises(embws.InvalidHandshake):
            await embws.aio.connect(f"ws://127.0.0.1:{self.silent}/hello", logger=QUIET)

    async def cancelled_while_opening(self) -> None:
        for steps in range(0, 30, 3):
            opening: "asyncio.Task[Any]" = asyncio.ensure_future(in_a_task(self.connect()))
            for _ in range(steps):
                await asyncio.sleep(0)
            opening.cancel()
            await asyncio.wait([opening])
            if not opening.cancelled():
                await opening.result().close()

    async def cancelled_while_waiting(self) -> None:
        async with self.connect() as connection:
            receiving = asyncio.ensure_future(connection.recv())
            await (await connection.ping())
            receiving.cancel()
            await asyncio.wait([receiving])

    async def timed_out(self) -> None:
        silent = f"ws://127.0.0.1:{self.silent}/"
        openings = [in_a_task(embws.aio.connect(silent, open_timeout=0.01, logger=QUIET)) for _ in range(5)]
        for error in await asyncio.gather(*openings, return_exceptions=True):
            assert isinstance(error, TimeoutError)

    async def never_begun(self) -> None:
        with socket.create_connection(("127.0.0.1", int(self.uri.split(":")[2].rstrip("/")))) as sock:
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(sock, REQUEST[:40])


async def closed_by(receiving: Awaitable[Any]) -> "tuple[int, Optional[BaseException]]":
    """How a connection has ended. (Who keeps an exception keeps its traceback, and with it all that was there.)"""
    try:
        await receiving
    except embws.ConnectionClosed as error:
        return error.code, error.__cause__
    raise AssertionError("something was received")


async def never_ending() -> AsyncIterator[str]:
    while True:
        yield "part"
        await asyncio.sleep(0)


async def in_a_task(opening: embws.aio.connect) -> embws.aio.ClientConnection:
    return await opening


@contextlib.asynccontextmanager
async def on_asyncio(secure: bool) -> AsyncIterator[Asyncio]:
    server_context, client_context = tls.both(secure)

    async def handler(connection: embws.aio.ServerConnection) -> None:
        assert connection.request is not None
        path = connection.request.path
        if path == "/close":
            await connection.close()
        elif path == "/abort":
            connection.transport.abort()
        elif path == "/violate":
            connection.transport.write(b"\xff" * 20)
            await connection.wait_closed()
        elif path == "/raise":
            raise RuntimeError("as it was told to")
        else:
            async for message in connection:
                await connection.send(message)

    async def process(connection: embws.aio.ServerConnection, request: embws.Request) -> Optional[embws.Response]:
        if request.path == "/broken":
            raise RuntimeError("as it was told to")
        return connection.respond(403, "no\n") if request.path == "/refused" else None

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"/hello" in await reader.readline():
            writer.write(b"hello\r\n\r\n")
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with (
        silent,
        embws.aio.serve(handler, "127.0.0.1", 0, ssl=server_context, process_request=process, logger=QUIET) as server,
    ):
        ports = [sock.getsockname()[1] for sock in (*server.sockets, *silent.sockets)]
        yield Asyncio(ports[0], ports[1], client_context)


async def until_ended(alive: Alive, collect: bool = False) -> None:
    """Callbacks of the event loop follow the end of a connection."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SECONDS / 10):
            while alive:
                if collect:
                    gc.collect()
                await asyncio.sleep(0.001)
    assert not alive, alive


ASYNCIO_WAYS: List[Callable[[Asyncio], Awaitable[None]]] = [
    way for name, way in vars(Asyncio).items() if not name.startswith("_") and name != "connect"
]


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("way", ASYNCIO_WAYS)
def test_a_connection_on_asyncio_is_freed_without_the_collector(
    way: Callable[[Asyncio], Awaitable[None]], secure: bool, alive: Alive
) -> None:
    async def main() -> None:
        async with asyncio.timeout(SECONDS), on_asyncio(secure) as ends:
            # Where TLS is cut off within its handshake, asyncio's server has a cycle of its own.
            collect = secure and way is Asyncio.cancelled_while_opening
            await way(ends)  # what is made once is made
            await until_ended(alive, collect)
            with no_collector():
                await way(ends)
                await until_ended(alive, collect)

    asyncio.run(main())


def test_thousands_of_connections_on_asyncio(capsys: pytest.CaptureFixture[str], alive: Alive) -> None:
    threads, files_before = threading.active_count(), open_files()

    async def play(ends: Asyncio) -> None:

        tasks = len(asyncio.all_tasks())
        files = open_files()
        for way in ASYNCIO_WAYS:
            for _ in range(3):
                await way(ends)
        await until_ended(alive)
        while (
            len(asyncio.all_tasks()) > tasks or open_files() > files + OF_GO
        ):  # those of the servers end a moment later
            await asyncio.sleep(0.001)

    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        ends = runner.run(stack.enter_async_context(on_asyncio(False)))
        growth = grown(lambda: runner.run(asyncio.wait_for(play(ends), SECONDS)), 20)
        runner.run(stack.aclose())
    told(capsys, "thousands of connections on asyncio", growth)
    # A connection that has not quite ended when it is counted is some 20 kB; a leak would be one in each of 150.
    assert growth[0] < 16 * MIB and growth[1] < 60_000
    assert not alive, alive
    check_ended(threads, files_before)


# -- The same on sockets ----------------------------------------------------------------------------------------------


class Sockets:
    """A server, a socket that listens and never says a word, and a client's ways to have a connection with them."""

    def __init__(self, port: int, silent: socket.socket, context: Optional[ssl.SSLContext]) -> None:
        self.uri, self.silent, self.context = tls.uri(context is not None, port), silent, context

    def connect(self, path: str = "", **settings: Any) -> embws.sync.ClientConnection:
        return embws.sync.connect(self.uri + path, ssl=self.context, logger=QUIET, **settings)

    def in_order(self) -> None:
        with self.connect() as connection:
            connection.send("hello")
            assert connection.recv(SECONDS) == "hello"
            assert connection.ping().wait(SECONDS)
        assert connection.close_code == 1000

    def by_the_server(self) -> None:
        with self.connect("close") as connection:
            assert ended_by(connection)[0] == 1000

    def in_the_middle_of_a_message(self) -> None:
        connection = self.connect()

        def parts() -> Iterator[str]:
            yield "part"
            socket.socket.shutdown(connection.socket, socket.SHUT_RDWR)
            yield "part"

        with contextlib.suppress(embws.ConnectionClosed):
            connection.send(parts())
        assert ended_by(connection)[0] == 1006

    def cut_off_by_the_server(self) -> None:
        connection = self.connect("abort")
        try:
            next(connection.recv_streaming())
        except embws.ConnectionClosed as error:
            assert error.code == 1006
        else:
            raise AssertionError("something was received")

    def refused(self) -> None:
        with pytest.raises(embws.InvalidStatus):
            self.connect("refused")

    def with_a_request_that_fails(self) -> None:
        with pytest.raises(embws.InvalidStatus):
            self.connect("broken")

    def by_a_violation_of_the_server(self) -> None:
        with self.connect("violate") as connection:
            assert isinstance(ended_by(connection)[1], embws.ProtocolError)

    def by_a_violation_of_the_client(self) -> None:
        with self.connect() as connection:
            connection.socket.send(b"\xff" * 20)
            assert ended_by(connection)[0] == 1002

    def by_a_handler_that_fails(self) -> None:
        with self.connect("raise") as connection:
            assert ended_by(connection)[0] == 1011

    def with_an_answer_that_is_none(self) -> None:
        def answer() -> None:
            with self.silent.accept()[0] as sock:
                sock.recv(1)
                sock.sendall(b"hello\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(embws.InvalidHandshake):
            embws.sync.connect(f"ws://127.0.0.1:{self.silent.getsockname()[1]}/", logger=QUIET)
        thread.join(SECONDS)

    def by_another_thread_while_waiting(self) -> None:
        connection = self.connect()
        ends: "List[int]" = []
        receiving = threading.Thread(target=lambda: ends.append(ended_by(connection)[0]))
        receiving.start()
        assert connection.ping().wait(SECONDS)
        connection.close()
        receiving.join(SECONDS)
        assert ends == [1000]

    def timed_out(self) -> None:
        with pytest.raises(TimeoutError):
            embws.sync.connect(f"ws://127.0.0.1:{self.silent.getsockname()[1]}/", open_timeout=0.01, logger=QUIET)
        self.silent.accept()[0].close()

    def never_begun(self) -> None:
        with socket.create_connection(("127.0.0.1", int(self.uri.split(":")[2].rstrip("/")))) as sock:
            sock.sendall(REQUEST[:40])


def ended_by(connection: embws.sync.Connection) -> "tuple[int, Optional[BaseException]]":
    """How a connection has ended: as closed_by()."""
    try:
        connection.recv(SECONDS)
    except embws.ConnectionClosed as error:
        return error.code, error.__cause__
    raise AssertionError("something was received")


@contextlib.contextmanager
def on_sockets(secure: bool) -> Iterator[Sockets]:
    server_context, client_context = tls.both(secure)

    def handler(connection: embws.sync.ServerConnection) -> None:
        assert connection.request is not None
        path = connection.request.path
        if path == "/close":
            connection.close()
        elif path == "/abort":
            socket.socket.shutdown(connection.socket, socket.SHUT_RDWR)
            connection.wait_closed()
        elif path == "/violate":
            connection.socket.send(b"\xff" * 20)
            connection.wait_closed()
        elif path == "/raise":
            raise RuntimeError("as it was told to")
        else:
            for message in connection:
                connection.send(message)

    def process(connection: embws.sync.ServerConnection, request: embws.Request) -> Optional[embws.Response]:
        if request.path == "/broken":
            raise RuntimeError("as it was told to")
        return connection.respond(403, "no\n") if request.path == "/refused" else None

    settings: Any = {"ssl": server_context, "process_request": process, "logger": QUIET}
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        embws.sync.serve(handler, "127.0.0.1", 0, **settings) as server,
    ):
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Sockets(server.socket.getsockname()[1], silent, client_context)
    thread.join(SECONDS)


def wait_until_ended(alive: Alive) -> None:
    """Threads follow the end of a connection."""
    deadline = time.monotonic() + SECONDS / 10
    while alive and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not alive, alive


SOCKET_WAYS: List[Callable[[Sockets], None]] = [
    way for name, way in vars(Sockets).items() if not name.startswith("_") and name != "connect"
]


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("way", SOCKET_WAYS)
def test_a_connection_on_a_socket_is_freed_without_the_collector(
    way: Callable[[Sockets], None], secure: bool, alive: Alive
) -> None:
    with on_sockets(secure) as ends:
        way(ends)  # what is made once is made
        wait_until_ended(alive)
        with no_collector():
            way(ends)
            wait_until_ended(alive)


def test_thousands_of_connections_on_sockets(capsys: pytest.CaptureFixture[str], alive: Alive) -> None:
    threads, files = threading.active_count(), open_files()
    with on_sockets(False) as ends:

        def play() -> None:
            for way in SOCKET_WAYS:
                for _ in range(3):
                    way(ends)
            wait_until_ended(alive)
            check_ended(threads + 1, files + 5)  # those of the server

        growth = grown(play, 40)
    told(capsys, "thousands of connections on sockets", growth)
    # A connection that has not quite ended when it is counted is some 20 kB; a leak would be one in each of 150.
    assert growth[0] < 16 * MIB and growth[1] < 60_000
    check_ended(threads, files)
