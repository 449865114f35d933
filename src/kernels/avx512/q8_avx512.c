/* Packed int8 products of the 32-value formats, AVX-512 with VNNI.
 *
 * A register holds 4 consecutive values of 16 rows, one row per lane, just as the panel stores them. A block is taken apart
 * once into 8 registers of unsigned codes; then each column of the tile costs 8 vpdpbusd with its activations broadcast from
 * memory, one conversion and one fused step. Unsigned codes are the real ones plus an offset; the dot starts at
 * -offset * (sum of activations), so the integer is the exact product of the signed codes.
 *
 * Tile sizes are compile-time constants, so the accumulators live in registers with gcc 12 too (an array walked by a loop it
 * does not unroll goes to the stack and costs 2.7x).
 *
 * The start stays below 2^20, a dot below 2^21: no overflow anywhere. */
#include "kernels/avx512/avx512_int.h"
#include "kernels/avx512/walk_avx512.h"

/* Values 4i .. 4i+3 of a block's rows, unsigned. */
INLINE __m512i nibbles(const uint8_t *qs, const int i)
{
    const __m512i v = load512(qs + 64 * (i % 4));
    return _mm512_and_si512(i < 4 ? v : _mm512_srli_epi16(v, 4), _mm512_set1_epi8(15));
}

/* Add 16 where the fifth bit is set: bit 4i + b of a row's qh belongs to byte b of w. */
INLINE __m512i fifth_bit(const uint8_t *qh, const int i, __m512i w)
{
    const __m512i byte = _mm512_add_epi8(_mm512_broadcast_i32x4(_mm_set_epi32(0x0C0C0C0C, 0x08080808, 0x04040404, 0)), _mm512_set1_epi8((char)(i / 2)));
    const __m512i bit = _mm512_set1_epi32(i % 2 ? (int)0x80402010u : 0x08040201);
    return _mm512_mask_add_epi8(w, _mm512_test_epi8_mask(_mm512_shuffle_epi8(load512(qh), byte), bit), w, _mm512_set1_epi8(16));
}

INLINE __m512i look_up(const int8_t values[16], int offset, __m512i w)
{
    const __m128i v = _mm_add_epi8(_mm_loadu_si128((const __m128i *)values), _mm_set1_epi8((char)offset));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(v), w);
}

INLINE __m512i codes(r1_type t, const uint8_t *b, const int i)
{
    switch (t) {
    case R1_Q4_0: return nibbles(b + 32, i);
    case R1_Q4_1: return nibbles(b + 64, i);
    case R1_Q5_0: return fifth_bit(b + 32, i, nibbles(b + 96, i));
    case R1_Q5_1: return fifth_bit(b + 64, i, nibbles(b + 128, i));
    case R1_IQ4_NL: return look_up(r1_iq4_values, 128, nibbles(b + 32, i));
    case R1_MXFP4: return look_up(r1_mxfp4_values, 16, nibbles(b + 16, i));
    default: return _mm512_xor_si512(load512(b + 32 + 64 * i), _mm512_set1_epi8((char)128)); /* Q8_0 */
    }
}

/* What is added to the signed codes is 8 << this. */
INLINE int offset_shift(r1_type t) { return t == R1_Q4_0 ? 0 : t == R1_Q5_0 || t == R1_MXFP4 ? 1 : 4; }

/* Scales of the 16 rows. MXFP4: 2^(e - 128), below the normal range 2^-127 and 2^-128. */
INLINE __m512 scales(r1_type t, const uint8_t *b)
{
    if (t != R1_MXFP4) return load_f16(b);
    __m512i e = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)b));
    __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
    __m512i small = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e);
    return _mm512_castsi512_ps(_mm512_mask_mov_epi32(normal, _mm512_cmplt_epu32_mask(e, _mm512_set1_epi32(2)), small));
}

/* -8 * sum */
INLINE __m512i start(const int nc, const int32_t *s) { return nc == 1 ? _mm512_slli_epi32(_mm512_sub_epi32(_mm512_setzero_si512(), every32(s)), 3) : every32(s); }

INLINE void tile(r1_type t, const int nc, const uint16_t block_bytes, const q8_tile *a)
{
    const bool has_min = t == R1_Q4_1 || t == R1_Q5_1;
    const uint8_t *b = a->w;
    const int8_t *q[3] = { a->q, a->q + a->q_step, a->q + 2 * a->q_step };
    const float *d[3] = { a->d, a->d + a->d_step, a->d + 2 * a->d_step };
    const int32_t *s[3] = { a->s, a->s + a->s_step, a->s + 2 * a->s_step };
    const __mmask16 rows = mask16(a->rows);
    __m512 acc[12];
    UNROLL for (int c = 0; c < nc; c++) acc[c] = a->first || c >= a->columns ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(rows, a->y + (size_t)c * a->ldy);
    for (size_t n = a->n_blocks; n > 0; n--) {
        const __m512 dw = scales(t, b), m = has_min ? load_f16(b + 32) : dw;
        __m512i dot[12];
        UNROLL for (int c = 0; c < nc; c++) dot[c] = has_min ? _mm512_setzero_si512() : _mm512_slli_epi32(start(nc, s[c / 4] + c % 4), offset_shift(t));
        UNROLL for (int i = 0; i < 8; i++) {
            const __m512i w = codes(t, b, i);
            UNROLL for (int c = 0; c < nc; c++) dot[c] = dpbusd(dot[c], w, q[c / 4] + (nc == 1 ? 4 * i : 16 * i + c % 4 * 4));
        }
        UNROLL for (int c = 0; c < nc; c++) {
            const __m512 dx = everyf(d[c / 4] + c % 4);
            acc[c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[c]), _mm512_mul_ps(dw, dx), acc[c]);
            if (has_min) acc[c] = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(_mm512_srai_epi32(start(nc, s[c / 4] + c % 4), 3)), _mm512_mul_ps(m, dx), acc[c]);
        }
        b += block_bytes;
        UNROLL for (int g = 0; g < (nc + 3) / 4; g++) {
            q[g] += nc == 1 ? 32 : 128;
            d[g] += nc == 1 ? 1 : 4;
            s[g] += nc == 1 ? 1 : 4;
        }
    }
    UNROLL for (int c = 0; c < nc; c++)
        if (c < a->columns) _mm512_mask_storeu_ps(a->y + (size_t)c * a->ldy, rows, acc[c]);
}

INLINE void tiles(r1_type t, uint16_t block_bytes, const q8_tile *a, int nc)
{
    switch (nc) {
    case 12: tile(t, 12, block_bytes, a); break;
    case 8: tile(t, 8, block_bytes, a); break;
    case 4: tile(t, 4, block_bytes, a); break;
    default: tile(t, 1, block_bytes, a); break;
    }
}

INLINE void take_apart(r1_type t, const uint16_t block_bytes, const uint8_t *b, const uint8_t *b2, size_t n_blocks, q8_pair *p)
{
    const bool has_min = t == R1_Q4_1 || t == R1_Q5_1;
    uint8_t *w = p->w;
    float *f = (float *)(void *)p->factor;
    for (size_t n = n_blocks; n > 0; n--, b += block_bytes, b2 += block_bytes, w += 1024, f += has_min ? 64 : 32) {
        UNROLL for (int i = 0; i < 8; i++) {
            _mm512_store_si512(w + 128 * i, codes(t, b, i));
            _mm512_store_si512(w + 128 * i + 64, codes(t, b2, i));
        }
        _mm512_store_ps(f, scales(t, b));
        _mm512_store_ps(f + 16, scales(t, b2));
        if (!has_min) continue;
        _mm512_store_ps(f + 32, load_f16(b + 32));
        _mm512_store_ps(f + 48, load_f16(b2 + 32));
    }
}

static void straight_q4_0(const q8_gemm *g) { gemm_q4_0(&g->t); }
static void straight_q8_0(const q8_gemm *g) { gemm_q8_0(&g->t); }
static void gemm_16(const q8_gemm *g) { gemm_by_32_16(&g->t); }
static void gemm_128(const q8_gemm *g) { gemm_by_32_128(&g->t); }
static void gemm_min(const q8_gemm *g) { gemm_by_32_min(&g->t); }

static void tiles_q4_0(const q8_tile *a, int nc) { tiles(R1_Q4_0, 288, a, nc); }
static void tiles_q4_1(const q8_tile *a, int nc) { tiles(R1_Q4_1, 320, a, nc); }
static void tiles_q5_0(const q8_tile *a, int nc) { tiles(R1_Q5_0, 352, a, nc); }
static void tiles_q5_1(const q8_tile *a, int nc) { tiles(R1_Q5_1, 384, a, nc); }
static void tiles_q8_0(const q8_tile *a, int nc) { tiles(R1_Q8_0, 544, a, nc); }
static void tiles_iq4_nl(const q8_tile *a, int nc) { tiles(R1_IQ4_NL, 288, a, nc); }
static void tiles_mxfp4(const q8_tile *a, int nc) { tiles(R1_MXFP4, 272, a, nc); }

static void apart_q4_1(const uint8_t *w, const uint8_t *w2, size_t n, q8_pair *p) { take_apart(R1_Q4_1, 320, w, w2, n, p); }
static void apart_q5_0(const uint8_t *w, const uint8_t *w2, size_t n, q8_pair *p) { take_apart(R1_Q5_0, 352, w, w2, n, p); }
static void apart_q5_1(const uint8_t *w, const uint8_t *w2, size_t n, q8_pair *p) { take_apart(R1_Q5_1, 384, w, w2, n, p); }
static void apart_iq4_nl(const uint8_t *w, const uint8_t *w2, size_t n, q8_pair *p) { take_apart(R1_IQ4_NL, 288, w, w2, n, p); }
static void apart_mxfp4(const uint8_t *w, const uint8_t *w2, size_t n, q8_pair *p) { take_apart(R1_MXFP4, 272, w, w2, n, p); }

ENTRY(matmul_q4_0_avx512, tiles_q4_0, 32, 288, WALK_DIRECT, true, NULL, straight_q4_0)
ENTRY(matmul_q4_1_avx512, tiles_q4_1, 32, 320, WALK_GEMM, false, apart_q4_1, gemm_min)
ENTRY(matmul_q5_0_avx512, tiles_q5_0, 32, 352, WALK_GEMM, false, apart_q5_0, gemm_16)
ENTRY(matmul_q5_1_avx512, tiles_q5_1, 32, 384, WALK_GEMM, false, apart_q5_1, gemm_min)
ENTRY(matmul_q8_0_avx512, tiles_q8_0, 32, 544, WALK_DIRECT, true, NULL, straight_q8_0)
ENTRY(matmul_iq4_nl_avx512, tiles_iq4_nl, 32, 288, WALK_GEMM, false, apart_iq4_nl, gemm_128)
ENTRY(matmul_mxfp4_avx512, tiles_mxfp4, 32, 272, WALK_GEMM, false, apart_mxfp4, gemm_16)

void r1_avx512_fill_q8(r1_kernels *k)
{
    k->matmul_q8[R1_Q4_0] = matmul_q4_0_avx512;
    k->matmul_q8[R1_Q4_1] = matmul_q4_1_avx512;
    k->matmul_q8[R1_Q5_0] = matmul_q5_0_avx512;
    k->matmul_q8[R1_Q5_1] = matmul_q5_1_avx512;
    k->matmul_q8[R1_Q8_0] = matmul_q8_0_avx512;
    k->matmul_q8[R1_IQ4_NL] = matmul_iq4_nl_avx512;
    k->matmul_q8[R1_MXFP4] = matmul_mxfp4_avx512;
}
