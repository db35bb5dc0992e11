package ws

import (
	"crypto/sha1"
	"encoding/base64"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAcceptKey_IsThatOfTheRFC(t *testing.T) { // rule 21
	var key [keySize]byte
	var accept [acceptSize]byte
	copy(key[:], sampleKey)
	acceptKey(&accept, &key)
	assert.Equal(t, sampleAccept, string(accept[:]))
}

func TestAcceptKey_AgreesWithTheStandardLibrary(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	for i := 0; i < 10000; i++ {
		var nonce [16]byte
		var key [keySize]byte
		var accept [acceptSize]byte
		rnd.Read(nonce[:])
		encodeKey(&key, &nonce)
		require.Equal(t, base64.StdEncoding.EncodeToString(nonce[:]), string(key[:]))
		require.True(t, validKey(&key))
		acceptKey(&accept, &key)
		sum := sha1.Sum([]byte(string(key[:]) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		require.Equal(t, base64.StdEncoding.EncodeToString(sum[:]), string(accept[:]))
	}
}

func TestValidKey_AgreesWithTheStandardLibraryOnEveryByte(t *testing.T) { // rule 8
	for at := 0; at < keySize; at++ {
		for c := 0; c < 256; c++ {
			var key [keySize]byte
			copy(key[:], sampleKey)
			key[at] = byte(c)
			decoded, err := base64.StdEncoding.DecodeString(string(key[:]))
			// the standard library skips line ends
			want := err == nil && len(decoded) == 16 && c != '\r' && c != '\n'
			require.Equal(t, want, validKey(&key), "byte %d = %q", at, c)
		}
	}
}

func TestOctets_AreThoseOfTheRFCs(t *testing.T) {
	for c := 0; c < 256; c++ {
		b := byte(c)
		alnum := b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
		assert.Equal(t, alnum || b > 0 && strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)), isToken(b), "%q", c)
		assert.Equal(t, b == '\t' || b >= ' ' && b != 0x7F, octets[b]&octetText != 0, "%q", c)
		assert.Equal(t, b > ' ' && b < 0x7F && b != '#', octets[b]&octetTarget != 0, "%q", c)
		assert.Equal(t, alnum || b > 0 && b < 0x80 && strings.ContainsRune("-._~%!$&'()*+,;=:[]", rune(c)), octets[b]&octetHost != 0, "%q", c)
	}
}

func TestTextRun_StopsAtTheFirstControlByte(t *testing.T) { // rule 12
	for size := 0; size < 40; size++ {
		for at := 0; at < size; at++ {
			for c := 0; c < 256; c++ {
				b := []byte(strings.Repeat("\x80~ \xff", 10)[:size])
				b[at] = byte(c)
				want := size
				if octets[c]&octetText == 0 {
					want = at
				}
				require.Equal(t, want, textRun(b), "%q", b)
			}
		}
	}
	assert.Equal(t, 20, textRun([]byte(strings.Repeat("\t", 20)+"\r\t\t\t\t\t\t\t\t")))
}
