package ws

// This file holds the words of a frame: roles, opcodes, close codes and sizes (RFC 6455 5.2, 7.4).

// Role is the end of the connection that a codec, session or Conn plays.
type Role uint8

// The two roles. The zero Role is neither, so that a forgotten Reset is an error and not a guess.
const (
	Server Role = 1 // receives masked frames, sends unmasked ones
	Client Role = 2 // receives unmasked frames, sends masked ones
)

// Opcode is the type of a frame, and of the event that tells of it (RFC 6455 5.2, 11.8).
type Opcode uint8

// The opcodes of RFC 6455. All others are reserved (rule 41).
const (
	Continuation Opcode = 0
	Text         Opcode = 1
	Binary       Opcode = 2
	Close        Opcode = 8
	Ping         Opcode = 9
	Pong         Opcode = 10
)

// IsControl reports whether op is a control frame: one frame of at most 125 bytes that may stand between the
// fragments of a message (RFC 6455 5.5).
func (op Opcode) IsControl() bool { return op&8 != 0 }

// String returns the opcode's name in RFC 6455, in lower case.
func (op Opcode) String() string {
	switch op {
	case Continuation:
		return "continuation"
	case Text:
		return "text"
	case Binary:
		return "binary"
	case Close:
		return "close"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	case Handshake:
		return "handshake"
	}
	return "reserved"
}

// Sizes in bytes (RFC 6455 5.2, 5.5).
const (
	MaxHeaderSize       = 14                        // of a frame header: 2, a 64-bit length, a masking key
	MaxControlPayload   = 125                       // of a control frame
	MaxCloseReason      = MaxControlPayload - 2     // of a close reason, in UTF-8
	MaxControlFrameSize = 2 + 4 + MaxControlPayload // of a masked control frame with its header
)

// HeaderSize returns how many bytes the header of a frame takes that role sends with length bytes of payload:
// 2 to 14, always the shortest form (rule 97).
func HeaderSize(role Role, length uint64) int {
	n := 2
	switch {
	case length > 0xFFFF:
		n = 10
	case length > 125:
		n = 4
	}
	if role == Client {
		n += 4
	}
	return n
}

// FrameSize returns the bytes that a whole frame takes on the wire.
func FrameSize(role Role, length uint64) uint64 { return uint64(HeaderSize(role, length)) + length }

// CloseCode says why a connection is closed (RFC 6455 7.4).
type CloseCode uint16

// The close codes of RFC 6455 7.4.1 and of the IANA registry.
const (
	CloseNormal             CloseCode = 1000
	CloseGoingAway          CloseCode = 1001
	CloseProtocolError      CloseCode = 1002
	CloseUnsupportedData    CloseCode = 1003
	CloseNoCode             CloseCode = 1005 // never on the wire: the peer's Close had no code (rule 72)
	CloseAbnormal           CloseCode = 1006 // never on the wire: the transport ended without a Close (rule 84)
	CloseInvalidPayload     CloseCode = 1007
	ClosePolicyViolation    CloseCode = 1008
	CloseMessageTooBig      CloseCode = 1009
	CloseMandatoryExtension CloseCode = 1010
	CloseInternalError      CloseCode = 1011
	CloseServiceRestart     CloseCode = 1012
	CloseTryAgainLater      CloseCode = 1013
	CloseBadGateway         CloseCode = 1014
	CloseTLSHandshake       CloseCode = 1015 // never on the wire
)

// OnWire reports whether c may stand in a Close frame: 1000-1003, 1007-1014, 3000-4999 (rules 74, 75 and 82).
func (c CloseCode) OnWire() bool {
	return c >= 1000 && c <= 1003 || c >= 1007 && c <= 1014 || c >= 3000 && c <= 4999
}
