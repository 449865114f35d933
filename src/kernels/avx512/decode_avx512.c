/* Decoding of weight rows, AVX-512: 16-bit and 8-bit floats, and the two plain block formats. Equal to r1_decode; products and
 * differences are rounded separately, as there. */
#include "kernels/avx512/avx512_int.h"

#include <math.h>

static void decode_f32(const void *src, float *dst, size_t n) { memcpy(dst, src, 4 * n); }

static void decode_f16(const void *src, float *dst, size_t n)
{
    const uint8_t *s = src;
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = mask16(n - i);
        _mm512_mask_storeu_ps(dst + i, m, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, s + 2 * i)));
    }
}

static void decode_bf16(const void *src, float *dst, size_t n)
{
    const uint8_t *s = src;
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = mask16(n - i);
        const __m512i h = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, s + 2 * i));
        _mm512_mask_storeu_epi32(dst + i, m, _mm512_slli_epi32(h, 16));
    }
}

/* The bits of an E4M3 value, moved to where F16 has them, are its value times 2^-8, subnormals too; only NaN is different. */
static void decode_e4m3(const void *src, float *dst, size_t n)
{
    const uint8_t *s = src;
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = mask16(n - i);
        const __m128i b = _mm_maskz_loadu_epi8(m, s + i);
        const __m256i w = _mm256_cvtepu8_epi16(b), sign = _mm256_and_si256(_mm256_slli_epi16(w, 8), _mm256_set1_epi16(INT16_MIN));
        const __m256i h = _mm256_or_si256(sign, _mm256_slli_epi16(_mm256_and_si256(w, _mm256_set1_epi16(127)), 7));
        const __mmask16 nan = _mm_cmpeq_epi8_mask(_mm_or_si128(b, _mm_set1_epi8((char)128)), _mm_set1_epi8(-1));
        const __m512 v = _mm512_mul_ps(_mm512_cvtph_ps(h), _mm512_set1_ps(256));
        _mm512_mask_storeu_ps(dst + i, m, _mm512_mask_mov_ps(v, nan, _mm512_set1_ps(NAN)));
    }
}

INLINE __m512 half_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, 2);
    return _mm512_set1_ps(_cvtsh_ss(h));
}

static void decode_q8_0(const void *src, float *dst, size_t n)
{
    const uint8_t *b = src;
    for (size_t i = 0; i < n; i += 32, b += 34) {
        const __m512 d = half_at(b);
        UNROLL for (int j = 0; j < 2; j++) {
            const __m512i q = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(b + 2 + 16 * j)));
            _mm512_storeu_ps(dst + i + 16 * j, _mm512_mul_ps(d, _mm512_cvtepi32_ps(q)));
        }
    }
}

static void decode_q4_0(const void *src, float *dst, size_t n)
{
    const uint8_t *b = src;
    const __m512i low = _mm512_set1_epi32(15), eight = _mm512_set1_epi32(8);
    for (size_t i = 0; i < n; i += 32, b += 18) {
        const __m512 d = half_at(b);
        const __m512i v = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(b + 2)));
        const __m512i lo = _mm512_sub_epi32(_mm512_and_si512(v, low), eight), hi = _mm512_sub_epi32(_mm512_srli_epi32(v, 4), eight);
        _mm512_storeu_ps(dst + i, _mm512_mul_ps(d, _mm512_cvtepi32_ps(lo)));
        _mm512_storeu_ps(dst + i + 16, _mm512_mul_ps(d, _mm512_cvtepi32_ps(hi)));
    }
}

void r1_avx512_fill_decode(r1_kernels *k)
{
    k->decode[R1_F32] = decode_f32;
    k->decode[R1_F16] = decode_f16;
    k->decode[R1_BF16] = decode_bf16;
    k->decode[R1_F8_E4M3] = decode_e4m3;
    k->decode[R1_Q8_0] = decode_q8_0;
    k->decode[R1_Q4_0] = decode_q4_0;
}
