/* The packed form: 16 rows side by side, one per 32-bit lane of a vector.
 *
 * Packing is done once, when a model is opened, for every byte of it, so it should run near the speed of memory: for each
 * field four rows are copied at a time with plain loads and stores of a whole unit. A unit never changes its bytes, so
 * the form is independent of the machine, and unpacking is the same walk in the other direction.
 */
#include "quant/quant.h"

enum { ROWS = 16, BLOCK_MAX = 210 };

#define NIBBLES { 4, 4 }
#define HALF { 2, 1 }

/* The fields of each block in the order of the format. */
static const r1_packed_field fields[R1_TYPE_END][R1_PACKED_FIELDS] = {
    [R1_Q4_0]   = { HALF, NIBBLES },                          /* d, qs */
    [R1_IQ4_NL] = { HALF, NIBBLES },                          /* d, qs */
    [R1_Q4_1]   = { HALF, HALF, NIBBLES },                    /* d, m, qs */
    [R1_Q5_0]   = { HALF, { 4, 1 }, NIBBLES },                /* d, qh, qs */
    [R1_Q5_1]   = { HALF, HALF, { 4, 1 }, NIBBLES },          /* d, m, qh, qs */
    [R1_Q8_0]   = { HALF, { 4, 8 } },                         /* d, qs */
    [R1_MXFP4]  = { { 1, 1 }, NIBBLES },                      /* e, qs */
    [R1_Q2_K]   = { { 4, 4 }, { 4, 16 }, HALF, HALF },        /* scales, qs, d, dmin */
    [R1_Q3_K]   = { { 4, 8 }, { 4, 16 }, { 4, 3 }, HALF },    /* hmask, qs, scales, d */
    [R1_Q4_K]   = { HALF, HALF, { 4, 3 }, { 4, 32 } },        /* d, dmin, scales, qs */
    [R1_Q5_K]   = { HALF, HALF, { 4, 3 }, { 4, 8 }, { 4, 32 } }, /* d, dmin, scales, qh, qs */
    [R1_Q6_K]   = { { 4, 32 }, { 4, 16 }, { 4, 4 }, HALF },   /* ql, qh, scales, d */
    [R1_IQ4_XS] = { HALF, HALF, { 4, 1 }, { 4, 32 } },        /* d, scales_h, scales_l, qs */
};

const r1_packed_field *r1_packed_fields(r1_type t, size_t *n)
{
    *n = 0;
    if (!r1_type_get(t) || !r1_type_get(t)->quantised) return NULL;
    while (*n < R1_PACKED_FIELDS && fields[t][*n].unit) ++*n;
    return fields[t];
}

size_t r1_packed_bytes(r1_type t, size_t rows, size_t k)
{
    return r1_round_up(rows, ROWS) * r1_row_bytes(t, k);
}

static inline void copy_unit(uint8_t *dst, const uint8_t *src, size_t unit) { memcpy(dst, src, unit); }

/* dst[unit][16] from rows at src[0..15] + at; `unit` is a constant at every call, so the copies are single moves. */
static inline void pack_field(uint8_t *dst, const uint8_t *const *src, size_t at, size_t unit, size_t n_units)
{
    for (size_t r = 0; r < ROWS; r += 4) {
        const uint8_t *a = src[r] + at, *b = src[r + 1] + at, *c = src[r + 2] + at, *d = src[r + 3] + at;
        uint8_t *to = dst + r * unit;
        for (size_t u = 0; u < n_units; u++, to += ROWS * unit) {
            copy_unit(to, a + u * unit, unit);
            copy_unit(to + unit, b + u * unit, unit);
            copy_unit(to + 2 * unit, c + u * unit, unit);
            copy_unit(to + 3 * unit, d + u * unit, unit);
        }
    }
}

void r1_pack_panel(r1_type t, void *panel, const void *src, size_t stride, size_t rows_left, size_t k)
{
    static const uint8_t zeros[BLOCK_MAX]; /* stands in for missing rows */
    const r1_type_info *info = r1_type_get(t);
    size_t n_fields, n_rows = r1_min(rows_left, ROWS);
    const r1_packed_field *f = r1_packed_fields(t, &n_fields);
    const uint8_t *row[ROWS];
    for (size_t r = 0; r < ROWS; r++) row[r] = r < n_rows ? (const uint8_t *)src + r * stride : zeros;
    uint8_t *dst = panel;
    for (size_t b = 0; b < k / info->block; b++) {
        size_t at = 0;
        for (size_t i = 0; i < n_fields; i++) {
            size_t n = f[i].n_units;
            if (f[i].unit == 4) pack_field(dst, row, at, 4, n);
            else if (f[i].unit == 2) pack_field(dst, row, at, 2, n);
            else pack_field(dst, row, at, 1, n);
            at += n * f[i].unit;
            dst += n * f[i].unit * ROWS;
        }
        for (size_t r = 0; r < n_rows; r++) row[r] += info->bytes;
    }
}

static inline void unpack_field(uint8_t *dst, const uint8_t *src, size_t unit, size_t n_units)
{
    for (size_t u = 0; u < n_units; u++) copy_unit(dst + u * unit, src + u * ROWS * unit, unit);
}

void r1_unpack_row(r1_type t, void *dst, const void *panel, size_t row, size_t k)
{
    const r1_type_info *info = r1_type_get(t);
    size_t n_fields;
    const r1_packed_field *f = r1_packed_fields(t, &n_fields);
    const uint8_t *src = panel;
    uint8_t *to = dst;
    for (size_t b = 0; b < k / info->block; b++)
        for (size_t i = 0; i < n_fields; i++) {
            size_t unit = f[i].unit, n = f[i].n_units;
            if (unit == 4) unpack_field(to, src + row * 4, 4, n);
            else unpack_field(to, src + row * unit, unit, n);
            to += n * unit;
            src += n * unit * ROWS;
        }
}
