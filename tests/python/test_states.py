"""Every call in every state: it works, does nothing, or raises one exception of the tree.

What was received, and what waits to be sent, stays."""

from __future__ import annotations

import gc
import time
from typing import Any, Callable, Dict, List

import pytest

import embws
from embws import ClientProtocol, Data, ServerProtocol, State
from wire import BINARY, CONTINUATION, PING, REQUEST, TEXT, closing, frame

Make = Callable[[], ServerProtocol]


def new() -> ServerProtocol:
    return ServerProtocol()


def requested() -> ServerProtocol:
    protocol = ServerProtocol()
    protocol.receive_data(REQUEST)
    assert [type(event) for event in protocol.events()] == [embws.Request]
    return protocol


def open_() -> ServerProtocol:
    return ServerProtocol(handshake=False)


def close_sent() -> ServerProtocol:
    protocol = open_()
    protocol.close(1001, "away")
    protocol.data_to_send()
    return protocol


def close_seen() -> ServerProtocol:
    protocol = ServerProtocol(handshake=False, manual_close=True)
    protocol.receive_data(closing(1000, "bye"))
    assert list(protocol.events()) == [embws.Close(1000, "bye")]
    return protocol


def closed() -> ServerProtocol:
    protocol = open_()
    protocol.receive_data(closing(3000, "bye"))
    list(protocol.events())
    protocol.data_to_send()
    return protocol


def failed() -> ServerProtocol:
    protocol = open_()
    protocol.receive_data(b"\xff\x80\x00\x00\x00\x00")
    protocol.data_to_send()
    return protocol


def ended() -> ServerProtocol:
    protocol = open_()
    protocol.receive_eof()
    return protocol


def rejected() -> ServerProtocol:
    protocol = requested()
    protocol.reject(404)
    protocol.data_to_send()
    return protocol


def bad_request() -> ServerProtocol:
    protocol = ServerProtocol()
    protocol.receive_data(b"POST / HTTP/1.1\r\n\r\n")
    protocol.data_to_send()
    return protocol


SEND: Dict[str, Callable[[Any], None]] = {
    "send_text": lambda protocol: protocol.send_text("x"),
    "send_binary": lambda protocol: protocol.send_binary(b"x"),
    "send_large": lambda protocol: protocol.send_binary(bytes(100_000)),
    "ping": lambda protocol: protocol.ping(b"x"),
    "pong": lambda protocol: protocol.pong(b"x"),
}


@pytest.mark.parametrize("name", SEND)
@pytest.mark.parametrize("make", [new, requested], ids=lambda make: make.__name__)
def test_nothing_is_sent_before_the_connection_is_open(make: Make, name: str) -> None:
    protocol = make()
    with pytest.raises(embws.StateError):
        SEND[name](protocol)
    with pytest.raises(embws.StateError):
        protocol.close()
    assert protocol.data_to_send() == b"" and protocol.state is State.CONNECTING


@pytest.mark.parametrize("name", SEND)
@pytest.mark.parametrize(
    ("make", "code", "sent_code"),
    [(close_sent, 1006, 1001), (closed, 3000, 3000), (failed, 1006, 1002), (ended, 1006, None)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_nothing_is_sent_after_the_end(make: Make, code: int, sent_code: Any, name: str) -> None:
    protocol = make()
    if name == "pong" and make is close_sent:
        pytest.skip("a Pong may follow our Close: the peer can still ask")
    with pytest.raises(embws.ConnectionClosedError) as caught:
        SEND[name](protocol)
    assert (caught.value.code, caught.value.sent_code) == (code, sent_code)
    assert protocol.data_to_send() == b""


@pytest.mark.parametrize("name", SEND)
@pytest.mark.parametrize("make", [rejected, bad_request], ids=lambda make: make.__name__)
def test_nothing_is_sent_after_a_refusal(make: Make, name: str) -> None:
    protocol = make()
    with pytest.raises((embws.StateError, embws.ConnectionClosed)):
        SEND[name](protocol)
    assert protocol.data_to_send() == b""


def test_a_message_may_not_follow_the_peers_close_but_one_close_must() -> None:
    protocol = close_seen()
    with pytest.raises(embws.ConnectionClosedOK):
        protocol.send_text("x")
    assert protocol.data_to_send() == b"" and protocol.state is State.CLOSING
    protocol.close(1000)
    assert protocol.data_to_send() == b"\x88\x02\x03\xe8" and protocol.state is State.CLOSED


@pytest.mark.parametrize("make", [close_sent, closed, failed, ended], ids=lambda make: make.__name__)
def test_a_close_where_none_is_left_to_send_does_nothing(make: Make) -> None:
    protocol = make()
    state = protocol.state
    protocol.close(1000, "again")
    protocol.fail(1011, "again")
    assert protocol.data_to_send() == b"" and protocol.state is state


def test_a_close_is_not_confused_by_what_another_object_has_sent() -> None:
    one, other = close_sent(), open_()
    other.send_text("of the other")
    other.data_to_send()
    one.close()
    assert one.data_to_send() == b""


@pytest.mark.parametrize("make", [new, open_, closed, failed, rejected, bad_request], ids=lambda make: make.__name__)
def test_an_answer_without_a_request_is_refused(make: Make) -> None:
    protocol = make()
    with pytest.raises((embws.StateError, embws.ConnectionClosed)):
        protocol.accept()
    with pytest.raises((embws.StateError, embws.ConnectionClosed)):
        protocol.reject(404)
    assert protocol.data_to_send() == b"" and protocol.subprotocol is None


def test_a_second_answer_is_refused_and_the_first_one_stays() -> None:
    protocol = requested()
    protocol.accept("chat")
    protocol.data_to_send()
    for answer in (lambda: protocol.accept("superchat"), lambda: protocol.reject(500)):
        with pytest.raises(embws.StateError):
            answer()
    assert protocol.data_to_send() == b"" and protocol.state is State.OPEN and protocol.subprotocol == "chat"


def test_within_an_unfinished_message_only_its_parts_and_control_frames_are_sent() -> None:
    protocol = open_()
    protocol.send_text("a", fin=False)
    with pytest.raises(embws.StateError, match="message"):
        protocol.send_binary(b"x")
    with pytest.raises(embws.StateError, match="message"):
        protocol.send_binary(bytes(100_000))
    protocol.ping(b"p")
    protocol.send_text("b", fin=False)
    protocol.send_continuation(b"c")
    with pytest.raises(embws.StateError, match="message"):
        protocol.send_continuation(b"d")
    assert protocol.data_to_send() == b"\x01\x01a\x89\x01p\x00\x01b\x80\x01c"


@pytest.mark.parametrize(
    "make", [lambda: ServerProtocol(handshake=False), lambda: ClientProtocol(None)], ids=["server", "client"]
)
@pytest.mark.parametrize("size", [0, 125, 126, 65_521, 65_522, 65_523, 65_535, 65_536, 65_537, 131_072, 1_000_003])
def test_large_payloads_arrive_as_they_were_sent_between_small_ones(make: Any, size: int) -> None:
    sender = make()
    receiver: Any = ClientProtocol(None, max_size=None)
    if isinstance(sender, ClientProtocol):
        receiver = ServerProtocol(handshake=False, max_size=None)
    data = bytes(i * 7 & 0xFF for i in range(1009)) * (size // 1009 + 1)
    text = "é" * (size // 2)
    sender.send_text("before")
    sender.send_binary(data[:size], fin=False)
    sender.ping(b"between")
    sender.send_continuation(data[:size])
    sender.send_text(text)
    sender.send_binary(b"behind")
    for buffer in sender.buffers_to_send():
        receiver.receive_data(buffer)
    assert list(receiver.messages()) == ["before", data[:size] * 2, text, b"behind"]
    assert sender.data_to_send() == b"" and sender.buffers_to_send() == []


def test_buffers_to_send_are_what_data_to_send_gives_and_copy_no_large_payload() -> None:
    one, other, payload = open_(), open_(), bytes(1 << 20)
    for protocol in (one, other):
        protocol.ping(b"x")
        protocol.send_binary(payload)
        protocol.close()
    buffers = one.buffers_to_send()
    assert any(buffer is payload for buffer in buffers)
    assert b"".join(buffers) == other.data_to_send()


def test_a_loop_that_is_left_early_loses_nothing() -> None:
    protocol = open_()
    frames = b"".join(frame(TEXT, bytes((97 + i,))) for i in range(6))
    protocol.receive_data(frames)
    got: List[Any] = []
    for event in protocol.events():
        got.append(event)
        if len(got) == 2:
            break
    for message in protocol.messages():
        got.append(message)
        break
    got.append(next(iter(protocol.events())))
    got += protocol.messages()
    assert [getattr(item, "data", item) for item in got] == ["a", "b", "c", "d", "e", "f"]


def test_an_exception_of_the_users_within_the_loop_loses_nothing() -> None:
    protocol = open_()
    protocol.receive_data(frame(TEXT, b"a") + frame(TEXT, b"b") + frame(TEXT, b"c"))
    with pytest.raises(ZeroDivisionError):
        for _ in protocol.events():
            raise ZeroDivisionError
    assert list(protocol.messages()) == ["b", "c"]


def test_events_that_arrive_within_the_loop_come_behind_the_others() -> None:
    protocol = open_()
    protocol.receive_data(frame(TEXT, b"a") + frame(TEXT, b"b"))
    got = []
    for _ in range(2):  # by the same loop or by the next one
        for event in protocol.events():
            got.append(as_text(event))
            if got[-1] in ("a", "b"):
                protocol.receive_data(frame(TEXT, b"after " + got[-1].encode()))
    assert got == ["a", "b", "after a", "after b"]


def test_events_that_are_not_taken_wait_whatever_else_happens() -> None:
    protocol, other = open_(), open_()
    expected = []
    for i in range(100):
        protocol.receive_data(frame(TEXT, b"message %d" % i) + frame(PING, b"%d" % i))
        other.receive_data(frame(BINARY, bytes(70_000)))
        other.send_binary(bytes(70_000))
        expected += [Data(f"message {i}", True, True, True), embws.Ping(b"%d" % i)]
    assert list(protocol.events()) == expected
    assert protocol.data_to_send() == b"".join(frame(10, b"%d" % i, mask=False) for i in range(100))


def test_messages_between_events_pass_over_no_more_than_the_message_that_was_begun() -> None:
    protocol = open_()
    protocol.receive_data(frame(TEXT, b"be", fin=False))
    assert list(protocol.events()) == [Data(b"be", True, True, False)]
    protocol.receive_data(frame(PING) + frame(CONTINUATION, b"gun") + frame(TEXT, b"whole"))
    assert list(protocol.messages()) == ["whole"]


def test_the_events_before_a_violation_come_first_and_the_violation_stays() -> None:
    protocol = open_()
    protocol.receive_data(frame(TEXT, b"good") + frame(3) + frame(TEXT, b"never"))
    got: List[Any] = []
    with pytest.raises(embws.ProtocolError) as caught:
        for message in protocol.messages():
            got.append(message)
    assert got == ["good"]
    assert (caught.value.rule, caught.value.offset, caught.value.code) == (41, 10, 1002)
    assert caught.value.section.startswith("RFC 6455") and caught.value.header[:1] == b"\x83"
    for again in (protocol.events, protocol.messages):
        with pytest.raises(embws.ProtocolError) as more:
            list(again())
        assert more.value is caught.value
    assert protocol.failure is caught.value and protocol.state is State.FAILED and protocol.close_expected()


def test_a_violation_that_is_raised_often_keeps_no_old_stacks() -> None:
    protocol = failed()
    depths = []
    for _ in range(50):
        with pytest.raises(embws.ProtocolError) as caught:
            list(protocol.events())
        depth, traceback = 0, caught.value.__traceback__
        while traceback is not None:
            depth, traceback = depth + 1, traceback.tb_next
        depths.append(depth)
    assert max(depths) < 10, "the traceback of the same exception grows with each raise"


def test_what_arrives_after_the_end_of_the_transport_is_refused_or_dropped() -> None:
    protocol = ended()
    try:
        protocol.receive_data(frame(TEXT, b"late"))
    except embws.EmbwsError:
        pass
    assert list(protocol.events()) == [] and protocol.data_to_send() == b""
    assert protocol.close_code == 1006 and protocol.state is State.CLOSED


def test_the_end_of_the_transport_is_told_once() -> None:
    for make, code in ((closed, 3000), (ended, 1006), (failed, 1006)):
        protocol = make()
        protocol.receive_eof()
        protocol.receive_eof()
        assert protocol.close_code == code
        assert protocol.close_expected()


def test_an_end_within_the_handshake_is_an_invalid_handshake() -> None:
    for protocol in (ServerProtocol(), ClientProtocol("ws://example.com/")):
        protocol.data_to_send()
        protocol.receive_data(b"H" if isinstance(protocol, ClientProtocol) else b"G")
        protocol.receive_eof()
        with pytest.raises(embws.InvalidHandshake) as caught:
            list(protocol.events())
        assert caught.value.rule == 38


def test_every_ping_is_answered_however_many_arrive_at_once() -> None:
    pings = b"".join(frame(PING, b"%0125d" % i) for i in range(4000))
    protocol = open_()
    protocol.receive_data(pings)
    whole = protocol.data_to_send()
    for i in range(0, len(pings), 4096):
        protocol.receive_data(pings[i : i + 4096])
    assert whole == protocol.data_to_send(), "it depends on how the bytes arrive"


def test_the_refusal_of_a_server_is_told_with_its_response() -> None:
    client = ClientProtocol("ws://example.com/")
    client.data_to_send()
    client.receive_data(b"HTTP/1.1 403 Forbidden\r\nX-Why: because\r\nContent-Length: 4\r\n\r\nstop")
    with pytest.raises(embws.InvalidStatus) as caught:
        list(client.events())
    response = caught.value.response
    assert (response.status_code, response.headers["X-Why"], response.body) == (403, "because", b"stop")
    assert client.state is State.FAILED


def test_the_body_of_a_refusal_does_not_depend_on_how_it_arrives() -> None:
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nstop"
    bodies = set()
    for size in (1, 7, len(refusal)):
        client = ClientProtocol("ws://example.com/")
        for at in range(0, len(refusal), size):
            client.receive_data(refusal[at : at + size])
        client.receive_eof()
        with pytest.raises(embws.InvalidStatus) as caught:
            list(client.events())
        bodies.add(caught.value.response.body)
    assert bodies == {b"stop"}


def test_a_flood_before_the_answer_costs_its_own_bytes_and_not_their_square() -> None:
    protocol = requested()
    piece = frame(BINARY, bytes(1000))
    begin = time.process_time()
    for _ in range(20_000):
        protocol.receive_data(piece)
        assert time.process_time() - begin < 10  # seconds; a hundredth of that is enough
    protocol.accept()
    assert sum(1 for _ in protocol.messages()) == 20_000


def test_plain_requests_are_answered_one_after_the_other() -> None:
    protocol = ServerProtocol()
    protocol.receive_data(b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n" + REQUEST + frame(TEXT, b"hello"))
    got: List[Any] = []
    for event in protocol.events():
        got.append(event)
        if isinstance(event, embws.Request):
            if event.upgrade:
                protocol.accept()
            else:
                protocol.reject(200, "the page", close=False)
    assert [event.path for event in got[:2]] == ["/page", "/chat?room=1"]
    assert [event.upgrade for event in got[:2]] == [False, True]
    assert got[2:] == [Data("hello", True, True, True)]
    assert protocol.request is got[1]


def test_both_ends_shake_hands_talk_and_close() -> None:
    client = ClientProtocol(
        "ws://user:secret@example.com:8080/chat?room=1",
        origin="http://example.com",
        subprotocols=["superchat", "chat"],
        additional_headers={"X-Tag": "caf\xe9"},
    )
    server = ServerProtocol()
    server.receive_data(client.data_to_send())
    (request,) = server.events()
    assert isinstance(request, embws.Request) and request.upgrade
    assert (request.path, request.host, request.origin) == ("/chat?room=1", "example.com:8080", "http://example.com")
    assert request.subprotocols == ("superchat", "chat")
    assert request.headers["x-tag"] == "caf\xe9"
    assert request.headers["Authorization"] == "Basic dXNlcjpzZWNyZXQ="
    server.accept("chat", {"X-Reply": "yes"})
    client.receive_data(server.data_to_send())
    (response,) = client.events()
    assert isinstance(response, embws.Response) and client.response is response
    assert (response.status_code, response.subprotocol, response.headers["x-reply"]) == (101, "chat", "yes")
    assert client.subprotocol == server.subprotocol == "chat"
    client.send_text("héllo")
    server.receive_data(client.data_to_send())
    assert list(server.messages()) == ["héllo"]
    server.close(1001, "going away")
    client.receive_data(server.data_to_send())
    assert list(client.events()) == [embws.Close(1001, "going away")]
    assert (client.close_code, client.close_reason, client.state) == (1001, "going away", State.CLOSED)
    server.receive_data(client.data_to_send())
    assert (server.close_code, server.state) == (1001, State.CLOSED)
    assert isinstance(client.close_exc, embws.ConnectionClosedOK)


@pytest.mark.parametrize("make", [closed, failed, rejected, bad_request], ids=lambda make: make.__name__)
def test_what_arrives_after_the_end_is_dropped(make: Make) -> None:
    protocol = make()
    before = protocol.state
    first: Any = None
    for data in (b"x", frame(TEXT, b"late"), REQUEST, closing(1000), bytes(300_000)):
        protocol.receive_data(data)
        protocol.get_buffer()[:4] = b"late"
        protocol.buffer_updated(4)
        try:
            assert list(protocol.events()) == []
        except (embws.ProtocolError, embws.InvalidHandshake) as error:
            assert first in (None, error)
            first = error
    assert (protocol.failure is not None) == (first is not None)
    assert protocol.data_to_send() == b"" and protocol.state is before


def test_bytes_behind_a_request_wait_for_the_answer_however_they_arrive() -> None:
    behind = frame(TEXT, b"early") + frame(PING, b"bird")
    for size in (1, 5, len(REQUEST) - 1, len(REQUEST), len(REQUEST) + 3, 10_000):
        protocol = ServerProtocol()
        data = REQUEST + behind
        for at in range(0, len(data), size):
            protocol.receive_data(data[at : at + size])
        (request,) = protocol.events()
        assert request is protocol.request
        protocol.accept()
        assert list(protocol.events()) == [Data("early", True, True, True), embws.Ping(b"bird")]
        assert protocol.data_to_send().endswith(b"\r\n\r\n\x8a\x04bird")


def test_bytes_behind_the_answer_are_the_connections() -> None:
    server, client = ServerProtocol(), ClientProtocol("ws://example.com/")
    server.receive_data(client.data_to_send())
    list(server.events())
    server.accept()
    server.send_text("at once")
    server.ping(b"too")
    client.receive_data(server.data_to_send())
    response, *rest = client.events()
    assert isinstance(response, embws.Response)
    assert rest == [Data("at once", True, True, True), embws.Ping(b"too")]


def test_pieces_of_text_are_bytes_and_whole_text_is_str() -> None:
    protocol = open_()
    text = "\u20ac uro"
    data = frame(TEXT, text.encode())
    protocol.receive_data(data[:7])  # within the first character
    (begin,) = protocol.events()
    assert isinstance(begin, Data)
    protocol.receive_data(data[7:])
    (end,) = protocol.events()
    assert isinstance(end, Data) and isinstance(begin.data, bytes) and isinstance(end.data, bytes)
    assert (begin.first, begin.last, end.first, end.last) == (True, False, False, True)
    assert not begin.whole and (begin.data + end.data).decode() == text


def test_manual_answers_are_left_to_the_user() -> None:
    protocol = ServerProtocol(handshake=False, manual_pong=True, manual_close=True)
    protocol.receive_data(frame(PING, b"x"))
    assert list(protocol.events()) == [embws.Ping(b"x")]
    assert protocol.data_to_send() == b""
    protocol.pong(b"x")
    protocol.receive_data(closing(1000, "bye"))
    assert list(protocol.events()) == [embws.Close(1000, "bye")]
    assert (protocol.close_code, protocol.close_reason) == (1000, "bye")
    assert not protocol.close_expected()
    protocol.close(1000)
    assert protocol.data_to_send() == b"\x8a\x01x\x88\x02\x03\xe8"
    assert protocol.close_expected() and protocol.state is State.CLOSED


@pytest.mark.parametrize("count", [1, 2, 1023, 1024, 1025, 1026, 2047, 2048, 2049, 5000])
def test_any_number_of_frames_arrive_at_once(count: int) -> None:
    """More than there is room for in one call, and exactly one more."""
    data = b"".join(frame(TEXT, b"%d" % i) for i in range(count))
    for piece in (len(data), 40_000):
        one, other = open_(), open_()
        for at in range(0, len(data), piece):
            one.receive_data(data[at : at + piece])
            other.receive_data(data[at : at + piece])
        assert list(one.messages()) == [str(i) for i in range(count)]
        assert "".join(str(as_text(event)) for event in other.events()) == "".join(str(i) for i in range(count))


def as_text(event: object) -> str:
    assert isinstance(event, Data)
    return event.data if isinstance(event.data, str) else event.data.decode()


def test_a_control_frame_that_arrives_in_two_pieces_is_followed_by_what_stands_behind_it() -> None:
    ping = frame(PING, b"in two pieces")
    for cut in range(1, len(ping)):
        for behind in (
            frame(TEXT, b"behind"),
            frame(TEXT, b"behind")[:8],
            frame(PING, b"behind"),
            closing(1000, "behind"),
        ):
            protocol = open_()
            protocol.receive_data(frame(TEXT, b"before") + ping[:cut])
            protocol.receive_data(ping[cut:] + behind)
            before, pinged, after = protocol.events()
            assert before == Data("before", True, True, True) and pinged == embws.Ping(b"in two pieces")
            if isinstance(after, embws.Close):
                assert after == embws.Close(1000, "behind")
            elif isinstance(after, embws.Ping):
                assert after == embws.Ping(b"behind")
            else:
                assert as_text(after) in ("behind", "be"), after


def test_more_than_the_scratch_memory_arrives_at_once() -> None:
    parts = [bytes((i,)) * (70_000 + i) for i in range(12)]
    data = b"".join(frame(BINARY, part) + frame(PING, b"%d" % i) for i, part in enumerate(parts))
    protocol = ServerProtocol(handshake=False)
    protocol.receive_data(data)
    assert protocol.data_to_send() == b"".join(frame(10, b"%d" % i, mask=False) for i in range(12))
    assert list(protocol.messages()) == parts


def test_mixing_events_and_messages_never_mixes_connections() -> None:
    """Of a message that events() has begun to give, messages() gives nothing, and what it drops goes nowhere else."""
    alice, bob = open_(), open_()
    alice.receive_data(frame(TEXT, b"alice's ", fin=False) + frame(0, b"password") + frame(TEXT, b"ok"))
    for _ in alice.events():
        break
    assert list(alice.messages()) == ["ok"]
    bob.receive_data(frame(TEXT, b"hello from ", fin=False))
    bob.receive_data(frame(0, b"bob"))
    assert list(bob.messages()) == ["hello from bob"]


def test_events_that_are_asked_for_and_not_taken_cost_no_message() -> None:
    protocol = open_()
    protocol.receive_data(frame(TEXT, b"A", fin=False))
    assert list(protocol.messages()) == []
    protocol.receive_data(frame(0, b"B", fin=False) + frame(0, b"C") + frame(TEXT, b"D"))
    protocol.events()
    assert list(protocol.messages()) == ["ABC", "D"]


def test_a_client_that_has_gone_cannot_be_accepted() -> None:
    protocol = requested()
    protocol.receive_data(frame(TEXT, b"early"))
    protocol.receive_eof()
    with pytest.raises(embws.ConnectionClosed):
        protocol.accept()
    with pytest.raises(embws.InvalidHandshake):
        list(protocol.events())


def test_a_large_refusal_ends_the_connection() -> None:
    """More than one call of the library writes: the state is that of the last one."""
    protocol = ServerProtocol()
    protocol.receive_data(REQUEST)
    list(protocol.events())
    protocol.reject(403, bytes(4 << 20))
    assert protocol.close_expected() and protocol.state is embws.State.CLOSED
    assert len(protocol.data_to_send()) > 4 << 20


@pytest.mark.parametrize("how", ["messages", "events", "views"])
def test_iterators_that_live_side_by_side_lose_nothing(how: str) -> None:
    protocol, got = ServerProtocol(handshake=False), []

    def take(source: Any) -> None:
        item = next(source)
        got.append(item if isinstance(item, str) else bytes(getattr(item, "data", item)).decode())

    protocol.receive_data(frame(BINARY, b"1"))
    protocol.receive_data(frame(BINARY, b"2"))
    first = getattr(protocol, how)()
    take(first)
    take(first)
    protocol.receive_data(frame(BINARY, b"3") + frame(BINARY, b"4"))
    second = getattr(protocol, how)()
    take(second)
    del second
    protocol.receive_data(frame(BINARY, b"5"))
    for item in first:
        got.append(bytes(getattr(item, "data", item)).decode())
    assert [text.strip("b'") for text in got] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("size", [8192, 8193, 8194, 65_536, 131_058])
def test_a_long_message_in_one_read_keeps_its_place(size: int, text: bool) -> None:
    """It goes another way than short ones and pieces do, and must not overtake them. 131,058 bytes are the most for one
    read into get_buffer(); a text ends with a character of two bytes."""
    protocol = ServerProtocol(handshake=False)
    payload = b"x" * (size - 2) + "é".encode()
    long = frame(TEXT if text else BINARY, payload)
    reads = [frame(BINARY, b"part", fin=False), frame(CONTINUATION, b" and rest"), long, frame(BINARY, b"short"), long]
    for data in reads:
        protocol.get_buffer()[: len(data)] = data
        protocol.buffer_updated(len(data))
    whole = payload.decode() if text else payload
    assert list(protocol.messages()) == [b"part and rest", whole, b"short", whole]


@pytest.mark.parametrize("how", ["events", "views"])
def test_what_messages_has_put_together_begins_what_events_gives(how: str) -> None:
    protocol = ServerProtocol(handshake=False)
    protocol.receive_data(frame(TEXT, b"AAAA\xc3", fin=False))
    assert list(protocol.messages()) == []
    protocol.receive_data(frame(CONTINUATION, b"\xa9BBBB"))
    (item,) = getattr(protocol, how)()
    data = item.data if isinstance(item.data, str) else bytes(item.data).decode()
    assert (data, item.text, item.first, item.last) == ("AAAAéBBBB", True, True, True)


def test_a_finalizer_may_use_another_protocol_object_within_a_call() -> None:
    """Memory is shared by the objects of a thread, and a collection can come between any two steps."""

    class Other:
        def __init__(self) -> None:
            self.me, self.protocol = self, ServerProtocol(handshake=False)

        def __del__(self) -> None:
            self.protocol.send_text("SECRET of another connection")
            self.protocol.receive_data(frame(TEXT, b"SECRET") * 3)
            list(self.protocol.messages())

    thresholds = gc.get_threshold()
    gc.set_threshold(50)
    try:
        for _ in range(3000):
            Other()
            protocol = ServerProtocol(handshake=False)
            protocol.receive_data(frame(TEXT, b"a") + frame(TEXT, b"b") + frame(PING, b"p") + closing(1000))
            assert [event.data for event in protocol.events() if isinstance(event, Data)] == ["a", "b"]
            assert protocol.data_to_send() == b"\x8a\x01p\x88\x02\x03\xe8"
    finally:
        gc.set_threshold(*thresholds)
        gc.collect()  # what is left must not fail in another test


def test_the_parts_of_a_text_are_utf_8_and_may_be_cut_anywhere() -> None:
    protocol = ServerProtocol(handshake=False)
    protocol.send_text("ok", fin=False)
    protocol.send_continuation(b"\xc3", fin=False)
    with pytest.raises(ValueError, match="data is no UTF-8"):
        protocol.send_continuation(b"\xff", fin=False)
    with pytest.raises(ValueError, match="data is no UTF-8"):
        protocol.send_continuation(b"", fin=True)
    protocol.send_continuation(b"\xa9", fin=True)
    assert protocol.data_to_send() == b"\x01\x02ok\x00\x01\xc3\x80\x01\xa9"
    protocol.send_binary(b"any", fin=False)
    protocol.send_continuation(b"\xff", fin=True)
