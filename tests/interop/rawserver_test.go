//go:build unix

package interop

// This file tests the client with servers that are written by hand, for what the libraries do not send.

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/embws/embws/ws"
)

// byHand is a server that serves one client: it reads its request, sends an answer, and reads until the client's end.
type byHand struct {
	addr    string
	request *http.Request
	reader  raw           // over all that came behind the request; after done
	done    chan struct{} // closed at the end
	err     error
}

// serveByHand starts a server that sends the answer in pieces of at most that many bytes, or whole for 0. drop says that
// it drops TCP then.
func serveByHand(t *testing.T, answer func(*http.Request) []byte, piece int, drop bool) *byHand {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	h := &byHand{addr: listener.Addr().String(), done: make(chan struct{})}
	go func() {
		defer close(h.done)
		var rest []byte
		rest, h.err = h.serve(listener, answer, piece, drop)
		h.reader = raw{t: t, in: bufio.NewReader(bytes.NewReader(rest))}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-h.done
		assert.NoError(t, h.err, "in the server by hand")
	})
	return h
}

func (h *byHand) serve(listener net.Listener, answer func(*http.Request) []byte, piece int, drop bool) (rest []byte, err error) {
	nc, err := listener.Accept()
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	if err = nc.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	in := bufio.NewReader(nc)
	if h.request, err = http.ReadRequest(in); err != nil {
		return nil, err
	}
	all := answer(h.request)
	if piece == 0 {
		piece = len(all)
	}
	for len(all) > 0 {
		n := min(piece, len(all))
		if _, err = nc.Write(all[:n]); err != nil {
			return nil, err
		}
		all = all[n:]
	}
	if drop {
		return nil, nil
	}
	return io.ReadAll(in)
}

// heard waits until the client has ended, and returns a reader over what it has sent behind the request.
func (h *byHand) heard(t *testing.T) *raw {
	t.Helper()
	<-h.done // bounded by the deadline of its connection, which the client has opened
	require.NoError(t, h.err)
	h.reader.t = t
	return &h.reader
}

// wantMasked demands a frame of a client.
func (r *raw) wantMasked(first byte, payload string) {
	r.t.Helper()
	gotFirst, isMasked, got := r.frame()
	require.True(r.t, isMasked)
	require.Equal(r.t, first, gotFirst)
	require.Equal(r.t, payload, string(got))
}

// wantMaskedClose demands the Close of a client with that code, and any reason.
func (r *raw) wantMaskedClose(code uint16) {
	r.t.Helper()
	first, isMasked, payload := r.frame()
	require.True(r.t, isMasked)
	require.Equal(r.t, byte(closeFrame), first)
	require.Equal(r.t, closing(code, ""), string(payload[:min(2, len(payload))]))
}

// switching returns a 101 for a request, with further lines.
func switching(request *http.Request, lines ...string) []byte {
	return head(append([]string{
		"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Accept: " + acceptOf(request.Header.Get("Sec-WebSocket-Key")),
	}, lines...)...)
}

func TestClient_AnswersOfServersByHand(t *testing.T) {
	frames := bytes.Join([][]byte{
		frame(textFrame, "at once"), frame(pingFrame, "there?"), frame(0x01, "in "), frame(0x80, "two"),
		frame(closeFrame, closing(4001, "bye")),
	}, nil)
	answers := map[string]func(*http.Request) []byte{
		"frames behind the 101": func(r *http.Request) []byte { return append(switching(r), frames...) },
		"103 and 100 before the 101": func(r *http.Request) []byte {
			early := head("HTTP/1.1 103 Early Hints", "Link: </style.css>; rel=preload", "Connection: close")
			return bytes.Join([][]byte{early, head("HTTP/1.1 100 Continue"), early, switching(r), frames}, nil)
		},
		"reordered, in other case, on two lines": func(r *http.Request) []byte {
			return append(head("HTTP/1.1 101 whatever", "Date: today", "SEC-WEBSOCKET-ACCEPT:"+acceptOf(r.Header.Get("Sec-WebSocket-Key")),
				"connection: keep-alive", "uPGRADE:  WebSocket ", "Connection: upgrade", "Via: 1.1 proxy"), frames...)
		},
		"no reason phrase": func(r *http.Request) []byte {
			return append(bytes.Replace(switching(r), []byte("Switching Protocols"), nil, 1), frames...)
		},
	}
	for name, answer := range answers {
		for pieces, piece := range map[string]int{"whole": 0, "byte by byte": 1, "in pieces of 7": 7} {
			t.Run(name+", "+pieces, func(t *testing.T) {
				for _, size := range []int{4096, 32} {
					h := serveByHand(t, answer, piece, false)
					c, err := connect(t, h.addr, "/chat?x=1", size, nil)
					require.NoError(t, err)
					c.want(ws.Text, "at once")
					c.want(ws.Text, "in two")
					c.wantClosed(4001, "bye")
					heard := h.heard(t)
					assert.Equal(t, "/chat?x=1", h.request.RequestURI)
					assert.Equal(t, h.addr, h.request.Host)
					heard.wantMasked(pongFrame, "there?")
					heard.wantMaskedClose(4001)
					heard.wantEnd()
				}
			})
		}
	}
}

func TestClient_DataBehindTheServersClose(t *testing.T) {
	for name, behind := range map[string][]byte{
		"a message":     frame(textFrame, "too late"),
		"a Ping":        frame(pingFrame, "too late"),
		"garbage":       {0xFF, 0xFF, 0xFF},
		"another Close": frame(closeFrame, closing(1011, "again")),
	} {
		t.Run(name, func(t *testing.T) {
			h := serveByHand(t, func(r *http.Request) []byte {
				return bytes.Join([][]byte{switching(r), frame(closeFrame, closing(4001, "bye")), behind}, nil)
			}, 0, false)
			c, err := connect(t, h.addr, "/chat", 4096, nil)
			require.NoError(t, err)
			c.wantClosed(4001, "bye")
			heard := h.heard(t)
			heard.wantMaskedClose(4001)
			heard.wantEnd()
		})
	}
}

func TestClient_FailsAServerThatBreaksARule(t *testing.T) {
	for name, test := range map[string]struct {
		frames []byte
		rule   *ws.Error
	}{
		"a masked frame":          {masked(textFrame, "hello"), ws.ErrMasked},
		"RSV1":                    {frame(textFrame|0x40, "hello"), ws.ErrReservedBit1},
		"a long control frame":    {frame(pingFrame, strings.Repeat("x", 126)), ws.ErrControlTooLong},
		"a fragmented Ping":       {frame(0x09, "hello"), ws.ErrControlFragmented},
		"a new message in one":    {append(frame(0x01, "a"), frame(textFrame, "b")...), ws.ErrInterleaved},
		"text that is not UTF-8":  {frame(textFrame, "\xf4\x90\x80\x80"), ws.ErrUTF8},
		"text cut inside a point": {frame(textFrame, "\xe2\x82"), ws.ErrUTF8Incomplete},
		"a Close with code 999":   {frame(closeFrame, closing(999, "")), ws.ErrCloseCode},
		"a message too long":      {frame(0x82, strings.Repeat("x", messageSize+1)), ws.ErrMessageMemory},
	} {
		t.Run(name, func(t *testing.T) {
			h := serveByHand(t, func(r *http.Request) []byte {
				return bytes.Join([][]byte{switching(r), frame(textFrame, "fine"), test.frames, frame(textFrame, "too late")}, nil)
			}, 0, false)
			c, err := connect(t, h.addr, "/chat", 4096, nil)
			require.NoError(t, err)
			c.want(ws.Text, "fine")
			_, _, err = c.conn.ReadMessage()
			require.ErrorIs(t, err, test.rule)
			require.ErrorIs(t, c.conn.Close(0, ""), test.rule)
			require.Equal(t, test.rule, c.conn.Session().Failure().Err)
			heard := h.heard(t)
			heard.wantMaskedClose(uint16(test.rule.Code))
			heard.wantEnd()
		})
	}
}

func TestClient_ServerDropsTCP(t *testing.T) {
	for name, last := range map[string][]byte{
		"between messages":       nil,
		"inside a header":        {textFrame},
		"inside a payload":       frame(textFrame, "hello")[:4],
		"between fragments":      frame(0x01, "hel"),
		"inside a control frame": frame(pingFrame, "hello")[:4],
		"inside a Close":         frame(closeFrame, closing(1000, ""))[:3],
	} {
		t.Run(name, func(t *testing.T) {
			h := serveByHand(t, func(r *http.Request) []byte { return append(switching(r), last...) }, 0, true)
			c, err := connect(t, h.addr, "/chat", 4096, nil)
			require.NoError(t, err)
			c.wantDropped()
		})
	}
	for name, cut := range map[string]int{"before the answer": 0, "inside the answer": 40} {
		t.Run(name, func(t *testing.T) {
			h := serveByHand(t, func(r *http.Request) []byte { return switching(r)[:cut] }, 0, true)
			_, err := connect(t, h.addr, "/chat", 4096, nil)
			require.ErrorIs(t, err, ws.ErrHandshakeCutShort)
		})
	}
}

func TestClient_RefusedByHand(t *testing.T) {
	h := serveByHand(t, func(*http.Request) []byte {
		return append(head("HTTP/1.1 401 Unauthorized", "WWW-Authenticate: Basic realm=\"interop\"", "Content-Length: 9"), "not today"...)
	}, 0, true)
	c, err := connect(t, h.addr, "/chat", 4096, &ws.HandshakeOptions{Keep: []string{"www-authenticate"}})
	require.ErrorIs(t, err, ws.ErrStatus)
	require.Equal(t, 401, c.handshake.Status())
	value, ok := c.handshake.Header("WWW-Authenticate")
	require.True(t, ok)
	require.Equal(t, `Basic realm="interop"`, string(value))
	require.Equal(t, "not today", string(c.conn.Early()), "in the packet of the head")
}

func TestClient_RefusesAnAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(*http.Request) []byte
		rule   *ws.Error
	}{
		"the answer to another key": {func(*http.Request) []byte {
			return head("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: "+sampleAccept)
		}, ws.ErrAccept},
		"a subprotocol that was not offered": {func(r *http.Request) []byte {
			return switching(r, "Sec-WebSocket-Protocol: soap")
		}, ws.ErrSubprotocolAnswer},
		"compression that was not offered": {func(r *http.Request) []byte {
			return switching(r, "Sec-WebSocket-Extensions: permessage-deflate")
		}, ws.ErrExtensionAnswer},
		"no HTTP": {func(*http.Request) []byte { return []byte("220 mail.example.com ESMTP\r\n") }, ws.ErrResponseVersion},
	} {
		t.Run(name, func(t *testing.T) {
			h := serveByHand(t, test.answer, 0, true)
			_, err := connect(t, h.addr, "/chat", 4096, nil)
			require.ErrorIs(t, err, test.rule)
			require.False(t, errors.Is(err, io.ErrUnexpectedEOF))
		})
	}
}
