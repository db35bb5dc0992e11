package main

import (
	"bytes"
	"io"
	"os/exec"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/embws/embws/examples/internal/program"
	"github.com/embws/embws/ws"
)

const request = "GET /uart HTTP/1.1\r\nHost: device\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// wire plays a client's bytes, and counts and keeps the head of what it is told.
type wire struct {
	in    []byte
	said  [512]byte
	bytes int
}

func (w *wire) Read(p []byte) (int, error) {
	if len(w.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, w.in)
	w.in = w.in[n:]
	return n, nil
}

func (w *wire) Write(p []byte) (int, error) {
	if w.bytes < len(w.said) {
		copy(w.said[w.bytes:], p)
	}
	w.bytes += len(p)
	return len(p), nil
}

func TestFirmware_LivesInAKilobyteWithoutAHeap(t *testing.T) {
	assert.LessOrEqual(t, len(kept)+len(rx)+len(tx), 1024)
	assert.LessOrEqual(t, unsafe.Sizeof(handshake)+unsafe.Sizeof(conn), uintptr(1024))

	var client ws.Codec
	client.Reset(ws.Client, nil)
	stream := []byte(request)
	dst := make([]byte, 100<<10)
	for _, size := range []int{0, 5, 300, 90000} {
		n, err := client.Encode(dst, ws.Binary, true, make([]byte, size))
		require.NoError(t, err)
		stream = append(stream, dst[:n]...)
	}
	n, err := client.Close(dst, ws.CloseNormal, "")
	require.NoError(t, err)
	stream = append(stream, dst[:n]...)

	var w wire
	allocs := testing.AllocsPerRun(5, func() {
		w = wire{in: stream}
		serve(&w)
	})
	assert.Zero(t, allocs)
	assert.Greater(t, w.bytes, 90305)
	assert.Contains(t, string(w.said[:]), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
	code, _, ok := conn.Session().PeerClose()
	assert.True(t, ok)
	assert.Equal(t, ws.CloseNormal, code)
}

// The program as it is, with pipes for a UART.
func TestFirmware_EchoesOverStandardInputAndOutput(t *testing.T) {
	cmd := exec.Command(program.Build(t))
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())

	var h ws.ClientHandshake
	require.NoError(t, h.Reset(make([]byte, 256), &ws.Request{Host: "device", Target: "/"}, nil, nil))
	var c ws.Conn
	line := struct {
		io.Reader
		io.Writer
	}{out, in}
	require.NoError(t, c.Connect(line, &h, ws.Buffers{Read: make([]byte, 512), Write: make([]byte, 512), Message: make([]byte, 20000)}, nil))
	for _, size := range []int{0, 1, 125, 126, 20000} {
		payload := bytes.Repeat([]byte{'x'}, size)
		_, err = c.WriteMessage(ws.Text, payload)
		require.NoError(t, err)
		kind, echo, err := c.ReadMessage()
		require.NoError(t, err)
		assert.Equal(t, ws.Text, kind)
		assert.Equal(t, payload, append([]byte{}, echo...))
	}
	require.NoError(t, c.Close(ws.CloseNormal, "done"))
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
}
