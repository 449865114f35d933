/* Products with float weights, NEON: the 16 lanes of kernels.h are four registers. Tiles of 2 rows and 3 columns (24 accumulators;
 * 5 loads for 6 fused steps), or 4 rows of one column. A last partial step of 16 goes through a zeroed buffer. Columns pass in
 * chunks that stay in L2 while all rows go by. */
#include "kernels/neon/neon_int.h"

#include <math.h>

enum { CHUNK_BYTES = 256 * 1024, TILE_COLUMNS = 3 };

typedef struct fmat {
    float *y; size_t ldy;
    const uint8_t *w; size_t stride, R;
    const float *x; size_t ldx, C, K;
} fmat;

INLINE size_t size_of(r1_type t) { return t == R1_F32 ? 4 : 2; }

/* 4 values of a row, of any alignment. */
INLINE float32x4_t widen(r1_type t, const uint8_t *w)
{
    if (t == R1_F32) return vreinterpretq_f32_u8(vld1q_u8(w));
    if (t == R1_F16) return load_f16(w);
    return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(w)), 16));
}

/* 16 products for each pair of rows w[r] and columns x[c], 4 at a time. */
INLINE void step(r1_type t, const int nr, const int nc, lanes16 *acc, const uint8_t *const *w, const float *const *x)
{
    UNROLL for (int l = 0; l < 4; l++) {
        float32x4_t v[TILE_COLUMNS];
        UNROLL for (int c = 0; c < nc; c++) v[c] = vld1q_f32(x[c] + 4 * l);
        UNROLL for (int r = 0; r < nr; r++) {
            const float32x4_t u = widen(t, w[r] + (size_t)(4 * l) * size_of(t));
            UNROLL for (int c = 0; c < nc; c++) acc[r * nc + c].v[l] = vfmaq_f32(acc[r * nc + c].v[l], u, v[c]);
        }
    }
}

INLINE void tile(r1_type t, const int nr, const int nc, const fmat *a, size_t r0, size_t c0)
{
    const uint8_t *w[4];
    const float *x[TILE_COLUMNS];
    lanes16 acc[6];
    UNROLL for (int r = 0; r < nr; r++) w[r] = a->w + (r0 + (size_t)r) * a->stride;
    UNROLL for (int c = 0; c < nc; c++) x[c] = a->x + (c0 + (size_t)c) * a->ldx;
    UNROLL for (int i = 0; i < nr * nc; i++)
        UNROLL for (int l = 0; l < 4; l++) acc[i].v[l] = vdupq_n_f32(0);
    for (size_t k = a->K / 16; k > 0; k--) {
        step(t, nr, nc, acc, w, x);
        UNROLL for (int r = 0; r < nr; r++) w[r] += 16 * size_of(t);
        UNROLL for (int c = 0; c < nc; c++) x[c] += 16;
    }
    const size_t left = a->K % 16;
    if (left) {
        uint8_t wt[4][64] = { { 0 } };
        float xt[TILE_COLUMNS][16] = { { 0 } };
        for (int r = 0; r < nr; r++) w[r] = memcpy(wt[r], w[r], left * size_of(t));
        for (int c = 0; c < nc; c++) x[c] = memcpy(xt[c], x[c], left * 4);
        step(t, nr, nc, acc, w, x);
    }
    UNROLL for (int r = 0; r < nr; r++)
        UNROLL for (int c = 0; c < nc; c++) a->y[(c0 + (size_t)c) * a->ldy + r0 + (size_t)r] = add_lanes(acc[r * nc + c]);
}

/* All rows of columns [c, c + nc), nr at a time. */
INLINE void all_rows(r1_type t, const int nr, const int nc, const fmat *a, size_t c)
{
    size_t r = 0;
    for (; r + (size_t)nr <= a->R; r += (size_t)nr) tile(t, nr, nc, a, r, c);
    for (; r < a->R; r++) tile(t, 1, nc, a, r, c);
}

INLINE void matmul(r1_type t, const fmat *a)
{
    const size_t chunk = r1_max(TILE_COLUMNS, CHUNK_BYTES / (4 * r1_max(1, a->K)) / TILE_COLUMNS * TILE_COLUMNS);
    for (size_t c0 = 0; c0 < a->C; c0 += chunk) {
        const size_t c1 = r1_min(a->C, c0 + chunk), left = (c1 - c0) % TILE_COLUMNS, whole = c1 - left;
        size_t r = 0;
        for (; r + 2 <= a->R; r += 2)
            for (size_t c = c0; c < whole; c += TILE_COLUMNS) tile(t, 2, TILE_COLUMNS, a, r, c);
        for (size_t c = c0; r < a->R && c < whole; c += TILE_COLUMNS) tile(t, 1, TILE_COLUMNS, a, r, c);
        if (left == 2) all_rows(t, 2, 2, a, whole);
        if (left == 1) all_rows(t, 4, 1, a, whole);
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
    lanes16 a;
    UNROLL for (int l = 0; l < 4; l++) a.v[l] = vdupq_n_f32(0);
    for (size_t i = 0; i < n; i += 16)
        UNROLL for (size_t l = 0; l < 4; l++) {
            const size_t k = i + 4 * l;
            const float32x4_t v = k < n ? load_n(x + k, n - k) : vdupq_n_f32(0);
            a.v[l] = vfmaq_f32(a.v[l], v, v);
        }
    const float mean = add_lanes(a) / (float)n, s = 1 / sqrtf(mean + eps);
    for (size_t i = 0; i < n; i += 4) store_n(y + i, n - i, vmulq_f32(load_n(w + i, n - i), vmulq_n_f32(load_n(x + i, n - i), s)));
}

void r1_neon_fill_float(r1_kernels *k)
{
    k->matmul_f32 = matmul_f32;
    k->matmul_bf16 = matmul_bf16;
    k->matmul_f16 = matmul_f16;
    k->rmsnorm = rmsnorm;
}
