package main

import (
	"bytes"
	"testing"
)

// Every candidate of a row comes to the same result, the right one where it is known, at the first step and at later
// ones; and encoders that are given the same keys write the same bytes.
func TestRows_CandidatesAgree(t *testing.T) {
	recording = true
	defer func() { recording = false }()
	for _, build := range allRows {
		r := build()
		t.Run(r.name, func(t *testing.T) {
			defer r.close()
			for _, steps := range []int{1, 2} {
				var result, wire []byte
				if r.want != nil {
					result = r.want(steps)
				}
				for i, c := range r.cands {
					c.loop(steps)
					if c.result == nil {
						continue
					}
					got := c.result()
					if len(got) == 0 {
						t.Errorf("%s: no result", c.name)
					}
					if result == nil {
						result = bytes.Clone(got)
					} else if !bytes.Equal(got, result) {
						t.Errorf("%s: got\n%.200q, want\n%.200q", c.name, got, result)
					}
					if c.wire == nil {
						continue
					}
					if i == 0 {
						wire = bytes.Clone(c.wire())
					} else if !bytes.Equal(c.wire(), wire) {
						t.Errorf("%s: other bytes than %s", c.name, r.cands[0].name)
					}
				}
			}
		})
	}
}
