/* What an interpreter calls instead of embws_session_receive and embws_session_send: the usual result comes as one
 * value. */
#include "shim.h"

#include "_cgo_export.h"

enum { HEADER = 5 }; /* of a value in Python's marshal format: its type, and its length in four bytes, low byte first */

static uint8_t *put_header(uint8_t *p, uint8_t type, uint32_t length) {
    p[0] = type;
    p[1] = (uint8_t)length;
    p[2] = (uint8_t)(length >> 8);
    p[3] = (uint8_t)(length >> 16);
    p[4] = (uint8_t)(length >> 24);
    return p + HEADER;
}

/* 1 if a call has found whole messages that lie in its input, and there is nothing else to be told of it. */
static int nothing_else(const embws_io *io, uint32_t length) {
    return io->found > 0 && io->eaten == length && io->out_length == 0 && io->more == 0 &&
           io->state == EMBWS_STATE_OPEN && io->control_length == 0;
}

/* Writes the messages as a list; 0 if something is no whole message, or there is no room for it. */
static int write_list(const embws_io *io, const embws_batch *batch) {
    uint8_t *p = batch->list;
    size_t left = batch->list_capacity;
    uint32_t longest = batch->longest > 0 ? batch->longest : UINT32_MAX;
    if (left < HEADER) return 0;
    p = put_header(p, '[', io->found);
    left -= HEADER;
    for (uint32_t i = 0; i < io->found; i++) {
        const embws_event *event = &io->events[i];
        if ((event->flags & EMBWS_WHOLE_MESSAGE) != EMBWS_WHOLE_MESSAGE || event->kind > EMBWS_BINARY) return 0;
        if (event->length > longest || left < HEADER + (size_t)event->length) return 0;
        left -= HEADER + (size_t)event->length;
        p = put_header(p, event->kind == EMBWS_TEXT ? 'u' : 's', event->length);
        memcpy(p, (const uint8_t *)io->in + event->start, event->length);
        p += event->length;
    }
    return 1;
}

int32_t embws_session_receive_batch(embws_session *session, const embws_batch *batch, const void *data,
                                    uint32_t length) {
    ENTER_OFTEN_WITH(session);
    STRUCT(batch);
    embws_io *io = batch->io;
    REFUSE(io == NULL, EMBWS_ERR_NULL, "batch->io is NULL");
    IO(io);
    BYTES(batch->in, batch->in_capacity);
    BYTES(batch->list, batch->list_capacity);
    REFUSE(length > batch->in_capacity, EMBWS_ERR_LENGTH, "length is more than batch->in_capacity");
    if (data != NULL && length > 0) memcpy(batch->in, data, length);
    io->in = batch->in;
    io->in_length = length;
    int32_t status = goSessionReceive((uintptr_t)session, io);
    if (status == EMBWS_OK && nothing_else(io, length) && write_list(io, batch)) return EMBWS_BATCH;
    REFUSE(status == EMBWS_ERR_NO_ROOM && io->capacity == 0, status, NO_EVENTS);
    LEAVE_WITH(session, status);
}

int32_t embws_session_send_frame(embws_session *session, embws_io *io, uint32_t first, const void *payload,
                                 uint32_t length) {
    ENTER_OFTEN_WITH(session);
    IO(io);
    REFUSE(first > 0xFF || (first & 0x70) != 0, EMBWS_ERR_VALUE,
           "first is no opcode, which is 0 to 15, with or without 0x80");
    BYTES(payload, length);
    int32_t status = goSessionSend((uintptr_t)session, io, first & 15, first >> 7,
                                   length == 0 ? NULL : (void *)(uintptr_t)payload, length);
    if (status == EMBWS_OK && io->more == 0 && io->state == EMBWS_STATE_OPEN) return EMBWS_WRITTEN;
    LEAVE_WITH(session, status);
}
