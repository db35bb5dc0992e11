"""The HTTP upgrade: header fields, requests and responses."""

from __future__ import annotations

from typing import Iterable, Iterator, List, Mapping, MutableMapping, Optional, Tuple, Union

__all__ = ["Headers", "HeadersLike", "Request", "Response"]

HeadersLike = Union["Headers", Mapping[str, str], Iterable[Tuple[str, str]]]


class Headers(MutableMapping[str, str]):
    """Header fields in their order. Names are compared without case; one may occur again.

    ``headers["Cookie"]`` is the first value; ``get_all`` gives each; setting a name adds a field, as it does in
    ``websockets``: ``del`` it before to replace it.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: HeadersLike = (), **more: str) -> None:
        self._fields: List[Tuple[str, str]] = []
        self.update_fields(fields)
        for name, value in more.items():
            self[name] = value

    def update_fields(self, fields: HeadersLike) -> None:
        """Adds fields of any of the forms that users have them in."""
        if isinstance(fields, Headers):
            pairs: Iterable[Tuple[str, str]] = fields.raw_items()
        elif isinstance(fields, Mapping):
            pairs = fields.items()
        else:
            pairs = fields
        for name, value in pairs:
            self[name] = value

    def __getitem__(self, name: str) -> str:
        if not isinstance(name, str):
            raise KeyError(name)
        wanted = name.lower()
        for known, value in self._fields:
            if known.lower() == wanted:
                return value
        raise KeyError(name)

    def __setitem__(self, name: str, value: str) -> None:
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"a header field is two str, not {type(name).__name__} and {type(value).__name__}")
        self._fields.append((name, value))

    def __delitem__(self, name: str) -> None:
        if not isinstance(name, str):
            raise KeyError(name)
        wanted = name.lower()
        self._fields = [field for field in self._fields if field[0].lower() != wanted]

    def __iter__(self) -> Iterator[str]:
        seen = set()
        for name, _ in self._fields:
            lower = name.lower()
            if lower not in seen:
                seen.add(lower)
                yield name

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._fields})

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(known.lower() == name.lower() for known, _ in self._fields)

    def get_all(self, name: str) -> List[str]:
        """The values of all fields of that name."""
        if not isinstance(name, str):
            raise TypeError(f"name must be str, not {type(name).__name__}")
        wanted = name.lower()
        return [value for known, value in self._fields if known.lower() == wanted]

    def copy(self) -> "Headers":
        """The same fields, to be changed by themselves."""
        return Headers(self)

    def raw_items(self) -> Iterator[Tuple[str, str]]:
        """All fields, in their order, as they are."""
        return iter(self._fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._fields == other._fields

    def __repr__(self) -> str:
        return f"Headers({self._fields!r})"


class _Record:
    """A plain record: its fields are its slots. (dataclasses would double the time that importing the package takes.)"""

    __slots__: Tuple[str, ...] = ()

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({fields})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(getattr(self, name) == getattr(other, name) for name in self.__slots__)


class Request(_Record):
    """A client's request, as a server has received it."""

    __slots__ = ("extensions", "headers", "host", "origin", "path", "subprotocols", "upgrade")

    path: str  #: the request-target, such as "/chat?room=1"
    headers: Headers
    subprotocols: Tuple[str, ...]  #: those offered, in the client's order of preference
    extensions: Tuple[str, ...]  #: those offered, such as "permessage-deflate;client_max_window_bits"
    host: str
    origin: Optional[str]
    upgrade: bool  #: it asks for the upgrade; if false, it is a plain GET, to be answered by reject()

    def __init__(
        self,
        path: str,
        headers: Headers,
        subprotocols: Tuple[str, ...] = (),
        extensions: Tuple[str, ...] = (),
        host: str = "",
        origin: Optional[str] = None,
        upgrade: bool = True,
    ) -> None:
        self.path, self.headers, self.subprotocols, self.extensions = path, headers, subprotocols, extensions
        self.host, self.origin, self.upgrade = host, origin, upgrade


class Response(_Record):
    """A server's response. A server gives one to refuse; a client gets one in InvalidStatus."""

    __slots__ = ("body", "extensions", "headers", "reason_phrase", "status_code", "subprotocol")

    status_code: int
    reason_phrase: str  #: only to look at: the library writes its own
    headers: Headers
    body: bytes
    subprotocol: Optional[str]
    extensions: Tuple[str, ...]

    def __init__(
        self,
        status_code: int,
        reason_phrase: str = "",
        headers: Optional[Headers] = None,
        body: bytes = b"",
        subprotocol: Optional[str] = None,
        extensions: Tuple[str, ...] = (),
    ) -> None:
        self.status_code, self.reason_phrase, self.body = status_code, reason_phrase, body
        self.headers = Headers() if headers is None else headers
        self.subprotocol, self.extensions = subprotocol, extensions
