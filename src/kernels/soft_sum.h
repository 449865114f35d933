/* soft_sum: the sum of exp((x - max) * scale) over a row, which is what a sampler spends its time on.
 *
 * One meaning and one order for every level: blocks of 16, in each four sums of every fourth value, in doubles, joined as
 * (0 + 1) + (2 + 3); then block after block. Nothing but +, - and * of floats, so that all levels have the same bits.
 * Tests: soft_sum_test.c */
#ifndef R1_KERNELS_SOFT_SUM_H
#define R1_KERNELS_SOFT_SUM_H

#include "kernels/kernels.h"

#define R1_SOFT_BLOCK 16

/* x: n_blocks of R1_SOFT_BLOCK values, none above max; -inf counts as nothing. sum[i]: that of block i. 0 < scale <= FLT_MAX. */
typedef double (*r1_soft_sum)(const float *x, double *sum, size_t n_blocks, float max, float scale);

/* The function of a level this machine has. */
r1_soft_sum r1_soft_sum_of(r1_cpu_level level);

double r1_soft_sum_scalar(const float *x, double *sum, size_t n_blocks, float max, float scale);
double r1_soft_sum_avx2(const float *x, double *sum, size_t n_blocks, float max, float scale);
double r1_soft_sum_avx512(const float *x, double *sum, size_t n_blocks, float max, float scale);

#endif
