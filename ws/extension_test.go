package ws

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Rules 103 and 104: what keeps the grammar of RFC 6455 9.1, and what it says.
var extensionCases = []struct{ value, want string }{
	{"a", "[a]"},
	{"permessage-deflate; client_max_window_bits", "[permessage-deflate client_max_window_bits]"},
	{"a;b=1;c", "[a b=1 c]"},
	{"a, b", "[a][b]"},
	{"a,b;c,d", "[a][b c][d]"},
	{" \ta \t; \tb \t= \tc \t, \td ", "[a b=c][d]"},
	{`a;b="c"`, "[a b=c]"},
	{`a; b="\c\d"; e`, "[a b=cd e]"},
	{`a; b = "c" , d`, "[a b=c][d]"},
	{",a,, ,b,", "[a][b]"},
	{"a;b;b=1", "[a b b=1]"},
	{"!#$%&'*+-.^_`|~", "[!#$%&'*+-.^_`|~]"},

	{"", ""},
	{",", ""},
	{" , ", ""},
	{";", ""},
	{"a;", ""},
	{"a;;b", ""},
	{"a;b=", ""},
	{"a;b=;c", ""},
	{"a;=b", ""},
	{"a=b", ""},
	{"a b", ""},
	{"a;b c", ""},
	{"a;b=c d", ""},
	{`"a"`, ""},
	{`a;"b"`, ""},
	{`a;b="`, ""},
	{`a;b=""`, ""},
	{`a;b="c`, ""},
	{`a;b="c d"`, ""},
	{`a;b="c,d"`, ""},
	{`a;b="\`, ""},
	{`a;b="\""`, ""},
	{`a;b="c"d`, ""},
	{`a;b=c"d"`, ""},
	{"a/b", ""},
	{"a;b=c/d", ""},
	{"a\x80", ""},
	{"a;b={}", ""},
}

func TestExtensions_Grammar(t *testing.T) {
	for _, c := range extensionCases {
		t.Run(c.value, func(t *testing.T) {
			in := upgradeWith("", "Sec-WebSocket-Extensions: "+c.value+"\r\n")
			everySplit(t, in, func() receiver { return freshServer(200, nil) })
			h := freshServer(200, nil)
			_, err := feed(t, h, in)
			assert.Equal(t, c.want != "", validExtensions(c.value))
			if c.want == "" {
				require.Equal(t, error(ErrExtensionSyntax), err)
				require.EqualValues(t, len(in), h.Failure().Offset)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, describeExtensions(h.Extensions()))
		})
	}
}

func TestExtensions_SeveralFieldsAreOneList(t *testing.T) {
	in := upgradeWith("", "Sec-WebSocket-Extensions: a;b\r\nX: y\r\nSEC-WEBSOCKET-EXTENSIONS: ,\r\nsec-websocket-extensions: c, d\r\n")
	h := freshServer(200, nil)
	_, err := feed(t, h, in)
	require.NoError(t, err)
	assert.Equal(t, "[a b][c][d]", describeExtensions(h.Extensions()))

	for _, lines := range []string{"a;\r\nSec-WebSocket-Extensions: b", "a\r\nSec-WebSocket-Extensions: ;b", "\r\nSec-WebSocket-Extensions: ,"} {
		h = freshServer(200, nil)
		_, err = feed(t, h, upgradeWith("", "Sec-WebSocket-Extensions: "+lines+"\r\n"))
		assert.Equal(t, error(ErrExtensionSyntax), err, lines)
	}
}

func TestExtensions_ZeroCursorsAreEmpty(t *testing.T) {
	var e ExtensionCursor
	_, ok := e.Next()
	assert.False(t, ok)
	var p ParamCursor
	_, ok = p.Next()
	assert.False(t, ok)
	var s SubprotocolCursor
	_, ok = s.Next()
	assert.False(t, ok)
	var f FieldCursor
	_, _, ok = f.Next()
	assert.False(t, ok)
}

func TestServerHandshake_AnswersOnlyOfferedExtensions(t *testing.T) { // rule 36, the sender's side
	for _, c := range []struct {
		offer, answer string
		want          error
	}{
		{"a", "a", nil},
		{"a", "a;x=1", nil},
		{"a, b;c", "b , a", nil},
		{"a", "b", ErrExtensionSend},
		{"a;b", "b", ErrExtensionSend},
		{"a", "a, b", ErrExtensionSend},
		{"a", "a;", ErrExtensionSend},
		{"a", ",", ErrExtensionSend},
		{"", "a", ErrExtensionSend},
		{"permessage-deflate", "permessage-deflate; server_max_window_bits=10", nil},
		{"permessage-deflate", "permessage-deflate; client_max_window_bits=10", ErrExtensionSend},
		{"x; client_max_window_bits, permessage-deflate", "permessage-deflate; client_max_window_bits=10", ErrExtensionSend},
		{"permessage-deflate, permessage-deflate; client_max_window_bits", `permessage-deflate; client_max_window_bits="10"`, nil},
	} {
		lines := ""
		if c.offer != "" {
			lines = "Sec-WebSocket-Extensions: " + c.offer + "\r\n"
		}
		h := freshServer(500, nil)
		_, err := feed(t, h, upgradeWith("", lines))
		require.NoError(t, err)
		out, err := emitted(t, 500, func(dst []byte) (int, error) { return h.Accept(dst, &Acceptance{Extensions: c.answer}) })
		if c.want != nil {
			assert.Equal(t, c.want, err, c)
			assert.Empty(t, out)
			continue
		}
		require.NoError(t, err, c)
		assert.Contains(t, out, "\r\nSec-WebSocket-Extensions: "+c.answer+"\r\n")
	}
}

func TestExtensions_LongListsTakeLinearTime(t *testing.T) {
	for _, unit := range []string{" ", ",", "a,", `a;b="c",`, "a;b,", "\"", ";", "\\"} {
		value := strings.Repeat(unit, 65<<10/len(unit))
		opt := &HandshakeOptions{MaxHead: NoLimit}
		work := func(n int) int {
			h := freshServer(200<<10, opt)
			in := []byte(upgradeWith("", "Sec-WebSocket-Extensions: "+value[:n]+"\r\n"))
			calls := 0
			for len(in) > 0 {
				n, done, _ := h.Receive(in[:1])
				in = in[n:]
				if calls++; done {
					break
				}
			}
			return calls
		}
		assert.LessOrEqual(t, work(len(value)), 3*work(len(value)/2), unit)
	}
}
