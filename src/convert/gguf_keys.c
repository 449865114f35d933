/* The configuration of a folder as keys of a GGUF file, by the names model/config_gguf.c and llama.cpp read.
 *
 * Whatever the checked configuration says is written, also where a reader has the same default. Reals are f32 in these files:
 * the numbers of released models come back to the bit, since readers know which short decimals they stand for. */
#include "convert/convert_int.h"

#include <math.h>
#include <stdio.h>

typedef struct putter {
    r1_gguf_out *w;
    const char *arch;
    r1_error *err;
    r1_status s;
} putter;

static void put_int(putter *p, const char *key, int64_t v)
{
    char full[256];
    snprintf(full, sizeof full, "%s.%s", p->arch, key);
    if (p->s == R1_OK) p->s = r1_gguf_out_int(p->w, full, R1_GGUF_U32, v, p->err);
}

static void put_real(putter *p, const char *key, double v)
{
    char full[256];
    snprintf(full, sizeof full, "%s.%s", p->arch, key);
    if (p->s == R1_OK && (!isfinite((float)v) || (v != 0 && (float)v == 0)))
        p->s = r1_fail(p->err, R1_EUNSUPPORTED, "'%s' would be %g, which GGUF files cannot hold: their reals are F32, from 1e-45 to 3e38", full, v);
    if (p->s == R1_OK) p->s = r1_gguf_out_real(p->w, full, R1_GGUF_F32, v, p->err);
}

static void put_bool(putter *p, const char *key, bool v)
{
    char full[256];
    snprintf(full, sizeof full, "%s.%s", p->arch, key);
    if (p->s == R1_OK) p->s = r1_gguf_out_bool(p->w, full, v, p->err);
}

static void put_text(putter *p, const char *key, const char *v)
{
    char full[256];
    snprintf(full, sizeof full, "%s.%s", p->arch, key);
    if (p->s == R1_OK) p->s = r1_gguf_out_str(p->w, full, v, strlen(v), p->err);
}

/* "mscale_all_dim" of a yarn configuration; the model keeps only what follows from it. */
static double mscale_all(const r1_ckpt *c)
{
    const json_t *j = r1_ckpt_config(c), *o = json_object_get(j, "rope_parameters");
    if (!json_is_object(o)) o = json_object_get(j, "rope_scaling");
    return json_number_value(json_object_get(o, "mscale_all_dim"));
}

static void put_rope(putter *p, const r1_plan *plan)
{
    const r1_config *c = &plan->config;
    const r1_rope *r = &c->rope;
    put_int(p, "rope.dimension_count", r->dim);
    put_real(p, "rope.freq_base", r->theta);
    if (r->scaling == R1_ROPE_PLAIN || r->scaling == R1_ROPE_LLAMA3) return; /* the latter is the tensor rope_freqs */
    put_text(p, "rope.scaling.type", r->scaling == R1_ROPE_LINEAR ? "linear" : "yarn");
    put_real(p, "rope.scaling.factor", r->factor);
    if (r->scaling == R1_ROPE_LINEAR) return;
    put_int(p, "rope.scaling.original_context_length", (int64_t)r->original);
    put_real(p, "rope.scaling.yarn_beta_fast", r->beta_fast);
    put_real(p, "rope.scaling.yarn_beta_slow", r->beta_slow);
    double attention = c->mla ? r->multiplier : r->multiplier / r1_yarn_m(r->factor, 1);
    if (fabs(attention - 1) > 1e-9) put_real(p, "rope.scaling.attn_factor", attention);
    else attention = 1;
    if (c->mla) put_real(p, "rope.scaling.yarn_log_multiplier", r1_yarn_log_multiplier(r->factor, (float)attention, mscale_all(plan->ckpt)));
}

/* Heads of latent attention: as one head of the latent's width for the cache, and as they are under names of their own. */
static void put_latent(putter *p, const r1_config *c)
{
    put_int(p, "attention.head_count_kv", 1);
    put_int(p, "attention.key_length", c->kv_lora + c->rope.dim);
    put_int(p, "attention.value_length", c->kv_lora);
    put_int(p, "attention.key_length_mla", c->head_dim);
    put_int(p, "attention.value_length_mla", c->v_dim);
    if (c->q_lora) put_int(p, "attention.q_lora_rank", c->q_lora);
    put_int(p, "attention.kv_lora_rank", c->kv_lora);
}

static void put_experts(putter *p, const r1_config *c)
{
    put_int(p, "leading_dense_block_count", c->n_dense);
    put_int(p, "expert_count", c->n_experts);
    put_int(p, "expert_used_count", c->n_used);
    put_int(p, "expert_shared_count", c->n_shared);
    put_int(p, "expert_feed_forward_length", c->n_ff_expert);
    put_real(p, "expert_weights_scale", (double)c->expert_scale);
    put_bool(p, "expert_weights_norm", c->normalise);
    put_int(p, "expert_gating_func", c->sigmoid ? 2 : 1);
    if (c->n_groups > 1) {
        put_int(p, "expert_group_count", c->n_groups);
        put_int(p, "expert_group_used_count", c->n_groups_used);
    }
}

/* The folder's last part: "models/tiny/" gives "tiny". */
static r1_slice folder_name(const char *path)
{
    size_t n = strlen(path), from;
    while (n > 1 && path[n - 1] == '/') n--;
    for (from = n; from && path[from - 1] != '/';) from--;
    return (r1_slice){ path + from, n - from };
}

r1_status r1_gguf_put_config(r1_gguf_out *w, const r1_plan *plan, r1_error *err)
{
    const r1_config *c = &plan->config;
    putter p = { w, c->mla ? "deepseek2" : r1_arch_name(c->arch), err, R1_OK };
    r1_slice name = folder_name(r1_ckpt_path(plan->ckpt));
    p.s = r1_gguf_out_str(w, "general.architecture", p.arch, strlen(p.arch), err);
    if (p.s == R1_OK) p.s = r1_gguf_out_str(w, "general.type", "model", 5, err);
    if (p.s == R1_OK && name.n && name.p[0] != '.') p.s = r1_gguf_out_str(w, "general.name", name.p, name.n, err);
    put_int(&p, "block_count", c->n_layers + c->n_mtp);
    put_int(&p, "context_length", c->n_ctx);
    put_int(&p, "embedding_length", c->n_embd);
    put_int(&p, "feed_forward_length", c->n_ff);
    put_int(&p, "vocab_size", c->n_vocab);
    put_int(&p, "attention.head_count", c->n_heads);
    put_real(&p, "attention.layer_norm_rms_epsilon", (double)c->eps);
    if (c->mla) {
        put_latent(&p, c);
    } else {
        put_int(&p, "attention.head_count_kv", c->n_kv_heads);
        put_int(&p, "attention.key_length", c->head_dim);
        put_int(&p, "attention.value_length", c->head_dim);
    }
    put_rope(&p, plan);
    if (c->n_experts) put_experts(&p, c);
    if (c->n_mtp) put_int(&p, "nextn_predict_layers", c->n_mtp);
    return p.s;
}
