/* head.c: what the players of both handshakes share: feeding a head, and holding what it says against the case. */
#include "vectors.h"

#include <stdio.h>
#include <string.h>

enum { store = 2048 }; /* bytes, unless the case says otherwise (FORMAT.md) */

static guarded piece, memory;

void limits_of(const vector *v, embws_handshake_options *limits) {
    static LIST(embws_span) keep;
    EMBWS_INIT(limits);
    limits->max_head = option_number(v, "max-head");
    limits->max_fields = option_number(v, "max-fields");
    limits->max_subprotocols = option_number(v, "max-subprotocols");
    limits->store = option(v, "store") != NULL ? (size_t)option_number(v, "store") : store;
    if (option(v, "keep-all") != NULL) limits->flags = EMBWS_KEEP_ALL;
    keep.n = 0;
    for (size_t i = 0; i < v->options.n; i++) {
        if (strcmp(v->options.at[i].name, "keep") == 0) *PUSH(&keep) = bytes_span(&v->options.at[i].data);
    }
    limits->keep = keep.at;
    limits->keep_count = keep.n;
}

/* Gives pieces until the head is done or the input is used up: EMBWS_OK if more is needed. */
int32_t heads_next(heads *h, const receiver *r) {
    for (size_t i = 0; i < h->split->n; i++) {
        if (h->split->cuts[i] <= h->eaten) continue;
        size_t length = h->split->cuts[i] - h->eaten, eaten = SIZE_MAX;
        const uint8_t *from = h->in->at + h->eaten;
        uint8_t *at = lend_copy(&piece, from, length);
        int32_t status = r->receive(r->of, at, length, &eaten);
        if (eaten > length || (status == EMBWS_OK && eaten != length)) {
            wrong("ate %zu of %zu bytes at %zu, with %s", eaten, length, h->eaten, embws_status_name(status));
        }
        intact(&piece, ALL, "the input of a handshake");
        if (memcmp(at, from, length) != 0) wrong("a handshake changed its input");
        h->eaten += eaten;
        if (status != EMBWS_OK) return status;
    }
    return EMBWS_OK;
}

void compare_outcome(const vector *v, const head *want, int32_t status, const heads *h, const receiver *r) {
    static const int32_t statuses[] = {EMBWS_UPGRADE_REQUESTED, EMBWS_PLAIN_REQUEST, EMBWS_OK, EMBWS_OPENED,
                                       EMBWS_ERR_STATUS};
    embws_failure f;
    EMBWS_INIT(&f);
    same_status("failure", EMBWS_OK, r->failure(r->of, &f));
    if (want->outcome == OUTCOME_FAIL) {
        same_failure(v, &want->fail, status, &f, h->eaten);
        return;
    }
    same_status(outcome_names[want->outcome], statuses[want->outcome], status);
    same_status("failure.status", status < 0 ? status : EMBWS_OK, f.status);
    if (want->outcome == OUTCOME_REFUSED) same_number("failure.offset", (int64_t)h->eaten, (int64_t)f.offset);
}

/* Looks at a text of a head: it lies in the memory, with a NUL behind it. */
static void sound(const char *what, embws_span s, size_t size) {
    if (s.data == NULL) {
        if (s.length != 0) wrong("%s: NULL, but of %zu bytes", what, s.length);
        return;
    }
    uintptr_t at = (uintptr_t)s.data, from = (uintptr_t)lent(&memory);
    if (at < from || at - from >= size || s.length >= size - (at - from)) wrong("%s: lies outside of the memory", what);
    if (s.data[s.length] != 0) wrong("%s: no NUL behind it", what);
}

static void all_sound(const embws_head *h, size_t size) {
    sound("target", h->target, size);
    sound("path", h->path, size);
    sound("query", h->query, size);
    sound("host", h->host, size);
    sound("origin", h->origin, size);
    sound("subprotocol", h->subprotocol, size);
    for (size_t i = 0; i < h->subprotocol_count; i++) sound("subprotocols", h->subprotocols[i], size);
    for (size_t i = 0; i < h->field_count; i++) {
        sound("a field's name", h->fields[i].name, size);
        sound("a field's value", h->fields[i].value, size);
    }
    for (size_t i = 0; i < h->extension_count; i++) {
        const embws_extension *e = &h->extensions[i];
        sound("an extension's name", e->name, size);
        for (size_t k = 0; k < e->parameter_count; k++) {
            sound("a parameter's name", e->parameters[k].name, size);
            sound("a parameter's value", e->parameters[k].value, size);
        }
    }
}

/* An extension as a case writes it: name;parameter=value. */
static void write_extension(const embws_extension *e, bytes *to) {
    to->n = 0;
    bytes_add(to, e->name.data, e->name.length);
    for (size_t i = 0; i < e->parameter_count; i++) {
        const embws_parameter *p = &e->parameters[i];
        bytes_text(to, ";");
        bytes_add(to, p->name.data, p->name.length);
        if (p->value.data == NULL) continue;
        bytes_text(to, "=");
        bytes_add(to, p->value.data, p->value.length);
    }
}

static void same_value(const char *name, const bytes *want, embws_span got) {
    if (got.data == NULL) wrong("%s is not there, want %s", name, shown(want->at, want->n));
    same_bytes(name, want, got.data, got.length);
}

static void compare_values(const vector *v, const head *want, const embws_head *h) {
    static bytes line;
    size_t subprotocols = 0, extensions = 0;
    const embws_span *offered = h->subprotocols;
    size_t offers = h->subprotocol_count;
    if (v->role == EMBWS_CLIENT) {
        same_number("head.subprotocol_count of a client", 0, (int64_t)offers);
        offered = &h->subprotocol;
        offers = h->subprotocol.data != NULL;
    }
    for (size_t i = 0; i < want->values.n; i++) {
        const setting *s = &want->values.at[i];
        const char *name = s->name;
        if (strcmp(name, "subprotocol") == 0) {
            if (subprotocols == offers) wrong("subprotocol %zu is not there", subprotocols + 1);
            same_value(name, &s->data, offered[subprotocols++]);
        } else if (strcmp(name, "extension") == 0) {
            if (extensions == h->extension_count) wrong("extension %zu is not there", extensions + 1);
            write_extension(&h->extensions[extensions++], &line);
            same_bytes(name, &s->data, line.at, line.n);
        } else if (strcmp(name, "field") == 0) {
            same_value((const char *)s->key.at, &s->data, embws_head_field(h, (const char *)s->key.at));
        } else if (strcmp(name, "status") == 0) {
            char status[12];
            same_bytes(name, &s->data, status, (size_t)snprintf(status, sizeof status, "%u", h->status));
        } else {
            const struct {
                const char *name;
                embws_span span;
            } spans[] = {{"target", h->target},
                         {"path", h->path},
                         {"query", h->query},
                         {"host", h->host},
                         {"origin", h->origin}};
            size_t k = 0;
            while (k < sizeof spans / sizeof *spans && strcmp(name, spans[k].name) != 0) k++;
            if (k == sizeof spans / sizeof *spans) wrong("the case has an unknown value %s", name);
            same_value(name, &s->data, spans[k].span);
        }
    }
    same_number("subprotocols", (int64_t)subprotocols, (int64_t)offers);
    same_number("extensions", (int64_t)extensions, (int64_t)h->extension_count);
    for (size_t i = 0; i < want->absent.n; i++) {
        const char *name = (const char *)want->absent.at[i].at;
        embws_span value = embws_head_field(h, name);
        if (value.data != NULL) wrong("%s is there: %s", name, shown(value.data, value.length));
    }
}

/* Asks for a head with too little memory, and then with just enough, at any alignment. */
void compare_head(const vector *v, const head *want, const receiver *r, size_t skew) {
    embws_head h, before;
    size_t needed = 0, again = 0;
    EMBWS_INIT(&h);
    memcpy(&before, &h, sizeof h);
    if (want->outcome == OUTCOME_FAIL || want->outcome == OUTCOME_MORE) {
        same_status("head", EMBWS_ERR_STATE, r->head(r->of, &h, NULL, 0, &needed));
        if (needed != 0 || memcmp(&h, &before, sizeof h) != 0) wrong("head: failed, but wrote");
        return;
    }
    same_status("head without memory", EMBWS_ERR_NO_ROOM, r->head(r->of, &h, NULL, 0, &needed));
    if (needed == 0) wrong("head: needs no memory");
    skew = run.exact ? 0 : skew % 8;
    uint8_t *at = lend(&memory, needed - 1 + skew);
    same_status("head with too little memory", EMBWS_ERR_NO_ROOM, r->head(r->of, &h, at + skew, needed - 1, &again));
    same_number("needed", (int64_t)needed, (int64_t)again);
    intact(&memory, 0, "head with too little memory");
    if (memcmp(&h, &before, sizeof h) != 0) wrong("head with too little memory: wrote");
    at = lend(&memory, needed + skew);
    same_status("head", EMBWS_OK, r->head(r->of, &h, at + skew, needed, NULL));
    intact(&memory, ALL, "head");
    for (size_t i = 0; i < skew; i++) {
        if (at[i] != at[-1]) wrong("head: wrote before its memory");
    }
    same_number("head.struct_size", sizeof h, h.struct_size);
    all_sound(&h, needed + skew);
    if (v->role == EMBWS_SERVER) same_number("head.upgrade", want->outcome == OUTCOME_UPGRADE, h.upgrade);
    compare_values(v, want, &h);
}

/* ---- A session's handshake ---- */

static int32_t session_receive(void *of, const void *in, size_t length, size_t *eaten) {
    static embws_event events[2];
    endpoint *e = of;
    e->io.events = events;
    e->io.capacity = 1;
    e->io.in = (void *)(uintptr_t)in;
    e->io.in_length = length;
    events[1].start = 77;
    int32_t status = end_receive(e);
    *eaten = e->io.eaten;
    end_flush(e);
    if (events[1].start != 77) wrong("wrote behind the events");
    if (status != EMBWS_OK || e->io.found == 0) {
        same_number("events of a head that is not done", 0, e->io.found);
        return status;
    }
    same_number("the event's kind", EMBWS_HANDSHAKE, events[0].kind);
    if (e->io.state == EMBWS_STATE_OPEN) return EMBWS_OPENED;
    same_number("io->state", EMBWS_STATE_REQUEST, e->io.state);
    embws_head h;
    EMBWS_INIT(&h);
    size_t needed = 0;
    embws_session_head(e->session, &h, NULL, 0, &needed);
    uint8_t *at = lend(&memory, needed);
    same_status("embws_session_head", EMBWS_OK, embws_session_head(e->session, &h, at, needed, &needed));
    return h.upgrade == 1 ? EMBWS_UPGRADE_REQUESTED : EMBWS_PLAIN_REQUEST;
}

static int32_t session_head(void *of, embws_head *h, void *at, size_t capacity, size_t *needed) {
    return embws_session_head(((endpoint *)of)->session, h, at, capacity, needed);
}

static int32_t session_failure(void *of, embws_failure *f) {
    return embws_session_failure(((endpoint *)of)->session, f);
}

receiver session_receiver(endpoint *e) {
    receiver r = {e, session_receive, session_head, session_failure};
    return r;
}

static void take(stream *s) { end_flush(s->end); }

void rest_of_session(endpoint *e, const head *want, const heads *h) {
    static stream rest;
    embws_info info;
    end_info(e, &info);
    if (info.state != EMBWS_STATE_OPEN) return;
    stream_begin(&rest, e, 4);
    rest.after = take;
    rest.eaten = h->eaten;
    stream_feed(&rest, h->in, h->split->cuts, h->split->n);
    same_finds(&want->events, &rest.got);
}

void session_ends(endpoint *e, int64_t rule) {
    if (e->vector->eof != NONE) rule = e->vector->eof;
    same_number("rule of the transport's end", rule, rule_of(embws_session_end(e->session)));
}
