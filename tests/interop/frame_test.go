//go:build unix

package interop

// This file writes and reads frames and handshake lines by hand, apart from the code that is tested (RFC 6455 5.2).

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The first bytes of frames: FIN and the opcode.
const (
	textFrame  = 0x81
	closeFrame = 0x88
	pingFrame  = 0x89
	pongFrame  = 0x8A
)

// frame returns a frame without a mask, as a server sends it.
func frame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}

// masked returns the frame of a client.
func masked(first byte, payload string) []byte {
	b := frame(first, payload)
	head := len(b) - len(payload)
	b[1] |= 0x80
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	out := append(append([]byte{}, b[:head]...), key[:]...)
	for i, c := range b[head:] {
		out = append(out, c^key[i%4])
	}
	return out
}

// closing returns the payload of a Close.
func closing(code uint16, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, code)) + reason
}

// raw is an end of a connection that a test speaks for by hand.
type raw struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func newRaw(t *testing.T, nc net.Conn) *raw {
	t.Helper()
	t.Cleanup(func() { _ = nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(patience)))
	return &raw{t, nc, bufio.NewReader(nc)}
}

func dialRaw(t *testing.T, addr string) *raw {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, patience)
	require.NoError(t, err)
	return newRaw(t, nc)
}

// send writes all of the parts in one call.
func (r *raw) send(parts ...[]byte) {
	r.t.Helper()
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	_, err := r.Write(all)
	require.NoError(r.t, err)
}

// frame reads a frame; the payload is unmasked.
func (r *raw) frame() (first byte, isMasked bool, payload []byte) {
	r.t.Helper()
	next := func(n uint64) []byte {
		b := make([]byte, n)
		_, err := io.ReadFull(r.in, b)
		require.NoError(r.t, err)
		return b
	}
	head := next(2)
	n := uint64(head[1] & 0x7F)
	switch n {
	case 126:
		n = uint64(binary.BigEndian.Uint16(next(2)))
	case 127:
		n = binary.BigEndian.Uint64(next(8))
	}
	require.LessOrEqual(r.t, n, uint64(1<<20))
	var key []byte
	if isMasked = head[1]&0x80 != 0; isMasked {
		key = next(4)
	}
	payload = next(n)
	for i := range payload {
		if isMasked {
			payload[i] ^= key[i%4]
		}
	}
	return head[0], isMasked, payload
}

// wantText demands a text message, in as many fragments as the server likes.
func (r *raw) wantText(text string) {
	r.t.Helper()
	first, isMasked, got := r.frame()
	opcode := byte(textFrame)
	for {
		require.False(r.t, isMasked)
		require.Equal(r.t, opcode, first|0x80)
		if first&0x80 != 0 {
			break
		}
		var more []byte
		first, isMasked, more = r.frame()
		opcode, got = 0x80, append(got, more...)
	}
	require.Equal(r.t, text, string(got))
}

// wantClose demands a Close with that code, and any reason.
func (r *raw) wantClose(code uint16) {
	r.t.Helper()
	first, _, payload := r.frame()
	require.Equal(r.t, byte(closeFrame), first)
	require.Equal(r.t, closing(code, ""), string(payload[:min(2, len(payload))]))
}

// wantEnd demands that nothing more comes before the end.
func (r *raw) wantEnd() {
	r.t.Helper()
	rest, err := io.ReadAll(r.in)
	require.NoError(r.t, err)
	require.Empty(r.t, rest)
}

// response reads an HTTP response with its body.
func (r *raw) response() (*http.Response, string) {
	r.t.Helper()
	response, err := http.ReadResponse(r.in, nil)
	require.NoError(r.t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(r.t, err)
	return response, string(body)
}

// The key and its answer of RFC 6455 1.3.
const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// acceptOf returns the answer to a key (RFC 6455 4.2.2).
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// head joins the lines of a handshake.
func head(lines ...string) []byte {
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")
}
