"""A connection on a socket: what the two ends have in common.

Who waits in recv() reads the socket. When nobody does, a thread of the connection's own, the keeper, does it: Pings are
answered and a Close is found even where the user is busy. It also watches the clock.

Below it are its state (standing.py), the lock and what waits (waiting.py), receiving and sending.
"""

from __future__ import annotations

import _thread
import threading
import time
from threading import get_ident
from typing import Any, Iterable, List, Optional, Union

from .._connection import INTERNAL_ERROR
from ..protocol import BytesLike
from .sending import Sending
from .standing import Logger
from .waiting import TICK, deadline_of

__all__ = ["Connection", "Logger", "broadcast"]


class Connection(Sending):
    """A WebSocket connection, made by connect() or serve().

    It is an iterator of messages, which ends when the connection is closed in order, and a context manager, which
    closes it. Its methods may be called by any thread, recv() by one at a time, and none by a signal handler. But a
    signal handler may raise an exception wherever it interrupts them: recv() loses nothing by that, and the connection
    goes on if what was interrupted is a wait, which it nearly always is. Otherwise it ends, as if it had been lost.
    """

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
        elif self._full or self._long:  # the Pong may lie behind messages that nobody has taken
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
            keeper.join(TICK * 4)

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
        return self._until(self._is_lost, None if timeout is None else deadline_of(timeout)) is not None

    def _is_lost(self) -> Optional[bool]:
        if self._held and not self._open:
            self._release()
        return True if self._lost else None

    def _start_closing(self, code: int, reason: str) -> None:
        """Sends a Close. The peer's is awaited."""
        self.protocol.close(code, reason)
        self._open = self._long = False
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


def broadcast(
    connections: Iterable[Connection], message: Union[str, BytesLike], *, text: Optional[bool] = None
) -> None:
    """Sends a message to many, without waiting for any: those that are closed, or within a message that is sent in
    fragments, are passed over. There is no back-pressure: who does not read is dropped by keepalive."""
    if not isinstance(message, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"message must be str or bytes-like, not {type(message).__name__}")
    for connection in connections:
        connection._do(lambda: connection._say_without_waiting(message, text))  # noqa: B023 - it is called at once


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
