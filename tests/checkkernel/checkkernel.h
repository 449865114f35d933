/* checkkernel: what all its tests share. Operands between unmapped pages, random numbers of several kinds, comparison of
 * bits, and the walk over the levels.
 *
 * A checker tests one entry of a table c->k: with c->oracle against arithmetic in double (or exact integers) written here,
 * independent of the kernels, with a bound derived from the operation; without it against the bits of c->ref, the scalar
 * table. It returns false and a sentence in c->why at the first fault. Because it takes the table, the same checker is
 * given tables with planted faults, which it must catch.
 */
#ifndef R1_TESTS_CHECKKERNEL_H
#define R1_TESTS_CHECKKERNEL_H

#include "base/half.h"
#include "kernels/kernels.h"
#include "tests/test.h"

#include <sys/mman.h>
#include <unistd.h>

enum {
    ARENAS = 9,              /* operands a kernel may have */
    ARENA_BYTES = 4 << 20,
    ZONE = 256,              /* bytes looked at on each side of an operand */
    POISON = 0xA5
};

/* Half an ulp relative to 1: the relative error of one rounded operation. */
#define U 0x1p-24

typedef struct arena {
    uint8_t *base;           /* ARENA_BYTES with an unmapped page before and after */
    uint8_t *p;              /* the operand */
    size_t n;
} arena;

typedef struct check {
    const r1_kernels *k, *ref;
    bool oracle;
    uint64_t seed;
    arena a[ARENAS];
    char why[300];
} check;

static inline size_t ck_page(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static inline void ck_open(check *c, const r1_kernels *k, const r1_kernels *ref, bool oracle)
{
    *c = (check){ .k = k, .ref = ref, .oracle = oracle, .seed = test_seed() };
    size_t page = ck_page();
    for (int i = 0; i < ARENAS; i++) {
        uint8_t *m = mmap(NULL, ARENA_BYTES + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        EXPECT(m != MAP_FAILED);
        EXPECT(mprotect(m + page, ARENA_BYTES, PROT_READ | PROT_WRITE) == 0);
        c->a[i].base = m + page;
    }
}

static inline void ck_close(check *c)
{
    for (int i = 0; i < ARENAS; i++) munmap(c->a[i].base - ck_page(), ARENA_BYTES + 2 * ck_page());
}

static inline uint32_t ck_random(check *c) { return test_random(&c->seed); }
static inline size_t ck_below(check *c, size_t n) { return ck_random(c) % n; }

__attribute__((format(printf, 2, 3))) static inline bool ck_fail(check *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->why, sizeof c->why, fmt, ap);
    va_end(ap);
    return false;
}

/* Put the case before the sentence of a fault. */
static inline bool ck_where(check *c, const char *what, size_t R, size_t C, size_t K, int kind)
{
    char why[200];
    snprintf(why, sizeof why, "%.190s", c->why);
    return ck_fail(c, "%s R %zu C %zu K %zu kind %d: %s", what, R, C, K, kind, why);
}

/* An operand of n bytes in arena i that ends at the unmapped page (or, one time in four, begins right after the one
 * before), poisoned, with poisoned zones around it. With align > 1 its address is a multiple of that. */
static inline void *ck_place(check *c, int i, size_t n, size_t align)
{
    arena *a = &c->a[i];
    EXPECT(n + 2 * ZONE <= ARENA_BYTES);
    size_t at = ck_below(c, 4) ? (ARENA_BYTES - n) / align * align : 0;
    a->p = a->base + at;
    a->n = n;
    size_t before = r1_min(ZONE, at), after = r1_min(ZONE, ARENA_BYTES - at - n);
    memset(a->p - before, POISON, before + n + after);
    return a->p;
}

/* Whether the zones around every placed operand still hold the poison. */
static inline bool ck_zones_ok(check *c)
{
    for (int i = 0; i < ARENAS; i++) {
        const arena *a = &c->a[i];
        if (!a->p) continue;
        size_t at = (size_t)(a->p - a->base), before = r1_min(ZONE, at), after = r1_min(ZONE, ARENA_BYTES - at - a->n);
        for (size_t j = 0; j < before; j++)
            if (a->p[-1 - (ptrdiff_t)j] != POISON) return ck_fail(c, "wrote %zu bytes before operand %d", j + 1, i);
        for (size_t j = 0; j < after; j++)
            if (a->p[a->n + j] != POISON) return ck_fail(c, "wrote byte %zu past operand %d", j, i);
    }
    return true;
}

/* Kinds of numbers. */
enum { UNIT /* in [-1, 1] */, WIDE /* 2^-20 to 2^20 */, SPECIAL /* UNIT with one in eight special */, RAW /* any bits */, KINDS };

static inline float ck_float(check *c, int kind)
{
    static const uint32_t special[] = { 0, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC12345, 0x7F800001, 1, 0x80000001, 0x7FFFFF,
                                        0x807FFFFF, 0x800000, 0x7F7FFFFF, 0xFF7FFFFF, 0x3F800000, 0x3F800001, 0x33800000, 0x42B17217, 0xC2AEAC50 };
    uint32_t r = ck_random(c);
    if (kind == SPECIAL && ck_random(c) % 8 == 0) return r1_f32_from_bits(special[r % R1_COUNT(special)]);
    if (kind == RAW) return r1_f32_from_bits(r);
    float v = (float)((int32_t)r >> 7) * 0x1p-24f;
    return kind == WIDE ? ldexpf(v, (int)(ck_random(c) % 41) - 20) : v;
}

static inline void ck_floats(check *c, float *x, size_t n, int kind)
{
    for (size_t i = 0; i < n; i++) x[i] = ck_float(c, kind);
}

/* A new operand of n floats of a kind. */
static inline float *ck_new(check *c, int i, size_t n, int kind)
{
    float *x = ck_place(c, i, n * sizeof *x, sizeof *x);
    ck_floats(c, x, n, kind);
    return x;
}

/* Equal bits, or both NaN (see kernels.h). */
static inline bool ck_same(float a, float b) { return r1_f32_bits(a) == r1_f32_bits(b) || (isnan(a) && isnan(b)); }

static inline bool ck_all_same(check *c, const char *what, const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!ck_same(got[i], want[i]))
            return ck_fail(c, "%s[%zu] of %zu is %a, expected %a", what, i, n, (double)got[i], (double)want[i]);
    return true;
}

/* Whether got is within bound of want; where want is infinite or NaN got must be the same. */
static inline bool ck_near(check *c, const char *what, size_t i, size_t n, float got, double want, double bound)
{
    bool ok = isnan(want) ? isnan(got) : isinf(want) ? (double)got == want : fabs((double)got - want) <= bound;
    return ok || ck_fail(c, "%s[%zu] of %zu is %a, expected %a within %a", what, i, n, (double)got, want, bound);
}

typedef bool (*checker)(check *c);

static const r1_cpu_level ck_levels[] = { R1_CPU_SCALAR, R1_CPU_AVX2, R1_CPU_AVX512, R1_CPU_AMX, R1_CPU_NEON };

/* Replace in an avx512 table what kernels/amx has, with its instructions emulated (emulated_amx.c). */
void ck_emulated_amx(r1_kernels *k);

static inline bool ck_try(checker f, const r1_kernels *k, const r1_kernels *ref, bool oracle, char *why, size_t n)
{
    check c;
    ck_open(&c, k, ref, oracle);
    bool ok = f(&c);
    if (!ok) snprintf(why, n, "%s", c.why);
    ck_close(&c);
    return ok;
}

static inline void ck_level(checker f, const r1_kernels *k, const r1_kernels *scalar, bool oracle)
{
    char why[300];
    if (!ck_try(f, k, scalar, oracle, why, sizeof why)) fail_msg("%s: %s (seed %llu)", k->name, why, (unsigned long long)test_seed());
}

/* Every level this machine has, and AMX emulated: scalar by the oracle, the others by scalar's bits. */
static inline void ck_run(checker f)
{
    r1_kernels scalar, k;
    r1_kernels_init(&scalar, R1_CPU_SCALAR);
    for (size_t i = 0; i < R1_COUNT(ck_levels); i++) {
        if (!r1_cpu_has(ck_levels[i])) continue;
        r1_kernels_init(&k, ck_levels[i]);
        ck_level(f, &k, &scalar, i == 0);
    }
    if (!r1_cpu_has(R1_CPU_AVX512)) return;
    r1_kernels_init(&k, R1_CPU_AVX512);
    ck_emulated_amx(&k);
    ck_level(f, &k, &scalar, false);
}

/* A table with a planted fault: both ways of checking must find it. */
static inline void ck_expect_caught(checker f, const r1_kernels *bad, const char *fault)
{
    r1_kernels scalar;
    char why[300] = "";
    r1_kernels_init(&scalar, R1_CPU_SCALAR);
    if (ck_try(f, bad, &scalar, true, why, sizeof why)) fail_msg("the oracle accepted: %s", fault);
    if (ck_try(f, bad, &scalar, false, why, sizeof why)) fail_msg("the comparison of bits accepted: %s", fault);
    EXPECT(why[0] != 0);
}

/* Measuring: R1_BENCH=1. Runs f(ctx) for at least 60 ms; seconds of one run. */
static inline bool ck_bench(void) { return getenv("R1_BENCH") != NULL; }

static inline double ck_seconds(void (*f)(void *), void *ctx)
{
    f(ctx);
    double t0 = r1_now(), dt;
    size_t n = 0;
    do {
        f(ctx);
        n++;
        dt = r1_now() - t0;
    } while (dt < 0.06);
    return dt / (double)n;
}

#endif
