/*
 * main.c: measures libembws beside wslay, on the same bytes, in one process, and prints a Markdown table.
 *
 *     embws_bench [-rounds 31] [-turn 2] [-match decode] [-check]
 */
#define _POSIX_C_SOURCE 200809L

#include "bench.h"

#include "embws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int usage(void) {
    fprintf(stderr, "usage: embws_bench [-rounds 15..%d] [-turn milliseconds] [-match text] [-check]\n", MAX_ROUNDS);
    return 2;
}

/* The processor's name, where the system tells it. */
static void print_machine(void) {
    char line[256], model[200] = "an unknown processor";
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            snprintf(model, sizeof model, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
            break;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    printf("%s, %ld CPUs, libembws %s\n\n", model, sysconf(_SC_NPROCESSORS_ONLN), embws_version_string());
}

int main(int argc, char **argv) {
    settings how = {.rounds = 31, .turn = 2e6};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "-check") == 0) {
            how.check_only = 1;
            continue;
        }
        if (value == NULL) {
            return usage();
        } else if (strcmp(argv[i], "-rounds") == 0) {
            how.rounds = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "-turn") == 0) {
            how.turn = strtod(value, NULL) * 1e6;
        } else if (strcmp(argv[i], "-match") == 0) {
            how.match = value;
        } else {
            return usage();
        }
        i++;
    }
    if (how.rounds < 15 || how.rounds > MAX_ROUNDS || !(how.turn > 0)) {
        return usage();
    }
    require(embws_abi_version() == EMBWS_ABI_VERSION, "the library is not the one for this header");
    if (!how.check_only) {
        print_machine();
        printf(
            "| work | candidate | ns min | ns median | MB/s | its time / ours: min | median | goal |\n"
            "|---|---|--:|--:|--:|--:|--:|---|\n");
    }
    decode_rows(&how);
    many_rows(&how);
    encode_rows(&how);
    call_rows(&how);
    return 0;
}
