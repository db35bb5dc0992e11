package ws

// This file holds the lists of a handshake: Sec-WebSocket-Protocol (tokens) and Sec-WebSocket-Extensions
// (RFC 6455 9.1, rule 103). One table reads both, byte by byte, so that a list may be split anywhere:
//
//	extensions = 1#extension
//	extension  = token *( ";" token [ "=" ( token / quoted-string ) ] )
//
// As in all lists of RFC 9110 5.6.1 elements may be empty, but one must be there. Spaces and tabs may stand
// around every token (RFC 6455 4.3, "implied *LWS"), and a quoted string, unescaped, must be a token as well.
// What goes to the store is normalised: no spaces, no quotes, no empty elements. The cursors only meet tokens.

// The states of a list.
const (
	listBad = iota // the grammar is broken; stays so

	protoStart // before an element
	protoName
	protoEnd // behind an element, before its comma

	extStart
	extName
	extNameEnd
	extParamStart // behind a semicolon
	extParam
	extParamEnd
	extValueStart // behind an equals sign
	extValue
	extQuote0 // behind the opening quote
	extQuoted
	extEscape // behind a backslash
	extValueEnd
	listStates
)

// listNext is the grammar: the state that follows each state on each class of byte.
var listNext = [listStates][classMask + 1]uint8{
	//             other, token, OWS, comma, semicolon, equals, quote, backslash
	protoStart: {0, protoName, protoStart, protoStart, 0, 0, 0, 0},
	protoName:  {0, protoName, protoEnd, protoStart, 0, 0, 0, 0},
	protoEnd:   {0, 0, protoEnd, protoStart, 0, 0, 0, 0},

	extStart:      {0, extName, extStart, extStart, 0, 0, 0, 0},
	extName:       {0, extName, extNameEnd, extStart, extParamStart, 0, 0, 0},
	extNameEnd:    {0, 0, extNameEnd, extStart, extParamStart, 0, 0, 0},
	extParamStart: {0, extParam, extParamStart, 0, 0, 0, 0, 0},
	extParam:      {0, extParam, extParamEnd, extStart, extParamStart, extValueStart, 0, 0},
	extParamEnd:   {0, 0, extParamEnd, extStart, extParamStart, extValueStart, 0, 0},
	extValueStart: {0, extValue, extValueStart, 0, 0, 0, extQuote0, 0},
	extValue:      {0, extValue, extValueEnd, extStart, extParamStart, 0, 0, 0},
	extQuote0:     {0, extQuoted, 0, 0, 0, 0, 0, extEscape},
	extQuoted:     {0, extQuoted, 0, 0, 0, 0, extValueEnd, extEscape},
	extEscape:     {0, extQuoted, 0, 0, 0, 0, 0, 0},
	extValueEnd:   {0, 0, extValueEnd, extStart, extParamStart, 0, 0, 0},
}

// listWhole says in which states a field may end.
var listWhole = [listStates]bool{
	protoStart: true, protoName: true, protoEnd: true,
	extStart: true, extName: true, extNameEnd: true, extParam: true, extParamEnd: true,
	extValue: true, extValueEnd: true,
}

// validExtensions reports whether s keeps the grammar.
func validExtensions(s string) bool {
	state, found := uint8(extStart), false
	for i := 0; i < len(s); i++ {
		state = listNext[state][octets[s[i]]&classMask]
		found = found || state == extName
	}
	return found && listWhole[state]
}

// Extension is one element of Sec-WebSocket-Extensions. Its memory is the handshake's store.
type Extension struct {
	// Name is the extension's token, such as "permessage-deflate".
	Name []byte

	params []byte
}

// Params returns a cursor over the parameters, in the order of the field.
func (e Extension) Params() ParamCursor { return ParamCursor{e.params} }

// Param is a parameter of an extension. Value is a token, unquoted if it was quoted, and nil if HasValue is
// false. Its memory is the handshake's store.
type Param struct {
	Name, Value []byte
	HasValue    bool
}

// ParamCursor walks over the parameters of an extension. It is a plain value; a copy goes its own way.
type ParamCursor struct{ rest []byte }

// Next returns the next parameter, or false at the end.
func (c *ParamCursor) Next() (Param, bool) {
	if len(c.rest) == 0 {
		return Param{}, false
	}
	var p Param
	p.Name, c.rest = cut(c.rest, ';')
	for i, b := range p.Name {
		if b == '=' {
			p.Name, p.Value, p.HasValue = p.Name[:i:i], p.Name[i+1:], true
			break
		}
	}
	return p, true
}

// ExtensionCursor walks over the extensions of a handshake, all fields joined in their order (rule 103): the
// client's offers at a server, the server's answer at a client. It is a plain value; a copy goes its own way.
type ExtensionCursor struct {
	records recordCursor
	rest    []byte
}

// Next returns the next extension, or false at the end.
func (c *ExtensionCursor) Next() (Extension, bool) {
	for len(c.rest) == 0 {
		_, value, ok := c.records.next(tagExtensions)
		if !ok {
			return Extension{}, false
		}
		c.rest = value
	}
	var e Extension
	e.Name, c.rest = cut(c.rest, ',')
	e.Name, e.params = cut(e.Name, ';')
	return e, true
}

// SubprotocolCursor walks over the subprotocols that a client offered, all fields joined, in the client's order
// of preference (RFC 6455 4.1, 4.2.1). It is a plain value; a copy goes its own way.
type SubprotocolCursor struct {
	records recordCursor
	rest    []byte
}

// Next returns the next subprotocol, or false at the end. Its memory is the handshake's store.
func (c *SubprotocolCursor) Next() ([]byte, bool) {
	for len(c.rest) == 0 {
		_, value, ok := c.records.next(tagProtocol)
		if !ok {
			return nil, false
		}
		c.rest = value
	}
	var name []byte
	name, c.rest = cut(c.rest, ',')
	return name, true
}

// listed reports whether name, a token, is among those that c has yet to yield.
func listed[T text](c SubprotocolCursor, name T) bool {
	for list := c.rest; ; {
		for len(list) >= len(name) && len(list) > 0 {
			if (len(list) == len(name) || list[len(name)] == ',') && sameBytes(list[:len(name)], name) {
				return true
			}
			for len(list) > 0 && list[0] != ',' {
				list = list[1:]
			}
			if len(list) > 0 {
				list = list[1:]
			}
		}
		if len(c.records.rest) == 0 {
			return false
		}
		_, list, _ = c.records.next(tagProtocol)
	}
}

// cut splits s around the first sep.
func cut(s []byte, sep byte) (before, after []byte) {
	for i, b := range s {
		if b == sep {
			return s[:i:i], s[i+1:]
		}
	}
	return s, nil
}

// extensionWalk walks over a value of Sec-WebSocket-Extensions that keeps the grammar but is not normalised: a
// caller's.
type extensionWalk struct {
	s     string
	at    int
	state uint8
}

// next returns the name of the next extension or, if param is true, of the next parameter of the last one; "" at
// the end.
func (w *extensionWalk) next() (name string, param bool) {
	if w.at == 0 {
		w.state = extStart
	}
	for w.at < len(w.s) {
		w.state = listNext[w.state][octets[w.s[w.at]]&classMask]
		start := w.at
		w.at++
		if w.state != extName && w.state != extParam {
			continue
		}
		for w.at < len(w.s) && isToken(w.s[w.at]) {
			w.at++
		}
		return w.s[start:w.at], w.state == extParam
	}
	return "", false
}

// Of permessage-deflate only this parameter must have been offered before a server may answer it (RFC 7692
// 7.1.2.2, rule 36); the other three may be stated unasked.
const (
	deflateName     = "permessage-deflate"
	clientMaxWindow = "client_max_window_bits"
)

// answersOffers reports whether the answer of a server, which keeps the grammar, uses only what the client has
// offered: rule 36 seen from the server.
func answersOffers(answer string, offers ExtensionCursor) bool {
	deflate := false
	for w := (extensionWalk{s: answer}); ; {
		name, param := w.next()
		switch {
		case name == "":
			return true
		case !param:
			deflate = name == deflateName
			if !offered(offers, name, "") {
				return false
			}
		case deflate && name == clientMaxWindow:
			if !offered(offers, deflateName, name) {
				return false
			}
		}
	}
}

// offered reports whether one of the offers has that name and, unless param is "", that parameter.
func offered(offers ExtensionCursor, name, param string) bool {
	for {
		e, ok := offers.Next()
		if !ok {
			return false
		}
		if sameBytes(e.Name, name) && (param == "" || e.has(param)) {
			return true
		}
	}
}

// has reports whether e has a parameter of that name.
func (e Extension) has(param string) bool {
	for c := e.Params(); ; {
		p, ok := c.Next()
		if !ok || sameBytes(p.Name, param) {
			return ok
		}
	}
}

// answersOffer reports whether e, out of a server's answer, was offered: rule 36 seen from the client.
func (e Extension) answersOffer(offers string) bool {
	param := sameBytes(e.Name, deflateName) && e.has(clientMaxWindow)
	found := false
	for w := (extensionWalk{s: offers}); ; {
		name, isParam := w.next()
		switch {
		case name == "":
			return false
		case !isParam:
			found = sameBytes(e.Name, name)
			if found && !param {
				return true
			}
		case found && name == clientMaxWindow:
			return true
		}
	}
}
