/* Packed int8 products of the 256-value formats (Q2_K ... Q6_K, IQ4_XS), AMX.
 *
 * The sub-scales are multiplied into the codes when a slab is unpacked, so that a block of 256 values is four products of tiles
 * (K = 64) and one float step. v = sub-scale * code fits one signed byte or two planes of them:
 *
 *   Q2_K     v in [0, 45]               one plane
 *   Q3_K     v in [-124, 128]           one plane of -v, in [-128, 124]; the sum changes sign
 *   Q4_K     v in [0, 945]              two planes, v = 64 * hi + lo with lo in [0, 63]; hi in [0, 14]
 *   Q5_K     v in [0, 1953]                                                              hi in [0, 30]
 *   Q6_K     v in [-4064, 4096]         (sub-scale -128..127, code -32..31)              hi in [-64, 64]
 *   IQ4_XS   v in [-3937, 4064]         (sub-scale -32..31, value -127..113)             hi in [-62, 63]
 *
 * and t = (sum of hi * q << 6) + sum of lo * q. |t| <= 4096 * 127 * 256 < 2^27: exact in int32. With minimums, u = sum over runs of
 * minimum * (sum of q), from the block sums by vpdpwssd. All integers and float steps are those of kernels.h, so the bits are avx512's.
 *
 * Two token tiles meet two planes: four products of tiles for four loads. With one plane the other is the next panel's. */
#include "kernels/amx/walk_amx.h"

/* From how many columns on tiles win over VNNI, which multiplies no sub-scale into codes. By the costs in docs/decisions/0008-amx.md. */
enum { LEAST_256 = R1_AMX_LEAST(8) };

INLINE bool two_planes(r1_type t) { return t != R1_Q2_K && t != R1_Q3_K; }
INLINE bool min_256(r1_type t) { return t == R1_Q2_K || t == R1_Q4_K || t == R1_Q5_K; }
INLINE bool runs_16(r1_type t) { return t == R1_Q2_K || t == R1_Q3_K || t == R1_Q6_K; }
/* Where d stands in a block; dmin, if any, is the next field. */
INLINE unsigned d_at(r1_type t) { return t == R1_Q2_K ? 1280 : t == R1_Q3_K ? 1728 : t == R1_Q6_K ? 3328 : 0; }

INLINE __m512i bits(__m512i v, unsigned shift, int mask) { return _mm512_and_si512(_mm512_srli_epi32(v, shift), _mm512_set1_epi8((char)mask)); }
INLINE __m512i with_high(__m512i low, __m512i v, unsigned shift) { return _mm512_or_si512(low, _mm512_slli_epi32(bits(v, shift, 3), 4)); }

/* Sub-scales s and minimums m of a block as bytes, four runs in a lane. */
INLINE void sub_scales(r1_type t, const uint8_t *b, __m512i s[4], __m512i m[4])
{
    const __m512i bias = _mm512_set1_epi8(32);
    if (t == R1_Q2_K) {
        UNROLL for (int i = 0; i < 4; i++) s[i] = bits(load512(b + 64 * i), 0, 15);
        UNROLL for (int i = 0; i < 4; i++) m[i] = bits(load512(b + 64 * i), 4, 15);
    } else if (t == R1_Q3_K) { /* -s */
        const __m512i x = load512(b + 1536), y = load512(b + 1600), z = load512(b + 1664);
        s[0] = _mm512_sub_epi8(bias, with_high(bits(x, 0, 15), z, 0));
        s[1] = _mm512_sub_epi8(bias, with_high(bits(y, 0, 15), z, 2));
        s[2] = _mm512_sub_epi8(bias, with_high(bits(x, 4, 15), z, 4));
        s[3] = _mm512_sub_epi8(bias, with_high(bits(y, 4, 15), z, 6));
    } else if (t == R1_Q6_K) {
        UNROLL for (int i = 0; i < 4; i++) s[i] = load512(b + 3072 + 64 * i);
    } else if (t == R1_IQ4_XS) { /* nibbles of 4 bytes, pairs of bits of 2 */
        const __m512i low = load512(b + 64), high = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(b + 32))), one = _mm512_set1_epi32(255);
        UNROLL for (int i = 0; i < 2; i++) {
            __m512i v = _mm512_setzero_si512();
            UNROLL for (unsigned k = 0; k < 4; k++) {
                const unsigned run = 4 * (unsigned)i + k;
                const __m512i lo = _mm512_and_si512(_mm512_srli_epi32(low, 4 * run), _mm512_set1_epi32(15)), hi = _mm512_and_si512(_mm512_srli_epi32(high, 2 * run), _mm512_set1_epi32(3));
                const __m512i one_run = _mm512_sub_epi32(_mm512_or_si512(lo, _mm512_slli_epi32(hi, 4)), _mm512_set1_epi32(32));
                v = _mm512_or_si512(v, _mm512_slli_epi32(_mm512_and_si512(one_run, one), 8 * k));
            }
            s[i] = v;
        }
    } else {
        const __m512i x = load512(b + 64), y = load512(b + 128), z = load512(b + 192);
        s[0] = bits(x, 0, 63);
        s[1] = with_high(bits(z, 0, 15), x, 6);
        m[0] = bits(y, 0, 63);
        m[1] = with_high(bits(z, 4, 15), y, 6);
    }
}

/* Byte k of each lane, sign-extended, in both halves of the lane; bytes k and k + 1, one in each. */
INLINE __m512i both_halves(__m512i v, int k)
{
    const __m128i at = _mm_add_epi8(_mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12), _mm_set1_epi8((char)k));
    return _mm512_srai_epi16(_mm512_shuffle_epi8(v, _mm512_broadcast_i32x4(at)), 8);
}

INLINE __m512i pair_at(__m512i v, int k)
{
    const __m128i at = _mm_add_epi8(_mm_setr_epi8(0, 0, 1, 1, 4, 4, 5, 5, 8, 8, 9, 9, 12, 12, 13, 13), _mm_set1_epi8((char)k));
    return _mm512_srai_epi16(_mm512_shuffle_epi8(v, _mm512_broadcast_i32x4(at)), 8);
}

/* The signed code of values 32g + 4i .. + 3. */
INLINE __m512i code_256(r1_type t, const uint8_t *b, unsigned g, unsigned i)
{
    const __m512i low4 = _mm512_set1_epi8(15), bit = _mm512_set1_epi8((char)(1u << g));
    const __m128i nibble = _mm_cvtsi32_si128((int)(4 * (g & 1))), two_bits = _mm_cvtsi32_si128((int)(2 * (g & 3)));
    if (t == R1_IQ4_XS) {
        const __m512i table = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)r1_iq4_values)), v = load512(b + 128 + 64 * (4 * g + i % 4));
        return _mm512_shuffle_epi8(table, _mm512_and_si512(i < 4 ? v : _mm512_srli_epi16(v, 4), low4));
    }
    if (t == R1_Q2_K || t == R1_Q3_K) {
        const __m512i v = _mm512_srl_epi16(load512(b + (t == R1_Q2_K ? 256 : 512) + 512 * (g / 4) + 64 * i), two_bits), q = _mm512_and_si512(v, _mm512_set1_epi8(3));
        return t == R1_Q2_K ? q : _mm512_mask_sub_epi8(q, _mm512_testn_epi8_mask(load512(b + 64 * i), bit), q, _mm512_set1_epi8(4));
    }
    if (t == R1_Q6_K) { /* groups 0 and 2 of four are the low and high halves of the same bytes, 1 and 3 too */
        const __m512i lo = load512(b + 1024 * (g / 4) + 512 * (g & 1) + 64 * i), hi = load512(b + 2048 + 512 * (g / 4) + 64 * i);
        const __m512i q = _mm512_and_si512(_mm512_srl_epi16(lo, _mm_cvtsi32_si128((int)(g & 2) * 2)), low4);
        const __m512i h = _mm512_and_si512(_mm512_srl_epi16(hi, two_bits), _mm512_set1_epi8(3));
        return _mm512_sub_epi8(_mm512_or_si512(q, _mm512_slli_epi16(h, 4)), _mm512_set1_epi8(32));
    }
    const __m512i q = _mm512_and_si512(_mm512_srl_epi16(load512(b + (t == R1_Q4_K ? 256 : 768) + 512 * (g / 2) + 64 * i), nibble), low4);
    return t == R1_Q4_K ? q : _mm512_mask_add_epi8(q, _mm512_test_epi8_mask(load512(b + 256 + 64 * i), bit), q, _mm512_set1_epi8(16));
}

/* Sub-scale times code, as one plane of bytes or as two. */
INLINE void put_planes(r1_type t, __m512i code, __m512i scale, int8_t (*hi)[4], int8_t (*lo)[4])
{
    const __mmask64 odd = 0xAAAAAAAAAAAAAAAA;
    const __m512i x = _mm512_mullo_epi16(_mm512_srai_epi16(_mm512_slli_epi16(code, 8), 8), scale);
    const __m512i y = _mm512_mullo_epi16(_mm512_srai_epi16(code, 8), scale);
    if (!two_planes(t)) {
        _mm512_store_si512(hi, _mm512_mask_blend_epi8(odd, x, _mm512_slli_epi16(y, 8)));
        return;
    }
    _mm512_store_si512(hi, _mm512_mask_blend_epi8(odd, _mm512_srai_epi16(x, 6), _mm512_slli_epi16(_mm512_srai_epi16(y, 6), 8)));
    _mm512_store_si512(lo, _mm512_and_si512(_mm512_mask_blend_epi8(odd, x, _mm512_slli_epi16(y, 8)), _mm512_set1_epi8(63)));
}

/* The slab of panel p (0 or 1) into plane p, or into both. */
INLINE void unpack_256(r1_type t, const unsigned block_bytes, const amx_slab *s, const int p)
{
    const int n_runs = runs_16(t) ? 16 : 8, per = runs_16(t) ? 4 : 8;
    amx_scratch *m = s->m;
    const uint8_t *b = s->w[p];
    for (size_t n = 0; n < s->n; n++, b += block_bytes) {
        __m512i scale[4], min[4], run[16];
        fetch((uintptr_t)b + s->panel_bytes * (two_planes(t) ? 1 : 2), block_bytes); /* the slab that comes next */
        sub_scales(t, b, scale, min);
        UNROLL for (int k = 0; k < n_runs; k++) run[k] = both_halves(scale[k / 4], k % 4);
        KEEP_LOOP for (unsigned g = 0; g < 8; g++)
            UNROLL for (unsigned i = 0; i < 8; i++) {
                const size_t at = 64 * n + 8 * g + i;
                put_planes(t, code_256(t, b, g, i), run[(8 * g + i) / (unsigned)per], m->b[p][at], m->b[1][at]);
            }
        _mm512_store_ps(m->w[p].d[n], load_f16(b + d_at(t)));
        if (!min_256(t)) continue;
        _mm512_store_ps(m->w[p].m[n], load_f16(b + d_at(t) + 32));
        UNROLL for (int k = 0; k < n_runs / 2; k++) _mm512_store_si512(m->w[p].pair[n][k], pair_at(min[k / 2], 2 * (k % 2)));
    }
}

/* Float steps of block n for one token tile and one panel: hi and lo are its sums, at its accumulators. */
typedef struct step_256 {
    const int32_t (*hi)[R1_PANEL], (*lo)[R1_PANEL];
    const amx_scales *w;
    const float *d;
    const int32_t *s;
    __m512 *at;
} step_256;

INLINE void finish_256(r1_type t, const step_256 *o, size_t n, size_t columns)
{
    const int pairs = runs_16(t) ? 8 : 4;
    const __m512 dw = _mm512_load_ps(o->w->d[n]), dmin = min_256(t) ? _mm512_load_ps(o->w->m[n]) : dw;
    KEEP_LOOP for (size_t j = 0; j < columns; j++) {
        const __m512 dx = everyf(o->d + j);
        __m512i sum = _mm512_load_si512(o->hi[j]), u = _mm512_setzero_si512();
        if (two_planes(t)) sum = _mm512_add_epi32(_mm512_slli_epi32(sum, 6), _mm512_load_si512(o->lo[j]));
        if (t == R1_Q3_K) sum = _mm512_sub_epi32(_mm512_setzero_si512(), sum);
        __m512 acc = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_mul_ps(dw, dx), o->at[j]);
        if (min_256(t)) {
            UNROLL for (int k = 0; k < pairs; k++) u = _mm512_dpwssd_epi32(u, _mm512_load_si512(o->w->pair[n][k]), every32(o->s + j * (size_t)pairs + k));
            acc = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(u), _mm512_mul_ps(dmin, dx), acc);
        }
        o->at[j] = acc;
    }
}

/* C 0 to 3 of block n: na token tiles by nb planes, C = 2 * token tile + plane. a: codes of the first token tile; the second's lie a stretch on. */
INLINE void product_256(const int na, const int nb, const amx_slab *s, const int8_t *a, size_t n)
{
    amx_scratch *m = s->m;
    const size_t a_step = 64 * s->tokens, a_next = 4 * a_step * s->stretch;
    TILE_ZERO(0);
    if (nb > 1) TILE_ZERO(1);
    if (na > 1) TILE_ZERO(2);
    if (na > 1 && nb > 1) TILE_ZERO(3);
    for (size_t k = 0; k < 4; k++, a += a_step) {
        TILE_LOAD(4, a, 64);
        TILE_LOAD(6, m->b[0][64 * n + 16 * k], 64);
        TILE_DPBSSD(0, 4, 6);
        if (nb > 1) TILE_LOAD(7, m->b[1][64 * n + 16 * k], 64);
        if (nb > 1) TILE_DPBSSD(1, 4, 7);
        if (na > 1) TILE_LOAD(5, a + a_next, 64);
        if (na > 1) TILE_DPBSSD(2, 5, 6);
        if (na > 1 && nb > 1) TILE_DPBSSD(3, 5, 7);
    }
    TILE_STORE(0, m->c[0], 64);
    if (nb > 1) TILE_STORE(1, m->c[1], 64);
    if (na > 1) TILE_STORE(2, m->c[2], 64);
    if (na > 1 && nb > 1) TILE_STORE(3, m->c[3], 64);
}

/* Accumulators of a token tile and a panel to and from y. */
INLINE void load_sums(__m512 *at, const amx_slab *s, size_t tile, int p, size_t columns)
{
    const float *y = s->y + tile * s->tokens * s->ldy + p * R1_PANEL;
    KEEP_LOOP for (size_t j = 0; j < columns; j++) at[j] = s->first ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(s->rows[p], y + j * s->ldy);
}

INLINE void store_sums(const __m512 *at, const amx_slab *s, size_t tile, int p, size_t columns)
{
    float *y = s->y + tile * s->tokens * s->ldy + p * R1_PANEL;
    KEEP_LOOP for (size_t j = 0; j < columns; j++) _mm512_mask_storeu_ps(y + j * s->ldy, s->rows[p], at[j]);
}

/* Token tiles [tile, tile + na) with the slab of np panels. */
INLINE void tiles_256(r1_type t, const int na, const int np, const amx_slab *s, size_t tile)
{
    amx_scratch *m = s->m;
    const size_t n_s = runs_16(t) ? 8 : 4;
    __m512 acc[2][2][TOKENS];
    size_t columns[2];
    UNROLL for (int i = 0; i < na; i++) {
        columns[i] = r1_min(s->tokens, s->columns - (tile + (size_t)i) * s->tokens);
        UNROLL for (int p = 0; p < np; p++) load_sums(acc[i][p], s, tile + (size_t)i, p, columns[i]);
    }
    for (size_t n = 0; n < s->n; n++) {
        const size_t block = tile * s->stretch + s->block0 + n;
        product_256(na, two_planes(t) ? 2 : np, s, m->a + 256 * s->tokens * block, n);
        UNROLL for (int i = 0; i < na; i++)
            UNROLL for (int p = 0; p < np; p++) {
                const size_t at = (block + (size_t)i * s->stretch) * TOKENS;
                finish_256(t, &(step_256){ m->c[2 * i + p], m->c[2 * i + 1], &m->w[p], m->d + at, m->s + at * n_s, acc[i][p] }, n, columns[i]);
            }
    }
    UNROLL for (int i = 0; i < na; i++)
        UNROLL for (int p = 0; p < np; p++) store_sums(acc[i][p], s, tile + (size_t)i, p, columns[i]);
}

INLINE void slab_256(r1_type t, const unsigned block_bytes, const amx_slab *s)
{
    const size_t n_tiles = r1_ceil_div(s->columns, s->tokens);
    const bool two = !two_planes(t) && s->w[1];
    size_t i = 0;
    unpack_256(t, block_bytes, s, 0);
    if (two) unpack_256(t, block_bytes, s, 1);
    for (; i + 1 < n_tiles; i += 2) {
        if (two) tiles_256(t, 2, 2, s, i);
        else tiles_256(t, 2, 1, s, i);
    }
    if (i == n_tiles) return;
    if (two) tiles_256(t, 1, 2, s, i);
    else tiles_256(t, 1, 1, s, i);
}

static void slab_q2_k(const amx_slab *s) { slab_256(R1_Q2_K, 1344, s); }
static void slab_q3_k(const amx_slab *s) { slab_256(R1_Q3_K, 1760, s); }
static void slab_q4_k(const amx_slab *s) { slab_256(R1_Q4_K, 2304, s); }
static void slab_q5_k(const amx_slab *s) { slab_256(R1_Q5_K, 2816, s); }
static void slab_q6_k(const amx_slab *s) { slab_256(R1_Q6_K, 3360, s); }
static void slab_iq4_xs(const amx_slab *s) { slab_256(R1_IQ4_XS, 2176, s); }

AMX_ENTRY(matmul_q2_k_amx, R1_Q2_K, r1_avx512_fill_q8k, LEAST_256, slab_q2_k, 256, 1344, 64, 2, 16)
AMX_ENTRY(matmul_q3_k_amx, R1_Q3_K, r1_avx512_fill_q8k, LEAST_256, slab_q3_k, 256, 1760, 64, 2, 0)
AMX_ENTRY(matmul_q4_k_amx, R1_Q4_K, r1_avx512_fill_q8k, LEAST_256, slab_q4_k, 256, 2304, 64, 1, 8)
AMX_ENTRY(matmul_q5_k_amx, R1_Q5_K, r1_avx512_fill_q8k, LEAST_256, slab_q5_k, 256, 2816, 64, 1, 8)
AMX_ENTRY(matmul_q6_k_amx, R1_Q6_K, r1_avx512_fill_q8k, LEAST_256, slab_q6_k, 256, 3360, 64, 1, 0)
AMX_ENTRY(matmul_iq4_xs_amx, R1_IQ4_XS, r1_avx512_fill_q8k, LEAST_256, slab_iq4_xs, 256, 2176, 64, 1, 0)

void r1_amx_fill_q8k(r1_kernels *k)
{
    k->matmul_q8[R1_Q2_K] = matmul_q2_k_amx;
    k->matmul_q8[R1_Q3_K] = matmul_q3_k_amx;
    k->matmul_q8[R1_Q4_K] = matmul_q4_k_amx;
    k->matmul_q8[R1_Q5_K] = matmul_q5_k_amx;
    k->matmul_q8[R1_Q6_K] = matmul_q6_k_amx;
    k->matmul_q8[R1_IQ4_XS] = matmul_iq4_xs_amx;
}
