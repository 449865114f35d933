/* The roof with AVX-512: vpdpbusd, and vdpbf16ps where the processor has it. */
#include "kernels/roof_int.h"
#include <cpuid.h>
#include <immintrin.h>

static uint64_t read_avx512(const void *p, size_t n)
{
    const __m512i *x = p;
    __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
    for (size_t i = 0; i < n / 64; i += 4) {
        a = _mm512_add_epi64(a, _mm512_load_si512(x + i));
        b = _mm512_add_epi64(b, _mm512_load_si512(x + i + 1));
        c = _mm512_add_epi64(c, _mm512_load_si512(x + i + 2));
        d = _mm512_add_epi64(d, _mm512_load_si512(x + i + 3));
    }
    uint64_t v[8], sum = 0; /* sums wrap: the compiler's own reduction adds signed numbers */
    _mm512_storeu_si512(v, _mm512_add_epi64(_mm512_add_epi64(a, b), _mm512_add_epi64(c, d)));
    for (int i = 0; i < 8; i++) sum += v[i];
    return sum;
}

/* Sixteen independent chains hide a latency of up to eight cycles of two instructions each. */
#define ALL(x) x("0") x("1") x("2") x("3") x("4") x("5") x("6") x("7") x("8") x("9") x("10") x("11") x("12") x("13") x("14") x("15")
#define ZERO(r) "vpxord %%zmm" r ", %%zmm" r ", %%zmm" r "\n\t"
#define DOT8(acc) "vpdpbusd %%zmm16, %%zmm17, %%zmm" acc "\n\t"
#define DOT16(acc) "vdpbf16ps %%zmm16, %%zmm17, %%zmm" acc "\n\t"
#define FMA(acc) "vfmadd231ps %%zmm16, %%zmm17, %%zmm" acc "\n\t"
#define LOOP(x, n) __asm__ volatile(ALL(ZERO) ZERO("16") ZERO("17") "1:\n\t" ALL(x) "dec %0\n\tjnz 1b" : "+r"(n) : : \
    "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17")

static void int8_avx512(size_t n) { LOOP(DOT8, n); }
static void bf16_avx512(size_t n) { LOOP(DOT16, n); }
static void fma_avx512(size_t n) { LOOP(FMA, n); }

static bool has_bf16(void)
{
    uint32_t a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 5);
}

void r1_roof_init_avx512(r1_roof *r)
{
    *r = (r1_roof){ .read = read_avx512, .int8 = int8_avx512, .int8_ops = 16 * 2 * 64, .int8_name = "vpdpbusd zmm",
                    .bf16 = fma_avx512, .bf16_ops = 16 * 2 * 16, .bf16_name = "vfmadd231ps zmm, float32" };
    if (!has_bf16()) return;
    r->bf16 = bf16_avx512;
    r->bf16_ops = 16 * 2 * 32;
    r->bf16_name = "vdpbf16ps zmm";
}
