package ws

// This file holds the fields that a handshake understands: how they are told by their names, and how their values
// are read while they stream by. Nothing of these values is stored but the 24 bytes of a key.

import "encoding/binary"

// The fields that are understood.
const (
	kindOther = iota
	kindHost
	kindOrigin
	kindUpgrade
	kindConnection
	kindKey
	kindVersion
	kindProtocol
	kindExtensions
	kindLength
	kindEncoding
	kindAccept
)

// headFacts is what a head has said so far. It starts empty with each head.
type headFacts struct {
	hosts, keys, versions, accepts uint8 // how often the field came: 0, 1, or 2 for more often
	protocols                      uint8
	goodHost                       bool // the first Host is known to be valid: it need not be looked up
	extensions                     bool // Sec-WebSocket-Extensions is there
	webSocket                      bool // Upgrade has the token websocket
	upgrade, close                 bool // Connection has the token upgrade, close
	version13                      bool // the first Sec-WebSocket-Version is 13
	accepted                       bool // the first Sec-WebSocket-Accept is the one expected
	body                           bool // Content-Length is not zero, or there is a Transfer-Encoding
	badProtocols, badExtensions    bool // the grammar is broken
	protocolCount, extensionCount  uint32

	keySize uint8 // bytes of the first key, or wrong
}

// knownNames holds the fields that are understood, by the length of their names. One length has two names, and the
// second of them is otherName.
var knownNames = [25]knownName{
	4:  nameOf("host", kindHost, Server),
	6:  nameOf("origin", kindOrigin, Server),
	7:  nameOf("upgrade", kindUpgrade, Server|Client),
	10: nameOf("connection", kindConnection, Server|Client),
	14: nameOf("content-length", kindLength, Server),
	17: nameOf("sec-websocket-key", kindKey, Server),
	20: nameOf("sec-websocket-accept", kindAccept, Client),
	21: nameOf("sec-websocket-version", kindVersion, Server),
	22: nameOf("sec-websocket-protocol", kindProtocol, Server|Client),
	24: nameOf("sec-websocket-extensions", kindExtensions, Server|Client),
}

var otherName = nameOf("transfer-encoding", kindEncoding, Server)

// knownName is a name in lower case, the field it means, and the ends to which it means something. ends holds its
// first and last four bytes, so that most other names are told by one comparison.
type knownName struct {
	ends uint64
	name string
	kind uint8
	role Role
}

func nameOf(name string, kind uint8, role Role) knownName {
	return knownName{nameEnds([]byte(name)), name, kind, role}
}

// nameEnds returns the first and the last four bytes of a name of four bytes or more, with bit 5 set in each.
func nameEnds(name []byte) uint64 {
	last := name[len(name)-4:]
	return uint64(binary.LittleEndian.Uint32(name)) | uint64(binary.LittleEndian.Uint32(last))<<32 | 0x20*eachByte
}

// mayBeKnown reports whether name has the length and the ends of a field that is understood.
func mayBeKnown(name []byte) bool {
	if uint(len(name)-4) >= uint(len(knownNames)-4) {
		return false
	}
	ends := nameEnds(name)
	return ends == knownNames[len(name)].ends || ends == otherName.ends
}

// knownField returns which field name is.
func knownField(role Role, name []byte) uint8 {
	if len(name) < 4 || len(name) >= len(knownNames) {
		return kindOther
	}
	ends := nameEnds(name)
	known := &knownNames[len(name)]
	if ends != known.ends {
		if known = &otherName; ends != known.ends {
			return kindOther
		}
	}
	if known.role&role == 0 || !foldEqual(name, known.name) {
		return kindOther
	}
	return known.kind
}

// quickField reads a field whose line lies whole in the input and that says what it says most of the time. It reports
// whether it did; if not, nothing has changed and the general way (beginField, fieldValue, endField) reads the field.
func (h *head) quickField(name, value []byte) bool {
	kind := knownField(h.role, name)
	tag := tagOf[kind]
	if tag == tagAny && h.keeps(name) {
		return false
	}
	f := &h.facts
	switch kind {
	case kindOther:
		return true
	case kindHost:
		if f.hosts > 0 || !h.keepWhole(tag, value) {
			return false
		}
		f.hosts, f.goodHost = 1, validHost(value)
		return true
	case kindOrigin:
		return h.keepWhole(tag, value)
	case kindProtocol:
		if f.protocols > 0 {
			return false
		}
		at := h.used
		if count := h.keepList(tag, value); count > 0 {
			f.protocols, f.protocolCount, h.lists = 1, count, at
			return true
		}
	case kindExtensions:
		if count := h.keepList(tag, value); count > 0 {
			f.extensions = true
			f.extensionCount += count
			return true
		}
	case kindUpgrade:
		if foldEqual(value, words[wordWebSocket]) {
			f.webSocket = true
			return true
		}
	case kindConnection:
		if foldEqual(value, words[wordUpgrade]) {
			f.upgrade = true
			return true
		}
	case kindVersion:
		if f.versions == 0 && len(value) == 2 && value[0] == '1' && value[1] == '3' {
			f.versions, f.version13 = 1, true
			return true
		}
	case kindKey:
		if f.keys == 0 && len(value) == keySize {
			f.keys, f.keySize = 1, keySize
			h.key = [keySize]byte(value)
			return true
		}
	}
	return false
}

// tagOf says under which tag a field is always kept.
var tagOf = [kindAccept + 1]uint8{
	kindHost: tagHost, kindOrigin: tagOrigin, kindProtocol: tagProtocol, kindExtensions: tagExtensions,
}

// beginField takes the name of a field that has come in whole. It reports whether the store has room.
func (h *head) beginField(name []byte) bool {
	h.kind, h.tag = knownField(h.role, name), tagAny
	if h.kind == kindOther {
		if !h.keeps(name) {
			return true
		}
		h.tag = tagNamed
		return h.open(tagNamed, name)
	}
	h.at, h.tail = 0, false
	f := &h.facts
	switch h.kind {
	case kindHost:
		more(&f.hosts)
	case kindKey:
		more(&f.keys)
	case kindVersion:
		more(&f.versions)
	case kindAccept:
		more(&f.accepts)
	case kindProtocol:
		if f.protocols == 0 {
			h.lists = h.used
		}
		more(&f.protocols)
		h.list, h.elements = protoStart, 0
	case kindExtensions:
		f.extensions = true
		h.list, h.elements = extStart, 0
	case kindEncoding:
		f.body = true
	}
	h.tag = tagOf[h.kind]
	if h.tag == tagAny && h.keeps(name) {
		h.tag = tagNamed
	}
	return h.tag == tagAny || h.open(h.tag, name)
}

// more counts up to two.
func more(n *uint8) {
	if *n < 2 {
		*n++
	}
}

// keeps reports whether the caller wants the field of that name.
func (h *head) keeps(name []byte) bool {
	opt := h.opt
	if !h.keeping {
		return false
	}
	if opt.KeepAll {
		return true
	}
	for _, want := range opt.Keep {
		if len(want) == len(name) && equalFold(name, want) {
			return true
		}
	}
	return false
}

// fieldValue takes a piece of the value, without the spaces in front of it. It returns the index of the byte
// that found no room in the store, or -1.
func (h *head) fieldValue(run []byte) int {
	switch h.kind {
	case kindUpgrade, kindConnection:
		h.readElements(run)
	case kindKey, kindVersion, kindLength, kindAccept:
		h.readScalar(run)
	case kindProtocol, kindExtensions:
		return h.addList(run)
	}
	if h.tag == tagAny {
		return -1
	}
	return h.addValue(run)
}

// endField takes the end of the field's line.
func (h *head) endField() {
	f := &h.facts
	switch h.kind {
	case kindUpgrade, kindConnection:
		h.endElement()
	case kindVersion:
		f.version13 = f.version13 || f.versions == 1 && h.at == 2
	case kindAccept:
		f.accepted = f.accepted || f.accepts == 1 && h.at == acceptSize
	case kindLength:
		f.body = f.body || h.at != 1
	case kindProtocol:
		f.protocolCount += h.elements
		f.badProtocols = f.badProtocols || !listWhole[h.list]
	case kindExtensions:
		f.extensionCount += h.elements
		f.badExtensions = f.badExtensions || !listWhole[h.list]
	}
	if h.tag != tagAny {
		h.shut()
	}
}

// wrong, as the place in a value or in a list element, means that it is not the one that is looked for.
const wrong = 0xFF

// readScalar compares a value that is one word with what it should be, or takes the key. h.at counts what was
// right so far; spaces may follow but nothing else.
func (h *head) readScalar(run []byte) {
	f := &h.facts
	for _, c := range run {
		if octets[c]&classMask == classOWS {
			h.tail = true
			continue
		}
		switch {
		case h.tail:
			h.at = wrong
		case h.at == wrong:
			return
		case h.kind == kindVersion:
			h.right(h.at < 2 && c == "13"[h.at])
		case h.kind == kindAccept:
			h.right(h.at < acceptSize && c == h.expect[h.at])
		case h.kind == kindLength:
			if h.at = 1; c != '0' { // any number of zeros is zero
				h.at = wrong
			}
		case h.at < keySize:
			if f.keys == 1 {
				h.key[h.at] = c
			}
			h.at++
		default:
			h.at = wrong
		}
		if h.kind == kindKey && f.keys == 1 {
			f.keySize = h.at
		}
	}
}

// right goes on by one byte, or to wrong.
func (h *head) right(ok bool) {
	if ok {
		h.at++
	} else {
		h.at = wrong
	}
}

// readElements looks for tokens in a list, in any case (rules 5 and 6): websocket in Upgrade, upgrade and close in
// Connection. h.at counts how much of the candidate in h.word was met in the element.
func (h *head) readElements(run []byte) {
	for _, c := range run {
		switch {
		case c == ',':
			h.endElement()
		case c == ' ' || c == '\t':
			h.tail = h.at > 0
		case h.tail || h.at == wrong:
			h.at = wrong
		default:
			c = lower(c)
			if h.at == 0 {
				h.word = wordUpgrade
				if h.kind == kindUpgrade {
					h.word = wordWebSocket
				} else if c == 'c' {
					h.word = wordClose
				}
			}
			want := words[h.word]
			h.right(int(h.at) < len(want) && c == want[h.at])
		}
	}
}

// endElement takes the end of a list element.
func (h *head) endElement() {
	if h.at > 0 && int(h.at) == len(words[h.word]) {
		switch h.word {
		case wordWebSocket:
			h.facts.webSocket = true
		case wordUpgrade:
			h.facts.upgrade = true
		case wordClose:
			h.facts.close = true
		}
	}
	h.at, h.tail = 0, false
}

const (
	wordWebSocket = iota
	wordUpgrade
	wordClose
)

var words = [...]string{wordWebSocket: "websocket", wordUpgrade: "upgrade", wordClose: "close"}
