/*
 * fork.c: a program that is linked with libembws, and forks (THE HOST in embws.h). In the child, every function that
 * would enter the Go runtime returns EMBWS_ERR_FORKED, and does not hang; those that need no Go work. The parent goes
 * on. fork with exec, and posix_spawn, give a child that works.
 *
 *     fork tests/package/exports.txt     # the functions that the library has, each of which must be tried here
 *     fork life                          # what the children that were exec'ed do: some round trips; exit code 42
 */
#define _POSIX_C_SOURCE 200809L

#include "process.h"

#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>

extern char **environ;

enum { CHILD_SECONDS = 10, LIFE_EXIT = 42, MOST_FUNCTIONS = 200, THREADS = 3, FORKS = 60 };

/* The functions that were tried, by name. */
static const char *tried[MOST_FUNCTIONS];
static size_t tried_count;

/* Notes a function by the text of a call of it, and returns the text. */
static void note(const char *call) {
    CHECK(tried_count < MOST_FUNCTIONS);
    tried[tried_count++] = call;
}

static int was_tried(const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < tried_count; i++) {
        if (strncmp(tried[i], name, length) == 0 && tried[i][length] == '(') return 1;
    }
    return 0;
}

/* A call that must be refused here, and say so. */
#define FORKED(call)                                                                            \
    do {                                                                                        \
        note(#call);                                                                            \
        EXPECT(EMBWS_ERR_FORKED, call);                                                         \
        CHECK(strncmp(embws_error_detail(), #call, (size_t)(strchr(#call, '(') - #call)) == 0); \
    } while (0)

/* A call that must work here. */
#define WORKS(condition, call) \
    do {                       \
        note(#call);           \
        CHECK(condition);      \
    } while (0)

/* What was made before the fork. */
static embws_codec *codec;
static embws_session *session, *request_session;
static embws_server_handshake *server_handshake;
static embws_client_handshake *client_handshake;

static embws_request request_to_send(void) {
    embws_request request;
    EMBWS_INIT(&request);
    request.host = embws_span_of("localhost");
    request.target = embws_span_of("/");
    return request;
}

static void make_all(void) {
    embws_request request = request_to_send();
    EXPECT(EMBWS_OK, embws_codec_new(&codec, EMBWS_CLIENT, NULL));
    EXPECT(EMBWS_OK, embws_session_open(&session, EMBWS_SERVER, NULL));
    EXPECT(EMBWS_OK, embws_session_serve(&request_session, NULL, NULL));
    EXPECT(EMBWS_OK, embws_server_handshake_new(&server_handshake, NULL));
    EXPECT(EMBWS_OK, embws_client_handshake_new(&client_handshake, &request, NULL, NULL));
}

static void free_all(void) {
    EXPECT(EMBWS_OK, embws_codec_free(codec));
    EXPECT(EMBWS_OK, embws_session_free(session));
    EXPECT(EMBWS_OK, embws_session_free(request_session));
    EXPECT(EMBWS_OK, embws_server_handshake_free(server_handshake));
    EXPECT(EMBWS_OK, embws_client_handshake_free(client_handshake));
}

/* Arguments that would be right, and that no call may change. */
static struct arguments {
    embws_io io;
    embws_event event;
    embws_failure failure;
    embws_info info;
    embws_head head;
    embws_message message;
    embws_response response;
    embws_frame frame;
    embws_batch batch;
    uint8_t in[8], out[512];
    size_t size, count;
    uint16_t code;
    uint32_t next;
} a, before;

static void fill_arguments(void) {
    memset(&a, 0x55, sizeof a);
    EMBWS_INIT(&a.io);
    a.io.events = &a.event, a.io.capacity = 1;
    a.io.in = a.in, a.io.in_length = sizeof a.in;
    a.io.out = a.out, a.io.out_capacity = sizeof a.out;
    EMBWS_INIT(&a.failure);
    EMBWS_INIT(&a.info);
    EMBWS_INIT(&a.head);
    EMBWS_INIT(&a.response);
    a.response.status = 404;
    a.frame = (embws_frame){a.in, sizeof a.in, EMBWS_BINARY, 1};
    EMBWS_INIT(&a.batch);
    a.batch.io = &a.io;
    a.batch.in = a.in, a.batch.in_capacity = sizeof a.in;
    a.next = 0;
    memcpy(&before, &a, sizeof a);
}

static void codec_is_refused(void) {
    embws_codec *made = NULL;
    FORKED(embws_codec_new(&made, EMBWS_SERVER, NULL));
    CHECK(made == NULL);
    FORKED(embws_codec_reset(codec, EMBWS_SERVER, NULL));
    FORKED(embws_codec_decode(codec, &a.io));
    FORKED(embws_codec_encode(codec, EMBWS_TEXT, 1, a.in, sizeof a.in, a.out, sizeof a.out, &a.size));
    FORKED(embws_codec_encode_batch(codec, &a.frame, 1, a.out, sizeof a.out, &a.count, &a.size));
    FORKED(embws_codec_encode_header(codec, EMBWS_TEXT, 1, 5, a.out, sizeof a.out, &a.size));
    FORKED(embws_codec_encode_payload(codec, a.in, sizeof a.in, a.out, sizeof a.out, &a.size));
    FORKED(embws_codec_sent(codec, 1));
    FORKED(embws_codec_reply(codec, &a.io, &a.next, a.out, sizeof a.out, &a.size));
    FORKED(embws_codec_close(codec, EMBWS_CLOSE_NORMAL, NULL, 0, a.out, sizeof a.out, &a.size));
    FORKED(embws_codec_end(codec));
    FORKED(embws_codec_failure(codec, &a.failure));
    FORKED(embws_codec_peer_close(codec, &a.code, a.out, sizeof a.out, &a.size));
    FORKED(embws_codec_info(codec, &a.info));
    FORKED(embws_codec_free(codec));
}

static void session_is_refused(void) {
    embws_session *made = NULL;
    embws_request request = request_to_send();
    FORKED(embws_session_serve(&made, NULL, NULL));
    FORKED(embws_session_connect(&made, &request, NULL, NULL));
    FORKED(embws_session_open(&made, EMBWS_SERVER, NULL));
    CHECK(made == NULL);
    FORKED(embws_session_receive(session, &a.io));
    FORKED(embws_session_next(session, &a.io, a.out, sizeof a.out, &a.message));
    FORKED(embws_session_accept(request_session, &a.io, NULL));
    FORKED(embws_session_respond(request_session, &a.io, &a.response));
    FORKED(embws_session_head(request_session, &a.head, a.out, sizeof a.out, &a.size));
    FORKED(embws_session_send(session, &a.io, EMBWS_TEXT, 1, a.in, sizeof a.in));
    FORKED(embws_session_send_header(session, &a.io, EMBWS_TEXT, 1, 5));
    FORKED(embws_session_sent(session, &a.io, 1));
    FORKED(embws_session_ping(session, &a.io, NULL, 0));
    FORKED(embws_session_pong(session, &a.io, NULL, 0));
    FORKED(embws_session_close(session, &a.io, EMBWS_CLOSE_NORMAL, NULL, 0));
    FORKED(embws_session_flush(session, &a.io));
    FORKED(embws_session_end(session));
    FORKED(embws_session_failure(session, &a.failure));
    FORKED(embws_session_peer_close(session, &a.code, a.out, sizeof a.out, &a.size));
    FORKED(embws_session_info(session, &a.info));
    FORKED(embws_session_receive_batch(session, &a.batch, a.in, sizeof a.in));
    FORKED(embws_session_send_frame(session, &a.io, 0x81, a.in, sizeof a.in));
    FORKED(embws_session_free(session));
}

static void handshakes_are_refused(void) {
    embws_server_handshake *server = NULL;
    embws_client_handshake *client = NULL;
    embws_request request = request_to_send();
    FORKED(embws_server_handshake_new(&server, NULL));
    FORKED(embws_server_handshake_receive(server_handshake, a.in, sizeof a.in, &a.size));
    FORKED(embws_server_handshake_head(server_handshake, &a.head, a.out, sizeof a.out, &a.size));
    FORKED(embws_server_handshake_accept(server_handshake, NULL, a.out, sizeof a.out, &a.size));
    FORKED(embws_server_handshake_respond(server_handshake, &a.response, a.out, sizeof a.out, &a.size));
    FORKED(embws_server_handshake_restart(server_handshake));
    FORKED(embws_server_handshake_failure(server_handshake, &a.failure));
    FORKED(embws_server_handshake_free(server_handshake));
    FORKED(embws_client_handshake_new(&client, &request, NULL, NULL));
    FORKED(embws_client_handshake_request(client_handshake, a.out, sizeof a.out, &a.size));
    FORKED(embws_client_handshake_receive(client_handshake, a.in, sizeof a.in, &a.size));
    FORKED(embws_client_handshake_head(client_handshake, &a.head, a.out, sizeof a.out, &a.size));
    FORKED(embws_client_handshake_failure(client_handshake, &a.failure));
    FORKED(embws_client_handshake_free(client_handshake));
    CHECK(server == NULL && client == NULL);
}

/* What is plain C goes on. NULL has nothing to free, and needs no Go for that. */
static void helpers_work(void) {
    static const uint8_t key[4] = {1, 2, 3, 4};
    uint8_t bytes[8] = {0};
    char line[200];
    size_t length = 0;
    embws_io io;
    embws_event event;
    embws_failure failure;
    embws_field field = {embws_span_of("Cookie"), embws_span_of("a=b")};
    embws_head head;
#define TRUE(call, condition) WORKS((call)condition, call)
    TRUE(embws_version_number(), == EMBWS_VERSION_NUMBER);
    TRUE(embws_abi_version(), == EMBWS_ABI_VERSION);
    TRUE(embws_features(), < 4);
    TRUE(embws_header_size(EMBWS_CLIENT, 126), == 8);
    TRUE(embws_frame_size(EMBWS_SERVER, 5), == 7);
    TRUE(embws_close_code_on_wire(1006), == 0);
    TRUE(embws_span_of("abc"), .length == 3);
    TRUE(embws_span_equals(embws_span_of("abc"), "abc"), == 1);
    TRUE(embws_mask(bytes, sizeof bytes, key, 1), == EMBWS_OK && bytes[0] == 2);
    WORKS(strcmp(embws_version_string(), EMBWS_VERSION_STRING) == 0, embws_version_string());
    WORKS(strcmp(embws_status_name(-7), "EMBWS_ERR_FORKED") == 0, embws_status_name(-7));
    WORKS(strstr(embws_status_message(EMBWS_ERR_FORKED), "fork") != NULL, embws_status_message(-7));
    EMBWS_INIT(&head);
    head.fields = &field, head.field_count = 1;
    TRUE(embws_head_field(&head, "cookie"), .length == 3);
    EMBWS_INIT(&io);
    memset(&event, 0, sizeof event);
    io.in = bytes, io.in_length = sizeof bytes;
    event.start = 2, event.length = 3;
    TRUE(embws_event_payload(&io, &event), == bytes + 2);
    EMBWS_INIT(&failure);
    failure.status = EMBWS_ERR_UNMASKED;
    TRUE(embws_failure_describe(&failure, line, sizeof line, &length), == EMBWS_OK && length == strlen(line));
    EXPECT(EMBWS_ERR_STRUCT_SIZE, embws_failure_describe((failure.struct_size = 1, &failure), line, 1, NULL));
    WORKS(strncmp(embws_error_detail(), "embws_failure_describe: ", 24) == 0, embws_error_detail());
    EXPECT(EMBWS_OK, embws_codec_free(NULL));
    EXPECT(EMBWS_OK, embws_session_free(NULL));
    EXPECT(EMBWS_OK, embws_server_handshake_free(NULL));
    EXPECT(EMBWS_OK, embws_client_handshake_free(NULL));
}

/* Fails if the library has a function that was not tried. */
static void nothing_is_left_out(const char *exports) {
    char name[100];
    size_t functions = 0;
    FILE *f = fopen(exports, "r");
    CHECK(f != NULL);
    while (fgets(name, sizeof name, f) != NULL) {
        name[strcspn(name, "\r\n")] = 0;
        if (name[0] == '#' || name[0] == 0) continue;
        functions++;
        if (!was_tried(name)) process_fail(__FILE__, __LINE__, "not tried in the child:", name);
    }
    fclose(f);
    CHECK(functions >= 60);
    printf("%zu functions tried in a forked child\n", functions);
}

static void all_functions(const char *exports) {
    pid_t child = process_fork(CHILD_SECONDS);
    if (child == 0) {
        fill_arguments();
        codec_is_refused();
        session_is_refused();
        handshakes_are_refused();
        CHECK(memcmp(&a, &before, sizeof a) == 0);
        helpers_work();
        nothing_is_left_out(exports);
        pid_t grandchild = process_fork(CHILD_SECONDS);
        if (grandchild == 0) {
            EXPECT(EMBWS_ERR_FORKED, embws_codec_end(codec));
            _exit(0);
        }
        process_expect_exit(grandchild, 0, "a child's child");
        exit(0); /* and not _exit: what runs at the end of a process must not hang either */
    }
    process_expect_exit(child, 0, "a child that calls all functions");
    codec_life(100);
}

/* Forks while other threads are inside of Go. */
static void *lives_until_stopped(void *stop) {
    while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED)) codec_life(20);
    return NULL;
}

static void amid_calls(void) {
    pthread_t threads[THREADS];
    int stop = 0;
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, lives_until_stopped, &stop) == 0);
    for (int i = 0; i < FORKS; i++) {
        embws_codec *made;
        pid_t child = process_fork(CHILD_SECONDS);
        if (child == 0) {
            EXPECT(EMBWS_ERR_FORKED, embws_codec_new(&made, EMBWS_SERVER, NULL));
            EXPECT(EMBWS_ERR_FORKED, embws_codec_end(codec));
            EXPECT(EMBWS_ERR_FORKED, embws_codec_free(codec));
            _exit(0);
        }
        process_expect_exit(child, 0, "a child forked amid calls");
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    codec_life(100);
}

static void exec_and_spawn(char *program) {
    char life[] = "life", *arguments[] = {program, life, NULL};
    pid_t child = process_fork(CHILD_SECONDS);
    if (child == 0) {
        execv(program, arguments);
        _exit(1);
    }
    process_expect_exit(child, LIFE_EXIT, "fork and exec");
    CHECK(posix_spawn(&child, program, NULL, NULL, arguments, environ) == 0);
    process_expect_exit(child, LIFE_EXIT, "posix_spawn");
}

int main(int argc, char **argv) {
    alarm(60);
    USE_LINKED_LIBRARY();
    CHECK(argc == 2);
    if (strcmp(argv[1], "life") == 0) {
        codec_life(100);
        return LIFE_EXIT;
    }
    make_all();
    all_functions(argv[1]);
    amid_calls();
    exec_and_spawn(argv[0]);
    codec_life(100);
    free_all();
    printf("%d forks amid calls on %d threads, an exec and a spawn: all as it should be\n", FORKS, THREADS);
    return 0;
}
