package ws

// This file declares every error of the package. An error is a value that exists before anything goes
// wrong: returning one allocates nothing, and errors.Is compares pointers.

import "io"

// Error is a broken rule or a misuse. All errors of this package are predeclared *Error values, but for
// those of an io.ReadWriter, which Conn hands through as they are.
type Error struct {
	// Rule is the number of the protocol rule that was broken (see RULES.md in the repository's root),
	// or 0 for a misuse that no rule of the RFCs covers.
	Rule uint8

	// Code is the close code that tells the peer (RFC 6455 7.4.1), or 0 if the peer is not to blame.
	Code CloseCode

	// Status is the HTTP status with which a server refuses an upgrade request that broke the rule,
	// or 0 outside of that handshake.
	Status uint16

	// Section is where the rule stands, such as "RFC 6455 5.2", or "" for a misuse.
	Section string

	// Text says what is wrong and, where there is something to do, what to do.
	Text string
}

// Error returns Text.
func (e *Error) Error() string { return e.Text }

// Is makes errors.Is(ErrNoClose, io.ErrUnexpectedEOF) true: a transport that ended without a Close frame is
// both. And it makes ErrRequest stand for all that can be wrong with a request (rule 28).
func (e *Error) Is(target error) bool {
	return e == ErrNoClose && target == io.ErrUnexpectedEOF || e.Rule == ErrRequest.Rule && target == ErrRequest
}

// Failure tells all that is known of the violation that ended a connection or a handshake. It is a plain
// value; the zero Failure means that nothing failed.
type Failure struct {
	// Err is the broken rule, or nil.
	Err *Error

	// Offset counts the bytes of the incoming stream before the one that broke the rule: the bytes of the
	// handshake for a handshake's failure, those after it for a codec's. A rule that can only be judged at an
	// end (of a head, of a text message) is broken at the offset of that end.
	Offset uint64

	// Header holds the first HeaderLen bytes of the header of the frame that broke the rule (RFC 6455 5.2),
	// as far as they were received; none for a handshake.
	Header    [MaxHeaderSize]byte
	HeaderLen uint8
}

// Misuse: what a caller can do wrong, or run out of. Nothing was written and no state was changed.
var (
	ErrNoRoom            = &Error{Rule: 23, Text: "ws: no room: a destination (dst, events[:0], a buffer) is empty, too small or full; drain it or pass a larger one, and repeat the call"}
	ErrRole              = &Error{Text: "ws: not set up: call Reset (with ws.Server or ws.Client), Serve or Connect first"}
	ErrOpcodeSend        = &Error{Rule: 101, Text: "ws: cannot send this opcode here: a message is Text or Binary; for control frames use Ping, Pong and Close"}
	ErrMessageOpen       = &Error{Rule: 58, Text: "ws: a message of another kind, or one that is compressed, is still open: finish it (fin = true) first"}
	ErrNoMessage         = &Error{Rule: 57, Text: "ws: Continuation without an open message: start it with Text or Binary"}
	ErrFrameOpen         = &Error{Rule: 99, Text: "ws: payload of the last frame header is still owed: send it first"}
	ErrControlSize       = &Error{Rule: 100, Text: "ws: a control frame carries at most 125 bytes in one frame (fin = true)"}
	ErrCodeSend          = &Error{Rule: 82, Text: "ws: this close code must not be sent: use 1000-1003, 1007-1014 or 3000-4999"}
	ErrReasonSend        = &Error{Rule: 77, Text: "ws: a close reason is at most 123 bytes of UTF-8, and needs a code"}
	ErrTextSend          = &Error{Rule: 94, Text: "ws: the text to send is not UTF-8"}
	ErrCloseSent         = &Error{Rule: 71, Text: "ws: a Close was sent: nothing but the answer to a Ping may follow"}
	ErrCloseSeen         = &Error{Rule: 71, Text: "ws: the connection is closed: after the peer's Close nothing but its answer may be sent"}
	ErrFailed            = &Error{Rule: 56, Text: "ws: the connection has failed: only a Close may be sent; Failure tells why"}
	ErrDeflate           = &Error{Text: "ws: the Deflater failed or broke its contract, and dst may have been written: close the connection"}
	ErrDrain             = &Error{Rule: 85, Text: "ws: the peer goes on sending and does not close: MaxDrain bytes were dropped; close the transport"}
	ErrRandom            = &Error{Rule: 95, Text: "ws: the random source failed or gave nothing: no frame or handshake was begun with a weak key"}
	ErrSentTooMuch       = &Error{Rule: 99, Text: "ws: more bytes reported as sent than were pending"}
	ErrState             = &Error{Rule: 38, Text: "ws: not now: the handshake is in another state (nothing received yet, not answered yet, or over)"}
	ErrNotOpen           = &Error{Rule: 38, Text: "ws: the connection is not open yet: finish the handshake first (a server: Accept)"}
	ErrPlainRequest      = &Error{Rule: 20, Text: "ws: the request asks for no upgrade: answer it by Respond"}
	ErrField             = &Error{Rule: 22, Text: "ws: a header field to send needs a token as its name and a value without CR, LF, NUL or other control bytes; fields of the handshake itself cannot be set"}
	ErrStatusSend        = &Error{Rule: 20, Text: "ws: this status cannot answer here: 200-599, 300-599 for an upgrade request"}
	ErrSubprotoSend      = &Error{Rule: 18, Text: "ws: a server selects one of the subprotocols that the client offered, or none"}
	ErrExtensionSend     = &Error{Rule: 36, Text: "ws: the extensions to answer break their grammar, or have a name or parameter that the client did not offer"}
	ErrRequest           = &Error{Rule: 28, Text: "ws: there is no request to send"}
	ErrRequestHost       = &Error{Rule: 28, Text: "ws: the request's Host must be a host with an optional port, such as example.com:8080"}
	ErrRequestTarget     = &Error{Rule: 28, Text: "ws: the request's Target must be a path with an optional query, such as /chat?room=1, without spaces, control bytes or '#'"}
	ErrRequestOrigin     = &Error{Rule: 28, Text: "ws: the request's Origin must be visible ASCII, such as https://example.com, and stand in no further field"}
	ErrRequestProtocols  = &Error{Rule: 28, Text: "ws: the request's Subprotocols must be different tokens, MaxSubprotocols at most"}
	ErrRequestExtensions = &Error{Rule: 28, Text: "ws: the request's Extensions break the grammar of Sec-WebSocket-Extensions"}
	ErrKeepName          = &Error{Rule: 13, Text: "ws: a name in the keep list is empty or longer than 64 bytes"}
)

// Violations in an opening handshake that a server receives (RFC 6455 4.2.1; RFC 9112).
var (
	ErrMethod          = &Error{1, 0, 405, "RFC 6455 4.2.1", "ws: the method is not GET"}
	ErrHTTPVersion     = &Error{2, 0, 505, "RFC 6455 4.2.1", "ws: the HTTP version of the request is not 1.1"}
	ErrTarget          = &Error{3, 0, 400, "RFC 9112 3.2", "ws: the request-target is neither origin-form nor absolute-form, or has control bytes or a fragment"}
	ErrHost            = &Error{4, 0, 400, "RFC 9112 3.2", "ws: the Host field is missing, doubled or malformed"}
	ErrUpgrade         = &Error{5, 0, 400, "RFC 6455 4.2.1", "ws: the Upgrade field lacks the token websocket"}
	ErrConnection      = &Error{6, 0, 400, "RFC 6455 4.2.1", "ws: the Connection field lacks the token Upgrade"}
	ErrKeyCount        = &Error{7, 0, 400, "RFC 6455 4.2.1", "ws: the Sec-WebSocket-Key field is missing or doubled"}
	ErrKey             = &Error{8, 0, 400, "RFC 6455 4.2.1", "ws: Sec-WebSocket-Key is not the base64 of 16 bytes"}
	ErrVersionMissing  = &Error{9, 0, 400, "RFC 6455 4.2.1", "ws: the Sec-WebSocket-Version field is missing or doubled"}
	ErrVersion         = &Error{10, 0, 426, "RFC 6455 4.2.2", "ws: Sec-WebSocket-Version is not 13"}
	ErrHeadSyntax      = &Error{12, 0, 400, "RFC 9112 2.2, 5", "ws: malformed HTTP head: a bad field name, a space before the colon, a folded line, a bare CR or LF, or a control byte"}
	ErrHeadTooLarge    = &Error{13, 0, 431, "RFC 6585 5", "ws: the HTTP head is longer than MaxHead"}
	ErrTooManyFields   = &Error{13, 0, 431, "RFC 6585 5", "ws: the HTTP head has more fields than MaxFields"}
	ErrStoreFull       = &Error{13, 0, 431, "RFC 6585 5", "ws: the store lent to the handshake is too small for the fields to keep"}
	ErrBody            = &Error{16, 0, 400, "RFC 9110 8.6", "ws: a request with a body (Content-Length, Transfer-Encoding) cannot be upgraded"}
	ErrSubprotocols    = &Error{17, 0, 400, "RFC 6455 4.1", "ws: Sec-WebSocket-Protocol is not a list of different tokens, or has more than MaxSubprotocols"}
	ErrExtensionSyntax = &Error{104, CloseMandatoryExtension, 400, "RFC 6455 9.1", "ws: Sec-WebSocket-Extensions breaks its grammar"}
)

// Violations in the answer that a client receives (RFC 6455 4.1; RFC 9112). Rules 12 and 13 serve both ends.
var (
	ErrStatus             = &Error{29, 0, 0, "RFC 6455 4.1", "ws: the server refused the upgrade: its status is not 101"}
	ErrResponseVersion    = &Error{31, 0, 0, "RFC 6455 4.1", "ws: the HTTP version of the response is not 1.1, or its status line is malformed"}
	ErrResponseUpgrade    = &Error{32, 0, 0, "RFC 6455 4.1", "ws: the response lacks Upgrade: websocket or Connection: Upgrade"}
	ErrAcceptCount        = &Error{33, 0, 0, "RFC 6455 4.1", "ws: the Sec-WebSocket-Accept field of the response is missing or doubled"}
	ErrAccept             = &Error{34, 0, 0, "RFC 6455 4.1", "ws: Sec-WebSocket-Accept does not answer the key of the request"}
	ErrSubprotocolAnswer  = &Error{35, 0, 0, "RFC 6455 4.1", "ws: the server selected a subprotocol that was not offered, or more than one"}
	ErrExtensionAnswer    = &Error{36, CloseMandatoryExtension, 0, "RFC 6455 4.1", "ws: the server uses an extension or a parameter that was not offered"}
	ErrHandshakeCutShort  = &Error{38, 0, 0, "RFC 6455 4.1", "ws: the transport ended within the handshake"}
	ErrTooManyInformation = &Error{30, 0, 0, "RFC 9110 15.2", "ws: more interim (1xx) responses than a head may have fields"}
)

// Violations in frames and messages (RFC 6455 5 to 8; RFC 7692 6, 7).
var (
	ErrReservedBits        = &Error{39, CloseProtocolError, 0, "RFC 6455 5.2", "ws: RSV2 or RSV3 is set and no extension uses it"}
	ErrReservedBit1        = &Error{40, CloseProtocolError, 0, "RFC 6455 5.2", "ws: RSV1 is set and no compression was negotiated"}
	ErrOpcode              = &Error{41, CloseProtocolError, 0, "RFC 6455 5.2", "ws: reserved opcode (3-7, 11-15)"}
	ErrUnmasked            = &Error{42, CloseProtocolError, 0, "RFC 6455 5.1", "ws: a client must mask every frame"}
	ErrMasked              = &Error{43, CloseProtocolError, 0, "RFC 6455 5.1", "ws: a server must not mask a frame"}
	ErrLength16            = &Error{45, CloseProtocolError, 0, "RFC 6455 5.2", "ws: a length below 126 in the 16-bit form"}
	ErrLength64            = &Error{46, CloseProtocolError, 0, "RFC 6455 5.2", "ws: a length below 65536 in the 64-bit form"}
	ErrLengthTopBit        = &Error{47, CloseProtocolError, 0, "RFC 6455 5.2", "ws: the top bit of a 64-bit length is set"}
	ErrMessageMemory       = &Error{48, CloseMessageTooBig, 0, "RFC 6455 7.4.1", "ws: the message does not fit the message buffer: lend a larger one or take the message in pieces"}
	ErrFrameTooBig         = &Error{49, CloseMessageTooBig, 0, "RFC 6455 10.4", "ws: the frame is longer than MaxFrame"}
	ErrContinuation        = &Error{57, CloseProtocolError, 0, "RFC 6455 5.4", "ws: a continuation frame without a message to continue"}
	ErrInterleaved         = &Error{58, CloseProtocolError, 0, "RFC 6455 5.4", "ws: a new message inside an unfinished one"}
	ErrControlFragmented   = &Error{61, CloseProtocolError, 0, "RFC 6455 5.5", "ws: a fragmented control frame"}
	ErrControlTooLong      = &Error{62, CloseProtocolError, 0, "RFC 6455 5.5", "ws: a control frame of more than 125 bytes"}
	ErrMessageTooBig       = &Error{65, CloseMessageTooBig, 0, "RFC 6455 10.4", "ws: the message is longer than MaxMessage"}
	ErrCloseLength         = &Error{73, CloseProtocolError, 0, "RFC 6455 5.5.1", "ws: a Close body of one byte"}
	ErrCloseCode           = &Error{74, CloseProtocolError, 0, "RFC 6455 7.4", "ws: a close code that must not be on the wire"}
	ErrCloseReason         = &Error{76, CloseInvalidPayload, 0, "RFC 6455 5.5.1", "ws: the close reason is not UTF-8"}
	ErrNoClose             = &Error{84, CloseAbnormal, 0, "RFC 6455 7.1.5", "ws: the transport ended without a Close frame (1006)"}
	ErrUTF8                = &Error{89, CloseInvalidPayload, 0, "RFC 6455 8.1", "ws: a text message is not UTF-8"}
	ErrUTF8Incomplete      = &Error{91, CloseInvalidPayload, 0, "RFC 6455 8.1", "ws: a text message ends inside a code point"}
	ErrReservedBit1Middle  = &Error{111, CloseProtocolError, 0, "RFC 7692 6.1", "ws: RSV1 is set on a continuation frame"}
	ErrReservedBit1Control = &Error{112, CloseProtocolError, 0, "RFC 7692 6.1", "ws: RSV1 is set on a control frame"}
	ErrInflate             = &Error{117, CloseInvalidPayload, 0, "RFC 7692 7.2.2", "ws: the compressed payload is not valid DEFLATE"}
	ErrInflatedTooBig      = &Error{118, CloseMessageTooBig, 0, "RFC 7692 8.2", "ws: the inflated message is longer than MaxMessage"}
)
