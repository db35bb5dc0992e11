/* stream.c: feeds an end in pieces, gathers what it finds, and holds that against the case. */
#include "vectors.h"

#include <stdlib.h>
#include <string.h>

enum { looked_at = 256 }; /* bytes behind those that were eaten */

static guarded piece, slots;

void finds_clear(finds *f) {
    for (size_t i = 0; i < f->n; i++) free(f->at[i].data.at);
    f->n = 0;
}

found *finds_add(finds *f, uint32_t kind, const char *edges, uint32_t code, const void *data, size_t n) {
    found *to = PUSH(f);
    to->kind = kind;
    to->code = code;
    strcpy(to->edges, edges);
    bytes_add(&to->data, data, n);
    return to;
}

void stream_begin(stream *s, endpoint *e, uint32_t count) {
    s->end = e;
    s->slots = count;
    s->after = NULL;
    s->eaten = 0;
    s->open = 0;
    s->left = 0;
    finds_clear(&s->got);
    e->io.capacity = count;
    e->io.events = (embws_event *)(void *)lend(&slots, count * sizeof(embws_event));
}

static void edges_of(const embws_event *e, char *to) {
    static const uint8_t flags[] = {EMBWS_MESSAGE_START, EMBWS_FRAME_START, EMBWS_FRAME_END, EMBWS_MESSAGE_END};
    strcpy(to, "MFfm");
    for (int i = 0; i < 4; i++) {
        if ((e->flags & flags[i]) == 0) to[i] = '-';
    }
}

static void add_control(stream *s, const embws_event *e, const char *edges, const uint8_t *payload) {
    size_t n = e->length;
    if (s->open || strcmp(edges, "MFfm") != 0 || e->left != 0) wrong("a control frame in pieces or inside a frame");
    if (e->kind == EMBWS_CLOSE && n > 0) {
        if (n == 1 || (payload[0] << 8 | payload[1]) != e->code) {
            wrong("close code %u and body %s", e->code, shown(payload, n));
        }
        payload += 2;
        n -= 2;
    }
    finds_add(&s->got, e->kind, edges, e->code, payload, n);
}

/* Merges an event with those of the same frame. */
static void add(stream *s, const embws_event *e) {
    const embws_io *io = &s->end->io;
    const uint8_t *payload = embws_event_payload(io, e);
    int kept = (e->flags & EMBWS_KEPT) != 0;
    char edges[5];
    edges_of(e, edges);
    if (payload == NULL && e->length > 0) wrong("an event of %u bytes without a payload", e->length);
    if (kept ? e != io->events || io->control_length != e->length : (e->flags & EMBWS_IN_ROOM) != 0) {
        wrong("flags %u, control_length %u, length %u", e->flags, io->control_length, e->length);
    }
    if ((e->flags & EMBWS_FRAME_END) && !(e->flags & EMBWS_FINAL) != !(e->flags & EMBWS_MESSAGE_END)) {
        wrong("EMBWS_FINAL and the message's end differ: flags %u", e->flags);
    }
    if (e->kind >= EMBWS_CLOSE) {
        add_control(s, e, edges, payload);
        return;
    }
    if (e->code != 0 || kept) wrong("a data frame with code %u, flags %u", e->code, e->flags);
    if ((edges[1] == 'F') == s->open) wrong("a frame's start inside of a frame, or a piece outside of one");
    if ((edges[0] == 'M' && edges[1] != 'F') || (edges[3] == 'm' && edges[2] != 'f')) {
        wrong("a message's edge without that of a frame: %s", edges);
    }
    if ((s->open && s->left != e->left + e->length) || (edges[2] == 'f' && e->left != 0)) {
        wrong("%llu left, then %u bytes with %llu left", (unsigned long long)s->left, e->length,
              (unsigned long long)e->left);
    }
    if (!s->open) {
        finds_add(&s->got, e->kind, edges, 0, payload, e->length);
    } else {
        found *last = &s->got.at[s->got.n - 1];
        if (last->kind != e->kind) wrong("kind %u, then %u in one frame", last->kind, e->kind);
        bytes_add(&last->data, payload, e->length);
        memcpy(last->edges + 2, edges + 2, 2);
    }
    s->open = edges[2] != 'f';
    s->left = e->left;
}

/* Checks that a failure is final (rule 56). */
static void sticky(stream *s, int32_t failed) {
    static const struct {
        const char *text;
        size_t n;
    } more[] = {{"", 0}, {"\x82\x80\0\0\0\0", 6}, {"\x82\0", 2}};
    embws_failure first, again;
    embws_io *io = &s->end->io;
    end_failure(s->end, &first);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        io->in = lend_copy(&piece, more[i].text, more[i].n);
        io->in_length = more[i].n;
        same_status("again after the failure", failed, end_receive(s->end));
        if (io->eaten != 0 || io->found != 0) wrong("after the failure: ate %zu, %u events", io->eaten, io->found);
        intact(&piece, ALL, "io->in");
        if (memcmp(lent(&piece), more[i].text, more[i].n) != 0) wrong("input after the failure was changed");
        end_flush(s->end);
        end_failure(s->end, &again);
        if (memcmp(&first, &again, sizeof first) != 0) wrong("after the failure: another failure");
    }
    same_status("the transport's end after the failure", failed, end_ended(s->end));
}

/* Gives one piece, once. */
static int32_t give(stream *s, const bytes *in, uint8_t *at, size_t n) {
    embws_io *io = &s->end->io;
    io->in = at;
    io->in_length = n;
    int32_t status = end_receive(s->end);
    if (status != EMBWS_OK && !EMBWS_IS_VIOLATION(status)) same_status("receive", EMBWS_OK, status);
    intact(&slots, ALL, "io->events");
    size_t rest = n - io->eaten < looked_at ? n - io->eaten : looked_at;
    /* After a failure they are given to nobody, and may have been unmasked. */
    if (status == EMBWS_OK && rest > 0 && memcmp(at + io->eaten, in->at + s->eaten + io->eaten, rest) != 0) {
        wrong("changed bytes behind those that it ate, at %zu", s->eaten + io->eaten);
    }
    for (uint32_t i = 0; i < io->found; i++) add(s, &io->events[i]);
    if (status == EMBWS_OK && io->eaten == 0 && io->found == 0) wrong("no progress at %zu", s->eaten);
    if (s->after != NULL) s->after(s);
    s->eaten += io->eaten;
    io->events = (embws_event *)(void *)lend_as_is(&slots, s->slots * sizeof(embws_event));
    return status;
}

int32_t stream_feed(stream *s, const bytes *in, const size_t *cuts, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (cuts[i] <= s->eaten) continue;
        size_t length = cuts[i] - s->eaten;
        uint8_t *at = lend_copy(&piece, in->at + s->eaten, length);
        for (size_t given = 0; given < length;) {
            int32_t status = give(s, in, at + given, length - given);
            if (status != EMBWS_OK) {
                intact(&piece, ALL, "io->in");
                sticky(s, status);
                return status;
            }
            given += s->end->io.eaten;
        }
        intact(&piece, ALL, "io->in");
    }
    return EMBWS_OK;
}

static const char *kind_name(uint32_t kind) {
    switch (kind) {
        case EMBWS_TEXT: return "text";
        case EMBWS_BINARY: return "binary";
        case EMBWS_CLOSE: return "close";
        case EMBWS_PING: return "ping";
        case EMBWS_PONG: return "pong";
        case EMBWS_HANDSHAKE: return "handshake";
        default: return "an unknown kind";
    }
}

void same_finds(const finds *want, const finds *got) {
    for (size_t i = 0; i < want->n || i < got->n; i++) {
        const found *w = i < want->n ? &want->at[i] : NULL, *g = i < got->n ? &got->at[i] : NULL;
        if (w != NULL && g != NULL && w->kind == g->kind && w->code == g->code && strcmp(w->edges, g->edges) == 0 &&
            bytes_equal(&w->data, g->data.at, g->data.n)) {
            continue;
        }
        static const found none = {0, 0, "none", {0}};
        const found *a = w != NULL ? w : &none, *b = g != NULL ? g : &none;
        wrong("event %zu: want %s %s %u %s, got %s %s %u %s", i, w != NULL ? kind_name(a->kind) : "", a->edges, a->code,
              shown(a->data.at, a->data.n), g != NULL ? kind_name(b->kind) : "", b->edges, b->code,
              shown(b->data.at, b->data.n));
    }
}

/* The header of the frame that broke the rule must be that of the input, and the same in every split. */
static void same_header(const vector *v, const embws_failure *f) {
    static const char *whose;
    static embws_failure first;
    size_t at = frame_start(v, (size_t)f->offset);
    size_t before = f->offset > 0 ? frame_start(v, (size_t)f->offset - 1) : 0; /* for a rule that is broken by an end */
    if (f->header_length == 0 || f->header_length > sizeof f->header)
        wrong("failure.header_length %u", f->header_length);
    if ((at + f->header_length > v->in.n || memcmp(v->in.at + at, f->header, f->header_length) != 0) &&
        (before + f->header_length > v->in.n || memcmp(v->in.at + before, f->header, f->header_length) != 0)) {
        wrong("failure.header: %s is not that of the frame at %zu", shown(f->header, f->header_length), at);
    }
    if (whose == v->name && memcmp(f, &first, sizeof first) != 0) {
        wrong("failure.header: %s, but it was %s in another split or way", shown(f->header, f->header_length),
              shown(first.header, first.header_length));
    }
    whose = v->name;
    first = *f;
}

void same_failure(const vector *v, const fail *want, int32_t failed, const embws_failure *f, size_t eaten) {
    if (!EMBWS_IS_VIOLATION(failed)) {
        wrong("want rule %lld at %lld, got no failure (%s)", (long long)want->rule, (long long)want->offset,
              embws_status_name(failed));
    }
    int refused = v->kind == KIND_REQUEST;
    int64_t code = refused ? f->http_status : f->close_code;
    if (f->rule != want->rule || f->offset != (uint64_t)want->offset || code != want->code) {
        wrong("want rule %lld at %lld with %lld, got rule %u at %llu with %lld (%s)", (long long)want->rule,
              (long long)want->offset, (long long)want->code, f->rule, (unsigned long long)f->offset, (long long)code,
              embws_status_name(failed));
    }
    same_status("failure.status", failed, f->status);
    same_number("the rule in the status", want->rule, EMBWS_RULE(failed));
    same_number("bytes eaten before the failure", want->offset, (int64_t)eaten);
    /* At a client the case says nothing of an HTTP status. */
    if (v->kind == KIND_FRAMES) same_number("failure.http_status", 0, f->http_status);
    if (v->kind == KIND_FRAMES) {
        same_header(v, f);
    } else {
        same_number("failure.header_length of a handshake", 0, f->header_length);
    }
}

void stream_compare(stream *s, int32_t failed) {
    const vector *v = s->end->vector;
    embws_failure f;
    embws_info info;
    end_failure(s->end, &f);
    end_info(s->end, &info);
    same_finds(&v->events, &s->got);
    same_number("info.received", (int64_t)s->eaten, (int64_t)info.received);
    if (v->fail.set) {
        same_failure(v, &v->fail, failed, &f, s->eaten);
        same_number("info.state", EMBWS_STATE_FAILED, info.state);
        return;
    }
    same_status("no failure", EMBWS_OK, failed);
    same_status("failure.status", EMBWS_OK, f.status);
    same_number("bytes eaten", (int64_t)v->in.n, (int64_t)s->eaten);
    if (info.state == EMBWS_STATE_FAILED) wrong("info.state is EMBWS_STATE_FAILED");
    int closed = v->events.n > 0 && v->events.at[v->events.n - 1].kind == EMBWS_CLOSE;
    int64_t want = v->eof != NONE ? v->eof : closed ? 0 : 84;
    same_number("rule of the transport's end", want, rule_of(end_ended(s->end)));
}
