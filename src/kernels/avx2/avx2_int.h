/* Private to avx2/: what its files share. Compiled with AVX2, FMA and F16C. */
#ifndef R1_KERNELS_AVX2_AVX2_INT_H
#define R1_KERNELS_AVX2_AVX2_INT_H

#include "kernels/kernels_int.h"
#include <immintrin.h>

/* UBSan stays out of these functions: its branches, unrolled, take clang minutes a file. ASan, guard pages and comparison with
 * the (sanitised) scalar level watch them. */
#define INLINE static inline __attribute__((always_inline, no_sanitize("undefined")))

/* Before a loop with a constant count of at most 16: no loop is left, so arrays it walks can live in registers. KEEP_LOOP is the
 * opposite: its arrays stay in memory and leave the registers to others. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define KEEP_LOOP _Pragma("clang loop unroll(disable)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#define KEEP_LOOP _Pragma("GCC unroll 1")
#endif

INLINE __m256i load256(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }

/* A 4-byte value from any address, in all lanes: the load ports do it, no shuffle. */
INLINE __m256i every32(const void *p) { int32_t v; memcpy(&v, p, 4); return _mm256_set1_epi32(v); }
INLINE __m256 everyf(const void *p) { float v; memcpy(&v, p, 4); return _mm256_set1_ps(v); }

/* 8 f16 values. */
INLINE __m256 load_f16(const void *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }

/* Lanes i < n of 8 for masked loads and stores; n may be larger. */
INLINE __m256i mask8(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n >= 8 ? 8 : (int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* n >= 1 floats (8 if more), the rest zero; and back. Masked stores are slow on some processors, so only where needed. */
INLINE __m256 load_n(const float *p, size_t n) { return n >= 8 ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, mask8(n)); }
INLINE void store_n(float *p, size_t n, __m256 v)
{
    if (n >= 8) _mm256_storeu_ps(p, v);
    else _mm256_maskstore_ps(p, mask8(n), v);
}

/* 16 lanes as the orders of kernels.h have them. */
typedef struct lanes16 { __m256 lo, hi; } lanes16;

/* The tree of kernels.h over 16 lanes. */
INLINE float add_lanes(lanes16 v)
{
    const __m256 h = _mm256_add_ps(v.lo, v.hi);
    const __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    const __m128 d = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}

void r1_avx2_fill_q8(r1_kernels *k);     /* 32-value blocks */
void r1_avx2_fill_q8k(r1_kernels *k);    /* 256-value blocks */
void r1_avx2_fill_float(r1_kernels *k);
void r1_avx2_fill_vector(r1_kernels *k);
void r1_avx2_fill_attention(r1_kernels *k);
void r1_avx2_fill_decode(r1_kernels *k);

#endif
