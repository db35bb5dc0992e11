/*
 * process.h: what the tests of libembws within a process share: threads.c, fork.c, load.c, signals.c, leak.c. Programs
 * that are linked with the library and programs that load it by themselves make the same calls, through struct api.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <embws.h>

#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ends the process, be it a child or the parent of some, when the condition does not hold. */
#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) process_fail(__FILE__, __LINE__, #condition, ""); \
    } while (0)

/* The same for a call of the library that has to return a certain status. */
#define EXPECT(status, call)                                                                             \
    do {                                                                                                 \
        int32_t got_status = (call);                                                                     \
        if (got_status != (status)) {                                                                    \
            fprintf(stderr, "expected %ld, got %ld: ", (long)(status), (long)got_status);                \
            process_fail(__FILE__, __LINE__, #call, api.error_detail == NULL ? "" : api.error_detail()); \
        }                                                                                                \
    } while (0)

/* The functions that each of the tests needs. */
static struct api {
    const char *(*error_detail)(void);
    int32_t (*codec_new)(embws_codec **, uint32_t, const embws_options *);
    int32_t (*codec_free)(embws_codec *);
    int32_t (*codec_decode)(embws_codec *, embws_io *);
    int32_t (*codec_encode)(embws_codec *, uint32_t, uint32_t, const void *, size_t, void *, size_t, size_t *);
} api;

/* For a program that is linked with the library. */
#define USE_LINKED_LIBRARY()                                                                                    \
    (api.error_detail = embws_error_detail, api.codec_new = embws_codec_new, api.codec_free = embws_codec_free, \
     api.codec_decode = embws_codec_decode, api.codec_encode = embws_codec_encode)

static inline void process_fail(const char *file, int line, const char *what, const char *detail) {
    fprintf(stderr, "%s:%d: process %ld: %s %s\n", file, line, (long)getpid(), what, detail);
    fflush(stdout);
    _exit(1);
}

/* C has no conversion from void * to a function's pointer; POSIX demands that the bytes are the same. */
static inline void process_symbol(void *library, const char *name, void *function) {
    void *symbol = dlsym(library, name);
    CHECK(symbol != NULL);
    memcpy(function, &symbol, sizeof symbol);
}

/* For a program that is not: loads it, and returns what dlclose takes. */
static inline void *process_load(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) process_fail(__FILE__, __LINE__, "dlopen", dlerror());
    process_symbol(library, "embws_error_detail", &api.error_detail);
    process_symbol(library, "embws_codec_new", &api.codec_new);
    process_symbol(library, "embws_codec_free", &api.codec_free);
    process_symbol(library, "embws_codec_decode", &api.codec_decode);
    process_symbol(library, "embws_codec_encode", &api.codec_encode);
    return library;
}

/* A child to fork: alarm ends it when it hangs, with SIGALRM, which process_wait tells from an exit. */
static inline pid_t process_fork(unsigned seconds) {
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) alarm(seconds);
    return child;
}

/* Waits for a child and returns its wait status. */
static inline int process_wait(pid_t child) {
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    return status;
}

/* Waits for a child that has to end well. */
static inline void process_expect_exit(pid_t child, int code, const char *what) {
    int status = process_wait(child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == code) return;
    fprintf(stderr, "%s: exit status %d, signal %d%s\n", what, WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            WIFSIGNALED(status) ? WTERMSIG(status) : 0,
            WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? ", which is the alarm: it hung" : "");
    _exit(1);
}

/* The bytes that message number `seed` consists of: UTF-8, and different for neighbours. */
static inline void process_fill(uint8_t *bytes, size_t length, uint64_t seed) {
    for (size_t i = 0; i < length; i++) bytes[i] = (uint8_t)('a' + (seed * 7 + i * 3 + (i >> 5)) % 26);
}

/* Sends one message of at most 4,096 bytes from a client to a server, in two pieces, and compares. */
static inline void codec_round_trip(embws_codec *client, embws_codec *server, uint64_t seed) {
    uint8_t sent[4096], wire[4096 + EMBWS_MAX_HEADER_SIZE];
    size_t length = (size_t)(seed * 131 % (sizeof sent + 1)), size, got = 0;
    embws_event events[4];
    embws_io io;
    process_fill(sent, length, seed);
    EXPECT(EMBWS_OK, api.codec_encode(client, EMBWS_TEXT, 1, sent, length, wire, sizeof wire, &size));
    EMBWS_INIT(&io);
    io.events = events;
    io.capacity = 4;
    int whole = 0;
    for (size_t at = 0; at < size; at += io.eaten) {
        io.in = wire + at;
        io.in_length = at == 0 && size > 2 ? size / 2 : size - at;
        EXPECT(EMBWS_OK, api.codec_decode(server, &io));
        CHECK(io.eaten == io.in_length);
        for (uint32_t i = 0; i < io.found; i++) {
            CHECK(events[i].kind == EMBWS_TEXT && events[i].start + events[i].length <= io.in_length);
            CHECK(events[i].length <= length - got);
            CHECK(memcmp(wire + at + events[i].start, sent + got, events[i].length) == 0);
            got += events[i].length;
            whole |= (events[i].flags & EMBWS_MESSAGE_END) != 0;
        }
    }
    CHECK(got == length && whole);
}

/* Makes two codecs, sends some messages, and frees them. */
static inline void codec_life(uint64_t messages) {
    embws_codec *client, *server;
    EXPECT(EMBWS_OK, api.codec_new(&client, EMBWS_CLIENT, NULL));
    EXPECT(EMBWS_OK, api.codec_new(&server, EMBWS_SERVER, NULL));
    for (uint64_t i = 0; i < messages; i++) codec_round_trip(client, server, i);
    EXPECT(EMBWS_OK, api.codec_free(client));
    EXPECT(EMBWS_OK, api.codec_free(server));
}

#endif
