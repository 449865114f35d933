/* config.json of Hugging Face directories.
 *
 * Keys that change the function and that r1 does not implement are refused by name; keys about training or storage are
 * ignored. Rope settings may stand in rope_theta and rope_scaling, or together in rope_parameters (newer files).
 */
#include "model/config.h"

#include <math.h>

static r1_status get(const json_t *o, const char *key, bool required, int64_t fallback, int64_t lo, int64_t hi, int *out, r1_error *err)
{
    int64_t v;
    r1_status s = r1_json_int(o, key, required, fallback, lo, hi, &v, err);
    *out = (int)v;
    return s;
}

static r1_status scaling_kind(const json_t *o, r1_rope_scaling *out, r1_error *err)
{
    const char *name;
    r1_status s = r1_json_str(o, "rope_type", false, NULL, &name, err);
    if (s == R1_OK && !name) s = r1_json_str(o, "type", false, "default", &name, err);
    if (s) return s;
    static const struct { const char *name; r1_rope_scaling kind; } kinds[] = {
        { "default", R1_ROPE_PLAIN }, { "linear", R1_ROPE_LINEAR }, { "llama3", R1_ROPE_LLAMA3 }, { "yarn", R1_ROPE_YARN },
    };
    for (size_t i = 0; i < R1_COUNT(kinds); i++) {
        if (strcmp(kinds[i].name, name)) continue;
        *out = kinds[i].kind;
        return R1_OK;
    }
    return r1_fail(err, R1_EUNSUPPORTED, "rope scaling '%s' is not supported; default, linear, llama3 and yarn are", name);
}

static r1_status refuse_unless(const json_t *j, const char *key, const char *want, r1_error *err)
{
    const char *v;
    r1_status s = r1_json_str(j, key, false, want, &v, err);
    if (s == R1_OK && strcmp(v, want)) s = r1_fail(err, R1_EUNSUPPORTED, "'%s' is '%s'; only '%s' is supported", key, v, want);
    return s;
}

/* A truth that has only one value here. */
static r1_status refuse_bool(const json_t *j, const char *key, bool want, r1_error *err)
{
    bool v;
    r1_status s = r1_json_bool(j, key, want, &v, err);
    if (s == R1_OK && v != want) s = r1_fail(err, R1_EUNSUPPORTED, "'%s' is %s, which is not supported", key, v ? "true" : "false");
    return s;
}

static r1_status read_rope(r1_config *c, const json_t *j, double *mscale_all, r1_error *err)
{
    r1_rope *r = &c->rope;
    const json_t *o = json_object_get(j, "rope_parameters");
    if (o && !json_is_null(o) && !json_is_object(o)) return r1_fail(err, R1_EFORMAT, "'rope_parameters' is %s, expected an object", r1_json_kind(o));
    const json_t *scaling = json_is_object(o) ? o : json_object_get(j, "rope_scaling");
    double mscale = 1;
    *mscale_all = 0;
    r1_status s = r1_json_real(json_is_object(o) ? o : j, "rope_theta", false, 10000, &r->theta, err);
    if (s == R1_OK && json_is_object(o) && !json_object_get(o, "rope_theta")) s = r1_json_real(j, "rope_theta", false, 10000, &r->theta, err);
    if (s || !scaling || json_is_null(scaling)) return s;
    if (!json_is_object(scaling)) return r1_fail(err, R1_EFORMAT, "'rope_scaling' is %s, expected an object", r1_json_kind(scaling));
    s = scaling_kind(scaling, &r->scaling, err);
    if (s || r->scaling == R1_ROPE_PLAIN) return s;
    s = r1_json_real(scaling, "factor", true, 1, &r->factor, err);
    if (s == R1_OK && r->scaling != R1_ROPE_LINEAR)
        s = r1_json_real(scaling, "original_max_position_embeddings", false, c->n_ctx, &r->original, err);
    if (s == R1_OK && r->scaling == R1_ROPE_LLAMA3) {
        s = r1_json_real(scaling, "low_freq_factor", true, 1, &r->low, err);
        if (s == R1_OK) s = r1_json_real(scaling, "high_freq_factor", true, 4, &r->high, err);
    }
    if (s || r->scaling != R1_ROPE_YARN) return s;
    s = r1_json_real(scaling, "beta_fast", false, 32, &r->beta_fast, err);
    if (s == R1_OK) s = r1_json_real(scaling, "beta_slow", false, 1, &r->beta_slow, err);
    if (s == R1_OK) s = refuse_bool(scaling, "truncate", true, err);
    if (s == R1_OK) s = r1_json_real(scaling, "mscale", false, 1, &mscale, err);
    if (s == R1_OK) s = r1_json_real(scaling, "mscale_all_dim", false, 0, mscale_all, err);
    if (s == R1_OK)
        s = r1_json_real(scaling, "attention_factor", false, r1_yarn_m(r->factor, mscale) / r1_yarn_m(r->factor, *mscale_all), &r->multiplier, err);
    return s;
}

static r1_status read_mla(r1_config *c, const json_t *j, double mscale_all, r1_error *err)
{
    r1_status s;
    c->mla = true;
    if ((s = get(j, "q_lora_rank", false, 0, 0, R1_DIM_MAX, &c->q_lora, err))) return s;
    if ((s = get(j, "kv_lora_rank", true, 0, 1, R1_DIM_MAX, &c->kv_lora, err))) return s;
    if ((s = get(j, "qk_nope_head_dim", true, 0, 1, R1_DIM_MAX, &c->nope_dim, err))) return s;
    if ((s = get(j, "qk_rope_head_dim", true, 0, 2, R1_DIM_MAX, &c->rope.dim, err))) return s;
    if ((s = get(j, "v_head_dim", true, 0, 1, R1_DIM_MAX, &c->v_dim, err))) return s;
    c->rope.adjacent = true;
    c->n_kv_heads = 1;
    c->head_dim = c->nope_dim + c->rope.dim;
    double m = c->rope.scaling == R1_ROPE_YARN && mscale_all != 0 ? r1_yarn_m(c->rope.factor, mscale_all) : 1;
    c->softmax_scale = (float)(m * m / sqrt(c->head_dim));
    return R1_OK;
}

static r1_status read_experts(r1_config *c, const json_t *j, r1_error *err)
{
    r1_status s;
    double scale;
    int every;
    const char *scoring, *method;
    bool v3 = c->arch == R1_ARCH_DEEPSEEK_V3;
    c->n_dense = c->n_layers;
    if ((s = get(j, "n_routed_experts", false, 0, 0, R1_EXPERTS_MAX, &c->n_experts, err)) || c->n_experts == 0) return s;
    if ((s = get(j, "first_k_dense_replace", false, 0, 0, R1_LAYERS_MAX, &c->n_dense, err))) return s;
    if ((s = get(j, "num_experts_per_tok", true, 0, 1, R1_EXPERTS_MAX, &c->n_used, err))) return s;
    if ((s = get(j, "n_shared_experts", false, 0, 0, R1_EXPERTS_MAX, &c->n_shared, err))) return s;
    if ((s = get(j, "moe_intermediate_size", true, 0, 1, R1_DIM_MAX, &c->n_ff_expert, err))) return s;
    if ((s = get(j, "n_group", false, 1, 1, R1_EXPERTS_MAX, &c->n_groups, err))) return s;
    if ((s = get(j, "topk_group", false, 1, 1, R1_EXPERTS_MAX, &c->n_groups_used, err))) return s;
    if ((s = get(j, "moe_layer_freq", false, 1, 1, R1_LAYERS_MAX, &every, err))) return s;
    if (every != 1) return r1_fail(err, R1_EUNSUPPORTED, "'moe_layer_freq' is %d; only 1 is supported", every);
    if ((s = r1_json_real(j, "routed_scaling_factor", false, 1, &scale, err))) return s;
    if ((s = r1_json_bool(j, "norm_topk_prob", v3, &c->normalise, err))) return s;
    if ((s = r1_json_str(j, "scoring_func", false, v3 ? "sigmoid" : "softmax", &scoring, err))) return s;
    if ((s = r1_json_str(j, "topk_method", false, v3 ? "noaux_tc" : "greedy", &method, err))) return s;
    if (strcmp(scoring, v3 ? "sigmoid" : "softmax"))
        return r1_fail(err, R1_EUNSUPPORTED, "'scoring_func' is '%s'; %s uses '%s'", scoring, r1_arch_name(c->arch), v3 ? "sigmoid" : "softmax");
    if (v3 ? strcmp(method, "noaux_tc") != 0 : strcmp(method, "greedy") && strcmp(method, "group_limited_greedy"))
        return r1_fail(err, R1_EUNSUPPORTED, "'topk_method' is '%s'; %s", method,
                       v3 ? "deepseek_v3 uses noaux_tc" : "deepseek_v2 uses greedy or group_limited_greedy");
    if (!strcmp(method, "greedy")) c->n_groups = c->n_groups_used = 1; /* the groups are there but have no say */
    c->sigmoid = v3;
    c->expert_scale = (float)scale;
    return R1_OK;
}

static r1_status read_arch(r1_config *c, const json_t *j, r1_error *err)
{
    const char *type;
    r1_status s = r1_json_str(j, "model_type", true, NULL, &type, err);
    if (s) return s;
    static const struct { const char *type; r1_arch arch; } known[] = {
        { "llama", R1_ARCH_LLAMA }, { "qwen2", R1_ARCH_QWEN2 }, { "deepseek_v2", R1_ARCH_DEEPSEEK_V2 }, { "deepseek_v3", R1_ARCH_DEEPSEEK_V3 },
    };
    for (size_t i = 0; i < R1_COUNT(known); i++) {
        if (strcmp(known[i].type, type)) continue;
        c->arch = known[i].arch;
        return R1_OK;
    }
    return r1_fail(err, R1_EUNSUPPORTED, "architecture '%s' is not supported; supported are " R1_ARCH_LIST, type);
}

r1_status r1_config_from_hf(r1_config *c, const r1_ckpt *ckpt, r1_error *err)
{
    const json_t *j = r1_ckpt_config(ckpt);
    r1_status s;
    double eps, rotary, mscale_all;
    if (!j) return r1_fail(err, R1_EFORMAT, "'%s' has no config.json", r1_ckpt_path(ckpt));
    if ((s = read_arch(c, j, err))) return s;
    bool deepseek = c->arch == R1_ARCH_DEEPSEEK_V2 || c->arch == R1_ARCH_DEEPSEEK_V3;
    if ((s = get(j, "num_hidden_layers", true, 0, 1, R1_LAYERS_MAX, &c->n_layers, err))) return s;
    if ((s = get(j, "hidden_size", true, 0, 1, R1_DIM_MAX, &c->n_embd, err))) return s;
    if ((s = get(j, "num_attention_heads", true, 0, 1, R1_DIM_MAX, &c->n_heads, err))) return s;
    if ((s = get(j, "num_key_value_heads", false, c->n_heads, 1, R1_DIM_MAX, &c->n_kv_heads, err))) return s;
    if ((s = get(j, "intermediate_size", true, 0, 1, R1_DIM_MAX, &c->n_ff, err))) return s;
    if ((s = get(j, "vocab_size", true, 0, 1, 1 << 24, &c->n_vocab, err))) return s;
    if ((s = get(j, "max_position_embeddings", true, 0, 1, 1 << 26, &c->n_ctx, err))) return s;
    if ((s = r1_json_real(j, "rms_norm_eps", false, 1e-6, &eps, err))) return s;
    c->eps = (float)eps;
    if ((s = r1_json_bool(j, "tie_word_embeddings", false, &c->tied, err))) return s;
    if ((s = refuse_unless(j, "hidden_act", "silu", err))) return s;
    if ((s = refuse_bool(j, "attention_bias", false, err)) || (s = refuse_bool(j, "mlp_bias", false, err))) return s;
    if ((s = refuse_bool(j, "use_sliding_window", false, err))) return s;
    if ((s = read_rope(c, j, &mscale_all, err))) return s;
    if (deepseek) {
        if ((s = refuse_bool(j, "rope_interleave", true, err))) return s;
        if ((s = read_mla(c, j, mscale_all, err)) || (s = read_experts(c, j, err))) return s;
        return get(j, "num_nextn_predict_layers", false, 0, 0, 1, &c->n_mtp, err);
    }
    if ((s = r1_json_real(j, "partial_rotary_factor", false, 1, &rotary, err))) return s;
    if (rotary != 1) return r1_fail(err, R1_EUNSUPPORTED, "'partial_rotary_factor' is %g; only 1 is supported", rotary);
    if ((!json_object_get(j, "head_dim") || json_is_null(json_object_get(j, "head_dim"))) && c->n_embd % c->n_heads)
        return r1_fail(err, R1_EFORMAT, "'hidden_size' %d is no multiple of 'num_attention_heads' %d", c->n_embd, c->n_heads);
    if ((s = get(j, "head_dim", false, c->n_embd / c->n_heads, 1, R1_DIM_MAX, &c->head_dim, err))) return s;
    c->n_dense = c->n_layers;
    c->rope.dim = c->head_dim;
    c->qkv_bias = c->arch == R1_ARCH_QWEN2;
    c->softmax_scale = (float)(1 / sqrt(c->head_dim));
    return R1_OK;
}
