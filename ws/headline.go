package ws

// This file holds the first line of a head: the request line that a server receives (RFC 9112 3, rules 1 to 3), and
// the status line that a client receives (RFC 9112 4, rules 29 and 31).

const (
	textMethod  = "GET "
	textVersion = "HTTP/1.1\r\n"
	textStatus  = "HTTP/1.1 "
)

// firstLine takes the next part of the first line. b is not empty.
func (h *head) firstLine(b []byte) (n int, err *Error) {
	switch h.state {
	case atBlank:
		if n = h.wholeLine(b); n > 0 {
			return n, nil
		}
		h.state = atMethod
		if b[0] != '\r' {
			return 0, nil
		}
		h.state = atBlankLF
		return 1, nil
	case atBlankLF:
		if b[0] != '\n' {
			return 0, ErrHeadSyntax
		}
		h.state = atMethod
		return 1, nil
	case atMethod:
		for n < len(b) && h.step < uint8(len(textMethod)) {
			if b[n] != textMethod[h.step] {
				if isToken(b[n]) || b[n] == ' ' && h.step > 0 {
					return n, ErrMethod
				}
				return n, ErrHeadSyntax
			}
			n++
			h.step++
		}
		if h.step == uint8(len(textMethod)) {
			h.state, h.step = atTarget, 0
		}
		return n, nil
	case atTarget, atScheme, atSlashes, atAuthority, atRest:
		return h.target(b)
	case atVersion:
		for n < len(b) && h.step < uint8(len(textVersion)) {
			if b[n] != textVersion[h.step] {
				if h.step >= 5 && h.step <= 8 && (b[n]-'0' <= 9 || b[n] == '.') {
					return n, ErrHTTPVersion
				}
				return n, ErrHeadSyntax
			}
			n++
			h.step++
		}
		if h.step == uint8(len(textVersion)) {
			h.state = atLine
		}
		return n, nil
	}
	return h.statusLine(b)
}

// wholeLine takes a request line in origin-form that lies whole in the input. It returns its length, or 0 if it is
// anything else, for the general way to read.
func (h *head) wholeLine(b []byte) int {
	if len(b) <= len(textMethod) || string(b[:len(textMethod)]) != textMethod || b[len(textMethod)] != '/' {
		return 0
	}
	end := len(textMethod) + 1
	for end < len(b) && octets[b[end]]&octetTarget != 0 {
		end++
	}
	if len(b)-end <= len(textVersion) || b[end] != ' ' || string(b[end+1:end+1+len(textVersion)]) != textVersion ||
		!h.keepWhole(tagTarget, b[len(textMethod):end]) {
		return 0
	}
	h.state = atLine
	return end + 1 + len(textVersion)
}

// target takes a part of the request-target: an origin-form, or an absolute-form with a scheme of HTTP or WebSocket
// and a host (RFC 9112 3.2.1, 3.2.2). It is kept whole.
func (h *head) target(b []byte) (n int, err *Error) {
	c := b[0]
	if h.state == atTarget {
		if c != '/' && lower(c)-'a' >= 26 {
			return 0, ErrTarget
		}
		if !h.open(tagTarget, nil) {
			return 0, ErrStoreFull
		}
		h.state = atScheme
		if c == '/' {
			h.state = atRest
		}
	}
	switch h.state {
	case atScheme:
		switch {
		case lower(c)-'a' < 26 || c == 's':
		case c == ':' && webScheme(h.store[h.mark:h.used]):
			h.state, h.step = atSlashes, 0
		default:
			return 0, ErrTarget
		}
		return h.keepTarget(b[:1])
	case atSlashes:
		if c != '/' {
			return 0, ErrTarget
		}
		if h.step++; h.step == 2 {
			h.state, h.step = atAuthority, 0
		}
		return h.keepTarget(b[:1])
	case atAuthority:
		for n < len(b) && octets[b[n]]&octetHost != 0 {
			n++
		}
		if n > 0 {
			h.step = 1
			return h.keepTarget(b[:n])
		}
		if h.step == 0 || c != '/' && c != '?' && c != ' ' || !validHost(authority(h.store[h.mark:h.used])) {
			return 0, ErrTarget
		}
		h.state = atRest
		return 0, nil
	}
	for n < len(b) && octets[b[n]]&octetTarget != 0 {
		n++
	}
	if n > 0 {
		return h.keepTarget(b[:n])
	}
	if c != ' ' {
		return 0, ErrTarget
	}
	h.shut()
	h.state, h.step = atVersion, 0
	return 1, nil
}

// keepTarget keeps a piece of the target.
func (h *head) keepTarget(run []byte) (n int, err *Error) {
	if n = h.add(run); n < len(run) {
		err = ErrStoreFull
	}
	return n, err
}

// webScheme reports whether s is a scheme under which a WebSocket may be asked for.
func webScheme[T text](s T) bool {
	return equalFold(s, "http") || equalFold(s, "https") || equalFold(s, "ws") || equalFold(s, "wss")
}

// authority returns the host and port of a target: empty in the origin-form.
func authority[T text](target T) T {
	start := pathStart(target)
	if start == 0 || len(target) == 0 {
		return target[:0]
	}
	i := 0
	for target[i] != ':' {
		i++
	}
	return target[i+3 : start]
}

// pathStart returns where the path of a target starts: its length, if it has no path and no query.
func pathStart[T text](target T) int {
	if len(target) == 0 || target[0] == '/' {
		return 0
	}
	for i, slashes := 0, 0; i < len(target); i++ {
		switch target[i] {
		case '/':
			if slashes++; slashes == 3 {
				return i
			}
		case '?':
			return i
		}
	}
	return len(target)
}

// validTarget reports whether s can be requested: the grammar of the method target, for a caller's string.
func validTarget(s string) bool {
	if !all(s, octetTarget) || len(s) == 0 {
		return false
	}
	if s[0] == '/' {
		return true
	}
	i := 0
	for i < len(s) && s[i] != ':' {
		i++
	}
	return webScheme(s[:i]) && len(s) > i+3 && s[i:i+3] == "://" && validHost(authority(s))
}

// statusLine takes the next part of a status line.
func (h *head) statusLine(b []byte) (n int, err *Error) {
	switch c := b[0]; h.state {
	case atStatus:
		for n < len(b) && h.step < uint8(len(textStatus)) {
			if b[n] != textStatus[h.step] {
				return n, ErrResponseVersion
			}
			n++
			h.step++
		}
		for n < len(b) && h.step < uint8(len(textStatus))+3 {
			digit := b[n] - '0'
			if digit > 9 || h.digits == 0 && digit == 0 {
				return n, ErrResponseVersion
			}
			h.digits = 10*h.digits + uint16(digit)
			n++
			h.step++
		}
		if h.step == uint8(len(textStatus))+3 {
			h.state = atReasonSpace
		}
		return n, nil
	case atReasonSpace:
		switch c {
		case ' ':
			h.state = atReason
		case '\r':
			h.state = atReasonLF
		default:
			return 0, ErrResponseVersion
		}
		return 1, nil
	case atReason:
		n = textRun(b)
		if n == len(b) {
			return n, nil
		}
		if b[n] != '\r' {
			return n, ErrHeadSyntax
		}
		h.state = atReasonLF
		return n + 1, nil
	}
	if b[0] != '\n' {
		return 0, ErrHeadSyntax
	}
	h.state = atLine
	return 1, nil
}
