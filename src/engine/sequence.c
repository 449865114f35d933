/* From a prompt to an answer, a step at a time. See sequence.h. */
#include "engine/sequence.h"

#include <math.h>

static const r1_model_info *info_of(const r1_sequence *q) { return r1_model_get_info(q->s->e->m); }

/* ---- before the first token ------------------------------------------------------------------------------------ */

static r1_status start_reasoning(r1_sequence *q)
{
    const r1_tokenizer *t = r1_model_get_tokenizer(q->s->e->m);
    const r1_generate_options *o = q->o;
    size_t n = q->s->n + q->n_prompt;
    if (!t && o->n_stop) return r1_fail(q->err, R1_EUNSUPPORTED, "stop strings need a tokenizer, and the model has none");
    if (!t) return R1_OK;
    r1_reasoning_options ro = { .off = o->raw, .think_budget = o->think_budget, .no_loop_guard = o->no_loop_guard || o->raw, .ignore_eos = o->ignore_eos,
                                .stop = o->stop, .n_stop = o->n_stop, .on_text = o->on_text, .ctx = o->ctx };
    int32_t *all = malloc(n * sizeof *all); /* the machine starts from everything that came before */
    if (!all) return r1_fail(q->err, R1_ENOMEM, "no memory for %zu ids", n);
    memcpy(all, q->s->ids, q->s->n * sizeof *all);
    memcpy(all + q->s->n, q->prompt, q->n_prompt * sizeof *all);
    r1_status s = r1_reasoning_new(&q->reasoning, t, all, n, &ro, q->err);
    free(all);
    return s;
}

static r1_status start_sampler(r1_sequence *q)
{
    const r1_model_info *info = info_of(q);
    /* Padding rows are never sampled; but the raw greedy continuation is the argmax of the model's own logits, all of them. */
    int32_t n_tokens = q->o->raw && q->o->sampling.temperature == 0 ? info->n_vocab : info->n_tokens;
    r1_status s = r1_sampler_new(&q->sampler, info->n_vocab, n_tokens, &q->o->sampling, q->err);
    for (size_t i = 0; s == R1_OK && i < q->s->n; i++) r1_sampler_accept(q->sampler, q->s->ids[i]);
    for (size_t i = 0; s == R1_OK && i < q->n_prompt; i++) r1_sampler_accept(q->sampler, q->prompt[i]);
    return s;
}

static r1_status start_guesses(r1_sequence *q)
{
    int most = q->o->speculation;
    if (most < R1_SPECULATION_OFF || most > R1_SPECULATION_MAX)
        return r1_fail(q->err, R1_EINVAL, "speculation is %d, expected %d (off), 0 (automatic) or 1 to %d", most, R1_SPECULATION_OFF, R1_SPECULATION_MAX);
    q->max_guesses = most == R1_SPECULATION_OFF ? 0 : most == R1_SPECULATION_AUTO ? R1_SPECULATION_MAX : (size_t)most;
    q->max_guesses = r1_min(q->max_guesses, q->max_tokens - 1);
    return R1_OK;
}

r1_status r1_sequence_start(r1_sequence *q)
{
    *q = (r1_sequence){ .s = q->s, .prompt = q->prompt, .n_prompt = q->n_prompt, .o = q->o, .out = q->out, .err = q->err,
                        .read = q->prompt, .n_to_read = q->n_prompt };
    r1_generation *out = q->out;
    *out = (r1_generation){ .n_prompt = q->n_prompt };
    r1_status s = r1_session_check(q->s, q->prompt, q->n_prompt, q->err);
    if (s == R1_OK && q->n_prompt == 0) s = r1_fail(q->err, R1_EINVAL, "the prompt is empty");
    if (s) goto failed;
    size_t room = q->s->n_ctx - q->s->n - q->n_prompt + 1; /* the last token generated is not run */
    q->max_tokens = q->o->max_tokens ? r1_min(q->o->max_tokens, room) : room;
    s = start_guesses(q);
    if (s) goto failed;
    out->ids = malloc(q->max_tokens * sizeof *out->ids);
    out->logprobs = malloc(q->max_tokens * sizeof *out->logprobs);
    if (!out->ids || !out->logprobs) s = r1_fail(q->err, R1_ENOMEM, "no memory to generate %zu tokens", q->max_tokens);
    if (s == R1_OK) s = start_sampler(q);
    if (s == R1_OK) s = start_reasoning(q);
    if (s) goto failed;
    q->begun = q->answering = r1_now();
    return R1_OK;
failed:
    r1_reasoning_free(q->reasoning);
    q->reasoning = NULL;
    q->state = R1_SEQUENCE_ENDED;
    q->status = s;
    q->begun = 0; /* nothing was run */
    return s;
}

void r1_sequence_share(r1_sequence *q, const r1_session *from, size_t n)
{
    r1_session_share(q->s, from, n);
    q->n_read = n;
}

/* ---- steps ----------------------------------------------------------------------------------------------------- */

void r1_sequence_end(r1_sequence *q, r1_status s)
{
    q->state = R1_SEQUENCE_ENDED;
    q->status = s;
}

static bool tell_reading(r1_sequence *q)
{
    const r1_generate_options *o = q->o;
    if (q->put_back || !o->on_prefill || o->on_prefill(o->ctx, q->n_read, q->n_to_read)) return true;
    r1_sequence_end(q, r1_fail(q->err, R1_ECANCELLED, "cancelled"));
    return false;
}

/* The index of what was run and, behind it, of the token that waits. */
static void sync_guesses(r1_sequence *q)
{
    r1_lookup_sync(q->s->lookup, q->s->ids, q->s->n);
    if (q->state == R1_SEQUENCE_WAITING) r1_lookup_add(q->s->lookup, q->ahead[0]);
    q->match = r1_lookup_find(q->s->lookup);
}

r1_status r1_sequence_guess(r1_sequence *q, bool on)
{
    on = on && q->max_guesses;
    if (on == q->guessing) return R1_OK;
    q->guessing = false;
    if (on && !q->s->lookup) {
        r1_status s = r1_lookup_new(&q->s->lookup, q->s->n_ctx, q->err);
        if (s) return s;
    }
    q->guessing = on;
    if (on && q->state == R1_SEQUENCE_WAITING) sync_guesses(q);
    return R1_OK;
}

/* Guesses behind the chosen token. */
static void guess(r1_sequence *q, size_t most)
{
    r1_session *s = q->s;
    most = r1_min(most, r1_min(q->max_guesses, q->max_tokens - q->out->n_ids - 1));
    if (!q->match.length) return;
    q->n_ahead = q->o->speculation == R1_SPECULATION_AUTO ? r1_draft_length(&s->e->costs, &s->odds, q->match.length, most) : most;
    r1_lookup_copy(s->lookup, q->match, q->ahead + 1, q->n_ahead);
}

bool r1_sequence_next(r1_sequence *q, size_t most, size_t guesses, r1_batch_row *row)
{
    if (q->state == R1_SEQUENCE_READING) {
        if (!tell_reading(q)) return false;
        size_t n = r1_min(most, q->n_to_read - q->n_read);
        *row = (r1_batch_row){ q->s, q->read + q->n_read, n, NULL, !q->put_back && q->n_read + n == q->n_to_read };
        return true;
    }
    q->i_ahead = q->n_ahead = 0;
    if (q->guessing) guess(q, guesses);
    *row = (r1_batch_row){ q->s, q->ahead, 1 + q->n_ahead, NULL, 1 + q->n_ahead };
    return true;
}

static void took_reading(r1_sequence *q, const r1_batch_row *row)
{
    q->n_read += row->n_ids;
    if (q->n_read < q->n_to_read) return;
    if (q->put_back) { /* the token that was chosen before it was put back still waits */
        q->state = R1_SEQUENCE_WAITING;
        q->put_back = false;
        if (q->guessing) sync_guesses(q);
        return;
    }
    if (!tell_reading(q)) return;
    q->answering = r1_now();
    q->out->finish = R1_FINISH_LENGTH;
    q->state = R1_SEQUENCE_READY;
    if (q->guessing) sync_guesses(q);
}

void r1_sequence_took(r1_sequence *q, const r1_batch_row *row, double seconds)
{
    q->logits = row->logits;
    if (q->state == R1_SEQUENCE_READING) {
        took_reading(q, row);
        return;
    }
    r1_draft_measured(&q->s->e->costs, q->n_ahead, seconds);
    q->s->n -= q->n_ahead; /* the pages stay */
    q->out->n_drafted += q->n_ahead;
    q->state = R1_SEQUENCE_READY;
}

void r1_sequence_put_back(r1_sequence *q)
{
    size_t n = q->s->n;
    r1_session_truncate(q->s, 0);
    q->n_read = 0;
    if (q->state == R1_SEQUENCE_WAITING) { /* the session's ids stay where they are and are read from there */
        q->state = R1_SEQUENCE_READING;
        q->put_back = true;
        q->read = q->s->ids;
        q->n_to_read = n;
    }
}

/* ---- tokens ---------------------------------------------------------------------------------------------------- */

/* log p(id) of the model itself, for tokens that were not sampled. */
static float logprob_of(const r1_sequence *q, int32_t id)
{
    const int32_t n = info_of(q)->n_tokens;
    double m = -INFINITY, sum = 0;
    for (int32_t i = 0; i < n; i++) m = fmax(m, (double)q->logits[i]);
    for (int32_t i = 0; i < n; i++) sum += exp(q->logits[i] - m);
    return (float)(q->logits[id] - m - log(sum));
}

static bool any_finite(const r1_sequence *q)
{
    for (int32_t i = 0; i < info_of(q)->n_vocab; i++)
        if (isfinite(q->logits[i])) return true;
    return false;
}

void r1_sequence_choose(r1_sequence *q)
{
    int32_t forced = q->reasoning ? r1_reasoning_forced(q->reasoning) : -1;
    q->chosen = (r1_sample){ .id = forced };
    q->choice = R1_OK;
    if (forced >= 0) q->chosen.logprob = logprob_of(q, forced);
    else q->choice = r1_sampler_sample(q->sampler, q->logits, q->s->n, &q->chosen, q->err);
    if (q->choice == R1_EINVAL && !any_finite(q))
        q->choice = r1_fail(q->err, R1_EFORMAT, "the logits after %zu tokens hold no finite number: weights of the model are damaged", q->s->n);
}

/* Hand the chosen token to everybody. */
static r1_status hand_out(r1_sequence *q)
{
    const r1_sample *t = &q->chosen;
    r1_generation *out = q->out;
    if (q->choice) return q->choice;
    r1_sampler_accept(q->sampler, t->id);
    out->ids[out->n_ids] = t->id;
    out->logprobs[out->n_ids++] = t->logprob;
    if (q->o->on_token && !q->o->on_token(q->o->ctx, t)) return r1_fail(q->err, R1_ECANCELLED, "cancelled");
    return q->reasoning ? r1_reasoning_accept(q->reasoning, t->id, q->err) : R1_OK;
}

/* Whether the last step has run the chosen token already. What was expected of it is learned from. */
static bool guessed(r1_sequence *q, int32_t id)
{
    r1_session *s = q->s;
    int32_t expected;
    if (!q->guessing) return false;
    if (q->match.length) {
        r1_lookup_copy(s->lookup, q->match, &expected, 1);
        r1_draft_learn(&s->odds, q->match.length, id == expected);
    }
    r1_lookup_add(s->lookup, id);
    q->match = r1_lookup_find(s->lookup);
    if (q->i_ahead == q->n_ahead || q->ahead[1 + q->i_ahead] != id) return false;
    q->i_ahead++;
    s->n++;
    q->logits += info_of(q)->n_vocab;
    q->out->n_accepted++;
    return true;
}

void r1_sequence_accept(r1_sequence *q)
{
    r1_status s = hand_out(q);
    int32_t id = q->chosen.id;
    bool done = s == R1_OK && q->reasoning && r1_reasoning_done(q->reasoning) != R1_END_NONE;
    if (done) q->out->finish = R1_FINISH_STOP;
    if (s || done || q->out->n_ids == q->max_tokens) {
        r1_sequence_end(q, s);
        return;
    }
    if (guessed(q, id)) return;
    q->ahead[0] = id;
    q->i_ahead = q->n_ahead = 0;
    q->state = R1_SEQUENCE_WAITING;
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

static char *copy_text(const r1_buf *b, size_t *n, r1_status *s, r1_error *err)
{
    char *p = malloc(b->len + 1);
    *n = 0;
    if (!p) {
        if (*s == R1_OK) *s = r1_fail(err, R1_ENOMEM, "no memory for an answer of %zu bytes", b->len);
        return NULL;
    }
    if (b->len) memcpy(p, b->data, b->len);
    p[b->len] = 0;
    *n = b->len;
    return p;
}

/* What there is goes to *out, also after a failure. */
static r1_status collect(r1_sequence *q, r1_status s)
{
    r1_generation *g = q->out;
    if (s == R1_ECANCELLED) {
        g->finish = R1_FINISH_CANCELLED;
        s = R1_OK;
    }
    if (!q->reasoning) {
        static const r1_buf nothing;
        g->content = copy_text(&nothing, &g->n_content, &s, q->err);
        g->reasoning = copy_text(&nothing, &g->n_reasoning, &s, q->err);
        return s;
    }
    r1_status end = r1_reasoning_finish(q->reasoning, s == R1_OK ? q->err : NULL);
    if (end == R1_ECANCELLED) g->finish = R1_FINISH_CANCELLED;
    else if (s == R1_OK) s = end;
    g->content = copy_text(r1_reasoning_text(q->reasoning, R1_PART_ANSWER), &g->n_content, &s, q->err);
    g->reasoning = copy_text(r1_reasoning_text(q->reasoning, R1_PART_THINKING), &g->n_reasoning, &s, q->err);
    g->n_reasoning_ids = r1_reasoning_thinking_tokens(q->reasoning);
    g->budget_closed = r1_reasoning_budget_closed(q->reasoning);
    g->loop_closed = r1_reasoning_loop_closed(q->reasoning);
    return s;
}

void r1_sequence_abandon(r1_sequence *q)
{
    r1_reasoning_free(q->reasoning);
    r1_sampler_free(q->sampler);
    q->reasoning = NULL;
    q->sampler = NULL;
}

r1_status r1_sequence_finish(r1_sequence *q)
{
    r1_status s = q->status;
    r1_generation *g = q->out;
    if (q->begun > 0) {
        bool answered = q->answering > q->begun;
        r1_kv_resize(q->s->kv, q->s->n); /* without pages of guesses that did not come true */
        s = collect(q, s);
        double now = r1_now();
        g->prefill_s = (answered ? q->answering : now) - q->begun;
        g->decode_s = answered ? now - q->answering : 0;
    }
    r1_sequence_abandon(q);
    q->state = R1_SEQUENCE_ENDED;
    return s;
}
