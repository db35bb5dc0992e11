"""The client's end on a socket."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import Any, Callable, List, Optional, Sequence, Tuple, Type, Union

from .._arguments import function, headers_of, no_compression, no_proxy
from .._connection import SOFTWARE, Limit, check_settings, check_tls, head_of_peer, seconds, software_field
from ..exceptions import InvalidHandshake, Violation
from ..http import HeadersLike, Response
from ..protocol import ClientProtocol
from ..uri import parse_uri
from ._socket import LONGEST
from .connection import Connection, Logger

__all__ = ["ClientConnection", "connect", "unix_connect"]


class ClientConnection(Connection):
    """The client's end of a connection."""

    _client = True
    protocol: ClientProtocol  # pyright: ignore[reportIncompatibleVariableOverride]
    response: Optional[Response]

    def __enter__(self) -> "ClientConnection":
        return self

    def handshake(self, timeout: Optional[float] = None) -> None:
        """Sends the request and waits for the server's answer, for up to ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            self._do(self._flush)
            done = self._until(self._is_answered, deadline)
            if done is None:
                raise TimeoutError(f"timed out during the opening handshake, after {timeout} s")
            if self._failure is not None:
                raise self._failure
            if not done:
                raise InvalidHandshake("connection closed during the handshake", 38, "RFC 6455 4.1") from self._cause
        finally:
            del self  # it has what is raised, whose traceback has this frame

    def _is_answered(self) -> Optional[bool]:
        """Whether the connection is open, False for never, None for not yet."""
        if self.response is not None:
            return True
        return False if self._lost or self._failure is not None else None

    _failure: Optional[Violation] = None

    def _handshake(self) -> bool:
        head = head_of_peer(self.protocol)
        if isinstance(head, Violation):
            self._failure = head
            return False
        if head is None:
            return False
        assert isinstance(head, Response)
        self.response = head
        self._opened()
        self._start_keeper()
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
    compression: None = None,
    additional_headers: Optional[HeadersLike] = None,
    user_agent_header: Optional[str] = SOFTWARE,
    proxy: None = None,
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
    ``open_timeout`` bounds the whole opening, in seconds: looking up the name, connecting, TLS and the upgrade. Every
    ``ping_interval`` seconds a Ping is sent, and the connection closed with 1011 if none was answered within
    ``ping_timeout`` seconds. ``close_timeout`` bounds the closing handshake. ``max_size`` limits a received message, in
    bytes. Reading pauses where more than ``max_queue`` messages wait to be received; it may be a tuple of the high- and
    low-water mark. None means no limit; so does infinity, for seconds. ``compression`` and ``proxy`` can only be None.

    Other arguments are those of ``socket.create_connection()``; there are none for a ``sock``.

    Raises InvalidURI, which is a ValueError; OSError if there is no connection, TimeoutError after ``open_timeout``,
    InvalidStatus if the server refuses, InvalidHandshake if its answer breaks a rule.
    """
    no_compression(compression)
    no_proxy(proxy)
    if sock is not None and not isinstance(sock, socket.socket):
        raise TypeError(f"sock must be a socket, not {type(sock).__name__}")
    function(create_connection, "create_connection")
    parsed = parse_uri(uri)
    secure = check_tls(parsed, ssl)
    open_timeout = seconds(open_timeout, "open_timeout")
    check_settings(ping_interval, ping_timeout, close_timeout, max_size, max_queue)
    headers = headers_of(additional_headers, "additional_headers")
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
        return None if deadline is None else min(max(0.001, deadline - time.monotonic()), LONGEST)

    unix = kwargs.pop("unix_path", None)
    if kwargs and (sock is not None or unix is not None):
        raise TypeError(f"connect() got an unexpected argument: {next(iter(kwargs))}")
    try:
        if sock is None:
            sock = _tcp_socket((parsed.host, parsed.port), left, **kwargs) if unix is None else _unix_socket(unix, left)
        if secure:
            sock = _with_tls(sock, ssl, server_hostname or parsed.host, left)
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
        if isinstance(error, TimeoutError) and deadline is not None and time.monotonic() >= deadline:
            raise TimeoutError(f"timed out during the opening handshake, after {open_timeout} s") from None
        raise
    try:
        connection.handshake(None if deadline is None else left())
        return connection
    except BaseException:
        connection._drop()
        raise
    finally:
        del connection, protocol  # as in handshake()


Left = Callable[[], Optional[float]]


def _tcp_socket(
    address: Tuple[str, int],
    left: Left,
    *,
    timeout: Optional[float] = None,
    source_address: Optional[Tuple[str, int]] = None,
    all_errors: bool = False,
    **other: Any,
) -> socket.socket:
    """A connected socket, for which all of the peer's addresses are tried; small messages leave at once. This is what
    socket.create_connection() does, which has a time-out for each address, and none for finding them."""
    address = other.pop("address", address)
    if other:
        raise TypeError(f"connect() got an unexpected argument: {next(iter(other))}")
    errors: List[OSError] = []
    for family, kind, proto, _, place in _addresses(*address, left):
        sock = socket.socket(family, kind, proto)
        try:
            rest = left()
            sock.settimeout(timeout if rest is None or (timeout is not None and timeout < rest) else rest)
            if source_address is not None:
                sock.bind(source_address)
            sock.connect(place)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            if error.errno is None and not isinstance(error, TimeoutError):
                raise
            errors.append(error)
        except BaseException:
            sock.close()
            raise
    if not errors:
        raise OSError("the name has no address")
    try:
        if all_errors:
            raise ExceptionGroup("connecting has failed", errors)
        raise errors[-1]
    finally:
        errors.clear()  # their traces keep this frame


def _addresses(host: str, port: int, left: Left) -> "List[Any]":
    """The addresses of a name. The system's look-up has no time-out: a thread does it, and is left to its fate."""
    timeout = left()
    numeric = 0 if timeout is None else socket.AI_NUMERICHOST
    try:
        return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, numeric)
    except socket.gaierror:
        if timeout is None:
            raise
    found: List[Union[BaseException, List[Any]]] = []
    done = threading.Lock()
    done.acquire()

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
        except BaseException as error:
            found.append(error)
        done.release()

    threading.Thread(target=look_up, name="embws look-up", daemon=True).start()
    if not done.acquire(True, timeout):
        raise TimeoutError(f"timed out while looking up {host}")
    result = found.pop()
    if isinstance(result, BaseException):
        raise result
    return result


def _unix_socket(path: str, left: Left) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(left())
        sock.connect(os.fspath(path))
    except BaseException:
        sock.close()
        raise
    return sock


def _with_tls(sock: socket.socket, context: Any, name: str, left: Left) -> socket.socket:
    """A socket with TLS on it, whose handshake is done."""
    import ssl

    if context is None or context is True:
        context = ssl.create_default_context()
    sock.settimeout(left())
    wrapped: socket.socket = context.wrap_socket(sock, server_hostname=name)
    return wrapped


def unix_connect(path: str, uri: Optional[str] = None, **kwargs: Any) -> ClientConnection:
    """Connects by a Unix socket. ``uri`` is what the request tells; by default it is ws://localhost/."""
    if uri is None:
        uri = "wss://localhost/" if kwargs.get("ssl") is not None else "ws://localhost/"
    return connect(uri, unix_path=path, **kwargs)
