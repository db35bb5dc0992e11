"""The client's end on a socket."""

from __future__ import annotations

import socket
import time
from typing import Any, Optional, Sequence, Type

from .._connection import SOFTWARE, Limit, check_tls, seconds, software_field
from ..exceptions import InvalidHandshake, Violation
from ..http import Headers, HeadersLike, Response
from ..protocol import ClientProtocol
from ..uri import parse_uri
from .connection import Connection, Logger

__all__ = ["ClientConnection", "connect", "unix_connect"]


class ClientConnection(Connection):
    """The client's end of a connection."""

    _client = True
    protocol: ClientProtocol  # pyright: ignore[reportIncompatibleVariableOverride]

    def __enter__(self) -> "ClientConnection":
        return self

    def handshake(self, timeout: Optional[float] = None) -> None:
        """Sends the request and waits for the server's answer, for up to ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            self._flush()
            while self.response is None:
                if self._failure is not None:
                    raise self._failure
                if self._lost:
                    raise InvalidHandshake(
                        "connection closed during the handshake", 38, "RFC 6455 4.1"
                    ) from self._cause
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"timed out during the opening handshake, after {timeout} s")
                self._step(deadline)

    _failure: Optional[Violation] = None

    def _handshake(self) -> bool:
        try:
            event = next(iter(self.protocol.events()), None)
        except Violation as failure:
            failure.__traceback__ = None
            self._failure = failure
            return False
        if event is None:
            return False
        assert isinstance(event, Response)
        self.response = event
        self._opened()
        return True


def connect(
    uri: str,
    *,
    sock: Optional[socket.socket] = None,
    ssl: Any = None,
    server_hostname: Optional[str] = None,
    origin: Optional[str] = None,
    extensions: Optional[str] = None,
    subprotocols: Optional[Sequence[str]] = None,
    additional_headers: Optional[HeadersLike] = None,
    user_agent_header: Optional[str] = SOFTWARE,
    open_timeout: Optional[float] = 10,
    ping_interval: Optional[float] = 20,
    ping_timeout: Optional[float] = 20,
    close_timeout: Optional[float] = 10,
    max_size: Optional[int] = 2**20,
    max_queue: Limit = 16,
    logger: Optional[Logger] = None,
    create_connection: Optional[Type[ClientConnection]] = None,
    **kwargs: Any,
) -> ClientConnection:
    """Connects to the server at ``uri``.

        with connect("wss://example.com/chat") as websocket: ...

    ``sock`` is a connected socket to be used, ``ssl`` an SSLContext (the default one is taken for wss://), and
    ``server_hostname`` another name than the URI's for TLS. ``origin``, ``subprotocols`` (in the order of preference),
    ``extensions`` and ``additional_headers`` go into the request, as does ``user_agent_header``, unless it is None.
    ``open_timeout`` bounds the whole opening, in seconds. Every ``ping_interval`` seconds a Ping is sent, and the
    connection closed with 1011 if none was answered within ``ping_timeout`` seconds. ``close_timeout`` bounds the
    closing handshake. ``max_size`` limits a received message, in bytes. Reading pauses where more than ``max_queue``
    messages wait to be received; it may be a tuple of the high- and low-water mark. None means no limit.

    Other arguments are those of ``socket.create_connection()``.

    Raises ValueError for a bad URI, OSError if there is no connection, TimeoutError after ``open_timeout``,
    InvalidStatus if the server refuses, InvalidHandshake if its answer breaks a rule.
    """
    parsed = parse_uri(uri)
    secure = check_tls(parsed, ssl)
    open_timeout = seconds(open_timeout, "open_timeout")
    headers = Headers(additional_headers or ())
    agent = software_field(user_agent_header, "user_agent_header")
    if agent is not None and "user-agent" not in headers:
        headers["User-Agent"] = agent
    protocol = ClientProtocol(
        uri,
        origin=origin,
        subprotocols=subprotocols or (),
        additional_headers=headers,
        extensions=extensions,
        max_size=max_size,
    )
    deadline = None if open_timeout is None else time.monotonic() + open_timeout

    def left() -> Optional[float]:
        return None if deadline is None else max(0.001, deadline - time.monotonic())

    unix = kwargs.pop("unix_path", None)
    try:
        if sock is None:
            sock = (
                _unix_socket(unix, left())
                if unix is not None
                else _tcp_socket(parsed.host, parsed.port, left(), kwargs)
            )
        if secure:
            sock = _with_tls(sock, ssl, server_hostname or parsed.host, left())
        connection = (create_connection or ClientConnection)(
            sock,
            protocol,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            close_timeout=close_timeout,
            max_queue=max_queue,
            logger=logger,
        )
    except BaseException as error:
        if sock is not None:
            sock.close()
        if isinstance(error, TimeoutError):
            raise TimeoutError(f"timed out during the opening handshake, after {open_timeout} s") from None
        raise
    try:
        connection.handshake(left())
    except BaseException:
        with connection._lock:
            connection._lose(None)
        raise
    return connection


def _tcp_socket(host: str, port: int, timeout: Optional[float], arguments: Any) -> socket.socket:
    """A connected socket; small messages leave at once."""
    arguments = {"address": (host, port), **arguments}
    arguments.setdefault("timeout", timeout)
    sock = socket.create_connection(**arguments)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _unix_socket(path: str, timeout: Optional[float]) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


def _with_tls(sock: socket.socket, context: Any, name: str, timeout: Optional[float]) -> socket.socket:
    """A socket with TLS on it, whose handshake is done."""
    import ssl

    if context is None or context is True:
        context = ssl.create_default_context()
    sock.settimeout(timeout)
    wrapped: socket.socket = context.wrap_socket(sock, server_hostname=name)
    return wrapped


def unix_connect(path: str, uri: Optional[str] = None, **kwargs: Any) -> ClientConnection:
    """Connects by a Unix socket. ``uri`` is what the request tells; by default it is ws://localhost/."""
    if uri is None:
        uri = "wss://localhost/" if kwargs.get("ssl") is not None else "ws://localhost/"
    return connect(uri, unix_path=path, **kwargs)
