package ws

// This file holds Output, where bytes wait to be sent.

// Output is a queue of bytes that wait to be sent, in a buffer that the caller lends. It is apart from Session so that idle
// connections need none: an event loop lends all its sessions one Output, sends what a call has put there, and
// gives a session an Output of its own only while its transport takes no more (Move).
//
// The buffer may be of any size, down to one byte. Behind it Output has room of its own for one control frame
// or frame header that does not fit, and for one Pong that waits.
type Output struct {
	buf      []byte
	from, to int // buf[from:to] waits

	spill              [MaxControlFrameSize]byte // a frame, or a header, that did not fit buf
	spillFrom, spillTo uint8

	pong    [MaxControlPayload]byte // the newest Ping's payload, for which there was no room (rule 68)
	pongLen uint8
	hasPong bool
}

// Reset lends o its buffer and drops what it held. The buffer stays in use until the next Reset.
func (o *Output) Reset(buf []byte) {
	o.buf = buf
	o.from, o.to = 0, 0
	o.spillFrom, o.spillTo = 0, 0
	o.hasPong = false
}

// Lend gives o another buffer. What Pending has in the old one counts as sent; what has spilled, and a Pong that waits,
// stay and come next. So a caller whose buffers live for one call can lend one to each, and nil between them.
func (o *Output) Lend(buf []byte) {
	o.buf = buf
	o.from, o.to = 0, 0
}

// Pending returns the bytes to send next, oldest first; it is empty when nothing waits. They stay until Sent or
// until something is added.
func (o *Output) Pending() []byte {
	o.settle()
	return o.buf[o.from:o.to:o.to]
}

// Sent reports that the first n bytes of Pending were sent, and makes room. More than were pending gives
// ErrSentTooMuch, and nothing is taken.
func (o *Output) Sent(n int) error {
	if n < 0 || n > o.to-o.from {
		return ErrSentTooMuch
	}
	o.from += n
	o.settle()
	return nil
}

// Move takes over all that waits in from, which is empty afterwards. o must be empty, and its buffer at least
// as large as Pending of from; else ErrNoRoom, and nothing is moved.
func (o *Output) Move(from *Output) error {
	if o == from || from == nil {
		return nil
	}
	if !o.Empty() || len(o.buf) < from.to-from.from {
		return ErrNoRoom
	}
	o.from, o.to = 0, copy(o.buf, from.buf[from.from:from.to])
	o.spillFrom, o.spillTo = 0, uint8(copy(o.spill[:], from.spill[from.spillFrom:from.spillTo]))
	o.hasPong, o.pongLen, o.pong = from.hasPong, from.pongLen, from.pong
	from.Reset(from.buf)
	return nil
}

// Empty reports whether nothing waits, not even a Pong.
func (o *Output) Empty() bool { return o.from == o.to && o.spillFrom == o.spillTo && !o.hasPong }

// settle moves what has spilled into the buffer, as far as there is room.
func (o *Output) settle() {
	if o.from == o.to {
		o.from, o.to = 0, 0
	}
	if o.spillFrom < o.spillTo {
		o.compact()
		n := copy(o.buf[o.to:], o.spill[o.spillFrom:o.spillTo])
		o.to += n
		o.spillFrom += uint8(n)
	}
	if o.spillFrom == o.spillTo {
		o.spillFrom, o.spillTo = 0, 0
	}
}

// compact moves what waits to the head of the buffer.
func (o *Output) compact() {
	if o.from > 0 {
		o.to = copy(o.buf, o.buf[o.from:o.to])
		o.from = 0
	}
}

// room returns the free bytes of the buffer, or nothing while something has spilled.
func (o *Output) room() []byte {
	o.settle()
	if o.spillTo > 0 {
		return nil
	}
	if o.from > 0 && len(o.buf)-o.to < len(o.buf)/2 {
		o.compact()
	}
	return o.buf[o.to:]
}

// frameRoom returns where a control frame or a header can be written whole: the buffer, or the spill, or
// nowhere. wrote must follow.
func (o *Output) frameRoom(size int) []byte {
	room := o.room()
	if len(room) >= size {
		return room
	}
	if o.spillTo > 0 {
		return nil
	}
	return o.spill[:]
}

// wrote notes that n bytes were written to what frameRoom gave for the same size.
func (o *Output) wrote(n, size int) {
	if len(o.buf)-o.to >= size {
		o.to += n
		return
	}
	o.spillTo = uint8(n)
	o.settle()
}
