/* response.c: plays cases of the kind response: the handshake at a client, alone and in a session. */
#include "vectors.h"

#include <string.h>

static embws_client_handshake *client;
static endpoint e;
static guarded dst;

static int32_t receive(void *of, const void *in, size_t length, size_t *eaten) {
    return embws_client_handshake_receive(of, in, length, eaten);
}
static int32_t show(void *of, embws_head *h, void *at, size_t capacity, size_t *needed) {
    return embws_client_handshake_head(of, h, at, capacity, needed);
}
static int32_t failure(void *of, embws_failure *f) { return embws_client_handshake_failure(of, f); }

static void stays(int32_t status) {
    static const char more[] = "HTTP/1.1 200 OK\r\n\r\n";
    size_t eaten = 7;
    same_status("asked again", status, embws_client_handshake_receive(client, more, sizeof more - 1, &eaten));
    same_number("eaten when asked again", 0, (int64_t)eaten);
}

static void refused(const vector *v, int32_t status) {
    int64_t rule = v->error == NONE ? 0 : v->error;
    if (rule_of(status) != rule)
        wrong("want an error of rule %lld, got %s", (long long)rule, embws_status_name(status));
}

/* Takes the request through `room` bytes a call. */
static void request(const vector *v, size_t room) {
    static bytes got;
    got.n = 0;
    for (int32_t status = EMBWS_MORE; status != EMBWS_OK;) {
        size_t written = 7777777;
        uint8_t *at = lend(&dst, room);
        status = embws_client_handshake_request(client, at, room, &written);
        if (status != EMBWS_OK) same_status("embws_client_handshake_request", EMBWS_MORE, status);
        if (written > room || (written == 0 && status == EMBWS_MORE)) wrong("wrote %zu bytes to %zu", written, room);
        intact(&dst, written, "embws_client_handshake_request");
        bytes_add(&got, at, written);
    }
    if (v->out.given) same_bytes("request", &v->out, got.at, got.n);
}

static void alone(const vector *v, const split *s, const embws_request *with, const embws_handshake_options *limits,
                  size_t room) {
    embws_options options;
    cycle keys = {&v->keys, 0};
    playing(DEPTH_WAY, "handshake, output of %zu bytes", room);
    plays++;
    embws_client_handshake_free(client); /* of a play that went wrong */
    client = NULL;
    codec_options(v, &keys, &options);
    refused(v, embws_client_handshake_new(&client, with, &options, limits));
    if (v->error != NONE) {
        if (client != NULL) wrong("a refused request gave a handle");
        return;
    }
    receiver r = {client, receive, show, failure};
    heads h = {&v->in, s, 0};
    request(v, room);
    if (v->heads.n > 0) {
        const head *want = &v->heads.at[0];
        int32_t status = heads_next(&h, &r);
        if (status != EMBWS_OK) stays(status);
        compare_outcome(v, want, status, &h, &r);
        compare_head(v, want, &r, s->index);
        if (want->outcome != OUTCOME_FAIL) same_bytes("rest", &want->rest, v->in.at + h.eaten, v->in.n - h.eaten);
    }
    same_status("embws_client_handshake_free", EMBWS_OK, embws_client_handshake_free(client));
    client = NULL;
}

static void in_session(const vector *v, const split *s, const embws_request *with,
                       const embws_handshake_options *limits, size_t room) {
    playing(DEPTH_WAY, "session, output of %zu bytes", room);
    plays++;
    refused(v, end_connect(&e, v, with, limits, room));
    if (v->error != NONE) return;
    e.io.more = 1;
    end_flush(&e);
    if (v->out.given) same_bytes("request", &v->out, e.sent.at, e.sent.n);
    if (v->heads.n > 0) {
        const head *want = &v->heads.at[0];
        receiver r = session_receiver(&e);
        heads h = {&v->in, s, 0};
        e.sent.n = 0;
        int32_t status = heads_next(&h, &r);
        compare_outcome(v, want, status, &h, &r);
        compare_head(v, want, &r, s->index);
        embws_info info;
        end_info(&e, &info);
        if (want->outcome == OUTCOME_MORE) {
            session_ends(&e, 38);
        } else if (want->outcome == OUTCOME_OPEN) {
            rest_of_session(&e, want, &h);
        } else {
            same_number("state", EMBWS_STATE_FAILED, info.state);
            same_number("bytes sent after the failure", 0, (int64_t)e.sent.n);
            size_t eaten = 7;
            same_status("asked again", status, r.receive(r.of, "HTTP/1.1 200 OK\r\n\r\n", 19, &eaten));
            same_number("eaten when asked again", 0, (int64_t)eaten);
            session_ends(&e, rule_of(status));
        }
    }
    end_free(&e);
}

void play_response(const vector *v, const split *s) {
    embws_handshake_options limits;
    answer_with with;
    size_t room = rooms[s->index % ROOMS];
    limits_of(v, &limits);
    arguments_of(&v->with, &with);
    alone(v, s, &with.request, &limits, room);
    in_session(v, s, &with.request, &limits, room);
}
