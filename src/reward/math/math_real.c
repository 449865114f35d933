/* math_real: expressions over the real numbers, as enclosures at a point. */
#include "reward/math/math_hash.h"
#include "reward/math/math_interval.h"

static mpfr_prec_t prec_of(const r1_iv *a) { return mpfr_get_prec(a->lo); }

static r1_iv_state known_rational(r1_math_ctx *c, const r1_node *a, r1_iv *out)
{
    mpq_t q;
    mpq_init(q);
    r1_found f = r1_math_rational(c, a, q);
    if (f == FOUND_VALUE) r1_math_iv_set_q(out, q);
    mpq_clear(q);
    return f == FOUND_VALUE ? I_OK : f == FOUND_UNDEFINED ? I_OUTSIDE : I_NOT;
}

static bool constant(const r1_node *a) { return !r1_math_has(a, K_SYM); }

static r1_iv_state multiply(r1_math_ctx *c, const r1_point *at, const r1_node *a, r1_iv *out)
{
    r1_iv x, product;
    r1_math_iv_init(&x, prec_of(out));
    r1_math_iv_init(&product, prec_of(out));
    r1_math_iv_set_si(&product, 1);
    r1_iv_state s = I_OK;
    for (uint32_t i = 0; i < a->n && s == I_OK; i++) {
        s = r1_math_real(c, at, a->kid[i], &x);
        if (s == I_OK) s = r1_math_iv_mul(&product, &product, &x);
        if (!r1_math_spend(c, 6 + (uint64_t)prec_of(out) / 64)) s = I_NOT;
    }
    if (s == I_OK) r1_math_iv_set(out, &product);
    r1_math_iv_clear(&x);
    r1_math_iv_clear(&product);
    return s;
}

/* Terms too small to be seen beside the largest are noted: equality may hang on them. The smallest and largest so far are enough. */
static r1_iv_state add(r1_math_ctx *c, const r1_point *at, const r1_node *a, r1_iv *out)
{
    r1_iv x, sum, least;
    r1_math_iv_init(&x, prec_of(out));
    r1_math_iv_init(&sum, prec_of(out));
    r1_math_iv_init(&least, prec_of(out));
    mpfr_exp_t top = MPFR_EMIN_DEFAULT / 2;
    r1_iv_state s = I_OK;
    for (uint32_t i = 0; i < a->n && s == I_OK; i++) {
        s = r1_math_real(c, at, a->kid[i], &x);
        if (s != I_OK) break;
        mpfr_exp_t e = r1_math_iv_exponent(&x);
        top = e > top ? e : top;
        if (r1_math_iv_sign(&x) && (!r1_math_iv_sign(&least) || e < r1_math_iv_exponent(&least))) r1_math_iv_set(&least, &x);
        r1_math_iv_add(&sum, &sum, &x);
        if (!r1_math_spend(c, 6 + (uint64_t)prec_of(out) / 64)) s = I_NOT;
    }
    if (s == I_OK) {
        r1_math_iv_note_small(c, &least, top);
        r1_math_iv_set(out, &sum);
        s = r1_math_iv_check(out);
    }
    r1_math_iv_clear(&x);
    r1_math_iv_clear(&sum);
    r1_math_iv_clear(&least);
    return s;
}

/* The value of an exponent that is rational, at the point too: x^n at n = 3 is a power of three. */
static bool rational_exponent(r1_math_ctx *c, const r1_point *at, const r1_node *e, mpq_t q)
{
    if (constant(e)) return r1_math_rational(c, e, q) == FOUND_VALUE;
    r1_node *x = (r1_node *)e; /* substitution copies what it changes */
    for (uint32_t i = 0; i < at->n; i++)
        if (r1_math_has_symbol(x, at->sym[i])) x = r1_math_subst(c, x, at->sym[i], r1_math_num_q(c, at->value[i]));
    return !c->over && r1_math_rational(c, x, q) == FOUND_VALUE;
}

static r1_iv_state power_q(r1_math_ctx *c, r1_iv *out, const r1_iv *x, mpq_srcptr e)
{
    if (mpz_cmp_ui(mpq_denref(e), 1) == 0) return r1_math_iv_pow_z(c, out, x, mpq_numref(e));
    if (mpz_cmp_ui(mpq_denref(e), 1000) <= 0 && mpz_sizeinbase(mpq_numref(e), 2) < 40) {
        bool even = mpz_even_p(mpq_denref(e));
        if (even && mpfr_sgn(x->hi) < 0) return I_OUTSIDE;
        r1_iv_state s = r1_math_iv_root(c, out, x, mpz_get_ui(mpq_denref(e)));
        return s == I_OK ? r1_math_iv_pow_z(c, out, out, mpq_numref(e)) : s;
    }
    r1_iv y;
    r1_math_iv_init(&y, prec_of(out));
    r1_iv_state s = r1_math_iv_fn(c, F_LN, out, x);
    r1_math_iv_set_q(&y, e);
    if (s == I_OK) s = r1_math_iv_mul(out, out, &y);
    if (s == I_OK) s = r1_math_iv_fn(c, F_EXP, out, out);
    r1_math_iv_clear(&y);
    return s;
}

static r1_iv_state power(r1_math_ctx *c, const r1_point *at, const r1_node *a, r1_iv *out)
{
    mpq_t q;
    r1_iv x, y;
    mpq_init(q);
    r1_math_iv_init(&x, prec_of(out));
    r1_math_iv_init(&y, prec_of(out));
    r1_iv_state s;
    if (a->kid[0]->kind == K_E) { /* e^u */
        s = r1_math_real(c, at, a->kid[1], &y);
        if (s == I_OK) s = r1_math_iv_fn(c, F_EXP, out, &y);
    } else if (rational_exponent(c, at, a->kid[1], q)) {
        s = r1_math_real(c, at, a->kid[0], &x);
        if (s == I_OK) s = power_q(c, out, &x, q);
    } else {
        s = r1_math_real(c, at, a->kid[0], &x);
        if (s == I_OK) s = r1_math_real(c, at, a->kid[1], &y);
        if (s == I_OK && mpfr_zero_p(x.lo) && mpfr_zero_p(x.hi) && r1_math_iv_sign(&y) > 0) r1_math_iv_set_si(out, 0);
        else {
            if (s == I_OK) s = r1_math_iv_fn(c, F_LN, &x, &x);
            if (s == I_OK) s = r1_math_iv_mul(&x, &x, &y);
            if (s == I_OK) s = r1_math_iv_fn(c, F_EXP, out, &x);
        }
    }
    mpq_clear(q);
    r1_math_iv_clear(&x);
    r1_math_iv_clear(&y);
    return s;
}

/* n choose k for a whole k at the point: a product of k factors. */
static r1_iv_state binomial(r1_math_ctx *c, const r1_iv *n, const r1_iv *k, r1_iv *out)
{
    enum { FACTORS_MAX = 60 };
    if (mpfr_sgn(k->hi) < 0) return I_OUTSIDE;
    if (!mpfr_equal_p(k->lo, k->hi) || !mpfr_integer_p(k->lo) || mpfr_sgn(k->lo) < 0 || mpfr_cmp_ui(k->lo, FACTORS_MAX) > 0) return I_NOT;
    unsigned long m = mpfr_get_ui(k->lo, MPFR_RNDN);
    r1_iv f, d, r;
    r1_math_iv_init(&f, prec_of(out));
    r1_math_iv_init(&d, prec_of(out));
    r1_math_iv_init(&r, prec_of(out));
    r1_math_iv_set_si(&r, 1);
    r1_iv_state s = I_OK;
    for (unsigned long i = 0; i < m && s == I_OK; i++) {
        mpfr_sub_ui(f.lo, n->lo, i, MPFR_RNDD);
        mpfr_sub_ui(f.hi, n->hi, i, MPFR_RNDU);
        r1_math_iv_set_si(&d, (long)i + 1);
        s = r1_math_iv_mul(&r, &r, &f);
        if (s == I_OK) s = r1_math_iv_div(&r, &r, &d);
        r1_math_spend(c, 40);
    }
    if (s == I_OK) r1_math_iv_set(out, &r);
    r1_math_iv_clear(&f);
    r1_math_iv_clear(&d);
    r1_math_iv_clear(&r);
    return s;
}

static r1_iv_state larger(r1_iv *out, const r1_iv *a, const r1_iv *b, bool max)
{
    mpfr_srcptr lo = (mpfr_cmp(a->lo, b->lo) > 0) == max ? a->lo : b->lo, hi = (mpfr_cmp(a->hi, b->hi) > 0) == max ? a->hi : b->hi;
    mpfr_set(out->lo, lo, MPFR_RNDD);
    mpfr_set(out->hi, hi, MPFR_RNDU);
    return I_OK;
}

static r1_iv_state two(r1_math_ctx *c, r1_func f, const r1_iv *x, const r1_iv *y, r1_iv *out)
{
    switch (f) {
    case F_LOG: { /* x is the base */
        r1_iv t;
        r1_math_iv_init(&t, prec_of(out));
        r1_iv_state s = r1_math_iv_fn(c, F_LN, &t, x);
        if (s == I_OK) s = r1_math_iv_fn(c, F_LN, out, y);
        if (s == I_OK) s = r1_math_iv_div(out, out, &t);
        r1_math_iv_clear(&t);
        return s;
    }
    case F_BINOM: return binomial(c, x, y, out);
    case F_MAX: case F_MIN: return larger(out, x, y, f == F_MAX);
    case F_ROOT:
        if (!mpfr_equal_p(y->lo, y->hi) || !mpfr_integer_p(y->lo) || mpfr_sgn(y->lo) <= 0 || mpfr_cmp_ui(y->lo, 1000) > 0) return I_NOT;
        return r1_math_iv_root(c, out, x, mpfr_get_ui(y->lo, MPFR_RNDN));
    default: return I_NOT;
    }
}

static r1_iv_state function(r1_math_ctx *c, const r1_point *at, const r1_node *a, r1_iv *out)
{
    if (constant(a) && known_rational(c, a, out) == I_OK) return I_OK; /* 20!, \binom{50}{3}, \log_2 8 */
    r1_func f = (r1_func)a->op;
    if (f == F_SUM || f == F_PROD) {
        r1_node *u = (r1_node *)a;
        for (uint32_t i = 0; i < at->n; i++) u = r1_math_subst(c, u, at->sym[i], r1_math_num_q(c, at->value[i]));
        u = c->over ? NULL : r1_math_unroll(c, u);
        return u ? r1_math_real(c, at, u, out) : I_NOT;
    }
    r1_iv x, y;
    r1_math_iv_init(&x, prec_of(out));
    r1_math_iv_init(&y, prec_of(out));
    r1_iv_state s = r1_math_real(c, at, a->kid[0], &x);
    if (s != I_OK) {
    } else if (f == F_DEGREE) {
        r1_math_iv_pi(&y);
        s = r1_math_iv_mul(&x, &x, &y);
        r1_math_iv_set_si(&y, 180);
        if (s == I_OK) s = r1_math_iv_div(out, &x, &y);
    } else if (a->n == 1) {
        if (f == F_CONJ || f == F_RE) r1_math_iv_set(out, &x);
        else if (f == F_IM) r1_math_iv_set_si(out, 0);
        else if (f == F_FACT && mpfr_equal_p(x.lo, x.hi) && mpfr_integer_p(x.lo) && mpfr_sgn(x.lo) >= 0 && mpfr_cmp_ui(x.lo, 300) < 0) {
            r1_math_spend(c, 100);
            mpfr_fac_ui(out->lo, mpfr_get_ui(x.lo, MPFR_RNDN), MPFR_RNDD);
            mpfr_fac_ui(out->hi, mpfr_get_ui(x.lo, MPFR_RNDN), MPFR_RNDU);
        } else s = r1_math_iv_fn(c, f, out, &x);
    } else
        for (uint32_t i = 1; i < a->n && s == I_OK; i++) {
            s = r1_math_real(c, at, a->kid[i], &y);
            if (s == I_OK) s = two(c, f, &x, &y, out);
            if (s == I_OK) r1_math_iv_set(&x, out);
        }
    r1_math_iv_clear(&x);
    r1_math_iv_clear(&y);
    return s;
}

r1_iv_state r1_math_apply_real(r1_math_ctx *c, const r1_point *at, const r1_node *a, r1_iv *out)
{
    r1_iv x, u, w;
    mpfr_prec_t prec = prec_of(out);
    r1_math_iv_init(&x, prec);
    r1_math_iv_init(&u, prec);
    r1_math_iv_init(&w, prec);
    r1_iv_state s = I_OK;
    uint64_t h = r1_math_hash(a->name, a->n_name, c->seed + 77);
    for (uint32_t i = 0; i < a->n && s == I_OK; i++) { /* u = sum of w_i x_i; f = sin(u + w) + u / 3 */
        s = r1_math_real(c, at, a->kid[i], &x);
        mpq_t q;
        mpq_init(q);
        mpq_set_ui(q, (unsigned long)(r1_math_hash("w", 1, h + i) % 1000 + 200), 700);
        mpq_canonicalize(q);
        r1_math_iv_set_q(&w, q);
        mpq_clear(q);
        if (s == I_OK) s = r1_math_iv_mul(&x, &x, &w);
        if (s == I_OK) r1_math_iv_add(&u, &u, &x);
    }
    if (s == I_OK) {
        r1_math_iv_set_si(&w, (long)(h % 97) + 1);
        r1_math_iv_add(&x, &u, &w);
        s = r1_math_iv_fn(c, F_SIN, &x, &x);
        r1_math_iv_set_si(&w, 3);
        if (s == I_OK) s = r1_math_iv_div(&u, &u, &w);
        if (s == I_OK) r1_math_iv_add(out, &x, &u);
    }
    r1_math_iv_clear(&x);
    r1_math_iv_clear(&u);
    r1_math_iv_clear(&w);
    return s;
}

void r1_math_last_place(mpfr_t out, const r1_node *a, uint32_t digits)
{
    mpfr_t x;
    mpfr_init2(x, 128);
    mpfr_set_q(x, a->q, MPFR_RNDA);
    mpfr_abs(x, x, MPFR_RNDA);
    mpfr_set_zero(out, 1);
    if (!mpfr_zero_p(x)) {
        mpfr_log10(x, x, MPFR_RNDN);
        mpfr_floor(x, x);
        mpfr_sub_ui(x, x, digits - 1, MPFR_RNDN);
        mpfr_exp10(out, x, MPFR_RNDU);
    }
    mpfr_clear(x);
}

void r1_math_widen(r1_iv *out, const r1_node *a)
{
    mpfr_t ulp;
    mpfr_init2(ulp, 64);
    r1_math_last_place(ulp, a, a->digits ? a->digits : 1);
    mpfr_sub(out->lo, out->lo, ulp, MPFR_RNDD);
    mpfr_add(out->hi, out->hi, ulp, MPFR_RNDU);
    mpfr_clear(ulp);
}

r1_iv_state r1_math_real(r1_math_ctx *c, const r1_point *at, const r1_node *a, r1_iv *out)
{
    if (!r1_math_spend(c, 8 + (uint64_t)prec_of(out) / 64)) return I_NOT;
    switch ((r1_kind)a->kind) {
    case K_NUM:
        r1_math_iv_set_q(out, a->q);
        if (a->dotted || (c->fuzzy && a->digits >= R1_MATH_DECIMAL_DIGITS)) {
            if (!c->fuzzy) return I_NOT;
            r1_math_widen(out, a);
        }
        return I_OK;
    case K_PI: r1_math_iv_pi(out); return I_OK;
    case K_E: {
        r1_iv one;
        r1_math_iv_init(&one, prec_of(out));
        r1_math_iv_set_si(&one, 1);
        r1_iv_state s = r1_math_iv_fn(c, F_EXP, out, &one);
        r1_math_iv_clear(&one);
        return s;
    }
    case K_SYM:
        for (uint32_t i = 0; i < at->n; i++)
            if (r1_math_same(at->sym[i], a)) {
                r1_math_iv_set_q(out, at->value[i]);
                return I_OK;
            }
        return I_NOT;
    case K_ADD: return add(c, at, a, out);
    case K_MUL: return multiply(c, at, a, out);
    case K_POW: return power(c, at, a, out);
    case K_FUNC: return function(c, at, a, out);
    case K_APPLY: return r1_math_apply_real(c, at, a, out);
    default: return I_NOT;
    }
}
