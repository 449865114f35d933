/* The task file: one JSON object whose every field is known and in its range, or a sentence that says which is not.
 *
 * Texts are borrowed from the JSON object. They may hold NUL bytes (a program's input may), except where they become source
 * text or a name. */
#define _GNU_SOURCE
#include "reward/code/code_int.h"
#include "base/json.h"
#include <math.h>

#define TEXT_MAX (UINT64_C(4) << 20)    /* a source text */
#define IO_MAX (UINT64_C(256) << 20)    /* inputs and expected outputs of one task together */
#define TESTS_MAX 100000

static const char *const field_names[] = { "kind", "language", "prompt", "test", "entry_point", "tests", "checker", "usual_imports",
                                           "time_limit_s", "memory_limit_mb", "output_limit_kb" };
static const char *const language_names[] = { "python", "c", "cpp", "javascript" };
static const char *const verdict_names[] = { "pass", "wrong_answer", "runtime_error", "compile_error", "time_limit", "memory_limit",
                                             "output_limit", "forbidden", "no_verdict", "unsupported" };

const char *r1_code_verdict_name(r1_code_verdict v)
{
    return (size_t)v < R1_COUNT(verdict_names) ? verdict_names[v] : "?";
}

const char *r1_code_language_name(r1_code_language l)
{
    return (size_t)l < R1_COUNT(language_names) ? language_names[l] : "?";
}

/* ---- fields ---- */

static bool is_present(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return v && !json_is_null(v) && !(json_is_string(v) && !json_string_length(v)) && !(json_is_array(v) && !json_array_size(v));
}

static r1_status check_names(const json_t *o, const char *const *names, size_t n_names, const char *what, r1_error *err)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)o, key, v) {
        size_t i = 0;
        while (i < n_names && strcmp(key, names[i])) i++;
        if (i < n_names) continue;
        char known[256] = "";
        size_t at = 0;
        for (i = 0; i < n_names; i++) at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", names[i]);
        return r1_fail(err, R1_EFORMAT, "unknown field '%.80s'; a %s has %s", key, what, known);
    }
    return R1_OK;
}

static r1_status read_text(const json_t *o, const char *key, bool required, r1_code_text *out, r1_error *err)
{
    const char *s;
    out->data = "";
    out->n = 0;
    r1_status st = r1_json_str(o, key, required, NULL, &s, err);
    if (st || !s) return st;
    out->data = s;
    out->n = json_string_length(json_object_get(o, key));
    return R1_OK;
}

/* Source text: limited, without NUL bytes. */
static r1_status read_source(const json_t *o, const char *key, bool required, r1_code_text *out, r1_error *err)
{
    r1_status s = read_text(o, key, required, out, err);
    if (s) return s;
    if (out->n > TEXT_MAX) return r1_fail(err, R1_ELIMIT, "'%s' has %zu bytes, at most %llu are read", key, out->n, (unsigned long long)TEXT_MAX);
    if (memchr(out->data, 0, out->n)) return r1_fail(err, R1_EFORMAT, "'%s' holds a NUL character", key);
    return R1_OK;
}

static r1_status read_choice(const json_t *o, const char *key, const char *const *names, size_t n, int *out, r1_error *err)
{
    const char *s;
    r1_status st = r1_json_str(o, key, true, NULL, &s, err);
    if (st) return st;
    for (size_t i = 0; i < n; i++)
        if (!strcmp(s, names[i])) { *out = (int)i; return R1_OK; }
    char known[128] = "";
    size_t at = 0;
    for (size_t i = 0; i < n; i++) at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", names[i]);
    return r1_fail(err, R1_EFORMAT, "'%s' is '%.80s', expected one of %s", key, s, known);
}

static r1_status read_number(const json_t *o, const char *key, double fallback, double lo, double hi, double *out, r1_error *err)
{
    r1_status s = r1_json_real(o, key, false, fallback, out, err);
    if (s) return s;
    if (!(*out >= lo && *out <= hi)) return r1_fail(err, R1_EFORMAT, "'%s' is %g, expected %g to %g", key, *out, lo, hi);
    return R1_OK;
}

/* A name, names joined by dots, or with `calls` NAME().NAME. */
static bool is_name(r1_code_text t, bool calls)
{
    bool start = true;
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.data[i];
        if (calls && c == '(' && !start && t.n - i > 3 && !memcmp(t.data + i, "().", 3) && !memchr(t.data, '.', i)) {
            i++;
            continue;
        }
        bool letter = ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '$' || c >= 0x80, digit = c >= '0' && c <= '9';
        if (c == '.' ? start : !(letter || (digit && !start))) return false;
        start = c == '.';
    }
    return t.n > 0 && t.n <= 256 && !start;
}

/* Whether the test defines check and never uses the name again: without an entry point it would test nothing. */
static bool only_defines_check(r1_code_text t)
{
    size_t n = 0;
    bool defined = false;
    for (r1_code_text rest = t; r1_code_has_word(rest, "check", 5); n++) {
        const char *p = memmem(rest.data, rest.n, "check", 5);
        static const char *const before[] = { "def ", "function ", "const ", "let ", "var " };
        for (size_t i = 0; i < R1_COUNT(before); i++) {
            size_t k = strlen(before[i]);
            defined = defined || ((size_t)(p - t.data) >= k && !memcmp(p - k, before[i], k) && p[5] && strchr("( =", p[5]));
        }
        rest.n -= (size_t)(p - rest.data) + 5;
        rest.data = p + 5;
    }
    return defined && n == 1;
}

static r1_status read_function(r1_code_task *t, const json_t *o, r1_error *err)
{
    r1_status s = read_source(o, "prompt", false, &t->prompt, err);
    if (!s) s = read_source(o, "test", true, &t->test, err);
    if (!s) s = read_source(o, "entry_point", false, &t->entry_point, err);
    if (s) return s;
    if (t->entry_point.n && !is_name(t->entry_point, t->language == R1_CODE_PYTHON))
        return r1_fail(err, R1_EFORMAT, "'entry_point' is '%.80s', expected a name, names joined by dots%s", t->entry_point.data,
                       t->language == R1_CODE_PYTHON ? " or NAME().NAME" : "");
    if (is_present(o, "tests")) return r1_fail(err, R1_EFORMAT, "'tests' belongs to kind stdio; a function has 'test'");
    if (is_present(o, "checker")) return r1_fail(err, R1_EFORMAT, "'checker' belongs to kind stdio");
    t->n_tests = 1;
    bool native = t->language == R1_CODE_C || t->language == R1_CODE_CPP;
    if (native && !r1_code_has_word(t->test, "main", 4)) return r1_fail(err, R1_EFORMAT, "'test' has no main");
    if (!native && !t->entry_point.n && only_defines_check(t->test)) return r1_fail(err, R1_EFORMAT, "'entry_point' is missing: 'test' defines check and does not call it");
    return R1_OK;
}

static r1_status read_checker(r1_code_task *t, const json_t *o, r1_error *err)
{
    const char *s;
    t->tolerance = -1;
    r1_status st = r1_json_str(o, "checker", false, NULL, &s, err);
    if (st || !s) return st;
    double e;
    if (!strncmp(s, "float:", 6) && r1_code_decimal(s + 6, strlen(s + 6), &e) && e >= 0 && isfinite(e)) {
        t->tolerance = e;
        return R1_OK;
    }
    return r1_fail(err, R1_EFORMAT, "'checker' is '%.80s', expected float:E with a decimal number E >= 0, such as float:1e-6", s);
}

static r1_status read_io(r1_code_task *t, const json_t *o, r1_error *err)
{
    static const char *const names[] = { "stdin", "stdout" };
    const json_t *tests = json_object_get(o, "tests");
    if (!tests) return r1_fail(err, R1_EFORMAT, "'tests' is missing");
    if (!json_is_array(tests)) return r1_fail(err, R1_EFORMAT, "'tests' is %s, expected an array", r1_json_kind(tests));
    size_t n = json_array_size(tests);
    if (n < 1 || n > TESTS_MAX) return r1_fail(err, R1_EFORMAT, "'tests' has %zu entries, expected 1 to %d", n, TESTS_MAX);
    t->tests = calloc(n, sizeof *t->tests);
    if (!t->tests) return r1_fail(err, R1_ENOMEM, "no memory for %zu tests", n);
    t->n_tests = n;
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(tests, i);
        r1_status s = R1_OK;
        if (!json_is_object(v)) s = r1_fail(err, R1_EFORMAT, "is %s, expected an object", r1_json_kind(v));
        if (!s) s = check_names(v, names, R1_COUNT(names), "test", err);
        if (!s) s = read_text(v, "stdin", false, &t->tests[i].input, err);
        if (!s) s = read_text(v, "stdout", true, &t->tests[i].expected, err);
        if (s) return r1_context(err, s, "entry %zu of 'tests'", i + 1);
        sum += t->tests[i].input.n + t->tests[i].expected.n;
    }
    if (sum > IO_MAX) return r1_fail(err, R1_ELIMIT, "'tests' has %llu bytes, at most %llu are read", (unsigned long long)sum, (unsigned long long)IO_MAX);
    static const char *const other[] = { "prompt", "test", "entry_point" };
    for (size_t i = 0; i < R1_COUNT(other); i++)
        if (is_present(o, other[i])) return r1_fail(err, R1_EFORMAT, "'%s' belongs to kind function", other[i]);
    return read_checker(t, o, err);
}

/* Usual where the entry point is a method of a class, which is LeetCode's form. */
static r1_status read_imports(r1_code_task *t, const json_t *o, r1_error *err)
{
    const json_t *v = json_object_get(o, "usual_imports");
    const char *entry = json_string_value(json_object_get(o, "entry_point"));
    bool python = t->language == R1_CODE_PYTHON;
    t->usual_imports = python && t->kind == R1_CODE_FUNCTION && entry && strstr(entry, "().");
    if (!v || json_is_null(v)) return R1_OK;
    if (!json_is_boolean(v)) return r1_fail(err, R1_EFORMAT, "'usual_imports' is %s, expected true or false", r1_json_kind(v));
    if (json_is_true(v) && !python) return r1_fail(err, R1_EFORMAT, "'usual_imports' belongs to language python");
    t->usual_imports = json_is_true(v);
    return R1_OK;
}

/* ---- the task ---- */

static r1_status read_task(r1_code_task *t, const json_t *o, r1_error *err)
{
    static const char *const kinds[] = { "function", "stdio" };
    int kind = 0, language = 0;
    double mb = 0, kb = 0;
    if (!json_is_object(o)) return r1_fail(err, R1_EFORMAT, "the task is %s, expected an object", r1_json_kind(o));
    r1_status s = check_names(o, field_names, R1_COUNT(field_names), "task", err);
    if (!s) s = read_choice(o, "kind", kinds, R1_COUNT(kinds), &kind, err);
    if (!s) s = read_choice(o, "language", language_names, R1_COUNT(language_names), &language, err);
    if (!s) s = read_number(o, "time_limit_s", 6, 0.01, 3600, &t->time_limit_s, err);
    if (!s) s = read_number(o, "memory_limit_mb", 512, 1, 1 << 20, &mb, err);
    if (!s) s = read_number(o, "output_limit_kb", 1024, 0, 1 << 20, &kb, err);
    if (s) return s;
    t->kind = (r1_code_kind)kind;
    t->language = (r1_code_language)language;
    s = read_imports(t, o, err);
    if (s) return s;
    t->memory_limit = (uint64_t)(mb * 1048576);
    t->output_limit = (uint64_t)(kb * 1024);
    return t->kind == R1_CODE_FUNCTION ? read_function(t, o, err) : read_io(t, o, err);
}

r1_status r1_code_task_parse(r1_code_task **out, json_t *json, r1_error *err)
{
    *out = NULL;
    r1_code_task *t = calloc(1, sizeof *t);
    if (!t) return r1_fail(err, R1_ENOMEM, "no memory for a task");
    t->tolerance = -1;
    t->prompt.data = t->test.data = t->entry_point.data = "";
    r1_status s = read_task(t, json, err);
    if (s) {
        r1_code_task_free(t);
        return s;
    }
    t->json = json_incref(json);
    *out = t;
    return R1_OK;
}

r1_status r1_code_task_parse_text(r1_code_task **out, const char *text, size_t n, r1_error *err)
{
    json_t *json;
    *out = NULL;
    size_t mark = n >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3) ? 3 : 0;
    r1_status s = r1_json_parse(&json, text + mark, n - mark, err);
    if (s) return s;
    s = r1_code_task_parse(out, json, err);
    json_decref(json);
    return s;
}

void r1_code_task_free(r1_code_task *t)
{
    if (!t) return;
    free(t->tests);
    json_decref(t->json);
    free(t);
}
