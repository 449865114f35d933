/* Element by element, AVX-512: activation functions, rounding, quantisation of activations, picking
 * the largest. Tails are masked lanes, so nothing is read or written past the end. */
#include "kernels/avx512/lanes_avx512.h"

static void add(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = mask16(n - i);
        _mm512_mask_storeu_ps(y + i, m, _mm512_add_ps(loadf(m, y + i), loadf(m, x + i)));
    }
}

static void axpy(float *y, float s, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = mask16(n - i);
        _mm512_mask_storeu_ps(y + i, m, _mm512_fmadd_ps(set(s), loadf(m, x + i), loadf(m, y + i)));
    }
}

static void scale(float *x, float s, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = mask16(n - i);
        _mm512_mask_storeu_ps(x + i, m, _mm512_mul_ps(loadf(m, x + i), set(s)));
    }
}

static void silu_mul(float *y, const float *g, const float *u, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = mask16(n - i);
        const __m512 v = loadf(m, g + i), minus = _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(v), _mm512_set1_epi32(INT32_MIN)));
        const __m512 s = _mm512_div_ps(v, _mm512_add_ps(set(1), exp512(minus)));
        _mm512_mask_storeu_ps(y + i, m, _mm512_mul_ps(s, loadf(m, u + i)));
    }
}

static float exp_sum(float *x, float max, size_t n)
{
    __m512 sum = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = mask16(n - i);
        const __m512 e = exp512(_mm512_sub_ps(loadf(m, x + i), set(max)));
        _mm512_mask_storeu_ps(x + i, m, e);
        sum = _mm512_add_ps(sum, _mm512_maskz_mov_ps(m, e));
    }
    return add_lanes(sum);
}

/* Largest of x[n], NaN ignored: vmaxps gives its second operand when either is NaN. */
INLINE float largest(const float *x, size_t n)
{
    __m512 a[4];
    UNROLL for (int j = 0; j < 4; j++) a[j] = set(-INFINITY);
    size_t i = 0;
    for (; i + 64 <= n; i += 64)
        UNROLL for (int j = 0; j < 4; j++) a[j] = _mm512_max_ps(_mm512_loadu_ps(x + i + 16 * j), a[j]);
    for (; i < n; i += 16) a[0] = _mm512_max_ps(_mm512_mask_loadu_ps(set(-INFINITY), mask16(n - i), x + i), a[0]);
    return _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(a[0], a[1]), _mm512_max_ps(a[2], a[3])));
}

static float max(const float *x, size_t n) { return largest(x, n) + 0.0f; } /* -0 becomes +0 */

/* The first value equal to the largest; among NaN alone there is none. */
static int32_t argmax(const float *x, size_t n)
{
    const __m512 best = set(largest(x, n));
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = mask16(n - i), hit = _mm512_mask_cmp_ps_mask(m, loadf(m, x + i), best, _CMP_EQ_OQ);
        if (hit) return (int32_t)(i + (size_t)__builtin_ctz(hit));
    }
    return -1;
}

static void f32_to_f16(uint16_t *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = mask16(n - i);
        _mm256_mask_storeu_epi16(y + i, m, _mm512_cvtps_ph(loadf(m, x + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    }
}

static void f32_to_bf16(uint16_t *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = mask16(n - i);
        const __m512 v = loadf(m, x + i);
        const __m512i u = _mm512_castps_si512(v), high = _mm512_srli_epi32(u, 16);
        const __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
        const __m512i up = _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x7FFF)), odd), 16);
        const __m512i quiet = _mm512_or_si512(high, _mm512_set1_epi32(0x40));
        const __m512i h = _mm512_mask_mov_epi32(up, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), quiet);
        _mm256_mask_storeu_epi16(y + i, m, _mm512_cvtepi32_epi16(h));
    }
}

/* d and 1/d of a group from the bits of its largest magnitude; false when one of its values is not finite. */
INLINE bool group_scale(uint32_t amax_bits, float *d, float *inv)
{
    float amax;
    memcpy(&amax, &amax_bits, 4);
    const bool finite = amax_bits < 0x7F800000;
    *d = finite ? amax / 127 : NAN;
    *inv = finite && amax >= 0x1p-120f ? 127 / amax : 0;
    return finite;
}

/* 16 codes. |x| * inv is at most 127 and an ulp, so nothing rounds past 127. */
INLINE __m128i codes(const float *x, float inv, bool finite)
{
    return _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(loadf(finite ? 0xFFFF : 0, x), set(inv))));
}

INLINE __m256i codes_32(const float *x, float inv, bool finite) { return _mm256_set_m128i(codes(x + 16, inv, finite), codes(x, inv, finite)); }

INLINE __m512i magnitude(const float *x) { return _mm512_and_si512(load512(x), _mm512_set1_epi32(INT32_MAX)); }

/* Lanes of sixteen registers folded by `op`: lane i of v[0] becomes that of register i. */
#define FOLD_16(v, op) do { \
    UNROLL for (int i = 0; i < 16; i += 2) (v)[i] = op(_mm512_unpacklo_epi32((v)[i], (v)[i + 1]), _mm512_unpackhi_epi32((v)[i], (v)[i + 1])); \
    UNROLL for (int i = 0; i < 16; i += 4) (v)[i] = op(_mm512_unpacklo_epi64((v)[i], (v)[i + 2]), _mm512_unpackhi_epi64((v)[i], (v)[i + 2])); \
    UNROLL for (int i = 0; i < 16; i += 8) (v)[i] = op(_mm512_shuffle_i32x4((v)[i], (v)[i + 4], 0x44), _mm512_shuffle_i32x4((v)[i], (v)[i + 4], 0xEE)); \
    (v)[0] = op(_mm512_shuffle_i32x4((v)[0], (v)[8], 0x88), _mm512_shuffle_i32x4((v)[0], (v)[8], 0xDD)); \
    } while (0)

/* Sixteen groups of 32 at once; false, and nothing done, when one of them holds what is not finite. */
INLINE bool quantize_groups(int8_t *q, float *d, int32_t *sum, const float *x)
{
    __m512i v[16];
    _Alignas(64) float inverse[16];
    UNROLL for (int g = 0; g < 16; g++) v[g] = _mm512_max_epu32(magnitude(x + 32 * g), magnitude(x + 32 * g + 16));
    FOLD_16(v, _mm512_max_epu32);
    if (_mm512_cmpge_epu32_mask(v[0], _mm512_set1_epi32(0x7F800000))) return false;
    const __m512 amax = _mm512_castsi512_ps(v[0]);
    _mm512_storeu_ps(d, _mm512_div_ps(amax, set(127)));
    _mm512_store_ps(inverse, _mm512_maskz_div_ps(_mm512_cmp_ps_mask(amax, set(0x1p-120f), _CMP_GE_OQ), set(127), amax));
    UNROLL for (int g = 0; g < 16; g += 2) {
        const __m256i one = codes_32(x + 32 * g, inverse[g], true), two = codes_32(x + 32 * g + 32, inverse[g + 1], true);
        const __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(one), two, 1);
        _mm512_storeu_si512(q + 32 * g, both);
        v[g / 2] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), both); /* eight lanes a group */
    }
    UNROLL for (int i = 0; i < 8; i += 2) v[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(v[i], v[i + 1]), _mm512_unpackhi_epi32(v[i], v[i + 1]));
    UNROLL for (int i = 0; i < 8; i += 4) v[i] = _mm512_add_epi32(_mm512_unpacklo_epi64(v[i], v[i + 2]), _mm512_unpackhi_epi64(v[i], v[i + 2]));
    const __m512i all = _mm512_add_epi32(_mm512_shuffle_i32x4(v[0], v[4], 0x88), _mm512_shuffle_i32x4(v[0], v[4], 0xDD));
    const __m512i order = _mm512_set_epi32(15, 11, 14, 10, 13, 9, 12, 8, 7, 3, 6, 2, 5, 1, 4, 0); /* groups 0, 2, 4, 6, 1, 3, ... stand there */
    _mm512_storeu_si512(sum, _mm512_permutexvar_epi32(order, all));
    return true;
}

static void quantize_32(const r1_act8 *a, size_t c, const float *x, size_t K)
{
    int8_t *q = a->q + c * K;
    float *d = a->d + c * (K / 32);
    int32_t *sum = a->sum + c * (K / 32);
    for (size_t g = 0; g < K / 32; g++, x += 32, q += 32) {
        if (g % 16 == 0 && K / 32 - g >= 16 && quantize_groups(q, d + g, sum + g, x)) {
            g += 15;
            x += 15 * 32;
            q += 15 * 32;
            continue;
        }
        float inv;
        const bool finite = group_scale(_mm512_reduce_max_epu32(_mm512_max_epu32(magnitude(x), magnitude(x + 16))), d + g, &inv);
        const __m256i v = codes_32(x, inv, finite);
        _mm256_storeu_si256((__m256i *)q, v);
        const __m256i four = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), v);
        const __m128i two = _mm_add_epi32(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
        const __m128i one = _mm_add_epi32(two, _mm_unpackhi_epi64(two, two));
        sum[g] = _mm_cvtsi128_si32(one) + _mm_extract_epi32(one, 1);
    }
}

static void quantize_256(const r1_act8 *a, size_t c, const float *x, size_t K)
{
    int8_t *q = a->q + c * K;
    float *d = a->d + c * (K / 256);
    int32_t *sum = a->sum + c * (K / 16);
    for (size_t g = 0; g < K / 256; g++, x += 256, q += 256) {
        float inv;
        __m512i big = magnitude(x);
        UNROLL for (int i = 1; i < 16; i++) big = _mm512_max_epu32(big, magnitude(x + 16 * i));
        const bool finite = group_scale(_mm512_reduce_max_epu32(big), d + g, &inv);
        UNROLL for (int i = 0; i < 16; i++) {
            const __m128i v = codes(x + 16 * i, inv, finite);
            _mm_storeu_si128((__m128i *)(q + 16 * i), v);
            const __m128i four = _mm_dpbusd_epi32(_mm_setzero_si128(), _mm_set1_epi8(1), v);
            const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
            sum[16 * g + (size_t)i] = _mm_cvtsi128_si32(two) + _mm_extract_epi32(two, 1);
        }
    }
}

static void quantize(const r1_act8 *a, size_t c, const float *x, size_t K)
{
    if (a->group == 32) quantize_32(a, c, x, K);
    else quantize_256(a, c, x, K);
}

/* A 4 x 4 transpose of 4-byte units: 16 bytes from each of 4 places. */
INLINE void transpose(void *to, const void *const from[4])
{
    __m128i v[4];
    UNROLL for (int j = 0; j < 4; j++) v[j] = _mm_loadu_si128(from[j]);
    const __m128i lo01 = _mm_unpacklo_epi32(v[0], v[1]), lo23 = _mm_unpacklo_epi32(v[2], v[3]);
    const __m128i hi01 = _mm_unpackhi_epi32(v[0], v[1]), hi23 = _mm_unpackhi_epi32(v[2], v[3]);
    __m128i *t = to;
    _mm_storeu_si128(t, _mm_unpacklo_epi64(lo01, lo23));
    _mm_storeu_si128(t + 1, _mm_unpackhi_epi64(lo01, lo23));
    _mm_storeu_si128(t + 2, _mm_unpacklo_epi64(hi01, hi23));
    _mm_storeu_si128(t + 3, _mm_unpackhi_epi64(hi01, hi23));
}

static void interleave(const r1_act8 *a, size_t c, size_t n, size_t K)
{
    const size_t nb = K / (size_t)a->group;
    size_t at[4];
    for (size_t j = 0; j < 4; j++) at[j] = c + r1_min(j, n - 1);
    for (size_t k = 0; k < K; k += 16)
        transpose(a->q4 + c * K + 4 * k, (const void *[]){ a->q + at[0] * K + k, a->q + at[1] * K + k, a->q + at[2] * K + k, a->q + at[3] * K + k });
    for (size_t j = 0; j < 4; j++) {
        float *d = a->d4 + c * nb + j;
        for (size_t b = 0; b < nb; b++) d[4 * b] = a->d[at[j] * nb + b];
        if (a->group == 32) {
            int32_t *s = a->s4 + c * nb + j;
            for (size_t b = 0; b < nb; b++) s[4 * b] = -8 * a->sum[at[j] * nb + b];
        } else {
            for (size_t b = 0; b < nb; b++) pair_sums(a->sum + (at[j] * nb + b) * 16, a->s4 + (c * nb + 4 * b + j) * 12);
        }
    }
}

void r1_avx512_fill_vector(r1_kernels *k)
{
    k->interleave = interleave;
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
