"""WebSocket on sockets and threads.

    with embws.sync.connect("ws://127.0.0.1:1337/chat") as websocket:
        websocket.send("hello")
        print(websocket.recv())

    def echo(websocket):
        for message in websocket:
            websocket.send(message)

    with embws.sync.serve(echo, "127.0.0.1", 1337) as server:
        server.serve_forever()

Any thread may send; one at a time receives.
"""

from __future__ import annotations

from .client import ClientConnection, connect, unix_connect
from .connection import Connection, broadcast
from .server import Server, ServerConnection, serve, unix_serve

__all__ = [
    "ClientConnection",
    "Connection",
    "Server",
    "ServerConnection",
    "broadcast",
    "connect",
    "serve",
    "unix_connect",
    "unix_serve",
]
