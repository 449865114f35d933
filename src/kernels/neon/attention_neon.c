/* Attention over one block of keys, NEON: tiles of 6 query rows and 4 registers (24 accumulators of the 32 registers). A last
 * short register goes through a buffer. */
#include "kernels/neon/lanes_neon.h"

enum { ROWS = 6, REGS = 4 };

/* acc[r][c] += a[r * lda + i] * row i of b, i < n; b: rows of values of type t, ldb bytes apart. */
typedef struct chain {
    const float *a; size_t lda;
    const uint8_t *b; size_t ldb;
    size_t n;
    const uint8_t *next; /* ask for as much from here; NULL: no */
} chain;

/* n (4 if more) values at p, the rest zero. */
INLINE float32x4_t widen(r1_type t, const uint8_t *p, size_t n)
{
    uint8_t last[16] = { 0 };
    const size_t size = t == R1_F32 ? 4 : 2;
    if (n < 4) p = memcpy(last, p, size * n);
    if (t == R1_F32) return vreinterpretq_f32_u8(vld1q_u8(p));
    if (t == R1_F16) return load_f16(p);
    return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(p)), 16));
}

/* nr rows of y (ldy apart), nc registers, = the chain, with shrink added to shrink[r] * y[r]; n lanes of the last register. */
INLINE void tile(r1_type t, const int nr, const int nc, size_t n, float *y, size_t ldy, const float *shrink, const chain *x)
{
    const size_t size = t == R1_F32 ? 4 : 2;
    const float *a = x->a;
    const uint8_t *b = x->b, *next = x->next;
    float32x4_t acc[ROWS * REGS], v[REGS];
    UNROLL for (int r = 0; r < nr; r++)
        UNROLL for (int c = 0; c < nc; c++) acc[r * nc + c] = set(0);
    for (size_t i = 0; i < x->n; i++, b += x->ldb) {
        if (next) {
            __builtin_prefetch(next);
            next += 16 * size;
        }
        UNROLL for (int c = 0; c < nc; c++) v[c] = widen(t, b + 4 * size * (size_t)c, n);
        UNROLL for (int r = 0; r < nr; r++) {
            const float w = a[(size_t)r * x->lda + i];
            UNROLL for (int c = 0; c < nc; c++) acc[r * nc + c] = vfmaq_n_f32(acc[r * nc + c], v[c], w);
        }
    }
    UNROLL for (int r = 0; r < nr; r++)
        UNROLL for (int c = 0; c < nc; c++) {
            float *to = y + (size_t)r * ldy + 4 * c;
            store_n(to, n, shrink ? vfmaq_n_f32(acc[r * nc + c], load_n(to, n), shrink[r]) : acc[r * nc + c]);
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
        rows(t, 4, 4, y + j, ldy, shrink, n_q, x);
        if (x.next) x.next += x.n * 16 * size;
    }
    for (; j < columns; j += 4, x.b += 4 * size) rows(t, 1, r1_min(4, columns - j), y + j, ldy, shrink, n_q, x);
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

/* Largest of `old` and n values; NaN of them never. */
INLINE float largest(const float *s, size_t n, float old)
{
    float32x4_t m = set(-INFINITY);
    size_t t = 0;
    for (; t + 4 <= n; t += 4) m = larger(vld1q_f32(s + t), m);
    const float most = vmaxvq_f32(m);
    float best = most > old ? most : old;
    for (; t < n; t++)
        if (s[t] > best) best = s[t];
    return best + 0.0f; /* -0 becomes +0 */
}

static void soften(float *s, size_t lds, size_t n_q, size_t n_t, float *max, float *sum, float *shrink)
{
    for (size_t i = 0; i < n_q; i += 4) {
        const size_t n = r1_min(4, n_q - i);
        const float32x4_t old = load_n(max + i, n);
        for (size_t r = i; r < i + n; r++) max[r] = largest(s + r * lds, n_t, max[r]);
        const float32x4_t f = exp4(vsubq_f32(old, load_n(max + i, n)));
        store_n(shrink + i, n, f);
        float more[4];
        for (size_t r = 0; r < n; r++) more[r] = exp_row(s + (i + r) * lds, max[i + r], n_t);
        store_n(sum + i, n, vfmaq_f32(load_n(more, n), load_n(sum + i, n), f));
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
    for (size_t t = 0; t < n; t += 4) {
        const size_t m = r1_min(4, n - t);
        const float32x4_t scale = widen(R1_F16, (const uint8_t *)(d + t), m);
        for (size_t r = 0; r < R; r++) {
            uint32_t four = 0;
            memcpy(&four, q + r * n + t, m);
            const int32x4_t w = vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(four))));
            store_n(y + r * n + t, m, vmulq_f32(scale, vcvtq_f32_s32(w)));
        }
    }
}

void r1_neon_fill_attention(r1_kernels *k)
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
