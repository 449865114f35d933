/* math: the front of the answer checker: extraction, the shortcut for equal texts, both readings of a comma, the verdict. */
#define _GNU_SOURCE
#include "reward/math/math.h"
#include "reward/math/math_hash.h"
#include "reward/math/math_int.h"

#include <mpfr.h>
#include <time.h>

const char *r1_math_reason_name(r1_math_reason reason)
{
    static const char *const names[R1_MATH_REASONS] = { "equal_exact",     "equal_text",    "equal_numeric",      "different",  "wrong_type",
                                                        "several_answers", "unparsed_gold", "unparsed_candidate", "undefined",  "undecided",
                                                        "no_answer",       "open_thought",  "open_box",           "over_budget" };
    return (unsigned)reason < R1_MATH_REASONS ? names[reason] : "unknown";
}

static double thread_ms(void)
{
    struct timespec t = { 0, 0 };
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static r1_math_text trim(const char *s, size_t n)
{
    while (n && (*s == ' ' || *s == '\n' || *s == '\t' || *s == '\r')) s++, n--;
    while (n && (s[n - 1] == ' ' || s[n - 1] == '\n' || s[n - 1] == '\t' || s[n - 1] == '\r')) n--;
    return (r1_math_text){ s, n };
}

/* Emphasis of Markdown around a whole answer. */
static r1_math_text bare(r1_math_text t)
{
    for (bool again = true; again && t.n > 2;) {
        again = false;
        for (int k = 0; k < 2; k++) {
            char mark = "*`"[k];
            if (t.n > 3 && t.p[0] == mark && t.p[t.n - 1] == '.' && t.p[t.n - 2] == mark) t.n--;
            while (t.n > 2 && t.p[0] == mark && t.p[t.n - 1] == mark) {
                t = trim(t.p + 1, t.n - 2);
                again = true;
            }
        }
    }
    return t;
}

static bool contains(r1_math_text t, const char *what) { return memmem(t.p, t.n, what, strlen(what)) != NULL; }

/* A gold or a bare answer that brings its own box or thought is read like a response. */
static bool looks_like_response(r1_math_text t)
{
    return contains(t, "\\boxed") || contains(t, "\\fbox") || contains(t, "<think>") || contains(t, "</think>") || contains(t, "####");
}

static r1_math_reason inner(r1_math_text *t, bool response)
{
    if (!response && !looks_like_response(*t)) {
        *t = bare(*t);
        return t->n ? R1_MATH_EQUAL_TEXT : R1_MATH_NO_ANSWER;
    }
    const char *p;
    size_t n;
    r1_math_reason r = r1_math_extract(t->p, t->n, &p, &n);
    *t = bare((r1_math_text){ p ? p : "", n });
    return r;
}

static bool same_words(r1_math_ctx *c, r1_math_text a, r1_math_text b)
{
    const char *x, *y;
    size_t nx, ny;
    if (!r1_math_clean(c, a.p, a.n, &a.p, &a.n) || !r1_math_clean(c, b.p, b.n, &b.p, &b.n)) return false;
    return r1_math_words(c, a.p, a.n, &x, &nx) && r1_math_words(c, b.p, b.n, &y, &ny) && nx == ny && nx && !memcmp(x, y, nx);
}

static bool equal(r1_math_reason r) { return r <= R1_MATH_EQUAL_NUMERIC; }

/* A letter of its own, that stands for any integer: the one the gold names, or k, n or m beside \pi in a gold that names none. */
static r1_node *letter_of_gold(r1_math_ctx *c, const r1_node *gold, r1_math_text named, const r1_node *cand)
{
    static const char *const usual[] = { "k", "n", "m" };
    r1_node *found = NULL;
    if (!named.n && !r1_math_has(gold, K_PI)) return NULL;
    for (size_t i = 0; i < (named.n ? 1 : R1_COUNT(usual)); i++) {
        r1_node *x = r1_math_node(c, K_SYM, 0);
        if (x == &c->bad) return NULL;
        x->name = named.n ? named.p : usual[i];
        x->n_name = named.n ? (uint32_t)named.n : 1;
        if (!r1_math_has_symbol(gold, x)) continue;
        if (found) return NULL;
        found = x;
    }
    return found && !r1_math_has_symbol(cand, found) ? found : NULL;
}

/* "n\pi, n \in \mathbb{Z}" for "k\pi, k \in \mathbb{Z}": the candidate with the gold's letter; NULL when that is no case. */
static r1_node *in_letter_of_gold(r1_math_ctx *c, const r1_node *gold, const r1_math_range *named_range, r1_node *cand, const r1_math_range *range)
{
    r1_math_text named = named_range->letter, its = range->letter;
    if (range->of != 'Z' || (named.n && named_range->of != 'Z')) return NULL;
    r1_node *to = its.n ? letter_of_gold(c, gold, named, cand) : NULL, *from = to ? r1_math_node(c, K_SYM, 0) : NULL;
    if (!from || from == &c->bad) return NULL;
    from->name = its.p;
    from->n_name = (uint32_t)its.n;
    return r1_math_has_symbol(gold, from) ? NULL : r1_math_subst(c, cand, from, to);
}

static r1_node *one_letter(r1_math_ctx *c, const char *s)
{
    r1_node *x = r1_math_node(c, K_SYM, 0);
    if (x != &c->bad) x->name = s, x->n_name = 1;
    return x;
}

static bool has_term(const r1_node *a, const r1_node *sym)
{
    if (a->kind == K_REL && a->n == 2) a = a->kid[1];
    for (uint32_t i = 0; a->kind == K_ADD && i < a->n; i++)
        if (r1_math_same(a->kid[i], sym)) return true;
    return false;
}

/* x^2 + c for x^2 + C: the constant of integration in the gold's case; NULL when that is no case. */
static r1_node *in_case_of_gold(r1_math_ctx *c, const r1_node *gold, r1_node *cand)
{
    r1_node *big = one_letter(c, "C"), *small = one_letter(c, "c"), *g = has_term(gold, big) ? big : small, *k = g == big ? small : big;
    if (!has_term(gold, g) || !has_term(cand, k) || r1_math_has_symbol(gold, k) || r1_math_has_symbol(cand, g)) return NULL;
    return r1_math_subst(c, cand, k, g);
}

/* k \in \mathbb{Z} and k \in \mathbb{N}: both are said, and not the same. Whether 0 is in N is no one's agreement. */
static bool ranges_differ(char a, char b)
{
    if (!a || !b || a == b || a == 'A' || b == 'A') return false;
    return a != 'N' && b != 'N' ? true : a == 'Z' || b == 'Z' || a == 'R' || b == 'R';
}

/* Each of the texts read in its usual way; then, where a comma has two readings, the candidate or both in the other. */
static r1_math_reason read_and_compare(r1_math_ctx *c, r1_math_text gold, r1_math_text cand)
{
    bool two_g, two_c;
    r1_node *g = r1_math_parse_text(c, gold.p, gold.n, 0, &two_g);
    r1_math_range of_gold = c->range;
    r1_node *k = r1_math_parse_text(c, cand.p, cand.n, 0, &two_c);
    r1_math_range of_cand = c->range;
    if (c->over) return R1_MATH_OVER_BUDGET;
    if (!g || !k) return same_words(c, gold, cand) ? R1_MATH_EQUAL_TEXT : g ? R1_MATH_UNPARSED_CANDIDATE : R1_MATH_UNPARSED_GOLD;
    if (ranges_differ(of_gold.of, of_cand.of)) return R1_MATH_DIFFERENT;
    r1_math_reason r = r1_math_compare(c, g, k), other = r;
    r1_node *renamed = equal(r) || c->over ? NULL : in_letter_of_gold(c, g, &of_gold, k, &of_cand);
    if (!renamed && !equal(r) && !c->over) renamed = in_case_of_gold(c, g, k);
    if (renamed && equal(other = r1_math_compare(c, g, renamed))) return other;
    if (equal(r) || !two_c || c->over) return r;
    bool unused;
    r1_node *as_list = r1_math_parse_text(c, cand.p, cand.n, R1_MATH_COMMA_LISTS, &unused);
    if (as_list) other = r1_math_compare(c, g, as_list);
    if (!equal(other) && two_g && as_list) {
        g = r1_math_parse_text(c, gold.p, gold.n, R1_MATH_COMMA_LISTS, &unused);
        if (g) other = r1_math_compare(c, g, as_list);
    }
    return equal(other) ? other : c->over ? R1_MATH_OVER_BUDGET : r;
}

static r1_status decide(r1_math_text gold, r1_math_text cand, uint64_t budget, r1_math_verdict *out, r1_error *err)
{
    if (gold.n == cand.n && !memcmp(gold.p, cand.p, gold.n)) {
        out->reason = R1_MATH_EQUAL_EXACT;
        return R1_OK;
    }
    if (gold.n > R1_MATH_ANSWER_MAX || cand.n > R1_MATH_ANSWER_MAX) {
        out->reason = R1_MATH_OVER_BUDGET;
        return R1_OK;
    }
    r1_math_ctx c;
    r1_math_ctx_init(&c, budget, r1_math_hash(gold.p, gold.n, r1_math_hash(cand.p, cand.n, 1)));
    out->reason = read_and_compare(&c, gold, cand);
    out->operations = c.spent;
    bool nomem = c.nomem;
    r1_math_ctx_deinit(&c);
    mpfr_free_cache();
    return nomem ? r1_fail(err, R1_ENOMEM, "no memory to compare an answer of %zu bytes", cand.n) : R1_OK;
}

r1_status r1_math_verify(const char *gold, size_t n_gold, const char *answer, size_t n, r1_math_mode mode, const r1_math_options *options, r1_math_verdict *out,
                         r1_error *err)
{
    double start = thread_ms();
    *out = (r1_math_verdict){ .reason = R1_MATH_NO_ANSWER };
    r1_math_text g = trim(gold, n_gold), k = trim(answer, n);
    r1_math_reason why = inner(&k, mode == R1_MATH_RESPONSE);
    r1_status s = R1_OK;
    if (why != R1_MATH_EQUAL_TEXT) out->reason = why;
    else {
        size_t keep = r1_min(k.n, R1_MATH_ANSWER_MAX);
        out->extracted = malloc(keep + 1);
        if (!out->extracted) return r1_fail(err, R1_ENOMEM, "no memory for an answer of %zu bytes", keep);
        memcpy(out->extracted, k.p, keep);
        out->extracted[keep] = 0;
        if (inner(&g, false) != R1_MATH_EQUAL_TEXT) out->reason = R1_MATH_UNPARSED_GOLD;
        else s = decide(g, k, options && options->budget ? options->budget : R1_MATH_BUDGET, out, err);
    }
    if (s) {
        r1_math_verdict_deinit(out);
        return s;
    }
    out->equal = equal(out->reason);
    out->cpu_ms = thread_ms() - start;
    return R1_OK;
}

void r1_math_verdict_deinit(r1_math_verdict *v)
{
    if (!v) return;
    free(v->extracted);
    *v = (r1_math_verdict){ .reason = R1_MATH_NO_ANSWER };
}

static r1_status alike(r1_math_text a, r1_math_text b, const r1_math_options *options, bool *same, r1_error *err)
{
    r1_math_verdict v;
    *same = a.n == b.n && !memcmp(a.p, b.p, a.n);
    for (int way = 0; way < 2 && !*same; way++) {
        const r1_math_text *g = way ? &b : &a, *k = way ? &a : &b;
        r1_status s = r1_math_verify(g->p, g->n, k->p, k->n, R1_MATH_ANSWER, options, &v, err);
        if (s) return s;
        bool yes = v.equal;
        r1_math_verdict_deinit(&v);
        if (!yes) return R1_OK;
        *same = way == 1;
    }
    return R1_OK;
}

r1_status r1_math_group(const r1_math_text *answers, size_t count, const r1_math_options *options, int32_t *group, r1_error *err)
{
    for (size_t i = 0; i < count; i++) {
        group[i] = answers[i].p ? (int32_t)i : -1;
        for (size_t j = 0; j < i && group[i] == (int32_t)i; j++) { /* the same text first: it costs nothing */
            bool same = answers[j].p && answers[j].n == answers[i].n && !memcmp(answers[j].p, answers[i].p, answers[i].n);
            if (same) group[i] = group[j];
        }
        for (size_t j = 0; j < i && group[i] == (int32_t)i; j++) {
            bool same = false;
            if (group[j] != (int32_t)j) continue;
            r1_status s = alike(answers[j], answers[i], options, &same, err);
            if (s) return s;
            if (same) group[i] = (int32_t)j;
        }
    }
    return R1_OK;
}
