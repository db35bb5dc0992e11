package main

// This file reaches the masking loops that the peers keep to themselves. The linker lets it (linkname.s is what lets the
// compiler), because the functions belong to modules and not to the standard library.

import _ "unsafe" // for go:linkname

// coderMask is what coder/websocket 1.8.15 masks with on every architecture: Go, 128 bytes a turn. Its assembly is
// switched off in that version.
//
//go:noescape
//go:linkname coderMask github.com/coder/websocket.maskGo
func coderMask(b []byte, key uint32) uint32

//go:noescape
//go:linkname gorillaMask github.com/gorilla/websocket.maskBytes
func gorillaMask(key [4]byte, pos int, b []byte) int

//go:noescape
//go:linkname gwsMask github.com/lxzan/gws/internal.MaskXOR
func gwsMask(b, key []byte)
