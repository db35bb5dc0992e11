/* next.c: plays frames through embws_session_next, which puts whole messages together. */
#include "vectors.h"

#include <string.h>

static endpoint e;
static guarded memory, piece;
static finds got;

/* Puts frames together to whole messages; returns 1 if the last one was not finished. */
static int messages(const finds *events, finds *whole) {
    static bytes data;
    int open = 0;
    data.n = 0;
    finds_clear(whole);
    for (size_t i = 0; i < events->n; i++) {
        const found *f = &events->at[i];
        if (f->kind >= EMBWS_CLOSE) {
            finds_add(whole, f->kind, "MFfm", f->code, f->data.at, f->data.n);
            continue;
        }
        bytes_add(&data, f->data.at, f->data.n);
        open = f->edges[3] == '-';
        if (!open) {
            finds_add(whole, f->kind, "MFfm", 0, data.at, data.n);
            data.n = 0;
        }
    }
    return open;
}

static int within(const uint8_t *at, size_t n, const void *memory_at, size_t size) {
    uintptr_t a = (uintptr_t)at, m = (uintptr_t)memory_at;
    return a >= m && n <= size && a - m <= size - n;
}

static void add(const embws_message *m, size_t size) {
    const embws_io *io = &e.io;
    const uint8_t *payload = m->payload;
    size_t n = m->length;
    if (n > 0 && !within(payload, n, io->in, io->in_length) && !within(payload, n, lent(&memory), size) &&
        !within(payload, n, io->control, io->control_length)) {
        wrong("embws_session_next: the payload lies in none of the buffers");
    }
    if (m->kind == EMBWS_CLOSE && n > 0) {
        if (n == 1 || (payload[0] << 8 | payload[1]) != (int)m->code) {
            wrong("close code %u and body %s", m->code, shown(payload, n));
        }
        payload += 2;
        n -= 2;
    } else if (m->kind != EMBWS_CLOSE && m->code != 0) {
        wrong("embws_session_next: kind %u with code %u", m->kind, m->code);
    }
    finds_add(&got, m->kind, "MFfm", m->code, payload, n);
}

/* Gives bytes once; the status. */
static int32_t give(uint8_t *at, size_t n, size_t size) {
    embws_message m;
    memset(&m, 0x77, sizeof m);
    e.io.in = at;
    e.io.in_length = n;
    end_begin(&e);
    int32_t status = embws_session_next(e.session, &e.io, lent(&memory), size, &m);
    end_took(&e);
    same_number("embws_session_next: io->found", 0, e.io.found);
    if (m.kind != 0) {
        add(&m, size);
    } else if (status == EMBWS_OK && e.io.eaten < n) {
        wrong("embws_session_next: ate %zu of %zu bytes and found nothing", e.io.eaten, n);
    }
    end_flush(&e);
    return status;
}

static int32_t feed(const vector *v, const split *s, size_t size, size_t *eaten) {
    for (size_t i = 0; i < s->n; i++) {
        size_t length = s->cuts[i] - *eaten;
        uint8_t *at = lend_copy(&piece, v->in.at + *eaten, length);
        for (size_t given = 0; given < length;) {
            int32_t status = give(at + given, length - given, size);
            given += e.io.eaten;
            *eaten += e.io.eaten;
            intact(&piece, ALL, "io->in");
            if (status != EMBWS_OK) return status;
        }
    }
    return EMBWS_OK;
}

static void after_failure(int32_t failed, size_t size) {
    uint8_t *at = lend_copy(&piece, "\x82\x80\0\0\0\0", 6);
    same_status("embws_session_next after the failure", failed, give(at, 6, size));
    same_number("eaten after the failure", 0, (int64_t)e.io.eaten);
}

void play_next(const vector *v, const split *s) {
    static finds whole;
    size_t size = v->in.n > 1u << 16 ? v->in.n : 1u << 16, eaten = 0;
    int open = messages(&v->events, &whole);
    if (option(v, "memory") != NULL) {
        size = (size_t)option_number(v, "memory");
    } else if (open || v->steps.n > 0 || (v->fail.set && v->fail.code == EMBWS_CLOSE_MESSAGE_TOO_BIG)) {
        return; /* a longer message may have been announced than fits */
    }
    playing(DEPTH_WAY, "embws_session_next, %zu bytes of memory", size);
    plays++;
    end_session(&e, v, v->out.n + EMBWS_MAX_CONTROL_FRAME_SIZE);
    finds_clear(&got);
    lend_as_is(&memory, size);
    int32_t failed = feed(v, s, size, &eaten);
    same_finds(&whole, &got);
    embws_failure f;
    end_failure(&e, &f);
    if (v->fail.set) {
        same_failure(v, &v->fail, failed, &f, eaten);
        size_t found_before = got.n;
        after_failure(failed, size);
        same_number("messages after the failure", (int64_t)found_before, (int64_t)got.n);
    } else {
        same_status("no failure", EMBWS_OK, failed);
        same_number("bytes eaten", (int64_t)v->in.n, (int64_t)eaten);
    }
    intact(&memory, ALL, "memory");
    same_bytes("sent", &v->out, e.sent.at, e.sent.n);
    end_free(&e);
}
