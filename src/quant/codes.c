/* The meaning of every quantised format, in one place: a block taken apart into integer codes, scales and minimums.
 *
 * Decoding, the scalar products and their tests all stand on this. It is written to be read beside the table of formats,
 * one small function per format; fast code for the hot paths is in kernels/. All blocks are little-endian bytes of any
 * alignment.
 */
#include "base/half.h"
#include "quant/quant.h"

static uint16_t u16_at(const uint8_t *b) { return (uint16_t)(b[0] | b[1] << 8); }
static uint32_t u32_at(const uint8_t *b) { return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24; }
static float half_at(const uint8_t *b) { return r1_f16_to_f32(u16_at(b)); }

/* 2^(e - 128), exact also where it is subnormal. */
static float e8m0_half(uint8_t e)
{
    return r1_f32_from_bits(e >= 2 ? (uint32_t)(e - 1) << 23 : 0x200000u << e);
}

/* 32 codes: the low nibbles of 16 bytes, then the high ones; qh adds a fifth bit to each. */
static void nibbles_32(int8_t *code, const uint8_t *qs, uint32_t qh, int offset)
{
    for (int i = 0; i < 16; i++) {
        code[i] = (int8_t)(((qs[i] & 15) | (qh >> i & 1) << 4) - (unsigned)offset);
        code[i + 16] = (int8_t)((qs[i] >> 4 | (qh >> (i + 16) & 1) << 4) - (unsigned)offset);
    }
}

static void lookup_32(int8_t *code, const uint8_t *qs, const int8_t *values)
{
    for (int i = 0; i < 16; i++) {
        code[i] = values[qs[i] & 15];
        code[i + 16] = values[qs[i] >> 4];
    }
}

static void added_min(r1_codes *o, float m)
{
    o->has_min = true;
    o->min[0] = 1;
    o->dmin = -m;
}

static void get_32(r1_type t, const uint8_t *b, r1_codes *o)
{
    o->n = o->run = 32;
    o->scale[0] = 1;
    o->d = t == R1_MXFP4 ? e8m0_half(b[0]) : half_at(b);
    switch (t) {
    case R1_Q4_0: nibbles_32(o->code, b + 2, 0, 8); break;
    case R1_Q4_1: nibbles_32(o->code, b + 4, 0, 0); added_min(o, half_at(b + 2)); break;
    case R1_Q5_0: nibbles_32(o->code, b + 6, u32_at(b + 2), 16); break;
    case R1_Q5_1: nibbles_32(o->code, b + 8, u32_at(b + 4), 0); added_min(o, half_at(b + 2)); break;
    case R1_Q8_0: memcpy(o->code, b + 2, 32); break;
    case R1_IQ4_NL: lookup_32(o->code, b + 2, r1_iq4_values); break;
    default: lookup_32(o->code, b + 1, r1_mxfp4_values); break; /* MXFP4 */
    }
}

static void get_q2_k(const uint8_t *b, r1_codes *o)
{
    o->run = 16;
    o->has_min = true;
    o->d = half_at(b + 80);
    o->dmin = half_at(b + 82);
    for (int k = 0; k < 16; k++) {
        o->scale[k] = (int8_t)(b[k] & 15);
        o->min[k] = b[k] >> 4;
    }
    for (int n = 0; n < 2; n++)
        for (int j = 0; j < 4; j++)
            for (int l = 0; l < 32; l++) o->code[128 * n + 32 * j + l] = (int8_t)(b[16 + 32 * n + l] >> (2 * j) & 3);
}

static void get_q3_k(const uint8_t *b, r1_codes *o)
{
    o->run = 16;
    o->d = half_at(b + 108);
    for (int k = 0; k < 16; k++) {
        int lo = k < 8 ? b[96 + k] & 15 : b[96 + k - 8] >> 4, hi = b[104 + k % 4] >> (2 * (k / 4)) & 3;
        o->scale[k] = (int8_t)((lo | hi << 4) - 32);
    }
    for (int n = 0; n < 2; n++)
        for (int j = 0; j < 4; j++)
            for (int l = 0; l < 32; l++) {
                int q = b[32 + 32 * n + l] >> (2 * j) & 3, high = b[l] >> (4 * n + j) & 1;
                o->code[128 * n + 32 * j + l] = (int8_t)(q - (high ? 0 : 4));
            }
}

/* Eight 6-bit scales and minimums in 12 bytes (Q4_K and Q5_K). */
static void scales_6(const uint8_t *c, r1_codes *o)
{
    for (int s = 0; s < 4; s++) {
        o->scale[s] = (int8_t)(c[s] & 63);
        o->min[s] = c[s + 4] & 63;
        o->scale[s + 4] = (int8_t)((c[s + 8] & 15) | c[s] >> 6 << 4);
        o->min[s + 4] = (uint8_t)(c[s + 8] >> 4 | c[s + 4] >> 6 << 4);
    }
}

/* Q4_K, and Q5_K with its fifth bits qh (else NULL). */
static void get_q45_k(const uint8_t *b, const uint8_t *qh, const uint8_t *qs, r1_codes *o)
{
    o->run = 32;
    o->has_min = true;
    o->d = half_at(b);
    o->dmin = half_at(b + 2);
    scales_6(b + 4, o);
    for (int s = 0; s < 8; s++)
        for (int l = 0; l < 32; l++) {
            int v = qs[32 * (s / 2) + l], nib = s & 1 ? v >> 4 : v & 15;
            o->code[32 * s + l] = (int8_t)(qh ? nib | (qh[l] >> s & 1) << 4 : nib);
        }
}

static void get_q6_k(const uint8_t *b, r1_codes *o)
{
    o->run = 16;
    o->d = half_at(b + 208);
    memcpy(o->scale, b + 192, 16);
    for (int n = 0; n < 2; n++)
        for (int j = 0; j < 4; j++)
            for (int l = 0; l < 32; l++) {
                int v = b[64 * n + l + 32 * (j & 1)], lo = j < 2 ? v & 15 : v >> 4;
                int hi = b[128 + 32 * n + l] >> (2 * j) & 3;
                o->code[128 * n + 32 * j + l] = (int8_t)((lo | hi << 4) - 32);
            }
}

static void get_iq4_xs(const uint8_t *b, r1_codes *o)
{
    o->run = 32;
    o->d = half_at(b);
    unsigned high = u16_at(b + 2);
    for (unsigned s = 0; s < 8; s++) {
        unsigned lo = b[4 + s / 2] >> (4 * (s % 2)) & 15u, hi = high >> (2 * s) & 3;
        o->scale[s] = (int8_t)((int)(lo | hi << 4) - 32);
        lookup_32(o->code + 32 * s, b + 8 + 16 * s, r1_iq4_values);
    }
}

void r1_codes_get(r1_type t, const void *block, r1_codes *o)
{
    const uint8_t *b = block;
    o->dmin = 0;
    o->has_min = false;
    o->n = 256;
    switch (t) {
    case R1_Q2_K: get_q2_k(b, o); break;
    case R1_Q3_K: get_q3_k(b, o); break;
    case R1_Q4_K: get_q45_k(b, NULL, b + 16, o); break;
    case R1_Q5_K: get_q45_k(b, b + 16, b + 48, o); break;
    case R1_Q6_K: get_q6_k(b, o); break;
    case R1_IQ4_XS: get_iq4_xs(b, o); break;
    default: get_32(t, b, o); break;
    }
}

static void decode_block(const r1_codes *c, float *dst)
{
    for (int s = 0; s < c->n / c->run; s++) {
        float scale = c->d * (float)c->scale[s], min = c->has_min ? c->dmin * (float)c->min[s] : 0;
        const int8_t *code = c->code + s * c->run;
        for (int i = 0; i < c->run; i++) dst[s * c->run + i] = scale * (float)code[i] - min;
    }
}

void r1_decode(r1_type t, const void *src, float *dst, size_t n)
{
    const r1_type_info *info = r1_type_get(t);
    const uint8_t *b = src;
    switch (t) {
    case R1_F32: memcpy(dst, b, n * 4); return;
    case R1_F16: for (size_t i = 0; i < n; i++) dst[i] = half_at(b + 2 * i); return;
    case R1_BF16: for (size_t i = 0; i < n; i++) dst[i] = r1_bf16_to_f32(u16_at(b + 2 * i)); return;
    case R1_F8_E4M3: for (size_t i = 0; i < n; i++) dst[i] = r1_e4m3_table[b[i]]; return;
    default: break;
    }
    r1_codes c;
    for (size_t i = 0; i < n; i += info->block, b += info->bytes) {
        r1_codes_get(t, b, &c);
        decode_block(&c, dst + i);
    }
}
