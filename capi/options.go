package main

// This file copies the options of a caller.

// #include "shim.h"
import "C"

import (
	"math"
	"unsafe"

	"github.com/embws/embws/ws"
)

// readOptions copies options; nil means the defaults. The C side has checked the flags.
func readOptions(o *C.embws_options, to *ws.Options) {
	*to = ws.Options{}
	if o == nil {
		return
	}
	to.MaxFrame, to.MaxMessage = int64(o.max_frame), int64(o.max_message)
	to.LongLengths = o.flags&C.EMBWS_LONG_LENGTHS != 0
	to.CheckText = o.flags&C.EMBWS_CHECK_TEXT != 0
	to.ManualPong = o.flags&C.EMBWS_MANUAL_PONG != 0
	to.ManualClose = o.flags&C.EMBWS_MANUAL_CLOSE != 0
	if o.random != nil {
		source := &hostRandom{o.random, *(*C.uintptr_t)(unsafe.Pointer(&o.context))}
		to.Keys = &ws.Keys{Source: source}
	}
}

// readHandshakeOptions copies options, and returns the store that they ask for.
func readHandshakeOptions(o *C.embws_handshake_options, to *ws.HandshakeOptions) (store []byte) {
	*to = ws.HandshakeOptions{}
	size := ws.HandshakeStore
	if o != nil {
		if o.store != 0 {
			size = int(o.store)
		}
		to.MaxHead, to.MaxFields = bound(o.max_head), bound(o.max_fields)
		to.MaxSubprotocols = bound(o.max_subprotocols)
		to.Keep = texts(o.keep, o.keep_count)
		to.KeepAll = o.flags&C.EMBWS_KEEP_ALL != 0
	}
	return make([]byte, size)
}

// bound returns a limit as package ws takes it, on machines of any word size.
func bound(v C.int64_t) int {
	switch {
	case v < 0:
		return ws.NoLimit
	case v > math.MaxInt:
		return math.MaxInt
	}
	return int(v)
}
