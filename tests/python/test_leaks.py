"""A million messages and a hundred thousand connections leave nothing behind, in Python or in the library."""

from __future__ import annotations

import gc
import sys
import tracemalloc
import weakref
from typing import Callable

import pytest

import embws
from embws import ClientProtocol, ServerProtocol
from wire import CONTINUATION, PING, REQUEST, TEXT, closing, frame

MIB = 1 << 20


def resident() -> int:
    """Bytes of memory that this process has in use."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * 4096
    except OSError:
        pytest.skip("the memory in use cannot be read here")


def grown(work: Callable[[], None], rounds: int) -> "tuple[int, int]":
    """By how many bytes memory grows in so many rounds: that of the process, and what Python counts of its own."""
    for _ in range(max(1, rounds // 5)):  # pools fill, caches warm up
        work()
    gc.collect()
    before = resident()
    for _ in range(rounds):
        work()
    gc.collect()
    growth = resident() - before
    tracemalloc.start(1)
    try:
        work()
        gc.collect()
        counted, _ = tracemalloc.get_traced_memory()
        for _ in range(3):
            work()
        gc.collect()
        counted = tracemalloc.get_traced_memory()[0] - counted
    finally:
        tracemalloc.stop()
    return growth, counted


def told(capsys: pytest.CaptureFixture[str], what: str, growth: "tuple[int, int]") -> None:
    with capsys.disabled():
        print(f"\n{what}: process {growth[0] / 1024:+.0f} KiB, Python {growth[1]:+d} B in three rounds")


def test_a_million_messages(capsys: pytest.CaptureFixture[str]) -> None:
    server, client = ServerProtocol(handshake=False), ClientProtocol(None)
    chunk = b"".join(frame(TEXT, b"message of 32 bytes, or nearly %d" % i) for i in range(100)) + frame(PING, b"x") * 5

    def work() -> None:
        for _ in range(50):
            server.receive_data(chunk)
            assert sum(1 for _ in server.messages()) == 100
            for _ in range(2):
                server.send_text("answer")
                client.send_binary(b"question")
            client.receive_data(server.data_to_send())
            assert len(list(client.events())) == 7
            client.data_to_send()

    growth = grown(work, 200)
    told(capsys, "a million messages", growth)
    assert growth[0] < 16 * MIB and growth[1] < 20_000


def test_a_hundred_thousand_connections_made_and_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    ways = [
        lambda: ServerProtocol(handshake=False),
        lambda: ClientProtocol(None),
        lambda: ServerProtocol(),
        lambda: ClientProtocol("ws://example.com/chat", subprotocols=["a"]),
        shaken,
        left_in_the_middle,
        refused,
        broken,
    ]

    def work() -> None:
        for _ in range(50):
            for make in ways:
                make()

    growth = grown(work, 250)
    told(capsys, "a hundred thousand connections", growth)
    assert growth[0] < 24 * MIB and growth[1] < 20_000


def shaken() -> None:
    server = ServerProtocol()
    server.receive_data(REQUEST)
    list(server.events())
    server.accept("chat", {"X": "y"})
    server.receive_data(frame(TEXT, b"hello") + closing(1000, "bye"))
    list(server.events())
    server.receive_eof()


def left_in_the_middle() -> None:
    server = ServerProtocol(handshake=False)
    server.receive_data(frame(TEXT, b"unfinished", fin=False) + frame(CONTINUATION, b"x")[:3])
    server.send_text("never taken", fin=False)


def refused() -> None:
    client = ClientProtocol("ws://example.com/")
    client.receive_data(b"HTTP/1.1 403 Forbidden\r\n\r\nno")
    with pytest.raises(embws.InvalidStatus):
        list(client.events())


def broken() -> None:
    server = ServerProtocol(handshake=False)
    server.receive_data(b"\xff" * 20)
    for _ in range(2):
        with pytest.raises(embws.ProtocolError):
            list(server.messages())


def test_objects_are_freed_at_once_without_the_collector_of_cycles() -> None:
    """The library's handles are few kilobytes each: they must not wait for a collection."""
    gc.collect()
    gc.disable()
    try:
        for make in (
            lambda: ServerProtocol(handshake=False),
            lambda: ClientProtocol("ws://example.com/"),
            ServerProtocol,
        ):
            protocol = make()
            if isinstance(protocol, ServerProtocol):
                protocol.receive_data(frame(TEXT, b"x") * 3)
            dead = weakref.ref(protocol)
            del protocol
            assert dead() is None, make
    finally:
        gc.enable()


def test_a_connection_that_has_failed_is_freed_after_its_failure_was_raised() -> None:
    gc.collect()
    protocol = ServerProtocol(handshake=False)
    protocol.receive_data(b"\xff" * 20)
    for _ in range(3):
        with pytest.raises(embws.ProtocolError):
            list(protocol.events())
    dead = weakref.ref(protocol)
    del protocol
    gc.collect()
    assert dead() is None


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="counts references")
def test_a_payload_that_was_sent_is_let_go() -> None:
    payload = bytes(200_000)
    server = ServerProtocol(handshake=False)
    before = sys.getrefcount(payload)
    for _ in range(10):
        server.send_binary(payload)
    assert server.buffers_to_send()
    assert sys.getrefcount(payload) == before
