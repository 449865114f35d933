/* Private to neon/: floats by the lane, for vector_neon.c and attention_neon.c. */
#ifndef R1_KERNELS_NEON_LANES_NEON_H
#define R1_KERNELS_NEON_LANES_NEON_H

#include "kernels/exp.h"
#include "kernels/neon/neon_int.h"

#include <math.h>

INLINE float32x4_t set(float v) { return vdupq_n_f32(v); }

/* r1_exp on 4 lanes. */
INLINE float32x4_t exp4(float32x4_t x)
{
    const float32x4_t t = vfmaq_f32(set(R1_EXP_MAGIC), x, set(R1_EXP_LOG2E)), n = vsubq_f32(t, set(R1_EXP_MAGIC));
    float32x4_t r = vfmsq_f32(x, n, set(R1_EXP_LN2_HI));
    r = vfmsq_f32(r, n, set(R1_EXP_LN2_LO));
    float32x4_t p = vfmaq_f32(set(R1_EXP_C5), set(R1_EXP_C6), r);
    p = vfmaq_f32(set(R1_EXP_C4), p, r);
    p = vfmaq_f32(set(R1_EXP_C3), p, r);
    p = vfmaq_f32(set(R1_EXP_C2), p, r);
    p = vfmaq_f32(set(1), p, r);
    p = vfmaq_f32(set(1), p, r);
    const uint32x4_t bits = vaddq_u32(vreinterpretq_u32_f32(p), vshlq_n_u32(vreinterpretq_u32_f32(t), 23));
    float32x4_t y = vreinterpretq_f32_u32(vbicq_u32(bits, vcltq_f32(x, set(R1_EXP_LO))));
    y = vbslq_f32(vcgtq_f32(x, set(R1_EXP_HI)), set(INFINITY), y);
    return vbslq_f32(vceqq_f32(x, x), y, x);
}

/* exp(x[0..4) - max) in place, zero in lanes that do not exist. */
INLINE float32x4_t exp_some(float *x, size_t n, float max)
{
    const float32x4_t e = exp4(vsubq_f32(load_n(x, n), set(max)));
    store_n(x, n, e);
    return n >= 4 ? e : vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(e), mask4(n)));
}

/* exp(x[n] - max) in place; their 16-lane sum. */
INLINE float exp_row(float *x, float max, size_t n)
{
    lanes16 sum;
    UNROLL for (int l = 0; l < 4; l++) sum.v[l] = set(0);
    for (size_t i = 0; i < n; i += 16)
        UNROLL for (size_t l = 0; l < 4; l++) {
            const size_t k = i + 4 * l;
            sum.v[l] = vaddq_f32(sum.v[l], k < n ? exp_some(x + k, n - k, max) : set(0));
        }
    return add_lanes(sum);
}

/* The larger in each lane; where v is NaN the other, which never is. */
INLINE float32x4_t larger(float32x4_t v, float32x4_t m) { return vbslq_f32(vcgtq_f32(v, m), v, m); }

#endif
