/* steps.c: the lines of a case that are read word by word: events, steps, settings. */
#include "vectors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

char *next_word(char **rest) {
    char *word = *rest + strspn(*rest, " \t");
    char *end = word + strcspn(word, " \t");
    *rest = end + strspn(end, " \t");
    *end = 0;
    return word;
}

const char *read_number(const char *text, int64_t *to) {
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != 0 || errno != 0) return "not a number";
    *to = number;
    return NULL;
}

const char *read_setting(char *rest, setting *to) {
    to->name = next_word(&rest);
    if (strcmp(to->name, "field") == 0) {
        char *key = next_word(&rest);
        size_t length = strlen(key);
        bytes_text(&to->key, "");
        if (key[0] == '"') { /* a name that cannot be written as a word */
            if (length < 2 || key[length - 1] != '"') return "no closing quote";
            const char *bad = read_quoted(key + 1, key + length - 1, &to->key);
            if (bad != NULL) return bad;
        } else {
            bytes_add(&to->key, key, length);
        }
    }
    return read_data(rest, &to->data);
}

static const struct {
    const char *word;
    uint32_t opcode;
} opcodes[] = {{"continuation", EMBWS_CONTINUATION},
               {"text", EMBWS_TEXT},
               {"binary", EMBWS_BINARY},
               {"close", EMBWS_CLOSE},
               {"ping", EMBWS_PING},
               {"pong", EMBWS_PONG}};

/* Returns 1 if a word is an opcode's. */
static int read_opcode(const char *word, uint32_t *to) {
    for (size_t i = 0; i < sizeof opcodes / sizeof *opcodes; i++) {
        if (strcmp(word, opcodes[i].word) == 0) {
            *to = opcodes[i].opcode;
            return 1;
        }
    }
    return 0;
}

static const char *read_code(char **rest, int64_t *to) { return read_number(next_word(rest), to); }

const char *read_event(char *rest, found *to) {
    if (!read_opcode(next_word(&rest), &to->kind) || to->kind == EMBWS_CONTINUATION) return "an unknown kind";
    strcpy(to->edges, "MFfm");
    if (to->kind == EMBWS_TEXT || to->kind == EMBWS_BINARY) {
        const char *edges = next_word(&rest);
        if (strlen(edges) != 4) return "bad edges";
        strcpy(to->edges, edges);
    }
    if (to->kind == EMBWS_CLOSE) {
        int64_t code;
        const char *bad = read_code(&rest, &code);
        if (bad != NULL) return bad;
        to->code = (uint32_t)code;
    }
    return read_data(rest, &to->data);
}

static const char *read_fin(const char *word, uint32_t *to) {
    *to = strcmp(word, "fin") == 0;
    return *to || strcmp(word, "part") == 0 ? NULL : "fin or part?";
}

const char *read_step(char *rest, step *to) {
    const char *bad = NULL, *word = next_word(&rest);
    to->error = NONE;
    to->fin = 1;
    if (strcmp(word, "payload") == 0) {
        to->verb = DO_PAYLOAD;
    } else if (strcmp(word, "header") == 0) {
        to->verb = DO_HEADER;
        if (!read_opcode(next_word(&rest), &to->opcode)) return "an unknown kind";
        bad = read_fin(next_word(&rest), &to->fin);
        char *end;
        errno = 0;
        to->size = strtoull(rest, &end, 10);
        return bad != NULL ? bad : end == rest || *end != 0 || errno != 0 ? "not a number" : NULL;
    } else if (!read_opcode(word, &to->opcode)) {
        return "cannot be done";
    } else if (to->opcode == EMBWS_CLOSE) {
        to->verb = DO_CLOSE;
        bad = read_code(&rest, &to->code);
    } else {
        to->verb = DO_FRAME;
        if (to->opcode < EMBWS_CLOSE) bad = read_fin(next_word(&rest), &to->fin);
    }
    return bad != NULL ? bad : read_data(rest, &to->data);
}
