package ws

// This file holds the Conn: a loop that carries bytes between a Session and a transport.

import "io"

// Conn is one end of a WebSocket connection over any io.ReadWriter: a socket, TLS, a serial line. It reads and
// writes whole messages, or messages larger than memory piece by piece, answers Pings and Closes by itself, and
// lives in the buffers that the caller lends.
//
// Conn has one user at a time, no lock and no goroutine; it never closes the transport. A time-out or another
// passing error of the transport comes back as it is and leaves Conn whole: repeat the call, for writes with
// the bytes that were not taken. So a blocked reader is woken by a read deadline, to write; see "Writing while
// another goroutine reads" in the package's documentation. (TLS does not survive a time-out of a write: give it
// read deadlines only.)
//
// The Read methods also write: the answers to Pings and to a Close. If the transport does not take them, they
// wait for the next call.
type Conn struct {
	session Session
	output  Output
	rw      io.ReadWriter
	buffers Buffers
	from    int    // buffers.Read[from:to] has arrived and was not taken
	to      int    //
	drained uint64 // bytes read by Close
	event   [1]Event
	ended   bool // the transport has ended
	halved  bool // CloseWrite was called

	accepted  bool   // the 101 is written or pending
	responded bool   // the whole response is pending
	most      uint64 // bytes that Close may read, while it runs; 0 means any
}

// Buffers is the memory that a Conn lives in, each of any size from one byte up. They stay in use until the
// next set-up.
type Buffers struct {
	Read    []byte // what arrives; payload is handed out in it
	Write   []byte // what leaves; a message that does not fit is sent in fragments
	Message []byte // holds a message for ReadMessage, which fails with 1009 for a longer one; nil if only ReadPiece is used
}

// transferTries is how often a transport may move nothing, without an error, before io.ErrNoProgress.
const transferTries = 100

// Reset makes c ready over rw as an end of a connection that is open already. The bytes that have arrived
// behind the handshake go into the head of buffers.Read, and early is their number; one that is more than the
// buffer holds leaves c without set-up, and all calls give ErrRole. opt may be nil.
func (c *Conn) Reset(rw io.ReadWriter, role Role, buffers Buffers, early int, opt *Options) {
	*c = Conn{}
	if rw == nil || early < 0 || early > len(buffers.Read) {
		return
	}
	c.rw, c.buffers, c.to = rw, buffers, early
	c.output.Reset(buffers.Write)
	c.session.Reset(role, opt, &c.output)
}

// Serve makes c ready over rw and reads a client's request into hs, on which Reset was called. It returns nil
// when the request is whole: look at hs, then call Accept or Respond. A request that breaks a rule is refused
// here, and the error is the rule's *Error. io.EOF means that the transport ended before the first byte.
func (c *Conn) Serve(rw io.ReadWriter, hs *ServerHandshake, buffers Buffers, opt *Options) error {
	*c = Conn{rw: rw, buffers: buffers}
	c.output.Reset(buffers.Write)
	c.session.Serve(hs, opt, &c.output)
	return c.NextRequest()
}

// NextRequest waits for a request: the next one, after Respond to a plain one, or the same after Serve was
// interrupted by a time-out. The errors are those of Serve; io.EOF also means that the last answer was to end
// the connection.
func (c *Conn) NextRequest() error {
	switch c.session.state {
	case StateRequest:
		return nil
	case StateClosed:
		return io.EOF
	}
	return c.awaitHead()
}

// Connect makes c ready over rw, sends the request of hs, on which Reset was called, and reads the answer. It
// returns nil when the connection is open. With ErrStatus the server has refused: hs has the status and the
// fields, and Early the start of the body. After a time-out, Resume goes on.
func (c *Conn) Connect(rw io.ReadWriter, hs *ClientHandshake, buffers Buffers, opt *Options) error {
	*c = Conn{rw: rw, buffers: buffers}
	c.output.Reset(buffers.Write)
	c.session.Connect(hs, opt, &c.output)
	return c.awaitHead()
}

// Resume goes on with a Connect that a time-out has interrupted.
func (c *Conn) Resume() error { return c.awaitHead() }

// awaitHead reads until the handshake's head is whole.
func (c *Conn) awaitHead() error {
	if err := c.usable(); err != nil {
		return err
	}
	if s := c.session.state; s != StateHandshake && s != StateFailed {
		return ErrState
	}
	for {
		if err := c.Flush(); err != nil {
			return err
		}
		n, found, err := c.session.Receive(c.arrived(), nil, c.event[:0])
		c.from += n
		if err != nil {
			if flushed := c.Flush(); flushed != nil && c.session.state != StateFailed {
				return flushed
			}
			return err
		}
		if len(found) > 0 {
			return nil
		}
		if err := c.fill(); err != nil {
			if err == io.EOF && c.session.Role() == Client {
				return ErrHandshakeCutShort
			}
			return err
		}
	}
}

// upgradeRequired answers a plain request that was to be accepted.
var upgradeRequired = Response{Status: 426, Close: true}

// Accept answers the request with 101 and opens the connection; a may be nil. A request that asks for no upgrade is
// answered with 426, and the error is ErrPlainRequest: use Respond instead to serve it. The errors are those of
// ServerHandshake.Accept, and the transport's; after a time-out, call it again with the same a.
func (c *Conn) Accept(a *Acceptance) error {
	if err := c.usable(); err != nil {
		return err
	}
	for !c.accepted {
		err := c.session.Accept(a)
		if err == ErrPlainRequest {
			if failed := c.Respond(&upgradeRequired); failed != nil {
				return failed
			}
			return err
		}
		if err != nil && err != ErrNoRoom {
			return err
		}
		c.accepted = err == nil
		if flushed := c.Flush(); flushed != nil {
			return flushed
		}
	}
	return c.Flush()
}

// Respond answers the request with an HTTP response, as Session.Respond does. After a plain request NextRequest
// reads the next one; after a refused upgrade, or with r.Close, close the transport. After a time-out, call it
// again with the same r.
func (c *Conn) Respond(r *Response) error {
	if err := c.usable(); err != nil {
		return err
	}
	for !c.responded {
		err := c.session.Respond(r)
		if err != nil && err != ErrNoRoom {
			return err
		}
		c.responded = err == nil
		if flushed := c.Flush(); flushed != nil {
			return flushed
		}
	}
	err := c.Flush()
	c.responded = err != nil
	return err
}

// Early returns the bytes that have arrived and were not taken yet, such as the start of the body of a refusal.
func (c *Conn) Early() []byte { return c.arrived() }

// ReadMessage returns the next whole message: Text or Binary, and its payload, which lies in the buffers and
// stays until the next call of a Read method. Control frames are dealt with on the way; Next shows them.
//
// io.EOF means that the peer has closed with a Close frame, which was answered; PeerClose has its code and
// reason. ErrNoClose, which is also an io.ErrUnexpectedEOF, means that the transport ended without. Another
// *Error is a violation of the peer: its Close was sent, and Close waits for the peer to go (rule 85). Any
// other error is the transport's.
func (c *Conn) ReadMessage() (op Opcode, payload []byte, err error) {
	for {
		m, err := c.Next()
		if err != nil || m.Kind == Text || m.Kind == Binary {
			return m.Kind, m.Payload, err
		}
	}
}

// Next is ReadMessage that also returns the Pings, which were answered, and the Pongs, such as a watch over silent
// peers needs.
func (c *Conn) Next() (m Message, err error) {
	for {
		n, m, err := c.session.Next(c.arrived(), c.buffers.Message)
		c.from += n
		if m.Kind == Text || m.Kind == Binary {
			return m, nil
		}
		if err := c.more(err, m.Kind != 0); err != nil {
			return Message{}, err
		}
		if m.Kind == Ping || m.Kind == Pong {
			return m, nil
		}
	}
}

// ReadPiece returns the next piece of a message, as it arrives: e.Kind is Text or Binary, e.Is(MessageStart)
// and e.Is(MessageEnd) tell the message's edges. The payload stays until the next call of a Read method. A
// message is as large as MaxMessage allows, the buffers as small as they are. The errors are those of
// ReadMessage. Do not mix the two within a message.
func (c *Conn) ReadPiece() (e Event, payload []byte, err error) {
	for {
		in := c.arrived()
		n, found, err := c.session.Receive(in, c.buffers.Message, c.event[:0])
		c.from += n
		if len(found) > 0 && (found[0].Kind == Text || found[0].Kind == Binary) {
			return found[0], c.session.Payload(found[0], in, c.buffers.Message), nil
		}
		if err := c.more(err, len(found) > 0); err != nil {
			return Event{}, nil, err
		}
	}
}

// more is called when no data came out of what has arrived: it sends what is due and, if nothing was found, reads.
func (c *Conn) more(failed error, found bool) error {
	if err := c.usable(); err != nil {
		return err
	}
	if s := c.session.state; s == StateHandshake || s == StateRequest {
		return ErrNotOpen
	}
	if failed != nil {
		if c.session.codec.failed == 0 {
			return failed
		}
		if c.Flush() == nil { // else Close tries again
			c.halve()
		}
		return failed
	}
	_ = c.Flush() // what the transport does not take now waits: an error that stays will show in a Write, or in what is read
	if c.over() {
		return io.EOF
	}
	if found || c.from < c.to {
		return nil
	}
	return c.fill()
}

// over reports whether the peer has said its last word.
func (c *Conn) over() bool {
	return c.session.codec.facts&bitCloseSeen != 0 || c.session.state == StateClosed
}

// WriteMessage sends payload as a message, in fragments where it does not fit the write buffer; op is Text or
// Binary. It returns how many bytes of payload were taken. If that is fewer than all, the transport has failed or
// timed out: call it again with payload[n:] and the same op. If it is all, but err is not nil, Flush sends the
// rest; but ErrNoRoom says that the end of the message was not taken, as the transport takes nothing: Flush, and
// then repeat the call with no payload. The errors are those of Codec.Encode, and the transport's; after a
// violation of the peer, it is the violation's.
func (c *Conn) WriteMessage(op Opcode, payload []byte) (n int, err error) {
	return c.WritePiece(op, true, payload)
}

// WritePiece sends a part of a message; fin says that it is the last, which may be empty. Otherwise it is
// WriteMessage.
func (c *Conn) WritePiece(op Opcode, fin bool, payload []byte) (n int, err error) {
	if err = c.usable(); err != nil {
		return 0, err
	}
	for {
		k, err := c.session.Send(op, fin, payload[n:])
		n += k
		if err == ErrFailed {
			return n, c.session.violation()
		}
		if err != nil && err != ErrNoRoom {
			return n, err
		}
		if flushed := c.Flush(); flushed != nil {
			if err == ErrNoRoom && n == len(payload) {
				return n, ErrNoRoom // else it would look as if all was taken
			}
			return n, flushed
		}
		if err == nil {
			return n, nil
		}
	}
}

// Ping sends a Ping with up to 125 bytes of payload. Next shows the Pong.
func (c *Conn) Ping(payload []byte) error {
	if err := c.usable(); err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return err
	}
	if err := c.session.Ping(payload); err != nil {
		return err
	}
	return c.Flush()
}

// usable reports why nothing can be sent or awaited: c was not set up, or has no buffer to go on with.
func (c *Conn) usable() error {
	switch {
	case c.session.state == StateNone || c.rw == nil:
		return ErrRole
	case len(c.buffers.Read) == 0 || len(c.buffers.Write) == 0:
		return ErrNoRoom
	}
	return nil
}

// Flush sends what is pending. The Write methods do so themselves; it is needed after a time-out.
func (c *Conn) Flush() error {
	for idle := 0; ; {
		p := c.session.Pending()
		if len(p) == 0 {
			return nil
		}
		n, err := c.rw.Write(p)
		if bad := c.session.Sent(n); bad != nil {
			return bad
		}
		if err != nil {
			return err
		}
		if n > 0 {
			idle = 0
		} else if idle++; idle == transferTries {
			return io.ErrNoProgress
		}
	}
}

// Close ends the connection as RFC 6455 7.1 wants, and returns when the transport may be closed: it sends a
// Close with code and reason (as Session.Close does), unless one was sent, and reads, dropping data, until the
// peer's Close. A transport that has a method CloseWrite() error is told that no more will be written; after
// that, and after a violation, Close reads until the transport's end, so that bytes on their way do not destroy
// what the peer has not read yet (rule 85). It reads at most MaxDrain bytes; the time is the caller's to limit,
// by a deadline of the transport. Call it in any case, after a refused handshake too.
//
// nil means a clean close; the errors are those of ReadMessage but io.EOF, and those of Session.Close.
func (c *Conn) Close(code CloseCode, reason string) error {
	if err := c.usable(); err != nil {
		return err
	}
	if c.session.state == StateOpen {
		if err := c.Flush(); err != nil && !c.over() {
			return err
		}
		if err := c.session.Close(code, reason); err != nil && err != ErrCloseSent {
			return err
		}
	}
	if err := c.Flush(); err != nil {
		return err
	}
	c.most = limit(c.session.codec.opt.MaxDrain, DefaultMaxDrain)
	defer func() { c.most = 0 }()
	if c.session.state == StateFailed {
		c.halve()
		c.drain()
		return c.session.End()
	}
	for !c.over() {
		_, _, err := c.ReadPiece()
		if err != nil && err != io.EOF {
			if c.session.state == StateFailed {
				c.drain()
			}
			return err
		}
	}
	if err := c.Flush(); err != nil {
		return err
	}
	if c.halve() {
		c.drain()
	}
	return nil
}

// drain reads and drops until the transport ends, so that the peer gets to read our last words before the
// transport is gone.
func (c *Conn) drain() {
	for c.fill() == nil {
		c.from = c.to
	}
}

// halve says to a transport that can hear it that nothing more will be written, and reports whether it was.
func (c *Conn) halve() bool {
	t, ok := c.rw.(interface{ CloseWrite() error })
	if ok && !c.halved {
		c.halved = true
		_ = t.CloseWrite() // the transport is about to be given up
	}
	return ok
}

// PeerClose returns the code and reason of the peer's Close, and whether one was received; see Codec.PeerClose.
func (c *Conn) PeerClose() (code CloseCode, reason []byte, ok bool) { return c.session.PeerClose() }

// Failure tells which rule the peer broke, and where; see Session.Failure.
func (c *Conn) Failure() Failure { return c.session.Failure() }

// State returns where the connection stands.
func (c *Conn) State() State { return c.session.State() }

// Session returns the Session inside. Do not feed it.
func (c *Conn) Session() *Session { return &c.session }

// arrived returns what has arrived and was not taken.
func (c *Conn) arrived() []byte { return c.buffers.Read[c.from:c.to] }

// fill reads into the read buffer, all of which was taken.
func (c *Conn) fill() error {
	if c.ended {
		return c.end()
	}
	if c.most > 0 && c.drained > c.most {
		return ErrDrain
	}
	c.from, c.to = 0, 0
	for tries := 0; tries < transferTries; tries++ {
		n, err := c.rw.Read(c.buffers.Read)
		if n < 0 || n > len(c.buffers.Read) {
			return io.ErrNoProgress
		}
		c.to = n
		if err == io.EOF {
			c.ended = true
			if n == 0 {
				return c.end()
			}
			return nil
		}
		if n > 0 {
			if c.most > 0 {
				c.drained += uint64(n)
			}
			return nil // an error that stays will come again
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// end says what the end of the transport means.
func (c *Conn) end() error {
	if h := c.session.server; c.session.state == StateHandshake && h != nil && h.Untouched() {
		return io.EOF
	}
	if err := c.session.End(); err != nil {
		return err
	}
	return io.EOF
}
