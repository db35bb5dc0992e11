package utf8dfa

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// firstBad finds the first impossible byte the slow way: the shortest prefix that no text begins with.
func firstBad(p []byte) int {
	for n := 1; n <= len(p); n++ {
		q := p[:n]
		for len(q) > 0 {
			r, size := utf8.DecodeRune(q)
			if r == utf8.RuneError && size <= 1 {
				break
			}
			q = q[size:]
		}
		if len(q) > 0 && !beginsRune(q) {
			return n - 1
		}
	}
	return -1
}

// beginsRune reports whether some way to go on makes q one code point.
func beginsRune(q []byte) bool {
	var b [4]byte
	for _, fill := range []byte{0x80, 0x90, 0xA0, 0xBF} {
		for n := len(q) + 1; n <= 4; n++ {
			copy(b[:], q)
			for i := len(q); i < n; i++ {
				b[i] = 0x80
			}
			b[len(q)] = fill
			if r, size := utf8.DecodeRune(b[:n]); r != utf8.RuneError && size == n {
				return true
			} else if r == utf8.RuneError && size == 3 && n == 3 {
				return true
			}
		}
	}
	return false
}

// Rules 89, 90, 92: every sequence of up to three bytes, and of four from the edges.
func TestCheck_AgreesWithTheStandardLibraryOnEverySequence(t *testing.T) {
	check := func(p []byte) {
		s, at := Check(0, p)
		if want := utf8.Valid(p); want != (at < 0 && s.Complete()) {
			require.Failf(t, "wrong", "% x: valid is %v, state %d at %d", p, want, s, at)
		}
		if want := firstBad(p); want != at {
			require.Failf(t, "wrong place", "% x: first impossible byte %d, got %d", p, want, at)
		}
	}
	edges := []byte{0, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF}
	for a := 0; a < 256; a++ {
		check([]byte{byte(a)})
		for b := 0; b < 256; b++ {
			check([]byte{byte(a), byte(b)})
			for _, c := range edges {
				check([]byte{byte(a), byte(b), c})
				for _, d := range edges {
					if testing.Short() && c&7 != 0 {
						continue
					}
					if a >= 0xC0 && b >= 0x70 {
						check([]byte{byte(a), byte(b), c, d})
					}
				}
			}
		}
	}
}

// Rule 88: the state carries over any split, and behind any run of ASCII.
func TestCheck_EverySplitGivesTheSameAnswer(t *testing.T) {
	texts := []string{
		"plain text of more than sixteen bytes, and then some", "κόσμε κόσμε κόσμε κόσμε", "aaaaaaaaaaaaaaaaa\u20ac\U0001F600z",
		"aaaaaaaaaaaaaaaaaaaaaaa\xed\xa0\x80b", "0123456789abcde\xf4\x90\x80\x80", "\xce\xba\xe1\xbd", "aaaaaaaa\xf0\x80\x80\x80",
	}
	for _, text := range texts {
		p := []byte(text)
		s, at := Check(0, p)
		for i := 0; i <= len(p); i++ {
			s1, at1 := Check(0, p[:i])
			if at1 < 0 {
				s1, at1 = Check(s1, p[i:])
				if at1 >= 0 {
					at1 += i
				}
			}
			require.Equal(t, at, at1, "%q split at %d", text, i)
			require.Equal(t, s, s1, "%q split at %d", text, i)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, c := range []struct{ name, text string }{{"ascii", "abcdefgh"}, {"greek", "κόσμεκό"}, {"emoji", "\U0001F600"}} {
		p := []byte{}
		for len(p) < 1024 {
			p = append(p, c.text...)
		}
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(p)))
			for i := 0; i < b.N; i++ {
				Check(0, p)
			}
		})
		b.Run(c.name+"-std", func(b *testing.B) {
			b.SetBytes(int64(len(p)))
			for i := 0; i < b.N; i++ {
				utf8.Valid(p)
			}
		})
	}
}
