/* tile_emulated: the eight tile registers in plain C, for tests. Included by tile.h, which says what the operations do. */
#ifndef R1_KERNELS_AMX_TILE_EMULATED_H
#define R1_KERNELS_AMX_TILE_EMULATED_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TILE_ROWS = 16, TILE_BYTES = 64 };

static _Thread_local struct {
    tile_config shape;          /* palette 0: not configured */
    uint8_t byte[8][TILE_ROWS][TILE_BYTES];
} tiles;

/* Where the processor raises #UD or #GP. */
static inline void tile_need(int ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "emulated AMX: %s\n", what);
    abort();
}

static inline void tile_configure(const tile_config *t)
{
    tile_need(!tiles.shape.palette, "configured twice without a release");
    tile_need(t->palette == 1 && !t->start_row, "palette is not 1, or start_row not 0");
    for (int i = 0; i < 14; i++) tile_need(!t->reserved[i], "reserved bytes are not zero");
    for (int i = 0; i < 16; i++) {
        tile_need(t->rows[i] <= (i < 8 ? TILE_ROWS : 0) && t->row_bytes[i] <= (i < 8 ? TILE_BYTES : 0), "a shape is too large");
        tile_need(!t->rows[i] == !t->row_bytes[i], "a shape has only one side");
    }
    memset(&tiles, 0, sizeof tiles);
    tiles.shape = *t;
}

static inline void tile_release(void) { memset(&tiles, 0, sizeof tiles); }

static inline void tile_zero(int n)
{
    tile_need(tiles.shape.rows[n], "a register without a shape is set to zero");
    memset(tiles.byte[n], 0, sizeof tiles.byte[n]);
}

static inline void tile_load(int n, const void *p, size_t stride)
{
    tile_zero(n); /* rows and bytes past the shape become zero */
    for (size_t r = 0; r < tiles.shape.rows[n]; r++) memcpy(tiles.byte[n][r], (const uint8_t *)p + r * stride, tiles.shape.row_bytes[n]);
}

static inline void tile_store(int n, void *p, size_t stride)
{
    tile_need(tiles.shape.rows[n], "a register without a shape is stored");
    for (size_t r = 0; r < tiles.shape.rows[n]; r++) memcpy((uint8_t *)p + r * stride, tiles.byte[n][r], tiles.shape.row_bytes[n]);
}

/* The shapes a product of registers must have. */
static inline void tile_need_product(int c, int a, int b)
{
    const tile_config *s = &tiles.shape;
    tile_need(c != a && c != b && a != b, "a product names a register twice");
    tile_need(s->rows[c] && s->rows[a] && s->rows[b], "a product of a register without a shape");
    tile_need(s->row_bytes[c] % 4 == 0 && s->row_bytes[a] % 4 == 0 && s->row_bytes[b] % 4 == 0, "a product of rows that are not in fours");
    tile_need(s->rows[c] == s->rows[a] && s->row_bytes[c] == s->row_bytes[b] && s->row_bytes[a] / 4 == s->rows[b], "shapes of a product do not fit");
}

static inline void tile_dpbssd(int c, int a, int b)
{
    tile_need_product(c, a, b);
    for (int i = 0; i < tiles.shape.rows[c]; i++) {
        uint32_t sum[TILE_BYTES / 4];
        memcpy(sum, tiles.byte[c][i], TILE_BYTES);
        for (int k = 0; k < tiles.shape.row_bytes[a] / 4; k++)
            for (int j = 0; j < tiles.shape.row_bytes[c] / 4; j++)
                for (int n = 0; n < 4; n++) sum[j] += (uint32_t)((int8_t)tiles.byte[a][i][4 * k + n] * (int8_t)tiles.byte[b][k][4 * j + n]);
        memcpy(tiles.byte[c][i], sum, TILE_BYTES);
    }
}

static inline float tile_flush(float v) { return fabsf(v) < 0x1p-126f ? copysignf(0, v) : v; }

static inline float tile_bf16(const uint8_t *b)
{
    const uint32_t u = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 24;
    float v;
    memcpy(&v, &u, 4);
    return tile_flush(v);
}

static inline void tile_dpbf16ps(int c, int a, int b)
{
    tile_need_product(c, a, b);
    for (int i = 0; i < tiles.shape.rows[c]; i++)
        for (int j = 0; j < tiles.shape.row_bytes[c] / 4; j++) {
            float sum[2] = { 0, 0 }, acc;
            for (int k = 0; k < tiles.shape.row_bytes[a] / 4; k++)
                for (int n = 0; n < 2; n++)
                    sum[n] = tile_flush(fmaf(tile_bf16(&tiles.byte[a][i][4 * k + 2 * n]), tile_bf16(&tiles.byte[b][k][4 * j + 2 * n]), sum[n]));
            memcpy(&acc, &tiles.byte[c][i][4 * j], 4);
            acc = tile_flush(tile_flush(acc) + tile_flush(sum[0] + sum[1]));
            memcpy(&tiles.byte[c][i][4 * j], &acc, 4);
        }
}

#define TILE_ZERO(n) tile_zero(n)
#define TILE_LOAD(n, p, stride) tile_load(n, p, (size_t)(stride))
#define TILE_STORE(n, p, stride) tile_store(n, p, (size_t)(stride))
#define TILE_DPBSSD(c, a, b) tile_dpbssd(c, a, b)
#define TILE_DPBF16PS(c, a, b) tile_dpbf16ps(c, a, b)

#endif
