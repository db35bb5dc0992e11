/*
 * handshake_states.c: the two handshakes of a codec, called at the wrong time, byte by byte, and with what cannot be
 * sent; and options that cannot be met.
 */
#define _DEFAULT_SOURCE

#include "check.h"

static const char upgrade[] =
    "GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nCookie: a=1\r\n\r\n";
static const char plain[] = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
static const char broken[] = "POST / HTTP/1.1\r\nHost: example.com\r\n\r\n";

static uint8_t dst[1024];

/* What a call that cannot be done leaves alone. */
#define REFUSED(status, call)                                         \
    do {                                                              \
        memset(dst, 0xC7, sizeof dst);                                \
        written = 777;                                                \
        EXPECT(status, call);                                         \
        CHECK(written == 777 && dst[0] == 0xC7 && dst[1023] == 0xC7); \
    } while (0)

static embws_server_handshake *server_with(const char *keep) {
    embws_server_handshake *server = NULL;
    embws_handshake_options options;
    embws_span name = embws_span_of(keep);
    EMBWS_INIT(&options);
    options.keep = &name, options.keep_count = keep == NULL ? 0 : 1;
    EXPECT(EMBWS_OK, embws_server_handshake_new(&server, &options));
    return server;
}

/* From a guarded copy, all at once. */
static int32_t receive(embws_server_handshake *server, const char *text, size_t length, size_t *eaten) {
    guard g = guard_make(length);
    memcpy(g.bytes, text, length);
    int32_t status = embws_server_handshake_receive(server, g.bytes, length, eaten);
    CHECK(memcmp(g.bytes, text, length) == 0); /* it is const */
    guard_free(&g);
    return status;
}

static void server_states(void) {
    embws_server_handshake *server = server_with("cookie");
    embws_response response;
    embws_head head;
    uint8_t memory[1024];
    size_t written = 777, eaten = 777;
    EMBWS_INIT(&response);
    EMBWS_INIT(&head);
    response.status = 403;
    REFUSED(EMBWS_ERR_STATE, embws_server_handshake_accept(server, NULL, dst, sizeof dst, &written));
    REFUSED(EMBWS_ERR_STATE, embws_server_handshake_respond(server, &response, dst, sizeof dst, &written));
    REFUSED(EMBWS_ERR_STATE, embws_server_handshake_respond(server, NULL, dst, sizeof dst, &written));
    EXPECT(EMBWS_ERR_STATE, embws_server_handshake_head(server, &head, memory, sizeof memory, &written));
    CHECK(written == 777 && head.target.data == NULL);

    /* Byte by byte; what follows the head is not eaten. */
    for (size_t i = 0; i < sizeof upgrade - 1; i++) {
        EXPECT(i + 1 == sizeof upgrade - 1 ? EMBWS_UPGRADE_REQUESTED : EMBWS_OK,
               receive(server, upgrade + i, 1, &eaten));
        EQUAL(eaten, 1);
    }
    EXPECT(EMBWS_UPGRADE_REQUESTED, receive(server, "behind", 6, &eaten));
    EQUAL(eaten, 0);
    EXPECT(EMBWS_ERR_STATE, embws_server_handshake_restart(server));
    EXPECT(EMBWS_OK, embws_server_handshake_head(server, &head, memory, sizeof memory, NULL));
    CHECK(embws_span_equals(embws_head_field(&head, "COOKIE"), "a=1") && head.field_count == 2); /* and Host */
    REFUSED(EMBWS_ERR_STATE, embws_server_handshake_respond(server, NULL, dst, sizeof dst, &written));

    embws_acceptance acceptance;
    EMBWS_INIT(&acceptance);
    acceptance.subprotocol = embws_span_of("chat");
    REFUSED(EMBWS_ERR_SUBPROTOCOL_SEND, embws_server_handshake_accept(server, &acceptance, dst, sizeof dst, &written));
    EXPECT(EMBWS_MORE, embws_server_handshake_accept(server, NULL, dst, 0, &written));
    EQUAL(written, 0);
    EXPECT(EMBWS_MORE, embws_server_handshake_accept(server, NULL, dst, 10, &written));
    EQUAL(written, 10);
    REFUSED(EMBWS_ERR_STATE, embws_server_handshake_respond(server, &response, dst, sizeof dst, &written));
    EXPECT(EMBWS_OPENED, embws_server_handshake_accept(server, NULL, dst, sizeof dst, &written));
    CHECK(written > 50 && memcmp(dst + written - 4, "\r\n\r\n", 4) == 0);
    REFUSED(EMBWS_ERR_STATE, embws_server_handshake_accept(server, NULL, dst, sizeof dst, &written));
    REFUSED(EMBWS_ERR_STATE, embws_server_handshake_respond(server, &response, dst, sizeof dst, &written));
    EXPECT(EMBWS_ERR_STATE, receive(server, plain, sizeof plain - 1, &eaten));
    EXPECT(EMBWS_ERR_STATE, embws_server_handshake_restart(server));
    EXPECT(EMBWS_OK, embws_server_handshake_free(server));
}

static void plain_requests(void) {
    embws_server_handshake *server = server_with(NULL);
    embws_response response;
    size_t written, eaten;
    EMBWS_INIT(&response);
    response.status = 200, response.body = "hello", response.body_length = 5;
    for (int i = 0; i < 3; i++) {
        EXPECT(EMBWS_PLAIN_REQUEST, receive(server, plain, sizeof plain - 1, &eaten));
        EQUAL(eaten, sizeof plain - 1);
        REFUSED(EMBWS_ERR_PLAIN_REQUEST, embws_server_handshake_accept(server, NULL, dst, sizeof dst, &written));
        EXPECT(EMBWS_MORE, embws_server_handshake_respond(server, &response, dst, 20, &written));
        EXPECT(EMBWS_ERR_STATE, embws_server_handshake_restart(server)); /* the answer is not written yet */
        REFUSED(EMBWS_ERR_STATE, embws_server_handshake_accept(server, NULL, dst, sizeof dst, &written));
        EXPECT(EMBWS_OK, embws_server_handshake_respond(server, &response, dst, sizeof dst, &written));
        CHECK(memcmp(dst + written - 5, "hello", 5) == 0);
        EXPECT(EMBWS_ERR_STATE, receive(server, plain, sizeof plain - 1, &eaten));
        EXPECT(EMBWS_OK, embws_server_handshake_restart(server));
    }
    EXPECT(EMBWS_OK, embws_server_handshake_free(server));
}

static void broken_request(void) {
    embws_server_handshake *server = server_with(NULL);
    embws_failure failure;
    size_t written, eaten = 777;
    EMBWS_INIT(&failure);
    for (int i = 0; i < 3; i++) { /* sticky */
        EXPECT(EMBWS_ERR_METHOD, receive(server, broken, sizeof broken - 1, &eaten));
        CHECK(eaten <= sizeof broken - 1 && (i == 0 || eaten == 0));
    }
    EXPECT(EMBWS_OK, embws_server_handshake_failure(server, &failure));
    CHECK(failure.status == EMBWS_ERR_METHOD && failure.rule == 1 && failure.http_status == 405);
    REFUSED(EMBWS_ERR_STATE, embws_server_handshake_accept(server, NULL, dst, sizeof dst, &written));
    EXPECT(EMBWS_OK, embws_server_handshake_respond(server, NULL, dst, sizeof dst, &written));
    CHECK(memcmp(dst, "HTTP/1.1 405 ", 13) == 0);
    EXPECT(EMBWS_ERR_STATE, embws_server_handshake_restart(server));
    EXPECT(EMBWS_OK, embws_server_handshake_free(server));
}

/* A handle is only given out for what can be done. */
static void options_that_cannot_be_met(void) {
    embws_handshake_options limits;
    embws_server_handshake *server = (void *)&limits;
    embws_session *session = (void *)&limits;
    char name[65];
    embws_span names[2] = {{"Cookie", 6}, {"", 0}};
    memset(name, 'n', sizeof name);
    EMBWS_INIT(&limits);
    limits.keep = names, limits.keep_count = 2;
    for (int i = 0; i < 2; i++) {
        EXPECT(EMBWS_ERR_KEEP_NAME, embws_server_handshake_new(&server, &limits));
        EXPECT(EMBWS_ERR_KEEP_NAME, embws_session_serve(&session, NULL, &limits));
        CHECK(server == (void *)&limits && session == (void *)&limits);
        names[1].data = name, names[1].length = sizeof name;
    }
    names[1].length = 64;
    limits.store = 1, limits.max_head = INT64_MIN, limits.max_fields = INT64_MAX, limits.max_subprotocols = -5;
    EXPECT(EMBWS_OK, embws_server_handshake_new(&server, &limits));
    EXPECT(EMBWS_OK, embws_server_handshake_free(server));
    server = server_with(NULL);
    EXPECT(EMBWS_OK, embws_server_handshake_free(server));
}

static int32_t no_random(void *context, void *memory, size_t length) {
    (void)memory, (void)length;
    return *(int32_t *)context;
}

static void requests_that_cannot_be_sent(void) {
    static const embws_field good = {{"Cookie", 6}, {"a=1", 3}}, own = {{"Host", 4}, {"x", 1}},
                             split = {{"X", 1}, {"a\nb", 3}};
    static const embws_span once = {"chat", 4}, twice[2] = {{"chat", 4}, {"chat", 4}}, space = {"a b", 3};
    static const struct {
        int32_t status;
        const char *host, *target, *origin, *extensions;
        const embws_span *subprotocols;
        size_t subprotocol_count;
        const embws_field *field;
    } rows[] = {
        {EMBWS_OK, "example.com", "/", NULL, NULL, NULL, 0, &good},
        {EMBWS_OK, "[::1]:8080", "/a?b=%20", "http://a.b", "permessage-deflate", &once, 1, NULL},
        {EMBWS_ERR_REQUEST_HOST, NULL, "/", NULL, NULL, NULL, 0, NULL},
        {EMBWS_ERR_REQUEST_HOST, "a b", "/", NULL, NULL, NULL, 0, NULL},
        {EMBWS_ERR_REQUEST_HOST, "a\r\nX: y", "/", NULL, NULL, NULL, 0, NULL},
        {EMBWS_ERR_REQUEST_TARGET, "a", NULL, NULL, NULL, NULL, 0, NULL},
        {EMBWS_ERR_REQUEST_TARGET, "a", "no-slash", NULL, NULL, NULL, 0, NULL},
        {EMBWS_ERR_REQUEST_TARGET, "a", "/x#fragment", NULL, NULL, NULL, 0, NULL},
        {EMBWS_ERR_REQUEST_TARGET, "a", "/ x", NULL, NULL, NULL, 0, NULL},
        {EMBWS_ERR_REQUEST_ORIGIN, "a", "/", "a\nb", NULL, NULL, 0, NULL},
        {EMBWS_ERR_REQUEST_EXTENSIONS, "a", "/", NULL, "a b", NULL, 0, NULL},
        {EMBWS_ERR_REQUEST_SUBPROTOCOLS, "a", "/", NULL, NULL, twice, 2, NULL},
        {EMBWS_ERR_REQUEST_SUBPROTOCOLS, "a", "/", NULL, NULL, &space, 1, NULL},
        {EMBWS_ERR_FIELD, "a", "/", NULL, NULL, NULL, 0, &own},
        {EMBWS_ERR_FIELD, "a", "/", NULL, NULL, NULL, 0, &split},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        embws_request request;
        embws_session *session = NULL;
        embws_client_handshake *client = NULL;
        snprintf(check_subject, sizeof check_subject, "row %u", (unsigned)i);
        EMBWS_INIT(&request);
        request.host = embws_span_of(rows[i].host);
        request.target = embws_span_of(rows[i].target);
        request.origin = embws_span_of(rows[i].origin);
        request.extensions = embws_span_of(rows[i].extensions);
        request.subprotocols = rows[i].subprotocols, request.subprotocol_count = rows[i].subprotocol_count;
        request.fields = rows[i].field, request.field_count = rows[i].field != NULL;
        EXPECT(rows[i].status, embws_client_handshake_new(&client, &request, NULL, NULL));
        EXPECT(rows[i].status, embws_session_connect(&session, &request, NULL, NULL));
        CHECK((client == NULL) == (rows[i].status != EMBWS_OK) && (session == NULL) == (client == NULL));
        EXPECT(EMBWS_OK, embws_client_handshake_free(client));
        EXPECT(EMBWS_OK, embws_session_free(session));
    }
    check_subject[0] = 0;

    /* No nonce, no handshake (rule 95). */
    embws_request request;
    embws_options options;
    embws_client_handshake *client = NULL;
    int32_t fails = 1;
    EMBWS_INIT(&request);
    EMBWS_INIT(&options);
    request.host = embws_span_of("a"), request.target = embws_span_of("/");
    options.random = no_random, options.context = &fails;
    EXPECT(EMBWS_ERR_RANDOM, embws_client_handshake_new(&client, &request, &options, NULL));
    CHECK(client == NULL);
}

static void client_states(void) {
    embws_client_handshake *client = NULL;
    embws_request request;
    embws_head head;
    embws_failure failure;
    uint8_t memory[1024];
    size_t written = 777, eaten = 777, length = 0;
    char host[] = "example.com", text[512];
    EMBWS_INIT(&request);
    EMBWS_INIT(&head);
    EMBWS_INIT(&failure);
    request.host = embws_span_of(host), request.target = embws_span_of("/");
    EXPECT(EMBWS_OK, embws_client_handshake_new(&client, &request, NULL, NULL));
    memset(host, 'x', sizeof host - 1); /* it was copied */
    EXPECT(EMBWS_ERR_STATE, embws_client_handshake_head(client, &head, memory, sizeof memory, &written));
    EQUAL(written, 777);
    EXPECT(EMBWS_MORE, embws_client_handshake_request(client, NULL, 0, &written));
    EQUAL(written, 0);
    for (int i = 0; i < 500; i++) {
        guard g = guard_make(1);
        int32_t status = embws_client_handshake_request(client, g.bytes, 1, &written);
        CHECK(written <= 1 && (status == EMBWS_MORE || status == EMBWS_OK));
        if (written == 1) text[length++] = (char)g.bytes[0];
        guard_free(&g);
        if (status == EMBWS_OK) break;
    }
    text[length] = 0;
    CHECK(strncmp(text, "GET / HTTP/1.1\r\n", 16) == 0 && strstr(text, "Host: example.com\r\n") != NULL);
    CHECK(strcmp(text + length - 4, "\r\n\r\n") == 0);
    EXPECT(EMBWS_OK, embws_client_handshake_request(client, dst, sizeof dst, &written));
    EQUAL(written, 0);
    EXPECT(EMBWS_OK, embws_client_handshake_receive(client, "HTTP/1.1 403 No\r\n", 17, &eaten));
    EQUAL(eaten, 17);
    EXPECT(EMBWS_ERR_STATUS, embws_client_handshake_receive(client, "\r\nbody", 6, &eaten));
    EQUAL(eaten, 2);
    EXPECT(EMBWS_ERR_STATUS, embws_client_handshake_receive(client, "body", 4, &eaten));
    EQUAL(eaten, 0);
    EXPECT(EMBWS_OK, embws_client_handshake_head(client, &head, memory, sizeof memory, NULL));
    CHECK(head.status == 403 && head.target.data == NULL);
    EXPECT(EMBWS_OK, embws_client_handshake_failure(client, &failure));
    CHECK(failure.status == EMBWS_ERR_STATUS && failure.rule == 29);
    EXPECT(EMBWS_OK, embws_client_handshake_free(client));
}

int main(void) {
    alarm(100);
    server_states();
    plain_requests();
    broken_request();
    options_that_cannot_be_met();
    requests_that_cannot_be_sent();
    client_states();
    return check_result("handshake_states");
}
