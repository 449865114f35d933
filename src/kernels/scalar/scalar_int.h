/* Private to kernels/scalar/. */
#ifndef R1_KERNELS_SCALAR_SCALAR_INT_H
#define R1_KERNELS_SCALAR_SCALAR_INT_H

#include "kernels/kernels.h"

/* Add 16 lanes as kernels.h says; changes l. */
float r1_lanes_sum_scalar(float l[16]);

void r1_kernels_init_matmul_float_scalar(r1_kernels *k);
void r1_kernels_init_matmul_q8_scalar(r1_kernels *k);
void r1_kernels_init_vector_scalar(r1_kernels *k);
void r1_kernels_init_attention_scalar(r1_kernels *k);

#endif
