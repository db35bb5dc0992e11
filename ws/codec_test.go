package ws

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCodec_FitsTheStatedMemory(t *testing.T) {
	assert.LessOrEqual(t, unsafe.Sizeof(Codec{}), uintptr(256))
	assert.LessOrEqual(t, unsafe.Sizeof(Session{}), uintptr(256))
	assert.Equal(t, uintptr(24), unsafe.Sizeof(Event{}), "the record that C and Python read")
}

func TestCodec_WithoutResetIsAnErrorAndNotAGuess(t *testing.T) {
	var zero, wrong Codec
	wrong.Reset(7, nil)
	for _, c := range []*Codec{&zero, &wrong} {
		buf := masked(0x81, []byte("hi"))
		n, events, err := c.Decode(buf, nil, make([]Event, 0, 4))
		assert.Equal(t, 0, n)
		assert.Empty(t, events)
		assert.Equal(t, ErrRole, err)
		_, err = c.Encode(buf, Text, true, nil)
		assert.Equal(t, ErrRole, err)
		_, err = c.Close(buf, CloseNormal, "")
		assert.Equal(t, ErrRole, err)
		_, err = c.EncodePayload(buf, buf)
		assert.Equal(t, ErrRole, err)
		assert.Equal(t, ErrRole, c.End())
	}
}

// Rule 84: the end of the transport means three things.
func TestCodec_EndTellsACleanCloseFromAnAbnormalOne(t *testing.T) {
	var c Codec
	c.Reset(Server, nil)
	assert.Equal(t, ErrNoClose, c.End())
	assert.True(t, errors.Is(c.End(), io.ErrUnexpectedEOF))

	_, err := decodeAll(t, &c, masked(0x88, []byte("\x03\xE8bye")), 1, 1)
	require.NoError(t, err)
	assert.NoError(t, c.End())
	code, reason, ok := c.PeerClose()
	assert.True(t, ok)
	assert.Equal(t, CloseNormal, code)
	assert.Equal(t, "bye", string(reason))

	c.Reset(Server, nil)
	_, err = decodeAll(t, &c, []byte{0x83, 0x80}, 9, 1)
	assert.Equal(t, ErrOpcode, err)
	assert.Equal(t, ErrOpcode, c.End())
}

// Rule 56 and promise 4: a failure is final, and says where and why.
func TestDecode_FailureIsStickyAndTeaches(t *testing.T) {
	stream := append(masked(0x82, pattern(5)), 0xC2, 0x85, 1, 2, 3, 4)
	for step := 1; step <= len(stream); step++ {
		var c Codec
		c.Reset(Server, nil)
		messages, err := decodeAll(t, &c, stream, step, 3)
		require.Len(t, messages, 1)
		require.Equal(t, ErrReservedBit1, err)
		f := c.Failure()
		assert.Equal(t, Failure{Err: ErrReservedBit1, Offset: 11, Header: [14]byte{0xC2}, HeaderLen: 1}, trimmed(f))
		n, events, err := c.Decode(masked(0x82, nil), nil, make([]Event, 0, 1))
		assert.Equal(t, 0, n)
		assert.Empty(t, events)
		assert.Equal(t, ErrReservedBit1, err)
		assert.Equal(t, f, c.Failure())
		_, err = c.Encode(make([]byte, 99), Binary, true, nil)
		assert.Equal(t, ErrFailed, err)
		var dst [9]byte
		n, err = c.Close(dst[:], f.Err.Code, "")
		require.NoError(t, err)
		assert.Equal(t, []byte{0x88, 2, 3, 0xEA}, dst[:n])
		_, err = c.Close(dst[:], f.Err.Code, "")
		assert.Equal(t, ErrCloseSent, err)
	}
}

// trimmed clears what lies behind HeaderLen.
func trimmed(f Failure) Failure {
	for i := int(f.HeaderLen); i < len(f.Header); i++ {
		f.Header[i] = 0
	}
	return f
}

// Promise 3: the only reasons to hand input back.
func TestDecode_HandsBackInputOnlyForWantOfRoom(t *testing.T) {
	var c Codec
	c.Reset(Server, nil)
	stream := bytes.Repeat(masked(0x82, pattern(3)), 5)
	buf := bytes.Clone(stream)
	n, events, err := c.Decode(buf, nil, make([]Event, 0, 2))
	require.NoError(t, err)
	assert.Len(t, events, 2)
	assert.Equal(t, 2*9, n)
	n, _, err = c.Decode(buf[n:], nil, events)
	assert.Equal(t, 0, n)
	assert.Equal(t, ErrNoRoom, err)
	n, events, err = c.Decode(nil, nil, events)
	assert.Equal(t, 0, n)
	assert.Len(t, events, 2)
	assert.NoError(t, err, "nothing to eat needs no room")

	// Two control frames, both split by the input, in one call.
	c.Reset(Server, nil)
	ping := masked(0x89, []byte("abcdef"))
	two := append(bytes.Clone(ping), ping...)
	buf = bytes.Clone(two)
	n, events, err = c.Decode(buf[:8], nil, make([]Event, 0, 8))
	require.NoError(t, err)
	require.Equal(t, 8, n)
	require.Empty(t, events)
	n, events, err = c.Decode(buf[8:21], nil, events)
	require.NoError(t, err)
	assert.Equal(t, 4+6, n, "up to the payload that has no place")
	require.Len(t, events, 1)
	assert.Equal(t, "abcdef", string(c.Payload(events[0], buf[8:21], nil)))
	n, events, err = c.Decode(buf[18:], nil, events[:0])
	require.NoError(t, err)
	assert.Equal(t, 6, n)
	assert.Equal(t, "abcdef", string(c.Payload(events[0], buf[18:], nil)))
}

// Promise 3: an empty Close behind a Ping that the input had split is not eaten without a word.
func TestDecode_EmptyCloseBehindASplitPing(t *testing.T) {
	var c Codec
	c.Reset(Client, nil)
	_, _, err := c.Decode([]byte{0x89, 2, 'a'}, nil, make([]Event, 0, 8))
	require.NoError(t, err)
	buf := []byte{'b', 0x88, 0}
	n, found, err := c.Decode(buf, nil, make([]Event, 0, 8))
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	require.Len(t, found, 2)
	assert.Equal(t, "ab", string(c.Payload(found[0], buf, nil)))
	assert.Equal(t, CloseNoCode, found[1].Code)
	assert.NoError(t, c.End())
}

// FIN is known from a frame's first piece on, so that a relay can keep the framing.
func TestDecode_FinalIsKnownFromTheFirstPiece(t *testing.T) {
	for _, first := range []byte{0x82, 0x02} {
		for _, n := range []int{10, 200} {
			stream := masked(first, pattern(n))
			var c Codec
			c.Reset(Server, nil)
			_, found, err := c.Decode(stream[:len(stream)-3], nil, make([]Event, 0, 4))
			require.NoError(t, err)
			require.Len(t, found, 1)
			assert.Equal(t, first == 0x82, found[0].Is(Final))
			assert.Equal(t, n, int(found[0].Length)+int(found[0].Left))
		}
	}
}

// Hostile inputs: a length of 2^40 declared, one byte sent.
func TestDecode_DeclaredLengthCostsNothing(t *testing.T) {
	head := []byte{0x82, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5}
	var c Codec
	buf := make([]byte, len(head))
	events := make([]Event, 0, 2)
	opt := &Options{MaxFrame: NoLimit, MaxMessage: NoLimit}
	assert.Zero(t, testing.AllocsPerRun(10, func() {
		copy(buf, head)
		c.Reset(Server, opt)
		n, found, err := c.Decode(buf, nil, events)
		if n != len(buf) || len(found) != 1 || err != nil || found[0].Left != 1<<40-1 {
			panic("wrong")
		}
	}))
	c.Reset(Server, nil)
	_, err := decodeAll(t, &c, head, 3, 1)
	assert.Equal(t, ErrFrameTooBig, err)
	assert.Equal(t, uint64(9), c.Failure().Offset)
}

// Hostile inputs: a limit of 0 is the default, not nothing.
func TestDecode_LimitsAreInclusive(t *testing.T) {
	for _, max := range []int64{1, 125, 126, 65535, 65536} {
		for _, opt := range []Options{{MaxFrame: max}, {MaxMessage: max}} {
			var c Codec
			c.Reset(Server, &opt)
			_, err := decodeAll(t, &c, masked(0x82, pattern(int(max))), 1<<20, 4)
			assert.NoError(t, err)
			_, err = decodeAll(t, &c, masked(0x82, pattern(int(max)+1)), 1<<20, 4)
			want := ErrFrameTooBig
			if opt.MaxFrame == 0 {
				want = ErrMessageTooBig
			}
			assert.Equal(t, want, err, "limit %d", max)
		}
	}
	var c Codec
	c.Reset(Server, nil)
	_, err := decodeAll(t, &c, masked(0x82, pattern(DefaultMaxFrame)), 1<<20, 4)
	assert.NoError(t, err)
	_, err = decodeAll(t, &c, masked(0x82, pattern(DefaultMaxFrame+1)), 1<<20, 4)
	assert.Equal(t, ErrFrameTooBig, err)
}

// Rule 64 and the fragment floods: constant memory, and no time lost, for ten million fragments of 0 or 1 byte.
func TestDecode_TenMillionFragments(t *testing.T) {
	var c Codec
	c.Reset(Server, nil)
	events := make([]Event, 0, 64)
	chunk := bytes.Repeat(append(masked(0x00, nil), masked(0x00, []byte{7})...), 1000)
	buf := make([]byte, len(chunk))
	first := masked(0x02, nil)
	_, _, err := c.Decode(first, nil, events)
	require.NoError(t, err)
	count, rounds := 0, 2500 // of 2,000 fragments; AllocsPerRun goes through them twice
	if testing.Short() {
		rounds = 100
	}
	allocs := testing.AllocsPerRun(1, func() {
		for i := 0; i < rounds; i++ {
			copy(buf, chunk)
			for rest := buf; len(rest) > 0; {
				n, found, err := c.Decode(rest, nil, events)
				if err != nil {
					panic(err)
				}
				count += len(found)
				rest = rest[n:]
			}
		}
	})
	assert.Zero(t, allocs)
	assert.Equal(t, rounds*2000*2, count)
}

// The batch loop and the general way must find the same, whatever the payload's size and the place in the buffer.
func TestDecode_ShortLoopAndGeneralWayAgree(t *testing.T) {
	texts := [][]byte{[]byte("ascii text that is long enough to be cut anywhere, and goes on for more than one hundred and twenty-five bytes, as it must be cut.")}
	texts = append(texts, []byte("κόσμε — ünïcödé — \U0001F600 — and so on, and on, and on, κόσμε — ünïcödé — \U0001F600 — and so on, and on, and on, and on."))
	for _, role := range []Role{Server, Client} {
		for n := 0; n <= 125; n++ {
			for _, first := range []byte{0x81, 0x82} {
				for _, text := range texts {
					payload := bytes.ToValidUTF8(text[:n], nil)
					f := frame(first, nil, payload)
					if role == Server {
						f = masked(first, payload)
					}
					stream := bytes.Repeat(f, 4)
					for _, step := range []int{1, len(stream) - 1, len(stream)} {
						var c Codec
						c.Reset(role, nil)
						messages, err := decodeAll(t, &c, stream, max(step, 1), 8)
						require.NoError(t, err)
						require.Len(t, messages, 4)
						for _, m := range messages {
							require.Equal(t, Opcode(first&15), m.Kind)
							require.Equal(t, string(payload), string(m.Payload))
						}
					}
				}
			}
		}
	}
}

// Rules 89 and 92, in the batch loop: a byte that is no UTF-8 is found at any place of a text of any length,
// with other frames behind it.
func TestDecode_ShortLoopSeesEveryImpossibleByte(t *testing.T) {
	behind := bytes.Repeat(masked(0x82, pattern(20)), 2)
	for n := 1; n <= 200; n++ {
		for at := 0; at < n; at++ {
			text := bytes.Repeat([]byte{'y'}, n)
			text[at] = 0xF8
			for _, key := range [][]byte{testKey, {0, 0, 0, 0}, {0xFF, 0x80, 0xFF, 0x80}} {
				f := frame(0x81, key, text)
				var c Codec
				c.Reset(Server, nil)
				_, err := decodeAll(t, &c, append(append(bytes.Clone(behind), f...), behind...), 1<<20, 8)
				require.Equal(t, ErrUTF8, err, "byte %d of %d", at, n)
				require.Equal(t, uint64(len(behind)+len(f)-n+at), c.Failure().Offset)
			}
		}
	}
}

// Bytes outside of what was eaten are never changed, nor is anything beyond the slice.
func TestDecode_WritesOnlyWhereItEats(t *testing.T) {
	for n := 0; n <= 40; n++ {
		for cut := 1; cut < 8; cut++ {
			whole := append(masked(0x82, pattern(n)), masked(0x81, pattern(200))[:cut]...)
			backing := append(bytes.Clone(whole), 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE)
			backing = append(backing, bytes.Repeat([]byte{0xEE}, 64)...)
			var c Codec
			c.Reset(Server, nil)
			_, _, err := c.Decode(backing[:len(whole)], nil, make([]Event, 0, 4))
			require.NoError(t, err)
			require.Equal(t, bytes.Repeat([]byte{0xEE}, 72), backing[len(whole):])
			require.Equal(t, pattern(n), backing[6:6+n])
			require.Equal(t, whole[6+n:], backing[6+n:len(whole)])
		}
	}
}

func TestPayload_OfAForeignEventIsNil(t *testing.T) {
	var c Codec
	c.Reset(Server, nil)
	assert.Nil(t, c.Payload(Event{Start: 3, Length: 9}, make([]byte, 4), nil))
	assert.Nil(t, c.Payload(Event{Start: 1<<64 - 1, Length: 9}, make([]byte, 4), nil))
	assert.Nil(t, c.Payload(Event{Length: 126, Flags: Kept}, nil, nil))
	assert.Nil(t, c.Payload(Event{Length: 1, Flags: InOut}, make([]byte, 4), nil))
}

// Promise 1: nothing is allocated, on no path.
func TestCodec_AllocatesNothing(t *testing.T) {
	var stream []byte
	for _, f := range [][]byte{
		masked(0x81, []byte("hello")), masked(0x82, pattern(300)), masked(0x01, []byte("\xCE")), masked(0x89, pattern(125)),
		masked(0x80, []byte("\xBA")), masked(0x8A, nil), masked(0x82, pattern(70000)), masked(0x88, []byte("\x03\xE8bye")),
		{1, 2, 3},
	} {
		stream = append(stream, f...)
	}
	bad := append(masked(0x81, []byte("ab\xFFcd")), 1, 2, 3)
	buf, dst := make([]byte, len(stream)), make([]byte, 80000)
	events := make([]Event, 0, 4)
	var c, client Codec
	keys := Keys{Source: new(counter)}
	opt := &Options{Keys: &keys, CheckText: true}
	allocs := testing.AllocsPerRun(20, func() {
		for _, step := range []int{1 << 20, 7, 1} {
			c.Reset(Server, nil)
			copy(buf, stream)
			for rest := buf; len(rest) > 0; {
				piece := rest[:min(step, len(rest))]
				n, found, err := c.Decode(piece, nil, events)
				if err != nil {
					panic(err)
				}
				for _, e := range found {
					if _, err := c.Reply(dst, e, c.Payload(e, piece, nil)); err != nil {
						panic(err)
					}
				}
				rest = rest[n:]
			}
			c.Reset(Server, nil)
			n := copy(buf, bad)
			for rest := buf[:n]; len(rest) > 0; {
				n, _, err := c.Decode(rest[:min(step, len(rest))], nil, events)
				if err != nil {
					break
				}
				rest = rest[n:]
			}
			if c.Failure().Err != ErrUTF8 || c.Failure().Offset != 8 || c.Failure().Err.Error() == "" {
				panic("no failure")
			}
		}
		client.Reset(Client, opt)
		for _, n := range []int{0, 125, 126, 65536} {
			_, err := client.Encode(dst, Binary, true, buf[:n])
			if err != nil {
				panic(err)
			}
		}
		_, _ = client.Encode(dst[:3], Text, true, buf)
		_, _ = client.Encode(dst, Text, true, bad)
		_, _ = client.Encode(dst, Ping, true, buf)
		_, _ = client.EncodeHeader(dst, Text, true, 10)
		_, _ = client.EncodePayload(dst, stream[6:16])
		_, _ = client.Close(dst, 1005, "")
		_, _ = client.Close(dst, CloseNormal, "a reason")
	})
	assert.Zero(t, allocs)
}
