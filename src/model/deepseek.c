/* deepseek_v2 and deepseek_v3 (R1): latent attention, experts, the prediction module.
 *
 * Files hold the up-projection of keys and values in one of two layouts: combined (checkpoints, older GGUF: per head
 * nope rows of k, then v rows) or split (attn_k_b transposed per head, attn_v_b). r1 computes from the split one. Where a
 * file has it combined, the value rows are used in place and the key rows transposed once: bit for bit for float types,
 * as float32 for the others.
 */
#include "model/model_int.h"
#include "base/half.h"

#include <stdio.h>

/* A name under layer i, GGUF or checkpoint spelling. */
static const char *name(const r1_binder *b, char buf[256], int i, const char *gguf, const char *hf)
{
    snprintf(buf, 256, b->gguf ? "blk.%d.%s" : "model.layers.%d.%s", i, b->gguf ? gguf : hf);
    return buf;
}

/* ---- attention ------------------------------------------------------------------------------------------------- */

/* Head h's key rows [nope, lora] of a combined tensor, transposed to [lora, nope]. */
static void transpose_keys(r1_binder *b, r1_weight *out, const r1_weight *kv_b, size_t first, size_t nope)
{
    size_t lora = kv_b->k;
    r1_type type = kv_b->type == R1_BF16 || kv_b->type == R1_F16 ? kv_b->type : R1_F32;
    size_t item = type == R1_F32 ? 4 : 2;
    uint8_t *dst = r1_bind_alloc(b, lora * nope * item);
    float *row = malloc(lora * sizeof *row);
    if (!row && b->s == R1_OK) b->s = r1_fail(b->err, R1_ENOMEM, "no memory to transpose keys");
    for (size_t r = 0; r < nope && b->s == R1_OK; r++) {
        r1_weight_decode(kv_b, &b->m->k, first + r, row);
        for (size_t l = 0; l < lora; l++) {
            uint8_t *p = dst + (l * nope + r) * item;
            uint16_t half = type == R1_BF16 ? r1_bf16_from_f32(row[l]) : r1_f16_from_f32(row[l]);
            memcpy(p, type == R1_F32 ? (const void *)&row[l] : (const void *)&half, item);
        }
    }
    free(row);
    *out = (r1_weight){ .type = type, .rows = lora, .k = nope, .data = dst, .stride = nope * item, .name = kv_b->name, .n_parts = 1, .keys = true };
}

static void bind_combined(r1_binder *b, r1_layer *l, const r1_ckpt_tensor *t)
{
    const r1_config *c = &b->m->c;
    size_t H = (size_t)c->n_heads, nope = (size_t)c->nope_dim, v = (size_t)c->v_dim, lora = (size_t)c->kv_lora;
    if (!r1_bind_shape(b, t, 2, (uint64_t[]){ lora, H * (nope + v) })) return;
    r1_weight whole = r1_bind_view(t);
    for (size_t h = 0; h < H && b->s == R1_OK && !b->only_check; h++) {
        transpose_keys(b, &l->k_b[h], &whole, h * (nope + v), nope);
        r1_bind_weight(b, &l->v_b[h], t, h * (nope + v) + nope, v);
    }
    if (t->type != R1_F32) b->m->all_f32 = false;
}

/* attn_k_b [nope, lora, H] and attn_v_b [lora, v, H]; early files have them as matrices, besides the combined tensor. */
static void bind_split(r1_binder *b, r1_layer *l, int i)
{
    const r1_config *c = &b->m->c;
    size_t H = (size_t)c->n_heads, nope = (size_t)c->nope_dim, v = (size_t)c->v_dim, lora = (size_t)c->kv_lora;
    char buf[256];
    snprintf(buf, sizeof buf, "blk.%d.attn_k_b.weight", i);
    r1_bind_stack(b, l->k_b, sizeof *l->k_b, H, lora, nope, buf);
    snprintf(buf, sizeof buf, "blk.%d.attn_v_b.weight", i);
    r1_bind_stack(b, l->v_b, sizeof *l->v_b, H, v, lora, buf);
}

static void bind_attention(r1_binder *b, r1_layer *l, int i)
{
    const r1_config *c = &b->m->c;
    size_t D = (size_t)c->n_embd, H = (size_t)c->n_heads, R = (size_t)c->rope.dim, lora = (size_t)c->kv_lora;
    size_t Q = H * (size_t)c->head_dim, q_lora = (size_t)c->q_lora;
    char n[256];
    l->attn_norm = r1_bind_vector(b, true, D, "%s", name(b, n, i, "attn_norm.weight", "input_layernorm.weight"));
    if (q_lora) {
        r1_bind_matrix(b, &l->wq_a, q_lora, D, "%s", name(b, n, i, "attn_q_a.weight", "self_attn.q_a_proj.weight"));
        l->q_a_norm = r1_bind_vector(b, true, q_lora, "%s", name(b, n, i, "attn_q_a_norm.weight", "self_attn.q_a_layernorm.weight"));
        r1_bind_matrix(b, &l->wq_b, Q, q_lora, "%s", name(b, n, i, "attn_q_b.weight", "self_attn.q_b_proj.weight"));
    } else {
        r1_bind_matrix(b, &l->wq, Q, D, "%s", name(b, n, i, "attn_q.weight", "self_attn.q_proj.weight"));
    }
    r1_bind_matrix(b, &l->wkv_a, lora + R, D, "%s", name(b, n, i, "attn_kv_a_mqa.weight", "self_attn.kv_a_proj_with_mqa.weight"));
    l->kv_a_norm = r1_bind_vector(b, true, lora, "%s", name(b, n, i, "attn_kv_a_norm.weight", "self_attn.kv_a_layernorm.weight"));
    l->k_b = r1_bind_alloc(b, H * sizeof *l->k_b);
    l->v_b = r1_bind_alloc(b, H * sizeof *l->v_b);
    if (b->s) return;
    const r1_ckpt_tensor *kv_b = r1_bind_find(b, !b->gguf, "%s", name(b, n, i, "attn_kv_b.weight", "self_attn.kv_b_proj.weight"));
    if (kv_b) {
        bind_combined(b, l, kv_b);
        if (b->gguf) { /* files of the first latent-attention forks hold both forms */
            r1_bind_ignore(b, name(b, n, i, "attn_k_b.weight", ""));
            r1_bind_ignore(b, name(b, n, i, "attn_v_b.weight", ""));
        }
    } else {
        bind_split(b, l, i);
    }
    r1_bind_matrix(b, &l->wo, D, H * (size_t)c->v_dim, "%s", name(b, n, i, "attn_output.weight", "self_attn.o_proj.weight"));
}

/* ---- feed-forward ---------------------------------------------------------------------------------------------- */

static void bind_experts(r1_binder *b, r1_layer *l, int i)
{
    const r1_config *c = &b->m->c;
    size_t D = (size_t)c->n_embd, F = (size_t)c->n_ff_expert, E = (size_t)c->n_experts;
    char n[256];
    l->experts = r1_bind_alloc(b, E * sizeof *l->experts);
    if (b->s) return;
    b->expert_elements += 3 * D * F * E;
    if (b->gguf) {
        r1_bind_stack(b, &l->experts[0].gate, sizeof *l->experts, E, F, D, name(b, n, i, "ffn_gate_exps.weight", ""));
        r1_bind_stack(b, &l->experts[0].up, sizeof *l->experts, E, F, D, name(b, n, i, "ffn_up_exps.weight", ""));
        r1_bind_stack(b, &l->experts[0].down, sizeof *l->experts, E, D, F, name(b, n, i, "ffn_down_exps.weight", ""));
        return;
    }
    for (size_t e = 0; e < E && b->s == R1_OK; e++) {
        r1_bind_matrix(b, &l->experts[e].gate, F, D, "model.layers.%d.mlp.experts.%zu.gate_proj.weight", i, e);
        r1_bind_matrix(b, &l->experts[e].up, F, D, "model.layers.%d.mlp.experts.%zu.up_proj.weight", i, e);
        r1_bind_matrix(b, &l->experts[e].down, D, F, "model.layers.%d.mlp.experts.%zu.down_proj.weight", i, e);
    }
}

static void bind_mlp(r1_binder *b, r1_mlp *mlp, size_t F, int i, const char *gguf_suffix, const char *hf_prefix)
{
    size_t D = (size_t)b->m->c.n_embd;
    static const char *const gguf[] = { "gate", "up", "down" }, *const hf[] = { "gate_proj", "up_proj", "down_proj" };
    r1_weight *w[] = { &mlp->gate, &mlp->up, &mlp->down };
    for (int j = 0; j < 3; j++) {
        size_t rows = j == 2 ? D : F, k = j == 2 ? F : D;
        if (b->gguf) r1_bind_matrix(b, w[j], rows, k, "blk.%d.ffn_%s%s.weight", i, gguf[j], gguf_suffix);
        else r1_bind_matrix(b, w[j], rows, k, "model.layers.%d.mlp.%s%s.weight", i, hf_prefix, hf[j]);
    }
}

static void bind_feed_forward(r1_binder *b, r1_layer *l, int i)
{
    const r1_config *c = &b->m->c;
    size_t D = (size_t)c->n_embd, E = (size_t)c->n_experts;
    char n[256];
    l->ffn_norm = r1_bind_vector(b, true, D, "%s", name(b, n, i, "ffn_norm.weight", "post_attention_layernorm.weight"));
    l->moe = i >= c->n_dense;
    if (!l->moe) {
        bind_mlp(b, &l->mlp, (size_t)c->n_ff, i, "", "");
        return;
    }
    const r1_ckpt_tensor *router = r1_bind_find(b, true, "%s", name(b, n, i, "ffn_gate_inp.weight", "mlp.gate.weight"));
    if (!r1_bind_shape(b, router, 2, (uint64_t[]){ D, E })) return;
    l->router = r1_bind_view(router); /* never packed: its input is never rounded */
    if (c->sigmoid)
        l->router_bias = r1_bind_vector(b, true, E, "%s", name(b, n, i, "exp_probs_b.bias", "mlp.gate.e_score_correction_bias"));
    bind_experts(b, l, i);
    if (c->n_shared) bind_mlp(b, &l->mlp, (size_t)(c->n_shared * c->n_ff_expert), i, "_shexp", "shared_experts.");
}

/* ---- prediction module ----------------------------------------------------------------------------------------- */

static void bind_mtp(r1_binder *b)
{
    r1_model *m = b->m;
    int i = m->c.n_layers;
    size_t D = (size_t)m->c.n_embd, V = (size_t)m->c.n_vocab;
    char n[256];
    if (!r1_ckpt_find(m->ckpt, name(b, n, i, "nextn.eh_proj.weight", "eh_proj.weight"))) {
        m->c.n_mtp = 0; /* the configuration speaks of it, but the converter dropped it */
        return;
    }
    r1_mtp *x = r1_bind_alloc(b, sizeof *x);
    if (!x) return;
    b->no_pack = true;
    bool all_f32 = m->all_f32;
    x->enorm = r1_bind_vector(b, true, D, "%s", name(b, n, i, "nextn.enorm.weight", "enorm.weight"));
    x->hnorm = r1_bind_vector(b, true, D, "%s", name(b, n, i, "nextn.hnorm.weight", "hnorm.weight"));
    r1_bind_matrix(b, &x->eh_proj, D, 2 * D, "%s", name(b, n, i, "nextn.eh_proj.weight", "eh_proj.weight"));
    x->head_norm = r1_bind_vector(b, true, D, "%s", name(b, n, i, "nextn.shared_head_norm.weight", "shared_head.norm.weight"));
    x->embd = m->embd; /* copies of the main model's; files may leave them out */
    const r1_ckpt_tensor *t = r1_bind_find(b, false, "%s", name(b, n, i, "nextn.embed_tokens.weight", "embed_tokens.weight"));
    if (r1_bind_shape(b, t, 2, (uint64_t[]){ D, V })) x->embd = r1_bind_view(t);
    x->head = m->head;
    t = r1_bind_find(b, false, "%s", name(b, n, i, "nextn.shared_head_head.weight", "shared_head.head.weight"));
    if (r1_bind_shape(b, t, 2, (uint64_t[]){ D, V })) r1_bind_weight(b, &x->head, t, 0, V);
    uint64_t experts = b->expert_elements;
    bind_attention(b, &x->layer, i);
    bind_feed_forward(b, &x->layer, i);
    b->expert_elements = experts;
    m->all_f32 = all_f32;
    b->no_pack = false;
    m->mtp = x;
}

void r1_bind_deepseek(r1_binder *b)
{
    r1_model *m = b->m;
    if (b->gguf) r1_bind_common(b, "token_embd.weight", "output_norm.weight", "output.weight");
    else r1_bind_common(b, "model.embed_tokens.weight", "model.norm.weight", "lm_head.weight");
    for (int i = 0; i < m->c.n_layers && r1_bind_progress(b, i, m->c.n_layers); i++) {
        bind_attention(b, &m->layers[i], i);
        bind_feed_forward(b, &m->layers[i], i);
    }
    if (m->c.n_mtp) bind_mtp(b);
}
