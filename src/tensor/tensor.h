/* tensor: products and column-wise operations over kernels and threads.
 *
 * An r1_exec is what one engine computes with: kernels, threads, and scratch of fixed size. Matrices of activations are
 * [columns, features], one column a token, features contiguous. Nothing here allocates after r1_exec_init, and no result
 * depends on the number of threads or columns.
 */
#ifndef R1_TENSOR_TENSOR_H
#define R1_TENSOR_TENSOR_H

#include "base/thread.h"
#include "tensor/weight.h"

typedef struct r1_exec r1_exec;
typedef struct r1_product r1_product;
typedef struct r1_input r1_input;

/* Called by r1_multiply with its arguments once the input is made, before the products, in the caller's thread; it may use e->pool. For every
 * weight the input is what meets it, not yet rounded (`r1 imatrix`). */
typedef void (*r1_observe)(void *ctx, r1_exec *e, const r1_product *p, size_t n, const r1_input *in);

struct r1_exec {
    const r1_kernels *k;
    r1_pool *pool;               /* borrowed */
    r1_activations mode;
    r1_act8 a32, a256;           /* quantised input of the current product */
    r1_act8 gated;               /* result of r1_multiply_gated until it takes the place of a32 */
    struct r1_halves *halves;    /* [threads] what a piece of it holds */
    float *rounded;              /* input rounded to bf16, or NULL */
    uint16_t *fours;             /* the same as matmul_bf16_fours reads it, or NULL */
    size_t input_cap;            /* values the input buffers hold */
    float *decoded;              /* [threads, decoded_cap] rows of weights as f32 */
    size_t decoded_cap;
    size_t *first_piece;         /* [max_products + 1] */
    size_t max_products;
    r1_observe observe;          /* NULL: nobody looks */
    void *observe_ctx;
};

typedef struct r1_exec_sizes {
    size_t input_values;         /* largest columns * features of an input */
    size_t max_k;                /* longest row of a weight */
    size_t max_products;         /* most products in one call */
    bool need_32, need_256;      /* kinds of packed weights there are */
} r1_exec_sizes;

r1_status r1_exec_init(r1_exec *e, const r1_kernels *k, r1_pool *pool, r1_activations mode, const r1_exec_sizes *sizes, r1_error *err) R1_MUST_CHECK;
void r1_exec_deinit(r1_exec *e); /* accepts a zeroed one */

/* One product of a group: y[c * ldy + r] = W x[c0 + c] (+ bias[r]) for c < C. c0 is a multiple of 4, or C is 1. */
struct r1_product {
    const r1_weight *w;
    const float *bias;           /* [rows] or NULL */
    float *y;
    size_t ldy, c0, C;
};

/* Two products whose results belong together, silu(gate x) * (up x), of columns [c0, c0 + C) of the input, as c0 and C above. They become
 * columns [to, to + C) of the input of the product that follows; to is a multiple of 4, or C is 1. */
typedef struct r1_pair {
    const r1_weight *gate, *up;
    size_t c0, C, to;
} r1_pair;

/* An input: x[c * ldx + i], c < C, i < K. `exact`: never rounded or quantised (the router). `before`, if not NULL, makes column c of x;
 * it runs in the region that quantises, each column once. `quantised`: nothing is to be made, it is what r1_multiply_gated left. */
struct r1_input {
    const float *x;
    size_t ldx, C, K;
    bool exact, quantised;
    r1_work before;
    void *ctx;
};

/* All products read the same input; every weight has k == K. One parallel region (two when C > 1). */
void r1_multiply(r1_exec *e, const r1_product *p, size_t n, const r1_input *in);

/* All pairs on one input, rounded for the call of r1_multiply that follows: that has `quantised` set and K as the rows of the pairs have it. A
 * piece makes 32 rows of both and rounds them while they are near, so the float results are never stored, and their region is the products'.
 * False, with nothing done: the weights, those of the following product `down` among them, are not all packed, or `down` is not rounded in
 * groups of 32, or no pair has several columns (weights then come as one stream where gate is read before up), or somebody observes. */
bool r1_multiply_gated(r1_exec *e, const r1_pair *p, size_t n, const r1_product *down, size_t n_down, const r1_input *in);

/* Run fn for column 0..C-1, in threads when there are several. */
void r1_columns(r1_exec *e, size_t C, r1_work fn, void *ctx);

#endif
