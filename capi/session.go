package main

// This file exports the session.

// #include "shim.h"
import "C"

import (
	"unsafe"

	"github.com/embws/embws/ws"
)

// session is the object of an embws_session handle. What an opening handshake needs is dropped when it is over.
type session struct {
	session ws.Session
	output  ws.Output // its buffer is the caller's, for the time of a call
	opt     ws.Options
	server  *serverHandshake
	client  *clientHandshake
	rest    C.size_t // bytes of payload of a Send that was not done, when unfinished
	opcode  uint8    // of that
	fin     bool
	// unfinished: the caller was told to repeat the call with the rest.
	unfinished bool
}

// message is embws_message with its address as a number.
type message struct {
	payload uintptr
	length  uintptr
	kind    uint32
	code    uint32
}

//export goSessionServe
func goSessionServe(out *C.uintptr_t, options *C.embws_options, limits *C.embws_handshake_options) (status C.int32_t) {
	defer contain(&status)
	h := &session{server: new(serverHandshake)}
	readOptions(options, &h.opt)
	if status = h.server.reset(limits); status != C.EMBWS_OK {
		return status
	}
	h.session.Serve(&h.server.handshake, &h.opt, &h.output)
	*out = address(newHandle(h))
	return C.EMBWS_OK
}

//export goSessionConnect
func goSessionConnect(out *C.uintptr_t, request *C.embws_request, options *C.embws_options, limits *C.embws_handshake_options) (status C.int32_t) {
	defer contain(&status)
	h := &session{client: new(clientHandshake)}
	readOptions(options, &h.opt)
	if status = h.client.reset(request, h.opt.Keys, limits); status != C.EMBWS_OK {
		return status
	}
	h.session.Connect(&h.client.handshake, &h.opt, &h.output)
	*out = address(newHandle(h))
	return C.EMBWS_OK
}

//export goSessionOpen
func goSessionOpen(out *C.uintptr_t, role C.uint32_t, options *C.embws_options) (status C.int32_t) {
	defer contain(&status)
	h := new(session)
	readOptions(options, &h.opt)
	h.session.Reset(ws.Role(role), &h.opt, &h.output)
	*out = address(newHandle(h))
	return C.EMBWS_OK
}

//export goSessionFree
func goSessionFree(handle C.uintptr_t) (status C.int32_t) {
	defer contain(&status)
	return free[session](uintptr(handle))
}

// begin lends the session what a call brings: room for its output, and keys. Results that most calls do not have are 0
// until then. An answer of the handshake that did not fit goes on first.
func (h *session) begin(io *C.embws_io, handle C.uintptr_t) *pool {
	io.eaten, io.taken, io.found, io.control_length = 0, 0, 0, 0
	h.output.Lend(bytesAt(io.out, io.out_capacity))
	if h.answering() {
		h.answer()
	}
	return borrow(h.session.Role(), &h.opt, uintptr(handle))
}

// end takes all that back, and tells where the session stands.
func (h *session) end(io *C.embws_io, p *pool) {
	io.out_length = C.size_t(len(h.session.Pending()))
	h.output.Lend(nil)
	giveBack(&h.opt, p)
	writeState(io, h.session.State(), &h.session)
	io.more = 0
	if h.session.Waiting() || h.answering() {
		io.more = 1
	}
}

// answering tells whether some of the answer to a request is still to be written.
func (h *session) answering() bool { return h.server != nil && h.server.answering }

//export goSessionReceive
func goSessionReceive(handle C.uintptr_t, io *C.embws_io) (status C.int32_t) {
	h, e, status := lookup[session](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	h.forgetHead()
	p := h.begin(io, handle)
	defer h.end(io, p)
	in, room := bytesAt(io.in, io.in_length), bytesAt(io.room, io.room_length)
	n, found, err := h.session.Receive(in, room, eventsAt(io.events, io.capacity))
	io.eaten = C.size_t(n)
	io.found = C.uint32_t(len(found))
	if len(found) > 0 && found[0].Flags&ws.Kept != 0 {
		io.control_length = C.uint32_t(copyControl(io, h.session.Payload(found[0], in, room)))
	}
	return statusOf(err)
}

//export goSessionNext
func goSessionNext(handle C.uintptr_t, io *C.embws_io, memory unsafe.Pointer, length C.size_t, out *C.embws_message) (status C.int32_t) {
	h, e, status := lookup[session](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	h.forgetHead()
	p := h.begin(io, handle)
	defer h.end(io, p)
	in := bytesAt(io.in, io.in_length)
	n, m, err := h.session.Next(in, bytesAt(memory, length))
	io.eaten = C.size_t(n)
	result := (*message)(unsafe.Pointer(out))
	*result = message{length: uintptr(len(m.Payload)), kind: uint32(m.Kind), code: uint32(m.Code)}
	if len(m.Payload) > 0 {
		at := uintptr(unsafe.Pointer(&m.Payload[0]))
		if m.Kind.IsControl() && !inside(at, io.in, io.in_length) {
			io.control_length = C.uint32_t(copyControl(io, m.Payload))
			at = uintptr(unsafe.Pointer(&io.control))
		}
		result.payload = at
	}
	return statusOf(err)
}

func inside(at uintptr, p unsafe.Pointer, n C.size_t) bool {
	return n > 0 && at-uintptr(p) < uintptr(n)
}

// forgetHead drops a client's handshake once frames are received.
func (h *session) forgetHead() {
	if h.client != nil && h.session.State() >= ws.StateOpen && h.session.Failure().Err == nil {
		h.client = nil
	}
}

//export goSessionAccept
func goSessionAccept(handle C.uintptr_t, io *C.embws_io, acceptance *C.embws_acceptance) (status C.int32_t) {
	h, e, status := lookup[session](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	p := h.begin(io, handle)
	defer h.end(io, p)
	if h.server == nil || h.server.answering {
		return C.EMBWS_ERR_STATE
	}
	h.server.accept(acceptance)
	return h.answer()
}

//export goSessionRespond
func goSessionRespond(handle C.uintptr_t, io *C.embws_io, response *C.embws_response) (status C.int32_t) {
	h, e, status := lookup[session](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	p := h.begin(io, handle)
	defer h.end(io, p)
	if h.server == nil || h.server.answering {
		return C.EMBWS_ERR_STATE
	}
	h.server.respond(response)
	return h.answer()
}

// answer begins or goes on with the answer to a request.
func (h *session) answer() C.int32_t {
	var err error
	if hs := h.server; hs.accepting {
		err = h.session.Accept(&hs.acceptance)
	} else {
		err = h.session.Respond(&hs.response)
	}
	if h.server.answering = err == ws.ErrNoRoom; h.server.answering {
		return C.EMBWS_OK // io.more says so
	}
	h.server.forgetAnswer()
	if err == nil && h.session.State() == ws.StateOpen {
		h.server = nil
	}
	return statusOf(err)
}

//export goSessionHead
func goSessionHead(handle C.uintptr_t, head *C.embws_head, memory unsafe.Pointer, capacity C.size_t, needed *C.size_t) (status C.int32_t) {
	h, e, status := lookup[session](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	switch {
	case h.server != nil && h.session.State() == ws.StateRequest:
		return h.server.head(head, memory, capacity, needed)
	case h.client != nil:
		return h.client.head(head, memory, capacity, needed)
	}
	return C.EMBWS_ERR_STATE
}

//export goSessionSend
func goSessionSend(handle C.uintptr_t, io *C.embws_io, opcode, fin C.uint32_t, payload unsafe.Pointer, length C.size_t) (status C.int32_t) {
	h, e, status := lookup[session](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	p := h.begin(io, handle)
	defer h.end(io, p)
	if h.unfinished && (h.fin || h.session.Owed() > 0) &&
		(length != h.rest || uint8(opcode) != h.opcode || (fin != 0) != h.fin) {
		return C.EMBWS_ERR_FRAME_OPEN // else the start of one message would be sent as the end of another
	}
	n, err := h.session.Send(ws.Opcode(opcode), fin != 0, bytesAt(payload, length))
	io.taken = C.size_t(n)
	if h.unfinished = err == ws.ErrNoRoom; h.unfinished {
		h.rest, h.opcode, h.fin = length-C.size_t(n), uint8(opcode), fin != 0
		return C.EMBWS_MORE
	}
	return statusOf(err)
}

//export goSessionSendHeader
func goSessionSendHeader(handle C.uintptr_t, io *C.embws_io, opcode, fin C.uint32_t, length C.uint64_t) (status C.int32_t) {
	h, e, status := lookup[session](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	p := h.begin(io, handle)
	defer h.end(io, p)
	return statusOf(h.session.SendHeader(ws.Opcode(opcode), fin != 0, uint64(length)))
}

//export goSessionSent
func goSessionSent(handle C.uintptr_t, io *C.embws_io, length C.uint64_t) (status C.int32_t) {
	h, e, status := lookup[session](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	p := h.begin(io, handle)
	defer h.end(io, p)
	return statusOf(h.session.SentPayload(uint64(length)))
}

//export goSessionControl
func goSessionControl(handle C.uintptr_t, io *C.embws_io, opcode C.uint32_t, payload unsafe.Pointer, length C.size_t) (status C.int32_t) {
	h, e, status := lookup[session](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	p := h.begin(io, handle)
	defer h.end(io, p)
	if opcode == C.EMBWS_PING {
		return statusOf(h.session.Ping(bytesAt(payload, length)))
	}
	return statusOf(h.session.Pong(bytesAt(payload, length)))
}

//export goSessionClose
func goSessionClose(handle C.uintptr_t, io *C.embws_io, code C.uint32_t, reason unsafe.Pointer, length C.size_t) (status C.int32_t) {
	h, e, status := lookup[session](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	p := h.begin(io, handle)
	defer h.end(io, p)
	return statusOf(h.session.Close(ws.CloseCode(code), asString(reason, length)))
}

//export goSessionFlush
func goSessionFlush(handle C.uintptr_t, io *C.embws_io) (status C.int32_t) {
	h, e, status := lookup[session](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	p := h.begin(io, handle)
	h.end(io, p)
	if io.out_length == 0 && io.more != 0 && h.session.Starved() {
		return C.EMBWS_ERR_RANDOM // else a caller who flushes until nothing more waits would never end
	}
	return C.EMBWS_OK
}

//export goSessionEnd
func goSessionEnd(handle C.uintptr_t) (status C.int32_t) {
	h, e, status := lookup[session](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	return statusOf(h.session.End())
}

//export goSessionFailure
func goSessionFailure(handle C.uintptr_t, failure *C.embws_failure) (status C.int32_t) {
	h, e, status := lookup[session](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	writeFailure(failure, h.session.Failure(), h.session.Role())
	return C.EMBWS_OK
}

//export goSessionPeerClose
func goSessionPeerClose(handle C.uintptr_t, code *C.uint16_t, reason unsafe.Pointer, capacity C.size_t, length *C.size_t) (status C.int32_t) {
	h, e, status := lookup[session](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	return writePeerClose(&h.session, code, bytesAt(reason, capacity), length)
}

//export goSessionInfo
func goSessionInfo(handle C.uintptr_t, info *C.embws_info) (status C.int32_t) {
	h, e, status := lookup[session](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	writeInfo(info, &h.session)
	return C.EMBWS_OK
}
