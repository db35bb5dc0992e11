"""The server's end on asyncio."""

from __future__ import annotations

import asyncio
import inspect
import logging
import socket
from typing import Any, Awaitable, Callable, Generator, Optional, Sequence, Set, Tuple, Type, Union, cast

from .._arguments import function, no_compression, port_number, tls_context
from .._connection import (
    GOING_AWAY,
    INTERNAL_ERROR,
    SOFTWARE,
    Limit,
    Negotiation,
    Origins,
    answer_or_fail,
    check_close,
    check_response,
    check_settings,
    failed_response,
    head_of_peer,
    respond,
    seconds,
    software_field,
    told,
)
from ..exceptions import ConnectionClosed, ConnectionClosedOK, Violation
from ..http import Request, Response
from ..protocol import ServerProtocol, State
from .connection import Connection, Logger

__all__ = ["Server", "ServerConnection", "serve", "unix_serve"]

Handler = Callable[["ServerConnection"], Awaitable[None]]
ProcessRequest = Callable[["ServerConnection", Request], Union[None, Response, Awaitable[Optional[Response]]]]
ProcessResponse = Callable[
    ["ServerConnection", Request, Response], Union[None, Response, Awaitable[Optional[Response]]]
]


class _Terms:
    """What all connections of a server share."""

    def __init__(
        self,
        handler: Handler,
        negotiation: Negotiation,
        process_request: Optional[ProcessRequest],
        process_response: Optional[ProcessResponse],
        server_header: Optional[str],
        open_timeout: Optional[float],
    ) -> None:
        self.handler: Handler = handler
        self.negotiation: Negotiation = negotiation
        self.process_request: Optional[ProcessRequest] = process_request
        self.process_response: Optional[ProcessResponse] = process_response
        self.server_header: Optional[str] = server_header
        self.open_timeout: Optional[float] = open_timeout


class ServerConnection(Connection):
    """The server's end of a connection."""

    protocol: ServerProtocol  # pyright: ignore[reportIncompatibleVariableOverride]
    #: The server that has accepted it.
    server: "Server"
    request: Optional[Request]
    response: Optional[Response]

    def __init__(self, protocol: ServerProtocol, server: "Server", **settings: Any) -> None:
        super().__init__(protocol, **settings)
        self.server = server
        self._open_timer: Optional[asyncio.TimerHandle] = None
        self._task: Optional[asyncio.Task[None]] = None

    async def __aenter__(self) -> "ServerConnection":
        return self

    def respond(self, status: int, text: str) -> Response:
        """A response in plain text, for process_request() and process_response() to return."""
        return respond(status, text)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.server._connections.add(self)
        self._start_open_timer()

    def _start_open_timer(self) -> None:
        if self.server._terms.open_timeout is not None:
            self._open_timer = self.loop.call_later(self.server._terms.open_timeout, self._too_late)

    def _too_late(self) -> None:
        self._open_timer = None
        self.logger.info("opening handshake timed out")
        self.transport.abort()

    def _handshake(self) -> bool:
        if self.request is not None:
            return False  # what follows the request is for later
        head = head_of_peer(self.protocol)
        if isinstance(head, Violation):
            self.logger.info("opening handshake failed: %s", head)
            self._flush()
            self._end()
        elif head is not None:
            assert isinstance(head, Request)
            self.request = head
            self._full = True  # what follows is for later, and is not to pile up until then
            self._regulate()
            self._task = self.loop.create_task(self._run(head))
            self.server._tasks.add(self._task)
            self._task.add_done_callback(self.server._tasks.discard)
        return False

    async def _run(self, request: Request) -> None:
        """The life of the connection from the request on."""
        response = await self._respond(request)
        self._read_on()
        if self._lost.done():
            return
        if self.protocol.close_expected():  # the client has gone in the meantime
            self.transport.close()
            return
        terms = self.server._terms
        if response.status_code == 101 and not self.server.is_serving():
            response = respond(503, "Server is shutting down.\n")
        serving = self.server.is_serving()
        response, another = answer_or_fail(self.protocol, response, terms.server_header, serving, self.logger)
        if self._open_timer is not None:
            self._open_timer.cancel()
            self._open_timer = None
        if another:
            self.logger.debug("request for %s answered (%d)", request.path, response.status_code)
            self._flush()
            self.request = None
            self._start_open_timer()
            self._handshake()  # the next request may be there already
            return
        self.response = response
        if response.status_code != 101:
            self.logger.info("connection from %s rejected: %s", self.remote_address, told(response))
            self._flush()
            self._ended = True
            self._start_close_timer(terms.open_timeout)
            self._half_close()
            return
        self.logger.debug("connection from %s open", self.remote_address)
        self._opened()
        self._deliver()  # what has come behind the request
        try:
            running = terms.handler(self)
            if not inspect.isawaitable(running):
                raise TypeError(
                    f"the handler returned {type(running).__name__} and nothing to await: it must be a coroutine function"
                )
            await running
        except ConnectionClosed as error:
            if not isinstance(error, ConnectionClosedOK):
                self.logger.info("connection closed: %s", error)
        except asyncio.CancelledError:  # ours, or of something that the handler awaited
            self._start_closing(INTERNAL_ERROR)
            raise
        except Exception:
            self.logger.error("connection handler failed", exc_info=True)
            await self.close(INTERNAL_ERROR)
            return
        await self.close()

    async def _respond(self, request: Request) -> Response:
        """Finds the response to a request."""
        terms = self.server._terms
        source = "process_request"
        try:
            response = None
            if terms.process_request is not None:
                response = await _result(terms.process_request(self, request), source)
            if response is None:
                source = "select_subprotocol"
                response = terms.negotiation.response(self, request)
            source = "process_response"
            if terms.process_response is not None:
                response = await _result(terms.process_response(self, request, response), source) or response
            return response
        except asyncio.CancelledError:
            if self._lost.done() or cast("asyncio.Task[None]", asyncio.current_task()).cancelling():
                raise
            # Not this task was cancelled, but something that it awaited: the client is there still.
            self.logger.error("%s was cancelled", source, exc_info=True)
            return failed_response()
        except Exception:
            self.logger.error("%s failed", source, exc_info=True)
            return failed_response()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        super().connection_lost(exc)
        if self._open_timer is not None:
            self._open_timer.cancel()
            self._open_timer = None
        if self._task is not None and self.response is None:
            self._task.cancel()  # it waits for a function of the user's, and there is nobody to answer
        self._task = None
        self.server._connections.discard(self)


async def _result(value: Any, source: str) -> Optional[Response]:
    if inspect.isawaitable(value):
        value = await value
    return None if value is None else check_response(value, source)


class Server:
    """A server, made by serve(): much like asyncio.Server, but close() closes the connections too."""

    def __init__(self, terms: _Terms, logger: Logger) -> None:
        self.logger = logger
        self.server: asyncio.Server
        self._terms = terms
        self._loop = asyncio.get_running_loop()
        self._connections: Set[ServerConnection] = set()
        self._tasks: Set["asyncio.Task[None]"] = set()
        self._closing: Optional[asyncio.Task[None]] = None
        self._closed: asyncio.Future[None] = self._loop.create_future()

    @property
    def connections(self) -> Set[ServerConnection]:
        """The connections that are open."""
        return {connection for connection in self._connections if connection.protocol.state is State.OPEN}

    @property
    def sockets(self) -> Tuple[socket.socket, ...]:
        """The sockets that it listens on."""
        return tuple(self.server.sockets)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it belongs to."""
        return self._loop

    def is_serving(self) -> bool:
        """Whether it accepts connections."""
        return self._closing is None and self.server.is_serving()

    async def start_serving(self) -> None:
        """Begins to accept connections, after ``serve(..., start_serving=False)``."""
        await self.server.start_serving()

    async def serve_forever(self) -> None:
        """Waits until the server is closed. Cancelling that closes it."""
        try:
            if self._closing is None and not self.server.is_serving():
                await self.start_serving()
            await self.wait_closed()
        except asyncio.CancelledError:
            self.close()
            await self.wait_closed()
            raise

    def close(self, close_connections: bool = True, code: int = GOING_AWAY, reason: str = "") -> None:
        """Stops to listen, answers opening handshakes with 503, closes the connections, and waits for their handlers.

        That goes on after the call: wait_closed() tells when it is done. With ``close_connections=False`` the handlers
        decide when their connections end.
        """
        check_close(code, reason)
        if self._closing is None:
            self._closing = self._loop.create_task(self._close(close_connections, code, reason))

    async def _close(self, close_connections: bool, code: int, reason: str) -> None:
        self.logger.info("server closing")
        self.server.close()
        await asyncio.sleep(0)  # to those that were accepted right now
        for connection in list(self._connections):
            if connection._open and close_connections:
                connection._start_closing(code, reason)
            elif connection.request is None and not connection._ended:
                connection.transport.close()  # it has not asked for anything
            elif connection._ended and connection.response is not None and connection.response.status_code != 101:
                connection._start_close_timer(1.0)  # it was refused, and has had its time
        while self._connections or self._tasks:
            waiting: Set[asyncio.Future[None]] = {connection._lost for connection in self._connections}
            await asyncio.wait(waiting | self._tasks)
            await asyncio.sleep(0)
        await self.server.wait_closed()
        if not self._closed.done():
            self._closed.set_result(None)
        self.logger.info("server closed")

    async def wait_closed(self) -> None:
        """Waits until the server, its connections and their handlers have ended."""
        await asyncio.shield(self._closed)

    async def __aenter__(self) -> "Server":
        return self

    async def __aexit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        self.close()
        await self.wait_closed()


class serve:
    """Serves WebSocket connections: ``handler`` is a coroutine function that gets each as a ServerConnection. When it
    returns, the connection is closed; with 1011 if it raises.

        async with serve(handler, "127.0.0.1", 1337) as server:
            await server.serve_forever()

    ``origins`` are the values of Origin to be accepted: str, patterns that match all of it, and None for none.
    ``subprotocols`` are those that the server speaks, in its order of preference; ``select_subprotocol(connection,
    offered)`` decides in another way, and refuses by raising InvalidHandshake. ``process_request(connection, request)``
    may answer a request by returning a Response, and ``process_response(connection, request, response)`` change
    ``response.headers`` or return another one; both may be coroutines. ``open_timeout`` bounds the opening handshake.
    For the time-outs and limits see connect(). ``compression`` can only be None.

    Other arguments are those of ``loop.create_server()``: ``ssl`` (a context), ``sock``, ``backlog``, ``reuse_port``,
    ``start_serving``.
    """

    def __init__(
        self,
        handler: Handler,
        host: Union[None, str, Sequence[str]] = None,
        port: Optional[int] = None,
        *,
        origins: Optional[Origins] = None,
        subprotocols: Optional[Sequence[str]] = None,
        select_subprotocol: Optional[Callable[[ServerConnection, Sequence[str]], Optional[str]]] = None,
        compression: None = None,
        process_request: Optional[ProcessRequest] = None,
        process_response: Optional[ProcessResponse] = None,
        server_header: Optional[str] = SOFTWARE,
        open_timeout: Optional[float] = 10,
        ping_interval: Optional[float] = 20,
        ping_timeout: Optional[float] = 20,
        close_timeout: Optional[float] = 10,
        max_size: Optional[int] = 2**20,
        max_queue: Limit = 16,
        write_limit: Limit = 2**15,
        logger: Optional[Logger] = None,
        create_connection: Optional[Type[ServerConnection]] = None,
        **kwargs: Any,
    ) -> None:
        if not callable(handler) or inspect.isasyncgenfunction(handler):
            what = "an asynchronous generator" if callable(handler) else type(handler).__name__
            raise TypeError(f"handler must be a coroutine function, not {what}")
        no_compression(compression)
        tls_context(kwargs.get("ssl"))
        function(create_connection, "create_connection")
        terms = _Terms(
            handler,
            Negotiation(origins, subprotocols, select_subprotocol),
            function(process_request, "process_request"),
            function(process_response, "process_response"),
            software_field(server_header, "server_header"),
            seconds(open_timeout, "open_timeout"),
        )
        check_settings(ping_interval, ping_timeout, close_timeout, max_size, max_queue, write_limit)
        log = logger or logging.getLogger("embws.server")

        def factory(server: Server) -> ServerConnection:
            return (create_connection or ServerConnection)(
                ServerProtocol(max_size=max_size),
                server,
                ping_interval=ping_interval,
                ping_timeout=ping_timeout,
                close_timeout=close_timeout,
                max_queue=max_queue,
                write_limit=write_limit,
                logger=log,
            )

        self._terms, self._factory, self._logger = terms, factory, log
        self._host, self._port, self._kwargs = host, port_number(port), kwargs
        self._server: Optional[Server] = None

    async def _serve(self) -> Server:
        server, kwargs = Server(self._terms, self._logger), dict(self._kwargs)
        if kwargs.get("ssl") is not None and self._terms.open_timeout is not None:
            kwargs.setdefault("ssl_handshake_timeout", self._terms.open_timeout)
        loop = asyncio.get_running_loop()
        if kwargs.pop("unix", False):
            server.server = await loop.create_unix_server(lambda: self._factory(server), **kwargs)
        else:
            if kwargs.get("sock") is None:
                kwargs.update(host=self._host, port=self._port)
            server.server = await loop.create_server(lambda: self._factory(server), **kwargs)
        for sock in server.sockets:
            self._logger.info("server listening on %s", sock.getsockname())
        return server

    def __await__(self) -> Generator[Any, None, Server]:
        return self._serve().__await__()

    async def __aenter__(self) -> Server:
        self._server = await self._serve()
        return self._server

    async def __aexit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.__aexit__(exc_type, exc_value, traceback)


def unix_serve(handler: Handler, path: Optional[str] = None, **kwargs: Any) -> serve:
    """Serves on a Unix socket."""
    if path is not None:
        kwargs["path"] = path
    return serve(handler, unix=True, **kwargs)
