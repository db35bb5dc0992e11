package ws

// This file holds the control frames that answer and end: Reply and Close (RFC 6455 5.5, 7).

import (
	"encoding/binary"

	"github.com/embws/embws/ws/internal/mask"
	"github.com/embws/embws/ws/internal/utf8dfa"
)

// Reply writes what RFC 6455 wants in answer to an event: the Pong for a Ping (rule 66), the Close for a Close
// with its code (rule 79), and nothing for the rest, for a Ping behind the peer's Close, and for a Close after
// our own. Pings that came before a violation are still answered, until Close is called. payload is the
// event's. It returns the size of the frame, at most MaxControlFrameSize. Errors: ErrNoRoom with n the size
// needed, ErrFrameOpen, ErrControlSize, ErrRandom.
func (c *Codec) Reply(dst []byte, e Event, payload []byte) (n int, err error) {
	switch {
	case c.failed != 0 && c.facts&bitCloseSent != 0:
	case e.Kind == Ping && c.facts&bitCloseSeen == 0:
		if len(payload) > MaxControlPayload {
			return 0, ErrControlSize
		}
		return c.encodeControl(dst, Pong, payload)
	case e.Kind == Close && c.facts&bitCloseSent == 0:
		return c.Close(dst, c.replyCode(), "")
	}
	return 0, nil
}

// replyCode is the code that answers the peer's Close: its own (rule 79).
func (c *Codec) replyCode() CloseCode {
	if c.peerCode == CloseNoCode {
		return 0
	}
	return c.peerCode
}

// Close writes a Close frame with code and reason, or an empty one for code 0. It returns the frame's size, at
// most MaxControlFrameSize. After it the codec sends nothing but Pongs, and still receives until the peer's
// Close (rules 71 and 81). With the Pongs of Reply it is all that a failed codec still sends.
//
// Errors: ErrCodeSend for a code that must not be on the wire (rule 82), ErrReasonSend for a reason over 123
// bytes, one that is not UTF-8, or one without a code; ErrCloseSent, ErrFrameOpen, ErrRandom; ErrNoRoom with n
// the size needed.
func (c *Codec) Close(dst []byte, code CloseCode, reason string) (n int, err error) {
	if c.role == 0 {
		return 0, ErrRole
	}
	if bad := checkCloseSend(code, reason); bad != nil {
		return 0, bad
	}
	if c.facts&bitCloseSent != 0 {
		return 0, ErrCloseSent
	}
	var body [MaxControlPayload]byte
	size := 0
	if code != 0 {
		binary.BigEndian.PutUint16(body[:], uint16(code))
		size = 2 + copy(body[2:], reason)
	}
	n, err = c.encodeControl(dst, Close, body[:size])
	if err == nil {
		c.facts |= bitCloseSent
		c.sentCode = code
	}
	return n, err
}

// checkCloseSend checks what a caller wants to close with (rules 77 and 82).
func checkCloseSend(code CloseCode, reason string) *Error {
	switch {
	case code != 0 && !code.OnWire():
		return ErrCodeSend
	case len(reason) > MaxCloseReason || code == 0 && reason != "":
		return ErrReasonSend
	case reason != "":
		var b [MaxCloseReason]byte
		if !utf8dfa.Valid(b[:copy(b[:], reason)]) {
			return ErrReasonSend
		}
	}
	return nil
}

// encodeControl writes a control frame that was found right, but for what is owed.
func (c *Codec) encodeControl(dst []byte, op Opcode, payload []byte) (n int, err error) {
	switch {
	case c.role == 0:
		return 0, ErrRole
	case c.owed > 0:
		return 0, ErrFrameOpen
	}
	size := HeaderSize(c.role, uint64(len(payload)))
	if len(dst)-size < len(payload) {
		return size + len(payload), ErrNoRoom
	}
	key, bad := c.newKey()
	if bad != nil {
		return 0, bad
	}
	putHeader(dst, c.role, 0x80|byte(op), uint64(len(payload)), key)
	if c.role == Client {
		mask.Copy(dst[size:], payload, key)
	} else {
		copy(dst[size:], payload)
	}
	return size + len(payload), nil
}
