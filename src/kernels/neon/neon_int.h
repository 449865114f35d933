/* Private to neon/: what its files share. Compiled for ARMv8.2 with the dot product instructions (sdot). */
#ifndef R1_KERNELS_NEON_NEON_INT_H
#define R1_KERNELS_NEON_NEON_INT_H

#include "kernels/kernels_int.h"
#include <arm_neon.h>

#define INLINE static inline __attribute__((always_inline))

/* Before a loop with a constant count of at most 16: no loop is left, so arrays it walks can live in registers. KEEP_LOOP is the
 * opposite: its arrays stay in memory and leave the registers to others. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define KEEP_LOOP _Pragma("clang loop unroll(disable)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#define KEEP_LOOP _Pragma("GCC unroll 1")
#endif

/* 4 f16 values of any alignment. The conversion is part of every ARMv8; arithmetic on f16 is not, and is not needed. */
INLINE float32x4_t load_f16(const void *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}

/* n floats (4 if more, none if 0), the rest zero; and back. */
INLINE float32x4_t load_n(const float *p, size_t n)
{
    float v[4] = { 0 };
    if (n >= 4) return vld1q_f32(p);
    memcpy(v, p, 4 * n);
    return vld1q_f32(v);
}

INLINE void store_n(float *p, size_t n, float32x4_t x)
{
    float v[4];
    if (n >= 4) {
        vst1q_f32(p, x);
        return;
    }
    vst1q_f32(v, x);
    memcpy(p, v, 4 * n);
}

/* n less k, 0 if it would be negative. */
INLINE size_t after(size_t n, size_t k) { return n > k ? n - k : 0; }

/* Lanes i < n as all ones. */
INLINE uint32x4_t mask4(size_t n)
{
    const uint32x4_t lane = vcombine_u32(vcreate_u32(1ull << 32), vcreate_u32(2 | 3ull << 32));
    return vcltq_u32(lane, vdupq_n_u32(n >= 4 ? 4 : (uint32_t)n));
}

/* 16 lanes as the orders of kernels.h have them. */
typedef struct lanes16 { float32x4_t v[4]; } lanes16;

/* The tree of kernels.h over 16 lanes. */
INLINE float add_lanes(lanes16 l)
{
    const float32x4_t q = vaddq_f32(vaddq_f32(l.v[0], l.v[2]), vaddq_f32(l.v[1], l.v[3]));
    const float32x2_t d = vadd_f32(vget_low_f32(q), vget_high_f32(q));
    return vget_lane_f32(d, 0) + vget_lane_f32(d, 1);
}

/* acc + the products of the 4 bytes of each lane of w (4 values of 4 rows) with 4 activations, lane i of a. The instruction wants
 * a constant lane, which i becomes where its loop is unrolled. */
INLINE int32x4_t dot_lane(int32x4_t acc, int8x16_t w, int8x16_t a, const int i)
{
    switch (i) {
    case 0: return vdotq_laneq_s32(acc, w, a, 0);
    case 1: return vdotq_laneq_s32(acc, w, a, 1);
    case 2: return vdotq_laneq_s32(acc, w, a, 2);
    default: return vdotq_laneq_s32(acc, w, a, 3);
    }
}

/* The same pointer, but not to the compiler: what is loaded through it cannot be loaded earlier, nor be kept from an earlier load.
 * gcc would otherwise bring the codes of several steps into registers that are not there, and pay twice for each on the stack. */
INLINE const uint8_t *anew(const uint8_t *p)
{
    __asm__ volatile("" : "+r"(p));
    return p;
}

/* How many quads (4 rows) of a panel a tile of nc columns takes at a time: with 8 chains of integers and 8 of floats (or of
 * integers over runs), their activations and the codes at work, the 32 registers are used and not exceeded. One column would have
 * room for more rows than a panel has. */
INLINE int quads_of(const int nc) { return nc >= 8 ? 1 : nc >= 2 ? 2 : 4; }

void r1_neon_fill_q8(r1_kernels *k);     /* 32-value blocks */
void r1_neon_fill_q8k(r1_kernels *k);    /* 256-value blocks */
void r1_neon_fill_float(r1_kernels *k);
void r1_neon_fill_vector(r1_kernels *k);
void r1_neon_fill_attention(r1_kernels *k);
void r1_neon_fill_decode(r1_kernels *k);

#endif
