//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/embws/embws/examples/internal/program"
	"github.com/embws/embws/ws"
)

func TestEventloop_EchoesAndSaysGoodbye(t *testing.T) {
	addr, _, stop := program.Start(t, program.Build(t), "-addr", "127.0.0.1:0")
	var clients []*program.Client
	for i := 0; i < 5; i++ {
		clients = append(clients, program.Dial(t, addr, "/"))
	}
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		for _, c := range clients {
			c.Echo(t, size)
		}
	}
	require.NoError(t, clients[0].Close(3000, "enough"))
	code, _, _ := clients[0].Session().PeerClose()
	assert.Equal(t, ws.CloseCode(3000), code)
	require.NoError(t, stop())
	_, _, err := clients[1].ReadMessage()
	require.Error(t, err)
	code, reason, ok := clients[1].Session().PeerClose()
	assert.True(t, ok)
	assert.Equal(t, ws.CloseGoingAway, code)
	assert.Equal(t, "the server stops", string(reason))
}

// A client that writes and does not read gets a backlog, and in the end every byte.
func TestEventloop_ClientThatDoesNotRead(t *testing.T) {
	addr, _, _ := program.Start(t, program.Build(t), "-addr", "127.0.0.1:0")
	c := program.Dial(t, addr, "/")
	other := program.Dial(t, addr, "/")
	payload := bytes.Repeat([]byte("0123456789abcdef"), 1<<10)
	const count = 1000 // 16 MiB: more than the sockets hold
	wrote := make(chan error, 1)
	go func() {
		var err error
		var writer ws.Conn // the half that writes, in a Conn of its own, since a Conn has one user at a time
		writer.Reset(c.Transport, ws.Client, ws.Buffers{Read: make([]byte, 1), Write: make([]byte, 32<<10)}, 0, nil)
		for i := 0; i < count && err == nil; i++ {
			_, err = writer.WriteMessage(ws.Binary, payload)
		}
		wrote <- err
	}()
	for i := 0; i < 50; i++ {
		other.Echo(t, 1000) // the server serves others meanwhile
	}
	for got := 0; got < count*len(payload); {
		_, p, err := c.ReadPiece()
		require.NoError(t, err)
		got += len(p)
	}
	require.NoError(t, <-wrote)
}

func TestEventloop_RefusesWhatIsNoUpgrade(t *testing.T) {
	addr, _, _ := program.Start(t, program.Build(t), "-addr", "127.0.0.1:0")
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n":  "HTTP/1.1 404 ",
		"POST / HTTP/1.1\r\nHost: x\r\n\r\n": "HTTP/1.1 405 ",
		"GET / HTTP/1.1\nHost: x\n\n":        "HTTP/1.1 400 ",
	} {
		assert.Equal(t, want, program.Talk(t, addr, request)[:len(want)])
	}
}

// The number of the design: an idle connection costs at most 400 bytes of process memory.
func TestEventloop_IdleConnectionsCostLittle(t *testing.T) {
	const count, most = 10_000, 400
	var files syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files))
	if files.Cur < count+100 {
		t.Skipf("%d open files are allowed, %d are needed: raise the limit (ulimit -n)", files.Cur, count+100)
	}
	addr, cmd, _ := program.Start(t, program.Build(t), "-addr", "127.0.0.1:0")
	first := program.Dial(t, addr, "/")
	first.Echo(t, 1000)
	before := resident(t, cmd.Process.Pid)
	for i := 0; i < count; i++ {
		idle(t, addr)
	}
	first.Echo(t, 1000)
	after := resident(t, cmd.Process.Pid)
	each := float64(after-before) / count
	t.Logf("%d connections: %d bytes at first, %d then, %.0f each", count, before, after, each)
	assert.LessOrEqual(t, each, float64(most))
	runtime.KeepAlive(first)
}

// idle opens a connection by hand and leaves it open until the test ends.
func idle(t *testing.T, addr string) {
	port, err := strconv.Atoi(addr[strings.LastIndexByte(addr, ':')+1:])
	require.NoError(t, err)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	limit := syscall.NsecToTimeval(int64(program.Patience / time.Nanosecond))
	require.NoError(t, syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &limit))
	require.NoError(t, syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}))
	request := "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	_, err = syscall.Write(fd, []byte(request))
	require.NoError(t, err)
	var answer []byte
	for !bytes.Contains(answer, []byte("\r\n\r\n")) {
		var buf [512]byte
		n, err := syscall.Read(fd, buf[:])
		require.NoError(t, err)
		require.NotZero(t, n)
		answer = append(answer, buf[:n]...)
	}
	require.Contains(t, string(answer), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
}

// resident returns the resident memory of a process, in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	for _, line := range strings.Split(string(status), "\n") {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kib, err := strconv.Atoi(f[1])
			require.NoError(t, err)
			return kib << 10
		}
	}
	require.Fail(t, "no VmRSS")
	return 0
}
