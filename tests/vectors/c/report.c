/* report.c: what is being played, and how a play ends that went wrong. */
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

settings_of_run run = {1, 0, 0};
uint64_t plays;

static char ways[DEPTHS][160];
static char problem[6000];
static jmp_buf back;

void playing(enum depth depth, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ways[depth], sizeof ways[depth], format, arguments);
    va_end(arguments);
    for (int deeper = (int)depth + 1; deeper < DEPTHS; deeper++) ways[deeper][0] = 0;
}

void wrong(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, sizeof problem, format, arguments);
    va_end(arguments);
    longjmp(back, 1);
}

int attempt(const vector *v, void (*play)(const vector *v)) {
    playing(DEPTH_SPLIT, "%s", "");
    if (setjmp(back) == 0) {
        play(v);
        return 1;
    }
    printf("FAILED: %s:%d: %s", v->file, v->line, v->name);
    for (int depth = 0; depth < DEPTHS; depth++) printf("%s%s", ways[depth][0] != 0 ? ", " : "", ways[depth]);
    end_abandon();
    printf(" (seed %llu)\n    %s\n", (unsigned long long)run.seed, problem);
    fflush(stdout);
    return 0;
}

const char *shown(const void *at, size_t n) {
    enum { most = 300 };
    static char texts[4][most * 4 + 60];
    static int turn;
    char *text = texts[turn++ % 4], *to = text;
    const uint8_t *from = at;
    *to++ = '"';
    for (size_t i = 0; i < n && i < most; i++) {
        if (from[i] >= ' ' && from[i] < 0x7F && from[i] != '"' && from[i] != '\\') {
            *to++ = (char)from[i];
        } else {
            to += snprintf(to, 5, "\\x%02x", from[i]);
        }
    }
    snprintf(to, 50, "\"%s (%zu bytes)", n > most ? "..." : "", n);
    return text;
}

void same_bytes(const char *what, const bytes *want, const void *got, size_t n) {
    if (bytes_equal(want, got, n)) return;
    wrong("%s: want %s, got %s", what, shown(want->at, want->n), shown(got, n));
}

void same_number(const char *what, int64_t want, int64_t got) {
    if (want != got) wrong("%s: want %lld, got %lld", what, (long long)want, (long long)got);
}

void same_status(const char *what, int32_t want, int32_t got) {
    if (want == got) return;
    wrong("%s: want %s (%d), got %s (%d); detail: %s", what, embws_status_name(want), (int)want, embws_status_name(got),
          (int)got, embws_error_detail());
}

/* The rules that embws.h names with the errors that are no violations. */
static const struct {
    int32_t status, rule;
} refusals[] = {
    {EMBWS_ERR_OPCODE_SEND, 101},
    {EMBWS_ERR_MESSAGE_OPEN, 58},
    {EMBWS_ERR_NO_MESSAGE, 57},
    {EMBWS_ERR_FRAME_OPEN, 99},
    {EMBWS_ERR_CONTROL_SIZE, 100},
    {EMBWS_ERR_CODE_SEND, 82},
    {EMBWS_ERR_REASON_SEND, 77},
    {EMBWS_ERR_TEXT_SEND, 94},
    {EMBWS_ERR_CLOSE_SENT, 71},
    {EMBWS_ERR_CLOSE_SEEN, 71},
    {EMBWS_ERR_FAILED, 56},
    {EMBWS_ERR_RANDOM, 95},
    {EMBWS_ERR_SENT_TOO_MUCH, 99},
    {EMBWS_ERR_STATE, 38},
    {EMBWS_ERR_NOT_OPEN, 38},
    {EMBWS_ERR_PLAIN_REQUEST, 20},
    {EMBWS_ERR_FIELD, 22},
    {EMBWS_ERR_STATUS_SEND, 20},
    {EMBWS_ERR_SUBPROTOCOL_SEND, 18},
    {EMBWS_ERR_EXTENSION_SEND, 36},
    {EMBWS_ERR_REQUEST, 28},
    {EMBWS_ERR_REQUEST_HOST, 28},
    {EMBWS_ERR_REQUEST_TARGET, 28},
    {EMBWS_ERR_REQUEST_ORIGIN, 28},
    {EMBWS_ERR_REQUEST_SUBPROTOCOLS, 28},
    {EMBWS_ERR_REQUEST_EXTENSIONS, 28},
    {EMBWS_ERR_KEEP_NAME, 13},
};

int64_t rule_of(int32_t status) {
    if (status == EMBWS_OK) return 0;
    if (EMBWS_IS_VIOLATION(status)) return EMBWS_RULE(status);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (refusals[i].status == status) return refusals[i].rule;
    }
    return NONE;
}
