//go:build unix

package interop

// This file tests examples/server with bytes that proxies and other clients were seen to send, and that the libraries
// do not.

import (
	"bytes"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/embws/embws/ws"
)

// upgrades are requests that ask for the same in different ways. All offer chat.
var upgrades = map[string][]byte{
	"as usual": head("GET /chat HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: "+sampleKey, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: chat"),
	"Connection on two lines": head("GET /chat HTTP/1.1", "Host: localhost", "Connection: keep-alive", "Upgrade: websocket",
		"Connection: Upgrade", "Sec-WebSocket-Key: "+sampleKey, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: chat"),
	"Connection as a list": head("GET /chat HTTP/1.1", "Host: localhost", "Connection: keep-alive,Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Key: "+sampleKey, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: chat"),
	"reordered and in other case": head("GET /chat HTTP/1.1", "sec-websocket-protocol: chat", "SEC-WEBSOCKET-VERSION: 13",
		"connection: UPGRADE", "Sec-Websocket-Key: "+sampleKey, "uPGRADE: WebSocket", "hOST: localhost"),
	"a subprotocol a line": head("GET /chat HTTP/1.1", "Host: localhost", "Sec-WebSocket-Protocol: soap", "Upgrade: websocket",
		"Connection: Upgrade", "Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Key: "+sampleKey, "Sec-WebSocket-Version: 13"),
	"a bare comma": head("GET /chat HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: "+sampleKey, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: soap,chat"),
	"fields of proxies, spaces around values": head("GET /chat HTTP/1.1", "Host:localhost", "X-Forwarded-For: 192.0.2.1, 198.51.100.7",
		"Via: 1.1 varnish", "X-Forwarded-Proto:", "Upgrade: \t websocket", "Connection:Upgrade \t", "Sec-WebSocket-Key:  "+sampleKey+" ",
		"Sec-WebSocket-Version:13", "Sec-WebSocket-Protocol: chat", "X-Request-Start: t=1700000000"),
	"a full cookie, an absolute target, and compression offered": head("GET http://localhost/chat HTTP/1.1", "Host: localhost",
		"Cookie: session="+strings.Repeat("0123456789abcdef", 200), "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: "+sampleKey, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: chat",
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; server_no_context_takeover"),
}

// opened reads a 101 and checks it.
func (r *raw) opened() {
	r.t.Helper()
	response, _ := r.response()
	require.Equal(r.t, 101, response.StatusCode)
	require.Equal(r.t, []string{sampleAccept}, response.Header["Sec-Websocket-Accept"])
	require.Equal(r.t, []string{"chat"}, response.Header["Sec-Websocket-Protocol"])
	require.Empty(r.t, response.Header["Sec-Websocket-Extensions"])
}

// hello goes on with an echo and a close.
func (r *raw) hello() {
	r.t.Helper()
	r.wantText("hello")
	r.send(masked(closeFrame, closing(4001, "bye")))
	r.wantClose(4001)
	r.wantEnd()
}

func TestServer_UpgradeAsProxiesSendIt(t *testing.T) {
	d := startDemo(t)
	for name, request := range upgrades {
		t.Run(name, func(t *testing.T) {
			t.Run("head, then a frame", func(t *testing.T) {
				r := dialRaw(t, d.addr)
				r.send(request)
				r.opened()
				r.send(masked(textFrame, "hello"))
				r.hello()
			})
			t.Run("head and frame in one packet", func(t *testing.T) {
				r := dialRaw(t, d.addr)
				r.send(request, masked(textFrame, "hello"))
				r.opened()
				r.hello()
			})
			t.Run("byte by byte", func(t *testing.T) {
				r := dialRaw(t, d.addr)
				for _, b := range append(request, masked(textFrame, "hello")...) {
					r.send([]byte{b})
				}
				r.opened()
				r.hello()
			})
			t.Run("behind a plain GET", func(t *testing.T) {
				r := dialRaw(t, d.addr)
				for range 2 {
					r.send(head("GET / HTTP/1.1", "Host: localhost"))
					response, body := r.response()
					require.Equal(t, 200, response.StatusCode)
					require.Contains(t, body, "<html")
				}
				r.send(request)
				r.opened()
				r.send(masked(textFrame, "hello"))
				r.hello()
			})
			t.Run("all in one packet with a plain GET", func(t *testing.T) {
				r := dialRaw(t, d.addr)
				r.send(head("GET /nothing HTTP/1.1", "Host: localhost"), request, masked(textFrame, "hello"),
					masked(closeFrame, closing(1000, "")))
				response, _ := r.response()
				require.Equal(t, 404, response.StatusCode)
				r.opened()
				r.wantText("hello")
				r.wantClose(1000)
				r.wantEnd()
			})
		})
	}
}

func TestServer_RefusesWithTheStatusOfTheRule(t *testing.T) {
	d := startDemo(t)
	const version = "Sec-WebSocket-Version: 13"
	tests := map[string]struct {
		request []byte
		status  int
		field   string
		value   string
	}{
		"an upgrade without a key, as Envoy makes it of HTTP/2": {
			head("GET /chat HTTP/1.1", "Host: h", "Upgrade: websocket", "Connection: Upgrade", version), 400, "", "",
		},
		"another version": {
			head("GET /chat HTTP/1.1", "Host: h", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: "+sampleKey, "Sec-WebSocket-Version: 8"),
			426, "Sec-Websocket-Version", "13",
		},
		"POST":          {head("POST /chat HTTP/1.1", "Host: h", "Content-Length: 0"), 405, "Allow", "GET"},
		"HTTP/1.0":      {head("GET /chat HTTP/1.0", "Host: h"), 505, "", ""},
		"a folded line": {head("GET / HTTP/1.1", "Host: h", "X-A: b", " c"), 400, "", ""},
		"a large head":  {head("GET / HTTP/1.1", "Host: h", "X-A: "+strings.Repeat("a", 20000)), 431, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := dialRaw(t, d.addr)
			r.send(test.request)
			response, body := r.response()
			require.Equal(t, test.status, response.StatusCode)
			require.Equal(t, test.value, response.Header.Get(test.field))
			require.NotEmpty(t, body)
			require.True(t, response.Close)
		})
	}
	t.Run("a wrong path", func(t *testing.T) {
		r := dialRaw(t, d.addr)
		r.send(bytes.Replace(upgrades["as usual"], []byte("/chat"), []byte("/char"), 1))
		response, _ := r.response()
		require.Equal(t, 404, response.StatusCode)
		require.True(t, response.Close)
		r.wantEnd()
	})
	t.Run("no subprotocol that it knows is no refusal", func(t *testing.T) {
		r := dialRaw(t, d.addr)
		r.send(bytes.Replace(upgrades["as usual"], []byte("Protocol: chat"), []byte("Protocol: Chat, soap"), 1))
		response, _ := r.response()
		require.Equal(t, 101, response.StatusCode)
		require.Empty(t, response.Header["Sec-Websocket-Protocol"])
		r.send(masked(textFrame, "hello"))
		r.hello()
	})
	t.Run("a plain GET of the WebSocket's path", func(t *testing.T) {
		r := dialRaw(t, d.addr)
		r.send(head("GET /chat HTTP/1.1", "Host: h"))
		response, _ := r.response()
		require.Equal(t, 426, response.StatusCode)
		require.Equal(t, "websocket", response.Header.Get("Upgrade"))
	})
}

// open opens a connection of raw bytes.
func (d *demo) open(t *testing.T) *raw {
	t.Helper()
	r := dialRaw(t, d.addr)
	r.send(upgrades["as usual"])
	r.opened()
	return r
}

func TestServer_DataBehindTheClientsClose(t *testing.T) {
	d := startDemo(t)
	for name, behind := range map[string][]byte{
		"a message":     masked(textFrame, "too late"),
		"a Ping":        masked(pingFrame, "too late"),
		"garbage":       {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
		"half a frame":  masked(textFrame, strings.Repeat("x", 200))[:100],
		"another Close": masked(closeFrame, closing(1011, "again")),
		"20 kB":         masked(0x82, strings.Repeat("x", 20000)), // unread, they would turn the end into a reset
	} {
		t.Run(name, func(t *testing.T) {
			r := d.open(t)
			r.send(masked(textFrame, "hello"), masked(closeFrame, closing(4001, "bye")), behind)
			r.wantText("hello")
			r.wantClose(4001)
			r.wantEnd()
		})
	}
}

func TestServer_ClientDropsTCP(t *testing.T) {
	d := startDemo(t)
	drops := map[string][]byte{
		"between messages":       masked(textFrame, "hello"),
		"inside a header":        masked(textFrame, "hello")[:3],
		"inside a payload":       masked(textFrame, strings.Repeat("x", 1000))[:500],
		"between fragments":      masked(0x01, "hel"),
		"inside a control frame": masked(pingFrame, "payload")[:9],
		"inside a Close":         masked(closeFrame, closing(1000, "bye"))[:8],
		"before the first frame": nil,
	}
	for name, last := range drops {
		t.Run(name, func(t *testing.T) {
			r := d.open(t)
			r.send(last)
			require.NoError(t, r.Conn.(*net.TCPConn).CloseWrite())
			_, err := io.Copy(io.Discard, r) // what it has echoed, so that the drop is no reset
			require.NoError(t, err)
			d.out.line(t, r.LocalAddr().String()+": "+ws.ErrNoClose.Error())
		})
	}
	t.Run("by a reset", func(t *testing.T) {
		r := d.open(t)
		from := r.LocalAddr().String()
		require.NoError(t, r.Conn.(*net.TCPConn).SetLinger(0))
		require.NoError(t, r.Close())
		d.out.line(t, from+": ", "reset by peer")
	})
	t.Run("within the handshake", func(t *testing.T) {
		r := dialRaw(t, d.addr)
		from := r.LocalAddr().String()
		r.send(upgrades["as usual"][:50])
		require.NoError(t, r.Close())
		d.out.line(t, from+": "+ws.ErrHandshakeCutShort.Error())
	})
	r := d.open(t) // and the server lives
	r.send(masked(textFrame, "hello"))
	r.hello()
}

func TestServer_SilentConnectionDelaysNobody(t *testing.T) {
	d := startDemo(t)
	silent := dialRaw(t, d.addr)
	r := d.open(t)
	r.send(masked(textFrame, "hello"))
	r.hello()
	require.NoError(t, d.interrupt(), "and it does not keep the server from ending")
	silent.wantEnd()
}

func TestServer_InterruptInsideAMessage(t *testing.T) {
	d := startDemo(t)
	r := d.open(t)
	r.send(masked(0x01, "hel"))
	first, _, payload := r.frame()
	require.Equal(t, byte(0x01), first)
	require.Equal(t, "hel", string(payload))
	require.NoError(t, d.cmd.Process.Signal(syscall.SIGINT))
	r.wantClose(1001)
	r.send(masked(0x80, "lo"), masked(closeFrame, closing(1001, "")))
	r.wantEnd()
	require.NoError(t, d.wait())
}

func TestServer_ClosesAfterAViolation(t *testing.T) {
	d := startDemo(t)
	for name, test := range map[string]struct {
		bytes []byte
		rule  *ws.Error
	}{
		"an unmasked frame":           {frame(textFrame, "hello"), ws.ErrUnmasked},
		"RSV1":                        {masked(textFrame|0x40, "hello"), ws.ErrReservedBit1},
		"a reserved opcode":           {masked(0x83, ""), ws.ErrOpcode},
		"a lone continuation":         {masked(0x80, "hello"), ws.ErrContinuation},
		"text that is not UTF-8":      {masked(textFrame, "\xff"), ws.ErrUTF8},
		"a Close with code 1005":      {masked(closeFrame, closing(1005, "")), ws.ErrCloseCode},
		"a Close of one byte":         {masked(closeFrame, "x"), ws.ErrCloseLength},
		"a frame of more than 16 MiB": {[]byte{0x82, 0xFF, 0, 0, 0, 0, 0x01, 0, 0, 0x01, 1, 2, 3, 4}, ws.ErrFrameTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			r := d.open(t)
			r.send(masked(textFrame, "fine"), test.bytes, masked(textFrame, "too late"))
			r.wantText("fine")
			r.wantClose(uint16(test.rule.Code))
			r.wantEnd() // the server has stopped writing
			d.out.line(t, r.LocalAddr().String()+": "+test.rule.Error())
		})
	}
	t.Run("text that goes wrong on the way", func(t *testing.T) {
		r := d.open(t)
		r.send(masked(textFrame, "\xce\xba\xe1\xbd\xb9\xed\xa0\x80"))
		first, _, payload := r.frame()
		if first != closeFrame { // the part before it may come back
			require.Equal(t, byte(0x01), first)
			require.Equal(t, "\u03ba\u1f79", string(payload))
			first, _, payload = r.frame()
		}
		require.Equal(t, byte(closeFrame), first)
		require.Equal(t, closing(1007, ""), string(payload)[:2])
		r.wantEnd()
		d.out.line(t, r.LocalAddr().String()+": "+ws.ErrUTF8.Error())
	})
}
