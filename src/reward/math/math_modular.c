/* math_modular: rational functions compared at random points modulo random primes; and a bound below which radicals are zero.
 *
 * Two different rational functions of small degree agree at a random point modulo a random prime of 61 bits with a chance of about
 * degree / 2^61, and three rounds must agree. Points and primes follow from a hash of both texts, so that a text cannot be made to
 * fit them. Exponents may be huge: they are reduced modulo the prime less one. */
#include "reward/math/math_int.h"
#include "reward/math/math_hash.h"

#include <math.h>

typedef struct field { r1_math_ctx *c; uint64_t p, seed, i; } field; /* i: a root of -1 */
typedef enum modular { M_OK, M_POLE, M_NOT } modular;

static uint64_t mul(const field *f, uint64_t a, uint64_t b) { return (uint64_t)((unsigned __int128)a * b % f->p); }

static uint64_t power(const field *f, uint64_t a, uint64_t e)
{
    uint64_t r = 1;
    for (; e; e >>= 1, a = mul(f, a, a))
        if (e & 1) r = mul(f, r, a);
    return r;
}

static uint64_t residue(const field *f, mpz_srcptr z)
{
    uint64_t r = mpz_fdiv_ui(z, f->p);
    return r;
}

static modular rational(const field *f, mpq_srcptr q, uint64_t *out)
{
    uint64_t d = residue(f, mpq_denref(q));
    r1_math_spend(f->c, mpz_size(mpq_numref(q)) + mpz_size(mpq_denref(q)) + 60);
    if (!d) return M_POLE;
    *out = mul(f, residue(f, mpq_numref(q)), power(f, d, f->p - 2));
    return M_OK;
}

static modular eval(const field *f, const r1_node *a, uint64_t *out);

static modular eval_power(const field *f, const r1_node *a, uint64_t *out)
{
    mpq_t e;
    mpq_init(e);
    modular m = M_NOT;
    uint64_t x;
    if (r1_math_rational(f->c, a->kid[1], e) == FOUND_VALUE && mpz_cmp_ui(mpq_denref(e), 1) == 0) {
        m = eval(f, a->kid[0], &x);
        if (m == M_OK && x == 0) {
            m = mpz_sgn(mpq_numref(e)) > 0 ? M_OK : M_POLE;
            *out = 0;
        } else if (m == M_OK) {
            uint64_t k = mpz_fdiv_ui(mpq_numref(e), f->p - 1);
            r1_math_spend(f->c, 60);
            *out = power(f, x, k);
        }
    }
    mpq_clear(e);
    return m;
}

static modular eval(const field *f, const r1_node *a, uint64_t *out)
{
    if (!r1_math_spend(f->c, 3)) return M_NOT;
    uint64_t x;
    switch ((r1_kind)a->kind) {
    case K_NUM: return a->dotted ? M_NOT : rational(f, a->q, out);
    case K_I: *out = f->i; return M_OK;
    case K_SYM:
        *out = r1_math_hash(a->name, a->n_name, f->seed) % f->p;
        return M_OK;
    case K_ADD: case K_MUL:
        *out = a->kind == K_MUL;
        for (uint32_t i = 0; i < a->n; i++) {
            modular m = eval(f, a->kid[i], &x);
            if (m != M_OK) return m;
            if (a->kind == K_MUL) *out = mul(f, *out, x);
            else *out = (*out + x) % f->p;
        }
        return M_OK;
    case K_POW: return eval_power(f, a, out);
    default: {
        mpq_t q;
        mpq_init(q);
        modular m = r1_math_rational(f->c, a, q) == FOUND_VALUE ? rational(f, q, out) : M_NOT;
        mpq_clear(q);
        return m;
    }
    }
}

/* A prime that is 1 modulo 4, so that -1 has a root and complex rationals have a place in the field too. */
static void field_init(field *f, r1_math_ctx *c, unsigned round)
{
    mpz_t z;
    f->c = c;
    f->seed = r1_math_hash("", 0, c->seed + round);
    mpz_init(z);
    mpz_set_ui(z, (f->seed >> 3 | (uint64_t)1 << 60) & (((uint64_t)1 << 61) - 1));
    do mpz_nextprime(z, z);
    while (r1_math_spend(c, 3000) && mpz_fdiv_ui(z, 4) != 1);
    f->p = mpz_get_ui(z);
    f->i = 0;
    mpz_clear(z);
    for (uint64_t g = 2; g < 200 && !f->i; g++) {
        uint64_t r = power(f, g, (f->p - 1) / 4);
        if (mul(f, r, r) == f->p - 1) f->i = r;
    }
}

int r1_math_modular_equal(r1_math_ctx *c, const r1_node *a, const r1_node *b)
{
    int rounds = 0;
    for (unsigned k = 0; k < 6 && rounds < 3 && !c->over; k++) {
        field f;
        uint64_t x, y;
        field_init(&f, c, k);
        modular m = eval(&f, a, &x);
        if (m == M_NOT) return -1;
        modular n = eval(&f, b, &y);
        if (n == M_NOT) return -1;
        if (m == M_POLE || n == M_POLE) continue;
        if (x != y) return 0;
        rounds++;
    }
    return rounds == 3 && !c->over ? 1 : -1;
}

int r1_math_modular_proportional(r1_math_ctx *c, const r1_node *a, const r1_node *b)
{
    int rounds = 0;
    for (unsigned k = 0; k < 6 && rounds < 3 && !c->over; k++) {
        field f, g;
        uint64_t xa, xb, ya, yb;
        field_init(&f, c, k);
        g = f;
        g.seed = r1_math_hash("other", 5, f.seed);
        modular m[4] = { eval(&f, a, &xa), eval(&f, b, &xb), eval(&g, a, &ya), eval(&g, b, &yb) };
        for (int i = 0; i < 4; i++)
            if (m[i] == M_NOT) return -1;
        if (m[0] || m[1] || m[2] || m[3]) continue;
        if (!xa || !xb || !ya || !yb) return xa == 0 && xb == 0 && ya == 0 && yb == 0 ? -1 : 0; /* an identity is no equation */
        if (mul(&f, xa, yb) != mul(&f, ya, xb)) return 0;
        rounds++;
    }
    return rounds == 3 && !c->over ? 1 : -1;
}

/* ---- radicals ---------------------------------------------------------------------------------------------------- */

/* After Burnikel, Fleischer, Mehlhorn, Schirra (2001): a radical expression over integers is a quotient of algebraic integers u / l
 * in size, and is 0 or at least 1 / (u^(D-1) l), D the product of the degrees of its different roots. Logarithms to base 2. */
typedef struct size { double u, l; } size;
enum { ROOTS_MAX = 10 };
typedef struct radicals { r1_math_ctx *c; const r1_node *root[ROOTS_MAX]; double degree; unsigned n; bool ok; } radicals;

static size of(radicals *r, const r1_node *a);

static size sum(size a, size b) { return (size){ fmax(a.u + b.l, a.l + b.u) + 1, a.l + b.l }; }
static size product(size a, size b) { return (size){ a.u + b.u, a.l + b.l }; }

static size root_size(radicals *r, const r1_node *whole, size x, double k)
{
    bool known = false;
    for (unsigned i = 0; i < r->n && !known; i++) known = r1_math_same(r->root[i], whole);
    if (!known) {
        if (r->n == ROOTS_MAX) r->ok = false;
        else r->root[r->n++] = whole;
        r->degree *= k;
    }
    if (x.u >= x.l) return (size){ (x.u + x.l * (k - 1)) / k, x.l };
    return (size){ x.u, (x.u * (k - 1) + x.l) / k };
}

static size of_rational(radicals *r, mpq_srcptr q)
{
    (void)r;
    return (size){ (double)mpz_sizeinbase(mpq_numref(q), 2), (double)mpz_sizeinbase(mpq_denref(q), 2) };
}

static size of_power(radicals *r, const r1_node *a)
{
    const r1_node *e = a->kid[1];
    size x = of(r, a->kid[0]);
    if (e->kind != K_NUM || mpz_cmpabs_ui(mpq_numref(e->q), 64) > 0 || mpz_cmp_ui(mpq_denref(e->q), 64) > 0) {
        mpq_t q; /* an exponent such as 1/2, written as a product */
        mpq_init(q);
        r1_found f = r1_math_rational(r->c, e, q);
        double k = mpz_get_d(mpq_numref(q)), d = mpz_get_d(mpq_denref(q));
        mpq_clear(q);
        if (f != FOUND_VALUE || fabs(k) > 64 || d > 64) {
            r->ok = false;
            return x;
        }
        size y = { x.u * fabs(k), x.l * fabs(k) };
        if (k < 0) y = (size){ y.l, y.u };
        return d > 1 ? root_size(r, a, y, d) : y;
    }
    double k = mpz_get_d(mpq_numref(e->q)), d = mpz_get_d(mpq_denref(e->q));
    size y = { x.u * fabs(k), x.l * fabs(k) };
    if (k < 0) y = (size){ y.l, y.u };
    return d > 1 ? root_size(r, a, y, d) : y;
}

static size of(radicals *r, const r1_node *a)
{
    size x = { 0, 0 };
    if (!r1_math_spend(r->c, 5)) r->ok = false;
    if (!r->ok) return x;
    if (a->kind == K_NUM && !a->dotted) return of_rational(r, a->q);
    if ((a->kind == K_ADD || a->kind == K_MUL) && a->n) {
        x = of(r, a->kid[0]);
        for (uint32_t i = 1; i < a->n && r->ok; i++) x = a->kind == K_ADD ? sum(x, of(r, a->kid[i])) : product(x, of(r, a->kid[i]));
        return x;
    }
    if (a->kind == K_POW && a->kid[0]->kind == K_NUM) { /* 10^{-90} */
        mpq_t q;
        mpq_init(q);
        bool known = r1_math_rational(r->c, a, q) == FOUND_VALUE;
        if (known) x = of_rational(r, q);
        mpq_clear(q);
        if (known) return x;
    }
    if (a->kind == K_POW) return of_power(r, a);
    if (a->kind == K_FUNC && a->op == F_SQRT) return root_size(r, a, of(r, a->kid[0]), 2);
    if (a->kind == K_FUNC && a->op == F_ABS) return of(r, a->kid[0]);
    if (a->kind == K_FUNC && a->op == F_ROOT && a->kid[1]->kind == K_NUM && mpz_cmp_ui(mpq_denref(a->kid[1]->q), 1) == 0 && mpq_sgn(a->kid[1]->q) > 0 &&
        mpq_cmp_ui(a->kid[1]->q, 64, 1) < 0)
        return root_size(r, a, of(r, a->kid[0]), mpz_get_d(mpq_numref(a->kid[1]->q)));
    mpq_t q;
    mpq_init(q);
    if (r1_math_rational(r->c, a, q) == FOUND_VALUE) x = of_rational(r, q);
    else r->ok = false;
    mpq_clear(q);
    return x;
}

double r1_math_zero_bound(r1_math_ctx *c, const r1_node *a, const r1_node *b)
{
    radicals r = { .c = c, .degree = 1, .ok = true };
    size x = sum(of(&r, a), of(&r, b));
    if (!r.ok || c->over || r.degree > 4096) return 0;
    return ceil((r.degree - 1) * x.u + x.l) + 8;
}
