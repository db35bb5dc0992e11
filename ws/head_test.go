package ws

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func freshServer(store int, opt *HandshakeOptions) *ServerHandshake {
	h := new(ServerHandshake)
	h.Reset(make([]byte, store), opt)
	return h
}

// badHeads are heads that break a rule before their end. The mark | stands before the byte that breaks it.
var badHeads = []struct {
	name string
	in   string
	want *Error
}{
	// rule 1
	{"method POST", "|POST / HTTP/1.1\r\n", ErrMethod},
	{"method in lower case", "|get / HTTP/1.1\r\n", ErrMethod},
	{"method that begins with GET", "GET|X / HTTP/1.1\r\n", ErrMethod},
	{"method that is shorter", "GE| / HTTP/1.1\r\n", ErrMethod},
	{"preface of HTTP/2", "|PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ErrMethod},
	{"no method", "| / HTTP/1.1\r\n", ErrHeadSyntax},
	{"record of TLS", "|\x16\x03\x01\x02\x00\x01\x00", ErrHeadSyntax},
	{"tab behind the method", "GET|\t/ HTTP/1.1\r\n", ErrHeadSyntax},
	{"bare LF first", "|\nGET / HTTP/1.1\r\n", ErrHeadSyntax},
	{"two empty lines first", "\r\n|\r\nGET / HTTP/1.1\r\n", ErrHeadSyntax},
	{"CR first, alone", "\r|GET / HTTP/1.1\r\n", ErrHeadSyntax},
	// rule 2
	{"HTTP/1.0", "GET / HTTP/1.|0\r\n", ErrHTTPVersion},
	{"HTTP/1.2", "GET / HTTP/1.|2\r\n", ErrHTTPVersion},
	{"HTTP/2.0", "GET / HTTP/|2.0\r\n", ErrHTTPVersion},
	{"HTTP/1.10", "GET / HTTP/1.1|0\r\n", ErrHTTPVersion},
	{"http in lower case", "GET / |http/1.1\r\n", ErrHeadSyntax},
	{"another word", "GET / |foo\r\n", ErrHeadSyntax},
	{"space behind the version", "GET / HTTP/1.1| \r\n", ErrHeadSyntax},
	{"bare LF behind the version", "GET / HTTP/1.1|\n", ErrHeadSyntax},
	{"bare CR behind the version", "GET / HTTP/1.1\r|H", ErrHeadSyntax},
	// rule 3
	{"no version", "GET /|\r\n", ErrTarget},
	{"no target", "GET | HTTP/1.1\r\n", ErrTarget},
	{"fragment", "GET /a|#b HTTP/1.1\r\n", ErrTarget},
	{"control byte in the target", "GET /a|\x01 HTTP/1.1\r\n", ErrTarget},
	{"NUL in the target", "GET /a|\x00 HTTP/1.1\r\n", ErrTarget},
	{"DEL in the target", "GET /a|\x7f HTTP/1.1\r\n", ErrTarget},
	{"tab in the target", "GET /a|\tHTTP/1.1\r\n", ErrTarget},
	{"byte above 7F in the target", "GET /a|\xc3\xa9 HTTP/1.1\r\n", ErrTarget},
	{"asterisk", "GET |* HTTP/1.1\r\n", ErrTarget},
	{"authority-form", "GET example|.com:80 HTTP/1.1\r\n", ErrTarget},
	{"relative path", "GET chat| HTTP/1.1\r\n", ErrTarget},
	{"another scheme", "GET ftp|://h/ HTTP/1.1\r\n", ErrTarget},
	{"one slash", "GET http:/|h HTTP/1.1\r\n", ErrTarget},
	{"absolute-form without a host", "GET http://|/a HTTP/1.1\r\n", ErrTarget},
	{"absolute-form with user", "GET http://u|@h/ HTTP/1.1\r\n", ErrTarget},
	{"absolute-form with a bad port", "GET http://h:x|/ HTTP/1.1\r\n", ErrTarget},
	// rule 12
	{"space before the colon", "GET / HTTP/1.1\r\nHost| : h\r\n", ErrHeadSyntax},
	{"no name", "GET / HTTP/1.1\r\n|: h\r\n", ErrHeadSyntax},
	{"no colon", "GET / HTTP/1.1\r\nHost|\r\n\r\n", ErrHeadSyntax},
	{"bracket in a name", "GET / HTTP/1.1\r\nHo|[st: h\r\n", ErrHeadSyntax},
	{"byte above 7F in a name", "GET / HTTP/1.1\r\nHo|\xffst: h\r\n", ErrHeadSyntax},
	{"space before the first name", "GET / HTTP/1.1\r\n| Host: h\r\n", ErrHeadSyntax},
	{"folded line", "GET / HTTP/1.1\r\nHost: h\r\n| more\r\n\r\n", ErrHeadSyntax},
	{"folded line by a tab", "GET / HTTP/1.1\r\nHost: h\r\n|\tmore\r\n\r\n", ErrHeadSyntax},
	{"bare LF behind a value", "GET / HTTP/1.1\r\nHost: h|\nUpgrade: x\r\n", ErrHeadSyntax},
	{"bare LF without a value", "GET / HTTP/1.1\r\nHost:|\n", ErrHeadSyntax},
	{"bare CR in a value", "GET / HTTP/1.1\r\nX: a\r|b\r\n", ErrHeadSyntax},
	{"two CR", "GET / HTTP/1.1\r\nX: a\r|\r\n", ErrHeadSyntax},
	{"NUL in a value", "GET / HTTP/1.1\r\nX: a|\x00b\r\n", ErrHeadSyntax},
	{"NUL in front of a value", "GET / HTTP/1.1\r\nX:  |\x00b\r\n", ErrHeadSyntax},
	{"NUL far in a value", "GET / HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaa\t|\x00b\r\n", ErrHeadSyntax},
	{"control byte in a value", "GET / HTTP/1.1\r\nX: a|\x1fb\r\n", ErrHeadSyntax},
	{"DEL in a value", "GET / HTTP/1.1\r\nX: a|\x7fb\r\n", ErrHeadSyntax},
	{"bare LF as the empty line", "GET / HTTP/1.1\r\nHost: h\r\n|\n", ErrHeadSyntax},
	{"bare CR as the empty line", "GET / HTTP/1.1\r\nHost: h\r\n\r|x", ErrHeadSyntax},
}

func TestServerHandshake_BadHeadsFailAtTheByte(t *testing.T) {
	for _, c := range badHeads {
		t.Run(c.name, func(t *testing.T) {
			at := strings.IndexByte(c.in, '|')
			in := c.in[:at] + c.in[at+1:]
			everySplit(t, in, func() receiver { return freshServer(200, nil) })
			h := freshServer(200, nil)
			n, err := feed(t, h, in)
			require.Equal(t, error(c.want), err)
			assert.Equal(t, at, n)
			assert.EqualValues(t, at, h.Failure().Offset)
			assert.Equal(t, Failed, h.Outcome())
			assert.Nil(t, h.Target(), "nothing of a bad head is shown")
		})
	}
}

func TestServerHandshake_BareLFIsRefused(t *testing.T) { // rule 12
	for i := strings.IndexByte(browserRequest, '\n'); i >= 0 && i < len(browserRequest); {
		in := browserRequest[:i-1] + browserRequest[i:]
		h := freshServer(500, nil)
		n, err := feed(t, h, in)
		require.Equal(t, error(ErrHeadSyntax), err)
		require.Equal(t, i-1, n)
		next := strings.IndexByte(browserRequest[i+1:], '\n')
		if next < 0 {
			break
		}
		i += 1 + next
	}
}

func TestServerHandshake_LimitsAreInclusive(t *testing.T) { // rule 13
	in := browserRequest
	fresh := func(opt HandshakeOptions) func() receiver {
		return func() receiver { return freshServer(500, &opt) }
	}
	assert.Contains(t, everySplit(t, in+"rest", fresh(HandshakeOptions{MaxHead: len(in)})), "upgrade requested")
	assert.Contains(t, everySplit(t, in, fresh(HandshakeOptions{MaxHead: len(in) - 1})), fmt.Sprintf("failure %v at %d", ErrHeadTooLarge, len(in)-1))
	assert.Contains(t, everySplit(t, in, fresh(HandshakeOptions{MaxFields: 14})), "upgrade requested")
	at := strings.Index(in, "Sec-WebSocket-Protocol")
	assert.Contains(t, everySplit(t, in, fresh(HandshakeOptions{MaxFields: 13})), fmt.Sprintf("failure %v at %d", ErrTooManyFields, at))
	assert.Contains(t, everySplit(t, in, fresh(HandshakeOptions{MaxFields: NoLimit, MaxHead: NoLimit, MaxSubprotocols: NoLimit})), "upgrade requested")

	big := upgradeWith("", "X: "+strings.Repeat("x", DefaultMaxHead)+"\r\n")
	h := freshServer(500, nil)
	n, err := feed(t, h, big)
	assert.Equal(t, error(ErrHeadTooLarge), err)
	assert.Equal(t, DefaultMaxHead, n)
	h = freshServer(500, nil)
	_, err = feed(t, h, upgradeWith("", strings.Repeat("a:\r\n", DefaultMaxFields-4)))
	assert.Equal(t, error(ErrTooManyFields), err, "rule 13")
}

func TestServerHandshake_SmallStorePassesLargeFields(t *testing.T) { // rule 13 and the design's promise
	in := strings.Replace(browserRequest, "theme=dark", strings.Repeat("0123456789", 300), 1)
	in = strings.Replace(in, "Pragma", strings.Repeat("Long-", 200), 1)
	require.Greater(t, len(in), 4096-400)
	canary := strings.Repeat("\xA5", 64)
	memory := []byte(strings.Repeat("\xA5", 256+64))
	var h ServerHandshake
	h.Reset(memory[:256:256], nil)
	for rest := []byte(in); ; {
		n, done, err := h.Receive(rest[:min(128, len(rest))])
		require.NoError(t, err)
		rest = rest[n:]
		if done {
			require.Empty(t, rest)
			break
		}
	}
	assert.Equal(t, UpgradeRequested, h.Outcome())
	assert.Equal(t, "/chat", string(h.Path()))
	assert.Equal(t, []string{"chat", "superchat"}, offeredSubprotocols(&h))
	assert.Equal(t, canary, string(memory[256:]))
}

func TestServerHandshake_EveryStoreSize(t *testing.T) { // rule 13
	long := "X-" + strings.Repeat("n", 100) + ": " + strings.Repeat("v", 30) + "  \t \r\n"
	in := strings.Replace(browserRequest, "Pragma", long+"Pragma", 1)
	in = strings.Replace(in, "chat, superchat", " , chat ,,\tsuperchat , ", 1)
	for _, opt := range []*HandshakeOptions{nil, {KeepAll: true}, {Keep: []string{"cookie", "USER-AGENT", "Host", "upgrade"}}} {
		size := 0
		for ; ; size++ {
			require.Less(t, size, 2000)
			memory := []byte(strings.Repeat("\xA5", size+8))
			fresh := func() receiver {
				h := new(ServerHandshake)
				h.Reset(memory[:size:size], opt)
				return h
			}
			whole, bytewise := fresh(), fresh()
			n, err := feed(t, whole, in)
			if err == nil {
				break
			}
			want := describe(whole, n, err)
			cuts := make([]int, len(in))
			for i := range cuts {
				cuts[i] = i
			}
			n, err2 := feed(t, bytewise, in, cuts...)
			require.Equal(t, want, describe(bytewise, n, err2), "store of %d", size)
			require.Equal(t, error(ErrStoreFull), err)
			require.Equal(t, "\xA5\xA5\xA5\xA5\xA5\xA5\xA5\xA5", string(memory[size:]))
		}
		everySplit(t, in, func() receiver { return freshServer(size, opt) })
	}
	h := freshServer(0, nil)
	_, err := feed(t, h, in)
	assert.Equal(t, error(ErrStoreFull), err)
	assert.EqualValues(t, 4, h.Failure().Offset)
}

func TestServerHandshake_TrailingSpacesNeedNoStore(t *testing.T) {
	const value = "0123456789"
	in := upgradeWith("", "X: "+value+strings.Repeat(" \t", 1000)+"\r\n")
	opt := &HandshakeOptions{Keep: []string{"x"}}
	size := len("/") + 2 + len("h") + 2 + len("X:") + len(value) + 2
	h := freshServer(size, opt)
	_, err := feed(t, h, in)
	require.NoError(t, err)
	got, _ := h.Header("x")
	assert.Equal(t, value, string(got))
	everySplit(t, in, func() receiver { return freshServer(size, opt) })
	in = strings.Replace(in, " \t\r\n", " \t.\r\n", 1)
	assert.Contains(t, everySplit(t, in, func() receiver { return freshServer(size, opt) }), ErrStoreFull.Text)
}

func TestServerHandshake_KeepList(t *testing.T) { // rule 19
	in := strings.Replace(browserRequest, "Pragma: no-cache", "X-Empty:  \t \r\nAuthorization:\tBasic eDp5 \t \r\nauthorization: other\r\nPragma: no-cache", 1)
	opt := &HandshakeOptions{Keep: []string{"COOKIE", "authorization", "x-empty", "Sec-WebSocket-Key", "Connection", "Absent", "Origin"}}
	everySplit(t, in, func() receiver { return freshServer(1000, opt) })
	h := freshServer(1000, opt)
	_, err := feed(t, h, in)
	require.NoError(t, err)
	for name, want := range map[string]string{
		"cookie": "session=0123456789abcdef0123456789abcdef; theme=dark", "Authorization": "Basic eDp5", "X-EMPTY": "",
		"sec-websocket-key": sampleKey, "connection": "Upgrade", "host": "server.example.com:8080",
		"origin": "https://server.example.com", "sec-websocket-protocol": "chat,superchat",
		"Sec-WebSocket-Extensions": "permessage-deflate;client_max_window_bits",
	} {
		got, present := h.Header(name)
		assert.True(t, present, name)
		assert.Equal(t, want, string(got), name)
	}
	for _, name := range []string{"absent", "user-agent", "upgrade", "", "Hos"} {
		got, present := h.Header(name)
		assert.False(t, present, name)
		assert.Nil(t, got, name)
	}
	names := ""
	for c := h.Fields(); ; {
		name, _, ok := c.Next()
		if !ok {
			break
		}
		names += string(name) + " "
	}
	assert.Equal(t, "Host Connection X-Empty Authorization authorization Origin Cookie Sec-WebSocket-Key Sec-WebSocket-Extensions Sec-WebSocket-Protocol ", names)

	all := freshServer(2000, &HandshakeOptions{KeepAll: true})
	_, err = feed(t, all, in)
	require.NoError(t, err)
	n := 0
	for c := all.Fields(); ; n++ {
		if _, _, ok := c.Next(); !ok {
			break
		}
	}
	assert.Equal(t, 17, n)
}

func TestServerHandshake_KeepListNames(t *testing.T) { // rule 13
	longest := strings.Repeat("k", MaxKeepName)
	in := upgradeWith("", longest+": v\r\n"+longest+"k: w\r\n")
	h := freshServer(300, &HandshakeOptions{Keep: []string{longest}})
	_, err := feed(t, h, in)
	require.NoError(t, err)
	v, _ := h.Header(longest)
	assert.Equal(t, "v", string(v))
	for _, name := range []string{"", longest + "k"} {
		h := freshServer(300, &HandshakeOptions{Keep: []string{"a", name}})
		n, done, err := h.Receive([]byte(in))
		assert.Zero(t, n)
		assert.True(t, done)
		assert.Equal(t, error(ErrKeepName), err)
		out, err := emitted(t, 500, func(dst []byte) (int, error) { return h.Respond(dst, nil) })
		assert.NoError(t, err)
		assert.Contains(t, out, "HTTP/1.1 500 ")
	}
}

func TestServerHandshake_WorkIsLinear(t *testing.T) { // rule 13: each byte is looked at once, wherever the head is split
	// Receive never looks behind the piece it is given, and keeps at most a name of 64 bytes: a piece may be destroyed
	// once it was eaten.
	in := strings.Replace(browserRequest, "Cookie: ", "Cookie: "+strings.Repeat("a b", 5000), 1)
	for _, size := range []int{1, 2, 3, 7, 64, 1000} {
		h := freshServer(20000, &HandshakeOptions{MaxHead: NoLimit, KeepAll: true})
		piece := make([]byte, size)
		for rest := in; rest != ""; {
			k := copy(piece, rest)
			n, _, err := h.Receive(piece[:k:k])
			require.NoError(t, err)
			require.Equal(t, k, n)
			rest = rest[k:]
			for i := range piece {
				piece[i] = 0
			}
		}
		require.Equal(t, UpgradeRequested, h.Outcome())
		ua, _ := h.Header("user-agent")
		require.Contains(t, string(ua), "Mozilla/5.0")
	}
}

// Rule 12, where whole lines are read at once: each control byte inside a value is found, at any place of a word.
func TestServerHandshake_EveryControlByteInAValue(t *testing.T) {
	for c := 0; c < 256; c++ {
		for at := 0; at < 20; at++ {
			value := []byte(strings.Repeat("v", 40))
			value[at] = byte(c)
			in := strings.Replace(browserRequest, "\r\n", "\r\nX-Value: "+string(value)+"\r\n", 1)
			h := freshServer(HandshakeStore, nil)
			_, _, err := h.Receive([]byte(in))
			if c < 0x20 && c != '\t' || c == 0x7F {
				require.Equal(t, error(ErrHeadSyntax), err, "byte %#x", c)
			} else {
				require.NoError(t, err, "byte %#x", c)
			}
		}
	}
}
