/*
 * panic.c: a defect inside of the library, made on purpose (embws_test.h): EMBWS_ERR_INTERNAL, that one handle is dead,
 * and nothing else is: not the process, not other handles, not calls that other threads are in.
 */
#define _DEFAULT_SOURCE

#include "check.h"
#include "embws_test.h"

#include <pthread.h>

enum { PANICS = 2000, THREADS = 4 };

static void round_trip(embws_codec *client, embws_codec *server) {
    uint8_t wire[64];
    size_t written;
    embws_event event;
    embws_io io = check_io();
    EXPECT(EMBWS_OK, embws_codec_encode(client, EMBWS_TEXT, 1, "alive", 5, wire, sizeof wire, &written));
    io.in = wire, io.in_length = written, io.events = &event, io.capacity = 1;
    EXPECT(EMBWS_OK, embws_codec_decode(server, &io));
    CHECK(io.found == 1 && memcmp(embws_event_payload(&io, &event), "alive", 5) == 0);
}

/* Every function of a codec, with a dead one: EMBWS_ERR_INTERNAL, and nothing is written. */
static void dead_for_all_calls(embws_codec *dead) {
    uint8_t dst[64], untouched[64];
    size_t written = 777, encoded = 777;
    uint16_t code = 777;
    uint32_t next = 0;
    embws_frame frame = {"x", 1, EMBWS_TEXT, 1};
    embws_event event;
    embws_failure failure;
    embws_info info;
    embws_io io = check_io(), io_before;
    EMBWS_INIT(&failure);
    EMBWS_INIT(&info);
    io.events = &event, io.capacity = 1, io.eaten = 777, io.state = 777;
    io_before = io;
    memset(dst, 0xC7, sizeof dst);
    memcpy(untouched, dst, sizeof dst);
    for (int i = 0; i < 2; i++) {
        EXPECT(EMBWS_ERR_INTERNAL, embws_codec_reset(dead, EMBWS_SERVER, NULL));
        EXPECT(EMBWS_ERR_INTERNAL, embws_codec_decode(dead, &io));
        EXPECT(EMBWS_ERR_INTERNAL, embws_codec_encode(dead, EMBWS_TEXT, 1, "x", 1, dst, sizeof dst, &written));
        EXPECT(EMBWS_ERR_INTERNAL, embws_codec_encode_batch(dead, &frame, 1, dst, sizeof dst, &encoded, &written));
        EXPECT(EMBWS_ERR_INTERNAL, embws_codec_encode_header(dead, EMBWS_TEXT, 1, 1, dst, sizeof dst, &written));
        EXPECT(EMBWS_ERR_INTERNAL, embws_codec_encode_payload(dead, "x", 1, dst, sizeof dst, &written));
        EXPECT(EMBWS_ERR_INTERNAL, embws_codec_sent(dead, 1));
        EXPECT(EMBWS_ERR_INTERNAL, embws_codec_reply(dead, &io, &next, dst, sizeof dst, &written));
        EXPECT(EMBWS_ERR_INTERNAL, embws_codec_close(dead, 1000, NULL, 0, dst, sizeof dst, &written));
        EXPECT(EMBWS_ERR_INTERNAL, embws_codec_end(dead));
        EXPECT(EMBWS_ERR_INTERNAL, embws_codec_failure(dead, &failure));
        EXPECT(EMBWS_ERR_INTERNAL, embws_codec_peer_close(dead, &code, dst, sizeof dst, &written));
        EXPECT(EMBWS_ERR_INTERNAL, embws_codec_info(dead, &info));
        EXPECT(EMBWS_ERR_INTERNAL, embws_test_panic(dead));
        DETAIL("embws_test_panic", "defect");
    }
    CHECK(written == 777 && encoded == 777 && code == 777 && next == 0 && info.role == 0 && failure.status == 0);
    CHECK(memcmp(dst, untouched, sizeof dst) == 0 && memcmp(&io, &io_before, sizeof io) == 0);
}

static void *live_on(void *stop) {
    embws_codec *client = NULL, *server = NULL;
    int good = embws_codec_new(&client, EMBWS_CLIENT, NULL) == EMBWS_OK;
    good &= embws_codec_new(&server, EMBWS_SERVER, NULL) == EMBWS_OK;
    uint8_t wire[64];
    size_t written;
    embws_event event;
    embws_io io = check_io();
    while (good && !__atomic_load_n((int *)stop, __ATOMIC_ACQUIRE)) {
        good &= embws_codec_encode(client, EMBWS_TEXT, 1, "alive", 5, wire, sizeof wire, &written) == EMBWS_OK;
        io.in = wire, io.in_length = written, io.events = &event, io.capacity = 1;
        good &= embws_codec_decode(server, &io) == EMBWS_OK && io.found == 1;
    }
    good &= embws_codec_free(client) == EMBWS_OK && embws_codec_free(server) == EMBWS_OK;
    return good ? stop : NULL;
}

int main(void) {
    alarm(100);
    CHECK((embws_features() & EMBWS_FEATURE_TEST) != 0);
    embws_codec *client = NULL, *server = NULL;
    embws_session *session = NULL;
    EXPECT(EMBWS_OK, embws_codec_new(&client, EMBWS_CLIENT, NULL));
    EXPECT(EMBWS_OK, embws_codec_new(&server, EMBWS_SERVER, NULL));
    EXPECT(EMBWS_OK, embws_session_open(&session, EMBWS_SERVER, NULL));
    EXPECT(EMBWS_ERR_HANDLE, embws_test_panic(NULL));
    EXPECT(EMBWS_ERR_HANDLE, embws_test_panic((embws_codec *)session));

    pthread_t threads[THREADS];
    int stop = 0;
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, live_on, &stop) == 0);
    const int collect = getenv("GOGC") == NULL; /* memcheck turns collections off: it cannot follow them */
    uint64_t heap = 0;
    for (int i = 0; i < PANICS; i++) {
        embws_codec *dead = NULL;
        EXPECT(EMBWS_OK, embws_codec_new(&dead, i % 2 == 0 ? EMBWS_SERVER : EMBWS_CLIENT, NULL));
        EXPECT(EMBWS_ERR_INTERNAL, embws_test_panic(dead));
        if (i % 100 == 0) dead_for_all_calls(dead);
        round_trip(client, server);
        EXPECT(EMBWS_ERR_HANDLE, embws_session_free((embws_session *)dead));
        EXPECT(EMBWS_OK, embws_codec_free(dead));
        EXPECT(EMBWS_ERR_HANDLE, embws_codec_free(dead));
        if (i == PANICS / 2 && collect) heap = embws_test_heap();
    }
    if (collect) CHECK(embws_test_heap() < heap + (512u << 10));
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;
        CHECK(pthread_join(threads[i], &result) == 0 && result == &stop);
    }
    round_trip(client, server);
    EXPECT(EMBWS_OK, embws_codec_free(client));
    EXPECT(EMBWS_OK, embws_codec_free(server));
    EXPECT(EMBWS_OK, embws_session_free(session));
    return check_result("panic");
}
