/* Decoding of weight rows, AVX2: 16-bit and 8-bit floats, and the two plain block formats. Equal to r1_decode; products and
 * differences are rounded separately, as there. Ends shorter than a register go to r1_decode itself. */
#include "kernels/avx2/avx2_int.h"

#include <math.h>

static void decode_f32(const void *src, float *dst, size_t n) { memcpy(dst, src, 4 * n); }

static void decode_f16(const void *src, float *dst, size_t n)
{
    const uint8_t *s = src;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) _mm256_storeu_ps(dst + i, load_f16(s + 2 * i));
    r1_decode(R1_F16, s + 2 * i, dst + i, n - i);
}

static void decode_bf16(const void *src, float *dst, size_t n)
{
    const uint8_t *s = src;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256i h = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(s + 2 * i)));
        _mm256_storeu_si256((__m256i *)(dst + i), _mm256_slli_epi32(h, 16));
    }
    r1_decode(R1_BF16, s + 2 * i, dst + i, n - i);
}

/* The bits of an E4M3 value, moved to where F16 has them, are its value times 2^-8, subnormals too; only NaN is different. */
static void decode_e4m3(const void *src, float *dst, size_t n)
{
    const uint8_t *s = src;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m128i w = _mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)(s + i))), low = _mm_and_si128(w, _mm_set1_epi16(127));
        const __m128i sign = _mm_and_si128(_mm_slli_epi16(w, 8), _mm_set1_epi16(INT16_MIN));
        const __m256i nan = _mm256_cvtepi16_epi32(_mm_cmpeq_epi16(low, _mm_set1_epi16(127)));
        const __m256 v = _mm256_mul_ps(_mm256_cvtph_ps(_mm_or_si128(sign, _mm_slli_epi16(low, 7))), _mm256_set1_ps(256));
        _mm256_storeu_ps(dst + i, _mm256_blendv_ps(v, _mm256_set1_ps(NAN), _mm256_castsi256_ps(nan)));
    }
    r1_decode(R1_F8_E4M3, s + i, dst + i, n - i);
}

INLINE __m256 half_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, 2);
    return _mm256_set1_ps(_cvtsh_ss(h));
}

static void decode_q8_0(const void *src, float *dst, size_t n)
{
    const uint8_t *b = src;
    for (size_t i = 0; i < n; i += 32, b += 34) {
        const __m256 d = half_at(b);
        UNROLL for (int j = 0; j < 4; j++) {
            const __m256i q = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(b + 2 + 8 * j)));
            _mm256_storeu_ps(dst + i + 8 * j, _mm256_mul_ps(d, _mm256_cvtepi32_ps(q)));
        }
    }
}

static void decode_q4_0(const void *src, float *dst, size_t n)
{
    const uint8_t *b = src;
    const __m256i low = _mm256_set1_epi32(15), eight = _mm256_set1_epi32(8);
    for (size_t i = 0; i < n; i += 32, b += 18) {
        const __m256 d = half_at(b);
        UNROLL for (int j = 0; j < 2; j++) {
            const __m256i v = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(b + 2 + 8 * j)));
            const __m256i lo = _mm256_sub_epi32(_mm256_and_si256(v, low), eight), hi = _mm256_sub_epi32(_mm256_srli_epi32(v, 4), eight);
            _mm256_storeu_ps(dst + i + 8 * j, _mm256_mul_ps(d, _mm256_cvtepi32_ps(lo)));
            _mm256_storeu_ps(dst + i + 16 + 8 * j, _mm256_mul_ps(d, _mm256_cvtepi32_ps(hi)));
        }
    }
}

void r1_avx2_fill_decode(r1_kernels *k)
{
    k->decode[R1_F32] = decode_f32;
    k->decode[R1_F16] = decode_f16;
    k->decode[R1_BF16] = decode_bf16;
    k->decode[R1_F8_E4M3] = decode_e4m3;
    k->decode[R1_Q8_0] = decode_q8_0;
    k->decode[R1_Q4_0] = decode_q4_0;
}
