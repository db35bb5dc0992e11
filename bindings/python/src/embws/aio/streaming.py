"""What recv_streaming() gives on asyncio: a message in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from .._connection import Message, converted
from .._parts import Parts

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["Streaming"]


class Streaming:
    """An asynchronous iterator of the parts of one message. (An asynchronous generator that is left early ends later, by a
    task of the event loop, and until then nobody could receive.)"""

    def __init__(self, connection: "Connection", decode: Optional[bool]) -> None:
        self._connection, self._decode = connection, decode
        self._begun = self._done = False

    def __aiter__(self) -> "Streaming":
        return self

    async def __anext__(self) -> Message:
        connection = self._connection
        if self._done:
            raise StopAsyncIteration
        if not self._begun:
            if connection._receiver is not None or connection._streaming:
                raise connection._concurrent()
            connection._streaming = self._begun = True
        try:
            while True:
                if connection._parts is None and connection._messages:
                    message = connection._messages.popleft()
                    self._end()
                    return message if self._decode is None else converted(message, self._decode)
                if connection._parts is None:
                    connection._parts = Parts(connection.protocol, self._decode)
                parts = connection._parts
                if not parts:
                    await connection._wait_for(parts)
                part = parts.give()
                if parts.done:
                    self._end()
                else:
                    connection._took()
                if part is not None:
                    return part
                if self._done:
                    raise StopAsyncIteration
        except BaseException:
            self._end()
            raise

    async def aclose(self) -> None:
        """Ends it, as leaving the loop does: the rest of the message is passed over."""
        self._end()

    def _end(self) -> None:
        if not self._begun or self._done:
            self._done = True
            return
        self._done, connection = True, self._connection
        parts, connection._parts, connection._streaming = connection._parts, None, False
        if parts is not None:
            parts.give_back(connection._messages)
        connection._took()

    def __del__(self) -> None:
        self._end()
