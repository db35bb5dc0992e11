/* What libembws does about the process and the system that it lives in: fork, random bytes, and the words for what went
 * wrong on a thread. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "shim.h"

#include "_cgo_export.h"

#if defined(_WIN32)
#define RtlGenRandom SystemFunction036
unsigned char __stdcall RtlGenRandom(void *memory, unsigned long length);
#else
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#elif defined(__APPLE__)
#include <sys/random.h>
#endif
#endif

int embws_forked;

#ifndef _WIN32
static void in_child(void) { embws_forked = 1; }

/*
 * The runtime takes SIGPIPE when it starts, though it has no use for it here: nothing below writes to anything. It is
 * given back to the host. The first of these constructors runs before the one that starts the runtime, the second after
 * it.
 */
static struct sigaction pipe_of_host;

__attribute__((constructor(101))) static void before_start(void) { sigaction(SIGPIPE, NULL, &pipe_of_host); }

__attribute__((constructor)) static void after_start(void) {
    pthread_atfork(NULL, NULL, in_child);
    if (pipe_of_host.sa_handler != SIG_DFL && pipe_of_host.sa_handler != SIG_IGN) pipe_of_host.sa_flags |= SA_ONSTACK;
    sigaction(SIGPIPE, &pipe_of_host, NULL);
}
#endif

/*
 * A thread that calls Go holds one of the runtime's processors between its calls. The runtime's monitor takes away the
 * processor of a thread on which the scheduler has not run for 10 ms, whenever it looks and finds the thread in C; and
 * as long as it takes some it looks every 20 us. Each call then gets a processor back, and wakes the monitor by a
 * system call: together up to a fifth of what a server does for a short message. So where calls are frequent the
 * scheduler is let run before those 10 ms are over, which takes some 15 us.
 */
#ifdef CLOCK_MONOTONIC_COARSE
enum { PACE_MILLISECONDS = 6, PACE_CALLS = 5 };

void embws_keep_pace(void) {
    static __thread int64_t last;
    static __thread uint32_t calls;
    struct timespec time;
    if (++calls % 4 != 0) return; /* a look at the clock is a few nanoseconds, too */
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    int64_t now = (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
    if (now - last < PACE_MILLISECONDS) return;
    if (calls >= PACE_CALLS) goSchedule();
    last = now;
    calls = 0;
}
#else
void embws_keep_pace(void) {}
#endif

static __thread struct {
    int32_t status;
    const char *function;
    const char *owner;
    const char *text;
    char line[320];
} last;

int32_t embws_refuse_in(int32_t status, const char *function, const char *owner, const char *text) {
    last.status = status;
    last.function = function;
    last.owner = owner;
    last.text = text;
    return status;
}

int32_t embws_refuse(int32_t status, const char *function, const char *text) {
    return embws_refuse_in(status, function, "", text);
}

const char *embws_error_detail(void) {
    if (last.status == EMBWS_OK) return "";
    snprintf(last.line, sizeof last.line, "%s: %s%s", last.function, last.owner,
             last.text != NULL ? last.text : embws_status_message(last.status));
    return last.line;
}

int32_t embws_call_random(embws_random call, uintptr_t context, void *memory, size_t length) {
    return call((void *)context, memory, length);
}

int32_t embws_system_random(void *memory, size_t length) {
#if defined(_WIN32)
    return RtlGenRandom(memory, (unsigned long)length) ? 0 : -1;
#elif defined(__linux__)
    /* Not by getrandom(), which glibc has since 2.25 only: this works with each that Go works with. A kernel older than
     * 3.17 has no such call (ENOSYS), which is a failure like another. */
    char *p = memory;
    while (length > 0) {
        long n = syscall(SYS_getrandom, p, length, 0);
        if (n > 0) {
            p += n;
            length -= (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            return -1;
        }
    }
    return 0;
#else
    char *p = memory;
    while (length > 0) {
        size_t n = length < 256 ? length : 256; /* it gives no more at once */
        if (getentropy(p, n) != 0) return -1;
        p += n;
        length -= n;
    }
    return 0;
#endif
}
