/* Choosing kernels: what the processor can do, names of levels, filling the table.
 *
 * An x86 processor is asked directly (CPUID, XGETBV) because compilers disagree on which feature names their builtins know,
 * and because registers the operating system does not save must count as absent. A level is all or nothing: AVX-512
 * means F, BW, DQ, VL and VNNI together with everything of AVX2; AMX means TILE, INT8 and BF16 on top of that. On 64-bit ARM
 * only the system may ask; it is enough that it, or the target the compiler was told, knows of the dot product instructions: NEON itself
 * is part of every such processor.
 */
#if defined(__linux__)
#define _DEFAULT_SOURCE /* syscall */
#endif
#include "kernels/exp.h"
#include "base/half.h"
#include "kernels/kernels.h"
#include "kernels/kernels_int.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <pthread.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

enum {
    XCR_AVX = 0x6,        /* xmm, ymm */
    XCR_AVX512 = 0xE6,    /* and masks, upper halves, zmm16-31 */
    XCR_AMX = 0x600E6     /* and tile configuration and data */
};

static bool all(uint32_t have, uint32_t want) { return (have & want) == want; }

r1_cpu_level r1_cpu_level_of(const r1_cpu_words *w)
{
    const uint32_t avx = 1u << 28 | 1u << 27 | 1u << 29 | 1u << 12; /* AVX, OSXSAVE, F16C, FMA */
    const uint32_t avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
    const uint32_t amx = 1u << 22 | 1u << 24 | 1u << 25; /* BF16, TILE, INT8 */
    if (!all(w->c1, avx) || !all(w->xcr0, XCR_AVX) || !(w->b7 & 1u << 5)) return R1_CPU_SCALAR;
    if (!all(w->xcr0, XCR_AVX512) || !all(w->b7, avx512) || !(w->c7 & 1u << 11)) return R1_CPU_AVX2;
    return all(w->xcr0, XCR_AMX) && all(w->d7, amx) && w->may_use_tiles() ? R1_CPU_AMX : R1_CPU_AVX512;
}

#if defined(__x86_64__)
/* Linux gives a process tiles when it asks (the state is large), once for all its threads; where it says no, or is not Linux,
 * there are none. Asked only on processors that have them. */
#if defined(__linux__) && defined(SYS_arch_prctl)
static bool tiles_granted;
static void ask_for_tiles(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 }; /* asm/prctl.h; in kernels from 5.16 on */
    tiles_granted = syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

static bool may_use_tiles(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, ask_for_tiles);
    return tiles_granted;
}
#else
static bool may_use_tiles(void) { return false; }
#endif

static uint32_t saved_registers(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return lo;
}

/* The best level of this machine, as far as r1 has kernels for it. */
static r1_cpu_level detect(void)
{
    uint32_t a, b, d;
    r1_cpu_words w = { .may_use_tiles = may_use_tiles };
    if (!__get_cpuid(1, &a, &b, &w.c1, &d) || !(w.c1 & 1u << 27)) return R1_CPU_SCALAR;
    if (!__get_cpuid_count(7, 0, &a, &w.b7, &w.c7, &w.d7)) return R1_CPU_SCALAR;
    w.xcr0 = saved_registers();
    return r1_cpu_level_of(&w);
}

/* Asked of AMD's processors alone. Those of Intel differ from fused steps next to the smallest normal number, and make fused steps as fast. */
bool r1_cpu_multiplies_bf16(void)
{
    uint32_t a, b, c, d;
    if (!__get_cpuid(0, &a, &b, &c, &d) || b != 0x68747541 || d != 0x69746E65 || c != 0x444D4163) return false; /* "AuthenticAMD" */
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 5);
}
#elif defined(__ARM_FEATURE_DOTPROD)
static r1_cpu_level detect(void) { return R1_CPU_NEON; }
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

enum { DOT_PRODUCTS = 1 << 20 /* HWCAP_ASIMDDP of the Linux interface */ };

static r1_cpu_level detect(void) { return getauxval(AT_HWCAP) & DOT_PRODUCTS ? R1_CPU_NEON : R1_CPU_SCALAR; }
#else
static r1_cpu_level detect(void) { return R1_CPU_SCALAR; }
#endif

static const char *const level_names[] = {
    [R1_CPU_AUTO] = "auto", [R1_CPU_SCALAR] = "scalar", [R1_CPU_AVX2] = "avx2",
    [R1_CPU_AVX512] = "avx512", [R1_CPU_AMX] = "amx", [R1_CPU_NEON] = "neon",
};

bool r1_cpu_has(r1_cpu_level level)
{
    if (level == R1_CPU_AUTO || level == R1_CPU_SCALAR) return true;
    const r1_cpu_level best = detect();
    return level == best || (level < best && best <= R1_CPU_AMX); /* each x86 level includes those below it */
}

r1_cpu_level r1_cpu_best(void) { return detect(); }

const char *r1_cpu_level_name(r1_cpu_level level)
{
    return (size_t)level < R1_COUNT(level_names) ? level_names[level] : NULL;
}

bool r1_cpu_level_parse(const char *s, r1_cpu_level *out)
{
    for (size_t i = 0; i < R1_COUNT(level_names); i++)
        if (!strcmp(s, level_names[i])) {
            *out = (r1_cpu_level)i;
            return true;
        }
    return false;
}

void r1_kernels_init(r1_kernels *k, r1_cpu_level level)
{
    if (level == R1_CPU_AUTO) level = r1_cpu_best();
    r1_kernels_init_scalar(k);
#if defined(__x86_64__)
    if (level >= R1_CPU_AVX2 && level <= R1_CPU_AMX) r1_kernels_init_avx2(k);
    if (level >= R1_CPU_AVX512 && level <= R1_CPU_AMX) r1_kernels_init_avx512(k);
    if (level == R1_CPU_AMX) r1_kernels_init_amx(k);
#elif defined(__aarch64__)
    if (level == R1_CPU_NEON) r1_kernels_init_neon(k);
#endif
}

float r1_exp(float x)
{
    if (x != x) return x;
    if (x < R1_EXP_LO) return 0;
    if (x > R1_EXP_HI) return INFINITY;
    float t = fmaf(x, R1_EXP_LOG2E, R1_EXP_MAGIC), n = t - R1_EXP_MAGIC;
    float r = fmaf(-n, R1_EXP_LN2_HI, x);
    r = fmaf(-n, R1_EXP_LN2_LO, r);
    float p = fmaf(R1_EXP_C6, r, R1_EXP_C5);
    p = fmaf(p, r, R1_EXP_C4);
    p = fmaf(p, r, R1_EXP_C3);
    p = fmaf(p, r, R1_EXP_C2);
    p = fmaf(p, r, 1);
    p = fmaf(p, r, 1);
    return r1_f32_from_bits(r1_f32_bits(p) + (r1_f32_bits(t) << 23));
}
