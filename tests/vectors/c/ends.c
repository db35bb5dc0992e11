/* ends.c: a codec and a session, as one thing that receives; what a session sends is taken and gathered. */
#include "vectors.h"

#include <string.h>

enum { canary = 0x5A };

/* Another end may still have what a play that went wrong has left open: a case plays one at a time. */
static embws_session *open_session;
static embws_codec *open_codec;
static embws_codec *old_codec; /* for embws_codec_reset */

static void begin(endpoint *e, const vector *v, size_t room) {
    e->vector = v;
    e->codec = NULL;
    e->session = NULL;
    e->keys.data = &v->keys;
    e->keys.at = 0;
    memset(e->before, canary, sizeof e->before);
    memset(e->after, canary, sizeof e->after);
    EMBWS_INIT(&e->io);
    e->room = room;
    e->held = 0;
    e->sent.n = 0;
}

void codec_options(const vector *v, cycle *keys, embws_options *to) {
    EMBWS_INIT(to);
    to->random = cycle_fill;
    to->context = keys;
    if (v->kind != KIND_FRAMES && v->kind != KIND_SEND) return;
    to->max_frame = option_number(v, "max-frame");
    to->max_message = option_number(v, "max-message");
    static const struct {
        const char *name;
        uint32_t flag;
    } flags[] = {{"long-lengths", EMBWS_LONG_LENGTHS},
                 {"check-text", EMBWS_CHECK_TEXT},
                 {"manual-pong", EMBWS_MANUAL_PONG},
                 {"manual-close", EMBWS_MANUAL_CLOSE}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (option(v, flags[i].name) != NULL) to->flags |= flags[i].flag;
    }
}

/* Every other play makes an old codec new; the others have one of their own. */
void end_codec(endpoint *e, const vector *v, size_t index) {
    embws_options options;
    begin(e, v, 0);
    codec_options(v, &e->keys, &options);
    if (index % 2 == 0 && old_codec != NULL) {
        e->codec = old_codec;
        same_status("embws_codec_reset", EMBWS_OK, embws_codec_reset(old_codec, v->role, &options));
    } else {
        same_status("embws_codec_new", EMBWS_OK, embws_codec_new(&e->codec, v->role, &options));
        if (index % 2 == 0) old_codec = e->codec;
    }
    if (e->codec != old_codec) open_codec = e->codec;
    memset(&options, canary, sizeof options); /* they are copied */
}

void end_session(endpoint *e, const vector *v, size_t room) {
    embws_options options;
    begin(e, v, room);
    codec_options(v, &e->keys, &options);
    same_status("embws_session_open", EMBWS_OK, embws_session_open(&e->session, v->role, &options));
    open_session = e->session;
    memset(&options, canary, sizeof options);
}

void end_serve(endpoint *e, const vector *v, const embws_handshake_options *limits, size_t room) {
    begin(e, v, room);
    same_status("embws_session_serve", EMBWS_OK, embws_session_serve(&e->session, NULL, limits));
    open_session = e->session;
}

int32_t end_connect(endpoint *e, const vector *v, const embws_request *request, const embws_handshake_options *limits,
                    size_t room) {
    embws_options options;
    begin(e, v, room);
    codec_options(v, &e->keys, &options);
    int32_t status = embws_session_connect(&e->session, request, &options, limits);
    open_session = e->session;
    if (status != EMBWS_OK && e->session != NULL) wrong("embws_session_connect: failed, but wrote a handle");
    return status;
}

void end_free(endpoint *e) {
    if (e->codec != old_codec) same_status("embws_codec_free", EMBWS_OK, embws_codec_free(e->codec));
    same_status("embws_session_free", EMBWS_OK, embws_session_free(e->session));
    open_codec = NULL;
    open_session = NULL;
    e->codec = NULL;
    e->session = NULL;
}

void end_abandon(void) {
    embws_codec_free(open_codec);
    embws_session_free(open_session);
    open_codec = NULL;
    open_session = NULL;
}

/* The members of io that a call reads; no call may change them. */
static void same_input(const embws_io *a, const embws_io *b) {
    if (a->struct_size != b->struct_size || a->capacity != b->capacity || a->events != b->events || a->in != b->in ||
        a->in_length != b->in_length || a->room != b->room || a->room_length != b->room_length || a->out != b->out ||
        a->out_capacity != b->out_capacity) {
        wrong("a member of embws_io that goes in was changed");
    }
}

static embws_io before_call;

void end_begin(endpoint *e) {
    embws_io *io = &e->io;
    if (e->session != NULL) {
        size_t room = e->room;
        if (e->held) room = room > e->sent.n ? room - e->sent.n : 0;
        io->out = lend(&e->out, room);
        io->out_capacity = room;
    }
    /* Whatever they hold, a call writes them all. */
    io->eaten = io->out_length = io->taken = SIZE_MAX;
    io->found = io->state = io->more = io->control_length = UINT32_MAX;
    io->peer_code = io->sent_code = UINT16_MAX;
    before_call = *io;
}

static void check_canaries(const endpoint *e) {
    for (size_t i = 0; i < sizeof e->before; i++) {
        if (e->before[i] != canary || e->after[i] != canary) wrong("wrote outside of embws_io");
    }
}

/* All out members are written by a call that reaches the library. */
static void check_output(const endpoint *e) {
    const embws_io *io = &e->io;
    if (io->eaten > io->in_length) wrong("ate %zu of %zu bytes", io->eaten, io->in_length);
    if (io->found > io->capacity) wrong("found %u events in room for %u", io->found, io->capacity);
    if (io->out_length > io->out_capacity) wrong("wrote %zu bytes to room for %zu", io->out_length, io->out_capacity);
    if (io->taken == SIZE_MAX || io->more > 1 || io->control_length > sizeof io->control ||
        io->state < EMBWS_STATE_HANDSHAKE || io->state > EMBWS_STATE_FAILED || io->peer_code == UINT16_MAX ||
        io->sent_code == UINT16_MAX) {
        wrong(
            "an out member of embws_io was not written, or has no meaning: taken %zu, more %u, control_length %u, "
            "state %u, peer_code %u, sent_code %u",
            io->taken, io->more, io->control_length, io->state, io->peer_code, io->sent_code);
    }
}

void end_took(endpoint *e) {
    same_input(&before_call, &e->io);
    check_canaries(e);
    check_output(e);
    if (e->session == NULL) {
        same_number("a codec's io->out_length", 0, (int64_t)e->io.out_length);
        return;
    }
    intact(&e->out, e->io.out_length, "io->out");
    bytes_add(&e->sent, e->io.out, e->io.out_length);
}

static void flush(endpoint *e) {
    embws_io kept = e->io;
    while (e->io.more == 1) {
        size_t room = e->room;
        if (room == 0) e->room = rooms[2]; /* nothing comes out through no room */
        e->io.in_length = 0;
        end_begin(e);
        same_status("embws_session_flush", EMBWS_OK, embws_session_flush(e->session, &e->io));
        e->room = room;
        end_took(e);
        if (e->io.out_length == 0) wrong("embws_session_flush: more waits, but nothing came");
    }
    uint32_t state = e->io.state;
    e->io = kept; /* what the call before has said, for who looks at it behind this */
    e->io.state = state;
    e->io.more = 0;
}

void end_flush(endpoint *e) {
    if (e->session != NULL && !e->held) flush(e);
}

void end_drain(endpoint *e) {
    if (!e->held) return;
    e->held = 0;
    e->room = rooms[3];
    e->io.more = 1;
    flush(e);
}

int32_t end_receive(endpoint *e) {
    end_begin(e);
    int32_t status =
        e->codec != NULL ? embws_codec_decode(e->codec, &e->io) : embws_session_receive(e->session, &e->io);
    end_took(e);
    return status;
}

int32_t end_ended(endpoint *e) { return e->codec != NULL ? embws_codec_end(e->codec) : embws_session_end(e->session); }

void end_failure(endpoint *e, embws_failure *failure) {
    EMBWS_INIT(failure);
    int32_t status =
        e->codec != NULL ? embws_codec_failure(e->codec, failure) : embws_session_failure(e->session, failure);
    same_status("failure", EMBWS_OK, status);
}

void end_info(endpoint *e, embws_info *info) {
    EMBWS_INIT(info);
    int32_t status = e->codec != NULL ? embws_codec_info(e->codec, info) : embws_session_info(e->session, info);
    same_status("info", EMBWS_OK, status);
    same_number("info.role", e->vector->role, info->role);
}

static int32_t peer_close(endpoint *e, uint16_t *code, void *reason, size_t capacity, size_t *length) {
    return e->codec != NULL ? embws_codec_peer_close(e->codec, code, reason, capacity, length)
                            : embws_session_peer_close(e->session, code, reason, capacity, length);
}

void end_compare_peer_close(endpoint *e) {
    static guarded memory;
    const found *want = NULL;
    for (size_t i = 0; i < e->vector->events.n && want == NULL; i++) {
        if (e->vector->events.at[i].kind == EMBWS_CLOSE) want = &e->vector->events.at[i];
    }
    uint16_t code = 7;
    size_t length = 7;
    embws_info info;
    end_info(e, &info);
    same_number("info.peer_code", want != NULL ? want->code : 0, info.peer_code);
    if (want == NULL) {
        same_status("peer_close", EMBWS_ERR_STATE, peer_close(e, &code, lend(&memory, 8), 8, &length));
        if (code != 7 || length != 7) wrong("peer_close: failed, but wrote");
        intact(&memory, 0, "peer_close");
        return;
    }
    size_t size = want->data.n;
    if (size > 0) {
        uint8_t *small = lend(&memory, size - 1);
        same_status("peer_close", EMBWS_ERR_NO_ROOM, peer_close(e, &code, small, size - 1, &length));
        if (code != 7 || length != size) wrong("peer_close without room: code %u, length %zu", code, length);
        intact(&memory, 0, "peer_close");
    }
    uint8_t *reason = lend(&memory, size);
    same_status("peer_close", EMBWS_OK, peer_close(e, &code, reason, size, &length));
    same_number("peer_close: code", want->code, code);
    same_bytes("peer_close: reason", &want->data, reason, length);
    intact(&memory, size, "peer_close");
}

void end_last(void) {
    embws_codec_free(old_codec);
    old_codec = NULL;
}
