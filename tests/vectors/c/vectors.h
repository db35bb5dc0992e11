/*
 * vectors.h: the shared vectors (tests/vectors/FORMAT.md) in C: their cases, and what the players of each kind share.
 *
 *   data.c       byte strings and lists, and DATA as the text of a case writes it
 *   parse.c      the text of a file, as cases
 *   steps.c      its lines that are read word by word: events, steps, settings
 *   report.c     what is being played, and how a play ends that went wrong
 *   memory.c     memory that is lent to the library, with canaries around it
 *   splits.c     the ways to cut input into pieces
 *   ends.c       a codec and a session, as one thing that receives
 *   stream.c     feeds such a thing and gathers what it finds
 *   frames.c, codec.c, next.c, send.c, head.c, answer.c, request.c, response.c
 *                the players
 */
#ifndef VECTORS_H
#define VECTORS_H

#include <embws.h>

#include <stddef.h>
#include <stdint.h>

/* ---- data.c ---- */

/* Bytes that grow. There is always a NUL behind them. */
typedef struct bytes {
    uint8_t *at;
    size_t n, capacity;
    int given; /* there is a line for it, maybe of no bytes */
} bytes;

#define LIST(type)          \
    struct {                \
        type *at;           \
        size_t n, capacity; \
    }

/* Makes room for one more element, all zeros, and returns where the list is then. */
void *grow(void *at, size_t *capacity, size_t n, size_t size);

/* Appends an element of zeros to a list, and is its address. */
#define PUSH(list)                                                                                 \
    ((list)->at = grow((list)->at, &(list)->capacity, (list)->n, sizeof *(list)->at), (list)->n++, \
     &(list)->at[(list)->n - 1])

void bytes_add(bytes *to, const void *from, size_t n);
void bytes_text(bytes *to, const char *text);
int bytes_equal(const bytes *a, const void *b, size_t n);
int bytes_hold(const bytes *all, const void *part, size_t n);
embws_span bytes_span(const bytes *b);

/* Reads DATA behind what is there; returns NULL, or what is wrong. */
const char *read_data(const char *text, bytes *to);

/* Reads a text without its quotes, with escapes, up to `end`. */
const char *read_quoted(const char *text, const char *end, bytes *to);

/* ---- parse.c, steps.c: a case ---- */

#define NONE (-1) /* no rule */

enum kind { KIND_NONE, KIND_FRAMES, KIND_SEND, KIND_REQUEST, KIND_RESPONSE };
enum level { LEVEL_BOTH, LEVEL_CODEC, LEVEL_SESSION };

/* An option, or an argument of something to do, or a value of a head. */
typedef struct setting {
    char *name;
    bytes key; /* the field's name, where name is field */
    bytes data;
} setting;
typedef LIST(setting) settings;

/* What is found: a frame of a message, or a control frame; or, at the level of messages, a message. */
typedef struct found {
    uint32_t kind; /* EMBWS_TEXT and so on */
    uint32_t code; /* of a Close */
    char edges[5]; /* MFfm, with a dash for each that is missing */
    bytes data;    /* of a Close its reason */
} found;
typedef LIST(found) finds;

/* RULE OFFSET CODE of a fail line. */
typedef struct fail {
    int set;
    int64_t rule, offset, code;
} fail;

enum verb { DO_FRAME, DO_CLOSE, DO_HEADER, DO_PAYLOAD, DO_IN };

/* Something that a sender does, or bytes that reach it. */
typedef struct step {
    enum verb verb;
    uint32_t opcode, fin;
    uint64_t size; /* of DO_HEADER */
    int64_t code;  /* of DO_CLOSE */
    bytes data, out;
    int64_t error; /* the rule for which it is refused, or NONE */
} step;

typedef struct answer {
    int accept; /* or respond */
    settings with;
    bytes out;
    int64_t error;
} answer;

enum outcome { OUTCOME_UPGRADE, OUTCOME_PLAIN, OUTCOME_MORE, OUTCOME_OPEN, OUTCOME_REFUSED, OUTCOME_FAIL };
extern const char *const outcome_names[];

/* What a handshake makes of one request or response. */
typedef struct head {
    enum outcome outcome;
    fail fail;
    settings values;
    LIST(bytes) absent;
    LIST(bytes) has;
    LIST(answer) answers;
    bytes rest;
    finds events;
} head;

typedef struct vector {
    char *name;
    const char *file;
    int line;
    int rules; /* how many */
    enum kind kind;
    uint32_t role;
    enum level level;
    settings options;
    bytes keys;
    bytes in;
    finds events;
    bytes out;
    fail fail;
    int64_t eof; /* a rule, 0 for a clean end, or NONE if it is not asked */
    LIST(step) steps;
    LIST(head) heads;
    settings with;
    int64_t error; /* response: the rule for which the request is not sent, or NONE */
} vector;
typedef LIST(vector) vectors;

/* Reads the cases of a file; what is wrong in it ends the program. */
void parse_file(const char *path, vectors *to);

/* The last value of an option, or NULL. A number, or 0 without the option. */
const char *option(const vector *v, const char *name);
int64_t option_number(const vector *v, const char *name);

/* What steps.c reads of a line; NULL, or what is wrong. */
char *next_word(char **rest);
const char *read_number(const char *text, int64_t *to);
const char *read_setting(char *rest, setting *to);
const char *read_event(char *rest, found *to);
const char *read_step(char *rest, step *to);

/* ---- report.c ---- */

/* How a run is done. */
typedef struct settings_of_run {
    uint64_t seed;
    int brief; /* fewer splits */
    int exact; /* no canaries: blocks of malloc, which end where they end, for valgrind */
} settings_of_run;
extern settings_of_run run;

extern uint64_t plays; /* of one split, through one end, in one way */

/* Says what is being played, for the report of what goes wrong: one line for each depth. */
enum depth { DEPTH_SPLIT, DEPTH_WAY, DEPTH_PART, DEPTHS };
void playing(enum depth depth, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ends the play of this case, with what was expected and what came. */
void wrong(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Runs play(v); 1 if it went well, else 0, with the report printed and what was left open freed. */
int attempt(const vector *v, void (*play)(const vector *v));

/* Compares bytes, numbers. */
void same_bytes(const char *what, const bytes *want, const void *got, size_t n);
void same_number(const char *what, int64_t want, int64_t got);
void same_status(const char *what, int32_t want, int32_t got);

/* The rule of a status: 0 for EMBWS_OK, NONE for one that has none. */
int64_t rule_of(int32_t status);

/* How bytes are shown: long ones are cut. The memory is used again four calls later. */
const char *shown(const void *at, size_t n);

/* ---- memory.c ---- */

/* Memory for the library, with canaries on both sides. */
typedef struct guarded {
    uint8_t *all;
    size_t capacity, n;
} guarded;

/* n bytes full of canaries; a copy; n bytes of what was there before. With run.exact they are a block of their own. */
uint8_t *lend(guarded *g, size_t n);
uint8_t *lend_copy(guarded *g, const void *from, size_t n);
uint8_t *lend_as_is(guarded *g, size_t n);

uint8_t *lent(const guarded *g); /* what was lent last */

/* Checks the canaries around, and inside from `used` on. */
#define ALL SIZE_MAX
void intact(const guarded *g, size_t used, const char *what);

/* A random source that gives the same bytes over and over, and fails if there are none. */
typedef struct cycle {
    const bytes *data;
    size_t at;
} cycle;
int32_t cycle_fill(void *context, void *memory, size_t length);

/* ---- splits.c ---- */

/* One way to cut input: the offsets at which pieces end. */
typedef struct split {
    const size_t *cuts;
    size_t n;
    size_t index; /* counts the splits of a case, so that other choices can go round */
} split;

typedef void player(const vector *v, const split *s);
void each_split(const vector *v, int brief, player *play);

#define WHOLE_INPUT 4096u /* bytes of input up to which every two-way split is played */

/* Where the frame begins in which the byte at `offset` of a case's input lies. */
size_t frame_start(const vector *v, size_t offset);

/* A number below `below`, from the seed. */
size_t chance(size_t below);

/* Sizes of output buffers. */
#define ROOMS 5u
extern const size_t rooms[ROOMS];

/* ---- ends.c, stream.c ---- */

/* A codec or a session that plays a case, with the bytes that it was made to send. */
typedef struct endpoint {
    const vector *vector;
    embws_codec *codec; /* one of them */
    embws_session *session;
    cycle keys;
    uint8_t before[32]; /* canaries around io */
    embws_io io;
    uint8_t after[32];
    size_t room; /* of a session's io->out, each call */
    int held;    /* it is all the room that there is until the end */
    guarded out;
    bytes sent;
} endpoint;

void end_codec(endpoint *e, const vector *v, size_t index);
void end_session(endpoint *e, const vector *v, size_t room);
void end_serve(endpoint *e, const vector *v, const embws_handshake_options *limits, size_t room);
int32_t end_connect(endpoint *e, const vector *v, const embws_request *request, const embws_handshake_options *limits,
                    size_t room);
void end_free(endpoint *e);
void end_abandon(void); /* frees what a play that went wrong has left open */
void end_last(void);    /* frees the codec that is used again and again */
void codec_options(const vector *v, cycle *keys, embws_options *to);

/* A call with e->io is made between these: they lend a session its room, look whether io was changed where it must not
 * be, and take what is to be sent. */
void end_begin(endpoint *e);
void end_took(endpoint *e);
void end_flush(endpoint *e); /* takes what waits */
void end_drain(endpoint *e); /* the same where output is held, after all input */

int32_t end_receive(endpoint *e);
int32_t end_ended(endpoint *e);
void end_failure(endpoint *e, embws_failure *failure);
void end_info(endpoint *e, embws_info *info);
void end_compare_peer_close(endpoint *e);

/* Feeds an end. */
typedef struct stream {
    endpoint *end;
    uint32_t slots;
    void (*after)(struct stream *s); /* what is to be done behind each call */
    size_t eaten;
    finds got;
    int open; /* a frame is unfinished */
    uint64_t left;
} stream;

void stream_begin(stream *s, endpoint *e, uint32_t slots);

/* Gives in[s->eaten ..] in pieces, and returns the violation that ended it, or EMBWS_OK. */
int32_t stream_feed(stream *s, const bytes *in, const size_t *cuts, size_t n);

/* Holds all that was found against the case. */
void stream_compare(stream *s, int32_t failed);

void same_finds(const finds *want, const finds *got);
void same_failure(const vector *v, const fail *want, int32_t failed, const embws_failure *f, size_t eaten);
void finds_clear(finds *f);
found *finds_add(finds *f, uint32_t kind, const char *edges, uint32_t code, const void *data, size_t n);

/* ---- the players ---- */

player play_frames, play_request, play_response, play_next;
void play_send(const vector *v);
void play_codec(const vector *v, const split *s, uint32_t slots);
void codec_step(endpoint *e, const step *s, int spare);
void session_step(endpoint *e, const step *s);

/* ---- head.c, answer.c: what both handshakes share ---- */

/* Where the input of a handshake stands. */
typedef struct heads {
    const bytes *in;
    const split *split;
    size_t eaten;
} heads;

/* What receives: bytes in, what is eaten, and 1 when the head is done, with the status. */
typedef struct receiver {
    void *of;
    int32_t (*receive)(void *of, const void *in, size_t length, size_t *eaten);
    int32_t (*head)(void *of, embws_head *head, void *memory, size_t capacity, size_t *needed);
    int32_t (*failure)(void *of, embws_failure *failure);
} receiver;

int32_t heads_next(heads *h, const receiver *r);
void compare_outcome(const vector *v, const head *want, int32_t status, const heads *h, const receiver *r);
void compare_head(const vector *v, const head *want, const receiver *r, size_t skew);
void limits_of(const vector *v, embws_handshake_options *limits);
void rest_of_session(endpoint *e, const head *want, const heads *h);
void session_ends(endpoint *e, int64_t rule);
receiver session_receiver(endpoint *e);

typedef struct answer_with {
    embws_acceptance acceptance;
    embws_response response;
    embws_request request;
} answer_with;

/* Makes the arguments of an answer or a request, as far as the settings say. They last until the next call. */
void arguments_of(const settings *with, answer_with *to);
void well_formed(const head *want, const bytes *got);

#endif
