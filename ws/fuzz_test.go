package ws

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/embws/embws/tests/vectors"
)

// The fuzz targets of frames and messages. Those of the handshakes stand with their tests. Each is also an
// ordinary test over its seeds.

// seeds gives add the input bytes of every shared vector of a kind.
func seeds(f *testing.F, kind string, add func(in []byte)) {
	cases, err := vectors.Cases()
	require.NoError(f, err)
	for _, c := range cases {
		if c.Kind == kind && len(c.In) > 0 && len(c.In) < 4096 {
			add(c.In)
		}
	}
}

// trace is all that a stream did to a codec.
type trace struct {
	events  []Event
	data    []byte
	failure Failure
	eaten   uint64
}

// traceOf decodes stream in pieces whose sizes cuts gives, and merges the pieces of each frame.
func traceOf(t *testing.T, role Role, opt *Options, stream, cuts []byte, slots int) (tr trace) {
	var c Codec
	c.Reset(role, opt)
	buf := bytes.Clone(stream)
	events := make([]Event, 0, slots)
	for i := 0; len(buf) > 0; i++ {
		size := len(buf)
		if len(cuts) > 0 {
			size = min(size, int(cuts[i%len(cuts)])+1)
		}
		n, found, err := c.Decode(buf[:size], nil, events)
		for _, e := range found {
			p := c.Payload(e, buf[:size], nil)
			require.Len(t, p, int(e.Length))
			tr.data = append(tr.data, p...)
			e.Start, e.Flags = 0, e.Flags&^Kept
			if last := len(tr.events) - 1; e.Flags&FrameStart == 0 {
				tr.events[last].Length += e.Length
				tr.events[last].Left = e.Left
				tr.events[last].Flags |= e.Flags
			} else {
				tr.events = append(tr.events, e)
			}
		}
		tr.eaten += uint64(n)
		if err != nil {
			require.NotNil(t, c.Failure().Err)
			require.Equal(t, tr.eaten, c.Failure().Offset)
			break
		}
		require.True(t, n > 0 || len(found) > 0, "rule 55: no progress")
		buf = buf[n:]
	}
	tr.failure = trimmed(c.Failure())
	return tr
}

func fuzzRole(flags byte) (Role, *Options) {
	role := Server
	if flags&1 != 0 {
		role = Client
	}
	return role, &Options{LongLengths: flags&2 != 0, MaxFrame: int64(flags>>2&3) * 1000, MaxMessage: int64(flags>>4&3) * 1500}
}

// Promise 2: any split gives the same events, or the same failure.
func FuzzDecode(f *testing.F) {
	seeds(f, "frames", func(in []byte) {
		f.Add(in, []byte{0}, byte(0))
		f.Add(in, []byte{2, 5, 0}, byte(1))
	})
	f.Fuzz(func(t *testing.T, stream, cuts []byte, flags byte) {
		role, opt := fuzzRole(flags)
		whole := traceOf(t, role, opt, stream, nil, 64)
		require.Equal(t, whole, traceOf(t, role, opt, stream, cuts, 3))
		require.Equal(t, whole, traceOf(t, role, opt, stream, []byte{0}, 1))
	})
}

// A Session survives any input and any output room, answers, and never loops.
func FuzzSession(f *testing.F) {
	seeds(f, "frames", func(in []byte) {
		f.Add(in, []byte{0}, byte(0), byte(1))
		f.Add(in, []byte{90}, byte(1), byte(200))
	})
	f.Fuzz(func(t *testing.T, stream, cuts []byte, flags, room byte) {
		role, opt := fuzzRole(flags)
		var o Output
		o.Reset(make([]byte, int(room)+1))
		opt.Keys = &Keys{Source: new(counter)}
		var s Session
		s.Reset(role, opt, &o)
		memory := make([]byte, 2000)
		var wire []byte
		buf := bytes.Clone(stream)
		for i := 0; len(buf) > 0; i++ {
			size := len(buf)
			if len(cuts) > 0 {
				size = min(size, int(cuts[i%len(cuts)])+1)
			}
			n, m, err := s.Next(buf[:size], memory)
			if err != nil {
				break
			}
			require.True(t, n > 0 || m.Kind != 0, "no progress")
			buf = buf[n:]
			if m.Kind == Text || m.Kind == Binary {
				for p, turns := m.Payload, 0; ; turns++ {
					k, err := s.Send(m.Kind, true, p)
					p = p[k:]
					wire = append(wire, takeAll(t, &s)...)
					if err == nil || err == ErrCloseSeen || err == ErrCloseSent {
						break
					}
					require.Equal(t, ErrNoRoom, err)
					require.Less(t, turns, 10000)
				}
			}
			wire = append(wire, takeAll(t, &s)...)
		}
		wire = append(wire, takeAll(t, &s)...)
		peer := traceOf(t, 3-role, &Options{MaxMessage: NoLimit}, wire, nil, 64)
		require.Nil(t, peer.failure.Err, "what a session sends keeps the rules")
		if s.Failure().Err != nil {
			_, sent := s.SentClose()
			require.True(t, sent)
		}
	})
}

func takeAll(t *testing.T, s *Session) (wire []byte) {
	for p := s.Pending(); len(p) > 0; p = s.Pending() {
		wire = append(wire, p...)
		require.NoError(t, s.Sent(len(p)))
	}
	return wire
}

// What one end encodes the other decodes, whatever the pieces.
func FuzzEncode(f *testing.F) {
	f.Add([]byte("hello"), []byte{3}, byte(0))
	f.Add(pattern(300), []byte{200, 0, 13}, byte(1))
	f.Fuzz(func(t *testing.T, payload, cuts []byte, flags byte) {
		role, _ := fuzzRole(flags)
		var c Codec
		c.Reset(role, &Options{Keys: &Keys{Source: new(counter)}})
		var wire []byte
		dst := make([]byte, len(payload)+MaxHeaderSize)
		rest := payload
		for i := 0; ; i++ {
			size := len(rest)
			if len(cuts) > 0 {
				size = min(size, int(cuts[i%len(cuts)]))
			}
			fin := size == len(rest) || i == 50
			if fin {
				size = len(rest)
			}
			n, err := c.Encode(dst, Binary, fin, rest[:size])
			require.NoError(t, err)
			wire = append(wire, dst[:n]...)
			rest = rest[size:]
			if fin {
				break
			}
		}
		tr := traceOf(t, 3-role, nil, wire, cuts, 5)
		require.Nil(t, tr.failure.Err)
		require.True(t, bytes.Equal(payload, tr.data))
		require.True(t, tr.events[len(tr.events)-1].Is(MessageEnd))
	})
}
