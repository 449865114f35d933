/* act_tile: how the packed int8 products of each level walk a call. Private to kernels/.
 *
 * A product is cut three ways, none of which changes a bit of the result, because the chain of an output element goes
 * over ascending blocks whatever the cut:
 *
 *   slab   a run of blocks. The activations of a tile over one slab fit into half of L1. Between slabs the accumulators rest
 *          in y, which is exact.
 *   group  panels whose slab stays in L2 while all columns pass.
 *   tile   up to max_tile columns whose accumulators stay in registers.
 *
 * For a tile the activations are copied so that a kernel walks three plain arrays, whatever the distance of the columns in x
 * (rows of 4096 values would otherwise all fall into one set of the cache):
 *
 *   q    [blocks][nc][32]      codes; a 256-value block counts as 8 here
 *   d    [blocks][nc]          scale
 *   s    [blocks][nc][n_s]     what the type needs of the sums, see act_sums
 *
 * With one column q and d are x's own and nothing is copied but s.
 */
#ifndef R1_KERNELS_ACT_TILE_H
#define R1_KERNELS_ACT_TILE_H

#include "kernels/kernels_int.h"

enum {
    TILE_BYTES = 12288,      /* of q in a tile: half of a 32 KB L1, less the rest */
    GROUP_BYTES = 256 * 1024 /* of panels in a group: a quarter of a 1 MB L2, half of a 512 KB one */
};

/* What s holds for each block and column. */
typedef enum act_sums {
    SUMS_OFFSET,  /* int32: -offset * (sum of the block's q); 32-value types that start their dot there */
    SUMS_FLOAT,   /* float: the sum; 32-value types with a minimum */
    SUMS_PAIR32,  /* 4 pairs of int16: sums over runs of 32 of a 256-value block */
    SUMS_PAIR16   /* 8 pairs of int16: sums over runs of 16 */
} act_sums;

typedef struct q8_tile {
    float *y;              /* [nc, ldy], 16 rows of one panel */
    size_t ldy;
    const uint8_t *w;      /* the slab of the panel */
    const int8_t *q;
    const float *d;
    const int32_t *s;
    size_t n_blocks;
    unsigned rows;         /* rows of the panel that exist, 1..16 */
    bool first;            /* start at +0; otherwise go on from y */
} q8_tile;

typedef struct q8_kind {
    void (*tile)(const q8_tile *t, int nc); /* nc is one of 1, 2, 4, 8, 12 up to max_tile */
    uint16_t block;        /* 32 or 256 */
    uint16_t block_bytes;  /* of a panel */
    act_sums sums;
    int16_t offset;
    uint8_t max_tile;
} q8_kind;

typedef struct q8_call {
    float *y; size_t ldy;
    const uint8_t *panels; size_t n_panels, R;
    const r1_act8 *x; size_t C, K;
} q8_call;

typedef struct q8_scratch {
    _Alignas(64) int8_t q[TILE_BYTES];
    _Alignas(64) float d[TILE_BYTES / 32];
    _Alignas(64) int32_t s[TILE_BYTES / 32];
} q8_scratch;

/* Columns of the next tile: sizes that exist, and 16 as 8 + 8 rather than 12 + 4. */
static inline int q8_tile_columns(size_t left, int max_tile)
{
    if (max_tile >= 12 && left >= 12 && (left < 13 || left > 16)) return 12;
    if (max_tile >= 8 && left >= 8) return 8;
    return left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

/* s of one column's block; `to` has room for 8. */
static inline void q8_sums(const q8_kind *k, const int32_t *sum, int32_t *to)
{
    int16_t p[16];
    if (k->sums == SUMS_OFFSET) { to[0] = -k->offset * sum[0]; return; }
    if (k->sums == SUMS_FLOAT) { float f = (float)sum[0]; memcpy(to, &f, 4); return; }
    if (k->sums == SUMS_PAIR32) {
        for (int i = 0; i < 8; i++) p[i] = (int16_t)(sum[2 * i] + sum[2 * i + 1]);
        memcpy(to, p, 16);
        return;
    }
    for (int i = 0; i < 16; i++) p[i] = (int16_t)sum[i];
    memcpy(to, p, 32);
}

static inline size_t q8_sums_count(act_sums s) { return s == SUMS_PAIR16 ? 8 : s == SUMS_PAIR32 ? 4 : 1; }

/* Bring columns [c0, c0 + nc), blocks [b0, b0 + n) into the tile's arrays. */
static inline void q8_gather(const q8_call *a, const q8_kind *k, size_t c0, int nc, size_t b0, size_t n, q8_scratch *m, q8_tile *t)
{
    size_t all = a->K / k->block, n_s = q8_sums_count(k->sums), per = (size_t)(k->block / a->x->sub);
    for (int c = 0; c < nc; c++) {
        const int8_t *q = a->x->q + (c0 + (size_t)c) * a->K + b0 * k->block;
        const float *d = a->x->d + (c0 + (size_t)c) * all + b0;
        const int32_t *sum = a->x->sum + ((c0 + (size_t)c) * all + b0) * per;
        for (size_t b = 0; b < n; b++) {
            size_t i = b * (size_t)nc + (size_t)c;
            q8_sums(k, sum + b * per, m->s + i * n_s);
            if (nc == 1) continue;
            m->d[i] = d[b];
            for (size_t g = b * k->block; g < (b + 1) * k->block; g += 32) memcpy(m->q + g * (size_t)nc + (size_t)c * 32, q + g, 32);
        }
    }
    t->q = nc == 1 ? a->x->q + c0 * a->K + b0 * k->block : m->q;
    t->d = nc == 1 ? a->x->d + c0 * all + b0 : m->d;
    t->s = m->s;
    t->n_blocks = n;
}

/* One slab of a group of panels with all columns. */
static inline void q8_group(const q8_call *a, const q8_kind *k, size_t p0, size_t p1, size_t b0, size_t n, q8_scratch *m)
{
    size_t panel_bytes = a->K / k->block * k->block_bytes;
    for (size_t c = 0; c < a->C;) {
        int nc = q8_tile_columns(a->C - c, k->max_tile);
        q8_tile t = { .ldy = a->ldy, .first = b0 == 0 };
        q8_gather(a, k, c, nc, b0, n, m, &t);
        for (size_t p = p0; p < p1; p++) {
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
    size_t all = a->K / k->block;
    size_t widest = r1_min(a->C, k->max_tile);
    size_t slab = TILE_BYTES / widest / k->block;
    for (size_t b = 0; b < all; b += slab) {
        size_t n = r1_min(slab, all - b);
        size_t group = a->C <= widest ? a->n_panels : r1_max(1, GROUP_BYTES / (n * k->block_bytes));
        for (size_t p = 0; p < a->n_panels; p += group) q8_group(a, k, p, r1_min(p + group, a->n_panels), b, n, &m);
    }
}

/* A matmul_q8 entry; the rest are the members of q8_kind. */
#define ENTRY(name, ...) static void name(float *y, size_t ldy, const void *panels, size_t n_panels, size_t R, const r1_act8 *x, size_t C, size_t K) \
    { q8_run(&(q8_call){ y, ldy, panels, n_panels, R, x, C, K }, &(const q8_kind){ __VA_ARGS__ }); }

#endif
