package ws

// This file holds the answers of a server other than 101: the refusal of an upgrade, the refusal of a request that broke
// a rule, and what a plain request asked for (rule 20).

// Response is an answer other than 101.
type Response struct {
	// Status is 200 to 599 for a plain request, and 300 to 599 for an upgrade request and after a failure: a 2xx there
	// was taken for an upgrade by proxies.
	Status int

	// Fields are further header fields, such as Content-Type, Location or WWW-Authenticate. The same names as in
	// Acceptance are refused: Connection and Content-Length are written by Respond, as are Upgrade and
	// Sec-WebSocket-Version with status 426, and Allow with 405 if it is not given.
	Fields []Field

	// Body is sent behind the head. It must be empty with 204, 205 and 304.
	Body []byte

	// Close ends the connection after this response. After an upgrade request or a failure it always ends, and after a
	// plain request also when the client said Connection: close.
	Close bool
}

// Respond writes a response other than 101 and returns how many bytes it has written to dst. ErrNoRoom means that more is
// to come: send those bytes and call again, with the same r, until the error is nil. Any room of one byte or more will
// do. Outcome is then Answered, or still Failed after a failure. The connection must be closed, unless KeepAlive says
// that it may be used on.
//
// After a failure, r may be nil: the response is the one that the rules ask for, with a line of text that says what was
// wrong (400, 405, 426, 431 or 505).
//
// Before the first byte r is checked: ErrStatusSend if the status does not fit the request, or has no body and r has one;
// ErrField for a bad field. Nothing is written then. ErrState means that there is nothing to answer, that Accept has begun
// an answer, that r is nil without a failure, or that r has changed its size between two calls.
func (h *ServerHandshake) Respond(dst []byte, r *Response) (n int, err error) {
	if err := h.readyToRespond(r); err != nil {
		return 0, err
	}
	w := window{dst: dst, skip: h.out.at}
	h.emitResponse(&w, r)
	if n, err = h.out.advance(&w); err != nil || h.h.outcome == Failed {
		return n, err
	}
	h.out.keepAlive = !h.closes(r)
	h.h.outcome = Answered
	return n, nil
}

// ResponseSize returns how many bytes Respond writes for r in all; 0 and the error of Respond if it would refuse r.
func (h *ServerHandshake) ResponseSize(r *Response) (int, error) {
	if err := h.readyToRespond(r); err != nil {
		return 0, err
	}
	var w window
	h.emitResponse(&w, r)
	return w.total, nil
}

// readyToRespond checks that a response is due, and its arguments if this is the first call.
func (h *ServerHandshake) readyToRespond(r *Response) error {
	least := 300
	switch h.h.outcome {
	case PlainRequest:
		least = 200
	case UpgradeRequested, Failed:
	default:
		return ErrState
	}
	switch {
	case h.out.done || h.out.accepting && h.out.begun || r == nil && h.h.outcome != Failed:
		return ErrState
	case h.out.begun || r == nil:
		return nil
	case r.Status < least || r.Status > 599 || len(r.Body) > 0 && bodyless(r.Status):
		return ErrStatusSend
	case !validFields(r.Fields):
		return ErrField
	}
	return nil
}

// closes reports whether the connection ends with this response.
func (h *ServerHandshake) closes(r *Response) bool {
	return h.h.outcome != PlainRequest || r.Close || h.h.facts.close
}

// bodyless reports whether a response of that status has no body (RFC 9110 15.3.5, 15.3.6, 15.4.5).
func bodyless(status int) bool { return status == 204 || status == 205 || status == 304 }

func (h *ServerHandshake) emitResponse(w *window, r *Response) {
	if r == nil {
		h.emitRefusal(w)
		return
	}
	h.emitHead(w, r.Status, h.closes(r), !hasField(r.Fields, "allow"))
	emitFields(w, r.Fields)
	if r.Status != 204 && r.Status != 304 {
		emit(w, "Content-Length: ")
		emitNumber(w, len(r.Body))
		emit(w, "\r\n")
	}
	emit(w, "\r\n")
	emit(w, r.Body)
}

// emitRefusal answers a request that broke a rule.
func (h *ServerHandshake) emitRefusal(w *window) {
	status, text := 500, "the server is not set up\n"
	if h.h.err.Status != 0 {
		status, text = int(h.h.err.Status), h.h.err.Text
		text = text[len("ws: "):]
		if status == 431 {
			text = "the request is too large" // how large the store is, is nobody's business
		}
	}
	h.emitHead(w, status, true, true)
	emit(w, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: ")
	emitNumber(w, len(text)+1)
	emit(w, "\r\n\r\n")
	emit(w, text)
	emit(w, "\n")
}

// emitHead writes the status line and the fields that go with the status.
func (h *ServerHandshake) emitHead(w *window, status int, closes, allow bool) {
	emit(w, "HTTP/1.1 ")
	emitNumber(w, status)
	emit(w, " ")
	emit(w, reason(status))
	emit(w, "\r\n")
	switch {
	case status == 426: // RFC 9110 7.8: who sends Upgrade names it in Connection
		emit(w, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n")
		if closes {
			emit(w, "Connection: close, Upgrade\r\n")
		} else {
			emit(w, "Connection: Upgrade\r\n")
		}
	case closes:
		emit(w, "Connection: close\r\n")
	}
	if status == 405 && allow {
		emit(w, "Allow: GET\r\n")
	}
}
