"""WebSocket URIs (RFC 6455 3)."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .exceptions import InvalidURI

__all__ = ["URI", "parse_uri"]


class URI(NamedTuple):
    """A WebSocket URI in its parts."""

    secure: bool  #: wss
    host: str  #: without the brackets of an IPv6 address
    port: int
    path: str
    query: str
    username: Optional[str] = None
    password: Optional[str] = None

    @property
    def resource(self) -> str:
        """The request-target: the path, and the query if there is one."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def host_header(self) -> str:
        """The value of the Host field: without the port where it is the scheme's own."""
        host = (
            f"[{self.host.split('%')[0]}]" if ":" in self.host else self.host
        )  # a zone is of no use there (RFC 6874 4)
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @property
    def authorization(self) -> Optional[str]:
        """The value of an Authorization field for the user in the URI, if there is one (RFC 7617)."""
        if self.username is None:
            return None
        import base64  # few have a user in their URI

        pair = f"{self.username}:{self.password or ''}".encode()
        return "Basic " + base64.b64encode(pair).decode()


def parse_uri(uri: str) -> URI:
    """Takes a URI apart. Raises InvalidURI, which is a ValueError, and TypeError if it is no str."""
    if not isinstance(uri, str):
        raise TypeError(f"uri must be str, not {type(uri).__name__}")
    if uri != uri.strip() or any(character < " " or character == "\x7f" for character in uri):
        raise InvalidURI(f"uri {uri!r} has control characters, or spaces around it")
    try:
        return _parse(uri)
    except UnicodeError as error:
        raise InvalidURI(f"uri {uri!r} cannot be written in a request: {error}") from None
    except InvalidURI:
        raise
    except ValueError as error:
        raise InvalidURI(f"uri {uri!r}: {error}") from None


def _parse(uri: str) -> URI:
    import urllib.parse  # a tenth of the time that importing the package takes, and servers do not need it

    uri.encode()  # there may be surrogates in any part
    parts = urllib.parse.urlsplit(uri)
    if parts.scheme not in ("ws", "wss"):
        raise InvalidURI(f"uri {uri!r} is no WebSocket URI: it must begin with ws:// or wss://")
    if not parts.hostname:
        raise InvalidURI(f"uri {uri!r} has no host")
    if any(character.isspace() for character in parts.hostname):
        raise InvalidURI(f"uri {uri!r} has a space in its host")
    if parts.fragment or uri.endswith("#"):
        raise InvalidURI(f"uri {uri!r} has a fragment, which a WebSocket URI must not (RFC 6455 3)")
    port = parts.port
    secure = parts.scheme == "wss"
    host = parts.hostname
    if not host.isascii():
        host = host.encode("idna").decode()
    user = urllib.parse.unquote(parts.username) if parts.username is not None else None
    password = urllib.parse.unquote(parts.password) if parts.password is not None else None
    keep = "/%:@!$&'()*+,;=-._~"
    return URI(
        secure,
        host,
        port if port is not None else (443 if secure else 80),
        urllib.parse.quote(parts.path, keep) or "/",
        urllib.parse.quote(parts.query, keep + "?"),
        user,
        password,
    )
