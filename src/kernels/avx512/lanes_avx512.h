/* lanes_avx512: what the AVX-512 files of float operations share. Private to avx512/. */
#ifndef R1_KERNELS_AVX512_LANES_AVX512_H
#define R1_KERNELS_AVX512_LANES_AVX512_H

#include "kernels/avx512/avx512_int.h"
#include "kernels/exp.h"

#include <math.h>

INLINE __m512 loadf(__mmask16 m, const float *p) { return _mm512_maskz_loadu_ps(m, p); }
INLINE __m512 set(float v) { return _mm512_set1_ps(v); }

/* Values i.. of an F32, F16 or BF16 array, the lanes of `m`. */
INLINE __m512 widen(r1_type t, const void *p, size_t i, __mmask16 m)
{
    const uint8_t *b = p;
    if (t == R1_F32) return _mm512_maskz_loadu_ps(m, b + 4 * i);
    const __m256i h = m == 0xFFFF ? _mm256_loadu_si256((const __m256i *)(b + 2 * i)) : _mm256_maskz_loadu_epi16(m, b + 2 * i);
    if (t == R1_F16) return _mm512_cvtph_ps(h);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

/* exp of x's remainder; *t receives the power of two, still with the magic number added. */
INLINE __m512 exp_remainder(__m512 x, __m512 *t)
{
    *t = _mm512_fmadd_ps(x, set(R1_EXP_LOG2E), set(R1_EXP_MAGIC));
    const __m512 n = _mm512_sub_ps(*t, set(R1_EXP_MAGIC));
    __m512 r = _mm512_fnmadd_ps(n, set(R1_EXP_LN2_HI), x);
    r = _mm512_fnmadd_ps(n, set(R1_EXP_LN2_LO), r);
    __m512 p = _mm512_fmadd_ps(set(R1_EXP_C6), r, set(R1_EXP_C5));
    p = _mm512_fmadd_ps(p, r, set(R1_EXP_C4));
    p = _mm512_fmadd_ps(p, r, set(R1_EXP_C3));
    p = _mm512_fmadd_ps(p, r, set(R1_EXP_C2));
    p = _mm512_fmadd_ps(p, r, set(1));
    return _mm512_fmadd_ps(p, r, set(1));
}

/* r1_exp on 16 lanes. */
INLINE __m512 exp512(__m512 x)
{
    __m512 t;
    const __m512 p = exp_remainder(x, &t);
    const __m512i bits = _mm512_add_epi32(_mm512_castps_si512(p), _mm512_slli_epi32(_mm512_castps_si512(t), 23));
    __m512 y = _mm512_castsi512_ps(bits);
    y = _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(x, set(R1_EXP_LO), _CMP_LT_OQ), _mm512_setzero_ps());
    y = _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(x, set(R1_EXP_HI), _CMP_GT_OQ), set(INFINITY));
    return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x);
}

/* The tree of kernels.h over one register. */
INLINE float add_lanes(__m512 v)
{
    const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    const __m128 d = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}

/* Levels of the tree. Each takes two registers and leaves half the lanes of both in one. */
INLINE __m512 add_8(__m512 a, __m512 b) { return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE)); }
INLINE __m512 add_4(__m512 a, __m512 b) { return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xDD)); }
INLINE __m512 add_2(__m512 a, __m512 b) { return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xEE)); }
INLINE __m512 add_1(__m512 a, __m512 b) { return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xDD)); }

/* Four registers to one: four partial sums of each, in order. */
INLINE __m512 quarter(const __m512 a[4]) { return add_4(add_8(a[0], a[1]), add_8(a[2], a[3])); }

/* The tree over 16 registers: the sum of acc[4 * r + c] is in lane 4 * c + r. */
INLINE __m512 add_lanes_16(const __m512 acc[16])
{
    const __m512 even = add_2(quarter(acc), quarter(acc + 4)), odd = add_2(quarter(acc + 8), quarter(acc + 12));
    return add_1(even, odd);
}

/* The largest lane of acc[4 * r + c] in lane 4 * c + r. */
INLINE __m512 max_2(__m512 a, __m512 b, __m512 c, __m512 d)
{
    const __m512 ab = _mm512_max_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));
    const __m512 cd = _mm512_max_ps(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xEE));
    return _mm512_max_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xDD));
}
INLINE __m512 max_1(__m512 a, __m512 b) { return _mm512_max_ps(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xEE)); }
INLINE __m512 max_lanes_16(const __m512 v[16])
{
    const __m512 even = max_1(max_2(v[0], v[1], v[2], v[3]), max_2(v[4], v[5], v[6], v[7]));
    const __m512 odd = max_1(max_2(v[8], v[9], v[10], v[11]), max_2(v[12], v[13], v[14], v[15]));
    return _mm512_max_ps(_mm512_shuffle_ps(even, odd, 0x88), _mm512_shuffle_ps(even, odd, 0xDD));
}

#endif
