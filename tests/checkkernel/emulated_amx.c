/* The products of kernels/amx once more, with the tile registers in plain C: so they are tested on every machine with AVX-512. */
#define R1_AMX_EMULATED
#define r1_amx_fill_q8 ck_emulated_amx_q8
#define r1_amx_fill_q8k ck_emulated_amx_q8k
#define r1_amx_fill_bf16 ck_emulated_amx_bf16

#include "kernels/kernels.h"

void ck_emulated_amx(r1_kernels *k);

#if defined(__x86_64__)
#include "kernels/amx/bf16_amx.c"
#include "kernels/amx/q8_amx.c"
#include "kernels/amx/q8k_amx.c"

void ck_emulated_amx(r1_kernels *k)
{
    k->name = "amx, emulated";
    ck_emulated_amx_q8(k);
    ck_emulated_amx_q8k(k);
    ck_emulated_amx_bf16(k);
}
#else
void ck_emulated_amx(r1_kernels *k) { (void)k; }
#endif
