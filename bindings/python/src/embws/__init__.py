"""WebSocket (RFC 6455) for clients and servers.

    embws.sync      connect() and serve() over sockets and threads
    embws.aio       connect() and serve() on asyncio
    embws           ServerProtocol and ClientProtocol: no I/O, for whatever event loop you have. embws.connect, serve and so
                    on are those of embws.aio

The codec is libembws, a shared library that comes with the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List

from . import _library
from .events import Close, CloseCode, Data, Event, Ping, Pong, View
from .exceptions import (
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    EmbwsError,
    ForkError,
    InternalError,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
    LibraryError,
    NegotiationError,
    ProtocolError,
    StateError,
    Violation,
)
from .http import Headers, Request, Response
from .protocol import ClientProtocol, Protocol, ServerProtocol, State
from .uri import URI, parse_uri

if TYPE_CHECKING:
    from .aio import ClientConnection, Server, ServerConnection, broadcast, connect, serve, unix_connect, unix_serve

__all__ = [
    "ClientConnection",
    "ClientProtocol",
    "Close",
    "CloseCode",
    "ConcurrencyError",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "Data",
    "EmbwsError",
    "Event",
    "ForkError",
    "Headers",
    "InternalError",
    "InvalidHandshake",
    "InvalidStatus",
    "InvalidURI",
    "LibraryError",
    "NegotiationError",
    "Ping",
    "Pong",
    "Protocol",
    "ProtocolError",
    "Request",
    "Response",
    "Server",
    "ServerConnection",
    "ServerProtocol",
    "State",
    "StateError",
    "URI",
    "View",
    "Violation",
    "__version__",
    "broadcast",
    "connect",
    "library_version",
    "parse_uri",
    "serve",
    "unix_connect",
    "unix_serve",
]

__version__ = "0.1.0"

#: The version of the library that was loaded.
library_version: str = _library.lib.embws_version_string().decode()

#: Names of embws.aio, which is loaded with the first of them: it takes asyncio along.
_ASYNCIO = {
    "ClientConnection",
    "Server",
    "ServerConnection",
    "broadcast",
    "connect",
    "serve",
    "unix_connect",
    "unix_serve",
}


def __dir__() -> List[str]:
    return sorted({*globals(), *_ASYNCIO})


def __getattr__(name: str) -> Any:
    if name not in _ASYNCIO:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import aio

    return getattr(aio, name)
