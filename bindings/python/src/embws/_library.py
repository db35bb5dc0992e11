"""Finding and loading libembws, and its functions and structs as ctypes sees them."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from ctypes import (
    POINTER,
    byref,
    c_char,
    c_char_p,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, Iterator, List, NoReturn, Tuple

from .exceptions import ForkError, InternalError, LibraryError, ProtocolError, StateError

ABI_VERSION = 0  # EMBWS_ABI_VERSION
OLDEST = 100  # the oldest EMBWS_VERSION_NUMBER that has all that is used here

# Statuses (embws.h).
OK, MORE, BATCH, WRITTEN = 0, 1, 5, 6
ERR_INTERNAL, ERR_FORKED = -6, -7
ERR_NO_ROOM, ERR_OPCODE_SEND, ERR_MESSAGE_OPEN, ERR_NO_MESSAGE, ERR_FRAME_OPEN = -20, -21, -22, -23, -24
ERR_CONTROL_SIZE, ERR_CODE_SEND, ERR_REASON_SEND, ERR_TEXT_SEND = -25, -26, -27, -28
ERR_CLOSE_SENT, ERR_CLOSE_SEEN, ERR_FAILED = -29, -30, -31
ERR_STATE, ERR_NOT_OPEN, ERR_FIELD = -34, -35, -37
ERR_STATUS, ERR_HANDSHAKE_CUT_SHORT, ERR_NO_CLOSE = -1290, -1380, -1840
FIRST_VIOLATION = -1000

# Roles, opcodes, states, flags.
FIN = 0x80
SERVER, CLIENT = 1, 2
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG, HANDSHAKE = 0, 1, 2, 8, 9, 10, 16
FRAME_START, FRAME_END, MESSAGE_START, MESSAGE_END, KEPT, WHOLE_MESSAGE = 1, 2, 4, 8, 32, 15
LONG_LENGTHS, CHECK_TEXT, MANUAL_PONG, MANUAL_CLOSE = 1, 2, 4, 8
KEEP_ALL = 1


class Span(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("length", c_size_t)]


class Field(ctypes.Structure):
    _fields_ = [("name", Span), ("value", Span)]


class Extension(ctypes.Structure):
    _fields_ = [("name", Span), ("parameters", POINTER(Field)), ("parameter_count", c_size_t)]


RANDOM = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t)


class Options(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("max_frame", c_int64),
        ("max_message", c_int64),
        ("random", RANDOM),
        ("context", c_void_p),
    ]


class HandshakeOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("store", c_size_t),
        ("max_head", c_int64),
        ("max_fields", c_int64),
        ("max_subprotocols", c_int64),
        ("keep", POINTER(Span)),
        ("keep_count", c_size_t),
    ]


class IO(ctypes.Structure):
    """embws_io: what goes into a call, and what comes out of it."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("capacity", c_uint32),
        ("events", c_void_p),
        ("in_", c_void_p),
        ("in_length", c_size_t),
        ("room", c_void_p),
        ("room_length", c_size_t),
        ("out", c_void_p),
        ("out_capacity", c_size_t),
        ("eaten", c_size_t),
        ("out_length", c_size_t),
        ("taken", c_size_t),
        ("found", c_uint32),
        ("state", c_uint32),
        ("more", c_uint32),
        ("peer_code", c_uint16),
        ("sent_code", c_uint16),
        ("control_length", c_uint32),
        ("control", c_uint8 * 128),
    ]


EVENT_SIZE = 24
#: start, left, length, kind, flags, code: an embws_event.
EVENT = struct.Struct("=QQIBBH")


class Batch(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("longest", c_uint32),
        ("io", c_void_p),
        ("in_", c_void_p),
        ("in_capacity", c_size_t),
        ("list", c_void_p),
        ("list_capacity", c_size_t),
    ]


class Failure(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("status", c_int32),
        ("offset", c_uint64),
        ("rule", c_uint16),
        ("close_code", c_uint16),
        ("http_status", c_uint16),
        ("header_length", c_uint8),
        ("header", c_uint8 * 14),
        ("reserved", c_uint8 * 11),
    ]


class Head(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("status", c_uint32),
        ("upgrade", c_uint32),
        ("reserved", c_uint32),
        ("target", Span),
        ("path", Span),
        ("query", Span),
        ("host", Span),
        ("origin", Span),
        ("subprotocol", Span),
        ("subprotocols", POINTER(Span)),
        ("subprotocol_count", c_size_t),
        ("extensions", POINTER(Extension)),
        ("extension_count", c_size_t),
        ("fields", POINTER(Field)),
        ("field_count", c_size_t),
    ]


class Acceptance(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("subprotocol", Span),
        ("extensions", Span),
        ("fields", POINTER(Field)),
        ("field_count", c_size_t),
    ]


class HTTPResponse(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("status", c_uint32),
        ("fields", POINTER(Field)),
        ("field_count", c_size_t),
        ("body", c_void_p),
        ("body_length", c_size_t),
        ("close", c_uint32),
        ("reserved", c_uint32),
    ]


class HTTPRequest(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("host", Span),
        ("target", Span),
        ("origin", Span),
        ("extensions", Span),
        ("subprotocols", POINTER(Span)),
        ("subprotocol_count", c_size_t),
        ("fields", POINTER(Field)),
        ("field_count", c_size_t),
    ]


class _Fast(ctypes._CFuncPtr):  # type: ignore[misc, name-defined]
    """A function that is called often. It has no argtypes: ctypes takes pointers that were made before, and bytes, as they
    are, and an int as a C int; nothing else must get there. And no restype: an int without further questions."""

    _flags_ = ctypes._FUNCFLAG_CDECL | ctypes._FUNCFLAG_PYTHONAPI  # type: ignore[attr-defined]


_FAST = (
    "embws_session_receive",
    "embws_session_receive_batch",
    "embws_session_flush",
    "embws_session_send_frame",
    "embws_session_send_header",
    "embws_session_sent",
)
_IO = POINTER(IO)
_PROTOTYPES: List[Tuple[str, Any, List[Any]]] = [
    ("embws_abi_version", c_uint32, []),
    ("embws_version_number", c_uint32, []),
    ("embws_version_string", c_char_p, []),
    ("embws_status_name", c_char_p, [c_int32]),
    ("embws_status_message", c_char_p, [c_int32]),
    ("embws_error_detail", c_char_p, []),
    ("embws_failure_describe", c_int32, [POINTER(Failure), c_char_p, c_size_t, POINTER(c_size_t)]),
    ("embws_session_serve", c_int32, [POINTER(c_void_p), POINTER(Options), POINTER(HandshakeOptions)]),
    (
        "embws_session_connect",
        c_int32,
        [POINTER(c_void_p), POINTER(HTTPRequest), POINTER(Options), POINTER(HandshakeOptions)],
    ),
    ("embws_session_open", c_int32, [POINTER(c_void_p), c_uint32, POINTER(Options)]),
    ("embws_session_free", c_int32, [c_void_p]),
    ("embws_session_send", c_int32, [c_void_p, c_void_p, c_uint32, c_uint32, c_char_p, c_size_t]),
    ("embws_session_ping", c_int32, [c_void_p, c_void_p, c_char_p, c_size_t]),
    ("embws_session_pong", c_int32, [c_void_p, c_void_p, c_char_p, c_size_t]),
    ("embws_session_close", c_int32, [c_void_p, c_void_p, c_uint32, c_char_p, c_size_t]),
    ("embws_session_accept", c_int32, [c_void_p, _IO, POINTER(Acceptance)]),
    ("embws_session_respond", c_int32, [c_void_p, _IO, POINTER(HTTPResponse)]),
    ("embws_session_head", c_int32, [c_void_p, POINTER(Head), POINTER(c_char), c_size_t, POINTER(c_size_t)]),
    ("embws_session_end", c_int32, [c_void_p]),
    ("embws_session_failure", c_int32, [c_void_p, POINTER(Failure)]),
    ("embws_session_peer_close", c_int32, [c_void_p, POINTER(c_uint16), c_char_p, c_size_t, POINTER(c_size_t)]),
]


def library_name() -> str:
    """The file name of the library on this platform, as it is bundled."""
    if sys.platform == "win32":
        return "embws.dll"
    if sys.platform == "darwin":
        return "libembws.dylib"
    return "libembws.so"


def _candidates() -> Iterator[Tuple[str, str]]:
    """Where the library may be, in this order, and what each place is called."""
    chosen = os.environ.get("EMBWS_LIBRARY")
    if chosen:
        yield "$EMBWS_LIBRARY", chosen  # who sets it wants that one, and no other
        return
    yield "bundled with the package", os.path.join(os.path.dirname(__file__), library_name())
    import ctypes.util  # it runs programs to find out: only when it is needed

    system = ctypes.util.find_library("embws")
    if system:
        yield "of the system", system


def _load() -> Any:
    tried = []
    for where, path in _candidates():
        try:
            # PyDLL keeps the interpreter's lock: calls take microseconds, and scratch memory is shared (see _scratch.py).
            library = ctypes.PyDLL(path)
            library.embws_abi_version.restype = c_uint32
            library.embws_version_number.restype = c_uint32
            abi_version, version = library.embws_abi_version(), library.embws_version_number()
        except (OSError, AttributeError) as error:
            tried.append(f"{where}: {path}: {error}")
            continue
        if abi_version != ABI_VERSION or version < OLDEST:
            tried.append(
                f"{where}: {path}: version {version}, ABI {abi_version}; wanted ABI {ABI_VERSION}, {OLDEST} or later"
            )
            continue
        try:
            for name, result, arguments in _PROTOTYPES:
                function = getattr(library, name)
                function.restype = result
                function.argtypes = arguments
            for name in _FAST:
                setattr(library, name, _Fast((name, library)))
        except AttributeError as error:
            tried.append(f"{where}: {path}: {error}")
            continue
        return library
    places = "\n  ".join(tried) or "no place: the package has no library in it, and the system has none"
    raise LibraryError(
        f"libembws could not be loaded. Tried\n  {places}\nInstall the package again, or set EMBWS_LIBRARY."
    )


lib = _load()

FORKED = (
    "embws was imported before os.fork(), and this is the child: import it here, or start workers by the methods spawn or "
    "forkserver of multiprocessing"
)

_forked = False


def _after_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def forked() -> bool:
    """Whether this is the child of a fork() before which the library was loaded."""
    return _forked


def check_fork() -> None:
    """Raises ForkError there: for what would wait for a thread that did not come along."""
    if _forked:
        raise ForkError(FORKED)


def message(status: int) -> str:
    """The library's sentence about a status."""
    text: bytes = lib.embws_status_message(status)
    return text.decode()


def refuse(status: int) -> NoReturn:
    """Raises the exception for a status that a caller's argument, or the state of the connection, has brought about."""
    if status == ERR_FORKED:
        raise ForkError(FORKED)
    if status == ERR_INTERNAL:
        raise InternalError(message(status))
    if status in (ERR_CODE_SEND, ERR_REASON_SEND, ERR_CONTROL_SIZE, ERR_TEXT_SEND) or -47 <= status <= -37:
        raise ValueError(message(status))
    if status > -20:
        detail: bytes = lib.embws_error_detail()
        raise InternalError(detail.decode())
    raise StateError(message(status))


def failure(session: Any) -> "Failure":
    """The failure of a session."""
    result = Failure(struct_size=ctypes.sizeof(Failure))
    status = lib.embws_session_failure(session, byref(result))
    if status != OK:
        refuse(status)
    return result


def describe(of: "Failure") -> str:
    """A line about a failure."""
    line = ctypes.create_string_buffer(512)
    lib.embws_failure_describe(byref(of), line, 512, None)
    return line.value.decode()


def section(of: "Failure") -> str:
    """The section of the RFC that a failure's rule stands in."""
    text = describe(of)
    begin = text.find("(RFC")
    return text[begin + 1 : text.index(")", begin)] if begin >= 0 else ""


__all__ = ["lib", "ProtocolError"]
