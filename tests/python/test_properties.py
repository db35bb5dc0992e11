"""Properties that hold for all messages, splits and bytes; hypothesis looks for one that breaks them."""

from __future__ import annotations

from typing import Any, List, Tuple, Union

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import embws
from embws import ClientProtocol, ServerProtocol
from embws.uri import parse_uri
from wire import BINARY, CLOSE, CONTINUATION, PING, PONG, REQUEST, TEXT, frame

settings.register_profile(
    "embws", deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.load_profile("embws")

texts = st.text(max_size=300)
payloads = st.binary(max_size=300) | st.integers(0, 140_000).map(bytes)
controls = st.binary(max_size=125)
#: what one end says: (name, arguments); a message in parts is a list of its parts
Said = Tuple[str, Any]
parts = st.lists(st.binary(max_size=100), min_size=1, max_size=5)
said = st.one_of(
    st.tuples(st.just("text"), texts),
    st.tuples(st.just("binary"), payloads),
    st.tuples(st.just("ping"), controls),
    st.tuples(st.just("pong"), controls),
    st.tuples(st.just("parts"), st.tuples(parts, st.lists(controls, max_size=5))),
    st.tuples(st.just("text parts"), st.lists(texts, min_size=1, max_size=5)),
)
roles = st.sampled_from(["server", "client"])


def pair(sender: str) -> Tuple[embws.Protocol, embws.Protocol]:
    server, client = ServerProtocol(handshake=False), ClientProtocol(None)
    return (server, client) if sender == "server" else (client, server)


def say(protocol: embws.Protocol, what: Said) -> None:
    name, value = what
    if name == "text":
        protocol.send_text(value)
    elif name == "binary":
        protocol.send_binary(value)
    elif name == "ping":
        protocol.ping(value)
    elif name == "pong":
        protocol.pong(value)
    elif name == "parts":
        pieces, between = value
        protocol.send_binary(pieces[0], fin=len(pieces) == 1)
        for i, piece in enumerate(pieces[1:], 2):
            for data in between:
                protocol.ping(data)
            protocol.send_continuation(piece, fin=i == len(pieces))
    else:
        for i, piece in enumerate(value, 1):
            protocol.send_text(piece, fin=i == len(value))


def message_of(what: Said) -> "List[Union[str, bytes]]":
    name, value = what
    if name in ("ping", "pong"):
        return []
    if name == "parts":
        return [b"".join(value[0])]
    return ["".join(value)] if name == "text parts" else [value]


def cut(data: bytes, places: List[float]) -> List[bytes]:
    at = sorted({int(place * len(data)) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in zip(at, at[1:], strict=False)]


places = st.lists(st.floats(0, 1, exclude_max=True), max_size=12)


@given(roles, st.lists(said, max_size=8), places)
def test_what_one_end_says_the_other_hears_however_it_arrives(
    role: str, conversation: List[Said], where: List[float]
) -> None:
    sender, receiver = pair(role)
    for what in conversation:
        say(sender, what)
    heard: List[Any] = []
    for piece in cut(sender.data_to_send(), where):
        receiver.receive_data(piece)
        heard += receiver.messages()
    assert heard == [message for what in conversation for message in message_of(what)]


def all_events(protocol: embws.Protocol, pieces: List[bytes]) -> Tuple[List[Any], Any, bytes]:
    """What is found, its pieces of a message put together, the failure, and what is sent."""
    found: List[Any] = []
    failure, sent = None, b""
    for piece in pieces:
        protocol.receive_data(piece)
        try:
            for event in protocol.events():
                if not isinstance(event, embws.Data):
                    found.append(event)
                    continue
                data = event.data.encode() if isinstance(event.data, str) else event.data
                if not event.first and found and isinstance(found[-1], list) and not found[-1][2]:
                    found[-1][1] += data
                    found[-1][2] = event.last
                else:
                    found.append([event.text, data, event.last, event.first])
        except embws.ProtocolError as error:
            assert failure in (None, error), "the failure stays"
            failure = error
        sent += protocol.data_to_send()
    told = failure and (failure.rule, failure.offset, failure.code, str(failure), failure.header)
    return found, told, sent


valid = st.builds(
    frame,
    st.sampled_from([TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG, 3, 11]),
    st.binary(max_size=140) | st.text(max_size=40).map(str.encode),
    fin=st.booleans(),
)
streams = st.lists(valid | st.binary(max_size=20), max_size=6).map(b"".join) | st.binary(max_size=200)


@given(streams, places)
@example(frame(TEXT, b"\xc3", fin=False) + frame(CONTINUATION, b"\xa9"), [0.5])
def test_any_bytes_end_in_events_or_one_failure_and_no_split_changes_that(data: bytes, where: List[float]) -> None:
    whole = all_events(ServerProtocol(handshake=False), [data])
    assert all_events(ServerProtocol(handshake=False), cut(data, where)) == whole
    assert all_events(ServerProtocol(handshake=False), [data[i : i + 1] for i in range(len(data))]) == whole


@given(streams)
def test_messages_are_those_of_the_events(data: bytes) -> None:
    found, failure, _ = all_events(ServerProtocol(handshake=False), [data])
    protocol, got, failed = ServerProtocol(handshake=False), [], None
    protocol.receive_data(data)
    try:
        got.extend(protocol.messages())
    except embws.ProtocolError as error:
        failed = error
    # Control frames may stand between the parts of a message.
    expected: List[Union[str, bytes]] = []
    open_: bytes = b""
    for item in found:
        if isinstance(item, list):
            text, piece, last, first = item
            open_ = piece if first else open_ + piece
            if last:
                expected.append(open_.decode() if text else open_)
    assert got == expected
    assert (failed is None) == (failure is None)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("feed"), st.integers(1, 4)),
        st.tuples(st.just("events"), st.integers(0, 4)),
        st.tuples(st.just("messages"), st.integers(0, 4)),
        st.tuples(st.just("views"), st.integers(0, 4)),
    ),
    max_size=30,
)


@given(st.lists(st.sampled_from([TEXT, BINARY, PING]), max_size=30), steps)
def test_each_message_is_given_once_and_in_order_however_the_loops_are_left(kinds: List[int], todo: List[Said]) -> None:
    """Loops over events(), messages() and views() by turns, each left after some rounds."""
    protocol = ServerProtocol(handshake=False)
    frames = [frame(kind, b"%d" % i) for i, kind in enumerate(kinds)]
    wanted = [str(i) if kind == TEXT else b"%d" % i for i, kind in enumerate(kinds) if kind != PING]
    got: List[Any] = []
    fed = 0
    for name, count in [*todo, ("feed", len(frames)), ("events", 1000)]:
        if name == "feed":
            protocol.receive_data(b"".join(frames[fed : fed + count]))
            fed += count
            continue
        source: Any = getattr(protocol, name)()
        for _, item in zip(range(count), source, strict=False):
            if not isinstance(item, embws.Ping):
                if isinstance(item, embws.View):
                    item = str(item.data, "utf-8") if item.text else bytes(item.data)
                got.append(item.data if isinstance(item, embws.Data) else item)
    assert got == wanted


heads = st.one_of(
    st.binary(max_size=300),
    st.tuples(st.binary(max_size=20), st.integers(0, len(REQUEST) - 1)).map(
        lambda t: REQUEST[: t[1]] + t[0] + REQUEST[t[1] :]
    ),
    st.tuples(st.integers(0, 20), st.integers(0, len(REQUEST) - 1)).map(
        lambda t: REQUEST[: t[1]] + REQUEST[t[1] + t[0] :]
    ),
)


@given(heads, places)
def test_any_head_is_a_request_or_a_refusal_or_unfinished(data: bytes, where: List[float]) -> None:
    results = []
    for pieces in ([data], cut(data, where), [data[i : i + 1] for i in range(len(data))]):
        protocol, found, failure = ServerProtocol(), [], None
        for piece in pieces:
            protocol.receive_data(piece)
            try:
                found += list(protocol.events())
            except embws.InvalidHandshake as error:
                failure = (error.rule, error.offset, str(error))
        sent = protocol.data_to_send()
        assert bool(failure) == sent.startswith(b"HTTP/1.1 4") or sent.startswith(b"HTTP/1.1 505")
        results.append((found, failure, sent))
    assert results[0] == results[1] == results[2]


@given(st.binary(max_size=300), places)
def test_any_answer_is_a_response_or_a_failure_or_unfinished(data: bytes, where: List[float]) -> None:
    results = []
    for start in (b"", b"HTTP/1.1 101 Switching Protocols\r\n"):
        for pieces in ([start + data], cut(start + data, where)):
            client, failure = ClientProtocol("ws://example.com/"), None
            client.data_to_send()
            for piece in pieces:
                client.receive_data(piece)
                try:
                    assert list(client.events()) == []
                except embws.InvalidHandshake as error:
                    failure = (error.rule, error.offset, str(error))
            results.append(failure)
    assert results[0] == results[1] and results[2] == results[3]


tokens = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!#$%&'*+^`|~", min_size=1, max_size=20
)
visible = st.text([chr(i) for i in (*range(0x21, 0x7F), *range(0x80, 0x100))], min_size=1, max_size=30)
values = st.lists(visible, max_size=3).map(" ".join)


@given(st.lists(st.tuples(tokens.map(lambda name: "X-" + name), values), max_size=8))
def test_header_fields_arrive_as_they_were_given_both_ways(fields: List[Tuple[str, str]]) -> None:
    client, server = ClientProtocol("ws://example.com/", additional_headers=fields), ServerProtocol()
    server.receive_data(client.data_to_send())
    (request,) = server.events()
    assert isinstance(request, embws.Request)
    assert [field for field in request.headers.raw_items() if field[0].startswith("X-")] == fields
    for name, value in fields:
        assert value in request.headers.get_all(name.upper())
        assert name.lower() in request.headers
    server.accept(headers=fields)
    client.receive_data(server.data_to_send())
    (response,) = client.events()
    assert isinstance(response, embws.Response)
    assert [field for field in response.headers.raw_items() if field[0].startswith("X-")] == fields


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_header_field_ends_its_line(name: str, value: str) -> None:
    try:
        client = ClientProtocol("ws://example.com/", additional_headers=[(name, value)])
    except ValueError:
        return
    lines = client.data_to_send().split(b"\r\n")
    plain = ClientProtocol("ws://example.com/").data_to_send().split(b"\r\n")
    assert len(lines) == len(plain) + 1
    assert not any(byte in line for line in lines for byte in (b"\r", b"\n", b"\0"))


@given(st.text(max_size=60))
@example("ws://a\r\nX: y/")
@example("ws://a/\r\nX: y")
@example("ws://a/ HTTP/1.1\r\nHost: b\r\n\r\n")
@example("ws://a/\0")
def test_no_uri_changes_the_shape_of_the_request(text: str) -> None:
    for uri in (text, "ws://" + text, "ws://example.com/" + text, "ws://example.com?" + text, "wss://u:p@" + text):
        try:
            request = ClientProtocol(uri).data_to_send()
        except ValueError:
            continue
        lines = request.split(b"\r\n")
        assert lines[0].startswith(b"GET /") and lines[0].endswith(b" HTTP/1.1") and lines[0].count(b" ") == 2
        names = [line.partition(b":")[0] for line in lines[1:-2]]
        assert set(names) <= {
            b"Host",
            b"Upgrade",
            b"Connection",
            b"Sec-WebSocket-Key",
            b"Sec-WebSocket-Version",
            b"Authorization",
        }
        assert len(names) == len(set(names)) and lines[-2:] == [b"", b""]


@pytest.mark.parametrize("bad", ["ws://a\nb/", "ws://a/\r\nX: y", "ws://a/\tb", " ws://a/", "ws://a/\n", "\x01ws://a/"])
def test_control_bytes_and_blanks_in_a_uri_are_refused_and_not_dropped(bad: str) -> None:
    with pytest.raises(ValueError, match="uri|URI|ws://"):
        ClientProtocol(bad)


@pytest.mark.parametrize(
    ("uri", "secure", "host", "port", "host_header", "resource"),
    [
        ("ws://example.com", False, "example.com", 80, "example.com", "/"),
        ("wss://example.com", True, "example.com", 443, "example.com", "/"),
        ("ws://example.com:443/", False, "example.com", 443, "example.com:443", "/"),
        ("wss://example.com:443/", True, "example.com", 443, "example.com", "/"),
        ("wss://example.com:80/", True, "example.com", 80, "example.com:80", "/"),
        ("ws://example.com/a/b?c=d&e", False, "example.com", 80, "example.com", "/a/b?c=d&e"),
        ("ws://example.com?c=d", False, "example.com", 80, "example.com", "/?c=d"),
        ("ws://127.0.0.1:1337/chat", False, "127.0.0.1", 1337, "127.0.0.1:1337", "/chat"),
        ("ws://[::1]:1337/", False, "::1", 1337, "[::1]:1337", "/"),
        ("ws://[2001:db8::1]/", False, "2001:db8::1", 80, "[2001:db8::1]", "/"),
        ("ws://Example.COM/Path", False, "example.com", 80, "example.com", "/Path"),
        (
            "ws://b\xfccher.example/\xfc?\xfc",
            False,
            "xn--bcher-kva.example",
            80,
            "xn--bcher-kva.example",
            "/%C3%BC?%C3%BC",
        ),
        ("ws://example.com/a b", False, "example.com", 80, "example.com", "/a%20b"),
        ("ws://example.com/a%20b", False, "example.com", 80, "example.com", "/a%20b"),
    ],
)
def test_a_uri_in_its_parts(uri: str, secure: bool, host: str, port: int, host_header: str, resource: str) -> None:
    parts = parse_uri(uri)
    assert (parts.secure, parts.host, parts.port, parts.host_header, parts.resource) == (
        secure,
        host,
        port,
        host_header,
        resource,
    )
    assert (
        ClientProtocol(uri)
        .data_to_send()
        .startswith(b"GET %s HTTP/1.1\r\nHost: %s\r\n" % (resource.encode(), host_header.encode()))
    )


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "example.com",
        "http://example.com/",
        "ws:/example.com",
        "ws://",
        "ws:///path",
        "ws://:80/",
        "ws://a:65536/",
        "ws://a:x/",
        "ws://[::1/",
        "ws://[x]/",
        "ws://a/#fragment",
        "ws://a/#",
        "ws://a b/",
        "ws://a\0/",
        "ws://" + "\xfc" * 100 + "/",
    ],
)
def test_what_is_no_websocket_uri_is_refused(bad: str) -> None:
    with pytest.raises(ValueError):
        ClientProtocol(bad)
