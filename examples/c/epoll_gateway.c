/*
 * epoll_gateway: an echo server for many connections in little memory, on codecs and raw epoll (Linux).
 *
 *     epoll_gateway [port]          # on 127.0.0.1; port 1339 unless given, 0 picks a free one
 *
 * One thread, one buffer for all reads. What has arrived is decoded in batches, in place, and goes out by writev from
 * where it lies: no payload is copied. A true gateway would write to another connection; everything else stays.
 *
 * An idle connection costs a struct client (32 bytes) and a codec handle, in all about 850 bytes of the process's
 * memory: ten thousand of them 9 MB (tests/capi/gateway_test.py measures it). A handshake handle lives until the
 * upgrade; a backlog while a client does not read, and nothing is read from it meanwhile. Time-outs, for handshakes and
 * for silent clients, are left to your program.
 */
#define _GNU_SOURCE

#include <embws.h>

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    READ_SIZE = 64 << 10,
    EVENTS = 64, /* of a batch */

    /* What goes out in answer to one read is never much more than what came in: a server's header is shorter than a
     * client's, but a read may begin inside of a frame, complete a Ping, or make us close. */
    BACKLOG_SIZE = READ_SIZE + EMBWS_MAX_HEADER_SIZE + 3 * EMBWS_MAX_CONTROL_FRAME_SIZE,

    MAX_DRAIN = 1 << 20, /* bytes dropped from a client after our last words, before its connection is cut */
    MAX_CLIENTS = 1 << 20,
    GOODBYE_MS = 1000 /* how long clients have to answer when the server stops */
};

/* What a socket did not take. */
typedef struct backlog {
    size_t start, end;
    uint8_t bytes[BACKLOG_SIZE];
} backlog;

/* One connection: it has a handshake, then a codec, then neither, while its end is awaited. */
typedef struct client {
    embws_server_handshake *handshake;
    embws_codec *codec;
    backlog *blocked; /* NULL unless the socket takes no more */
    int fd;           /* 0 when this place is free */
    uint32_t drained; /* bytes dropped after our last words */
} client;

static int poller, listener, stopper;
static client *clients; /* by file descriptor; memory that was never used is not resident */
static size_t places, open_count;
static int full; /* no descriptor is left, and the listener is not watched */

/* Shared by all connections, and empty between two of them. */
static uint8_t in[READ_SIZE];
static uint8_t headers[EVENTS][EMBWS_MAX_HEADER_SIZE];
static uint8_t answers[(EVENTS + 1) * EMBWS_MAX_CONTROL_FRAME_SIZE]; /* to all Pings of a batch, and a Close; or HTTP */
static embws_event events[EVENTS];

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int watch(int operation, int fd, uint32_t mask) {
    struct epoll_event e = {.events = mask, .data.fd = fd};
    return epoll_ctl(poller, operation, fd, &e);
}

/* Ends a connection and frees its place. */
static void drop(client *c) {
    embws_server_handshake_free(c->handshake); /* NULL is fine */
    embws_codec_free(c->codec);
    free(c->blocked);
    close(c->fd);
    memset(c, 0, sizeof *c);
    open_count--;
    if (full) full = watch(EPOLL_CTL_MOD, listener, EPOLLIN) != 0;
}

/* All is said: only the client's end is awaited, so that our last words arrive (rule 85). */
static void finish(client *c) {
    embws_server_handshake_free(c->handshake);
    embws_codec_free(c->codec);
    c->handshake = NULL, c->codec = NULL;
    if (c->blocked == NULL) shutdown(c->fd, SHUT_WR);
}

/* Sends pieces. What the socket does not take is copied to a backlog. Returns -1 if the connection was dropped. */
static int send_pieces(client *c, struct iovec *pieces, int count) {
    ssize_t sent = 0;
    if (count == 0) return 0;
    if (c->blocked == NULL) {
        do {
            sent = writev(c->fd, pieces, count);
        } while (sent < 0 && errno == EINTR);
        if (sent < 0 && errno != EAGAIN) {
            drop(c);
            return -1;
        }
    }
    size_t skip = sent > 0 ? (size_t)sent : 0;
    for (int i = 0; i < count; i++) {
        size_t gone = skip < pieces[i].iov_len ? skip : pieces[i].iov_len, rest = pieces[i].iov_len - gone;
        skip -= gone;
        if (rest == 0) continue;
        if (c->blocked == NULL) {
            c->blocked = malloc(sizeof *c->blocked);
            if (c->blocked == NULL || watch(EPOLL_CTL_MOD, c->fd, EPOLLOUT) != 0) {
                drop(c);
                return -1;
            }
            c->blocked->start = c->blocked->end = 0;
        }
        backlog *b = c->blocked;
        if (rest > sizeof b->bytes - b->end) {
            drop(c); /* BACKLOG_SIZE says why this does not happen */
            return -1;
        }
        memcpy(b->bytes + b->end, (const uint8_t *)pieces[i].iov_base + gone, rest);
        b->end += rest;
    }
    return 0;
}

static int send_bytes(client *c, void *bytes, size_t length) {
    struct iovec piece = {.iov_base = bytes, .iov_len = length};
    return send_pieces(c, &piece, length > 0);
}

/* The socket takes bytes again. */
static void unblock(client *c) {
    backlog *b = c->blocked;
    ssize_t n = write(c->fd, b->bytes + b->start, b->end - b->start);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR) drop(c);
        return;
    }
    b->start += (size_t)n;
    if (b->start < b->end) return;
    free(b);
    c->blocked = NULL;
    if (watch(EPOLL_CTL_MOD, c->fd, EPOLLIN) != 0) {
        drop(c);
    } else if (c->codec == NULL && c->handshake == NULL) {
        finish(c);
    }
}

/* Takes the next bytes of a request, and answers it. Returns how many of them were the request's. */
static size_t greet(client *c, const uint8_t *bytes, size_t length) {
    size_t eaten = 0, written = 0;
    int32_t status = embws_server_handshake_receive(c->handshake, bytes, length, &eaten);
    if (status == EMBWS_OK) return eaten; /* more is needed */
    if (status == EMBWS_UPGRADE_REQUESTED) {
        status = embws_server_handshake_accept(c->handshake, NULL, answers, sizeof answers, &written);
        if (status == EMBWS_OPENED && embws_codec_new(&c->codec, EMBWS_SERVER, NULL) == EMBWS_OK) {
            embws_server_handshake_free(c->handshake);
            c->handshake = NULL;
            send_bytes(c, answers, written);
            return eaten;
        }
    } else if (status == EMBWS_PLAIN_REQUEST) {
        embws_response not_found;
        EMBWS_INIT(&not_found);
        not_found.status = 404, not_found.close = 1;
        status = embws_server_handshake_respond(c->handshake, &not_found, answers, sizeof answers, &written);
    } else {
        status = embws_server_handshake_respond(c->handshake, NULL, answers, sizeof answers, &written);
    }
    if (status != EMBWS_OK) { /* no memory, most likely */
        drop(c);
    } else if (send_bytes(c, answers, written) == 0) {
        finish(c);
    }
    return length;
}

/* Puts the echo of one event into pieces: a header of ours, and the payload where it lies. A message that came in
 * pieces goes out in fragments. Short payloads would be cheaper copied, by embws_codec_encode_batch. */
static int echo(client *c, const embws_io *io, const embws_event *e, uint8_t *header, struct iovec *pieces) {
    size_t header_length;
    uint32_t fin = (e->flags & EMBWS_MESSAGE_END) != 0;
    if (e->kind >= EMBWS_CLOSE || (e->length == 0 && !fin)) return 0;
    if (embws_codec_encode_header(c->codec, e->kind, fin, e->length, header, EMBWS_MAX_HEADER_SIZE, &header_length) !=
        EMBWS_OK) {
        return 0; /* the peer has closed, or broken a rule, behind this message */
    }
    embws_codec_sent(c->codec, e->length); /* it will be, or wait in the backlog */
    pieces[0] = (struct iovec){.iov_base = header, .iov_len = header_length};
    pieces[1] = (struct iovec){.iov_base = embws_event_payload(io, e), .iov_len = e->length};
    return 2;
}

/* Decodes what has arrived, in batches, and answers each batch by one writev. */
static void serve(client *c, uint8_t *bytes, size_t length) {
    embws_io io;
    EMBWS_INIT(&io);
    io.events = events, io.capacity = EVENTS;
    while (length > 0) {
        struct iovec pieces[2 * EVENTS + 1];
        int count = 0;
        uint32_t next = 0;
        size_t answered = 0, closing = 0;
        io.in = bytes, io.in_length = length;
        int32_t status = embws_codec_decode(c->codec, &io);
        if (status < 0 && !EMBWS_IS_VIOLATION(status)) {
            fprintf(stderr, "epoll_gateway: %s\n", embws_status_message(status));
            drop(c);
            return;
        }
        for (uint32_t i = 0; i < io.found; i++) {
            count += echo(c, &io, &events[i], headers[i], pieces + count);
        }
        embws_codec_reply(c->codec, &io, &next, answers, sizeof answers, &answered);
        if (status < 0 && io.peer_code == 0) {
            embws_failure failure;
            const char *reason = embws_status_message(status);
            size_t reason_length = strlen(reason);
            EMBWS_INIT(&failure);
            embws_codec_failure(c->codec, &failure);
            embws_codec_close(c->codec, failure.close_code, reason,
                              reason_length <= EMBWS_MAX_CLOSE_REASON ? reason_length : 0, answers + answered,
                              sizeof answers - answered, &closing);
        }
        if (answered + closing > 0) {
            pieces[count++] = (struct iovec){.iov_base = answers, .iov_len = answered + closing};
        }
        if (send_pieces(c, pieces, count) != 0) return;
        if (status < 0 || io.peer_code != 0) {
            finish(c);
            return;
        }
        bytes += io.eaten, length -= io.eaten;
    }
}

/* Reads once, and deals with what has come. */
static void receive(client *c) {
    ssize_t n = read(c->fd, in, sizeof in);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        drop(c);
        return;
    }
    size_t used = 0;
    if (c->handshake != NULL) {
        used = greet(c, in, (size_t)n);
    } else if (c->codec == NULL) {
        c->drained += (uint32_t)n;
        if (c->drained > MAX_DRAIN) drop(c);
    }
    if (c->codec != NULL) serve(c, in + used, (size_t)n - used);
}

/* Takes in all that wait. */
static void welcome(void) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        client *c = clients + fd;
        if ((size_t)fd >= places || embws_server_handshake_new(&c->handshake, NULL) != EMBWS_OK) {
            close(fd);
            continue;
        }
        c->fd = fd;
        open_count++;
        if (watch(EPOLL_CTL_ADD, fd, EPOLLIN) != 0) drop(c);
    }
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) { /* out of descriptors: go on when one is free */
        perror("accept");
        full = watch(EPOLL_CTL_MOD, listener, 0) == 0;
    }
}

/* Tells everybody that the server stops. */
static void goodbye(void) {
    static const char reason[] = "the server stops";
    fprintf(stderr, "closing %zu connections\n", open_count);
    close(listener);
    full = 0;
    for (size_t i = 0; i < places && open_count > 0; i++) {
        client *c = &clients[i];
        size_t n = 0;
        if (c->handshake != NULL) {
            drop(c);
        } else if (c->codec != NULL) {
            embws_codec_close(c->codec, EMBWS_CLOSE_GOING_AWAY, reason, sizeof reason - 1, answers, sizeof answers, &n);
            if (send_bytes(c, answers, n) == 0) finish(c);
        }
    }
}

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void run(void) {
    struct epoll_event ready[256];
    int64_t until = -1; /* when to stop, once that was asked for */
    while (until < 0 || (open_count > 0 && now_ms() < until)) {
        int n = epoll_wait(poller, ready, sizeof ready / sizeof ready[0], until < 0 ? -1 : GOODBYE_MS / 10);
        if (n < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < n; i++) {
            client *c = &clients[ready[i].data.fd];
            if (ready[i].data.fd == listener) {
                welcome();
            } else if (ready[i].data.fd == stopper) {
                watch(EPOLL_CTL_DEL, stopper, 0);
                until = now_ms() + GOODBYE_MS;
                goodbye();
                break; /* what else is ready comes again */
            } else if (c->fd == 0) {
                continue; /* closed by an event before this one */
            } else if (c->blocked != NULL) {
                unblock(c);
            } else {
                receive(c);
            }
        }
    }
}

/* A signal may come while a thread is on a stack of the Go runtime: hence SA_ONSTACK below (see THE HOST in embws.h).
 * It may also come on a thread that is not ours: hence no flag, but a descriptor that the loop waits for. */
static void on_signal(int number) {
    const uint64_t one = 1;
    (void)number;
    if (write(stopper, &one, sizeof one) < 0) _exit(1);
}

static void listen_at(const char *port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int yes = 1;
    at.sin_port = htons((uint16_t)atoi(port));
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 1024) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &length) != 0) {
        die("listen");
    }
    printf("listening on ws://127.0.0.1:%d/\n", ntohs(at.sin_port));
    fflush(stdout);
}

int main(int argc, char **argv) {
    struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESTART};
    struct rlimit files;
    if (embws_abi_version() != EMBWS_ABI_VERSION) {
        fprintf(stderr, "epoll_gateway: libembws %s is not the one for this program\n", embws_version_string());
        return 1;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) die("getrlimit");
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    places = files.rlim_cur < MAX_CLIENTS ? (size_t)files.rlim_cur : MAX_CLIENTS;
    clients = calloc(places, sizeof *clients);
    poller = epoll_create1(EPOLL_CLOEXEC);
    stopper = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (clients == NULL || poller < 0 || stopper < 0) die("start");
    signal(SIGPIPE, SIG_IGN);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    listen_at(argc > 1 ? argv[1] : "1339");
    if (watch(EPOLL_CTL_ADD, listener, EPOLLIN) != 0 || watch(EPOLL_CTL_ADD, stopper, EPOLLIN) != 0) {
        die("epoll_ctl");
    }
    run();
    free(clients);
    return 0;
}
