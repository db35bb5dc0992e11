//go:build unix

package interop

// This file tests ws.Conn, ws.Session and examples/client with servers that are not ours.

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/embws/embws/ws"
)

// messageSize is the largest message, in bytes, that a client of these tests takes.
const messageSize = 1 << 20

// client is a ws.Conn that has connected.
type client struct {
	t         *testing.T
	nc        net.Conn
	conn      ws.Conn
	handshake ws.ClientHandshake
	keys      ws.Keys
	opt       ws.Options
}

// connect dials and offers chat; size is that of the read and the write buffer.
func connect(t *testing.T, addr, target string, size int, keep *ws.HandshakeOptions) (*client, error) {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, patience)
	require.NoError(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(patience)))
	c := &client{t: t, nc: nc}
	c.opt.Keys = &c.keys
	request := &ws.Request{Host: addr, Target: target, Subprotocols: []string{"chat"}}
	require.NoError(t, c.handshake.Reset(make([]byte, ws.HandshakeStore), request, &c.keys, keep))
	buffers := ws.Buffers{Read: make([]byte, size), Write: make([]byte, size), Message: make([]byte, messageSize)}
	return c, c.conn.Connect(nc, &c.handshake, buffers, &c.opt)
}

// open is connect to a server that has to select chat.
func open(t *testing.T, addr, target string, size int) *client {
	t.Helper()
	c, err := connect(t, addr, target, size, nil)
	require.NoError(t, err)
	require.Equal(t, 101, c.handshake.Status())
	require.Equal(t, "chat", string(c.handshake.Subprotocol()))
	return c
}

// query makes a target.
func query(path string, pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return path + "?" + values.Encode()
}

// want demands a message.
func (c *client) want(kind ws.Opcode, payload string) {
	c.t.Helper()
	got, p, err := c.conn.ReadMessage()
	require.NoError(c.t, err)
	require.Equal(c.t, kind, got)
	requireSame(c.t, []byte(payload), p)
}

// wantClosed demands that the server has closed, and ends the transport.
func (c *client) wantClosed(code ws.CloseCode, reason string) {
	c.t.Helper()
	_, _, err := c.conn.ReadMessage()
	require.Equal(c.t, io.EOF, err)
	c.wantPeerClose(code, reason)
	require.NoError(c.t, c.conn.Close(0, ""))
	require.NoError(c.t, c.nc.Close())
}

// close closes and demands the same code from the server.
func (c *client) close(code ws.CloseCode, reason string) {
	c.t.Helper()
	require.NoError(c.t, c.conn.Close(code, reason))
	c.wantPeerClose(code, reason)
	require.NoError(c.t, c.nc.Close())
}

func (c *client) wantPeerClose(code ws.CloseCode, reason string) {
	c.t.Helper()
	gotCode, gotReason, ok := c.conn.Session().PeerClose()
	require.True(c.t, ok)
	require.Equal(c.t, code, gotCode)
	require.Equal(c.t, reason, string(gotReason))
	require.Equal(c.t, ws.StateClosed, c.conn.Session().State())
}

// wantDropped demands that the transport ends without a Close.
func (c *client) wantDropped() {
	c.t.Helper()
	_, _, err := c.conn.ReadMessage()
	require.ErrorIs(c.t, err, ws.ErrNoClose)
	require.ErrorIs(c.t, err, io.ErrUnexpectedEOF)
	_, _, ok := c.conn.Session().PeerClose()
	require.False(c.t, ok)
}

// echo sends a message in parts and demands it back.
func (c *client) echo(kind ws.Opcode, parts ...[]byte) {
	c.t.Helper()
	for i, part := range parts {
		n, err := c.conn.WritePiece(kind, i == len(parts)-1, part)
		require.NoError(c.t, err)
		require.Equal(c.t, len(part), n)
	}
	c.want(kind, string(bytes.Join(parts, nil)))
}

func TestClient_WithTheirServer(t *testing.T) {
	eachLibrary(t, func(t *testing.T, l library) {
		p, addr := startPeerServer(t, l)
		for name, size := range map[string]int{"4 KiB buffers": 4096, "buffers of 64 bytes": 64, "buffers of 3 bytes": 3} {
			t.Run(name, func(t *testing.T) { testClient(t, p, addr, size) })
		}

		t.Run("several at once", func(t *testing.T) {
			for i := range 8 {
				c := open(t, addr, "/chat", 512)
				t.Run(fmt.Sprint(i), func(t *testing.T) {
					t.Parallel()
					c.t = t
					for k := range 8 {
						c.echo(ws.Text, fmt.Appendf(nil, "message %d of %d", k, i))
						c.echo(ws.Binary, pattern(1000*i+k))
					}
					c.close(ws.CloseCode(4000+i), "done")
				})
			}
		})
		t.Run("ping", func(t *testing.T) { testPings(t, addr) })
		t.Run("refused", func(t *testing.T) { testRefusals(t, addr) })
		t.Run("examples/client", func(t *testing.T) { testProgram(t, p, addr) })
	})
}

func testClient(t *testing.T, p *peer, addr string, size int) {
	t.Run("echo", func(t *testing.T) {
		for _, path := range []string{"/chat", "/fragments"} {
			c := open(t, addr, path, size)
			for _, text := range texts {
				c.echo(ws.Text, []byte(text))
			}
			for _, n := range sizes {
				if n <= 1024*size {
					c.echo(ws.Binary, pattern(n))
				}
			}
			c.close(ws.CloseNormal, "")
		}
	})
	t.Run("fragments", func(t *testing.T) {
		c := open(t, addr, "/chat", size)
		c.echo(ws.Text, []byte("Gr\xc3"), nil, []byte("\xbc\xc3"), []byte("\x9fe"), nil)
		c.echo(ws.Binary, pattern(125), pattern(126), pattern(1), pattern(2000))
		c.close(ws.CloseNormal, "")
	})
	t.Run("close by us", func(t *testing.T) {
		for i, code := range []ws.CloseCode{1000, 1001, 1011, 3000, 4999} {
			name := fmt.Sprintf("closed %d %d", size, i)
			c := open(t, addr, query("/chat", "name", name), size)
			c.echo(ws.Text, []byte("hello"))
			c.close(code, "because, naïvely")
			s := p.event(t, "closed", name)
			require.Equal(t, int(code), s.Code)
			require.Equal(t, "because, naïvely", s.Reason)
		}
	})
	t.Run("close without a code", func(t *testing.T) {
		name := fmt.Sprint("no code ", size)
		c := open(t, addr, query("/chat", "name", name), size)
		require.NoError(t, c.conn.Close(0, ""))
		c.wantPeerClose(ws.CloseNoCode, "")
		require.NoError(t, c.nc.Close())
		require.Equal(t, 1005, p.event(t, "closed", name).Code)
	})
	t.Run("close by the server", func(t *testing.T) {
		name := fmt.Sprint("closing ", size)
		c := open(t, addr, query("/close", "name", name, "code", "4321", "reason", "naïvely, 😀"), size)
		c.wantClosed(4321, "naïvely, 😀")
		require.Equal(t, 4321, p.event(t, "closed", name).Code)
	})
	t.Run("drop by the server", func(t *testing.T) {
		open(t, addr, "/drop", size).wantDropped()
	})
	t.Run("drop by us", func(t *testing.T) {
		name := fmt.Sprint("dropped ", size)
		c := open(t, addr, query("/chat", "name", name), size)
		c.echo(ws.Text, []byte("hello"))
		require.NoError(t, c.nc.Close())
		require.Equal(t, 1006, p.event(t, "closed", name).Code)
	})
	t.Run("a message at once", func(t *testing.T) {
		c := open(t, addr, query("/greet", "text", "Grüße"), size)
		c.want(ws.Text, "Grüße")
		c.echo(ws.Text, []byte("hello"))
		c.close(ws.CloseNormal, "bye")
	})
	t.Run("pinged by the server", func(t *testing.T) {
		c := open(t, addr, query("/ping", "payload", "are you there? 😀"), size)
		c.want(ws.Text, "are you there? 😀") // the Pong's payload, as the server saw it
		c.echo(ws.Text, []byte("hello"))
		c.close(ws.CloseNormal, "")
	})
}

// testPings pings from a Session, which shows the Pongs.
func testPings(t *testing.T, addr string) {
	nc, err := net.DialTimeout("tcp", addr, patience)
	require.NoError(t, err)
	defer nc.Close()
	require.NoError(t, nc.SetDeadline(time.Now().Add(patience)))

	var (
		request   = ws.Request{Host: addr, Target: "/chat", Subprotocols: []string{"chat"}}
		handshake ws.ClientHandshake
		session   ws.Session
		out       ws.Output
	)
	require.NoError(t, handshake.Reset(make([]byte, ws.HandshakeStore), &request, nil, nil))
	out.Reset(make([]byte, 256))
	session.Connect(&handshake, nil, &out)
	var arrived []byte
	memory := make([]byte, 256)
	next := func() ws.Message {
		for {
			for len(session.Pending()) > 0 {
				n, err := nc.Write(session.Pending())
				require.NoError(t, err)
				require.NoError(t, session.Sent(n))
			}
			n, m, err := session.Next(arrived, memory)
			require.NoError(t, err)
			if arrived = arrived[n:]; m.Kind != 0 {
				return m
			}
			if len(arrived) == 0 {
				b := make([]byte, 64)
				n, err = nc.Read(b)
				require.NoError(t, err)
				arrived = b[:n]
			}
		}
	}
	require.Equal(t, ws.Handshake, next().Kind)
	for _, size := range []int{0, 1, 4, 125} {
		require.NoError(t, session.Ping(pattern(size)))
		m := next()
		require.Equal(t, ws.Pong, m.Kind)
		requireSame(t, pattern(size), m.Payload)
	}
	_, err = session.Send(ws.Text, true, []byte("hello"))
	require.NoError(t, err)
	m := next()
	require.Equal(t, ws.Text, m.Kind)
	require.Equal(t, "hello", string(m.Payload))
	require.NoError(t, session.Close(ws.CloseNormal, "bye"))
	m = next()
	require.Equal(t, ws.Close, m.Kind)
	require.Equal(t, ws.CloseNormal, m.Code)
	require.Equal(t, ws.StateClosed, session.State())
	require.NoError(t, session.End())
}

func testRefusals(t *testing.T, addr string) {
	const body = "There is no way in, näh."
	for _, status := range []int{401, 403} {
		target := query("/refuse", "status", strconv.Itoa(status), "why", "no key", "body", body)
		for _, size := range []int{4096, 32} {
			c, err := connect(t, addr, target, size, &ws.HandshakeOptions{Keep: []string{"X-Why", "Content-Length"}})
			require.ErrorIs(t, err, ws.ErrStatus)
			require.Equal(t, status, c.handshake.Status())
			why, ok := c.handshake.Header("X-Why")
			require.True(t, ok)
			require.Equal(t, "no key", string(why))
			length, ok := c.handshake.Header("Content-Length")
			require.True(t, ok)
			n, err := strconv.Atoi(string(length))
			require.NoError(t, err)
			got := append([]byte(nil), c.conn.Early()...) // the start of the body, and its rest follows
			rest, err := io.ReadAll(io.LimitReader(c.nc, int64(n-len(got))))
			require.NoError(t, err)
			require.Equal(t, body, string(append(got, rest...)))
		}
	}
}

func testProgram(t *testing.T, p *peer, addr string) {
	run := func(t *testing.T, target string) (*process, error) {
		c := start(t, nil, clientProgram, "-url", "ws://"+addr+target)
		return c, c.wait()
	}
	t.Run("says hello", func(t *testing.T) {
		c, err := run(t, query("/chat", "name", "program"))
		require.NoError(t, err)
		c.out.line(t, "connected to ws://"+addr, `subprotocol "chat"`)
		c.out.line(t, "text, 5 bytes: hello")
		c.out.line(t, `closed cleanly: 1000 "bye"`)
		s := p.event(t, "closed", "program")
		require.Equal(t, 1000, s.Code)
		require.Equal(t, "bye", s.Reason)
	})
	t.Run("fragments", func(t *testing.T) {
		c, err := run(t, "/fragments")
		require.NoError(t, err)
		c.out.line(t, "text, 5 bytes: hello")
	})
	t.Run("refused", func(t *testing.T) {
		c, err := run(t, query("/refuse", "status", "403", "why", "because", "body", "no"))
		require.Error(t, err)
		c.out.line(t, ws.ErrStatus.Error(), "403")
	})
	t.Run("closed at once", func(t *testing.T) {
		c, err := run(t, query("/close", "code", "4321", "reason", "not now"))
		require.Error(t, err)
		c.out.line(t, "the server closed", `4321 "not now"`)
	})
	t.Run("dropped", func(t *testing.T) {
		_, err := run(t, "/drop")
		require.Error(t, err)
	})
}
