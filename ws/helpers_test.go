package ws

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// Tools that the tests of this package share.

// frame builds one frame the slow way: first is the first byte, key nil means not masked.
func frame(first byte, key []byte, payload []byte) []byte {
	b := []byte{first, 0}
	switch n := len(payload); {
	case n < 126:
		b[1] = byte(n)
	case n < 1<<16:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if key == nil {
		return append(b, payload...)
	}
	b[1] |= 0x80
	b = append(b, key...)
	for i, x := range payload {
		b = append(b, x^key[i&3])
	}
	return b
}

var testKey = []byte{0x37, 0xFA, 0x21, 0x3D}

// masked is frame with a key, as a client sends it.
func masked(first byte, payload []byte) []byte { return frame(first, testKey, payload) }

// pattern gives n bytes that do not repeat soon.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*31 + i>>8)
	}
	return p
}

// counter is a random source that counts, so that keys can be foretold.
type counter byte

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		*c++
		p[i] = byte(*c)
	}
	return len(p), nil
}

// sources that fail.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// decodeAll decodes a copy of stream in pieces of at most step bytes, with room for few events, and returns the
// payload of each message and control frame.
func decodeAll(t *testing.T, c *Codec, stream []byte, step, slots int) (messages []Message, err error) {
	t.Helper()
	buf := bytes.Clone(stream)
	events := make([]Event, 0, slots)
	var data []byte
	for len(buf) > 0 {
		piece := buf[:min(step, len(buf))]
		n, found, err := c.Decode(piece, nil, events)
		for _, e := range found {
			p := c.Payload(e, piece, nil)
			if e.Kind.IsControl() {
				messages = append(messages, Message{e.Kind, e.Code, bytes.Clone(p)})
				continue
			}
			data = append(data, p...)
			if e.Is(MessageEnd) {
				messages = append(messages, Message{Kind: e.Kind, Payload: data})
				data = nil
			}
		}
		if err != nil {
			return messages, err
		}
		require.True(t, n > 0 || len(found) > 0, "rule 55: no progress")
		buf = buf[n:]
	}
	return messages, nil
}
