/* splits.c: the ways to cut the input of a case into pieces. */
#include "vectors.h"

const size_t rooms[ROOMS] = {1, 7, 32, 131, 4096};

enum { random_cuts = 1000, brief_cuts = 20, few_cuts = 3, random_plays = 24, few_plays = 1, near = 16 };

typedef LIST(size_t) offsets;

static uint64_t luck;

size_t chance(size_t below) { /* splitmix64: the same numbers on every machine */
    uint64_t x = luck += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (size_t)((x ^ x >> 31) % below);
}

static void add(offsets *list, size_t offset) { *PUSH(list) = offset; }

/* Calls `each` with the begin, the header's end and the end of each frame of the input, as far as they can be told. */
static void each_frame(const vector *v, void (*each)(void *to, size_t begin, size_t payload, size_t behind), void *to) {
    const bytes *in = &v->in;
    for (size_t at = 0; at + 2 <= in->n;) {
        uint64_t length = in->at[at + 1] & 0x7Fu;
        size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
        size_t size = 2 + more + (v->role == EMBWS_SERVER ? 4u : 0u);
        if (at + 2 + more > in->n) {
            each(to, at, in->n, in->n);
            return;
        }
        if (more > 0) length = 0;
        for (size_t i = 0; i < more; i++) length = length << 8 | in->at[at + 2 + i];
        size_t payload = at + size < in->n ? at + size : in->n;
        size_t behind = length < in->n - payload ? payload + (size_t)length : in->n;
        each(to, at, payload, behind);
        at = behind;
    }
}

static void add_edges(void *to, size_t begin, size_t payload, size_t behind) {
    add(to, begin);
    add(to, payload);
    add(to, behind);
}

typedef struct search {
    size_t offset, begin;
} search;

static void hold(void *to, size_t begin, size_t payload, size_t behind) {
    search *s = to;
    (void)payload;
    (void)behind;
    if (begin <= s->offset) s->begin = begin;
}

size_t frame_start(const vector *v, size_t offset) {
    search s = {offset, 0};
    each_frame(v, hold, &s);
    return s.begin;
}

/* Where to cut once. */
static void two_way(const vector *v, int brief, offsets *to) {
    static offsets edges;
    size_t most = run.brief ? few_cuts : brief ? brief_cuts : random_cuts, n = v->in.n;
    to->n = edges.n = 0;
    if (n <= WHOLE_INPUT && !brief && !run.brief) {
        for (size_t i = 1; i < n; i++) add(to, i);
        return;
    }
    add(&edges, 0);
    add(&edges, n);
    if (v->kind == KIND_FRAMES) each_frame(v, add_edges, &edges);
    for (size_t i = 0; i < edges.n && !run.brief; i++) {
        size_t edge = edges.at[i];
        for (size_t at = edge > near ? edge - near : 1; at <= edge + near && at < n && to->n < 4 * most; at++)
            add(to, at);
    }
    for (size_t i = 0; i < most && n > 1; i++) add(to, 1 + chance(n - 1));
}

static void cut(const vector *v, player *play, offsets *cuts, size_t *index) {
    add(cuts, v->in.n);
    split s = {cuts->at, cuts->n, (*index)++};
    play(v, &s);
}

void each_split(const vector *v, int brief, player *play) {
    static offsets cuts, once;
    size_t index = 0, n = v->in.n;
    luck = run.seed;

    playing(DEPTH_SPLIT, "whole");
    cuts.n = 0;
    cut(v, play, &cuts, &index);

    size_t stride = run.brief && n > WHOLE_INPUT ? n / 64 : 1;
    playing(DEPTH_SPLIT, "pieces of %zu bytes", stride);
    cuts.n = 0;
    for (size_t i = stride; i < n; i += stride) add(&cuts, i);
    cut(v, play, &cuts, &index);

    two_way(v, brief, &once);
    for (size_t i = 0; i < once.n; i++) {
        playing(DEPTH_SPLIT, "split at %zu", once.at[i]);
        cuts.n = 0;
        add(&cuts, once.at[i]);
        cut(v, play, &cuts, &index);
    }
    for (size_t i = 0; i < (run.brief ? few_plays : random_plays) && n > 2; i++) {
        playing(DEPTH_SPLIT, "random split %zu", i);
        cuts.n = 0;
        size_t most = 1 + chance(n); /* bytes a piece */
        if (run.brief && most < stride) most = stride;
        for (size_t at = 1 + chance(most); at < n; at += 1 + chance(most)) add(&cuts, at);
        cut(v, play, &cuts, &index);
    }
}
