"""What a protocol object has to tell: light records, one for each piece of data or control frame."""

from __future__ import annotations

import enum
from typing import NamedTuple, Union

from .http import Request, Response

__all__ = ["Close", "CloseCode", "Data", "Event", "Ping", "Pong", "Request", "Response", "View"]


class CloseCode(enum.IntEnum):
    """Close codes (RFC 6455 7.4.1, and the IANA registry). 3000 to 4999 are for libraries, frameworks and applications."""

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS_RCVD = 1005  #: never sent: a Close had no code
    ABNORMAL_CLOSURE = 1006  #: never sent: there was no Close
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015  #: never sent


class Data(NamedTuple):
    """A piece of a message, as it arrived; often a whole message.

    ``data`` is ``str`` in a text message and ``bytes`` in a binary one, but always ``bytes`` where ``whole`` is false,
    for a piece of text can end within a character.
    """

    data: Union[str, bytes]
    text: bool  #: it belongs to a text message
    first: bool  #: the message begins with it
    last: bool  #: the message ends with it

    @property
    def whole(self) -> bool:
        """It is all of its message."""
        return self.first and self.last


class View(NamedTuple):
    """The same piece without a copy, given by views(): ``data`` is UTF-8 in a text message, too.

    After receive_in_place() it lies in the memory that was given there, and stays as long as that is left alone. Of what
    came by receive_data() or get_buffer() it is memory of its own.
    """

    data: memoryview
    text: bool  #: it belongs to a text message
    first: bool  #: the message begins with it
    last: bool  #: the message ends with it

    @property
    def whole(self) -> bool:
        """It is all of its message."""
        return self.first and self.last


class Ping(NamedTuple):
    """A Ping of the peer. Its answer is in data_to_send() already, unless ``manual_pong`` is set."""

    data: bytes


class Pong(NamedTuple):
    """A Pong of the peer."""

    data: bytes


class Close(NamedTuple):
    """The peer's Close: it sends no more. ``code`` is 1005 if it has none."""

    code: int
    reason: str


#: What events() gives: a Request at a server and a Response at a client when the handshake's head is complete, and then
#: the frames.
Event = Union[Request, Response, Data, Ping, Pong, Close]
