/* data.c: byte strings and lists that grow, and DATA as FORMAT.md writes it. */
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *grow(void *at, size_t *capacity, size_t n, size_t size) {
    if (n == *capacity) {
        size_t more = n == 0 ? 4 : n * 2;
        at = realloc(at, more * size);
        if (at == NULL) {
            fprintf(stderr, "out of memory\n");
            exit(2);
        }
        *capacity = more;
    }
    memset((char *)at + n * size, 0, size);
    return at;
}

void bytes_add(bytes *to, const void *from, size_t n) {
    to->given = 1;
    if (to->n + n + 1 > to->capacity) {
        size_t more = (to->n + n + 1) * 2;
        uint8_t *at = realloc(to->at, more);
        if (at == NULL) {
            fprintf(stderr, "out of memory\n");
            exit(2);
        }
        to->at = at;
        to->capacity = more;
    }
    if (n > 0) memcpy(to->at + to->n, from, n);
    to->n += n;
    to->at[to->n] = 0;
}

void bytes_text(bytes *to, const char *text) { bytes_add(to, text, strlen(text)); }

int bytes_equal(const bytes *a, const void *b, size_t n) { return a->n == n && (n == 0 || memcmp(a->at, b, n) == 0); }

int bytes_hold(const bytes *all, const void *part, size_t n) {
    for (size_t i = 0; i + n <= all->n; i++) {
        if (n == 0 || memcmp(all->at + i, part, n) == 0) return 1;
    }
    return n == 0;
}

embws_span bytes_span(const bytes *b) {
    embws_span span = {(const char *)b->at, b->n};
    return span;
}

/* The value of a hex digit, or -1. */
static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Reads pairs of hex digits. */
static const char *read_hex(const char *text, const char *end, bytes *to) {
    if ((end - text) % 2 != 0) return "an odd number of hex digits";
    for (; text < end; text += 2) {
        int high = hex(text[0]), low = hex(text[1]);
        if (high < 0 || low < 0) return "neither hex digits nor a text";
        uint8_t byte = (uint8_t)(high << 4 | low);
        bytes_add(to, &byte, 1);
    }
    return NULL;
}

const char *read_quoted(const char *text, const char *end, bytes *to) {
    while (text < end) {
        char c = *text++;
        if (c == '\\') {
            if (text == end) return "an escape at the end";
            c = *text++;
            switch (c) {
                case 'r': c = '\r'; break;
                case 'n': c = '\n'; break;
                case 't': c = '\t'; break;
                case '"':
                case '\\': break;
                case 'x': {
                    const char *bad = end - text < 2 ? "\\x wants two digits" : read_hex(text, text + 2, to);
                    if (bad != NULL) return bad;
                    text += 2;
                    continue;
                }
                default: return "an unknown escape";
            }
        }
        bytes_add(to, &c, 1);
    }
    return NULL;
}

/* Reads 3*0080 or 0080. */
static const char *read_repeated(const char *word, const char *end, bytes *to) {
    const char *star = memchr(word, '*', (size_t)(end - word));
    long times = 1;
    if (star != NULL) {
        char *digits;
        times = strtol(word, &digits, 10);
        if (digits != star || times < 0) return "a bad count";
        word = star + 1;
    }
    bytes piece = {0};
    const char *bad = read_hex(word, end, &piece);
    for (; bad == NULL && times > 0; times--) bytes_add(to, piece.at, piece.n);
    free(piece.at);
    return bad;
}

/* The end of the quoted text whose first quote is at text, or NULL. */
static const char *closing_quote(const char *text) {
    for (text++; *text != 0 && *text != '"'; text++) {
        if (*text == '\\' && text[1] != 0) text++;
    }
    return *text == '"' ? text : NULL;
}

const char *read_data(const char *text, bytes *to) {
    size_t from = 0; /* where masked bytes begin */
    uint8_t key[4] = {0};
    int masked = 0;
    bytes_add(to, "", 0);
    for (;;) {
        const char *bad = NULL;
        text += strspn(text, " \t");
        if (*text == 0) break;
        if (*text == '"') {
            const char *end = closing_quote(text);
            if (end == NULL) return "no closing quote";
            bad = read_quoted(text + 1, end, to);
            text = end + 1;
        } else {
            const char *end = text + strcspn(text, " \t");
            if (*text == '^') {
                if (end - text != 9 || masked) return "a bad key";
                bad = read_hex(text + 1, end, to);
                if (bad == NULL) memcpy(key, to->at + to->n - 4, 4);
                masked = 1;
                from = to->n;
            } else {
                bad = read_repeated(text, end, to);
            }
            text = end;
        }
        if (bad != NULL) return bad;
    }
    for (size_t i = from; masked && i < to->n; i++) to->at[i] ^= key[(i - from) & 3];
    return NULL;
}
