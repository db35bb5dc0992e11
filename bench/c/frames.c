/*
 * frames.c: frames written and read by hand, so that neither library is the judge of the other (RFC 6455 5.2, 5.3).
 */
#include "bench.h"

#include <string.h>

enum { FIN = 0x80, MASK = 0x80, LENGTH_16 = 126, LENGTH_64 = 127 };

size_t write_frame(uint8_t *dst, unsigned opcode, const uint8_t *payload, size_t length, const uint8_t *key) {
    uint8_t *at = dst;
    unsigned extra = length < LENGTH_16 ? 0 : length <= 0xffff ? 2 : 8;
    *at++ = (uint8_t)(FIN | opcode);
    *at++ = (uint8_t)((key != NULL ? MASK : 0) | (extra == 0 ? (unsigned)length : extra == 2 ? LENGTH_16 : LENGTH_64));
    for (unsigned i = extra; i-- > 0;) {
        *at++ = (uint8_t)((uint64_t)length >> (8 * i));
    }
    if (key != NULL) {
        memcpy(at, key, 4);
        at += 4;
    }
    for (size_t i = 0; i < length; i++) {
        at[i] = (uint8_t)(payload[i] ^ (key != NULL ? key[i & 3] : 0));
    }
    return (size_t)(at - dst) + length;
}

size_t read_frame(const uint8_t *src, size_t length, unsigned opcode, int masked) {
    static const uint8_t none[4];
    require(length >= 2 && src[0] == (FIN | opcode) && !(src[1] & MASK) == !masked, "a frame was written wrongly");
    unsigned short_length = src[1] & 0x7f;
    unsigned extra = short_length < LENGTH_16 ? 0 : short_length == LENGTH_16 ? 2 : 8;
    size_t header = 2 + extra + (masked ? 4u : 0);
    require(length >= header, "a frame's header was cut short");
    uint64_t size = extra == 0 ? short_length : 0;
    for (unsigned i = 0; i < extra; i++) {
        size = size << 8 | src[2 + i];
    }
    require(size <= length - header, "a frame's payload was cut short");
    const uint8_t *key = masked ? src + header - 4 : none;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(src[header + i] ^ key[i & 3]);
        deliver(&byte, 1);
    }
    delivered.messages++;
    return header + (size_t)size;
}
