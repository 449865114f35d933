/* The passes of soft_sum.h over vectors of R1_LANES floats (4, 8 or 16), which the compiler turns into what its target has.
 * Defined by who includes it: R1_LANES. */
#ifndef R1_KERNELS_SOFT_LANES_H
#define R1_KERNELS_SOFT_LANES_H

#include "kernels/soft_sum.h"
#ifdef __AVX__
#include <immintrin.h>
#endif

typedef float soft_lanes __attribute__((vector_size(4 * R1_LANES)));
typedef int32_t soft_ints __attribute__((vector_size(4 * R1_LANES)));
typedef float soft_four __attribute__((vector_size(16)));
typedef double soft_doubles __attribute__((vector_size(32)));

/* exp(x) for x <= 0: x = n ln 2 + r, Taylor's series to r^7 (the next term is below 2^-27), times 2^n. ln 2 is taken off in two
 * parts; n times the first, of 15 bits, is exact. 0 below 1.2e-38. */
static inline soft_lanes soft_exp(soft_lanes x)
{
    soft_ints live = x >= -87.3365f; /* just above ln 2^-126 */
    x = (soft_lanes)((soft_ints)x & live);
    soft_lanes t = x * 0x1.715476p+0f + 0x1.8p23f, n = t - 0x1.8p23f; /* the whole number is in the low bits of t */
    soft_lanes r = x - n * 0x1.62e4p-1f;
    r = r - n * 0x1.7f7d1cp-20f;
    soft_lanes p = r * (1 / 5040.0f) + 1 / 720.0f;
    p = p * r + 1 / 120.0f;
    p = p * r + 1 / 24.0f;
    p = p * r + 1 / 6.0f;
    p = p * r + 0.5f;
    p = p * (r * r) + (r + 1.0f);
    return (soft_lanes)(((soft_ints)p + ((soft_ints)t << 23)) & live);
}

/* y[i] = exp((x[i] - max) * scale) for one block. */
static inline void soft_block(float *y, const float *x, float max, float scale)
{
    for (size_t i = 0; i < R1_SOFT_BLOCK; i += R1_LANES) {
        soft_lanes v;
        memcpy(&v, x + i, sizeof v);
        v = soft_exp((v - max) * scale);
        memcpy(y + i, &v, sizeof v);
    }
}

/* gcc 12 makes three instructions of it by itself. */
#ifdef __AVX__
#define SOFT_WIDEN(v) ((soft_doubles)_mm256_cvtps_pd((__m128)(v)))
#else
#define SOFT_WIDEN(v) __builtin_convertvector(v, soft_doubles)
#endif

static inline double soft_sum(const float *x, double *sum, size_t n_blocks, float max, float scale)
{
    double all = 0;
    for (size_t b = 0; b < n_blocks; b++) {
        float y[R1_SOFT_BLOCK] __attribute__((aligned(64)));
        soft_doubles d = { 0 };
        soft_block(y, x + b * R1_SOFT_BLOCK, max, scale);
        for (size_t i = 0; i < R1_SOFT_BLOCK; i += 4) {
            soft_four v;
            memcpy(&v, y + i, sizeof v);
            d += SOFT_WIDEN(v);
        }
        sum[b] = (d[0] + d[1]) + (d[2] + d[3]);
        all += sum[b];
    }
    return all;
}

#endif
