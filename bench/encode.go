package main

// This file holds the rows of encoding.

import (
	"bytes"
	"fmt"
	"net"

	"github.com/embws/embws/ws"
	gobwas "github.com/gobwas/ws"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
)

var encodeRows = []func() *row{
	clientRow("16 B", 16), clientRow("125 B", 125), clientRow("1 KiB", 1<<10),
	serverRow("16 B", 16), serverRow("1 KiB", 1<<10),
}

func clientRow(what string, size int) func() *row {
	return func() *row {
		payload := pattern(size)
		r := &row{
			name: fmt.Sprintf("encode %s as a client", what),
			contract: "Header and masked payload of a binary frame into one buffer; the caller's payload stays as it is. Keys: " +
				"a ws.Keys over math/rand/v2.ChaCha8, and for gobwas the same ones, in blocks of 512 bytes from the same source.",
			units: 1, bytes: size,
			want: func(int) []byte { return append([]byte{0x80 | opBinary, 0x80}, payload...) },
			cands: []*candidate{
				encodeOurs(ws.Client, payload),
				encodeGobwas(gobwasCopy, payload),
				encodeGobwas(gobwasCopyBuffer, payload),
				encodeGobwas(gobwasMaskFrame, payload),
				encodeGorilla(payload),
				encodeGws(payload),
			},
		}
		if size == 125 {
			r.goals = []goal{{gobwasCopy, 5}, {gobwasMaskFrame, 5}}
		}
		return r
	}
}

func encodeOurs(role ws.Role, payload []byte) *candidate {
	var c ws.Codec
	c.Reset(role, &ws.Options{Keys: &ws.Keys{Source: source()}})
	dst := make([]byte, ws.FrameSize(role, uint64(len(payload))))
	return &candidate{
		name: "embws Encode",
		loop: func(steps int) {
			for range steps {
				if _, err := c.Encode(dst, ws.Binary, true, payload); err != nil {
					panic(err)
				}
			}
		},
		result: func() []byte { return unframe(dst) },
		wire:   func() []byte { return dst },
	}
}

const (
	gobwasCopy       = "gobwas WriteHeader + Write + Cipher"
	gobwasCopyBuffer = "gobwas WriteHeaderBuffer + Write + Cipher"
	gobwasMaskFrame  = "gobwas MaskFrameWith + WriteFrame"
)

func encodeGobwas(name string, payload []byte) *candidate {
	var (
		keys = keyPool{source: source()}
		dst  bytes.Buffer
	)
	c := &candidate{
		name:   name,
		result: func() []byte { return unframe(dst.Bytes()) },
		wire:   dst.Bytes,
	}
	if name == gobwasMaskFrame {
		c.note = "its own masking of a frame, which copies the payload to new memory"
		c.loop = func(steps int) {
			for range steps {
				dst.Reset()
				f := gobwas.MaskFrameWith(gobwas.NewBinaryFrame(payload), keys.next())
				must(gobwas.WriteFrame(&dst, f))
			}
		}
		return c
	}
	header := func() gobwas.Header {
		return gobwas.Header{Fin: true, OpCode: gobwas.OpBinary, Masked: true, Mask: keys.next(), Length: int64(len(payload))}
	}
	if name == gobwasCopy {
		c.note = "masks in the bytes.Buffer itself, the one copy"
		c.loop = func(steps int) {
			for range steps {
				dst.Reset()
				h := header()
				must(gobwas.WriteHeader(&dst, h))
				at := dst.Len()
				_, _ = dst.Write(payload)
				gobwas.Cipher(dst.Bytes()[at:], h.Mask, 0)
			}
		}
		return c
	}
	c.note = "the same without the allocation, its fastest way"
	room := make([]byte, gobwas.MaxHeaderSize)
	c.loop = func(steps int) {
		for range steps {
			dst.Reset()
			h := header()
			must(gobwas.WriteHeaderBuffer(&dst, h, room))
			at := dst.Len()
			_, _ = dst.Write(payload)
			gobwas.Cipher(dst.Bytes()[at:], h.Mask, 0)
		}
	}
	return c
}

func encodeGorilla(payload []byte) *candidate {
	nc := &answering{conn: *newConn(nil)}
	d := gorilla.Dialer{NetDial: func(string, string) (net.Conn, error) { return nc, nil }}
	c, _, err := d.Dial("ws://server.example.com/", nil)
	must(err)
	return &candidate{
		name: "gorilla WriteMessage",
		note: "its own keys, from math/rand; one copy more, which stands for the transport",
		loop: func(steps int) {
			for range steps {
				must(c.WriteMessage(gorilla.BinaryMessage, payload))
			}
		},
		result: func() []byte { return unframe(nc.wrote) },
	}
}

func encodeGws(payload []byte) *candidate {
	nc := &answering{conn: *newConn(nil)}
	c, _, err := gws.NewClientFromConn(&gwsHandler{}, &gws.ClientOption{Addr: "ws://server.example.com/"}, nc)
	must(err)
	return &candidate{
		name: "gws WriteMessage",
		note: "its own keys, from a xorshift; one copy more, which stands for the transport",
		loop: func(steps int) {
			for range steps {
				must(c.WriteMessage(gws.OpcodeBinary, payload))
			}
		},
		result: func() []byte { return unframe(nc.wrote) },
	}
}

func serverRow(what string, size int) func() *row {
	return func() *row {
		payload := pattern(size)
		var dst bytes.Buffer
		return &row{
			name:     fmt.Sprintf("encode %s as a server", what),
			contract: "Header and payload of a binary frame into one buffer.",
			units:    1, bytes: size,
			want: func(int) []byte { return append([]byte{0x80 | opBinary, 0}, payload...) },
			cands: []*candidate{encodeOurs(ws.Server, payload), {
				name: "gobwas WriteFrame",
				note: "to a bytes.Buffer",
				loop: func(steps int) {
					for range steps {
						dst.Reset()
						must(gobwas.WriteFrame(&dst, gobwas.NewBinaryFrame(payload)))
					}
				},
				result: func() []byte { return unframe(dst.Bytes()) },
				wire:   dst.Bytes,
			}},
		}
	}
}

// unframe reads one whole frame, byte by byte as RFC 6455 5.2 describes it, and returns what it says: first byte, mask
// bit, payload.
func unframe(wire []byte) []byte {
	out := []byte{wire[0], wire[1] & 0x80}
	length, at := int(wire[1]&0x7F), 2
	if length > 125 {
		size := 2
		if length == 127 {
			size = 8
		}
		length = 0
		for _, x := range wire[2 : 2+size] {
			length = length<<8 | int(x)
		}
		at += size
	}
	var key [4]byte
	if out[1] != 0 {
		at += copy(key[:], wire[at:])
	}
	if len(wire) != at+length {
		panic("not one whole frame")
	}
	for i, x := range wire[at:] {
		out = append(out, x^key[i&3])
	}
	return out
}
