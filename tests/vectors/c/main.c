/*
 * main.c: plays the shared vectors through libembws.
 *
 *     vectors [--brief] [--exact] [--wrong] FOLDER [WORD]
 *
 * plays the cases of all files *.txt in FOLDER, or those whose names contain WORD. --brief plays fewer splits.
 * --exact lends blocks of malloc without canaries, so that valgrind sees each byte read or written outside of them.
 * --wrong turns it round: the cases are wrong, and it is an error if one of them passes.
 * EMBWS_SEED, a number or "random", gives other random splits.
 */
#include "vectors.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { most_failures = 40 };

static int ends_in_txt(const struct dirent *entry) {
    size_t n = strlen(entry->d_name);
    return n > 4 && strcmp(entry->d_name + n - 4, ".txt") == 0;
}

static void read_folder(const char *folder, vectors *to) {
    static LIST(bytes) paths; /* cases point to their texts */
    struct dirent **names;
    int n = scandir(folder, &names, ends_in_txt, alphasort);
    if (n < 0) {
        perror(folder);
        exit(2);
    }
    for (int i = 0; i < n; i++) {
        bytes *path = PUSH(&paths);
        bytes_text(path, folder);
        bytes_text(path, "/");
        bytes_text(path, names[i]->d_name);
        parse_file((const char *)path->at, to);
        free(names[i]);
    }
    free(names);
}

/* Whatever lies behind a failure changes nothing: a decoder that looks ahead must not be led astray. */
static void with_more_input(const vector *v) {
    static bytes in;
    vector more = *v;
    in.n = 0;
    bytes_add(&in, v->in.at, v->in.n);
    for (int i = 0; i < 40; i++) bytes_add(&in, "\x82\x80", 2);
    more.in = in;
    each_split(&more, 1, play_frames);
}

static void play(const vector *v) {
    switch (v->kind) {
        case KIND_FRAMES:
            each_split(v, 0, play_frames);
            if (v->fail.set) with_more_input(v);
            break;
        case KIND_REQUEST: each_split(v, 0, play_request); break;
        case KIND_RESPONSE: each_split(v, 0, play_response); break;
        default: play_send(v); break;
    }
}

/* Why the C functions cannot express a case, or NULL. */
static const char *inexpressible(const vector *v) {
    const char *store = option(v, "store");
    if (store != NULL && strcmp(store, "0") == 0) {
        return "option store 0: in embws_handshake_options a store of 0 stands for the default";
    }
    return NULL;
}

static uint64_t seed(void) {
    const char *text = getenv("EMBWS_SEED");
    struct timespec now;
    if (text == NULL || *text == 0) return 1;
    if (strcmp(text, "random") == 0) {
        clock_gettime(CLOCK_REALTIME, &now);
        return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    }
    return strtoull(text, NULL, 10);
}

static int usage(void) {
    fprintf(stderr, "usage: vectors [--brief] [--exact] [--wrong] FOLDER [WORD]\n");
    return 2;
}

int main(int argc, char **argv) {
    static vectors all;
    struct timespec from, to;
    size_t played = 0, failed = 0, skipped = 0;
    int i = 1, turned = 0;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--brief") == 0) {
            run.brief = 1;
        } else if (strcmp(argv[i], "--exact") == 0) {
            run.exact = 1;
        } else if (strcmp(argv[i], "--wrong") == 0) {
            turned = 1;
        } else {
            return usage();
        }
    }
    if (i == argc || argc > i + 2) return usage();
    const char *word = argc > i + 1 ? argv[i + 1] : "";
    if (embws_abi_version() != EMBWS_ABI_VERSION) {
        fprintf(stderr, "the library is not the one of this header: use that of the same build\n");
        return 2;
    }
    run.seed = seed();
    read_folder(argv[i], &all);
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (size_t k = 0; k < all.n && (turned || failed < most_failures); k++) {
        if (strstr(all.at[k].name, word) == NULL) continue;
        const char *reason = inexpressible(&all.at[k]);
        if (reason != NULL) {
            printf("SKIPPED: %s:%d: %s: %s\n", all.at[k].file, all.at[k].line, all.at[k].name, reason);
            skipped++;
            continue;
        }
        played++;
        failed += !attempt(&all.at[k], play);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    end_last();
    double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    printf("%zu cases, %" PRIu64 " plays, seed %" PRIu64 ", %.1f s: %zu failed, %zu skipped%s\n", played, plays,
           run.seed, seconds, failed, skipped,
           !turned && failed == most_failures ? ", and the rest was not played" : "");
    if (turned && failed < played)
        printf("%zu wrong cases were found right: the player does not see what is wrong\n", played - failed);
    if (turned && played > 0) return failed < played;
    if (played + skipped == 0) fprintf(stderr, "no case has a name with \"%s\" in it\n", word);
    return failed > 0 || played + skipped == 0;
}
