// Package utf8dfa checks UTF-8 (RFC 3629) as it streams by: the state between two pieces is one byte, and the
// first impossible byte is found at once (rules 87 to 92).
//
// A state is a shift: the table has for each byte a word of nine 6-bit fields, one a state, and
// the field that the state selects is the next state. So a byte costs one load, which waits for nothing, and one
// shift.
package utf8dfa

import "encoding/binary"

// State is where in a code point the text stands. The zero State is between two code points.
type State uint8

// The states, each the number of the bits to shift by.
const (
	between State = 6 * iota // between two code points
	broken                   // an impossible byte was met
	one                      // one continuation byte is to come
	pair                     // two are
	three                    // three are
	afterE0                  // A0-BF is to come, then one: no overlong form
	afterED                  // 80-9F is to come, then one: no surrogate
	afterF0                  // 90-BF is to come, then two: no overlong form
	afterF4                  // 80-8F is to come, then two: nothing above U+10FFFF
)

// Complete reports whether a text may end here.
func (s State) Complete() bool { return s == between }

// The words of the table: in each state that is not named the byte is impossible.
const (
	bad = uint64(broken) * (1 | 1<<6 | 1<<12 | 1<<18 | 1<<24 | 1<<30 | 1<<36 | 1<<42 | 1<<48)

	asc = bad ^ uint64(broken^between)<<between
	two = bad ^ uint64(broken^one)<<between
	thr = bad ^ uint64(broken^pair)<<between
	fou = bad ^ uint64(broken^three)<<between
	xE0 = bad ^ uint64(broken^afterE0)<<between
	xED = bad ^ uint64(broken^afterED)<<between
	xF0 = bad ^ uint64(broken^afterF0)<<between
	xF4 = bad ^ uint64(broken^afterF4)<<between

	con = bad ^ uint64(broken^between)<<one ^ uint64(broken^one)<<pair ^ uint64(broken^pair)<<three
	c80 = con ^ uint64(broken^one)<<afterED ^ uint64(broken^pair)<<afterF4
	c90 = con ^ uint64(broken^one)<<afterED ^ uint64(broken^pair)<<afterF0
	cA0 = con ^ uint64(broken^one)<<afterE0 ^ uint64(broken^pair)<<afterF0
)

// Check runs over p from state s. It returns the state after p, and -1; or, if p has a byte that cannot stand
// there, the index of the first such byte.
func Check(s State, p []byte) (State, int) {
	i := 0
	state := uint64(s)
	for i < len(p) {
		if state&63 == uint64(between) {
			i += ascii(p[i:])
			if i == len(p) {
				break
			}
			if len(p)-i >= lanes*16 {
				if n := parallel(p[i:]); n > 0 {
					i += n
					continue
				}
			}
		}
		end := min(i+16, len(p))
		from, at := state, i
		for _, b := range p[i:end] {
			state = table[b] >> (state & 63)
		}
		i = end
		if state&63 != uint64(broken) {
			continue
		}
		for state = from; ; at++ {
			state = table[p[at]] >> (state & 63)
			if state&63 == uint64(broken) {
				return broken, at
			}
		}
	}
	return State(state & 63), -1
}

// lanes is how many stretches of text parallel looks at together.
const lanes = 3

// parallel returns how many bytes at the head of p, lanes*16 or more, are surely whole code points; 0 means
// that it cannot tell. A step of the table takes longer to be done than to be begun, so three stretches of
// equal length are walked together. Each begins where a code point may begin, and the one before must have
// ended there.
func parallel(p []byte) int {
	n := min(len(p)/lanes, 512)
	i, j, k := boundary(p, n), boundary(p, 2*n), boundary(p, 3*n)
	n -= 3 // the least that each has
	r, s, t := walk(p[:n], p[i:i+n], p[j:j+n])
	if (rest(r, p[n:i])|rest(s, p[i+n:j])|rest(t, p[j+n:k]))&63 != uint64(between) {
		return 0
	}
	return k
}

// boundary returns the place of the code point that byte i of p belongs to, at most three bytes before.
func boundary(p []byte, i int) int {
	for back := 0; back < 3 && i < len(p) && p[i]&0xC0 == 0x80; back++ {
		i--
	}
	return i
}

// walk returns the states after a, b and c, which have the same length. It is apart from parallel so that its
// variables have registers enough.
//
//go:noinline
func walk(a, b, c []byte) (r, s, t uint64) {
	b, c = b[:len(a)], c[:len(a)]
	for i := range a {
		r = table[a[i]] >> (r & 63)
		s = table[b[i]] >> (s & 63)
		t = table[c[i]] >> (t & 63)
	}
	return r, s, t
}

// rest returns the state after the few bytes of p.
func rest(s uint64, p []byte) uint64 {
	for _, b := range p {
		s = table[b] >> (s & 63)
	}
	return s
}

// ascii returns how many bytes at the head of p are surely ASCII: it looks at 8 at a time, then at single ones.
func ascii(p []byte) int {
	i := 0
	for ; len(p)-i >= 8; i += 8 {
		if binary.LittleEndian.Uint64(p[i:])&0x8080808080808080 != 0 {
			return i
		}
	}
	for i < len(p) && p[i] < 0x80 {
		i++
	}
	return i
}

// Valid reports whether p is a whole text.
func Valid(p []byte) bool {
	s, at := Check(between, p)
	return at < 0 && s.Complete()
}

var table = [256]uint64{
	asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, // 00
	asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, // 10
	asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, // 20
	asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, // 30
	asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, // 40
	asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, // 50
	asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, // 60
	asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, asc, // 70
	c80, c80, c80, c80, c80, c80, c80, c80, c80, c80, c80, c80, c80, c80, c80, c80, // 80
	c90, c90, c90, c90, c90, c90, c90, c90, c90, c90, c90, c90, c90, c90, c90, c90, // 90
	cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, // A0
	cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, cA0, // B0
	bad, bad, two, two, two, two, two, two, two, two, two, two, two, two, two, two, // C0
	two, two, two, two, two, two, two, two, two, two, two, two, two, two, two, two, // D0
	xE0, thr, thr, thr, thr, thr, thr, thr, thr, thr, thr, thr, thr, xED, thr, thr, // E0
	xF0, fou, fou, fou, xF4, bad, bad, bad, bad, bad, bad, bad, bad, bad, bad, bad, // F0
}
