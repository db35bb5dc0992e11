"""Plain requests on a server's connection, as proxies and browsers send them before the upgrade: they are answered, and the
connection goes on."""

from __future__ import annotations

import contextlib
import socket
from typing import Any, Iterator, Optional

import pytest
from test_sync_bounds import SECONDS, address, serving, serving_on_asyncio

from embws import Headers, Request, Response
from wire import REQUEST, TEXT, frame

PLAIN = b"GET /page HTTP/1.1\r\nHost: example.com\r\n\r\n"


def page(connection: Any, request: Request) -> Optional[Response]:
    if request.upgrade:
        return None
    return Response(200, "", Headers({"Content-Type": "text/plain"}), f"the page {request.path}".encode())


@contextlib.contextmanager
def on_threads(**arguments: Any) -> Iterator[Any]:
    def echo(connection: Any) -> None:
        for message in connection:
            connection.send(message)

    with serving(echo, **arguments) as server:
        yield address(server)


def on_asyncio(**arguments: Any) -> Any:
    async def echo(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)

    return serving_on_asyncio(echo, **arguments)


both = pytest.mark.parametrize("served", [on_threads, on_asyncio])


@contextlib.contextmanager
def talking(to: Any) -> Iterator[Any]:
    """A socket, and the file that it is read by."""
    with socket.create_connection(to, timeout=SECONDS) as sock, sock.makefile("rb") as file:
        yield sock, file


def response(file: Any) -> "tuple[bytes, bytes]":
    """The status line of a response, and its body."""
    line, length = file.readline(), 0
    while (field := file.readline()) not in (b"\r\n", b""):
        name, _, value = field.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return line.rstrip(), file.read(length)


@both
@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "in one piece"])
def test_an_upgrade_may_follow_plain_requests(served: Any, at_once: bool) -> None:
    last = REQUEST + frame(TEXT, b"hello")
    with served(process_request=page, ping_interval=None) as to, talking(to) as (sock, file):
        if at_once:
            sock.sendall(PLAIN + PLAIN + last)
        for _ in range(2):
            if not at_once:
                sock.sendall(PLAIN)
            status, body = response(file)
            assert status.startswith(b"HTTP/1.1 200 ") and body == b"the page /page"
        if not at_once:
            sock.sendall(last)
        assert response(file)[0].startswith(b"HTTP/1.1 101 ")
        assert file.read(7) == b"\x81\x05hello"


@both
def test_a_plain_request_that_nobody_answers_gets_426_and_the_upgrade_may_follow(served: Any) -> None:
    with served(ping_interval=None) as to, talking(to) as (sock, file):
        sock.sendall(PLAIN)
        assert response(file)[0].startswith(b"HTTP/1.1 426 ")
        sock.sendall(REQUEST)
        assert response(file)[0].startswith(b"HTTP/1.1 101 ")


@both
def test_a_client_that_wants_to_end_is_let_go(served: Any) -> None:
    with served(process_request=page) as to, talking(to) as (sock, file):
        sock.sendall(PLAIN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert response(file)[1] == b"the page /page"
        assert file.read() == b""


@both
def test_the_wait_for_the_next_request_is_bounded(served: Any) -> None:
    with served(process_request=page, open_timeout=0.2) as to, talking(to) as (sock, file):
        sock.sendall(PLAIN)
        assert response(file)[1] == b"the page /page"
        with contextlib.suppress(ConnectionResetError):
            assert file.read() == b""


@both
def test_the_end_of_the_server_ends_it(served: Any) -> None:
    with contextlib.ExitStack() as stack:
        with served(process_request=page, open_timeout=None) as to:
            sock, file = stack.enter_context(talking(to))
            sock.sendall(PLAIN)
            assert response(file)[1] == b"the page /page"
        with contextlib.suppress(ConnectionResetError):
            assert file.read() == b""


@both
def test_a_refused_upgrade_ends_the_connection(served: Any) -> None:
    def refuse(connection: Any, request: Request) -> Response:
        return Response(403)

    with served(process_request=refuse) as to, talking(to) as (sock, file):
        sock.sendall(REQUEST)
        assert response(file)[0].startswith(b"HTTP/1.1 403 ")
        assert file.read() == b""
