"""What a protocol object has received and its user has not taken yet: events, whole messages, or views."""

from __future__ import annotations

import io
from collections import deque
from operator import length_hint
from typing import Any, Deque, Iterator, Optional, Tuple, Union

from . import _library as abi
from ._library import EVENT
from ._standing import Standing
from .events import Close, Data, Event, Ping, Pong, View

__all__ = ["Message", "Payload", "Received"]

#: Text, or binary data.
Message = Union[str, bytes]
#: What a piece is kept as.
Payload = Union[bytes, memoryview]

_iterate_events = EVENT.iter_unpack
_new_data: Any = tuple.__new__  # a NamedTuple is made faster so than by its own __new__


class Received(Standing):
    """The receiving end of a protocol object, as its user sees it."""

    __slots__ = ("_blocked", "_held", "_left", "_parts", "_pending", "_skip", "_text")

    def __init__(self, max_size: Optional[int]) -> None:
        super().__init__(max_size)
        # What was received, in one of four forms: a list of whole messages; (event,) of a Request or Response;
        # (payload, kind, flags, code) of a piece or a control frame; (bytes, events, control) of a call that found several.
        self._pending: Deque[Any] = deque()
        # What an iterator still has that was given out, and may have been left early.
        self._left: Any = iter(())
        # Bytes that wait: for accept() or reject(); or, when they begin with a Close or with what breaks a rule, for the
        # events before it to be taken, because behind it none of them can be answered.
        self._held: Union[bytes, bytearray] = b""
        # Set with that, with a failure and at the end of the transport, and reset when something is received without any.
        self._blocked = False
        self._parts: Optional[io.BytesIO] = None  # of a message that messages() puts together
        self._text = False  # which is text
        self._skip = False  # a message of which events() has given a part

    def _unfinished(self) -> int:
        """How many bytes messages() has put together of a message that is not complete."""
        return 0 if self._parts is None else self._parts.tell()

    def _pass_over(self) -> None:
        """Drops those, and the rest of that message when it comes."""
        if self._parts is not None:
            self._parts, self._skip = None, True

    def _release(self) -> bool:
        """Takes the bytes that were held; returns whether there were any that could be taken now."""
        raise NotImplementedError

    def _fail(self) -> None:
        """Raises the violation, if there was one; without the traces of those who saw it before."""
        if self._failure is not None:
            raise self._failure.with_traceback(None)

    # -- Events ---------------------------------------------------------------------------------------------------

    def events(self) -> Iterator[Event]:
        """Gives what was received, in order: Request or Response, Data, Ping, Pong, Close. Each is given once; a loop that
        is left early is gone on with by the next call.

        A violation of the peer is raised behind the last event, as ProtocolError or InvalidHandshake, and again by every
        further call; data_to_send() has the Close that tells the peer.
        """
        pending = self._pending
        if len(pending) == 1 and not self._blocked and not length_hint(self._left):
            messages = pending.popleft()
            if type(messages) is list:
                if len(messages) == 1:
                    (message,) = messages
                    left = iter((_new_data(Data, (message, type(message) is str, True, True)),))
                else:
                    left = iter([_new_data(Data, (message, type(message) is str, True, True)) for message in messages])
                self._left = left
                return left
            pending.append(messages)
        return self._events()

    def _events(self) -> Iterator[Event]:
        pending = self._pending
        while True:
            left = self._left
            for item in left:
                yield Data(item, isinstance(item, str), True, True) if isinstance(item, (str, bytes)) else item
            if self._left is not left:
                continue  # another iterator has left something
            if not pending:
                if self._release():
                    continue
                break
            record = pending.popleft()
            if type(record) is list:
                self._left = iter(record)
            elif len(record) == 1:
                yield record[0]
            elif len(record) == 4:
                yield self._event(*record)
            else:
                self._unfold(*record)
        self._fail()

    def _unfold(self, blob: Payload, events: bytes, control: bytes) -> None:
        """Puts the events of one call, which lie in ``blob``, one by one before what else is pending: each is made when it
        is taken, because what messages() does with the rest depends on it."""
        self._pending.extendleft(
            (control if flags & abi.KEPT else blob[at : at + n], kind, flags, code)
            for at, _, n, kind, flags, code in reversed(list(_iterate_events(events)))
        )

    def _event(self, payload: Payload, kind: int, flags: int, code: int) -> Event:
        if kind == abi.TEXT or kind == abi.BINARY:
            payload, first, last = self._began(payload, flags)
            if kind == abi.TEXT and first and last:
                return Data(str(payload, "utf-8"), True, True, True)
            return Data(bytes(payload), kind == abi.TEXT, first, last)
        if kind == abi.PING:
            return Ping(bytes(payload))
        if kind == abi.PONG:
            return Pong(bytes(payload))
        return Close(code, str(payload[2:], "utf-8"))

    def _began(self, payload: Payload, flags: int) -> Tuple[Payload, bool, bool]:
        """Notes that a piece is given, and not put together: behind what messages() has put together of its message. Gives
        it, and whether its message begins and ends with it."""
        first, last = flags & abi.MESSAGE_START != 0, flags & abi.MESSAGE_END != 0
        if self._parts is not None and not first:
            payload, first = self._parts.getvalue() + bytes(payload), True
        self._skip, self._parts = not last, None
        return payload, first, last

    # -- Views ----------------------------------------------------------------------------------------------------

    def views(self) -> Iterator[Union[Event, View]]:
        """Gives what events() gives, but each Data as a View: a memoryview of the payload where it lies. Each is given
        once, and a violation is raised, as by events()."""
        pending = self._pending
        while True:
            left = self._left
            for item in left:
                yield self._view(item)
            if self._left is not left:
                continue  # another iterator has left something
            if pending and type(pending[0]) is tuple and len(pending[0]) == 4 and pending[0][1] < 3:
                payload, kind, flags, _ = pending.popleft()
                payload, first, last = self._began(payload, flags)
                yield View(memoryview(payload), kind == abi.TEXT, first, last)
            elif pending and type(pending[0]) is tuple and len(pending[0]) == 3:
                self._unfold(*pending.popleft())
            elif pending and type(pending[0]) is list:
                self._left = iter(pending.popleft())
            elif pending:
                record = pending.popleft()
                yield record[0] if len(record) == 1 else self._event(*record)
            elif not self._release():
                break
        self._fail()

    def _view(self, item: Union[Event, Message]) -> Union[Event, View]:
        """The same for what events() or messages() has prepared and not given."""
        if isinstance(item, (str, bytes)):
            item = Data(item, isinstance(item, str), True, True)
        if not isinstance(item, Data):
            return item
        data = item.data.encode() if isinstance(item.data, str) else item.data
        return View(memoryview(data), item.text, item.first, item.last)

    # -- Messages -------------------------------------------------------------------------------------------------

    def messages(self) -> Iterator[Message]:
        """Gives the whole messages that were received: text as str, binary data as bytes. What is not of a message is
        passed over; a Close shows in ``state`` and ``close_code``. Each is given once, and a violation is raised, as by
        events().

        Of a message that events() has begun to give, the rest is passed over.
        """
        pending = self._pending
        if len(pending) == 1 and not self._blocked and not length_hint(self._left):
            messages = pending.popleft()
            if type(messages) is list:
                whole: Iterator[Message] = iter(messages)
                self._left = whole
                return whole
            pending.append(messages)
        return self._messages()

    def _messages(self) -> Iterator[Message]:
        pending = self._pending
        while True:
            left = self._left
            for item in left:
                if not isinstance(item, tuple):
                    yield item
                elif type(item) is Data and (message := self._assemble_data(item)) is not None:
                    yield message
            if self._left is not left:
                continue  # another iterator has left something
            if not pending:
                if self._release():
                    continue
                break
            record = pending.popleft()
            if type(record) is list:
                self._left = iter(record)
            elif len(record) == 3:
                self._unfold(*record)
            elif len(record) == 4:
                payload, kind, flags, _ = record
                if kind < 3 and (message := self._assemble(payload, kind, flags)) is not None:
                    yield message
        self._fail()

    def _assemble(self, payload: Payload, kind: int, flags: int) -> Optional[Message]:
        """Puts a message together, in one buffer that becomes the message: BytesIO gives it away without a copy."""
        if flags & abi.WHOLE_MESSAGE == abi.WHOLE_MESSAGE:
            self._skip = False
            return str(payload, "utf-8") if kind == abi.TEXT else bytes(payload)
        if flags & abi.MESSAGE_START:
            self._parts, self._skip, self._text = io.BytesIO(), False, kind == abi.TEXT
        parts = self._parts
        if parts is None or self._skip:  # events() has given the first part
            self._skip = not flags & abi.MESSAGE_END
            return None
        parts.write(payload)
        if not flags & abi.MESSAGE_END:
            return None
        whole, self._parts = parts.getvalue(), None
        return whole.decode() if kind == abi.TEXT else whole

    def _assemble_data(self, data: Data) -> Optional[Message]:
        """The same for an event that was made, and not taken."""
        if data.whole:
            return data.data
        flags = (abi.MESSAGE_START if data.first else 0) | (abi.MESSAGE_END if data.last else 0)
        payload = data.data.encode() if isinstance(data.data, str) else data.data
        return self._assemble(payload, abi.TEXT if data.text else abi.BINARY, flags)
