package vectors

// This file sets up the two ends that play frames, a Codec and a Session, and plays through each.

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/embws/embws/ws"
)

var roles = map[string]ws.Role{"server": ws.Server, "client": ws.Client}

// options turns those of a case into those of a codec.
func options(c *Case) (*ws.Options, error) {
	o := &ws.Options{Keys: &ws.Keys{Source: &cycle{bytes: c.Keys}}}
	for _, s := range c.Options {
		value, err := int64(0), error(nil)
		if len(s.Data) > 0 {
			value, err = strconv.ParseInt(string(s.Data), 10, 64)
		}
		if err != nil {
			return nil, err
		}
		switch s.Name {
		case "max-frame":
			o.MaxFrame = value
		case "max-message":
			o.MaxMessage = value
		case "long-lengths":
			o.LongLengths = true
		case "check-text":
			o.CheckText = true
		case "manual-pong":
			o.ManualPong = true
		case "manual-close":
			o.ManualClose = true
		case "memory", "output":
		default:
			return nil, fmt.Errorf("unknown option %s", s.Name)
		}
	}
	return o, nil
}

// codecPlayer is a Codec with the bytes that it was made to send.
type codecPlayer struct {
	codec  ws.Codec
	sent   []byte
	dst    guarded
	vector *Case
}

// fresh gives each play keys of its own, from the start.
func fresh(c *Case, opt *ws.Options) *ws.Options {
	o := *opt
	o.Keys = &ws.Keys{Source: &cycle{bytes: c.Keys}}
	return &o
}

func newCodec(c *Case, opt *ws.Options) *codecPlayer {
	p := &codecPlayer{vector: c}
	p.codec.Reset(roles[c.Role], fresh(c, opt))
	return p
}

// reply answers events as RFC 6455 wants.
func (p *codecPlayer) reply(events []ws.Event, in []byte) error {
	_, manualPong := p.vector.Option("manual-pong")
	_, manualClose := p.vector.Option("manual-close")
	for _, e := range events {
		if e.Kind == ws.Ping && manualPong || e.Kind == ws.Close && manualClose {
			continue
		}
		payload := p.codec.Payload(e, in, nil)
		if err := p.write(func(dst []byte) (int, error) { return p.codec.Reply(dst, e, payload) }); err != nil {
			return fmt.Errorf("Reply: %w", err)
		}
	}
	return nil
}

// write calls an encoder with room to spare, and checks what it wrote.
func (p *codecPlayer) write(encode func(dst []byte) (int, error)) error {
	dst := p.dst.lend(ws.MaxControlFrameSize + 9)
	n, err := encode(dst)
	if err != nil {
		n = 0
	}
	p.sent = append(p.sent, dst[:n]...)
	if bad := p.dst.intact(n); bad != nil {
		return bad
	}
	return err
}

// playCodec plays a case through a Codec. Answers are compared when there is one event a call: later, the codec knows
// already what comes behind an event.
func playCodec(c *Case, opt *ws.Options, s split, slots int) error {
	p := newCodec(c, opt)
	for i := range c.Steps {
		if err := p.do(&c.Steps[i]); err != nil {
			return err
		}
	}
	st := newStream(&p.codec, p.codec.Decode, slots)
	if slots == 1 {
		st.after = p.reply
	}
	failed, err := st.feed(c.In, s.cuts)
	if err != nil {
		return err
	}
	if err := st.compare(c, failed); err != nil {
		return err
	}
	if err := comparePeerClose(c, p.codec.PeerClose); err != nil {
		return err
	}
	if slots > 1 {
		return nil
	}
	if _, closed := p.codec.SentClose(); failed != nil && !closed {
		if err := p.write(func(dst []byte) (int, error) { return p.codec.Close(dst, failed.Code, "") }); err != nil {
			return fmt.Errorf("Close after the failure: %w", err)
		}
	}
	if failed != nil {
		if n, err := p.codec.Encode(p.dst.lend(64), ws.Binary, true, nil); n != 0 || err != ws.ErrFailed {
			return fmt.Errorf("a frame after the failure: %d bytes, error %v", n, err)
		}
	}
	return sameBytes("sent", c.Out, p.sent)
}

func comparePeerClose(c *Case, peerClose func() (ws.CloseCode, []byte, bool)) error {
	code, reason, seen := peerClose()
	for _, e := range c.Events {
		if e.Kind != "close" {
			continue
		}
		if !seen || int(code) != e.Code || !bytes.Equal(reason, e.Data) {
			return fmt.Errorf("PeerClose: %d %q %v, want %s", code, reason, seen, e)
		}
		return nil
	}
	if seen {
		return fmt.Errorf("PeerClose: %d %q, want none", code, reason)
	}
	return nil
}

// sessionPlayer is a Session with an Output.
type sessionPlayer struct {
	session ws.Session
	output  ws.Output
	sent    []byte
	held    bool // nothing is taken out before the end
}

func newSession(c *Case, opt *ws.Options, room int) *sessionPlayer {
	p := &sessionPlayer{}
	if s, held := c.Option("output"); held {
		room, _ = strconv.Atoi(s)
		p.held = true
	}
	p.output.Reset(make([]byte, room))
	p.session.Reset(roles[c.Role], fresh(c, opt), &p.output)
	return p
}

// take drains the output.
func (p *sessionPlayer) take() error {
	for {
		pending := p.session.Pending()
		if len(pending) == 0 {
			if !p.output.Empty() {
				return fmt.Errorf("nothing is pending, but the output is not empty")
			}
			return nil
		}
		p.sent = append(p.sent, pending...)
		if err := p.session.Sent(len(pending) + 1); err != ws.ErrSentTooMuch {
			return fmt.Errorf("more was sent than was pending, and the error is %v", err)
		}
		if err := p.session.Sent(len(pending)); err != nil {
			return err
		}
	}
}

func (p *sessionPlayer) after([]ws.Event, []byte) error {
	if p.held {
		return nil
	}
	return p.take()
}

// playSession plays a case through a Session whose output buffer has room bytes.
func playSession(c *Case, opt *ws.Options, s split, slots, room int) error {
	p := newSession(c, opt, room)
	for i := range c.Steps {
		if err := p.do(&c.Steps[i]); err != nil {
			return err
		}
		if err := p.take(); err != nil {
			return err
		}
	}
	st := newStream(&p.session, p.session.Receive, slots)
	st.after = p.after
	failed, err := st.feed(c.In, s.cuts)
	if err == nil {
		err = st.compare(c, failed)
	}
	if err == nil {
		err = p.take()
	}
	if err == nil {
		err = sameBytes("sent", c.Out, p.sent)
	}
	if err == nil {
		err = comparePeerClose(c, p.session.PeerClose)
	}
	if state := p.session.State(); err == nil && (failed != nil) != (state == ws.StateFailed) {
		return fmt.Errorf("state %s", state)
	}
	return err
}

// playNext plays a case through Session.Next, which puts whole messages together.
func playNext(c *Case, opt *ws.Options, s split) error {
	size, limited := max(len(c.In), 1<<16), false
	if v, ok := c.Option("memory"); ok {
		size, _ = strconv.Atoi(v)
		limited = true
	}
	want, open := messages(c.Events)
	if !limited && (open || len(c.Steps) > 0 || c.Fail != nil && c.Fail.Code == 1009) {
		return nil // a longer message may have been announced than fits
	}
	p := newSession(c, opt, len(c.Out)+ws.MaxControlFrameSize)
	var memory, in guarded
	room := memory.lend(size)
	var got []Event
	eaten, failed := 0, error(nil)
	for _, cut := range s.cuts {
		piece := in.lendCopy(c.In[eaten:cut])
		for at := 0; at < len(piece) && failed == nil; {
			n, m, err := p.session.Next(piece[at:], room)
			if m.Kind != 0 {
				e := Event{Kind: m.Kind.String(), Edges: "MFfm", Code: int(m.Code), Data: bytes.Clone(m.Payload)}
				if m.Kind == ws.Close && len(e.Data) >= 2 {
					e.Data = e.Data[2:]
				}
				got = append(got, e)
			} else if err == nil && n < len(piece)-at {
				return fmt.Errorf("Next: ate %d of %d bytes and found nothing", n, len(piece)-at)
			}
			failed = err
			at += n
			eaten += n
			if err := p.take(); err != nil {
				return err
			}
		}
		if err := in.intact(-1); err != nil {
			return err
		}
		if failed != nil {
			break
		}
	}
	if err := memory.intact(-1); err != nil {
		return err
	}
	if err := sameEvents(want, got); err != nil {
		return fmt.Errorf("Next: %w", err)
	}
	var e *ws.Error
	if failed != nil && !errors.As(failed, &e) {
		return failed
	}
	if c.Fail != nil {
		if err := sameFailure(*c.Fail, e, p.session.Failure(), eaten, func(e *ws.Error) int { return int(e.Code) }); err != nil {
			return fmt.Errorf("Next: %w", err)
		}
	} else if failed != nil {
		return fmt.Errorf("Next: %w", failed)
	}
	return sameBytes("Next: sent", c.Out, p.sent)
}

// messages puts frames together to whole messages; open says that the last one was not finished.
func messages(events []Event) (whole []Event, open bool) {
	var data []byte
	for _, e := range events {
		if e.Kind != "text" && e.Kind != "binary" {
			whole = append(whole, e)
			continue
		}
		data = append(data, e.Data...)
		open = e.Edges[3] == '-'
		if !open {
			whole = append(whole, Event{Kind: e.Kind, Edges: "MFfm", Data: data})
			data = nil
		}
	}
	return whole, open
}
