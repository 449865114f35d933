/* What the files of model/ share: the bound model. */
#ifndef R1_MODEL_MODEL_INT_H
#define R1_MODEL_MODEL_INT_H

#include "base/warm.h"
#include "model/config.h"
#include "model/model.h"
#include "tensor/tensor.h"

/* SwiGLU: down(silu(gate x) * up x). */
typedef struct r1_mlp { r1_weight gate, up, down; } r1_mlp;

typedef struct r1_layer {
    const float *attn_norm, *ffn_norm;       /* [D] */
    /* grouped-query attention */
    r1_weight wq, wk, wv;
    const float *bq, *bk, *bv;               /* NULL: none */
    /* latent attention: wq (not compressed) or wq_a, wq_b */
    r1_weight wq_a, wq_b, wkv_a;
    const float *q_a_norm, *kv_a_norm;
    r1_weight *k_b;                          /* [H] of [kv_lora, nope]: head h's W_UK transposed */
    r1_weight *v_b;                          /* [H] of [v_dim, kv_lora]: head h's W_UV */
    r1_weight wo;
    /* feed-forward: dense, or experts with an optional shared one */
    bool moe;
    r1_mlp mlp;                              /* dense or shared; shared.gate.rows is 0 when there is none */
    r1_weight router;
    const float *router_bias;                /* [E] or NULL */
    r1_mlp *experts;                         /* [E] */
} r1_layer;

/* The multi-token-prediction module: one more layer between a projection and a head. Never packed. */
typedef struct r1_mtp {
    r1_layer layer;
    const float *enorm, *hnorm, *head_norm;
    r1_weight embd, eh_proj, head;
} r1_mtp;

struct r1_model {
    r1_ckpt *ckpt;
    r1_config c;
    r1_model_info info;
    r1_model_options options;
    r1_kernels k;
    r1_tokenizer *tokenizer;
    const r1_template *template;
    r1_weight embd, head;
    const float *out_norm;
    r1_layer *layers;                        /* [n_layers] */
    r1_mtp *mtp;                             /* NULL: none */
    int32_t *moe_layers; int n_moe_layers;
    r1_warmer **warmers; int n_warmers;      /* of a packed file: one for each part */
    void **owned; size_t n_owned, cap_owned; /* memory that weights and vectors point into */
    size_t max_k;                            /* longest row */
    bool need_32, need_256, all_f32;
    char arch[64], name[128];
};

/* Binding: names to weights. */
typedef struct r1_binder {
    r1_model *m;
    bool *used;                              /* [n_tensors of the checkpoint] */
    r1_error *err;
    r1_status s;                             /* the first failure; later calls do nothing */
    r1_pool *pool;                           /* for packing; NULL: the caller alone */
    bool no_pack;                            /* the prediction module: bound in file form, and not counted */
    bool only_check;                         /* of the main model's weights nothing is made */
    bool head_is_copy;                       /* of a packed file: output.weight is no parameter of its own */
    bool gguf;                               /* names and stacks as in GGUF, else as in checkpoints */
    double fraction;                         /* of the layers, for progress */
    uint64_t elements, bytes;                /* of the main model's tensors */
    uint64_t expert_elements;                /* of its routed experts */
} r1_binder;

/* Bind every tensor of the model by the names of its family. */
void r1_bind_llama(r1_binder *b);            /* llama.c: llama and qwen2 */
void r1_bind_deepseek(r1_binder *b);         /* deepseek.c */

/* A matrix [rows, k] (k features in), packed if it is quantised and the options allow; a vector [n] as f32; `required` false: NULL
 * or rows 0 when absent. `n_stack` matrices stacked in one 3-D tensor go to out[0..n_stack). */
const r1_ckpt_tensor *r1_bind_find(r1_binder *b, bool required, const char *fmt, ...) R1_PRINTF(3, 4);
void r1_bind_ignore(r1_binder *b, const char *name); /* a tensor that may be there and says nothing new: not counted either */
void r1_bind_matrix(r1_binder *b, r1_weight *out, size_t rows, size_t k, const char *fmt, ...) R1_PRINTF(5, 6);
void r1_bind_stack(r1_binder *b, r1_weight *first, size_t stride, size_t n, size_t rows, size_t k, const char *name);
const float *r1_bind_vector(r1_binder *b, bool required, size_t n, const char *fmt, ...) R1_PRINTF(4, 5);
bool r1_bind_shape(r1_binder *b, const r1_ckpt_tensor *t, int n_dims, const uint64_t *ne);
/* Take a weight whose bytes are known: choose packed or file form. */
void r1_bind_weight(r1_binder *b, r1_weight *out, const r1_ckpt_tensor *t, size_t first_row, size_t rows);
void *r1_bind_alloc(r1_binder *b, size_t bytes); /* zeroed, owned by the model; NULL and b->s set on failure */
void r1_bind_check_memory(r1_binder *b); /* refuse a model whose packed weights cannot be held */
bool r1_bind_progress(r1_binder *b, int done, int total); /* false: stop (a failure, or the caller cancelled) */
void r1_bind_common(r1_binder *b, const char *embd, const char *norm, const char *head);
r1_weight r1_bind_view(const r1_ckpt_tensor *t);

#endif
