"""A connection on a socket: what the two ends have in common.

Who waits in recv() reads the socket. When nobody does, a thread of the connection's own, the keeper, does it: Pings are
answered and a Close is found even where the user is busy. It also watches the clock.

A signal handler may raise an exception, such as KeyboardInterrupt, between any two calls in the main thread. So that it
leaves nothing behind:

- The lock is only taken by ``with`` on the lock itself, which CPython does not interrupt half-way, and nobody waits
  while having it. (A Condition gives the lock away and takes it back in Python code.)
- What says that a thread is somewhere is set and unset by plain assignments, unset in a ``finally`` that is entered
  before it was set.
- Under the lock ``_midway`` is set. Who finds it set there knows that somebody was interrupted and that nobody knows
  what the codec and the socket have, and the connection ends. What is raised on purpose is raised behind that.
- Who waits for another thread looks by itself, now and then.
"""

from __future__ import annotations

import _thread
import collections
import logging
import socket
import threading
import time
import uuid
from threading import get_ident
from typing import (
    Any,
    Callable,
    Deque,
    Dict,
    Iterable,
    Iterator,
    List,
    Literal,
    Mapping,
    NoReturn,
    Optional,
    Set,
    Tuple,
    TypeVar,
    Union,
    overload,
)

from .._arguments import flag
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
from .._library import check_fork
from .._parts import Parts
from ..exceptions import ConcurrencyError, ConnectionClosed, ConnectionClosedOK, InternalError, StateError
from ..http import Request, Response
from ..protocol import BytesLike, ClientProtocol, Protocol, State
from ._socket import Transport, of_system

__all__ = ["Connection", "broadcast"]

Logger = Union[logging.Logger, "logging.LoggerAdapter[Any]"]
Result = TypeVar("Result")

# Who waits for another thread looks this often, in seconds, and so does the keeper whether the user has stopped to read.
_TICK = 0.25
# What a caller's argument can raise: if nothing is to be sent then, nothing was done.
_MISTAKES = (TypeError, ValueError, StateError, ConnectionClosed)
# How long the keeper waits for the socket, in seconds, before it looks what others have changed meanwhile.
_KEEPER_WAIT = 1.0
# The same while a thread waits in recv() that nothing comes for: it wakes the keeper when that has changed.
_KEEPER_IDLE = 10.0


class Connection:
    """A WebSocket connection, made by connect() or serve().

    It is an iterator of messages, which ends when the connection is closed in order, and a context manager, which
    closes it. Its methods may be called by any thread, recv() by one at a time, and none by a signal handler. But a
    signal handler may raise an exception wherever it interrupts them: recv() loses nothing by that, and the connection
    goes on if what was interrupted is a wait, which it nearly always is. Otherwise it ends, as if it had been lost.
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
        #: Seconds from one Ping of keepalive to the next; None for no keepalive.
        self.ping_interval: Optional[float] = seconds(ping_interval, "ping_interval")
        #: Seconds that a Pong of keepalive may take; None for as many as it likes.
        self.ping_timeout: Optional[float] = seconds(ping_timeout, "ping_timeout")
        #: Seconds that the closing handshake may take; None for as many as it likes.
        self.close_timeout: Optional[float] = seconds(close_timeout, "close_timeout")
        self.logger: Logger = logger or logging.getLogger("embws.client" if self._client else "embws.server")
        #: The request of the handshake.
        self.request: Optional[Request] = protocol.request if isinstance(protocol, ClientProtocol) else None
        #: The response of the handshake.
        self.response: Optional[Response] = None
        #: Seconds that the last Ping took to be answered; 0 as long as none was.
        self.latency: float = 0.0
        #: A unique identifier, for logs.
        self.id: uuid.UUID = uuid.uuid4()
        self._high, self._low = water_marks(max_queue, "max_queue")
        self._transport = Transport(sock)
        self._local_address, self._remote_address = _addresses(sock)
        self._lock = threading.Lock()  # for all of what follows, the protocol object and the socket
        self._midway = False  # a thread has the lock, or was interrupted while it had
        self._waiters: Dict[threading.Lock, None] = {}  # released when another thread has read
        self._keeper_waiter: Optional[threading.Lock] = None
        self._send_lock = threading.Lock()  # a message that is sent in fragments keeps others out
        self._fragmented = False  # and one is being sent
        self._messages: Deque[Message] = collections.deque()
        self._unread = 0  # bytes of answers since the socket took no more
        self._full = False  # reading pauses until the queue has shrunk
        self._receiving = False  # a thread is in recv()
        self._streaming = False  # recv_streaming() was begun, and has not ended
        self._parts: Optional[Parts] = None  # of the message that it gives
        self._reading = False  # a thread waits for the socket, and will read it
        self._writing = False  # a thread waits for the socket, and will write what it did not take
        self._in_read = False  # _read() is being called
        self._taken = 0  # messages that recv() has given
        self._taker = 0  # the thread that got the last of them
        self._taken_before = 0  # as many they were when the patience began
        self._patient_until: Optional[float] = None  # after our Close, a receiver that is slow is waited for
        self._dropping = False  # what is received after our Close, and nobody takes
        self._held: Held = b""
        self._held_until = 0.0
        self._pings: Pings[threading.Event] = Pings()
        self._set_at_end: Set[threading.Event] = set()  # those of them that do not wait for a Pong alone
        self._alive_at: Optional[float] = None  # when keepalive has something to do
        self._alive_pong: Optional[threading.Event] = None
        self._open = False  # messages can be sent
        self._refused = False  # a request was answered by something else than 101
        self._closer = 0  # the thread that called close() last
        self._ended = False  # none will be received
        self._lost = False  # the transport has ended
        self._close_at: Optional[float] = None  # when the transport is dropped
        self._cause: Optional[BaseException] = None
        self._keeper: Optional[threading.Thread] = None
        self._keeper_idle = False  # it has nothing to do as long as the receiver waits
        self._keeper_saw = -1  # what _taken was when it looked last

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
        after the last message. Only one thread may wait at a time; a second one gets a ConcurrencyError.
        """
        check_fork()
        deadline = None if timeout is None else _deadline(timeout)
        receiving = taken = False
        try:
            with self._lock:
                if self._receiving or self._streaming:
                    raise self._concurrent()
                self._receiving = receiving = True
            if not self._messages:
                self._wait_for_message(deadline)
            self._taker = get_ident()
            message = self._messages[0]
            del self._messages[0]
            taken = True
            self._taken += 1
            if self._full and len(self._messages) <= self._low:
                self._full = False
        except BaseException:
            if taken:  # and nobody gets it; behind the finally nothing can be interrupted any more
                self._messages.appendleft(message)
            raise
        finally:
            if receiving:
                self._receiving = False
        return message if decode is None else converted(message, decode)

    def __iter__(self) -> Iterator[Message]:
        try:
            while True:
                yield self.recv()
        except ConnectionClosedOK:
            return

    @overload
    def recv_streaming(self, decode: Literal[True]) -> Iterator[str]: ...

    @overload
    def recv_streaming(self, decode: Literal[False]) -> Iterator[bytes]: ...

    @overload
    def recv_streaming(self, decode: Optional[bool] = None) -> Iterator[Message]: ...

    def recv_streaming(self, decode: Optional[bool] = None) -> Iterator[Any]:
        """Gives the next message in parts, as they come: str for text, bytes for binary data, or what ``decode`` says.

            for part in websocket.recv_streaming(): file.write(part)

        A part is what has arrived: a fragment of the peer's, a piece of one, or several that came while nobody asked. No
        part is empty, unless the message is, and none ends within a character. Reading pauses where more than
        ``max_queue`` parts wait, so that a message need not fit into memory; ``max_size`` limits all of it.

        If the iterator is left early, the rest of the message is passed over. Until it has ended, or was closed, recv()
        and recv_streaming() raise ConcurrencyError. ConnectionClosed is raised where the connection ends within the message;
        UnicodeDecodeError if ``decode`` asks for text and the data is none.
        """
        claimed = False
        check_fork()
        try:
            with self._lock:
                if self._receiving or self._streaming:
                    raise self._concurrent()
                self._streaming = claimed = True
            done = False
            while not done:
                self._wait_for_part(decode)
                if self._parts is None:
                    message = self._messages.popleft()
                    yield message if decode is None else converted(message, decode)
                    return
                part = self._parts.give()
                done = self._parts.done
                self._took()
                if part is not None:
                    yield part
        finally:
            if claimed:
                # Not under the lock: an iterator that nobody has any more may be ended at any time. Of a message that
                # the protocol object has begun to give as events, it passes over the rest by itself.
                self._parts, self._streaming = None, False
                self._took()

    def _wait_for_part(self, decode: Optional[bool]) -> None:
        try:
            self._receiving = True
            if not self._until(lambda: self._has_part(decode)):
                raise self._closed()
        finally:
            self._receiving = False

    def _has_part(self, decode: Optional[bool]) -> Optional[bool]:
        """Whether there is a part, or a whole message before the first one; False for never, None for not yet."""
        if self._parts is None:
            if self._messages:
                return True
            self._parts = Parts(self.protocol, decode)
        while not self._parts:
            if self._held:
                self._release()
            else:
                return False if self._ended else None
        return True

    def _took(self) -> None:
        """Something was taken from what waits."""
        self._taker = get_ident()
        self._taken += 1
        if self._full and self._waiting() <= self._low:
            self._full = False

    def _waiting(self) -> int:
        """How many messages and parts wait to be taken."""
        parts = self._parts
        return len(self._messages) + (len(parts) if parts is not None else 0)

    def _concurrent(self) -> ConcurrencyError:
        return ConcurrencyError(
            "cannot call recv() while another thread is waiting in recv(), or iterating, on this connection"
        )

    def _wait_for_message(self, deadline: Optional[float]) -> None:
        result = self._until(self._has_message, deadline)
        if result is None:
            raise TimeoutError("timed out while waiting for a message")
        if not result:
            raise self._closed()

    def _has_message(self) -> Optional[bool]:
        """Whether there is one, False for never, None for not yet."""
        while not self._messages:
            if self._held:
                self._release()
            else:
                return False if self._ended else None
        return True

    def _read(self) -> None:
        """Reads all that TLS has, or once, or all that a peer has left behind that has gone, and takes it."""
        self._in_read = True
        transport = self._transport
        while not self._lost:
            try:
                n = transport.receive(self.protocol.get_buffer())
            except OSError as error:
                if not of_system(error):
                    raise
                self._lose(error)
                break
            if not n:
                if n == 0 or transport.broken:
                    self._lose(None)
                break
            if not self._ended:  # else it follows a failure, or the peer's Close
                self.protocol.buffer_updated(n)
                if self.response is not None or self._handshake():
                    self._deliver()
            if not (transport.broken or transport.pending()):
                break
        self._in_read = False

    def _handshake(self) -> bool:
        """Goes on with the handshake; says whether the connection is open now."""
        raise NotImplementedError

    def _deliver(self) -> None:
        """Takes what the protocol object has: messages, Pongs, what is to be sent, and whether this is the end."""
        protocol, messages = self.protocol, self._messages
        if self._pings:
            self._acknowledge(received_pongs(protocol))
        into: Deque[Message] = collections.deque(maxlen=0) if self._dropping else messages
        parts = self._parts
        held = parts.take(into, self._dropping) if parts is not None and parts.open else take_messages(protocol, into)
        if self._waiting() > self._high and not self._dropping:
            self._full = True
            if not self._open:
                self._have_patience(time.monotonic())
        self._flush(answers=True)
        if held:
            self._held, self._held_until = held, time.monotonic() + HOLD_SECONDS
            if self._waiting() and not self._transport.broken:
                self._wake_keeper()
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

    def _have_patience(self, now: float) -> None:
        """The queue is full, and our Close was sent: the peer's must be found, which lies behind what nobody may take
        any more. If another thread takes messages it is waited for, as long as it does. If not, what is received from
        here on is dropped, to the end: what is given has no gap."""
        if not self._full or self._open or self._ended:
            self._patient_until = None
            return
        if self._receiving or self._taker not in (0, self._closer):
            if self._patient_until is None or self._taken != self._taken_before:
                self._patient_until, self._taken_before = now + HOLD_SECONDS, self._taken
            if now < self._patient_until:
                return
        self._patient_until, self._full, self._dropping = None, False, True

    # -- The lock, and waiting ------------------------------------------------------------------------------------

    def _do(self, what: Callable[[], Result]) -> Result:
        """Does something under the lock."""
        check_fork()
        with self._lock:
            if self._midway:
                self._break_off()
            self._midway = True
            try:
                result = what()
            except _MISTAKES:
                self._midway = bool(self.protocol._out)
                raise
            self._midway = False
        return result

    def _until(
        self, goal: Callable[[], Optional[Result]], deadline: Optional[float] = None, keeper: bool = False
    ) -> Optional[Result]:
        """Does what the socket allows until ``goal()``, which has the lock, gives something; or until the deadline, and
        gives None then: reading, if no other thread is about to and there is room for messages; writing, if something
        waits."""
        check_fork()
        transport, me = self._transport, get_ident()
        reading = writing = can_read = can_write = waited = False
        waiter: Optional[threading.Lock] = None
        try:
            while True:
                with self._lock:
                    if self._midway:
                        self._break_off()
                    self._midway = True
                    if writing:
                        self._writing = writing = False
                    if reading:
                        self._reading = reading = False
                        self._work(can_read, can_write)
                        self._wake_waiters()  # who waits for a message reads on by itself
                    elif can_write:
                        self._work(can_read, can_write)
                    now = time.monotonic()
                    if self._close_at is not None and now >= self._close_at:
                        self._lose(None)
                    if self._full and not self._open:
                        self._have_patience(now)
                    result = goal()
                    self._midway = False
                    if result is not None or (waited and deadline is not None and now >= deadline):
                        if self._keeper_idle:
                            self._wake_keeper()
                        return result
                    read, write, timeout = self._plan(now, deadline, keeper)
                    ready = read and transport.pending()
                    if read:
                        self._reading = reading = True
                    if write:
                        self._writing = writing = True
                    if read or write:
                        transport.waiting.add(me)
                    else:
                        waiter = threading.Lock()
                        waiter.acquire()
                        if keeper:
                            self._keeper_waiter = waiter
                        else:
                            self._waiters[waiter] = None
                waited = True
                if waiter is not None:
                    can_read = can_write = False
                    waiter.acquire(True, -1 if timeout is None else timeout)
                    self._waiters.pop(waiter, None)
                    waiter = None
                elif ready:
                    can_read, can_write = True, write
                else:
                    can_read, can_write = transport.wait(read, write, timeout)
        finally:
            if reading:
                self._reading = False
            if writing:
                self._writing = False
            transport.waiting.discard(me)
            if waiter is not None:
                self._waiters.pop(waiter, None)
            if transport.closed:
                transport.leave()

    def _plan(self, now: float, deadline: Optional[float], keeper: bool) -> Tuple[bool, bool, Optional[float]]:
        """What to wait for: whether the socket can be read, and written, and for how long."""
        write = bool(self._transport)
        if not write:
            self._unread = 0
        # A peer that is sent answers, to Pings, and does not read is not read from after some of them.
        read = not (self._reading or self._full or self._held or self._lost or self._unread > SMALL)
        if keeper:
            read = read and not self._receiving
            write = write and not self._writing
        at = deadline
        if self._close_at is not None and (at is None or self._close_at < at):
            at = self._close_at
        if keeper:
            wait = _KEEPER_IDLE if self._keeper_idle else _KEEPER_WAIT
            for other in (self._alive_at, self._held_until if self._held else None, now + wait):
                if other is not None and (at is None or other < at):
                    at = other
        timeout = None if at is None else max(0.0, at - now)
        if not (read or write) and (timeout is None or timeout > _TICK) and not (keeper and self._keeper_idle):
            timeout = _TICK
        return read, write, timeout

    def _work(self, can_read: bool, can_write: bool) -> None:
        """Does what waiting for the socket has found to be possible."""
        transport = self._transport
        if can_write and transport and not self._lost:
            try:
                transport.write_backlog()
            except OSError as error:
                self._cannot_write(error)
            if self._ended and not transport and not self._lost:
                self._end_transport()
        if can_read and not (self._lost or self._full or self._held):
            self._read()

    def _wake_waiters(self) -> None:
        if self._waiters:
            waiters, self._waiters = self._waiters, {}
            for waiter in list(waiters):
                waiter.release()

    def _wake_keeper(self) -> None:
        self._keeper_idle = False
        waiter, self._keeper_waiter = self._keeper_waiter, None
        if waiter is not None:
            waiter.release()

    def _break_off(self) -> None:
        """Somebody was interrupted while having the lock."""
        self._held = b""  # it cannot be told any more what is to come before it
        self._in_read = False
        try:
            self._lose(InterruptedError("interrupted by an exception of a signal handler, while sending or receiving"))
        except (StateError, InternalError):
            pass  # of the codec; the transport is closed
        self._tell_lost()

    # -- Sending --------------------------------------------------------------------------------------------------

    def send(
        self, message: Union[str, BytesLike, Iterable[Union[str, BytesLike]]], text: Optional[bool] = None
    ) -> None:
        """Sends a message: str as text, bytes-like as binary data; ``text`` overrides that. It waits until the system
        has taken all of it, and raises ConnectionClosed if it does not any more; what the peer has sent before can
        still be received.

        An iterable is sent as one message in fragments, as they come; other senders wait until it is complete. If it
        fails, the connection is closed with 1011, for the message cannot be completed.
        """
        if isinstance(message, (str, bytes, bytearray, memoryview)):
            with self._send_lock:
                if self._fragmented:
                    self._do(self._abandon_fragments)
                self._say(queue_message, self.protocol, message, text)
            return
        if isinstance(message, Mapping) or not isinstance(message, Iterable):
            raise TypeError(
                f"message must be str, bytes-like or an iterable of one of these, not {type(message).__name__}"
            )
        with self._send_lock:
            if self._fragmented:
                self._do(self._abandon_fragments)
            fragments = Fragments(self.protocol, text)
            self._fragmented = True
            try:
                for part in message:
                    self._say(fragments.add, part)
                self._say(fragments.end)
            except BaseException:
                if fragments.begun:
                    self._do(self._abandon_fragments)
                self._fragmented = False
                raise
            self._fragmented = False

    def _abandon_fragments(self) -> None:
        """A message was begun that will not be completed; it may be that its sender could not say so any more."""
        if self._open:
            self._start_closing(INTERNAL_ERROR, "error in fragmented message")
        self._fragmented = False

    def _say(self, say: Callable[..., Result], *arguments: Any) -> Result:
        """Has the protocol object say something, and waits until it has left."""
        check_fork()
        with self._lock:
            if self._midway:
                self._break_off()
            if is_open := self._open:
                self._midway = True
                try:
                    result = say(*arguments)
                except _MISTAKES:
                    self._midway = bool(self.protocol._out)
                    raise
                self._flush()
                self._midway = False
            waiting = self._transport or self._transport.failed
        if not is_open:
            self._refuse()
        if waiting:
            # Meanwhile it is read, if nobody else does: or two ends that send much to each other would wait for ever.
            self._until(self._is_written)
            if self._transport.failed:
                self._refuse()
        return result

    def _say_without_waiting(self, message: Union[str, BytesLike], text: Optional[bool]) -> None:
        if self._open and not self._fragmented:
            queue_message(self.protocol, message, text)
            self._flush()
            if self._transport:
                self._wake_keeper()  # it writes the rest

    def _is_written(self) -> Optional[bool]:
        return None if self._transport and not self._lost else True

    def _refuse(self) -> NoReturn:
        """Raises what tells that nothing can be sent: when the closing handshake is done, for only then it is known how
        it ended."""
        self._until(self._is_lost)
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
                self._cannot_write(error)

    def _cannot_write(self, error: OSError) -> None:
        """The peer has gone. What it has sent before is still there: messages, and the Close that tells why."""
        if not of_system(error):
            raise error
        error.__traceback__ = None
        self._cause = error
        self._open = self._full = False
        self._transport.break_off()
        self._release()
        if not self._in_read:  # else it goes on by itself
            self._read()

    # -- Pings ----------------------------------------------------------------------------------------------------

    def ping(self, data: Union[None, str, BytesLike] = None, ack_on_close: bool = False) -> threading.Event:
        """Sends a Ping, and gives an event that is set when the Pong has come; ``latency`` then has the seconds. With
        ``ack_on_close`` it is also set when the connection ends. Without, who waits for it needs a time-out. ``data`` is up
        to 125 bytes; by default it is random."""
        waiter = self._say(self._ping, data, flag(ack_on_close, "ack_on_close"))
        self._do(self._wake_keeper)  # the user may wait for the event, and not read
        return waiter

    def _ping(self, data: Union[None, str, BytesLike], ack_on_close: bool = False) -> threading.Event:
        payload = self._pings.payload(data)
        self.protocol.ping(payload)
        waiter = threading.Event()
        if ack_on_close:
            self._set_at_end.add(waiter)
        self._pings.add(payload, waiter, time.monotonic())
        return waiter

    def pong(self, data: Union[str, BytesLike] = b"") -> None:
        """Sends a Pong that nobody has asked for. Pings are answered by themselves."""
        self._say(self.protocol.pong, data)

    def _acknowledge(self, payloads: List[bytes]) -> None:
        now = time.monotonic()
        for payload in payloads:
            for waiter, sent in self._pings.answered(payload):
                self.latency = now - sent
                self._set_at_end.discard(waiter)
                waiter.set()
                if waiter is self._alive_pong:
                    self._alive_pong = None
                    self._alive_at = now + max(0.0, (self.ping_interval or 0.0) - self.latency)

    # -- The keeper -----------------------------------------------------------------------------------------------

    def _start_keeper(self) -> None:
        """RuntimeError is raised if there can be no thread."""
        self._keeper = threading.Thread(target=self._keep, name=f"embws keeper {self.id}", daemon=True)
        _start(self._keeper)

    def _opened(self) -> None:
        """The handshake is done."""
        self._open = True
        if self.ping_interval is not None:
            self._alive_at = time.monotonic() + self.ping_interval

    def _keep(self) -> None:
        """What the keeper does until the connection is lost."""
        try:
            self._until(self._watch, None, True)
        except Exception:
            self.logger.error("the connection cannot be kept", exc_info=True)
            self._drop()

    def _watch(self) -> Optional[bool]:
        """Looks at the clock."""
        now = time.monotonic()
        if self._held and now >= self._held_until:
            self._release()
        if self._alive_at is not None and now >= self._alive_at:
            self._keep_alive(now)
        # With something to be written it would wait for the socket, and nobody could wake it.
        self._keeper_idle = self._receiving and self._taken == self._keeper_saw and not self._transport
        self._keeper_saw = self._taken
        return True if self._lost else None

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
        self._do(lambda: self._close(code, reason))
        self._until(self._is_lost)
        keeper = self._keeper
        if keeper is not None and keeper is not threading.current_thread():
            keeper.join(_TICK * 4)

    def _close(self, code: int, reason: str) -> None:
        self._closer = get_ident()
        if self._open:
            if self._fragmented:
                code, reason = INTERNAL_ERROR, "close during fragmented message"
            self._start_closing(code, reason)
        elif self.response is None:
            self._lose(None)  # there is nothing yet that could be closed in order

    def wait_closed(self, timeout: Optional[float] = None) -> bool:
        """Waits until the connection is closed, the transport too; says whether that is so within ``timeout``
        seconds."""
        return self._until(self._is_lost, None if timeout is None else _deadline(timeout)) is not None

    def _is_lost(self) -> Optional[bool]:
        if self._held and not self._open:
            self._release()
        return True if self._lost else None

    def _start_closing(self, code: int, reason: str) -> None:
        """Sends a Close. The peer's is awaited."""
        self.protocol.close(code, reason)
        self._open = False
        self._have_patience(time.monotonic())
        self._start_close_clock()
        self._flush()
        self._release()
        self._wake_waiters()
        self._wake_keeper()

    def _start_close_clock(self) -> None:
        if self._close_at is None and self.close_timeout is not None:
            self._close_at = time.monotonic() + self.close_timeout

    def _end(self) -> None:
        """Nothing more will be received: both have closed, or the peer has failed. The transport is to be closed."""
        if self._ended:
            return
        self._ended, self._open, self._full = True, False, False
        self._wake_waiters()
        self._wake_keeper()
        self._start_close_clock()
        if self._transport:  # the last words wait for room; who writes them comes back
            return
        self._end_transport()

    def _end_transport(self) -> None:
        if self._refused or self.protocol.failure is not None or not self.protocol.close_expected():
            # Closing with unread bytes would reset the connection, and the peer might never see our last words.
            self._transport.half_close()
            if self._transport.closed:
                self._lose(None)
        elif not self._client:
            self._lose(None)
        # else it is the server's to close (RFC 6455 7.1.1)

    def _drop(self) -> None:
        """Ends the connection at once, without a Close."""
        self._do(lambda: self._lose(None))

    def _lose(self, error: Optional[BaseException]) -> None:
        """The transport has ended, or is dropped."""
        if self._lost:
            return
        if error is not None and self._cause is None:
            error.__traceback__ = None
            self._cause = error
        if self._held:
            self._release()
        self._ended, self._open, self._full = True, False, False
        try:
            self.protocol.receive_eof()
        finally:
            self._transport.close()
            self._lost = True
        self._tell_lost()

    def _tell_lost(self) -> None:
        """Once begun, it can be called again to be completed."""
        self._transport.close()
        self._pings.abandon()
        for waiter in self._set_at_end:
            waiter.set()
        self._wake_waiters()
        self._wake_keeper()

    def _closed(self) -> ConnectionClosed:
        """What to raise to who uses the connection after its end."""
        error = self.protocol.close_exc
        if error.__cause__ is None and self._cause is not None:
            error.__cause__ = self._cause
        return error


def broadcast(
    connections: Iterable[Connection], message: Union[str, BytesLike], *, text: Optional[bool] = None
) -> None:
    """Sends a message to many, without waiting for any: those that are closed, or within a message that is sent in
    fragments, are passed over. There is no back-pressure: who does not read is dropped by keepalive."""
    if not isinstance(message, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"message must be str or bytes-like, not {type(message).__name__}")
    for connection in connections:
        connection._do(lambda: connection._say_without_waiting(message, text))  # noqa: B023 - it is called at once


def _deadline(timeout: float) -> Optional[float]:
    """When a wait of so many seconds ends; None for never. A negative number, as the rest of a longer wait may be, is
    the same as 0."""
    if isinstance(timeout, (int, float)) and timeout < 0:
        timeout = 0
    left = seconds(timeout, "timeout")
    return None if left is None else time.monotonic() + left


def _start(thread: threading.Thread) -> None:
    """Starts a thread. Who is interrupted in Thread.start() may leave a lock behind on which the new thread waits for
    ever, so that a third one calls it if this one is where signal handlers run."""
    if threading.current_thread() is not threading.main_thread():
        thread.start()
        return
    failures: List[BaseException] = []
    done = threading.Lock()
    done.acquire()

    def start() -> None:
        try:
            thread.start()
        except BaseException as failure:
            failures.append(failure)
        done.release()

    _thread.start_new_thread(start, ())
    done.acquire()
    if failures:
        raise failures.pop()


def _addresses(sock: socket.socket) -> "tuple[Any, Any]":
    """The addresses of both ends; None for what is not known any more."""
    found: List[Any] = []
    for ask in (sock.getsockname, sock.getpeername):
        try:
            found.append(ask())
        except OSError:
            found.append(None)
    return found[0], found[1]
