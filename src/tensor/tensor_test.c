/* Products of weights of every type, packed and not, against sums in double; the same bits for any number of threads and
 * any grouping; decoding of rows with block scales. Bounds follow from the orders written in kernels.h. */
#include "tests/test.h"
#include "base/half.h"
#include "tensor/tensor.h"

#include <math.h>

static const struct { r1_type type; int d, m; } quantised[] = { /* byte offsets of the f16 scales in a block; -1: none */
    { R1_Q4_0, 0, -1 }, { R1_Q4_1, 0, 2 }, { R1_Q5_0, 0, -1 }, { R1_Q5_1, 0, 2 }, { R1_Q8_0, 0, -1 }, { R1_IQ4_NL, 0, -1 }, { R1_MXFP4, -1, -1 },
    { R1_Q2_K, 80, 82 }, { R1_Q3_K, 108, -1 }, { R1_Q4_K, 0, 2 }, { R1_Q5_K, 0, 2 }, { R1_Q6_K, 208, -1 }, { R1_IQ4_XS, 0, -1 },
};
static const r1_type floats[] = { R1_F32, R1_F16, R1_BF16, R1_F8_E4M3 };
static const size_t columns[] = { 1, 2, 3, 5, 17 };

enum { MAX_C = 17, GUARD = 3 };

/* ---- random weights ---------------------------------------------------------------------------------------------- */

static float uniform(uint64_t *seed) { return (float)((int)(test_random(seed) % 20001) - 10000) / 10000; }

static float *random_floats(size_t n, uint64_t *seed)
{
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = uniform(seed) * (test_random(seed) % 16 ? 1 : 8);
    return x;
}

/* n blocks of random codes with scales of a sensible size. */
static void random_blocks(r1_type type, uint8_t *p, size_t n, uint64_t *seed)
{
    const r1_type_info *info = r1_type_get(type);
    for (size_t i = 0; i < n * info->bytes; i++) p[i] = (uint8_t)(test_random(seed) >> 8);
    for (size_t q = 0; q < R1_COUNT(quantised); q++) {
        if (quantised[q].type != type) continue;
        for (size_t b = 0; b < n; b++) {
            uint16_t d = r1_f16_from_f32(uniform(seed) * 0.1f), m = r1_f16_from_f32(uniform(seed) * 0.1f);
            if (quantised[q].d >= 0) memcpy(p + b * info->bytes + quantised[q].d, &d, 2);
            if (quantised[q].m >= 0) memcpy(p + b * info->bytes + quantised[q].m, &m, 2);
            if (type == R1_MXFP4) p[b * info->bytes] = (uint8_t)(120 + test_random(seed) % 8);
        }
    }
}

typedef struct matrix {
    r1_weight w;
    void *data, *scale, *packed;
} matrix;

static matrix random_matrix(r1_type type, size_t rows, size_t k, bool pack, uint64_t *seed)
{
    matrix m = { 0 };
    size_t stride = r1_row_bytes(type, k), bytes = rows * stride;
    uint8_t *p = m.data = malloc(bytes + 1);
    p++; /* no alignment is promised */
    for (size_t i = 0; i < rows * k && !r1_type_get(type)->quantised; i++) {
        float v = uniform(seed);
        uint16_t h = type == R1_F16 ? r1_f16_from_f32(v) : r1_bf16_from_f32(v);
        if (type == R1_F32) memcpy(p + 4 * i, &v, 4);
        else if (type == R1_F8_E4M3) p[i] = (uint8_t)(test_random(seed) % 0x60 | (test_random(seed) & 0x80)); /* below 2^5, no NaN */
        else memcpy(p + 2 * i, &h, 2);
    }
    if (r1_type_get(type)->quantised) random_blocks(type, p, bytes / r1_type_get(type)->bytes, seed);
    m.w = (r1_weight){ .type = type, .rows = rows, .k = k, .data = p, .stride = stride };
    if (type == R1_F8_E4M3) {
        m.w.scale_ld = r1_ceil_div(k, 128);
        m.scale = random_floats(m.w.scale_ld * r1_ceil_div(rows, 128), seed);
        m.w.scale = m.scale;
    }
    if (!pack) return m;
    uint8_t *panels = m.packed = aligned_alloc(64, r1_round_up(r1_packed_bytes(type, rows, k), 64));
    memset(panels, 0, r1_packed_bytes(type, rows, k));
    for (size_t r = 0; r < rows; r += R1_PANEL) r1_pack_panel(type, panels + r * stride, p + r * stride, stride, rows - r, k);
    m.w.packed = panels;
    return m;
}

static void free_matrix(matrix *m)
{
    free(m->data);
    free(m->scale);
    free(m->packed);
}

/* ---- the double oracle --------------------------------------------------------------------------------------------- */

/* The input as a product with w sees it: x[C, K] to seen, and for packed weights its rounding to int8. */
static void input_seen(const r1_kernels *k, const r1_weight *w, r1_activations mode, bool exact, const float *x, size_t C, double *seen)
{
    size_t K = w->k;
    if (w->packed) {
        bool wide = r1_type_get(w->type)->by_256;
        size_t group = wide ? 256 : 32, sub = wide ? 16 : 32;
        r1_act8 a = { malloc(K), malloc(K / group * sizeof(float)), malloc(K / sub * sizeof(int32_t)), (int)group, (int)sub, NULL, NULL, NULL };
        for (size_t c = 0; c < C; c++) {
            k->quantize(&a, 0, x + c * K, K);
            for (size_t i = 0; i < K; i++) seen[c * K + i] = (double)a.q[i] * a.d[i / group];
        }
        free(a.q);
        free(a.d);
        free(a.sum);
        return;
    }
    bool round = mode == R1_ACTIVATIONS_BF16 && !exact;
    for (size_t i = 0; i < C * K; i++) seen[i] = round ? r1_bf16_to_f32(r1_bf16_from_f32(x[i])) : x[i];
}

/* Row r of w in double, and what its terms may add up to: for a difference of two parts, both. */
static void row_exact(const r1_weight *w, size_t r, double *value, double *size)
{
    const r1_type_info *info = r1_type_get(w->type);
    const uint8_t *src = w->data + r * w->stride;
    for (size_t i = 0; i < w->k && info->quantised; i += info->block) {
        r1_codes c;
        r1_codes_get(w->type, src + i / info->block * info->bytes, &c);
        for (int j = 0; j < c.n; j++) {
            double a = (double)c.d * c.scale[j / c.run] * c.code[j], b = c.has_min ? (double)c.dmin * c.min[j / c.run] : 0;
            value[i + (size_t)j] = a - b;
            size[i + (size_t)j] = fabs(a) + fabs(b);
        }
    }
    if (info->quantised) return;
    float *row = malloc(w->k * sizeof *row);
    r1_decode(w->type, src, row, w->k);
    for (size_t i = 0; i < w->k; i++) {
        float scale = 1;
        if (w->scale) memcpy(&scale, w->scale + ((w->row0 + r) / 128 * w->scale_ld + i / 128) * 4, 4);
        value[i] = (double)(row[i] * scale); /* the weight is the product rounded to f32 */
        size[i] = fabs(value[i]);
    }
    free(row);
}

/* Roundings along a chain of n fma steps, a tree of 4 and, for int8, scales multiplied first; or those of a pairs dot, if more; or, odd-even, a single chain. */
static double chain(const r1_weight *w, bool odd_even)
{
    const r1_type_info *info = r1_type_get(w->type);
    if (w->packed) return 2.0 * (double)(w->k / info->block) + 4;
    if (w->type == R1_BF16 && odd_even) return (double)w->k + 1;
    if (w->type == R1_BF16) return r1_max(r1_ceil_div(w->k, 16) + 6, r1_ceil_div(w->k, 32) + 18);
    return (double)r1_ceil_div(w->k, 16) + 6 + (info->quantised ? 3 : 0); /* decoding a block rounds up to three times */
}

static void expect_product(const r1_kernels *k, const r1_weight *w, r1_activations mode, const r1_input *in, const float *bias, const float *y, size_t ldy,
                           size_t c0, size_t C)
{
    size_t K = w->k;
    double *x = malloc(in->C * K * sizeof *x), *value = malloc(K * sizeof *value), *size = malloc(K * sizeof *size);
    input_seen(k, w, mode, in->exact, in->x, in->C, x);
    for (size_t r = 0; r < w->rows; r++) {
        row_exact(w, r, value, size);
        for (size_t c = 0; c < C; c++) {
            double want = 0, sum = 0, got = y[c * ldy + r];
            for (size_t i = 0; i < K; i++) {
                want += value[i] * x[(c0 + c) * K + i];
                sum += size[i] * fabs(x[(c0 + c) * K + i]);
            }
            double bound = chain(w, k->matmul_bf16_fours && mode == R1_ACTIVATIONS_BF16 && !in->exact) * 0x1p-24 * sum;
            if (bias) want += bias[r], bound += fabs(want) * 0x1p-24 + bound * 0x1p-20;
            if (!(fabs(got - want) <= bound))
                fail_msg("%s%s [%zu, %zu], row %zu, column %zu of %zu: %.9g, expected %.9g within %g", r1_type_get(w->type)->name, w->packed ? " packed" : "", w->rows, K, r, c,
                         C, got, want, bound);
        }
    }
    free(x);
    free(value);
    free(size);
}

/* ---- one weight ----------------------------------------------------------------------------------------------------- */

typedef struct bench {
    r1_kernels k;
    r1_pool *pool;
    r1_exec e;
} bench;

static void bench_open(bench *b, r1_cpu_level level, int threads, r1_activations mode, size_t max_k, size_t values)
{
    r1_error err = { 0 };
    r1_kernels_init(&b->k, level);
    EXPECT_OK(r1_pool_new(&b->pool, threads, &err), &err);
    EXPECT_OK(r1_exec_init(&b->e, &b->k, b->pool, mode, &(r1_exec_sizes){ values, max_k, 8, true, true }, &err), &err);
}

static void bench_close(bench *b)
{
    r1_exec_deinit(&b->e);
    r1_pool_free(b->pool);
}

static float *poisoned(size_t n)
{
    float *y = malloc(n * sizeof *y);
    for (size_t i = 0; i < n; i++) y[i] = 12345.5f;
    return y;
}

/* y[C, rows + GUARD] of w x, with canaries between the columns; caller frees. */
static float *multiply(bench *b, const r1_weight *w, const float *bias, const r1_input *in)
{
    size_t ldy = w->rows + GUARD;
    float *y = poisoned(in->C * ldy);
    r1_multiply(&b->e, &(r1_product){ w, bias, y, ldy, 0, in->C }, 1, in);
    for (size_t c = 0; c < in->C; c++)
        for (size_t i = w->rows; i < ldy; i++) EXPECT(y[c * ldy + i] == 12345.5f);
    return y;
}

static void check_weight(r1_type type, bool pack, r1_activations mode, uint64_t *seed)
{
    static const size_t heights[] = { 1, 16, 37, 100 };
    size_t block = r1_type_get(type)->block, K = block == 1 ? 77 : block == 32 ? 96 : 512;
    if (type == R1_F8_E4M3) K = 300; /* three blocks of scales, the last one started */
    float *x = random_floats(MAX_C * K, seed), *bias = random_floats(100, seed);
    for (size_t h = 0; h < R1_COUNT(heights); h++) {
        matrix m = random_matrix(type, heights[h], K, pack, seed);
        for (size_t c = 0; c < R1_COUNT(columns); c++) {
            r1_input in = { .x = x, .ldx = K, .C = columns[c], .K = K, .exact = test_random(seed) % 4 == 0 && !pack };
            float *with = test_random(seed) % 2 ? bias : NULL, *first = NULL;
            size_t values = in.C * (heights[h] + GUARD);
            for (int threads = 1; threads <= 4; threads++) {
                bench b;
                bench_open(&b, r1_cpu_best(), threads, mode, K, MAX_C * K);
                float *y = multiply(&b, &m.w, with, &in);
                if (!first) expect_product(&b.k, &m.w, mode, &in, with, y, heights[h] + GUARD, 0, in.C);
                if (first && memcmp(first, y, values * sizeof *y)) fail_msg("%s: other bits with %d threads", r1_type_get(type)->name, threads);
                if (first) free(y);
                else first = y;
                bench_close(&b);
            }
            free(first);
        }
        free_matrix(&m);
    }
    free(x);
    free(bias);
}

TEST(products_with_float_weights)
{
    uint64_t seed = test_seed();
    for (size_t i = 0; i < R1_COUNT(floats); i++) check_weight(floats[i], false, R1_ACTIVATIONS_F32, &seed);
}

TEST(products_with_rounded_inputs)
{
    uint64_t seed = test_seed();
    for (size_t i = 0; i < R1_COUNT(floats); i++) check_weight(floats[i], false, R1_ACTIVATIONS_BF16, &seed);
    check_weight(R1_Q4_0, false, R1_ACTIVATIONS_BF16, &seed);
}

TEST(products_with_quantised_weights_as_in_the_file)
{
    uint64_t seed = test_seed();
    for (size_t i = 0; i < R1_COUNT(quantised); i++) check_weight(quantised[i].type, false, R1_ACTIVATIONS_F32, &seed);
}

TEST(products_with_packed_weights)
{
    uint64_t seed = test_seed();
    for (size_t i = 0; i < R1_COUNT(quantised); i++) check_weight(quantised[i].type, true, R1_ACTIVATIONS_AUTO, &seed);
}

/* Rounding is seen: an input that needs more than 8 bits gives another result than its rounding, unless it is exact. */
TEST(an_exact_input_is_not_rounded)
{
    bench b;
    float one = 1, x = 1 + 0x1p-12f, y = 0;
    r1_weight w = { .type = R1_F32, .rows = 1, .k = 1, .data = (const uint8_t *)&one, .stride = 4 };
    bench_open(&b, R1_CPU_SCALAR, 1, R1_ACTIVATIONS_BF16, 1, 16);
    r1_multiply(&b.e, &(r1_product){ &w, NULL, &y, 1, 0, 1 }, 1, &(r1_input){ .x = &x, .ldx = 1, .C = 1, .K = 1 });
    EXPECT(y == 1);
    r1_multiply(&b.e, &(r1_product){ &w, NULL, &y, 1, 0, 1 }, 1, &(r1_input){ .x = &x, .ldx = 1, .C = 1, .K = 1, .exact = true });
    EXPECT(y == x);
    bench_close(&b);
}

/* ---- groups -------------------------------------------------------------------------------------------------------- */

/* Products of one input, each of some of its columns: as experts are, with some that have no column at all. */
TEST(grouped_products_equal_single_ones)
{
    enum { K = 256, N = 7 };
    static const r1_type types[N] = { R1_Q4_0, R1_Q4_K, R1_F32, R1_BF16, R1_Q6_K, R1_Q8_0, R1_F16 };
    static const size_t rows[N] = { 33, 64, 7, 16, 129, 1, 50 };
    uint64_t seed = test_seed();
    for (int round = 0; round < 24; round++) {
        bench b;
        matrix m[N];
        r1_product p[N];
        float *x = random_floats(MAX_C * K, &seed), *bias = random_floats(130, &seed);
        r1_input in = { .x = x, .ldx = K, .C = MAX_C, .K = K };
        bench_open(&b, r1_cpu_best(), 1 + round % 4, R1_ACTIVATIONS_AUTO, K, MAX_C * K);
        for (size_t i = 0; i < N; i++) {
            size_t c0 = test_random(&seed) % MAX_C, C = test_random(&seed) % (MAX_C - c0 + 1);
            if (C > 1) c0 -= c0 % 4;
            if (round == 0) C = 0;
            m[i] = random_matrix(types[i], rows[i], K, r1_type_get(types[i])->quantised, &seed);
            p[i] = (r1_product){ &m[i].w, i % 2 ? bias : NULL, poisoned((C + 1) * rows[i]), rows[i], c0, C };
        }
        r1_multiply(&b.e, p, N, &in);
        for (size_t i = 0; i < N; i++) {
            float *alone = poisoned((p[i].C + 1) * rows[i]);
            if (p[i].C) expect_product(&b.k, &m[i].w, R1_ACTIVATIONS_AUTO, &in, p[i].bias, p[i].y, rows[i], p[i].c0, p[i].C);
            for (size_t c = 0; c < p[i].C; c++) { /* a column at a time, of its own input */
                r1_input one = { .x = x + (p[i].c0 + c) * K, .ldx = K, .C = 1, .K = K };
                r1_multiply(&b.e, &(r1_product){ &m[i].w, p[i].bias, alone + c * rows[i], rows[i], 0, 1 }, 1, &one);
            }
            EXPECT(!memcmp(alone, p[i].y, (p[i].C + 1) * rows[i] * sizeof *alone)); /* the last row: still poisoned */
            free(alone);
            free(p[i].y);
            free_matrix(&m[i]);
        }
        bench_close(&b);
        free(x);
        free(bias);
    }
}

/* ---- gated pairs --------------------------------------------------------------------------------------------------- */

enum { GATED_K = 256, GATED_F = 288, GATED_D = 48, PAIRS = 3 };

/* One step with pairs of `rows` and one of them alone, each column by itself, against products whose float results are stored. */
static void expect_gated(r1_cpu_level level, int threads, const r1_type type[3], const size_t C[PAIRS], uint64_t *seed)
{
    bench b;
    matrix gate[PAIRS], up[PAIRS], down[PAIRS];
    r1_pair pairs[PAIRS];
    r1_product out[PAIRS];
    size_t n = 0, pairs_n = 0;
    float *y[PAIRS];
    for (size_t i = 0; i < PAIRS; i++) {
        gate[i] = random_matrix(type[0], GATED_F, GATED_K, true, seed);
        up[i] = random_matrix(type[1], GATED_F, GATED_K, true, seed);
        down[i] = random_matrix(type[2], GATED_D, GATED_F, true, seed);
        y[i] = poisoned((C[i] + 1) * GATED_D);
        if (!C[i]) continue;
        if (C[i] > 1) n = r1_round_up(n, 4);
        pairs[pairs_n] = (r1_pair){ &gate[i].w, &up[i].w, n + 4, C[i], n };
        out[pairs_n++] = (r1_product){ &down[i].w, NULL, y[i], GATED_D, n, C[i] };
        n += C[i];
    }
    float *x = random_floats((n + 4) * GATED_K, seed), *g = poisoned(GATED_F), *u = poisoned(GATED_F), *alone = poisoned(GATED_D);
    bench_open(&b, level, threads, R1_ACTIVATIONS_AUTO, GATED_F, (n + 4) * GATED_F);
    const r1_input in = { .x = x, .ldx = GATED_K, .C = n + 4, .K = GATED_K };
    EXPECT(r1_multiply_gated(&b.e, pairs, pairs_n, out, pairs_n, &in));
    r1_multiply(&b.e, out, pairs_n, &(r1_input){ .C = n, .K = GATED_F, .quantised = true });
    for (size_t i = 0; i < pairs_n; i++) {
        for (size_t c = 0; c < pairs[i].C; c++) {
            const r1_product both[] = { { pairs[i].gate, NULL, g, GATED_F, 0, 1 }, { pairs[i].up, NULL, u, GATED_F, 0, 1 } };
            r1_multiply(&b.e, both, 2, &(r1_input){ .x = x + (pairs[i].c0 + c) * GATED_K, .ldx = GATED_K, .C = 1, .K = GATED_K });
            b.k.silu_mul(g, g, u, GATED_F);
            r1_multiply(&b.e, &(r1_product){ out[i].w, NULL, alone, GATED_D, 0, 1 }, 1, &(r1_input){ .x = g, .ldx = GATED_F, .C = 1, .K = GATED_F });
            EXPECT(!memcmp(alone, out[i].y + c * GATED_D, GATED_D * sizeof *alone));
        }
    }
    for (size_t i = 0; i < PAIRS; i++) {
        free_matrix(&gate[i]);
        free_matrix(&up[i]);
        free_matrix(&down[i]);
        free(y[i]);
    }
    free(x);
    free(g);
    free(u);
    free(alone);
    bench_close(&b);
}

TEST(gated_pairs_give_the_bits_of_separate_steps)
{
    static const r1_type types[][3] = { { R1_Q4_0, R1_Q4_0, R1_Q4_0 }, { R1_Q4_K, R1_Q6_K, R1_Q8_0 }, { R1_Q8_0, R1_Q4_K, R1_Q4_1 } };
    static const size_t C[][PAIRS] = { { 2, 0, 0 }, { 17, 1, 6 }, { 1, 4, 1 }, { 270, 0, 3 }, { 2, 5, 31 } };
    static const r1_cpu_level levels[] = { R1_CPU_SCALAR, R1_CPU_AVX2, R1_CPU_AVX512, R1_CPU_AMX, R1_CPU_NEON };
    uint64_t seed = test_seed();
    for (size_t l = 0; l < R1_COUNT(levels); l++)
        for (size_t t = 0; t < R1_COUNT(types) && r1_cpu_has(levels[l]); t++)
            for (size_t i = 0; i < R1_COUNT(C); i++) expect_gated(levels[l], 1 + (int)(t + i) % 3, types[t], C[i], &seed);
}

static void nobody(void *ctx, r1_exec *e, const r1_product *p, size_t n, const r1_input *in) { (void)ctx, (void)e, (void)p, (void)n, (void)in; }

TEST(gated_pairs_refuse_what_they_cannot_round)
{
    enum { K = 256, C = 2 };
    uint64_t seed = test_seed();
    bench b;
    matrix packed = random_matrix(R1_Q4_0, K, K, true, &seed), plain = random_matrix(R1_Q4_0, K, K, false, &seed), by_256 = random_matrix(R1_Q4_K, K, K, true, &seed);
    matrix odd = random_matrix(R1_Q4_0, 40, K, true, &seed);
    const struct { const matrix *gate, *up, *down; bool observed, fits; size_t C; } c[] = {
        { &packed, &packed, &packed, false, true, C }, { &by_256, &by_256, &packed, false, true, C }, { &packed, &packed, &by_256, false, false, C },
        { &plain, &packed, &packed, false, false, C }, { &packed, &plain, &packed, false, false, C }, { &packed, &packed, &plain, false, false, C },
        { &odd, &odd, &packed, false, false, C }, { &packed, &packed, &packed, true, false, C }, { &packed, &packed, &packed, false, false, 1 },
    };
    float *x = random_floats(C * K, &seed);
    bench_open(&b, r1_cpu_best(), 2, R1_ACTIVATIONS_AUTO, K, C * K);
    for (size_t i = 0; i < R1_COUNT(c); i++) {
        const r1_pair p = { &c[i].gate->w, &c[i].up->w, 0, c[i].C, 0 };
        const r1_product down = { &c[i].down->w, NULL, NULL, 0, 0, c[i].C };
        b.e.observe = c[i].observed ? nobody : NULL;
        EXPECT_INT(r1_multiply_gated(&b.e, &p, 1, &down, 1, &(r1_input){ .x = x, .ldx = K, .C = c[i].C, .K = K }), c[i].fits);
    }
    bench_close(&b);
    free(x);
    free_matrix(&packed);
    free_matrix(&plain);
    free_matrix(&by_256);
    free_matrix(&odd);
}

TEST(columns_of_the_input_may_stand_apart)
{
    enum { K = 64, LD = 70, C = 5, R = 20 };
    uint64_t seed = test_seed();
    for (int pack = 0; pack < 2; pack++) {
        bench b;
        matrix m = random_matrix(R1_Q8_0, R, K, pack, &seed);
        float *x = random_floats(C * LD, &seed), dense[C * K];
        for (size_t c = 0; c < C; c++) memcpy(dense + c * K, x + c * LD, K * sizeof *x);
        bench_open(&b, r1_cpu_best(), 2, R1_ACTIVATIONS_AUTO, K, C * K);
        float *a = multiply(&b, &m.w, NULL, &(r1_input){ .x = x, .ldx = LD, .C = C, .K = K }), *d = multiply(&b, &m.w, NULL, &(r1_input){ .x = dense, .ldx = K, .C = C, .K = K });
        EXPECT(!memcmp(a, d, C * (R + GUARD) * sizeof *a));
        free(a);
        free(d);
        free(x);
        free_matrix(&m);
        bench_close(&b);
    }
}

/* ---- rows and columns ------------------------------------------------------------------------------------------------ */

TEST(rows_of_a_scaled_matrix_keep_their_blocks)
{
    enum { R = 300, K = 200 };
    uint64_t seed = test_seed();
    r1_kernels k;
    r1_kernels_init(&k, r1_cpu_best());
    matrix m = random_matrix(R1_F8_E4M3, R, K, false, &seed);
    double value[K], size[K];
    float row[K], again[K];
    for (size_t r = 0; r < R; r++) {
        row_exact(&m.w, r, value, size);
        r1_weight_decode(&m.w, &k, r, row);
        for (size_t i = 0; i < K; i++) EXPECT(row[i] == value[i]);
        r1_weight part = r1_weight_rows(&m.w, r / 2, R - r / 2), part2 = r1_weight_rows(&part, r - r / 2, 1);
        EXPECT_INT(part2.rows, 1);
        r1_weight_decode(&part2, &k, 0, again);
        EXPECT(!memcmp(row, again, sizeof row));
    }
    free_matrix(&m);
}

TEST(rows_of_panels_are_those_of_the_file)
{
    enum { R = 37, K = 4096 + 256 }; /* several parts of a row */
    uint64_t seed = test_seed();
    bench b;
    bench_open(&b, r1_cpu_best(), 2, R1_ACTIVATIONS_F32, K, 3 * K);
    float *row = malloc(K * sizeof *row), *again = malloc(K * sizeof *again), *x = random_floats(3 * K, &seed);
    for (size_t q = 0; q < R1_COUNT(quantised); q++) {
        matrix m = random_matrix(quantised[q].type, R, K, true, &seed);
        r1_weight file = m.w, panels = m.w;
        file.packed = panels.packed = panels.data = NULL;
        panels.panels = m.packed;
        for (size_t r = 0; r < R; r++) {
            r1_weight_decode(&file, &b.k, r, row);
            r1_weight_decode(&panels, &b.k, r, again);
            EXPECT(!memcmp(row, again, K * sizeof *row));
        }
        r1_weight end = r1_weight_rows(&panels, 32, 5);
        r1_weight_decode(&end, &b.k, 4, again);
        EXPECT(!memcmp(row, again, K * sizeof *row)); /* both are row 36 */
        r1_input in = { .x = x, .ldx = K, .C = 3, .K = K };
        float *y = multiply(&b, &file, NULL, &in), *z = multiply(&b, &panels, NULL, &in);
        EXPECT(!memcmp(y, z, 3 * (R + GUARD) * sizeof *y));
        free(y);
        free(z);
        free_matrix(&m);
    }
    free(row);
    free(again);
    free(x);
    bench_close(&b);
}

typedef struct seen { r1_exec *e; const r1_product *p; size_t n; const r1_input *in; int calls; } seen;

static void note(void *ctx, r1_exec *e, const r1_product *p, size_t n, const r1_input *in)
{
    seen *s = ctx;
    *s = (seen){ e, p, n, in, s->calls + 1 };
    EXPECT(p[0].y[0] == 12345.5f); /* nothing is computed yet */
}

TEST(an_observer_sees_each_product)
{
    uint64_t seed = test_seed();
    bench b;
    bench_open(&b, r1_cpu_best(), 2, R1_ACTIVATIONS_AUTO, 256, 3 * 256);
    matrix m = random_matrix(R1_Q4_K, 20, 256, true, &seed);
    float *x = random_floats(3 * 256, &seed), *y = poisoned(3 * 20);
    seen s = { 0 };
    b.e.observe = note;
    b.e.observe_ctx = &s;
    r1_product p = { &m.w, NULL, y, 20, 0, 3 };
    r1_input in = { .x = x, .ldx = 256, .C = 3, .K = 256 };
    r1_multiply(&b.e, &p, 1, &in);
    EXPECT(s.calls == 1 && s.e == &b.e && s.p == &p && s.n == 1 && s.in->x == x);
    free(x);
    free(y);
    free_matrix(&m);
    bench_close(&b);
}

typedef struct visits { uint8_t count[400]; } visits;

static void visit(void *ctx, size_t c, int thread)
{
    (void)thread;
    ((visits *)ctx)->count[c]++;
}

TEST(each_column_is_run_once)
{
    for (int threads = 1; threads <= 4; threads++) {
        bench b;
        bench_open(&b, R1_CPU_SCALAR, threads, R1_ACTIVATIONS_F32, 1, 16);
        for (size_t C = 0; C < 300; C++) {
            visits v = { 0 };
            r1_columns(&b.e, C, visit, &v);
            for (size_t c = 0; c < 400; c++) EXPECT_INT(v.count[c], c < C);
        }
        bench_close(&b);
    }
}
