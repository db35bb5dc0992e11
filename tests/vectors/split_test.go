package vectors

// This file cuts input into pieces, and watches the memory that a callee was lent.

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
)

const (
	wholeInput  = 4 << 10 // bytes of input up to which every two-way split is played
	randomCuts  = 1000    // two-way splits of longer input, beside those near the edges of frames
	randomPlays = 24      // splits into many pieces
)

// rooms are sizes of output buffers, in bytes.
var rooms = [...]int{1, 7, 32, 131, 4096}

// split is one way to cut input: the offsets at which pieces end.
type split struct {
	cuts  []int
	index int    // counts the splits of a case, so that other choices can go round
	name  string // says how, when a play goes wrong
}

// eachSplit plays all splits of a case, and stops at the first that goes wrong.
func eachSplit(c *Case, seed int64, brief bool, play func(s split) error) error {
	in := c.In
	index := 0
	try := func(name string, cuts ...int) error {
		s := split{append(cuts, len(in)), index, name}
		index++
		if err := play(s); err != nil {
			return fmt.Errorf("%s:%d: %s, %s: %w", c.File, c.Line, c.Name, name, err)
		}
		return nil
	}
	if err := try("whole"); err != nil {
		return err
	}
	every := make([]int, max(0, len(in)-1))
	for i := range every {
		every[i] = i + 1
	}
	if err := try("one byte at a time", every...); err != nil {
		return err
	}
	r := rand.New(rand.NewSource(seed))
	for _, at := range twoWay(c, r, brief) {
		if err := try(fmt.Sprintf("split at %d", at), at); err != nil {
			return err
		}
	}
	for i := 0; i < randomPlays && len(in) > 2; i++ {
		var cuts []int
		most := 1 + r.Intn(len(in))
		for at := 1 + r.Intn(most); at < len(in); at += 1 + r.Intn(most) {
			cuts = append(cuts, at)
		}
		if err := try(fmt.Sprintf("random split %d of seed %d", i, seed), cuts...); err != nil {
			return err
		}
	}
	return nil
}

// twoWay returns where to cut once.
func twoWay(c *Case, r *rand.Rand, brief bool) []int {
	var at []int
	if len(c.In) <= wholeInput && !brief {
		for i := 1; i < len(c.In); i++ {
			at = append(at, i)
		}
		return at
	}
	most := randomCuts
	if brief {
		most = 20
	}
	edges := []int{0, len(c.In)}
	if c.Kind == "frames" {
		edges = frameEdges(c)
	}
	for _, edge := range edges {
		for i := edge - 16; i <= edge+16 && len(at) < 4*most; i++ {
			if i > 0 && i < len(c.In) {
				at = append(at, i)
			}
		}
	}
	for i := 0; i < most && len(c.In) > 1; i++ {
		at = append(at, 1+r.Intn(len(c.In)-1))
	}
	return at
}

// frameEdges returns where frames begin in the input of a case, as far as it can be told.
func frameEdges(c *Case) []int {
	edges := []int{0, len(c.In)}
	for at := 0; at+10 < len(c.In); {
		length, size := int(c.In[at+1]&0x7F), 2
		switch length {
		case 126:
			length, size = int(c.In[at+2])<<8|int(c.In[at+3]), 4
		case 127:
			length, size = 0, 10
			for _, b := range c.In[at+2 : at+10] {
				length = length<<8 | int(b)
			}
		}
		if c.Role == "server" {
			size += 4
		}
		if length < 0 || length > len(c.In) {
			break
		}
		at += size + length
		edges = append(edges, at-length, at)
	}
	return edges
}

const (
	canary      = 0xA5
	canarySpace = 32
)

// guarded is memory with canaries on both sides.
type guarded struct{ all []byte }

// lend returns n bytes, filled with the canary too.
func (g *guarded) lend(n int) []byte {
	if need := n + 2*canarySpace; cap(g.all) < need {
		g.all = make([]byte, need)
	} else {
		g.all = g.all[:need]
	}
	for i := range g.all {
		g.all[i] = canary
	}
	return g.all[canarySpace : canarySpace+n : canarySpace+n]
}

// lendCopy returns a copy of b.
func (g *guarded) lendCopy(b []byte) []byte {
	if need := len(b) + 2*canarySpace; cap(g.all) < need {
		g.all = make([]byte, need)
	} else {
		g.all = g.all[:need]
	}
	for i := 0; i < canarySpace; i++ {
		g.all[i], g.all[len(g.all)-1-i] = canary, canary
	}
	copy(g.all[canarySpace:], b)
	return g.all[canarySpace : canarySpace+len(b) : canarySpace+len(b)]
}

// intact checks the canaries, and that of the memory itself only the first used bytes were written; used below 0
// leaves that open.
func (g *guarded) intact(used int) error {
	before, inside, after := g.all[:canarySpace], g.all[canarySpace:len(g.all)-canarySpace], g.all[len(g.all)-canarySpace:]
	if used >= 0 && used <= len(inside) && !untouched(inside[used:]) {
		return fmt.Errorf("wrote behind the %d bytes that it reports", used)
	}
	if !untouched(before) || !untouched(after) {
		return fmt.Errorf("wrote outside of the memory that it was lent")
	}
	return nil
}

func untouched(b []byte) bool { return bytes.Count(b, []byte{canary}) == len(b) }

// cycle is a random source that gives the same bytes over and over, and fails if there are none.
type cycle struct {
	bytes []byte
	at    int
}

func (c *cycle) Read(p []byte) (int, error) {
	if len(c.bytes) == 0 {
		return 0, errors.New("no random bytes")
	}
	for i := range p {
		p[i] = c.bytes[c.at]
		c.at = (c.at + 1) % len(c.bytes)
	}
	return len(p), nil
}

// shown is b for a message: long ones are cut.
func shown(b []byte) string {
	if len(b) > 400 {
		return fmt.Sprintf("%q... (%d bytes)", b[:400], len(b))
	}
	return fmt.Sprintf("%q", b)
}

// sameBytes compares what was sent or found with what a case wants.
func sameBytes(what string, want, got []byte) error {
	if bytes.Equal(want, got) {
		return nil
	}
	return fmt.Errorf("%s: want %s, got %s", what, shown(want), shown(got))
}
