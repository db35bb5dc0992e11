package main

import (
	"bytes"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/embws/embws/examples/browser"
	"github.com/embws/embws/examples/internal/program"
	"github.com/embws/embws/ws"
)

func TestServer_EchoesMessagesOfAnySize(t *testing.T) {
	addr, _, _ := program.Start(t, program.Build(t), "-addr", "127.0.0.1:0")
	a, b := program.Dial(t, addr, "/chat"), program.Dial(t, addr, "/chat")
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		a.Echo(t, size)
		b.Echo(t, size)
	}
	require.NoError(t, a.Ping([]byte("are you there")))
	a.Echo(t, 10)
	require.NoError(t, a.Close(4000, "enough"))
	code, _, _ := a.Session().PeerClose()
	assert.Equal(t, ws.CloseCode(4000), code)
}

func TestServer_CtrlCClosesEveryClientWith1001(t *testing.T) {
	addr, _, stop := program.Start(t, program.Build(t), "-addr", "127.0.0.1:0")
	var clients []*program.Client
	for i := 0; i < 20; i++ {
		clients = append(clients, program.Dial(t, addr, "/chat"))
	}
	silent, err := net.Dial("tcp", addr) // as browsers open
	require.NoError(t, err)
	defer silent.Close()
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	for _, c := range clients {
		_, _, err := c.ReadMessage()
		assert.Equal(t, io.EOF, err)
		code, _, _ := c.Session().PeerClose()
		assert.Equal(t, ws.CloseGoingAway, code)
	}
	assert.NoError(t, <-ended)
}

// A page, and then the WebSocket, on one connection, as proxies do.
func TestServer_AnswersPlainRequestsAndGoesOn(t *testing.T) {
	addr, _, _ := program.Start(t, program.Build(t), "-addr", "127.0.0.1:0")
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer nc.Close()
	require.NoError(t, nc.SetDeadline(time.Now().Add(program.Patience)))
	_, err = io.WriteString(nc, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\nGET /chat HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	var answer []byte
	for !bytes.Contains(answer, []byte("426 Upgrade Required")) {
		var buf [4096]byte
		n, err := nc.Read(buf[:])
		require.NoError(t, err)
		answer = append(answer, buf[:n]...)
	}
	assert.True(t, bytes.HasPrefix(answer, []byte("HTTP/1.1 200 OK\r\n")))
	assert.Contains(t, string(answer), string(browser.Page))
	assert.Contains(t, string(answer), "HTTP/1.1 404 Not Found\r\n")
	var h ws.ClientHandshake
	require.NoError(t, h.Reset(make([]byte, 256), &ws.Request{Host: "x", Target: "/chat"}, nil, nil))
	var c ws.Conn
	// The rest of the last answer's body comes before the 101.
	for !bytes.HasSuffix(answer, []byte("This is a WebSocket.\n")) {
		var buf [1]byte
		_, err := io.ReadFull(nc, buf[:])
		require.NoError(t, err)
		answer = append(answer, buf[0])
	}
	require.NoError(t, c.Connect(nc, &h, ws.Buffers{Read: make([]byte, 100), Write: make([]byte, 100), Message: make([]byte, 100)}, nil))
	require.NoError(t, c.Close(ws.CloseNormal, ""))
}

func TestServer_Help(t *testing.T) {
	out, _ := exec.Command(program.Build(t), "-help").CombinedOutput()
	for _, flag := range []string{"-addr", "-path", "-subprotocol"} {
		assert.Contains(t, string(out), flag)
	}
}

// A client that breaks a rule learns why, and the server goes on.
func TestServer_ViolationGetsItsCloseCode(t *testing.T) {
	addr, _, _ := program.Start(t, program.Build(t), "-addr", "127.0.0.1:0", "-path", "/")
	request := strings.Join([]string{
		"GET / HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "", "",
	}, "\r\n")
	answer := program.Talk(t, addr, request+"\x81\x82\x00\x00\x00\x00ok\x81\x01unmasked")
	assert.True(t, strings.HasSuffix(answer, "\r\n\r\n\x81\x02ok\x88\x02\x03\xEA"), "%q", answer)
	program.Dial(t, addr, "/").Echo(t, 100)
}
