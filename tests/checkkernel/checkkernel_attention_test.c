/* Kernels of attention over one block of keys, against sums in double (scalar) and against scalar's bits (the other levels):
 * scores, softening, mixing, rows turned into columns, Q8_0 columns. */
#define _GNU_SOURCE
#include "tests/checkkernel/checkkernel.h"

#include <math.h>

static const r1_type types[] = { R1_F32, R1_F16, R1_BF16 };

/* n values of a type in arena i: floats rounded to it, of a kind that the type can hold. */
static void *typed(check *c, int i, r1_type t, size_t n, int kind)
{
    if (t == R1_F32) return ck_new(c, i, n, kind);
    uint16_t *h = ck_place(c, i, n * 2, 2);
    for (size_t j = 0; j < n; j++) h[j] = t == R1_F16 ? r1_f16_from_f32(ck_float(c, kind)) : r1_bf16_from_f32(ck_float(c, kind));
    return h;
}

static float value(r1_type t, const void *p, size_t i)
{
    if (t == R1_F32) return ((const float *)p)[i];
    uint16_t h = ((const uint16_t *)p)[i];
    return t == R1_F16 ? r1_f16_to_f32(h) : r1_bf16_to_f32(h);
}

/* Sizes of a case: a: query rows, b: values that are read in rows of n columns. */
typedef struct sizes { size_t rows, length, columns; } sizes;

/* y[i, j] (row i, column j) against start + sum over k of a[i, k] * b[k, j]: the bound of a chain of fused steps and one product. */
static bool chain_ok(check *c, const char *what, float got, double start, const float *a, r1_type t, const void *b, size_t ldb, sizes s)
{
    double sum = start, magnitude = isfinite(sum) ? fabs(sum) : 0;
    for (size_t k = 0; k < s.length; k++) {
        double step = (double)a[k] * (double)value(t, b, k * ldb + s.columns);
        sum += step;
        if (isfinite(step)) magnitude += fabs(step);
    }
    if (magnitude > 3e38) return true; /* float may overflow on the way where double does not */
    return ck_near(c, what, s.columns, s.length, got, sum, ((double)s.length + 2) * (U * magnitude + 0x1p-149));
}

static bool scores_case(check *c, r1_type t, sizes s, int kind)
{
    size_t lds = s.columns + ck_below(c, 4), ldq = s.length + ck_below(c, 4), ldk = s.columns + ck_below(c, 4), n_s = (s.rows - 1) * lds + s.columns;
    float *q = ck_new(c, 1, (s.rows - 1) * ldq + s.length, kind), *y = ck_place(c, 0, n_s * 4, 4), *want = ck_place(c, 3, n_s * 4, 4);
    const void *kt = typed(c, 2, t, (s.length - 1) * ldk + s.columns, kind);
    c->k->scores[t](y, lds, q, ldq, s.rows, kt, ldk, s.columns, s.length, ck_below(c, 2) ? q : NULL);
    if (!ck_zones_ok(c)) return false;
    if (!c->oracle) {
        c->ref->scores[t](want, lds, q, ldq, s.rows, kt, ldk, s.columns, s.length, NULL);
        return ck_all_same(c, "s", y, want, n_s);
    }
    for (size_t i = 0; i < n_s; i++) {
        sizes one = { 1, s.length, i % lds };
        if (i % lds >= s.columns) {
            if (((uint8_t *)&y[i])[0] != POISON) return ck_fail(c, "wrote between rows");
        } else if (!chain_ok(c, "s", y[i], 0, q + i / lds * ldq, t, kt, ldk, one)) {
            return false;
        }
    }
    return true;
}

static bool mix_case(check *c, r1_type t, sizes s, int kind)
{
    size_t ldo = s.columns + ck_below(c, 4), ldp = s.length + ck_below(c, 4), ldv = s.columns + ck_below(c, 4), n_o = (s.rows - 1) * ldo + s.columns;
    float *o = ck_new(c, 0, n_o, kind), *p = ck_new(c, 1, (s.rows - 1) * ldp + s.length, kind), *shrink = ck_new(c, 5, s.rows, kind);
    const void *v = typed(c, 2, t, (s.length - 1) * ldv + s.columns, kind);
    float *old = ck_place(c, 3, n_o * 4, 4), *want = ck_place(c, 4, n_o * 4, 4);
    memcpy(old, o, n_o * 4);
    memcpy(want, o, n_o * 4);
    c->k->mix[t](o, ldo, shrink, p, ldp, s.rows, v, ldv, s.length, s.columns, ck_below(c, 2) ? v : NULL);
    if (!ck_zones_ok(c)) return false;
    if (!c->oracle) {
        c->ref->mix[t](want, ldo, shrink, p, ldp, s.rows, v, ldv, s.length, s.columns, NULL);
        return ck_all_same(c, "o", o, want, n_o);
    }
    for (size_t i = 0; i < n_o; i++) {
        sizes one = { 1, s.length, i % ldo };
        double start = (double)shrink[i / ldo] * (double)old[i];
        if (i % ldo >= s.columns) {
            if (r1_f32_bits(o[i]) != r1_f32_bits(old[i])) return ck_fail(c, "wrote between rows");
        } else if (fabs(start) < 3e38 || !isfinite(start)) {
            if (!chain_ok(c, "o", o[i], start, p + i / ldo * ldp, t, v, ldv, one)) return false;
        }
    }
    return true;
}

/* Every number of rows, columns and steps, for every type. */
static bool each_shape(check *c, bool (*f)(check *, r1_type, sizes, int))
{
    int kind = 0;
    for (size_t i = 0; i < R1_COUNT(types); i++) {
        for (size_t n = 1; n <= 140; n++)
            if (!f(c, types[i], (sizes){ 1 + ck_below(c, 9), 1 + ck_below(c, 20), n }, kind++ % KINDS)) return false;
        for (size_t n = 1; n <= 70; n++)
            if (!f(c, types[i], (sizes){ 1 + ck_below(c, 5), n, 1 + ck_below(c, 70) }, kind++ % KINDS)) return false;
        for (size_t n = 1; n <= 35; n++)
            if (!f(c, types[i], (sizes){ n, 1 + ck_below(c, 9), 1 + ck_below(c, 70) }, kind++ % KINDS)) return false;
        if (!f(c, types[i], (sizes){ 24, 64, 512 }, UNIT) || !f(c, types[i], (sizes){ 7, 576, 64 }, WIDE)) return false;
    }
    return true;
}

static bool check_scores(check *c) { return each_shape(c, scores_case); }
static bool check_mix(check *c) { return each_shape(c, mix_case); }

TEST(scores) { ck_run(check_scores); }
TEST(mix) { ck_run(check_mix); }

/* ---- softening ---- */

static bool soften_row_ok(check *c, const float *p, const float *s, size_t n, float max, float sum, float shrink, float old_max, float old_sum)
{
    float m = old_max;
    for (size_t t = 0; t < n; t++) m = s[t] > m ? s[t] : m;
    float f = r1_exp(old_max - m);
    if (m == 0) m = 0;
    if (!ck_all_same(c, "max", &max, &m, 1) || !ck_all_same(c, "shrink", &shrink, &f, 1)) return false;
    double exact = (double)old_sum * (double)f;
    for (size_t t = 0; t < n; t++) {
        float e = r1_exp(s[t] - m);
        if (!ck_all_same(c, "p", &p[t], &e, 1)) return false;
        exact += (double)e;
    }
    return ck_near(c, "sum", 0, n, sum, exact, ((double)r1_ceil_div(n, 16) + 7) * U * exact + 0x1p-149);
}

enum { ZEROS = KINDS /* of both signs, or of one: the largest is +0 whichever comes first */ };

static void fill_zeros(check *c, float *x, size_t n)
{
    size_t signs = ck_below(c, 3);
    for (size_t i = 0; i < n; i++) x[i] = signs == 0 || (signs == 1 && ck_below(c, 2)) ? -0.0f : 0.0f;
}

static bool soften_case(check *c, size_t rows, size_t n, int kind)
{
    size_t lds = n + ck_below(c, 4), n_s = (rows - 1) * lds + n;
    float *s = ck_new(c, 0, n_s, kind), *old = ck_place(c, 1, n_s * 4, 4), *max = ck_new(c, 2, rows, kind), *sum = ck_new(c, 3, rows, UNIT);
    float *shrink = ck_place(c, 4, rows * 4, 4), *ref = ck_place(c, 5, (n_s + 3 * rows) * 4, 4), *ref_max = ref + n_s, *ref_sum = ref_max + rows;
    if (kind == ZEROS) {
        fill_zeros(c, s, n_s);
        fill_zeros(c, max, rows);
    }
    for (size_t i = 0; i < rows; i++) {
        if (isnan(max[i]) || !ck_below(c, 3)) max[i] = -INFINITY; /* never NaN; at the first block this */
        sum[i] = max[i] == -INFINITY ? 0 : fabsf(sum[i]) * 9;
    }
    for (size_t i = 0; i < n_s && kind == UNIT; i++) s[i] *= 90;
    memcpy(old, s, n_s * 4);
    memcpy(ref, s, n_s * 4);
    memcpy(ref_max, max, rows * 4);
    memcpy(ref_sum, sum, rows * 4);
    c->k->soften(s, lds, rows, n, max, sum, shrink);
    if (!ck_zones_ok(c)) return false;
    if (!c->oracle) {
        float *ref_shrink = ref_sum + rows;
        c->ref->soften(ref, lds, rows, n, ref_max, ref_sum, ref_shrink);
        return ck_all_same(c, "p", s, ref, n_s) && ck_all_same(c, "max", max, ref_max, rows) && ck_all_same(c, "sum", sum, ref_sum, rows) &&
               ck_all_same(c, "shrink", shrink, ref_shrink, rows);
    }
    for (size_t i = 0; i < rows; i++) {
        if (!soften_row_ok(c, s + i * lds, old + i * lds, n, max[i], sum[i], shrink[i], ref_max[i], ref_sum[i])) return false;
        for (size_t t = n; t < lds && i + 1 < rows; t++)
            if (r1_f32_bits(s[i * lds + t]) != r1_f32_bits(old[i * lds + t])) return ck_fail(c, "wrote between rows");
    }
    return true;
}

static bool check_soften(check *c)
{
    int kind = 0;
    for (size_t n = 1; n <= 80; n++)
        if (!soften_case(c, 1 + ck_below(c, 7), n, kind++ % KINDS)) return false;
    for (size_t rows = 1; rows <= 40; rows++)
        for (int i = 0; i < 2 * (KINDS + 1); i++)
            if (!soften_case(c, rows, 1 + ck_below(c, 64), i / 2)) return false;
    return true;
}

TEST(soften) { ck_run(check_soften); }

/* ---- rows to columns ---- */

static bool transpose_case(check *c, size_t R, size_t C)
{
    size_t ldx = C + ck_below(c, 4), ldy = R + ck_below(c, 4), n_y = (C - 1) * ldy + R;
    float *x = ck_new(c, 0, (R - 1) * ldx + C, RAW), *y = ck_place(c, 1, n_y * 4, 4);
    c->k->transpose(y, ldy, x, ldx, R, C);
    if (!ck_zones_ok(c)) return false;
    for (size_t i = 0; i < n_y; i++) {
        size_t col = i / ldy, row = i % ldy;
        if (row >= R ? ((uint8_t *)&y[i])[3] != POISON : memcmp(&y[i], &x[row * ldx + col], 4) != 0) return ck_fail(c, "row %zu, column %zu is wrong", row, col);
    }
    return true;
}

static bool check_transpose(check *c)
{
    for (size_t n = 1; n <= 66; n++)
        if (!transpose_case(c, n, 1 + ck_below(c, 40)) || !transpose_case(c, 1 + ck_below(c, 40), n)) return false;
    return transpose_case(c, 64, 576);
}

TEST(transpose) { ck_run(check_transpose); }

static bool columns_case(check *c, size_t R, size_t n)
{
    uint16_t *d = ck_place(c, 0, 2 * n, 2);
    int8_t *q = ck_place(c, 1, R * n, 1);
    float *y = ck_place(c, 2, R * n * 4, 4);
    for (size_t t = 0; t < n; t++) d[t] = (uint16_t)ck_random(c);
    for (size_t i = 0; i < R * n; i++) q[i] = (int8_t)ck_random(c);
    c->k->decode_q8_columns(y, d, q, R, n);
    if (!ck_zones_ok(c)) return false;
    for (size_t i = 0; i < R * n; i++) {
        float want = r1_f16_to_f32(d[i % n]) * (float)q[i];
        if (!ck_all_same(c, "y", &y[i], &want, 1)) return false;
    }
    return true;
}

static bool check_columns(check *c)
{
    for (size_t n = 1; n <= 70; n++)
        if (!columns_case(c, 1 + ck_below(c, 33), n)) return false;
    return columns_case(c, 32, 64);
}

TEST(decode_q8_columns) { ck_run(check_columns); }

/* ---- planted faults ---- */

static r1_kernels scalar_table(void)
{
    r1_kernels k;
    r1_kernels_init(&k, R1_CPU_SCALAR);
    return k;
}

static void scores_short(float *s, size_t lds, const float *q, size_t ldq, size_t n_q, const void *kt, size_t ldk, size_t n_t, size_t D, const void *next)
{
    scalar_table().scores[R1_F16](s, lds, q, ldq, n_q, kt, ldk, n_t, D - D / 64, next);
}

static void mix_without_shrink(float *o, size_t ldo, const float *shrink, const float *p, size_t ldp, size_t n_q, const void *v, size_t ldv, size_t n_t,
                               size_t D, const void *next)
{
    float one[64];
    for (size_t i = 0; i < 64; i++) one[i] = 1;
    (void)shrink;
    scalar_table().mix[R1_BF16](o, ldo, one, p, ldp, n_q, v, ldv, n_t, D, next);
}

static void soften_forgetful(float *s, size_t lds, size_t n_q, size_t n_t, float *max, float *sum, float *shrink)
{
    scalar_table().soften(s, lds, n_q, n_t, max, sum, shrink);
    shrink[n_q - 1] = 1;
}

static void soften_minus_zero(float *s, size_t lds, size_t n_q, size_t n_t, float *max, float *sum, float *shrink)
{
    bool minus[64];
    for (size_t i = 0; i < n_q; i++) minus[i] = max[i] == 0 && signbit(max[i]);
    scalar_table().soften(s, lds, n_q, n_t, max, sum, shrink);
    for (size_t i = 0; i < n_q; i++)
        if (minus[i] && max[i] == 0) max[i] = -0.0f;
}

static void transpose_lazy(float *y, size_t ldy, const float *x, size_t ldx, size_t R, size_t C)
{
    scalar_table().transpose(y, ldy, x, ldx, R, C);
    if (R > 60) y[60] = y[59];
}

static void columns_of_one_scale(float *y, const uint16_t *d, const int8_t *q, size_t R, size_t n)
{
    scalar_table().decode_q8_columns(y, d, q, R, n);
    for (size_t r = 0; r < R; r++) y[r * n + n - 1] = r1_f16_to_f32(d[0]) * (float)q[r * n + n - 1];
}

TEST(planted_faults_are_caught)
{
    r1_kernels k = scalar_table();
    k.scores[R1_F16] = scores_short;
    ck_expect_caught(check_scores, &k, "long keys without their last value");
    k.mix[R1_BF16] = mix_without_shrink;
    ck_expect_caught(check_mix, &k, "what was mixed before is not shrunk");
    k.soften = soften_forgetful;
    ck_expect_caught(check_soften, &k, "a factor of 1 for the last row");
    k.soften = soften_minus_zero;
    ck_expect_caught(check_soften, &k, "a largest value of -0 that no score of 0 replaced");
    k.transpose = transpose_lazy;
    ck_expect_caught(check_transpose, &k, "one element that is its neighbour");
    k.decode_q8_columns = columns_of_one_scale;
    ck_expect_caught(check_columns, &k, "a column with the scale of another");
}

/* ---- measuring ---- */

typedef struct job {
    const r1_kernels *k;
    float *q, *s, *o, *kt, *one;
    uint16_t *h;
    size_t rows;
} job;

static void run_scores(void *p) { job *j = p; j->k->scores[R1_F16](j->s, R1_KEYS, j->q, 128, j->rows, j->h, R1_KEYS, R1_KEYS, 128, NULL); }
static void run_mix(void *p) { job *j = p; j->k->mix[R1_F16](j->o, 128, j->one, j->s, R1_KEYS, j->rows, j->h, 128, R1_KEYS, 128, NULL); }
static void run_soften(void *p) { job *j = p; j->k->soften(j->s, R1_KEYS, j->rows, R1_KEYS, j->kt, j->kt + 96, j->kt + 192); }
static void run_transpose(void *p) { job *j = p; j->k->transpose(j->kt, R1_KEYS, j->q, 128, R1_KEYS, 128); }

TEST(bench_attention)
{
    if (!ck_bench()) SKIP("R1_BENCH=1 measures a block of 64 keys of 128 values");
    enum { ROWS = 96, D = 128 };
    static const struct { const char *name; void (*f)(void *); double operations; } runs[] = {
        { "scores", run_scores, 2.0 * R1_KEYS * D }, { "mix", run_mix, 2.0 * R1_KEYS * D }, { "soften", run_soften, R1_KEYS },
        { "transpose", run_transpose, R1_KEYS * D },
    };
    job j = { .q = calloc(ROWS * D, 4), .s = calloc(ROWS * R1_KEYS, 4), .o = calloc(ROWS * D, 4), .kt = calloc(R1_KEYS * D, 4), .one = calloc(ROWS, 4),
              .h = calloc(R1_KEYS * D, 2) };
    EXPECT(j.q && j.s && j.o && j.kt && j.one && j.h);
    for (size_t l = 0; l < R1_COUNT(ck_levels); l++) {
        r1_kernels k;
        if (!r1_cpu_has(ck_levels[l])) continue;
        r1_kernels_init(&k, ck_levels[l]);
        j.k = &k;
        for (size_t i = 0; i < 2 * R1_COUNT(runs); i++) {
            j.rows = i % 2 ? 6 : ROWS;
            double s = ck_seconds(runs[i / 2].f, &j);
            printf("%-7s %-10s %3zu rows %9.2f ns %8.2f GOPS\n", k.name, runs[i / 2].name, j.rows, s * 1e9,
                   runs[i / 2].operations * (runs[i / 2].f == run_transpose ? 1 : (double)j.rows) / s / 1e9);
        }
    }
    void *all[] = { j.q, j.s, j.o, j.kt, j.one, j.h };
    for (size_t i = 0; i < R1_COUNT(all); i++) free(all[i]);
}
