/*
 * Starts the Go runtime in a program that is linked with musl and libembws.a.
 *
 * Go's constructor expects argc and argv, with the environment and the auxiliary vector behind them, as glibc passes
 * them; musl passes none, and the runtime would read from wild pointers. The build takes Go's constructor out and puts
 * this one in, which makes such a block. The runtime keeps it, so it is never freed. The library has no use for the
 * arguments: argc is 0.
 *
 * EMBWS_GO_ENTRY is Go's constructor: _rt0_amd64_linux_lib, or that of another processor.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>

extern char **environ;
void EMBWS_GO_ENTRY(int argc, uintptr_t *argv);

__attribute__((constructor)) static void start_go(void) {
    static const unsigned long tags[] = {AT_PAGESZ, AT_RANDOM, AT_HWCAP, AT_HWCAP2, AT_SYSINFO_EHDR, AT_SECURE};
    const size_t tag_count = sizeof tags / sizeof tags[0];
    size_t variables = 0;
    size_t at = 0;
    size_t i;
    uintptr_t *block;

    while (environ != NULL && environ[variables] != NULL) variables++;
    block = calloc(1 + variables + 1 + 2 * tag_count + 2, sizeof *block);
    if (block == NULL) abort();
    block[at++] = 0; /* the end of the arguments */
    for (i = 0; i < variables; i++) block[at++] = (uintptr_t)environ[i];
    block[at++] = 0;
    for (i = 0; i < tag_count; i++) {
        unsigned long value = getauxval(tags[i]);
        if (value != 0) {
            block[at++] = tags[i];
            block[at++] = value;
        }
    }
    EMBWS_GO_ENTRY(0, block); /* calloc has ended the vector: AT_NULL is 0 */
}
