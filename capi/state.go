package main

// This file tells where a connection stands. The codec and the session tell it alike.

// #include "embws.h"
import "C"

import "github.com/embws/embws/ws"

// connection is what a codec and a session have in common.
type connection interface {
	Role() ws.Role
	State() ws.State
	Received() uint64
	Owed() uint64
	PeerClose() (code ws.CloseCode, reason []byte, ok bool)
	SentClose() (code ws.CloseCode, ok bool)
}

var (
	_ connection = (*ws.Codec)(nil)
	_ connection = (*ws.Session)(nil)
)

// writeState writes the state, with the codes of the Closes once one was received or sent.
func writeState(io *C.embws_io, state ws.State, c connection) {
	io.state = C.uint32_t(state)
	io.peer_code, io.sent_code = 0, 0
	if state > ws.StateOpen {
		io.peer_code, io.sent_code = closeCodes(c)
	}
}

// closeCodes returns the codes of both Closes, as embws_io has them.
func closeCodes(c connection) (peer, sent C.uint16_t) {
	if code, _, seen := c.PeerClose(); seen {
		peer = C.uint16_t(code)
	}
	code, ok := c.SentClose()
	if ok && code == 0 {
		code = ws.CloseNoCode
	}
	return peer, C.uint16_t(code)
}

func writeInfo(info *C.embws_info, c connection) {
	info.peer_code, info.sent_code = closeCodes(c)
	info.role = C.uint32_t(c.Role())
	info.state = C.uint32_t(c.State())
	info.received, info.owed = C.uint64_t(c.Received()), C.uint64_t(c.Owed())
}

// writePeerClose writes the peer's Close, if there was one and its reason fits.
func writePeerClose(c connection, code *C.uint16_t, dst []byte, length *C.size_t) C.int32_t {
	peer, reason, seen := c.PeerClose()
	if !seen {
		return C.EMBWS_ERR_STATE
	}
	*length = C.size_t(len(reason))
	if len(dst) < len(reason) {
		return C.EMBWS_ERR_NO_ROOM
	}
	copy(dst, reason)
	*code = C.uint16_t(peer)
	return C.EMBWS_OK
}
