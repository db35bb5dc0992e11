package ws

// This file holds what a handshake keeps: records in the caller's store, one behind the other.
//
// A record is a tag, for a field kept by its name that name and a colon, the value, and a line feed, none of
// which can hold the byte that ends it: two bytes more than the value itself. Values are written as they stream
// in; a list is written normalised (see extension.go).

import "bytes"

// The tags of records.
const (
	tagAny = iota // none, or any in a search
	tagTarget
	tagHost
	tagOrigin
	tagProtocol
	tagExtensions
	tagNamed // the field's name stands in the record
)

// The names of the fields that have tags of their own. Nothing writes to them.
var (
	nameHost       = []byte("Host")
	nameOrigin     = []byte("Origin")
	nameProtocol   = []byte("Sec-WebSocket-Protocol")
	nameExtensions = []byte("Sec-WebSocket-Extensions")
)

// open begins a record. It reports whether the store has room for it with an empty value.
func (h *head) open(tag uint8, name []byte) bool {
	need := 2
	if tag == tagNamed {
		need += len(name) + 1
	}
	if len(h.store)-h.used < need {
		return false
	}
	h.store[h.used] = tag
	h.used++
	if tag == tagNamed {
		h.used += copy(h.store[h.used:], name)
		h.store[h.used] = ':'
		h.used++
	}
	h.mark = h.used
	return true
}

// add appends run to the open record and returns how much of it went in. One byte stays free for the record's
// end.
func (h *head) add(run []byte) int {
	n := copy(h.store[h.used:len(h.store)-1], run)
	h.used += n
	return n
}

// addByte appends c to the open record and reports whether there was room.
func (h *head) addByte(c byte) bool {
	if len(h.store)-h.used < 2 {
		return false
	}
	h.store[h.used] = c
	h.used++
	return true
}

// addValue appends a piece of a value and returns the index of the byte that found no room, or -1. Spaces and
// tabs that find none may be trailing ones, which are not kept: only what follows them tells.
func (h *head) addValue(run []byte) int {
	for n := h.add(run); n < len(run); n++ {
		if octets[run[n]]&classMask != classOWS {
			return n
		}
	}
	return -1
}

// addList reads a piece of a list, and appends what is to be kept of it. It returns the index of the byte that
// found no room, or -1.
func (h *head) addList(run []byte) int {
	state := h.list
	for i := 0; i < len(run); i++ {
		class := octets[run[i]] & classMask
		last := state
		state = listNext[last][class]
		switch state {
		case listBad:
			h.list = listBad
			return -1
		case protoName, extName:
			if last != state {
				h.elements++
				if h.used > h.mark && !h.addByte(',') {
					return i
				}
			}
		case extParam, extValue, extQuoted:
		case extParamStart, extValueStart:
			if class == classOWS {
				continue
			}
		default:
			continue
		}
		end := i + 1
		if class == classToken && state != extQuoted {
			for end < len(run) && isToken(run[end]) {
				end++
			}
		}
		if n := h.add(run[i:end]); n < end-i {
			return i + n
		}
		i = end - 1
	}
	h.list = state
	return -1
}

// keepWhole makes a record of a whole value. It reports whether it did: not if the value is empty, ends in a space, or
// finds no room.
func (h *head) keepWhole(tag uint8, value []byte) bool {
	n := len(value)
	if n == 0 || octets[value[n-1]]&classMask == classOWS || len(h.store)-h.used < n+2 {
		return false
	}
	record := h.store[h.used:]
	record[0] = tag
	copy(record[1:], value)
	record[n+1] = '\n'
	h.used += n + 2
	return true
}

// keepList makes a record of a whole list whose elements are tokens, with at most one space behind each comma; those of
// Sec-WebSocket-Extensions may have parameters without a value. It returns the number of elements, or 0 if the list is
// anything else or finds no room: then nothing was kept.
func (h *head) keepList(tag uint8, value []byte) (elements uint32) {
	if len(h.store)-h.used < len(value)+2 {
		return 0
	}
	record := h.store[h.used : h.used+len(value)+2]
	record[0] = tag
	n := 1
	elements = 1
	for i := 0; ; {
		start := i
		for i < len(value) && isToken(value[i]) {
			record[n] = value[i]
			n++
			i++
		}
		if i == start {
			return 0
		}
		if i == len(value) {
			record[n] = '\n'
			h.used += n + 1
			return elements
		}
		switch c := value[i]; {
		case c == ',':
			elements++
		case c != ';' || tag != tagExtensions:
			return 0
		}
		record[n] = value[i]
		n++
		if i++; i < len(value) && value[i] == ' ' {
			i++
		}
	}
}

// shut ends the open record.
func (h *head) shut() {
	for h.used > h.mark && octets[h.store[h.used-1]]&classMask == classOWS {
		h.used--
	}
	h.store[h.used] = '\n'
	h.used++
}

// recordCursor walks over whole records.
type recordCursor struct{ rest []byte }

// next returns the next record of that tag, or of any, or false at the end.
func (c *recordCursor) next(tag uint8) (found uint8, value []byte, ok bool) {
	for len(c.rest) > 0 {
		end := bytes.IndexByte(c.rest, '\n')
		if end < 0 {
			break
		}
		found, value = c.rest[0], c.rest[1:end:end]
		c.rest = c.rest[end+1:]
		if tag == tagAny || found == tag {
			return found, value, true
		}
	}
	c.rest = nil
	return 0, nil, false
}

// FieldCursor walks over the header fields that a handshake keeps, in the order of the head. It is a plain value;
// a copy goes its own way.
type FieldCursor struct{ records recordCursor }

// Next returns the next field, or false at the end. Values have no spaces around them; those of
// Sec-WebSocket-Protocol and Sec-WebSocket-Extensions are normalised: no spaces, no quotes, no empty elements.
// The memory is the handshake's store, or the package's own: do not write to it.
func (c *FieldCursor) Next() (name, value []byte, ok bool) {
	for {
		tag, value, ok := c.records.next(tagAny)
		if !ok {
			return nil, nil, false
		}
		switch tag {
		case tagTarget:
			continue
		case tagHost:
			name = nameHost
		case tagOrigin:
			name = nameOrigin
		case tagProtocol:
			name = nameProtocol
		case tagExtensions:
			name = nameExtensions
		default:
			name, value = cut(value, ':')
		}
		return name, value, true
	}
}

// first returns the value of the first record of that tag.
func (h *head) first(tag uint8) ([]byte, bool) {
	c := recordCursor{h.kept()}
	_, value, ok := c.next(tag)
	return value, ok
}

// header returns the value of the first kept field of that name.
func (h *head) header(name string) ([]byte, bool) {
	for c := (FieldCursor{recordCursor{h.kept()}}); ; {
		found, value, ok := c.Next()
		if !ok || equalFold(found, name) {
			return value, ok
		}
	}
}

// subprotocols returns a cursor over the tokens of all Sec-WebSocket-Protocol fields.
func (h *head) subprotocols() SubprotocolCursor {
	if h.facts.protocols == 0 || !h.whole {
		return SubprotocolCursor{}
	}
	return SubprotocolCursor{records: recordCursor{h.store[h.lists:h.used]}}
}

// kept returns the records that may be read: none before the head is whole, and none after a broken rule, except
// that a refusal with another status is whole too.
func (h *head) kept() []byte {
	if !h.whole {
		return nil
	}
	return h.store[:h.used]
}
