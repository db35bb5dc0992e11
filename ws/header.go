package ws

// This file checks the headers of incoming frames (RFC 6455 5.2): each byte as it comes, in the order of the
// stream, so that any split finds the same violation at the same byte.

import "encoding/binary"

// limits are the inclusive limits of one call.
type limits struct {
	frame, message uint64
	messageRule    uint8 // the rule that a message over the limit breaks
}

func (c *Codec) limits(room uint64) limits {
	l := limits{limit(c.opt.MaxFrame, DefaultMaxFrame), limit(c.opt.MaxMessage, DefaultMaxMessage), ErrMessageTooBig.Rule}
	if room < l.message {
		l.message, l.messageRule = room, ErrMessageMemory.Rule
	}
	return l
}

// readHeader takes header bytes until the header is whole.
func (c *Codec) readHeader(d *decoder) (rule uint8) {
	if c.headLen == 0 && len(d.buf)-d.at >= MaxHeaderSize {
		if c.wholeHeader(d) {
			return 0
		}
	}
	for d.at < len(d.buf) {
		b := d.buf[d.at]
		c.head[c.headLen] = b
		c.headLen++
		if rule = c.checkHeader(&d.limits); rule != 0 {
			return rule
		}
		d.at++
		if c.headLen >= 2 && int(c.headLen) == c.headerSize() {
			c.beginFrame()
			return 0
		}
	}
	return 0
}

// wholeHeader takes a header that lies whole in the buffer. If anything is wrong with it, nothing is changed,
// and the way byte by byte will find what.
func (c *Codec) wholeHeader(d *decoder) bool {
	copy(c.head[:], d.buf[d.at:d.at+MaxHeaderSize])
	c.headLen = 1
	rule := c.checkFirst(c.head[0])
	if rule == 0 {
		rule = c.checkSecond(c.head[1], &d.limits)
	}
	if rule == 0 && c.head[1]&0x7F > 125 {
		rule = c.checkLength(&d.limits)
	}
	if rule != 0 {
		c.headLen = 0
		return false
	}
	size := c.headerSize()
	c.headLen = uint8(size)
	d.at += size
	c.beginFrame()
	return true
}

// checkHeader checks the last of the headLen bytes of head.
func (c *Codec) checkHeader(l *limits) (rule uint8) {
	switch c.headLen {
	case 1:
		return c.checkFirst(c.head[0])
	case 2:
		return c.checkSecond(c.head[1], l)
	case 3:
		if c.head[1]&0x7F == 127 && c.head[2]&0x80 != 0 {
			return ErrLengthTopBit.Rule
		}
	case 4:
		if c.head[1]&0x7F == 126 {
			return c.checkLength(l)
		}
	case 10:
		if c.head[1]&0x7F == 127 {
			return c.checkLength(l)
		}
	}
	return 0
}

// checkFirst checks FIN, RSV and opcode (rules 39-41, 57, 58, 61, 111, 112).
func (c *Codec) checkFirst(b byte) (rule uint8) {
	const fin, rsv1, rsv23 = 0x80, 0x40, 0x30
	op := Opcode(b & 0x0F)
	switch {
	case b&rsv23 != 0:
		return ErrReservedBits.Rule
	case b&rsv1 != 0 && c.opt.Inflate == nil:
		return ErrReservedBit1.Rule
	case op > Binary && op < Close || op > Pong:
		return ErrOpcode.Rule
	case op.IsControl():
		if b&rsv1 != 0 {
			return ErrReservedBit1Control.Rule
		}
		if b&fin == 0 {
			return ErrControlFragmented.Rule
		}
	case op == Continuation:
		if c.kind == 0 {
			return ErrContinuation.Rule
		}
		if b&rsv1 != 0 {
			return ErrReservedBit1Middle.Rule
		}
	case c.kind != 0:
		return ErrInterleaved.Rule
	}
	return 0
}

// checkSecond checks the mask bit and a 7-bit length (rules 42, 43, 62, 73, and the limits).
func (c *Codec) checkSecond(b byte, l *limits) (rule uint8) {
	op, length := Opcode(c.head[0]&0x0F), b&0x7F
	switch {
	case c.role == Server && b&0x80 == 0:
		return ErrUnmasked.Rule
	case c.role == Client && b&0x80 != 0:
		return ErrMasked.Rule
	case op.IsControl():
		if length > MaxControlPayload {
			return ErrControlTooLong.Rule
		}
		if op == Close && length == 1 {
			return ErrCloseLength.Rule
		}
	case length <= 125:
		return c.checkLimits(uint64(length), l)
	}
	return 0
}

// checkLength checks a 16-bit or 64-bit length, all of whose bytes are in head (rules 45-47, and the limits).
func (c *Codec) checkLength(l *limits) (rule uint8) {
	length := c.length()
	switch {
	case length>>63 != 0:
		return ErrLengthTopBit.Rule
	case c.opt.LongLengths:
	case c.head[1]&0x7F == 126 && length < 126:
		return ErrLength16.Rule
	case c.head[1]&0x7F == 127 && length < 1<<16:
		return ErrLength64.Rule
	}
	return c.checkLimits(length, l)
}

// checkLimits checks the length of a data frame against the limits (rules 48, 49 and 65). Inflated payload is
// counted as it comes (rule 118).
func (c *Codec) checkLimits(length uint64, l *limits) (rule uint8) {
	packed := c.head[0]&0x40 != 0 || c.head[0]&0x0F == 0 && c.facts&bitCompressed != 0
	switch {
	case length > l.frame:
		return ErrFrameTooBig.Rule
	case !packed && length > l.message-min(c.message, l.message):
		return l.messageRule
	}
	return 0
}

// headerSize returns the size of the header whose first two bytes are in head.
func (c *Codec) headerSize() int {
	n := 2
	switch c.head[1] & 0x7F {
	case 126:
		n = 4
	case 127:
		n = 10
	}
	if c.role == Server {
		n += 4
	}
	return n
}

// length returns the payload length in head.
func (c *Codec) length() uint64 {
	switch n := c.head[1] & 0x7F; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(c.head[2:]))
	case 127:
		return binary.BigEndian.Uint64(c.head[2:])
	default:
		return uint64(n)
	}
}

// beginFrame takes over the checked header in head.
func (c *Codec) beginFrame() {
	c.left = c.length()
	if c.role == Server {
		c.key = binary.LittleEndian.Uint32(c.head[c.headLen-4:])
	}
	c.opcode = Opcode(c.head[0] & 0x0F)
	if c.opcode.IsControl() {
		c.phase = inControl
		c.controlLen = 0
		return
	}
	c.phase = inData
	c.edges = FrameStart
	c.facts &^= bitFin
	if c.head[0]&0x80 != 0 {
		c.facts |= bitFin
	}
	if c.opcode != Continuation {
		c.kind = c.opcode
		c.edges |= MessageStart
		c.text = 0
		c.facts &^= bitCompressed
		if c.head[0]&0x40 != 0 {
			c.facts |= bitCompressed
		}
	}
	c.opcode = c.kind // rule 59
	if c.facts&bitCompressed == 0 {
		c.message += c.left
	}
}
