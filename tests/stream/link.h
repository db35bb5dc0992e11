/*
 * link.h: what the tests of embws_stream share: a transport in memory that misbehaves as it is told, by a seed, and two
 * parties that play scripts over it.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#ifndef LINK_H
#define LINK_H

#include "embws_stream.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                       \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, link_subject); \
            exit(1);                                                                           \
        }                                                                                      \
    } while (0)

/* Two numbers must be equal; both are printed. */
#define EQUAL(got, want)                                                                                             \
    do {                                                                                                             \
        long long got_ = (long long)(got), want_ = (long long)(want);                                                \
        if (got_ != want_) {                                                                                         \
            fprintf(stderr, "%s:%d: %s is %lld (%s), not %lld (%s) (%s)\n", __FILE__, __LINE__, #got, got_,          \
                    embws_stream_message((int32_t)got_), want_, embws_stream_message((int32_t)want_), link_subject); \
            exit(1);                                                                                                 \
        }                                                                                                            \
    } while (0)

/* What is being tested: a failure says so. */
static char link_subject[200] = "";

/* xorshift64: the same numbers on every machine. */
static uint64_t link_seed = 1;

static inline size_t chance(size_t below) {
    link_seed ^= link_seed << 13;
    link_seed ^= link_seed >> 7;
    link_seed ^= link_seed << 17;
    return (size_t)(link_seed % below);
}

/* One direction. */
typedef struct channel {
    uint8_t *bytes;
    size_t from, to, size; /* it blocks when `size` bytes wait */
    int ended;             /* the writer has gone, or has said that it is done */
    int broken;            /* the reader has gone */
} channel;

/* How a transport behaves: in percent of the calls it would block, or fail, without cause. */
typedef struct manners {
    size_t most; /* bytes per call */
    size_t blocks;
    size_t fails;
    size_t holds; /* bytes that a direction takes before it blocks */
} manners;

typedef struct party party;

/* A line of a script: a call, repeated until it is done, and what it must return in the end. */
typedef struct line {
    int32_t (*call)(party *p);
    int32_t expect;
} line;

struct party {
    embws_stream stream;
    const char *name;
    channel *in, *out;
    const manners *manners;
    const line *script; /* ends with a NULL call */
    size_t stage;
    uint64_t calls; /* of the transport */

    embws_message message; /* of the last read */
    const char *text;      /* what the script writes */
    uint8_t *plan;         /* a test's own */
    size_t sent, got, total;
    int half, ended;
};

static inline ptrdiff_t link_mishap(party *p, ptrdiff_t blocked) {
    size_t luck = chance(100);
    p->calls++;
    if (luck < p->manners->fails) {
        return EMBWS_TRANSPORT_ERROR;
    }
    return luck < p->manners->fails + p->manners->blocks ? blocked : 0;
}

static inline size_t least(size_t a, size_t b) { return a < b ? a : b; }

static inline ptrdiff_t link_read(void *context, void *buffer, size_t size) {
    party *p = context;
    channel *c = p->in;
    size_t n = least(c->to - c->from, size);
    ptrdiff_t mishap = link_mishap(p, EMBWS_TRANSPORT_WANT_READ);
    CHECK(size > 0);
    if (mishap != 0) {
        return mishap;
    }
    if (n == 0) {
        CHECK(!p->ended); /* a transport that has ended is not asked again */
        p->ended = c->ended;
        return c->ended ? EMBWS_TRANSPORT_END : EMBWS_TRANSPORT_WANT_READ;
    }
    n = 1 + chance(least(n, p->manners->most));
    memcpy(buffer, c->bytes + c->from, n);
    c->from += n;
    return (ptrdiff_t)n;
}

/* Moves what waits to the head, and returns how many bytes more a direction takes. */
static inline size_t link_room(channel *c) {
    memmove(c->bytes, c->bytes + c->from, c->to - c->from);
    c->to -= c->from;
    c->from = 0;
    return c->size - c->to;
}

static inline ptrdiff_t link_write(void *context, const void *bytes, size_t length) {
    party *p = context;
    channel *c = p->out;
    size_t n;
    ptrdiff_t mishap = link_mishap(p, EMBWS_TRANSPORT_WANT_WRITE);
    CHECK(length > 0 && !c->ended);
    if (mishap != 0) {
        return mishap;
    }
    if (c->broken) {
        return EMBWS_TRANSPORT_ERROR;
    }
    n = least(link_room(c), length);
    if (n == 0) {
        return chance(2) ? EMBWS_TRANSPORT_WANT_WRITE : 0; /* 0 is the same */
    }
    n = 1 + chance(least(n, p->manners->most));
    memcpy(c->bytes + c->to, bytes, n);
    c->to += n;
    return (ptrdiff_t)n;
}

static inline void link_shut(void *context) {
    party *p = context;
    CHECK(!p->out->ended); /* at most once */
    p->out->ended = 1;
}

/* A client and a server, and what lies between them. Each buffer is a block of its own, so that a sanitizer sees its
 * end. */
typedef struct pair {
    channel up, down;
    party client, server;
    manners manners;
} pair;

static inline void *link_memory(size_t size) {
    void *memory = malloc(size > 0 ? size : 1);
    CHECK(memory != NULL);
    return memory;
}

static inline void link_party(party *p, const char *name, channel *in, channel *out, const manners *m, size_t read_size,
                              size_t write_size, size_t message_size) {
    memset(p, 0, sizeof *p);
    p->name = name;
    p->in = in;
    p->out = out;
    p->manners = m;
    p->text = "hello";
    p->stream.read = link_read;
    p->stream.write = link_write;
    p->stream.shut = link_shut;
    p->stream.context = p;
    p->stream.read_buffer = link_memory(read_size);
    p->stream.read_size = read_size;
    p->stream.write_buffer = link_memory(write_size);
    p->stream.write_size = write_size;
    p->stream.message_memory = link_memory(message_size);
    p->stream.message_size = message_size;
}

static inline void link_pair(pair *l, manners m, size_t read_size, size_t write_size, size_t message_size) {
    memset(l, 0, sizeof *l);
    l->manners = m;
    l->up.bytes = link_memory(m.holds);
    l->down.bytes = link_memory(m.holds);
    l->up.size = l->down.size = m.holds;
    link_party(&l->client, "client", &l->down, &l->up, &l->manners, read_size, write_size, message_size);
    link_party(&l->server, "server", &l->up, &l->down, &l->manners, read_size, write_size, message_size);
}

static inline void link_party_free(party *p) {
    embws_stream_free(&p->stream);
    free(p->stream.read_buffer);
    free(p->stream.write_buffer);
    free(p->stream.message_memory);
}

static inline void link_free(pair *l) {
    link_party_free(&l->client);
    link_party_free(&l->server);
    free(l->up.bytes);
    free(l->down.bytes);
}

/* Does the next call of a script; 1 if the script is at its end. */
static inline int link_step(party *p) {
    const line *now = p->script + p->stage;
    int32_t result;
    if (now->call == NULL) {
        return 1;
    }
    result = now->call(p);
    if (EMBWS_STREAM_WANTS(result)) {
        return 0;
    }
    if (result == EMBWS_STREAM_ERR_TRANSPORT && p->manners->fails > 0 && now->expect != result) {
        return 0; /* the transport recovers */
    }
    if (result != now->expect) {
        fprintf(stderr, "the %s, line %u of its script:\n", p->name, (unsigned)p->stage);
        EQUAL(result, now->expect);
    }
    p->stage++;
    return p->script[p->stage].call == NULL;
}

/* Plays both scripts to their ends, by turns of chance. */
static inline void link_play(pair *l, const line *client, const line *server) {
    long idle = 0, bound = 40000000;
    int done = 0;
    l->client.script = client;
    l->server.script = server;
    l->client.stage = l->server.stage = 0;
    l->client.ended = l->server.ended = 0;
    while (!done) {
        int a, b;
        if (idle++ > bound) {
            fprintf(stderr, "neither comes to its end: the client stands at line %u of its script, the server at %u\n",
                    (unsigned)l->client.stage, (unsigned)l->server.stage);
            CHECK(idle <= bound);
        }
        if (chance(2)) {
            a = link_step(&l->client), b = link_step(&l->server);
        } else {
            b = link_step(&l->server), a = link_step(&l->client);
        }
        done = a && b;
    }
}

/* ---- Calls for scripts -------------------------------------------------------------------------------------- */

static inline int32_t do_connect(party *p) {
    embws_request request;
    EMBWS_INIT(&request);
    request.host = embws_span_of("example.com");
    request.target = embws_span_of("/chat");
    return embws_stream_connect(&p->stream, &request, NULL, NULL);
}

static inline int32_t do_serve(party *p) { return embws_stream_serve(&p->stream, NULL, NULL); }

static inline int32_t do_accept(party *p) { return embws_stream_accept(&p->stream, NULL); }

static inline int32_t do_write(party *p) {
    return embws_stream_write(&p->stream, EMBWS_TEXT, p->text, strlen(p->text));
}

/* Reads a message, which must be the one that the other party's `text` says. */
static inline int32_t do_read(party *p) {
    int32_t result = embws_stream_read(&p->stream, &p->message);
    if (result == EMBWS_OK) {
        EQUAL(p->message.kind, EMBWS_TEXT);
        EQUAL(p->message.length, strlen(p->text));
        CHECK(memcmp(p->message.payload, p->text, p->message.length) == 0);
    }
    return result;
}

static inline int32_t do_ping(party *p) { return embws_stream_ping(&p->stream, "ping", 4); }

static inline int32_t do_close(party *p) { return embws_stream_close(&p->stream, 4000, "enough", 6); }

/* Closes the transport. */
static inline int32_t do_hang_up(party *p) {
    p->out->ended = 1;
    p->in->broken = 1;
    return EMBWS_OK;
}

/* Waits until the other party has nothing more to say, without taking it. */
static inline int32_t do_wait_end(party *p) { return p->in->ended ? EMBWS_OK : EMBWS_STREAM_WANT_READ; }

/* Puts bytes on the wire that are not the stream's, as they are. */
static inline void link_raw(party *p, const void *bytes, size_t length) {
    channel *c = p->out;
    CHECK(length <= link_room(c));
    memcpy(c->bytes + c->to, bytes, length);
    c->to += length;
}

/* The manners that every test is played with. */
static const manners link_manners[] = {
    {65536, 0, 0, 65536}, /* a good transport */
    {65536, 0, 0, 1},     /* one that holds one byte */
    {1, 30, 0, 4096},     {7, 30, 10, 300}, {4096, 60, 20, 50},
};
#define LINK_MANNERS (sizeof link_manners / sizeof link_manners[0])

static const size_t link_sizes[] = {1, 2, 7, 64, 4096};
#define LINK_SIZES (sizeof link_sizes / sizeof link_sizes[0])

/* Calls `test` with every transport and every size of buffer. */
static inline void link_each(const char *name, void (*test)(manners m, size_t read_size, size_t write_size)) {
    size_t i, j, k;
    for (i = 0; i < LINK_MANNERS; i++) {
        for (j = 0; j < LINK_SIZES; j++) {
            for (k = 0; k < LINK_SIZES; k++) {
                link_seed = 1 + 1000003 * (100 * i + 10 * j + k);
                snprintf(link_subject, sizeof link_subject, "%s, transport %u, read buffer %u, write buffer %u", name,
                         (unsigned)i, (unsigned)link_sizes[j], (unsigned)link_sizes[k]);
                test(link_manners[i], link_sizes[j], link_sizes[k]);
            }
        }
    }
    printf("ok %s\n", name);
    fflush(stdout);
}

#endif /* LINK_H */
