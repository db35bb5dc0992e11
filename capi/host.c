/* What libembws does about the process that it lives in: fork, and the words for what went wrong on a thread. */
#include <stdio.h>

#include "shim.h"

#ifndef _WIN32
#include <pthread.h>
#endif

int embws_forked;

#ifndef _WIN32
static void in_child(void) { embws_forked = 1; }

__attribute__((constructor)) static void watch_fork(void) { pthread_atfork(NULL, NULL, in_child); }
#endif

static __thread struct {
    int32_t status;
    const char *function;
    const char *text;
    char line[320];
} last;

int32_t embws_refuse(int32_t status, const char *function, const char *text) {
    last.status = status;
    last.function = function;
    last.text = text;
    return status;
}

const char *embws_error_detail(void) {
    if (last.status == EMBWS_OK) return "";
    snprintf(last.line, sizeof last.line, "%s: %s", last.function,
             last.text != NULL ? last.text : embws_status_message(last.status));
    return last.line;
}

int32_t embws_call_random(embws_random call, uintptr_t context, void *memory, size_t length) {
    return call((void *)context, memory, length);
}
