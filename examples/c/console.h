/*
 * console.h: what the example clients share: the parts of a URL, and a conversation that sends lines and prints
 * replies.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#ifndef CONSOLE_H
#define CONSOLE_H

#include "embws_stream_posix.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#define PATIENCE 10 /* seconds that a server may take to say something */

typedef struct url {
    char host[256];      /* to connect to, such as "example.com" or "::1" */
    char port[8];        /* such as "443" */
    char authority[256]; /* for the request, such as "example.com:8080" or "[::1]:8080" */
    const char *target;  /* for the request, such as "/chat?room=1" */
} url;

/* Takes a URL of the scheme "ws" or "wss" apart. Returns 0, or -1 if it is none. */
static inline int url_parse(url *u, const char *text, const char *scheme) {
    size_t n = strlen(scheme), length;
    char *colon;
    memset(u, 0, sizeof *u);
    if (strncmp(text, scheme, n) != 0 || strncmp(text + n, "://", 3) != 0) {
        return -1;
    }
    text += n + 3;
    length = strcspn(text, "/?#");
    if (length == 0 || length >= sizeof u->host) {
        return -1;
    }
    snprintf(u->authority, sizeof u->authority, "%.*s", (int)length, text);
    u->target = text[length] == '/' ? text + length : "/";
    snprintf(u->port, sizeof u->port, "%s", strcmp(scheme, "wss") == 0 ? "443" : "80");
    snprintf(u->host, sizeof u->host, "%s", u->authority[0] == '[' ? u->authority + 1 : u->authority);
    colon = u->authority[0] == '[' ? strchr(u->host, ']') : strchr(u->host, ':');
    if (colon != NULL && *colon == ']') {
        *colon++ = 0;
    }
    if (colon != NULL && *colon == ':') {
        *colon = 0;
        if (strlen(colon + 1) >= sizeof u->port) {
            return -1;
        }
        memcpy(u->port, colon + 1, strlen(colon + 1) + 1);
    }
    return 0;
}

/* Gives up a socket that is silent for too long: read and write then fail as if they would block. */
static inline void be_impatient(int fd) {
    struct timeval patience = {PATIENCE, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

/* Prints what has failed, and returns 1. */
static inline int complain(const embws_stream *s, const char *what, int32_t result) {
    uint16_t code;
    char reason[EMBWS_MAX_CLOSE_REASON];
    size_t length = 0;
    if (EMBWS_STREAM_WANTS(result)) {
        fprintf(stderr, "%s: nothing for %d seconds\n", what, PATIENCE);
    } else if (embws_session_peer_close(s->session, &code, reason, sizeof reason, &length) == EMBWS_OK) {
        fprintf(stderr, "%s: the server has closed with %u \"%.*s\"\n", what, code, (int)length, reason);
    } else {
        fprintf(stderr, "%s: %s\n", what, embws_stream_message(result));
    }
    return 1;
}

/* Sends a line and prints the reply. */
static inline int32_t exchange(embws_stream *s, const char *line, size_t length) {
    embws_message reply;
    int32_t result = embws_stream_write(s, EMBWS_TEXT, line, length);
    if (result == EMBWS_OK) {
        result = embws_stream_read(s, &reply);
    }
    if (result == EMBWS_OK) {
        fwrite(reply.payload, 1, reply.length, stdout);
        putchar('\n');
    }
    return result;
}

/* Connects over a stream whose transport is set, sends `count` lines, or those of the standard input if there are none,
 * prints a reply for each, and closes. Returns the exit status. */
static inline int converse(embws_stream *s, const url *u, char **lines, int count) {
    static char in[4096], out[4096], memory[1 << 20], line[4096]; /* a reply has up to 1 MiB */
    embws_request request;
    int32_t result;
    int i, failed = 0;

    s->read_buffer = in;
    s->read_size = sizeof in;
    s->write_buffer = out;
    s->write_size = sizeof out;
    s->message_memory = memory;
    s->message_size = sizeof memory;

    EMBWS_INIT(&request);
    request.host = embws_span_of(u->authority);
    request.target = embws_span_of(u->target);
    result = embws_stream_connect(s, &request, NULL, NULL);
    if (result != EMBWS_OK) {
        failed = complain(s, "connecting", result);
    }
    for (i = 0; i < count && result == EMBWS_OK; i++) {
        result = exchange(s, lines[i], strlen(lines[i]));
    }
    while (count == 0 && result == EMBWS_OK && fgets(line, sizeof line, stdin) != NULL) {
        result = exchange(s, line, strcspn(line, "\n"));
    }
    if (result != EMBWS_OK && !failed) {
        failed = complain(s, "talking", result);
    }
    if (s->io.state >= EMBWS_STATE_OPEN && result != EMBWS_STREAM_ERR_TRANSPORT) {
        result = embws_stream_close(s, EMBWS_CLOSE_NORMAL, "bye", 3);
        if (result != EMBWS_OK && !failed) {
            failed = complain(s, "closing", result);
        }
    }
    embws_stream_free(s);
    return failed;
}

#endif /* CONSOLE_H */
