/* config: the hyper-parameters of a model, read from GGUF metadata or config.json and checked. Private to model/. */
#ifndef R1_MODEL_CONFIG_H
#define R1_MODEL_CONFIG_H

#include "base/base.h"
#include "format/checkpoint.h"

typedef enum r1_arch { R1_ARCH_LLAMA, R1_ARCH_QWEN2, R1_ARCH_DEEPSEEK_V2, R1_ARCH_DEEPSEEK_V3 } r1_arch;

typedef enum r1_rope_scaling { R1_ROPE_PLAIN, R1_ROPE_LINEAR, R1_ROPE_LLAMA3, R1_ROPE_YARN } r1_rope_scaling;

enum {
    R1_ROPE_MAX = 1024,             /* rotated dimensions of a head; released models have 64 or 128 */
    R1_EXPERTS_MAX = 1024,          /* routed experts of a layer; R1 has 256 */
    R1_LAYERS_MAX = 4096,
    R1_DIM_MAX = 1 << 20            /* any one size: width, heads, ranks */
};

typedef struct r1_rope {
    int dim;                        /* rotated dimensions of a head, even */
    double theta, factor;
    r1_rope_scaling scaling;
    double original, low, high;     /* llama3: original length and frequency factors; yarn: original length */
    double beta_fast, beta_slow;    /* yarn */
    double multiplier;              /* of cos and sin */
    bool adjacent;                  /* pairs (2i, 2i+1) in the vector the projection makes; else (i, i + dim/2) */
    bool to_halves;                 /* adjacent pairs are written back as (i, i + dim/2): llama GGUF rows, see config_gguf.c */
    double *inv_freq;               /* [dim / 2], malloc'ed */
} r1_rope;

typedef struct r1_config {
    r1_arch arch;
    int n_layers, n_embd, n_heads, n_kv_heads, head_dim, n_ff, n_vocab, n_ctx;
    float eps, softmax_scale;
    r1_rope rope;
    bool tied;                      /* the head is the embedding (or may be: GGUF without output.weight) */
    bool qkv_bias;
    /* latent attention */
    bool mla;
    int q_lora, kv_lora, nope_dim, v_dim; /* q_lora 0: not compressed; the rope dimension is rope.dim */
    /* mixture of experts */
    int n_dense;                    /* leading dense layers; n_layers when there are no experts */
    int n_experts, n_used, n_shared, n_ff_expert, n_groups, n_groups_used;
    bool sigmoid, normalise;
    float expert_scale;
    int n_mtp;                      /* 0 or 1 */
} r1_config;

const char *r1_arch_name(r1_arch a);
/* "llama, qwen2, deepseek_v2, deepseek_v3": for messages. */
#define R1_ARCH_LIST "llama, qwen2, deepseek_v2 and deepseek_v3 (deepseek2 in GGUF)"

/* Errors: R1_EFORMAT names the key, found and expected; R1_EUNSUPPORTED the architecture or feature. *c needs deinit also
 * after an error. */
r1_status r1_config_read(r1_config *c, const r1_ckpt *ckpt, r1_error *err) R1_MUST_CHECK;
void r1_config_deinit(r1_config *c);

/* Whether divisors[dim / 2] (a GGUF's rope_freqs, rounded to f32) come from llama3 scaling of r's plain frequencies; then r
 * gets that scaling and its exact frequencies, so that a GGUF file computes what its checkpoint does to the bit. */
bool r1_rope_recognise(r1_rope *r, const float *divisors);
/* The two readers and what they share. */
r1_status r1_config_from_gguf(r1_config *c, const r1_ckpt *ckpt, r1_error *err) R1_MUST_CHECK;
r1_status r1_config_from_hf(r1_config *c, const r1_ckpt *ckpt, r1_error *err) R1_MUST_CHECK;
#define R1_YARN_LOG_LEAST 1e-9 /* no float32 notices it in a sum with 1 */
/* The key yarn_log_multiplier of a deepseek2 file for mscale_all_dim `all`, beside the key attn_factor `attention` (1: no key). llama.cpp
 * multiplies scores by (attention * (1 + key * ln(factor)))^2, so the key carries what attention does not; 0 would mean "not there". */
double r1_yarn_log_multiplier(double factor, float attention, double all);
double r1_yarn_m(double factor, double k); /* 1 if factor <= 1, else 0.1 k ln(factor) + 1 */

#endif
