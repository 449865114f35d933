/* What ARMv8.2 with the dot product instructions does better. */
#include "kernels/neon/neon_int.h"

void r1_kernels_init_neon(r1_kernels *k)
{
    k->name = "neon";
    r1_neon_fill_q8(k);
    r1_neon_fill_q8k(k);
    r1_neon_fill_float(k);
    r1_neon_fill_vector(k);
    r1_neon_fill_attention(k);
    r1_neon_fill_decode(k);
}
