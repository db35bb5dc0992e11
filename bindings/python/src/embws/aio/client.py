"""The client's end on asyncio."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from typing import Any, AsyncIterator, Callable, Generator, Optional, Sequence, Type

from .._arguments import function, headers_of, no_compression, no_proxy
from .._connection import SOFTWARE, Limit, check_tls, head_of_peer, seconds, software_field
from ..exceptions import InvalidHandshake, InvalidStatus, Violation
from ..http import HeadersLike, Request, Response
from ..protocol import ClientProtocol
from ..uri import parse_uri
from .connection import Connection, Logger

__all__ = ["ClientConnection", "connect", "process_exception", "unix_connect"]


class ClientConnection(Connection):
    """The client's end of a connection."""

    _client = True
    protocol: ClientProtocol  # pyright: ignore[reportIncompatibleVariableOverride]
    request: Optional[Request]
    response: Optional[Response]

    def __init__(self, protocol: ClientProtocol, **settings: Any) -> None:
        super().__init__(protocol, **settings)
        self._answer: asyncio.Future[None] = self.loop.create_future()

    async def __aenter__(self) -> "ClientConnection":
        return self

    async def handshake(self) -> None:
        """Waits for the server's answer."""
        try:
            await self._answer
        finally:
            del self  # it has what is raised, whose traceback has this frame

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._flush()

    def _handshake(self) -> bool:
        head = head_of_peer(self.protocol)
        if isinstance(head, Violation):
            self._handshake_failed(head)
            return False
        if head is None:
            return False
        assert isinstance(head, Response)
        self.response = head
        self._opened()
        if not self._answer.done():
            self._answer.set_result(None)
        return True

    def _handshake_failed(self, error: BaseException) -> None:
        if not self._answer.done():
            self._answer.set_exception(error)
            self._answer.exception()
        self._flush()
        self._end()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        super().connection_lost(exc)
        if not self._answer.done():
            error = InvalidHandshake("connection closed during the handshake", 38, "RFC 6455 4.1")
            error.__cause__ = exc
            self._handshake_failed(error)


def _backoff() -> Generator[float, None, None]:
    """Seconds between attempts to connect again: a random first one, then 1.6 times the one before, up to 90."""
    yield random.random() * 5
    delay = 3.0
    while True:
        yield delay
        delay = min(delay * 1.618, 90.0)


def process_exception(error: Exception) -> Optional[Exception]:
    """Says whether connecting may be tried again after an exception: None if it may, else what to raise."""
    if isinstance(error, (OSError, TimeoutError)):
        return None
    if isinstance(error, InvalidStatus) and error.response.status_code in (500, 502, 503, 504):
        return None
    if isinstance(error, InvalidHandshake) and error.rule == 38:  # cut short
        return None
    return error


class connect:
    """Connects to the server at ``uri``.

        async with connect("wss://example.com/chat") as websocket: ...
        websocket = await connect("wss://example.com/chat")
        async for websocket in connect("wss://example.com/chat"): ...    # connects again when the body ends

    ``origin``, ``subprotocols`` (in the order of preference), ``extensions`` and ``additional_headers`` go into the
    request, as does ``user_agent_header``, unless it is None. ``open_timeout`` bounds the whole opening, in seconds.
    Every ``ping_interval`` seconds a Ping is sent, and the connection closed with 1011 if none was answered within
    ``ping_timeout`` seconds. ``close_timeout`` bounds the closing handshake. ``max_size`` limits a received message, in
    bytes. Reading pauses where more than ``max_queue`` messages wait to be received, and send() waits where more than
    ``write_limit`` bytes wait to be sent; each may be a tuple of the high- and low-water mark. None means no limit.
    ``compression`` and ``proxy`` can only be None.

    Other arguments are those of ``loop.create_connection()``: ``ssl`` (a context; the default one is taken for wss://),
    ``server_hostname``, ``sock``, ``host`` and ``port`` (to connect to another address than the URI's), ``local_addr``.

    Raises InvalidURI, which is a ValueError; OSError if there is no connection, TimeoutError after ``open_timeout``,
    InvalidStatus if the server refuses, InvalidHandshake if its answer breaks a rule.
    """

    def __init__(
        self,
        uri: str,
        *,
        origin: Optional[str] = None,
        extensions: Optional[str] = None,
        subprotocols: Optional[Sequence[str]] = None,
        compression: None = None,
        additional_headers: Optional[HeadersLike] = None,
        user_agent_header: Optional[str] = SOFTWARE,
        proxy: None = None,
        process_exception: Callable[[Exception], Optional[Exception]] = process_exception,
        open_timeout: Optional[float] = 10,
        ping_interval: Optional[float] = 20,
        ping_timeout: Optional[float] = 20,
        close_timeout: Optional[float] = 10,
        reconnect_delays: Callable[[], Generator[float, None, None]] = _backoff,
        max_size: Optional[int] = 2**20,
        max_queue: Limit = 16,
        write_limit: Limit = 2**15,
        logger: Optional[Logger] = None,
        create_connection: Optional[Type[ClientConnection]] = None,
        **kwargs: Any,
    ) -> None:
        self._uri = parse_uri(uri)
        self._open_timeout = seconds(open_timeout, "open_timeout")
        self._process_exception, self._reconnect_delays = process_exception, reconnect_delays
        self._connection: Optional[ClientConnection] = None
        self._kwargs = kwargs
        self._logger: Logger = logger or logging.getLogger("embws.client")
        if check_tls(self._uri, kwargs.get("ssl")):
            kwargs.setdefault("ssl", True)
            if kwargs["ssl"] is None:
                kwargs["ssl"] = True
            kwargs.setdefault("server_hostname", self._uri.host)
        no_compression(compression)
        no_proxy(proxy)
        if not callable(process_exception) or not callable(reconnect_delays):
            raise TypeError("process_exception and reconnect_delays must be callable")
        function(create_connection, "create_connection")
        sock = kwargs.get("sock")
        if sock is not None and not isinstance(sock, socket.socket):
            raise TypeError(f"sock must be a socket, not {type(sock).__name__}")
        headers = headers_of(additional_headers, "additional_headers")
        agent = software_field(user_agent_header, "user_agent_header")
        if agent is not None and "user-agent" not in headers:
            headers["User-Agent"] = agent

        def factory() -> ClientConnection:
            protocol = ClientProtocol(
                uri,
                origin=origin,
                subprotocols=subprotocols or (),
                additional_headers=headers,
                extensions=extensions,
                max_size=max_size,
            )
            return (create_connection or ClientConnection)(
                protocol,
                ping_interval=ping_interval,
                ping_timeout=ping_timeout,
                close_timeout=close_timeout,
                max_queue=max_queue,
                write_limit=write_limit,
                logger=logger,
            )

        self._factory = factory

    async def _connect(self) -> ClientConnection:
        connection: Optional[ClientConnection] = None
        try:
            async with asyncio.timeout(self._open_timeout):
                connection = await self._create()
                try:
                    await connection.handshake()
                except BaseException:
                    connection.transport.abort()
                    raise
            return connection
        except TimeoutError:
            pass
        finally:
            del connection  # as in handshake()
        # Not within that, where it would keep the task, which keeps it.
        raise TimeoutError(f"timed out during the opening handshake, after {self._open_timeout} s")

    async def _create(self) -> ClientConnection:
        loop, kwargs = asyncio.get_running_loop(), dict(self._kwargs)
        connection = self._factory()  # a wrong argument is found before there is a socket
        if kwargs.pop("unix", False):
            await loop.create_unix_connection(lambda: connection, **kwargs)
            return connection
        if kwargs.get("sock") is None:
            kwargs.setdefault("host", self._uri.host)
            kwargs.setdefault("port", self._uri.port)
        await loop.create_connection(lambda: connection, **kwargs)
        return connection

    def __await__(self) -> Generator[Any, None, ClientConnection]:
        return self._connect().__await__()

    async def __aenter__(self) -> ClientConnection:
        if self._connection is not None:
            raise RuntimeError("this connect() is entered already; make another")
        self._connection = await self._connect()
        return self._connection

    async def __aexit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.__aexit__(exc_type, exc_value, traceback)

    async def __aiter__(self) -> AsyncIterator[ClientConnection]:
        delays: Optional[Generator[float, None, None]] = None
        while True:
            try:
                connection = await self._connect()
            except Exception as error:
                fatal = self._process_exception(error)
                if fatal is error:
                    raise
                if fatal is not None:
                    raise fatal from error
                delays = delays or self._reconnect_delays()
                delay = next(delays)
                self._logger.info("connect failed; again in %.1f seconds: %s: %s", delay, type(error).__name__, error)
                await asyncio.sleep(delay)
                continue
            delays = None
            try:
                yield connection
            finally:
                await connection.close()


def unix_connect(path: Optional[str] = None, uri: Optional[str] = None, **kwargs: Any) -> connect:
    """Connects by a Unix socket. ``uri`` is what the request tells; by default it is ws://localhost/."""
    if uri is None:
        uri = "wss://localhost/" if kwargs.get("ssl") is not None else "ws://localhost/"
    if path is not None:
        kwargs["path"] = path
    return connect(uri, unix=True, **kwargs)
