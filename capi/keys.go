package main

// This file holds the random bytes of clients: pools that all handles share, and the source of a caller.

// #include "shim.h"
import "C"

import (
	"errors"
	"sync/atomic"
	"unsafe"

	"github.com/embws/embws/ws"
)

// pool is a pool of masking keys that one call at a time uses, of whatever handle. So a client's handle needs none of its
// own, and no key byte is ever used twice.
type pool struct {
	keys ws.Keys
	busy atomic.Bool
	_    [64]byte // no two pools share a cache line
}

// pools is how many calls find a pool at the same time; further ones ask the system for each key.
const pools = 16

var shared [pools]pool

// borrow lends a client's options a pool until giveBack. A source of the caller's has a pool of its own.
func borrow(role ws.Role, opt *ws.Options, handle uintptr) *pool {
	if role != ws.Client || opt.Keys != nil {
		return nil
	}
	for i := uintptr(0); i < pools; i++ {
		p := &shared[(handle>>5+i)%pools]
		if !p.busy.Load() && p.busy.CompareAndSwap(false, true) {
			opt.Keys = &p.keys
			return p
		}
	}
	return nil
}

func giveBack(opt *ws.Options, p *pool) {
	if p != nil {
		opt.Keys = nil
		p.busy.Store(false)
	}
}

// hostRandom is a caller's source. Its two pointers are kept as numbers: the second may be anything.
type hostRandom struct {
	call    C.embws_random
	context C.uintptr_t
}

var errRandom = errors.New("the random source of the caller failed")

// Read fills p.
func (r *hostRandom) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if C.embws_call_random(r.call, r.context, unsafe.Pointer(&p[0]), C.size_t(len(p))) != 0 {
		return 0, errRandom
	}
	return len(p), nil
}
