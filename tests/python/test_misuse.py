"""Wrong arguments: each is a TypeError or ValueError that names what is wrong, and nothing of it is sent or lost."""

from __future__ import annotations

import copy
from typing import Any, Callable, Dict, Tuple, Type

import pytest

import embws
from embws import ClientProtocol, ServerProtocol
from wire import BINARY, REQUEST, TEXT, frame


def requested() -> ServerProtocol:
    protocol = ServerProtocol()
    protocol.receive_data(REQUEST)
    assert isinstance(next(iter(list(protocol.events()))), embws.Request)
    return protocol


Call = Tuple[str, Tuple[Any, ...], Dict[str, Any], Type[Exception], str]

#: method, arguments, named arguments, the exception, a word of its message
OPEN_CALLS: "list[Call]" = [
    ("receive_data", ("text",), {}, TypeError, "data"),
    ("receive_data", (5,), {}, TypeError, "data"),
    ("receive_data", (None,), {}, TypeError, "data"),
    ("receive_data", ([1, 2],), {}, TypeError, "data"),
    ("buffer_updated", ("5",), {}, TypeError, "nbytes"),
    ("buffer_updated", (1.5,), {}, TypeError, "nbytes"),
    ("buffer_updated", (None,), {}, TypeError, "nbytes"),
    ("buffer_updated", (-1,), {}, ValueError, "nbytes"),
    ("buffer_updated", (1 << 40,), {}, ValueError, "nbytes"),
    ("send_text", (b"bytes",), {}, TypeError, "text"),
    ("send_text", (None,), {}, TypeError, "text"),
    ("send_text", ("ab\ud800",), {}, ValueError, "text has .* at 2: a surrogate"),
    ("send_text", ("x",), {"fin": "no"}, TypeError, "fin"),
    ("send_text", ("x",), {"fin": None}, TypeError, "fin"),
    ("send_binary", ("text",), {}, TypeError, "data"),
    ("send_binary", (5,), {}, TypeError, "data"),
    ("send_binary", (None,), {}, TypeError, "data"),
    ("send_binary", ([1, 2],), {}, TypeError, "data"),
    ("send_binary", (b"x",), {"fin": "no"}, TypeError, "fin"),
    ("send_continuation", (5,), {}, TypeError, "data"),
    ("send_continuation", (None,), {}, TypeError, "data"),
    ("ping", (5,), {}, TypeError, "data"),
    ("ping", (None,), {}, TypeError, "data"),
    ("ping", ([1, 2],), {}, TypeError, "data"),
    ("ping", (b"x" * 126,), {}, ValueError, "125"),
    ("ping", ("é" * 63,), {}, ValueError, "125"),
    ("pong", (5,), {}, TypeError, "data"),
    ("pong", (None,), {}, TypeError, "data"),
    ("pong", (b"x" * 126,), {}, ValueError, "125"),
    ("close", ("1000",), {}, TypeError, "code"),
    ("close", (1000.0,), {}, TypeError, "code"),
    ("close", (True,), {}, (TypeError, ValueError), "code"),  # type: ignore[list-item]
    ("close", (0,), {}, ValueError, "code"),
    ("close", (-1,), {}, ValueError, "code"),
    ("close", (999,), {}, ValueError, "code"),
    ("close", (1004,), {}, ValueError, "code"),
    ("close", (1005,), {}, ValueError, "code"),
    ("close", (1006,), {}, ValueError, "code"),
    ("close", (1015,), {}, ValueError, "code"),
    ("close", (2000,), {}, ValueError, "code"),
    ("close", (5000,), {}, ValueError, "code"),
    ("close", (66536,), {}, ValueError, "code"),
    ("close", (1000, b"bytes"), {}, TypeError, "reason"),
    ("close", (1000, None), {}, TypeError, "reason"),
    ("close", (1000, 5), {}, TypeError, "reason"),
    ("close", (1000, "\ud800"), {}, ValueError, "reason has .*surrogate"),
    ("ping", ("\ud800",), {}, ValueError, "data has .*surrogate"),
    ("close", (None, "a reason needs a code"), {}, ValueError, "reason"),
    ("fail", ("1011",), {}, TypeError, "code"),
    ("fail", (1006,), {}, ValueError, "code"),
]


@pytest.mark.parametrize("call", OPEN_CALLS, ids=lambda call: f"{call[0]}{call[1]!r:.40}{call[2] or ''}")
@pytest.mark.parametrize(
    "make", [lambda: ServerProtocol(handshake=False), lambda: ClientProtocol(None)], ids=["server", "client"]
)
def test_a_wrong_argument_is_named_and_nothing_is_sent(make: Callable[[], embws.Protocol], call: Call) -> None:
    method, arguments, named, error, says = call
    protocol = make()
    protocol.ping(b"before")
    mask = isinstance(protocol, ServerProtocol)
    protocol.receive_data(frame(TEXT, b"arrived", mask=mask))
    with pytest.raises(error, match=rf"(?i)\b{says}") as caught:
        getattr(protocol, method)(*arguments, **named)
    assert caught.type.__module__ == "builtins", "no raw error of ctypes or struct"
    protocol.pong(b"behind")
    peer = ClientProtocol(None) if mask else ServerProtocol(handshake=False)
    peer.receive_data(protocol.data_to_send())
    assert list(peer.events()) == [embws.Ping(b"before"), embws.Pong(b"behind")]
    assert list(protocol.messages()) == ["arrived"]
    assert protocol.state is embws.State.OPEN


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"subprotocol": 5}, TypeError, "subprotocol"),
        ({"subprotocol": ["chat"]}, TypeError, "subprotocol"),
        ({"subprotocol": "not offered"}, ValueError, "subprotocol"),
        ({"subprotocol": "chat\r\nX: y"}, ValueError, "subprotocol"),
        ({"extensions": 5}, TypeError, "extensions"),
        ({"extensions": "never-offered"}, ValueError, "extensions"),
        ({"headers": 5}, TypeError, "header"),
        ({"headers": "ab"}, (TypeError, ValueError), "header"),
        ({"headers": {"X": 5}}, TypeError, "header"),
        ({"headers": {"X": b"bytes"}}, TypeError, "header"),
        ({"headers": {"X": "a\rb"}}, ValueError, "header"),
        ({"headers": {"X": "a\nb"}}, ValueError, "header"),
        ({"headers": {"X": "a\r\nSet-Cookie: b=c"}}, ValueError, "header"),
        ({"headers": {"X": "a\0b"}}, ValueError, "header"),
        ({"headers": {"X\r\nY": "a"}}, ValueError, "header"),
        ({"headers": {"X: Y": "a"}}, ValueError, "header"),
        ({"headers": {"": "a"}}, ValueError, "header"),
        ({"headers": {"Sec-WebSocket-Accept": "a"}}, ValueError, "header"),
        ({"headers": {"X": "\u20ac"}}, ValueError, "latin-1"),
    ],
    ids=lambda value: repr(value)[:50] if isinstance(value, dict) else "",
)
def test_a_wrong_argument_of_accept_is_named_and_it_can_be_called_again(arguments: Any, error: Any, says: str) -> None:
    protocol = requested()
    with pytest.raises(error, match=rf"(?i)\b{says}"):
        protocol.accept(**arguments)
    assert protocol.data_to_send() == b""
    assert protocol.state is embws.State.CONNECTING and protocol.subprotocol is None
    protocol.accept("chat")
    assert protocol.data_to_send().startswith(b"HTTP/1.1 101 ")
    assert protocol.subprotocol == "chat"


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (("404",), TypeError, "status"),
        ((None,), TypeError, "status"),
        ((True,), TypeError, "status"),
        ((5,), ValueError, "status"),
        ((101,), ValueError, "status"),
        ((200,), ValueError, "status"),
        ((600,), ValueError, "status"),
        ((1 << 40,), ValueError, "status"),
        ((404, 5), TypeError, "body"),
        ((404, None), TypeError, "body"),
        ((404, ["x"]), TypeError, "body"),
        ((404, "x", {"X": "a\r\nY: b"}), ValueError, "header"),
        ((404, "x", {"X": "a\0"}), ValueError, "header"),
        ((404, "x", {"Content-Length": "9"}), ValueError, "header"),
    ],
    ids=lambda value: repr(value)[:50] if isinstance(value, tuple) else "",
)
def test_a_wrong_argument_of_reject_is_named_and_it_can_be_called_again(arguments: Any, error: Any, says: str) -> None:
    protocol = requested()
    with pytest.raises(error, match=rf"(?i)\b{says}"):
        protocol.reject(*arguments)
    assert protocol.data_to_send() == b""
    protocol.reject(403, "no")
    assert protocol.data_to_send().startswith(b"HTTP/1.1 403 ")
    assert protocol.close_expected()


@pytest.mark.parametrize(
    "make", [ServerProtocol, lambda **named: ClientProtocol("ws://a/", **named)], ids=["server", "client"]
)
@pytest.mark.parametrize("name", ["max_size", "max_head"])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (1 << 63, ValueError),
        (1 << 64, ValueError),
        (1.5, TypeError),
        ("5", TypeError),
    ],
)
def test_a_limit_must_be_a_positive_number(make: Any, name: str, value: Any, error: Any) -> None:
    with pytest.raises(error, match=name):
        make(**{name: value})


def test_a_message_of_max_size_passes_and_one_byte_more_does_not() -> None:
    protocol = ServerProtocol(handshake=False, max_size=10)
    protocol.receive_data(frame(BINARY, bytes(10)))
    assert list(protocol.messages()) == [bytes(10)]
    protocol.receive_data(frame(BINARY, bytes(6), fin=False) + frame(0, bytes(5)))
    with pytest.raises(embws.ProtocolError) as caught:
        list(protocol.messages())
    assert caught.value.code == 1009


def test_a_size_without_limit() -> None:
    protocol = ServerProtocol(handshake=False, max_size=None)
    large = bytes(17 << 20)  # more than the library's own default
    protocol.receive_data(frame(BINARY, large))
    assert [len(message) for message in protocol.messages()] == [len(large)]


@pytest.mark.parametrize(
    ("named", "error", "says"),
    [
        ({"origin": 5}, TypeError, "origin"),
        ({"origin": "http://a\r\nX: y"}, ValueError, "origin"),
        ({"origin": "http://a\0"}, ValueError, "origin"),
        ({"subprotocols": "chat"}, TypeError, "subprotocols"),
        ({"subprotocols": [5]}, TypeError, "subprotocols"),
        ({"subprotocols": 5}, TypeError, "subprotocols"),
        ({"subprotocols": ["a", "a"]}, ValueError, "subprotocols"),
        ({"subprotocols": ["a b"]}, ValueError, "subprotocols"),
        ({"subprotocols": ["a\r\nX: y"]}, ValueError, "subprotocols"),
        ({"subprotocols": [""]}, ValueError, "subprotocols"),
        ({"extensions": 5}, TypeError, "extensions"),
        ({"extensions": "a\nb"}, ValueError, "extensions"),
        ({"additional_headers": 5}, TypeError, "header"),
        ({"additional_headers": "ab"}, (TypeError, ValueError), "header"),
        ({"additional_headers": [("X", b"y")]}, TypeError, "header"),
        ({"additional_headers": {"X": "a\rb"}}, ValueError, "header"),
        ({"additional_headers": {"X": "a\nb"}}, ValueError, "header"),
        ({"additional_headers": {"X": "a\0b"}}, ValueError, "header"),
        ({"additional_headers": {"X\n": "a"}}, ValueError, "header"),
        ({"additional_headers": {"Host": "elsewhere"}}, ValueError, "header"),
        ({"additional_headers": {"Sec-WebSocket-Key": "mine"}}, ValueError, "header"),
    ],
    ids=lambda value: repr(value)[:50] if isinstance(value, dict) else "",
)
def test_a_wrong_argument_of_a_client_is_named(named: Any, error: Any, says: str) -> None:
    with pytest.raises(error, match=rf"(?i)\b{says}"):
        ClientProtocol("ws://example.com/", **named)


def test_a_long_reason_is_cut_at_the_end_of_a_character() -> None:
    protocol = ServerProtocol(handshake=False)
    protocol.close(1000, "a" + "é" * 100)
    sent = protocol.data_to_send()
    assert len(sent) <= 2 + 125
    assert sent[4:].decode() == "a" + "é" * 61


def test_every_kind_of_bytes_is_taken() -> None:
    for kind in (
        bytes,
        bytearray,
        memoryview,
        lambda data: memoryview(b"-".join(data[i : i + 1] for i in range(len(data))))[::2],
    ):
        protocol = ServerProtocol(handshake=False)
        protocol.send_binary(kind(b"\x01\x02\x03"))
        protocol.ping(kind(b"\x04\x05"))
        assert protocol.data_to_send() == b"\x82\x03\x01\x02\x03\x89\x02\x04\x05"


def test_memory_that_was_given_may_change_afterwards() -> None:
    protocol = ServerProtocol(handshake=False)
    for size in (3, 100_000):  # the large one is not copied, where that is safe
        data = bytearray(b"x" * size)
        protocol.send_binary(data)
        data[:] = b"y" * size
        assert protocol.data_to_send().endswith(b"x" * size)
    arrived = bytearray(frame(BINARY, b"before"))
    protocol.receive_data(arrived)
    arrived[:] = bytes(len(arrived))
    assert list(protocol.messages()) == [b"before"]


def test_a_protocol_object_cannot_be_copied() -> None:
    protocol = ServerProtocol(handshake=False)
    for make in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            make(protocol)
    protocol.send_text("still alive")
    assert protocol.data_to_send() == b"\x81\x0bstill alive"


def test_headers_of_a_response_are_its_own() -> None:
    one = embws.Response(404)
    one.headers["X"] = "y"
    assert "X" not in embws.Response(500).headers
