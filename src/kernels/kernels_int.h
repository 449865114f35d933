/* Private to kernels/: the per-level initialisers. */
#ifndef R1_KERNELS_KERNELS_INT_H
#define R1_KERNELS_KERNELS_INT_H

#include "kernels/kernels.h"

void r1_kernels_init_scalar(r1_kernels *k);
void r1_kernels_init_avx2(r1_kernels *k);
void r1_kernels_init_avx512(r1_kernels *k);
void r1_kernels_init_neon(r1_kernels *k);

#endif
