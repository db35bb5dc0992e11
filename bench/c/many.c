/*
 * many.c: one short message on each of many connections in turn, as a server's event loop meets them. What a library
 * keeps of a connection is then not in the nearest cache, and, with embws, a handle has to be found among many.
 */
#include "bench.h"

#include "embws.h"

#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

enum { CONNECTIONS = 10000, PAYLOAD = 16 };

typedef struct many_work {
    uint8_t frame[64]; /* the same for all; never changed */
    size_t frame_length;
    uint8_t buffer[64];
    size_t given;
    embws_io io;
    embws_event events[4];
    uint8_t out[EMBWS_MAX_CONTROL_FRAME_SIZE];
    embws_codec *codecs[CONNECTIONS];
    embws_session *sessions[CONNECTIONS];
    wslay_event_context_ptr contexts[CONNECTIONS];
} many_work;

static void fill(many_work *w) {
    memcpy(w->buffer, w->frame, w->frame_length);
    w->io.in = w->buffer, w->io.in_length = w->frame_length;
}

static void take(many_work *w, int32_t status) {
    require(status == EMBWS_OK && w->io.found == 1, "embws has not found the message");
    deliver(embws_event_payload(&w->io, w->events), w->events[0].length);
    delivered.messages++;
}

static void loop_codecs(void *work, uint64_t steps) {
    many_work *w = work;
    for (uint64_t i = 0; i < steps; i++) {
        for (int j = 0; j < CONNECTIONS; j++) {
            fill(w);
            take(w, embws_codec_decode(w->codecs[j], &w->io));
        }
    }
}

static void loop_sessions(void *work, uint64_t steps) {
    many_work *w = work;
    for (uint64_t i = 0; i < steps; i++) {
        for (int j = 0; j < CONNECTIONS; j++) {
            fill(w);
            take(w, embws_session_receive(w->sessions[j], &w->io));
        }
    }
}

static void loop_contexts(void *work, uint64_t steps) {
    many_work *w = work;
    for (uint64_t i = 0; i < steps; i++) {
        for (int j = 0; j < CONNECTIONS; j++) {
            w->given = 0;
            require(wslay_event_recv(w->contexts[j]) == 0, "wslay_event_recv failed");
        }
    }
}

static ssize_t give(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, int flags, void *user_data) {
    many_work *w = user_data;
    (void)flags;
    if (w->given > 0 || len < w->frame_length) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(buf, w->frame, w->frame_length);
    w->given = w->frame_length;
    return (ssize_t)w->frame_length;
}

static void got(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *arg, void *user_data) {
    (void)ctx, (void)user_data;
    deliver(arg->msg, arg->msg_length);
    delivered.messages++;
}

void many_rows(const settings *how) {
    static const uint8_t key[] = {0x37, 0xfa, 0x21, 0x3d}, payload[PAYLOAD] = "sixteen bytes...";
    static const struct wslay_event_callbacks callbacks = {.recv_callback = give, .on_msg_recv_callback = got};
    many_work *w = allocate(sizeof *w);
    w->frame_length = write_frame(w->frame, EMBWS_BINARY, payload, PAYLOAD, key);
    EMBWS_INIT(&w->io);
    w->io.events = w->events, w->io.capacity = 4;
    w->io.out = w->out, w->io.out_capacity = sizeof w->out;
    for (int i = 0; i < CONNECTIONS; i++) {
        require(embws_codec_new(&w->codecs[i], EMBWS_SERVER, NULL) == EMBWS_OK, "embws_codec_new failed");
        require(embws_session_open(&w->sessions[i], EMBWS_SERVER, NULL) == EMBWS_OK, "embws_session_open failed");
        require(wslay_event_context_server_init(&w->contexts[i], &callbacks, w) == 0,
                "wslay_event_context_server_init failed");
    }
    row r = {.name = "decode 1 x 16 B a call, 10,000 connections in turn",
             .units = CONNECTIONS,
             .bytes = PAYLOAD,
             .compare = 1,
             .work = w};
    add(&r, "embws_codec_decode", loop_codecs, 0);
    add(&r, "embws_session_receive", loop_sessions, 0);
    add(&r, "wslay_event", loop_contexts, 0);
    run_row(&r, how);
    for (int i = 0; i < CONNECTIONS; i++) {
        embws_codec_free(w->codecs[i]);
        embws_session_free(w->sessions[i]);
        wslay_event_context_free(w->contexts[i]);
    }
    free(w);
}
