/* shortest.c: the shortest complete client. It connects to the demo server, says hello, prints the reply, closes. */
#define _POSIX_C_SOURCE 200809L
#include "embws_stream_posix.h"

#include <stdio.h>

int main(int argc, char **argv) {
    char in[512], out[512], memory[4096];
    int fd = embws_posix_dial("127.0.0.1", argc > 1 ? argv[1] : "1337");
    embws_stream stream = {0};
    embws_request request;
    embws_message reply;
    int32_t status;

    if (fd < 0) return perror("127.0.0.1"), 1;
    embws_posix_use(&stream, &fd);
    stream.read_buffer = in, stream.read_size = sizeof in;
    stream.write_buffer = out, stream.write_size = sizeof out;
    stream.message_memory = memory, stream.message_size = sizeof memory;

    EMBWS_INIT(&request);
    request.host = embws_span_of("127.0.0.1");
    request.target = embws_span_of("/chat");
    status = embws_stream_connect(&stream, &request, NULL, NULL);
    if (status == EMBWS_OK) {
        status = embws_stream_write(&stream, EMBWS_TEXT, "hello", 5);
    }
    if (status == EMBWS_OK && (status = embws_stream_read(&stream, &reply)) == EMBWS_OK) {
        printf("%.*s\n", (int)reply.length, (const char *)reply.payload);
        status = embws_stream_close(&stream, EMBWS_CLOSE_NORMAL, NULL, 0);
    }
    if (status != EMBWS_OK) {
        fprintf(stderr, "%s\n", embws_stream_message(status));
    }
    embws_stream_free(&stream);
    close(fd);
    return status != EMBWS_OK;
}
