/* Packed int8 products of the 32-value formats, AMX.
 *
 * A block is one product of tiles (K = 32, half of what a tile holds: a float scale stands between two blocks), stored to memory
 * and added to the accumulators, which are the 16 rows of a token tile in registers. Four blocks are multiplied before their float
 * steps, so that tile unit and vector unit have something to overlap. The integers are exact, and the float steps are those of
 * kernels.h, so the bits are avx512's. */
#include "kernels/amx/walk_amx.h"

/* From how many columns on tiles win over VNNI, which unpacks nothing. By the costs in docs/decisions/0008-amx.md. */
enum { LEAST_32 = R1_AMX_LEAST(4) };

/* The signed codes of a block: w[i] holds values 4i..4i+3 of 16 rows, a row of tile B. */
INLINE void codes_32(r1_type t, const uint8_t *b, __m512i w[8])
{
    static const int8_t minus8[16] = { -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7 };
    static const int8_t minus16[16] = { -16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1 };
    static const int8_t plain[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    const int8_t *values = t == R1_Q4_0 ? minus8 : t == R1_Q5_0 ? minus16 : t == R1_IQ4_NL ? r1_iq4_values : t == R1_MXFP4 ? r1_mxfp4_values : plain;
    const unsigned qs = t == R1_Q4_1 ? 64 : t == R1_Q5_0 ? 96 : t == R1_Q5_1 ? 128 : t == R1_MXFP4 ? 16 : 32;
    if (t == R1_Q8_0) {
        UNROLL for (int i = 0; i < 8; i++) w[i] = load512(b + qs + 64 * i);
        return;
    }
    const __m512i table = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)values)), low = _mm512_set1_epi8(15);
    UNROLL for (int i = 0; i < 4; i++) {
        const __m512i v = load512(b + qs + 64 * i);
        w[i] = _mm512_shuffle_epi8(table, _mm512_and_si512(v, low));
        w[i + 4] = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(v, 4), low));
    }
    if (t != R1_Q5_0 && t != R1_Q5_1) return;
    /* bit 4i + b of a row's qh is the fifth bit of byte b of w[i] */
    const __m512i h = load512(b + (t == R1_Q5_0 ? 32 : 64)), first = _mm512_broadcast_i32x4(_mm_set_epi32(0x0C0C0C0C, 0x08080808, 0x04040404, 0));
    UNROLL for (int i = 0; i < 8; i++) {
        const __m512i byte = _mm512_shuffle_epi8(h, _mm512_add_epi8(first, _mm512_set1_epi8((char)(i / 2))));
        const __mmask64 set = _mm512_test_epi8_mask(byte, _mm512_set1_epi32(i % 2 ? (int)0x80402010u : 0x08040201));
        w[i] = _mm512_mask_add_epi8(w[i], set, w[i], _mm512_set1_epi8(16));
    }
}

/* Scales of the 16 rows. MXFP4: 2^(e - 128), below the normal range 2^-127 and 2^-128. */
INLINE __m512 scale_32(r1_type t, const uint8_t *b)
{
    if (t != R1_MXFP4) return load_f16(b);
    const __m512i e = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)b));
    const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23), small = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e);
    return _mm512_castsi512_ps(_mm512_mask_mov_epi32(normal, _mm512_cmplt_epu32_mask(e, _mm512_set1_epi32(2)), small));
}

INLINE bool min_32(r1_type t) { return t == R1_Q4_1 || t == R1_Q5_1; }

INLINE void unpack_32(r1_type t, const unsigned block_bytes, const amx_slab *s)
{
    amx_scratch *m = s->m;
    const uint8_t *b = s->w[0];
    for (size_t n = 0; n < s->n; n++, b += block_bytes) {
        __m512i w[8];
        fetch((uintptr_t)b + s->panel_bytes, block_bytes); /* the same slab of the next panel */
        codes_32(t, b, w);
        UNROLL for (size_t i = 0; i < 8; i++) _mm512_store_si512(m->b[0][8 * n + i], w[i]);
        _mm512_store_ps(m->w[0].d[n], scale_32(t, b));
        if (min_32(t)) _mm512_store_ps(m->w[0].m[n], load_f16(b + 32));
    }
}

/* Product of block b + C of the tile with that of the slab, to place C. A, B: registers that the last one did not use. */
#define BLOCK_32(C, A, B) \
    do { TILE_ZERO(C); TILE_LOAD(A, a + (b + C) * a_step, 32); TILE_LOAD(B, m->b[0][8 * (b + C)], 64); TILE_DPBSSD(C, A, B); TILE_STORE(C, m->c[C], 64); } while (0)

/* A token tile with the slab; nt: its rows, rounded up to 4. */
INLINE void tile_32(const bool has_min, const size_t nt, const amx_slab *s, size_t tile)
{
    amx_scratch *m = s->m;
    const size_t columns = r1_min(s->tokens, s->columns - tile * s->tokens), block = tile * s->stretch + s->block0, a_step = 32 * s->tokens;
    const int8_t *a = m->a + block * a_step;
    const float *d = m->d + block * TOKENS;
    const int32_t *sum = m->s + block * TOKENS;
    float *y = s->y + tile * s->tokens * s->ldy;
    __m512 acc[TOKENS];
    UNROLL for (size_t j = 0; j < nt; j++) acc[j] = s->first || j >= columns ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(s->rows[0], y + j * s->ldy);
    for (size_t b = 0; b < s->n; b += 4) {
        const size_t n = r1_min(4, s->n - b);
        BLOCK_32(0, 4, 6);
        if (n > 1) BLOCK_32(1, 5, 7);
        if (n > 2) BLOCK_32(2, 4, 6);
        if (n > 3) BLOCK_32(3, 5, 7);
        KEEP_LOOP for (size_t c = 0; c < n; c++, d += TOKENS, sum += TOKENS) {
            const __m512 dw = _mm512_load_ps(m->w[0].d[b + c]), dm = has_min ? _mm512_load_ps(m->w[0].m[b + c]) : dw;
            UNROLL for (size_t j = 0; j < nt; j++) {
                const __m512 dx = everyf(d + j), dot = _mm512_cvtepi32_ps(_mm512_load_si512(m->c[c][j]));
                acc[j] = _mm512_fmadd_ps(dot, _mm512_mul_ps(dw, dx), acc[j]);
                if (has_min) acc[j] = _mm512_fmadd_ps(everyf(sum + j), _mm512_mul_ps(dm, dx), acc[j]);
            }
        }
    }
    UNROLL for (size_t j = 0; j < nt; j++)
        if (j < columns) _mm512_mask_storeu_ps(y + j * s->ldy, s->rows[0], acc[j]);
}

INLINE void tiles_32(const bool has_min, const size_t nt, const amx_slab *s)
{
    for (size_t i = 0; i * s->tokens < s->columns; i++) tile_32(has_min, nt, s, i);
}

static void multiply_32(const amx_slab *s)
{
    switch ((s->tokens + 3) / 4) {
    case 1: tiles_32(false, 4, s); break;
    case 2: tiles_32(false, 8, s); break;
    case 3: tiles_32(false, 12, s); break;
    default: tiles_32(false, 16, s); break;
    }
}

static void multiply_32_min(const amx_slab *s)
{
    switch ((s->tokens + 3) / 4) {
    case 1: tiles_32(true, 4, s); break;
    case 2: tiles_32(true, 8, s); break;
    case 3: tiles_32(true, 12, s); break;
    default: tiles_32(true, 16, s); break;
    }
}

INLINE void slab_32(r1_type t, const unsigned block_bytes, const amx_slab *s)
{
    unpack_32(t, block_bytes, s);
    if (min_32(t)) multiply_32_min(s);
    else multiply_32(s);
}

static void slab_q4_0(const amx_slab *s) { slab_32(R1_Q4_0, 288, s); }
static void slab_q4_1(const amx_slab *s) { slab_32(R1_Q4_1, 320, s); }
static void slab_q5_0(const amx_slab *s) { slab_32(R1_Q5_0, 352, s); }
static void slab_q5_1(const amx_slab *s) { slab_32(R1_Q5_1, 384, s); }
static void slab_q8_0(const amx_slab *s) { slab_32(R1_Q8_0, 544, s); }
static void slab_iq4_nl(const amx_slab *s) { slab_32(R1_IQ4_NL, 288, s); }
static void slab_mxfp4(const amx_slab *s) { slab_32(R1_MXFP4, 272, s); }

AMX_ENTRY(matmul_q4_0_amx, R1_Q4_0, r1_avx512_fill_q8, LEAST_32, slab_q4_0, 32, 288, 32, 1, 0)
AMX_ENTRY(matmul_q4_1_amx, R1_Q4_1, r1_avx512_fill_q8, LEAST_32, slab_q4_1, 32, 320, 32, 1, 1)
AMX_ENTRY(matmul_q5_0_amx, R1_Q5_0, r1_avx512_fill_q8, LEAST_32, slab_q5_0, 32, 352, 32, 1, 0)
AMX_ENTRY(matmul_q5_1_amx, R1_Q5_1, r1_avx512_fill_q8, LEAST_32, slab_q5_1, 32, 384, 32, 1, 1)
AMX_ENTRY(matmul_q8_0_amx, R1_Q8_0, r1_avx512_fill_q8, LEAST_32, slab_q8_0, 32, 544, 32, 1, 0)
AMX_ENTRY(matmul_iq4_nl_amx, R1_IQ4_NL, r1_avx512_fill_q8, LEAST_32, slab_iq4_nl, 32, 288, 32, 1, 0)
AMX_ENTRY(matmul_mxfp4_amx, R1_MXFP4, r1_avx512_fill_q8, LEAST_32, slab_mxfp4, 32, 272, 32, 1, 0)

void r1_amx_fill_q8(r1_kernels *k)
{
    k->matmul_q8[R1_Q4_0] = matmul_q4_0_amx;
    k->matmul_q8[R1_Q4_1] = matmul_q4_1_amx;
    k->matmul_q8[R1_Q5_0] = matmul_q5_0_amx;
    k->matmul_q8[R1_Q5_1] = matmul_q5_1_amx;
    k->matmul_q8[R1_Q8_0] = matmul_q8_0_amx;
    k->matmul_q8[R1_IQ4_NL] = matmul_iq4_nl_amx;
    k->matmul_q8[R1_MXFP4] = matmul_mxfp4_amx;
}
