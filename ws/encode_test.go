package ws

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newPair returns two open ends whose client has keys that can be foretold.
func newPair() (server, client *Codec) {
	server, client = new(Codec), new(Codec)
	server.Reset(Server, nil)
	client.Reset(Client, &Options{Keys: &Keys{Source: new(counter)}})
	return server, client
}

// Rules 53, 95, 96, 97: what one end encodes, the other decodes, in the shortest form.
func TestEncode_EverySizeArrives(t *testing.T) {
	server, client := newPair()
	dst := make([]byte, 70000)
	for _, size := range []int{0, 1, 7, 8, 16, 17, 124, 125, 126, 127, 128, 1000, 65535, 65536, 65537} {
		payload := pattern(size)
		for _, from := range []*Codec{client, server} {
			to := map[*Codec]*Codec{client: server, server: client}[from]
			n, err := from.Encode(dst, Binary, true, payload)
			require.NoError(t, err)
			require.Equal(t, int(FrameSize(from.Role(), uint64(size))), n)
			require.Equal(t, from == client, dst[1]&0x80 != 0)
			messages, err := decodeAll(t, to, dst[:n], 1<<20, 4)
			require.NoError(t, err)
			require.Len(t, messages, 1)
			require.True(t, bytes.Equal(payload, messages[0].Payload))
		}
	}
}

// Rule 95: no byte of the source is used twice, and a source that fails stops the frame.
func TestEncode_FreshKeyForEachFrame(t *testing.T) {
	_, client := newPair()
	seen := map[string]bool{}
	var dst [6]byte
	for i := 0; i < 64; i++ { // the counting source repeats after 256 bytes
		_, err := client.Encode(dst[:], Binary, true, nil)
		require.NoError(t, err)
		require.False(t, seen[string(dst[2:])])
		seen[string(dst[2:])] = true
	}
	for _, source := range []Keys{{Source: failing{}}, {Source: idle{}}} {
		keys := source
		client.Reset(Client, &Options{Keys: &keys})
		canary := [6]byte{1, 2, 3, 4, 5, 6}
		n, err := client.Encode(canary[:], Binary, true, nil)
		assert.Equal(t, ErrRandom, err)
		assert.Zero(t, n)
		assert.Equal(t, [6]byte{1, 2, 3, 4, 5, 6}, canary)
	}
	client.Reset(Client, nil) // crypto/rand
	a, b := [6]byte{}, [6]byte{}
	_, err := client.Encode(a[:], Binary, true, nil)
	require.NoError(t, err)
	_, err = client.Encode(b[:], Binary, true, nil)
	require.NoError(t, err)
	assert.NotEqual(t, a, b)
}

// Rules 23 and 98: too small a room changes nothing, says what is needed, and the retry is right.
func TestEncode_TooSmallRoomChangesNothing(t *testing.T) {
	for _, role := range []Role{Server, Client} {
		for _, size := range []int{0, 1, 125, 126, 1000} {
			want := int(FrameSize(role, uint64(size)))
			var c Codec
			c.Reset(role, &Options{Keys: &Keys{Source: new(counter)}})
			before := c
			for room := 0; room < want; room++ {
				dst := bytes.Repeat([]byte{0xEE}, want)
				n, err := c.Encode(dst[:room], Binary, true, pattern(size))
				require.Equal(t, ErrNoRoom, err)
				require.Equal(t, want, n)
				require.Equal(t, bytes.Repeat([]byte{0xEE}, want), dst)
				require.Equal(t, before, c)
			}
			n, err := c.Encode(make([]byte, want), Binary, true, pattern(size))
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
	}
	var c Codec
	c.Reset(Server, nil)
	n, err := c.Close(make([]byte, 3), CloseNormal, "bye")
	assert.Equal(t, ErrNoRoom, err)
	assert.Equal(t, 7, n)
	_, sent := c.SentClose()
	assert.False(t, sent)
	n, err = c.EncodeHeader(make([]byte, 3), Binary, true, 126)
	assert.Equal(t, ErrNoRoom, err)
	assert.Equal(t, 4, n)
	n, err = c.Reply(make([]byte, 3), Event{Kind: Ping}, []byte("ab"))
	assert.Equal(t, ErrNoRoom, err)
	assert.Equal(t, 4, n)
}

// Rule 102 and the leaks of others: all that is written is header and payload, and nothing beyond.
func TestEncode_WritesItsFrameAndNothingElse(t *testing.T) {
	for size := 0; size <= 300; size++ {
		for _, role := range []Role{Server, Client} {
			var c Codec
			c.Reset(role, &Options{Keys: &Keys{Source: new(counter)}})
			dst := bytes.Repeat([]byte{0xEE}, size+40)
			payload := pattern(size)
			n, err := c.Encode(dst, Binary, true, payload)
			require.NoError(t, err)
			require.Equal(t, bytes.Repeat([]byte{0xEE}, len(dst)-n), dst[n:])
			require.Equal(t, pattern(size), payload, "the payload is not changed")
			if role == Client {
				require.Equal(t, frame(0x82, []byte{1, 2, 3, 4}, payload), dst[:n])
			} else {
				require.Equal(t, frame(0x82, nil, payload), dst[:n])
			}
		}
	}
}

// Rules 70, 101: fragments get their opcodes, and control frames go between them.
func TestEncode_Fragments(t *testing.T) {
	var c Codec
	c.Reset(Server, nil)
	var out []byte
	send := func(op Opcode, fin bool, payload string) error {
		var dst [64]byte
		n, err := c.Encode(dst[:], op, fin, []byte(payload))
		out = append(out, dst[:n]...)
		return err
	}
	assert.Equal(t, ErrNoMessage, send(Continuation, true, "x"))
	require.NoError(t, send(Text, false, "a"))
	assert.Equal(t, ErrMessageOpen, send(Binary, true, "x"))
	require.NoError(t, send(Ping, true, "p"))
	require.NoError(t, send(Text, false, "b"))
	require.NoError(t, send(Continuation, false, ""))
	require.NoError(t, send(Text, true, "c"))
	require.NoError(t, send(Binary, true, "d"))
	assert.Equal(t, []byte("\x01\x01a\x89\x01p\x00\x01b\x00\x00\x80\x01c\x82\x01d"), out)
}

// Rules 82, 83, 100: what must not be sent is refused before anything is written.
func TestEncode_RefusesImpossibleArguments(t *testing.T) {
	var c Codec
	c.Reset(Server, nil)
	before := c
	dst := make([]byte, 300)
	for _, op := range []Opcode{Close, 3, 7, 11, 15, Handshake, 255} {
		_, err := c.Encode(dst, op, true, nil)
		assert.Equal(t, ErrOpcodeSend, err, "opcode %d", op)
		_, err = c.EncodeHeader(dst, op, true, 0)
		assert.Equal(t, ErrOpcodeSend, err, "opcode %d", op)
	}
	for _, op := range []Opcode{Ping, Pong} {
		_, err := c.Encode(dst, op, true, make([]byte, 126))
		assert.Equal(t, ErrControlSize, err)
		_, err = c.Encode(dst, op, false, nil)
		assert.Equal(t, ErrControlSize, err)
	}
	for code := 0; code < 65536; code++ {
		ok := code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999 || code == 0
		if !ok {
			_, err := c.Close(dst, CloseCode(code), "")
			require.Equal(t, ErrCodeSend, err, "code %d", code)
		}
	}
	for _, reason := range []string{strings.Repeat("x", 124), "\xFF", "abc\xE2\x82"} {
		_, err := c.Close(dst, CloseNormal, reason)
		assert.Equal(t, ErrReasonSend, err)
	}
	_, err := c.Close(dst, 0, "reason without a code")
	assert.Equal(t, ErrReasonSend, err)
	_, err = c.Reply(dst, Event{Kind: Ping}, make([]byte, 126))
	assert.Equal(t, ErrControlSize, err)
	_, err = c.EncodeHeader(dst, Binary, true, 1<<63)
	assert.Equal(t, ErrLengthTopBit, err)
	_, _, err = c.EncodeCompressed(dst, Text, true, nil)
	assert.Equal(t, ErrOpcodeSend, err, "no Deflater")
	assert.Equal(t, before, c)
	assert.Equal(t, make([]byte, 300), dst)
}

// Rule 99: one frame through any small buffers, and nothing between its parts.
func TestEncodeHeader_PayloadInPieces(t *testing.T) {
	for step := 1; step <= 20; step++ {
		server, client := newPair()
		payload := pattern(1000)
		dst := make([]byte, 20)
		n, err := client.EncodeHeader(dst, Binary, true, 1000)
		require.NoError(t, err)
		wire := bytes.Clone(dst[:n])
		for rest := payload; len(rest) > 0; {
			_, err = client.Encode(dst, Ping, true, nil)
			require.Equal(t, ErrFrameOpen, err)
			_, err = client.Close(dst, CloseNormal, "")
			require.Equal(t, ErrFrameOpen, err)
			n, err = client.EncodePayload(dst[:step], rest)
			require.NoError(t, err)
			wire = append(wire, dst[:n]...)
			rest = rest[n:]
		}
		require.Zero(t, client.Owed())
		n, err = client.EncodePayload(dst, payload)
		require.NoError(t, err)
		require.Zero(t, n, "nothing more is owed")
		messages, err := decodeAll(t, server, wire, 1<<20, 1)
		require.NoError(t, err)
		require.Equal(t, payload, messages[0].Payload)
	}
}

// A server that sends the payload itself counts it; more than is owed is refused.
func TestSent_CountsWhatIsOwed(t *testing.T) {
	server, client := newPair()
	dst := make([]byte, 14)
	_, err := server.EncodeHeader(dst, Text, true, 10)
	require.NoError(t, err)
	assert.Equal(t, ErrSentTooMuch, server.Sent(11))
	assert.NoError(t, server.Sent(4))
	assert.Equal(t, ErrSentTooMuch, server.Sent(7))
	assert.NoError(t, server.Sent(6))
	_, err = server.Encode(dst, Text, true, nil)
	assert.NoError(t, err)
	_, err = client.EncodeHeader(dst, Text, true, 10)
	require.NoError(t, err)
	assert.Equal(t, ErrSentTooMuch, client.Sent(1), "it was not masked")
}

// Rule 94: outgoing text, across fragments and pieces.
func TestEncode_CheckText(t *testing.T) {
	var c Codec
	opt := &Options{CheckText: true}
	dst := make([]byte, 64)
	c.Reset(Server, opt)
	_, err := c.Encode(dst, Text, true, []byte("\xE2\x82"))
	assert.Equal(t, ErrTextSend, err)
	_, err = c.Encode(dst, Text, false, []byte("\xE2\x82"))
	assert.NoError(t, err)
	_, err = c.Encode(dst, Text, true, []byte("x"))
	assert.Equal(t, ErrTextSend, err)
	_, err = c.Encode(dst, Continuation, true, []byte("\xAC"))
	assert.NoError(t, err)
	_, err = c.Encode(dst, Binary, true, []byte("\xFF"))
	assert.NoError(t, err)
	_, err = c.EncodeHeader(dst, Text, true, 3)
	assert.NoError(t, err)
	n, err := c.EncodePayload(dst, []byte("\xE2\x82"))
	assert.NoError(t, err)
	assert.Equal(t, 2, n)
	_, err = c.EncodePayload(dst, []byte("x"))
	assert.Equal(t, ErrTextSend, err)
	n, err = c.EncodePayload(dst, []byte("\xAC"))
	assert.NoError(t, err)
	assert.Equal(t, 1, n)
}

// Rule 71: what may still be said after a Close.
func TestEncode_AfterAClose(t *testing.T) {
	server, client := newPair()
	dst := make([]byte, 64)
	n, err := client.Close(dst, 0, "")
	require.NoError(t, err)
	_, err = client.Encode(dst[32:], Text, true, nil)
	assert.Equal(t, ErrCloseSent, err)
	_, err = client.Encode(dst[32:], Ping, true, nil)
	assert.Equal(t, ErrCloseSent, err)
	_, err = client.Reply(dst[32:], Event{Kind: Ping}, nil)
	assert.NoError(t, err, "a Ping is still answered")

	_, found, err := server.Decode(dst[:n], nil, make([]Event, 0, 1))
	require.NoError(t, err)
	require.Equal(t, CloseNoCode, found[0].Code)
	_, err = server.Encode(dst, Text, true, nil)
	assert.Equal(t, ErrCloseSeen, err)
	n, err = server.Reply(dst, Event{Kind: Ping}, nil)
	assert.NoError(t, err)
	assert.Zero(t, n, "no Pong behind the peer's Close")
	n, err = server.Reply(dst, found[0], nil)
	require.NoError(t, err)
	assert.Equal(t, []byte{0x88, 0}, dst[:n], "1005 is never sent: rule 79, 82")
	assert.True(t, server.Done())
	n, err = server.Reply(dst, found[0], nil)
	assert.NoError(t, err)
	assert.Zero(t, n, "once")
}

func TestMask_IsTheMaskingOfTheRFC(t *testing.T) {
	for phase := 0; phase < 9; phase++ {
		p := pattern(33)
		Mask(p, [4]byte(testKey), phase)
		for i, x := range pattern(33) {
			require.Equal(t, x^testKey[(i+phase)&3], p[i])
		}
	}
}
