/* Element by element, AVX2: activation functions, rounding, quantisation of activations, picking the
 * largest. Tails are masked (floats) or go through a buffer (16-bit results); nothing is read or written past the end. */
#include "kernels/avx2/lanes_avx2.h"

static void add(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 8) store_n(y + i, n - i, _mm256_add_ps(load_n(y + i, n - i), load_n(x + i, n - i)));
}

static void axpy(float *y, float s, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 8) store_n(y + i, n - i, _mm256_fmadd_ps(set(s), load_n(x + i, n - i), load_n(y + i, n - i)));
}

static void scale(float *x, float s, size_t n)
{
    for (size_t i = 0; i < n; i += 8) store_n(x + i, n - i, _mm256_mul_ps(load_n(x + i, n - i), set(s)));
}

static void silu_mul(float *y, const float *g, const float *u, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        const __m256 v = load_n(g + i, n - i);
        const __m256 s = _mm256_div_ps(v, _mm256_add_ps(set(1), exp256(_mm256_xor_ps(v, set(-0.0f)))));
        store_n(y + i, n - i, _mm256_mul_ps(s, load_n(u + i, n - i)));
    }
}

static float exp_sum(float *x, float max, size_t n) { return exp_row(x, max, n); }

/* Largest of x[n], NaN ignored: vmaxps gives its second operand when either is NaN. */
INLINE float largest(const float *x, size_t n)
{
    __m256 a[4];
    UNROLL for (int j = 0; j < 4; j++) a[j] = set(-INFINITY);
    size_t i = 0;
    for (; i + 32 <= n; i += 32)
        UNROLL for (int j = 0; j < 4; j++) a[j] = _mm256_max_ps(_mm256_loadu_ps(x + i + 8 * j), a[j]);
    for (; i < n; i += 8) {
        const __m256 v = _mm256_blendv_ps(set(-INFINITY), load_n(x + i, n - i), _mm256_castsi256_ps(mask8(n - i)));
        a[0] = _mm256_max_ps(v, a[0]);
    }
    const __m256 m = _mm256_max_ps(_mm256_max_ps(a[0], a[1]), _mm256_max_ps(a[2], a[3]));
    const __m128 q = _mm_max_ps(_mm256_castps256_ps128(m), _mm256_extractf128_ps(m, 1)), d = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(d, _mm_movehdup_ps(d)));
}

static float max(const float *x, size_t n) { return largest(x, n) + 0.0f; } /* -0 becomes +0 */

/* The first value equal to the largest; among NaN alone there is none. */
static int32_t argmax(const float *x, size_t n)
{
    const __m256 best = set(largest(x, n));
    for (size_t i = 0; i < n; i += 8) {
        unsigned hit = (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(load_n(x + i, n - i), best, _CMP_EQ_OQ));
        if (n - i < 8) hit &= (1u << (n - i)) - 1;
        if (hit) return (int32_t)(i + (size_t)__builtin_ctz(hit));
    }
    return -1;
}

INLINE __m128i to_f16(__m256 v) { return _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

INLINE __m128i to_bf16(__m256 v)
{
    const __m256i u = _mm256_castps_si256(v), high = _mm256_srli_epi32(u, 16);
    const __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
    const __m256i up = _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(u, _mm256_set1_epi32(0x7FFF)), odd), 16);
    const __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
    const __m256i h = _mm256_blendv_epi8(up, quiet, _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
    return _mm_packus_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
}

INLINE void to_half(uint16_t *y, const float *x, size_t n, const bool f16)
{
    for (size_t i = 0; i < n; i += 8) {
        const __m256 v = load_n(x + i, n - i);
        const __m128i h = f16 ? to_f16(v) : to_bf16(v);
        if (n - i >= 8) {
            _mm_storeu_si128((__m128i *)(y + i), h);
        } else {
            uint16_t last[8];
            _mm_storeu_si128((__m128i *)last, h);
            memcpy(y + i, last, 2 * (n - i));
        }
    }
}

static void f32_to_f16(uint16_t *y, const float *x, size_t n) { to_half(y, x, n, true); }
static void f32_to_bf16(uint16_t *y, const float *x, size_t n) { to_half(y, x, n, false); }

INLINE __m256i magnitude(const float *x) { return _mm256_and_si256(load256(x), _mm256_set1_epi32(INT32_MAX)); }

/* Scale of a group of n (32 or 256) values and its inverse; false when one of them is not finite. Magnitudes compare as
 * integers, and what is not finite is then the largest. */
INLINE bool group_scale(const float *x, int n, float *d, float *inv)
{
    __m256i big = magnitude(x);
    for (int i = 8; i < n; i += 8) big = _mm256_max_epu32(big, magnitude(x + i));
    __m128i m = _mm_max_epu32(_mm256_castsi256_si128(big), _mm256_extracti128_si256(big, 1));
    m = _mm_max_epu32(m, _mm_unpackhi_epi64(m, m));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 1));
    const float amax = _mm_cvtss_f32(_mm_castsi128_ps(m));
    const bool finite = _mm_cvtsi128_si32(m) < 0x7F800000;
    *d = finite ? amax / 127 : NAN;
    *inv = finite && amax >= 0x1p-120f ? 127 / amax : 0;
    return finite;
}

/* 16 codes. |x| * inv is at most 127 and an ulp, so nothing rounds past 127. */
INLINE __m128i codes(const float *x, float inv)
{
    const __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), set(inv)));
    const __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), set(inv)));
    const __m256i w = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xD8);
    return _mm_packs_epi16(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1));
}

INLINE int32_t sum_16(__m128i q)
{
    const __m128i four = _mm_madd_epi16(_mm_maddubs_epi16(_mm_set1_epi8(1), q), _mm_set1_epi16(1));
    const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(two) + _mm_extract_epi32(two, 1);
}

static void quantize(const r1_act8 *a, size_t c, const float *x, size_t K)
{
    const size_t group = (size_t)a->group;
    int8_t *q = a->q + c * K;
    float *d = a->d + c * (K / group);
    int32_t *sum = a->sum + c * (K / (size_t)a->sub);
    for (size_t g = 0; g < K / group; g++, q += group, x += group) {
        float inv;
        const bool finite = group_scale(x, a->group, d + g, &inv);
        for (size_t i = 0; i < group; i += 16) {
            const __m128i v = finite ? codes(x + i, inv) : _mm_setzero_si128();
            _mm_storeu_si128((__m128i *)(q + i), v);
            const size_t at = (g * group + i) / (size_t)a->sub;
            sum[at] = sum_16(v) + (i % (size_t)a->sub ? sum[at] : 0);
        }
    }
}

void r1_avx2_fill_vector(r1_kernels *k)
{
    k->quantize = quantize;
    k->add = add;
    k->axpy = axpy;
    k->scale = scale;
    k->silu_mul = silu_mul;
    k->exp_sum = exp_sum;
    k->max = max;
    k->argmax = argmax;
    k->f32_to_f16 = f32_to_f16;
    k->f32_to_bf16 = f32_to_bf16;
}
