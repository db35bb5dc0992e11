/* send.c: plays what a sender does: step by step through a codec, in batches through a codec, and through a session. */
#include "vectors.h"

#include <string.h>

static endpoint e;

static void name_step(const vector *v, size_t i) {
    static const char *const verbs[] = {"a frame", "close", "header", "payload", "in"};
    playing(DEPTH_PART, "step %zu (%s)", i + 1, verbs[v->steps.at[i].verb]);
}

static void through_codec(const vector *v, int spare) {
    playing(DEPTH_WAY, spare ? "codec, room to spare" : "codec, exactly the room that is needed");
    plays++;
    end_codec(&e, v, (size_t)spare);
    for (size_t i = 0; i < v->steps.n; i++) {
        name_step(v, i);
        e.sent.n = 0;
        codec_step(&e, &v->steps.at[i], spare);
        same_bytes("sent", &v->steps.at[i].out, e.sent.at, e.sent.n);
    }
    end_free(&e);
}

/* How many frames stand in line from step i on; the last may be one that is refused. */
static size_t run_of_frames(const vector *v, size_t i) {
    size_t n = 0;
    while (i + n < v->steps.n && v->steps.at[i + n].verb == DO_FRAME) {
        if (v->steps.at[i + n++].error != NONE) break;
    }
    return n;
}

/* Sends the frames in batches through `room` bytes, or through what is needed if that is more. */
static void batch(const vector *v, size_t first, size_t n, size_t least_room) {
    static guarded dst;
    static LIST(embws_frame) frames;
    static bytes want;
    frames.n = want.n = 0;
    for (size_t i = first; i < first + n; i++) {
        const step *s = &v->steps.at[i];
        embws_frame *f = PUSH(&frames);
        f->payload = s->data.at;
        f->length = s->data.n;
        f->opcode = s->opcode;
        f->fin = s->fin;
        bytes_add(&want, s->out.at, s->out.n);
    }
    const step *last = &v->steps.at[first + n - 1];
    size_t room = least_room, done = 0;
    int32_t status = EMBWS_MORE;
    e.sent.n = 0;
    while (status == EMBWS_MORE) {
        size_t encoded = 7777, written = 7777;
        uint8_t *at = lend(&dst, room);
        status = embws_codec_encode_batch(e.codec, frames.at + done, n - done, at, room, &encoded, &written);
        if (status == EMBWS_ERR_NO_ROOM) {
            if (encoded != 0 || written <= room) wrong("no room in %zu bytes: %zu, %zu frames", room, written, encoded);
            intact(&dst, 0, "embws_codec_encode_batch");
            room = written;
            status = EMBWS_MORE;
            continue;
        }
        if (written > room || encoded > n - done) wrong("wrote %zu bytes of %zu, %zu frames", written, room, encoded);
        if (status == EMBWS_MORE && encoded == 0) wrong("EMBWS_MORE without a frame");
        intact(&dst, written, "embws_codec_encode_batch");
        bytes_add(&e.sent, at, written);
        done += encoded;
        room = least_room;
    }
    same_number("frames encoded", (int64_t)(last->error == NONE ? n : n - 1), (int64_t)done);
    same_number("rule", last->error == NONE ? 0 : last->error, rule_of(status));
    same_bytes("sent", &want, e.sent.at, e.sent.n);
}

static void in_batches(const vector *v, size_t room) {
    playing(DEPTH_WAY, "codec, batches through %zu bytes", room);
    plays++;
    end_codec(&e, v, room);
    for (size_t i = 0; i < v->steps.n;) {
        size_t n = run_of_frames(v, i);
        name_step(v, i);
        if (n > 0) {
            batch(v, i, n, room);
            i += n;
        } else {
            e.sent.n = 0;
            codec_step(&e, &v->steps.at[i], 1);
            same_bytes("sent", &v->steps.at[i].out, e.sent.at, e.sent.n);
            i++;
        }
    }
    end_free(&e);
}

static void take(stream *of) { end_flush(of->end); }

static void arrive(endpoint *to, const bytes *in) {
    static stream s;
    stream_begin(&s, to, 64);
    s.after = take;
    stream_feed(&s, in, &in->n, 1);
}

/* Does a step through a session, whose output has room for a whole data frame at least: with less it would be sent as
 * several frames, which is a_message_in_pieces. */
void session_step(endpoint *to, const step *s) {
    size_t room = to->room;
    int held = to->held;
    int32_t status = EMBWS_OK;
    if (s->verb == DO_IN) {
        arrive(to, &s->data);
        return;
    }
    static bytes given;
    given.n = 0;
    bytes_add(&given, s->data.at, s->data.n);
    uint64_t size = embws_frame_size(to->vector->role, s->data.n);
    int data = s->verb == DO_FRAME && s->opcode < EMBWS_CLOSE;
    if (data && room < size) to->room = (size_t)size;
    to->held = 0;
    to->io.in_length = 0;
    end_begin(to);
    if (s->verb == DO_CLOSE) {
        status = embws_session_close(to->session, &to->io, (uint32_t)s->code, s->data.at, s->data.n);
    } else if (s->verb == DO_FRAME && s->opcode == EMBWS_PING) {
        status = embws_session_ping(to->session, &to->io, s->data.at, s->data.n);
    } else if (s->verb == DO_FRAME && s->opcode == EMBWS_PONG) {
        status = embws_session_pong(to->session, &to->io, s->data.at, s->data.n);
    } else if (s->verb == DO_FRAME) {
        status = embws_session_send(to->session, &to->io, s->opcode, s->fin, s->data.at, s->data.n);
    } else {
        wrong("a session is not given such a step: the case lacks level codec");
    }
    to->room = room;
    to->held = held;
    end_took(to);
    int64_t want = s->error == NONE ? 0 : s->error;
    if (rule_of(status) != want)
        wrong("want an error of rule %lld, got %s", (long long)want, embws_status_name(status));
    same_number("io->taken", data && want == 0 ? (int64_t)s->data.n : 0, (int64_t)to->io.taken);
    same_bytes("the caller's payload", &given, s->data.at, s->data.n);
    end_flush(to);
}

static void through_session(const vector *v, size_t room) {
    playing(DEPTH_WAY, "session, output of %zu bytes", room);
    plays++;
    end_session(&e, v, room);
    for (size_t i = 0; i < v->steps.n; i++) {
        name_step(v, i);
        e.sent.n = 0;
        session_step(&e, &v->steps.at[i]);
        same_bytes("sent", &v->steps.at[i].out, e.sent.at, e.sent.n);
    }
    end_free(&e);
}

/* Adds what a step sends to the message or control frames that the peer must find. */
static void expect(finds *want, const step *s) {
    static uint32_t kind;
    if (s->opcode >= EMBWS_CLOSE) {
        finds_add(want, s->opcode, "MFfm", 0, s->data.at, s->data.n);
        return;
    }
    if (s->opcode != EMBWS_CONTINUATION) kind = s->opcode;
    found *last = want->n > 0 ? &want->at[want->n - 1] : NULL;
    if (last != NULL && last->edges[3] == '-') {
        bytes_add(&last->data, s->data.at, s->data.n);
    } else {
        last = finds_add(want, kind, "MFf-", 0, s->data.at, s->data.n);
    }
    last->edges[3] = s->fin ? 'm' : '-';
}

/* Frames of a message put together. */
static void joined(const finds *frames, finds *to) {
    finds_clear(to);
    for (size_t i = 0; i < frames->n; i++) {
        const found *f = &frames->at[i];
        found *last = to->n > 0 ? &to->at[to->n - 1] : NULL;
        if (f->kind < EMBWS_CLOSE && last != NULL && last->edges[3] == '-') {
            if (f->edges[0] == 'M' || f->kind != last->kind)
                wrong("frame %zu: edges %s, kind %u", i, f->edges, f->kind);
            bytes_add(&last->data, f->data.at, f->data.n);
            last->edges[3] = f->edges[3];
        } else {
            finds_add(to, f->kind, f->edges, f->code, f->data.at, f->data.n);
        }
    }
}

/* Only messages, one after the other, none refused and none between fragments. */
static int plain(const vector *v) {
    int open = 0;
    for (size_t i = 0; i < v->steps.n; i++) {
        const step *s = &v->steps.at[i];
        if (s->verb != DO_FRAME || s->error != NONE || (s->opcode >= EMBWS_CLOSE && open)) return 0;
        if (s->opcode < EMBWS_CLOSE) open = !s->fin;
    }
    return 1;
}

static void send_in_pieces(const step *s) {
    for (size_t at = 0;;) {
        e.io.in_length = 0;
        end_begin(&e);
        const uint8_t *from = s->data.n > 0 ? s->data.at + at : NULL;
        int32_t status = embws_session_send(e.session, &e.io, s->opcode, s->fin, from, s->data.n - at);
        end_took(&e);
        at += e.io.taken;
        if (at > s->data.n) wrong("took %zu bytes too many", at - s->data.n);
        if (status == EMBWS_OK) {
            same_number("bytes taken", (int64_t)s->data.n, (int64_t)at);
            end_flush(&e);
            return;
        }
        same_status("embws_session_send", EMBWS_MORE, status);
        if (e.io.taken == 0 && e.io.out_length == 0) wrong("EMBWS_MORE without progress at %zu", at);
    }
}

/* Through little room a session makes several frames of a message, and a peer finds the same messages. */
static void a_message_in_pieces(const vector *v, size_t room) {
    static endpoint peer;
    static vector receiver_of;
    static stream s;
    static finds want, got;
    playing(DEPTH_WAY, "session, messages in pieces through %zu bytes", room);
    plays++;
    finds_clear(&want);
    end_session(&e, v, room);
    for (size_t i = 0; i < v->steps.n; i++) {
        name_step(v, i);
        expect(&want, &v->steps.at[i]);
        if (v->steps.at[i].opcode < EMBWS_CLOSE) {
            send_in_pieces(&v->steps.at[i]);
        } else {
            session_step(&e, &v->steps.at[i]);
        }
    }
    end_free(&e);
    receiver_of.kind = KIND_FRAMES;
    receiver_of.role = v->role == EMBWS_SERVER ? EMBWS_CLIENT : EMBWS_SERVER;
    end_codec(&peer, &receiver_of, 0);
    stream_begin(&s, &peer, 64);
    int32_t status = stream_feed(&s, &e.sent, &e.sent.n, 1);
    if (status != EMBWS_ERR_UTF8 || option(v, "check-text") != NULL) { /* else it was sent unchecked, on purpose */
        same_status("the peer", EMBWS_OK, status);
        joined(&s.got, &got);
        same_finds(&want, &got);
    }
    end_free(&peer);
}

void play_send(const vector *v) {
    if (v->level != LEVEL_SESSION) {
        through_codec(v, 0);
        through_codec(v, 1);
        for (size_t i = 0; i < ROOMS; i++) in_batches(v, rooms[i]);
    }
    if (v->level == LEVEL_CODEC) return;
    for (size_t i = 0; i < ROOMS; i++) through_session(v, rooms[i]);
    through_session(v, (size_t)1 << 18);
    for (size_t i = 0; plain(v) && i < ROOMS; i++) a_message_in_pieces(v, rooms[i]);
}
