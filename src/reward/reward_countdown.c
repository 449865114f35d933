/* Countdown: does an arithmetic expression use the numbers it was given and come to the target?
 *
 * Checkers that search the text for numbers and hand it to an evaluator can be had: "2.5*4" for 2, 5 and 4, "2**5", "7//2", numbers in a
 * comment. Here the text is an expression of this small language or it is none, the numbers are those the parser read, and
 * values are exact fractions. At most 64 numbers of 63 bits make them small.
 */
#define _GNU_SOURCE
#include "reward/reward.h"

#include <gmp.h>

enum { BYTES_MOST = 4096, DEPTH_MOST = 64 };

typedef struct parser {
    const char *p, *end;
    int64_t used[R1_COUNTDOWN_MOST];
    size_t n_used;
    unsigned depth;
    bool too_many, too_deep, by_zero;
} parser;

static bool parse_sum(parser *x, mpq_t out);

static bool take(parser *x, const char *what)
{
    size_t n = strlen(what);
    if ((size_t)(x->end - x->p) < n || memcmp(x->p, what, n) != 0) return false;
    x->p += n;
    return true;
}

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* A command whose name ends there: "\times" but not "\timesx". */
static bool take_command(parser *x, const char *name)
{
    const char *before = x->p;
    if (take(x, name) && (x->p == x->end || !is_letter(*x->p))) return true;
    x->p = before;
    return false;
}

static void skip_blanks(parser *x)
{
    static const char *const blanks[] = { " ", "\t", "\n", "\r", "\xc2\xa0", "\\,", "\\;", "\\:", "\\!", "\\ " };
    for (bool more = true; more;) {
        more = take_command(x, "\\left") || take_command(x, "\\right");
        for (size_t i = 0; i < R1_COUNT(blanks) && !more; i++) more = take(x, blanks[i]);
    }
}

static bool take_minus(parser *x) { return take(x, "-") || take(x, "\xe2\x88\x92"); }
static bool take_times(parser *x)
{
    return take(x, "*") || take(x, "\xc3\x97") || take(x, "\xc2\xb7") || take(x, "\xe2\x8b\x85") || take_command(x, "\\times") || take_command(x, "\\cdot");
}
static bool take_over(parser *x) { return take(x, "/") || take(x, "\xc3\xb7") || take_command(x, "\\div"); }

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Digits without a leading zero. What is too large for any given number is remembered as one that is wrong. */
static bool parse_number(parser *x, mpq_t out)
{
    const char *from = x->p;
    int64_t v = 0;
    while (x->p < x->end && is_digit(*x->p)) {
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *x->p - '0', &v)) {
            x->too_many = true;
            v = 0;
        }
        x->p++;
    }
    if (x->p == from || (x->p - from > 1 && *from == '0')) return false;
    if (x->n_used < R1_COUNTDOWN_MOST) x->used[x->n_used++] = v;
    else x->too_many = true;
    if (!x->too_many) mpz_set_si(mpq_numref(out), (long)v);
    return true;
}

static void divide(parser *x, mpq_t a, const mpq_t b)
{
    if (mpq_sgn(b) == 0) x->by_zero = true;
    else mpq_div(a, a, b);
}

static bool in_braces(parser *x, mpq_t out)
{
    skip_blanks(x);
    if (!take(x, "{") || !parse_sum(x, out)) return false;
    return take(x, "}");
}

static bool parse_fraction(parser *x, mpq_t out)
{
    mpq_t below;
    mpq_init(below);
    bool ok = in_braces(x, out) && in_braces(x, below);
    if (ok) divide(x, out, below);
    mpq_clear(below);
    return ok;
}

static bool parse_operand(parser *x, mpq_t out)
{
    skip_blanks(x);
    if (++x->depth > DEPTH_MOST) {
        x->too_deep = true;
        return false;
    }
    bool ok;
    if (take_minus(x)) {
        ok = parse_operand(x, out);
        mpq_neg(out, out);
    } else if (take(x, "(")) {
        ok = parse_sum(x, out) && take(x, ")");
    } else if (take_command(x, "\\frac") || take_command(x, "\\dfrac") || take_command(x, "\\tfrac")) {
        ok = parse_fraction(x, out);
    } else {
        ok = parse_number(x, out);
    }
    x->depth--;
    skip_blanks(x);
    return ok;
}

static bool parse_product(parser *x, mpq_t out)
{
    if (!parse_operand(x, out)) return false;
    mpq_t next;
    mpq_init(next);
    bool ok = true;
    while (ok) {
        bool times = take_times(x);
        if (!times && !take_over(x)) break;
        mpq_set_ui(next, 0, 1);
        ok = parse_operand(x, next);
        if (ok && !x->too_many) {
            if (times) mpq_mul(out, out, next);
            else divide(x, out, next);
        }
    }
    mpq_clear(next);
    return ok;
}

static bool parse_sum(parser *x, mpq_t out)
{
    if (!parse_product(x, out)) return false;
    mpq_t next;
    mpq_init(next);
    bool ok = true;
    while (ok) {
        bool minus = take_minus(x);
        if (!minus && !take(x, "+")) break;
        mpq_set_ui(next, 0, 1);
        ok = parse_product(x, next);
        if (ok && !x->too_many) {
            if (minus) mpq_sub(out, out, next);
            else mpq_add(out, out, next);
        }
    }
    mpq_clear(next);
    return ok;
}

/* ---- the whole answer ---- */

/* $...$, \(...\), \[...\] around everything, a full stop behind it. */
static r1_span unwrap(r1_span s)
{
    static const char *const marks[][2] = { { "$$", "$$" }, { "$", "$" }, { "\\(", "\\)" }, { "\\[", "\\]" } };
    s = r1_span_trim(s);
    if (s.n && s.p[s.n - 1] == '.') s = r1_span_trim((r1_span){ s.p, s.n - 1 });
    for (size_t i = 0; i < R1_COUNT(marks); i++) {
        size_t n = strlen(marks[i][0]);
        if (s.n < 2 * n || memcmp(s.p, marks[i][0], n) != 0 || memcmp(s.p + s.n - n, marks[i][1], n) != 0) continue;
        return r1_span_trim((r1_span){ s.p + n, s.n - 2 * n });
    }
    return s;
}

/* Whether a side of the equation is an integer; *v is its value. */
static bool is_integer(r1_span s, int64_t *v)
{
    parser x = { .p = s.p, .end = s.p + s.n };
    mpq_t q;
    mpq_init(q);
    bool minus = take_minus(&x), ok = parse_number(&x, q) && x.p == x.end && !x.too_many;
    mpq_clear(q);
    if (ok) *v = minus ? -x.used[0] : x.used[0];
    return ok;
}

/* Take off "= target". */
static const char *one_side(r1_span *s, int64_t target)
{
    const char *equals = s->n ? memchr(s->p, '=', s->n) : NULL, *end = s->p + s->n;
    if (!equals) return NULL;
    r1_span left = r1_span_trim((r1_span){ s->p, (size_t)(equals - s->p) }), right = r1_span_trim((r1_span){ equals + 1, (size_t)(end - equals - 1) });
    int64_t v;
    if (right.n && memchr(right.p, '=', right.n)) return "syntax";
    if (is_integer(right, &v) && v == target) *s = left;
    else if (is_integer(left, &v) && v == target) *s = right;
    else return is_integer(right, &v) || is_integer(left, &v) ? "wrong_value" : "syntax";
    return NULL;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Whether the sorted numbers used are those given, or some of them. */
static bool numbers_fit(const r1_countdown *task, int64_t *used, size_t n)
{
    int64_t given[R1_COUNTDOWN_MOST];
    memcpy(given, task->nums, task->n_nums * sizeof *given);
    qsort(given, task->n_nums, sizeof *given, compare);
    qsort(used, n, sizeof *used, compare);
    size_t k = 0;
    for (size_t i = 0; i < task->n_nums && k < n; i++) k += given[i] == used[k];
    return k == n && (task->some || n == task->n_nums);
}

const char *r1_countdown_check(const r1_countdown *task, r1_span expression)
{
    if (expression.n > BYTES_MOST) return "over_budget";
    r1_span s = unwrap(expression);
    const char *why = one_side(&s, task->target);
    if (why) return why;
    parser x = { .p = s.p, .end = s.p + s.n };
    mpq_t value;
    mpq_init(value);
    if (!parse_sum(&x, value) || x.p != x.end) why = x.too_deep ? "over_budget" : "syntax";
    else if (x.too_many || !numbers_fit(task, x.used, x.n_used)) why = "wrong_numbers";
    else if (x.by_zero) why = "division_by_zero";
    else if (mpz_cmp_ui(mpq_denref(value), 1) != 0 || mpz_cmp_si(mpq_numref(value), (long)task->target) != 0) why = "wrong_value";
    mpq_clear(value);
    return why;
}
