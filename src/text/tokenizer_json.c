/* Reading a tokenizer.json. What it says is understood or refused by name; nothing is skipped that would change an id.
 *
 * Not looked at, because r1 never does it: truncation, padding (r1 refuses what does not fit), the post-processor's pair
 * form, added_tokens_decoder of the config (the same list again).
 */
#include "text/tokenizer_int.h"
#include "base/json.h"

#include <stdio.h>

#define JSON_TOKEN_MAX (R1_TOKENS_MAX - 1)

typedef struct reader {
    json_t *root, *config, *generation;
    r1_slice *tokens;
    uint8_t *flags;
    r1_slice *merges, *rights;
    r1_tok_source src;
    r1_pretok *pre;
    bool bos_from_template, has_unknown;
} reader;

static const char *type_of(const json_t *o)
{
    const char *s = json_string_value(json_object_get(o, "type"));
    return s ? s : "(none)";
}

static r1_slice slice_of(const json_t *s) { return (r1_slice){ json_string_value(s), json_string_length(s) }; }

static r1_status get_array(const json_t *o, const char *key, const json_t **out, r1_error *err)
{
    *out = json_object_get(o, key);
    if (json_is_array(*out)) return R1_OK;
    return r1_fail(err, R1_EFORMAT, "'%s' is %s, expected an array", key, r1_json_kind(*out));
}

/* ---- vocabulary ------------------------------------------------------------------------------------------------ */

static r1_status token_id(const json_t *v, const char *name, int32_t *id, r1_error *err)
{
    json_int_t i = json_is_integer(v) ? json_integer_value(v) : -1;
    *id = -1;
    if (i < 0 || i > JSON_TOKEN_MAX) {
        if (json_is_integer(v)) return r1_fail(err, R1_EFORMAT, "token '%.100s' has id %lld, expected 0 to %u", name, (long long)json_integer_value(v), JSON_TOKEN_MAX);
        return r1_fail(err, R1_EFORMAT, "the id of token '%.100s' is %s, expected 0 to %u", name, r1_json_kind(v), JSON_TOKEN_MAX);
    }
    *id = (int32_t)i;
    return R1_OK;
}

/* Room for ids up to the highest one. */
static r1_status make_room(reader *r, const json_t *vocab, const json_t *added, r1_error *err)
{
    const char *key;
    json_t *v;
    size_t i;
    int32_t id, highest = -1;
    json_object_foreach((json_t *)vocab, key, v) {
        r1_status s = token_id(v, key, &id, err);
        if (s) return s;
        if (id > highest) highest = id;
    }
    json_array_foreach(added, i, v) {
        r1_status s = token_id(json_object_get(v, "id"), "(added)", &id, err);
        if (s) return s;
        if (id > highest) highest = id;
    }
    if (highest < 0) return r1_fail(err, R1_EFORMAT, "the vocabulary is empty, expected tokens");
    r->src.n_tokens = (size_t)highest + 1;
    r->tokens = calloc(r->src.n_tokens, sizeof *r->tokens);
    r->flags = calloc(r->src.n_tokens, 1);
    if (!r->tokens || !r->flags) return r1_fail(err, R1_ENOMEM, "no memory for %zu tokens", r->src.n_tokens);
    return R1_OK;
}

static r1_status read_vocab(reader *r, const json_t *vocab, r1_error *err)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)vocab, key, v) {
        size_t id = (size_t)json_integer_value(v);
        if (r->tokens[id].p)
            return r1_fail(err, R1_EFORMAT, "tokens '%.100s' and '%.100s' both have id %zu, expected different ids", r->tokens[id].p, key, id);
        r->tokens[id] = (r1_slice){ key, strlen(key) };
        r->flags[id] = R1_TOK_VOCAB;
    }
    return R1_OK;
}

static r1_status read_one_added(reader *r, const json_t *a, r1_error *err)
{
    static const char *const unsupported[] = { "single_word", "lstrip", "rstrip" };
    const char *text;
    bool on, special, normalized;
    r1_status s = r1_json_str(a, "content", true, NULL, &text, err);
    if (s) return s;
    r1_slice content = slice_of(json_object_get(a, "content"));
    for (size_t i = 0; i < R1_COUNT(unsupported); i++) {
        s = r1_json_bool(a, unsupported[i], false, &on, err);
        if (s) return s;
        if (on) return r1_fail(err, R1_EUNSUPPORTED, "added token '%.100s' has %s, expected none of single_word, lstrip, rstrip", text, unsupported[i]);
    }
    s = r1_json_bool(a, "special", false, &special, err);
    if (!s) s = r1_json_bool(a, "normalized", !special, &normalized, err);
    if (s) return s;
    size_t id = (size_t)json_integer_value(json_object_get(a, "id"));
    r1_slice *slot = &r->tokens[id];
    if (slot->p && (slot->n != content.n || memcmp(slot->p, text, content.n)))
        return r1_fail(err, R1_EFORMAT, "added token '%.100s' has id %zu, which is '%.100s' in the vocabulary", text, id, slot->p);
    if (r->flags[id] & R1_TOK_ADDED) return r1_fail(err, R1_EFORMAT, "added token %zu is there twice", id);
    *slot = content;
    r->flags[id] |= (uint8_t)(R1_TOK_ADDED | (special ? R1_TOK_SPECIAL : 0) | (normalized ? R1_TOK_NORMALIZED : 0));
    return R1_OK;
}

static r1_status read_added(reader *r, const json_t *added, r1_error *err)
{
    json_t *a;
    size_t i;
    r1_status s = R1_OK;
    json_array_foreach(added, i, a) if (!s) s = read_one_added(r, a, err);
    return s;
}

/* "a b" in most files, ["a", "b"] in newer ones. */
static r1_status read_merges(reader *r, const json_t *merges, r1_error *err)
{
    size_t n = json_array_size(merges);
    bool pairs = json_is_array(json_array_get(merges, 0));
    r->merges = calloc(n + 1, sizeof *r->merges);
    r->rights = pairs ? calloc(n + 1, sizeof *r->rights) : NULL;
    if (!r->merges || (pairs && !r->rights)) return r1_fail(err, R1_ENOMEM, "no memory for %zu merges", n);
    for (size_t i = 0; i < n; i++) {
        const json_t *m = json_array_get(merges, i), *left = m;
        if (pairs) {
            left = json_array_get(m, 0);
            const json_t *right = json_array_get(m, 1);
            if (!json_is_string(right) || json_array_size(m) != 2)
                return r1_fail(err, R1_EFORMAT, "merge %zu is %s, expected two strings as in merge 0", i, r1_json_kind(m));
            r->rights[i] = slice_of(right);
        }
        if (!json_is_string(left)) return r1_fail(err, R1_EFORMAT, "merge %zu is %s, expected %s", i, r1_json_kind(m), pairs ? "two strings" : "a string");
        r->merges[i] = slice_of(left);
    }
    r->src.n_merges = n;
    return R1_OK;
}

/* Settings of the model that would change ids and that no supported family has. */
static r1_status check_model(const json_t *m, r1_error *err)
{
    static const char *const affixes[] = { "continuing_subword_prefix", "end_of_word_suffix" };
    const char *text;
    double dropout;
    bool fallback;
    if (!json_is_object(m)) return r1_fail(err, R1_EFORMAT, "'model' is %s, expected an object", r1_json_kind(m));
    const char *type = json_string_value(json_object_get(m, "type"));
    if (type && strcmp(type, "BPE")) return r1_fail(err, R1_EUNSUPPORTED, "the tokenizer's model is '%s', expected 'BPE'", type);
    for (size_t i = 0; i < R1_COUNT(affixes); i++) {
        r1_status s = r1_json_str(m, affixes[i], false, "", &text, err);
        if (s) return s;
        if (*text) return r1_fail(err, R1_EUNSUPPORTED, "the tokenizer's %s is '%s', expected none", affixes[i], text);
    }
    r1_status s = r1_json_real(m, "dropout", false, 0, &dropout, err);
    if (!s && dropout != 0) s = r1_fail(err, R1_EUNSUPPORTED, "the tokenizer's dropout is %g, expected 0", dropout);
    if (!s) s = r1_json_bool(m, "byte_fallback", false, &fallback, err);
    if (!s && fallback) s = r1_fail(err, R1_EUNSUPPORTED, "the tokenizer has byte_fallback, expected byte-level tokens");
    return s;
}

static r1_status read_model(reader *r, r1_error *err)
{
    const json_t *m = json_object_get(r->root, "model"), *merges, *added = json_object_get(r->root, "added_tokens");
    r1_status s = check_model(m, err);
    if (s) return s;
    const json_t *vocab = json_object_get(m, "vocab");
    if (!json_is_object(vocab)) return r1_fail(err, R1_EFORMAT, "'vocab' is %s, expected an object", r1_json_kind(vocab));
    s = get_array(m, "merges", &merges, err);
    if (!s && added && !json_is_array(added)) s = r1_fail(err, R1_EFORMAT, "'added_tokens' is %s, expected an array", r1_json_kind(added));
    if (!s) s = r1_json_bool(m, "ignore_merges", false, &r->src.ignore_merges, err);
    r->has_unknown = json_is_string(json_object_get(m, "unk_token"));
    if (!s) s = make_room(r, vocab, added, err);
    if (!s) s = read_vocab(r, vocab, err);
    if (!s) s = read_added(r, added, err);
    if (!s) s = read_merges(r, merges, err);
    return s;
}

/* ---- normalizer, pre-tokenizer, post-processor, decoder --------------------------------------------------------- */

static r1_status read_normalizer(reader *r, const json_t *n, int depth, r1_error *err)
{
    const json_t *list;
    json_t *part;
    size_t i;
    if (!n || json_is_null(n)) return R1_OK;
    if (!strcmp(type_of(n), "NFC")) {
        r->src.nfc = true;
        return R1_OK;
    }
    if (strcmp(type_of(n), "Sequence") || depth)
        return r1_fail(err, R1_EUNSUPPORTED, "the normalizer is '%s', expected NFC, a Sequence of NFC, or none", type_of(n));
    r1_status s = get_array(n, "normalizers", &list, err);
    json_array_foreach(list, i, part) if (!s) s = read_normalizer(r, part, depth + 1, err);
    return s;
}

static r1_status read_split(reader *r, const json_t *p, r1_error *err)
{
    const char *behavior;
    bool invert;
    r1_status s = r1_json_str(p, "behavior", true, NULL, &behavior, err);
    if (!s && strcmp(behavior, "Isolated")) s = r1_fail(err, R1_EUNSUPPORTED, "a Split step's behavior is '%s', expected 'Isolated'", behavior);
    if (!s) s = r1_json_bool(p, "invert", false, &invert, err);
    if (!s && invert) s = r1_fail(err, R1_EUNSUPPORTED, "a Split step has invert, expected none");
    if (s) return s;
    const json_t *pattern = json_object_get(p, "pattern"), *regex = json_object_get(pattern, "Regex"), *text = json_object_get(pattern, "String");
    if (json_is_string(regex)) return r1_pretok_add_regex(r->pre, json_string_value(regex), json_string_length(regex), err);
    if (json_is_string(text)) return r1_pretok_add_literal(r->pre, json_string_value(text), json_string_length(text), err);
    return r1_fail(err, R1_EFORMAT, "a Split step's pattern is %s, expected Regex or String with a text", r1_json_kind(pattern));
}

static r1_status read_byte_level(reader *r, const json_t *p, bool *done, r1_error *err)
{
    bool prefix, regex;
    r1_status s = r1_json_bool(p, "add_prefix_space", true, &prefix, err);
    if (!s && prefix) s = r1_fail(err, R1_EUNSUPPORTED, "the pre-tokenizer has add_prefix_space, expected false");
    if (!s) s = r1_json_bool(p, "use_regex", true, &regex, err);
    if (!s && regex) s = r1_pretok_add_gpt2(r->pre, err);
    *done = true;
    return s;
}

static r1_status read_pre(reader *r, const json_t *p, int depth, bool *done, r1_error *err)
{
    const char *type = type_of(p);
    bool individual;
    if (*done) return r1_fail(err, R1_EUNSUPPORTED, "the pre-tokenizer has '%s' after ByteLevel, expected ByteLevel last", type);
    if (!strcmp(type, "Split")) return read_split(r, p, err);
    if (!strcmp(type, "ByteLevel")) return read_byte_level(r, p, done, err);
    if (!strcmp(type, "Digits")) {
        r1_status s = r1_json_bool(p, "individual_digits", false, &individual, err);
        return s ? s : r1_pretok_add_digits(r->pre, individual, err);
    }
    if (strcmp(type, "Sequence") || depth)
        return r1_fail(err, R1_EUNSUPPORTED, "the pre-tokenizer is '%s', expected Split, Digits, ByteLevel, or a Sequence of them", type);
    const json_t *list;
    json_t *part;
    size_t i;
    r1_status s = get_array(p, "pretokenizers", &list, err);
    json_array_foreach(list, i, part) if (!s) s = read_pre(r, part, depth + 1, done, err);
    return s;
}

/* {"SpecialToken": BOS} before {"Sequence": "A"} and nothing after it. */
static r1_status read_template(reader *r, const json_t *p, r1_error *err)
{
    const json_t *single;
    json_t *part;
    size_t i;
    bool text = false;
    r1_status s = get_array(p, "single", &single, err);
    if (s) return s;
    json_array_foreach(single, i, part) {
        const json_t *special = json_object_get(part, "SpecialToken");
        if (!special) {
            text = true;
            continue;
        }
        const char *name = json_string_value(json_object_get(special, "id"));
        if (text || r->bos_from_template)
            return r1_fail(err, R1_EUNSUPPORTED, "the post-processor adds '%.100s', expected one token before the text and none after it", name ? name : "?");
        const json_t *ids = json_object_get(json_object_get(json_object_get(p, "special_tokens"), name ? name : ""), "ids");
        if (json_array_size(ids) != 1)
            return r1_fail(err, R1_EFORMAT, "the post-processor's token '%.100s' has %zu ids, expected one", name ? name : "?", json_array_size(ids));
        s = token_id(json_array_get(ids, 0), name ? name : "?", &r->src.bos, err);
        if (s) return s;
        r->bos_from_template = r->src.add_bos = true;
    }
    return R1_OK;
}

static r1_status read_post(reader *r, const json_t *p, int depth, r1_error *err)
{
    const json_t *list;
    json_t *part;
    size_t i;
    if (!p || json_is_null(p) || !strcmp(type_of(p), "ByteLevel")) return R1_OK; /* ByteLevel only trims offsets */
    if (!strcmp(type_of(p), "TemplateProcessing")) return read_template(r, p, err);
    if (strcmp(type_of(p), "Sequence") || depth)
        return r1_fail(err, R1_EUNSUPPORTED, "the post-processor is '%s', expected TemplateProcessing, ByteLevel, or a Sequence of them", type_of(p));
    r1_status s = get_array(p, "processors", &list, err);
    json_array_foreach(list, i, part) if (!s) s = read_post(r, part, depth + 1, err);
    return s;
}

static r1_status read_rules(reader *r, r1_error *err)
{
    bool byte_level = false;
    const json_t *pre = json_object_get(r->root, "pre_tokenizer"), *decoder = json_object_get(r->root, "decoder");
    r1_status s = read_normalizer(r, json_object_get(r->root, "normalizer"), 0, err);
    if (!s) s = r1_pretok_new(&r->pre, R1_PRETOK_STEPS, err);
    if (!s && pre && !json_is_null(pre)) s = read_pre(r, pre, 0, &byte_level, err);
    if (!s && !byte_level) s = r1_fail(err, R1_EUNSUPPORTED, "the pre-tokenizer has no ByteLevel, expected byte-level tokens");
    if (!s) r1_pretok_finish(r->pre);
    if (!s && decoder && !json_is_null(decoder) && strcmp(type_of(decoder), "ByteLevel"))
        s = r1_fail(err, R1_EUNSUPPORTED, "the decoder is '%s', expected ByteLevel", type_of(decoder));
    return s ? s : read_post(r, json_object_get(r->root, "post_processor"), 0, err);
}

/* ---- tokenizer_config.json, generation_config.json -------------------------------------------------------------- */

/* A token named in the config: a string, or an object with "content". -1 when there is none. */
static r1_status named_token(const reader *r, const char *key, int32_t *id, r1_error *err)
{
    const json_t *v = json_object_get(r->config, key);
    if (json_is_object(v)) v = json_object_get(v, "content");
    *id = -1;
    if (!v || json_is_null(v)) return R1_OK;
    if (!json_is_string(v)) return r1_fail(err, R1_EFORMAT, "'%s' of the tokenizer's configuration is %s, expected a string", key, r1_json_kind(v));
    r1_slice want = slice_of(v);
    for (size_t i = 0; i < r->src.n_tokens; i++)
        if (r->tokens[i].p && r->tokens[i].n == want.n && !memcmp(r->tokens[i].p, want.p, want.n)) {
            *id = (int32_t)i;
            return R1_OK;
        }
    return r1_fail(err, R1_EFORMAT, "'%s' is '%.100s', which is no token of the vocabulary", key, want.p);
}

/* The i-th id of a member that is an integer or a list of them; -1 past the end. */
static r1_status listed_token(const json_t *o, const char *key, size_t i, int32_t *id, r1_error *err)
{
    const json_t *v = json_object_get(o, key);
    *id = -1;
    if (json_is_array(v)) v = json_array_get(v, i);
    else if (i) v = NULL;
    return !v || json_is_null(v) ? R1_OK : token_id(v, key, id, err);
}

/* BOS: the post-processor's, else the config's, else the generation's. EOS: the config's, else the generation's first. */
static r1_status read_configs(reader *r, r1_error *err)
{
    bool add_bos;
    int32_t id;
    r1_status s = named_token(r, "bos_token", &id, err);
    if (!s && !r->bos_from_template) {
        r->src.bos = id;
        s = r1_json_bool(r->config, "add_bos_token", false, &add_bos, err);
        if (!s && id < 0) s = listed_token(r->generation, "bos_token_id", 0, &r->src.bos, err);
        r->src.add_bos = !s && add_bos && r->src.bos >= 0;
    }
    if (!s) s = named_token(r, "eos_token", &r->src.eos, err);
    if (!s && r->src.eos < 0) s = listed_token(r->generation, "eos_token_id", 0, &r->src.eos, err);
    return s;
}

static r1_status add_eogs(const reader *r, r1_tokenizer *t, r1_error *err)
{
    r1_status s = R1_OK;
    for (size_t i = 0; !s; i++) {
        int32_t id;
        s = listed_token(r->generation, "eos_token_id", i, &id, err);
        if (s || id < 0) break;
        if (id < r1_tokenizer_size(t)) s = r1_tokenizer_add_eog(t, id, err);
        else s = r1_fail(err, R1_EFORMAT, "'eos_token_id' has %d, expected ids below %d", id, r1_tokenizer_size(t));
    }
    return s;
}

/* An unknown token would stand for a byte that has no token; where all have one it never does. */
static r1_status check_bytes(const reader *r, const r1_tokenizer *t, r1_error *err)
{
    for (int b = 0; r->has_unknown && b < 256; b++)
        if (t->byte_id[b] < 0) return r1_fail(err, R1_EUNSUPPORTED, "the tokenizer has an unk_token and no token for byte %d, expected one of both", b);
    return R1_OK;
}

static r1_status parse(json_t **out, const char *text, size_t n, const char *what, r1_error *err)
{
    r1_status s = r1_json_parse(out, text, n, err);
    if (!s && !json_is_object(*out)) s = r1_fail(err, R1_EFORMAT, "it is %s, expected an object", r1_json_kind(*out));
    return r1_context(err, s, "%s", what);
}

r1_status r1_tokenizer_from_json(r1_tokenizer **out, const char *json, size_t n, const char *config, size_t n_config,
                                 const char *generation, size_t n_generation, r1_error *err)
{
    reader r = { .src = { .bos = -1, .eos = -1 } };
    *out = NULL;
    r1_status s = parse(&r.root, json, n, "tokenizer.json", err);
    if (!s && config) s = parse(&r.config, config, n_config, "tokenizer_config.json", err);
    if (!s && generation) s = parse(&r.generation, generation, n_generation, "generation_config.json", err);
    if (!s) s = read_model(&r, err);
    if (!s) s = read_rules(&r, err);
    if (!s) s = read_configs(&r, err);
    if (!s) {
        r.src.tokens = r.tokens;
        r.src.flags = r.flags;
        r.src.merges = r.merges;
        r.src.rights = r.rights;
        s = r1_tokenizer_build(out, &r.src, r.pre, err);
        r.pre = NULL;
    }
    if (!s) s = check_bytes(&r, *out, err);
    if (!s) s = add_eogs(&r, *out, err);
    if (s) {
        r1_tokenizer_free(*out);
        *out = NULL;
    }
    r1_pretok_free(r.pre);
    free(r.tokens);
    free(r.flags);
    free(r.merges);
    free(r.rights);
    json_decref(r.root);
    json_decref(r.config);
    json_decref(r.generation);
    return s;
}
