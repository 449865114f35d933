/* llama and qwen2: grouped-query attention, SwiGLU. They differ in biases on Q, K, V, and in how GGUF stores Q and K. */
#include "model/model_int.h"

#include <math.h>
#include <stdio.h>

typedef struct names {
    const char *attn_norm, *ffn_norm, *q, *k, *v, *o, *gate, *up, *down;
} names;

static const names in_gguf = { "blk.%d.attn_norm.weight", "blk.%d.ffn_norm.weight", "blk.%d.attn_q", "blk.%d.attn_k", "blk.%d.attn_v",
                               "blk.%d.attn_output", "blk.%d.ffn_gate", "blk.%d.ffn_up", "blk.%d.ffn_down" };
static const names in_hf = { "model.layers.%d.input_layernorm.weight", "model.layers.%d.post_attention_layernorm.weight",
                             "model.layers.%d.self_attn.q_proj", "model.layers.%d.self_attn.k_proj", "model.layers.%d.self_attn.v_proj",
                             "model.layers.%d.self_attn.o_proj", "model.layers.%d.mlp.gate_proj", "model.layers.%d.mlp.up_proj",
                             "model.layers.%d.mlp.down_proj" };

/* The names above hold one %d each. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static const char *in_layer(char buf[256], const char *fmt, int layer)
{
    snprintf(buf, 256, fmt, layer);
    return buf;
}
#pragma GCC diagnostic pop

static void bind_layer(r1_binder *b, r1_layer *l, int i)
{
    const r1_config *c = &b->m->c;
    const names *n = b->gguf ? &in_gguf : &in_hf;
    size_t D = (size_t)c->n_embd, Q = (size_t)(c->n_heads * c->head_dim), KV = (size_t)(c->n_kv_heads * c->head_dim), F = (size_t)c->n_ff;
    char buf[256];
    l->attn_norm = r1_bind_vector(b, true, D, "%s", in_layer(buf, n->attn_norm, i));
    r1_bind_matrix(b, &l->wq, Q, D, "%s.weight", in_layer(buf, n->q, i));
    r1_bind_matrix(b, &l->wk, KV, D, "%s.weight", in_layer(buf, n->k, i));
    r1_bind_matrix(b, &l->wv, KV, D, "%s.weight", in_layer(buf, n->v, i));
    if (c->qkv_bias) {
        l->bq = r1_bind_vector(b, true, Q, "%s.bias", in_layer(buf, n->q, i));
        l->bk = r1_bind_vector(b, true, KV, "%s.bias", in_layer(buf, n->k, i));
        l->bv = r1_bind_vector(b, true, KV, "%s.bias", in_layer(buf, n->v, i));
    }
    r1_bind_matrix(b, &l->wo, D, Q, "%s.weight", in_layer(buf, n->o, i));
    l->ffn_norm = r1_bind_vector(b, true, D, "%s", in_layer(buf, n->ffn_norm, i));
    r1_bind_matrix(b, &l->mlp.gate, F, D, "%s.weight", in_layer(buf, n->gate, i));
    r1_bind_matrix(b, &l->mlp.up, F, D, "%s.weight", in_layer(buf, n->up, i));
    r1_bind_matrix(b, &l->mlp.down, D, F, "%s.weight", in_layer(buf, n->down, i));
}

/* rope_freqs: divisors of the plain frequencies, made by the converter from the file's own scaling and rounded to f32. */
static void bind_rope_factors(r1_binder *b)
{
    r1_rope *r = &b->m->c.rope;
    size_t half = (size_t)r->dim / 2;
    const float *f = r1_bind_vector(b, false, half, "rope_freqs.weight");
    if (!f || b->s || r->scaling == R1_ROPE_LLAMA3) return; /* said twice: the formula is the exact one */
    for (size_t i = 0; i < half; i++) {
        if (!(f[i] > 0) || !isfinite(f[i])) {
            b->s = r1_fail(b->err, R1_EFORMAT, "tensor 'rope_freqs.weight' holds %g at %zu, expected a number above 0", (double)f[i], i);
            return;
        }
    }
    if (r->scaling == R1_ROPE_PLAIN && r1_rope_recognise(r, f)) return;
    for (size_t i = 0; i < half; i++) r->inv_freq[i] /= f[i];
}

void r1_bind_llama(r1_binder *b)
{
    r1_model *m = b->m;
    if (b->gguf) r1_bind_common(b, "token_embd.weight", "output_norm.weight", "output.weight");
    else r1_bind_common(b, "model.embed_tokens.weight", "model.norm.weight", "lm_head.weight");
    if (b->gguf) bind_rope_factors(b);
    for (int i = 0; i < m->c.n_layers && r1_bind_progress(b, i, m->c.n_layers); i++) bind_layer(b, &m->layers[i], i);
}
