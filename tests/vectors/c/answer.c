/* answer.c: the arguments of answers and requests, and the form of a refusal. */
#include "vectors.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void arguments_of(const settings *with, answer_with *to) {
    static LIST(embws_field) fields;
    static LIST(embws_span) subprotocols;
    fields.n = subprotocols.n = 0;
    EMBWS_INIT(&to->acceptance);
    EMBWS_INIT(&to->response);
    EMBWS_INIT(&to->request);
    to->request.host = embws_span_of("example.com");
    to->request.target = embws_span_of("/");
    for (size_t i = 0; i < with->n; i++) {
        const setting *s = &with->at[i];
        embws_span span = bytes_span(&s->data);
        if (strcmp(s->name, "field") == 0) {
            embws_field *f = PUSH(&fields);
            f->name = bytes_span(&s->key);
            f->value = span;
        } else if (strcmp(s->name, "subprotocol") == 0) {
            to->acceptance.subprotocol = span;
            *PUSH(&subprotocols) = span;
        } else if (strcmp(s->name, "extensions") == 0) {
            to->acceptance.extensions = to->request.extensions = span;
        } else if (strcmp(s->name, "status") == 0) {
            to->response.status = (uint32_t)strtol(span.data, NULL, 10);
        } else if (strcmp(s->name, "body") == 0) {
            to->response.body = span.data;
            to->response.body_length = span.length;
        } else if (strcmp(s->name, "close") == 0) {
            to->response.close = 1;
        } else if (strcmp(s->name, "host") == 0) {
            to->request.host = span;
        } else if (strcmp(s->name, "target") == 0) {
            to->request.target = span;
        } else if (strcmp(s->name, "origin") == 0) {
            to->request.origin = span;
        } else {
            wrong("the case has an unknown argument %s", s->name);
        }
    }
    to->acceptance.fields = to->response.fields = to->request.fields = fields.at;
    to->acceptance.field_count = to->response.field_count = to->request.field_count = fields.n;
    to->request.subprotocols = subprotocols.at;
    to->request.subprotocol_count = subprotocols.n;
}

/* 1 if a line has that name, in any case; then *value is behind the colon and space. */
static int is_field(const char *line, const char *name, const char **value) {
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++) {
        if (tolower((unsigned char)line[i]) != name[i]) return 0;
    }
    *value = line + n + 2;
    return line[n] == ':' && line[n + 1] == ' ';
}

/* Checks an HTTP response that refuses a request: its status, Connection: close, Content-Length, and what the case
 * wants in it. */
void well_formed(const head *want, const bytes *got) {
    static bytes copy;
    long length = -1;
    int closes = 0;
    const char *value;
    copy.n = 0;
    bytes_add(&copy, got->at, got->n);
    char *line = (char *)copy.at, *end = strstr(line, "\r\n\r\n");
    if (end == NULL) wrong("a refusal without an end: %s", shown(got->at, got->n));
    end[2] = 0;
    size_t body = copy.n - (size_t)(end + 4 - line);
    if (strncmp(line, "HTTP/1.1 ", 9) != 0 || strtol(line + 9, NULL, 10) != want->fail.code || line[12] != ' ') {
        wrong("refusal: want status %lld, got %s", (long long)want->fail.code, shown(got->at, got->n));
    }
    for (line = strstr(line, "\r\n") + 2; *line != 0; line = strstr(line, "\r\n") + 2) {
        *strstr(line, "\r\n") = '\n';
        char *stop = strchr(line, '\n');
        *stop = 0;
        if (strstr(line, ": ") == NULL) wrong("refusal: a bad line %s", shown(line, strlen(line)));
        if (is_field(line, "content-length", &value)) length = strtol(value, NULL, 10);
        if (is_field(line, "connection", &value)) closes = strstr(value, "close") != NULL;
        *stop = '\r';
    }
    if (length < 0 || (size_t)length != body || !closes) {
        wrong("refusal: Content-Length %ld for %zu bytes, Connection: close is %d", length, body, closes);
    }
    for (size_t i = 0; i < want->has.n; i++) {
        const bytes *part = &want->has.at[i];
        if (!bytes_hold(got, part->at, part->n)) {
            wrong("refusal: want %s in %s", shown(part->at, part->n), shown(got->at, got->n));
        }
    }
}
