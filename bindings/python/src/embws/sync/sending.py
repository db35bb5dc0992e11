"""Sending on a socket: messages, whole and in fragments, and Pings."""

from __future__ import annotations

import threading
import time
from threading import get_ident
from typing import Any, Callable, Iterable, List, Mapping, NoReturn, Optional, TypeVar, Union

from .._arguments import flag
from .._connection import INTERNAL_ERROR, Fragments, queue_message
from .._library import check_fork
from ..exceptions import ConcurrencyError
from ..protocol import BytesLike
from ._socket import of_system
from .receiving import Receiving
from .waiting import MISTAKES

__all__ = ["Sending"]

Result = TypeVar("Result")


class Sending(Receiving):
    """The sending end of a connection."""

    latency: float

    def send(
        self, message: Union[str, BytesLike, Iterable[Union[str, BytesLike]]], text: Optional[bool] = None
    ) -> None:
        """Sends a message: str as text, bytes-like as binary data; ``text`` overrides that. It waits until the system
        has taken all of it, and raises ConnectionClosed if it does not any more; what the peer has sent before can
        still be received.

        An iterable is sent as one message in fragments, as they come; other senders wait until it is complete. If it
        fails, the connection is closed with 1011, for the message cannot be completed.
        """
        if self._fragmenter == get_ident():
            raise ConcurrencyError("cannot call send() while a message is being sent in fragments by the same thread")
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
            self._fragmenter = get_ident()
            try:
                for part in message:
                    self._say(fragments.add, part)
                self._say(fragments.end)
            except BaseException:
                if fragments.begun:
                    self._do(self._abandon_fragments)
                self._fragmented = False
                raise
            finally:
                self._fragmenter = 0
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
                except MISTAKES:
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
