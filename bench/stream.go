package main

// This file makes the input of the rows: streams of frames, texts, and masking keys, the same at each run.

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
)

// The opcodes of messages.
const (
	opText   = 1
	opBinary = 2
)

// source returns a source of random bytes that begins anew at each call.
func source() *rand.ChaCha8 {
	return rand.NewChaCha8([32]byte([]byte("the same random bytes every time")))
}

// pattern returns n bytes that are nobody's special case.
func pattern(n int) []byte {
	p := make([]byte, n)
	_, _ = source().Read(p)
	return p
}

// ascii returns n bytes of printable ASCII.
func ascii(n int) []byte {
	p := pattern(n)
	for i := range p {
		p[i] = ' ' + p[i]%95
	}
	return p
}

// repeat returns n bytes of s again and again; what does not fit whole at the end is filled with spaces.
func repeat(s string, n int) []byte {
	p := make([]byte, 0, n)
	for len(p)+len(s) <= n {
		p = append(p, s...)
	}
	for len(p) < n {
		p = append(p, ' ')
	}
	return p
}

// batch is what arrives at a server in one read: masked frames, each a whole message.
type batch struct {
	wire     []byte
	frames   int
	payload  int    // bytes in all
	longest  int    // bytes of the longest payload
	messages []byte // what a recorder writes down of them
}

// newBatch frames payloads with keys of their own.
func newBatch(kind byte, payloads ...[]byte) *batch {
	b := &batch{frames: len(payloads)}
	keys := source()
	var rec recorder
	for _, p := range payloads {
		b.payload += len(p)
		b.longest = max(b.longest, len(p))
		b.wire = appendFrame(b.wire, kind, p, uint32(keys.Uint64()))
		rec.record(kind, p)
	}
	b.messages = rec.out
	return b
}

// wanted is row.want for decoders.
func (b *batch) wanted(steps int) []byte { return bytes.Repeat(b.messages, steps) }

// appendFrame writes a masked frame, byte by byte as RFC 6455 5.2 and 5.3 describe it.
func appendFrame(dst []byte, kind byte, payload []byte, key uint32) []byte {
	dst = append(dst, 0x80|kind)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = append(dst, 0x80|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, 0x80|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	var mask [4]byte
	binary.LittleEndian.PutUint32(mask[:], key)
	dst = append(dst, mask[:]...)
	for i, x := range payload {
		dst = append(dst, x^mask[i&3])
	}
	return dst
}

// recording makes recorders write all down, for the tests.
var recording bool

// recorder is where every candidate delivers its messages. It adds up lengths and kinds.
type recorder struct {
	sum uint64
	out []byte
}

// take is inlined into the loops.
func (r *recorder) take(kind byte, payload []byte) {
	r.sum += uint64(len(payload)) + uint64(kind)
	if recording {
		r.record(kind, payload)
	}
}

//go:noinline
func (r *recorder) record(kind byte, payload []byte) {
	r.out = append(r.out, kind)
	r.out = binary.BigEndian.AppendUint32(r.out, uint32(len(payload)))
	r.out = append(r.out, payload...)
}

// keyPool hands out masking keys as ws.Keys does, from blocks of 512 bytes of the source, so that peers which take a
// key from their caller are given the same ones at the same price.
type keyPool struct {
	source *rand.ChaCha8
	pool   [512]byte
	left   int
}

func (k *keyPool) next() (key [4]byte) {
	if k.left == 0 {
		_, _ = k.source.Read(k.pool[:])
		k.left = len(k.pool)
	}
	key = [4]byte(k.pool[len(k.pool)-k.left:])
	k.left -= 4
	return key
}

// written returns what was written down since it was asked last.
func (r *recorder) written() []byte {
	out := r.out
	r.out = nil
	return out
}
