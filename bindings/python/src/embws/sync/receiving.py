"""Receiving on a socket: who waits in recv() reads, or the keeper does; what has come waits in a queue."""

from __future__ import annotations

import collections
import time
from threading import get_ident
from typing import Any, Deque, Iterator, Literal, Optional, overload

from .._connection import HOLD_SECONDS, UNREAD, Message, converted, received_pongs, take_messages
from .._library import check_fork
from .._parts import Parts
from ..exceptions import ConcurrencyError, ConnectionClosedOK
from ._socket import of_system
from .waiting import Waiting, deadline_of

__all__ = ["Receiving"]


class Receiving(Waiting):
    """The receiving end of a connection."""

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
        deadline = None if timeout is None else deadline_of(timeout)
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
            self._long = False
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
                self._full = self._long = False
                return False if self._ended else None
        return True

    def _took(self) -> None:
        """Something was taken from what waits."""
        self._taker = get_ident()
        self._taken += 1
        self._long = False
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
                self._full = self._long = False  # the message need not fit any limit but its own
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

    def _deliver(self) -> None:
        """Takes what the protocol object has: messages, Pongs, what is to be sent, and whether this is the end."""
        protocol, messages = self.protocol, self._messages
        if self._pings:
            self._acknowledge(received_pongs(protocol))
        into: Deque[Message] = collections.deque(maxlen=0) if self._dropping else messages
        parts = self._parts
        held = parts.take(into, self._dropping) if parts is not None and parts.open else take_messages(protocol, into)
        nobody = not (self._receiving or self._streaming)
        if nobody and (protocol._unfinished() > UNREAD or (messages and len(messages[-1]) > UNREAD)):
            self._long = self._open
        if (self._waiting() > self._high or (nobody and protocol._unfinished() > UNREAD and not self._open)) and (
            not self._dropping
        ):
            self._full = True
            if not self._open:
                self._have_patience(time.monotonic())
        if self._dropping and nobody:
            protocol._pass_over()
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
