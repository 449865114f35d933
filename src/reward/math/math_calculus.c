/* math_calculus: integrals and limits inside answers.
 *
 * A definite integral of a polynomial is its value, by the Newton-Cotes formula with as many nodes as make it exact; so limits of
 * integration and coefficients may be any expressions. Every other integral, and every limit, is an unknown function of its ends and
 * of what stands inside, with the bound letter renamed: two of them are equal when their ends and insides are, in any notation, and
 * equal to nothing else. An integral without ends is not read. */
#include "reward/math/math_int.h"

enum { DEGREE_MAX = 12, NOT_POLYNOMIAL = 1000, TREE_MAX = 5000 };

static r1_node *letter(r1_math_ctx *c, const char *s, uint32_t n)
{
    r1_node *x = r1_math_node(c, K_SYM, 0);
    if (x != &c->bad) x->name = s, x->n_name = n;
    return x;
}

/* The bound letter as a name that no text can have, and that is not yet inside. */
static r1_node *renamed(r1_math_ctx *c, r1_node *body, const r1_node *var)
{
    static const char *const names[] = { "%1", "%2", "%3", "%4" };
    for (size_t k = 0; k < R1_COUNT(names); k++) {
        r1_node *x = letter(c, names[k], 2);
        if (!r1_math_has_symbol(body, x)) return r1_math_subst(c, body, var, x);
    }
    return NULL;
}

/* Infinity as a letter, because no function can be evaluated there; NULL when it stands inside something. */
static r1_node *end_of_range(r1_math_ctx *c, r1_node *a)
{
    if (!r1_math_is_scalar(a)) return NULL;
    if (a->kind == K_INF) return letter(c, "%oo", 3);
    if (a->kind == K_MUL && a->n == 2 && a->kid[1]->kind == K_INF && a->kid[0]->kind == K_NUM)
        return r1_math_neg(c, mpq_sgn(a->kid[0]->q) < 0 ? letter(c, "%oo", 3) : r1_math_neg(c, letter(c, "%oo", 3)));
    return r1_math_has(a, K_INF) ? NULL : a;
}

static r1_node *unknown(r1_math_ctx *c, const char *name, r1_node *const *kids, uint32_t n)
{
    r1_node *x = r1_math_node(c, K_APPLY, n);
    if (x == &c->bad) return x;
    x->name = name;
    x->n_name = (uint32_t)strlen(name);
    for (uint32_t i = 0; i < n; i++) {
        if (!kids[i]) return NULL;
        x->kid[i] = kids[i];
    }
    return x;
}

/* ---- polynomials ------------------------------------------------------------------------------------------------- */

static uint32_t degree(const r1_node *a, const r1_node *var)
{
    uint32_t d = 0;
    switch ((r1_kind)a->kind) {
    case K_SYM: return r1_math_same(a, var);
    case K_ADD: case K_MUL:
        for (uint32_t i = 0; i < a->n; i++) {
            uint32_t k = degree(a->kid[i], var);
            d = a->kind == K_MUL ? r1_min(d + k, (uint32_t)NOT_POLYNOMIAL) : r1_max(d, k);
        }
        return d;
    case K_POW:
        if (a->kid[1]->kind != K_NUM || mpz_cmp_ui(mpq_denref(a->kid[1]->q), 1) || mpz_sgn(mpq_numref(a->kid[1]->q)) < 0 ||
            mpz_cmp_ui(mpq_numref(a->kid[1]->q), DEGREE_MAX) > 0)
            return r1_math_has_symbol(a, var) ? NOT_POLYNOMIAL : 0;
        return r1_min(degree(a->kid[0], var) * (uint32_t)mpz_get_ui(mpq_numref(a->kid[1]->q)), (uint32_t)NOT_POLYNOMIAL);
    default: return r1_math_has_symbol(a, var) ? NOT_POLYNOMIAL : 0;
    }
}

/* How many nodes a has, those that are shared counted each time; at most TREE_MAX. The walk is as long as the answer. */
static uint32_t tree_size(const r1_node *a, uint32_t so_far)
{
    so_far++;
    for (uint32_t i = 0; i < a->n && so_far < TREE_MAX; i++) so_far = tree_size(a->kid[i], so_far);
    return so_far;
}

/* Renaming and the like look for a letter below every node, so they may take the square of the size. */
static bool affordable(r1_math_ctx *c, const r1_node *body)
{
    uint64_t n = tree_size(body, 0);
    return n < TREE_MAX && r1_math_spend(c, n + n * n / 16);
}

/* Whether the sum over the nodes stays small: it has the inside once for each node, with the ends for each letter. */
static bool small(const r1_node *lo, const r1_node *hi, const r1_node *body, uint32_t d)
{
    uint64_t ends = 2u * tree_size(lo, 0) + tree_size(hi, 0) + 6u, inside = tree_size(body, 0);
    return ends < TREE_MAX && inside < TREE_MAX && ends * inside * (d + 1) < TREE_MAX;
}

/* The integral from 0 to 1 of the polynomial that is 1 at j/d and 0 at the other nodes 0, 1/d, ..., 1. */
static void weight(uint32_t d, uint32_t j, mpq_t out)
{
    mpq_t p[DEGREE_MAX + 2], t;
    mpq_init(t);
    for (uint32_t k = 0; k < DEGREE_MAX + 2; k++) mpq_init(p[k]);
    mpq_set_ui(p[0], 1, 1);
    for (uint32_t m = 0, n = 0; m <= d; m++) { /* times (d x - m) / (j - m) */
        if (m == j) continue;
        n++;
        for (uint32_t k = n + 1; k-- > 0;) {
            mpq_set_si(t, -(long)m, 1);
            mpq_mul(p[k], p[k], t);
            if (k) {
                mpq_set_ui(t, d, 1);
                mpq_mul(t, t, p[k - 1]);
                mpq_add(p[k], p[k], t);
            }
            mpq_set_si(t, (long)j - (long)m, 1);
            mpq_div(p[k], p[k], t);
        }
    }
    mpq_set_ui(out, 0, 1);
    for (uint32_t k = 0; k <= d; k++) {
        mpq_set_ui(t, k + 1, 1);
        mpq_div(t, p[k], t);
        mpq_add(out, out, t);
    }
    for (uint32_t k = 0; k < DEGREE_MAX + 2; k++) mpq_clear(p[k]);
    mpq_clear(t);
}

static r1_node *integrate(r1_math_ctx *c, r1_node *lo, r1_node *hi, r1_node *body, const r1_node *var, uint32_t d)
{
    r1_node *width = r1_math_op2(c, K_ADD, hi, r1_math_neg(c, lo)), *sum = r1_math_node(c, K_ADD, 0);
    if (!r1_math_spend(c, 8u * (d + 2) * (d + 2) * (d + 2))) return &c->bad;
    for (uint32_t j = 0; j <= d && !c->over; j++) {
        r1_node *w = r1_math_num(c, 0), *share = r1_math_num(c, 0);
        if (w == &c->bad || share == &c->bad) return &c->bad;
        weight(d, j, w->q);
        mpq_set_ui(share->q, j, d);
        mpq_canonicalize(share->q);
        r1_node *at = r1_math_op2(c, K_ADD, lo, r1_math_op2(c, K_MUL, share, width));
        sum = r1_math_append(c, sum, r1_math_op2(c, K_MUL, w, r1_math_subst(c, body, var, at)));
    }
    return r1_math_op2(c, K_MUL, width, sum);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* "dx" at t, in one token or two; how many. */
static uint32_t differential(const r1_token *t, const r1_token *next)
{
    if (t->kind == T_WORD && t->n == 2 && t->s[0] == 'd' && t->s[1] != 'e' && t->s[1] != 'i') return 1;
    return t->kind == T_IDENT && t->n == 1 && *t->s == 'd' && next->kind == T_IDENT ? 2 : 0;
}

/* Where the differential of the integral stands whose inside begins at p->i; p->end when there is none on its level. */
static uint32_t find_differential(const r1_parser *p)
{
    uint32_t level = 0, inner = 0;
    for (uint32_t k = p->i; k < p->end && r1_math_spend(p->c, 1); k++) {
        const r1_token *t = &p->t[k];
        if (t->kind == T_OPEN || t->kind == T_LBRACE || t->kind == T_BEGIN) level++;
        else if (t->kind == T_CLOSE || t->kind == T_RBRACE || t->kind == T_ENDENV) {
            if (!level--) return p->end;
        } else if (!level && (t->kind == T_COMMA || t->kind == T_REL)) return p->end;
        else if (!level && t->kind == T_CALCULUS && t->sub == 'i') inner++;
        else if (!level && differential(t, r1_math_peek(p, k + 1 - p->i)) && !inner--) return k;
    }
    return p->end;
}

r1_node *r1_math_parse_integral(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    r1_node *lo = NULL, *hi = NULL;
    for (int k = 0; k < 2; k++) {
        if (!lo && r1_math_take(p, T_UNDER, -1)) lo = r1_math_parse_argument(p);
        else if (!hi && r1_math_take(p, T_CARET, -1)) hi = r1_math_parse_argument(p);
    }
    uint32_t end = p->end, d = lo && hi ? find_differential(p) : end;
    if (d == end || !r1_math_is_scalar(lo) || !r1_math_is_scalar(hi)) return NULL;
    p->end = d;
    r1_node *body = p->i == d ? r1_math_num(c, 1) : r1_math_parse_sum(p);
    bool whole = body && p->i == d && r1_math_is_scalar(body);
    p->end = end;
    if (!whole || c->over || !affordable(c, body)) return NULL;
    const r1_token *t = &p->t[d];
    uint32_t used = differential(t, r1_math_peek(p, 1));
    p->i += used;
    r1_node *var = used == 1 ? letter(c, t->s + 1, 1) : letter(c, p->t[d + 1].s, p->t[d + 1].n);
    uint32_t n = degree(body, var);
    bool finite = !r1_math_has(lo, K_INF) && !r1_math_has(hi, K_INF) && !r1_math_has(body, K_INF);
    if (finite && n == 0) return r1_math_op2(c, K_MUL, r1_math_op2(c, K_ADD, hi, r1_math_neg(c, lo)), body);
    if (finite && n <= DEGREE_MAX && small(lo, hi, body, n)) return integrate(c, lo, hi, body, var, n);
    if (r1_math_has(body, K_INF)) return NULL;
    r1_node *kids[] = { end_of_range(c, lo), end_of_range(c, hi), renamed(c, body, var) };
    return unknown(c, "%int", kids, 3);
}

/* The brace that closes the one before p->i, and in *side '+' or '-' when it ends with ^+ or ^{-}; *stop: where that begins. 0: none. */
static uint32_t closing_brace(const r1_parser *p, uint32_t *stop, char *side)
{
    uint32_t level = 0, k = p->i;
    for (; k < p->end && r1_math_spend(p->c, 1); k++) {
        level += p->t[k].kind == T_LBRACE;
        if (p->t[k].kind == T_RBRACE && level-- == 0) break;
    }
    if (k >= p->end || k < p->i + 3) return 0;
    const r1_token *t = &p->t[k];
    bool bare = t[-1].kind == T_OP && t[-2].kind == T_CARET;
    bool braced = k >= p->i + 5 && t[-1].kind == T_RBRACE && t[-2].kind == T_OP && t[-3].kind == T_LBRACE && t[-4].kind == T_CARET;
    *side = bare ? (char)t[-1].sub : braced ? (char)t[-2].sub : 0;
    *stop = bare ? k - 2 : braced ? k - 4 : k;
    return k;
}

r1_node *r1_math_parse_limit(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    if (!r1_math_take(p, T_UNDER, -1) || !r1_math_take(p, T_LBRACE, -1)) return NULL;
    const r1_token *v = r1_math_peek(p, 0), *arrow = r1_math_peek(p, 1);
    uint32_t stop, end = p->end, close;
    char side;
    if (v->kind != T_IDENT || arrow->kind != T_REL || arrow->sub != R_OTHER || !(close = closing_brace(p, &stop, &side))) return NULL;
    p->i += 2;
    p->end = stop;
    r1_node *to = r1_math_parse_sum(p);
    bool whole = to && p->i == stop;
    p->end = end;
    if (!whole || c->over) return NULL;
    p->i = close + 1;
    r1_node *body = r1_math_parse_product(p), *var = letter(c, v->s, v->n);
    if (!body || !r1_math_is_scalar(body) || r1_math_has(body, K_INF) || !affordable(c, body)) return NULL;
    r1_node *kids[] = { end_of_range(c, to), renamed(c, body, var) };
    return unknown(c, side == '+' ? "%lim+" : side == '-' ? "%lim-" : "%lim", kids, 2);
}
