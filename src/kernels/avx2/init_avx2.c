/* What AVX2 with FMA and F16C does better. */
#include "kernels/avx2/avx2_int.h"

void r1_kernels_init_avx2(r1_kernels *k)
{
    k->name = "avx2";
    r1_avx2_fill_q8(k);
    r1_avx2_fill_q8k(k);
    r1_avx2_fill_float(k);
    r1_avx2_fill_vector(k);
    r1_avx2_fill_attention(k);
    r1_avx2_fill_decode(k);
}
