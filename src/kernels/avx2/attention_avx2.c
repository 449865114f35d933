/* Attention over one block of keys, AVX2: as the AVX-512 file, with tiles of 6 query rows and 2 registers (12 accumulators of
 * the 16 registers). A last short register goes through masked loads (floats) or a buffer (16-bit values). */
#include "kernels/avx2/lanes_avx2.h"

enum { ROWS = 6, REGS = 2 };

/* acc[r][c] += a[r * lda + i] * row i of b, i < n; b: rows of values of type t, ldb bytes apart. */
typedef struct chain {
    const float *a; size_t lda;
    const uint8_t *b; size_t ldb;
    size_t n;
    const uint8_t *next; /* ask for as much from here; NULL: no */
} chain;

/* n (at most 8) values at p, the rest zero. */
INLINE __m256 widen(r1_type t, const uint8_t *p, size_t n)
{
    if (t == R1_F32) return load_n((const float *)(const void *)p, n);
    uint16_t last[8] = { 0 };
    if (n < 8) p = memcpy(last, p, 2 * n);
    if (t == R1_F16) return load_f16(p);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16));
}

/* nr rows of y (ldy apart), nc registers, = the chain, with shrink added to shrink[r] * y[r]; n lanes of the last register. */
INLINE void tile(r1_type t, const int nr, const int nc, size_t n, float *y, size_t ldy, const float *shrink, const chain *x)
{
    const size_t size = t == R1_F32 ? 4 : 2;
    const float *a = x->a;
    const uint8_t *b = x->b, *next = x->next;
    __m256 acc[ROWS * REGS], v[REGS];
    UNROLL for (int i = 0; i < nr * nc; i++) acc[i] = _mm256_setzero_ps();
    for (size_t i = 0; i < x->n; i++, b += x->ldb) {
        if (next) {
            _mm_prefetch((const char *)next, _MM_HINT_T0);
            next += 16 * size;
        }
        UNROLL for (int c = 0; c < nc; c++) v[c] = widen(t, b + 8 * size * (size_t)c, n);
        UNROLL for (int r = 0; r < nr; r++) {
            const __m256 w = set(a[(size_t)r * x->lda + i]);
            UNROLL for (int c = 0; c < nc; c++) acc[r * nc + c] = _mm256_fmadd_ps(w, v[c], acc[r * nc + c]);
        }
    }
    UNROLL for (int r = 0; r < nr; r++)
        UNROLL for (int c = 0; c < nc; c++) {
            float *to = y + (size_t)r * ldy + 8 * c;
            store_n(to, n, shrink ? _mm256_fmadd_ps(set(shrink[r]), load_n(to, n), acc[r * nc + c]) : acc[r * nc + c]);
        }
}

INLINE void some_rows(r1_type t, const int nr, const int nc, size_t n, float *y, size_t ldy, const float **shrink, chain *x)
{
    tile(t, nr, nc, n, y, ldy, *shrink, x);
    x->a += (size_t)nr * x->lda;
    x->next = NULL; /* the rows after the first ones read what is near */
    if (*shrink) *shrink += nr;
}

/* All rows of up to 16 columns. */
INLINE void rows(r1_type t, const int nc, size_t n, float *y, size_t ldy, const float *shrink, size_t n_q, chain x)
{
    size_t i = 0;
    for (; i + 6 <= n_q; i += 6) some_rows(t, 6, nc, n, y + i * ldy, ldy, &shrink, &x);
    for (; i + 3 <= n_q; i += 3) some_rows(t, 3, nc, n, y + i * ldy, ldy, &shrink, &x);
    for (; i < n_q; i++) some_rows(t, 1, nc, n, y + i * ldy, ldy, &shrink, &x);
}

INLINE void product(r1_type t, float *y, size_t ldy, const float *shrink, size_t n_q, chain x, size_t columns)
{
    const size_t size = t == R1_F32 ? 4 : 2;
    size_t j = 0;
    x.ldb *= size;
    for (; j + 16 <= columns; j += 16, x.b += 16 * size) {
        rows(t, 2, 8, y + j, ldy, shrink, n_q, x);
        if (x.next) x.next += x.n * 16 * size;
    }
    for (; j < columns; j += 8, x.b += 8 * size) rows(t, 1, r1_min(8, columns - j), y + j, ldy, shrink, n_q, x);
}

static void scores_f32(float *s, size_t lds, const float *q, size_t ldq, size_t n_q, const void *kt, size_t ldk, size_t n_t, size_t D, const void *next)
{
    product(R1_F32, s, lds, NULL, n_q, (chain){ q, ldq, kt, ldk, D, next }, n_t);
}

static void scores_f16(float *s, size_t lds, const float *q, size_t ldq, size_t n_q, const void *kt, size_t ldk, size_t n_t, size_t D, const void *next)
{
    product(R1_F16, s, lds, NULL, n_q, (chain){ q, ldq, kt, ldk, D, next }, n_t);
}

static void scores_bf16(float *s, size_t lds, const float *q, size_t ldq, size_t n_q, const void *kt, size_t ldk, size_t n_t, size_t D, const void *next)
{
    product(R1_BF16, s, lds, NULL, n_q, (chain){ q, ldq, kt, ldk, D, next }, n_t);
}

static void mix_f32(float *o, size_t ldo, const float *shrink, const float *p, size_t ldp, size_t n_q, const void *v, size_t ldv, size_t n_t,
                     size_t D, const void *next)
{
    product(R1_F32, o, ldo, shrink, n_q, (chain){ p, ldp, v, ldv, n_t, next }, D);
}

static void mix_f16(float *o, size_t ldo, const float *shrink, const float *p, size_t ldp, size_t n_q, const void *v, size_t ldv, size_t n_t,
                     size_t D, const void *next)
{
    product(R1_F16, o, ldo, shrink, n_q, (chain){ p, ldp, v, ldv, n_t, next }, D);
}

static void mix_bf16(float *o, size_t ldo, const float *shrink, const float *p, size_t ldp, size_t n_q, const void *v, size_t ldv, size_t n_t,
                     size_t D, const void *next)
{
    product(R1_BF16, o, ldo, shrink, n_q, (chain){ p, ldp, v, ldv, n_t, next }, D);
}

/* Largest of `old` and n values; NaN never (vmaxps gives its second operand when either is NaN). */
INLINE float largest(const float *s, size_t n, float old)
{
    __m256 m = set(old);
    for (size_t t = 0; t < n; t += 8) {
        __m256 v = load_n(s + t, n - t);
        if (n - t < 8) v = _mm256_blendv_ps(set(-INFINITY), v, _mm256_castsi256_ps(mask8(n - t)));
        m = _mm256_max_ps(v, m);
    }
    const __m128 q = _mm_max_ps(_mm256_castps256_ps128(m), _mm256_extractf128_ps(m, 1)), d = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(d, _mm_movehdup_ps(d))) + 0.0f; /* -0 becomes +0 */
}

static void soften(float *s, size_t lds, size_t n_q, size_t n_t, float *max, float *sum, float *shrink)
{
    for (size_t i = 0; i < n_q; i += 8) {
        const size_t n = r1_min(8, n_q - i);
        const __m256 old = load_n(max + i, n);
        for (size_t r = i; r < i + n; r++) max[r] = largest(s + r * lds, n_t, max[r]);
        const __m256 f = exp256(_mm256_sub_ps(old, load_n(max + i, n)));
        store_n(shrink + i, n, f);
        float more[8];
        for (size_t r = 0; r < n; r++) more[r] = exp_row(s + (i + r) * lds, max[i + r], n_t);
        store_n(sum + i, n, _mm256_fmadd_ps(load_n(sum + i, n), f, load_n(more, n)));
    }
}

static void transpose(float *y, size_t ldy, const float *x, size_t ldx, size_t R, size_t C)
{
    for (size_t c0 = 0; c0 < C; c0 += 8) /* a strip of columns keeps its lines of y near */
        for (size_t r = 0; r < R; r++)
            for (size_t c = c0; c < r1_min(C, c0 + 8); c++) y[c * ldy + r] = x[r * ldx + c];
}

static void decode_q8_columns(float *y, const uint16_t *d, const int8_t *q, size_t R, size_t n)
{
    for (size_t t = 0; t < n; t += 8) {
        const size_t m = r1_min(8, n - t);
        const __m256 scale = widen(R1_F16, (const uint8_t *)(d + t), m);
        for (size_t r = 0; r < R; r++) {
            int8_t last[8] = { 0 };
            const int8_t *from = q + r * n + t;
            if (m < 8) from = memcpy(last, from, m);
            store_n(y + r * n + t, m, _mm256_mul_ps(scale, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)from)))));
        }
    }
}

void r1_avx2_fill_attention(r1_kernels *k)
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
