//go:build !embws_norand

package ws

import "crypto/rand"

// fillDefault fills p from crypto/rand. The tag embws_norand leaves this file, and that package, out.
func fillDefault(p []byte) *Error {
	if _, err := rand.Read(p); err != nil {
		return ErrRandom
	}
	return nil
}
