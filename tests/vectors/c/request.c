/* request.c: plays cases of the kind request: the handshake at a server, and what it answers, alone and in a session.
 */
#include "vectors.h"

#include <string.h>

static embws_server_handshake *server;
static endpoint e;
static guarded dst;

static int32_t receive(void *of, const void *in, size_t length, size_t *eaten) {
    return embws_server_handshake_receive(of, in, length, eaten);
}
static int32_t show(void *of, embws_head *h, void *at, size_t capacity, size_t *needed) {
    return embws_server_handshake_head(of, h, at, capacity, needed);
}
static int32_t failure(void *of, embws_failure *f) { return embws_server_handshake_failure(of, f); }

/* A handshake that is done eats nothing more, and says the same again. */
static void stays(int32_t status) {
    static const char more[] = "GET / HTTP/1.1\r\n\r\n";
    size_t eaten = 7;
    same_status("asked again", status, embws_server_handshake_receive(server, more, sizeof more - 1, &eaten));
    if (status != EMBWS_ERR_STATE || eaten != 7) same_number("eaten when asked again", 0, (int64_t)eaten);
}

/* Answers through `room` bytes a call. What is given with the second call and later must not matter. */
static int32_t through(const answer *a, const embws_acceptance *with, const embws_response *response, size_t room,
                       bytes *to) {
    static embws_response other;
    EMBWS_INIT(&other);
    other.status = 599;
    to->n = 0;
    for (;;) {
        size_t written = 7777777;
        uint8_t *at = lend(&dst, room);
        int32_t status = a->accept ? embws_server_handshake_accept(server, with, at, room, &written)
                                   : embws_server_handshake_respond(server, response, at, room, &written);
        if (status < 0) {
            same_number("written by what was refused", 7777777, (int64_t)written);
            intact(&dst, 0, "what was refused");
            return status;
        }
        if (written > room) wrong("wrote %zu bytes to a room of %zu", written, room);
        intact(&dst, written, "an answer");
        bytes_add(to, at, written);
        if (status != EMBWS_MORE) {
            same_status("an answer", a->accept ? EMBWS_OPENED : EMBWS_OK, status);
            return EMBWS_OK;
        }
        if (written == 0) wrong("no progress through a room of %zu", room);
        with = NULL;
        response = &other;
    }
}

/* Gives the answers of a head; 1 if one was taken. */
static int answers(const head *want, size_t room) {
    static bytes got;
    int answered = 0;
    for (size_t i = 0; i < want->answers.n; i++) {
        const answer *a = &want->answers.at[i];
        answer_with with;
        playing(DEPTH_PART, "answer %zu", i + 1);
        arguments_of(&a->with, &with);
        int32_t status = through(a, a->with.n > 0 ? &with.acceptance : NULL, &with.response, room, &got);
        int64_t rule = a->error == NONE ? 0 : a->error;
        if (rule_of(status) != rule)
            wrong("want an error of rule %lld, got %s", (long long)rule, embws_status_name(status));
        same_bytes(a->accept ? "accept" : "respond", &a->out, got.at, got.n);
        answered |= status == EMBWS_OK;
    }
    return answered;
}

static void refuse(const head *want, size_t room) {
    static const answer refusal = {0};
    static bytes got;
    same_status("refusing", EMBWS_OK, through(&refusal, NULL, NULL, room, &got));
    well_formed(want, &got);
    same_status("embws_server_handshake_restart after a refusal", EMBWS_ERR_STATE,
                embws_server_handshake_restart(server));
}

static void alone(const vector *v, const split *s, const embws_handshake_options *limits, size_t room) {
    playing(DEPTH_WAY, "handshake, output of %zu bytes", room);
    plays++;
    embws_server_handshake_free(server); /* of a play that went wrong */
    server = NULL;
    same_status("embws_server_handshake_new", EMBWS_OK, embws_server_handshake_new(&server, limits));
    receiver r = {server, receive, show, failure};
    heads h = {&v->in, s, 0};
    for (size_t i = 0; i < v->heads.n; i++) {
        const head *want = &v->heads.at[i];
        playing(DEPTH_PART, "head %zu", i + 1);
        if (i > 0) same_status("restart", EMBWS_OK, embws_server_handshake_restart(server));
        int32_t status = heads_next(&h, &r);
        if (status != EMBWS_OK) stays(status);
        compare_outcome(v, want, status, &h, &r);
        compare_head(v, want, &r, s->index);
        if (want->outcome == OUTCOME_FAIL) {
            refuse(want, room);
        } else if (answers(want, room)) {
            stays(EMBWS_ERR_STATE);
        }
        if (i + 1 == v->heads.n && want->outcome != OUTCOME_FAIL) {
            same_bytes("rest", &want->rest, v->in.at + h.eaten, v->in.n - h.eaten);
        }
    }
    same_status("embws_server_handshake_free", EMBWS_OK, embws_server_handshake_free(server));
    server = NULL;
}

static void answer_session(const answer *a) {
    answer_with with;
    arguments_of(&a->with, &with);
    e.sent.n = 0;
    e.io.in_length = 0;
    end_begin(&e);
    int32_t status = a->accept ? embws_session_accept(e.session, &e.io, a->with.n > 0 ? &with.acceptance : NULL)
                               : embws_session_respond(e.session, &e.io, &with.response);
    end_took(&e);
    static const settings none;
    arguments_of(&none, &with); /* they are copied */
    end_flush(&e);
    int64_t rule = a->error == NONE ? 0 : a->error;
    if (rule_of(status) != rule)
        wrong("want an error of rule %lld, got %s", (long long)rule, embws_status_name(status));
    same_bytes(a->accept ? "accept" : "respond", &a->out, e.sent.at, e.sent.n);
}

/* Before the answer nothing is received. */
static void awaits_answer(const receiver *r) {
    size_t eaten = 7;
    same_status("before the answer", EMBWS_ERR_STATE, r->receive(r->of, "x", 1, &eaten));
    same_number("eaten before the answer", 0, (int64_t)eaten);
}

/* The same in a session, which goes on with the frames behind the head. */
static void in_session(const vector *v, const split *s, const embws_handshake_options *limits, size_t room) {
    playing(DEPTH_WAY, "session, output of %zu bytes", room);
    plays++;
    end_serve(&e, v, limits, room);
    receiver r = session_receiver(&e);
    heads h = {&v->in, s, 0};
    const head *want = NULL;
    for (size_t i = 0; i < v->heads.n; i++) {
        want = &v->heads.at[i];
        playing(DEPTH_PART, "head %zu", i + 1);
        e.sent.n = 0;
        int32_t status = heads_next(&h, &r);
        compare_outcome(v, want, status, &h, &r);
        compare_head(v, want, &r, s->index);
        if (want->outcome == OUTCOME_MORE) {
            session_ends(&e, 38);
            break;
        }
        if (want->outcome == OUTCOME_FAIL) {
            embws_info info;
            end_info(&e, &info);
            same_number("state", EMBWS_STATE_FAILED, info.state);
            well_formed(want, &e.sent);
            session_ends(&e, want->fail.rule);
            break;
        }
        awaits_answer(&r);
        for (size_t k = 0; k < want->answers.n; k++) {
            playing(DEPTH_PART, "head %zu, answer %zu", i + 1, k + 1);
            answer_session(&want->answers.at[k]);
        }
    }
    if (want != NULL) rest_of_session(&e, want, &h);
    end_free(&e);
}

void play_request(const vector *v, const split *s) {
    embws_handshake_options limits;
    limits_of(v, &limits);
    for (size_t i = 0; i < ROOMS; i++) {
        if (s->index > 1 && i != s->index % ROOMS) continue;
        alone(v, s, &limits, rooms[i]);
        in_session(v, s, &limits, rooms[i]);
    }
}
