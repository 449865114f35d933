/* Sums of exponentials: the same bits at every level, as near to the truth as their polynomial, and what is -inf or far below counts
 * as nothing. */
#include "tests/test.h"
#include "kernels/soft_sum.h"

#include <float.h>
#include <math.h>

enum { BLOCKS = 257 };

static void fill(float *x, size_t n, float spread, uint64_t *seed)
{
    for (size_t i = 0; i < n; i++) x[i] = spread * ((float)(test_random(seed) % 100001) / 100000 - 1);
    for (size_t i = 0; i < n; i += 1 + test_random(seed) % 97) x[i] = test_random(seed) % 2 ? -INFINITY : -FLT_MAX;
}

/* exp2 of half a unit for each operation of the series, and as much for the argument: its error is that of x * scale. */
static void near_truth(const float *x, const double *sum, float max, float scale, size_t b)
{
    double exact = 0, bound = 0;
    for (size_t i = b * R1_SOFT_BLOCK; i < (b + 1) * R1_SOFT_BLOCK; i++) {
        double a = ((double)x[i] - (double)max) * (double)scale, e = exp(a);
        exact += e;
        bound += e * (fabs(a) < 1000 ? (2 * fabs(a) + 12) * 0x1p-24 : 0) + 1.2e-38;
    }
    EXPECT_MSG(fabs(sum[b] - exact) <= bound, "block %zu: %g instead of %g, bound %g", b, sum[b], exact, bound);
}

TEST(every_level_has_the_same_bits)
{
    static float x[BLOCKS * R1_SOFT_BLOCK] __attribute__((aligned(64)));
    static double want[BLOCKS], got[BLOCKS];
    static const float spreads[] = { 0, 1, 30, 90, 200, 1e6f }, scales[] = { 1, 1 / 0.6f, 0.01f, 100, 1e-30f, FLT_MAX };
    uint64_t seed = test_seed();
    size_t levels = 0;
    for (size_t round = 0; round < R1_COUNT(spreads) * R1_COUNT(scales); round++) {
        size_t n = 1 + test_random(&seed) % BLOCKS;
        float scale = scales[round % R1_COUNT(scales)], max;
        fill(x, n * R1_SOFT_BLOCK, spreads[round / R1_COUNT(scales)], &seed);
        x[test_random(&seed) % (n * R1_SOFT_BLOCK)] = max = (float)(test_random(&seed) % 1000) / 10;
        double all = r1_soft_sum_scalar(x, want, n, max, scale);
        EXPECT(all >= 1); /* the largest itself */
        for (size_t b = 0; b < n && scale < 1000; b++) near_truth(x, want, max, scale, b);
        for (r1_cpu_level level = R1_CPU_SCALAR; level <= R1_CPU_NEON; level++) {
            if (!r1_cpu_has(level)) continue;
            memset(got, 0xA5, sizeof got);
            double other = r1_soft_sum_of(level)(x, got, n, max, scale);
            EXPECT_MSG(!memcmp(&other, &all, sizeof all) && !memcmp(got, want, n * sizeof *got), "level %s, %zu blocks, scale %g: %.17g instead of %.17g",
                       r1_cpu_level_name(level), n, (double)scale, other, all);
            for (size_t b = n; b < BLOCKS; b++) EXPECT(!memcmp(&got[b], "\xA5\xA5\xA5\xA5\xA5\xA5\xA5\xA5", 8));
            levels++;
        }
    }
    EXPECT(levels >= R1_COUNT(spreads) * R1_COUNT(scales));
}

TEST(nothing_weighs_nothing)
{
    float x[R1_SOFT_BLOCK];
    double sum;
    for (size_t i = 0; i < R1_SOFT_BLOCK; i++) x[i] = i ? -INFINITY : 3;
    for (r1_cpu_level level = R1_CPU_AUTO; level <= R1_CPU_NEON; level++)
        if (r1_cpu_has(level)) EXPECT(r1_soft_sum_of(level)(x, &sum, 1, 3, 1) == 1 && sum == 1);
}
