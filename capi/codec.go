package main

// This file exports the codec.

// #include "shim.h"
import "C"

import (
	"unsafe"

	"github.com/embws/embws/ws"
)

// codec is the object of an embws_codec handle. A million of them fit half a gigabyte: see tests/capi/leak.c.
type codec struct {
	codec ws.Codec
	opt   ws.Options
}

//export goCodecNew
func goCodecNew(out *C.uintptr_t, role C.uint32_t, options *C.embws_options) (status C.int32_t) {
	defer contain(&status)
	h := new(codec)
	readOptions(options, &h.opt)
	h.codec.Reset(ws.Role(role), &h.opt)
	*out = address(newHandle(h))
	return C.EMBWS_OK
}

//export goCodecReset
func goCodecReset(handle C.uintptr_t, role C.uint32_t, options *C.embws_options) (status C.int32_t) {
	h, e, status := lookup[codec](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	readOptions(options, &h.opt)
	h.codec.Reset(ws.Role(role), &h.opt)
	return C.EMBWS_OK
}

//export goCodecFree
func goCodecFree(handle C.uintptr_t) (status C.int32_t) {
	defer contain(&status)
	return free[codec](uintptr(handle))
}

//export goCodecDecode
func goCodecDecode(handle C.uintptr_t, io *C.embws_io) (status C.int32_t) {
	h, e, status := lookup[codec](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	in, room := bytesAt(io.in, io.in_length), bytesAt(io.room, io.room_length)
	n, found, err := h.codec.Decode(in, room, eventsAt(io.events, io.capacity))
	io.eaten = C.size_t(n)
	io.out_length, io.taken, io.more = 0, 0, 0
	io.found = C.uint32_t(len(found))
	io.control_length = 0
	if len(found) > 0 && found[0].Flags&ws.Kept != 0 {
		io.control_length = C.uint32_t(copyControl(io, h.codec.Payload(found[0], in, room)))
	}
	writeState(io, h.codec.State(), &h.codec)
	return statusOf(err)
}

// copyControl copies the payload of a control frame that the input had split.
func copyControl(io *C.embws_io, payload []byte) int {
	return copy(unsafe.Slice((*byte)(unsafe.Pointer(&io.control)), len(io.control)), payload)
}

//export goCodecEncode
func goCodecEncode(handle C.uintptr_t, opcode, fin C.uint32_t, payload unsafe.Pointer, length C.size_t,
	dst unsafe.Pointer, capacity C.size_t, written *C.size_t,
) (status C.int32_t) {
	h, e, status := lookup[codec](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	p := borrow(h.codec.Role(), &h.opt, uintptr(handle))
	defer giveBack(&h.opt, p)
	n, err := h.codec.Encode(bytesAt(dst, capacity), ws.Opcode(opcode), fin != 0, bytesAt(payload, length))
	return wrote(written, n, err)
}

// wrote reports the result of an encoder: the size, also when that was what had been needed.
func wrote(written *C.size_t, n int, err error) C.int32_t {
	switch err {
	case nil:
		*written = C.size_t(n)
		return C.EMBWS_OK
	case ws.ErrNoRoom:
		*written = C.size_t(n)
		return C.EMBWS_ERR_NO_ROOM
	}
	return statusOf(err)
}

//export goCodecEncodeBatch
func goCodecEncodeBatch(handle C.uintptr_t, frames *C.embws_frame, count C.size_t, dst unsafe.Pointer, capacity C.size_t,
	encoded, written *C.size_t,
) (status C.int32_t) {
	h, e, status := lookup[codec](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	if count == 0 {
		*encoded, *written = 0, 0
		return C.EMBWS_OK
	}
	p := borrow(h.codec.Role(), &h.opt, uintptr(handle))
	defer giveBack(&h.opt, p)
	room, at := bytesAt(dst, capacity), 0
	list := unsafe.Slice(frames, int(count))
	for i := range list {
		f := &list[i]
		n, err := h.codec.Encode(room[at:], ws.Opcode(f.opcode), f.fin != 0, bytesAt(f.payload, f.length))
		if err == nil {
			at += n
			continue
		}
		*encoded, *written = C.size_t(i), C.size_t(at)
		if err != ws.ErrNoRoom {
			return statusOf(err)
		}
		if i == 0 {
			*written = C.size_t(n)
			return C.EMBWS_ERR_NO_ROOM
		}
		return C.EMBWS_MORE
	}
	*encoded, *written = count, C.size_t(at)
	return C.EMBWS_OK
}

//export goCodecEncodeHeader
func goCodecEncodeHeader(handle C.uintptr_t, opcode, fin C.uint32_t, length C.uint64_t, dst unsafe.Pointer, capacity C.size_t,
	written *C.size_t,
) (status C.int32_t) {
	h, e, status := lookup[codec](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	p := borrow(h.codec.Role(), &h.opt, uintptr(handle))
	defer giveBack(&h.opt, p)
	n, err := h.codec.EncodeHeader(bytesAt(dst, capacity), ws.Opcode(opcode), fin != 0, uint64(length))
	return wrote(written, n, err)
}

//export goCodecEncodePayload
func goCodecEncodePayload(handle C.uintptr_t, src unsafe.Pointer, length C.size_t, dst unsafe.Pointer, capacity C.size_t,
	written *C.size_t,
) (status C.int32_t) {
	h, e, status := lookup[codec](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	n, err := h.codec.EncodePayload(bytesAt(dst, capacity), bytesAt(src, length))
	return wrote(written, n, err)
}

//export goCodecSent
func goCodecSent(handle C.uintptr_t, length C.uint64_t) (status C.int32_t) {
	h, e, status := lookup[codec](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	return statusOf(h.codec.Sent(uint64(length)))
}

//export goCodecReply
func goCodecReply(handle C.uintptr_t, io *C.embws_io, next *C.uint32_t, dst unsafe.Pointer, capacity C.size_t,
	written *C.size_t,
) (status C.int32_t) {
	h, e, status := lookup[codec](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	p := borrow(h.codec.Role(), &h.opt, uintptr(handle))
	defer giveBack(&h.opt, p)
	room, at := bytesAt(dst, capacity), 0
	events := eventsAt(io.events, io.found)[:io.found]
	for i := *next; i < io.found; i++ {
		event := &events[i]
		if !event.Kind.IsControl() {
			continue
		}
		payload, fits := payloadOf(io, event)
		if !fits {
			*next, *written = i, C.size_t(at)
			return C.EMBWS_ERR_VALUE
		}
		n, err := h.codec.Reply(room[at:], *event, payload)
		if err == nil {
			at += n
			continue
		}
		if err == ws.ErrNoRoom && at > 0 {
			*next, *written = i, C.size_t(at)
			return C.EMBWS_MORE
		}
		if err == ws.ErrNoRoom {
			at = n
		}
		*next, *written = i, C.size_t(at)
		return statusOf(err)
	}
	*next, *written = io.found, C.size_t(at)
	return C.EMBWS_OK
}

// payloadOf returns the payload of an event in the memory that io tells of, and whether it fits that.
func payloadOf(io *C.embws_io, e *ws.Event) ([]byte, bool) {
	from := bytesAt(io.in, io.in_length)
	switch {
	case e.Flags&ws.Kept != 0:
		from = bytesAt(unsafe.Pointer(&io.control), min(C.size_t(io.control_length), C.size_t(len(io.control))))
	case e.Flags&ws.InOut != 0:
		from = bytesAt(io.room, io.room_length)
	}
	if e.Start > uint64(len(from)) || uint64(e.Length) > uint64(len(from))-e.Start {
		return nil, false
	}
	return from[e.Start : e.Start+uint64(e.Length)], true
}

//export goCodecClose
func goCodecClose(handle C.uintptr_t, code C.uint32_t, reason unsafe.Pointer, length C.size_t, dst unsafe.Pointer,
	capacity C.size_t, written *C.size_t,
) (status C.int32_t) {
	h, e, status := lookup[codec](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	p := borrow(h.codec.Role(), &h.opt, uintptr(handle))
	defer giveBack(&h.opt, p)
	n, err := h.codec.Close(bytesAt(dst, capacity), ws.CloseCode(code), asString(reason, length))
	return wrote(written, n, err)
}

//export goCodecEnd
func goCodecEnd(handle C.uintptr_t) (status C.int32_t) {
	h, e, status := lookup[codec](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	return statusOf(h.codec.End())
}

//export goCodecFailure
func goCodecFailure(handle C.uintptr_t, failure *C.embws_failure) (status C.int32_t) {
	h, e, status := lookup[codec](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	writeFailure(failure, h.codec.Failure(), h.codec.Role())
	return C.EMBWS_OK
}

//export goCodecPeerClose
func goCodecPeerClose(handle C.uintptr_t, code *C.uint16_t, reason unsafe.Pointer, capacity C.size_t, length *C.size_t) (status C.int32_t) {
	h, e, status := lookup[codec](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	return writePeerClose(&h.codec, code, bytesAt(reason, capacity), length)
}

//export goCodecInfo
func goCodecInfo(handle C.uintptr_t, info *C.embws_info) (status C.int32_t) {
	h, e, status := lookup[codec](uintptr(handle))
	if h == nil {
		return status
	}
	defer e.contain(&status)
	writeInfo(info, &h.codec)
	return C.EMBWS_OK
}
