/*
 * batch.c: embws_session_receive_batch and embws_session_send_frame. What is usual comes by the status alone, all else
 * as by the functions that they stand for. All memory ends at a page that nobody may touch.
 */
#define _DEFAULT_SOURCE

#include "check.h"

enum { IN = 2048, LIST = 2048, EVENTS = 8 };

static embws_io io;
static embws_batch batch;
static embws_event events[EVENTS];
static guard in, list, out;

static void lend(size_t list_size, size_t out_size) {
    in = guard_make(IN);
    list = guard_make(list_size);
    out = guard_make(out_size);
    EMBWS_INIT(&io);
    io.events = events, io.capacity = EVENTS;
    io.out = out.bytes, io.out_capacity = out_size;
    EMBWS_INIT(&batch);
    batch.io = &io;
    batch.in = in.bytes, batch.in_capacity = IN;
    batch.list = list.bytes, batch.list_capacity = list_size;
}

static void take_back(void) {
    guard_free(&in);
    guard_free(&list);
    guard_free(&out);
}

static embws_session *opened(uint32_t role) {
    embws_session *session = NULL;
    EXPECT(EMBWS_OK, embws_session_open(&session, role, NULL));
    return session;
}

/* A stream of frames as a client sends them. The key is 0: the payload stands as it is. */
static uint8_t wire[IN];
static size_t wire_length;

static void put(uint8_t first, const char *payload) {
    size_t length = strlen(payload);
    CHECK(length < 126 && wire_length + 6 + length <= sizeof wire);
    wire[wire_length] = first;
    wire[wire_length + 1] = (uint8_t)(0x80 | length);
    memset(wire + wire_length + 2, 0, 4);
    memcpy(wire + wire_length + 6, payload, length);
    wire_length += 6 + length;
}

static int32_t receive(embws_session *session) {
    guard data = guard_make(wire_length), was = guard_make(wire_length);
    memcpy(data.bytes, wire, wire_length);
    memcpy(was.bytes, wire, wire_length);
    int32_t status = embws_session_receive_batch(session, &batch, data.bytes, (uint32_t)wire_length);
    CHECK(memcmp(data.bytes, was.bytes, wire_length) == 0); /* it is a copy that is unmasked */
    guard_free(&data);
    guard_free(&was);
    return status;
}

/* The list, as Python would read it. */
static void expect_list(const char *kinds, const char *const *payloads) {
    const uint8_t *p = list.bytes;
    size_t count = strlen(kinds);
    CHECK(p[0] == '[' && p[1] == count && p[2] == 0 && p[3] == 0 && p[4] == 0);
    p += 5;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(payloads[i]);
        CHECK(p[0] == kinds[i] && p[1] == (length & 0xFF) && p[2] == length >> 8 && p[3] == 0 && p[4] == 0);
        CHECK(memcmp(p + 5, payloads[i], length) == 0);
        p += 5 + length;
    }
}

static void whole_messages_are_a_list(void) {
    static const char *const payloads[] = {"one", "", "three"};
    for (int in_place = 0; in_place < 2; in_place++) {
        lend(LIST, 200);
        embws_session *session = opened(EMBWS_SERVER);
        wire_length = 0;
        put(0x81, "one");
        put(0x82, "");
        put(0x82, "three");
        if (in_place) {
            memcpy(in.bytes, wire, wire_length);
            EXPECT(EMBWS_BATCH, embws_session_receive_batch(session, &batch, NULL, (uint32_t)wire_length));
        } else {
            EXPECT(EMBWS_BATCH, receive(session));
        }
        expect_list("uss", payloads);
        EQUAL(io.found, 3);
        EQUAL(io.eaten, wire_length);
        CHECK(io.in == in.bytes && io.in_length == wire_length);
        EXPECT(EMBWS_OK, embws_session_free(session));
        take_back();
    }
}

/* A list of exactly the room that there is, and of one byte more. */
static void list_may_have_any_size(void) {
    static const char *const payloads[] = {"one", "two!"};
    wire_length = 0;
    put(0x82, "one");
    put(0x82, "two!");
    const size_t needed = 5 + 5 + 3 + 5 + 4;
    for (size_t room = 0; room <= needed + 1; room++) {
        lend(room, 200);
        embws_session *session = opened(EMBWS_SERVER);
        EXPECT(room >= needed ? EMBWS_BATCH : EMBWS_OK, receive(session));
        if (room >= needed) expect_list("ss", payloads);
        EQUAL(io.found, 2); /* without a list they are events, and nothing is lost */
        CHECK(memcmp(embws_event_payload(&io, &events[1]), "two!", 4) == 0);
        EXPECT(EMBWS_OK, embws_session_free(session));
        take_back();
    }
}

/* Longer messages than wanted stay where they lie. */
static void longest_is_inclusive(void) {
    for (uint32_t longest = 0; longest <= 5; longest++) {
        lend(LIST, 200);
        batch.longest = longest;
        embws_session *session = opened(EMBWS_SERVER);
        wire_length = 0;
        put(0x82, "four");
        EXPECT(longest == 0 || longest >= 4 ? EMBWS_BATCH : EMBWS_OK, receive(session));
        EQUAL(io.found, 1);
        EXPECT(EMBWS_OK, embws_session_free(session));
        take_back();
    }
}

/* What is not whole, not data, or not all: as embws_session_receive tells it. */
static void all_else_is_told_as_ever(void) {
    static const struct {
        uint8_t first;
        const char *payload;
        int32_t status;
        uint32_t found, state;
    } rows[] = {
        {0x01, "part", EMBWS_OK, 1, EMBWS_STATE_OPEN},       {0x89, "ping", EMBWS_OK, 1, EMBWS_STATE_OPEN},
        {0x8A, "pong", EMBWS_OK, 1, EMBWS_STATE_OPEN},       {0x88, "", EMBWS_OK, 1, EMBWS_STATE_CLOSED},
        {0x83, "", EMBWS_ERR_OPCODE, 0, EMBWS_STATE_FAILED}, {0x81, "\xFF", EMBWS_ERR_UTF8, 0, EMBWS_STATE_FAILED}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int behind = 0; behind < 2; behind++) { /* a whole message */
            lend(LIST, 200);
            embws_session *session = opened(EMBWS_SERVER);
            wire_length = 0;
            if (behind) put(0x82, "whole");
            const size_t before = wire_length;
            put(rows[i].first, rows[i].payload);
            int32_t status = receive(session);
            /* A Close or a violation waits for a call of its own, so that what came before can be answered. */
            const int waits = behind && rows[i].state != EMBWS_STATE_OPEN;
            EXPECT(waits ? EMBWS_OK : rows[i].status, status);
            EQUAL(io.found, waits ? 1 : rows[i].found + (uint32_t)behind);
            if (waits) {
                EQUAL(io.eaten, before);
                EXPECT(rows[i].status,
                       embws_session_receive_batch(session, &batch, wire + before, (uint32_t)(wire_length - before)));
                EQUAL(io.found, rows[i].found);
            }
            EQUAL(io.state, rows[i].state);
            CHECK((io.out_length > 0) == (rows[i].first == 0x89 || rows[i].state != EMBWS_STATE_OPEN));
            EXPECT(EMBWS_OK, embws_session_free(session));
            take_back();
        }
    }
}

/* A frame that the input has split, byte by byte: events for all but nothing, and a list only for what is whole. */
static void split_messages_are_events(void) {
    lend(LIST, 200);
    embws_session *session = opened(EMBWS_SERVER);
    char text[8] = "";
    wire_length = 0;
    put(0x81, "split");
    for (size_t i = 0; i < wire_length; i++) {
        EXPECT(EMBWS_OK, embws_session_receive_batch(session, &batch, wire + i, 1));
        EQUAL(io.eaten, 1);
        if (io.found == 1) strncat(text, (const char *)embws_event_payload(&io, &events[0]), events[0].length);
    }
    CHECK(strcmp(text, "split") == 0);
    EXPECT(EMBWS_OK, embws_session_receive_batch(session, &batch, NULL, 0)); /* nothing is no message */
    EQUAL(io.found, 0);
    EXPECT(EMBWS_OK, embws_session_free(session));
    take_back();
}

/* More messages than there is room for events, and none. */
static void events_bound_a_batch(void) {
    lend(LIST, 200);
    embws_session *session = opened(EMBWS_SERVER);
    wire_length = 0;
    for (int i = 0; i < EVENTS + 1; i++) put(0x82, "x");
    EXPECT(EMBWS_OK, receive(session));
    EQUAL(io.found, EVENTS);
    EQUAL(io.eaten, EVENTS * 7);
    EXPECT(EMBWS_BATCH, embws_session_receive_batch(session, &batch, wire + EVENTS * 7, 7));
    EQUAL(io.found, 1);
    io.capacity = 0;
    EXPECT(EMBWS_ERR_NO_ROOM, receive(session));
    DETAIL("embws_session_receive_batch", "io->capacity");
    EQUAL(io.eaten, 0);
    EXPECT(EMBWS_OK, embws_session_free(session));
    take_back();
}

static void frames_are_written(void) {
    lend(LIST, 200);
    embws_session *session = opened(EMBWS_SERVER);
    EXPECT(EMBWS_WRITTEN, embws_session_send_frame(session, &io, 0x81, "hi", 2));
    CHECK(io.out_length == 4 && memcmp(out.bytes, "\x81\x02hi", 4) == 0);
    EXPECT(EMBWS_WRITTEN, embws_session_send_frame(session, &io, 0x02, "part", 4));
    CHECK(io.out_length == 6 && out.bytes[0] == 0x02);
    EXPECT(EMBWS_ERR_MESSAGE_OPEN, embws_session_send_frame(session, &io, 0x81, "hi", 2));
    EXPECT(EMBWS_WRITTEN, embws_session_send_frame(session, &io, 0x80, NULL, 0));
    EXPECT(EMBWS_ERR_OPCODE_SEND, embws_session_send_frame(session, &io, 0x89, "ping", 4));
    EXPECT(EMBWS_ERR_VALUE, embws_session_send_frame(session, &io, 0xC1, "hi", 2)); /* RSV1 is not the caller's */
    DETAIL("embws_session_send_frame", "first");
    take_back();

    lend(LIST, 10); /* in parts */
    EXPECT(EMBWS_MORE, embws_session_send_frame(session, &io, 0x82, "0123456789", 10));
    CHECK(io.taken > 0 && io.taken < 10 && io.out_length == io.taken + 2);
    size_t taken = io.taken;
    EXPECT(EMBWS_WRITTEN, embws_session_send_frame(session, &io, 0x82, &"0123456789"[taken], (uint32_t)(10 - taken)));
    EQUAL(io.taken, 10 - taken);
    EXPECT(EMBWS_OK, embws_session_close(session, &io, 1000, NULL, 0));
    EXPECT(EMBWS_ERR_CLOSE_SENT, embws_session_send_frame(session, &io, 0x81, "hi", 2));
    EQUAL(io.state, EMBWS_STATE_CLOSING);
    EXPECT(EMBWS_OK, embws_session_free(session));
    take_back();
}

int main(void) {
    alarm(60);
    for (guard_front = 0; guard_front < 2; guard_front++) {
        whole_messages_are_a_list();
        list_may_have_any_size();
        longest_is_inclusive();
        all_else_is_told_as_ever();
        split_messages_are_events();
        events_bound_a_batch();
        frames_are_written();
    }
    return check_result("batch");
}
