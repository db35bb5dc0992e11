package main

// This file exports the two handshakes. What a caller gives to be sent is copied, for it goes out piece by piece.

// #include "shim.h"
import "C"

import (
	"unsafe"

	"github.com/embws/embws/ws"
)

// serverHandshake is the object of an embws_server_handshake handle, and the first part of a server's session.
type serverHandshake struct {
	handshake  ws.ServerHandshake
	opt        ws.HandshakeOptions
	acceptance ws.Acceptance // the answer, while answering
	response   ws.Response
	answering  bool // some of the answer is still to be written
	accepting  bool // it is the acceptance
	refusing   bool // it is what the rules ask for: no response was given
}

// reset makes h ready, or says why the options are wrong.
func (h *serverHandshake) reset(limits *C.embws_handshake_options) C.int32_t {
	store := readHandshakeOptions(limits, &h.opt)
	if status := checkKeep(h.opt.Keep); status != C.EMBWS_OK {
		return status
	}
	h.handshake.Reset(store, &h.opt)
	return C.EMBWS_OK
}

// checkKeep refuses a keep list at once: package ws would do so at the first byte.
func checkKeep(names []string) C.int32_t {
	for _, name := range names {
		if name == "" || len(name) > ws.MaxKeepName {
			return statusOf(ws.ErrKeepName)
		}
	}
	return C.EMBWS_OK
}

func (h *serverHandshake) accept(a *C.embws_acceptance) {
	h.forgetAnswer()
	h.accepting = true
	if a != nil {
		h.acceptance = ws.Acceptance{
			Subprotocol: text(a.subprotocol), Extensions: text(a.extensions), Fields: fields(a.fields, a.field_count),
		}
	}
}

func (h *serverHandshake) respond(r *C.embws_response) {
	h.forgetAnswer()
	if h.refusing = r == nil; h.refusing {
		return
	}
	h.response = ws.Response{
		Status: int(min(r.status, 1<<15)), Fields: fields(r.fields, r.field_count), Close: r.close != 0,
		Body: append([]byte(nil), bytesAt(r.body, r.body_length)...),
	}
}

func (h *serverHandshake) forgetAnswer() {
	h.answering, h.accepting, h.refusing = false, false, false
	h.acceptance, h.response = ws.Acceptance{}, ws.Response{}
}

// answer writes the next part of the answer.
func (h *serverHandshake) answer(dst []byte, written *C.size_t) C.int32_t {
	var n int
	var err error
	response := &h.response
	if h.refusing {
		response = nil
	}
	if h.accepting {
		n, err = h.handshake.Accept(dst, &h.acceptance)
	} else {
		n, err = h.handshake.Respond(dst, response)
	}
	if err == ws.ErrNoRoom {
		h.answering = true
		*written = C.size_t(n)
		return C.EMBWS_MORE
	}
	accepted := h.accepting
	h.forgetAnswer()
	if err != nil {
		return statusOf(err)
	}
	*written = C.size_t(n)
	if accepted {
		return C.EMBWS_OPENED
	}
	return C.EMBWS_OK
}

//export goServerHandshakeNew
func goServerHandshakeNew(out *C.uintptr_t, limits *C.embws_handshake_options) (status C.int32_t) {
	defer contain(&status)
	h := new(serverHandshake)
	if status = h.reset(limits); status == C.EMBWS_OK {
		*out = address(newHandle(h))
	}
	return status
}

//export goServerHandshakeFree
func goServerHandshakeFree(handle C.uintptr_t) (status C.int32_t) {
	defer contain(&status)
	return free[serverHandshake](uintptr(handle))
}

//export goServerHandshakeReceive
func goServerHandshakeReceive(handle C.uintptr_t, in unsafe.Pointer, length C.size_t, eaten *C.size_t) (status C.int32_t) {
	h, e, status := lookup[serverHandshake](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	n, _, err := h.handshake.Receive(bytesAt(in, length))
	if err == ws.ErrState {
		return C.EMBWS_ERR_STATE
	}
	*eaten = C.size_t(n)
	switch {
	case err != nil:
		return statusOf(err)
	case h.handshake.Outcome() == ws.UpgradeRequested:
		return C.EMBWS_UPGRADE_REQUESTED
	case h.handshake.Outcome() == ws.PlainRequest:
		return C.EMBWS_PLAIN_REQUEST
	}
	return C.EMBWS_OK
}

//export goServerHandshakeHead
func goServerHandshakeHead(handle C.uintptr_t, head *C.embws_head, memory unsafe.Pointer, capacity C.size_t, needed *C.size_t) (status C.int32_t) {
	h, e, status := lookup[serverHandshake](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	return h.head(head, memory, capacity, needed)
}

//export goServerHandshakeAccept
func goServerHandshakeAccept(handle C.uintptr_t, acceptance *C.embws_acceptance, dst unsafe.Pointer, capacity C.size_t, written *C.size_t) (status C.int32_t) {
	h, e, status := lookup[serverHandshake](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	switch {
	case h.answering && !h.accepting:
		return C.EMBWS_ERR_STATE
	case !h.answering:
		h.accept(acceptance)
	}
	return h.answer(bytesAt(dst, capacity), written)
}

//export goServerHandshakeRespond
func goServerHandshakeRespond(handle C.uintptr_t, response *C.embws_response, dst unsafe.Pointer, capacity C.size_t, written *C.size_t) (status C.int32_t) {
	h, e, status := lookup[serverHandshake](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	switch {
	case h.answering && h.accepting:
		return C.EMBWS_ERR_STATE
	case !h.answering:
		h.respond(response)
	}
	return h.answer(bytesAt(dst, capacity), written)
}

//export goServerHandshakeRestart
func goServerHandshakeRestart(handle C.uintptr_t) (status C.int32_t) {
	h, e, status := lookup[serverHandshake](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	return statusOf(h.handshake.Restart())
}

//export goServerHandshakeFailure
func goServerHandshakeFailure(handle C.uintptr_t, failure *C.embws_failure) (status C.int32_t) {
	h, e, status := lookup[serverHandshake](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	writeFailure(failure, h.handshake.Failure(), ws.Server)
	return C.EMBWS_OK
}

// clientHandshake is the object of an embws_client_handshake handle, and the first part of a client's session.
type clientHandshake struct {
	handshake ws.ClientHandshake
	opt       ws.HandshakeOptions
	request   ws.Request
}

func (h *clientHandshake) reset(r *C.embws_request, keys *ws.Keys, limits *C.embws_handshake_options) C.int32_t {
	store := readHandshakeOptions(limits, &h.opt)
	if status := checkKeep(h.opt.Keep); status != C.EMBWS_OK {
		return status
	}
	h.request = ws.Request{
		Host: text(r.host), Target: text(r.target), Origin: text(r.origin), Extensions: text(r.extensions),
		Subprotocols: texts(r.subprotocols, r.subprotocol_count), Fields: fields(r.fields, r.field_count),
	}
	if keys == nil {
		keys = &nonces
	}
	return statusOf(h.handshake.Reset(store, &h.request, keys, &h.opt))
}

//export goClientHandshakeNew
func goClientHandshakeNew(out *C.uintptr_t, request *C.embws_request, options *C.embws_options, limits *C.embws_handshake_options) (status C.int32_t) {
	defer contain(&status)
	h := new(clientHandshake)
	var opt ws.Options
	readOptions(options, &opt)
	if status = h.reset(request, opt.Keys, limits); status == C.EMBWS_OK {
		*out = address(newHandle(h))
	}
	return status
}

//export goClientHandshakeFree
func goClientHandshakeFree(handle C.uintptr_t) (status C.int32_t) {
	defer contain(&status)
	return free[clientHandshake](uintptr(handle))
}

//export goClientHandshakeRequest
func goClientHandshakeRequest(handle C.uintptr_t, dst unsafe.Pointer, capacity C.size_t, written *C.size_t) (status C.int32_t) {
	h, e, status := lookup[clientHandshake](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	n, err := h.handshake.Request(bytesAt(dst, capacity))
	if err != nil && err != ws.ErrNoRoom {
		return statusOf(err)
	}
	*written = C.size_t(n)
	if err != nil {
		return C.EMBWS_MORE
	}
	return C.EMBWS_OK
}

//export goClientHandshakeReceive
func goClientHandshakeReceive(handle C.uintptr_t, in unsafe.Pointer, length C.size_t, eaten *C.size_t) (status C.int32_t) {
	h, e, status := lookup[clientHandshake](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	n, done, err := h.handshake.Receive(bytesAt(in, length))
	*eaten = C.size_t(n)
	switch {
	case err != nil:
		return statusOf(err)
	case done:
		return C.EMBWS_OPENED
	}
	return C.EMBWS_OK
}

//export goClientHandshakeHead
func goClientHandshakeHead(handle C.uintptr_t, head *C.embws_head, memory unsafe.Pointer, capacity C.size_t, needed *C.size_t) (status C.int32_t) {
	h, e, status := lookup[clientHandshake](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	return h.head(head, memory, capacity, needed)
}

//export goClientHandshakeFailure
func goClientHandshakeFailure(handle C.uintptr_t, failure *C.embws_failure) (status C.int32_t) {
	h, e, status := lookup[clientHandshake](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	writeFailure(failure, h.handshake.Failure(), ws.Client)
	return C.EMBWS_OK
}
