package main

// This file holds what a row is and how it is measured.

import (
	"runtime"
	"slices"
	"time"
)

// row is one kind of work.
type row struct {
	name     string
	contract string // what is copied and what is checked, the same for all candidates unless their note says so
	units    int    // how many units of work, such as frames, one step does: times are a unit's
	bytes    int    // bytes of payload in a unit; 0 if MB/s says nothing
	cands    []*candidate
	goals    []goal
	want     func(steps int) []byte // what result must be after so many steps, if that can be said without a candidate
	remark   func(r *row) string    // a line for the table's foot, from the figures
}

// candidate is one way to do the work of a row. The first of a row is embws.
type candidate struct {
	name   string
	note   string                 // where it departs from the contract
	loop   func(steps int)        // does the work so often
	result func() (result []byte) // what the last loop has come to, the same for all; nil if there is none
	wire   func() []byte          // encoders that take the same keys: the bytes that the last step has written
	done   func()                 // releases what the candidate holds

	steps       int
	nanos       []float64 // of a unit, one a round
	allocations float64   // of a unit
}

// goal wants embws to be at least times as fast as the peer.
type goal struct {
	peer  string
	times float64
}

func (r *row) close() {
	for _, c := range r.cands {
		if c.done != nil {
			c.done()
		}
	}
}

// measure gives every candidate one turn a round, in an order that rotates, each turn with a number of steps that was
// fixed before the first round so that it takes about as long as turn.
func (r *row) measure(rounds int, turn time.Duration) {
	runtime.GC()
	for _, c := range r.cands {
		c.calibrate(turn)
		c.allocations = c.countAllocations() / float64(r.units)
	}
	for round := range rounds {
		for i := range r.cands {
			c := r.cands[(round+i)%len(r.cands)]
			start := time.Now()
			c.loop(c.steps)
			spent := time.Since(start)
			c.nanos = append(c.nanos, float64(spent.Nanoseconds())/float64(c.steps*r.units))
		}
	}
	for _, c := range r.cands {
		slices.Sort(c.nanos)
	}
}

func (c *candidate) calibrate(turn time.Duration) {
	c.steps = 1
	for {
		start := time.Now()
		c.loop(c.steps)
		spent := time.Since(start)
		if spent >= turn/2 {
			c.steps = max(1, int(float64(c.steps)*float64(turn)/float64(spent)))
			return
		}
		c.steps *= 2
	}
}

// countAllocations returns the allocations of a step, in the mean over many.
func (c *candidate) countAllocations() float64 {
	steps := min(c.steps, 1000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c.loop(steps)
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / uint64(steps))
}

func (c *candidate) min() float64    { return c.nanos[0] }
func (c *candidate) median() float64 { return c.nanos[len(c.nanos)/2] }

// find returns the candidate of that name.
func (r *row) find(name string) *candidate {
	for _, c := range r.cands {
		if c.name == name {
			return c
		}
	}
	panic("no candidate " + name + " in " + r.name)
}
