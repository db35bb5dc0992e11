package vectors

// This file plays cases of the kind request: the handshake at a server, and what it answers.

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/embws/embws/ws"
)

func playRequest(c *Case, s split) error {
	opt, size, err := handshakeOptions(c)
	if err != nil {
		return err
	}
	sizes := rooms[:]
	if s.index > 1 {
		sizes = rooms[s.index%len(rooms):][:1]
	}
	for _, room := range sizes {
		if err := playServerHandshake(c, s, opt, size, room); err != nil {
			return fmt.Errorf("handshake, output of %d bytes: %w", room, err)
		}
		if err := playServerSession(c, s, opt, size, room); err != nil {
			return fmt.Errorf("session, output of %d bytes: %w", room, err)
		}
	}
	return nil
}

func statusOf(e *ws.Error) int { return int(e.Status) }

func playServerHandshake(c *Case, s split, opt *ws.HandshakeOptions, size, room int) error {
	var h ws.ServerHandshake
	var store guarded
	h.Reset(store.lend(size), opt)
	st := &headStream{in: c.In, cuts: s.cuts}
	for i := range c.Heads {
		want := &c.Heads[i]
		if i > 0 {
			if err := h.Restart(); err != nil {
				return fmt.Errorf("Restart: %w", err)
			}
		}
		done, failed, err := st.next(h.Receive)
		if err == nil {
			err = compareHead(want, &h, st, done, failed, statusOf)
		}
		if err == nil && (want.Outcome == "upgrade" || want.Outcome == "plain") {
			err = compareValues(want, &h)
		}
		if err == nil && want.Outcome == "fail" {
			err = refusal(want, room, &h)
		}
		for j := 0; j < len(want.Answers) && err == nil; j++ {
			err = answerHandshake(&want.Answers[j], room, &h)
		}
		if err == nil {
			err = store.intact(-1)
		}
		if err != nil {
			return fmt.Errorf("head %d: %w", i+1, err)
		}
		if i == len(c.Heads)-1 && want.Outcome != "fail" {
			return sameBytes("rest", want.Rest, c.In[st.eaten:])
		}
	}
	return nil
}

// acceptance and response build the arguments of an answer.
func acceptance(with []Setting) *ws.Acceptance {
	if len(with) == 0 {
		return nil
	}
	a := &ws.Acceptance{Fields: fieldsOf(with)}
	for _, s := range with {
		switch s.Name {
		case "subprotocol":
			a.Subprotocol = string(s.Data)
		case "extensions":
			a.Extensions = string(s.Data)
		}
	}
	return a
}

func response(with []Setting) *ws.Response {
	r := &ws.Response{Fields: fieldsOf(with)}
	for _, s := range with {
		switch s.Name {
		case "status":
			r.Status, _ = strconv.Atoi(string(s.Data))
		case "body":
			r.Body = s.Data
		case "close":
			r.Close = true
		}
	}
	return r
}

func answerHandshake(a *Answer, room int, h *ws.ServerHandshake) error {
	var emit func(dst []byte) (int, error)
	var size int
	var err error
	if a.Verb == "accept" {
		with := acceptance(a.With)
		size, err = h.AcceptSize(with)
		emit = func(dst []byte) (int, error) { return h.Accept(dst, with) }
	} else {
		with := response(a.With)
		size, err = h.ResponseSize(with)
		emit = func(dst []byte) (int, error) { return h.Respond(dst, with) }
	}
	if ruleOf(err) != max(a.Error, 0) || size != len(a.Out) {
		return fmt.Errorf("%s: want %d bytes and an error of rule %d, got a size of %d and %v", a.Verb, len(a.Out), max(a.Error, 0), size, err)
	}
	got, err := through(room, emit)
	if ruleOf(err) != max(a.Error, 0) {
		return fmt.Errorf("%s: want an error of rule %d, got %v", a.Verb, max(a.Error, 0), err)
	}
	return sameBytes(a.Verb, a.Out, got)
}

// refusal checks the answer to a request that broke a rule: its form, and what the case wants in it.
func refusal(want *Head, room int, h *ws.ServerHandshake) error {
	size, err := h.ResponseSize(nil)
	if err != nil {
		return err
	}
	got, err := through(room, func(dst []byte) (int, error) { return h.Respond(dst, nil) })
	if err != nil {
		return err
	}
	if size != len(got) {
		return fmt.Errorf("refusal: ResponseSize is %d, but %d bytes came", size, len(got))
	}
	return wellFormed(want, got)
}

// wellFormed checks an HTTP response that refuses a request.
func wellFormed(want *Head, got []byte) error {
	head, body, ok := bytes.Cut(got, []byte("\r\n\r\n"))
	if !ok {
		return fmt.Errorf("refusal without an end: %q", got)
	}
	lines := bytes.Split(head, []byte("\r\n"))
	if start := fmt.Sprintf("HTTP/1.1 %d ", want.Fail.Code); !bytes.HasPrefix(lines[0], []byte(start)) {
		return fmt.Errorf("refusal: want %q, got %q", start, lines[0])
	}
	length, closes := -1, false
	for _, line := range lines[1:] {
		name, value, ok := bytes.Cut(line, []byte(": "))
		if !ok {
			return fmt.Errorf("refusal: bad line %q", line)
		}
		switch string(bytes.ToLower(name)) {
		case "content-length":
			length, _ = strconv.Atoi(string(value))
		case "connection":
			closes = bytes.Contains(value, []byte("close"))
		}
	}
	if length != len(body) || !closes {
		return fmt.Errorf("refusal: Content-Length %d for %d bytes, Connection: close is %v", length, len(body), closes)
	}
	for _, part := range want.Has {
		if !bytes.Contains(got, part) {
			return fmt.Errorf("refusal: want %q in %q", part, got)
		}
	}
	return nil
}

// playServerSession plays the same inside a Session, which goes on with the frames behind the head.
func playServerSession(c *Case, s split, opt *ws.HandshakeOptions, size, room int) error {
	var h ws.ServerHandshake
	var store guarded
	h.Reset(store.lend(size), opt)
	p := &sessionPlayer{}
	p.output.Reset(make([]byte, room))
	p.session.Serve(&h, nil, &p.output)
	st := &headStream{in: c.In, cuts: s.cuts}
	receive := func(buf []byte) (int, bool, error) {
		n, found, err := p.session.Receive(buf, nil, make([]ws.Event, 0, 1))
		return n, err != nil || len(found) == 1 && found[0].Kind == ws.Handshake, err
	}
	for i := range c.Heads {
		want := &c.Heads[i]
		done, failed, err := st.next(receive)
		if err != nil {
			return err
		}
		if done != (want.Outcome != "more") || (failed != nil) != (want.Outcome == "fail") {
			return fmt.Errorf("want %s, got done %v and error %v", want.Outcome, done, failed)
		}
		switch want.Outcome {
		case "more":
			return ends(c, &p.session, 38)
		case "fail":
			if p.session.State() != ws.StateFailed || p.session.Failure().Offset != uint64(want.Fail.Offset) {
				return fmt.Errorf("state %s, failure at %d", p.session.State(), p.session.Failure().Offset)
			}
			p.sent = nil
			if err := p.take(); err != nil {
				return err
			}
			return wellFormed(want, p.sent)
		}
		if n, found, err := p.session.Receive([]byte("x"), nil, make([]ws.Event, 0, 1)); n != 0 || len(found) != 0 || err != ws.ErrState {
			return fmt.Errorf("before the answer: n %d, error %v", n, err)
		}
		for j := range want.Answers {
			if err := answerSession(&want.Answers[j], p); err != nil {
				return err
			}
		}
	}
	return restOfSession(&c.Heads[len(c.Heads)-1], p, st)
}

// restOfSession feeds a session that is open what follows the handshake.
func restOfSession(want *Head, p *sessionPlayer, st *headStream) error {
	if p.session.State() != ws.StateOpen {
		return nil
	}
	rest := newStream(&p.session, p.session.Receive, 4)
	rest.after = p.after
	rest.eaten = st.eaten
	var cuts []int
	for _, cut := range st.cuts {
		if cut > st.eaten {
			cuts = append(cuts, cut)
		}
	}
	if _, err := rest.feed(st.in, cuts); err != nil {
		return err
	}
	return sameEvents(want.Events, rest.got)
}

func ends(c *Case, s *ws.Session, want int) error {
	if c.EOF >= 0 {
		want = c.EOF
	}
	if got := ruleOf(s.End()); got != want {
		return fmt.Errorf("end of the transport: want rule %d, got %d", want, got)
	}
	return nil
}

func answerSession(a *Answer, p *sessionPlayer) error {
	p.sent = nil
	var err error
	accept, respond := acceptance(a.With), response(a.With)
	for tries := 0; tries < 1<<16; tries++ {
		if a.Verb == "accept" {
			err = p.session.Accept(accept)
		} else {
			err = p.session.Respond(respond)
		}
		if bad := p.take(); bad != nil {
			return bad
		}
		if err != ws.ErrNoRoom {
			break
		}
	}
	if ruleOf(err) != max(a.Error, 0) {
		return fmt.Errorf("%s: want an error of rule %d, got %v", a.Verb, max(a.Error, 0), err)
	}
	return sameBytes(a.Verb, a.Out, p.sent)
}
