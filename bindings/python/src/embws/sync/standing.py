"""What a connection on a socket is, and what all of its parts know of each other."""

from __future__ import annotations

import collections
import socket
import threading
import uuid
from typing import Any, Deque, Dict, List, Optional, Set

from .._connection import Asked, Held, Limit, Logger, Message, Pings
from .._parts import Parts
from ..protocol import Protocol
from ._socket import Transport

__all__ = ["Logger", "Standing"]


class Standing(Asked):
    """The state of a connection, and what can be asked of it. Waiting, Receiving, Sending and Connection build on each
    other."""

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
        super().__init__(protocol, ping_interval, ping_timeout, close_timeout, max_queue, logger)
        #: The socket under it.
        self.socket = sock
        #: A unique identifier, for logs.
        self.id: uuid.UUID = uuid.uuid4()
        self._transport = Transport(sock)
        self._local_address, self._remote_address = _addresses(sock)
        self._lock = threading.Lock()  # for all of what follows, the protocol object and the socket
        self._midway = False  # a thread has the lock, or was interrupted while it had
        self._waiters: Dict[threading.Lock, None] = {}  # released when another thread has read
        self._keeper_waiter: Optional[threading.Lock] = None
        self._send_lock = threading.Lock()  # a message that is sent in fragments keeps others out
        self._fragmented = False  # and one is being sent
        self._fragmenter = 0  # by this thread
        self._messages: Deque[Message] = collections.deque()
        self._unread = 0  # bytes of answers since the socket took no more
        self._full = False  # reading pauses until the queue has shrunk
        self._long = False  # the same for a long message that nobody receives; but not while something waits to be sent
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
        self._keeper: Optional[threading.Thread] = None
        self._keeper_idle = False  # it has nothing to do as long as the receiver waits
        self._keeper_saw = -1  # what _taken was when it looked last

    @property
    def local_address(self) -> Any:
        """The address of this end: (host, port), with more items for IPv6, or a path."""
        return self._local_address

    @property
    def remote_address(self) -> Any:
        """The address of the peer."""
        return self._remote_address

    # -- What the parts do for each other -------------------------------------------------------------------------

    def _handshake(self) -> bool:
        """Goes on with the handshake; says whether the connection is open now."""
        raise NotImplementedError

    def _read(self) -> None:
        """Reads all that TLS has, or once, or all that a peer has left behind that has gone, and takes it."""
        raise NotImplementedError

    def _release(self) -> None:
        """Goes on behind the messages that had to be answered first."""
        raise NotImplementedError

    def _have_patience(self, now: float) -> None:
        """The queue is full, and our Close was sent: see there."""
        raise NotImplementedError

    def _flush(self, answers: bool = False) -> None:
        """Writes what is to be sent, as far as the socket takes it."""
        raise NotImplementedError

    def _cannot_write(self, error: OSError) -> None:
        """The peer has gone. What it has sent before is still there: messages, and the Close that tells why."""
        raise NotImplementedError

    def _acknowledge(self, payloads: List[bytes]) -> None:
        """Takes Pongs."""
        raise NotImplementedError

    def _start_closing(self, code: int, reason: str) -> None:
        """Sends a Close. The peer's is awaited."""
        raise NotImplementedError

    def _end(self) -> None:
        """Nothing more will be received: both have closed, or the peer has failed. The transport is to be closed."""
        raise NotImplementedError

    def _end_transport(self) -> None:
        """Closes the transport, or waits for the peer to do so."""
        raise NotImplementedError

    def _lose(self, error: Optional[BaseException]) -> None:
        """The transport has ended, or is dropped."""
        raise NotImplementedError

    def _tell_lost(self) -> None:
        """Once begun, it can be called again to be completed."""
        raise NotImplementedError

    def _is_lost(self) -> Optional[bool]:
        """Whether the transport has ended; None for not yet."""
        raise NotImplementedError


def _addresses(sock: socket.socket) -> "tuple[Any, Any]":
    """The addresses of both ends; None for what is not known any more."""
    found: List[Any] = []
    for ask in (sock.getsockname, sock.getpeername):
        try:
            found.append(ask())
        except OSError:
            found.append(None)
    return found[0], found[1]
