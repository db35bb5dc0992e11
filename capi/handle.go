package main

// This file holds the handles: numbers in the shape of pointers, which stand for Go objects.

// #include "embws.h"
import "C"

import (
	"math"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/mattn/go-pointer"
)

// entry is what go-pointer keeps for a handle. It outlives its object: a handle that was freed is still known for a
// while, as one that stands for nothing.
type entry struct {
	handle atomic.Uintptr // itself, or 0 once it was freed
	object any            // *codec, *session, *serverHandshake, *clientHandshake; nil once freed; dead after a panic
}

// dead stands in for the object of a handle in whose call Go has panicked, a T.
type dead[T any] struct{}

// recentSize is how many handles find their entry without go-pointer's lock and map: a power of two, recentBits of it.
const (
	recentBits = 14
	recentSize = 1 << recentBits
)

var recent [recentSize]atomic.Pointer[entry]

// The range of all handles ever given out. A number outside of it is none; it must not even be treated as a pointer,
// which the garbage collector would look at.
var (
	lowest  atomic.Uintptr
	highest atomic.Uintptr
)

func init() { lowest.Store(math.MaxUint) }

// freedHandles is how many further frees a freed handle is still recognised.
const freedHandles = 4096

var freed struct {
	sync.Mutex
	handles [freedHandles]unsafe.Pointer
	next    int
}

// newHandle gives an object a handle.
func newHandle(object any) unsafe.Pointer {
	e := &entry{object: object}
	p := pointer.Save(e)
	h := uintptr(p)
	e.handle.Store(h)
	for old := lowest.Load(); h < old && !lowest.CompareAndSwap(old, h); old = lowest.Load() {
	}
	for old := highest.Load(); h > old && !highest.CompareAndSwap(old, h); old = highest.Load() {
	}
	return p
}

// slot returns where a handle's entry is remembered. The product spreads all bits of an address, for handles of different
// threads differ only in the high ones.
func slot(handle uintptr) *atomic.Pointer[entry] {
	return &recent[uint64(handle)*0x9E3779B97F4A7C15>>(64-recentBits)]
}

// find returns the entry of a handle that is in use, or nil.
func find(handle uintptr) *entry {
	if e := slot(handle).Load(); e != nil && e.handle.Load() == handle {
		return e
	}
	return findSlow(handle)
}

//go:noinline
func findSlow(handle uintptr) *entry {
	if handle < lowest.Load() || handle > highest.Load() {
		return nil
	}
	e, _ := pointer.Restore(*(*unsafe.Pointer)(unsafe.Pointer(&handle))).(*entry)
	if e == nil || e.handle.Load() != handle {
		return nil
	}
	slot(handle).Store(e)
	return e
}

// lookup returns the object of a handle and its entry, or a nil object and why there is none.
func lookup[T any](handle uintptr) (*T, *entry, C.int32_t) {
	if e := slot(handle).Load(); e != nil && e.handle.Load() == handle {
		if object, ok := e.object.(*T); ok {
			return object, e, C.EMBWS_OK
		}
	}
	return lookupSlow[T](handle)
}

func lookupSlow[T any](handle uintptr) (*T, *entry, C.int32_t) {
	e := find(handle)
	if e == nil {
		return nil, nil, C.EMBWS_ERR_HANDLE
	}
	if object, ok := e.object.(*T); ok {
		return object, e, C.EMBWS_OK
	}
	if _, is := e.object.(dead[T]); is {
		return nil, nil, C.EMBWS_ERR_INTERNAL
	}
	return nil, nil, C.EMBWS_ERR_HANDLE
}

// free takes a handle out of use, if it stands for a T or for nothing any more after a panic.
func free[T any](handle uintptr) C.int32_t {
	e := find(handle)
	if e == nil {
		return C.EMBWS_ERR_HANDLE
	}
	switch e.object.(type) {
	case *T, dead[T]:
	default:
		return C.EMBWS_ERR_HANDLE
	}
	if !e.handle.CompareAndSwap(handle, 0) {
		return C.EMBWS_ERR_HANDLE
	}
	slot(handle).CompareAndSwap(e, nil)
	e.object = nil

	p := *(*unsafe.Pointer)(unsafe.Pointer(&handle))
	freed.Lock()
	defer freed.Unlock()
	oldest := freed.handles[freed.next]
	freed.handles[freed.next] = p
	freed.next = (freed.next + 1) % freedHandles
	pointer.Unref(oldest)
	return C.EMBWS_OK
}

// contain is deferred by every exported function: a panic, which is a defect of this library, ends the handle that was
// in use and nothing else.
func (e *entry) contain(status *C.int32_t) {
	if recover() != nil {
		if e != nil {
			e.die()
		}
		*status = C.EMBWS_ERR_INTERNAL
	}
}

// die leaves of the object only its type.
func (e *entry) die() {
	switch e.object.(type) {
	case *codec:
		e.object = dead[codec]{}
	case *session:
		e.object = dead[session]{}
	case *serverHandshake:
		e.object = dead[serverHandshake]{}
	case *clientHandshake:
		e.object = dead[clientHandshake]{}
	}
}

// contain is the same where no handle is in use.
func contain(status *C.int32_t) {
	if recover() != nil {
		*status = C.EMBWS_ERR_INTERNAL
	}
}
