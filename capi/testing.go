//go:build embws_test

package main

// This file is only in the build for the project's own tests; tests/capi/embws_test.h declares what C sees of it.

// #cgo CFLAGS: -DEMBWS_TEST
// #include "shim.h"
import "C"

import "runtime"

//export goTestPanic
func goTestPanic(handle C.uintptr_t) (status C.int32_t) {
	h, e, status := lookup[codec](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	panic("on purpose")
}

//export goTestMallocs
func goTestMallocs() C.uint64_t {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return C.uint64_t(m.Mallocs)
}

//export goTestHeap
func goTestHeap() C.uint64_t {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return C.uint64_t(m.HeapAlloc)
}
