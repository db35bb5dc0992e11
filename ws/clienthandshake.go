package ws

// This file holds the client's end of the opening handshake (RFC 6455 4.1): the request, and what the response must be,
// in the order in which it is judged.

// Request is an upgrade request to send.
type Request struct {
	// Host is the value of the Host field: a host, with a port if it is not the scheme's default, such as
	// "example.com:8080" or "[::1]:8080" (RFC 6455 4.1).
	Host string

	// Target is the request-target, percent-encoded and without a fragment: a path and query such as "/chat?room=1", or
	// an absolute-form such as "http://example.com/chat" towards a proxy.
	Target string

	// Origin is the value of the Origin field, or "" for no such field (rule 27).
	Origin string

	// Subprotocols are offered in this order: different tokens, MaxSubprotocols at most.
	Subprotocols []string

	// Extensions is the value of Sec-WebSocket-Extensions to offer, or "" for none.
	Extensions string

	// Fields are further header fields, such as Cookie or Authorization. Those of the handshake itself cannot be among
	// them: Host, Upgrade, Connection, Content-Length, Transfer-Encoding, all that begin with Sec-WebSocket-, and Origin
	// if it is given above.
	Fields []Field
}

// ClientHandshake is the client's end of an opening handshake, without the I/O.
//
// Write the request by Request, then feed the server's bytes to Receive until it says done:
//
//	err := h.Reset(store, &ws.Request{Host: "example.com", Target: "/chat"}, &keys, nil)
//	n, err := h.Request(dst)        // again, while it says ErrNoRoom
//	n, done, err := h.Receive(buf)  // again, until done
//
// It is a plain value of at most 320 bytes that points to nothing but the caller's store, request and options, may be
// reused by Reset, and allocates nothing. All that its methods return lies in the store and is valid until Reset, or
// until the caller uses the store for something else. It has one user at a time.
type ClientHandshake struct {
	h       head
	out     output
	req     *Request
	status  uint16
	interim int
}

// Reset makes h ready for a connection: it checks the request and draws the nonce of its key from keys (rule 25), whose
// pool it leaves alone. store is lent to h for the subprotocol, the extensions and what opt tells to keep of the response:
// for each field the bytes of its value and two more, and for those kept by name also the name and a colon. opt, and keys
// for the default source, may be nil. req and opt stay the caller's and must not change while h is in use.
//
// Errors: ErrRequestHost, ErrRequestTarget, ErrRequestOrigin, ErrRequestProtocols, ErrRequestExtensions (rule 28; each is
// also ErrRequest, which alone means that req is nil); ErrField for a bad further field
// (rule 22); ErrKeepName; ErrRandom. h is NotStarted then.
func (h *ClientHandshake) Reset(store []byte, req *Request, keys *Keys, opt *HandshakeOptions) error {
	*h = ClientHandshake{req: req}
	h.h.reset(Client, store, opt)
	err := h.h.err
	if err == nil {
		err = req.check(h.h.opt)
	}
	if err == nil {
		if err = keys.read(h.h.key[:16]); err == nil {
			nonce := [16]byte(h.h.key[:16])
			encodeKey(&h.h.key, &nonce)
			acceptKey(&h.h.expect, &h.h.key)
			return nil
		}
	}
	*h = ClientHandshake{}
	return err
}

// check applies the rules for what a caller may ask for.
func (r *Request) check(opt *HandshakeOptions) *Error {
	switch {
	case r == nil:
		return ErrRequest
	case !validHost(r.Host):
		return ErrRequestHost
	case !validTarget(r.Target):
		return ErrRequestTarget
	case !all(r.Origin, octetTarget):
		return ErrRequestOrigin
	case len(r.Subprotocols) > boundOr(opt.MaxSubprotocols, DefaultMaxSubprotocols):
		return ErrRequestProtocols
	}
	for i, name := range r.Subprotocols {
		if !tokenString(name) {
			return ErrRequestProtocols
		}
		for _, other := range r.Subprotocols[:i] {
			if name == other {
				return ErrRequestProtocols
			}
		}
	}
	if r.Extensions != "" && !validExtensions(r.Extensions) {
		return ErrRequestExtensions
	}
	if !validFields(r.Fields) || r.Origin != "" && hasField(r.Fields, "origin") {
		return ErrField
	}
	return nil
}

// Request writes the upgrade request and returns how many bytes it has written to dst. ErrNoRoom means that more is to
// come: send those bytes and call again. Any room of one byte or more will do. Once the error was nil, further calls
// write nothing. ErrState means that Reset was not called or has failed, or that the request has changed its size
// between two calls.
func (h *ClientHandshake) Request(dst []byte) (n int, err error) {
	if h.h.outcome == NotStarted {
		return 0, ErrState
	}
	if h.out.done {
		return 0, nil
	}
	w := window{dst: dst, skip: h.out.at}
	h.emitRequest(&w)
	return h.out.advance(&w)
}

// RequestSize returns how many bytes Request writes in all, or 0 if Reset was not called or has failed.
func (h *ClientHandshake) RequestSize() int {
	if h.h.outcome == NotStarted {
		return 0
	}
	var w window
	h.emitRequest(&w)
	return w.total
}

func (h *ClientHandshake) emitRequest(w *window) {
	r := h.req
	emit(w, "GET ")
	emit(w, r.Target)
	emit(w, " HTTP/1.1\r\nHost: ")
	emit(w, r.Host)
	emit(w, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ")
	emit(w, h.h.key[:])
	emit(w, "\r\nSec-WebSocket-Version: 13\r\n")
	for i, name := range r.Subprotocols {
		if i == 0 {
			emit(w, "Sec-WebSocket-Protocol: ")
		} else {
			emit(w, ", ")
		}
		emit(w, name)
	}
	if len(r.Subprotocols) > 0 {
		emit(w, "\r\n")
	}
	if r.Extensions != "" {
		emitField(w, "Sec-WebSocket-Extensions", r.Extensions)
	}
	if r.Origin != "" {
		emitField(w, "Origin", r.Origin)
	}
	emitFields(w, r.Fields)
	emit(w, "\r\n")
}

// Receive takes the next bytes of the connection and returns how many it has eaten: all of them up to the end of the
// head. What follows the head is not eaten: after a 101 it is the codec's, after another status the response's body. buf
// may have any size, and is not kept. Interim responses (1xx but 101) are skipped (rule 30). done means that no more is
// wanted: Outcome is Opened, or err is not nil. Once done, it stays so, and nothing is eaten.
//
// ErrStatus means that the server answered something other than 101: Outcome is Refused, Status and the kept fields can be
// looked at, and what follows the eaten bytes is the start of the body. Any other error is a broken rule, one of rules 12,
// 13, 29 to 36 and 104 in the order of the stream; n counts the bytes before the one that broke it, and Failure tells
// more. Every later call returns n = 0 and the same error. A server may answer before the request is written in full, but
// to accept it then is ErrState, a failure of rule 38. ErrState is also the answer if Reset was not called or has failed.
func (h *ClientHandshake) Receive(buf []byte) (n int, done bool, err error) {
	p := &h.h
	if p.skips(buf) {
		return 1, false, nil
	}
	switch p.outcome {
	case NeedMore:
	case Opened:
		return 0, true, nil
	case Failed, Refused:
		return 0, true, p.err
	default:
		return 0, true, ErrState
	}
	for n < len(buf) {
		eaten, whole := p.receive(buf[n:])
		n += eaten
		if !whole {
			break
		}
		if p.digits < 200 && p.digits != 101 {
			if h.interim++; h.interim > boundOr(p.opt.MaxFields, DefaultMaxFields) {
				p.fail(0, ErrTooManyInformation)
				break
			}
			p.next()
			continue
		}
		h.status = p.digits
		var broken *Error
		p.outcome, broken = h.judge()
		if broken != nil {
			outcome := p.outcome
			p.fail(0, broken) // receive has counted the bytes
			p.outcome = outcome
		}
		p.whole = p.outcome != Failed
		done = true
		break
	}
	if p.err != nil {
		return n, true, p.err
	}
	return n, done, nil
}

// judge applies the rules that need the whole head, in their order.
func (h *ClientHandshake) judge() (Outcome, *Error) {
	f := &h.h.facts
	h.h.whole = true // so that the records can be read
	switch {
	case h.status != 101:
		return Refused, ErrStatus
	case !h.out.done:
		return Failed, ErrState
	case !f.webSocket || !f.upgrade:
		return Failed, ErrResponseUpgrade
	case f.accepts != 1:
		return Failed, ErrAcceptCount
	case !f.accepted:
		return Failed, ErrAccept
	case f.protocols > 0 && !h.validSubprotocol():
		return Failed, ErrSubprotocolAnswer
	case f.extensions && (f.badExtensions || f.extensionCount == 0):
		return Failed, ErrExtensionSyntax
	}
	for c := h.Extensions(); ; {
		e, ok := c.Next()
		if !ok {
			return Opened, nil
		}
		if !e.answersOffer(h.req.Extensions) {
			return Failed, ErrExtensionAnswer
		}
	}
}

// validSubprotocol reports whether the server has selected one subprotocol, in one field, that was offered (rule 35).
func (h *ClientHandshake) validSubprotocol() bool {
	f := &h.h.facts
	if f.protocols != 1 || f.badProtocols || f.protocolCount != 1 {
		return false
	}
	selected := h.Subprotocol()
	for _, name := range h.req.Subprotocols {
		if sameBytes(selected, name) {
			return true
		}
	}
	return false
}

// Outcome tells where the handshake stands.
func (h *ClientHandshake) Outcome() Outcome { return h.h.outcome }

// Failure tells which rule was broken, and where; its Err is nil if none was, and ErrStatus if the server refused. Offset
// counts all bytes eaten since Reset.
func (h *ClientHandshake) Failure() Failure { return h.h.failure() }

// Status returns the status of the response, such as 101 or 403, or 0 while it is not complete or if it broke a rule of
// HTTP.
func (h *ClientHandshake) Status() int { return int(h.status) }

// Header returns the value of the first kept field of that name, in any case, and whether there is one:
// Sec-WebSocket-Protocol, Sec-WebSocket-Extensions, and what the options tell to keep, such as Location. There are none
// before the response is complete, and none after a failure.
func (h *ClientHandshake) Header(name string) (value []byte, present bool) { return h.h.header(name) }

// Fields returns a cursor over all kept fields, in the order of the response.
func (h *ClientHandshake) Fields() FieldCursor { return FieldCursor{recordCursor{h.h.kept()}} }

// Subprotocol returns the subprotocol that the server selected, one of those offered; nil for none.
func (h *ClientHandshake) Subprotocol() []byte {
	c := h.h.subprotocols()
	name, _ := c.Next()
	return name
}

// Extensions returns a cursor over the extensions that the server uses, all of them offered (rule 36).
func (h *ClientHandshake) Extensions() ExtensionCursor {
	return ExtensionCursor{records: recordCursor{h.h.kept()}}
}
