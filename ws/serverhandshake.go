package ws

// This file holds the server's end of the opening handshake (RFC 6455 4.2): what a request must be, in the order in
// which it is judged, what the application may ask about it, and the two kinds of answer.

// ServerHandshake is the server's end of an opening handshake, without the I/O.
//
// Feed the client's bytes to Receive until it says done, look at Outcome and at the request, and answer by Accept or
// Respond:
//
//	h.Reset(store, nil)
//	n, done, err := h.Receive(buf)  // again and again
//	n, err = h.Accept(dst, &ws.Acceptance{Subprotocol: "chat"})
//
// It is a plain value of at most 320 bytes that points to nothing but the caller's store and options, may be reused
// by Reset, and allocates nothing. All that its methods return lies in the store and is valid until Reset or Restart,
// or until the caller uses the store for something else. It has one user at a time.
type ServerHandshake struct {
	h   head
	out output
}

// Reset makes h ready for a connection. store is lent to h for what is kept of the request: for its target and each
// kept field the bytes of the value and two more, and for those kept by name also the name and a colon. A request that
// needs more is refused with 431 (ErrStoreFull); HandshakeStore is a good size. opt may be nil; it stays the caller's
// and must not change while h is in use.
func (h *ServerHandshake) Reset(store []byte, opt *HandshakeOptions) {
	h.h.reset(Server, store, opt)
	h.out = output{}
}

// Restart makes h ready for the next request on the same connection, with the same store and options. That is possible
// once KeepAlive says so, else it is ErrState.
func (h *ServerHandshake) Restart() error {
	if !h.KeepAlive() {
		return ErrState
	}
	h.h.next()
	h.out = output{}
	return nil
}

// Receive takes the next bytes of the connection and returns how many it has eaten: all of them up to the end of the
// head. What follows the head is not eaten: after an upgrade it is the codec's, after a plain request the next request.
// buf may have any size, and is not kept. done means that no more is wanted: Outcome is UpgradeRequested or
// PlainRequest, and the request can be looked at and answered; or err is not nil. Once done, it stays so, and nothing
// is eaten.
//
// An error is a broken rule, one of rules 1 to 17 and 104 in the order of the stream, or ErrKeepName. n counts the
// bytes before the one that broke it; Failure tells more; and Respond(dst, nil) writes the refusal. Every later call
// returns n = 0 and the same error. ErrState means that Reset was not called, or that the answer is written.
func (h *ServerHandshake) Receive(buf []byte) (n int, done bool, err error) {
	p := &h.h
	if p.skips(buf) {
		return 1, false, nil
	}
	switch p.outcome {
	case NeedMore:
	case UpgradeRequested, PlainRequest:
		return 0, true, nil
	case Failed:
		return 0, true, p.err
	default:
		return 0, true, ErrState
	}
	n, done = p.receive(buf)
	if done {
		var broken *Error
		if p.outcome, broken = h.judge(); broken != nil {
			p.fail(0, broken) // receive has counted the bytes
		}
		p.whole = broken == nil
	}
	if p.err != nil {
		return n, true, p.err
	}
	return n, done, nil
}

// judge applies the rules that need the whole head, in their order.
func (h *ServerHandshake) judge() (Outcome, *Error) {
	f := &h.h.facts
	h.h.whole = true // so that the records can be read
	switch {
	case f.hosts != 1 || !f.goodHost && !h.validHostField():
		return Failed, ErrHost
	case !f.webSocket && f.keys == 0 && f.versions == 0 && f.protocols == 0 && !f.extensions:
		if f.body {
			return Failed, ErrBody
		}
		return PlainRequest, nil
	case !f.webSocket:
		return Failed, ErrUpgrade
	case !f.upgrade:
		return Failed, ErrConnection
	case f.versions != 1:
		return Failed, ErrVersionMissing
	case !f.version13:
		return Failed, ErrVersion
	case f.keys != 1:
		return Failed, ErrKeyCount
	case f.keySize != keySize || !validKey(&h.h.key):
		return Failed, ErrKey
	case f.body:
		return Failed, ErrBody
	case f.protocols > 0 && !h.validSubprotocols():
		return Failed, ErrSubprotocols
	case f.extensions && (f.badExtensions || f.extensionCount == 0):
		return Failed, ErrExtensionSyntax
	}
	return UpgradeRequested, nil
}

// validHostField reports whether the Host field names a host.
func (h *ServerHandshake) validHostField() bool {
	host, _ := h.h.first(tagHost)
	return validHost(host)
}

// validSubprotocols reports whether what the client offers is a list of different tokens, and not too many (rule 17).
func (h *ServerHandshake) validSubprotocols() bool {
	f := &h.h.facts
	most := boundOr(h.h.opt.MaxSubprotocols, DefaultMaxSubprotocols)
	if f.badProtocols || f.protocolCount == 0 || uint64(f.protocolCount) > uint64(most) {
		return false
	}
	if f.protocolCount == 1 || f.protocols == 1 && h.h.differAtOnce() {
		return true
	}
	for c := h.Subprotocols(); ; {
		name, ok := c.Next()
		if !ok || len(c.rest) == 0 && f.protocols == 1 {
			return true
		}
		if listed(c, name) {
			return false
		}
	}
}

// differAtOnce reports whether the subprotocols of the one field that there is begin with different bytes, so that they
// need not be compared. That they do not says nothing.
func (h *head) differAtOnce() bool {
	seen, last := uint64(0), byte(',')
	for _, c := range h.store[h.lists+1 : h.used] {
		if c == '\n' {
			return true
		}
		if last == ',' {
			bit := uint64(1) << (c & 63)
			if seen&bit != 0 {
				return false
			}
			seen |= bit
		}
		last = c
	}
	return false
}

// KeepAlive reports whether a plain request was answered in full and the connection may be used on (RFC 9112 9.3):
// neither the response nor the request has asked for its end.
func (h *ServerHandshake) KeepAlive() bool { return h.h.outcome == Answered && h.out.keepAlive }

// Outcome tells where the handshake stands.
func (h *ServerHandshake) Outcome() Outcome { return h.h.outcome }

// Failure tells which rule was broken, and where; its Err is nil if none was. Offset counts all bytes eaten since
// Reset.
func (h *ServerHandshake) Failure() Failure { return h.h.failure() }

// Untouched reports whether nothing was received yet of the request that is awaited: a connection that ends here ends
// in order.
func (h *ServerHandshake) Untouched() bool {
	return h.h.outcome == NeedMore && h.h.total == h.h.start
}

// Target returns the request-target as it came: an origin-form such as "/chat?room=1", or an absolute-form such as
// "http://example.com/chat" (RFC 9112 3.2). It is nil before the request is complete, as are the results of the
// methods that follow.
func (h *ServerHandshake) Target() []byte {
	target, _ := h.h.first(tagTarget)
	return target
}

// rootPath is the path of a target that has none. Nothing writes to it.
var rootPath = []byte("/")

// Path returns the path of the target, as it came, without the query: percent-encoding is left alone. It starts
// with a slash.
func (h *ServerHandshake) Path() []byte {
	target := h.Target()
	if target == nil {
		return nil
	}
	path, _ := cut(target[pathStart(target):], '?')
	if len(path) == 0 {
		return rootPath
	}
	return path
}

// Query returns what follows the question mark in the target, as it came; nil if there is none.
func (h *ServerHandshake) Query() []byte {
	_, query := cut(h.Target(), '?')
	return query
}

// Host returns the host, and the port if there is one, that the client asked for: that of an absolute-form target,
// which prevails (RFC 9112 3.2.2), or that of the Host field.
func (h *ServerHandshake) Host() []byte {
	if host := authority(h.Target()); len(host) > 0 {
		return host
	}
	host, _ := h.h.first(tagHost)
	return host
}

// Origin returns the value of the first Origin field, and whether there is one (RFC 6455 10.2). A browser always
// sends it; whether it is welcome is the application's decision.
func (h *ServerHandshake) Origin() (origin []byte, present bool) { return h.h.first(tagOrigin) }

// Header returns the value of the first kept field of that name, in any case, and whether there is one: Host, Origin,
// Sec-WebSocket-Protocol, Sec-WebSocket-Extensions, and what the options tell to keep.
func (h *ServerHandshake) Header(name string) (value []byte, present bool) { return h.h.header(name) }

// Fields returns a cursor over all kept fields, in the order of the request.
func (h *ServerHandshake) Fields() FieldCursor { return FieldCursor{recordCursor{h.h.kept()}} }

// Subprotocols returns a cursor over what the client offers, in its order of preference.
func (h *ServerHandshake) Subprotocols() SubprotocolCursor {
	return h.h.subprotocols()
}

// Offers reports whether the client offers that subprotocol. Their names are case-sensitive.
func (h *ServerHandshake) Offers(name string) bool {
	return tokenString(name) && listed(h.Subprotocols(), name)
}

// Extensions returns a cursor over what the client offers, in its order of preference (RFC 6455 9.1).
func (h *ServerHandshake) Extensions() ExtensionCursor {
	return ExtensionCursor{records: recordCursor{h.h.kept()}}
}

// Acceptance says how an upgrade is accepted. The zero value is a plain acceptance.
type Acceptance struct {
	// Subprotocol is one of those that the client offers, or "" for none (rule 18).
	Subprotocol string

	// Extensions is the value of Sec-WebSocket-Extensions to answer, such as "permessage-deflate", or "" for none. It
	// is sent as it is, once it was found to keep the grammar and to name nothing that was not offered (rule 36).
	Extensions string

	// Fields are further header fields. Those of the handshake itself cannot be among them: Host, Upgrade, Connection,
	// Content-Length, Transfer-Encoding, and all that begin with Sec-WebSocket-.
	Fields []Field
}

// plainAcceptance stands in for a nil *Acceptance.
var plainAcceptance Acceptance

// Accept writes the 101 response that opens the connection (rules 18, 21 and 22), and returns how many bytes it has
// written to dst. ErrNoRoom means that more is to come: send those bytes and call again, with the same a, until the
// error is nil; then Outcome is Opened. Any room of one byte or more will do. a may be nil: no subprotocol.
//
// Before the first byte a is checked: ErrSubprotoSend, ErrExtensionSend or ErrField, and nothing is written. A plain
// request gives ErrPlainRequest. ErrState
// means that no upgrade request waits for an answer, that Respond has begun one, or that a has changed its size between
// two calls.
func (h *ServerHandshake) Accept(dst []byte, a *Acceptance) (n int, err error) {
	if err := h.readyToAccept(&a); err != nil {
		return 0, err
	}
	h.out.accepting = true
	if !h.out.begun {
		acceptKey(&h.h.expect, &h.h.key)
	}
	w := window{dst: dst, skip: h.out.at}
	h.emitAcceptance(&w, a)
	if n, err = h.out.advance(&w); err == nil {
		h.h.outcome = Opened
	}
	return n, err
}

// AcceptSize returns how many bytes Accept writes for a in all; 0 and the error of Accept if it would refuse a.
func (h *ServerHandshake) AcceptSize(a *Acceptance) (int, error) {
	if err := h.readyToAccept(&a); err != nil {
		return 0, err
	}
	var w window
	h.emitAcceptance(&w, a)
	return w.total, nil
}

// readyToAccept checks that an acceptance is due, and its arguments if this is the first call.
func (h *ServerHandshake) readyToAccept(a **Acceptance) error {
	if *a == nil {
		*a = &plainAcceptance
	}
	if h.h.outcome == PlainRequest {
		return ErrPlainRequest
	}
	if h.h.outcome != UpgradeRequested || h.out.begun && !h.out.accepting {
		return ErrState
	}
	if h.out.begun {
		return nil
	}
	if name := (*a).Subprotocol; name != "" && !h.Offers(name) {
		return ErrSubprotoSend
	}
	if s := (*a).Extensions; s != "" && !(validExtensions(s) && answersOffers(s, h.Extensions())) {
		return ErrExtensionSend
	}
	if !validFields((*a).Fields) {
		return ErrField
	}
	return nil
}

// acceptanceHead is what every acceptance begins with, up to the key's answer.
const acceptanceHead = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "

func (h *ServerHandshake) emitAcceptance(w *window, a *Acceptance) {
	const size = len(acceptanceHead) + acceptSize + 2
	if w.total == 0 && w.skip == 0 && len(w.dst) >= size { // it begins here and has room: nothing needs to be counted
		dst := w.dst[:size]
		copy(dst, acceptanceHead)
		copy(dst[len(acceptanceHead):], h.h.expect[:])
		dst[size-2], dst[size-1] = '\r', '\n'
		w.n, w.total = size, size
	} else {
		emit(w, acceptanceHead)
		emit(w, h.h.expect[:])
		emit(w, "\r\n")
	}
	if a.Subprotocol != "" {
		emitField(w, "Sec-WebSocket-Protocol", a.Subprotocol)
	}
	if a.Extensions != "" {
		emitField(w, "Sec-WebSocket-Extensions", a.Extensions)
	}
	emitFields(w, a.Fields)
	emit(w, "\r\n")
}
