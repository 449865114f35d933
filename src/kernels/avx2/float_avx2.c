/* Products with float weights, AVX2: the 16 lanes of kernels.h are two registers. Tiles of 2 rows and 2 columns (8 independent
 * chains, as many as two units of latency 4 need), or 4 rows of one column. A last partial step of 16 goes through a zeroed
 * buffer, because AVX2 has no masked loads of 16-bit values. Columns pass in chunks that stay in L2 while all rows go by. */
#include "kernels/avx2/avx2_int.h"

#include <math.h>

enum { CHUNK_BYTES = 256 * 1024 };

typedef struct fmat {
    float *y; size_t ldy;
    const uint8_t *w; size_t stride, R;
    const float *x; size_t ldx, C, K;
} fmat;

INLINE size_t size_of(r1_type t) { return t == R1_F32 ? 4 : 2; }

/* 8 values of a row. */
INLINE __m256 widen(r1_type t, const uint8_t *w)
{
    if (t == R1_F32) return _mm256_loadu_ps((const float *)w);
    const __m128i h = _mm_loadu_si128((const __m128i *)w);
    if (t == R1_F16) return _mm256_cvtph_ps(h);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

/* 16 products for each pair of rows w[r] and columns x[c]. */
INLINE void step(r1_type t, const int nr, const int nc, lanes16 *acc, const uint8_t *const *w, const float *const *x)
{
    UNROLL for (int r = 0; r < nr; r++) {
        const __m256 lo = widen(t, w[r]), hi = widen(t, w[r] + 8 * size_of(t));
        UNROLL for (int c = 0; c < nc; c++) {
            lanes16 *a = &acc[r * nc + c];
            a->lo = _mm256_fmadd_ps(lo, _mm256_loadu_ps(x[c]), a->lo);
            a->hi = _mm256_fmadd_ps(hi, _mm256_loadu_ps(x[c] + 8), a->hi);
        }
    }
}

INLINE void tile(r1_type t, const int nr, const int nc, const fmat *a, size_t r0, size_t c0)
{
    const uint8_t *w[4];
    const float *x[4];
    lanes16 acc[4];
    UNROLL for (int r = 0; r < nr; r++) w[r] = a->w + (r0 + (size_t)r) * a->stride;
    UNROLL for (int c = 0; c < nc; c++) x[c] = a->x + (c0 + (size_t)c) * a->ldx;
    UNROLL for (int i = 0; i < nr * nc; i++) acc[i].lo = acc[i].hi = _mm256_setzero_ps();
    for (size_t k = a->K / 16; k > 0; k--) {
        step(t, nr, nc, acc, w, x);
        UNROLL for (int r = 0; r < nr; r++) w[r] += 16 * size_of(t);
        UNROLL for (int c = 0; c < nc; c++) x[c] += 16;
    }
    const size_t left = a->K % 16;
    if (left) {
        uint8_t wt[4][64] = { { 0 } };
        float xt[4][16] = { { 0 } };
        for (int r = 0; r < nr; r++) w[r] = memcpy(wt[r], w[r], left * size_of(t));
        for (int c = 0; c < nc; c++) x[c] = memcpy(xt[c], x[c], left * 4);
        step(t, nr, nc, acc, w, x);
    }
    UNROLL for (int r = 0; r < nr; r++)
        UNROLL for (int c = 0; c < nc; c++) a->y[(c0 + (size_t)c) * a->ldy + r0 + (size_t)r] = add_lanes(acc[r * nc + c]);
}

INLINE void one_column(r1_type t, const fmat *a, size_t c)
{
    size_t r = 0;
    for (; r + 4 <= a->R; r += 4) tile(t, 4, 1, a, r, c);
    for (; r < a->R; r++) tile(t, 1, 1, a, r, c);
}

INLINE void matmul(r1_type t, const fmat *a)
{
    const size_t chunk = r1_max(2, CHUNK_BYTES / (4 * r1_max(1, a->K)) / 2 * 2);
    for (size_t c0 = 0; c0 < a->C; c0 += chunk) {
        const size_t c1 = r1_min(a->C, c0 + chunk), even = c1 - (c1 - c0) % 2;
        size_t r = 0;
        for (; r + 2 <= a->R; r += 2)
            for (size_t c = c0; c < even; c += 2) tile(t, 2, 2, a, r, c);
        for (size_t c = c0; r < a->R && c < even; c++) tile(t, 1, 1, a, r, c);
        if (even < c1) one_column(t, a, even);
    }
}

static void matmul_f32(float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const float *x, size_t ldx, size_t C, size_t K)
{
    matmul(R1_F32, &(fmat){ y, ldy, w, w_stride, R, x, ldx, C, K });
}

static void matmul_bf16(float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const float *x, size_t ldx, size_t C, size_t K)
{
    matmul(R1_BF16, &(fmat){ y, ldy, w, w_stride, R, x, ldx, C, K });
}

static void matmul_f16(float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const float *x, size_t ldx, size_t C, size_t K)
{
    matmul(R1_F16, &(fmat){ y, ldy, w, w_stride, R, x, ldx, C, K });
}

static void rmsnorm(float *y, const float *x, const float *w, size_t n, float eps)
{
    lanes16 a = { _mm256_setzero_ps(), _mm256_setzero_ps() };
    for (size_t i = 0; i < n; i += 16) {
        const __m256 lo = load_n(x + i, n - i), hi = n - i > 8 ? load_n(x + i + 8, n - i - 8) : _mm256_setzero_ps();
        a.lo = _mm256_fmadd_ps(lo, lo, a.lo);
        a.hi = _mm256_fmadd_ps(hi, hi, a.hi);
    }
    const float mean = add_lanes(a) / (float)n;
    const __m256 s = _mm256_set1_ps(1 / sqrtf(mean + eps));
    for (size_t i = 0; i < n; i += 8) {
        const __m256 v = _mm256_mul_ps(load_n(x + i, n - i), s);
        store_n(y + i, n - i, _mm256_mul_ps(load_n(w + i, n - i), v));
    }
}

void r1_avx2_fill_float(r1_kernels *k)
{
    k->matmul_f32 = matmul_f32;
    k->matmul_bf16 = matmul_bf16;
    k->matmul_f16 = matmul_f16;
    k->rmsnorm = rmsnorm;
}
