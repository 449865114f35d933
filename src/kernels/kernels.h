/* kernels: the inner loops, one table of functions per CPU level.
 *
 * scalar/ defines every entry and is its meaning; avx2/, avx512/, amx/ and neon/ override what they do better. Selection is a pure
 * function of the level. Every entry (but matmul_bf16_pairs and _fours, which few levels have) gives the SAME BITS at every level, for any
 * number of rows or columns in a call: one accumulator chain per output element, in an order that depends on the tensor's shape only. (Where a result is NaN, it
 * is NaN at every level; its sign and payload are not promised.)
 *
 * Letters: R rows of a weight (outputs), C columns (tokens), K reduction length. docs/notation.md has all.
 *
 * The orders
 *   "16-lane dot" of a[K], b[K]: lane l = fma chain over k = l, l+16, l+32 ... ascending, starting at +0; a last partial
 *       step of 16 is padded with zeros (the fma is done for the padded lanes too); then the lanes are added as a tree:
 *       l[i] += l[i+8] for i<8; l[i] += l[i+4] for i<4; l[i] += l[i+2] for i<2; l[0] + l[1].
 *   "16-lane sum": the same with lane = lane + a[k] instead of fma (padding adds +0).
 *   int8 product, 32-value blocks: per block  t = sum of (code - offset) * q, exact in int32;
 *       acc = fmaf((float)t, dw * dx, acc); for Q4_1/Q5_1 then acc = fmaf((float)(sum of q), m * dx, acc).
 *       Blocks ascending, acc starts at +0. dw, m: the f16 (or 2^(e-128)) scale as f32.
 *   int8 product, 256-value blocks: t = sum over sub-blocks of scale * dot, exact in int32;
 *       acc = fmaf((float)t, dw * dx, acc); for Q2_K/Q4_K/Q5_K then, u = sum over sub-blocks of min * (sum of q):
 *       acc = fmaf(-(float)u, dmin * dx, acc).
 *   "pairs dot" of bf16 a[K], b[K]: for each 32 values, the last padded with +0: e = fma chain over even k from +0, o = the same over odd
 *       k; acc = acc + (e + o), ascending, acc starts at +0. Denormal inputs count as zeros and denormal results become zeros, signs kept:
 *       AMX computes so, whatever the rounding mode.
 *   "odd-even dot" of bf16 a[K], b[K]: for each two values, the last padded with +0: acc = fma of the odd k, then acc = fma of the even k;
 *       ascending, acc starts at +0. Denormals as in a pairs dot: vdpbf16ps computes so on Zen, and fused steps with FTZ and DAZ.
 * The library is compiled with -ffp-contract=off; every fused operation is written as one.
 */
#ifndef R1_KERNELS_KERNELS_H
#define R1_KERNELS_KERNELS_H

#include "base/base.h"
#include "quant/quant.h"

/* Activations quantised to int8, C columns.
 *   q    [C, K]          codes in [-127, 127]; K is a multiple of the group
 *   d    [C, K/group]    f32 scale
 *   sum  [C, K/sub]      int32 sums of q over runs of `sub` values (group 32: sub 32; group 256: sub 16)
 * The same, four columns side by side, for levels that have `interleave` and products of two columns and more; columns past the last one
 * hold anything:
 *   q4   [ceil(C/4), K/4, 4, 4]       4 codes of a column, the same 4 of the next column
 *   d4   [ceil(C/4), K/group, 4]
 *   s4   group 32: int32 [ceil(C/4), K/32, 4], the sums times -8, which is where dots with the codes of Q4_0 start
 *        group 256: int16 [ceil(C/4), K/256, 4, 24], sums over runs of 16, then over runs of 32
 * All rows contiguous. K >= group. */
typedef struct r1_act8 {
    int8_t *q;
    float *d;
    int32_t *sum;
    int group;          /* 32 or 256 */
    int sub;
    int8_t *q4;         /* these may be NULL where they are not used */
    float *d4;
    int32_t *s4;
} r1_act8;

enum { R1_PANEL = 16, R1_KEYS = 64 /* keys in an attention block */ };

typedef struct r1_kernels {
    const char *name;   /* "scalar", "avx2", "avx512", "amx", "neon" */

    /* y[c * ldy + r] = 16-lane dot of row r of w and x[c * ldx ..]; r < R, c < C. w: R rows, w_stride bytes apart, any
     * alignment. ldx, ldy in floats. BF16 and F16 weights are widened exactly. */
    void (*matmul_f32)(float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const float *x, size_t ldx, size_t C, size_t K);
    void (*matmul_bf16)(float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const float *x, size_t ldx, size_t C, size_t K);
    void (*matmul_f16)(float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const float *x, size_t ldx, size_t C, size_t K);

    /* As matmul_bf16, for x whose values are bf16: y[c * ldy + r] = pairs dot. NULL where matmul_bf16 is as fast; so with activations of
     * bf16, and only there, products of BF16 weights have the same bits within a level, not across levels. */
    void (*matmul_bf16_pairs)(float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const float *x, size_t ldx, size_t C, size_t K);

    /* Activations as bf16, four columns side by side, two values of each in turn: for i < n, n at most 4, and k < K
     *   to[k / 2 * 8 + 2 * i + k % 2] = x[i * ldx + k] to nearest even;  +0 for missing columns, and for k = K where K is odd.
     * So four columns take 4 * (K rounded up to 2) values. NULL where the next is. */
    void (*bf16_fours)(uint16_t *to, const float *x, size_t ldx, size_t n, size_t K);
    /* As matmul_bf16: y[c * ldy + r] = odd-even dot, with x from bf16_fours, column after column of fours. With one column x may point to any
     * column of its four. NULL: the level has matmul_bf16_pairs or multiplies in float32. */
    void (*matmul_bf16_fours)(float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const uint16_t *x, size_t C, size_t K);

    /* Packed int8 product by weight type (NULL for types without one): y[c * ldy + r] for the 16 rows of each of n_panels
     * panels, r < R (R > 16 * (n_panels - 1); rows past R are not written); columns c < C of x. Panels are contiguous
     * and start 64-byte aligned (later panels: see quant.h). */
    void (*matmul_q8[R1_TYPE_END])(float *y, size_t ldy, const void *panels, size_t n_panels, size_t R, const r1_act8 *x, size_t C, size_t K);

    /* Quantise one column x[K] (K a multiple of the group) at row c of the arrays: per group
     *   amax = largest |x|; d = amax / 127; inv = amax >= 2^-120 ? 127 / amax : 0 (below, the quotient would overflow);
     *   q = round to nearest even of x * inv,
     * clamped to [-127, 127]; a group with a non-finite value gets q = 0 and d = NaN. */
    void (*quantize)(const r1_act8 *a, size_t c, const float *x, size_t K);

    /* Fill q4, d4, s4 of columns [c, c + n) from q, d, sum: c is a multiple of 4, n at most 4. NULL: the level does not use them. */
    void (*interleave)(const r1_act8 *a, size_t c, size_t n, size_t K);
    bool reads_both;    /* products of two columns and more read q, d and sum beside them */

    /* Decode n values of a weight row of any type to f32, equal to r1_decode. NULL entries: use r1_decode. */
    void (*decode[R1_TYPE_END])(const void *src, float *dst, size_t n);

    /* y[i] = (w[i] * (x[i] * s)), s = 1 / sqrtf(sum(x*x) / n + eps), the sum a 16-lane dot. y may be x. */
    void (*rmsnorm)(float *y, const float *x, const float *w, size_t n, float eps);
    /* y[i] += x[i] */
    void (*add)(float *y, const float *x, size_t n);
    /* y[i] = fmaf(s, x[i], y[i]) */
    void (*axpy)(float *y, float s, const float *x, size_t n);
    /* y[i] = (g[i] / (1 + exp(-g[i]))) * u[i], exp as r1_exp; y may be g or u. */
    void (*silu_mul)(float *y, const float *g, const float *u, size_t n);
    /* x[i] = r1_exp(x[i] - m), returns the 16-lane sum of the results. */
    float (*exp_sum)(float *x, float m, size_t n);
    /* Largest of x[n], n >= 1 (NaN is ignored; all NaN gives -inf; a zero result is +0). */
    float (*max)(const float *x, size_t n);

    /* Attention over one block of keys, for each of n_q query rows. [type] is that of the cache: F32, F16 or BF16, widened exactly;
     * NULL for others. Lanes may run over anything: every result is one chain of fused steps.
     * scores: s[i * lds + t] = fma chain over j = 0..D-1, starting at +0, of q[i * ldq + j] * kt[j * ldk + t];  t < n_t.
     *     Keys are columns: kt[j * ldk + t] is value j of key t.
     * soften: m = the largest of max[i] and s[i * lds + t], t < n_t (as in `max`);  shrink[i] = r1_exp(max[i] - m);  max[i] = m;
     *     s[i * lds + t] = r1_exp(s[i * lds + t] - m);  sum[i] = fmaf(sum[i], shrink[i], 16-lane sum of them).
     * mix: o[i * ldo + j] = fmaf(shrink[i], o[i * ldo + j], fma chain over t = 0..n_t-1, starting at +0, of p[i * ldp + t] * v[t * ldv + j]);  j < D
     * next: where as many bytes as the first rows read here will be wanted soon, a hint to fetch them meanwhile; NULL: nowhere. */
    void (*scores[R1_TYPE_END])(float *s, size_t lds, const float *q, size_t ldq, size_t n_q, const void *kt, size_t ldk, size_t n_t,
                                size_t D, const void *next);
    void (*soften)(float *s, size_t lds, size_t n_q, size_t n_t, float *max, float *sum, float *shrink);
    void (*mix[R1_TYPE_END])(float *o, size_t ldo, const float *shrink, const float *p, size_t ldp, size_t n_q, const void *v, size_t ldv, size_t n_t,
                             size_t D, const void *next);
    /* y[c * ldy + r] = x[r * ldx + c];  r < R, c < C */
    void (*transpose)(float *y, size_t ldy, const float *x, size_t ldx, size_t R, size_t C);
    /* Keys as columns in Q8_0: y[r * n + t] = d[t] (an f16) * q[r * n + t];  r < R, t < n */
    void (*decode_q8_columns)(float *y, const uint16_t *d, const int8_t *q, size_t R, size_t n);

    /* x[i] *= s */
    void (*scale)(float *x, float s, size_t n);

    /* Rounding of cache rows and activations, nearest even. */
    void (*f32_to_f16)(uint16_t *y, const float *x, size_t n);
    void (*f32_to_bf16)(uint16_t *y, const float *x, size_t n);
    /* Largest logit of x[n]: lowest index among equals, NaN never; -1 when every value is NaN. */
    int32_t (*argmax)(const float *x, size_t n);
} r1_kernels;

/* Levels this machine and build can run. AMX's tiles are asked of the system at the first call, once; where it refuses them there is no AMX. */
bool r1_cpu_has(r1_cpu_level level);
r1_cpu_level r1_cpu_best(void);
const char *r1_cpu_level_name(r1_cpu_level level);
/* "auto", "scalar", ...; false for another word. */
bool r1_cpu_level_parse(const char *s, r1_cpu_level *out);

/* Fill the table for a level this machine has. */
void r1_kernels_init(r1_kernels *k, r1_cpu_level level);

/* exp(x), error below 2 ulp, same bits everywhere: 0 below -87.3, +inf above 88.7, NaN for NaN. Meaning of silu_mul, exp_sum. */
float r1_exp(float x);

#endif
