/* Packed int8 products of the 32-value formats, NEON with dot products.
 *
 * A register holds 4 consecutive values of 4 rows (a quad), one row per lane, just as the panel stores them, and sdot multiplies it
 * with 4 activations taken by lane from a register that holds 16 of a column; no broadcast is needed. Codes below 128 are signed
 * bytes as they are, so the formats with an offset start their dot at -offset * (sum of activations), and the tables of IQ4_NL
 * and MXFP4 are used with their signs: the integer is the exact product of the signed codes.
 *
 * A tile is nc columns of as many quads as registers allow (quads_of); its counts are constants, so everything stays there. */
#include "kernels/act_tile.h"
#include "kernels/neon/neon_int.h"

INLINE bool has_min(r1_type t) { return t == R1_Q4_1 || t == R1_Q5_1; }
INLINE bool has_offset(r1_type t) { return t == R1_Q4_0 || t == R1_Q5_0; }

/* Where qs stands in a block of a panel. */
INLINE unsigned codes_at(r1_type t)
{
    return t == R1_Q4_1 ? 64 : t == R1_Q5_0 ? 96 : t == R1_Q5_1 ? 128 : t == R1_MXFP4 ? 16 : 32;
}

/* 16 where the fifth bit is set: bit 4i + b of a row's qh belongs to byte b of unit i. */
INLINE uint8x16_t fifth_bit(const uint8_t *qh, const int i)
{
    const uint8x16_t first = vcombine_u8(vcreate_u8(0x0404040400000000u), vcreate_u8(0x0C0C0C0C08080808u));
    const uint8x16_t byte = vqtbl1q_u8(vld1q_u8(qh), vaddq_u8(first, vdupq_n_u8((uint8_t)(i / 2))));
    const uint8x16_t bit = vreinterpretq_u8_u32(vdupq_n_u32(i % 2 ? 0x80402010u : 0x08040201u));
    return vandq_u8(vtstq_u8(byte, bit), vdupq_n_u8(16));
}

/* Codes of values 4i .. 4i + 3; b points at the quad: every unit of a panel has its 16 rows side by side. */
INLINE int8x16_t codes(r1_type t, const uint8_t *b, const int i)
{
    if (t == R1_Q8_0) return vreinterpretq_s8_u8(vld1q_u8(b + 32 + 64 * i));
    const uint8x16_t v = vld1q_u8(b + codes_at(t) + 64 * (i % 4));
    uint8x16_t w = i < 4 ? vandq_u8(v, vdupq_n_u8(15)) : vshrq_n_u8(v, 4);
    if (t == R1_IQ4_NL) return vqtbl1q_s8(vld1q_s8(r1_iq4_values), w);
    if (t == R1_MXFP4) return vqtbl1q_s8(vld1q_s8(r1_mxfp4_values), w);
    if (t == R1_Q5_0) w = vorrq_u8(w, fifth_bit(b + 32, i));
    if (t == R1_Q5_1) w = vorrq_u8(w, fifth_bit(b + 64, i));
    return vreinterpretq_s8_u8(w);
}

/* Scales of a quad. MXFP4: 2^(e - 128), below the normal range 2^-127 and 2^-128. */
INLINE float32x4_t scales(r1_type t, const uint8_t *b, unsigned quad)
{
    if (t != R1_MXFP4) return load_f16(b + 8 * quad);
    uint32_t bytes;
    memcpy(&bytes, b + 4 * quad, 4);
    const uint32x4_t e = vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(bytes))));
    const uint32x4_t normal = vshlq_n_u32(vsubq_u32(e, vdupq_n_u32(1)), 23);
    const uint32x4_t small = vshlq_u32(vdupq_n_u32(0x00200000), vreinterpretq_s32_u32(e));
    return vreinterpretq_f32_u32(vbslq_u32(vcltq_u32(e, vdupq_n_u32(2)), small, normal));
}

/* dot[c * nj + j] += a block of nj quads with nc columns. */
INLINE void add_block(r1_type t, const int nc, const int nj, int32x4_t *dot, const uint8_t *b, const int8_t *q)
{
    UNROLL for (int h = 0; h < 2; h++) {
        int8x16_t a[8];
        UNROLL for (int c = 0; c < nc; c++) a[c] = vld1q_s8(q + c * 32 + 16 * h);
        UNROLL for (int i = 0; i < 4; i++) {
            if (i % 2 == 0) b = anew(b);
            UNROLL for (int j = 0; j < nj; j++) {
                const int8x16_t w = codes(t, b + 16 * j, 4 * h + i);
                UNROLL for (int c = 0; c < nc; c++) dot[c * nj + j] = dot_lane(dot[c * nj + j], w, a[c], i);
            }
        }
    }
}

/* Quads [quad, quad + nj) of the panel. */
INLINE void some_quads(r1_type t, const int nc, const int nj, const unsigned block_bytes, const q8_tile *a, unsigned quad)
{
    const uint8_t *b = a->w;
    const int8_t *q = a->q;
    const float *d = a->d;
    const int32_t *s = a->s;
    float *y = a->y + 4 * quad;
    const size_t rows = a->rows - 4 * quad;
    float32x4_t acc[8];
    UNROLL for (int c = 0; c < nc; c++)
        UNROLL for (int j = 0; j < nj; j++)
            acc[c * nj + j] = a->first ? vdupq_n_f32(0) : load_n(y + (size_t)c * a->ldy + 4 * j, after(rows, 4 * (size_t)j));
    for (size_t n = a->n_blocks; n > 0; n--) {
        int32x4_t dot[8];
        float32x4_t dw[4], m[4];
        UNROLL for (int c = 0; c < nc; c++)
            UNROLL for (int j = 0; j < nj; j++) dot[c * nj + j] = vdupq_n_s32(has_offset(t) ? s[c] : 0);
        add_block(t, nc, nj, dot, b + 16 * quad, q);
        UNROLL for (int j = 0; j < nj; j++) {
            dw[j] = scales(t, b, quad + (unsigned)j);
            m[j] = has_min(t) ? load_f16(b + 32 + 8 * (quad + (unsigned)j)) : dw[j];
        }
        UNROLL for (int c = 0; c < nc; c++)
            UNROLL for (int j = 0; j < nj; j++) {
                float32x4_t *o = &acc[c * nj + j];
                *o = vfmaq_f32(*o, vcvtq_f32_s32(dot[c * nj + j]), vmulq_n_f32(dw[j], d[c]));
                if (has_min(t)) *o = vfmaq_f32(*o, vreinterpretq_f32_s32(vdupq_n_s32(s[c])), vmulq_n_f32(m[j], d[c]));
            }
        b += block_bytes;
        q += nc * 32;
        d += nc;
        s += nc;
    }
    UNROLL for (int c = 0; c < nc; c++)
        UNROLL for (int j = 0; j < nj; j++) store_n(y + (size_t)c * a->ldy + 4 * j, after(rows, 4 * (size_t)j), acc[c * nj + j]);
}

INLINE void tile(r1_type t, const int nc, const unsigned block_bytes, const q8_tile *a)
{
    for (unsigned quad = 0; 4 * quad < a->rows; quad += (unsigned)quads_of(nc)) some_quads(t, nc, quads_of(nc), block_bytes, a, quad);
}

INLINE void tiles(r1_type t, const unsigned block_bytes, const q8_tile *a, int nc)
{
    switch (nc) {
    case 8: tile(t, 8, block_bytes, a); break;
    case 4: tile(t, 4, block_bytes, a); break;
    case 2: tile(t, 2, block_bytes, a); break;
    default: tile(t, 1, block_bytes, a); break;
    }
}

static void tiles_q4_0(const q8_tile *a, int nc) { tiles(R1_Q4_0, 288, a, nc); }
static void tiles_q4_1(const q8_tile *a, int nc) { tiles(R1_Q4_1, 320, a, nc); }
static void tiles_q5_0(const q8_tile *a, int nc) { tiles(R1_Q5_0, 352, a, nc); }
static void tiles_q5_1(const q8_tile *a, int nc) { tiles(R1_Q5_1, 384, a, nc); }
static void tiles_q8_0(const q8_tile *a, int nc) { tiles(R1_Q8_0, 544, a, nc); }
static void tiles_iq4_nl(const q8_tile *a, int nc) { tiles(R1_IQ4_NL, 288, a, nc); }
static void tiles_mxfp4(const q8_tile *a, int nc) { tiles(R1_MXFP4, 272, a, nc); }

ENTRY(matmul_q4_0_neon, tiles_q4_0, 32, 288, SUMS_OFFSET, 8, 8)
ENTRY(matmul_q4_1_neon, tiles_q4_1, 32, 320, SUMS_FLOAT, 0, 8)
ENTRY(matmul_q5_0_neon, tiles_q5_0, 32, 352, SUMS_OFFSET, 16, 8)
ENTRY(matmul_q5_1_neon, tiles_q5_1, 32, 384, SUMS_FLOAT, 0, 8)
ENTRY(matmul_q8_0_neon, tiles_q8_0, 32, 544, SUMS_OFFSET, 0, 8)
ENTRY(matmul_iq4_nl_neon, tiles_iq4_nl, 32, 288, SUMS_OFFSET, 0, 8)
ENTRY(matmul_mxfp4_neon, tiles_mxfp4, 32, 272, SUMS_OFFSET, 0, 8)

void r1_neon_fill_q8(r1_kernels *k)
{
    k->matmul_q8[R1_Q4_0] = matmul_q4_0_neon;
    k->matmul_q8[R1_Q4_1] = matmul_q4_1_neon;
    k->matmul_q8[R1_Q5_0] = matmul_q5_0_neon;
    k->matmul_q8[R1_Q5_1] = matmul_q5_1_neon;
    k->matmul_q8[R1_Q8_0] = matmul_q8_0_neon;
    k->matmul_q8[R1_IQ4_NL] = matmul_iq4_nl_neon;
    k->matmul_q8[R1_MXFP4] = matmul_mxfp4_neon;
}
