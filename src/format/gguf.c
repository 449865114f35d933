/* Reading GGUF: one pass over the header with a cursor that knows how many bytes are left.
 *
 * Invariants: no count, length or offset is believed before it is compared with the bytes that are there, so memory taken
 * is at most a small multiple of the file's own size; every pointer given out lies inside the mapping; tensor data do not
 * overlap. Nothing of a tensor's data is touched. Metadata stays in the file; gguf_value.c reads it when asked.
 * Common: one part, in order, under 2,000 tensors. Rare: split files, which are opened one by one and joined.
 * Source of the layout: the format's own description (docs/gguf.md of ggml), versions 2 and 3. */
#include "format/gguf_int.h"

#include <stdio.h>

enum {
    MAX_KV = 1 << 16,           /* real files have under 100 */
    MAX_TENSORS = 1 << 20,      /* the largest model of the family has 92,000 before its experts are stacked */
    MAX_KEY = 65535,            /* format description */
    MAX_NAME = 127,             /* ggml's own buffer: 64; some converters use twice that */
    MAX_DEPTH = 4,              /* arrays in arrays */
    MAX_ALIGNMENT = 1 << 20,
    MIN_KV_BYTES = 8 + 1 + 4 + 1,           /* key of one byte, type, value of one byte */
    MIN_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8, /* name of one byte, one dimension */
};

typedef struct cursor {
    const uint8_t *p;           /* next byte */
    size_t left;
    const uint8_t *start;
} cursor;

static r1_status cut(const cursor *c, const char *what, r1_error *err)
{
    size_t at = (size_t)(c->p - c->start);
    return r1_fail(err, R1_EFORMAT, "the file ends inside %s (at byte %zu, of %zu)", what, at, at + c->left);
}

static void skip(cursor *c, size_t n)
{
    c->p += n;
    c->left -= n;
}

static r1_status take_u32(cursor *c, uint32_t *v, const char *what, r1_error *err)
{
    if (c->left < 4) return cut(c, what, err);
    *v = r1_le32(c->p);
    skip(c, 4);
    return R1_OK;
}

static r1_status take_u64(cursor *c, uint64_t *v, const char *what, r1_error *err)
{
    if (c->left < 8) return cut(c, what, err);
    *v = r1_le64(c->p);
    skip(c, 8);
    return R1_OK;
}

static r1_status take_string(cursor *c, r1_slice *s, const char *what, r1_error *err)
{
    uint64_t n;
    r1_status st = take_u64(c, &n, what, err);
    if (st) return st;
    if (n > c->left)
        return r1_fail(err, R1_EFORMAT, "the length of %s is %llu, but %zu bytes are left in the file", what, (unsigned long long)n, c->left);
    *s = (r1_slice){ (const char *)c->p, (size_t)n };
    skip(c, (size_t)n);
    return R1_OK;
}

/* ---- metadata --------------------------------------------------------------------------------------------------- */

const char *r1_gguf_type_name(r1_gguf_type type)
{
    static const char *const name[] = { "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64" };
    return name[type];
}

size_t r1_gguf_type_size(r1_gguf_type type)
{
    static const uint8_t size[] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };
    return size[type];
}

static r1_status take_type(cursor *c, r1_gguf_type *type, const char *what, r1_error *err)
{
    uint32_t v;
    r1_status s = take_u32(c, &v, what, err);
    if (s) return s;
    if (v > R1_GGUF_F64) return r1_fail(err, R1_EFORMAT, "%s is %u, expected 0 to 12", what, v);
    *type = (r1_gguf_type)v;
    return R1_OK;
}

static r1_status check_bools(const uint8_t *p, size_t n, r1_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] > 1) return r1_fail(err, R1_EFORMAT, "a bool is %u, expected 0 or 1", p[i]);
    return R1_OK;
}

static r1_status skip_array(cursor *c, int depth, r1_gguf_kv *kv, r1_error *err);

/* Step over n values of one type, checking each. */
static r1_status skip_values(cursor *c, r1_gguf_type type, uint64_t n, int depth, r1_error *err)
{
    size_t size = r1_gguf_type_size(type);
    size_t least = size ? size : type == R1_GGUF_STRING ? 8 : 12; /* a string's length; an array's type and count */
    if (n > c->left / least)
        return r1_fail(err, R1_EFORMAT, "%llu values of type %s do not fit into the %zu bytes left in the file", (unsigned long long)n,
                       r1_gguf_type_name(type), c->left);
    if (size) {
        if (type == R1_GGUF_BOOL) {
            r1_status s = check_bools(c->p, (size_t)n, err);
            if (s) return s;
        }
        skip(c, (size_t)n * size);
        return R1_OK;
    }
    for (uint64_t i = 0; i < n; i++) {
        r1_slice text;
        r1_status s = type == R1_GGUF_STRING ? take_string(c, &text, "a string", err) : skip_array(c, depth + 1, NULL, err);
        if (s) return s;
    }
    return R1_OK;
}

/* kv, when given, learns element type, count and first element. */
static r1_status skip_array(cursor *c, int depth, r1_gguf_kv *kv, r1_error *err)
{
    r1_gguf_type item = R1_GGUF_U8;
    uint64_t n = 0;
    if (depth > MAX_DEPTH) return r1_fail(err, R1_EFORMAT, "arrays are nested more than %d deep", MAX_DEPTH);
    r1_status s = take_type(c, &item, "an array's element type", err);
    if (s == R1_OK) s = take_u64(c, &n, "an array's count", err);
    if (s) return s;
    if (kv) {
        kv->item = item;
        kv->n = n;
        kv->data = c->p;
    }
    return skip_values(c, item, n, depth, err);
}

static r1_status read_kv(cursor *c, r1_gguf_kv *kv, r1_error *err)
{
    *kv = (r1_gguf_kv){ .n = 1 };
    r1_status s = take_string(c, &kv->key, "a metadata key", err);
    if (s) return s;
    if (kv->key.n > MAX_KEY) return r1_fail(err, R1_EFORMAT, "a metadata key has %zu bytes, expected at most %d", kv->key.n, MAX_KEY);
    if (!r1_name_is_sound(kv->key.p, kv->key.n))
        return r1_fail(err, R1_EFORMAT, "the metadata key '%.*s' is empty or not valid UTF-8", R1_SLICE_ARG(kv->key));
    s = take_type(c, &kv->type, "a value's type", err);
    if (s == R1_OK) {
        kv->data = kv->stored = c->p;
        s = kv->type == R1_GGUF_ARRAY ? skip_array(c, 1, kv, err) : skip_values(c, kv->type, 1, 0, err);
        kv->stored_bytes = (size_t)(c->p - kv->stored);
    }
    return r1_context(err, s, "metadata key '%.*s'", R1_SLICE_ARG(kv->key));
}

static r1_status read_metadata(r1_gguf *g, cursor *c, uint64_t n, r1_error *err)
{
    if (n > MAX_KV || n > c->left / MIN_KV_BYTES)
        return r1_fail(err, R1_EFORMAT, "the header counts %llu metadata keys; %zu bytes are left in the file and at most %d keys are read",
                       (unsigned long long)n, c->left, (int)MAX_KV);
    g->kv = calloc(r1_max((size_t)n, 1), sizeof *g->kv);
    if (!g->kv) return r1_fail(err, R1_ENOMEM, "no memory for %llu metadata keys", (unsigned long long)n);
    for (; g->n_kv < n; g->n_kv++) {
        r1_status s = read_kv(c, &g->kv[g->n_kv], err);
        if (s) return s;
    }
    r1_status s = r1_names_init(&g->kv_names, g->n_kv, err);
    if (s) return s;
    for (size_t i = 0; i < g->n_kv; i++) g->kv_names.e[i] = (r1_name){ g->kv[i].key, i };
    const r1_name *twice = r1_names_sort(&g->kv_names);
    if (twice) return r1_fail(err, R1_EFORMAT, "the metadata key '%.*s' occurs twice", R1_SLICE_ARG(twice->name));
    return R1_OK;
}

static r1_status read_alignment(const r1_gguf *g, size_t *alignment, r1_error *err)
{
    int64_t a;
    r1_status s = r1_gguf_int(g, "general.alignment", false, 32, 8, MAX_ALIGNMENT, &a, err);
    if (s) return s;
    if (a & (a - 1)) return r1_fail(err, R1_EFORMAT, "'general.alignment' is %lld, expected a power of two", (long long)a);
    *alignment = (size_t)a;
    return R1_OK;
}

/* ---- tensors ---------------------------------------------------------------------------------------------------- */

static r1_status unsupported_type(const r1_gguf_tensor *t, uint32_t id, r1_error *err)
{
    char list[256];
    int at = 0;
    for (unsigned i = 0; i < R1_F8_E4M3; i++) {
        const r1_type_info *info = r1_type_get(i);
        if (info && info->name && at < (int)sizeof list - 16)
            at += snprintf(list + at, sizeof list - (size_t)at, "%s%s", at ? ", " : "", info->name);
    }
    const char *name = id < R1_F8_E4M3 ? r1_type_ggml_name(id) : NULL;
    if (name)
        return r1_fail(err, R1_EUNSUPPORTED, "tensor '%.*s' has type %s, which is not supported; supported are %s", R1_SLICE_ARG(t->name), name, list);
    return r1_fail(err, R1_EUNSUPPORTED, "tensor '%.*s' has the unknown type %u; supported are %s", R1_SLICE_ARG(t->name), id, list);
}

static r1_status read_shape(cursor *c, r1_gguf_tensor *t, r1_error *err)
{
    uint32_t n_dims;
    uint64_t count = 1;
    r1_status s = take_u32(c, &n_dims, "a tensor's number of dimensions", err);
    if (s) return s;
    if (n_dims < 1 || n_dims > 4)
        return r1_fail(err, R1_EFORMAT, "tensor '%.*s' has %u dimensions, expected 1 to 4", R1_SLICE_ARG(t->name), n_dims);
    t->n_dims = (int)n_dims;
    for (int i = 0; i < 4; i++) {
        t->ne[i] = 1;
        if (i >= t->n_dims) continue;
        s = take_u64(c, &t->ne[i], "a tensor's dimensions", err);
        if (s) return s;
        if (t->ne[i] == 0) return r1_fail(err, R1_EFORMAT, "dimension %d of tensor '%.*s' is 0", i, R1_SLICE_ARG(t->name));
        if (!r1_mul_ok(count, t->ne[i], &count) || count > INT64_MAX)
            return r1_fail(err, R1_EFORMAT, "tensor '%.*s' has more than 2^63 elements", R1_SLICE_ARG(t->name));
    }
    return R1_OK;
}

/* Size of the data from type and shape. */
static r1_status set_type(r1_gguf_tensor *t, uint32_t id, r1_error *err)
{
    t->packed = id >= R1_PACKED_ID && id < R1_PACKED_ID + R1_F8_E4M3;
    uint32_t plain = t->packed ? id - R1_PACKED_ID : id;
    const r1_type_info *info = plain < R1_F8_E4M3 ? r1_type_get(plain) : NULL;
    if (!info || !info->name) return unsupported_type(t, plain, err);
    if (t->packed && !info->quantised)
        return r1_fail(err, R1_EFORMAT, "tensor '%.*s' has the type 'packed %s', expected a packed type of blocks such as Q4_0", R1_SLICE_ARG(t->name), info->name);
    if (t->packed && t->n_dims < 2)
        return r1_fail(err, R1_EFORMAT, "tensor '%.*s' is packed and has 1 dimension, expected 2 or more", R1_SLICE_ARG(t->name));
    t->type = (r1_type)plain;
    if (t->ne[0] % info->block)
        return r1_fail(err, R1_EFORMAT, "rows of tensor '%.*s' have %llu values, expected a multiple of %u for %s", R1_SLICE_ARG(t->name),
                       (unsigned long long)t->ne[0], info->block, info->name);
    uint64_t rows = t->packed ? (t->ne[1] + 15) / 16 * 16 : t->ne[1], blocks; /* ne[1] is at most 2^63 */
    if (!r1_mul_ok(t->ne[0] / info->block, rows, &blocks) || !r1_mul_ok(blocks, t->ne[2] * t->ne[3], &blocks) || !r1_mul_ok(blocks, info->bytes, &t->bytes))
        return r1_fail(err, R1_EFORMAT, "tensor '%.*s' has more than 2^64 bytes", R1_SLICE_ARG(t->name));
    return R1_OK;
}

/* t->data is left NULL: where data start is known only after the last info. */
static r1_status read_tensor(cursor *c, r1_gguf_tensor *t, size_t alignment, uint64_t *offset, r1_error *err)
{
    uint32_t id;
    *t = (r1_gguf_tensor){ 0 };
    r1_status s = take_string(c, &t->name, "a tensor's name", err);
    if (s) return s;
    if (t->name.n > MAX_NAME)
        return r1_fail(err, R1_EFORMAT, "the tensor name '%.*s' has %zu bytes, expected at most %d", R1_SLICE_ARG(t->name), t->name.n, MAX_NAME);
    if (!r1_name_is_sound(t->name.p, t->name.n))
        return r1_fail(err, R1_EFORMAT, "the tensor name '%.*s' is empty or not valid UTF-8", R1_SLICE_ARG(t->name));
    s = read_shape(c, t, err);
    if (s == R1_OK) s = take_u32(c, &id, "a tensor's type", err);
    if (s == R1_OK) s = set_type(t, id, err);
    if (s == R1_OK) s = take_u64(c, offset, "a tensor's offset", err);
    if (s) return s;
    if (*offset % alignment)
        return r1_fail(err, R1_EFORMAT, "tensor '%.*s' starts at offset %llu, expected a multiple of %zu", R1_SLICE_ARG(t->name),
                       (unsigned long long)*offset, alignment);
    return R1_OK;
}

static int compare_places(const void *a, const void *b)
{
    const r1_gguf_tensor *x = *(const r1_gguf_tensor *const *)a, *y = *(const r1_gguf_tensor *const *)b;
    return (x->data > y->data) - (x->data < y->data);
}

static r1_status check_overlap(const r1_gguf *g, r1_error *err)
{
    if (g->n_tensors < 2) return R1_OK;
    const r1_gguf_tensor **order = malloc(g->n_tensors * sizeof *order);
    if (!order) return r1_fail(err, R1_ENOMEM, "no memory for %zu tensors", g->n_tensors);
    bool sorted = true;
    for (size_t i = 0; i < g->n_tensors; i++) {
        order[i] = &g->tensors[i];
        sorted &= i == 0 || order[i - 1]->data <= order[i]->data;
    }
    if (!sorted) qsort(order, g->n_tensors, sizeof *order, compare_places);
    r1_status s = R1_OK;
    for (size_t i = 1; i < g->n_tensors && s == R1_OK; i++)
        if ((uint64_t)(order[i]->data - order[i - 1]->data) < order[i - 1]->bytes)
            s = r1_fail(err, R1_EFORMAT, "the data of tensors '%.*s' and '%.*s' overlap", R1_SLICE_ARG(order[i - 1]->name), R1_SLICE_ARG(order[i]->name));
    free(order);
    return s;
}

static r1_status index_tensors(r1_gguf *g, r1_error *err)
{
    r1_names_deinit(&g->tensor_names);
    r1_status s = r1_names_init(&g->tensor_names, g->n_tensors, err);
    if (s) return s;
    for (size_t i = 0; i < g->n_tensors; i++) g->tensor_names.e[i] = (r1_name){ g->tensors[i].name, i };
    const r1_name *twice = r1_names_sort(&g->tensor_names);
    if (twice) return r1_fail(err, R1_EFORMAT, "the tensor '%.*s' occurs twice", R1_SLICE_ARG(twice->name));
    return R1_OK;
}

/* Turn offsets into pointers. The data start at the first multiple of the alignment after the last info. */
static r1_status place_tensors(r1_gguf *g, const cursor *c, size_t alignment, const uint64_t *offsets, r1_error *err)
{
    size_t at = (size_t)(c->p - c->start), pad = (alignment - at % alignment) % alignment;
    if (pad > c->left) return cut(c, "the padding before the tensor data", err);
    const uint8_t *data = c->p + pad;
    size_t size = c->left - pad;
    for (size_t i = 0; i < g->n_tensors; i++) {
        r1_gguf_tensor *t = &g->tensors[i];
        if (offsets[i] > size || t->bytes > size - offsets[i])
            return r1_fail(err, R1_EFORMAT, "tensor '%.*s' has %llu bytes at offset %llu, but the file has %zu bytes of tensor data; it is cut short or damaged",
                           R1_SLICE_ARG(t->name), (unsigned long long)t->bytes, (unsigned long long)offsets[i], size);
        t->data = data + offsets[i];
        size_t place = (size_t)(t->data - c->start);
        if (t->packed && place % R1_PACKED_ALIGNMENT)
            return r1_fail(err, R1_EFORMAT, "the packed tensor '%.*s' starts at byte %zu of the file, expected a multiple of %d", R1_SLICE_ARG(t->name), place,
                           (int)R1_PACKED_ALIGNMENT);
    }
    return check_overlap(g, err);
}

static r1_status read_tensors(r1_gguf *g, cursor *c, uint64_t n, r1_error *err)
{
    size_t alignment = 32;
    r1_status s = read_alignment(g, &alignment, err);
    if (s) return s;
    if (n > MAX_TENSORS || n > c->left / MIN_TENSOR_BYTES)
        return r1_fail(err, R1_EFORMAT, "the header counts %llu tensors; %zu bytes are left in the file and at most %d tensors are read",
                       (unsigned long long)n, c->left, (int)MAX_TENSORS);
    if (n == 0) return R1_OK;
    uint64_t *offsets = calloc((size_t)n, sizeof *offsets);
    g->tensors = calloc((size_t)n, sizeof *g->tensors);
    if (!offsets || !g->tensors) s = r1_fail(err, R1_ENOMEM, "no memory for %llu tensors", (unsigned long long)n);
    for (; s == R1_OK && g->n_tensors < n; g->n_tensors++)
        s = read_tensor(c, &g->tensors[g->n_tensors], alignment, &offsets[g->n_tensors], err);
    if (s == R1_OK) s = index_tensors(g, err);
    if (s == R1_OK) s = place_tensors(g, c, alignment, offsets, err);
    free(offsets);
    return s;
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static r1_status check_version(uint32_t v, r1_error *err)
{
    if (v == 2 || v == 3) return R1_OK;
    if (v == 1) return r1_fail(err, R1_EUNSUPPORTED, "this is GGUF version 1; versions 2 and 3 are supported: convert the file again");
    if (v && !(v & 0xFFFF)) return r1_fail(err, R1_EUNSUPPORTED, "this is a big-endian GGUF file; little-endian files are supported");
    return r1_fail(err, R1_EUNSUPPORTED, "this is GGUF version %u; versions 2 and 3 are supported", v);
}

/* The layout of panels may change one day; a file says which it has. */
static r1_status check_packed(const r1_gguf *g, r1_error *err)
{
    int64_t version;
    size_t i = 0;
    while (i < g->n_tensors && !g->tensors[i].packed) i++;
    if (i == g->n_tensors) return R1_OK;
    r1_status s = r1_gguf_int(g, R1_PACKED_VERSION_KEY, false, 0, 0, INT64_MAX, &version, err);
    if (s == R1_OK && version == 0)
        s = r1_fail(err, R1_EFORMAT, "tensor '%.*s' is packed, but the metadata key '" R1_PACKED_VERSION_KEY "' is missing", R1_SLICE_ARG(g->tensors[i].name));
    if (s == R1_OK && version != R1_PACKED_VERSION)
        s = r1_fail(err, R1_EUNSUPPORTED, "this is a packed file of version %lld, version %d is supported; pack the source again with `r1 pack`",
                    (long long)version, (int)R1_PACKED_VERSION);
    return s;
}

/* Fill a zeroed g. */
static r1_status read_header(r1_gguf *g, const void *bytes, size_t n, r1_error *err)
{
    cursor c = { .p = bytes, .left = n, .start = bytes };
    char kind[R1_KIND_MAX];
    uint32_t version;
    uint64_t n_tensors, n_kv;
    if (n < 4 || memcmp(bytes, "GGUF", 4))
        return r1_fail(err, n >= 4 && !memcmp(bytes, "FUGG", 4) ? R1_EUNSUPPORTED : R1_EFORMAT, "this is %s, expected GGUF",
                       r1_kind_of_bytes(bytes, n, kind));
    skip(&c, 4);
    r1_status s = take_u32(&c, &version, "the version", err);
    if (s == R1_OK) s = check_version(version, err);
    if (s == R1_OK) s = take_u64(&c, &n_tensors, "the tensor count", err);
    if (s == R1_OK) s = take_u64(&c, &n_kv, "the metadata count", err);
    if (s == R1_OK) s = read_metadata(g, &c, n_kv, err);
    if (s == R1_OK) s = read_tensors(g, &c, n_tensors, err);
    if (s == R1_OK) s = check_packed(g, err);
    g->version = version;
    g->n_parts = 1;
    g->file_bytes = n;
    return s;
}

r1_status r1_gguf_parse(r1_gguf **out, const void *bytes, size_t n, r1_error *err)
{
    *out = NULL;
    r1_gguf *g = calloc(1, sizeof *g);
    if (!g) return r1_fail(err, R1_ENOMEM, "no memory for a GGUF file");
    int64_t count;
    r1_status s = read_header(g, bytes, n, err);
    if (s == R1_OK) s = r1_gguf_int(g, "split.count", false, 1, 1, 65535, &count, err);
    if (s == R1_OK && count > 1) s = r1_fail(err, R1_EINVAL, "this is a part of a file split into %lld; it must be opened by its path", (long long)count);
    if (s) r1_gguf_close(g);
    else *out = g;
    return s;
}

/* One file, whatever its split keys say. */
static r1_status open_part(r1_gguf **out, const char *path, r1_error *err)
{
    *out = NULL;
    r1_gguf *g = calloc(1, sizeof *g);
    if (!g) return r1_fail(err, R1_ENOMEM, "no memory for '%s'", path);
    r1_status s = R1_OK;
    g->maps = calloc(1, sizeof *g->maps);
    if (!g->maps) {
        s = r1_fail(err, R1_ENOMEM, "no memory for '%s'", path);
    } else {
        g->n_parts = 1;
        s = r1_map_open(&g->maps[0], path, err);
        if (s == R1_OK) s = r1_context(err, read_header(g, g->maps[0].data, g->maps[0].size, err), "'%s'", path);
    }
    if (s) r1_gguf_close(g);
    else *out = g;
    return s;
}

typedef struct split {
    int64_t no, count, tensors; /* tensors: -1 when the file does not say */
} split;

static r1_status read_split(const r1_gguf *g, split *x, r1_error *err)
{
    r1_status s = r1_gguf_int(g, "split.count", false, 1, 0, 65535, &x->count, err);
    if (s == R1_OK) s = r1_gguf_int(g, "split.no", x->count > 1, 0, 0, 65535, &x->no, err);
    if (s == R1_OK) s = r1_gguf_int(g, "split.tensors.count", false, -1, 0, INT32_MAX, &x->tensors, err);
    return s;
}

/* Take tensors and mapping of a part over into g. */
static r1_status append_part(r1_gguf *g, r1_gguf *part, r1_error *err)
{
    size_t n = g->n_tensors + part->n_tensors;
    if (n > MAX_TENSORS) return r1_fail(err, R1_EFORMAT, "the parts have more than %d tensors", (int)MAX_TENSORS);
    r1_gguf_tensor *t = realloc(g->tensors, r1_max(n, 1) * sizeof *t);
    if (!t) return r1_fail(err, R1_ENOMEM, "no memory for %zu tensors", n);
    g->tensors = t;
    for (size_t i = 0; i < part->n_tensors; i++) {
        t[g->n_tensors + i] = part->tensors[i];
        t[g->n_tensors + i].part = g->n_parts;
    }
    g->n_tensors = n;
    g->file_bytes += part->file_bytes;
    g->maps[g->n_parts++] = part->maps[0];
    part->maps[0] = (r1_map){ 0 };
    return R1_OK;
}

static r1_status join_part(r1_gguf *g, const char *path, int64_t no, const split *whole, r1_error *err)
{
    r1_gguf *part;
    split x;
    r1_status s = open_part(&part, path, err);
    if (s) return r1_context(err, s, "part %lld of %lld", (long long)no + 1, (long long)whole->count);
    s = read_split(part, &x, err);
    if (s == R1_OK && (x.no != no || x.count != whole->count))
        s = r1_fail(err, R1_EFORMAT, "this is part %lld of %lld, expected part %lld of %lld", (long long)x.no + 1, (long long)x.count, (long long)no + 1,
                    (long long)whole->count);
    if (s == R1_OK && x.tensors >= 0 && whole->tensors >= 0 && x.tensors != whole->tensors)
        s = r1_fail(err, R1_EFORMAT, "the parts belong to a file of %lld tensors, the first part to one of %lld", (long long)x.tensors, (long long)whole->tensors);
    if (s == R1_OK) s = append_part(g, part, err);
    r1_gguf_close(part);
    return r1_context(err, s, "'%s'", path);
}

static r1_status join_parts(r1_gguf *g, const char *path, r1_error *err)
{
    split whole;
    size_t prefix;
    unsigned number, count;
    r1_status s = read_split(g, &whole, err);
    if (s) return r1_context(err, s, "'%s'", path);
    if (whole.count <= 1) return R1_OK;
    bool named = r1_split_name(path, &prefix, &number, &count);
    if (whole.no != 0 && !named)
        return r1_fail(err, R1_EFORMAT, "'%s' is part %lld of %lld; name the first part", path, (long long)whole.no + 1, (long long)whole.count);
    if (whole.no != 0)
        return r1_fail(err, R1_EFORMAT, "'%s' is part %lld of %lld; name the first part, '%.*s-00001-of-%05lld.gguf'", path, (long long)whole.no + 1,
                       (long long)whole.count, (int)prefix, path, (long long)whole.count);
    if (!named || number != 1 || count != whole.count)
        return r1_fail(err, R1_EFORMAT, "'%s' is part 1 of %lld, but is not named ...-00001-of-%05lld.gguf; its other parts are found by that name", path,
                       (long long)whole.count, (long long)whole.count);
    r1_map *maps = realloc(g->maps, (size_t)whole.count * sizeof *maps);
    char *name = malloc(prefix + 32);
    if (maps) g->maps = maps;
    if (!maps || !name) s = r1_fail(err, R1_ENOMEM, "no memory for %lld parts", (long long)whole.count);
    for (int64_t i = 1; s == R1_OK && i < whole.count; i++) {
        snprintf(name, prefix + 32, "%.*s-%05lld-of-%05lld.gguf", (int)prefix, path, (long long)i + 1, (long long)whole.count);
        s = join_part(g, name, i, &whole, err);
    }
    free(name);
    if (s) return s;
    if (whole.tensors >= 0 && (uint64_t)whole.tensors != g->n_tensors)
        return r1_fail(err, R1_EFORMAT, "the %lld parts of '%s' have %zu tensors, expected %lld ('split.tensors.count')", (long long)whole.count, path,
                       g->n_tensors, (long long)whole.tensors);
    return r1_context(err, index_tensors(g, err), "the parts of '%s'", path);
}

r1_status r1_gguf_open(r1_gguf **out, const char *path, r1_error *err)
{
    r1_status s = open_part(out, path, err);
    if (s) return s;
    s = join_parts(*out, path, err);
    if (s) {
        r1_gguf_close(*out);
        *out = NULL;
    }
    return s;
}

void r1_gguf_close(r1_gguf *g)
{
    if (!g) return;
    for (int i = 0; g->maps && i < g->n_parts; i++) r1_map_close(&g->maps[i]);
    free(g->maps);
    r1_names_deinit(&g->kv_names);
    r1_names_deinit(&g->tensor_names);
    free(g->kv);
    free(g->tensors);
    free(g);
}

size_t r1_gguf_n_tensors(const r1_gguf *g) { return g->n_tensors; }
const r1_gguf_tensor *r1_gguf_tensor_at(const r1_gguf *g, size_t i) { return &g->tensors[i]; }

const r1_gguf_tensor *r1_gguf_find_tensor(const r1_gguf *g, const char *name)
{
    size_t i = r1_names_find(&g->tensor_names, name, strlen(name));
    return i == SIZE_MAX ? NULL : &g->tensors[i];
}

size_t r1_gguf_n_kv(const r1_gguf *g) { return g->n_kv; }
const r1_gguf_kv *r1_gguf_kv_at(const r1_gguf *g, size_t i) { return &g->kv[i]; }

const r1_gguf_kv *r1_gguf_find(const r1_gguf *g, const char *key)
{
    size_t i = r1_names_find(&g->kv_names, key, strlen(key));
    return i == SIZE_MAX ? NULL : &g->kv[i];
}

unsigned r1_gguf_version(const r1_gguf *g) { return g->version; }
const r1_map *r1_gguf_map(const r1_gguf *g, int part) { return g->maps ? &g->maps[part] : NULL; }
int r1_gguf_n_parts(const r1_gguf *g) { return g->n_parts; }
uint64_t r1_gguf_file_bytes(const r1_gguf *g) { return g->file_bytes; }
