/* Products of bf16 weights and bf16 activations, AMX: matmul_bf16_pairs, whose order is the instruction's own.
 *
 * The accumulators are the tiles of C, 16 tokens by 16 rows, so there is no float step; between slabs they rest in y, which is exact.
 * Weights are read as rows of a file, any alignment, and turned into tiles of B (16 pairs of values by 16 rows, 64 shuffles) once a slab;
 * that costs as much as two or three products of tiles, and with one column still keeps up with memory. Activations lose their lower
 * halves, which are zero, and are tiles of A as they lie. The walk is that of walk_amx.h with 32 values for a block. */
#include "kernels/amx/walk_amx.h"

enum { TILE_VALUES = 32, SLAB_TILES = SLAB / 64 };

typedef struct pairs_call {
    float *y; size_t ldy;
    const uint8_t *w; size_t w_stride, R;
    const float *x; size_t ldx, C, K;
} pairs_call;

INLINE __mmask32 values_left(const pairs_call *a, size_t k) { return a->K - k >= TILE_VALUES ? 0xFFFFFFFF : (__mmask32)((1u << (a->K - k)) - 1); }

/* The tokens of a stretch, [tile][32 values][tokens][32]; missing tokens and values are zero. */
static void pairs_gather(const pairs_call *a, const amx_slab *s)
{
    const size_t n_tiles = r1_ceil_div(s->columns, s->tokens);
    int16_t odd[32]; /* words of two registers */
    for (int i = 0; i < 32; i++) odd[i] = (int16_t)(2 * i + 1);
    const __m512i upper = load512(odd);
    for (size_t j = 0; j < n_tiles * s->tokens; j++)
        for (size_t g = 0; g < s->stretch; g++) {
            const size_t k = (s->b0 + g) * TILE_VALUES;
            const __mmask32 left = j < s->columns ? values_left(a, k) : 0;
            const float *x = a->x + (s->c0 + r1_min(j, s->columns - 1)) * a->ldx + k;
            const __m512i lo = _mm512_castps_si512(_mm512_maskz_loadu_ps((__mmask16)left, x));
            const __m512i hi = _mm512_castps_si512(left >> 16 ? _mm512_maskz_loadu_ps((__mmask16)(left >> 16), x + 16) : _mm512_setzero_ps());
            int8_t *to = s->m->a + ((j / s->tokens * s->stretch + g) * s->tokens + j % s->tokens) * 64;
            _mm512_store_si512(to, _mm512_permutex2var_epi16(lo, upper, hi));
        }
}

/* Rows [r, r + 16) of the slab as tiles of B; missing rows and values are zero. */
static void pairs_weights(const pairs_call *a, const amx_slab *s, size_t r, int8_t (*to)[R1_PANEL][4])
{
    const size_t rows = r1_min(R1_PANEL, a->R - r);
    for (size_t g = 0; g < s->n; g++, to += 16) {
        const size_t k = (s->b0 + s->block0 + g) * TILE_VALUES;
        const __mmask32 left = values_left(a, k);
        __m512i v[16];
        for (size_t i = 0; i < 16; i++) v[i] = i < rows ? _mm512_maskz_loadu_epi16(left, a->w + (r + i) * a->w_stride + 2 * k) : _mm512_setzero_si512();
        transpose_16(v);
        UNROLL for (int i = 0; i < 16; i++) _mm512_store_si512(to[i], v[i]);
    }
}

/* Accumulators of a token tile and a panel, from y to place c of the scratch and back. */
INLINE void pairs_load(const amx_slab *s, size_t tile, int p, int32_t (*c)[R1_PANEL])
{
    const size_t columns = r1_min(s->tokens, s->columns - tile * s->tokens);
    const float *y = s->y + tile * s->tokens * s->ldy + p * R1_PANEL;
    for (size_t j = 0; j < columns; j++) _mm512_store_ps(c[j], s->first ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(s->rows[p], y + j * s->ldy));
}

INLINE void pairs_store(const amx_slab *s, size_t tile, int p, int32_t (*c)[R1_PANEL])
{
    const size_t columns = r1_min(s->tokens, s->columns - tile * s->tokens);
    float *y = s->y + tile * s->tokens * s->ldy + p * R1_PANEL;
    for (size_t j = 0; j < columns; j++) _mm512_mask_storeu_ps(y + j * s->ldy, s->rows[p], _mm512_load_ps(c[j]));
}

/* na token tiles from `tile` on by np panels; C = 2 * token tile + panel. */
INLINE void pairs_tiles(const int na, const int np, const amx_slab *s, size_t tile)
{
    amx_scratch *m = s->m;
    const size_t a_step = 64 * s->tokens, a_next = a_step * s->stretch;
    const int8_t *a = m->a + a_step * (tile * s->stretch + s->block0);
    for (int i = 0; i < na; i++)
        for (int p = 0; p < np; p++) pairs_load(s, tile + (size_t)i, p, m->c[2 * i + p]);
    TILE_LOAD(0, m->c[0], 64);
    if (np > 1) TILE_LOAD(1, m->c[1], 64);
    if (na > 1) TILE_LOAD(2, m->c[2], 64);
    if (na > 1 && np > 1) TILE_LOAD(3, m->c[3], 64);
    for (size_t g = 0; g < s->n; g++, a += a_step) {
        TILE_LOAD(4, a, 64);
        TILE_LOAD(6, m->b[0][16 * g], 64);
        TILE_DPBF16PS(0, 4, 6);
        if (np > 1) TILE_LOAD(7, m->b[1][16 * g], 64);
        if (np > 1) TILE_DPBF16PS(1, 4, 7);
        if (na > 1) TILE_LOAD(5, a + a_next, 64);
        if (na > 1) TILE_DPBF16PS(2, 5, 6);
        if (na > 1 && np > 1) TILE_DPBF16PS(3, 5, 7);
    }
    TILE_STORE(0, m->c[0], 64);
    if (np > 1) TILE_STORE(1, m->c[1], 64);
    if (na > 1) TILE_STORE(2, m->c[2], 64);
    if (na > 1 && np > 1) TILE_STORE(3, m->c[3], 64);
    for (int i = 0; i < na; i++)
        for (int p = 0; p < np; p++) pairs_store(s, tile + (size_t)i, p, m->c[2 * i + p]);
}

/* All token tiles of the stretch with a slab of rows [r, r + 32). */
static void pairs_slab(const pairs_call *a, const amx_slab *s, size_t r)
{
    const size_t n_tiles = r1_ceil_div(s->columns, s->tokens);
    const bool two = s->rows[1];
    size_t i = 0;
    pairs_weights(a, s, r, s->m->b[0]);
    if (two) pairs_weights(a, s, r + R1_PANEL, s->m->b[1]);
    for (; i + 1 < n_tiles; i += 2) {
        if (two) pairs_tiles(2, 2, s, i);
        else pairs_tiles(2, 1, s, i);
    }
    if (i == n_tiles) return;
    if (two) pairs_tiles(1, 2, s, i);
    else pairs_tiles(1, 1, s, i);
}

static void pairs_stretch(const pairs_call *a, amx_slab *s)
{
    pairs_gather(a, s);
    for (size_t r = 0; r < a->R; r += 2 * R1_PANEL) {
        s->y = a->y + s->c0 * a->ldy + r;
        s->rows[0] = mask16(a->R - r);
        s->rows[1] = a->R - r > R1_PANEL ? mask16(a->R - r - R1_PANEL) : 0;
        for (s->block0 = 0; s->block0 < s->stretch; s->block0 += SLAB_TILES) {
            s->n = r1_min(SLAB_TILES, s->stretch - s->block0);
            s->first = s->b0 + s->block0 == 0;
            pairs_slab(a, s, r);
        }
    }
}

static void matmul_bf16_pairs_amx(float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const float *x, size_t ldx, size_t C, size_t K)
{
    amx_scratch m;
    const pairs_call a = { y, ldy, w, w_stride, R, x, ldx, C, K };
    const size_t all = r1_ceil_div(K, TILE_VALUES), tokens = r1_ceil_div(C, r1_ceil_div(C, TOKENS));
    const size_t at_once = r1_min(r1_ceil_div(C, tokens), UNITS), stretch = UNITS / at_once * SLAB_TILES;
    amx_slab s = { .m = &m, .ldy = ldy, .tokens = tokens };
    memset(m.c, 0, sizeof m.c); /* rows without a column are multiplied too */
    amx_configure(tokens, 64);
    for (s.b0 = 0; s.b0 < all; s.b0 += stretch) {
        s.stretch = r1_min(stretch, all - s.b0);
        for (s.c0 = 0; s.c0 < C; s.c0 += at_once * tokens) {
            s.columns = r1_min(at_once * tokens, C - s.c0);
            pairs_stretch(&a, &s);
        }
    }
    tile_release();
}

void r1_amx_fill_bf16(r1_kernels *k) { k->matmul_bf16_pairs = matmul_bf16_pairs_amx; }
