package ws

// This file holds the two short ways for messages that come in one frame and lie whole in the buffer. They take only what
// is surely right, and touch no state; all else is left to the general way, which finds the same and more.

import (
	"encoding/binary"
	"math/bits"

	"github.com/embws/embws/ws/internal/mask"
	"github.com/embws/embws/ws/internal/utf8dfa"
)

// shortMask has, for each n up to 16, the two words that select the first n of 16 bytes.
var shortMask = [32][2]uint64{
	{0, 0},
	{1<<8 - 1, 0},
	{1<<16 - 1, 0},
	{1<<24 - 1, 0},
	{1<<32 - 1, 0},
	{1<<40 - 1, 0},
	{1<<48 - 1, 0},
	{1<<56 - 1, 0},
	{1<<64 - 1, 0},
	{1<<64 - 1, 1<<8 - 1},
	{1<<64 - 1, 1<<16 - 1},
	{1<<64 - 1, 1<<24 - 1},
	{1<<64 - 1, 1<<32 - 1},
	{1<<64 - 1, 1<<40 - 1},
	{1<<64 - 1, 1<<48 - 1},
	{1<<64 - 1, 1<<56 - 1},
	{1<<64 - 1, 1<<64 - 1},
}

// decodeWhole takes one message of any length that lies whole at the head of buf, binary or text. ok is false if there is
// none that is surely right, and nothing is changed. It must be called between two frames, with no message open.
func (c *Codec) decodeWhole(buf []byte, l *limits) (e Event, ok bool) {
	if len(buf) < 2 {
		return e, false
	}
	kind, length, size := Opcode(buf[0]-0x80), uint64(buf[1]&0x7F), 2
	if kind != Text && kind != Binary || (buf[1]&0x80 != 0) != (c.role == Server) {
		return e, false
	}
	if length > 125 {
		if len(buf) < MaxHeaderSize {
			return e, false
		}
		least := uint64(126)
		if size = 4; length == 126 {
			length = uint64(binary.BigEndian.Uint16(buf[2:]))
		} else {
			size, least = 10, 1<<16
			length = binary.BigEndian.Uint64(buf[2:])
		}
		if length < least {
			return e, false
		}
	}
	key := uint32(0)
	if c.role == Server {
		if len(buf) < size+4 {
			return e, false
		}
		key = binary.LittleEndian.Uint32(buf[size:])
		size += 4
	}
	if length > min(l.frame, l.message, maxPiece) || length > uint64(len(buf)-size) {
		return e, false
	}
	p := buf[size : size+int(length)]
	switch {
	case kind == Text:
		ascii := c.role == Server && mask.XORText(p, key)
		if !ascii && !utf8dfa.Valid(p) {
			mask.XOR(p, key)
			return e, false
		}
	case c.role == Server:
		mask.XOR(p, key)
	}
	return Event{Start: uint64(size), Length: uint32(length), Kind: kind, Flags: wholeMessage}, true
}

// decodeShort takes, from buf[at:], whole messages in one frame of at most 125 bytes, binary or ASCII text, as long as
// they follow one another. It must be called between two frames, with no message open.
//
// The next header is loaded before the payload is stored: up to 16 bytes of payload are stored as 16 bytes, the ones
// behind the payload unchanged, and a load right behind would wait for that store.
func (c *Codec) decodeShort(buf []byte, at int, events []Event, l *limits) (int, []Event) {
	const topBits = 0x8080808080808080
	most := min(l.frame, l.message, MaxControlPayload)
	maskBit, size := uint64(0x80), 6
	keyBits := ^uint64(0)
	if c.role == Client {
		maskBit, size, keyBits = 0, 2, 0
	}
	slots := events[:cap(events)]
	used := len(events)
	if len(buf)-at < 8 {
		return at, events
	}
	head := binary.LittleEndian.Uint64(buf[at:])
	for used < len(slots) {
		n := head>>8&0xFF - maskBit
		kind := head&0xFF - 0x80
		start := at + size
		if n > most || kind-1 > 1 || len(buf)-start < int(n)+16 {
			break
		}
		key := head >> 16 & 0xFFFFFFFF
		key = (key | key<<32) & keyBits
		end := start + int(n)
		next := binary.LittleEndian.Uint64(buf[end:])
		p := buf[start : end+16]
		var seen uint64
		if n <= 16 {
			m := &shortMask[n&31]
			x0 := binary.LittleEndian.Uint64(p) ^ key&m[0]
			x1 := binary.LittleEndian.Uint64(p[8:]) ^ key&m[1]
			seen = x0&m[0] | x1&m[1]
			if kind == uint64(Text) && seen&topBits != 0 {
				break
			}
			if keyBits != 0 {
				binary.LittleEndian.PutUint64(p, x0)
				binary.LittleEndian.PutUint64(p[8:], x1)
			}
		} else {
			turned := bits.RotateLeft64(key, -8*int(n&3))
			t0 := binary.LittleEndian.Uint64(p[n-16:]) ^ turned
			t1 := binary.LittleEndian.Uint64(p[n-8:]) ^ turned
			seen = t0 | t1
			q := p[:n-16]
			if kind == uint64(Text) {
				for i := 0; i < len(q); i += 16 {
					v := (*[16]byte)(p[i:])
					seen |= binary.LittleEndian.Uint64(v[:8]) ^ key | binary.LittleEndian.Uint64(v[8:]) ^ key
				}
				if seen&topBits != 0 {
					break
				}
			}
			if keyBits != 0 {
				for i := 0; i < len(q); i += 16 {
					v := (*[16]byte)(p[i:])
					binary.LittleEndian.PutUint64(v[:8], binary.LittleEndian.Uint64(v[:8])^key)
					binary.LittleEndian.PutUint64(v[8:], binary.LittleEndian.Uint64(v[8:])^key)
				}
				binary.LittleEndian.PutUint64(p[n-16:], t0)
				binary.LittleEndian.PutUint64(p[n-8:], t1)
			}
		}
		slots[used] = Event{Start: uint64(start), Length: uint32(n), Kind: Opcode(kind), Flags: wholeMessage}
		used++
		at = end
		head = next
	}
	return at, slots[:used]
}
