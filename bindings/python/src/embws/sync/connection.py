"""A connection on a socket: what the two ends have in common.

Who waits in recv() reads the socket. When nobody does, a thread of the connection's own, the keeper, does it: Pings are
answered and a Close is found even where the user is busy. It also watches the clock.
"""

from __future__ import annotations

import collections
import logging
import socket
import threading
import time
import uuid
from typing import Any, Deque, Iterable, Iterator, List, Literal, Mapping, Optional, Union, cast, overload

from .._connection import (
    HOLD_SECONDS,
    INTERNAL_ERROR,
    SMALL,
    Fragments,
    Held,
    Limit,
    Message,
    Pings,
    converted,
    queue_message,
    received_pongs,
    seconds,
    take_messages,
    water_marks,
)
from ..exceptions import ConnectionClosed, ConnectionClosedOK, StateError
from ..http import Request, Response
from ..protocol import BytesLike, Protocol, State
from ._socket import Transport

__all__ = ["Connection"]

Logger = Union[logging.Logger, "logging.LoggerAdapter[Any]"]

# The keeper looks this often, in seconds, whether the user has stopped to read.
_TICK = 0.25


class Connection:
    """A WebSocket connection, made by connect() or serve().

    It is an iterator of messages, which ends when the connection is closed in order, and a context manager, which
    closes it. Its methods may be called by any thread; recv() by one at a time.
    """

    _client = False

    def __init__(
        self,
        sock: socket.socket,
        protocol: Protocol,
        *,
        ping_interval: Optional[float] = 20,
        ping_timeout: Optional[float] = 20,
        close_timeout: Optional[float] = 10,
        max_queue: Limit = 16,
        logger: Optional[Logger] = None,
    ) -> None:
        #: The codec of this connection.
        self.protocol = protocol
        #: The socket under it.
        self.socket = sock
        self.ping_interval = seconds(ping_interval, "ping_interval")
        self.ping_timeout = seconds(ping_timeout, "ping_timeout")
        self.close_timeout = seconds(close_timeout, "close_timeout")
        self.logger: Logger = logger or logging.getLogger("embws.client" if self._client else "embws.server")
        #: The request of the handshake, as a server received it.
        self.request: Optional[Request] = None
        #: The response of the handshake.
        self.response: Optional[Response] = None
        #: Seconds that the last Ping took to be answered; 0 as long as none was.
        self.latency = 0.0
        #: A unique identifier, for logs.
        self.id = uuid.uuid4()
        self._high, self._low = water_marks(max_queue, "max_queue")
        self._transport = Transport(sock)
        self._local_address, self._remote_address = _addresses(sock)
        self._lock = threading.Lock()  # for all of what follows, the protocol object and the socket
        self._arrived = threading.Condition(self._lock)  # what the keeper has read, or the end
        self._keeper_wake = threading.Condition(self._lock)
        self._send_lock = threading.Lock()  # a message that is sent in fragments keeps others out
        self._fragmented = False  # and one is being sent
        self._messages: Deque[Message] = collections.deque()
        self._unread = 0  # bytes of answers since the socket took no more
        self._full = False  # reading pauses until the queue has shrunk
        self._receiving = False  # a thread is in recv()
        self._reading = False  # a thread waits for the socket, and will read it
        self._held: Held = b""
        self._held_until = 0.0
        self._pings: Pings[threading.Event] = Pings()
        self._alive_at: Optional[float] = None  # when keepalive has something to do
        self._alive_pong: Optional[threading.Event] = None
        self._open = False  # messages can be sent
        self._ended = False  # none will be received
        self._lost = False  # the transport has ended
        self._close_at: Optional[float] = None  # when the transport is dropped
        self._cause: Optional[BaseException] = None
        self._keeper: Optional[threading.Thread] = None

    # -- What it is -----------------------------------------------------------------------------------------------

    @property
    def local_address(self) -> Any:
        """The address of this end: (host, port), with more items for IPv6, or a path."""
        return self._local_address

    @property
    def remote_address(self) -> Any:
        """The address of the peer."""
        return self._remote_address

    @property
    def state(self) -> State:
        """Where the connection stands."""
        return self.protocol.state

    @property
    def subprotocol(self) -> Optional[str]:
        """The subprotocol that was agreed on, or None."""
        return self.protocol.subprotocol

    @property
    def close_code(self) -> Optional[int]:
        """The code of the peer's Close; 1005 if it has none, 1006 if none came; None while the connection goes on."""
        return self.protocol.close_code

    @property
    def close_reason(self) -> Optional[str]:
        """The reason of the peer's Close; None while the connection goes on."""
        return self.protocol.close_reason

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {self.state.name}>"

    # -- Receiving ------------------------------------------------------------------------------------------------

    @overload
    def recv(self, timeout: Optional[float], decode: Literal[True]) -> str: ...

    @overload
    def recv(self, timeout: Optional[float], decode: Literal[False]) -> bytes: ...

    @overload
    def recv(self, timeout: Optional[float] = None, *, decode: Literal[True]) -> str: ...

    @overload
    def recv(self, timeout: Optional[float] = None, *, decode: Literal[False]) -> bytes: ...

    @overload
    def recv(self, timeout: Optional[float] = None, decode: Optional[bool] = None) -> Message: ...

    def recv(self, timeout: Optional[float] = None, decode: Optional[bool] = None) -> Message:
        """Gives the next message: str for text, bytes for binary data, or what ``decode`` says.

        TimeoutError is raised if none has come within ``timeout`` seconds, which loses nothing, and ConnectionClosed
        after the last message. Only one thread may wait at a time; a second one gets a StateError.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            if self._receiving:
                raise StateError(
                    "cannot call recv() while another thread is waiting in recv(), or iterating, on this connection"
                )
            self._receiving = True
            try:
                while not self._messages:
                    self._wait_for_message(deadline)
                message = self._messages.popleft()
                if self._full and len(self._messages) <= self._low:
                    self._full = False
            finally:
                self._receiving = False
        return message if decode is None else converted(message, decode)

    def __iter__(self) -> Iterator[Message]:
        try:
            while True:
                yield self.recv()
        except ConnectionClosedOK:
            return

    def _wait_for_message(self, deadline: Optional[float]) -> None:
        if self._held:
            self._release()
            return
        if self._ended:
            raise self._closed()
        if deadline is not None and time.monotonic() >= deadline:
            raise TimeoutError("timed out while waiting for a message")
        if self._reading:
            self._arrived.wait(None if deadline is None else deadline - time.monotonic())
        else:
            self._step(deadline)

    def _step(self, deadline: Optional[float]) -> None:
        """Waits for the socket, without the lock, and does what it allows: reading, if no other thread is about to and
        there is room for messages; writing, if something waits."""
        transport = self._transport
        write = bool(transport)
        if not write:
            self._unread = 0
        # A peer that is sent answers, to Pings, and does not read is not read from after some of them.
        read = not (self._reading or self._full or self._held or self._lost or self._unread > SMALL)
        timeout = None if deadline is None else deadline - time.monotonic()
        if not (read or write):
            # Another thread reads, or the queue is full: there is nothing to do but to wait.
            self._arrived.wait(_TICK if timeout is None else min(_TICK, max(0.0, timeout)))
            return
        if read:
            self._reading = True
        transport.begin_wait()
        self._lock.release()
        try:
            can_read, can_write = (
                (True, write) if read and transport.pending() else transport.wait(read, write, timeout)
            )
        finally:
            self._lock.acquire()
            transport.end_wait()
            if read:
                self._reading = False
                self._arrived.notify_all()  # who waits for a message reads on by itself
        try:
            if can_write:
                transport.write_backlog()
                if self._ended and not transport and not self._lost:
                    self._end_transport()
            if can_read:
                self._read()
        except OSError as error:
            self._lose(error)

    def _read(self) -> None:
        """Reads all that TLS has, or once, and takes it."""
        while not self._lost:
            n = self._transport.receive(self.protocol.get_buffer())
            if n is None:
                return
            if n == 0:
                self._lose(None)
                return
            if self._ended:
                continue  # what follows a failure, or the peer's Close
            self.protocol.buffer_updated(n)
            if self.response is not None or self._handshake():
                self._deliver()
            if not self._transport.pending():
                return

    def _handshake(self) -> bool:
        """Goes on with the handshake; says whether the connection is open now."""
        raise NotImplementedError

    def _deliver(self) -> None:
        """Takes what the protocol object has: messages, Pongs, what is to be sent, and whether this is the end."""
        protocol, messages = self.protocol, self._messages
        if self._pings:
            self._acknowledge(received_pongs(protocol))
        held = take_messages(protocol, messages)
        if len(messages) > self._high and self._open:
            self._full = True
        self._flush(answers=True)
        if held:
            self._held, self._held_until = held, time.monotonic() + HOLD_SECONDS
            if messages:
                self._keeper_wake.notify()
            else:
                self._release()
        elif protocol.close_expected():
            self._end()

    def _release(self) -> None:
        """Goes on behind the messages that had to be answered first."""
        held, self._held = self._held, b""
        if held and not self._ended:
            self.protocol.receive_data(held)
            self._deliver()

    # -- Sending --------------------------------------------------------------------------------------------------

    def send(
        self, message: Union[str, BytesLike, Iterable[Union[str, BytesLike]]], text: Optional[bool] = None
    ) -> None:
        """Sends a message: str as text, bytes-like as binary data; ``text`` overrides that. It waits until the system
        has taken all of it.

        An iterable is sent as one message in fragments, as they come; other senders wait until it is complete. If it
        fails, the connection is closed with 1011, for the message cannot be completed.
        """
        if isinstance(message, (str, bytes, bytearray, memoryview)):
            with self._send_lock, self._lock:
                self._check_open()
                queue_message(self.protocol, cast(Union[str, BytesLike], message), text)
                self._flush_all()
            return
        if isinstance(message, Mapping) or not isinstance(message, Iterable):
            raise TypeError(
                f"message must be str, bytes-like or an iterable of one of these, not {type(message).__name__}"
            )
        with self._send_lock:
            fragments = Fragments(self.protocol, text)
            self._fragmented = True
            try:
                for part in message:
                    with self._lock:
                        self._check_open()
                        fragments.add(part)
                        self._flush_all()
                with self._lock:
                    self._check_open()
                    fragments.end()
                    self._flush_all()
            except BaseException:
                with self._lock:
                    if fragments.begun and self._open:
                        self._start_closing(INTERNAL_ERROR, "error in fragmented message")
                raise
            finally:
                self._fragmented = False

    def _check_open(self) -> None:
        """Raises what tells that nothing can be sent: when the closing handshake is done, for only then it is known how
        it ended."""
        if not self._open:
            self._wait_lost(None)
            raise self._closed()

    def _flush(self, answers: bool = False) -> None:
        """Writes what is to be sent, as far as the socket takes it."""
        buffers = self.protocol.buffers_to_send()
        if buffers:
            if answers and self._transport:
                self._unread += sum(map(len, buffers))
            try:
                self._transport.write(buffers)
            except OSError as error:
                self._lose(error)

    def _flush_all(self) -> None:
        """Writes what is to be sent, and waits until it has left. Meanwhile it is read, if nobody else does: or two
        ends that send much to each other would wait for ever."""
        self._flush()
        while self._transport and not self._lost:
            self._step(None)

    # -- Pings ----------------------------------------------------------------------------------------------------

    def ping(self, data: Union[None, str, BytesLike] = None) -> threading.Event:
        """Sends a Ping, and gives an event that is set when the Pong has come, or the connection has ended; ``latency``
        then has the seconds. ``data`` is up to 125 bytes; by default it is random."""
        with self._lock:
            self._check_open()
            waiter = self._ping(data)
            self._flush_all()
            self._keeper_wake.notify()  # the user may wait for the event, and not read
        return waiter

    def _ping(self, data: Union[None, str, BytesLike]) -> threading.Event:
        payload = self._pings.payload(data)
        self.protocol.ping(payload)
        waiter = threading.Event()
        self._pings.add(payload, waiter, time.monotonic())
        return waiter

    def pong(self, data: Union[str, BytesLike] = b"") -> None:
        """Sends a Pong that nobody has asked for. Pings are answered by themselves."""
        with self._lock:
            self._check_open()
            self.protocol.pong(data)
            self._flush_all()

    def _acknowledge(self, payloads: List[bytes]) -> None:
        now = time.monotonic()
        for payload in payloads:
            for waiter, sent in self._pings.answered(payload):
                self.latency = now - sent
                waiter.set()
                if waiter is self._alive_pong:
                    self._alive_pong = None
                    self._alive_at = now + max(0.0, (self.ping_interval or 0.0) - self.latency)

    # -- The keeper -----------------------------------------------------------------------------------------------

    def _opened(self) -> None:
        """The handshake is done."""
        self._open = True
        if self.ping_interval is not None:
            self._alive_at = time.monotonic() + self.ping_interval
        self._keeper = threading.Thread(target=self._keep, name=f"embws keeper {self.id}", daemon=True)
        self._keeper.start()

    def _keep(self) -> None:
        """What the keeper does until the connection is lost."""
        with self._lock:
            while not self._lost:
                now = time.monotonic()
                if self._held and now >= self._held_until:
                    self._release()
                if self._close_at is not None and now >= self._close_at:
                    self._lose(None)
                elif self._alive_at is not None and now >= self._alive_at:
                    self._keep_alive(now)
                times = [t for t in (self._close_at, self._alive_at, self._held_until if self._held else None) if t]
                deadline = min(times) if times else None
                if self._reading or self._receiving or self._held or (self._full and not self._transport):
                    wait = _TICK if deadline is None else min(_TICK, max(0.0, deadline - now))
                    self._keeper_wake.wait(wait)
                else:
                    self._step(deadline)

    def _keep_alive(self, now: float) -> None:
        """The time of keepalive: a Ping is due, or has had no answer."""
        self._alive_at = None
        if not self._open:
            return
        if self._alive_pong is None or self.ping_timeout is None:
            self._alive_pong = self._ping(None)
            self._alive_at = now + (self.ping_timeout if self.ping_timeout is not None else self.ping_interval or 0.0)
            self._flush()
        elif self._full:  # the Pong may lie behind messages that nobody has taken
            self._alive_at = now + self.ping_timeout
        else:
            self._start_closing(INTERNAL_ERROR, "keepalive ping timeout")
            self._end()

    # -- The end --------------------------------------------------------------------------------------------------

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        self.close(1000 if exc_type is None else INTERNAL_ERROR)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes the connection, and waits until it is closed, for up to ``close_timeout`` seconds. Of a connection
        that is closed nothing happens. Messages that arrive meanwhile can still be received."""
        with self._lock:
            if self._open:
                if self._fragmented:
                    code, reason = INTERNAL_ERROR, "close during fragmented message"
                self._start_closing(code, reason)
            self._wait_lost(None)
        keeper = self._keeper
        if keeper is not None and keeper is not threading.current_thread():
            keeper.join(_TICK * 4)

    def wait_closed(self, timeout: Optional[float] = None) -> bool:
        """Waits until the connection is closed, the transport too; says whether that is so within ``timeout``
        seconds."""
        with self._lock:
            return self._wait_lost(None if timeout is None else time.monotonic() + timeout)

    def _wait_lost(self, deadline: Optional[float]) -> bool:
        while not self._lost:
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                return False
            if self._held and not self._open:
                self._release()
            elif self._close_at is not None and now >= self._close_at:
                self._lose(None)
            elif self._reading:
                self._arrived.wait(_TICK if deadline is None else min(_TICK, deadline - now))
            else:
                self._step(min((t for t in (deadline, self._close_at) if t is not None), default=None))
        return True

    def _start_closing(self, code: int, reason: str) -> None:
        """Sends a Close. The peer's is awaited."""
        self.protocol.close(code, reason)
        self._open = False
        self._full = False  # the peer's Close must be found
        self._start_close_clock()
        self._flush()
        self._release()
        self._keeper_wake.notify()

    def _start_close_clock(self) -> None:
        if self._close_at is None and self.close_timeout is not None:
            self._close_at = time.monotonic() + self.close_timeout

    def _end(self) -> None:
        """Nothing more will be received: both have closed, or the peer has failed. The transport is to be closed."""
        if self._ended:
            return
        self._ended, self._open, self._full = True, False, False
        self._arrived.notify_all()
        self._keeper_wake.notify()
        self._start_close_clock()
        if self._transport:  # the last words wait for room; who writes them comes back
            return
        self._end_transport()

    def _end_transport(self) -> None:
        if self.protocol.failure is not None or not self.protocol.close_expected():
            # Closing with unread bytes would reset the connection, and the peer might never see our last words.
            self._transport.half_close()
            if self._transport.closed:
                self._lose(None)
        elif not self._client:
            self._lose(None)
        # else it is the server's to close (RFC 6455 7.1.1)

    def _lose(self, error: Optional[BaseException]) -> None:
        """The transport has ended, or is dropped."""
        if self._lost:
            return
        self._lost = True
        if error is not None:
            error.__traceback__ = None
            self._cause = error
        if not self._ended and self._held:
            self._release()
        self._ended, self._open, self._full = True, False, False
        self.protocol.receive_eof()
        self._transport.close()
        for waiter in self._pings.abandon():
            waiter.set()
        self._arrived.notify_all()
        self._keeper_wake.notify()

    def _closed(self) -> ConnectionClosed:
        """What to raise to who uses the connection after its end."""
        error = self.protocol.close_exc
        if error.__cause__ is None and self._cause is not None:
            error.__cause__ = self._cause
        return error


def _addresses(sock: socket.socket) -> "tuple[Any, Any]":
    """The addresses of both ends; None for what is not known any more."""
    found: List[Any] = []
    for ask in (sock.getsockname, sock.getpeername):
        try:
            found.append(ask())
        except OSError:
            found.append(None)
    return found[0], found[1]
