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

// The loops below call encoding/binary and nothing of their own: each level of inlining leaves an instruction
// that does nothing beside each load and store, and costs a fifth of the time.

// XOR masks b in place.
func XOR(b []byte, key uint32) {
	n := len(b)
	if n < 8 {
		if n >= 4 {
			tail := binary.LittleEndian.Uint32(b[n-4:]) ^ Rotate(key, n)
			binary.LittleEndian.PutUint32(b, binary.LittleEndian.Uint32(b)^key)
			binary.LittleEndian.PutUint32(b[n-4:], tail)
			return
		}
		for i := range b {
			b[i] ^= byte(key)
			key >>= 8
		}
		return
	}
	if hasWide && n >= wideFrom {
		done := xorWide(b, key)
		XOR(b[done:], Rotate(key, done))
		return
	}
	k := wide(key)
	last := b[n-8:]
	tail := binary.LittleEndian.Uint64(last) ^ wide(Rotate(key, n))
	for len(b) >= 128 {
		v := binary.LittleEndian.Uint64(b)
		binary.LittleEndian.PutUint64(b, v^k)
		v = binary.LittleEndian.Uint64(b[8:16])
		binary.LittleEndian.PutUint64(b[8:16], v^k)
		v = binary.LittleEndian.Uint64(b[16:24])
		binary.LittleEndian.PutUint64(b[16:24], v^k)
		v = binary.LittleEndian.Uint64(b[24:32])
		binary.LittleEndian.PutUint64(b[24:32], v^k)
		v = binary.LittleEndian.Uint64(b[32:40])
		binary.LittleEndian.PutUint64(b[32:40], v^k)
		v = binary.LittleEndian.Uint64(b[40:48])
		binary.LittleEndian.PutUint64(b[40:48], v^k)
		v = binary.LittleEndian.Uint64(b[48:56])
		binary.LittleEndian.PutUint64(b[48:56], v^k)
		v = binary.LittleEndian.Uint64(b[56:64])
		binary.LittleEndian.PutUint64(b[56:64], v^k)
		v = binary.LittleEndian.Uint64(b[64:72])
		binary.LittleEndian.PutUint64(b[64:72], v^k)
		v = binary.LittleEndian.Uint64(b[72:80])
		binary.LittleEndian.PutUint64(b[72:80], v^k)
		v = binary.LittleEndian.Uint64(b[80:88])
		binary.LittleEndian.PutUint64(b[80:88], v^k)
		v = binary.LittleEndian.Uint64(b[88:96])
		binary.LittleEndian.PutUint64(b[88:96], v^k)
		v = binary.LittleEndian.Uint64(b[96:104])
		binary.LittleEndian.PutUint64(b[96:104], v^k)
		v = binary.LittleEndian.Uint64(b[104:112])
		binary.LittleEndian.PutUint64(b[104:112], v^k)
		v = binary.LittleEndian.Uint64(b[112:120])
		binary.LittleEndian.PutUint64(b[112:120], v^k)
		v = binary.LittleEndian.Uint64(b[120:128])
		binary.LittleEndian.PutUint64(b[120:128], v^k)
		b = b[128:]
	}
	if len(b) >= 64 {
		v := binary.LittleEndian.Uint64(b)
		binary.LittleEndian.PutUint64(b, v^k)
		v = binary.LittleEndian.Uint64(b[8:16])
		binary.LittleEndian.PutUint64(b[8:16], v^k)
		v = binary.LittleEndian.Uint64(b[16:24])
		binary.LittleEndian.PutUint64(b[16:24], v^k)
		v = binary.LittleEndian.Uint64(b[24:32])
		binary.LittleEndian.PutUint64(b[24:32], v^k)
		v = binary.LittleEndian.Uint64(b[32:40])
		binary.LittleEndian.PutUint64(b[32:40], v^k)
		v = binary.LittleEndian.Uint64(b[40:48])
		binary.LittleEndian.PutUint64(b[40:48], v^k)
		v = binary.LittleEndian.Uint64(b[48:56])
		binary.LittleEndian.PutUint64(b[48:56], v^k)
		v = binary.LittleEndian.Uint64(b[56:64])
		binary.LittleEndian.PutUint64(b[56:64], v^k)
		b = b[64:]
	}
	for len(b) >= 16 {
		v := binary.LittleEndian.Uint64(b)
		binary.LittleEndian.PutUint64(b, v^k)
		v = binary.LittleEndian.Uint64(b[8:16])
		binary.LittleEndian.PutUint64(b[8:16], v^k)
		b = b[16:]
	}
	if len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^k)
	}
	binary.LittleEndian.PutUint64(last, tail)
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
	if hasWide && n >= wideFrom {
		done := copyWide(dst, src, key)
		Copy(dst[done:], src[done:], Rotate(key, done))
		return n
	}
	k := wide(key)
	last := dst[n-8:]
	tail := binary.LittleEndian.Uint64(src[n-8:]) ^ wide(Rotate(key, n))
	if n <= 16 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^k)
		binary.LittleEndian.PutUint64(last, tail)
		return n
	}
	for len(src) >= 64 && len(dst) >= 64 {
		v := binary.LittleEndian.Uint64(src)
		binary.LittleEndian.PutUint64(dst, v^k)
		v = binary.LittleEndian.Uint64(src[8:16])
		binary.LittleEndian.PutUint64(dst[8:16], v^k)
		v = binary.LittleEndian.Uint64(src[16:24])
		binary.LittleEndian.PutUint64(dst[16:24], v^k)
		v = binary.LittleEndian.Uint64(src[24:32])
		binary.LittleEndian.PutUint64(dst[24:32], v^k)
		v = binary.LittleEndian.Uint64(src[32:40])
		binary.LittleEndian.PutUint64(dst[32:40], v^k)
		v = binary.LittleEndian.Uint64(src[40:48])
		binary.LittleEndian.PutUint64(dst[40:48], v^k)
		v = binary.LittleEndian.Uint64(src[48:56])
		binary.LittleEndian.PutUint64(dst[48:56], v^k)
		v = binary.LittleEndian.Uint64(src[56:64])
		binary.LittleEndian.PutUint64(dst[56:64], v^k)
		src, dst = src[64:], dst[64:]
	}
	for len(src) >= 16 && len(dst) >= 16 {
		v := binary.LittleEndian.Uint64(src)
		binary.LittleEndian.PutUint64(dst, v^k)
		v = binary.LittleEndian.Uint64(src[8:16])
		binary.LittleEndian.PutUint64(dst[8:16], v^k)
		src, dst = src[16:], dst[16:]
	}
	if len(src) >= 8 && len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^k)
	}
	binary.LittleEndian.PutUint64(last, tail)
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
	if hasWide && n >= wideFrom {
		done, ascii := xorTextWide(b, key)
		return XORText(b[done:], Rotate(key, done)) && ascii
	}
	k := wide(key)
	last := b[n-8:]
	tail := binary.LittleEndian.Uint64(last) ^ wide(Rotate(key, n))
	or := tail
	for len(b) >= 32 {
		v := b[:32:32]
		x0 := binary.LittleEndian.Uint64(v) ^ k
		x1 := binary.LittleEndian.Uint64(v[8:]) ^ k
		x2 := binary.LittleEndian.Uint64(v[16:]) ^ k
		x3 := binary.LittleEndian.Uint64(v[24:]) ^ k
		binary.LittleEndian.PutUint64(v, x0)
		binary.LittleEndian.PutUint64(v[8:], x1)
		binary.LittleEndian.PutUint64(v[16:], x2)
		binary.LittleEndian.PutUint64(v[24:], x3)
		or |= x0 | x1 | (x2 | x3)
		b = b[32:]
	}
	for len(b) >= 8 {
		v := binary.LittleEndian.Uint64(b) ^ k
		or |= v
		binary.LittleEndian.PutUint64(b, v)
		b = b[8:]
	}
	binary.LittleEndian.PutUint64(last, tail)
	return or&nonASCII == 0
}
