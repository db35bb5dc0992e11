//go:build embws_norand

package ws

// fillDefault fails: this build has no random source of its own, so Keys.Source must be set.
func fillDefault([]byte) *Error { return ErrRandom }
