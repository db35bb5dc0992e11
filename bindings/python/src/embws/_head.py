"""The HTTP heads of a handshake, in C's words: what is sent, and a copy of what was received."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_char_p, c_size_t, c_void_p, sizeof
from typing import Any, List, Optional, Sequence, Tuple

from . import _library as abi
from ._arguments import flag, headers_of, limit, size
from ._library import lib
from .http import Headers, HeadersLike

__all__ = ["Head", "Texts", "connect_options", "handshake_options", "optional", "text"]

#: The longest head that can be asked for, in bytes: the library keeps at most 16 MiB, which is twice as much.
LONGEST_HEAD = 8 << 20
#: The largest limit of a message that can be asked for, in bytes.
LARGEST_SIZE = 2**63 - 1


class Texts:
    """C structs with texts, and the memory that those lie in."""

    def __init__(self) -> None:
        self.kept: List[Any] = []

    def span(self, value: Optional[str], name: str) -> abi.Span:
        if value is None:
            return abi.Span()
        if not isinstance(value, str):
            raise TypeError(f"{name} must be str, not {type(value).__name__}")
        try:
            data = value.encode("latin-1")
        except UnicodeEncodeError:
            raise ValueError(f"{name} has {value!r}, but HTTP is latin-1: percent-encode it, for example") from None
        if not data:
            return abi.Span()
        self.kept.append(data)
        return abi.Span(ctypes.cast(c_char_p(data), c_void_p), len(data))

    def spans(self, values: Sequence[str], name: str) -> Tuple[Any, int]:
        if isinstance(values, (str, bytes)):
            raise TypeError(f"{name} must be a sequence of str, not {type(values).__name__}")
        try:
            listed = list(values)
        except TypeError:
            raise TypeError(f"{name} must be a sequence of str, not {type(values).__name__}") from None
        array = (abi.Span * len(listed))(*(self.span(value, name) for value in listed))
        self.kept.append(array)
        return array, len(listed)

    def fields(self, headers: Optional[HeadersLike], name: str) -> Tuple[Any, int]:
        pairs = list(headers_of(headers, name).raw_items())
        array = (abi.Field * len(pairs))(*(abi.Field(self.span(n, name), self.span(v, name)) for n, v in pairs))
        self.kept.append(array)
        return array, len(pairs)


def connect_options(max_size: Optional[int], long_lengths: bool, manual_pong: bool, manual_close: bool) -> abi.Options:
    most = limit(max_size, "max_size", LARGEST_SIZE)
    options = abi.Options(struct_size=sizeof(abi.Options), max_frame=most, max_message=most)
    options.flags = (
        (abi.LONG_LENGTHS if flag(long_lengths, "long_lengths") else 0)
        | (abi.MANUAL_PONG if flag(manual_pong, "manual_pong") else 0)
        | (abi.MANUAL_CLOSE if flag(manual_close, "manual_close") else 0)
    )
    return options


def handshake_options(max_head: int) -> abi.HandshakeOptions:
    most = size(max_head, "max_head", LONGEST_HEAD)  # a head always has a limit
    # Every field is kept, and all fit: a field takes at most a few bytes more than its line.
    return abi.HandshakeOptions(
        struct_size=sizeof(abi.HandshakeOptions), flags=abi.KEEP_ALL, store=most * 2, max_head=most
    )


def text(span: abi.Span) -> str:
    return ctypes.string_at(span.data, span.length).decode("latin-1") if span.length else ""


def optional(span: abi.Span) -> Optional[str]:
    return text(span) if span.data else None


class Head:
    """A head that was received, copied out of the library."""

    def __init__(self, handle: c_void_p) -> None:
        head, needed = abi.Head(struct_size=sizeof(abi.Head)), c_size_t()
        status = lib.embws_session_head(handle, byref(head), None, 0, byref(needed))
        self.memory = ctypes.create_string_buffer(needed.value)
        if status == abi.ERR_NO_ROOM:
            status = lib.embws_session_head(handle, byref(head), self.memory, needed.value, byref(needed))
        if status != abi.OK:
            abi.refuse(status)
        self.head = head

    def headers(self) -> Headers:
        head = self.head
        return Headers([(text(f.name), text(f.value)) for f in head.fields[: head.field_count]])

    def subprotocols(self) -> Tuple[str, ...]:
        return tuple(text(span) for span in self.head.subprotocols[: self.head.subprotocol_count])

    def extensions(self) -> Tuple[str, ...]:
        return tuple(self._extension(e) for e in self.head.extensions[: self.head.extension_count])

    def _extension(self, extension: abi.Extension) -> str:
        parts = [text(extension.name)]
        for parameter in extension.parameters[: extension.parameter_count]:
            value = optional(parameter.value)
            parts.append(text(parameter.name) if value is None else f"{text(parameter.name)}={value}")
        return ";".join(parts)
