"""The parts of one message, as they come: what recv_streaming() gives."""

from __future__ import annotations

import codecs
import collections
import io
from typing import Deque, List, Optional

from ._connection import Held, Message
from .events import Data
from .exceptions import Violation
from .protocol import Protocol

__all__ = ["Parts"]


class Parts:
    """Takes the next message from a protocol object piece by piece, and what follows it as whole messages."""

    def __init__(self, protocol: Protocol, decode: Optional[bool]) -> None:
        self._protocol, self._decode = protocol, decode
        self._queue: Deque[Data] = collections.deque()
        begun = protocol._parts
        if begun is not None:  # what messages() has put together of it is the first part, and not its any more
            self._queue.append(Data(begun.getvalue(), protocol._text, True, False))
            protocol._parts, protocol._skip = None, True
        self._begun = begun is not None
        self._swallowed: List[Data] = []  # parts that had nothing to show, as long as none had
        self._decoder: Optional[codecs.IncrementalDecoder] = None
        self._given = False
        #: The last part has not come yet.
        self.open = True
        #: The last part was given.
        self.done = False

    def __len__(self) -> int:
        """How many parts wait to be given."""
        return len(self._queue)

    def take(self, messages: Deque[Message], drop: bool = False) -> Held:
        """The same as take_messages(), while ``open``; ``drop`` says that nobody will ask for the parts."""
        protocol = self._protocol
        held, protocol._held = protocol._held, b""
        try:
            for event in protocol.events():
                if isinstance(event, Data):
                    if not (self._begun or event.first):
                        continue  # of a message that was left early
                    self._begun = True
                    if not drop:
                        self._queue.append(event)
                    if event.last:
                        self.open = False
                        break
            if not self.open:
                messages.extend(protocol.messages())
        except Violation as failure:
            # The protocol object keeps the exception, and its traceback would keep the connection alive.
            failure.__traceback__ = None
        return held

    def give(self) -> Optional[Message]:
        """The next part, in the type that is wanted; None if it has nothing to show, such as half a character. There
        has to be one."""
        event = self._queue.popleft()
        data = event.data
        self.done = event.last
        if event.text if self._decode is None else self._decode:
            if not isinstance(data, str):
                if self._decoder is None:
                    self._decoder = codecs.getincrementaldecoder("utf-8")()
                try:
                    data = self._decoder.decode(data, event.last)
                except UnicodeDecodeError:
                    self._given = True  # that it is none
                    raise
        elif isinstance(data, str):
            data = data.encode()
        if not data and (self._given or not event.last):
            if not self._given:
                self._swallowed.append(event)
            return None
        self._given = True
        return data

    def give_back(self, messages: Deque[Message]) -> None:
        """Nobody wants the parts any more. If none was given it is as if they had not been asked for: what has come of
        the message is received as a whole. Else the rest is passed over, and the protocol object sees to that."""
        events = [*self._swallowed, *self._queue]
        if self._given or not events:
            return
        text = events[0].text
        whole = b"".join(event.data.encode() if isinstance(event.data, str) else event.data for event in events)
        if not self.open:
            messages.appendleft(whole.decode() if text else whole)
        else:
            self._protocol._parts, self._protocol._skip, self._protocol._text = io.BytesIO(), False, text
            self._protocol._parts.write(whole)
