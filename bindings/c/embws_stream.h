/*
 * embws_stream.h: whole WebSocket messages over a socket, TLS, a serial line, or any other pair of read and write.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Compile embws_stream.c into your program, and link libembws. Both are C99 and need nothing of an operating system;
 * embws_stream_posix.h has read and write for POSIX sockets. There is no protocol in here: a stream is a loop that
 * carries bytes between a transport and an embws_session. What embws.h says of memory, threads and results holds here
 * too.
 *
 * The shortest complete client is bindings/c/shortest.c. Its heart, without the looks at each status:
 *
 *     embws_stream stream = {0};
 *     embws_posix_use(&stream, &fd);
 *     stream.read_buffer = in, stream.read_size = sizeof in;
 *     stream.write_buffer = out, stream.write_size = sizeof out;
 *     stream.message_memory = memory, stream.message_size = sizeof memory;
 *     embws_stream_connect(&stream, &request, NULL, NULL);
 *     embws_stream_write(&stream, EMBWS_TEXT, "hello", 5);
 *     embws_stream_read(&stream, &message);
 *     embws_stream_close(&stream, EMBWS_CLOSE_NORMAL, NULL, 0);
 *     embws_stream_free(&stream);
 *
 *
 * BLOCKING AND NON-BLOCKING
 *
 * A function that needs the transport runs until it is done (EMBWS_OK), or until the transport would block. Then it
 * returns what to wait for, a set of bits:
 *
 *     EMBWS_STREAM_WANT_READ, EMBWS_STREAM_WANT_WRITE, or both: either will do
 *
 * Wait, and REPEAT THE CALL WITH THE SAME ARGUMENTS: it goes on exactly where it stopped. The same holds after
 * EMBWS_STREAM_ERR_TRANSPORT, if your transport can recover. Over a transport that blocks, calls just return when they
 * are done; with a time-out on it (SO_RCVTIMEO), which looks like "would block", they return WANT_READ when it strikes.
 *
 * The read functions and the write functions go side by side: while a write waits for its turn you may read, and the
 * other way round. Over a transport that blocks, a peer that sends without reading can block your write for ever, as
 * always with sockets: then use it non-blocking, and read when the write wants to write.
 *
 * The read functions also write: the answers to Pings and to a Close. While those do not get through, WANT_READ comes
 * with WANT_WRITE.
 *
 *
 * TIME
 *
 * The stream has no clock. If you want time-outs, set them, in milliseconds, and call embws_stream_tick with the time
 * in milliseconds by any clock that does not go backwards: once before the first call, and from then on whenever
 * embws_stream_deadline has come, or more often. What happens in a call is taken to happen at the last tick.
 */

#ifndef EMBWS_STREAM_H
#define EMBWS_STREAM_H

#include "embws.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Results: those of embws.h, and these ------------------------------------------------------------------- */

#define EMBWS_STREAM_WANT_READ   16 /* wait until the transport can be read, then repeat the call */
#define EMBWS_STREAM_WANT_WRITE  32 /* wait until the transport can be written, then repeat the call */
#define EMBWS_STREAM_WANT_EITHER (EMBWS_STREAM_WANT_READ | EMBWS_STREAM_WANT_WRITE)
#define EMBWS_STREAM_END         64 /* the peer has closed, in order: call embws_stream_close */

#define EMBWS_STREAM_ERR_TRANSPORT (-900) /* read or write failed; you know how. The call may be repeated */
#define EMBWS_STREAM_ERR_TIMEOUT   (-901) /* embws_stream_tick: a time-out has passed */
#define EMBWS_STREAM_ERR_DRAIN     (-902) /* embws_stream_close: max_drain bytes were dropped, and no end in sight */

/* 1 if a result only says to wait. */
#define EMBWS_STREAM_WANTS(result) ((result) == 16 || (result) == 32 || (result) == 48)

/* A sentence about any result, in English. Memory as of embws_status_message. */
const char *embws_stream_message(int32_t result);

/* ---- The transport ------------------------------------------------------------------------------------------ */

/* What read and write return instead of a number of bytes. Either may be returned by both: TLS may have to read in
 * order to write. */
#define EMBWS_TRANSPORT_END        0    /* of read: the peer will send no more */
#define EMBWS_TRANSPORT_WANT_READ  (-1) /* nothing was moved; try again when there is something to read */
#define EMBWS_TRANSPORT_WANT_WRITE (-2) /* nothing was moved; try again when there is room (0 of write: too) */
#define EMBWS_TRANSPORT_ERROR      (-3) /* any other negative number too */

/* Reads 1 to `size` bytes, and returns how many. */
typedef ptrdiff_t (*embws_transport_read)(void *context, void *buffer, size_t size);

/* Writes 1 to `length` bytes, and returns how many. */
typedef ptrdiff_t (*embws_transport_write)(void *context, const void *bytes, size_t length);

/* Tells the peer that no more will be written, as shutdown(socket, SHUT_WR) does. Called at most once, at the end. */
typedef void (*embws_transport_shut)(void *context);

/* ---- The stream --------------------------------------------------------------------------------------------- */

/*
 * One end of a connection. It is yours: about 500 bytes, to be set to 0 before use, and not to be moved or copied while
 * it is in use. It has one user at a time. It never closes your transport.
 *
 * Set before the first call, and do not change until embws_stream_free:
 */
typedef struct embws_stream {
    embws_transport_read read;
    embws_transport_write write;
    embws_transport_shut shut; /* may be NULL. With it, a close loses nothing on its way (rule 85): set it if you can */
    void *context;             /* handed to them */

    void *read_buffer;    /* what arrives; payload is handed out in it. 1 byte or more */
    size_t read_size;     /*   4 KiB is a good size, and 16 KiB for large messages */
    void *write_buffer;   /* what leaves; a message that does not fit goes out in fragments. 1 byte or more */
    size_t write_size;    /*   as above */
    void *message_memory; /* holds the message of embws_stream_read, and so limits it; NULL if that is not used */
    size_t message_size;

    uint64_t max_drain; /* after how many bytes embws_stream_close gives up reading and dropping, a buffer more or less.
                           0: 1 MiB */

    uint32_t handshake_timeout; /* ms from the first call until the connection is open, or per plain request; 0: none */
    uint32_t ping_interval;     /* ms without a byte from the peer until a Ping is sent; 0: none are sent */
    uint32_t pong_timeout;      /* ms from that Ping until the peer counts as dead; 0: never */
    uint32_t close_timeout;     /* ms from the first Close of either end until the connection must be gone; 0: none */

    /* To look at, not to change. */
    embws_session *session; /* for embws_session_head, _failure, _peer_close, _info; NULL before the first call */
    embws_io io;            /* io.state: EMBWS_STATE_*; io.peer_code, io.sent_code: the codes of the Closes, or 0 */

    /* Private. */
    embws_event event;
    size_t in_from, in_to;   /* read_buffer[in_from .. in_to) has arrived and was not taken */
    size_t out_from, out_to; /* write_buffer[out_from .. out_to) waits to be sent */
    size_t taken;            /* bytes of the payload of the unfinished write that were taken */
    uint64_t drained;        /* bytes read by embws_stream_close */
    uint64_t head_bytes;     /* bytes of the head that is awaited */
    uint64_t now;            /* the last tick */
    uint64_t since;          /* when the handshake, or later the closing, began */
    uint64_t heard;          /* when the peer last gave a sign of life */
    uint64_t pinged;         /* when a Ping was sent because it did not */
    uint32_t role;
    uint32_t flags;
} embws_stream;

/* Frees the session, and forgets the connection: what you have set stays, and the stream can be used for another. To be
 * called in the end in any case. NULL is allowed. */
void embws_stream_free(embws_stream *stream);

/* ---- Opening: a client -------------------------------------------------------------------------------------- */

/* Sends the request, and reads the answer. EMBWS_OK: the connection is open; embws_session_head(stream->session, ...)
 * has the subprotocol and the kept fields. The arguments are those of embws_session_connect; they are looked at by the
 * first call, not by repeated ones.
 *
 * EMBWS_ERR_STATUS: the server has refused. embws_session_head has its status and the kept fields, embws_stream_early
 * the start of the body. Other errors: those of embws_session_connect and _receive, EMBWS_ERR_HANDSHAKE_CUT_SHORT,
 * EMBWS_STREAM_ERR_TRANSPORT; EMBWS_ERR_NO_ROOM and EMBWS_ERR_NULL if what must be set before is not; EMBWS_ERR_STATE
 * if the connection was opened before. */
int32_t embws_stream_connect(embws_stream *stream, const embws_request *request, const embws_options *options,
                             const embws_handshake_options *limits);

/* ---- Opening: a server -------------------------------------------------------------------------------------- */

/* Awaits a request: the first, or the next after embws_stream_respond. EMBWS_OK: it is whole; look at it by
 * embws_session_head(stream->session, ...), then call embws_stream_accept or embws_stream_respond. The arguments are
 * those of embws_session_serve, looked at by the first call.
 *
 * EMBWS_STREAM_END: the transport ended before a request began, or the last answer has ended the connection. Errors:
 * the violations "in an upgrade request", which were answered as the rules want: call embws_stream_close, so that the
 * peer gets to read it; EMBWS_ERR_HANDSHAKE_CUT_SHORT; others as above. */
int32_t embws_stream_serve(embws_stream *stream, const embws_options *options, const embws_handshake_options *limits);

/* Answers the request with 101: the connection is open. acceptance may be NULL. The errors are those of
 * embws_session_accept; a request that asks for no upgrade is answered with 426, and the error is
 * EMBWS_ERR_PLAIN_REQUEST. acceptance is looked at by the first call, not by repeated ones; to go on with another call
 * instead of repeating it is fine, too. */
int32_t embws_stream_accept(embws_stream *stream, const embws_acceptance *acceptance);

/* Answers the request in another way: refuses an upgrade, or gives what a plain request has asked for. Then call
 * embws_stream_serve again: it awaits the next request, or says EMBWS_STREAM_END; then embws_stream_close. The errors
 * are those of embws_session_respond. As with embws_stream_accept, the first call looks at response, and another may go
 * on. */
int32_t embws_stream_respond(embws_stream *stream, const embws_response *response);

/* ---- Opening: done elsewhere -------------------------------------------------------------------------------- */

/* Makes a stream of a connection that is open already. `early` bytes that arrived behind the handshake are in the head
 * of read_buffer. Does not use the transport. Errors: those of embws_session_open; EMBWS_ERR_LENGTH if early >
 * read_size. */
int32_t embws_stream_open(embws_stream *stream, uint32_t role, const embws_options *options, size_t early);

/* ---- Reading ------------------------------------------------------------------------------------------------ */

/* Reads the next whole message: message->kind is EMBWS_TEXT or EMBWS_BINARY, and its payload stays until the next call
 * that reads. Pings and a Close are answered on the way, unless the options say otherwise.
 *
 * EMBWS_STREAM_END: the peer has sent a Close; its code is stream->io.peer_code, its reason embws_session_peer_close
 * has. Call embws_stream_close. Errors: EMBWS_ERR_NO_CLOSE, the transport ended without a Close; another violation: a
 * Close that tells it was sent; call embws_stream_close, which waits for the peer to go (rule 85).
 * EMBWS_ERR_MESSAGE_MEMORY, a violation too, is a message of more than message_size bytes. EMBWS_ERR_NOT_OPEN before
 * the handshake is done, EMBWS_ERR_HANDLE before it began; EMBWS_STREAM_ERR_TRANSPORT. */
int32_t embws_stream_read(embws_stream *stream, embws_message *message);

/* The same, but Pings and Pongs are shown too: EMBWS_PING (it was answered), EMBWS_PONG. */
int32_t embws_stream_next(embws_stream *stream, embws_message *message);

/* A part of a message, as it arrived. */
typedef struct embws_piece {
    uint8_t *payload; /* until the next call that reads */
    size_t length;    /* may be 0 */
    uint32_t kind;    /* EMBWS_TEXT or EMBWS_BINARY, the same for each piece of a message */
    uint32_t first;   /* 1: a message begins with it */
    uint32_t last;    /* 1: the message ends with it */
} embws_piece;

/* Reads the next piece of a message, which may be larger than any memory. Do not mix it with the others within a
 * message. Results as of embws_stream_read. */
int32_t embws_stream_read_piece(embws_stream *stream, embws_piece *piece);

/* The bytes that have arrived and were not taken, such as the start of the body of a refusal, and their number. */
const uint8_t *embws_stream_early(const embws_stream *stream, size_t *length);

/* ---- Writing ------------------------------------------------------------------------------------------------ */

/* Sends a message, EMBWS_TEXT or EMBWS_BINARY. EMBWS_OK: the transport has all of it. Until then repeat the call with
 * the same arguments, or close: the payload must stay. Errors: those of embws_session_send; the violation, once the
 * peer has broken a rule; EMBWS_ERR_CLOSE_SEEN once it has closed; EMBWS_ERR_VALUE if a repeated call has a shorter
 * payload than was taken already. */
int32_t embws_stream_write(embws_stream *stream, uint32_t opcode, const void *payload, size_t length);

/* Sends a part of a message; fin = 1 says that it is the last, which may be empty; opcode is the same for each part. */
int32_t embws_stream_write_piece(embws_stream *stream, uint32_t opcode, uint32_t fin, const void *payload,
                                 size_t length);

/* Sends a Ping of up to 125 bytes. Errors: those of embws_session_ping. */
int32_t embws_stream_ping(embws_stream *stream, const void *payload, size_t length);

/* Sends what waits to be sent. A write or ping that waits has to be repeated all the same, and is done then. */
int32_t embws_stream_flush(embws_stream *stream);

/* 1 if something waits to be sent, so that an event loop should wait for WANT_WRITE as well; else 0. */
int32_t embws_stream_waiting(const embws_stream *stream);

/* ---- Closing ------------------------------------------------------------------------------------------------ */

/* Ends the connection as RFC 6455 7.1 wants; when it is done, close the transport. It sends a Close, unless one was
 * sent, and reads, dropping what comes, until the peer's Close. With a `shut`, it then says that no more will be
 * written; and after that, and after a violation or a refused handshake, it reads until the transport ends, so that
 * bytes on their way do not destroy what the peer has not read yet (rule 85). It reads at most max_drain bytes;
 * close_timeout limits the time.
 *
 * code and reason are those of embws_session_close; code 0 is a Close without. EMBWS_OK: a clean close. Errors: the
 * violation; EMBWS_ERR_NO_CLOSE; EMBWS_STREAM_ERR_DRAIN; EMBWS_ERR_NOT_OPEN before the handshake is done: just close
 * the transport; EMBWS_STREAM_ERR_TRANSPORT; those of embws_session_close, of which EMBWS_ERR_FRAME_OPEN says that an
 * unfinished write must be finished first, or the transport be closed. */
int32_t embws_stream_close(embws_stream *stream, uint32_t code, const void *reason, size_t reason_length);

/* ---- Time --------------------------------------------------------------------------------------------------- */

/* Tells the stream the time, in milliseconds, and does what is due: a Ping. EMBWS_STREAM_ERR_TIMEOUT: a handshake or a
 * close takes too long, or the peer has neither sent a byte nor taken one that had to wait, for pong_timeout after a
 * Ping. What then is yours to decide: usually to close the transport, or, while open, embws_stream_close first. */
int32_t embws_stream_tick(embws_stream *stream, uint64_t now);

/* When embws_stream_tick is to be called at the latest; UINT64_MAX: no time-out is running. */
uint64_t embws_stream_deadline(const embws_stream *stream);

#ifdef __cplusplus
}
#endif

#endif /* EMBWS_STREAM_H */
