/* lanes_avx2: what the AVX2 files of float operations share. Private to avx2/. */
#ifndef R1_KERNELS_AVX2_LANES_AVX2_H
#define R1_KERNELS_AVX2_LANES_AVX2_H

#include "kernels/avx2/avx2_int.h"
#include "kernels/exp.h"

#include <math.h>

INLINE __m256 set(float v) { return _mm256_set1_ps(v); }

/* r1_exp on 8 lanes. */
INLINE __m256 exp256(__m256 x)
{
    const __m256 t = _mm256_fmadd_ps(x, set(R1_EXP_LOG2E), set(R1_EXP_MAGIC)), n = _mm256_sub_ps(t, set(R1_EXP_MAGIC));
    __m256 r = _mm256_fnmadd_ps(n, set(R1_EXP_LN2_HI), x);
    r = _mm256_fnmadd_ps(n, set(R1_EXP_LN2_LO), r);
    __m256 p = _mm256_fmadd_ps(set(R1_EXP_C6), r, set(R1_EXP_C5));
    p = _mm256_fmadd_ps(p, r, set(R1_EXP_C4));
    p = _mm256_fmadd_ps(p, r, set(R1_EXP_C3));
    p = _mm256_fmadd_ps(p, r, set(R1_EXP_C2));
    p = _mm256_fmadd_ps(p, r, set(1));
    p = _mm256_fmadd_ps(p, r, set(1));
    const __m256i bits = _mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(_mm256_castps_si256(t), 23));
    __m256 y = _mm256_castsi256_ps(bits);
    y = _mm256_blendv_ps(y, _mm256_setzero_ps(), _mm256_cmp_ps(x, set(R1_EXP_LO), _CMP_LT_OQ));
    y = _mm256_blendv_ps(y, set(INFINITY), _mm256_cmp_ps(x, set(R1_EXP_HI), _CMP_GT_OQ));
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

/* exp(x[0..8) - max) in place, zero in lanes that do not exist. */
INLINE __m256 exp_some(float *x, size_t n, float max)
{
    const __m256 e = exp256(_mm256_sub_ps(load_n(x, n), set(max)));
    store_n(x, n, e);
    return n >= 8 ? e : _mm256_and_ps(e, _mm256_castsi256_ps(mask8(n)));
}

/* exp(x[i] - max) in place; their 16-lane sum. */
INLINE float exp_row(float *x, float max, size_t n)
{
    lanes16 sum = { _mm256_setzero_ps(), _mm256_setzero_ps() };
    for (size_t i = 0; i < n; i += 16) {
        sum.lo = _mm256_add_ps(sum.lo, exp_some(x + i, n - i, max));
        sum.hi = _mm256_add_ps(sum.hi, n - i > 8 ? exp_some(x + i + 8, n - i - 8, max) : _mm256_setzero_ps());
    }
    return add_lanes(sum);
}

#endif
