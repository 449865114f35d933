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

r1_status r1_setup_check(const r1_opts *o, const r1_model *m, r1_error *err)
{
    const char *architecture = r1_model_get_info(m)->architecture;
    if (o->mla_given && strncmp(architecture, "deepseek", 8))
        return r1_fail(err, R1_EINVAL, "--mla is about latent attention, which a %s model has not", architecture);
    return R1_OK;
}

r1_status r1_setup_open(r1_setup *u, r1_cli *c, const char *path, r1_error *err)
{
    *u = (r1_setup){ .no_session = u->no_session, .go_on = u->go_on, .go_on_ctx = u->go_on_ctx };
    const r1_opts *o = &c->o;
    r1_progress bar;
    r1_progress_begin(&bar, &c->err, o->quiet, "loading", "");
    bool armed = r1_interrupt_armed();
    if (!armed) r1_interrupt_arm(true);
    double start = r1_now();
    r1_model_options mo = { .cpu = (r1_cpu_level)o->cpu, .activations = (r1_activations)o->activations, .mla_expanded = o->mla != 0,
                            .n_threads = (int)o->threads, .progress = load_progress, .progress_ctx = &bar };
    r1_status s = r1_model_open(&u->model, path, &mo, err);
    if (s == R1_OK) s = r1_setup_check(o, u->model, err);
    if (s == R1_OK) {
        r1_engine_options eo = { .n_threads = (int)o->threads, .chunk = (int)o->chunk, .kv = (r1_kv_type)o->kv, .go_on = u->go_on, .go_on_ctx = u->go_on_ctx };
        s = r1_engine_open(&u->engine, u->model, &eo, err);
    }
    if (s == R1_OK && !u->no_session) s = r1_session_open(&u->session, u->engine, (size_t)o->ctx, err);
    r1_progress_end(&bar);
    if (s == R1_OK && r1_interrupted()) s = r1_fail(err, R1_ECANCELLED, "loading was cancelled");
    if (!armed) r1_interrupt_arm(false);
    u->load_s = r1_now() - start;
    if (s) {
        r1_setup_close(u);
        return s;
    }
    const r1_model_info *info = r1_model_get_info(u->model);
    size_t n = o->ctx ? (size_t)o->ctx : (size_t)info->n_ctx_train;
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

int r1_setup_speculation(const r1_opts *o)
{
    return o->speculate == 0 ? R1_SPECULATION_AUTO : o->speculate == 1 ? R1_SPECULATION_OFF : (int)o->speculate - 1;
}

r1_status r1_check_template(const char *name, r1_error *err)
{
    if (!name || r1_template_find(name)) return R1_OK;
    const char *names[64];
    size_t n = 0;
    while (n < 63 && r1_template_at(n)) { names[n] = r1_template_at(n); n++; }
    names[n] = NULL;
    const char *near = r1_nearest(name, names);
    return r1_fail(err, R1_EINVAL, "there is no template '%s'%s%s%s; there are %s", name, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "",
                   r1_template_names());
}

static r1_status parse_bias(const r1_texts *given, int32_t n_tokens, r1_logit_bias *bias, r1_error *err)
{
    for (size_t i = 0; i < given->n; i++) {
        r1_status s = r1_bias_parse(given->items[i], "--logit-bias", &bias[i], err);
        if (s) return s;
        if (bias[i].id >= n_tokens)
            return r1_fail(err, R1_EINVAL, "--logit-bias names token %d, expected 0 to %d", bias[i].id, n_tokens - 1);
    }
    return R1_OK;
}

/* Values the model's maker advises. */
typedef struct adviser {
    const r1_model *m;
    r1_status s;            /* the first failure; after it nothing is looked up */
    r1_error *err;
} adviser;

/* `given` when the user gave it (is no NaN); else the number of generation_config.json, or of the same advice in a GGUF file;
 * else `usual`. Advice that is wrong is refused, for nobody would see that it was not followed. */
static double choose(adviser *a, double given, const char *key, const char *gguf_key, double lo, double hi, double usual)
{
    if (!isnan(given) || a->s) return given;
    const r1_ckpt *k = r1_model_checkpoint(a->m);
    const r1_gguf *g = r1_ckpt_gguf(k);
    const char *where = g ? "metadata" : "generation_config.json";
    char option[40];
    snprintf(option, sizeof option, "--%s", key);
    for (char *p = option; *p; p++)
        if (*p == '_') *p = '-';
    double x = NAN;
    if (g && gguf_key) {
        a->s = r1_context(a->err, r1_gguf_real(g, gguf_key, false, NAN, &x, a->err), "metadata");
    } else if (!g) {
        const json_t *v = json_object_get(r1_ckpt_generation(k), key);
        if (!v || json_is_null(v)) return usual;
        if (!json_is_number(v))
            a->s = r1_fail(a->err, R1_EFORMAT, "%s: '%s' is %s, expected a number from %g to %g; %s overrides it", where, key, r1_json_kind(v), lo, hi, option);
        x = json_number_value(v);
    }
    if (a->s || isnan(x)) return usual;
    if (!(x >= lo && x <= hi))
        a->s = r1_fail(a->err, R1_EFORMAT, "%s: '%s' is %g, expected a number from %g to %g; %s overrides it", where, g ? gguf_key : key, x, lo, hi, option);
    return x;
}

r1_status r1_setup_sampling(r1_sampling *p, const r1_opts *o, const r1_model *m, r1_logit_bias bias[64], r1_error *err)
{
    const r1_sampling usual = R1_SAMPLING_DEFAULT;
    adviser a = { m, R1_OK, err };
    *p = usual;
    p->temperature = (float)choose(&a, o->greedy ? 0 : o->temperature, "temperature", "general.sampling.temp", 0, 100, (double)usual.temperature);
    p->top_p = (float)choose(&a, o->top_p, "top_p", "general.sampling.top_p", 0, 1, (double)usual.top_p);
    p->min_p = (float)choose(&a, o->min_p, "min_p", "general.sampling.min_p", 0, 1, 0);
    p->repetition_penalty = (float)choose(&a, o->repetition_penalty, "repetition_penalty", NULL, 0.01, 100, 1);
    p->top_k = (int32_t)fmax(0, choose(&a, o->top_k >= 0 ? (double)o->top_k : NAN, "top_k", NULL, -1, 1e9, 0)); /* files say -1, too, for off */
    if (a.s) return a.s;
    p->presence_penalty = isnan(o->presence_penalty) ? 0 : (float)o->presence_penalty;
    p->frequency_penalty = isnan(o->frequency_penalty) ? 0 : (float)o->frequency_penalty;
    if (o->penalty_window != INT64_MIN) p->penalty_window = (int32_t)o->penalty_window;
    p->seed = o->seed_given ? o->seed : r1_random_seed();
    p->bias = bias;
    p->n_bias = o->logit_bias.n;
    return parse_bias(&o->logit_bias, r1_model_get_info(m)->n_tokens, bias, err);
}
