/*
 * functions.h: every function of embws.h that can refuse its arguments, as a table: how to call it, and what each of
 * its arguments is. misuse.c bends the arguments one by one.
 */
#ifndef FUNCTIONS_H
#define FUNCTIONS_H

#include <embws.h>

/* An argument, whatever its type is. */
typedef struct value {
    void *p;
    uint64_t n;
} value;

typedef enum kind {
    NONE = 0,
    HANDLE, /* shape: its type */
    OUT,    /* a pointer to `size` bytes that are written */
    MAYBE,  /* the same, or NULL */
    STRUCT, /* a pointer to a struct with a struct_size. shape: which */
    OPTION, /* the same, or NULL */
    IO,     /* an embws_io */
    BYTES,  /* a pointer; the next argument is how many bytes it points to */
    SHORT,  /* the same, with an uint32_t for the length */
    FRAMES, /* the same with embws_frame */
    LENGTH, /* of the argument before */
    KEY,    /* four bytes that are read */
    ROLE,
    OPCODE,
    FIN,
    CODE,
    NUMBER /* any */
} kind;

typedef enum shape {
    ANY = 0,
    CODEC,
    SESSION,
    SERVER_HANDSHAKE,
    CLIENT_HANDSHAKE,
    OPTIONS,
    LIMITS,
    REQUEST,
    ACCEPTANCE,
    RESPONSE,
    FAILURE,
    INFO,
    HEAD,
    BATCH
} shape;

enum { MOST_ARGUMENTS = 8, VALUES = MOST_ARGUMENTS + 1 /* so that each has one behind it */ };

typedef struct argument {
    const char *name; /* as in the header */
    kind kind;
    shape shape;
    size_t size;
} argument;

typedef struct function {
    const char *name;
    int32_t (*call)(const value *a);
    argument arguments[MOST_ARGUMENTS];
} function;

#define CALL(name, ...) \
    static int32_t call_##name(const value *a) { return name(__VA_ARGS__); }
#define P(i) (a[i].p)
#define S(i) ((size_t)a[i].n)
#define U(i) ((uint32_t)a[i].n)
#define N(i) (a[i].n)

CALL(embws_codec_new, P(0), U(1), P(2))
CALL(embws_codec_reset, P(0), U(1), P(2))
CALL(embws_codec_free, P(0))
CALL(embws_codec_decode, P(0), P(1))
CALL(embws_codec_encode, P(0), U(1), U(2), P(3), S(4), P(5), S(6), P(7))
CALL(embws_codec_encode_batch, P(0), P(1), S(2), P(3), S(4), P(5), P(6))
CALL(embws_codec_encode_header, P(0), U(1), U(2), N(3), P(4), S(5), P(6))
CALL(embws_codec_encode_payload, P(0), P(1), S(2), P(3), S(4), P(5))
CALL(embws_codec_sent, P(0), N(1))
CALL(embws_codec_reply, P(0), P(1), P(2), P(3), S(4), P(5))
CALL(embws_codec_close, P(0), U(1), P(2), S(3), P(4), S(5), P(6))
CALL(embws_codec_end, P(0))
CALL(embws_codec_failure, P(0), P(1))
CALL(embws_codec_peer_close, P(0), P(1), P(2), S(3), P(4))
CALL(embws_codec_info, P(0), P(1))

CALL(embws_session_serve, P(0), P(1), P(2))
CALL(embws_session_connect, P(0), P(1), P(2), P(3))
CALL(embws_session_open, P(0), U(1), P(2))
CALL(embws_session_free, P(0))
CALL(embws_session_receive, P(0), P(1))
CALL(embws_session_next, P(0), P(1), P(2), S(3), P(4))
CALL(embws_session_accept, P(0), P(1), P(2))
CALL(embws_session_respond, P(0), P(1), P(2))
CALL(embws_session_head, P(0), P(1), P(2), S(3), P(4))
CALL(embws_session_send, P(0), P(1), U(2), U(3), P(4), S(5))
CALL(embws_session_send_header, P(0), P(1), U(2), U(3), N(4))
CALL(embws_session_sent, P(0), P(1), N(2))
CALL(embws_session_ping, P(0), P(1), P(2), S(3))
CALL(embws_session_pong, P(0), P(1), P(2), S(3))
CALL(embws_session_close, P(0), P(1), U(2), P(3), S(4))
CALL(embws_session_flush, P(0), P(1))
CALL(embws_session_end, P(0))
CALL(embws_session_failure, P(0), P(1))
CALL(embws_session_peer_close, P(0), P(1), P(2), S(3), P(4))
CALL(embws_session_info, P(0), P(1))
CALL(embws_session_receive_batch, P(0), P(1), P(2), U(3))
CALL(embws_session_send_frame, P(0), P(1), U(2), P(3), U(4))

CALL(embws_server_handshake_new, P(0), P(1))
CALL(embws_server_handshake_free, P(0))
CALL(embws_server_handshake_receive, P(0), P(1), S(2), P(3))
CALL(embws_server_handshake_head, P(0), P(1), P(2), S(3), P(4))
CALL(embws_server_handshake_accept, P(0), P(1), P(2), S(3), P(4))
CALL(embws_server_handshake_respond, P(0), P(1), P(2), S(3), P(4))
CALL(embws_server_handshake_restart, P(0))
CALL(embws_server_handshake_failure, P(0), P(1))

CALL(embws_client_handshake_new, P(0), P(1), P(2), P(3))
CALL(embws_client_handshake_free, P(0))
CALL(embws_client_handshake_request, P(0), P(1), S(2), P(3))
CALL(embws_client_handshake_receive, P(0), P(1), S(2), P(3))
CALL(embws_client_handshake_head, P(0), P(1), P(2), S(3), P(4))
CALL(embws_client_handshake_failure, P(0), P(1))

CALL(embws_failure_describe, P(0), P(1), S(2), P(3))
CALL(embws_mask, P(0), S(1), P(2), N(3))

#undef P
#undef S
#undef U
#undef N

#define A_CODEC(name) \
    { name, HANDLE, CODEC, 0 }
#define A_SESSION \
    { "session", HANDLE, SESSION, 0 }
#define A_SERVER \
    { "handshake", HANDLE, SERVER_HANDSHAKE, 0 }
#define A_CLIENT \
    { "handshake", HANDLE, CLIENT_HANDSHAKE, 0 }
#define A_IO \
    { "io", IO, ANY, 0 }
#define A_OUT(name, type) \
    { name, OUT, ANY, sizeof(type) }
#define A_MAYBE(name, type) \
    { name, MAYBE, ANY, sizeof(type) }
#define A_STRUCT(name, shape, type) \
    { name, STRUCT, shape, sizeof(type) }
#define A_OPTION(name, shape, type) \
    { name, OPTION, shape, sizeof(type) }
#define A_BYTES(name, length) \
    {name, BYTES, ANY, 64}, { length, LENGTH, ANY, 0 }
#define A_OPTIONS      A_OPTION("options", OPTIONS, embws_options)
#define A_LIMITS(name) A_OPTION(name, LIMITS, embws_handshake_options)
#define A_REQUEST      A_STRUCT("request", REQUEST, embws_request)
#define A_ACCEPTANCE   A_OPTION("acceptance", ACCEPTANCE, embws_acceptance)
#define A_FAILURE      A_STRUCT("failure", FAILURE, embws_failure)
#define A_INFO         A_STRUCT("info", INFO, embws_info)
#define A_HEAD         A_STRUCT("head", HEAD, embws_head)
#define A_FRAME \
    {"opcode", OPCODE, ANY, 0}, { "fin", FIN, ANY, 0 }
#define A_CODE \
    { "code", CODE, ANY, 0 }
#define A_NUMBER \
    { "length", NUMBER, ANY, 0 }
#define A_ROLE \
    { "role", ROLE, ANY, 0 }
#define A_PEER_CLOSE A_OUT("code", uint16_t), A_BYTES("reason", "capacity"), A_OUT("length", size_t)
#define A_DST        A_BYTES("dst", "capacity"), A_OUT("written", size_t)
#define A_HEAD_ROOM  A_HEAD, A_BYTES("memory", "capacity"), A_MAYBE("needed", size_t)
#define F(name, ...) \
    { #name, call_##name, __VA_ARGS__ }

/* clang-format off */
static const function functions[] = {
    F(embws_codec_new, {A_OUT("codec", void *), A_ROLE, A_OPTIONS}),
    F(embws_codec_reset, {A_CODEC("codec"), A_ROLE, A_OPTIONS}),
    F(embws_codec_free, {A_CODEC("codec")}),
    F(embws_codec_decode, {A_CODEC("codec"), A_IO}),
    F(embws_codec_encode, {A_CODEC("codec"), A_FRAME, A_BYTES("payload", "length"), A_DST}),
    F(embws_codec_encode_batch, {A_CODEC("codec"), {"frames", FRAMES, ANY, 0}, {"count", LENGTH, ANY, 0},
                                 A_BYTES("dst", "capacity"), A_OUT("encoded", size_t), A_OUT("written", size_t)}),
    F(embws_codec_encode_header, {A_CODEC("codec"), A_FRAME, A_NUMBER, A_DST}),
    F(embws_codec_encode_payload, {A_CODEC("codec"), A_BYTES("src", "length"), A_DST}),
    F(embws_codec_sent, {A_CODEC("codec"), A_NUMBER}),
    F(embws_codec_reply, {A_CODEC("codec"), A_IO, A_OUT("next", uint32_t), A_DST}),
    F(embws_codec_close, {A_CODEC("codec"), A_CODE, A_BYTES("reason", "reason_length"), A_DST}),
    F(embws_codec_end, {A_CODEC("codec")}),
    F(embws_codec_failure, {A_CODEC("codec"), A_FAILURE}),
    F(embws_codec_peer_close, {A_CODEC("codec"), A_PEER_CLOSE}),
    F(embws_codec_info, {A_CODEC("codec"), A_INFO}),

    F(embws_session_serve, {A_OUT("session", void *), A_OPTIONS, A_LIMITS("limits")}),
    F(embws_session_connect, {A_OUT("session", void *), A_REQUEST, A_OPTIONS, A_LIMITS("limits")}),
    F(embws_session_open, {A_OUT("session", void *), A_ROLE, A_OPTIONS}),
    F(embws_session_free, {A_SESSION}),
    F(embws_session_receive, {A_SESSION, A_IO}),
    F(embws_session_next, {A_SESSION, A_IO, A_BYTES("memory", "memory_length"), A_OUT("message", embws_message)}),
    F(embws_session_accept, {A_SESSION, A_IO, A_ACCEPTANCE}),
    F(embws_session_respond, {A_SESSION, A_IO, A_STRUCT("response", RESPONSE, embws_response)}),
    F(embws_session_head, {A_SESSION, A_HEAD_ROOM}),
    F(embws_session_send, {A_SESSION, A_IO, A_FRAME, A_BYTES("payload", "length")}),
    F(embws_session_send_header, {A_SESSION, A_IO, A_FRAME, A_NUMBER}),
    F(embws_session_sent, {A_SESSION, A_IO, A_NUMBER}),
    F(embws_session_ping, {A_SESSION, A_IO, A_BYTES("payload", "length")}),
    F(embws_session_pong, {A_SESSION, A_IO, A_BYTES("payload", "length")}),
    F(embws_session_close, {A_SESSION, A_IO, A_CODE, A_BYTES("reason", "reason_length")}),
    F(embws_session_flush, {A_SESSION, A_IO}),
    F(embws_session_end, {A_SESSION}),
    F(embws_session_failure, {A_SESSION, A_FAILURE}),
    F(embws_session_peer_close, {A_SESSION, A_PEER_CLOSE}),
    F(embws_session_info, {A_SESSION, A_INFO}),
    F(embws_session_receive_batch, {A_SESSION, A_STRUCT("batch", BATCH, embws_batch), A_MAYBE("data", uint64_t), A_NUMBER}),
    F(embws_session_send_frame, {A_SESSION, A_IO, {"first", OPCODE, ANY, 0}, {"payload", SHORT, ANY, 64}, {"length", LENGTH, ANY, 0}}),

    F(embws_server_handshake_new, {A_OUT("handshake", void *), A_LIMITS("limits")}),
    F(embws_server_handshake_free, {A_SERVER}),
    F(embws_server_handshake_receive, {A_SERVER, A_BYTES("in", "length"), A_OUT("eaten", size_t)}),
    F(embws_server_handshake_head, {A_SERVER, A_HEAD_ROOM}),
    F(embws_server_handshake_accept, {A_SERVER, A_ACCEPTANCE, A_DST}),
    F(embws_server_handshake_respond, {A_SERVER, A_OPTION("response", RESPONSE, embws_response), A_DST}),
    F(embws_server_handshake_restart, {A_SERVER}),
    F(embws_server_handshake_failure, {A_SERVER, A_FAILURE}),

    F(embws_client_handshake_new, {A_OUT("handshake", void *), A_REQUEST, A_OPTIONS, A_LIMITS("limits")}),
    F(embws_client_handshake_free, {A_CLIENT}),
    F(embws_client_handshake_request, {A_CLIENT, A_DST}),
    F(embws_client_handshake_receive, {A_CLIENT, A_BYTES("in", "length"), A_OUT("eaten", size_t)}),
    F(embws_client_handshake_head, {A_CLIENT, A_HEAD_ROOM}),
    F(embws_client_handshake_failure, {A_CLIENT, A_FAILURE}),

    F(embws_failure_describe, {A_FAILURE, A_BYTES("dst", "capacity"), A_MAYBE("length", size_t)}),
    F(embws_mask, {A_BYTES("bytes", "length"), {"key", KEY, ANY, 4}, A_NUMBER}),
};
/* clang-format on */

enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

/* Those that can refuse nothing: no status, or no argument that could be wrong. numbers.c has them. */
static const char *const harmless_functions[] = {
    "embws_version_number", "embws_version_string",     "embws_abi_version",   "embws_features",    "embws_status_name",
    "embws_status_message", "embws_error_detail",       "embws_span_of",       "embws_span_equals", "embws_header_size",
    "embws_frame_size",     "embws_close_code_on_wire", "embws_event_payload", "embws_head_field",
};

/* The type of the handles that a function makes, uses or frees, by its name. */
static inline shape handle_type(const char *name) {
    return strstr(name, "_codec_") != NULL              ? CODEC
           : strstr(name, "_session_") != NULL          ? SESSION
           : strstr(name, "_server_handshake_") != NULL ? SERVER_HANDSHAKE
                                                        : CLIENT_HANDSHAKE;
}

static inline int32_t free_handle(shape type, void *handle) {
    switch (type) {
        case CODEC: return embws_codec_free(handle);
        case SESSION: return embws_session_free(handle);
        case SERVER_HANDSHAKE: return embws_server_handshake_free(handle);
        default: return embws_client_handshake_free(handle);
    }
}

#endif
