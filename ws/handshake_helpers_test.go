package ws

// This file holds what the tests of both handshakes share: feeding in pieces, and a description of all that a
// handshake tells, so that two ways of feeding can be compared.

import (
	"bytes"
	"fmt"
	"io"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ==" // RFC 6455 1.3
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// browserRequest is what a current browser sends.
const browserRequest = "GET /chat?room=1 HTTP/1.1\r\n" +
	"Host: server.example.com:8080\r\n" +
	"Connection: Upgrade\r\n" +
	"Pragma: no-cache\r\n" +
	"Cache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
	"Upgrade: websocket\r\n" +
	"Origin: https://server.example.com\r\n" +
	"Sec-WebSocket-Version: 13\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n" +
	"Sec-WebSocket-Key: " + sampleKey + "\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" +
	"Sec-WebSocket-Protocol: chat, superchat\r\n\r\n"

// upgradeFields are the fields of a least upgrade request, by name.
var upgradeFields = [][2]string{
	{"Host", "h"},
	{"Upgrade", "websocket"},
	{"Connection", "Upgrade"},
	{"Sec-WebSocket-Key", sampleKey},
	{"Sec-WebSocket-Version", "13"},
}

// upgradeWith returns the least upgrade request with further lines, and with one of its fields replaced by lines of its
// own (without leaves the field out).
func upgradeWith(without, lines string) string {
	var b strings.Builder
	b.WriteString("GET / HTTP/1.1\r\n")
	for _, f := range upgradeFields {
		if f[0] != without {
			b.WriteString(f[0] + ": " + f[1] + "\r\n")
		}
	}
	b.WriteString(lines + "\r\n")
	return b.String()
}

// receiver is what both handshakes have in common.
type receiver interface {
	Receive([]byte) (int, bool, error)
	Outcome() Outcome
	Failure() Failure
	Header(string) ([]byte, bool)
	Fields() FieldCursor
	Extensions() ExtensionCursor
}

// feed hands in to h in pieces that end at the cuts, and checks the contract of Receive on the way.
func feed(t testing.TB, h receiver, in string, cuts ...int) (eaten int, err error) {
	t.Helper()
	cuts = append(cuts, len(in))
	from := 0
	for _, to := range cuts {
		if to < from {
			continue
		}
		piece := []byte(in[from:to])
		n, done, err := h.Receive(piece)
		require.LessOrEqual(t, n, len(piece))
		eaten += n
		if err != nil {
			require.True(t, done)
			again, done, err2 := h.Receive([]byte("x"))
			require.Zero(t, again)
			require.True(t, done)
			require.Equal(t, err, err2, "a failure is sticky")
			return eaten, err
		}
		if done {
			again, done, err2 := h.Receive([]byte("x"))
			require.Zero(t, again)
			require.True(t, done)
			require.NoError(t, err2)
			return eaten, nil
		}
		require.Equal(t, len(piece), n, "all is eaten while more is needed")
		from = to
	}
	return eaten, nil
}

// describe writes down all that h tells.
func describe(h receiver, eaten int, err error) string {
	var b strings.Builder
	f := h.Failure()
	fmt.Fprintf(&b, "eaten %d, error %v, outcome %v, failure %v at %d\n", eaten, err, h.Outcome(), f.Err, f.Offset)
	if s, ok := h.(*ServerHandshake); ok {
		origin, present := s.Origin()
		fmt.Fprintf(&b, "target %q path %q query %q host %q origin %q %v\n", s.Target(), s.Path(), s.Query(), s.Host(), origin, present)
		fmt.Fprintf(&b, "subprotocols %q\n", offeredSubprotocols(s))
	}
	if c, ok := h.(*ClientHandshake); ok {
		fmt.Fprintf(&b, "status %d subprotocol %q\n", c.Status(), c.Subprotocol())
	}
	for c := h.Fields(); ; {
		name, value, ok := c.Next()
		if !ok {
			break
		}
		fmt.Fprintf(&b, "field %q %q\n", name, value)
	}
	b.WriteString(describeExtensions(h.Extensions()))
	return b.String()
}

func describeExtensions(c ExtensionCursor) string {
	var b strings.Builder
	for {
		e, ok := c.Next()
		if !ok {
			return b.String()
		}
		fmt.Fprintf(&b, "[%s", e.Name)
		for p := e.Params(); ; {
			param, ok := p.Next()
			if !ok {
				break
			}
			fmt.Fprintf(&b, " %s", param.Name)
			if param.HasValue {
				fmt.Fprintf(&b, "=%s", param.Value)
			}
		}
		b.WriteString("]")
	}
}

func offeredSubprotocols(h *ServerHandshake) (names []string) {
	for c := h.Subprotocols(); ; {
		name, ok := c.Next()
		if !ok {
			return names
		}
		names = append(names, string(name))
	}
}

// everySplit feeds in whole, byte by byte, at every two-way split and at random places, demands that all tell the same,
// and returns it. fresh makes a handshake that waits for its first byte.
func everySplit(t testing.TB, in string, fresh func() receiver) string {
	t.Helper()
	h := fresh()
	eaten, err := feed(t, h, in)
	want := describe(h, eaten, err)
	if f := h.Failure(); f.Err != nil {
		require.EqualValues(t, eaten, f.Offset, "the byte that broke the rule is not eaten")
	}
	try := func(cuts ...int) {
		h := fresh()
		eaten, err := feed(t, h, in, cuts...)
		if got := describe(h, eaten, err); got != want {
			require.Equal(t, want, got, "split at %v of %q", cuts, in)
		}
	}
	bytewise := make([]int, len(in))
	for i := range bytewise {
		bytewise[i] = i
	}
	try(bytewise...)
	step := 1
	if len(in) > 4096 {
		step = len(in) / 1000
	}
	for i := 0; i <= len(in); i += step {
		try(i)
	}
	rnd := rand.New(rand.NewSource(int64(len(in))))
	for i := 0; i < 20; i++ {
		var cuts []int
		for at := 0; at < len(in); at += 1 + rnd.Intn(1+rnd.Intn(64)) {
			cuts = append(cuts, at)
		}
		try(cuts...)
	}
	return want
}

// emitted calls emit with room for size bytes at a time until it is done, and returns all that was written. The bytes
// around the room must stay as they are.
func emitted(t testing.TB, size int, emit func([]byte) (int, error)) (string, error) {
	t.Helper()
	var all []byte
	guarded := bytes.Repeat([]byte{0xA5}, size+16)
	for calls := 0; ; calls++ {
		require.Less(t, calls, 1<<20)
		for i := range guarded {
			guarded[i] = 0xA5
		}
		n, err := emit(guarded[8 : 8+size : 8+size])
		require.Equal(t, bytes.Repeat([]byte{0xA5}, 8), guarded[:8])
		require.Equal(t, bytes.Repeat([]byte{0xA5}, 8+size-n), guarded[8+n:], "rule 102")
		all = append(all, guarded[8:8+n]...)
		if err != ErrNoRoom {
			return string(all), err
		}
		require.Equal(t, size, n, "the room is filled while more is to come")
	}
}

// hostileStrings are what no emitted header may hold (rule 22).
var hostileStrings = []string{"a\rb", "a\nb", "a\r\nX: y", "a\x00b", "\r\n", "a\x7fb", "\x01"}

// nonce is a source that gives the bytes of a nonce again and again.
func nonceSource(b ...byte) io.Reader { return &repeating{b, 0} }

type repeating struct {
	b  []byte
	at int
}

func (r *repeating) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.b[r.at%len(r.b)]
		r.at++
	}
	return len(p), nil
}
