package ws

// This file holds the output of a handshake. A head is written by one function from its first to its last byte, each
// time it is asked for; the window keeps the part that was not written before and that fits. So nothing is staged,
// and a head of any size goes out through any room.

// window is the part of an output that is wanted: what follows the first skip bytes, as far as dst has room.
type window struct {
	dst   []byte
	skip  int
	n     int // bytes written to dst
	total int // bytes of the whole output
}

// emit appends s to the output.
func emit[T text](w *window, s T) {
	w.total += len(s)
	if w.skip > 0 {
		if w.skip >= len(s) {
			w.skip -= len(s)
			return
		}
		s = s[w.skip:]
		w.skip = 0
	}
	w.n += copy(w.dst[w.n:], s)
}

// emitNumber appends v in decimal digits.
func emitNumber(w *window, v int) {
	var digits [20]byte
	i := len(digits)
	for {
		i--
		digits[i] = byte('0' + v%10)
		if v /= 10; v == 0 {
			break
		}
	}
	emit(w, digits[i:])
}

// emitField appends a field line.
func emitField(w *window, name, value string) {
	emit(w, name)
	emit(w, ": ")
	emit(w, value)
	emit(w, "\r\n")
}

// emitFields appends the caller's field lines.
func emitFields(w *window, fields []Field) {
	for i := range fields {
		emitField(w, fields[i].Name, fields[i].Value)
	}
}

// output remembers how far a head was written.
type output struct {
	at, size  int  // bytes written, bytes in all
	begun     bool // the arguments were found good, and size is known
	done      bool // all is written
	accepting bool // it is a 101
	keepAlive bool // it was a response that leaves the connection open
}

// advance notes what w has written, and returns it with ErrNoRoom while more is to come. ErrState means that the
// arguments are not those of the first call any more: nothing of w counts then.
func (o *output) advance(w *window) (n int, err error) {
	if !o.begun {
		o.begun, o.size = true, w.total
	}
	if w.total != o.size {
		return 0, ErrState
	}
	o.at += w.n
	if o.at < o.size {
		return w.n, ErrNoRoom
	}
	o.done = true
	return w.n, nil
}

// reason returns the phrase that goes with a status (RFC 9110 15), or "", which is just as valid.
func reason(status int) string {
	switch status {
	case 200:
		return "OK"
	case 201:
		return "Created"
	case 202:
		return "Accepted"
	case 204:
		return "No Content"
	case 301:
		return "Moved Permanently"
	case 302:
		return "Found"
	case 303:
		return "See Other"
	case 304:
		return "Not Modified"
	case 307:
		return "Temporary Redirect"
	case 308:
		return "Permanent Redirect"
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 406:
		return "Not Acceptable"
	case 408:
		return "Request Timeout"
	case 410:
		return "Gone"
	case 421:
		return "Misdirected Request"
	case 426:
		return "Upgrade Required"
	case 429:
		return "Too Many Requests"
	case 431:
		return "Request Header Fields Too Large"
	case 500:
		return "Internal Server Error"
	case 501:
		return "Not Implemented"
	case 502:
		return "Bad Gateway"
	case 503:
		return "Service Unavailable"
	case 504:
		return "Gateway Timeout"
	case 505:
		return "HTTP Version Not Supported"
	}
	return ""
}
