/* Packed int8 products of the 256-value formats, AVX2. As q8k_avx512.c with half a panel at a time: 8 rows in a register, tiles
 * of up to 4 columns, and dot_avx2.h for the integers, which multiplies by the sub-scale where it widens. IQ4_XS keeps signed
 * codes and needs no u. */
#include "kernels/act_tile.h"
#include "kernels/avx2/dot_avx2.h"

/* Sub-scales of a block, each twice in a lane as 16 bits, and the factors of the sums, two runs to a lane. */
typedef struct runs {
    __m256i scale[16];
    __m256i pair[8];
} runs;

/* Signed bytes x and y of each lane as the two 16-bit halves. */
INLINE __m256i two_bytes(__m256i v, int x, int y)
{
    const int first = 0x00800080 | x << 8 | y << 24; /* -1 gives zero: the byte comes to the upper half */
    const __m128i order = _mm_setr_epi32(first, first + 0x04000400, first + 0x08000800, first + 0x0C000C00);
    return _mm256_srai_epi16(_mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(order)), 8);
}

/* 4n sub-scales of each row, four in a lane. */
INLINE void spread(__m256i scale[16], const __m256i v[4], int n)
{
    UNROLL for (int k = 0; k < 16; k++) {
        if (k >= 4 * n) break;
        scale[k] = two_bytes(v[k / 4], k % 4, k % 4);
    }
}

INLINE void spread_pairs(__m256i pair[8], const __m256i v[4], int n)
{
    UNROLL for (int k = 0; k < 8; k++) {
        if (k >= 2 * n) break;
        pair[k] = two_bytes(v[k / 2], k % 2 * 2, k % 2 * 2 + 1);
    }
}

INLINE __m256i part(__m256i v, int shift, int mask)
{
    return _mm256_and_si256(_mm256_srli_epi32(v, shift), _mm256_set1_epi8((char)mask));
}

INLINE __m256i high_bits(__m256i low, __m256i v, int shift)
{
    return _mm256_or_si256(low, _mm256_slli_epi32(part(v, shift, 3), 4));
}

INLINE void runs_q45_k(const uint8_t *scales, runs *o)
{
    const __m256i a = load256(scales), b = load256(scales + 64), c = load256(scales + 128);
    const __m256i s[4] = { part(a, 0, 63), high_bits(part(c, 0, 15), a, 6) };
    const __m256i m[4] = { part(b, 0, 63), high_bits(part(c, 4, 15), b, 6) };
    spread(o->scale, s, 2);
    spread_pairs(o->pair, m, 2);
}

INLINE void runs_q2_k(const uint8_t *scales, runs *o)
{
    __m256i s[4], m[4];
    UNROLL for (int i = 0; i < 4; i++) {
        const __m256i v = load256(scales + 64 * i);
        s[i] = part(v, 0, 15);
        m[i] = part(v, 4, 15);
    }
    spread(o->scale, s, 4);
    spread_pairs(o->pair, m, 4);
}

INLINE void runs_q3_k(const uint8_t *scales, runs *o)
{
    const __m256i a = load256(scales), b = load256(scales + 64), c = load256(scales + 128), bias = _mm256_set1_epi8(32);
    const __m256i s[4] = {
        _mm256_sub_epi8(high_bits(part(a, 0, 15), c, 0), bias), _mm256_sub_epi8(high_bits(part(b, 0, 15), c, 2), bias),
        _mm256_sub_epi8(high_bits(part(a, 4, 15), c, 4), bias), _mm256_sub_epi8(high_bits(part(b, 4, 15), c, 6), bias),
    };
    spread(o->scale, s, 4);
    spread_pairs(o->pair, s, 4);
}

INLINE void runs_q6_k(const uint8_t *scales, runs *o)
{
    const __m256i s[4] = { load256(scales), load256(scales + 64), load256(scales + 128), load256(scales + 192) };
    spread(o->scale, s, 4);
    spread_pairs(o->pair, s, 4);
}

INLINE void runs_iq4_xs(const uint8_t *b, int half, runs *o)
{
    const __m256i high = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(b + 32 + 16 * half))), low = load256(b + 64 + 32 * half);
    UNROLL for (int k = 0; k < 8; k++) {
        const __m256i lo = _mm256_and_si256(_mm256_srli_epi32(low, 4 * k), _mm256_set1_epi32(15));
        const __m256i hi = _mm256_and_si256(_mm256_srli_epi32(high, 2 * k), _mm256_set1_epi32(3));
        const __m256i s = _mm256_sub_epi32(_mm256_or_si256(lo, _mm256_slli_epi32(hi, 4)), _mm256_set1_epi32(32));
        o->scale[k] = _mm256_blend_epi16(s, _mm256_slli_epi32(s, 16), 0xAA);
    }
}

INLINE void get_runs(r1_type t, const uint8_t *b, int half, runs *o)
{
    switch (t) {
    case R1_Q2_K: runs_q2_k(b + 32 * half, o); break;
    case R1_Q3_K: runs_q3_k(b + 1536 + 32 * half, o); break;
    case R1_Q4_K:
    case R1_Q5_K: runs_q45_k(b + 64 + 32 * half, o); break;
    case R1_Q6_K: runs_q6_k(b + 3072 + 32 * half, o); break;
    default: runs_iq4_xs(b, half, o); break;
    }
}

/* value where bit is set in v, else 0. */
INLINE __m256i if_bit(__m256i v, __m256i bit, int value)
{
    return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(v, bit), bit), _mm256_set1_epi8((char)value));
}

/* Codes of values 32g .. 32g + 31; w[i] holds four consecutive ones. b points at the half. */
INLINE void unpack(r1_type t, const uint8_t *b, unsigned g, __m256i w[8])
{
    const __m256i low4 = _mm256_set1_epi8(15), low2 = _mm256_set1_epi8(3), bit = _mm256_set1_epi8((char)(1u << g));
    const __m128i nibble = _mm_cvtsi32_si128((int)(4 * (g & 1))), two_bits = _mm_cvtsi32_si128((int)(2 * (g & 3)));
    if (t == R1_IQ4_XS) {
        const __m256i table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)r1_iq4_values));
        UNROLL for (unsigned i = 0; i < 4; i++) {
            const __m256i v = load256(b + 128 + 64 * (4 * g + i));
            w[i] = _mm256_shuffle_epi8(table, _mm256_and_si256(v, low4));
            w[i + 4] = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(v, 4), low4));
        }
        return;
    }
    if (t == R1_Q2_K || t == R1_Q3_K) {
        const uint8_t *qs = b + (t == R1_Q2_K ? 256 : 512) + 512 * (g / 4);
        UNROLL for (int i = 0; i < 8; i++) {
            w[i] = _mm256_and_si256(_mm256_srl_epi16(load256(qs + 64 * i), two_bits), low2);
            if (t == R1_Q3_K) w[i] = _mm256_or_si256(w[i], if_bit(load256(b + 64 * i), bit, 4));
        }
        return;
    }
    if (t == R1_Q6_K) {
        const uint8_t *ql = b + 64 * (16 * (g / 4) + 8 * (g & 1)), *qh = b + 2048 + 512 * (g / 4);
        const __m128i high = _mm_cvtsi32_si128((int)(2 * (g & 2)));
        UNROLL for (int i = 0; i < 8; i++) {
            const __m256i hi = _mm256_slli_epi16(_mm256_and_si256(_mm256_srl_epi16(load256(qh + 64 * i), two_bits), low2), 4);
            w[i] = _mm256_or_si256(_mm256_and_si256(_mm256_srl_epi16(load256(ql + 64 * i), high), low4), hi);
        }
        return;
    }
    const uint8_t *qs = b + (t == R1_Q4_K ? 256 : 768) + 512 * (g / 2);
    UNROLL for (int i = 0; i < 8; i++) {
        w[i] = _mm256_and_si256(_mm256_srl_epi16(load256(qs + 64 * i), nibble), low4);
        if (t == R1_Q5_K) w[i] = _mm256_or_si256(w[i], if_bit(load256(b + 256 + 64 * i), bit, 16));
    }
}

/* Where d stands in a block; dmin, if any, is the next field. */
INLINE unsigned scale_at(r1_type t) { return t == R1_Q2_K ? 1280 : t == R1_Q3_K ? 1728 : t == R1_Q6_K ? 3328 : 0; }
INLINE bool has_min(r1_type t) { return t == R1_Q2_K || t == R1_Q4_K || t == R1_Q5_K; }
INLINE bool has_offset(r1_type t) { return t == R1_Q3_K || t == R1_Q6_K; }
INLINE bool by_16(r1_type t) { return t == R1_Q2_K || t == R1_Q3_K || t == R1_Q6_K; }

/* What a tile keeps in memory, touched once per 256 values, so that the inner loop has the registers for itself. */
typedef struct tile_memory {
    __m256 acc[4];
    __m256i isum[4];
    runs r;
} tile_memory;

/* The float steps of one block, a column at a time. */
INLINE void finish_block(r1_type t, const int nc, const uint8_t *b, int half, const float *d, const int32_t *s, tile_memory *m)
{
    const int n_s = by_16(t) ? 8 : 4;
    const __m256 dw = load_f16(b + scale_at(t) + 16 * half), dmin = has_min(t) ? load_f16(b + scale_at(t) + 32 + 16 * half) : dw;
    KEEP_LOOP for (int c = 0; c < nc; c++, s += n_s) {
        const __m256 dx = everyf(d + c);
        __m256i sum = m->isum[c], u = _mm256_setzero_si256();
        if (has_min(t) || has_offset(t))
            UNROLL for (int k = 0; k < n_s; k++) u = _mm256_add_epi32(u, _mm256_madd_epi16(m->r.pair[k], every32(s + k)));
        if (has_offset(t)) sum = _mm256_sub_epi32(sum, _mm256_slli_epi32(u, t == R1_Q3_K ? 2 : 5));
        __m256 acc = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_mul_ps(dw, dx), m->acc[c]);
        if (has_min(t)) acc = _mm256_fnmadd_ps(_mm256_cvtepi32_ps(u), _mm256_mul_ps(dmin, dx), acc);
        m->acc[c] = acc;
    }
}

INLINE void half_tile(r1_type t, const int nc, const unsigned block_bytes, const q8_tile *a, const int half)
{
    const int n_s = by_16(t) ? 8 : 4;
    const size_t rows = a->rows - 8 * (unsigned)half;
    const uint8_t *b = a->w;
    const int8_t *q = a->q;
    const float *d = a->d;
    const int32_t *s = a->s;
    float *y = a->y + 8 * half;
    tile_memory m;
    KEEP_LOOP for (int c = 0; c < nc; c++) m.acc[c] = a->first ? _mm256_setzero_ps() : load_n(y + (size_t)c * a->ldy, rows);
    for (size_t n = a->n_blocks; n > 0; n--) {
        __m256i isum[4];
        get_runs(t, b, half, &m.r);
        UNROLL for (int c = 0; c < nc; c++) isum[c] = _mm256_setzero_si256();
        for (unsigned g = 0; g < 8; g++, q += nc * 32) {
            __m256i w[8];
            unpack(t, b + 32 * half, g, w);
            UNROLL for (int c = 0; c < nc; c++) {
                if (by_16(t)) {
                    isum[c] = dot_units(t, isum[c], w, q + c * 32, 0, 4, m.r.scale[2 * g]);
                    isum[c] = dot_units(t, isum[c], w, q + c * 32, 4, 4, m.r.scale[2 * g + 1]);
                } else {
                    isum[c] = dot_units(t, isum[c], w, q + c * 32, 0, 8, m.r.scale[g]);
                }
            }
        }
        UNROLL for (int c = 0; c < nc; c++) m.isum[c] = isum[c];
        finish_block(t, nc, b, half, d, s, &m);
        b += block_bytes;
        d += nc;
        s += nc * n_s;
    }
    KEEP_LOOP for (int c = 0; c < nc; c++) store_n(y + (size_t)c * a->ldy, rows, m.acc[c]);
}

INLINE void tile(r1_type t, const int nc, const unsigned block_bytes, const q8_tile *a)
{
    for (int half = 0; half < (a->rows > 8 ? 2 : 1); half++) half_tile(t, nc, block_bytes, a, half);
}

INLINE void tiles(r1_type t, unsigned block_bytes, const q8_tile *a, int nc)
{
    switch (nc) {
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

ENTRY(matmul_q2_k_avx2, tiles_q2_k, 256, 1344, SUMS_PAIR16, 0, 4)
ENTRY(matmul_q3_k_avx2, tiles_q3_k, 256, 1760, SUMS_PAIR16, 0, 4)
ENTRY(matmul_q4_k_avx2, tiles_q4_k, 256, 2304, SUMS_PAIR32, 0, 4)
ENTRY(matmul_q5_k_avx2, tiles_q5_k, 256, 2816, SUMS_PAIR32, 0, 4)
ENTRY(matmul_q6_k_avx2, tiles_q6_k, 256, 3360, SUMS_PAIR16, 0, 4)
ENTRY(matmul_iq4_xs_avx2, tiles_iq4_xs, 256, 2176, SUMS_PAIR32, 0, 4)

void r1_avx2_fill_q8k(r1_kernels *k)
{
    k->matmul_q8[R1_Q2_K] = matmul_q2_k_avx2;
    k->matmul_q8[R1_Q3_K] = matmul_q3_k_avx2;
    k->matmul_q8[R1_Q4_K] = matmul_q4_k_avx2;
    k->matmul_q8[R1_Q5_K] = matmul_q5_k_avx2;
    k->matmul_q8[R1_Q6_K] = matmul_q6_k_avx2;
    k->matmul_q8[R1_IQ4_XS] = matmul_iq4_xs_avx2;
}
