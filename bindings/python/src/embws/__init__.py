"""WebSocket (RFC 6455) for clients and servers.

    embws.sync      connect() and serve() over sockets and threads
    embws.aio       connect() and serve() on asyncio
    embws           ServerProtocol and ClientProtocol: no I/O, for whatever event loop you have

The codec is libembws, a shared library that comes with the package.
"""

from __future__ import annotations

from . import _library
from .events import Close, Data, Event, Ping, Pong
from .exceptions import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    EmbwsError,
    ForkError,
    HandshakeError,
    InternalError,
    InvalidHandshake,
    InvalidStatus,
    LibraryError,
    ProtocolError,
    StateError,
)
from .http import Headers, Request, Response
from .protocol import ClientProtocol, Protocol, ServerProtocol, State

__all__ = [
    "ClientProtocol",
    "Close",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "Data",
    "EmbwsError",
    "Event",
    "ForkError",
    "HandshakeError",
    "Headers",
    "InternalError",
    "InvalidHandshake",
    "InvalidStatus",
    "LibraryError",
    "Ping",
    "Pong",
    "Protocol",
    "ProtocolError",
    "Request",
    "Response",
    "ServerProtocol",
    "State",
    "StateError",
    "__version__",
    "library_version",
]

__version__ = "0.1.0"

#: The version of the library that was loaded.
library_version: str = _library.lib.embws_version_string().decode()
