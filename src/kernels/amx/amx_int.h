/* Private to amx/: what its files share. Compiled with everything of avx512/, and for AMX's tiles, int8 and bf16. */
#ifndef R1_KERNELS_AMX_AMX_INT_H
#define R1_KERNELS_AMX_AMX_INT_H

#include "kernels/amx/tile.h"
#include "kernels/avx512/avx512_int.h"

void r1_amx_fill_q8(r1_kernels *k);     /* 32-value blocks */
void r1_amx_fill_q8k(r1_kernels *k);    /* 256-value blocks */
void r1_amx_fill_bf16(r1_kernels *k);

#endif
