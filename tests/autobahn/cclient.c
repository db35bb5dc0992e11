/*
 * cclient.c: a client built on embws_stream under the Autobahn cases: it asks the fuzzing server how many there are,
 * echoes in each, and has the report written.
 *
 *     cclient -url ws://127.0.0.1:9001 -agent c-client
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L
#include "embws_stream_posix.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#define SILENCE 60 /* seconds without a byte until a case is given up */

static char *host;
static const char *port, *authority;

/* A connection, and what its buffers hold. */
typedef struct connection {
    int fd;
    embws_stream stream;
    char in[8192], out[8192], memory[64];
} connection;

/* Connects to a target of the server. */
static int32_t open_target(connection *c, const char *target) {
    struct timeval silence = {SILENCE, 0};
    embws_request request;
    memset(&c->stream, 0, sizeof c->stream);
    c->fd = embws_posix_dial(host, port);
    if (c->fd < 0) {
        return EMBWS_STREAM_ERR_TRANSPORT;
    }
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence);
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof silence);
    embws_posix_use(&c->stream, &c->fd);
    c->stream.read_buffer = c->in;
    c->stream.read_size = sizeof c->in;
    c->stream.write_buffer = c->out;
    c->stream.write_size = sizeof c->out;
    c->stream.message_memory = c->memory;
    c->stream.message_size = sizeof c->memory;
    EMBWS_INIT(&request);
    request.host = embws_span_of(authority);
    request.target = embws_span_of(target);
    return embws_stream_connect(&c->stream, &request, NULL, NULL);
}

/* Closes, and returns what went wrong before or with that; the peer's Close and its violations are the cases' business.
 */
static int32_t end(connection *c, int32_t result) {
    int32_t closed = embws_stream_close(&c->stream, EMBWS_CLOSE_NORMAL, NULL, 0);
    embws_stream_free(&c->stream);
    if (c->fd >= 0) {
        close(c->fd);
    }
    if (result == EMBWS_OK || result == EMBWS_STREAM_END) {
        result = closed;
    }
    return EMBWS_IS_VIOLATION(result) && result != EMBWS_ERR_NO_CLOSE ? EMBWS_OK : result;
}

/* Sends back every message, piece by piece, until the server closes. */
static int32_t echo(embws_stream *s) {
    for (;;) {
        embws_piece piece;
        int32_t result = embws_stream_read_piece(s, &piece);
        if (result == EMBWS_OK) {
            result = embws_stream_write_piece(s, piece.kind, piece.last, piece.payload, piece.length);
        }
        if (result != EMBWS_OK) {
            return result;
        }
    }
}

static int failed(const char *what, int32_t result) {
    if (result != EMBWS_OK) {
        fprintf(stderr, "%s: %s\n", what, embws_stream_message(result));
    }
    return result != EMBWS_OK;
}

int main(int argc, char **argv) {
    static connection c;
    embws_message message;
    char target[200], count[16];
    char *colon;
    int32_t result;
    int n, cases;
    if (argc != 5 || strcmp(argv[1], "-url") != 0 || strncmp(argv[2], "ws://", 5) != 0 ||
        strcmp(argv[3], "-agent") != 0 || strchr(argv[2] + 5, ':') == NULL) {
        fprintf(stderr, "usage: cclient -url ws://HOST:PORT -agent NAME\n");
        return 2;
    }
    authority = argv[2] + 5;
    host = strcpy(malloc(strlen(authority) + 1), authority);
    colon = strchr(host, ':');
    *colon = 0;
    port = colon + 1;

    result = open_target(&c, "/getCaseCount");
    if (result == EMBWS_OK) {
        result = embws_stream_read(&c.stream, &message);
    }
    if (result == EMBWS_OK) {
        snprintf(count, sizeof count, "%.*s", (int)message.length, (const char *)message.payload);
    }
    if (failed("getCaseCount", end(&c, result))) {
        return 1;
    }
    cases = atoi(count);
    for (n = 1; n <= cases; n++) {
        snprintf(target, sizeof target, "/runCase?case=%d&agent=%s", n, argv[4]);
        result = open_target(&c, target);
        if (result == EMBWS_OK) {
            result = echo(&c.stream);
        }
        snprintf(target, sizeof target, "case %d", n);
        failed(target, end(&c, result));
    }
    snprintf(target, sizeof target, "/updateReports?agent=%s", argv[4]);
    return failed("updateReports", end(&c, open_target(&c, target)));
}
