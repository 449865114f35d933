/* Metadata of GGUF files.
 *
 * llama: converters reorder the rows of Q and K so that rope pairs are adjacent. r1 rotates adjacent pairs and writes them
 * back in the original order, so that keys, scores and their roundings are those of the safetensors file.
 * deepseek2 holds V2 and V3; the gating function tells them apart.
 */
#include "model/config.h"

#include <math.h>
#include <stdio.h>

typedef struct reader {
    const r1_gguf *g;
    const char *arch;
    r1_error *err;
    r1_status s;       /* the first failure; later reads do nothing */
} reader;

static const char *full(const reader *r, const char *key, char buf[256])
{
    snprintf(buf, 256, "%s.%s", r->arch, key);
    return buf;
}

static bool has(const reader *r, const char *key)
{
    char buf[256];
    return r1_gguf_find(r->g, full(r, key, buf)) != NULL;
}

static int integer(reader *r, const char *key, bool required, int64_t fallback, int64_t lo, int64_t hi)
{
    char buf[256];
    int64_t v = fallback;
    if (r->s == R1_OK) r->s = r1_gguf_int(r->g, full(r, key, buf), required, fallback, lo, hi, &v, r->err);
    return (int)v;
}

static double real(reader *r, const char *key, bool required, double fallback)
{
    char buf[256];
    double v = fallback;
    if (r->s) return v;
    const r1_gguf_kv *kv = r1_gguf_find(r->g, full(r, key, buf));
    if (kv && kv->type != R1_GGUF_F32 && kv->type != R1_GGUF_F64) return integer(r, key, required, 0, INT32_MIN, INT32_MAX); /* a whole number will do */
    r->s = r1_gguf_real(r->g, buf, required, fallback, &v, r->err);
    return v;
}

static bool boolean(reader *r, const char *key, bool fallback)
{
    char buf[256];
    bool v = fallback;
    if (r->s == R1_OK) r->s = r1_gguf_bool(r->g, full(r, key, buf), fallback, &v, r->err);
    return v;
}

static bool slice_is(r1_slice s, const char *word) { return s.n == strlen(word) && !memcmp(s.p, word, s.n); }

static void read_rope(reader *r, r1_config *c)
{
    r1_rope *o = &c->rope;
    o->theta = real(r, "rope.freq_base", false, 10000);
    r1_slice kind = { 0 };
    char buf[256];
    if (r->s == R1_OK) r->s = r1_gguf_str(r->g, full(r, "rope.scaling.type", buf), false, &kind, r->err);
    if (r->s) return;
    if (!kind.p || slice_is(kind, "none")) return;
    if (slice_is(kind, "linear")) o->scaling = R1_ROPE_LINEAR;
    else if (slice_is(kind, "yarn")) o->scaling = R1_ROPE_YARN;
    else if (slice_is(kind, "llama3")) o->scaling = R1_ROPE_LLAMA3;
    else {
        r->s = r1_fail(r->err, R1_EUNSUPPORTED, "'%s' is '%.*s'; none, linear, yarn and llama3 are supported", full(r, "rope.scaling.type", buf),
                       (int)r1_min(kind.n, 64), kind.p);
        return;
    }
    o->factor = real(r, "rope.scaling.factor", true, 1);
    o->original = real(r, "rope.scaling.original_context_length", false, c->n_ctx);
    o->low = real(r, "rope.scaling.low_freq_factor", false, 1);
    o->high = real(r, "rope.scaling.high_freq_factor", false, 4);
    o->beta_fast = real(r, "rope.scaling.yarn_beta_fast", false, 32);
    o->beta_slow = real(r, "rope.scaling.yarn_beta_slow", false, 1);
    if (o->scaling == R1_ROPE_YARN) {
        o->multiplier = real(r, "rope.scaling.attn_factor", false, 1);
        if (!c->mla) o->multiplier *= r1_yarn_m(o->factor, 1);
    }
}

/* Llama-3.1 files made before the converters wrote rope_freqs: the same model by its sizes. */
static void old_llama31(const reader *r, r1_config *c)
{
    if (c->rope.scaling != R1_ROPE_PLAIN || r1_gguf_find_tensor(r->g, "rope_freqs.weight")) return;
    if (c->rope.theta != 500000 || c->n_ctx != 131072 || c->n_vocab != 128256) return;
    c->rope.scaling = R1_ROPE_LLAMA3;
    c->rope.factor = 8;
    c->rope.low = 1;
    c->rope.high = 4;
    c->rope.original = 8192;
}

/* The factor of cos and sin is a quotient of two numbers that follow from short decimals of config.json; the key has it rounded
 * to f32. Back to the exact one, where a decimal gives the same f32. */
static void exact_multiplier(r1_rope *o, double m)
{
    if (o->multiplier == 1 || o->factor <= 1) return;
    double mscale = rint((o->multiplier * m - 1) / (0.1 * log(o->factor)) * 1e4) / 1e4;
    double exact = r1_yarn_m(o->factor, mscale) / m;
    if ((float)exact == (float)o->multiplier) o->multiplier = exact;
}

/* m of the scores, which are multiplied by m^2, from the keys attn_factor (o->multiplier) and yarn_log_multiplier. m is 1 + 0.1 ln(factor) times
 * config.json's mscale_all_dim, a short decimal: found again, it gives the checkpoint's bits. Beside an attn_factor that is not 1 the key is what
 * r1_yarn_log_multiplier makes of it, or, in files of early versions of r1, a tenth of that number. */
static double scale_of_scores(const r1_rope *o, double key)
{
    if (o->factor <= 1) return 1;
    double l = log(o->factor), short_key = rint(key * 1e6) / 1e6, whole = o->multiplier * (1 + key * l), all = rint((whole - 1) / (0.1 * l) * 1e4) / 1e4;
    bool is_short = (float)short_key == (float)key || fabs(key) <= 2 * R1_YARN_LOG_LEAST;
    if (o->multiplier == 1 || key == 0) return 1 + (is_short ? short_key : key) * l;
    double m = r1_yarn_m(o->factor, all), mscale = rint((o->multiplier * m - 1) / (0.1 * l) * 1e4) / 1e4;
    bool made = (float)r1_yarn_log_multiplier(o->factor, (float)o->multiplier, all) == (float)key;
    bool of_decimals = made && (float)(r1_yarn_m(o->factor, mscale) / m) == (float)o->multiplier; /* a tenth of one would give an odd mscale */
    if (is_short && !of_decimals) return 1 + short_key * l;
    return made ? m : whole;
}

static void read_mla(reader *r, r1_config *c)
{
    c->q_lora = integer(r, "attention.q_lora_rank", false, 0, 0, R1_DIM_MAX);
    c->kv_lora = integer(r, "attention.kv_lora_rank", true, 0, 1, R1_DIM_MAX);
    c->rope.dim = integer(r, "rope.dimension_count", true, 0, 2, R1_DIM_MAX);
    bool split = has(r, "attention.key_length_mla"); /* files since the latent layout give the widths of a head under other names */
    c->head_dim = integer(r, split ? "attention.key_length_mla" : "attention.key_length", true, 0, 1, R1_DIM_MAX);
    c->v_dim = integer(r, split ? "attention.value_length_mla" : "attention.value_length", true, 0, 1, R1_DIM_MAX);
    c->nope_dim = c->head_dim - c->rope.dim;
    if (r->s == R1_OK && c->nope_dim < 1)
        r->s = r1_fail(r->err, R1_EFORMAT, "a head of %d dimensions cannot have %d rotated ones", c->head_dim, c->rope.dim);
    c->rope.adjacent = true;
    c->n_kv_heads = 1;
    double log_m = 0;
    if (c->rope.scaling == R1_ROPE_YARN) /* early converters left the key out of R1 and V2-Lite files */
        log_m = real(r, "rope.scaling.yarn_log_multiplier", false, c->n_layers == 61 ? 0.1 : c->n_layers == 27 ? 0.0707 : 0);
    double m = scale_of_scores(&c->rope, log_m);
    exact_multiplier(&c->rope, m);
    c->softmax_scale = (float)(m * m / sqrt(c->head_dim));
}

static void read_experts(reader *r, r1_config *c)
{
    c->n_dense = c->n_layers;
    c->n_experts = integer(r, "expert_count", false, 0, 0, R1_EXPERTS_MAX);
    if (c->n_experts == 0) return;
    c->n_dense = integer(r, "leading_dense_block_count", false, 0, 0, R1_LAYERS_MAX);
    c->n_used = integer(r, "expert_used_count", true, 0, 1, R1_EXPERTS_MAX);
    c->n_shared = integer(r, "expert_shared_count", false, 0, 0, R1_EXPERTS_MAX);
    c->n_ff_expert = integer(r, "expert_feed_forward_length", true, 0, 1, R1_DIM_MAX);
    int gating = integer(r, "expert_gating_func", false, 1, 1, 2);
    c->sigmoid = gating == 2;
    c->arch = c->sigmoid ? R1_ARCH_DEEPSEEK_V3 : R1_ARCH_DEEPSEEK_V2;
    bool r1 = c->sigmoid && c->n_experts == 256 && c->n_layers == 61; /* converters of that time did not store the groups */
    c->n_groups = integer(r, "expert_group_count", false, r1 ? 8 : 1, 1, R1_EXPERTS_MAX);
    c->n_groups_used = integer(r, "expert_group_used_count", false, r1 ? 4 : 1, 1, R1_EXPERTS_MAX);
    c->expert_scale = (float)real(r, "expert_weights_scale", false, 1);
    c->normalise = boolean(r, "expert_weights_norm", c->sigmoid);
}

r1_status r1_config_from_gguf(r1_config *c, const r1_ckpt *ckpt, r1_error *err)
{
    reader r = { r1_ckpt_gguf(ckpt), r1_ckpt_architecture(ckpt), err, R1_OK };
    bool llama = !strcmp(r.arch, "llama"), qwen2 = !strcmp(r.arch, "qwen2"), deepseek = !strcmp(r.arch, "deepseek2");
    if (!*r.arch) return r1_fail(err, R1_EFORMAT, "'general.architecture' is missing");
    if (!llama && !qwen2 && !deepseek)
        return r1_fail(err, R1_EUNSUPPORTED, "architecture '%s' is not supported; supported are " R1_ARCH_LIST, r.arch);
    c->arch = llama ? R1_ARCH_LLAMA : qwen2 ? R1_ARCH_QWEN2 : R1_ARCH_DEEPSEEK_V2;
    c->mla = deepseek;
    int blocks = integer(&r, "block_count", true, 0, 1, R1_LAYERS_MAX);
    c->n_mtp = integer(&r, "nextn_predict_layers", false, 0, 0, 1);
    c->n_layers = blocks - c->n_mtp; /* block_count counts the extra block */
    if (r.s == R1_OK && c->n_layers < 1) return r1_fail(err, R1_EFORMAT, "'%s.block_count' is %d with %d of them for prediction", r.arch, blocks, c->n_mtp);
    c->n_embd = integer(&r, "embedding_length", true, 0, 1, R1_DIM_MAX);
    c->n_heads = integer(&r, "attention.head_count", true, 0, 1, R1_DIM_MAX);
    c->n_kv_heads = integer(&r, "attention.head_count_kv", false, c->n_heads, 1, R1_DIM_MAX);
    c->n_ff = integer(&r, "feed_forward_length", true, 0, 1, R1_DIM_MAX);
    c->n_ctx = integer(&r, "context_length", true, 0, 1, 1 << 26);
    c->eps = (float)real(&r, "attention.layer_norm_rms_epsilon", true, 1e-6);
    c->tied = true; /* if output.weight is absent */
    if (r.s) return r.s;
    const r1_gguf_tensor *embd = r1_gguf_find_tensor(r.g, "token_embd.weight");
    if (!embd) return r1_fail(err, R1_EFORMAT, "tensor 'token_embd.weight' is missing");
    if (embd->ne[1] > 1 << 24) return r1_fail(err, R1_EFORMAT, "tensor 'token_embd.weight' has %llu rows, expected at most %d", (unsigned long long)embd->ne[1], 1 << 24);
    c->n_vocab = integer(&r, "vocab_size", false, (int64_t)embd->ne[1], 1, 1 << 24);
    read_rope(&r, c);
    if (r.s) return r.s;
    if (deepseek) {
        read_mla(&r, c);
        read_experts(&r, c);
        return r.s;
    }
    if (!has(&r, "attention.key_length") && c->n_embd % c->n_heads)
        return r1_fail(err, R1_EFORMAT, "embedding length %d is no multiple of %d heads", c->n_embd, c->n_heads);
    c->head_dim = integer(&r, "attention.key_length", false, c->n_embd / c->n_heads, 1, R1_DIM_MAX);
    int v = integer(&r, "attention.value_length", false, c->head_dim, 1, R1_DIM_MAX);
    if (r.s == R1_OK && v != c->head_dim) return r1_fail(err, R1_EUNSUPPORTED, "values of %d dimensions beside keys of %d", v, c->head_dim);
    c->rope.dim = integer(&r, "rope.dimension_count", false, c->head_dim, 2, R1_DIM_MAX);
    c->n_dense = c->n_layers;
    c->qkv_bias = qwen2;
    c->softmax_scale = (float)(1 / sqrt(c->head_dim));
    c->rope.adjacent = c->rope.to_halves = llama;
    old_llama31(&r, c);
    if (r.s == R1_OK && has(&r, "expert_count") && integer(&r, "expert_count", false, 0, 0, R1_EXPERTS_MAX) > 0)
        return r1_fail(err, R1_EUNSUPPORTED, "architecture '%s' with experts is not supported; experts are supported in deepseek2", r.arch);
    return r.s;
}
