/* Configurations: every key missing, of a wrong kind, out of range or at odds with another; rope numbers against recorded
 * ones (tests/golden/models/rope.json); what old GGUF files leave out. Golden configurations are changed one key at a time. */
#include "model/variant_test.h"
#include "model/config.h"

#include <math.h>

/* Read the configuration of a variant; *c needs deinit. */
static r1_status read_config(const variant *v, r1_config *c, r1_error *err)
{
    folder f = folder_new();
    char path[1024];
    snprintf(path, sizeof path, "%s", v->config ? variant_write_checkpoint(v, &f) : variant_write_gguf(v, &f));
    r1_ckpt *k;
    *c = (r1_config){ 0 };
    r1_status s = r1_ckpt_open(&k, path, true, err);
    if (s == R1_OK) s = r1_config_read(c, k, err);
    r1_ckpt_close(k);
    folder_free(&f);
    return s;
}

static void expect_refused(const variant *v, const char *what, r1_status want, const char *const *words, size_t n_words)
{
    r1_config c;
    r1_error e = { 0 };
    r1_status s = read_config(v, &c, &e);
    r1_config_deinit(&c);
    if (s != want) fail_msg("%s: status %d, expected %d; '%s'", what, (int)s, (int)want, e.msg);
    EXPECT_INT(e.status, want);
    for (size_t i = 0; i < n_words && words[i]; i++)
        if (!strstr(e.msg, words[i])) fail_msg("%s: '%s' does not say '%s'", what, e.msg, words[i]);
}

/* ---- config.json ------------------------------------------------------------------------------------------------- */

typedef struct wrong_json {
    const char *model, *object, *key, *value; /* object: NULL is the top; value: JSON, NULL drops the key */
    r1_status status;
    const char *words[3];
} wrong_json;

static const wrong_json wrong_configs[] = {
    { "llama", NULL, "model_type", NULL, R1_EFORMAT, { "'model_type' is missing" } },
    { "llama", NULL, "model_type", "7", R1_EFORMAT, { "'model_type' is an integer", "a string" } },
    { "llama", NULL, "model_type", "\"mixtral\"", R1_EUNSUPPORTED, { "'mixtral'", "llama, qwen2, deepseek_v2 and deepseek_v3" } },
    { "llama", NULL, "num_hidden_layers", NULL, R1_EFORMAT, { "'num_hidden_layers' is missing" } },
    { "llama", NULL, "num_hidden_layers", "0", R1_EFORMAT, { "'num_hidden_layers' is 0", "1 to 4096" } },
    { "llama", NULL, "hidden_size", "1e30", R1_EFORMAT, { "'hidden_size' is too large an integer", "an integer from 1 to" } },
    { "llama", NULL, "num_hidden_layers", "3.0", R1_EFORMAT, { "'num_hidden_layers' is a fraction", "an integer" } },
    { "llama", NULL, "num_hidden_layers", "9000000000000000000", R1_EFORMAT, { "'num_hidden_layers' is 9000000000000000000" } },
    { "llama", NULL, "hidden_size", NULL, R1_EFORMAT, { "'hidden_size' is missing" } },
    { "llama", NULL, "hidden_size", "-96", R1_EFORMAT, { "'hidden_size' is -96" } },
    { "llama", NULL, "num_attention_heads", NULL, R1_EFORMAT, { "'num_attention_heads' is missing" } },
    { "llama", NULL, "num_attention_heads", "true", R1_EFORMAT, { "'num_attention_heads' is a boolean" } },
    { "llama", NULL, "num_attention_heads", "5", R1_EFORMAT, { "5 heads", "2 key-value heads" } },
    { "llama", NULL, "num_key_value_heads", "4", R1_EFORMAT, { "6 heads", "4 key-value heads" } },
    { "llama", NULL, "num_key_value_heads", "12", R1_EFORMAT, { "6 heads", "12 key-value heads" } },
    { "llama", NULL, "num_key_value_heads", "0", R1_EFORMAT, { "'num_key_value_heads' is 0" } },
    { "llama", NULL, "intermediate_size", NULL, R1_EFORMAT, { "'intermediate_size' is missing" } },
    { "llama", NULL, "intermediate_size", "\"224\"", R1_EFORMAT, { "'intermediate_size' is a string" } },
    { "llama", NULL, "vocab_size", NULL, R1_EFORMAT, { "'vocab_size' is missing" } },
    { "llama", NULL, "vocab_size", "100000000", R1_EFORMAT, { "'vocab_size' is 100000000", "16777216" } },
    { "llama", NULL, "max_position_embeddings", NULL, R1_EFORMAT, { "'max_position_embeddings' is missing" } },
    { "llama", NULL, "max_position_embeddings", "[512]", R1_EFORMAT, { "'max_position_embeddings' is an array" } },
    { "llama", NULL, "rms_norm_eps", "\"small\"", R1_EFORMAT, { "'rms_norm_eps' is a string", "a number" } },
    { "llama", NULL, "rms_norm_eps", "0", R1_EFORMAT, { "epsilon", "is 0" } },
    { "llama", NULL, "rms_norm_eps", "-1e-6", R1_EFORMAT, { "epsilon", "-1e-06" } },
    { "llama", NULL, "rms_norm_eps", "1.5", R1_EFORMAT, { "epsilon", "1.5" } },
    { "llama", NULL, "tie_word_embeddings", "1", R1_EFORMAT, { "'tie_word_embeddings' is an integer", "true or false" } },
    { "llama", NULL, "hidden_act", "\"gelu\"", R1_EUNSUPPORTED, { "'hidden_act' is 'gelu'", "'silu'" } },
    { "llama", NULL, "attention_bias", "true", R1_EUNSUPPORTED, { "'attention_bias'" } },
    { "llama", NULL, "mlp_bias", "true", R1_EUNSUPPORTED, { "'mlp_bias'" } },
    { "llama", NULL, "mlp_bias", "\"no\"", R1_EFORMAT, { "'mlp_bias' is a string" } },
    { "qwen2", NULL, "use_sliding_window", "true", R1_EUNSUPPORTED, { "'use_sliding_window'" } },
    { "llama", NULL, "partial_rotary_factor", "0.5", R1_EUNSUPPORTED, { "'partial_rotary_factor' is 0.5" } },
    { "llama", NULL, "head_dim", "0", R1_EFORMAT, { "'head_dim' is 0" } },
    { "llama", NULL, "head_dim", "15", R1_EFORMAT, { "15 rope dimensions", "even" } },
    { "llama", NULL, "head_dim", "2048", R1_EFORMAT, { "2048 rope dimensions", "1024" } },
    { "qwen2", NULL, "head_dim", "1048576", R1_EFORMAT, { "1048576" } },
    { "llama", NULL, "rope_theta", "1", R1_EFORMAT, { "theta is 1", "above 1" } },
    { "llama", NULL, "rope_theta", "\"big\"", R1_EFORMAT, { "'rope_theta' is a string" } },
    { "llama", NULL, "rope_scaling", "\"llama3\"", R1_EFORMAT, { "'rope_scaling' is a string", "an object" } },
    { "llama", NULL, "rope_parameters", "[1]", R1_EFORMAT, { "'rope_parameters' is an array", "an object" } },
    { "llama", "rope_scaling", "rope_type", "\"longrope\"", R1_EUNSUPPORTED, { "'longrope'", "llama3 and yarn" } },
    { "llama", "rope_scaling", "rope_type", "3", R1_EFORMAT, { "'rope_type' is an integer" } },
    { "llama", "rope_scaling", "factor", NULL, R1_EFORMAT, { "'factor' is missing" } },
    { "llama", "rope_scaling", "factor", "0.5", R1_EFORMAT, { "factor is 0.5", "at least 1" } },
    { "llama", "rope_scaling", "low_freq_factor", NULL, R1_EFORMAT, { "'low_freq_factor' is missing" } },
    { "llama", "rope_scaling", "low_freq_factor", "4", R1_EFORMAT, { "4 and 4", "low < high" } },
    { "llama", "rope_scaling", "low_freq_factor", "0", R1_EFORMAT, { "0 and 4" } },
    { "llama", "rope_scaling", "high_freq_factor", NULL, R1_EFORMAT, { "'high_freq_factor' is missing" } },
    { "llama", "rope_scaling", "original_max_position_embeddings", "0", R1_EFORMAT, { "original length is 0" } },
    { "deepseek_v3", "rope_scaling", "beta_fast", "0", R1_EFORMAT, { "beta_fast" } },
    { "deepseek_v3", "rope_scaling", "beta_slow", "-1", R1_EFORMAT, { "beta_slow" } },
    { "deepseek_v3", "rope_scaling", "beta_slow", "[]", R1_EFORMAT, { "'beta_slow' is an array" } },
    { "deepseek_v3", "rope_scaling", "mscale", "{}", R1_EFORMAT, { "'mscale' is an object" } },
    { "deepseek_v3", "rope_scaling", "mscale_all_dim", "\"1\"", R1_EFORMAT, { "'mscale_all_dim' is a string" } },
    { "deepseek_v3", "rope_scaling", "attention_factor", "-2", R1_EFORMAT, { "-2" } },
    { "deepseek_v3", "rope_scaling", "truncate", "false", R1_EUNSUPPORTED, { "'truncate' is false" } },
    { "deepseek_v3", NULL, "rope_interleave", "false", R1_EUNSUPPORTED, { "'rope_interleave' is false" } },
    { "deepseek_v3", NULL, "q_lora_rank", "-1", R1_EFORMAT, { "'q_lora_rank' is -1" } },
    { "deepseek_v3", NULL, "kv_lora_rank", NULL, R1_EFORMAT, { "'kv_lora_rank' is missing" } },
    { "deepseek_v3", NULL, "kv_lora_rank", "0", R1_EFORMAT, { "'kv_lora_rank' is 0" } },
    { "deepseek_v3", NULL, "qk_nope_head_dim", NULL, R1_EFORMAT, { "'qk_nope_head_dim' is missing" } },
    { "deepseek_v3", NULL, "qk_rope_head_dim", NULL, R1_EFORMAT, { "'qk_rope_head_dim' is missing" } },
    { "deepseek_v3", NULL, "qk_rope_head_dim", "17", R1_EFORMAT, { "17 rope dimensions", "even" } },
    { "deepseek_v3", NULL, "v_head_dim", NULL, R1_EFORMAT, { "'v_head_dim' is missing" } },
    { "deepseek_v3", NULL, "v_head_dim", "1048577", R1_EFORMAT, { "'v_head_dim' is 1048577" } },
    { "deepseek_v3", NULL, "num_attention_heads", "1048576", R1_EFORMAT, { "1048576 x" } },
    { "deepseek_v3", NULL, "first_k_dense_replace", "4", R1_EFORMAT, { "4", "3 layers" } },
    { "deepseek_v3", NULL, "n_routed_experts", "1025", R1_EFORMAT, { "'n_routed_experts' is 1025", "1024" } },
    { "deepseek_v3", NULL, "num_experts_per_tok", NULL, R1_EFORMAT, { "'num_experts_per_tok' is missing" } },
    { "deepseek_v3", NULL, "num_experts_per_tok", "17", R1_EFORMAT, { "17 experts", "16" } },
    { "deepseek_v3", NULL, "num_experts_per_tok", "9", R1_EFORMAT, { "9 experts", "2 groups of 4" } },
    { "deepseek_v3", NULL, "moe_intermediate_size", NULL, R1_EFORMAT, { "'moe_intermediate_size' is missing" } },
    { "deepseek_v3", NULL, "n_shared_experts", "-1", R1_EFORMAT, { "'n_shared_experts' is -1" } },
    { "deepseek_v3", NULL, "n_group", "3", R1_EFORMAT, { "16 experts in 3 groups" } },
    { "deepseek_v3", NULL, "n_group", "0", R1_EFORMAT, { "'n_group' is 0" } },
    { "deepseek_v3", NULL, "topk_group", "5", R1_EFORMAT, { "4 groups", "5 of them" } },
    { "deepseek_v3", NULL, "moe_layer_freq", "2", R1_EUNSUPPORTED, { "'moe_layer_freq' is 2" } },
    { "deepseek_v3", NULL, "routed_scaling_factor", "\"x\"", R1_EFORMAT, { "'routed_scaling_factor' is a string" } },
    { "deepseek_v3", NULL, "norm_topk_prob", "1", R1_EFORMAT, { "'norm_topk_prob' is an integer" } },
    { "deepseek_v3", NULL, "scoring_func", "\"softmax\"", R1_EUNSUPPORTED, { "'scoring_func' is 'softmax'", "'sigmoid'" } },
    { "deepseek_v2_lite", NULL, "scoring_func", "\"sigmoid\"", R1_EUNSUPPORTED, { "'scoring_func' is 'sigmoid'", "'softmax'" } },
    { "deepseek_v3", NULL, "topk_method", "\"greedy\"", R1_EUNSUPPORTED, { "'topk_method' is 'greedy'", "noaux_tc" } },
    { "deepseek_v2_lite", NULL, "topk_method", "\"noaux_tc\"", R1_EUNSUPPORTED, { "'topk_method' is 'noaux_tc'", "group_limited_greedy" } },
    { "deepseek_v3", NULL, "num_nextn_predict_layers", "2", R1_EFORMAT, { "'num_nextn_predict_layers' is 2" } },
};

static variant golden_config(const char *model)
{
    char path[128];
    snprintf(path, sizeof path, "golden/models/%s", model);
    return variant_checkpoint(path, false);
}

static void set_json(json_t *o, const char *key, const char *value)
{
    if (value) EXPECT(json_object_set_new(o, key, json_loads(value, JSON_DECODE_ANY, NULL)) == 0);
    else EXPECT(json_object_del(o, key) == 0);
}

TEST(every_wrong_key_of_config_json_is_named)
{
    for (size_t i = 0; i < R1_COUNT(wrong_configs); i++) {
        const wrong_json *w = &wrong_configs[i];
        variant v = golden_config(w->model);
        char what[200];
        snprintf(what, sizeof what, "%s: %s = %s", w->model, w->key, w->value ? w->value : "(nothing)");
        set_json(w->object ? json_object_get(v.config, w->object) : v.config, w->key, w->value);
        expect_refused(&v, what, w->status, w->words, R1_COUNT(w->words));
        variant_free(&v);
    }
}

TEST(optional_keys_of_config_json_have_their_defaults)
{
    r1_config c;
    r1_error e = { 0 };
    variant v = golden_config("qwen2");
    static const char *const optional[] = { "num_key_value_heads", "rms_norm_eps", "rope_theta", "tie_word_embeddings", "use_sliding_window", "hidden_act", "head_dim" };
    for (size_t i = 0; i < R1_COUNT(optional); i++) json_object_set_new(v.config, optional[i], json_null());
    EXPECT_OK(read_config(&v, &c, &e), &e);
    EXPECT_INT(c.n_kv_heads, c.n_heads);
    EXPECT_INT(c.head_dim, c.n_embd / c.n_heads);
    EXPECT(c.rope.theta == 10000 && c.eps == 1e-6f && !c.tied && c.qkv_bias && c.rope.scaling == R1_ROPE_PLAIN);
    r1_config_deinit(&c);
    set_json(v.config, "num_attention_heads", "7");
    expect_refused(&v, "96 features, 7 heads, no head_dim", R1_EFORMAT, (const char *const[]){ "'hidden_size' 96", "'num_attention_heads' 7" }, 2);
    variant_free(&v);

    v = golden_config("deepseek_v3");
    static const char *const mla[] = { "q_lora_rank", "n_group", "topk_group", "n_shared_experts", "norm_topk_prob", "scoring_func", "topk_method",
                                       "routed_scaling_factor", "num_nextn_predict_layers", "rope_scaling", "first_k_dense_replace", "moe_layer_freq" };
    for (size_t i = 0; i < R1_COUNT(mla); i++) json_object_set_new(v.config, mla[i], json_null());
    EXPECT_OK(read_config(&v, &c, &e), &e);
    EXPECT(c.q_lora == 0 && c.n_groups == 1 && c.n_groups_used == 1 && c.n_shared == 0 && c.normalise && c.sigmoid && c.expert_scale == 1 && c.n_mtp == 0);
    EXPECT(c.n_dense == 0 && c.softmax_scale == (float)(1 / sqrt(48)));
    r1_config_deinit(&c);
    set_json(v.config, "n_routed_experts", "null");
    EXPECT_OK(read_config(&v, &c, &e), &e);
    EXPECT(c.n_experts == 0 && c.n_dense == c.n_layers);
    r1_config_deinit(&c);
    variant_free(&v);
}

/* Newer files hold rope_theta and the scaling in one object. */
TEST(rope_parameters_mean_the_same_as_rope_scaling)
{
    static const char *const models[] = { "llama", "deepseek_v3", "qwen2" };
    for (size_t i = 0; i < R1_COUNT(models); i++) {
        r1_config a, b;
        r1_error e = { 0 };
        variant v = golden_config(models[i]);
        EXPECT_OK(read_config(&v, &a, &e), &e);
        json_t *o = json_object_get(v.config, "rope_scaling") ? json_deep_copy(json_object_get(v.config, "rope_scaling")) : json_pack("{s:s}", "rope_type", "default");
        json_object_set(o, "rope_theta", json_object_get(v.config, "rope_theta"));
        json_object_set_new(v.config, "rope_parameters", o);
        json_object_del(v.config, "rope_scaling");
        json_object_del(v.config, "rope_theta");
        EXPECT_OK(read_config(&v, &b, &e), &e);
        EXPECT(!memcmp(a.rope.inv_freq, b.rope.inv_freq, (size_t)a.rope.dim / 2 * sizeof(double)));
        EXPECT(a.softmax_scale == b.softmax_scale && a.rope.multiplier == b.rope.multiplier);
        r1_config_deinit(&a);
        r1_config_deinit(&b);
        variant_free(&v);
    }
}

/* ---- GGUF --------------------------------------------------------------------------------------------------------- */

static const char llama_file[] = "golden/models/llama_256/gguf/llama_256.Q2_K.gguf", qwen_file[] = "golden/models/qwen2/gguf/qwen2.Q4_0.gguf",
                  v3_file[] = "golden/models/deepseek_v3/gguf/deepseek_v3.Q4_0.gguf",
                  v2_file[] = "golden/models/deepseek_v2_lite/gguf/deepseek_v2_lite.Q8_0.gguf";

typedef struct wrong_key {
    const char *file, *key;
    char kind;                  /* 'x' drop, 'u' u32, 'f' f32, 's' text */
    double number;
    const char *text;
    r1_status status;
    const char *words[3];
} wrong_key;

static const wrong_key wrong_keys[] = {
    { llama_file, "general.architecture", 's', 0, "mamba", R1_EUNSUPPORTED, { "'mamba'", "llama, qwen2, deepseek_v2 and deepseek_v3" } },
    { llama_file, "general.architecture", 'x', 0, NULL, R1_EFORMAT, { "'general.architecture' is missing" } },
    { llama_file, "llama.block_count", 'x', 0, NULL, R1_EFORMAT, { "llama.block_count" } },
    { llama_file, "llama.block_count", 'u', 0, NULL, R1_EFORMAT, { "llama.block_count", "0", "4096" } },
    { llama_file, "llama.block_count", 's', 0, "one", R1_EFORMAT, { "llama.block_count", "integer" } },
    { llama_file, "llama.block_count", 'f', 1, NULL, R1_EFORMAT, { "llama.block_count", "integer" } },
    { llama_file, "llama.context_length", 'x', 0, NULL, R1_EFORMAT, { "llama.context_length" } },
    { llama_file, "llama.context_length", 'u', 4e9, NULL, R1_EFORMAT, { "llama.context_length", "4000000000" } },
    { llama_file, "llama.embedding_length", 'x', 0, NULL, R1_EFORMAT, { "llama.embedding_length" } },
    { llama_file, "llama.feed_forward_length", 'x', 0, NULL, R1_EFORMAT, { "llama.feed_forward_length" } },
    { llama_file, "llama.attention.head_count", 'x', 0, NULL, R1_EFORMAT, { "llama.attention.head_count" } },
    { llama_file, "llama.attention.head_count", 'u', 3, NULL, R1_EFORMAT, { "3 heads", "2 key-value heads" } },
    { llama_file, "llama.attention.head_count_kv", 'u', 0, NULL, R1_EFORMAT, { "llama.attention.head_count_kv", "0" } },
    { llama_file, "llama.attention.layer_norm_rms_epsilon", 'x', 0, NULL, R1_EFORMAT, { "llama.attention.layer_norm_rms_epsilon" } },
    { llama_file, "llama.attention.layer_norm_rms_epsilon", 's', 0, "1e-5", R1_EFORMAT, { "llama.attention.layer_norm_rms_epsilon", "a string" } },
    { llama_file, "llama.attention.layer_norm_rms_epsilon", 'f', NAN, NULL, R1_EFORMAT, { "layer_norm_rms_epsilon", "not a number", "finite" } },
    { llama_file, "llama.attention.layer_norm_rms_epsilon", 'f', 0, NULL, R1_EFORMAT, { "epsilon", "is 0" } },
    { llama_file, "llama.attention.key_length", 'u', 63, NULL, R1_EUNSUPPORTED, { "64 dimensions beside keys of 63" } },
    { llama_file, "llama.attention.value_length", 'u', 32, NULL, R1_EUNSUPPORTED, { "32 dimensions beside keys of 64" } },
    { llama_file, "llama.rope.dimension_count", 'u', 32, NULL, R1_EUNSUPPORTED, { "32 of 64" } },
    { llama_file, "llama.rope.freq_base", 'f', 0.5, NULL, R1_EFORMAT, { "theta is 0.5" } },
    { llama_file, "llama.rope.freq_base", 'f', INFINITY, NULL, R1_EFORMAT, { "llama.rope.freq_base", "infinite", "finite" } },
    { llama_file, "llama.rope.freq_base", 's', 0, "x", R1_EFORMAT, { "llama.rope.freq_base", "a string" } },
    { llama_file, "llama.rope.scaling.type", 's', 0, "longrope", R1_EUNSUPPORTED, { "llama.rope.scaling.type", "'longrope'", "yarn" } },
    { llama_file, "llama.rope.scaling.type", 'u', 1, NULL, R1_EFORMAT, { "llama.rope.scaling.type", "a string" } },
    { llama_file, "llama.rope.scaling.type", 's', 0, "linear", R1_EFORMAT, { "llama.rope.scaling.factor" } },
    { llama_file, "llama.vocab_size", 'u', 0, NULL, R1_EFORMAT, { "llama.vocab_size" } },
    { llama_file, "llama.expert_count", 'u', 8, NULL, R1_EUNSUPPORTED, { "'llama' with experts", "deepseek2" } },
    { qwen_file, "qwen2.attention.head_count", 'u', 4, NULL, R1_OK, { NULL } },
    { v3_file, "deepseek2.nextn_predict_layers", 'u', 2, NULL, R1_EFORMAT, { "deepseek2.nextn_predict_layers", "2" } },
    { v3_file, "deepseek2.attention.kv_lora_rank", 'x', 0, NULL, R1_EFORMAT, { "deepseek2.attention.kv_lora_rank" } },
    { v3_file, "deepseek2.attention.q_lora_rank", 's', 0, "64", R1_EFORMAT, { "deepseek2.attention.q_lora_rank", "a string" } },
    { v3_file, "deepseek2.rope.dimension_count", 'x', 0, NULL, R1_EFORMAT, { "deepseek2.rope.dimension_count" } },
    { v3_file, "deepseek2.rope.dimension_count", 'u', 48, NULL, R1_EFORMAT, { "48 dimensions", "48 rotated" } },
    { v3_file, "deepseek2.attention.value_length_mla", 'x', 0, NULL, R1_EFORMAT, { "deepseek2.attention.value_length_mla" } },
    { v3_file, "deepseek2.attention.key_length_mla", 'u', 0, NULL, R1_EFORMAT, { "deepseek2.attention.key_length_mla" } },
    { v3_file, "deepseek2.leading_dense_block_count", 'u', 4, NULL, R1_EFORMAT, { "4", "3 layers" } },
    { v3_file, "deepseek2.expert_count", 'u', 2000, NULL, R1_EFORMAT, { "deepseek2.expert_count", "2000" } },
    { v3_file, "deepseek2.expert_used_count", 'x', 0, NULL, R1_EFORMAT, { "deepseek2.expert_used_count" } },
    { v3_file, "deepseek2.expert_used_count", 'u', 9, NULL, R1_EFORMAT, { "9 experts", "2 groups of 4" } },
    { v3_file, "deepseek2.expert_feed_forward_length", 'x', 0, NULL, R1_EFORMAT, { "deepseek2.expert_feed_forward_length" } },
    { v3_file, "deepseek2.expert_gating_func", 'u', 3, NULL, R1_EFORMAT, { "deepseek2.expert_gating_func", "3" } },
    { v3_file, "deepseek2.expert_group_count", 'u', 5, NULL, R1_EFORMAT, { "16 experts in 5 groups" } },
    { v3_file, "deepseek2.expert_group_used_count", 'u', 5, NULL, R1_EFORMAT, { "4 groups", "5 of them" } },
    { v3_file, "deepseek2.expert_weights_scale", 's', 0, "x", R1_EFORMAT, { "deepseek2.expert_weights_scale", "a string" } },
    { v3_file, "deepseek2.expert_weights_scale", 'f', NAN, NULL, R1_EFORMAT, { "deepseek2.expert_weights_scale", "not a number" } },
    { v3_file, "deepseek2.expert_weights_norm", 'u', 1, NULL, R1_EFORMAT, { "deepseek2.expert_weights_norm" } },
    { v3_file, "deepseek2.rope.scaling.factor", 'f', 0, NULL, R1_EFORMAT, { "factor is 0" } },
    { v3_file, "deepseek2.rope.scaling.original_context_length", 'u', 0, NULL, R1_EFORMAT, { "original length is 0" } },
    { v3_file, "deepseek2.rope.scaling.yarn_beta_fast", 'f', -1, NULL, R1_EFORMAT, { "beta_fast", "-1" } },
    { v3_file, "deepseek2.rope.scaling.yarn_log_multiplier", 'f', NAN, NULL, R1_EFORMAT, { "deepseek2.rope.scaling.yarn_log_multiplier", "not a number" } },
};

static void change_key(variant *v, const char *key, char kind, double number, const char *text)
{
    if (kind == 'x') EXPECT(variant_drop(v, key));
    else if (kind == 'u') variant_u32(v, key, (uint32_t)number);
    else if (kind == 'f') variant_f32(v, key, (float)number);
    else variant_text(v, key, text);
}

TEST(every_wrong_key_of_a_gguf_file_is_named)
{
    for (size_t i = 0; i < R1_COUNT(wrong_keys); i++) {
        const wrong_key *w = &wrong_keys[i];
        variant v = variant_gguf_config(w->file);
        char what[200];
        snprintf(what, sizeof what, "%s %c %g %s", w->key, w->kind, w->number, w->text ? w->text : "");
        change_key(&v, w->key, w->kind, w->number, w->text);
        if (w->status) {
            expect_refused(&v, what, w->status, w->words, R1_COUNT(w->words));
        } else { /* a change that is fine, to see that the file made here is read at all */
            r1_config c;
            r1_error e = { 0 };
            EXPECT_OK(read_config(&v, &c, &e), &e);
            r1_config_deinit(&c);
        }
        variant_free(&v);
    }
}

TEST(a_gguf_file_without_an_embedding_is_refused)
{
    variant v = variant_gguf_config(llama_file);
    snprintf(v.tensors[0].name, sizeof v.tensors[0].name, "other.weight");
    expect_refused(&v, "no embedding", R1_EFORMAT, (const char *const[]){ "'token_embd.weight' is missing" }, 1);
    variant_free(&v);
}

TEST(a_gguf_file_with_only_the_prediction_layer_is_refused)
{
    variant v = variant_gguf_config(v3_file);
    variant_u32(&v, "deepseek2.block_count", 1);
    variant_u32(&v, "deepseek2.nextn_predict_layers", 1);
    expect_refused(&v, "block_count 1", R1_EFORMAT, (const char *const[]){ "'deepseek2.block_count' is 1", "1 of them" }, 2);
    variant_free(&v);
}

/* Integers of any width are integers, and whole numbers do for fractions. */
TEST(gguf_numbers_may_have_any_width)
{
    variant v = variant_gguf_config(llama_file);
    r1_config c;
    r1_error e = { 0 };
    variant_set(&v, "llama.block_count", R1_GGUF_U64, &(uint64_t){ 1 }, 8);
    variant_set(&v, "llama.attention.head_count", R1_GGUF_I8, &(int8_t){ 4 }, 1);
    variant_set(&v, "llama.rope.freq_base", R1_GGUF_F64, &(double){ 500000 }, 8);
    EXPECT_OK(read_config(&v, &c, &e), &e);
    EXPECT(c.n_layers == 1 && c.n_heads == 4 && c.rope.theta == 500000);
    r1_config_deinit(&c);
    variant_u32(&v, "llama.rope.freq_base", 10000);
    EXPECT_OK(read_config(&v, &c, &e), &e);
    EXPECT(c.rope.theta == 10000);
    r1_config_deinit(&c);
    variant_free(&v);
}

/* ---- rope --------------------------------------------------------------------------------------------------------- */

static double at(const json_t *list, size_t i)
{
    const json_t *v = json_array_get(list, i);
    EXPECT(json_is_string(v));
    return strtod(json_string_value(v), NULL);
}

static void expect_rope(const r1_config *c, const json_t *want, const char *name)
{
    const json_t *inv = json_object_get(want, "inv_freq"), *divisors = json_object_get(want, "divisors");
    const char *position;
    json_t *wave;
    size_t half = (size_t)c->rope.dim / 2, n_positions = 0;
    EXPECT_INT(json_array_size(inv), half);
    EXPECT(fabs(c->rope.multiplier - strtod(json_string_value(json_object_get(want, "cos_sin_multiplier")), NULL)) <= 1e-15);
    EXPECT(fabs(c->softmax_scale - strtod(json_string_value(json_object_get(want, "softmax_scale")), NULL)) <= 0x1p-24);
    for (size_t i = 0; i < half; i++) {
        double f = c->rope.inv_freq[i], plain = pow(c->rope.theta, -2.0 * (double)i / c->rope.dim);
        EXPECT_MSG(fabs(f / at(inv, i) - 1) <= 4e-15, "%s: frequency %zu is %.17g, recorded %.17g", name, i, f, at(inv, i));
        EXPECT_MSG(fabs(plain / f / at(divisors, i) - 1) <= 8e-15, "%s: divisor %zu is %.17g, recorded %.17g", name, i, plain / f, at(divisors, i));
    }
    json_object_foreach(json_object_get(want, "positions"), position, wave) {
        for (size_t i = 0; i < half; i++) {
            double a = strtod(position, NULL) * c->rope.inv_freq[i];
            EXPECT(fabs((float)(cos(a) * c->rope.multiplier) - at(json_object_get(wave, "cos"), i)) <= 1e-6);
            EXPECT(fabs((float)(sin(a) * c->rope.multiplier) - at(json_object_get(wave, "sin"), i)) <= 1e-6);
        }
        n_positions++;
    }
    EXPECT_INT(n_positions, 5);
}

/* The real model's rope settings in a golden model's config.json. */
static variant real_config(const json_t *want, bool latent)
{
    variant v = golden_config(latent ? "deepseek_v3" : json_is_null(json_object_get(want, "scaling")) ? "qwen2" : "llama");
    json_object_set(v.config, latent ? "qk_rope_head_dim" : "head_dim", json_object_get(want, "dim"));
    json_object_set(v.config, "rope_theta", json_object_get(want, "theta"));
    json_object_set(v.config, "rope_scaling", json_object_get(want, "scaling"));
    set_json(v.config, "max_position_embeddings", "163840");
    if (latent) set_json(v.config, "qk_nope_head_dim", "128");
    return v;
}

static json_t *recorded_rope(void)
{
    json_t *j;
    r1_error e = { 0 };
    EXPECT_OK(r1_json_read(&j, test_path("golden/models/rope.json"), 1 << 24, &e), &e);
    EXPECT_INT(json_object_size(j), 5);
    return j;
}

TEST(rope_of_real_checkpoints_equals_the_recorded_numbers)
{
    json_t *all = recorded_rope(), *want;
    const char *name;
    json_object_foreach(all, name, want) {
        r1_config c;
        r1_error e = { 0 };
        variant v = real_config(want, !strncmp(name, "deepseek", 8));
        EXPECT_OK(read_config(&v, &c, &e), &e);
        expect_rope(&c, want, name);
        r1_config_deinit(&c);
        variant_free(&v);
    }
    json_decref(all);
}

/* The same settings in a GGUF file's words. */
static variant real_gguf(const json_t *want, const char *name)
{
    bool latent = !strncmp(name, "deepseek", 8), llama = !strncmp(name, "llama", 5);
    variant v = variant_gguf_config(latent ? v3_file : llama ? llama_file : qwen_file);
    const char *a = latent ? "deepseek2" : llama ? "llama" : "qwen2";
    const json_t *scaling = json_object_get(want, "scaling");
    uint32_t dim = (uint32_t)json_integer_value(json_object_get(want, "dim"));
    char key[128];
    snprintf(key, sizeof key, "%s.rope.freq_base", a);
    variant_f32(&v, key, (float)json_real_value(json_object_get(want, "theta")));
    snprintf(key, sizeof key, "%s.rope.dimension_count", a);
    variant_u32(&v, key, dim);
    snprintf(key, sizeof key, "%s.attention.key_length%s", a, latent ? "_mla" : "");
    variant_u32(&v, key, latent ? 128 + dim : dim);
    snprintf(key, sizeof key, "%s.attention.value_length", a);
    if (!latent) variant_u32(&v, key, dim);
    if (!latent) return v;
    variant_f32(&v, "deepseek2.rope.scaling.factor", (float)json_number_value(json_object_get(scaling, "factor")));
    variant_u32(&v, "deepseek2.rope.scaling.original_context_length", (uint32_t)json_integer_value(json_object_get(scaling, "original_max_position_embeddings")));
    EXPECT(variant_drop(&v, "deepseek2.rope.scaling.yarn_beta_fast") && variant_drop(&v, "deepseek2.rope.scaling.yarn_beta_slow"));
    variant_f32(&v, "deepseek2.rope.scaling.yarn_log_multiplier", (float)(0.1 * json_real_value(json_object_get(scaling, "mscale_all_dim"))));
    return v;
}

TEST(rope_of_real_gguf_files_equals_the_recorded_numbers)
{
    json_t *all = recorded_rope(), *want;
    const char *name;
    json_object_foreach(all, name, want) {
        r1_config c;
        r1_error e = { 0 };
        variant v = real_gguf(want, name);
        EXPECT_OK(read_config(&v, &c, &e), &e);
        if (!strncmp(name, "llama", 5)) { /* its scaling comes as a tensor of divisors */
            float divisors[64];
            for (size_t i = 0; i < 64; i++) divisors[i] = (float)at(json_object_get(want, "divisors"), i);
            EXPECT(r1_rope_recognise(&c.rope, divisors));
            EXPECT(c.rope.scaling == R1_ROPE_LLAMA3 && c.rope.factor == 8 && c.rope.low == 1 && c.rope.high == 4 && c.rope.original == 8192);
        }
        expect_rope(&c, want, name);
        r1_config_deinit(&c);
        variant_free(&v);
    }
    json_decref(all);
}

/* Files made before converters wrote certain keys (8.4 of the format's description: 61 layers is R1, 27 is V2-Lite). */
TEST(what_old_gguf_files_leave_out_is_known_by_the_sizes)
{
    json_t *all = recorded_rope();
    static const struct { const char *name; uint32_t layers; bool known; } cases[] = {
        { "deepseek-r1", 61, true }, { "deepseek-v2-lite", 27, true }, { "deepseek-r1", 60, false },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_config c;
        r1_error e = { 0 };
        const json_t *want = json_object_get(all, cases[i].name);
        variant v = real_gguf(want, cases[i].name);
        EXPECT(variant_drop(&v, "deepseek2.rope.scaling.yarn_log_multiplier"));
        variant_u32(&v, "deepseek2.block_count", cases[i].layers);
        EXPECT_OK(read_config(&v, &c, &e), &e);
        if (cases[i].known) expect_rope(&c, want, cases[i].name);
        else EXPECT(c.softmax_scale == (float)(1 / sqrt(192)));
        r1_config_deinit(&c);
        variant_free(&v);
    }
    json_decref(all);
}

TEST(expert_groups_of_r1_are_known_by_the_sizes)
{
    static const struct { uint32_t layers, mtp, experts, gating; int groups, used; } cases[] = {
        { 61, 0, 256, 2, 8, 4 }, { 62, 1, 256, 2, 8, 4 }, { 60, 0, 256, 2, 1, 1 }, { 61, 0, 128, 2, 1, 1 }, { 61, 0, 256, 1, 1, 1 },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_config c;
        r1_error e = { 0 };
        variant v = variant_gguf_config(v3_file);
        EXPECT(variant_drop(&v, "deepseek2.expert_group_count") && variant_drop(&v, "deepseek2.expert_group_used_count"));
        variant_u32(&v, "deepseek2.block_count", cases[i].layers);
        variant_u32(&v, "deepseek2.nextn_predict_layers", cases[i].mtp);
        variant_u32(&v, "deepseek2.expert_count", cases[i].experts);
        variant_u32(&v, "deepseek2.expert_gating_func", cases[i].gating);
        EXPECT_OK(read_config(&v, &c, &e), &e);
        EXPECT_INT(c.n_groups, cases[i].groups);
        EXPECT_INT(c.n_groups_used, cases[i].used);
        EXPECT_INT(c.n_layers, (int)(cases[i].layers - cases[i].mtp));
        r1_config_deinit(&c);
        variant_free(&v);
    }
    r1_config c;
    r1_error e = { 0 };
    variant v = variant_gguf_config(v2_file); /* without a gating function: softmax, no renormalisation */
    variant_drop(&v, "deepseek2.expert_gating_func");
    variant_drop(&v, "deepseek2.expert_weights_norm");
    EXPECT_OK(read_config(&v, &c, &e), &e);
    EXPECT(c.arch == R1_ARCH_DEEPSEEK_V2 && !c.sigmoid && !c.normalise);
    r1_config_deinit(&c);
    variant_free(&v);
}

TEST(llama31_without_rope_freqs_is_known_by_its_sizes)
{
    json_t *all = recorded_rope();
    const json_t *want = json_object_get(all, "llama-3.1");
    for (int change = 0; change < 5; change++) {
        r1_config c;
        r1_error e = { 0 };
        variant v = real_gguf(want, "llama-3.1");
        variant_u32(&v, "llama.context_length", change == 1 ? 8192 : 131072);
        variant_u32(&v, "llama.vocab_size", change == 2 ? 128000 : 128256);
        if (change == 3) variant_f32(&v, "llama.rope.freq_base", 10000);
        if (change == 4) { /* then the tensor speaks */
            variant_tensor *t = variant_add_tensor(&v, "rope_freqs.weight", 256);
            t->ne[0] = 64;
        }
        EXPECT_OK(read_config(&v, &c, &e), &e);
        EXPECT_INT(c.rope.scaling, change ? R1_ROPE_PLAIN : R1_ROPE_LLAMA3);
        if (!change) expect_rope(&c, want, "llama-3.1");
        r1_config_deinit(&c);
        variant_free(&v);
    }
    json_decref(all);
}

/* A checkpoint says mscale_all_dim, a GGUF file 0.1 times that rounded to f32: the scale of the scores must come out equal. */
TEST(the_softmax_scale_of_a_gguf_file_is_that_of_its_checkpoint_to_the_bit)
{
    static const double mscale[] = { 0.707, 1, 0.5, 0.8, 1.2, 0.25, 1.414, 0.9, 2.5, 0.6 };
    static const int factors[] = { 4, 8, 16, 32, 40 }, nope[] = { 32, 48, 64, 128 };
    variant a = golden_config("deepseek_v3"), b = variant_gguf_config(v3_file);
    for (size_t i = 0; i < R1_COUNT(mscale) * R1_COUNT(factors) * R1_COUNT(nope); i++) {
        double m = mscale[i % 10];
        int factor = factors[i / 10 % 5], n = nope[i / 50];
        r1_config x, y;
        r1_error e = { 0 };
        json_t *scaling = json_object_get(a.config, "rope_scaling");
        json_object_set_new(scaling, "mscale", json_real(m));
        json_object_set_new(scaling, "mscale_all_dim", json_real(m));
        json_object_set_new(scaling, "factor", json_integer(factor));
        json_object_set_new(a.config, "qk_nope_head_dim", json_integer(n));
        variant_f32(&b, "deepseek2.rope.scaling.factor", (float)factor);
        variant_f32(&b, "deepseek2.rope.scaling.yarn_log_multiplier", (float)(0.1 * m));
        variant_u32(&b, "deepseek2.attention.key_length_mla", (uint32_t)n + 16);
        EXPECT_OK(read_config(&a, &x, &e), &e);
        EXPECT_OK(read_config(&b, &y, &e), &e);
        EXPECT_MSG(x.softmax_scale == y.softmax_scale, "mscale %g, factor %d, %d + 16 dimensions: %.9g and %.9g", m, factor, n, (double)x.softmax_scale, (double)y.softmax_scale);
        EXPECT(!memcmp(x.rope.inv_freq, y.rope.inv_freq, 8 * sizeof(double)));
        r1_config_deinit(&x);
        r1_config_deinit(&y);
    }
    variant_free(&a);
    variant_free(&b);
}

/* What llama.cpp makes of the two keys: cos and sin times attn_factor, scores times (attn_factor (1 + key ln(factor)))^2. */
TEST(the_scales_of_yarn_are_written_as_llama_cpp_reads_them)
{
    static const double mscale[][2] = { { 1, 0.8 }, { 0.8, 1 }, { 1, 0 }, { 0.707, 0.5 }, { 1, 1 }, { 0.707, 0.707 }, { 2.1, 1 }, { 1, 0.47631 }, { 0, 0 } };
    static const int factors[] = { 4, 8, 40 };
    variant a = golden_config("deepseek_v3");
    for (size_t i = 0; i < R1_COUNT(mscale) * R1_COUNT(factors); i++) {
        double all = mscale[i / 3][1], factor = factors[i % 3], l = log(factor), m = r1_yarn_m(factor, all);
        float attention = (float)(r1_yarn_m(factor, mscale[i / 3][0]) / m), key = (float)r1_yarn_log_multiplier(factor, attention, all);
        EXPECT(key != 0); /* else it reads the file as one without the key */
        EXPECT_MSG(fabs((double)attention * (1 + (double)key * l) / m - 1) < 2e-7, "mscale %g and %g: %.9g", mscale[i / 3][0], all, (double)key);
        for (int old = 0; old < 2; old++) { /* early versions wrote a tenth of mscale_all_dim */
            r1_config x, y;
            r1_error e = { 0 };
            variant b = variant_gguf_config(v3_file);
            json_t *scaling = json_object_get(a.config, "rope_scaling");
            json_object_set_new(scaling, "mscale", json_real(mscale[i / 3][0]));
            json_object_set_new(scaling, "mscale_all_dim", json_real(all));
            json_object_set_new(scaling, "factor", json_real(factor));
            json_object_set_new(scaling, "attention_factor", json_real(r1_yarn_m(factor, mscale[i / 3][0]) / m)); /* 0 means something else */
            variant_f32(&b, "deepseek2.rope.scaling.factor", (float)factor);
            variant_f32(&b, "deepseek2.rope.scaling.yarn_log_multiplier", old ? (float)(0.1 * all) : key);
            if (attention != 1) variant_f32(&b, "deepseek2.rope.scaling.attn_factor", attention);
            EXPECT_OK(read_config(&a, &x, &e), &e);
            EXPECT_OK(read_config(&b, &y, &e), &e);
            bool close = fabs(x.softmax_scale - y.softmax_scale) <= 1e-7f * x.softmax_scale && fabs(x.rope.multiplier / y.rope.multiplier - 1) < 1e-7;
            bool equal = x.softmax_scale == y.softmax_scale && (float)x.rope.multiplier == (float)y.rope.multiplier;
            EXPECT_MSG(all == 0.47631 ? close : equal, "mscale %g and %g, factor %g, old %d: %.9g and %.9g", mscale[i / 3][0], all, factor, old,
                       (double)x.softmax_scale, (double)y.softmax_scale);
            r1_config_deinit(&x);
            r1_config_deinit(&y);
            variant_free(&b);
        }
    }
    variant_free(&a);
}

/* ---- divisors ----------------------------------------------------------------------------------------------------- */

/* Exact frequencies of llama3 scaling, written out again. */
static void llama3(double *f, int dim, double theta, double factor, double low, double high, double original)
{
    for (int i = 0; i < dim / 2; i++) {
        double plain = pow(theta, -2.0 * i / dim), wave = 2 * M_PI / plain, t = (original / wave - low) / (high - low);
        f[i] = wave < original / high ? plain : wave > original / low ? plain / factor : (1 - t) * plain / factor + t * plain;
    }
}

static r1_rope plain_rope(int dim, double theta, double *freq)
{
    for (int i = 0; i < dim / 2; i++) freq[i] = pow(theta, -2.0 * i / dim);
    return (r1_rope){ .dim = dim, .theta = theta, .factor = 1, .multiplier = 1, .inv_freq = freq };
}

TEST(llama3_scaling_is_recognised_in_rounded_divisors)
{
    static const int dims[] = { 128, 64, 48, 16, 6, 2 };
    static const double thetas[] = { 500000, 10000, 1e6 }, factors[] = { 8, 32, 4, 2, 10 }, originals[] = { 8192, 4096, 64, 1000 };
    size_t recognised = 0, tried = 0;
    for (size_t n = 0; n < 6 * 3 * 5 * 4 * 2; n++) {
        int dim = dims[n % 6];
        double theta = thetas[n / 6 % 3], factor = factors[n / 18 % 5], original = originals[n / 90 % 4], low = n / 360 ? 2 : 1, high = n / 360 ? 8 : 4;
        double want[64], freq[64], worst = 0;
        float divisors[64];
        bool between = false;
        r1_rope r = plain_rope(dim, theta, freq);
        llama3(want, dim, theta, factor, low, high, original);
        for (int i = 0; i < dim / 2; i++) {
            divisors[i] = (float)(freq[i] / want[i]);
            between = between || (divisors[i] > 1 && divisors[i] < (float)factor);
        }
        bool known = r1_rope_recognise(&r, divisors);
        for (int i = 0; i < dim / 2 && !known; i++) freq[i] /= divisors[i]; /* what a binder does then */
        for (int i = 0; i < dim / 2; i++) worst = fmax(worst, fabs(freq[i] / want[i] - 1));
        EXPECT_MSG(worst <= (known ? 4e-16 : 6e-8), "%d dimensions, theta %g, factor %g, %g to %g of %g: off by %g", dim, theta, factor, low, high, original, worst);
        if (known) EXPECT(r.scaling == R1_ROPE_LLAMA3);
        else EXPECT(r.scaling == R1_ROPE_PLAIN && r.factor == 1);
        tried += between && divisors[dim / 2 - 1] == (float)factor;
        recognised += known;
    }
    EXPECT_MSG(recognised == tried, "%zu of %zu", recognised, tried); /* each that has both a part between and the whole factor */
    EXPECT(tried > 100);
}

TEST(other_divisors_are_left_alone)
{
    uint64_t seed = test_seed();
    for (int round = 0; round < 200; round++) {
        double freq[64], before[64];
        float divisors[64];
        r1_rope r = plain_rope(128, 500000, freq);
        llama3(before, 128, 500000, 8, 1, 4, 8192);
        for (int i = 0; i < 64; i++) {
            double exact = freq[i] / before[i];
            if (round == 0) divisors[i] = 1 + (float)i / 9;                                    /* a ramp */
            else if (round == 1) divisors[i] = 4;                                              /* linear */
            else if (round == 2) divisors[i] = 1;
            else divisors[i] = (float)(exact * (1 + (i == 29 + round % 6 ? 1e-5 : 0)));        /* llama3 but for one */
            if (round > 100) divisors[i] = 1 + (float)(test_random(&seed) % 1000) / 100;
        }
        memcpy(before, freq, sizeof freq);
        r1_rope was = r;
        EXPECT(!r1_rope_recognise(&r, divisors));
        EXPECT(!memcmp(&was, &r, sizeof r) && !memcmp(before, freq, sizeof freq));
    }
}
