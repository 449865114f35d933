/* Philox 4x32-10. Key = seed, counter = (position, stream). */
#include "base/rng.h"

void r1_rng_block(uint64_t seed, uint64_t stream, uint64_t position, uint32_t out[4])
{
    uint32_t c0 = (uint32_t)position, c1 = (uint32_t)(position >> 32), c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2; /* multipliers and Weyl steps: the paper's */
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

double r1_rng_uniform(uint64_t seed, uint64_t stream, uint64_t position)
{
    uint32_t r[4];
    r1_rng_block(seed, stream, position, r);
    uint64_t v = ((uint64_t)r[0] << 32 | r[1]) >> 11;
    return (double)v * 0x1p-53;
}
