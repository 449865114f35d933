/* soft_sum with AVX2: vectors of 8 floats. */
#define R1_LANES 8
#include "kernels/soft_lanes.h"

double r1_soft_sum_avx2(const float *x, double *sum, size_t n_blocks, float max, float scale) { return soft_sum(x, sum, n_blocks, max, scale); }
