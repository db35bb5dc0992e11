/*
 * measure.c: how a row is measured and printed. Each candidate gets one turn a round, of a number of steps that was
 * fixed before the first round, in an order that rotates, so that a disturbance hits all alike.
 */
#define _POSIX_C_SOURCE 200809L

#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

tally delivered;

void require(int ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "bench: %s\n", what);
        exit(1);
    }
}

void *allocate(size_t size) {
    void *memory = calloc(1, size);
    require(memory != NULL, "no memory");
    return memory;
}

void *allocate_aligned(size_t size) {
    void *memory = NULL;
    require(posix_memalign(&memory, 64, size) == 0, "no memory");
    memset(memory, 0, size);
    return memory;
}

void hash_bytes(const uint8_t *data, size_t length) {
    for (size_t i = 0; i < length; i++) {
        delivered.hash = (delivered.hash ^ data[i]) * UINT64_C(0x100000001b3);
    }
}

void splitmix_fill(splitmix *source, void *memory, size_t length) {
    uint8_t *dst = memory;
    while (length > 0) {
        uint64_t z = source->state += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        z ^= z >> 31;
        size_t n = length < sizeof z ? length : sizeof z;
        memcpy(dst, &z, n);
        dst += n, length -= n;
    }
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double time_loop(const row *r, const candidate *c, uint64_t steps) {
    delivered = (tally){.touched = delivered.touched};
    double start = now();
    c->loop(r->work, steps);
    double spent = now() - start;
    if (r->compare) {
        require(delivered.messages == steps * r->units && delivered.bytes == steps * r->units * r->bytes,
                "a candidate has lost payload while it was measured");
    }
    return spent;
}

static void calibrate(const row *r, candidate *c, double turn) {
    for (c->steps = 1;; c->steps *= 2) {
        double spent = time_loop(r, c, c->steps);
        if (spent >= turn / 2) {
            double steps = (double)c->steps * turn / spent;
            c->steps = steps < 1 ? 1 : (uint64_t)steps;
            return;
        }
    }
}

/* Every candidate must deliver the same payload bytes. */
static void compare(const row *r) {
    tally first = {0};
    for (unsigned i = 0; i < r->count; i++) {
        delivered = (tally){.hash = UINT64_C(0xcbf29ce484222325), .hashing = 1};
        r->candidates[i].loop(r->work, 3);
        if (i == 0) {
            first = delivered;
        }
        if (delivered.hash != first.hash || delivered.messages != first.messages || delivered.bytes != first.bytes ||
            delivered.messages != (uint64_t)3 * r->units) {
            fprintf(stderr, "bench: %s: %s delivers other payload than %s\n", r->name, r->candidates[i].name,
                    r->candidates[0].name);
            exit(1);
        }
    }
    delivered.hashing = 0;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static const char *verdict(double goal, double by_min, double by_median) {
    if (by_min >= goal && by_median >= goal) {
        return "met";
    }
    return by_min >= goal ? "met by the minimum only" : by_median >= goal ? "met by the median only" : "MISSED";
}

static void print_number(double v) { printf(v < 10 ? " %.2f |" : v < 100 ? " %.1f |" : " %.0f |", v); }

static void print_row(const row *r, unsigned rounds) {
    const double *ours = r->candidates[0].nanos;
    for (unsigned i = 0; i < r->count; i++) {
        const candidate *c = &r->candidates[i];
        double by_min = c->nanos[0] / ours[0], by_median = c->nanos[rounds / 2] / ours[rounds / 2];
        printf("| %s | %s |", i == 0 ? r->name : "", c->name);
        print_number(c->nanos[0]);
        print_number(c->nanos[rounds / 2]);
        if (r->bytes > 0) {
            printf(" %.0f |", (double)r->bytes / c->nanos[0] * 1000);
        } else {
            printf(" |");
        }
        printf(" %.2f | %.2f |", by_min, by_median);
        if (c->goal > 0) {
            printf(" >= %.3gx: %s", c->goal, verdict(c->goal, by_min, by_median));
        }
        printf(" |\n");
    }
    fflush(stdout);
}

void add(row *r, const char *name, void (*loop)(void *work, uint64_t steps), double goal) {
    require(r->count < MAX_CANDIDATES, "too many candidates in a row");
    r->candidates[r->count++] = (candidate){.name = name, .loop = loop, .goal = goal};
}

void run_row(row *r, const settings *how) {
    if (how->match != NULL && strstr(r->name, how->match) == NULL) {
        return;
    }
    if (r->compare) {
        compare(r);
    }
    if (how->check_only) {
        printf("%s: the candidates agree\n", r->name);
        return;
    }
    for (unsigned i = 0; i < r->count; i++) {
        calibrate(r, &r->candidates[i], how->turn);
    }
    for (unsigned round = 0; round < how->rounds; round++) {
        for (unsigned i = 0; i < r->count; i++) {
            candidate *c = &r->candidates[(round + i) % r->count];
            c->nanos[round] = time_loop(r, c, c->steps) / ((double)c->steps * r->units);
        }
    }
    for (unsigned i = 0; i < r->count; i++) {
        qsort(r->candidates[i].nanos, how->rounds, sizeof(double), ascending);
    }
    print_row(r, how->rounds);
}
