/* Integer products of packed weights with int8 activations, and the quantisation of the activations.
 *
 * One product for every format: a block is unpacked from the panel and taken apart by r1_codes_get, which gives 32-value
 * blocks scale 1 and, where the format adds an m, minimum 1 with dmin = -m. The order of kernels.h then reads the same for
 * all: t and u are exact integers, each enters the accumulator by one fused step. The accumulators are the results
 * themselves, so a block is unpacked once for all columns.
 */
#include "kernels/scalar/scalar_int.h"

#include <math.h>

enum { BLOCK_MAX = 210 };

static int32_t dot_codes(const int8_t *code, const int8_t *q, int n)
{
    int32_t sum = 0;
    for (int i = 0; i < n; i++) sum += code[i] * q[i];
    return sum;
}

/* One block (number b of nb in the row) of weights with column c of x, added to acc. */
static float add_block(float acc, const r1_codes *w, const r1_act8 *x, size_t c, size_t b, size_t nb)
{
    size_t n = (size_t)w->n, per_run = (size_t)(w->run / x->sub), runs = n / (size_t)w->run;
    const int8_t *q = x->q + (c * nb + b) * n;
    const int32_t *sum = x->sum + (c * nb + b) * (n / (size_t)x->sub);
    float dx = x->d[c * nb + b];
    int32_t t = 0, u = 0;
    for (size_t s = 0; s < runs; s++) {
        t += w->scale[s] * dot_codes(w->code + s * (size_t)w->run, q + s * (size_t)w->run, w->run);
        if (!w->has_min) continue;
        for (size_t i = 0; i < per_run; i++) u += w->min[s] * sum[s * per_run + i];
    }
    acc = fmaf((float)t, w->d * dx, acc);
    return w->has_min ? fmaf(-(float)u, w->dmin * dx, acc) : acc;
}

static void matmul(r1_type type, float *y, size_t ldy, const void *panels, size_t n_panels, size_t R, const r1_act8 *x, size_t C, size_t K)
{
    const r1_type_info *info = r1_type_get(type);
    size_t nb = K / info->block, panel_bytes = R1_PANEL * r1_row_bytes(type, K);
    uint8_t block[BLOCK_MAX];
    r1_codes w;
    for (size_t r = 0; r < r1_min(R, n_panels * R1_PANEL); r++) {
        const uint8_t *panel = (const uint8_t *)panels + r / R1_PANEL * panel_bytes;
        for (size_t c = 0; c < C; c++) y[c * ldy + r] = 0;
        for (size_t b = 0; b < nb; b++) {
            r1_unpack_row(type, block, panel + b * R1_PANEL * info->bytes, r % R1_PANEL, info->block);
            r1_codes_get(type, block, &w);
            for (size_t c = 0; c < C; c++) y[c * ldy + r] = add_block(y[c * ldy + r], &w, x, c, b, nb);
        }
    }
}

static void matmul_q4_0(float *y, size_t ldy, const void *p, size_t np, size_t R, const r1_act8 *x, size_t C, size_t K) { matmul(R1_Q4_0, y, ldy, p, np, R, x, C, K); }
static void matmul_q4_1(float *y, size_t ldy, const void *p, size_t np, size_t R, const r1_act8 *x, size_t C, size_t K) { matmul(R1_Q4_1, y, ldy, p, np, R, x, C, K); }
static void matmul_q5_0(float *y, size_t ldy, const void *p, size_t np, size_t R, const r1_act8 *x, size_t C, size_t K) { matmul(R1_Q5_0, y, ldy, p, np, R, x, C, K); }
static void matmul_q5_1(float *y, size_t ldy, const void *p, size_t np, size_t R, const r1_act8 *x, size_t C, size_t K) { matmul(R1_Q5_1, y, ldy, p, np, R, x, C, K); }
static void matmul_q8_0(float *y, size_t ldy, const void *p, size_t np, size_t R, const r1_act8 *x, size_t C, size_t K) { matmul(R1_Q8_0, y, ldy, p, np, R, x, C, K); }
static void matmul_iq4_nl(float *y, size_t ldy, const void *p, size_t np, size_t R, const r1_act8 *x, size_t C, size_t K) { matmul(R1_IQ4_NL, y, ldy, p, np, R, x, C, K); }
static void matmul_mxfp4(float *y, size_t ldy, const void *p, size_t np, size_t R, const r1_act8 *x, size_t C, size_t K) { matmul(R1_MXFP4, y, ldy, p, np, R, x, C, K); }
static void matmul_q2_k(float *y, size_t ldy, const void *p, size_t np, size_t R, const r1_act8 *x, size_t C, size_t K) { matmul(R1_Q2_K, y, ldy, p, np, R, x, C, K); }
static void matmul_q3_k(float *y, size_t ldy, const void *p, size_t np, size_t R, const r1_act8 *x, size_t C, size_t K) { matmul(R1_Q3_K, y, ldy, p, np, R, x, C, K); }
static void matmul_q4_k(float *y, size_t ldy, const void *p, size_t np, size_t R, const r1_act8 *x, size_t C, size_t K) { matmul(R1_Q4_K, y, ldy, p, np, R, x, C, K); }
static void matmul_q5_k(float *y, size_t ldy, const void *p, size_t np, size_t R, const r1_act8 *x, size_t C, size_t K) { matmul(R1_Q5_K, y, ldy, p, np, R, x, C, K); }
static void matmul_q6_k(float *y, size_t ldy, const void *p, size_t np, size_t R, const r1_act8 *x, size_t C, size_t K) { matmul(R1_Q6_K, y, ldy, p, np, R, x, C, K); }
static void matmul_iq4_xs(float *y, size_t ldy, const void *p, size_t np, size_t R, const r1_act8 *x, size_t C, size_t K) { matmul(R1_IQ4_XS, y, ldy, p, np, R, x, C, K); }

/* One group of n values: codes, scale, sums over runs of `sub`. */
static void quantize_group(int8_t *q, float *d, int32_t *sum, const float *x, size_t n, size_t sub)
{
    float amax = 0;
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) finite = false;
        amax = fmaxf(amax, fabsf(x[i]));
    }
    float inv = finite && amax >= 0x1p-120f ? 127 / amax : 0;
    *d = finite ? amax / 127 : NAN;
    for (size_t i = 0; i < n; i++) {
        float v = finite ? rintf(x[i] * inv) : 0;
        q[i] = (int8_t)fminf(fmaxf(v, -127), 127);
    }
    for (size_t s = 0; s < n / sub; s++) {
        sum[s] = 0;
        for (size_t i = 0; i < sub; i++) sum[s] += q[s * sub + i];
    }
}

static void quantize(const r1_act8 *a, size_t c, const float *x, size_t K)
{
    size_t group = (size_t)a->group, sub = (size_t)a->sub, ng = K / group;
    for (size_t g = 0; g < ng; g++)
        quantize_group(a->q + c * K + g * group, a->d + c * ng + g, a->sum + c * (K / sub) + g * (group / sub), x + g * group, group, sub);
}

void r1_kernels_init_matmul_q8_scalar(r1_kernels *k)
{
    k->matmul_q8[R1_Q4_0] = matmul_q4_0;
    k->matmul_q8[R1_Q4_1] = matmul_q4_1;
    k->matmul_q8[R1_Q5_0] = matmul_q5_0;
    k->matmul_q8[R1_Q5_1] = matmul_q5_1;
    k->matmul_q8[R1_Q8_0] = matmul_q8_0;
    k->matmul_q8[R1_IQ4_NL] = matmul_iq4_nl;
    k->matmul_q8[R1_MXFP4] = matmul_mxfp4;
    k->matmul_q8[R1_Q2_K] = matmul_q2_k;
    k->matmul_q8[R1_Q3_K] = matmul_q3_k;
    k->matmul_q8[R1_Q4_K] = matmul_q4_k;
    k->matmul_q8[R1_Q5_K] = matmul_q5_k;
    k->matmul_q8[R1_Q6_K] = matmul_q6_k;
    k->matmul_q8[R1_IQ4_XS] = matmul_iq4_xs;
    k->quantize = quantize;
}
