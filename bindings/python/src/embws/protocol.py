"""WebSocket without I/O: bytes in, events out, bytes to send.

    protocol = ServerProtocol()
    protocol.receive_data(sock.recv(65536))
    if not protocol.opened and next(protocol.events(), None) is not None:
        protocol.accept()
    for message in protocol.messages():  # or events(), where pieces of messages will do
        ...
    sock.sendall(protocol.data_to_send())

It does what RFC 6455 demands without being asked: Pings are answered and a Close is echoed, in data_to_send().
"""

from __future__ import annotations

import ctypes
from ctypes import byref, c_char_p, c_void_p, sizeof
from typing import Any, Callable, Optional, Sequence, Union

from . import _library as abi
from ._arguments import flag, headers_of, text_or_bytes
from ._head import Head, Texts, optional, text
from ._head import connect_options as _options
from ._head import handshake_options as _limits
from ._library import lib
from ._scratch import INPUT, INPUT_AT, borrowed
from ._sending import Sending
from ._standing import BytesLike, State
from .exceptions import InvalidStatus, Violation
from .http import Headers, HeadersLike, Request, Response
from .uri import URI, parse_uri

__all__ = ["DEFAULT_MAX_SIZE", "MAX_HEAD", "BytesLike", "ClientProtocol", "Protocol", "ServerProtocol", "State"]

#: The largest message, in bytes, unless ``max_size`` says otherwise.
DEFAULT_MAX_SIZE = 2**20
#: The longest head of a request or response, in bytes.
MAX_HEAD = 16 * 1024


class Protocol(Sending):
    """What both ends have in common: all but the handshake.

    It has one user at a time: not two threads at once, and not a signal handler of Python that interrupts a call.
    """

    __slots__ = ()


class ServerProtocol(Protocol):
    """The server's end of a connection.

    It begins with a Request event, to be answered by accept() or reject(); with ``handshake=False`` the upgrade was
    done elsewhere, and the connection is open. ``max_size`` limits a message, in bytes; None means no limit.
    ``long_lengths`` accepts lengths that are not in their shortest form. With ``manual_pong`` or ``manual_close`` it is
    left to you to answer a Ping, or a Close. ``max_head`` limits the request's head, in bytes.
    """

    __slots__ = ("_accepted", "request")

    #: The request, once it was received.
    request: Optional[Request]

    def __init__(
        self,
        *,
        handshake: bool = True,
        max_size: Optional[int] = DEFAULT_MAX_SIZE,
        max_head: int = MAX_HEAD,
        long_lengths: bool = False,
        manual_pong: bool = False,
        manual_close: bool = False,
    ) -> None:
        super().__init__(max_size)
        self.request = None
        self._accepted = not flag(handshake, "handshake")
        options, limits = _options(max_size, long_lengths, manual_pong, manual_close), _limits(max_head)
        if handshake:
            self._made(lib.embws_session_serve(byref(self._handle), byref(options), byref(limits)))
        else:
            self._made(lib.embws_session_open(byref(self._handle), abi.SERVER, byref(options)))
            self._state = int(State.OPEN)

    @property
    def opened(self) -> bool:
        return self._accepted

    def _handshake_done(self) -> Request:
        copy = Head(self._handle)
        self.request = Request(
            path=text(copy.head.target),
            headers=copy.headers(),
            subprotocols=copy.subprotocols(),
            extensions=copy.extensions(),
            host=text(copy.head.host),
            origin=optional(copy.head.origin),
            upgrade=copy.head.upgrade == 1,
        )
        return self.request

    def accept(
        self,
        subprotocol: Optional[str] = None,
        headers: Optional[HeadersLike] = None,
        extensions: Optional[str] = None,
    ) -> None:
        """Accepts the upgrade: the connection is open (RFC 6455 4.2.2). ``subprotocol`` is one of those that the client
        offers; ``headers`` are further fields of the response; ``extensions`` is the value of Sec-WebSocket-Extensions.

        Raises StateError before the request or after an answer, or if the request asks for no upgrade; ValueError for a
        subprotocol or extension that was not offered, and for a field that is malformed or the handshake's own;
        ConnectionClosed if the client has gone.
        """
        texts = Texts()
        acceptance = abi.Acceptance(struct_size=sizeof(abi.Acceptance))
        acceptance.subprotocol = texts.span(subprotocol, "subprotocol")
        acceptance.extensions = texts.span(extensions, "extensions")
        acceptance.fields, acceptance.field_count = texts.fields(headers, "headers")
        self._answer(lambda io: lib.embws_session_accept(self._handle, io, byref(acceptance)), headers)
        self._accepted = True
        self.subprotocol = subprotocol
        self._release()

    def reject(
        self,
        status: int,
        body: Union[str, BytesLike] = b"",
        headers: Optional[HeadersLike] = None,
        close: bool = True,
    ) -> None:
        """Answers with an HTTP response other than 101: refuses an upgrade (300 to 599), or gives what a plain request asks
        for (200 to 599). After a plain request the next one is awaited if ``close`` is false and the client agrees.

        A body of str is sent as UTF-8. Raises as accept() does, and ValueError for a status that cannot be.
        """
        if isinstance(status, bool) or not isinstance(status, int):
            raise TypeError(f"status must be int, not {type(status).__name__}")
        if not 200 <= status <= 599:
            raise ValueError(f"status is {status}; it must be 200 to 599")
        data, fields = text_or_bytes(body, "body"), headers_of(headers, "headers")
        if isinstance(body, str) and body and "content-type" not in fields:
            fields["Content-Type"] = "text/plain; charset=utf-8"
        texts = Texts()
        response = abi.HTTPResponse(struct_size=sizeof(abi.HTTPResponse), status=status, close=1 if close else 0)
        response.fields, response.field_count = texts.fields(fields, "headers")
        response.body, response.body_length = ctypes.cast(c_char_p(data), c_void_p), len(data)
        self._answer(lambda io: lib.embws_session_respond(self._handle, io, byref(response)), fields)
        held, self._held = self._held, b""
        if held:
            self.receive_data(held)  # the next request, or what nobody will look at

    def _answer(self, call: Callable[[Any], int], headers: Optional[HeadersLike]) -> None:
        if self._eof:
            raise self.close_exc  # the client has gone
        with borrowed() as scratch:
            INPUT.pack_into(scratch.io_view, INPUT_AT, scratch.in_address, 0)
            status = call(byref(scratch.io))
            if status == abi.ERR_FIELD:
                raise _field_error(headers_of(headers, "headers"))
            self._sent(scratch, status)


class ClientProtocol(Protocol):
    """The client's end of a connection.

    ``uri`` is such as "ws://example.com/chat?room=1" or "wss://example.com". The upgrade request is in data_to_send();
    a Response event tells that the connection is open, and InvalidStatus that the server has refused. With ``uri=None``
    the upgrade was done elsewhere, and the connection is open. The other arguments are those of ServerProtocol.
    """

    __slots__ = ("_head_sent", "_request", "response", "uri")

    #: The server's response, once it was received.
    response: Optional[Response]
    #: The URI in its parts.
    uri: Optional[URI]
    subprotocol: Optional[str]
    _request: Optional[Request]

    def __init__(
        self,
        uri: Optional[str],
        *,
        origin: Optional[str] = None,
        subprotocols: Sequence[str] = (),
        additional_headers: Optional[HeadersLike] = None,
        extensions: Optional[str] = None,
        max_size: Optional[int] = DEFAULT_MAX_SIZE,
        max_head: int = MAX_HEAD,
        long_lengths: bool = False,
        manual_pong: bool = False,
        manual_close: bool = False,
    ) -> None:
        super().__init__(max_size)
        self._client = True
        self.response = None
        self._head_sent, self._request = b"", None
        self.uri = parse_uri(uri) if uri is not None else None
        options, limits = _options(max_size, long_lengths, manual_pong, manual_close), _limits(max_head)
        if self.uri is None:
            self._made(lib.embws_session_open(byref(self._handle), abi.CLIENT, byref(options)))
            self._state = int(State.OPEN)
            return
        texts = Texts()
        request = abi.HTTPRequest(struct_size=sizeof(abi.HTTPRequest))
        request.host = texts.span(self.uri.host_header, "uri")
        request.target = texts.span(self.uri.resource, "uri")
        request.origin = texts.span(origin, "origin")
        request.extensions = texts.span(extensions, "extensions")
        request.subprotocols, request.subprotocol_count = texts.spans(subprotocols, "subprotocols")
        headers = headers_of(additional_headers, "additional_headers")
        if self.uri.authorization and "authorization" not in headers:
            headers["Authorization"] = self.uri.authorization
        request.fields, request.field_count = texts.fields(headers, "additional_headers")
        status = lib.embws_session_connect(byref(self._handle), byref(request), byref(options), byref(limits))
        if status == abi.ERR_FIELD:
            raise _field_error(headers)
        self._made(status)
        with borrowed() as scratch:
            self._flush(scratch)
        self._head_sent = b"".join(self._out)

    @property
    def request(self) -> Optional[Request]:
        """The request as it was sent; None if the upgrade was done elsewhere."""
        if self._request is None and self._head_sent:
            line, *lines = self._head_sent.decode("latin-1").split("\r\n")[:-2]
            headers = Headers((name, value) for name, _, value in (field.partition(": ") for field in lines))
            self._request = Request(
                path=line.split(" ")[1],
                headers=headers,
                subprotocols=tuple(
                    name.strip() for name in headers.get("Sec-WebSocket-Protocol", "").split(",") if name
                ),
                extensions=tuple(headers.get_all("Sec-WebSocket-Extensions")),
                host=headers["Host"],
                origin=headers.get("Origin"),
            )
        return self._request

    @property
    def opened(self) -> bool:
        return self.uri is None or self.response is not None

    def _handshake_done(self) -> Response:
        self.response = self._read_response()
        self.subprotocol = self.response.subprotocol
        return self.response

    def _read_response(self, body: bytes = b"") -> Response:
        copy = Head(self._handle)
        return Response(
            status_code=copy.head.status,
            headers=copy.headers(),
            body=body,
            subprotocol=optional(copy.head.subprotocol),
            extensions=copy.extensions(),
        )

    def _refusal(self, rest: bytes, of: abi.Failure) -> Violation:
        return InvalidStatus(self._read_response(rest), of.rule, abi.section(of), of.offset)


def _field_error(headers: Headers) -> ValueError:
    """An exception that names the header field that the library refuses: each is tried by itself."""
    wrong = list(headers.raw_items())
    for field in wrong if len(wrong) > 1 else ():
        try:
            ClientProtocol("ws://localhost/", additional_headers=[field])
        except ValueError:
            wrong = [field]
            break
    name, value = wrong[0]
    return ValueError(f"the header field {name!r} with the value {value!r}: {abi.message(abi.ERR_FIELD)}")
