/* How the packed int8 products of avx512/ walk a call. Private to avx512/.
 *
 * As kernels/act_tile.h, and faster where columns are many: their codes are read where r1_kernels.interleave has put them, four
 * columns side by side, so nothing is copied but scales and sums (a sixteenth of the codes). None of the cuts changes a bit: the chain
 * of an output element goes over ascending blocks whatever the cut.
 *
 *   slab   a run of blocks. The codes of a tile over one slab fit into a third of L1. Between slabs the accumulators rest in y,
 *          which is exact.
 *   tile   up to 12 columns whose accumulators stay in registers.
 *
 * A tile's codes of value 32g .. 32g+31 are at q + (c / 4) * q_step + g * 128 + c % 4 * 32; with one column at q + g * 32.
 * Columns are computed in fours; those past the last one hold anything and are not written. */
#ifndef R1_KERNELS_AVX512_WALK_AVX512_H
#define R1_KERNELS_AVX512_WALK_AVX512_H

#include "kernels/avx512/avx512_int.h"

enum {
    WALK_COLUMNS = 12,
    WALK_VALUES = 1024,      /* of a column in a slab: 12 kB of codes in a tile */
    WALK_BLOCKS = WALK_VALUES / 32
};

/* What s holds for each block and column. */
typedef enum walk_sums {
    WALK_OFFSET,  /* int32: -offset * (sum of the block's q); 32-value types that start their dot there */
    WALK_FLOAT,   /* float: the sum; 32-value types with a minimum */
    WALK_PAIR32,  /* 4 pairs of int16: sums over runs of 32 of a 256-value block */
    WALK_PAIR16   /* 8 pairs of int16: sums over runs of 16 */
} walk_sums;

typedef struct q8_tile {
    float *y;              /* [columns, ldy], 16 rows of one panel */
    size_t ldy;
    const uint8_t *w;      /* the slab of the panel */
    const int8_t *q;
    size_t q_step;
    const float *d;        /* [blocks][nc] scale */
    const int32_t *s;      /* [blocks][nc][n_s] */
    size_t n_blocks;
    int columns;           /* that exist, at most nc */
    unsigned rows;         /* of the panel that exist, 1..16 */
    bool first;            /* start at +0; otherwise go on from y */
} q8_tile;

typedef struct q8_kind {
    void (*tile)(const q8_tile *t, int nc); /* nc is 1, 4, 8 or 12 */
    uint16_t block;        /* 32 or 256 */
    uint16_t block_bytes;  /* of a panel */
    walk_sums sums;
    int16_t offset;
} q8_kind;

typedef struct q8_call {
    float *y; size_t ldy;
    const uint8_t *panels; size_t n_panels, R;
    const r1_act8 *x; size_t C, K;
} q8_call;

typedef struct q8_scratch {
    _Alignas(64) float d[WALK_BLOCKS * WALK_COLUMNS];
    _Alignas(64) int32_t s[WALK_BLOCKS * WALK_COLUMNS];
} q8_scratch;

INLINE size_t q8_sums_count(walk_sums s) { return s == WALK_PAIR16 ? 8 : s == WALK_PAIR32 ? 4 : 1; }

/* s of n blocks of one column, `step` int32 from block to block. */
INLINE void q8_sums(const q8_kind *k, const int32_t *sum, size_t n, int32_t *to, size_t step)
{
    if (k->sums == WALK_OFFSET) {
        for (size_t b = 0; b < n; b++) to[b * step] = -k->offset * sum[b];
    } else if (k->sums == WALK_FLOAT) {
        for (size_t b = 0; b < n; b++) {
            const float f = (float)sum[b];
            memcpy(to + b * step, &f, 4);
        }
    } else if (k->sums == WALK_PAIR16) {
        for (size_t b = 0; b < n; b++) _mm256_storeu_si256((__m256i *)(to + b * step), _mm512_cvtepi32_epi16(load512(sum + 16 * b)));
    } else {
        const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14);
        for (size_t b = 0; b < n; b++) { /* neighbours added in 64-bit lanes: the low half of each is their sum */
            const __m512i v = load512(sum + 16 * b), two = _mm512_add_epi32(v, _mm512_srli_epi64(v, 32));
            const __m256i low = _mm512_castsi512_si256(_mm512_permutexvar_epi32(_mm512_castsi256_si512(even), two));
            _mm_storeu_si128((__m128i *)(to + b * step), _mm256_cvtepi32_epi16(low));
        }
    }
}

/* Columns [c0, c0 + nc), blocks [b0, b0 + n): scales and sums into the tile's arrays, codes in place. */
INLINE void q8_gather(const q8_call *a, const q8_kind *k, size_t c0, int nc, size_t b0, size_t n, q8_scratch *m, q8_tile *t)
{
    const size_t all = a->K / k->block, n_s = q8_sums_count(k->sums), per = (size_t)(k->block / a->x->sub), width = (size_t)nc;
    t->columns = (int)r1_min(width, a->C - c0);
    for (size_t c = 0; c < width; c++) {
        const size_t col = c0 + r1_min(c, a->C - c0 - 1);
        const float *d = a->x->d + col * all + b0;
        q8_sums(k, a->x->sum + (col * all + b0) * per, n, m->s + c * n_s, width * n_s);
        if (nc > 1)
            for (size_t b = 0; b < n; b++) m->d[b * width + c] = d[b];
    }
    t->q = nc == 1 ? a->x->q + c0 * a->K + b0 * k->block : a->x->q4 + c0 * a->K + b0 * k->block * 4;
    t->q_step = 4 * a->K;
    t->d = nc == 1 ? a->x->d + c0 * all + b0 : m->d;
    t->s = m->s;
    t->n_blocks = n;
}

INLINE int q8_tile_columns(size_t left) { return left > 8 && (left <= 12 || left > 16) ? 12 : left > 4 ? 8 : 4; }

/* One slab of all panels and columns. */
static inline void q8_slab(const q8_call *a, const q8_kind *k, size_t b0, size_t n, q8_scratch *m)
{
    const size_t panel_bytes = a->K / k->block * k->block_bytes;
    for (size_t c = 0; c < a->C;) {
        const int nc = a->C == 1 ? 1 : q8_tile_columns(a->C - c);
        q8_tile t = { .ldy = a->ldy, .first = b0 == 0 };
        q8_gather(a, k, c, nc, b0, n, m, &t);
        for (size_t p = 0; p < a->n_panels; p++) {
            t.w = a->panels + p * panel_bytes + b0 * k->block_bytes;
            t.rows = (unsigned)r1_min(R1_PANEL, a->R - p * R1_PANEL);
            t.y = a->y + c * a->ldy + p * R1_PANEL;
            k->tile(&t, nc);
        }
        c += (size_t)nc;
    }
}

static inline void q8_run(const q8_call *a, const q8_kind *k)
{
    q8_scratch m;
    const size_t all = a->K / k->block, slab = WALK_VALUES / k->block, group_bytes = 256 * 1024;
    const size_t group = a->C <= WALK_COLUMNS ? a->n_panels : r1_max(1, group_bytes / (r1_min(all, slab) * k->block_bytes));
    for (size_t p = 0; p < a->n_panels; p += group) { /* panels whose slab stays in L2 while all columns pass */
        q8_call part = *a;
        part.panels += p * all * k->block_bytes;
        part.n_panels = r1_min(group, a->n_panels - p);
        part.R = a->R - p * R1_PANEL;
        part.y += p * R1_PANEL;
        for (size_t b = 0; b < all; b += slab) q8_slab(&part, k, b, r1_min(slab, all - b), &m);
    }
}

/* A matmul_q8 entry; the rest are the members of q8_kind. */
#define ENTRY(name, ...) static void name(float *y, size_t ldy, const void *panels, size_t n_panels, size_t R, const r1_act8 *x, size_t C, size_t K) \
    { q8_run(&(q8_call){ y, ldy, panels, n_panels, R, x, C, K }, &(const q8_kind){ __VA_ARGS__ }); }

#endif
