//go:build unix

package interop

// This file tests examples/server with clients that are not ours.

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// demo is a running examples/server.
type demo struct {
	*process
	addr string // HOST:PORT
	url  string // of the WebSocket
}

var listening = regexp.MustCompile(`ws://([0-9.:]+)/chat`)

func startDemo(t *testing.T) *demo {
	t.Helper()
	d := &demo{process: start(t, nil, serverProgram, "-addr", "127.0.0.1:0")}
	m := listening.FindStringSubmatch(d.out.line(t, "listening on"))
	require.NotNil(t, m)
	d.url, d.addr = m[0], m[1]
	return d
}

func TestServer_WithTheirClient(t *testing.T) {
	eachLibrary(t, func(t *testing.T, l library) {
		d := startDemo(t)
		p := startPeer(t, l.client)

		t.Run("echo", func(t *testing.T) {
			c := p.open(t, "echo", d.url)
			for name, text := range texts {
				t.Run(name, func(t *testing.T) { c.echo(t, "text", false, []byte(text)) })
			}
			for _, size := range sizes {
				t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) { c.echo(t, "binary", false, pattern(size)) })
			}
			c.close(t, 1000, "")
		})
		t.Run("fragments", func(t *testing.T) {
			c := p.open(t, "fragments", d.url)
			c.echo(t, "text", false, []byte("Grü"), []byte(""), []byte("ße, 😀"))
			c.echo(t, "text", true, []byte("pings "), []byte("in "), []byte("between"))
			c.echo(t, "binary", false, pattern(65536), pattern(1), pattern(0), pattern(126))
			c.echo(t, "binary", true, pattern(100000), pattern(125))
			c.close(t, 1000, "")
		})
		t.Run("ping", func(t *testing.T) {
			c := p.open(t, "ping", d.url)
			for _, size := range []int{0, 1, 4, 125} {
				c.ping(t, pattern(size))
			}
			c.close(t, 1000, "")
		})
		t.Run("close with code and reason", func(t *testing.T) {
			for i, code := range []int{1000, 1001, 1011, 3000, 4999} {
				c := p.open(t, fmt.Sprint("close", i), d.url)
				reason := fmt.Sprintf("because of %d, naïvely", code)
				c.close(t, code, reason)
				d.out.line(t, "closed by the client", fmt.Sprintf("%d %q", code, reason))
			}
		})
		t.Run("wrong path", func(t *testing.T) {
			s, err := p.do(command{Do: "open", Name: "wrong", URL: "ws://" + d.addr + "/elsewhere"})
			require.NoError(t, err)
			require.Equal(t, 404, s.Status)
			require.Equal(t, "There is nothing here.\n", s.Body)
		})
		t.Run("no subprotocol", func(t *testing.T) {
			c := connection{p, "none"}
			s, err := p.do(command{Do: "open", Name: c.name, URL: d.url})
			require.NoError(t, err)
			require.Equal(t, said{ID: s.ID, Status: 101}, s)
			c.echo(t, "text", false, []byte("hello"))
			c.close(t, 1000, "")
		})
		t.Run("several at once", func(t *testing.T) {
			var all []connection
			for i := range 8 {
				all = append(all, p.open(t, fmt.Sprint("several", i), d.url))
			}
			for i, c := range all {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					for k := range 8 {
						c.echo(t, "text", false, fmt.Appendf(nil, "message %d of %d", k, i))
						c.echo(t, "binary", false, pattern(1000*i+k))
					}
					c.close(t, 4000+i, "done")
				})
			}
		})
		t.Run("SIGINT", func(t *testing.T) { // last: it ends the server
			var all []connection
			for i := range 4 {
				c := p.open(t, fmt.Sprint("until the end", i), d.url)
				c.echo(t, "text", false, []byte("open"))
				all = append(all, c)
			}
			require.NoError(t, d.interrupt(), "the server ends in order")
			for _, c := range all {
				s := c.receive(t)
				require.Equal(t, "close", s.Kind)
				require.Equal(t, 1001, s.Code)
				require.Equal(t, "the server stops", s.Reason)
			}
		})
	})
}
