"""Sending: messages, their parts, Pings, Pongs and the Close become frames that wait to be written."""

from __future__ import annotations

import codecs
import ctypes
from ctypes import c_char_p, c_void_p
from typing import Any, Callable, Final, List, Optional, Union

from . import _library as abi
from ._arguments import bytes_like, flag, text_or_bytes, utf8, wrong_type
from ._library import FIN, lib
from ._receiving import Receiving
from ._scratch import OUT_LENGTH, OUT_SIZE, RESULTS, RESULTS_AT, Scratch, borrowed, local
from ._standing import BytesLike, State

__all__ = ["Sending"]

#: From this length on, in bytes, a server's payload is sent from where it lies.
LARGE = 16 * 1024
#: Up to this length, in bytes, a message that leaves alone is one piece with its header: a copy costs less than a second
#: piece to be written.
ONE_PIECE = 64 * 1024

_send = lib.embws_session_send
_send_frame = lib.embws_session_send_frame
_send_header = lib.embws_session_send_header
_sent_payload = lib.embws_session_sent
_WRITTEN: Final = abi.WRITTEN
_unpack_results = RESULTS.unpack_from
_decoder = codecs.getincrementaldecoder("utf-8")


class Sending(Receiving):
    """The sending end of a protocol object."""

    __slots__ = ("_checker",)

    def __init__(self, max_size: Optional[int]) -> None:
        super().__init__(max_size)
        # Of a text that is sent in parts: they may be cut within a character, and all of them must be UTF-8 (rule 94).
        self._checker: Optional[codecs.IncrementalDecoder] = None

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
        if fin is False:
            self._checker = _decoder()

    def send_binary(self, data: BytesLike, fin: bool = True) -> None:
        """Sends a binary message, or the next part of one, as send_text() does. A server's payload of more than 16 KiB of
        bytes is not copied: buffers_to_send() gives it as it is."""
        if type(data) is not bytes:
            if isinstance(data, str):
                raise TypeError("data must be bytes-like, not str; for str there is send_text()")
            data = bytes_like(data, "data")
        self._send(abi.BINARY, fin, data)
        if fin is False:
            self._checker = None

    def send_continuation(self, data: BytesLike, fin: bool = True) -> None:
        """Sends the next part of the message that is open, of either kind: of text it is UTF-8, which may be cut anywhere.
        Raises as send_text() does, and StateError if no message is open."""
        payload = bytes_like(data, "data")
        if self._checker is None:
            self._send(abi.CONTINUATION, fin, payload)
        else:
            self._send_checked(self._checker, abi.CONTINUATION, fin, payload, "data")

    def _send_encoded(self, text: BytesLike, fin: bool, name: str) -> None:
        """The same as send_text() for a text that is UTF-8 already; a first part may be cut anywhere."""
        self._send_checked(_decoder(), abi.TEXT, fin, bytes_like(text, name), name)

    def _send_checked(
        self, checker: codecs.IncrementalDecoder, opcode: int, fin: bool, payload: bytes, name: str
    ) -> None:
        before = checker.getstate()
        try:
            checker.decode(payload, fin)
            self._send(opcode, fin, payload)
        except UnicodeDecodeError as error:
            checker.setstate(before)
            raise ValueError(f"{name} is no UTF-8, and the message is text: {error}") from None
        except BaseException:
            checker.setstate(before)
            raise
        self._checker = None if fin else checker

    def _send(self, opcode: int, fin: bool, payload: bytes) -> None:
        if self._eof:
            raise self.close_exc
        n = len(payload)
        if n > LARGE and (n > OUT_SIZE - 14 or not self._client):
            with borrowed() as scratch:
                self._send_large(scratch, opcode, fin, payload)
            return
        if fin is True:
            opcode |= FIN
        elif fin is not False:
            wrong_type(fin, "fin", "bool")
        if (frame := self._frame(opcode, payload, n)) is not None:
            self._out.append(frame)

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
        if n > ONE_PIECE or self._out or self._eof:
            return None
        frame = self._frame(opcode, payload, n)
        return self.data_to_send() if frame is None else frame

    def _frame(self, first: int, payload: bytes, n: int) -> Optional[bytes]:
        """The frame with that first byte and a payload of n bytes; None if what was written waits to be sent already."""
        scratch = local.scratch
        if scratch.busy:
            scratch = Scratch()
        try:
            scratch.busy = True
            status = _send_frame(self._argument, scratch.io_address, first, payload, n)
            if status == _WRITTEN:
                return scratch.out[: scratch.sizes[OUT_LENGTH]]  # type: ignore[no-any-return]
            self._sent(scratch, status)
        finally:
            scratch.busy = False
        return None

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
                raise self.close_exc
            abi.refuse(status)

    def _send_large(self, scratch: Scratch, opcode: int, fin: bool, payload: bytes) -> None:
        """Sends one frame whose payload is not copied by a server, and is masked piece by piece by a client."""
        n, last = len(payload), int(flag(fin, "fin"))
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
            raise self.close_exc
        with borrowed() as scratch:
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
        with borrowed() as scratch:
            status = lib.embws_session_close(self._argument, scratch.io_address, code or 0, text, len(text))
            if status in (abi.ERR_CLOSE_SENT, abi.ERR_FAILED) or (
                status == abi.ERR_STATE and self._state >= State.CLOSING
            ):
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
