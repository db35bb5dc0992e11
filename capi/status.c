/* The names, sections and sentences of all statuses. A test compares them with the errors of package ws. */
#include <stdarg.h>
#include <stdio.h>

#include "shim.h"

static const struct row {
    int32_t status;
    const char *name;
    const char *section; /* of the RFC that has the rule; "" for what no peer did */
    const char *message;
} rows[] = {
#define ROW(status, section, message) \
    { status, #status, section, message }
    ROW(EMBWS_OK, "", "done"),
    ROW(EMBWS_MORE, "", "not all is done: send what was written, then call again for the rest"),
    ROW(EMBWS_UPGRADE_REQUESTED, "", "an upgrade was requested: accept it, or respond"),
    ROW(EMBWS_PLAIN_REQUEST, "", "a GET without an upgrade: respond"),
    ROW(EMBWS_OPENED, "", "the connection is open: what follows is the codec's"),
    ROW(EMBWS_BATCH, "", "the messages stand in the list of the batch"),
    ROW(EMBWS_WRITTEN, "", "the frame stands in io->out, and nothing else waits"),
    ROW(EMBWS_ERR_HANDLE, "", "the handle is NULL, was freed, is of another type, or is none"),
    ROW(EMBWS_ERR_NULL, "", "a pointer is NULL that must not be: embws_error_detail names it"),
    ROW(EMBWS_ERR_LENGTH, "", "a length that no object can have: embws_error_detail names it"),
    ROW(EMBWS_ERR_STRUCT_SIZE, "",
        "struct_size is not that of a known version: use EMBWS_INIT, and the header that belongs to the library"),
    ROW(EMBWS_ERR_VALUE, "", "a number that has no meaning there: embws_error_detail names it"),
    ROW(EMBWS_ERR_INTERNAL, "", "a defect inside of the library: free the handle, which is dead, and report it"),
    ROW(EMBWS_ERR_FORKED, "",
        "the library was loaded before fork() and does not work in the child: load it after fork, or call exec"),
    ROW(EMBWS_ERR_NO_ROOM, "",
        "a destination (dst, out, events, memory) is empty, too small or full: drain it or pass a larger one, and "
        "repeat the call"),
    ROW(EMBWS_ERR_OPCODE_SEND, "",
        "this opcode cannot be sent here: a message is EMBWS_TEXT or EMBWS_BINARY; control frames have functions of "
        "their own"),
    ROW(EMBWS_ERR_MESSAGE_OPEN, "", "a message of another kind is still open: finish it (fin = 1) first"),
    ROW(EMBWS_ERR_NO_MESSAGE, "",
        "EMBWS_CONTINUATION without an open message: start it with EMBWS_TEXT or EMBWS_BINARY"),
    ROW(EMBWS_ERR_FRAME_OPEN, "", "payload of the last frame header is still owed: send it first"),
    ROW(EMBWS_ERR_CONTROL_SIZE, "", "a control frame carries at most 125 bytes in one frame (fin = 1)"),
    ROW(EMBWS_ERR_CODE_SEND, "", "this close code must not be sent: use 1000-1003, 1007-1014 or 3000-4999"),
    ROW(EMBWS_ERR_REASON_SEND, "", "a close reason is at most 123 bytes of UTF-8, and needs a code"),
    ROW(EMBWS_ERR_TEXT_SEND, "", "the text to send is not UTF-8"),
    ROW(EMBWS_ERR_CLOSE_SENT, "", "a Close was sent: nothing but the answer to a Ping may follow"),
    ROW(EMBWS_ERR_CLOSE_SEEN, "",
        "the connection is closed: after the peer's Close nothing but its answer may be sent"),
    ROW(EMBWS_ERR_FAILED, "", "the connection has failed: only a Close may be sent; the failure tells why"),
    ROW(EMBWS_ERR_RANDOM, "",
        "the random source failed or gave nothing: no frame or handshake was begun with a weak key"),
    ROW(EMBWS_ERR_SENT_TOO_MUCH, "",
        "more bytes reported as sent than are owed, or a client's, which must be masked by the library"),
    ROW(EMBWS_ERR_STATE, "",
        "not now: the handshake or connection is in another state (nothing received yet, not answered yet, or over)"),
    ROW(EMBWS_ERR_NOT_OPEN, "", "the connection is not open yet: finish the handshake first (a server: accept)"),
    ROW(EMBWS_ERR_PLAIN_REQUEST, "", "the request asks for no upgrade: answer it by a response"),
    ROW(EMBWS_ERR_FIELD, "",
        "a header field to send needs a token as its name and a value without CR, LF, NUL or other control bytes; "
        "fields of the handshake itself cannot be set"),
    ROW(EMBWS_ERR_STATUS_SEND, "", "this status cannot answer here: 200-599, 300-599 for an upgrade request"),
    ROW(EMBWS_ERR_SUBPROTOCOL_SEND, "", "a server selects one of the subprotocols that the client offered, or none"),
    ROW(EMBWS_ERR_EXTENSION_SEND, "",
        "the extensions to answer break their grammar, or have a name or parameter that the client did not offer"),
    ROW(EMBWS_ERR_REQUEST, "", "there is no request to send"),
    ROW(EMBWS_ERR_REQUEST_HOST, "",
        "the request's host must be a host with an optional port, such as example.com:8080"),
    ROW(EMBWS_ERR_REQUEST_TARGET, "",
        "the request's target must be a path with an optional query, such as /chat?room=1, without spaces, control "
        "bytes or '#'"),
    ROW(EMBWS_ERR_REQUEST_ORIGIN, "",
        "the request's origin must be visible ASCII, such as https://example.com, and stand in no further field"),
    ROW(EMBWS_ERR_REQUEST_SUBPROTOCOLS, "",
        "the request's subprotocols must be different tokens, max_subprotocols at most"),
    ROW(EMBWS_ERR_REQUEST_EXTENSIONS, "", "the request's extensions break the grammar of Sec-WebSocket-Extensions"),
    ROW(EMBWS_ERR_KEEP_NAME, "", "a name in the keep list is empty or longer than 64 bytes"),
    ROW(EMBWS_ERR_METHOD, "RFC 6455 4.2.1", "the method is not GET"),
    ROW(EMBWS_ERR_HTTP_VERSION, "RFC 6455 4.2.1", "the HTTP version of the request is not 1.1"),
    ROW(EMBWS_ERR_TARGET, "RFC 9112 3.2",
        "the request-target is neither origin-form nor absolute-form, or has control bytes or a fragment"),
    ROW(EMBWS_ERR_HOST, "RFC 9112 3.2", "the Host field is missing, doubled or malformed"),
    ROW(EMBWS_ERR_UPGRADE, "RFC 6455 4.2.1", "the Upgrade field lacks the token websocket"),
    ROW(EMBWS_ERR_CONNECTION, "RFC 6455 4.2.1", "the Connection field lacks the token Upgrade"),
    ROW(EMBWS_ERR_KEY_COUNT, "RFC 6455 4.2.1", "the Sec-WebSocket-Key field is missing or doubled"),
    ROW(EMBWS_ERR_KEY, "RFC 6455 4.2.1", "Sec-WebSocket-Key is not the base64 of 16 bytes"),
    ROW(EMBWS_ERR_VERSION_MISSING, "RFC 6455 4.2.1", "the Sec-WebSocket-Version field is missing or doubled"),
    ROW(EMBWS_ERR_VERSION, "RFC 6455 4.2.2", "Sec-WebSocket-Version is not 13"),
    ROW(EMBWS_ERR_HEAD_SYNTAX, "RFC 9112 2.2, 5",
        "malformed HTTP head: a bad field name, a space before the colon, a folded line, a bare CR or LF, or a control "
        "byte"),
    ROW(EMBWS_ERR_HEAD_TOO_LARGE, "RFC 6585 5", "the HTTP head is longer than max_head"),
    ROW(EMBWS_ERR_TOO_MANY_FIELDS, "RFC 6585 5", "the HTTP head has more fields than max_fields"),
    ROW(EMBWS_ERR_STORE_FULL, "RFC 6585 5",
        "the fields to keep are more than `store` bytes of the handshake's options"),
    ROW(EMBWS_ERR_BODY, "RFC 9110 8.6", "a request with a body (Content-Length, Transfer-Encoding) cannot be upgraded"),
    ROW(EMBWS_ERR_SUBPROTOCOLS, "RFC 6455 4.1",
        "Sec-WebSocket-Protocol is not a list of different tokens, or has more than max_subprotocols"),
    ROW(EMBWS_ERR_EXTENSION_SYNTAX, "RFC 6455 9.1", "Sec-WebSocket-Extensions breaks its grammar"),
    ROW(EMBWS_ERR_STATUS, "RFC 6455 4.1", "the server refused the upgrade: its status is not 101"),
    ROW(EMBWS_ERR_TOO_MANY_INTERIM, "RFC 9110 15.2", "more interim (1xx) responses than a head may have fields"),
    ROW(EMBWS_ERR_RESPONSE_VERSION, "RFC 6455 4.1",
        "the HTTP version of the response is not 1.1, or its status line is malformed"),
    ROW(EMBWS_ERR_RESPONSE_UPGRADE, "RFC 6455 4.1", "the response lacks Upgrade: websocket or Connection: Upgrade"),
    ROW(EMBWS_ERR_ACCEPT_COUNT, "RFC 6455 4.1", "the Sec-WebSocket-Accept field of the response is missing or doubled"),
    ROW(EMBWS_ERR_ACCEPT, "RFC 6455 4.1", "Sec-WebSocket-Accept does not answer the key of the request"),
    ROW(EMBWS_ERR_SUBPROTOCOL_ANSWER, "RFC 6455 4.1",
        "the server selected a subprotocol that was not offered, or more than one"),
    ROW(EMBWS_ERR_EXTENSION_ANSWER, "RFC 6455 4.1", "the server uses an extension or a parameter that was not offered"),
    ROW(EMBWS_ERR_HANDSHAKE_CUT_SHORT, "RFC 6455 4.1", "the transport ended within the handshake"),
    ROW(EMBWS_ERR_RESERVED_BITS, "RFC 6455 5.2", "RSV2 or RSV3 is set and no extension uses it"),
    ROW(EMBWS_ERR_RESERVED_BIT_1, "RFC 6455 5.2", "RSV1 is set and no compression was negotiated"),
    ROW(EMBWS_ERR_OPCODE, "RFC 6455 5.2", "reserved opcode (3-7, 11-15)"),
    ROW(EMBWS_ERR_UNMASKED, "RFC 6455 5.1", "a client must mask every frame"),
    ROW(EMBWS_ERR_MASKED, "RFC 6455 5.1", "a server must not mask a frame"),
    ROW(EMBWS_ERR_LENGTH_16, "RFC 6455 5.2", "a length below 126 in the 16-bit form"),
    ROW(EMBWS_ERR_LENGTH_64, "RFC 6455 5.2", "a length below 65536 in the 64-bit form"),
    ROW(EMBWS_ERR_LENGTH_TOP_BIT, "RFC 6455 5.2", "the top bit of a 64-bit length is set"),
    ROW(EMBWS_ERR_MESSAGE_MEMORY, "RFC 6455 7.4.1",
        "the message does not fit the memory for it: lend more, or take the message in pieces"),
    ROW(EMBWS_ERR_FRAME_TOO_BIG, "RFC 6455 10.4", "the frame is longer than max_frame"),
    ROW(EMBWS_ERR_CONTINUATION, "RFC 6455 5.4", "a continuation frame without a message to continue"),
    ROW(EMBWS_ERR_INTERLEAVED, "RFC 6455 5.4", "a new message inside an unfinished one"),
    ROW(EMBWS_ERR_CONTROL_FRAGMENTED, "RFC 6455 5.5", "a fragmented control frame"),
    ROW(EMBWS_ERR_CONTROL_TOO_LONG, "RFC 6455 5.5", "a control frame of more than 125 bytes"),
    ROW(EMBWS_ERR_MESSAGE_TOO_BIG, "RFC 6455 10.4", "the message is longer than max_message"),
    ROW(EMBWS_ERR_CLOSE_LENGTH, "RFC 6455 5.5.1", "a Close body of one byte"),
    ROW(EMBWS_ERR_CLOSE_CODE, "RFC 6455 7.4", "a close code that must not be on the wire"),
    ROW(EMBWS_ERR_CLOSE_REASON, "RFC 6455 5.5.1", "the close reason is not UTF-8"),
    ROW(EMBWS_ERR_NO_CLOSE, "RFC 6455 7.1.5", "the transport ended without a Close frame (1006)"),
    ROW(EMBWS_ERR_UTF8, "RFC 6455 8.1", "a text message is not UTF-8"),
    ROW(EMBWS_ERR_UTF8_INCOMPLETE, "RFC 6455 8.1", "a text message ends inside a code point"),
    ROW(EMBWS_ERR_RESERVED_BIT_1_MIDDLE, "RFC 7692 6.1", "RSV1 is set on a continuation frame"),
    ROW(EMBWS_ERR_RESERVED_BIT_1_CONTROL, "RFC 7692 6.1", "RSV1 is set on a control frame"),
    ROW(EMBWS_ERR_INFLATE, "RFC 7692 7.2.2", "the compressed payload is not valid DEFLATE"),
    ROW(EMBWS_ERR_INFLATED_TOO_BIG, "RFC 7692 8.2", "the inflated message is longer than max_message"),
#undef ROW
};

static const struct row unknown = {0, "EMBWS_ERR_UNKNOWN", "", "no status of this version of libembws"};

static const struct row *find(int32_t status) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == status) return &rows[i];
    return &unknown;
}

const char *embws_status_name(int32_t status) { return find(status)->name; }
const char *embws_status_message(int32_t status) { return find(status)->message; }

/* A line that is written piece by piece, and cut where there is no room. */
struct line {
    char *dst;
    size_t capacity;
    size_t length; /* of the whole */
};

static void append(struct line *line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t room = line->length < line->capacity ? line->capacity - line->length : 0;
    int n = vsnprintf(room > 0 ? line->dst + line->length : NULL, room, format, arguments);
    va_end(arguments);
    if (n > 0) line->length += (size_t)n;
}

int32_t embws_failure_describe(const embws_failure *failure, char *dst, size_t capacity, size_t *length) {
    STRUCT(failure);
    BYTES(dst, capacity);
    struct line line = {dst, capacity, 0};
    const struct row *row = find(failure->status);
    if (failure->status == EMBWS_OK) {
        append(&line, "no failure");
    } else {
        append(&line, "%s: rule %u", row->name, (unsigned)failure->rule);
        if (row->section[0] != 0) append(&line, " (%s)", row->section);
        append(&line, ", byte %llu", (unsigned long long)failure->offset);
        for (unsigned i = 0; i < failure->header_length && i < sizeof failure->header; i++)
            append(&line, i == 0 ? ", frame header %02x" : " %02x", failure->header[i]);
        append(&line, ": %s", row->message);
        if (failure->close_code != 0) append(&line, "; close with %u", (unsigned)failure->close_code);
        if (failure->http_status != 0) append(&line, "; answered by %u", (unsigned)failure->http_status);
    }
    if (length != NULL) *length = line.length;
    return EMBWS_OK;
}
