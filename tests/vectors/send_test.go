package vectors

// This file plays what a sender does, through a Codec and through a Session.

import (
	"bytes"
	"fmt"

	"github.com/embws/embws/ws"
)

var opcodes = map[string]ws.Opcode{
	"text": ws.Text, "binary": ws.Binary, "continuation": ws.Continuation, "ping": ws.Ping, "pong": ws.Pong, "close": ws.Close,
}

// playSend plays a case of the kind send. The input comes whole, or one byte at a time.
func playSend(c *Case) error {
	opt, err := options(c)
	if err != nil {
		return err
	}
	if c.Level != "session" {
		p := newCodec(c, opt)
		for i := range c.Steps {
			p.sent = nil
			if err := p.do(&c.Steps[i]); err != nil {
				return fmt.Errorf("%s:%d: %s, codec, step %d (%s): %w", c.File, c.Line, c.Name, i+1, c.Steps[i].Verb, err)
			}
			if err := sameBytes("sent", c.Steps[i].Out, p.sent); err != nil {
				return fmt.Errorf("%s:%d: %s, codec, step %d (%s): %w", c.File, c.Line, c.Name, i+1, c.Steps[i].Verb, err)
			}
		}
	}
	if c.Level == "codec" {
		return nil
	}
	p := newSession(c, opt, 1<<18)
	for i := range c.Steps {
		p.sent = nil
		err := p.do(&c.Steps[i])
		if err == nil {
			err = p.take()
		}
		if err == nil {
			err = sameBytes("sent", c.Steps[i].Out, p.sent)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %s, session, step %d (%s): %w", c.File, c.Line, c.Name, i+1, c.Steps[i].Verb, err)
		}
	}
	return nil
}

// do does a step.
func (p *codecPlayer) do(s *Step) error {
	switch s.Verb {
	case "in":
		return p.receive(s.Data)
	case "payload":
		return p.payload(s.Data)
	}
	encode := func(dst []byte) (int, error) {
		switch s.Verb {
		case "close":
			return p.codec.Close(dst, ws.CloseCode(s.Code), string(s.Data))
		case "header":
			return p.codec.EncodeHeader(dst, opcodes[s.Kind], s.Fin, s.Size)
		}
		return p.codec.Encode(dst, opcodes[s.Verb], s.Fin, s.Data)
	}
	if s.Error >= 0 {
		dst := p.dst.lend(len(s.Data) + 64)
		n, err := encode(dst)
		if n != 0 || ruleOf(err) != s.Error {
			return fmt.Errorf("want an error of rule %d, got %d bytes and %v", s.Error, n, err)
		}
		return p.dst.intact(0)
	}
	if len(s.Out) > 0 { // rule 98: too small a room changes nothing
		size := len(s.Out)
		for room := 0; room < size; room++ {
			if room > 300 && room < size-300 {
				room = size - 300
			}
			n, err := encode(p.dst.lend(room))
			if n != size || err != ws.ErrNoRoom {
				return fmt.Errorf("room of %d bytes for %d: n %d, error %v", room, size, n, err)
			}
			if err := p.dst.intact(0); err != nil {
				return err
			}
		}
	}
	given := bytes.Clone(s.Data)
	for _, spare := range [...]int{0, 50} {
		before := p.codec
		dst := p.dst.lend(len(s.Data) + ws.MaxHeaderSize + 1)
		if spare == 0 && len(s.Out) > 0 && p.codec.Role() == ws.Server {
			dst = p.dst.lend(len(s.Out)) // exactly enough; a server takes no key, so that it can be undone
		}
		n, err := encode(dst)
		if err != nil {
			return fmt.Errorf("error %v (n %d)", err, n)
		}
		if !bytes.Equal(given, s.Data) {
			return fmt.Errorf("the caller's payload was changed")
		}
		if err := p.dst.intact(n); err != nil {
			return err
		}
		if spare == 0 && p.codec.Role() == ws.Server {
			p.codec = before
			continue
		}
		p.sent = append(p.sent, dst[:n]...)
		break
	}
	return nil
}

// payload sends owed bytes, a few at a time.
func (p *codecPlayer) payload(data []byte) error {
	for room := 1; len(data) > 0; room = room%7 + 1 {
		dst := p.dst.lend(room)
		n, err := p.codec.EncodePayload(dst, data)
		if err != nil {
			return err
		}
		if err := p.dst.intact(n); err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%d bytes are too many", len(data))
		}
		p.sent = append(p.sent, dst[:n]...)
		data = data[n:]
	}
	return nil
}

// receive lets bytes arrive, and answers.
func (p *codecPlayer) receive(data []byte) error {
	st := newStream(&p.codec, p.codec.Decode, 1)
	st.after = p.reply
	cuts := make([]int, len(data))
	for i := range cuts {
		cuts[i] = i + 1
	}
	failed, err := st.feed(data, cuts)
	if _, closed := p.codec.SentClose(); err == nil && failed != nil && !closed {
		err = p.write(func(dst []byte) (int, error) { return p.codec.Close(dst, failed.Code, "") })
	}
	return err
}

// do does a step.
func (p *sessionPlayer) do(s *Step) error {
	n, err := 0, error(nil)
	switch s.Verb {
	case "in":
		st := newStream(&p.session, p.session.Receive, 64)
		st.after = p.after
		_, err = st.feed(s.Data, []int{len(s.Data)})
		return err
	case "ping":
		err = p.session.Ping(s.Data)
	case "pong":
		err = p.session.Pong(s.Data)
	case "close":
		err = p.session.Close(ws.CloseCode(s.Code), string(s.Data))
	case "text", "binary", "continuation":
		given := bytes.Clone(s.Data)
		n, err = p.session.Send(opcodes[s.Verb], s.Fin, s.Data)
		if err == nil && n != len(s.Data) {
			return fmt.Errorf("took %d of %d bytes", n, len(s.Data))
		}
		if !bytes.Equal(given, s.Data) {
			return fmt.Errorf("the caller's payload was changed")
		}
	default:
		return fmt.Errorf("a session cannot do %s: the case lacks level codec", s.Verb)
	}
	if want := max(s.Error, 0); ruleOf(err) != want || err != nil && n != 0 {
		return fmt.Errorf("want an error of rule %d, got %v (%d bytes taken)", want, err, n)
	}
	return nil
}
