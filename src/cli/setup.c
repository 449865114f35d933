/* A model made ready: opened with a progress bar, with an engine and a session as the options ask; and the sampling that
 * follows from options, the model's own advice and defaults. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <sys/random.h>

static bool load_progress(void *ctx, double fraction)
{
    r1_progress_step(ctx, fraction, 1);
    return !r1_interrupted();
}

r1_status r1_setup_open(r1_setup *u, r1_cli *c, const char *path, r1_error *err)
{
    *u = (r1_setup){ 0 };
    const r1_opts *o = &c->o;
    r1_progress bar;
    r1_progress_begin(&bar, &c->err, o->quiet, "loading", "");
    r1_interrupt_arm(true);
    double start = r1_now();
    r1_model_options mo = { .cpu = (r1_cpu_level)o->cpu, .activations = (r1_activations)o->activations, .mla_expanded = o->mla != 0,
                            .n_threads = (int)o->threads, .progress = load_progress, .progress_ctx = &bar };
    r1_status s = r1_model_open(&u->model, path, &mo, err);
    r1_progress_end(&bar);
    if (s == R1_OK) {
        r1_engine_options eo = { .n_threads = (int)o->threads, .chunk = (int)o->chunk, .kv = (r1_kv_type)o->kv };
        s = r1_engine_open(&u->engine, u->model, &eo, err);
    }
    if (s == R1_OK) s = r1_session_open(&u->session, u->engine, (size_t)o->ctx, err);
    r1_interrupt_arm(false);
    u->load_s = r1_now() - start;
    if (s) {
        r1_setup_close(u);
        return s;
    }
    const r1_model_info *info = r1_model_get_info(u->model);
    size_t n = r1_session_context(u->session);
    if (o->ctx > info->n_ctx_train)
        r1_note(c, "the context of %zu tokens is longer than the %d the model was made for", n, info->n_ctx_train);
    if (o->verbose)
        r1_note(c, "%s, %s, cpu %s, context %zu, loaded in %.2f s", path, info->architecture, info->cpu_level, n, u->load_s);
    return R1_OK;
}

void r1_setup_close(r1_setup *u)
{
    r1_session_close(u->session);
    r1_engine_close(u->engine);
    r1_model_close(u->model);
    *u = (r1_setup){ 0 };
}

uint64_t r1_random_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) seed = (uint64_t)(r1_now() * 1e9);
    return seed >> 1; /* fits a JSON integer everywhere */
}

static r1_status parse_bias(const r1_texts *given, int32_t n_tokens, r1_logit_bias *bias, r1_error *err)
{
    for (size_t i = 0; i < given->n; i++) {
        const char *text = given->items[i];
        char *end;
        long long id = strtoll(text, &end, 10);
        bool ok = end != text && *end == '=';
        const char *number = ok ? end + 1 : text;
        double v = strtod(number, &end);
        if (!ok || end == number || *end || isnan(v))
            return r1_fail(err, R1_EINVAL, "--logit-bias is '%s', expected ID=VALUE such as 13=-5", text);
        if (id < 0 || id >= n_tokens)
            return r1_fail(err, R1_EINVAL, "--logit-bias names token %lld, expected 0 to %d", id, n_tokens - 1);
        bias[i] = (r1_logit_bias){ (int32_t)id, (float)v };
    }
    return R1_OK;
}

/* A number of generation_config.json, or of the same advice in a GGUF file; `fallback` when it says nothing usable. */
static double advice(const r1_model *m, const char *key, const char *gguf_key, double lo, double hi, double fallback)
{
    const r1_ckpt *k = r1_model_checkpoint(m);
    const json_t *v = json_object_get(r1_ckpt_generation(k), key);
    double x = json_is_number(v) ? json_number_value(v) : NAN;
    const r1_gguf *g = r1_ckpt_gguf(k);
    if (g && gguf_key && r1_gguf_real(g, gguf_key, false, NAN, &x, NULL)) x = NAN;
    return x >= lo && x <= hi ? x : fallback;
}

static float either(double given, double fallback) { return (float)(isnan(given) ? fallback : given); }

r1_status r1_setup_sampling(r1_sampling *p, const r1_opts *o, const r1_model *m, r1_logit_bias bias[64], r1_error *err)
{
    const r1_sampling usual = R1_SAMPLING_DEFAULT;
    *p = usual;
    p->temperature = either(o->temperature, advice(m, "temperature", "general.sampling.temp", 0, 100, usual.temperature));
    p->top_p = either(o->top_p, advice(m, "top_p", "general.sampling.top_p", 0.01, 1, usual.top_p));
    p->min_p = either(o->min_p, advice(m, "min_p", "general.sampling.min_p", 0, 1, 0));
    p->repetition_penalty = either(o->repetition_penalty, advice(m, "repetition_penalty", NULL, 0.01, 100, 1));
    p->presence_penalty = either(o->presence_penalty, 0);
    p->frequency_penalty = either(o->frequency_penalty, 0);
    p->top_k = (int32_t)(o->top_k >= 0 ? (double)o->top_k : advice(m, "top_k", NULL, 0, 1e9, 0));
    if (o->penalty_window != INT64_MIN) p->penalty_window = (int32_t)o->penalty_window;
    if (o->greedy) p->temperature = 0;
    p->seed = o->seed_given ? o->seed : r1_random_seed();
    p->bias = bias;
    p->n_bias = o->logit_bias.n;
    return parse_bias(&o->logit_bias, r1_model_get_info(m)->n_tokens, bias, err);
}
