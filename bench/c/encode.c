/*
 * encode.c: sending. Every candidate leaves header and payload in one buffer, and the caller's payload as it was: embws
 * writes there itself, wslay by a send_callback that copies from the library's own buffer. Masking keys come from the
 * same generator, unless a candidate's name says otherwise.
 */
#include "bench.h"

#include "embws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <wslay/wslay.h>

enum { MAX_FRAMES = 64 };

typedef struct encode_work {
    unsigned frames;
    size_t length; /* of each frame's payload */
    unsigned opcode;
    int client;
    uint8_t *payload; /* of all frames, one behind the other; never changed */
    uint8_t *out;
    size_t capacity;
    size_t written;
    splitmix keys;

    embws_codec *codec;
    embws_codec *system; /* with keys of the system's source */
    embws_frame batch[MAX_FRAMES];
    wslay_frame_context_ptr frame;
    wslay_event_context_ptr event;
    int system_keys; /* wslay, too, asks the system */
} encode_work;

/* ---- Keys ----------------------------------------------------------------------------------------------------- */

static int32_t embws_keys(void *context, void *memory, size_t length) {
    splitmix_fill(context, memory, length);
    return 0;
}

static int frame_genmask(uint8_t *buf, size_t len, void *user_data) {
    encode_work *w = user_data;
    if (w->system_keys) {
        return getrandom(buf, len, 0) == (ssize_t)len ? 0 : -1;
    }
    splitmix_fill(&w->keys, buf, len);
    return 0;
}

static int event_genmask(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, void *user_data) {
    (void)ctx;
    return frame_genmask(buf, len, user_data);
}

/* ---- Loops ---------------------------------------------------------------------------------------------------- */

/* Looks at what a step has written, while the candidates are compared; else it only counts. */
static void finish(encode_work *w) {
    if (!delivered.hashing) {
        delivered.messages += w->frames;
        delivered.bytes += w->frames * w->length;
        delivered.touched += w->out[w->written - 1];
        return;
    }
    size_t at = 0;
    while (at < w->written) {
        at += read_frame(w->out + at, w->written - at, w->opcode, w->client);
    }
}

static void encode_each(encode_work *w, embws_codec *codec, uint64_t steps) {
    for (uint64_t i = 0; i < steps; i++) {
        w->written = 0;
        for (unsigned j = 0; j < w->frames; j++) {
            size_t n = 0;
            require(embws_codec_encode(codec, w->opcode, 1, w->payload + j * w->length, w->length, w->out + w->written,
                                       w->capacity - w->written, &n) == EMBWS_OK,
                    "embws_codec_encode failed");
            w->written += n;
        }
        finish(w);
    }
}

static void loop_encode(void *work, uint64_t steps) {
    encode_work *w = work;
    encode_each(w, w->codec, steps);
}

static void loop_encode_system(void *work, uint64_t steps) {
    encode_work *w = work;
    encode_each(w, w->system, steps);
}

static void loop_batch(void *work, uint64_t steps) {
    encode_work *w = work;
    for (uint64_t i = 0; i < steps; i++) {
        size_t encoded = 0;
        require(embws_codec_encode_batch(w->codec, w->batch, w->frames, w->out, w->capacity, &encoded, &w->written) ==
                        EMBWS_OK &&
                    encoded == w->frames,
                "embws_codec_encode_batch failed");
        finish(w);
    }
}

static ssize_t frame_send(const uint8_t *data, size_t len, int flags, void *user_data) {
    encode_work *w = user_data;
    (void)flags;
    require(len <= w->capacity - w->written, "wslay writes more than expected");
    memcpy(w->out + w->written, data, len);
    w->written += len;
    return (ssize_t)len;
}

static ssize_t event_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags, void *user_data) {
    (void)ctx;
    return frame_send(data, len, flags, user_data);
}

static void send_by_frames(encode_work *w, uint64_t steps) {
    for (uint64_t i = 0; i < steps; i++) {
        w->written = 0;
        for (unsigned j = 0; j < w->frames; j++) {
            struct wslay_frame_iocb iocb = {.fin = 1,
                                            .opcode = (uint8_t)w->opcode,
                                            .payload_length = w->length,
                                            .mask = (uint8_t)w->client,
                                            .data = w->payload + j * w->length,
                                            .data_length = w->length};
            require(wslay_frame_send(w->frame, &iocb) == (ssize_t)w->length, "wslay_frame_send failed");
        }
        finish(w);
    }
}

static void loop_wslay_frame(void *work, uint64_t steps) { send_by_frames(work, steps); }

static void loop_wslay_frame_system(void *work, uint64_t steps) {
    encode_work *w = work;
    w->system_keys = 1;
    send_by_frames(w, steps);
    w->system_keys = 0;
}

static void loop_wslay_event(void *work, uint64_t steps) {
    encode_work *w = work;
    for (uint64_t i = 0; i < steps; i++) {
        w->written = 0;
        for (unsigned j = 0; j < w->frames; j++) {
            const struct wslay_event_msg message = {
                .opcode = (uint8_t)w->opcode, .msg = w->payload + j * w->length, .msg_length = w->length};
            require(wslay_event_queue_msg(w->event, &message) == 0, "wslay_event_queue_msg failed");
        }
        require(wslay_event_send(w->event) == 0, "wslay_event_send failed");
        finish(w);
    }
}

/* ---- Rows ----------------------------------------------------------------------------------------------------- */

static encode_work *make(unsigned frames, size_t length, int client) {
    encode_work *w = allocate(sizeof *w);
    const uint32_t role = client ? EMBWS_CLIENT : EMBWS_SERVER;
    embws_options options;
    EMBWS_INIT(&options);
    options.random = embws_keys, options.context = &w->keys;
    w->frames = frames, w->length = length, w->client = client, w->opcode = EMBWS_BINARY;
    w->capacity = frames * (length + EMBWS_MAX_HEADER_SIZE);
    w->out = allocate(w->capacity);
    w->payload = allocate(frames * length);
    splitmix source = {length};
    splitmix_fill(&source, w->payload, frames * length);
    for (unsigned i = 0; i < frames; i++) {
        w->batch[i] =
            (embws_frame){.payload = w->payload + i * length, .length = length, .opcode = w->opcode, .fin = 1};
    }
    require(embws_codec_new(&w->codec, role, &options) == EMBWS_OK, "embws_codec_new failed");
    require(embws_codec_new(&w->system, role, NULL) == EMBWS_OK, "embws_codec_new failed");
    const struct wslay_frame_callbacks by_frame = {.send_callback = frame_send, .genmask_callback = frame_genmask};
    const struct wslay_event_callbacks by_event = {.send_callback = event_send, .genmask_callback = event_genmask};
    require(wslay_frame_context_init(&w->frame, &by_frame, w) == 0, "wslay_frame_context_init failed");
    require((client ? wslay_event_context_client_init : wslay_event_context_server_init)(&w->event, &by_event, w) == 0,
            "wslay_event_context_*_init failed");
    return w;
}

static void drop(encode_work *w) {
    embws_codec_free(w->codec);
    embws_codec_free(w->system);
    wslay_frame_context_free(w->frame);
    wslay_event_context_free(w->event);
    free(w->out);
    free(w->payload);
    free(w);
}

static void encode_row(const settings *how, unsigned frames, size_t length, int client) {
    encode_work *w = make(frames, length, client);
    row r = {.units = frames, .bytes = length, .compare = 1, .work = w};
    snprintf(r.name, sizeof r.name, "encode, %s, %u x %zu B%s", client ? "client" : "server", frames, length,
             frames > 1 ? " a step" : "");
    if (frames > 1) {
        add(&r, "embws_codec_encode_batch", loop_batch, 0);
    }
    add(&r, "embws_codec_encode", loop_encode, 0);
    add(&r, "wslay_frame_send", loop_wslay_frame, 0);
    add(&r, "wslay_event_queue_msg and _send", loop_wslay_event, 0);
    if (client && frames == 1 && length == 16) {
        add(&r, "embws_codec_encode, system's keys", loop_encode_system, 0);
        add(&r, "wslay_frame_send, a getrandom a frame", loop_wslay_frame_system, 0);
    }
    run_row(&r, how);
    drop(w);
}

void encode_rows(const settings *how) {
    static const size_t lengths[] = {16, 125, 1024};
    for (int client = 1; client >= 0; client--) {
        for (size_t i = 0; i < 3; i++) {
            encode_row(how, 1, lengths[i], client);
        }
        encode_row(how, MAX_FRAMES, 16, client);
        encode_row(how, MAX_FRAMES, 1024, client);
    }
}
