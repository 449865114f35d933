/* Reading safetensors: u64 length, JSON header, data.
 *
 * The header is cut into its entries by a small scanner, and each entry goes to the JSON parser alone. A whole header may
 * be 100 MB, and a tree of it would take fifty times that; entries are small. The parser still decides what is JSON, so
 * the scanner needs to know strings and brackets only.
 * Invariants after opening: tensors, in order of offset, tile the data without gap or overlap, and every size equals
 * shape times width. Source: the format's own description (huggingface/safetensors, README). */
#define _GNU_SOURCE
#include "format/safetensors.h"
#include "base/json.h"
#include "format/format_int.h"

enum {
    MAX_HEADER = 100000000,   /* format description */
    MAX_TENSORS = 1 << 20,    /* DeepSeek-R1 has 91,991 */
    MAX_NAME = 1024,
    MAX_ENTRY = 1 << 16,      /* JSON bytes of one tensor; real ones are under 200 */
    MAX_METADATA = 8 << 20,   /* "__metadata__": training logs have been seen in it */
    MAX_DEPTH = 4,            /* brackets in brackets */
    MAX_DIMS = 8,
};

struct r1_st {
    r1_map map;
    bool mapped;
    r1_st_tensor *tensors;    /* owns the names */
    size_t n_tensors, cap;
    r1_names names;
};

/* ---- the scanner ------------------------------------------------------------------------------------------------ */

typedef struct scan {
    const char *p;
    size_t n, at;
} scan;

static void skip_blanks(scan *c)
{
    while (c->at < c->n && memchr(" \t\r\n", c->p[c->at], 4)) c->at++;
}

static r1_status wrong(const scan *c, const char *expected, r1_error *err)
{
    if (c->at >= c->n) return r1_fail(err, R1_EFORMAT, "the JSON header ends where %s was expected", expected);
    return r1_fail(err, R1_EFORMAT, "byte %zu of the JSON header is '%c', expected %s", c->at, c->p[c->at], expected);
}

static r1_status take(scan *c, char ch, const char *expected, r1_error *err)
{
    skip_blanks(c);
    if (c->at >= c->n || c->p[c->at] != ch) return wrong(c, expected, err);
    c->at++;
    return R1_OK;
}

/* At a quote; to behind the closing one. */
static r1_status skip_string(scan *c, r1_error *err)
{
    for (c->at++; c->at < c->n; c->at++) {
        if (c->p[c->at] == '\\') c->at++;
        else if (c->p[c->at] == '"') {
            c->at++;
            return R1_OK;
        }
    }
    c->at = c->n;
    return wrong(c, "the end of a string", err);
}

static r1_status take_name(scan *c, r1_slice *span, r1_error *err)
{
    skip_blanks(c);
    if (c->at >= c->n || c->p[c->at] != '"') return wrong(c, "a tensor name in quotes", err);
    size_t from = c->at;
    r1_status s = skip_string(c, err);
    *span = (r1_slice){ c->p + from, c->at - from };
    return s;
}

/* An object, to behind its closing bracket. */
static r1_status take_object(scan *c, r1_slice *span, r1_error *err)
{
    skip_blanks(c);
    if (c->at >= c->n || c->p[c->at] != '{') return wrong(c, "'{'", err);
    size_t from = c->at;
    int depth = 0;
    while (c->at < c->n) {
        char ch = c->p[c->at];
        if (ch == '"') {
            r1_status s = skip_string(c, err);
            if (s) return s;
            continue;
        }
        if ((ch == '{' || ch == '[') && ++depth > MAX_DEPTH)
            return r1_fail(err, R1_EFORMAT, "brackets in the JSON header are nested more than %d deep", MAX_DEPTH);
        c->at++;
        if ((ch == '}' || ch == ']') && --depth == 0) {
            *span = (r1_slice){ c->p + from, c->at - from };
            return R1_OK;
        }
    }
    return wrong(c, "'}'", err);
}

/* ---- one entry -------------------------------------------------------------------------------------------------- */

/* Bits of an element; 0 for an unknown dtype. */
static unsigned dtype_bits(const char *dtype)
{
    static const struct { char name[12]; uint8_t bits; } known[] = {
        { "F32", 32 }, { "BF16", 16 }, { "F16", 16 }, { "F8_E4M3", 8 }, { "I32", 32 }, { "I64", 64 }, { "U8", 8 }, { "BOOL", 8 },
        { "I8", 8 }, { "I16", 16 }, { "U16", 16 }, { "U32", 32 }, { "U64", 64 }, { "F64", 64 }, { "F8_E5M2", 8 }, { "F8_E8M0", 8 },
        { "F8_E4M3FNUZ", 8 }, { "F8_E5M2FNUZ", 8 }, { "F6_E2M3", 6 }, { "F6_E3M2", 6 }, { "F4", 4 }, { "C64", 64 },
    };
    for (size_t i = 0; i < R1_COUNT(known); i++)
        if (!strcmp(known[i].name, dtype)) return known[i].bits;
    return 0;
}

/* A list of whole numbers that are not negative; its length goes to *n. */
static r1_status read_numbers(const json_t *entry, const char *key, size_t max, uint64_t *v, size_t *n, r1_error *err)
{
    const json_t *list = json_object_get(entry, key);
    if (!json_is_array(list)) return r1_fail(err, R1_EFORMAT, "'%s' is %s, expected an array", key, r1_json_kind(list));
    *n = json_array_size(list);
    if (*n > max) return r1_fail(err, R1_EFORMAT, "'%s' has %zu elements, expected at most %zu", key, *n, max);
    for (size_t i = 0; i < *n; i++) {
        const json_t *x = json_array_get(list, i);
        if (!json_is_integer(x) || json_integer_value(x) < 0)
            return r1_fail(err, R1_EFORMAT, "element %zu of '%s' is %s, expected an integer of at least 0", i, key,
                           json_is_integer(x) ? "negative" : r1_json_kind(x));
        v[i] = (uint64_t)json_integer_value(x);
    }
    return R1_OK;
}

static r1_status check_keys(const json_t *entry, r1_error *err)
{
    const char *key;
    const json_t *v;
    void *it = json_object_iter((json_t *)entry);
    for (; it; it = json_object_iter_next((json_t *)entry, it)) {
        key = json_object_iter_key(it);
        v = json_object_iter_value(it);
        if (strcmp(key, "dtype") && strcmp(key, "shape") && strcmp(key, "data_offsets"))
            return r1_fail(err, R1_EUNSUPPORTED, "the field '%s' (%s) is unknown; dtype, shape and data_offsets are known", key, r1_json_kind(v));
    }
    return R1_OK;
}

/* `data` is the data buffer, of `size` bytes. */
static r1_status fill_tensor(r1_st_tensor *t, const json_t *entry, const uint8_t *data, size_t size, r1_error *err)
{
    const char *dtype;
    uint64_t place[2], count = 1, bits;
    size_t n_dims = 0, n_place = 0;
    if (!json_is_object(entry)) return r1_fail(err, R1_EFORMAT, "its entry is %s, expected an object", r1_json_kind(entry));
    r1_status s = check_keys(entry, err);
    if (s == R1_OK) s = r1_json_str(entry, "dtype", true, "", &dtype, err);
    if (s == R1_OK && !dtype_bits(dtype)) s = r1_fail(err, R1_EUNSUPPORTED, "its dtype '%.64s' is unknown", dtype);
    if (s == R1_OK) s = read_numbers(entry, "shape", MAX_DIMS, t->shape, &n_dims, err);
    if (s == R1_OK) s = read_numbers(entry, "data_offsets", 2, place, &n_place, err);
    if (s) return s;
    if (n_place != 2) return r1_fail(err, R1_EFORMAT, "'data_offsets' has %zu elements, expected 2", n_place);
    strcpy(t->dtype, dtype); /* a known one, so it fits */
    t->n_dims = (int)n_dims;
    for (size_t i = 0; i < n_dims; i++)
        if (!r1_mul_ok(count, t->shape[i], &count)) return r1_fail(err, R1_EFORMAT, "its shape has more than 2^64 elements");
    if (!r1_mul_ok(count, dtype_bits(dtype), &bits)) return r1_fail(err, R1_EFORMAT, "its shape has more than 2^61 bytes");
    if (place[0] > place[1] || place[1] > size)
        return r1_fail(err, R1_EFORMAT, "its data are at %llu to %llu, but the file has %zu bytes of data; it is cut short or damaged",
                       (unsigned long long)place[0], (unsigned long long)place[1], size);
    t->bytes = place[1] - place[0];
    if (bits % 8 || bits / 8 != t->bytes)
        return r1_fail(err, R1_EFORMAT, "'data_offsets' hold %llu bytes, but its shape and %s need %llu bits", (unsigned long long)t->bytes, dtype,
                       (unsigned long long)bits);
    t->data = data + place[0];
    return R1_OK;
}

static r1_status check_metadata(r1_slice span, r1_error *err)
{
    json_t *o = NULL;
    if (span.n > MAX_METADATA) return r1_fail(err, R1_EFORMAT, "'__metadata__' has %zu bytes, expected at most %d", span.n, (int)MAX_METADATA);
    r1_status s = r1_context(err, r1_json_parse(&o, span.p, span.n, err), "'__metadata__'");
    if (s) return s;
    const char *key;
    json_t *v;
    json_object_foreach(o, key, v) {
        if (s == R1_OK && !json_is_string(v)) s = r1_fail(err, R1_EFORMAT, "'%.128s' in '__metadata__' is %s, expected a string", key, r1_json_kind(v));
    }
    json_decref(o);
    return s;
}

static r1_status grow(r1_st *st, r1_error *err)
{
    if (st->n_tensors < st->cap) return R1_OK;
    if (st->cap >= MAX_TENSORS) return r1_fail(err, R1_EFORMAT, "the file has more than %d tensors", (int)MAX_TENSORS);
    size_t cap = st->cap ? st->cap * 2 : 64;
    r1_st_tensor *t = realloc(st->tensors, cap * sizeof *t);
    if (!t) return r1_fail(err, R1_ENOMEM, "no memory for %zu tensors", cap);
    st->tensors = t;
    st->cap = cap;
    return R1_OK;
}

/* Decode the quoted name; *out is malloc'ed. */
static r1_status read_name(r1_slice span, char **out, r1_error *err)
{
    json_t *v = NULL;
    *out = NULL;
    if (span.n > MAX_NAME) return r1_fail(err, R1_EFORMAT, "a tensor name has %zu bytes, expected at most %d", span.n - 2, (int)MAX_NAME);
    r1_status s = r1_context(err, r1_json_parse(&v, span.p, span.n, err), "a tensor name");
    if (s) return s;
    const char *name = json_string_value(v);
    if (!r1_name_is_sound(name, json_string_length(v))) s = r1_fail(err, R1_EFORMAT, "a tensor name is empty or holds a NUL");
    else if (!(*out = strdup(name))) s = r1_fail(err, R1_ENOMEM, "no memory for a tensor name");
    json_decref(v);
    return s;
}

static r1_status add_tensor(r1_st *st, r1_slice name, r1_slice span, const uint8_t *data, size_t size, r1_error *err)
{
    json_t *entry = NULL;
    r1_status s = grow(st, err);
    if (s) return s;
    r1_st_tensor *t = &st->tensors[st->n_tensors];
    *t = (r1_st_tensor){ 0 };
    char *owned;
    s = read_name(name, &owned, err);
    if (s) return s;
    t->name = owned;
    st->n_tensors++; /* from here on the destructor frees the name */
    if (span.n > MAX_ENTRY) s = r1_fail(err, R1_EFORMAT, "its entry has %zu bytes, expected at most %d", span.n, (int)MAX_ENTRY);
    if (s == R1_OK) s = r1_json_parse(&entry, span.p, span.n, err);
    if (s == R1_OK) s = fill_tensor(t, entry, data, size, err);
    json_decref(entry);
    return r1_context(err, s, "tensor '%.160s'", t->name);
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

static r1_status read_entries(r1_st *st, scan *c, const uint8_t *data, size_t size, r1_error *err)
{
    bool metadata = false;
    r1_status s = take(c, '{', "'{'", err);
    if (s) return s;
    skip_blanks(c);
    if (c->at < c->n && c->p[c->at] == '}') {
        c->at++;
        return R1_OK;
    }
    for (;;) {
        r1_slice name = { 0 }, value = { 0 };
        s = take_name(c, &name, err);
        if (s == R1_OK) s = take(c, ':', "':'", err);
        if (s == R1_OK) s = take_object(c, &value, err);
        if (s) return s;
        if (name.n == 14 && !memcmp(name.p, "\"__metadata__\"", 14)) {
            if (metadata) return r1_fail(err, R1_EFORMAT, "'__metadata__' occurs twice");
            metadata = true;
            s = check_metadata(value, err);
        } else {
            s = add_tensor(st, name, value, data, size, err);
        }
        if (s) return s;
        skip_blanks(c);
        if (c->at < c->n && c->p[c->at] == ',') {
            c->at++;
            continue;
        }
        return take(c, '}', "',' or '}'", err);
    }
}

static int compare_places(const void *a, const void *b)
{
    const r1_st_tensor *x = a, *y = b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1; /* empty ones before what starts at the same place */
    return strcmp(x->name, y->name);
}

static r1_status check_tiling(r1_st *st, const uint8_t *data, size_t size, r1_error *err)
{
    const uint8_t *at = data;
    if (st->n_tensors) qsort(st->tensors, st->n_tensors, sizeof *st->tensors, compare_places);
    for (size_t i = 0; i < st->n_tensors; i++) {
        const r1_st_tensor *t = &st->tensors[i];
        if (t->data < at) return r1_fail(err, R1_EFORMAT, "the data of tensors '%.160s' and '%.160s' overlap", st->tensors[i - 1].name, t->name);
        if (t->data > at) return r1_fail(err, R1_EFORMAT, "%zu bytes before the data of tensor '%.160s' belong to no tensor", (size_t)(t->data - at), t->name);
        at += t->bytes;
    }
    if (at != data + size)
        return r1_fail(err, R1_EFORMAT, "the last %zu bytes of the file belong to no tensor", (size_t)(data + size - at));
    return R1_OK;
}

static r1_status index_names(r1_st *st, r1_error *err)
{
    r1_status s = r1_names_init(&st->names, st->n_tensors, err);
    if (s) return s;
    for (size_t i = 0; i < st->n_tensors; i++) st->names.e[i] = (r1_name){ { st->tensors[i].name, strlen(st->tensors[i].name) }, i };
    const r1_name *twice = r1_names_sort(&st->names);
    if (twice) return r1_fail(err, R1_EFORMAT, "the tensor '%.*s' occurs twice", R1_SLICE_ARG(twice->name));
    return R1_OK;
}

static r1_status read_file(r1_st *st, const uint8_t *bytes, size_t n, r1_error *err)
{
    char kind[R1_KIND_MAX];
    if (n < 8) return r1_fail(err, R1_EFORMAT, "the file has %zu bytes, expected a header length of 8 bytes", n);
    uint64_t length = r1_le64(bytes);
    if (length > MAX_HEADER)
        return r1_fail(err, R1_EFORMAT, "the JSON header would have %llu bytes, expected at most %d; this is %s", (unsigned long long)length, (int)MAX_HEADER,
                       r1_kind_of_bytes(bytes, n, kind));
    if (length > n - 8)
        return r1_fail(err, R1_EFORMAT, "the JSON header would have %llu bytes, but the file has %zu", (unsigned long long)length, n - 8);
    scan c = { (const char *)bytes + 8, (size_t)length, 0 };
    const uint8_t *data = bytes + 8 + length;
    size_t size = n - 8 - (size_t)length;
    if (!c.n || c.p[0] != '{') return wrong(&c, "'{'", err);
    r1_status s = read_entries(st, &c, data, size, err);
    if (s) return s;
    skip_blanks(&c);
    if (c.at < c.n) return wrong(&c, "blanks up to the end of the header", err);
    s = check_tiling(st, data, size, err);
    return s ? s : index_names(st, err);
}

r1_status r1_st_parse(r1_st **out, const void *bytes, size_t n, r1_error *err)
{
    *out = NULL;
    r1_st *st = calloc(1, sizeof *st);
    if (!st) return r1_fail(err, R1_ENOMEM, "no memory for a safetensors file");
    r1_status s = read_file(st, bytes, n, err);
    if (s) r1_st_close(st);
    else *out = st;
    return s;
}

r1_status r1_st_open(r1_st **out, const char *path, r1_error *err)
{
    *out = NULL;
    r1_st *st = calloc(1, sizeof *st);
    if (!st) return r1_fail(err, R1_ENOMEM, "no memory for '%s'", path);
    st->mapped = true;
    r1_status s = r1_map_open(&st->map, path, err);
    if (s == R1_OK) s = r1_context(err, read_file(st, st->map.data, st->map.size, err), "'%s'", path);
    if (s) r1_st_close(st);
    else *out = st;
    return s;
}

void r1_st_close(r1_st *st)
{
    if (!st) return;
    for (size_t i = 0; i < st->n_tensors; i++) free((char *)st->tensors[i].name);
    free(st->tensors);
    r1_names_deinit(&st->names);
    r1_map_close(&st->map);
    free(st);
}

size_t r1_st_n_tensors(const r1_st *st) { return st->n_tensors; }
const r1_st_tensor *r1_st_at(const r1_st *st, size_t i) { return &st->tensors[i]; }

const r1_st_tensor *r1_st_find(const r1_st *st, const char *name)
{
    size_t i = r1_names_find(&st->names, name, strlen(name));
    return i == SIZE_MAX ? NULL : &st->tensors[i];
}

const r1_map *r1_st_map(const r1_st *st) { return st->mapped ? &st->map : NULL; }
