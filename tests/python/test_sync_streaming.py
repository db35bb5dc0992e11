"""embws.sync: messages that are received in parts, and those that are sent to many."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any, Iterator, List

import pytest
from test_sync import raw_server, running, until_eof
from test_sync_bounds import SECONDS, WithoutKeeper, receive, serving, soon, uri

import embws
import wire
from embws.sync import ClientConnection, ServerConnection, broadcast, connect

TEXT, BINARY, CONTINUATION = wire.TEXT, wire.BINARY, wire.CONTINUATION


@contextlib.contextmanager
def sent(*frames: Any, **arguments: Any) -> Iterator[ClientConnection]:
    """A client of a server that sends these frames, each when the client has said that it may."""

    def talk(sock: socket.socket) -> None:
        for opcode, payload, *fin in frames:
            sock.recv(4 + (sock.recv(2, socket.MSG_WAITALL)[1] & 0x7F), socket.MSG_WAITALL)  # a small frame
            sock.sendall(wire.frame(opcode, payload, fin=not fin or fin[0], mask=False))
        until_eof(sock)

    with raw_server(talk) as address:
        with connect(address, close_timeout=0.1, ping_interval=None, **arguments) as websocket:
            yield websocket


def test_parts_are_given_as_they_come() -> None:
    frames = [
        (TEXT, b"h\xc3", False),
        (wire.PING, b"between"),
        (CONTINUATION, b"\xa9", False),
        (CONTINUATION, b"", False),
        (CONTINUATION, b"!", True),
        (BINARY, b"next"),
    ]
    with sent(*frames) as websocket:
        parts = websocket.recv_streaming()
        websocket.send("1")
        assert next(parts) == "h"
        # The Pong for the Ping is what lets the server go on.
        websocket.send("2")
        assert next(parts) == "é"
        websocket.send("4")
        websocket.send("5")
        assert list(parts) == ["!"]
        websocket.send("6")
        assert websocket.recv(SECONDS) == b"next"


@pytest.mark.parametrize(
    ("opcode", "decode", "expected"),
    [
        (TEXT, None, "text"),
        (TEXT, False, b"text"),
        (BINARY, None, b"text"),
        (BINARY, True, "text"),
    ],
)
def test_parts_have_the_type_that_is_wanted(opcode: int, decode: Any, expected: Any) -> None:
    with sent((opcode, b"text"), (opcode, b"te", False), (CONTINUATION, b"xt"), (opcode, b"")) as websocket:
        websocket.send("1")
        assert list(websocket.recv_streaming(decode)) == [expected]
        parts: List[Any] = []
        for part in websocket.recv_streaming(decode) if websocket.send("2") is None else ():
            parts.append(part)
            if len(parts) == 1:
                websocket.send("3")
        assert parts == [expected[:2], expected[2:]]
        websocket.send("4")
        assert list(websocket.recv_streaming(decode)) == [expected[:0]], "an empty message is one empty part"


@pytest.mark.parametrize("ping", [(), ((wire.PING, b""), (wire.PONG, b""))], ids=["", "behind a Ping"])
@pytest.mark.parametrize(("opcode", "expected"), [(TEXT, ["ab", "c", "é"]), (BINARY, [b"ab", b"c", b"\xc3\xa9"])])
def test_what_has_come_of_a_message_before_is_its_first_part(opcode: int, expected: List[Any], ping: Any) -> None:
    rest = [(CONTINUATION, b"c", False), (CONTINUATION, b"\xc3\xa9")]
    with sent((opcode, b"a", False), (CONTINUATION, b"b", False), *ping, *rest) as websocket:
        websocket.send("1")
        websocket.send("2")
        soon(lambda: websocket.protocol._parts is not None and websocket.protocol._parts.getvalue() == b"ab")
        if ping:
            websocket.send("the Ping")  # and the Pong for it has the server send another one
        parts = websocket.recv_streaming()
        assert next(parts) == expected[0]
        websocket.send("3")
        assert next(parts) == expected[1]
        websocket.send("4")
        assert list(parts) == expected[2:]


def test_whole_messages_that_wait_are_given_as_one_part() -> None:
    with sent((TEXT, b"o", False), (CONTINUATION, b"ne"), (TEXT, b"two")) as websocket:
        for number in "123":
            websocket.send(number)
        soon(lambda: len(websocket._messages) == 2)
        assert list(websocket.recv_streaming()) == ["one"]
        assert websocket.recv(SECONDS) == "two"


def test_a_message_need_not_fit_into_memory() -> None:
    size = 64 << 20

    def handler(websocket: ServerConnection) -> None:
        websocket.send(bytes(size))
        websocket.send("behind")

    with running(handler) as address, connect(address, max_size=None, max_queue=4) as websocket:
        parts = websocket.recv_streaming()
        total, most = len(next(parts)), 0
        soon(lambda: websocket._full)  # the keeper has read, and then has stopped to
        for part in parts:
            most = max(most, websocket._waiting())
            total += len(part)
        assert total == size
        assert most < 20, "reading has gone on"
        assert websocket.recv(SECONDS) == "behind"


def test_max_size_limits_a_message_in_parts() -> None:
    with running(lambda websocket: websocket.send([bytes(600), bytes(600)])) as address:
        with connect(address, max_size=1000) as websocket:
            with pytest.raises(embws.ConnectionClosedError) as caught:
                list(websocket.recv_streaming())
            assert caught.value.sent_code == 1009


def test_the_rest_of_a_message_that_is_left_early_is_passed_over() -> None:
    with sent((TEXT, b"a", False), (CONTINUATION, b"b", False), (CONTINUATION, b"c"), (TEXT, b"next")) as websocket:
        websocket.send("1")
        for part in websocket.recv_streaming():
            assert part == "a"
            break
        for number in "234":
            websocket.send(number)
        assert websocket.recv(SECONDS) == "next"


def test_a_message_that_was_left_is_not_the_next_one() -> None:
    frames = [(TEXT, b"A1", False), (CONTINUATION, b"A2", False), (CONTINUATION, b"A3"), (TEXT, b"B"), (TEXT, b"C")]
    with sent(*frames) as websocket:
        websocket.send("1")
        for part in websocket.recv_streaming():
            assert part == "A1"
            break
        for number in "2345":
            websocket.send(number)
        assert list(websocket.recv_streaming()) == ["B"]
        assert websocket.recv(SECONDS) == "C"


def test_the_end_within_a_message_is_raised_behind_its_parts() -> None:
    def talk(sock: socket.socket) -> None:
        sock.sendall(wire.frame(TEXT, b"begun", fin=False, mask=False))

    with raw_server(talk) as address, connect(address) as websocket:
        parts = websocket.recv_streaming()
        assert next(parts) == "begun"
        with pytest.raises(embws.ConnectionClosedError) as caught:
            next(parts)
        assert caught.value.code == 1006
        with pytest.raises(embws.ConnectionClosedError):
            websocket.recv(SECONDS)


def test_data_that_is_no_text_is_an_error_and_passed_over() -> None:
    with sent((BINARY, b"a\xff", False), (CONTINUATION, b"c"), (TEXT, b"next")) as websocket:
        websocket.send("1")
        with pytest.raises(UnicodeDecodeError):
            list(websocket.recv_streaming(decode=True))
        for number in "23":
            websocket.send(number)
        assert websocket.recv(SECONDS) == "next"


def test_nobody_else_receives_within_a_message() -> None:
    with sent((TEXT, b"a", False), (CONTINUATION, b"b")) as websocket:
        websocket.send("1")
        parts = websocket.recv_streaming()
        assert next(parts) == "a"
        with pytest.raises(embws.StateError):
            websocket.recv()
        with pytest.raises(embws.StateError):
            next(websocket.recv_streaming())
        websocket.send("2")
        assert list(parts) == ["b"]
        with pytest.raises(TimeoutError):
            websocket.recv(timeout=0)


def test_pings_are_answered_between_two_parts() -> None:
    answered = threading.Event()

    def handler(websocket: ServerConnection) -> None:
        def two() -> Iterator[str]:
            yield "one"
            assert websocket.ping().wait(SECONDS)
            answered.set()
            yield "two"

        websocket.send(two())

    with running(handler) as address, connect(address) as websocket:
        parts = websocket.recv_streaming()
        assert next(parts) == "one"
        assert answered.wait(SECONDS)
        assert list(parts) == ["two"]


def test_all_of_a_message_is_received_whatever_its_size() -> None:
    def handler(websocket: ServerConnection) -> None:
        while (parts := list(websocket.recv_streaming())) != ["end"]:
            websocket.send(parts)

    message = "é€😀" * 100_000
    with running(handler, max_size=None) as address, connect(address, max_size=None) as websocket:
        for size in (1, 2, 3, 1000, 70_001, len(message)):
            websocket.send(message[:size])
            assert "".join(websocket.recv_streaming()) == message[:size]
            websocket.send([message[:size], "|", message[:size]])
            assert websocket.recv(SECONDS) == f"{message[:size]}|{message[:size]}"
        websocket.send("end")
        with pytest.raises(embws.ConnectionClosedOK):
            list(websocket.recv_streaming())


def test_broadcast_waits_for_nobody() -> None:
    with serving(lambda websocket: websocket.wait_closed() and None) as server:
        with connect(uri(server), max_size=None) as reader, connect(uri(server), max_size=None) as closed:
            slow = connect(uri(server), max_size=None, create_connection=WithoutKeeper)
            closed.close()
            soon(lambda: len(server.connections) == 2)
            broadcast(server.connections, bytes(16 << 20))
            broadcast(server.connections, "text", text=False)
            with pytest.raises(TypeError, match="message must be"):
                broadcast(server.connections, ["text"])  # type: ignore[arg-type]
            for websocket in (reader, slow):
                assert len(websocket.recv(SECONDS)) == 16 << 20
                assert websocket.recv(SECONDS) == b"text"
            slow.close()


def test_broadcast_does_not_enter_a_message_in_fragments() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def handler(websocket: ServerConnection) -> None:
        def parts() -> Iterator[str]:
            yield "one "
            begun.set()
            go_on.wait(SECONDS)
            yield "message"

        websocket.send(parts())

    found: List[Any] = []
    with serving(handler) as server, connect(uri(server)) as websocket:
        assert begun.wait(SECONDS)
        broadcast(server.connections, "another")
        go_on.set()
        receive(websocket, found)
    assert found == ["one message"]
