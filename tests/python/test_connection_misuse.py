"""Wrong arguments of connect(), serve() and connections, on threads and on asyncio: each is named at once, and the
connection goes on."""

from __future__ import annotations

import asyncio
import math
import socket
from typing import Any, Dict, Tuple

import pytest
from test_sync_bounds import SECONDS, serving, uri

import embws
import embws.aio
import embws.sync


async def nothing(connection: Any) -> None:
    """A handler."""


#: arguments of both serve() and connect(), and what is said of them
BOTH: "list[Tuple[Dict[str, Any], Any, str]]" = [
    ({"max_size": 0}, ValueError, "max_size"),
    ({"max_size": "5"}, TypeError, "max_size"),
    ({"max_queue": -1}, ValueError, "max_queue"),
    ({"max_queue": "5"}, TypeError, "max_queue"),
    ({"max_queue": (1, 2)}, ValueError, "max_queue"),
    ({"max_queue": (1, 2, 3)}, (TypeError, ValueError), "max_queue"),
    ({"ping_interval": math.nan}, ValueError, "ping_interval"),
    ({"ping_interval": "5"}, TypeError, "ping_interval"),
    ({"ping_interval": 0}, ValueError, "ping_interval"),
    ({"ping_timeout": -1}, ValueError, "ping_timeout"),
    ({"close_timeout": math.nan}, ValueError, "close_timeout"),
    ({"open_timeout": math.nan}, ValueError, "open_timeout"),
    ({"open_timeout": "5"}, TypeError, "open_timeout"),
    ({"compression": "deflate"}, ValueError, "compression"),
    ({"create_connection": 5}, TypeError, "create_connection"),
    ({"subprotocols": "chat"}, TypeError, "subprotocols"),
    ({"subprotocols": [5]}, TypeError, "subprotocols"),
    ({"ssl": 5}, TypeError, "ssl"),
]
OF_CONNECT: "list[Tuple[Dict[str, Any], Any, str]]" = [
    *BOTH,
    ({"proxy": "http://proxy"}, ValueError, "proxy"),
    ({"origin": 5}, TypeError, "origin"),
    ({"extensions": 5}, TypeError, "extensions"),
    ({"additional_headers": 5}, TypeError, "additional_headers"),
    ({"additional_headers": ["x"]}, TypeError, "additional_headers"),
    ({"additional_headers": {"X": "a\nb"}}, ValueError, "header"),
    ({"user_agent_header": 5}, TypeError, "user_agent_header"),
    ({"sock": 5}, TypeError, "sock"),
]
OF_SERVE: "list[Tuple[Dict[str, Any], Any, str]]" = [
    *BOTH,
    ({"port": 70000}, ValueError, "port"),
    ({"port": "x"}, TypeError, "port"),
    ({"origins": "null"}, TypeError, "origins"),
    ({"origins": [5]}, TypeError, "origins"),
    ({"select_subprotocol": 5}, TypeError, "select_subprotocol"),
    ({"process_request": 5}, TypeError, "process_request"),
    ({"process_response": 5}, TypeError, "process_response"),
    ({"server_header": 5}, TypeError, "server_header"),
    ({"server_header": "bad\r\nX: y"}, ValueError, "server_header"),
    ({"server_header": "€"}, ValueError, "server_header"),
]


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No socket is made: the arguments are looked at before."""

    def refuse(*arguments: Any, **named: Any) -> Any:
        raise AssertionError("a socket was made")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "create_server", refuse)
    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "create_connection", refuse)
    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "create_server", refuse)


@pytest.mark.parametrize(
    ("arguments", "error", "says"), OF_CONNECT, ids=lambda value: repr(value)[:50] if isinstance(value, dict) else ""
)
@pytest.mark.parametrize("how", ["sync", "aio"])
def test_a_wrong_argument_of_connect_is_named(
    how: str, arguments: Dict[str, Any], error: Any, says: str, nobody: None
) -> None:
    async def connect() -> None:
        await embws.aio.connect("ws://127.0.0.1:1/", **arguments)

    with pytest.raises(error, match=rf"(?i)\b{says}"):
        embws.sync.connect("ws://127.0.0.1:1/", **arguments) if how == "sync" else asyncio.run(connect())


@pytest.mark.parametrize(
    ("arguments", "error", "says"), OF_SERVE, ids=lambda value: repr(value)[:50] if isinstance(value, dict) else ""
)
@pytest.mark.parametrize("how", ["sync", "aio"])
def test_a_wrong_argument_of_serve_is_named(
    how: str, arguments: Dict[str, Any], error: Any, says: str, nobody: None
) -> None:
    named: Dict[str, Any] = {"port": 0, **arguments}

    async def serve() -> None:
        await embws.aio.serve(nothing, "127.0.0.1", **named)

    with pytest.raises(error, match=rf"(?i)\b{says}"):
        embws.sync.serve(lambda _: None, "127.0.0.1", **named) if how == "sync" else asyncio.run(serve())


#: method, arguments, exception, a word of its message
CALLS: "list[Tuple[str, Tuple[Any, ...], Any, str]]" = [
    ("send", (5,), TypeError, "message"),
    ("send", (None,), TypeError, "message"),
    ("send", ({"a": "b"},), TypeError, "message"),
    ("send", ("\ud800",), ValueError, "surrogate"),
    ("send", (b"\xff", True), ValueError, "message"),
    ("ping", (5,), TypeError, "data"),
    ("ping", (True,), TypeError, "data"),
    ("ping", ([1, 2],), TypeError, "data"),
    ("ping", (1.5,), TypeError, "data"),
    ("ping", ({},), TypeError, "data"),
    ("ping", (b"x" * 126,), ValueError, "data"),
    ("ping", ("\ud800",), ValueError, "data"),
    ("pong", (5,), TypeError, "data"),
    ("pong", (b"x" * 126,), ValueError, "125"),
    ("close", ("1000",), TypeError, "code"),
    ("close", (5,), ValueError, "code"),
    ("close", (1006,), ValueError, "code"),
    ("close", (1000, 5), TypeError, "reason"),
    ("close", (1000, "\ud800"), ValueError, "reason"),
]


def echo(connection: Any) -> None:
    for message in connection:
        connection.send(message)


def test_a_wrong_argument_of_a_connection_is_named_and_it_goes_on() -> None:
    with serving(echo) as server, embws.sync.connect(uri(server)) as connection:
        for method, arguments, error, says in CALLS:
            with pytest.raises(error, match=rf"(?i)\b{says}"):
                getattr(connection, method)(*arguments)
        for timeout in ("x", math.nan):
            with pytest.raises((TypeError, ValueError), match="timeout"):
                connection.recv(timeout)
            with pytest.raises((TypeError, ValueError), match="timeout"):
                connection.wait_closed(timeout)
        connection.send("still")
        assert connection.recv(SECONDS) == "still"

        async def main() -> None:
            async with embws.aio.connect(uri(server)) as other:
                for method, arguments, error, says in CALLS:
                    with pytest.raises(error, match=rf"(?i)\b{says}"):
                        await getattr(other, method)(*arguments)
                await other.send("still")
                assert await other.recv() == "still"

        asyncio.run(asyncio.wait_for(main(), SECONDS))


def test_a_broadcast_says_what_it_takes() -> None:
    for broadcast in (embws.aio.broadcast, embws.sync.broadcast):
        for wrong in (5, None, ["a"], {"a": 1}):
            with pytest.raises(TypeError, match="message"):
                broadcast([], wrong)  # type: ignore[operator]


def test_a_handler_of_the_wrong_kind_is_refused() -> None:
    async def generator(connection: Any) -> Any:
        yield connection

    with pytest.raises(TypeError, match="handler is a coroutine function"):
        embws.sync.serve(nothing, "127.0.0.1", 0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="handler must be a coroutine function, not an asynchronous generator"):
        embws.aio.serve(generator, "127.0.0.1", 0)


def test_a_handler_that_gives_nothing_to_await_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with embws.aio.serve(lambda connection: None, "127.0.0.1", 0) as server:  # type: ignore[arg-type,return-value]
            port = server.sockets[0].getsockname()[1]
            async with embws.aio.connect(f"ws://127.0.0.1:{port}/") as connection:
                with pytest.raises(embws.ConnectionClosedError):
                    await connection.recv()

    asyncio.run(asyncio.wait_for(main(), SECONDS))
    assert "must be a coroutine function" in caplog.text


@pytest.mark.parametrize("arguments", [{"code": 5}, {"code": 1005}, {"reason": b""}], ids=repr)
def test_a_server_that_is_closed_wrongly_can_be_closed_again(arguments: Any) -> None:
    async def main() -> None:
        async with embws.aio.serve(nothing, "127.0.0.1", 0) as server:
            with pytest.raises((TypeError, ValueError), match="code|reason"):
                server.close(**arguments)
            assert server.is_serving()

    asyncio.run(asyncio.wait_for(main(), SECONDS))
    with serving(echo) as server:
        with pytest.raises((TypeError, ValueError), match="code|reason"):
            server.shutdown(**arguments)
        assert server.is_serving()
        with embws.sync.connect(uri(server)) as connection:
            connection.send("still")
            assert connection.recv(SECONDS) == "still"


def test_a_message_within_a_message_in_fragments_is_refused() -> None:
    with serving(echo) as server, embws.sync.connect(uri(server)) as connection:

        def parts() -> Any:
            yield "one"
            with pytest.raises(embws.ConcurrencyError):
                connection.send("another")
            yield " message"

        connection.send(parts())
        assert connection.recv(SECONDS) == "one message"

        async def main() -> None:
            async with embws.aio.connect(uri(server)) as other:

                async def parts() -> Any:
                    yield "one"
                    with pytest.raises(embws.ConcurrencyError):
                        await other.send("another")
                    yield " message"

                await other.send(parts())
                assert await other.recv() == "one message"

        asyncio.run(asyncio.wait_for(main(), SECONDS))


def test_a_field_that_cannot_be_sent_is_named() -> None:
    for name, value in (("Content-Length", "5"), ("X-Wrong", "a\nb"), ("Host", "x")):
        with pytest.raises(ValueError, match=f"header field '{name}'"):
            embws.ClientProtocol("ws://a/", additional_headers={"X-Fine": "y", name: value})


def test_a_response_may_have_the_fields_that_are_written_anyway() -> None:
    def process(connection: Any, request: embws.Request) -> Any:
        headers = embws.Headers({"Content-Type": "text/plain", "Content-Length": "4", "Connection": "close"})
        return embws.Response(200, "OK", headers, b"fine")

    with serving(echo, process_request=process) as server:
        with socket.create_connection(server.socket.getsockname(), timeout=SECONDS) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            with sock.makefile("rb") as file:
                answer = file.read()  # to its end, for that was asked for
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\nfine") and b"\r\nDate: " in answer
    assert answer.lower().count(b"content-length") == 1


def test_a_message_that_is_too_long_is_told_in_the_words_of_the_user() -> None:
    protocol = embws.ServerProtocol(handshake=False, max_size=1000)
    client = embws.ClientProtocol(None)
    client.send_binary(bytes(1001))
    protocol.receive_data(client.data_to_send())
    with pytest.raises(embws.ProtocolError, match="max_size, 1000 bytes"):
        list(protocol.events())
    assert "max_size, 1000 bytes" in str(protocol.close_exc)
