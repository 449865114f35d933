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
 * A scale of -offset * sum stays below 2^20, a dot below 2^21: no overflow anywhere. */
#include "kernels/avx512/avx512_int.h"
#include "kernels/avx512/walk_avx512.h"

/* The codes of a block: w[i], i < 8, holds values 4i..4i+3. */
INLINE void nibbles(const uint8_t *qs, __m512i w[8])
{
    const __m512i low = _mm512_set1_epi8(15);
    UNROLL for (int i = 0; i < 4; i++) {
        __m512i v = load512(qs + 64 * i);
        w[i] = _mm512_and_si512(v, low);
        w[i + 4] = _mm512_and_si512(_mm512_srli_epi16(v, 4), low);
    }
}

/* Add 16 where the fifth bit is set: bit 4i + b of a row's qh belongs to byte b of w[i]. */
INLINE void fifth_bit(const uint8_t *qh, __m512i w[8])
{
    const __m512i h = load512(qh), sixteen = _mm512_set1_epi8(16);
    UNROLL for (int i = 0; i < 8; i++) {
        const __m512i byte = _mm512_add_epi8(_mm512_broadcast_i32x4(_mm_set_epi32(0x0C0C0C0C, 0x08080808, 0x04040404, 0)), _mm512_set1_epi8((char)(i / 2)));
        const __m512i bit = _mm512_set1_epi32(i % 2 ? (int)0x80402010u : 0x08040201);
        __mmask64 set = _mm512_test_epi8_mask(_mm512_shuffle_epi8(h, byte), bit);
        w[i] = _mm512_mask_add_epi8(w[i], set, w[i], sixteen);
    }
}

INLINE void look_up(const int8_t values[16], int offset, __m512i w[8])
{
    const __m128i v = _mm_add_epi8(_mm_loadu_si128((const __m128i *)values), _mm_set1_epi8((char)offset));
    const __m512i table = _mm512_broadcast_i32x4(v);
    UNROLL for (int i = 0; i < 8; i++) w[i] = _mm512_shuffle_epi8(table, w[i]);
}

INLINE void unpack(r1_type t, const uint8_t *b, __m512i w[8])
{
    switch (t) {
    case R1_Q4_0: nibbles(b + 32, w); break;
    case R1_Q4_1: nibbles(b + 64, w); break;
    case R1_Q5_0: nibbles(b + 96, w); fifth_bit(b + 32, w); break;
    case R1_Q5_1: nibbles(b + 128, w); fifth_bit(b + 64, w); break;
    case R1_IQ4_NL: nibbles(b + 32, w); look_up(r1_iq4_values, 128, w); break;
    case R1_MXFP4: nibbles(b + 16, w); look_up(r1_mxfp4_values, 12, w); break;
    default: /* Q8_0 */
        UNROLL for (int i = 0; i < 8; i++) w[i] = _mm512_xor_si512(load512(b + 32 + 64 * i), _mm512_set1_epi8((char)128));
    }
}

/* Scales of the 16 rows. MXFP4: 2^(e - 128), below the normal range 2^-127 and 2^-128. */
INLINE __m512 scales(r1_type t, const uint8_t *b)
{
    if (t != R1_MXFP4) return load_f16(b);
    __m512i e = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)b));
    __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
    __m512i small = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e);
    return _mm512_castsi512_ps(_mm512_mask_mov_epi32(normal, _mm512_cmplt_epu32_mask(e, _mm512_set1_epi32(2)), small));
}

#define MIN4(n) ((n) < 4 ? (n) : 4)

INLINE void tile(r1_type t, const int nc, const uint16_t block_bytes, const q8_tile *a)
{
    const bool has_min = t == R1_Q4_1 || t == R1_Q5_1;
    const uint8_t *b = a->w;
    const int8_t *q = a->q;
    const float *d = a->d;
    const int32_t *s = a->s;
    const __mmask16 rows = mask16(a->rows);
    __m512 acc[12];
    UNROLL for (int c = 0; c < nc; c++) acc[c] = a->first || c >= a->columns ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(rows, a->y + (size_t)c * a->ldy);
    for (size_t n = a->n_blocks; n > 0; n--) {
        __m512i w[8];
        unpack(t, b, w);
        const __m512 dw = scales(t, b), m = has_min ? load_f16(b + 32) : dw;
        UNROLL for (int c0 = 0; c0 < nc; c0 += 4) {
            const int8_t *qc = q + (size_t)(c0 / 4) * a->q_step;
            __m512i dot[4];
            UNROLL for (int c = 0; c < MIN4(nc); c++) dot[c] = has_min ? _mm512_setzero_si512() : every32(s + c0 + c);
            UNROLL for (int i = 0; i < 8; i++)
                UNROLL for (int c = 0; c < MIN4(nc); c++) dot[c] = dpbusd(dot[c], w[i], qc + c * 32 + i * 4);
            UNROLL for (int c = 0; c < MIN4(nc); c++) {
                const __m512 dx = everyf(d + c0 + c);
                acc[c0 + c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[c]), _mm512_mul_ps(dw, dx), acc[c0 + c]);
                if (has_min) acc[c0 + c] = _mm512_fmadd_ps(everyf(s + c0 + c), _mm512_mul_ps(m, dx), acc[c0 + c]);
            }
        }
        b += block_bytes;
        q += nc == 1 ? 32 : 128;
        d += nc;
        s += nc;
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

static void tiles_q4_0(const q8_tile *a, int nc) { tiles(R1_Q4_0, 288, a, nc); }
static void tiles_q4_1(const q8_tile *a, int nc) { tiles(R1_Q4_1, 320, a, nc); }
static void tiles_q5_0(const q8_tile *a, int nc) { tiles(R1_Q5_0, 352, a, nc); }
static void tiles_q5_1(const q8_tile *a, int nc) { tiles(R1_Q5_1, 384, a, nc); }
static void tiles_q8_0(const q8_tile *a, int nc) { tiles(R1_Q8_0, 544, a, nc); }
static void tiles_iq4_nl(const q8_tile *a, int nc) { tiles(R1_IQ4_NL, 288, a, nc); }
static void tiles_mxfp4(const q8_tile *a, int nc) { tiles(R1_MXFP4, 272, a, nc); }

ENTRY(matmul_q4_0_avx512, tiles_q4_0, 32, 288, WALK_OFFSET, 8)
ENTRY(matmul_q4_1_avx512, tiles_q4_1, 32, 320, WALK_FLOAT, 0)
ENTRY(matmul_q5_0_avx512, tiles_q5_0, 32, 352, WALK_OFFSET, 16)
ENTRY(matmul_q5_1_avx512, tiles_q5_1, 32, 384, WALK_FLOAT, 0)
ENTRY(matmul_q8_0_avx512, tiles_q8_0, 32, 544, WALK_OFFSET, 128)
ENTRY(matmul_iq4_nl_avx512, tiles_iq4_nl, 32, 288, WALK_OFFSET, 128)
ENTRY(matmul_mxfp4_avx512, tiles_mxfp4, 32, 272, WALK_OFFSET, 12)

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
