/*
 * soak.c: many frames from client to server and back, through codecs and sessions, after which no memory may have been
 * added. What is decoded is compared with what was encoded.
 *
 *     soak [frames]        # 2,000,000 unless given
 *
 * After a warm-up of a tenth, resident memory may grow by less than 512 KiB, live Go memory by less than 64 KiB, and Go
 * may allocate nothing for decoding, encoding and what an open session does.
 */
#define _POSIX_C_SOURCE 200809L

#include "embws_test.h"

#include <embws.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    BATCH = 64,
    ROUND = 100000, /* frames, about, between two changes of handles */
    MAX_PAYLOAD = 3000,
    WIRE = 1 << 16,

    MAX_RESIDENT_GROWTH = 512 << 10,
    MAX_HEAP_GROWTH = 64 << 10,
    MAX_MALLOCS = 1000 /* in all, whatever the number of frames: those of the runtime itself */
};

#define CHECK(condition)                                                                         \
    do {                                                                                         \
        if (!(condition)) {                                                                      \
            fprintf(stderr, "soak.c:%d: %s (%s)\n", __LINE__, #condition, embws_error_detail()); \
            exit(1);                                                                             \
        }                                                                                        \
    } while (0)

static embws_codec *client, *server;
static embws_session *client_session, *server_session;
static embws_io io;
static embws_event events[BATCH];
static uint8_t payload[MAX_PAYLOAD], wire[WIRE], answer[WIRE], message_memory[WIRE];
static uint64_t frames_done, random_state = 1;

/* Marsaglia's xorshift64: the same numbers in each run. */
static uint32_t below(uint32_t limit) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % limit;
}

static uint64_t resident(void) {
    unsigned long size, pages;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f != NULL && fscanf(f, "%lu %lu", &size, &pages) == 2);
    fclose(f);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Most frames: 64 short messages a call, each way in one call. */
static void in_batches(void) {
    embws_frame frames[BATCH];
    size_t encoded, written;
    for (int i = 0; i < BATCH; i++) {
        size_t length = below(8) == 0 ? below(200) : 16;
        frames[i] = (embws_frame){
            .payload = payload + below(MAX_PAYLOAD - 200), .length = length, .opcode = EMBWS_BINARY, .fin = 1};
    }
    CHECK(embws_codec_encode_batch(client, frames, BATCH, wire, sizeof wire, &encoded, &written) == EMBWS_OK);
    CHECK(encoded == BATCH);
    io.in = wire, io.in_length = written, io.capacity = BATCH;
    CHECK(embws_codec_decode(server, &io) == EMBWS_OK);
    CHECK(io.found == BATCH && io.eaten == written);
    for (int i = 0; i < BATCH; i++) {
        const embws_event *e = &events[i];
        CHECK((e->flags & EMBWS_WHOLE_MESSAGE) == EMBWS_WHOLE_MESSAGE && e->length == frames[i].length);
        CHECK(memcmp(embws_event_payload(&io, e), frames[i].payload, e->length) == 0);
    }
    frames_done += BATCH;
}

/* Three fragments with a Ping among them, in pieces of any size and with few events a call. */
static void in_pieces(void) {
    size_t length = below(MAX_PAYLOAD), sent = 0, at = 0, got = 0, end;
    uint32_t pongs = 0;
    for (uint32_t i = 0; i < 4; i++) {
        size_t n, part = i == 3 ? length - sent : below((uint32_t)(length - sent) + 1);
        if (i == 1) {
            CHECK(embws_codec_encode(client, EMBWS_PING, 1, payload, 20, wire + at, sizeof wire - at, &n) == EMBWS_OK);
        } else {
            CHECK(embws_codec_encode(client, EMBWS_TEXT, i == 3, payload + sent, part, wire + at, sizeof wire - at,
                                     &n) == EMBWS_OK);
            sent += part;
        }
        at += n;
    }
    end = at;
    for (at = 0; at < end; at += io.eaten) {
        size_t piece = 1 + below(700);
        io.in = wire + at, io.in_length = piece < end - at ? piece : end - at, io.capacity = 1 + below(3);
        CHECK(embws_codec_decode(server, &io) == EMBWS_OK);
        for (uint32_t i = 0; i < io.found; i++) {
            if (events[i].kind == EMBWS_TEXT) {
                CHECK(memcmp(embws_event_payload(&io, &events[i]), payload + got, events[i].length) == 0);
                got += events[i].length;
            }
        }
        uint32_t next = 0;
        size_t n;
        CHECK(embws_codec_reply(server, &io, &next, answer, sizeof answer, &n) == EMBWS_OK);
        if (n > 0) {
            CHECK(n == 22 && answer[0] == 0x8a && memcmp(answer + 2, payload, 20) == 0);
            pongs++;
        }
    }
    CHECK(got == length && pongs == 1);
    frames_done += 4;
}

/* Gives what `from` has written to `to`, and returns the message that it found. */
static embws_message pass(embws_session *to, const uint8_t *bytes, size_t length, uint8_t *out) {
    embws_message message;
    static uint8_t received[WIRE];
    memcpy(received, bytes, length);
    io.in = received, io.in_length = length, io.out = out, io.out_capacity = WIRE;
    CHECK(embws_session_next(to, &io, message_memory, sizeof message_memory, &message) == EMBWS_OK);
    CHECK(io.eaten == length && io.more == 0);
    return message;
}

/* A message and its echo, then a Ping and its Pong. */
static void by_sessions(void) {
    size_t length = below(MAX_PAYLOAD);
    io.out = wire, io.out_capacity = sizeof wire;
    CHECK(embws_session_send(client_session, &io, EMBWS_TEXT, 1, payload, length) == EMBWS_OK && io.taken == length);
    embws_message m = pass(server_session, wire, io.out_length, answer);
    CHECK(m.kind == EMBWS_TEXT && m.length == length && memcmp(m.payload, payload, length) == 0);
    CHECK(embws_session_send(server_session, &io, EMBWS_TEXT, 1, m.payload, m.length) == EMBWS_OK);
    m = pass(client_session, answer, io.out_length, wire);
    CHECK(m.kind == EMBWS_TEXT && m.length == length && memcmp(m.payload, payload, length) == 0);
    CHECK(embws_session_ping(client_session, &io, payload, 10) == EMBWS_OK);
    m = pass(server_session, wire, io.out_length, answer);
    CHECK(m.kind == EMBWS_PING && io.out_length == 12);
    m = pass(client_session, answer, io.out_length, wire);
    CHECK(m.kind == EMBWS_PONG && m.length == 10 && memcmp(m.payload, payload, 10) == 0);
    frames_done += 4;
}

/* The codecs are for other connections then; one of them fails before. */
static void change_connections(void) {
    uint8_t unmasked[] = {0x82, 0x01, 'x'};
    io.in = unmasked, io.in_length = sizeof unmasked, io.capacity = BATCH;
    CHECK(embws_codec_decode(server, &io) == EMBWS_ERR_UNMASKED && io.state == EMBWS_STATE_FAILED);
    CHECK(embws_codec_reset(server, EMBWS_SERVER, NULL) == EMBWS_OK);
    CHECK(embws_codec_reset(client, EMBWS_CLIENT, NULL) == EMBWS_OK);
}

static void run_until(uint64_t frames) {
    while (frames_done < frames) {
        uint64_t end = frames_done + ROUND;
        while (frames_done < end) {
            for (int i = 0; i < 10; i++) {
                in_batches();
            }
            for (int i = 0; i < 5; i++) {
                in_pieces();
                by_sessions();
            }
        }
        change_connections();
    }
}

int main(int argc, char **argv) {
    uint64_t frames = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000;
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (size_t i = 0; i < sizeof payload; i++) {
        payload[i] = (uint8_t)('a' + below(26)); /* UTF-8, whatever part of it is sent */
    }
    EMBWS_INIT(&io);
    io.events = events;
    CHECK(embws_codec_new(&client, EMBWS_CLIENT, NULL) == EMBWS_OK);
    CHECK(embws_codec_new(&server, EMBWS_SERVER, NULL) == EMBWS_OK);
    CHECK(embws_session_open(&client_session, EMBWS_CLIENT, NULL) == EMBWS_OK);
    CHECK(embws_session_open(&server_session, EMBWS_SERVER, NULL) == EMBWS_OK);

    run_until(frames / 10);
    uint64_t heap = embws_test_heap(), memory = resident(), mallocs = embws_test_mallocs();
    run_until(frames);
    mallocs = embws_test_mallocs() - mallocs;
    int64_t memory_growth = (int64_t)(resident() - memory), heap_growth = (int64_t)(embws_test_heap() - heap);

    embws_session_free(client_session);
    embws_session_free(server_session);
    embws_codec_free(client);
    embws_codec_free(server);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%" PRIu64 " frames in %.1f s; after the first tenth: %" PRId64 " bytes more resident (of %" PRIu64
           "), %" PRId64 " more in the Go heap (of %" PRIu64 "), %" PRIu64 " Go allocations\n",
           frames_done, (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9,
           memory_growth, memory, heap_growth, heap, mallocs);
    CHECK(memory_growth < MAX_RESIDENT_GROWTH);
    CHECK(heap_growth < MAX_HEAP_GROWTH);
    CHECK(mallocs < MAX_MALLOCS);
    return 0;
}
