/*
 * helpers.c: the functions of embws.h that need no handle and do not enter Go: sizes, close codes, masking, spans,
 * where a payload lies, and lines about failures.
 */
#define _DEFAULT_SOURCE

#include "check.h"

/* RFC 6455 5.2: the shortest form of a length (rule 97). */
static void sizes(void) {
    static const struct {
        uint64_t length;
        size_t server;
    } rows[] = {{0, 2},          {1, 2},      {125, 2},         {126, 4},        {127, 4},
                {65535, 4},      {65536, 10}, {UINT32_MAX, 10}, {INT64_MAX, 10}, {(uint64_t)INT64_MAX + 1, 10},
                {UINT64_MAX, 10}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t n = rows[i].length;
        snprintf(check_subject, sizeof check_subject, "length %llu", (unsigned long long)n);
        EQUAL(embws_header_size(EMBWS_SERVER, n), rows[i].server);
        EQUAL(embws_header_size(EMBWS_CLIENT, n), rows[i].server + 4);
        for (uint32_t role = EMBWS_SERVER; role <= EMBWS_CLIENT; role++) {
            uint64_t whole = n > INT64_MAX ? UINT64_MAX : n + embws_header_size(role, n);
            CHECK(embws_frame_size(role, n) == whole);
        }
        CHECK(embws_header_size(0, n) == 0 && embws_header_size(3, n) == 0 && embws_header_size(UINT32_MAX, n) == 0);
        CHECK(embws_frame_size(0, n) == 0 && embws_frame_size(3, n) == 0 && embws_frame_size(UINT32_MAX, n) == 0);
    }
    check_subject[0] = 0;
    EQUAL(embws_header_size(EMBWS_CLIENT, UINT64_MAX), EMBWS_MAX_HEADER_SIZE);
    EQUAL(embws_frame_size(EMBWS_CLIENT, EMBWS_MAX_CONTROL_PAYLOAD), EMBWS_MAX_CONTROL_FRAME_SIZE);
    EQUAL(EMBWS_MAX_CLOSE_REASON + 2, EMBWS_MAX_CONTROL_PAYLOAD);
}

/* RFC 6455 7.4 and the registry (rules 74, 75, 82). */
static void close_codes(void) {
    for (uint32_t code = 0; code < 70000; code++) {
        int32_t on_wire =
            (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
        if (embws_close_code_on_wire(code) != on_wire) EQUAL(code, -1);
    }
    CHECK(embws_close_code_on_wire(UINT32_MAX) == 0 && embws_close_code_on_wire(65536 + 1000) == 0);
}

/* RFC 6455 5.3, at each phase, length and alignment. */
static void masking(void) {
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    static const uint64_t phases[] = {0, 1, 2, 3, 4, 7, UINT32_MAX, (uint64_t)1 << 63, UINT64_MAX - 3, UINT64_MAX};
    uint8_t hello[] = {0x7f, 0x9f, 0x4d, 0x51, 0x58}; /* RFC 6455 5.7 */
    EXPECT(EMBWS_OK, embws_mask(hello, sizeof hello, key, 0));
    CHECK(memcmp(hello, "Hello", 5) == 0);
    for (size_t p = 0; p < sizeof phases / sizeof phases[0]; p++) {
        for (size_t length = 0; length <= 70; length++) {
            for (size_t shift = 0; shift < 8; shift++) {
                guard g = guard_make(length + shift);
                uint8_t *bytes = g.bytes + shift;
                int good = 1;
                for (size_t i = 0; i < length; i++) bytes[i] = (uint8_t)(i * 5);
                good &= embws_mask(length == 0 ? NULL : bytes, length, key, phases[p]) == EMBWS_OK;
                for (size_t i = 0; i < length; i++) {
                    good &= bytes[i] == (uint8_t)((i * 5) ^ key[(phases[p] + i) & 3]);
                }
                for (size_t i = 0; i < shift; i++) good &= g.bytes[i] == GUARD_FILL;
                CHECK(good);
                guard_free(&g);
                if (p > 3) break; /* every alignment at the first phases is enough */
            }
        }
    }
}

static void spans(void) {
    embws_span none = embws_span_of(NULL), empty = embws_span_of(""), abc = embws_span_of("abc");
    embws_span zero = {"a\0b", 3}, lost = {NULL, 3};
    CHECK(none.data == NULL && none.length == 0 && empty.data != NULL && empty.length == 0 && abc.length == 3);
    CHECK(embws_span_equals(abc, "abc") == 1 && embws_span_equals(abc, "ab") == 0);
    CHECK(embws_span_equals(abc, "abcd") == 0 && embws_span_equals(abc, "abC") == 0);
    CHECK(embws_span_equals(none, "") == 1 && embws_span_equals(empty, NULL) == 1);
    CHECK(embws_span_equals(none, NULL) == 1 && embws_span_equals(none, "a") == 0);
    CHECK(embws_span_equals(zero, "a") == 0 && embws_span_equals(lost, "abc") == 0);
}

static void head_fields(void) {
    embws_field fields[3] = {{{"Cookie", 6}, {"a=1", 3}}, {{"X-A", 3}, {"", 0}}, {{"cookie", 6}, {"b=2", 3}}};
    embws_head head;
    EMBWS_INIT(&head);
    CHECK(embws_head_field(&head, "Cookie").data == NULL);
    head.fields = fields, head.field_count = 3;
    CHECK(embws_span_equals(embws_head_field(&head, "COOKIE"), "a=1") == 1);
    CHECK(embws_head_field(&head, "x-a").data != NULL && embws_head_field(&head, "x-a").length == 0);
    CHECK(embws_head_field(&head, "x-").data == NULL && embws_head_field(&head, "x-ab").data == NULL);
    CHECK(embws_head_field(&head, "").data == NULL && embws_head_field(&head, NULL).data == NULL);
    CHECK(embws_head_field(NULL, "Cookie").data == NULL);
    head.struct_size--;
    CHECK(embws_head_field(&head, "Cookie").data == NULL);
}

/* Where an event's payload lies; NULL for what does not lie in the buffers. */
static void event_payload(void) {
    uint8_t in[16], room[8];
    embws_io io = check_io();
    embws_event e;
    memset(&e, 0, sizeof e);
    CHECK(embws_event_payload(NULL, &e) == NULL && embws_event_payload(&io, NULL) == NULL);
    CHECK(embws_event_payload(&io, &e) == NULL);
    io.in = in, io.in_length = sizeof in, io.room = room, io.room_length = sizeof room;
    CHECK(embws_event_payload(&io, &e) == in);
    e.start = 10, e.length = 6;
    CHECK(embws_event_payload(&io, &e) == in + 10);
    e.length = 7;
    CHECK(embws_event_payload(&io, &e) == NULL);
    e.start = UINT64_MAX, e.length = 2; /* the sum wraps round */
    CHECK(embws_event_payload(&io, &e) == NULL);
    e.start = 0, e.length = UINT32_MAX;
    CHECK(embws_event_payload(&io, &e) == NULL);
    e.flags = EMBWS_IN_ROOM, e.start = 3, e.length = 5;
    CHECK(embws_event_payload(&io, &e) == room + 3);
    e.length = 6;
    CHECK(embws_event_payload(&io, &e) == NULL);
    e.flags = EMBWS_KEPT, e.start = 0, e.length = 125;
    CHECK(embws_event_payload(&io, &e) == NULL);
    io.control_length = 125;
    CHECK(embws_event_payload(&io, &e) == io.control);
    io.control_length = 129; /* more than there is: believed to be nothing */
    CHECK(embws_event_payload(&io, &e) == NULL);
    e.flags = 0, e.length = 1, io.struct_size = 0;
    CHECK(embws_event_payload(&io, &e) == NULL);
}

/* A line about a failure, cut to whatever room there is. */
static void descriptions(void) {
    embws_failure failure;
    char whole[600], part[600];
    size_t length = 0;
    EMBWS_INIT(&failure);
    EXPECT(EMBWS_OK, embws_failure_describe(&failure, whole, sizeof whole, &length));
    CHECK(strcmp(whole, "no failure") == 0 && length == strlen(whole));
    failure.status = EMBWS_ERR_UNMASKED, failure.rule = 42, failure.offset = 1234567890123u, failure.close_code = 1002;
    failure.header_length = 2, failure.header[0] = 0x81, failure.header[1] = 0x05;
    EXPECT(EMBWS_OK, embws_failure_describe(&failure, whole, sizeof whole, &length));
    CHECK(length == strlen(whole) && strstr(whole, "rule 42") != NULL && strstr(whole, "1234567890123") != NULL);
    CHECK(strstr(whole, "81 05") != NULL && strstr(whole, "1002") != NULL && strstr(whole, "RFC 6455") != NULL);
    CHECK(strstr(whole, "EMBWS_ERR_UNMASKED") != NULL && strchr(whole, '\n') == NULL);
    for (size_t room = 0; room <= length + 2; room++) {
        guard g = guard_make(room);
        size_t told = 0;
        EXPECT(EMBWS_OK, embws_failure_describe(&failure, (char *)g.bytes, room, &told));
        EQUAL(told, length);
        size_t fits = room == 0 ? 0 : room - 1 < length ? room - 1 : length;
        CHECK(memcmp(g.bytes, whole, fits) == 0 && (room == 0 || g.bytes[fits] == 0));
        guard_free(&g);
    }
    EXPECT(EMBWS_OK, embws_failure_describe(&failure, NULL, 0, NULL));
    failure.header_length = 255; /* no more is read than there is */
    EXPECT(EMBWS_OK, embws_failure_describe(&failure, part, sizeof part, NULL));
    for (int32_t status = -3000; status < 100; status++) { /* also of numbers that are none */
        failure.status = status;
        EXPECT(EMBWS_OK, embws_failure_describe(&failure, part, sizeof part, &length));
        if (length != strlen(part) || length == 0) EQUAL(status, length);
    }
}

int main(void) {
    alarm(100);
    sizes();
    close_codes();
    masking();
    spans();
    head_fields();
    event_payload();
    descriptions();
    return check_result("helpers");
}
