package ws

// This file computes Sec-WebSocket-Accept (RFC 6455 4.2.2, rule 21): SHA-1 over the key and a fixed text, and
// base64. Both are our own few lines: crypto/sha1 refuses to work under fips140=only, though nothing here rests
// on SHA-1's strength, and it pulls in most of crypto.

import (
	"encoding/binary"
	"math/bits"
)

const (
	keySize    = 24 // of Sec-WebSocket-Key: 16 bytes in base64
	acceptSize = 28 // of Sec-WebSocket-Accept: 20 bytes in base64
)

// base64Alphabet is that of RFC 4648 4.
const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// sha1K are the constants of SHA-1's four times twenty rounds (FIPS 180-4 4.2.1). They are loaded, as nothing that the
// compiler knows: it adds constants last, and the path from a to the next a would be longer by half.
var sha1K = [4]uint32{0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6}

// acceptSecondBlock is that of the second block. A key and the text are 60 bytes, so this block is nothing but padding
// and the length, the same for every key. It is made by expanding fifteen zero words and the word 480.
var acceptSecondBlock = [80]uint32{
	0x0, 0x0, 0x0, 0x0, 0x0,
	0x0, 0x0, 0x0, 0x0, 0x0,
	0x0, 0x0, 0x0, 0x0, 0x0,
	0x1e0, 0x0, 0x0, 0x3c0, 0x0,
	0x0, 0x780, 0x0, 0x3c0, 0xf00,
	0x0, 0x0, 0x1e00, 0x0, 0xcc0,
	0x3c00, 0x440, 0x0, 0x7800, 0xf00,
	0x3300, 0xf000, 0xf00, 0x0, 0x1ef00,
	0x0, 0xcc00, 0x3c000, 0x4380, 0x0,
	0x78f00, 0xff00, 0x32680, 0xf0000, 0xf000,
	0x3300, 0x1eff00, 0x0, 0xcb800, 0x3c0000,
	0x40b00, 0xf000, 0x78ff00, 0xff000, 0x338700,
	0xf00000, 0xfc300, 0xf000, 0x1efbb00, 0x0,
	0xcc0000, 0x3c0f000, 0x438000, 0x0, 0x78f0000,
	0xff0000, 0x3269e00, 0xf000000, 0xf0f000, 0x333c00,
	0x1eff8800, 0x0, 0xcb88800, 0x3c00f000, 0x40a4a00,
}

// acceptKey writes to accept what answers key: base64(SHA-1(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")).
func acceptKey(accept *[acceptSize]byte, key *[keySize]byte) {
	var w [80]uint32
	for i := 0; i < 6; i++ {
		w[i] = binary.BigEndian.Uint32(key[4*i:])
	}
	w[6], w[7], w[8] = 0x32353845, 0x41464135, 0x2d453931
	w[9], w[10], w[11] = 0x342d3437, 0x44412d39, 0x3543412d
	w[12], w[13], w[14] = 0x43354142, 0x30444338, 0x35423131
	w[15] = 0x80000000
	a, b, c := w[13], w[14], w[15] // the last three words, kept out of memory
	for i := 16; i < 79; i += 3 {
		a = bits.RotateLeft32(a^w[i-8]^(w[i-14]^w[i-16]), 1)
		b = bits.RotateLeft32(b^w[i-7]^(w[i-13]^w[i-15]), 1)
		c = bits.RotateLeft32(c^w[i-6]^(w[i-12]^w[i-14]), 1)
		w[i], w[i+1], w[i+2] = a, b, c
	}
	w[79] = bits.RotateLeft32(a^w[71]^w[65]^w[63], 1)
	h := [5]uint32{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0}
	sha1Rounds(&h, &w)
	sha1Rounds(&h, &acceptSecondBlock)

	var sum [21]byte // one zero byte more, so that the last group is like the others
	for i, v := range h {
		binary.BigEndian.PutUint32(sum[4*i:], v)
	}
	for i, j := 0, 0; i < len(sum); i, j = i+3, j+4 {
		v := uint32(sum[i])<<16 | uint32(sum[i+1])<<8 | uint32(sum[i+2])
		accept[j] = base64Alphabet[v>>18]
		accept[j+1] = base64Alphabet[v>>12&63]
		accept[j+2] = base64Alphabet[v>>6&63]
		accept[j+3] = base64Alphabet[v&63]
	}
	accept[acceptSize-1] = '='
}

// sha1Rounds takes one block into h (FIPS 180-4 6.1.2). Five rounds a step, so that the five words change their roles
// without being moved; the sums are in the order in which their parts become known.
func sha1Rounds(h *[5]uint32, w *[80]uint32) {
	a, b, c, d, e := h[0], h[1], h[2], h[3], h[4]
	add := sha1K[0]
	for i := 0; i < 20; i += 5 {
		k := w[i : i+5 : i+5]
		e = (e + k[0] + add + (d ^ b&(c^d))) + bits.RotateLeft32(a, 5)
		b = bits.RotateLeft32(b, 30)
		d = (d + k[1] + add + (c ^ a&(b^c))) + bits.RotateLeft32(e, 5)
		a = bits.RotateLeft32(a, 30)
		c = (c + k[2] + add + (b ^ e&(a^b))) + bits.RotateLeft32(d, 5)
		e = bits.RotateLeft32(e, 30)
		b = (b + k[3] + add + (a ^ d&(e^a))) + bits.RotateLeft32(c, 5)
		d = bits.RotateLeft32(d, 30)
		a = (a + k[4] + add + (e ^ c&(d^e))) + bits.RotateLeft32(b, 5)
		c = bits.RotateLeft32(c, 30)
	}
	add = sha1K[1]
	for i := 20; i < 40; i += 5 {
		k := w[i : i+5 : i+5]
		e = (e + k[0] + add + (b ^ (c ^ d))) + bits.RotateLeft32(a, 5)
		b = bits.RotateLeft32(b, 30)
		d = (d + k[1] + add + (a ^ (b ^ c))) + bits.RotateLeft32(e, 5)
		a = bits.RotateLeft32(a, 30)
		c = (c + k[2] + add + (e ^ (a ^ b))) + bits.RotateLeft32(d, 5)
		e = bits.RotateLeft32(e, 30)
		b = (b + k[3] + add + (d ^ (e ^ a))) + bits.RotateLeft32(c, 5)
		d = bits.RotateLeft32(d, 30)
		a = (a + k[4] + add + (c ^ (d ^ e))) + bits.RotateLeft32(b, 5)
		c = bits.RotateLeft32(c, 30)
	}
	add = sha1K[2]
	for i := 40; i < 60; i += 5 {
		k := w[i : i+5 : i+5]
		e = (e + k[0] + add + (c&d | b&(c|d))) + bits.RotateLeft32(a, 5)
		b = bits.RotateLeft32(b, 30)
		d = (d + k[1] + add + (b&c | a&(b|c))) + bits.RotateLeft32(e, 5)
		a = bits.RotateLeft32(a, 30)
		c = (c + k[2] + add + (a&b | e&(a|b))) + bits.RotateLeft32(d, 5)
		e = bits.RotateLeft32(e, 30)
		b = (b + k[3] + add + (e&a | d&(e|a))) + bits.RotateLeft32(c, 5)
		d = bits.RotateLeft32(d, 30)
		a = (a + k[4] + add + (d&e | c&(d|e))) + bits.RotateLeft32(b, 5)
		c = bits.RotateLeft32(c, 30)
	}
	add = sha1K[3]
	for i := 60; i < 80; i += 5 {
		k := w[i : i+5 : i+5]
		e = (e + k[0] + add + (b ^ (c ^ d))) + bits.RotateLeft32(a, 5)
		b = bits.RotateLeft32(b, 30)
		d = (d + k[1] + add + (a ^ (b ^ c))) + bits.RotateLeft32(e, 5)
		a = bits.RotateLeft32(a, 30)
		c = (c + k[2] + add + (e ^ (a ^ b))) + bits.RotateLeft32(d, 5)
		e = bits.RotateLeft32(e, 30)
		b = (b + k[3] + add + (d ^ (e ^ a))) + bits.RotateLeft32(c, 5)
		d = bits.RotateLeft32(d, 30)
		a = (a + k[4] + add + (c ^ (d ^ e))) + bits.RotateLeft32(b, 5)
		c = bits.RotateLeft32(c, 30)
	}
	h[0] += a
	h[1] += b
	h[2] += c
	h[3] += d
	h[4] += e
}

// encodeKey writes nonce in base64: the value of Sec-WebSocket-Key (RFC 6455 4.1).
func encodeKey(key *[keySize]byte, nonce *[16]byte) {
	for i, j := 0, 0; i < 15; i, j = i+3, j+4 {
		v := uint32(nonce[i])<<16 | uint32(nonce[i+1])<<8 | uint32(nonce[i+2])
		key[j] = base64Alphabet[v>>18]
		key[j+1] = base64Alphabet[v>>12&63]
		key[j+2] = base64Alphabet[v>>6&63]
		key[j+3] = base64Alphabet[v&63]
	}
	key[20] = base64Alphabet[nonce[15]>>2]
	key[21] = base64Alphabet[nonce[15]&3<<4]
	key[22], key[23] = '=', '='
}

// validKey reports whether key decodes to 16 bytes (RFC 6455 4.2.1, rule 8): 22 letters of the alphabet and "==".
// The four low bits of the last letter are not looked at: RFC 4648 3.5 lets a decoder ignore them, and clients
// that draw their keys letter by letter exist.
func validKey(key *[keySize]byte) bool {
	flags := uint8(octetBase64)
	for _, c := range key[:22] {
		flags &= octets[c] // keys are random: a branch for each kind of letter would be guessed wrong
	}
	return flags != 0 && key[22] == '=' && key[23] == '='
}
