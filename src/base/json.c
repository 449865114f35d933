/* JSON with limits. jansson checks UTF-8, rejects duplicate keys, and limits nesting itself. */
#include "base/json.h"
#include "base/map.h"

#include <math.h>

r1_status r1_json_parse(json_t **out, const char *text, size_t n, r1_error *err)
{
    json_error_t e = { 0 };
    *out = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
    if (*out) return R1_OK;
    if (json_error_code(&e) == json_error_out_of_memory || !e.text[0]) /* jansson has no text for most of its failed allocations */
        return r1_fail(err, R1_ENOMEM, "no memory for JSON of %zu bytes", n);
    if (!memchr(text, '\n', n)) return r1_fail(err, R1_EFORMAT, "wrong JSON at column %d: %s", e.column, e.text); /* a line of a file has its own number */
    return r1_fail(err, R1_EFORMAT, "wrong JSON at line %d, column %d: %s", e.line, e.column, e.text);
}

r1_status r1_json_read(json_t **out, const char *path, size_t max, r1_error *err)
{
    char *text;
    size_t n;
    *out = NULL;
    r1_status s = r1_file_read(path, max, &text, &n, err);
    if (s) return s;
    s = r1_context(err, r1_json_parse(out, text, n, err), "'%s'", path);
    free(text);
    return s;
}

const char *r1_json_kind(const json_t *v)
{
    if (!v) return "nothing";
    switch (json_typeof(v)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return fabs(json_real_value(v)) < 0x1p53 ? "a fraction" : "too large an integer";
    case JSON_TRUE: case JSON_FALSE: return "a boolean";
    default: return "null";
    }
}

/* The member, or NULL when it is absent or null; *s is R1_EFORMAT when that is not allowed. */
static const json_t *member(const json_t *o, const char *key, bool required, r1_status *s, r1_error *err)
{
    const json_t *v = json_object_get(o, key);
    *s = R1_OK;
    if (v && !json_is_null(v)) return v;
    if (required) *s = r1_fail(err, R1_EFORMAT, "'%s' is missing", key);
    return NULL;
}

r1_status r1_json_int(const json_t *o, const char *key, bool required, int64_t fallback, int64_t lo, int64_t hi, int64_t *out, r1_error *err)
{
    r1_status s;
    const json_t *v = member(o, key, required, &s, err);
    *out = fallback;
    if (!v) return s;
    if (!json_is_integer(v))
        return r1_fail(err, R1_EFORMAT, "'%s' is %s, expected an integer from %lld to %lld", key, r1_json_kind(v), (long long)lo, (long long)hi);
    int64_t i = json_integer_value(v);
    if (i < lo || i > hi)
        return r1_fail(err, R1_EFORMAT, "'%s' is %lld, expected %lld to %lld", key, (long long)i, (long long)lo, (long long)hi);
    *out = i;
    return R1_OK;
}

r1_status r1_json_real(const json_t *o, const char *key, bool required, double fallback, double *out, r1_error *err)
{
    r1_status s;
    const json_t *v = member(o, key, required, &s, err);
    *out = fallback;
    if (!v) return s;
    if (!json_is_number(v)) return r1_fail(err, R1_EFORMAT, "'%s' is %s, expected a number", key, r1_json_kind(v));
    *out = json_number_value(v);
    return R1_OK;
}

r1_status r1_json_bool(const json_t *o, const char *key, bool fallback, bool *out, r1_error *err)
{
    r1_status s;
    const json_t *v = member(o, key, false, &s, err);
    *out = fallback;
    if (!v) return s;
    if (!json_is_boolean(v)) return r1_fail(err, R1_EFORMAT, "'%s' is %s, expected true or false", key, r1_json_kind(v));
    *out = json_is_true(v);
    return R1_OK;
}

r1_status r1_json_str(const json_t *o, const char *key, bool required, const char *fallback, const char **out, r1_error *err)
{
    r1_status s;
    const json_t *v = member(o, key, required, &s, err);
    *out = fallback;
    if (!v) return s;
    if (!json_is_string(v)) return r1_fail(err, R1_EFORMAT, "'%s' is %s, expected a string", key, r1_json_kind(v));
    *out = json_string_value(v);
    return R1_OK;
}
