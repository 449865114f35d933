/* Products with float weights: every output is a 16-lane dot, weights widened exactly on the way. */
#include "base/half.h"
#include "kernels/scalar/scalar_int.h"

#include <math.h>

enum { LANES = 16 };

float r1_lanes_sum_scalar(float l[LANES])
{
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) l[i] += l[i + half];
    return l[0];
}

/* n <= 16 values at w, the rest zero. */
static inline void widen(float out[LANES], r1_type t, const uint8_t *w, size_t n)
{
    for (size_t i = 0; i < LANES; i++) {
        uint16_t h = 0;
        out[i] = 0;
        if (i >= n) continue;
        if (t == R1_F32) memcpy(&out[i], w + 4 * i, 4);
        else memcpy(&h, w + 2 * i, 2);
        if (t == R1_F16) out[i] = r1_f16_to_f32(h);
        if (t == R1_BF16) out[i] = r1_bf16_to_f32(h);
    }
}

static inline float dot(r1_type t, const uint8_t *w, const float *x, size_t K)
{
    float lane[LANES] = { 0 }, a[LANES], b[LANES];
    size_t size = t == R1_F32 ? 4 : 2;
    for (size_t k = 0; k < K; k += LANES) {
        size_t n = r1_min(LANES, K - k);
        widen(a, t, w + k * size, n);
        widen(b, R1_F32, (const uint8_t *)(x + k), n);
        for (int l = 0; l < LANES; l++) lane[l] = fmaf(a[l], b[l], lane[l]);
    }
    return r1_lanes_sum_scalar(lane);
}

static inline void matmul(r1_type t, float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const float *x, size_t ldx, size_t C, size_t K)
{
    for (size_t r = 0; r < R; r++)
        for (size_t c = 0; c < C; c++) y[c * ldy + r] = dot(t, (const uint8_t *)w + r * w_stride, x + c * ldx, K);
}

static void matmul_f32(float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const float *x, size_t ldx, size_t C, size_t K)
{
    matmul(R1_F32, y, ldy, w, w_stride, R, x, ldx, C, K);
}

static void matmul_bf16(float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const float *x, size_t ldx, size_t C, size_t K)
{
    matmul(R1_BF16, y, ldy, w, w_stride, R, x, ldx, C, K);
}

static void matmul_f16(float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const float *x, size_t ldx, size_t C, size_t K)
{
    matmul(R1_F16, y, ldy, w, w_stride, R, x, ldx, C, K);
}

static void rmsnorm(float *y, const float *x, const float *w, size_t n, float eps)
{
    float mean = dot(R1_F32, (const uint8_t *)x, x, n) / (float)n, s = 1 / sqrtf(mean + eps);
    for (size_t i = 0; i < n; i++) y[i] = w[i] * (x[i] * s);
}

void r1_kernels_init_matmul_float_scalar(r1_kernels *k)
{
    k->matmul_f32 = matmul_f32;
    k->matmul_bf16 = matmul_bf16;
    k->matmul_f16 = matmul_f16;
    k->rmsnorm = rmsnorm;
}
