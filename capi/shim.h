/* What the C files of libembws share: the checks that every public function makes before it enters Go. */
#ifndef EMBWS_SHIM_H
#define EMBWS_SHIM_H

#include "embws.h"

/* 1 in the child of a fork() before which the library was loaded: the Go runtime did not come along. */
extern int embws_forked;

/* Notes what was wrong for embws_error_detail, and returns status. function and text live for ever; with NULL for text
 * the detail is the status's message. */
int32_t embws_refuse(int32_t status, const char *function, const char *text);

/* The same for a member of a member: owner stands before text. */
int32_t embws_refuse_in(int32_t status, const char *function, const char *owner, const char *text);

/* Calls a caller's random source, for Go. */
int32_t embws_call_random(embws_random call, uintptr_t context, void *memory, size_t length);

/* Fills memory with random bytes of the system, and returns 0, or something else if it failed. */
int32_t embws_system_random(void *memory, size_t length);

#define REFUSE(condition, status, text)                             \
    do {                                                            \
        if (condition) return embws_refuse(status, __func__, text); \
    } while (0)

/* Refuses to enter Go where there is none. */
#define ENTER() REFUSE(embws_forked, EMBWS_ERR_FORKED, NULL)

/* Refuses what cannot be a handle: malloc gives no such addresses. Go tells the rest. */
#define NO_HANDLE(handle) #handle " is NULL, was freed, is of another type, or is no handle"
#define ENTER_WITH(handle) \
    ENTER();               \
    REFUSE((uintptr_t)(handle) < 4096 || (uintptr_t)(handle) % 8 != 0, EMBWS_ERR_HANDLE, NO_HANDLE(handle))

/* Called by functions that a thread calls many times a millisecond: see host.c. */
void embws_keep_pace(void);

/* The same for those. */
#define ENTER_OFTEN_WITH(handle) \
    ENTER_WITH(handle);          \
    embws_keep_pace()

/* Returns what Go has returned. */
#define LEAVE(status)                                                      \
    do {                                                                   \
        int32_t result = (status);                                         \
        return result < 0 ? embws_refuse(result, __func__, NULL) : result; \
    } while (0)
#define LEAVE_WITH(handle, status)                                                                             \
    do {                                                                                                       \
        int32_t result = (status);                                                                             \
        if (result < 0) embws_refuse(result, __func__, result == EMBWS_ERR_HANDLE ? NO_HANDLE(handle) : NULL); \
        return result;                                                                                         \
    } while (0)

#define NEED(pointer) REFUSE((pointer) == NULL, EMBWS_ERR_NULL, #pointer " is NULL")

/* A pointer with a length in bytes, or in elements of the type that it points to. */
#define BYTES(pointer, length)                                                                                    \
    do {                                                                                                          \
        REFUSE((length) > 0 && (pointer) == NULL, EMBWS_ERR_NULL, #pointer " is NULL, but " #length " is not 0"); \
        REFUSE((length) > (size_t)PTRDIFF_MAX, EMBWS_ERR_LENGTH,                                                  \
               #length " is more than PTRDIFF_MAX, which no object can have");                                    \
    } while (0)
#define LIST(pointer, length)                                                                                     \
    do {                                                                                                          \
        REFUSE((length) > 0 && (pointer) == NULL, EMBWS_ERR_NULL, #pointer " is NULL, but " #length " is not 0"); \
        REFUSE((length) > (size_t)PTRDIFF_MAX / sizeof *(pointer), EMBWS_ERR_LENGTH,                              \
               #length " is more than fits in memory");                                                           \
    } while (0)
#define SPAN(span)                                                                                               \
    do {                                                                                                         \
        REFUSE((span).length > 0 && (span).data == NULL, EMBWS_ERR_NULL,                                         \
               #span ".data is NULL, but its length is not 0");                                                  \
        REFUSE((span).length > (size_t)PTRDIFF_MAX, EMBWS_ERR_LENGTH, #span ".length is more than PTRDIFF_MAX"); \
    } while (0)

#define STRUCT(pointer)                                                        \
    NEED(pointer);                                                             \
    REFUSE((pointer)->struct_size != sizeof *(pointer), EMBWS_ERR_STRUCT_SIZE, \
           #pointer "->struct_size is not that of a version that this library knows: use EMBWS_INIT")
#define OPTIONAL_STRUCT(pointer) \
    if ((pointer) != NULL) {     \
        STRUCT(pointer);         \
    }

/* A call's input and output. What is usual passes with one look; else each member is looked at by itself. */
#define USUAL(io)                                                                                     \
    ((io) != NULL && (io)->struct_size == sizeof *(io) && (io)->in != NULL && (io)->events != NULL && \
     ((io)->out != NULL || (io)->out_capacity == 0) && (io)->room_length == 0 &&                      \
     ((io)->in_length | (io)->out_capacity) <= (size_t)PTRDIFF_MAX && sizeof(size_t) == 8)
#define IO(io)                                                         \
    do {                                                               \
        if (USUAL(io)) break;                                          \
        STRUCT(io);                                                    \
        BYTES(io->in, io->in_length);                                  \
        BYTES(io->room, io->room_length);                              \
        BYTES(io->out, io->out_capacity);                              \
        REFUSE(io->capacity > 0 && io->events == NULL, EMBWS_ERR_NULL, \
               "io->events is NULL, but io->capacity is not 0");       \
    } while (0)

#define NO_EVENTS "io->capacity is 0: lend io->events with room for one event at least"

#define ROLE(role)                                                            \
    REFUSE((role) != EMBWS_SERVER && (role) != EMBWS_CLIENT, EMBWS_ERR_VALUE, \
           #role " is neither EMBWS_SERVER nor EMBWS_CLIENT")
#define FRAME_KIND(opcode, fin)                                                        \
    REFUSE((opcode) > 15, EMBWS_ERR_VALUE, #opcode " is no opcode, which is 0 to 15"); \
    REFUSE((fin) > 1, EMBWS_ERR_VALUE, #fin " is neither 0 nor 1")
#define OPTIONS(options)      \
    OPTIONAL_STRUCT(options); \
    REFUSE((options) != NULL && ((options)->flags & ~15u) != 0, EMBWS_ERR_VALUE, #options "->flags has an unknown flag")

/* Checks of the structs of a handshake, as functions: they are long, and rare. */
int32_t embws_check_limits(const embws_handshake_options *limits, const char *function);
int32_t embws_check_fields(const embws_field *fields, size_t count, const char *function, const char *owner);
int32_t embws_check_acceptance(const embws_acceptance *acceptance, const char *function);
int32_t embws_check_response(const embws_response *response, const char *function);
int32_t embws_check_request(const embws_request *request, const char *function);

#define CHECKED(call)                    \
    do {                                 \
        int32_t bad = (call);            \
        if (bad != EMBWS_OK) return bad; \
    } while (0)

#endif
