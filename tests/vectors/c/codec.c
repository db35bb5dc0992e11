/* codec.c: plays frames through a codec. What it is to answer is asked of embws_codec_reply. */
#include "vectors.h"

#include <string.h>

static stream s;
static endpoint e;
static guarded dst;

static int manual(const vector *v, uint32_t kind) {
    return (kind == EMBWS_PING && option(v, "manual-pong") != NULL) ||
           (kind == EMBWS_CLOSE && option(v, "manual-close") != NULL);
}

/* Answers the events of a call. There is exactly the room that the next answer needs, as the call before has said. */
static void reply(stream *of) {
    endpoint *to = of->end;
    embws_io *io = &to->io, before;
    uint32_t next = 0;
    size_t room = 0, written = 0;
    if (io->found == 1 && manual(to->vector, io->events[0].kind)) return;
    for (;;) {
        memcpy(&before, io, sizeof before);
        uint32_t from = next;
        int32_t status = embws_codec_reply(to->codec, io, &next, lend(&dst, room), room, &written);
        if (memcmp(&before, io, sizeof before) != 0) wrong("embws_codec_reply changed io");
        if (status == EMBWS_ERR_NO_ROOM) {
            intact(&dst, 0, "embws_codec_reply");
            if (written <= room || written > EMBWS_MAX_CONTROL_FRAME_SIZE) {
                wrong("embws_codec_reply: no room in %zu bytes, but %zu are needed", room, written);
            }
            room = written;
            continue;
        }
        if (status != EMBWS_MORE) same_status("embws_codec_reply", EMBWS_OK, status);
        if (written > room) wrong("embws_codec_reply wrote %zu bytes to a room of %zu", written, room);
        intact(&dst, written, "embws_codec_reply");
        bytes_add(&to->sent, lent(&dst), written);
        if (status == EMBWS_OK) break;
        if (next == from || written == 0) wrong("embws_codec_reply: no progress at event %u", next);
    }
    same_number("embws_codec_reply: next", io->found, next);
}

/* A call that cannot be done writes nothing. */
static void refused(endpoint *to) {
    size_t written = 7;
    uint8_t *at = lend(&dst, 64);
    int32_t status = embws_codec_encode(to->codec, EMBWS_BINARY, 1, NULL, 0, at, 64, &written);
    same_status("a frame after the failure", EMBWS_ERR_FAILED, status);
    same_number("a frame after the failure: written", 7, (int64_t)written);
    intact(&dst, 0, "embws_codec_encode");
}

/* The Close that tells of a failure, if none was sent before. */
static void tell_failure(endpoint *to) {
    embws_failure f;
    embws_info info;
    size_t written = 0;
    end_failure(to, &f);
    end_info(to, &info);
    if (info.sent_code != 0) return;
    uint8_t *at = lend(&dst, EMBWS_MAX_CONTROL_FRAME_SIZE);
    int32_t status = embws_codec_close(to->codec, f.close_code, NULL, 0, at, EMBWS_MAX_CONTROL_FRAME_SIZE, &written);
    same_status("embws_codec_close after the failure", EMBWS_OK, status);
    intact(&dst, written, "embws_codec_close");
    bytes_add(&to->sent, at, written);
}

/* With several events a call, the codec knows already what comes behind an event: then a Close or a failure behind it
 * leaves it without an answer, and answers are compared only where there is none of them. */
static int answers(const vector *v, uint32_t slots) {
    if (slots == 1) return 1;
    for (size_t i = 0; i < v->events.n; i++) {
        if (v->events.at[i].kind == EMBWS_CLOSE || manual(v, v->events.at[i].kind)) return 0;
    }
    return !v->fail.set;
}

void play_codec(const vector *v, const split *cut, uint32_t slots) {
    playing(DEPTH_WAY, "codec, %u events a call", slots);
    plays++;
    end_codec(&e, v, cut->index);
    for (size_t i = 0; i < v->steps.n; i++) codec_step(&e, &v->steps.at[i], 0);
    stream_begin(&s, &e, slots);
    int answered = answers(v, slots);
    if (answered) s.after = reply;
    int32_t failed = stream_feed(&s, &v->in, cut->cuts, cut->n);
    stream_compare(&s, failed);
    end_compare_peer_close(&e);
    if (failed != EMBWS_OK && answered) tell_failure(&e);
    if (failed != EMBWS_OK) refused(&e);
    if (answered) same_bytes("sent", &v->out, e.sent.at, e.sent.n);
    end_free(&e);
}

/* Lets the bytes of an `in` step arrive one at a time, and answers. */
static void arrive(endpoint *to, const bytes *in) {
    static stream arriving;
    stream_begin(&arriving, to, 1);
    arriving.after = reply;
    int32_t failed = EMBWS_OK;
    for (size_t i = 1; i <= in->n && failed == EMBWS_OK; i++) failed = stream_feed(&arriving, in, &i, 1);
    if (failed != EMBWS_OK) tell_failure(to);
}

/* Sends payload that is owed, a few bytes at a time. */
static void owed(endpoint *to, const bytes *payload) {
    size_t room = 1;
    for (size_t at = 0; at < payload->n; room = room % 7 + 1) {
        size_t written = 0;
        uint8_t *out = lend(&dst, room);
        int32_t status = embws_codec_encode_payload(to->codec, payload->at + at, payload->n - at, out, room, &written);
        same_status("embws_codec_encode_payload", EMBWS_OK, status);
        intact(&dst, written, "embws_codec_encode_payload");
        if (written == 0) wrong("embws_codec_encode_payload: %zu bytes are too many", payload->n - at);
        bytes_add(&to->sent, out, written);
        at += written;
    }
}

static int32_t encode(endpoint *to, const step *st, size_t room, size_t *written) {
    uint8_t *at = lend(&dst, room);
    switch (st->verb) {
        case DO_CLOSE:
            return embws_codec_close(to->codec, (uint32_t)st->code, st->data.at, st->data.n, at, room, written);
        case DO_HEADER: return embws_codec_encode_header(to->codec, st->opcode, st->fin, st->size, at, room, written);
        default: return embws_codec_encode(to->codec, st->opcode, st->fin, st->data.at, st->data.n, at, room, written);
    }
}

/* Too small a room changes nothing, and the size that is needed is said (rule 98). */
static void too_small(endpoint *to, const step *st) {
    enum { edge = 300 };
    size_t size = st->out.n;
    for (size_t room = 0; room < size; room++) {
        size_t written = 7;
        if (room > edge && room + edge < size) room = size - edge;
        same_status("too small a room", EMBWS_ERR_NO_ROOM, encode(to, st, room, &written));
        same_number("the size that is needed", (int64_t)size, (int64_t)written);
        intact(&dst, 0, "too small a room");
    }
    if (size == 0) return;
    if (st->verb == DO_FRAME) {
        same_number("embws_frame_size", (int64_t)size, (int64_t)embws_frame_size(to->vector->role, st->data.n));
    } else if (st->verb == DO_HEADER) {
        same_number("embws_header_size", (int64_t)size, (int64_t)embws_header_size(to->vector->role, st->size));
    }
}

static void refused_step(endpoint *to, const step *st) {
    size_t written = 7;
    int32_t status = encode(to, st, st->data.n + 64, &written);
    if (rule_of(status) != st->error) {
        wrong("want an error of rule %lld, got %s", (long long)st->error, embws_status_name(status));
    }
    same_number("written by what was refused", 7, (int64_t)written);
    intact(&dst, 0, "what was refused");
}

void codec_step(endpoint *to, const step *st, int spare) {
    static bytes given;
    size_t written = 7;
    if (st->verb == DO_IN) {
        arrive(to, &st->data);
        return;
    }
    if (st->verb == DO_PAYLOAD) {
        owed(to, &st->data);
        return;
    }
    if (st->error != NONE) {
        refused_step(to, st);
        return;
    }
    given.n = 0;
    bytes_add(&given, st->data.at, st->data.n);
    too_small(to, st);
    size_t room = st->out.n > 0 && !spare ? st->out.n : st->data.n + EMBWS_MAX_HEADER_SIZE + 50;
    same_status("encode", EMBWS_OK, encode(to, st, room, &written));
    if (written > room) wrong("wrote %zu bytes to a room of %zu", written, room);
    intact(&dst, written, "encode");
    same_bytes("the caller's payload", &given, st->data.at, st->data.n);
    bytes_add(&to->sent, lent(&dst), written);
}
