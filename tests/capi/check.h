/*
 * check.h: what the tests of single calls share (numbers.c, misuse.c, states.c, pages.c, panic.c, allocations.c):
 * checks that count what fails and go on, and memory that ends where a page that nobody may touch begins.
 */
#ifndef CHECK_H
#define CHECK_H

#include <embws.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is being tested; a failure says so. */
static char check_subject[256] = "";
static int check_failures;
static long check_count;

/* Told of every failure; after many of them the rest would only hide the first. */
static inline void check_fail(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: %s%s%s\n", file, line, what, check_subject[0] == 0 ? "" : "; in ", check_subject);
    if (++check_failures == 40) {
        fprintf(stderr, "too many failures\n");
        exit(1);
    }
}

#define CHECK(condition)                                              \
    do {                                                              \
        check_count++;                                                \
        if (!(condition)) check_fail(__FILE__, __LINE__, #condition); \
    } while (0)

/* Two numbers must be equal; both are printed. */
#define EQUAL(got, want) check_equal(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))

static inline void check_equal(const char *file, int line, const char *what, long long got, long long want) {
    check_count++;
    if (got == want) return;
    char text[320];
    snprintf(text, sizeof text, "%s is %lld, not %lld", what, got, want);
    check_fail(file, line, text);
}

/* A call must return this status. */
#define EXPECT(status, call) check_status(__FILE__, __LINE__, #call, call, status)

static inline void check_status(const char *file, int line, const char *what, int32_t got, int32_t want) {
    check_count++;
    if (got == want) return;
    char text[640];
    snprintf(text, sizeof text, "%s is %s (%ld), not %s (%ld); detail: %s", what, embws_status_name(got), (long)got,
             embws_status_name(want), (long)want, embws_error_detail());
    check_fail(file, line, text);
}

/* embws_error_detail must name the function first, and then the argument. */
#define DETAIL(function, argument) check_detail(__FILE__, __LINE__, function, argument)

static inline void check_detail(const char *file, int line, const char *function, const char *argument) {
    const char *detail = embws_error_detail();
    size_t length = strlen(function);
    check_count++;
    if (strncmp(detail, function, length) == 0 && strncmp(detail + length, ": ", 2) == 0 &&
        strstr(detail + length, argument) != NULL) {
        return;
    }
    char text[640];
    snprintf(text, sizeof text, "the detail is \"%s\"; it should name %s and %s", detail, function, argument);
    check_fail(file, line, text);
}

/* The end of main. */
static inline int check_result(const char *what) {
    if (check_failures > 0) {
        fprintf(stderr, "%d of %ld checks failed\n", check_failures, check_count);
        return 1;
    }
    printf("%s: %ld checks\n", what, check_count);
    return 0;
}

/*
 * Memory of exactly `size` bytes. It ends at a page without access, so that a read or write behind it is a fault, and
 * what lies before it, back to another such page, is filled with a pattern that guard_intact looks at. With guard_front
 * it is the other way round. Go is not seen by AddressSanitizer; this catches it all the same.
 */
typedef struct guard {
    uint8_t *bytes;
    size_t size;
    uint8_t *map;
    size_t map_size;
} guard;

enum { GUARD_FILL = 0xA5 };

static int guard_front;

static inline size_t guard_page(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static inline guard guard_make(size_t size) {
    size_t page = guard_page(), inner = size == 0 ? page : (size + page - 1) / page * page;
    guard g = {NULL, size, NULL, inner + 2 * page};
    void *map = mmap(NULL, g.map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        fprintf(stderr, "no memory for a guarded buffer of %zu bytes\n", size);
        exit(1);
    }
    g.map = map;
    g.bytes = g.map + page + (guard_front ? 0 : inner - size);
    memset(g.map + page, GUARD_FILL, inner);
    if (mprotect(g.map, page, PROT_NONE) != 0 || mprotect(g.map + page + inner, page, PROT_NONE) != 0) {
        fprintf(stderr, "mprotect refuses a page without access\n");
        exit(1);
    }
    return g;
}

/* 1 if nothing was written beside it. */
static inline int guard_intact(const guard *g) {
    const uint8_t *p = g->map + guard_page(), *end = g->map + g->map_size - guard_page();
    for (; p < end; p++) {
        if (*p != GUARD_FILL && (p < g->bytes || p >= g->bytes + g->size)) return 0;
    }
    return 1;
}

static inline void guard_free(guard *g) {
    CHECK(guard_intact(g));
    munmap(g->map, g->map_size);
    memset(g, 0, sizeof *g);
}

/* An io that only has its size. */
static inline embws_io check_io(void) {
    embws_io io;
    EMBWS_INIT(&io);
    return io;
}

#endif
