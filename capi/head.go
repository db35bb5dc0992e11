package main

// This file shows a received head to C: a copy of all that was kept, in memory of the caller, with the struct that
// points into it. So C walks through it without coming back, and nothing of Go's is seen.

// #include "embws.h"
import "C"

import (
	"unsafe"

	"github.com/embws/embws/ws"
)

// These are the structs of embws.h with their addresses as numbers, which is how they are written.
type (
	span  struct{ data, length uintptr }
	field struct{ name, value span } // also an embws_parameter

	extension struct {
		name       span
		parameters uintptr
		count      uintptr
	}
)

// builder lays a copy of a head out in memory. It is used twice: first without memory, to count.
type builder struct {
	memory []byte // aligned; nil while counting
	arrays int    // bytes of arrays, which come first
	at     int    // where the next array goes
	text   int    // where the next text goes; while counting, bytes of text
}

// put copies a text.
func (b *builder) put(s []byte, present bool) span {
	if !present {
		return span{}
	}
	// One byte more than the text, so that an empty one has an address that is its own.
	from := b.text
	b.text += len(s) + 1
	if b.memory == nil {
		return span{}
	}
	copy(b.memory[from:], s)
	b.memory[from+len(s)] = 0
	return span{uintptr(unsafe.Pointer(&b.memory[from])), uintptr(len(s))}
}

// array reserves n elements.
func array[T any](b *builder, n int) []T {
	var zero T
	from := b.at
	b.at += n * int(unsafe.Sizeof(zero))
	if b.memory == nil || n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&b.memory[from])), n)
}

func addressOf[T any](list []T) uintptr {
	if len(list) == 0 {
		return 0
	}
	return uintptr(unsafe.Pointer(&list[0]))
}

// head is what both handshakes have to show.
type headSource struct {
	status                         int
	upgrade                        bool
	target, path, query, host      []byte
	origin                         []byte
	hasTarget, hasQuery, hasOrigin bool
	subprotocol                    []byte
	subprotocols                   func() ws.SubprotocolCursor // nil for a client
	extensions                     ws.ExtensionCursor
	fields                         ws.FieldCursor
}

// lay lays a head out once.
func (b *builder) lay(s *headSource, to *C.embws_head) {
	out := (*headResult)(unsafe.Pointer(to))
	var r headResult
	r.status = uint32(s.status)
	if s.upgrade {
		r.upgrade = 1
	}
	r.target = b.put(s.target, s.hasTarget)
	r.path = b.put(s.path, s.hasTarget)
	r.query = b.put(s.query, s.hasQuery)
	r.host = b.put(s.host, s.hasTarget)
	r.origin = b.put(s.origin, s.hasOrigin)
	r.subprotocol = b.put(s.subprotocol, s.subprotocol != nil)

	if s.subprotocols != nil {
		n := 0
		for c := s.subprotocols(); ; n++ {
			if _, ok := c.Next(); !ok {
				break
			}
		}
		list := array[span](b, n)
		c := s.subprotocols()
		for i := range n {
			name, _ := c.Next()
			if v := b.put(name, true); list != nil {
				list[i] = v
			}
		}
		r.subprotocols, r.subprotocolCount = addressOf(list), uintptr(n)
	}
	b.layExtensions(s.extensions, &r)
	b.layFields(s.fields, &r)
	if b.memory != nil {
		r.size = out.size
		*out = r
	}
}

func (b *builder) layExtensions(all ws.ExtensionCursor, r *headResult) {
	n := 0
	for c := all; ; n++ {
		if _, ok := c.Next(); !ok {
			break
		}
	}
	list := array[extension](b, n)
	for i, c := 0, all; i < n; i++ {
		e, _ := c.Next()
		count := 0
		for p := e.Params(); ; count++ {
			if _, ok := p.Next(); !ok {
				break
			}
		}
		name := b.put(e.Name, true)
		parameters := array[field](b, count)
		p := e.Params()
		for k := range count {
			param, _ := p.Next()
			v := field{b.put(param.Name, true), b.put(param.Value, param.HasValue)}
			if parameters != nil {
				parameters[k] = v
			}
		}
		if list != nil {
			list[i] = extension{name, addressOf(parameters), uintptr(count)}
		}
	}
	r.extensions, r.extensionCount = addressOf(list), uintptr(n)
}

func (b *builder) layFields(all ws.FieldCursor, r *headResult) {
	n := 0
	for c := all; ; n++ {
		if _, _, ok := c.Next(); !ok {
			break
		}
	}
	list := array[field](b, n)
	for i, c := 0, all; i < n; i++ {
		name, value, _ := c.Next()
		v := field{b.put(name, true), b.put(value, true)}
		if list != nil {
			list[i] = v
		}
	}
	r.fields, r.fieldCount = addressOf(list), uintptr(n)
}

// headResult is embws_head with its addresses as numbers.
type headResult struct {
	size, status, upgrade, reserved                uint32
	target, path, query, host, origin, subprotocol span
	subprotocols, subprotocolCount                 uintptr
	extensions, extensionCount                     uintptr
	fields, fieldCount                             uintptr
}

var (
	_ [unsafe.Sizeof(headResult{}) - C.sizeof_embws_head]byte
	_ [C.sizeof_embws_head - unsafe.Sizeof(headResult{})]byte
)

// show lays a head out in the caller's memory, if that is large enough for it.
func show(s *headSource, to *C.embws_head, memory unsafe.Pointer, capacity C.size_t, needed *C.size_t) C.int32_t {
	const align = unsafe.Alignof(headResult{})
	var count builder
	count.lay(s, to)
	arrays, total := count.at, count.at+count.text+int(align)-1
	if needed != nil {
		*needed = C.size_t(total)
	}
	if capacity < C.size_t(total) {
		return C.EMBWS_ERR_NO_ROOM
	}
	room := bytesAt(memory, capacity)
	if over := uintptr(memory) % align; over != 0 {
		room = room[align-over:]
	}
	b := builder{memory: room, text: arrays}
	b.lay(s, to)
	return C.EMBWS_OK
}

func (h *serverHandshake) head(to *C.embws_head, memory unsafe.Pointer, capacity C.size_t, needed *C.size_t) C.int32_t {
	hs := &h.handshake
	if o := hs.Outcome(); o != ws.UpgradeRequested && o != ws.PlainRequest || h.answering {
		return C.EMBWS_ERR_STATE
	}
	s := headSource{
		target: hs.Target(), path: hs.Path(), query: hs.Query(), host: hs.Host(), hasTarget: true,
		subprotocols: hs.Subprotocols, extensions: hs.Extensions(), fields: hs.Fields(),
	}
	s.upgrade = hs.Outcome() == ws.UpgradeRequested
	s.hasQuery = s.query != nil
	s.origin, s.hasOrigin = hs.Origin()
	return show(&s, to, memory, capacity, needed)
}

func (h *clientHandshake) head(to *C.embws_head, memory unsafe.Pointer, capacity C.size_t, needed *C.size_t) C.int32_t {
	hs := &h.handshake
	if o := hs.Outcome(); o != ws.Opened && o != ws.Refused {
		return C.EMBWS_ERR_STATE
	}
	s := headSource{status: hs.Status(), subprotocol: hs.Subprotocol(), extensions: hs.Extensions(), fields: hs.Fields()}
	return show(&s, to, memory, capacity, needed)
}
