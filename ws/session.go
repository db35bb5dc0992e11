package ws

// This file holds the Session's set-up, states and receiving half; session_send.go the sending half.

// Session is one end of a WebSocket connection without its transport, for event loops and for languages above
// Go: the opening handshake, messages, and the answers that RFC 6455 demands, as bytes in and bytes out. Conn
// is a loop around it.
//
// What arrives goes to Receive (or Next); what is to be sent lies in Output.Pending, and Output.Sent makes room
// for more. Pings are answered and a Close is echoed without asking, unless Options say otherwise; a violation
// queues the Close that RFC 6455 7.1.7 wants.
//
// A Session is a plain value of at most 256 bytes, and an idle one needs no other memory: the handshake's and
// the Output are lent. It has one user at a time and allocates nothing.
type Session struct {
	codec      Codec
	out        *Output
	server     *ServerHandshake // while the opening handshake runs
	client     *ClientHandshake
	have       int       // bytes of a message that Next has assembled
	assembling bool      // Next has seen the start of the message, and no Receive has taken a part
	code       CloseCode // of the Close that is due
	due        bool
	starved    bool // see Starved
	state      State
}

// State is where a Session stands.
type State uint8

// The states, in the order in which a connection passes them.
const (
	StateNone      State = iota // not set up
	StateHandshake              // the peer's handshake head is awaited
	StateRequest                // a server: a request was received, and Accept or Respond is awaited
	StateOpen                   // messages go both ways
	StateClosing                // one end has sent its Close
	StateClosed                 // both have, or an HTTP answer was given that ends the connection: send what is pending, close the transport
	StateFailed                 // a rule was broken: send what is pending, stop writing, drain, close the transport (rule 85)
)

// String returns the state's name in lower case.
func (s State) String() string {
	return [...]string{"none", "handshake", "request", "open", "closing", "closed", "failed", "unknown"}[min(s, 7)]
}

// Serve makes s ready for a client whose upgrade request is to come. hs is a ServerHandshake on which Reset was
// called; it is in use until the state is StateOpen, StateClosed or StateFailed and nothing is pending. opt and
// out stay the caller's.
func (s *Session) Serve(hs *ServerHandshake, opt *Options, out *Output) {
	s.Reset(Server, opt, out)
	s.server = hs
	s.state = StateHandshake
}

// Connect makes s ready to send the upgrade request of hs, a ClientHandshake on which Reset was called. The
// request appears in Pending. hs is in use until the state is no longer StateHandshake. opt and out stay the
// caller's.
func (s *Session) Connect(hs *ClientHandshake, opt *Options, out *Output) {
	s.Reset(Client, opt, out)
	s.client = hs
	s.state = StateHandshake
}

// Reset makes s ready for a connection that is open already, because the handshake was done elsewhere. If role is
// neither Server nor Client, all calls give ErrRole.
func (s *Session) Reset(role Role, opt *Options, out *Output) {
	*s = Session{out: out, state: StateOpen}
	s.codec.Reset(role, opt)
	if s.codec.role == 0 {
		s.state = StateNone
	}
}

// SetOutput lends s another Output. What is pending in the old one is not moved: see Output.Move.
func (s *Session) SetOutput(out *Output) { s.out = out }

// Output returns the Output in use.
func (s *Session) Output() *Output { return s.out }

// State returns where s stands.
func (s *Session) State() State {
	if s.state == StateOpen || s.state == StateClosing {
		switch {
		case s.codec.Done():
			return StateClosed
		case s.codec.facts&(bitCloseSeen|bitCloseSent) != 0:
			return StateClosing
		}
	}
	return s.state
}

// Role returns the role of s, or 0 if it was not set up.
func (s *Session) Role() Role { return s.codec.role }

// Received returns the number of bytes of frames that were eaten; see Codec.Received.
func (s *Session) Received() uint64 { return s.codec.Received() }

// Owed returns how many bytes of payload the last SendHeader is still owed, or Send through a buffer of a few bytes.
func (s *Session) Owed() uint64 { return s.codec.Owed() }

// Failure tells which rule the peer broke, and where: in the handshake or after it.
func (s *Session) Failure() Failure {
	switch {
	case s.state == StateFailed && s.server != nil:
		return s.server.Failure()
	case s.state == StateFailed && s.client != nil:
		return s.client.Failure()
	}
	return s.codec.Failure()
}

// PeerClose returns the code and reason of the peer's Close, and whether one was received; see Codec.PeerClose.
func (s *Session) PeerClose() (code CloseCode, reason []byte, ok bool) { return s.codec.PeerClose() }

// SentClose returns the code of our Close, and whether it was queued; see Codec.SentClose.
func (s *Session) SentClose() (code CloseCode, ok bool) { return s.codec.SentClose() }

// Payload returns the payload of an event; see Codec.Payload.
func (s *Session) Payload(e Event, in, room []byte) []byte { return s.codec.Payload(e, in, room) }

// Receive takes bytes that have arrived, and appends to events what they hold, as Codec.Decode does: in, which
// is changed in place, is eaten but for the cases named there and two more: bytes behind a handshake head are
// not eaten, but belong to the next call; and if a Close, or a frame that breaks a rule, stands behind others,
// it is left for the next call, so that those can be answered first. room is for inflated payload. The head's
// end gives an event of the kind Handshake: a server then looks at its ServerHandshake and calls Accept or
// Respond; a client is open.
//
// Answers are queued in the Output before Receive returns. While it has no room, one Pong waits there, the
// newest (rule 68), and a Close waits in s.
//
// Errors: a violation of the peer, sticky, as in Codec.Decode or in the handshake; ErrState while Accept or
// Respond is awaited; ErrRole; ErrNoRoom.
func (s *Session) Receive(in, room []byte, events []Event) (n int, found []Event, err error) {
	s.assembling, s.have = false, 0
	return s.receive(in, room, events, 1<<64-1)
}

func (s *Session) receive(in, room []byte, events []Event, most uint64) (n int, found []Event, err error) {
	if s.state <= StateRequest || s.state == StateFailed && s.codec.failed == 0 {
		return s.receiveHead(in, events)
	}
	if s.state == StateClosed {
		return len(in), events, nil
	}
	before := len(events)
	n, events, err = s.codec.decode(in, room, events, most, true)
	for i := before; i < len(events); i++ {
		s.answer(events[i], in, room)
	}
	if s.codec.failed != 0 && s.state != StateFailed {
		s.state = StateFailed
		if e := violation(s.codec.failed); !s.due {
			s.due, s.code = true, e.Code
		}
	}
	s.pump()
	return n, events, err
}

// receiveHead is Receive while the handshake runs.
func (s *Session) receiveHead(in []byte, events []Event) (n int, found []Event, err error) {
	var done bool
	switch {
	case s.state == StateNone:
		return 0, events, ErrRole
	case s.state == StateRequest:
		return 0, events, ErrState
	case len(events) == cap(events):
		return 0, events, ErrNoRoom
	case s.server != nil:
		n, done, err = s.server.Receive(in)
		if err != nil {
			s.state = StateFailed
		} else if done {
			s.state = StateRequest
		}
	case s.client != nil:
		n, done, err = s.client.Receive(in)
		if err != nil {
			s.state = StateFailed
		} else if done {
			s.state = StateOpen
			s.client = nil
		}
	default:
		return 0, events, ErrState
	}
	s.pump()
	if done && err == nil {
		events = append(events, Event{Kind: Handshake, Flags: wholeMessage})
	}
	return n, events, err
}

// answer does what an event asks for.
func (s *Session) answer(e Event, in, room []byte) {
	switch e.Kind {
	case Ping:
		if s.codec.opt.ManualPong || s.out == nil {
			return
		}
		o, payload := s.out, s.codec.Payload(e, in, room)
		s.pump()
		if o.hasPong || !s.control(Pong, payload) {
			o.hasPong = true // the newest takes the place of the one that waits
			o.pongLen = uint8(copy(o.pong[:], payload))
		}
	case Close:
		if s.out != nil {
			s.out.hasPong = false // rule 71
		}
		if !s.codec.opt.ManualClose && !s.due && s.codec.facts&bitCloseSent == 0 {
			s.due, s.code = true, s.codec.replyCode()
		}
	}
}

// Message is what Next gives: a whole message, or a control frame.
type Message struct {
	Kind    Opcode    // Text, Binary, Ping, Pong, Close, Handshake; 0 when there is none yet
	Code    CloseCode // of a Close
	Payload []byte
}

// Next is Receive for whole messages: it takes bytes that have arrived and stops behind the first message or
// control frame; n is what was eaten, and the rest belongs to the next call. A message that lies whole in in
// stays there, and no copy is made; others are put together in memory, which must be the same in each call
// until the message is whole. It bounds the messages: one of more than len(memory) bytes fails the connection
// with 1009 (rule 48), wherever it lies. Kind 0 means that all was eaten and more is needed. The rest of a
// message of which Receive took a part is passed over. The errors are those of Receive; ErrNoRoom also if
// memory has shrunk within a message.
func (s *Session) Next(in, memory []byte) (n int, m Message, err error) {
	var slot [1]Event
	for {
		if s.have > len(memory) {
			return n, m, ErrNoRoom
		}
		room := memory[s.have:]
		k, events, err := s.receive(in[n:], room, slot[:0], uint64(len(memory)))
		piece := in[n:]
		n += k
		if len(events) == 0 {
			if err == nil && k > 0 && n < len(in) {
				continue
			}
			return n, m, err
		}
		e := events[0]
		p := s.codec.Payload(e, piece, room)
		switch {
		case e.Kind != Text && e.Kind != Binary:
			return n, Message{e.Kind, e.Code, p}, nil
		case e.Is(wholeMessage):
			return n, Message{Kind: e.Kind, Payload: p}, nil
		case e.Is(MessageStart):
			s.assembling = true
		}
		if s.assembling {
			if len(p) > len(room) { // memory has shrunk within the message, which is lost
				s.assembling, s.have = false, 0
				return n, m, ErrNoRoom
			}
			if !e.Is(InOut) {
				copy(room, p)
			}
			s.have += len(p)
			if e.Is(MessageEnd) {
				whole := memory[:s.have:s.have]
				s.assembling, s.have = false, 0
				return n, Message{Kind: e.Kind, Payload: whole}, nil
			}
		}
		if err != nil || n == len(in) && s.codec.phase != inTail {
			return n, m, err
		}
	}
}

// violation returns the rule that was broken, or ErrState if the handshake was never set up.
func (s *Session) violation() error {
	if e := s.Failure().Err; e != nil {
		return e
	}
	return ErrState
}

// End tells s that the transport has ended. It returns nil if the connection was closed as RFC 6455 7.1.4 has
// it or by an HTTP answer, and else why not: the violation, ErrHandshakeCutShort, or ErrNoClose (rule 84).
func (s *Session) End() error {
	switch s.state {
	case StateNone:
		return ErrRole
	case StateHandshake, StateRequest:
		return ErrHandshakeCutShort
	case StateFailed:
		return s.violation()
	case StateClosed:
		return nil
	}
	return s.codec.End()
}
