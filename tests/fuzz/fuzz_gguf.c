/* Fuzz target: a GGUF file from memory. Whatever opens is used in full: every value printed both ways, every tensor
 * found by name and touched at both ends, every typed reader tried on every key. */
#define _GNU_SOURCE
#include "format/gguf.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_typed(const r1_gguf *g, const char *key)
{
    int64_t i;
    double x;
    bool b;
    r1_slice t, *v;
    int32_t *ids;
    size_t n;
    r1_error e;
    (void)!r1_gguf_int(g, key, true, 0, INT64_MIN, INT64_MAX, &i, &e);
    (void)!r1_gguf_real(g, key, true, 0, &x, &e);
    (void)!r1_gguf_bool(g, key, false, &b, &e);
    if (r1_gguf_str(g, key, true, &t, &e) == R1_OK && t.n) require(t.p[0] + t.p[t.n - 1] < 1000);
    if (r1_gguf_strings(g, key, true, 100000, &v, &n, &e) == R1_OK) free(v);
    if (r1_gguf_ints(g, key, true, 100000, &ids, &n, &e) == R1_OK) free(ids);
}

static void use_kv(const r1_gguf *g, const r1_gguf_kv *kv)
{
    r1_error e;
    r1_buf b;
    json_t *j = NULL;
    char *key = strndup(kv->key.p, kv->key.n);
    r1_buf_init(&b, 1 << 16);
    require(key && r1_gguf_find(g, key) == kv);
    require(r1_gguf_print(kv, &b, &e) == R1_OK && b.len > 0);
    require(r1_gguf_json(&j, kv, 1000, &e) == R1_OK && j);
    read_typed(g, key);
    json_decref(j);
    r1_buf_deinit(&b);
    free(key);
}

static void use_tensor(const r1_gguf *g, const r1_gguf_tensor *t, const uint8_t *data, size_t size)
{
    char *name = strndup(t->name.p, t->name.n);
    require(name && r1_gguf_find_tensor(g, name) == t);
    require(t->bytes > 0 && t->data >= data && t->data - data <= (ptrdiff_t)size && t->bytes <= size - (size_t)(t->data - data));
    if (t->packed) require(t->bytes == t->ne[2] * t->ne[3] * r1_packed_bytes(t->type, (size_t)t->ne[1], (size_t)t->ne[0]));
    else require(t->bytes / t->ne[1] / t->ne[2] / t->ne[3] == r1_row_bytes(t->type, (size_t)t->ne[0]));
    require(!t->packed || (t->data - data) % R1_PACKED_ALIGNMENT == 0);
    require(t->data[0] + t->data[t->bytes - 1] < 1000);
    free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    r1_gguf *g;
    r1_error e = { 0 };
    r1_status s = r1_gguf_parse(&g, data, size, &e);
    require((s == R1_OK) == (g != NULL) && (s == R1_OK || e.msg[0]));
    if (!g) return 0;
    for (size_t i = 0; i < r1_gguf_n_kv(g); i++) use_kv(g, r1_gguf_kv_at(g, i));
    for (size_t i = 0; i < r1_gguf_n_tensors(g); i++) use_tensor(g, r1_gguf_tensor_at(g, i), data, size);
    r1_gguf_close(g);
    return 0;
}
