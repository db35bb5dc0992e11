/*
 * embws_stream.c: the loop between a transport and an embws_session. embws_stream.h is the manual.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * All that waits is in the stream, so that a call which would block just returns, and a repeated one finds its place:
 * what has arrived, what is to be sent, and one flag for each call that has done its work but still sends.
 */

#include "embws_stream.h"

/* Flags: the first four are calls that may be unfinished. */
#define WRITTEN      0x001u /* all of the payload was taken, and is being sent */
#define PINGED       0x002u /* likewise a Ping */
#define ANSWERED     0x004u /* likewise a 101 */
#define RESPONDED    0x008u /* likewise another answer */
#define CLOSING      0x010u /* embws_stream_close was called */
#define CLOSE_QUEUED 0x020u /* and our Close is queued, or needs not be */
#define ENDS         0x040u /* the connection is about to end, since `since` */
#define ENDED        0x080u /* the transport has ended */
#define SHUT         0x100u /* `shut` was called */
#define BLOCKED      0x200u /* the transport did not take all at the last try */
#define TICKED       0x400u /* the caller tells us the time */
#define WAITS_PONG   0x800u /* a Ping was sent, for the peer was silent */

#define DEFAULT_MAX_DRAIN ((uint64_t)1 << 20)

/* ---- The transport ------------------------------------------------------------------------------------------ */

/* Reports why nothing can be sent or awaited. */
static int32_t usable(const embws_stream *s) {
    if (s == NULL) {
        return EMBWS_ERR_NULL;
    }
    if (s->session == NULL) {
        return EMBWS_ERR_HANDLE;
    }
    return EMBWS_OK;
}

/* What a transport's result means that is not a number of bytes. */
static int32_t refusal(ptrdiff_t n) {
    switch (n) {
        case EMBWS_TRANSPORT_WANT_READ: return EMBWS_STREAM_WANT_READ;
        case EMBWS_TRANSPORT_WANT_WRITE: return EMBWS_STREAM_WANT_WRITE;
        default: return EMBWS_STREAM_ERR_TRANSPORT;
    }
}

/* The peer lives: it has sent something, or taken what had to wait. */
static void alive(embws_stream *s) {
    s->heard = s->now;
    s->flags &= ~WAITS_PONG;
}

/* Starts the time that the end may take. */
static void ends(embws_stream *s) {
    if (!(s->flags & ENDS)) {
        s->flags |= ENDS;
        s->since = s->now;
    }
}

/* Lends the session what is free of the write buffer. What it has put there, kept adds. */
static embws_io *lend(embws_stream *s) {
    if (s->out_from == s->out_to) {
        s->out_from = s->out_to = 0;
    }
    s->io.out = (uint8_t *)s->write_buffer + s->out_to;
    s->io.out_capacity = s->write_size - s->out_to;
    s->io.out_length = s->io.eaten = s->io.taken = 0; /* for a call that fails does not */
    s->io.found = 0;
    return &s->io;
}

static void kept(embws_stream *s) {
    s->out_to += s->io.out_length;
    s->in_from += s->io.eaten;
    if (s->io.state >= EMBWS_STATE_CLOSING) {
        ends(s);
    }
}

/* Lends the session what has arrived, too. */
static embws_io *feed(embws_stream *s) {
    embws_io *io = lend(s);
    io->in = (uint8_t *)s->read_buffer + s->in_from;
    io->in_length = s->in_to - s->in_from;
    return io;
}

/* Sends what waits. */
static int32_t flush(embws_stream *s) {
    for (;;) {
        ptrdiff_t n;
        size_t waits = s->out_to - s->out_from;
        if (waits == 0) {
            int32_t status;
            if (!s->io.more) {
                return EMBWS_OK;
            }
            status = embws_session_flush(s->session, lend(s));
            kept(s);
            if (status < 0) {
                return status;
            }
            if (s->io.out_length == 0) {
                return EMBWS_OK; /* it waits for something else: the rest of a frame */
            }
            continue;
        }
        n = s->write(s->context, (const uint8_t *)s->write_buffer + s->out_from, waits);
        if (n <= 0 || (size_t)n > waits) {
            s->flags |= BLOCKED;
            return n == 0 ? EMBWS_STREAM_WANT_WRITE : refusal(n);
        }
        s->out_from += (size_t)n;
        if (s->flags & BLOCKED) { /* what was sent before has found its way out of the transport */
            alive(s);
            s->flags &= ~BLOCKED;
        }
    }
}

/* Ends a call whose work is done, but for sending it. */
static int32_t finish(embws_stream *s, unsigned flag) {
    int32_t flushed = flush(s);
    if (flushed == EMBWS_OK) {
        s->flags &= ~flag;
    }
    return flushed;
}

/* Says what the end of the transport means. */
static int32_t end(embws_stream *s) {
    int32_t status;
    if (s->io.state == EMBWS_STATE_HANDSHAKE && s->role == EMBWS_SERVER && s->head_bytes == 0) {
        return EMBWS_STREAM_END;
    }
    status = embws_session_end(s->session);
    return status == EMBWS_OK ? EMBWS_STREAM_END : status;
}

/* Reads into the read buffer, all of which was taken. */
static int32_t fill(embws_stream *s) {
    ptrdiff_t n;
    if (s->flags & ENDED) {
        return end(s);
    }
    if ((s->flags & CLOSING) && s->drained > (s->max_drain > 0 ? s->max_drain : DEFAULT_MAX_DRAIN)) {
        return EMBWS_STREAM_ERR_DRAIN;
    }
    n = s->read(s->context, s->read_buffer, s->read_size);
    if (n == EMBWS_TRANSPORT_END) {
        s->in_from = s->in_to = 0;
        s->flags |= ENDED;
        return end(s);
    }
    if (n < 0 || (size_t)n > s->read_size) {
        return refusal(n);
    }
    s->in_from = 0;
    s->in_to = (size_t)n;
    alive(s);
    if (s->flags & CLOSING) {
        s->drained += (uint64_t)n;
    }
    return EMBWS_OK;
}

/* Says to a transport that can hear it that nothing more will be written, and returns whether it can. */
static int32_t half_close(embws_stream *s) {
    if (s->shut != NULL && !(s->flags & SHUT)) {
        s->flags |= SHUT;
        s->shut(s->context);
    }
    return s->shut != NULL;
}

/* Whether no frame is half written, behind which the Close that tells of a violation waits. */
static int all_said(const embws_stream *s) {
    embws_info info;
    EMBWS_INIT(&info);
    return embws_session_info(s->session, &info) == EMBWS_OK && info.owed == 0;
}

/* ---- Opening ------------------------------------------------------------------------------------------------ */

/* Makes all that is private as new. */
static void forget(embws_stream *s) {
    uint32_t ticked = s->flags & TICKED;
    EMBWS_INIT(&s->io);
    s->session = NULL;
    s->in_from = s->in_to = s->out_from = s->out_to = s->taken = 0;
    s->drained = s->head_bytes = 0;
    s->since = s->heard = s->pinged = s->now;
    s->flags = ticked;
}

void embws_stream_free(embws_stream *stream) {
    if (stream != NULL) {
        embws_session_free(stream->session);
        forget(stream);
    }
}

/* Looks at what the caller must have set. */
static int32_t prepare(embws_stream *s) {
    if (s->read == NULL || s->write == NULL || s->read_buffer == NULL || s->write_buffer == NULL) {
        return EMBWS_ERR_NULL;
    }
    if (s->read_size == 0 || s->write_size == 0) {
        return EMBWS_ERR_NO_ROOM;
    }
    forget(s);
    return EMBWS_OK;
}

/* Notes that a session was made. */
static void begin(embws_stream *s, uint32_t role, uint32_t state) {
    s->role = role;
    s->io.state = state;
    s->io.more = role == EMBWS_CLIENT && state == EMBWS_STATE_HANDSHAKE; /* the request */
}

/* Reads until the head of the handshake is whole. */
static int32_t await_head(embws_stream *s) {
    for (;;) {
        int32_t status, flushed = flush(s);
        if (flushed != EMBWS_OK) {
            return flushed;
        }
        s->io.events = &s->event;
        s->io.capacity = 1;
        status = embws_session_receive(s->session, feed(s));
        kept(s);
        s->head_bytes += s->io.eaten;
        if (status < 0) {
            flushed = flush(s);
            return flushed != EMBWS_OK && s->io.state != EMBWS_STATE_FAILED ? flushed : status;
        }
        if (s->io.found > 0) {
            alive(s);
            return EMBWS_OK;
        }
        if (s->in_from < s->in_to) {
            continue;
        }
        status = fill(s);
        if (status != EMBWS_OK) {
            return status;
        }
    }
}

int32_t embws_stream_connect(embws_stream *stream, const embws_request *request, const embws_options *options,
                             const embws_handshake_options *limits) {
    if (stream == NULL) {
        return EMBWS_ERR_NULL;
    }
    if (stream->session == NULL) {
        embws_session *session;
        int32_t status = prepare(stream);
        if (status == EMBWS_OK) {
            status = embws_session_connect(&session, request, options, limits);
        }
        if (status != EMBWS_OK) {
            return status;
        }
        stream->session = session;
        begin(stream, EMBWS_CLIENT, EMBWS_STATE_HANDSHAKE);
    }
    if (stream->io.state != EMBWS_STATE_HANDSHAKE && stream->io.state != EMBWS_STATE_FAILED) {
        return EMBWS_ERR_STATE;
    }
    return await_head(stream);
}

int32_t embws_stream_serve(embws_stream *stream, const embws_options *options, const embws_handshake_options *limits) {
    if (stream == NULL) {
        return EMBWS_ERR_NULL;
    }
    if (stream->session == NULL) {
        embws_session *session;
        int32_t status = prepare(stream);
        if (status == EMBWS_OK) {
            status = embws_session_serve(&session, options, limits);
        }
        if (status != EMBWS_OK) {
            return status;
        }
        stream->session = session;
        begin(stream, EMBWS_SERVER, EMBWS_STATE_HANDSHAKE);
    }
    if (stream->flags & RESPONDED) { /* the last answer comes first */
        int32_t status = finish(stream, RESPONDED);
        if (status != EMBWS_OK) {
            return status;
        }
    }
    switch (stream->io.state) {
        case EMBWS_STATE_HANDSHAKE:
        case EMBWS_STATE_FAILED: return await_head(stream);
        case EMBWS_STATE_REQUEST: return EMBWS_OK;
        case EMBWS_STATE_CLOSED: return EMBWS_STREAM_END;
        default: return EMBWS_ERR_STATE;
    }
}

int32_t embws_stream_open(embws_stream *stream, uint32_t role, const embws_options *options, size_t early) {
    embws_session *session;
    int32_t status;
    if (stream == NULL) {
        return EMBWS_ERR_NULL;
    }
    if (stream->session != NULL) {
        return EMBWS_ERR_STATE;
    }
    if (early > stream->read_size) {
        return EMBWS_ERR_LENGTH;
    }
    status = prepare(stream);
    if (status == EMBWS_OK) {
        status = embws_session_open(&session, role, options);
    }
    if (status != EMBWS_OK) {
        return status;
    }
    stream->session = session;
    stream->in_to = early;
    begin(stream, role, EMBWS_STATE_OPEN);
    return EMBWS_OK;
}

int32_t embws_stream_accept(embws_stream *stream, const embws_acceptance *acceptance) {
    int32_t status = usable(stream);
    if (status != EMBWS_OK) {
        return status;
    }
    if (!(stream->flags & (ANSWERED | RESPONDED))) {
        status = embws_session_accept(stream->session, lend(stream), acceptance);
        kept(stream);
        if (status == EMBWS_OK) {
            stream->flags |= ANSWERED;
        } else if (status != EMBWS_ERR_PLAIN_REQUEST) {
            return status;
        }
    }
    if (!(stream->flags & ANSWERED)) { /* a plain request: upgrade required */
        embws_response response;
        EMBWS_INIT(&response);
        response.status = 426;
        response.close = 1;
        status = embws_stream_respond(stream, &response);
        return status == EMBWS_OK ? EMBWS_ERR_PLAIN_REQUEST : status;
    }
    return finish(stream, ANSWERED);
}

int32_t embws_stream_respond(embws_stream *stream, const embws_response *response) {
    int32_t status = usable(stream);
    if (status != EMBWS_OK) {
        return status;
    }
    if (!(stream->flags & RESPONDED)) {
        status = embws_session_respond(stream->session, lend(stream), response);
        kept(stream);
        if (status < 0) {
            return status;
        }
        stream->flags |= RESPONDED;
        stream->head_bytes = 0;
        stream->since = stream->now;
    }
    return finish(stream, RESPONDED);
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */

/* The peer has said its last word. */
static int over(const embws_stream *s) { return s->io.peer_code != 0 || s->io.state >= EMBWS_STATE_CLOSED; }

/* Is called when no data came out of what has arrived: sends what is due and, if nothing was found, reads. EMBWS_OK: go
 * on, there is more to look at. */
static int32_t more(embws_stream *s, int32_t failed, int found) {
    int32_t flushed, status;
    if (failed < 0) {
        if (EMBWS_IS_VIOLATION(failed) && flush(s) == EMBWS_OK && all_said(s)) {
            half_close(s); /* else embws_stream_close tries again */
        }
        return failed;
    }
    flushed = flush(s); /* an error that stays will show in a write, or in what is read */
    if (over(s)) {
        return EMBWS_STREAM_END;
    }
    if (found || s->in_from < s->in_to) {
        return EMBWS_OK;
    }
    status = fill(s);
    return EMBWS_STREAM_WANTS(status) && EMBWS_STREAM_WANTS(flushed) ? status | flushed : status;
}

/* Reports why there is no connection to read from or to close. */
static int32_t opened(embws_stream *s) {
    int32_t status = usable(s);
    if (status == EMBWS_OK &&
        (s->flags & (ANSWERED | RESPONDED))) { /* the answer that opens or refuses it comes first */
        status = finish(s, ANSWERED | RESPONDED);
    }
    if (status == EMBWS_OK && s->io.state <= EMBWS_STATE_REQUEST) {
        status = EMBWS_ERR_NOT_OPEN;
    }
    return status;
}

/* Reports why nothing can be read into a result. */
static int32_t readable(embws_stream *s, const void *result) {
    int32_t status = opened(s);
    return status == EMBWS_OK && result == NULL ? EMBWS_ERR_NULL : status;
}

static int32_t next(embws_stream *s, embws_message *message, int control) {
    int32_t status = readable(s, message);
    while (status == EMBWS_OK) {
        embws_message m = {NULL, 0, 0, 0};
        status = embws_session_next(s->session, feed(s), s->message_memory, s->message_size, &m);
        kept(s);
        if (m.kind == EMBWS_TEXT || m.kind == EMBWS_BINARY ||
            (control && (m.kind == EMBWS_PING || m.kind == EMBWS_PONG))) {
            *message = m;
            return EMBWS_OK;
        }
        status = more(s, status, m.kind != 0);
    }
    return status;
}

int32_t embws_stream_read(embws_stream *stream, embws_message *message) { return next(stream, message, 0); }

int32_t embws_stream_next(embws_stream *stream, embws_message *message) { return next(stream, message, 1); }

int32_t embws_stream_read_piece(embws_stream *stream, embws_piece *piece) {
    int32_t status = readable(stream, piece);
    while (status == EMBWS_OK) {
        embws_event *e = &stream->event;
        stream->io.events = e;
        stream->io.capacity = 1;
        status = embws_session_receive(stream->session, feed(stream));
        kept(stream);
        if (stream->io.found > 0 && (e->kind == EMBWS_TEXT || e->kind == EMBWS_BINARY)) {
            piece->payload = embws_event_payload(&stream->io, e);
            piece->length = e->length;
            piece->kind = e->kind;
            piece->first = (e->flags & EMBWS_MESSAGE_START) != 0;
            piece->last = (e->flags & EMBWS_MESSAGE_END) != 0;
            return EMBWS_OK;
        }
        status = more(stream, status, stream->io.found > 0);
    }
    return status;
}

const uint8_t *embws_stream_early(const embws_stream *stream, size_t *length) {
    *length = stream->in_to - stream->in_from;
    return (const uint8_t *)stream->read_buffer + stream->in_from;
}

/* ---- Writing ------------------------------------------------------------------------------------------------ */

/* Takes a payload, or what of it repeated calls have left, fragment by fragment. */
static int32_t take(embws_stream *s, uint32_t opcode, uint32_t fin, const uint8_t *payload, size_t length) {
    int32_t status, flushed;
    if (s->taken > length) {
        return EMBWS_ERR_VALUE;
    }
    do {
        flushed = flush(s); /* a whole buffer makes a good fragment */
        if (flushed != EMBWS_OK) {
            return flushed;
        }
        status = embws_session_send(s->session, lend(s), opcode, fin, s->taken > 0 ? payload + s->taken : payload,
                                    length - s->taken);
        kept(s);
        s->taken += s->io.taken;
    } while (status == EMBWS_MORE);
    s->taken = 0;
    if (status == EMBWS_ERR_FAILED) {
        embws_failure failure;
        EMBWS_INIT(&failure);
        if (embws_session_failure(s->session, &failure) == EMBWS_OK && failure.status < 0) {
            return failure.status;
        }
    }
    if (status == EMBWS_OK) {
        s->flags |= WRITTEN;
    }
    return status;
}

int32_t embws_stream_write_piece(embws_stream *stream, uint32_t opcode, uint32_t fin, const void *payload,
                                 size_t length) {
    int32_t status = usable(stream);
    if (status == EMBWS_OK && !(stream->flags & WRITTEN)) {
        status = take(stream, opcode, fin, (const uint8_t *)payload, length);
    }
    return status == EMBWS_OK ? finish(stream, WRITTEN) : status;
}

int32_t embws_stream_write(embws_stream *stream, uint32_t opcode, const void *payload, size_t length) {
    return embws_stream_write_piece(stream, opcode, 1, payload, length);
}

int32_t embws_stream_ping(embws_stream *stream, const void *payload, size_t length) {
    int32_t status = usable(stream);
    if (status == EMBWS_OK && !(stream->flags & PINGED)) {
        status = flush(stream);
        if (status == EMBWS_OK) {
            status = embws_session_ping(stream->session, lend(stream), payload, length);
            kept(stream);
        }
        if (status < 0 || EMBWS_STREAM_WANTS(status)) {
            return status;
        }
        stream->flags |= PINGED;
        status = EMBWS_OK;
    }
    return status == EMBWS_OK ? finish(stream, PINGED) : status;
}

int32_t embws_stream_flush(embws_stream *stream) {
    int32_t status = usable(stream);
    return status == EMBWS_OK ? flush(stream) : status;
}

int32_t embws_stream_waiting(const embws_stream *stream) {
    return stream != NULL && stream->session != NULL && (stream->out_from < stream->out_to || stream->io.more);
}

/* ---- Closing ------------------------------------------------------------------------------------------------ */

/* Queues our Close, unless one was, and sends what waits. */
static int32_t say_close(embws_stream *s, uint32_t code, const void *reason, size_t reason_length) {
    int32_t flushed = flush(s);
    if (flushed < 0) {
        return flushed;
    }
    if (!(s->flags & CLOSE_QUEUED)) {
        if (s->io.state == EMBWS_STATE_OPEN || s->io.state == EMBWS_STATE_CLOSING) {
            int32_t status = embws_session_close(s->session, lend(s), code, reason, reason_length);
            kept(s);
            if (status == EMBWS_ERR_NO_ROOM && flushed != EMBWS_OK) {
                return flushed;
            }
            if (status < 0 && status != EMBWS_ERR_CLOSE_SENT) {
                return status;
            }
        }
        s->flags |= CLOSE_QUEUED;
        flushed = flush(s);
    }
    return flushed;
}

/* Reads and drops until the transport ends, so that the peer gets to read our last words before the transport is gone.
 */
static int32_t drain(embws_stream *s) {
    int32_t status;
    do {
        s->in_from = s->in_to = 0;
        status = fill(s);
    } while (status == EMBWS_OK);
    return EMBWS_STREAM_WANTS(status) || status == EMBWS_STREAM_ERR_DRAIN ? status : EMBWS_OK;
}

/* Reads, dropping data, until the peer's last word or violation. */
static int32_t await_close(embws_stream *s) {
    embws_piece dropped;
    int32_t status = EMBWS_OK;
    while (status == EMBWS_OK && !over(s)) {
        status = embws_stream_read_piece(s, &dropped);
    }
    return over(s) ? EMBWS_OK : status;
}

int32_t embws_stream_close(embws_stream *stream, uint32_t code, const void *reason, size_t reason_length) {
    embws_stream *s = stream;
    int32_t sent, status = opened(s);
    if (status != EMBWS_OK) {
        return status;
    }
    sent = say_close(s, code, reason, reason_length);
    if (sent < 0) {
        return sent;
    }
    s->flags |= CLOSING;
    ends(s);
    /* What comes is read even while our own waits: the peer may be one that takes nothing before it got rid of it. */
    if (!over(s)) {
        status = await_close(s);
        if (status != EMBWS_OK) {
            return EMBWS_STREAM_WANTS(status) ? status | sent : status;
        }
        sent = say_close(s, code, reason, reason_length);
    }
    if (sent != EMBWS_OK) {
        if (EMBWS_STREAM_WANTS(sent) && s->io.state == EMBWS_STATE_FAILED) {
            sent |= drain(s);
        }
        return sent;
    }
    if (half_close(s) || s->io.state == EMBWS_STATE_FAILED) {
        status = drain(s);
    }
    if (status == EMBWS_OK && s->io.state == EMBWS_STATE_FAILED) {
        status = embws_session_end(s->session); /* which rule it was */
    }
    return status;
}

/* ---- Time --------------------------------------------------------------------------------------------------- */

#define NEVER UINT64_MAX

/* When `interval` ms have passed from `from`; never, if that is 0. */
static uint64_t after(uint64_t from, uint32_t interval) {
    return interval == 0 || from > NEVER - interval ? NEVER : from + interval;
}

/* When a time-out ends the connection. */
static uint64_t limit(const embws_stream *s) {
    if (s->flags & ENDS) {
        return after(s->since, s->close_timeout);
    }
    if (s->io.state <= EMBWS_STATE_REQUEST) {
        return after(s->since, s->handshake_timeout);
    }
    return s->flags & WAITS_PONG ? after(s->pinged, s->pong_timeout) : NEVER;
}

/* When a Ping is to be sent. */
static uint64_t ping_due(const embws_stream *s) {
    return s->io.state == EMBWS_STATE_OPEN && !(s->flags & (ENDS | WAITS_PONG)) ? after(s->heard, s->ping_interval)
                                                                                : NEVER;
}

int32_t embws_stream_tick(embws_stream *stream, uint64_t now) {
    embws_stream *s = stream;
    if (s == NULL) {
        return EMBWS_ERR_NULL;
    }
    if (!(s->flags & TICKED)) {
        s->flags |= TICKED;
        s->since = s->heard = s->pinged = now;
    }
    s->now = now;
    if (s->session == NULL) {
        return EMBWS_OK;
    }
    if (now >= limit(s)) {
        return EMBWS_STREAM_ERR_TIMEOUT;
    }
    if (now >= ping_due(s)) {
        s->flags |= WAITS_PONG;
        s->pinged = now;
        /* Where there is no room, or a frame is unfinished, something waits to be sent already, and tells as much. */
        embws_session_ping(s->session, lend(s), NULL, 0);
        kept(s);
        flush(s); /* what does not get out waits */
    }
    return EMBWS_OK;
}

uint64_t embws_stream_deadline(const embws_stream *stream) {
    uint64_t ping, end_at;
    if (stream == NULL || stream->session == NULL) {
        return NEVER;
    }
    ping = ping_due(stream);
    end_at = limit(stream);
    return ping < end_at ? ping : end_at;
}

/* ---- Words -------------------------------------------------------------------------------------------------- */

const char *embws_stream_message(int32_t result) {
    switch (result) {
        case EMBWS_STREAM_WANT_READ:
            return "wait until the transport can be read, then repeat the call with the same arguments";
        case EMBWS_STREAM_WANT_WRITE:
            return "wait until the transport can be written, then repeat the call with the same arguments";
        case EMBWS_STREAM_WANT_EITHER:
            return "wait until the transport can be read or written, then repeat the call with the same arguments";
        case EMBWS_STREAM_END: return "the peer has ended the connection in order: close";
        case EMBWS_STREAM_ERR_TRANSPORT: return "the transport failed";
        case EMBWS_STREAM_ERR_TIMEOUT: return "a time-out has passed: close the transport";
        case EMBWS_STREAM_ERR_DRAIN: return "the peer goes on sending and does not close: close the transport";
        default: return embws_status_message(result);
    }
}
