/* What `r1 bench` measures of a model: prefill and decode.
 *
 * Prefill is one prompt of random ids, logits of its last token only. Decode is steps of one token for each of B sequences, the
 * next ids random too: no sampling, no text. A depth is context that is there before the clock starts. It is computed once and
 * cut back to after each repeat, so a repeat costs what it measures. Sequences of a batch start from a prompt of their own of at
 * least PROMPT tokens; a single one starts from the depth alone, as other programs measure it.
 */
#include "cli/bench.h"
#include "base/rng.h"
#include "model/forward.h"

#include <math.h>

enum { PROMPT = 16, PIECE = 512 /* tokens between two looks at whether the user asked to stop */, WARM_STEPS = 16 };

typedef struct runner {
    r1_bench *b;
    r1_setup u;
    r1_session **sessions;   /* [n_sessions] */
    size_t n_sessions;
    r1_batch_row *rows;      /* [n_sessions] */
    int32_t *next;           /* [n_sessions] */
    float *logits;           /* [n_sessions, V] */
    size_t V;
    uint64_t seed;
    r1_progress bar;
    double done, all;        /* work of the test that runs, in tokens of prompts: for the bar alone */
    double step, asked, asks; /* work of the step that runs; how often it was asked whether to go on, and how often it will be */
    double speed[R1_BENCH_REPEATS], share[R1_BENCH_REPEATS];
} runner;

/* Between two layers. A picture ten times a second costs nothing that can be measured. */
static bool go_on(void *ctx)
{
    runner *r = ctx;
    r1_progress_step(&r->bar, r->done + r->step * fmin(r->asked++ / r->asks, 1), r->all);
    return !r1_interrupted();
}

/* Of a decode step. It reads all weights, which takes about as long as computing eight tokens of a prompt. */
static double step_work(size_t batch) { return (double)r1_max(batch, 8); }

/* A step of n tokens together, which is so much work. */
static r1_status step(runner *r, r1_batch_row *rows, size_t n_rows, size_t n, double work, r1_error *err)
{
    size_t chunk = r->b->c->o.chunk ? (size_t)r->b->c->o.chunk : PIECE; /* as the engine's own */
    r->step = work;
    r->asked = 0;
    r->asks = (double)(r1_ceil_div(n, chunk) * (size_t)r1_model_get_info(r->u.model)->n_layers);
    r1_status s = r1_interrupted() ? r1_fail(err, R1_ECANCELLED, "interrupted") : r1_batch_step(r->u.engine, rows, n_rows, err);
    r->done += work;
    r->step = 0;
    return s;
}

static int32_t random_id(const runner *r, size_t sequence, size_t position)
{
    uint32_t word[4];
    r1_rng_block(r->seed, sequence, position, word);
    return (int32_t)(word[0] % (uint32_t)r1_model_get_info(r->u.model)->n_tokens);
}

/* Append n random ids to a sequence, in pieces the user can interrupt between; logits of the last one if asked for. */
static r1_status feed(runner *r, size_t sequence, size_t n, float *logits, r1_error *err)
{
    r1_session *t = r->sessions[sequence];
    int32_t ids[PIECE];
    r1_status s = R1_OK;
    while (n > 0 && s == R1_OK) {
        size_t piece = r1_min(n, PIECE), at = r1_session_length(t);
        for (size_t i = 0; i < piece; i++) ids[i] = random_id(r, sequence, at + i);
        bool last = piece == n && logits;
        r1_batch_row row = { t, ids, piece, last ? logits : NULL, last };
        s = step(r, &row, 1, piece, (double)piece, err);
        n -= piece;
    }
    return s;
}

/* A sequence with exactly n tokens of context. */
static r1_status set_depth(runner *r, size_t sequence, size_t n, r1_error *err)
{
    r1_session *t = r->sessions[sequence];
    r1_session_truncate(t, n);
    return feed(r, sequence, n - r1_session_length(t), NULL, err);
}

static r1_status decode_steps(runner *r, size_t batch, size_t steps, r1_error *err)
{
    r1_status s = R1_OK;
    for (size_t k = 0; k < steps && s == R1_OK; k++) {
        for (size_t i = 0; i < batch; i++) {
            r->next[i] = random_id(r, i, r1_session_length(r->sessions[i]));
            r->rows[i] = (r1_batch_row){ r->sessions[i], &r->next[i], 1, r->logits + i * r->V, 1 };
        }
        s = step(r, r->rows, batch, batch, step_work(batch), err);
    }
    return s;
}

static bool is_prefill(const r1_bench_test *t) { return !strcmp(t->name, "prefill"); }

/* Tokens of each sequence before the clock starts. */
static size_t start_of(const r1_bench_test *t) { return t->batch > 1 ? r1_max(t->depth, PROMPT) : t->depth; }

/* What the run that does not count computes: a whole prompt, or some steps. */
static size_t warm_tokens(const r1_bench_test *t) { return is_prefill(t) ? t->tokens : r1_min(t->tokens, WARM_STEPS); }

/* Of all runs of a test: what is missing of the depth, which is computed once, the run that does not count, and the repeats. */
static double work_of(const runner *r, const r1_bench_test *t)
{
    double work = 0, tokens = (double)(warm_tokens(t) + r->b->repeat * t->tokens);
    for (size_t i = 0; i < t->batch; i++) {
        size_t have = r1_session_length(r->sessions[i]);
        work += (double)(start_of(t) - r1_min(have, start_of(t)));
    }
    return work + tokens * (is_prefill(t) ? 1 : step_work(t->batch));
}

/* One timed run of a test from its depth on. */
static r1_status run_once(runner *r, const r1_bench_test *t, bool warm, double *seconds, r1_error *err)
{
    size_t start = start_of(t), tokens = warm ? warm_tokens(t) : t->tokens;
    r1_status s = R1_OK;
    for (size_t i = 0; i < t->batch && s == R1_OK; i++) s = set_depth(r, i, start, err);
    if (s) return s;
    double begin = r1_now();
    s = is_prefill(t) ? feed(r, 0, tokens, r->logits, err) : decode_steps(r, t->batch, tokens, err);
    *seconds = r1_now() - begin;
    return s;
}

static r1_status run_test(runner *r, r1_bench_test *t, r1_error *err)
{
    r1_bench *b = r->b;
    double seconds;
    bool alone = !strcmp(t->name, "decode") && t->batch == 1;
    double gb = alone ? 1e-9 * (double)r1_model_token_bytes(r->u.model) : 0;
    char label[96];
    snprintf(label, sizeof label, "%s %zu, batch %zu, depth %zu", t->name, t->tokens, t->batch, t->depth);
    r->done = 0;
    r->all = work_of(r, t);
    r1_progress_begin(&r->bar, &b->c->err, b->c->o.quiet, label, "");
    r1_status s = run_once(r, t, true, &seconds, err);
    for (size_t i = 0; i < b->repeat && s == R1_OK; i++) {
        double memory = b->roof.pool && alone ? r1_roof_read(&b->roof.loops, b->roof.pool, b->roof.buffer, b->roof.bytes) : INFINITY;
        s = run_once(r, t, false, &seconds, err);
        r->speed[i] = (double)(t->tokens * t->batch) / seconds;
        r->share[i] = gb * r->speed[i] / memory;
    }
    r1_progress_end(&r->bar);
    if (s) return r1_context(err, s, "%s", label);
    t->speed = r1_bench_stat_of(r->speed, b->repeat);
    t->share = r1_bench_stat_of(r->share, b->repeat);
    t->weights_gb_s = gb * t->speed.median;
    return R1_OK;
}

/* ---- set-up ---------------------------------------------------------------------------------------------------- */

static size_t largest(const r1_bench_list *l)
{
    size_t most = 0;
    for (size_t i = 0; i < l->n; i++) most = r1_max(most, l->items[i]);
    return most;
}

/* How many sessions the plan needs, and the tokens they hold at its largest: the first one also for prefill. */
typedef struct needs { size_t n, first, each; } needs;

static needs needs_of(const r1_bench *b)
{
    size_t depth = largest(&b->depth), decode = largest(&b->decode), n = decode ? r1_max(1, largest(&b->batch)) : 1;
    size_t start = n > 1 ? r1_max(depth, PROMPT) : depth; /* the prompts of a batch are ours */
    return (needs){ n, r1_max(start + decode, depth + largest(&b->prefill)), start + decode };
}

static double needed_bytes(const runner *r, const needs *w)
{
    double keys = (double)r1_engine_kv_bytes(r->u.engine, w->first) + (double)(w->n - 1) * (double)r1_engine_kv_bytes(r->u.engine, w->each);
    return keys + (double)w->n * (double)r->V * sizeof *r->logits;
}

static r1_status too_much(const runner *r, const needs *w, r1_error *err)
{
    double MiB = 1048576, available = (double)r1_memory_available() / MiB;
    const char *less = w->n > 1 ? "a smaller --batch or --depth, fewer tokens" : "a smaller --depth, fewer tokens";
    if (w->n == 1)
        return r1_fail(err, R1_ENOMEM, "a context of %zu tokens needs %.1f MiB for keys, values and logits, %.1f MiB is available; %s or --kv q8_0 need less", w->first,
                       needed_bytes(r, w) / MiB, available, less);
    return r1_fail(err, R1_ENOMEM, "%zu sequences of %zu tokens need %.1f MiB for keys, values and logits, %.1f MiB is available; %s or --kv q8_0 need less", w->n, w->each,
                   needed_bytes(r, w) / MiB, available, less);
}

static r1_status open_sessions(runner *r, r1_error *err)
{
    const r1_bench *b = r->b;
    const r1_model_info *info = r1_model_get_info(r->u.model);
    const needs w = needs_of(b);
    const size_t n = w.n, asked = largest(&b->depth) + r1_max(largest(&b->prefill), largest(&b->decode));
    if (b->c->o.ctx && asked > (size_t)b->c->o.ctx)
        return r1_fail(err, R1_ELIMIT, "depth and length make %zu tokens, the context of --ctx has room for %lld", asked, (long long)b->c->o.ctx);
    r->V = (size_t)info->n_vocab;
    if (needed_bytes(r, &w) > (double)r1_memory_available()) return too_much(r, &w, err);
    if (asked > (size_t)info->n_ctx_train) r1_note(b->c, "%zu tokens are more than the %d the model was made for", asked, info->n_ctx_train);
    r->sessions = calloc(n, sizeof *r->sessions);
    r->rows = calloc(n, sizeof *r->rows);
    r->next = calloc(n, sizeof *r->next);
    r->logits = malloc(n * r->V * sizeof *r->logits);
    if (!r->sessions || !r->rows || !r->next || !r->logits) return r1_fail(err, R1_ENOMEM, "no memory for the logits of %zu sequences", n);
    r1_status s = R1_OK;
    for (; r->n_sessions < n && s == R1_OK; r->n_sessions += s == R1_OK)
        s = r1_session_open(&r->sessions[r->n_sessions], r->u.engine, r->n_sessions ? w.each : w.first, err);
    return s == R1_ENOMEM ? too_much(r, &w, err) : s;
}

static void close_sessions(runner *r)
{
    for (size_t i = 0; i < r->n_sessions; i++) r1_session_close(r->sessions[i]);
    free(r->sessions);
    free(r->rows);
    free(r->next);
    free(r->logits);
}

static void plan(r1_bench *b)
{
    for (size_t d = 0; d < b->depth.n; d++) {
        size_t depth = b->depth.items[d];
        for (size_t i = 0; i < b->prefill.n; i++)
            b->tests[b->n_planned++] = (r1_bench_test){ .name = "prefill", .tokens = b->prefill.items[i], .batch = 1, .depth = depth };
        for (size_t j = 0; j < b->batch.n; j++)
            for (size_t i = 0; i < b->decode.n; i++)
                b->tests[b->n_planned++] = (r1_bench_test){ .name = "decode", .tokens = b->decode.items[i], .batch = b->batch.items[j], .depth = depth };
    }
}

static const char *kv_name(const r1_model *m, r1_kv_type asked)
{
    switch (r1_model_kv_shape(m, asked).type) {
    case R1_KV_F16: return "f16";
    case R1_KV_BF16: return "bf16";
    case R1_KV_Q8_0: return "q8_0";
    case R1_KV_F32: return "f32";
    case R1_KV_AUTO: break;
    }
    return NULL;
}

r1_status r1_bench_model(r1_bench *b, r1_error *err)
{
    runner *r = calloc(1, sizeof *r);
    b->tests = calloc(r1_max(1, b->depth.n * (b->prefill.n + b->batch.n * b->decode.n)), sizeof *b->tests);
    if (!r || !b->tests) {
        free(r);
        return r1_fail(err, R1_ENOMEM, "no memory for the measurements");
    }
    r->b = b;
    r->seed = b->c->o.seed_given ? b->c->o.seed : 1;
    r->u.no_session = true;
    r->u.go_on = go_on;
    r->u.go_on_ctx = r;
    plan(b);
    r1_status s = r1_setup_open(&r->u, b->c, b->path, err);
    if (s == R1_OK) b->kv = kv_name(r->u.model, (r1_kv_type)b->c->o.kv);
    if (s == R1_OK) s = open_sessions(r, err);
    if (s == R1_OK) r1_bench_show_begin(b);
    while (b->n_tests < b->n_planned && s == R1_OK) {
        s = run_test(r, &b->tests[b->n_tests], err);
        if (s == R1_OK) r1_bench_show_test(b, b->n_tests++);
    }
    close_sessions(r);
    r1_setup_close(&r->u);
    free(r);
    return s;
}
