/*
 * leak.c: what handles cost, and that nothing of them stays. Millions are made and freed, one by one and all at once.
 * The bounds are on resident memory: MEMORY in embws.h, and the sizes it names at the functions that make handles.
 *
 *     leak codec|session-open|session-serve|session-opened [percent]      # of the numbers of handles; else 100
 *
 * One kind a process, for memory that one kind has left resident would hide what another takes. An open session was
 * made so, a serving one is amid the request, and an opened one has been through all of its handshake.
 *
 * It is linked with embws::test, to know the live bytes of the Go heap besides the resident ones.
 */
#define _POSIX_C_SOURCE 200809L

#include "embws_test.h"
#include "process.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum { CODECS = 1000000, SESSIONS = 100000, PEAKS = 3, MIB = 1 << 20 };

#define MAX_GROWTH     (8 * (int64_t)MIB)   /* of resident memory, from the first so many handles to the second */
#define MAX_CODECS     (512 * (int64_t)MIB) /* of a million codecs that live */
#define MAX_SESSIONS   (160 * (int64_t)MIB) /* of 100,000 open sessions that live */
#define MAX_HANDSHAKES (320 * (int64_t)MIB) /* of 100,000 sessions amid a handshake */
#define MAX_KEPT_BYTES                                                                             \
    64 /* that each handle of the most that ever lived may leave in the Go heap: places in its map \
        */
#define MAX_HEAP_GROWTH (256 * (int64_t)1024) /* of the Go heap, beyond that: the map grows a table at a time */

static int64_t resident(void) {
    long size, pages;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL) {
        printf("skipped: this system has no /proc/self/statm to tell the resident memory\n");
        exit(77);
    }
    CHECK(fscanf(f, "%ld %ld", &size, &pages) == 2);
    fclose(f);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static double seconds(void) {
    struct timespec t;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A kind of handle: how it is made, brought to a state, and freed. */
struct kind {
    const char *name;
    void *(*make)(void);
    void (*drop)(void *);
    int64_t count;
    int64_t most; /* resident bytes for so many that live */
};

static void *make_codec(void) {
    embws_codec *codec;
    EXPECT(EMBWS_OK, embws_codec_new(&codec, EMBWS_SERVER, NULL));
    return codec;
}

static void drop_codec(void *codec) { EXPECT(EMBWS_OK, embws_codec_free(codec)); }

static void *make_open_session(void) {
    embws_session *session;
    EXPECT(EMBWS_OK, embws_session_open(&session, EMBWS_SERVER, NULL));
    return session;
}

static const char upgrade[] =
    "GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: http://example.com\r\n\r\n";

/* A server's session that was given some bytes of a request. */
static void *make_serving_session(size_t received) {
    embws_session *session;
    char in[sizeof upgrade];
    embws_event event;
    embws_io io;
    EXPECT(EMBWS_OK, embws_session_serve(&session, NULL, NULL));
    memcpy(in, upgrade, received);
    EMBWS_INIT(&io);
    io.events = &event, io.capacity = 1;
    io.in = in, io.in_length = received;
    EXPECT(EMBWS_OK, embws_session_receive(session, &io));
    CHECK(io.eaten == received);
    return session;
}

static void *make_waiting_session(void) { return make_serving_session(sizeof upgrade - 10); }

/* One that has gone through its handshake, and sent and received a message since. */
static void *make_opened_session(void) {
    embws_session *session = make_serving_session(sizeof upgrade - 1);
    uint8_t frame[] = {0x81, 0x81, 0, 0, 0, 0, 'x'}, out[512], memory[16];
    embws_message message;
    embws_io io;
    EMBWS_INIT(&io);
    io.out = out, io.out_capacity = sizeof out;
    EXPECT(EMBWS_OK, embws_session_accept(session, &io, NULL));
    CHECK(io.state == EMBWS_STATE_OPEN);
    io.in = frame, io.in_length = sizeof frame;
    EXPECT(EMBWS_OK, embws_session_next(session, &io, memory, sizeof memory, &message));
    CHECK(message.kind == EMBWS_TEXT && message.length == 1);
    EXPECT(EMBWS_OK, embws_session_send(session, &io, EMBWS_TEXT, 1, message.payload, message.length));
    return session;
}

static void drop_session(void *session) { EXPECT(EMBWS_OK, embws_session_free(session)); }

/* Makes and frees one after the other, twice as many as counted, and compares. */
static void one_by_one(const struct kind *kind, int64_t count) {
    double begin = seconds();
    for (int64_t i = 0; i < count; i++) kind->drop(kind->make());
    int64_t first = resident();
    for (int64_t i = 0; i < count; i++) kind->drop(kind->make());
    int64_t growth = resident() - first;
    printf("%s: %" PRId64 " made and freed one by one, %.1f MiB resident; as many again added %" PRId64
           " KiB; %.2f us each\n",
           kind->name, count, (double)first / MIB, growth / 1024, (seconds() - begin) * 1e6 / (double)(2 * count));
    fflush(stdout);
    CHECK(growth < MAX_GROWTH);
}

/* Has them all at once. */
static void all_at_once(const struct kind *kind, int64_t count) {
    void **handles = calloc((size_t)count, sizeof *handles);
    CHECK(handles != NULL);
    memset(handles, 1, (size_t)count * sizeof *handles); /* resident before, so that it does not count */
    int64_t heap = (int64_t)embws_test_heap(), memory = resident();
    for (int64_t i = 0; i < count; i++) handles[i] = kind->make();
    memory = resident() - memory;
    heap = (int64_t)embws_test_heap() - heap;
    printf("%s: %" PRId64 " alive: %.1f MiB resident, %.0f bytes each, of which %.0f are live in the Go heap\n",
           kind->name, count, (double)memory / MIB, (double)memory / (double)count, (double)heap / (double)count);
    fflush(stdout);
    for (int64_t i = 0; i < count; i++) kind->drop(handles[i]);
    free(handles);
    CHECK(memory <= kind->most);
}

/* The live bytes of the Go heap. The last 4,096 handles that were freed are still known (MEMORY in embws.h): what is
 * made and freed here takes their place. */
static int64_t heap_without_handles(void) {
    for (int i = 0; i < 5000; i++) drop_codec(make_codec());
    return (int64_t)embws_test_heap();
}

static const struct kind kinds[] = {
    {"codec", make_codec, drop_codec, CODECS, MAX_CODECS},
    {"session-open", make_open_session, drop_session, SESSIONS, MAX_SESSIONS},
    {"session-serve", make_waiting_session, drop_session, SESSIONS, MAX_HANDSHAKES},
    {"session-opened", make_opened_session, drop_session, SESSIONS, MAX_SESSIONS},
};

int main(int argc, char **argv) {
    alarm(100);
    USE_LINKED_LIBRARY();
    const struct kind *kind = NULL;
    int64_t percent = 100;
    for (size_t i = 0; argc >= 2 && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(argv[1], kinds[i].name) == 0) kind = &kinds[i];
    }
    if (argc == 3) percent = strtol(argv[2], NULL, 10);
    if (kind == NULL || argc > 3 || percent <= 0) {
        fprintf(stderr, "usage: leak codec|session-open|session-serve|session-opened [percent]\n");
        return 2;
    }
    int64_t count = kind->count * percent / 100;
    int64_t begin = heap_without_handles();
    one_by_one(kind, count);
    int64_t churned = heap_without_handles() - begin;
    int64_t kept = 0, grown = 0;
    for (int peak = 0; peak < PEAKS; peak++) {
        all_at_once(kind, count);
        grown = heap_without_handles() - begin - kept;
        kept += grown;
    }
    printf("%s: with all freed, %" PRId64 " bytes more are live in the Go heap after one by one, %" PRId64
           " after %" PRId64 " at once %d times, to which the last time added %" PRId64 "\n",
           kind->name, churned, kept, count, PEAKS, grown);
    CHECK(churned < MAX_HEAP_GROWTH);
    CHECK(kept < MAX_HEAP_GROWTH + MAX_KEPT_BYTES * count);
    CHECK(grown < MAX_HEAP_GROWTH);
    return 0;
}
