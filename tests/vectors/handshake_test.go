package vectors

// This file plays the handshakes of both ends, alone and inside a Session.

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/embws/embws/ws"
)

const defaultStore = 2048 // bytes, unless the case says otherwise

// handshakeOptions turns the options of a case into those of a handshake, and says how large the store is.
func handshakeOptions(c *Case) (opt *ws.HandshakeOptions, store int, err error) {
	opt, store = &ws.HandshakeOptions{}, defaultStore
	for _, s := range c.Options {
		value := 0
		if len(s.Data) > 0 && s.Name != "keep" {
			if value, err = strconv.Atoi(string(s.Data)); err != nil {
				return nil, 0, err
			}
		}
		switch s.Name {
		case "max-head":
			opt.MaxHead = value
		case "max-fields":
			opt.MaxFields = value
		case "max-subprotocols":
			opt.MaxSubprotocols = value
		case "store":
			store = value
		case "keep":
			opt.Keep = append(opt.Keep, string(s.Data))
		case "keep-all":
			opt.KeepAll = true
		default:
			return nil, 0, fmt.Errorf("unknown option %s", s.Name)
		}
	}
	return opt, store, nil
}

// hand is what both handshakes have in common.
type hand interface {
	Receive(buf []byte) (n int, done bool, err error)
	Outcome() ws.Outcome
	Failure() ws.Failure
	Header(name string) ([]byte, bool)
	Fields() ws.FieldCursor
	Extensions() ws.ExtensionCursor
}

// headStream feeds a handshake, or the session around it.
type headStream struct {
	in     []byte
	cuts   []int
	eaten  int
	memory guarded
}

// next gives pieces until the head is done or the input is used up.
func (s *headStream) next(receive func(buf []byte) (int, bool, error)) (done bool, err error, bad error) {
	for _, cut := range s.cuts {
		if cut <= s.eaten {
			continue
		}
		given := s.in[s.eaten:cut]
		piece := s.memory.lendCopy(given)
		n, done, err := receive(piece)
		if n < 0 || n > len(piece) || !done && n != len(piece) {
			return false, nil, fmt.Errorf("ate %d of %d bytes at %d, done %v", n, len(piece), s.eaten, done)
		}
		if bad := s.memory.intact(-1); bad != nil {
			return false, nil, bad
		}
		if !bytes.Equal(piece, given) {
			return false, nil, fmt.Errorf("changed its input")
		}
		s.eaten += n
		if done {
			return true, err, nil
		}
	}
	return false, nil, nil
}

// stays checks that a handshake that is done eats nothing more and says the same again.
func stays(h hand, err error) error {
	outcome := h.Outcome()
	n, done, again := h.Receive([]byte("GET / HTTP/1.1\r\n\r\n"))
	if n != 0 || !done || again != err || h.Outcome() != outcome {
		return fmt.Errorf("asked again: ate %d, done %v, error %v, then %s", n, done, again, h.Outcome())
	}
	return nil
}

// compareHead holds what a head was found to be against the case. status gives the code that goes with an error.
func compareHead(want *Head, h hand, s *headStream, done bool, err error, status func(*ws.Error) int) error {
	var failed *ws.Error
	if err != nil {
		var ok bool
		if failed, ok = err.(*ws.Error); !ok { //nolint:errorlint // they are never wrapped
			return fmt.Errorf("not an *Error: %w", err)
		}
	}
	if done {
		if bad := stays(h, err); bad != nil {
			return bad
		}
	}
	outcomes := map[string]ws.Outcome{
		"upgrade": ws.UpgradeRequested, "plain": ws.PlainRequest, "more": ws.NeedMore,
		"open": ws.Opened, "refused": ws.Refused, "fail": ws.Failed,
	}
	if h.Outcome() != outcomes[want.Outcome] {
		return fmt.Errorf("outcome: want %s, got %s (error %v)", want.Outcome, h.Outcome(), err)
	}
	switch want.Outcome {
	case "fail":
		return sameFailure(*want.Fail, failed, h.Failure(), s.eaten, status)
	case "refused":
		if failed != ws.ErrStatus || h.Failure().Offset != uint64(s.eaten) {
			return fmt.Errorf("refused: error %v, offset %d, ate %d", err, h.Failure().Offset, s.eaten)
		}
	default:
		if err != nil || done != (want.Outcome != "more") {
			return fmt.Errorf("%s, with error %v, done %v", want.Outcome, err, done)
		}
	}
	return nil
}

// compareValues holds what a handshake tells of its head against the case.
func compareValues(want *Head, h hand) error {
	var protocols, extensions [][]byte
	for _, v := range want.Values {
		var got []byte
		ok := true
		server, _ := h.(*ws.ServerHandshake)
		client, _ := h.(*ws.ClientHandshake)
		switch {
		case v.Name == "subprotocol":
			protocols = append(protocols, v.Data)
			continue
		case v.Name == "extension":
			extensions = append(extensions, v.Data)
			continue
		case v.Name == "field":
			got, ok = h.Header(v.Key)
		case v.Name == "status" && client != nil:
			got = strconv.AppendInt(nil, int64(client.Status()), 10)
		case v.Name == "origin" && server != nil:
			got, ok = server.Origin()
		case v.Name == "target" && server != nil:
			got = server.Target()
		case v.Name == "path" && server != nil:
			got = server.Path()
		case v.Name == "query" && server != nil:
			got = server.Query()
		case v.Name == "host" && server != nil:
			got = server.Host()
		default:
			return fmt.Errorf("unknown value %s", v.Name)
		}
		if !ok {
			return fmt.Errorf("%s %s is not there", v.Name, v.Key)
		}
		if err := sameBytes(v.Name+" "+v.Key, v.Data, got); err != nil {
			return err
		}
	}
	for _, name := range want.Absent {
		if value, ok := h.Header(name); ok {
			return fmt.Errorf("%s is there: %q", name, value)
		}
	}
	if err := sameLists("subprotocols", protocols, offeredProtocols(h)); err != nil {
		return err
	}
	return sameLists("extensions", extensions, offeredExtensions(h))
}

func sameLists(what string, want, got [][]byte) error {
	if !bytes.Equal(bytes.Join(want, []byte("\n")), bytes.Join(got, []byte("\n"))) || len(want) != len(got) {
		return fmt.Errorf("%s: want %q, got %q", what, want, got)
	}
	return nil
}

func offeredProtocols(h hand) (all [][]byte) {
	switch h := h.(type) {
	case *ws.ServerHandshake:
		for c := h.Subprotocols(); ; {
			name, ok := c.Next()
			if !ok {
				return all
			}
			all = append(all, name)
		}
	case *ws.ClientHandshake:
		if name := h.Subprotocol(); name != nil {
			all = append(all, name)
		}
	}
	return all
}

// offeredExtensions writes each extension as name;param=value.
func offeredExtensions(h hand) (all [][]byte) {
	for c := h.Extensions(); ; {
		e, ok := c.Next()
		if !ok {
			return all
		}
		line := bytes.Clone(e.Name)
		for params := e.Params(); ; {
			p, ok := params.Next()
			if !ok {
				break
			}
			line = append(append(line, ';'), p.Name...)
			if p.HasValue {
				line = append(append(line, '='), p.Value...)
			}
		}
		all = append(all, line)
	}
}

// through drains an emitter through rooms of the same size.
func through(room int, emit func(dst []byte) (int, error)) (out []byte, err error) {
	var memory guarded
	for {
		dst := memory.lend(room)
		n, err := emit(dst)
		if n < 0 || n > room {
			return out, fmt.Errorf("wrote %d bytes to a room of %d", n, room)
		}
		if bad := memory.intact(n); bad != nil {
			return out, bad
		}
		out = append(out, dst[:n]...)
		if err != ws.ErrNoRoom {
			return out, err
		}
		if n == 0 {
			return out, fmt.Errorf("no progress through a room of %d", room)
		}
	}
}

// fieldsOf returns the header fields among the arguments of an answer or a request.
func fieldsOf(with []Setting) (fields []ws.Field) {
	for _, s := range with {
		if s.Name == "field" {
			fields = append(fields, ws.Field{Name: s.Key, Value: string(s.Data)})
		}
	}
	return fields
}
