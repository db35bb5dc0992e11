"""The server's end on sockets: a thread for each connection."""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
import time
from typing import Any, Callable, Optional, Sequence, Set, Type

from .._connection import (
    GOING_AWAY,
    INTERNAL_ERROR,
    SOFTWARE,
    Limit,
    Negotiation,
    Origins,
    answer,
    check_response,
    check_settings,
    failed_response,
    respond,
    seconds,
    software_field,
)
from ..exceptions import ConnectionClosedOK, Violation
from ..http import Request, Response
from ..protocol import ServerProtocol, State
from .connection import Connection, Logger

__all__ = ["Server", "ServerConnection", "serve", "unix_serve"]

Handler = Callable[["ServerConnection"], None]
ProcessRequest = Callable[["ServerConnection", Request], Optional[Response]]
ProcessResponse = Callable[["ServerConnection", Request, Response], Optional[Response]]


class ServerConnection(Connection):
    """The server's end of a connection."""

    protocol: ServerProtocol  # pyright: ignore[reportIncompatibleVariableOverride]

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
        """Waits for the request and answers it; says whether the connection is open now."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            while self.request is None:
                if self._lost or self._ended:
                    return False
                if deadline is not None and time.monotonic() >= deadline:
                    self.logger.info("opening handshake timed out")
                    return False
                self._step(deadline)
        response = self._respond(self.request, negotiation, process_request, process_response)
        if response.status_code == 101 and not serving():
            response = respond(503, "Server is shutting down.\n")
        with self._lock:
            try:
                answer(self.protocol, response, server_header)
            except Exception:
                self.logger.error("the response cannot be sent", exc_info=True)
                response = failed_response()
                answer(self.protocol, response, server_header)
            self.response = response
            if response.status_code == 101:
                self._opened()
                self._deliver()  # what has come behind the request
                return True
            self.logger.info("connection rejected (%d)", response.status_code)
            self._start_close_clock()
            self._flush_all()
            self._ended = True
            self._transport.half_close()
            self._wait_lost(None)
        return False

    def _handshake(self) -> bool:
        if self.request is not None:
            return False  # what follows the request is for later
        try:
            event = next(iter(self.protocol.events()), None)
        except Violation as failure:
            failure.__traceback__ = None
            self.logger.info("opening handshake failed: %s", failure)
            self._flush()
            self._end()
            return False
        if event is not None:
            assert isinstance(event, Request)
            self.request = event
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
        self._lock = threading.Lock()
        self._connections: Set[ServerConnection] = set()
        self._threads: Set[threading.Thread] = set()
        self._stopped = False
        self._waker, self._wakee = os.pipe()[::-1]
        self._ended = threading.Event()  # serve_forever() does not run
        self._ended.set()
        sock.setblocking(False)

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
        """Accepts connections until shutdown() is called, by another thread or a signal handler."""
        self._ended.clear()
        try:
            while not self._stopped:
                select.select([self.socket.fileno(), self._wakee], [], [])
                try:
                    sock, _ = self.socket.accept()
                except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                    continue
                except OSError as error:
                    if self._stopped:
                        break
                    self.logger.error("cannot accept a connection: %s", error)
                    time.sleep(0.1)  # such as: too many open files
                    continue
                # If the thread cannot be started the connection ends here.
                thread = threading.Thread(target=self._run, args=(sock,), name="embws connection", daemon=True)
                with self._lock:
                    self._threads.add(thread)
                thread.start()
        finally:
            self._ended.set()

    def _run(self, sock: socket.socket) -> None:
        try:
            self._handle(self, sock)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def shutdown(self, close_connections: bool = True, code: int = GOING_AWAY, reason: str = "") -> None:
        """Stops to listen, closes the connections, and waits for their handlers. With ``close_connections=False`` the
        handlers decide when their connections end."""
        with self._lock:
            first, self._stopped = not self._stopped, True
            connections, threads = list(self._connections), list(self._threads)
        if first:
            os.write(self._waker, b"x")
            self._ended.wait()
            self.socket.close()
            os.close(self._waker)
            os.close(self._wakee)
        for connection in connections:
            with connection._lock:
                if connection.request is None:
                    connection._lose(None)  # it has not asked for anything
                elif connection._open and close_connections:
                    connection._start_closing(code, reason)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join()

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
    ``open_timeout`` bounds the opening handshake. For the other time-outs and limits see connect().

    Other arguments are those of ``socket.create_server()``.
    """
    if not callable(handler):
        raise TypeError(f"handler must be callable, not {type(handler).__name__}")
    negotiation = Negotiation(origins, subprotocols, select_subprotocol)
    header, log = software_field(server_header, "server_header"), logger or logging.getLogger("embws.server")
    open_timeout = seconds(open_timeout, "open_timeout")
    check_settings(ping_interval, ping_timeout, close_timeout, max_size, max_queue)

    def handle(server: Server, client: socket.socket) -> None:
        try:
            client.settimeout(open_timeout)
            if client.family != getattr(socket, "AF_UNIX", None):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if ssl is not None:
                client = ssl.wrap_socket(client, server_side=True)
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
        with server._lock:
            server._connections.add(connection)
            late = server._stopped
        if late:  # shutdown() has not seen it
            with connection._lock:
                connection._lose(None)
        try:
            if connection.handshake(
                negotiation, process_request, process_response, header, open_timeout, server.is_serving
            ):
                _run_handler(handler, connection)
        finally:
            with connection._lock:
                connection._lose(None)
            with server._lock:
                server._connections.discard(connection)

    if sock is None:
        path = kwargs.pop("unix_path", None)
        sock = _unix_listener(path) if path is not None else _listener(host, port, kwargs)
    return Server(sock, handle, log)


def _run_handler(handler: Handler, connection: ServerConnection) -> None:
    code = 1000
    try:
        handler(connection)
    except ConnectionClosedOK:
        pass
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
        sock.bind(path)
        sock.listen()
    except BaseException:
        sock.close()
        raise
    return sock


def unix_serve(handler: Handler, path: str, **kwargs: Any) -> Server:
    """Serves on a Unix socket."""
    return serve(handler, unix_path=path, **kwargs)
