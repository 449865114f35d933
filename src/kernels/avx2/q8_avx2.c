/* Packed int8 products of the 32-value formats, AVX2. As q8_avx512.c with half a panel at a time: 8 rows in a register, tiles
 * of up to 4 columns, and dot_avx2.h for the integers. Q8_0 and IQ4_NL keep signed codes, the others have an offset. */
#include "kernels/act_tile.h"
#include "kernels/avx2/dot_avx2.h"

/* b points at the half: every unit of a panel has its 16 rows side by side. */
INLINE void nibbles(const uint8_t *qs, __m256i w[8])
{
    const __m256i low = _mm256_set1_epi8(15);
    UNROLL for (int i = 0; i < 4; i++) {
        const __m256i v = load256(qs + 64 * i);
        w[i] = _mm256_and_si256(v, low);
        w[i + 4] = _mm256_and_si256(_mm256_srli_epi16(v, 4), low);
    }
}

/* Add 16 where the fifth bit is set: bit 4i + b of a row's qh belongs to byte b of w[i]. */
INLINE void fifth_bit(const uint8_t *qh, __m256i w[8])
{
    const __m256i h = load256(qh), sixteen = _mm256_set1_epi8(16);
    const __m256i first = _mm256_broadcastsi128_si256(_mm_set_epi32(0x0C0C0C0C, 0x08080808, 0x04040404, 0));
    UNROLL for (int i = 0; i < 8; i++) {
        const __m256i bit = _mm256_set1_epi32(i % 2 ? (int)0x80402010u : 0x08040201);
        const __m256i byte = _mm256_shuffle_epi8(h, _mm256_add_epi8(first, _mm256_set1_epi8((char)(i / 2))));
        const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(byte, bit), bit);
        w[i] = _mm256_or_si256(w[i], _mm256_and_si256(set, sixteen));
    }
}

INLINE void look_up(const int8_t values[16], int offset, __m256i w[8])
{
    const __m128i v = _mm_add_epi8(_mm_loadu_si128((const __m128i *)values), _mm_set1_epi8((char)offset));
    const __m256i table = _mm256_broadcastsi128_si256(v);
    UNROLL for (int i = 0; i < 8; i++) w[i] = _mm256_shuffle_epi8(table, w[i]);
}

INLINE void unpack(r1_type t, const uint8_t *b, int half, __m256i w[8])
{
    b += 32 * half;
    switch (t) {
    case R1_Q4_0: nibbles(b + 32, w); break;
    case R1_Q4_1: nibbles(b + 64, w); break;
    case R1_Q5_0: nibbles(b + 96, w); fifth_bit(b + 32, w); break;
    case R1_Q5_1: nibbles(b + 128, w); fifth_bit(b + 64, w); break;
    case R1_IQ4_NL: nibbles(b + 32, w); look_up(r1_iq4_values, 0, w); break;
    case R1_MXFP4: nibbles(b + 16, w); look_up(r1_mxfp4_values, 12, w); break;
    default: /* Q8_0 */
        UNROLL for (int i = 0; i < 8; i++) w[i] = load256(b + 32 + 64 * i);
    }
}

/* Scales of 8 rows. MXFP4: 2^(e - 128), below the normal range 2^-127 and 2^-128. */
INLINE __m256 scales(r1_type t, const uint8_t *b, int half)
{
    if (t != R1_MXFP4) return load_f16(b + 16 * half);
    const __m256i e = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(b + 8 * half)));
    const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
    const __m256i small = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
    return _mm256_castsi256_ps(_mm256_blendv_epi8(normal, small, _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e)));
}

INLINE void half_tile(r1_type t, const int nc, const unsigned block_bytes, const q8_tile *a, const int half)
{
    const bool has_min = t == R1_Q4_1 || t == R1_Q5_1, is_signed = results_added(t) == 1;
    const size_t rows = a->rows - 8 * (unsigned)half;
    const __m256i one = _mm256_set1_epi16(1);
    const uint8_t *b = a->w;
    const int8_t *q = a->q;
    const float *d = a->d;
    const int32_t *s = a->s;
    float *y = a->y + 8 * half;
    __m256 acc[4];
    UNROLL for (int c = 0; c < nc; c++) acc[c] = a->first ? _mm256_setzero_ps() : load_n(y + (size_t)c * a->ldy, rows);
    for (size_t n = a->n_blocks; n > 0; n--) {
        __m256i w[8];
        unpack(t, b, half, w);
        const __m256 dw = scales(t, b, half), m = has_min ? load_f16(b + 32 + 16 * half) : dw;
        UNROLL for (int c = 0; c < nc; c++) {
            const __m256i start = has_min || is_signed ? _mm256_setzero_si256() : every32(s + c);
            const __m256i dot = dot_units(t, start, w, q + c * 32, 0, 8, one);
            const __m256 dx = everyf(d + c);
            acc[c] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), _mm256_mul_ps(dw, dx), acc[c]);
            if (has_min) acc[c] = _mm256_fmadd_ps(everyf(s + c), _mm256_mul_ps(m, dx), acc[c]);
        }
        b += block_bytes;
        q += nc * 32;
        d += nc;
        s += nc;
    }
    UNROLL for (int c = 0; c < nc; c++) store_n(y + (size_t)c * a->ldy, rows, acc[c]);
}

INLINE void tile(r1_type t, const int nc, const unsigned block_bytes, const q8_tile *a)
{
    half_tile(t, nc, block_bytes, a, 0);
    if (a->rows > 8) half_tile(t, nc, block_bytes, a, 1);
}

INLINE void tiles(r1_type t, unsigned block_bytes, const q8_tile *a, int nc)
{
    switch (nc) {
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

ENTRY(matmul_q4_0_avx2, tiles_q4_0, 32, 288, SUMS_OFFSET, 8, 4)
ENTRY(matmul_q4_1_avx2, tiles_q4_1, 32, 320, SUMS_FLOAT, 0, 4)
ENTRY(matmul_q5_0_avx2, tiles_q5_0, 32, 352, SUMS_OFFSET, 16, 4)
ENTRY(matmul_q5_1_avx2, tiles_q5_1, 32, 384, SUMS_FLOAT, 0, 4)
ENTRY(matmul_q8_0_avx2, tiles_q8_0, 32, 544, SUMS_OFFSET, 0, 4)
ENTRY(matmul_iq4_nl_avx2, tiles_iq4_nl, 32, 288, SUMS_OFFSET, 0, 4)
ENTRY(matmul_mxfp4_avx2, tiles_mxfp4, 32, 272, SUMS_OFFSET, 12, 4)

void r1_avx2_fill_q8(r1_kernels *k)
{
    k->matmul_q8[R1_Q4_0] = matmul_q4_0_avx2;
    k->matmul_q8[R1_Q4_1] = matmul_q4_1_avx2;
    k->matmul_q8[R1_Q5_0] = matmul_q5_0_avx2;
    k->matmul_q8[R1_Q5_1] = matmul_q5_1_avx2;
    k->matmul_q8[R1_Q8_0] = matmul_q8_0_avx2;
    k->matmul_q8[R1_IQ4_NL] = matmul_iq4_nl_avx2;
    k->matmul_q8[R1_MXFP4] = matmul_mxfp4_avx2;
}
