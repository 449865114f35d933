/* Encoders: bounds of the error derived from each format, the limits of the formats, bad input, weights, equal bits. How good
 * they are beside ggml's is measured, not tested: bench/quant_error.py, docs/results/quantisation.md. */
#include "base/half.h"
#include "quant/encode.h"
#include "tests/test.h"

#include <float.h>
#include <math.h>

static const r1_type block_types[] = { R1_Q4_0, R1_Q4_1, R1_Q5_0, R1_Q5_1, R1_Q8_0, R1_IQ4_NL, R1_MXFP4,
                                       R1_Q2_K, R1_Q3_K, R1_Q4_K, R1_Q5_K, R1_Q6_K, R1_IQ4_XS };

enum { N = 1024 };

static float uniform(uint64_t *s) { return (float)(test_random(s) >> 8) * 0x1p-24f; }

/* Roughly normal: the sum of 12 uniforms. */
static float normal(uint64_t *s)
{
    float v = -6;
    for (int i = 0; i < 12; i++) v += uniform(s);
    return v;
}

static void round_trip(r1_type t, const float *x, float *y, size_t n, const float *w)
{
    uint8_t b[4 * N];
    EXPECT(r1_row_bytes(t, n) <= sizeof b);
    EXPECT_INT(r1_encode(t, x, b, n, w), 0);
    r1_decode(t, b, y, n);
}

static double error(const float *x, const float *y, size_t n, const float *w)
{
    double e = 0;
    for (size_t i = 0; i < n; i++) e += (w ? (double)w[i] : 1) * ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    return e;
}

TEST(only_supported_types_can_be_written)
{
    EXPECT(!r1_can_encode(R1_F8_E4M3) && !r1_can_encode(4) && !r1_can_encode(16) && !r1_can_encode(12345));
    for (size_t t = 0; t < R1_COUNT(block_types); t++) EXPECT(r1_can_encode(block_types[t]));
    EXPECT(r1_can_encode(R1_F32) && r1_can_encode(R1_F16) && r1_can_encode(R1_BF16));
}

TEST(error_of_normal_values_is_within_what_the_format_allows)
{
    /* relative root mean square error, at most: a plain round-to-nearest with the extremes kept gives about 1.1 to 1.6 of it */
    static const double bound[] = { 0.088, 0.075, 0.044, 0.037, 0.0055, 0.079, 0.12, 0.29, 0.16, 0.075, 0.037, 0.0185, 0.08 };
    uint64_t seed = test_seed() | 1;
    float x[N], y[N];
    for (int i = 0; i < N; i++) x[i] = normal(&seed);
    const float zero[N] = { 0 };
    double power = error(x, zero, N, NULL);
    for (size_t t = 0; t < R1_COUNT(block_types); t++) {
        round_trip(block_types[t], x, y, N, NULL);
        double e = sqrt(error(x, y, N, NULL) / power);
        EXPECT_MSG(e < bound[t], "%s: %g", r1_type_get(block_types[t])->name, e);
    }
}
