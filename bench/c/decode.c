/*
 * decode.c: receiving. Every candidate gets the same masked frames and copies them once: embws from where they lie to a
 * buffer in which it then unmasks them in place, wslay in its recv_callback to the library's own buffer. That copy
 * stands for the read from a socket.
 */
#include "bench.h"

#include "embws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

enum { MAX_EVENTS = 64, MESSAGE_MEMORY = 1 << 17 };

typedef struct decode_work {
    unsigned frames;
    uint8_t *stream; /* the frames, masked; never changed */
    size_t stream_length;

    uint8_t *buffer; /* what embws decodes in place */
    embws_codec *codec;
    embws_session *session;
    embws_io io;
    embws_event events[MAX_EVENTS];
    uint8_t out[EMBWS_MAX_CONTROL_FRAME_SIZE];
    uint8_t *memory; /* of embws_session_next */

    size_t given; /* how much of the stream wslay has read */
    wslay_frame_context_ptr frame;
    wslay_event_context_ptr event;
    wslay_event_context_ptr unbuffered;
} decode_work;

/* ---- embws ---------------------------------------------------------------------------------------------------- */

static void fill(decode_work *w) {
    memcpy(w->buffer, w->stream, w->stream_length);
    w->io.in = w->buffer;
    w->io.in_length = w->stream_length;
}

static void advance(embws_io *io) {
    io->in = (uint8_t *)io->in + io->eaten;
    io->in_length -= io->eaten;
}

static void deliver_events(const embws_io *io) {
    for (uint32_t i = 0; i < io->found; i++) {
        const embws_event *e = &io->events[i];
        deliver(embws_event_payload(io, e), e->length);
        delivered.messages += (e->flags & EMBWS_MESSAGE_END) != 0;
    }
}

static void loop_codec(void *work, uint64_t steps) {
    decode_work *w = work;
    for (uint64_t i = 0; i < steps; i++) {
        for (fill(w); w->io.in_length > 0; advance(&w->io)) {
            require(embws_codec_decode(w->codec, &w->io) == EMBWS_OK, "embws_codec_decode failed");
            deliver_events(&w->io);
        }
    }
}

static void loop_session(void *work, uint64_t steps) {
    decode_work *w = work;
    for (uint64_t i = 0; i < steps; i++) {
        for (fill(w); w->io.in_length > 0; advance(&w->io)) {
            require(embws_session_receive(w->session, &w->io) == EMBWS_OK, "embws_session_receive failed");
            deliver_events(&w->io);
        }
    }
}

static void loop_next(void *work, uint64_t steps) {
    decode_work *w = work;
    embws_message message;
    for (uint64_t i = 0; i < steps; i++) {
        for (fill(w); w->io.in_length > 0; advance(&w->io)) {
            require(embws_session_next(w->session, &w->io, w->memory, MESSAGE_MEMORY, &message) == EMBWS_OK,
                    "embws_session_next failed");
            if (message.kind != 0) {
                deliver(message.payload, message.length);
                delivered.messages++;
            }
        }
    }
}

/* ---- wslay ---------------------------------------------------------------------------------------------------- */

static ssize_t give(decode_work *w, uint8_t *buf, size_t len) {
    size_t n = w->stream_length - w->given;
    n = n < len ? n : len;
    memcpy(buf, w->stream + w->given, n);
    w->given += n;
    return n == 0 ? -1 : (ssize_t)n;
}

static ssize_t frame_recv(uint8_t *buf, size_t len, int flags, void *user_data) {
    (void)flags;
    return give(user_data, buf, len);
}

static ssize_t event_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, int flags, void *user_data) {
    (void)flags;
    ssize_t n = give(user_data, buf, len);
    if (n < 0) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
    }
    return n;
}

static void event_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *arg, void *user_data) {
    (void)ctx, (void)user_data;
    deliver(arg->msg, arg->msg_length);
    delivered.messages++;
}

static void event_chunk(wslay_event_context_ptr ctx, const struct wslay_event_on_frame_recv_chunk_arg *arg,
                        void *user_data) {
    (void)ctx, (void)user_data;
    deliver(arg->data, arg->data_length);
}

static void event_end(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *arg, void *user_data) {
    (void)ctx, (void)arg, (void)user_data;
    delivered.messages++;
}

/* wslay_frame is spared the call that finds out that there is no further frame. */
static void loop_wslay_frame(void *work, uint64_t steps) {
    decode_work *w = work;
    struct wslay_frame_iocb iocb;
    for (uint64_t i = 0; i < steps; i++) {
        w->given = 0;
        for (unsigned frames = 0; frames < w->frames; frames++) {
            uint64_t got = 0;
            do {
                require(wslay_frame_recv(w->frame, &iocb) >= 0, "wslay_frame_recv failed");
                deliver(iocb.data, iocb.data_length);
                got += iocb.data_length;
            } while (got < iocb.payload_length);
            delivered.messages++;
        }
    }
}

static void receive_by_events(decode_work *w, wslay_event_context_ptr ctx, uint64_t steps) {
    for (uint64_t i = 0; i < steps; i++) {
        w->given = 0;
        require(wslay_event_recv(ctx) == 0 && w->given == w->stream_length, "wslay_event_recv failed");
    }
}

static void loop_wslay_event(void *work, uint64_t steps) {
    decode_work *w = work;
    receive_by_events(w, w->event, steps);
}

static void loop_wslay_unbuffered(void *work, uint64_t steps) {
    decode_work *w = work;
    receive_by_events(w, w->unbuffered, steps);
}

/* ---- Rows ----------------------------------------------------------------------------------------------------- */

static decode_work *make(unsigned frames, size_t payload, unsigned opcode) {
    decode_work *w = allocate(sizeof *w);
    uint8_t *bytes = allocate(payload);
    splitmix source = {payload};
    w->frames = frames;
    w->stream = allocate_aligned(frames * (payload + EMBWS_MAX_HEADER_SIZE));
    for (unsigned i = 0; i < frames; i++) {
        uint8_t key[4];
        splitmix_fill(&source, key, sizeof key);
        splitmix_fill(&source, bytes, payload);
        for (size_t j = 0; opcode == EMBWS_TEXT && j < payload; j++) {
            bytes[j] = (uint8_t)(' ' + bytes[j] % 95); /* ASCII */
        }
        w->stream_length += write_frame(w->stream + w->stream_length, opcode, bytes, payload, key);
    }
    free(bytes);
    w->buffer = allocate_aligned(w->stream_length);
    w->memory = allocate(MESSAGE_MEMORY);
    EMBWS_INIT(&w->io);
    w->io.events = w->events, w->io.capacity = MAX_EVENTS;
    w->io.out = w->out, w->io.out_capacity = sizeof w->out;
    require(embws_codec_new(&w->codec, EMBWS_SERVER, NULL) == EMBWS_OK, "embws_codec_new failed");
    require(embws_session_open(&w->session, EMBWS_SERVER, NULL) == EMBWS_OK, "embws_session_open failed");
    const struct wslay_frame_callbacks by_frame = {.recv_callback = frame_recv};
    const struct wslay_event_callbacks whole = {.recv_callback = event_recv, .on_msg_recv_callback = event_message};
    const struct wslay_event_callbacks in_chunks = {
        .recv_callback = event_recv, .on_frame_recv_chunk_callback = event_chunk, .on_msg_recv_callback = event_end};
    require(wslay_frame_context_init(&w->frame, &by_frame, w) == 0, "wslay_frame_context_init failed");
    require(wslay_event_context_server_init(&w->event, &whole, w) == 0, "wslay_event_context_server_init failed");
    require(wslay_event_context_server_init(&w->unbuffered, &in_chunks, w) == 0,
            "wslay_event_context_server_init failed");
    wslay_event_config_set_no_buffering(w->unbuffered, 1);
    return w;
}

static void drop(decode_work *w) {
    embws_codec_free(w->codec);
    embws_session_free(w->session);
    wslay_frame_context_free(w->frame);
    wslay_event_context_free(w->event);
    wslay_event_context_free(w->unbuffered);
    free(w->stream);
    free(w->buffer);
    free(w->memory);
    free(w);
}

typedef struct shape {
    unsigned frames;
    size_t payload;
    unsigned opcode;
    double goal_frame, goal_event; /* the times that wslay should take at least, of embws_codec_decode's */
} shape;

static void name(row *r, const char *verb, const shape *s) {
    snprintf(r->name, sizeof r->name, "%s %u x %zu B %s a call", verb, s->frames, s->payload,
             s->opcode == EMBWS_TEXT ? "text" : "binary");
}

static void decode_row(const settings *how, const shape *s) {
    decode_work *w = make(s->frames, s->payload, s->opcode);
    row r = {.units = s->frames, .bytes = s->payload, .compare = 1, .work = w};
    name(&r, "decode", s);
    add(&r, "embws_codec_decode", loop_codec, 0);
    add(&r, "wslay_frame", loop_wslay_frame, s->goal_frame);
    add(&r, "wslay_event", loop_wslay_event, s->goal_event);
    add(&r, "wslay_event, no buffering", loop_wslay_unbuffered, 0);
    run_row(&r, how);
    drop(w);
}

static void receive_row(const settings *how, const shape *s) {
    decode_work *w = make(s->frames, s->payload, s->opcode);
    row r = {.units = s->frames, .bytes = s->payload, .compare = 1, .work = w};
    name(&r, "session", s);
    add(&r, "embws_session_receive", loop_session, 0);
    add(&r, "embws_session_next", loop_next, 0);
    add(&r, "wslay_event", loop_wslay_event, 0);
    run_row(&r, how);
    drop(w);
}

void decode_rows(const settings *how) {
    static const shape decode[] = {
        {64, 16, EMBWS_BINARY, 2, 0},     {1, 16, EMBWS_BINARY, 0, 1 / 0.85}, {64, 125, EMBWS_BINARY, 0, 0},
        {1, 125, EMBWS_BINARY, 0, 0},     {16, 1024, EMBWS_BINARY, 0, 0},     {1, 1024, EMBWS_BINARY, 0, 0},
        {1, 65536, EMBWS_BINARY, 20, 20}, {64, 125, EMBWS_TEXT, 0, 0},        {16, 1024, EMBWS_TEXT, 0, 0},
    };
    static const shape receive[] = {
        {64, 16, EMBWS_BINARY, 0, 0}, {1, 16, EMBWS_BINARY, 0, 0},    {16, 1024, EMBWS_BINARY, 0, 0},
        {1, 1024, EMBWS_TEXT, 0, 0},  {1, 65536, EMBWS_BINARY, 0, 0},
    };
    for (size_t i = 0; i < sizeof decode / sizeof decode[0]; i++) {
        decode_row(how, &decode[i]);
    }
    for (size_t i = 0; i < sizeof receive / sizeof receive[0]; i++) {
        receive_row(how, &receive[i]);
    }
}
