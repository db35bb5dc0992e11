"""What a connection on asyncio is, and what all of its parts know of each other."""

from __future__ import annotations

import asyncio
import collections
import uuid
from typing import Any, Deque, List, Optional, cast

from .._connection import NO_LIMIT, SMALL, Asked, Held, Limit, Logger, Message, Pings, water_marks
from .._parts import Parts
from .._scratch import local
from ..protocol import BytesLike, Protocol

__all__ = ["Logger", "Standing"]

MOST = 2**31 - 1


class Standing(Asked, asyncio.BufferedProtocol):
    """The state of a connection, and what can be asked of it. Receiving, Sending and Connection build on each other."""

    #: The transport under it.
    transport: asyncio.Transport
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
        super().__init__(protocol, ping_interval, ping_timeout, close_timeout, max_queue, logger)
        self.loop = asyncio.get_running_loop()
        self._id: Optional[uuid.UUID] = None
        self._write_high, self._write_low = water_marks(write_limit, "write_limit")
        self._limited = self._write_high != NO_LIMIT  # send() waits
        # Receiving
        self._messages: Deque[Message] = collections.deque()
        self._inbox = local.inbox  # the memory that get_buffer() has given last
        self._receiver: Optional[asyncio.Future[None]] = None  # who waits in recv()
        self._streaming = False  # recv_streaming() was begun, and has not ended
        self._parts: Optional[Parts] = None  # of the message that it gives
        # Reading is paused while one of these is set: see _regulate().
        self._full = False  # there are too many messages in the queue, or a request is not answered yet
        self._deaf = False  # the peer does not read the answers to its Pings
        self._long = False  # a long message has come, or begun, that nobody receives; but not while send() waits
        self._paused = False  # and it is paused
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
        self._fragmenter: Optional[asyncio.Task[Any]] = None  # who sends it
        # Pings
        self._pings: Pings[asyncio.Future[float]] = Pings()
        self._alive_timer: Optional[asyncio.TimerHandle] = None
        self._alive_pong: Optional[asyncio.Future[float]] = None
        # The beginning and the end
        self._open = False  # messages can be sent
        self._ended = False  # none will be received
        self._close_timer: Optional[asyncio.TimerHandle] = None
        self._lost: asyncio.Future[None] = self.loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        # With 0, asyncio's TLS would take an empty buffer for one that is too full; uvloop takes no more than a C int. Without
        # a limit send() does not wait, but who does not read its answers is still found.
        high, low = (self._write_high, self._write_low) if self._limited else (SMALL, SMALL // 4)
        self.transport.set_write_buffer_limits(min(max(1, high), MOST), min(low, MOST))

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

    # -- What the parts do for each other -------------------------------------------------------------------------

    def _handshake(self) -> bool:
        """Goes on with the handshake; says whether the connection is open now."""
        raise NotImplementedError

    def _acknowledge(self, payloads: List[bytes]) -> None:
        """Takes Pongs."""
        raise NotImplementedError

    def _flush(self) -> None:
        """Writes what is to be sent."""
        raise NotImplementedError

    def _write(self, buffers: List[BytesLike]) -> None:
        """Writes these."""
        raise NotImplementedError

    def _start_closing(self, code: int, reason: str = "") -> None:
        """Sends a Close. The peer's is awaited."""
        raise NotImplementedError

    def _end(self) -> None:
        """Nothing more will be received: both have closed, or the peer has failed. The transport is to be closed."""
        raise NotImplementedError
