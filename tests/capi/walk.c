/*
 * walk.c: calls in no order at all: functions, handles of every state, lengths, rooms and bytes by chance, for a number
 * of steps. No call may crash, touch a byte beside a buffer, tell of an inner defect, or say that it has written, eaten
 * or found more than there was.
 *
 *     walk [steps [seed]]
 */
#define _DEFAULT_SOURCE

#include "check.h"

#include "functions.h"

enum { HANDLES = 8 /* of each type */, MOST = 300 /* bytes in a buffer */ };

static uint64_t state = 1;

/* xorshift64: the same walk on every machine. */
static uint64_t chance(uint64_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % below;
}

static const char *const pieces[] = {"GET /a?b HTTP/1.1\r\n",
                                     "Host: a\r\n",
                                     "Upgrade: websocket\r\n",
                                     "Connection: Upgrade\r\n",
                                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                                     "Sec-WebSocket-Version: 13\r\n",
                                     "Sec-WebSocket-Protocol: chat, b\r\n",
                                     "Sec-WebSocket-Extensions: a; b=c; d, e\r\n",
                                     "Cookie: x=y\r\n",
                                     "\r\n",
                                     "HTTP/1.1 101 Switching\r\n",
                                     "HTTP/1.1 403 No\r\n",
                                     "Content-Length: 0\r\n",
                                     "\x81\x01x",
                                     "\x89\x00",
                                     "\x88\x02\x03\xe8"};
static const char whole[] =
    "GET /a?b HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\n\r\n";

/* One frame that a peer might send: with the wrong bits at times, and cut at times. */
static size_t frame(uint8_t *to, size_t masked) {
    static const uint8_t firsts[] = {0x81, 0x82, 0x01, 0x00, 0x80, 0x89, 0x8A, 0x83, 0xC1, 0x90};
    size_t n = 0, payload = (size_t)chance(126);
    to[n++] = chance(40) == 0 ? 0x88 : firsts[chance(chance(20) == 0 ? 10 : 7)];
    to[n++] = (uint8_t)(masked << 7 | payload);
    if (masked) memset(to + n, 0, 4), n += 4;
    memset(to + n, chance(20) == 0 ? 0xC3 : 'p', payload), n += payload;
    return chance(10) == 0 ? (size_t)chance(n + 1) : n;
}

/* Bytes that a peer might send: a head, whole or in parts, or frames, or all of it in any order. */
static size_t wire(uint8_t *to, size_t room) {
    enum { HEAD_AND_FRAMES, PARTS, MASKED, UNMASKED };
    const uint64_t how = chance(4);
    size_t length = 0;
    for (int i = 0; length < room && (i == 0 || chance(6) != 0); i++) {
        uint8_t next[256];
        const void *from = next;
        size_t n;
        if (how == HEAD_AND_FRAMES && i == 0) {
            from = whole, n = sizeof whole - 1;
        } else if (how == PARTS) {
            const char *piece = pieces[chance(sizeof pieces / sizeof pieces[0])];
            from = piece, n = strlen(piece);
        } else {
            n = frame(next, how == UNMASKED ? 0 : 1);
        }
        if (n > room - length) n = room - length;
        memcpy(to + length, from, n);
        length += n;
    }
    return length;
}

/* All live handles; NULL where there is none. */
static void *handles[CLIENT_HANDSHAKE + 1][HANDLES];

static int32_t source(void *context, void *memory, size_t length) {
    (void)context;
    memset(memory, 0x55, length);
    return chance(10) == 0 ? -1 : 0;
}

/* The memory of a step: each buffer has an end of its own. */
static guard guards[12];
static size_t guard_count;

static void *buffer(size_t size) {
    guards[guard_count] = guard_make(size);
    return guards[guard_count++].bytes;
}

static void fill_io(embws_io *io) {
    EMBWS_INIT(io);
    io->capacity = (uint32_t)chance(5);
    io->events = buffer(io->capacity * sizeof *io->events);
    memset(io->events, (int)chance(256), io->capacity * sizeof *io->events);
    uint8_t bytes[MOST];
    io->in_length = wire(bytes, (size_t)chance(MOST + 1));
    io->in = buffer(io->in_length);
    memcpy(io->in, bytes, io->in_length);
    io->out_capacity = (size_t)chance(chance(2) == 0 ? 20 : MOST);
    io->out = buffer(io->out_capacity);
    io->found = (uint32_t)chance(io->capacity + 2u); /* of embws_codec_reply: at times too many */
    io->control_length = (uint32_t)chance(200);
}

static void fill_struct(const argument *arg, void *p) {
    static const embws_span chat = {"chat", 4};
    static const embws_field fields[2] = {{{"X-A", 3}, {"v", 1}}, {{"Bad Name", 8}, {"v\n", 2}}};
    uint32_t size = (uint32_t)arg->size;
    memset(p, 0, arg->size);
    memcpy(p, &size, sizeof size);
    size_t some = (size_t)chance(12) / 5;
    if (arg->shape == OPTIONS) {
        embws_options *o = p;
        o->flags = (uint32_t)chance(16);
        o->max_frame = (int64_t)chance(400) - 1, o->max_message = (int64_t)chance(900) - 1;
        if (chance(4) == 0) o->random = source;
    } else if (arg->shape == LIMITS) {
        embws_handshake_options *o = p;
        o->flags = (uint32_t)chance(2), o->store = (size_t)chance(400);
        o->max_head = (int64_t)chance(600) - 1, o->max_fields = (int64_t)chance(20) - 1;
        o->max_subprotocols = (int64_t)chance(4) - 1;
        o->keep = &chat, o->keep_count = some > 1 ? 1 : some;
    } else if (arg->shape == REQUEST) {
        embws_request *r = p;
        r->host = embws_span_of("a"), r->target = embws_span_of(chance(8) == 0 ? "x" : "/");
        r->subprotocols = &chat, r->subprotocol_count = chance(3) == 0;
        r->fields = fields, r->field_count = some;
    } else if (arg->shape == ACCEPTANCE) {
        embws_acceptance *a = p;
        if (chance(3) == 0) a->subprotocol = chat;
        if (chance(8) == 0) a->extensions = embws_span_of("a");
        a->fields = fields, a->field_count = some;
    } else if (arg->shape == RESPONSE) {
        embws_response *r = p;
        r->status = (uint32_t)chance(700), r->close = (uint32_t)chance(2);
        r->fields = fields, r->field_count = some;
        r->body = "body", r->body_length = (size_t)chance(5);
    } else if (arg->shape == BATCH) {
        embws_batch *b = p;
        fill_io(b->io = buffer(sizeof(embws_io)));
        b->in = b->io->in, b->in_capacity = b->io->in_length;
        b->list_capacity = (size_t)chance(MOST), b->list = buffer(b->list_capacity);
        b->longest = (uint32_t)chance(2) * 20;
    }
}

static value argument_of(const argument *arg, value *next) {
    value v = {NULL, 0};
    switch (arg->kind) {
        case HANDLE: v.p = handles[chance(20) == 0 ? 1 + chance(4) : arg->shape][chance(HANDLES)]; break;
        case OUT:
        case MAYBE:
            if (strcmp(arg->name, "data") == 0) break; /* what the batch has */
            v.p = memset(buffer(arg->size), 0, arg->size);
            break;
        case STRUCT: fill_struct(arg, v.p = buffer(arg->size)); break;
        case OPTION:
            if (chance(2) == 0) fill_struct(arg, v.p = buffer(arg->size));
            break;
        case IO: fill_io(v.p = buffer(sizeof(embws_io))); break;
        case SHORT:
        case BYTES: {
            uint8_t bytes[MOST];
            memset(bytes, (int)chance(256), sizeof bytes);
            size_t n = chance(2) == 0 ? wire(bytes, (size_t)chance(MOST + 1)) : (size_t)chance(MOST + 1);
            v.p = buffer(n);
            memcpy(v.p, bytes, n);
            next->n = n;
            break;
        }
        case FRAMES: {
            embws_frame *frames = v.p = buffer(3 * sizeof *frames);
            for (int i = 0; i < 3; i++) {
                frames[i].payload = whole, frames[i].length = (size_t)chance(150);
                frames[i].opcode = (uint32_t)chance(11), frames[i].fin = (uint32_t)chance(2);
            }
            next->n = 3;
            break;
        }
        case KEY: v.p = memset(buffer(4), 7, 4); break;
        case ROLE: v.n = 1 + chance(chance(10) == 0 ? 3 : 2); break;
        case OPCODE: v.n = chance(chance(10) == 0 ? 18 : 3); break;
        case FIN: v.n = chance(10) == 0 ? 2 : chance(2); break;
        case CODE: v.n = chance(3) == 0 ? chance(6000) : 1000; break;
        case NUMBER: v.n = chance(10) == 0 ? UINT64_MAX - chance(20) : chance(MOST); break;
        case LENGTH:
        case NONE: break;
    }
    return v;
}

/* What is said to have been done fits what there was. */
static void plausible(const function *f, const value *a, int32_t status) {
    CHECK(status != EMBWS_ERR_INTERNAL && status != EMBWS_ERR_FORKED && status != EMBWS_ERR_NULL);
    CHECK(strcmp(embws_status_name(status), "EMBWS_ERR_UNKNOWN") != 0);
    if (status < 0 && status > -20) return; /* nothing was written */
    for (int i = 0; i < MOST_ARGUMENTS && f->arguments[i].kind != NONE; i++) {
        if (f->arguments[i].kind == IO && strcmp(f->name, "embws_codec_reply") != 0) {
            const embws_io *io = a[i].p;
            CHECK(io->eaten <= io->in_length && io->out_length <= io->out_capacity && io->found <= io->capacity);
            CHECK(io->more <= 1 && io->control_length <= 125 && io->state >= 1 && io->state <= 6);
            for (uint32_t e = 0; e < io->found; e++) CHECK(embws_event_payload(io, &io->events[e]) != NULL);
        }
        if (strcmp(f->arguments[i].name, "written") == 0 && status >= 0) {
            CHECK(*(size_t *)a[i].p <= a[strstr(f->name, "_batch") != NULL ? i - 2 : i - 1].n);
        }
        if (strcmp(f->arguments[i].name, "eaten") == 0) CHECK(*(size_t *)a[i].p <= a[i - 1].n);
    }
}

static void step(void) {
    const function *f = &functions[chance(FUNCTIONS)];
    const shape type = handle_type(f->name);
    const int makes = f->arguments[0].kind == OUT, frees = strstr(f->name, "_free") != NULL;
    value a[VALUES];
    void **place = NULL;
    if (frees && chance(4) != 0) return; /* live longer */
    memset(a, 0, sizeof a);
    guard_count = 0;
    for (int i = 0; i < MOST_ARGUMENTS && f->arguments[i].kind != NONE; i++) {
        if (f->arguments[i].kind == LENGTH) continue;
        value v = argument_of(&f->arguments[i], &a[i + 1]);
        a[i].p = v.p;
        const kind what = f->arguments[i].kind;
        if (what != BYTES && what != SHORT && what != FRAMES) a[i].n = v.n;
    }
    if (makes) place = &handles[type][chance(HANDLES)];
    snprintf(check_subject, sizeof check_subject, "%s", f->name);
    if (!makes || *place == NULL) {
        int32_t status = f->call(a);
        plausible(f, a, status);
        if (makes && status == EMBWS_OK) *place = *(void **)a[0].p;
        int gone = frees && status == EMBWS_OK;
        if (EMBWS_IS_VIOLATION(status) && f->arguments[0].kind == HANDLE && chance(2) == 0) { /* it will not change */
            EXPECT(EMBWS_OK, free_handle(type, a[0].p));
            gone = 1;
        }
        for (int i = 0; gone && i < HANDLES; i++) {
            if (handles[type][i] == a[0].p) handles[type][i] = NULL;
        }
    }
    for (size_t i = 0; i < guard_count; i++) guard_free(&guards[i]);
    check_subject[0] = 0;
}

int main(int argc, char **argv) {
    long steps = argc > 1 ? atol(argv[1]) : 100000;
    state = argc > 2 ? (uint64_t)atoll(argv[2]) : 20;
    alarm(200);
    CHECK(state != 0 && steps > 0);
    for (long i = 0; i < steps && check_failures == 0; i++) step();
    for (int i = 0; i < HANDLES; i++) {
        for (shape type = CODEC; type <= CLIENT_HANDSHAKE; type++)
            EXPECT(EMBWS_OK, free_handle(type, handles[type][i]));
    }
    return check_result("walk");
}
