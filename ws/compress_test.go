package ws

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Tests of the place that is made for permessage-deflate, with a plug-in that knows stored blocks alone (RFC 1951 3.2.4).

// stored inflates and deflates stored blocks of at most 255 bytes, push style, with no memory but a few counters.
type stored struct {
	head, left int  // bytes of the block's header seen, bytes of payload to come
	lazy       bool // the end is told in a call of its own
	ended      bool
	size       byte
}

func (s *stored) Inflate(dst, src []byte, end bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		switch {
		case s.left > 0:
			n := copy(dst[nDst:], src[nSrc:min(len(src), nSrc+s.left)])
			if n == 0 {
				return nDst, nSrc, nil
			}
			nDst, nSrc, s.left = nDst+n, nSrc+n, s.left-n
		case s.head < 5:
			b := src[nSrc]
			if s.head == 1 {
				s.size = b
			}
			if s.head == 0 && b != 0 || s.head == 2 && b != 0 || s.head == 3 && b != ^s.size || s.head == 4 && b != 0xFF {
				return nDst, nSrc, io.ErrUnexpectedEOF
			}
			nSrc++
			if s.head++; s.head == 5 {
				s.head, s.left = 0, int(s.size)
			}
		}
	}
	if !end {
		return nDst, nSrc, nil
	}
	if s.lazy && !s.ended && nSrc > 0 {
		s.ended = true
		return nDst, nSrc, nil
	}
	s.ended = false
	if s.head != 1 || s.left != 0 { // the header of the empty block whose rest the sender has cut off
		return nDst, nSrc, io.ErrUnexpectedEOF
	}
	s.head = 0
	return nDst, nSrc, io.EOF
}

// packed compresses payload as stored blocks of at most size bytes, and cuts off 00 00 FF FF.
func packed(payload []byte, size int) (out []byte) {
	for len(payload) > 0 {
		n := min(size, len(payload))
		out = append(out, 0, byte(n), 0, ^byte(n), 0xFF)
		out = append(out, payload[:n]...)
		payload = payload[n:]
	}
	return append(out, 0)
}

// Rules 40, 52, 111 to 116, 120: compressed and plain messages, in fragments, through any room.
func TestDecode_CompressedMessagesThroughAnyRoom(t *testing.T) {
	text := bytes.Repeat([]byte("κόσμε "), 60)
	wire := packed(text, 100)
	var stream []byte
	for _, f := range [][]byte{
		masked(0x41, wire[:10]), masked(0x89, []byte("p")), masked(0x00, wire[10:300]), masked(0x80, wire[300:]),
		masked(0x81, []byte("plain")), masked(0xC2, packed(nil, 1)), masked(0x42, packed(pattern(9), 4)), masked(0x80, nil),
	} {
		stream = append(stream, f...)
	}
	for _, lazy := range []bool{false, true} {
		for _, room := range []int{1, 2, 7, 100, 5000} {
			for _, step := range []int{1, 3, 50, len(stream)} {
				var c Codec
				c.Reset(Server, &Options{Inflate: &stored{lazy: lazy}})
				buf, out, events := bytes.Clone(stream), make([]byte, room), make([]Event, 0, 3)
				var got []Message
				var data []byte
				for turns := 0; len(buf) > 0; turns++ {
					require.Less(t, turns, 5000)
					piece := buf[:min(step, len(buf))]
					n, found, err := c.Decode(piece, out, events)
					require.NoError(t, err)
					filled := false
					for _, e := range found {
						p := c.Payload(e, piece, out)
						filled = filled || e.Is(InOut) && int(e.Start)+int(e.Length) == len(out)
						if e.Kind == Ping {
							continue
						}
						data = append(data, p...)
						if e.Is(MessageEnd) {
							got = append(got, Message{Kind: e.Kind, Payload: data})
							data = nil
						}
					}
					if buf = buf[n:]; len(buf) == 0 && filled {
						n, found, err = c.Decode(nil, out, events)
						for ; err == nil && len(found) > 0; n, found, err = c.Decode(nil, out, events) {
							require.Zero(t, n)
							data = append(data, c.Payload(found[0], nil, out)...)
							if found[0].Is(MessageEnd) {
								got = append(got, Message{Kind: found[0].Kind, Payload: data})
								data = nil
							}
						}
						require.NoError(t, err)
					}
				}
				same(t, []Message{{Kind: Text, Payload: text}, {Kind: Text, Payload: []byte("plain")}, {Kind: Binary}, {Kind: Binary, Payload: pattern(9)}}, got)
			}
		}
	}
}

// Rules 48 and 118: an inflated message that fits memory exactly arrives, one byte more fails with 1009, and nothing sticks.
func TestSession_NextInflatesIntoItsMemory(t *testing.T) {
	for _, lazy := range []bool{false, true} {
		for size := 0; size <= 40; size++ {
			for _, step := range []int{1, 1000} {
				s := newEnd(Server, 200, Options{Inflate: &stored{lazy: lazy}})
				s.memory = s.memory[:30]
				wire := masked(0xC2, packed(pattern(size), 7))
				for len(wire) > 0 && s.err == nil {
					n := min(step, len(wire))
					s.feed(t, wire[:n])
					wire = wire[n:]
				}
				if size <= 30 {
					require.NoError(t, s.err, "size %d", size)
					require.Len(t, s.got, 1, "size %d", size)
					require.True(t, bytes.Equal(pattern(size), s.got[0].Payload))
				} else {
					require.Equal(t, ErrMessageMemory, s.err, "size %d", size)
					require.Equal(t, []byte{0x88, 2, 3, 0xF1}, s.drain(t))
				}
			}
		}
	}
}

// Rules 113, 117 and 118: what breaks the compression, and what is too much of it.
func TestDecode_CompressedViolations(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		want *Error
	}{
		"not DEFLATE":       {masked(0xC2, []byte{7, 7, 7}), ErrInflate},
		"cut short":         {masked(0xC2, packed(pattern(9), 9)[:8]), ErrInflate},
		"not UTF-8":         {masked(0xC1, packed([]byte("ab\xFF"), 9)), ErrUTF8},
		"cut code point":    {masked(0xC1, packed([]byte("ab\xE2"), 9)), ErrUTF8Incomplete},
		"too much":          {masked(0xC2, packed(pattern(101), 50)), ErrInflatedTooBig},
		"RSV1 on a Ping":    {masked(0xC9, nil), ErrReservedBit1Control},
		"RSV1 in a message": {append(masked(0x42, nil), masked(0xC0, nil)...), ErrReservedBit1Middle},
		"RSV2":              {masked(0xE2, nil), ErrReservedBits},
	} {
		for _, step := range []int{1, 100} {
			var codec Codec
			codec.Reset(Server, &Options{Inflate: &stored{}, MaxMessage: 100})
			in := bytes.Clone(c.in)
			var err error
			out := make([]byte, 300)
			for len(in) > 0 && err == nil {
				var n int
				n, _, err = codec.Decode(in[:min(step, len(in))], out, make([]Event, 0, 4))
				in = in[n:]
			}
			assert.Equal(t, error(c.want), err, name)
		}
	}
}

// Deflate writes stored blocks; room for a block's header must be there.
func (s *stored) Deflate(dst, src []byte, end bool) (nDst, nSrc int, err error) {
	for len(dst)-nDst > 6 && nSrc < len(src) {
		n := min(len(dst)-nDst-6, len(src)-nSrc, 255)
		nDst += copy(dst[nDst:], []byte{0, byte(n), 0, ^byte(n), 0xFF})
		nDst += copy(dst[nDst:], src[nSrc:nSrc+n])
		nSrc += n
	}
	if end && nSrc == len(src) && len(dst) > nDst {
		dst[nDst] = 0
		return nDst + 1, nSrc, io.EOF
	}
	return nDst, nSrc, nil
}

// Rules 101, 102 and 122: what EncodeCompressed writes, Decode reads.
func TestEncodeCompressed_ArrivesThroughAnyRoom(t *testing.T) {
	for _, role := range []Role{Server, Client} {
		for room := MaxHeaderSize + 1; room < 400; room += 13 {
			var from, to Codec
			from.Reset(role, &Options{Deflate: &stored{}, Keys: &Keys{Source: new(counter)}})
			to.Reset(3-role, &Options{Inflate: &stored{}})
			var wire []byte
			for _, payload := range [][]byte{pattern(500), {}, pattern(3)} {
				rest := payload
				for {
					dst := bytes.Repeat([]byte{0xEE}, room)
					n, used, err := from.EncodeCompressed(dst, Binary, true, rest)
					wire = append(wire, dst[:n]...)
					rest = rest[used:]
					for _, x := range dst[n:] {
						require.True(t, x == 0xEE || x == 0, "nothing of the payload behind the frame")
					}
					if err == nil {
						break
					}
					require.Equal(t, ErrNoRoom, err)
				}
			}
			var got []byte
			out, ends := make([]byte, 1000), 0
			n, found, err := to.Decode(wire, out, make([]Event, 0, 2000))
			require.NoError(t, err)
			require.Equal(t, len(wire), n)
			for _, e := range found {
				got = append(got, to.Payload(e, wire, out)...)
				if e.Is(MessageEnd) {
					ends++
				}
			}
			require.Equal(t, append(pattern(500), pattern(3)...), got)
			require.Equal(t, 3, ends)
		}
	}
}

// lying is a plug-in that breaks its contract.
type lying struct {
	nDst, nSrc int
	err        error
}

func (l lying) Inflate(_, _ []byte, _ bool) (int, int, error) { return l.nDst, l.nSrc, l.err }
func (l lying) Deflate(_, _ []byte, _ bool) (int, int, error) { return l.nDst, l.nSrc, l.err }

func TestCodec_PlugInsThatLieAreCaught(t *testing.T) {
	for _, l := range []lying{
		{-1, 0, nil}, {0, -1, nil}, {1 << 30, 0, nil}, {0, 1 << 30, nil}, {0, 0, nil}, {0, 0, io.ErrNoProgress}, {0, 0, io.EOF}, {0, 1, io.EOF},
	} {
		var c Codec
		c.Reset(Server, &Options{Inflate: l, Deflate: l})
		_, _, err := c.Decode(masked(0x42, pattern(20)), make([]byte, 50), make([]Event, 0, 4))
		assert.Equal(t, error(ErrInflate), err, "%v", l)
		c.Reset(Server, &Options{Inflate: l, Deflate: l})
		_, _, err = c.EncodeCompressed(make([]byte, 50), Binary, false, pattern(20))
		assert.Equal(t, error(ErrDeflate), err, "%v", l)
	}
	var c Codec
	c.Reset(Server, &Options{Deflate: &stored{}})
	dst := make([]byte, 50)
	_, err := c.Encode(dst, Text, false, nil)
	require.NoError(t, err)
	_, _, err = c.EncodeCompressed(dst, Text, true, nil)
	assert.Equal(t, error(ErrMessageOpen), err, "the message began without RSV1")
	c.Reset(Server, &Options{Deflate: &stored{}})
	_, _, err = c.EncodeCompressed(dst, Text, false, []byte("x"))
	require.NoError(t, err)
	_, err = c.Encode(dst, Text, true, nil)
	assert.Equal(t, error(ErrMessageOpen), err, "and this one with it")
	_, err = c.Encode(dst, Ping, true, nil)
	assert.NoError(t, err)
}
