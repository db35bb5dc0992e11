"""Receiving on asyncio: what the transport brings waits in a queue, and reading pauses when that is full."""

from __future__ import annotations

import asyncio
from typing import Any, AsyncIterator, List, Literal, Optional, Sized, overload

from .._connection import HOLD_SECONDS, SMALL, UNREAD, Message, converted, received_pongs, take_messages
from .._parts import Parts
from .._scratch import inbox
from ..exceptions import ConcurrencyError, ConnectionClosedOK
from ..protocol import BytesLike
from .standing import Standing

__all__ = ["Receiving"]


class Receiving(Standing):
    """The receiving end of a connection."""

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
        if self._paused and len(self._messages) <= self._low:
            self._read_on()
        return message if decode is None else converted(message, decode)

    def __aiter__(self) -> "Receiving":
        return self

    async def __anext__(self) -> Message:
        if self._receiver is not None or self._streaming:
            raise self._concurrent()
        if not self._messages:
            # The usual case of _wait_for(), without its coroutine.
            if not (self._held or self._ended or self._deferred or self._paused):
                self._receiver = asyncio.Future(loop=self.loop)
                try:
                    await self._receiver
                finally:
                    self._receiver = None
            if not self._messages:
                try:
                    await self._wait_for(self._messages)
                except ConnectionClosedOK:
                    raise StopAsyncIteration from None
        message = self._messages.popleft()
        if self._paused and len(self._messages) <= self._low:
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
        if self._paused and self._waiting() <= self._low:
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
            if self._paused:
                self._read_on()  # the message need not fit any limit but its own
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
        memory = self._inbox = inbox()  # as that of the protocol object
        return memory.in_view

    def buffer_updated(self, nbytes: int) -> None:
        if self._ended:
            return  # what follows a failure, or the peer's Close
        protocol = self.protocol
        if self._held:
            self._held += protocol.get_buffer()[:nbytes]
            if len(self._held) > SMALL:
                self._release()
            return
        memory = self._inbox
        try:
            memory.busy = True
            found = protocol._feed(memory, nbytes)
        finally:
            memory.busy = False
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
        if self._receiver is None and not self._streaming:
            long = protocol._unfinished() > UNREAD
            if long and not self._open:  # after close(), the peer's Close must still be found: see _overflow()
                self._dropping = True
                protocol._pass_over()
            elif long or (messages and len(messages[-1]) > UNREAD):
                self._long = True
                self._regulate()
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
            self._full = True
            self._regulate()
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
            self._deaf = True
            self._regulate()

    def _read_on(self, hear: bool = False) -> None:
        """The queue has room again: reading goes on, unless the peer does not read (``hear``: whether it does or not)."""
        self._full = self._long = False
        if hear:
            self._deaf = False
        self._regulate()

    def _regulate(self) -> None:
        """Pauses reading or goes on with it, as the flags say. Who waits for the peer to read goes on reading a long message:
        or two ends that send much at the same time would wait for each other."""
        pause = self._full or self._deaf or (self._long and not self._writing_paused)
        if pause is not self._paused and not self._lost.done():
            self._paused = pause
            (self.transport.pause_reading if pause else self.transport.resume_reading)()


class Streaming:
    """An asynchronous iterator of the parts of one message. (An asynchronous generator that is left early ends later, by a
    task of the event loop, and until then nobody could receive.)"""

    def __init__(self, connection: "Receiving", decode: Optional[bool]) -> None:
        self._connection, self._decode = connection, decode
        self._begun = self._done = False

    def __aiter__(self) -> "Streaming":
        return self

    async def __anext__(self) -> Message:
        connection = self._connection
        if self._done:
            raise StopAsyncIteration
        if not self._begun:
            if connection._receiver is not None or connection._streaming:
                raise connection._concurrent()
            connection._streaming = self._begun = True
        try:
            while True:
                if connection._parts is None and connection._messages:
                    message = connection._messages.popleft()
                    self._end()
                    return message if self._decode is None else converted(message, self._decode)
                if connection._parts is None:
                    connection._parts = Parts(connection.protocol, self._decode)
                parts = connection._parts
                if not parts:
                    await connection._wait_for(parts)
                part = parts.give()
                if parts.done:
                    self._end()
                else:
                    connection._took()
                if part is not None:
                    return part
                if self._done:
                    raise StopAsyncIteration
        except BaseException:
            self._end()
            raise

    async def aclose(self) -> None:
        """Ends it, as leaving the loop does: the rest of the message is passed over."""
        self._end()

    def _end(self) -> None:
        if not self._begun or self._done:
            self._done = True
            return
        self._done, connection = True, self._connection
        parts, connection._parts, connection._streaming = connection._parts, None, False
        if parts is not None:
            parts.give_back(connection._messages)
        connection._took()

    def __del__(self) -> None:
        self._end()
