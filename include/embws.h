/*
 * embws.h: WebSocket (RFC 6455) for clients and servers, without I/O, over buffers that the caller owns.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * This header is the manual of libembws. It is C99 and C++11. What it says once, here at the top, holds for all of it.
 *
 *
 * WHAT TO USE
 *
 *   embws_session   a connection without its transport: feed the bytes that arrived, take messages, take the bytes to
 *                   send. Handshake, Pongs, closing handshake and failures are dealt with. For event loops.
 *   embws_codec     the frames of an open connection, in batches, unmasked in place. For gateways and proxies.
 *   embws_server_handshake, embws_client_handshake
 *                   the HTTP upgrade that comes before a codec. A session has its own inside.
 *
 * Whole messages over a socket, TLS or a serial line, blocking or not: compile bindings/c/embws_stream.c into your
 * program. It is a loop around a session.
 *
 * A server's session, with a transport of yours:
 *
 *     embws_session *session;
 *     embws_io io;
 *     EMBWS_INIT(&io);
 *     embws_session_serve(&session, NULL, NULL);
 *     io.events = events, io.capacity = 64;            // an array of yours
 *     io.out = out, io.out_capacity = sizeof out;      // a buffer of yours
 *     while ((n = read(socket, in, sizeof in)) > 0) {
 *         io.in = in, io.in_length = n;
 *         do {
 *             status = embws_session_receive(session, &io);
 *             send_all(&io);                           // also after an error: the Close that tells of it
 *             if (status != EMBWS_OK) goto failed;     // embws_session_failure tells why
 *             // Here look at io.events[0 .. io.found-1]: embws_event_payload gives the payload of one.
 *             if (io.state == EMBWS_STATE_REQUEST) embws_session_accept(session, &io, NULL), send_all(&io);
 *             io.in = (char *)io.in + io.eaten, io.in_length -= io.eaten;
 *         } while (io.in_length > 0);
 *         if (io.state == EMBWS_STATE_CLOSED) break;
 *     }
 *
 * where send_all() writes io.out_length bytes of `out` and, while io.more is 1, calls embws_session_flush and goes on.
 * A whole server in a poll loop is examples/c/session_server.c.
 *
 *
 * MEMORY
 *
 * Every buffer is yours, and may have any size, down to one byte. No function keeps a pointer of yours after it has
 * returned, but for embws_options.random and its context; none returns memory to free. A `const` pointer is only read.
 * Lengths are in bytes unless a comment says otherwise. A pointer may be NULL where its length is 0. Buffers of one
 * call must not overlap unless a comment allows it.
 *
 * A handle (embws_codec *, embws_session *, ...) is a number in the shape of a pointer: it points to nothing that you
 * could read. Give it back by the embws_*_free of its type. A function that is given NULL, a handle that was freed, one
 * of another type, or garbage returns EMBWS_ERR_HANDLE and does nothing. A freed handle is recognised until 4,096 more
 * handles were freed; after that, its number may belong to a new one.
 *
 * Decoding, encoding and what a session does once it is open allocate nothing. Making a handle does, and so may a
 * handshake.
 *
 *
 * RESULTS
 *
 * Functions return a status, an int32_t: 0 is EMBWS_OK, a positive one says what to do next, a negative one is an
 * error. embws_status_name and embws_status_message put it into words. embws_error_detail says which argument of the
 * last call on this thread was wrong. When a call fails, what its out-parameters point to is left as it was, unless its
 * comment says otherwise. The numbers never change.
 *
 *   -1 .. -19      the call itself is wrong: a handle, a NULL, a length, a value. Nothing was done.
 *   -20 .. -99     what was asked for cannot be done, now or ever. The connection goes on as if it had not been asked;
 * but what had waited to be sent may have been written to io->out. -1000 and less the peer broke a rule of the
 * protocol: see EMBWS_RULE. The connection has failed for good, the same status comes again from every further call
 * that receives, and nothing is delivered behind the violation. What was found before it is delivered with it.
 * embws_*_failure tells more.
 *
 * A defect inside of the library is EMBWS_ERR_INTERNAL: it ends that one handle, which still has to be freed, and
 * nothing else.
 *
 *
 * STRUCTS THAT GROW
 *
 * Their first member is struct_size, which you set to sizeof: EMBWS_INIT(&x) does that and sets all else to 0. A later
 * version may append members; a program that was compiled before goes on working. Bytes called `reserved` are 0.
 *
 *
 * THREADS
 *
 * A handle has one user at a time; it may pass from thread to thread. Different handles are independent and run in
 * parallel. There is no callback but embws_options.random, which is called on the thread of the call that needed it.
 *
 *
 * THE HOST
 *
 * The library is written in Go, and the Go runtime lives in it. What that means for the program around it:
 *
 *   - The runtime starts when the library is loaded (or, linked statically, when the program starts), and stays
 *     until the process ends. dlclose does not unload it. It has a few threads of its own.
 *   - After fork() the child has no runtime: every function that would enter it returns EMBWS_ERR_FORKED there, at once
 *     and safely, unless the child loaded the library itself. So fork first, and load late (dlopen in the child), or
 *     follow fork by exec. posix_spawn, and fork followed by exec, are fine.
 *   - A signal handler that is installed after the start must have SA_ONSTACK, for a signal may arrive while the thread
 *     is on a stack of the runtime. To handlers that are there already the runtime adds it. It takes SIGSEGV, SIGBUS,
 *     SIGFPE and SIGURG when it starts, and forwards the first three to the handlers that it finds there, for faults
 *     outside of its own code. All other signals, timers included, stay as they are.
 *   - It reserves about 1.5 GB of address space, of which it uses a few MB: an RLIMIT_AS below that ends the process.
 *     It collects its garbage by itself. GOGC and GOMEMLIMIT in the environment bound it; GOMAXPROCS bounds its
 * threads. What the handles of a peak needed for book-keeping, about 60 bytes each, is kept for the next peak.
 *   - musl cannot load the shared library (its loader has no room for the runtime's thread-local storage); link
 *     the static library there, as this project's CMake builds it: the archive of a bare `go build` crashes.
 *   - Each call that enters Go costs some 50 ns, and more while many threads do so at once: give a call as much input
 *     as there is.
 *   - On Linux, a thread that calls often, a thousand times a second or more, waits some 15 us in a call about every
 *     sixth millisecond, while the runtime's scheduler runs: that keeps its monitor from doing much more.
 *   - A program that has another Go library loaded works, each with a runtime of its own.
 *
 *
 * VERSIONS
 *
 * embws_abi_version() differs from EMBWS_ABI_VERSION when the library is not the one for this header. The shared
 * library's name has the same number (libembws.so.0). Within a number, functions and members are only ever added.
 *
 *
 * RULES
 *
 * "Rule N" is a number in RULES.md of the project, which lists what RFC 6455, RFC 7692, RFC 9110 and RFC 9112 demand.
 */

#ifndef EMBWS_H
#define EMBWS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32) && !defined(EMBWS_STATIC)
#define EMBWS_API __declspec(dllimport)
#elif defined(__GNUC__)
#define EMBWS_API __attribute__((visibility("default")))
#else
#define EMBWS_API
#endif

/* ---- Version ------------------------------------------------------------------------------------------------ */

#define EMBWS_VERSION_MAJOR  0
#define EMBWS_VERSION_MINOR  1
#define EMBWS_VERSION_PATCH  0
#define EMBWS_VERSION_NUMBER 100 /* major * 10000 + minor * 100 + patch */
#define EMBWS_VERSION_STRING "0.1.0"
#define EMBWS_ABI_VERSION    0

/* The version of the library that runs, as EMBWS_VERSION_NUMBER has it. */
EMBWS_API uint32_t embws_version_number(void);

/* The same as text, such as "0.1.0". The memory is the library's, for ever. */
EMBWS_API const char *embws_version_string(void);

/* The number of the binary interface of the library that runs: EMBWS_ABI_VERSION, or do not go on. */
EMBWS_API uint32_t embws_abi_version(void);

/* What the library that runs can do, as a set of EMBWS_FEATURE_* bits. */
EMBWS_API uint64_t embws_features(void);

#define EMBWS_FEATURE_DEFLATE 1u /* permessage-deflate (RFC 7692): not in this version */
#define EMBWS_FEATURE_TEST    2u /* a build for the project's own tests, which breaks things on purpose */

/* ---- Status ------------------------------------------------------------------------------------------------- */

/* The call was done. */
#define EMBWS_OK 0

/* Do this next. */
#define EMBWS_MORE              1 /* not all fitted: send what was written, then call again for the rest */
#define EMBWS_UPGRADE_REQUESTED 2 /* a server's handshake: look at the head, then accept or respond */
#define EMBWS_PLAIN_REQUEST     3 /* a server's handshake: a GET without an upgrade (rule 20); respond */
#define EMBWS_OPENED            4 /* a handshake: done; what follows is the codec's */
#define EMBWS_BATCH             5 /* embws_session_receive_batch: take the messages from batch->list */
#define EMBWS_WRITTEN           6 /* embws_session_send_frame: send what is in io->out, and go on */

/* The call is wrong. embws_error_detail names the argument. */
#define EMBWS_ERR_HANDLE      (-1) /* the handle is NULL, freed, of another type, or garbage */
#define EMBWS_ERR_NULL        (-2) /* a pointer is NULL that must not be */
#define EMBWS_ERR_LENGTH      (-3) /* a length that no object can have: above PTRDIFF_MAX */
#define EMBWS_ERR_STRUCT_SIZE (-4) /* struct_size is not that of a known version: see EMBWS_INIT */
#define EMBWS_ERR_VALUE       (-5) /* a number that has no meaning there: a role, an opcode, a flag */
#define EMBWS_ERR_INTERNAL    (-6) /* a defect inside of the library; the handle is dead: free it, and report this */
#define EMBWS_ERR_FORKED      (-7) /* the library was loaded before fork() and this is the child: see THE HOST */

/* It cannot be done. Nothing was written and no state was changed. */
#define EMBWS_ERR_NO_ROOM              (-20) /* a destination is empty, too small or full */
#define EMBWS_ERR_OPCODE_SEND          (-21) /* this opcode cannot be sent so (rule 101) */
#define EMBWS_ERR_MESSAGE_OPEN         (-22) /* a message of another kind is open: finish it (rule 58) */
#define EMBWS_ERR_NO_MESSAGE           (-23) /* a continuation without an open message (rule 57) */
#define EMBWS_ERR_FRAME_OPEN           (-24) /* payload of the last header is still owed (rule 99) */
#define EMBWS_ERR_CONTROL_SIZE         (-25) /* a control frame has at most 125 bytes, and fin (rule 100) */
#define EMBWS_ERR_CODE_SEND            (-26) /* a close code that must not be sent (rule 82) */
#define EMBWS_ERR_REASON_SEND          (-27) /* a reason is at most 123 bytes of UTF-8, and needs a code (rule 77) */
#define EMBWS_ERR_TEXT_SEND            (-28) /* the text to send is not UTF-8 (rule 94) */
#define EMBWS_ERR_CLOSE_SENT           (-29) /* a Close was sent (rule 71) */
#define EMBWS_ERR_CLOSE_SEEN           (-30) /* the peer's Close was received (rule 71) */
#define EMBWS_ERR_FAILED               (-31) /* the connection has failed; see the failure (rule 56) */
#define EMBWS_ERR_RANDOM               (-32) /* the random source failed; no weak key was used (rule 95) */
#define EMBWS_ERR_SENT_TOO_MUCH        (-33) /* more was reported as sent than is owed (rule 99) */
#define EMBWS_ERR_STATE                (-34) /* not now: the handshake or connection is in another state (rule 38) */
#define EMBWS_ERR_NOT_OPEN             (-35) /* not yet: the handshake is not finished (rule 38) */
#define EMBWS_ERR_PLAIN_REQUEST        (-36) /* the request asks for no upgrade: respond (rule 20) */
#define EMBWS_ERR_FIELD                (-37) /* a header field to send is malformed or the handshake's own (rule 22) */
#define EMBWS_ERR_STATUS_SEND          (-38) /* this HTTP status cannot answer here (rule 20) */
#define EMBWS_ERR_SUBPROTOCOL_SEND     (-39) /* the subprotocol was not offered (rule 18) */
#define EMBWS_ERR_EXTENSION_SEND       (-40) /* the extensions were not offered, or are malformed (rule 36) */
#define EMBWS_ERR_REQUEST              (-41) /* there is no request to send (rule 28) */
#define EMBWS_ERR_REQUEST_HOST         (-42) /* the request's host is malformed (rule 28) */
#define EMBWS_ERR_REQUEST_TARGET       (-43) /* the request's target is malformed (rule 28) */
#define EMBWS_ERR_REQUEST_ORIGIN       (-44) /* the request's origin is malformed or doubled (rule 28) */
#define EMBWS_ERR_REQUEST_SUBPROTOCOLS (-45) /* its subprotocols are malformed, doubled or too many (rule 28) */
#define EMBWS_ERR_REQUEST_EXTENSIONS   (-46) /* the request's extensions are malformed (rule 28) */
#define EMBWS_ERR_KEEP_NAME            (-47) /* a name to keep is empty or longer than 64 bytes (rule 13) */

/*
 * The peer broke a rule. The number is -1000 - 10 * rule - a digit that tells apart what one rule covers.
 */
#define EMBWS_IS_VIOLATION(status) ((status) <= -1000)
#define EMBWS_RULE(status)         ((-1000 - (status)) / 10)

/* In an upgrade request (RFC 6455 4.2.1; RFC 9112). */
#define EMBWS_ERR_METHOD           (-1010) /* not GET; 405 */
#define EMBWS_ERR_HTTP_VERSION     (-1020) /* not HTTP/1.1; 505 */
#define EMBWS_ERR_TARGET           (-1030) /* a malformed request-target; 400 */
#define EMBWS_ERR_HOST             (-1040) /* Host is missing, doubled or malformed; 400 */
#define EMBWS_ERR_UPGRADE          (-1050) /* Upgrade lacks websocket; 400 */
#define EMBWS_ERR_CONNECTION       (-1060) /* Connection lacks Upgrade; 400 */
#define EMBWS_ERR_KEY_COUNT        (-1070) /* Sec-WebSocket-Key is missing or doubled; 400 */
#define EMBWS_ERR_KEY              (-1080) /* Sec-WebSocket-Key is not the base64 of 16 bytes; 400 */
#define EMBWS_ERR_VERSION_MISSING  (-1090) /* Sec-WebSocket-Version is missing or doubled; 400 */
#define EMBWS_ERR_VERSION          (-1100) /* Sec-WebSocket-Version is not 13; 426 */
#define EMBWS_ERR_HEAD_SYNTAX      (-1120) /* a malformed HTTP head (RFC 9112 2.2, 5); 400 */
#define EMBWS_ERR_HEAD_TOO_LARGE   (-1130) /* longer than max_head; 431 */
#define EMBWS_ERR_TOO_MANY_FIELDS  (-1131) /* more fields than max_fields; 431 */
#define EMBWS_ERR_STORE_FULL       (-1132) /* more to keep than `store` bytes; 431 */
#define EMBWS_ERR_BODY             (-1160) /* a request with a body cannot be upgraded; 400 */
#define EMBWS_ERR_SUBPROTOCOLS     (-1170) /* Sec-WebSocket-Protocol is malformed, doubled or too long a list; 400 */
#define EMBWS_ERR_EXTENSION_SYNTAX (-2040) /* Sec-WebSocket-Extensions breaks its grammar; 400, close code 1010 */

/* In the answer to it (RFC 6455 4.1). */
#define EMBWS_ERR_STATUS              (-1290) /* the server refused: its status is not 101; see the head */
#define EMBWS_ERR_TOO_MANY_INTERIM    (-1300) /* more interim (1xx) responses than max_fields */
#define EMBWS_ERR_RESPONSE_VERSION    (-1310) /* not HTTP/1.1, or a malformed status line */
#define EMBWS_ERR_RESPONSE_UPGRADE    (-1320) /* Upgrade: websocket or Connection: Upgrade is missing */
#define EMBWS_ERR_ACCEPT_COUNT        (-1330) /* Sec-WebSocket-Accept is missing or doubled */
#define EMBWS_ERR_ACCEPT              (-1340) /* Sec-WebSocket-Accept does not answer the key */
#define EMBWS_ERR_SUBPROTOCOL_ANSWER  (-1350) /* a subprotocol that was not offered, or more than one */
#define EMBWS_ERR_EXTENSION_ANSWER    (-1360) /* an extension or parameter that was not offered; close code 1010 */
#define EMBWS_ERR_HANDSHAKE_CUT_SHORT (-1380) /* the transport ended within the handshake */

/* In frames and messages (RFC 6455 5 to 8). */
#define EMBWS_ERR_RESERVED_BITS          (-1390) /* RSV2 or RSV3 is set; 1002 */
#define EMBWS_ERR_RESERVED_BIT_1         (-1400) /* RSV1 is set and no compression was negotiated; 1002 */
#define EMBWS_ERR_OPCODE                 (-1410) /* a reserved opcode; 1002 */
#define EMBWS_ERR_UNMASKED               (-1420) /* a client must mask; 1002 */
#define EMBWS_ERR_MASKED                 (-1430) /* a server must not mask; 1002 */
#define EMBWS_ERR_LENGTH_16              (-1450) /* a length below 126 in the 16-bit form; 1002 */
#define EMBWS_ERR_LENGTH_64              (-1460) /* a length below 65536 in the 64-bit form; 1002 */
#define EMBWS_ERR_LENGTH_TOP_BIT         (-1470) /* the top bit of a 64-bit length is set; 1002 */
#define EMBWS_ERR_MESSAGE_MEMORY         (-1480) /* the message does not fit the memory of embws_session_next; 1009 */
#define EMBWS_ERR_FRAME_TOO_BIG          (-1490) /* the frame is longer than max_frame; 1009 */
#define EMBWS_ERR_CONTINUATION           (-1570) /* a continuation frame without a message; 1002 */
#define EMBWS_ERR_INTERLEAVED            (-1580) /* a new message inside an unfinished one; 1002 */
#define EMBWS_ERR_CONTROL_FRAGMENTED     (-1610) /* a fragmented control frame; 1002 */
#define EMBWS_ERR_CONTROL_TOO_LONG       (-1620) /* a control frame of more than 125 bytes; 1002 */
#define EMBWS_ERR_MESSAGE_TOO_BIG        (-1650) /* the message is longer than max_message; 1009 */
#define EMBWS_ERR_CLOSE_LENGTH           (-1730) /* a Close body of one byte; 1002 */
#define EMBWS_ERR_CLOSE_CODE             (-1740) /* a close code that must not be on the wire; 1002 */
#define EMBWS_ERR_CLOSE_REASON           (-1760) /* the close reason is not UTF-8; 1007 */
#define EMBWS_ERR_NO_CLOSE               (-1840) /* the transport ended without a Close (1006) */
#define EMBWS_ERR_UTF8                   (-1890) /* a text message is not UTF-8; 1007 */
#define EMBWS_ERR_UTF8_INCOMPLETE        (-1910) /* a text message ends inside a code point; 1007 */
#define EMBWS_ERR_RESERVED_BIT_1_MIDDLE  (-2110) /* RSV1 on a continuation frame; 1002 */
#define EMBWS_ERR_RESERVED_BIT_1_CONTROL (-2120) /* RSV1 on a control frame; 1002 */
#define EMBWS_ERR_INFLATE                (-2170) /* compressed payload is not DEFLATE; 1007 */
#define EMBWS_ERR_INFLATED_TOO_BIG       (-2180) /* inflated, the message is longer than max_message; 1009 */

/* The name of a status, such as "EMBWS_ERR_UNMASKED"; "EMBWS_ERR_UNKNOWN" for a number that is none. Never NULL; the
 * memory is the library's, for ever. */
EMBWS_API const char *embws_status_name(int32_t status);

/* A sentence about it, in English, that says what to do where there is something to do. Memory as above. */
EMBWS_API const char *embws_status_message(int32_t status);

/* What exactly was wrong with the last call on this thread that failed: the function, the argument and the limit, such
 * as "embws_codec_decode: io->in is NULL, but io->in_length is not 0". "" before the first. It stays until the next
 * call of this function on the same thread. */
EMBWS_API const char *embws_error_detail(void);

/* ---- Words and numbers -------------------------------------------------------------------------------------- */

/* Roles: which end of the connection we are. */
#define EMBWS_SERVER 1u /* receives masked frames, sends unmasked ones */
#define EMBWS_CLIENT 2u /* the other way round */

/* Opcodes (RFC 6455 5.2), which are also the kinds of events and messages. */
#define EMBWS_CONTINUATION 0u
#define EMBWS_TEXT         1u
#define EMBWS_BINARY       2u
#define EMBWS_CLOSE        8u
#define EMBWS_PING         9u
#define EMBWS_PONG         10u
#define EMBWS_FIN          0x80u /* with an opcode: the first byte of a frame that ends its message */
#define EMBWS_HANDSHAKE    16u   /* a session's event: the peer's handshake head is complete. Never on the wire */

/* Close codes (RFC 6455 7.4.1 and the IANA registry). */
#define EMBWS_CLOSE_NORMAL              1000u
#define EMBWS_CLOSE_GOING_AWAY          1001u
#define EMBWS_CLOSE_PROTOCOL_ERROR      1002u
#define EMBWS_CLOSE_UNSUPPORTED_DATA    1003u
#define EMBWS_CLOSE_NO_CODE             1005u /* never on the wire: a Close without a code (rule 72) */
#define EMBWS_CLOSE_ABNORMAL            1006u /* never on the wire: no Close came (rule 84) */
#define EMBWS_CLOSE_INVALID_PAYLOAD     1007u
#define EMBWS_CLOSE_POLICY_VIOLATION    1008u
#define EMBWS_CLOSE_MESSAGE_TOO_BIG     1009u
#define EMBWS_CLOSE_MANDATORY_EXTENSION 1010u
#define EMBWS_CLOSE_INTERNAL_ERROR      1011u
#define EMBWS_CLOSE_SERVICE_RESTART     1012u
#define EMBWS_CLOSE_TRY_AGAIN_LATER     1013u
#define EMBWS_CLOSE_BAD_GATEWAY         1014u
#define EMBWS_CLOSE_TLS_HANDSHAKE       1015u /* never on the wire */

/* Sizes in bytes (RFC 6455 5.2, 5.5). */
#define EMBWS_MAX_HEADER_SIZE        14u   /* of a frame header */
#define EMBWS_MAX_CONTROL_PAYLOAD    125u  /* of a control frame */
#define EMBWS_MAX_CLOSE_REASON       123u  /* of a close reason, in UTF-8 */
#define EMBWS_MAX_CONTROL_FRAME_SIZE 131u  /* of a control frame with its header */
#define EMBWS_HANDSHAKE_STORE        1024u /* what a handshake keeps of a head, unless its options say otherwise */

/* As a limit: none. */
#define EMBWS_NO_LIMIT (-1)

/* Sets a struct that has a struct_size to its size, and all else in it to 0. */
#define EMBWS_INIT(s) (memset((s), 0, sizeof *(s)), (void)((s)->struct_size = (uint32_t)sizeof *(s)))

/* Text or bytes with a length; no NUL at its end is needed or counted. data is NULL where there is none. */
typedef struct embws_span {
    const char *data;
    size_t length;
} embws_span;

/* The span of a C string, without its NUL. NULL gives an empty one. */
EMBWS_API embws_span embws_span_of(const char *string);

/* Returns 1 if a span has exactly the bytes of a C string, else 0. */
EMBWS_API int32_t embws_span_equals(embws_span span, const char *string);

/* ---- Helpers that need no handle ---------------------------------------------------------------------------- */

/* The size of a frame's header, 2 to 14, that `role` sends with `length` bytes of payload: its shortest form (rule 97).
 * 0 if role is none. */
EMBWS_API size_t embws_header_size(uint32_t role, uint64_t length);

/* The size of the whole frame; UINT64_MAX for a length above INT64_MAX, which no frame has; 0 if role is none. */
EMBWS_API uint64_t embws_frame_size(uint32_t role, uint64_t length);

/* 1 if a Close frame may carry `code`: 1000-1003, 1007-1014, 3000-4999 (rules 74, 75, 82); else 0. */
EMBWS_API int32_t embws_close_code_on_wire(uint32_t code);

/* Masks or unmasks `length` bytes in place (RFC 6455 5.3); `phase` bytes of the payload came before them. Only code
 * that does without a codec needs it. Errors: EMBWS_ERR_NULL. */
EMBWS_API int32_t embws_mask(void *bytes, size_t length, const uint8_t key[4], uint64_t phase);

/* ---- Options ------------------------------------------------------------------------------------------------ */

/* Fills `memory` with `length` unpredictable bytes of a cryptographic source, and returns 0; anything else says that it
 * failed, and so does then the call that needed a key (EMBWS_ERR_RANDOM). It must return: no longjmp, no exception. */
typedef int32_t (*embws_random)(void *context, void *memory, size_t length);

/* How a codec or session behaves. It is copied: it need not outlive the call. NULL stands for all zeros, which is a
 * good default. */
typedef struct embws_options {
    uint32_t struct_size;
    uint32_t flags;      /* EMBWS_LONG_LENGTHS, EMBWS_CHECK_TEXT, EMBWS_MANUAL_PONG, EMBWS_MANUAL_CLOSE */
    int64_t max_frame;   /* bytes of payload in an incoming frame, inclusive (rule 49). 0: 16 MiB */
    int64_t max_message; /* bytes of payload in an incoming message, inclusive (rule 65). 0: 16 MiB */
    embws_random random; /* gives a client its masking keys and its nonce. NULL: the system's source */
    void *context;       /* handed to it; both are used as long as the handle lives */
} embws_options;

#define EMBWS_LONG_LENGTHS 1u /* accept lengths that are not in their shortest form (rules 45, 46) */
#define EMBWS_CHECK_TEXT   2u /* check that outgoing text is UTF-8, across fragments (rule 94) */
#define EMBWS_MANUAL_PONG  4u /* a session leaves it to you to answer a Ping */
#define EMBWS_MANUAL_CLOSE 8u /* a session leaves it to you to answer a Close */

/* What a handshake accepts and keeps. It is copied. NULL stands for all zeros. */
typedef struct embws_handshake_options {
    uint32_t struct_size;
    uint32_t flags;     /* EMBWS_KEEP_ALL: keep every header field */
    size_t store;       /* bytes for what is kept: per value its length and two more, and for those kept by name the
                         * name and one more. More to keep: 431. 0: EMBWS_HANDSHAKE_STORE. At most 16 MiB */
    int64_t max_head;   /* bytes of a head, inclusive (rule 13). 0: 16 KiB */
    int64_t max_fields; /* header fields of a head, and interim responses (rules 13, 30). 0: 100 */
    int64_t max_subprotocols; /* subprotocols of an offer (rule 17). 0: 64 */
    const embws_span *keep;   /* names of further header fields to keep, such as "Cookie", in any case */
    size_t keep_count;        /* at most 1,024 */
} embws_handshake_options;

#define EMBWS_KEEP_ALL 1u

/* ---- Input and output of a call ----------------------------------------------------------------------------- */

/* A piece of payload, or a control frame, that was found in the input (24 bytes). Data comes in pieces as it arrives;
 * a control frame comes whole. A continuation frame has the kind of its message (rule 59). */
typedef struct embws_event {
    uint64_t start;  /* where the payload lies: see embws_event_payload */
    uint64_t left;   /* bytes of this frame's payload that are still to come */
    uint32_t length; /* bytes of payload in this event */
    uint8_t kind;    /* EMBWS_TEXT, _BINARY, _PING, _PONG, _CLOSE; in a session also EMBWS_HANDSHAKE */
    uint8_t flags;   /* EMBWS_FRAME_START and so on */
    uint16_t code;   /* of a Close: its code, or EMBWS_CLOSE_NO_CODE; else 0 */
} embws_event;

#define EMBWS_FRAME_START   1u  /* the first piece of a frame */
#define EMBWS_FRAME_END     2u  /* the last piece of a frame */
#define EMBWS_MESSAGE_START 4u  /* the first piece of a message */
#define EMBWS_MESSAGE_END   8u  /* the last piece of a message */
#define EMBWS_IN_ROOM       16u /* the payload lies in io->room: it was inflated */
#define EMBWS_KEPT          32u /* the payload lies in io->control: the input had split this control frame */
#define EMBWS_FINAL         64u /* the frame ends its message (FIN), known from its first piece on */
#define EMBWS_WHOLE_MESSAGE 15u /* the first four: a whole message in one event */

/* What goes into a call and what comes out of it. It is yours, can be used for any number of calls and handles, and
 * holds nothing between them. A call reads the members marked `in` and writes those marked `out`: all of them, also
 * when it fails, for there can be bytes to send or events even so. Only the errors -1 to -19 write nothing. */
typedef struct embws_io {
    uint32_t struct_size;
    uint32_t capacity;       /* in: how many events there is room for */
    embws_event *events;     /* in: an array of that many. What stands behind the first `found` is undefined */
    void *in;                /* in: bytes that arrived. They are unmasked in place */
    size_t in_length;        /* in: how many */
    void *room;              /* in: room for inflated payload. Not used in this version: NULL */
    size_t room_length;      /* in: its size */
    void *out;               /* in: where a session writes what is to be sent */
    size_t out_capacity;     /* in: its size. With 0, what is to be sent waits inside, where there is room for it */
    size_t eaten;            /* out: how many bytes of `in` are done with. Give the others again, behind no others */
    size_t out_length;       /* out: how many bytes were written to `out`: send them, all, in this order */
    size_t taken;            /* out: how many bytes of payload embws_session_send took */
    uint32_t found;          /* out: how many events were found */
    uint32_t state;          /* out: EMBWS_STATE_* */
    uint32_t more;           /* out: 1 if more waits to be sent than `out` could take: send, then embws_session_flush */
    uint16_t peer_code;      /* out: the code of the peer's Close, EMBWS_CLOSE_NO_CODE if it had none; 0 before it */
    uint16_t sent_code;      /* out: likewise of our Close */
    uint32_t control_length; /* out: bytes in `control`; 0 if no event of this call is EMBWS_KEPT */
    uint8_t control[128];    /* out: the payload of the event that is EMBWS_KEPT */
} embws_io;

/* States of a connection, in the order in which it passes them. A codec begins at EMBWS_STATE_OPEN. */
#define EMBWS_STATE_HANDSHAKE 1u /* the peer's handshake head is awaited */
#define EMBWS_STATE_REQUEST   2u /* a server: accept or respond */
#define EMBWS_STATE_OPEN      3u /* messages go both ways */
#define EMBWS_STATE_CLOSING   4u /* one end has sent its Close */
#define EMBWS_STATE_CLOSED    5u /* both have, or an HTTP answer ended it: send what is due, then close the transport */
#define EMBWS_STATE_FAILED    6u /* a rule was broken: send what is due, stop writing, drain, close the transport (85) */

/* Where the payload of an event lies that the last call with `io` found: in io->in, io->room or io->control, as it was
 * given to that call. For a Close it is the body: two bytes of code, and the reason. It stays as long as those buffers
 * do. NULL if io or event is NULL, or if the event does not fit the buffers. */
EMBWS_API uint8_t *embws_event_payload(const embws_io *io, const embws_event *event);

/* What went wrong with the peer: which rule it broke, and where. */
typedef struct embws_failure {
    uint32_t struct_size;
    int32_t status;        /* the violation, or 0 if there was none */
    uint64_t offset;       /* bytes of the stream before the one that broke the rule: since the handshake's begin for a
                            * violation in it, and since its end for those in frames */
    uint16_t rule;         /* its number */
    uint16_t close_code;   /* what to close with: 1002, 1007, 1009; in a handshake 1010 over extensions, else 0 */
    uint16_t http_status;  /* with which a server refuses the request; else 0 */
    uint8_t header_length; /* bytes in header */
    uint8_t header[14];    /* the header of the frame that broke the rule, as far as it was received */
    uint8_t reserved[11];
} embws_failure;

/* Writes a line about a failure to dst, with its rule, section of the RFC, offset and header, cut to fit and ended by a
 * NUL if capacity is not 0. *length (may be NULL) is set to the length of the whole line without its NUL. Errors:
 * EMBWS_ERR_NULL, EMBWS_ERR_STRUCT_SIZE. */
EMBWS_API int32_t embws_failure_describe(const embws_failure *failure, char *dst, size_t capacity, size_t *length);

/* What there is to know about a codec or a session that no embws_io has told. */
typedef struct embws_info {
    uint32_t struct_size;
    uint32_t role;      /* EMBWS_SERVER or EMBWS_CLIENT */
    uint32_t state;     /* EMBWS_STATE_* */
    uint16_t peer_code; /* as in embws_io */
    uint16_t sent_code;
    uint64_t received; /* bytes of frames that were eaten */
    uint64_t owed;     /* bytes of payload that the last header is still owed */
} embws_info;

/* ---- Codec: an open connection, frame by frame -------------------------------------------------------------- */

typedef struct embws_codec embws_codec;

/* Makes a codec for an open connection: *codec is its handle, to be freed. A handle costs about 450 bytes. Errors:
 * EMBWS_ERR_NULL, _STRUCT_SIZE, _VALUE (role, flags), _FORKED. */
EMBWS_API int32_t embws_codec_new(embws_codec **codec, uint32_t role, const embws_options *options);

/* Makes it as new, for another connection. */
EMBWS_API int32_t embws_codec_reset(embws_codec *codec, uint32_t role, const embws_options *options);

/* Frees it. NULL is allowed, and nothing is done. */
EMBWS_API int32_t embws_codec_free(embws_codec *codec);

/* Takes the next bytes of the stream, io->in, unmasks them in place, and writes what it found to io->events.
 *
 * All of it is eaten (io->eaten), but for two cases, in which the rest is to be given again: the events are full; or
 * two control frames of one call were split by the input. After the peer's Close, bytes are eaten and dropped (rule
 * 80). Neither after it nor after a violation can answers to what came before be encoded any more: a session leaves
 * such a frame for the next call, for that reason.
 *
 * Errors: the violations "in frames and messages", sticky: the events found before come with it, io->eaten counts the
 * bytes before the one that broke the rule, and later calls eat nothing. EMBWS_ERR_NO_ROOM: io->capacity is 0.
 * EMBWS_ERR_NULL, _LENGTH, _STRUCT_SIZE. */
EMBWS_API int32_t embws_codec_decode(embws_codec *codec, embws_io *io);

/* Writes one frame to dst: its header in the shortest form (rule 97) and the payload, which a client masks on the way
 * with a fresh key (rules 95, 96). *written is its size: embws_frame_size.
 *
 * opcode is EMBWS_TEXT, _BINARY, _PING or _PONG. A message may go out in fragments: give its kind with each, and fin =
 * 1 with the last, 0 with the others (rule 101). EMBWS_CONTINUATION stands for the kind of the open message. Control
 * frames may go between fragments (rule 70).
 *
 * Errors: EMBWS_ERR_NO_ROOM, with *written the size that is needed; EMBWS_ERR_OPCODE_SEND, _CONTROL_SIZE,
 * _MESSAGE_OPEN, _NO_MESSAGE, _FRAME_OPEN, _CLOSE_SENT, _CLOSE_SEEN, _FAILED, _TEXT_SEND, _RANDOM; EMBWS_ERR_NULL,
 * _LENGTH, _VALUE. */
EMBWS_API int32_t embws_codec_encode(embws_codec *codec, uint32_t opcode, uint32_t fin, const void *payload,
                                     size_t length, void *dst, size_t capacity, size_t *written);

/* A frame to send. */
typedef struct embws_frame {
    const void *payload;
    size_t length;
    uint32_t opcode; /* as for embws_codec_encode */
    uint32_t fin;
} embws_frame;

/* Writes `count` frames to dst, one behind the other, as embws_codec_encode does: *encoded frames were written in
 * *written bytes. EMBWS_MORE: the rest found no room; send, and call again with frames + *encoded. When the first finds
 * none it is EMBWS_ERR_NO_ROOM, with *written the size needed and *encoded 0. A frame that cannot be sent gives its
 * error with *encoded and *written telling of those before it, which were written and are to be sent. */
EMBWS_API int32_t embws_codec_encode_batch(embws_codec *codec, const embws_frame *frames, size_t count, void *dst,
                                           size_t capacity, size_t *encoded, size_t *written);

/* Writes only the header of a data frame whose payload has `length` bytes: *written is 2 to 14. The payload is then
 * owed. A server sends it from where it lies, by writev, and says so by embws_codec_sent; a client, which must mask,
 * passes it through embws_codec_encode_payload. Until then no other frame can be encoded. Errors: those of
 * embws_codec_encode; EMBWS_ERR_LENGTH_TOP_BIT for a length above INT64_MAX, which here is no violation of the peer. */
EMBWS_API int32_t embws_codec_encode_header(embws_codec *codec, uint32_t opcode, uint32_t fin, uint64_t length,
                                            void *dst, size_t capacity, size_t *written);

/* Writes as much of the owed payload as dst has room for and src has bytes: *written bytes, masked by a client. dst and
 * src may be the same memory. Errors: EMBWS_ERR_TEXT_SEND, after which the frame cannot be finished: close the
 * transport. */
EMBWS_API int32_t embws_codec_encode_payload(embws_codec *codec, const void *src, size_t length, void *dst,
                                             size_t capacity, size_t *written);

/* Says that a server has sent `length` bytes of the owed payload itself. Errors: EMBWS_ERR_SENT_TOO_MUCH, also for a
 * client.
 */
EMBWS_API int32_t embws_codec_sent(embws_codec *codec, uint64_t length);

/* Writes what RFC 6455 wants in answer to the events of the last embws_codec_decode with `io`, from io->events[*next]
 * on: a Pong for a Ping (rule 66), a Close for a Close (rule 79), nothing for others. *next is advanced, at last to
 * io->found. EMBWS_MORE: dst is full; send *written bytes, and call again. Errors: EMBWS_ERR_NO_ROOM, with *written the
 * size needed, at most EMBWS_MAX_CONTROL_FRAME_SIZE; EMBWS_ERR_FRAME_OPEN, EMBWS_ERR_RANDOM; EMBWS_ERR_VALUE if an
 * event does not lie in the buffers of io. After the last two *next and *written tell of the answers before, which are
 * to be sent. */
EMBWS_API int32_t embws_codec_reply(embws_codec *codec, const embws_io *io, uint32_t *next, void *dst, size_t capacity,
                                    size_t *written);

/* Writes a Close with a code and a reason of up to 123 bytes, or an empty one for code 0: *written is its size, at most
 * EMBWS_MAX_CONTROL_FRAME_SIZE. Then nothing more is sent but Pongs; receiving goes on until the peer's Close (rules
 * 71, 81). Errors: EMBWS_ERR_CODE_SEND, _REASON_SEND, _CLOSE_SENT, _FRAME_OPEN, _RANDOM; _NO_ROOM with *written the
 * size. */
EMBWS_API int32_t embws_codec_close(embws_codec *codec, uint32_t code, const void *reason, size_t reason_length,
                                    void *dst, size_t capacity, size_t *written);

/* Says that the transport has ended. EMBWS_OK if the peer's Close came before; the violation if there was one; else
 * EMBWS_ERR_NO_CLOSE (rule 84). */
EMBWS_API int32_t embws_codec_end(embws_codec *codec);

/* Tells which rule the peer broke, and where; failure->status is 0 if none. */
EMBWS_API int32_t embws_codec_failure(embws_codec *codec, embws_failure *failure);

/* Writes the reason of the peer's Close, at most 123 bytes, and its code, EMBWS_CLOSE_NO_CODE if there was none (rule
 * 72). Errors: EMBWS_ERR_STATE before the peer's Close; EMBWS_ERR_NO_ROOM, with *length the size needed. */
EMBWS_API int32_t embws_codec_peer_close(embws_codec *codec, uint16_t *code, void *reason, size_t capacity,
                                         size_t *length);

/* Tells where the codec stands. */
EMBWS_API int32_t embws_codec_info(embws_codec *codec, embws_info *info);

/* ---- What handshakes are made of ---------------------------------------------------------------------------- */

/* A header field. To send, its name is a token, and its value has no control bytes but tabs (RFC 9110 5). */
typedef struct embws_field {
    embws_span name;
    embws_span value;
} embws_field;

/* A parameter of an extension; value.data is NULL if it has none. */
typedef struct embws_parameter {
    embws_span name;
    embws_span value;
} embws_parameter;

/* An extension that was offered, or is used (RFC 6455 9.1). */
typedef struct embws_extension {
    embws_span name;
    const embws_parameter *parameters;
    size_t parameter_count;
} embws_extension;

/* What a received head says: an upgrade request at a server, the answer at a client. All in it lies in the memory given
 * to the call that filled it. A span whose data is NULL stands for what is not there. */
typedef struct embws_head {
    uint32_t struct_size;
    uint32_t status;  /* client: such as 101 or 403 */
    uint32_t upgrade; /* server: 1: an upgrade is requested; 0: a plain GET, to be answered by a response (rule 20) */
    uint32_t reserved;
    embws_span target;              /* server: as it came, such as "/chat?room=1" */
    embws_span path;                /* server: of the target; percent-encoding is left alone */
    embws_span query;               /* server: what follows the question mark */
    embws_span host;                /* server: the host, and the port if there is one, that was asked for */
    embws_span origin;              /* server: who asks (RFC 6455 10.2); whether it is welcome is yours to decide */
    embws_span subprotocol;         /* client: the one that the server selected */
    const embws_span *subprotocols; /* server: those offered, in the client's order of preference */
    size_t subprotocol_count;
    const embws_extension *extensions; /* server: those offered, in order of preference; client: those in use */
    size_t extension_count;
    const embws_field *fields; /* the kept fields, and Host, Origin, Sec-WebSocket-Protocol and -Extensions, in the
                                  order of the head */
    size_t field_count;
} embws_head;

/* Returns the value of the first kept field of that name, in any case; data is NULL if there is none. */
EMBWS_API embws_span embws_head_field(const embws_head *head, const char *name);

/* How an upgrade is accepted. NULL in its place means: no subprotocol, nothing further. */
typedef struct embws_acceptance {
    uint32_t struct_size;
    uint32_t reserved;
    embws_span subprotocol;    /* one of those offered, or empty (rule 18) */
    embws_span extensions;     /* the value of Sec-WebSocket-Extensions to answer, or empty (rule 36) */
    const embws_field *fields; /* further fields, but none of the handshake's own: Host, Upgrade, Connection,
                                * Content-Length, Transfer-Encoding, Sec-WebSocket-* */
    size_t field_count;
} embws_acceptance;

/* An HTTP answer other than 101. */
typedef struct embws_response {
    uint32_t struct_size;
    uint32_t status;           /* 200 to 599 to a plain request, 300 to 599 to an upgrade request and after a failure */
    const embws_field *fields; /* further fields, as in embws_acceptance */
    size_t field_count;
    const void *body; /* none with 204, 205, 304 */
    size_t body_length;
    uint32_t close; /* 1: the connection ends with it. After an upgrade request or a failure it always does */
    uint32_t reserved;
} embws_response;

/* An upgrade request to send. */
typedef struct embws_request {
    uint32_t struct_size;
    uint32_t reserved;
    embws_span host;                /* such as "example.com:8080" or "[::1]:8080" (RFC 6455 4.1) */
    embws_span target;              /* such as "/chat?room=1", percent-encoded, without a fragment */
    embws_span origin;              /* or empty (rule 27) */
    embws_span extensions;          /* the value of Sec-WebSocket-Extensions to offer, or empty */
    const embws_span *subprotocols; /* different tokens, in order of preference */
    size_t subprotocol_count;
    const embws_field *fields; /* further fields, as in embws_acceptance, such as Cookie or Authorization */
    size_t field_count;
} embws_request;

/* ---- Session: a whole connection without its transport ------------------------------------------------------ */

/*
 * After every call that takes an embws_io, also one that fails with anything but -1 to -19: send the io->out_length
 * bytes in io->out, in order. While io->more is 1, call embws_session_flush and send again. A client begins with
 * embws_session_flush. When io->state is EMBWS_STATE_CLOSED and nothing is left to send, close the transport.
 */

typedef struct embws_session embws_session;

/* Makes a server's session that awaits a client's upgrade request. Errors: EMBWS_ERR_NULL, _STRUCT_SIZE, _LENGTH,
 * _VALUE, _FORKED; EMBWS_ERR_KEEP_NAME. A handle costs about 900 bytes, and 600 and `store` more until it is open. */
EMBWS_API int32_t embws_session_serve(embws_session **session, const embws_options *options,
                                      const embws_handshake_options *limits);

/* Makes a client's session that sends an upgrade request: embws_session_flush gives its bytes. The request is copied.
 * Errors: as above, and EMBWS_ERR_REQUEST_*, EMBWS_ERR_FIELD, EMBWS_ERR_RANDOM. */
EMBWS_API int32_t embws_session_connect(embws_session **session, const embws_request *request,
                                        const embws_options *options, const embws_handshake_options *limits);

/* Makes a session for a connection that is open already, because the handshake was done elsewhere. */
EMBWS_API int32_t embws_session_open(embws_session **session, uint32_t role, const embws_options *options);

/* Frees it. NULL is allowed, and nothing is done. */
EMBWS_API int32_t embws_session_free(embws_session *session);

/* Takes bytes that have arrived, io->in, as embws_codec_decode does, and writes what they hold to io->events. Pings are
 * answered, a Close is echoed, and a violation queues the Close that tells it, unless the options say otherwise.
 *
 * Not eaten are also: bytes behind a handshake head; and, if events came before it, a Close or a frame that breaks a
 * rule, so that those events can be answered first. Give them again.
 *
 * The end of the handshake's head is an event of the kind EMBWS_HANDSHAKE. A server then looks at embws_session_head,
 * and calls embws_session_accept or embws_session_respond (io->state is EMBWS_STATE_REQUEST); a client is open.
 *
 * Errors: a violation, sticky, in the handshake or in frames; a client that was refused gets EMBWS_ERR_STATUS, and the
 * bytes not eaten begin the refusal's body. A server has
 * answered a request that breaks a rule by itself: 400, 405, 426, 431 or 505 is in io->out. EMBWS_ERR_STATE while
 * accept or respond is awaited; EMBWS_ERR_NO_ROOM if io->capacity is 0. While Pongs find no room, one waits, the newest
 * (rule 68). */
EMBWS_API int32_t embws_session_receive(embws_session *session, embws_io *io);

/* A whole message, or a control frame. */
typedef struct embws_message {
    uint8_t
        *payload; /* in io->in, in the memory given, or in io->control; until that is changed. NULL if it is empty */
    size_t length;
    uint32_t kind; /* EMBWS_TEXT, _BINARY, _PING, _PONG, _CLOSE, _HANDSHAKE; 0 if there is none yet */
    uint32_t code; /* of a Close */
} embws_message;

/* The same for whole messages, one a call: it stops behind the first message or control frame, and io->eaten tells
 * where. A message that lies whole in io->in stays there; others are put together in `memory`, which must be the same,
 * and unchanged, in each call until the message is whole. A message of more than memory_length bytes fails the
 * connection with 1009 (EMBWS_ERR_MESSAGE_MEMORY, rule 48). message->kind 0: all was eaten, and more is needed.
 * io->events and io->capacity are not used. Errors: as above; EMBWS_ERR_NO_ROOM if `memory` has shrunk within a
 * message, which is lost then. After an error message->kind is 0. Do not mix it with embws_session_receive in a
 * message. */
EMBWS_API int32_t embws_session_next(embws_session *session, embws_io *io, void *memory, size_t memory_length,
                                     embws_message *message);

/* Writes the 101 that accepts the upgrade to io->out. acceptance may be NULL; it is copied. What finds no room is given
 * by embws_session_flush; the connection is open (io->state) when all was written. Errors: EMBWS_ERR_STATE,
 * _PLAIN_REQUEST, _SUBPROTOCOL_SEND, _EXTENSION_SEND, _FIELD; _NULL, _LENGTH, _STRUCT_SIZE. */
EMBWS_API int32_t embws_session_accept(embws_session *session, embws_io *io, const embws_acceptance *acceptance);

/* Writes an HTTP answer other than 101: a refusal, which ends the connection, or what a plain request has asked for,
 * after which the next request is awaited unless either end wants to close. It is copied, and goes on as above. Errors:
 * EMBWS_ERR_STATE, _STATUS_SEND, _FIELD; _NULL, _LENGTH, _STRUCT_SIZE. */
EMBWS_API int32_t embws_session_respond(embws_session *session, embws_io *io, const embws_response *response);

/* Fills head with what the peer's head says, in `memory`, which needs no alignment. *needed (may be NULL) is set to the
 * bytes that suffice, also when it fails for want of room. Texts in it are followed by a NUL. (A head takes less than
 * twice its size, but a hostile list of extension parameters up to twenty times the `store`.) A server can ask from
 * EMBWS_STATE_REQUEST until it has answered; a client from the event EMBWS_HANDSHAKE, or from EMBWS_ERR_STATUS, until
 * the next call that receives frames. Errors: EMBWS_ERR_STATE; EMBWS_ERR_NO_ROOM, with *needed. */
EMBWS_API int32_t embws_session_head(embws_session *session, embws_head *head, void *memory, size_t capacity,
                                     size_t *needed);

/* Queues a message, or the next part of one: fin = 1 says that it ends here. opcode is EMBWS_TEXT or EMBWS_BINARY, the
 * same for each part, or EMBWS_CONTINUATION for the open message. io->taken bytes went to io->out, in as many frames as
 * that needed. EMBWS_MORE: send what is in io->out, then call again with payload + io->taken and length - io->taken,
 * even if that is 0, and the same opcode and fin. Until that is done the message cannot be dropped: a call with another
 * length, opcode or fin is EMBWS_ERR_FRAME_OPEN, as is a Ping or Close in the middle of a frame. With an io->out of
 * embws_frame_size bytes it is one frame and done. Text is not checked unless EMBWS_CHECK_TEXT is set. Errors: those of
 * embws_codec_encode, but with parts that were found right taken; EMBWS_ERR_NOT_OPEN. */
EMBWS_API int32_t embws_session_send(embws_session *session, embws_io *io, uint32_t opcode, uint32_t fin,
                                     const void *payload, size_t length);

/* Queues only the header of a frame with `length` bytes of payload, which is then owed, as in
 * embws_codec_encode_header: a server sends it from where it lies, and says so by embws_session_sent; either role can
 * pass it through embws_session_send. What of the header does not fit io->out comes by embws_session_flush, before the
 * payload; EMBWS_ERR_NO_ROOM if something waits already: send first. Errors: those of embws_codec_encode_header. */
EMBWS_API int32_t embws_session_send_header(embws_session *session, embws_io *io, uint32_t opcode, uint32_t fin,
                                            uint64_t length);

/* Says that a server has sent `length` bytes of the owed payload itself. EMBWS_ERR_SENT_TOO_MUCH: fewer are owed. */
EMBWS_API int32_t embws_session_sent(embws_session *session, embws_io *io, uint64_t length);

/* Queues a Ping or a Pong of up to 125 bytes. Pings of the peer are answered without it. Errors: EMBWS_ERR_NO_ROOM if
 * one waits inside already: send, and repeat; EMBWS_ERR_CONTROL_SIZE, _NOT_OPEN, _STATE, _CLOSE_SENT, _CLOSE_SEEN,
 * _FAILED, _FRAME_OPEN, _RANDOM. */
EMBWS_API int32_t embws_session_ping(embws_session *session, embws_io *io, const void *payload, size_t length);
EMBWS_API int32_t embws_session_pong(embws_session *session, embws_io *io, const void *payload, size_t length);

/* Queues a Close with a code and a reason, or an empty one for code 0; after the peer's Close it is the answer. A
 * reason of more than 123 bytes is cut at the end of a code point (rule 83). Then nothing more is sent, but messages
 * still come until the peer's Close (rule 81). Errors: EMBWS_ERR_CODE_SEND, _REASON_SEND, _CLOSE_SENT, _FRAME_OPEN,
 * _FAILED (the Close is queued already), _NOT_OPEN, _STATE; _NO_ROOM: send first. */
EMBWS_API int32_t embws_session_close(embws_session *session, embws_io *io, uint32_t code, const void *reason,
                                      size_t reason_length);

/* Writes what waits to be sent to io->out, as much as it has room for: io->out_length, and io->more if that was not
 * all. io->eaten is 0 then: look at that of the call before first. EMBWS_ERR_RANDOM: an answer waits for
 * options.random. */
EMBWS_API int32_t embws_session_flush(embws_session *session, embws_io *io);

/* Says that the transport has ended. EMBWS_OK if the connection was closed as RFC 6455 7.1.4 has it, or by an HTTP
 * answer; else why not: the violation, EMBWS_ERR_HANDSHAKE_CUT_SHORT, EMBWS_ERR_NO_CLOSE (rule 84). */
EMBWS_API int32_t embws_session_end(embws_session *session);

/* As for a codec. */
EMBWS_API int32_t embws_session_failure(embws_session *session, embws_failure *failure);
EMBWS_API int32_t embws_session_peer_close(embws_session *session, uint16_t *code, void *reason, size_t capacity,
                                           size_t *length);
EMBWS_API int32_t embws_session_info(embws_session *session, embws_info *info);

/* ---- Session: for interpreters ------------------------------------------------------------------------------- */

/*
 * Where a language is interpreted, each argument and each result that is looked at takes longer than decoding a frame.
 * These two do the same as embws_session_receive and embws_session_send with few arguments. What is usual they tell by
 * their status alone, and nothing else need be looked at.
 */

/* What embws_session_receive_batch works with. The buffers are yours, and must not overlap. */
typedef struct embws_batch {
    uint32_t struct_size;
    uint32_t longest;     /* in: bytes of the longest message to be written to the list; 0: any. A long one is better
                           * taken from where it lies in batch->in, for the list is a copy */
    embws_io *io;         /* in: for all results but the usual one */
    void *in;             /* in: where the input is unmasked */
    size_t in_capacity;   /* in: its size */
    void *list;           /* in: where the messages are written */
    size_t list_capacity; /* in: its size. Each message takes its length and 5 bytes, and the list 5 bytes */
} embws_batch;

/* Takes `length` bytes that have arrived: those at `data`, which are copied to batch->in and so not changed, or those
 * in batch->in if data is NULL. The rest is embws_session_receive with batch->io, whose `in` and `in_length` are set.
 *
 * EMBWS_BATCH: the connection is open, all was eaten, nothing is to be sent, and what was found is whole messages. They
 * are in batch->list, in order, as a list in the format of Python's `marshal` (all versions since 0 read it): a '[',
 * their number in four bytes, the low one first; then for each an 's' for binary data or a 'u' for text, its length in
 * four bytes, and its bytes. marshal.loads() makes all the objects at once.
 *
 * Any other status is that of embws_session_receive, and *batch->io has all that it tells: also where the list has no
 * room for them. Errors: those of embws_session_receive, and EMBWS_ERR_LENGTH if length is more than
 * batch->in_capacity. */
EMBWS_API int32_t embws_session_receive_batch(embws_session *session, const embws_batch *batch, const void *data,
                                              uint32_t length);

/* Sends as embws_session_send does: `first` is the opcode, with EMBWS_FIN for fin = 1: the first byte of the frame (RFC
 * 6455 5.2). EMBWS_WRITTEN: the whole frame is in the io->out_length bytes of io->out, nothing else waits, and the
 * connection is open. Any other status is that of embws_session_send. */
EMBWS_API int32_t embws_session_send_frame(embws_session *session, embws_io *io, uint32_t first, const void *payload,
                                           uint32_t length);

/* ---- Handshakes for a codec --------------------------------------------------------------------------------- */

typedef struct embws_server_handshake embws_server_handshake;

/* Makes a server's handshake, which awaits a request. limits may be NULL. */
EMBWS_API int32_t embws_server_handshake_new(embws_server_handshake **handshake, const embws_handshake_options *limits);

/* Frees it. NULL is allowed. */
EMBWS_API int32_t embws_server_handshake_free(embws_server_handshake *handshake);

/* Takes the next bytes of the connection, in pieces of any size: *eaten of them, which is all but what follows the
 * head. That is the codec's after an upgrade, and the next request after a plain one.
 *
 * EMBWS_OK: more is needed. EMBWS_UPGRADE_REQUESTED: accept or respond. EMBWS_PLAIN_REQUEST: respond. Both stay until
 * that is done. Errors: violations "in an upgrade request", sticky, with *eaten written: respond with NULL to refuse as
 * the rules want. EMBWS_ERR_STATE after another answer. */
EMBWS_API int32_t embws_server_handshake_receive(embws_server_handshake *handshake, const void *in, size_t length,
                                                 size_t *eaten);

/* Fills head, as embws_session_head does, once the request is complete. */
EMBWS_API int32_t embws_server_handshake_head(embws_server_handshake *handshake, embws_head *head, void *memory,
                                              size_t capacity, size_t *needed);

/* Writes the 101: *written bytes. EMBWS_MORE: send them, and call again; acceptance is not looked at again. At last it
 * is EMBWS_OPENED. acceptance may be NULL. Errors: those of embws_session_accept. */
EMBWS_API int32_t embws_server_handshake_accept(embws_server_handshake *handshake, const embws_acceptance *acceptance,
                                                void *dst, size_t capacity, size_t *written);

/* Writes an answer other than 101 likewise; at last it is EMBWS_OK. After a violation response may be NULL: the answer
 * is then what the rules ask for. Errors: those of embws_session_respond. */
EMBWS_API int32_t embws_server_handshake_respond(embws_server_handshake *handshake, const embws_response *response,
                                                 void *dst, size_t capacity, size_t *written);

/* Awaits the next request on the same connection. EMBWS_ERR_STATE: it must be closed, or the answer is not written. */
EMBWS_API int32_t embws_server_handshake_restart(embws_server_handshake *handshake);

/* Tells which rule the request broke, and where; failure->status is 0 if none. */
EMBWS_API int32_t embws_server_handshake_failure(embws_server_handshake *handshake, embws_failure *failure);

typedef struct embws_client_handshake embws_client_handshake;

/* Makes a client's handshake, which has a request to send; it is copied. Of options, only `random` is used; both
 * options may be NULL. Errors: EMBWS_ERR_REQUEST_*, _FIELD, _KEEP_NAME, _RANDOM; _NULL, _LENGTH, _STRUCT_SIZE, _VALUE,
 * _FORKED. */
EMBWS_API int32_t embws_client_handshake_new(embws_client_handshake **handshake, const embws_request *request,
                                             const embws_options *options, const embws_handshake_options *limits);

/* Frees it. NULL is allowed. */
EMBWS_API int32_t embws_client_handshake_free(embws_client_handshake *handshake);

/* Writes the request: *written bytes. EMBWS_MORE: send them, and call again. */
EMBWS_API int32_t embws_client_handshake_request(embws_client_handshake *handshake, void *dst, size_t capacity,
                                                 size_t *written);

/* Takes the next bytes of the connection: *eaten of them, which is all but what follows the head. EMBWS_OK: more is
 * needed. EMBWS_OPENED: done; what follows is the codec's. Interim responses are skipped (rule 30). Errors: violations
 * "in the answer to it", sticky, with *eaten written; EMBWS_ERR_STATUS: the server refused, see the head; the body
 * follows. */
EMBWS_API int32_t embws_client_handshake_receive(embws_client_handshake *handshake, const void *in, size_t length,
                                                 size_t *eaten);

/* Fills head, as embws_session_head does, once the answer is complete. */
EMBWS_API int32_t embws_client_handshake_head(embws_client_handshake *handshake, embws_head *head, void *memory,
                                              size_t capacity, size_t *needed);

/* Tells which rule the answer broke, and where; failure->status is 0 if none. */
EMBWS_API int32_t embws_client_handshake_failure(embws_client_handshake *handshake, embws_failure *failure);

#ifdef __cplusplus
}
#endif

#endif /* EMBWS_H */
