/*
 * close_test.c: ends of connections, in all orders: either end closes first, both at once, in the middle of a message,
 * with data unread; one end vanishes, breaks a rule, or never stops sending.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#include "link.h"

#define OPEN_CLIENT \
    { do_connect, EMBWS_OK }
#define OPEN_SERVER \
    {do_serve, EMBWS_OK}, { do_accept, EMBWS_OK }
#define END \
    {do_hang_up, EMBWS_OK}, { NULL, 0 }

/* Closes without a code. */
static int32_t do_close_bare(party *p) { return embws_stream_close(&p->stream, 0, NULL, 0); }

static int32_t do_write_part(party *p) {
    return embws_stream_write_piece(&p->stream, EMBWS_TEXT, 0, p->text, strlen(p->text));
}

static int32_t do_close_bad_code(party *p) { return embws_stream_close(&p->stream, 1005, NULL, 0); }

/* Gives up a write in the middle: one try, and no look at what it says. */
static int32_t do_try_write(party *p) {
    static uint8_t large[100000];
    (void)embws_stream_write(&p->stream, EMBWS_BINARY, large, sizeof large);
    return EMBWS_OK;
}

static int32_t do_read_all(party *p) {
    embws_piece piece;
    int32_t result;
    do {
        result = embws_stream_read_piece(&p->stream, &piece);
    } while (result == EMBWS_OK);
    return result;
}

/* A frame without a mask, which a client must not send (rule 42). */
static int32_t do_break(party *p) {
    if (embws_stream_waiting(&p->stream) || link_room(p->out) < 7) {
        return EMBWS_STREAM_WANT_WRITE;
    }
    link_raw(p, "\x81\x05hello", 7);
    return EMBWS_OK;
}

/* With EMBWS_MANUAL_CLOSE the answer to a Close is ours, and may have a code of its own. */
static int32_t do_serve_manual(party *p) {
    embws_options options;
    EMBWS_INIT(&options);
    options.flags = EMBWS_MANUAL_CLOSE | EMBWS_MANUAL_PONG;
    return embws_stream_serve(&p->stream, &options, NULL);
}

static int32_t do_close_4001(party *p) { return embws_stream_close(&p->stream, 4001, "as you like", 11); }

typedef struct scenario {
    const char *name;
    line client[8], server[8];
    unsigned client_code, server_code; /* the code of the peer's Close that each has seen */
} scenario;

static const scenario scenarios[] = {
    {"the client closes first",
     {OPEN_CLIENT, {do_write, EMBWS_OK}, {do_read, EMBWS_OK}, {do_close, EMBWS_OK}, END},
     {OPEN_SERVER, {do_read, EMBWS_OK}, {do_write, EMBWS_OK}, {do_read, EMBWS_STREAM_END}, {do_close, EMBWS_OK}, END},
     4000,
     4000},
    {"the server closes first",
     {OPEN_CLIENT, {do_read, EMBWS_OK}, {do_read, EMBWS_STREAM_END}, {do_close, EMBWS_OK}, END},
     {OPEN_SERVER, {do_write, EMBWS_OK}, {do_close, EMBWS_OK}, END},
     4000,
     4000},
    {"both close at once",
     {OPEN_CLIENT, {do_close, EMBWS_OK}, END},
     {OPEN_SERVER, {do_close, EMBWS_OK}, END},
     4000,
     4000},
    {"a Close without a code",
     {OPEN_CLIENT, {do_close_bare, EMBWS_OK}, END},
     {OPEN_SERVER, {do_read, EMBWS_STREAM_END}, {do_read, EMBWS_STREAM_END}, {do_close, EMBWS_OK}, END},
     EMBWS_CLOSE_NO_CODE,
     EMBWS_CLOSE_NO_CODE},
    {"data that nobody reads any more is dropped",
     {OPEN_CLIENT, {do_write, EMBWS_OK}, {do_write, EMBWS_OK}, {do_close, EMBWS_OK}, END},
     {OPEN_SERVER, {do_close, EMBWS_OK}, END},
     4000,
     4000},
    {"a message that is not finished",
     {OPEN_CLIENT, {do_write_part, EMBWS_OK}, {do_close, EMBWS_OK}, END},
     {OPEN_SERVER, {do_read, EMBWS_STREAM_END}, {do_close, EMBWS_OK}, END},
     4000,
     4000},
    {"a code that must not be sent, and then a good one",
     {OPEN_CLIENT, {do_close_bad_code, EMBWS_ERR_CODE_SEND}, {do_write, EMBWS_OK}, {do_close, EMBWS_OK}, END},
     {OPEN_SERVER, {do_read, EMBWS_OK}, {do_read, EMBWS_STREAM_END}, {do_close, EMBWS_OK}, END},
     4000,
     4000},
    {"writing behind the peer's Close",
     {OPEN_CLIENT, {do_close, EMBWS_OK}, END},
     {OPEN_SERVER, {do_read, EMBWS_STREAM_END}, {do_write, EMBWS_ERR_CLOSE_SEEN}, {do_close, EMBWS_OK}, END},
     4000,
     4000},
    {"a Close that is answered by hand",
     {OPEN_CLIENT, {do_close, EMBWS_OK}, END},
     {{do_serve_manual, EMBWS_OK}, {do_accept, EMBWS_OK}, {do_read, EMBWS_STREAM_END}, {do_close_4001, EMBWS_OK}, END},
     4001,
     4000},
    {"the client vanishes",
     {OPEN_CLIENT, {do_write, EMBWS_OK}, END},
     {OPEN_SERVER, {do_read, EMBWS_OK}, {do_read, EMBWS_ERR_NO_CLOSE}, END},
     0,
     0},
    {"the client vanishes in a message",
     {OPEN_CLIENT, {do_write_part, EMBWS_OK}, END},
     {OPEN_SERVER, {do_read, EMBWS_ERR_NO_CLOSE}, END},
     0,
     0},
    {"the client breaks a rule",
     {OPEN_CLIENT, {do_break, EMBWS_OK}, {do_read, EMBWS_STREAM_END}, {do_close, EMBWS_OK}, END},
     {OPEN_SERVER, {do_read, EMBWS_ERR_UNMASKED}, {do_write, EMBWS_ERR_UNMASKED}, {do_close, EMBWS_ERR_UNMASKED}, END},
     EMBWS_CLOSE_PROTOCOL_ERROR,
     0},
    {"the client breaks a rule while the server closes",
     {OPEN_CLIENT, {do_break, EMBWS_OK}, {do_read, EMBWS_STREAM_END}, {do_close, EMBWS_OK}, END},
     {OPEN_SERVER, {do_close, EMBWS_ERR_UNMASKED}, END},
     4000,
     0},
};

static const scenario *played;

static void play(manners m, size_t read_size, size_t write_size) {
    pair l;
    if (played->client[1].call == do_break && m.holds < 7) {
        return;
    }
    m.fails = 0; /* a close does not wait for a transport to recover */
    link_pair(&l, m, read_size, write_size, 100);
    link_play(&l, played->client, played->server);
    EQUAL(l.client.stream.io.peer_code, played->client_code);
    EQUAL(l.server.stream.io.peer_code, played->server_code);
    link_free(&l);
}

/* Both ends have given up a write in the middle, and neither reads any more: the Closes get through. */
static void closes_in_the_middle_of_writes(manners m, size_t read_size, size_t write_size) {
    static const line client[] = {OPEN_CLIENT, {do_try_write, EMBWS_OK}, {do_close, EMBWS_OK}, END};
    static const line server[] = {OPEN_SERVER, {do_try_write, EMBWS_OK}, {do_close, EMBWS_OK}, END};
    pair l;
    if (write_size < 64) {
        return; /* a small buffer sends its frames in parts: the Close must wait (EMBWS_ERR_FRAME_OPEN) */
    }
    m.fails = 0;
    link_pair(&l, m, read_size, write_size, 100);
    link_play(&l, client, server);
    EQUAL(l.server.stream.io.peer_code, 4000);
    link_free(&l);
}

/* A violation says at once that no more will be written (rule 85); without `shut`, the close waits for the end too. */
static int32_t do_check_shut(party *p) {
    int good = p->manners->blocks == 0 && p->out->size > 100; /* the Close went out at once */
    CHECK(!good || p->stream.shut == NULL || p->out->ended);
    return EMBWS_OK;
}

static int32_t do_check_ended(party *p) {
    CHECK(p->in->ended);
    return EMBWS_OK;
}

static void violation(manners m, size_t read_size, size_t write_size) {
    static const line client[] = {
        OPEN_CLIENT, {do_break, EMBWS_OK}, {do_read, EMBWS_STREAM_END}, {do_close, EMBWS_OK}, END};
    static const line server[] = {OPEN_SERVER,
                                  {do_read, EMBWS_ERR_UNMASKED},
                                  {do_check_shut, EMBWS_OK},
                                  {do_close, EMBWS_ERR_UNMASKED},
                                  {do_check_ended, EMBWS_OK},
                                  END};
    int with_shut;
    m.fails = 0;
    for (with_shut = 0; with_shut < 2 && m.holds >= 7; with_shut++) {
        pair l;
        link_pair(&l, m, read_size, write_size, 100);
        if (!with_shut) {
            l.client.stream.shut = l.server.stream.shut = NULL;
        }
        link_play(&l, client, server);
        link_free(&l);
    }
}

/* Without `shut`, a clean close does not wait for the transport's end. */
static void close_without_shut(manners m, size_t read_size, size_t write_size) {
    static const line client[] = {OPEN_CLIENT, {do_close, EMBWS_OK}, {NULL, 0}};
    static const line server[] = {OPEN_SERVER, {do_read, EMBWS_STREAM_END}, {do_close, EMBWS_OK}, {NULL, 0}};
    pair l;
    m.fails = 0;
    link_pair(&l, m, read_size, write_size, 100);
    l.client.stream.shut = l.server.stream.shut = NULL;
    link_play(&l, client, server);
    CHECK(!l.up.ended && !l.down.ended);
    link_free(&l);
}

/* A peer that sends for ever and does not close is left after max_drain bytes. */
static int32_t do_send_for_ever(party *p) {
    int32_t result = do_write(p);
    return result == EMBWS_OK ? EMBWS_STREAM_WANT_WRITE : result;
}

static void drain_is_bounded(manners m, size_t read_size, size_t write_size) {
    static const line client[] = {OPEN_CLIENT, {do_send_for_ever, EMBWS_STREAM_ERR_TRANSPORT}, END};
    static const line server[] = {OPEN_SERVER, {do_close, EMBWS_STREAM_ERR_DRAIN}, END};
    pair l;
    m.fails = 0;
    link_pair(&l, m, read_size, write_size, 100);
    l.server.stream.max_drain = 1000;
    link_play(&l, client, server);
    CHECK(l.server.stream.drained > 1000 && l.server.stream.drained <= 1000 + read_size);
    link_free(&l);
}

/* A stream can be used for another connection. */
static void used_again(manners m, size_t read_size, size_t write_size) {
    static const line client[] = {
        OPEN_CLIENT, {do_write, EMBWS_OK}, {do_read_all, EMBWS_STREAM_END}, {do_close, EMBWS_OK}, END};
    static const line server[] = {OPEN_SERVER, {do_read, EMBWS_OK}, {do_close, EMBWS_OK}, END};
    pair l;
    int i;
    m.fails = 0;
    link_pair(&l, m, read_size, write_size, 100);
    for (i = 0; i < 3; i++) {
        l.up.from = l.up.to = l.down.from = l.down.to = 0;
        l.up.ended = l.up.broken = l.down.ended = l.down.broken = 0;
        link_play(&l, client, server);
        EQUAL(l.client.stream.io.peer_code, 4000);
        embws_stream_free(&l.client.stream);
        embws_stream_free(&l.server.stream);
    }
    link_free(&l);
}

/* Calls at the wrong time, or without what they need, say so. */
static void misuse(void) {
    embws_stream s;
    embws_message m;
    embws_piece piece;
    uint8_t b[1];
    pair l;
    memset(&s, 0, sizeof s);
    snprintf(link_subject, sizeof link_subject, "misuse");
    EQUAL(embws_stream_read(NULL, &m), EMBWS_ERR_NULL);
    EQUAL(embws_stream_read(&s, &m), EMBWS_ERR_HANDLE);
    EQUAL(embws_stream_write(&s, EMBWS_TEXT, "x", 1), EMBWS_ERR_HANDLE);
    EQUAL(embws_stream_ping(&s, NULL, 0), EMBWS_ERR_HANDLE);
    EQUAL(embws_stream_flush(&s), EMBWS_ERR_HANDLE);
    EQUAL(embws_stream_accept(&s, NULL), EMBWS_ERR_HANDLE);
    EQUAL(embws_stream_respond(&s, NULL), EMBWS_ERR_HANDLE);
    EQUAL(embws_stream_close(&s, 0, NULL, 0), EMBWS_ERR_HANDLE);
    EQUAL(embws_stream_tick(&s, 5), EMBWS_OK);
    CHECK(embws_stream_deadline(&s) == UINT64_MAX);
    EQUAL(embws_stream_waiting(&s), 0);
    EQUAL(embws_stream_open(&s, EMBWS_SERVER, NULL, 0), EMBWS_ERR_NULL);
    s.read = link_read, s.write = link_write, s.read_buffer = b, s.write_buffer = b;
    EQUAL(embws_stream_open(&s, EMBWS_SERVER, NULL, 0), EMBWS_ERR_NO_ROOM);
    s.read_size = s.write_size = 1;
    EQUAL(embws_stream_open(&s, EMBWS_SERVER, NULL, 2), EMBWS_ERR_LENGTH);
    EQUAL(embws_stream_open(&s, 77, NULL, 0), EMBWS_ERR_VALUE);
    EQUAL(embws_stream_connect(&s, NULL, NULL, NULL), EMBWS_ERR_NULL);
    EQUAL(embws_stream_open(&s, EMBWS_SERVER, NULL, 0), EMBWS_OK);
    EQUAL(embws_stream_read(&s, NULL), EMBWS_ERR_NULL);
    EQUAL(embws_stream_connect(&s, NULL, NULL, NULL), EMBWS_ERR_STATE);
    embws_stream_free(&s);
    link_pair(&l, link_manners[0], 1, 1, 1);
    EQUAL(do_serve(&l.server), EMBWS_STREAM_WANT_READ);
    EQUAL(embws_stream_read_piece(&l.server.stream, &piece), EMBWS_ERR_NOT_OPEN);
    EQUAL(do_write(&l.server), EMBWS_ERR_NOT_OPEN);
    EQUAL(do_accept(&l.server), EMBWS_ERR_STATE);
    EQUAL(do_close(&l.server), EMBWS_ERR_NOT_OPEN);
    EQUAL(embws_stream_open(&l.server.stream, EMBWS_SERVER, NULL, 0), EMBWS_ERR_STATE);
    link_free(&l);
    embws_stream_free(&s);
    embws_stream_free(NULL);
    CHECK(strcmp(embws_stream_message(EMBWS_OK), embws_status_message(EMBWS_OK)) == 0);
    printf("ok misuse\n");
}

int main(void) {
    size_t i;
    for (i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        played = &scenarios[i];
        link_each(played->name, play);
    }
    link_each("closes in the middle of writes", closes_in_the_middle_of_writes);
    link_each("a violation, with `shut` and without", violation);
    link_each("a close without `shut`", close_without_shut);
    link_each("a drain is bounded", drain_is_bounded);
    link_each("a stream is used again", used_again);
    misuse();
    return 0;
}
