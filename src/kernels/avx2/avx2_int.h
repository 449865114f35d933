/* Private to avx2/: what its files share. Compiled with AVX2, FMA and F16C. */
#ifndef R1_KERNELS_AVX2_AVX2_INT_H
#define R1_KERNELS_AVX2_AVX2_INT_H

#include "kernels/kernels_int.h"
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* Before a loop with a constant count of at most 16: no loop is left, so arrays it walks can live in registers. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#endif
