"""The exceptions of embws: one small tree.

    EmbwsError
    ├── LibraryError        the library was not found, or is not the one that belongs to this package
    ├── ForkError           the library was loaded before os.fork() and this is the child
    ├── InternalError       a defect inside of the library
    ├── StateError          not now: the connection is in another state (also a RuntimeError)
    ├── HandshakeError      the peer's handshake broke a rule, or refused
    │   ├── InvalidHandshake  it broke a rule
    │   └── InvalidStatus     the server's answer was not 101
    ├── ConnectionClosed    the connection is over, or cannot be used any more
    │   ├── ConnectionClosedOK      closed with 1000 or 1001, or without a code
    │   └── ConnectionClosedError   closed otherwise, or not at all
    └── ProtocolError       the peer broke a rule of the protocol (rule, section, offset, close code)

A wrong argument is a TypeError or ValueError that names it. ``websockets`` users find the names that they know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from .http import Response

__all__ = [
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "EmbwsError",
    "ForkError",
    "HandshakeError",
    "InternalError",
    "InvalidHandshake",
    "InvalidStatus",
    "LibraryError",
    "ProtocolError",
    "StateError",
]


class EmbwsError(Exception):
    """The root of the tree."""


class LibraryError(EmbwsError, ImportError):
    """libembws was not found, or does not fit this package. The message lists what was tried."""


class ForkError(EmbwsError, RuntimeError):
    """The library was loaded before os.fork(): its runtime did not come along into the child.

    Import embws in the child, or start workers by the methods ``spawn`` or ``forkserver`` of multiprocessing.
    """


class InternalError(EmbwsError, RuntimeError):
    """A defect inside of the library. The protocol object that it happened to is dead; others go on."""


class StateError(EmbwsError, RuntimeError):
    """The call is not possible now: before the handshake is done, within an unfinished message, after the end."""


class Violation(EmbwsError):
    """What both kinds of violation tell: the rule, where it stands, and where the peer broke it."""

    #: The number of the rule, as RULES.md of the project has it.
    rule: int
    #: The section of the RFC, such as "RFC 6455 5.2".
    section: str
    #: How many bytes of the stream came before the one that broke the rule.
    offset: int
    #: The close code that tells the peer: 1002, 1007, 1009; 0 in a handshake.
    code: int
    #: The header of the frame that broke the rule, as far as it was received.
    header: bytes

    def __init__(
        self, message: str, rule: int = 0, section: str = "", offset: int = 0, code: int = 0, header: bytes = b""
    ) -> None:
        super().__init__(message)
        self.rule, self.section, self.offset, self.code, self.header = rule, section, offset, code, header


class ProtocolError(Violation):
    """The peer broke a rule of RFC 6455 in a frame or message."""


class HandshakeError(Violation):
    """The opening handshake failed."""


class InvalidHandshake(HandshakeError):
    """The peer's head broke a rule of RFC 6455 or of HTTP."""


class InvalidStatus(HandshakeError):
    """The server has refused: its answer was not 101. ``response`` has status, headers and the start of the body."""

    response: "Response"

    def __init__(self, response: "Response", rule: int = 29, section: str = "RFC 6455 4.1", offset: int = 0) -> None:
        super().__init__(f"server refused the upgrade: HTTP {response.status_code}", rule, section, offset)
        self.response = response


class ConnectionClosed(EmbwsError):
    """The connection is closed. ``code`` and ``reason`` are those of the peer's Close, ``sent_code`` is that of ours.

    ``code`` is 1005 if the peer's Close had no code, and 1006 if none came.
    """

    code: int
    reason: str
    sent_code: Optional[int]

    def __init__(self, code: int, reason: str = "", sent_code: Optional[int] = None) -> None:
        self.code, self.reason, self.sent_code = code, reason, sent_code
        if code == 1006:
            text = "no close frame received"
        elif code == 1005:
            text = "received a close frame without a code"
        else:
            text = f"received {code}" + (f" ({reason})" if reason else "")
        if sent_code is not None:
            text += f"; sent {sent_code}"
        super().__init__(text)


class ConnectionClosedOK(ConnectionClosed):
    """Closed in order: with 1000 or 1001, or without a code."""


class ConnectionClosedError(ConnectionClosed):
    """Closed with another code, or without a Close. ``__cause__`` has the peer's violation, if there was one."""
