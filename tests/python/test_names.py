"""The names that users of websockets look for, and exceptions as objects: what they tell, and that they can be pickled."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from typing import Any, List

import pytest

import embws
from embws import ClientProtocol, ServerProtocol
from wire import REQUEST


def test_every_public_name_exists_and_is_documented() -> None:
    modules: List[Any] = [embws]
    for name in ("aio", "sync"):
        modules.append(pytest.importorskip(f"embws.{name}"))
    for module in modules:
        assert sorted(module.__all__) == list(module.__all__), module.__name__
        for name in module.__all__:
            value = getattr(module, name)
            if not inspect.isclass(value) and not inspect.isfunction(value):
                continue
            assert inspect.getdoc(value), f"{module.__name__}.{name} has no documentation"
            for member, of in vars(value).items() if inspect.isclass(value) else ():
                if inspect.isfunction(of) and not member.startswith("_"):
                    assert inspect.getdoc(getattr(value, member)), f"{module.__name__}.{name}.{member} has none"


def test_names_of_asyncio_are_loaded_when_they_are_asked_for() -> None:
    program = (
        "import sys, embws\n"
        "assert 'asyncio' not in sys.modules and 'ssl' not in sys.modules\n"
        "assert embws.connect is __import__('embws.aio').aio.connect\n"
        "assert embws.serve and embws.broadcast and 'asyncio' in sys.modules\n"
        "assert not hasattr(embws, 'nothing')"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def closed(close_first: str) -> embws.ConnectionClosed:
    """What a server raises after a closing handshake that one end has begun."""
    server, client = ServerProtocol(handshake=False), ClientProtocol(None)
    first, second = (server, client) if close_first == "server" else (client, server)
    first.close(4000, "bye")
    second.receive_data(first.data_to_send())
    list(second.events())
    first.receive_data(second.data_to_send())
    list(first.events())
    return server.close_exc


def test_connection_closed_has_both_closes_and_their_order() -> None:
    error = closed("client")
    assert isinstance(error, embws.ConnectionClosedError)
    assert error.rcvd == embws.Close(4000, "bye") and error.sent is not None and error.sent.code == 4000
    assert error.rcvd_then_sent is True
    assert (error.code, error.reason, error.sent_code) == (4000, "bye", 4000)
    error = closed("server")
    assert error.sent == embws.Close(4000, "bye") and error.rcvd_then_sent is False
    assert str(error) == "received 4000; sent 4000 (bye)"


def test_no_close_is_1006() -> None:
    server = ServerProtocol(handshake=False)
    server.receive_eof()
    error = server.close_exc
    assert (error.code, error.reason, error.rcvd, error.sent, error.rcvd_then_sent) == (1006, "", None, None, None)
    assert str(error) == "no close frame received"


@pytest.mark.parametrize(
    "error",
    [
        closed("client"),
        embws.ConnectionClosedOK(embws.Close(1000, ""), None),
        embws.ProtocolError("text", 58, "RFC 6455 5.4", 12, 1002, b"\x81"),
        embws.InvalidHandshake("text", 38, "RFC 6455 4.1"),
        embws.InvalidStatus(embws.Response(403, body=b"no"), offset=5),
        embws.NegotiationError("no subprotocol"),
        embws.InvalidURI("uri 'x' has no host"),
        embws.ForkError("forked"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_can_be_pickled(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == str(error)
    assert vars(again) == vars(error)


def test_the_tree_is_as_its_users_know_it() -> None:
    assert issubclass(embws.InvalidStatus, embws.InvalidHandshake)
    assert issubclass(embws.NegotiationError, embws.InvalidHandshake)
    assert issubclass(embws.InvalidURI, ValueError)
    assert issubclass(embws.ConcurrencyError, embws.StateError) and issubclass(embws.StateError, RuntimeError)
    for name in embws.__all__:
        value = getattr(embws, name)
        if inspect.isclass(value) and issubclass(value, BaseException):
            assert issubclass(value, embws.EmbwsError), name


def test_a_client_knows_its_request() -> None:
    client = ClientProtocol(
        "ws://user:pass@example.com:8080/chat?room=1",
        origin="https://example.com",
        subprotocols=["one", "two"],
        additional_headers={"X-Mine": "a: b"},
    )
    request = client.request
    assert request is not None and request is client.request
    assert (request.path, request.host, request.origin) == ("/chat?room=1", "example.com:8080", "https://example.com")
    assert request.subprotocols == ("one", "two") and request.upgrade
    assert request.headers["X-Mine"] == "a: b" and len(request.headers["Sec-WebSocket-Key"]) == 24
    assert request.headers["Authorization"].startswith("Basic ")
    server = ServerProtocol()
    server.receive_data(client.data_to_send())
    (seen,) = server.events()
    assert isinstance(seen, embws.Request) and list(seen.headers) == list(request.headers)
    assert (seen.path, seen.host, seen.origin, seen.subprotocols) == (
        request.path, request.host, request.origin, request.subprotocols
    )  # fmt: skip
    assert ClientProtocol(None).request is None


def test_headers_refuse_what_is_no_name() -> None:
    headers = embws.Headers({"A": "b"})
    with pytest.raises(KeyError):
        headers[5]  # type: ignore[index]
    with pytest.raises(TypeError, match="name"):
        headers.get_all(5)  # type: ignore[arg-type]
    copied = headers.copy()
    copied["C"] = "d"
    assert "C" not in headers and copied["a"] == "b"


@pytest.mark.parametrize(
    "uri", ["ws://a/\ud800", "ws://\ud800@a/", "ws://" + "ä" * 70 + "/", "ws://a:x/", "http://a/", "ws:///"]
)
def test_a_uri_that_is_none_is_named(uri: str) -> None:
    with pytest.raises(embws.InvalidURI, match="uri"):
        ClientProtocol(uri)


@pytest.mark.parametrize("name", ["handshake", "long_lengths", "manual_pong", "manual_close"])
def test_a_switch_is_a_bool(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        ServerProtocol(**{name: "no"})  # type: ignore[arg-type]


def test_a_request_is_unlike_another() -> None:
    server = ServerProtocol()
    server.receive_data(REQUEST)
    (request,) = server.events()
    assert request == server.request and request != embws.Response(200)
