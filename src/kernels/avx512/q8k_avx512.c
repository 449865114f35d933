/* Packed int8 products of the 256-value formats (Q2_K ... Q6_K, IQ4_XS), AVX-512 with VNNI.
 *
 * As q8_avx512.c, with integers twice: within a run (16 or 32 values) the dot of unsigned codes, over the runs of a block the
 * sum of dot * sub-scale, all in int32. What offsets and minimums add is one more integer per block, u = sum over runs of
 * (sub-scale or minimum) * (sum of activations); sums of runs fit 16 bits, so vpdpwssd does two runs at once. Then
 *
 *   with minimum:  acc = fma(t, dw * dx, acc), acc = fma(-u, dmin * dx, acc)
 *   with offset:   acc = fma(t - offset * u, dw * dx, acc)
 *
 * Largest sums: t 63 * 127 * 128 * 256 < 2^28 (Q6_K), 241 * 127 * 32 * 256 < 2^28 (IQ4_XS), offset * u < 2^28. */
#include "kernels/avx512/avx512_int.h"
#include "kernels/avx512/walk_avx512.h"

/* Sub-scales of a block, one register per run, and the factors of the sums, two runs to a register. */
typedef struct runs {
    __m512i scale[16];
    __m512i pair[8];
} runs;

/* 16 (n 4) or 8 (n 2) signed bytes of each row, four in a lane. */
INLINE void spread(__m512i scale[16], const __m512i v[4], int n)
{
    UNROLL for (int k = 0; k < 16; k++) {
        if (k >= 4 * n) break;
        scale[k] = _mm512_srai_epi32(_mm512_slli_epi32(v[k / 4], (unsigned)(24 - 8 * (k % 4))), 24);
    }
}

INLINE void spread_pairs(__m512i pair[8], const __m512i v[4], int n)
{
    /* bytes 0 and 1 (2 and 3) of a lane to the upper halves of its 16-bit words; -1 gives zero */
    const __m512i first = _mm512_broadcast_i32x4(_mm_setr_epi8(-1, 0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13));
    const __m512i second = _mm512_broadcast_i32x4(_mm_setr_epi8(-1, 2, -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1, 14, -1, 15));
    UNROLL for (int k = 0; k < 8; k++) {
        if (k >= 2 * n) break;
        pair[k] = _mm512_srai_epi16(_mm512_shuffle_epi8(v[k / 2], k % 2 ? second : first), 8);
    }
}

INLINE __m512i part(__m512i v, unsigned shift, int mask)
{
    return _mm512_and_si512(_mm512_srli_epi32(v, shift), _mm512_set1_epi8((char)mask));
}

INLINE __m512i high_bits(__m512i low, __m512i v, unsigned shift)
{
    return _mm512_or_si512(low, _mm512_slli_epi32(part(v, shift, 3), 4));
}

INLINE void runs_q45_k(const uint8_t *scales, runs *o)
{
    const __m512i a = load512(scales), b = load512(scales + 64), c = load512(scales + 128);
    const __m512i s[4] = { part(a, 0, 63), high_bits(part(c, 0, 15), a, 6) };
    const __m512i m[4] = { part(b, 0, 63), high_bits(part(c, 4, 15), b, 6) };
    spread(o->scale, s, 2);
    spread_pairs(o->pair, m, 2);
}

INLINE void runs_q2_k(const uint8_t *scales, runs *o)
{
    __m512i s[4], m[4];
    UNROLL for (int i = 0; i < 4; i++) {
        const __m512i v = load512(scales + 64 * i);
        s[i] = part(v, 0, 15);
        m[i] = part(v, 4, 15);
    }
    spread(o->scale, s, 4);
    spread_pairs(o->pair, m, 4);
}

INLINE void runs_q3_k(const uint8_t *scales, runs *o)
{
    const __m512i a = load512(scales), b = load512(scales + 64), c = load512(scales + 128), bias = _mm512_set1_epi8(32);
    const __m512i s[4] = {
        _mm512_sub_epi8(high_bits(part(a, 0, 15), c, 0), bias), _mm512_sub_epi8(high_bits(part(b, 0, 15), c, 2), bias),
        _mm512_sub_epi8(high_bits(part(a, 4, 15), c, 4), bias), _mm512_sub_epi8(high_bits(part(b, 4, 15), c, 6), bias),
    };
    spread(o->scale, s, 4);
    spread_pairs(o->pair, s, 4);
}

INLINE void runs_q6_k(const uint8_t *scales, runs *o)
{
    const __m512i s[4] = { load512(scales), load512(scales + 64), load512(scales + 128), load512(scales + 192) };
    spread(o->scale, s, 4);
    spread_pairs(o->pair, s, 4);
}

INLINE void runs_iq4_xs(const uint8_t *b, runs *o)
{
    const __m512i high = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(b + 32))), low = load512(b + 64);
    const __m512i bias = _mm512_set1_epi32(32);
    UNROLL for (unsigned k = 0; k < 8; k++) {
        const __m512i lo = _mm512_and_si512(_mm512_srli_epi32(low, 4 * k), _mm512_set1_epi32(15));
        const __m512i hi = _mm512_and_si512(_mm512_srli_epi32(high, 2 * k), _mm512_set1_epi32(3));
        o->scale[k] = _mm512_sub_epi32(_mm512_or_si512(lo, _mm512_slli_epi32(hi, 4)), bias);
    }
    UNROLL for (int k = 0; k < 4; k++) o->pair[k] = _mm512_mask_blend_epi16(0xAAAAAAAA, o->scale[2 * k], _mm512_slli_epi32(o->scale[2 * k + 1], 16));
}

INLINE void get_runs(r1_type t, const uint8_t *b, runs *o)
{
    switch (t) {
    case R1_Q2_K: runs_q2_k(b, o); break;
    case R1_Q3_K: runs_q3_k(b + 1536, o); break;
    case R1_Q4_K:
    case R1_Q5_K: runs_q45_k(b + 64, o); break;
    case R1_Q6_K: runs_q6_k(b + 3072, o); break;
    default: runs_iq4_xs(b, o); break;
    }
}

/* As unpack below for Q6_K: group 4 * n + j, j a constant, so that the two high bits come to their place by one shift. */
INLINE void unpack_q6_k(const uint8_t *b, unsigned n, const unsigned j, __m512i w[8])
{
    const uint8_t *ql = b + 1024 * n + 512 * (j & 1), *qh = b + 2048 + 512 * n;
    const __m512i low4 = _mm512_set1_epi8(15), two = _mm512_set1_epi8(0x30);
    UNROLL for (int i = 0; i < 8; i++) {
        __m512i lo = load512(ql + 64 * i), hi = load512(qh + 64 * i);
        if (j >= 2) lo = _mm512_srli_epi16(lo, 4);
        if (j < 2) hi = _mm512_slli_epi16(hi, 4 - 2 * j);
        if (j == 3) hi = _mm512_srli_epi16(hi, 2);
        w[i] = _mm512_or_si512(_mm512_and_si512(lo, low4), _mm512_and_si512(hi, two));
    }
}

/* Codes of values 32g .. 32g + 31, unsigned; w[i] holds four consecutive ones. g is not a constant: unrolling 8 groups of 12
 * columns would overflow the instruction cache. */
INLINE void unpack(r1_type t, const uint8_t *b, unsigned g, __m512i w[8])
{
    const __m512i low4 = _mm512_set1_epi8(15), low2 = _mm512_set1_epi8(3), bit = _mm512_set1_epi8((char)(1u << g));
    const __m128i nibble = _mm_cvtsi32_si128((int)(4 * (g & 1))), two_bits = _mm_cvtsi32_si128((int)(2 * (g & 3)));
    if (t == R1_IQ4_XS) {
        const __m512i table = _mm512_broadcast_i32x4(_mm_add_epi8(_mm_loadu_si128((const __m128i *)r1_iq4_values), _mm_set1_epi8((char)128)));
        UNROLL for (unsigned i = 0; i < 4; i++) {
            const __m512i v = load512(b + 128 + 64 * (4 * g + i));
            w[i] = _mm512_shuffle_epi8(table, _mm512_and_si512(v, low4));
            w[i + 4] = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(v, 4), low4));
        }
        return;
    }
    if (t == R1_Q2_K || t == R1_Q3_K) {
        const uint8_t *qs = b + (t == R1_Q2_K ? 256 : 512) + 512 * (g / 4);
        UNROLL for (int i = 0; i < 8; i++) {
            w[i] = _mm512_and_si512(_mm512_srl_epi16(load512(qs + 64 * i), two_bits), low2);
            if (t == R1_Q3_K) w[i] = _mm512_mask_add_epi8(w[i], _mm512_test_epi8_mask(load512(b + 64 * i), bit), w[i], _mm512_set1_epi8(4));
        }
        return;
    }
    const uint8_t *qs = b + (t == R1_Q4_K ? 256 : 768) + 512 * (g / 2);
    UNROLL for (int i = 0; i < 8; i++) {
        w[i] = _mm512_and_si512(_mm512_srl_epi16(load512(qs + 64 * i), nibble), low4);
        if (t == R1_Q5_K) w[i] = _mm512_mask_add_epi8(w[i], _mm512_test_epi8_mask(load512(b + 256 + 64 * i), bit), w[i], _mm512_set1_epi8(16));
    }
}

/* Q6_K takes its groups in the order 0 2 1 3, 4 6 5 7: 0 and 2 are the low and high halves of the same bytes. Then every load
 * walks forward, which the hardware's prefetching depends on. */
INLINE unsigned group_at(r1_type t, const unsigned j) { return t == R1_Q6_K ? (j & 1) << 1 | j >> 1 : j; }

/* Where d stands in a block; dmin, if any, is the next field. */
INLINE unsigned scale_at(r1_type t) { return t == R1_Q2_K ? 1280 : t == R1_Q3_K ? 1728 : t == R1_Q6_K ? 3328 : 0; }
INLINE bool has_min(r1_type t) { return t == R1_Q2_K || t == R1_Q4_K || t == R1_Q5_K; }
INLINE bool by_16(r1_type t) { return t == R1_Q2_K || t == R1_Q3_K || t == R1_Q6_K; }
#define STRAIGHT(t) ((t) == R1_Q4_K) /* codes are read from the panels */
INLINE unsigned offset_shift(r1_type t) { return t == R1_Q3_K ? 2 : t == R1_Q6_K ? 5 : 7; }

/* isum[c] += the products of one group of 32 values, for up to 4 columns. */
INLINE void add_group(r1_type t, const int nc, const bool many, __m512i *isum, const __m512i w[8], const __m512i *scale, const int8_t *q)
{
    __m512i dot[4];
    const int half = by_16(t) ? 4 : 8;
    UNROLL for (int h = 0; h < 8; h += half) {
        UNROLL for (int c = 0; c < nc; c++) dot[c] = _mm512_setzero_si512();
        UNROLL for (int i = h; i < h + half; i++)
            UNROLL for (int c = 0; c < nc; c++) dot[c] = dpbusd(dot[c], w[i], q + (many ? 16 * i + 4 * c : 4 * i));
        const __m512i s = scale[h / half];
        UNROLL for (int c = 0; c < nc; c++) isum[c] = _mm512_add_epi32(isum[c], _mm512_mullo_epi32(dot[c], s));
    }
}

#define MIN4(n) ((n) < 4 ? (n) : 4)

/* What a tile keeps in memory, touched once per 256 values, so that the inner loop has the registers for itself. */
typedef struct tile_memory {
    __m512 acc[12];
    __m512i isum[12];
    runs r;
} tile_memory;

/* The float steps of one block, a column at a time. */
INLINE void finish_block(r1_type t, const int nc, const uint8_t *b, const q8_tile *a, size_t n, tile_memory *m)
{
    const int n_s = by_16(t) ? 8 : 4;
    const __m512 dw = load_f16(b + scale_at(t)), dmin = has_min(t) ? load_f16(b + scale_at(t) + 32) : dw;
    KEEP_LOOP for (size_t c = 0; c < (size_t)nc; c++) {
        const size_t at = nc == 1 ? n : 4 * n + c % 4;
        const int32_t *s = a->s + c / 4 * a->s_step + at * 12 + (by_16(t) ? 0 : 8);
        const __m512 dx = everyf(a->d + c / 4 * a->d_step + at);
        __m512i sum = m->isum[c], u = _mm512_setzero_si512();
        UNROLL for (int k = 0; k < n_s; k++) u = _mm512_dpwssd_epi32(u, m->r.pair[k], every32(s + k));
        if (!has_min(t)) sum = _mm512_sub_epi32(sum, _mm512_slli_epi32(u, offset_shift(t)));
        __m512 acc = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_mul_ps(dw, dx), m->acc[c]);
        if (has_min(t)) acc = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(u), _mm512_mul_ps(dmin, dx), acc);
        m->acc[c] = acc;
    }
}

/* How far ahead weights are asked for. With one column a block at once, two blocks ahead (Q6_K, one column: 10-36 GB/s by the minute, 10
 * with the requests spread over the block, 7 without any); with more, spread (Q6_K, 8 columns: 250 GOPS, 130 at once). */
enum { AHEAD = 4096 };

INLINE void tile(r1_type t, const int nc, const unsigned block_bytes, const q8_tile *a)
{
    const int n_scale = by_16(t) ? 2 : 1;
    const unsigned per = t == R1_Q6_K ? 4 : 1; /* groups in the body of the loop */
    const __mmask16 rows = mask16(a->rows);
    const uint8_t *b = a->w;
    const int8_t *q = a->q;
    tile_memory m;
    KEEP_LOOP for (int c = 0; c < nc; c++) m.acc[c] = a->first || c >= a->columns ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(rows, a->y + (size_t)c * a->ldy);
    for (size_t n = 0; n < a->n_blocks; n++) {
        __m512i isum[12];
        const uintptr_t ahead = (uintptr_t)b + (nc == 1 ? 2 * block_bytes : AHEAD);
        if (nc == 1) fetch(ahead, block_bytes);
        get_runs(t, b, &m.r);
        UNROLL for (int c = 0; c < nc; c++) isum[c] = _mm512_setzero_si512();
        for (unsigned k = 0; k < 8; k += per)
            UNROLL for (unsigned j = 0; j < per; j++) {
                const unsigned g = k + group_at(t, j);
                const int8_t *qg = q + (int)g * (nc == 1 ? 32 : 128);
                __m512i w[8];
                if (nc > 1) fetch(ahead + (k + j) * (block_bytes / 8), block_bytes / 8);
                if (t == R1_Q6_K) unpack_q6_k(b, k / 4, group_at(t, j), w);
                else unpack(t, b, g, w);
                UNROLL for (int c = 0; c < nc; c += 4) add_group(t, MIN4(nc), nc > 1, isum + c, w, m.r.scale + n_scale * (int)g, qg + (size_t)(c / 4) * a->q_step);
            }
        q += nc == 1 ? 256 : 1024;
        UNROLL for (int c = 0; c < nc; c++) m.isum[c] = isum[c];
        finish_block(t, nc, b, a, n, &m);
        b += block_bytes;
    }
    KEEP_LOOP for (int c = 0; c < a->columns; c++) _mm512_mask_storeu_ps(a->y + (size_t)c * a->ldy, rows, m.acc[c]);
}

INLINE void tiles(r1_type t, unsigned block_bytes, const q8_tile *a, int nc)
{
    switch (nc) {
    case 12: tile(t, 12, block_bytes, a); break;
    case 8: tile(t, 8, block_bytes, a); break;
    case 4: tile(t, 4, block_bytes, a); break;
    default: tile(t, 1, block_bytes, a); break;
    }
}

/* ---- many columns ---------------------------------------------------------------------------------------------- */

/* Block n of one panel (0 or 1) of a pair. */
INLINE void take_block(r1_type t, const uint8_t *b, size_t n, size_t panel, q8_pair *p)
{
    const int n_runs = by_16(t) ? 16 : 8, n_s = by_16(t) ? 8 : 4;
    runs r;
    get_runs(t, b, &r);
    int32_t *factor = p->factor + n * (size_t)n_runs * 32 + panel * 16;
    uint8_t *w_to = p->w + n * 8192 + panel * 64;
    UNROLL for (int k = 0; k < n_runs; k++) _mm512_store_si512(factor + 32 * k, r.scale[k]);
    UNROLL for (int k = 0; k < n_s; k++) p->pair[n][k][panel] = r.pair[k];
    for (unsigned g = 0; g < 8 && !STRAIGHT(t); g++) {
        __m512i w[8];
        if (t == R1_Q6_K) {
            switch (g % 4) {
            case 0: unpack_q6_k(b, g / 4, 0, w); break;
            case 1: unpack_q6_k(b, g / 4, 1, w); break;
            case 2: unpack_q6_k(b, g / 4, 2, w); break;
            default: unpack_q6_k(b, g / 4, 3, w); break;
            }
        } else {
            unpack(t, b, g, w);
        }
        UNROLL for (int i = 0; i < 8; i++) _mm512_store_si512(w_to + 1024 * g + 128 * i, w[i]);
    }
    const __m512 dw = load_f16(b + scale_at(t));
    _mm512_store_ps(p->scale[n][panel][0], dw);
    _mm512_store_ps(p->scale[n][panel][1], has_min(t) ? load_f16(b + scale_at(t) + 32) : dw);
}

INLINE void take_apart(r1_type t, const unsigned block_bytes, const uint8_t *b, const uint8_t *b2, size_t n_blocks, q8_pair *p)
{
    for (size_t n = 0; n < n_blocks; n++) {
        take_block(t, b + n * block_bytes, n, 0, p);
        take_block(t, b2 + n * block_bytes, n, 1, p);
    }
}

INLINE void finish(r1_type t, const gemm_end *e)
{
    switch (t) {
    case R1_Q2_K: gemm_end_q2_k(e); break;
    case R1_Q3_K: gemm_end_q3_k(e); break;
    case R1_Q4_K:
    case R1_Q5_K: gemm_end_q45_k(e); break;
    case R1_Q6_K: gemm_end_q6_k(e); break;
    default: gemm_end_iq4_xs(e); break;
    }
}

INLINE void gemm(r1_type t, const unsigned block_bytes, const q8_gemm *g)
{
    const size_t n_runs = by_16(t) ? 16 : 8;
    _Alignas(64) int32_t isum[WALK_COLUMNS * 32];
    gemm_tile r = g->t;
    r.sum = isum;
    r.n = n_runs;
    for (size_t n = 0; n < g->t.n; n++) {
        for (size_t i = 0; i < g->t.ahead_lines; i++) {
            const uintptr_t ahead = (uintptr_t)g->t.ahead + (n * g->t.ahead_lines + i) * 64;
            fetch(ahead, 64);
            fetch(ahead + g->t.panel_bytes, 64);
        }
        r.factor = g->p->factor + n * n_runs * 32;
        r.q = g->t.q + n * 1024;
        if (STRAIGHT(t)) {
            r.w = g->t.w + n * block_bytes + 256;
            r.n = 4;
            gemm_pairs_q4_k(&r);
        } else {
            r.w = g->p->w + n * 8192;
            if (by_16(t)) gemm_runs_16(&r);
            else gemm_runs_32(&r);
        }
        finish(t, &(gemm_end){ g->p->pair[n], g->p->scale[n], (const int16_t *)(const void *)(g->t.s + n * 48), g->t.ds_step * 12, g->t.d + 4 * n,
                               g->t.ds_step, isum, g->t.sum, g->t.columns });
    }
}

static void tiles_q2_k(const q8_tile *a, int nc) { tiles(R1_Q2_K, 1344, a, nc); }
static void tiles_q3_k(const q8_tile *a, int nc) { tiles(R1_Q3_K, 1760, a, nc); }
static void tiles_q4_k(const q8_tile *a, int nc) { tiles(R1_Q4_K, 2304, a, nc); }
static void tiles_q5_k(const q8_tile *a, int nc) { tiles(R1_Q5_K, 2816, a, nc); }
static void tiles_q6_k(const q8_tile *a, int nc) { tiles(R1_Q6_K, 3360, a, nc); }
static void tiles_iq4_xs(const q8_tile *a, int nc) { tiles(R1_IQ4_XS, 2176, a, nc); }

static void apart_q2_k(const uint8_t *w, const uint8_t *w2, size_t n, q8_pair *p) { take_apart(R1_Q2_K, 1344, w, w2, n, p); }
static void apart_q3_k(const uint8_t *w, const uint8_t *w2, size_t n, q8_pair *p) { take_apart(R1_Q3_K, 1760, w, w2, n, p); }
static void apart_q4_k(const uint8_t *w, const uint8_t *w2, size_t n, q8_pair *p) { take_apart(R1_Q4_K, 2304, w, w2, n, p); }
static void apart_q5_k(const uint8_t *w, const uint8_t *w2, size_t n, q8_pair *p) { take_apart(R1_Q5_K, 2816, w, w2, n, p); }
static void apart_q6_k(const uint8_t *w, const uint8_t *w2, size_t n, q8_pair *p) { take_apart(R1_Q6_K, 3360, w, w2, n, p); }
static void apart_iq4_xs(const uint8_t *w, const uint8_t *w2, size_t n, q8_pair *p) { take_apart(R1_IQ4_XS, 2176, w, w2, n, p); }

static void gemm_q2_k(const q8_gemm *g) { gemm(R1_Q2_K, 1344, g); }
static void gemm_q3_k(const q8_gemm *g) { gemm(R1_Q3_K, 1760, g); }
static void gemm_q4_k(const q8_gemm *g) { gemm(R1_Q4_K, 2304, g); }
static void gemm_q5_k(const q8_gemm *g) { gemm(R1_Q5_K, 2816, g); }
static void gemm_q6_k(const q8_gemm *g) { gemm(R1_Q6_K, 3360, g); }
static void gemm_iq4_xs(const q8_gemm *g) { gemm(R1_IQ4_XS, 2176, g); }

ENTRY(matmul_q2_k_avx512, tiles_q2_k, 256, 1344, WALK_GEMM, STRAIGHT(R1_Q2_K), apart_q2_k, gemm_q2_k)
ENTRY(matmul_q3_k_avx512, tiles_q3_k, 256, 1760, WALK_GEMM, STRAIGHT(R1_Q3_K), apart_q3_k, gemm_q3_k)
ENTRY(matmul_q4_k_avx512, tiles_q4_k, 256, 2304, WALK_COLUMNS + 1, STRAIGHT(R1_Q4_K), apart_q4_k, gemm_q4_k)
ENTRY(matmul_q5_k_avx512, tiles_q5_k, 256, 2816, WALK_GEMM, STRAIGHT(R1_Q5_K), apart_q5_k, gemm_q5_k)
ENTRY(matmul_q6_k_avx512, tiles_q6_k, 256, 3360, WALK_GEMM, STRAIGHT(R1_Q6_K), apart_q6_k, gemm_q6_k)
ENTRY(matmul_iq4_xs_avx512, tiles_iq4_xs, 256, 2176, WALK_GEMM, STRAIGHT(R1_IQ4_XS), apart_iq4_xs, gemm_iq4_xs)

void r1_avx512_fill_q8k(r1_kernels *k)
{
    k->matmul_q8[R1_Q2_K] = matmul_q2_k_avx512;
    k->matmul_q8[R1_Q3_K] = matmul_q3_k_avx512;
    k->matmul_q8[R1_Q4_K] = matmul_q4_k_avx512;
    k->matmul_q8[R1_Q5_K] = matmul_q5_k_avx512;
    k->matmul_q8[R1_Q6_K] = matmul_q6_k_avx512;
    k->matmul_q8[R1_IQ4_XS] = matmul_iq4_xs_avx512;
}
