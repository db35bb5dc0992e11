"""WebSocket on asyncio.

    async with embws.aio.connect("ws://127.0.0.1:1337/chat") as websocket:
        await websocket.send("hello")
        print(await websocket.recv())

    async def echo(websocket):
        async for message in websocket:
            await websocket.send(message)

    async with embws.aio.serve(echo, "127.0.0.1", 1337) as server:
        await server.serve_forever()

Any event loop of asyncio will do, uvloop among them.
"""

from __future__ import annotations

from .client import ClientConnection, connect, process_exception, unix_connect
from .connection import Connection, broadcast
from .server import Server, ServerConnection, serve, unix_serve

__all__ = [
    "ClientConnection",
    "Connection",
    "Server",
    "ServerConnection",
    "broadcast",
    "connect",
    "process_exception",
    "serve",
    "unix_connect",
    "unix_serve",
]
