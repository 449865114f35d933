/* Plans: which tensor of the source becomes which of the target.
 *
 * One table of pairs of names serves both directions. The source's configuration says which tensors there must be; each is
 * asked for by name, as the model's binder does (model/bind.c), and what nobody asked for is an error: a tensor left out
 * would be another model. Shapes are checked where a layout computes places from them. */
#define _GNU_SOURCE
#include "convert/convert.h"
#include "base/half.h"

#include <math.h>
#include <stdio.h>

typedef struct planner {
    r1_plan *p;
    bool *used;              /* [n_tensors of the checkpoint] */
    r1_error *err;
    r1_status s;             /* the first failure; later calls do nothing */
} planner;

typedef struct pair {
    const char *gguf, *hf;
} pair;

/* ---- building --------------------------------------------------------------------------------------------------- */

static const r1_ckpt_tensor *find(planner *b, bool required, const char *name)
{
    if (b->s) return NULL;
    const r1_ckpt_tensor *t = r1_ckpt_find(b->p->ckpt, name);
    if (t) b->used[t - r1_ckpt_at(b->p->ckpt, 0)] = true;
    else if (required) b->s = r1_fail(b->err, R1_EFORMAT, "tensor '%s' is missing", name);
    return t;
}

/* A new tensor with room for n_src sources; NULL after a failure. */
static r1_made *add(planner *b, const char *name, size_t n_src)
{
    r1_plan *p = b->p;
    if (b->s) return NULL;
    if (p->n == p->cap) {
        size_t cap = r1_max(64, p->cap * 2);
        r1_made *t = realloc(p->t, cap * sizeof *t);
        if (t) p->t = t;
        if (t) p->cap = cap;
    }
    r1_made m = { .name = p->n < p->cap ? strdup(name) : NULL, .ne = { 1, 1, 1, 1 }, .n_src = n_src };
    m.src = m.name ? calloc(r1_max(n_src, 1), sizeof *m.src) : NULL;
    if (!m.src) {
        free(m.name);
        b->s = r1_fail(b->err, R1_ENOMEM, "no memory for a plan of %zu tensors", p->n + 1);
        return NULL;
    }
    p->t[p->n] = m;
    return &p->t[p->n++];
}

static uint64_t rows_of(const r1_ckpt_tensor *t) { return t->ne[1] * t->ne[2] * t->ne[3]; }

/* The same tensor under another name. */
static r1_made *add_same(planner *b, const char *name, const r1_ckpt_tensor *t)
{
    r1_made *m = t ? add(b, name, 1) : NULL;
    if (!m) return NULL;
    m->src[0] = t;
    m->n_dims = t->n_dims;
    memcpy(m->ne, t->ne, sizeof m->ne);
    m->src_rows = rows_of(t);
    return m;
}

static void expect_shape(planner *b, const r1_ckpt_tensor *t, uint64_t k, uint64_t rows, uint64_t n)
{
    if (b->s || !t || (t->ne[0] == k && t->ne[1] == rows && t->ne[2] == n && t->ne[3] == 1)) return;
    b->s = r1_fail(b->err, R1_EFORMAT, "tensor '%s' has shape [%llu x %llu x %llu], expected [%llu x %llu x %llu]", t->name, (unsigned long long)t->ne[2],
                   (unsigned long long)t->ne[1], (unsigned long long)t->ne[0], (unsigned long long)n, (unsigned long long)rows, (unsigned long long)k);
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

static const pair attention[] = {
    { "attn_norm.weight", "input_layernorm.weight" }, { "ffn_norm.weight", "post_attention_layernorm.weight" },
    { "attn_v.weight", "self_attn.v_proj.weight" }, { "attn_output.weight", "self_attn.o_proj.weight" },
};
static const pair query_key[] = { { "attn_q.weight", "self_attn.q_proj.weight" }, { "attn_k.weight", "self_attn.k_proj.weight" } };
static const pair biases[] = { { "attn_q.bias", "self_attn.q_proj.bias" }, { "attn_k.bias", "self_attn.k_proj.bias" }, { "attn_v.bias", "self_attn.v_proj.bias" } };
static const pair latent[] = {
    { "attn_norm.weight", "input_layernorm.weight" }, { "ffn_norm.weight", "post_attention_layernorm.weight" },
    { "attn_kv_a_mqa.weight", "self_attn.kv_a_proj_with_mqa.weight" }, { "attn_kv_a_norm.weight", "self_attn.kv_a_layernorm.weight" },
    { "attn_output.weight", "self_attn.o_proj.weight" },
};
static const pair latent_query[] = {
    { "attn_q_a.weight", "self_attn.q_a_proj.weight" }, { "attn_q_a_norm.weight", "self_attn.q_a_layernorm.weight" },
    { "attn_q_b.weight", "self_attn.q_b_proj.weight" },
};
static const pair dense[] = {
    { "ffn_gate.weight", "mlp.gate_proj.weight" }, { "ffn_up.weight", "mlp.up_proj.weight" }, { "ffn_down.weight", "mlp.down_proj.weight" },
};
static const pair shared[] = {
    { "ffn_gate_shexp.weight", "mlp.shared_experts.gate_proj.weight" }, { "ffn_up_shexp.weight", "mlp.shared_experts.up_proj.weight" },
    { "ffn_down_shexp.weight", "mlp.shared_experts.down_proj.weight" },
};
static const pair router[] = { { "ffn_gate_inp.weight", "mlp.gate.weight" }, { "exp_probs_b.bias", "mlp.gate.e_score_correction_bias" } };
static const pair prediction[] = {
    { "nextn.enorm.weight", "enorm.weight" }, { "nextn.hnorm.weight", "hnorm.weight" }, { "nextn.shared_head_norm.weight", "shared_head.norm.weight" },
};
static const pair prediction_copies[] = {
    { "nextn.embed_tokens.weight", "embed_tokens.weight" }, { "nextn.shared_head_head.weight", "shared_head.head.weight" },
};

typedef char full_name[256];

static const char *in_gguf(full_name out, int layer, const char *name)
{
    snprintf(out, sizeof(full_name), "blk.%d.%s", layer, name);
    return out;
}

static const char *in_hf(full_name out, int layer, const char *name)
{
    snprintf(out, sizeof(full_name), "model.layers.%d.%s", layer, name);
    return out;
}

/* One tensor of a layer, under its new name. */
static r1_made *rename_one(planner *b, int layer, const pair *x, bool required)
{
    full_name gguf, hf;
    in_gguf(gguf, layer, x->gguf);
    in_hf(hf, layer, x->hf);
    return add_same(b, b->p->to_gguf ? gguf : hf, find(b, required, b->p->to_gguf ? hf : gguf));
}

static void rename_all(planner *b, int layer, const pair *list, size_t n)
{
    for (size_t i = 0; i < n; i++) (void)rename_one(b, layer, &list[i], true);
}

/* ---- layers ----------------------------------------------------------------------------------------------------- */

static void plan_grouped(planner *b, int layer)
{
    const r1_config *c = &b->p->config;
    rename_all(b, layer, attention, R1_COUNT(attention));
    for (size_t i = 0; i < 2; i++) {
        r1_made *m = rename_one(b, layer, &query_key[i], true);
        if (!m || c->arch != R1_ARCH_LLAMA) continue;
        expect_shape(b, m->src[0], (uint64_t)c->n_embd, (uint64_t)c->head_dim * (uint64_t)(i ? c->n_kv_heads : c->n_heads), 1);
        m->layout = b->p->to_gguf ? R1_LAYOUT_TO_PAIRS : R1_LAYOUT_TO_HALVES;
        m->head = (uint64_t)c->head_dim;
    }
    if (c->qkv_bias) rename_all(b, layer, biases, R1_COUNT(biases));
    rename_all(b, layer, dense, R1_COUNT(dense));
}

static void set_heads(r1_made *m, const r1_config *c)
{
    m->nope = (uint64_t)c->nope_dim;
    m->head = m->nope + (uint64_t)c->v_dim;
    m->lora = (uint64_t)c->kv_lora;
}

static void split_keys_values(planner *b, int layer)
{
    const r1_config *c = &b->p->config;
    uint64_t H = (uint64_t)c->n_heads, nope = (uint64_t)c->nope_dim, v = (uint64_t)c->v_dim, lora = (uint64_t)c->kv_lora;
    full_name n;
    const r1_ckpt_tensor *t = find(b, true, in_hf(n, layer, "self_attn.kv_b_proj.weight"));
    expect_shape(b, t, lora, H * (nope + v), 1);
    r1_made *k = add_same(b, in_gguf(n, layer, "attn_k_b.weight"), t);
    if (!k) return;
    k->layout = R1_LAYOUT_KEYS;
    k->n_dims = 3;
    k->ne[0] = nope, k->ne[1] = lora, k->ne[2] = H;
    set_heads(k, c);
    r1_made *x = add_same(b, in_gguf(n, layer, "attn_v_b.weight"), t);
    if (!x) return;
    x->layout = R1_LAYOUT_VALUES;
    x->n_dims = 3;
    x->ne[0] = lora, x->ne[1] = v, x->ne[2] = H;
    set_heads(x, c);
}

static void join_keys_values(planner *b, int layer)
{
    const r1_config *c = &b->p->config;
    uint64_t H = (uint64_t)c->n_heads, nope = (uint64_t)c->nope_dim, v = (uint64_t)c->v_dim, lora = (uint64_t)c->kv_lora;
    full_name n, to;
    in_hf(to, layer, "self_attn.kv_b_proj.weight");
    const r1_ckpt_tensor *whole = find(b, false, in_gguf(n, layer, "attn_kv_b.weight"));
    const r1_ckpt_tensor *keys = find(b, !whole, in_gguf(n, layer, "attn_k_b.weight"));
    const r1_ckpt_tensor *values = find(b, !whole, in_gguf(n, layer, "attn_v_b.weight"));
    if (whole) { /* files of the first latent-attention forks hold both forms */
        expect_shape(b, whole, lora, H * (nope + v), 1);
        (void)add_same(b, to, whole);
        return;
    }
    expect_shape(b, keys, nope, lora, H);
    expect_shape(b, values, lora, v, H);
    r1_made *m = add(b, to, 2);
    if (!m) return;
    m->src[0] = keys;
    m->src[1] = values;
    m->layout = R1_LAYOUT_KEYS_VALUES;
    m->n_dims = 2;
    m->ne[0] = lora, m->ne[1] = H * (nope + v);
    set_heads(m, c);
}

static void stack_experts(planner *b, int layer, const char *gguf, const char *hf)
{
    const r1_config *c = &b->p->config;
    full_name n;
    char e[128];
    if (b->s == R1_OK && c->n_experts < 1) b->s = r1_fail(b->err, R1_EFORMAT, "layer %d has experts, but the configuration has none", layer);
    r1_made *m = b->s ? NULL : add(b, in_gguf(n, layer, gguf), (size_t)c->n_experts);
    for (int i = 0; m && i < c->n_experts && b->s == R1_OK; i++) {
        snprintf(e, sizeof e, "mlp.experts.%d.%s", i, hf);
        const r1_ckpt_tensor *t = m->src[i] = find(b, true, in_hf(n, layer, e));
        if (t && i) expect_shape(b, t, m->src[0]->ne[0], m->src[0]->ne[1], 1);
        if (t && i == 0) expect_shape(b, t, t->ne[0], t->ne[1], 1);
    }
    if (!m || b->s) return;
    m->n_dims = 3;
    m->ne[0] = m->src[0]->ne[0], m->ne[1] = m->src[0]->ne[1], m->ne[2] = (uint64_t)c->n_experts;
    m->src_rows = m->ne[1];
}

static void unstack_experts(planner *b, int layer, const char *gguf, const char *hf)
{
    const r1_config *c = &b->p->config;
    full_name n;
    char e[128];
    const r1_ckpt_tensor *t = find(b, true, in_gguf(n, layer, gguf));
    if (t) expect_shape(b, t, t->ne[0], t->ne[1], (uint64_t)c->n_experts);
    for (int i = 0; t && i < c->n_experts && b->s == R1_OK; i++) {
        snprintf(e, sizeof e, "mlp.experts.%d.%s", i, hf);
        r1_made *m = add_same(b, in_hf(n, layer, e), t);
        if (!m) return;
        m->n_dims = 2;
        m->ne[2] = 1;
        m->src_rows = t->ne[1];
        m->first_row = (uint64_t)i * t->ne[1];
    }
}

static void plan_latent(planner *b, int layer)
{
    const r1_config *c = &b->p->config;
    static const pair experts[] = {
        { "ffn_gate_exps.weight", "gate_proj.weight" }, { "ffn_up_exps.weight", "up_proj.weight" }, { "ffn_down_exps.weight", "down_proj.weight" },
    };
    rename_all(b, layer, latent, R1_COUNT(latent));
    if (c->q_lora) rename_all(b, layer, latent_query, R1_COUNT(latent_query));
    else rename_all(b, layer, query_key, 1);
    if (b->p->to_gguf) split_keys_values(b, layer);
    else join_keys_values(b, layer);
    if (layer < c->n_dense) {
        rename_all(b, layer, dense, R1_COUNT(dense));
        return;
    }
    rename_all(b, layer, router, c->sigmoid ? 2 : 1);
    for (size_t i = 0; i < R1_COUNT(experts); i++) {
        if (b->p->to_gguf) stack_experts(b, layer, experts[i].gguf, experts[i].hf);
        else unstack_experts(b, layer, experts[i].gguf, experts[i].hf);
    }
    if (c->n_shared) rename_all(b, layer, shared, R1_COUNT(shared));
}

/* The prediction module, which a converter may have dropped although the configuration speaks of it. */
static void plan_prediction(planner *b)
{
    r1_config *c = &b->p->config;
    static const pair join = { "nextn.eh_proj.weight", "eh_proj.weight" };
    if (!rename_one(b, c->n_layers, &join, false)) {
        c->n_mtp = 0;
        return;
    }
    rename_all(b, c->n_layers, prediction, R1_COUNT(prediction));
    for (size_t i = 0; i < R1_COUNT(prediction_copies); i++) (void)rename_one(b, c->n_layers, &prediction_copies[i], false);
    plan_latent(b, c->n_layers);
}

/* ---- the whole model -------------------------------------------------------------------------------------------- */

/* Frequencies scaled as Llama-3's: GGUF files hold the divisors, folders the parameters they come from. */
static void plan_rope(planner *b)
{
    r1_rope *r = &b->p->config.rope;
    int half = r->dim / 2;
    if (b->p->to_gguf) {
        r1_made *m = r->scaling == R1_ROPE_LLAMA3 ? add(b, "rope_freqs.weight", 0) : NULL;
        if (!m) return;
        m->given = malloc((size_t)half * sizeof *m->given);
        m->layout = R1_LAYOUT_GIVEN;
        m->type = R1_F32;
        m->n_dims = 1;
        m->ne[0] = (uint64_t)half;
        if (!m->given) b->s = r1_fail(b->err, R1_ENOMEM, "no memory for %d rope frequencies", half);
        for (int i = 0; m->given && i < half; i++) m->given[i] = (float)(pow(r->theta, -2.0 * i / r->dim) / r->inv_freq[i]);
        return;
    }
    const r1_ckpt_tensor *t = find(b, false, "rope_freqs.weight");
    if (!t || r->scaling == R1_ROPE_LLAMA3) return;
    expect_shape(b, t, (uint64_t)half, 1, 1);
    float *f = malloc((size_t)half * sizeof *f);
    if (!f && b->s == R1_OK) b->s = r1_fail(b->err, R1_ENOMEM, "no memory for %d rope frequencies", half);
    if (b->s == R1_OK && t->type != R1_F32) b->s = r1_fail(b->err, R1_EUNSUPPORTED, "tensor '%s' is %s, expected F32", t->name, r1_type_get(t->type)->name);
    if (b->s == R1_OK) r1_decode(R1_F32, t->data, f, (size_t)half);
    if (b->s == R1_OK && (r->scaling != R1_ROPE_PLAIN || !r1_rope_recognise(r, f)))
        b->s = r1_fail(b->err, R1_EUNSUPPORTED, "the divisors of 'rope_freqs.weight' come from no known scaling; config.json cannot say them");
    free(f);
}

static void plan_all(planner *b)
{
    r1_config *c = &b->p->config;
    bool to_gguf = b->p->to_gguf;
    static const pair ends[] = { { "token_embd.weight", "model.embed_tokens.weight" }, { "output_norm.weight", "model.norm.weight" } };
    static const pair head = { "output.weight", "lm_head.weight" };
    for (size_t i = 0; i < R1_COUNT(ends); i++) {
        const r1_ckpt_tensor *t = find(b, true, to_gguf ? ends[i].hf : ends[i].gguf);
        expect_shape(b, t, (uint64_t)c->n_embd, i ? 1 : (uint64_t)c->n_vocab, 1);
        (void)add_same(b, to_gguf ? ends[i].gguf : ends[i].hf, t);
    }
    const r1_ckpt_tensor *h = find(b, to_gguf && !c->tied, to_gguf ? head.hf : head.gguf);
    if (!to_gguf) c->tied = !h;
    if (!c->tied) (void)add_same(b, to_gguf ? head.gguf : head.hf, h); /* a folder that says "tied" may hold a copy of the embedding */
    plan_rope(b);
    for (int i = 0; i < c->n_layers && b->s == R1_OK; i++) {
        if (c->mla) plan_latent(b, i);
        else plan_grouped(b, i);
    }
    if (c->n_mtp) plan_prediction(b);
}

static void check_used(planner *b)
{
    for (size_t i = 0; i < r1_ckpt_n_tensors(b->p->ckpt) && b->s == R1_OK; i++)
        if (!b->used[i]) b->s = r1_fail(b->err, R1_EFORMAT, "the tensor '%s' has no place in a model of architecture %s", r1_ckpt_at(b->p->ckpt, i)->name,
                                        r1_arch_name(b->p->config.arch));
}

static void plan_same(planner *b)
{
    for (size_t i = 0; i < r1_ckpt_n_tensors(b->p->ckpt); i++) (void)add_same(b, r1_ckpt_at(b->p->ckpt, i)->name, r1_ckpt_at(b->p->ckpt, i));
}

/* ---- types ------------------------------------------------------------------------------------------------------ */

uint64_t r1_made_elements(const r1_made *m) { return m->ne[0] * m->ne[1] * m->ne[2] * m->ne[3]; }
uint64_t r1_made_bytes(const r1_made *m) { return (uint64_t)r1_row_bytes(m->type, m->ne[0]) * m->ne[1] * m->ne[2] * m->ne[3]; }

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), k = strlen(tail);
    return n >= k && !strcmp(s + n - k, tail);
}

bool r1_made_stays_f32(const r1_made *m)
{
    return m->n_dims == 1 || m->ne[1] == 1 || ends_with(m->name, "_norm.weight") || ends_with(m->name, "layernorm.weight") ||
           ends_with(m->name, "ffn_gate_inp.weight") || ends_with(m->name, "mlp.gate.weight");
}

bool r1_plan_has_tokenizer(const r1_plan *p)
{
    const r1_gguf *g = r1_ckpt_gguf(p->ckpt);
    return g ? r1_gguf_find(g, "tokenizer.ggml.tokens") != NULL : r1_ckpt_tokenizer_json(p->ckpt).n > 0;
}

void r1_plan_set_type(r1_plan *p, r1_type t)
{
    for (size_t i = 0; i < p->n; i++)
        if (!p->to_gguf || !r1_made_stays_f32(&p->t[i])) p->t[i].type = t;
}

static bool is_linear(const r1_made *m)
{
    bool inside = strstr(m->name, ".self_attn.") || strstr(m->name, ".mlp.");
    return inside && m->n_dims == 2 && (ends_with(m->name, "_proj.weight") || ends_with(m->name, "_proj_with_mqa.weight"));
}

void r1_plan_set_fp8(r1_plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        r1_made *m = &p->t[i];
        if (is_linear(m)) m->type = R1_F8_E4M3;
        else if (m->type != R1_F32 || !ends_with(m->name, "e_score_correction_bias")) m->type = R1_BF16;
    }
}

uint64_t r1_made_scales(const r1_made *m)
{
    return m->type == R1_F8_E4M3 ? (m->ne[1] * m->ne[2] * m->ne[3] + 127) / 128 * ((m->ne[0] + 127) / 128) : 0;
}

/* Whether values are as exact in 16 bits. */
static bool fits(const r1_ckpt_tensor *t, r1_type type)
{
    if (type == R1_F32 || t->type != R1_F32) return false;
    for (uint64_t i = 0; i < t->bytes / 4; i++) {
        uint32_t bits;
        float f;
        memcpy(&bits, t->data + 4 * i, 4);
        memcpy(&f, &bits, 4);
        if (type == R1_BF16 && bits & 0xFFFF) return false;
        if (type == R1_F16 && r1_f16_to_f32(r1_f16_from_f32(f)) != f) return false;
    }
    return true;
}

/* The float type with the most values among the matrices; quantised ones count as BF16. */
static r1_type commonest(const r1_plan *p)
{
    uint64_t n[3] = { 0 };
    static const r1_type types[] = { R1_BF16, R1_F16, R1_F32 };
    for (size_t i = 0; i < p->n; i++) {
        if (p->t[i].n_src == 0 || p->t[i].n_dims == 1) continue;
        r1_type t = p->t[i].src[0]->type;
        n[t == R1_F32 ? 2 : t == R1_F16 ? 1 : 0] += r1_made_elements(&p->t[i]);
    }
    return types[n[2] > n[0] && n[2] > n[1] ? 2 : n[1] > n[0] ? 1 : 0];
}

static void keep_types(r1_plan *p)
{
    r1_type most = commonest(p);
    for (size_t i = 0; i < p->n; i++) {
        r1_made *m = &p->t[i];
        if (m->n_src == 0) continue;
        m->type = m->src[0]->type;
        for (size_t k = 1; k < m->n_src; k++)
            if (m->src[k]->type != m->type) m->type = m->src[k]->type == R1_F32 || m->type == R1_F32 ? R1_F32 : R1_BF16;
        if (!p->to_gguf && p->same_kind && m->type == R1_F8_E4M3) continue;
        if (m->type == R1_F8_E4M3 || (!p->to_gguf && r1_type_get(m->type)->quantised)) m->type = R1_BF16;
        if (p->same_kind) continue;
        if (p->to_gguf && r1_made_stays_f32(m)) m->type = R1_F32;
        if (p->to_gguf && m->layout == R1_LAYOUT_KEYS && m->src[0]->type == R1_F8_E4M3) m->type = R1_BF16;
        if (!p->to_gguf && m->n_src == 1 && r1_made_stays_f32(m) && fits(m->src[0], most)) m->type = most;
    }
}

r1_status r1_plan_new(r1_plan **out, const r1_ckpt *ckpt, bool to_gguf, r1_error *err)
{
    *out = NULL;
    if (r1_ckpt_packed(ckpt))
        return r1_fail(err, R1_EUNSUPPORTED, "'%s' is a packed file; give the file it was packed from", r1_ckpt_path(ckpt));
    planner b = { .p = calloc(1, sizeof *b.p), .used = calloc(r1_max(r1_ckpt_n_tensors(ckpt), 1), sizeof *b.used), .err = err };
    if (!b.p || !b.used) b.s = r1_fail(err, R1_ENOMEM, "no memory for a plan of %zu tensors", r1_ckpt_n_tensors(ckpt));
    if (b.s == R1_OK) {
        b.p->ckpt = ckpt;
        b.p->to_gguf = to_gguf;
        b.p->same_kind = to_gguf == (r1_ckpt_gguf(ckpt) != NULL);
        if (b.p->same_kind) {
            plan_same(&b);
        } else {
            b.s = r1_config_read(&b.p->config, ckpt, err);
            if (b.s == R1_OK) plan_all(&b);
            if (b.s == R1_OK) check_used(&b);
        }
        if (b.s == R1_OK) keep_types(b.p);
        else b.s = r1_context(err, b.s, "'%s'", r1_ckpt_path(ckpt));
    }
    free(b.used);
    if (b.s) r1_plan_free(b.p);
    else *out = b.p;
    return b.s;
}

void r1_plan_free(r1_plan *p)
{
    if (!p) return;
    for (size_t i = 0; i < p->n; i++) {
        free(p->t[i].name);
        free(p->t[i].src);
        free(p->t[i].given);
    }
    free(p->t);
    r1_config_deinit(&p->config);
    free(p);
}
