package main

// This file holds the rows of decoding: a server's side of masked frames.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"unicode/utf8"

	coder "github.com/coder/websocket"
	"github.com/embws/embws/ws"
	gobwas "github.com/gobwas/ws"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
	xnet "golang.org/x/net/websocket"
)

const decodeContract = "A server's work on masked frames, each a whole message. Every side starts from the same stream and " +
	"copies it once, as a read would, into a work buffer of its own; then headers are read, payloads unmasked in place, " +
	"and each message counted. embws checks all that RFC 6455 asks of a frame."

var decodeRows = []func() *row{
	decodeRow("decode 64 x 16 B binary a call", everyone, opBinary, 64, 16),
	decodeRow("decode 64 x 125 B binary a call", few, opBinary, 64, 125),
	decodeRow("decode 64 x 1-125 B binary a call", few, opBinary, 64, 0),
	decodeRow("decode 64 x 1 KiB binary a call", everyone, opBinary, 64, 1<<10),
	decodeRow("decode 1 x 64 KiB binary a call", few, opBinary, 1, 64<<10),
	decodeRow("decode 1 x 16 B binary a call", few, opBinary, 1, 16),
	decodeRow("decode 1 x 1 KiB binary a call", few, opBinary, 1, 1<<10),
	decodeRow("decode 64 x 16 B text a call", few, opText, 64, 16),
	decodeRow("decode 64 x 125 B text a call", few, opText, 64, 125),
}

type selection bool

const (
	few      selection = false
	everyone selection = true
)

// decodeRow makes a row of n frames of size bytes, or of 1 to 125 if size is 0.
func decodeRow(name string, who selection, kind byte, n, size int) func() *row {
	return func() *row {
		payloads := make([][]byte, n)
		sizes := pattern(n)
		for i := range payloads {
			length := size
			if size == 0 {
				length = 1 + int(sizes[i])%125
			}
			if kind == opText {
				payloads[i] = ascii(length)
			} else {
				payloads[i] = pattern(length)
			}
		}
		b := newBatch(kind, payloads...)
		r := &row{name: name, contract: decodeContract, units: n, bytes: b.payload / n, want: b.wanted}
		if kind == opText {
			r.contract += " Text is checked to be UTF-8, by utf8.Valid where the peer does not: gobwas; not at all by gorilla."
		}
		r.cands = append(r.cands, decodeOurs(b), decodeGobwas(b, true), decodeGobwas(b, false), decodeGobwasReader(b))
		if n > 1 {
			r.cands = append(r.cands, decodeGorilla(b), decodeGws(b))
		}
		if who == everyone {
			r.cands = append(r.cands, decodeCoder(b), decodeXnet(b))
		}
		if n == 64 && size == 16 && kind == opBinary {
			r.goals = []goal{{gobwasPlain, 4}}
		}
		return r
	}
}

func decodeOurs(b *batch) *candidate {
	var (
		c      ws.Codec
		rec    recorder
		events = make([]ws.Event, 0, b.frames+1)
		work   = make([]byte, len(b.wire))
	)
	c.Reset(ws.Server, nil)
	return &candidate{
		name: "embws",
		loop: func(steps int) {
			for range steps {
				copy(work, b.wire)
				n, found, err := c.Decode(work, nil, events)
				if n != len(work) || err != nil {
					panic(err)
				}
				for i := range found {
					e := &found[i]
					rec.take(byte(e.Kind), work[e.Start:e.Start+uint64(e.Length)])
				}
			}
		},
		result: rec.written,
	}
}

const (
	gobwasPlain  = "gobwas ReadHeader + Cipher"
	gobwasBuffer = "gobwas ReadHeaderBuffer + Cipher"
)

// decodeGobwas reads headers from a bytes.Reader over the work buffer, and unmasks there.
func decodeGobwas(b *batch, plain bool) *candidate {
	var (
		rec    recorder
		reader bytes.Reader
		work   = make([]byte, len(b.wire))
		room   = make([]byte, gobwas.MaxHeaderSize)
	)
	next := func(h gobwas.Header) {
		at := len(work) - reader.Len()
		p := work[at : at+int(h.Length)]
		gobwas.Cipher(p, h.Mask, 0)
		if h.OpCode == opText && !utf8.Valid(p) {
			panic("not UTF-8")
		}
		_, _ = reader.Seek(h.Length, io.SeekCurrent)
		rec.take(byte(h.OpCode), p)
	}
	c := &candidate{name: gobwasPlain, note: "checks no rule of the header", result: rec.written}
	c.loop = func(steps int) {
		for range steps {
			copy(work, b.wire)
			reader.Reset(work)
			for reader.Len() > 0 {
				h, err := gobwas.ReadHeader(&reader)
				must(err)
				next(h)
			}
		}
	}
	if plain {
		return c
	}
	c.name = gobwasBuffer
	c.note = "the same, without the allocation"
	c.loop = func(steps int) {
		for range steps {
			copy(work, b.wire)
			reader.Reset(work)
			for reader.Len() > 0 {
				h, err := gobwas.ReadHeaderBuffer(&reader, room)
				must(err)
				next(h)
			}
		}
	}
	return c
}

// decodeGobwasReader reads headers and payloads from a bytes.Reader over the stream itself.
func decodeGobwasReader(b *batch) *candidate {
	var (
		rec    recorder
		reader bytes.Reader
		work   = make([]byte, b.longest)
	)
	return &candidate{
		name: "gobwas ReadHeader + ReadFull + Cipher",
		note: "the one copy is that of each payload, by io.ReadFull",
		loop: func(steps int) {
			for range steps {
				reader.Reset(b.wire)
				for reader.Len() > 0 {
					h, err := gobwas.ReadHeader(&reader)
					must(err)
					p := work[:h.Length]
					_, err = io.ReadFull(&reader, p)
					must(err)
					gobwas.Cipher(p, h.Mask, 0)
					if h.OpCode == opText && !utf8.Valid(p) {
						panic("not UTF-8")
					}
					rec.take(byte(h.OpCode), p)
				}
			}
		},
		result: rec.written,
	}
}

// readMessage reads r to its end into work, which has room for one byte more than the message.
func readMessage(r io.Reader, work []byte) []byte {
	n := 0
	for {
		m, err := r.Read(work[n:])
		n += m
		if err == io.EOF {
			return work[:n]
		}
		must(err)
	}
}

func decodeGorilla(b *batch) *candidate {
	var rec recorder
	work := make([]byte, b.longest+1)
	up := gorilla.Upgrader{ReadBufferSize: 16 << 10}
	c, err := up.Upgrade(newHijacker(newConn(b.wire)), request(browserRequest), nil)
	must(err)
	return &candidate{
		name: "gorilla NextReader",
		note: "a connection over memory with a buffer of 16 KiB, from which each payload is copied",
		loop: func(steps int) {
			for range steps {
				for range b.frames {
					kind, r, err := c.NextReader()
					must(err)
					rec.take(byte(kind), readMessage(r, work))
				}
			}
		},
		result: rec.written,
	}
}

// gwsHandler delivers to a recorder.
type gwsHandler struct {
	gws.BuiltinEventHandler
	rec recorder
}

func (h *gwsHandler) OnMessage(_ *gws.Conn, m *gws.Message) {
	h.rec.take(byte(m.Opcode), m.Bytes())
	_ = m.Close()
}

func (h *gwsHandler) OnClose(*gws.Conn, error) {}

func decodeGws(b *batch) *candidate {
	var h gwsHandler
	nc := newSteppedConn(b.wire)
	up := gws.NewUpgrader(&h, &gws.ServerOption{ReadBufferSize: 16 << 10, CheckUtf8Enabled: true})
	w := newHijacker(nc)
	c, err := up.UpgradeFromConn(nc, w.rw.Reader, request(browserRequest))
	must(err)
	go c.ReadLoop()
	return &candidate{
		name:   "gws ReadLoop",
		note:   "as gorilla; the payload's buffer is drawn from a pool; CheckUtf8Enabled",
		loop:   nc.run,
		result: h.rec.written,
		done:   func() { close(nc.steps) },
	}
}

func decodeCoder(b *batch) *candidate {
	var rec recorder
	work := make([]byte, b.longest+1)
	c, err := coder.Accept(newHijacker(newConn(b.wire)), request(browserRequest), nil)
	must(err)
	c.SetReadLimit(-1)
	ctx := context.Background()
	return &candidate{
		name: "coder Reader",
		note: "as gorilla",
		loop: func(steps int) {
			for range steps {
				for range b.frames {
					kind, r, err := c.Reader(ctx)
					must(err)
					rec.take(byte(kind), readMessage(r, work))
				}
			}
		},
		result: rec.written,
		done:   func() { _ = c.CloseNow() },
	}
}

func decodeXnet(b *batch) *candidate {
	var rec recorder
	work := make([]byte, b.longest)
	nc := newConn(b.wire)
	opened, closed := make(chan *xnet.Conn), make(chan struct{})
	server := xnet.Server{Handler: func(c *xnet.Conn) {
		opened <- c
		<-closed
	}}
	go server.ServeHTTP(newHijacker(nc), request(browserRequest))
	c := <-opened
	return &candidate{
		name: "x/net Conn.Read",
		note: "as gorilla; it does not tell the kind",
		loop: func(steps int) {
			for range steps {
				for range b.frames {
					_, err := io.ReadFull(c, work)
					must(err)
					rec.take(opBinary, work)
				}
			}
		},
		result: rec.written,
		done:   func() { close(closed) },
	}
}

// textRows are those of one text message of 1 KiB.
var textRows = []func() *row{
	textRow("ASCII", ascii(1<<10)),
	textRow("one word in five not ASCII", repeat("Größe und Gewicht über dem Rand: déjà vu. ", 1<<10)),
	textRow("Cyrillic", repeat("Съешь же ещё этих мягких французских булок, да выпей чаю. ", 1<<10)),
	textRow("Chinese", repeat("天地玄黃宇宙洪荒日月盈昃辰宿列張", 1<<10)),
	textRow("emoji", repeat("😀😃😄😁🚀", 1<<10)),
}

func textRow(what string, payload []byte) func() *row {
	return func() *row {
		b := newBatch(opText, payload)
		return &row{
			name: fmt.Sprintf("decode 1 x 1 KiB text: %s", what),
			contract: "One masked text frame of 1 KiB, copied once, unmasked in place, and checked to be UTF-8: by " +
				"utf8.Valid of the standard library where the peer's function does not.",
			units: 1, bytes: len(payload), want: b.wanted,
			cands: []*candidate{decodeOurs(b), decodeGobwas(b, true), textCipher(b, payload), textCoder(b, payload)},
		}
	}
}

// textCipher unmasks a payload whose header was read before.
func textCipher(b *batch, payload []byte) *candidate {
	var rec recorder
	masked := b.wire[len(b.wire)-len(payload):]
	key := [4]byte(b.wire[len(b.wire)-len(payload)-4:])
	work := make([]byte, len(payload))
	return &candidate{
		name: "gobwas Cipher + utf8.Valid",
		note: "no header",
		loop: func(steps int) {
			for range steps {
				copy(work, masked)
				gobwas.Cipher(work, key, 0)
				if !utf8.Valid(work) {
					panic("not UTF-8")
				}
				rec.take(opText, work)
			}
		},
		result: rec.written,
	}
}

func textCoder(b *batch, payload []byte) *candidate {
	var rec recorder
	masked := b.wire[len(b.wire)-len(payload):]
	key := keyWord(b.wire[len(b.wire)-len(payload)-4:])
	work := make([]byte, len(payload))
	return &candidate{
		name: "coder mask + utf8.Valid",
		note: "no header",
		loop: func(steps int) {
			for range steps {
				copy(work, masked)
				coderMask(work, key)
				if !utf8.Valid(work) {
					panic("not UTF-8")
				}
				rec.take(opText, work)
			}
		},
		result: rec.written,
	}
}
