/* soft_sum with AVX-512: vectors of 16 floats. */
#define R1_LANES 16
#include "kernels/soft_lanes.h"

double r1_soft_sum_avx512(const float *x, double *sum, size_t n_blocks, float max, float scale) { return soft_sum(x, sum, n_blocks, max, scale); }
