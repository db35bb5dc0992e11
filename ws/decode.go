package ws

// This file holds the receiving half of the Codec: what the next byte belongs to, and the payload. header.go checks
// the frame headers, decode_whole.go is the way round for messages that lie whole in the buffer.

import (
	"encoding/binary"
	"io"

	"github.com/embws/embws/ws/internal/mask"
	"github.com/embws/embws/ws/internal/utf8dfa"
)

// Decode takes the next bytes of the stream, unmasks them in place, and appends what it found to events, up to
// the slice's capacity: the slice is never grown. It returns how many bytes of buf were eaten, the events, and
// an error. Codec.Payload gives the payload of an event.
//
// All of buf is eaten, and may be of any size, but for three cases, in which the rest is to be given again: the
// events are full; out is full; or two control frames of one call were split by the input. After the peer's
// Close, bytes are eaten and dropped (rule 80).
//
// out is room for inflated payload, needed only with an Inflater. If a call has filled it to its end, call
// again, even if buf is used up.
//
// The first violation fails the codec for good: the error is the *Error of the rule, the events found before it
// come with it, n counts the bytes before it, and each further call gives n = 0 and the same error. Code tells
// what to close with. ErrNoRoom means that events or, for compressed payload, out has no room at all; ErrRole
// that Reset was not called. Neither changes anything.
func (c *Codec) Decode(buf, out []byte, events []Event) (n int, found []Event, err error) {
	return c.decode(buf, out, events, 1<<64-1, false)
}

// decode is Decode for whom whole messages must fit room bytes (rule 48). With patient, the last frame of a
// connection, be it a Close or one that breaks a rule, is left for the next call if others were found before
// it: those can be answered then, as they could if they had come alone.
func (c *Codec) decode(buf, out []byte, events []Event, room uint64, patient bool) (int, []Event, error) {
	switch {
	case c.role == 0:
		return 0, events, ErrRole
	case c.failed != 0:
		return 0, events, violation(c.failed)
	case c.facts&bitCloseSeen != 0:
		c.offset += uint64(len(buf))
		return len(buf), events, nil
	case len(events) == cap(events) && (len(buf) > 0 || c.phase == inTail):
		return 0, events, ErrNoRoom
	}
	l, at, found := c.limits(room), 0, events
	if c.phase == inHeader && c.headLen == 0 && c.kind == 0 {
		if at, found = c.decodeMessages(buf, 0, events, &l); at == len(buf) {
			c.offset += uint64(at)
			return at, found, nil
		}
	}
	d := decoder{buf: buf, out: out, limits: l, at: at, patient: patient}
	found, rule := c.run(&d, found)
	c.offset += uint64(d.at)
	if rule != 0 {
		c.failed = rule
		return d.at, found, violation(rule)
	}
	if d.noRoom && d.at == 0 && len(found) == len(events) {
		return 0, found, ErrNoRoom
	}
	return d.at, found, nil
}

// decoder is one call of Decode, but for its events: what lies here is shown to an Inflater.
type decoder struct {
	buf, out []byte
	at       int // bytes of buf eaten
	used     int // bytes of out used
	limits   limits
	event    Event // what the last step has found, if hasEvent
	hasEvent bool
	keptUsed bool // an event of this call lies in the codec
	noRoom   bool // out is full
	patient  bool // see decode
}

func (d *decoder) emit(e Event) { d.event, d.hasEvent = e, true }

// run goes on until buf is used up, no room is left, or a rule is broken.
func (c *Codec) run(d *decoder, events []Event) (found []Event, rule uint8) {
	begin := mark{at: -1}
	for len(events) < cap(events) {
		before, from := d.at, c.phase
		switch c.phase {
		case inHeader:
			if c.headLen == 0 {
				if c.kind == 0 {
					d.at, events = c.decodeMessages(d.buf, d.at, events, &d.limits)
					if len(events) == cap(events) {
						return events, 0
					}
				}
				if d.patient && len(events) > 0 {
					if d.at < len(d.buf) && Opcode(d.buf[d.at]&0x0F) == Close {
						return events, 0
					}
					begin = c.mark(d, len(events))
				}
			}
			rule = c.readHeader(d)
		case inData:
			if c.facts&bitCompressed != 0 {
				rule = c.inflate(d)
			} else {
				rule = c.data(d)
			}
		case inControl:
			rule = c.controlFrame(d)
			if c.facts&bitCloseSeen != 0 {
				d.at = len(d.buf)
			}
		case inTail:
			rule = c.inflate(d)
		}
		if d.hasEvent {
			d.hasEvent = false
			events = append(events, d.event)
		} else if d.at == before && c.phase == from && rule == 0 {
			return events, 0 // rule 55: what is here gives no more
		}
		if rule != 0 && begin.at >= 0 && c.facts&bitCompressed == 0 {
			c.rewind(d, &begin)
			return events[:begin.events], 0
		}
		if rule != 0 || c.facts&bitCloseSeen != 0 {
			return events, rule
		}
	}
	return events, 0
}

// mark is what the codec was before a frame of this call, for which rewind may be wanted.
type mark struct {
	at, events int
	message    uint64
	kind       Opcode
	text       utf8dfa.State
	facts      facts
}

func (c *Codec) mark(d *decoder, events int) mark {
	return mark{d.at, events, c.message, c.kind, c.text, c.facts}
}

// rewind makes the frame that began at m unseen, its payload masked again. All of it that was seen was seen in
// this call.
func (c *Codec) rewind(d *decoder, m *mark) {
	if c.phase == inData && c.role == Server {
		start := m.at + int(c.headLen)
		n := int(min(c.length(), uint64(len(d.buf)-start), maxPiece))
		mask.XOR(d.buf[start:start+n], binary.LittleEndian.Uint32(c.head[c.headLen-4:]))
	}
	c.message, c.kind, c.text, c.facts = m.message, m.kind, m.text, m.facts
	c.phase, c.headLen, c.left, c.edges = inHeader, 0, 0, 0
	d.at = m.at
}

// data takes the next piece of an uncompressed data frame.
func (c *Codec) data(d *decoder) (rule uint8) {
	n := int(min(c.left, uint64(len(d.buf)-d.at), maxPiece))
	if n == 0 && c.left > 0 {
		return 0
	}
	p := d.buf[d.at : d.at+n]
	ascii := false
	switch {
	case c.role == Client:
	case c.kind == Text:
		ascii = mask.XORText(p, c.key)
	default:
		mask.XOR(p, c.key)
	}
	if c.kind == Text && !(ascii && c.text.Complete()) {
		state, bad := utf8dfa.Check(c.text, p)
		c.text = state
		if bad >= 0 {
			n, rule = bad, ErrUTF8.Rule // rule 92: what stands before the impossible byte is delivered
		}
	}
	c.key = mask.Rotate(c.key, n)
	c.left -= uint64(n)
	flags := c.edges
	if c.facts&bitFin != 0 {
		flags |= Final
	}
	if rule == 0 && c.left == 0 {
		rule = c.endFrame(&flags)
	}
	if n > 0 || rule == 0 {
		d.emit(Event{Start: uint64(d.at), Left: c.left, Length: uint32(n), Kind: c.opcode, Flags: flags})
		c.edges = 0
	}
	d.at += n
	return rule
}

// endFrame closes the current data frame, and its message if it was the last, and sets the edges in flags.
func (c *Codec) endFrame(flags *Flags) (rule uint8) {
	if c.facts&bitFin != 0 {
		if c.kind == Text && !c.text.Complete() {
			return ErrUTF8Incomplete.Rule
		}
		*flags |= MessageEnd
		c.facts &^= bitCompressed
		c.kind = 0
		c.message = 0
	}
	*flags |= FrameEnd
	c.phase = inHeader
	c.headLen = 0
	return 0
}

// controlFrame takes the payload of a control frame: in place if all of it is here, else piece by piece into
// the codec.
func (c *Codec) controlFrame(d *decoder) (rule uint8) {
	here := len(d.buf) - d.at
	whole := c.controlLen == 0 && uint64(here) >= c.left
	if d.keptUsed && (!whole || c.opcode == Close && c.left > 0) {
		return 0 // the store is in use until the caller has seen this batch
	}
	length := int(c.controlLen) + int(c.left)
	n := min(here, int(c.left))
	from := int(c.controlLen)
	body, flags := d.buf[d.at:d.at+n], wholeMessage
	if !whole || c.opcode == Close {
		copy(c.control[from:], body)
		body = c.control[:from+n]
	}
	if !whole {
		flags |= Kept
	}
	if c.role == Server {
		mask.XOR(body[from:], c.key)
		if whole && c.opcode == Close {
			mask.XOR(d.buf[d.at:d.at+n], c.key)
		}
	}
	c.key = mask.Rotate(c.key, n)
	if c.opcode == Close {
		if at, rule := checkClose(body, length); rule != 0 {
			d.at += at - from
			return rule
		}
	}
	d.at += n
	c.left -= uint64(n)
	if !whole || c.opcode == Close {
		c.controlLen += uint8(n)
	}
	if c.left > 0 {
		return 0
	}
	e := Event{Length: uint32(length), Kind: c.opcode, Flags: flags}
	if whole {
		e.Start = uint64(d.at - n)
	} else {
		d.keptUsed = true
	}
	if c.opcode == Close {
		c.facts |= bitCloseSeen
		c.peerCode = CloseNoCode
		if length > 0 {
			c.peerCode = CloseCode(body[0])<<8 | CloseCode(body[1])
		}
		e.Code = c.peerCode
	} else {
		c.controlLen = 0
	}
	c.phase = inHeader
	c.headLen = 0
	d.emit(e)
	return 0
}

// checkClose checks the first bytes of a Close body that will have length bytes, and returns where the first that
// breaks a rule stands. (That the length is not 1 was checked with the header.)
func checkClose(body []byte, length int) (at int, rule uint8) {
	if len(body) < 2 {
		return 0, 0
	}
	if code := CloseCode(body[0])<<8 | CloseCode(body[1]); !code.OnWire() {
		return 1, ErrCloseCode.Rule
	}
	state, bad := utf8dfa.Check(0, body[2:])
	switch {
	case bad >= 0:
		return 2 + bad, ErrCloseReason.Rule
	case len(body) == length && !state.Complete():
		return length, ErrCloseReason.Rule
	}
	return 0, 0
}

// inflate takes the next piece of a compressed frame, or what is left at the message's end, through the Inflater.
func (c *Codec) inflate(d *decoder) (rule uint8) {
	n := int(min(c.left, uint64(len(d.buf)-d.at), maxPiece))
	room := d.out[d.used:]
	room = room[:min(len(room), maxPiece)]
	if n == 0 && c.left > 0 {
		return 0
	}
	end := c.facts&bitFin != 0 && uint64(n) == c.left
	if len(room) == 0 && (n > 0 || end) {
		if c.message < d.limits.message || d.keptUsed {
			d.noRoom = true
			return 0
		}
		room = c.control[:1] // the message is as long as it may be: what the Inflater finds now is its end, or too much
	}
	src := d.buf[d.at : d.at+n]
	if c.role == Server {
		mask.XOR(src, c.key)
	}
	wrote, read, over, err := c.step(room, src, end, d.limits.message)
	if c.role == Server {
		mask.XOR(src[read:], mask.Rotate(c.key, read)) // what was not read comes again
	}
	c.key = mask.Rotate(c.key, read)
	c.left -= uint64(read)
	c.message += uint64(wrote)

	if over {
		rule = ErrInflatedTooBig.Rule
		if d.limits.messageRule == ErrMessageMemory.Rule {
			rule = ErrMessageMemory.Rule
		}
	} else if err != nil && (err != io.EOF || !end || c.left > 0) || err == nil && wrote == 0 && read == 0 && (n > 0 || end) {
		rule = ErrInflate.Rule
	}
	if c.kind == Text {
		state, bad := utf8dfa.Check(c.text, room[:wrote])
		c.text = state
		if bad >= 0 {
			wrote, rule = bad, ErrUTF8.Rule
		}
	}
	flags := c.edges | InOut
	if c.facts&bitFin != 0 {
		flags |= Final
	}
	if rule == 0 && c.left == 0 {
		if end && err == nil {
			c.phase = inTail
		} else {
			rule = c.endFrame(&flags)
		}
	}
	if wrote > 0 || flags&FrameEnd != 0 {
		d.emit(Event{Start: uint64(d.used), Left: c.left, Length: uint32(wrote), Kind: c.opcode, Flags: flags})
		c.edges = 0
	}
	d.at += read
	d.used += wrote
	return rule
}

// step calls the Inflater, holds it to its word, and cuts at the message limit (rule 118).
func (c *Codec) step(room, src []byte, end bool, limit uint64) (wrote, read int, over bool, err error) {
	wrote, read, err = c.opt.Inflate.Inflate(room, src, end)
	if wrote < 0 || read < 0 || wrote > len(room) || read > len(src) {
		return 0, 0, false, ErrInflate
	}
	if most := limit - min(limit, c.message); uint64(wrote) > most {
		return int(most), read, true, nil
	}
	return wrote, read, false, err
}
