"""The lock of a connection on a socket, and waiting for the socket or for other threads.

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

import threading
import time
from threading import get_ident
from typing import Callable, Optional, Tuple, TypeVar

from .._connection import SMALL, seconds
from .._library import check_fork
from ..exceptions import ConnectionClosed, InternalError, StateError
from .standing import Standing

__all__ = ["MISTAKES", "TICK", "Waiting", "deadline_of"]

Result = TypeVar("Result")

# Who waits for another thread looks this often, in seconds, and so does the keeper whether the user has stopped to read.
TICK = 0.25
# What a caller's argument can raise: if nothing is to be sent then, nothing was done.
MISTAKES = (TypeError, ValueError, StateError, ConnectionClosed)
# How long the keeper waits for the socket, in seconds, before it looks what others have changed meanwhile.
_KEEPER_WAIT = 1.0
# The same while a thread waits in recv() that nothing comes for: it wakes the keeper when that has changed.
_KEEPER_IDLE = 10.0


class Waiting(Standing):
    """Does things under the lock, and waits without it."""

    def _do(self, what: Callable[[], Result]) -> Result:
        """Does something under the lock."""
        check_fork()
        with self._lock:
            if self._midway:
                self._break_off()
            self._midway = True
            try:
                result = what()
            except MISTAKES:
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
        read = not (
            self._reading
            or self._full
            or (self._long and not write)
            or self._held
            or self._lost
            or self._unread > SMALL
        )
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
        if not (read or write) and (timeout is None or timeout > TICK) and not (keeper and self._keeper_idle):
            timeout = TICK
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
        if can_read and not (self._lost or self._full or self._held or (self._long and not transport)):
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


def deadline_of(timeout: float) -> Optional[float]:
    """When a wait of so many seconds ends; None for never. A negative number, as the rest of a longer wait may be, is
    the same as 0."""
    if isinstance(timeout, (int, float)) and timeout < 0:
        timeout = 0
    left = seconds(timeout, "timeout")
    return None if left is None else time.monotonic() + left
