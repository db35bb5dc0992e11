/*
 * time_test.c: time-outs by a clock that the test turns: handshake, Ping, Pong, Close. And a peer that is slow, but
 * lives.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#include "link.h"

/* An open pair over a good transport, at time 1000. */
static void open_pair(pair *l, const char *subject, size_t holds, size_t buffers) {
    static const line client[] = {{do_connect, EMBWS_OK}, {NULL, 0}};
    static const line server[] = {{do_serve, EMBWS_OK}, {do_accept, EMBWS_OK}, {NULL, 0}};
    manners m = link_manners[0];
    m.holds = holds;
    snprintf(link_subject, sizeof link_subject, "%s", subject);
    link_pair(l, m, buffers, buffers, 1000);
    l->server.stream.ping_interval = 30000;
    l->server.stream.pong_timeout = 10000;
    l->server.stream.close_timeout = 2000;
    EQUAL(embws_stream_tick(&l->server.stream, 1000), EMBWS_OK);
    link_play(l, client, server);
}

static void done(pair *l) {
    link_free(l);
    printf("ok %s\n", link_subject);
}

static size_t on_wire(const channel *c) { return c->to - c->from; }

static void a_silent_peer_is_pinged_and_given_up(void) {
    pair l;
    embws_stream *s = &l.server.stream;
    open_pair(&l, "a silent peer is pinged, and given up", 4096, 64);
    EQUAL(embws_stream_deadline(s), 31000);
    EQUAL(embws_stream_tick(s, 30999), EMBWS_OK);
    EQUAL(on_wire(&l.down), 0);
    EQUAL(embws_stream_tick(s, 31000), EMBWS_OK);
    EQUAL(on_wire(&l.down), 2); /* a Ping without payload */
    EQUAL(l.down.bytes[l.down.from], 0x89);
    EQUAL(embws_stream_deadline(s), 41000);
    EQUAL(embws_stream_tick(s, 40999), EMBWS_OK);
    EQUAL(on_wire(&l.down), 2); /* one is enough */
    EQUAL(embws_stream_tick(s, 41000), EMBWS_STREAM_ERR_TIMEOUT);
    EQUAL(embws_stream_tick(s, 41001), EMBWS_STREAM_ERR_TIMEOUT);
    done(&l);
}

static void a_pong_is_a_sign_of_life(void) {
    pair l;
    embws_stream *s = &l.server.stream;
    embws_message m;
    open_pair(&l, "a Pong is a sign of life", 4096, 64);
    EQUAL(embws_stream_tick(s, 31000), EMBWS_OK);
    EQUAL(do_read(&l.client), EMBWS_STREAM_WANT_READ); /* which answers */
    EQUAL(embws_stream_tick(s, 35000), EMBWS_OK);
    EQUAL(embws_stream_next(s, &m), EMBWS_OK);
    EQUAL(m.kind, EMBWS_PONG);
    EQUAL(embws_stream_deadline(s), 65000);
    EQUAL(embws_stream_tick(s, 64999), EMBWS_OK);
    EQUAL(on_wire(&l.down), 0);
    EQUAL(embws_stream_tick(s, 65000), EMBWS_OK);
    EQUAL(on_wire(&l.down), 2);
    done(&l);
}

static void a_handshake_takes_too_long(void) {
    pair l;
    embws_stream *s = &l.server.stream;
    snprintf(link_subject, sizeof link_subject, "a handshake takes too long");
    link_pair(&l, link_manners[0], 64, 64, 64);
    s->handshake_timeout = 5000;
    EQUAL(embws_stream_tick(s, 7), EMBWS_OK);
    CHECK(embws_stream_deadline(s) == UINT64_MAX); /* nothing has begun */
    EQUAL(do_serve(&l.server), EMBWS_STREAM_WANT_READ);
    EQUAL(embws_stream_deadline(s), 5007);
    link_raw(&l.client, "GET /", 5);
    EQUAL(embws_stream_tick(s, 5006), EMBWS_OK);
    EQUAL(do_serve(&l.server), EMBWS_STREAM_WANT_READ); /* a byte now and then is no excuse */
    EQUAL(embws_stream_tick(s, 5007), EMBWS_STREAM_ERR_TIMEOUT);
    done(&l);
}

static void a_plain_request_has_its_own_time(void) {
    pair l;
    embws_stream *s = &l.server.stream;
    embws_response response;
    snprintf(link_subject, sizeof link_subject, "a plain request has its own time");
    link_pair(&l, link_manners[0], 64, 64, 64);
    s->handshake_timeout = 5000;
    EQUAL(embws_stream_tick(s, 100), EMBWS_OK);
    link_raw(&l.client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
    EQUAL(do_serve(&l.server), EMBWS_OK);
    EMBWS_INIT(&response);
    response.status = 404;
    EQUAL(embws_stream_tick(s, 2000), EMBWS_OK);
    EQUAL(embws_stream_respond(s, &response), EMBWS_OK);
    EQUAL(do_serve(&l.server), EMBWS_STREAM_WANT_READ);
    EQUAL(embws_stream_deadline(s), 7000);
    done(&l);
}

static void a_close_takes_too_long(void) {
    pair l;
    embws_stream *s = &l.server.stream;
    open_pair(&l, "a close takes too long", 4096, 64);
    EQUAL(embws_stream_tick(s, 2000), EMBWS_OK);
    EQUAL(do_close(&l.server), EMBWS_STREAM_WANT_READ);
    EQUAL(embws_stream_deadline(s), 4000);
    EQUAL(embws_stream_tick(s, 3999), EMBWS_OK);
    EQUAL(do_close(&l.server), EMBWS_STREAM_WANT_READ);
    EQUAL(embws_stream_tick(s, 4000), EMBWS_STREAM_ERR_TIMEOUT);
    done(&l);
}

/* The time runs from the call on, even if the Close has no way out yet. */
static void a_close_that_cannot_be_sent_takes_too_long(void) {
    static uint8_t large[300];
    pair l;
    embws_stream *s = &l.server.stream;
    open_pair(&l, "a close that cannot be sent takes too long", 20, 64);
    EQUAL(embws_stream_write(s, EMBWS_BINARY, large, sizeof large), EMBWS_STREAM_WANT_WRITE);
    EQUAL(embws_stream_write(s, EMBWS_BINARY, large, 1), EMBWS_ERR_VALUE); /* less than was taken */
    EQUAL(embws_stream_tick(s, 5000), EMBWS_OK);
    EQUAL(do_close(&l.server), EMBWS_STREAM_WANT_EITHER);
    EQUAL(embws_stream_deadline(s), 7000);
    EQUAL(embws_stream_tick(s, 7000), EMBWS_STREAM_ERR_TIMEOUT);
    done(&l);
}

static void a_slow_peer_lives(void) {
    pair l;
    embws_stream *s = &l.server.stream;
    static uint8_t large[300];
    embws_piece piece;
    uint64_t now = 1000;
    int32_t result;
    open_pair(&l, "a slow peer that takes bytes lives; one that does not, does not", 20, 64);
    result = embws_stream_write(s, EMBWS_BINARY, large, sizeof large);
    EQUAL(result, EMBWS_STREAM_WANT_WRITE);
    while (result == EMBWS_STREAM_WANT_WRITE) {
        now += 29000; /* always more than pong_timeout since the last step */
        EQUAL(embws_stream_tick(s, now), EMBWS_OK);
        EQUAL(embws_stream_read_piece(&l.client.stream, &piece), EMBWS_OK);
        CHECK(embws_stream_read_piece(&l.client.stream, &piece) >= 0);
        result = embws_stream_write(s, EMBWS_BINARY, large, sizeof large);
        CHECK(now < 100 * 29000);
    }
    EQUAL(result, EMBWS_OK);
    EQUAL(embws_stream_write(s, EMBWS_BINARY, large, sizeof large), EMBWS_STREAM_WANT_WRITE);
    EQUAL(embws_stream_tick(s, now += 30000), EMBWS_OK);
    EQUAL(embws_stream_waiting(s), 1);
    EQUAL(embws_stream_write(s, EMBWS_BINARY, large, sizeof large), EMBWS_STREAM_WANT_WRITE);
    EQUAL(embws_stream_tick(s, now += 10000), EMBWS_STREAM_ERR_TIMEOUT);
    done(&l);
}

/* A read that cannot send its answers says that it wants to write as well. */
static void a_read_wants_to_write(void) {
    pair l;
    embws_stream *s = &l.server.stream;
    embws_message m;
    open_pair(&l, "a read wants to write, while a Pong waits", 3, 64);
    l.up.bytes = realloc(l.up.bytes, 100);
    CHECK(l.up.bytes != NULL);
    l.up.size = 100;
    EQUAL(do_ping(&l.client), EMBWS_OK);
    EQUAL(embws_stream_read(s, &m), EMBWS_STREAM_WANT_EITHER);
    EQUAL(embws_stream_waiting(s), 1);
    CHECK(EMBWS_STREAM_WANTS(EMBWS_STREAM_WANT_EITHER) && !EMBWS_STREAM_WANTS(EMBWS_STREAM_END));
    EQUAL(embws_stream_next(&l.client.stream, &m), EMBWS_STREAM_WANT_READ);
    EQUAL(embws_stream_flush(s), EMBWS_OK);
    EQUAL(embws_stream_waiting(s), 0);
    EQUAL(embws_stream_read(s, &m), EMBWS_STREAM_WANT_READ);
    EQUAL(embws_stream_next(&l.client.stream, &m), EMBWS_OK);
    EQUAL(m.kind, EMBWS_PONG);
    done(&l);
}

static void without_time_outs_there_is_no_deadline(void) {
    pair l;
    embws_stream *s;
    open_pair(&l, "without time-outs there is no deadline", 4096, 64);
    s = &l.client.stream;
    CHECK(embws_stream_deadline(s) == UINT64_MAX);
    EQUAL(embws_stream_tick(s, UINT64_MAX - 1), EMBWS_OK);
    CHECK(embws_stream_deadline(s) == UINT64_MAX);
    done(&l);
}

int main(void) {
    a_silent_peer_is_pinged_and_given_up();
    a_pong_is_a_sign_of_life();
    a_handshake_takes_too_long();
    a_plain_request_has_its_own_time();
    a_close_takes_too_long();
    a_close_that_cannot_be_sent_takes_too_long();
    a_slow_peer_lives();
    a_read_wants_to_write();
    without_time_outs_there_is_no_deadline();
    return 0;
}
