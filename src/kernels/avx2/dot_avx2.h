/* dot_avx2: the integer inner step both AVX2 product files stand on. Private to avx2/.
 *
 * Without VNNI a product of bytes goes through 16 bits: vpmaddubsw adds two products of an unsigned and a signed byte,
 * saturating. Nothing may saturate, so the number of results that may be added before widening depends on the codes:
 *
 *   codes up to   results added    largest sum
 *   15  (Q4)      8                8 * 2 * 15 * 127 = 30480
 *   31  (Q5)      4                4 * 2 * 31 * 127 = 31496
 *   63  (Q6)      2                2 * 2 * 63 * 127 = 32004
 *   signed bytes  1                2 * 128 * 127 = 32512, by |w| and q with the sign of w; q is never -128
 *
 * vpmaddwd then widens and multiplies by a sub-scale (or 1) at once. */
#ifndef R1_KERNELS_AVX2_DOT_AVX2_H
#define R1_KERNELS_AVX2_DOT_AVX2_H

#include "kernels/avx2/avx2_int.h"

INLINE int results_added(r1_type t)
{
    switch (t) {
    case R1_Q4_0: case R1_Q4_1: case R1_Q4_K: case R1_Q2_K: case R1_Q3_K: return 8;
    case R1_Q5_0: case R1_Q5_1: case R1_Q5_K: case R1_MXFP4: return 4;
    case R1_Q6_K: return 2;
    default: return 1; /* Q8_0, IQ4_NL, IQ4_XS */
    }
}

INLINE __m256i multiply(r1_type t, __m256i w, const int8_t *q)
{
    const __m256i v = every32(q);
    return results_added(t) > 1 ? _mm256_maddubs_epi16(w, v) : _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(v, w));
}

/* acc + scale * (registers [i, i + n) of w times the 4n activations at q + 4i); scale twice in each lane as 16 bits. */
INLINE __m256i dot_units(r1_type t, __m256i acc, const __m256i w[8], const int8_t *q, const int i, const int n, __m256i scale)
{
    const int per = results_added(t) < n ? results_added(t) : n;
    UNROLL for (int a = 0; a < 8; a += per) {
        if (a >= n) break;
        __m256i sum = multiply(t, w[i + a], q + 4 * (i + a));
        UNROLL for (int b = 1; b < per; b++) sum = _mm256_add_epi16(sum, multiply(t, w[i + a + b], q + 4 * (i + a + b)));
        acc = _mm256_add_epi32(acc, _mm256_madd_epi16(sum, scale));
    }
    return acc;
}

#endif
