package vectors

// This file plays cases of the kind response: the handshake at a client.

import (
	"fmt"

	"github.com/embws/embws/ws"
)

func playResponse(c *Case, s split) error {
	opt, size, err := handshakeOptions(c)
	if err != nil {
		return err
	}
	req := requestOf(c)
	room := rooms[s.index%len(rooms)]
	if err := playClientHandshake(c, s, req, opt, size, room); err != nil {
		return fmt.Errorf("handshake, output of %d bytes: %w", room, err)
	}
	if c.Error >= 0 {
		return nil
	}
	if err := playClientSession(c, s, req, opt, size, room); err != nil {
		return fmt.Errorf("session, output of %d bytes: %w", room, err)
	}
	return nil
}

func requestOf(c *Case) *ws.Request {
	r := &ws.Request{Host: "example.com", Target: "/", Fields: fieldsOf(c.With)}
	for _, s := range c.With {
		switch s.Name {
		case "host":
			r.Host = string(s.Data)
		case "target":
			r.Target = string(s.Data)
		case "origin":
			r.Origin = string(s.Data)
		case "subprotocol":
			r.Subprotocols = append(r.Subprotocols, string(s.Data))
		case "extensions":
			r.Extensions = string(s.Data)
		}
	}
	return r
}

func closeCodeOf(e *ws.Error) int { return int(e.Code) }

func playClientHandshake(c *Case, s split, req *ws.Request, opt *ws.HandshakeOptions, size, room int) error {
	var h ws.ClientHandshake
	var store guarded
	err := h.Reset(store.lend(size), req, &ws.Keys{Source: &cycle{bytes: c.Keys}}, opt)
	if ruleOf(err) != max(c.Error, 0) {
		return fmt.Errorf("want an error of rule %d, got %v", max(c.Error, 0), err)
	}
	if err != nil {
		out, err := through(64, h.Request)
		if len(out) != 0 || err != ws.ErrState || h.Outcome() != ws.NotStarted {
			return fmt.Errorf("a refused request wrote %q, error %v", out, err)
		}
		return store.intact(0)
	}
	total := h.RequestSize()
	out, err := through(room, h.Request)
	if err != nil || total != len(out) {
		return fmt.Errorf("RequestSize %d, wrote %d, error %v", total, len(out), err)
	}
	if c.Out != nil {
		if err := sameBytes("request", c.Out, out); err != nil {
			return err
		}
	}
	if len(c.Heads) == 0 {
		return nil
	}
	want := &c.Heads[0]
	st := &headStream{in: c.In, cuts: s.cuts}
	done, failed, err := st.next(h.Receive)
	if err == nil {
		err = compareHead(want, &h, st, done, failed, closeCodeOf)
	}
	if err == nil && (want.Outcome == "open" || want.Outcome == "refused") {
		err = compareValues(want, &h)
	}
	if err == nil {
		err = store.intact(-1)
	}
	if err != nil || want.Outcome == "fail" {
		return err
	}
	return sameBytes("rest", want.Rest, c.In[st.eaten:])
}

func playClientSession(c *Case, s split, req *ws.Request, opt *ws.HandshakeOptions, size, room int) error {
	if len(c.Heads) == 0 {
		return nil
	}
	var h ws.ClientHandshake
	var store guarded
	source := &ws.Keys{Source: &cycle{bytes: c.Keys}}
	if err := h.Reset(store.lend(size), req, source, opt); err != nil {
		return err
	}
	p := &sessionPlayer{}
	p.output.Reset(make([]byte, room))
	p.session.Connect(&h, &ws.Options{Keys: source}, &p.output)
	if err := p.take(); err != nil {
		return err
	}
	if c.Out != nil {
		if err := sameBytes("request", c.Out, p.sent); err != nil {
			return err
		}
	}
	want := &c.Heads[0]
	st := &headStream{in: c.In, cuts: s.cuts}
	done, failed, err := st.next(func(buf []byte) (int, bool, error) {
		n, found, err := p.session.Receive(buf, nil, make([]ws.Event, 0, 1))
		return n, err != nil || len(found) == 1 && found[0].Kind == ws.Handshake, err
	})
	if err != nil {
		return err
	}
	if done != (want.Outcome != "more") || (failed == nil) != (want.Outcome == "open" || want.Outcome == "more") {
		return fmt.Errorf("want %s, got done %v and error %v", want.Outcome, done, failed)
	}
	switch want.Outcome {
	case "more":
		return ends(c, &p.session, 38)
	case "open":
		return restOfSession(want, p, st)
	}
	if p.session.State() != ws.StateFailed {
		return fmt.Errorf("state %s", p.session.State())
	}
	return nil
}
