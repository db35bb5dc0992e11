"""What a user writes, for the type checkers: nothing here runs. assert_type says what a checker must find."""

from __future__ import annotations

import selectors
import socket
from typing import Iterator, List, Optional, Tuple, Union, assert_type

import embws
from embws import ClientProtocol, Close, Data, Ping, Pong, Request, Response, ServerProtocol


def serve(sock: socket.socket) -> None:
    protocol = ServerProtocol(max_size=None, max_head=8192, manual_pong=True)
    while not protocol.close_expected():
        protocol.receive_data(sock.recv(65536))
        for event in protocol.events():
            assert_type(event, Union[Request, Response, Data, Ping, Pong, Close])
            if isinstance(event, Request):
                assert_type(event.path, str)
                assert_type(event.origin, Optional[str])
                assert_type(event.subprotocols, Tuple[str, ...])
                assert_type(event.headers["Cookie"], str)
                assert_type(event.headers.get_all("Cookie"), List[str])
                if event.upgrade:
                    protocol.accept(event.subprotocols[0] if event.subprotocols else None, headers={"Server": "mine"})
                else:
                    protocol.reject(404, "not here", headers=[("X", "y")], close=False)
            elif isinstance(event, Data):
                assert_type(event.data, Union[str, bytes])
                assert_type(event.last, bool)
                if isinstance(event.data, str):
                    protocol.send_text(event.data, fin=event.last)
                else:
                    protocol.send_binary(event.data)
            elif isinstance(event, Ping):
                protocol.pong(event.data)
            elif isinstance(event, Close):
                assert_type(event.code, int)
                assert_type(event.reason, str)
        sock.sendall(protocol.data_to_send())
    assert_type(protocol.state, embws.State)
    assert_type(protocol.close_code, Optional[int])
    assert_type(protocol.close_reason, Optional[str])
    assert_type(protocol.subprotocol, Optional[str])
    assert_type(protocol.request, Optional[Request])


def ask(sock: socket.socket, uri: str) -> Iterator[Union[str, bytes]]:
    client = ClientProtocol(uri, subprotocols=["chat"], additional_headers={"X": "y"}, origin="http://example.com")
    client.send_binary(bytearray(b"x"), fin=False)
    client.send_continuation(memoryview(b"y"))
    client.ping("text too")
    client.close(None)
    client.close(3000, "reason")
    sock.sendmsg(client.buffers_to_send())
    with client.get_buffer() as buffer:
        client.buffer_updated(sock.recv_into(buffer))
    try:
        for message in client.messages():
            assert_type(message, Union[str, bytes])
            yield message
    except embws.InvalidStatus as refused:
        assert_type(refused.response, Response)
        assert_type(refused.response.status_code, int)
    except embws.ProtocolError as broken:
        assert_type((broken.rule, broken.section, broken.offset, broken.code), Tuple[int, str, int, int])
        assert_type(broken.header, bytes)
    except embws.ConnectionClosed as closed:
        assert_type((closed.code, closed.reason, closed.sent_code), Tuple[int, str, Optional[int]])
    client.receive_eof()
    assert_type(client.response, Optional[Response])
    assert_type(embws.library_version, str)
    assert_type(embws.__version__, str)


def either(protocol: embws.Protocol, selector: selectors.BaseSelector) -> None:
    selector.register(0, selectors.EVENT_READ, protocol)
    protocol.send_text("both ends have this")
