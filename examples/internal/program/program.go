// Package program builds and runs the example programs for their tests.
package program

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/embws/embws/ws"
)

// Patience bounds every wait of a test.
const Patience = 30 * time.Second

// Build builds the package in the current folder and returns the program's path.
func Build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "program")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", bin, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return bin
}

// Start starts a server that prints its address, as http://HOST:PORT or ws://HOST:PORT, and returns HOST:PORT.
// stop sends what Ctrl-C sends, and returns how the server ended; it is called at the test's end in any case.
func Start(t *testing.T, bin string, args ...string) (addr string, cmd *exec.Cmd, stop func() error) {
	t.Helper()
	cmd = exec.Command(bin, args...)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = w, w
	require.NoError(t, cmd.Start())
	require.NoError(t, w.Close())
	ended := make(chan error, 1)
	found := make(chan string, 1)
	go func() {
		address := regexp.MustCompile(`(?:http|ws)://([^/\s]+)`)
		for lines := bufio.NewScanner(r); lines.Scan(); {
			if m := address.FindStringSubmatch(lines.Text()); m != nil {
				select {
				case found <- m[1]:
				default:
				}
			}
		}
		ended <- cmd.Wait()
	}()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case err := <-ended:
			return err
		case <-time.After(Patience):
			_ = cmd.Process.Kill()
			return <-ended
		}
	}
	t.Cleanup(func() { require.NoError(t, stop(), "how the server ended") })
	select {
	case addr = <-found:
	case <-time.After(Patience):
		require.Fail(t, "the server does not print its address")
	}
	return addr, cmd, stop
}

// Client is an open connection to a server.
type Client struct {
	ws.Conn
	Transport net.Conn
	handshake ws.ClientHandshake
	memory    [3][1024]byte
}

// Dial connects to the WebSocket at path.
func Dial(t *testing.T, addr, path string) *Client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(Patience)))
	c := &Client{Transport: nc}
	require.NoError(t, c.handshake.Reset(c.memory[0][:], &ws.Request{Host: addr, Target: path, Subprotocols: []string{"chat"}}, nil, nil))
	require.NoError(t, c.Connect(nc, &c.handshake, ws.Buffers{Read: c.memory[1][:], Write: c.memory[2][:]}, nil))
	return c
}

// Echo sends a message of size bytes and requires it back; the echo is read while the message is written, as a
// client must that sends more than the transport holds.
func (c *Client) Echo(t *testing.T, size int) {
	t.Helper()
	const part = 512
	sent, got := 0, 0
	for fin := false; !fin || got < size; {
		if !fin {
			n := min(part, size-sent)
			fin = sent+n == size
			_, err := c.WritePiece(ws.Binary, fin, pattern(sent, n))
			require.NoError(t, err)
			sent += n
		}
		for got < sent || fin && size == 0 {
			e, payload, err := c.ReadPiece()
			require.NoError(t, err)
			require.Equal(t, ws.Binary, e.Kind)
			require.Equal(t, pattern(got, len(payload)), payload)
			got += len(payload)
			if e.Is(ws.MessageEnd) {
				require.Equal(t, size, got)
				return
			}
		}
	}
	e, payload, err := c.ReadPiece()
	require.NoError(t, err)
	require.Empty(t, payload)
	require.True(t, e.Is(ws.MessageEnd))
}

func pattern(from, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte((from + i) * 31 >> 3)
	}
	return p
}

// Talk sends request to a server and returns all that it answers until it closes.
func Talk(t *testing.T, addr, request string) string {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer nc.Close()
	require.NoError(t, nc.SetDeadline(time.Now().Add(Patience)))
	_, err = io.WriteString(nc, request)
	require.NoError(t, err)
	answer, err := io.ReadAll(nc)
	require.NoError(t, err)
	return string(answer)
}
