package mask

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// naive masks byte by byte, as RFC 6455 5.3 writes it.
func naive(p []byte, key uint32) []byte {
	out := bytes.Clone(p)
	for i := range out {
		out[i] ^= byte(key >> (8 * (i % 4)))
	}
	return out
}

// sample returns n bytes between two canaries, and the whole.
func sample(n, align int) (p, whole []byte) {
	whole = make([]byte, n+align+16)
	for i := range whole {
		whole[i] = byte(i*7 + 3)
	}
	return whole[align+8 : align+8+n], whole
}

func TestKernels_EveryLengthAndAlignment(t *testing.T) {
	const key = 0x9ABCDE21
	const aligns = 32 // of the widest kernel
	for n := 0; n <= 300; n++ {
		for align := 0; align < aligns; align++ {
			p, whole := sample(n, align)
			orig, want := bytes.Clone(whole), naive(p, key)

			dst, dstWhole := sample(n, aligns-1-align)
			dstOrig := bytes.Clone(dstWhole)
			require.Equal(t, n, Copy(dst, p, key))
			require.Equal(t, want, dst, "Copy of %d", n)
			copy(dstOrig[8+aligns-1-align:], dst)
			require.Equal(t, dstOrig, dstWhole, "Copy of %d wrote outside", n)
			require.Equal(t, orig, whole, "Copy of %d changed its source", n)

			XOR(p, key)
			require.Equal(t, want, p, "XOR of %d", n)
			copy(orig[align+8:], p)
			require.Equal(t, orig, whole, "XOR of %d wrote outside", n)

			Copy(p, p, key)
			XORText(p, key)
			require.Equal(t, want, p, "XORText of %d", n)
			require.Equal(t, orig, whole, "XORText of %d wrote outside", n)
		}
	}
}

func TestXORText_SeesEveryNonASCIIByte(t *testing.T) {
	const key = 0x01FF8042
	for n := 0; n <= 420; n++ {
		if n == 100 {
			n = 124 // the wide kernels begin at 128
		}
		text := bytes.Repeat([]byte{'a'}, n)
		masked := naive(text, key)
		require.True(t, XORText(masked, key))
		for i := range text {
			masked = naive(text, key)
			masked[i] ^= 0x80
			require.False(t, XORText(masked, key), "length %d, byte %d", n, i)
		}
	}
}

func TestRotate_GoesOnWhereTheLastPieceEnded(t *testing.T) {
	const key = 0x9ABCDE21
	p, _ := sample(40, 0)
	want := naive(p, key)
	for i := range p {
		q := bytes.Clone(p)
		XOR(q[:i], key)
		XOR(q[i:], Rotate(key, i))
		require.Equal(t, want, q, "split at %d", i)
	}
}

func BenchmarkXOR(b *testing.B) {
	for _, n := range []int{16, 125, 1024, 65536} {
		p := make([]byte, n)
		b.Run(string(rune('0'+len(p)%10)), func(b *testing.B) {
			b.SetBytes(int64(n))
			for i := 0; i < b.N; i++ {
				XOR(p, 0x12345678)
			}
		})
	}
}

func TestBlocks_MaskTheirSizeAndNoMore(t *testing.T) {
	const key = 0x9ABCDE21
	for size, block := range map[int]func(dst, src []byte, k uint64){16: Block16, 32: Block32} {
		src, _ := sample(size+8, 0)
		dst := make([]byte, size+8)
		block(dst, src, wide(key))
		require.Equal(t, append(naive(src[:size], key), make([]byte, 8)...), dst)
	}
}
