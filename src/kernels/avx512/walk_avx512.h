/* How the packed int8 products of avx512/ walk a call. Private to avx512/.
 *
 * As kernels/act_tile.h, and faster where columns are many: they are read where r1_kernels.interleave has put them, four
 * side by side, so nothing is copied. None of the cuts changes a bit: the chain
 * of an output element goes over ascending blocks whatever the cut.
 *
 *   slab   a run of blocks. The codes of a tile over one slab fit into a third of L1. Between slabs the accumulators rest in y,
 *          which is exact.
 *   tile   up to 12 columns of one panel, whose accumulators stay in registers; or, from 16 columns on, up to 12 columns of two panels, whose weights
 *          are taken apart once for many tiles where that costs more than a little (gemm_avx512.h).
 *
 * A tile's codes of value 4i .. 4i+3 are at q + (c / 4) * q_step + 16i + c % 4 * 4, so that the columns of a step share a line (from
 * lines of their own the loads met in the same banks of L1: a tenth slower on Zen 5); with one column at q + 4i.
 * Columns are computed in fours; those past the last one hold anything and are not written. */
#ifndef R1_KERNELS_AVX512_WALK_AVX512_H
#define R1_KERNELS_AVX512_WALK_AVX512_H

#include "kernels/avx512/gemm_avx512.h"

enum {
    WALK_COLUMNS = 12,
    WALK_CODES = 18432,      /* of a tile in a slab, 18 kB: one column is read whole, so that its weights come as one stream (in slabs: a third of the speed) */
    WALK_VALUES = WALK_CODES / WALK_COLUMNS, /* of a column in a slab of 12 */
    WALK_GEMM = 16,          /* columns from which taking weights apart pays */
    WALK_DIRECT = 5,         /* and from which two panels pay where nothing is taken apart */
    WALK_TILES = 22,         /* tiles that share weights taken apart: their codes and sums stay in L2 */
    WALK_L2 = 400 * 1024     /* codes that stay in L2 beside the stream of weights */
};

typedef struct q8_tile {
    float *y;              /* [columns, ldy], 16 rows of one panel */
    size_t ldy;
    const uint8_t *w;      /* the slab of the panel */
    const int8_t *q;
    size_t q_step;
    const float *d;        /* with one column [blocks], else as d4; d_step to the next four columns */
    size_t d_step;
    const int32_t *s;      /* with one column: 32-value types sums, 256-value ones 12 a block as in s4; else as s4 */
    size_t s_step;
    size_t n_blocks;
    int columns;           /* that exist, at most nc */
    unsigned rows;         /* of the panel that exist, 1..16 */
    bool first;            /* start at +0; otherwise go on from y */
} q8_tile;

/* A slab of two panels taken apart. */
typedef struct q8_pair {
    _Alignas(64) uint8_t w[32 * WALK_VALUES];
    _Alignas(64) int32_t factor[WALK_VALUES / 16 * 32]; /* as in gemm_tile */
    _Alignas(64) float scale[WALK_VALUES / 256][2][2][16]; /* 256-value types: [block][panel][scale, minimum] */
    _Alignas(64) __m512i pair[WALK_VALUES / 256][8][2];    /* [block][factors of sums of activations][panel] */
} q8_pair;

/* One tile of a pair: sum[columns][2][16] += its products. */
typedef struct q8_gemm {
    const q8_pair *p;
    gemm_tile t;           /* q, q_step, d, s, n (blocks), sum (f32) are set */
} q8_gemm;

typedef struct q8_kind {
    void (*tile)(const q8_tile *t, int nc); /* nc is 1, 4, 8 or 12 */
    uint16_t block;        /* 32 or 256 */
    uint16_t block_bytes;  /* of a panel */
    uint16_t wide;         /* columns from which two panels pay */
    bool straight;         /* gemm reads codes from the panels */
    void (*take_apart)(const uint8_t *w, const uint8_t *w2, size_t n_blocks, q8_pair *p); /* NULL: nothing to do */
    void (*gemm)(const q8_gemm *g);
} q8_kind;

typedef struct q8_call {
    float *y; size_t ldy;
    const uint8_t *panels; size_t n_panels, R;
    const r1_act8 *x; size_t C, K;
} q8_call;

INLINE int q8_tile_columns(size_t left) { return left > 8 && (left <= 12 || left > 16) ? 12 : left > 4 ? 8 : 4; }

/* One slab of all panels and columns. */
static inline void q8_slab(const q8_call *a, const q8_kind *k, size_t b0, size_t n)
{
    int32_t one[WALK_CODES / 256 * 12];
    const r1_act8 *x = a->x;
    const size_t all = a->K / k->block, n_s = k->block == 32 ? 1 : 12, panel_bytes = a->K / k->block * k->block_bytes;
    for (size_t c = 0; c < a->C;) {
        const int nc = a->C == 1 ? 1 : q8_tile_columns(a->C - c);
        q8_tile t = { .ldy = a->ldy, .first = b0 == 0, .n_blocks = n, .q_step = 4 * a->K, .d_step = 4 * all, .s_step = 4 * all * n_s,
                      .columns = (int)r1_min((size_t)nc, a->C - c) };
        if (nc == 1) {
            t.q = x->q + b0 * k->block;
            t.d = x->d + b0;
            t.s = x->sum + b0;
            if (k->block == 256) {
                for (size_t b = 0; b < n; b++) pair_sums(x->sum + (b0 + b) * 16, one + 12 * b);
                t.s = one;
            }
        } else {
            t.q = x->q4 + c * a->K + b0 * k->block * 4;
            t.d = x->d4 + c * all + b0 * 4;
            t.s = x->s4 + (c * all + b0 * 4) * n_s;
        }
        for (size_t p = 0; p < a->n_panels; p++) {
            t.w = a->panels + p * panel_bytes + b0 * k->block_bytes;
            t.rows = (unsigned)r1_min(R1_PANEL, a->R - p * R1_PANEL);
            t.y = a->y + c * a->ldy + p * R1_PANEL;
            k->tile(&t, nc);
        }
        c += (size_t)nc;
    }
}

static inline void q8_narrow(const q8_call *a, const q8_kind *k)
{
    const size_t widest = a->C == 1 ? 1 : r1_min(WALK_COLUMNS, r1_round_up(a->C, 4));
    const size_t all = a->K / k->block, slab = WALK_CODES / widest / k->block, group_bytes = 256 * 1024;
    const size_t group = a->C <= WALK_COLUMNS ? a->n_panels : r1_max(1, group_bytes / (r1_min(all, slab) * k->block_bytes));
    for (size_t p = 0; p < a->n_panels; p += group) { /* panels whose slab stays in L2 while all columns pass */
        q8_call part = *a;
        part.panels += p * all * k->block_bytes;
        part.n_panels = r1_min(group, a->n_panels - p);
        part.R = a->R - p * R1_PANEL;
        part.y += p * R1_PANEL;
        for (size_t b = 0; b < all; b += slab) q8_slab(&part, k, b, r1_min(slab, all - b));
    }
}

static inline void q8_last_panel(const q8_call *a, const q8_kind *k)
{
    const size_t p = a->n_panels - 1;
    q8_narrow(&(q8_call){ a->y + p * R1_PANEL, a->ldy, a->panels + p * (a->K / k->block) * k->block_bytes, 1, a->R - p * R1_PANEL, a->x, a->C, a->K }, k);
}

/* A tile of two panels, of whose columns `n` exist; y is its first element. */
INLINE void q8_gemm_tile(const q8_call *a, const q8_kind *k, q8_gemm *g, float *y, size_t n, unsigned rows, bool first)
{
    _Alignas(64) float sum[WALK_COLUMNS][2][16];
    const __mmask16 m = mask16(rows - 16);
    KEEP_LOOP for (size_t c = 0; c < (size_t)g->t.columns; c++) {
        const float *from = y + c * a->ldy;
        const bool fresh = first || c >= n;
        if (c < n) { /* results go to lines that are far away: asked for now, they are there when the tile is done */
            __builtin_prefetch(from, 1);
            __builtin_prefetch(from + 16, 1);
            __builtin_prefetch(from + 31, 1);
        }
        _mm512_store_ps(sum[c][0], fresh ? _mm512_setzero_ps() : _mm512_loadu_ps(from));
        _mm512_store_ps(sum[c][1], fresh ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(m, from + 16));
    }
    g->t.sum = sum;
    k->gemm(g);
    KEEP_LOOP for (size_t c = 0; c < n; c++) {
        _mm512_storeu_ps(y + c * a->ldy, _mm512_load_ps(sum[c][0]));
        _mm512_mask_storeu_ps(y + c * a->ldy + 16, m, _mm512_load_ps(sum[c][1]));
    }
}

/* Columns [c0, c1) of one slab of a pair of panels; `next` is the slab that comes after. */
INLINE void q8_pair_slab(const q8_call *a, const q8_kind *k, size_t p, size_t b, size_t n, size_t c0, size_t c1, const uint8_t *next)
{
    q8_pair pair;
    const r1_act8 *x = a->x;
    const size_t n_s = k->block == 32 ? 1 : 12, all = a->K / k->block, panel_bytes = all * k->block_bytes;
    const uint8_t *w = a->panels + p * panel_bytes + b * k->block_bytes;
    if (k->take_apart) k->take_apart(w, w + panel_bytes, n, &pair);
    /* the next slab comes from far away: each tile asks for its share, a few lines a block */
    const size_t tiles = r1_ceil_div(c1 - c0, WALK_COLUMNS), lines = r1_ceil_div(k->block_bytes, tiles * 64);
    for (size_t c = c0, left; c < c1; c += left, next += n * lines * 64) {
        const int columns = q8_tile_columns(c1 - c);
        left = r1_min((size_t)columns, c1 - c);
        q8_gemm g = { &pair, { .w = k->straight ? w : pair.w, .panel_bytes = panel_bytes, .factor = pair.factor, .ahead = next, .ahead_lines = lines,
                               .q = x->q4 + c * a->K + b * k->block * 4, .q_step = 4 * a->K, .d = x->d4 + c * all + b * 4,
                               .s = x->s4 + (c * all + b * 4) * n_s, .ds_step = 16 * all, .n = n, .columns = columns } };
        q8_gemm_tile(a, k, &g, a->y + c * a->ldy + p * R1_PANEL, left, (unsigned)r1_min(2 * R1_PANEL, a->R - p * R1_PANEL), b == 0);
    }
}

/* Columns [c0, c1), all pairs of panels one after the other, so that the weights come as one stream. */
static inline void q8_wide(const q8_call *a, const q8_kind *k, size_t c0, size_t c1)
{
    const size_t all = a->K / k->block, slab = WALK_VALUES / k->block;
    for (size_t p = 0; p + 1 < a->n_panels; p += 2) {
        const uint8_t *w = a->panels + p * all * k->block_bytes;
        for (size_t b = 0, next; b < all; b = next) {
            next = r1_min(all, b + slab);
            q8_pair_slab(a, k, p, b, next - b, c0, c1, w + (next < all ? next : 2 * all) * k->block_bytes);
        }
    }
}

/* Columns that meet a pair of panels before the next pair comes. All of a long row's codes do not fit into L2: then, where weights are read straight from
 * their panels, few tiles at a time and the weights again for the next, unless that is more bytes (Q4_0, 8960 values, 512 columns: 64 to 69 % of the peak). */
INLINE size_t q8_together(const q8_call *a, const q8_kind *k)
{
    const size_t fit = WALK_L2 / (a->K * WALK_COLUMNS), weights = 2 * (size_t)k->block_bytes; /* of 32 rows, a block */
    return k->straight && fit < WALK_TILES && weights <= fit * k->block * WALK_COLUMNS / 2 ? fit * WALK_COLUMNS : WALK_TILES * WALK_COLUMNS;
}

static inline void q8_run(const q8_call *a, const q8_kind *k)
{
    if (a->C < k->wide || a->n_panels < 2) {
        q8_narrow(a, k);
        return;
    }
    const size_t together = q8_together(a, k);
    for (size_t c = 0; c < a->C; c += together) q8_wide(a, k, c, r1_min(a->C, c + together));
    if (a->n_panels % 2) q8_last_panel(a, k);
}

/* A matmul_q8 entry; the rest are the members of q8_kind. */
#define ENTRY(name, ...) static void name(float *y, size_t ldy, const void *panels, size_t n_panels, size_t R, const r1_act8 *x, size_t C, size_t K) \
    { q8_run(&(q8_call){ y, ldy, panels, n_panels, R, x, C, K }, &(const q8_kind){ __VA_ARGS__ }); }

#endif
