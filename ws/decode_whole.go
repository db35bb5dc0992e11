package ws

// This file holds the two short ways for messages that come in one frame and lie whole in the buffer. They take
// only what is surely right, and touch no state; all else is left to the general way, which finds the same and
// more.

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

// decodeMessages takes, from buf[at:], whole messages in one frame of any length, binary or text, as long as
// they follow one another. It must be called between two frames, with no message open. Events are written where
// they belong at once: a copy of one that was just put together waits for all of its parts.
func (c *Codec) decodeMessages(buf []byte, at int, events []Event, l *limits) (int, []Event) {
	maskBit, keySize := byte(0x80), 4
	if c.role == Client {
		maskBit, keySize = 0, 0
	}
	most := min(l.frame, l.message, maxPiece)
	for len(events) < cap(events) && len(buf)-at >= 2 {
		if n := buf[at+1] ^ maskBit; n <= MaxControlPayload && len(buf)-at >= 6+16+int(n) {
			at, events = c.decodeShort(buf, at, events, l)
			if len(events) == cap(events) || len(buf)-at < 2 {
				break
			}
		}
		b := buf[at:]
		kind, length, size := Opcode(b[0]-0x80), uint64(b[1]^maskBit), 2
		switch {
		case kind != Text && kind != Binary:
			return at, events
		case length <= 125:
		case length == 126 && len(b) >= 4:
			if length, size = uint64(binary.BigEndian.Uint16(b[2:])), 4; length < 126 {
				return at, events
			}
		case length == 127 && len(b) >= 10:
			if length, size = binary.BigEndian.Uint64(b[2:]), 10; length < 1<<16 {
				return at, events
			}
		default:
			return at, events
		}
		start := size + keySize
		if length > most || len(b) < start || length > uint64(len(b)-start) {
			return at, events
		}
		p, key := b[start:start+int(length)], uint32(0)
		if keySize != 0 {
			key = binary.LittleEndian.Uint32(b[size:])
		}
		switch {
		case kind == Text:
			ascii := keySize != 0 && mask.XORText(p, key)
			if !ascii && !utf8dfa.Valid(p) {
				mask.XOR(p, key)
				return at, events
			}
		case keySize != 0:
			mask.XOR(p, key)
		}
		used := len(events)
		events = events[:used+1]
		events[used] = Event{Start: uint64(at + start), Length: uint32(length), Kind: kind, Flags: wholeMessage}
		at += start + int(length)
	}
	return at, events
}

// decodeShort takes, from buf[at:], whole messages in one frame of at most 125 bytes, binary or ASCII text, as
// long as they follow one another. It must be called between two frames, with no message open.
//
// The next header is loaded before the payload is stored: up to 16 bytes of payload are stored as 16 bytes, the
// ones behind the payload unchanged, and a load right behind would wait for that store.
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
					seen |= (binary.LittleEndian.Uint64(v[:8]) ^ key) | (binary.LittleEndian.Uint64(v[8:]) ^ key)
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
