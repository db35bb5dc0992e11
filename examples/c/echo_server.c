/*
 * echo_server.c: the demo in C. A WebSocket echo server, and a page for the browser that talks to it:
 *
 *     echo_server [-addr HOST:PORT] [-path /chat] [-subprotocol chat]
 *
 * Then open http://127.0.0.1:1337/. One thread serves all clients by poll(). Each client lives in the memory of a
 * struct client, about 17 KB, whatever the size of its messages: they are echoed piece by piece, as they arrive, and
 * nothing more is read from a client that does not take its echo.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#define _XOPEN_SOURCE 700 /* POSIX.1-2008, and SA_ONSTACK */
#include "embws_stream_posix.h"
#include "page.h" /* made of examples/browser/index.html by CMake */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MOST_CLIENTS 1000 /* fewer than a process may have files open, so that accept() can always get one */
#define MOST_TURNS   32   /* of reading or writing for one client, before the others get theirs */

static const char *path = "/chat";
static const char *subprotocol = "chat";

/* What a client is doing. Each is one call of embws_stream, repeated until it is done. */
enum phase { AWAITING_REQUEST, READING, WRITING, CLOSING };

typedef struct client {
    int fd;
    enum phase phase;
    int32_t wants; /* what it waits for: EMBWS_STREAM_WANT_* */
    embws_stream stream;
    embws_piece piece;   /* what is being echoed: it lies in `in`, and stays while it is written */
    uint32_t close_code; /* with which to close */
    const char *why;     /* and the reason */
    char name[64];       /* for the log */
    uint8_t in[8192], out[8192];
} client;

static client *clients[MOST_CLIENTS];
static size_t client_count;

/* Milliseconds by a clock that does not jump. */
static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void say(const client *c, const char *format, ...) {
    va_list arguments;
    fprintf(stderr, "%s: ", c->name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/* ---- One client --------------------------------------------------------------------------------------------- */

static int32_t respond(client *c, uint32_t status, const char *type, const void *body, size_t length) {
    embws_response response;
    embws_field content_type = {{"Content-Type", 12}, {NULL, 0}};
    content_type.value = embws_span_of(type);
    EMBWS_INIT(&response);
    response.status = status;
    response.fields = &content_type;
    response.field_count = 1;
    response.body = body;
    response.body_length = length;
    return embws_stream_respond(&c->stream, &response);
}

/* Answers a request: gives the page, or accepts, if it is for the WebSocket, or refuses. */
static int32_t answer(client *c) {
    static const char nothing[] = "There is nothing here.\n", too_long[] = "The request is too long.\n";
    char memory[4096];
    embws_head head;
    embws_acceptance acceptance;
    int32_t result;
    size_t i;

    EMBWS_INIT(&head);
    result = embws_session_head(c->stream.session, &head, memory, sizeof memory, NULL);
    if (result == EMBWS_ERR_NO_ROOM) { /* it offers more than `memory` can list */
        return respond(c, 431, "text/plain; charset=utf-8", too_long, sizeof too_long - 1);
    }
    if (result != EMBWS_OK) {
        return result;
    }
    if (!head.upgrade && embws_span_equals(head.path, "/")) {
        return respond(c, 200, "text/html; charset=utf-8", page, sizeof page);
    }
    if (!embws_span_equals(head.path, path)) {
        return respond(c, 404, "text/plain; charset=utf-8", nothing, sizeof nothing - 1);
    }
    EMBWS_INIT(&acceptance);
    for (i = 0; i < head.subprotocol_count; i++) {
        if (embws_span_equals(head.subprotocols[i], subprotocol)) {
            acceptance.subprotocol = head.subprotocols[i];
        }
    }
    result = embws_stream_accept(&c->stream, &acceptance); /* a plain request is answered with 426, upgrade required */
    if (c->stream.io.state == EMBWS_STATE_OPEN) {
        say(c, "open");
        c->phase = READING;
    }
    return result == EMBWS_ERR_PLAIN_REQUEST ? EMBWS_OK : result;
}

/* Says how a connection came to its end. Returns EMBWS_OK if it is to be closed in order, else the result. */
static int32_t ending(client *c, int32_t result) {
    embws_failure failure;
    char text[256];
    size_t length, i;
    uint16_t code;
    if (result == EMBWS_STREAM_END) {
        if (embws_session_peer_close(c->stream.session, &code, text, sizeof text, &length) == EMBWS_OK) {
            for (i = 0; i < length; i++) {
                text[i] = (unsigned char)text[i] < ' ' || text[i] == 127 ? '?' : text[i];
            }
            say(c, "closed by the client: %u \"%.*s\"", code, (int)length, text);
        }
    } else if (EMBWS_IS_VIOLATION(result)) {
        EMBWS_INIT(&failure);
        embws_session_failure(c->stream.session, &failure);
        embws_failure_describe(&failure, text, sizeof text, NULL);
        say(c, "%s", failure.status == 0 ? embws_stream_message(result) : text);
    } else {
        say(c, "%s", embws_stream_message(result));
        return result;
    }
    c->phase = CLOSING; /* the code and reason do not matter: ours is the answer, or has been sent */
    return EMBWS_OK;
}

/* Goes on with a client as far as its transport allows, but not for ever: others wait. Returns what to wait for, or
 * anything else if it is done. */
static int32_t step(client *c) {
    embws_stream *s = &c->stream;
    int turn;
    for (turn = 0; turn < MOST_TURNS; turn++) {
        int32_t result = EMBWS_OK;
        switch (c->phase) {
            case AWAITING_REQUEST:
                result = embws_stream_serve(s, NULL, NULL);
                if (result == EMBWS_OK) {
                    result = answer(c); /* what is left of the answer goes out with the next call */
                }
                break;
            case READING:
                result = embws_stream_read_piece(s, &c->piece);
                if (result == EMBWS_OK) {
                    c->phase = WRITING;
                }
                break;
            case WRITING:
                result = embws_stream_write_piece(s, c->piece.kind, c->piece.last, c->piece.payload, c->piece.length);
                if (result == EMBWS_OK) {
                    c->phase = READING;
                }
                break;
            case CLOSING:
                result = embws_stream_close(s, c->close_code, c->why, strlen(c->why));
                if (!EMBWS_STREAM_WANTS(result)) {
                    return EMBWS_STREAM_END;
                }
                break;
        }
        if (EMBWS_STREAM_WANTS(result)) {
            return result;
        }
        if (result != EMBWS_OK && (result = ending(c, result)) != EMBWS_OK) {
            return result;
        }
    }
    return EMBWS_STREAM_WANT_EITHER;
}

/* ---- All clients -------------------------------------------------------------------------------------------- */

static void welcome(int listener) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char host[48] = "?", port[8] = "?";
    int fd = accept(listener, (struct sockaddr *)&address, &length);
    client *c = fd < 0 ? NULL : calloc(1, sizeof *c);
    if (c == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(c->name, sizeof c->name, "%s:%s", host, port);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    c->fd = fd;
    c->why = "";
    embws_posix_use(&c->stream, &c->fd);
    c->stream.read_buffer = c->in;
    c->stream.read_size = sizeof c->in;
    c->stream.write_buffer = c->out;
    c->stream.write_size = sizeof c->out;
    c->stream.handshake_timeout = 10000;
    c->stream.ping_interval = 30000;
    c->stream.pong_timeout = 10000;
    c->stream.close_timeout = 2000;
    embws_stream_tick(&c->stream, now());
    c->wants = EMBWS_STREAM_WANT_READ;
    clients[client_count++] = c;
}

static void drop(size_t i) {
    embws_stream_free(&clients[i]->stream);
    close(clients[i]->fd);
    free(clients[i]);
    clients[i] = clients[--client_count]; /* so those who go through all go backwards */
}

/* Goes on with a client; returns 0 if it was dropped. */
static int go_on(size_t i) {
    int32_t result = step(clients[i]);
    if (!EMBWS_STREAM_WANTS(result)) {
        drop(i);
        return 0;
    }
    clients[i]->wants = result;
    return 1;
}

/* Tells every client that the server stops. */
static void stop_all(void) {
    size_t i;
    for (i = client_count; i-- > 0;) {
        client *c = clients[i];
        if (c->phase == AWAITING_REQUEST) {
            drop(i);
        } else if (c->phase != CLOSING) {
            c->phase = CLOSING;
            c->close_code = EMBWS_CLOSE_GOING_AWAY;
            c->why = "the server stops";
            go_on(i);
        }
    }
}

/* What to poll for, and, in *soonest, until when. */
static short events_of(const client *c, uint64_t *soonest) {
    uint64_t deadline = embws_stream_deadline(&c->stream);
    int32_t wants = c->wants | (embws_stream_waiting(&c->stream) ? EMBWS_STREAM_WANT_WRITE : 0);
    if (deadline < *soonest) {
        *soonest = deadline;
    }
    return (short)((wants & EMBWS_STREAM_WANT_READ ? POLLIN : 0) | (wants & EMBWS_STREAM_WANT_WRITE ? POLLOUT : 0));
}

/* Serves until a byte comes from `stop`, and then until all have closed. */
static void serve(int listener, int stop) {
    static struct pollfd fds[2 + MOST_CLIENTS];
    int stopping = 0;
    while (!stopping || client_count > 0) {
        size_t i, count = client_count;
        uint64_t t = now(), soonest = t + 60000;
        fds[0].fd = stopping ? -1 : stop; /* poll() passes over -1 */
        fds[1].fd = stopping || count == MOST_CLIENTS ? -1 : listener;
        fds[0].events = fds[1].events = POLLIN;
        for (i = 0; i < count; i++) {
            fds[2 + i].fd = clients[i]->fd;
            fds[2 + i].events = events_of(clients[i], &soonest);
        }
        if (poll(fds, (nfds_t)(2 + count), soonest > t ? (int)(soonest - t) : 0) < 0) {
            continue; /* a signal */
        }
        t = now();
        for (i = count; i-- > 0;) {
            int32_t late = embws_stream_tick(&clients[i]->stream, t);
            if (fds[2 + i].revents != 0 && !go_on(i)) {
                continue;
            }
            if (late != EMBWS_OK &&
                embws_stream_tick(&clients[i]->stream, t) != EMBWS_OK) { /* nor has it come just now */
                say(clients[i], "timed out");
                drop(i);
            }
        }
        if (fds[0].revents != 0) {
            stopping = 1;
            stop_all();
        }
        if (fds[1].revents != 0 && !stopping) {
            welcome(listener);
        }
    }
}

/* ---- The process -------------------------------------------------------------------------------------------- */

static int stop_pipe[2];

static void on_signal(int signal) {
    ssize_t ignored = write(stop_pipe[1], "", 1);
    (void)signal;
    (void)ignored;
}

/* Opens a socket that listens on HOST:PORT, and says where that is. Returns -1, with a message, if that cannot be. */
static int listen_on(const char *address) {
    struct addrinfo hints, *found = NULL;
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char host[256] = "", port[8] = "", name[272];
    const char *colon = strrchr(address, ':');
    int fd = -1, one = 1;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    if (colon != NULL && (size_t)(colon - address) < sizeof host) {
        int bracket = address[0] == '[';
        snprintf(host, sizeof host, "%.*s", (int)(colon - address) - 2 * bracket, address + bracket);
        if (getaddrinfo(host[0] ? host : NULL, colon + 1, &hints, &found) == 0) {
            fd = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
        }
    }
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 128) != 0 ||
            getsockname(fd, (struct sockaddr *)&bound, &length) != 0) {
            close(fd);
            fd = -1;
        }
    }
    if (fd < 0) {
        fprintf(stderr, "cannot listen on %s: %s\n", address, found == NULL ? "it is not HOST:PORT" : strerror(errno));
    } else {
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        getnameinfo((struct sockaddr *)&bound, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
        snprintf(name, sizeof name, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
        fprintf(stderr, "listening on http://%s/", name);
        if (strcmp(path, "/chat") != 0 || strcmp(subprotocol, "chat") != 0) {
            fprintf(stderr, "?path=%s&subprotocol=%s", path, subprotocol); /* fills in the page's fields */
        }
        fprintf(stderr, " with the WebSocket at ws://%s%s\n", name, path);
    }
    if (found != NULL) {
        freeaddrinfo(found);
    }
    return fd;
}

static int usage(void) {
    fprintf(stderr,
            "usage: echo_server [-addr HOST:PORT] [-path /PATH] [-subprotocol NAME]\n"
            "  -addr         address to listen on; port 0 picks a free one (127.0.0.1:1337)\n"
            "  -path         path of the WebSocket; the page is served at / in any case (/chat)\n"
            "  -subprotocol  name of the subprotocol to select where it is offered (chat)\n");
    return 2;
}

int main(int argc, char **argv) {
    const char *address = "127.0.0.1:1337";
    struct sigaction action;
    int i, listener;
    for (i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "-addr") == 0) {
            address = argv[i + 1];
        } else if (strcmp(argv[i], "-path") == 0) {
            path = argv[i + 1];
        } else if (strcmp(argv[i], "-subprotocol") == 0) {
            subprotocol = argv[i + 1];
        } else {
            return usage();
        }
    }
    if (i != argc || path[0] != '/') {
        return usage();
    }
    if (pipe(stop_pipe) != 0) {
        perror("pipe");
        return 1;
    }
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_ONSTACK; /* as embws.h wants it of every handler: a Go runtime is in this process */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    listener = listen_on(address);
    if (listener < 0) {
        return 1;
    }
    serve(listener, stop_pipe[0]);
    return 0;
}
