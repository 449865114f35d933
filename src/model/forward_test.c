/* Parts of the forward pass on models made by hand: angles, rotation, attention over pages, routing and experts, each against
 * sums in double. Whole models against recorded numbers: tests/golden/models_test.c. */
#include "model/variant_test.h"
#include "model/forward_int.h"

#include <math.h>

static const double ULP = 0x1p-24; /* half a unit in the last place of 1 */

static float uniform(uint64_t *seed) { return (float)((int)(test_random(seed) % 20001) - 10000) / 10000; }

static float *random_floats(size_t n, float size, uint64_t *seed)
{
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = uniform(seed) * size;
    return x;
}

static r1_weight matrix(const float *data, size_t rows, size_t k)
{
    return (r1_weight){ .type = R1_F32, .rows = rows, .k = k, .data = (const uint8_t *)data, .stride = k * sizeof(float) };
}

typedef struct bench {
    r1_model m;
    r1_pool *pool;
    r1_forward *f;
} bench;

/* b->m.c is set; what is not said is 1. */
static void bench_open(bench *b, int threads, size_t chunk)
{
    r1_error e = { 0 };
    int *ones[] = { &b->m.c.n_embd, &b->m.c.n_heads, &b->m.c.n_kv_heads, &b->m.c.head_dim, &b->m.c.n_vocab, &b->m.c.n_ff };
    for (size_t i = 0; i < R1_COUNT(ones); i++)
        if (!*ones[i]) *ones[i] = 1;
    if (!b->m.c.rope.dim) b->m.c.rope.dim = 2;
    b->m.max_k = (size_t)b->m.c.n_embd;
    r1_kernels_init(&b->m.k, r1_cpu_best());
    EXPECT_OK(r1_pool_new(&b->pool, threads, &e), &e);
    EXPECT_OK(r1_forward_new(&b->f, &b->m, b->pool, chunk, &e), &e);
    EXPECT_INT(r1_forward_chunk(b->f), chunk);
}

static void bench_close(bench *b)
{
    r1_forward_free(b->f);
    r1_pool_free(b->pool);
}

/* ---- positions ---------------------------------------------------------------------------------------------------- */

/* A model without layers only looks up the embedding and the angles. */
TEST(angles_equal_the_recorded_ones_at_every_position)
{
    json_t *all, *want, *wave;
    r1_error e = { 0 };
    const char *name, *position;
    EXPECT_OK(r1_json_read(&all, test_path("golden/models/rope.json"), 1 << 24, &e), &e);
    json_object_foreach(all, name, want) {
        const json_t *inv = json_object_get(want, "inv_freq");
        size_t half = json_array_size(inv);
        double freq[64];
        float embedding = 1;
        for (size_t i = 0; i < half; i++) freq[i] = strtod(json_string_value(json_array_get(inv, i)), NULL);
        bench b = { .m.c = { .n_layers = 0, .rope = { .dim = (int)half * 2, .multiplier = 1, .inv_freq = freq } } };
        b.m.embd = matrix(&embedding, 1, 1);
        bench_open(&b, 1, 4);
        json_object_foreach(json_object_get(want, "positions"), position, wave) {
            size_t pos = (size_t)strtoul(position, NULL, 10);
            const r1_span spans[] = { { NULL, (int32_t[]){ 0, 0 }, 5, 2 }, { NULL, (int32_t[]){ 0 }, pos, 1 } };
            r1_forward_run(b.f, spans, 2, NULL);
            for (size_t i = 0; i < half; i++) {
                EXPECT(fabs(b.f->cos[2 * half + i] - strtod(json_string_value(json_array_get(json_object_get(wave, "cos"), i)), NULL)) <= 1e-6);
                EXPECT(fabs(b.f->sin[2 * half + i] - strtod(json_string_value(json_array_get(json_object_get(wave, "sin"), i)), NULL)) <= 1e-6);
                EXPECT(fabs(b.f->cos[half + i] - cos(6 * freq[i])) <= 2 * ULP); /* the second token of the first span */
            }
        }
        bench_close(&b);
    }
    json_decref(all);
}

TEST(pairs_are_rotated_where_the_layout_has_them)
{
    enum { DIM = 8, HALF = 4, HEADS = 3, STRIDE = 11 };
    uint64_t seed = test_seed();
    for (int layout = 0; layout < 3; layout++) {
        bench b = { .m.c.rope = { .dim = DIM, .adjacent = layout > 0, .to_halves = layout == 2 } };
        bench_open(&b, 1, 3);
        float *x = random_floats(HEADS * STRIDE, 1, &seed), y[HEADS * STRIDE];
        for (size_t i = 0; i < 3 * HALF; i++) b.f->cos[i] = uniform(&seed), b.f->sin[i] = uniform(&seed);
        memcpy(y, x, sizeof y);
        r1_rotate(b.f, y, HEADS, STRIDE, 2);
        for (size_t h = 0; h < HEADS; h++) {
            for (size_t i = 0; i < HALF; i++) {
                size_t from = h * STRIDE, u = layout ? 2 * i : i, v = layout ? 2 * i + 1 : HALF + i, p = layout == 1 ? 2 * i : i, q = layout == 1 ? 2 * i + 1 : HALF + i;
                double c = b.f->cos[2 * HALF + i], s = b.f->sin[2 * HALF + i];
                EXPECT(fabs(y[from + p] - (x[from + u] * c - x[from + v] * s)) <= 3 * ULP);
                EXPECT(fabs(y[from + q] - (x[from + v] * c + x[from + u] * s)) <= 3 * ULP);
            }
            for (size_t i = DIM; i < STRIDE; i++) EXPECT(y[h * STRIDE + i] == x[h * STRIDE + i]);
        }
        free(x);
        bench_close(&b);
    }
}

TEST(the_cache_has_the_shape_of_the_model)
{
    r1_model m = { .c = { .n_layers = 7, .n_heads = 8, .n_kv_heads = 2, .head_dim = 24 } };
    r1_kv_shape s = r1_model_kv_shape(&m, R1_KV_AUTO);
    EXPECT(s.type == R1_KV_F16 && s.n_layers == 7 && s.n_heads == 2 && s.key_dim == 24 && s.value_dim == 24);
    EXPECT(r1_model_kv_shape(&m, R1_KV_Q8_0).type == R1_KV_Q8_0);
    m.all_f32 = true;
    EXPECT(r1_model_kv_shape(&m, R1_KV_AUTO).type == R1_KV_F32);
    m.all_f32 = false;
    m.options.activations = R1_ACTIVATIONS_F32;
    EXPECT(r1_model_kv_shape(&m, R1_KV_AUTO).type == R1_KV_F32 && r1_model_kv_shape(&m, R1_KV_BF16).type == R1_KV_BF16);
    m = (r1_model){ .c = { .n_layers = 3, .n_heads = 8, .mla = true, .kv_lora = 40, .rope.dim = 8 } };
    s = r1_model_kv_shape(&m, R1_KV_AUTO);
    EXPECT(s.type == R1_KV_F32 && s.n_heads == 1 && s.key_dim == 48 && s.value_dim == 0);
}

/* ---- attention ---------------------------------------------------------------------------------------------------- */

enum { SPANS = 3 };

typedef struct shape { int heads, kv_heads, key, value, lora; bool latent, expanded; float size; } shape;

typedef struct scene {
    bench b;
    shape s;
    r1_kv_pool *pool;
    r1_kv *kv[SPANS];
    r1_span spans[SPANS];
    size_t n;                  /* tokens */
    float *cache[SPANS];       /* [tokens, kv heads, row] as the cache gives it back: key, then value */
    size_t row;                /* latent: the latent and the rope key */
    float *q, *given, *o, *w_k, *w_v; /* given: a copy of q for r1_attend, which may change it. Expanded: [heads, lora, nope], [heads, value, lora] */
    r1_layer layer;
    r1_weight *k_b, *v_b;
} scene;

static void fill_cache(scene *x, size_t i, uint64_t *seed)
{
    const r1_kv_shape *k = r1_kv_shape_of(x->kv[i]);
    const r1_kernels *kernels = &x->b.m.k;
    size_t tokens = x->spans[i].pos + x->spans[i].n, parts[] = { (size_t)k->key_dim, (size_t)k->value_dim };
    x->cache[i] = random_floats(tokens * (size_t)k->n_heads * x->row, x->s.size, seed);
    for (size_t t = 0; t < tokens; t++) {
        for (int h = 0; h < k->n_heads; h++) {
            float *row = x->cache[i] + (t * (size_t)k->n_heads + (size_t)h) * x->row;
            for (int p = 0; p < 2 && parts[p]; p++) {
                float *v = row + (p ? parts[0] : 0);
                (p ? r1_kv_store_value : r1_kv_store_key)(x->kv[i], kernels, 1, h, t, v);
                (p ? r1_kv_load_value : r1_kv_load_key)(x->kv[i], kernels, 1, h, t, v);
            }
        }
    }
}

static void set_scene(scene *x, shape s, r1_kv_type type, int threads, uint64_t *seed)
{
    r1_error e = { 0 };
    *x = (scene){ .s = s };
    int rope = s.latent ? s.key - (s.expanded ? 12 : s.lora) : 2;
    x->b.m.c = (r1_config){ .n_layers = 2, .n_heads = s.heads, .n_kv_heads = s.latent ? 1 : s.kv_heads, .head_dim = s.expanded ? s.key : s.latent ? 12 + rope : s.key,
                            .mla = s.latent, .kv_lora = s.lora, .nope_dim = 12, .v_dim = s.expanded ? s.value : 10, .rope.dim = rope,
                            .softmax_scale = (float)(1 / sqrt(s.key)) };
    x->b.m.options.mla_expanded = s.expanded;
    x->b.m.c.n_dense = 2;
    for (size_t i = 0; i < SPANS; i++) {
        x->spans[i] = (r1_span){ .pos = test_random(seed) % 3 * (R1_KV_PAGE / 2 + test_random(seed) % 40), .n = 1 + test_random(seed) % (i == 1 ? 90 : 6) };
        x->n += x->spans[i].n;
    }
    bench_open(&x->b, threads, x->n);
    const r1_kv_shape pages = { type, 2, s.latent ? 1 : s.kv_heads, s.latent ? s.lora + rope : s.key, s.latent ? 0 : s.value };
    x->row = (size_t)(pages.key_dim + pages.value_dim);
    EXPECT_OK(r1_kv_pool_new(&x->pool, &pages, &e), &e);
    for (size_t i = 0; i < SPANS; i++) {
        size_t tokens = x->spans[i].pos + x->spans[i].n;
        EXPECT_OK(r1_kv_new(&x->kv[i], x->pool, tokens, &e), &e);
        r1_kv_resize(x->kv[i], tokens);
        x->spans[i].kv = x->kv[i];
        fill_cache(x, i, seed);
    }
    size_t H = (size_t)s.heads;
    x->q = random_floats(x->n * H * (size_t)s.key, s.size, seed);
    x->given = malloc(x->n * H * (size_t)s.key * sizeof *x->q);
    memcpy(x->given, x->q, x->n * H * (size_t)s.key * sizeof *x->q);
    x->o = calloc(x->n * H * (size_t)s.value, sizeof *x->o);
    x->w_k = random_floats(H * (size_t)s.lora * 12, 0.3f, seed);
    x->w_v = random_floats(H * (size_t)s.lora * (size_t)s.value, 0.3f, seed);
    x->k_b = calloc(H, sizeof *x->k_b);
    x->v_b = calloc(H, sizeof *x->v_b);
    for (size_t h = 0; h < H; h++) {
        x->k_b[h] = matrix(x->w_k + h * (size_t)s.lora * 12, (size_t)s.lora, 12);
        x->v_b[h] = matrix(x->w_v + h * (size_t)s.lora * (size_t)s.value, (size_t)s.value, (size_t)s.lora);
    }
    x->layer.k_b = x->k_b;
    x->layer.v_b = x->v_b;
    x->b.f->spans = x->spans;
    x->b.f->n_spans = SPANS;
    x->b.f->n = x->n;
}

static void end_scene(scene *x)
{
    for (size_t i = 0; i < SPANS; i++) {
        r1_kv_free(x->kv[i]);
        free(x->cache[i]);
    }
    r1_kv_pool_free(x->pool);
    bench_close(&x->b);
    void *all[] = { x->q, x->given, x->o, x->w_k, x->w_v, x->k_b, x->v_b };
    for (size_t i = 0; i < R1_COUNT(all); i++) free(all[i]);
}

/* Key or value of head h for token t of span i, in double, and a bound of its own error. */
static double vectors(const scene *x, size_t i, size_t t, size_t h, bool value, double *out)
{
    const shape *s = &x->s;
    size_t n = (size_t)(value ? s->value : s->key), heads = (size_t)(s->latent ? 1 : s->kv_heads), lora = (size_t)s->lora;
    const float *row = x->cache[i] + (t * heads + (s->latent ? 0 : h / (size_t)(s->heads / s->kv_heads))) * x->row;
    double size = 0;
    if (!s->expanded) { /* in the latent form the value is the start of the key */
        for (size_t j = 0; j < n; j++) out[j] = row[j + (value && !s->latent ? (size_t)s->key : 0)];
        return 0;
    }
    for (size_t j = 0; j < n; j++) {
        double sum = 0, abs = 0;
        for (size_t l = 0; l < lora; l++) {
            double w = value ? x->w_v[(h * n + j) * lora + l] : j < 12 ? x->w_k[(h * lora + l) * 12 + j] : 0;
            sum += w * row[l];
            abs += fabs(w * row[l]);
        }
        out[j] = !value && j >= 12 ? row[lora + j - 12] : sum;
        size = fmax(size, abs);
    }
    return size * ULP * ((double)lora + 6);
}

static void expect_attention(const scene *x, size_t i, size_t token, size_t column, size_t h)
{
    const shape *s = &x->s;
    size_t n = x->spans[i].pos + token + 1, K = (size_t)s->key, V = (size_t)s->value;
    const float *q = x->q + (column * (size_t)s->heads + h) * K, *o = x->o + (column * (size_t)s->heads + h) * V;
    double *p = calloc(n, sizeof *p), *v = calloc(V, sizeof *v), *want = calloc(V, sizeof *want), *size = calloc(V, sizeof *size), key[128];
    double max = -INFINITY, sum = 0, error = 0, v_error = 0;
    for (size_t t = 0; t < n; t++) {
        double k_error = vectors(x, i, t, h, false, key), abs = 0, q_sum = 0;
        for (size_t j = 0; j < K; j++) {
            p[t] += key[j] * q[j] * (double)x->b.m.c.softmax_scale;
            abs += fabs(key[j] * q[j]) * (double)x->b.m.c.softmax_scale;
            q_sum += fabs(q[j]) * (double)x->b.m.c.softmax_scale;
        }
        error = fmax(error, abs * ULP * ((double)K + 8) + k_error * q_sum); /* of a score */
        max = fmax(max, p[t]);
    }
    for (size_t t = 0; t < n; t++) sum += p[t] = exp(p[t] - max);
    for (size_t t = 0; t < n; t++) {
        v_error = fmax(v_error, vectors(x, i, t, h, true, v));
        for (size_t j = 0; j < V; j++) {
            want[j] += p[t] / sum * v[j];
            size[j] += p[t] / sum * fabs(v[j]);
        }
    }
    /* Each weight is off by the scores' error twice (its own and the largest), by exp and its argument, and each sum by its length. */
    double relative = 2 * error + 2 * fabs(error) * error + ULP * (2 * (double)n + 200);
    for (size_t j = 0; j < V; j++)
        EXPECT_MSG(fabs(o[j] - want[j]) <= relative * size[j] + v_error + 1e-30, "%d heads of %d + %d: span %zu, token %zu, head %zu, value %zu is %.9g, expected %.9g within %g", s->heads,
                   s->key, s->value, i, token, h, j, (double)o[j], want[j], relative * size[j] + v_error);
    free(p);
    free(v);
    free(want);
    free(size);
}

static const shape shapes[] = {
    { 1, 1, 16, 16, 0, false, false, 1 }, { 6, 2, 16, 16, 0, false, false, 1 }, { 40, 1, 16, 16, 0, false, false, 1 }, { 4, 4, 80, 80, 0, false, false, 1 },
    { 8, 2, 33, 33, 0, false, false, 30 }, /* scores far beyond what exp can hold: the running maximum is needed */
    { 5, 1, 56, 40, 40, true, false, 1 }, { 36, 1, 56, 40, 40, true, false, 1 }, { 5, 1, 28, 20, 40, true, true, 1 },
};

TEST(attention_equals_sums_in_double)
{
    static const r1_kv_type types[] = { R1_KV_F32, R1_KV_F16, R1_KV_Q8_0, R1_KV_BF16 };
    uint64_t seed = test_seed();
    for (size_t n = 0; n < R1_COUNT(shapes) * 4; n++) {
        scene x;
        set_scene(&x, shapes[n / 4], types[n % 4], 1 + (int)(n % 2), &seed);
        r1_attention a = { .f = x.b.f, .layer = &x.layer, .layer_index = 1, .n = x.n, .q = x.given, .key_dim = (size_t)x.s.key, .o = x.o, .value_dim = (size_t)x.s.value,
                           .expanded = x.s.expanded };
        r1_attend(&a);
        for (size_t i = 0, column = 0; i < SPANS; column += x.spans[i++].n)
            for (size_t t = 0; t < x.spans[i].n; t += x.spans[i].n > 8 ? 7 : 1)
                for (int h = 0; h < x.s.heads; h += x.s.heads > 8 ? 5 : 1) expect_attention(&x, i, t, column + t, (size_t)h);
        /* in parts: the same bits */
        size_t row = (size_t)(x.s.heads * x.s.value);
        float *whole = malloc(x.n * row * sizeof *whole);
        memcpy(whole, x.o, x.n * row * sizeof *whole);
        memset(x.o, 0, x.n * row * sizeof *whole);
        memcpy(x.given, x.q, x.n * (size_t)(x.s.heads * x.s.key) * sizeof *x.q);
        for (size_t first = 0, m; first < x.n; first += m) {
            m = r1_min(x.n - first, 1 + test_random(&seed) % 9);
            a.first = first;
            a.n = m;
            a.q = x.given + first * (size_t)(x.s.heads * x.s.key);
            a.o = x.o + first * row;
            r1_attend(&a);
        }
        EXPECT(!memcmp(whole, x.o, x.n * row * sizeof *whole));
        free(whole);
        end_scene(&x);
    }
}

/* ---- experts ------------------------------------------------------------------------------------------------------- */

typedef struct gating { int experts, groups, groups_used, used; bool sigmoid, normalise, bias, shared; float scale; } gating;

static const gating gates[] = {
    { 16, 4, 2, 4, true, true, true, true, 2.5f }, { 8, 8, 3, 3, true, true, true, false, 1 }, { 12, 1, 1, 3, false, false, false, true, 16 },
    { 12, 3, 1, 4, false, true, false, false, 3 }, { 1, 1, 1, 1, true, false, false, false, 2 }, { 24, 4, 4, 6, true, true, true, true, 1 },
};

/* Whether two of x[n] are so close, and not equal, that float and double may order them differently. */
static bool close_call(const double *x, int n)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            if (x[i] != x[j] && fabs(x[i] - x[j]) < 32 * ULP) return true;
    return false;
}

/* The choice written out again, in double. Returns false when it is too close to call. */
static bool choose(const gating *g, const double *score, const float *bias, bool *chosen)
{
    int per = g->experts / g->groups;
    double choice[64], group[64];
    bool kept[64] = { false };
    for (int e = 0; e < g->experts; e++) choice[e] = score[e] + (double)(g->bias ? bias[e] : 0), chosen[e] = false;
    for (int i = 0; i < g->groups; i++) {
        double a = -INFINITY, b = -INFINITY;
        for (int e = i * per; e < (i + 1) * per; e++) {
            if (choice[e] > a) b = a, a = choice[e];
            else if (choice[e] > b) b = choice[e];
        }
        group[i] = g->sigmoid && per > 1 ? a + b : a;
    }
    for (int n = 0; n < g->groups_used; n++) {
        int best = -1;
        for (int i = 0; i < g->groups; i++)
            if (!kept[i] && (best < 0 || group[i] > group[best])) best = i;
        kept[best] = true;
    }
    for (int n = 0; n < g->used; n++) {
        int best = -1;
        for (int e = 0; e < g->experts; e++)
            if (kept[e / per] && !chosen[e] && (best < 0 || choice[e] > choice[best])) best = e;
        chosen[best] = true;
    }
    return !close_call(choice, g->experts) && !close_call(group, g->groups);
}

static double silu(double x) { return x / (1 + exp(-x)); }

/* y += scale * down(silu(gate h) * up h), in double; bound += what float32 may be off by. */
static void feed(const r1_mlp *m, const float *h, double scale, double *y, double *bound)
{
    const float *gate = (const float *)(const void *)m->gate.data, *up = (const float *)(const void *)m->up.data, *down = (const float *)(const void *)m->down.data;
    size_t D = m->gate.k, F = m->gate.rows;
    double in = ((double)D / 16 + 6) * ULP, out = ((double)F / 16 + 6 + 64 + 4) * ULP; /* of a sum; with the weight's error and the last fma */
    for (size_t i = 0; i < F; i++) {
        double g = 0, u = 0, g_abs = 0, u_abs = 0;
        for (size_t j = 0; j < D; j++) {
            g += (double)gate[i * D + j] * h[j], g_abs += fabs((double)gate[i * D + j] * h[j]);
            u += (double)up[i * D + j] * h[j], u_abs += fabs((double)up[i * D + j] * h[j]);
        }
        double act = silu(g) * u, error = 1.1 * in * g_abs * (fabs(u) + in * u_abs) + fabs(silu(g)) * in * u_abs + 8 * ULP * fabs(act); /* silu's slope is below 1.1 */
        for (size_t r = 0; r < D; r++) {
            y[r] += scale * act * (double)down[r * F + i];
            bound[r] += fabs(scale * (double)down[r * F + i]) * (error + out * fabs(act));
        }
    }
}

/* Router: the identity, so that a token's values are its logits. */
TEST(tokens_go_to_the_experts_that_the_rules_say)
{
    enum { F = 3, T = 50, WIDEST = 24 };
    uint64_t seed = test_seed();
    for (size_t n = 0; n < R1_COUNT(gates); n++) {
        const gating *g = &gates[n];
        size_t E = (size_t)g->experts, D = E, U = (size_t)g->used;
        float *weights = random_floats((E + 1) * 3 * F * D, 0.5f, &seed), *bias = random_floats(E, 0.2f, &seed), identity[WIDEST * WIDEST] = { 0 };
        for (size_t e = 0; e < E; e++) identity[e * E + e] = 1, bias[e] -= 0.6f; /* mostly below what a refused group could be taken for */
        r1_mlp experts[WIDEST + 1];
        for (size_t e = 0; e <= E; e++) {
            float *w = weights + e * 3 * F * D;
            experts[e] = (r1_mlp){ matrix(w, F, D), matrix(w + F * D, F, D), matrix(w + 2 * F * D, D, F) };
        }
        r1_layer l = { .moe = true, .router = matrix(identity, E, D), .router_bias = g->bias ? bias : NULL, .experts = experts };
        if (g->shared) l.mlp = experts[E];
        bench b = { .m.c = { .n_layers = 1, .n_embd = (int)D, .n_experts = g->experts, .n_used = g->used, .n_shared = g->shared, .n_ff_expert = F, .n_groups = g->groups,
                             .n_groups_used = g->groups_used, .sigmoid = g->sigmoid, .normalise = g->normalise, .expert_scale = g->scale } };
        bench_open(&b, 2, T);
        int32_t ids[2 * T * WIDEST];
        float route_weights[2 * T * WIDEST];
        r1_tap tap = { .hidden_layer = -1, .route_ids = ids, .route_weights = route_weights, .first = 1, .n_rows = T + 1 };
        b.f->tap = &tap;
        b.f->n = T;
        for (size_t i = 0; i < T * D; i++) b.f->h[i] = n % 2 ? (float)(test_random(&seed) % 5) / 2 : uniform(&seed) * 3; /* every other gate: many ties */
        r1_experts(b.f, &l, 1, &(r1_residual){ .f = b.f });
        size_t called = 0;
        for (size_t t = 0; t < T; t++) {
            const float *h = b.f->h + t * D;
            double score[WIDEST], sum = 0, all = 0, y[WIDEST] = { 0 }, bound[WIDEST] = { 0 };
            bool chosen[WIDEST];
            for (size_t e = 0; e < E; e++) all += exp(h[e]);
            for (size_t e = 0; e < E; e++) score[e] = g->sigmoid ? 1 / (1 + exp(-h[e])) : exp(h[e]) / all;
            if (!choose(g, score, bias, chosen)) continue;
            called++;
            for (size_t e = 0; e < E; e++) sum += chosen[e] ? score[e] : 0;
            size_t at = ((T + 1) + 1 + t) * U; /* layer 1 of the tap, behind its first row */
            for (size_t e = 0; e < E; e++) {
                if (!chosen[e]) continue;
                double w = score[e] / (g->normalise ? sum : 1) * (g->sigmoid || !g->normalise ? g->scale : 1);
                EXPECT_MSG(ids[at] == (int32_t)e, "gate %zu, token %zu: expert %d where %zu was expected", n, t, (int)ids[at], e);
                EXPECT(fabs(route_weights[at] - w) <= fabs(w) * 64 * ULP);
                feed(&experts[e], h, w, y, bound);
                at++;
            }
            if (g->shared) feed(&experts[E], h, 1, y, bound);
            for (size_t r = 0; r < D; r++)
                EXPECT_MSG(fabs(b.f->y[t * D + r] - y[r]) <= bound[r], "gate %zu, token %zu: %.9g, expected %.9g within %g", n, t, (double)b.f->y[t * D + r], y[r], bound[r]);
        }
        EXPECT(called > T / 2);
        b.f->tap = NULL; /* numbers that are none still go to experts that exist */
        for (size_t i = 0; i < T * D; i++) b.f->h[i] = i % 3 ? NAN : i % 2 ? INFINITY : -INFINITY;
        r1_experts(b.f, &l, 0, &(r1_residual){ .f = b.f });
        for (size_t i = 0; i < T * U; i++) EXPECT(b.f->route_ids[i] >= 0 && (size_t)b.f->route_ids[i] < E && (i % U == 0 || b.f->route_ids[i] > b.f->route_ids[i - 1]));
        bench_close(&b);
        free(weights);
        free(bias);
    }
}
