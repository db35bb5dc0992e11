// Command capi is libembws: package ws behind the C interface of include/embws.h. It is built by
// go build -buildmode=c-shared or c-archive, and holds no protocol logic.
//
// A call passes through three layers. The functions of embws.h are C, in the .c files here: they check the arguments,
// answer what needs no Go, and refuse to work in a forked child. They call the exported functions of the .go files,
// which find the object behind a handle (handle.go), turn C memory into slices for the time of the call, and call
// package ws. What C is told lies in memory of the caller: no Go pointer ever reaches C.
package main

// #cgo CFLAGS: -I${SRCDIR}/../include -Wall -O2 -fvisibility=hidden
// #cgo windows LDFLAGS: -ladvapi32
import "C"

import "runtime"

func main() {}

// goSchedule lets the scheduler run, for embws_keep_pace.
//
//export goSchedule
func goSchedule() { runtime.Gosched() }
