/* half: 16-bit and 8-bit floats, bit by bit, the same on every machine.
 *
 * F16 is IEEE binary16, BF16 the upper half of binary32, E4M3 the "FN" variant (no infinities, 0x7F and 0xFF are NaN). */
#ifndef R1_BASE_HALF_H
#define R1_BASE_HALF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t r1_f32_bits(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
static inline float r1_f32_from_bits(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }

static inline float r1_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 1023;
    if (e == 31) return r1_f32_from_bits(sign | 0x7F800000 | (m ? 0x400000 : 0) | m << 13);
    if (e) return r1_f32_from_bits(sign | (e + 112) << 23 | m << 13);
    float v = (float)m * 0x1p-24f; /* subnormal, exact */
    return sign ? -v : v;
}

/* Nearest, ties to even; NaN stays a quiet NaN. */
static inline uint16_t r1_f16_from_f32(float f)
{
    uint32_t u = r1_f32_bits(f), sign = u >> 16 & 0x8000, a = u & 0x7FFFFFFF;
    if (a > 0x7F800000) return (uint16_t)(sign | 0x7E00 | (a >> 13 & 0x3FF));
    if (a >= 0x477FF000) return (uint16_t)(sign | 0x7C00); /* 65520 and up round to infinity */
    if (a < 0x38800000) {                                  /* below 2^-14: count in units of 2^-24 */
        float v = r1_f32_from_bits(a) * 0x1p24f;
        return (uint16_t)(sign | (uint32_t)lrintf(v));
    }
    uint32_t r = a - 0x38000000;
    r += 0xFFF + (r >> 13 & 1);
    return (uint16_t)(sign | r >> 13);
}

static inline float r1_bf16_to_f32(uint16_t h) { return r1_f32_from_bits((uint32_t)h << 16); }

static inline uint16_t r1_bf16_from_f32(float f)
{
    uint32_t u = r1_f32_bits(f);
    if ((u & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7FFF + (u >> 16 & 1)) >> 16);
}

static inline float r1_e4m3_to_f32(uint8_t b)
{
    uint32_t sign = (uint32_t)(b & 0x80) << 24, e = b >> 3 & 15, m = b & 7;
    if (e == 15 && m == 7) return r1_f32_from_bits(sign | 0x7FC00000);
    if (e) return r1_f32_from_bits(sign | (e + 120) << 23 | m << 20);
    float v = (float)m * 0x1p-9f;
    return sign ? -v : v;
}

/* Nearest, ties to even; too large becomes 448, the largest there is, and NaN stays NaN. */
static inline uint8_t r1_e4m3_from_f32(float f)
{
    uint32_t u = r1_f32_bits(f), sign = u >> 24 & 0x80, a = u & 0x7FFFFFFF;
    if (a > 0x7F800000) return (uint8_t)(sign | 0x7F);
    if (a >= 0x43E00000) return (uint8_t)(sign | 0x7E); /* 448 and up */
    if (a < 0x3C800000) return (uint8_t)(sign | (uint32_t)lrintf(r1_f32_from_bits(a) * 0x1p9f)); /* below 2^-6: in units of 2^-9 */
    uint32_t r = a - 0x3C000000;
    r += 0x7FFFF + (r >> 20 & 1);
    return (uint8_t)(sign | r >> 20);
}

#endif
