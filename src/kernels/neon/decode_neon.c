/* Decoding of weight rows, NEON: 16-bit and 8-bit floats, and the two plain block formats. Equal to r1_decode; products and
 * differences are rounded separately, as there. Ends shorter than a register go to r1_decode itself. */
#include "kernels/neon/neon_int.h"

#include <math.h>

static void decode_f32(const void *src, float *dst, size_t n) { memcpy(dst, src, 4 * n); }

static void decode_f16(const void *src, float *dst, size_t n)
{
    const uint8_t *s = src;
    size_t i = 0;
    for (; i + 4 <= n; i += 4) vst1q_f32(dst + i, load_f16(s + 2 * i));
    r1_decode(R1_F16, s + 2 * i, dst + i, n - i);
}

static void decode_bf16(const void *src, float *dst, size_t n)
{
    const uint8_t *s = src;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const uint16x8_t h = vreinterpretq_u16_u8(vld1q_u8(s + 2 * i));
        vst1q_f32(dst + i, vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(h), 16)));
        vst1q_f32(dst + i + 4, vreinterpretq_f32_u32(vshll_n_u16(vget_high_u16(h), 16)));
    }
    r1_decode(R1_BF16, s + 2 * i, dst + i, n - i);
}

/* Four E4M3 values in the low halves of 16-bit lanes, as bits of F16 times 2^-8; NaN (all ones but the sign) becomes F16's. */
INLINE float32x4_t widen_e4m3(uint16x4_t w)
{
    const uint16x4_t low = vand_u16(w, vdup_n_u16(127)), sign = vshl_n_u16(vand_u16(w, vdup_n_u16(128)), 8);
    const uint16x4_t bits = vbsl_u16(vceq_u16(low, vdup_n_u16(127)), vdup_n_u16(0x7E00), vshl_n_u16(low, 7));
    return vmulq_n_f32(vcvt_f32_f16(vreinterpret_f16_u16(vorr_u16(bits, sign))), 256);
}

/* The bits of an E4M3 value, moved to where F16 has them, are its value times 2^-8, subnormals too; only NaN is different. */
static void decode_e4m3(const void *src, float *dst, size_t n)
{
    const uint8_t *s = src;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const uint16x8_t w = vmovl_u8(vld1_u8(s + i));
        vst1q_f32(dst + i, widen_e4m3(vget_low_u16(w)));
        vst1q_f32(dst + i + 4, widen_e4m3(vget_high_u16(w)));
    }
    r1_decode(R1_F8_E4M3, s + i, dst + i, n - i);
}

INLINE float half_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, 2);
    return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(h))), 0);
}

/* d times 16 codes. */
INLINE void put_16(float *dst, int8x16_t q, float d)
{
    const int16x8_t w[2] = { vmovl_s8(vget_low_s8(q)), vmovl_s8(vget_high_s8(q)) };
    UNROLL for (int i = 0; i < 2; i++) {
        vst1q_f32(dst + 8 * i, vmulq_n_f32(vcvtq_f32_s32(vmovl_s16(vget_low_s16(w[i]))), d));
        vst1q_f32(dst + 8 * i + 4, vmulq_n_f32(vcvtq_f32_s32(vmovl_s16(vget_high_s16(w[i]))), d));
    }
}

static void decode_q8_0(const void *src, float *dst, size_t n)
{
    const uint8_t *b = src;
    for (size_t i = 0; i < n; i += 32, b += 34) {
        const float d = half_at(b);
        put_16(dst + i, vreinterpretq_s8_u8(vld1q_u8(b + 2)), d);
        put_16(dst + i + 16, vreinterpretq_s8_u8(vld1q_u8(b + 18)), d);
    }
}

static void decode_q4_0(const void *src, float *dst, size_t n)
{
    const uint8_t *b = src;
    const int8x16_t eight = vdupq_n_s8(8);
    for (size_t i = 0; i < n; i += 32, b += 18) {
        const float d = half_at(b);
        const uint8x16_t v = vld1q_u8(b + 2);
        put_16(dst + i, vsubq_s8(vreinterpretq_s8_u8(vandq_u8(v, vdupq_n_u8(15))), eight), d);
        put_16(dst + i + 16, vsubq_s8(vreinterpretq_s8_u8(vshrq_n_u8(v, 4)), eight), d);
    }
}

void r1_neon_fill_decode(r1_kernels *k)
{
    k->decode[R1_F32] = decode_f32;
    k->decode[R1_F16] = decode_f16;
    k->decode[R1_BF16] = decode_bf16;
    k->decode[R1_F8_E4M3] = decode_e4m3;
    k->decode[R1_Q8_0] = decode_q8_0;
    k->decode[R1_Q4_0] = decode_q4_0;
}
