/* Private to avx512/ and amx/: what their files share. Compiled with AVX-512 F, BW, DQ, VL, VNNI, AVX2, FMA and F16C. */
#ifndef R1_KERNELS_AVX512_AVX512_INT_H
#define R1_KERNELS_AVX512_AVX512_INT_H

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

/* Lanes i < n of 16; n may be larger. */
INLINE __mmask16 mask16(size_t n) { return n >= 16 ? 0xFFFF : (__mmask16)((1u << n) - 1); }
INLINE __m512i load512(const void *p) { return _mm512_loadu_si512(p); }

/* A 4-byte value from any address, in all lanes: the load ports do it, no shuffle. */
INLINE __m512i every32(const void *p) { int32_t v; memcpy(&v, p, 4); return _mm512_set1_epi32(v); }
INLINE __m512 everyf(const void *p) { float v; memcpy(&v, p, 4); return _mm512_set1_ps(v); }

/* acc + dot of unsigned w with the 4 signed bytes at q, in every lane. Written out because gcc 12 has no pattern for the
 * broadcast operand and spends an instruction on it. */
INLINE __m512i dpbusd(__m512i acc, __m512i w, const int8_t *q)
{
    __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(acc) : "v"(w), "m"(*(const int8_t (*)[4])q));
    return acc;
}

/* Ask for bytes [0, n) of `at`. The hardware follows plain streams by itself but not the fields of a 256-value block, which are
 * read in another order than they lie. May point past the end of the weights: a prefetch never faults. */
INLINE void fetch(uintptr_t at, unsigned n)
{
    KEEP_LOOP for (unsigned i = 0; i < n; i += 64) _mm_prefetch((const char *)(at + i), _MM_HINT_T0);
}

/* 16 f16 values of a panel. */
INLINE __m512 load_f16(const void *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }

/* 16 sums over 16 values, 8 over 32, as 24 int16: s4 of a 256-value block. */
INLINE void pair_sums(const int32_t *sum, int32_t to[12])
{
    const __m512i v = load512(sum), two = _mm512_add_epi32(v, _mm512_srli_epi64(v, 32)); /* low half of a 64-bit lane: a sum over 32 */
    _mm256_storeu_si256((__m256i *)to, _mm512_cvtepi32_epi16(v));
    _mm_storeu_si128((__m128i *)(to + 8), _mm512_cvtepi64_epi16(two));
}

/* 16 rows of 16 32-bit lanes turned: lane j of register i to lane i of register j. */
INLINE void transpose_16(__m512i v[16])
{
    __m512i t[16];
    UNROLL for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
    UNROLL for (int i = 0; i < 16; i += 4) {
        v[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        v[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        v[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        v[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0xDD);
        t[i + 8] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0xDD);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        v[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xDD);
        v[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        v[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xDD);
    }
}

void r1_avx512_fill_q8(r1_kernels *k);     /* 32-value blocks */
void r1_avx512_fill_q8k(r1_kernels *k);    /* 256-value blocks */
void r1_avx512_fill_float(r1_kernels *k);
void r1_avx512_fill_vector(r1_kernels *k);
void r1_avx512_fill_attention(r1_kernels *k);
void r1_avx512_fill_decode(r1_kernels *k);

#endif
