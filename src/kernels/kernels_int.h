/* Private to kernels/: choosing a level, the per-level initialisers. */
#ifndef R1_KERNELS_KERNELS_INT_H
#define R1_KERNELS_KERNELS_INT_H

#include "kernels/kernels.h"

void r1_kernels_init_scalar(r1_kernels *k);
void r1_kernels_init_avx2(r1_kernels *k);
void r1_kernels_init_avx512(r1_kernels *k);
void r1_kernels_init_neon(r1_kernels *k);
void r1_kernels_init_amx(r1_kernels *k);

/* matmul_bf16_fours of avx512/, with the instruction or with fused steps in float32: the same bits. */
void r1_avx512_fill_bf16(r1_kernels *k, bool instruction);

/* Whether vdpbf16ps is there and computes as kernels.h says. */
bool r1_cpu_multiplies_bf16(void);

/* What an x86-64 processor says of itself, and the system of what it saves. */
typedef struct r1_cpu_words {
    uint32_t c1;                    /* CPUID 1: ecx */
    uint32_t b7, c7, d7;            /* CPUID 7, 0: ebx, ecx, edx */
    uint32_t xcr0;                  /* XGETBV 0: register states that are saved */
    bool (*may_use_tiles)(void);    /* asks the system; called only where all else of AMX is there */
} r1_cpu_words;

/* The best level of such a machine; a function of its words alone. */
r1_cpu_level r1_cpu_level_of(const r1_cpu_words *w);

#endif
