/* Attention over one block of keys, AVX-512: scores, softmax, mixing of values, and the turning of rows into columns.
 *
 * Every result is a plain chain of fused steps, so lanes are free to run over keys (scores) and over value dimensions (mix):
 * no sum goes across lanes. A tile of 6 query rows and 4 registers has 24 accumulators; 4 loads (widened on the way, by units
 * that multiply nothing) and 6 broadcasts feed 24 fused steps, so arithmetic is the limit. Fewer rows take smaller tiles. */
#include "kernels/avx512/lanes_avx512.h"

enum { ROWS = 6, REGS = 4 };

typedef struct masks { __mmask16 m[REGS]; } masks;

INLINE masks masks_of(size_t n)
{
    masks k;
    UNROLL for (int c = 0; c < REGS; c++) k.m[c] = n > (size_t)c * 16 ? mask16(n - (size_t)c * 16) : 0;
    return k;
}

/* acc[r][c] += a[r * lda + i * step_a] * row i of b, i < n; b: rows of up to 64 values of type t, ldb apart. */
typedef struct chain {
    const float *a; size_t lda;
    const uint8_t *b; size_t ldb; /* bytes */
    size_t n;
    const uint8_t *next; /* ask for as much from here; NULL: no */
} chain;

INLINE void run(r1_type t, const int nr, const int nc, const bool full, __m512 acc[ROWS * REGS], const chain *x, const masks *k)
{
    const float *a = x->a;
    const uint8_t *b = x->b, *next = x->next;
    for (size_t i = 0; i < x->n; i++, b += x->ldb) {
        __m512 v[REGS];
        if (next) {
            fetch((uintptr_t)next, t == R1_F32 ? 256 : 128);
            next += t == R1_F32 ? 256 : 128;
        }
        UNROLL for (int c = 0; c < nc; c++) v[c] = widen(t, b, (size_t)c * 16, full ? 0xFFFF : k->m[c]);
        UNROLL for (int r = 0; r < nr; r++) {
            const __m512 w = set(a[(size_t)r * x->lda + i]);
            UNROLL for (int c = 0; c < nc; c++) acc[r * REGS + c] = _mm512_fmadd_ps(w, v[c], acc[r * REGS + c]);
        }
    }
}

/* nr rows of y (ldy apart) = the chain, when mixing added to shrink[r] * y[r]. */
INLINE void tile(r1_type t, const int nr, const int nc, const bool full, const bool mixing, float *y, size_t ldy, const float *shrink, const chain *x, const masks *k)
{
    __m512 acc[ROWS * REGS];
    UNROLL for (int i = 0; i < nr * REGS; i++) acc[i] = _mm512_setzero_ps();
    run(t, nr, nc, full, acc, x, k);
    UNROLL for (int r = 0; r < nr; r++)
        UNROLL for (int c = 0; c < nc; c++) {
            float *to = y + (size_t)r * ldy + (size_t)c * 16;
            __m512 sum = acc[r * REGS + c];
            if (mixing) sum = _mm512_fmadd_ps(set(shrink[r]), full ? _mm512_loadu_ps(to) : loadf(k->m[c], to), sum);
            if (full) _mm512_storeu_ps(to, sum);
            else _mm512_mask_storeu_ps(to, k->m[c], sum);
        }
}

INLINE void some_rows(r1_type t, const int nr, const int nc, const bool full, const bool mixing, float *y, size_t ldy, const float **shrink, chain *x, const masks *k)
{
    tile(t, nr, nc, full, mixing, y, ldy, *shrink, x, k);
    x->a += (size_t)nr * x->lda;
    x->next = NULL; /* the rows after the first ones read what is near */
    if (mixing) *shrink += nr;
}

/* All rows of up to 64 columns, nc registers of them. */
INLINE void rows(r1_type t, const int nc, const bool full, const bool mixing, float *y, size_t ldy, const float *shrink, size_t n_q, chain x, const masks *k)
{
    size_t i = 0;
    for (; i + 6 <= n_q; i += 6) some_rows(t, 6, nc, full, mixing, y + i * ldy, ldy, &shrink, &x, k);
    for (; i + 3 <= n_q; i += 3) some_rows(t, 3, nc, full, mixing, y + i * ldy, ldy, &shrink, &x, k);
    for (; i + 2 <= n_q; i += 2) some_rows(t, 2, nc, full, mixing, y + i * ldy, ldy, &shrink, &x, k);
    for (; i < n_q; i++) some_rows(t, 1, nc, full, mixing, y + i * ldy, ldy, &shrink, &x, k);
}

INLINE void product(r1_type t, const bool mixing, float *y, size_t ldy, const float *shrink, size_t n_q, chain x, size_t columns)
{
    const size_t size = t == R1_F32 ? 4 : 2;
    x.ldb *= size;
    for (size_t j = 0; j < columns; j += 64, x.b += 64 * size) {
        const masks k = masks_of(columns - j);
        if (columns - j >= 64) rows(t, 4, true, mixing, y + j, ldy, shrink, n_q, x, &k);
        else if (columns - j <= 32) rows(t, 2, false, mixing, y + j, ldy, shrink, n_q, x, &k);
        else rows(t, 4, false, mixing, y + j, ldy, shrink, n_q, x, &k);
        if (x.next) x.next += x.n * 64 * size;
    }
}

static void scores_f32(float *s, size_t lds, const float *q, size_t ldq, size_t n_q, const void *kt, size_t ldk, size_t n_t, size_t D, const void *next)
{
    product(R1_F32, false, s, lds, NULL, n_q, (chain){ q, ldq, kt, ldk, D, next }, n_t);
}

static void scores_f16(float *s, size_t lds, const float *q, size_t ldq, size_t n_q, const void *kt, size_t ldk, size_t n_t, size_t D, const void *next)
{
    product(R1_F16, false, s, lds, NULL, n_q, (chain){ q, ldq, kt, ldk, D, next }, n_t);
}

static void scores_bf16(float *s, size_t lds, const float *q, size_t ldq, size_t n_q, const void *kt, size_t ldk, size_t n_t, size_t D, const void *next)
{
    product(R1_BF16, false, s, lds, NULL, n_q, (chain){ q, ldq, kt, ldk, D, next }, n_t);
}

static void mix_f32(float *o, size_t ldo, const float *shrink, const float *p, size_t ldp, size_t n_q, const void *v, size_t ldv, size_t n_t,
                     size_t D, const void *next)
{
    product(R1_F32, true, o, ldo, shrink, n_q, (chain){ p, ldp, v, ldv, n_t, next }, D);
}

static void mix_f16(float *o, size_t ldo, const float *shrink, const float *p, size_t ldp, size_t n_q, const void *v, size_t ldv, size_t n_t,
                     size_t D, const void *next)
{
    product(R1_F16, true, o, ldo, shrink, n_q, (chain){ p, ldp, v, ldv, n_t, next }, D);
}

static void mix_bf16(float *o, size_t ldo, const float *shrink, const float *p, size_t ldp, size_t n_q, const void *v, size_t ldv, size_t n_t,
                     size_t D, const void *next)
{
    product(R1_BF16, true, o, ldo, shrink, n_q, (chain){ p, ldp, v, ldv, n_t, next }, D);
}

/* exp512 for x <= 0 or NaN: no overflow to look for, and scaling by a power of two keeps NaN. */
INLINE __m512 exp_falling(__m512 x)
{
    __m512 t;
    const __m512 p = exp_remainder(x, &t), n = _mm512_sub_ps(t, set(R1_EXP_MAGIC));
    return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(x, set(R1_EXP_LO), _CMP_NLT_UQ), p, n);
}

/* Row i of 16 goes to register SLOT(i), and after the tree its result is in lane i. */
#define SLOT(i) ((i) % 4 * 4 + (i) / 4)

/* Largest of each row's n values, one row a lane. NaN is never taken: vmaxps gives its second operand when either is NaN. */
INLINE __m512 largest(const float *s, size_t lds, size_t rows, size_t n)
{
    __m512 v[16];
    UNROLL for (int i = 0; i < 16; i++) v[i] = set(-INFINITY);
    KEEP_LOOP for (size_t i = 0; i < rows; i++) {
        __m512 m = set(-INFINITY);
        for (size_t t = 0; t < n; t += 16) m = _mm512_max_ps(_mm512_mask_loadu_ps(set(-INFINITY), mask16(n - t), s + i * lds + t), m);
        v[SLOT(i)] = m;
    }
    return max_lanes_16(v);
}

/* x = exp(x - m) in each row; the sums, one row a lane. */
INLINE __m512 soften_rows(float *s, size_t lds, size_t rows, size_t n, const float *m)
{
    __m512 v[16];
    UNROLL for (int i = 0; i < 16; i++) v[i] = _mm512_setzero_ps();
    KEEP_LOOP for (size_t i = 0; i < rows; i++) {
        const __m512 max = set(m[i]);
        float *x = s + i * lds;
        __m512 sum = _mm512_setzero_ps();
        size_t t = 0;
        for (; t + 16 <= n; t += 16) {
            const __m512 e = exp_falling(_mm512_sub_ps(_mm512_loadu_ps(x + t), max));
            _mm512_storeu_ps(x + t, e);
            sum = _mm512_add_ps(sum, e);
        }
        if (t < n) {
            const __mmask16 k = mask16(n - t);
            const __m512 e = exp_falling(_mm512_sub_ps(loadf(k, x + t), max));
            _mm512_mask_storeu_ps(x + t, k, e);
            sum = _mm512_add_ps(sum, _mm512_maskz_mov_ps(k, e));
        }
        v[SLOT(i)] = sum;
    }
    return add_lanes_16(v);
}

static void soften(float *s, size_t lds, size_t n_q, size_t n_t, float *max, float *sum, float *shrink)
{
    for (size_t i = 0; i < n_q; i += 16) {
        const size_t n = r1_min(16, n_q - i);
        const __mmask16 k = mask16(n);
        const __m512 old = loadf(k, max + i), m = _mm512_add_ps(_mm512_max_ps(largest(s + i * lds, lds, n, n_t), old), set(0)); /* -0 becomes +0 */
        const __m512 f = exp_falling(_mm512_sub_ps(old, m));
        _mm512_mask_storeu_ps(max + i, k, m);
        _mm512_mask_storeu_ps(shrink + i, k, f);
        const __m512 more = soften_rows(s + i * lds, lds, n, n_t, max + i);
        _mm512_mask_storeu_ps(sum + i, k, _mm512_fmadd_ps(loadf(k, sum + i), f, more));
    }
}

/* 16 rows of up to 16 values to 16 columns of up to 16 values: pairs, fours, then quarters of registers change places. */
INLINE void turn_16(float *y, size_t ldy, const float *x, size_t ldx, size_t R, size_t C)
{
    __m512 a[16], b[16];
    const __mmask16 kc = mask16(C), kr = mask16(R);
    UNROLL for (int i = 0; i < 16; i++) a[i] = (size_t)i < R ? loadf(kc, x + (size_t)i * ldx) : _mm512_setzero_ps();
    UNROLL for (int i = 0; i < 16; i += 2) {
        b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
    }
    UNROLL for (int i = 0; i < 16; i += 4)
        UNROLL for (int j = 0; j < 2; j++) {
            a[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(b[i + j]), _mm512_castps_pd(b[i + j + 2])));
            a[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(b[i + j]), _mm512_castps_pd(b[i + j + 2])));
        }
    /* a[4g + j]: quarter l holds column 4l + j of rows 4g..4g+3 */
    UNROLL for (int j = 0; j < 4; j++) {
        const __m512 even01 = _mm512_shuffle_f32x4(a[j], a[4 + j], 0x88), odd01 = _mm512_shuffle_f32x4(a[j], a[4 + j], 0xDD);
        const __m512 even23 = _mm512_shuffle_f32x4(a[8 + j], a[12 + j], 0x88), odd23 = _mm512_shuffle_f32x4(a[8 + j], a[12 + j], 0xDD);
        b[j] = _mm512_shuffle_f32x4(even01, even23, 0x88);
        b[4 + j] = _mm512_shuffle_f32x4(odd01, odd23, 0x88);
        b[8 + j] = _mm512_shuffle_f32x4(even01, even23, 0xDD);
        b[12 + j] = _mm512_shuffle_f32x4(odd01, odd23, 0xDD);
    }
    UNROLL for (int i = 0; i < 16; i++)
        if ((size_t)i < C) _mm512_mask_storeu_ps(y + (size_t)i * ldy, kr, b[i]);
}

static void transpose(float *y, size_t ldy, const float *x, size_t ldx, size_t R, size_t C)
{
    for (size_t c = 0; c < C; c += 16)
        for (size_t r = 0; r < R; r += 16) turn_16(y + c * ldy + r, ldy, x + r * ldx + c, ldx, R - r, C - c);
}

/* 16 of n scales times 16 codes of each row. */
static void decode_q8_columns(float *y, const uint16_t *d, const int8_t *q, size_t R, size_t n)
{
    for (size_t t = 0; t < n; t += 16) {
        const __mmask16 k = mask16(n - t);
        const __m512 scale = widen(R1_F16, d, t, k);
        for (size_t r = 0; r < R; r++) {
            const __m512i v = _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(k, q + r * n + t));
            _mm512_mask_storeu_ps(y + r * n + t, k, _mm512_mul_ps(scale, _mm512_cvtepi32_ps(v)));
        }
    }
}

void r1_avx512_fill_attention(r1_kernels *k)
{
    k->scores[R1_F32] = scores_f32;
    k->scores[R1_F16] = scores_f16;
    k->scores[R1_BF16] = scores_bf16;
    k->mix[R1_F32] = mix_f32;
    k->mix[R1_F16] = mix_f16;
    k->mix[R1_BF16] = mix_bf16;
    k->soften = soften;
    k->transpose = transpose;
    k->decode_q8_columns = decode_q8_columns;
}
