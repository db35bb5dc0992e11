/*
 * embws_stream_posix.h: an embws_stream over a POSIX socket, blocking or not. Only this header knows of POSIX.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * With -std=c99, define _POSIX_C_SOURCE as 200809L before the first #include of a file.
 */

#ifndef EMBWS_STREAM_POSIX_H
#define EMBWS_STREAM_POSIX_H

#include "embws_stream.h"

#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL                                                                                \
    0 /* where it is missing, ignore SIGPIPE: a write to a peer that has gone would end the process \
       */
#endif

/* What a failed call on a socket means. A time-out (SO_RCVTIMEO, SO_SNDTIMEO) looks like a socket that would block. */
static inline ptrdiff_t embws_posix_failed(ptrdiff_t blocked) {
    return errno == EAGAIN || errno == EWOULDBLOCK ? blocked : EMBWS_TRANSPORT_ERROR;
}

/* The transport's functions. The context points to the socket, an int; errno tells about an error. */
static inline ptrdiff_t embws_posix_read(void *context, void *buffer, size_t size) {
    ptrdiff_t n;
    do {
        n = recv(*(const int *)context, buffer, size, 0);
    } while (n < 0 && errno == EINTR);
    return n >= 0 ? n : embws_posix_failed(EMBWS_TRANSPORT_WANT_READ);
}

static inline ptrdiff_t embws_posix_write(void *context, const void *bytes, size_t length) {
    ptrdiff_t n;
    do {
        n = send(*(const int *)context, bytes, length, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n >= 0 ? n : embws_posix_failed(EMBWS_TRANSPORT_WANT_WRITE);
}

static inline void embws_posix_shut(void *context) { shutdown(*(const int *)context, SHUT_WR); }

/* Sets the transport of a stream to the socket in *fd, which must stay where it is. */
static inline void embws_posix_use(embws_stream *stream, int *fd) {
    stream->read = embws_posix_read;
    stream->write = embws_posix_write;
    stream->shut = embws_posix_shut;
    stream->context = fd;
}

/* Connects to a host by name or address, and a port by number or name. Returns a blocking socket, to be closed, or -1.
 */
static inline int embws_posix_dial(const char *host, const char *port) {
    struct addrinfo hints, *found, *a;
    int fd = -1;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        return -1;
    }
    for (a = found; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

#endif /* EMBWS_STREAM_POSIX_H */
