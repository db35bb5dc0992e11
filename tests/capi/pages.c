/*
 * pages.c: correct calls whose every buffer ends, and then begins, at a page that nobody may touch, in all sizes around
 * the widths of vector registers. A byte read or written beside a buffer is a fault. What comes out is compared.
 */
#define _DEFAULT_SOURCE

#include "check.h"

static uint8_t byte_of(size_t i) { return (uint8_t)('a' + (i * 7 + (i >> 6)) % 26); }

static guard filled(size_t size) {
    guard g = guard_make(size);
    for (size_t i = 0; i < size; i++) g.bytes[i] = byte_of(i);
    return g;
}

static embws_codec *codec_of(uint32_t role) {
    embws_codec *codec = NULL;
    embws_options options;
    EMBWS_INIT(&options);
    options.flags = EMBWS_CHECK_TEXT;
    EXPECT(EMBWS_OK, embws_codec_new(&codec, role, &options));
    return codec;
}

/* Feeds a copy of `size` bytes in pieces of at most `most`, each in a buffer of its own, with room for one event or
 * two; what it finds must be the payload. */
static void decode_all(embws_codec *codec, const uint8_t *wire, size_t size, size_t most, uint32_t room,
                       size_t length) {
    guard events = guard_make(room * sizeof(embws_event));
    embws_event *list = (void *)events.bytes;
    size_t at = 0, got = 0;
    int ended = 0;
    embws_io io = check_io();
    io.events = list, io.capacity = room;
    while (at < size) {
        size_t n = size - at < most ? size - at : most;
        guard in = guard_make(n);
        memcpy(in.bytes, wire + at, n);
        io.in = in.bytes, io.in_length = n;
        EXPECT(EMBWS_OK, embws_codec_decode(codec, &io));
        CHECK(io.found <= room && (io.eaten == n || io.found == room));
        for (uint32_t i = 0; i < io.found; i++) {
            const uint8_t *payload = embws_event_payload(&io, &list[i]);
            int same = payload != NULL && list[i].length <= length - got;
            for (size_t k = 0; same && k < list[i].length; k++) same = payload[k] == byte_of(got + k);
            CHECK(same);
            got += list[i].length;
            ended |= (list[i].flags & EMBWS_MESSAGE_END) != 0;
        }
        at += io.eaten;
        guard_free(&in);
        if (io.eaten == 0 && io.found == 0) break; /* else it would never end */
    }
    CHECK(at == size && got == length && ended);
    guard_free(&events);
}

static const size_t lengths[] = {0,   1,   2,   3,   5,   7,    8,    9,    15,   16,    17,    31,
                                 32,  33,  63,  64,  65,  95,   96,   97,   125,  126,   127,   128,
                                 129, 255, 256, 257, 511, 1000, 4095, 4096, 4097, 65535, 65536, 65537};

static void codecs(void) {
    embws_codec *codecs[3] = {NULL, codec_of(EMBWS_SERVER), codec_of(EMBWS_CLIENT)};
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
        size_t length = lengths[l], written = 0;
        guard payload = filled(length);
        snprintf(check_subject, sizeof check_subject, "length %zu, front %d", length, guard_front);
        for (uint32_t role = EMBWS_SERVER; role <= EMBWS_CLIENT; role++) {
            embws_codec *from = codecs[role], *to = codecs[3 - role];
            size_t size = (size_t)embws_frame_size(role, length);
            size_t pieces[] = {size, size / 2 + 1, 15, 1};
            guard dst = guard_make(size);
            for (uint32_t opcode = EMBWS_TEXT; opcode <= EMBWS_BINARY; opcode++) {
                EXPECT(EMBWS_OK, embws_codec_encode(from, opcode, 1, payload.bytes, length, dst.bytes, size, &written));
                EQUAL(written, size);
                for (size_t i = 0; i < length; i++) {
                    if (payload.bytes[i] != byte_of(i)) EQUAL(i, -1); /* it is const */
                }
                for (size_t p = 0; p < (length > 300 ? 2u : 4u); p++) {
                    decode_all(to, dst.bytes, size, pieces[p], p == 0 ? 1 : 2, length);
                }
            }

            /* The header alone; then the payload through `dst`, a part at a time; and in place. */
            size_t header = embws_header_size(role, length);
            guard head = guard_make(header);
            EXPECT(EMBWS_OK, embws_codec_encode_header(from, EMBWS_BINARY, 1, length, head.bytes, header, &written));
            EQUAL(written, header);
            memcpy(dst.bytes, head.bytes, header);
            size_t part = length / 2;
            guard one = filled(length), two = guard_make(part);
            EXPECT(EMBWS_OK,
                   embws_codec_encode_payload(from, one.bytes, part, part == 0 ? NULL : two.bytes, part, &written));
            EQUAL(written, part);
            memcpy(dst.bytes + header, two.bytes, part);
            EXPECT(EMBWS_OK, embws_codec_encode_payload(from, one.bytes + part, length - part, one.bytes + part,
                                                        length - part, &written));
            EQUAL(written, length - part);
            memcpy(dst.bytes + header + part, one.bytes + part, length - part);
            decode_all(to, dst.bytes, size, size, 1, length);
            guard_free(&head), guard_free(&one), guard_free(&two), guard_free(&dst);
        }
        guard_free(&payload);
    }
    for (uint32_t role = EMBWS_SERVER; role <= EMBWS_CLIENT; role++) EXPECT(EMBWS_OK, embws_codec_free(codecs[role]));
    check_subject[0] = 0;
}

/* Batches and replies: all outputs and all inputs have exactly the size that is needed. */
static void batches(void) {
    enum { COUNT = 20 };
    embws_codec *server = codec_of(EMBWS_SERVER), *client = codec_of(EMBWS_CLIENT);
    guard list = guard_make(COUNT * sizeof(embws_frame)), payload = filled(125);
    embws_frame *frames = (void *)list.bytes;
    size_t size = 0, answer = 0, encoded, written;
    for (size_t i = 0; i < COUNT; i++) {
        embws_frame frame = {payload.bytes, i * 6, i % 2 == 0 ? EMBWS_PING : EMBWS_TEXT, 1};
        frames[i] = frame;
        size += (size_t)embws_frame_size(EMBWS_CLIENT, frame.length);
        if (i % 2 == 0) answer += (size_t)embws_frame_size(EMBWS_SERVER, frame.length);
    }
    guard dst = guard_make(size), events = guard_make(COUNT * sizeof(embws_event)), pongs = guard_make(answer);
    EXPECT(EMBWS_OK, embws_codec_encode_batch(client, frames, COUNT, dst.bytes, size, &encoded, &written));
    CHECK(encoded == COUNT && written == size);
    embws_io io = check_io();
    io.in = dst.bytes, io.in_length = size, io.events = (void *)events.bytes, io.capacity = COUNT;
    EXPECT(EMBWS_OK, embws_codec_decode(server, &io));
    CHECK(io.eaten == size && io.found == COUNT);
    uint32_t next = 0;
    EXPECT(EMBWS_OK, embws_codec_reply(server, &io, &next, pongs.bytes, answer, &written));
    CHECK(next == COUNT && written == answer);

    /* The same answers through every smaller room: the same bytes. */
    for (size_t room = 130; room < answer; room += 97) {
        guard part = guard_make(room);
        size_t at = 0;
        int32_t status = EMBWS_MORE;
        for (next = 0; status == EMBWS_MORE;) {
            status = embws_codec_reply(server, &io, &next, part.bytes, room, &written);
            CHECK(written <= room && at + written <= answer && memcmp(part.bytes, pongs.bytes + at, written) == 0);
            at += written;
        }
        EXPECT(EMBWS_OK, status);
        EQUAL(at, answer);
        guard_free(&part);
    }
    guard_free(&list), guard_free(&payload), guard_free(&dst), guard_free(&events), guard_free(&pongs);
    EXPECT(EMBWS_OK, embws_codec_free(server));
    EXPECT(EMBWS_OK, embws_codec_free(client));
}

/* A split control frame is kept in io->control, which ends the struct: so a struct at the end of a page. */
static void kept_control(void) {
    embws_codec *server = codec_of(EMBWS_SERVER), *client = codec_of(EMBWS_CLIENT);
    guard room = guard_make(sizeof(embws_io)), event = guard_make(sizeof(embws_event)), payload = filled(125);
    embws_io *io = (void *)room.bytes;
    uint8_t wire[EMBWS_MAX_CONTROL_FRAME_SIZE];
    size_t written;
    for (size_t cut = 1; cut < sizeof wire; cut++) {
        EXPECT(EMBWS_OK, embws_codec_encode(client, EMBWS_PING, 1, payload.bytes, 125, wire, sizeof wire, &written));
        for (int part = 0; part < 2; part++) {
            size_t from = part == 0 ? 0 : cut, n = part == 0 ? cut : written - cut;
            guard in = guard_make(n);
            memcpy(in.bytes, wire + from, n);
            EMBWS_INIT(io);
            io->in = in.bytes, io->in_length = n, io->events = (void *)event.bytes, io->capacity = 1;
            EXPECT(EMBWS_OK, embws_codec_decode(server, io));
            CHECK(io->eaten == n && io->found == (uint32_t)part);
            guard_free(&in);
        }
        CHECK((io->events[0].flags & EMBWS_KEPT) != 0 || cut <= 6 /* only the header was split */);
        if ((io->events[0].flags & EMBWS_KEPT) != 0) {
            const uint8_t *got = embws_event_payload(io, io->events);
            CHECK(got == io->control && io->control_length == 125 && memcmp(got, payload.bytes, 125) == 0);
        }
    }
    guard_free(&room), guard_free(&event), guard_free(&payload);
    EXPECT(EMBWS_OK, embws_codec_free(server));
    EXPECT(EMBWS_OK, embws_codec_free(client));
}

/* Messages from session to session: `out` so small that it takes many calls, `memory` of exactly the message. */
static void sessions(void) {
    static const size_t outs[] = {1, 13, 64, 1000};
    embws_session *client = NULL, *server = NULL;
    EXPECT(EMBWS_OK, embws_session_open(&client, EMBWS_CLIENT, NULL));
    EXPECT(EMBWS_OK, embws_session_open(&server, EMBWS_SERVER, NULL));
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0] && lengths[l] <= 4097; l++) {
        size_t length = lengths[l];
        for (size_t o = 0; o < sizeof outs / sizeof outs[0]; o++) {
            if (length / outs[o] > 300) continue; /* enough is enough */
            guard payload = filled(length), out = guard_make(outs[o]), memory = guard_make(length);
            guard result = guard_make(sizeof(embws_message));
            embws_message *message = (void *)result.bytes;
            size_t sent = 0;
            int32_t status = EMBWS_MORE;
            embws_io io = check_io();
            int more = 0, calls = 0;
            memset(message, 0, sizeof *message);
            snprintf(check_subject, sizeof check_subject, "length %zu through %zu, front %d", length, outs[o],
                     guard_front);
            for (; (status == EMBWS_MORE || more) && calls < 20000; calls++) {
                io.in = NULL, io.in_length = 0, io.out = out.bytes, io.out_capacity = outs[o];
                if (status == EMBWS_MORE) {
                    status = embws_session_send(client, &io, EMBWS_BINARY, 1, payload.bytes + sent, length - sent);
                    CHECK(status == EMBWS_MORE || status == EMBWS_OK);
                    sent += io.taken;
                } else {
                    EXPECT(EMBWS_OK, embws_session_flush(client, &io));
                }
                more = io.more != 0;
                CHECK(io.out_length <= outs[o]);
                if (io.out_length == 0) continue;
                guard in = guard_make(io.out_length);
                memcpy(in.bytes, out.bytes, io.out_length);
                io.in = in.bytes, io.in_length = in.size, io.out = NULL, io.out_capacity = 0;
                CHECK(message->kind == 0);
                EXPECT(EMBWS_OK, embws_session_next(server, &io, memory.bytes, length, message));
                EQUAL(io.eaten, in.size);
                if (message->kind != 0) {
                    CHECK(message->kind == EMBWS_BINARY && message->length == length &&
                          (length == 0 || memcmp(message->payload, payload.bytes, length) == 0));
                }
                guard_free(&in);
            }
            CHECK(message->kind == EMBWS_BINARY && sent == length && calls < 20000);
            guard_free(&payload), guard_free(&out), guard_free(&memory), guard_free(&result);
        }
    }
    check_subject[0] = 0;
    EXPECT(EMBWS_OK, embws_session_free(client));
    EXPECT(EMBWS_OK, embws_session_free(server));
}

int main(void) {
    alarm(100);
    for (guard_front = 0; guard_front < 2; guard_front++) {
        codecs();
        batches();
        kept_control();
        sessions();
    }
    return check_result("pages");
}
