/*
 * allocations.c: decoding, encoding and what an open session does allocate nothing on the Go heap (embws_test.h counts
 * it), neither when they work nor when they fail. Each row is called CALLS times.
 */
#define _DEFAULT_SOURCE

#include "check.h"
#include "embws_test.h"

enum {
    CALLS = 10000,
    SLACK = 40 /* in all of a row's calls: what the runtime itself allocates now and then, and counting does */
};

static embws_codec *client, *server, *closing, *failed;
static embws_session *client_session, *server_session, *failed_session;
static uint8_t payload[1000], wire[4096], copy[4096], back[4096], memory[4096];
static size_t wire_length;
static embws_event events[64];
static embws_io io;

/* The bytes in `wire`, to be decoded. */
static void arrive(void) {
    memcpy(copy, wire, wire_length);
    EMBWS_INIT(&io);
    io.in = copy, io.in_length = wire_length;
    io.events = events, io.capacity = 64;
    io.out = back, io.out_capacity = sizeof back;
}

static void encode(embws_codec *codec, uint32_t opcode, size_t length) {
    EXPECT(EMBWS_OK, embws_codec_encode(codec, opcode, 1, payload, length, wire, sizeof wire, &wire_length));
}

static void encode_client(void) { encode(client, EMBWS_TEXT, 1000); }
static void encode_server(void) { encode(server, EMBWS_BINARY, 16); }

static void encode_refused(void) {
    size_t written;
    EXPECT(EMBWS_ERR_NO_ROOM, embws_codec_encode(client, EMBWS_TEXT, 1, payload, 16, back, 5, &written));
    EXPECT(EMBWS_ERR_OPCODE_SEND, embws_codec_encode(client, 3, 1, payload, 16, back, 100, &written));
    EXPECT(EMBWS_ERR_TEXT_SEND, embws_codec_encode(client, EMBWS_TEXT, 1, "\xff", 1, back, 100, &written));
}

static void encode_batch(void) {
    embws_frame frames[32];
    size_t encoded;
    for (size_t i = 0; i < 32; i++) {
        embws_frame frame = {payload, i * 4, i % 8 == 0 ? EMBWS_PING : EMBWS_TEXT, 1};
        frames[i] = frame;
    }
    EXPECT(EMBWS_OK, embws_codec_encode_batch(client, frames, 32, wire, sizeof wire, &encoded, &wire_length));
}

static void encode_header(void) {
    size_t n, m;
    EXPECT(EMBWS_OK, embws_codec_encode_header(client, EMBWS_BINARY, 1, 100, back, sizeof back, &n));
    EXPECT(EMBWS_OK, embws_codec_encode_payload(client, payload, 100, back, sizeof back, &m));
    EXPECT(EMBWS_OK, embws_codec_encode_header(server, EMBWS_BINARY, 1, 100, back, sizeof back, &n));
    EXPECT(EMBWS_OK, embws_codec_sent(server, 100));
}

/* A batch of messages and pings, and the answers. */
static void decode_reply(void) {
    uint32_t next = 0;
    size_t written;
    arrive();
    EXPECT(EMBWS_OK, embws_codec_decode(server, &io));
    EQUAL(io.found, 32);
    EXPECT(EMBWS_OK, embws_codec_reply(server, &io, &next, back, sizeof back, &written));
}

/* Byte by byte, so that a ping is kept. */
static void decode_bytes(void) {
    encode(client, EMBWS_PING, 20);
    for (size_t i = 0; i < wire_length; i++) {
        EMBWS_INIT(&io);
        io.in = wire + i, io.in_length = 1, io.events = events, io.capacity = 64;
        EXPECT(EMBWS_OK, embws_codec_decode(server, &io));
    }
    CHECK(io.found == 1 && (events[0].flags & EMBWS_KEPT) != 0);
}

static void decode_failed(void) {
    static const uint8_t bad[] = {0x83, 0x80, 0, 0, 0, 0};
    embws_failure failure;
    EMBWS_INIT(&failure);
    EXPECT(EMBWS_OK, embws_codec_reset(failed, EMBWS_SERVER, NULL));
    memcpy(wire, bad, sizeof bad), wire_length = sizeof bad;
    arrive();
    EXPECT(EMBWS_ERR_OPCODE, embws_codec_decode(failed, &io));
    EXPECT(EMBWS_ERR_OPCODE, embws_codec_decode(failed, &io));
    EXPECT(EMBWS_OK, embws_codec_failure(failed, &failure));
    EXPECT(EMBWS_ERR_OPCODE, embws_codec_end(failed));
}

/* A closing handshake, from both sides. */
static void close_path(void) {
    uint32_t next = 0;
    uint16_t code;
    size_t length;
    embws_info info;
    EMBWS_INIT(&info);
    EXPECT(EMBWS_OK, embws_codec_reset(closing, EMBWS_CLIENT, NULL));
    EXPECT(EMBWS_OK, embws_codec_reset(failed, EMBWS_SERVER, NULL));
    EXPECT(EMBWS_OK, embws_codec_close(closing, 1000, "done", 4, wire, sizeof wire, &wire_length));
    arrive();
    EXPECT(EMBWS_OK, embws_codec_decode(failed, &io));
    EXPECT(EMBWS_OK, embws_codec_reply(failed, &io, &next, wire, sizeof wire, &wire_length));
    EXPECT(EMBWS_OK, embws_codec_peer_close(failed, &code, back, sizeof back, &length));
    EXPECT(EMBWS_OK, embws_codec_info(failed, &info));
    arrive();
    EXPECT(EMBWS_OK, embws_codec_decode(closing, &io));
    EXPECT(EMBWS_OK, embws_codec_end(closing));
}

static void session_send(embws_session *from) {
    EMBWS_INIT(&io);
    io.out = wire, io.out_capacity = sizeof wire;
    EXPECT(EMBWS_OK, embws_session_send(from, &io, EMBWS_TEXT, 1, payload, 300));
    wire_length = io.out_length;
}

static void session_receive(void) {
    session_send(client_session);
    arrive();
    EXPECT(EMBWS_OK, embws_session_receive(server_session, &io));
    CHECK(io.found == 1 && events[0].length == 300);
}

static void session_batch(void) {
    embws_batch batch;
    EMBWS_INIT(&io);
    io.out = wire, io.out_capacity = sizeof wire, io.events = events, io.capacity = 64;
    EXPECT(EMBWS_WRITTEN, embws_session_send_frame(client_session, &io, EMBWS_FIN | EMBWS_TEXT, payload, 300));
    wire_length = io.out_length;
    EMBWS_INIT(&batch);
    io.out = back, io.out_capacity = sizeof back;
    batch.io = &io;
    batch.in = wire, batch.in_capacity = sizeof wire;
    batch.list = memory, batch.list_capacity = sizeof memory;
    EXPECT(EMBWS_BATCH, embws_session_receive_batch(server_session, &batch, NULL, (uint32_t)wire_length));
}

static void session_next(void) {
    embws_message message;
    session_send(server_session);
    for (size_t at = 0; at < wire_length; at += io.eaten) { /* in two pieces, put together in `memory` */
        EMBWS_INIT(&io);
        io.in = wire + at, io.in_length = at == 0 ? 100 : wire_length - at;
        EXPECT(EMBWS_OK, embws_session_next(client_session, &io, memory, sizeof memory, &message));
    }
    CHECK(message.kind == EMBWS_TEXT && message.length == 300);
}

static void session_ping(void) {
    EMBWS_INIT(&io);
    io.out = wire, io.out_capacity = sizeof wire;
    EXPECT(EMBWS_OK, embws_session_ping(client_session, &io, payload, 10));
    wire_length = io.out_length;
    arrive();
    EXPECT(EMBWS_OK, embws_session_receive(server_session, &io)); /* which answers */
    CHECK(io.found == 1 && io.out_length == 12);
    EMBWS_INIT(&io);
    EXPECT(EMBWS_OK, embws_session_pong(server_session, &io, NULL, 0)); /* waits inside */
    io.out = back, io.out_capacity = sizeof back;
    EXPECT(EMBWS_OK, embws_session_flush(server_session, &io));
    EXPECT(EMBWS_OK, embws_session_send_header(server_session, &io, EMBWS_BINARY, 1, 50));
    EXPECT(EMBWS_OK, embws_session_sent(server_session, &io, 50));
}

static void session_refused(void) {
    embws_failure failure;
    embws_info info;
    EMBWS_INIT(&failure);
    EMBWS_INIT(&info);
    wire_length = 0;
    arrive();
    EXPECT(EMBWS_ERR_CODE_SEND, embws_session_close(server_session, &io, 1005, NULL, 0));
    EXPECT(EMBWS_ERR_OPCODE, embws_session_receive(failed_session, &io));
    EXPECT(EMBWS_ERR_FAILED, embws_session_send(failed_session, &io, EMBWS_TEXT, 1, payload, 5));
    EXPECT(EMBWS_OK, embws_session_failure(failed_session, &failure));
    EXPECT(EMBWS_OK, embws_session_info(failed_session, &info));
    EXPECT(EMBWS_ERR_OPCODE, embws_session_end(failed_session));
}

static void wrong_handle(void) {
    EXPECT(EMBWS_ERR_HANDLE, embws_codec_end((embws_codec *)server_session));
    EXPECT(EMBWS_ERR_HANDLE, embws_codec_end((embws_codec *)(void *)((char *)server + 8)));
}

static const struct row {
    const char *name;
    void (*call)(void);
} rows[] = {{"encode, client", encode_client},
            {"encode, server", encode_server},
            {"encode, refused", encode_refused},
            {"encode_header, encode_payload, sent", encode_header},
            {"encode_batch", encode_batch},
            {"decode and reply", decode_reply}, /* of what encode_batch has left */
            {"decode, byte by byte", decode_bytes},
            {"decode, a violation", decode_failed},
            {"the closing handshake", close_path},
            {"session send, receive", session_receive},
            {"session batch, send_frame", session_batch},
            {"session next", session_next},
            {"session ping, pong, flush, send_header, sent", session_ping},
            {"session, refused", session_refused},
            {"wrong handles", wrong_handle}};

int main(void) {
    alarm(200);
    embws_options check;
    EMBWS_INIT(&check);
    check.flags = EMBWS_CHECK_TEXT;
    memset(payload, 'p', sizeof payload);
    EXPECT(EMBWS_OK, embws_codec_new(&client, EMBWS_CLIENT, &check));
    EXPECT(EMBWS_OK, embws_codec_new(&server, EMBWS_SERVER, NULL));
    EXPECT(EMBWS_OK, embws_codec_new(&closing, EMBWS_CLIENT, NULL));
    EXPECT(EMBWS_OK, embws_codec_new(&failed, EMBWS_SERVER, NULL));
    EXPECT(EMBWS_OK, embws_session_open(&client_session, EMBWS_CLIENT, &check));
    EXPECT(EMBWS_OK, embws_session_open(&server_session, EMBWS_SERVER, NULL));
    EXPECT(EMBWS_OK, embws_session_open(&failed_session, EMBWS_SERVER, NULL));
    uint8_t bad[] = {0x83, 0x80, 0, 0, 0, 0};
    EMBWS_INIT(&io);
    io.in = bad, io.in_length = sizeof bad, io.events = events, io.capacity = 1;
    EXPECT(EMBWS_ERR_OPCODE, embws_session_receive(failed_session, &io));

    /* Counting counts: a handle is an allocation. */
    uint64_t before = embws_test_mallocs();
    embws_codec *one = NULL;
    for (int i = 0; i < 100; i++) {
        EXPECT(EMBWS_OK, embws_codec_new(&one, EMBWS_SERVER, NULL));
        EXPECT(EMBWS_OK, embws_codec_free(one));
    }
    CHECK(embws_test_mallocs() - before >= 100);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(check_subject, sizeof check_subject, "%s", rows[i].name);
        for (int k = 0; k < 10; k++) rows[i].call();
        before = embws_test_mallocs();
        for (int k = 0; k < CALLS; k++) rows[i].call();
        uint64_t made = embws_test_mallocs() - before;
        printf("%-45s %llu allocations in %d calls\n", rows[i].name, (unsigned long long)made, CALLS);
        CHECK(made <= SLACK);
    }
    check_subject[0] = 0;
    return check_result("allocations");
}
