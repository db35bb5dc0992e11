/*
 * load.c: a program that is not linked with libembws, but loads it when and where it likes: in the child of a fork, on
 * a thread, a second time after dlclose (THE HOST in embws.h).
 *
 *     load path/to/libembws.so
 */
#define _POSIX_C_SOURCE 200809L

#include "process.h"

#include <pthread.h>

enum { CHILD_SECONDS = 20, CHILDREN = 4, RELOADS = 20 };

/* Several children of one parent that has not loaded it, as a server's worker processes. */
static void after_fork(const char *path) {
    pid_t children[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = process_fork(CHILD_SECONDS);
        if (children[i] == 0) {
            process_load(path);
            codec_life(1000);
            pid_t grandchild = process_fork(CHILD_SECONDS);
            if (grandchild == 0) {
                embws_codec *codec;
                EXPECT(EMBWS_ERR_FORKED, api.codec_new(&codec, EMBWS_SERVER, NULL));
                _exit(0);
            }
            process_expect_exit(grandchild, 0, "the child of a child that loaded the library");
            codec_life(1000);
            _exit(0);
        }
    }
    for (int i = 0; i < CHILDREN; i++) process_expect_exit(children[i], 0, "dlopen after fork");
}

static void *load_on_thread(void *path) {
    process_load(path);
    codec_life(100);
    return NULL;
}

static void *live_on_thread(void *unused) {
    (void)unused;
    codec_life(100);
    return NULL;
}

static void join(void *(*run)(void *), void *argument) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run, argument) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

/* The thread that loaded it has ended when others use it. */
static void on_a_thread(char *path) {
    pid_t child = process_fork(CHILD_SECONDS);
    if (child == 0) {
        join(load_on_thread, path);
        codec_life(100);
        join(live_on_thread, NULL);
        _exit(0);
    }
    process_expect_exit(child, 0, "dlopen on a thread");
}

/* dlclose does not unload it: a handle from before is still one after the next dlopen, and pointers to its functions
 * and texts stay valid in between. */
static void close_and_load(const char *path) {
    pid_t child = process_fork(CHILD_SECONDS);
    if (child == 0) {
        void *library = process_load(path);
        embws_codec *client, *server;
        EXPECT(EMBWS_OK, api.codec_new(&client, EMBWS_CLIENT, NULL));
        EXPECT(EMBWS_OK, api.codec_new(&server, EMBWS_SERVER, NULL));
        for (uint64_t i = 0; i < RELOADS; i++) {
            CHECK(dlclose(library) == 0);
            codec_round_trip(client, server, i);
            library = process_load(path);
            codec_round_trip(client, server, i);
            codec_life(10);
        }
        CHECK(dlclose(library) == 0);
        /* fork is still noticed after all that. */
        pid_t grandchild = process_fork(CHILD_SECONDS);
        if (grandchild == 0) {
            EXPECT(EMBWS_ERR_FORKED, api.codec_free(client));
            _exit(0);
        }
        process_expect_exit(grandchild, 0, "fork after dlclose");
        EXPECT(EMBWS_OK, api.codec_free(client));
        EXPECT(EMBWS_OK, api.codec_free(server));
        _exit(0);
    }
    process_expect_exit(child, 0, "dlclose, then dlopen");
}

/* Loaded, and never used or only just: the process must end all the same. */
static void unused(const char *path) {
    for (int used = 0; used < 2; used++) {
        pid_t child = process_fork(CHILD_SECONDS);
        if (child == 0) {
            char shell[] = "/bin/sh", c[] = "-c", script[] = "exit 0";
            char *const arguments[] = {shell, c, script, NULL};
            process_load(path);
            if (used) codec_life(1);
            execv(arguments[0], arguments);
            _exit(1);
        }
        process_expect_exit(child, 0, "exec after dlopen");
    }
}

int main(int argc, char **argv) {
    alarm(100);
    CHECK(argc == 2);
    after_fork(argv[1]);
    on_a_thread(argv[1]);
    close_and_load(argv[1]);
    unused(argv[1]);
    printf("loaded in %d children, on a thread, %d times again after dlclose, and before exec\n", CHILDREN, RELOADS);
    return 0;
}
