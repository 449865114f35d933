/* variant_test: the golden models with something changed, as files of a folder for one test.
 *
 * A variant is a list of parts (GGUF: keys and tensors; a checkpoint: config.json and tensors) read from a golden file. A
 * test changes, drops or adds some and writes the rest as it was. For the tests of this folder and of engine/.
 */
#ifndef R1_MODEL_VARIANT_TEST_H
#define R1_MODEL_VARIANT_TEST_H

#define _GNU_SOURCE
#include "base/json.h"
#include "format/build_test.h"
#include "format/gguf.h"
#include "format/safetensors.h"
#include "quant/quant.h"

enum { VARIANT_KEYS = 128, VARIANT_TENSORS = 512 };

typedef struct variant_key {
    char name[128];
    uint32_t type;
    uint8_t *value; size_t n; /* as in the file, behind the type */
} variant_key;

typedef struct variant_tensor {
    char name[128];
    uint32_t type;            /* GGUF */
    char dtype[12];           /* safetensors */
    int n_dims;
    uint64_t ne[4];           /* GGUF: fastest first; safetensors: slowest first */
    uint8_t *data; size_t bytes;
} variant_tensor;

typedef struct variant {
    json_t *config;           /* a checkpoint's */
    variant_key *keys; size_t n_keys;
    variant_tensor *tensors; size_t n_tensors;
} variant;

static inline void *variant_copy(const void *p, size_t n)
{
    void *q = malloc(n ? n : 1);
    if (!q) abort();
    if (n) memcpy(q, p, n);
    return q;
}

static inline void variant_free(variant *v)
{
    for (size_t i = 0; i < v->n_keys; i++) free(v->keys[i].value);
    for (size_t i = 0; i < v->n_tensors; i++) free(v->tensors[i].data);
    free(v->keys);
    free(v->tensors);
    json_decref(v->config);
    *v = (variant){ 0 };
}

static inline variant variant_new(void)
{
    variant v = { .keys = calloc(VARIANT_KEYS, sizeof *v.keys), .tensors = calloc(VARIANT_TENSORS, sizeof *v.tensors) };
    if (!v.keys || !v.tensors) abort();
    return v;
}

/* ---- parts ------------------------------------------------------------------------------------------------------- */

static inline variant_tensor *variant_find(variant *v, const char *name)
{
    size_t i = 0;
    while (i < v->n_tensors && strcmp(v->tensors[i].name, name)) i++;
    if (i == v->n_tensors) test_fail(__FILE__, __LINE__, "the golden file has no tensor '%s'", name);
    return &v->tensors[i];
}

static inline void variant_drop_tensor(variant *v, const char *name)
{
    variant_tensor *t = variant_find(v, name);
    free(t->data);
    *t = v->tensors[--v->n_tensors];
}

/* A tensor of zeros; set what is not said. */
static inline variant_tensor *variant_add_tensor(variant *v, const char *name, size_t bytes)
{
    EXPECT(v->n_tensors < VARIANT_TENSORS);
    variant_tensor *t = &v->tensors[v->n_tensors++];
    *t = (variant_tensor){ .data = calloc(1, bytes), .bytes = bytes, .n_dims = 1, .dtype = "F32" };
    snprintf(t->name, sizeof t->name, "%s", name);
    if (!t->data) abort();
    return t;
}

static inline bool variant_drop(variant *v, const char *key)
{
    for (size_t i = 0; i < v->n_keys; i++) {
        if (strcmp(v->keys[i].name, key)) continue;
        free(v->keys[i].value);
        v->keys[i] = v->keys[--v->n_keys];
        return true;
    }
    return false;
}

static inline void variant_set(variant *v, const char *key, uint32_t type, const void *value, size_t n)
{
    variant_drop(v, key);
    EXPECT(v->n_keys < VARIANT_KEYS);
    variant_key *k = &v->keys[v->n_keys++];
    snprintf(k->name, sizeof k->name, "%s", key);
    k->type = type;
    k->value = variant_copy(value, n);
    k->n = n;
}

static inline void variant_u32(variant *v, const char *key, uint32_t x) { variant_set(v, key, R1_GGUF_U32, &x, 4); }
static inline void variant_f32(variant *v, const char *key, float x) { variant_set(v, key, R1_GGUF_F32, &x, 4); }

static inline void variant_text(variant *v, const char *key, const char *x)
{
    build b = { 0 };
    add_string(&b, x);
    variant_set(v, key, R1_GGUF_STRING, b.p, b.n);
    build_free(&b);
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static inline size_t variant_width(unsigned type)
{
    static const uint8_t width[] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };
    return width[type];
}

static inline size_t variant_string_bytes(const uint8_t *p)
{
    uint64_t n;
    memcpy(&n, p, 8);
    return 8 + (size_t)n;
}

static inline void variant_read_key(variant *v, const r1_gguf_kv *kv)
{
    char name[128];
    const uint8_t *from = kv->data;
    size_t n = variant_width(kv->type);
    snprintf(name, sizeof name, "%.*s", (int)kv->key.n, kv->key.p);
    if (kv->type == R1_GGUF_STRING) n = variant_string_bytes(from);
    if (kv->type == R1_GGUF_ARRAY) {
        n = 12 + (size_t)kv->n * variant_width(kv->item);
        if (kv->item == R1_GGUF_STRING)
            for (uint64_t i = 0; i < kv->n; i++) n += variant_string_bytes(from + n - 12);
        from -= 12;
    }
    variant_set(v, name, kv->type, from, n);
}

/* relative: under tests/. Without tokenizer: its keys are left out, ids are enough. */
static inline variant variant_gguf(const char *relative, bool tokenizer)
{
    variant v = variant_new();
    r1_gguf *g;
    r1_error e = { 0 };
    EXPECT_OK(r1_gguf_open(&g, test_path(relative), &e), &e);
    for (size_t i = 0; i < r1_gguf_n_kv(g); i++) {
        const r1_gguf_kv *kv = r1_gguf_kv_at(g, i);
        bool words = kv->key.n > 10 && !memcmp(kv->key.p, "tokenizer.", 10);
        if (tokenizer || !words) variant_read_key(&v, kv);
    }
    for (size_t i = 0; i < r1_gguf_n_tensors(g); i++) {
        const r1_gguf_tensor *s = r1_gguf_tensor_at(g, i);
        EXPECT(v.n_tensors < VARIANT_TENSORS);
        variant_tensor *t = &v.tensors[v.n_tensors++];
        *t = (variant_tensor){ .type = (uint32_t)s->type, .n_dims = s->n_dims, .data = variant_copy(s->data, s->bytes), .bytes = s->bytes };
        snprintf(t->name, sizeof t->name, "%.*s", (int)s->name.n, s->name.p);
        memcpy(t->ne, s->ne, sizeof t->ne);
    }
    r1_gguf_close(g);
    return v;
}

/* Only what the configuration is read from: no tokenizer, no tensor but an empty embedding of the same shape. */
static inline variant variant_gguf_config(const char *relative)
{
    variant v = variant_gguf(relative, false);
    variant_tensor embd = *variant_find(&v, "token_embd.weight");
    for (size_t i = 0; i < v.n_tensors; i++) free(v.tensors[i].data);
    v.tensors[0] = embd;
    v.tensors[0].data = calloc(1, embd.bytes);
    v.n_tensors = 1;
    return v;
}

/* config.json, and the tensors of model.safetensors when wanted. */
static inline variant variant_checkpoint(const char *relative, bool weights)
{
    variant v = variant_new();
    char path[512];
    r1_error e = { 0 };
    snprintf(path, sizeof path, "%s/config.json", relative);
    EXPECT_OK(r1_json_read(&v.config, test_path(path), 1 << 20, &e), &e);
    if (!weights) return v;
    r1_st *st;
    snprintf(path, sizeof path, "%s/model.safetensors", relative);
    EXPECT_OK(r1_st_open(&st, test_path(path), &e), &e);
    for (size_t i = 0; i < r1_st_n_tensors(st); i++) {
        const r1_st_tensor *s = r1_st_at(st, i);
        EXPECT(v.n_tensors < VARIANT_TENSORS && s->n_dims <= 4);
        variant_tensor *t = &v.tensors[v.n_tensors++];
        *t = (variant_tensor){ .n_dims = s->n_dims, .data = variant_copy(s->data, s->bytes), .bytes = s->bytes };
        snprintf(t->name, sizeof t->name, "%s", s->name);
        memcpy(t->dtype, s->dtype, sizeof t->dtype);
        memcpy(t->ne, s->shape, sizeof t->ne);
    }
    r1_st_close(st);
    return v;
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

/* Without fsync: thousands of these are written. */
static inline const char *variant_put(folder *f, const char *name, const build *b)
{
    const char *path = folder_path(f, name);
    FILE *file = fopen(path, "wb");
    EXPECT(file && fwrite(b->p, 1, b->n, file) == b->n && fclose(file) == 0);
    return path;
}

/* The path of the file written; it lives in f until the next one. */
static inline const char *variant_write_gguf(const variant *v, folder *f)
{
    build b = { 0 };
    size_t at = 0;
    gguf_head(&b, 3, v->n_tensors, v->n_keys);
    for (size_t i = 0; i < v->n_keys; i++) {
        gguf_key(&b, v->keys[i].name, v->keys[i].type);
        add(&b, v->keys[i].value, v->keys[i].n);
    }
    for (size_t i = 0; i < v->n_tensors; i++) {
        const variant_tensor *t = &v->tensors[i];
        gguf_tensor(&b, t->name, t->type, at, t->n_dims, t->ne);
        at = r1_round_up(at + t->bytes, 32);
    }
    pad(&b, 32);
    for (size_t i = 0; i < v->n_tensors; i++) {
        add(&b, v->tensors[i].data, v->tensors[i].bytes);
        pad(&b, 32);
    }
    const char *path = variant_put(f, "model.gguf", &b);
    build_free(&b);
    return path;
}

/* The folder's own path. */
static inline const char *variant_write_checkpoint(const variant *v, folder *f)
{
    build b = { 0 };
    char *text = json_dumps(v->config, 0);
    add_text(&b, text);
    free(text);
    variant_put(f, "config.json", &b);
    build_free(&b);
    if (!v->n_tensors) return f->path;
    json_t *header = json_object();
    size_t at = 0;
    for (size_t i = 0; i < v->n_tensors; i++) {
        const variant_tensor *t = &v->tensors[i];
        json_t *shape = json_array();
        for (int d = 0; d < t->n_dims; d++) json_array_append_new(shape, json_integer((json_int_t)t->ne[d]));
        json_object_set_new(header, t->name, json_pack("{s:s, s:o, s:[I, I]}", "dtype", t->dtype, "shape", shape, "data_offsets", (json_int_t)at,
                                                       (json_int_t)(at + t->bytes)));
        at += t->bytes;
    }
    text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    b = st_file(text, 0);
    free(text);
    for (size_t i = 0; i < v->n_tensors; i++) add(&b, v->tensors[i].data, v->tensors[i].bytes);
    variant_put(f, "model.safetensors", &b);
    build_free(&b);
    return f->path;
}

#endif
