/* The reasoning machine: ids in; which part they belong to, text, and ids to force out.
 *
 * A token's way: control ids and end ids stop here; ids of tags change the part; bytes of all others go through
 *   detok      whole characters only
 *   tags       where the vocabulary has no tags: out of the text, and they change the part
 *   the part   thinking: white space waits until something follows it; answer: stop strings
 * into the buffer of the part, and once a token is through, what is new there goes to on_text. Nothing is ever removed from a
 * buffer, so what was streamed is the result, and no step looks at where a token ended, so how bytes are cut into tokens
 * changes nothing.
 *
 * Common: plain tokens of either part. Rare: everything else, which is why it is worth one place of its own.
 */
#include "text/reasoning_int.h"

static const char notice_text[] = "\n\nI have to answer now.\n";

enum {
    NOTICE_ROOM = 32, /* tokens left after the notice: a sentence; at most an eighth of the budget */
    LATE_MAX = 4      /* tokens a forced id waits for a character to be complete: no character has more */
};

typedef enum r1_forcing { FORCING_NOTHING, FORCING_NOTICE, FORCING_CLOSE } r1_forcing;

struct r1_reasoning {
    const r1_tokenizer *t;
    r1_reasoning_options o;    /* o.stop is not kept */
    int32_t open, close;       /* ids of the tags, -1: none */
    bool tags_in_text;
    r1_part part;
    r1_reasoning_end end;
    bool finished;

    /* the text */
    r1_detok detok;
    r1_tags tags;
    r1_stops stops;
    r1_buf chars, plain;       /* of the current token: whole characters; the same without tags */
    r1_buf space;              /* white space of the thought that waits */
    r1_buf text[2];            /* by r1_part */
    size_t given[2];           /* bytes that on_text has seen */
    bool keep_space;           /* the answer begins as it is */
    bool answered, thought;    /* the part has begun; thought: since its last tag */

    /* budget and loops */
    r1_ids notice, closing;
    r1_forcing forcing;
    size_t n_forced;           /* ids of it that were accepted */
    size_t n_thinking, notice_at;
    bool noticed, loop_found, closed_by_force, budget_closed, loop_closed;
    r1_loop loop;
};

static size_t leading_space(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && r1_is_space(p[i])) i++;
    return i;
}

static size_t without_trailing_space(const char *p, size_t n)
{
    while (n && r1_is_space(p[n - 1])) n--;
    return n;
}

/* ---- the parts ------------------------------------------------------------------------------------------------- */

static r1_status add(r1_reasoning *r, r1_part part, const char *p, size_t n, r1_error *err)
{
    r1_status s = r1_buf_add(&r->text[part], p, n, err);
    return r1_context(err, s, part == R1_PART_THINKING ? "the thinking" : "the answer");
}

static r1_status think(r1_reasoning *r, const char *p, size_t n, r1_error *err)
{
    r1_status s = R1_OK;
    if (!r->thought) {
        size_t skip = leading_space(p, n);
        if (skip == n) return R1_OK;
        p += skip;
        n -= skip;
        r->thought = true;
        if (r->text[R1_PART_THINKING].len) s = add(r, R1_PART_THINKING, "\n\n", 2, err); /* an earlier thought */
    }
    size_t now = without_trailing_space(p, n);
    if (!s && now) {
        if (r->space.len) s = add(r, R1_PART_THINKING, r->space.data, r->space.len, err);
        if (!s) s = add(r, R1_PART_THINKING, p, now, err);
        r1_buf_clear(&r->space);
    }
    return s ? s : r1_buf_add(&r->space, p + now, n - now, err);
}

static r1_status answer(r1_reasoning *r, const char *p, size_t n, r1_error *err)
{
    if (!r->answered && !r->keep_space) {
        size_t skip = leading_space(p, n);
        p += skip;
        n -= skip;
    }
    if (!n) return R1_OK;
    r->answered = true;
    bool hit;
    r1_status s = r1_stops_feed(&r->stops, p, n, &r->text[R1_PART_ANSWER], &hit, err);
    if (!s && hit) r->end = R1_END_STOP_STRING;
    return r1_context(err, s, "the answer");
}

static r1_status to_part(r1_reasoning *r, const char *p, size_t n, r1_error *err)
{
    if (r->end == R1_END_STOP_STRING || !n) return R1_OK;
    return r->part == R1_PART_THINKING ? think(r, p, n, err) : answer(r, p, n, err);
}

/* Change the part if the tag does; see the rules in reasoning.h. */
static bool tag_changes(const r1_reasoning *r, r1_tag tag)
{
    if (tag == R1_TAG_CLOSE) return r->part == R1_PART_THINKING;
    return r->part == R1_PART_ANSWER && !r->answered && !r->closed_by_force;
}

static void change_part(r1_reasoning *r)
{
    r->part = r->part == R1_PART_THINKING ? R1_PART_ANSWER : R1_PART_THINKING;
    r->thought = false;
    r->keep_space = false;
    r->loop_found = false;
    r->tags = (r1_tags){ 0 };
    r1_buf_clear(&r->space);
}

/* ---- text ------------------------------------------------------------------------------------------------------ */

/* Whole characters, in r->chars. */
static r1_status take_chars(r1_reasoning *r, r1_error *err)
{
    const char *p = r->chars.data, *end = p + r->chars.len;
    if (!r->tags_in_text) return to_part(r, p, r->chars.len, err);
    r1_status s = R1_OK;
    while (!s && p < end) {
        r1_tag tag;
        r1_buf_clear(&r->plain);
        s = r1_tags_feed(&r->tags, &p, end, &r->plain, &tag, err);
        if (!s) s = to_part(r, r->plain.data, r->plain.len, err);
        if (!s && tag && tag_changes(r, tag)) change_part(r);
    }
    return s;
}

static r1_status take_text(r1_reasoning *r, int32_t id, r1_error *err)
{
    r1_buf_clear(&r->chars);
    r1_status s = r1_detok_token(&r->detok, r->t, id, &r->chars, err);
    return s || !r->chars.len ? s : take_chars(r, err);
}

/* The part ends here: what is half there is not continued. */
static r1_status end_text(r1_reasoning *r, r1_error *err)
{
    r1_buf_clear(&r->chars);
    r1_status s = r1_detok_end(&r->detok, &r->chars, err);
    if (!s && r->chars.len) s = take_chars(r, err);
    if (s) return s;
    r1_slice held = r1_tags_held(&r->tags);
    s = to_part(r, held.p, held.n, err);
    r->tags = (r1_tags){ 0 };
    return s;
}

static r1_status take_tag(r1_reasoning *r, r1_tag tag, r1_error *err)
{
    if (!tag_changes(r, tag)) return R1_OK;
    r1_status s = end_text(r, err);
    if (!s && tag_changes(r, tag)) change_part(r); /* what was half there may have begun the answer */
    return s;
}

/* Give out what is new. */
static r1_status give(r1_reasoning *r, r1_error *err)
{
    for (int part = R1_PART_THINKING; part <= R1_PART_ANSWER; part++) {
        size_t from = r->given[part], n = r->text[part].len - from;
        r->given[part] += n;
        if (!n || !r->o.on_text || r->o.on_text(r->o.ctx, (r1_part)part, r->text[part].data + from, n)) continue;
        r->o.on_text = NULL; /* it asked for no more */
        return r1_fail(err, R1_ECANCELLED, "cancelled");
    }
    return R1_OK;
}

/* ---- forced ids ------------------------------------------------------------------------------------------------ */

static const r1_ids *forced_ids(const r1_reasoning *r) { return r->forcing == FORCING_NOTICE ? &r->notice : &r->closing; }

static void force(r1_reasoning *r, r1_forcing what)
{
    r->forcing = what;
    r->n_forced = 0;
    if (forced_ids(r)->n) return;
    change_part(r); /* a vocabulary that cannot spell the tag; an empty notice is not forced */
    r->forcing = FORCING_NOTHING;
}

/* Begin to force something if it is time. */
static void look_at_limits(r1_reasoning *r)
{
    if (r->part != R1_PART_THINKING || r->closed_by_force) return;
    bool budget = r->o.think_budget >= 0;
    size_t limit = budget ? (size_t)r->o.think_budget : 0;
    bool spent = budget && r->n_thinking >= limit, near = budget && !r->noticed && r->n_thinking >= r->notice_at;
    if (r->detok.n_held && r->n_thinking < limit + LATE_MAX && !r->loop_found) return;
    if (spent || r->loop_found) {
        r->closed_by_force = true;
        if (r->loop_found) r->loop_closed = true;
        else r->budget_closed = true;
        force(r, FORCING_CLOSE);
    } else if (near) {
        r->noticed = true;
        force(r, FORCING_NOTICE);
    }
}

int32_t r1_reasoning_forced(r1_reasoning *r)
{
    if (r->end || r->finished) return -1;
    if (!r->forcing) look_at_limits(r);
    return r->forcing ? forced_ids(r)->ids[r->n_forced] : -1;
}

/* An id that was to be forced has come. */
static void forced_came(r1_reasoning *r)
{
    if (++r->n_forced < forced_ids(r)->n) return;
    if (r->forcing == FORCING_CLOSE && r->part == R1_PART_THINKING) change_part(r); /* they do not spell the tag */
    r->forcing = FORCING_NOTHING;
}

/* ---- tokens ---------------------------------------------------------------------------------------------------- */

static r1_tag tag_of(const r1_reasoning *r, int32_t id)
{
    if (id < 0) return R1_TAG_NONE;
    return id == r->open ? R1_TAG_OPEN : id == r->close ? R1_TAG_CLOSE : R1_TAG_NONE;
}

static r1_status take(r1_reasoning *r, int32_t id, r1_error *err)
{
    r1_tag tag = tag_of(r, id);
    if (tag && !r->o.off) return take_tag(r, tag, err);
    if (r1_token_is_eog(r->t, id)) return R1_OK; /* ignored, or it had not come here */
    return r1_tokenizer_is_special(r->t, id) && !tag ? R1_OK : take_text(r, id, err);
}

static void guard(r1_reasoning *r, int32_t id)
{
    bool thinking = r->part == R1_PART_THINKING;
    if (r->o.no_loop_guard || (thinking && r->closed_by_force)) return; /* it is being closed */
    if (!r1_loop_add(&r->loop, id, r->part) || r->end) return;
    if (thinking) {
        r->loop_found = true;
    } else {
        r->loop_closed = true;
        r->end = R1_END_LOOP;
    }
}

r1_status r1_reasoning_accept(r1_reasoning *r, int32_t id, r1_error *err)
{
    if (r->end || r->finished) return R1_OK;
    bool eog = r1_token_is_eog(r->t, id);
    if (eog && !r->o.ignore_eos) {
        r->end = R1_END_EOG;
        return R1_OK;
    }
    bool was_thinking = r->part == R1_PART_THINKING, forced = r->forcing && forced_ids(r)->ids[r->n_forced] == id;
    r1_status s = take(r, id, err);
    if (s) return s;
    if (was_thinking && !(forced && r->forcing == FORCING_CLOSE) && (r->tags_in_text || !tag_of(r, id))) r->n_thinking++;
    if (forced) forced_came(r);
    if (!eog) guard(r, id);
    return give(r, err);
}

r1_status r1_reasoning_finish(r1_reasoning *r, r1_error *err)
{
    if (r->finished) return R1_OK;
    r1_status s = end_text(r, err);
    if (!s && r->part == R1_PART_THINKING && r->space.len) s = add(r, R1_PART_THINKING, r->space.data, r->space.len, err);
    if (!s && r->end != R1_END_STOP_STRING) {
        r1_slice held = r1_stops_held(&r->stops);
        s = add(r, R1_PART_ANSWER, held.p, held.n, err);
    }
    r->finished = true;
    return s ? s : give(r, err);
}

/* ---- starting -------------------------------------------------------------------------------------------------- */

/* What follows the last token of the prompt that is a role or the end of a turn, as text; the tags' ids are in it too. */
static r1_status text_of_turn(const r1_reasoning *r, const int32_t *prompt, size_t n, r1_buf *out, size_t *from, r1_error *err)
{
    size_t i = n;
    while (i && !(r1_tokenizer_is_added(r->t, prompt[i - 1]) && !tag_of(r, prompt[i - 1]))) i--;
    *from = i;
    for (r1_status s; i < n; i++) {
        size_t bytes;
        const char *p = r1_token_bytes(r->t, prompt[i], &bytes);
        if (p && (s = r1_buf_add(out, p, bytes, err))) return s;
    }
    return R1_OK;
}

/* The last tag among ids[from..n), whose text is `turn`, and the bytes of text after it. */
static r1_tag last_tag(const r1_reasoning *r, const int32_t *ids, size_t from, size_t n, const r1_buf *turn, size_t *after)
{
    *after = 0;
    for (size_t i = n; i > from; i--) {
        size_t bytes;
        r1_tag tag = tag_of(r, ids[i - 1]);
        if (tag && !r->tags_in_text) return tag;
        if (r1_token_bytes(r->t, ids[i - 1], &bytes)) *after += bytes;
    }
    if (!r->tags_in_text) return R1_TAG_NONE;
    static const char *const spelled[] = { [R1_TAG_OPEN] = "<think>", [R1_TAG_CLOSE] = "</think>" };
    for (size_t at = turn->len; at-- > 0;)
        for (int tag = R1_TAG_OPEN; tag <= R1_TAG_CLOSE; tag++) {
            size_t len = strlen(spelled[tag]);
            if (turn->len - at < len || memcmp(turn->data + at, spelled[tag], len)) continue;
            *after = turn->len - at - len;
            return (r1_tag)tag;
        }
    return R1_TAG_NONE;
}

static r1_status start_part(r1_reasoning *r, const int32_t *prompt, size_t n, r1_error *err)
{
    r->part = R1_PART_ANSWER;
    r->keep_space = r->o.off;
    if (r->o.off) return R1_OK;
    r1_buf turn;
    size_t from, after;
    r1_buf_init(&turn, SIZE_MAX / 4);
    r1_status s = text_of_turn(r, prompt, n, &turn, &from, err);
    r1_tag tag = s ? R1_TAG_NONE : last_tag(r, prompt, from, n, &turn, &after);
    if (!s) {
        const char *tail = after ? turn.data + (turn.len - after) : "";
        size_t skip = leading_space(tail, after), len = without_trailing_space(tail + skip, after - skip);
        bool begun = len != 0;
        if (tag == R1_TAG_OPEN) r->part = R1_PART_THINKING, r->thought = begun;
        else if (tag == R1_TAG_CLOSE) r->answered = begun;
        else r->keep_space = begun && !(len == 9 && !memcmp(tail + skip, "assistant", 9)); /* ChatML's role */
    }
    r1_buf_deinit(&turn);
    return s;
}

static r1_status encode(const r1_reasoning *r, const char *text, r1_ids *out, r1_error *err)
{
    return r1_tokenizer_encode(r->t, text, strlen(text), R1_SPECIAL_NONE, out, err);
}

static r1_status prepare_forced(r1_reasoning *r, r1_error *err)
{
    r1_status s;
    if (r->tags_in_text) {
        s = encode(r, "\n</think>\n\n", &r->closing, err);
    } else {
        s = encode(r, "\n", &r->closing, err);
        if (!s) s = r1_ids_add(&r->closing, r->close, err);
        if (!s) s = encode(r, "\n\n", &r->closing, err);
    }
    if (!s) s = encode(r, notice_text, &r->notice, err);
    size_t budget = r->o.think_budget > 0 ? (size_t)r->o.think_budget : 0, len = r->notice.n;
    r->noticed = !len || budget < 2 * len; /* no room for it */
    if (!r->noticed) r->notice_at = budget - len - r1_min(NOTICE_ROOM, budget / 8);
    return s;
}

r1_status r1_reasoning_new(r1_reasoning **out, const r1_tokenizer *t, const int32_t *prompt, size_t n, const r1_reasoning_options *o, r1_error *err)
{
    *out = NULL;
    r1_reasoning *r = calloc(1, sizeof *r);
    if (!r) return r1_fail(err, R1_ENOMEM, "no memory for the reasoning machine");
    r->t = t;
    r->o = *o;
    r->o.stop = NULL;
    r->open = r1_tokenizer_find(t, "<think>", 7);
    r->close = r1_tokenizer_find(t, "</think>", 8);
    r->tags_in_text = !o->off && (r->open < 0 || r->close < 0);
    r1_buf_init(&r->chars, R1_PART_BYTES_MAX);
    r1_buf_init(&r->plain, R1_PART_BYTES_MAX);
    r1_buf_init(&r->space, R1_PART_BYTES_MAX);
    for (int part = 0; part < 2; part++) r1_buf_init(&r->text[part], R1_PART_BYTES_MAX);
    r1_status s = r1_stops_init(&r->stops, o->stop, o->n_stop, err);
    if (!s && !o->off) s = prepare_forced(r, err);
    if (!s) s = start_part(r, prompt, n, err);
    if (s) {
        r1_reasoning_free(r);
        return s;
    }
    *out = r;
    return R1_OK;
}

void r1_reasoning_free(r1_reasoning *r)
{
    if (!r) return;
    r1_stops_deinit(&r->stops);
    r1_buf_deinit(&r->chars);
    r1_buf_deinit(&r->plain);
    r1_buf_deinit(&r->space);
    for (int part = 0; part < 2; part++) r1_buf_deinit(&r->text[part]);
    r1_ids_deinit(&r->notice);
    r1_ids_deinit(&r->closing);
    free(r);
}

/* ---- questions ------------------------------------------------------------------------------------------------- */

r1_reasoning_end r1_reasoning_done(const r1_reasoning *r) { return r->end; }
r1_part r1_reasoning_part(const r1_reasoning *r) { return r->part; }
size_t r1_reasoning_thinking_tokens(const r1_reasoning *r) { return r->n_thinking; }
bool r1_reasoning_budget_closed(const r1_reasoning *r) { return r->budget_closed; }
bool r1_reasoning_loop_closed(const r1_reasoning *r) { return r->loop_closed; }
const r1_buf *r1_reasoning_text(const r1_reasoning *r, r1_part part) { return &r->text[part]; }
