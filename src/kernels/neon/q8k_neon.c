/* Packed int8 products of the 256-value formats (Q2_K ... Q6_K, IQ4_XS), NEON with dot products.
 *
 * As q8_neon.c, with integers twice: within a run (16 or 32 values) the dot of the codes, over the runs of a block the sum of
 * dot * sub-scale, all in int32. Codes are taken apart with their signs, which costs Q3_K and IQ4_XS nothing and Q6_K one
 * subtraction for 8 columns, so only minimums need one more integer per block, u = sum over runs of minimum * (sum of
 * activations). Sums of runs fit 16 bits, and smlal multiplies the minimums of 4 rows with a sum taken by lane. Then
 *
 *   acc = fma(t, dw * dx, acc), and with minimum acc = fma(-u, dmin * dx, acc)
 *
 * Largest sums: t 32 * 127 * 128 * 256 < 2^28 (Q6_K), 127 * 127 * 32 * 256 < 2^28 (IQ4_XS). */
#include "kernels/act_tile.h"
#include "kernels/neon/neon_int.h"

INLINE bool has_min(r1_type t) { return t == R1_Q2_K || t == R1_Q4_K || t == R1_Q5_K; }
INLINE bool by_16(r1_type t) { return t == R1_Q2_K || t == R1_Q3_K || t == R1_Q6_K; }
/* Where d stands in a block; dmin, if any, is the next field. */
INLINE unsigned scale_at(r1_type t) { return t == R1_Q2_K ? 1280 : t == R1_Q3_K ? 1728 : t == R1_Q6_K ? 3328 : 0; }
/* 32-bit words of the sums of a column's block. */
INLINE int n_sums(r1_type t) { return t == R1_Q2_K ? 8 : 4; }

/* ---- sub-scales ---- */

/* Sub-scales and minimums of a quad's block, a register for each run. */
typedef struct runs {
    int32x4_t scale[16];
    int16x4_t min[16];
} runs;

/* Byte k of each lane, with its sign. */
INLINE int32x4_t byte_of(int8x16_t v, const int k)
{
    const int32x4_t w = vreinterpretq_s32_s8(v);
    switch (k) {
    case 0: return vshrq_n_s32(vshlq_n_s32(w, 24), 24);
    case 1: return vshrq_n_s32(vshlq_n_s32(w, 16), 24);
    case 2: return vshrq_n_s32(vshlq_n_s32(w, 8), 24);
    default: return vshrq_n_s32(w, 24);
    }
}

/* Sub-scales of runs [first, first + 4), and minimums. */
INLINE void put_scales(runs *o, const int first, int8x16_t v)
{
    UNROLL for (int k = 0; k < 4; k++) o->scale[first + k] = byte_of(v, k);
}

INLINE void put_mins(runs *o, const int first, uint8x16_t v)
{
    UNROLL for (int k = 0; k < 4; k++) o->min[first + k] = vmovn_s32(byte_of(vreinterpretq_s8_u8(v), k));
}

/* low with the bits of high on top of its four; for Q3_K less 32. */
INLINE uint8x16_t six_bits(uint8x16_t low, uint8x16_t high) { return vsliq_n_u8(low, high, 4); }
INLINE int8x16_t six_signed(uint8x16_t low, uint8x16_t high)
{
    return vsubq_s8(vreinterpretq_s8_u8(six_bits(low, vandq_u8(high, vdupq_n_u8(3)))), vdupq_n_s8(32));
}

/* b points at the quad of the field. */
INLINE void runs_q45_k(const uint8_t *b, runs *o)
{
    const uint8x16_t s = vld1q_u8(b), m = vld1q_u8(b + 64), both = vld1q_u8(b + 128), low6 = vdupq_n_u8(63);
    put_scales(o, 0, vreinterpretq_s8_u8(vandq_u8(s, low6)));
    put_scales(o, 4, vreinterpretq_s8_u8(six_bits(vandq_u8(both, vdupq_n_u8(15)), vshrq_n_u8(s, 6))));
    put_mins(o, 0, vandq_u8(m, low6));
    put_mins(o, 4, six_bits(vshrq_n_u8(both, 4), vshrq_n_u8(m, 6)));
}

INLINE void runs_q2_k(const uint8_t *b, runs *o)
{
    UNROLL for (int i = 0; i < 4; i++) {
        const uint8x16_t v = vld1q_u8(b + 64 * i);
        put_scales(o, 4 * i, vreinterpretq_s8_u8(vandq_u8(v, vdupq_n_u8(15))));
        put_mins(o, 4 * i, vshrq_n_u8(v, 4));
    }
}

INLINE void runs_q3_k(const uint8_t *b, runs *o)
{
    const uint8x16_t u = vld1q_u8(b), v = vld1q_u8(b + 64), high = vld1q_u8(b + 128), low4 = vdupq_n_u8(15);
    put_scales(o, 0, six_signed(vandq_u8(u, low4), high));
    put_scales(o, 4, six_signed(vandq_u8(v, low4), vshrq_n_u8(high, 2)));
    put_scales(o, 8, six_signed(vshrq_n_u8(u, 4), vshrq_n_u8(high, 4)));
    put_scales(o, 12, six_signed(vshrq_n_u8(v, 4), vshrq_n_u8(high, 6)));
}

INLINE void runs_q6_k(const uint8_t *b, runs *o)
{
    UNROLL for (int i = 0; i < 4; i++) put_scales(o, 4 * i, vreinterpretq_s8_u8(vld1q_u8(b + 64 * i)));
}

/* b points at the block. */
INLINE void runs_iq4_xs(const uint8_t *b, unsigned quad, runs *o)
{
    const uint32x4_t high = vmovl_u16(vreinterpret_u16_u8(vld1_u8(b + 32 + 8 * quad)));
    const uint32x4_t low = vreinterpretq_u32_u8(vld1q_u8(b + 64 + 16 * quad));
    UNROLL for (int k = 0; k < 8; k++) {
        const uint32x4_t lo = vandq_u32(vshlq_u32(low, vdupq_n_s32(-4 * k)), vdupq_n_u32(15));
        const uint32x4_t hi = vandq_u32(vshlq_u32(high, vdupq_n_s32(-2 * k)), vdupq_n_u32(3));
        o->scale[k] = vsubq_s32(vreinterpretq_s32_u32(vsliq_n_u32(lo, hi, 4)), vdupq_n_s32(32));
    }
}

INLINE void get_runs(r1_type t, const uint8_t *b, unsigned quad, runs *o)
{
    switch (t) {
    case R1_Q2_K: runs_q2_k(b + 16 * quad, o); break;
    case R1_Q3_K: runs_q3_k(b + 1536 + 16 * quad, o); break;
    case R1_Q4_K:
    case R1_Q5_K: runs_q45_k(b + 64 + 16 * quad, o); break;
    case R1_Q6_K: runs_q6_k(b + 3072 + 16 * quad, o); break;
    default: runs_iq4_xs(b, quad, o); break;
    }
}

/* ---- codes ---- */

/* Groups of 32 values in the body of the loop: those that share bytes, so that their shifts are constants. */
INLINE unsigned groups_at_once(r1_type t) { return t == R1_IQ4_XS ? 1 : t == R1_Q4_K || t == R1_Q5_K ? 2 : 4; }

INLINE uint8x16_t two_bits(uint8x16_t v, const unsigned j)
{
    const uint8x16_t low2 = vdupq_n_u8(3);
    switch (j) {
    case 0: return vandq_u8(v, low2);
    case 1: return vandq_u8(vshrq_n_u8(v, 2), low2);
    case 2: return vandq_u8(vshrq_n_u8(v, 4), low2);
    default: return vshrq_n_u8(v, 6);
    }
}

/* Q6_K: four bits of lo under two bits of hi, less 32. */
INLINE int8x16_t six_q6_k(uint8x16_t lo, uint8x16_t hi, const unsigned j)
{
    if (j % 2) hi = vshrq_n_u8(hi, 2);
    const uint8x16_t v = j < 2 ? vsliq_n_u8(lo, hi, 4) : vsriq_n_u8(hi, lo, 4);
    return vsubq_s8(vreinterpretq_s8_u8(vandq_u8(v, vdupq_n_u8(63))), vdupq_n_s8(32));
}

/* Codes of values 32(g + j) + 4i .. + 3, where g is a multiple of groups_at_once and j a constant below it; b points at the quad. */
INLINE int8x16_t codes(r1_type t, const uint8_t *b, const unsigned g, const unsigned j, const int i)
{
    if (t == R1_IQ4_XS) {
        const uint8x16_t v = vld1q_u8(b + 128 + 256 * g + 64 * (i % 4));
        return vqtbl1q_s8(vld1q_s8(r1_iq4_values), i < 4 ? vandq_u8(v, vdupq_n_u8(15)) : vshrq_n_u8(v, 4));
    }
    if (t == R1_Q6_K)
        return six_q6_k(vld1q_u8(b + 256 * g + 512 * (j & 1) + 64 * i), vld1q_u8(b + 2048 + 128 * g + 64 * i), j);
    if (t == R1_Q2_K) return vreinterpretq_s8_u8(two_bits(vld1q_u8(b + 256 + 128 * g + 64 * i), j));
    const uint8x16_t bit = vdupq_n_u8((uint8_t)(1u << (g + j)));
    if (t == R1_Q3_K) {
        const uint8x16_t low = two_bits(vld1q_u8(b + 512 + 128 * g + 64 * i), j);
        return vreinterpretq_s8_u8(vsubq_u8(low, vbicq_u8(vdupq_n_u8(4), vtstq_u8(vld1q_u8(b + 64 * i), bit))));
    }
    const uint8x16_t v = vld1q_u8(b + (t == R1_Q4_K ? 256 : 768) + 256 * g + 64 * i);
    const uint8x16_t low = j == 0 ? vandq_u8(v, vdupq_n_u8(15)) : vshrq_n_u8(v, 4);
    if (t == R1_Q4_K) return vreinterpretq_s8_u8(low);
    return vreinterpretq_s8_u8(vorrq_u8(low, vandq_u8(vtstq_u8(vld1q_u8(b + 256 + 64 * i), bit), vdupq_n_u8(16))));
}

/* ---- the tile ---- */

/* What a tile keeps in memory, touched once per 256 values, so that the inner loop has the registers for itself. */
typedef struct tile_memory {
    float32x4_t acc[8];  /* [nc][nj] */
    int32x4_t isum[8];
    runs r[4];           /* [nj] */
} tile_memory;

/* isum[c * nj + j] += group g + k of nj quads with nc columns. */
INLINE void add_group(r1_type t, const int nc, const int nj, int32x4_t *isum, const runs *r, const uint8_t *b, unsigned g, const unsigned k, const int8_t *q)
{
    int32x4_t dot[8];
    UNROLL for (int h = 0; h < 2; h++) {
        int8x16_t a[8];
        UNROLL for (int c = 0; c < nc; c++) a[c] = vld1q_s8(q + c * 32 + 16 * h);
        UNROLL for (int i = 0; i < 4; i++) {
            if (i % 2 == 0) b = anew(b);
            UNROLL for (int j = 0; j < nj; j++) {
                const bool begin = i == 0 && (h == 0 || by_16(t));
                const int8x16_t w = codes(t, b + 16 * j, g, k, 4 * h + i);
                UNROLL for (int c = 0; c < nc; c++) dot[c * nj + j] = dot_lane(begin ? vdupq_n_s32(0) : dot[c * nj + j], w, a[c], i);
            }
        }
        if (h == 0 && !by_16(t)) continue;
        UNROLL for (int j = 0; j < nj; j++) {
            const int32x4_t scale = r[j].scale[by_16(t) ? 2 * (g + k) + (unsigned)h : g + k];
            UNROLL for (int c = 0; c < nc; c++) isum[c * nj + j] = vmlaq_s32(isum[c * nj + j], dot[c * nj + j], scale);
        }
    }
}

INLINE int32x4_t mul_lane(int32x4_t acc, int16x4_t m, int16x8_t s, const int k)
{
    switch (k) {
    case 0: return vmlal_laneq_s16(acc, m, s, 0);
    case 1: return vmlal_laneq_s16(acc, m, s, 1);
    case 2: return vmlal_laneq_s16(acc, m, s, 2);
    case 3: return vmlal_laneq_s16(acc, m, s, 3);
    case 4: return vmlal_laneq_s16(acc, m, s, 4);
    case 5: return vmlal_laneq_s16(acc, m, s, 5);
    case 6: return vmlal_laneq_s16(acc, m, s, 6);
    default: return vmlal_laneq_s16(acc, m, s, 7);
    }
}

/* Sum over runs of minimum * sum, for one column. */
INLINE int32x4_t minimums(r1_type t, const runs *r, const int32_t *s)
{
    int32x4_t u = vdupq_n_s32(0);
    UNROLL for (int p = 0; p < n_sums(t) / 4; p++) {
        const int16x8_t sums = vreinterpretq_s16_s32(vld1q_s32(s + 4 * p));
        UNROLL for (int k = 0; k < 8; k++) u = mul_lane(u, r->min[8 * p + k], sums, k);
    }
    return u;
}

/* The float steps of one block, a column at a time. */
INLINE void finish_block(r1_type t, const int nc, const int nj, const uint8_t *b, unsigned quad, const float *d, const int32_t *s, tile_memory *m)
{
    UNROLL for (int j = 0; j < nj; j++) {
        const uint8_t *at = b + scale_at(t) + 8 * (quad + (unsigned)j);
        const float32x4_t dw = load_f16(at), dmin = has_min(t) ? load_f16(at + 32) : dw;
        KEEP_LOOP for (int c = 0; c < nc; c++) {
            float32x4_t acc = vfmaq_f32(m->acc[c * nj + j], vcvtq_f32_s32(m->isum[c * nj + j]), vmulq_n_f32(dw, d[c]));
            if (has_min(t)) acc = vfmsq_f32(acc, vcvtq_f32_s32(minimums(t, &m->r[j], s + c * n_sums(t))), vmulq_n_f32(dmin, d[c]));
            m->acc[c * nj + j] = acc;
        }
    }
}

/* Quads [quad, quad + nj) of the panel. */
INLINE void some_quads(r1_type t, const int nc, const int nj, const unsigned block_bytes, const q8_tile *a, unsigned quad)
{
    const unsigned per = groups_at_once(t);
    const uint8_t *b = a->w;
    const int8_t *q = a->q;
    const float *d = a->d;
    const int32_t *s = a->s;
    float *y = a->y + 4 * quad;
    const size_t rows = a->rows - 4 * quad;
    tile_memory m;
    KEEP_LOOP for (int c = 0; c < nc; c++)
        UNROLL for (int j = 0; j < nj; j++)
            m.acc[c * nj + j] = a->first ? vdupq_n_f32(0) : load_n(y + (size_t)c * a->ldy + 4 * j, after(rows, 4 * (size_t)j));
    for (size_t n = a->n_blocks; n > 0; n--) {
        int32x4_t isum[8];
        UNROLL for (int j = 0; j < nj; j++) get_runs(t, b, quad + (unsigned)j, &m.r[j]);
        UNROLL for (int c = 0; c < nc * nj; c++) isum[c] = vdupq_n_s32(0);
        for (unsigned g = 0; g < 8; g += per)
            UNROLL for (unsigned k = 0; k < per; k++, q += nc * 32) add_group(t, nc, nj, isum, m.r, b + 16 * quad, g, k, q);
        UNROLL for (int c = 0; c < nc * nj; c++) m.isum[c] = isum[c];
        finish_block(t, nc, nj, b, quad, d, s, &m);
        b += block_bytes;
        d += nc;
        s += nc * n_sums(t);
    }
    KEEP_LOOP for (int c = 0; c < nc; c++)
        UNROLL for (int j = 0; j < nj; j++) store_n(y + (size_t)c * a->ldy + 4 * j, after(rows, 4 * (size_t)j), m.acc[c * nj + j]);
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

static void tiles_q2_k(const q8_tile *a, int nc) { tiles(R1_Q2_K, 1344, a, nc); }
static void tiles_q3_k(const q8_tile *a, int nc) { tiles(R1_Q3_K, 1760, a, nc); }
static void tiles_q4_k(const q8_tile *a, int nc) { tiles(R1_Q4_K, 2304, a, nc); }
static void tiles_q5_k(const q8_tile *a, int nc) { tiles(R1_Q5_K, 2816, a, nc); }
static void tiles_q6_k(const q8_tile *a, int nc) { tiles(R1_Q6_K, 3360, a, nc); }
static void tiles_iq4_xs(const q8_tile *a, int nc) { tiles(R1_IQ4_XS, 2176, a, nc); }

ENTRY(matmul_q2_k_neon, tiles_q2_k, 256, 1344, SUMS_PAIR16, 0, 8)
ENTRY(matmul_q3_k_neon, tiles_q3_k, 256, 1760, SUMS_PAIR32, 0, 8)
ENTRY(matmul_q4_k_neon, tiles_q4_k, 256, 2304, SUMS_PAIR32, 0, 8)
ENTRY(matmul_q5_k_neon, tiles_q5_k, 256, 2816, SUMS_PAIR32, 0, 8)
ENTRY(matmul_q6_k_neon, tiles_q6_k, 256, 3360, SUMS_PAIR32, 0, 8)
ENTRY(matmul_iq4_xs_neon, tiles_iq4_xs, 256, 2176, SUMS_PAIR32, 0, 8)

void r1_neon_fill_q8k(r1_kernels *k)
{
    k->matmul_q8[R1_Q2_K] = matmul_q2_k_neon;
    k->matmul_q8[R1_Q3_K] = matmul_q3_k_neon;
    k->matmul_q8[R1_Q4_K] = matmul_q4_k_neon;
    k->matmul_q8[R1_Q5_K] = matmul_q5_k_neon;
    k->matmul_q8[R1_Q6_K] = matmul_q6_k_neon;
    k->matmul_q8[R1_IQ4_XS] = matmul_iq4_xs_neon;
}
