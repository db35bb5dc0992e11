/* memory.c: memory that is lent to the library, with canaries around it, and a random source that is none. */
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { canary = 0xA5, canaries = 32 };

static uint8_t *block(size_t n) {
    uint8_t *all = malloc(n);
    if (all == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
    return all;
}

uint8_t *lend_as_is(guarded *g, size_t n) {
    g->n = n;
    if (run.exact) {
        free(g->all);
        g->all = block(n > 0 ? n : 1);
        return g->all;
    }
    if (n + 2 * canaries > g->capacity) {
        free(g->all);
        g->capacity = n + 2 * canaries;
        g->all = block(g->capacity);
    }
    memset(g->all, canary, canaries);
    memset(g->all + canaries + n, canary, canaries);
    return g->all + canaries;
}

uint8_t *lend(guarded *g, size_t n) {
    uint8_t *at = lend_as_is(g, n);
    memset(at, canary, n);
    return at;
}

uint8_t *lend_copy(guarded *g, const void *from, size_t n) {
    uint8_t *at = lend_as_is(g, n);
    if (n > 0) memcpy(at, from, n);
    return at;
}

uint8_t *lent(const guarded *g) { return g->all + (run.exact ? 0 : canaries); }

/* Compares each byte with the one before it. */
static int untouched(const uint8_t *at, size_t n) {
    return n == 0 || (at[0] == canary && memcmp(at, at + 1, n - 1) == 0);
}

void intact(const guarded *g, size_t used, const char *what) {
    const uint8_t *at = lent(g);
    if (used < g->n && !untouched(at + used, g->n - used)) {
        wrong("%s: wrote behind the %zu bytes that it reports", what, used);
    }
    if (!run.exact && !(untouched(g->all, canaries) && untouched(at + g->n, canaries))) {
        wrong("%s: wrote outside of the memory that it was lent", what);
    }
}

int32_t cycle_fill(void *context, void *memory, size_t length) {
    cycle *c = context;
    uint8_t *to = memory;
    if (c->data->n == 0) return 1;
    for (size_t i = 0; i < length; i++) {
        to[i] = c->data->at[c->at];
        c->at = (c->at + 1) % c->data->n;
    }
    return 0;
}
