/*
 * bends.h: for misuse.c, what can be wrong inside of the structs that go into a call: pointers that are NULL, lengths
 * that nothing can have, flags that mean nothing.
 */
#ifndef BENDS_H
#define BENDS_H

#include "functions.h"

#include <stddef.h>

/* Members of structs that are wrong: `number` is written at `at`, and `pointer`, if there is one, at `pointer_at`. */
static const embws_span no_data = {NULL, 1}, too_long = {"x", SIZE_MAX}, fine = {"x", 1};
static const embws_field no_name = {{NULL, 1}, {"x", 1}}, no_value = {{"x", 1}, {NULL, 1}},
                         long_value = {{"x", 1}, {"x", SIZE_MAX}};

#define AT(type, member) offsetof(type, member)
#define SPAN_BENDS(shape, type, member)                                                                          \
    {shape, AT(type, member.length), 1, NULL, AT(type, member.data), EMBWS_ERR_NULL, #member}, {                 \
        shape, AT(type, member.length), (uint64_t)PTRDIFF_MAX + 1, "x", AT(type, member.data), EMBWS_ERR_LENGTH, \
            #member                                                                                              \
    }
#define FIELD_BENDS(shape, type)                                                                                   \
    {shape, AT(type, field_count), 1, NULL, AT(type, fields), EMBWS_ERR_NULL, "fields"},                           \
        {shape, AT(type, field_count), SIZE_MAX / 2, &no_name, AT(type, fields), EMBWS_ERR_LENGTH, "field_count"}, \
        {shape, AT(type, field_count), 1, &no_name, AT(type, fields), EMBWS_ERR_NULL, "name"},                     \
        {shape, AT(type, field_count), 1, &no_value, AT(type, fields), EMBWS_ERR_NULL, "value"}, {                 \
        shape, AT(type, field_count), 1, &long_value, AT(type, fields), EMBWS_ERR_LENGTH, "value"                  \
    }

static const struct bend {
    shape shape;
    size_t at;
    uint64_t number;
    const void *pointer;
    size_t pointer_at;
    int32_t status;
    const char *named;
} bends[] = {
    {OPTIONS, AT(embws_options, struct_size), sizeof(embws_options) | (uint64_t)16 << 32, NULL, 0, EMBWS_ERR_VALUE,
     "flags"},
    {OPTIONS, AT(embws_options, struct_size), sizeof(embws_options) | (uint64_t)1 << 63, NULL, 0, EMBWS_ERR_VALUE,
     "flags"},
    {LIMITS, AT(embws_handshake_options, struct_size), sizeof(embws_handshake_options) | (uint64_t)2 << 32, NULL, 0,
     EMBWS_ERR_VALUE, "flags"},
    {LIMITS, AT(embws_handshake_options, store), (16u << 20) + 1, NULL, 0, EMBWS_ERR_LENGTH, "store"},
    {LIMITS, AT(embws_handshake_options, store), SIZE_MAX, NULL, 0, EMBWS_ERR_LENGTH, "store"},
    {LIMITS, AT(embws_handshake_options, keep_count), 1, NULL, 0, EMBWS_ERR_NULL, "keep"},
    {LIMITS, AT(embws_handshake_options, keep_count), 1025, &fine, AT(embws_handshake_options, keep), EMBWS_ERR_LENGTH,
     "keep_count"},
    {LIMITS, AT(embws_handshake_options, keep_count), SIZE_MAX, &fine, AT(embws_handshake_options, keep),
     EMBWS_ERR_LENGTH, "keep_count"},
    {LIMITS, AT(embws_handshake_options, keep_count), 1, &no_data, AT(embws_handshake_options, keep), EMBWS_ERR_NULL,
     "keep"},
    {LIMITS, AT(embws_handshake_options, keep_count), 1, &too_long, AT(embws_handshake_options, keep), EMBWS_ERR_LENGTH,
     "keep"},
    SPAN_BENDS(REQUEST, embws_request, host),
    SPAN_BENDS(REQUEST, embws_request, target),
    SPAN_BENDS(REQUEST, embws_request, origin),
    SPAN_BENDS(REQUEST, embws_request, extensions),
    {REQUEST, AT(embws_request, subprotocol_count), 1, NULL, AT(embws_request, subprotocols), EMBWS_ERR_NULL,
     "subprotocols"},
    {REQUEST, AT(embws_request, subprotocol_count), 1, &no_data, AT(embws_request, subprotocols), EMBWS_ERR_NULL,
     "subprotocols"},
    {REQUEST, AT(embws_request, subprotocol_count), 1, &too_long, AT(embws_request, subprotocols), EMBWS_ERR_LENGTH,
     "subprotocols"},
    {REQUEST, AT(embws_request, subprotocol_count), SIZE_MAX, &fine, AT(embws_request, subprotocols), EMBWS_ERR_LENGTH,
     "subprotocol_count"},
    FIELD_BENDS(REQUEST, embws_request),
    SPAN_BENDS(ACCEPTANCE, embws_acceptance, subprotocol),
    SPAN_BENDS(ACCEPTANCE, embws_acceptance, extensions),
    FIELD_BENDS(ACCEPTANCE, embws_acceptance),
    {RESPONSE, AT(embws_response, body_length), 1, NULL, AT(embws_response, body), EMBWS_ERR_NULL, "body"},
    {RESPONSE, AT(embws_response, body_length), SIZE_MAX, "x", AT(embws_response, body), EMBWS_ERR_LENGTH,
     "body_length"},
    {RESPONSE, AT(embws_response, close), 2, NULL, 0, EMBWS_ERR_VALUE, "close"},
    FIELD_BENDS(RESPONSE, embws_response),
    {BATCH, AT(embws_batch, io), 0, NULL, 0, EMBWS_ERR_NULL, "io"},
    {BATCH, AT(embws_batch, in), 0, NULL, 0, EMBWS_ERR_NULL, "in"},
    {BATCH, AT(embws_batch, in_capacity), SIZE_MAX, NULL, 0, EMBWS_ERR_LENGTH, "in_capacity"},
    {BATCH, AT(embws_batch, in_capacity), 0, NULL, 0, EMBWS_ERR_LENGTH, "length"},
    {BATCH, AT(embws_batch, list), 0, NULL, 0, EMBWS_ERR_NULL, "list"},
    {BATCH, AT(embws_batch, list_capacity), SIZE_MAX, NULL, 0, EMBWS_ERR_LENGTH, "list_capacity"},
};

#endif
