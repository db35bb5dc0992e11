/* What needs no Go: versions, sizes, spans, masking. */
#include "shim.h"

uint32_t embws_version_number(void) { return EMBWS_VERSION_NUMBER; }
const char *embws_version_string(void) { return EMBWS_VERSION_STRING; }
uint32_t embws_abi_version(void) { return EMBWS_ABI_VERSION; }

uint64_t embws_features(void) {
#ifdef EMBWS_TEST
    return EMBWS_FEATURE_TEST;
#else
    return 0;
#endif
}

embws_span embws_span_of(const char *string) {
    embws_span span = {string, string == NULL ? 0 : strlen(string)};
    return span;
}

int32_t embws_span_equals(embws_span span, const char *string) {
    size_t length = string == NULL ? 0 : strlen(string);
    return span.length == length && (length == 0 || (span.data != NULL && memcmp(span.data, string, length) == 0));
}

static int lower(int c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

embws_span embws_head_field(const embws_head *head, const char *name) {
    embws_span none = {NULL, 0};
    if (head == NULL || name == NULL || head->struct_size != sizeof *head || head->fields == NULL) return none;
    size_t length = strlen(name);
    for (size_t i = 0; i < head->field_count; i++) {
        const embws_field *field = &head->fields[i];
        size_t at = 0;
        if (field->name.length != length) continue;
        while (at < length && lower(field->name.data[at]) == lower(name[at])) at++;
        if (at == length) return field->value;
    }
    return none;
}

size_t embws_header_size(uint32_t role, uint64_t length) {
    if (role != EMBWS_SERVER && role != EMBWS_CLIENT) return 0;
    size_t size = length <= 125 ? 2 : length <= 0xFFFF ? 4 : 10;
    return role == EMBWS_CLIENT ? size + 4 : size;
}

uint64_t embws_frame_size(uint32_t role, uint64_t length) {
    size_t header = embws_header_size(role, length);
    if (header == 0) return 0;
    return length > INT64_MAX ? UINT64_MAX : length + header;
}

int32_t embws_close_code_on_wire(uint32_t code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

int32_t embws_mask(void *bytes, size_t length, const uint8_t key[4], uint64_t phase) {
    BYTES(bytes, length);
    NEED(key);
    uint8_t *p = bytes, turned[8];
    for (unsigned i = 0; i < 8; i++) turned[i] = key[(phase + i) & 3];
    uint64_t word, k;
    memcpy(&k, turned, 8);
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        memcpy(&word, p + i, 8);
        word ^= k;
        memcpy(p + i, &word, 8);
    }
    for (; i < length; i++) p[i] ^= turned[i & 7];
    return EMBWS_OK;
}

uint8_t *embws_event_payload(const embws_io *io, const embws_event *event) {
    if (io == NULL || event == NULL || io->struct_size != sizeof *io) return NULL;
    const uint8_t *from = io->in;
    size_t size = io->in_length;
    if ((event->flags & EMBWS_KEPT) != 0) {
        from = io->control;
        size = io->control_length <= sizeof io->control ? io->control_length : 0;
    } else if ((event->flags & EMBWS_IN_ROOM) != 0) {
        from = io->room;
        size = io->room_length;
    }
    if (from == NULL || event->start > size || event->length > size - event->start) return NULL;
    return (uint8_t *)(uintptr_t)from + event->start;
}
