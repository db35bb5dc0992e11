/*
 * What the build of libembws for the project's own tests has beyond embws.h (go build -tags embws_test). Its
 * embws_features() has EMBWS_FEATURE_TEST.
 */
#ifndef EMBWS_TEST_H
#define EMBWS_TEST_H

#include "embws.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Panics inside of the library, in a call with that codec. */
EMBWS_API int32_t embws_test_panic(embws_codec *codec);

/* How many Go heap objects were allocated so far in this process. */
EMBWS_API uint64_t embws_test_mallocs(void);

/* The live bytes of the Go heap, after a collection. */
EMBWS_API uint64_t embws_test_heap(void);

#ifdef __cplusplus
}
#endif

#endif
