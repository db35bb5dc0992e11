"""Where a protocol object stands: its handle, the state, the codes of both Closes."""

from __future__ import annotations

import ctypes
import enum
from ctypes import byref, c_size_t, c_void_p
from typing import List, NoReturn, Optional, Union

from . import _library as abi
from ._library import lib
from ._scratch import INPUT, INPUT_AT, RESULTS, RESULTS_AT, Scratch
from .events import Close
from .exceptions import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK, Violation

__all__ = ["BytesLike", "Standing", "State"]

BytesLike = Union[bytes, bytearray, memoryview]

_unpack_results = RESULTS.unpack_from
_pack_input = INPUT.pack_into


class State(enum.IntEnum):
    """Where a connection stands, in the order in which it passes: compare them by name or by <."""

    CONNECTING = 1  #: the peer's head is awaited, or accept() or reject()
    OPEN = 3  #: messages go both ways
    CLOSING = 4  #: one end has sent its Close
    CLOSED = 5  #: both have, or an HTTP answer ended the connection, or the transport has ended
    FAILED = 6  #: the peer broke a rule: send what is due, stop, drain, close the transport


class Standing:
    """A handle of the library, what it has written to be sent, and what it last told of the state."""

    __slots__ = (
        "__weakref__",
        "_argument",
        "_client",
        "_eof",
        "_failure",
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
        self._handle = c_void_p()
        self._out: List[BytesLike] = []
        self._state = int(State.CONNECTING)
        self._peer_code = self._sent_code = 0
        self._reason = self._sent_reason = ""
        self._peer_first = False
        self._eof = False
        self._failure: Optional[Violation] = None
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

    # -- What the library tells ------------------------------------------------------------------------------------

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

    # -- What a user asks -----------------------------------------------------------------------------------------

    @property
    def opened(self) -> bool:
        """Whether the opening handshake was completed, or done elsewhere: events() gives frames from then on."""
        raise NotImplementedError

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

    @property
    def close_exc(self) -> ConnectionClosed:
        """What to raise to who uses the connection after its end."""
        received = Close(self._peer_code, self._reason) if self._peer_code not in (0, 1006) else None
        sent = Close(self._sent_code, self._sent_reason) if self._sent_code else None
        ok = all(close is not None and close.code in (1000, 1001, 1005) for close in (received, sent or received))
        first = self._peer_first if received is not None and sent is not None else None
        error = (ConnectionClosedOK if ok else ConnectionClosedError)(received, sent, first)
        error.__cause__ = self._failure
        return error

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.name}>"
