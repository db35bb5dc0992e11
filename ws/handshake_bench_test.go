package ws

import "testing"

// BenchmarkServerHandshake is a browser's request parsed and answered.
func BenchmarkServerHandshake(b *testing.B) {
	var h ServerHandshake
	in, store, out := []byte(browserRequest), make([]byte, HandshakeStore), make([]byte, 512)
	a := &Acceptance{Subprotocol: "chat"}
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for i := 0; i < b.N; i++ {
		h.Reset(store, nil)
		if _, _, err := h.Receive(in); err != nil {
			b.Fatal(err)
		}
		if _, err := h.Accept(out, a); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkServerHandshakeParse is a browser's request parsed.
func BenchmarkServerHandshakeParse(b *testing.B) {
	var h ServerHandshake
	in, store := []byte(browserRequest), make([]byte, HandshakeStore)
	b.SetBytes(int64(len(in)))
	for i := 0; i < b.N; i++ {
		h.Reset(store, nil)
		if _, _, err := h.Receive(in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkClientHandshake is a request written and its answer checked, with a nonce that costs nothing.
func BenchmarkClientHandshake(b *testing.B) {
	var h ClientHandshake
	keys, in, out, store := sampleKeys(), []byte(response("", "Sec-WebSocket-Protocol: chat\r\n")), make([]byte, 512), make([]byte, 64)
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if err := h.Reset(store, &fullRequest, keys, nil); err != nil {
			b.Fatal(err)
		}
		if _, err := h.Request(out); err != nil {
			b.Fatal(err)
		}
		if _, _, err := h.Receive(in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkServerHandshake64K is a head of 64 KiB, whole and byte by byte. The calls themselves are the third
// figure, to be subtracted from the second: what is left is at most three times the first.
func BenchmarkServerHandshake64K(b *testing.B) {
	in := make([]byte, 0, 70<<10)
	in = append(in, "GET / HTTP/1.1\r\nHost: h\r\n"...)
	for len(in) < 64<<10 {
		in = append(in, "Cookie: 0123456789012345678901234567890123456789; 012345678901234567890123456789; 0123456789\r\n"...)
	}
	in = append(in, "\r\n"...)
	opt := &HandshakeOptions{MaxHead: NoLimit, MaxFields: NoLimit}
	store := make([]byte, 64)
	var h ServerHandshake
	for _, c := range []struct {
		name string
		step int
		idle bool
	}{{"whole", len(in), false}, {"bytewise", 1, false}, {"calls", 1, true}} {
		b.Run(c.name, func(b *testing.B) {
			for i := 0; i < b.N; i++ {
				h.Reset(store, opt)
				for at := 0; at < len(in); at += c.step {
					piece := in[at : at+c.step]
					if c.idle {
						piece = piece[:0]
					}
					if _, _, err := h.Receive(piece); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
