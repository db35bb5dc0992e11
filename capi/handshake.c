/* The public functions of the two handshakes: checks, and then Go. */
#include "shim.h"

#include "_cgo_export.h"

/* In this file the checks are of functions that were given the name of the public one. */
#undef REFUSE
#define REFUSE(condition, status, text)                             \
    do {                                                            \
        if (condition) return embws_refuse(status, function, text); \
    } while (0)

int32_t embws_check_limits(const embws_handshake_options *limits, const char *function) {
    if (limits == NULL) return EMBWS_OK;
    STRUCT(limits);
    REFUSE((limits->flags & ~EMBWS_KEEP_ALL) != 0, EMBWS_ERR_VALUE, "limits->flags has an unknown flag");
    REFUSE(limits->store > ((size_t)16 << 20), EMBWS_ERR_LENGTH, "limits->store is more than 16 MiB");
    LIST(limits->keep, limits->keep_count);
    REFUSE(limits->keep_count > 1024, EMBWS_ERR_LENGTH,
           "limits->keep_count is more than 1,024: take EMBWS_KEEP_ALL for so many");
    for (size_t i = 0; i < limits->keep_count; i++) SPAN(limits->keep[i]);
    return EMBWS_OK;
}

#undef REFUSE
#define REFUSE(condition, status, text)                                       \
    do {                                                                      \
        if (condition) return embws_refuse_in(status, function, owner, text); \
    } while (0)

int32_t embws_check_fields(const embws_field *fields, size_t field_count, const char *function, const char *owner) {
    LIST(fields, field_count);
    for (size_t i = 0; i < field_count; i++) {
        SPAN(fields[i].name);
        SPAN(fields[i].value);
    }
    return EMBWS_OK;
}

#undef REFUSE
#define REFUSE(condition, status, text)                             \
    do {                                                            \
        if (condition) return embws_refuse(status, function, text); \
    } while (0)

int32_t embws_check_acceptance(const embws_acceptance *acceptance, const char *function) {
    if (acceptance == NULL) return EMBWS_OK;
    STRUCT(acceptance);
    SPAN(acceptance->subprotocol);
    SPAN(acceptance->extensions);
    return embws_check_fields(acceptance->fields, acceptance->field_count, function, "acceptance->");
}

int32_t embws_check_response(const embws_response *response, const char *function) {
    if (response == NULL) return EMBWS_OK;
    STRUCT(response);
    BYTES(response->body, response->body_length);
    REFUSE(response->close > 1, EMBWS_ERR_VALUE, "response->close is neither 0 nor 1");
    return embws_check_fields(response->fields, response->field_count, function, "response->");
}

int32_t embws_check_request(const embws_request *request, const char *function) {
    STRUCT(request);
    SPAN(request->host);
    SPAN(request->target);
    SPAN(request->origin);
    SPAN(request->extensions);
    LIST(request->subprotocols, request->subprotocol_count);
    for (size_t i = 0; i < request->subprotocol_count; i++) SPAN(request->subprotocols[i]);
    return embws_check_fields(request->fields, request->field_count, function, "request->");
}

#undef REFUSE
#define REFUSE(condition, status, text)                             \
    do {                                                            \
        if (condition) return embws_refuse(status, __func__, text); \
    } while (0)

int32_t embws_server_handshake_new(embws_server_handshake **handshake, const embws_handshake_options *limits) {
    ENTER();
    NEED(handshake);
    CHECKED(embws_check_limits(limits, __func__));
    LEAVE(goServerHandshakeNew((uintptr_t *)handshake, (embws_handshake_options *)(uintptr_t)limits));
}

int32_t embws_server_handshake_free(embws_server_handshake *handshake) {
    if (handshake == NULL) return EMBWS_OK;
    ENTER_WITH(handshake);
    LEAVE_WITH(handshake, goServerHandshakeFree((uintptr_t)handshake));
}

int32_t embws_server_handshake_receive(embws_server_handshake *handshake, const void *in, size_t length,
                                       size_t *eaten) {
    ENTER_WITH(handshake);
    BYTES(in, length);
    NEED(eaten);
    LEAVE_WITH(handshake, goServerHandshakeReceive((uintptr_t)handshake, length == 0 ? NULL : (void *)(uintptr_t)in,
                                                   length, eaten));
}

int32_t embws_server_handshake_head(embws_server_handshake *handshake, embws_head *head, void *memory, size_t capacity,
                                    size_t *needed) {
    ENTER_WITH(handshake);
    STRUCT(head);
    BYTES(memory, capacity);
    LEAVE_WITH(handshake,
               goServerHandshakeHead((uintptr_t)handshake, head, capacity == 0 ? NULL : memory, capacity, needed));
}

int32_t embws_server_handshake_accept(embws_server_handshake *handshake, const embws_acceptance *acceptance, void *dst,
                                      size_t capacity, size_t *written) {
    ENTER_WITH(handshake);
    CHECKED(embws_check_acceptance(acceptance, __func__));
    BYTES(dst, capacity);
    NEED(written);
    LEAVE_WITH(handshake, goServerHandshakeAccept((uintptr_t)handshake, (embws_acceptance *)(uintptr_t)acceptance,
                                                  capacity == 0 ? NULL : dst, capacity, written));
}

int32_t embws_server_handshake_respond(embws_server_handshake *handshake, const embws_response *response, void *dst,
                                       size_t capacity, size_t *written) {
    ENTER_WITH(handshake);
    CHECKED(embws_check_response(response, __func__));
    BYTES(dst, capacity);
    NEED(written);
    LEAVE_WITH(handshake, goServerHandshakeRespond((uintptr_t)handshake, (embws_response *)(uintptr_t)response,
                                                   capacity == 0 ? NULL : dst, capacity, written));
}

int32_t embws_server_handshake_restart(embws_server_handshake *handshake) {
    ENTER_WITH(handshake);
    LEAVE_WITH(handshake, goServerHandshakeRestart((uintptr_t)handshake));
}

int32_t embws_server_handshake_failure(embws_server_handshake *handshake, embws_failure *failure) {
    ENTER_WITH(handshake);
    STRUCT(failure);
    LEAVE_WITH(handshake, goServerHandshakeFailure((uintptr_t)handshake, failure));
}

int32_t embws_client_handshake_new(embws_client_handshake **handshake, const embws_request *request,
                                   const embws_options *options, const embws_handshake_options *limits) {
    ENTER();
    NEED(handshake);
    CHECKED(embws_check_request(request, __func__));
    OPTIONS(options);
    CHECKED(embws_check_limits(limits, __func__));
    LEAVE(goClientHandshakeNew((uintptr_t *)handshake, (embws_request *)(uintptr_t)request,
                               (embws_options *)(uintptr_t)options, (embws_handshake_options *)(uintptr_t)limits));
}

int32_t embws_client_handshake_free(embws_client_handshake *handshake) {
    if (handshake == NULL) return EMBWS_OK;
    ENTER_WITH(handshake);
    LEAVE_WITH(handshake, goClientHandshakeFree((uintptr_t)handshake));
}

int32_t embws_client_handshake_request(embws_client_handshake *handshake, void *dst, size_t capacity, size_t *written) {
    ENTER_WITH(handshake);
    BYTES(dst, capacity);
    NEED(written);
    LEAVE_WITH(handshake,
               goClientHandshakeRequest((uintptr_t)handshake, capacity == 0 ? NULL : dst, capacity, written));
}

int32_t embws_client_handshake_receive(embws_client_handshake *handshake, const void *in, size_t length,
                                       size_t *eaten) {
    ENTER_WITH(handshake);
    BYTES(in, length);
    NEED(eaten);
    LEAVE_WITH(handshake, goClientHandshakeReceive((uintptr_t)handshake, length == 0 ? NULL : (void *)(uintptr_t)in,
                                                   length, eaten));
}

int32_t embws_client_handshake_head(embws_client_handshake *handshake, embws_head *head, void *memory, size_t capacity,
                                    size_t *needed) {
    ENTER_WITH(handshake);
    STRUCT(head);
    BYTES(memory, capacity);
    LEAVE_WITH(handshake,
               goClientHandshakeHead((uintptr_t)handshake, head, capacity == 0 ? NULL : memory, capacity, needed));
}

int32_t embws_client_handshake_failure(embws_client_handshake *handshake, embws_failure *failure) {
    ENTER_WITH(handshake);
    STRUCT(failure);
    LEAVE_WITH(handshake, goClientHandshakeFailure((uintptr_t)handshake, failure));
}
