/* What AVX-512 (F, BW, DQ, VL, VNNI) does better. */
#include "kernels/avx512/avx512_int.h"

void r1_kernels_init_avx512(r1_kernels *k)
{
    k->name = "avx512";
    r1_avx512_fill_q8(k);
    r1_avx512_fill_q8k(k);
    r1_avx512_fill_float(k);
    r1_avx512_fill_bf16(k, r1_cpu_multiplies_bf16());
    r1_avx512_fill_vector(k);
    r1_avx512_fill_attention(k);
    r1_avx512_fill_decode(k);
}
