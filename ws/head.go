package ws

// This file holds the parser of an HTTP/1.1 head (RFC 9112 2 to 5), which both ends of a handshake share. It is
// pushed: it takes what there is, up to the end of the head, and goes on where it stopped, in linear time. All its
// states are here; what fields mean is in headfields.go, and what is kept in store.go.

// The states of the parser: what the next byte belongs to.
const (
	atBlank       = iota // server: the start, where one empty line is tolerated (RFC 9112 2.2)
	atBlankLF            // its line feed
	atMethod             // "GET ", of which step bytes came
	atTarget             // the first byte of the request-target
	atScheme             // of an absolute-form: up to the colon
	atSlashes            // "//", of which step bytes came
	atAuthority          // step is 0 for its first byte
	atRest               // path and query
	atVersion            // "HTTP/1.1" CR LF, of which step bytes came
	atStatus             // client: "HTTP/1.1 " and three digits, of which step bytes came
	atReasonSpace        // a space, or the end of a line without a reason
	atReason
	atReasonLF
	atLine    // the start of a field line, or the empty line
	inName    // a field name of which a part came
	atValue   // the spaces in front of a value
	inValue   // a value
	inSkipped // a value that nobody wants
	atLF      // the line feed of a field line
	atEmptyLF // the line feed of the empty line
)

// head is a head that is being received.
type head struct {
	store []byte
	opt   *HandshakeOptions

	total uint64 // bytes eaten since Reset
	start uint64 // of which before this head
	limit uint64 // the total at which this head is too large
	err   *Error // the broken rule
	errAt uint64

	used, mark int    // bytes of the store in use; where the value of the open record starts
	lists      int    // where the first record of subprotocols starts
	fields     int    // field lines so far
	elements   uint32 // of the list in this field

	role     Role
	outcome  Outcome
	state    uint8
	step     uint8
	whole    bool // the head is complete and kept fields may be read
	kind     uint8
	tag      uint8
	at       uint8 // see readScalar, readElements
	word     uint8
	tail     bool // spaces were seen behind a word: it is over
	list     uint8
	keeping  bool  // the caller wants further fields
	longName bool  // the name in hand is longer than MaxKeepName
	nameSize uint8 // bytes of it in name
	digits   uint16
	name     [MaxKeepName]byte
	key      [keySize]byte    // the Sec-WebSocket-Key that was received, or is to be sent
	expect   [acceptSize]byte // the Accept value, expected or to be sent
	facts    headFacts
}

// noHandshakeOptions stands in for a nil *HandshakeOptions.
var noHandshakeOptions HandshakeOptions

// reset begins a connection.
func (h *head) reset(role Role, store []byte, opt *HandshakeOptions) {
	if opt == nil {
		opt = &noHandshakeOptions
	}
	*h = head{store: store, opt: opt, role: role, keeping: opt.KeepAll || len(opt.Keep) > 0}
	h.next()
	for _, name := range opt.Keep {
		if len(name) == 0 || len(name) > MaxKeepName {
			h.fail(0, ErrKeepName)
			break
		}
	}
}

// next begins a head on the same connection.
func (h *head) next() {
	h.start = h.total
	h.limit = h.total + uint64(boundOr(h.opt.MaxHead, DefaultMaxHead))
	h.used, h.mark, h.lists, h.fields, h.step, h.digits = 0, 0, 0, 0, 0, 0
	h.whole = false
	h.facts = headFacts{}
	h.state = atBlank
	if h.role == Client {
		h.state = atStatus
	}
	h.outcome = NeedMore
}

// fail notes a broken rule. n is how many bytes of this call's input come before the one that broke it.
func (h *head) fail(n int, err *Error) {
	h.err, h.errAt = err, h.total+uint64(n)
	h.outcome = Failed
}

func (h *head) failure() Failure {
	return Failure{Err: h.err, Offset: h.errAt}
}

// receive parses buf and returns how many bytes it ate; done says that the head is complete. A broken rule is in
// h.err afterwards.
func (h *head) receive(buf []byte) (n int, done bool) {
	b, over := buf, false
	if left := h.limit - h.total; uint64(len(buf)) > left {
		b, over = buf[:left], true
	}
	n, done = h.parse(b)
	if over && !done && h.err == nil {
		h.fail(n, ErrHeadTooLarge)
	}
	h.total += uint64(n)
	return n, done
}

// skips takes a single byte of a value that nobody wants, and reports whether buf is one: what a header of many KiB is
// made of when it comes byte by byte.
func (h *head) skips(buf []byte) bool {
	if len(buf) != 1 || h.state != inSkipped || octets[buf[0]]&octetText == 0 || h.total >= h.limit || h.outcome != NeedMore {
		return false
	}
	h.total++
	return true
}

// parse is receive without the limit on the head.
func (h *head) parse(b []byte) (i int, done bool) {
	maxFields := boundOr(h.opt.MaxFields, DefaultMaxFields)
	for i < len(b) {
		switch h.state {
		case atLine:
			c := b[i]
			if !isToken(c) {
				if c != '\r' {
					h.fail(i, ErrHeadSyntax)
					return i, false
				}
				i++
				h.state = atEmptyLF
				continue
			}
			if h.fields >= maxFields {
				h.fail(i, ErrTooManyFields)
				return i, false
			}
			h.fields++
			colon := i + tokenRun(b[i:])
			if colon == len(b) || b[colon] != ':' || colon-i > MaxKeepName {
				h.nameSize, h.longName = 0, false
				h.state = inName
				continue
			}
			name := b[i:colon]
			i = colon + 1
			for i < len(b) && octets[b[i]]&classMask == classOWS {
				i++
			}
			end := i + textRun(b[i:])
			whole := end < len(b)-1 && b[end] == '\r' && b[end+1] == '\n'
			if whole && (!h.keeping && !mayBeKnown(name) || h.quickField(name, b[i:end])) {
				i = end + 2
				continue
			}
			if !h.beginField(name) {
				h.fail(colon, ErrStoreFull)
				return colon, false
			}
			h.state = atValue

		case atValue:
			for i < len(b) && octets[b[i]]&classMask == classOWS {
				i++
			}
			if i < len(b) {
				h.state = inValue
				if h.kind == kindOther && h.tag == tagAny {
					h.state = inSkipped
				}
			}

		case inValue, inSkipped:
			end := i + textRun(b[i:])
			if end > i && h.state == inValue {
				if at := h.fieldValue(b[i:end]); at >= 0 {
					h.fail(i+at, ErrStoreFull)
					return i + at, false
				}
			}
			i = end
			if i == len(b) {
				continue
			}
			if b[i] != '\r' {
				h.fail(i, ErrHeadSyntax)
				return i, false
			}
			i++
			h.state = atLF

		case atLF:
			if b[i] != '\n' {
				h.fail(i, ErrHeadSyntax)
				return i, false
			}
			i++
			if h.kind != kindOther || h.tag != tagAny {
				h.endField()
			}
			h.state = atLine

		case inName:
			n, err := h.splitName(b[i:])
			i += n
			if err != nil {
				h.fail(i, err)
				return i, false
			}

		case atEmptyLF:
			if b[i] != '\n' {
				h.fail(i, ErrHeadSyntax)
				return i, false
			}
			return i + 1, true

		default:
			n, err := h.firstLine(b[i:])
			i += n
			if err != nil {
				h.fail(i, err)
				return i, false
			}
		}
	}
	return i, false
}

// splitName takes a part of a name that does not lie whole in the input, or is too long to be known, up to its
// colon. b is not empty.
func (h *head) splitName(b []byte) (n int, err *Error) {
	n = tokenRun(b)
	run := b[:n]
	if !h.longName {
		k := copy(h.name[h.nameSize:], run)
		h.nameSize += uint8(k)
		run = run[k:]
		if len(run) > 0 {
			h.longName = true
			h.kind, h.tag = kindOther, tagAny
			if h.opt.KeepAll {
				h.tag = tagNamed
				if !h.openLong() {
					return n - len(run), ErrStoreFull
				}
			}
		}
	}
	if h.longName && h.tag != tagAny {
		if k := h.add(run); k < len(run) {
			return n - len(run) + k, ErrStoreFull
		}
	}
	if n == len(b) {
		return n, nil
	}
	if b[n] != ':' {
		return n, ErrHeadSyntax
	}
	switch {
	case !h.longName:
		if !h.beginField(h.name[:h.nameSize]) {
			return n, ErrStoreFull
		}
	case h.tag != tagAny:
		if !h.addByte(':') {
			return n, ErrStoreFull
		}
		h.mark = h.used
	}
	h.state = atValue
	return n + 1, nil
}

// openLong begins the record of a field whose name goes on: what came of it is in h.name.
func (h *head) openLong() bool {
	if len(h.store)-h.used < len(h.name)+2 {
		return false
	}
	h.store[h.used] = tagNamed
	h.used += 1 + copy(h.store[h.used+1:], h.name[:])
	h.mark = h.used
	return true
}
