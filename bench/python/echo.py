"""Whole echo servers on asyncio, each in a process of its own, under the same load over loopback.

The load is a program without a WebSocket library: it sends a frame that it made before, waits until as many bytes have
come back, and sends the next. What is compared is the processor time of the server, in microseconds a message, which
depends on the load's speed much less than messages a second do.
"""

from __future__ import annotations

import asyncio
import logging
import os
import selectors
import socket
import struct
import subprocess
import sys
import time
from typing import Dict, List, Tuple

from measure import HEAD, rows

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SECONDS = 1.0
ROUNDS = 5

# -- The servers ------------------------------------------------------------------------------------------------------


async def serve_embws() -> int:
    from embws.aio import serve

    async def echo(connection: object) -> None:
        async for message in connection:  # type: ignore[attr-defined]
            await connection.send(message)  # type: ignore[attr-defined]

    server = await serve(echo, "127.0.0.1", 0, ping_interval=None, max_size=None)
    return next(iter(server.sockets)).getsockname()[1]


async def serve_websockets() -> int:
    from websockets.asyncio.server import serve

    async def echo(connection: object) -> None:
        async for message in connection:  # type: ignore[attr-defined]
            await connection.send(message)  # type: ignore[attr-defined]

    server = await serve(echo, "127.0.0.1", 0, compression=None, ping_interval=None, max_size=None)
    return next(iter(server.sockets)).getsockname()[1]


async def serve_aiohttp() -> int:
    from aiohttp import WSMsgType, web

    async def echo(request: web.Request) -> web.WebSocketResponse:
        connection = web.WebSocketResponse(compress=False, max_msg_size=0)
        await connection.prepare(request)
        async for message in connection:
            if message.type == WSMsgType.BINARY:
                await connection.send_bytes(message.data)
        return connection

    app = web.Application()
    app.router.add_get("/", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return site._server.sockets[0].getsockname()[1]


async def serve_picows() -> int:
    from picows import WSFrame, WSListener, WSTransport, ws_create_server

    class Echo(WSListener):
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            transport.send(frame.msg_type, frame.get_payload_as_bytes())

    server = await ws_create_server(lambda request: Echo(), "127.0.0.1", 0, max_frame_size=2**24)
    server_task = asyncio.ensure_future(server.start_serving())
    await server_task
    return server.sockets[0].getsockname()[1]


SERVERS = {
    "embws.aio": serve_embws,
    "websockets": serve_websockets,
    "aiohttp": serve_aiohttp,
    "picows": serve_picows,
}


async def server(name: str) -> None:
    logging.disable()  # some tell at length of connections that end without a Close
    print(await SERVERS[name](), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the bench goes


# -- The load ---------------------------------------------------------------------------------------------------------


def frame(payload: bytes) -> bytes:
    """A masked binary frame. The key is 0: the payload stands as it is."""
    n = len(payload)
    head = (
        bytes([0x82, 0x80 | n])
        if n < 126
        else struct.pack(">BBH", 0x82, 0xFE, n)
        if n < 65536
        else struct.pack(">BBQ", 0x82, 0xFF, n)
    )
    return head + bytes(4) + payload


def dial(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(REQUEST)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(4096)
    if not head.startswith(b"HTTP/1.1 101"):
        sys.exit(f"refused: {head!r}")
    return sock


def cpu(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(pid: int, sockets: List[socket.socket], payload: bytes) -> Tuple[float, float]:
    """Seconds of the server's processor a message, and messages a second."""
    out, back = frame(payload), len(frame(payload)) - 4
    buffer = bytearray(1 << 20)
    waits = {}
    selector = selectors.DefaultSelector()
    for sock in sockets:
        sock.setblocking(True)
        waits[sock.fileno()] = back
        selector.register(sock, selectors.EVENT_READ, sock)
        sock.sendall(out)
    before, begin, messages = cpu(pid), time.perf_counter(), 0
    end = begin + SECONDS
    while time.perf_counter() < end:
        for key, _ in selector.select(1):
            fd, sock = key.fd, key.data
            waits[fd] -= sock.recv_into(buffer)
            if waits[fd] == 0:
                messages += 1
                waits[fd] = back
                sock.sendall(out)
    took, used = time.perf_counter() - begin, cpu(pid) - before
    while any(waits[key.fd] for key in selector.get_map().values()):  # the answers to the last ones
        for key, _ in selector.select(1):
            waits[key.fd] -= key.data.recv_into(buffer)
            if waits[key.fd] == 0:
                selector.unregister(key.data)
        if not selector.get_map():
            break
    selector.close()
    return used / max(messages, 1), messages / took


def main() -> None:
    if len(sys.argv) > 1:
        asyncio.run(server(sys.argv[1]))
        return
    processes: Dict[str, Tuple[subprocess.Popen[str], int]] = {}
    try:
        for name in SERVERS:
            process = subprocess.Popen(
                [sys.executable, __file__, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            assert process.stdout is not None
            processes[name] = process, int(process.stdout.readline())
        print(f"\nProcessor time of the server, us a message\n\n{HEAD}")
        speeds: List[str] = []
        for connections in (1, 10, 100):
            for size in (32, 65536):
                payload, taken = os.urandom(size), {name: [] for name in SERVERS}
                rates: Dict[str, float] = dict.fromkeys(SERVERS, 0.0)
                sockets = {name: [dial(port) for _ in range(connections)] for name, (_, port) in processes.items()}
                for number in range(ROUNDS):
                    for i in range(len(SERVERS)):
                        name = list(SERVERS)[(i + number) % len(SERVERS)]
                        used, rate = load(processes[name][0].pid, sockets[name], payload)
                        taken[name].append(used)
                        rates[name] = max(rates[name], rate)
                for group in sockets.values():
                    for sock in group:
                        sock.close()
                title = f"echo, {connections} connection{'s' if connections > 1 else ''}, {size} B"
                rows(title, taken, {"websockets": 1, "aiohttp": 1}, of_bytes=0)
                speeds.append(f"| {title} | " + " | ".join(f"{rates[name]:.0f}" for name in SERVERS) + " |")
        print(f"\nMessages a second, the best round\n\n| | {' | '.join(SERVERS)} |\n|---|{'--:|' * len(SERVERS)}")
        print("\n".join(speeds))
    finally:
        for process, _ in processes.values():
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
