/* What both programs of the consumer do: a client masks a frame, and a server reads it. */
#ifndef CONSUMER_H
#define CONSUMER_H

#include <embws.h>
#include <stdio.h>
#include <string.h>

static int consumer_fail(const char *what, int32_t status) {
    fprintf(stderr, "%s: %s: %s\n", what, embws_status_name(status), embws_status_message(status));
    return 1;
}

static int consumer_run(const char *language) {
    static const char text[] = "made elsewhere";
    const size_t length = sizeof text - 1;
    unsigned char wire[64];
    size_t written = 0;
    embws_codec *client = NULL;
    embws_codec *server = NULL;
    embws_event events[4];
    embws_io io;
    int32_t status;

    if (embws_abi_version() != EMBWS_ABI_VERSION || strcmp(embws_version_string(), EMBWS_VERSION_STRING) != 0) {
        fprintf(stderr, "the header is of %s, the library of %s\n", EMBWS_VERSION_STRING, embws_version_string());
        return 1;
    }
    if ((status = embws_codec_new(&client, EMBWS_CLIENT, NULL)) != EMBWS_OK) return consumer_fail("client", status);
    if ((status = embws_codec_new(&server, EMBWS_SERVER, NULL)) != EMBWS_OK) return consumer_fail("server", status);
    status = embws_codec_encode(client, EMBWS_TEXT, 1, text, length, wire, sizeof wire, &written);
    if (status != EMBWS_OK) return consumer_fail("encode", status);

    EMBWS_INIT(&io);
    io.in = wire;
    io.in_length = written;
    io.events = events;
    io.capacity = sizeof events / sizeof events[0];
    if ((status = embws_codec_decode(server, &io)) != EMBWS_OK) return consumer_fail("decode", status);
    if (io.found != 1 || events[0].length != length || memcmp(embws_event_payload(&io, events), text, length) != 0) {
        fprintf(stderr, "what was decoded is not what was encoded\n");
        return 1;
    }
    if ((status = embws_codec_free(client)) != EMBWS_OK) return consumer_fail("free", status);
    if ((status = embws_codec_free(server)) != EMBWS_OK) return consumer_fail("free", status);
    printf("%s: embws %s\n", language, embws_version_string());
    return 0;
}

#endif
