/*
 * layout.c: where the members of the structs of embws.h lie where pointers have 64 bits. Programs that were compiled
 * against an earlier header go by it: a line here is never changed, only added, and an array that grows is seen in the
 * next line.
 */
#define _DEFAULT_SOURCE

#include "check.h"

#include <stddef.h>

/* Fails to compile where it is wrong. The size of a struct that has a struct_size may grow in a later version. */
#define FIXED(id, condition) typedef char fixed_##id[(condition) ? 1 : -1]
#define SIZE(type, size)     FIXED(type, sizeof(type) == (size))
#define MEMBER(type, member, at, size) \
    FIXED(type##_##member, offsetof(type, member) == (at) && sizeof(((type *)0)->member) == (size))

#if UINTPTR_MAX == UINT64_MAX

SIZE(embws_span, 16);
MEMBER(embws_span, data, 0, 8);
MEMBER(embws_span, length, 8, 8);

SIZE(embws_options, 40);
MEMBER(embws_options, struct_size, 0, 4);
MEMBER(embws_options, flags, 4, 4);
MEMBER(embws_options, max_frame, 8, 8);
MEMBER(embws_options, max_message, 16, 8);
MEMBER(embws_options, random, 24, 8);
MEMBER(embws_options, context, 32, 8);

SIZE(embws_handshake_options, 56);
MEMBER(embws_handshake_options, struct_size, 0, 4);
MEMBER(embws_handshake_options, flags, 4, 4);
MEMBER(embws_handshake_options, store, 8, 8);
MEMBER(embws_handshake_options, max_head, 16, 8);
MEMBER(embws_handshake_options, max_fields, 24, 8);
MEMBER(embws_handshake_options, max_subprotocols, 32, 8);
MEMBER(embws_handshake_options, keep, 40, 8);
MEMBER(embws_handshake_options, keep_count, 48, 8);

SIZE(embws_event, 24);
MEMBER(embws_event, start, 0, 8);
MEMBER(embws_event, left, 8, 8);
MEMBER(embws_event, length, 16, 4);
MEMBER(embws_event, kind, 20, 1);
MEMBER(embws_event, flags, 21, 1);
MEMBER(embws_event, code, 22, 2);

SIZE(embws_io, 240);
MEMBER(embws_io, struct_size, 0, 4);
MEMBER(embws_io, capacity, 4, 4);
MEMBER(embws_io, events, 8, 8);
MEMBER(embws_io, in, 16, 8);
MEMBER(embws_io, in_length, 24, 8);
MEMBER(embws_io, room, 32, 8);
MEMBER(embws_io, room_length, 40, 8);
MEMBER(embws_io, out, 48, 8);
MEMBER(embws_io, out_capacity, 56, 8);
MEMBER(embws_io, eaten, 64, 8);
MEMBER(embws_io, out_length, 72, 8);
MEMBER(embws_io, taken, 80, 8);
MEMBER(embws_io, found, 88, 4);
MEMBER(embws_io, state, 92, 4);
MEMBER(embws_io, more, 96, 4);
MEMBER(embws_io, peer_code, 100, 2);
MEMBER(embws_io, sent_code, 102, 2);
MEMBER(embws_io, control_length, 104, 4);
MEMBER(embws_io, control, 108, 128);

SIZE(embws_failure, 48);
MEMBER(embws_failure, struct_size, 0, 4);
MEMBER(embws_failure, status, 4, 4);
MEMBER(embws_failure, offset, 8, 8);
MEMBER(embws_failure, rule, 16, 2);
MEMBER(embws_failure, close_code, 18, 2);
MEMBER(embws_failure, http_status, 20, 2);
MEMBER(embws_failure, header_length, 22, 1);
MEMBER(embws_failure, header, 23, 14);
MEMBER(embws_failure, reserved, 37, 11);

SIZE(embws_batch, 48);
MEMBER(embws_batch, struct_size, 0, 4);
MEMBER(embws_batch, longest, 4, 4);
MEMBER(embws_batch, io, 8, 8);
MEMBER(embws_batch, in, 16, 8);
MEMBER(embws_batch, in_capacity, 24, 8);
MEMBER(embws_batch, list, 32, 8);
MEMBER(embws_batch, list_capacity, 40, 8);

SIZE(embws_info, 32);
MEMBER(embws_info, struct_size, 0, 4);
MEMBER(embws_info, role, 4, 4);
MEMBER(embws_info, state, 8, 4);
MEMBER(embws_info, peer_code, 12, 2);
MEMBER(embws_info, sent_code, 14, 2);
MEMBER(embws_info, received, 16, 8);
MEMBER(embws_info, owed, 24, 8);

SIZE(embws_frame, 24);
MEMBER(embws_frame, payload, 0, 8);
MEMBER(embws_frame, length, 8, 8);
MEMBER(embws_frame, opcode, 16, 4);
MEMBER(embws_frame, fin, 20, 4);

SIZE(embws_field, 32);
MEMBER(embws_field, name, 0, 16);
MEMBER(embws_field, value, 16, 16);

SIZE(embws_parameter, 32);
MEMBER(embws_parameter, name, 0, 16);
MEMBER(embws_parameter, value, 16, 16);

SIZE(embws_extension, 32);
MEMBER(embws_extension, name, 0, 16);
MEMBER(embws_extension, parameters, 16, 8);
MEMBER(embws_extension, parameter_count, 24, 8);

SIZE(embws_head, 160);
MEMBER(embws_head, struct_size, 0, 4);
MEMBER(embws_head, status, 4, 4);
MEMBER(embws_head, upgrade, 8, 4);
MEMBER(embws_head, reserved, 12, 4);
MEMBER(embws_head, target, 16, 16);
MEMBER(embws_head, path, 32, 16);
MEMBER(embws_head, query, 48, 16);
MEMBER(embws_head, host, 64, 16);
MEMBER(embws_head, origin, 80, 16);
MEMBER(embws_head, subprotocol, 96, 16);
MEMBER(embws_head, subprotocols, 112, 8);
MEMBER(embws_head, subprotocol_count, 120, 8);
MEMBER(embws_head, extensions, 128, 8);
MEMBER(embws_head, extension_count, 136, 8);
MEMBER(embws_head, fields, 144, 8);
MEMBER(embws_head, field_count, 152, 8);

SIZE(embws_acceptance, 56);
MEMBER(embws_acceptance, struct_size, 0, 4);
MEMBER(embws_acceptance, reserved, 4, 4);
MEMBER(embws_acceptance, subprotocol, 8, 16);
MEMBER(embws_acceptance, extensions, 24, 16);
MEMBER(embws_acceptance, fields, 40, 8);
MEMBER(embws_acceptance, field_count, 48, 8);

SIZE(embws_response, 48);
MEMBER(embws_response, struct_size, 0, 4);
MEMBER(embws_response, status, 4, 4);
MEMBER(embws_response, fields, 8, 8);
MEMBER(embws_response, field_count, 16, 8);
MEMBER(embws_response, body, 24, 8);
MEMBER(embws_response, body_length, 32, 8);
MEMBER(embws_response, close, 40, 4);
MEMBER(embws_response, reserved, 44, 4);

SIZE(embws_request, 104);
MEMBER(embws_request, struct_size, 0, 4);
MEMBER(embws_request, reserved, 4, 4);
MEMBER(embws_request, host, 8, 16);
MEMBER(embws_request, target, 24, 16);
MEMBER(embws_request, origin, 40, 16);
MEMBER(embws_request, extensions, 56, 16);
MEMBER(embws_request, subprotocols, 72, 8);
MEMBER(embws_request, subprotocol_count, 80, 8);
MEMBER(embws_request, fields, 88, 8);
MEMBER(embws_request, field_count, 96, 8);

SIZE(embws_message, 24);
MEMBER(embws_message, payload, 0, 8);
MEMBER(embws_message, length, 8, 8);
MEMBER(embws_message, kind, 16, 4);
MEMBER(embws_message, code, 20, 4);

int main(void) {
    embws_io io;
    alarm(100);
    memset(&io, 0xFF, sizeof io);
    EMBWS_INIT(&io);
    CHECK(io.struct_size == sizeof io);
    for (size_t i = sizeof io.struct_size; i < sizeof io; i++) CHECK(((uint8_t *)&io)[i] == 0);
    return check_result("layout");
}

#else

int main(void) {
    printf("skipped: the layout is written down for pointers of 64 bits\n");
    return 77;
}

#endif
