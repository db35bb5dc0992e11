/*
 * call.c: what a call into the Go runtime costs in itself, and what it costs to make and free a handle.
 */
#include "bench.h"

#include "embws.h"

#include <stdlib.h>
#include <wslay/wslay.h>

typedef struct call_work {
    embws_codec *codec;
    embws_io io;
    embws_event events[1];
    wslay_event_context_ptr event;
} call_work;

static void loop_info(void *work, uint64_t steps) {
    call_work *w = work;
    embws_info info;
    EMBWS_INIT(&info);
    for (uint64_t i = 0; i < steps; i++) {
        require(embws_codec_info(w->codec, &info) == EMBWS_OK, "embws_codec_info failed");
    }
}

static void loop_decode_nothing(void *work, uint64_t steps) {
    call_work *w = work;
    for (uint64_t i = 0; i < steps; i++) {
        require(embws_codec_decode(w->codec, &w->io) == EMBWS_OK, "embws_codec_decode failed");
    }
}

static void loop_header_size(void *work, uint64_t steps) {
    (void)work;
    for (uint64_t i = 0; i < steps; i++) {
        delivered.touched += embws_header_size(EMBWS_CLIENT, i);
    }
}

static void loop_want_read(void *work, uint64_t steps) {
    call_work *w = work;
    for (uint64_t i = 0; i < steps; i++) {
        delivered.touched += (uint64_t)wslay_event_want_read(w->event);
    }
}

static void loop_new_codec(void *work, uint64_t steps) {
    (void)work;
    for (uint64_t i = 0; i < steps; i++) {
        embws_codec *codec;
        require(embws_codec_new(&codec, EMBWS_SERVER, NULL) == EMBWS_OK && embws_codec_free(codec) == EMBWS_OK,
                "embws_codec_new or _free failed");
    }
}

static void loop_new_session(void *work, uint64_t steps) {
    (void)work;
    for (uint64_t i = 0; i < steps; i++) {
        embws_session *session;
        require(embws_session_open(&session, EMBWS_SERVER, NULL) == EMBWS_OK && embws_session_free(session) == EMBWS_OK,
                "embws_session_open or _free failed");
    }
}

static void loop_reset(void *work, uint64_t steps) {
    call_work *w = work;
    for (uint64_t i = 0; i < steps; i++) {
        require(embws_codec_reset(w->codec, EMBWS_SERVER, NULL) == EMBWS_OK, "embws_codec_reset failed");
    }
}

static void loop_new_event(void *work, uint64_t steps) {
    static const struct wslay_event_callbacks none;
    for (uint64_t i = 0; i < steps; i++) {
        wslay_event_context_ptr ctx;
        require(wslay_event_context_server_init(&ctx, &none, work) == 0, "wslay_event_context_server_init failed");
        wslay_event_context_free(ctx);
    }
}

static void loop_new_frame(void *work, uint64_t steps) {
    static const struct wslay_frame_callbacks none;
    for (uint64_t i = 0; i < steps; i++) {
        wslay_frame_context_ptr ctx;
        require(wslay_frame_context_init(&ctx, &none, work) == 0, "wslay_frame_context_init failed");
        wslay_frame_context_free(ctx);
    }
}

void call_rows(const settings *how) {
    static const struct wslay_event_callbacks none;
    call_work *w = allocate(sizeof *w);
    EMBWS_INIT(&w->io);
    w->io.events = w->events, w->io.capacity = 1;
    require(embws_codec_new(&w->codec, EMBWS_SERVER, NULL) == EMBWS_OK, "embws_codec_new failed");
    require(wslay_event_context_server_init(&w->event, &none, NULL) == 0, "wslay_event_context_server_init failed");

    row calls = {.name = "an empty call", .units = 1, .work = w};
    add(&calls, "embws_codec_info", loop_info, 0);
    add(&calls, "embws_codec_decode of 0 B", loop_decode_nothing, 0);
    add(&calls, "embws_header_size, which does not enter Go", loop_header_size, 0);
    add(&calls, "wslay_event_want_read", loop_want_read, 0);
    run_row(&calls, how);

    row handles = {.name = "make and free a handle", .units = 1, .work = w};
    add(&handles, "embws_codec_new, _free", loop_new_codec, 0);
    add(&handles, "embws_session_open, _free", loop_new_session, 0);
    add(&handles, "embws_codec_reset", loop_reset, 0);
    add(&handles, "wslay_event_context_server_init, _free", loop_new_event, 0);
    add(&handles, "wslay_frame_context_init, _free", loop_new_frame, 0);
    run_row(&handles, how);

    wslay_event_context_free(w->event);
    embws_codec_free(w->codec);
    free(w);
}
