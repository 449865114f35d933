/* config.json and generation_config.json from a GGUF file's configuration, as transformers and r1 read them.
 *
 * Reals of GGUF files are f32; here they become the shortest decimals that round to them, which are the numbers the original
 * had: 1e-06, not 9.99999997e-07. */
#include "convert/convert_int.h"

#include <math.h>
#include <stdio.h>

/* The shortest decimal that is v as f32. */
static double decimal(double v)
{
    char text[40];
    for (int digits = 1; digits < 10; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtof(text, NULL) == (float)v) return strtod(text, NULL);
    }
    return v;
}

/* Takes v, which may be NULL: then *ok becomes false, as after any failure. */
static void set(json_t *o, const char *key, json_t *v, bool *ok)
{
    if (json_object_set_new(o, key, v)) *ok = false;
}

static void set_int(json_t *o, const char *key, int64_t v, bool *ok) { set(o, key, json_integer(v), ok); }
static void set_real(json_t *o, const char *key, double v, bool *ok) { set(o, key, json_real(v), ok); }
static void set_bool(json_t *o, const char *key, bool v, bool *ok) { set(o, key, json_boolean(v), ok); }
static void set_text(json_t *o, const char *key, const char *v, bool *ok) { set(o, key, json_string(v), ok); }

/* A tenth of mscale_all_dim is a key; early files lack it (model/config_gguf.c), but not what follows from it. */
static double mscale_all(const r1_config *c)
{
    double m = sqrt((double)c->softmax_scale * sqrt(c->head_dim));
    return rint((m - 1) / (0.1 * log(c->rope.factor)) * 1e4) / 1e4;
}

static void set_yarn(json_t *o, const r1_config *c, bool *ok)
{
    const r1_rope *r = &c->rope;
    set_text(o, "type", "yarn", ok);
    set_real(o, "factor", decimal(r->factor), ok);
    set_int(o, "original_max_position_embeddings", (int64_t)r->original, ok);
    set_real(o, "beta_fast", decimal(r->beta_fast), ok);
    set_real(o, "beta_slow", decimal(r->beta_slow), ok);
    double all = c->mla && r->factor > 1 ? mscale_all(c) : 0, m = r1_yarn_m(r->factor, all), mscale = 1;
    if (r->factor > 1) mscale = rint((r->multiplier * m - 1) / (0.1 * log(r->factor)) * 1e4) / 1e4;
    set_real(o, "mscale", mscale, ok);
    set_real(o, "mscale_all_dim", all, ok);
    if ((float)(r1_yarn_m(r->factor, mscale) / m) != (float)r->multiplier) set_real(o, "attention_factor", decimal(r->multiplier), ok);
}

static void set_rope(json_t *j, const r1_config *c, bool *ok)
{
    const r1_rope *r = &c->rope;
    set_real(j, "rope_theta", decimal(r->theta), ok);
    json_t *o = r->scaling == R1_ROPE_PLAIN ? json_null() : json_object();
    if (r->scaling == R1_ROPE_LINEAR || r->scaling == R1_ROPE_LLAMA3) {
        set_text(o, "rope_type", r->scaling == R1_ROPE_LINEAR ? "linear" : "llama3", ok);
        set_real(o, "factor", decimal(r->factor), ok);
    }
    if (r->scaling == R1_ROPE_LLAMA3) {
        set_real(o, "low_freq_factor", decimal(r->low), ok);
        set_real(o, "high_freq_factor", decimal(r->high), ok);
        set_int(o, "original_max_position_embeddings", (int64_t)r->original, ok);
    }
    if (r->scaling == R1_ROPE_YARN) set_yarn(o, c, ok);
    set(j, "rope_scaling", o, ok);
}

static void set_deepseek(json_t *j, const r1_config *c, bool *ok)
{
    bool v3 = c->arch == R1_ARCH_DEEPSEEK_V3;
    set(j, "q_lora_rank", c->q_lora ? json_integer(c->q_lora) : json_null(), ok);
    set_int(j, "kv_lora_rank", c->kv_lora, ok);
    set_int(j, "qk_nope_head_dim", c->nope_dim, ok);
    set_int(j, "qk_rope_head_dim", c->rope.dim, ok);
    set_int(j, "v_head_dim", c->v_dim, ok);
    if (c->n_mtp) set_int(j, "num_nextn_predict_layers", c->n_mtp, ok);
    if (!c->n_experts) return;
    set_int(j, "moe_intermediate_size", c->n_ff_expert, ok);
    set_int(j, "n_routed_experts", c->n_experts, ok);
    set_int(j, "num_experts_per_tok", c->n_used, ok);
    if (c->n_shared) set_int(j, "n_shared_experts", c->n_shared, ok);
    set_int(j, "first_k_dense_replace", c->n_dense, ok);
    set_int(j, "moe_layer_freq", 1, ok);
    set_int(j, "n_group", c->n_groups, ok);
    set_int(j, "topk_group", c->n_groups_used, ok);
    set_text(j, "scoring_func", v3 ? "sigmoid" : "softmax", ok);
    set_text(j, "topk_method", v3 ? "noaux_tc" : c->n_groups > 1 ? "group_limited_greedy" : "greedy", ok);
    set_bool(j, "norm_topk_prob", c->normalise, ok);
    set_real(j, "routed_scaling_factor", decimal((double)c->expert_scale), ok);
}

const char *r1_hf_torch_type(const r1_plan *p)
{
    uint64_t n[3] = { 0 };
    for (size_t i = 0; i < p->n; i++) n[p->t[i].type == R1_BF16 || p->t[i].type == R1_F8_E4M3 ? 0 : p->t[i].type == R1_F16 ? 1 : 2] += r1_made_elements(&p->t[i]);
    return n[2] > n[0] && n[2] > n[1] ? "float32" : n[1] > n[0] ? "float16" : "bfloat16";
}

json_t *r1_hf_quantization(const r1_plan *p)
{
    size_t i = 0;
    while (i < p->n && p->t[i].type != R1_F8_E4M3) i++;
    if (i == p->n) return NULL;
    return json_pack("{s:s, s:s, s:s, s:[i, i]}", "activation_scheme", "dynamic", "fmt", "e4m3", "quant_method", "fp8", "weight_block_size", 128, 128);
}

static json_t *token_id(const r1_gguf *g, const char *key)
{
    int64_t id;
    return r1_gguf_int(g, key, false, -1, -1, INT32_MAX, &id, NULL) == R1_OK && id >= 0 ? json_integer(id) : NULL;
}

/* BOS, EOS (a list when more ids end a generation), PAD. */
static void set_tokens(json_t *j, const r1_gguf *g, bool *ok)
{
    json_t *bos = token_id(g, "tokenizer.ggml.bos_token_id"), *pad = token_id(g, "tokenizer.ggml.padding_token_id");
    json_t *eos = token_id(g, "tokenizer.ggml.eos_token_id"), *eot = token_id(g, "tokenizer.ggml.eot_token_id"), *eom = token_id(g, "tokenizer.ggml.eom_token_id");
    if (bos) set(j, "bos_token_id", bos, ok);
    if (pad) set(j, "pad_token_id", pad, ok);
    if (eos && json_equal(eos, eot)) json_decref(eot), eot = NULL;
    if (!eos || (!eot && !eom)) {
        json_decref(eot);
        json_decref(eom);
        if (eos) set(j, "eos_token_id", eos, ok);
        return;
    }
    json_t *list = json_array();
    if (json_array_append_new(list, eos)) *ok = false;
    if (eot && json_array_append_new(list, eot)) *ok = false;
    if (eom && json_array_append_new(list, eom)) *ok = false;
    set(j, "eos_token_id", list, ok);
}

static json_t *make_config(const r1_plan *p, bool *ok)
{
    const r1_config *c = &p->config;
    static const char *const classes[] = { "LlamaForCausalLM", "Qwen2ForCausalLM", "DeepseekV2ForCausalLM", "DeepseekV3ForCausalLM" };
    json_t *j = json_object();
    set(j, "architectures", json_pack("[s]", classes[c->arch]), ok);
    set_text(j, "model_type", r1_arch_name(c->arch), ok);
    set_int(j, "hidden_size", c->n_embd, ok);
    set_int(j, "num_hidden_layers", c->n_layers, ok);
    set_int(j, "num_attention_heads", c->n_heads, ok);
    set_int(j, "num_key_value_heads", c->mla ? c->n_heads : c->n_kv_heads, ok);
    if (!c->mla) set_int(j, "head_dim", c->head_dim, ok);
    set_int(j, "intermediate_size", c->n_ff, ok);
    set_int(j, "vocab_size", c->n_vocab, ok);
    set_int(j, "max_position_embeddings", c->n_ctx, ok);
    set_real(j, "rms_norm_eps", decimal((double)c->eps), ok);
    set_text(j, "hidden_act", "silu", ok);
    set_bool(j, "tie_word_embeddings", c->tied, ok);
    if (c->arch != R1_ARCH_QWEN2) set_bool(j, "attention_bias", false, ok);
    if (c->arch == R1_ARCH_LLAMA) set_bool(j, "mlp_bias", false, ok);
    set_rope(j, c, ok);
    if (c->mla) set_deepseek(j, c, ok);
    set_tokens(j, r1_ckpt_gguf(p->ckpt), ok);
    set_text(j, "torch_dtype", r1_hf_torch_type(p), ok);
    set_bool(j, "use_cache", true, ok);
    json_t *fp8 = r1_hf_quantization(p);
    if (fp8) set(j, "quantization_config", fp8, ok);
    return j;
}

static json_t *make_generation(const r1_gguf *g, bool *ok)
{
    static const struct { const char *key, *json; } reals[] = {
        { "general.sampling.temp", "temperature" }, { "general.sampling.top_p", "top_p" }, { "general.sampling.min_p", "min_p" },
        { "general.sampling.penalty_repeat", "repetition_penalty" },
    };
    json_t *j = json_object();
    set_tokens(j, g, ok);
    for (size_t i = 0; i < R1_COUNT(reals); i++) {
        double v = NAN;
        if (r1_gguf_real(g, reals[i].key, false, NAN, &v, NULL) == R1_OK && isfinite(v)) set_real(j, reals[i].json, decimal(v), ok);
    }
    int64_t k = -1;
    if (r1_gguf_int(g, "general.sampling.top_k", false, -1, 0, INT32_MAX, &k, NULL) == R1_OK && k >= 0) set_int(j, "top_k", k, ok);
    if (json_object_get(j, "temperature")) set_bool(j, "do_sample", true, ok);
    if (json_object_size(j)) return j;
    json_decref(j);
    return NULL;
}

/* ---- what has no place here ------------------------------------------------------------------------------------- */

/* What the texts of a folder are made of (above and in hf_tokenizer.c), and what only describes the file. */
static const char *const carried[] = {
    "general.architecture", "general.type", "general.name", "general.file_type", "general.quantization_version", "general.alignment",
    "general.sampling.temp", "general.sampling.top_k", "general.sampling.top_p", "general.sampling.min_p", "general.sampling.penalty_repeat",
    "tokenizer.chat_template", "tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.ggml.merges",
    "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id",
    "tokenizer.ggml.padding_token_id", "tokenizer.ggml.add_bos_token",
};

/* The same, behind "ARCHITECTURE." (model/config_gguf.c). */
static const char *const carried_of_model[] = {
    "block_count", "context_length", "embedding_length", "feed_forward_length", "vocab_size", "nextn_predict_layers", "attention.head_count",
    "attention.head_count_kv", "attention.key_length", "attention.value_length", "attention.key_length_mla", "attention.value_length_mla",
    "attention.q_lora_rank", "attention.kv_lora_rank", "attention.layer_norm_rms_epsilon", "rope.dimension_count", "rope.freq_base", "rope.scaling.type",
    "rope.scaling.factor", "rope.scaling.original_context_length", "rope.scaling.low_freq_factor", "rope.scaling.high_freq_factor",
    "rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow", "rope.scaling.attn_factor", "rope.scaling.yarn_log_multiplier",
    "leading_dense_block_count", "expert_count", "expert_used_count", "expert_shared_count", "expert_feed_forward_length", "expert_weights_scale",
    "expert_weights_norm", "expert_gating_func", "expert_group_count", "expert_group_used_count",
};

static bool is_in(const char *const *list, size_t n_list, const char *word, size_t n)
{
    for (size_t i = 0; i < n_list; i++)
        if (strlen(list[i]) == n && !memcmp(list[i], word, n)) return true;
    return false;
}

static bool is_carried(const r1_gguf *g, const char *architecture, r1_slice key)
{
    static const char *const usually_false[] = { "tokenizer.ggml.add_eos_token", "tokenizer.ggml.add_space_prefix" }; /* which is what folders get */
    size_t n = strlen(architecture);
    bool yes = true;
    if (is_in(carried, R1_COUNT(carried), key.p, key.n) || (key.n > 6 && !memcmp(key.p, "split.", 6))) return true;
    for (size_t i = 0; i < R1_COUNT(usually_false); i++)
        if (is_in(&usually_false[i], 1, key.p, key.n) && r1_gguf_bool(g, usually_false[i], true, &yes, NULL) == R1_OK && !yes) return true;
    return key.n > n + 1 && !memcmp(key.p, architecture, n) && key.p[n] == '.' && is_in(carried_of_model, R1_COUNT(carried_of_model), key.p + n + 1, key.n - n - 1);
}

json_t *r1_plan_dropped_keys(const r1_plan *p)
{
    json_t *list = json_array();
    const r1_gguf *g = r1_ckpt_gguf(p->ckpt);
    for (size_t i = 0; list && g && !p->to_gguf && i < r1_gguf_n_kv(g); i++) {
        r1_slice key = r1_gguf_kv_at(g, i)->key;
        if (is_carried(g, r1_ckpt_architecture(p->ckpt), key) || json_array_append_new(list, json_stringn(key.p, key.n)) == 0) continue;
        json_decref(list);
        list = NULL;
    }
    return list;
}

r1_status r1_hf_config(json_t **config, json_t **generation, const r1_plan *p, r1_error *err)
{
    bool ok = true;
    *config = make_config(p, &ok);
    *generation = make_generation(r1_ckpt_gguf(p->ckpt), &ok);
    if (ok) return R1_OK;
    json_decref(*config);
    json_decref(*generation);
    *config = *generation = NULL;
    return r1_fail(err, R1_ENOMEM, "no memory for config.json");
}
