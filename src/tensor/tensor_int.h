/* Private to tensor/: what its files share. */
#ifndef R1_TENSOR_TENSOR_INT_H
#define R1_TENSOR_TENSOR_INT_H

#include "tensor/tensor.h"

enum {
    PIECE_BYTES = 128 << 10, /* weight bytes of a piece with one column, where memory sets the pace: a few microseconds, many times the cost of taking one */
    PIECE_WORK = 512 << 10   /* weight bytes times columns of a piece with many: the same in arithmetic */
};

/* Codes, scales and sums of n values in groups; columns are rounded up to fours. */
bool r1_act_alloc(r1_act8 *a, const r1_kernels *k, size_t n, int group, int sub);
void r1_act_free(r1_act8 *a);
r1_act8 r1_act_columns(const r1_act8 *a, size_t c0, size_t K); /* from column c0 on, which is a multiple of 4 or read alone */

/* Make an input and round it to int8, for products of packed weights, some of several columns. */
void r1_prepare_packed(r1_exec *e, const r1_input *in, bool q32, bool q256);

/* The product with first[it] <= i < first[it + 1]. */
size_t r1_piece_of(const size_t *first, size_t n, size_t i);

/* Memory of r1_multiply_gated for results of n values. */
bool r1_gated_init(r1_exec *e, size_t n);
void r1_gated_deinit(r1_exec *e);

#endif
