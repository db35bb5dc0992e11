"""Taking what arrives: bytes go to the library, and what it finds in them to where _received.py keeps it."""

from __future__ import annotations

import ctypes
import marshal
from operator import length_hint
from typing import Any, Final, List, Optional, Union

from . import _library as abi
from ._arguments import view_of, wrong_type
from ._library import EVENT, lib
from ._received import Message, Payload, Received
from ._scratch import (
    COMMON,
    CONTROL_AT,
    EVENTS,
    IN_SIZE,
    INPUT,
    INPUT_AT,
    ONE_AND_OPEN,
    RESULTS,
    RESULTS_AT,
    Scratch,
    borrowed,
    inbox,
    local,
)
from ._standing import BytesLike, State
from .exceptions import InternalError, InvalidHandshake, InvalidStatus, ProtocolError, StateError, Violation

__all__ = ["Receiving"]

#: How much of a refusal's body is kept, at least, in bytes.
MOST_BODY = 16 * 1024

_receive = lib.embws_session_receive
_receive_batch = lib.embws_session_receive_batch
_BATCH: Final = abi.BATCH
_loads = marshal.loads
_unpack_results = RESULTS.unpack_from
_unpack_common = COMMON.unpack_from
_pack_input = INPUT.pack_into
_unpack_event = EVENT.unpack_from


class Receiving(Received):
    """The receiving end of a protocol object, as the transport sees it."""

    __slots__ = ()

    def receive_data(self, data: BytesLike) -> None:
        """Takes bytes that have arrived, any number of them. What they hold is given by events(), messages() or views(). The
        bytes are copied: ``data`` is not changed, and not needed any more.

        A violation of the peer does not raise here but where the events are taken, behind those that came before it.
        What comes before accept() or reject() is kept: do not read on until you have called one of them.

        Raises TypeError, StateError after receive_eof(), and ForkError in the child of a fork.
        """
        if type(data) is bytes and (n := len(data)) <= IN_SIZE and not self._blocked:
            scratch = local.scratch
            if scratch.busy:
                scratch = Scratch()
            try:
                scratch.busy = True
                status = _receive_batch(self._argument, scratch.batch_address, data, n)
                if status == _BATCH:
                    self._pending.append(_loads(scratch.list_view))
                else:
                    self._take_all(scratch, n, status)
            finally:
                scratch.busy = False
            return
        self._feed_all(view_of(data, "data"))

    def receive_in_place(self, buffer: Union[bytearray, memoryview]) -> None:
        """Takes bytes that have arrived in memory of yours, all of ``buffer``, and unmasks them there, without a copy.

        views() gives the payloads where they lie, so leave the memory alone as long as you use those, and until events()
        or messages(), which copy, have given what they hold. That pays for large payloads; for short ones receive_data()
        is faster. Raises as that does, and TypeError if ``buffer`` cannot be written to, or is not in a row.
        """
        try:
            view = memoryview(buffer)
        except TypeError:
            wrong_type(buffer, "buffer", "a bytearray, or a memoryview of memory that can be written to")
        if view.readonly or not view.c_contiguous:
            raise TypeError("buffer must be memory that can be written to, in a row; receive_data() takes any")
        view = view.cast("B")
        n = len(view)
        if n == 0:
            return
        if self._blocked and (self._held or self._eof or self._failure is not None):
            self._hold(view)
            return
        address, at = ctypes.addressof(ctypes.c_char.from_buffer(view)), 0
        with borrowed() as scratch:
            while at < n:
                _pack_input(scratch.io_view, INPUT_AT, address + at, n - at)
                at = self._take(scratch, view, at, n, _receive(self._argument, scratch.io_address))

    def _feed_all(self, data: memoryview) -> None:
        """Takes any number of bytes."""
        with borrowed() as scratch:
            for at in range(0, len(data), IN_SIZE):
                piece = data[at : at + IN_SIZE]
                scratch.in_view[: len(piece)] = piece
                if (found := self._feed(scratch, len(piece))) is not None:
                    self._pending.append(found)

    def get_buffer(self, sizehint: int = -1) -> memoryview:
        """Memory to receive into, 128 KiB whatever the hint, without a copy: then call buffer_updated(), on the same thread,
        before anything else is received there. It belongs to the thread. (That is what asyncio.BufferedProtocol does.)"""
        return inbox().in_view

    def buffer_updated(self, nbytes: int) -> None:
        """Takes the first ``nbytes`` bytes of get_buffer(). Raises as receive_data() does, and ValueError."""
        if type(nbytes) is not int:
            wrong_type(nbytes, "nbytes", "int")
        if not 0 <= nbytes <= IN_SIZE:
            raise ValueError(f"nbytes is {nbytes}; get_buffer() has {IN_SIZE} bytes")
        memory = inbox()
        try:
            memory.busy = True
            if (found := self._feed(memory, nbytes)) is not None:
                self._pending.append(found)
        finally:
            memory.busy = False

    def _feed(self, scratch: Scratch, n: int) -> Optional[List[Message]]:
        """Takes the first n bytes of the scratch memory. If they are whole messages and nothing else, those are returned
        and all is done. Else what was found is pending."""
        if self._blocked:
            if self._held or self._eof or self._failure is not None:
                self._hold(scratch.in_view[:n])
                return None
            self._blocked = False
        status = _receive_batch(self._argument, scratch.batch_address, None, n)
        if status == _BATCH:
            return _loads(scratch.list_view)  # type: ignore[no-any-return]
        return self._take_all(scratch, n, status, give=True)

    def _take_all(self, scratch: Scratch, n: int, status: int, give: bool = False) -> Optional[List[Message]]:
        """Takes the results of a call with n bytes, and goes on until all of them were looked at. With ``give`` a long
        message, if there is nothing else, is returned; else it is pending, as what it is for views()."""
        if n == 0:
            return None
        if status == abi.OK:
            eaten, out_length, where, rest, start, length, kind, flags = _unpack_common(scratch.io_view, RESULTS_AT)
            if where == ONE_AND_OPEN and rest == 0 and kind < 3 and eaten == n and out_length == 0:
                # A piece of a message, or a long one.
                view = scratch.in_view[start : start + length]
                if give and flags & abi.WHOLE_MESSAGE == abi.WHOLE_MESSAGE:
                    return [str(view, "utf-8") if kind == abi.TEXT else view.tobytes()]
                if self._parts is None or self._pending or flags & abi.MESSAGE_START or length_hint(self._left):
                    self._pending.append((view.tobytes(), kind, flags, 0))
                    return None
                self._parts.write(view)  # where messages() would have put it, with one copy less
                if flags & abi.MESSAGE_END:
                    whole, self._parts = self._parts.getvalue(), None
                    self._pending.append([whole.decode() if kind == abi.TEXT else whole])
                return None
        at = self._take(scratch, scratch.in_view, 0, n, status)
        while at < n:
            _pack_input(scratch.io_view, INPUT_AT, scratch.in_address + at, n - at)
            at = self._take(scratch, scratch.in_view, at, n, _receive(self._argument, scratch.io_address))
        return None

    def _take(self, scratch: Scratch, memory: memoryview, at: int, n: int, status: int) -> int:
        """Takes the results of a call with the input from ``at`` to ``n`` in ``memory``; returns where to go on, or n."""
        if -20 < status < 0:
            abi.refuse(status)
        eaten, out_length, _, found, state, more, peer_code, sent_code, control = _unpack_results(
            scratch.io_view, RESULTS_AT
        )
        if found:
            self._found(scratch, memory, at, eaten, found, control)
        if out_length:
            self._out.append(scratch.out_view[:out_length].tobytes())
        at += eaten
        if state != self._state or peer_code or sent_code:
            self._moved(state, peer_code, sent_code)
        if more:
            self._flush(scratch)
        if status:
            self._failed(status, memory[at:n].tobytes())
            return n
        if at < n and 0 < found < EVENTS and control == 0 and not self._opening(found):
            # A Close, or a violation: see Received. (With a control frame that was kept, it can also be that the memory
            # for one more is needed.)
            self._held, self._blocked = bytearray(memory[at:n]), True
            return n
        if eaten == 0 and found == 0:
            raise InternalError("the library made no progress")
        return at

    def _opening(self, found: int) -> bool:
        """Whether the last thing that was found is a handshake's head: frames follow it at once."""
        return found == 1 and type(self._pending[-1]) is tuple and len(self._pending[-1]) == 1

    def _hold(self, data: memoryview) -> None:
        """Keeps what cannot be looked at yet, or drops what nobody will look at."""
        if self._eof:
            raise StateError("receive_data() after receive_eof()")
        if self._failure is not None:
            if isinstance(self._failure, InvalidStatus) and len(self._failure.response.body) < MOST_BODY:
                self._failure.response.body += data
            return
        if type(self._held) is bytes:
            self._held = bytearray(self._held)
        self._held += data

    def _release(self) -> bool:
        if not self._held or self._state == State.CONNECTING:
            return False
        held, self._held = self._held, b""
        self._feed_all(memoryview(held))
        return True

    def _found(self, scratch: Scratch, memory: memoryview, at: int, eaten: int, found: int, control: int) -> None:
        """Notes the events of a call. What lies in scratch memory is copied, for that belongs to the next call."""
        kept = scratch.io_view[CONTROL_AT : CONTROL_AT + control].tobytes()
        if found > 1:
            events = scratch.events_view[: found * abi.EVENT_SIZE].tobytes()
            blob = memory[at : at + eaten]
            self._pending.append((blob.tobytes() if memory is scratch.in_view else blob, events, kept))
            return
        start, _, length, kind, flags, code = _unpack_event(scratch.events_view)
        if kind == abi.HANDSHAKE:
            self._state = int(State.OPEN) if self._client else int(State.CONNECTING)
            self._pending.append((self._handshake_done(),))
            return
        start += at
        payload: Payload = kept
        if not flags & abi.KEPT:
            view = memory[start : start + length]
            payload = view.tobytes() if memory is scratch.in_view else view
        self._pending.append((payload, kind, flags, code))

    def _failed(self, status: int, rest: bytes) -> None:
        """Notes why nothing more can be received."""
        self._blocked = True
        if status == abi.ERR_STATE and self._state == State.CONNECTING:
            self._held = bytearray(rest)  # accept() or reject() is awaited
            return
        if self._failure is not None:
            return
        if status > abi.FIRST_VIOLATION:
            abi.refuse(status)
        of = abi.failure(self._handle)
        text = abi.describe(of)
        for name in ("max_frame", "max_message"):
            text = text.replace(name, f"max_size, {self._max_size} bytes")
        told = text, of.rule, abi.section(of), of.offset, of.close_code
        if status == abi.ERR_STATUS:
            self._failure = self._refusal(rest, of)
        elif self.opened:
            self._failure = ProtocolError(*told, bytes(of.header[: of.header_length]))
        else:
            self._failure = InvalidHandshake(*told)

    def _refusal(self, rest: bytes, of: abi.Failure) -> Violation:
        raise NotImplementedError

    def _handshake_done(self) -> Any:
        raise NotImplementedError

    def receive_eof(self) -> None:
        """Tells that the transport has ended. If the peer had not closed, close_code is 1006 from now on."""
        if self._eof:
            return
        while self._release():
            pass
        self._held = b""  # behind a request that nobody can answer any more
        status = lib.embws_session_end(self._handle)
        if -20 < status < 0:
            abi.refuse(status)
        self._eof = self._blocked = True
        if self._failure is None and status == abi.ERR_HANDSHAKE_CUT_SHORT:
            self._failure = InvalidHandshake(abi.message(status), 38, "RFC 6455 4.1")
        if not self._peer_code:
            self._peer_code = 1006
        self._state = int(State.CLOSED)
