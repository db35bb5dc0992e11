package vectors

// This file plays cases of the kind frames: bytes go in, events, answers and at most one failure come out.

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/embws/embws/ws"
)

// playFrames plays one split of a case in every way that gives the same.
func playFrames(c *Case, s split) error {
	opt, err := options(c)
	if err != nil {
		return err
	}
	if _, held := c.Option("output"); held {
		return playSession(c, opt, s, 1, 0)
	}
	if _, whole := c.Option("memory"); whole {
		return playNext(c, opt, s)
	}
	counts := []int{1, 2, 64}
	if s.index > 1 && len(c.In) > wholeInput {
		counts = counts[s.index%len(counts):][:1] // long input takes long: the splits share them
	}
	for _, slots := range counts {
		if c.Level != "session" {
			if err := playCodec(c, opt, s, slots); err != nil {
				return fmt.Errorf("codec, %d events a call: %w", slots, err)
			}
		}
		if c.Level == "codec" {
			continue
		}
		if err := playSession(c, opt, s, slots, len(c.Out)+ws.MaxControlFrameSize); err != nil {
			return fmt.Errorf("session, %d events a call: %w", slots, err)
		}
	}
	if c.Level == "codec" {
		return nil
	}
	sizes := rooms[:]
	if s.index > 1 {
		sizes = rooms[s.index%len(rooms):][:1]
	}
	for _, size := range sizes {
		if err := playSession(c, opt, s, 1, size); err != nil {
			return fmt.Errorf("session, output of %d bytes: %w", size, err)
		}
	}
	return playNext(c, opt, s)
}

// end is what Codec and Session have in common.
type end interface {
	Payload(e ws.Event, in, room []byte) []byte
	Failure() ws.Failure
	End() error
}

type receiver func(in, room []byte, events []ws.Event) (int, []ws.Event, error)

// stream feeds an end and gathers what it finds.
type stream struct {
	end     end
	receive receiver
	after   func(events []ws.Event, in []byte) error // what is to be done behind each call

	memory guarded
	slots  []ws.Event
	got    []Event
	open   bool   // a frame is unfinished
	left   uint64 // of its payload
	eaten  int
}

var canaryEvent = ws.Event{Start: 1 << 60, Kind: 0xEE}

func newStream(e end, r receiver, slots int) *stream {
	s := &stream{end: e, receive: r, slots: make([]ws.Event, slots+1)}
	s.slots[slots] = canaryEvent
	return s
}

// feed gives all pieces, and returns the error that ended it, if one did, as failed.
func (s *stream) feed(in []byte, cuts []int) (failed *ws.Error, err error) {
	for _, cut := range cuts {
		given := in[s.eaten:cut]
		piece := s.memory.lendCopy(given)
		for at := 0; at < len(piece); {
			n, found, failure := s.receive(piece[at:], nil, s.slots[:0:len(s.slots)-1])
			if err := s.checkCall(piece, given, at, n, found, failure); err != nil {
				return nil, err
			}
			for _, e := range found {
				if err := s.add(e, s.end.Payload(e, piece[at:], nil)); err != nil {
					return nil, fmt.Errorf("at %d: %w", s.eaten, err)
				}
			}
			if s.after != nil {
				if err := s.after(found, piece[at:]); err != nil {
					return nil, err
				}
			}
			s.eaten += n
			if failure != nil {
				if !errors.As(failure, &failed) {
					return nil, fmt.Errorf("not an *Error: %w", failure)
				}
				return failed, s.sticky(failure)
			}
			if n == 0 && len(found) == 0 {
				return nil, fmt.Errorf("no progress at %d", s.eaten)
			}
			at += n
		}
		if err := s.memory.intact(-1); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// checkCall looks at the counts of a call, and at the bytes behind those that were eaten: they are given again, unless it
// failed.
func (s *stream) checkCall(piece, given []byte, at, n int, found []ws.Event, failure error) error {
	rest := at + n
	switch {
	case n < 0 || rest > len(piece):
		return fmt.Errorf("ate %d of %d bytes", n, len(piece)-at)
	case len(found) > len(s.slots)-1 || s.slots[len(s.slots)-1] != canaryEvent:
		return fmt.Errorf("wrote behind the events")
	case failure == nil && !bytes.Equal(piece[rest:min(rest+40, len(piece))], given[rest:min(rest+40, len(given))]):
		return fmt.Errorf("changed bytes behind those that it ate, at %d", s.eaten+n)
	}
	return nil
}

// sticky checks that a failure is final (rule 56).
func (s *stream) sticky(failure error) error {
	first := s.end.Failure()
	for _, more := range [...]string{"", "\x82\x80\x00\x00\x00\x00", "\x82\x00"} {
		n, found, err := s.receive(s.memory.lendCopy([]byte(more)), nil, s.slots[:0:len(s.slots)-1])
		if n != 0 || len(found) != 0 || err != failure || s.end.Failure() != first {
			return fmt.Errorf("after the failure: n %d, %d events, error %v", n, len(found), err)
		}
	}
	if err := s.end.End(); err != failure {
		return fmt.Errorf("End after the failure: %v", err)
	}
	return nil
}

// add merges an event with those of the same frame.
func (s *stream) add(e ws.Event, payload []byte) error {
	if int(e.Length) != len(payload) {
		return fmt.Errorf("an event of %d bytes with a payload of %d", e.Length, len(payload))
	}
	edges := edgesOf(e)
	if e.Kind.IsControl() {
		if s.open || edges != "MFfm" || e.Left != 0 {
			return fmt.Errorf("a control frame in pieces or inside a frame")
		}
		got := Event{Kind: e.Kind.String(), Edges: edges, Code: int(e.Code), Data: bytes.Clone(payload)}
		if e.Kind == ws.Close && len(payload) > 0 {
			if len(payload) == 1 || int(payload[0])<<8|int(payload[1]) != int(e.Code) {
				return fmt.Errorf("close code %d and body %q", e.Code, payload)
			}
			got.Data = got.Data[2:]
		}
		s.got = append(s.got, got)
		return nil
	}
	switch {
	case e.Is(ws.FrameStart) == s.open:
		return fmt.Errorf("frame start inside a frame, or a piece outside of one")
	case e.Is(ws.MessageStart) && !e.Is(ws.FrameStart), e.Is(ws.MessageEnd) && !e.Is(ws.FrameEnd):
		return fmt.Errorf("message edge without frame edge: %s", edges)
	case s.open && s.left != e.Left+uint64(e.Length), e.Is(ws.FrameEnd) && e.Left != 0:
		return fmt.Errorf("left %d, then %d bytes, left %d", s.left, e.Length, e.Left)
	}
	if !s.open {
		s.got = append(s.got, Event{Kind: e.Kind.String(), Edges: edges, Data: bytes.Clone(payload)})
	} else {
		last := &s.got[len(s.got)-1]
		if last.Kind != e.Kind.String() {
			return fmt.Errorf("kind %s, then %s", last.Kind, e.Kind)
		}
		last.Data = append(last.Data, payload...)
		last.Edges = last.Edges[:2] + edges[2:]
	}
	s.open, s.left = !e.Is(ws.FrameEnd), e.Left
	return nil
}

func edgesOf(e ws.Event) string {
	b := []byte("MFfm")
	for i, f := range [...]ws.Flags{ws.MessageStart, ws.FrameStart, ws.FrameEnd, ws.MessageEnd} {
		if !e.Is(f) {
			b[i] = '-'
		}
	}
	return string(b)
}

// compare holds what was found against the case.
func (s *stream) compare(c *Case, failed *ws.Error) error {
	if err := sameEvents(c.Events, s.got); err != nil {
		return err
	}
	if failed != nil && c.Fail == nil {
		return fmt.Errorf("want no failure, got rule %d at %d: %w", failed.Rule, s.eaten, failed)
	}
	if c.Fail != nil {
		return sameFailure(*c.Fail, failed, s.end.Failure(), s.eaten, func(e *ws.Error) int { return int(e.Code) })
	}
	if s.eaten != len(c.In) {
		return fmt.Errorf("ate %d of %d bytes", s.eaten, len(c.In))
	}
	want, closed := 84, len(c.Events) > 0 && c.Events[len(c.Events)-1].Kind == "close"
	if closed {
		want = 0
	}
	if c.EOF >= 0 {
		want = c.EOF
	}
	if got := ruleOf(s.end.End()); got != want {
		return fmt.Errorf("end of the transport: want rule %d, got %d", want, got)
	}
	return nil
}

// ruleOf returns the rule of an error, 0 for none, -1 for one that has none.
func ruleOf(err error) int {
	var e *ws.Error
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &e) || e.Rule == 0:
		return -1
	}
	return int(e.Rule)
}

func sameFailure(want Failure, failed *ws.Error, f ws.Failure, eaten int, code func(*ws.Error) int) error {
	if failed == nil {
		return fmt.Errorf("want rule %d at %d, got no failure", want.Rule, want.Offset)
	}
	got := Failure{int(failed.Rule), int(f.Offset), code(failed)}
	switch {
	case got != want:
		return fmt.Errorf("want rule %d at %d with %d, got rule %d at %d with %d (%w)",
			want.Rule, want.Offset, want.Code, got.Rule, got.Offset, got.Code, failed)
	case f.Err != failed:
		return fmt.Errorf("Failure says %v, the error %v", f.Err, failed)
	case eaten != got.Offset:
		return fmt.Errorf("ate %d bytes, but failed at %d", eaten, got.Offset)
	}
	return nil
}

func sameEvents(want, got []Event) error {
	for i := 0; i < len(want) || i < len(got); i++ {
		switch {
		case i >= len(got):
			return fmt.Errorf("event %d: want %s, got none", i, want[i])
		case i >= len(want):
			return fmt.Errorf("event %d: want none, got %s", i, got[i])
		case want[i].Kind != got[i].Kind, want[i].Edges != got[i].Edges, want[i].Code != got[i].Code, !bytes.Equal(want[i].Data, got[i].Data):
			return fmt.Errorf("event %d: want %s, got %s", i, want[i], got[i])
		}
	}
	return nil
}

// String is e as a line of a case says it.
func (e Event) String() string {
	return fmt.Sprintf("%s %s %d %s", e.Kind, e.Edges, e.Code, shown(e.Data))
}
