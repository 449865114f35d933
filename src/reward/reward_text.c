/* Answers compared as text: equal after normalisation, or matched by a pattern. */
#define _GNU_SOURCE
#define PCRE2_CODE_UNIT_WIDTH 8
#include "reward/reward.h"
#include "base/utf8.h"

#include <pcre2.h>
#include <utf8proc.h>

enum { TEXT_MOST = 1 << 20, PATTERN_MOST = 4096, SUBJECT_MOST = 65536, RUN_MOST = 64 };

/* ---- exact ---- */

typedef struct code_points { utf8proc_int32_t *v; utf8proc_ssize_t n; } code_points;

/* utf8proc orders marks in time that is quadratic in the length of a run of them: longer runs are no text. */
static bool has_long_run(const char *p, size_t n)
{
    size_t run = 0;
    while (n) {
        uint32_t cp;
        int len = r1_utf8_decode(p, n, &cp);
        size_t step = (size_t)(len > 0 ? len : -len);
        run = len > 0 && utf8proc_get_property((utf8proc_int32_t)cp)->combining_class ? run + 1 : 0;
        if (run > RUN_MOST) return true;
        p += step;
        n -= step;
    }
    return false;
}

static r1_status normalise(r1_span s, bool fold, code_points *out, r1_error *err)
{
    const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (fold ? UTF8PROC_CASEFOLD : 0);
    size_t bad;
    *out = (code_points){ NULL, 0 };
    s = r1_span_trim(s);
    if (s.n > TEXT_MOST) return r1_fail(err, R1_ELIMIT, "a text to compare has %zu bytes, the limit is %d", s.n, TEXT_MOST);
    if (!r1_utf8_is_valid(s.n ? s.p : "", s.n, &bad)) return r1_fail(err, R1_EFORMAT, "byte %zu of a text to compare is no UTF-8", bad);
    if (has_long_run(s.p, s.n)) return r1_fail(err, R1_ELIMIT, "a text to compare has more than %d combining marks in a row", RUN_MOST);
    utf8proc_ssize_t cap = utf8proc_decompose((const utf8proc_uint8_t *)(s.n ? s.p : ""), (utf8proc_ssize_t)s.n, NULL, 0, options);
    if (cap < 0) return r1_fail(err, R1_ELIMIT, "a text to compare cannot be normalised: %s", utf8proc_errmsg(cap));
    out->v = malloc(((size_t)cap + 1) * sizeof *out->v);
    if (!out->v) return r1_fail(err, R1_ENOMEM, "no memory for a text of %zu bytes", s.n);
    utf8proc_ssize_t n = utf8proc_decompose((const utf8proc_uint8_t *)(s.n ? s.p : ""), (utf8proc_ssize_t)s.n, out->v, cap, options);
    out->n = utf8proc_normalize_utf32(out->v, n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    utf8proc_ssize_t k = 0;
    for (utf8proc_ssize_t i = 0; i < out->n; i++) { /* white space: one blank between others */
        utf8proc_category_t c = utf8proc_category(out->v[i]);
        bool space = c == UTF8PROC_CATEGORY_ZS || c == UTF8PROC_CATEGORY_ZL || c == UTF8PROC_CATEGORY_ZP || (out->v[i] >= 9 && out->v[i] <= 13);
        if (!space) out->v[k++] = out->v[i];
        else if (k && out->v[k - 1] != ' ') out->v[k++] = ' ';
    }
    out->n = k && out->v[k - 1] == ' ' ? k - 1 : k;
    return R1_OK;
}

r1_status r1_exact_check(r1_span gold, r1_span answer, bool ignore_case, const char **reason, r1_error *err)
{
    code_points a = { NULL, 0 }, b = { NULL, 0 };
    r1_error why = { 0 };
    *reason = "different";
    r1_status s = r1_context(err, normalise(gold, ignore_case, &a, err), "gold");
    if (s) return s;
    s = normalise(answer, ignore_case, &b, &why);
    if (s == R1_ENOMEM) s = r1_fail(err, s, "%s", why.msg);
    else if (s == R1_ELIMIT) *reason = "over_budget";
    else if (s == R1_OK && a.n == b.n && !memcmp(a.v, b.v, (size_t)a.n * sizeof *a.v)) *reason = NULL;
    free(a.v);
    free(b.v);
    return s == R1_ENOMEM ? s : R1_OK;
}

/* ---- regex ---- */

static r1_status match(const pcre2_code *code, r1_span s, const char **reason, r1_error *err)
{
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    int r = PCRE2_ERROR_NOMEMORY;
    if (limits && data) {
        /* a step may scan the subject once, hence fewer of them for a longer one: below half a second at the worst */
        uint32_t steps = (uint32_t)r1_max(5000, r1_min(1000000, 300000000 / (s.n + 1)));
        pcre2_set_match_limit(limits, steps);
        pcre2_set_depth_limit(limits, 10000);
        pcre2_set_heap_limit(limits, 16384); /* KiB */
        r = pcre2_match(code, (PCRE2_SPTR)(s.n ? s.p : ""), s.n, 0, PCRE2_ANCHORED | PCRE2_ENDANCHORED, data, limits);
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(limits);
    if (r >= 0) *reason = NULL;
    else if (r == PCRE2_ERROR_NOMATCH || r == PCRE2_ERROR_PARTIAL) *reason = "no_match";
    else if (r == PCRE2_ERROR_NOMEMORY) return r1_fail(err, R1_ENOMEM, "no memory to match a pattern");
    else if (r <= PCRE2_ERROR_UTF8_ERR1 && r >= PCRE2_ERROR_UTF8_ERR21) *reason = "no_match"; /* no UTF-8 */
    else *reason = "over_budget"; /* one of the limits; an error of the pattern that shows only now counts the same */
    return R1_OK;
}

r1_status r1_regex_check(r1_span pattern, r1_span answer, const char **reason, r1_error *err)
{
    int code_of_error;
    PCRE2_SIZE at;
    *reason = "over_budget";
    if (pattern.n > PATTERN_MOST) return r1_fail(err, R1_EFORMAT, "the pattern has %zu bytes, the limit is %d", pattern.n, PATTERN_MOST);
    if (answer.n > SUBJECT_MOST) return R1_OK;
    const uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)(pattern.n ? pattern.p : ""), pattern.n, options, &code_of_error, &at, NULL);
    if (!code) {
        PCRE2_UCHAR text[128] = "";
        if (code_of_error == PCRE2_ERROR_NOMEMORY || code_of_error == PCRE2_ERROR_HEAP_FAILED)
            return r1_fail(err, R1_ENOMEM, "no memory for a pattern");
        pcre2_get_error_message(code_of_error, text, sizeof text);
        return r1_fail(err, R1_EFORMAT, "the pattern is wrong at byte %zu: %s", (size_t)at, (const char *)text);
    }
    r1_status s = match(code, answer, reason, err);
    pcre2_code_free(code);
    return s;
}
