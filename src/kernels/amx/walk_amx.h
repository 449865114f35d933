/* How the packed int8 products of amx/ walk a call. Private to amx/.
 *
 * Tokens are rows of tile A, weights columns of tile B, so tile C is 16 tokens by the 16 rows of a panel and a row of it is one
 * register of outputs. A call is cut four ways, none of which changes a bit, because the chain of an output element goes over
 * ascending blocks whatever the cut:
 *
 *   token tile    up to 16 columns. All of a call have the same number, the smallest that needs no more tiles (17 columns are 9 and
 *                 8), because the cost of a product falls with the rows of A and registers keep their shapes for the whole call.
 *   stretch       a run of blocks whose activations are copied into tiles, together with some token tiles: UNITS times 16 tokens by SLAB
 *                 values at most, 128 kB, which stay in L2. Between stretches the sums rest in y, which is exact.
 *   slab          SLAB values of one panel (or two), unpacked once to signed bytes in the order of tile B, and met by all token tiles of
 *                 the stretch: 8 or 16 kB, which stay in L1.
 *   group         blocks between two float steps (in the kernels).
 *
 * Everything is on the stack, about 190 kB. */
#ifndef R1_KERNELS_AMX_WALK_AMX_H
#define R1_KERNELS_AMX_WALK_AMX_H

#include "kernels/amx/amx_int.h"

#ifdef R1_TINY
enum { SLAB = 256, UNITS = 2 };
#else
enum { SLAB = 512, UNITS = 16 };
#endif
/* Columns from which tiles are used; tests want them from the second on. */
#if defined(R1_TINY) || defined(R1_AMX_EMULATED)
#define R1_AMX_LEAST(n) 2
#else
#define R1_AMX_LEAST(n) (n)
#endif
enum { TOKENS = 16 /* rows of a tile */, SLAB_32 = SLAB / 32, SLAB_256 = SLAB / 256 };

/* A panel's slab as the float steps need it. */
typedef struct amx_scales {
    _Alignas(64) float d[SLAB_32][R1_PANEL];
    _Alignas(64) float m[SLAB_32][R1_PANEL];            /* added or taken off once a block */
    _Alignas(64) int32_t pair[SLAB_256][8][R1_PANEL];   /* pairs of int16: what sums of runs are multiplied by */
} amx_scales;

typedef struct amx_scratch {
    _Alignas(64) int8_t a[UNITS * TOKENS * SLAB];       /* [tile][blocks of a_bytes][tokens][a_bytes] */
    _Alignas(64) float d[UNITS * SLAB_32 * TOKENS];     /* [tile][block][TOKENS] */
    _Alignas(64) int32_t s[UNITS * SLAB_32 * TOKENS];   /* [tile][block][TOKENS][n_s] */
    _Alignas(64) int8_t b[2][SLAB / 4][R1_PANEL][4];
    amx_scales w[2];
    _Alignas(64) int32_t c[4][TOKENS][R1_PANEL];
} amx_scratch;

/* Where the walk stands: a stretch of tokens and blocks, and a slab of one or two panels that its tiles are multiplied with. */
typedef struct amx_slab {
    amx_scratch *m;
    size_t tokens;              /* of a tile */
    size_t c0, columns;         /* of the stretch */
    size_t b0, stretch;         /* first block of the stretch, number of them */
    const uint8_t *w[2];        /* packed blocks; the second NULL when there is one */
    size_t panel_bytes;
    size_t block0, n;           /* first block of the slab in the stretch, number of them */
    float *y;                   /* first column of the stretch, first row of the panel */
    size_t ldy;
    __mmask16 rows[2];          /* that exist */
    bool first;                 /* start at +0; otherwise go on from y */
} amx_slab;

typedef struct amx_kind {
    void (*slab)(const amx_slab *s);
    uint16_t block, block_bytes;    /* values; bytes of a panel's block */
    uint8_t a_bytes;                /* values in a row of tile A: 32 or 64 */
    uint8_t panels;                 /* at a time: 1 or 2 */
    uint8_t runs;                   /* sums of a block that are wanted: 0; 1, as float; 8 or 16, as pairs of int16 */
} amx_kind;

typedef struct amx_call {
    float *y; size_t ldy;
    const uint8_t *panels; size_t n_panels, R;
    const r1_act8 *x; size_t C, K;
} amx_call;

/* Registers 0 to 3 for C, 4 and 5 for A, 6 and 7 for B. */
static inline void amx_configure(size_t tokens, size_t a_bytes)
{
    tile_config t = { .palette = 1 };
    for (int i = 0; i < 8; i++) {
        t.rows[i] = (uint8_t)(i < 6 ? tokens : a_bytes / 4);
        t.row_bytes[i] = (uint16_t)(i < 4 || i > 5 ? 4 * R1_PANEL : a_bytes);
    }
    tile_configure(&t);
}

/* Sums of one block of one column, as int32 units. */
static inline void amx_sums(const amx_kind *k, const int32_t *sum, int32_t *to)
{
    int16_t p[16];
    float f = (float)sum[0];
    if (k->runs == 1) memcpy(to, &f, 4);
    if (k->runs < 8) return;
    for (int i = 0; i < k->runs; i++) p[i] = (int16_t)(k->runs == 16 ? sum[i] : sum[2 * i] + sum[2 * i + 1]);
    memcpy(to, p, 2 * k->runs);
}

/* n is 32 or 64. */
static inline void amx_copy(int8_t *to, const int8_t *from, size_t n)
{
    if (n == 32) _mm256_storeu_si256((__m256i *)to, _mm256_loadu_si256((const __m256i *)from));
    else _mm512_storeu_si512(to, load512(from));
}

/* Bring token tile i of the stretch to its place; rows without a column are zero. */
static inline void amx_gather(const amx_call *a, const amx_kind *k, const amx_slab *s, size_t i)
{
    const size_t all = a->K / k->block, per = (size_t)(k->block / a->x->sub), row = k->a_bytes, n_s = k->runs < 8 ? 1 : k->runs / 2u;
    const size_t nb = s->stretch, rows_b = nb * k->block / row, c = s->c0 + i * s->tokens, n = r1_min(s->tokens, s->c0 + s->columns - c);
    amx_scratch *m = s->m;
    int8_t *to = m->a + i * nb * k->block * s->tokens;
    memset(m->d + i * nb * TOKENS, 0, nb * TOKENS * 4);
    if (k->runs) memset(m->s + i * nb * TOKENS * n_s, 0, nb * TOKENS * n_s * 4);
    for (size_t j = 0; j < n; j++) {
        const int8_t *q = a->x->q + (c + j) * a->K + s->b0 * k->block;
        const float *d = a->x->d + (c + j) * all + s->b0;
        const int32_t *sum = a->x->sum + ((c + j) * all + s->b0) * per;
        for (size_t g = 0; g < rows_b; g++) amx_copy(to + (g * s->tokens + j) * row, q + g * row, row);
        for (size_t b = 0; b < nb; b++) {
            const size_t at = (i * nb + b) * TOKENS + j;
            m->d[at] = d[b];
            if (k->runs) amx_sums(k, sum + b * per, m->s + at * n_s);
        }
    }
    for (size_t j = n; j < s->tokens; j++)
        for (size_t g = 0; g < rows_b; g++) memset(to + (g * s->tokens + j) * row, 0, row);
}

/* All panels with one stretch. */
static inline void amx_panels(const amx_call *a, const amx_kind *k, amx_slab *s)
{
    const size_t panel_bytes = a->K / k->block * k->block_bytes, step = SLAB / k->block;
    for (size_t p = 0; p < a->n_panels; p += k->panels) {
        const uint8_t *w = a->panels + p * panel_bytes + s->b0 * k->block_bytes;
        const bool two = k->panels > 1 && p + 1 < a->n_panels;
        s->y = a->y + s->c0 * a->ldy + p * R1_PANEL;
        s->rows[0] = mask16(a->R - p * R1_PANEL);
        s->rows[1] = two ? mask16(a->R - (p + 1) * R1_PANEL) : 0;
        for (size_t b = 0; b < s->stretch; b += step) {
            s->w[0] = w + b * k->block_bytes;
            s->w[1] = two ? s->w[0] + panel_bytes : NULL;
            s->block0 = b;
            s->n = r1_min(step, s->stretch - b);
            s->first = s->b0 + b == 0;
            k->slab(s);
        }
    }
}

static inline void amx_run(const amx_call *a, const amx_kind *k)
{
    amx_scratch m;
    const size_t all = a->K / k->block, tokens = r1_ceil_div(a->C, r1_ceil_div(a->C, TOKENS));
    const size_t n_tiles = r1_ceil_div(a->C, tokens), at_once = r1_min(n_tiles, UNITS), stretch = UNITS / at_once * (SLAB / k->block);
    amx_slab s = { .m = &m, .ldy = a->ldy, .tokens = tokens, .panel_bytes = all * k->block_bytes };
    memset(m.c, 0, sizeof m.c); /* the float steps go over a few rows more than a tile has */
    amx_configure(tokens, k->a_bytes);
    for (s.b0 = 0; s.b0 < all; s.b0 += stretch) {
        s.stretch = r1_min(stretch, all - s.b0);
        for (s.c0 = 0; s.c0 < a->C; s.c0 += at_once * tokens) {
            s.columns = r1_min(at_once * tokens, a->C - s.c0);
            for (size_t i = 0; i * tokens < s.columns; i++) amx_gather(a, k, &s, i);
            amx_panels(a, k, &s);
        }
    }
    tile_release();
}

typedef void (*amx_fill)(r1_kernels *k);

/* Below `least` columns avx512's product, from the table that `few` fills: equal integers and float steps, so the switch does not show. */
static inline void amx_multiply(const amx_call *a, const amx_kind *k, r1_type t, amx_fill few, size_t least)
{
    r1_kernels avx512;
    if (a->C >= least) {
        amx_run(a, k);
        return;
    }
    few(&avx512);
    avx512.matmul_q8[t](a->y, a->ldy, a->panels, a->n_panels, a->R, a->x, a->C, a->K);
}

/* A matmul_q8 entry; the rest are the members of amx_kind. */
#define AMX_ENTRY(name, type, few, least, ...) static void name(float *y, size_t ldy, const void *panels, size_t n_panels, size_t R, const r1_act8 *x, size_t C, size_t K) \
    { amx_multiply(&(amx_call){ y, ldy, panels, n_panels, R, x, C, K }, &(const amx_kind){ __VA_ARGS__ }, type, few, least); }

#endif
