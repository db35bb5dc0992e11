"""The server's end on sockets: a thread for each connection."""

from __future__ import annotations

import functools
import logging
import os
import selectors
import socket
import threading
import time
from typing import Any, Callable, Optional, Sequence, Set, Type

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
from .._library import check_fork
from ..exceptions import ConnectionClosed, ConnectionClosedOK, StateError, Violation
from ..http import Request, Response
from ..protocol import ServerProtocol, State
from ._socket import LONGEST
from .connection import Connection, Logger
from .waiting import TICK

__all__ = ["Server", "ServerConnection", "serve", "unix_serve"]

#: The flags of the code of coroutine functions and asynchronous generators (inspect.CO_COROUTINE, CO_ASYNC_GENERATOR).
_ASYNCHRONOUS = 0x80 | 0x200

Handler = Callable[["ServerConnection"], None]
# Seconds that a refusal has to leave when the server is shut down.
_HURRY = 1.0

ProcessRequest = Callable[["ServerConnection", Request], Optional[Response]]
ProcessResponse = Callable[["ServerConnection", Request, Response], Optional[Response]]


class ServerConnection(Connection):
    """The server's end of a connection."""

    protocol: ServerProtocol  # pyright: ignore[reportIncompatibleVariableOverride]
    #: The server that has accepted it.
    server: "Server"
    request: Optional[Request]
    response: Optional[Response]

    def __enter__(self) -> "ServerConnection":
        return self

    def respond(self, status: int, text: str) -> Response:
        """A response in plain text, for process_request() and process_response() to return."""
        return respond(status, text)

    def handshake(
        self,
        negotiation: Negotiation,
        process_request: Optional[ProcessRequest] = None,
        process_response: Optional[ProcessResponse] = None,
        server_header: Optional[str] = None,
        timeout: Optional[float] = None,
        serving: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Waits for the request and answers it; says whether the connection is open now. ``timeout``, in seconds, bounds
        the wait for the request; and that for a refusal to leave, if there is no ``close_timeout``."""
        another: Optional[bool] = True
        while another:
            deadline = None if timeout is None else time.monotonic() + timeout
            requested = self._until(self._is_requested, deadline)
            if requested is None:
                self.logger.info("opening handshake timed out")
                return False
            if not requested:
                break
            assert self.request is not None
            response = self._respond(self.request, negotiation, process_request, process_response)
            another = self._do(functools.partial(self._answer, response, server_header, serving))
            if another is None:
                return True
        # What was said is to arrive, and the client has a while to close.
        self._do(lambda: self._linger(timeout, serving))
        self._until(self._is_lost)
        return False

    def _is_requested(self) -> Optional[bool]:
        """Whether there is a request, False for never, None for not yet."""
        if self.request is not None:
            return True
        return False if self._lost or self._ended else None

    def _answer(self, response: Response, server_header: Optional[str], serving: Callable[[], bool]) -> Optional[bool]:
        """Sends the response. None: the connection is open now; else whether another request may come."""
        if self._lost:
            return False
        if response.status_code == 101:
            if not serving():
                response = respond(503, "Server is shutting down.\n")
            else:
                try:
                    self._start_keeper()
                except RuntimeError as error:
                    self.logger.error("cannot keep a connection: %s", error)
                    response = respond(503, "Server is overloaded.\n")
        response, another = answer_or_fail(self.protocol, response, server_header, serving(), self.logger)
        if another:
            self.logger.debug("request answered (%d)", response.status_code)
            self._flush()
            self.request = None
            self._handshake()  # the next request may be there already
            return True
        self.response = response
        if response.status_code == 101:
            self._opened()
            self._deliver()  # what has come behind the request
            return None
        self.logger.info("connection from %s rejected: %s", self.remote_address, told(response))
        self._refused = True
        self._flush()
        self._end()
        return False

    def _linger(self, timeout: Optional[float], serving: Callable[[], bool]) -> None:
        if self._close_at is None and timeout is not None:
            self._close_at = time.monotonic() + timeout
        if not serving():
            soon = time.monotonic() + _HURRY
            self._close_at = soon if self._close_at is None else min(soon, self._close_at)

    def _close_for_server(self, close_connections: bool, code: int, reason: str) -> None:
        """The server is shut down, and has said so already to who asks it."""
        if self._open:
            if close_connections:
                self._start_closing(code, reason)
        elif self.request is None or self._refused:
            self._lose(None)  # it has not asked for anything yet, or got its answer

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
        return False

    def _respond(
        self,
        request: Request,
        negotiation: Negotiation,
        process_request: Optional[ProcessRequest],
        process_response: Optional[ProcessResponse],
    ) -> Response:
        """Finds the response to a request."""
        source = "process_request"
        try:
            response = None
            if process_request is not None:
                response = _result(process_request(self, request), source)
            if response is None:
                source = "select_subprotocol"
                response = negotiation.response(self, request)
            source = "process_response"
            if process_response is not None:
                response = _result(process_response(self, request, response), source) or response
            return response
        except Exception:
            self.logger.error("%s failed", source, exc_info=True)
            return failed_response()


def _result(value: Any, source: str) -> Optional[Response]:
    return None if value is None else check_response(value, source)


class Server:
    """A server, made by serve(). As a context manager, it is shut down at the end."""

    def __init__(self, sock: socket.socket, handle: Callable[["Server", socket.socket], None], logger: Logger) -> None:
        #: The socket that it listens on.
        self.socket = sock
        self.logger = logger
        self._handle = handle
        self._lock = threading.RLock()  # a signal handler may call shutdown() within what has it
        self._connections: Set[ServerConnection] = set()
        self._opening: Set[socket.socket] = set()  # sockets that are none yet, because of TLS
        self._threads: Set[threading.Thread] = set()
        self._stopped = False
        self._loop: Optional[int] = None  # the thread that is in serve_forever()
        self._stoppers: Set[threading.Thread] = set()  # of the threads, those that have called shutdown()
        self._waker, self._wakee = socket.socketpair()
        for end in (sock, self._waker, self._wakee):
            end.setblocking(False)

    @property
    def connections(self) -> Set[ServerConnection]:
        """The connections that are open."""
        with self._lock:
            return {connection for connection in self._connections if connection.protocol.state is State.OPEN}

    def fileno(self) -> int:
        """The file descriptor that it listens on."""
        return self.socket.fileno()

    def is_serving(self) -> bool:
        """Whether it accepts connections, or would as soon as serve_forever() is called."""
        return not self._stopped

    def serve_forever(self) -> None:
        """Accepts connections until shutdown() is called, by another thread or a signal handler. After that it returns
        at once. Raises StateError if another thread is in it already, and ForkError in the child of a fork."""
        check_fork()
        mine = False
        try:
            with self._lock:
                if self._loop is not None:
                    raise StateError("serve_forever() is running already, in another thread")
                if self._stopped:
                    return
                self._loop = threading.get_ident()
                mine = True
            with selectors.DefaultSelector() as selector:
                for awaited in (self.socket, self._wakee):
                    selector.register(awaited, selectors.EVENT_READ)
                while not self._stopped:
                    selector.select()
                    self._accept()
        finally:
            if mine:
                self._loop = None
                if self._stopped:
                    self._close_sockets()

    def _accept(self) -> None:
        try:
            sock, _ = self.socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            if error.errno is None:
                raise  # of a signal handler
            if not self._stopped:
                self.logger.error("cannot accept a connection: %s", error)
                time.sleep(0.1)  # such as: too many open files
            return
        try:
            thread = threading.Thread(target=self._run, args=(sock,), name="embws connection", daemon=True)
            with self._lock:
                self._threads.add(thread)
            try:
                thread.start()
            except BaseException:
                self._threads.discard(thread)
                raise
        except (RuntimeError, MemoryError) as error:  # such as: can't start new thread
            self.logger.error("cannot handle a connection: %s", error)
            sock.close()
        except BaseException:
            sock.close()
            raise

    def _run(self, sock: socket.socket) -> None:
        try:
            self._handle(self, sock)
        except Exception:
            self.logger.error("a connection has failed", exc_info=True)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())
                self._stoppers.discard(threading.current_thread())

    def _open(self, sock: socket.socket) -> bool:
        """Notes a socket that begins with TLS; says whether it may."""
        with self._lock:
            self._opening.add(sock)
            return not self._stopped

    def _opened(self, sock: socket.socket) -> None:
        with self._lock:
            self._opening.discard(sock)

    def _add(self, connection: ServerConnection) -> bool:
        """Notes a connection; says whether shutdown() will see it."""
        with self._lock:
            self._connections.add(connection)
            return not self._stopped

    def _remove(self, connection: ServerConnection) -> None:
        with self._lock:
            self._connections.discard(connection)

    def shutdown(self, close_connections: bool = True, code: int = GOING_AWAY, reason: str = "") -> None:
        """Stops to listen, closes the connections, and waits for their handlers. With ``close_connections=False`` the
        handlers decide when their connections end.

        Any thread may call it, and any number of times. If that of a handler does, it does not wait for itself, nor for
        other handlers that have. Raises ForkError in the child of a fork."""
        check_fork()
        check_close(code, reason)
        self._stopped = True
        self._stop_listening(threading.get_ident())
        me = threading.current_thread()
        with self._lock:
            connections, threads, opening = list(self._connections), list(self._threads), list(self._opening)
            if is_handler := me in threads:
                self._stoppers.add(me)
        for sock in opening:
            try:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not that of SSLSocket, which another thread uses
            except OSError:
                pass  # it has ended
        for connection in connections:
            connection._do(lambda: connection._close_for_server(close_connections, code, reason))  # noqa: B023
        for thread in threads:
            # Handlers that call this would wait for each other.
            while thread.is_alive() and not (is_handler and thread in self._stoppers):
                thread.join(TICK)

    def _stop_listening(self, me: int) -> None:
        """Ends serve_forever(), and waits for that: from then on no connection is new."""
        while self._loop is not None:
            try:
                self._waker.send(b"x")
            except (BlockingIOError, InterruptedError):
                pass  # it was told before
            except OSError:
                break  # it has ended just now
            if self._loop == me:
                return  # it is what a signal handler interrupts, and ends when that returns
            time.sleep(0.001)
        self._close_sockets()

    def _close_sockets(self) -> None:
        for sock in (self.socket, self._waker, self._wakee):
            sock.close()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        self.shutdown()


def serve(
    handler: Handler,
    host: Optional[str] = None,
    port: Optional[int] = None,
    *,
    sock: Optional[socket.socket] = None,
    ssl: Any = None,
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
    logger: Optional[Logger] = None,
    create_connection: Optional[Type[ServerConnection]] = None,
    **kwargs: Any,
) -> Server:
    """Makes a server: ``handler`` gets each connection as a ServerConnection, in a thread of its own. When it returns,
    the connection is closed; with 1011 if it raises.

        with serve(handler, "127.0.0.1", 1337) as server:
            server.serve_forever()

    ``sock`` is a socket that listens already, ``ssl`` an SSLContext. ``origins`` are the values of Origin to be
    accepted: str, patterns that match all of it, and None for none. ``subprotocols`` are those that the server speaks,
    in its order of preference; ``select_subprotocol(connection, offered)`` decides in another way, and refuses by
    raising InvalidHandshake. ``process_request(connection, request)`` may answer a request by returning a Response, and
    ``process_response(connection, request, response)`` change ``response.headers`` or return another one.
    ``open_timeout`` bounds the opening handshake, with TLS, in seconds. For the other time-outs and limits see
    connect(). ``compression`` can only be None.

    Other arguments are those of ``socket.create_server()``; there are none for a ``sock``.
    """
    if not callable(handler):
        raise TypeError(f"handler must be callable, not {type(handler).__name__}")
    if getattr(getattr(handler, "__code__", None), "co_flags", 0) & _ASYNCHRONOUS:
        raise TypeError("handler is a coroutine function, which runs on asyncio: take embws.aio.serve()")
    no_compression(compression)
    tls_context(ssl)
    for argument, name in (
        (process_request, "process_request"),
        (process_response, "process_response"),
        (create_connection, "create_connection"),
    ):
        function(argument, name)
    port = port_number(port)
    negotiation = Negotiation(origins, subprotocols, select_subprotocol)
    header, log = software_field(server_header, "server_header"), logger or logging.getLogger("embws.server")
    open_timeout = seconds(open_timeout, "open_timeout")
    check_settings(ping_interval, ping_timeout, close_timeout, max_size, max_queue)

    def handle(server: Server, client: socket.socket) -> None:
        deadline = None if open_timeout is None else time.monotonic() + open_timeout
        try:
            client.settimeout(None if open_timeout is None else min(open_timeout, LONGEST))
            if client.family != getattr(socket, "AF_UNIX", None):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if ssl is not None:
                client = ssl.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
                try:
                    if server._open(client):
                        client.do_handshake()  # type: ignore[attr-defined]
                finally:
                    server._opened(client)
            connection = (create_connection or ServerConnection)(
                client,
                ServerProtocol(max_size=max_size),
                ping_interval=ping_interval,
                ping_timeout=ping_timeout,
                close_timeout=close_timeout,
                max_queue=max_queue,
                logger=log,
            )
        except OSError as error:
            log.info("opening handshake failed: %s", error)
            client.close()
            return
        except BaseException:
            client.close()
            raise
        connection.server = server
        try:
            if server._add(connection) and connection.handshake(
                negotiation,
                process_request,
                process_response,
                header,
                None if deadline is None else max(0.0, deadline - time.monotonic()),
                server.is_serving,
            ):
                _run_handler(handler, connection)
        finally:
            connection._drop()
            server._remove(connection)

    path = kwargs.pop("unix_path", None)
    if sock is not None or path is not None:
        for name, value in {"host": host, "port": port, **kwargs}.items():
            if value is not None:
                raise TypeError(f"serve() got an unexpected argument: {name}; the socket is made already")
    if sock is None:
        sock = _unix_listener(path) if path is not None else _listener(host, port, kwargs)
    return Server(sock, handle, log)


def _run_handler(handler: Handler, connection: ServerConnection) -> None:
    code = 1000
    try:
        handler(connection)
    except ConnectionClosed as error:
        if not isinstance(error, ConnectionClosedOK):
            connection.logger.info("connection closed: %s", error)
    except Exception:
        connection.logger.error("connection handler failed", exc_info=True)
        code = INTERNAL_ERROR
    connection.close(code)


def _listener(host: Optional[str], port: Optional[int], arguments: Any) -> socket.socket:
    if port is None:
        raise TypeError("port must be an int; 0 takes one that is free")
    return socket.create_server((host or "", port), **arguments)


def _unix_listener(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(os.fspath(path))
        sock.listen()
    except BaseException:
        sock.close()
        raise
    return sock


def unix_serve(handler: Handler, path: str, **kwargs: Any) -> Server:
    """Serves on a Unix socket."""
    return serve(handler, unix_path=path, **kwargs)
