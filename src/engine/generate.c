/* From a prompt to an answer: prefill, sampling, the reasoning machine; and conversations to ids.
 *
 * Guessing ahead (lookup.h, draft.h): a step runs the token chosen last and some guesses behind it, and gives logits after each.
 * Then everything goes on as without guesses, a token at a time: sampler, callbacks, reasoning machine. A chosen token that is
 * the next guess was run already and its logits are there; another one ends the row, and what was run behind it is forgotten.
 * A row of a batch step gives the bits of single steps, so nobody can see the difference: the session's length counts guesses
 * only when they have come true, also for callbacks that look at it.
 */
#include "engine/engine_int.h"
#include "base/json.h"
#include "text/reasoning.h"

#include <math.h>

typedef struct run {
    r1_session *s;
    const r1_generate_options *o;
    r1_generation *out;
    r1_error *err;
    r1_sampler *sampler;
    r1_reasoning *reasoning;  /* NULL: the model has no tokenizer */
    float *rows;              /* [1 + max_drafts, n_vocab] */
    float *logits;            /* the row the next token is chosen from */
    size_t max_tokens, max_drafts;
    int32_t ahead[1 + R1_DRAFT_MAX]; /* the last step: a token, then guesses */
    size_t n_ahead, i_ahead;  /* guesses of it, and how many have come true */
    r1_match match;           /* of the end of all tokens so far */
} run;

void r1_generation_deinit(r1_generation *g)
{
    free(g->content);
    free(g->reasoning);
    free(g->ids);
    free(g->logprobs);
    *g = (r1_generation){ 0 };
}

/* log p(id) of the model itself, for tokens that were not sampled. */
static float logprob_of(const run *r, int32_t id)
{
    const r1_model_info *info = r1_model_get_info(r->s->e->m);
    double m = -INFINITY, sum = 0;
    for (int32_t i = 0; i < info->n_tokens; i++) m = fmax(m, (double)r->logits[i]);
    for (int32_t i = 0; i < info->n_tokens; i++) sum += exp(r->logits[i] - m);
    return (float)(r->logits[id] - m - log(sum));
}

static bool any_finite(const run *r)
{
    for (int32_t i = 0; i < r1_model_get_info(r->s->e->m)->n_vocab; i++)
        if (isfinite(r->logits[i])) return true;
    return false;
}

/* ---- before the first token ------------------------------------------------------------------------------------ */

static r1_status start_reasoning(run *r, const int32_t *prompt, size_t n, r1_error *err)
{
    const r1_tokenizer *t = r1_model_get_tokenizer(r->s->e->m);
    const r1_generate_options *o = r->o;
    if (!t && o->n_stop) return r1_fail(err, R1_EUNSUPPORTED, "stop strings need a tokenizer, and the model has none");
    if (!t) return R1_OK;
    r1_reasoning_options ro = { .off = o->raw, .think_budget = o->think_budget, .no_loop_guard = o->no_loop_guard || o->raw, .ignore_eos = o->ignore_eos,
                                .stop = o->stop, .n_stop = o->n_stop, .on_text = o->on_text, .ctx = o->ctx };
    int32_t *all = malloc((r->s->n + n) * sizeof *all); /* the machine starts from everything that came before */
    if (!all) return r1_fail(err, R1_ENOMEM, "no memory for %zu ids", r->s->n + n);
    memcpy(all, r->s->ids, r->s->n * sizeof *all);
    memcpy(all + r->s->n, prompt, n * sizeof *all);
    r1_status s = r1_reasoning_new(&r->reasoning, t, all, r->s->n + n, &ro, err);
    free(all);
    return s;
}

static r1_status start_sampler(run *r, const int32_t *prompt, size_t n)
{
    const r1_model_info *info = r1_model_get_info(r->s->e->m);
    /* Padding rows are never sampled; but the raw greedy continuation is the argmax of the model's own logits, all of them. */
    int32_t n_tokens = r->o->raw && r->o->sampling.temperature == 0 ? info->n_vocab : info->n_tokens;
    r1_status s = r1_sampler_new(&r->sampler, info->n_vocab, n_tokens, &r->o->sampling, r->err);
    for (size_t i = 0; s == R1_OK && i < r->s->n; i++) r1_sampler_accept(r->sampler, r->s->ids[i]);
    for (size_t i = 0; s == R1_OK && i < n; i++) r1_sampler_accept(r->sampler, prompt[i]);
    return s;
}

static r1_status start_drafts(run *r)
{
    int most = r->o->speculation;
    if (most < R1_SPECULATION_OFF || most > R1_SPECULATION_MAX)
        return r1_fail(r->err, R1_EINVAL, "speculation is %d, expected %d (off), 0 (automatic) or 1 to %d", most, R1_SPECULATION_OFF, R1_SPECULATION_MAX);
    r->max_drafts = most == R1_SPECULATION_OFF ? 0 : most == R1_SPECULATION_AUTO ? R1_SPECULATION_MAX : (size_t)most;
    r->max_drafts = r1_min(r->max_drafts, r->max_tokens - 1);
    return r->max_drafts && !r->s->lookup ? r1_lookup_new(&r->s->lookup, r->s->n_ctx, r->err) : R1_OK;
}

static r1_status start(run *r, const int32_t *prompt, size_t n)
{
    r1_status s = r1_session_check(r->s, prompt, n, r->err);
    if (s == R1_OK && n == 0) s = r1_fail(r->err, R1_EINVAL, "the prompt is empty");
    if (s) return s;
    size_t room = r->s->n_ctx - r->s->n - n + 1; /* the last token generated is not run */
    r->max_tokens = r->o->max_tokens ? r1_min(r->o->max_tokens, room) : room;
    s = start_drafts(r);
    if (s) return s;
    r->logits = r->rows = malloc((1 + r->max_drafts) * (size_t)r1_model_get_info(r->s->e->m)->n_vocab * sizeof *r->rows);
    r->out->ids = malloc(r->max_tokens * sizeof *r->out->ids);
    r->out->logprobs = malloc(r->max_tokens * sizeof *r->out->logprobs);
    if (!r->rows || !r->out->ids || !r->out->logprobs) return r1_fail(r->err, R1_ENOMEM, "no memory to generate %zu tokens", r->max_tokens);
    s = start_sampler(r, prompt, n);
    return s ? s : start_reasoning(r, prompt, n, r->err);
}

/* The prompt, a chunk at a time, so that it can be watched and cancelled. */
static r1_status prefill(run *r, const int32_t *prompt, size_t n)
{
    r1_engine *e = r->s->e;
    const r1_generate_options *o = r->o;
    for (size_t done = 0; done < n;) {
        size_t m = r1_min(e->chunk, n - done);
        if (o->on_prefill && !o->on_prefill(o->ctx, done, n)) return r1_fail(r->err, R1_ECANCELLED, "cancelled");
        r1_batch_row row = { r->s, prompt + done, m, r->logits, done + m == n };
        r1_status s = r1_batch_step(e, &row, 1, r->err);
        if (s) return s;
        done += m;
    }
    if (o->on_prefill && !o->on_prefill(o->ctx, n, n)) return r1_fail(r->err, R1_ECANCELLED, "cancelled");
    return R1_OK;
}

/* ---- tokens ---------------------------------------------------------------------------------------------------- */

/* Choose the next token and hand it to everybody. */
static r1_status next_token(run *r, r1_sample *t)
{
    int32_t forced = r->reasoning ? r1_reasoning_forced(r->reasoning) : -1;
    r1_status s = R1_OK;
    *t = (r1_sample){ .id = forced };
    if (forced >= 0) t->logprob = logprob_of(r, forced);
    else s = r1_sampler_sample(r->sampler, r->logits, r->s->n, t, r->err);
    if (s == R1_EINVAL && !any_finite(r))
        return r1_fail(r->err, R1_EFORMAT, "the logits after %zu tokens hold no finite number: weights of the model are damaged", r->s->n);
    if (s) return s;
    r1_sampler_accept(r->sampler, t->id);
    r->out->ids[r->out->n_ids] = t->id;
    r->out->logprobs[r->out->n_ids++] = t->logprob;
    if (r->o->on_token && !r->o->on_token(r->o->ctx, t)) return r1_fail(r->err, R1_ECANCELLED, "cancelled");
    return r->reasoning ? r1_reasoning_accept(r->reasoning, t->id, r->err) : R1_OK;
}

/* Whether the last step has run the chosen token already. What was expected of it is learned from. */
static bool guessed(run *r, int32_t id)
{
    r1_session *s = r->s;
    int32_t expected;
    if (!r->max_drafts) return false;
    if (r->match.length) {
        r1_lookup_copy(s->lookup, r->match, &expected, 1);
        r1_draft_learn(&s->odds, r->match.length, id == expected);
    }
    r1_lookup_add(s->lookup, id);
    r->match = r1_lookup_find(s->lookup);
    if (r->i_ahead == r->n_ahead || r->ahead[1 + r->i_ahead] != id) return false;
    r->i_ahead++;
    s->n++;
    r->logits += r1_model_get_info(s->e->m)->n_vocab;
    r->out->n_accepted++;
    return true;
}

/* Guesses behind the chosen token. */
static void guess(run *r)
{
    r1_session *s = r->s;
    size_t most = r1_min(r->max_drafts, r->max_tokens - r->out->n_ids - 1);
    if (!r->match.length) return;
    r->n_ahead = r->o->speculation == R1_SPECULATION_AUTO ? r1_draft_length(&s->e->costs, &s->odds, r->match.length, most) : most;
    r1_lookup_copy(s->lookup, r->match, r->ahead + 1, r->n_ahead);
}

/* Run the chosen token and guesses behind it. */
static r1_status step(run *r, int32_t id)
{
    r1_session *s = r->s;
    r->ahead[0] = id;
    r->i_ahead = r->n_ahead = 0;
    if (r->max_drafts) guess(r);
    r1_batch_row row = { s, r->ahead, 1 + r->n_ahead, r->rows, 1 + r->n_ahead };
    double t = r1_now();
    r1_status st = r1_batch_step(s->e, &row, 1, r->err);
    if (st) return st;
    r1_draft_measured(&s->e->costs, r->n_ahead, r1_now() - t);
    s->n -= r->n_ahead; /* the pages stay */
    r->logits = r->rows;
    r->out->n_drafted += r->n_ahead;
    return R1_OK;
}

static r1_status decode(run *r)
{
    r->out->finish = R1_FINISH_LENGTH;
    if (r->max_drafts) {
        r1_lookup_sync(r->s->lookup, r->s->ids, r->s->n);
        r->match = r1_lookup_find(r->s->lookup);
    }
    while (r->out->n_ids < r->max_tokens) {
        r1_sample t;
        r1_status s = next_token(r, &t);
        if (s) return s;
        if (r->reasoning && r1_reasoning_done(r->reasoning) != R1_END_NONE) {
            r->out->finish = R1_FINISH_STOP;
            return R1_OK;
        }
        if (r->out->n_ids == r->max_tokens) break;
        if (guessed(r, t.id)) continue;
        s = step(r, t.id);
        if (s) return s;
    }
    return R1_OK;
}

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
static r1_status collect(run *r, r1_status s)
{
    r1_generation *g = r->out;
    if (s == R1_ECANCELLED) {
        g->finish = R1_FINISH_CANCELLED;
        s = R1_OK;
    }
    if (!r->reasoning) {
        static const r1_buf nothing;
        g->content = copy_text(&nothing, &g->n_content, &s, r->err);
        g->reasoning = copy_text(&nothing, &g->n_reasoning, &s, r->err);
        return s;
    }
    r1_status end = r1_reasoning_finish(r->reasoning, s == R1_OK ? r->err : NULL);
    if (end == R1_ECANCELLED) g->finish = R1_FINISH_CANCELLED;
    else if (s == R1_OK) s = end;
    g->content = copy_text(r1_reasoning_text(r->reasoning, R1_PART_ANSWER), &g->n_content, &s, r->err);
    g->reasoning = copy_text(r1_reasoning_text(r->reasoning, R1_PART_THINKING), &g->n_reasoning, &s, r->err);
    g->n_reasoning_ids = r1_reasoning_thinking_tokens(r->reasoning);
    g->budget_closed = r1_reasoning_budget_closed(r->reasoning);
    g->loop_closed = r1_reasoning_loop_closed(r->reasoning);
    return s;
}

r1_status r1_generate(r1_session *session, const int32_t *prompt, size_t n_prompt, const r1_generate_options *o, r1_generation *out, r1_error *err)
{
    *out = (r1_generation){ .n_prompt = n_prompt };
    run r = { .s = session, .o = o, .out = out, .err = err };
    r1_status s = start(&r, prompt, n_prompt);
    double t0 = r1_now(), t1 = t0;
    if (s == R1_OK) {
        s = prefill(&r, prompt, n_prompt);
        t1 = r1_now();
        if (s == R1_OK) s = decode(&r);
        r1_kv_resize(session->kv, session->n); /* without pages of guesses that did not come true */
        s = collect(&r, s);
    }
    out->prefill_s = t1 - t0;
    out->decode_s = r1_now() - t1;
    r1_reasoning_free(r.reasoning);
    r1_sampler_free(r.sampler);
    free(r.rows);
    return s;
}

/* ---- conversations --------------------------------------------------------------------------------------------- */

r1_status r1_chat_ids(const r1_model *m, const char *name, const char *request, size_t n, int32_t **ids, size_t *n_ids, r1_error *err)
{
    const r1_tokenizer *tokenizer = r1_model_get_tokenizer(m);
    const r1_template *t = name ? r1_template_find(name) : r1_model_template(m);
    *ids = NULL;
    *n_ids = 0;
    if (!tokenizer) return r1_fail(err, R1_EUNSUPPORTED, "the model has no tokenizer");
    if (!t && name) return r1_fail(err, R1_EUNSUPPORTED, "template '%s' is not known; known are %s", name, r1_template_names());
    if (!t) return r1_fail(err, R1_EUNSUPPORTED, "the model's chat template is not one r1 knows; name one with --template: %s", r1_template_names());
    json_t *j;
    r1_rendering r;
    r1_ids v = { 0 };
    size_t n_bos = 0;
    const char *bos = r1_token_bytes(tokenizer, r1_tokenizer_bos(tokenizer), &n_bos); /* where the template writes BOS, it is the model's */
    char text[256];
    bool own = bos && n_bos < sizeof text;
    if (own) memcpy(text, bos, n_bos);
    if (own) text[n_bos] = 0;
    r1_status s = r1_json_parse(&j, request, n, err);
    if (s) return s;
    s = r1_template_render(t, j, own ? text : NULL, &r, err);
    if (s == R1_OK) {
        s = r1_rendering_encode(&r, tokenizer, &v, err);
        r1_rendering_deinit(&r);
    }
    json_decref(j);
    if (s) {
        r1_ids_deinit(&v);
        return s;
    }
    *ids = v.ids;
    *n_ids = v.n;
    return R1_OK;
}
