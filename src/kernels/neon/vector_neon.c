/* Element by element, NEON: activation functions, rounding, quantisation of activations, picking the
 * largest. Tails go through a buffer of one register; nothing is read or written past the end. */
#include "kernels/neon/lanes_neon.h"

#include <math.h>

static void add(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 4) store_n(y + i, n - i, vaddq_f32(load_n(y + i, n - i), load_n(x + i, n - i)));
}

static void axpy(float *y, float s, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 4) store_n(y + i, n - i, vfmaq_n_f32(load_n(y + i, n - i), load_n(x + i, n - i), s));
}

static void scale(float *x, float s, size_t n)
{
    for (size_t i = 0; i < n; i += 4) store_n(x + i, n - i, vmulq_n_f32(load_n(x + i, n - i), s));
}

static void silu_mul(float *y, const float *g, const float *u, size_t n)
{
    for (size_t i = 0; i < n; i += 4) {
        const float32x4_t v = load_n(g + i, n - i), s = vdivq_f32(v, vaddq_f32(set(1), exp4(vnegq_f32(v))));
        store_n(y + i, n - i, vmulq_f32(s, load_n(u + i, n - i)));
    }
}

static float exp_sum(float *x, float max, size_t n) { return exp_row(x, max, n); }

/* Largest of x[n], NaN ignored. */
INLINE float largest(const float *x, size_t n)
{
    float32x4_t a[4];
    UNROLL for (int j = 0; j < 4; j++) a[j] = set(-INFINITY);
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        UNROLL for (int j = 0; j < 4; j++) a[j] = larger(vld1q_f32(x + i + 4 * j), a[j]);
    for (; i + 4 <= n; i += 4) a[0] = larger(vld1q_f32(x + i), a[0]);
    float m = vmaxvq_f32(vmaxq_f32(vmaxq_f32(a[0], a[1]), vmaxq_f32(a[2], a[3])));
    for (; i < n; i++)
        if (x[i] > m) m = x[i];
    return m;
}

static float max(const float *x, size_t n) { return largest(x, n) + 0.0f; } /* -0 becomes +0 */

/* The first value equal to the largest; among NaN alone there is none. */
static int32_t argmax(const float *x, size_t n)
{
    const float best = largest(x, n);
    size_t i = 0;
    while (i + 4 <= n && !vmaxvq_u32(vceqq_f32(vld1q_f32(x + i), set(best)))) i += 4;
    while (i < n && x[i] != best) i++;
    return i < n ? (int32_t)i : -1;
}

INLINE uint16x4_t to_f16(float32x4_t v) { return vreinterpret_u16_f16(vcvt_f16_f32(v)); }

INLINE uint16x4_t to_bf16(float32x4_t v)
{
    const uint32x4_t u = vreinterpretq_u32_f32(v), odd = vandq_u32(vshrq_n_u32(u, 16), vdupq_n_u32(1));
    const uint32x4_t up = vaddq_u32(vaddq_u32(u, vdupq_n_u32(0x7FFF)), odd), quiet = vorrq_u32(u, vdupq_n_u32(0x400000));
    return vshrn_n_u32(vbslq_u32(vceqq_f32(v, v), up, quiet), 16);
}

INLINE void to_half(uint16_t *y, const float *x, size_t n, const bool f16)
{
    for (size_t i = 0; i < n; i += 4) {
        const float32x4_t v = load_n(x + i, n - i);
        const uint16x4_t h = f16 ? to_f16(v) : to_bf16(v);
        if (n - i >= 4) {
            vst1_u16(y + i, h);
        } else {
            uint16_t last[4];
            vst1_u16(last, h);
            memcpy(y + i, last, 2 * (n - i));
        }
    }
}

static void f32_to_f16(uint16_t *y, const float *x, size_t n) { to_half(y, x, n, true); }
static void f32_to_bf16(uint16_t *y, const float *x, size_t n) { to_half(y, x, n, false); }

INLINE uint32x4_t magnitude(const float *x) { return vbicq_u32(vreinterpretq_u32_f32(vld1q_f32(x)), vdupq_n_u32(0x80000000u)); }

/* Scale of a group of n (32 or 256) values and its inverse; false when one of them is not finite. Magnitudes compare as
 * integers, and what is not finite is then the largest. */
INLINE bool group_scale(const float *x, size_t n, float *d, float *inv)
{
    uint32x4_t big[4];
    UNROLL for (int j = 0; j < 4; j++) big[j] = magnitude(x + 4 * j);
    for (size_t i = 16; i < n; i += 16)
        UNROLL for (int j = 0; j < 4; j++) big[j] = vmaxq_u32(big[j], magnitude(x + i + 4 * j));
    const uint32_t bits = vmaxvq_u32(vmaxq_u32(vmaxq_u32(big[0], big[1]), vmaxq_u32(big[2], big[3])));
    const bool finite = bits < 0x7F800000;
    float amax;
    memcpy(&amax, &bits, 4);
    *d = finite ? amax / 127 : NAN;
    *inv = finite && amax >= 0x1p-120f ? 127 / amax : 0;
    return finite;
}

INLINE int16x4_t codes4(const float *x, float inv) { return vqmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x), inv))); }

/* 16 codes. |x| * inv is at most 127 and an ulp, so nothing rounds past 127. */
INLINE int8x16_t codes(const float *x, float inv)
{
    const int16x8_t low = vcombine_s16(codes4(x, inv), codes4(x + 4, inv)), high = vcombine_s16(codes4(x + 8, inv), codes4(x + 12, inv));
    return vcombine_s8(vqmovn_s16(low), vqmovn_s16(high));
}

static void quantize(const r1_act8 *a, size_t c, const float *x, size_t K)
{
    const size_t group = (size_t)a->group;
    int8_t *q = a->q + c * K;
    float *d = a->d + c * (K / group);
    int32_t *sum = a->sum + c * (K / (size_t)a->sub);
    for (size_t g = 0; g < K / group; g++, q += group, x += group) {
        float inv;
        const bool finite = group_scale(x, group, d + g, &inv);
        for (size_t i = 0; i < group; i += 16) {
            const int8x16_t v = finite ? codes(x + i, inv) : vdupq_n_s8(0);
            vst1q_s8(q + i, v);
            const size_t at = (g * group + i) / (size_t)a->sub;
            sum[at] = vaddlvq_s8(v) + (i % (size_t)a->sub ? sum[at] : 0);
        }
    }
}

void r1_neon_fill_vector(r1_kernels *k)
{
    k->quantize = quantize;
    k->add = add;
    k->axpy = axpy;
    k->scale = scale;
    k->silu_mul = silu_mul;
    k->exp_sum = exp_sum;
    k->max = max;
    k->argmax = argmax;
    k->f32_to_f16 = f32_to_f16;
    k->f32_to_bf16 = f32_to_bf16;
}
