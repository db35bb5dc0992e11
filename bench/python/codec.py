"""The protocols without I/O: the same masked frames, as a server receives them, through each library in one process.

Every candidate gives each message as bytes. None does I/O. picows and aiohttp have no sans-I/O interface: their frame
parsers are fed as their event loop feeds them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from typing import Any, Callable, Dict, List

import embws
from measure import HEAD, Goal, measure, rows

seen = 0  # messages, so that no candidate can leave something out


def stream(payload: bytes, count: int) -> bytes:
    """``count`` masked binary frames."""
    client = embws.ClientProtocol(None, max_size=None)
    for _ in range(count):
        client.send_binary(payload)
    return client.data_to_send()


def embws_events(chunks: List[bytes]) -> Callable[[], None]:
    protocol = embws.ServerProtocol(handshake=False, max_size=None)

    def work() -> None:
        global seen
        for chunk in chunks:
            protocol.receive_data(chunk)
            for event in protocol.events():
                if event[3]:  # last
                    seen += 1

    return work


def embws_messages(chunks: List[bytes]) -> Callable[[], None]:
    protocol = embws.ServerProtocol(handshake=False, max_size=None)

    def work() -> None:
        global seen
        for chunk in chunks:
            protocol.receive_data(chunk)
            for _ in protocol.messages():
                seen += 1

    return work


def embws_in_place(chunks: List[bytes]) -> Callable[[], None]:
    """As asyncio feeds it: into get_buffer()."""
    protocol = embws.ServerProtocol(handshake=False, max_size=None)

    def work() -> None:
        global seen
        for chunk in chunks:
            n = len(chunk)
            protocol.get_buffer(n)[:n] = chunk
            protocol.buffer_updated(n)
            for _ in protocol.messages():
                seen += 1

    return work


def websockets(chunks: List[bytes]) -> Callable[[], None]:
    from websockets.protocol import OPEN, SERVER, Protocol

    protocol = Protocol(SERVER, state=OPEN, max_size=None)

    def work() -> None:
        global seen
        for chunk in chunks:
            protocol.receive_data(chunk)
            for frame in protocol.events_received():
                seen += frame.fin

    return work


def wsproto(chunks: List[bytes]) -> Callable[[], None]:
    from wsproto.connection import Connection, ConnectionType
    from wsproto.events import BytesMessage

    protocol = Connection(ConnectionType.SERVER)

    def work() -> None:
        global seen
        for chunk in chunks:
            protocol.receive_data(chunk)
            for event in protocol.events():
                if isinstance(event, BytesMessage) and event.message_finished:
                    seen += 1

    return work


def aiohttp(chunks: List[bytes]) -> Callable[[], None]:
    from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
    from aiohttp.base_protocol import BaseProtocol

    loop = asyncio.get_running_loop()
    queue = WebSocketDataQueue(BaseProtocol(loop), 2**30, loop=loop)
    reader = WebSocketReader(queue, 2**30, False, True)

    def work() -> None:
        global seen
        for chunk in chunks:
            reader.feed_data(chunk)
        while queue._buffer:
            queue._buffer.popleft()
            seen += 1

    return work


class Transport(asyncio.Transport):
    """What picows looks at."""

    def __init__(self) -> None:
        self.socket = socket.socket()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.socket if name == "socket" else default

    def write(self, data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return False


UPGRADE = b"""GET / HTTP/1.1\r
Host: example.com\r
Upgrade: websocket\r
Connection: Upgrade\r
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
Sec-WebSocket-Version: 13\r
\r
"""


def picows(chunks: List[bytes]) -> Callable[[], None]:
    from picows import WSAutoPingStrategy, WSFrame, WSListener, WSTransport
    from picows.picows import WSProtocol

    class Listener(WSListener):
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            global seen
            frame.get_payload_as_bytes()
            seen += 1

    protocol = WSProtocol(
        None, None, False, lambda request: Listener(), logging.getLogger("picows"), True, None, False, 1.0, 1.0,
        WSAutoPingStrategy.PING_WHEN_IDLE, True, 2**30, None, 2**18,
    )  # fmt: skip
    transport = Transport()
    protocol.connection_made(transport)

    def feed(chunk: bytes) -> None:
        at = 0
        while at < len(chunk):
            buffer = protocol.get_buffer(-1)
            n = min(len(buffer), len(chunk) - at)
            buffer[:n] = chunk[at : at + n]
            protocol.buffer_updated(n)
            at += n

    feed(UPGRADE)

    def work() -> None:
        for chunk in chunks:
            feed(chunk)

    return work


def pieces(data: bytes, size: int) -> List[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


CANDIDATES: Dict[str, Callable[[List[bytes]], Callable[[], None]]] = {
    "embws, events()": embws_events,
    "embws, messages()": embws_messages,
    "embws, get_buffer() and messages()": embws_in_place,
    "websockets": websockets,
    "wsproto": wsproto,
    "aiohttp, reader": aiohttp,
    "picows, listener": picows,
}


def row(title: str, chunks: List[bytes], messages: int, goals: Dict[str, Goal], of_bytes: int = 0) -> None:
    works = {}
    for name, make in CANDIDATES.items():
        global seen
        work = make(chunks)
        seen = 0
        work()
        if seen != messages:
            sys.exit(f"{title}: {name} gave {seen} messages of {messages}")
        works[name] = work
    rows(title, measure(works, messages), goals, of_bytes=of_bytes)


async def main() -> None:
    print(f"\nembws {embws.__version__}, Python {sys.version.split()[0]}\n\n{HEAD}")
    small = os.urandom(32)
    level: Goal = (1, "embws, messages()")
    row(
        "64 x 32 B a chunk, a message",
        [stream(small, 64)],
        64,
        {"websockets": 6, "wsproto": 20, "picows, listener": level},
    )
    row("1 x 32 B a chunk, a message", [stream(small, 1)], 1, {"websockets": 2, "wsproto": 5})
    row("16 x 1 KiB a chunk, a message", [stream(os.urandom(1024), 16)], 16, {})
    row(
        "1 MiB in 64 KiB chunks",
        pieces(stream(os.urandom(1 << 20), 1), 65536),
        1,
        {name: 1 for name in ("websockets", "wsproto", "aiohttp, reader", "picows, listener")},
        1 << 20,
    )


if __name__ == "__main__":
    asyncio.run(main())
