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

/* What is known of a format: values of a run, most of the codes on the smaller side (or the top code), most of the integer
 * scales (0: none). */
typedef struct format {
    r1_type t;
    int run, codes, scales;
    bool min;
} format;

static const format formats[] = {
    { R1_Q4_0, 32, 7, 0, false }, { R1_Q5_0, 32, 15, 0, false }, { R1_Q8_0, 32, 127, 0, false }, { R1_IQ4_NL, 32, 7, 0, false },
    { R1_Q4_1, 32, 15, 0, true }, { R1_Q5_1, 32, 31, 0, true }, { R1_Q3_K, 16, 3, 31, false }, { R1_Q6_K, 16, 31, 127, false },
    { R1_IQ4_XS, 32, 7, 31, false }, { R1_Q2_K, 16, 3, 15, true }, { R1_Q4_K, 32, 15, 63, true }, { R1_Q5_K, 32, 31, 63, true },
};

static void extremes(const float *x, int n, float *lo, float *hi)
{
    *lo = *hi = 0;
    for (int i = 0; i < n; i++) {
        *lo = fminf(*lo, x[i]);
        *hi = fmaxf(*hi, x[i]);
    }
}

/* Weighted error that rounding without any search would have: no value clipped, the scale of each run so large that it reaches the
 * run's extremes, rounded up to an integer multiple of d (minimums the same); errors uniform over a step, so step^2 / 12. */
static double error_of_plain_rounding(const format *f, const float *x, int n, const float *w)
{
    double e = 0;
    int block = f->scales ? 256 : 32;
    for (int b = 0; b < n; b += block) {
        float lo, hi, s_most = 0, m_most = 0;
        for (int pass = 0; pass < 2; pass++)
            for (int r = b; r < b + block; r += f->run) {
                extremes(x + r, f->run, &lo, &hi);
                float span = f->min ? hi - lo : fmaxf(hi, -lo), step = span / (float)f->codes;
                s_most = fmaxf(s_most, step);
                m_most = fmaxf(m_most, -lo);
                if (pass && f->scales) step = (span + (f->min ? m_most / (float)f->scales : 0)) / (float)f->codes + s_most / (float)f->scales;
                for (int i = r; pass && i < r + f->run; i++) e += (double)w[i] * (double)step * (double)step / 12;
            }
    }
    return e;
}

/* The mean of 8,192 squared uniform errors has a relative standard deviation of sqrt(4/5/8192) = 1 %, with these weights below 2 %:
 * a tenth better is no luck. Below 0.3, what goes wrong is the measuring: Q2_K, which gains most, is at 0.4. */
TEST(the_search_beats_plain_rounding)
{
    enum { MANY = 8 * N };
    static float x[MANY], y[MANY], w[MANY];
    static uint8_t b[2 * MANY];
    uint64_t seed = test_seed() | 1;
    for (int i = 0; i < MANY; i++) {
        x[i] = normal(&seed);
        w[i] = 0.2f + uniform(&seed);
    }
    for (size_t k = 0; k < R1_COUNT(formats); k++) {
        const format *f = &formats[k];
        EXPECT_INT(r1_encode(f->t, x, b, MANY, w), 0);
        r1_decode(f->t, b, y, MANY);
        double e = error(x, y, MANY, w), plain = error_of_plain_rounding(f, x, MANY, w);
        EXPECT_MSG(e < 0.9 * plain, "%s: %g, plain rounding %g", r1_type_get(f->t)->name, e, plain);
        EXPECT_MSG(e > 0.3 * plain, "%s: %g, plain rounding %g: too good to be true", r1_type_get(f->t)->name, e, plain);
    }
}

/* E2M1 has one bit of mantissa: half a step is a quarter of a power of two, so the error's square is at most value^2 / 16 / 3 on
 * average over a step, and below the smallest normal that of its step. The largest value lies at 3 to 6 scales or is
 * clipped from less than 8 to 6, which a scale twice as large avoids: the smallest step is at most a sixth of it. */
TEST(mxfp4_error_is_that_of_its_mantissa)
{
    uint64_t seed = test_seed() | 1;
    float x[N], y[N], lo, hi;
    for (int i = 0; i < N; i++) x[i] = normal(&seed);
    float ones[N];
    for (int i = 0; i < N; i++) ones[i] = 1;
    round_trip(R1_MXFP4, x, y, N, ones);
    double bound = 0;
    for (int i = 0; i < N; i++) {
        extremes(x + i / 32 * 32, 32, &lo, &hi);
        double step = fmax(hi, -lo) / 6, square = (double)x[i] * (double)x[i];
        bound += fmax(square / 48, step * step / 12);
    }
    double e = error(x, y, N, NULL);
    EXPECT_MSG(e < bound, "%g of %g", e, bound);
}

/* |x - y| of any one value against half a step of the block's own scale: codes are the nearest ones. */
TEST(codes_are_the_nearest_ones)
{
    uint64_t seed = test_seed() | 1;
    for (size_t t = 0; t < R1_COUNT(block_types); t++) {
        const r1_type_info *info = r1_type_get(block_types[t]);
        float x[256], y[256];
        uint8_t b[256];
        r1_codes c;
        for (int i = 0; i < info->block; i++) x[i] = normal(&seed);
        EXPECT_INT(r1_encode(block_types[t], x, b, info->block, NULL), 0);
        r1_decode(block_types[t], b, y, info->block);
        r1_codes_get(block_types[t], b, &c);
        for (int i = 0; i < c.n; i++) {
            int run = i / c.run;
            /* every value the run can hold, from the codes that occur in formats: no code may be nearer than the chosen one */
            for (int q = -128; q < 128; q++) {
                bool legal = false;
                for (int j = 0; j < 16; j++) legal |= q == (block_types[t] == R1_MXFP4 ? r1_mxfp4_values[j] : r1_iq4_values[j]);
                switch (block_types[t]) {
                case R1_Q4_0: legal = q >= -8 && q < 8; break;
                case R1_Q5_0: legal = q >= -16 && q < 16; break;
                case R1_Q8_0: legal = true; break;
                case R1_Q4_1: case R1_Q4_K: legal = q >= 0 && q < 16; break;
                case R1_Q5_1: case R1_Q5_K: legal = q >= 0 && q < 32; break;
                case R1_Q2_K: legal = q >= 0 && q < 4; break;
                case R1_Q3_K: legal = q >= -4 && q < 4; break;
                case R1_Q6_K: legal = q >= -32 && q < 32; break;
                default: break;
                }
                if (!legal) continue;
                float v = c.d * (float)c.scale[run] * (float)q - (c.has_min ? c.dmin * (float)c.min[run] : 0);
                EXPECT_MSG(fabsf(x[i] - y[i]) <= fabsf(x[i] - v) + 1e-5f, "%s value %d: %g became %g, %g is nearer", info->name, i, x[i], y[i], v);
            }
        }
    }
}

TEST(what_a_format_holds_exactly_stays_exact)
{
    /* codes with a scale that is a power of two, both ends of the range present */
    uint64_t seed = test_seed() | 1;
    static const struct { r1_type t; int lo, hi; } c[] = { { R1_Q4_0, -8, 7 }, { R1_Q5_0, -16, 15 }, { R1_Q8_0, -127, 127 }, { R1_Q4_1, 0, 15 }, { R1_Q5_1, 0, 31 },
        { R1_Q3_K, -4, 3 }, { R1_Q6_K, -32, 31 }, { R1_Q2_K, -1, 2 }, { R1_Q4_K, -5, 10 }, { R1_Q5_K, -9, 22 } };
    for (size_t k = 0; k < R1_COUNT(c); k++) {
        float x[256], y[256];
        for (int i = 0; i < 256; i++) {
            x[i] = 0.25f * (float)(c[k].lo + (int)(test_random(&seed) % (unsigned)(c[k].hi - c[k].lo + 1)));
            if (i % 16 == 0) x[i] = 0.25f * (float)c[k].lo;
            if (i % 16 == 1) x[i] = 0.25f * (float)c[k].hi;
        }
        round_trip(c[k].t, x, y, 256, NULL);
        /* d and dmin may be 1/63 and the like in F16: within its half unit in the last place of the largest value, twice */
        for (int i = 0; i < 256; i++)
            EXPECT_MSG(fabsf(x[i] - y[i]) <= 0x1p-10f * 0.25f * 32, "%s: %g became %g", r1_type_get(c[k].t)->name, x[i], y[i]);
    }
}

TEST(zeros_and_constants)
{
    float x[256] = { 0 }, y[256];
    for (size_t t = 0; t < R1_COUNT(block_types); t++) {
        const char *name = r1_type_get(block_types[t])->name;
        memset(x, 0, sizeof x);
        round_trip(block_types[t], x, y, 256, NULL);
        for (int i = 0; i < 256; i++) EXPECT_MSG(y[i] == 0, "%s", name);
        for (float c = -3; c <= 3; c += 1.5f) {
            for (int i = 0; i < 256; i++) x[i] = c;
            round_trip(block_types[t], x, y, 256, NULL);
            /* F16 rounding of one or two scales; MXFP4 has 1, 1.5, 2, 3, 4, 6 and holds these constants */
            for (int i = 0; i < 256; i++) EXPECT_MSG(fabsf(y[i] - c) <= 0x1p-10f * 3, "%s: %g became %g", name, c, y[i]);
        }
        /* one value alone */
        memset(x, 0, sizeof x);
        x[77] = -0.375f;
        round_trip(block_types[t], x, y, 256, NULL);
        for (int i = 0; i < 256; i++) EXPECT_MSG(fabsf(y[i] - x[i]) <= 0.02f * 0.375f, "%s: %g became %g", name, x[i], y[i]);
    }
}

/* Sizes from the smallest to the largest float: what decodes is finite, and no further away than zeros would be (or half the
 * smallest F16 step). */
TEST(every_size_of_values)
{
    uint64_t seed = test_seed() | 1;
    for (int e = -149; e <= 127; e++)
        for (size_t t = 0; t < R1_COUNT(block_types); t++) {
            const char *name = r1_type_get(block_types[t])->name;
            float x[256], y[256];
            uint8_t b[1024];
            for (int i = 0; i < 256; i++) x[i] = ldexpf(normal(&seed) / 6, e);
            size_t bad = r1_encode(block_types[t], x, b, 256, NULL);
            r1_decode(block_types[t], b, y, 256);
            if (e < 15) EXPECT_INT(bad, 0);
            double err = 0, power = 0, weighted = 0, weighted_power = 0;
            int block = r1_type_get(block_types[t])->block;
            r1_codes c;
            r1_codes_get(block_types[t], b, &c);
            for (int i = 0; i < 256; i++) {
                EXPECT_MSG(isfinite(y[i]), "%s, 2^%d: %g became %g", name, e, x[i], y[i]);
                err += pow((double)x[i] - (double)y[i], 2);
                power += pow((double)x[i], 2);
            }
            for (int i = 0; i < 256; i++) {
                double square = 0; /* of its block: the documented weights */
                for (int j = i / block * block; j < (i / block + 1) * block; j++) square += pow((double)x[j], 2) / block * (c.has_min ? 2 : 1);
                weighted += pow((double)x[i] - (double)y[i], 2) * (pow((double)x[i], 2) + square);
                weighted_power += pow((double)x[i], 2) * (pow((double)x[i], 2) + square);
            }
            EXPECT_MSG(bad || weighted <= 1.0001 * weighted_power, "%s, 2^%d: error %g of %g", name, e, err, power);
            /* where F16 scales are normal numbers the relative error does not depend on the size */
            int least = block_types[t] == R1_MXFP4 ? -120 : -1, most = block_types[t] == R1_MXFP4 ? 127 : 15;
            if (e >= least && e <= most) EXPECT_MSG(err < 0.1 * power, "%s, 2^%d: error %g of %g", name, e, err, power);
        }
}

TEST(what_is_too_large_or_not_finite)
{
    for (size_t t = 0; t < R1_COUNT(block_types); t++) {
        const char *name = r1_type_get(block_types[t])->name;
        float x[256], y[256];
        uint8_t b[1024];
        for (int i = 0; i < 256; i++) x[i] = (float)(i % 7) - 3;
        x[3] = NAN;
        x[40] = -NAN;
        EXPECT_INT(r1_encode(block_types[t], x, b, 256, NULL), 2);
        r1_decode(block_types[t], b, y, 256);
        for (int i = 0; i < 256; i++) EXPECT_MSG(isfinite(y[i]) && fabsf(y[i]) < 4, "%s: %g became %g", name, x[i], y[i]);
        EXPECT_MSG(fabsf(y[3]) < 0.7f && fabsf(y[40]) < 0.7f, "%s: NaN became %g, %g", name, y[3], y[40]);
        x[3] = INFINITY;
        x[40] = -INFINITY;
        x[41] = -FLT_MAX;
        EXPECT_INT(r1_encode(block_types[t], x, b, 256, NULL), 3);
        r1_decode(block_types[t], b, y, 256);
        for (int i = 0; i < 256; i++) EXPECT_MSG(isfinite(y[i]), "%s: %g became %g", name, x[i], y[i]);
        EXPECT_MSG(y[3] > 1000 && y[40] < -1000 && y[41] < -1000, "%s: %g %g %g", name, y[3], y[40], y[41]);
    }
}

TEST(floats_and_halves)
{
    const float x[] = { 0, -0.0f, 1.5f, -65504, 65519, 65520, 1e30f, -1e30f, INFINITY, -INFINITY, 0x1p-24f, 0x1p-25f, FLT_MAX, NAN };
    float y[R1_COUNT(x)];
    uint8_t b[4 * R1_COUNT(x) + 1];
    EXPECT_INT(r1_encode(R1_F32, x, b + 1, R1_COUNT(x), NULL), 3);
    EXPECT(!memcmp(b + 1, x, sizeof x));
    EXPECT_INT(r1_encode(R1_F16, x, b + 1, R1_COUNT(x), NULL), 8);
    r1_decode(R1_F16, b + 1, y, R1_COUNT(x));
    const float f16[] = { 0, -0.0f, 1.5f, -65504, 65504, 65504, 65504, -65504, INFINITY, -INFINITY, 0x1p-24f, 0, 65504 };
    for (size_t i = 0; i < R1_COUNT(f16); i++) EXPECT_MSG(r1_f32_bits(y[i]) == r1_f32_bits(f16[i]), "%g became %g", x[i], y[i]);
    EXPECT(isnan(y[13]));
    EXPECT_INT(r1_encode(R1_BF16, x, b + 1, R1_COUNT(x), NULL), 4);
    r1_decode(R1_BF16, b + 1, y, R1_COUNT(x));
    EXPECT(y[2] == 1.5f && y[8] == INFINITY && y[9] == -INFINITY && isnan(y[13]));
    EXPECT_MSG(y[12] == 0x1.fep127f, "%a", y[12]);
}

TEST(importance_lowers_the_weighted_error)
{
    uint64_t seed = test_seed() | 1;
    float x[N], w[N], plain[N], weighted[N];
    for (int i = 0; i < N; i++) {
        x[i] = normal(&seed);
        w[i] = expf(2 * normal(&seed));
    }
    for (size_t t = 0; t < R1_COUNT(block_types); t++) {
        const char *name = r1_type_get(block_types[t])->name;
        round_trip(block_types[t], x, plain, N, NULL);
        round_trip(block_types[t], x, weighted, N, w);
        double a = error(x, plain, N, w), b = error(x, weighted, N, w);
        /* MXFP4 has only a power of two to choose */
        EXPECT_MSG(block_types[t] == R1_MXFP4 ? b <= a : b < 0.95 * a, "%s: %g without, %g with weights", name, a, b);
    }
}

TEST(strange_importance_counts_as_documented)
{
    uint64_t seed = test_seed() | 1;
    float x[256], w[256], y[256];
    const float none[256] = { 0 };
    uint8_t a[1024], b[1024];
    for (int i = 0; i < 256; i++) x[i] = normal(&seed);
    for (size_t t = 0; t < R1_COUNT(block_types); t++) {
        size_t bytes = r1_row_bytes(block_types[t], 256);
        const char *name = r1_type_get(block_types[t])->name;
        r1_encode(block_types[t], x, a, 256, NULL);
        r1_encode(block_types[t], x, b, 256, none); /* nothing above 0: as without */
        EXPECT_MSG(!memcmp(a, b, bytes), "%s", name);
        for (int i = 0; i < 256; i++) w[i] = 1;
        r1_encode(block_types[t], x, a, 256, w);
        for (int i = 0; i < 256; i++) w[i] = 0x1p100f; /* only ratios matter */
        r1_encode(block_types[t], x, b, 256, w);
        EXPECT_MSG(!memcmp(a, b, bytes), "%s", name);
        for (int i = 0; i < 256; i++) w[i] = i % 3 == 0 ? NAN : i % 3 == 1 ? -1 : i % 2 ? INFINITY : 1;
        r1_encode(block_types[t], x, b, 256, w);
        r1_decode(block_types[t], b, y, 256);
        for (int i = 0; i < 256; i++) EXPECT_MSG(isfinite(y[i]), "%s", name);
    }
}

TEST(division_of_a_row_alignment_and_neighbours_do_not_matter)
{
    uint64_t seed = test_seed() | 1;
    float x[N + 1], w[N + 1];
    for (int i = 0; i <= N; i++) {
        x[i] = normal(&seed);
        w[i] = uniform(&seed);
    }
    for (size_t t = 0; t < R1_COUNT(block_types); t++) {
        uint8_t a[4 * N], b[4 * N + 9];
        const r1_type_info *info = r1_type_get(block_types[t]);
        size_t bytes = r1_row_bytes(block_types[t], N);
        memset(b, 0xA5, sizeof b);
        r1_encode(block_types[t], x + 1, a, N, w + 1);
        for (size_t i = 0; i < N; i += info->block) r1_encode(block_types[t], x + 1 + i, b + 3 + i / info->block * info->bytes, info->block, w + 1 + i);
        EXPECT_MSG(!memcmp(a, b + 3, bytes), "%s", info->name);
        EXPECT_MSG(b[2] == 0xA5 && b[3 + bytes] == 0xA5, "%s writes outside", info->name);
    }
}

/* ---- F8_E4M3 ---------------------------------------------------------------------------------------------------- */

/* The nearest code by trying all; of two the even one. */
static uint8_t nearest_e4m3(float x)
{
    int first = signbit(x) ? 128 : 0, best = first;
    for (int c = first; c < first + 127; c++) {
        double d = fabs((double)r1_e4m3_table[c] - (double)x), b = fabs((double)r1_e4m3_table[best] - (double)x);
        if (d < b || (d == b && !(c & 1))) best = c;
    }
    return (uint8_t)best;
}

TEST(e4m3_is_the_nearest_code_ties_to_even)
{
    uint32_t seed = 7;
    for (int c = 0; c < 256; c++) {
        float x = r1_e4m3_table[c];
        if (isnan(x)) {
            EXPECT_INT(r1_e4m3_from_f32(x) & 0x7F, 0x7F);
            continue;
        }
        EXPECT_INT(r1_e4m3_from_f32(x), c);
        if ((c & 0x7F) >= 0x7E) continue;
        float middle = (x + r1_e4m3_table[c + 1]) / 2;
        for (int step = -1; step <= 1; step++) {
            float y = r1_f32_from_bits(r1_f32_bits(middle) + (uint32_t)step);
            if (middle != 0) EXPECT_MSG(r1_e4m3_from_f32(y) == nearest_e4m3(y), "%a became %d, expected %d", (double)y, r1_e4m3_from_f32(y), nearest_e4m3(y));
        }
    }
    for (int i = 0; i < 20000; i++) {
        seed = seed * 1664525 + 1013904223;
        float x = ldexpf((float)(int32_t)seed, -24 - (int)(seed >> 8) % 20);
        EXPECT_MSG(r1_e4m3_from_f32(x) == nearest_e4m3(x), "%a became %d, expected %d", (double)x, r1_e4m3_from_f32(x), nearest_e4m3(x));
    }
    EXPECT_INT(r1_e4m3_from_f32(1e30f), 0x7E);
    EXPECT_INT(r1_e4m3_from_f32(-INFINITY), 0xFE);
    EXPECT_INT(r1_e4m3_from_f32(-1e-30f), 0x80);
}

TEST(encode_fp8_scales_the_largest_to_448)
{
    enum { LD = 130, ROWS = 5, COLUMNS = 128 };
    static float x[ROWS * LD];
    static uint8_t codes[ROWS * LD];
    float scale;
    uint32_t seed = 3;
    for (int i = 0; i < ROWS * LD; i++) x[i] = (float)((seed = seed * 1664525 + 1013904223) >> 8) / 8388608 - 1;
    memset(codes, 0x55, sizeof codes);
    x[2 * LD + 7] = -3;
    x[LD + 129] = 1000; /* of another block */
    EXPECT_INT(r1_encode_fp8(x, LD, ROWS, COLUMNS, codes, &scale), 0);
    EXPECT(scale == 3.0f / 448 && codes[2 * LD + 7] == 0xFE);
    for (int r = 0; r < ROWS; r++) {
        for (int c = 0; c < COLUMNS; c++) EXPECT(codes[r * LD + c] == nearest_e4m3(x[r * LD + c] / scale));
        EXPECT(codes[r * LD + 128] == 0x55 && codes[r * LD + 129] == 0x55);
    }
    memset(x, 0, sizeof x);
    EXPECT(r1_encode_fp8(x, LD, ROWS, COLUMNS, codes, &scale) == 0 && scale == 1 && codes[0] == 0);
    x[0] = 1e-44f;
    EXPECT(r1_encode_fp8(x, LD, ROWS, COLUMNS, codes, &scale) == 0 && scale > 0 && isfinite(1 / scale));
    x[0] = INFINITY;
    x[1] = NAN;
    x[2] = 2;
    EXPECT(r1_encode_fp8(x, LD, ROWS, COLUMNS, codes, &scale) == 2 && scale == 2.0f / 448 && codes[0] == 0x7E && codes[1] == 0x7F && codes[2] == 0x7E);
}
