package ws

// This file holds the sending half of the Codec; encode_control.go has the control frames that it sends of
// itself. The encoders are atomic: where dst is too small, nothing is written and nothing changed, and n is the
// size that is needed. (EncodePayload and EncodeCompressed, which go piece by piece, say so.)

import (
	"encoding/binary"
	"io"
	"math/bits"

	"github.com/embws/embws/ws/internal/mask"
	"github.com/embws/embws/ws/internal/utf8dfa"
)

// Encode writes one frame to dst: its header, in the shortest form (rule 97), and payload, which a client masks
// on the way with a fresh key (rules 95 and 96). It returns the frame's size, FrameSize(role, len(payload)).
// payload is not changed and must not overlap dst.
//
// op is Text, Binary, Ping or Pong. A message may be sent in fragments: give the kind with each of them, and
// fin with the last; the codec writes the opcodes (rule 101). Continuation stands for the kind of the open
// message. Control frames may go out between fragments (rule 70).
//
// Errors: ErrNoRoom if dst is too small, with n the size that is needed; ErrOpcodeSend, ErrControlSize,
// ErrMessageOpen, ErrNoMessage for a wrong op; ErrFrameOpen while EncodeHeader is owed payload; ErrCloseSent,
// ErrCloseSeen, ErrFailed when it is too late; ErrTextSend with Options.CheckText; ErrRandom. Nothing is
// written with an error.
func (c *Codec) Encode(dst []byte, op Opcode, fin bool, payload []byte) (n int, err error) {
	n = len(payload)
	if keys := c.readyKeys(op, fin); keys != nil && uint(n-16) <= MaxControlPayload-16 && len(dst)-n >= 6 {
		key := keys.take()
		binary.LittleEndian.PutUint64(dst, 0x8080|uint64(op)|uint64(n)<<8|uint64(key)<<16)
		k, out := uint64(key)<<32|uint64(key), dst[6:6+n]
		turned := bits.RotateLeft64(k, -8*(n&3))
		switch { // blocks from the head and blocks up to the end, which overlap: no loop and no call
		case n >= 64:
			mask.Block32(out, payload, k)
			mask.Block32(out[32:], payload[32:], k)
			mask.Block32(out[n-64:], payload[n-64:], turned)
			mask.Block32(out[n-32:], payload[n-32:], turned)
		case n >= 32:
			mask.Block32(out, payload, k)
			mask.Block32(out[n-32:], payload[n-32:], turned)
		default:
			mask.Block16(out, payload, k)
			mask.Block16(out[n-16:], payload[n-16:], turned)
		}
		return 6 + n, nil
	}
	return c.encodeFrame(dst, op, fin, payload)
}

// readyKeys returns the pool of a client that may send a whole message now without a second look, if a key is
// in it; else nil.
func (c *Codec) readyKeys(op Opcode, fin bool) *Keys {
	if c.role == Client && fin && op-1 <= 1 && c.plain() {
		if keys := c.opt.Keys; keys != nil && keys.left >= 4 {
			return keys
		}
	}
	return nil
}

// encodeFrame is Encode for the frames that it does not write itself.
func (c *Codec) encodeFrame(dst []byte, op Opcode, fin bool, payload []byte) (n int, err error) {
	if fin && len(payload) <= 125 && (op == Text || op == Binary) && c.plain() {
		return c.encodeShort(dst, 0x80|byte(op), payload)
	}
	first, bad := c.firstByte(op, fin, uint64(len(payload)))
	if bad != nil {
		return 0, bad
	}
	if c.facts&bitSendPacked != 0 && !op.IsControl() {
		return 0, ErrMessageOpen
	}
	size := HeaderSize(c.role, uint64(len(payload)))
	if len(dst)-size < len(payload) {
		return size + len(payload), ErrNoRoom
	}
	text, bad := c.checkText(op, fin, payload)
	if bad != nil {
		return 0, bad
	}
	key, bad := c.newKey()
	if bad != nil {
		return 0, bad
	}
	putHeader(dst, c.role, first, uint64(len(payload)), key)
	if c.role == Client {
		mask.Copy(dst[size:], payload, key)
	} else {
		copy(dst[size:], payload)
	}
	c.sent(op, fin, text)
	return size + len(payload), nil
}

// plain reports whether any message may be sent now, and none needs a check.
func (c *Codec) plain() bool {
	return c.role != 0 && c.owed == 0 && !c.opt.CheckText &&
		uint8(c.sendKind)|c.failed|uint8(c.facts&(bitCloseSeen|bitCloseSent)) == 0
}

// encodeShort is Encode for a message of at most 125 bytes in one frame, on a plain codec, whose state it
// leaves as it is.
func (c *Codec) encodeShort(dst []byte, first byte, payload []byte) (n int, err error) {
	if c.role == Server {
		if n = 2 + len(payload); len(dst) < n {
			return n, ErrNoRoom
		}
		dst[0], dst[1] = first, byte(len(payload))
		copy(dst[2:], payload)
		return n, nil
	}
	if n = 6 + len(payload); len(dst) < n {
		return n, ErrNoRoom
	}
	key, bad := c.newKey()
	if bad != nil {
		return 0, bad
	}
	dst[0], dst[1] = first, 0x80|byte(len(payload))
	binary.LittleEndian.PutUint32(dst[2:], key)
	mask.Copy(dst[6:], payload, key)
	return n, nil
}

// EncodeHeader writes only the header of a data frame whose payload has length bytes, and returns its size,
// HeaderSize(role, length). The payload is then owed: EncodePayload writes it in pieces of any size, or a
// server, which does not mask, sends it from where it lies and reports it by Sent. Until all was sent the codec
// refuses other frames.
//
// op, fin and the errors are those of Encode; a control frame cannot be sent so (ErrOpcodeSend).
func (c *Codec) EncodeHeader(dst []byte, op Opcode, fin bool, length uint64) (n int, err error) {
	if op.IsControl() {
		return 0, ErrOpcodeSend
	}
	if length>>63 != 0 {
		return 0, ErrLengthTopBit
	}
	first, bad := c.firstByte(op, fin, length)
	if bad != nil {
		return 0, bad
	}
	if c.facts&bitSendPacked != 0 {
		return 0, ErrMessageOpen
	}
	size := HeaderSize(c.role, length)
	if len(dst) < size {
		return size, ErrNoRoom
	}
	if length == 0 {
		if _, bad := c.checkText(op, fin, nil); bad != nil {
			return 0, bad
		}
	}
	key, bad := c.newKey()
	if bad != nil {
		return 0, bad
	}
	putHeader(dst, c.role, first, length, key)
	c.owed = length
	c.sendKey = key
	c.sent(op, fin, c.sendText)
	if fin && length > 0 {
		c.facts |= bitSendLast
	}
	return size, nil
}

// EncodePayload writes as much of src as dst has room for and as is owed, masked by a client, and returns how
// many bytes that was; the caller sends them. dst and src are the same memory or apart. With Options.CheckText,
// text that is not UTF-8 gives ErrTextSend before anything of src is written: the message cannot be finished
// then, so Close the connection's transport. If more than is owed was given, the rest stays with the caller.
func (c *Codec) EncodePayload(dst, src []byte) (n int, err error) {
	if c.role == 0 {
		return 0, ErrRole
	}
	n = int(min(c.owed, uint64(len(dst)), uint64(len(src))))
	src = src[:n]
	if c.opt.CheckText && c.facts&bitSendText != 0 {
		state, bad := utf8dfa.Check(c.sendText, src)
		if bad >= 0 || uint64(n) == c.owed && c.facts&bitSendLast != 0 && !state.Complete() {
			return 0, ErrTextSend
		}
		c.sendText = state
	}
	if c.role == Client {
		mask.Copy(dst, src, c.sendKey)
		c.sendKey = mask.Rotate(c.sendKey, n)
	} else {
		copy(dst, src)
	}
	c.owed -= uint64(n)
	return n, nil
}

// Sent reports that a server has sent n bytes of the owed payload itself. ErrSentTooMuch means that fewer are
// owed, or that the codec is a client's, whose payload must pass EncodePayload to be masked; nothing is counted
// then.
func (c *Codec) Sent(n uint64) error {
	if c.role != Server || n > c.owed {
		return ErrSentTooMuch
	}
	c.owed -= n
	return nil
}

// Owed returns how many bytes of payload the last EncodeHeader is still owed.
func (c *Codec) Owed() uint64 { return c.owed }

// EncodeCompressed writes one frame of a message that the Deflater compresses, as large as dst allows (RFC 7692
// 6.1). used is how many bytes of payload were taken. It goes piece by piece: ErrNoRoom means that more of the
// message waits, so send dst[:n], and call again with payload[used:] and the same op and fin. dst needs at
// least MaxHeaderSize+1 bytes, else nothing is done and n is 0. Options.Deflate must be set (ErrOpcodeSend);
// ErrDeflate is its failure. The other errors are those of Encode.
func (c *Codec) EncodeCompressed(dst []byte, op Opcode, fin bool, payload []byte) (n, used int, err error) {
	if op.IsControl() || c.role != 0 && c.opt.Deflate == nil {
		return 0, 0, ErrOpcodeSend
	}
	fresh := c.sendKind == 0
	first, bad := c.firstByte(op, false, 0)
	if bad != nil {
		return 0, 0, bad
	}
	if !fresh && c.facts&bitSendPacked == 0 {
		return 0, 0, ErrMessageOpen
	}
	if len(dst) <= MaxHeaderSize {
		return 0, 0, ErrNoRoom
	}
	if _, bad = c.checkText(op, fin, payload); bad != nil {
		return 0, 0, bad
	}
	key, bad := c.newKey()
	if bad != nil {
		return 0, 0, bad
	}
	size := HeaderSize(c.role, uint64(len(dst)))
	wrote, used, err := c.opt.Deflate.Deflate(dst[size:], payload, fin)
	switch over := err == io.EOF; {
	case wrote < 0 || used < 0 || wrote > len(dst)-size || used > len(payload), err != nil && !over,
		over && !(fin && used == len(payload)), !over && wrote == 0 && used == 0 && (fin || len(payload) > 0):
		return 0, 0, ErrDeflate
	}
	text, _ := c.checkText(op, false, payload[:used])
	done := err == io.EOF
	if fresh {
		first |= 0x40
	}
	if done {
		first |= 0x80
	}
	exact := HeaderSize(c.role, uint64(wrote))
	body := dst[exact : exact+wrote]
	copy(body, dst[size:size+wrote])
	clear(dst[exact+wrote : size+wrote]) // rule 102
	putHeader(dst, c.role, first, uint64(wrote), key)
	if c.role == Client {
		mask.XOR(body, key)
	}
	c.sent(op, done, text)
	if c.facts |= bitSendPacked; done {
		c.facts &^= bitSendPacked
	}
	if !done && (fin || used < len(payload)) {
		return exact + wrote, used, ErrNoRoom
	}
	return exact + wrote, used, nil
}

// firstByte returns the first byte of the frame that is asked for, or why it cannot be sent.
func (c *Codec) firstByte(op Opcode, fin bool, length uint64) (byte, *Error) {
	switch {
	case c.role == 0:
		return 0, ErrRole
	case c.failed != 0:
		return 0, ErrFailed
	case c.facts&bitCloseSeen != 0:
		return 0, ErrCloseSeen
	case c.facts&bitCloseSent != 0 && op != Pong:
		return 0, ErrCloseSent
	case c.owed > 0:
		return 0, ErrFrameOpen
	}
	b := byte(op)
	switch op {
	case Text, Binary:
		if c.sendKind != 0 {
			if c.sendKind != op {
				return 0, ErrMessageOpen
			}
			b = byte(Continuation)
		}
	case Continuation:
		if c.sendKind == 0 {
			return 0, ErrNoMessage
		}
	case Ping, Pong:
		if !fin || length > MaxControlPayload {
			return 0, ErrControlSize
		}
	default:
		return 0, ErrOpcodeSend
	}
	if fin {
		b |= 0x80
	}
	return b, nil
}

// checkText returns the state of the outgoing text after payload, if it is to be checked (rule 94).
func (c *Codec) checkText(op Opcode, fin bool, payload []byte) (utf8dfa.State, *Error) {
	if !c.opt.CheckText || op != Text && (op != Continuation || c.sendKind != Text) {
		return c.sendText, nil
	}
	state, bad := utf8dfa.Check(c.sendText, payload)
	if bad >= 0 || fin && !state.Complete() {
		return 0, ErrTextSend
	}
	return state, nil
}

// sent notes that a frame was written.
func (c *Codec) sent(op Opcode, fin bool, text utf8dfa.State) {
	if op.IsControl() {
		return
	}
	if op != Continuation {
		c.sendKind = op
	}
	c.facts &^= bitSendLast | bitSendText
	if c.sendKind == Text {
		c.facts |= bitSendText
	}
	c.sendText = text
	if fin {
		c.sendKind = 0
	}
}

// newKey returns a fresh masking key for a client, and 0 for a server.
func (c *Codec) newKey() (uint32, *Error) {
	if c.role != Client {
		return 0, nil
	}
	if c.opt.Keys != nil {
		return c.opt.Keys.next()
	}
	var b [4]byte
	if err := fillDefault(b[:]); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b[:]), nil
}

// putHeader writes a header in its shortest form to dst, which has room for it.
func putHeader(dst []byte, role Role, first byte, length uint64, key uint32) {
	n, maskBit := 2, byte(0)
	if role == Client {
		maskBit = 0x80
	}
	dst[0] = first
	switch {
	case length <= 125:
		dst[1] = byte(length) | maskBit
	case length <= 0xFFFF:
		dst[1] = 126 | maskBit
		binary.BigEndian.PutUint16(dst[2:], uint16(length))
		n = 4
	default:
		dst[1] = 127 | maskBit
		binary.BigEndian.PutUint64(dst[2:], length)
		n = 10
	}
	if role == Client {
		binary.LittleEndian.PutUint32(dst[n:], key)
	}
}

// Mask masks or unmasks p in place with key, as RFC 6455 5.3 has it, where phase is how many bytes of the payload
// came before p. Only code that does without a Codec needs it.
func Mask(p []byte, key [4]byte, phase int) {
	mask.XOR(p, mask.Rotate(binary.LittleEndian.Uint32(key[:]), phase))
}
