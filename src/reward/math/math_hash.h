/* math_hash: the hash from which points, primes and seeds of the checker follow. */
#ifndef R1_REWARD_MATH_MATH_HASH_H
#define R1_REWARD_MATH_MATH_HASH_H

#include <stddef.h>
#include <stdint.h>

/* FNV-1a over the bytes, started from seed, then the finaliser of splitmix64. */
static inline uint64_t r1_math_hash(const char *s, size_t n, uint64_t seed)
{
    uint64_t h = 0xCBF29CE484222325u ^ (seed * 0x9E3779B97F4A7C15u);
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)s[i]) * 0x100000001B3u;
    h ^= h >> 30;
    h *= 0xBF58476D1CE4E5B9u;
    h ^= h >> 27;
    h *= 0x94D049BB133111EBu;
    return h ^ h >> 31;
}

#endif
