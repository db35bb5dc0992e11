"""A socket, plain or with TLS, that many threads may wait for: it is never blocking, and closed when the last has
left."""

from __future__ import annotations

import select
import socket
from typing import Any, Deque, List, Optional, Tuple, Type, Union

from .._connection import SMALL
from ..protocol import BytesLike

__all__ = ["Transport"]


def _wait(sock: socket.socket, read: bool, write: bool, timeout: Optional[float]) -> Tuple[bool, bool]:
    """Waits until the socket can be read or written, as far as wanted."""
    if hasattr(select, "poll"):
        poller = select.poll()
        poller.register(sock, (select.POLLIN if read else 0) | (select.POLLOUT if write else 0))
        ready = poller.poll(None if timeout is None else max(0, int(timeout * 1000 + 0.999)))
        if not ready:
            return False, False
        found = ready[0][1]
        other = found & ~(select.POLLIN | select.POLLOUT) != 0  # an error or the end: reading or writing will tell
        return read and (other or found & select.POLLIN != 0), write and (other or found & select.POLLOUT != 0)
    wanted = [sock]
    readable, writable, broken = select.select(
        wanted if read else [], wanted if write else [], wanted, None if timeout is None else max(0.0, timeout)
    )
    return read and bool(readable or broken), write and bool(writable or broken)


class Transport:
    """What a connection needs of a socket. All but wait() belongs under the connection's lock."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.tls = hasattr(sock, "pending")
        self.closed = False
        self._waiting = 0
        self._backlog: Deque[memoryview] = Deque()
        self._again: Tuple[Type[BaseException], ...] = (BlockingIOError, InterruptedError)
        if self.tls:
            import ssl

            self._again += (ssl.SSLWantReadError, ssl.SSLWantWriteError)

    def __bool__(self) -> bool:
        """Whether bytes wait to be written."""
        return bool(self._backlog)

    def begin_wait(self) -> None:
        """Before wait(), under the lock."""
        self._waiting += 1

    def wait(self, read: bool, write: bool, timeout: Optional[float]) -> Tuple[bool, bool]:
        """Waits until the socket can be read or written, without the lock."""
        try:
            return _wait(self.sock, read, write, timeout)
        except (OSError, ValueError):
            return read, write

    def end_wait(self) -> None:
        """After wait(), under the lock."""
        self._waiting -= 1
        if self.closed and not self._waiting:
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
        if self.closed:
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

    def half_close(self) -> None:
        """Ends what is sent; TLS has no such half, and is closed."""
        if self.tls:
            self.close()
        elif not self.closed:
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError:
                self.close()

    def close(self) -> None:
        """Closes. Who waits for the socket wakes up."""
        if self.closed:
            return
        self.closed = True
        self._backlog.clear()
        if self.tls:
            try:
                self.sock.unwrap()  # type: ignore[attr-defined]
            except (OSError, ValueError):
                pass
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        if not self._waiting:
            self.sock.close()
