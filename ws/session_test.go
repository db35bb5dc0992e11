package ws

import (
	"bytes"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// end is a Session with its Output, and what it has received.
type end struct {
	Session
	output Output
	memory []byte
	got    []Message
	err    error
}

func newEnd(role Role, room int, opt Options) *end {
	e := &end{memory: make([]byte, 1<<17)}
	opt.Keys = &Keys{Source: new(counter)}
	e.output.Reset(make([]byte, room))
	e.Reset(role, &opt, &e.output)
	return e
}

// feed gives in to Next until all is eaten, and keeps what it finds.
func (e *end) feed(t *testing.T, in []byte) {
	t.Helper()
	in = bytes.Clone(in)
	for {
		n, m, err := e.Next(in, e.memory)
		if m.Kind != 0 {
			e.got = append(e.got, Message{m.Kind, m.Code, bytes.Clone(m.Payload)})
		}
		in = in[n:]
		if err != nil {
			e.err = err
			return
		}
		if len(in) == 0 {
			return
		}
		require.True(t, n > 0 || m.Kind != 0, "no progress")
	}
}

// take takes up to most bytes of what is pending.
func (e *end) take(t *testing.T, most int) []byte {
	t.Helper()
	p := e.Pending()
	p = bytes.Clone(p[:min(most, len(p))])
	require.NoError(t, e.Sent(len(p)))
	return p
}

// drain takes all that is pending.
func (e *end) drain(t *testing.T) (wire []byte) {
	t.Helper()
	for {
		p := e.take(t, 1<<20)
		if len(p) == 0 {
			return wire
		}
		wire = append(wire, p...)
	}
}

// Promise 2: the message layer emits anything through any room of one byte or more, and takes it in through any
// other.
func TestSession_AnyRoomOfOneByteOrMore(t *testing.T) {
	messages := []Message{
		{Kind: Text, Payload: []byte("hello")},
		{Kind: Binary, Payload: pattern(1000)},
		{Kind: Ping, Payload: pattern(125)},
		{Kind: Text, Payload: []byte{}},
		{Kind: Ping, Payload: []byte{}},
		{Kind: Binary, Payload: pattern(70000)},
		{Kind: Pong, Payload: []byte("unsolicited")},
		{Kind: Close, Code: CloseNormal, Payload: []byte("\x03\xE8bye")},
	}
	for _, room := range []int{1, 2, 3, 7, 14, 31, 32, 33, 64, 130, 131, 132, 1000, 4096, 100000} {
		for _, step := range []int{1, 5, 1 << 20} {
			if step == 1 && room > 132 {
				continue
			}
			messages[5].Payload = pattern(70000)
			if room < 1000 || step < 10 {
				messages[5].Payload = pattern(3000)
			}
			for _, role := range []Role{Server, Client} {
				from, to := newEnd(role, room, Options{}), newEnd(3-role, 1, Options{})
				var pongs []Message
				for _, m := range messages {
					rest := m.Payload
					for {
						var n int
						var err error
						switch m.Kind {
						case Ping:
							err = from.Ping(rest)
						case Pong:
							err = from.Pong(rest)
						case Close:
							err = from.Close(m.Code, string(rest[2:]))
						default:
							n, err = from.Send(m.Kind, true, rest)
						}
						rest = rest[n:]
						for wire := from.take(t, step); len(wire) > 0; wire = from.take(t, step) {
							to.feed(t, wire)
							require.NoError(t, to.err)
							from.feed(t, to.drain(t))
						}
						if err == nil {
							break
						}
						require.Equal(t, ErrNoRoom, err, "room %d", room)
					}
					if m.Kind == Ping {
						pongs = append(pongs, Message{Kind: Pong, Payload: m.Payload})
					}
				}
				same(t, messages, to.got)
				pongs = append(pongs, messages[len(messages)-1])
				pongs[len(pongs)-1].Payload = pongs[len(pongs)-1].Payload[:2] // rule 79: the code, once
				same(t, pongs, from.got)
				require.Equal(t, StateClosed, from.State())
				require.Equal(t, StateClosed, to.State())
				require.NoError(t, from.End())
			}
		}
	}
}

func same(t *testing.T, want, got []Message) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i].Kind, got[i].Kind)
		require.Equal(t, want[i].Code, got[i].Code)
		require.True(t, bytes.Equal(want[i].Payload, got[i].Payload), "message %d", i)
	}
}

// Rule 68 and the Ping floods: a million Pings while the output is blocked leave one Pong, the newest.
func TestSession_MillionPingsWhileOutputIsBlocked(t *testing.T) {
	last := 499_999 // and AllocsPerRun runs it twice
	if testing.Short() {
		last = 19_999
	}
	for _, room := range []int{1, 40, 400} {
		s := newEnd(Server, room, Options{})
		var ping [6 + 8]byte
		events := make([]Event, 0, 1)
		allocs := testing.AllocsPerRun(1, func() {
			for i := 0; i <= last; i++ {
				copy(ping[:], []byte{0x89, 0x88, 0, 0, 0, 0, byte(i >> 16), byte(i >> 8), byte(i), 4, 5, 6, 7, 8})
				for _, part := range [][]byte{ping[:9], ping[9:]} {
					if n, _, err := s.Receive(part, nil, events); n != len(part) || err != nil {
						panic("wrong")
					}
				}
			}
		})
		assert.Zero(t, allocs)
		wire := s.drain(t)
		assert.Less(t, len(wire), room+MaxControlFrameSize+127)
		newest := []byte{0x8A, 8, byte(last >> 16), byte(last >> 8), byte(last), 4, 5, 6, 7, 8}
		assert.Equal(t, newest, wire[len(wire)-10:])
		assert.True(t, s.output.Empty())
	}
}

// Rule 67: a Ping in pieces gives one Pong; rule 66: with the same payload.
func TestSession_PingInPiecesGivesOnePong(t *testing.T) {
	s := newEnd(Server, 200, Options{})
	for _, b := range masked(0x89, pattern(125)) {
		s.feed(t, []byte{b})
	}
	assert.Equal(t, frame(0x8A, nil, pattern(125)), s.drain(t))
}

// Rules 71 and 80: nothing is answered behind the peer's Close, and what follows it is dropped.
func TestSession_BehindThePeersClose(t *testing.T) {
	s := newEnd(Server, 200, Options{})
	s.feed(t, append(masked(0x88, []byte("\x03\xE9")), masked(0x89, nil)...))
	s.feed(t, masked(0x81, []byte("late")))
	s.feed(t, []byte{0xFF, 0xFF})
	require.NoError(t, s.err)
	require.Len(t, s.got, 1)
	assert.Equal(t, CloseGoingAway, s.got[0].Code)
	assert.Equal(t, []byte{0x88, 2, 3, 0xE9}, s.drain(t))
	assert.Equal(t, StateClosed, s.State())
	_, err := s.Send(Text, true, nil)
	assert.Equal(t, ErrCloseSeen, err)
	assert.Equal(t, ErrCloseSent, s.Close(CloseNormal, ""))
}

// Rule 81: after our Close the peer's data is still delivered, its Pings answered; crossing closes finish both
// sides.
func TestSession_AfterOurClose(t *testing.T) {
	s := newEnd(Server, 200, Options{})
	require.NoError(t, s.Close(3000, "going"))
	assert.Equal(t, StateClosing, s.State())
	assert.Equal(t, ErrCloseSent, s.Close(3000, "going"))
	_, err := s.Send(Text, true, nil)
	assert.Equal(t, ErrCloseSent, err)
	assert.Equal(t, ErrCloseSent, s.Ping(nil))
	s.feed(t, masked(0x81, []byte("late")))
	s.feed(t, masked(0x89, []byte("p")))
	s.feed(t, masked(0x88, nil))
	require.NoError(t, s.err)
	require.Len(t, s.got, 3)
	assert.Equal(t, []byte("\x88\x07\x0B\xB8going\x8A\x01p"), s.drain(t))
	assert.Equal(t, StateClosed, s.State())
	assert.NoError(t, s.End())
}

// Rule 85, first half: the side that finds a violation sends its Close and nothing else.
func TestSession_ViolationQueuesOneClose(t *testing.T) {
	for _, room := range []int{1, 3, 200} {
		s := newEnd(Client, room, Options{})
		s.feed(t, frame(0x81, nil, []byte("ok")))
		s.feed(t, frame(0x81, nil, []byte("\xC0")))
		require.Equal(t, ErrUTF8, s.err)
		s.feed(t, frame(0x81, nil, []byte("more")))
		require.Equal(t, ErrUTF8, s.err)
		assert.Len(t, s.got, 1)
		assert.Equal(t, StateFailed, s.State())
		assert.Equal(t, uint64(6), s.Failure().Offset)
		_, err := s.Send(Text, true, nil)
		assert.Equal(t, ErrFailed, err)
		assert.Equal(t, ErrFailed, s.Ping(nil))
		assert.Equal(t, ErrFailed, s.Close(CloseNormal, ""))
		peer := newEnd(Server, 99, Options{})
		peer.feed(t, s.drain(t))
		require.Len(t, peer.got, 1)
		assert.Equal(t, CloseInvalidPayload, peer.got[0].Code)
		assert.Equal(t, ErrUTF8, s.End())
	}
}

// A batch ends before the last frame of a connection, so that what came before it can be answered, whatever the
// pieces.
func TestSession_BatchLeavesTheLastFrameForTheNextCall(t *testing.T) {
	good := append(masked(0x81, []byte("one")), masked(0x82, []byte("two"))...)
	long := append(bytes.Repeat([]byte("a"), 30), 0xFF, 'b', 'c')
	for name, last := range map[string][]byte{
		"close":           masked(0x88, []byte("\x03\xE8")),
		"reserved bit":    masked(0xA1, nil),
		"unmasked":        frame(0x81, nil, []byte("x")),
		"long length":     {0x81, 0xFE, 0, 5, 1, 2, 3, 4},
		"not UTF-8":       masked(0x81, long),
		"cut code point":  masked(0x81, []byte("abc\xE2\x82")),
		"not UTF-8, open": masked(0x01, long),
		"bad close":       masked(0x88, []byte("\x00\x01")),
	} {
		stream := append(append([]byte{}, good...), last...)
		for _, in := range [][]byte{stream, stream[:len(stream)-1]} {
			if len(in) < len(stream) && name != "not UTF-8" && name != "not UTF-8, open" {
				continue
			}
			s := newEnd(Server, 400, Options{})
			in = bytes.Clone(in)
			events := make([]Event, 0, 16)
			n, found, err := s.Receive(in, nil, events)
			require.NoError(t, err, name)
			require.Len(t, found, 2, name)
			require.Equal(t, len(good), n, name)
			require.Equal(t, stream[len(good):len(in)], in[len(good):], "%s: unchanged", name)
			for _, e := range found {
				_, err = s.Send(e.Kind, true, s.Payload(e, in, nil))
				require.NoError(t, err, name)
			}
			_, found, err = s.Receive(in[n:], nil, events[:0])
			want := traceOf(t, Server, nil, stream[:len(in)], []byte{0}, 1)
			require.Equal(t, want.failure, trimmed(s.Failure()), name)
			if name == "close" {
				require.NoError(t, err)
				require.Len(t, found, 1)
			} else {
				require.Equal(t, want.failure.Err, err, name)
			}
			wire := s.drain(t)
			require.Equal(t, "\x81\x03one\x82\x03two\x88\x02", string(wire[:12]), name)
		}
	}
}

// A Close that falls into a frame that is being sent waits for its end.
func TestSession_CloseWaitsForTheFrameInProgress(t *testing.T) {
	s := newEnd(Server, 4, Options{})
	n, err := s.Send(Binary, true, pattern(50))
	require.Equal(t, ErrNoRoom, err)
	wire := s.take(t, 4)
	s.feed(t, masked(0x88, []byte("\x03\xE8")))
	for rest := pattern(50)[n:]; len(rest) > 0; {
		n, err = s.Send(Binary, true, rest)
		rest = rest[n:]
		wire = append(wire, s.take(t, 4)...)
	}
	require.NoError(t, err)
	wire = append(wire, s.drain(t)...)
	assert.Equal(t, append(frame(0x82, nil, pattern(50)), 0x88, 2, 3, 0xE8), wire)
}

// Rule 83: a reason is cut where a code point ends.
func TestSession_CloseCutsTheReason(t *testing.T) {
	for _, c := range []struct {
		reason string
		want   int
	}{
		{strings.Repeat("a", 123), 123},
		{strings.Repeat("a", 200), 123},
		{strings.Repeat("\u00e9", 100), 122},
		{"a" + strings.Repeat("\u00e9", 100), 123},
		{strings.Repeat("\u20ac", 50), 123},
		{strings.Repeat("\U0001F600", 40), 120},
		{"ab" + strings.Repeat("\U0001F600", 40), 122},
	} {
		s := newEnd(Server, 200, Options{})
		require.NoError(t, s.Close(CloseNormal, c.reason))
		assert.Equal(t, c.reason[:c.want], string(s.drain(t)[4:]))
	}
	s := newEnd(Server, 200, Options{})
	assert.Equal(t, ErrReasonSend, s.Close(CloseNormal, "\xFF"))
	assert.Equal(t, ErrCodeSend, s.Close(1005, ""))
	assert.Equal(t, StateOpen, s.State())
}

func TestSession_ManualAnswers(t *testing.T) {
	s := newEnd(Server, 200, Options{ManualPong: true, ManualClose: true})
	s.feed(t, masked(0x89, []byte("p")))
	s.feed(t, masked(0x88, []byte("\x0F\xA0")))
	assert.Empty(t, s.drain(t))
	assert.Equal(t, StateClosing, s.State())
	assert.Equal(t, ErrCloseSeen, s.Pong([]byte("p")))
	require.NoError(t, s.Close(3001, "mine"))
	assert.Equal(t, []byte("\x88\x06\x0B\xB9mine"), s.drain(t))
	assert.Equal(t, StateClosed, s.State())
}

// Rule 48: the memory bounds the message, wherever it lies, and any split says the same.
func TestSession_NextIsBoundedByItsMemory(t *testing.T) {
	stream := append(masked(0x01, pattern(6)), masked(0x80, pattern(5))...)
	for i := range stream[6:12] { // ASCII under the mask
		stream[6+i] = 'a' ^ testKey[i&3]
	}
	for i := range stream[18:23] {
		stream[18+i] = 'b' ^ testKey[i&3]
	}
	for step := 1; step <= len(stream); step++ {
		for size := 5; size <= 12; size++ {
			s := newEnd(Server, 200, Options{})
			s.memory = s.memory[:size]
			for rest := stream; len(rest) > 0 && s.err == nil; rest = rest[min(step, len(rest)):] {
				s.feed(t, rest[:min(step, len(rest))])
			}
			switch {
			case size < 6:
				require.Equal(t, ErrMessageMemory, s.err)
				require.Equal(t, uint64(1), s.Failure().Offset)
			case size < 11:
				require.Equal(t, ErrMessageMemory, s.err)
				require.Equal(t, uint64(13), s.Failure().Offset)
			default:
				require.NoError(t, s.err)
				require.Equal(t, "aaaaaabbbbb", string(s.got[0].Payload))
			}
			if size < 11 {
				require.Equal(t, []byte{0x88, 2, 3, 0xF1}, s.drain(t))
			}
		}
	}
}

// Memory that shrinks within a message is an error and no panic; with the right memory the message goes on.
func TestSession_NextWithLessMemoryThanBefore(t *testing.T) {
	s := newEnd(Server, 200, Options{})
	s.memory = s.memory[:100]
	s.feed(t, masked(0x02, pattern(50)))
	n, m, err := s.Next(masked(0x00, pattern(4)), s.memory[:10])
	assert.Equal(t, error(ErrNoRoom), err)
	assert.Zero(t, n)
	assert.Zero(t, m.Kind)
	s.feed(t, masked(0x80, pattern(4)))
	require.Len(t, s.got, 1)
	assert.Equal(t, append(pattern(50), pattern(4)...), s.got[0].Payload)

	var none Output
	assert.NoError(t, none.Move(nil))
}

// A frame in progress is named as what stands in the way of a Close.
func TestSession_CloseWithinAFrame(t *testing.T) {
	s := newEnd(Server, 4, Options{})
	_, err := s.Send(Binary, true, pattern(50))
	require.Equal(t, error(ErrNoRoom), err)
	s.feed(t, masked(0x89, nil))
	s.drain(t)
	assert.Equal(t, error(ErrFrameOpen), s.Close(CloseNormal, ""))
}

// A random source that fails for once delays an answer, and does not lose it.
func TestSession_AnswersAfterThePassingFailureOfTheSource(t *testing.T) {
	var s Session
	var o Output
	o.Reset(make([]byte, 200))
	keys := &Keys{Source: failing{}}
	s.Reset(Client, &Options{Keys: keys}, &o)
	_, found, err := s.Receive([]byte{0x88, 2, 3, 0xE8}, nil, make([]Event, 0, 2))
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Empty(t, s.Pending())
	keys.Source = new(counter)
	assert.Equal(t, frame(0x88, []byte{1, 2, 3, 4}, []byte{3, 0xE8}), s.Pending())
}

// Output: what waits moves whole to another, and a wrong count is refused.
func TestOutput_MoveAndSent(t *testing.T) {
	s := newEnd(Server, 3, Options{})
	require.NoError(t, s.Ping(pattern(100)))
	s.feed(t, masked(0x89, []byte("x")))
	assert.Equal(t, ErrSentTooMuch, s.Sent(4))
	assert.Equal(t, ErrSentTooMuch, s.Sent(-1))
	wire := s.take(t, 2)
	var private Output
	private.Reset(make([]byte, 2))
	assert.Equal(t, ErrNoRoom, private.Move(&s.output))
	private.Reset(make([]byte, 50))
	require.NoError(t, private.Move(&s.output))
	assert.True(t, s.output.Empty())
	s.SetOutput(&private)
	wire = append(wire, s.drain(t)...)
	assert.Equal(t, append(frame(0x89, nil, pattern(100)), 0x8A, 1, 'x'), wire)
	assert.Equal(t, ErrNoRoom, func() error {
		_ = s.Ping(nil)
		return private.Move(&s.output)
	}(), "not empty")
}

func TestSession_MisuseIsAnError(t *testing.T) {
	var s Session
	_, _, err := s.Receive([]byte{1}, nil, make([]Event, 0, 1))
	assert.Equal(t, ErrRole, err)
	_, err = s.Send(Text, true, nil)
	assert.Equal(t, ErrRole, err)
	assert.Equal(t, ErrRole, s.Close(CloseNormal, ""))
	assert.Equal(t, ErrRole, s.End())
	assert.Equal(t, ErrState, s.Accept(nil))
	assert.Equal(t, ErrState, s.Respond(nil))
	assert.Equal(t, ErrState, s.Sent(0))
	assert.Empty(t, s.Pending())
	s.Reset(Server, nil, nil)
	_, err = s.Send(Text, true, nil)
	assert.Equal(t, ErrState, err, "no Output")
	_, err = newEnd(Server, 9, Options{}).Send(Ping, true, nil)
	assert.Equal(t, ErrOpcodeSend, err)
	assert.Equal(t, ErrState, newEnd(Server, 9, Options{}).Accept(nil))
}

// A long talk with everything at random still says what was meant.
func TestSession_RandomTalk(t *testing.T) {
	const seed = 20260
	r := rand.New(rand.NewSource(seed))
	for round := 0; round < 60; round++ {
		a := newEnd(Client, 1+r.Intn(300), Options{})
		b := newEnd(Server, 1+r.Intn(300), Options{})
		var sent []Message
		for i := 0; i < 30; i++ {
			m := Message{Kind: Binary, Payload: pattern(r.Intn(700))}
			if r.Intn(4) == 0 {
				m = Message{Kind: Ping, Payload: pattern(r.Intn(126))}
			}
			rest := m.Payload
			for err := error(ErrNoRoom); err != nil; {
				if m.Kind == Ping {
					err = a.Ping(m.Payload)
				} else {
					var n int
					cut := r.Intn(len(rest) + 1)
					fin := cut == len(rest)
					n, err = a.Send(Binary, fin, rest[:cut])
					rest = rest[n:]
					if err == nil && !fin {
						err = ErrNoRoom
					}
				}
				require.True(t, err == nil || err == ErrNoRoom, "seed %d: %v", seed, err)
				b.feed(t, a.take(t, 1+r.Intn(100)))
				a.feed(t, b.take(t, 1+r.Intn(100)))
			}
			sent = append(sent, m)
		}
		for wire := a.take(t, 50); len(wire) > 0; wire = a.take(t, 50) {
			b.feed(t, wire)
		}
		a.feed(t, b.drain(t))
		require.NoError(t, a.err)
		require.NoError(t, b.err)
		same(t, sent, b.got)
	}
}
