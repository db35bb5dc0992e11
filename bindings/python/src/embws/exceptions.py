"""The exceptions of embws: one small tree.

    EmbwsError
    ├── LibraryError        the library was not found, or is not the one that belongs to this package
    ├── ForkError           the library was loaded before os.fork() and this is the child
    ├── InternalError       a defect inside of the library
    ├── StateError          not now: the connection is in another state (also a RuntimeError)
    │   └── ConcurrencyError  another coroutine or thread is waiting in recv() (StateError, too)
    ├── InvalidURI          no WebSocket URI (also a ValueError)
    ├── InvalidHandshake    the peer's handshake broke a rule, or the ends do not agree
    │   ├── InvalidStatus     the server has refused: its answer was not 101
    │   └── NegotiationError  no subprotocol suits both
    ├── ConnectionClosed    the connection is over, or cannot be used any more
    │   ├── ConnectionClosedOK      closed with 1000 or 1001, or without a code
    │   └── ConnectionClosedError   closed otherwise, or not at all
    └── ProtocolError       the peer broke a rule of the protocol (rule, section, offset, close code)

A wrong argument is a TypeError or ValueError that names it. ``websockets`` users find the names that they know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Tuple

from .events import Close

if TYPE_CHECKING:
    from .http import Response

__all__ = [
    "ConcurrencyError",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "EmbwsError",
    "ForkError",
    "InternalError",
    "InvalidHandshake",
    "InvalidStatus",
    "InvalidURI",
    "LibraryError",
    "NegotiationError",
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


class ConcurrencyError(StateError):
    """Another coroutine or thread is waiting in recv(), or iterating, on the same connection."""


class InvalidURI(EmbwsError, ValueError):
    """No WebSocket URI (RFC 6455 3)."""


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
        super().__init__(message, rule, section, offset, code, header)  # so that it can be pickled
        self.rule, self.section, self.offset, self.code, self.header = rule, section, offset, code, header

    def __str__(self) -> str:
        return str(self.args[0])


class ProtocolError(Violation):
    """The peer broke a rule of RFC 6455 in a frame or message."""


class InvalidHandshake(Violation):
    """The opening handshake failed: the peer's head broke a rule of RFC 6455 or of HTTP, or the ends do not agree."""


class InvalidStatus(InvalidHandshake):
    """The server has refused: its answer was not 101. ``response`` has status, headers and the start of the body."""

    response: "Response"

    def __init__(self, response: "Response", rule: int = 29, section: str = "RFC 6455 4.1", offset: int = 0) -> None:
        super().__init__(f"server refused the upgrade: HTTP {response.status_code}", rule, section, offset)
        self.response = response

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.response, self.rule, self.section, self.offset)


class NegotiationError(InvalidHandshake):
    """The ends cannot agree: what a server's ``select_subprotocol`` raises to refuse."""


class ConnectionClosed(EmbwsError):
    """The connection is closed.

    ``rcvd`` is the peer's Close and ``sent`` is ours, None if there was none; ``rcvd_then_sent`` tells whether the peer's
    came first, if there were both. ``code`` and ``reason`` are those of the peer's Close: 1005 if it had no code, and 1006
    if none came (RFC 6455 7.1.5).
    """

    rcvd: Optional[Close]
    sent: Optional[Close]
    rcvd_then_sent: Optional[bool]

    def __init__(self, rcvd: Optional[Close], sent: Optional[Close], rcvd_then_sent: Optional[bool] = None) -> None:
        self.rcvd, self.sent, self.rcvd_then_sent = rcvd, sent, rcvd_then_sent
        super().__init__(rcvd, sent, rcvd_then_sent)

    def __str__(self) -> str:
        if self.rcvd is None:
            text = "no close frame received"
        elif self.rcvd.code == 1005:
            text = "received a close frame without a code"
        else:
            text = f"received {self.rcvd.code}" + (f" ({self.rcvd.reason})" if self.rcvd.reason else "")
        if self.sent is not None:
            text += f"; sent {self.sent.code}" + (f" ({self.sent.reason})" if self.sent.reason else "")
        if isinstance(self.__cause__, Violation):
            text += f", because of the peer: {self.__cause__}"
        return text

    @property
    def code(self) -> int:
        """The code of the peer's Close."""
        return 1006 if self.rcvd is None else self.rcvd.code

    @property
    def reason(self) -> str:
        """The reason of the peer's Close."""
        return "" if self.rcvd is None else self.rcvd.reason

    @property
    def sent_code(self) -> Optional[int]:
        """The code of our Close."""
        return None if self.sent is None else self.sent.code


class ConnectionClosedOK(ConnectionClosed):
    """Closed in order: with 1000 or 1001, or without a code."""


class ConnectionClosedError(ConnectionClosed):
    """Closed with another code, or without a Close. ``__cause__`` has the peer's violation, if there was one."""
