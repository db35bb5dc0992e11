package ws

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errTimeout = errors.New("time-out")

// transport plays a peer: it gives what it was told, in pieces, and keeps what it is given. Every stutter-th
// call moves nothing and fails with a time-out, or moves only a part.
type transport struct {
	in             []byte
	out            bytes.Buffer
	step, stutter  int
	calls, closed  int
	dropped        bool // nothing is kept
	endless, quiet bool // in repeats for ever; in is empty but not at its end
	endlessAt      int
}

func (t *transport) fails() bool {
	t.calls++
	return t.stutter > 0 && t.calls%t.stutter == 0
}

func (t *transport) Read(p []byte) (int, error) {
	if t.fails() {
		return 0, errTimeout
	}
	if len(t.in) == 0 && t.quiet {
		return 0, errTimeout
	}
	if len(t.in) == 0 {
		return 0, io.EOF
	}
	if t.step > 0 {
		p = p[:min(len(p), t.step)]
	}
	if t.endless {
		n := copy(p, t.in[t.endlessAt:])
		t.endlessAt = (t.endlessAt + n) % len(t.in)
		return n, nil
	}
	n := copy(p, t.in)
	t.in = t.in[n:]
	return n, nil
}

func (t *transport) Write(p []byte) (int, error) {
	if t.fails() {
		n := len(p) / 2
		t.out.Write(p[:n])
		return n, errTimeout
	}
	if !t.dropped {
		t.out.Write(p)
	}
	return len(p), nil
}

func (t *transport) CloseWrite() error {
	t.closed++
	return nil
}

func small(size int) Buffers {
	return Buffers{Read: make([]byte, size), Write: make([]byte, size), Message: make([]byte, 300)}
}

// Promise 2, and the number of the issue: a message of 16 MiB is echoed through 32-byte buffers, with Pings of
// 125 bytes in between, and nothing is allocated.
func TestConn_Echoes16MiBThrough32Bytes(t *testing.T) {
	size := 16 << 20
	if testing.Short() {
		size = 1 << 20
	}
	one := bytes.Join([][]byte{masked(0x00, pattern(1024)), masked(0x89, pattern(125))}, nil)
	var c Conn
	buffers := Buffers{Read: make([]byte, 32), Write: make([]byte, 32), Message: make([]byte, 32)}
	opt := &Options{MaxMessage: int64(size)}
	first, last := masked(0x02, nil), masked(0x80, nil)
	var p player
	allocs := testing.AllocsPerRun(1, func() {
		p = player{first: first, again: one, times: size / 1024, last: last}
		p.check.Reset(Client, nil)
		c.Reset(&p, Server, buffers, 0, opt)
		total := 0
		for {
			e, payload, err := c.ReadPiece()
			if err != nil {
				panic(err)
			}
			total += len(payload)
			if n, err := c.WritePiece(e.Kind, e.Is(MessageEnd), payload); n != len(payload) || err != nil {
				panic(err)
			}
			if e.Is(MessageEnd) {
				break
			}
		}
		if total != size {
			panic("not all of it")
		}
	})
	assert.Zero(t, allocs)
	assert.Equal(t, size, p.echoed)
	assert.Equal(t, size/1024*125, p.pongs)
	assert.Equal(t, 1, p.messages)
}

// player is a peer that plays a long stream and checks what comes back, without memory of its own.
type player struct {
	first, again, last []byte
	times              int
	at                 int
	check              Codec
	buf                [64]byte
	events             [8]Event
	echoed, pongs      int
	messages           int
}

func (p *player) Read(b []byte) (int, error) {
	part := p.first
	switch {
	case len(p.first) > 0:
	case p.times > 0:
		part = p.again
	default:
		part = p.last
	}
	n := copy(b, part[p.at:])
	if p.at += n; p.at == len(part) {
		p.at = 0
		switch {
		case len(p.first) > 0:
			p.first = nil
		case p.times > 0:
			p.times--
		default:
			return n, io.EOF
		}
	}
	return n, nil
}

func (p *player) Write(b []byte) (int, error) {
	n := copy(p.buf[:], b)
	k, found, err := p.check.Decode(p.buf[:n], nil, p.events[:0])
	if err != nil || k != n {
		panic("the echo is broken")
	}
	for _, e := range found {
		if e.Kind == Pong {
			p.pongs += int(e.Length)
			continue
		}
		for _, x := range p.check.Payload(e, p.buf[:n], nil) {
			if i := p.echoed % 1024; x != byte(i*31+i>>8) {
				panic("the echo differs")
			}
			p.echoed++
		}
		if e.Is(MessageEnd) {
			p.messages++
		}
	}
	return n, nil
}

// Rule 99: short writes and time-outs are gone on with, and no byte is lost or sent twice.
func TestConn_GoesOnAfterTimeOuts(t *testing.T) {
	stream := bytes.Join([][]byte{
		masked(0x81, []byte("hello")), masked(0x89, pattern(125)), masked(0x82, pattern(300)), masked(0x88, []byte("\x03\xE8")),
	}, nil)
	for stutter := 2; stutter < 12; stutter++ {
		for _, size := range []int{1, 7, 32, 200, 1000} {
			tr := &transport{in: bytes.Clone(stream), stutter: stutter, step: 3}
			var c Conn
			c.Reset(tr, Server, small(size), 0, nil)
			for {
				kind, p, err := c.ReadMessage()
				if err == errTimeout {
					continue
				}
				if err == io.EOF {
					break
				}
				require.NoError(t, err)
				for {
					n, err := c.WriteMessage(kind, p)
					p = p[n:]
					if err == nil {
						break
					}
					require.Equal(t, errTimeout, err)
					if len(p) == 0 && n > 0 {
						for c.Flush() != nil {
						}
						break
					}
				}
			}
			for c.Flush() != nil {
			}
			got, err := decodeAll(t, opened(Client), tr.out.Bytes(), 1<<20, 9)
			require.NoError(t, err)
			var text string
			for _, m := range got {
				text += m.Kind.String() + string(m.Payload)
			}
			require.Equal(t, "texthellopong"+string(pattern(125))+"binary"+string(pattern(300))+"close\x03\xE8", text)
			require.NoError(t, c.Close(CloseNormal, ""))
		}
	}
}

func opened(role Role) *Codec {
	c := new(Codec)
	c.Reset(role, nil)
	return c
}

// Rules 72, 84: the three ends of a connection.
func TestConn_EndsAreTold(t *testing.T) {
	var c Conn
	c.Reset(&transport{in: masked(0x88, nil)}, Server, small(50), 0, nil)
	_, _, err := c.ReadMessage()
	assert.Equal(t, io.EOF, err)
	code, _, ok := c.Session().PeerClose()
	assert.True(t, ok)
	assert.Equal(t, CloseNoCode, code)
	assert.NoError(t, c.Close(CloseNormal, ""))

	c.Reset(&transport{in: masked(0x81, []byte("cut short"))[:8]}, Server, small(50), 0, nil)
	_, _, err = c.ReadMessage()
	assert.ErrorIs(t, err, ErrNoClose)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, _, err = c.ReadMessage()
	assert.ErrorIs(t, err, ErrNoClose, "again")

	var broken *Error
	tr := &transport{in: frame(0x81, nil, []byte("unmasked"))}
	c.Reset(tr, Server, small(50), 0, nil)
	_, _, err = c.ReadMessage()
	require.ErrorAs(t, err, &broken)
	assert.Equal(t, uint8(42), broken.Rule)
	assert.Equal(t, []byte{0x88, 2, 3, 0xEA}, tr.out.Bytes(), "rule 85: the failing side says why")
	assert.Equal(t, 1, tr.closed, "and stops writing")
	assert.ErrorIs(t, c.Close(CloseNormal, ""), ErrUnmasked)
	assert.Equal(t, 4, tr.out.Len())
	assert.Empty(t, tr.in, "and drains")
	_, err = c.WriteMessage(Text, nil)
	assert.ErrorIs(t, err, ErrUnmasked)
}

// Rule 85: the drain is bounded.
func TestConn_DrainIsBounded(t *testing.T) {
	for _, stream := range [][]byte{{0xFF, 0xFF}, masked(0x82, pattern(100))} {
		tr := &transport{in: stream, endless: true}
		var c Conn
		c.Reset(tr, Server, small(50), 0, &Options{MaxDrain: 5000})
		err := c.Close(CloseGoingAway, "")
		require.Error(t, err)
		assert.Less(t, tr.calls, 3000)
	}
}

// Rule 81: Close delivers nothing, but waits for the peer's Close behind data that is on its way.
func TestConn_CloseWaitsForThePeer(t *testing.T) {
	tr := &transport{in: bytes.Join([][]byte{masked(0x81, []byte("on its way")), masked(0x89, nil), masked(0x88, []byte("\x03\xE8"))}, nil), step: 5}
	var c Conn
	c.Reset(tr, Server, small(40), 0, nil)
	require.NoError(t, c.Close(CloseNormal, "bye"))
	assert.Equal(t, []byte("\x88\x05\x03\xE8bye\x8A\x00"), tr.out.Bytes())
	assert.NoError(t, c.Close(CloseNormal, "bye"), "again")
	_, _, err := c.ReadMessage()
	assert.Equal(t, io.EOF, err)
}

// Rule 85 and the resets that destroy: behind a clean close, too, what is on its way is read before the
// transport is given up.
func TestConn_CloseDrainsBehindThePeersClose(t *testing.T) {
	tr := &transport{in: append(masked(0x88, []byte("\x03\xE8")), pattern(20000)...)}
	var c Conn
	c.Reset(tr, Server, small(100), 0, nil)
	_, _, err := c.ReadMessage()
	require.Equal(t, io.EOF, err)
	require.NoError(t, c.Close(CloseNormal, ""))
	assert.Empty(t, tr.in)
	assert.Equal(t, 1, tr.closed)
	assert.Equal(t, []byte{0x88, 2, 3, 0xE8}, tr.out.Bytes())

	tr = &transport{in: append([]byte(upgradeRequest), pattern(20000)...)}
	var h ServerHandshake
	h.Reset(make([]byte, 200), nil)
	require.NoError(t, c.Serve(tr, &h, small(100), nil))
	require.NoError(t, c.Respond(&Response{Status: 404}))
	assert.Equal(t, io.EOF, c.NextRequest())
	require.NoError(t, c.Close(CloseNormal, ""))
	assert.Empty(t, tr.in)
}

func TestConn_NextShowsControlFrames(t *testing.T) {
	var c Conn
	c.Reset(&transport{in: bytes.Join([][]byte{masked(0x89, []byte("a")), masked(0x8A, []byte("b")), masked(0x81, []byte("c"))}, nil)}, Server, small(100), 0, nil)
	for _, want := range []Message{{Kind: Ping, Payload: []byte("a")}, {Kind: Pong, Payload: []byte("b")}, {Kind: Text, Payload: []byte("c")}} {
		m, err := c.Next()
		require.NoError(t, err)
		assert.Equal(t, want, m)
	}
}

// Rule 15: bytes behind the handshake of another are not lost.
func TestConn_EarlyBytesBehindAForeignHandshake(t *testing.T) {
	b := small(50)
	early := copy(b.Read, masked(0x81, []byte("early")))
	var c Conn
	c.Reset(&transport{}, Server, b, early, nil)
	_, p, err := c.ReadMessage()
	require.NoError(t, err)
	assert.Equal(t, "early", string(p))
}

const upgradeRequest = "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\n\r\n"

// Handshake, message and close through buffers of any size, with time-outs anywhere.
func TestConn_ServesThroughAnyBuffers(t *testing.T) {
	stream := upgradeRequest + string(masked(0x81, []byte("hello"))) + string(masked(0x88, []byte("\x03\xE8")))
	var want []byte
	for _, size := range []int{1000, 131, 32, 7, 1} {
		for _, stutter := range []int{0, 3, 4} {
			tr := &transport{in: []byte(stream), stutter: stutter}
			var h ServerHandshake
			h.Reset(make([]byte, 100), nil)
			var c Conn
			err := c.Serve(tr, &h, small(size), nil)
			for err == errTimeout {
				err = c.NextRequest()
			}
			require.NoError(t, err)
			require.Equal(t, "/chat", string(h.Path()))
			for err = errTimeout; err == errTimeout; {
				err = c.Accept(&Acceptance{Subprotocol: "chat"})
			}
			require.NoError(t, err)
			kind, p, err := c.ReadMessage()
			for err == errTimeout {
				kind, p, err = c.ReadMessage()
			}
			require.NoError(t, err)
			require.Equal(t, "hello", string(p))
			n, err := c.WriteMessage(kind, p)
			for p = p[n:]; err != nil && len(p) > 0; p = p[n:] {
				n, err = c.WriteMessage(kind, p)
			}
			for err = errTimeout; err == errTimeout; {
				err = c.Close(CloseNormal, "")
			}
			require.NoError(t, err)
			if size == 1000 && stutter == 0 {
				want = tr.out.Bytes()
			}
			if stutter == 0 {
				require.Equal(t, string(want), tr.out.String(), "buffers of %d", size)
			}
		}
	}
	assert.Contains(t, string(want), "Sec-WebSocket-Protocol: chat\r\n\r\n\x81\x05hello\x88\x02\x03\xE8")
}

func TestConn_PlainRequestThenUpgrade(t *testing.T) {
	tr := &transport{in: []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n" + upgradeRequest + string(masked(0x88, nil))), step: 9}
	var h ServerHandshake
	h.Reset(make([]byte, 200), nil)
	var c Conn
	require.NoError(t, c.Serve(tr, &h, small(16), nil))
	require.Equal(t, PlainRequest, h.Outcome())
	require.NoError(t, c.Respond(&Response{Status: 200, Body: []byte("a page")}))
	require.NoError(t, c.NextRequest())
	require.Equal(t, UpgradeRequested, h.Outcome())
	require.NoError(t, c.Accept(nil))
	_, _, err := c.ReadMessage()
	require.Equal(t, io.EOF, err)
	assert.Contains(t, tr.out.String(), "\r\n\r\na pageHTTP/1.1 101 ")
}

// Rule 20: whoever accepts every request leaves none without an answer.
func TestConn_AcceptAnswersAPlainRequest(t *testing.T) {
	tr := &transport{in: []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")}
	var h ServerHandshake
	h.Reset(make([]byte, 200), nil)
	var c Conn
	require.NoError(t, c.Serve(tr, &h, small(16), nil))
	assert.Equal(t, error(ErrPlainRequest), c.Accept(nil))
	assert.Contains(t, tr.out.String(), "HTTP/1.1 426 Upgrade Required\r\n")
	assert.Equal(t, io.EOF, c.NextRequest())
	assert.NoError(t, c.Close(CloseNormal, ""))
}

// A time-out while the response leaves: the same call again sends the rest, and once.
func TestConn_RespondGoesOnAfterATimeOut(t *testing.T) {
	for stutter := 2; stutter < 6; stutter++ {
		tr := &transport{in: []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n" + upgradeRequest), stutter: stutter}
		var h ServerHandshake
		h.Reset(make([]byte, 200), nil)
		var c Conn
		err := c.Serve(tr, &h, small(1000), nil)
		for err == errTimeout {
			err = c.NextRequest()
		}
		require.NoError(t, err)
		r := Response{Status: 200, Body: []byte("a page")}
		for err = errTimeout; err == errTimeout; {
			err = c.Respond(&r)
		}
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\na page", tr.out.String())
		for err = errTimeout; err == errTimeout; {
			err = c.NextRequest()
		}
		require.NoError(t, err)
		require.Equal(t, UpgradeRequested, h.Outcome())
	}
}

// Rule 85: whatever a peer sends while its Close is awaited, Close ends.
func TestConn_CloseIsBoundedAgainstAnyFlood(t *testing.T) {
	for name, f := range map[string][]byte{"pings": masked(0x89, nil), "pongs": masked(0x8A, pattern(100)), "empty data": masked(0x82, nil)} {
		tr := &transport{in: f, endless: true, dropped: true}
		var c Conn
		c.Reset(tr, Server, small(50), 0, &Options{MaxDrain: 5000})
		assert.Equal(t, error(ErrDrain), c.Close(CloseNormal, ""), name)
		assert.Less(t, tr.calls, 3000, name)
	}
}

// A Close that is interrupted within a message leaves nothing of it behind.
func TestConn_ReadAfterAnInterruptedClose(t *testing.T) {
	tr := &transport{in: append(masked(0x02, pattern(50)), masked(0x00, pattern(60))[:20]...), quiet: true}
	var c Conn
	c.Reset(tr, Server, small(200), 0, nil)
	_, _, err := c.ReadMessage()
	require.Equal(t, errTimeout, err)
	require.Equal(t, errTimeout, c.Close(CloseNormal, ""))
	tr.in = append(masked(0x00, pattern(60))[20:], masked(0x80, nil)...)
	tr.in = append(tr.in, masked(0x81, []byte("whole"))...)
	tr.in = append(tr.in, masked(0x88, nil)...)
	_, p, err := c.ReadMessage()
	require.NoError(t, err)
	assert.Equal(t, "whole", string(p))
	assert.NoError(t, c.Close(CloseNormal, ""))
}

// A handshake that was never set up is an error, and one that can be printed.
func TestConn_HandshakeWithoutReset(t *testing.T) {
	var h ServerHandshake
	var ch ClientHandshake
	for _, connect := range []func(c *Conn) error{
		func(c *Conn) error { return c.Serve(&transport{in: []byte("x")}, &h, small(50), nil) },
		func(c *Conn) error { return c.Connect(&transport{in: []byte("x")}, &ch, small(50), nil) },
	} {
		var c Conn
		require.Error(t, connect(&c))
		_, err := c.WriteMessage(Text, nil)
		require.Error(t, err)
		assert.NotEmpty(t, err.Error())
		err = c.Close(CloseNormal, "")
		require.Error(t, err)
		assert.NotEmpty(t, err.Error())
		assert.NotEmpty(t, c.Session().End().Error())
	}
}

func TestConn_HandshakeThatFailsOrEnds(t *testing.T) {
	for _, c := range []struct {
		in, out string
		want    error
	}{
		{"", "", io.EOF},
		{"GET / HTTP/1.1\r\nHost", "", ErrHandshakeCutShort},
		{"PUT / HTTP/1.1\r\n", "HTTP/1.1 405 ", ErrMethod},
		{"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n\r\n", "HTTP/1.1 426 ", ErrVersion},
	} {
		for _, size := range []int{1, 20, 1000} {
			tr := &transport{in: []byte(c.in)}
			var h ServerHandshake
			h.Reset(make([]byte, 200), nil)
			var conn Conn
			err := conn.Serve(tr, &h, small(size), nil)
			require.Equal(t, c.want, err)
			require.Contains(t, tr.out.String(), c.out)
			if c.out != "" {
				require.Contains(t, tr.out.String(), "\r\nConnection: close")
			}
			_, _, err = conn.ReadMessage()
			require.Error(t, err)
		}
	}
}

func TestConn_ClientConnects(t *testing.T) {
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %\r\n\r\n"
	for _, size := range []int{1, 33, 1000} {
		keys := &Keys{Source: new(counter)}
		var h ClientHandshake
		require.NoError(t, h.Reset(make([]byte, 200), &Request{Host: "x", Target: "/"}, keys, nil))
		// The nonce is 1, 2, ... 16.
		accept := "AhmAMdR8nVSpIQWpIiVs5S+yaXI="
		var k [24]byte
		copy(k[:], "AQIDBAUGBwgJCgsMDQ4PEA==")
		var a [28]byte
		acceptKey(&a, &k)
		accept = string(a[:])
		tr := &transport{in: append([]byte(string(bytes.Replace([]byte(answer), []byte("%"), []byte(accept), 1))), frame(0x81, nil, []byte("first"))...)}
		var c Conn
		require.NoError(t, c.Connect(tr, &h, small(size), &Options{Keys: keys}))
		assert.Contains(t, tr.out.String(), "GET / HTTP/1.1\r\nHost: x\r\n")
		_, p, err := c.ReadMessage()
		require.NoError(t, err)
		assert.Equal(t, "first", string(p))
	}
	var h ClientHandshake
	require.NoError(t, h.Reset(make([]byte, 200), &Request{Host: "x", Target: "/"}, nil, nil))
	var c Conn
	err := c.Connect(&transport{in: []byte("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")}, &h, small(1000), nil)
	assert.Equal(t, ErrStatus, err)
	assert.Equal(t, 403, h.Status())
	assert.Equal(t, "no", string(c.Early()))
	require.NoError(t, h.Reset(make([]byte, 200), &Request{Host: "x", Target: "/"}, nil, nil))
	assert.Equal(t, ErrHandshakeCutShort, c.Connect(&transport{}, &h, small(10), nil))
}

// strange is a transport that lies or does nothing.
type strange struct{ n int }

func (s strange) Read(p []byte) (int, error)  { return s.n, nil }
func (s strange) Write(p []byte) (int, error) { return s.n, nil }

func TestConn_TransportThatLiesOrDoesNothing(t *testing.T) {
	for _, n := range []int{0, -1, 1 << 20} {
		var c Conn
		c.Reset(strange{n}, Server, small(20), 0, nil)
		_, _, err := c.ReadMessage()
		assert.Equal(t, io.ErrNoProgress, err)
		_, err = c.WriteMessage(Text, []byte("x"))
		if n == 0 {
			assert.Equal(t, io.ErrNoProgress, err)
		} else {
			assert.Equal(t, ErrSentTooMuch, err)
		}
	}
}

func TestConn_MisuseIsAnError(t *testing.T) {
	var c Conn
	_, _, err := c.ReadMessage()
	assert.Error(t, err)
	_, _, err = c.ReadPiece()
	assert.Error(t, err)
	_, err = c.WriteMessage(Text, nil)
	assert.Equal(t, ErrRole, err)
	assert.Error(t, c.Close(CloseNormal, ""))
	assert.NoError(t, c.Flush())
	assert.Equal(t, ErrRole, c.NextRequest())
	c.Reset(&transport{in: []byte{1}}, Server, Buffers{}, 0, nil)
	_, _, err = c.ReadMessage()
	assert.Equal(t, ErrNoRoom, err, "no read buffer")
	_, err = c.WriteMessage(Text, []byte("x"))
	assert.Equal(t, ErrNoRoom, err, "no write buffer")
	c.Reset(&transport{}, Server, small(9), 0, nil)
	assert.Equal(t, ErrState, c.Accept(nil))
	assert.Equal(t, ErrState, c.Resume())
	assert.Equal(t, ErrControlSize, c.Ping(make([]byte, 126)))
}
