/* r1 perplexity: how well a model predicts a text, in sliding windows; and with --kl how far it is from a base model.
 *
 * A window holds up to --window tokens and moves on by --stride; each token is scored once, by the first window that
 * reaches it, so every score but those of the first window has at least window - stride tokens before it. The first token of
 * a window has nothing before it and is scored only by an earlier window. Sums are in double.
 */
#include "cli/cli.h"

#include <math.h>

typedef struct scores {
    double n, nll, nll2;            /* tokens scored, sum and sum of squares of -log p */
    double base_nll;
    double kl, kl2;                 /* KL(base || model) */
    double agree;                   /* positions where both have the same best token */
} scores;

typedef struct job {
    r1_cli *c;
    r1_setup u, base;               /* base.model NULL: no --kl */
    r1_ids ids;
    size_t window, stride;
    float *logits, *base_logits;    /* [piece, V] each */
    size_t V;                       /* columns; padding rows of the vocabulary take part, as in other programs */
    scores sum;
} job;

enum { PIECE = 64 };                /* positions whose logits are held at once */

static double log_sum_exp(const float *x, size_t n)
{
    float max = x[0];
    for (size_t i = 1; i < n; i++)
        if (x[i] > max) max = x[i];
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += exp((double)x[i] - (double)max);
    return (double)max + log(sum);
}

static size_t best(const float *x, size_t n)
{
    size_t k = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[k]) k = i;
    return k;
}

static r1_status no_number(const char *path, size_t token, r1_error *err)
{
    return r1_fail(err, R1_EFORMAT, "what '%s' computes for token %zu is no number: its weights hold infinities or NaN, or lead to them", path, token);
}

/* `at`: the number of the token, from 0. One that is no number would be in every sum: there is nothing to go on for. */
static r1_status score(job *j, const float *x, const float *base, size_t at, r1_error *err)
{
    scores *t = &j->sum;
    int32_t target = j->ids.ids[at];
    double lse = log_sum_exp(x, j->V), nll = lse - (double)x[target];
    if (!isfinite(nll)) return no_number(j->c->args[0], at, err);
    t->n++;
    t->nll += nll;
    t->nll2 += nll * nll;
    if (!base) return R1_OK;
    double base_lse = log_sum_exp(base, j->V), base_nll = base_lse - (double)base[target], kl = 0;
    if (!isfinite(base_nll)) return no_number(j->c->o.kl, at, err);
    for (size_t i = 0; i < j->V; i++) {
        double lp = (double)base[i] - base_lse, p = exp(lp);
        if (p > 0) kl += p * (lp - ((double)x[i] - lse));
    }
    if (!isfinite(kl)) return r1_fail(err, R1_EFORMAT, "at token %zu the divergence of '%s' from '%s' is no number: one computes infinities", at, j->c->args[0], j->c->o.kl);
    t->base_nll += base_nll;
    t->kl += kl;
    t->kl2 += kl * kl;
    t->agree += best(x, j->V) == best(base, j->V);
    return R1_OK;
}

static r1_status step(const r1_setup *u, const int32_t *ids, size_t n, float *logits, size_t n_logits, r1_error *err)
{
    r1_batch_row row = { u->session, ids, n, logits, n_logits };
    return r1_batch_step(u->engine, &row, 1, err);
}

/* Positions [begin, end); those from `first` on (first > begin) are scored, each from the logits of the one before. */
static r1_status run_window(job *j, size_t begin, size_t first, size_t end, r1_progress *bar, r1_error *err)
{
    const int32_t *ids = j->ids.ids;
    r1_session_truncate(j->u.session, 0);
    if (j->base.model) r1_session_truncate(j->base.session, 0);
    r1_status s = R1_OK;
    if (first - 1 > begin) { /* what only serves as context */
        s = step(&j->u, ids + begin, first - 1 - begin, NULL, 0, err);
        if (s == R1_OK && j->base.model) s = step(&j->base, ids + begin, first - 1 - begin, NULL, 0, err);
    }
    for (size_t at = first - 1; at + 1 < end && s == R1_OK;) {
        size_t n = r1_min(PIECE, end - 1 - at);
        s = step(&j->u, ids + at, n, j->logits, n, err);
        if (s == R1_OK && j->base.model) s = step(&j->base, ids + at, n, j->base_logits, n, err);
        for (size_t i = 0; i < n && s == R1_OK; i++)
            s = score(j, j->logits + i * j->V, j->base.model ? j->base_logits + i * j->V : NULL, at + 1 + i, err);
        at += n;
        if (s == R1_OK && r1_interrupted()) s = r1_fail(err, R1_ECANCELLED, "interrupted after %.0f of %zu tokens", j->sum.n, j->ids.n - 1);
        r1_progress_step(bar, (double)at, (double)j->ids.n);
    }
    return s;
}

static r1_status run_windows(job *j, r1_error *err)
{
    size_t n = j->ids.n, scored = 1; /* nothing predicts the first token */
    r1_progress bar;
    r1_progress_begin(&bar, &j->c->err, j->c->o.quiet, "perplexity", "tokens");
    r1_status s = R1_OK;
    for (size_t begin = 0; scored < n && s == R1_OK; begin += j->stride) {
        size_t end = r1_min(begin + j->window, n), first = r1_max(scored, begin + 1);
        if (first < end) s = run_window(j, begin, first, end, &bar, err);
        scored = end;
    }
    r1_progress_end(&bar);
    return s;
}

/* ---- results --------------------------------------------------------------------------------------------------- */

static double standard_error(double sum, double squares, double n)
{
    if (n < 2) return 0;
    double variance = (squares - sum * sum / n) / (n - 1);
    return variance > 0 ? sqrt(variance / n) : 0;
}

static r1_status print_scores(const job *j, r1_error *err)
{
    const scores *t = &j->sum;
    double nll = t->nll / t->n, ppl = exp(nll), se = standard_error(t->nll, t->nll2, t->n) * ppl;
    double kl = t->kl / t->n, base = exp(t->base_nll / t->n), kl_se = standard_error(t->kl, t->kl2, t->n), agree = t->agree / t->n;
    if (!isfinite(ppl) || !isfinite(base))
        return r1_fail(err, R1_EFORMAT, "the perplexity of '%s' is no number: a token costs %.6g nats on the average", isfinite(ppl) ? j->c->o.kl : j->c->args[0],
                       isfinite(ppl) ? t->base_nll / t->n : nll);
    if (!j->c->o.json) {
        printf("tokens      %.0f\nnll         %.6f\nperplexity  %.6f +- %.6f\n", t->n, nll, ppl, se);
        if (j->base.model) printf("base        %.6f\nkl          %.6f +- %.6f\nsame top 1  %.2f%%\n", base, kl, kl_se, 100 * agree);
        return R1_OK;
    }
    json_t *v = json_pack("{s:I, s:f, s:f, s:f, s:i, s:i}", "tokens", (json_int_t)t->n, "nll", nll, "perplexity", ppl, "stderr", se,
                          "window", (int)j->window, "stride", (int)j->stride);
    if (!v) return r1_fail(err, R1_ENOMEM, "no memory for the results");
    json_object_set_new(v, "kl", j->base.model ? json_real(kl) : json_null());
    if (j->base.model) {
        json_object_set_new(v, "kl_stderr", json_real(kl_se));
        json_object_set_new(v, "top1_agreement", json_real(agree));
        json_object_set_new(v, "base_perplexity", json_real(base));
    }
    r1_status s = r1_print_json(v, err);
    json_decref(v);
    return s;
}

/* ---- set-up ---------------------------------------------------------------------------------------------------- */

static r1_status read_text(job *j, r1_error *err)
{
    const r1_tokenizer *t = r1_model_get_tokenizer(j->u.model);
    const char *path = j->c->args[1];
    char *text;
    size_t n;
    if (!t) return r1_fail(err, R1_EFORMAT, "'%s' has no tokenizer, which a text needs", j->c->args[0]);
    r1_status s = r1_file_read(path, (size_t)1 << 30, &text, &n, err);
    if (s) return s;
    if (r1_tokenizer_adds_bos(t)) s = r1_ids_add(&j->ids, r1_tokenizer_bos(t), err);
    if (s == R1_OK) s = r1_tokenizer_encode(t, text, n, R1_SPECIAL_NONE, &j->ids, err);
    free(text);
    if (s == R1_OK && j->ids.n < 2) s = r1_fail(err, R1_EFORMAT, "'%s' has %zu %s, expected at least 2", path, j->ids.n, j->ids.n == 1 ? "token" : "tokens");
    return s;
}

static r1_status choose_windows(job *j, r1_error *err)
{
    const size_t usual = 2048;
    size_t context = r1_session_context(j->u.session);
    j->window = j->c->o.window ? (size_t)j->c->o.window : r1_min(usual, context);
    j->stride = j->c->o.stride ? (size_t)j->c->o.stride : r1_max(1, j->window / 2);
    if (j->window > context) return r1_fail(err, R1_ELIMIT, "--window is %zu, expected at most the context of %zu", j->window, context);
    if (j->stride > j->window) return r1_fail(err, R1_ELIMIT, "--stride is %zu, expected at most the window of %zu", j->stride, j->window);
    return R1_OK;
}

static r1_status open_base(job *j, r1_error *err)
{
    const r1_model_info *a = r1_model_get_info(j->u.model), *b;
    r1_status s = r1_setup_open(&j->base, j->c, j->c->o.kl, err);
    if (s) return s;
    b = r1_model_get_info(j->base.model);
    if (a->n_vocab != b->n_vocab || a->n_tokens != b->n_tokens)
        return r1_fail(err, R1_EFORMAT, "'%s' has %d tokens and %d rows of logits, expected %d and %d as in '%s'", j->c->o.kl, b->n_tokens, b->n_vocab,
                       a->n_tokens, a->n_vocab, j->c->args[0]);
    if (j->window > r1_session_context(j->base.session))
        return r1_fail(err, R1_ELIMIT, "--window is %zu, expected at most the %zu tokens of '%s'", j->window, r1_session_context(j->base.session), j->c->o.kl);
    return R1_OK;
}

static r1_status alloc_logits(job *j, r1_error *err)
{
    j->V = (size_t)r1_model_get_info(j->u.model)->n_vocab;
    j->logits = malloc(PIECE * j->V * sizeof *j->logits);
    if (j->base.model) j->base_logits = malloc(PIECE * j->V * sizeof *j->logits);
    if (j->logits && (j->base_logits || !j->base.model)) return R1_OK;
    return r1_fail(err, R1_ENOMEM, "no memory for the logits: %zu bytes are needed", PIECE * j->V * sizeof *j->logits);
}

r1_status r1_cmd_perplexity(r1_cli *c, r1_error *err)
{
    job j = { .c = c };
    if (c->o.window && c->o.stride > c->o.window)
        return r1_fail(err, R1_EINVAL, "--stride is %lld, expected at most the --window of %lld", (long long)c->o.stride, (long long)c->o.window);
    r1_status s = r1_setup_open(&j.u, c, c->args[0], err);
    if (s == R1_OK) s = read_text(&j, err);
    if (s == R1_OK) s = choose_windows(&j, err);
    if (s == R1_OK && c->o.kl) s = open_base(&j, err);
    if (s == R1_OK) s = alloc_logits(&j, err);
    if (s == R1_OK) {
        r1_interrupt_arm(true);
        s = run_windows(&j, err);
        r1_interrupt_arm(false);
    }
    if (s == R1_OK) s = print_scores(&j, err);
    free(j.logits);
    free(j.base_logits);
    r1_setup_close(&j.base);
    r1_setup_close(&j.u);
    r1_ids_deinit(&j.ids);
    return s;
}
