package main

// This file asserts at build time that Go and C see the same memory in the structs that both use. (layout.c
// asserts what the header promises.)

// #include "embws.h"
import "C"

import (
	"unsafe"

	"github.com/embws/embws/ws"
)

const (
	eventSize = unsafe.Sizeof(ws.Event{})
	spanSize  = unsafe.Sizeof(span{})
	fieldSize = unsafe.Sizeof(field{})
)

var (
	goEvent ws.Event
	cEvent  C.embws_event
)

// An array of this size exists only if a and b are equal.
var (
	_ [eventSize - C.sizeof_embws_event]byte
	_ [C.sizeof_embws_event - eventSize]byte
	_ [unsafe.Offsetof(goEvent.Start) - unsafe.Offsetof(cEvent.start)]byte
	_ [unsafe.Offsetof(goEvent.Left) - unsafe.Offsetof(cEvent.left)]byte
	_ [unsafe.Offsetof(goEvent.Length) - unsafe.Offsetof(cEvent.length)]byte
	_ [unsafe.Offsetof(goEvent.Kind) - unsafe.Offsetof(cEvent.kind)]byte
	_ [unsafe.Offsetof(goEvent.Flags) - unsafe.Offsetof(cEvent.flags)]byte
	_ [unsafe.Offsetof(goEvent.Code) - unsafe.Offsetof(cEvent.code)]byte

	_ [spanSize - C.sizeof_embws_span]byte
	_ [C.sizeof_embws_span - spanSize]byte
	_ [fieldSize - C.sizeof_embws_field]byte
	_ [C.sizeof_embws_field - fieldSize]byte
	_ [fieldSize - C.sizeof_embws_parameter]byte
	_ [C.sizeof_embws_parameter - fieldSize]byte
	_ [unsafe.Sizeof(extension{}) - C.sizeof_embws_extension]byte
	_ [C.sizeof_embws_extension - unsafe.Sizeof(extension{})]byte
	_ [unsafe.Sizeof(message{}) - C.sizeof_embws_message]byte
	_ [C.sizeof_embws_message - unsafe.Sizeof(message{})]byte
)

// The numbers that are the same in both need no translation.
const (
	_ = uint(ws.Server-C.EMBWS_SERVER) + uint(C.EMBWS_SERVER-ws.Server) + uint(ws.Client-C.EMBWS_CLIENT) + uint(C.EMBWS_CLIENT-ws.Client)
	_ = uint(ws.Text-C.EMBWS_TEXT) + uint(ws.Binary-C.EMBWS_BINARY) + uint(ws.Close-C.EMBWS_CLOSE) + uint(ws.Handshake-C.EMBWS_HANDSHAKE)
	_ = uint(ws.InOut-C.EMBWS_IN_ROOM) + uint(ws.Kept-C.EMBWS_KEPT) + uint(ws.Final-C.EMBWS_FINAL)
	_ = uint(ws.StateHandshake-C.EMBWS_STATE_HANDSHAKE) + uint(ws.StateRequest-C.EMBWS_STATE_REQUEST) +
		uint(ws.StateOpen-C.EMBWS_STATE_OPEN) + uint(ws.StateClosing-C.EMBWS_STATE_CLOSING) +
		uint(ws.StateClosed-C.EMBWS_STATE_CLOSED) + uint(ws.StateFailed-C.EMBWS_STATE_FAILED)
	_ = uint(ws.HandshakeStore-C.EMBWS_HANDSHAKE_STORE) + uint(C.EMBWS_HANDSHAKE_STORE-ws.HandshakeStore)
)
