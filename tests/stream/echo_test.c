/*
 * echo_test.c: a client and a server, each an embws_stream, over a transport that moves a few bytes at a time, would
 * block, and fails now and then. Every byte comes back once, in order, with any size of buffers.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#include "link.h"

/* The messages of a run: their lengths. */
static const size_t lengths[] = {0, 1, 2, 63, 64, 65, 125, 126, 127, 500, 3000, 0, 7};
#define MESSAGES (sizeof lengths / sizeof lengths[0])

static uint8_t byte_at(size_t message, size_t offset) { return (uint8_t)(message * 41 + offset * 7 + (offset >> 8)); }

/* The server's script: a loop over pieces. A piece stays valid while its write is repeated. */
static int32_t serve_echo(party *p) {
    static embws_piece piece;
    int32_t result;
    if (!p->half) {
        result = embws_stream_read_piece(&p->stream, &piece);
        if (result != EMBWS_OK) {
            return result;
        }
        p->half = 1;
    }
    result = embws_stream_write_piece(&p->stream, piece.kind, piece.last, piece.payload, piece.length);
    if (result == EMBWS_OK) {
        p->half = 0;
    }
    return result == EMBWS_OK ? EMBWS_STREAM_WANT_READ : result;
}

/* What the client does: writes messages, whole or in parts, Pings at times, and reads the echo while it writes. */
typedef struct talk {
    size_t writing, offset, part; /* part: 0 if the next one is not chosen yet */
    int fin;
    size_t reading, matched;
    uint8_t *payload;
    int pings, pongs, pinging;
    int whole; /* the echo is read in whole messages */
} talk;

static int32_t talk_write(party *p, talk *t) {
    size_t length = lengths[t->writing], i;
    int32_t result;
    if (t->payload == NULL) {
        t->part = chance(3) ? length - t->offset : chance(length - t->offset + 1);
        t->fin = t->part == length - t->offset && chance(4) != 0;
        t->payload = link_memory(t->part);
        for (i = 0; i < t->part; i++) {
            t->payload[i] = byte_at(t->writing, t->offset + i);
        }
    }
    result = embws_stream_write_piece(&p->stream, EMBWS_BINARY, (uint32_t)t->fin, t->payload, t->part);
    if (result != EMBWS_OK) {
        return result;
    }
    free(t->payload);
    t->payload = NULL;
    t->offset += t->part;
    if (t->fin) {
        t->writing++;
        t->offset = 0;
    }
    return EMBWS_OK;
}

static void match(talk *t, uint32_t kind, const uint8_t *payload, size_t length, int first, int last) {
    size_t i;
    CHECK(t->reading < MESSAGES);
    EQUAL(kind, EMBWS_BINARY);
    EQUAL(first, t->matched == 0);
    for (i = 0; i < length; i++) {
        EQUAL(payload[i], byte_at(t->reading, t->matched + i));
    }
    t->matched += length;
    if (last) {
        EQUAL(t->matched, lengths[t->reading]);
        t->reading++;
        t->matched = 0;
    }
}

static int32_t talk_read(party *p, talk *t) {
    int32_t result;
    if (t->whole) {
        embws_message m;
        result = embws_stream_next(&p->stream, &m);
        if (result == EMBWS_OK && m.kind == EMBWS_PONG) {
            EQUAL(m.length, 4);
            CHECK(memcmp(m.payload, "ping", 4) == 0);
            t->pongs++;
        } else if (result == EMBWS_OK) {
            match(t, m.kind, m.payload, m.length, 1, 1);
        }
    } else {
        embws_piece piece;
        result = embws_stream_read_piece(&p->stream, &piece);
        if (result == EMBWS_OK) {
            /* An empty piece may come before others: `first` is for the first alone. */
            match(t, piece.kind, piece.payload, piece.length, t->matched == 0, (int)piece.last);
        }
    }
    return result;
}

static int32_t talk_all(party *p) {
    talk *t = (talk *)(void *)p->plan;
    int32_t result = EMBWS_OK;
    if (t->pinging ? chance(2) : chance(20) == 0) { /* an unfinished Ping does not keep from reading */
        t->pinging = 1;
        result = do_ping(p);
        if (result == EMBWS_ERR_FRAME_OPEN) { /* a buffer too small for a whole frame: not now */
            t->pinging = 0;
            result = EMBWS_OK;
        } else if (result == EMBWS_OK) {
            t->pinging = 0;
            t->pings++;
        }
    } else if (t->writing < MESSAGES && chance(2)) {
        result = talk_write(p, t);
    } else if (t->reading < MESSAGES) {
        result = talk_read(p, t);
    }
    if (result != EMBWS_OK) {
        return result;
    }
    return t->reading == MESSAGES && t->writing == MESSAGES && !t->pinging ? EMBWS_OK : EMBWS_STREAM_WANT_READ;
}

static void echo(manners m, size_t read_size, size_t write_size, int whole) {
    static const line client[] = {
        {do_connect, EMBWS_OK}, {talk_all, EMBWS_OK}, {do_close, EMBWS_OK}, {do_hang_up, EMBWS_OK}, {NULL, 0}};
    static const line server[] = {{do_serve, EMBWS_OK}, {do_accept, EMBWS_OK},  {serve_echo, EMBWS_STREAM_END},
                                  {do_close, EMBWS_OK}, {do_hang_up, EMBWS_OK}, {NULL, 0}};
    pair l;
    talk t;
    memset(&t, 0, sizeof t);
    t.whole = whole;
    link_pair(&l, m, read_size, write_size, 3000);
    l.client.plan = (uint8_t *)&t;
    link_play(&l, client, server);
    EQUAL(l.client.stream.io.peer_code, 4000);
    EQUAL(l.server.stream.io.peer_code, 4000);
    EQUAL(l.up.from, l.up.to); /* nothing is left on the wire */
    EQUAL(l.down.from, l.down.to);
    CHECK(!whole || t.pongs <= t.pings);
    link_free(&l);
}

static void echo_in_pieces(manners m, size_t read_size, size_t write_size) { echo(m, read_size, write_size, 0); }

static void echo_in_messages(manners m, size_t read_size, size_t write_size) { echo(m, read_size, write_size, 1); }

/* ---- A message that is larger than all memory --------------------------------------------------------------- */

#define LARGE ((size_t)1 << 20)

static int32_t write_large(party *p) {
    static uint8_t part[997];
    while (p->sent <= LARGE) {
        size_t n = least(sizeof part, LARGE - p->sent), i;
        int fin = p->sent + n == LARGE;
        int32_t result;
        for (i = 0; i < n; i++) {
            part[i] = byte_at(1, p->sent + i);
        }
        result = embws_stream_write_piece(&p->stream, EMBWS_BINARY, (uint32_t)fin, part, n);
        if (result != EMBWS_OK) {
            return result;
        }
        p->sent += n;
        if (fin) {
            return EMBWS_OK;
        }
    }
    return EMBWS_OK;
}

static int32_t read_large(party *p) {
    for (;;) {
        embws_piece piece;
        size_t i;
        int32_t result = embws_stream_read_piece(&p->stream, &piece);
        if (result != EMBWS_OK) {
            return result;
        }
        CHECK(piece.length <= p->stream.read_size && (p->got > 0 || piece.first));
        for (i = 0; i < piece.length; i++) {
            EQUAL(piece.payload[i], byte_at(1, p->got + i));
        }
        p->got += piece.length;
        if (piece.last) {
            EQUAL(p->got, LARGE);
            return EMBWS_OK;
        }
    }
}

static void large_message_in_pieces(size_t size) {
    static const line client[] = {{do_connect, EMBWS_OK}, {write_large, EMBWS_OK}, {do_close, EMBWS_OK}, {NULL, 0}};
    static const line server[] = {
        {do_serve, EMBWS_OK}, {do_accept, EMBWS_OK}, {read_large, EMBWS_OK}, {do_close, EMBWS_OK}, {NULL, 0}};
    const manners m = {1000, 10, 0, 1000};
    pair l;
    snprintf(link_subject, sizeof link_subject, "a message of 1 MiB through buffers of %u bytes", (unsigned)size);
    link_pair(&l, m, size, size, 0);
    link_play(&l, client, server);
    link_free(&l);
    printf("ok %s\n", link_subject);
}

/* A message that is larger than the memory for messages fails the connection with 1009 (rule 48). */
static void message_beyond_memory(manners m, size_t read_size, size_t write_size) {
    static const line client[] = {{do_connect, EMBWS_OK}, {do_write, EMBWS_OK},   {do_read, EMBWS_STREAM_END},
                                  {do_close, EMBWS_OK},   {do_hang_up, EMBWS_OK}, {NULL, 0}};
    static const line server[] = {{do_serve, EMBWS_OK},
                                  {do_accept, EMBWS_OK},
                                  {do_read, EMBWS_ERR_MESSAGE_MEMORY},
                                  {do_read, EMBWS_ERR_MESSAGE_MEMORY},
                                  {do_close, EMBWS_ERR_MESSAGE_MEMORY},
                                  {do_hang_up, EMBWS_OK},
                                  {NULL, 0}};
    pair l;
    m.fails = 0; /* a close does not wait for a transport to recover */
    link_pair(&l, m, read_size, write_size, 4);
    link_play(&l, client, server);
    EQUAL(l.client.stream.io.peer_code, EMBWS_CLOSE_MESSAGE_TOO_BIG);
    link_free(&l);
}

int main(void) {
    link_each("echo in pieces", echo_in_pieces);
    link_each("echo in whole messages", echo_in_messages);
    large_message_in_pieces(64);
    large_message_in_pieces(300);
    link_each("a message beyond the memory", message_beyond_memory);
    return 0;
}
