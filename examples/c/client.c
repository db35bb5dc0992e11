/*
 * client.c: sends lines to a WebSocket server, prints the replies, and closes cleanly:
 *
 *     client ws://127.0.0.1:1337/chat hello world      two messages
 *     client ws://127.0.0.1:1337/chat                  the lines of the standard input
 *
 * It expects a reply for each line, as an echo server gives. The stream itself is at work in console.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L
#include "console.h"

int main(int argc, char **argv) {
    embws_stream stream = {0};
    url u;
    int fd, failed;
    if (argc < 2 || url_parse(&u, argv[1], "ws") != 0) {
        fprintf(stderr, "usage: client ws://HOST[:PORT][/PATH] [LINE]...\n");
        return 2;
    }
    fd = embws_posix_dial(u.host, u.port);
    if (fd < 0) {
        fprintf(stderr, "cannot connect to %s, port %s\n", u.host, u.port);
        return 1;
    }
    be_impatient(fd);
    embws_posix_use(&stream, &fd);
    failed = converse(&stream, &u, argv + 2, argc - 2);
    close(fd);
    return failed;
}
