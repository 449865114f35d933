/* The workspace of a forward pass, shared by forward.c, attention.c, mla.c and moe.c. Letters: docs/notation.md. */
#ifndef R1_MODEL_FORWARD_INT_H
#define R1_MODEL_FORWARD_INT_H

#include "model/forward.h"
#include "model/model_int.h"

enum {
    SHORT_STEPS = 8,               /* tokens a thread of a step where whoever rounds a token's attention computes it, at least */
    QUERY_ROWS = 96,               /* query rows of an attention tile: a multiple of the 6 that kernels take at once */
    LATENT_ROWS = 64,              /* the same for latents, whose rows are five times as long and share L2 with the block; divides 128 heads */
#ifdef R1_TINY                     /* a few tokens of a golden model */
    LOGIT_COLUMNS = 2,
    LOGIT_ROWS = 5,
    SHORT_CONTEXT = 20,
    LATENT_BYTES = 16 << 10,
    EXPERT_BYTES = 16 << 10
#else
    LOGIT_COLUMNS = 16,            /* columns of the head product at a time, when the rows of logits lie anyhow */
    LOGIT_ROWS = 96,               /* and when one distance leads from each to the next: the head's weights are read once for all */
    SHORT_CONTEXT = 256,           /* such a step has fewer keys in every sequence */
    LATENT_BYTES = 64 << 20,       /* absorbed queries and outputs held at a time: bounds the tokens of a step */
    EXPERT_BYTES = 384 << 20       /* gathered inputs and outputs of experts held at a time */
#endif
};

/* A tile of query rows of one span; row r of a span is token r / group, head r % group of the key-value head. */
typedef struct r1_tile {
    uint32_t span, first, n;
} r1_tile;

struct r1_forward {
    const r1_model *m;
    r1_pool *pool;
    r1_exec exec;
    size_t chunk;
    /* the current run */
    const r1_span *spans; size_t n_spans;
    size_t n;                      /* tokens */
    const r1_tap *tap;
    bool (*go_on)(void *ctx);      /* NULL: nobody is asked */
    void *go_on_ctx;
    /* per token */
    float *x, *h, *y;              /* [chunk, D] residual, normed, product */
    float *q;                      /* [chunk, H * head_dim] */
    float *k, *v;                  /* [chunk, KV * head_dim]; latent: k is [chunk, lora + rope] */
    float *o;                      /* [chunk, H * value dim] */
    float *gate, *up;              /* [chunk, n_ff] */
    float *cos, *sin;              /* [chunk, rope dim / 2] */
    float *wide;                   /* latent: [chunk, q_lora]; mtp: [chunk, 2 D] */
    /* latent attention, `latent_tokens` at a time */
    size_t latent_tokens;
    float *q_latent, *o_latent;    /* [latent_tokens, H, lora + rope], [latent_tokens, H, lora] */
    float *head_in;                /* [H, latent_tokens, max(nope, lora)]: inputs of the per-head products */
    /* experts, `expert_tokens` at a time */
    size_t expert_tokens, expert_rows; /* rows: of the gathered inputs, with what aligns each expert to 4 */
    float *router_out;             /* [chunk, E] */
    int32_t *route_ids; float *route_weights; /* [chunk, n_used] */
    float *expert_in;              /* [expert_tokens + 3 + expert_rows, D]: the tokens, then gathered by expert */
    float *expert_gate, *expert_up;/* [expert_tokens + 3 + expert_rows, n_ff_expert]: the same rows */
    float *expert_out;             /* [expert_rows, D] */
    uint32_t *expert_row;          /* [expert_tokens, n_used]: row of (token, slot) among the gathered */
    uint32_t *expert_token;        /* [expert_rows]: the token of a gathered row */
    uint32_t *expert_first, *expert_n; /* [E] first row of an expert, and how many it has */
    r1_product *products;          /* [2 E + 4] */
    r1_pair *pairs;                /* [E + 1] */
    /* attention */
    r1_tile *tiles; size_t n_tiles, cap_tiles;
    size_t tile_rows;
    float *attn_scratch; size_t attn_floats; /* a thread */
    /* head */
    float *head_x, *head_y;        /* [LOGIT_ROWS, D], [LOGIT_COLUMNS, V] */
};

/* Attention over the cache for queries q (n tokens of the current run from token `first`), after their keys are stored.
 *   q [n, n_heads of the model, key_dim] unscaled;  o [n, n_heads, value dim] */
typedef struct r1_attention {
    r1_forward *f;
    const r1_layer *layer;
    int layer_index;
    size_t first, n;
    float *q; size_t key_dim;      /* scaled in place where there is one key head */
    float *o; size_t value_dim;
    bool expanded;                 /* the cache holds latents, q is per head: expand keys and values block by block */
} r1_attention;
void r1_attend(const r1_attention *a);
/* The same for token c of a run whose spans have one token each; may run for several tokens at a time, in threads. */
void r1_attend_token(const r1_attention *a, size_t c, int thread);
size_t r1_attention_scratch(const r1_model *m, size_t tile_rows); /* floats a thread */

/* Rotate n_heads vectors of rope.dim floats, `stride` apart, of token column c. */
void r1_rotate(const r1_forward *f, float *x, size_t n_heads, size_t stride, size_t c);

/* Steps of one column, made in the region that quantises the input of a product (r1_input.before).
 * Residual: x += y (unless NULL), h = norm(x) by w (unless NULL). Gated: gate = silu(gate) * up, n values a column. */
typedef struct r1_residual {
    r1_forward *f;
    const float *y, *w;
} r1_residual;
void r1_residual_column(void *residual, size_t c, int thread);
typedef struct r1_gated {
    r1_forward *f;
    float *gate;
    const float *up;
    size_t n;
} r1_gated;
void r1_silu_column(void *gated, size_t c, int thread);

/* `before` makes h. */
void r1_latent_attention(r1_forward *f, const r1_layer *l, int index, r1_residual *before); /* h -> o */
void r1_experts(r1_forward *f, const r1_layer *l, int moe_index, r1_residual *before);      /* h -> y */
void r1_normalise(r1_forward *f, float *y, const float *x, const float *w, size_t n, size_t C, size_t ld, float eps);
/* Span and position of token c of the run. */
const r1_span *r1_span_of(const r1_forward *f, size_t c, size_t *pos);

#endif
