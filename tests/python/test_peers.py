"""The protocol objects of websockets and wsproto talk with ours, without a socket between them."""

from __future__ import annotations

from typing import Any, List, Tuple

import pytest
import websockets.client
import websockets.frames
import websockets.server
import websockets.uri
import wsproto
import wsproto.events

import embws

#: What is said by turns: text, and bytes of every form of length.
SAID: List[Any] = [
    "",
    "h\u00e9llo",
    "x" * 126,
    b"",
    b"\x00\xff",
    bytes(125),
    bytes(65_535),
    bytes(65_536),
    "\U0001f600" * 20_000,
]


class Websockets:
    """An end of websockets, with the names of ours."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.parts: List[bytes] = []
        self.text = False

    def receive(self, data: bytes) -> List[Any]:
        """What was said; a number is a close code."""
        self.protocol.receive_data(data)
        said: List[Any] = []
        for event in self.protocol.events_received():
            if isinstance(event, websockets.frames.Frame):
                if event.opcode in (1, 2, 0):
                    self.text = event.opcode == 1 or (event.opcode == 0 and self.text)
                    self.parts.append(bytes(event.data))
                    if event.fin:
                        whole, self.parts = b"".join(self.parts), []
                        said.append(whole.decode() if self.text else whole)
                elif event.opcode == 8:
                    said.append(self.protocol.close_rcvd.code)
            elif isinstance(self.protocol, websockets.server.ServerProtocol):
                self.protocol.send_response(self.protocol.accept(event))
        return said

    def say(self, message: Any) -> None:
        if isinstance(message, str):
            self.protocol.send_text(message.encode())
        else:
            self.protocol.send_binary(message)

    def sent(self) -> bytes:
        return b"".join(self.protocol.data_to_send())

    def close(self) -> None:
        self.protocol.send_close(1001, "bye")


class Wsproto:
    """An end of wsproto, likewise."""

    def __init__(self, kind: Any) -> None:
        self.connection, self.out, self.parts = wsproto.WSConnection(kind), b"", []
        if kind is wsproto.ConnectionType.CLIENT:
            self.out = self.connection.send(
                wsproto.events.Request(host="example.com", target="/", subprotocols=["chat"])
            )

    def receive(self, data: bytes) -> List[Any]:
        self.connection.receive_data(data)
        said: List[Any] = []
        for event in self.connection.events():
            if isinstance(event, wsproto.events.Request):
                self.out += self.connection.send(wsproto.events.AcceptConnection(subprotocol="chat"))
            elif isinstance(event, wsproto.events.Message):
                self.parts.append(event.data)
                if event.message_finished:
                    said.append(self.parts[0][:0].join(self.parts))
                    self.parts = []
            elif isinstance(event, wsproto.events.CloseConnection):
                said.append(event.code)
                if self.connection.state is wsproto.connection.ConnectionState.REMOTE_CLOSING:
                    self.out += self.connection.send(event.response())
            elif isinstance(event, wsproto.events.Ping):
                self.out += self.connection.send(event.response())
        return said

    def say(self, message: Any) -> None:
        event = wsproto.events.TextMessage if isinstance(message, str) else wsproto.events.BytesMessage
        self.out += self.connection.send(event(data=message))

    def sent(self) -> bytes:
        out, self.out = self.out, b""
        return out

    def close(self) -> None:
        self.out += self.connection.send(wsproto.events.CloseConnection(code=1001, reason="bye"))


def peer_of(name: str, role: str) -> Any:
    if name == "wsproto":
        return Wsproto(wsproto.ConnectionType.SERVER if role == "server" else wsproto.ConnectionType.CLIENT)
    if role == "server":
        return Websockets(websockets.server.ServerProtocol(subprotocols=["chat"], max_size=None))
    uri = websockets.uri.parse_uri("ws://example.com/")
    client = websockets.client.ClientProtocol(uri, subprotocols=["chat"], max_size=None)
    client.send_request(client.connect())
    return Websockets(client)


def ours_of(role: str) -> "embws.ServerProtocol | embws.ClientProtocol":
    if role == "server":
        return embws.ServerProtocol(max_size=None)
    return embws.ClientProtocol("ws://example.com/", subprotocols=["chat"], max_size=None)


def exchange(ours: embws.Protocol, peer: Any) -> Tuple[List[Any], List[Any]]:
    """Carries bytes both ways until there are none: what we have heard, and what the peer has."""
    we: List[Any] = []
    they: List[Any] = []
    for _ in range(100):
        there, here = ours.data_to_send(), peer.sent()
        if not there and not here:
            return we, they
        if there:
            they += peer.receive(there)
        for at in range(0, len(here), 7919):
            ours.receive_data(here[at : at + 7919])
            parts: List[Any] = []
            for event in ours.events():
                if isinstance(event, embws.Request):
                    assert isinstance(ours, embws.ServerProtocol)
                    ours.accept(event.subprotocols[0])
                elif isinstance(event, embws.Data):
                    parts.append(event)
                    data = event.data.encode() if isinstance(event.data, str) else event.data
                    if event.first:
                        we.append([event.text, b""])
                    we[-1][1] += data
                elif isinstance(event, embws.Close):
                    we.append(event.code)
    raise AssertionError("they never come to an end")


def heard(raw: List[Any]) -> List[Any]:
    return [(item[1].decode() if item[0] else item[1]) if isinstance(item, list) else item for item in raw]


@pytest.mark.parametrize("name", ["websockets", "wsproto"])
@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize("first_to_close", ["we", "they"])
def test_a_conversation(name: str, role: str, first_to_close: str) -> None:
    ours, peer = ours_of(role), peer_of(name, "client" if role == "server" else "server")
    assert exchange(ours, peer) == ([], [])
    assert ours.state is embws.State.OPEN and ours.subprotocol == "chat"
    for message in SAID:
        if isinstance(message, str):
            ours.send_text(message)
        else:
            ours.send_binary(message)
        peer.say(message)
    ours.send_text("in ", fin=False)
    ours.ping(b"between")
    ours.send_continuation(b"parts")
    we, they = exchange(ours, peer)
    assert heard(we) == SAID
    assert they == [*SAID, "in parts"]
    if first_to_close == "we":
        ours.close(1001, "bye")
    else:
        peer.close()
    exchange(ours, peer)
    assert ours.state is embws.State.CLOSED and ours.close_code == 1001
