/*
 * codec_states.c: calls of a codec that are right by themselves and come at the wrong time: without room, within a
 * message or a frame, after a Close, after a failure, with a handle that was freed. Each must say so, write nothing but
 * what embws.h says, and leave the codec as it was.
 */
#define _DEFAULT_SOURCE

#include "check.h"

static embws_codec *fresh(uint32_t role, uint32_t flags) {
    embws_codec *codec = NULL;
    embws_options options;
    EMBWS_INIT(&options);
    options.flags = flags;
    EXPECT(EMBWS_OK, embws_codec_new(&codec, role, &options));
    return codec;
}

static void done(embws_codec *codec) { EXPECT(EMBWS_OK, embws_codec_free(codec)); }

/* Encodes with much room; returns the status. A refused call must write nothing. */
static int32_t encode(embws_codec *codec, uint32_t opcode, uint32_t fin, const void *payload, size_t length) {
    uint8_t dst[512], untouched[512];
    size_t written = 777;
    memset(dst, 0xC7, sizeof dst);
    memset(untouched, 0xC7, sizeof untouched);
    int32_t status = embws_codec_encode(codec, opcode, fin, payload, length, dst, sizeof dst, &written);
    if (status < 0) {
        CHECK(memcmp(dst, untouched, sizeof dst) == 0 && written == 777);
        DETAIL("embws_codec_encode", "");
    }
    return status;
}

static int32_t close_with(embws_codec *codec, uint32_t code, const void *reason, size_t length) {
    uint8_t dst[EMBWS_MAX_CONTROL_FRAME_SIZE], untouched[EMBWS_MAX_CONTROL_FRAME_SIZE];
    size_t written = 777;
    memset(dst, 0xC7, sizeof dst);
    memset(untouched, 0xC7, sizeof untouched);
    int32_t status = embws_codec_close(codec, code, reason, length, dst, sizeof dst, &written);
    if (status < 0) CHECK(memcmp(dst, untouched, sizeof dst) == 0 && written == 777);
    return status;
}

/* Feeds bytes, a copy of which is unmasked, with room for four events. */
static embws_event events[4];
static uint8_t input[256];

static int32_t decode(embws_codec *codec, embws_io *io, const void *bytes, size_t length) {
    memcpy(input, bytes, length);
    EMBWS_INIT(io);
    io->events = events, io->capacity = 4;
    io->in = input, io->in_length = length;
    return embws_codec_decode(codec, io);
}

/* Freed handles are recognised until 4,096 later frees, of whatever type. */
static void freed_handles(void) {
    embws_info info;
    EMBWS_INIT(&info);
    for (int round = 0; round < 3; round++) {
        embws_codec *first = fresh(EMBWS_SERVER, 0);
        done(first);
        for (int i = 0; i < 4095; i++) {
            void *next = NULL;
            if (i % 3 == 0) {
                EXPECT(EMBWS_OK, embws_session_open((embws_session **)&next, EMBWS_CLIENT, NULL));
            } else {
                next = fresh(EMBWS_SERVER, 0);
            }
            CHECK(next != (void *)first);
            EXPECT(EMBWS_ERR_HANDLE, embws_codec_free(first)); /* which is not a further free */
            EXPECT(EMBWS_OK, i % 3 == 0 ? embws_session_free(next) : embws_codec_free(next));
        }
        EXPECT(EMBWS_ERR_HANDLE, embws_codec_info(first, &info));
        EXPECT(EMBWS_ERR_HANDLE, embws_session_free((embws_session *)first));
        embws_codec *last = fresh(EMBWS_CLIENT, 0);
        CHECK(last != first);
        EXPECT(EMBWS_ERR_HANDLE, embws_codec_info(first, &info));
        done(last); /* the 4,096th */
    }
}

/* Every capacity that is too small: the size needed is told, and nothing is written. */
static void too_little_room(void) {
    static const size_t lengths[] = {0, 1, 5, 125, 126, 127, 300};
    static const uint8_t payload[300] = {0};
    for (uint32_t role = EMBWS_SERVER; role <= EMBWS_CLIENT; role++) {
        embws_codec *codec = fresh(role, 0);
        for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
            size_t need = (size_t)embws_frame_size(role, lengths[l]), written;
            for (size_t room = 0; room < need; room++) {
                guard g = guard_make(room);
                int good = 1;
                written = 777;
                good &= embws_codec_encode(codec, EMBWS_BINARY, 1, payload, lengths[l], g.bytes, room, &written) ==
                        EMBWS_ERR_NO_ROOM;
                for (size_t i = 0; i < room; i++) good &= g.bytes[i] == GUARD_FILL;
                CHECK(good);
                EQUAL(written, need);
                guard_free(&g);
            }
            guard g = guard_make(need);
            EXPECT(EMBWS_OK, embws_codec_encode(codec, EMBWS_BINARY, 1, payload, lengths[l], g.bytes, need, &written));
            EQUAL(written, need);
            guard_free(&g);
        }

        /* A header, and a Close. */
        size_t header = embws_header_size(role, 1u << 20), written = 777;
        uint8_t dst[EMBWS_MAX_CONTROL_FRAME_SIZE];
        for (size_t room = 0; room < header; room++) {
            EXPECT(EMBWS_ERR_NO_ROOM, embws_codec_encode_header(codec, EMBWS_TEXT, 1, 1u << 20, dst, room, &written));
            EQUAL(written, header);
        }
        for (size_t room = 0; room < embws_frame_size(role, 6); room++) {
            EXPECT(EMBWS_ERR_NO_ROOM, embws_codec_close(codec, 1000, "done", 4, dst, room, &written));
            EQUAL(written, embws_frame_size(role, 6));
        }
        /* No frame is so long that its size could not be told. */
        written = 777;
        EXPECT(EMBWS_ERR_NO_ROOM,
               embws_codec_encode(codec, EMBWS_BINARY, 1, payload, PTRDIFF_MAX - 14, dst, sizeof dst, &written));
        EQUAL(written, embws_frame_size(role, PTRDIFF_MAX - 14));
        EXPECT(EMBWS_ERR_NO_ROOM,
               embws_codec_encode(codec, EMBWS_BINARY, 1, payload, PTRDIFF_MAX, dst, sizeof dst, &written));
        EQUAL(written, embws_frame_size(role, PTRDIFF_MAX));

        embws_info info;
        EMBWS_INIT(&info);
        EXPECT(EMBWS_OK, embws_codec_info(codec, &info));
        CHECK(info.state == EMBWS_STATE_OPEN && info.owed == 0 && info.sent_code == 0);
        done(codec);
    }

    /* No room for events: nothing is eaten, and the same bytes give the same afterwards. */
    embws_codec *codec = fresh(EMBWS_CLIENT, 0);
    embws_io io;
    EMBWS_INIT(&io);
    uint8_t hello[] = {0x81, 5, 'h', 'e', 'l', 'l', 'o'};
    io.in = hello, io.in_length = sizeof hello;
    EXPECT(EMBWS_ERR_NO_ROOM, embws_codec_decode(codec, &io));
    CHECK(io.eaten == 0 && io.found == 0 && io.state == EMBWS_STATE_OPEN);
    EXPECT(EMBWS_OK, decode(codec, &io, hello, sizeof hello));
    CHECK(io.eaten == sizeof hello && io.found == 1 && events[0].flags == (EMBWS_WHOLE_MESSAGE | EMBWS_FINAL));
    done(codec);
}

/* Opcodes and fin, at each time of a message (rules 57, 58, 100, 101). */
static void opcodes(void) {
    embws_codec *codec = fresh(EMBWS_SERVER, EMBWS_CHECK_TEXT);
    uint8_t big[126] = {0};
    size_t written;
    uint8_t dst[16];
    for (uint32_t opcode = 3; opcode < 16; opcode++) {
        if (opcode == EMBWS_PING || opcode == EMBWS_PONG) continue;
        EXPECT(EMBWS_ERR_OPCODE_SEND, encode(codec, opcode, 1, "x", 1));
    }
    EXPECT(EMBWS_ERR_NO_MESSAGE, encode(codec, EMBWS_CONTINUATION, 1, "x", 1));
    EXPECT(EMBWS_ERR_CONTROL_SIZE, encode(codec, EMBWS_PING, 0, "x", 1));
    EXPECT(EMBWS_ERR_CONTROL_SIZE, encode(codec, EMBWS_PONG, 1, big, sizeof big));
    EXPECT(EMBWS_ERR_TEXT_SEND, encode(codec, EMBWS_TEXT, 1, "\xff", 1));
    EXPECT(EMBWS_ERR_TEXT_SEND, encode(codec, EMBWS_TEXT, 1, "\xc3", 1));

    EXPECT(EMBWS_OK, encode(codec, EMBWS_TEXT, 0, "\xc3", 1)); /* half a code point: the next part completes it */
    EXPECT(EMBWS_ERR_MESSAGE_OPEN, encode(codec, EMBWS_BINARY, 1, "x", 1));
    EXPECT(EMBWS_ERR_TEXT_SEND, encode(codec, EMBWS_TEXT, 1, "x", 1));
    EXPECT(EMBWS_OK, encode(codec, EMBWS_PING, 1, "x", 1));
    EXPECT(EMBWS_OK, encode(codec, EMBWS_CONTINUATION, 1, "\xa9", 1));
    EXPECT(EMBWS_ERR_NO_MESSAGE, encode(codec, EMBWS_CONTINUATION, 1, "x", 1));

    /* A header whose payload is owed (rule 99). */
    EXPECT(EMBWS_ERR_SENT_TOO_MUCH, embws_codec_sent(codec, 1));
    EXPECT(EMBWS_OK, embws_codec_sent(codec, 0));
    written = 777;
    EXPECT(EMBWS_ERR_LENGTH_TOP_BIT,
           embws_codec_encode_header(codec, EMBWS_BINARY, 1, (uint64_t)INT64_MAX + 1, dst, sizeof dst, &written));
    EXPECT(EMBWS_ERR_OPCODE_SEND, embws_codec_encode_header(codec, EMBWS_CLOSE, 1, 1, dst, sizeof dst, &written));
    EQUAL(written, 777);
    EXPECT(EMBWS_OK, embws_codec_encode_header(codec, EMBWS_BINARY, 1, 10, dst, sizeof dst, &written));
    EXPECT(EMBWS_ERR_FRAME_OPEN, encode(codec, EMBWS_TEXT, 1, "x", 1));
    EXPECT(EMBWS_ERR_FRAME_OPEN, encode(codec, EMBWS_PING, 1, "x", 1));
    EXPECT(EMBWS_ERR_FRAME_OPEN, close_with(codec, 1000, NULL, 0));
    written = 777;
    EXPECT(EMBWS_ERR_FRAME_OPEN, embws_codec_encode_header(codec, EMBWS_BINARY, 1, 10, dst, sizeof dst, &written));
    EQUAL(written, 777);
    EXPECT(EMBWS_ERR_SENT_TOO_MUCH, embws_codec_sent(codec, 11));
    EXPECT(EMBWS_ERR_SENT_TOO_MUCH, embws_codec_sent(codec, UINT64_MAX));
    EXPECT(EMBWS_OK, embws_codec_sent(codec, 9));
    EXPECT(EMBWS_ERR_FRAME_OPEN, encode(codec, EMBWS_TEXT, 1, "x", 1));
    EXPECT(EMBWS_OK, embws_codec_sent(codec, 1));
    EXPECT(EMBWS_OK, encode(codec, EMBWS_TEXT, 1, "x", 1));

    /* A batch stops at the frame that cannot be sent; those before it were written. */
    embws_frame frames[3] = {{"one", 3, EMBWS_TEXT, 1}, {"two", 3, EMBWS_CLOSE, 1}, {"three", 5, EMBWS_TEXT, 1}};
    uint8_t batch[64];
    size_t encoded = 777;
    EXPECT(EMBWS_ERR_OPCODE_SEND, embws_codec_encode_batch(codec, frames, 3, batch, 64, &encoded, &written));
    CHECK(encoded == 1 && written == 5);
    frames[1].opcode = EMBWS_BINARY;
    EXPECT(EMBWS_MORE, embws_codec_encode_batch(codec, frames, 3, batch, 11, &encoded, &written));
    CHECK(encoded == 2 && written == 10);
    EXPECT(EMBWS_ERR_NO_ROOM, embws_codec_encode_batch(codec, frames + 2, 1, batch, 6, &encoded, &written));
    CHECK(encoded == 0 && written == 7);
    EXPECT(EMBWS_OK, embws_codec_encode_batch(codec, NULL, 0, NULL, 0, &encoded, &written));
    CHECK(encoded == 0 && written == 0);
    done(codec);
}

/* A client's payload cannot be reported as sent: it is not masked (rule 99). */
static void clients_payload(void) {
    embws_codec *codec = fresh(EMBWS_CLIENT, 0);
    uint8_t dst[32];
    size_t written;
    EXPECT(EMBWS_OK, embws_codec_encode_header(codec, EMBWS_BINARY, 1, 10, dst, sizeof dst, &written));
    EXPECT(EMBWS_ERR_SENT_TOO_MUCH, embws_codec_sent(codec, 1));
    EXPECT(EMBWS_OK, embws_codec_encode_payload(codec, "0123456789more", 14, dst, 4, &written));
    EQUAL(written, 4);
    EXPECT(EMBWS_OK, embws_codec_encode_payload(codec, "456789more", 10, dst, sizeof dst, &written));
    EQUAL(written, 6); /* no more than is owed */
    EXPECT(EMBWS_OK, embws_codec_encode_payload(codec, "more", 4, dst, sizeof dst, &written));
    EQUAL(written, 0);
    done(codec);
}

static void after_own_close(void) {
    static const uint32_t forbidden[] = {1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535};
    uint8_t reason[124];
    memset(reason, 'r', sizeof reason);
    for (uint32_t role = EMBWS_SERVER; role <= EMBWS_CLIENT; role++) {
        embws_codec *codec = fresh(role, 0);
        for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
            EXPECT(EMBWS_ERR_CODE_SEND, close_with(codec, forbidden[i], NULL, 0));
        }
        EXPECT(EMBWS_ERR_REASON_SEND, close_with(codec, 1000, reason, sizeof reason));
        EXPECT(EMBWS_ERR_REASON_SEND, close_with(codec, 1000, "\xff", 1));
        EXPECT(EMBWS_ERR_REASON_SEND, close_with(codec, 0, "x", 1));
        EXPECT(EMBWS_OK, close_with(codec, 1000, reason, EMBWS_MAX_CLOSE_REASON));
        EXPECT(EMBWS_ERR_CLOSE_SENT, close_with(codec, 1000, NULL, 0));
        EXPECT(EMBWS_ERR_CLOSE_SENT, encode(codec, EMBWS_TEXT, 1, "x", 1));
        EXPECT(EMBWS_ERR_CLOSE_SENT, encode(codec, EMBWS_PING, 1, "x", 1));
        EXPECT(EMBWS_ERR_NO_CLOSE, embws_codec_end(codec));
        embws_info info;
        EMBWS_INIT(&info);
        EXPECT(EMBWS_OK, embws_codec_info(codec, &info));
        CHECK(info.state == EMBWS_STATE_CLOSING && info.sent_code == 1000 && info.peer_code == 0);
        EXPECT(EMBWS_OK, embws_codec_reset(codec, role, NULL)); /* as new */
        EXPECT(EMBWS_OK, encode(codec, EMBWS_TEXT, 1, "x", 1));
        done(codec);
    }
}

static void after_peers_close(void) {
    static const uint8_t close[] = {0x88, 5, 0x03, 0xE9, 'b', 'y', 'e'}, text[] = {0x81, 1, 'x'};
    embws_codec *codec = fresh(EMBWS_CLIENT, 0);
    embws_io io;
    uint16_t code = 777;
    char reason[8] = "untouch";
    size_t length = 777, written;
    uint32_t next = 0;
    uint8_t dst[EMBWS_MAX_CONTROL_FRAME_SIZE];
    EXPECT(EMBWS_ERR_STATE, embws_codec_peer_close(codec, &code, reason, sizeof reason, &length));
    CHECK(code == 777 && length == 777 && strcmp(reason, "untouch") == 0);
    EXPECT(EMBWS_OK, decode(codec, &io, close, sizeof close));
    CHECK(io.found == 1 && events[0].kind == EMBWS_CLOSE && events[0].code == 1001 && io.peer_code == 1001);
    EXPECT(EMBWS_ERR_NO_ROOM, embws_codec_peer_close(codec, &code, reason, 2, &length));
    CHECK(code == 777 && length == 3 && strcmp(reason, "untouch") == 0);
    EXPECT(EMBWS_OK, embws_codec_peer_close(codec, &code, reason, 3, &length));
    CHECK(code == 1001 && length == 3 && memcmp(reason, "byeouch", 8) == 0);
    EXPECT(EMBWS_ERR_CLOSE_SEEN, encode(codec, EMBWS_TEXT, 1, "x", 1));
    EXPECT(EMBWS_ERR_CLOSE_SEEN, encode(codec, EMBWS_PING, 1, "x", 1));
    EXPECT(EMBWS_OK, embws_codec_end(codec));

    for (size_t room = 0; room < 8; room++) { /* the answer has a mask and two bytes of code */
        EXPECT(EMBWS_ERR_NO_ROOM, embws_codec_reply(codec, &io, &next, dst, room, &written));
        CHECK(next == 0 && written >= 8 && written <= sizeof dst);
    }
    events[0].start = 200; /* no longer in the buffers */
    EXPECT(EMBWS_ERR_VALUE, embws_codec_reply(codec, &io, &next, dst, sizeof dst, &written));
    events[0].start = UINT64_MAX;
    EXPECT(EMBWS_ERR_VALUE, embws_codec_reply(codec, &io, &next, dst, sizeof dst, &written));
    events[0].start = 2;
    EXPECT(EMBWS_OK, embws_codec_reply(codec, &io, &next, dst, sizeof dst, &written));
    CHECK(next == 1 && written >= 8 && dst[0] == 0x88);
    EXPECT(EMBWS_OK, embws_codec_reply(codec, &io, &next, dst, sizeof dst, &written)); /* nothing is left to answer */
    EQUAL(written, 0);

    EXPECT(EMBWS_OK, decode(codec, &io, text, sizeof text)); /* eaten and dropped (rule 80) */
    CHECK(io.eaten == sizeof text && io.found == 0 && io.state == EMBWS_STATE_CLOSED);
    EXPECT(EMBWS_ERR_CLOSE_SENT, close_with(codec, 1000, NULL, 0));
    done(codec);
}

static void after_failure(void) {
    static const uint8_t bad[] = {0x81, 1, 'a', 0x89, 0, 0x83, 0, 0x81, 1, 'b'}; /* 3 is a reserved opcode */
    embws_codec *codec = fresh(EMBWS_CLIENT, 0);
    embws_io io;
    embws_failure failure;
    EMBWS_INIT(&failure);
    EXPECT(EMBWS_OK, embws_codec_failure(codec, &failure));
    EQUAL(failure.status, 0);
    EXPECT(EMBWS_ERR_OPCODE, decode(codec, &io, bad, sizeof bad));
    CHECK(io.found == 2 && io.eaten == 5 && io.state == EMBWS_STATE_FAILED);
    for (int i = 0; i < 3; i++) {
        EXPECT(EMBWS_ERR_OPCODE, decode(codec, &io, bad, i == 0 ? 0 : sizeof bad));
        CHECK(io.found == 0 && io.eaten == 0 && io.state == EMBWS_STATE_FAILED);
    }
    EXPECT(EMBWS_OK, embws_codec_failure(codec, &failure));
    CHECK(failure.status == EMBWS_ERR_OPCODE && failure.rule == 41 && failure.offset == 5);
    CHECK(failure.close_code == 1002 && failure.header_length >= 1 && failure.header[0] == 0x83);
    for (size_t i = 0; i < sizeof failure.reserved; i++) CHECK(failure.reserved[i] == 0);
    EXPECT(EMBWS_ERR_FAILED, encode(codec, EMBWS_TEXT, 1, "x", 1));
    EXPECT(EMBWS_ERR_FAILED, encode(codec, EMBWS_PONG, 1, "x", 1));
    EXPECT(EMBWS_ERR_OPCODE, embws_codec_end(codec));
    EXPECT(EMBWS_OK, close_with(codec, 1002, NULL, 0));
    EXPECT(EMBWS_ERR_CLOSE_SENT, close_with(codec, 1002, NULL, 0));
    EXPECT(EMBWS_ERR_OPCODE, embws_codec_end(codec));

    EXPECT(EMBWS_ERR_VALUE, embws_codec_reset(codec, 9, NULL)); /* changes nothing */
    EXPECT(EMBWS_ERR_OPCODE, embws_codec_end(codec));
    EXPECT(EMBWS_OK, embws_codec_reset(codec, EMBWS_SERVER, NULL));
    EXPECT(EMBWS_ERR_NO_CLOSE, embws_codec_end(codec));
    done(codec);
}

/* The caller's random source: its context comes back, and its failure leaves everything as it was (rule 95). */
static int random_fails;

static int32_t source(void *context, void *memory, size_t length) {
    CHECK(context == (void *)0x1234567);
    memset(memory, 0x5A, length);
    return random_fails;
}

static void random_source(void) {
    embws_options options;
    embws_codec *codec = NULL;
    uint8_t dst[32];
    size_t written = 777;
    EMBWS_INIT(&options);
    options.random = source, options.context = (void *)0x1234567; /* not an address, and nobody's business */
    random_fails = -7;
    EXPECT(EMBWS_OK, embws_codec_new(&codec, EMBWS_CLIENT, &options));
    EXPECT(EMBWS_ERR_RANDOM, encode(codec, EMBWS_TEXT, 1, "x", 1));
    EXPECT(EMBWS_ERR_RANDOM, close_with(codec, 1000, NULL, 0));
    random_fails = 0;
    EXPECT(EMBWS_OK, embws_codec_encode(codec, EMBWS_TEXT, 1, "x", 1, dst, sizeof dst, &written));
    CHECK(written == 7 && memcmp(dst + 2, "\x5A\x5A\x5A\x5A", 4) == 0 && dst[6] == ('x' ^ 0x5A));
    done(codec);
}

int main(void) {
    alarm(100);
    freed_handles();
    too_little_room();
    opcodes();
    clients_payload();
    after_own_close();
    after_peers_close();
    after_failure();
    random_source();
    return check_result("codec_states");
}
