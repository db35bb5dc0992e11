package main

// This file turns errors of package ws into the statuses of embws.h, and tells of failures. The names and sentences
// are in status.c; a test compares the two.

// #include "embws.h"
import "C"

import (
	"unsafe"

	"github.com/embws/embws/ws"
)

// statuses has every error of package ws but ErrDrain, which only a Conn gives, and ErrDeflate.
var statuses = [...]struct {
	err    *ws.Error
	status C.int32_t
}{
	{ws.ErrNoRoom, C.EMBWS_ERR_NO_ROOM},
	{ws.ErrRole, C.EMBWS_ERR_VALUE},
	{ws.ErrOpcodeSend, C.EMBWS_ERR_OPCODE_SEND},
	{ws.ErrMessageOpen, C.EMBWS_ERR_MESSAGE_OPEN},
	{ws.ErrNoMessage, C.EMBWS_ERR_NO_MESSAGE},
	{ws.ErrFrameOpen, C.EMBWS_ERR_FRAME_OPEN},
	{ws.ErrControlSize, C.EMBWS_ERR_CONTROL_SIZE},
	{ws.ErrCodeSend, C.EMBWS_ERR_CODE_SEND},
	{ws.ErrReasonSend, C.EMBWS_ERR_REASON_SEND},
	{ws.ErrTextSend, C.EMBWS_ERR_TEXT_SEND},
	{ws.ErrCloseSent, C.EMBWS_ERR_CLOSE_SENT},
	{ws.ErrCloseSeen, C.EMBWS_ERR_CLOSE_SEEN},
	{ws.ErrFailed, C.EMBWS_ERR_FAILED},
	{ws.ErrRandom, C.EMBWS_ERR_RANDOM},
	{ws.ErrSentTooMuch, C.EMBWS_ERR_SENT_TOO_MUCH},
	{ws.ErrState, C.EMBWS_ERR_STATE},
	{ws.ErrNotOpen, C.EMBWS_ERR_NOT_OPEN},
	{ws.ErrPlainRequest, C.EMBWS_ERR_PLAIN_REQUEST},
	{ws.ErrField, C.EMBWS_ERR_FIELD},
	{ws.ErrStatusSend, C.EMBWS_ERR_STATUS_SEND},
	{ws.ErrSubprotoSend, C.EMBWS_ERR_SUBPROTOCOL_SEND},
	{ws.ErrExtensionSend, C.EMBWS_ERR_EXTENSION_SEND},
	{ws.ErrRequest, C.EMBWS_ERR_REQUEST},
	{ws.ErrRequestHost, C.EMBWS_ERR_REQUEST_HOST},
	{ws.ErrRequestTarget, C.EMBWS_ERR_REQUEST_TARGET},
	{ws.ErrRequestOrigin, C.EMBWS_ERR_REQUEST_ORIGIN},
	{ws.ErrRequestProtocols, C.EMBWS_ERR_REQUEST_SUBPROTOCOLS},
	{ws.ErrRequestExtensions, C.EMBWS_ERR_REQUEST_EXTENSIONS},
	{ws.ErrKeepName, C.EMBWS_ERR_KEEP_NAME},

	{ws.ErrMethod, C.EMBWS_ERR_METHOD},
	{ws.ErrHTTPVersion, C.EMBWS_ERR_HTTP_VERSION},
	{ws.ErrTarget, C.EMBWS_ERR_TARGET},
	{ws.ErrHost, C.EMBWS_ERR_HOST},
	{ws.ErrUpgrade, C.EMBWS_ERR_UPGRADE},
	{ws.ErrConnection, C.EMBWS_ERR_CONNECTION},
	{ws.ErrKeyCount, C.EMBWS_ERR_KEY_COUNT},
	{ws.ErrKey, C.EMBWS_ERR_KEY},
	{ws.ErrVersionMissing, C.EMBWS_ERR_VERSION_MISSING},
	{ws.ErrVersion, C.EMBWS_ERR_VERSION},
	{ws.ErrHeadSyntax, C.EMBWS_ERR_HEAD_SYNTAX},
	{ws.ErrHeadTooLarge, C.EMBWS_ERR_HEAD_TOO_LARGE},
	{ws.ErrTooManyFields, C.EMBWS_ERR_TOO_MANY_FIELDS},
	{ws.ErrStoreFull, C.EMBWS_ERR_STORE_FULL},
	{ws.ErrBody, C.EMBWS_ERR_BODY},
	{ws.ErrSubprotocols, C.EMBWS_ERR_SUBPROTOCOLS},
	{ws.ErrExtensionSyntax, C.EMBWS_ERR_EXTENSION_SYNTAX},

	{ws.ErrStatus, C.EMBWS_ERR_STATUS},
	{ws.ErrTooManyInformation, C.EMBWS_ERR_TOO_MANY_INTERIM},
	{ws.ErrResponseVersion, C.EMBWS_ERR_RESPONSE_VERSION},
	{ws.ErrResponseUpgrade, C.EMBWS_ERR_RESPONSE_UPGRADE},
	{ws.ErrAcceptCount, C.EMBWS_ERR_ACCEPT_COUNT},
	{ws.ErrAccept, C.EMBWS_ERR_ACCEPT},
	{ws.ErrSubprotocolAnswer, C.EMBWS_ERR_SUBPROTOCOL_ANSWER},
	{ws.ErrExtensionAnswer, C.EMBWS_ERR_EXTENSION_ANSWER},
	{ws.ErrHandshakeCutShort, C.EMBWS_ERR_HANDSHAKE_CUT_SHORT},

	{ws.ErrReservedBits, C.EMBWS_ERR_RESERVED_BITS},
	{ws.ErrReservedBit1, C.EMBWS_ERR_RESERVED_BIT_1},
	{ws.ErrOpcode, C.EMBWS_ERR_OPCODE},
	{ws.ErrUnmasked, C.EMBWS_ERR_UNMASKED},
	{ws.ErrMasked, C.EMBWS_ERR_MASKED},
	{ws.ErrLength16, C.EMBWS_ERR_LENGTH_16},
	{ws.ErrLength64, C.EMBWS_ERR_LENGTH_64},
	{ws.ErrLengthTopBit, C.EMBWS_ERR_LENGTH_TOP_BIT},
	{ws.ErrMessageMemory, C.EMBWS_ERR_MESSAGE_MEMORY},
	{ws.ErrFrameTooBig, C.EMBWS_ERR_FRAME_TOO_BIG},
	{ws.ErrContinuation, C.EMBWS_ERR_CONTINUATION},
	{ws.ErrInterleaved, C.EMBWS_ERR_INTERLEAVED},
	{ws.ErrControlFragmented, C.EMBWS_ERR_CONTROL_FRAGMENTED},
	{ws.ErrControlTooLong, C.EMBWS_ERR_CONTROL_TOO_LONG},
	{ws.ErrMessageTooBig, C.EMBWS_ERR_MESSAGE_TOO_BIG},
	{ws.ErrCloseLength, C.EMBWS_ERR_CLOSE_LENGTH},
	{ws.ErrCloseCode, C.EMBWS_ERR_CLOSE_CODE},
	{ws.ErrCloseReason, C.EMBWS_ERR_CLOSE_REASON},
	{ws.ErrNoClose, C.EMBWS_ERR_NO_CLOSE},
	{ws.ErrUTF8, C.EMBWS_ERR_UTF8},
	{ws.ErrUTF8Incomplete, C.EMBWS_ERR_UTF8_INCOMPLETE},
	{ws.ErrReservedBit1Middle, C.EMBWS_ERR_RESERVED_BIT_1_MIDDLE},
	{ws.ErrReservedBit1Control, C.EMBWS_ERR_RESERVED_BIT_1_CONTROL},
	{ws.ErrInflate, C.EMBWS_ERR_INFLATE},
	{ws.ErrInflatedTooBig, C.EMBWS_ERR_INFLATED_TOO_BIG},
}

// statusOf returns the status of an error, or EMBWS_OK for nil.
func statusOf(err error) C.int32_t {
	if err == nil {
		return C.EMBWS_OK
	}
	for i := range statuses {
		if error(statuses[i].err) == err {
			return statuses[i].status
		}
	}
	return C.EMBWS_ERR_INTERNAL
}

// writeFailure writes a failure, whose struct_size the C side has checked.
func writeFailure(to *C.embws_failure, f ws.Failure, role ws.Role) {
	size := to.struct_size
	*to = C.embws_failure{struct_size: size}
	if f.Err == nil {
		return
	}
	to.status = statusOf(f.Err)
	to.offset = C.uint64_t(f.Offset)
	to.rule, to.close_code = C.uint16_t(f.Err.Rule), C.uint16_t(f.Err.Code)
	if role == ws.Server { // a client answers nothing
		to.http_status = C.uint16_t(f.Err.Status)
	}
	to.header_length = C.uint8_t(f.HeaderLen)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&to.header)), len(to.header)), f.Header[:f.HeaderLen])
}
