/* The public functions of the session: checks, and then Go. */
#include "shim.h"

#include "_cgo_export.h"

int32_t embws_session_serve(embws_session **session, const embws_options *options,
                            const embws_handshake_options *limits) {
    ENTER();
    NEED(session);
    OPTIONS(options);
    CHECKED(embws_check_limits(limits, __func__));
    LEAVE(goSessionServe((uintptr_t *)session, (embws_options *)(uintptr_t)options,
                         (embws_handshake_options *)(uintptr_t)limits));
}

int32_t embws_session_connect(embws_session **session, const embws_request *request, const embws_options *options,
                              const embws_handshake_options *limits) {
    ENTER();
    NEED(session);
    CHECKED(embws_check_request(request, __func__));
    OPTIONS(options);
    CHECKED(embws_check_limits(limits, __func__));
    LEAVE(goSessionConnect((uintptr_t *)session, (embws_request *)(uintptr_t)request,
                           (embws_options *)(uintptr_t)options, (embws_handshake_options *)(uintptr_t)limits));
}

int32_t embws_session_open(embws_session **session, uint32_t role, const embws_options *options) {
    ENTER();
    NEED(session);
    ROLE(role);
    OPTIONS(options);
    LEAVE(goSessionOpen((uintptr_t *)session, role, (embws_options *)(uintptr_t)options));
}

int32_t embws_session_free(embws_session *session) {
    if (session == NULL) return EMBWS_OK;
    ENTER_WITH(session);
    LEAVE_WITH(session, goSessionFree((uintptr_t)session));
}

int32_t embws_session_receive(embws_session *session, embws_io *io) {
    ENTER_OFTEN_WITH(session);
    IO(io);
    int32_t status = goSessionReceive((uintptr_t)session, io);
    REFUSE(status == EMBWS_ERR_NO_ROOM && io->capacity == 0, status, NO_EVENTS);
    LEAVE_WITH(session, status);
}

int32_t embws_session_next(embws_session *session, embws_io *io, void *memory, size_t memory_length,
                           embws_message *message) {
    ENTER_OFTEN_WITH(session);
    IO(io);
    BYTES(memory, memory_length);
    NEED(message);
    LEAVE_WITH(session,
               goSessionNext((uintptr_t)session, io, memory_length == 0 ? NULL : memory, memory_length, message));
}

int32_t embws_session_accept(embws_session *session, embws_io *io, const embws_acceptance *acceptance) {
    ENTER_WITH(session);
    IO(io);
    CHECKED(embws_check_acceptance(acceptance, __func__));
    LEAVE_WITH(session, goSessionAccept((uintptr_t)session, io, (embws_acceptance *)(uintptr_t)acceptance));
}

int32_t embws_session_respond(embws_session *session, embws_io *io, const embws_response *response) {
    ENTER_WITH(session);
    IO(io);
    NEED(response);
    CHECKED(embws_check_response(response, __func__));
    LEAVE_WITH(session, goSessionRespond((uintptr_t)session, io, (embws_response *)(uintptr_t)response));
}

int32_t embws_session_head(embws_session *session, embws_head *head, void *memory, size_t capacity, size_t *needed) {
    ENTER_WITH(session);
    STRUCT(head);
    BYTES(memory, capacity);
    LEAVE_WITH(session, goSessionHead((uintptr_t)session, head, capacity == 0 ? NULL : memory, capacity, needed));
}

int32_t embws_session_send(embws_session *session, embws_io *io, uint32_t opcode, uint32_t fin, const void *payload,
                           size_t length) {
    ENTER_OFTEN_WITH(session);
    IO(io);
    FRAME_KIND(opcode, fin);
    BYTES(payload, length);
    LEAVE_WITH(session, goSessionSend((uintptr_t)session, io, opcode, fin,
                                      length == 0 ? NULL : (void *)(uintptr_t)payload, length));
}

int32_t embws_session_send_header(embws_session *session, embws_io *io, uint32_t opcode, uint32_t fin,
                                  uint64_t length) {
    ENTER_WITH(session);
    IO(io);
    FRAME_KIND(opcode, fin);
    LEAVE_WITH(session, goSessionSendHeader((uintptr_t)session, io, opcode, fin, length));
}

int32_t embws_session_sent(embws_session *session, embws_io *io, uint64_t length) {
    ENTER_WITH(session);
    IO(io);
    LEAVE_WITH(session, goSessionSent((uintptr_t)session, io, length));
}

int32_t embws_session_ping(embws_session *session, embws_io *io, const void *payload, size_t length) {
    ENTER_WITH(session);
    IO(io);
    BYTES(payload, length);
    LEAVE_WITH(session, goSessionControl((uintptr_t)session, io, EMBWS_PING,
                                         length == 0 ? NULL : (void *)(uintptr_t)payload, length));
}

int32_t embws_session_pong(embws_session *session, embws_io *io, const void *payload, size_t length) {
    ENTER_WITH(session);
    IO(io);
    BYTES(payload, length);
    LEAVE_WITH(session, goSessionControl((uintptr_t)session, io, EMBWS_PONG,
                                         length == 0 ? NULL : (void *)(uintptr_t)payload, length));
}

int32_t embws_session_close(embws_session *session, embws_io *io, uint32_t code, const void *reason,
                            size_t reason_length) {
    ENTER_WITH(session);
    IO(io);
    REFUSE(code > 0xFFFF, EMBWS_ERR_VALUE, "code is no close code, which is 0 to 65535");
    BYTES(reason, reason_length);
    LEAVE_WITH(session, goSessionClose((uintptr_t)session, io, code,
                                       reason_length == 0 ? NULL : (void *)(uintptr_t)reason, reason_length));
}

int32_t embws_session_flush(embws_session *session, embws_io *io) {
    ENTER_WITH(session);
    IO(io);
    LEAVE_WITH(session, goSessionFlush((uintptr_t)session, io));
}

int32_t embws_session_end(embws_session *session) {
    ENTER_WITH(session);
    LEAVE_WITH(session, goSessionEnd((uintptr_t)session));
}

int32_t embws_session_failure(embws_session *session, embws_failure *failure) {
    ENTER_WITH(session);
    STRUCT(failure);
    LEAVE_WITH(session, goSessionFailure((uintptr_t)session, failure));
}

int32_t embws_session_peer_close(embws_session *session, uint16_t *code, void *reason, size_t capacity,
                                 size_t *length) {
    ENTER_WITH(session);
    NEED(code);
    BYTES(reason, capacity);
    NEED(length);
    LEAVE_WITH(session, goSessionPeerClose((uintptr_t)session, code, capacity == 0 ? NULL : reason, capacity, length));
}

int32_t embws_session_info(embws_session *session, embws_info *info) {
    ENTER_WITH(session);
    STRUCT(info);
    LEAVE_WITH(session, goSessionInfo((uintptr_t)session, info));
}
