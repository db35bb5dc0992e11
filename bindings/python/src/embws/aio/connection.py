"""A connection on asyncio: what the two ends have in common."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import sys
import time
import uuid
from typing import (
    Any,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Deque,
    Iterable,
    List,
    Literal,
    Mapping,
    Optional,
    Sized,
    Union,
    cast,
    overload,
)

from .. import _library as abi
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
from .._parts import Parts
from .._scratch import local
from ..exceptions import ConcurrencyError, ConnectionClosed, ConnectionClosedOK
from ..http import Request, Response
from ..protocol import BytesLike, Protocol, State
from .streaming import Streaming

__all__ = ["Connection", "broadcast"]

Logger = Union[logging.Logger, "logging.LoggerAdapter[Any]"]

# writelines() of these versions either joins what it gets, or does not tell when too much is waiting (CVE-2024-12254).
_BAD_WRITELINES = sys.version_info < (3, 12, 9) or (3, 13) <= sys.version_info < (3, 13, 2)

_NOBODY = asyncio.BufferedProtocol()


class Connection(asyncio.BufferedProtocol):
    """A WebSocket connection, made by connect() or serve().

    It is an asynchronous iterator of messages, which ends when the connection is closed in order, and an asynchronous
    context manager, which closes it. All of it belongs to the event loop's thread.
    """

    _client = False

    #: The codec of this connection.
    protocol: Protocol
    #: The transport under it.
    transport: asyncio.Transport
    #: The request of the handshake.
    request: Optional[Request]
    #: The response of the handshake.
    response: Optional[Response]
    #: Seconds that the last Ping took to be answered; 0 as long as none was.
    latency: float
    #: Seconds from one Ping of keepalive to the next; None for no keepalive.
    ping_interval: Optional[float]
    #: Seconds that a Pong of keepalive may take; None for as many as it likes.
    ping_timeout: Optional[float]
    #: Seconds that the closing handshake may take; None for as many as it likes.
    close_timeout: Optional[float]
    #: The event loop that it belongs to.
    loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        protocol: Protocol,
        *,
        ping_interval: Optional[float] = 20,
        ping_timeout: Optional[float] = 20,
        close_timeout: Optional[float] = 10,
        max_queue: Limit = 16,
        write_limit: Limit = 2**15,
        logger: Optional[Logger] = None,
    ) -> None:
        self.protocol = protocol
        self.ping_interval = seconds(ping_interval, "ping_interval")
        self.ping_timeout = seconds(ping_timeout, "ping_timeout")
        self.close_timeout = seconds(close_timeout, "close_timeout")
        self.logger: Logger = logger or logging.getLogger("embws.client" if self._client else "embws.server")
        self.loop = asyncio.get_running_loop()
        self.request = self.response = None
        self.latency = 0.0
        self._id: Optional[uuid.UUID] = None
        self._high, self._low = water_marks(max_queue, "max_queue")
        self._write_high, self._write_low = water_marks(write_limit, "write_limit")
        # Receiving
        self._messages: Deque[Message] = collections.deque()
        self._receiver: Optional[asyncio.Future[None]] = None  # who waits in recv()
        self._streaming = False  # recv_streaming() was begun, and has not ended
        self._parts: Optional[Parts] = None  # of the message that it gives
        # Reading is paused while either of these is set.
        self._full = False  # there are too many messages in the queue, or a request is not answered yet
        self._deaf = False  # the peer does not read the answers to its Pings
        self._dropping = False  # what is received after close(), and nobody takes
        self._unread = 0  # bytes of answers since writing was paused
        self._held: Held = b""  # what the protocol object gets when the messages before it were answered
        self._held_timer: Optional[asyncio.TimerHandle] = None
        self._left = 0  # messages that the last wake-up has left in the queue
        # Sending
        self._deferred = 0  # bytes that wait for _flush_later()
        self._flush_handle: Optional[asyncio.Handle] = None
        self._writing_paused = False
        self._drainers: Deque[asyncio.Future[None]] = collections.deque()
        # Done when the message that is sent in parts is complete.
        self._fragmented: Optional[asyncio.Future[None]] = None
        # Pings
        self._pings: Pings[asyncio.Future[float]] = Pings()
        self._alive_timer: Optional[asyncio.TimerHandle] = None
        self._alive_pong: Optional[asyncio.Future[float]] = None
        # The beginning and the end
        self._open = False  # messages can be sent
        self._ended = False  # none will be received
        self._close_timer: Optional[asyncio.TimerHandle] = None
        self._lost: asyncio.Future[None] = self.loop.create_future()
        self._cause: Optional[BaseException] = None

    # -- What it is -----------------------------------------------------------------------------------------------

    @property
    def id(self) -> uuid.UUID:
        """A unique identifier, for logs."""
        if self._id is None:
            self._id = uuid.uuid4()
        return self._id

    @property
    def local_address(self) -> Any:
        """The address of this end: (host, port), with more items for IPv6, or a path."""
        return self.transport.get_extra_info("sockname")

    @property
    def remote_address(self) -> Any:
        """The address of the peer."""
        return self.transport.get_extra_info("peername")

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
    async def recv(self, decode: Literal[True]) -> str: ...

    @overload
    async def recv(self, decode: Literal[False]) -> bytes: ...

    @overload
    async def recv(self, decode: Optional[bool] = None) -> Message: ...

    async def recv(self, decode: Optional[bool] = None) -> Message:
        """Gives the next message: str for text, bytes for binary data, or what ``decode`` says.

        ConnectionClosed is raised after the last message. A recv() that is cancelled loses nothing: the next one gives
        the message. Only one may wait at a time; a second one is a ConcurrencyError.
        """
        if self._receiver is not None or self._streaming:
            raise self._concurrent()
        if not self._messages:
            await self._wait_for(self._messages)
        message = self._messages.popleft()
        if self._full and len(self._messages) <= self._low:
            self._read_on()
        return message if decode is None else converted(message, decode)

    def __aiter__(self) -> "Connection":
        return self

    async def __anext__(self) -> Message:
        if self._receiver is not None or self._streaming:
            raise self._concurrent()
        if not self._messages:
            try:
                await self._wait_for(self._messages)
            except ConnectionClosedOK:
                raise StopAsyncIteration from None
        message = self._messages.popleft()
        if self._full and len(self._messages) <= self._low:
            self._read_on()
        return message

    def _concurrent(self) -> ConcurrencyError:
        return ConcurrencyError(
            "cannot call recv() while another coroutine is waiting in recv(), or iterating, on this connection"
        )

    @overload
    def recv_streaming(self, decode: Literal[True]) -> AsyncIterator[str]: ...

    @overload
    def recv_streaming(self, decode: Literal[False]) -> AsyncIterator[bytes]: ...

    @overload
    def recv_streaming(self, decode: Optional[bool] = None) -> AsyncIterator[Message]: ...

    def recv_streaming(self, decode: Optional[bool] = None) -> AsyncIterator[Any]:
        """Gives the next message in parts, as they come: str for text, bytes for binary data, or what ``decode`` says.

            async for part in websocket.recv_streaming(): file.write(part)

        A part is what has arrived: a fragment of the peer's, a piece of one, or several that came while nobody asked. No
        part is empty, unless the message is, and none ends within a character. Reading pauses where more than
        ``max_queue`` parts wait, so that a message need not fit into memory; ``max_size`` limits all of it.

        If the iterator is left early, or cancelled, the rest of the message is passed over; before the first part that
        loses nothing. Until it has ended, or was closed, recv() and recv_streaming() raise ConcurrencyError.
        ConnectionClosed is raised where the connection ends within the message; UnicodeDecodeError if ``decode`` asks for
        text and the data is none.
        """
        return Streaming(self, decode)

    def _took(self) -> None:
        """Something was taken from what waits."""
        if self._full and self._waiting() <= self._low:
            self._read_on()

    def _waiting(self) -> int:
        """How many messages and parts wait to be taken."""
        return len(self._messages) + (len(self._parts) if self._parts is not None else 0)

    async def _wait_for(self, received: Sized) -> None:
        """Waits until there is something in the queue."""
        while not received:
            if self._held:
                self._release()
                continue
            if self._ended:
                raise self._closed()
            if self._deferred:
                self._flush()
            self._receiver = asyncio.Future(loop=self.loop)
            try:
                await self._receiver
            finally:
                self._receiver = None

    def _wake_receiver(self) -> None:
        receiver = self._receiver
        if receiver is not None and not receiver.done():
            receiver.set_result(None)

    def get_buffer(self, sizehint: int) -> memoryview:
        return local.scratch.in_view  # as that of the protocol object

    def buffer_updated(self, nbytes: int) -> None:
        if self._ended:
            return  # what follows a failure, or the peer's Close
        protocol = self.protocol
        if self._held:
            self._held += protocol.get_buffer()[:nbytes]
            if len(self._held) > SMALL:
                self._release()
            return
        found = protocol._feed(local.scratch, nbytes)
        if found is None or protocol._pending or self.response is None or self._parts is not None:
            if found is not None:
                protocol._pending.append(found)
            if self.response is not None or self._handshake():
                self._deliver()
            return
        # What is usual: messages, and nothing to be sent or said.
        messages = self._messages
        before = len(messages)
        messages.extend(found)
        if len(messages) > self._high or self._dropping:
            self._overflow(before)
        receiver = self._receiver
        if receiver is not None and not receiver.done():
            receiver.set_result(None)

    def _handshake(self) -> bool:
        """Goes on with the handshake; says whether the connection is open now."""
        raise NotImplementedError

    def _deliver(self) -> None:
        """Takes what the protocol object has: messages, Pongs, what is to be sent, and whether this is the end."""
        protocol, messages = self.protocol, self._messages
        if self._pings:
            self._acknowledge(received_pongs(protocol))
        before, parts = self._waiting(), self._parts
        if parts is not None and parts.open:
            held = parts.take(messages, self._dropping)
        else:
            held = take_messages(protocol, messages)
        if (waiting := self._waiting()) > before:
            if waiting > self._high or self._dropping:
                self._overflow(before)
            self._wake_receiver()
        buffers = protocol.buffers_to_send()
        if buffers:
            self._write(buffers)
            if self._writing_paused:
                self._answered_unread(buffers)
        if held:
            self._held = held
            if self._waiting():
                self._held_timer = self.loop.call_later(HOLD_SECONDS, self._release)
            else:
                self._release()
        elif protocol.close_expected():
            self._end()

    def _release(self) -> None:
        """Goes on behind the messages that had to be answered first: when the receiver comes back, or a while later."""
        held, self._held = self._held, b""
        if not held:
            return
        if self._held_timer is not None:
            self._held_timer.cancel()
            self._held_timer = None
        if not self._ended:
            if self._deferred:
                self._flush()
            self.protocol.receive_data(held)
            self._deliver()

    def _overflow(self, before: int) -> None:
        """There is more in the queue than there should be."""
        if self._open:
            self._pause_reading()
            self._full = True
        elif self._receiver is None and before >= self._left > self._high:
            # close() was called, and nobody takes messages any more: the peer's Close must still be found.
            # From here on all are dropped: what is received has no gap.
            self._dropping = True
        if self._dropping:
            while self._messages and self._waiting() > before:
                self._messages.pop()
        self._left = self._waiting()

    def _answered_unread(self, answers: List[BytesLike]) -> None:
        """The peer is sent answers, to Pings, and does not read: after some of them, neither do we. (Not as soon as writing
        is paused: two ends that send at the same time must both go on reading.)"""
        self._unread += sum(map(len, answers))
        if self._unread > SMALL:
            self._pause_reading()
            self._deaf = True

    def _pause_reading(self) -> None:
        if not (self._full or self._deaf):
            self.transport.pause_reading()

    def _read_on(self, hear: bool = False) -> None:
        """The queue has room again: reading goes on, unless the peer does not read (``hear``: whether it does or not)."""
        self._full = False
        if self._deaf and not hear:
            return
        self._deaf = False
        if not self._lost.done():
            self.transport.resume_reading()

    # -- Sending --------------------------------------------------------------------------------------------------

    async def send(
        self,
        message: Union[str, BytesLike, Iterable[Union[str, BytesLike]], AsyncIterable[Union[str, BytesLike]]],
        text: Optional[bool] = None,
    ) -> None:
        """Sends a message: str as text, bytes-like as binary data; ``text`` overrides that.

        An iterable, or an asynchronous one, is sent as one message in fragments, as they come; other senders wait until
        it is complete. send() waits while more than ``write_limit`` bytes have not left. If that wait is cancelled the
        message is sent all the same. If one in fragments is cancelled, or its iterable fails, the connection is closed
        with 1011, for the message cannot be completed.
        """
        while self._fragmented is not None:
            await asyncio.shield(self._fragmented)
        if not self._open:
            await self._refuse()
        protocol = self.protocol
        if type(message) is bytes and text is None:
            protocol._send(abi.BINARY, True, message)  # what send_binary() does with bytes
        elif type(message) is str and text is None:
            protocol.send_text(message)
        elif isinstance(message, (str, bytes, bytearray, memoryview)):
            queue_message(protocol, cast(Union[str, BytesLike], message), text)
        else:
            await self._send_fragments(message, text)
            return
        # As long as there are messages to be answered the answers are collected: one write for all.
        if self._messages:
            self._deferred += len(message)
            if self._deferred < SMALL and not self._writing_paused:
                if self._flush_handle is None:
                    self._flush_handle = self.loop.call_soon(self._flush_later)
                return
        self._deferred = 0
        buffers = protocol.buffers_to_send()
        if len(buffers) == 1:
            self.transport.write(buffers[0])
        else:
            self._write(buffers)
        if self._writing_paused:
            await self._drain()

    async def _send_fragments(self, parts: Any, text: Optional[bool]) -> None:
        if isinstance(parts, Mapping) or not isinstance(parts, (Iterable, AsyncIterable)):
            raise TypeError(
                f"message must be str, bytes-like or an iterable of one of these, not {type(parts).__name__}"
            )
        fragments = Fragments(self.protocol, text)
        self._fragmented = self.loop.create_future()
        try:
            if isinstance(parts, AsyncIterable):
                async for part in parts:
                    await self._send_part(fragments, part)
            else:
                for part in parts:
                    await self._send_part(fragments, part)
            fragments.end()
            self._flush()
        except BaseException:
            if fragments.begun and self._open:
                self._start_closing(INTERNAL_ERROR, "error in fragmented message")
            raise
        finally:
            done, self._fragmented = self._fragmented, None
            if not done.done():
                done.set_result(None)
        if self._writing_paused:
            await self._drain()

    async def _send_part(self, fragments: Fragments, part: Union[str, BytesLike]) -> None:
        if not self._open:
            await self._refuse()
        fragments.add(part)
        self._flush()
        if self._writing_paused:
            await self._drain()

    def _flush_later(self) -> None:
        self._flush_handle = None
        self._flush()

    def _flush(self) -> None:
        """Writes what is to be sent."""
        self._deferred = 0
        buffers = self.protocol.buffers_to_send()
        if buffers:
            self._write(buffers)

    def _write(self, buffers: List[BytesLike]) -> None:
        if self._lost.done() or self.transport.is_closing():
            return
        if len(buffers) == 1:
            self.transport.write(buffers[0])
        elif not _BAD_WRITELINES:
            self.transport.writelines(buffers)
        else:
            small: List[BytesLike] = []
            for buffer in buffers:
                if len(buffer) <= SMALL:
                    small.append(buffer)
                    continue
                if small:
                    self.transport.write(b"".join(small))
                    small.clear()
                self.transport.write(buffer)
            if small:
                self.transport.write(b"".join(small))

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._unread = 0
        if self._deaf:
            self._deaf = False
            if not self._full and not self._lost.done():
                self.transport.resume_reading()
        for drainer in self._drainers:
            if not drainer.done():
                drainer.set_result(None)

    async def _drain(self) -> None:
        """Waits until the transport has room."""
        drainer = self.loop.create_future()
        self._drainers.append(drainer)
        try:
            await drainer
        finally:
            self._drainers.remove(drainer)

    async def _refuse(self) -> None:
        """Raises what tells that nothing can be sent: when the closing handshake is done, for only then it is known how
        it ended."""
        await asyncio.shield(self._lost)
        raise self._closed()

    # -- Pings ----------------------------------------------------------------------------------------------------

    async def ping(self, data: Union[None, str, BytesLike] = None) -> Awaitable[float]:
        """Sends a Ping, and gives what can be awaited for the Pong: it results in the seconds that went by.

        ``data`` is up to 125 bytes; by default it is random. If the connection ends before, ConnectionClosed is raised
        by that wait.
        """
        if not self._open:
            await self._refuse()
        waiter = self._ping(data)
        if self._writing_paused:
            await self._drain()
        return waiter

    def _ping(self, data: Union[None, str, BytesLike]) -> "asyncio.Future[float]":
        payload = self._pings.payload(data)
        self.protocol.ping(payload)
        waiter: asyncio.Future[float] = self.loop.create_future()
        self._pings.add(payload, waiter, time.perf_counter())  # finer than uvloop's clock
        self._flush()
        return waiter

    async def pong(self, data: Union[str, BytesLike] = b"") -> None:
        """Sends a Pong that nobody has asked for. Pings are answered by themselves."""
        if not self._open:
            await self._refuse()
        self.protocol.pong(data)
        self._flush()
        if self._writing_paused:
            await self._drain()

    def _acknowledge(self, payloads: List[bytes]) -> None:
        now = time.perf_counter()
        for payload in payloads:
            for waiter, sent in self._pings.answered(payload):
                self.latency = now - sent
                if not waiter.done():
                    waiter.set_result(now - sent)
                if waiter is self._alive_pong:
                    self._alive_pong = None
                    self._keep_alive_in(max(0.0, (self.ping_interval or 0.0) - self.latency))

    def _keep_alive_in(self, delay: float) -> None:
        if self._alive_timer is not None:
            self._alive_timer.cancel()
        self._alive_timer = self.loop.call_later(delay, self._keep_alive)

    def _keep_alive(self) -> None:
        """The time of keepalive: a Ping is due, or has had no answer."""
        self._alive_timer = None
        if not self._open:
            return
        if self._alive_pong is None or self.ping_timeout is None:
            self._alive_pong = self._ping(None)
            self._keep_alive_in(self.ping_interval or 0.0 if self.ping_timeout is None else self.ping_timeout)
        elif self._full and not self._deaf:  # the Pong may lie behind messages that nobody has taken
            self._keep_alive_in(self.ping_timeout)
        else:
            self._start_closing(INTERNAL_ERROR, "keepalive ping timeout")
            self._end()

    # -- The beginning --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(self._write_high, self._write_low)

    def _opened(self) -> None:
        """The handshake is done."""
        self._open = True
        if self.ping_interval is not None:
            self._keep_alive_in(self.ping_interval)

    # -- The end --------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> "Connection":
        return self

    async def __aexit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        await self.close(1000 if exc_type is None else INTERNAL_ERROR)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes the connection, and waits until it is closed, for up to ``close_timeout`` seconds. Of a connection
        that is closed nothing happens. Messages that arrive meanwhile can still be received."""
        if self._open:
            if self._fragmented is not None:
                code, reason = INTERNAL_ERROR, "close during fragmented message"
            self._start_closing(code, reason)
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Waits until the connection is closed, the transport too."""
        await asyncio.shield(self._lost)

    def _start_closing(self, code: int, reason: str = "") -> None:
        """Sends a Close. The peer's is awaited."""
        self.protocol.close(code, reason)
        self._open = False
        self._flush()
        self._left = self._waiting()
        if self._full or self._deaf:
            self._read_on(hear=True)
        self._start_close_timer()
        self._release()

    def _start_close_timer(self) -> None:
        if self._close_timer is None and self.close_timeout is not None and not self._lost.done():
            self._close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)

    def _end(self) -> None:
        """Nothing more will be received: both have closed, or the peer has failed. The transport is to be closed."""
        if self._ended:
            return
        self._ended = True
        self._open = False
        self._wake_receiver()
        if self._full or self._deaf:
            self._read_on(hear=True)  # or the end of the stream would not be seen
        if self._lost.done():
            return
        self._start_close_timer()
        if self.protocol.failure is not None or not self.protocol.close_expected():
            self._half_close()
        elif not self._client:
            self.transport.close()
        # else it is the server's to close (RFC 6455 7.1.1)

    def _half_close(self) -> None:
        """Ends what is sent, and leaves the rest to the peer: closing with unread bytes resets the connection, and the
        peer might never see our last words."""
        if self.transport.can_write_eof() and not self.transport.is_closing():
            try:
                self.transport.write_eof()
            except OSError:  # the peer has gone
                self.transport.abort()
        else:
            self.transport.close()

    def eof_received(self) -> Optional[bool]:
        self._received_eof()
        return None  # the transport closes itself

    def _received_eof(self) -> None:
        self._release()
        self.protocol.receive_eof()
        if not self._ended:
            self._ended = True
            self._open = False
            self._wake_receiver()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        if exc is not None:
            exc.__traceback__ = None
            self._cause = exc
        self._received_eof()
        for timer in (self._alive_timer, self._close_timer, self._flush_handle):
            if timer is not None:
                timer.cancel()
        self._alive_timer = self._close_timer = self._flush_handle = None
        self.resume_writing()
        for waiter in self._pings.abandon():
            if not waiter.done():
                waiter.set_exception(self._closed())
                waiter.exception()  # nobody has to await it
        if not self._lost.done():
            self._lost.set_result(None)
        # asyncio's TLS keeps the methods of a protocol that it has nothing to tell any more, unless it was closed twice.
        with contextlib.suppress(AttributeError):
            self.transport.set_protocol(_NOBODY)

    def _closed(self) -> ConnectionClosed:
        """What to raise to who uses the connection after its end."""
        error = self.protocol.close_exc
        if error.__cause__ is None and self._cause is not None:
            error.__cause__ = self._cause
        return error


def broadcast(
    connections: Iterable[Connection],
    message: Union[str, BytesLike],
    raise_exceptions: bool = False,
    *,
    text: Optional[bool] = None,
) -> None:
    """Sends a message to many, without waiting for any: those that are closed are passed over. So are those within a
    message that is sent in fragments, or with ``raise_exceptions`` an ExceptionGroup tells of them at the end. There is no
    back-pressure: who does not read is dropped by keepalive."""
    if not isinstance(message, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"message must be str or bytes-like, not {type(message).__name__}")
    errors: List[Exception] = []
    for connection in connections:
        if not connection._open:
            continue
        if connection._fragmented is None:
            queue_message(connection.protocol, message, text)
            connection._flush()
        elif raise_exceptions:
            errors.append(ConcurrencyError(f"{connection} is sending a message in fragments"))
    if errors:
        raise ExceptionGroup("skipped broadcast", errors)
