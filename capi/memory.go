package main

// This file turns what lies in C memory into what package ws takes, and back. The C side has checked pointers and
// lengths. A pointer that comes with the length 0 is not looked at, for it may be any number.

// #include "embws.h"
import "C"

import (
	"unsafe"

	"github.com/embws/embws/ws"
)

// bytesAt returns n bytes of the caller's memory, for the time of the call.
func bytesAt(p unsafe.Pointer, n C.size_t) []byte {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(p), int(n))
}

// eventsAt returns the caller's events as an empty slice with room for n.
func eventsAt(p *C.embws_event, n C.uint32_t) []ws.Event {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*ws.Event)(unsafe.Pointer(p)), int(n))[:0]
}

// text returns a copy of a span.
func text(s C.embws_span) string {
	if s.length == 0 {
		return ""
	}
	return string(unsafe.Slice((*byte)(unsafe.Pointer(s.data)), int(s.length)))
}

func texts(p *C.embws_span, n C.size_t) []string {
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i, s := range unsafe.Slice(p, int(n)) {
		list[i] = text(s)
	}
	return list
}

func fields(p *C.embws_field, n C.size_t) []ws.Field {
	if n == 0 {
		return nil
	}
	list := make([]ws.Field, n)
	for i, f := range unsafe.Slice(p, int(n)) {
		list[i] = ws.Field{Name: text(f.name), Value: text(f.value)}
	}
	return list
}

// asString returns bytes as a string without a copy, for the time of the call.
func asString(p unsafe.Pointer, n C.size_t) string {
	if n == 0 {
		return ""
	}
	return unsafe.String((*byte)(p), int(n))
}

// address returns a pointer into C memory as a number, which is how it is written to C memory.
func address(p unsafe.Pointer) C.uintptr_t { return C.uintptr_t(uintptr(p)) }
