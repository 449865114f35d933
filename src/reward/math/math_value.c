/* math_value: whether two expressions have the same value, or are the same function.
 *
 * In order: the same tree; exact rationals; rational functions modulo primes; enclosures. Constants are enclosed with 256 bits, and
 * when 0 is left as a difference, with the bits that the bound for radicals asks for (then equality is proved) or else with 2,048.
 * Functions are enclosed at points of several kinds (small, negative, large, mixed), as real functions where both are defined; where
 * the reals give too few points, at whole numbers and then over the complex numbers. Points follow from a hash of both texts. */
#include "reward/math/math_hash.h"
#include "reward/math/math_interval.h"

enum { BITS_FIRST = 256, BITS_LAST = 2048, BITS_AGAIN = 768, BITS_AGREE = 200, BITS_BOUND_MAX = 20000, POINTS_WANTED = 6, POINTS_LEAST = 4, POINTS_TRIED = 28 };

typedef enum where { REALS, WHOLE, COMPLEX } where;

/* ---- points ------------------------------------------------------------------------------------------------------ */

static void collect(r1_math_ctx *c, const r1_node *a, r1_point *p)
{
    if (a->kind == K_SYM) {
        for (uint32_t i = 0; i < p->n; i++)
            if (r1_math_same(p->sym[i], a)) return;
        if (p->n == R1_MATH_SYMBOLS_MAX) c->over = true;
        else p->sym[p->n++] = a;
    }
    r1_math_spend(c, 2);
    for (uint32_t i = 0; i < a->n && !c->over; i++) collect(c, a->kid[i], p);
}

static void point_init(r1_math_ctx *c, r1_point *p, const r1_node *a, const r1_node *b)
{
    p->n = 0;
    collect(c, a, p);
    collect(c, b, p);
    for (uint32_t i = 0; i < p->n; i++) mpq_inits(p->value[i], p->imag[i], NULL);
}

static void point_deinit(r1_point *p)
{
    for (uint32_t i = 0; i < p->n; i++) mpq_clears(p->value[i], p->imag[i], NULL);
}

/* What a comparison has to look at: functions with kinks or steps need points on both sides of each, wherever it lies. */
enum { CONSTANTS_MAX = 6, SIGN_ROUNDS = 48, PLACES = 16, ROUNDS_KINKED_MAX = 160 };
typedef struct point_plan { mpq_t constant[CONSTANTS_MAX]; unsigned n; bool kinked; unsigned rounds; } point_plan;

static bool has_kink(r1_math_ctx *c, const r1_node *a)
{
    if (!a->n || c->over || !r1_math_has(a, K_SYM)) return false;
    if (a->kind == K_FUNC) {
        r1_func f = (r1_func)a->op;
        if (f == F_ABS || f == F_FLOOR || f == F_CEIL || f == F_MAX || f == F_MIN || f == F_SGN || f == F_MOD || f == F_SQRT || f == F_ROOT || f == F_TANH)
            return true;
    }
    if (a->kind == K_POW && !r1_math_has(a->kid[1], K_SYM) && !(a->kid[1]->kind == K_NUM && mpz_cmp_ui(mpq_denref(a->kid[1]->q), 1) == 0)) return true;
    r1_math_spend(c, 2);
    for (uint32_t i = 0; i < a->n; i++)
        if (has_kink(c, a->kid[i])) return true;
    return false;
}

static void constants_in(r1_math_ctx *c, const r1_node *a, point_plan *p)
{
    if (a->kind == K_NUM && mpq_sgn(a->q) && p->n < CONSTANTS_MAX && mpz_sizeinbase(mpq_numref(a->q), 2) + mpz_sizeinbase(mpq_denref(a->q), 2) < 200) {
        for (unsigned i = 0; i < p->n; i++)
            if (!mpz_cmpabs(mpq_numref(p->constant[i]), mpq_numref(a->q)) && mpz_cmp(mpq_denref(p->constant[i]), mpq_denref(a->q)) == 0) return;
        mpq_init(p->constant[p->n]);
        mpq_set(p->constant[p->n++], a->q);
    }
    r1_math_spend(c, 2);
    for (uint32_t i = 0; i < a->n && !c->over; i++) constants_in(c, a->kid[i], p);
}

static void plan_init(r1_math_ctx *c, point_plan *p, const r1_node *a, const r1_node *b, uint32_t symbols)
{
    p->n = 0;
    p->rounds = POINTS_TRIED;
    p->kinked = has_kink(c, a) || has_kink(c, b);
    if (!p->kinked) return;
    constants_in(c, a, p);
    constants_in(c, b, p);
    p->rounds = SIGN_ROUNDS + PLACES * p->n * (symbols < 3 ? symbols : 3);
    if (p->rounds > ROUNDS_KINKED_MAX) p->rounds = ROUNDS_KINKED_MAX;
}

static void plan_deinit(point_plan *p)
{
    for (unsigned i = 0; i < p->n; i++) mpq_clear(p->constant[i]);
}

/* A value beside a constant of the expressions: c or -c, or one more, and a little to either side. */
static void beside(const point_plan *p, unsigned k, mpq_t out)
{
    static const long numerator[] = { 1, -1, 1, -1 }, denominator[] = { 10006, 10006, 6, 6 };
    mpq_t step;
    mpq_init(step);
    mpq_set(out, p->constant[k / PLACES % p->n]);
    if (k & 1) mpq_neg(out, out);
    mpq_set_ui(step, k >> 1 & 1, 1);
    mpq_add(out, out, step);
    mpq_set_si(step, numerator[k >> 2 & 3], (unsigned long)denominator[k >> 2 & 3]);
    mpq_add(out, out, step);
    mpq_clear(step);
}

/* All patterns of signs of four letters near 1, then with sizes from 1e-5 to 1e6; then beside the constants, one letter at a time. */
static void choose_kinked(const r1_math_ctx *c, const point_plan *p, r1_point *at, unsigned round)
{
    static const struct {
        unsigned long lo, width;
        unsigned long scale;
    } sizes[] = { { 200, 2800, 1000 }, { 10, 90, 1000000 }, { 10, 90, 1000 }, { 3, 47, 1 }, { 900, 2000, 1 }, { 900000, 2000000, 1 }, { 200, 2800, 1000 } };
    for (uint32_t i = 0; i < at->n; i++) {
        uint64_t h = r1_math_hash(at->sym[i]->name, at->sym[i]->n_name, c->seed * 17 + round + 5000);
        unsigned size = round < 16 ? 0 : (unsigned)(h >> 40) % R1_COUNT(sizes);
        bool minus = i < 4 ? round >> i & 1 : h >> 60 & 1;
        long v = (long)(sizes[size].lo * 1024 + h % (sizes[size].width * 1024)) | 1; /* an even denominator: (-1)^x is not real there */
        mpq_set_ui(at->imag[i], 0, 1);
        if (round >= SIGN_ROUNDS - 4 && round < SIGN_ROUNDS) mpq_set_si(at->value[i], (long)(h % 9) - 4, 1); /* steps lie at whole numbers */
        else mpq_set_si(at->value[i], minus ? -v : v, sizes[size].scale * 1024);
        mpq_canonicalize(at->value[i]);
    }
    if (round < SIGN_ROUNDS || !p->n || !at->n) return;
    unsigned k = round - SIGN_ROUNDS;
    beside(p, k, at->value[k / (PLACES * p->n) % at->n]);
}

/* Numbers of the round: kinds of range alternate. Denominators are a power of two, so that no range meets a pole on purpose. */
static void choose(const r1_math_ctx *c, const point_plan *plan, r1_point *p, unsigned round, where w)
{
    static const struct { int lo, hi; } ranges[] = { { 1, 3 }, { 0, 1 }, { -3, 0 }, { 2, 9 }, { -3, 3 }, { -1, 1 }, { 5, 40 }, { 0, 4 } };
    unsigned k = round % R1_COUNT(ranges);
    if (w == REALS && plan && plan->kinked) {
        choose_kinked(c, plan, p, round);
        return;
    }
    for (uint32_t i = 0; i < p->n; i++) {
        const r1_node *s = p->sym[i];
        uint64_t h = r1_math_hash(s->name, s->n_name, c->seed * 31 + round + 1000);
        bool complex = w == COMPLEX && (r1_math_sym_is(s, "z") || r1_math_sym_is(s, "w"));
        mpq_set_ui(p->imag[i], 0, 1);
        if (w == WHOLE) {
            mpq_set_ui(p->value[i], 2 + h % (4 + round / 2), 1);
            continue;
        }
        long width = ranges[k].hi - ranges[k].lo;
        mpq_set_si(p->value[i], (ranges[k].lo * 65536L + (long)(h % (uint64_t)(width * 65536L))) | 1, 65536);
        if (complex) mpq_set_si(p->imag[i], (long)(h >> 32 & 0x1FFFF) - 65535, 65536);
        mpq_canonicalize(p->value[i]);
        mpq_canonicalize(p->imag[i]);
    }
}

/* ---- two enclosures ---------------------------------------------------------------------------------------------- */

typedef enum verdict { AGREE, DISAGREE, UNCLEAR, OUT_GOLD, OUT_CAND, NOT_DONE } verdict;

/* Whether 0 is left as the only difference: BITS_AGREE bits below the larger of the two, or below 1 where both may be 0. */
static verdict judge(const r1_iv *a, const r1_iv *b, mpfr_srcptr scale, mpfr_exp_t agree)
{
    r1_iv d;
    verdict v = DISAGREE;
    r1_math_iv_init(&d, mpfr_get_prec(a->lo));
    r1_math_iv_sub(&d, a, b);
    if (r1_math_iv_has_zero(&d)) {
        mpfr_t width, bound;
        mpfr_inits2(64, width, bound, (mpfr_ptr)0);
        mpfr_sub(width, d.hi, d.lo, MPFR_RNDU);
        if (mpfr_zero_p(scale)) mpfr_set_ui_2exp(bound, 1, -agree, MPFR_RNDD);
        else mpfr_div_2si(bound, scale, agree, MPFR_RNDD);
        v = mpfr_lessequal_p(width, bound) ? AGREE : UNCLEAR;
        mpfr_clears(width, bound, (mpfr_ptr)0);
    }
    r1_math_iv_clear(&d);
    return v;
}

/* The least magnitude the gold has for certain; 0 when it may be 0. */
static void magnitude(mpfr_t out, const r1_iv *a)
{
    if (r1_math_iv_has_zero(a)) mpfr_set_zero(out, 1);
    else {
        mpfr_abs(out, mpfr_sgn(a->lo) > 0 ? a->lo : a->hi, MPFR_RNDD);
    }
}

static verdict real_verdict(r1_math_ctx *c, const r1_point *at, const r1_node *gold, const r1_node *cand, mpfr_prec_t prec, mpfr_exp_t agree)
{
    r1_iv x, y;
    mpfr_t scale;
    r1_math_iv_init(&x, prec);
    r1_math_iv_init(&y, prec);
    mpfr_init2(scale, 64);
    r1_iv_state s = r1_math_real(c, at, gold, &x), t = s == I_OUTSIDE ? I_OK : r1_math_real(c, at, cand, &y);
    verdict v;
    if (s == I_NOT || t == I_NOT) v = NOT_DONE;
    else if (s == I_OUTSIDE) v = OUT_GOLD;
    else if (t == I_OUTSIDE) v = OUT_CAND;
    else if (s != I_OK || t != I_OK) v = UNCLEAR;
    else {
        magnitude(scale, &x);
        v = judge(&x, &y, scale, agree);
    }
    mpfr_clear(scale);
    r1_math_iv_clear(&x);
    r1_math_iv_clear(&y);
    return v;
}

static verdict complex_verdict(r1_math_ctx *c, const r1_point *at, const r1_node *gold, const r1_node *cand, mpfr_prec_t prec, mpfr_exp_t agree)
{
    r1_cv x, y;
    mpfr_t scale, other;
    r1_math_cv_init(&x, prec);
    r1_math_cv_init(&y, prec);
    mpfr_inits2(64, scale, other, (mpfr_ptr)0);
    r1_iv_state s = r1_math_complex(c, at, gold, &x), t = s == I_OUTSIDE ? I_OK : r1_math_complex(c, at, cand, &y);
    verdict v;
    if (s == I_NOT || t == I_NOT) v = NOT_DONE;
    else if (s == I_OUTSIDE) v = OUT_GOLD;
    else if (t == I_OUTSIDE) v = OUT_CAND;
    else if (s != I_OK || t != I_OK) v = UNCLEAR;
    else {
        magnitude(scale, &x.re);
        magnitude(other, &x.im);
        mpfr_max(scale, scale, other, MPFR_RNDD);
        v = judge(&x.re, &y.re, scale, agree);
        verdict w = v == DISAGREE ? DISAGREE : judge(&x.im, &y.im, scale, agree);
        v = w == DISAGREE ? DISAGREE : v == AGREE && w == AGREE ? AGREE : UNCLEAR;
    }
    mpfr_clears(scale, other, (mpfr_ptr)0);
    r1_math_cv_clear(&x);
    r1_math_cv_clear(&y);
    return v;
}

static verdict at_point(r1_math_ctx *c, where w, const r1_point *at, const r1_node *gold, const r1_node *cand, mpfr_prec_t prec, mpfr_exp_t agree)
{
    return w == COMPLEX ? complex_verdict(c, at, gold, cand, prec, agree) : real_verdict(c, at, gold, cand, prec, agree);
}

/* ---- decimals ---------------------------------------------------------------------------------------------------- */

static bool terminates(mpq_srcptr q)
{
    mpz_t d, two, five;
    mpz_inits(d, two, five, NULL);
    mpz_set_ui(two, 2);
    mpz_set_ui(five, 5);
    mpz_remove(d, mpq_denref(q), two);
    mpz_remove(d, d, five);
    bool ends = mpz_cmp_ui(d, 1) == 0;
    mpz_clears(d, two, five, NULL);
    return ends;
}

/* Whether exact has a finite decimal form: then a decimal must be it. */
static bool finite_decimal(r1_math_ctx *c, const r1_node *exact)
{
    mpq_t q;
    mpq_init(q);
    bool ends = r1_math_rational(c, exact, q) == FOUND_VALUE && terminates(q);
    mpq_clear(q);
    return ends;
}

/* A decimal with many digits against a value: right to one unit of the eighth significant digit. */
static bool decimal_stands_for(r1_math_ctx *c, const r1_node *decimal, const r1_node *exact, uint32_t digits)
{
    static const r1_point nowhere = { .n = 0 };
    r1_iv x, d;
    mpq_t q;
    mpfr_t ulp, x10;
    bool close = false;
    if (digits < R1_MATH_DECIMAL_DIGITS) return false;
    mpq_init(q);
    mpfr_inits2(128, ulp, x10, (mpfr_ptr)0);
    r1_math_iv_init(&x, BITS_FIRST);
    r1_math_iv_init(&d, BITS_FIRST);
    if (decimal->kind == K_NUM ? (mpq_set(q, decimal->q), true) : r1_math_rational(c, decimal, q) == FOUND_VALUE)
        if (r1_math_real(c, &nowhere, exact, &x) == I_OK && r1_math_iv_sign(&x)) {
            mpfr_abs(x10, mpfr_sgn(x.lo) > 0 ? x.lo : x.hi, MPFR_RNDD);
            mpfr_log10(x10, x10, MPFR_RNDD);
            mpfr_floor(x10, x10);
            mpfr_sub_ui(x10, x10, R1_MATH_DECIMAL_DIGITS - 1, MPFR_RNDN);
            mpfr_exp10(ulp, x10, MPFR_RNDD);
            r1_math_iv_set_q(&d, q);
            r1_math_iv_sub(&d, &d, &x);
            close = mpfr_cmpabs(d.lo, ulp) < 0 && mpfr_cmpabs(d.hi, ulp) < 0;
        }
    mpq_clear(q);
    mpfr_clears(ulp, x10, (mpfr_ptr)0);
    r1_math_iv_clear(&x);
    r1_math_iv_clear(&d);
    return close;
}

/* Two decimals, the longer of which begins with the shorter. */
static bool same_decimals(const r1_node *a, const r1_node *b)
{
    if (a->kind != K_NUM || b->kind != K_NUM) return false;
    uint32_t least = a->digits < b->digits ? a->digits : b->digits;
    if (least < R1_MATH_DECIMAL_DIGITS || (a->digits == b->digits && !a->dotted && !b->dotted)) return false;
    mpq_t d;
    mpfr_t ulp, x;
    mpq_init(d);
    mpfr_inits2(128, ulp, x, (mpfr_ptr)0);
    r1_math_last_place(ulp, a->digits < b->digits ? a : b, least);
    mpq_sub(d, a->q, b->q);
    mpfr_set_q(x, d, MPFR_RNDA);
    bool close = mpfr_cmpabs(x, ulp) < 0;
    mpq_clear(d);
    mpfr_clears(ulp, x, (mpfr_ptr)0);
    return close;
}

static bool long_decimals(const r1_node *a)
{
    if (a->kind == K_NUM) return a->digits >= R1_MATH_DECIMAL_DIGITS;
    for (uint32_t i = 0; i < a->n; i++)
        if (long_decimals(a->kid[i])) return true;
    return false;
}

/* Whether some constant in a has no finite decimal form: then a decimal may stand for it. */
static bool infinite_decimals(r1_math_ctx *c, const r1_node *a)
{
    if (a->kind == K_I || a->kind == K_SYM || c->over) return false;
    if (!r1_math_has(a, K_SYM) && !r1_math_has(a, K_I) && !r1_math_has(a, K_APPLY)) return !finite_decimal(c, a);
    for (uint32_t i = 0; i < a->n; i++)
        if (infinite_decimals(c, a->kid[i])) return true;
    return false;
}

/* Expressions with long decimals in them: the exact one lies in what they enclose, and that is narrow, everywhere. */
static bool fuzzy_equal(r1_math_ctx *c, const r1_node *gold, const r1_node *cand, where w)
{
    enum { AGREE_FUZZY = 22 }; /* a width of 2.4e-7 of the value: two units of the eighth digit */
    bool g = long_decimals(gold), k = long_decimals(cand);
    if (g == k || !infinite_decimals(c, g ? cand : gold)) return false;
    r1_point at;
    point_init(c, &at, gold, cand);
    unsigned agreed = 0;
    bool wrong = false;
    c->fuzzy = true;
    for (unsigned round = 0; round < (at.n ? POINTS_TRIED : 1) && agreed < POINTS_WANTED && !wrong && !c->over; round++) {
        choose(c, NULL, &at, round, w);
        verdict v = at_point(c, w, &at, gold, cand, BITS_FIRST, AGREE_FUZZY);
        agreed += v == AGREE;
        wrong = v == DISAGREE || v == NOT_DONE || v == UNCLEAR;
    }
    c->fuzzy = false;
    point_deinit(&at);
    return !wrong && agreed >= (at.n ? POINTS_LEAST : 1) && !c->over;
}

static bool decimal_rule(r1_math_ctx *c, const r1_node *gold, const r1_node *cand)
{
    uint32_t g = r1_math_decimal_digits(gold), k = r1_math_decimal_digits(cand);
    if (g && k) return same_decimals(gold, cand);
    if (k && !finite_decimal(c, gold)) return decimal_stands_for(c, cand, gold, k);
    if (g && !finite_decimal(c, cand)) return decimal_stands_for(c, gold, cand, g);
    return false;
}

/* ---- constants --------------------------------------------------------------------------------------------------- */

static r1_sameness from_bound(r1_math_ctx *c, where w, const r1_node *gold, const r1_node *cand, double bits)
{
    static const r1_point nowhere = { .n = 0 };
    verdict v = at_point(c, w, &nowhere, gold, cand, (mpfr_prec_t)bits + 256, (mpfr_exp_t)bits + 64);
    return v == AGREE ? SAME_EXACT : v == DISAGREE ? SAME_NOT : SAME_UNKNOWN;
}

static r1_sameness constants(r1_math_ctx *c, const r1_node *gold, const r1_node *cand, where w)
{
    static const r1_point nowhere = { .n = 0 };
    verdict v = at_point(c, w, &nowhere, gold, cand, BITS_FIRST, BITS_AGREE);
    if (v == DISAGREE) return SAME_NOT;
    if ((v == AGREE || v == UNCLEAR) && w == REALS) {
        double bits = r1_math_zero_bound(c, gold, cand);
        r1_sameness s = bits > 0 && bits <= BITS_BOUND_MAX ? from_bound(c, w, gold, cand, bits) : SAME_UNKNOWN;
        if (s != SAME_UNKNOWN) return s;
    }
    if (v == AGREE || v == UNCLEAR) {
        c->hidden = false;
        v = at_point(c, w, &nowhere, gold, cand, BITS_LAST, BITS_LAST / 2 - 100);
        if (v == AGREE) return c->hidden ? SAME_UNKNOWN : SAME_NUMERIC;
        if (v == DISAGREE) return SAME_NOT;
    }
    return v == OUT_CAND ? SAME_UNDEFINED : SAME_UNKNOWN;
}

static r1_sameness equal_constants(r1_math_ctx *c, const r1_node *gold, const r1_node *cand)
{
    mpq_t x, y;
    mpq_inits(x, y, NULL);
    bool complex = r1_math_has(gold, K_I) || r1_math_has(cand, K_I);
    r1_found f = r1_math_rational(c, gold, x), g = r1_math_rational(c, cand, y);
    r1_sameness s = SAME_UNKNOWN;
    bool decided = true;
    if (f == FOUND_VALUE && g == FOUND_VALUE) s = mpq_equal(x, y) ? SAME_EXACT : SAME_NOT;
    else if (g == FOUND_UNDEFINED) s = SAME_UNDEFINED;
    else if (f == FOUND_UNDEFINED) s = SAME_UNKNOWN;
    else decided = false;
    mpq_clears(x, y, NULL);
    if (decided || c->over) return s;
    int m = r1_math_modular_equal(c, gold, cand);
    if (m >= 0) return m ? SAME_EXACT : SAME_NOT;
    s = complex ? SAME_UNKNOWN : constants(c, gold, cand, REALS);
    if (s == SAME_UNKNOWN || s == SAME_UNDEFINED) {
        r1_sameness t = constants(c, gold, cand, COMPLEX);
        if (t != SAME_UNKNOWN) s = t;
    }
    return s;
}

/* ---- functions --------------------------------------------------------------------------------------------------- */

static r1_sameness at_points(r1_math_ctx *c, const r1_node *gold, const r1_node *cand, where w)
{
    r1_point at;
    point_plan plan;
    enum { KEPT_MAX = 10 };
    unsigned agreed = 0, not_done = 0, out = 0, kept = 0, confirmed = 0, first[KEPT_MAX];
    bool differ = false;
    point_init(c, &at, gold, cand);
    plan_init(c, &plan, gold, cand, at.n);
    bool all = plan.kinked && w == REALS;
    for (unsigned round = 0; round < (all ? plan.rounds : POINTS_TRIED) && (all || agreed < POINTS_WANTED) && not_done < 6 && !differ && !c->over; round++) {
        choose(c, &plan, &at, round, w);
        verdict v = at_point(c, w, &at, gold, cand, BITS_FIRST, BITS_AGREE);
        differ = v == DISAGREE;
        not_done += v == NOT_DONE;
        out += v == OUT_CAND;
        if (v != AGREE) continue;
        if (kept < KEPT_MAX) first[kept++] = round;
        agreed++;
    }
    /* twice again, finer, where no term is too small to be seen */
    for (unsigned k = 0; k < kept && agreed >= POINTS_LEAST && confirmed < 2 && !differ && !c->over; k++) {
        choose(c, &plan, &at, first[k], w);
        c->hidden = false;
        verdict v = at_point(c, w, &at, gold, cand, BITS_AGAIN, BITS_AGAIN - 100);
        differ = v == DISAGREE;
        confirmed += v == AGREE && !c->hidden;
    }
    point_deinit(&at);
    plan_deinit(&plan);
    if (c->over) return SAME_UNKNOWN;
    if (differ) return SAME_NOT;
    if (confirmed == 2) return SAME_NUMERIC;
    return out && !agreed ? SAME_UNDEFINED : SAME_UNKNOWN;
}

/* Functions that say nothing over the reals: the conjugate of z is z there. */
static bool of_complex(const r1_node *a)
{
    return r1_math_has(a, K_I) || r1_math_has_op(a, K_FUNC, F_CONJ) || r1_math_has_op(a, K_FUNC, F_RE) || r1_math_has_op(a, K_FUNC, F_IM) ||
           r1_math_has_op(a, K_FUNC, F_ARG);
}

static r1_sameness equal_functions(r1_math_ctx *c, const r1_node *gold, const r1_node *cand)
{
    bool complex = of_complex(gold) || of_complex(cand);
    int m = r1_math_modular_equal(c, gold, cand);
    if (m >= 0) return m ? SAME_EXACT : SAME_NOT;
    r1_sameness s = complex ? SAME_UNKNOWN : at_points(c, gold, cand, REALS);
    if (s == SAME_UNKNOWN || s == SAME_UNDEFINED) {
        r1_sameness t = complex ? SAME_UNKNOWN : at_points(c, gold, cand, WHOLE);
        if (t == SAME_UNKNOWN) t = at_points(c, gold, cand, COMPLEX);
        if (t != SAME_UNKNOWN) s = t;
    }
    return s;
}

/* 1, -1 for an infinity with a sign, 0 for anything else. */
static int infinity(const r1_node *a)
{
    if (a->kind == K_INF) return 1;
    if (a->kind == K_MUL && a->n == 2 && a->kid[0]->kind == K_NUM && a->kid[1]->kind == K_INF) return mpq_sgn(a->kid[0]->q);
    return 0;
}

r1_sameness r1_math_equal_expr(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (c->over || c->nomem) return SAME_UNKNOWN;
    if (r1_math_has(gold, K_INF) || r1_math_has(cand, K_INF)) return infinity(gold) && infinity(gold) == infinity(cand) ? SAME_EXACT : SAME_NOT;
    if (r1_math_has(gold, K_SYM) || r1_math_has(cand, K_SYM) || r1_math_has(gold, K_APPLY) || r1_math_has(cand, K_APPLY)) {
        if (r1_math_same(gold, cand)) return SAME_EXACT;
        r1_sameness s = equal_functions(c, gold, cand);
        return s == SAME_NOT && fuzzy_equal(c, gold, cand, r1_math_has(gold, K_I) || r1_math_has(cand, K_I) ? COMPLEX : REALS) ? SAME_NUMERIC : s;
    }
    r1_sameness s = equal_constants(c, gold, cand);
    if (s == SAME_EXACT || s == SAME_NUMERIC || s == SAME_UNDEFINED || c->over) return s;
    if (decimal_rule(c, gold, cand) || fuzzy_equal(c, gold, cand, r1_math_has(gold, K_I) || r1_math_has(cand, K_I) ? COMPLEX : REALS)) return SAME_NUMERIC;
    return s == SAME_UNKNOWN && r1_math_same(gold, cand) ? SAME_EXACT : s;
}

int r1_math_order(r1_math_ctx *c, r1_node *a, r1_node *b)
{
    static const r1_point nowhere = { .n = 0 };
    int x = infinity(a), y = infinity(b);
    if (x || y) return x < y ? -1 : x > y;
    if (!r1_math_is_scalar(a) || !r1_math_is_scalar(b) || r1_math_has(a, K_SYM) || r1_math_has(b, K_SYM)) return r1_math_same(a, b) ? 0 : 2;
    r1_sameness s = r1_math_equal_expr(c, a, b);
    if (s == SAME_EXACT || s == SAME_NUMERIC) return 0;
    if (s != SAME_NOT) return 2;
    int sign = 0;
    for (mpfr_prec_t prec = BITS_FIRST; prec <= BITS_LAST && !sign; prec *= 8) {
        r1_iv u, v;
        r1_math_iv_init(&u, prec);
        r1_math_iv_init(&v, prec);
        if (r1_math_real(c, &nowhere, a, &u) == I_OK && r1_math_real(c, &nowhere, b, &v) == I_OK) {
            r1_math_iv_sub(&u, &u, &v);
            sign = r1_math_iv_sign(&u);
        }
        r1_math_iv_clear(&u);
        r1_math_iv_clear(&v);
    }
    return sign ? sign : 2;
}

bool r1_math_rounds_to(r1_math_ctx *c, r1_node *value, const r1_node *decimal)
{
    enum { PLACES_MAX = 200 };
    if (decimal->kind != K_NUM) return false;
    /* a whole number is rounded to its last digit */
    uint32_t digits = decimal->digits ? decimal->digits : (uint32_t)r1_min(mpz_sizeinbase(mpq_numref(decimal->q), 10), (size_t)PLACES_MAX);
    if (!decimal->digits && mpz_cmp_ui(mpq_denref(decimal->q), 1)) return false;
    /* 10^-places is the unit of the last digit: the whole number of it that q is has `digits` digits */
    mpz_t whole, power;
    mpz_inits(whole, power, NULL);
    int places = -1;
    for (int k = 0; k <= PLACES_MAX && places < 0 && r1_math_spend(c, 5); k++) {
        mpz_ui_pow_ui(power, 10, (unsigned long)k);
        if (!mpz_divisible_p(power, mpq_denref(decimal->q))) continue;
        mpz_mul(whole, mpq_numref(decimal->q), power);
        mpz_divexact(whole, whole, mpq_denref(decimal->q));
        mpz_abs(whole, whole);
        mpz_ui_pow_ui(power, 10, digits > PLACES_MAX ? PLACES_MAX : digits - 1);
        if (mpz_cmp(whole, power) >= 0 || !decimal->digits) places = k;
    }
    mpz_clears(whole, power, NULL);
    if (places < 0) return false;
    r1_node *half = r1_math_num(c, 1), *lo = r1_math_num_q(c, decimal->q), *hi = r1_math_num_q(c, decimal->q);
    if (half == &c->bad || lo == &c->bad || hi == &c->bad) return false;
    mpz_ui_pow_ui(mpq_denref(half->q), 10, (unsigned long)places);
    mpz_mul_ui(mpq_denref(half->q), mpq_denref(half->q), 2);
    mpq_sub(lo->q, lo->q, half->q);
    mpq_add(hi->q, hi->q, half->q);
    int below = r1_math_order(c, lo, value), above = r1_math_order(c, value, hi);
    return (below == -1 || below == 0) && (above == -1 || above == 0);
}

/* ---- equations --------------------------------------------------------------------------------------------------- */

/* Whether f / g is one constant at all points, by cross products with the first; the sign of it in *sign. */
static r1_sameness proportional(r1_math_ctx *c, const r1_node *f, const r1_node *g, int *sign)
{
    r1_point at;
    point_plan plan;
    r1_iv f0, g0, x, y;
    unsigned agreed = 0;
    bool first = false, differ = false;
    point_init(c, &at, f, g);
    plan_init(c, &plan, f, g, at.n);
    r1_math_iv_init(&f0, BITS_AGAIN);
    r1_math_iv_init(&g0, BITS_AGAIN);
    r1_math_iv_init(&x, BITS_AGAIN);
    r1_math_iv_init(&y, BITS_AGAIN);
    for (unsigned round = 0; round < plan.rounds && (plan.kinked || agreed < POINTS_WANTED) && !differ && !c->over; round++) {
        choose(c, &plan, &at, round, REALS);
        c->hidden = false;
        if (r1_math_real(c, &at, f, &x) != I_OK || r1_math_real(c, &at, g, &y) != I_OK) continue;
        if (!first) {
            if (!r1_math_iv_sign(&x) || !r1_math_iv_sign(&y)) continue;
            first = true;
            *sign = r1_math_iv_sign(&x) * r1_math_iv_sign(&y);
            r1_math_iv_set(&f0, &x);
            r1_math_iv_set(&g0, &y);
            continue;
        }
        mpfr_t scale;
        mpfr_init2(scale, 64);
        if (r1_math_iv_mul(&x, &x, &g0) == I_OK && r1_math_iv_mul(&y, &y, &f0) == I_OK) {
            magnitude(scale, &x);
            verdict v = judge(&x, &y, scale, 2 * BITS_AGREE);
            differ = v == DISAGREE;
            agreed += v == AGREE && !c->hidden;
        }
        mpfr_clear(scale);
    }
    point_deinit(&at);
    plan_deinit(&plan);
    r1_math_iv_clear(&f0);
    r1_math_iv_clear(&g0);
    r1_math_iv_clear(&x);
    r1_math_iv_clear(&y);
    return differ ? SAME_NOT : agreed >= POINTS_LEAST && !c->over ? SAME_NUMERIC : SAME_UNKNOWN;
}

enum { DENOMINATORS_MAX = 3 };

/* Divisors with symbols in them: an equation may be multiplied by what it divides by. */
static void denominators(const r1_node *a, r1_node **list, unsigned *n)
{
    bool divides = a->kind == K_POW && a->kid[1]->kind == K_NUM && mpq_sgn(a->kid[1]->q) < 0 && r1_math_has(a->kid[0], K_SYM);
    if (divides) {
        for (unsigned i = 0; i < *n; i++)
            if (r1_math_same(list[i], a->kid[0])) return;
        if (*n < DENOMINATORS_MAX) list[(*n)++] = a->kid[0];
    }
    for (uint32_t i = 0; i < a->n; i++) denominators(a->kid[i], list, n);
}

static r1_sameness scaled(r1_math_ctx *c, r1_node *f, r1_node *g, int sign)
{
    if (!r1_math_has(f, K_SYM) && !r1_math_has(g, K_SYM)) { /* f(0) = 2, f(1) = 2: two constants always have a constant ratio */
        r1_sameness same = r1_math_equal_expr(c, f, g);
        return same == SAME_NOT && !sign ? r1_math_equal_expr(c, f, r1_math_neg(c, g)) : same;
    }
    int m = r1_math_modular_proportional(c, f, g), found_sign = 0;
    if (m == 0) return SAME_NOT;
    if (m == 1 && !sign) return SAME_EXACT;
    r1_sameness s = proportional(c, f, g, &found_sign);
    if (s == SAME_NUMERIC && sign && found_sign != sign) return SAME_NOT;
    return s == SAME_NUMERIC && m == 1 ? SAME_EXACT : s;
}

r1_sameness r1_math_equal_equation(r1_math_ctx *c, r1_node *gold, r1_node *cand, int sign)
{
    r1_node *f = r1_math_op2(c, K_ADD, gold->kid[0], r1_math_neg(c, gold->kid[1])), *g = r1_math_op2(c, K_ADD, cand->kid[0], r1_math_neg(c, cand->kid[1]));
    r1_node *list[DENOMINATORS_MAX];
    unsigned n = 0, all = 1;
    r1_sameness s = scaled(c, f, g, sign);
    if (s != SAME_NOT || sign) return s;
    denominators(f, list, &n);
    denominators(g, list, &n);
    for (unsigned i = 0; i < n; i++) all *= 3;
    for (unsigned code = 1; code < all && !c->over; code++) { /* each divisor to the power 0, 1 or -1 */
        r1_node *h = r1_math_append(c, r1_math_node(c, K_MUL, 0), g);
        for (unsigned i = 0, k = code; i < n; i++, k /= 3)
            if (k % 3) h = r1_math_append(c, h, k % 3 == 1 ? list[i] : r1_math_inv(c, list[i]));
        s = scaled(c, f, h, 0);
        if (s == SAME_EXACT || s == SAME_NUMERIC) return s;
    }
    return SAME_NOT;
}
