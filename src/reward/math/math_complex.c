/* math_complex: expressions over the complex numbers, as rectangles at a point.
 *
 * Used where i is written, or where the reals have no value. Functions of several values are principal: an enclosure that
 * touches the cut of the logarithm without lying on it is vague. A value whose imaginary part is exactly 0 goes the way of the reals. */
#include "reward/math/math_interval.h"

static mpfr_prec_t prec_of(const r1_cv *a) { return mpfr_get_prec(a->re.lo); }
static bool is_zero(const r1_iv *a) { return mpfr_zero_p(a->lo) && mpfr_zero_p(a->hi); }

void r1_math_cv_init(r1_cv *a, mpfr_prec_t prec)
{
    r1_math_iv_init(&a->re, prec);
    r1_math_iv_init(&a->im, prec);
}

void r1_math_cv_clear(r1_cv *a)
{
    r1_math_iv_clear(&a->re);
    r1_math_iv_clear(&a->im);
}

static void set(r1_cv *out, const r1_cv *a)
{
    r1_math_iv_set(&out->re, &a->re);
    r1_math_iv_set(&out->im, &a->im);
}

static void set_si(r1_cv *out, long re, long im)
{
    r1_math_iv_set_si(&out->re, re);
    r1_math_iv_set_si(&out->im, im);
}

static r1_iv_state mul(r1_cv *out, const r1_cv *a, const r1_cv *b)
{
    r1_iv x, y;
    r1_cv r;
    mpfr_prec_t prec = prec_of(out);
    r1_math_iv_init(&x, prec);
    r1_math_iv_init(&y, prec);
    r1_math_cv_init(&r, prec);
    r1_iv_state s = r1_math_iv_mul(&x, &a->re, &b->re);
    if (s == I_OK) s = r1_math_iv_mul(&y, &a->im, &b->im);
    if (s == I_OK) r1_math_iv_sub(&r.re, &x, &y);
    if (s == I_OK) s = r1_math_iv_mul(&x, &a->re, &b->im);
    if (s == I_OK) s = r1_math_iv_mul(&y, &a->im, &b->re);
    if (s == I_OK) r1_math_iv_add(&r.im, &x, &y);
    if (s == I_OK) set(out, &r);
    r1_math_iv_clear(&x);
    r1_math_iv_clear(&y);
    r1_math_cv_clear(&r);
    return s;
}

/* |a|^2 */
static r1_iv_state norm(r1_math_ctx *c, r1_iv *out, const r1_cv *a)
{
    mpz_t e;
    r1_iv y;
    mpz_init_set_ui(e, 2);
    r1_math_iv_init(&y, mpfr_get_prec(out->lo));
    r1_iv_state s = r1_math_iv_pow_z(c, out, &a->re, e);
    if (s == I_OK) s = r1_math_iv_pow_z(c, &y, &a->im, e);
    if (s == I_OK) r1_math_iv_add(out, out, &y);
    mpz_clear(e);
    r1_math_iv_clear(&y);
    return s;
}

static r1_iv_state divide(r1_math_ctx *c, r1_cv *out, const r1_cv *a, const r1_cv *b)
{
    r1_iv n;
    r1_cv conj;
    r1_math_iv_init(&n, prec_of(out));
    r1_math_cv_init(&conj, prec_of(out));
    r1_math_iv_set(&conj.re, &b->re);
    r1_math_iv_neg(&conj.im, &b->im);
    r1_iv_state s = norm(c, &n, b);
    if (s == I_OK) s = mul(out, a, &conj);
    if (s == I_OK) s = r1_math_iv_div(&out->re, &out->re, &n);
    if (s == I_OK) s = r1_math_iv_div(&out->im, &out->im, &n);
    r1_math_iv_clear(&n);
    r1_math_cv_clear(&conj);
    return s;
}

static r1_iv_state argument(r1_math_ctx *c, r1_iv *out, const r1_cv *a)
{
    r1_iv t;
    r1_math_iv_init(&t, mpfr_get_prec(out->lo));
    r1_iv_state s = I_OK;
    int sign = r1_math_iv_sign(&a->im);
    if (is_zero(&a->im) && r1_math_iv_sign(&a->re)) {
        if (r1_math_iv_sign(&a->re) < 0) r1_math_iv_pi(out);
        else r1_math_iv_set_si(out, 0);
    } else if (sign) { /* +-pi/2 - atan(re / im) */
        s = r1_math_iv_div(&t, &a->re, &a->im);
        if (s == I_OK) s = r1_math_iv_fn(c, F_ATAN, &t, &t);
        r1_math_iv_pi(out);
        mpfr_div_2ui(out->lo, out->lo, 1, MPFR_RNDD);
        mpfr_div_2ui(out->hi, out->hi, 1, MPFR_RNDU);
        if (sign < 0) r1_math_iv_neg(out, out);
        if (s == I_OK) r1_math_iv_sub(out, out, &t);
    } else if (r1_math_iv_sign(&a->re) > 0) {
        s = r1_math_iv_div(&t, &a->im, &a->re);
        if (s == I_OK) s = r1_math_iv_fn(c, F_ATAN, out, &t);
    } else s = is_zero(&a->re) && is_zero(&a->im) ? I_OUTSIDE : I_VAGUE;
    r1_math_iv_clear(&t);
    return s;
}

static r1_iv_state logarithm(r1_math_ctx *c, r1_cv *out, const r1_cv *a)
{
    r1_iv n, arg;
    r1_math_iv_init(&n, prec_of(out));
    r1_math_iv_init(&arg, prec_of(out));
    r1_iv_state s = norm(c, &n, a);
    if (s == I_OK) s = r1_math_iv_fn(c, F_LN, &n, &n);
    if (s == I_OK) s = argument(c, &arg, a);
    if (s == I_OK) {
        mpfr_div_2ui(out->re.lo, n.lo, 1, MPFR_RNDD);
        mpfr_div_2ui(out->re.hi, n.hi, 1, MPFR_RNDU);
        r1_math_iv_set(&out->im, &arg);
    }
    r1_math_iv_clear(&n);
    r1_math_iv_clear(&arg);
    return s;
}

/* re = f(a.re) g(a.im), im = h(a.re) k(a.im) */
static r1_iv_state pairs(r1_math_ctx *c, r1_cv *out, const r1_cv *a, const r1_func f[4])
{
    r1_iv x[4];
    r1_iv_state s = I_OK;
    for (int i = 0; i < 4; i++) {
        r1_math_iv_init(&x[i], prec_of(out));
        if (s == I_OK) s = r1_math_iv_fn(c, f[i], &x[i], i % 2 ? &a->im : &a->re);
    }
    if (s == I_OK) s = r1_math_iv_mul(&out->re, &x[0], &x[1]);
    if (s == I_OK) s = r1_math_iv_mul(&out->im, &x[2], &x[3]);
    for (int i = 0; i < 4; i++) r1_math_iv_clear(&x[i]);
    return s;
}

static r1_iv_state exponential(r1_math_ctx *c, r1_cv *out, const r1_cv *a)
{
    static const r1_func f[4] = { F_EXP, F_COS, F_EXP, F_SIN };
    return pairs(c, out, a, f);
}

static r1_iv_state sine(r1_math_ctx *c, r1_cv *out, const r1_cv *a, bool is_sin)
{
    static const r1_func s[4] = { F_SIN, F_COSH, F_COS, F_SINH }, k[4] = { F_COS, F_COSH, F_SIN, F_SINH };
    r1_iv_state state = pairs(c, out, a, is_sin ? s : k);
    if (state == I_OK && !is_sin) r1_math_iv_neg(&out->im, &out->im);
    return state;
}

static r1_iv_state power_z(r1_math_ctx *c, r1_cv *out, const r1_cv *a, mpz_srcptr e)
{
    r1_cv r, b;
    unsigned long n = mpz_get_ui(e);
    if (mpz_cmpabs_ui(e, 4096) > 0) return I_NOT;
    r1_math_cv_init(&r, prec_of(out));
    r1_math_cv_init(&b, prec_of(out));
    set_si(&r, 1, 0);
    set(&b, a);
    r1_iv_state s = I_OK;
    for (; n && s == I_OK; n >>= 1) {
        if (n & 1) s = mul(&r, &r, &b);
        if (s == I_OK && n > 1) s = mul(&b, &b, &b);
        if (!r1_math_spend(c, 100)) s = I_NOT;
    }
    if (s == I_OK && mpz_sgn(e) < 0) {
        set_si(&b, 1, 0);
        s = divide(c, &r, &b, &r);
    }
    if (s == I_OK) set(out, &r);
    r1_math_cv_clear(&r);
    r1_math_cv_clear(&b);
    return s;
}

/* The principal power. */
static r1_iv_state power(r1_math_ctx *c, r1_cv *out, const r1_cv *a, const r1_cv *e)
{
    r1_cv t;
    if (is_zero(&a->re) && is_zero(&a->im)) {
        if (r1_math_iv_sign(&e->re) <= 0) return I_OUTSIDE;
        set_si(out, 0, 0);
        return I_OK;
    }
    r1_math_cv_init(&t, prec_of(out));
    r1_iv_state s = logarithm(c, &t, a);
    if (s == I_OK) s = mul(&t, &t, e);
    if (s == I_OK) s = exponential(c, out, &t);
    r1_math_cv_clear(&t);
    return s;
}

static r1_iv_state root(r1_math_ctx *c, r1_cv *out, const r1_cv *a, mpq_srcptr index)
{
    bool small = mpz_cmp_ui(mpq_denref(index), 1) == 0 && mpz_cmp_ui(mpq_numref(index), 1000) <= 0 && mpq_sgn(index) > 0;
    if (small && is_zero(&a->im) && mpfr_sgn(a->re.lo) >= 0) {
        r1_math_iv_set_si(&out->im, 0);
        return r1_math_iv_root(c, &out->re, &a->re, mpz_get_ui(mpq_numref(index)));
    }
    if (small && mpz_cmp_ui(mpq_numref(index), 2) == 0 && is_zero(&a->im) && mpfr_sgn(a->re.hi) <= 0) {
        r1_iv minus;
        r1_math_iv_init(&minus, prec_of(out));
        r1_math_iv_neg(&minus, &a->re);
        r1_iv_state s = r1_math_iv_root(c, &out->im, &minus, 2);
        r1_math_iv_set_si(&out->re, 0);
        r1_math_iv_clear(&minus);
        return s;
    }
    if (mpq_sgn(index) == 0) return I_OUTSIDE;
    r1_cv e;
    mpq_t inverse;
    mpq_init(inverse);
    mpq_inv(inverse, index);
    r1_math_cv_init(&e, prec_of(out));
    r1_math_iv_set_q(&e.re, inverse);
    mpq_clear(inverse);
    r1_iv_state s = power(c, out, a, &e);
    r1_math_cv_clear(&e);
    return s;
}

static r1_iv_state absolute(r1_math_ctx *c, r1_iv *out, const r1_cv *a)
{
    r1_iv_state s = norm(c, out, a);
    return s == I_OK ? r1_math_iv_root(c, out, out, 2) : s;
}

static r1_iv_state one_argument(r1_math_ctx *c, r1_func f, r1_cv *out, const r1_cv *a)
{
    r1_cv x, y;
    r1_iv_state s = I_OK;
    switch (f) {
    case F_CONJ:
        r1_math_iv_set(&out->re, &a->re);
        r1_math_iv_neg(&out->im, &a->im);
        return I_OK;
    case F_RE: case F_IM:
        r1_math_iv_set(&out->re, f == F_RE ? &a->re : &a->im);
        r1_math_iv_set_si(&out->im, 0);
        return I_OK;
    case F_ABS: s = absolute(c, &out->re, a); r1_math_iv_set_si(&out->im, 0); return s;
    case F_ARG: s = argument(c, &out->re, a); r1_math_iv_set_si(&out->im, 0); return s;
    case F_EXP: return exponential(c, out, a);
    case F_LN: return logarithm(c, out, a);
    case F_SIN: case F_COS: return sine(c, out, a, f == F_SIN);
    case F_TAN:
        r1_math_cv_init(&x, prec_of(out));
        r1_math_cv_init(&y, prec_of(out));
        s = sine(c, &x, a, true);
        if (s == I_OK) s = sine(c, &y, a, false);
        if (s == I_OK) s = divide(c, out, &x, &y);
        r1_math_cv_clear(&x);
        r1_math_cv_clear(&y);
        return s;
    default: return I_NOT;
    }
}

static r1_iv_state function(r1_math_ctx *c, const r1_point *at, const r1_node *a, r1_cv *out)
{
    r1_cv x;
    mpq_t index;
    r1_func f = (r1_func)a->op;
    if (f == F_SUM || f == F_PROD) {
        r1_node *u = r1_math_unroll(c, a);
        return u ? r1_math_complex(c, at, u, out) : I_NOT;
    }
    mpq_init(index);
    mpq_set_ui(index, 2, 1);
    r1_math_cv_init(&x, prec_of(out));
    r1_iv_state s = r1_math_complex(c, at, a->kid[0], &x);
    bool is_root = f == F_SQRT || (f == F_ROOT && r1_math_rational(c, a->kid[1], index) == FOUND_VALUE);
    if (s != I_OK) {
    } else if (is_root) s = root(c, out, &x, index);
    else if (is_zero(&x.im) && f != F_ARG && !(f == F_LN && mpfr_sgn(x.re.lo) <= 0)) { /* as a real function, where that is defined */
        bool plain = true;
        for (uint32_t i = 0; i < a->n; i++) plain = plain && !r1_math_has(a->kid[i], K_I);
        r1_math_iv_set_si(&out->im, 0);
        if (f == F_CONJ || f == F_RE) r1_math_iv_set(&out->re, &x.re);
        else if (f == F_IM) r1_math_iv_set_si(&out->re, 0);
        else if (a->n == 1 && f != F_DEGREE) s = r1_math_iv_fn(c, f, &out->re, &x.re);
        else s = plain ? r1_math_real(c, at, a, &out->re) : I_NOT;
    } else if (a->n == 1) s = one_argument(c, f, out, &x);
    else s = I_NOT;
    r1_math_cv_clear(&x);
    mpq_clear(index);
    return s;
}

static r1_iv_state power_node(r1_math_ctx *c, const r1_point *at, const r1_node *a, r1_cv *out)
{
    r1_cv x, e;
    mpq_t q;
    mpq_init(q);
    r1_math_cv_init(&x, prec_of(out));
    r1_math_cv_init(&e, prec_of(out));
    r1_iv_state s = I_OK;
    bool known = !r1_math_has(a->kid[1], K_SYM) && r1_math_rational(c, a->kid[1], q) == FOUND_VALUE;
    if (a->kid[0]->kind == K_E) {
        s = r1_math_complex(c, at, a->kid[1], &e);
        if (s == I_OK) s = exponential(c, out, &e);
    } else {
        s = r1_math_complex(c, at, a->kid[0], &x);
        if (s == I_OK && known && mpz_cmp_ui(mpq_denref(q), 1) == 0 && mpz_cmpabs_ui(mpq_numref(q), 4096) <= 0) s = power_z(c, out, &x, mpq_numref(q));
        else if (s == I_OK && known && mpz_cmp_ui(mpq_numref(q), 1) == 0) {
            mpq_inv(q, q);
            s = root(c, out, &x, q);
        } else if (s == I_OK) {
            s = r1_math_complex(c, at, a->kid[1], &e);
            if (s == I_OK) s = power(c, out, &x, &e);
        }
    }
    mpq_clear(q);
    r1_math_cv_clear(&x);
    r1_math_cv_clear(&e);
    return s;
}

r1_iv_state r1_math_complex(r1_math_ctx *c, const r1_point *at, const r1_node *a, r1_cv *out)
{
    if (!r1_math_spend(c, 16 + (uint64_t)prec_of(out) / 32)) return I_NOT;
    switch ((r1_kind)a->kind) {
    case K_I: set_si(out, 0, 1); return I_OK;
    case K_SYM:
        for (uint32_t i = 0; i < at->n; i++)
            if (r1_math_same(at->sym[i], a)) {
                r1_math_iv_set_q(&out->re, at->value[i]);
                r1_math_iv_set_q(&out->im, at->imag[i]);
                return I_OK;
            }
        return I_NOT;
    case K_ADD: case K_MUL: {
        r1_cv x, sum;
        r1_math_cv_init(&x, prec_of(out));
        r1_math_cv_init(&sum, prec_of(out));
        set_si(&sum, a->kind == K_MUL, 0);
        r1_iv_state s = I_OK;
        mpfr_exp_t top = MPFR_EMIN_DEFAULT / 2;
        for (uint32_t i = 0; i < a->n && s == I_OK; i++) {
            s = r1_math_complex(c, at, a->kid[i], &x);
            if (s != I_OK) break;
            if (a->kind == K_MUL) s = mul(&sum, &sum, &x);
            else {
                mpfr_exp_t e = r1_math_iv_exponent(&x.re), m = r1_math_iv_exponent(&x.im);
                e = e > m ? e : m;
                r1_math_iv_note_small(c, &x.re, top > e ? top : e);
                r1_math_iv_note_small(c, &x.im, top > e ? top : e);
                top = e > top ? e : top;
                r1_math_iv_add(&sum.re, &sum.re, &x.re);
                r1_math_iv_add(&sum.im, &sum.im, &x.im);
            }
        }
        if (s == I_OK) set(out, &sum);
        r1_math_cv_clear(&x);
        r1_math_cv_clear(&sum);
        return s;
    }
    case K_POW: return power_node(c, at, a, out);
    case K_FUNC: return function(c, at, a, out);
    default:
        r1_math_iv_set_si(&out->im, 0);
        return r1_math_real(c, at, a, &out->re);
    }
}
