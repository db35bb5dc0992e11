package main

// This file holds the rows of unmasking alone.

import (
	"encoding/binary"
	"fmt"

	"github.com/embws/embws/ws"
	gobwas "github.com/gobwas/ws"
)

var maskRows = []func() *row{
	maskRow("16 B", 16), maskRow("125 B", 125), maskRow("1 KiB", 1<<10), maskRow("64 KiB", 64<<10),
}

func keyWord(key []byte) uint32 { return binary.LittleEndian.Uint32(key) }

func maskRow(what string, size int) func() *row {
	return func() *row {
		r := &row{
			name: fmt.Sprintf("unmask %s in place", what),
			contract: "The same buffer again and again, in the cache, from its first byte on. embws, coder, gorilla and gws are Go; " +
				"gobwas has assembly on amd64 (AVX2 or SSE2) and arm64, unless built with the tag purego.",
			units: 1, bytes: size,
		}
		key := [4]byte{0x37, 0xFA, 0x21, 0x3D}
		r.want = func(int) []byte { // an odd number of times
			p := pattern(size)
			for i := range p {
				p[i] ^= key[i&3]
			}
			return p
		}
		add := func(name string, loop func(steps int, p []byte)) {
			p := pattern(size)
			r.cands = append(r.cands, &candidate{
				name:   name,
				loop:   func(steps int) { loop(steps, p) },
				result: func() []byte { return p },
			})
		}
		add("embws Mask", func(steps int, p []byte) {
			for range steps {
				ws.Mask(p, key, 0)
			}
		})
		add("gobwas Cipher", func(steps int, p []byte) {
			for range steps {
				gobwas.Cipher(p, key, 0)
			}
		})
		add(coderName, func(steps int, p []byte) {
			for range steps {
				coderMask(p, keyWord(key[:]))
			}
		})
		add("gorilla maskBytes", func(steps int, p []byte) {
			for range steps {
				gorillaMask(key, 0, p)
			}
		})
		add("gws MaskXOR", func(steps int, p []byte) {
			for range steps {
				gwsMask(p, key[:])
			}
		})
		if size == 1<<10 {
			r.goals = []goal{{coderName, 0.95}}
		}
		return r
	}
}

const coderName = "coder maskGo"
