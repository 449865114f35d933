/* The scalar table: every entry there is. This level is the meaning of the others, so it is written for the reader: one
 * loop per rule of kernels.h, no cleverness. Fused operations are fmaf of the C library, which is slow on processors
 * without the instruction; the integer products need one per block only and stay usable. decode stays empty: r1_decode. */
#include "kernels/kernels_int.h"
#include "kernels/scalar/scalar_int.h"

void r1_kernels_init_scalar(r1_kernels *k)
{
    *k = (r1_kernels){ .name = "scalar" };
    r1_kernels_init_matmul_float_scalar(k);
    r1_kernels_init_matmul_q8_scalar(k);
    r1_kernels_init_vector_scalar(k);
    r1_kernels_init_attention_scalar(k);
}
