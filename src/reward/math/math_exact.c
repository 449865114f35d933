/* math_exact: exact rational values of constant expressions.
 *
 * Every intermediate number is bounded (R1_MATH_BITS_MAX) and every operation is paid for by its size before it is done. What would
 * be larger is "no such value" here: modular and interval arithmetic may still decide. */
#include "reward/math/math_int.h"

#include <math.h>

static size_t limbs(mpq_srcptr q) { return mpz_size(mpq_numref(q)) + mpz_size(mpq_denref(q)); }
static size_t bits(mpq_srcptr q) { return r1_max(mpz_sizeinbase(mpq_numref(q), 2), mpz_sizeinbase(mpq_denref(q), 2)); }
static bool whole(mpq_srcptr q) { return mpz_cmp_ui(mpq_denref(q), 1) == 0; }

/* Paid before an operation on numbers of n limbs together; rationals cost a greatest common divisor. */
static bool pay(r1_math_ctx *c, size_t n, bool fraction) { return r1_math_spend(c, 4 + n + (fraction ? (uint64_t)n * n / 24 : (uint64_t)n * n / 200)); }

static r1_found power_z(r1_math_ctx *c, mpq_t out, mpq_srcptr base, mpz_srcptr e)
{
    if (mpz_sgn(e) == 0) {
        if (mpq_sgn(base) == 0) return FOUND_UNDEFINED;
        mpq_set_ui(out, 1, 1);
        return FOUND_VALUE;
    }
    if (mpq_sgn(base) == 0) {
        if (mpz_sgn(e) < 0) return FOUND_UNDEFINED;
        mpq_set_ui(out, 0, 1);
        return FOUND_VALUE;
    }
    if (mpq_cmp_ui(base, 1, 1) == 0 || mpq_cmp_si(base, -1, 1) == 0) {
        mpq_set_si(out, mpq_sgn(base) < 0 && mpz_odd_p(e) ? -1 : 1, 1);
        return FOUND_VALUE;
    }
    if (mpz_cmpabs_ui(e, R1_MATH_BITS_MAX) > 0) return FOUND_NOT;
    unsigned long k = mpz_get_ui(e);
    if ((double)k * (double)(bits(base) - (whole(base) ? 1 : 0)) > R1_MATH_BITS_MAX || !pay(c, k * bits(base) / 64, false)) return FOUND_NOT;
    mpq_t p;
    mpq_init(p);
    mpz_pow_ui(mpq_numref(p), mpq_numref(base), k);
    mpz_pow_ui(mpq_denref(p), mpq_denref(base), k);
    if (mpz_sgn(e) < 0) mpq_inv(p, p);
    mpq_swap(out, p);
    mpq_clear(p);
    return FOUND_VALUE;
}

/* out = the k-th root of x when it is rational. */
static r1_found root_of(r1_math_ctx *c, mpq_t out, mpq_srcptr x, unsigned long k)
{
    if (k == 0 || k > 1000) return FOUND_NOT;
    if (mpq_sgn(x) < 0 && k % 2 == 0) return FOUND_NOT;
    if (!pay(c, limbs(x) * 4, false)) return FOUND_NOT;
    mpq_t r;
    mpq_init(r);
    bool exact = mpz_root(mpq_numref(r), mpq_numref(x), k) != 0;
    exact = mpz_root(mpq_denref(r), mpq_denref(x), k) != 0 && exact;
    if (exact) mpq_swap(out, r);
    mpq_clear(r);
    return exact ? FOUND_VALUE : FOUND_NOT;
}

static r1_found power_q(r1_math_ctx *c, mpq_t out, mpq_srcptr base, mpq_srcptr e)
{
    if (whole(e)) return power_z(c, out, base, mpq_numref(e));
    if (!mpz_fits_ulong_p(mpq_denref(e))) return FOUND_NOT;
    mpq_t r;
    mpq_init(r);
    r1_found f = root_of(c, r, base, mpz_get_ui(mpq_denref(e)));
    if (f == FOUND_VALUE) f = power_z(c, out, r, mpq_numref(e));
    mpq_clear(r);
    return f;
}

static r1_found factorial(r1_math_ctx *c, mpq_t out, mpq_srcptr x, unsigned step)
{
    if (!whole(x)) return FOUND_NOT;
    if (mpq_sgn(x) < 0) return FOUND_UNDEFINED;
    if (mpz_cmp_ui(mpq_numref(x), 6000) > 0) return FOUND_NOT;
    unsigned long n = mpz_get_ui(mpq_numref(x));
    if (!pay(c, n / 4, false)) return FOUND_NOT;
    if (step == 1) mpz_fac_ui(mpq_numref(out), n);
    else mpz_2fac_ui(mpq_numref(out), n);
    mpz_set_ui(mpq_denref(out), 1);
    return FOUND_VALUE;
}

static r1_found binomial(r1_math_ctx *c, mpq_t out, mpq_srcptr n, mpq_srcptr k)
{
    if (!whole(n) || !whole(k)) return FOUND_NOT;
    if (mpq_sgn(n) < 0 || mpq_sgn(k) < 0) return FOUND_UNDEFINED;
    mpz_t rest, least;
    mpz_inits(rest, least, NULL);
    mpz_sub(rest, mpq_numref(n), mpq_numref(k));
    mpz_set(least, mpz_cmp(rest, mpq_numref(k)) < 0 ? rest : mpq_numref(k));
    r1_found f = FOUND_VALUE;
    if (mpz_sgn(rest) < 0) mpq_set_ui(out, 0, 1);
    else if (mpz_cmp_ui(least, 3000) > 0 || mpz_get_ui(least) * mpz_sizeinbase(mpq_numref(n), 2) > R1_MATH_BITS_MAX || !pay(c, mpz_get_ui(least) + 16, false))
        f = FOUND_NOT;
    else {
        mpz_bin_ui(mpq_numref(out), mpq_numref(n), mpz_get_ui(least));
        mpz_set_ui(mpq_denref(out), 1);
    }
    mpz_clears(rest, least, NULL);
    return f;
}

/* log_b x when it is a small rational: a guess in floating point, checked exactly. */
static r1_found logarithm(r1_math_ctx *c, mpq_t out, mpq_srcptr b, mpq_srcptr x)
{
    if (mpq_sgn(x) <= 0 || mpq_sgn(b) <= 0 || mpq_cmp_ui(b, 1, 1) == 0) return FOUND_UNDEFINED;
    if (limbs(x) + limbs(b) > 64) return FOUND_NOT;
    long ex, en, bx, bn;
    double xn = mpz_get_d_2exp(&ex, mpq_numref(x)), xd = mpz_get_d_2exp(&en, mpq_denref(x));
    double nb = mpz_get_d_2exp(&bx, mpq_numref(b)), db = mpz_get_d_2exp(&bn, mpq_denref(b));
    double lx = log2(xn / xd) + (double)(ex - en), lb = log2(nb / db) + (double)(bx - bn), guess = lx / lb;
    r1_found f = FOUND_NOT;
    if (!isfinite(guess) || fabs(guess) > 4000) return FOUND_NOT;
    mpq_t left, right;
    mpq_inits(left, right, NULL);
    for (unsigned long d = 1; d <= 12 && f == FOUND_NOT; d++) {
        double k = nearbyint(guess * (double)d);
        if (fabs(k - guess * (double)d) > 1e-6) continue;
        mpz_t e;
        mpz_init_set_si(e, (long)k);
        r1_found g = power_z(c, left, b, e); /* b^k = x^d */
        mpz_set_ui(e, d);
        if (g == FOUND_VALUE) g = power_z(c, right, x, e);
        if (g == FOUND_VALUE && mpq_equal(left, right)) {
            mpq_set_si(out, (long)k, d);
            mpq_canonicalize(out);
            f = FOUND_VALUE;
        }
        mpz_clear(e);
    }
    mpq_clears(left, right, NULL);
    return f;
}

static r1_found two_arguments(r1_math_ctx *c, r1_func f, mpq_t out, mpq_srcptr a, mpq_srcptr b)
{
    bool both = whole(a) && whole(b);
    switch (f) {
    case F_MAX: mpq_set(out, mpq_cmp(a, b) > 0 ? a : b); return FOUND_VALUE;
    case F_MIN: mpq_set(out, mpq_cmp(a, b) < 0 ? a : b); return FOUND_VALUE;
    case F_GCD: case F_LCM:
        if (!both || !pay(c, limbs(a) + limbs(b), true)) return FOUND_NOT;
        if (f == F_GCD) mpz_gcd(mpq_numref(out), mpq_numref(a), mpq_numref(b));
        else mpz_lcm(mpq_numref(out), mpq_numref(a), mpq_numref(b));
        mpz_set_ui(mpq_denref(out), 1);
        return FOUND_VALUE;
    case F_MOD:
        if (!both || !pay(c, limbs(a) + limbs(b), true)) return FOUND_NOT;
        if (mpq_sgn(b) == 0) return FOUND_UNDEFINED;
        mpz_mod(mpq_numref(out), mpq_numref(a), mpq_numref(b));
        mpz_set_ui(mpq_denref(out), 1);
        return FOUND_VALUE;
    case F_BINOM: return binomial(c, out, a, b);
    case F_LOG: return logarithm(c, out, a, b);
    case F_ROOT: return whole(b) && mpq_sgn(b) > 0 && mpz_fits_ulong_p(mpq_numref(b)) ? root_of(c, out, a, mpz_get_ui(mpq_numref(b))) : FOUND_NOT;
    default: return FOUND_NOT;
    }
}

static r1_found one_argument(r1_math_ctx *c, r1_func f, mpq_t out, mpq_srcptr a)
{
    mpq_t ten;
    switch (f) {
    case F_SQRT: return root_of(c, out, a, 2);
    case F_ABS: case F_CONJ: case F_RE:
        mpq_set(out, a);
        if (f == F_ABS) mpq_abs(out, out);
        return FOUND_VALUE;
    case F_IM: mpq_set_ui(out, 0, 1); return FOUND_VALUE;
    case F_SGN: mpq_set_si(out, mpq_sgn(a), 1); return FOUND_VALUE;
    case F_FLOOR: case F_CEIL: {
        mpz_t z;
        mpz_init(z);
        if (f == F_FLOOR) mpz_fdiv_q(z, mpq_numref(a), mpq_denref(a));
        else mpz_cdiv_q(z, mpq_numref(a), mpq_denref(a));
        mpq_set_z(out, z);
        mpz_clear(z);
        return FOUND_VALUE;
    }
    case F_FACT: return factorial(c, out, a, 1);
    case F_FACT2: return factorial(c, out, a, 2);
    case F_EXP: if (mpq_sgn(a)) return FOUND_NOT; mpq_set_ui(out, 1, 1); return FOUND_VALUE;
    case F_LN: if (mpq_cmp_ui(a, 1, 1)) return mpq_sgn(a) ? FOUND_NOT : FOUND_UNDEFINED; mpq_set_ui(out, 0, 1); return FOUND_VALUE;
    case F_LOG10: {
        mpq_init(ten);
        mpq_set_ui(ten, 10, 1);
        r1_found g = mpq_sgn(a) > 0 ? logarithm(c, out, ten, a) : mpq_sgn(a) ? FOUND_NOT : FOUND_UNDEFINED;
        mpq_clear(ten);
        return g;
    }
    case F_SIN: case F_TAN: case F_ASIN: case F_ATAN: case F_SINH: case F_TANH:
        if (mpq_sgn(a)) return FOUND_NOT;
        mpq_set_ui(out, 0, 1);
        return FOUND_VALUE;
    case F_COS: case F_COSH: case F_SEC:
        if (mpq_sgn(a)) return FOUND_NOT;
        mpq_set_ui(out, 1, 1);
        return FOUND_VALUE;
    default: return FOUND_NOT;
    }
}

/* Kids from 0 on, folded with f. */
static r1_found fold(r1_math_ctx *c, const r1_node *a, mpq_t out)
{
    mpq_t x, y;
    mpq_inits(x, y, NULL);
    r1_found f = a->n ? r1_math_rational(c, a->kid[0], x) : FOUND_NOT;
    for (uint32_t i = 1; i < a->n && f == FOUND_VALUE; i++) {
        f = r1_math_rational(c, a->kid[i], y);
        size_t n = limbs(x) + limbs(y);
        bool fraction = !whole(x) || !whole(y);
        if (f != FOUND_VALUE) break;
        if (bits(x) + bits(y) > 2 * R1_MATH_BITS_MAX || !pay(c, n, fraction)) f = FOUND_NOT;
        else if (a->kind == K_ADD) mpq_add(x, x, y);
        else if (a->kind == K_MUL) mpq_mul(x, x, y);
        else {
            mpq_t z;
            mpq_init(z);
            f = two_arguments(c, (r1_func)a->op, z, x, y);
            mpq_swap(x, z);
            mpq_clear(z);
        }
        if (bits(x) > R1_MATH_BITS_MAX) f = FOUND_NOT;
    }
    if (f == FOUND_VALUE) mpq_swap(out, x);
    mpq_clears(x, y, NULL);
    return f;
}

r1_found r1_math_rational(r1_math_ctx *c, const r1_node *a, mpq_t out)
{
    if (!r1_math_spend(c, 3)) return FOUND_NOT;
    switch ((r1_kind)a->kind) {
    case K_NUM:
        if (a->dotted) return FOUND_NOT;
        mpq_set(out, a->q);
        return FOUND_VALUE;
    case K_ADD: case K_MUL: return fold(c, a, out);
    case K_POW: {
        mpq_t x, e;
        mpq_inits(x, e, NULL);
        r1_found f = r1_math_rational(c, a->kid[0], x);
        if (f == FOUND_VALUE) f = r1_math_rational(c, a->kid[1], e);
        if (f == FOUND_VALUE) f = power_q(c, out, x, e);
        mpq_clears(x, e, NULL);
        return f;
    }
    case K_FUNC: {
        if (a->op == F_SUM || a->op == F_PROD) {
            r1_node *u = r1_math_unroll(c, a);
            return u ? r1_math_rational(c, u, out) : FOUND_NOT;
        }
        if (a->n > 1) return fold(c, a, out);
        mpq_t x;
        mpq_init(x);
        r1_found f = r1_math_rational(c, a->kid[0], x);
        if (f == FOUND_VALUE) f = one_argument(c, (r1_func)a->op, out, x);
        mpq_clear(x);
        return f;
    }
    default: return FOUND_NOT;
    }
}

static bool power_of_ten(const r1_node *a)
{
    return a->kind == K_POW && a->kid[0]->kind == K_NUM && mpq_cmp_ui(a->kid[0]->q, 10, 1) == 0 && a->kid[1]->kind == K_NUM && whole(a->kid[1]->q);
}

uint32_t r1_math_decimal_digits(const r1_node *a)
{
    if (a->kind == K_NUM) return a->digits;
    if (a->kind != K_MUL) return 0;
    uint32_t digits = 0;
    for (uint32_t i = 0; i < a->n; i++) {
        const r1_node *k = a->kid[i];
        if (k->kind == K_NUM && k->digits && !digits) digits = k->digits;
        else if (!power_of_ten(k) && !(k->kind == K_NUM && mpz_cmpabs_ui(mpq_numref(k->q), 1) == 0 && whole(k->q))) return 0;
    }
    return digits;
}
