"""views() and receive_in_place(): payloads where they lie, and no copy of them."""

from __future__ import annotations

import array
import gc
import os
from typing import Any, List

import pytest

import embws
from embws import ClientProtocol, ServerProtocol, View
from wire import BINARY, CONTINUATION, PING, REQUEST, TEXT, frame


def test_a_view_lies_in_the_memory_that_was_given() -> None:
    protocol = ServerProtocol(handshake=False)
    memory = bytearray(frame(BINARY, b"payload"))
    protocol.receive_in_place(memory)
    (view,) = protocol.views()
    assert view == View(memoryview(b"payload"), False, True, True)
    assert isinstance(view, View) and view.whole and isinstance(view.data, memoryview)
    assert memory.endswith(b"payload"), "it was unmasked there"
    memory[-1:] = b"?"
    assert view.data == b"payloa?"


def test_no_payload_is_copied() -> None:
    """A thousand views of a megabyte each take no memory of their own."""
    tracemalloc = pytest.importorskip("tracemalloc")
    protocol = ServerProtocol(handshake=False, max_size=None)
    client = ClientProtocol(None)
    client.send_binary(os.urandom(1 << 20))
    wire = bytearray(client.data_to_send())
    views: List[memoryview] = []
    tracemalloc.start()
    try:
        for _ in range(1000):
            protocol.receive_in_place(
                wire[:14]
            )  # a copy of the header; what it does to the rest is of no interest here
            protocol.receive_in_place(memoryview(wire)[14:])
            views += [event.data for event in protocol.views() if isinstance(event, View)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(map(len, views)) == 1000 << 20
    assert peak < 4 << 20


def test_views_of_what_came_otherwise_are_memory_of_their_own() -> None:
    protocol = ServerProtocol(handshake=False)
    protocol.receive_data(frame(BINARY, b"one") + frame(TEXT, "zwö".encode()) + frame(PING, b"p"))
    protocol.receive_data(frame(BINARY, b"x" * 20000))
    found = list(protocol.views())
    protocol.receive_data(frame(BINARY, b"y" * 20000))
    assert [event.data for event in found if isinstance(event, View)] == [b"one", "zwö".encode(), b"x" * 20000]
    assert embws.Ping(b"p") in found


def test_events_and_messages_copy_what_lies_elsewhere() -> None:
    for whole in (True, False):
        protocol = ServerProtocol(handshake=False)
        memory = bytearray(frame(TEXT, b"par", fin=False) + frame(CONTINUATION, b"ts") + frame(BINARY, b"whole"))
        protocol.receive_in_place(memory)
        found: List[Any] = list(protocol.messages() if whole else protocol.events())
        memory[:] = bytes(len(memory))
        if whole:
            assert found == ["parts", b"whole"]
        else:
            assert [event.data for event in found] == [b"par", b"ts", b"whole"]
            assert all(isinstance(event.data, bytes) for event in found)
    gc.collect()


def test_a_handshake_may_come_in_place_too() -> None:
    protocol = ServerProtocol()
    protocol.receive_in_place(bytearray(REQUEST + frame(BINARY, b"early")))
    (request,) = protocol.views()
    assert isinstance(request, embws.Request)
    protocol.accept()
    (view,) = protocol.views()
    assert isinstance(view, View) and view.data == b"early"


def test_a_violation_is_raised_behind_the_views_before_it() -> None:
    protocol, got = ServerProtocol(handshake=False), []
    protocol.receive_in_place(bytearray(frame(BINARY, b"fine") + b"\xff\xff"))
    with pytest.raises(embws.ProtocolError):
        for view in protocol.views():
            got.append(view)
    assert [bytes(view.data) for view in got if isinstance(view, View)] == [b"fine"]
    protocol.receive_in_place(bytearray(b"more"))  # dropped


@pytest.mark.parametrize(
    "bad", [b"bytes", memoryview(b"bytes"), "text", 5, None, [1], memoryview(bytearray(10))[::2]], ids=repr
)
def test_memory_must_be_writable_and_in_a_row(bad: Any) -> None:
    protocol = ServerProtocol(handshake=False)
    with pytest.raises(TypeError, match="buffer"):
        protocol.receive_in_place(bad)
    protocol.receive_data(frame(BINARY, b"x"))
    assert list(protocol.messages()) == [b"x"]


def test_any_object_with_bytes_will_do() -> None:
    data = frame(BINARY, b"12345678")
    for given in (array.array("B", data), memoryview(bytes(2 * len(data))), bytearray(data)):
        protocol = ServerProtocol(handshake=False)
        if isinstance(given, memoryview):  # every second byte of something
            spread = bytearray(2 * len(data))
            spread[::2] = data
            given = memoryview(spread)[::2]
        protocol.receive_data(given)  # type: ignore[arg-type]
        assert list(protocol.messages()) == [b"12345678"]
    protocol.send_binary(array.array("I", [1, 2]))  # type: ignore[arg-type]
    assert protocol.data_to_send() == b"\x82\x08" + array.array("I", [1, 2]).tobytes()
