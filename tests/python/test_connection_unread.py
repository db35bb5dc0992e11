"""A message that nobody receives yet is not read to its end, however long it is: on threads and on asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from typing import Any, Iterator, List

import pytest
from test_sync_bounds import SECONDS, address, serving, serving_on_asyncio

from wire import BINARY, CONTINUATION, REQUEST, frame

MIB = 1 << 20
PIECE = frame(CONTINUATION, bytes(64 * 1024), fin=False)
TOTAL = 96 * MIB


def taken(sock: socket.socket, data: bytes, most: int) -> int:
    """Sends the same bytes again and again, until they are not taken for a while; returns how many were."""
    sent = 0
    sock.settimeout(0.4)
    with contextlib.suppress(TimeoutError):
        while sent < most:
            sent += sock.send(data[sent % len(data) :])
    sock.settimeout(SECONDS)
    return sent


@contextlib.contextmanager
def on_threads(receive: Any, go: threading.Event, found: List[Any]) -> Iterator[Any]:
    def handler(connection: Any) -> None:
        assert go.wait(SECONDS)
        found.append(receive(connection))

    with serving(handler, max_size=None, ping_interval=None) as server:
        yield address(server)


def on_asyncio(receive: Any, go: threading.Event, found: List[Any]) -> Any:
    async def handler(connection: Any) -> None:
        while not go.is_set():
            await asyncio.sleep(0.01)
        found.append(await receive(connection))

    return serving_on_asyncio(handler, max_size=None, ping_interval=None)


def whole(connection: Any) -> int:
    return len(connection.recv())


def in_parts(connection: Any) -> int:
    return sum(len(part) for part in connection.recv_streaming(decode=False))


async def whole_later(connection: Any) -> int:
    return len(await connection.recv())


async def in_parts_later(connection: Any) -> int:
    return sum([len(part) async for part in connection.recv_streaming(decode=False)])


@pytest.mark.parametrize(
    ("served", "receive"),
    [(on_threads, whole), (on_threads, in_parts), (on_asyncio, whole_later), (on_asyncio, in_parts_later)],
)
@pytest.mark.parametrize("fragments", [True, False], ids=["fragments", "one frame"])
def test_it_waits_in_the_network(served: Any, receive: Any, fragments: bool) -> None:
    go, found = threading.Event(), []  # type: ignore[var-annotated]
    with served(receive, go, found) as to, socket.create_connection(to, timeout=SECONDS) as sock:
        sock.sendall(REQUEST)
        assert sock.recv(4096).startswith(b"HTTP/1.1 101 ")
        if fragments:
            sock.sendall(frame(BINARY, b"", fin=False))
            data = PIECE
        else:
            sock.sendall(bytes([0x82, 0xFF]) + TOTAL.to_bytes(8, "big") + bytes(4))
            data = bytes(64 * 1024)
        sent = taken(sock, data, TOTAL // 64 // 1024 * len(data))
        assert sent < 24 * MIB, "it was read before anybody has asked for it"
        go.set()
        count = TOTAL // 64 // 1024
        sock.sendall(data[sent % len(data) :] if sent % len(data) else b"")
        for _ in range(count - -(-sent // len(data))):
            sock.sendall(data)
        if fragments:
            sock.sendall(frame(CONTINUATION, b""))
        deadline = time.monotonic() + SECONDS
        while not found:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert found == [TOTAL]


@pytest.mark.parametrize(("served", "receive"), [(on_threads, whole), (on_asyncio, whole_later)])
def test_long_messages_do_not_pile_up(served: Any, receive: Any) -> None:
    """Not even as many as the queue may have."""
    go, found = threading.Event(), []  # type: ignore[var-annotated]
    message = frame(BINARY, bytes(4 * MIB))
    with served(receive, go, found) as to, socket.create_connection(to, timeout=SECONDS) as sock:
        sock.sendall(REQUEST)
        assert sock.recv(4096).startswith(b"HTTP/1.1 101 ")
        assert taken(sock, message, 16 * len(message)) < 6 * len(message)
        go.set()
        assert sock.recv(1) == b"\x88"  # the Close of the handler that has received one
    assert found == [4 * MIB]
