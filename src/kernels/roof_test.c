/* The probes of every level this machine has: reading reads every byte, a loop's time grows with its turns, and a level says what it
 * counts. How fast they are is no matter of tests. */
#include "tests/test.h"
#include "base/base.h"
#include "kernels/roof.h"

#include <math.h>

static const r1_cpu_level levels[] = { R1_CPU_SCALAR, R1_CPU_AVX2, R1_CPU_AVX512, R1_CPU_AMX, R1_CPU_NEON };

TEST(roof_reads_every_byte)
{
    enum { N = 64 << 10 };
    uint64_t seed = test_seed(), *x = r1_alloc_aligned(N);
    for (size_t i = 0; i < N / 8; i++) x[i] = (uint64_t)test_random(&seed) << 32 | test_random(&seed);
    for (size_t l = 0; l < R1_COUNT(levels); l++) {
        if (!r1_cpu_has(levels[l])) continue;
        r1_roof r;
        r1_roof_init(&r, levels[l]);
        for (size_t n = 1024; n <= N; n += 1024) {
            uint64_t sum = 0;
            for (size_t i = 0; i < n / 8; i++) sum += x[i];
            EXPECT_MSG(r.read(x, n) == sum, "%s, %zu bytes", r1_cpu_level_name(levels[l]), n);
        }
    }
    free(x);
}

static double seconds(void (*fn)(size_t), size_t turns)
{
    double begin = r1_now();
    fn(turns);
    return r1_now() - begin;
}

/* A loop a compiler had removed would take no time. The shortest of some tries, for others use the machine too. */
static void grows(void (*fn)(size_t), double ops, const char *name)
{
    EXPECT_MSG(ops > 0 && name && *name, "%s", name);
    double few = INFINITY, many = INFINITY;
    for (int i = 0; i < 5; i++) {
        few = fmin(few, seconds(fn, 1000));
        many = fmin(many, seconds(fn, 64000));
    }
    EXPECT_MSG(many > 8 * few, "%s: %g s for 1000 turns, %g s for 64000", name, few, many);
}

TEST(roof_loops_do_what_they_are_told)
{
    for (size_t l = 0; l < R1_COUNT(levels); l++) {
        if (!r1_cpu_has(levels[l])) continue;
        r1_roof r;
        r1_roof_init(&r, levels[l]);
        grows(r.int8, r.int8_ops, r.int8_name);
        grows(r.bf16, r.bf16_ops, r.bf16_name);
    }
}

TEST(roof_over_threads)
{
    enum { N = (3 << 20) + 1024 }; /* no whole number of pieces */
    void *x = r1_alloc_aligned(N);
    r1_roof r;
    r1_error err = { 0 };
    r1_roof_init(&r, R1_CPU_AUTO);
    for (int threads = 1; threads <= 3; threads++) {
        r1_pool *pool;
        EXPECT_OK(r1_pool_new(&pool, threads, &err), &err);
        double read = r1_roof_read(&r, pool, x, N), int8 = r1_roof_int8(&r, pool, 1e-3), bf16 = r1_roof_bf16(&r, pool, 1e-3);
        EXPECT_MSG(read > 0 && int8 > 0 && bf16 > 0 && isfinite(read) && isfinite(int8) && isfinite(bf16), "%g %g %g", read, int8, bf16);
        r1_pool_free(pool);
    }
    free(x);
}
