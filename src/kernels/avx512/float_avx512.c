/* Products with float weights, AVX-512: 16 lanes run over k, as the 16-lane dot of kernels.h says.
 *
 * A tile of 4 rows and up to 4 columns has 16 accumulators: 8 loads feed 16 fused steps, so arithmetic is the limit. One
 * column takes 8 rows at once, which is enough streams for the memory. A missing row of a tile is another copy of the last
 * one and is not written. The 16 lanes of all accumulators are added together, 4 levels of "two registers become one", in the
 * fixed order.
 *
 * Columns pass in chunks that stay in L2 while all rows go by. */
#include "kernels/avx512/lanes_avx512.h"

enum { CHUNK_BYTES = 256 * 1024 };

typedef struct fmat {
    float *y; size_t ldy;
    const uint8_t *w; size_t stride, R;
    const float *x; size_t ldx, C, K;
} fmat;

/* Values k.. of a row, the lanes of `m`. */
INLINE __m512 load_w(r1_type t, const uint8_t *w, size_t k, __mmask16 m)
{
    if (t == R1_F32) return _mm512_maskz_loadu_ps(m, w + 4 * k);
    const __m256i h = _mm256_maskz_loadu_epi16(m, w + 2 * k);
    if (t == R1_F16) return _mm512_cvtph_ps(h);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

/* Lanes 4c.. to column c. A short tile goes through memory: gcc 12 would join a masked store with the extraction to the
 * memory form of vextractf32x4, which faults on lanes that are masked out. */
INLINE void store_tile(const int nc, float *y, size_t ldy, size_t rows, __m512 sum)
{
    if (rows == 4) {
        _mm_storeu_ps(y, _mm512_castps512_ps128(sum));
        if (nc > 1) _mm_storeu_ps(y + ldy, _mm512_extractf32x4_ps(sum, 1));
        if (nc > 2) _mm_storeu_ps(y + 2 * ldy, _mm512_extractf32x4_ps(sum, 2));
        if (nc > 3) _mm_storeu_ps(y + 3 * ldy, _mm512_extractf32x4_ps(sum, 3));
        return;
    }
    float v[16];
    _mm512_storeu_ps(v, sum);
    for (int c = 0; c < nc; c++) memcpy(y + (size_t)c * ldy, v + 4 * c, 4 * rows);
}

INLINE void step(r1_type t, const int nc, __m512 acc[16], const uint8_t *const w[4], const float *x, size_t ldx, size_t k, __mmask16 m)
{
    __m512 xv[4];
    UNROLL for (int c = 0; c < nc; c++) xv[c] = _mm512_maskz_loadu_ps(m, x + (size_t)c * ldx + k);
    UNROLL for (int r = 0; r < 4; r++) {
        const __m512 wv = load_w(t, w[r], k, m);
        UNROLL for (int c = 0; c < nc; c++) acc[4 * r + c] = _mm512_fmadd_ps(wv, xv[c], acc[4 * r + c]);
    }
}

/* Rows [r, r + 4) as far as they exist, nc columns from c. */
INLINE void tile(r1_type t, const int nc, const fmat *a, size_t r, size_t c)
{
    const uint8_t *w[4];
    const float *x = a->x + c * a->ldx;
    const size_t rows = r1_min(4, a->R - r);
    __m512 acc[16];
    UNROLL for (size_t i = 0; i < 4; i++) w[i] = a->w + (r + r1_min(i, rows - 1)) * a->stride;
    UNROLL for (int i = 0; i < 16; i++) acc[i] = _mm512_setzero_ps();
    size_t k = 0;
    for (; k + 16 <= a->K; k += 16) step(t, nc, acc, w, x, a->ldx, k, 0xFFFF);
    if (k < a->K) step(t, nc, acc, w, x, a->ldx, k, mask16(a->K - k));
    store_tile(nc, a->y + c * a->ldy + r, a->ldy, rows, add_lanes_16(acc));
}

/* 8 rows of one column. */
INLINE void step_8(r1_type t, __m512 acc[8], const uint8_t *w, size_t stride, const float *x, size_t k, __mmask16 m)
{
    const __m512 xv = _mm512_maskz_loadu_ps(m, x + k);
    UNROLL for (size_t i = 0; i < 8; i++) acc[i] = _mm512_fmadd_ps(load_w(t, w + i * stride, k, m), xv, acc[i]);
}

INLINE void tile_8(r1_type t, const fmat *a, size_t r, size_t c)
{
    const uint8_t *w = a->w + r * a->stride;
    const float *x = a->x + c * a->ldx;
    __m512 acc[8];
    UNROLL for (int i = 0; i < 8; i++) acc[i] = _mm512_setzero_ps();
    size_t k = 0;
    for (; k + 16 <= a->K; k += 16) step_8(t, acc, w, a->stride, x, k, 0xFFFF);
    if (k < a->K) step_8(t, acc, w, a->stride, x, k, mask16(a->K - k));
    const __m512 half = add_2(quarter(acc), quarter(acc + 4)), sum = add_1(half, half);
    /* row i is in lane 4i, row 4 + i in lane 4i + 1 */
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 0, 0, 0, 0, 0, 0, 0);
    _mm256_storeu_ps(a->y + c * a->ldy + r, _mm512_castps512_ps256(_mm512_permutexvar_ps(order, sum)));
}

INLINE void one_column(r1_type t, const fmat *a, size_t c)
{
    size_t r = 0;
    for (; r + 8 <= a->R; r += 8) tile_8(t, a, r, c);
    for (; r < a->R; r += 4) tile(t, 1, a, r, c);
}

INLINE void matmul(r1_type t, const fmat *a)
{
    const size_t chunk = r1_max(4, CHUNK_BYTES / (4 * r1_max(1, a->K)) / 4 * 4);
    for (size_t c0 = 0; c0 < a->C; c0 += chunk) {
        const size_t c1 = r1_min(a->C, c0 + chunk), left = (c1 - c0) % 4, c4 = c1 - left;
        for (size_t r = 0; r < a->R && c1 - c0 > 1; r += 4) {
            for (size_t c = c0; c < c4; c += 4) tile(t, 4, a, r, c);
            if (left == 3) tile(t, 3, a, r, c4);
            if (left == 2) tile(t, 2, a, r, c4);
        }
        if (left == 1) one_column(t, a, c4);
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
    __m512 acc[4] = { _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps() };
    for (size_t i = 0; i < n; i += 16) {
        const __m512 v = _mm512_maskz_loadu_ps(mask16(n - i), x + i);
        acc[0] = _mm512_fmadd_ps(v, v, acc[0]);
    }
    const __m512 q = quarter(acc), h = add_2(q, q);
    const float mean = _mm512_cvtss_f32(add_1(h, h)) / (float)n;
    const __m512 s = _mm512_set1_ps(1 / sqrtf(mean + eps));
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = mask16(n - i);
        const __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(m, x + i), s);
        _mm512_mask_storeu_ps(y + i, m, _mm512_mul_ps(_mm512_maskz_loadu_ps(m, w + i), v));
    }
}

void r1_avx512_fill_float(r1_kernels *k)
{
    k->matmul_f32 = matmul_f32;
    k->matmul_bf16 = matmul_bf16;
    k->matmul_f16 = matmul_f16;
    k->rmsnorm = rmsnorm;
}
