"""A socket, plain or with TLS, that many threads may wait for: it is never blocking, and closed when the last has
left."""

from __future__ import annotations

import select
import socket
from typing import Any, Deque, List, Optional, Set, Tuple, Type, Union

from .._connection import SMALL
from ..protocol import BytesLike

__all__ = ["LONGEST", "Transport", "of_system"]

#: A wait for a socket, in seconds, for what the system takes is an int of milliseconds. Who waits longer waits again.
LONGEST = 1_000_000.0


def of_system(error: OSError) -> bool:
    """Whether an error is the socket's, and not an exception that a signal handler has raised while it was used, such
    as the TimeoutError of an alarm."""
    return error.errno is not None


def _milliseconds(timeout: Optional[float]) -> Optional[int]:
    """A time-out for poll()."""
    return None if timeout is None else int(min(max(0.0, timeout), LONGEST) * 1000 + 0.999)


def _wait(sock: socket.socket, read: bool, write: bool, timeout: Optional[float]) -> Tuple[bool, bool]:
    """Waits until the socket can be read or written, as far as wanted."""
    if hasattr(select, "poll"):
        poller = select.poll()
        poller.register(sock, (select.POLLIN if read else 0) | (select.POLLOUT if write else 0))
        ready = poller.poll(_milliseconds(timeout))
        if not ready:
            return False, False
        found = ready[0][1]
        other = found & ~(select.POLLIN | select.POLLOUT) != 0  # an error or the end: reading or writing will tell
        return read and (other or found & select.POLLIN != 0), write and (other or found & select.POLLOUT != 0)
    wanted, rest = [sock], None if timeout is None else min(max(0.0, timeout), LONGEST)
    readable, writable, broken = select.select(wanted if read else [], wanted if write else [], wanted, rest)
    return read and bool(readable or broken), write and bool(writable or broken)


class Transport:
    """What a connection needs of a socket. All but wait() and leave() belongs under the connection's lock."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.tls = hasattr(sock, "pending")
        self.closed = False
        #: Nothing can be written any more, but perhaps read.
        self.broken = False
        #: Bytes that were to be written are not, and never will be.
        self.failed = False
        #: The threads that may be in wait(), by identifier.
        self.waiting: Set[int] = set()
        # For who waits to read and for nothing else: that is one thread, and often.
        self._poller: Any = None
        if hasattr(select, "poll"):
            self._poller = select.poll()
            self._poller.register(sock, select.POLLIN)
        self._backlog: Deque[memoryview] = Deque()
        self._again: Tuple[Type[BaseException], ...] = (BlockingIOError, InterruptedError)
        if self.tls:
            import ssl

            self._again += (ssl.SSLWantReadError, ssl.SSLWantWriteError)

    def __bool__(self) -> bool:
        """Whether bytes wait to be written."""
        return bool(self._backlog)

    def wait(self, read: bool, write: bool, timeout: Optional[float]) -> Tuple[bool, bool]:
        """Waits until the socket can be read or written, without the lock; the thread is in ``waiting``."""
        try:
            if self._poller is not None and read and not write:
                return bool(self._poller.poll(_milliseconds(timeout))), False
            return _wait(self.sock, read, write, timeout)
        except ValueError:
            if self.sock.fileno() >= 0:
                raise  # of a signal handler, or there is no poll() and the descriptor is too large for select()
            return read, write  # somebody has closed the socket itself
        except OSError as error:
            if not of_system(error):
                raise
            return read, write

    def leave(self) -> None:
        """Closes the socket, if it was to be closed and nobody waits for it any more."""
        if self.closed and not self.waiting:
            self.sock.close()

    def receive(self, buffer: memoryview) -> Optional[int]:
        """Reads: the number of bytes, 0 at the end, None if there are none now."""
        if self.closed:
            return 0
        try:
            return self.sock.recv_into(buffer)
        except self._again:
            return None
        except OSError as error:
            if error.__class__.__name__ in ("SSLEOFError", "SSLZeroReturnError"):
                return 0
            raise

    def pending(self) -> bool:
        """Whether TLS has bytes that waiting for the socket would not show."""
        return self.tls and not self.closed and self.sock.pending() > 0  # type: ignore[attr-defined]

    def write(self, buffers: List[BytesLike]) -> None:
        """Writes what the socket takes now, and keeps the rest."""
        if self.closed or self.broken:
            self.failed = True
            return
        if len(buffers) == 1 and not self._backlog:
            data: Union[BytesLike, memoryview] = buffers[0]
            n = self._send(data)
            if n < len(data):
                self._backlog.append(memoryview(data)[n:])
            return
        small: List[BytesLike] = []
        for buffer in buffers:
            if len(buffer) > SMALL:
                if small:
                    self._backlog.append(memoryview(b"".join(small)))
                    small = []
                self._backlog.append(memoryview(buffer))
            else:
                small.append(buffer)
        if small:
            self._backlog.append(memoryview(b"".join(small)))
        self.write_backlog()

    def write_backlog(self) -> None:
        """Writes of what was kept, as much as the socket takes now."""
        backlog = self._backlog
        while backlog:
            view = backlog[0]
            n = self._send(view)
            if n < len(view):
                backlog[0] = view[n:]
                if n == 0:
                    return
            else:
                backlog.popleft()

    def _send(self, data: Any) -> int:
        try:
            return self.sock.send(data)
        except self._again:
            return 0

    def break_off(self) -> None:
        """Writes nothing any more: the peer has gone."""
        self.broken = self.failed = True
        self._backlog.clear()

    def half_close(self) -> None:
        """Ends what is sent, and lets the peer end the rest. What TLS still receives is not deciphered any more."""
        if self.closed or self.broken:
            return
        try:
            self._end_tls()
            self.sock.shutdown(socket.SHUT_WR)  # of TLS, too: bytes are bytes from here on
        except OSError as error:
            if not of_system(error):
                raise
            self.close()

    def _end_tls(self) -> None:
        """Tells the peer that this is the end (RFC 8446 6.1), and does not wait for the same of it."""
        if not self.tls:
            return
        try:
            self.sock.unwrap()  # type: ignore[attr-defined]
        except ValueError:
            pass  # there is no TLS on it any more
        except OSError as error:
            if not of_system(error):
                raise

    def close(self) -> None:
        """Closes. Who waits for the socket wakes up. Once begun, it can be called again to be completed."""
        if not self.closed:
            if self._backlog:
                self.failed = True
            self.closed = True
            self._backlog.clear()
        if self.sock.fileno() < 0:
            return
        self._end_tls()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError as error:
            if not of_system(error):
                raise
        self.leave()

    def __del__(self) -> None:
        # An exception of a signal handler may have kept the last one from leaving.
        if getattr(self, "closed", False):
            self.sock.close()
