"""A connection on asyncio: how it begins and ends. Below it are its state (standing.py), receiving and sending."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Iterable, List, Optional, Union

from .._connection import INTERNAL_ERROR, queue_message
from ..exceptions import ConcurrencyError
from ..protocol import BytesLike
from .sending import Sending
from .standing import Logger

__all__ = ["Connection", "Logger", "broadcast"]

_NOBODY = asyncio.BufferedProtocol()


class Connection(Sending):
    """A WebSocket connection, made by connect() or serve().

    It is an asynchronous iterator of messages, which ends when the connection is closed in order, and an asynchronous
    context manager, which closes it. All of it belongs to the event loop's thread.
    """

    # -- The beginning --------------------------------------------------------------------------------------------

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
        if self._paused:
            self._read_on(hear=True)
        self._start_close_timer()
        self._release()

    def _start_close_timer(self, otherwise: Optional[float] = None) -> None:
        """The transport is dropped after ``close_timeout``; after so many seconds if there is none."""
        timeout = self.close_timeout if self.close_timeout is not None else otherwise
        if self._close_timer is None and timeout is not None and not self._lost.done():
            self._close_timer = self.loop.call_later(timeout, self.transport.abort)

    def _end(self) -> None:
        """Nothing more will be received: both have closed, or the peer has failed. The transport is to be closed."""
        if self._ended:
            return
        self._ended = True
        self._open = False
        self._wake_receiver()
        if self._paused:
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
