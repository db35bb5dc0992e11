package ws

// This file holds the sending half of the Session: what a caller sends, and what is due by itself.

// leastFragment is the payload of a fragment that goes out through a buffer too small for a good one.
const leastFragment = 64

// smallBuffer is the size of a buffer, in bytes, below which fragments are not made to fit it.
const smallBuffer = 32

// Accept answers the request with 101, with what a says; nil means no subprotocol. The state is StateOpen
// afterwards, and the ServerHandshake is the caller's again. ErrNoRoom means that the Output could not take all
// of the answer: send what is pending and call again with the same a. The other errors are those of
// ServerHandshake.Accept; ErrState if no request waits for an answer.
func (s *Session) Accept(a *Acceptance) error {
	if s.state == StateRequest && s.server.Outcome() == PlainRequest {
		return ErrPlainRequest
	}
	if s.state != StateRequest || s.out == nil {
		return ErrState
	}
	n, err := s.server.Accept(s.out.room(), a)
	s.out.to += n
	if err == nil {
		s.state = StateOpen
		s.server = nil
	}
	return err
}

// Respond answers the request with r, an HTTP response other than 101: the refusal of an upgrade, after which
// the state is StateClosed, or what a plain request has asked for, after which the next request is awaited
// unless r.Close is set. ErrNoRoom is as for Accept. The other errors are those of ServerHandshake.Respond.
func (s *Session) Respond(r *Response) error {
	if s.state != StateRequest || s.out == nil || r == nil {
		return ErrState
	}
	n, err := s.server.Respond(s.out.room(), r)
	s.out.to += n
	if err != nil {
		return err
	}
	if s.server.KeepAlive() {
		s.server.Restart()
		s.state = StateHandshake
	} else {
		s.state = StateClosed
	}
	return nil
}

// Send queues payload as a message, or as the next part of one: fin says that it ends here. op is Text or
// Binary, the same in each part, or Continuation for the open message. It takes as much as the Output has room
// for, in as many fragments as that needs, and returns how many bytes of payload it took. ErrNoRoom means that
// some, or the end of the message, is still to come: send what is pending, and call again with payload[n:] and
// the same op and fin.
//
// The other errors are those of Codec.Encode, and ErrNotOpen before the connection is open. Nothing more was
// taken then; parts that Options.CheckText found right may have gone before.
func (s *Session) Send(op Opcode, fin bool, payload []byte) (n int, err error) {
	if err = s.ready(); err != nil {
		return 0, err
	}
	if op.IsControl() {
		return 0, ErrOpcodeSend
	}
	for {
		s.pump()
		room := s.out.room()
		rest := payload[n:]
		if owed := s.codec.owed; owed > 0 {
			k, err := s.codec.EncodePayload(room, rest)
			s.out.to += k
			n += k
			if err != nil {
				return n, err
			}
			if s.codec.owed > 0 {
				if n < len(payload) {
					err = ErrNoRoom
				}
				return n, err
			}
			if n == len(payload) && !(fin && s.codec.sendKind != 0) {
				s.pump()
				return n, nil
			}
			continue
		}
		if s.due {
			return n, ErrCloseSent
		}
		size := HeaderSize(s.codec.role, uint64(len(rest)))
		if len(rest) <= len(room)-size {
			k, err := s.codec.Encode(room, op, fin, rest)
			s.out.to += k
			if err != nil {
				return n, err
			}
			return len(payload), nil
		}
		if len(s.out.buf) < smallBuffer {
			if err = s.begin(op, fin, rest); err != nil || len(rest) == 0 {
				return n, err
			}
			continue
		}
		if fits := len(room) - size; fits > 0 && (len(room) >= len(s.out.buf)/2 || fits >= leastFragment*16) {
			k, err := s.codec.Encode(room, op, false, rest[:fits])
			s.out.to += k
			if err != nil {
				return n, err
			}
			n += fits
			continue
		}
		if _, bad := s.codec.firstByte(op, fin, 0); bad != nil {
			return n, bad
		}
		return n, ErrNoRoom
	}
}

// begin starts a frame whose payload goes out through a buffer of a few bytes.
func (s *Session) begin(op Opcode, fin bool, rest []byte) error {
	left := len(rest)
	length := min(left, leastFragment)
	size := HeaderSize(s.codec.role, uint64(length))
	if _, bad := s.codec.firstByte(op, fin, 0); bad != nil {
		return bad
	}
	if _, bad := s.codec.checkText(op, fin && length == left, rest[:length]); bad != nil {
		return bad
	}
	room := s.out.frameRoom(size)
	if room == nil {
		return ErrNoRoom
	}
	k, err := s.codec.EncodeHeader(room, op, fin && length == left, uint64(length))
	if err != nil {
		return err
	}
	s.out.wrote(k, size)
	return nil
}

// SendHeader queues only the header of a frame whose payload has length bytes. The payload is then owed, as after
// Codec.EncodeHeader: a server sends it from where it lies, behind what is pending, and reports it by SentPayload; or
// Send takes it. ErrNoRoom means that nothing was queued: send what is pending first. The other errors are
// those of Codec.EncodeHeader, and ErrNotOpen.
func (s *Session) SendHeader(op Opcode, fin bool, length uint64) error {
	if err := s.ready(); err != nil {
		return err
	}
	if op.IsControl() {
		return ErrOpcodeSend
	}
	if length>>63 != 0 {
		return ErrLengthTopBit
	}
	if _, bad := s.codec.firstByte(op, fin, length); bad != nil {
		return bad
	}
	if s.due {
		return ErrCloseSent
	}
	s.pump()
	size := HeaderSize(s.codec.role, length)
	room := s.out.frameRoom(size)
	if room == nil || s.out.hasPong {
		return ErrNoRoom
	}
	n, err := s.codec.EncodeHeader(room, op, fin, length)
	if err == nil {
		s.out.wrote(n, size)
	}
	return err
}

// SentPayload reports that a server has sent n bytes of the owed payload itself; see Codec.Sent. What waited behind
// the payload is queued.
func (s *Session) SentPayload(n uint64) error {
	err := s.codec.Sent(n)
	s.pump()
	return err
}

// Waiting reports whether more is to be sent than Pending has room for: a frame or head that did not fit the Output's
// buffer, or an answer that waits for its turn. Send what is pending, and there will be more.
func (s *Session) Waiting() bool {
	o := s.out
	switch {
	case o == nil:
		return s.due
	case o.spillFrom < o.spillTo:
		return true
	case s.client != nil && s.state == StateHandshake && !s.client.out.done:
		return true
	case s.server != nil && s.state == StateFailed && s.server.Outcome() == Failed && !s.server.out.done:
		return true
	}
	return (o.hasPong || s.due) && s.codec.owed == 0
}

// Starved reports whether an answer waits because the random source of a client has failed: it is asked again by every call.
func (s *Session) Starved() bool { return s.starved }

// Ping queues a Ping with up to 125 bytes of payload. ErrNoRoom means that nothing was queued: send what is
// pending first. The other errors are those of Codec.Encode.
func (s *Session) Ping(payload []byte) error { return s.sendControl(Ping, payload) }

// Pong queues a Pong: one that was not asked for, or the answer to a Ping with Options.ManualPong. The errors are
// those of Ping.
func (s *Session) Pong(payload []byte) error { return s.sendControl(Pong, payload) }

func (s *Session) sendControl(op Opcode, payload []byte) error {
	if err := s.ready(); err != nil {
		return err
	}
	if _, bad := s.codec.firstByte(op, true, uint64(len(payload))); bad != nil {
		return bad
	}
	if s.due && op == Ping {
		return ErrCloseSent
	}
	s.pump()
	room := s.out.frameRoom(s.frameSize(len(payload)))
	if room == nil {
		return ErrNoRoom
	}
	n, err := s.codec.Encode(room, op, true, payload)
	if err == nil {
		s.out.wrote(n, n)
	}
	return err
}

// Close queues a Close with code and reason, or an empty one for code 0; after the peer's Close, it is the
// answer. A reason over 123 bytes is cut at the end of a code point (rule 83). Then nothing more is sent, but
// messages are still received until the peer's Close (rule 81). ErrNoRoom means that nothing was queued: send
// what is pending first. The other errors: ErrCodeSend, ErrReasonSend, ErrCloseSent, ErrFrameOpen, ErrFailed
// (the Close is queued already), ErrState.
func (s *Session) Close(code CloseCode, reason string) error {
	if err := s.ready(); err != nil {
		return err
	}
	reason = cutReason(reason)
	if bad := checkCloseSend(code, reason); bad != nil {
		return bad
	}
	if s.codec.owed > 0 {
		return ErrFrameOpen
	}
	if s.due || s.codec.facts&bitCloseSent != 0 {
		return ErrCloseSent
	}
	s.pump()
	size := s.frameSize(2 + len(reason))
	room := s.out.frameRoom(size)
	if room == nil || s.out.hasPong {
		return ErrNoRoom
	}
	n, err := s.codec.Close(room, code, reason)
	if err == nil {
		s.out.wrote(n, size)
	}
	return err
}

func (s *Session) frameSize(length int) int { return int(FrameSize(s.codec.role, uint64(length))) }

// cutReason cuts a reason to what a Close can carry, at the end of a code point.
func cutReason(reason string) string {
	if len(reason) <= MaxCloseReason {
		return reason
	}
	n := MaxCloseReason
	for n > MaxCloseReason-4 && reason[n]&0xC0 == 0x80 {
		n--
	}
	return reason[:n]
}

// ready reports why nothing can be sent at all.
func (s *Session) ready() error {
	switch {
	case s.codec.role == 0:
		return ErrRole
	case s.state == StateHandshake || s.state == StateRequest:
		return ErrNotOpen
	case s.out == nil || s.state != StateOpen && s.state != StateFailed:
		return ErrState
	case s.state == StateFailed && s.codec.owed == 0:
		return ErrFailed
	}
	return nil
}

// Pending returns the bytes to send next; see Output.Pending. What was due is put there first.
func (s *Session) Pending() []byte {
	if s.out == nil {
		return nil
	}
	s.pump()
	return s.out.Pending()
}

// Sent reports that the first n bytes of Pending were sent; see Output.Sent.
func (s *Session) Sent(n int) error {
	if s.out == nil {
		return ErrState
	}
	err := s.out.Sent(n)
	s.pump()
	return err
}

// pump puts what is due into the Output, as far as there is room: the head of a handshake, the Pong that waits, the
// Close that waits.
func (s *Session) pump() {
	o := s.out
	if o == nil {
		return
	}
	o.settle()
	switch {
	case s.client != nil && s.state == StateHandshake:
		n, _ := s.client.Request(o.room())
		o.to += n
	case s.server != nil && s.state == StateFailed && s.server.Outcome() == Failed:
		n, _ := s.server.Respond(o.room(), nil)
		o.to += n
	}
	if o.hasPong && s.control(Pong, o.pong[:o.pongLen]) {
		o.hasPong = false
	}
	if s.due && !o.hasPong && s.control(Close, nil) {
		s.due = false
	}
}

// control queues a control frame of the session's own, and reports whether that was possible or can never be. A
// random source that fails is asked again.
func (s *Session) control(op Opcode, payload []byte) bool {
	if s.codec.owed > 0 {
		return false
	}
	size := s.frameSize(len(payload))
	if op == Close {
		size = s.frameSize(2)
	}
	room := s.out.frameRoom(size)
	if room == nil {
		return false
	}
	var n int
	var err error
	if op == Close {
		n, err = s.codec.Close(room, s.code, "")
	} else {
		n, err = s.codec.encodeControl(room, op, payload)
	}
	if err == nil {
		s.out.wrote(n, size)
	}
	s.starved = err == ErrRandom
	return !s.starved
}
