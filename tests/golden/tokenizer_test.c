/* Golden tokenizations: every line of tests/golden/tokenizers for all eight tokenizers, from tokenizer.json and from arrays
 * as a GGUF file has them. The tokenizers themselves are fetched (tools/fetch tokenizers); without them a test is skipped. */
#include "base/json.h"
#include "base/map.h"
#include "tests/test.h"
#include "text/tokenizer.h"

#define MAX_TEXTS 4096
enum { ALL, HF, NONE, N_VARIANTS };
static const char *const variant_names[N_VARIANTS] = { "all", "hf", "none" };
static const int variant_modes[N_VARIANTS] = { R1_SPECIAL_ALL, R1_SPECIAL_HF, R1_SPECIAL_NONE };

typedef struct text { char id[8]; r1_slice s; } text;
typedef struct corpus { char *file; text v[MAX_TEXTS]; size_t n; } corpus;
typedef struct expected { char *file[2]; const char *ids[MAX_TEXTS][N_VARIANTS]; char base[64]; } expected;

static char *read_all(const char *path)
{
    r1_error e = { 0 };
    char *p;
    size_t n;
    EXPECT_OK(r1_file_read(path, 64u << 20, &p, &n, &e), &e);
    return p;
}

/* Undo \\ \n \t \r \xNN in place. */
static size_t unescape(char *s)
{
    char *o = s, *p = s;
    while (*p) {
        if (*p != '\\') {
            *o++ = *p++;
            continue;
        }
        p++;
        if (*p == 'x') {
            char hex[3] = { p[1], p[2], 0 };
            *o++ = (char)strtoul(hex, NULL, 16);
            p += 3;
        } else {
            *o++ = *p == 'n' ? '\n' : *p == 't' ? '\t' : *p == 'r' ? '\r' : '\\';
            p++;
        }
    }
    *o = 0;
    return (size_t)(o - s);
}

static char *next_line(char **at)
{
    char *line = *at, *end = strchr(line, '\n');
    if (!*line) return NULL;
    if (end) *end = 0;
    *at = end ? end + 1 : line + strlen(line);
    return line;
}

static char *next_field(char **at)
{
    char *f = *at, *end = strchr(f, '\t');
    if (end) *end = 0;
    *at = end ? end + 1 : f + strlen(f);
    return f;
}

static void corpus_read(corpus *c)
{
    c->n = 0;
    c->file = read_all(test_path("golden/tokenizers/corpus.tsv"));
    char *at = c->file;
    for (char *line; (line = next_line(&at));) {
        if (*line == '#') continue;
        EXPECT(c->n < MAX_TEXTS);
        snprintf(c->v[c->n].id, sizeof c->v[0].id, "%s", next_field(&line));
        next_field(&line);
        next_field(&line);
        size_t n = unescape(line);
        c->v[c->n++].s = (r1_slice){ line, n };
    }
}

static size_t find_text(const corpus *c, const char *id, size_t hint)
{
    for (size_t k = 0; k < c->n; k++) {
        size_t i = (hint + k) % c->n;
        if (!strcmp(c->v[i].id, id)) return i;
    }
    fail_msg("text %s is not in the corpus", id);
    return 0;
}

/* One file's lines over what is there; returns how many. */
static size_t expected_read(expected *x, const corpus *c, const char *name, int slot)
{
    char path[128];
    snprintf(path, sizeof path, "golden/tokenizers/enc_%s.tsv", name);
    x->file[slot] = read_all(test_path(path));
    char *at = x->file[slot];
    size_t n = 0, hint = 0;
    for (char *line; (line = next_line(&at));) {
        if (*line == '#') {
            if (!strncmp(line, "# base ", 7)) snprintf(x->base, sizeof x->base, "%s", line + 7);
            continue;
        }
        char *id = next_field(&line), *variant = next_field(&line);
        size_t i = hint = find_text(c, id, hint);
        int v = !strcmp(variant, "all") ? ALL : !strcmp(variant, "hf") ? HF : NONE;
        EXPECT_STR(variant, variant_names[v]);
        x->ids[i][v] = line;
        n++;
    }
    return n;
}

static void expected_make(expected *x, const corpus *c, const char *name)
{
    memset(x, 0, sizeof *x);
    expected_read(x, c, name, 0);
    if (strcmp(x->base, "-")) {
        char base[64];
        snprintf(base, sizeof base, "%s", x->base);
        static expected b;
        memset(&b, 0, sizeof b);
        expected_read(&b, c, base, 0);
        EXPECT_STR(b.base, "-");
        x->file[1] = b.file[0];
        for (size_t i = 0; i < c->n; i++)
            for (int v = 0; v < N_VARIANTS; v++)
                if (!x->ids[i][v]) x->ids[i][v] = b.ids[i][v] ? b.ids[i][v] : b.ids[i][ALL];
    }
    for (size_t i = 0; i < c->n; i++)
        for (int v = 0; v < N_VARIANTS; v++) {
            if (!x->ids[i][v]) x->ids[i][v] = x->ids[i][ALL];
            EXPECT(x->ids[i][v] != NULL);
        }
}

static size_t parse_ids(const char *s, r1_ids *v)
{
    v->n = 0;
    for (char *end; *s; s = *end ? end + 1 : end) EXPECT_STATUS(r1_ids_add(v, (int32_t)strtol(s, &end, 10), NULL), R1_OK);
    return v->n;
}

static void check_encodings(const r1_tokenizer *t, const char *name, const char *how)
{
    static corpus c;
    static expected x;
    r1_ids want = { 0 }, got = { 0 };
    r1_error e = { 0 };
    size_t bad = 0, lines = 0;
    corpus_read(&c);
    EXPECT_INT(c.n, 3484);
    expected_make(&x, &c, name);
    for (size_t i = 0; i < c.n; i++)
        for (int v = 0; v < N_VARIANTS; v++, lines++) {
            parse_ids(x.ids[i][v], &want);
            got.n = 0;
            EXPECT_OK(r1_tokenizer_encode(t, c.v[i].s.p, c.v[i].s.n, variant_modes[v], &got, &e), &e);
            if (got.n == want.n && (!want.n || !memcmp(got.ids, want.ids, want.n * sizeof *want.ids))) continue;
            if (bad++ < 5) {
                printf("%s (%s) %s %s: expected %.300s, got", name, how, c.v[i].id, variant_names[v], x.ids[i][v]);
                for (size_t k = 0; k < got.n && k < 60; k++) printf(" %d", got.ids[k]);
                printf("\n");
            }
        }
    printf("%s (%s): %zu of %zu encodings differ\n", name, how, bad, lines);
    EXPECT_INT(bad, 0);
    r1_ids_deinit(&want);
    r1_ids_deinit(&got);
    free(c.file);
    free(x.file[0]);
    free(x.file[1]);
}

/* One decode line: bytes, what a stream has sent after each token and at the end, text with and without special tokens. */
static void check_decode_line(const r1_tokenizer *t, char *line, r1_ids *ids)
{
    char *list = next_field(&line), *hex = next_field(&line), *counts = next_field(&line), *shown = next_field(&line), *plain = next_field(&line);
    parse_ids(list, ids);
    r1_detok d = { 0 }, d2 = { 0 };
    r1_buf out, bytes, rest;
    r1_error e = { 0 };
    r1_buf_init(&out, 1 << 20);
    r1_buf_init(&bytes, 1 << 20);
    r1_buf_init(&rest, 1 << 20);
    for (size_t i = 0; i < ids->n; i++) {
        size_t n;
        const char *p = r1_token_bytes(t, ids->ids[i], &n);
        for (size_t k = 0; k < n; k++) EXPECT_OK(r1_buf_addf(&bytes, &e, "%02x", (unsigned char)p[k]), &e);
        EXPECT_OK(r1_detok_token(&d, t, ids->ids[i], &out, &e), &e);
        EXPECT_INT(out.len, strtoul(counts, &counts, 10));
        if (!r1_tokenizer_is_special(t, ids->ids[i])) EXPECT_OK(r1_detok_token(&d2, t, ids->ids[i], &rest, &e), &e);
    }
    EXPECT_OK(r1_detok_end(&d, &out, &e), &e);
    EXPECT_OK(r1_detok_end(&d2, &rest, &e), &e);
    EXPECT_INT(out.len, strtoul(counts, &counts, 10));
    EXPECT_STR(bytes.data ? bytes.data : "", hex);
    size_t n = unescape(shown);
    EXPECT_INT(out.len, n);
    EXPECT(!n || !memcmp(out.data, shown, n));
    if (strcmp(plain, "=")) {
        n = unescape(plain);
        shown = plain;
    }
    EXPECT_INT(rest.len, n);
    EXPECT(!n || !memcmp(rest.data, shown, n));
    r1_buf_deinit(&out);
    r1_buf_deinit(&bytes);
    r1_buf_deinit(&rest);
}

static void check_decodings(const r1_tokenizer *t, const char *name)
{
    char path[128];
    r1_ids ids = { 0 };
    size_t lines = 0;
    snprintf(path, sizeof path, "golden/tokenizers/decode_%s.tsv", name);
    char *file = read_all(test_path(path)), *at = file;
    for (char *line; (line = next_line(&at));)
        if (*line != '#') {
            check_decode_line(t, line, &ids);
            lines++;
        }
    EXPECT(lines > 100);
    r1_ids_deinit(&ids);
    free(file);
}

static void check_added(const r1_tokenizer *t, const char *name)
{
    char path[128];
    size_t lines = 0, added = 0;
    snprintf(path, sizeof path, "golden/tokenizers/added_%s.tsv", name);
    char *file = read_all(test_path(path)), *at = file;
    for (char *line; (line = next_line(&at));) {
        if (*line == '#') continue;
        int32_t id = (int32_t)strtol(next_field(&line), NULL, 10);
        bool special = *next_field(&line) == '1';
        for (int i = 0; i < 4; i++) next_field(&line);
        size_t n = unescape(line), m;
        EXPECT_INT(r1_tokenizer_find(t, line, n), id);
        EXPECT(r1_tokenizer_is_added(t, id));
        EXPECT_INT(r1_tokenizer_is_special(t, id), special);
        const char *p = r1_token_bytes(t, id, &m);
        EXPECT(p && m == n && !memcmp(p, line, n));
        lines++;
    }
    for (int32_t i = 0; i < r1_tokenizer_size(t); i++) added += r1_tokenizer_is_added(t, i);
    EXPECT_INT(added, lines);
    free(file);
}

/* The arrays a GGUF file would have, made from tokenizer.json. */
static void check_from_vocab(const char *json, const char *name, const char *pre)
{
    r1_error e = { 0 };
    json_t *root, *v;
    const char *key;
    size_t i, n_tokens = 0;
    EXPECT_OK(r1_json_parse(&root, json, strlen(json), &e), &e);
    json_t *model = json_object_get(root, "model"), *vocab = json_object_get(model, "vocab"), *merges = json_object_get(model, "merges"),
           *added = json_object_get(root, "added_tokens");
    json_object_foreach(vocab, key, v) n_tokens = r1_max(n_tokens, (size_t)json_integer_value(v) + 1);
    json_array_foreach(added, i, v) n_tokens = r1_max(n_tokens, (size_t)json_integer_value(json_object_get(v, "id")) + 1);
    size_t n_merges = json_array_size(merges);
    r1_slice *tokens = calloc(n_tokens + 7, sizeof *tokens), *m = calloc(n_merges, sizeof *m);
    int32_t *types = calloc(n_tokens + 7, sizeof *types);
    EXPECT(tokens && types && m);
    for (i = 0; i < n_tokens + 7; i++) { /* rows of padding at the end, as files have them */
        tokens[i] = (r1_slice){ "[PAD0]", 6 };
        types[i] = R1_TOKEN_UNUSED;
    }
    json_object_foreach(vocab, key, v) {
        tokens[json_integer_value(v)] = (r1_slice){ key, strlen(key) };
        types[json_integer_value(v)] = R1_TOKEN_NORMAL;
    }
    json_array_foreach(added, i, v) {
        size_t id = (size_t)json_integer_value(json_object_get(v, "id"));
        const json_t *s = json_object_get(v, "content");
        tokens[id] = (r1_slice){ json_string_value(s), json_string_length(s) };
        types[id] = json_is_true(json_object_get(v, "special")) ? R1_TOKEN_CONTROL : R1_TOKEN_USER_DEFINED;
    }
    char **joined = calloc(n_merges, sizeof *joined);
    for (i = 0; i < n_merges; i++) {
        json_t *x = json_array_get(merges, i);
        if (json_is_array(x)) {
            size_t n = json_string_length(json_array_get(x, 0)) + json_string_length(json_array_get(x, 1)) + 2;
            joined[i] = malloc(n);
            snprintf(joined[i], n, "%s %s", json_string_value(json_array_get(x, 0)), json_string_value(json_array_get(x, 1)));
        }
        m[i].p = joined[i] ? joined[i] : json_string_value(x);
        m[i].n = strlen(m[i].p);
    }
    r1_vocab arrays = { tokens, n_tokens + 7, types, m, n_merges, pre, -1, -1, -1, -1, false };
    r1_tokenizer *t;
    double before = r1_now();
    EXPECT_OK(r1_tokenizer_from_vocab(&t, &arrays, &e), &e);
    printf("%s: %zu tokens, %zu merges from arrays in %.1f ms\n", name, n_tokens, n_merges, 1e3 * (r1_now() - before));
    for (i = 0; i < n_merges; i++) free(joined[i]);
    free(joined);
    free(tokens);
    free(types);
    free(m);
    json_decref(root);
    EXPECT_INT(r1_tokenizer_size(t), n_tokens);
    check_added(t, name);
    check_decodings(t, name);
    check_encodings(t, name, "arrays");
    r1_tokenizer_free(t);
}

static void check(const char *name, const char *pre, const char *shown_pre, bool adds_bos, int32_t bos)
{
    char file[128];
    snprintf(file, sizeof file, "tokenizers/%s.json", name);
    const char *path = test_cache(file);
    if (!path) {
        printf("no %s; `tools/fetch tokenizers` fetches it\n", file);
        SKIP("tokenizers are not fetched");
        return;
    }
    r1_error e = { 0 };
    r1_tokenizer *t;
    char *json = read_all(path);
    EXPECT_OK(r1_tokenizer_from_json(&t, json, strlen(json), NULL, 0, NULL, 0, &e), &e);
    EXPECT_STR(r1_tokenizer_pre(t), shown_pre);
    EXPECT_INT(r1_tokenizer_adds_bos(t), adds_bos);
    EXPECT_INT(r1_tokenizer_bos(t), bos);
    check_added(t, name);
    check_decodings(t, name);
    check_encodings(t, name, "json");
    r1_tokenizer_free(t);
    check_from_vocab(json, name, pre);
    free(json);
}

TEST(tokenizer_deepseek_v3) { check("deepseek_v3", "deepseek-v3", "deepseek-v3", false, -1); }
TEST(tokenizer_deepseek_r1) { check("deepseek_r1", "deepseek-v3", "deepseek-v3", false, -1); }
TEST(tokenizer_qwen2_5) { check("qwen2_5", "qwen2", "qwen2", false, -1); }
TEST(tokenizer_qwen3) { check("qwen3", "qwen2", "qwen2", false, -1); }
TEST(tokenizer_r1_distill_qwen) { check("r1_distill_qwen", "deepseek-r1-qwen", "qwen2", true, 151646); }
TEST(tokenizer_llama3_1) { check("llama3_1", "llama-bpe", "llama-bpe", true, 128000); }
TEST(tokenizer_r1_distill_llama) { check("r1_distill_llama", "llama-bpe", "llama-bpe", true, 128000); }
TEST(tokenizer_smollm2) { check("smollm2", "smollm", "smollm", false, -1); }

/* The small models' own files, with both configurations. */
TEST(tokenizers_of_the_golden_models)
{
    static const struct { const char *name, *pre; } models[] = {
        { "deepseek_v2_lite", "deepseek-v3" }, { "deepseek_v3", "deepseek-v3" }, { "deepseek_v3_bf16", "deepseek-v3" }, { "deepseek_v3_fp8", "deepseek-v3" },
        { "llama", "llama-bpe" }, { "llama_256", "llama-bpe" }, { "llama_tied", "llama-bpe" }, { "qwen2", "qwen2" }, { "qwen2_bf16", "qwen2" }, { "qwen2_tied", "qwen2" },
    };
    static const char *const files[] = { "tokenizer", "tokenizer_config", "generation_config" };
    for (size_t i = 0; i < R1_COUNT(models); i++) {
        char *file[3], path[128];
        for (int k = 0; k < 3; k++) {
            snprintf(path, sizeof path, "golden/models/%s/%s.json", models[i].name, files[k]);
            file[k] = read_all(test_path(path));
        }
        r1_error e = { 0 };
        r1_tokenizer *t;
        EXPECT_OK(r1_tokenizer_from_json(&t, file[0], strlen(file[0]), file[1], strlen(file[1]), file[2], strlen(file[2]), &e), &e);
        EXPECT_STR(r1_tokenizer_pre(t), models[i].pre);
        EXPECT_INT(r1_tokenizer_bos(t), 0);
        EXPECT_INT(r1_tokenizer_eos(t), 1);
        EXPECT(r1_token_is_eog(t, 1) && r1_tokenizer_is_special(t, 0));
        r1_ids ids = { 0 };
        EXPECT_OK(r1_tokenizer_encode(t, "e\n<|eos|>", 9, R1_SPECIAL_ALL, &ids, &e), &e);
        EXPECT(ids.n == 3 && ids.ids[0] == 3 + 'e' && ids.ids[1] == 3 + '\n' && ids.ids[2] == 1); /* ids 3 to 258 are the bytes */
        r1_ids_deinit(&ids);
        r1_tokenizer_free(t);
        for (int k = 0; k < 3; k++) free(file[k]);
    }
}
