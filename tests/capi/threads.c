/*
 * threads.c: handles on threads (THREADS in embws.h): many at once, one that moves from thread to thread, one freed by
 * another thread than its maker, and embws_error_detail, which each thread has of its own.
 *
 * ThreadSanitizer cannot run this: it must see every thread and every lock of a process, and knows nothing of those of
 * the Go runtime within. The Go side has its own (go test -race); AddressSanitizer runs this file too.
 */
#define _POSIX_C_SOURCE 200809L

#include "process.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    THREADS = 8,
    ROUNDS = 10000,      /* round trips of each of a thread's pairs */
    LIVES = 20000,       /* handles that a thread makes and frees */
    ALIVE = 32,          /* of which so many live at once */
    FREED_BY_NEXT = 2000 /* fewer than the 4,096 freed handles that stay known */
};

/* Runs a function on all threads at once, each with its number. */
static void on_threads(void *(*run)(void *)) {
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, run, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

/* An empty message has no payload to point to. */
static int is_text(const embws_message *message, const uint8_t *bytes, size_t length) {
    return message->kind == EMBWS_TEXT && message->length == length &&
           (length == 0 || memcmp(message->payload, bytes, length) == 0);
}

/* A message from one session to another, which echoes it. */
static void session_round_trip(embws_session *client, embws_session *server, uint64_t seed) {
    uint8_t sent[1000], wire[1100], back[1100], memory[1000];
    size_t length = (size_t)(seed * 37 % (sizeof sent + 1));
    embws_message message;
    embws_io io;
    process_fill(sent, length, seed);
    EMBWS_INIT(&io);
    io.out = wire, io.out_capacity = sizeof wire;
    EXPECT(EMBWS_OK, embws_session_send(client, &io, EMBWS_TEXT, 1, sent, length));
    CHECK(io.taken == length);
    io.in = wire, io.in_length = io.out_length;
    io.out = back, io.out_capacity = sizeof back;
    EXPECT(EMBWS_OK, embws_session_next(server, &io, memory, sizeof memory, &message));
    CHECK(is_text(&message, sent, length));
    EXPECT(EMBWS_OK, embws_session_send(server, &io, EMBWS_TEXT, 1, message.payload, message.length));
    io.in = back, io.in_length = io.out_length;
    io.out = wire, io.out_capacity = sizeof wire;
    EXPECT(EMBWS_OK, embws_session_next(client, &io, memory, sizeof memory, &message));
    CHECK(is_text(&message, sent, length));
}

/* 32 handles, four on each thread. */
static void *round_trips(void *number) {
    uint64_t own = (uintptr_t)number * 1000003;
    embws_codec *client, *server;
    embws_session *client_session, *server_session;
    EXPECT(EMBWS_OK, embws_codec_new(&client, EMBWS_CLIENT, NULL));
    EXPECT(EMBWS_OK, embws_codec_new(&server, EMBWS_SERVER, NULL));
    EXPECT(EMBWS_OK, embws_session_open(&client_session, EMBWS_CLIENT, NULL));
    EXPECT(EMBWS_OK, embws_session_open(&server_session, EMBWS_SERVER, NULL));
    for (uint64_t i = 0; i < ROUNDS; i++) {
        codec_round_trip(client, server, own + i);
        session_round_trip(client_session, server_session, own + i);
    }
    EXPECT(EMBWS_OK, embws_codec_free(client));
    EXPECT(EMBWS_OK, embws_codec_free(server));
    EXPECT(EMBWS_OK, embws_session_free(client_session));
    EXPECT(EMBWS_OK, embws_session_free(server_session));
    return NULL;
}

/* One pair of handles, and whose turn it is. Each thread sends and receives one fragment, and the next goes on within
 * the message; the last byte of the header and the payload stay over for it. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t turn;
    embws_codec *client, *server;
    uint8_t wire[2048];
    size_t waiting; /* bytes in wire */
    uint64_t sent, received;
} relay = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, NULL, NULL, {0}, 0, 0, 0};

enum { TURNS = 4000, FRAGMENT = 300 };

/* Byte number `at` of the one long message. */
static uint8_t relay_byte(uint64_t at) { return (uint8_t)(at * 11 + (at >> 7)); }

static void relay_step(int last) {
    uint8_t payload[FRAGMENT];
    size_t length = (size_t)(relay.sent % FRAGMENT), size;
    length = length == 0 ? FRAGMENT - 1 : length;
    for (size_t i = 0; i < length; i++) payload[i] = relay_byte(relay.sent + i);
    EXPECT(EMBWS_OK, embws_codec_encode(relay.client, EMBWS_BINARY, (uint32_t)last, payload, length,
                                        relay.wire + relay.waiting, sizeof relay.wire - relay.waiting, &size));
    relay.sent += length;
    relay.waiting += size;

    embws_event events[8];
    embws_io io;
    EMBWS_INIT(&io);
    io.events = events, io.capacity = 8;
    size_t given = last ? relay.waiting : relay.waiting - length - 1; /* not the last byte of the header */
    io.in = relay.wire, io.in_length = given;
    EXPECT(EMBWS_OK, embws_codec_decode(relay.server, &io));
    CHECK(io.eaten == given);
    for (uint32_t i = 0; i < io.found; i++) {
        const uint8_t *bytes = embws_event_payload(&io, &events[i]);
        for (uint32_t j = 0; j < events[i].length; j++) CHECK(bytes[j] == relay_byte(relay.received + j));
        relay.received += events[i].length;
        CHECK(((events[i].flags & EMBWS_MESSAGE_END) != 0) == (last && i + 1 == io.found));
    }
    memmove(relay.wire, relay.wire + given, relay.waiting - given);
    relay.waiting -= given;
}

static void *relay_run(void *number) {
    CHECK(pthread_mutex_lock(&relay.lock) == 0);
    while (relay.turn < TURNS) {
        if (relay.turn % THREADS == (uintptr_t)number) {
            relay_step(relay.turn + 1 == TURNS);
            relay.turn++;
            pthread_cond_broadcast(&relay.changed);
        } else {
            pthread_cond_wait(&relay.changed, &relay.lock);
        }
    }
    pthread_mutex_unlock(&relay.lock);
    return NULL;
}

static void moved_between_threads(void) {
    EXPECT(EMBWS_OK, embws_codec_new(&relay.client, EMBWS_CLIENT, NULL));
    embws_options unlimited;
    EMBWS_INIT(&unlimited);
    unlimited.max_message = EMBWS_NO_LIMIT;
    EXPECT(EMBWS_OK, embws_codec_new(&relay.server, EMBWS_SERVER, &unlimited));
    on_threads(relay_run);
    CHECK(relay.waiting == 0 && relay.sent == relay.received && relay.sent > TURNS);
    EXPECT(EMBWS_OK, embws_codec_free(relay.client));
    EXPECT(EMBWS_OK, embws_codec_free(relay.server));
}

/* Handles that one thread makes and another frees; the maker then finds them gone. */
static embws_session *handed_over[FREED_BY_NEXT];

static void *free_handed_over(void *unused) {
    (void)unused;
    for (int i = 0; i < FREED_BY_NEXT; i++) EXPECT(EMBWS_OK, embws_session_free(handed_over[i]));
    return NULL;
}

static void freed_by_another(void) {
    pthread_t thread;
    for (int i = 0; i < FREED_BY_NEXT; i++) {
        EXPECT(EMBWS_OK, i % 2 == 0 ? embws_session_open(&handed_over[i], EMBWS_CLIENT, NULL)
                                    : embws_session_serve(&handed_over[i], NULL, NULL));
    }
    CHECK(pthread_create(&thread, NULL, free_handed_over, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    for (int i = 0; i < FREED_BY_NEXT; i++) {
        embws_info info;
        EMBWS_INIT(&info);
        EXPECT(EMBWS_ERR_HANDLE, embws_session_info(handed_over[i], &info));
        EXPECT(EMBWS_ERR_HANDLE, embws_session_free(handed_over[i]));
    }
}

/* Makes and frees while all others do: a handle must never stand for what another thread made. Which it stands for
 * shows in `received`. */
static void *lives(void *number) {
    embws_codec *alive[ALIVE] = {NULL};
    uint64_t fed[ALIVE] = {0};
    uint64_t state = (uintptr_t)number + 1;
    for (int i = 0; i < LIVES; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        size_t at = (size_t)(state >> 33) % ALIVE;
        embws_info info;
        EMBWS_INIT(&info);
        if (alive[at] != NULL) {
            EXPECT(EMBWS_OK, embws_codec_info(alive[at], &info));
            CHECK(info.received == fed[at] && info.role == EMBWS_CLIENT);
            EXPECT(EMBWS_OK, embws_codec_free(alive[at]));
        }
        EXPECT(EMBWS_OK, embws_codec_new(&alive[at], EMBWS_CLIENT, NULL));
        uint8_t frame[128] = {0x82, 0};
        frame[1] = (uint8_t)((uintptr_t)number * 13 + (state >> 61));
        embws_event event;
        embws_io io;
        EMBWS_INIT(&io);
        io.events = &event, io.capacity = 1;
        io.in = frame, io.in_length = 2u + frame[1];
        EXPECT(EMBWS_OK, embws_codec_decode(alive[at], &io));
        fed[at] = io.in_length;
        EXPECT(EMBWS_OK, embws_codec_info(alive[at], &info));
        CHECK(info.received == fed[at]);
    }
    for (int i = 0; i < ALIVE; i++) EXPECT(EMBWS_OK, embws_codec_free(alive[i]));
    return NULL;
}

/* Each thread fails in a way of its own, then waits until all have, and looks at what its detail says. */
static pthread_mutex_t failing_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t failing_changed = PTHREAD_COND_INITIALIZER;
static int failing_done;

static void *details(void *number) {
    static const char *const functions[] = {"embws_codec_new", "embws_codec_info", "embws_session_end"};
    CHECK(strcmp(embws_error_detail(), "") == 0); /* nothing of the thread before, or of main */
    embws_codec *codec = NULL;
    size_t kind = (uintptr_t)number % 3;
    if (kind == 0) EXPECT(EMBWS_ERR_VALUE, embws_codec_new(&codec, 7, NULL));
    if (kind == 1) EXPECT(EMBWS_ERR_HANDLE, embws_codec_info(NULL, NULL));
    if (kind == 2) EXPECT(EMBWS_ERR_HANDLE, embws_session_end(NULL));
    CHECK(pthread_mutex_lock(&failing_lock) == 0);
    failing_done++;
    pthread_cond_broadcast(&failing_changed);
    while (failing_done < THREADS) pthread_cond_wait(&failing_changed, &failing_lock);
    pthread_mutex_unlock(&failing_lock);
    const char *detail = embws_error_detail();
    size_t length = strlen(functions[kind]);
    CHECK(strncmp(detail, functions[kind], length) == 0 && detail[length] == ':');
    return NULL;
}

static void details_of_threads(void) {
    EXPECT(EMBWS_ERR_HANDLE, embws_codec_end(NULL));
    on_threads(details);
    CHECK(strncmp(embws_error_detail(), "embws_codec_end:", 16) == 0);
}

int main(void) {
    alarm(100);
    USE_LINKED_LIBRARY();
    on_threads(round_trips);
    moved_between_threads();
    freed_by_another();
    on_threads(lives);
    details_of_threads();
    printf("%d handles on %d threads, one moved %d times, %d freed by another thread, %d made and freed at once\n",
           THREADS * 4, THREADS, TURNS, FREED_BY_NEXT, THREADS * LIVES);
    return 0;
}
