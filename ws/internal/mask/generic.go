//go:build !amd64 || purego || tinygo

package mask

// This file stands in for the kernels of processors that have none here.

const (
	hasWide  = false
	wideFrom = 1 << 30
)

func xorWide([]byte, uint32) int                 { return 0 }
func copyWide(_, _ []byte, _ uint32) int         { return 0 }
func xorTextWide([]byte, uint32) (n int, _ bool) { return 0, true }
