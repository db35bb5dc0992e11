package main

// This file holds the random bytes of clients: pools that all handles share, and the source of a caller.

// #include "shim.h"
import "C"

import (
	"errors"
	"runtime"
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

// pools is how many calls find a pool at the same time. Further ones wait for their turn, which is a matter of nanoseconds.
const pools = 64

var shared [pools]pool

func init() {
	for i := range shared {
		shared[i].keys.Source = systemRandom{}
	}
}

// borrow lends a client's options a pool until giveBack. A source of the caller's has a pool of its own.
func borrow(role ws.Role, opt *ws.Options, handle uintptr) *pool {
	if role != ws.Client || opt.Keys != nil {
		return nil
	}
	for i := handle >> 5; ; i++ {
		p := &shared[i%pools]
		if !p.busy.Load() && p.busy.CompareAndSwap(false, true) {
			opt.Keys = &p.keys
			return p
		}
		if i%pools == 0 {
			runtime.Gosched()
		}
	}
}

func giveBack(opt *ws.Options, p *pool) {
	if p != nil {
		opt.Keys = nil
		p.busy.Store(false)
	}
}

// systemRandom is the system's source, which C asks: crypto/rand would make the library a fifth larger.
type systemRandom struct{}

// Read fills p.
func (systemRandom) Read(p []byte) (int, error) {
	if len(p) > 0 && C.embws_system_random(unsafe.Pointer(&p[0]), C.size_t(len(p))) != 0 {
		return 0, errRandom
	}
	return len(p), nil
}

// nonces gives a client's handshake its nonce. That draws on the source alone, so all can use it at once.
var nonces = ws.Keys{Source: systemRandom{}}

// hostRandom is a caller's source. Its two pointers are kept as numbers: the second may be anything.
type hostRandom struct {
	call    C.embws_random
	context C.uintptr_t
}

var errRandom = errors.New("the random source failed")

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
