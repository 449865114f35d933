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
    size_t turn;             /* repeats done, the one that does not count included */
    double speed[R1_BENCH_REPEATS], share[R1_BENCH_REPEATS];
} runner;

/* Between two layers. A picture ten times a second costs nothing that can be measured. */
static bool go_on(void *ctx)
{
    runner *r = ctx;
    r1_progress_step(&r->bar, (double)r->turn, (double)(r->b->repeat + 1));
    return !r1_interrupted();
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
        s = r1_interrupted() ? r1_fail(err, R1_ECANCELLED, "interrupted") : r1_batch_step(r->u.engine, &row, 1, err);
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
        s = r1_interrupted() ? r1_fail(err, R1_ECANCELLED, "interrupted") : r1_batch_step(r->u.engine, r->rows, batch, err);
    }
    return s;
}

/* One timed run of a test from its depth on. */
static r1_status run_once(runner *r, const r1_bench_test *t, bool warm, double *seconds, r1_error *err)
{
    bool prefill = !strcmp(t->name, "prefill");
    size_t start = t->batch > 1 ? r1_max(t->depth, PROMPT) : t->depth, steps = warm ? r1_min(t->tokens, WARM_STEPS) : t->tokens;
    r1_status s = R1_OK;
    for (size_t i = 0; i < t->batch && s == R1_OK; i++) s = set_depth(r, i, start, err);
    if (s) return s;
    double begin = r1_now();
    s = prefill ? feed(r, 0, t->tokens, r->logits, err) : decode_steps(r, t->batch, steps, err);
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
    r->turn = 0;
    r1_progress_begin(&r->bar, &b->c->err, b->c->o.quiet, label, "");
    r1_status s = run_once(r, t, true, &seconds, err);
    for (size_t i = 0; i < b->repeat && s == R1_OK; i++) {
        r->turn = i + 1;
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

static r1_status open_sessions(runner *r, r1_error *err)
{
    const r1_bench *b = r->b;
    const r1_model_info *info = r1_model_get_info(r->u.model);
    size_t n = b->decode.n ? r1_max(1, largest(&b->batch)) : 1;
    size_t tokens = r1_max(largest(&b->prefill), largest(&b->decode)), asked = largest(&b->depth) + tokens;
    size_t need = r1_max(largest(&b->depth), PROMPT) + r1_max(tokens, WARM_STEPS); /* the prompts of a batch and warming up are ours */
    if (b->c->o.ctx && asked > (size_t)b->c->o.ctx)
        return r1_fail(err, R1_ELIMIT, "depth and length make %zu tokens, the context of --ctx has room for %lld", asked, (long long)b->c->o.ctx);
    if (asked > (size_t)info->n_ctx_train) r1_note(b->c, "%zu tokens are more than the %d the model was made for", asked, info->n_ctx_train);
    r->V = (size_t)info->n_vocab;
    r->sessions = calloc(n, sizeof *r->sessions);
    r->rows = calloc(n, sizeof *r->rows);
    r->next = calloc(n, sizeof *r->next);
    r->logits = malloc(n * r->V * sizeof *r->logits);
    if (!r->sessions || !r->rows || !r->next || !r->logits) return r1_fail(err, R1_ENOMEM, "no memory for the logits of %zu sequences", n);
    r1_status s = R1_OK;
    for (; r->n_sessions < n && s == R1_OK; r->n_sessions += s == R1_OK) s = r1_session_open(&r->sessions[r->n_sessions], r->u.engine, need, err);
    return s;
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
    r->u.go_on = go_on;
    r->u.go_on_ctx = r;
    plan(b);
    r1_status s = r1_setup_open(&r->u, b->c, b->path, err);
    if (s == R1_OK) b->kv = kv_name(r->u.model, (r1_kv_type)b->c->o.kv);
    if (s == R1_OK) s = open_sessions(r, err);
    while (b->n_tests < b->n_planned && s == R1_OK) {
        s = run_test(r, &b->tests[b->n_tests], err);
        if (s == R1_OK) r1_bench_show_test(b, b->n_tests++);
    }
    close_sessions(r);
    r1_setup_close(&r->u);
    free(r);
    return s;
}
