/* Values of GGUF metadata: typed access with errors that name key, found and expected; text and JSON for people.
 * The bytes were checked when the file was opened, so nothing here can run past them. */
#include "format/gguf_int.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>

enum {
    SHOWN_ITEMS = 6,    /* of an array */
    SHOWN_BYTES = 120,  /* of a string */
    SHOWN_ITEM_BYTES = 32,
};

/* An integer as sign and magnitude: u64 does not fit into int64_t. */
typedef struct whole {
    bool big;       /* above INT64_MAX: u holds it */
    int64_t i;
    uint64_t u;
} whole;

static bool read_whole(r1_gguf_type type, const uint8_t *p, whole *w)
{
    *w = (whole){ 0 };
    switch (type) {
    case R1_GGUF_U8: w->i = *p; return true;
    case R1_GGUF_I8: w->i = (int8_t)*p; return true;
    case R1_GGUF_U16: w->i = r1_le16(p); return true;
    case R1_GGUF_I16: w->i = (int16_t)r1_le16(p); return true;
    case R1_GGUF_U32: w->i = r1_le32(p); return true;
    case R1_GGUF_I32: w->i = (int32_t)r1_le32(p); return true;
    case R1_GGUF_I64: w->i = (int64_t)r1_le64(p); return true;
    case R1_GGUF_U64:
        w->u = r1_le64(p);
        w->big = w->u > INT64_MAX;
        w->i = (int64_t)w->u;
        return true;
    default: return false;
    }
}

static bool read_real(r1_gguf_type type, const uint8_t *p, double *v)
{
    if (type == R1_GGUF_F32) {
        uint32_t u = r1_le32(p);
        float f;
        memcpy(&f, &u, 4);
        *v = f;
        return true;
    }
    if (type != R1_GGUF_F64) return false;
    uint64_t u = r1_le64(p);
    memcpy(v, &u, 8);
    return true;
}

static r1_slice read_string(const uint8_t *p) { return (r1_slice){ (const char *)p + 8, (size_t)r1_le64(p) }; }

/* "a u32", "an array of string", for messages. */
static const char *kind(const r1_gguf_kv *kv, char out[48])
{
    if (kv->type == R1_GGUF_ARRAY) {
        snprintf(out, 48, "an array of %s", r1_gguf_type_name(kv->item));
    } else {
        const char *n = r1_gguf_type_name(kv->type);
        bool vowel = n[0] == 'i' || (n[0] == 'f' && n[1] != 'a') || n[0] == 'a'; /* an i32, an f32 */
        snprintf(out, 48, "%s %s", vowel ? "an" : "a", n);
    }
    return out;
}

/* NULL when the key is missing; *s is then R1_EFORMAT if it was required. */
static const r1_gguf_kv *lookup(const r1_gguf *g, const char *key, bool required, r1_status *s, r1_error *err)
{
    const r1_gguf_kv *kv = r1_gguf_find(g, key);
    *s = !kv && required ? r1_fail(err, R1_EFORMAT, "the metadata key '%s' is missing", key) : R1_OK;
    return kv;
}

r1_status r1_gguf_int(const r1_gguf *g, const char *key, bool required, int64_t fallback, int64_t lo, int64_t hi, int64_t *out, r1_error *err)
{
    r1_status s;
    whole w;
    char k[48];
    const r1_gguf_kv *kv = lookup(g, key, required, &s, err);
    *out = fallback;
    if (!kv) return s;
    if (!read_whole(kv->type, kv->data, &w))
        return r1_fail(err, R1_EFORMAT, "'%s' is %s, expected an integer from %lld to %lld", key, kind(kv, k), (long long)lo, (long long)hi);
    if (w.big)
        return r1_fail(err, R1_EFORMAT, "'%s' is %llu, expected %lld to %lld", key, (unsigned long long)w.u, (long long)lo, (long long)hi);
    if (w.i < lo || w.i > hi)
        return r1_fail(err, R1_EFORMAT, "'%s' is %lld, expected %lld to %lld", key, (long long)w.i, (long long)lo, (long long)hi);
    *out = w.i;
    return R1_OK;
}

r1_status r1_gguf_real(const r1_gguf *g, const char *key, bool required, double fallback, double *out, r1_error *err)
{
    r1_status s;
    double v;
    char k[48];
    const r1_gguf_kv *kv = lookup(g, key, required, &s, err);
    *out = fallback;
    if (!kv) return s;
    if (!read_real(kv->type, kv->data, &v)) return r1_fail(err, R1_EFORMAT, "'%s' is %s, expected an f32 or f64", key, kind(kv, k));
    if (!isfinite(v)) return r1_fail(err, R1_EFORMAT, "'%s' is %s, expected a finite number", key, isnan(v) ? "not a number" : "infinite");
    *out = v;
    return R1_OK;
}

r1_status r1_gguf_bool(const r1_gguf *g, const char *key, bool fallback, bool *out, r1_error *err)
{
    char k[48];
    const r1_gguf_kv *kv = r1_gguf_find(g, key);
    *out = fallback;
    if (!kv) return R1_OK;
    if (kv->type != R1_GGUF_BOOL) return r1_fail(err, R1_EFORMAT, "'%s' is %s, expected a bool", key, kind(kv, k));
    *out = *kv->data;
    return R1_OK;
}

r1_status r1_gguf_str(const r1_gguf *g, const char *key, bool required, r1_slice *out, r1_error *err)
{
    r1_status s;
    char k[48];
    const r1_gguf_kv *kv = lookup(g, key, required, &s, err);
    *out = (r1_slice){ NULL, 0 };
    if (!kv) return s;
    if (kv->type != R1_GGUF_STRING) return r1_fail(err, R1_EFORMAT, "'%s' is %s, expected a string", key, kind(kv, k));
    *out = read_string(kv->data);
    return R1_OK;
}

/* NULL when missing or, *s says, wrong. */
static const r1_gguf_kv *lookup_array(const r1_gguf *g, const char *key, bool required, size_t max, r1_status *s, r1_error *err)
{
    char k[48];
    const r1_gguf_kv *kv = lookup(g, key, required, s, err);
    if (!kv) return NULL;
    if (kv->type != R1_GGUF_ARRAY) *s = r1_fail(err, R1_EFORMAT, "'%s' is %s, expected an array", key, kind(kv, k));
    else if (kv->n > max)
        *s = r1_fail(err, R1_EFORMAT, "'%s' has %llu elements, expected at most %zu", key, (unsigned long long)kv->n, max);
    return *s ? NULL : kv;
}

r1_status r1_gguf_strings(const r1_gguf *g, const char *key, bool required, size_t max, r1_slice **out, size_t *n, r1_error *err)
{
    r1_status s;
    char k[48];
    const r1_gguf_kv *kv = lookup_array(g, key, required, max, &s, err);
    *out = NULL;
    *n = 0;
    if (!kv) return s;
    if (kv->item != R1_GGUF_STRING) return r1_fail(err, R1_EFORMAT, "'%s' is %s, expected an array of string", key, kind(kv, k));
    r1_slice *v = calloc(r1_max((size_t)kv->n, 1), sizeof *v);
    if (!v) return r1_fail(err, R1_ENOMEM, "no memory for the %llu elements of '%s'", (unsigned long long)kv->n, key);
    const uint8_t *p = kv->data;
    for (size_t i = 0; i < kv->n; i++) {
        v[i] = read_string(p);
        p += 8 + v[i].n;
    }
    *out = v;
    *n = (size_t)kv->n;
    return R1_OK;
}

r1_status r1_gguf_ints(const r1_gguf *g, const char *key, bool required, size_t max, int32_t **out, size_t *n, r1_error *err)
{
    r1_status s;
    whole w;
    char k[48];
    const uint8_t zero[8] = { 0 };
    const r1_gguf_kv *kv = lookup_array(g, key, required, max, &s, err);
    *out = NULL;
    *n = 0;
    if (!kv) return s;
    if (!read_whole(kv->item, zero, &w)) return r1_fail(err, R1_EFORMAT, "'%s' is %s, expected an array of integers", key, kind(kv, k));
    int32_t *v = calloc(r1_max((size_t)kv->n, 1), sizeof *v);
    if (!v) return r1_fail(err, R1_ENOMEM, "no memory for the %llu elements of '%s'", (unsigned long long)kv->n, key);
    size_t size = r1_gguf_type_size(kv->item);
    for (size_t i = 0; i < kv->n; i++) {
        (void)read_whole(kv->item, kv->data + i * size, &w);
        if (w.big || w.i < INT32_MIN || w.i > INT32_MAX) {
            free(v);
            return r1_fail(err, R1_EFORMAT, "element %zu of '%s' does not fit into 32 bits", i, key);
        }
        v[i] = (int32_t)w.i;
    }
    *out = v;
    *n = (size_t)kv->n;
    return R1_OK;
}

/* ---- for people ------------------------------------------------------------------------------------------------- */

/* The fewest digits that read back as the same number of that type. */
static r1_status print_real(double v, bool is_f32, r1_buf *out, r1_error *err)
{
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (is_f32 ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v) break;
    }
    return r1_buf_adds(out, text, err);
}

/* Quoted, on one line, at most max bytes of it; control characters and bytes that are not UTF-8 as \n, \xHH. */
static r1_status print_string(r1_slice t, size_t max, r1_buf *out, r1_error *err)
{
    r1_status s = r1_buf_adds(out, "\"", err);
    size_t at = 0;
    while (s == R1_OK && at < t.n) {
        uint32_t cp;
        int len = r1_utf8_decode(t.p + at, t.n - at, &cp);
        size_t step = (size_t)(len < 0 ? -len : len);
        if (at + step > max) break;
        bool control = len > 0 && (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029);
        if (len > 0 && !control) {
            if (cp == '"' || cp == '\\') s = r1_buf_adds(out, "\\", err);
            if (s == R1_OK) s = r1_buf_add(out, t.p + at, step, err);
        } else if (len > 0 && cp == '\n') {
            s = r1_buf_adds(out, "\\n", err);
        } else {
            for (size_t i = 0; i < step && s == R1_OK; i++) s = r1_buf_addf(out, err, "\\x%02x", (unsigned char)t.p[at + i]);
        }
        at += step;
    }
    if (s == R1_OK) s = r1_buf_adds(out, at < t.n ? "...\"" : "\"", err);
    if (s == R1_OK && at < t.n) s = r1_buf_addf(out, err, " (%zu bytes)", t.n);
    return s;
}

/* One value that is no array. */
static r1_status print_value(r1_gguf_type type, const uint8_t *p, size_t max, r1_buf *out, r1_error *err)
{
    whole w;
    double v;
    if (read_whole(type, p, &w))
        return w.big ? r1_buf_addf(out, err, "%llu", (unsigned long long)w.u) : r1_buf_addf(out, err, "%lld", (long long)w.i);
    if (read_real(type, p, &v)) return print_real(v, type == R1_GGUF_F32, out, err);
    if (type == R1_GGUF_BOOL) return r1_buf_adds(out, *p ? "true" : "false", err);
    return print_string(read_string(p), max, out, err);
}

static const uint8_t *next_value(r1_gguf_type type, const uint8_t *p)
{
    return p + (type == R1_GGUF_STRING ? 8 + read_string(p).n : r1_gguf_type_size(type));
}

r1_status r1_gguf_print(const r1_gguf_kv *kv, r1_buf *out, r1_error *err)
{
    if (kv->type != R1_GGUF_ARRAY) return print_value(kv->type, kv->data, SHOWN_BYTES, out, err);
    if (kv->item == R1_GGUF_ARRAY) return r1_buf_addf(out, err, "[%llu arrays]", (unsigned long long)kv->n);
    r1_status s = r1_buf_adds(out, "[", err);
    const uint8_t *p = kv->data;
    for (uint64_t i = 0; i < kv->n && i < SHOWN_ITEMS && s == R1_OK; i++) {
        if (i) s = r1_buf_adds(out, ", ", err);
        if (s == R1_OK) s = print_value(kv->item, p, SHOWN_ITEM_BYTES, out, err);
        p = next_value(kv->item, p);
    }
    if (s == R1_OK) s = r1_buf_adds(out, kv->n > SHOWN_ITEMS ? ", ...]" : "]", err);
    if (s == R1_OK && kv->n > SHOWN_ITEMS) s = r1_buf_addf(out, err, " (%llu)", (unsigned long long)kv->n);
    return s;
}

static json_t *json_of_string(r1_slice t, r1_error *err)
{
    if (r1_utf8_is_valid(t.n ? t.p : "", t.n, NULL)) return json_stringn(t.n ? t.p : "", t.n);
    r1_buf b;
    r1_buf_init(&b, SIZE_MAX / 4);
    r1_status s = R1_OK;
    for (size_t at = 0; at < t.n && s == R1_OK;) {
        uint32_t cp;
        int len = r1_utf8_decode(t.p + at, t.n - at, &cp);
        size_t step = (size_t)(len < 0 ? -len : len);
        s = len > 0 ? r1_buf_add(&b, t.p + at, step, err) : r1_buf_adds(&b, "\xEF\xBF\xBD", err);
        at += step;
    }
    json_t *v = s ? NULL : json_stringn(b.data, b.len);
    r1_buf_deinit(&b);
    return v;
}

static json_t *json_of_value(r1_gguf_type type, const uint8_t *p, r1_error *err)
{
    whole w;
    double v;
    char text[40];
    if (read_whole(type, p, &w)) {
        if (!w.big) return json_integer(w.i);
        snprintf(text, sizeof text, "%llu", (unsigned long long)w.u);
        return json_string(text);
    }
    if (read_real(type, p, &v)) return isfinite(v) ? json_real(v) : json_string(isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
    if (type == R1_GGUF_BOOL) return json_boolean(*p);
    return json_of_string(read_string(p), err);
}

r1_status r1_gguf_json(json_t **out, const r1_gguf_kv *kv, size_t max_items, r1_error *err)
{
    json_t *v = NULL;
    if (kv->type != R1_GGUF_ARRAY) {
        v = json_of_value(kv->type, kv->data, err);
    } else if (kv->item == R1_GGUF_ARRAY || kv->n > max_items) {
        v = json_pack("{s:s, s:I}", "type", r1_gguf_type_name(kv->item), "count", (json_int_t)kv->n);
    } else {
        v = json_array();
        const uint8_t *p = kv->data;
        for (uint64_t i = 0; v && i < kv->n; i++) {
            if (json_array_append_new(v, json_of_value(kv->item, p, err)) < 0) {
                json_decref(v);
                v = NULL;
            }
            p = next_value(kv->item, p);
        }
    }
    *out = v;
    return v ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for the metadata key '%.*s'", R1_SLICE_ARG(kv->key));
}
