/* weight: a matrix of a model, bound to bytes of a file or to a packed copy of them. */
#ifndef R1_TENSOR_WEIGHT_H
#define R1_TENSOR_WEIGHT_H

#include "base/base.h"
#include "kernels/kernels.h"
#include "quant/quant.h"

/* y = W x, W [rows, k]. Row r of the file form starts at data + r * stride. Bytes are borrowed; `owned` is freed. */
typedef struct r1_weight {
    r1_type type;
    size_t rows, k;
    const uint8_t *data;     /* file form, any alignment; NULL once packed and given back */
    size_t stride;
    const uint8_t *scale;    /* E4M3: f32 scales of 128 x 128 blocks, [.., scale_ld], unaligned */
    size_t scale_ld, row0;   /* row0: index of row 0 in the scaled matrix (a slice keeps its own blocks) */
    const uint8_t *packed;   /* 16-row panels (quant.h), 64-byte aligned; NULL: use data */
} r1_weight;

/* Rows [first, first + n) as a weight of its own (file form only). */
r1_weight r1_weight_rows(const r1_weight *w, size_t first, size_t n);

/* Decode row r to dst[k] with the scales applied; exact. */
void r1_weight_decode(const r1_weight *w, const r1_kernels *k, size_t r, float *dst);

#endif
