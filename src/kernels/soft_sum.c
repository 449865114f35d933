/* soft_sum: its meaning, with vectors of four floats, which every machine here has; and which level has which. */
#define R1_LANES 4
#include "kernels/soft_lanes.h"

double r1_soft_sum_scalar(const float *x, double *sum, size_t n_blocks, float max, float scale) { return soft_sum(x, sum, n_blocks, max, scale); }

r1_soft_sum r1_soft_sum_of(r1_cpu_level level)
{
    if (level == R1_CPU_AUTO) level = r1_cpu_best();
#if defined(__x86_64__)
    if (level == R1_CPU_AVX512 || level == R1_CPU_AMX) return r1_soft_sum_avx512;
    if (level == R1_CPU_AVX2) return r1_soft_sum_avx2;
#endif
    return r1_soft_sum_scalar;
}
