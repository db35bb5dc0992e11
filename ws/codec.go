package ws

// This file holds the Codec: its state, its set-up, and what a caller can ask of it. decode.go and encode.go hold
// its two halves, which share nothing but what stands here.

import "github.com/embws/embws/ws/internal/utf8dfa"

// Codec is one end of an open WebSocket connection, without the I/O: the handshake is over, and what arrives and
// what leaves are frames (RFC 6455 5).
//
// It is a plain value of at most 256 bytes, to be embedded anywhere; Reset makes it ready. It has one user at a
// time, and allocates nothing, ever. Its memory holds one pointer, to the Options. A copy made while a
// connection is open would be a second end of the same stream: do not use both.
type Codec struct {
	opt *Options

	// Receiving.
	left    uint64 // payload bytes of the current frame still to come
	message uint64 // payload bytes of the current message, with all of its current frame; inflated ones if it is compressed
	offset  uint64 // bytes of the stream eaten

	// Sending.
	owed uint64 // payload bytes of the last EncodeHeader still to be sent

	key     uint32 // of the incoming frame, turned to its next byte
	sendKey uint32 // of the owed payload, likewise

	role     Role
	phase    phase
	opcode   Opcode        // of the current incoming frame
	kind     Opcode        // of the open incoming message, or 0
	sendKind Opcode        // of the open outgoing message, or 0
	facts    facts         // see there
	edges    Flags         // FrameStart and MessageStart, until an event has carried them
	text     utf8dfa.State // of the incoming text message
	sendText utf8dfa.State // of the outgoing one
	failed   uint8         // the rule that was broken, or 0

	peerCode CloseCode // of the peer's Close
	sentCode CloseCode // of our Close

	headLen    uint8 // bytes in head
	controlLen uint8 // bytes in control
	head       [MaxHeaderSize]byte
	control    [MaxControlPayload]byte // a control frame that the input split, and the body of the peer's Close
}

// phase is what the next incoming byte belongs to.
type phase uint8

const (
	inHeader  phase = iota // a frame header
	inData                 // the payload of a data frame
	inControl              // the payload of a control frame
	inTail                 // nothing: the end of a compressed message waits for room in out
)

// facts are yes-or-no facts of both halves.
type facts uint8

const (
	bitFin        facts = 1 << iota // the incoming frame ends its message
	bitCompressed                   // the incoming message is compressed
	bitCloseSeen                    // the peer's Close was received
	bitCloseSent                    // our Close was written
	bitSendText                     // the owed payload is of a text message
	bitSendLast                     // the owed payload ends a message
	bitSendPacked                   // the open outgoing message is compressed
)

// Reset makes c ready for a new connection as role, with nothing received or sent. opt stays the caller's and
// is only read; nil means the defaults. If role is neither Server nor Client, all calls give ErrRole until the
// next Reset.
func (c *Codec) Reset(role Role, opt *Options) {
	if opt == nil {
		opt = &noOptions
	}
	*c = Codec{opt: opt, role: role}
	if role != Server && role != Client {
		c.role = 0
	}
}

// Role returns the role given to Reset, or 0 before it.
func (c *Codec) Role() Role { return c.role }

// Received returns the number of bytes of the stream that Decode has eaten.
func (c *Codec) Received() uint64 { return c.offset }

// Failure tells which rule the peer broke, and where. The zero Failure means none. It stays until Reset.
func (c *Codec) Failure() Failure {
	if c.failed == 0 {
		return Failure{}
	}
	return Failure{Err: violation(c.failed), Offset: c.offset, Header: c.head, HeaderLen: c.headLen}
}

// PeerClose returns the code and reason of the peer's Close, and whether one was received. The code is CloseNoCode
// when the peer gave none (rule 72). The reason lies in the codec and stays until Reset.
func (c *Codec) PeerClose() (code CloseCode, reason []byte, ok bool) {
	if c.facts&bitCloseSeen == 0 {
		return 0, nil, false
	}
	if c.controlLen > 2 {
		reason = c.control[2:c.controlLen:c.controlLen]
	}
	return c.peerCode, reason, true
}

// SentClose returns the code of the Close that was encoded, and whether there was one.
func (c *Codec) SentClose() (code CloseCode, ok bool) {
	return c.sentCode, c.facts&bitCloseSent != 0
}

// Done reports whether both ends have sent their Close: the closing handshake is complete (RFC 6455 7.1.4).
func (c *Codec) Done() bool { return c.facts&(bitCloseSeen|bitCloseSent) == bitCloseSeen|bitCloseSent }

// State returns where the connection stands: StateOpen, StateClosing when one end has sent its Close, StateClosed when
// both have, StateFailed, or StateNone if c was not set up.
func (c *Codec) State() State {
	switch closes := c.facts & (bitCloseSeen | bitCloseSent); {
	case c.role == 0:
		return StateNone
	case c.failed != 0:
		return StateFailed
	case closes == 0:
		return StateOpen
	case closes != bitCloseSeen|bitCloseSent:
		return StateClosing
	}
	return StateClosed
}

// End tells the codec that the transport has ended. It returns nil if the peer's Close had come before, the
// violation if there was one, and else ErrNoClose (rule 84).
func (c *Codec) End() error {
	switch {
	case c.role == 0:
		return ErrRole
	case c.failed != 0:
		return violation(c.failed)
	case c.facts&bitCloseSeen != 0:
		return nil
	}
	return ErrNoClose
}

// violation returns the error of a rule that an incoming frame can break.
func violation(rule uint8) *Error {
	for _, e := range frameViolations {
		if e.Rule == rule {
			return e
		}
	}
	return ErrFailed
}

var frameViolations = [...]*Error{
	ErrReservedBits, ErrReservedBit1, ErrOpcode, ErrUnmasked, ErrMasked, ErrLength16, ErrLength64, ErrLengthTopBit,
	ErrMessageMemory, ErrFrameTooBig, ErrContinuation, ErrInterleaved, ErrControlFragmented, ErrControlTooLong, ErrMessageTooBig,
	ErrCloseLength, ErrCloseCode, ErrCloseReason, ErrUTF8, ErrUTF8Incomplete, ErrReservedBit1Middle, ErrReservedBit1Control,
	ErrInflate, ErrInflatedTooBig,
}
