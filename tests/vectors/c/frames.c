/* frames.c: plays cases of the kind frames: bytes go in; events, answers and at most one failure come out. */
#include "vectors.h"

static stream s;
static endpoint e;

static void take(stream *of) { end_flush(of->end); }

/* Plays a case through a session that is lent `room` bytes of output a call. */
static void play_session(const vector *v, const split *cut, uint32_t slots, size_t room, int held) {
    playing(DEPTH_WAY, "session, %u events a call, output of %zu bytes", slots, room);
    plays++;
    end_session(&e, v, room);
    e.held = held;
    for (size_t i = 0; i < v->steps.n; i++) session_step(&e, &v->steps.at[i]);
    stream_begin(&s, &e, slots);
    s.after = take;
    int32_t failed = stream_feed(&s, &v->in, cut->cuts, cut->n);
    stream_compare(&s, failed);
    end_drain(&e);
    same_bytes("sent", &v->out, e.sent.at, e.sent.n);
    end_compare_peer_close(&e);
    end_free(&e);
}

/* Plays one split of a case in every way that gives the same. */
void play_frames(const vector *v, const split *cut) {
    static const uint32_t counts[] = {1, 2, 64};
    enum { kinds = 3 };
    if (option(v, "output") != NULL) {
        play_session(v, cut, 1, (size_t)option_number(v, "output"), 1);
        return;
    }
    if (option(v, "memory") != NULL) {
        play_next(v, cut);
        return;
    }
    /* Long input takes long: the splits share the ways. */
    int few = run.brief && v->in.n > WHOLE_INPUT;
    int share = few || (cut->index > 1 && v->in.n > WHOLE_INPUT);
    for (size_t i = 0; i < kinds; i++) {
        if (share && i != cut->index % kinds) continue;
        if (v->level != LEVEL_SESSION) play_codec(v, cut, counts[i]);
        if (v->level != LEVEL_CODEC) {
            play_session(v, cut, counts[i], v->out.n + EMBWS_MAX_CONTROL_FRAME_SIZE, 0);
        }
    }
    if (v->level == LEVEL_CODEC) return;
    for (size_t i = 0; i < ROOMS; i++) {
        if ((few || cut->index > 1) && i != cut->index % ROOMS) continue;
        play_session(v, cut, 1, rooms[i], 0);
    }
    if (cut->index < 2 && !few) play_session(v, cut, 1, 0, 0); /* all of it waits inside */
    play_next(v, cut);
}
