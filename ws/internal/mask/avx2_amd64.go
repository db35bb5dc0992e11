//go:build !purego && !tinygo

package mask

// This file holds the kernels for long payloads on processors with AVX2: 32 bytes at a time, the stores aligned, for one
// that crosses a cache line costs two.

import "unsafe"

// wideFrom is the length, in bytes, from which these kernels are faster than the loops of mask.go.
const wideFrom = 128

// xorBlocks masks n bytes of src into dst; n is a multiple of 32.
//
//go:noescape
func xorBlocks(dst, src *byte, n int, key uint64)

// xorTextBlocks masks n bytes in place; n is a multiple of 32. The result is 0 if all are ASCII.
//
//go:noescape
func xorTextBlocks(p *byte, n int, key uint64) (seen uint32)

func cpuid(leaf, subleaf uint32) (ebx, ecx uint32)

func xgetbv() (eax uint32)

// hasWide tells whether the processor has AVX2, and the system saves its registers.
var hasWide = func() bool {
	const osxsave, avx, avx2, registers = 1 << 27, 1 << 28, 1 << 5, 2 | 4
	if _, ecx := cpuid(1, 0); ecx&osxsave == 0 || ecx&avx == 0 || xgetbv()&registers != registers {
		return false
	}
	ebx, _ := cpuid(7, 0)
	return ebx&avx2 != 0
}()

// toAligned returns how many bytes lie before the first whose address is a multiple of 32.
func toAligned(p *byte) int { return int(-uintptr(unsafe.Pointer(p)) & 31) }

// xorWide masks the head of b, which has at least wideFrom bytes, and returns how much that was: all but the last few.
func xorWide(b []byte, key uint32) int {
	head := toAligned(&b[0])
	XOR(b[:head], key)
	n := (len(b) - head) &^ 31
	xorBlocks(&b[head], &b[head], n, wide(Rotate(key, head)))
	return head + n
}

// copyWide is xorWide from src to dst.
func copyWide(dst, src []byte, key uint32) int {
	head := toAligned(&dst[0])
	Copy(dst[:head], src[:head], key)
	n := (len(src) - head) &^ 31
	xorBlocks(&dst[head], &src[head], n, wide(Rotate(key, head)))
	return head + n
}

// xorTextWide is xorWide, and reports whether all of it is ASCII.
func xorTextWide(b []byte, key uint32) (n int, ascii bool) {
	head := toAligned(&b[0])
	ascii = XORText(b[:head], key)
	n = (len(b) - head) &^ 31
	seen := xorTextBlocks(&b[head], n, wide(Rotate(key, head)))
	return head + n, ascii && seen == 0
}
