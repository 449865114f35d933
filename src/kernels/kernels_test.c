/* Levels and their names, and r1_exp against the C library in double precision. The kernels themselves: tests/checkkernel. */
#include "base/half.h"
#include "kernels/exp.h"
#include "kernels/kernels.h"
#include "kernels/kernels_int.h"
#include "tests/test.h"

TEST(levels_have_names_that_parse)
{
    r1_cpu_level l;
    for (int i = R1_CPU_AUTO; i <= R1_CPU_NEON; i++) {
        l = R1_CPU_AUTO;
        EXPECT(r1_cpu_level_parse(r1_cpu_level_name((r1_cpu_level)i), &l) && (int)l == i);
    }
    l = R1_CPU_AVX2;
    EXPECT(!r1_cpu_level_parse("AVX2", &l) && !r1_cpu_level_parse("", &l) && !r1_cpu_level_parse("avx", &l));
    EXPECT_INT(l, R1_CPU_AVX2);
    EXPECT_NULL(r1_cpu_level_name((r1_cpu_level)99));
}

TEST(levels_are_ordered_and_the_best_exists)
{
    EXPECT(r1_cpu_has(R1_CPU_SCALAR) && r1_cpu_has(R1_CPU_AUTO) && r1_cpu_has(r1_cpu_best()));
    EXPECT(r1_cpu_best() != R1_CPU_AUTO);
    if (r1_cpu_has(R1_CPU_AMX)) EXPECT(r1_cpu_has(R1_CPU_AVX512));
    if (r1_cpu_has(R1_CPU_AVX512)) EXPECT(r1_cpu_has(R1_CPU_AVX2));
    if (r1_cpu_has(R1_CPU_NEON)) EXPECT(r1_cpu_best() == R1_CPU_NEON && !r1_cpu_has(R1_CPU_AVX2)); /* no machine is of both kinds */
    else EXPECT(r1_cpu_best() != R1_CPU_NEON);
    EXPECT(!r1_cpu_has((r1_cpu_level)99));
    printf("this machine: %s\n", r1_cpu_level_name(r1_cpu_best()));
}

static int n_asked;
static bool granted(void) { n_asked++; return true; }
static bool refused(void) { n_asked++; return false; }

/* The words of a machine with everything; then without one thing at a time. */
TEST(a_level_needs_all_its_features)
{
    const r1_cpu_words full = { 0x38001000, 0xC0030020, 0x800, 0x3400000, 0x600E6, granted };
    static const struct { size_t word; unsigned bit; r1_cpu_level left; } without[] = {
        { offsetof(r1_cpu_words, c1), 12, R1_CPU_SCALAR }, { offsetof(r1_cpu_words, c1), 27, R1_CPU_SCALAR },
        { offsetof(r1_cpu_words, c1), 28, R1_CPU_SCALAR }, { offsetof(r1_cpu_words, c1), 29, R1_CPU_SCALAR },
        { offsetof(r1_cpu_words, b7), 5, R1_CPU_SCALAR },
        { offsetof(r1_cpu_words, xcr0), 1, R1_CPU_SCALAR }, { offsetof(r1_cpu_words, xcr0), 2, R1_CPU_SCALAR },
        { offsetof(r1_cpu_words, b7), 16, R1_CPU_AVX2 }, { offsetof(r1_cpu_words, b7), 17, R1_CPU_AVX2 },
        { offsetof(r1_cpu_words, b7), 30, R1_CPU_AVX2 }, { offsetof(r1_cpu_words, b7), 31, R1_CPU_AVX2 },
        { offsetof(r1_cpu_words, c7), 11, R1_CPU_AVX2 },
        { offsetof(r1_cpu_words, xcr0), 5, R1_CPU_AVX2 }, { offsetof(r1_cpu_words, xcr0), 6, R1_CPU_AVX2 },
        { offsetof(r1_cpu_words, xcr0), 7, R1_CPU_AVX2 },
        { offsetof(r1_cpu_words, d7), 22, R1_CPU_AVX512 }, { offsetof(r1_cpu_words, d7), 24, R1_CPU_AVX512 },
        { offsetof(r1_cpu_words, d7), 25, R1_CPU_AVX512 },
        { offsetof(r1_cpu_words, xcr0), 17, R1_CPU_AVX512 }, { offsetof(r1_cpu_words, xcr0), 18, R1_CPU_AVX512 },
    };
    n_asked = 0;
    EXPECT_INT(r1_cpu_level_of(&full), R1_CPU_AMX);
    EXPECT_INT(n_asked, 1);
    for (size_t i = 0; i < R1_COUNT(without); i++) {
        r1_cpu_words w = full;
        uint32_t *word = (uint32_t *)((char *)&w + without[i].word);
        EXPECT(*word & 1u << without[i].bit);
        *word ^= 1u << without[i].bit;
        EXPECT_INT(r1_cpu_level_of(&w), without[i].left);
    }
    EXPECT_INT(n_asked, 1); /* no tiles are asked for where they could not be used */
    r1_cpu_words w = full;
    w.may_use_tiles = refused;
    EXPECT_INT(r1_cpu_level_of(&w), R1_CPU_AVX512);
    EXPECT_INT(n_asked, 2);
}

TEST(tables_are_complete_and_named)
{
    for (int i = R1_CPU_AUTO; i <= R1_CPU_NEON; i++) {
        if (!r1_cpu_has((r1_cpu_level)i)) continue;
        r1_kernels k;
        memset(&k, 0x5A, sizeof k);
        r1_kernels_init(&k, (r1_cpu_level)i);
        r1_cpu_level want = i == R1_CPU_AUTO ? r1_cpu_best() : (r1_cpu_level)i;
        EXPECT_STR(k.name, r1_cpu_level_name(want));
        EXPECT(k.matmul_f32 && k.matmul_bf16 && k.matmul_f16 && k.quantize && k.rmsnorm && k.add && k.axpy && k.silu_mul);
        EXPECT(k.exp_sum && k.max && k.scale && k.f32_to_f16 && k.f32_to_bf16 && k.argmax);
        EXPECT_INT(k.matmul_bf16_pairs != NULL, want == R1_CPU_AMX);
        EXPECT_INT(k.matmul_bf16_fours != NULL, want == R1_CPU_AVX512);
        EXPECT_INT(k.bf16_fours != NULL, want == R1_CPU_AVX512);
        for (unsigned t = 0; t < R1_TYPE_END; t++) {
            const r1_type_info *info = r1_type_get(t);
            EXPECT_INT(k.matmul_q8[t] != NULL, info && info->quantised);
            if (!info) EXPECT_NULL(k.decode[t]);
        }
    }
}

/* Every 101st float from 2^-30 up, both signs (R1_EXP_STEP=1: all of them, some minutes without FMA instructions), against
 * the C library's exp in double, whose own error is a billionth of this one's. Below 2^-30 the result is 1. */
TEST(exp_is_within_its_stated_error)
{
    const char *step = getenv("R1_EXP_STEP");
    uint32_t stride = step ? (uint32_t)strtoul(step, NULL, 10) : 101;
    EXPECT(stride > 0);
    double worst = 0, at = 0;
    size_t n = 0;
    for (uint32_t u = 0x30800000; u < 0x42B20000; u += stride)
        for (uint32_t sign = 0; sign < 2; sign++) {
            float x = r1_f32_from_bits(u | sign << 31);
            if (x < R1_EXP_LO || x > R1_EXP_HI) continue;
            double want = exp((double)x), err;
            int e;
            frexp(want, &e);
            err = fabs((double)r1_exp(x) - want) / ldexp(1, e - 24);
            if (err > worst) {
                worst = err;
                at = (double)x;
            }
            n++;
        }
    printf("%zu values, worst error %.4f ulp at %a\n", n, worst, at);
    EXPECT(n > 1000000 && worst <= R1_EXP_WORST_ULP && worst > 0.5);
}

TEST(exp_at_its_edges)
{
    EXPECT(r1_exp(0) == 1 && r1_exp(-0.0f) == 1);
    EXPECT(r1_exp(0x1p-30f) == 1 && r1_exp(-0x1p-30f) == 1 && r1_exp(0x1p-149f) == 1);
    EXPECT(r1_exp(-INFINITY) == 0 && r1_exp(INFINITY) == INFINITY && isnan(r1_exp(NAN)) && isnan(r1_exp(-NAN)));
    EXPECT(isnan(r1_exp(r1_f32_from_bits(0x7F800001))) && isnan(r1_exp(r1_f32_from_bits(0xFFFFFFFF))));
    EXPECT(isfinite(r1_exp(R1_EXP_HI)) && r1_exp(nextafterf(R1_EXP_HI, INFINITY)) == INFINITY);
    EXPECT(r1_exp(R1_EXP_LO) >= 0x1p-126f && r1_exp(nextafterf(R1_EXP_LO, -INFINITY)) == 0);
    EXPECT(r1_exp(-3.4e38f) == 0 && r1_exp(3.4e38f) == INFINITY);
    EXPECT(fabs((double)r1_exp(1) - 2.718281828459045) < 2.4e-7);
}
