/*
 * handshake_test.c: openings: heads, answers, plain requests on a connection that stays, refusals with a body, requests
 * and answers that break a rule or are cut short, and bytes that come early.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#include "link.h"

#define END \
    {do_hang_up, EMBWS_OK}, { NULL, 0 }

static int32_t respond(party *p, uint32_t status, const char *body) {
    embws_response response;
    EMBWS_INIT(&response);
    response.status = status;
    response.body = body;
    response.body_length = strlen(body);
    return embws_stream_respond(&p->stream, &response);
}

static int32_t do_refuse(party *p) { return respond(p, 403, "go away"); }

static int32_t do_page(party *p) { return respond(p, 200, "a page"); }

/* One try of what the next call then goes on with. */
static int32_t do_page_once(party *p) {
    int32_t result = do_page(p);
    return EMBWS_STREAM_WANTS(result) ? EMBWS_OK : result;
}

static int32_t do_refuse_once(party *p) {
    int32_t result = do_refuse(p);
    return EMBWS_STREAM_WANTS(result) ? EMBWS_OK : result;
}

static int32_t do_accept_once(party *p) {
    int32_t result = do_accept(p);
    return EMBWS_STREAM_WANTS(result) ? EMBWS_OK : result;
}

/* Looks at the head that both ends have received. */
static int32_t do_check_request(party *p) {
    uint64_t memory[256];
    embws_head head;
    EMBWS_INIT(&head);
    EQUAL(embws_session_head(p->stream.session, &head, memory, sizeof memory, NULL), EMBWS_OK);
    CHECK(embws_span_equals(head.path, "/chat") && embws_span_equals(head.host, "example.com"));
    return EMBWS_OK;
}

static int32_t do_check_refusal(party *p) {
    uint64_t memory[256];
    embws_head head;
    size_t length;
    const uint8_t *early = embws_stream_early(&p->stream, &length);
    EMBWS_INIT(&head);
    EQUAL(embws_session_head(p->stream.session, &head, memory, sizeof memory, NULL), EMBWS_OK);
    EQUAL(head.status, 403);
    CHECK(length <= 7 && memcmp(early, "go away", length) == 0);
    return EMBWS_OK;
}

/* Writes `plan`, bytes that no stream has made, as the wire has room, and drops what comes. */
static int32_t do_raw(party *p) {
    const char *text = (const char *)p->plan;
    size_t n = least(strlen(text) - p->sent, link_room(p->out));
    link_raw(p, text + p->sent, n);
    p->sent += n;
    p->in->from = p->in->to;
    return p->sent == strlen(text) ? EMBWS_OK : EMBWS_STREAM_WANT_WRITE;
}

static int32_t do_shut(party *p) {
    p->out->ended = 1;
    return EMBWS_OK;
}

/* Reads what comes, without a stream, until it ends. */
static int32_t do_drop(party *p) {
    p->in->from = p->in->to;
    return do_wait_end(p);
}

static void play(manners m, size_t read_size, size_t write_size, const line *client, const line *server,
                 const char *raw_up, const char *raw_down) {
    pair l;
    m.fails = 0; /* a close does not wait for a transport to recover */
    link_pair(&l, m, read_size, write_size, 100);
    l.client.plan = (uint8_t *)(uintptr_t)raw_up;
    l.server.plan = (uint8_t *)(uintptr_t)raw_down;
    link_play(&l, client, server);
    link_free(&l);
}

static void heads(manners m, size_t read_size, size_t write_size) {
    static const line client[] = {{do_connect, EMBWS_OK}, {do_connect, EMBWS_ERR_STATE}, {do_close, EMBWS_OK}, END};
    static const line server[] = {
        {do_serve, EMBWS_OK},        {do_serve, EMBWS_OK},         {do_check_request, EMBWS_OK},
        {do_accept, EMBWS_OK},       {do_accept, EMBWS_ERR_STATE}, {do_serve, EMBWS_ERR_STATE},
        {do_read, EMBWS_STREAM_END}, {do_close, EMBWS_OK},         END};
    play(m, read_size, write_size, client, server, "", "");
}

static void refusal(manners m, size_t read_size, size_t write_size) {
    static const line client[] = {{do_connect, EMBWS_ERR_STATUS},
                                  {do_check_refusal, EMBWS_OK},
                                  {do_write, EMBWS_ERR_STATUS},
                                  {do_close, EMBWS_ERR_STATUS},
                                  END};
    static const line server[] = {
        {do_serve, EMBWS_OK}, {do_refuse, EMBWS_OK}, {do_serve, EMBWS_STREAM_END}, {do_close, EMBWS_OK}, END};
    static const line hasty[] = {{do_serve, EMBWS_OK}, {do_refuse_once, EMBWS_OK}, {do_close, EMBWS_OK}, END};
    play(m, read_size, write_size, client, hasty, "", "");
    play(m, read_size, write_size, client, server, "", "");
}

/* Three requests on one connection, of which the last upgrades it. */
static void plain_requests(manners m, size_t read_size, size_t write_size) {
    static const char requests[] =
        "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n"
        "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        "\x81\x85\x01\x01\x01\x01idmmn\x88\x80zzzz"; /* hello, and a Close */
    static const line client[] = {{do_raw, EMBWS_OK}, {do_drop, EMBWS_OK}, END};
    static const line server[] = {{do_serve, EMBWS_OK},
                                  {do_page, EMBWS_OK},
                                  {do_serve, EMBWS_OK},
                                  {do_page, EMBWS_OK},
                                  {do_serve, EMBWS_OK},
                                  {do_check_request, EMBWS_OK},
                                  {do_accept, EMBWS_OK},
                                  {do_read, EMBWS_OK},
                                  {do_read, EMBWS_STREAM_END},
                                  {do_close, EMBWS_OK},
                                  END};
    static const line hasty[] = {{do_serve, EMBWS_OK},     {do_page_once, EMBWS_OK}, {do_serve, EMBWS_OK},
                                 {do_page_once, EMBWS_OK}, {do_serve, EMBWS_OK},     {do_accept_once, EMBWS_OK},
                                 {do_read, EMBWS_OK},      {do_close, EMBWS_OK},     END};
    play(m, read_size, write_size, client, server, requests, "");
    play(m, read_size, write_size, client, hasty, requests, "");
}

static void plain_request_that_was_accepted(manners m, size_t read_size, size_t write_size) {
    static const line client[] = {{do_raw, EMBWS_OK}, {do_drop, EMBWS_OK}, END};
    static const line server[] = {{do_serve, EMBWS_OK},
                                  {do_accept, EMBWS_ERR_PLAIN_REQUEST},
                                  {do_serve, EMBWS_STREAM_END},
                                  {do_close, EMBWS_OK},
                                  END};
    play(m, read_size, write_size, client, server, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "");
}

static void bad_request(manners m, size_t read_size, size_t write_size) {
    static const line client[] = {{do_raw, EMBWS_OK}, {do_drop, EMBWS_OK}, END};
    static const line server[] = {
        {do_serve, EMBWS_ERR_METHOD}, {do_serve, EMBWS_ERR_METHOD}, {do_close, EMBWS_ERR_METHOD}, END};
    play(m, read_size, write_size, client, server, "PUT / HTTP/1.1\r\nHost: x\r\n\r\n", "");
}

static void bad_answer(manners m, size_t read_size, size_t write_size) {
    static const line client[] = {
        {do_connect, EMBWS_ERR_RESPONSE_VERSION}, {do_close, EMBWS_ERR_RESPONSE_VERSION}, END};
    static const line server[] = {{do_raw, EMBWS_OK}, {do_drop, EMBWS_OK}, END};
    play(m, read_size, write_size, client, server, "", "SSH-2.0-OpenSSH\r\n\r\n");
}

static void cut_short(manners m, size_t read_size, size_t write_size) {
    static const line one[] = {{do_raw, EMBWS_OK}, END};
    static const line server[] = {{do_serve, EMBWS_ERR_HANDSHAKE_CUT_SHORT}, END};
    static const line client[] = {{do_connect, EMBWS_ERR_HANDSHAKE_CUT_SHORT}, END};
    static const line silent[] = {{do_serve, EMBWS_STREAM_END}, END};
    static const line answer[] = {{do_raw, EMBWS_OK}, {do_shut, EMBWS_OK}, {do_drop, EMBWS_OK}, END};
    play(m, read_size, write_size, one, server, "GET / HTTP/1.1\r\nHo", "");
    play(m, read_size, write_size, one, silent, "", "");
    play(m, read_size, write_size, client, answer, "", "HTTP/1.1 101 Sw");
}

/* A connection that was opened elsewhere, with bytes that came early. */
static int32_t do_open_early(party *p) {
    memcpy(p->stream.read_buffer, "\x88\x80zzzz", 6);
    return embws_stream_open(&p->stream, EMBWS_SERVER, NULL, 6);
}

static void opened_elsewhere(manners m, size_t read_size, size_t write_size) {
    static const line client[] = {{do_drop, EMBWS_OK}, END};
    static const line server[] = {{do_open_early, EMBWS_OK}, {do_read, EMBWS_STREAM_END}, {do_close, EMBWS_OK}, END};
    if (read_size >= 6) {
        play(m, read_size, write_size, client, server, "", "");
    }
}

/* A client may go after any answer. */
static void plain_request_and_no_other(manners m, size_t read_size, size_t write_size) {
    static const line client[] = {{do_raw, EMBWS_OK}, {do_shut, EMBWS_OK}, {do_drop, EMBWS_OK}, END};
    static const line server[] = {
        {do_serve, EMBWS_OK}, {do_page, EMBWS_OK}, {do_serve, EMBWS_STREAM_END}, {do_serve, EMBWS_STREAM_END}, END};
    play(m, read_size, write_size, client, server, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "");
}

int main(void) {
    link_each("heads", heads);
    link_each("a refusal with a body", refusal);
    link_each("plain requests, then an upgrade", plain_requests);
    link_each("a plain request and no other", plain_request_and_no_other);
    link_each("a plain request that was accepted", plain_request_that_was_accepted);
    link_each("a request that breaks a rule", bad_request);
    link_each("an answer that breaks a rule", bad_answer);
    link_each("a handshake that is cut short", cut_short);
    link_each("a connection that was opened elsewhere", opened_elsewhere);
    return 0;
}
