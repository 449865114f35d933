/* Private to avx512/: what its files share. Compiled with AVX-512 F, BW, DQ, VL, VNNI, AVX2, FMA and F16C. */
#ifndef R1_KERNELS_AVX512_AVX512_INT_H
#define R1_KERNELS_AVX512_AVX512_INT_H

#include "kernels/kernels_int.h"
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* Before a loop with a constant count of at most 16: no loop is left, so arrays it walks can live in registers. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Lanes i < n of 16; n may be larger. */
INLINE __mmask16 mask16(size_t n) { return n >= 16 ? 0xFFFF : (__mmask16)((1u << n) - 1); }
INLINE __m512i load512(const void *p) { return _mm512_loadu_si512(p); }

/* A 4-byte value from any address, in all lanes: the load ports do it, no shuffle. */
INLINE __m512i every32(const void *p) { int32_t v; memcpy(&v, p, 4); return _mm512_set1_epi32(v); }
INLINE __m512 everyf(const void *p) { float v; memcpy(&v, p, 4); return _mm512_set1_ps(v); }

/* 16 f16 values of a panel. */
INLINE __m512 load_f16(const void *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }

void r1_avx512_fill_q8(r1_kernels *k);     /* 32-value blocks */
void r1_avx512_fill_q8k(r1_kernels *k);    /* 256-value blocks */
void r1_avx512_fill_float(r1_kernels *k);
void r1_avx512_fill_vector(r1_kernels *k);
void r1_avx512_fill_decode(r1_kernels *k);

#endif
