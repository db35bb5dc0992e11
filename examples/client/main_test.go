package main

import (
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/embws/embws/examples/internal/program"
	"github.com/embws/embws/ws"
)

// serveOnce is a server for one client, which it answers by do.
func serveOnce(t *testing.T, do func(*ws.Conn, *ws.ServerHandshake) error) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			nc, err := listener.Accept()
			if err != nil {
				return err
			}
			defer nc.Close()
			_ = nc.SetDeadline(time.Now().Add(program.Patience))
			var h ws.ServerHandshake
			h.Reset(make([]byte, 512), nil)
			var c ws.Conn
			if err = c.Serve(nc, &h, ws.Buffers{Read: make([]byte, 512), Write: make([]byte, 512), Message: make([]byte, 512)}, nil); err != nil {
				return err
			}
			return do(&c, &h)
		}()
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		require.NoError(t, <-done)
	})
	return "ws://" + listener.Addr().String() + "/chat"
}

func TestClient_SaysHelloAndClosesCleanly(t *testing.T) {
	url := serveOnce(t, func(c *ws.Conn, h *ws.ServerHandshake) error {
		if err := c.Accept(&ws.Acceptance{Subprotocol: "chat"}); err != nil {
			return err
		}
		kind, p, err := c.ReadMessage()
		if err != nil {
			return err
		}
		if _, err = c.WriteMessage(kind, p); err != nil {
			return err
		}
		_, _, _ = c.ReadMessage()
		return c.Close(0, "")
	})
	out, err := exec.Command(program.Build(t), "-url", url, "-message", "good morning").CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, "connected to "+url+", subprotocol \"chat\"\ntext, 12 bytes: good morning\nclosed cleanly: 1000 \"\"\n", string(out))
}

func TestClient_ReportsARefusal(t *testing.T) {
	url := serveOnce(t, func(c *ws.Conn, h *ws.ServerHandshake) error {
		return c.Respond(&ws.Response{Status: 403})
	})
	out, err := exec.Command(program.Build(t), "-url", url).CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "403")
}

func TestClient_ReportsWhatItCannotReach(t *testing.T) {
	bin := program.Build(t)
	for _, url := range []string{"ws://127.0.0.1:1/", "http://127.0.0.1/", "://"} {
		out, err := exec.Command(bin, "-url", url).CombinedOutput()
		require.Error(t, err)
		assert.NotEmpty(t, out)
	}
}
