/* checkkernel, the products: float weights, packed int8 products of every format, quantising of activations, decoding of
 * rows. How it works is in checkkernel.h. */
#define _DEFAULT_SOURCE
#include "tests/checkkernel/checkkernel.h"

#include "kernels/kernels_int.h"

#include <float.h>
#include <signal.h>
#include <sys/wait.h>

/* ---- products with float weights ---- */

static void put_weight(uint8_t *w, r1_type t, float v)
{
    uint16_t h = t == R1_F16 ? r1_f16_from_f32(v) : r1_bf16_from_f32(v);
    if (t == R1_F32) memcpy(w, &v, 4);
    else memcpy(w, &h, 2);
}

/* sum a*b in double, the sum of the finite |a*b|, for one output. */
static double exact_dot(r1_type t, const uint8_t *w, const float *x, size_t K, double *magnitude)
{
    double sum = 0;
    *magnitude = 0;
    for (size_t i = 0; i < K; i++) {
        float a;
        r1_decode(t, w + i * (t == R1_F32 ? 4 : 2), &a, 1);
        double p = (double)a * (double)x[i];
        sum += p;
        if (isfinite(p)) *magnitude += fabs(p);
    }
    return sum;
}

static bool rows_untouched(check *c, const float *y, size_t ldy, size_t R, size_t C)
{
    for (size_t i = 0; i + 1 < C; i++)
        for (size_t r = R; r < ldy; r++)
            if (r1_f32_bits(y[i * ldy + r]) != 0xA5A5A5A5) return ck_fail(c, "wrote y[%zu] of column %zu, there are %zu rows", r, i, R);
    return true;
}

typedef void (*matmul_float)(float *, size_t, const void *, size_t, size_t, const float *, size_t, size_t, size_t);

static matmul_float float_entry(const r1_kernels *k, r1_type t)
{
    return t == R1_F32 ? k->matmul_f32 : t == R1_F16 ? k->matmul_f16 : k->matmul_bf16;
}

static bool float_case(check *c, r1_type t, size_t R, size_t C, size_t K, int kind)
{
    size_t size = t == R1_F32 ? 4 : 2, stride = K * size + ck_below(c, 2) * ck_below(c, 9);
    size_t ldx = K + ck_below(c, 4), ldy = R + ck_below(c, 4), n_y = (C - 1) * ldy + R;
    uint8_t *w = ck_place(c, 0, (R - 1) * stride + K * size, 1);
    for (size_t r = 0; r < R; r++)
        for (size_t i = 0; i < K; i++) put_weight(w + r * stride + i * size, t, ck_float(c, kind));
    float *x = ck_new(c, 1, (C - 1) * ldx + K, kind), *y = ck_place(c, 2, n_y * 4, 4), *want = ck_place(c, 3, n_y * 4, 4);
    float_entry(c->k, t)(y, ldy, w, stride, R, x, ldx, C, K);
    if (!ck_zones_ok(c) || !rows_untouched(c, y, ldy, R, C)) return false;
    if (!c->oracle) {
        float_entry(c->ref, t)(want, ldy, w, stride, R, x, ldx, C, K);
        return ck_all_same(c, "y", y, want, n_y) || ck_where(c, r1_type_get(t)->name, R, C, K, kind);
    }
    double steps = (double)r1_ceil_div(K, 16) + 4; /* roundings on the way from a product to the result */
    for (size_t i = 0; i < C * R; i++) {
        double magnitude, sum = exact_dot(t, w + i % R * stride, x + i / R * ldx, K, &magnitude);
        if (magnitude > 3e38) continue; /* float may overflow on the way where double does not */
        if (!ck_near(c, "y", i, K, y[i / R * ldy + i % R], sum, (steps + 1) * (U * magnitude + 0x1p-149))) return false;
    }
    return true;
}

static bool check_float(check *c, r1_type t)
{
    int kind = 0;
    for (size_t K = 1; K <= 100; K++)
        if (!float_case(c, t, 1 + ck_below(c, 20), 1 + ck_below(c, 12), K, kind++ % KINDS)) return false;
    for (size_t R = 1; R <= 35; R++)
        if (!float_case(c, t, R, 1, 1 + ck_below(c, 300), kind++ % KINDS)) return false;
    for (size_t C = 1; C <= 67; C++)
        if (!float_case(c, t, 1 + ck_below(c, 9), C, 1 + ck_below(c, 70), kind++ % KINDS)) return false;
    return float_case(c, t, 33, 17, 1000, UNIT) && float_case(c, t, 64, 64, 64, WIDE) && float_case(c, t, 1, 1, 4099, WIDE);
}

static bool check_f32(check *c) { return check_float(c, R1_F32); }
static bool check_f16(check *c) { return check_float(c, R1_F16); }
static bool check_bf16(check *c) { return check_float(c, R1_BF16); }

TEST(matmul_f32) { ck_run(check_f32); }
TEST(matmul_f16) { ck_run(check_f16); }
TEST(matmul_bf16) { ck_run(check_bf16); }

/* ---- bf16 by bf16 ---- */

static float flushed(float v) { return fabsf(v) < FLT_MIN ? copysignf(0, v) : v; }

/* By the words of the contract. */
static float pairs_dot(const uint8_t *w, const float *x, size_t K)
{
    float acc = 0;
    for (size_t at = 0; at < K; at += 32) {
        float part[2] = { 0, 0 };
        for (size_t i = 0; i < 32; i++) {
            float a = 0;
            if (at + i < K) r1_decode(R1_BF16, w + 2 * (at + i), &a, 1);
            part[i % 2] = flushed(fmaf(flushed(a), at + i < K ? flushed(x[at + i]) : 0, part[i % 2]));
        }
        acc = flushed(acc + flushed(part[0] + part[1]));
    }
    return acc;
}

static bool pairs_case(check *c, size_t R, size_t C, size_t K, int kind)
{
    size_t stride = K * 2 + ck_below(c, 2) * ck_below(c, 9), ldx = K + ck_below(c, 4), ldy = R + ck_below(c, 4), n_y = (C - 1) * ldy + R;
    uint8_t *w = ck_place(c, 0, (R - 1) * stride + K * 2, 1);
    for (size_t r = 0; r < R; r++)
        for (size_t i = 0; i < K; i++) put_weight(w + r * stride + i * 2, R1_BF16, ck_float(c, kind));
    float *x = ck_new(c, 1, (C - 1) * ldx + K, kind), *y = ck_place(c, 2, n_y * 4, 4);
    for (size_t i = 0; i < (C - 1) * ldx + K; i++) x[i] = r1_bf16_to_f32(r1_bf16_from_f32(x[i]));
    c->k->matmul_bf16_pairs(y, ldy, w, stride, R, x, ldx, C, K);
    if (!ck_zones_ok(c) || !rows_untouched(c, y, ldy, R, C)) return false;
    for (size_t i = 0; i < C * R; i++) {
        float got = y[i / R * ldy + i % R], want = pairs_dot(w + i % R * stride, x + i / R * ldx, K);
        if (!ck_same(got, want)) return ck_fail(c, "is %a, expected %a", (double)got, (double)want) || ck_where(c, "pairs", R, C, K, kind);
    }
    return true;
}

static bool check_pairs(check *c)
{
    int kind = 0;
    if (!c->k->matmul_bf16_pairs) return true;
    for (size_t K = 1; K <= 100; K++)
        if (!pairs_case(c, 1 + ck_below(c, 20), 1 + ck_below(c, 12), K, kind++ % KINDS)) return false;
    for (size_t R = 1; R <= 50; R++)
        if (!pairs_case(c, R, 1 + ck_below(c, 3), 1 + ck_below(c, 300), kind++ % KINDS)) return false;
    for (size_t C = 1; C <= 67; C++)
        if (!pairs_case(c, 1 + ck_below(c, 9), C, 1 + ck_below(c, 70), kind++ % KINDS)) return false;
    return pairs_case(c, 37, 277, 700, UNIT) && pairs_case(c, 20, 40, 1800, WIDE) && pairs_case(c, 48, 1, 5000, UNIT);
}

TEST(matmul_bf16_pairs) { ck_run(check_pairs); }

TEST(planted_order_of_bf16_is_caught)
{
    char why[300];
    r1_kernels k, scalar;
    r1_kernels_init(&scalar, R1_CPU_SCALAR);
    k = scalar;
    k.matmul_bf16_pairs = k.matmul_bf16; /* 16 lanes instead of pairs */
    EXPECT(!ck_try(check_pairs, &k, &scalar, false, why, sizeof why));
}

/* The same for fours. */
static float odd_even_dot(const uint8_t *w, const float *x, size_t K)
{
    float acc = 0;
    for (size_t at = 0; at < K; at += 2)
        for (size_t i = at + 2; i-- > at;) {
            float a = 0;
            if (i < K) r1_decode(R1_BF16, w + 2 * i, &a, 1);
            acc = flushed(fmaf(flushed(a), i < K ? flushed(x[i]) : 0, acc));
        }
    return acc;
}

/* x as fours in arena 3; values are those of x to nearest. */
static uint16_t *make_fours(check *c, const float *x, size_t ldx, size_t C, size_t K)
{
    size_t one = 4 * r1_round_up(K, 2);
    uint16_t *to = ck_place(c, 3, r1_ceil_div(C, 4) * one * 2, 4);
    for (size_t i = 0; i < C; i += 4) c->k->bf16_fours(to + i * one / 4, x + i * ldx, ldx, r1_min(4, C - i), K);
    for (size_t i = 0; i < r1_round_up(C, 4); i++)
        for (size_t k = 0; k < r1_round_up(K, 2); k++) {
            uint16_t got = to[i / 4 * one + k / 2 * 8 + i % 4 * 2 + k % 2], want = i < C && k < K ? r1_bf16_from_f32(x[i * ldx + k]) : 0;
            if (got != want) return ck_fail(c, "fours: value %zu of column %zu of %zu is %x, expected %x", k, i, C, got, want), NULL;
        }
    return to;
}

/* kind KINDS: products next to the smallest normal number, where an instruction may flush by another rule. */
static float near_smallest(check *c) { return ldexpf(ck_float(c, UNIT), -(int)(58 + ck_below(c, 12))); }

static bool fours_case(check *c, size_t R, size_t C, size_t K, int kind)
{
    size_t stride = K * 2 + ck_below(c, 2) * ck_below(c, 9), ldx = K + ck_below(c, 4), ldy = R + ck_below(c, 4), n_y = (C - 1) * ldy + R;
    uint8_t *w = ck_place(c, 0, (R - 1) * stride + K * 2, 1);
    for (size_t r = 0; r < R; r++)
        for (size_t i = 0; i < K; i++) put_weight(w + r * stride + i * 2, R1_BF16, kind == KINDS ? near_smallest(c) : ck_float(c, kind));
    float *x = ck_place(c, 1, ((C - 1) * ldx + K) * 4, 4), *y = ck_place(c, 2, n_y * 4, 4);
    for (size_t i = 0; i < (C - 1) * ldx + K; i++) x[i] = kind == KINDS ? near_smallest(c) : ck_float(c, kind);
    const uint16_t *fours = make_fours(c, x, ldx, C, K);
    if (!fours) return false;
    c->k->matmul_bf16_fours(y, ldy, w, stride, R, fours, C, K);
    if (!ck_zones_ok(c) || !rows_untouched(c, y, ldy, R, C)) return false;
    for (size_t i = 0; i < (C - 1) * ldx + K; i++) x[i] = r1_bf16_to_f32(r1_bf16_from_f32(x[i]));
    for (size_t i = 0; i < C * R; i++) {
        const uint8_t *row = w + i % R * stride;
        const float *column = x + i / R * ldx;
        float got = y[i / R * ldy + i % R], want = odd_even_dot(row, column, K);
        double magnitude, sum = exact_dot(R1_BF16, row, column, K, &magnitude);
        if (!ck_same(got, want)) return ck_fail(c, "is %a, expected %a", (double)got, (double)want) || ck_where(c, "fours", R, C, K, kind);
        /* one rounding a value; and what is flushed, an input or a sum, is below the smallest normal number */
        if ((kind == UNIT || kind == WIDE) && !ck_near(c, "y", i, K, got, sum, (double)(K + 1) * (U * magnitude + 0x1p-106))) return false;
    }
    float one; /* a column in the middle of its four, alone, has the bits it has among others */
    size_t col = ck_below(c, C);
    c->k->matmul_bf16_fours(&one, 1, w, stride, 1, fours + col / 4 * 4 * r1_round_up(K, 2) + col % 4 * 2, 1, K);
    return ck_same(one, y[col * ldy]) || ck_fail(c, "column %zu of %zu alone is %a, expected %a", col, C, (double)one, (double)y[col * ldy]);
}

static bool check_fours(check *c)
{
    enum { ALL = KINDS + 1 };
    int kind = 0;
    if (!c->k->matmul_bf16_fours) return true;
    for (size_t K = 1; K <= 100; K++)
        if (!fours_case(c, 1 + ck_below(c, 50), 1 + ck_below(c, 16), K, kind++ % ALL)) return false;
    for (size_t R = 1; R <= 70; R++)
        if (!fours_case(c, R, 1 + ck_below(c, 3), 1 + ck_below(c, 300), kind++ % ALL)) return false;
    for (size_t C = 1; C <= 67; C++)
        if (!fours_case(c, 1 + ck_below(c, 40), C, 1 + ck_below(c, 70), kind++ % ALL)) return false;
    return fours_case(c, 37, 277, 700, UNIT) && fours_case(c, 20, 40, 1801, WIDE) && fours_case(c, 48, 1, 5001, UNIT) && fours_case(c, 9, 600, 514, KINDS);
}

/* The instruction, where there is one, and fused steps: each has the bits of the written order. */
TEST(matmul_bf16_fours)
{
    ck_run(check_fours);
#if defined(__x86_64__)
    if (!r1_cpu_has(R1_CPU_AVX512)) return;
    r1_kernels k, scalar;
    r1_kernels_init(&scalar, R1_CPU_SCALAR);
    r1_kernels_init(&k, R1_CPU_AVX512);
    r1_avx512_fill_bf16(&k, false);
    k.name = "avx512, fused steps";
    ck_level(check_fours, &k, &scalar, false);
#endif
}

static void fours_of_zeros(uint16_t *to, const float *x, size_t ldx, size_t n, size_t K)
{
    (void)x, (void)ldx, (void)n;
    memset(to, 0, 8 * r1_round_up(K, 2));
}

static void even_first(float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const uint16_t *x, size_t C, size_t K)
{
    for (size_t i = 0; i < R * C; i++) {
        float acc = 0, a;
        for (size_t k = 0; k < K; k++) {
            r1_decode(R1_BF16, (const uint8_t *)w + i % R * w_stride + 2 * k, &a, 1);
            acc = flushed(fmaf(flushed(a), flushed(r1_bf16_to_f32(x[i / R / 4 * 4 * r1_round_up(K, 2) + k / 2 * 8 + i / R % 4 * 2 + k % 2])), acc));
        }
        y[i / R * ldy + i % R] = acc;
    }
}

TEST(planted_faults_of_fours_are_caught)
{
    char why[300];
    r1_kernels k, good;
    r1_kernels_init(&good, R1_CPU_AUTO);
    if (!good.matmul_bf16_fours) return;
    k = good;
    k.matmul_bf16_fours = even_first;
    EXPECT(!ck_try(check_fours, &k, &good, false, why, sizeof why));
    k = good;
    k.bf16_fours = fours_of_zeros;
    EXPECT(!ck_try(check_fours, &k, &good, false, why, sizeof why));
}

/* ---- packed integer products ---- */

/* Where the scale and the minimum of a block are: by writing 1 and 0 there, r1_decode gives the integers themselves. */
typedef struct layout { r1_type type; int d, m; } layout;

static const layout layouts[] = {
    { R1_Q4_0, 0, -1 }, { R1_Q4_1, 0, 2 }, { R1_Q5_0, 0, -1 }, { R1_Q5_1, 0, 2 }, { R1_Q8_0, 0, -1 }, { R1_IQ4_NL, 0, -1 },
    { R1_MXFP4, 0, -1 }, { R1_Q2_K, 80, 82 }, { R1_Q3_K, 108, -1 }, { R1_Q4_K, 0, 2 }, { R1_Q5_K, 0, 2 }, { R1_Q6_K, 208, -1 },
    { R1_IQ4_XS, 0, -1 },
};

enum { SANE /* random codes, ordinary scales */, EXTREME /* bytes and activations at the ends */, WILD /* any scale */, WEIGHT_KINDS };

static void put_half(uint8_t *b, uint16_t h)
{
    b[0] = (uint8_t)h;
    b[1] = (uint8_t)(h >> 8);
}

static float get_half(const uint8_t *b) { return r1_f16_to_f32((uint16_t)(b[0] | b[1] << 8)); }

static void random_block(check *c, const layout *l, uint8_t *b, int kind)
{
    static const uint8_t ends[8] = { 0, 0xFF, 0x80, 0x7F, 0x0F, 0xF0, 0x88, 0x77 };
    size_t n = r1_type_get(l->type)->bytes;
    uint8_t same = ends[ck_below(c, 8)];
    bool flat = ck_below(c, 2);
    for (size_t i = 0; i < n; i++) b[i] = kind == EXTREME ? (flat ? same : ends[ck_below(c, 8)]) : (uint8_t)ck_random(c);
    if (kind == WILD) return;
    if (l->type == R1_MXFP4) b[0] = (uint8_t)(118 + ck_below(c, 20));
    else put_half(b + l->d, (uint16_t)((ck_random(c) & 0x83FF) | (8 + ck_below(c, 10)) << 10));
    if (l->m >= 0) put_half(b + l->m, (uint16_t)((ck_random(c) & 0x83FF) | (8 + ck_below(c, 10)) << 10));
}

/* Activations of C columns in arenas 1 to 3 and 6 to 8. */
static r1_act8 random_act(check *c, bool by_256, size_t C, size_t K, int kind)
{
    r1_act8 a = { .group = by_256 ? 256 : 32, .sub = by_256 ? 16 : 32 };
    size_t group = (size_t)a.group, sub = (size_t)a.sub;
    a.q = ck_place(c, 1, C * K, 1);
    a.d = ck_place(c, 2, C * (K / group) * 4, 4);
    a.sum = ck_place(c, 3, C * (K / sub) * 4, 4);
    int sign = ck_below(c, 2) ? 127 : -127;
    bool flat = ck_below(c, 2);
    for (size_t i = 0; i < C * K; i++) {
        int v = (int)ck_below(c, 255) - 127;
        a.q[i] = (int8_t)(kind != EXTREME ? v : flat ? sign : v < 0 ? -127 : 127);
    }
    for (size_t i = 0; i < C * (K / group); i++) {
        a.d[i] = fabsf(ck_float(c, WIDE));
        if (kind == WILD && ck_below(c, 20) == 0) a.d[i] = NAN;
    }
    for (size_t i = 0; i < C * (K / sub); i++) {
        a.sum[i] = 0;
        for (size_t j = 0; j < sub; j++) a.sum[i] += a.q[i * sub + j];
    }
    if (c->k->interleave) { /* columns past the last one stay poisoned */
        size_t all = r1_round_up(C, 4);
        a.q4 = ck_place(c, 6, all * K, 1);
        a.d4 = ck_place(c, 7, all * (K / group) * 4, 4);
        a.s4 = ck_place(c, 8, all * (K / group) * (by_256 ? 48 : 4), 4);
        for (size_t i = 0; i < C; i += 4) c->k->interleave(&a, i, r1_min(4, C - i), K);
    }
    return a;
}

/* A block as integers: value = d * I - dm * J, with I and J read off r1_decode of the block with other scales. For added
 * minimums J is -1. */
typedef struct integers { float d, dm, I[256], J[256], value[256]; } integers;

static void take_integers(const layout *l, const uint8_t *block, integers *o)
{
    const r1_type_info *info = r1_type_get(l->type);
    uint8_t b[210];
    memcpy(b, block, info->bytes);
    r1_decode(l->type, b, o->value, info->block);
    if (l->type == R1_MXFP4) {
        o->d = ldexpf(1, b[0] - 128);
        b[0] = 128;
    } else {
        o->d = get_half(b + l->d);
        put_half(b + l->d, 0x3C00);
    }
    o->dm = l->m >= 0 ? get_half(b + l->m) : 0;
    if (l->m >= 0) put_half(b + l->m, 0);
    r1_decode(l->type, b, o->I, info->block);
    memset(o->J, 0, sizeof o->J);
    if (l->m < 0) return;
    put_half(b + l->d, 0);
    put_half(b + l->m, 0x3C00);
    r1_decode(l->type, b, o->J, info->block);
    for (int i = 0; i < info->block; i++) o->J[i] = -o->J[i];
}

/* Row r of row-major weights with column i of x: the order of kernels.h on exact integers, bit by bit; and the sum it
 * stands for in double, where the numbers are ordinary. */
static bool q8_output(check *c, const layout *l, const uint8_t *row, const r1_act8 *x, size_t i, size_t K, float got, bool ordinary)
{
    const r1_type_info *info = r1_type_get(l->type);
    size_t n = info->block, nb = K / n;
    float acc = 0;
    double sum = 0, magnitude = 0;
    for (size_t b = 0; b < nb; b++) {
        integers w;
        take_integers(l, row + b * info->bytes, &w);
        const int8_t *q = x->q + i * K + b * n;
        float dx = x->d[i * nb + b];
        int64_t t = 0, u = 0;
        for (size_t j = 0; j < n; j++) {
            t += (int64_t)w.I[j] * q[j];
            u += (int64_t)w.J[j] * q[j];
            sum += (double)w.value[j] * q[j] * (double)dx;
            magnitude += (fabs((double)w.d * (double)w.I[j]) + fabs((double)w.dm * (double)w.J[j])) * abs(q[j]) * (double)dx;
        }
        if (t != (int32_t)t || u != (int32_t)u) return ck_fail(c, "the integers of a block do not fit in 32 bits");
        acc = fmaf((float)t, w.d * dx, acc);
        if (l->m >= 0) acc = fmaf(-(float)u, w.dm * dx, acc);
    }
    if (!ck_same(got, acc)) return ck_fail(c, "is %a, expected %a", (double)got, (double)acc);
    /* 2 fused steps a block, and 3 roundings in a decoded value, 1 in d * dx, 1 in (float)t, 1 spare */
    return !ordinary || ck_near(c, "value", i, K, got, sum, (2 * (double)nb + 6) * U * magnitude);
}

static bool q8_case(check *c, const layout *l, size_t R, size_t C, size_t n_blocks, int kind)
{
    const r1_type_info *info = r1_type_get(l->type);
    size_t K = n_blocks * info->block, bytes = r1_row_bytes(l->type, K), n_panels = r1_ceil_div(R, 16);
    size_t ldy = R + ck_below(c, 4), n_y = (C - 1) * ldy + R;
    uint8_t *rows = malloc(R * bytes), *panels = ck_place(c, 0, r1_packed_bytes(l->type, R, K), 64);
    EXPECT(rows != NULL);
    for (size_t b = 0; b < R * n_blocks; b++) random_block(c, l, rows + b * info->bytes, kind);
    for (size_t p = 0; p < n_panels; p++)
        r1_pack_panel(l->type, panels + p * 16 * bytes, rows + p * 16 * bytes, bytes, R - p * 16, K);
    r1_act8 x = random_act(c, info->by_256, C, K, kind);
    float *y = ck_place(c, 4, n_y * 4, 4), *want = ck_place(c, 5, n_y * 4, 4);
    c->k->matmul_q8[l->type](y, ldy, panels, n_panels, R, &x, C, K);
    bool ok = ck_zones_ok(c) && rows_untouched(c, y, ldy, R, C);
    if (ok && !c->oracle) {
        c->ref->matmul_q8[l->type](want, ldy, panels, n_panels, R, &x, C, K);
        ok = ck_all_same(c, "y", y, want, n_y);
    }
    for (size_t i = 0; ok && c->oracle && i < R * C; i++)
        ok = q8_output(c, l, rows + i % R * bytes, &x, i / R, K, y[i / R * ldy + i % R], kind != WILD);
    free(rows);
    return ok || ck_where(c, info->name, R, C, K, kind);
}

static bool check_q8_type(check *c, const layout *l)
{
    int kind = 0;
    for (size_t R = 1; R <= 50; R += 1 + R / 18)
        if (!q8_case(c, l, R, 1 + ck_below(c, 5), 1 + ck_below(c, 4), kind++ % WEIGHT_KINDS)) return false;
    for (size_t C = 1; C <= 40; C++)
        if (!q8_case(c, l, 1 + ck_below(c, 20), C, 1 + ck_below(c, 3), kind++ % WEIGHT_KINDS)) return false;
    for (size_t n = 1; n <= 9; n++)
        for (int i = 0; i < 3; i++)
            if (!q8_case(c, l, 1 + ck_below(c, 33), 1 + ck_below(c, 4), n, kind++ % WEIGHT_KINDS)) return false;
    if (!q8_case(c, l, 32, 64, 4, SANE) || !q8_case(c, l, 17, 130, 2, EXTREME) || !q8_case(c, l, 65, 3, 1, SANE)) return false;
    if (c->oracle) return true; /* larger ones, past what kernels walk at a time, by scalar's bits alone */
    size_t in_256 = 256 / r1_type_get(l->type)->block;
    return q8_case(c, l, 33, 277, 5 * in_256 + in_256 / 2, EXTREME) && q8_case(c, l, 20, 40, 13 * in_256, SANE) && q8_case(c, l, 48, 7, 35 * in_256, WILD) &&
           q8_case(c, l, 50, 93, 24 * in_256, SANE);
}

static bool check_q8(check *c)
{
    for (size_t i = 0; i < R1_COUNT(layouts); i++)
        if (c->k->matmul_q8[layouts[i].type] && !check_q8_type(c, &layouts[i])) return false;
    return true;
}

TEST(matmul_q8) { ck_run(check_q8); }

/* ---- quantising ---- */

/* By the words of the contract, and by what it is for: x is near q * d. */
static bool quantized_right(check *c, const r1_act8 *a, size_t col, const float *x, size_t K)
{
    size_t group = (size_t)a->group, sub = (size_t)a->sub;
    for (size_t g = 0; g < K / group; g++) {
        double amax = 0;
        bool finite = true;
        for (size_t i = 0; i < group; i++) {
            double v = fabs((double)x[g * group + i]);
            if (!isfinite(v)) finite = false;
            else if (v > amax) amax = v;
        }
        float d = finite ? (float)amax / 127 : NAN, inv = amax < 0x1p-120 || !finite ? 0 : 127 / (float)amax;
        if (!ck_same(a->d[col * (K / group) + g], d)) return ck_fail(c, "d of group %zu is %a, expected %a", g, (double)a->d[col * (K / group) + g], (double)d);
        for (size_t i = 0; i < group; i++) {
            float v = x[g * group + i];
            int q = a->q[col * K + g * group + i];
            int want = inv == 0 ? 0 : (int)nearbyint((double)(v * inv));
            want = want > 127 ? 127 : want < -127 ? -127 : want;
            if (q != want) return ck_fail(c, "q[%zu] of %a is %d, expected %d", g * group + i, (double)v, q, want);
            if (inv != 0 && amax > 0x1p-119 && fabs((double)v / (double)d - q) > 0.5 + 127 * 4 * U) return ck_fail(c, "%a is not near %d times %a", (double)v, q, (double)d);
        }
        for (size_t s = 0; s < group / sub; s++) {
            int sum = 0;
            for (size_t i = 0; i < sub; i++) sum += a->q[col * K + g * group + s * sub + i];
            int got = a->sum[col * (K / sub) + g * (group / sub) + s];
            if (got != sum) return ck_fail(c, "sum %zu of group %zu is %d, expected %d", s, g, got, sum);
        }
    }
    return true;
}

enum { TIES = KINDS, TINY, ZERO, QUANTIZE_KINDS };

static void quantize_input(check *c, float *x, size_t K, size_t group, int kind)
{
    for (size_t i = 0; i < K; i++) {
        if (kind == TIES) x[i] = i % group == 7 ? 127 : (float)((int)ck_below(c, 509) - 254) / 2; /* inv is 1 */
        else if (kind == TINY) x[i] = ldexpf(ck_float(c, UNIT), -(int)(110 + i / group * 5 % 45));
        else if (kind == ZERO) x[i] = ck_below(c, 2) ? 0.0f : -0.0f;
        else x[i] = ck_float(c, kind);
    }
}

/* Column 1 of 3 is quantised; the others keep their poison. */
static bool quantize_case(check *c, bool by_256, size_t n_groups, int kind)
{
    enum { C = 3 };
    r1_act8 a = { .group = by_256 ? 256 : 32, .sub = by_256 ? 16 : 32 }, b = a;
    size_t group = (size_t)a.group, K = n_groups * group, n_sum = K / (size_t)a.sub;
    float *x = ck_place(c, 0, K * 4, 4);
    quantize_input(c, x, K, group, kind);
    size_t col = ck_below(c, C);
    a.q = ck_place(c, 1, C * K, 1);
    a.d = ck_place(c, 2, C * n_groups * 4, 4);
    a.sum = ck_place(c, 3, C * n_sum * 4, 4);
    c->k->quantize(&a, col, x, K);
    if (!ck_zones_ok(c)) return false;
    for (size_t i = 0; i < C * K; i++)
        if (i / K != col && (uint8_t)a.q[i] != POISON) return ck_fail(c, "wrote q of column %zu, asked for %zu", i / K, col);
    for (size_t i = 0; i < C * n_sum; i++)
        if (i / n_sum != col && (uint32_t)a.sum[i] != 0xA5A5A5A5) return ck_fail(c, "wrote sum of column %zu, asked for %zu", i / n_sum, col);
    for (size_t i = 0; i < C * n_groups; i++)
        if (i / n_groups != col && r1_f32_bits(a.d[i]) != 0xA5A5A5A5) return ck_fail(c, "wrote d of column %zu, asked for %zu", i / n_groups, col);
    if (c->oracle) return quantized_right(c, &a, col, x, K);
    b.q = malloc(C * K);
    b.d = malloc(C * n_groups * 4);
    b.sum = malloc(C * n_sum * 4);
    EXPECT(b.q && b.d && b.sum);
    c->ref->quantize(&b, col, x, K);
    bool ok = ck_all_same(c, "d", a.d + col * n_groups, b.d + col * n_groups, n_groups);
    if (ok && memcmp(a.q + col * K, b.q + col * K, K)) ok = ck_fail(c, "codes differ from scalar's, kind %d", kind);
    if (ok && memcmp(a.sum + col * n_sum, b.sum + col * n_sum, n_sum * 4)) ok = ck_fail(c, "sums differ from scalar's, kind %d", kind);
    free(b.q);
    free(b.d);
    free(b.sum);
    return ok;
}

static bool check_quantize(check *c)
{
    for (size_t n = 1; n <= 20; n++)
        for (int kind = 0; kind < QUANTIZE_KINDS; kind++)
            for (int by_256 = 0; by_256 < 2; by_256++)
                if (!quantize_case(c, by_256, n, kind)) return false;
    return true;
}

TEST(quantize) { ck_run(check_quantize); }

/* ---- decoding ---- */

static bool decode_case(check *c, r1_type t, size_t n_blocks)
{
    const r1_type_info *info = r1_type_get(t);
    size_t n = n_blocks * info->block;
    uint8_t *src = ck_place(c, 0, n_blocks * info->bytes, 1);
    for (size_t i = 0; i < n_blocks * info->bytes; i++) src[i] = (uint8_t)ck_random(c);
    float *got = ck_place(c, 1, n * 4, 4), *want = ck_place(c, 2, n * 4, 4);
    c->k->decode[t](src, got, n);
    r1_decode(t, src, want, n);
    if (ck_zones_ok(c) && ck_all_same(c, info->name, got, want, n)) return true;
    return false;
}

static bool check_decode(check *c)
{
    for (unsigned t = 0; t < R1_TYPE_END; t++)
        for (size_t n = 1; r1_type_get(t) && c->k->decode[t] && n <= (r1_type_get(t)->block == 1 ? 300 : 20); n++)
            if (!decode_case(c, (r1_type)t, n)) return false;
    return true;
}

TEST(decode) { ck_run(check_decode); }

/* ---- planted faults ---- */

static r1_kernels scalar_table(void)
{
    r1_kernels k;
    r1_kernels_init(&k, R1_CPU_SCALAR);
    return k;
}

static void forgets_the_tail(float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const float *x, size_t ldx, size_t C, size_t K)
{
    scalar_table().matmul_f32(y, ldy, w, w_stride, R, x, ldx, C, K > 16 ? K / 16 * 16 : K);
}

static void writes_a_row_too_many(float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const float *x, size_t ldx, size_t C, size_t K)
{
    scalar_table().matmul_f32(y, ldy, w, w_stride, R, x, ldx, C, K);
    y[(C - 1) * ldy + R] = 0;
}

static void off_by_an_ulp(float *y, size_t ldy, const void *p, size_t np, size_t R, const r1_act8 *x, size_t C, size_t K)
{
    scalar_table().matmul_q8[R1_Q6_K](y, ldy, p, np, R, x, C, K);
    y[R - 1] = nextafterf(y[R - 1], INFINITY);
}

static void forgets_the_minimum(float *y, size_t ldy, const void *p, size_t np, size_t R, const r1_act8 *x, size_t C, size_t K)
{
    r1_act8 a = *x;
    a.sum = calloc(C * K / 16, sizeof *a.sum);
    EXPECT(a.sum != NULL);
    scalar_table().matmul_q8[R1_Q4_K](y, ldy, p, np, R, &a, C, K);
    free(a.sum);
}

static void rounds_half_away(const r1_act8 *a, size_t c, const float *x, size_t K)
{
    scalar_table().quantize(a, c, x, K);
    for (size_t i = 0; i < K; i++)
        if (x[i] == 0.5f && a->d[c * (K / (size_t)a->group) + i / (size_t)a->group] == 1) {
            a->q[c * K + i] = 1;
            a->sum[(c * K + i) / (size_t)a->sub]++;
        }
}

static void decode_q4_0_swapped(const void *src, float *dst, size_t n)
{
    r1_decode(R1_Q4_0, src, dst, n);
    float t = dst[0];
    dst[0] = dst[16];
    dst[16] = t;
}

TEST(planted_faults_in_products_are_caught)
{
    r1_kernels k = scalar_table();
    k.matmul_f32 = forgets_the_tail;
    ck_expect_caught(check_f32, &k, "a float product without its tail");
    k = scalar_table();
    k.matmul_q8[R1_Q6_K] = off_by_an_ulp;
    ck_expect_caught(check_q8, &k, "an integer product wrong by one ulp");
    k = scalar_table();
    k.matmul_q8[R1_Q4_K] = forgets_the_minimum;
    ck_expect_caught(check_q8, &k, "a product without minimums");
    k = scalar_table();
    k.quantize = rounds_half_away;
    ck_expect_caught(check_quantize, &k, "ties rounded away from zero");
    k = scalar_table();
    k.decode[R1_Q4_0] = decode_q4_0_swapped;
    ck_expect_caught(check_decode, &k, "two values swapped");
}

/* A write past the last row falls on the unmapped page (the process dies, seen from its parent) or into a zone. */
TEST(planted_write_past_the_end_is_caught)
{
    fflush(NULL);
    test_seed();
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        char why[300];
        r1_kernels k = scalar_table(), scalar = k;
        k.matmul_f32 = writes_a_row_too_many;
        signal(SIGSEGV, SIG_DFL); /* cmocka's handler would go on with the parent's tests */
        signal(SIGBUS, SIG_DFL);
        _exit(ck_try(check_f32, &k, &scalar, false, why, sizeof why) ? 0 : 1);
    }
    int status = 0;
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(status != 0);
}

/* ---- measuring ---- */

typedef struct job {
    const r1_kernels *k;
    r1_type t;
    uint8_t *w;
    size_t R, C, K, bytes;
    r1_act8 x;
    float *y, *xf;
} job;

static void run_q8(void *p)
{
    job *j = p;
    j->k->matmul_q8[j->t](j->y, j->R, j->w, j->R / 16, j->R, &j->x, j->C, j->K);
}

static void run_float(void *p)
{
    job *j = p;
    float_entry(j->k, j->t)(j->y, j->R, j->w, j->bytes, j->R, j->xf, j->K, j->C, j->K);
}

static void run_quantize(void *p)
{
    job *j = p;
    j->k->quantize(&j->x, 0, j->xf, j->K);
}

static void bench_type(const r1_kernels *k, r1_type t, size_t weight_bytes)
{
    enum { K = 4096, C_MAX = 64 };
    bool q8 = r1_type_get(t)->quantised, by_256 = r1_type_get(t)->by_256;
    job j = { .k = k, .t = t, .K = K, .bytes = r1_row_bytes(t, K), .x = { .group = by_256 ? 256 : 32, .sub = by_256 ? 16 : 32 } };
    j.R = weight_bytes / j.bytes / 16 * 16;
    j.w = r1_alloc_aligned(j.R * j.bytes);
    j.y = malloc(j.R * C_MAX * 4);
    j.xf = malloc(K * C_MAX * 4);
    j.x.q = malloc(K * C_MAX);
    j.x.d = malloc(K * C_MAX / 32 * 4);
    j.x.sum = malloc(K * C_MAX / 16 * 4);
    EXPECT(j.w && j.y && j.xf && j.x.q && j.x.d && j.x.sum);
    memset(j.w, 0x2A, j.R * j.bytes);
    for (size_t i = 0; i < K * C_MAX; i++) j.xf[i] = (float)(i % 251) / 251;
    j.x.q4 = malloc(K * C_MAX);
    j.x.d4 = malloc(K * C_MAX / 32 * 4);
    j.x.s4 = malloc(K * C_MAX / 16 * 4);
    for (size_t i = 0; i < C_MAX; i++) k->quantize(&j.x, i, j.xf + i * K, K);
    for (size_t i = 0; k->interleave && i < C_MAX; i += 4) k->interleave(&j.x, i, 4, K);
    j.C = 1;
    double one = ck_seconds(q8 ? run_q8 : run_float, &j), bytes = (double)(j.R * j.bytes);
    j.C = C_MAX;
    j.R = r1_max(16, j.R / 8 / 16 * 16);
    double many = ck_seconds(q8 ? run_q8 : run_float, &j);
    printf("%-7s %-7s 1 column %7.2f GB/s  %d columns %8.2f GOPS\n", k->name, r1_type_get(t)->name, bytes / one / 1e9, C_MAX,
           2.0 * (double)(j.R * C_MAX * K) / many / 1e9);
    if (t == R1_Q4_0 || t == R1_Q4_K) printf("%-7s quantize by %d: %.2f Gvalues/s\n", k->name, j.x.group, K / ck_seconds(run_quantize, &j) / 1e9);
    free(j.w);
    free(j.y);
    free(j.xf);
    free(j.x.q);
    free(j.x.d);
    free(j.x.sum);
    free(j.x.q4);
    free(j.x.d4);
    free(j.x.s4);
}

TEST(bench_products)
{
    if (!ck_bench()) SKIP("R1_BENCH=1 measures products");
    for (size_t i = 0; i < R1_COUNT(ck_levels); i++) {
        r1_kernels k;
        if (!r1_cpu_has(ck_levels[i])) continue;
        r1_kernels_init(&k, ck_levels[i]);
        for (unsigned t = 0; t < R1_TYPE_END; t++)
            if (r1_type_get(t) && (k.matmul_q8[t] || t == R1_F32 || t == R1_F16 || t == R1_BF16))
                bench_type(&k, (r1_type)t, i == 0 ? 1 << 20 : 64 << 20);
    }
}
