/* Every golden model against its float64 reference, within the bounds stated beside the numbers (models/README.md).
 *
 * Float activations: logits, log-probabilities, hidden states, routes, greedy continuations, the prediction module, both
 * forms of latent attention, F32 GGUF equal to the checkpoint bit for bit. Default activations: the looser bounds of int8
 * (GGUF). Same bits for any chunk, number of threads, batch. A fault planted in the numbers must be found.
 */
#include "tests/test.h"
#include "base/json.h"
#include "engine/engine.h"
#include "format/safetensors.h"

#include <math.h>

static const char *const names[] = { "llama", "llama_tied", "llama_256", "qwen2", "qwen2_tied", "qwen2_bf16",
                                     "deepseek_v2_lite", "deepseek_v3", "deepseek_v3_bf16", "deepseek_v3_fp8" };

/* ---- golden files ---------------------------------------------------------------------------------------------- */

typedef struct golden {
    const char *name;
    r1_st *expected, *gguf;
    json_t *json;
} golden;

static void golden_open(golden *g, const char *name)
{
    r1_error e = { 0 };
    char path[256];
    *g = (golden){ .name = name };
    snprintf(path, sizeof path, "golden/models/%s/expected.safetensors", name);
    EXPECT_OK(r1_st_open(&g->expected, test_path(path), &e), &e);
    snprintf(path, sizeof path, "golden/models/%s/expected.json", name);
    EXPECT_OK(r1_json_read(&g->json, test_path(path), 1 << 24, &e), &e);
    snprintf(path, sizeof path, "golden/models/%s/gguf.safetensors", name);
    if (r1_st_open(&g->gguf, test_path(path), NULL) != R1_OK) g->gguf = NULL;
}

static void golden_close(golden *g)
{
    r1_st_close(g->expected);
    r1_st_close(g->gguf);
    json_decref(g->json);
}

static const r1_st_tensor *tensor(const r1_st *s, const char *fmt, ...)
{
    char name[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    return r1_st_find(s, name);
}

/* The data of an F32 or I32 tensor, aligned; caller frees. */
static void *values(const r1_st_tensor *t)
{
    void *p = malloc(t->bytes);
    memcpy(p, t->data, t->bytes);
    return p;
}

static double number(const json_t *j, const char *a, const char *b)
{
    const json_t *v = json_object_get(json_object_get(j, a), b);
    if (!json_is_number(v)) fail_msg("%s.%s is not in expected.json", a, b);
    return json_number_value(v);
}

/* ---- models ---------------------------------------------------------------------------------------------------- */

typedef struct setup {
    r1_model *m;
    r1_engine *e;
    r1_session *s;
} setup;

typedef struct how {
    r1_activations activations;
    r1_cpu_level cpu;
    r1_kv_type kv;
    bool expanded;
    int threads, chunk;
} how;

static void open_model(setup *x, const char *path, how h)
{
    r1_error e = { 0 };
    r1_model_options mo = { .activations = h.activations, .cpu = h.cpu, .mla_expanded = h.expanded, .n_threads = h.threads ? h.threads : 2 };
    r1_engine_options eo = { .n_threads = mo.n_threads, .chunk = h.chunk, .kv = h.kv };
    EXPECT_OK(r1_model_open(&x->m, path, &mo, &e), &e);
    EXPECT_OK(r1_engine_open(&x->e, x->m, &eo, &e), &e);
    EXPECT_OK(r1_session_open(&x->s, x->e, 0, &e), &e);
}

static void close_model(setup *x)
{
    r1_session_close(x->s);
    r1_engine_close(x->e);
    r1_model_close(x->m);
}

static const char *model_path(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "golden/models/%s", name);
    return test_path(path);
}

static const char *gguf_path(const char *name, const char *type)
{
    char path[256];
    snprintf(path, sizeof path, "golden/models/%s/gguf/%s.%s.gguf", name, name, type);
    return test_path(path);
}

/* Logits of every position of ids, from an empty session. */
static float *run(setup *x, const int32_t *ids, size_t n)
{
    r1_error e = { 0 };
    size_t V = (size_t)r1_model_get_info(x->m)->n_vocab;
    float *y = malloc(n * V * sizeof *y);
    r1_session_truncate(x->s, 0);
    r1_batch_row row = { x->s, ids, n, y, n };
    EXPECT_OK(r1_batch_step(x->e, &row, 1, &e), &e);
    return y;
}

static double max_error(const float *a, const float *b, size_t n)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) worst = fmax(worst, fabs((double)a[i] - b[i]) + (isnan(a[i]) ? INFINITY : 0));
    return worst;
}

static double log_sum_exp(const float *x, size_t n)
{
    double m = -INFINITY, s = 0;
    for (size_t i = 0; i < n; i++) m = fmax(m, x[i]);
    for (size_t i = 0; i < n; i++) s += exp(x[i] - m);
    return m + log(s);
}

static size_t best(const float *x, size_t n)
{
    size_t b = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[b]) b = i;
    return b;
}

/* ---- float activations ----------------------------------------------------------------------------------------- */

/* Experts and weights [layers with experts][n][K] that ids take; the caller frees both. */
static r1_trace routes_of(setup *x, const int32_t *ids, size_t n)
{
    const int32_t *layers;
    size_t all = (size_t)r1_model_moe_layers(x->m, &layers) * n * (size_t)r1_model_experts_used(x->m);
    r1_error e = { 0 };
    r1_trace t = { .hidden_layer = -1, .route_ids = malloc(all * 4), .route_weights = malloc(all * 4) };
    r1_session_truncate(x->s, 0);
    EXPECT_OK(r1_engine_trace(x->s, ids, n, NULL, 0, &t, &e), &e);
    return t;
}

static void check_routes(const golden *g, setup *x, const int32_t *ids, size_t n, int prompt, const r1_st *from, const char *prefix, bool exact)
{
    const int32_t *layers;
    int n_moe = r1_model_moe_layers(x->m, &layers);
    size_t K = (size_t)r1_model_experts_used(x->m);
    if (!n_moe) return;
    r1_trace t = routes_of(x, ids, n);
    for (int i = 0; i < n_moe; i++) {
        const r1_st_tensor *want = tensor(from, "%sp%d.route.%d.ids", prefix, prompt, layers[i]);
        const r1_st_tensor *w = tensor(from, "%sp%d.route.%d.weights", prefix, prompt, layers[i]);
        if (!want) continue;
        EXPECT_INT(want->bytes, n * K * 4);
        if (memcmp(want->data, t.route_ids + (size_t)i * n * K, n * K * 4)) fail_msg("%s %s p%d: other experts in layer %d", g->name, prefix, prompt, layers[i]);
        if (!w || !exact) continue;
        float *expected = values(w);
        EXPECT(max_error(t.route_weights + (size_t)i * n * K, expected, n * K) <= number(g->json, "bound", "route_weight_absolute"));
        free(expected);
    }
    free(t.route_ids);
    free(t.route_weights);
}

static void check_hidden(const golden *g, setup *x, const int32_t *ids, size_t n)
{
    size_t D = (size_t)r1_model_get_info(x->m)->n_embd;
    r1_error e = { 0 };
    float *h = malloc(n * D * sizeof *h);
    for (int l = 0; l <= r1_model_get_info(x->m)->n_layers; l++) {
        const r1_st_tensor *t = tensor(g->expected, "p1.hidden.%d", l);
        EXPECT(t != NULL);
        float *want = values(t), largest = 0;
        for (size_t i = 0; i < n * D; i++) largest = fmaxf(largest, fabsf(want[i]));
        r1_session_truncate(x->s, 0);
        EXPECT_OK(r1_engine_trace(x->s, ids, n, NULL, 0, &(r1_trace){ .hidden_layer = l, .hidden = h }, &e), &e);
        EXPECT(max_error(h, want, n * D) <= number(g->json, "bound", "hidden_relative_to_max") * (double)largest);
        free(want);
    }
    free(h);
}

static void check_mtp(const r1_st *from, const char *prefix, double bound, setup *x, const int32_t *ids, size_t n, int prompt)
{
    const r1_st_tensor *t = tensor(from, "%sp%d.mtp.logits", prefix, prompt);
    if (!t) return;
    size_t V = (size_t)r1_model_get_info(x->m)->n_vocab;
    r1_error e = { 0 };
    float *want = values(t), *y = malloc(n * V * sizeof *y);
    r1_session_truncate(x->s, 0);
    EXPECT_OK(r1_engine_trace(x->s, ids, n, NULL, 0, &(r1_trace){ .hidden_layer = -1, .mtp_logits = y }, &e), &e);
    EXPECT(max_error(y, want, (n - 1) * V) <= bound);
    free(want);
    free(y);
}

static void check_prompt(const golden *g, setup *x, int prompt)
{
    const r1_st_tensor *ti = tensor(g->expected, "p%d.ids", prompt);
    if (!ti) return;
    int32_t *ids = values(ti);
    size_t n = ti->bytes / 4, V = (size_t)r1_model_get_info(x->m)->n_vocab;
    float *want = values(tensor(g->expected, "p%d.logits", prompt)), *y = run(x, ids, n);
    double error = max_error(y, want, n * V), bound = number(g->json, "bound", "logit_absolute");
    if (error > bound) fail_msg("%s p%d: logits are off by %g, bound %g", g->name, prompt, error, bound);
    const r1_st_tensor *tl = tensor(g->expected, "p%d.logprob", prompt);
    for (size_t i = 0; tl && i + 1 < n; i++) {
        float lp;
        memcpy(&lp, tl->data + 4 * i, 4);
        EXPECT(fabs(y[i * V + (size_t)ids[i + 1]] - log_sum_exp(y + i * V, V) - lp) <= number(g->json, "bound", "logprob_absolute"));
    }
    check_routes(g, x, ids, n, prompt, g->expected, "", true);
    if (prompt == 1) check_hidden(g, x, ids, n);
    check_mtp(g->expected, "", bound, x, ids, n, prompt);
    free(ids);
    free(want);
    free(y);
}

static void check_greedy(const golden *g, setup *x)
{
    const r1_st_tensor *p = tensor(g->expected, "p1.ids"), *t = tensor(g->expected, "greedy.ids");
    int32_t *ids = values(p), *want = values(t);
    size_t V = (size_t)r1_model_get_info(x->m)->n_vocab;
    float *y = malloc(V * sizeof *y);
    r1_error e = { 0 };
    r1_session_truncate(x->s, 0);
    r1_batch_row row = { x->s, ids, p->bytes / 4, y, 1 };
    for (size_t i = 0; i < t->bytes / 4; i++) {
        EXPECT_OK(r1_batch_step(x->e, &row, 1, &e), &e);
        int32_t id = (int32_t)best(y, V);
        EXPECT_INT(id, want[i]);
        row.ids = &want[i];
        row.n_ids = 1;
    }
    free(ids);
    free(want);
    free(y);
}

static const how float_paths[] = {
    { .activations = R1_ACTIVATIONS_F32 },
    { .activations = R1_ACTIVATIONS_F32, .expanded = true },
};

TEST(checkpoints_equal_the_reference)
{
    for (size_t i = 0; i < R1_COUNT(names); i++) {
        for (size_t j = 0; j < R1_COUNT(float_paths); j++) {
            golden g;
            setup x;
            golden_open(&g, names[i]);
            open_model(&x, model_path(names[i]), float_paths[j]);
            for (int p = 0; p < 4; p++) check_prompt(&g, &x, p);
            check_greedy(&g, &x);
            close_model(&x);
            golden_close(&g);
        }
    }
}

/* Each type of each GGUF file, by the tensors recorded for it. */
static void for_each_gguf(void (*fn)(const golden *g, const char *type, const json_t *info))
{
    for (size_t i = 0; i < R1_COUNT(names); i++) {
        golden g;
        golden_open(&g, names[i]);
        const char *type;
        json_t *info;
        json_object_foreach(json_object_get(g.json, "gguf"), type, info) fn(&g, type, info);
        golden_close(&g);
    }
}

static void check_gguf_float(const golden *g, const char *type, const json_t *info)
{
    double bound = fmax(8 * number(info, "float32_noise", "logits"), number(g->json, "bound", "logit_absolute"));
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%s.", type);
    for (size_t j = 0; j < R1_COUNT(float_paths); j++) {
        setup x;
        open_model(&x, gguf_path(g->name, type), float_paths[j]);
        size_t V = (size_t)r1_model_get_info(x.m)->n_vocab, seen = 0;
        for (int p = 0; p < 4; p++) {
            const r1_st_tensor *t = tensor(g->gguf, "%sp%d.logits", prefix, p), *ti = tensor(g->expected, "p%d.ids", p);
            if (!strcmp(type, "F32") && ti) t = tensor(g->expected, "p%d.logits", p);
            if (!t) continue;
            int32_t *ids = values(ti);
            float *want = values(t), *y = run(&x, ids, ti->bytes / 4);
            double error = max_error(y, want, ti->bytes / 4 * V);
            if (error > bound) fail_msg("%s %s p%d: logits are off by %g, bound %g", g->name, type, p, error, bound);
            check_routes(g, &x, ids, ti->bytes / 4, p, g->gguf, prefix, true);
            check_mtp(g->gguf, prefix, bound, &x, ids, ti->bytes / 4, p);
            seen++;
            free(ids);
            free(want);
            free(y);
        }
        EXPECT(seen > 0);
        close_model(&x);
    }
}

TEST(gguf_files_equal_the_reference_with_float_activations)
{
    for_each_gguf(check_gguf_float);
}

static void check_same_bits(const golden *g, const char *type, const json_t *info)
{
    (void)info;
    if (strcmp(type, "F32")) return;
    setup a, b;
    open_model(&a, gguf_path(g->name, type), (how){ 0 });
    open_model(&b, model_path(g->name), (how){ 0 });
    size_t V = (size_t)r1_model_get_info(a.m)->n_vocab;
    const r1_st_tensor *t = tensor(g->expected, "p2.ids");
    int32_t *ids = values(t);
    float *x = run(&a, ids, t->bytes / 4), *y = run(&b, ids, t->bytes / 4);
    EXPECT(!memcmp(x, y, t->bytes / 4 * V * sizeof *x));
    free(ids);
    free(x);
    free(y);
    close_model(&a);
    close_model(&b);
}

TEST(an_f32_gguf_gives_the_bits_of_its_checkpoint)
{
    for_each_gguf(check_same_bits);
}

/* ---- int8 activations ------------------------------------------------------------------------------------------ */

typedef struct distance {
    double max, squares, kl_sum;
    double kl_max;               /* of positions that went to the reference's experts in every layer: all of a model without experts */
    size_t n, rows, same;        /* values; positions, and how many of them went there */
} distance;

static void measure(distance *d, const float *want, const float *y, const bool *same, size_t n, size_t V)
{
    for (size_t i = 0; i < n; i++) {
        const float *a = want + i * V, *b = y + i * V;
        double la = log_sum_exp(a, V), lb = log_sum_exp(b, V), kl = 0;
        for (size_t v = 0; v < V; v++) {
            double e = (double)b[v] - a[v];
            d->max = fmax(d->max, isnan(e) ? INFINITY : fabs(e));
            d->squares += e * e;
            kl += exp(a[v] - la) * ((a[v] - la) - (b[v] - lb));
        }
        d->kl_sum += kl;
        if (same[i]) d->kl_max = fmax(d->kl_max, kl);
        d->same += same[i];
        d->rows++;
        d->n += V;
    }
}

/* Whether each token went to the reference's experts in every layer; the caller frees. */
static bool *same_routes(setup *x, const int32_t *ids, size_t n, int prompt, const r1_st *from, const char *prefix)
{
    const int32_t *layers;
    int n_moe = r1_model_moe_layers(x->m, &layers);
    size_t row = (size_t)r1_model_experts_used(x->m) * 4;
    bool *same = malloc(n * sizeof *same);
    for (size_t i = 0; i < n; i++) same[i] = true;
    if (!n_moe) return same;
    r1_trace t = routes_of(x, ids, n);
    for (int l = 0; l < n_moe; l++) {
        const r1_st_tensor *want = tensor(from, "%sp%d.route.%d.ids", prefix, prompt, layers[l]);
        EXPECT(want && want->bytes == n * row);
        const uint8_t *got = (const uint8_t *)(t.route_ids + (size_t)l * n * row / 4);
        for (size_t i = 0; i < n; i++) same[i] = same[i] && !memcmp(want->data + i * row, got + i * row, row);
    }
    free(t.route_ids);
    free(t.route_weights);
    return same;
}

/* `flips`: tokens may take other experts than the reference's, and how bad such a position is says nothing of the arithmetic. The worst
 * position is then sought among the others, as it was in the simulated ways that the bound is from. Those have three quarters of the
 * positions or more; half must be there, lest there be nothing to look at. */
static void check_within(const char *name, const char *type, const char *prompts, bool flips, const distance *d, const json_t *bound)
{
    double rms = sqrt(d->squares / (double)d->n), kl = d->kl_sum / (double)d->rows;
    const double got[] = { d->max, rms, kl, d->kl_max };
    const char *const what[] = { "max", "rms", "kl_mean", flips ? "kl_max_same_routes" : "kl_max" };
    for (int i = 0; i < 4; i++) {
        double limit = json_number_value(json_object_get(bound, what[i]));
        if (!(got[i] <= limit)) fail_msg("%s %s %s: %s is %g, bound %g", name, type, prompts, what[i], got[i], limit);
    }
    if (2 * d->same < d->rows) fail_msg("%s %s %s: %zu of %zu positions have the reference's routes", name, type, prompts, d->same, d->rows);
}

static void check_rounded(const golden *g, const char *type, const json_t *activations, const char *path, how h, const r1_st *from)
{
    static const struct { const char *name; int first, last; } sets[] = { { "p1_p2", 1, 2 }, { "p3", 3, 3 } };
    setup x;
    char prefix[64] = "";
    if (from != g->expected) snprintf(prefix, sizeof prefix, "%s.", type);
    open_model(&x, path, h);
    size_t V = (size_t)r1_model_get_info(x.m)->n_vocab;
    for (size_t i = 0; i < R1_COUNT(sets); i++) {
        const json_t *bound = json_object_get(json_object_get(activations, sets[i].name), "bound");
        distance d = { 0 };
        if (!bound) continue;
        for (int p = sets[i].first; p <= sets[i].last; p++) {
            const r1_st_tensor *t = tensor(from, "%sp%d.logits", prefix, p), *ti = tensor(g->expected, "p%d.ids", p);
            size_t n = ti->bytes / 4;
            int32_t *ids = values(ti);
            float *want = values(t), *y = run(&x, ids, n);
            bool *same = same_routes(&x, ids, n, p, from, prefix);
            measure(&d, want, y, same, n, V);
            if (p == 3) check_routes(g, &x, ids, n, p, from, prefix, false);
            free(ids);
            free(want);
            free(y);
            free(same);
        }
        check_within(g->name, type, sets[i].name, i == 0 && json_object_get(activations, "p3"), &d, bound);
    }
    close_model(&x);
}

static void check_gguf_default(const golden *g, const char *type, const json_t *info)
{
    const json_t *a = json_object_get(info, "activations");
    check_rounded(g, type, a, gguf_path(g->name, type), (how){ 0 }, g->gguf);
    if (!json_object_get(a, "p3")) /* without routers, which a rounded cache may turn where choices are close */
        check_rounded(g, type, a, gguf_path(g->name, type), (how){ .kv = R1_KV_F16 }, g->gguf);
    check_rounded(g, type, a, gguf_path(g->name, type), (how){ .expanded = true }, g->gguf);
}

TEST(gguf_files_are_within_the_bounds_of_int8_activations)
{
    for_each_gguf(check_gguf_default);
}

TEST(checkpoints_are_within_the_bounds_of_bf16_activations)
{
    for (size_t i = 0; i < R1_COUNT(names); i++) {
        golden g;
        golden_open(&g, names[i]);
        const json_t *a = json_object_get(g.json, "bf16_activations");
        check_rounded(&g, "checkpoint", a, model_path(names[i]), (how){ .activations = R1_ACTIVATIONS_BF16 }, g.expected);
        check_rounded(&g, "checkpoint", a, model_path(names[i]), (how){ 0 }, g.expected);
        golden_close(&g);
    }
}

/* ---- the same bits --------------------------------------------------------------------------------------------- */

static void check_bits_of(const char *path, how base, const int32_t *ids, size_t n)
{
    static const int chunks[] = { 1, 7, 64, 512 };
    setup x;
    open_model(&x, path, base);
    size_t V = (size_t)r1_model_get_info(x.m)->n_vocab;
    float *want = run(&x, ids, n);
    close_model(&x);
    for (size_t c = 0; c < R1_COUNT(chunks); c++) {
        for (int threads = 1; threads <= 2; threads++) {
            how h = base;
            h.chunk = chunks[c];
            h.threads = threads;
            open_model(&x, path, h);
            float *y = run(&x, ids, n);
            if (memcmp(want, y, n * V * sizeof *y)) fail_msg("%s: other bits with chunk %d and %d threads", path, chunks[c], threads);
            free(y);
            close_model(&x);
        }
    }
    /* beside other sessions, at other lengths, token by token and in pieces */
    r1_error e = { 0 };
    r1_session *other[2];
    open_model(&x, path, base);
    for (int i = 0; i < 2; i++) EXPECT_OK(r1_session_open(&other[i], x.e, 0, &e), &e);
    float *y = malloc(n * V * sizeof *y), *rest = malloc(n * V * sizeof *rest);
    uint64_t seed = test_seed();
    for (size_t at = 0; at < n;) {
        size_t m = 1 + test_random(&seed) % 20, k = 1 + test_random(&seed) % 9;
        if (m > n - at) m = n - at;
        r1_batch_row rows[3] = { { other[0], ids, k, rest, k }, { x.s, ids + at, m, y + at * V, m }, { other[1], ids, 1, NULL, 0 } };
        EXPECT_OK(r1_batch_step(x.e, rows, 3, &e), &e);
        if (r1_session_length(other[0]) > n) r1_session_truncate(other[0], 1);
        at += m;
    }
    if (memcmp(want, y, n * V * sizeof *y)) fail_msg("%s: other bits beside other sessions", path);
    for (int i = 0; i < 2; i++) r1_session_close(other[i]);
    close_model(&x);
    free(want);
    free(y);
    free(rest);
}

static void check_bits_gguf(const golden *g, const char *type, const json_t *info)
{
    (void)info;
    const r1_st_tensor *t = tensor(g->expected, "p2.ids");
    int32_t *ids = values(t);
    check_bits_of(gguf_path(g->name, type), (how){ 0 }, ids, t->bytes / 4);
    free(ids);
}

TEST(gguf_logits_have_the_same_bits_in_any_chunk_batch_and_thread)
{
    for_each_gguf(check_bits_gguf);
}

TEST(checkpoint_logits_have_the_same_bits_in_any_chunk_batch_and_thread)
{
    for (size_t i = 0; i < R1_COUNT(names); i++) {
        golden g;
        golden_open(&g, names[i]);
        const r1_st_tensor *t = tensor(g.expected, "p2.ids");
        int32_t *ids = values(t);
        check_bits_of(model_path(names[i]), (how){ 0 }, ids, t->bytes / 4);
        check_bits_of(model_path(names[i]), (how){ .activations = R1_ACTIVATIONS_F32, .expanded = true, .kv = R1_KV_Q8_0 }, ids, t->bytes / 4);
        check_bits_of(model_path(names[i]), (how){ .activations = R1_ACTIVATIONS_BF16 }, ids, t->bytes / 4);
        free(ids);
        golden_close(&g);
    }
}

static void check_levels(const golden *g, const char *type, const json_t *info)
{
    (void)info;
    const r1_st_tensor *t = tensor(g->expected, "p1.ids");
    int32_t *ids = values(t);
    size_t n = t->bytes / 4;
    setup x;
    open_model(&x, gguf_path(g->name, type), (how){ .cpu = R1_CPU_SCALAR });
    size_t V = (size_t)r1_model_get_info(x.m)->n_vocab;
    float *want = run(&x, ids, n);
    close_model(&x);
    for (r1_cpu_level l = R1_CPU_AVX2; l <= R1_CPU_NEON; l++) {
        if (!r1_cpu_has(l)) continue;
        open_model(&x, gguf_path(g->name, type), (how){ .cpu = l });
        float *y = run(&x, ids, n);
        if (memcmp(want, y, n * V * sizeof *y)) fail_msg("%s %s: other bits at level %s", g->name, type, r1_cpu_level_name(l));
        free(y);
        close_model(&x);
    }
    free(want);
    free(ids);
}

TEST(logits_have_the_same_bits_at_every_cpu_level)
{
    for_each_gguf(check_levels);
}

/* ---- the tests themselves -------------------------------------------------------------------------------------- */

TEST(a_planted_fault_is_found)
{
    golden g;
    setup x;
    golden_open(&g, "qwen2");
    open_model(&x, model_path("qwen2"), float_paths[0]);
    const r1_st_tensor *ti = tensor(g.expected, "p1.ids");
    int32_t *ids = values(ti);
    size_t n = ti->bytes / 4, V = (size_t)r1_model_get_info(x.m)->n_vocab;
    float *want = values(tensor(g.expected, "p1.logits"));
    ids[n / 2] = (ids[n / 2] + 1) % (int32_t)V; /* another token: everything after it must differ, nothing before it */
    float *y = run(&x, ids, n);
    double bound = number(g.json, "bound", "logit_absolute");
    EXPECT(max_error(y, want, n / 2 * V) <= bound);
    EXPECT(max_error(y + n / 2 * V, want + n / 2 * V, V) > bound);
    free(ids);
    free(want);
    free(y);
    close_model(&x);
    golden_close(&g);
}
