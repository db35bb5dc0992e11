package ws

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestServerHandshake_FitsTheStatedMemory(t *testing.T) {
	assert.LessOrEqual(t, unsafe.Sizeof(ServerHandshake{}), uintptr(320))
	assert.LessOrEqual(t, unsafe.Sizeof(ClientHandshake{}), uintptr(320))
}

func TestServerHandshake_Browser(t *testing.T) { // rules 5 to 11, 14, 15, 17, 19
	for _, behind := range []string{"", "\x81\x85\x01\x02\x03\x04"} {
		in := browserRequest + behind
		want := fmt.Sprintf("eaten %d, error <nil>, outcome upgrade requested, failure <nil> at 0\n", len(browserRequest)) +
			`target "/chat?room=1" path "/chat" query "room=1" host "server.example.com:8080" origin "https://server.example.com" true
subprotocols ["chat" "superchat"]
field "Host" "server.example.com:8080"
field "Origin" "https://server.example.com"
field "Sec-WebSocket-Extensions" "permessage-deflate;client_max_window_bits"
field "Sec-WebSocket-Protocol" "chat,superchat"
[permessage-deflate client_max_window_bits]`
		assert.Equal(t, want, everySplit(t, in, func() receiver { return freshServer(HandshakeStore, nil) }))
	}
}

// headJudgements are requests that are judged at the end of their head.
var headJudgements = []struct {
	name    string
	without string // which of the fields that an upgrade needs is left out
	lines   string
	want    *Error
}{
	{"least request", "", "", nil},
	{"names in any case", "Upgrade", "uPGRADE:websocket\r\n", nil}, // rule 11
	// rule 4
	{"no Host", "Host", "", ErrHost},
	{"two Host", "", "Host: h\r\n", ErrHost},
	{"empty Host", "Host", "Host:\r\n", ErrHost},
	{"Host with a space", "Host", "Host: a b\r\n", ErrHost},
	{"Host with a path", "Host", "Host: a/b\r\n", ErrHost},
	{"Host with a user", "Host", "Host: u@h\r\n", ErrHost},
	{"Host with a bad port", "Host", "Host: h:8x\r\n", ErrHost},
	{"Host of a port only", "Host", "Host: :80\r\n", ErrHost},
	{"Host with two colons", "Host", "Host: a:b:80\r\n", ErrHost},
	{"Host with an open bracket", "Host", "Host: [::1\r\n", ErrHost},
	{"Host with empty brackets", "Host", "Host: []\r\n", ErrHost},
	{"Host with more behind the bracket", "Host", "Host: [::1]x\r\n", ErrHost},
	{"Host above 7F", "Host", "Host: h\xc3\xa9\r\n", ErrHost},
	{"IPv6 Host", "Host", "Host: [::1]:8080\r\n", nil},
	{"Host with an empty port", "Host", "Host: h:\r\n", nil},
	// rule 5
	{"Upgrade in any case", "Upgrade", "Upgrade: WebSocket\r\n", nil},
	{"Upgrade is a list", "Upgrade", "Upgrade: h2c ,\t, WEBSOCKET \r\n", nil},
	{"two Upgrade", "Upgrade", "Upgrade: h2c\r\nUpgrade: websocket\r\n", nil},
	{"no Upgrade", "Upgrade", "", ErrUpgrade},
	{"another Upgrade", "Upgrade", "Upgrade: h2c\r\n", ErrUpgrade},
	{"Upgrade with a version", "Upgrade", "Upgrade: websocket/13\r\n", ErrUpgrade},
	{"Upgrade of two words", "Upgrade", "Upgrade: websocket x\r\n", ErrUpgrade},
	{"Upgrade of two words, turned", "Upgrade", "Upgrade: x websocket\r\n", ErrUpgrade},
	{"longer Upgrade", "Upgrade", "Upgrade: websockets\r\n", ErrUpgrade},
	{"shorter Upgrade", "Upgrade", "Upgrade: websocke\r\n", ErrUpgrade},
	{"Upgrade over two fields", "Upgrade", "Upgrade: web\r\nUpgrade: socket\r\n", ErrUpgrade},
	{"Upgrade in two pieces", "Upgrade", "Upgrade: web socket\r\n", ErrUpgrade},
	// rule 6
	{"Connection is a list", "Connection", "Connection: keep-alive, upGrade\r\n", nil},
	{"Connection on two lines", "Connection", "Connection: keep-alive\r\nConnection: Upgrade\r\n", nil},
	{"Connection with close", "Connection", "Connection: close,upgrade\r\n", nil},
	{"no Connection", "Connection", "", ErrConnection},
	{"another Connection", "Connection", "Connection: keep-alive\r\n", ErrConnection},
	{"longer Connection", "Connection", "Connection: upgrades\r\n", ErrConnection},
	{"Connection with a parameter", "Connection", "Connection: upgrade;x\r\n", ErrConnection},
	// rules 9 and 10
	{"no version", "Sec-WebSocket-Version", "", ErrVersionMissing},
	{"two versions", "", "Sec-WebSocket-Version: 13\r\n", ErrVersionMissing},
	{"spaces around the version", "Sec-WebSocket-Version", "Sec-WebSocket-Version: \t13 \t\r\n", nil},
	{"draft version", "Sec-WebSocket-Version", "Sec-WebSocket-Version: 8\r\n", ErrVersion},
	{"empty version", "Sec-WebSocket-Version", "Sec-WebSocket-Version:\r\n", ErrVersion},
	{"longer version", "Sec-WebSocket-Version", "Sec-WebSocket-Version: 130\r\n", ErrVersion},
	{"shorter version", "Sec-WebSocket-Version", "Sec-WebSocket-Version: 1\r\n", ErrVersion},
	{"version of two digits", "Sec-WebSocket-Version", "Sec-WebSocket-Version: 1 3\r\n", ErrVersion},
	{"list of versions", "Sec-WebSocket-Version", "Sec-WebSocket-Version: 13, 8\r\n", ErrVersion},
	// rules 7 and 8
	{"no key", "Sec-WebSocket-Key", "", ErrKeyCount},
	{"two keys", "", "Sec-WebSocket-Key: " + sampleKey + "\r\n", ErrKeyCount},
	{"spaces around the key", "Sec-WebSocket-Key", "Sec-WebSocket-Key: \t " + sampleKey + " \t \r\n", nil},
	{"key of 25 bytes", "Sec-WebSocket-Key", "Sec-WebSocket-Key: " + sampleKey + "=\r\n", ErrKey},
	{"key of 23 bytes", "Sec-WebSocket-Key", "Sec-WebSocket-Key: " + sampleKey[1:] + "\r\n", ErrKey},
	{"empty key", "Sec-WebSocket-Key", "Sec-WebSocket-Key:\r\n", ErrKey},
	{"key with a space inside", "Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBs ZSBub25jZQ==\r\n", ErrKey},
	{"key with a word behind", "Sec-WebSocket-Key", "Sec-WebSocket-Key: " + sampleKey + " x\r\n", ErrKey},
	{"key with spaces to 24 bytes", "Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ   \r\n", ErrKey},
	{"key in the URL alphabet", "Sec-WebSocket-Key", "Sec-WebSocket-Key: -GhlIHNhbXBsZSBub25jZQ==\r\n", ErrKey},
	{"key of 17 bytes", "Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQQ=\r\n", ErrKey},
	{"key of 4 KiB", "Sec-WebSocket-Key", "Sec-WebSocket-Key: " + strings.Repeat("A", 4096) + "\r\n", ErrKey},
	// rule 16
	{"body of known length", "", "Content-Length: 1\r\n", ErrBody},
	{"body of unknown length", "", "Transfer-Encoding: chunked\r\n", ErrBody},
	{"body of length zero", "", "Content-Length: 0\r\n", nil},
	{"body of length zeros", "", "Content-Length: 000 \r\n", nil},
	{"length that is no number", "", "Content-Length: x\r\n", ErrBody},
	{"length without digits", "", "Content-Length:\r\n", ErrBody},
	{"length below zero", "", "Content-Length: -0\r\n", ErrBody},
	{"two lengths in one", "", "Content-Length: 0, 0\r\n", ErrBody},
	{"second length", "", "Content-Length: 0\r\nContent-Length: 5\r\n", ErrBody},
	// rule 17
	{"subprotocols with a bare comma", "", "Sec-WebSocket-Protocol: a,b,c\r\n", nil},
	{"subprotocols in any layout", "", "Sec-WebSocket-Protocol: , a\t,b ,, c ,\r\n", nil},
	{"subprotocols in two fields", "", "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n", nil},
	{"subprotocols that differ in case", "", "Sec-WebSocket-Protocol: a, A\r\n", nil},
	{"empty and full field of subprotocols", "", "Sec-WebSocket-Protocol:\r\nSec-WebSocket-Protocol: b\r\n", nil},
	{"no subprotocol in the field", "", "Sec-WebSocket-Protocol: ,\r\n", ErrSubprotocols},
	{"subprotocol twice", "", "Sec-WebSocket-Protocol: a, b, a\r\n", ErrSubprotocols},
	{"subprotocol twice, in two fields", "", "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Protocol: b\r\n", ErrSubprotocols},
	{"subprotocol of two words", "", "Sec-WebSocket-Protocol: a b\r\n", ErrSubprotocols},
	{"subprotocol that is quoted", "", "Sec-WebSocket-Protocol: \"a\"\r\n", ErrSubprotocols},
	{"subprotocol that is no token", "", "Sec-WebSocket-Protocol: a/b\r\n", ErrSubprotocols},
	// the order of judgement
	{"all is wrong but Host", "Upgrade", "Connection: x\r\nSec-WebSocket-Version: 8\r\nContent-Length: 1\r\n", ErrUpgrade},
	{"version before key", "Sec-WebSocket-Key", "Sec-WebSocket-Version: 8\r\nContent-Length: 1\r\n", ErrVersionMissing},
	{"body before subprotocols", "", "Sec-WebSocket-Protocol: /\r\nContent-Length: 1\r\n", ErrBody},
	{"subprotocols before extensions", "", "Sec-WebSocket-Extensions: /\r\nSec-WebSocket-Protocol: /\r\n", ErrSubprotocols},
}

func TestServerHandshake_JudgesTheHeadAtItsEnd(t *testing.T) {
	for _, c := range headJudgements {
		t.Run(c.name, func(t *testing.T) {
			in := upgradeWith(c.without, c.lines)
			everySplit(t, in+"rest", func() receiver { return freshServer(300, nil) })
			everySplit(t, in, func() receiver { return freshServer(10000, &HandshakeOptions{KeepAll: true}) })
			h := freshServer(300, nil)
			n, err := feed(t, h, in+"rest")
			assert.Equal(t, len(in), n)
			if c.want == nil {
				require.NoError(t, err)
				assert.Equal(t, UpgradeRequested, h.Outcome())
				assert.Nil(t, h.Failure().Err)
				return
			}
			require.Equal(t, error(c.want), err)
			assert.Equal(t, Failed, h.Outcome())
			assert.EqualValues(t, len(in), h.Failure().Offset)
			assert.Equal(t, ErrState, second(h.Accept(make([]byte, 1000), nil)), "a failed handshake never opens")
		})
	}
}

func second(_ int, err error) error { return err }

func TestServerHandshake_MaxSubprotocols(t *testing.T) { // rule 17
	list := func(n int) string {
		var names []string
		for i := 0; i < n; i++ {
			names = append(names, fmt.Sprint("p", i))
		}
		return upgradeWith("", "Sec-WebSocket-Protocol: "+strings.Join(names, ",")+"\r\n")
	}
	for _, c := range []struct {
		n, most int
		ok      bool
	}{{64, 0, true}, {65, 0, false}, {2, 2, true}, {3, 2, false}, {300, NoLimit, true}} {
		h := freshServer(3000, &HandshakeOptions{MaxSubprotocols: c.most})
		_, err := feed(t, h, list(c.n))
		assert.Equal(t, c.ok, err == nil, c)
		if c.ok {
			assert.Len(t, offeredSubprotocols(h), c.n)
			assert.True(t, h.Offers("p0"))
			assert.False(t, h.Offers("P0"))
			assert.False(t, h.Offers(""))
		}
	}
}

func TestServerHandshake_Targets(t *testing.T) { // rule 3
	for _, c := range []struct{ target, path, query, host string }{
		{"/", "/", "", "h"},
		{"/a/b?c=d?e", "/a/b", "c=d?e", "h"},
		{"/?", "/", "", "h"},
		{"//a", "//a", "", "h"},
		{"/%20|{}\"<>\\^`", "/%20|{}\"<>\\^`", "", "h"},
		{"http://example.com:80/a?b", "/a", "b", "example.com:80"},
		{"HTTPS://example.com", "/", "", "example.com"},
		{"ws://example.com?b/c", "/", "b/c", "example.com"},
		{"wss://[::1]:80/?", "/", "", "[::1]:80"},
	} {
		in := strings.Replace(upgradeWith("", ""), "GET /", "GET "+c.target, 1)
		everySplit(t, in, func() receiver { return freshServer(100, nil) })
		h := freshServer(100, nil)
		_, err := feed(t, h, in)
		require.NoError(t, err, c.target)
		assert.Equal(t, c.target, string(h.Target()))
		assert.Equal(t, c.path, string(h.Path()), c.target)
		assert.Equal(t, c.query, string(h.Query()), c.target)
		assert.Equal(t, c.host, string(h.Host()), c.target)
	}
}

func TestServerHandshake_OriginAbsentOrEmpty(t *testing.T) { // rule 19
	for lines, want := range map[string]string{"": "- false", "Origin:\r\n": "- true", "Origin: null\r\n": "null- true"} {
		h := freshServer(100, nil)
		_, err := feed(t, h, upgradeWith("", lines))
		require.NoError(t, err)
		origin, present := h.Origin()
		assert.Equal(t, want, fmt.Sprintf("%s- %v", origin, present))
	}
}

func TestServerHandshake_PlainRequests(t *testing.T) { // rules 16 and 20
	for _, c := range []struct {
		lines string
		want  Outcome
	}{
		{"", PlainRequest},
		{"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n", PlainRequest},
		{"Content-Length: 0\r\n", PlainRequest},
		{"Content-Length: 3\r\n", Failed},
		{"Transfer-Encoding: chunked\r\n", Failed},
		{"Upgrade: websocket\r\n", Failed},
		{"Sec-WebSocket-Key: x\r\n", Failed},
		{"Sec-WebSocket-Version: 13\r\n", Failed},
		{"Sec-WebSocket-Protocol: a\r\n", Failed},
		{"Sec-WebSocket-Extensions: a\r\n", Failed},
	} {
		in := "\r\nGET /page HTTP/1.1\r\nHost: h\r\n" + c.lines + "\r\n"
		everySplit(t, in, func() receiver { return freshServer(100, nil) })
		h := freshServer(100, nil)
		feed(t, h, in)
		assert.Equal(t, c.want, h.Outcome(), c.lines)
		refusal := ErrState
		if c.want == PlainRequest {
			refusal = ErrPlainRequest
		}
		assert.Equal(t, error(refusal), second(h.Accept(make([]byte, 500), nil)))
	}
}

func TestServerHandshake_UpgradeBehindPlainRequests(t *testing.T) { // rule 20: a proxy may send both on one connection
	h := freshServer(200, nil)
	assert.True(t, h.Untouched())
	in := "GET /page HTTP/1.1\r\nHost: h\r\n\r\n"
	stream := in + in + upgradeWith("", "Sec-WebSocket-Protocol: a\r\n") + "frames"
	for i := 0; i < 2; i++ {
		n, err := feed(t, h, stream)
		require.NoError(t, err)
		assert.Equal(t, len(in), n)
		stream = stream[n:]
		assert.Equal(t, ErrState, h.Restart(), "not before the answer")
		out, err := emitted(t, 7, func(dst []byte) (int, error) {
			return h.Respond(dst, &Response{Status: 200, Fields: []Field{{"Content-Type", "text/html"}}, Body: []byte("hello")})
		})
		require.NoError(t, err)
		assert.Equal(t, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello", out)
		assert.Equal(t, Answered, h.Outcome())
		assert.True(t, h.KeepAlive())
		assert.Equal(t, ErrState, second(h.Respond(make([]byte, 500), &Response{Status: 200})), "once")
		_, _, err = h.Receive([]byte("x"))
		assert.Equal(t, error(ErrState), err)
		require.NoError(t, h.Restart())
		assert.True(t, h.Untouched())
		assert.Nil(t, h.Target())
	}
	n, err := feed(t, h, stream)
	require.NoError(t, err)
	assert.Equal(t, "frames", stream[n:])
	assert.Equal(t, UpgradeRequested, h.Outcome())
	assert.False(t, h.Untouched())
	_, err = emitted(t, 500, func(dst []byte) (int, error) { return h.Accept(dst, nil) })
	require.NoError(t, err)
	assert.Equal(t, Opened, h.Outcome())
	assert.Equal(t, ErrState, h.Restart())

	h = freshServer(200, nil)
	_, err = feed(t, h, in)
	require.NoError(t, err)
	h.Respond(make([]byte, 500), &Response{Status: 200})
	require.NoError(t, h.Restart())
	_, err = feed(t, h, "GET / HTTP/1.0")
	assert.Equal(t, error(ErrHTTPVersion), err)
	assert.EqualValues(t, len(in)+13, h.Failure().Offset, "offsets count the connection's bytes")
}

func TestServerHandshake_ConnectionClose(t *testing.T) {
	for _, c := range []struct {
		lines string
		close bool
	}{{"Connection: x, Close\r\n", false}, {"", true}} {
		h := freshServer(200, nil)
		_, err := feed(t, h, "GET / HTTP/1.1\r\nHost: h\r\n"+c.lines+"\r\n")
		require.NoError(t, err)
		out, err := emitted(t, 500, func(dst []byte) (int, error) { return h.Respond(dst, &Response{Status: 404, Close: c.close}) })
		require.NoError(t, err)
		assert.Equal(t, "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", out)
		assert.False(t, h.KeepAlive())
		assert.Equal(t, ErrState, h.Restart())
	}
}

func TestServerHandshake_Accept(t *testing.T) { // rules 18, 21, 23
	const want = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + sampleAccept + "\r\n"
	full := &Acceptance{Subprotocol: "superchat", Extensions: "permessage-deflate", Fields: []Field{{"Set-Cookie", "a=b"}, {"X", ""}}}
	for _, c := range []struct {
		a    *Acceptance
		want string
	}{
		{nil, want + "\r\n"},
		{&Acceptance{}, want + "\r\n"},
		{full, want + "Sec-WebSocket-Protocol: superchat\r\nSec-WebSocket-Extensions: permessage-deflate\r\nSet-Cookie: a=b\r\nX: \r\n\r\n"},
	} {
		for room := 1; room <= len(c.want)+1; room++ {
			h := freshServer(500, nil)
			_, err := feed(t, h, browserRequest)
			require.NoError(t, err)
			size, err := h.AcceptSize(c.a)
			require.NoError(t, err)
			require.Equal(t, len(c.want), size)
			require.Equal(t, ErrNoRoom, second(h.Accept(nil, c.a)))
			out, err := emitted(t, room, func(dst []byte) (int, error) { return h.Accept(dst, c.a) })
			require.NoError(t, err)
			require.Equal(t, c.want, out)
			require.Equal(t, Opened, h.Outcome())
			require.Equal(t, "/chat", string(h.Path()), "the request can still be read")
			require.Equal(t, ErrState, second(h.Accept(make([]byte, 500), c.a)))
			require.Equal(t, ErrState, second(h.Respond(make([]byte, 500), &Response{Status: 400})))
		}
	}
}

func TestServerHandshake_AcceptRefusesBadArguments(t *testing.T) { // rules 18, 22
	h := freshServer(500, nil)
	_, err := feed(t, h, browserRequest)
	require.NoError(t, err)
	refused := func(a Acceptance, want error) {
		t.Helper()
		out, err := emitted(t, 500, func(dst []byte) (int, error) { return h.Accept(dst, &a) })
		assert.Equal(t, want, err, "%q", a)
		assert.Empty(t, out)
		size, err := h.AcceptSize(&a)
		assert.Equal(t, want, err)
		assert.Zero(t, size)
		assert.Equal(t, UpgradeRequested, h.Outcome())
	}
	for _, name := range []string{"Chat", "other", "chat,superchat", "chat "} {
		refused(Acceptance{Subprotocol: name}, ErrSubprotoSend)
	}
	for _, s := range hostileStrings {
		refused(Acceptance{Subprotocol: s}, ErrSubprotoSend)
		refused(Acceptance{Extensions: s}, ErrExtensionSend)
		refused(Acceptance{Extensions: "permessage-deflate" + s}, ErrExtensionSend)
		refused(Acceptance{Fields: []Field{{"X", s}}}, ErrField)
		refused(Acceptance{Fields: []Field{{"X", "y"}, {s, "y"}}}, ErrField)
	}
	for _, name := range []string{
		"", "a b", "a:", "Host", "upgrade", "Connection", "CONTENT-LENGTH", "transfer-encoding",
		"Sec-WebSocket-Accept", "sec-websocket-protocol", "Sec-WebSocket-X", "\x80",
	} {
		refused(Acceptance{Fields: []Field{{name, "x"}}}, ErrField)
	}
	_, err = emitted(t, 500, func(dst []byte) (int, error) { return h.Accept(dst, nil) })
	assert.NoError(t, err, "a refused call changes nothing")
}

func TestServerHandshake_ArgumentsThatChangeOnTheWay(t *testing.T) {
	h := freshServer(500, nil)
	_, err := feed(t, h, browserRequest)
	require.NoError(t, err)
	var dst [10]byte
	_, err = h.Accept(dst[:], nil)
	require.Equal(t, error(ErrNoRoom), err)
	assert.Equal(t, ErrState, second(h.Accept(dst[:], &Acceptance{Subprotocol: "chat"})))
	assert.Equal(t, ErrState, second(h.Respond(dst[:], &Response{Status: 400})))
	_, err = emitted(t, 500, func(dst []byte) (int, error) { return h.Accept(dst, nil) })
	assert.NoError(t, err)

	h = freshServer(500, nil)
	feed(t, h, browserRequest)
	_, err = h.Respond(dst[:], &Response{Status: 404})
	require.Equal(t, error(ErrNoRoom), err)
	assert.Equal(t, ErrState, second(h.Accept(dst[:], nil)))
	assert.Equal(t, ErrState, second(h.Respond(dst[:], &Response{Status: 404, Body: []byte("x")})))
}

func TestServerHandshake_Refusals(t *testing.T) { // rules 1, 2, 10, 13, 20
	for _, c := range []struct {
		in   string
		want string
	}{
		{"POST / HTTP/1.1\r\n", "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nAllow: GET\r\n" +
			"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 22\r\n\r\nthe method is not GET\n"},
		{"GET / HTTP/1.0\r\n", "HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\n"},
		{"GET / HTTP/1.1\r\nHost : h\r\n", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"},
		{upgradeWith("Sec-WebSocket-Version", "Sec-WebSocket-Version: 12\r\n"), "HTTP/1.1 426 Upgrade Required\r\n" +
			"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: close, Upgrade\r\n"},
		{upgradeWith("", strings.Repeat("a:\r\n", 100)), "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n"},
		{upgradeWith("Sec-WebSocket-Key", ""), "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"},
	} {
		var whole string
		for _, room := range []int{2000, 1, 2, 3, 17, 100} {
			h := freshServer(500, nil)
			_, err := feed(t, h, c.in)
			require.Error(t, err)
			size, sizeErr := h.ResponseSize(nil)
			require.NoError(t, sizeErr)
			out, err2 := emitted(t, room, func(dst []byte) (int, error) { return h.Respond(dst, nil) })
			require.NoError(t, err2)
			require.True(t, strings.HasPrefix(out, c.want), out)
			require.Len(t, out, size)
			head, body, found := strings.Cut(out, "\r\n\r\n")
			require.True(t, found)
			require.Contains(t, head, fmt.Sprintf("\r\nContent-Length: %d", len(body)))
			if strings.Contains(out, " 431 ") {
				require.Equal(t, "the request is too large\n", body)
			} else {
				require.Equal(t, strings.TrimPrefix(err.Error(), "ws: ")+"\n", body)
			}
			require.NotContains(t, out, "101")
			if whole == "" {
				whole = out
			}
			require.Equal(t, whole, out)
			n, err3 := h.Respond(make([]byte, 100), nil)
			require.Zero(t, n, "once")
			require.Equal(t, error(ErrState), err3)
			require.Equal(t, Failed, h.Outcome())
			require.Equal(t, ErrState, h.Restart())
		}
	}
}

func TestServerHandshake_RespondToAnUpgrade(t *testing.T) { // rule 20
	h := freshServer(500, nil)
	_, err := feed(t, h, browserRequest)
	require.NoError(t, err)
	r := &Response{Status: 401, Fields: []Field{{"WWW-Authenticate", "Basic realm=\"x\""}}, Body: []byte("who?\n")}
	out, err := emitted(t, 3, func(dst []byte) (int, error) { return h.Respond(dst, r) })
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 5\r\n\r\nwho?\n", out)
	assert.Equal(t, Answered, h.Outcome())
	assert.False(t, h.KeepAlive())
	assert.Equal(t, ErrState, second(h.Accept(make([]byte, 500), nil)))
}

func TestServerHandshake_RespondRefusesBadArguments(t *testing.T) { // rules 20, 22
	const plain = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	for _, c := range []struct {
		in   string
		r    *Response
		want error
	}{
		{plain, nil, ErrState},
		{plain, &Response{}, ErrStatusSend},
		{plain, &Response{Status: 101}, ErrStatusSend},
		{plain, &Response{Status: 199}, ErrStatusSend},
		{plain, &Response{Status: 600}, ErrStatusSend},
		{plain, &Response{Status: -200}, ErrStatusSend},
		{plain, &Response{Status: 204, Body: []byte("x")}, ErrStatusSend},
		{plain, &Response{Status: 304, Body: []byte("x")}, ErrStatusSend},
		{plain, &Response{Status: 205, Body: []byte("x")}, ErrStatusSend},
		{plain, &Response{Status: 200, Fields: []Field{{"Content-Length", "1"}}}, ErrField},
		{plain, &Response{Status: 200, Fields: []Field{{"X", "a\r\nb"}}}, ErrField},
		{browserRequest, nil, ErrState},
		{browserRequest, &Response{Status: 200}, ErrStatusSend},
		{browserRequest, &Response{Status: 101}, ErrStatusSend},
		{browserRequest, &Response{Status: 299}, ErrStatusSend},
		{"POST", &Response{Status: 200}, ErrStatusSend},
		{"GET", &Response{Status: 400}, ErrState},
	} {
		h := freshServer(500, nil)
		feed(t, h, c.in)
		before := h.Outcome()
		out, err := emitted(t, 500, func(dst []byte) (int, error) { return h.Respond(dst, c.r) })
		assert.Equal(t, c.want, err, "%v", c)
		assert.Empty(t, out)
		assert.Equal(t, before, h.Outcome())
		_, err = h.ResponseSize(c.r)
		assert.Equal(t, c.want, err)
	}
	for _, c := range []struct {
		r    Response
		want string
	}{
		{Response{Status: 204}, "HTTP/1.1 204 No Content\r\n\r\n"},
		{Response{Status: 304}, "HTTP/1.1 304 Not Modified\r\n\r\n"},
		{Response{Status: 205}, "HTTP/1.1 205 \r\nContent-Length: 0\r\n\r\n"},
		{Response{Status: 599}, "HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n"},
		{Response{Status: 426}, "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n"},
		{Response{Status: 405, Fields: []Field{{"ALLOW", "PUT"}}}, "HTTP/1.1 405 Method Not Allowed\r\nALLOW: PUT\r\nContent-Length: 0\r\n\r\n"},
	} {
		h := freshServer(500, nil)
		feed(t, h, plain)
		out, err := emitted(t, 500, func(dst []byte) (int, error) { return h.Respond(dst, &c.r) })
		assert.NoError(t, err)
		assert.Equal(t, c.want, out)
	}
	h := freshServer(500, nil)
	feed(t, h, "POST")
	out, err := emitted(t, 500, func(dst []byte) (int, error) { return h.Respond(dst, &Response{Status: 400}) })
	assert.NoError(t, err)
	assert.Equal(t, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", out, "a page of the caller's own after a failure")
}

func TestServerHandshake_MisuseIsAnError(t *testing.T) { // rule 38
	var h ServerHandshake
	n, done, err := h.Receive([]byte("GET / HTTP/1.1\r\n"))
	assert.Zero(t, n)
	assert.True(t, done)
	assert.Equal(t, error(ErrState), err)
	assert.Equal(t, NotStarted, h.Outcome())
	assert.Equal(t, ErrState, second(h.Accept(nil, nil)))
	assert.Equal(t, ErrState, second(h.AcceptSize(nil)))
	assert.Equal(t, ErrState, second(h.Respond(nil, nil)))
	assert.Equal(t, ErrState, second(h.ResponseSize(&Response{Status: 400})))
	assert.Equal(t, ErrState, h.Restart())
	assert.False(t, h.KeepAlive() || h.Untouched() || h.Offers("x"))
	assert.Contains(t, describe(&h, 0, nil), "not started")

	h.Reset(nil, nil)
	n, done, err = h.Receive(nil)
	assert.Equal(t, "0 false <nil>", fmt.Sprint(n, done, err))
	_, _, err = h.Receive([]byte("GET /"))
	assert.Equal(t, error(ErrStoreFull), err)
	assert.NotContains(t, describe(&h, 0, nil), "\nfield")

	for o := NotStarted; o <= Failed+1; o++ {
		assert.NotEmpty(t, o.String())
	}
	assert.Equal(t, "invalid", (Failed + 1).String())
}

func TestServerHandshake_AllocatesNothing(t *testing.T) {
	var h ServerHandshake
	store, out := make([]byte, 1000), make([]byte, 1000)
	opt := &HandshakeOptions{Keep: []string{"cookie"}}
	a := &Acceptance{Subprotocol: "chat", Extensions: "permessage-deflate", Fields: []Field{{"X", "y"}}}
	r := &Response{Status: 403, Fields: []Field{{"X", "y"}}, Body: []byte("no")}
	good, plain := []byte(browserRequest), []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	var inputs [][]byte
	for _, c := range badHeads {
		inputs = append(inputs, []byte(strings.Replace(c.in, "|", "", 1)))
	}
	for _, c := range headJudgements {
		inputs = append(inputs, []byte(upgradeWith(c.without, c.lines)))
	}
	inputs = append(inputs, good, plain)
	assert.Zero(t, testing.AllocsPerRun(10, func() {
		for _, in := range inputs {
			h.Reset(store, opt)
			for rest := in; len(rest) > 0; {
				n, done, err := h.Receive(rest[:min(len(rest), 100)])
				rest = rest[n:]
				if done || err != nil {
					break
				}
			}
			_, _ = h.Header("cookie")
			for c := h.Fields(); ; {
				if _, _, ok := c.Next(); !ok {
					break
				}
			}
			for c := h.Extensions(); ; {
				e, ok := c.Next()
				if !ok {
					break
				}
				p := e.Params()
				p.Next()
			}
			_, _, _ = h.Path(), h.Query(), h.Host()
			_ = h.Failure()
			_, _ = h.AcceptSize(a)
			_, _ = h.Accept(out[:50], a)
			_, _ = h.Accept(out, a)
			_, _ = h.Respond(out[:50], nil)
			_, _ = h.Respond(out, nil)
			_, _ = h.Respond(out, r)
			_ = h.Restart()
		}
	}))
}
