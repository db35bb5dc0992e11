"""What a protocol object has to tell: light records, one for each piece of data or control frame."""

from __future__ import annotations

from typing import NamedTuple, Union

from .http import Request, Response

__all__ = ["Close", "Data", "Event", "Ping", "Pong", "Request", "Response", "View"]


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
