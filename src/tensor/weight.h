/* weight: a matrix of a model, bound to bytes of a file or to a packed copy of them. */
#ifndef R1_TENSOR_WEIGHT_H
#define R1_TENSOR_WEIGHT_H

#include "base/base.h"
#include "kernels/kernels.h"
#include "quant/quant.h"

/* y = W x, W [rows, k]. Row r of the file form starts at data + r * stride. Bytes are borrowed.
 *
 * Of a packed file there is no file form: `data` is NULL, `panels` the packed bytes in the map, from which rows are decoded
 * too. `packed` says which way products go and is therefore NULL in the reference path, whatever form the file has. */
typedef struct r1_weight {
    r1_type type;
    size_t rows, k;
    const uint8_t *data;     /* file form, any alignment, or NULL */
    size_t stride;
    const uint8_t *panels;   /* where data is NULL: 16-row panels to decode rows from */
    const uint8_t *scale;    /* E4M3: f32 scales of 128 x 128 blocks, [.., scale_ld], unaligned */
    size_t scale_ld, row0;   /* row0: index of row 0 in the scaled matrix (a slice keeps its own blocks) */
    const uint8_t *packed;   /* 16-row panels (quant.h), 64-byte aligned, for int8 products; NULL: decode rows */
    const char *name;        /* the file's name of the tensor, borrowed; NULL: made while loading */
    size_t part, n_parts;    /* which matrix of a stack of how many */
    bool keys;               /* key rows of a combined tensor of that name, transposed while loading */
} r1_weight;

/* Rows [first, first + n) as a weight of its own, not packed. Of panels `first` is a multiple of 16. */
r1_weight r1_weight_rows(const r1_weight *w, size_t first, size_t n);

/* Decode row r to dst[k] with the scales applied; exact. */
void r1_weight_decode(const r1_weight *w, const r1_kernels *k, size_t r, float *dst);

#endif
