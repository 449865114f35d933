/* The tokenizer of a folder as keys of a GGUF file.
 *
 * The tokenizer is opened first, so that only what r1 understands is written, under the name of its splitting rules. Tokens
 * and merges are then taken from tokenizer.json as they are spelled there. Ids without a token, up to the rows of the
 * embedding, are "[PAD123]" of type unused, as converters write them. */
#include "convert/convert_int.h"

#include <stdio.h>

typedef struct vocab {
    r1_slice *tokens;
    int32_t *types;
    size_t n;
    char *pads;              /* texts of the fillers */
    r1_slice *merges;
    char *merge_text;
    size_t n_merges;
} vocab;

enum { PAD_TEXT = 24 };

static r1_slice slice_of(const json_t *s) { return (r1_slice){ json_string_value(s), json_string_length(s) }; }

static r1_status put_token(vocab *v, const json_t *id, r1_slice text, int type, r1_error *err)
{
    json_int_t i = json_integer_value(id);
    if (!json_is_integer(id) || i < 0 || (size_t)i >= v->n)
        return r1_fail(err, R1_EFORMAT, "token '%.100s' has id %lld, expected 0 to %zu, the rows of the embedding", text.p ? text.p : "", (long long)i, v->n - 1);
    v->tokens[i] = text;
    v->types[i] = type;
    return R1_OK;
}

static r1_status take_tokens(vocab *v, const json_t *root, r1_error *err)
{
    const char *key;
    json_t *x;
    size_t i;
    r1_status s = R1_OK;
    v->tokens = calloc(v->n, sizeof *v->tokens);
    v->types = calloc(v->n, sizeof *v->types);
    v->pads = malloc(v->n * PAD_TEXT);
    if (!v->tokens || !v->types || !v->pads) return r1_fail(err, R1_ENOMEM, "no memory for %zu tokens", v->n);
    json_object_foreach(json_object_get(json_object_get(root, "model"), "vocab"), key, x)
        if (s == R1_OK) s = put_token(v, x, (r1_slice){ key, strlen(key) }, R1_TOKEN_NORMAL, err);
    json_array_foreach(json_object_get(root, "added_tokens"), i, x) {
        int type = json_is_true(json_object_get(x, "special")) ? R1_TOKEN_CONTROL : R1_TOKEN_USER_DEFINED;
        if (s == R1_OK) s = put_token(v, json_object_get(x, "id"), slice_of(json_object_get(x, "content")), type, err);
    }
    for (i = 0; i < v->n && s == R1_OK; i++) {
        if (v->tokens[i].p) continue;
        int n = snprintf(v->pads + i * PAD_TEXT, PAD_TEXT, "[PAD%zu]", i);
        v->tokens[i] = (r1_slice){ v->pads + i * PAD_TEXT, (size_t)n };
        v->types[i] = R1_TOKEN_UNUSED;
    }
    return s;
}

/* "a b" stays; ["a", "b"] is put together. */
static r1_status take_merges(vocab *v, const json_t *root, r1_error *err)
{
    const json_t *list = json_object_get(json_object_get(root, "model"), "merges");
    size_t bytes = 1;
    v->n_merges = json_array_size(list);
    for (size_t i = 0; i < v->n_merges; i++) {
        const json_t *m = json_array_get(list, i);
        bytes += json_string_length(json_array_get(m, 0)) + json_string_length(json_array_get(m, 1)) + 1;
    }
    v->merges = calloc(r1_max(v->n_merges, 1), sizeof *v->merges);
    char *at = v->merge_text = malloc(bytes);
    if (!v->merges || !at) return r1_fail(err, R1_ENOMEM, "no memory for %zu merges", v->n_merges);
    for (size_t i = 0; i < v->n_merges; i++) {
        const json_t *m = json_array_get(list, i);
        v->merges[i] = slice_of(m);
        if (json_is_string(m)) continue;
        r1_slice a = slice_of(json_array_get(m, 0)), b = slice_of(json_array_get(m, 1));
        v->merges[i] = (r1_slice){ at, a.n + 1 + b.n };
        if (a.n) memcpy(at, a.p, a.n);
        at[a.n] = ' ';
        if (b.n) memcpy(at + a.n + 1, b.p, b.n);
        at += a.n + 1 + b.n;
    }
    return R1_OK;
}

static r1_status put_id(r1_gguf_out *w, const char *key, int64_t id, r1_error *err)
{
    return id < 0 ? R1_OK : r1_gguf_out_int(w, key, R1_GGUF_U32, id, err);
}

/* Ids that end a generation beside EOS: the first two have keys of their own. */
static r1_status put_other_ends(r1_gguf_out *w, const r1_ckpt *c, int32_t eos, r1_error *err)
{
    static const char *const keys[] = { "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id" };
    const json_t *list = json_object_get(r1_ckpt_generation(c) ? r1_ckpt_generation(c) : r1_ckpt_config(c), "eos_token_id");
    size_t k = 0, n = json_is_array(list) ? json_array_size(list) : json_is_integer(list) ? 1 : 0;
    r1_status s = R1_OK;
    for (size_t i = 0; i < n && k < R1_COUNT(keys) && s == R1_OK; i++) {
        json_int_t id = json_integer_value(json_is_array(list) ? json_array_get(list, i) : list);
        if (id != eos) s = put_id(w, keys[k++], id, err);
    }
    return s;
}

static json_int_t pad_id(const r1_ckpt *c, const vocab *v)
{
    const json_t *pad = json_object_get(r1_ckpt_tokenizer_config(c), "pad_token");
    if (json_is_object(pad)) pad = json_object_get(pad, "content");
    r1_slice want = slice_of(pad);
    for (size_t i = 0; want.p && i < v->n; i++)
        if (v->tokens[i].n == want.n && !memcmp(v->tokens[i].p, want.p, want.n)) return (json_int_t)i;
    const json_t *id = json_object_get(r1_ckpt_generation(c), "pad_token_id");
    return json_is_integer(id) && json_integer_value(id) < (json_int_t)v->n ? json_integer_value(id) : -1;
}

static r1_status put_all(r1_gguf_out *w, const r1_ckpt *c, const r1_tokenizer *t, const vocab *v, r1_error *err)
{
    const char *pre = r1_tokenizer_pre(t);
    r1_slice template = r1_ckpt_chat_template(c);
    if (!strcmp(pre, "steps"))
        return r1_fail(err, R1_EUNSUPPORTED, "the splitting rules of tokenizer.json are none that has a name in GGUF files; deepseek-v3, deepseek-llm, qwen2, "
                       "llama-bpe, gpt-2 and smollm have");
    r1_status s = r1_gguf_out_str(w, "tokenizer.ggml.model", "gpt2", 4, err);
    if (s == R1_OK) s = r1_gguf_out_str(w, "tokenizer.ggml.pre", pre, strlen(pre), err);
    if (s == R1_OK) s = r1_gguf_out_strings(w, "tokenizer.ggml.tokens", v->tokens, v->n, err);
    if (s == R1_OK) s = r1_gguf_out_array(w, "tokenizer.ggml.token_type", R1_GGUF_I32, v->types, v->n, err);
    if (s == R1_OK) s = r1_gguf_out_strings(w, "tokenizer.ggml.merges", v->merges, v->n_merges, err);
    if (s == R1_OK) s = put_id(w, "tokenizer.ggml.bos_token_id", r1_tokenizer_bos(t), err);
    if (s == R1_OK) s = put_id(w, "tokenizer.ggml.eos_token_id", r1_tokenizer_eos(t), err);
    if (s == R1_OK) s = put_other_ends(w, c, r1_tokenizer_eos(t), err);
    if (s == R1_OK) s = put_id(w, "tokenizer.ggml.padding_token_id", pad_id(c, v), err);
    if (s == R1_OK) s = r1_gguf_out_bool(w, "tokenizer.ggml.add_bos_token", r1_tokenizer_adds_bos(t), err);
    if (s == R1_OK && template.n) s = r1_gguf_out_str(w, "tokenizer.chat_template", template.p, template.n, err);
    return s;
}

/* What generation_config.json advises, under the names llama.cpp reads. */
static r1_status put_advice(r1_gguf_out *w, const r1_ckpt *c, r1_error *err)
{
    static const struct { const char *json, *key; } reals[] = {
        { "temperature", "general.sampling.temp" }, { "top_p", "general.sampling.top_p" }, { "min_p", "general.sampling.min_p" },
        { "repetition_penalty", "general.sampling.penalty_repeat" },
    };
    const json_t *g = r1_ckpt_generation(c), *k = json_object_get(g, "top_k");
    r1_status s = R1_OK;
    for (size_t i = 0; i < R1_COUNT(reals) && s == R1_OK; i++) {
        const json_t *v = json_object_get(g, reals[i].json);
        if (json_is_number(v)) s = r1_gguf_out_real(w, reals[i].key, R1_GGUF_F32, json_number_value(v), err);
    }
    if (s == R1_OK && json_is_integer(k) && json_integer_value(k) >= 0 && json_integer_value(k) <= INT32_MAX)
        s = r1_gguf_out_int(w, "general.sampling.top_k", R1_GGUF_I32, json_integer_value(k), err);
    return s;
}

r1_status r1_gguf_put_vocab(r1_gguf_out *w, const r1_ckpt *c, size_t n_vocab, r1_error *err)
{
    r1_slice text = r1_ckpt_tokenizer_json(c);
    r1_tokenizer *t = NULL;
    json_t *root = NULL;
    vocab v = { .n = n_vocab };
    r1_status s = r1_ckpt_tokenizer(c, &t, err);
    if (s == R1_OK) s = r1_json_parse(&root, text.p, text.n, err);
    if (s == R1_OK) s = take_tokens(&v, root, err);
    if (s == R1_OK) s = take_merges(&v, root, err);
    if (s == R1_OK) s = put_advice(w, c, err);
    if (s == R1_OK) s = put_all(w, c, t, &v, err);
    free(v.tokens);
    free(v.types);
    free(v.pads);
    free(v.merges);
    free(v.merge_text);
    json_decref(root);
    r1_tokenizer_free(t);
    return s;
}
