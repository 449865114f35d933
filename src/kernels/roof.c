/* Probes of the machine over the threads of a pool. Work is cut into many pieces, as products are, so that a thread that loses its
 * core for a while does not decide the result alone. */
#include "kernels/roof_int.h"

#include <stdatomic.h>

void r1_roof_init(r1_roof *r, r1_cpu_level level)
{
    if (level == R1_CPU_AUTO) level = r1_cpu_best();
    r1_roof_init_scalar(r);
#if defined(__x86_64__)
    if (level >= R1_CPU_AVX2 && level <= R1_CPU_AMX) r1_roof_init_avx2(r);
    if (level >= R1_CPU_AVX512 && level <= R1_CPU_AMX) r1_roof_init_avx512(r);
    if (level == R1_CPU_AMX) r1_roof_init_amx(r);
#elif defined(__aarch64__)
    if (level == R1_CPU_NEON) r1_roof_init_neon(r);
#endif
}

/* ---- memory ---------------------------------------------------------------------------------------------------- */

enum { PIECE = 1 << 20 /* bytes: long enough for the hardware to follow the stream, short enough to even out */ };

typedef struct reading {
    const r1_roof *r;
    const char *buffer;
    size_t bytes;
    atomic_uint_fast64_t sum;
} reading;

static void read_piece(void *ctx, size_t i, int thread)
{
    reading *d = ctx;
    size_t at = i * PIECE;
    (void)thread;
    atomic_fetch_add_explicit(&d->sum, d->r->read(d->buffer + at, r1_min(PIECE, d->bytes - at)), memory_order_relaxed);
}

double r1_roof_read(const r1_roof *r, r1_pool *pool, const void *buffer, size_t bytes)
{
    reading d = { .r = r, .buffer = buffer, .bytes = bytes };
    double begin = r1_now();
    r1_pool_run(pool, r1_ceil_div(bytes, PIECE), read_piece, &d);
    return 1e-9 * (double)bytes / (r1_now() - begin);
}

/* ---- multiplications ------------------------------------------------------------------------------------------- */

typedef struct turning { void (*fn)(size_t); size_t turns; } turning;

static void turn_piece(void *ctx, size_t i, int thread)
{
    const turning *t = ctx;
    (void)i;
    (void)thread;
    t->fn(t->turns);
}

static double rate(void (*fn)(size_t), double ops, r1_pool *pool, double seconds)
{
    const double piece = 200e-6; /* seconds: many times what taking one costs */
    turning t = { fn, 1000 };
    double took = 0;
    while (took < piece / 2 && t.turns < SIZE_MAX / 4) { /* how many turns a piece is, on whatever this runs */
        double begin = r1_now();
        fn(t.turns);
        took = r1_now() - begin;
        if (took < piece / 2) t.turns *= 2;
    }
    size_t pieces = r1_max(1, (size_t)(seconds / took)) * (size_t)r1_pool_threads(pool);
    double begin = r1_now();
    r1_pool_run(pool, pieces, turn_piece, &t);
    return 1e-9 * ops * (double)t.turns * (double)pieces / (r1_now() - begin);
}

double r1_roof_int8(const r1_roof *r, r1_pool *pool, double seconds) { return rate(r->int8, r->int8_ops, pool, seconds); }
double r1_roof_bf16(const r1_roof *r, r1_pool *pool, double seconds) { return rate(r->bf16, r->bf16_ops, pool, seconds); }
