/* parse.c: reads the text of a vector file (FORMAT.md) and makes cases of it. */
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const outcome_names[] = {"upgrade", "plain", "more", "open", "refused", "fail"};

typedef struct parser {
    vector *v;     /* the case that is open, or NULL */
    settings with; /* arguments that wait for accept or respond */
} parser;

static step *last_step(vector *v) { return v->steps.n > 0 ? &v->steps.at[v->steps.n - 1] : NULL; }
static head *last_head(vector *v) { return v->heads.n > 0 ? &v->heads.at[v->heads.n - 1] : NULL; }
static answer *last_answer(vector *v) {
    head *h = last_head(v);
    return h != NULL && h->answers.n > 0 ? &h->answers.at[h->answers.n - 1] : NULL;
}

/* Where the bytes of an out line belong. */
static bytes *out_of(vector *v) {
    if (v->kind == KIND_SEND && last_step(v) != NULL) return &last_step(v)->out;
    if (v->kind == KIND_REQUEST && last_answer(v) != NULL) return &last_answer(v)->out;
    return &v->out;
}

/* Where the rule of an error line belongs. */
static int64_t *error_of(vector *v) {
    if (v->kind == KIND_SEND && last_step(v) != NULL) return &last_step(v)->error;
    if (v->kind == KIND_REQUEST && last_answer(v) != NULL) return &last_answer(v)->error;
    return &v->error;
}

static const char *read_role(const char *word, uint32_t *to) {
    *to = strcmp(word, "server") == 0 ? EMBWS_SERVER : strcmp(word, "client") == 0 ? EMBWS_CLIENT : 0;
    return *to != 0 ? NULL : "server or client?";
}

/* The offset in a case is that of the next byte in line, if it says "here". */
static const char *read_fail(const vector *v, char *rest, fail *to) {
    const char *bad = read_number(next_word(&rest), &to->rule);
    const char *offset = next_word(&rest);
    to->set = 1;
    to->offset = (int64_t)v->in.n;
    if (bad == NULL && strcmp(offset, "here") != 0) bad = read_number(offset, &to->offset);
    return bad != NULL ? bad : read_number(next_word(&rest), &to->code);
}

static const char *read_outcome(vector *v, const char *word) {
    for (int i = OUTCOME_UPGRADE; i < OUTCOME_FAIL; i++) {
        if (strcmp(word, outcome_names[i]) == 0) {
            PUSH(&v->heads)->outcome = (enum outcome)i;
            return NULL;
        }
    }
    return "an unknown outcome";
}

static const char *read_level(vector *v, const char *word) {
    v->level = strcmp(word, "codec") == 0 ? LEVEL_CODEC : strcmp(word, "session") == 0 ? LEVEL_SESSION : LEVEL_BOTH;
    return v->level != LEVEL_BOTH ? NULL : "codec or session?";
}

static const char *read_rules(vector *v, char *rest) {
    int64_t rule;
    const char *bad = NULL;
    while (*rest != 0 && bad == NULL) {
        bad = read_number(next_word(&rest), &rule);
        v->rules++;
    }
    return bad;
}

static const char *check(const vector *v) {
    if (v->kind == KIND_NONE) return "no kind";
    if (v->rules == 0) return "no rules";
    if (v->kind == KIND_SEND && v->steps.n == 0) return "nothing is expected";
    if (v->kind == KIND_REQUEST && (v->heads.n == 0 || v->out.given)) return "no outcome, or an out line before it";
    return NULL;
}

/* The lines that belong to an outcome. */
static const char *of_head(parser *p, head *h, const char *word, char *rest) {
    if (h == NULL) return "unknown, or before an outcome";
    if (strcmp(word, "value") == 0) return read_setting(rest, PUSH(&h->values));
    if (strcmp(word, "has") == 0) return read_data(rest, PUSH(&h->has));
    if (strcmp(word, "rest") == 0) return read_data(rest, &h->rest);
    if (strcmp(word, "absent") == 0) {
        bytes_text(PUSH(&h->absent), rest);
        return NULL;
    }
    if (strcmp(word, "accept") == 0 || strcmp(word, "respond") == 0) {
        answer *a = PUSH(&h->answers);
        a->accept = word[0] == 'a';
        a->with = p->with;
        a->error = NONE;
        memset(&p->with, 0, sizeof p->with);
        return NULL;
    }
    return "unknown";
}

/* The lines that say what a case is. */
static const char *of_kind(vector *v, const char *word, char *rest) {
    if (word[0] == 'f' || word[0] == 's') {
        v->kind = word[0] == 'f' ? KIND_FRAMES : KIND_SEND;
        return read_role(rest, &v->role);
    }
    v->kind = strcmp(word, "request") == 0 ? KIND_REQUEST : KIND_RESPONSE;
    v->role = v->kind == KIND_REQUEST ? EMBWS_SERVER : EMBWS_CLIENT;
    return NULL;
}

static const char *read_in(vector *v, const char *rest) {
    if (v->kind != KIND_SEND) return read_data(rest, &v->in);
    step *s = PUSH(&v->steps);
    s->verb = DO_IN;
    s->error = NONE;
    return read_data(rest, &s->data);
}

static const char *read_option(vector *v, char *rest) {
    setting *s = PUSH(&v->options);
    s->name = next_word(&rest);
    bytes_text(&s->data, rest);
    return NULL;
}

/* The lines that belong to a case. */
static const char *of_case(parser *p, const char *word, char *rest) {
    static const char *const kinds[] = {"frames", "send", "request", "response"};
    vector *v = p->v;
    head *h = last_head(v);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(word, kinds[i]) == 0) return of_kind(v, word, rest);
    }
    if (strcmp(word, "end") == 0) {
        p->v = NULL;
        return check(v);
    }
    if (strcmp(word, "rules") == 0) return read_rules(v, rest);
    if (strcmp(word, "level") == 0) return read_level(v, rest);
    if (strcmp(word, "option") == 0) return read_option(v, rest);
    if (strcmp(word, "eof") == 0) return read_number(rest, &v->eof);
    if (strcmp(word, "keys") == 0) {
        v->keys.n = 0;
        return read_data(rest, &v->keys);
    }
    if (strcmp(word, "with") == 0) return read_setting(rest, PUSH(v->kind == KIND_RESPONSE ? &v->with : &p->with));
    if (strcmp(word, "in") == 0) return read_in(v, rest);
    if (strcmp(word, "do") == 0) return read_step(rest, PUSH(&v->steps));
    if (strcmp(word, "event") == 0) return read_event(rest, PUSH(h != NULL ? &h->events : &v->events));
    if (strcmp(word, "out") == 0) return read_data(rest, out_of(v));
    if (strcmp(word, "error") == 0) return read_number(rest, error_of(v));
    if (strcmp(word, "fail") == 0) {
        if (v->kind == KIND_FRAMES) return read_fail(v, rest, &v->fail);
        h = PUSH(&v->heads);
        h->outcome = OUTCOME_FAIL;
        return read_fail(v, rest, &h->fail);
    }
    if (strcmp(word, "outcome") == 0) {
        memset(&p->with, 0, sizeof p->with);
        return read_outcome(v, rest);
    }
    return of_head(p, h, word, rest);
}

static const char *directive(parser *p, vectors *to, const char *file, int number, char *line) {
    char *rest = line;
    const char *word = next_word(&rest);
    if (strcmp(word, "case") != 0) return p->v == NULL ? "outside of a case" : of_case(p, word, rest);
    if (p->v != NULL) return "the case before has no end";
    if (*rest == 0 || strpbrk(rest, " \t") != NULL) return "a name is one word";
    for (size_t i = 0; i < to->n; i++) {
        if (strcmp(to->at[i].name, rest) == 0) return "a second case of this name";
    }
    p->v = PUSH(to);
    memset(&p->with, 0, sizeof p->with);
    p->v->name = rest;
    p->v->file = file;
    p->v->line = number;
    p->v->eof = p->v->error = NONE;
    return read_data("37fa213d", &p->v->keys); /* the masking key of the examples in RFC 6455 5.7 */
}

/* The text of a file, for the rest of the program: names point into it. */
static char *text_of(const char *path) {
    FILE *file = fopen(path, "rb");
    bytes all = {0};
    char piece[4096];
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    for (size_t n; (n = fread(piece, 1, sizeof piece, file)) > 0;) bytes_add(&all, piece, n);
    fclose(file);
    bytes_add(&all, "", 0);
    return (char *)all.at;
}

void parse_file(const char *path, vectors *to) {
    char *next = text_of(path);
    const char *slash = strrchr(path, '/');
    const char *file = slash != NULL ? slash + 1 : path;
    parser p = {0};
    int number = 1;
    for (char *line = next; line != NULL; number++, line = next) {
        next = strchr(line, '\n');
        if (next != NULL) *next++ = 0;
        line += strspn(line, " \t\r");
        size_t length = strlen(line);
        while (length > 0 && strchr(" \t\r", line[length - 1]) != NULL) line[--length] = 0;
        if (length == 0 || line[0] == '#') continue;
        const char *bad = directive(&p, to, file, number, line);
        if (bad != NULL) {
            fprintf(stderr, "%s:%d: %s: %s\n", path, number, line, bad);
            exit(2);
        }
    }
    if (p.v != NULL) {
        fprintf(stderr, "%s: the last case has no end\n", path);
        exit(2);
    }
}

const char *option(const vector *v, const char *name) {
    for (size_t i = v->options.n; i-- > 0;) {
        if (strcmp(v->options.at[i].name, name) == 0) return (const char *)v->options.at[i].data.at;
    }
    return NULL;
}

int64_t option_number(const vector *v, const char *name) {
    const char *value = option(v, name);
    int64_t number = 0;
    if (value != NULL && read_number(value, &number) != NULL) wrong("option %s %s: not a number", name, value);
    return number;
}
