/* Private to kernels/: the loops of each level. Each overrides what it does better. */
#ifndef R1_KERNELS_ROOF_INT_H
#define R1_KERNELS_ROOF_INT_H

#include "kernels/roof.h"

void r1_roof_init_scalar(r1_roof *r);
void r1_roof_init_avx2(r1_roof *r);
void r1_roof_init_avx512(r1_roof *r);
void r1_roof_init_amx(r1_roof *r);
void r1_roof_init_neon(r1_roof *r);

#endif
