/* Fuzz target: any bits as floats, encoded to any type. Two bytes choose the type and whether the rest is half values, half
 * importance; the floats follow and repeat to fill the blocks.
 *
 * Whatever comes in, block types decode to finite values; the count of values changed is right; halves keep sign and
 * non-finite values; the same input gives the same bytes; and by the documented weights no block is worse than zeros. F8_E4M3 with its
 * scale is off by half of a step of 3 bits at most. */
#include "quant/encode.h"
#include "tests/fuzz/require.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N = 512 };

static const r1_type types[] = { R1_F32, R1_F16, R1_BF16, R1_Q4_0, R1_Q4_1, R1_Q5_0, R1_Q5_1, R1_Q8_0, R1_IQ4_NL, R1_MXFP4,
                                 R1_Q2_K, R1_Q3_K, R1_Q4_K, R1_Q5_K, R1_Q6_K, R1_IQ4_XS };

static void fill(float *out, const uint8_t *data, size_t floats)
{
    for (size_t i = 0; i < N; i++) {
        out[i] = 0;
        if (floats) memcpy(&out[i], data + 4 * (i % floats), 4);
    }
}

static void check_halves(r1_type t, const float *x, const float *y, size_t bad)
{
    size_t not_finite = 0;
    for (size_t i = 0; i < N; i++) {
        not_finite += !isfinite(x[i]);
        require(isnan(x[i]) ? isnan(y[i]) : !signbit(x[i]) == !signbit(y[i]) && isfinite(x[i]) == isfinite(y[i]));
        if (t == R1_F32) require(!memcmp(&x[i], &y[i], 4));
    }
    require(bad >= not_finite && (t != R1_F32 || bad == not_finite));
}

static void check_blocks(const float *x, const float *y, const float *w, size_t bad, size_t block, double floor)
{
    size_t not_finite = 0;
    for (size_t i = 0; i < N; i++) {
        not_finite += !isfinite(x[i]);
        require(isfinite(y[i]));
    }
    require(bad >= not_finite);
    if (bad || w) return;
    for (size_t b = 0; b < N; b += block) {
        double e = 0, power = 0, mean = 0;
        for (size_t i = b; i < b + block; i++) mean += (double)x[i] * (double)x[i] / (double)block * floor;
        for (size_t i = b; i < b + block; i++) {
            double square = (double)x[i] * (double)x[i], weight = square + mean;
            e += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]) * weight;
            power += square * weight;
        }
        require(e <= 1.001 * power);
    }
}

static void check_fp8(const float *x)
{
    enum { K = 128 };
    static uint8_t codes[N];
    float scale = 0;
    size_t not_finite = 0, bad = r1_encode_fp8(x, K, N / K, K, codes, &scale);
    require(scale > 0 && isfinite(scale));
    for (size_t i = 0; i < N; i++) {
        double got = (double)r1_e4m3_table[codes[i]] * (double)scale, v = (double)x[i];
        not_finite += !isfinite(x[i]);
        require(isnan(x[i]) ? isnan(got) : isfinite((float)got));
        if (isfinite(x[i])) require(fabs(got - v) <= fmax(fabs(v) * 0x1p-4, (double)scale * 0x1p-10) * 1.000001);
    }
    require(bad == not_finite);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float x[N], w[N], y[N];
    static uint8_t a[4 * N], b[4 * N];
    if (size < 2) return 0;
    r1_type t = types[data[0] % R1_COUNT(types)];
    bool weights = data[1] & 1;
    size_t floats = (size - 2) / 4, first = weights ? floats / 2 : floats;
    fill(x, data + 2, first);
    check_fp8(x);
    if (weights) fill(w, data + 2 + 4 * first, floats - first);
    size_t bytes = r1_row_bytes(t, N), bad = r1_encode(t, x, a, N, weights ? w : NULL);
    require(bytes && bytes <= sizeof a && bad <= N);
    require(r1_encode(t, x, b, N, weights ? w : NULL) == bad && !memcmp(a, b, bytes));
    r1_decode(t, a, y, N);
    const r1_type_info *info = r1_type_get(t);
    if (info->quantised) {
        r1_codes c;
        r1_codes_get(t, a, &c);
        check_blocks(x, y, weights ? w : NULL, bad, info->block, c.has_min ? 2 : 1);
    } else check_halves(t, x, y, bad);
    return 0;
}
