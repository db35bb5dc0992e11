/* The public functions of the codec: checks, and then Go. */
#include "shim.h"

#include "_cgo_export.h"

int32_t embws_codec_new(embws_codec **codec, uint32_t role, const embws_options *options) {
    ENTER();
    NEED(codec);
    ROLE(role);
    OPTIONS(options);
    LEAVE(goCodecNew((uintptr_t *)codec, role, (embws_options *)(uintptr_t)options));
}

int32_t embws_codec_reset(embws_codec *codec, uint32_t role, const embws_options *options) {
    ENTER_WITH(codec);
    ROLE(role);
    OPTIONS(options);
    LEAVE_WITH(codec, goCodecReset((uintptr_t)codec, role, (embws_options *)(uintptr_t)options));
}

int32_t embws_codec_free(embws_codec *codec) {
    if (codec == NULL) return EMBWS_OK;
    ENTER_WITH(codec);
    LEAVE_WITH(codec, goCodecFree((uintptr_t)codec));
}

int32_t embws_codec_decode(embws_codec *codec, embws_io *io) {
    ENTER_OFTEN_WITH(codec);
    IO(io);
    int32_t status = goCodecDecode((uintptr_t)codec, io);
    REFUSE(status == EMBWS_ERR_NO_ROOM && io->capacity == 0, status, NO_EVENTS);
    LEAVE_WITH(codec, status);
}

int32_t embws_codec_encode(embws_codec *codec, uint32_t opcode, uint32_t fin, const void *payload, size_t length,
                           void *dst, size_t capacity, size_t *written) {
    ENTER_OFTEN_WITH(codec);
    FRAME_KIND(opcode, fin);
    BYTES(payload, length);
    BYTES(dst, capacity);
    NEED(written);
    LEAVE_WITH(codec, goCodecEncode((uintptr_t)codec, opcode, fin, length == 0 ? NULL : (void *)(uintptr_t)payload,
                                    length, capacity == 0 ? NULL : dst, capacity, written));
}

int32_t embws_codec_encode_batch(embws_codec *codec, const embws_frame *frames, size_t count, void *dst,
                                 size_t capacity, size_t *encoded, size_t *written) {
    ENTER_OFTEN_WITH(codec);
    LIST(frames, count);
    BYTES(dst, capacity);
    NEED(encoded);
    NEED(written);
    for (size_t i = 0; i < count; i++) {
        FRAME_KIND(frames[i].opcode, frames[i].fin);
        BYTES(frames[i].payload, frames[i].length);
    }
    LEAVE_WITH(codec, goCodecEncodeBatch((uintptr_t)codec, count == 0 ? NULL : (embws_frame *)(uintptr_t)frames, count,
                                         capacity == 0 ? NULL : dst, capacity, encoded, written));
}

int32_t embws_codec_encode_header(embws_codec *codec, uint32_t opcode, uint32_t fin, uint64_t length, void *dst,
                                  size_t capacity, size_t *written) {
    ENTER_WITH(codec);
    FRAME_KIND(opcode, fin);
    BYTES(dst, capacity);
    NEED(written);
    LEAVE_WITH(codec, goCodecEncodeHeader((uintptr_t)codec, opcode, fin, length, capacity == 0 ? NULL : dst, capacity,
                                          written));
}

int32_t embws_codec_encode_payload(embws_codec *codec, const void *src, size_t length, void *dst, size_t capacity,
                                   size_t *written) {
    ENTER_WITH(codec);
    BYTES(src, length);
    BYTES(dst, capacity);
    NEED(written);
    LEAVE_WITH(codec, goCodecEncodePayload((uintptr_t)codec, length == 0 ? NULL : (void *)(uintptr_t)src, length,
                                           capacity == 0 ? NULL : dst, capacity, written));
}

int32_t embws_codec_sent(embws_codec *codec, uint64_t length) {
    ENTER_WITH(codec);
    LEAVE_WITH(codec, goCodecSent((uintptr_t)codec, length));
}

int32_t embws_codec_reply(embws_codec *codec, const embws_io *io, uint32_t *next, void *dst, size_t capacity,
                          size_t *written) {
    ENTER_OFTEN_WITH(codec);
    IO(io);
    NEED(next);
    BYTES(dst, capacity);
    NEED(written);
    REFUSE(io->found > io->capacity, EMBWS_ERR_VALUE, "io->found is more than io->capacity");
    REFUSE(*next > io->found, EMBWS_ERR_VALUE, "*next is more than io->found");
    LEAVE_WITH(codec, goCodecReply((uintptr_t)codec, (embws_io *)(uintptr_t)io, next, capacity == 0 ? NULL : dst,
                                   capacity, written));
}

int32_t embws_codec_close(embws_codec *codec, uint32_t code, const void *reason, size_t reason_length, void *dst,
                          size_t capacity, size_t *written) {
    ENTER_WITH(codec);
    REFUSE(code > 0xFFFF, EMBWS_ERR_VALUE, "code is no close code, which is 0 to 65535");
    BYTES(reason, reason_length);
    BYTES(dst, capacity);
    NEED(written);
    LEAVE_WITH(codec, goCodecClose((uintptr_t)codec, code, reason_length == 0 ? NULL : (void *)(uintptr_t)reason,
                                   reason_length, capacity == 0 ? NULL : dst, capacity, written));
}

int32_t embws_codec_end(embws_codec *codec) {
    ENTER_WITH(codec);
    LEAVE_WITH(codec, goCodecEnd((uintptr_t)codec));
}

int32_t embws_codec_failure(embws_codec *codec, embws_failure *failure) {
    ENTER_WITH(codec);
    STRUCT(failure);
    LEAVE_WITH(codec, goCodecFailure((uintptr_t)codec, failure));
}

int32_t embws_codec_peer_close(embws_codec *codec, uint16_t *code, void *reason, size_t capacity, size_t *length) {
    ENTER_WITH(codec);
    NEED(code);
    BYTES(reason, capacity);
    NEED(length);
    LEAVE_WITH(codec, goCodecPeerClose((uintptr_t)codec, code, capacity == 0 ? NULL : reason, capacity, length));
}

int32_t embws_codec_info(embws_codec *codec, embws_info *info) {
    ENTER_WITH(codec);
    STRUCT(info);
    LEAVE_WITH(codec, goCodecInfo((uintptr_t)codec, info));
}

#ifdef EMBWS_TEST
/* The build for the project's own tests: tests/capi/embws_test.h. */
EMBWS_API int32_t embws_test_panic(embws_codec *codec);
EMBWS_API uint64_t embws_test_mallocs(void);
EMBWS_API uint64_t embws_test_heap(void);

int32_t embws_test_panic(embws_codec *codec) {
    ENTER_WITH(codec);
    LEAVE_WITH(codec, goTestPanic((uintptr_t)codec));
}

uint64_t embws_test_mallocs(void) { return goTestMallocs(); }
uint64_t embws_test_heap(void) { return goTestHeap(); }
#endif
