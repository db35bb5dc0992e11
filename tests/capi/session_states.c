/*
 * session_states.c: calls of a session that come at the wrong time: before the handshake, before the answer, within it,
 * with too little room, after a Close, after a failure, after the end.
 */
#define _DEFAULT_SOURCE

#include "check.h"

static const char request[] =
    "GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: chat, superchat\r\nOrigin: http://example.com\r\n\r\n";
static const char plain[] = "GET /index.html HTTP/1.1\r\nHost: example.com\r\n\r\n";

/* The memory of all calls. */
static uint8_t in[1024], out[1024];
static embws_event events[4];
static embws_io io;

static void use(const void *bytes, size_t length, size_t room) {
    EMBWS_INIT(&io);
    memcpy(in, bytes, length);
    io.in = in, io.in_length = length;
    io.out = out, io.out_capacity = room;
    io.events = events, io.capacity = 4;
    io.eaten = io.out_length = io.taken = 77, io.found = io.more = io.control_length = 77;
}

static void idle(size_t room) { use("", 0, room); }

static embws_session *serving(void) {
    embws_session *session = NULL;
    EXPECT(EMBWS_OK, embws_session_serve(&session, NULL, NULL));
    return session;
}

static embws_session *opened(uint32_t role, uint32_t flags) {
    embws_session *session = NULL;
    embws_options options;
    EMBWS_INIT(&options);
    options.flags = flags;
    EXPECT(EMBWS_OK, embws_session_open(&session, role, &options));
    return session;
}

static void done(embws_session *session) { EXPECT(EMBWS_OK, embws_session_free(session)); }

/* A call that fails by a status of -20 to -99 has written all out members, and nothing to send. */
#define REFUSED(status, call, now)                                      \
    do {                                                                \
        idle(sizeof out);                                               \
        EXPECT(status, call);                                           \
        CHECK(io.out_length == 0 && io.taken == 0 && io.eaten == 0);    \
        CHECK(io.found == 0 && io.more == 0 && io.control_length == 0); \
        EQUAL(io.state, now);                                           \
    } while (0)

/* What only an open connection can do. */
static void not_open(embws_session *session, uint32_t state) {
    REFUSED(EMBWS_ERR_NOT_OPEN, embws_session_send(session, &io, EMBWS_TEXT, 1, "x", 1), state);
    REFUSED(EMBWS_ERR_NOT_OPEN, embws_session_send_header(session, &io, EMBWS_TEXT, 1, 1), state);
    REFUSED(EMBWS_ERR_NOT_OPEN, embws_session_ping(session, &io, NULL, 0), state);
    REFUSED(EMBWS_ERR_NOT_OPEN, embws_session_pong(session, &io, NULL, 0), state);
    REFUSED(EMBWS_ERR_NOT_OPEN, embws_session_close(session, &io, 1000, NULL, 0), state);
    uint16_t code = 777;
    size_t length = 777;
    EXPECT(EMBWS_ERR_STATE, embws_session_peer_close(session, &code, NULL, 0, &length));
    CHECK(code == 777 && length == 777);
}

/* What only a request that awaits its answer can have. */
static void no_request(embws_session *session, uint32_t state) {
    embws_response response;
    EMBWS_INIT(&response);
    response.status = 403;
    REFUSED(EMBWS_ERR_STATE, embws_session_accept(session, &io, NULL), state);
    REFUSED(EMBWS_ERR_STATE, embws_session_respond(session, &io, &response), state);
    embws_head head, untouched;
    uint8_t memory[64];
    size_t needed = 777;
    memset(&head, 0xC7, sizeof head);
    head.struct_size = sizeof head;
    untouched = head;
    EXPECT(EMBWS_ERR_STATE, embws_session_head(session, &head, memory, sizeof memory, &needed));
    CHECK(memcmp(&head, &untouched, sizeof head) == 0 && needed == 777);
}

static void before_the_request(void) {
    embws_session *session = serving();
    not_open(session, EMBWS_STATE_HANDSHAKE);
    no_request(session, EMBWS_STATE_HANDSHAKE);
    use(request, 20, sizeof out);
    EXPECT(EMBWS_OK, embws_session_receive(session, &io));
    CHECK(io.eaten == 20 && io.found == 0 && io.state == EMBWS_STATE_HANDSHAKE);
    no_request(session, EMBWS_STATE_HANDSHAKE);
    EXPECT(EMBWS_ERR_HANDSHAKE_CUT_SHORT, embws_session_end(session));
    done(session);
}

/* The head: any capacity, any alignment. Its texts lie in the memory given, and end in a NUL. */
static void head_room(embws_session *session) {
    embws_head head;
    size_t needed = 0;
    EMBWS_INIT(&head);
    EXPECT(EMBWS_ERR_NO_ROOM, embws_session_head(session, &head, NULL, 0, &needed));
    CHECK(needed > 0 && needed < 4096 && head.target.data == NULL);
    EXPECT(EMBWS_ERR_NO_ROOM, embws_session_head(session, &head, NULL, 0, NULL));
    for (size_t room = 0; room < needed; room++) {
        guard g = guard_make(room);
        size_t again = 0;
        EXPECT(EMBWS_ERR_NO_ROOM, embws_session_head(session, &head, g.bytes, room, &again));
        EQUAL(again, needed);
        guard_free(&g);
    }
    for (size_t shift = 0; shift < 9; shift++) {
        guard g = guard_make(needed + shift);
        const char *end = (const char *)g.bytes + needed;
        memset(g.bytes, 0xEE, needed + shift);
        EXPECT(EMBWS_OK, embws_session_head(session, &head, g.bytes, needed, NULL));
        for (size_t i = 0; i < shift; i++) CHECK(g.bytes[needed + i] == 0xEE);
        CHECK(embws_span_equals(head.target, "/chat?room=1") && strcmp(head.target.data, "/chat?room=1") == 0);
        CHECK(embws_span_equals(head.path, "/chat") && embws_span_equals(head.query, "room=1"));
        CHECK(embws_span_equals(head.host, "example.com") && embws_span_equals(head.origin, "http://example.com"));
        CHECK(head.upgrade == 1 && head.subprotocol_count == 2 && (uintptr_t)head.subprotocols % sizeof(void *) == 0);
        CHECK(embws_span_equals(head.subprotocols[1], "superchat") && head.extension_count == 0);
        CHECK(head.target.data >= (const char *)g.bytes && head.target.data < end);
        guard_free(&g);
    }
}

/* Answers that cannot be given leave the request unanswered. */
static void awaiting_an_answer(void) {
    static const uint32_t statuses[] = {0, 100, 101, 199, 200, 299, 600, 999, 65536 + 403, UINT32_MAX};
    embws_session *session = serving();
    use(request, sizeof request - 1, sizeof out);
    EXPECT(EMBWS_OK, embws_session_receive(session, &io));
    CHECK(io.eaten == sizeof request - 1 && io.found == 1 && events[0].kind == EMBWS_HANDSHAKE);
    EQUAL(io.state, EMBWS_STATE_REQUEST);
    not_open(session, EMBWS_STATE_REQUEST);
    REFUSED(EMBWS_ERR_STATE, embws_session_receive(session, &io), EMBWS_STATE_REQUEST);
    head_room(session);

    embws_acceptance acceptance;
    EMBWS_INIT(&acceptance);
    acceptance.subprotocol = embws_span_of("Chat"); /* case counts */
    REFUSED(EMBWS_ERR_SUBPROTOCOL_SEND, embws_session_accept(session, &io, &acceptance), EMBWS_STATE_REQUEST);
    acceptance.subprotocol = embws_span_of("chat");
    acceptance.extensions = embws_span_of("permessage-deflate"); /* was not offered */
    REFUSED(EMBWS_ERR_EXTENSION_SEND, embws_session_accept(session, &io, &acceptance), EMBWS_STATE_REQUEST);
    acceptance.extensions = embws_span_of(NULL);
    embws_field fields[1] = {{{"X-A", 3}, {"a\r\nEvil: 1", 10}}};
    acceptance.fields = fields, acceptance.field_count = 1;
    REFUSED(EMBWS_ERR_FIELD, embws_session_accept(session, &io, &acceptance), EMBWS_STATE_REQUEST);
    fields[0].name = embws_span_of("Sec-WebSocket-Accept");
    fields[0].value = embws_span_of("x");
    REFUSED(EMBWS_ERR_FIELD, embws_session_accept(session, &io, &acceptance), EMBWS_STATE_REQUEST);
    fields[0].name = embws_span_of("");
    REFUSED(EMBWS_ERR_FIELD, embws_session_accept(session, &io, &acceptance), EMBWS_STATE_REQUEST);
    embws_response response;
    EMBWS_INIT(&response);
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        response.status = statuses[i];
        REFUSED(EMBWS_ERR_STATUS_SEND, embws_session_respond(session, &io, &response), EMBWS_STATE_REQUEST);
    }

    /* The 101, byte by byte. It is copied: what it was made from may go. */
    fields[0].name = embws_span_of("X-A");
    idle(1);
    EXPECT(EMBWS_OK, embws_session_accept(session, &io, &acceptance));
    CHECK(io.out_length == 1 && io.more == 1 && io.state != EMBWS_STATE_OPEN && out[0] == 'H');
    memset(&acceptance, 0xFF, sizeof acceptance);
    memset(fields, 0xFF, sizeof fields);
    idle(1);
    EXPECT(EMBWS_ERR_STATE, embws_session_accept(session, &io, NULL)); /* it goes on, and is not begun again */
    char text[512] = "H";
    size_t length = 1;
    for (int i = 0; i < 500; i++) {
        if (io.out_length > 0) text[length++] = (char)out[0];
        if (io.more == 0) break;
        CHECK(io.state != EMBWS_STATE_OPEN);
        idle(1);
        EXPECT(EMBWS_OK, embws_session_flush(session, &io));
        CHECK(io.out_length <= 1);
    }
    text[length] = 0;
    CHECK(io.state == EMBWS_STATE_OPEN && strncmp(text, "HTTP/1.1 101 ", 13) == 0);
    CHECK(strstr(text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != NULL && strstr(text, "Sec-WebSocket-Protocol: chat\r\n"));
    CHECK(strstr(text, "X-A: x\r\n") != NULL && strcmp(text + length - 4, "\r\n\r\n") == 0);
    no_request(session, EMBWS_STATE_OPEN);
    idle(sizeof out);
    EXPECT(EMBWS_OK, embws_session_send(session, &io, EMBWS_TEXT, 1, "x", 1));
    CHECK(io.taken == 1 && io.out_length == 3);
    done(session);
}

/* A plain request is answered, and the next one awaited (rule 20). */
static void plain_request(void) {
    embws_session *session = serving();
    embws_response response;
    for (int i = 0; i < 2; i++) {
        use(plain, sizeof plain - 1, sizeof out);
        EXPECT(EMBWS_OK, embws_session_receive(session, &io));
        EQUAL(io.state, EMBWS_STATE_REQUEST);
        REFUSED(EMBWS_ERR_PLAIN_REQUEST, embws_session_accept(session, &io, NULL), EMBWS_STATE_REQUEST);
        EMBWS_INIT(&response);
        response.status = 204;
        response.body = "x", response.body_length = 1; /* 204 has none */
        REFUSED(EMBWS_ERR_STATUS_SEND, embws_session_respond(session, &io, &response), EMBWS_STATE_REQUEST);
        response.status = 200;
        idle(sizeof out);
        EXPECT(EMBWS_OK, embws_session_respond(session, &io, &response));
        CHECK(io.out_length > 12 && memcmp(out, "HTTP/1.1 200", 12) == 0);
        EQUAL(io.state, EMBWS_STATE_HANDSHAKE);
        no_request(session, EMBWS_STATE_HANDSHAKE);
    }
    done(session);
}

static void open_connection(void) {
    embws_session *session = opened(EMBWS_SERVER, EMBWS_CHECK_TEXT);
    uint8_t big[126] = {0};
    no_request(session, EMBWS_STATE_OPEN);
    REFUSED(EMBWS_ERR_OPCODE_SEND, embws_session_send(session, &io, EMBWS_PING, 1, "x", 1), EMBWS_STATE_OPEN);
    REFUSED(EMBWS_ERR_OPCODE_SEND, embws_session_send(session, &io, EMBWS_CLOSE, 1, "x", 1), EMBWS_STATE_OPEN);
    REFUSED(EMBWS_ERR_OPCODE_SEND, embws_session_send(session, &io, 3, 1, "x", 1), EMBWS_STATE_OPEN);
    REFUSED(EMBWS_ERR_NO_MESSAGE, embws_session_send(session, &io, EMBWS_CONTINUATION, 1, "x", 1), EMBWS_STATE_OPEN);
    REFUSED(EMBWS_ERR_TEXT_SEND, embws_session_send(session, &io, EMBWS_TEXT, 1, "\xff", 1), EMBWS_STATE_OPEN);
    REFUSED(EMBWS_ERR_CONTROL_SIZE, embws_session_ping(session, &io, big, sizeof big), EMBWS_STATE_OPEN);
    REFUSED(EMBWS_ERR_CONTROL_SIZE, embws_session_pong(session, &io, big, sizeof big), EMBWS_STATE_OPEN);
    REFUSED(EMBWS_ERR_CODE_SEND, embws_session_close(session, &io, 1005, NULL, 0), EMBWS_STATE_OPEN);
    REFUSED(EMBWS_ERR_REASON_SEND, embws_session_close(session, &io, 1000, "\xff", 1), EMBWS_STATE_OPEN);
    REFUSED(EMBWS_ERR_REASON_SEND, embws_session_close(session, &io, 0, "x", 1), EMBWS_STATE_OPEN);
    REFUSED(EMBWS_ERR_SENT_TOO_MUCH, embws_session_sent(session, &io, 1), EMBWS_STATE_OPEN);
    REFUSED(EMBWS_ERR_LENGTH_TOP_BIT, embws_session_send_header(session, &io, EMBWS_TEXT, 1, UINT64_MAX),
            EMBWS_STATE_OPEN);

    /* Without room a ping waits inside, and a second one does not. */
    idle(0);
    EXPECT(EMBWS_OK, embws_session_ping(session, &io, "one", 3));
    CHECK(io.more == 1 && io.out_length == 0);
    idle(0);
    EXPECT(EMBWS_ERR_NO_ROOM, embws_session_ping(session, &io, "two", 3));
    CHECK(io.more == 1 && io.out_length == 0);
    idle(3);
    out[3] = 0;
    EXPECT(EMBWS_OK, embws_session_flush(session, &io));
    CHECK(io.more == 1 && io.out_length == 3 && memcmp(out, "\x89\x03o", 3) == 0 && out[3] == 0);
    idle(3);
    EXPECT(EMBWS_OK, embws_session_flush(session, &io));
    CHECK(io.more == 0 && io.out_length == 2 && memcmp(out, "ne", 2) == 0);

    /* A message goes out through any room, to its last byte, and no byte twice. The claimed length may be huge: only
     * what fits is read. */
    idle(100);
    EXPECT(EMBWS_MORE, embws_session_send(session, &io, EMBWS_BINARY, 0, in, PTRDIFF_MAX));
    CHECK(io.taken > 0 && io.taken < 100 && io.out_length <= 100);
    idle(100);
    EXPECT(EMBWS_OK, embws_session_send(session, &io, EMBWS_CONTINUATION, 1, NULL, 0));
    idle(sizeof out);
    EXPECT(EMBWS_OK, embws_session_flush(session, &io));
    EQUAL(io.more, 0);

    /* A header alone; what is owed comes first (rule 99). */
    idle(0);
    EXPECT(EMBWS_OK, embws_session_ping(session, &io, NULL, 0));
    idle(0);
    EXPECT(EMBWS_ERR_NO_ROOM, embws_session_send_header(session, &io, EMBWS_BINARY, 1, 1000));
    idle(3);
    EXPECT(EMBWS_OK, embws_session_send_header(session, &io, EMBWS_BINARY, 1, 1000)); /* the rest waits inside */
    CHECK(io.out_length == 3 && io.more == 1 && memcmp(out, "\x89\x00\x82", 3) == 0);
    idle(sizeof out);
    EXPECT(EMBWS_OK, embws_session_flush(session, &io));
    CHECK(io.out_length == 3 && io.more == 0 && memcmp(out, "\x7E\x03\xE8", 3) == 0);
    idle(sizeof out);
    EXPECT(EMBWS_ERR_FRAME_OPEN, embws_session_close(session, &io, 1000, NULL, 0));
    idle(sizeof out);
    EXPECT(EMBWS_ERR_SENT_TOO_MUCH, embws_session_sent(session, &io, 1001));
    idle(sizeof out);
    EXPECT(EMBWS_OK, embws_session_sent(session, &io, 1000));
    EXPECT(EMBWS_ERR_NO_CLOSE, embws_session_end(session));
    done(session);
}

static void after_close(void) {
    static const uint8_t close[] = {0x88, 2, 0x03, 0xE8}, text[] = {0x81, 1, 'x'};
    for (int peer_first = 0; peer_first < 2; peer_first++) {
        embws_session *session = opened(EMBWS_CLIENT, 0);
        if (!peer_first) {
            idle(sizeof out);
            EXPECT(EMBWS_OK, embws_session_close(session, &io, 1000, "bye", 3));
            CHECK(io.state == EMBWS_STATE_CLOSING && io.sent_code == 1000 && io.peer_code == 0 && io.out_length == 11);
            REFUSED(EMBWS_ERR_CLOSE_SENT, embws_session_send(session, &io, EMBWS_TEXT, 1, "x", 1), EMBWS_STATE_CLOSING);
            REFUSED(EMBWS_ERR_CLOSE_SENT, embws_session_ping(session, &io, NULL, 0), EMBWS_STATE_CLOSING);
            REFUSED(EMBWS_ERR_CLOSE_SENT, embws_session_close(session, &io, 1000, NULL, 0), EMBWS_STATE_CLOSING);
            use(text, sizeof text, sizeof out); /* rule 81 */
            EXPECT(EMBWS_OK, embws_session_receive(session, &io));
            CHECK(io.found == 1 && events[0].kind == EMBWS_TEXT);
            EXPECT(EMBWS_ERR_NO_CLOSE, embws_session_end(session));
        }
        use(close, sizeof close, sizeof out);
        EXPECT(EMBWS_OK, embws_session_receive(session, &io));
        CHECK(io.found == 1 && events[0].kind == EMBWS_CLOSE && events[0].code == 1000);
        CHECK(io.state == EMBWS_STATE_CLOSED && io.peer_code == 1000 && io.sent_code == 1000);
        EQUAL(io.out_length, peer_first ? 8 : 0);
        use(text, sizeof text, sizeof out);
        EXPECT(EMBWS_OK, embws_session_receive(session, &io)); /* dropped (rule 80) */
        CHECK(io.found == 0 && io.eaten == sizeof text && io.state == EMBWS_STATE_CLOSED);
        idle(sizeof out);
        int32_t status = embws_session_send(session, &io, EMBWS_TEXT, 1, "x", 1);
        CHECK(status == EMBWS_ERR_CLOSE_SENT || status == EMBWS_ERR_CLOSE_SEEN);
        CHECK(io.out_length == 0 && io.taken == 0);
        REFUSED(EMBWS_ERR_CLOSE_SENT, embws_session_close(session, &io, 1000, NULL, 0), EMBWS_STATE_CLOSED);
        EXPECT(EMBWS_OK, embws_session_end(session));
        done(session);
    }
}

static void after_failure(void) {
    static const uint8_t bad[] = {0x81, 1, 'a', 0x83, 0};
    embws_session *session = opened(EMBWS_CLIENT, 0);
    embws_failure failure;
    use(bad, sizeof bad, 0);
    EXPECT(EMBWS_OK, embws_session_receive(session, &io)); /* so that what came before can be answered */
    CHECK(io.found == 1 && io.eaten == 3);
    use(bad + 3, 2, 0);
    EXPECT(EMBWS_ERR_OPCODE, embws_session_receive(session, &io));
    CHECK(io.found == 0 && io.eaten == 0 && io.more == 1 && io.state == EMBWS_STATE_FAILED);
    for (int i = 0; i < 3; i++) {
        embws_message message;
        memset(&message, 0xFF, sizeof message);
        use(bad, sizeof bad, 0);
        EXPECT(EMBWS_ERR_OPCODE,
               i == 0 ? embws_session_next(session, &io, NULL, 0, &message) : embws_session_receive(session, &io));
        CHECK(io.found == 0 && io.eaten == 0 && io.state == EMBWS_STATE_FAILED);
        if (i == 0) CHECK(message.kind == 0 && message.length == 0);
    }
    idle(0);
    EXPECT(EMBWS_ERR_FAILED, embws_session_send(session, &io, EMBWS_TEXT, 1, "x", 1));
    idle(0);
    EXPECT(EMBWS_ERR_FAILED, embws_session_ping(session, &io, NULL, 0));
    idle(0);
    EXPECT(EMBWS_ERR_FAILED, embws_session_close(session, &io, 1000, NULL, 0));
    EMBWS_INIT(&failure);
    EXPECT(EMBWS_OK, embws_session_failure(session, &failure));
    CHECK(failure.status == EMBWS_ERR_OPCODE && failure.offset == 3 && failure.close_code == 1002);
    idle(sizeof out);
    EXPECT(EMBWS_OK, embws_session_flush(session, &io)); /* the Close that tells it */
    CHECK(io.out_length >= 8 && out[0] == 0x88 && io.more == 0 && io.sent_code == 1002);
    EXPECT(EMBWS_ERR_OPCODE, embws_session_end(session));
    done(session);
}

/* embws_session_next with memory that is too small, or shrinks (rule 48). */
static void message_memory(void) {
    static const uint8_t split[] = {0x01, 3, 'a', 'b', 'c', 0x80, 3, 'd', 'e', 'f'};
    embws_session *session = opened(EMBWS_CLIENT, 0);
    embws_message message;
    for (size_t room = 0; room <= 6; room++) {
        guard g = guard_make(room);
        EXPECT(EMBWS_OK, embws_session_free(session));
        session = opened(EMBWS_CLIENT, 0);
        use(split, sizeof split, sizeof out);
        int32_t status = embws_session_next(session, &io, room == 0 ? NULL : g.bytes, room, &message);
        if (room < 6) {
            EXPECT(EMBWS_ERR_MESSAGE_MEMORY, status);
            CHECK(io.state == EMBWS_STATE_FAILED && io.sent_code == 1009);
        } else {
            EXPECT(EMBWS_OK, status);
            CHECK(message.kind == EMBWS_TEXT && message.length == 6 && memcmp(message.payload, "abcdef", 6) == 0);
            CHECK(message.payload == g.bytes && io.eaten == sizeof split);
        }
        guard_free(&g);
    }
    done(session);
    session = opened(EMBWS_CLIENT, 0);
    uint8_t memory[8];
    use(split, 7, sizeof out);
    EXPECT(EMBWS_OK, embws_session_next(session, &io, memory, sizeof memory, &message));
    CHECK(message.kind == 0 && message.length == 0 && io.eaten == 7);
    use(split + 7, 3, sizeof out);
    EXPECT(EMBWS_ERR_NO_ROOM, embws_session_next(session, &io, memory, 2, &message)); /* less than it has put there */
    CHECK(io.eaten == 0 && io.state == EMBWS_STATE_OPEN);
    use(split + 7, 3, sizeof out);
    EXPECT(EMBWS_OK, embws_session_next(session, &io, memory, sizeof memory, &message));
    CHECK(message.length == 6 && memcmp(message.payload, "abcdef", 6) == 0);
    done(session);
}

int main(void) {
    alarm(100);
    before_the_request();
    awaiting_an_answer();
    plain_request();
    open_connection();
    after_close();
    after_failure();
    message_memory();
    return check_result("session_states");
}
