/* The texts of a checkpoint: tokenizer and chat template, from GGUF metadata or Hugging Face files.
 *
 * GGUF says what a tokenizer is in a dozen keys; here they are checked against each other and handed to text/tokenizer.
 * Files from before "tokenizer.ggml.pre" (spring 2024) do not name their splitting rules; the few families r1 runs are
 * told apart by a token only they have, everything else is refused: wrong rules would give wrong ids without a word. */
#define _GNU_SOURCE
#include "format/checkpoint_int.h"
#include "base/utf8.h"

enum {
    MAX_TOKENS = 1 << 21,   /* the largest vocabulary of the family: 152,064 */
    MAX_MERGES = 1 << 22,
    MAX_EOG = 64,
};

/* ---- chat template ---------------------------------------------------------------------------------------------- */

/* One text, or a list of {name, template}: the one named "default", or the only one. NULL: none. */
static r1_status pick_template(const json_t *v, const char **text, size_t *n, r1_error *err)
{
    *text = NULL;
    *n = 0;
    if (!v || json_is_null(v)) return R1_OK;
    if (json_is_array(v)) {
        const json_t *only = NULL;
        for (size_t i = 0; i < json_array_size(v); i++) {
            const json_t *x = json_array_get(v, i);
            const char *name = json_string_value(json_object_get(x, "name"));
            if (!name || !json_is_string(json_object_get(x, "template")))
                return r1_fail(err, R1_EFORMAT, "element %zu of 'chat_template' is not an object with the strings name and template", i);
            if (!strcmp(name, "default") || json_array_size(v) == 1) only = json_object_get(x, "template");
        }
        if (!only) return R1_OK;
        v = only;
    }
    if (!json_is_string(v)) return r1_fail(err, R1_EFORMAT, "'chat_template' is %s, expected a string or a list", r1_json_kind(v));
    *text = json_string_value(v);
    *n = json_string_length(v);
    return R1_OK;
}

static r1_status check_template(r1_slice t, r1_error *err)
{
    size_t bad;
    if (t.n > R1_MAX_TEMPLATE_BYTES) return r1_fail(err, R1_EFORMAT, "the chat template has %zu bytes, expected at most %d", t.n, (int)R1_MAX_TEMPLATE_BYTES);
    if (t.n && !r1_utf8_is_valid(t.p, t.n, &bad)) return r1_fail(err, R1_EFORMAT, "the chat template is not UTF-8 (byte %zu)", bad);
    return R1_OK;
}

static r1_status folder_template(r1_ckpt *c, r1_error *err)
{
    r1_path path;
    r1_status s;
    if (r1_ckpt_has(c->folder, "chat_template.jinja")) {
        size_t n;
        s = r1_file_read(r1_ckpt_join(path, c->folder, "chat_template.jinja"), R1_MAX_TEMPLATE_BYTES, &c->chat_template, &n, err);
        if (s == R1_ELIMIT) s = r1_fail(err, R1_EFORMAT, "'%s' has more than %d bytes", path, (int)R1_MAX_TEMPLATE_BYTES);
        c->template = (r1_slice){ c->chat_template, s ? 0 : n };
    } else {
        s = pick_template(json_object_get(c->tokenizer_config, "chat_template"), &c->template.p, &c->template.n, err);
        s = r1_context(err, s, "'%s/tokenizer_config.json'", c->folder);
    }
    return s;
}

r1_status r1_ckpt_read_template(r1_ckpt *c, r1_error *err)
{
    r1_status s = c->gguf ? r1_gguf_str(c->gguf, "tokenizer.chat_template", false, &c->template, err) : folder_template(c, err);
    if (s == R1_OK) s = check_template(c->template, err);
    if (s || c->template.n == 0) c->template = (r1_slice){ NULL, 0 };
    return s;
}

/* ---- tokenizer of a GGUF file ----------------------------------------------------------------------------------- */

static bool token_is(const r1_vocab *v, size_t id, const char *text)
{
    return id < v->n_tokens && v->tokens[id].n == strlen(text) && !memcmp(v->tokens[id].p, text, v->tokens[id].n);
}

/* The splitting rules of a file that does not name them; NULL when the tokens do not tell. */
static const char *derive_pre(const char *architecture, const r1_vocab *v)
{
    static const char deepseek_bos[] = "<\xEF\xBD\x9C" "begin\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>";
    if (!strcmp(architecture, "deepseek2") || !strcmp(architecture, "deepseek")) {
        if (token_is(v, 0, deepseek_bos)) return "deepseek-v3";
        if (token_is(v, 100000, deepseek_bos)) return "deepseek-llm";
    }
    if (!strcmp(architecture, "qwen2")) {
        if (token_is(v, 151646, deepseek_bos)) return "deepseek-r1-qwen";
        if (token_is(v, 151643, "<|endoftext|>")) return "qwen2";
    }
    if (!strcmp(architecture, "llama") && (token_is(v, 128000, "<|begin_of_text|>") || token_is(v, 128000, deepseek_bos))) return "llama-bpe";
    return NULL;
}

static r1_status read_id(const r1_gguf *g, const char *key, size_t n_tokens, int32_t *id, r1_error *err)
{
    int64_t v;
    r1_status s = r1_gguf_int(g, key, false, -1, -1, (int64_t)n_tokens - 1, &v, err);
    *id = (int32_t)v;
    return s;
}

/* The owned parts of an r1_vocab. */
typedef struct vocab_memory {
    r1_slice *tokens, *merges;
    int32_t *types;
    char *pre;
} vocab_memory;

static r1_status read_pre(const r1_ckpt *c, r1_vocab *v, vocab_memory *m, r1_error *err)
{
    r1_slice pre;
    r1_status s = r1_gguf_str(c->gguf, "tokenizer.ggml.pre", false, &pre, err);
    if (s) return s;
    if (pre.n == 0) {
        v->pre = derive_pre(c->architecture, v);
        return v->pre ? R1_OK : r1_fail(err, R1_EUNSUPPORTED, "the file does not name its pre-tokenizer ('tokenizer.ggml.pre'), and its tokens do not tell which it is");
    }
    if (pre.n > 64 || !r1_name_is_sound(pre.p, pre.n))
        return r1_fail(err, R1_EFORMAT, "'tokenizer.ggml.pre' is '%.*s', expected a name of at most 64 bytes", R1_SLICE_ARG(pre));
    m->pre = strndup(pre.p, pre.n);
    v->pre = m->pre;
    return m->pre ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for the tokenizer");
}

static r1_status read_vocab(const r1_ckpt *c, r1_vocab *v, vocab_memory *m, r1_error *err)
{
    const r1_gguf *g = c->gguf;
    size_t n_types;
    r1_slice model;
    r1_status s = r1_gguf_str(g, "tokenizer.ggml.model", true, &model, err);
    if (s) return s;
    if (model.n != 4 || memcmp(model.p, "gpt2", 4))
        return r1_fail(err, R1_EUNSUPPORTED, "the tokenizer is '%.*s'; supported is 'gpt2' (byte-level BPE)", R1_SLICE_ARG(model));
    s = r1_gguf_strings(g, "tokenizer.ggml.tokens", true, MAX_TOKENS, &m->tokens, &v->n_tokens, err);
    if (s == R1_OK) s = r1_gguf_strings(g, "tokenizer.ggml.merges", true, MAX_MERGES, &m->merges, &v->n_merges, err);
    if (s == R1_OK) s = r1_gguf_ints(g, "tokenizer.ggml.token_type", false, MAX_TOKENS, &m->types, &n_types, err);
    if (s) return s;
    if (v->n_tokens == 0) return r1_fail(err, R1_EFORMAT, "'tokenizer.ggml.tokens' is empty");
    if (m->types && n_types != v->n_tokens)
        return r1_fail(err, R1_EFORMAT, "'tokenizer.ggml.token_type' has %zu elements, expected %zu as 'tokenizer.ggml.tokens'", n_types, v->n_tokens);
    v->tokens = m->tokens;
    v->merges = m->merges;
    v->types = m->types;
    s = read_pre(c, v, m, err);
    if (s == R1_OK) s = read_id(g, "tokenizer.ggml.bos_token_id", v->n_tokens, &v->bos, err);
    if (s == R1_OK) s = read_id(g, "tokenizer.ggml.eos_token_id", v->n_tokens, &v->eos, err);
    if (s == R1_OK) s = read_id(g, "tokenizer.ggml.eot_token_id", v->n_tokens, &v->eot, err);
    if (s == R1_OK) s = read_id(g, "tokenizer.ggml.padding_token_id", v->n_tokens, &v->pad, err);
    /* Files that do not say: Llama-3 adds a BOS, the others of the family do not (so llama.cpp, and so the converters assume). */
    if (s == R1_OK) s = r1_gguf_bool(g, "tokenizer.ggml.add_bos_token", !strcmp(v->pre, "llama-bpe"), &v->add_bos, err);
    return s;
}

static r1_status gguf_tokenizer(const r1_ckpt *c, r1_tokenizer **out, r1_error *err)
{
    r1_vocab v = { 0 };
    vocab_memory m = { 0 };
    int32_t eom = -1;
    r1_status s = read_vocab(c, &v, &m, err);
    if (s == R1_OK) s = read_id(c->gguf, "tokenizer.ggml.eom_token_id", v.n_tokens, &eom, err);
    if (s == R1_OK) s = r1_tokenizer_from_vocab(out, &v, err);
    if (s == R1_OK && eom >= 0) s = r1_tokenizer_add_eog(*out, eom, err);
    free(m.tokens);
    free(m.merges);
    free(m.types);
    free(m.pre);
    return r1_context(err, s, "'%s'", c->path);
}

/* ---- tokenizer of a folder -------------------------------------------------------------------------------------- */

/* Every id of "eos_token_id", an integer or a list, ends a generation. */
static r1_status add_eos(const json_t *o, r1_tokenizer *t, r1_error *err)
{
    const json_t *v = json_object_get(o, "eos_token_id");
    if (!v || json_is_null(v)) return R1_OK;
    size_t n = json_is_array(v) ? json_array_size(v) : 1;
    if (n > MAX_EOG) return r1_fail(err, R1_EFORMAT, "'eos_token_id' has %zu elements, expected at most %d", n, (int)MAX_EOG);
    for (size_t i = 0; i < n; i++) {
        const json_t *x = json_is_array(v) ? json_array_get(v, i) : v;
        json_int_t id = json_integer_value(x);
        if (!json_is_integer(x) || id < 0 || id >= r1_tokenizer_size(t))
            return r1_fail(err, R1_EFORMAT, "'eos_token_id' holds %s, expected ids from 0 to %d", json_is_integer(x) ? "an id out of range" : r1_json_kind(x),
                           (int)r1_tokenizer_size(t) - 1);
        r1_status s = r1_tokenizer_add_eog(t, (int32_t)id, err);
        if (s) return s;
    }
    return R1_OK;
}

/* The text of an object that was read before, for the tokenizer's own reader; malloc'ed. NULL for NULL. */
static r1_status dump(const json_t *o, char **text, size_t *n, r1_error *err)
{
    *n = o ? json_dumpb(o, NULL, 0, JSON_COMPACT) : 0;
    *text = o ? malloc(r1_max(*n, 1)) : NULL;
    if (!o) return R1_OK;
    if (*n && *text && json_dumpb(o, *text, *n, JSON_COMPACT) == *n) return R1_OK;
    return r1_fail(err, R1_ENOMEM, "no memory for the tokenizer's configuration");
}

static r1_status folder_tokenizer(const r1_ckpt *c, r1_tokenizer **out, r1_error *err)
{
    char *config = NULL, *generation = NULL;
    size_t n_config = 0, n_generation = 0;
    if (!c->tokenizer.data) return r1_fail(err, R1_EFORMAT, "the folder '%s' has no tokenizer.json", c->folder);
    r1_status s = dump(c->tokenizer_config, &config, &n_config, err);
    if (s == R1_OK) s = dump(c->generation, &generation, &n_generation, err);
    if (s == R1_OK)
        s = r1_tokenizer_from_json(out, (const char *)c->tokenizer.data, c->tokenizer.size, config, n_config, generation, n_generation,
                                   err);
    if (s == R1_EINVAL) s = R1_EFORMAT; /* an id out of range is our caller's argument there, but a file's content here */
    if (s == R1_OK) s = r1_context(err, add_eos(c->generation ? c->generation : c->config, *out, err), "%s", c->generation ? "generation_config.json" : "config.json");
    free(config);
    free(generation);
    return r1_context(err, s, "'%s'", c->folder ? c->folder : c->path);
}

r1_status r1_ckpt_tokenizer(const r1_ckpt *c, r1_tokenizer **out, r1_error *err)
{
    *out = NULL;
    r1_status s = c->gguf ? gguf_tokenizer(c, out, err) : folder_tokenizer(c, out, err);
    if (s) {
        r1_tokenizer_free(*out);
        *out = NULL;
    }
    return s;
}
