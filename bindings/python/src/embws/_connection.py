"""What the connections of embws.sync and embws.aio have in common: settings, the opening handshake, messages, pings."""

from __future__ import annotations

import logging
import random
import re
import sys
import time
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Deque,
    Dict,
    Generic,
    List,
    Optional,
    Pattern,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

from . import _library as abi
from ._arguments import function, items, text_or_bytes, tls_context, utf8, wrong_type
from ._library import EVENT
from .events import Event
from .exceptions import ConnectionClosed, InvalidHandshake, NegotiationError, Violation
from .http import Headers, Request, Response
from .protocol import BytesLike, ClientProtocol, Protocol, ServerProtocol, State

if TYPE_CHECKING:
    from .uri import URI

Message = Union[str, bytes]
#: Bytes that a protocol object holds back: see take_messages().
Held = Union[bytes, bytearray]
#: What max_queue and write_limit are given as: the high-water mark, or it and the low one.
Limit = Union[None, int, Tuple[Optional[int], Optional[int]]]
Origins = Sequence[Union[str, Pattern[str], None]]
Logger = Union[logging.Logger, "logging.LoggerAdapter[Any]"]

#: Deferred writes and those that are joined are no larger than this, in bytes.
SMALL = 64 * 1024

#: Reading pauses where a message, or the part of one that has come, is longer than this, in bytes, and nobody receives.
UNREAD = 1024 * 1024

#: What follows messages in one piece, and makes answers to them impossible, waits this long for their receiver.
HOLD_SECONDS = 0.5

GOING_AWAY, INTERNAL_ERROR = 1001, 1011

NO_LIMIT = sys.maxsize


def software() -> str:
    """The value of the fields User-Agent and Server."""
    from . import __version__

    return f"Python/{sys.version_info[0]}.{sys.version_info[1]} embws/{__version__}"


class _Default(str):
    """Marks the default of an argument whose value costs an import cycle."""


#: The default of ``user_agent_header`` and ``server_header``.
SOFTWARE: str = _Default("Python/X.Y embws/X.Y.Z")


def software_field(value: Optional[str], name: str) -> Optional[str]:
    """The value of a software field that an argument asks for; None for no field."""
    if value is not None and not isinstance(value, str):
        wrong_type(value, name, "str or None")
    if value is SOFTWARE:
        return software()
    if value is not None:
        try:
            ClientProtocol("ws://localhost/", additional_headers={"Server": value})
        except ValueError as error:
            raise ValueError(f"{name} is {value!r}: {error}") from None
    return value


def check_close(code: int, reason: str) -> None:
    """Refuses what no Close can have."""
    ServerProtocol(handshake=False).close(code, reason)


def told(response: Response) -> str:
    """A refusal in a few words, for a log."""
    line = response.body[:200].decode(errors="replace").strip().split("\n")[0]
    return f"HTTP {response.status_code}" + (f": {line}" if line and line.isprintable() else "")


# -- What can be asked of a connection --------------------------------------------------------------------------------


class Asked:
    """What a connection tells of its protocol object, and how it was set up."""

    #: The codec of this connection.
    protocol: Protocol
    #: The request of the handshake.
    request: Optional[Request]
    #: The response of the handshake.
    response: Optional[Response]
    #: Seconds that the last Ping took to be answered; 0 as long as none was.
    latency: float
    #: Seconds from one Ping of keepalive to the next; None for no keepalive.
    ping_interval: Optional[float]
    #: Seconds that a Pong of keepalive may take; None for as many as it likes.
    ping_timeout: Optional[float]
    #: Seconds that the closing handshake may take; None for as many as it likes.
    close_timeout: Optional[float]
    logger: Logger

    _client = False
    _cause: Optional[BaseException]

    def __init__(
        self,
        protocol: Protocol,
        ping_interval: Optional[float],
        ping_timeout: Optional[float],
        close_timeout: Optional[float],
        max_queue: Limit,
        logger: Optional[Logger],
    ) -> None:
        self.protocol = protocol
        self.ping_interval = interval(ping_interval, "ping_interval")
        self.ping_timeout = seconds(ping_timeout, "ping_timeout")
        self.close_timeout = seconds(close_timeout, "close_timeout")
        self.logger = logger or logging.getLogger("embws.client" if self._client else "embws.server")
        self.request = protocol.request if isinstance(protocol, ClientProtocol) else None
        self.response = None
        self.latency = 0.0
        self._high, self._low = water_marks(max_queue, "max_queue")
        self._cause = None

    @property
    def state(self) -> State:
        """Where the connection stands."""
        return self.protocol.state

    @property
    def subprotocol(self) -> Optional[str]:
        """The subprotocol that was agreed on, or None."""
        return self.protocol.subprotocol

    @property
    def close_code(self) -> Optional[int]:
        """The code of the peer's Close; 1005 if it has none, 1006 if none came; None while the connection goes on."""
        return self.protocol.close_code

    @property
    def close_reason(self) -> Optional[str]:
        """The reason of the peer's Close; None while the connection goes on."""
        return self.protocol.close_reason

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {self.state.name}>"

    def _closed(self) -> ConnectionClosed:
        """What to raise to who uses the connection after its end."""
        error = self.protocol.close_exc
        if error.__cause__ is None and self._cause is not None:
            error.__cause__ = self._cause
        return error


# -- Settings ---------------------------------------------------------------------------------------------------------


def water_marks(limit: Limit, name: str) -> Tuple[int, int]:
    """The high- and low-water marks that an argument means; no limit is a number that nothing reaches."""
    if isinstance(limit, tuple) and len(limit) != 2:
        raise ValueError(f"{name} has {len(limit)} marks; a tuple has two, the high-water mark and the low one")
    high, low = limit if isinstance(limit, tuple) else (limit, None)
    for mark in (high, low):
        if mark is not None and (isinstance(mark, bool) or not isinstance(mark, int)):
            raise TypeError(f"{name} must be int, None or a tuple of them, not {type(mark).__name__}")
    if high is None:
        return NO_LIMIT, NO_LIMIT
    if high < 0:
        raise ValueError(f"{name} is {high}; it must be 0 or more, or None for no limit")
    if low is None:
        low = high // 4
    if not 0 <= low <= high:
        raise ValueError(f"{name} has the low-water mark {low}; it must be between 0 and {high}, the high-water mark")
    return high, low


def seconds(value: Optional[float], name: str) -> Optional[float]:
    """Checks an argument that is a number of seconds, or None for never. Infinity, and an int that no float can hold, is
    never too, and comes back as None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds or None, not {type(value).__name__}")
    if not value >= 0:  # which not-a-number is not, either
        raise ValueError(f"{name} is {value}; it must be 0 or more seconds, or None for no time-out")
    return value if value <= sys.float_info.max else None


def interval(value: Optional[float], name: str) -> Optional[float]:
    """The same for what happens again and again."""
    found = seconds(value, name)
    if found == 0:
        raise ValueError(f"{name} is {value}; it must be more than 0 seconds, or None for never")
    return found


def check_settings(
    ping_interval: Optional[float],
    ping_timeout: Optional[float],
    close_timeout: Optional[float],
    max_size: Optional[int],
    max_queue: Limit,
    write_limit: Limit = None,
) -> None:
    """Refuses what a server's connections would refuse one by one."""
    interval(ping_interval, "ping_interval")
    seconds(ping_timeout, "ping_timeout")
    seconds(close_timeout, "close_timeout")
    water_marks(max_queue, "max_queue")
    water_marks(write_limit, "write_limit")
    ServerProtocol(handshake=False, max_size=max_size)


def check_tls(uri: "URI", ssl: Any) -> bool:
    """Whether a client uses TLS; a context for a URI that has none is a mistake."""
    if ssl is not True and ssl is not False:
        tls_context(ssl)
    if ssl and not uri.secure:
        raise ValueError("ssl is set, but the URI begins with ws://; TLS needs wss://")
    return uri.secure


# -- Messages ---------------------------------------------------------------------------------------------------------


def converted(message: Message, decode: bool) -> Message:
    """A message as str (``decode``) or as bytes, whatever it was sent as."""
    if decode:
        return message if isinstance(message, str) else message.decode()
    return message.encode() if isinstance(message, str) else message


def queue_message(protocol: Protocol, message: Union[str, BytesLike], text: Optional[bool], fin: bool = True) -> None:
    """Has the protocol send a message, or the first part of one. ``text`` overrides what the type of it says."""
    if isinstance(message, str):
        if text is False:
            protocol.send_binary(utf8(message, "message"), fin)
        else:
            protocol.send_text(message, fin)
    elif isinstance(message, (bytes, bytearray, memoryview)):
        if text:
            protocol._send_encoded(message, fin, "message")
        else:
            protocol.send_binary(message, fin)
    else:
        raise TypeError(f"message must be str, bytes-like or an iterable of one of these, not {type(message).__name__}")


class Fragments:
    """Sends a message in parts: the first one decides whether it is text, and the others must be of its type."""

    def __init__(self, protocol: Protocol, text: Optional[bool]) -> None:
        self._protocol, self._text = protocol, text
        self._is_str = False
        self.begun = False

    def add(self, part: Union[str, BytesLike]) -> None:
        """Sends a part."""
        if not self.begun:
            self._is_str = isinstance(part, str)
            queue_message(self._protocol, part, self._text, fin=False)
            self.begun = True
            return
        if self._is_str and isinstance(part, str):
            self._protocol.send_continuation(utf8(part, "message"), fin=False)
        elif not self._is_str and isinstance(part, (bytes, bytearray, memoryview)):
            self._protocol.send_continuation(part, fin=False)
        else:
            raise TypeError(
                f"all parts of a message must be of one type; the first was "
                f"{'str' if self._is_str else 'bytes-like'}, and this is {type(part).__name__}"
            )

    def end(self) -> None:
        """Ends the message, if there is one."""
        if self.begun:
            self._protocol.send_continuation(b"", fin=True)


# -- Pings ------------------------------------------------------------------------------------------------------------


def received_pongs(protocol: Protocol) -> List[bytes]:
    """The payloads of the Pongs that messages() is going to pass over."""
    # This looks into the protocol object, for messages() has no place for Pongs, and events() no whole messages.
    found: List[bytes] = []
    for record in protocol._pending:
        if type(record) is list or len(record) < 3:
            continue
        if len(record) == 4:
            if record[1] == abi.PONG:
                found.append(record[0])
            continue
        blob, events, kept = record
        for start, _, length, kind, flags, _ in EVENT.iter_unpack(events):
            if kind == abi.PONG:
                found.append(kept if flags & abi.KEPT else blob[start : start + length])
    return found


def take_messages(protocol: Protocol, messages: Deque[Message]) -> Held:
    """Puts the whole messages that were received into the queue. Gives the bytes that the protocol object holds back:
    they begin with a Close, or with what breaks a rule. Behind that nothing can be sent, so receive_data() gets them
    when the messages were answered."""
    held, protocol._held = protocol._held, b""
    try:
        messages.extend(protocol.messages())
    except Violation as failure:
        # The protocol object keeps the exception, and its traceback would keep the connection alive.
        failure.__traceback__ = None
    return held


Waiter = TypeVar("Waiter")


class Pings(Generic[Waiter]):
    """The Pings that have no Pong yet, oldest first."""

    def __init__(self) -> None:
        self._pending: Dict[bytes, Tuple[Waiter, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._pending)

    def payload(self, data: Union[None, str, BytesLike]) -> bytes:
        """The payload of a Ping: what the caller wants, or four bytes that no other has."""
        if data is None:
            while (chosen := random.getrandbits(32).to_bytes(4, "big")) in self._pending:
                pass
            return chosen
        payload = text_or_bytes(data, "data")
        if len(payload) > 125:
            raise ValueError(f"data has {len(payload)} bytes; a Ping has at most 125 (RFC 6455 5.5)")
        if payload in self._pending:
            raise ValueError(f"data is {payload!r}, which is the payload of a Ping that has no Pong yet; take another")
        return payload

    def add(self, payload: bytes, waiter: Waiter, now: float) -> None:
        """Notes a Ping that was sent."""
        self._pending[payload] = waiter, now

    def answered(self, payload: bytes) -> List[Tuple[Waiter, float]]:
        """Takes a Pong: gives the Ping that it answers with those before it, for they may go unanswered (RFC 6455
        5.5.3)."""
        if payload not in self._pending:
            return []
        found = []
        while self._pending:
            oldest = next(iter(self._pending))
            found.append(self._pending.pop(oldest))
            if oldest == payload:
                break
        return found

    def abandon(self) -> List[Waiter]:
        """Gives those that will have no answer."""
        waiters = [waiter for waiter, _ in self._pending.values()]
        self._pending.clear()
        return waiters


# -- The opening handshake --------------------------------------------------------------------------------------------


def head_of_peer(protocol: Protocol) -> Union[None, Event, Violation]:
    """The head of the peer's handshake, a Request or a Response; None as long as it is not complete, and the violation if
    it never will be."""
    try:
        return next(iter(protocol.events()), None)
    except Violation as failure:
        failure.__traceback__ = None
        return failure


# -- The server's answer ----------------------------------------------------------------------------------------------


def respond(status: int, text: str) -> Response:
    """A response in plain text."""
    headers = Headers()
    headers["Content-Type"] = "text/plain; charset=utf-8"
    return Response(int(status), "", headers, text.encode())


def failed_response() -> Response:
    """The response for an exception of the user's code."""
    return respond(500, "Failed to open a WebSocket connection.\nSee server log for more information.\n")


def check_response(response: Any, source: str) -> Response:
    """What a function of the user's has returned, if it is a Response."""
    if not isinstance(response, Response):
        raise TypeError(f"{source} must return a Response or None, not {type(response).__name__}")
    return response


class Negotiation:
    """What a server wants of a request."""

    def __init__(
        self,
        origins: Optional[Origins],
        subprotocols: Optional[Sequence[str]],
        select_subprotocol: Optional[Callable[[Any, Sequence[str]], Optional[str]]],
    ) -> None:
        names = items(subprotocols, "subprotocols", "str", lambda name: isinstance(name, str))
        self._origins = origins and items(
            origins,
            "origins",
            "str, patterns and None",
            lambda origin: origin is None or isinstance(origin, (str, re.Pattern)),
        )
        self._subprotocols: Tuple[str, ...] = names
        self._select: Optional[Callable[[Any, Sequence[str]], Optional[str]]] = function(
            select_subprotocol, "select_subprotocol"
        )

    def response(self, connection: Any, request: Request) -> Response:
        """The response to a request that nobody has answered: 101, or a refusal."""
        if not request.upgrade:
            return respond(  # the library adds the field Upgrade
                426,
                "Failed to open a WebSocket connection: this is no upgrade request.\n\n"
                "You cannot access a WebSocket server directly with a browser. You need a WebSocket client.\n",
            )
        if self._origins is not None and not self._allowed(request.origin):
            return respond(403, f"Failed to open a WebSocket connection: invalid origin: {request.origin}.\n")
        try:
            chosen = self._subprotocol(connection, request.subprotocols)
        except InvalidHandshake as error:
            return respond(400, f"Failed to open a WebSocket connection: {error}.\n")
        return Response(101, "Switching Protocols", Headers(), b"", chosen)

    def _allowed(self, origin: Optional[str]) -> bool:
        for allowed in self._origins or ():
            if isinstance(allowed, re.Pattern):
                if origin is not None and allowed.fullmatch(origin):
                    return True
            elif allowed == origin:
                return True
        return False

    def _subprotocol(self, connection: Any, offered: Sequence[str]) -> Optional[str]:
        if self._select is not None:
            return self._select(connection, offered)
        if not self._subprotocols:
            return None
        for name in self._subprotocols:
            if name in offered:
                return name
        wanted = ", ".join(self._subprotocols)
        raise NegotiationError(f"no subprotocol in common; expected one of {wanted}")


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def date() -> str:
    """The time, as the field Date has it (RFC 9110 5.6.7)."""
    now = time.gmtime()
    return (
        f"{_DAYS[now.tm_wday]}, {now.tm_mday:02} {_MONTHS[now.tm_mon - 1]} {now.tm_year} "
        f"{now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02} GMT"
    )


def answer(protocol: ServerProtocol, response: Response, server_header: Optional[str], serving: bool = True) -> bool:
    """Has the protocol send a response: 101 accepts the upgrade. Says whether another request may come: after the answer to
    a plain one, unless the client or the server wants to end (proxies send both on one connection)."""
    headers = Headers(response.headers)
    serving = serving and "close" not in headers.get("Connection", "").lower()
    for own in ("Content-Length", "Connection"):  # the library writes them
        del headers[own]
    if "date" not in headers:
        headers["Date"] = date()
    if server_header is not None and "server" not in headers:
        headers["Server"] = server_header
    if response.status_code == 101:
        protocol.accept(response.subprotocol, headers)
    else:
        plain = protocol.request is not None and not protocol.request.upgrade
        protocol.reject(response.status_code, response.body, headers, close=not (plain and serving))
    return response.status_code != 101 and not protocol.close_expected()


def answer_or_fail(
    protocol: ServerProtocol, response: Response, server_header: Optional[str], serving: bool, logger: Logger
) -> Tuple[Response, bool]:
    """The same, with what was sent: another response if this one, which is the user's, cannot be."""
    try:
        return response, answer(protocol, response, server_header, serving)
    except Exception:
        logger.error("the response cannot be sent", exc_info=True)
        response = failed_response()
        return response, answer(protocol, response, server_header, serving)
