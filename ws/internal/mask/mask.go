// Package mask holds the masking kernels (RFC 6455 5.3). A key is a uint32 whose lowest 8 bits are the first
// byte on the wire. Each kernel loads its last bytes first and stores them last, with the key turned to their
// place, so that no length needs a loop over single bytes.
package mask

import (
	"encoding/binary"
	"math/bits"
)

// nonASCII has the top bit of each of 8 bytes.
const nonASCII = 0x8080808080808080

// Rotate returns key as it stands after n more bytes.
func Rotate(key uint32, n int) uint32 { return bits.RotateLeft32(key, -8*(n&3)) }

func wide(key uint32) uint64 { return uint64(key)<<32 | uint64(key) }

func load(b []byte) uint64     { return binary.LittleEndian.Uint64(b) }
func store(b []byte, v uint64) { binary.LittleEndian.PutUint64(b, v) }

// XOR masks b in place.
func XOR(b []byte, key uint32) {
	n := len(b)
	if n < 8 {
		small(b, b, key)
		return
	}
	k := wide(key)
	last := b[n-8:]
	tail := load(last) ^ wide(Rotate(key, n-8))
	for len(b) >= 64 {
		v := (*[64]byte)(b)
		store(v[0:8], load(v[0:8])^k)
		store(v[8:16], load(v[8:16])^k)
		store(v[16:24], load(v[16:24])^k)
		store(v[24:32], load(v[24:32])^k)
		store(v[32:40], load(v[32:40])^k)
		store(v[40:48], load(v[40:48])^k)
		store(v[48:56], load(v[48:56])^k)
		store(v[56:64], load(v[56:64])^k)
		b = b[64:]
	}
	for len(b) >= 8 {
		store(b, load(b)^k)
		b = b[8:]
	}
	store(last, tail)
}

// Copy writes src to dst, masked, and returns len(src). dst must have at least as many bytes, and is either the
// same memory as src or apart from it.
func Copy(dst, src []byte, key uint32) int {
	n := len(src)
	dst = dst[:n]
	if n < 8 {
		small(dst, src, key)
		return n
	}
	k := wide(key)
	last := dst[n-8:]
	tail := load(src[n-8:]) ^ wide(Rotate(key, n-8))
	if n <= 16 {
		store(dst, load(src)^k)
		store(last, tail)
		return n
	}
	for len(src) >= 32 && len(dst) >= 32 {
		v, w := (*[32]byte)(src), (*[32]byte)(dst)
		store(w[0:8], load(v[0:8])^k)
		store(w[8:16], load(v[8:16])^k)
		store(w[16:24], load(v[16:24])^k)
		store(w[24:32], load(v[24:32])^k)
		src, dst = src[32:], dst[32:]
	}
	for len(src) >= 8 && len(dst) >= 8 {
		store(dst, load(src)^k)
		src, dst = src[8:], dst[8:]
	}
	store(last, tail)
	return n
}

// small masks fewer than 8 bytes.
func small(dst, src []byte, key uint32) {
	n := len(src)
	dst = dst[:n]
	switch {
	case n >= 4:
		tail := binary.LittleEndian.Uint32(src[n-4:]) ^ Rotate(key, n)
		binary.LittleEndian.PutUint32(dst, binary.LittleEndian.Uint32(src)^key)
		binary.LittleEndian.PutUint32(dst[n-4:], tail)
	case n > 0:
		dst[0] = src[0] ^ byte(key)
		if n > 1 {
			dst[1] = src[1] ^ byte(key>>8)
		}
		if n > 2 {
			dst[2] = src[2] ^ byte(key>>16)
		}
	}
}

// XORText masks b in place and reports whether the result is all ASCII, in the same pass.
func XORText(b []byte, key uint32) (ascii bool) {
	n := len(b)
	if n < 8 {
		small(b, b, key)
		var or byte
		for _, x := range b {
			or |= x
		}
		return or < 0x80
	}
	k := wide(key)
	last := b[n-8:]
	tail := load(last) ^ wide(Rotate(key, n-8))
	or := tail
	for len(b) >= 32 {
		v := (*[32]byte)(b)
		x0 := load(v[0:8]) ^ k
		x1 := load(v[8:16]) ^ k
		x2 := load(v[16:24]) ^ k
		x3 := load(v[24:32]) ^ k
		store(v[0:8], x0)
		store(v[8:16], x1)
		store(v[16:24], x2)
		store(v[24:32], x3)
		or |= x0 | x1 | x2 | x3
		b = b[32:]
	}
	for len(b) >= 8 {
		x := load(b) ^ k
		store(b, x)
		or |= x
		b = b[8:]
	}
	store(last, tail)
	return or&nonASCII == 0
}
