package ws

// This file holds the alphabet of an HTTP head: one table that says of each byte where it may stand, and the
// scans that are built on it.

import (
	"encoding/binary"
	"math/bits"
)

// What octets says of a byte. The low three bits are its class in a list of tokens (RFC 9110 5.6.1, 5.6.2);
// the others are flags.
const (
	classOther  = 0 // stands nowhere in a list
	classToken  = 1 // letters, digits, !#$%&'*+-.^_`|~
	classOWS    = 2 // space, horizontal tab
	classComma  = 3
	classSemi   = 4
	classEquals = 5
	classQuote  = 6
	classEscape = 7 // the backslash
	classMask   = 7

	octetHost   = 8  // of a host and port (RFC 3986 3.2.2, 3.2.3), brackets included
	octetTarget = 16 // of a request-target: visible ASCII but "#"
	octetText   = 32 // of a field value (RFC 9110 5.5): no control byte but the tab
	octetName   = 64 // of a host that is no IP literal: no bracket and no colon

	octetBase64 = 128 // of base64 (RFC 4648 4), the padding apart
)

// octets is the alphabet, sixteen bytes a row.
var octets = [256]uint8{
	0, 0, 0, 0, 0, 0, 0, 0, 0, 34, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	34, 121, 54, 33, 121, 121, 121, 121, 120, 120, 121, 249, 123, 121, 121, 176,
	249, 249, 249, 249, 249, 249, 249, 249, 249, 249, 56, 124, 48, 125, 48, 48,
	48, 249, 249, 249, 249, 249, 249, 249, 249, 249, 249, 249, 249, 249, 249, 249,
	249, 249, 249, 249, 249, 249, 249, 249, 249, 249, 249, 56, 55, 56, 49, 121,
	49, 249, 249, 249, 249, 249, 249, 249, 249, 249, 249, 249, 249, 249, 249, 249,
	249, 249, 249, 249, 249, 249, 249, 249, 249, 249, 249, 48, 49, 48, 121, 0,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
}

func isToken(c byte) bool { return octets[c]&classMask == classToken }

// lower returns c in lower case if it is an ASCII letter.
func lower(c byte) byte {
	if c-'A' < 26 {
		c |= 0x20
	}
	return c
}

const (
	eachByte = 0x0101010101010101
	highBits = 0x8080808080808080
)

// notText marks, by their high bits, the control bytes, the tab among them.
func notText(x uint64) uint64 {
	next := x&^highBits + eachByte // has the high bit of a DEL, and adding 0x5F gives it to all from 0x20 up
	return (next | ^(next + 0x5F*eachByte)) &^ x
}

// notName marks, by their high bits, all bytes but letters and dashes: those that names are mostly made of.
func notName(x uint64) uint64 {
	folded := x&^highBits | 0x20*eachByte
	letter := (folded + 0x1F*eachByte) &^ (folded + 0x05*eachByte)
	other := (x^0x2D*eachByte)&^highBits + 0x7F*eachByte
	return other&^letter | x
}

// textRun returns how many bytes at the start of b may stand in a field value: those before the first control byte that
// is not a tab. It looks at eight bytes at a time, and at the last of them one by one: what follows can then begin
// before the end is known for sure, because branches are foretold and numbers are not.
func textRun(b []byte) int {
	i := 0
	for {
		for i <= len(b)-8 && notText(binary.LittleEndian.Uint64(b[i:i+8]))&highBits == 0 {
			i += 8
		}
		last := min(i+8, len(b))
		for i < last && octets[b[i]]&octetText != 0 {
			i++
		}
		if i < last || i == len(b) {
			return i
		}
	}
}

// tokenRun returns how many bytes at the start of b are token bytes.
func tokenRun(b []byte) int {
	i := 0
	for ; i <= len(b)-8; i += 8 {
		if hit := notName(binary.LittleEndian.Uint64(b[i:i+8])) & highBits; hit != 0 {
			i += bits.TrailingZeros64(hit) >> 3
			break
		}
	}
	for i < len(b) && isToken(b[i]) {
		i++
	}
	return i
}

// foldEqual reports whether name, of token bytes only, is want in any case. want is lower case letters and
// dashes and has the length of name: among tokens, only they turn into themselves when bit 5 is set.
func foldEqual(name []byte, want string) bool {
	const fold = 0x20 * eachByte
	n := len(name)
	if n != len(want) || n == 0 || name[0]|0x20 != want[0] {
		return false
	}
	if n < 8 {
		for i := 0; i < n; i++ {
			if name[i]|0x20 != want[i] {
				return false
			}
		}
		return true
	}
	i := 0
	for ; i < n-8; i += 8 {
		if binary.LittleEndian.Uint64(name[i:i+8])|fold != load64(want[i:i+8]) {
			return false
		}
	}
	return binary.LittleEndian.Uint64(name[n-8:])|fold == load64(want[n-8:])
}

// load64 loads the first eight bytes of s; the compiler makes one load of it.
func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// text is what the emitters and the checks of arguments take: a caller's string, or bytes out of the store.
type text interface{ string | []byte }

// equalFold reports whether a and b are the same but for the case of ASCII letters.
func equalFold[A, B text](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// sameBytes reports whether a and b hold the same bytes.
func sameBytes[A, B text](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// all reports whether every byte of s has one of the flags.
func all[T text](s T, flags uint8) bool {
	for i := 0; i < len(s); i++ {
		if octets[s[i]]&flags == 0 {
			return false
		}
	}
	return true
}

// tokenString reports whether s is a token: not empty, and of token bytes only.
func tokenString[T text](s T) bool {
	for i := 0; i < len(s); i++ {
		if !isToken(s[i]) {
			return false
		}
	}
	return len(s) > 0
}

// validHost reports whether s is a host with an optional port (RFC 9110 7.2): not empty, of the bytes of
// RFC 3986 3.2.2, brackets only around an IP literal, and digits only behind the colon.
func validHost[T text](s T) bool {
	i := 0
	if len(s) > 0 && s[0] == '[' {
		for i = 1; i < len(s) && s[i] != ']'; i++ {
			if octets[s[i]]&octetHost == 0 || s[i] == '[' {
				return false
			}
		}
		if i == len(s) || i == 1 {
			return false
		}
		i++
	} else {
		for i < len(s) && octets[s[i]]&octetName != 0 {
			i++
		}
	}
	if i == len(s) {
		return i > 0
	}
	if i == 0 || s[i] != ':' {
		return false
	}
	for i++; i < len(s); i++ {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return true
}
