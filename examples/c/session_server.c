/*
 * session_server.c: an echo server on embws_session, in a poll loop: what an event loop has to do, and no more.
 *
 *     session_server [-addr HOST:PORT]
 *
 * A client costs its session and two buffers. What it sends is not read while it does not take what it is sent.
 * (examples/c/echo_server.c does the same on embws_stream, with time-outs and a page for the browser.)
 */
#define _XOPEN_SOURCE 700
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "embws.h"

enum { CLIENTS = 100, MESSAGE = 16384, OUT = MESSAGE + EMBWS_MAX_HEADER_SIZE + 1024 };

typedef struct client {
    int socket;
    embws_session *session;
    uint32_t state;
    size_t waiting;  /* bytes in out */
    uint32_t more;   /* more is to come behind them */
    size_t from, to; /* in[from .. to) has arrived and was not taken */
    char in[4096];
    char out[OUT];
    char memory[MESSAGE]; /* of a message that comes in pieces */
} client;

static client *clients[CLIENTS];
static volatile sig_atomic_t stopping;

static void stop(int number) {
    (void)number;
    stopping = 1;
}

/* Lends a call the free part of the client's buffer; after() takes note of what the call has written there. */
static void before(client *c, embws_io *io) {
    EMBWS_INIT(io);
    io->out = c->out + c->waiting;
    io->out_capacity = sizeof c->out - c->waiting;
}

static void after(client *c, const embws_io *io) {
    c->waiting += io->out_length;
    c->more = io->more;
    c->state = io->state;
}

/* Sends what waits. Returns 0 when all was sent, 1 while the socket takes no more, -1 if it is broken. */
static int flush(client *c) {
    for (;;) {
        while (c->waiting > 0) {
            ssize_t n = send(c->socket, c->out, c->waiting, MSG_NOSIGNAL);
            if (n < 0) return errno == EAGAIN || errno == EINTR ? 1 : -1;
            c->waiting -= (size_t)n;
            memmove(c->out, c->out + n, c->waiting);
        }
        if (!c->more) return 0;
        embws_io io;
        before(c, &io);
        embws_session_flush(c->session, &io);
        after(c, &io);
    }
}

/* Answers the upgrade request. Who is to be let in is decided here. */
static void answer(client *c) {
    char memory[4096];
    embws_head head;
    embws_io io;
    EMBWS_INIT(&head);
    int32_t status = embws_session_head(c->session, &head, memory, sizeof memory, NULL);
    before(c, &io);
    if (status == EMBWS_OK && head.upgrade) {
        embws_session_accept(c->session, &io, NULL);
    } else {
        embws_response response;
        EMBWS_INIT(&response);
        response.status = status == EMBWS_OK ? 426 : 431;
        response.close = 1;
        embws_session_respond(c->session, &io, &response);
    }
    after(c, &io);
}

/* Takes what has arrived, message by message. Returns -1 when the connection is over. */
static int receive(client *c) {
    while (c->from < c->to) {
        embws_io io;
        embws_message message;
        if (flush(c) != 0) return 0; /* first it must take what it is owed: go on when it does */
        before(c, &io);
        io.in = c->in + c->from;
        io.in_length = c->to - c->from;
        int32_t status = embws_session_next(c->session, &io, c->memory, sizeof c->memory, &message);
        after(c, &io); /* also after an error: the Close that tells of it is to be sent */
        c->from += io.eaten;
        if (status != EMBWS_OK) {
            char line[256];
            embws_failure failure;
            EMBWS_INIT(&failure);
            embws_session_failure(c->session, &failure);
            embws_failure_describe(&failure, line, sizeof line, NULL);
            fprintf(stderr, "%s\n", line);
            return flush(c), -1;
        }
        if (message.kind == EMBWS_HANDSHAKE) answer(c);
        if (message.kind == EMBWS_TEXT || message.kind == EMBWS_BINARY) {
            before(c, &io); /* flush() has emptied the buffer, and it has room for the longest message */
            embws_session_send(c->session, &io, message.kind, 1, message.payload, message.length);
            after(c, &io);
        }
    }
    return flush(c) < 0 || (c->state >= EMBWS_STATE_CLOSED && c->waiting == 0) ? -1 : 0;
}

/* Goes on with a client that can be read or written. Returns -1 when the connection is over. */
static int step(client *c, short ready) {
    if (ready & POLLOUT) {
        int blocked = flush(c);
        if (blocked != 0) return blocked < 0 ? -1 : 0;
        if (receive(c) != 0) return -1;
    }
    if ((ready & (POLLIN | POLLHUP | POLLERR)) && c->from == c->to) {
        ssize_t n = recv(c->socket, c->in, sizeof c->in, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
        if (n <= 0) return -1; /* embws_session_end() would tell whether in order */
        c->from = 0, c->to = (size_t)n;
        return receive(c);
    }
    return 0;
}

static void drop(int i) {
    embws_session_free(clients[i]->session);
    close(clients[i]->socket);
    free(clients[i]);
    clients[i] = NULL;
}

static void welcome(int listener) {
    int socket = accept(listener, NULL, NULL);
    for (int i = 0; socket >= 0 && i < CLIENTS; i++) {
        if (clients[i] != NULL) continue;
        client *c = calloc(1, sizeof *c);
        if (c == NULL || embws_session_serve(&c->session, NULL, NULL) != EMBWS_OK) {
            free(c);
            break;
        }
        fcntl(socket, F_SETFL, O_NONBLOCK);
        c->socket = socket, c->state = EMBWS_STATE_HANDSHAKE;
        clients[i] = c;
        return;
    }
    if (socket >= 0) close(socket);
}

int main(int argc, char **argv) {
    const char *address = argc > 2 && strcmp(argv[1], "-addr") == 0 ? argv[2] : "127.0.0.1:1337";
    struct sockaddr_in at = {.sin_family = AF_INET};
    const char *colon = strrchr(address, ':');
    char host[64] = "127.0.0.1";
    if (colon != NULL && (size_t)(colon - address) < sizeof host) {
        memcpy(host, address, (size_t)(colon - address));
        host[colon - address] = 0;
    }
    at.sin_port = htons((uint16_t)atoi(colon != NULL ? colon + 1 : "1337"));
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    socklen_t length = sizeof at;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (inet_pton(AF_INET, host, &at.sin_addr) != 1 || bind(listener, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(listener, 64) != 0 || getsockname(listener, (struct sockaddr *)&at, &length) != 0) {
        perror(address);
        return 1;
    }
    /* SA_ONSTACK: see THE HOST in embws.h. */
    struct sigaction action = {.sa_handler = stop, .sa_flags = SA_ONSTACK};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    printf("listening on ws://%s:%u/\n", host, (unsigned)ntohs(at.sin_port));
    fflush(stdout);

    while (!stopping) {
        struct pollfd polls[CLIENTS + 1] = {{.fd = listener, .events = POLLIN}};
        for (int i = 0; i < CLIENTS; i++) {
            client *c = clients[i];
            polls[i + 1].fd = c != NULL ? c->socket : -1;
            if (c != NULL) polls[i + 1].events = c->waiting > 0 || c->more ? POLLOUT : POLLIN;
        }
        if (poll(polls, CLIENTS + 1, -1) < 0) continue;
        for (int i = 0; i < CLIENTS; i++)
            if (polls[i + 1].revents != 0 && step(clients[i], polls[i + 1].revents) != 0) drop(i);
        if (polls[0].revents & POLLIN) welcome(listener);
    }
    for (int i = 0; i < CLIENTS; i++) {
        embws_io io;
        if (clients[i] == NULL) continue;
        before(clients[i], &io);
        embws_session_close(clients[i]->session, &io, EMBWS_CLOSE_GOING_AWAY, NULL, 0);
        after(clients[i], &io);
        flush(clients[i]);
        drop(i);
    }
    return 0;
}
