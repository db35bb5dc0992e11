/*
 * misuse.c: every function of embws.h with every argument that is wrong. Each must be refused by its own status, the
 * detail must name the function and the argument, and nothing that an argument points to may change. All memory ends at
 * a page that nobody may touch.
 *
 *     misuse path/to/exports.txt       the list of exports, so that no new function is forgotten
 */
#define _DEFAULT_SOURCE

#include "check.h"

#include "bends.h"
#include "functions.h"

enum { MOST_GUARDS = 16 };

/* The memory of one call. */
static guard guards[MOST_GUARDS];
static uint8_t *before[MOST_GUARDS]; /* copies */
static size_t guard_count;

static uint8_t *memory(size_t size, int fill) {
    guard g = guard_make(size);
    memset(g.bytes, fill, size);
    guards[guard_count++] = g;
    return g.bytes;
}

static void snapshot(void) {
    for (size_t i = 0; i < guard_count; i++) memcpy(before[i], guards[i].bytes, guards[i].size);
}

static void expect_untouched(void) {
    for (size_t i = 0; i < guard_count; i++) {
        CHECK(memcmp(before[i], guards[i].bytes, guards[i].size) == 0);
        CHECK(guard_intact(&guards[i]));
    }
}

static void *make_handle(shape type) {
    embws_request request;
    embws_codec *codec = NULL;
    embws_session *session = NULL;
    embws_server_handshake *server = NULL;
    embws_client_handshake *client = NULL;
    switch (type) {
        case CODEC: EXPECT(EMBWS_OK, embws_codec_new(&codec, EMBWS_SERVER, NULL)); return codec;
        case SESSION: EXPECT(EMBWS_OK, embws_session_open(&session, EMBWS_SERVER, NULL)); return session;
        case SERVER_HANDSHAKE: EXPECT(EMBWS_OK, embws_server_handshake_new(&server, NULL)); return server;
        default: break;
    }
    EMBWS_INIT(&request);
    request.host = embws_span_of("example.com");
    request.target = embws_span_of("/");
    EXPECT(EMBWS_OK, embws_client_handshake_new(&client, &request, NULL, NULL));
    return client;
}

static embws_io *make_io(void) {
    embws_io *io = (void *)memory(sizeof *io, 0xC7);
    EMBWS_INIT(io);
    io->in = memory(64, 0), io->in_length = 64;
    io->events = (void *)memory(4 * sizeof *io->events, 0xC7), io->capacity = 4;
    io->out = memory(64, 0xC7), io->out_capacity = 64;
    io->room = memory(64, 0xC7), io->room_length = 64;
    io->eaten = io->out_length = io->taken = 0x77; /* none of them may change */
    io->state = io->more = io->control_length = 0x77;
    return io;
}

/* Right values for all arguments. */
static void prepare(const function *f, value *a) {
    guard_count = 0;
    memset(a, 0, VALUES * sizeof *a);
    for (int i = 0; i < MOST_ARGUMENTS && f->arguments[i].kind != NONE; i++) {
        const argument *arg = &f->arguments[i];
        switch (arg->kind) {
            case HANDLE: a[i].p = make_handle(arg->shape); break;
            case OUT:
            case MAYBE: a[i].p = memory(arg->size, arg->size == sizeof(uint32_t) ? 0 : 0xC7); break; /* *next is 0 */
            case KEY: a[i].p = memory(arg->size, 0x11); break;
            case SHORT:
            case BYTES: a[i].p = memory(arg->size, 'b'), a[i + 1].n = arg->size; break;
            case FRAMES: {
                embws_frame *frames = (void *)memory(2 * sizeof *frames, 0);
                for (int k = 0; k < 2; k++) {
                    frames[k].payload = "payload";
                    frames[k].length = 7;
                    frames[k].opcode = EMBWS_TEXT;
                    frames[k].fin = 1;
                }
                a[i].p = frames, a[i + 1].n = 2;
                break;
            }
            case STRUCT:
            case OPTION: {
                uint32_t size = (uint32_t)arg->size;
                a[i].p = memory(arg->size, 0);
                memcpy(a[i].p, &size, sizeof size);
                if (arg->shape == REQUEST) {
                    ((embws_request *)a[i].p)->host = embws_span_of("example.com");
                    ((embws_request *)a[i].p)->target = embws_span_of("/");
                }
                if (arg->shape == RESPONSE) ((embws_response *)a[i].p)->status = 403;
                if (arg->shape == BATCH) {
                    embws_batch *batch = a[i].p;
                    batch->io = make_io();
                    batch->in = memory(64, 0xC7), batch->in_capacity = 64; /* as `data` is, which is copied there */
                    batch->io->in = batch->in, batch->io->in_length = 1;
                    batch->list = memory(64, 0xC7), batch->list_capacity = 64;
                }
                break;
            }
            case IO: a[i].p = make_io(); break;
            case ROLE: a[i].n = EMBWS_SERVER; break;
            case OPCODE: a[i].n = EMBWS_TEXT; break;
            case FIN: a[i].n = 1; break;
            case CODE: a[i].n = EMBWS_CLOSE_NORMAL; break;
            case NUMBER: a[i].n = 1; break;
            case LENGTH:
            case NONE: break;
        }
    }
    for (size_t i = 0; i < guard_count; i++) {
        before[i] = malloc(guards[i].size);
        CHECK(before[i] != NULL);
    }
    snapshot();
}

static void release(void) {
    for (size_t i = 0; i < guard_count; i++) {
        free(before[i]);
        guard_free(&guards[i]);
    }
    guard_count = 0;
}

/* One wrong call. */
static void refused(const function *f, const value *a, int32_t status, const char *named, const char *how) {
    snprintf(check_subject, sizeof check_subject, "%s with %s %s", f->name, named, how);
    snapshot();
    EXPECT(status, f->call(a));
    DETAIL(f->name, named);
    expect_untouched();
    check_subject[0] = 0;
}

/* The same with one argument replaced. */
static void refused_with(const function *f, const value *a, int i, value with, int32_t status, const char *named,
                         const char *how) {
    value b[VALUES];
    memcpy(b, a, sizeof b);
    b[i] = with;
    refused(f, b, status, named, how);
}

static const uint64_t huge[] = {SIZE_MAX, (uint64_t)PTRDIFF_MAX + 1, SIZE_MAX - 7, SIZE_MAX / 2 + 4096};

static void wrong_handles(const function *f, const value *a, int i) {
    const argument *arg = &f->arguments[i];
    int frees = strstr(f->name, "_free") != NULL;
    void *other = make_handle(arg->shape == CODEC ? SESSION : CODEC), *block = malloc(64);
    const uintptr_t near = (uintptr_t)a[i].p, top = UINTPTR_MAX;
    /* What is no address; what is near a handle; memory of malloc, of the stack, of the program; the ends of the
     * address space; and where Go's heap begins. */
    const uintptr_t low[] = {1, 7, 8, 4095, 4096}, close[] = {near + 1, near + 8, near - 8, near ^ 0x10};
    const uintptr_t memory_of[] = {(uintptr_t)block, (uintptr_t)&other, (uintptr_t)f};
    const uintptr_t high[] = {top, top - 7, top / 2 + 1, top - UINT32_MAX, (uintptr_t)1 << 32, (uintptr_t)0xC0 << 32};
    const struct {
        const uintptr_t *numbers;
        size_t count;
    } garbage[] = {{low, 5}, {close, 4}, {memory_of, 3}, {high, 6}};
    value v = {NULL, 0};
    if (!frees) refused_with(f, a, i, v, EMBWS_ERR_HANDLE, arg->name, "NULL");
    for (size_t k = 0; k < sizeof garbage / sizeof garbage[0]; k++) {
        for (size_t n = 0; n < garbage[k].count; n++) {
            v.p = (void *)garbage[k].numbers[n];
            refused_with(f, a, i, v, EMBWS_ERR_HANDLE, arg->name, "garbage");
        }
    }
    v.p = other;
    refused_with(f, a, i, v, EMBWS_ERR_HANDLE, arg->name, "of another type");
    v.p = make_handle(arg->shape);
    EXPECT(EMBWS_OK, free_handle(arg->shape, v.p));
    refused_with(f, a, i, v, EMBWS_ERR_HANDLE, arg->name, "freed");
    EXPECT(EMBWS_OK, free_handle(arg->shape == CODEC ? SESSION : CODEC, other));
    free(block);
}

/* A pointer and the length behind it, as arguments. */
static void wrong_bytes(const function *f, const value *a, int i) {
    const argument *arg = &f->arguments[i];
    size_t element = arg->kind == FRAMES ? sizeof(embws_frame) : 1;
    value v = {NULL, a[i].n};
    refused_with(f, a, i, v, EMBWS_ERR_NULL, arg->name, "NULL");
    for (size_t k = 0; k < sizeof huge / sizeof huge[0]; k++) {
        v.n = huge[k];
        refused_with(f, a, i + 1, v, EMBWS_ERR_LENGTH, f->arguments[i + 1].name, "huge");
    }
    v.n = (uint64_t)PTRDIFF_MAX / element + 1;
    refused_with(f, a, i + 1, v, EMBWS_ERR_LENGTH, f->arguments[i + 1].name, "just too large");
}

static void wrong_struct_size(const function *f, const value *a, uint32_t *struct_size, const char *name) {
    uint32_t right = *struct_size;
    const uint32_t wrong[] = {0, 4, right - 1, right + 1, right - 8, right + 8, 0x80000000u, UINT32_MAX};
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        *struct_size = wrong[k];
        refused(f, a, EMBWS_ERR_STRUCT_SIZE, name, "of a wrong struct_size");
    }
    *struct_size = right;
}

static void wrong_members(const function *f, const value *a, int i) {
    const argument *arg = &f->arguments[i];
    uint8_t right[256];
    CHECK(arg->size <= sizeof right);
    memcpy(right, a[i].p, arg->size);
    for (size_t k = 0; k < sizeof bends / sizeof bends[0]; k++) {
        const struct bend *b = &bends[k];
        if (b->shape != arg->shape) continue;
        uint8_t *s = a[i].p;
        if (b->pointer_at != 0) memcpy(s + b->pointer_at, &b->pointer, sizeof b->pointer);
        memcpy(s + b->at, &b->number, sizeof b->number);
        refused(f, a, b->status, arg->name, b->named);
        CHECK(strstr(embws_error_detail(), b->named) != NULL);
        memcpy(s, right, arg->size);
    }
}

static void wrong_frames(const function *f, const value *a, int i) {
    for (int at = 0; at < 2; at++) { /* also the last one */
        embws_frame *frame = (embws_frame *)a[i].p + at, right = *frame;
        frame->opcode = 16;
        refused(f, a, EMBWS_ERR_VALUE, "opcode", "unknown");
        *frame = right;
        frame->fin = 2;
        refused(f, a, EMBWS_ERR_VALUE, "fin", "unknown");
        *frame = right;
        frame->payload = NULL;
        refused(f, a, EMBWS_ERR_NULL, "payload", "NULL");
        *frame = right;
        frame->length = SIZE_MAX;
        refused(f, a, EMBWS_ERR_LENGTH, "length", "huge");
        *frame = right;
    }
}

/* The pointers and lengths in an embws_io. */
static void wrong_io(const function *f, const value *a, int i) {
    embws_io *io = a[i].p, right = *io;
    wrong_struct_size(f, a, &io->struct_size, "io");
    struct {
        const char *name, *length_name;
        void **pointer;
        size_t *length;
    } buffers[] = {{"io->in", "in_length", &io->in, &io->in_length},
                   {"io->out", "out_capacity", &io->out, &io->out_capacity},
                   {"io->room", "room_length", &io->room, &io->room_length}};
    for (int usual = 0; usual < 2; usual++) { /* without room, which no one uses yet, checks may take another way */
        if (usual) io->room_length = 0, io->room = NULL;
        embws_io now = *io;
        for (int k = 0; k < 3 - usual; k++) {
            *buffers[k].pointer = NULL;
            refused(f, a, EMBWS_ERR_NULL, buffers[k].name, "NULL");
            *io = now;
            for (size_t h = 0; h < sizeof huge / sizeof huge[0]; h++) {
                *buffers[k].length = (size_t)huge[h];
                refused(f, a, EMBWS_ERR_LENGTH, buffers[k].length_name, "huge");
                *io = now;
            }
        }
        io->events = NULL;
        refused(f, a, EMBWS_ERR_NULL, "io->events", "NULL");
        *io = now;
    }
    *io = right;
    if (strcmp(f->name, "embws_codec_reply") == 0) {
        io->found = io->capacity + 1;
        refused(f, a, EMBWS_ERR_VALUE, "io->found", "too large");
        *io = right;
        *(uint32_t *)a[2].p = 1;
        refused(f, a, EMBWS_ERR_VALUE, "next", "behind the events");
        *(uint32_t *)a[2].p = 0;
    }
}

static void wrong_numbers(const function *f, const value *a, int i) {
    static const uint64_t roles[] = {0, 3, UINT32_MAX}, opcodes[] = {16, UINT32_MAX}, fins[] = {2, UINT32_MAX},
                          codes[] = {65536, UINT32_MAX};
    const argument *arg = &f->arguments[i];
    const uint64_t *list = arg->kind == ROLE ? roles : arg->kind == OPCODE ? opcodes : arg->kind == FIN ? fins : codes;
    for (int k = 0; k < (arg->kind == ROLE ? 3 : 2); k++) {
        value v = {NULL, list[k]};
        refused_with(f, a, i, v, EMBWS_ERR_VALUE, arg->name, "unknown");
    }
}

/* A pointer with the length 0 may be anything: the call may fail for want of room, but not for that. */
static void empty(const function *f, const value *a) {
    static void *const pointers[] = {NULL, (void *)1, (void *)UINTPTR_MAX};
    for (int k = 0; k < 3; k++) {
        value b[VALUES];
        memcpy(b, a, sizeof b);
        for (int i = 0; i < MOST_ARGUMENTS; i++) {
            kind what = f->arguments[i].kind;
            if ((what == BYTES || what == SHORT || what == FRAMES) && i + 1 < VALUES)
                b[i].p = pointers[k], b[i + 1].n = 0;
            if (what == OPTION || what == MAYBE) b[i].p = NULL;
            if (what == IO) {
                embws_io *io = b[i].p;
                io->in = io->out = io->room = io->events = (void *)pointers[k];
                io->in_length = io->out_capacity = io->room_length = io->capacity = 0;
                io->found = 0;
            }
        }
        snprintf(check_subject, sizeof check_subject, "%s with empty buffers", f->name);
        int32_t status = f->call(b);
        if (status <= -1 && status >= -19) EXPECT(EMBWS_OK, status);
        for (size_t g = 0; g < guard_count; g++) CHECK(guard_intact(&guards[g]));
        check_subject[0] = 0;
    }
}

static void misuse(const function *f) {
    value a[VALUES];
    prepare(f, a);
    for (int i = 0; i < MOST_ARGUMENTS; i++) {
        const argument *arg = &f->arguments[i];
        value null = {NULL, 0};
        switch (arg->kind) {
            case HANDLE: wrong_handles(f, a, i); break;
            case OUT:
            case KEY: refused_with(f, a, i, null, EMBWS_ERR_NULL, arg->name, "NULL"); break;
            case STRUCT: refused_with(f, a, i, null, EMBWS_ERR_NULL, arg->name, "NULL"); /* fall through */
            case OPTION: wrong_struct_size(f, a, a[i].p, arg->name); break;
            case IO: refused_with(f, a, i, null, EMBWS_ERR_NULL, arg->name, "NULL"), wrong_io(f, a, i); break;
            case BYTES: wrong_bytes(f, a, i); break;
            case SHORT: refused_with(f, a, i, (value){NULL, 0}, EMBWS_ERR_NULL, arg->name, "NULL"); break;
            case FRAMES: wrong_bytes(f, a, i), wrong_frames(f, a, i); break;
            case ROLE:
            case OPCODE:
            case FIN:
            case CODE: wrong_numbers(f, a, i); break;
            default: break;
        }
        if (arg->kind == STRUCT || arg->kind == OPTION) wrong_members(f, a, i);
    }

    /* The arguments were right but for what was bent: the call works, or fails for want of something else. */
    snprintf(check_subject, sizeof check_subject, "%s as it should be called", f->name);
    int32_t status = f->call(a);
    if (status <= -1 && status >= -19) EXPECT(EMBWS_OK, status);
    for (size_t g = 0; g < guard_count; g++) CHECK(guard_intact(&guards[g]));
    check_subject[0] = 0;
    if (strstr(f->name, "_free") != NULL) {
        EXPECT(EMBWS_OK, status);
        EXPECT(EMBWS_ERR_HANDLE, f->call(a)); /* freed twice */
        DETAIL(f->name, f->arguments[0].name);
        a[0].p = NULL;
        EXPECT(EMBWS_OK, f->call(a));
    } else {
        if (f->arguments[0].kind == OUT) { /* a new handle */
            shape type = handle_type(f->name);
            EXPECT(EMBWS_OK, status);
            EXPECT(EMBWS_OK, free_handle(type, *(void **)a[0].p));
        } else {
            empty(f, a);
        }
        if (f->arguments[0].kind == HANDLE) EXPECT(EMBWS_OK, free_handle(f->arguments[0].shape, a[0].p));
    }
    release();
}

/* Every function that the library exports is in a table. */
static void nothing_forgotten(const char *path) {
    FILE *file = fopen(path, "r");
    char line[256];
    size_t lines = 0;
    if (file == NULL) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\r\n")] = 0;
        if (line[0] == 0 || line[0] == '#') continue;
        int known = 0;
        for (size_t i = 0; i < FUNCTIONS; i++) known |= strcmp(line, functions[i].name) == 0;
        for (size_t i = 0; i < sizeof harmless_functions / sizeof harmless_functions[0]; i++) {
            known |= strcmp(line, harmless_functions[i]) == 0;
        }
        snprintf(check_subject, sizeof check_subject, "%.200s", line);
        CHECK(known);
        lines++;
    }
    fclose(file);
    check_subject[0] = 0;
    EQUAL(lines, FUNCTIONS + sizeof harmless_functions / sizeof harmless_functions[0]);
}

int main(int argc, char **argv) {
    alarm(100);
    CHECK(argc == 2 && sizeof(size_t) == 8);
    if (check_failures > 0) return 1;
    CHECK(strcmp(embws_error_detail(), "") == 0);
    for (size_t i = 0; i < FUNCTIONS; i++) misuse(&functions[i]);
    nothing_forgotten(argv[1]);
    return check_result("misuse");
}
