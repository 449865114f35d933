/* rng: Philox 4x32-10, a counter-based generator: the numbers at (seed, stream, position) need no history.
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011). */
#ifndef R1_BASE_RNG_H
#define R1_BASE_RNG_H

#include <stdint.h>

void r1_rng_block(uint64_t seed, uint64_t stream, uint64_t position, uint32_t out[4]);

/* Uniform in [0, 1) with 53 bits. */
double r1_rng_uniform(uint64_t seed, uint64_t stream, uint64_t position);

#endif
