package ws

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sampleKeys gives the nonce of RFC 6455 1.3, "the sample nonce".
func sampleKeys() *Keys { return &Keys{Source: nonceSource([]byte("the sample nonce")...)} }

var fullRequest = Request{
	Host: "example.com:8080", Target: "/chat?room=1", Origin: "https://example.com",
	Subprotocols: []string{"chat", "superchat"}, Extensions: `permessage-deflate; server_max_window_bits="10", x-ext;a`,
	Fields: []Field{{"Cookie", "a=b"}, {"X-Empty", ""}},
}

const fullRequestText = "GET /chat?room=1 HTTP/1.1\r\nHost: example.com:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: " + sampleKey + "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, superchat\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\"10\", x-ext;a\r\nOrigin: https://example.com\r\n" +
	"Cookie: a=b\r\nX-Empty: \r\n\r\n"

// freshClient makes a client that has sent its request.
func freshClient(t testing.TB, store int, req *Request, opt *HandshakeOptions) *ClientHandshake {
	h := new(ClientHandshake)
	require.NoError(t, h.Reset(make([]byte, store), req, sampleKeys(), opt))
	_, err := h.Request(make([]byte, 1000))
	require.NoError(t, err)
	return h
}

// response returns a least 101 with one of its fields left out, and further lines.
func response(without, lines string) string {
	var b strings.Builder
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	for _, f := range [][2]string{{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", sampleAccept}} {
		if f[0] != without {
			b.WriteString(f[0] + ": " + f[1] + "\r\n")
		}
	}
	return b.String() + lines + "\r\n"
}

func TestClientHandshake_Request(t *testing.T) { // rules 23, 26, 27
	for room := 1; room <= len(fullRequestText)+1; room++ {
		var h ClientHandshake
		require.NoError(t, h.Reset(make([]byte, 100), &fullRequest, sampleKeys(), nil))
		require.Equal(t, len(fullRequestText), h.RequestSize())
		require.Equal(t, ErrNoRoom, second(h.Request(nil)))
		out, err := emitted(t, room, h.Request)
		require.NoError(t, err)
		require.Equal(t, fullRequestText, out)
		n, err := h.Request(make([]byte, 10))
		require.NoError(t, err)
		require.Zero(t, n, "once")
		require.Equal(t, NeedMore, h.Outcome())
	}
	var h ClientHandshake
	require.NoError(t, h.Reset(nil, &Request{Host: "h", Target: "/"}, sampleKeys(), nil))
	out, err := emitted(t, 1000, h.Request)
	require.NoError(t, err)
	assert.Equal(t, "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "+sampleKey+
		"\r\nSec-WebSocket-Version: 13\r\n\r\n", out)
	server := freshServer(100, nil)
	_, err = feed(t, server, out)
	require.NoError(t, err)
}

func TestClientHandshake_FreshNonce(t *testing.T) { // rule 25
	seen := map[string]bool{}
	var h ClientHandshake
	req := &Request{Host: "h", Target: "/"}
	for i := 0; i < 100; i++ {
		require.NoError(t, h.Reset(nil, req, nil, nil))
		out, err := emitted(t, 1000, h.Request)
		require.NoError(t, err)
		require.False(t, seen[out])
		seen[out] = true
	}
	for _, keys := range []*Keys{{Source: failing{}}, {Source: idle{}}} {
		assert.Equal(t, error(ErrRandom), h.Reset(nil, req, keys, nil))
		assert.Equal(t, NotStarted, h.Outcome())
		n, err := h.Request(make([]byte, 1000))
		assert.Zero(t, n)
		assert.Equal(t, error(ErrState), err)
	}
}

func TestClientHandshake_RefusesBadRequests(t *testing.T) { // rules 22, 28
	refused := func(change func(*Request), want error) {
		t.Helper()
		req := fullRequest
		change(&req)
		var h ClientHandshake
		assert.Equal(t, want, h.Reset(make([]byte, 100), &req, sampleKeys(), nil), "%q", req)
		if want != error(ErrField) {
			assert.ErrorIs(t, want, ErrRequest)
		}
		assert.Equal(t, NotStarted, h.Outcome())
		assert.Zero(t, h.RequestSize())
	}
	hostile := append([]string{"a b", " ", "a#b", "\t", "a\x80"}, hostileStrings...)
	for _, s := range hostile {
		refused(func(r *Request) { r.Host = s }, ErrRequestHost)
		refused(func(r *Request) { r.Target = s }, ErrRequestTarget)
		refused(func(r *Request) { r.Target = "/" + s }, ErrRequestTarget)
		refused(func(r *Request) { r.Target = "http://h/" + s }, ErrRequestTarget)
		refused(func(r *Request) { r.Origin = s }, ErrRequestOrigin)
		if s != "a#b" { // which is a token
			refused(func(r *Request) { r.Subprotocols = []string{"a", s} }, ErrRequestProtocols)
		}
	}
	for _, s := range append([]string{"a b", " ", ",", "a;", "\"a\""}, hostileStrings...) {
		refused(func(r *Request) { r.Extensions = s }, ErrRequestExtensions)
	}
	for _, s := range hostileStrings {
		refused(func(r *Request) { r.Fields = []Field{{"X", s}} }, ErrField)
		refused(func(r *Request) { r.Fields = []Field{{s, "x"}} }, ErrField)
	}
	for _, s := range []string{"", ":80", "h/", "u@h", "h:x"} {
		refused(func(r *Request) { r.Host = s }, ErrRequestHost)
	}
	for _, s := range []string{"", "chat", "*", "http://", "http:/h", "ftp://h/", "http://u@h/", "://h/", "http", "http:"} {
		refused(func(r *Request) { r.Target = s }, ErrRequestTarget)
	}
	for _, s := range [][]string{{""}, {"a", "a"}, {"a,b"}, {"\"a\""}, make([]string, 65)} {
		refused(func(r *Request) { r.Subprotocols = s }, ErrRequestProtocols)
	}
	for _, name := range []string{
		"", "a b", "Host", "UPGRADE", "connection", "Sec-WebSocket-Key", "sec-websocket-anything",
		"Content-Length", "Transfer-Encoding", "Origin",
	} {
		refused(func(r *Request) { r.Fields = []Field{{"Good", ""}, {name, "x"}} }, ErrField)
	}
	var h ClientHandshake
	assert.Equal(t, error(ErrRequest), h.Reset(nil, nil, sampleKeys(), nil))
	assert.Equal(t, error(ErrKeepName), h.Reset(nil, &fullRequest, sampleKeys(), &HandshakeOptions{Keep: []string{""}}))
	req := fullRequest
	req.Origin, req.Fields, req.Target = "", []Field{{"origin", "null"}}, "http://h:80?x"
	assert.NoError(t, h.Reset(nil, &req, sampleKeys(), nil))
}

// clientCases are responses and what becomes of them. Of a bad head, the mark | stands before the byte that broke a rule.
var clientCases = []struct {
	name string
	in   string
	want *Error
}{
	{"least response", response("", ""), nil},
	{"no reason", strings.Replace(response("", ""), " Switching Protocols", "", 1), nil},
	{"empty reason", strings.Replace(response("", ""), "Switching Protocols", "", 1), nil},
	{"reason above 7F", strings.Replace(response("", ""), "Switching", "\xff\t", 1), nil},
	// rule 29
	{"403", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n", ErrStatus},
	{"200", strings.Replace(response("", ""), "101", "200", 1), ErrStatus},
	{"302 with a bad extension", "HTTP/1.1 302 x\r\nLocation: /\r\nSec-WebSocket-Extensions: /\r\n\r\n", ErrStatus},
	{"999", "HTTP/1.1 999\r\n\r\n", ErrStatus},
	// rule 30
	{"103 before", "HTTP/1.1 103 Early Hints\r\nLink: x\r\nSec-WebSocket-Accept: x\r\n\r\n" + response("", ""), nil},
	{"many before", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100) + response("", ""), nil},
	{"too many before", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 101) + "|" + response("", ""), ErrTooManyInformation},
	{"103 before a refusal", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 401 No\r\nX: y\r\n\r\n", ErrStatus},
	// rule 31
	{"HTTP/1.0", "HTTP/1.|0 101 x\r\n", ErrResponseVersion},
	{"HTTP/2", "HTTP/|2 101 x\r\n", ErrResponseVersion},
	{"another protocol", "|SSH-2.0\r\n", ErrResponseVersion},
	{"empty line first", "|\r\nHTTP/1.1 101 x\r\n", ErrResponseVersion},
	{"two spaces", "HTTP/1.1 | 101 x\r\n", ErrResponseVersion},
	{"status of two digits", "HTTP/1.1 10| x\r\n", ErrResponseVersion},
	{"status of four digits", "HTTP/1.1 101|1 x\r\n", ErrResponseVersion},
	{"status below 100", "HTTP/1.1 |001 x\r\n", ErrResponseVersion},
	{"status of letters", "HTTP/1.1 |abc x\r\n", ErrResponseVersion},
	// rule 12
	{"bare LF behind the reason", "HTTP/1.1 101 x|\n", ErrHeadSyntax},
	{"bare CR in the reason", "HTTP/1.1 101 x\r|y", ErrHeadSyntax},
	{"NUL in the reason", "HTTP/1.1 101 x|\x00y", ErrHeadSyntax},
	{"folded line", "HTTP/1.1 101 x\r\nA: b\r\n| c\r\n", ErrHeadSyntax},
	{"folded line of a refusal", "HTTP/1.1 403 x\r\nA: b\r\n|\tc\r\n", ErrHeadSyntax},
	{"space before the colon", "HTTP/1.1 101 x\r\nA| : b\r\n", ErrHeadSyntax},
	// rule 13
	{"too many fields", "HTTP/1.1 101 x\r\n" + strings.Repeat("a:\r\n", 100) + "|a:\r\n", ErrTooManyFields},
	// rule 32
	{"names and values in any case", "HTTP/1.1 101 x\r\nUPGRADE: WEBSOCKET\r\nCONNECTION: UPGRADE\r\nsec-websocket-accept:" + sampleAccept + "\r\n\r\n", nil},
	{"lists", response("Connection", "Connection: keep-alive\r\nConnection: x , upgrade\r\n"), nil},
	{"no Upgrade", response("Upgrade", ""), ErrResponseUpgrade},
	{"another Upgrade", response("Upgrade", "Upgrade: h2c\r\n"), ErrResponseUpgrade},
	{"no Connection", response("Connection", ""), ErrResponseUpgrade},
	{"another Connection", response("Connection", "Connection: close\r\n"), ErrResponseUpgrade},
	// rule 33
	{"no Accept", response("Sec-WebSocket-Accept", ""), ErrAcceptCount},
	{"two Accept", response("", "Sec-WebSocket-Accept: "+sampleAccept+"\r\n"), ErrAcceptCount},
	// rule 34
	{"spaces around Accept", response("Sec-WebSocket-Accept", "Sec-WebSocket-Accept:  "+sampleAccept+"\t \r\n"), nil},
	{"empty Accept", response("Sec-WebSocket-Accept", "Sec-WebSocket-Accept:\r\n"), ErrAccept},
	{"another Accept", response("Sec-WebSocket-Accept", "Sec-WebSocket-Accept: "+strings.ToLower(sampleAccept)+"\r\n"), ErrAccept},
	{"shorter Accept", response("Sec-WebSocket-Accept", "Sec-WebSocket-Accept: "+sampleAccept[:27]+"\r\n"), ErrAccept},
	{"longer Accept", response("Sec-WebSocket-Accept", "Sec-WebSocket-Accept: "+sampleAccept+"=\r\n"), ErrAccept},
	{"Accept of two words", response("Sec-WebSocket-Accept", "Sec-WebSocket-Accept: "+sampleAccept+" x\r\n"), ErrAccept},
	// rule 35
	{"subprotocol", response("", "Sec-WebSocket-Protocol: superchat\r\n"), nil},
	{"subprotocol not offered", response("", "Sec-WebSocket-Protocol: Chat\r\n"), ErrSubprotocolAnswer},
	{"two subprotocols", response("", "Sec-WebSocket-Protocol: chat, superchat\r\n"), ErrSubprotocolAnswer},
	{"two fields of subprotocols", response("", "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n"), ErrSubprotocolAnswer},
	{"empty subprotocol", response("", "Sec-WebSocket-Protocol:\r\n"), ErrSubprotocolAnswer},
	{"subprotocol that is no token", response("", "Sec-WebSocket-Protocol: chat/\r\n"), ErrSubprotocolAnswer},
	// rules 36 and 104
	{"extension", response("", "Sec-WebSocket-Extensions: x-ext;any=\"thing\"\r\n"), nil},
	{"two extensions", response("", "Sec-WebSocket-Extensions: x-ext\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9\r\n"), nil},
	{"extension not offered", response("", "Sec-WebSocket-Extensions: x-ext, y-ext\r\n"), ErrExtensionAnswer},
	{"parameter of another name is no extension", response("", "Sec-WebSocket-Extensions: a\r\n"), ErrExtensionAnswer},
	{"window bits not offered", response("", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10\r\n"), ErrExtensionAnswer},
	{"extensions that break the grammar", response("", "Sec-WebSocket-Extensions: x-ext;\r\n"), ErrExtensionSyntax},
	{"empty extensions", response("", "Sec-WebSocket-Extensions: ,\r\n"), ErrExtensionSyntax},
}

func TestClientHandshake_Responses(t *testing.T) {
	for _, c := range clientCases {
		t.Run(c.name, func(t *testing.T) {
			in, at := c.in, len(c.in)
			if mark := strings.IndexByte(in, '|'); mark >= 0 {
				in, at = in[:mark]+in[mark+1:], mark
			}
			in += "rest"
			everySplit(t, in, func() receiver { return freshClient(t, 200, &fullRequest, nil) })
			everySplit(t, in, func() receiver { return freshClient(t, 2000, &fullRequest, &HandshakeOptions{KeepAll: true}) })
			h := freshClient(t, 200, &fullRequest, nil)
			n, err := feed(t, h, in)
			require.Equal(t, at, n, "rule 15: what follows is not eaten")
			if c.want == nil {
				require.NoError(t, err)
				assert.Equal(t, Opened, h.Outcome())
				assert.Equal(t, 101, h.Status())
				return
			}
			require.Equal(t, error(c.want), err)
			assert.EqualValues(t, at, h.Failure().Offset)
			if c.want == ErrStatus {
				assert.Equal(t, Refused, h.Outcome())
				assert.NotZero(t, h.Status())
			} else {
				assert.Equal(t, Failed, h.Outcome())
				assert.Nil(t, h.Subprotocol(), "nothing of a bad response is shown")
			}
		})
	}
}

func TestClientHandshake_WindowBitsThatWereOffered(t *testing.T) { // rule 36
	for offer, ok := range map[string]bool{
		"permessage-deflate; client_max_window_bits":                                true,
		`permessage-deflate; client_max_window_bits="12"; x`:                        true,
		"permessage-deflate, x; client_max_window_bits, permessage-deflate":         false,
		"permessage-deflate, permessage-deflate;\tx = y ; client_max_window_bits":   true,
		"x; client_max_window_bits, permessage-deflate; server_max_window_bits":     false,
		"permessage-deflate; x=client_max_window_bits, y; permessage-deflate":       false,
		`permessage-deflate; x="client_max_window_bits", y; client_max_window_bits`: false,
		`permessage-deflate; x="\c"; client_max_window_bits, y`:                     true,
	} {
		h := freshClient(t, 300, &Request{Host: "h", Target: "/", Extensions: offer}, nil)
		_, err := feed(t, h, response("", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=9\r\n"))
		assert.Equal(t, ok, err == nil, offer)
	}
}

func TestClientHandshake_WhatTheServerSays(t *testing.T) { // rules 29, 35, 36
	h := freshClient(t, 300, &fullRequest, &HandshakeOptions{Keep: []string{"Server"}})
	_, err := feed(t, h, response("", "Server: s\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: x-ext; b=\"1\"\r\n"))
	require.NoError(t, err)
	assert.Equal(t, "chat", string(h.Subprotocol()))
	assert.Equal(t, "[x-ext b=1]", describeExtensions(h.Extensions()))
	v, _ := h.Header("server")
	assert.Equal(t, "s", string(v))

	h = freshClient(t, 300, &fullRequest, &HandshakeOptions{Keep: []string{"Location", "content-length"}})
	in := "HTTP/1.1 103 x\r\nLocation: /wrong\r\n\r\nHTTP/1.1 302 Found\r\nContent-Length: 5\r\nLocation: /there\r\n\r\nhello"
	n, err := feed(t, h, in)
	assert.Equal(t, error(ErrStatus), err)
	assert.Equal(t, "hello", in[n:])
	assert.Equal(t, 302, h.Status())
	v, _ = h.Header("LOCATION")
	assert.Equal(t, "/there", string(v))
	v, _ = h.Header("Content-Length")
	assert.Equal(t, "5", string(v))
}

func TestClientHandshake_AnswerBeforeTheRequestIsWhole(t *testing.T) { // rule 38
	var h ClientHandshake
	require.NoError(t, h.Reset(make([]byte, 100), &fullRequest, sampleKeys(), nil))
	h.Request(make([]byte, 20))
	_, err := feed(t, &h, response("", ""))
	assert.Equal(t, error(ErrState), err)
	assert.Equal(t, Failed, h.Outcome())

	require.NoError(t, h.Reset(make([]byte, 100), &fullRequest, sampleKeys(), nil))
	_, err = feed(t, &h, "HTTP/1.1 431 Too large\r\n\r\n")
	assert.Equal(t, error(ErrStatus), err)
	assert.Equal(t, 431, h.Status())
}

func TestClientHandshake_EachHeadHasItsOwnLimit(t *testing.T) { // rules 13, 30
	interim := "HTTP/1.1 103 x\r\nLink: " + strings.Repeat("x", 200) + "\r\n\r\n"
	in := interim + interim + response("", "")
	assert.Contains(t, everySplit(t, in, func() receiver {
		return freshClient(t, 100, &fullRequest, &HandshakeOptions{MaxHead: len(interim)})
	}), "opened")
	assert.Contains(t, everySplit(t, in, func() receiver {
		return freshClient(t, 100, &fullRequest, &HandshakeOptions{MaxHead: len(interim) - 1})
	}), fmt.Sprintf("failure %v at %d", ErrHeadTooLarge, len(interim)-1))
}

func TestClientHandshake_MisuseIsAnError(t *testing.T) { // rule 38
	var h ClientHandshake
	n, done, err := h.Receive([]byte("HTTP/1.1 101\r\n"))
	assert.Equal(t, "0 true "+ErrState.Text, fmt.Sprint(n, done, err))
	assert.Equal(t, ErrState, second(h.Request(nil)))
	assert.Zero(t, h.RequestSize())
	assert.Contains(t, describe(&h, 0, nil), "not started")
}

func TestClientHandshake_RequestThatChangesOnTheWay(t *testing.T) {
	req := fullRequest
	var h ClientHandshake
	require.NoError(t, h.Reset(nil, &req, sampleKeys(), nil))
	h.Request(make([]byte, 10))
	req.Target = "/longer/than/before?x"
	n, err := h.Request(make([]byte, 1000))
	assert.Zero(t, n)
	assert.Equal(t, error(ErrState), err)
}

func TestClientHandshake_AllocatesNothing(t *testing.T) {
	var h ClientHandshake
	store, out := make([]byte, 1000), make([]byte, 1000)
	opt := &HandshakeOptions{Keep: []string{"server"}}
	keys := sampleKeys()
	bad := &Request{Host: "h", Target: "a b"}
	broken := &Keys{Source: failing{}}
	var inputs [][]byte
	for _, c := range clientCases {
		inputs = append(inputs, []byte(strings.Replace(c.in, "|", "", 1)))
	}
	assert.Zero(t, testing.AllocsPerRun(10, func() {
		for _, in := range inputs {
			_ = h.Reset(store, bad, keys, opt)
			_ = h.Reset(store, &fullRequest, broken, opt)
			_ = h.Reset(store, &fullRequest, keys, opt)
			_, _ = h.Request(out[:30])
			_, _ = h.Request(out)
			_, _, _ = h.Receive(in[:len(in)/2])
			_, _, _ = h.Receive(in[len(in)/2:])
			_, _ = h.Header("server")
			_ = h.Subprotocol()
			_ = h.Failure()
		}
	}))
}
