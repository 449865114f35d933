/* tokenizer.json and tokenizer_config.json from a GGUF file's vocabulary.
 *
 * A GGUF file names its splitting rules; a tokenizer.json spells them out. Those of the families r1 knows are written as
 * the families' own files have them. Added tokens stay out of the vocabulary proper, so that merging can never make one;
 * they are in it too where their ids would otherwise move: readers number what is not in the vocabulary from its end on. */
#include "convert/convert_int.h"
#include "base/utf8.h"

#include <stdio.h>

typedef struct vocab {
    r1_slice *tokens, *merges;
    int32_t *types;
    size_t n, n_merges, n_types;
    r1_tokenizer *t;
    const char *pre;
} vocab;

static json_t *text_of(r1_slice s) { return json_stringn(s.n ? s.p : "", s.n); }

/* Takes v, which may be NULL. */
static bool set(json_t *o, const char *key, json_t *v) { return json_object_set_new(o, key, v) == 0; }
static bool append(json_t *list, json_t *v) { return json_array_append_new(list, v) == 0; }

static bool is_added(const vocab *v, size_t i)
{
    return v->types && (v->types[i] == R1_TOKEN_CONTROL || v->types[i] == R1_TOKEN_USER_DEFINED || v->types[i] == R1_TOKEN_UNKNOWN);
}

static bool is_normal(const vocab *v, size_t i) { return !v->types || v->types[i] == R1_TOKEN_NORMAL; }

/* Whether every added token has the id that counting on from the vocabulary gives it. */
static bool added_follow(const vocab *v)
{
    size_t next = 0, i;
    for (i = 0; i < v->n; i++)
        if (is_normal(v, i)) next = i + 1;
    for (i = 0; i < v->n; i++)
        if (is_added(v, i) && i != next++) return false;
    return true;
}

static json_t *make_vocab(const vocab *v, bool *ok)
{
    json_t *o = json_object();
    bool all = !added_follow(v);
    for (size_t i = 0; i < v->n && *ok; i++) {
        if (!is_normal(v, i) && !(all && is_added(v, i))) continue;
        *ok = json_object_setn_new(o, v->tokens[i].n ? v->tokens[i].p : "", v->tokens[i].n, json_integer((json_int_t)i)) == 0;
    }
    return o;
}

static json_t *make_added(const vocab *v, bool *ok)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->n && *ok; i++) {
        if (!is_added(v, i)) continue;
        bool special = v->types[i] != R1_TOKEN_USER_DEFINED;
        *ok = append(list, json_pack("{s:I,s:o,s:b,s:b,s:b,s:b,s:b}", "id", (json_int_t)i, "content", text_of(v->tokens[i]), "single_word", 0, "lstrip", 0,
                                     "rstrip", 0, "normalized", 0, "special", (int)special));
    }
    return list;
}

static json_t *make_merges(const vocab *v, bool *ok)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->n_merges && *ok; i++) *ok = append(list, text_of(v->merges[i]));
    return list;
}

static json_t *byte_level(bool regex)
{
    return json_pack("{s:s,s:b,s:b,s:b}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1, "use_regex", (int)regex);
}

static json_t *make_rules(const vocab *v, bool *ok)
{
    json_t *list = json_array();
    bool smollm = !strcmp(v->pre, "smollm"), digits = smollm || !strcmp(v->pre, "deepseek-llm");
    const char *pattern;
    for (size_t i = 0; (pattern = r1_tokenizer_pattern(v->pre, i)) && *ok; i++)
        *ok = append(list, json_pack("{s:s,s:{s:s},s:s,s:b}", "type", "Split", "pattern", "Regex", pattern, "behavior", "Isolated", "invert", 0));
    if (digits && *ok) *ok = append(list, json_pack("{s:s,s:b}", "type", "Digits", "individual_digits", 1));
    if (*ok) *ok = append(list, byte_level(smollm || !strcmp(v->pre, "gpt-2")));
    return json_pack("{s:s,s:o}", "type", "Sequence", "pretokenizers", list);
}

/* A BOS before the text, or nothing but the bytes' offsets. */
static json_t *make_post(const vocab *v)
{
    int32_t bos = r1_tokenizer_bos(v->t);
    if (!r1_tokenizer_adds_bos(v->t) || bos < 0) return byte_level(false);
    json_t *single = json_pack("[{s:{s:o,s:i}},{s:{s:s,s:i}}]", "SpecialToken", "id", text_of(v->tokens[bos]), "type_id", 0, "Sequence", "id", "A", "type_id", 0);
    json_t *pair = json_pack("[{s:{s:o,s:i}},{s:{s:s,s:i}},{s:{s:o,s:i}},{s:{s:s,s:i}}]", "SpecialToken", "id", text_of(v->tokens[bos]), "type_id", 0, "Sequence",
                             "id", "A", "type_id", 0, "SpecialToken", "id", text_of(v->tokens[bos]), "type_id", 1, "Sequence", "id", "B", "type_id", 1);
    json_t *special = json_object();
    (void)json_object_setn_new(special, v->tokens[bos].p, v->tokens[bos].n,
                               json_pack("{s:o,s:[i],s:[o]}", "id", text_of(v->tokens[bos]), "ids", bos, "tokens", text_of(v->tokens[bos])));
    return json_pack("{s:s,s:o,s:o,s:o}", "type", "TemplateProcessing", "single", single, "pair", pair, "special_tokens", special);
}

static json_t *make_model(const vocab *v, bool *ok)
{
    json_t *words = make_vocab(v, ok), *merges = make_merges(v, ok);
    return json_pack("{s:s,s:n,s:n,s:n,s:n,s:b,s:b,s:b,s:o,s:o}", "type", "BPE", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
                     "fuse_unk", 0, "byte_fallback", 0, "ignore_merges", !strcmp(v->pre, "llama-bpe"), "vocab", words, "merges", merges);
}

static json_t *make_tokenizer(const vocab *v, bool *ok)
{
    json_t *o = json_object();
    bool nfc = !strcmp(v->pre, "qwen2");
    *ok = *ok && set(o, "version", json_string("1.0")) && set(o, "truncation", json_null()) && set(o, "padding", json_null());
    json_t *added = make_added(v, ok);
    *ok = set(o, "added_tokens", added) && *ok;
    *ok = *ok && set(o, "normalizer", nfc ? json_pack("{s:s}", "type", "NFC") : json_null());
    json_t *rules = make_rules(v, ok);
    *ok = set(o, "pre_tokenizer", rules) && *ok;
    *ok = *ok && set(o, "post_processor", make_post(v)) && set(o, "decoder", byte_level(true));
    json_t *model = make_model(v, ok);
    *ok = set(o, "model", model) && *ok;
    return o;
}

static bool set_token(json_t *o, const char *key, const vocab *v, int64_t id)
{
    return id < 0 || id >= (int64_t)v->n || set(o, key, text_of(v->tokens[id]));
}

static json_t *make_config(const vocab *v, const r1_ckpt *c, int n_ctx, bool *ok)
{
    const r1_gguf *g = r1_ckpt_gguf(c);
    json_t *o = json_object();
    r1_slice template = r1_ckpt_chat_template(c);
    int64_t pad = -1;
    if (r1_gguf_int(g, "tokenizer.ggml.padding_token_id", false, -1, -1, INT32_MAX, &pad, NULL)) pad = -1;
    *ok = *ok && set(o, "tokenizer_class", json_string("PreTrainedTokenizerFast")) && set(o, "add_bos_token", json_boolean(r1_tokenizer_adds_bos(v->t))) &&
          set(o, "add_eos_token", json_false()) && set(o, "clean_up_tokenization_spaces", json_false()) &&
          set_token(o, "bos_token", v, r1_tokenizer_bos(v->t)) && set_token(o, "eos_token", v, r1_tokenizer_eos(v->t)) && set_token(o, "pad_token", v, pad);
    if (n_ctx > 0) *ok = *ok && set(o, "model_max_length", json_integer(n_ctx));
    if (template.n) *ok = *ok && set(o, "chat_template", text_of(template));
    return o;
}

/* JSON is UTF-8, a GGUF file's strings may be anything. */
static r1_status check_texts(const char *what, const r1_slice *t, size_t n, const char *path, r1_error *err)
{
    size_t bad;
    for (size_t i = 0; i < n; i++)
        if (!r1_utf8_is_valid(t[i].n ? t[i].p : "", t[i].n, &bad))
            return r1_fail(err, R1_EFORMAT, "'%s': %s %zu, '%.*s', is no UTF-8 at its byte %zu, expected text, as tokenizer.json has it", path, what, i,
                           (int)r1_min(t[i].n, 64), t[i].p, bad);
    return R1_OK;
}

r1_status r1_hf_tokenizer(json_t **tokenizer, json_t **tokenizer_config, const r1_ckpt *c, int n_ctx, r1_error *err)
{
    enum { MAX_TOKENS = 1 << 21, MAX_MERGES = 1 << 22 }; /* as format/checkpoint_text.c */
    const r1_gguf *g = r1_ckpt_gguf(c);
    vocab v = { 0 };
    r1_slice template = r1_ckpt_chat_template(c);
    bool ok = true;
    *tokenizer = *tokenizer_config = NULL;
    r1_status s = r1_ckpt_tokenizer(c, &v.t, err); /* checks everything */
    if (s == R1_OK) s = r1_gguf_strings(g, "tokenizer.ggml.tokens", true, MAX_TOKENS, &v.tokens, &v.n, err);
    if (s == R1_OK) s = r1_gguf_strings(g, "tokenizer.ggml.merges", true, MAX_MERGES, &v.merges, &v.n_merges, err);
    if (s == R1_OK) s = r1_gguf_ints(g, "tokenizer.ggml.token_type", false, MAX_TOKENS, &v.types, &v.n_types, err);
    if (s == R1_OK) s = check_texts("token", v.tokens, v.n, r1_ckpt_path(c), err);
    if (s == R1_OK) s = check_texts("merge", v.merges, v.n_merges, r1_ckpt_path(c), err);
    if (s == R1_OK && !r1_utf8_is_valid(template.n ? template.p : "", template.n, NULL))
        s = r1_fail(err, R1_EFORMAT, "'%s': the chat template is no UTF-8, expected text, as tokenizer_config.json has it", r1_ckpt_path(c));
    if (s == R1_OK) {
        v.pre = r1_tokenizer_pre(v.t);
        *tokenizer = make_tokenizer(&v, &ok);
        *tokenizer_config = make_config(&v, c, n_ctx, &ok);
        if (!ok) s = r1_fail(err, R1_ENOMEM, "no memory for tokenizer.json");
    }
    if (s) {
        json_decref(*tokenizer);
        json_decref(*tokenizer_config);
        *tokenizer = *tokenizer_config = NULL;
    }
    free(v.tokens);
    free(v.merges);
    free(v.types);
    r1_tokenizer_free(v.t);
    return s;
}
