"""Sending on asyncio: messages, whole and in fragments, Pings, and waiting until the transport has room."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any, AsyncIterable, Awaitable, Iterable, List, Mapping, Optional, Union

from .._connection import INTERNAL_ERROR, SMALL, Fragments, queue_message
from ..exceptions import ConcurrencyError
from ..protocol import BytesLike
from .receiving import Receiving

__all__ = ["Sending"]

# writelines() of these versions either joins what it gets, or does not tell when too much is waiting (CVE-2024-12254).
_BAD_WRITELINES = sys.version_info < (3, 12, 9) or (3, 13) <= sys.version_info < (3, 13, 2)


class Sending(Receiving):
    """The sending end of a connection."""

    latency: float

    async def send(
        self,
        message: Union[str, BytesLike, Iterable[Union[str, BytesLike]], AsyncIterable[Union[str, BytesLike]]],
        text: Optional[bool] = None,
    ) -> None:
        """Sends a message: str as text, bytes-like as binary data; ``text`` overrides that.

        An iterable, or an asynchronous one, is sent as one message in fragments, as they come; other senders wait until
        it is complete. send() waits while more than ``write_limit`` bytes have not left. If that wait is cancelled the
        message is sent all the same. If one in fragments is cancelled, or its iterable fails, the connection is closed
        with 1011, for the message cannot be completed.
        """
        while self._fragmented is not None:
            if self._fragmenter is asyncio.current_task():
                raise ConcurrencyError("cannot call send() while a message is being sent in fragments by the same task")
            await asyncio.shield(self._fragmented)
        if not self._open:
            await self._refuse()
        protocol = self.protocol
        if text is None and not self._messages and (frame := protocol._send_alone(message)) is not None:
            self.transport.write(frame)
            if self._writing_paused or self.transport.is_closing():
                await self._drain()
            return
        if not isinstance(message, (str, bytes, bytearray, memoryview)):
            await self._send_fragments(message, text)
            return
        queue_message(protocol, message, text)
        # As long as there are messages to be answered the answers are collected: one write for all.
        if self._messages:
            self._deferred += len(message)
            if self._deferred < SMALL and not self._writing_paused:
                if self._flush_handle is None:
                    self._flush_handle = self.loop.call_soon(self._flush_later)
                return
        self._deferred = 0
        buffers = protocol.buffers_to_send()
        if len(buffers) == 1:
            self.transport.write(buffers[0])
        else:
            self._write(buffers)
        if self._writing_paused or self.transport.is_closing():
            await self._drain()

    async def _send_fragments(self, parts: Any, text: Optional[bool]) -> None:
        if isinstance(parts, Mapping) or not isinstance(parts, (Iterable, AsyncIterable)):
            raise TypeError(
                f"message must be str, bytes-like or an iterable of one of these, not {type(parts).__name__}"
            )
        fragments = Fragments(self.protocol, text)
        self._fragmented, self._fragmenter = self.loop.create_future(), asyncio.current_task()
        try:
            if isinstance(parts, AsyncIterable):
                async for part in parts:
                    await self._send_part(fragments, part)
            else:
                for part in parts:
                    await self._send_part(fragments, part)
            fragments.end()
            self._flush()
        except BaseException:
            if fragments.begun and self._open:
                self._start_closing(INTERNAL_ERROR, "error in fragmented message")
            raise
        finally:
            done, self._fragmented, self._fragmenter = self._fragmented, None, None
            if not done.done():
                done.set_result(None)
        if self._writing_paused or self.transport.is_closing():
            await self._drain()

    async def _send_part(self, fragments: Fragments, part: Union[str, BytesLike]) -> None:
        if not self._open:
            await self._refuse()
        fragments.add(part)
        self._flush()
        if self._writing_paused or self.transport.is_closing():
            await self._drain()

    def _flush_later(self) -> None:
        self._flush_handle = None
        self._flush()

    def _flush(self) -> None:
        """Writes what is to be sent."""
        self._deferred = 0
        buffers = self.protocol.buffers_to_send()
        if buffers:
            self._write(buffers)

    def _write(self, buffers: List[BytesLike]) -> None:
        if self._lost.done() or self.transport.is_closing():
            return
        if len(buffers) == 1:
            self.transport.write(buffers[0])
        elif not _BAD_WRITELINES:
            self.transport.writelines(buffers)
        else:
            small: List[BytesLike] = []
            for buffer in buffers:
                if len(buffer) <= SMALL:
                    small.append(buffer)
                    continue
                if small:
                    self.transport.write(b"".join(small))
                    small.clear()
                self.transport.write(buffer)
            if small:
                self.transport.write(b"".join(small))

    def pause_writing(self) -> None:
        self._writing_paused = True
        self._regulate()

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._unread = 0
        self._deaf = False
        self._regulate()
        for drainer in self._drainers:
            if not drainer.done():
                drainer.set_result(None)

    async def _drain(self) -> None:
        """Waits until the transport has room. Raises ConnectionClosed if it has gone: what was written has not arrived."""
        if self._limited and not self.transport.is_closing():
            drainer = self.loop.create_future()
            self._drainers.append(drainer)
            try:
                await drainer
            finally:
                self._drainers.remove(drainer)
        if self.transport.is_closing() and not self.protocol.close_expected():
            await self._refuse()

    async def _refuse(self) -> None:
        """Raises what tells that nothing can be sent: when the closing handshake is done, for only then it is known how
        it ended."""
        await asyncio.shield(self._lost)
        raise self._closed()

    # -- Pings ----------------------------------------------------------------------------------------------------

    async def ping(self, data: Union[None, str, BytesLike] = None) -> Awaitable[float]:
        """Sends a Ping, and gives what can be awaited for the Pong: it results in the seconds that went by.

        ``data`` is up to 125 bytes; by default it is random. If the connection ends before, ConnectionClosed is raised
        by that wait.
        """
        if not self._open:
            await self._refuse()
        waiter = self._ping(data)
        if self._writing_paused or self.transport.is_closing():
            await self._drain()
        return waiter

    def _ping(self, data: Union[None, str, BytesLike]) -> "asyncio.Future[float]":
        payload = self._pings.payload(data)
        self.protocol.ping(payload)
        waiter: asyncio.Future[float] = self.loop.create_future()
        self._pings.add(payload, waiter, time.perf_counter())  # finer than uvloop's clock
        self._flush()
        return waiter

    async def pong(self, data: Union[str, BytesLike] = b"") -> None:
        """Sends a Pong that nobody has asked for. Pings are answered by themselves."""
        if not self._open:
            await self._refuse()
        self.protocol.pong(data)
        self._flush()
        if self._writing_paused or self.transport.is_closing():
            await self._drain()

    def _acknowledge(self, payloads: List[bytes]) -> None:
        now = time.perf_counter()
        for payload in payloads:
            for waiter, sent in self._pings.answered(payload):
                self.latency = now - sent
                if not waiter.done():
                    waiter.set_result(now - sent)
                if waiter is self._alive_pong:
                    self._alive_pong = None
                    self._keep_alive_in(max(0.0, (self.ping_interval or 0.0) - self.latency))

    def _keep_alive_in(self, delay: float) -> None:
        if self._alive_timer is not None:
            self._alive_timer.cancel()
        self._alive_timer = self.loop.call_later(delay, self._keep_alive)

    def _keep_alive(self) -> None:
        """The time of keepalive: a Ping is due, or has had no answer."""
        self._alive_timer = None
        if not self._open:
            return
        if self._alive_pong is None or self.ping_timeout is None:
            self._alive_pong = self._ping(None)
            self._keep_alive_in(self.ping_interval or 0.0 if self.ping_timeout is None else self.ping_timeout)
        elif self._paused and not self._deaf:  # the Pong may lie behind messages that nobody has taken
            self._keep_alive_in(self.ping_timeout)
        else:
            self._start_closing(INTERNAL_ERROR, "keepalive ping timeout")
            self._end()
