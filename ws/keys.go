package ws

// This file holds the random bytes: masking keys (rules 25 and 95) and the nonce of a client's handshake.

import (
	"encoding/binary"
	"io"
)

// Keys gives masking keys: fresh bytes of a cryptographic random source for each frame (RFC 6455 5.3, 10.3),
// taken from a pool that is refilled in blocks. No byte is used twice.
//
// Keys belongs to the caller and lies outside of the Codec, so that many codecs of one goroutine can share one
// pool. It has one user at a time. The zero value is ready and draws on crypto/rand.
type Keys struct {
	// Source fills memory with unpredictable bytes, such as crypto/rand.Reader or a *math/rand/v2.ChaCha8 with a
	// random seed. nil means crypto/rand, or no source at all when built with the tag embws_norand. If it fails,
	// so does the call that needed it, with ErrRandom: never is a weak key used. (Since Go 1.24 a failing
	// crypto/rand ends the process.)
	Source io.Reader

	pool [KeyPoolSize]byte
	left uint32
}

// KeyPoolSize is how many bytes a Keys holds in store: four a frame.
const KeyPoolSize = 512

// next returns a new masking key in the order of the wire's bytes, the first in the lowest 8 bits.
func (k *Keys) next() (key uint32, err *Error) {
	if k.left < 4 {
		if err := fill(k.Source, k.pool[:]); err != nil {
			return 0, err
		}
		k.left = KeyPoolSize
	}
	return k.take(), nil
}

// take returns the next key of a pool that has one.
func (k *Keys) take() uint32 {
	key := binary.LittleEndian.Uint32(k.pool[(KeyPoolSize-k.left)%KeyPoolSize&^3:])
	k.left -= 4
	return key
}

// read fills p from the source itself, past the pool: the nonce of a handshake is drawn once in a connection.
func (k *Keys) read(p []byte) *Error {
	if k == nil {
		return fill(nil, p)
	}
	return fill(k.Source, p)
}

// fill fills p from src, or from the default source. A source that keeps giving nothing is a failing one.
func fill(src io.Reader, p []byte) *Error {
	if src == nil {
		return fillDefault(p)
	}
	for idle := 0; len(p) > 0; {
		n, err := src.Read(p)
		if n < 0 || n > len(p) {
			return ErrRandom
		}
		p = p[n:]
		if err != nil && len(p) > 0 {
			return ErrRandom
		}
		if n > 0 {
			idle = 0
		} else if idle++; idle == 100 {
			return ErrRandom
		}
	}
	return nil
}
