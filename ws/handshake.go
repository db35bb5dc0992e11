package ws

// This file holds what the two ends of a handshake share: options, outcomes, header fields (RFC 6455 4).

// Field is a header field to send. The name is a token; the value has no control bytes but the tab (RFC 9110 5).
type Field struct{ Name, Value string }

// Defaults of HandshakeOptions.
const (
	DefaultMaxHead         = 16 << 10 // bytes
	DefaultMaxFields       = 100
	DefaultMaxSubprotocols = 64

	// MaxKeepName is the longest name, in bytes, that a keep list may hold.
	MaxKeepName = 64

	// HandshakeStore is a store, in bytes, that the requests of browsers fit with room to spare when nothing
	// further is kept: a target with a token in its query, a host, an origin, a few subprotocols, an extension offer.
	HandshakeStore = 1024
)

// HandshakeOptions bounds what a handshake accepts and names what it keeps. It belongs to the caller, must not
// change while a handshake uses it, and may serve any number of them. nil means the defaults.
type HandshakeOptions struct {
	// MaxHead is the longest head in bytes, from its first to its empty line, inclusive (rule 13). Each interim
	// response that a client skips is a head of its own. 0 means DefaultMaxHead, NoLimit or any negative number
	// means none.
	MaxHead int

	// MaxFields is how many header fields a head may have, and how many interim (1xx) responses a client skips
	// (rules 13 and 30). 0 means DefaultMaxFields, a negative number means no limit.
	MaxFields int

	// MaxSubprotocols is how many subprotocols a client may offer (rule 17). They are compared each with each, so
	// the time grows with the square. 0 means DefaultMaxSubprotocols, a negative number means no limit.
	MaxSubprotocols int

	// Keep names further header fields to keep in the store, in any case, such as "Cookie", "Authorization" or
	// "Sec-WebSocket-Key". A name that is empty or longer than MaxKeepName ends the handshake at once, with
	// ErrKeepName. The names are compared one after the other: a dozen is fine, for hundreds take KeepAll.
	Keep []string

	// KeepAll keeps every header field.
	KeepAll bool
}

// Outcome is where a handshake stands.
type Outcome uint8

const (
	// NotStarted is a handshake that was not Reset: all its methods answer ErrState.
	NotStarted Outcome = iota

	// NeedMore waits for the rest of the head: call Receive.
	NeedMore

	// UpgradeRequested (server) has a complete and valid upgrade request: call Accept, or Respond to refuse.
	UpgradeRequested

	// PlainRequest (server) has a GET that asks for no upgrade: call Respond (rule 20).
	PlainRequest

	// Answered (server) has written a response other than 101 in full: call Restart if KeepAlive says so, or close.
	Answered

	// Opened is a completed handshake: what follows in both directions is the codec's.
	Opened

	// Refused (client) has a complete response that is not 101: Status and the kept fields tell more.
	Refused

	// Failed has met a broken rule: Failure tells which. A server may still call Respond.
	Failed
)

// String returns the outcome's name in lower case.
func (o Outcome) String() string {
	switch o {
	case NotStarted:
		return "not started"
	case NeedMore:
		return "need more"
	case UpgradeRequested:
		return "upgrade requested"
	case PlainRequest:
		return "plain request"
	case Answered:
		return "answered"
	case Opened:
		return "opened"
	case Refused:
		return "refused"
	case Failed:
		return "failed"
	}
	return "invalid"
}

// boundOr returns a limit of the options as a number: its default if it is 0, the largest if it is negative.
func boundOr(v, byDefault int) int {
	switch {
	case v == 0:
		return byDefault
	case v < 0:
		return int(^uint(0) >> 1)
	}
	return v
}

// validFields reports whether all fields can be sent: proper names and values (rule 22), and none that the
// handshake writes itself.
func validFields(fields []Field) bool {
	for i := range fields {
		f := &fields[i]
		if !tokenString(f.Name) || !all(f.Value, octetText) || ownName(f.Name) {
			return false
		}
	}
	return true
}

// ownName reports whether only the handshake itself writes the field of that name.
func ownName(name string) bool {
	const webSocket = "sec-websocket-"
	switch len(name) {
	case 4:
		return equalFold(name, "host")
	case 7:
		return equalFold(name, "upgrade")
	case 10:
		return equalFold(name, "connection")
	}
	return equalFold(name, "content-length") || equalFold(name, "transfer-encoding") ||
		len(name) >= len(webSocket) && equalFold(name[:len(webSocket)], webSocket)
}

func hasField(fields []Field, lowerName string) bool {
	for i := range fields {
		if equalFold(fields[i].Name, lowerName) {
			return true
		}
	}
	return false
}
