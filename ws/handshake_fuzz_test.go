package ws

// This file holds the fuzz targets of the handshakes: the same bytes, whole and in pieces, must tell the same.

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fuzzOptions makes options and a store size out of a byte.
func fuzzOptions(knobs uint8) (*HandshakeOptions, int) {
	opt := &HandshakeOptions{}
	if knobs&1 != 0 {
		opt.KeepAll = true
	}
	if knobs&2 != 0 {
		opt.Keep = []string{"cookie", "Upgrade", "X"}
	}
	if knobs&4 != 0 {
		opt.MaxHead, opt.MaxFields, opt.MaxSubprotocols = 200, 8, 2
	}
	return opt, 8 << (knobs >> 4 & 7)
}

// fuzzCuts makes places to split at out of bytes: the distances between them.
func fuzzCuts(size int, steps []byte) (cuts []int) {
	if len(steps) == 0 {
		steps = []byte{0}
	}
	for i, at := 0, 0; at < size; i++ {
		at += 1 + int(steps[i%len(steps)])
		cuts = append(cuts, min(at, size))
	}
	return cuts
}

func compare(t *testing.T, in string, steps []byte, fresh func() receiver) receiver {
	whole, pieces := fresh(), fresh()
	n, err := feed(t, whole, in)
	want := describe(whole, n, err)
	n, err = feed(t, pieces, in, fuzzCuts(len(in), steps)...)
	require.Equal(t, want, describe(pieces, n, err))
	if f := whole.Failure(); f.Err != nil {
		require.EqualValues(t, n, f.Offset)
	}
	return whole
}

func FuzzServerHandshake(f *testing.F) {
	seeds(f, "request", func(in []byte) { f.Add(string(in), []byte{0}, uint8(0x70)) })
	f.Add(browserRequest, []byte{0}, uint8(0x70))
	f.Add(browserRequest, []byte{7, 100}, uint8(0x73))
	for _, c := range badHeads {
		f.Add(strings.Replace(c.in, "|", "", 1), []byte{0}, uint8(0x50))
	}
	for _, c := range headJudgements {
		f.Add(upgradeWith(c.without, c.lines), []byte{1, 20}, uint8(0x71))
	}
	for _, c := range extensionCases {
		f.Add(upgradeWith("", "Sec-WebSocket-Extensions: "+c.value+"\r\n"), []byte{0}, uint8(0x60))
	}
	f.Fuzz(func(t *testing.T, in string, steps []byte, knobs uint8) {
		opt, store := fuzzOptions(knobs)
		h := compare(t, in, steps, func() receiver { return freshServer(store, opt) }).(*ServerHandshake)
		switch h.Outcome() {
		case NeedMore:
			return
		case UpgradeRequested:
			a := &Acceptance{}
			c := h.Subprotocols()
			if name, ok := c.Next(); ok {
				a.Subprotocol = string(name)
			}
			e, ok := h.Header("sec-websocket-extensions")
			if ok {
				a.Extensions = string(e)
			}
			_, err := emitted(t, 1+int(knobs), func(dst []byte) (int, error) { return h.Accept(dst, a) })
			if len(e) > 0 || !ok {
				require.NoError(t, err)
			}
		case PlainRequest:
			_, err := emitted(t, 1+int(knobs), func(dst []byte) (int, error) { return h.Respond(dst, &Response{Status: 200}) })
			require.NoError(t, err)
		case Failed:
			_, err := emitted(t, 1+int(knobs), func(dst []byte) (int, error) { return h.Respond(dst, nil) })
			require.NoError(t, err)
		}
	})
}

func FuzzClientHandshake(f *testing.F) {
	seeds(f, "response", func(in []byte) { f.Add(string(in), []byte{0}, uint8(0x70)) })
	for _, c := range clientCases {
		f.Add(strings.Replace(c.in, "|", "", 1), []byte{0, 9}, uint8(0x70))
	}
	f.Fuzz(func(t *testing.T, in string, steps []byte, knobs uint8) {
		opt, store := fuzzOptions(knobs)
		compare(t, in, steps, func() receiver { return freshClient(t, store, &fullRequest, opt) })
	})
}

func FuzzRequest(f *testing.F) {
	f.Add("h", "/", "", "a", "x;y=z", "Name", "value")
	f.Fuzz(func(t *testing.T, host, target, origin, subprotocol, extensions, name, value string) {
		req := &Request{Host: host, Target: target, Origin: origin, Subprotocols: []string{subprotocol}, Extensions: extensions, Fields: []Field{{name, value}}}
		var h ClientHandshake
		if h.Reset(nil, req, sampleKeys(), nil) != nil {
			return
		}
		out, err := emitted(t, 100, h.Request)
		require.NoError(t, err)
		s := freshServer(1<<20, &HandshakeOptions{MaxHead: NoLimit, KeepAll: true})
		n, err := feed(t, s, out)
		require.NoError(t, err, "what a client may send, a server takes: %q", out)
		require.Equal(t, len(out), n)
		require.Equal(t, target, string(s.Target()))
		got, ok := s.Header(name)
		require.True(t, ok)
		require.Equal(t, strings.Trim(value, " \t"), string(got))
	})
}
