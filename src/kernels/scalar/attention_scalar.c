/* Attention over one block of keys: scores, softmax, mixing of values; and rows turned into columns. */
#include "base/half.h"
#include "kernels/scalar/scalar_int.h"

#include <math.h>

static inline float value(r1_type t, const void *p, size_t i)
{
    if (t == R1_F32) return ((const float *)p)[i];
    return t == R1_F16 ? r1_f16_to_f32(((const uint16_t *)p)[i]) : r1_bf16_to_f32(((const uint16_t *)p)[i]);
}

static inline void scores(r1_type type, float *s, size_t lds, const float *q, size_t ldq, size_t n_q, const void *kt, size_t ldk, size_t n_t, size_t D)
{
    for (size_t i = 0; i < n_q; i++)
        for (size_t t = 0; t < n_t; t++) {
            float sum = 0;
            for (size_t j = 0; j < D; j++) sum = fmaf(q[i * ldq + j], value(type, kt, j * ldk + t), sum);
            s[i * lds + t] = sum;
        }
}

static void scores_f32(float *s, size_t lds, const float *q, size_t ldq, size_t n_q, const void *kt, size_t ldk, size_t n_t, size_t D, const void *next)
{
    scores(R1_F32, s, lds, q, ldq, n_q, kt, ldk, n_t, D);
    (void)next;
}

static void scores_f16(float *s, size_t lds, const float *q, size_t ldq, size_t n_q, const void *kt, size_t ldk, size_t n_t, size_t D, const void *next)
{
    scores(R1_F16, s, lds, q, ldq, n_q, kt, ldk, n_t, D);
    (void)next;
}

static void scores_bf16(float *s, size_t lds, const float *q, size_t ldq, size_t n_q, const void *kt, size_t ldk, size_t n_t, size_t D, const void *next)
{
    scores(R1_BF16, s, lds, q, ldq, n_q, kt, ldk, n_t, D);
    (void)next;
}

static inline void mix(r1_type type, float *o, size_t ldo, const float *shrink, const float *p, size_t ldp, size_t n_q, const void *v, size_t ldv, size_t n_t, size_t D)
{
    for (size_t i = 0; i < n_q; i++)
        for (size_t j = 0; j < D; j++) {
            float sum = 0;
            for (size_t t = 0; t < n_t; t++) sum = fmaf(p[i * ldp + t], value(type, v, t * ldv + j), sum);
            o[i * ldo + j] = fmaf(shrink[i], o[i * ldo + j], sum);
        }
}

static void mix_f32(float *o, size_t ldo, const float *shrink, const float *p, size_t ldp, size_t n_q, const void *v, size_t ldv, size_t n_t,
                     size_t D, const void *next)
{
    mix(R1_F32, o, ldo, shrink, p, ldp, n_q, v, ldv, n_t, D);
    (void)next;
}

static void mix_f16(float *o, size_t ldo, const float *shrink, const float *p, size_t ldp, size_t n_q, const void *v, size_t ldv, size_t n_t,
                     size_t D, const void *next)
{
    mix(R1_F16, o, ldo, shrink, p, ldp, n_q, v, ldv, n_t, D);
    (void)next;
}

static void mix_bf16(float *o, size_t ldo, const float *shrink, const float *p, size_t ldp, size_t n_q, const void *v, size_t ldv, size_t n_t,
                     size_t D, const void *next)
{
    mix(R1_BF16, o, ldo, shrink, p, ldp, n_q, v, ldv, n_t, D);
    (void)next;
}

static void soften(float *s, size_t lds, size_t n_q, size_t n_t, float *max, float *sum, float *shrink)
{
    for (size_t i = 0; i < n_q; i++) {
        float *x = s + i * lds, m = max[i], lane[16] = { 0 };
        for (size_t t = 0; t < n_t; t++)
            if (x[t] > m) m = x[t];
        m += 0.0f; /* -0 becomes +0 */
        shrink[i] = r1_exp(max[i] - m);
        max[i] = m;
        for (size_t t = 0; t < r1_round_up(n_t, 16); t++) {
            float e = 0; /* the padding of the last step is added too */
            if (t < n_t) x[t] = e = r1_exp(x[t] - m);
            lane[t % 16] += e;
        }
        sum[i] = fmaf(sum[i], shrink[i], r1_lanes_sum_scalar(lane));
    }
}

static void transpose(float *y, size_t ldy, const float *x, size_t ldx, size_t R, size_t C)
{
    for (size_t r = 0; r < R; r++)
        for (size_t c = 0; c < C; c++) y[c * ldy + r] = x[r * ldx + c];
}

static void decode_q8_columns(float *y, const uint16_t *d, const int8_t *q, size_t R, size_t n)
{
    for (size_t r = 0; r < R; r++)
        for (size_t t = 0; t < n; t++) y[r * n + t] = r1_f16_to_f32(d[t]) * (float)q[r * n + t];
}

void r1_kernels_init_attention_scalar(r1_kernels *k)
{
    k->scores[R1_F32] = scores_f32;
    k->scores[R1_F16] = scores_f16;
    k->scores[R1_BF16] = scores_bf16;
    k->mix[R1_F32] = mix_f32;
    k->mix[R1_F16] = mix_f16;
    k->mix[R1_BF16] = mix_bf16;
    k->soften = soften;
    k->transpose = transpose;
    k->decode_q8_columns = decode_q8_columns;
}
