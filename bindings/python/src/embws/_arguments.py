"""What callers give: each is checked once, and a TypeError or ValueError names the argument and what it may be."""

from __future__ import annotations

from typing import Any, Callable, NoReturn, Optional, Tuple, Union

from .http import Headers, HeadersLike

__all__ = [
    "bytes_like",
    "flag",
    "function",
    "headers_of",
    "items",
    "limit",
    "no_compression",
    "no_proxy",
    "port_number",
    "size",
    "text_or_bytes",
    "tls_context",
    "utf8",
    "view_of",
    "wrong_type",
]


def wrong_type(value: Any, name: str, wanted: str) -> NoReturn:
    raise TypeError(f"{name} must be {wanted}, not {type(value).__name__}")


def view_of(value: Any, name: str) -> memoryview:
    """The bytes of an object that has some (bytes, bytearray, memoryview, array.array, mmap.mmap, ...), in a row: a copy
    where they are not."""
    try:
        view = memoryview(value)
    except TypeError:
        wrong_type(value, name, "bytes-like")
    return view.cast("B") if view.c_contiguous else memoryview(view.tobytes())


def bytes_like(value: Any, name: str) -> bytes:
    """The same as bytes."""
    return value if type(value) is bytes else bytes(view_of(value, name))


def utf8(value: Any, name: str) -> bytes:
    """A text as UTF-8."""
    if not isinstance(value, str):
        wrong_type(value, name, "str")
    try:
        return str.encode(value)
    except UnicodeEncodeError as error:
        character = error.object[error.start]
        raise ValueError(
            f"{name} has {character!r} at {error.start}: a surrogate, which is no character and has no UTF-8"
        ) from None


def text_or_bytes(value: Any, name: str) -> bytes:
    """A text as UTF-8, or bytes."""
    if isinstance(value, str):
        return utf8(value, name)
    try:
        return bytes_like(value, name)
    except TypeError:
        wrong_type(value, name, "str or bytes-like")


def flag(value: Any, name: str) -> bool:
    if value is not True and value is not False:
        wrong_type(value, name, "bool")
    return bool(value)


def function(value: Any, name: str, what: str = "callable") -> Any:
    """Something to be called, or None."""
    if value is not None and not callable(value):
        wrong_type(value, name, f"{what} or None")
    return value


def items(values: Any, name: str, what: str, right: Callable[[Any], bool]) -> Tuple[Any, ...]:
    """A sequence of things, each of which must be right; None is an empty one."""
    if values is None:
        return ()
    try:
        found = tuple(values)
    except TypeError:
        wrong_type(values, name, f"a sequence of {what}")
    if isinstance(values, (str, bytes)) or not all(map(right, found)):
        raise TypeError(f"{name} must be a sequence of {what}, and not {values!r}")
    return found


def tls_context(value: Any, name: str = "ssl") -> Any:
    """An ssl.SSLContext, or None. (The module is not loaded for it.)"""
    if value is not None and not hasattr(value, "wrap_bio"):
        wrong_type(value, name, "ssl.SSLContext or None")
    return value


def headers_of(headers: Optional[HeadersLike], name: str) -> Headers:
    """Header fields in any of the forms that users have them in; a copy."""
    if isinstance(headers, (str, bytes)):
        wrong_type(headers, name, "header fields, a mapping or pairs of str")
    try:
        return Headers(headers if headers is not None else ())
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be header fields, a mapping or pairs of str: {error}") from None


def limit(value: Optional[int], name: str, most: int) -> int:
    """A limit as the library takes it: None is no limit."""
    return -1 if value is None else size(value, name, most, ", or None for no limit")


def size(value: int, name: str, most: int, also: str = "") -> int:
    """A number of bytes, or of something else."""
    if isinstance(value, bool) or not isinstance(value, int):
        wrong_type(value, name, "int or None" if also else "int")
    if not 0 < value <= most:
        raise ValueError(f"{name} is {value}; it must be 1 to {most}{also}")
    return value


def port_number(value: Optional[int], name: str = "port") -> Optional[int]:
    """A port to listen on, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        wrong_type(value, name, "int")
    if not 0 <= value <= 65535:
        raise ValueError(f"{name} is {value}; it must be 0 to 65535, and 0 takes one that is free")
    return value


def no_compression(compression: Optional[str]) -> None:
    """The argument ``compression``, which users of ``websockets`` know."""
    if compression is not None:
        raise ValueError(f"compression is {compression!r}; this version has none, which is None")


def no_proxy(proxy: Union[None, bool, str]) -> None:
    """The argument ``proxy``, which users of ``websockets`` know."""
    if proxy is not None:
        raise ValueError(f"proxy is {proxy!r}; this version uses none, which is None: give a connected socket as sock")
