package mask

// The blocks are kernels of a fixed size that are inlined: they mask the head of src into dst, which lies
// apart, with a key in both halves of a word.

import "encoding/binary"

// Block16 masks 16 bytes.
func Block16(dst, src []byte, k uint64) {
	v, w := (*[16]byte)(src), (*[16]byte)(dst)
	binary.LittleEndian.PutUint64(w[:8], binary.LittleEndian.Uint64(v[:8])^k)
	binary.LittleEndian.PutUint64(w[8:16], binary.LittleEndian.Uint64(v[8:16])^k)
}

// Block32 masks 32 bytes.
func Block32(dst, src []byte, k uint64) {
	v, w := (*[32]byte)(src), (*[32]byte)(dst)
	binary.LittleEndian.PutUint64(w[:8], binary.LittleEndian.Uint64(v[:8])^k)
	binary.LittleEndian.PutUint64(w[8:16], binary.LittleEndian.Uint64(v[8:16])^k)
	binary.LittleEndian.PutUint64(w[16:24], binary.LittleEndian.Uint64(v[16:24])^k)
	binary.LittleEndian.PutUint64(w[24:32], binary.LittleEndian.Uint64(v[24:32])^k)
}
