/*
 * bench.h: what the parts of the benchmark share: rows, candidates, what a candidate delivers, and keys.
 */
#ifndef EMBWS_BENCH_H
#define EMBWS_BENCH_H

#include <stddef.h>
#include <stdint.h>

enum { MAX_CANDIDATES = 6, MAX_ROUNDS = 501 };

/* One way to do the work of a row. The first of a row is embws. */
typedef struct candidate {
    const char *name;
    void (*loop)(void *work, uint64_t steps); /* does the work so often, and delivers the payload */
    double goal;              /* how many times the time of embws it should take; 0: nothing is wanted */
    uint64_t steps;           /* of a turn */
    double nanos[MAX_ROUNDS]; /* of a unit, one a round; sorted at the end */
} candidate;

/* One kind of work. What is copied and checked in it is in README.md. */
typedef struct row {
    char name[80];
    unsigned units; /* how many units, such as frames, are in a step: times are a unit's */
    size_t bytes;   /* bytes of payload in a unit; 0 if MB/s says nothing */
    int compare;    /* 1: the candidates deliver payload, which must be the same */
    void *work;     /* what the candidates work on */
    candidate candidates[MAX_CANDIDATES];
    unsigned count;
} row;

typedef struct settings {
    unsigned rounds;
    double turn;       /* nanoseconds of a candidate's turn */
    const char *match; /* only rows whose name contains it, or NULL */
    int check_only;    /* compare what the candidates deliver, and measure nothing */
} settings;

/* What the candidate that runs has delivered. */
typedef struct tally {
    uint64_t messages;
    uint64_t bytes;
    uint64_t hash;    /* FNV-1a of all payload, only while `hashing` */
    uint64_t touched; /* keeps the compiler from leaving out the look at the payload */
    int hashing;
} tally;

extern tally delivered;

void hash_bytes(const uint8_t *data, size_t length);

/* A candidate hands over a piece of payload. */
static inline void deliver(const uint8_t *data, size_t length) {
    delivered.bytes += length;
    if (length > 0) {
        delivered.touched += data[0];
    }
    if (delivered.hashing) {
        hash_bytes(data, length);
    }
}

/* Runs a row: compares what its candidates deliver, then measures them. */
void run_row(row *r, const settings *how);

/* Adds a candidate to a row. */
void add(row *r, const char *name, void (*loop)(void *work, uint64_t steps), double goal);

/* Ends the program with a message unless ok. */
void require(int ok, const char *what);

void *allocate(size_t size);
void *allocate_aligned(size_t size); /* at a cache line, as receive buffers are */

/* SplitMix64: the source of the payload, and of both libraries' masking keys. */
typedef struct splitmix {
    uint64_t state;
} splitmix;

void splitmix_fill(splitmix *source, void *memory, size_t length);

/* Writes one frame by hand, with the mask or without (key NULL): returns its size. */
size_t write_frame(uint8_t *dst, unsigned opcode, const uint8_t *payload, size_t length, const uint8_t *key);

/* Reads one frame that a candidate has written: its size. Its payload, unmasked on a copy, is delivered. */
size_t read_frame(const uint8_t *src, size_t length, unsigned opcode, int masked);

/* The parts. */
void decode_rows(const settings *how);
void many_rows(const settings *how);
void encode_rows(const settings *how);
void call_rows(const settings *how);

#endif
