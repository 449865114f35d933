/* The roof with AVX2 and FMA. Without a dot instruction an int8 product is three: vpmaddubsw, vpmaddwd, vpaddd. */
#include "kernels/roof_int.h"
#include <immintrin.h>

static uint64_t read_avx2(const void *p, size_t n)
{
    const __m256i *x = p;
    __m256i s[4] = { _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256() };
    for (size_t i = 0; i < n / 32; i += 4) {
        s[0] = _mm256_add_epi64(s[0], _mm256_load_si256(x + i));
        s[1] = _mm256_add_epi64(s[1], _mm256_load_si256(x + i + 1));
        s[2] = _mm256_add_epi64(s[2], _mm256_load_si256(x + i + 2));
        s[3] = _mm256_add_epi64(s[3], _mm256_load_si256(x + i + 3));
    }
    uint64_t lane[4];
    _mm256_storeu_si256((__m256i *)lane, _mm256_add_epi64(_mm256_add_epi64(s[0], s[1]), _mm256_add_epi64(s[2], s[3])));
    return lane[0] + lane[1] + lane[2] + lane[3];
}

#define DOT(acc) "vpmaddubsw %%ymm14, %%ymm15, %%ymm12\n\tvpmaddwd %%ymm12, %%ymm13, %%ymm12\n\tvpaddd %%ymm12, %%ymm" acc ", %%ymm" acc "\n\t"
#define FMA(acc) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" acc "\n\t"
#define ZERO(r) "vpxor %%ymm" r ", %%ymm" r ", %%ymm" r "\n\t"
#define ZERO_ALL ZERO("0") ZERO("1") ZERO("2") ZERO("3") ZERO("4") ZERO("5") ZERO("6") ZERO("7") ZERO("8") ZERO("9") ZERO("10") ZERO("11") \
                 ZERO("12") ZERO("13") ZERO("14") ZERO("15")
#define CLOBBERS "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

static void int8_avx2(size_t n)
{
    __asm__ volatile(ZERO_ALL "1:\n\t" DOT("0") DOT("1") DOT("2") DOT("3") DOT("4") DOT("5") DOT("6") DOT("7") "dec %0\n\tjnz 1b"
                     : "+r"(n) : : CLOBBERS);
}

static void fma_avx2(size_t n)
{
    __asm__ volatile(ZERO_ALL "1:\n\t" FMA("0") FMA("1") FMA("2") FMA("3") FMA("4") FMA("5") FMA("6") FMA("7") FMA("8") FMA("9") FMA("10") FMA("11")
                     "dec %0\n\tjnz 1b" : "+r"(n) : : CLOBBERS);
}

void r1_roof_init_avx2(r1_roof *r)
{
    *r = (r1_roof){ .read = read_avx2, .int8 = int8_avx2, .int8_ops = 8 * 2 * 32, .int8_name = "vpmaddubsw, vpmaddwd, vpaddd ymm",
                    .bf16 = fma_avx2, .bf16_ops = 12 * 2 * 8, .bf16_name = "vfmadd231ps ymm, float32" };
}
