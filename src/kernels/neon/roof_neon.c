/* The roof of 64-bit ARM with dot products: sdot, and fused float32, for bf16 dot products are not part of the level. */
#include "kernels/roof_int.h"
#include <arm_neon.h>

static uint64_t read_neon(const void *p, size_t n)
{
    const uint64_t *x = p;
    uint64x2_t a = vdupq_n_u64(0), b = a, c = a, d = a;
    for (size_t i = 0; i < n / 8; i += 8) {
        a = vaddq_u64(a, vld1q_u64(x + i));
        b = vaddq_u64(b, vld1q_u64(x + i + 2));
        c = vaddq_u64(c, vld1q_u64(x + i + 4));
        d = vaddq_u64(d, vld1q_u64(x + i + 6));
    }
    return vaddvq_u64(vaddq_u64(vaddq_u64(a, b), vaddq_u64(c, d)));
}

/* Sixteen chains of their own: four instructions a cycle with a latency of four. */
#define ALL(x) x("0") x("1") x("2") x("3") x("4") x("5") x("6") x("7") x("16") x("17") x("18") x("19") x("20") x("21") x("22") x("23")
#define ZERO(r) "movi v" r ".4s, #0\n\t"
#define DOT(acc) "sdot v" acc ".4s, v24.16b, v25.16b\n\t"
#define FMA(acc) "fmla v" acc ".4s, v24.4s, v25.4s\n\t"
#define LOOP(x, n) __asm__ volatile(ALL(ZERO) ZERO("24") ZERO("25") "1:\n\t" ALL(x) "subs %0, %0, #1\n\tb.ne 1b" : "+r"(n) : : \
    "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25")

static void int8_neon(size_t n) { LOOP(DOT, n); }
static void fma_neon(size_t n) { LOOP(FMA, n); }

void r1_roof_init_neon(r1_roof *r)
{
    *r = (r1_roof){ .read = read_neon, .int8 = int8_neon, .int8_ops = 16 * 2 * 16, .int8_name = "sdot",
                    .bf16 = fma_neon, .bf16_ops = 16 * 2 * 4, .bf16_name = "fmla, float32" };
}
