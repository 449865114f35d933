/* What AMX (TILE, INT8, BF16, on top of everything AVX-512 needs) does better. */
#include "kernels/amx/amx_int.h"

void r1_kernels_init_amx(r1_kernels *k)
{
    k->name = "amx";
    r1_amx_fill_q8(k);
    r1_amx_fill_q8k(k);
    r1_amx_fill_bf16(k);
    k->bf16_fours = NULL; /* matmul_bf16_pairs is faster */
    k->matmul_bf16_fours = NULL;
    k->reads_both = true;
}
