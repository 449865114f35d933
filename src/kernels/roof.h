/* roof: what the machine could do at best, measured: read memory, multiply int8 and bf16.
 *
 * Loops that do one thing as fast as a core can, with nothing to load but what is measured and no result anyone needs; a kernel's
 * or a model's speed is told as a share of them, because both drift together where a machine is shared. The multiplications are
 * the level's own dot instruction on registers, written in assembly so that no compiler moves or drops them.
 */
#ifndef R1_KERNELS_ROOF_H
#define R1_KERNELS_ROOF_H

#include "base/thread.h"
#include "kernels/kernels.h"

typedef struct r1_roof {
    /* Read n bytes at p (64-byte aligned, n a multiple of 1024); the sum depends on every byte. */
    uint64_t (*read)(const void *p, size_t n);
    /* Run a loop n times, n >= 1; each turn is `*_ops` operations, a multiply and an add counting two. */
    void (*int8)(size_t n);
    void (*bf16)(size_t n);
    double int8_ops, bf16_ops;
    const char *int8_name, *bf16_name;  /* "vpdpbusd zmm"; bf16 is fused float32 where the processor has no bf16 */
} r1_roof;

/* Loops of a level this machine has. */
void r1_roof_init(r1_roof *r, r1_cpu_level level);

/* GB/s that all threads of a pool together read of a buffer once, pieces of it in order. bytes is a multiple of 1024. */
double r1_roof_read(const r1_roof *r, r1_pool *pool, const void *buffer, size_t bytes);

/* Operations a second of all threads together, in 10^9, over about `seconds` of time. */
double r1_roof_int8(const r1_roof *r, r1_pool *pool, double seconds);
double r1_roof_bf16(const r1_roof *r, r1_pool *pool, double seconds);

#endif
