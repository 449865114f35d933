/* The weights of a Hugging Face folder: which files, what is in them, FP8 weights with their scales.
 *
 * Files are those the index names, never those a pattern finds (DeepSeek numbers its 163 files "00001-of-000163"); a name
 * from the index must be a plain file name, so that an index cannot reach out of its folder. Index and files must agree in
 * both directions: a tensor that one of them lacks means a broken download or a mix of two models. */
#define _GNU_SOURCE
#include "format/checkpoint_int.h"

#include <stdio.h>

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), k = strlen(tail);
    return n >= k && !strcmp(s + n - k, tail);
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static r1_status check_shard_name(const char *name, r1_error *err)
{
    if (strchr(name, '/') || strchr(name, '\\') || name[0] == '.' || strlen(name) > 255 || !ends_with(name, ".safetensors"))
        return r1_fail(err, R1_EFORMAT, "the file name '%.160s' is not a plain name that ends in .safetensors", name);
    return R1_OK;
}

static r1_status open_shard(r1_ckpt *c, const char *name, r1_error *err)
{
    if (c->n_shards == R1_MAX_SHARDS) return r1_fail(err, R1_EFORMAT, "the weights are in more than %d files", (int)R1_MAX_SHARDS);
    r1_shard *v = realloc(c->shards, (c->n_shards + 1) * sizeof *v);
    if (!v) return r1_fail(err, R1_ENOMEM, "no memory for '%s'", name);
    c->shards = v;
    r1_st *st;
    r1_path path;
    r1_status s = r1_st_open(&st, r1_ckpt_join(path, c->folder, name), err);
    if (s) return s;
    v[c->n_shards++] = (r1_shard){ name, st };
    c->file_bytes += r1_st_map(st)->size;
    return R1_OK;
}

static int compare_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* Open each file of the map once, in order of name. */
static r1_status open_named(r1_ckpt *c, json_t *map, r1_error *err)
{
    size_t n = json_object_size(map), i = 0;
    const char **files = malloc(r1_max(n, 1) * sizeof *files), *tensor;
    if (!files) return r1_fail(err, R1_ENOMEM, "no memory for %zu tensors", n);
    r1_status s = R1_OK;
    json_t *v;
    json_object_foreach(map, tensor, v) {
        const char *file = json_string_value(v);
        if (!file) s = r1_fail(err, R1_EFORMAT, "the file of '%.160s' is %s, expected a string", tensor, r1_json_kind(v));
        else s = check_shard_name(file, err);
        if (s) break;
        files[i++] = file;
    }
    if (s == R1_OK && n) qsort(files, n, sizeof *files, compare_text);
    for (i = 0; s == R1_OK && i < n; i++)
        if (i == 0 || strcmp(files[i - 1], files[i])) s = open_shard(c, files[i], err);
    free(files);
    return s;
}

static int compare_shards(const void *name, const void *shard) { return strcmp(name, ((const r1_shard *)shard)->name); }

static const r1_shard *find_shard(const r1_ckpt *c, const char *name)
{
    return bsearch(name, c->shards, c->n_shards, sizeof *c->shards, compare_shards);
}

/* Map and files must say the same. */
static r1_status compare_map(const r1_ckpt *c, json_t *map, r1_error *err)
{
    const char *tensor;
    json_t *v;
    json_object_foreach(map, tensor, v) {
        const r1_shard *x = find_shard(c, json_string_value(v));
        if (!r1_st_find(x->st, tensor)) return r1_fail(err, R1_EFORMAT, "the tensor '%.160s' is not in '%s', where the index says it is", tensor, x->name);
    }
    for (size_t i = 0; i < c->n_shards; i++)
        for (size_t k = 0; k < r1_st_n_tensors(c->shards[i].st); k++) {
            const char *name = r1_st_at(c->shards[i].st, k)->name, *file = json_string_value(json_object_get(map, name));
            if (!file) return r1_fail(err, R1_EFORMAT, "the tensor '%.160s' of '%s' is not in the index", name, c->shards[i].name);
            if (strcmp(file, c->shards[i].name))
                return r1_fail(err, R1_EFORMAT, "the tensor '%.160s' of '%s' is also in '%s'; it must be in one file", name, c->shards[i].name, file);
        }
    return R1_OK;
}

static r1_status open_indexed(r1_ckpt *c, const char *path, r1_error *err)
{
    r1_status s = r1_json_read(&c->index, path, R1_MAX_INDEX_BYTES, err);
    if (s) return s;
    json_t *map = json_object_get(c->index, "weight_map");
    if (!json_is_object(map)) s = r1_fail(err, R1_EFORMAT, "'weight_map' is %s, expected an object", r1_json_kind(map));
    else if (json_object_size(map) == 0) s = r1_fail(err, R1_EFORMAT, "'weight_map' is empty");
    else s = open_named(c, map, err);
    if (s == R1_OK) s = compare_map(c, map, err);
    return r1_context(err, s, "'%s'", path);
}

/* ---- tensors ---------------------------------------------------------------------------------------------------- */

/* Buffers that old exporters wrote beside the weights; they are computed, not read. */
static bool is_needless(const char *name)
{
    return ends_with(name, "rotary_emb.inv_freq") || ends_with(name, "rotary_emb.cos_cached") || ends_with(name, "rotary_emb.sin_cached");
}

static bool is_scale(const char *name) { return ends_with(name, "_scale_inv"); }

static r1_status set_tensor(r1_ckpt_tensor *out, const r1_st_tensor *t, const r1_map *map, r1_error *err)
{
    static const struct { const char *name; r1_type type; } known[] = {
        { "F32", R1_F32 }, { "F16", R1_F16 }, { "BF16", R1_BF16 }, { "F8_E4M3", R1_F8_E4M3 },
    };
    *out = (r1_ckpt_tensor){ .name = t->name, .n_dims = t->n_dims ? t->n_dims : 1, .ne = { 1, 1, 1, 1 }, .data = t->data, .bytes = t->bytes, .map = map };
    size_t k = 0;
    while (k < R1_COUNT(known) && strcmp(known[k].name, t->dtype)) k++;
    if (k == R1_COUNT(known))
        return r1_fail(err, R1_EUNSUPPORTED, "tensor '%.160s' has dtype %s; supported are F32, F16, BF16 and F8_E4M3", t->name, t->dtype);
    if (t->n_dims > 4) return r1_fail(err, R1_EUNSUPPORTED, "tensor '%.160s' has %d dimensions, expected at most 4", t->name, t->n_dims);
    out->type = known[k].type;
    for (int i = 0; i < t->n_dims; i++) {
        out->ne[i] = t->shape[t->n_dims - 1 - i];
        if (out->ne[i] == 0) return r1_fail(err, R1_EFORMAT, "dimension %d of tensor '%.160s' is 0", t->n_dims - 1 - i, t->name);
    }
    return R1_OK;
}

/* Look a tensor up in all files. */
static const r1_st_tensor *find_anywhere(const r1_ckpt *c, const char *name)
{
    const char *file = json_string_value(json_object_get(json_object_get(c->index, "weight_map"), name));
    const r1_shard *x = c->index ? (file ? find_shard(c, file) : NULL) : &c->shards[0];
    return x ? r1_st_find(x->st, name) : NULL;
}

/* An FP8 weight needs the scale of each of its 128x128 blocks; it may be in another file. */
static r1_status pair_scale(const r1_ckpt *c, r1_ckpt_tensor *t, r1_error *err)
{
    char name[1200];
    if (t->type != R1_F8_E4M3) return R1_OK;
    snprintf(name, sizeof name, "%s_scale_inv", t->name);
    const r1_st_tensor *x = find_anywhere(c, name);
    if (!x) return r1_fail(err, R1_EFORMAT, "the F8_E4M3 tensor '%.160s' has no '%.160s'", t->name, name);
    if (t->n_dims != 2) return r1_fail(err, R1_EFORMAT, "the F8_E4M3 tensor '%.160s' has %d dimensions, expected 2", t->name, t->n_dims);
    if (strcmp(x->dtype, "F32")) return r1_fail(err, R1_EUNSUPPORTED, "the scale '%.160s' has dtype %s, expected F32", name, x->dtype);
    uint64_t rows = (t->ne[1] - 1) / 128 + 1, columns = (t->ne[0] - 1) / 128 + 1;
    if (x->n_dims != 2 || x->shape[0] != rows || x->shape[1] != columns)
        return r1_fail(err, R1_EFORMAT, "the scale '%.160s' has shape [%llu, %llu] (%d dimensions), expected [%llu, %llu] for a weight of [%llu, %llu]", name,
                       (unsigned long long)x->shape[0], (unsigned long long)x->shape[1], x->n_dims, (unsigned long long)rows, (unsigned long long)columns,
                       (unsigned long long)t->ne[1], (unsigned long long)t->ne[0]);
    t->scale = x->data;
    return R1_OK;
}

/* The weight of a scale must be there and must be FP8, else its meaning is unknown. */
static r1_status check_scale(const r1_ckpt *c, const r1_st_tensor *t, r1_error *err)
{
    char name[1200];
    snprintf(name, sizeof name, "%.*s", (int)(strlen(t->name) - strlen("_scale_inv")), t->name);
    const r1_st_tensor *w = find_anywhere(c, name);
    if (w && !strcmp(w->dtype, "F8_E4M3")) return R1_OK;
    return r1_fail(err, R1_EFORMAT, "the scale '%.160s' belongs to '%.160s', which is %s, expected F8_E4M3", t->name, name, w ? w->dtype : "missing");
}

static r1_status list_tensors(r1_ckpt *c, r1_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_shards; i++) n += r1_st_n_tensors(c->shards[i].st);
    c->tensors = calloc(r1_max(n, 1), sizeof *c->tensors);
    if (!c->tensors) return r1_fail(err, R1_ENOMEM, "no memory for %zu tensors", n);
    for (size_t i = 0; i < c->n_shards; i++) {
        const r1_st *st = c->shards[i].st;
        for (size_t k = 0; k < r1_st_n_tensors(st); k++) {
            const r1_st_tensor *t = r1_st_at(st, k);
            r1_status s = R1_OK;
            if (is_needless(t->name)) continue;
            if (is_scale(t->name)) {
                s = check_scale(c, t, err);
            } else {
                r1_ckpt_tensor *x = &c->tensors[c->n_tensors++];
                s = set_tensor(x, t, r1_st_map(st), err);
                if (s == R1_OK) s = pair_scale(c, x, err);
            }
            if (s) return r1_context(err, s, "'%s/%s'", c->folder, c->shards[i].name);
        }
    }
    return r1_ckpt_index(c, err);
}

r1_status r1_ckpt_open_shards(r1_ckpt *c, r1_error *err)
{
    static const char index[] = "model.safetensors.index.json", single[] = "model.safetensors";
    r1_path path;
    r1_status s;
    if (r1_ckpt_has(c->folder, index)) s = open_indexed(c, r1_ckpt_join(path, c->folder, index), err);
    else if (r1_ckpt_has(c->folder, single)) s = open_shard(c, single, err);
    else s = r1_fail(err, R1_EFORMAT, "the folder '%s' has config.json, but neither %s nor %s", c->folder, single, index);
    return s ? s : list_tensors(c, err);
}

/* ---- quantization_config ---------------------------------------------------------------------------------------- */

static r1_status expect_text(const json_t *q, const char *key, const char *fallback, const char *want, r1_error *err)
{
    const char *v;
    r1_status s = r1_json_str(q, key, false, fallback, &v, err);
    if (s == R1_OK && strcmp(v, want))
        s = r1_fail(err, R1_EUNSUPPORTED, "'%s' is '%.64s'; supported is '%s'", key, v, want);
    return s;
}

r1_status r1_ckpt_check_quantization(const json_t *config, r1_error *err)
{
    const json_t *q = json_object_get(config, "quantization_config");
    if (!q || json_is_null(q)) return R1_OK;
    if (!json_is_object(q)) return r1_fail(err, R1_EFORMAT, "'quantization_config' is %s, expected an object", r1_json_kind(q));
    r1_status s = expect_text(q, "quant_method", "", "fp8", err);
    if (s == R1_OK) s = expect_text(q, "fmt", "e4m3", "e4m3", err);
    if (s == R1_OK) s = expect_text(q, "activation_scheme", "dynamic", "dynamic", err);
    const json_t *b = json_object_get(q, "weight_block_size");
    if (s == R1_OK && !(json_is_array(b) && json_array_size(b) == 2 && json_integer_value(json_array_get(b, 0)) == 128 &&
                        json_integer_value(json_array_get(b, 1)) == 128))
        s = r1_fail(err, R1_EUNSUPPORTED, "'weight_block_size' is not [128, 128], the only block size supported");
    return r1_context(err, s, "'quantization_config'");
}
