"""Frames and heads written by hand, so that the tests do not ask the code under test what the wire should look like."""

from __future__ import annotations

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CONTINUATION = 0

#: The masking key of the examples in RFC 6455 5.7.
KEY = bytes.fromhex("37fa213d")

REQUEST = (
    b"GET /chat?room=1 HTTP/1.1\r\n"
    b"Host: server.example.com\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Origin: http://example.com\r\n"
    b"Sec-WebSocket-Protocol: chat, superchat\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"\r\n"
)


def masked(payload: bytes, key: bytes = KEY) -> bytes:
    """The payload, masked or unmasked (RFC 6455 5.3)."""
    whole = key * (len(payload) // 4 + 1)
    return (int.from_bytes(payload, "big") ^ int.from_bytes(whole[: len(payload)], "big")).to_bytes(len(payload), "big")


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bool = True) -> bytes:
    """A frame, as a client (mask) or a server sends it (RFC 6455 5.2)."""
    n = len(payload)
    first, bit = (0x80 if fin else 0) | opcode, 0x80 if mask else 0
    if n < 126:
        head = bytes((first, bit | n))
    elif n < 65536:
        head = bytes((first, bit | 126)) + n.to_bytes(2, "big")
    else:
        head = bytes((first, bit | 127)) + n.to_bytes(8, "big")
    return head + KEY + masked(payload) if mask else head + payload


def closing(code: int, reason: str = "", *, mask: bool = True) -> bytes:
    """A Close frame."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason.encode(), mask=mask)
