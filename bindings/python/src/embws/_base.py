"""The protocol object: bytes in, bytes to send, state. What comes out of it is in _received.py."""

from __future__ import annotations

import ctypes
import enum
import marshal
from ctypes import byref, c_char_p, c_size_t, c_void_p
from typing import Any, Callable, Final, List, NoReturn, Optional, Union

from . import _library as abi
from ._arguments import bytes_like, text_or_bytes, utf8, view_of, wrong_type
from ._library import EVENT, FIN, lib
from ._received import Message, Payload, Received
from ._scratch import (
    COMMON,
    CONTROL_AT,
    EVENTS,
    IN_SIZE,
    INPUT,
    INPUT_AT,
    ONE_AND_OPEN,
    OUT_LENGTH,
    OUT_SIZE,
    RESULTS,
    RESULTS_AT,
    Scratch,
    local,
)
from .events import Close
from .exceptions import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InternalError,
    InvalidHandshake,
    InvalidStatus,
    ProtocolError,
    StateError,
    Violation,
)

__all__ = ["BytesLike", "Protocol", "State"]

BytesLike = Union[bytes, bytearray, memoryview]


class State(enum.IntEnum):
    """Where a connection stands, in the order in which it passes."""

    CONNECTING = 1  #: the peer's head is awaited, or accept() or reject()
    OPEN = 3  #: messages go both ways
    CLOSING = 4  #: one end has sent its Close
    CLOSED = 5  #: both have, or an HTTP answer ended the connection, or the transport has ended
    FAILED = 6  #: the peer broke a rule: send what is due, stop, drain, close the transport


#: How much of a refusal's body is kept, at least, in bytes.
MOST_BODY = 16 * 1024
#: From this length on, in bytes, a server's payload is sent from where it lies.
LARGE = 16 * 1024

_receive = lib.embws_session_receive
_receive_batch = lib.embws_session_receive_batch
_send = lib.embws_session_send
_send_frame = lib.embws_session_send_frame
_send_header = lib.embws_session_send_header
_sent_payload = lib.embws_session_sent
_BATCH: Final = abi.BATCH
_WRITTEN: Final = abi.WRITTEN
_loads = marshal.loads
_unpack_results = RESULTS.unpack_from
_unpack_common = COMMON.unpack_from
_pack_input = INPUT.pack_into
_unpack_event = EVENT.unpack_from


class Protocol(Received):
    """What both ends have in common: all but the handshake.

    It has one user at a time: not two threads at once, and not a signal handler of Python that interrupts a call.
    """

    __slots__ = (
        "__weakref__",
        "_argument",
        "_client",
        "_eof",
        "_handle",
        "_max_size",
        "_out",
        "_peer_code",
        "_peer_first",
        "_reason",
        "_sent_code",
        "_sent_reason",
        "_state",
        "subprotocol",
    )

    #: The subprotocol that was agreed on, or None.
    subprotocol: Optional[str]

    def __init__(self, max_size: Optional[int]) -> None:
        super().__init__()
        self._handle = c_void_p()
        self._out: List[BytesLike] = []
        self._state = int(State.CONNECTING)
        self._peer_code = self._sent_code = 0
        self._reason = self._sent_reason = ""
        self._peer_first = False
        self._eof = False
        self._client = False
        self._max_size = max_size
        self.subprotocol = None

    def _made(self, status: int) -> None:
        """Takes the new handle, or raises why there is none."""
        if status != abi.OK:
            abi.refuse(status)
        # The handle as an argument that ctypes takes as it is: what it points to is never looked at.
        self._argument = byref(ctypes.c_char.from_address(self._handle.value or 0))

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle and lib is not None and not abi.forked():
            lib.embws_session_free(handle)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} cannot be copied or pickled: it is one end of a connection")

    # -- Receiving ------------------------------------------------------------------------------------------------

    def receive_data(self, data: BytesLike) -> None:
        """Takes bytes that have arrived, any number of them. What they hold is given by events(), messages() or views(). The
        bytes are copied: ``data`` is not changed, and not needed any more.

        A violation of the peer does not raise here but where the events are taken, behind those that came before it.
        What comes before accept() or reject() is kept: do not read on until you have called one of them.

        Raises TypeError, StateError after receive_eof(), and ForkError in the child of a fork.
        """
        if type(data) is bytes and (n := len(data)) <= IN_SIZE and not self._blocked:
            scratch = local.scratch
            status = _receive_batch(self._argument, scratch.batch_address, data, n)
            if status == _BATCH:
                self._pending.append(_loads(scratch.list_view))
            else:
                self._take_all(scratch, n, status)
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
        view, scratch = view.cast("B"), local.scratch
        n = len(view)
        if n == 0:
            return
        if self._blocked and (self._held or self._eof or self._failure is not None):
            self._hold(view)
            return
        address, at = ctypes.addressof(ctypes.c_char.from_buffer(view)), 0
        while at < n:
            _pack_input(scratch.io_view, INPUT_AT, address + at, n - at)
            at = self._take(scratch, view, at, n, _receive(self._argument, scratch.io_address))

    def _feed_all(self, data: memoryview) -> None:
        """Takes any number of bytes."""
        scratch = local.scratch
        for at in range(0, len(data), IN_SIZE):
            piece = data[at : at + IN_SIZE]
            scratch.in_view[: len(piece)] = piece
            if (found := self._feed(scratch, len(piece))) is not None:
                self._pending.append(found)

    def get_buffer(self, sizehint: int = -1) -> memoryview:
        """Memory to receive into, 128 KiB whatever the hint, without a copy: then call buffer_updated(), on the same thread,
        before anything else is received there. It belongs to the thread. (That is what asyncio.BufferedProtocol does.)"""
        return local.scratch.in_view

    def buffer_updated(self, nbytes: int) -> None:
        """Takes the first ``nbytes`` bytes of get_buffer(). Raises as receive_data() does, and ValueError."""
        if type(nbytes) is not int:
            raise TypeError(f"nbytes must be int, not {type(nbytes).__name__}")
        if not 0 <= nbytes <= IN_SIZE:
            raise ValueError(f"nbytes is {nbytes}; get_buffer() has {IN_SIZE} bytes")
        if (found := self._feed(local.scratch, nbytes)) is not None:
            self._pending.append(found)

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
        self._take_all(scratch, n, status)
        return None

    def _take_all(self, scratch: Scratch, n: int, status: int) -> None:
        """Takes the results of a call with n bytes, and goes on until all of them were looked at."""
        if n == 0:
            return
        if status == abi.OK:
            eaten, out_length, where, rest, start, length, kind, flags = _unpack_common(scratch.io_view, RESULTS_AT)
            if where == ONE_AND_OPEN and rest == 0 and kind < 3 and eaten == n and out_length == 0:
                # A piece of a message, or a long one.
                self._pending.append((scratch.in_view[start : start + length].tobytes(), kind, flags, 0))
                return
        at = self._take(scratch, scratch.in_view, 0, n, status)
        while at < n:
            _pack_input(scratch.io_view, INPUT_AT, scratch.in_address + at, n - at)
            at = self._take(scratch, scratch.in_view, at, n, _receive(self._argument, scratch.io_address))

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

    def _moved(self, state: int, peer_code: int, sent_code: int) -> None:
        """Notes where the connection stands."""
        if not self._eof:
            self._state = state if state > 2 else int(State.CONNECTING)
        if peer_code and not self._peer_code:
            self._peer_first = not self._sent_code
            self._peer_code = peer_code
            code, reason, length = ctypes.c_uint16(), ctypes.create_string_buffer(128), c_size_t()
            if lib.embws_session_peer_close(self._handle, byref(code), reason, 128, byref(length)) == abi.OK:
                self._reason = reason.raw[: length.value].decode()
        self._sent_code = sent_code

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
        told = abi.describe(of), of.rule, abi.section(of), of.offset, of.close_code
        if status == abi.ERR_STATUS:
            self._failure = self._refusal(rest, of)
        elif self.opened:
            self._failure = ProtocolError(*told, bytes(of.header[: of.header_length]))
        else:
            self._failure = InvalidHandshake(*told)

    @property
    def opened(self) -> bool:
        """Whether the opening handshake was completed, or done elsewhere: events() gives frames from then on."""
        raise NotImplementedError

    def _refusal(self, rest: bytes, of: abi.Failure) -> Violation:
        raise NotImplementedError

    def _handshake_done(self) -> Any:
        raise NotImplementedError

    def _flush(self, scratch: Scratch) -> None:
        """Takes what had no room in the scratch memory."""
        _pack_input(scratch.io_view, INPUT_AT, scratch.in_address, 0)
        more = 1
        while more:
            status = lib.embws_session_flush(self._argument, scratch.io_address)
            if status < 0:
                abi.refuse(status)
            _, out_length, _, _, state, more, peer_code, sent_code, _ = _unpack_results(scratch.io_view, RESULTS_AT)
            if out_length:
                self._out.append(scratch.out_view[:out_length].tobytes())
            elif more:
                break
            self._moved(state, peer_code, sent_code)

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
        if self._state != State.FAILED:
            self._state = int(State.CLOSED)

    # -- Sending --------------------------------------------------------------------------------------------------

    def send_text(self, text: str, fin: bool = True) -> None:
        """Sends a text message, as UTF-8, or the next part of one: ``fin`` says that it ends here.

        The frame is in data_to_send(); a client's is masked. Raises TypeError; ValueError for a surrogate; StateError before
        the handshake is done, or while a message of the other kind is unfinished; ConnectionClosed after either Close.
        """
        if not isinstance(text, str):
            raise TypeError(f"text must be str, not {type(text).__name__}; for bytes there is send_binary()")
        try:
            payload = str.encode(text)
        except UnicodeEncodeError:
            payload = utf8(text, "text")  # which tells better what is wrong
        self._send(abi.TEXT, fin, payload)

    def send_binary(self, data: BytesLike, fin: bool = True) -> None:
        """Sends a binary message, or the next part of one, as send_text() does. A server's payload of more than 16 KiB of
        bytes is not copied: buffers_to_send() gives it as it is."""
        if type(data) is not bytes:
            if isinstance(data, str):
                raise TypeError("data must be bytes-like, not str; for str there is send_text()")
            data = bytes_like(data, "data")
        self._send(abi.BINARY, fin, data)

    def send_continuation(self, data: BytesLike, fin: bool = True) -> None:
        """Sends the next part of the message that is open, of either kind: of text it is UTF-8, which may be cut anywhere.
        Raises as send_text() does, and StateError if no message is open."""
        self._send(abi.CONTINUATION, fin, bytes_like(data, "data"))

    def _send(self, opcode: int, fin: bool, payload: bytes) -> None:
        if self._eof:
            raise self._closed_exception()
        scratch = local.scratch
        n = len(payload)
        if n > LARGE and (n > OUT_SIZE - 14 or not self._client):
            self._send_large(scratch, opcode, fin, payload)
            return
        if fin is True:
            opcode |= FIN
        elif fin is not False:
            raise TypeError(f"fin must be bool, not {type(fin).__name__}")
        status = _send_frame(self._argument, scratch.io_address, opcode, payload, n)
        if status == _WRITTEN:
            self._out.append(scratch.out[: scratch.sizes[OUT_LENGTH]])
        else:
            self._sent(scratch, status)

    def _send_alone(self, message: Any) -> Optional[bytes]:
        """Sends a whole message if that is all that is to be sent, and gives its frame. None if it is not, or if it is
        another thing than a short str or bytes: then nothing was done."""
        if type(message) is bytes:
            opcode, payload = abi.BINARY | FIN, message
        elif type(message) is str:
            opcode, payload = abi.TEXT | FIN, utf8(message, "message")
        else:
            return None
        n = len(payload)
        if n > LARGE or self._out or self._eof:
            return None
        scratch = local.scratch
        status = _send_frame(self._argument, scratch.io_address, opcode, payload, n)
        if status == _WRITTEN:
            return scratch.out[: scratch.sizes[OUT_LENGTH]]  # type: ignore[no-any-return]
        self._sent(scratch, status)
        return self.data_to_send()

    def _sent(self, scratch: Scratch, status: int) -> None:
        """Takes what a sending call has written, and raises what it refused."""
        if -20 < status < 0:
            abi.refuse(status)
        _, out_length, _, _, state, more, peer_code, sent_code, _ = _unpack_results(scratch.io_view, RESULTS_AT)
        if out_length:
            self._out.append(scratch.out_view[:out_length].tobytes())
        if state != self._state:
            self._moved(state, peer_code, sent_code)
        if more:
            self._flush(scratch)
        if status < 0:
            if status in (abi.ERR_CLOSE_SENT, abi.ERR_CLOSE_SEEN, abi.ERR_FAILED):
                raise self._closed_exception()
            abi.refuse(status)

    def _send_large(self, scratch: Scratch, opcode: int, fin: bool, payload: bytes) -> None:
        """Sends one frame whose payload is not copied by a server, and is masked piece by piece by a client."""
        if fin is not True and fin is not False:
            raise TypeError(f"fin must be bool, not {type(fin).__name__}")
        n, last = len(payload), int(fin)
        scratch.number.value = n
        self._sent(scratch, _send_header(self._argument, scratch.io_address, opcode, last, scratch.number))
        if not self._client:
            self._out.append(payload)
            self._sent(scratch, _sent_payload(self._argument, scratch.io_address, scratch.number))
            return
        address = ctypes.cast(c_char_p(payload), c_void_p).value or 0
        at = 0
        while at < n:
            piece = min(n - at, OUT_SIZE)
            self._sent(scratch, _send(self._argument, scratch.io_address, opcode, last, c_char_p(address + at), piece))
            at += piece

    def ping(self, data: Union[BytesLike, str] = b"") -> None:
        """Sends a Ping of up to 125 bytes (RFC 6455 5.5.2), str as UTF-8. The peer's answer is a Pong with the same bytes.
        Raises TypeError, ValueError, StateError before the handshake is done, ConnectionClosed after either Close."""
        self._control(lib.embws_session_ping, data)

    def pong(self, data: Union[BytesLike, str] = b"") -> None:
        """Sends a Pong that was not asked for, or the answer to a Ping with ``manual_pong``. Raises as ping() does."""
        self._control(lib.embws_session_pong, data)

    def _control(self, call: Callable[..., int], data: Union[BytesLike, str]) -> None:
        payload = text_or_bytes(data, "data")
        if self._eof:
            raise self._closed_exception()
        scratch = local.scratch
        self._sent(scratch, call(self._argument, scratch.io_address, payload, len(payload)))

    def close(self, code: Optional[int] = 1000, reason: str = "") -> None:
        """Sends a Close (RFC 6455 5.5.1), with no code if that is None. Then nothing more can be sent; messages still come
        until the peer's Close. A reason of more than 123 bytes of UTF-8 is cut at the end of a character. A second Close is
        none, nor is one after the end: nothing happens. Raises TypeError; ValueError for a code that must not be sent, or
        a reason without one; StateError before the handshake is done."""
        if code is not None and (isinstance(code, bool) or not isinstance(code, int)):
            raise TypeError(f"code must be int or None, not {type(code).__name__}")
        if code is not None and not 0 < code < 65536:
            raise ValueError(f"code is {code}; a close code is 1000-1003, 1007-1014 or 3000-4999")
        text = utf8(reason, "reason")
        if self._eof:
            return
        scratch = local.scratch
        status = lib.embws_session_close(self._argument, scratch.io_address, code or 0, text, len(text))
        if status in (abi.ERR_CLOSE_SENT, abi.ERR_FAILED) or status == abi.ERR_STATE and self._state >= State.CLOSING:
            status = abi.OK
        elif status == abi.OK:
            self._sent_reason = text[:123].decode(errors="ignore")
        self._sent(scratch, status)

    def fail(self, code: int = 1011, reason: str = "") -> None:
        """Ends the connection because of an error: sends a Close if that is still possible, and expects the end."""
        if self._state == State.OPEN:
            self.close(code, reason)

    def data_to_send(self) -> bytes:
        """The bytes that are to be sent now, in this order; b"" if there are none. They are given once."""
        out = self._out
        if not out:
            return b""
        data = bytes(out[0]) if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    def buffers_to_send(self) -> List[BytesLike]:
        """The same in pieces, for ``transport.writelines()`` or ``socket.sendmsg()``: a server's large payload is not
        copied."""
        out, self._out = self._out, []
        return out

    # -- State ----------------------------------------------------------------------------------------------------

    @property
    def max_size(self) -> Optional[int]:
        """The largest message that is received, in bytes; None for no limit."""
        return self._max_size

    @property
    def state(self) -> State:
        """Where the connection stands."""
        return State(self._state)

    @property
    def close_code(self) -> Optional[int]:
        """The code of the peer's Close, 1005 if it has none, 1006 if the transport ended without one (RFC 6455 7.1.5);
        None while the connection goes on."""
        return self._peer_code or None

    @property
    def close_reason(self) -> Optional[str]:
        """The reason of the peer's Close (RFC 6455 7.1.6); None while the connection goes on."""
        return self._reason if self._peer_code else None

    @property
    def sent_code(self) -> Optional[int]:
        """The code of our Close, 1005 if it has none; None before it was sent."""
        return self._sent_code or None

    @property
    def failure(self) -> Optional[Violation]:
        """The violation of the peer that ended the connection, or None."""
        return self._failure

    def close_expected(self) -> bool:
        """Whether the transport is to be closed, or about to be by the peer, once data_to_send() was sent.

        A server closes at once; a client waits a little for the server to do so (RFC 6455 7.1.1)."""
        return self._state >= State.CLOSED or self._eof

    def _closed_exception(self) -> ConnectionClosed:
        received = Close(self._peer_code, self._reason) if self._peer_code not in (0, 1006) else None
        sent = Close(self._sent_code, self._sent_reason) if self._sent_code else None
        ok = received is not None and received.code in (1000, 1001, 1005)
        first = self._peer_first if received is not None and sent is not None else None
        error = (ConnectionClosedOK if ok else ConnectionClosedError)(received, sent, first)
        error.__cause__ = self._failure
        return error

    @property
    def close_exc(self) -> ConnectionClosed:
        """What to raise to who uses the connection after its end."""
        return self._closed_exception()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.name}>"
