"""What a user writes, for the type checkers: nothing here runs. assert_type says what a checker must find."""

from __future__ import annotations

import asyncio
import re
import selectors
import socket
import ssl
import threading
import uuid
from typing import Any, AsyncIterator, Awaitable, Iterator, List, Optional, Set, Tuple, Union, assert_type

import embws
import embws.aio
import embws.sync
from embws import ClientProtocol, Close, Data, Ping, Pong, Request, Response, ServerProtocol, View


def serve(sock: socket.socket) -> None:
    protocol = ServerProtocol(max_size=None, max_head=8192, manual_pong=True)
    while not protocol.close_expected():
        protocol.receive_data(sock.recv(65536))
        for event in protocol.events():
            assert_type(event, Union[Request, Response, Data, Ping, Pong, Close])
            if isinstance(event, Request):
                assert_type(event.path, str)
                assert_type(event.origin, Optional[str])
                assert_type(event.subprotocols, Tuple[str, ...])
                assert_type(event.headers["Cookie"], str)
                assert_type(event.headers.get_all("Cookie"), List[str])
                if event.upgrade:
                    protocol.accept(event.subprotocols[0] if event.subprotocols else None, headers={"Server": "mine"})
                else:
                    protocol.reject(404, "not here", headers=[("X", "y")], close=False)
            elif isinstance(event, Data):
                assert_type(event.data, Union[str, bytes])
                assert_type(event.last, bool)
                if isinstance(event.data, str):
                    protocol.send_text(event.data, fin=event.last)
                else:
                    protocol.send_binary(event.data)
            elif isinstance(event, Ping):
                protocol.pong(event.data)
            elif isinstance(event, Close):
                assert_type(event.code, int)
                assert_type(event.reason, str)
        sock.sendall(protocol.data_to_send())
    assert_type(protocol.state, embws.State)
    assert_type(protocol.close_code, Optional[int])
    assert_type(protocol.close_reason, Optional[str])
    assert_type(protocol.subprotocol, Optional[str])
    assert_type(protocol.request, Optional[Request])


def ask(sock: socket.socket, uri: str) -> Iterator[Union[str, bytes]]:
    client = ClientProtocol(uri, subprotocols=["chat"], additional_headers={"X": "y"}, origin="http://example.com")
    client.send_binary(bytearray(b"x"), fin=False)
    client.send_continuation(memoryview(b"y"))
    client.ping("text too")
    client.close(None)
    client.close(3000, "reason")
    sock.sendmsg(client.buffers_to_send())
    with client.get_buffer() as buffer:
        client.buffer_updated(sock.recv_into(buffer))
    try:
        for message in client.messages():
            assert_type(message, Union[str, bytes])
            yield message
    except embws.InvalidStatus as refused:
        assert_type(refused.response, Response)
        assert_type(refused.response.status_code, int)
    except embws.ProtocolError as broken:
        assert_type((broken.rule, broken.section, broken.offset, broken.code), Tuple[int, str, int, int])
        assert_type(broken.header, bytes)
    except embws.ConnectionClosed as closed:
        assert_type((closed.code, closed.reason, closed.sent_code), Tuple[int, str, Optional[int]])
        assert_type((closed.rcvd, closed.sent), Tuple[Optional[Close], Optional[Close]])
        assert_type(closed.rcvd_then_sent, Optional[bool])
    client.receive_eof()
    assert_type(client.response, Optional[Response])
    assert_type((client.uri, client.opened), Tuple[Optional[embws.URI], bool])
    assert_type(embws.library_version, str)
    assert_type(embws.__version__, str)


def either(protocol: embws.Protocol, selector: selectors.BaseSelector) -> None:
    selector.register(0, selectors.EVENT_READ, protocol)
    protocol.send_text("both ends have this")
    assert_type(embws.CloseCode(1001), embws.CloseCode)
    protocol.close(embws.CloseCode.GOING_AWAY)


def in_place(protocol: embws.Protocol, sock: socket.socket) -> None:
    memory = bytearray(1 << 20)
    protocol.receive_in_place(memoryview(memory)[: sock.recv_into(memory)])
    for item in protocol.views():
        assert_type(item, Union[Request, Response, Data, Ping, Pong, Close, View])
        if isinstance(item, View):
            assert_type(item.data, memoryview)
            assert_type((item.text, item.first, item.last, item.whole), Tuple[bool, bool, bool, bool])
    protocol.fail(1011, "no more room")
    assert_type(protocol.failure, Optional[embws.Violation])
    assert_type(protocol.close_exc, embws.ConnectionClosed)
    assert_type((protocol.max_size, protocol.sent_code), Tuple[Optional[int], Optional[int]])


def parts_of(uri: str) -> Optional[embws.URI]:
    try:
        found = embws.parse_uri(uri)
    except embws.InvalidURI:
        return None
    assert_type(found, embws.URI)
    assert_type((found.secure, found.host, found.port, found.resource), Tuple[bool, str, int, str])
    return found


def told(error: embws.EmbwsError) -> str:
    if isinstance(error, (embws.LibraryError, embws.ForkError, embws.InternalError)):
        return "of this program, and not of the peer"
    if isinstance(error, (embws.ConcurrencyError, embws.StateError)):
        return "not now"
    if isinstance(error, (embws.ConnectionClosedOK, embws.ConnectionClosedError)):
        return error.reason
    if isinstance(error, (embws.NegotiationError, embws.InvalidHandshake)):
        return error.section
    return str(error)


# -- embws.aio --------------------------------------------------------------------------------------------------------


async def looked_at(connection: embws.aio.Connection) -> None:
    assert_type(connection.id, uuid.UUID)
    assert_type(connection.state, embws.State)
    assert_type((connection.request, connection.response), Tuple[Optional[Request], Optional[Response]])
    assert_type((connection.subprotocol, connection.close_reason), Tuple[Optional[str], Optional[str]])
    assert_type((connection.close_code, connection.latency), Tuple[Optional[int], float])
    assert_type((connection.ping_interval, connection.ping_timeout), Tuple[Optional[float], Optional[float]])
    assert_type(connection.close_timeout, Optional[float])
    assert_type((connection.local_address, connection.remote_address), Tuple[Any, Any])
    assert_type(connection.protocol, embws.Protocol)
    assert_type(connection.transport, asyncio.Transport)
    assert_type(connection.loop, asyncio.AbstractEventLoop)


async def received(connection: embws.aio.Connection) -> None:
    assert_type(await connection.recv(), Union[str, bytes])
    assert_type(await connection.recv(True), str)
    assert_type(await connection.recv(decode=False), bytes)
    assert_type(connection.recv_streaming(), AsyncIterator[Union[str, bytes]])
    async for text in connection.recv_streaming(decode=True):
        assert_type(text, str)
    async for part in connection.recv_streaming(False):
        assert_type(part, bytes)
    async for message in connection:
        assert_type(message, Union[str, bytes])
        await connection.send(message)


async def said(connection: embws.aio.Connection) -> None:
    async def numbers() -> AsyncIterator[str]:
        for number in range(3):
            yield str(number)

    for message in ("text", b"binary", bytearray(1), memoryview(b"view")):
        await connection.send(message)
    await connection.send(["in ", "parts"])
    await connection.send(numbers(), text=False)
    waiter = await connection.ping("said")
    assert_type(waiter, Awaitable[float])
    assert_type(await waiter, float)
    await connection.pong(b"unasked")
    await connection.close(1001, reason="away")
    await connection.wait_closed()


async def asked_on_asyncio(context: ssl.SSLContext, sock: socket.socket) -> None:
    async with embws.aio.connect(
        "wss://example.com/",
        origin="http://example.com",
        subprotocols=["chat"],
        compression=None,
        additional_headers=[("X", "y")],
        user_agent_header=None,
        proxy=None,
        open_timeout=1,
        ping_interval=0.5,
        ping_timeout=None,
        close_timeout=None,
        max_size=None,
        max_queue=(16, None),
        write_limit=1 << 16,
        create_connection=embws.aio.ClientConnection,
        ssl=context,
    ) as websocket:
        assert_type(websocket, embws.aio.ClientConnection)
        assert_type(websocket.protocol, ClientProtocol)
        await looked_at(websocket)
    assert_type(await embws.aio.connect("ws://example.com/", sock=sock), embws.aio.ClientConnection)
    assert_type(await embws.aio.unix_connect("/run/chat"), embws.aio.ClientConnection)
    async for again in embws.aio.connect("ws://example.com/", process_exception=embws.aio.process_exception):
        assert_type(again, embws.aio.ClientConnection)
        await received(again)
        await said(again)


async def served_on_asyncio(context: ssl.SSLContext) -> None:
    async def handler(connection: embws.aio.ServerConnection) -> None:
        assert_type(connection.server, embws.aio.Server)
        assert_type(connection.protocol, ServerProtocol)
        embws.aio.broadcast(connection.server.connections, "news", raise_exceptions=True)
        embws.aio.broadcast([connection], b"news", text=True)

    async def allow(connection: embws.aio.ServerConnection, request: Request) -> Optional[Response]:
        return None if request.upgrade else connection.respond(404, "not here")

    def noted(connection: embws.aio.ServerConnection, request: Request, response: Response) -> None:
        response.headers["X"] = request.path

    async with embws.aio.serve(
        handler,
        ["127.0.0.1", "::1"],
        1337,
        origins=[None, "http://example.com", re.compile("https://.*")],
        subprotocols=["chat"],
        select_subprotocol=lambda connection, offered: offered[0] if offered else None,
        process_request=allow,
        process_response=noted,
        server_header=None,
        create_connection=embws.aio.ServerConnection,
        ssl=context,
    ) as server:
        assert_type(server, embws.aio.Server)
        assert_type(server.connections, Set[embws.aio.ServerConnection])
        assert_type(server.sockets, Tuple[socket.socket, ...])
        assert_type(server.is_serving(), bool)
        assert_type(server.get_loop(), asyncio.AbstractEventLoop)
        await server.start_serving()
        await server.serve_forever()
        server.close(close_connections=False)
        await server.wait_closed()
    assert_type(await embws.aio.unix_serve(handler, "/run/chat"), embws.aio.Server)


async def by_the_names_of_the_package(connections: List[embws.ServerConnection]) -> None:
    async def handler(connection: embws.ServerConnection) -> None:
        await connection.send("hello")

    assert_type(await embws.connect("ws://example.com/"), embws.ClientConnection)
    assert_type(await embws.unix_connect("/run/chat"), embws.aio.ClientConnection)
    assert_type(await embws.serve(handler, None, 0), embws.Server)
    assert_type(await embws.unix_serve(handler, "/run/chat"), embws.aio.Server)
    embws.broadcast(connections, "news")


# -- embws.sync -------------------------------------------------------------------------------------------------------


def asked_of_a_socket(context: ssl.SSLContext, sock: socket.socket) -> None:
    with embws.sync.connect(
        "wss://example.com/",
        ssl=context,
        server_hostname="example.com",
        origin="http://example.com",
        subprotocols=("chat",),
        compression=None,
        additional_headers={"X": "y"},
        user_agent_header=None,
        proxy=None,
        open_timeout=1,
        ping_interval=None,
        ping_timeout=0.5,
        close_timeout=None,
        max_size=None,
        max_queue=(16, 8),
        create_connection=embws.sync.ClientConnection,
    ) as websocket:
        assert_type(websocket, embws.sync.ClientConnection)
        assert_type(websocket.protocol, ClientProtocol)
        talked(websocket)
    assert_type(embws.sync.connect("ws://example.com/", sock=sock), embws.sync.ClientConnection)
    assert_type(embws.sync.unix_connect("/run/chat", "ws://localhost/"), embws.sync.ClientConnection)


def talked(connection: embws.sync.Connection) -> None:
    assert_type(connection.id, uuid.UUID)
    assert_type(connection.state, embws.State)
    assert_type((connection.request, connection.response), Tuple[Optional[Request], Optional[Response]])
    assert_type((connection.subprotocol, connection.close_reason), Tuple[Optional[str], Optional[str]])
    assert_type((connection.close_code, connection.latency), Tuple[Optional[int], float])
    assert_type((connection.ping_interval, connection.ping_timeout), Tuple[Optional[float], Optional[float]])
    assert_type(connection.close_timeout, Optional[float])
    assert_type((connection.local_address, connection.remote_address), Tuple[Any, Any])
    assert_type(connection.socket, socket.socket)
    assert_type(connection.protocol, embws.Protocol)
    assert_type(connection.recv(), Union[str, bytes])
    assert_type(connection.recv(1, True), str)
    assert_type(connection.recv(timeout=0.5, decode=False), bytes)
    assert_type(connection.recv(decode=True), str)
    assert_type(connection.recv_streaming(), Iterator[Union[str, bytes]])
    assert_type(connection.recv_streaming(True), Iterator[str])
    assert_type(connection.recv_streaming(decode=False), Iterator[bytes])
    for message in connection:
        assert_type(message, Union[str, bytes])
        connection.send(message)
    for other in ("text", b"binary", bytearray(1), memoryview(b"view")):
        connection.send(other, text=None)
    connection.send(str(number) for number in range(3))
    assert_type(connection.ping(), threading.Event)
    connection.pong("unasked")
    connection.close(1001, "away")
    assert_type(connection.wait_closed(timeout=0.5), bool)


def served_on_sockets(context: ssl.SSLContext, sock: socket.socket) -> None:
    def handler(connection: embws.sync.ServerConnection) -> None:
        assert_type(connection.server, embws.sync.Server)
        assert_type(connection.protocol, ServerProtocol)
        embws.sync.broadcast(connection.server.connections, "news")
        embws.sync.broadcast([connection], b"news", text=True)

    def allow(connection: embws.sync.ServerConnection, request: Request) -> Optional[Response]:
        return None if request.upgrade else connection.respond(404, "not here")

    def changed(connection: embws.sync.ServerConnection, request: Request, response: Response) -> Response:
        return Response(response.status_code, headers=embws.Headers({"X": "y"}))

    with embws.sync.serve(
        handler,
        "127.0.0.1",
        1337,
        ssl=context,
        origins=[None, "http://example.com", re.compile("https://.*")],
        subprotocols=["chat"],
        select_subprotocol=lambda connection, offered: offered[0] if offered else None,
        process_request=allow,
        process_response=changed,
        create_connection=embws.sync.ServerConnection,
    ) as server:
        assert_type(server, embws.sync.Server)
        assert_type(server.connections, Set[embws.sync.ServerConnection])
        assert_type(server.socket, socket.socket)
        assert_type((server.is_serving(), server.fileno()), Tuple[bool, int])
        server.serve_forever()
        server.shutdown(close_connections=False, code=1012, reason="back soon")
    assert_type(embws.sync.serve(handler, sock=sock), embws.sync.Server)
    assert_type(embws.sync.unix_serve(handler, "/run/chat"), embws.sync.Server)
