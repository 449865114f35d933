/* math_compare: two trees, the gold first. The kind of the gold decides what may stand for it. */
#include "reward/math/math_int.h"

enum { PAIRS_MAX = 900, SIGNS_MAX = 4 };

static bool equal(r1_math_reason r) { return r <= R1_MATH_EQUAL_NUMERIC; }
static r1_math_reason weaker(r1_math_reason a, r1_math_reason b) { return a > b ? a : b; }

static r1_math_reason reason_of(r1_math_ctx *c, r1_sameness s)
{
    if (c->over) return R1_MATH_OVER_BUDGET;
    switch (s) {
    case SAME_EXACT: return R1_MATH_EQUAL_EXACT;
    case SAME_NUMERIC: return R1_MATH_EQUAL_NUMERIC;
    case SAME_NOT: return R1_MATH_DIFFERENT;
    case SAME_UNDEFINED: return R1_MATH_UNDEFINED;
    default: return R1_MATH_UNDECIDED;
    }
}

static r1_math_reason scalars(r1_math_ctx *c, r1_node *gold, r1_node *cand) { return reason_of(c, r1_math_equal_expr(c, gold, cand)); }

/* ---- plus-minus -------------------------------------------------------------------------------------------------- */

/* All readings of a with plus-minus in it, appended to list. */
static void expand_one(r1_math_ctx *c, r1_node *a, r1_node *list)
{
    unsigned n = 0;
    if (!r1_math_has(a, K_PM)) {
        r1_math_append(c, list, a);
        return;
    }
    r1_math_choose_signs(c, a, 0, &n, true);
    bool together = r1_math_has_op(a, K_PM, '-') || n > SIGNS_MAX; /* plus-minus with minus-plus: their signs are tied */
    unsigned bits = together ? 1 : n;
    for (unsigned s = 0; s < 1u << bits && !c->over; s++) {
        unsigned k = 0;
        r1_math_append(c, list, r1_math_choose_signs(c, a, s, &k, together));
    }
}

static r1_node *expand(r1_math_ctx *c, r1_node *a)
{
    if (!r1_math_has(a, K_PM) || c->over) return a;
    bool listed = a->kind == K_LIST || a->kind == K_SET;
    r1_node *list = r1_math_node(c, listed ? (r1_kind)a->kind : K_LIST, 0);
    if (list == &c->bad) return list;
    list->op = listed ? a->op : ',';
    if (!listed && a->kind == K_REL && a->n == 2 && a->kid[0]->kind == K_SYM && !r1_math_has(a->kid[0], K_PM)) list->op = a->ops[0] == R_NE ? '&' : '|';
    if (listed)
        for (uint32_t i = 0; i < a->n; i++) expand_one(c, a->kid[i], list);
    else expand_one(c, a, list);
    return list;
}

/* "x \ne 2, 3" as x \ne 2, x \ne 3. */
static r1_node *spread(r1_math_ctx *c, r1_node *a)
{
    if (a->kind != K_LIST || a->n < 2 || a->op == '|') return a;
    const r1_node *first = a->kid[0];
    if (first->kind != K_REL || first->n != 2 || first->ops[0] != R_NE || first->kid[0]->kind != K_SYM || !r1_math_is_scalar(first->kid[1])) return a;
    r1_node *list = r1_math_append(c, r1_math_node(c, K_LIST, 0), a->kid[0]);
    for (uint32_t i = 1; i < a->n; i++) {
        if (!r1_math_is_scalar(a->kid[i])) return a;
        r1_node *x = r1_math_op2(c, K_REL, first->kid[0], a->kid[i]);
        if (x != &c->bad) x->ops = first->ops;
        list = r1_math_append(c, list, x);
    }
    if (list != &c->bad) list->op = '&';
    return list;
}

/* ---- names and values -------------------------------------------------------------------------------------------- */

static bool is_name(const r1_node *a)
{
    if (a->kind == K_SYM || a->kind == K_APPLY) return true;
    if (a->kind == K_FUNC && a->op == F_ABS) return a->kid[0]->kind == K_SYM;
    if (a->kind != K_TUPLE) return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->kid[i]->kind != K_SYM) return false;
    return a->n > 0;
}

static bool mentions(const r1_node *value, const r1_node *name)
{
    if (name->kind == K_SYM) return r1_math_has_symbol(value, name);
    if (name->kind == K_TUPLE)
        for (uint32_t i = 0; i < name->n; i++)
            if (r1_math_has_symbol(value, name->kid[i])) return true;
    return false;
}

static bool equation(const r1_node *a)
{
    if (a->kind != K_REL) return false;
    for (uint32_t i = 0; i + 1 < a->n; i++)
        if (a->ops[i] != R_EQ && a->ops[i] != R_APPROX) return false;
    return true;
}

/* x = value, f(x) = value, value = x; a chain whose values are all the same. */
static bool assigned(r1_math_ctx *c, const r1_node *a, r1_node **name, r1_node **value)
{
    if (a->kind == K_REL && a->n == 2 && a->ops[0] == R_IN && is_name(a->kid[0]) && (a->kid[1]->kind == K_SET || a->kid[1]->kind == K_NUMBERS)) { /* x is one of these */
        *name = a->kid[0];
        *value = a->kid[1];
        return true;
    }
    if (!equation(a)) return false;
    r1_node *first = a->kid[0], *last = a->kid[a->n - 1];
    if (is_name(first)) *name = first, *value = last;
    else if (a->n == 2 && is_name(last) && last->kind == K_SYM) *name = last, *value = first;
    else return false;
    if (mentions(*value, *name)) return false;
    for (uint32_t i = 1; i + 1 < a->n; i++)
        if (!equal(r1_math_compare(c, last, a->kid[i]))) return false;
    return true;
}

/* The values of x = 2, y = 3 in the order of their names, as a tuple; NULL when it is no such list. */
static r1_node *assigned_tuple(r1_math_ctx *c, const r1_node *list)
{
    enum { NAMES_MAX = 8 };
    r1_node *name[NAMES_MAX], *value[NAMES_MAX];
    if (list->kind != K_LIST || list->op == '|' || list->n < 2 || list->n > NAMES_MAX) return NULL;
    for (uint32_t i = 0; i < list->n; i++) {
        if (!assigned(c, list->kid[i], &name[i], &value[i]) || name[i]->kind != K_SYM || !r1_math_is_scalar(value[i])) return NULL;
        for (uint32_t k = i; k > 0; k--) {
            size_t n = r1_min(name[k - 1]->n_name, name[k]->n_name);
            int o = memcmp(name[k - 1]->name, name[k]->name, n);
            if (o == 0 && name[k - 1]->n_name == name[k]->n_name) return NULL;
            if (o < 0 || (o == 0 && name[k - 1]->n_name < name[k]->n_name)) break;
            r1_node *t = name[k];
            name[k] = name[k - 1];
            name[k - 1] = t;
            t = value[k];
            value[k] = value[k - 1];
            value[k - 1] = t;
        }
    }
    r1_node *tuple = r1_math_node(c, K_TUPLE, 0);
    for (uint32_t i = 0; i < list->n; i++) tuple = r1_math_append(c, tuple, value[i]);
    if (tuple != &c->bad) tuple->lo_open = tuple->hi_open = true;
    return tuple;
}

/* ---- relations --------------------------------------------------------------------------------------------------- */

static int direction(unsigned op) { return op == R_LT || op == R_LE ? -1 : op == R_GT || op == R_GE ? 1 : 0; }
static bool strict(unsigned op) { return op == R_LT || op == R_GT; }

static r1_math_reason inequalities(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    r1_sameness s = r1_math_equal_sets(c, gold, cand);
    if (s != SAME_UNKNOWN || gold->kind != K_REL || cand->kind != K_REL) return s == SAME_UNKNOWN && !c->over ? R1_MATH_WRONG_TYPE : reason_of(c, s);
    if (gold->n == 2 && cand->n == 2 && direction(gold->ops[0]) && direction(cand->ops[0])) {
        if (strict(gold->ops[0]) != strict(cand->ops[0])) return R1_MATH_DIFFERENT;
        return reason_of(c, r1_math_equal_equation(c, gold, cand, direction(gold->ops[0]) * direction(cand->ops[0])));
    }
    if (gold->n == 2 && cand->n == 2 && gold->ops[0] == cand->ops[0] && gold->ops[0] == R_NE) return reason_of(c, r1_math_equal_equation(c, gold, cand, 0));
    if (gold->n != cand->n) return R1_MATH_DIFFERENT;
    bool flipped = gold->n > 2 && direction(gold->ops[0]) == -direction(cand->ops[0]);
    r1_math_reason all = R1_MATH_EQUAL_EXACT;
    for (uint32_t i = 0; i < gold->n; i++) { /* chains, forwards or backwards */
        uint32_t k = flipped ? cand->n - 1 - i : i;
        if (i + 1 < gold->n) {
            unsigned a = gold->ops[i], b = cand->ops[flipped ? cand->n - 2 - i : i];
            bool fits = direction(a) ? direction(a) == (flipped ? -direction(b) : direction(b)) && strict(a) == strict(b) : a == b;
            if (!fits) return R1_MATH_DIFFERENT;
        }
        all = weaker(all, r1_math_compare(c, gold->kid[i], cand->kid[k]));
        if (!equal(all)) return all;
    }
    return all;
}

/* f(t) = t^2 for f(x) = x^2: the value of cand in the letter of gold; NULL when they are not the same function of one letter each. */
static r1_node *in_letter(r1_math_ctx *c, const r1_node *name, const r1_node *value, const r1_node *other, r1_node *its)
{
    if (name->kind != K_APPLY || other->kind != K_APPLY || name->n != 1 || other->n != 1) return NULL;
    if (name->n_name != other->n_name || memcmp(name->name, other->name, name->n_name)) return NULL;
    if (name->kid[0]->kind != K_SYM || other->kid[0]->kind != K_SYM || mentions(its, name->kid[0])) return NULL;
    if (!mentions(value, name->kid[0]) || !mentions(its, other->kid[0])) return NULL; /* P(A) = 1/3 is not P(B) = 1/3 */
    return r1_math_subst(c, its, other->kid[0], name->kid[0]);
}

static r1_math_reason relations(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    r1_node *name, *value, *other, *its;
    if (!equation(gold) || !equation(cand))
        return equation(gold) != equation(cand) && gold->n == 2 && cand->n == 2 && !r1_math_is_real_set(cand) && !r1_math_is_real_set(gold)
                   ? R1_MATH_WRONG_TYPE
                   : inequalities(c, gold, cand);
    bool g = assigned(c, gold, &name, &value), k = assigned(c, cand, &other, &its);
    if (g && k && r1_math_same(name, other)) return r1_math_compare(c, value, its);
    r1_node *renamed = g && k ? in_letter(c, name, value, other, its) : NULL;
    if (renamed) return r1_math_compare(c, value, renamed);
    if (gold->n == 2 && cand->n == 2 && r1_math_is_scalar(gold->kid[0]) && r1_math_is_scalar(gold->kid[1]) && r1_math_is_scalar(cand->kid[0]) &&
        r1_math_is_scalar(cand->kid[1])) {
        r1_math_reason r = reason_of(c, r1_math_equal_equation(c, gold, cand, 0));
        return r == R1_MATH_DIFFERENT && g && k ? R1_MATH_WRONG_TYPE : r;
    }
    if (gold->n != cand->n) return R1_MATH_DIFFERENT;
    r1_math_reason all = R1_MATH_EQUAL_EXACT;
    for (uint32_t i = 0; i < gold->n && equal(all); i++) all = weaker(all, r1_math_compare(c, gold->kid[i], cand->kid[i]));
    return all;
}

/* ---- lists, sets, tuples, matrices ------------------------------------------------------------------------------- */

static r1_math_reason ordered(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (gold->n != cand->n) return R1_MATH_DIFFERENT;
    r1_math_reason all = R1_MATH_EQUAL_EXACT;
    for (uint32_t i = 0; i < gold->n && equal(all); i++) all = weaker(all, r1_math_compare(c, gold->kid[i], cand->kid[i]));
    return equal(all) || all == R1_MATH_OVER_BUDGET || all == R1_MATH_UNDEFINED ? all : R1_MATH_DIFFERENT;
}

/* x_1 and x_2 are roots of one equation. */
static bool same_letter(const r1_node *a, const r1_node *b)
{
    if (r1_math_same(a, b)) return true;
    const char *x = a->n_name ? memchr(a->name, '_', a->n_name) : NULL, *y = b->n_name ? memchr(b->name, '_', b->n_name) : NULL;
    return a->kind == K_SYM && b->kind == K_SYM && x && y && x - a->name == y - b->name && !memcmp(a->name, b->name, (size_t)(x - a->name));
}

/* Two equations for different letters cannot both stand for one list of values. */
static bool mixed_names(r1_math_ctx *c, const r1_node *list)
{
    r1_node *first = NULL, *name, *value;
    for (uint32_t i = 0; i < list->n; i++) {
        if (!assigned(c, list->kid[i], &name, &value)) continue;
        if (first && !same_letter(first, name)) return true;
        first = name;
    }
    return false;
}

static bool has_relations(const r1_node *list)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (list->kid[i]->kind == K_REL) return true;
    return false;
}

/* Whether one name is the other with a number: x and x_1. */
static bool numbered(const r1_node *a, const r1_node *b)
{
    uint32_t n = a->n_name;
    if (a->kind != K_SYM || b->kind != K_SYM || b->n_name != n + 2 || memcmp(a->name, b->name, n)) return false;
    return !memchr(a->name, '_', n) && b->name[n] == '_' && b->name[n + 1] >= '0' && b->name[n + 1] <= '9';
}

/* Elements keep their braces: {1,{2}} is not {1,2}. Of several solutions x_1 = 3 may stand for x = 3. */
static r1_math_reason element(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    r1_node *name, *value, *other, *its;
    if (gold->kind == K_REL && cand->kind == K_REL && assigned(c, gold, &name, &value) && assigned(c, cand, &other, &its) &&
        (numbered(name, other) || numbered(other, name)))
        return r1_math_compare(c, value, its);
    return (gold->kind == K_SET) == (cand->kind == K_SET) ? r1_math_compare(c, gold, cand) : R1_MATH_WRONG_TYPE;
}

/* "p or q": letters or words, of which not all are meant. Numbers with "or" are the solutions of something. */
static bool one_of_them(const r1_node *list)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (list->kid[i]->kind != K_SYM && list->kid[i]->kind != K_WORDS && list->kid[i]->kind != K_CHOICE) return false;
    return list->kind == K_LIST && list->op == '|';
}

/* Every element of one has an equal in the other, and the other way round. */
static r1_math_reason unordered(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    enum { ELEMENTS_MAX = 200 };
    bool matched[ELEMENTS_MAX] = { false };
    if (gold->n > ELEMENTS_MAX || cand->n > ELEMENTS_MAX || (uint64_t)gold->n * cand->n > PAIRS_MAX * 10) {
        c->over = true;
        return R1_MATH_OVER_BUDGET;
    }
    if (one_of_them(gold) != one_of_them(cand)) return R1_MATH_WRONG_TYPE;
    if ((!has_relations(gold) && mixed_names(c, cand)) || (!has_relations(cand) && mixed_names(c, gold))) return R1_MATH_WRONG_TYPE;
    r1_math_reason all = R1_MATH_EQUAL_EXACT;
    for (uint32_t i = 0; i < gold->n; i++) {
        bool any = false;
        for (uint32_t k = 0; k < cand->n && !c->over; k++) {
            if (matched[k] && any) continue;
            r1_math_reason r = element(c, gold->kid[i], cand->kid[k]);
            if (!equal(r)) continue;
            all = weaker(all, r);
            matched[k] = any = true;
        }
        if (c->over) return R1_MATH_OVER_BUDGET;
        if (!any) return R1_MATH_DIFFERENT;
    }
    for (uint32_t k = 0; k < cand->n; k++) {
        bool any = matched[k];
        for (uint32_t i = 0; i < gold->n && !any && !c->over; i++) any = equal(element(c, gold->kid[i], cand->kid[k]));
        if (!any) return c->over ? R1_MATH_OVER_BUDGET : cand->n > gold->n ? R1_MATH_SEVERAL_ANSWERS : R1_MATH_DIFFERENT;
    }
    return all;
}

static r1_math_reason lists(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (r1_math_is_real_set(gold) || r1_math_is_real_set(cand)) {
        r1_sameness s = r1_math_equal_sets(c, gold, cand);
        if (s != SAME_UNKNOWN) return reason_of(c, s);
    }
    if (cand->kind == K_TUPLE) {
        if (cand->n == 2 && !cand->lo_open && !cand->hi_open && gold->kind == K_SET) { /* [2,2] */
            r1_sameness s = r1_math_equal_sets(c, gold, cand);
            if (s != SAME_UNKNOWN) return reason_of(c, s);
        }
        r1_node *tuple = assigned_tuple(c, gold);
        return tuple && cand->lo_open && cand->hi_open ? ordered(c, tuple, cand) : R1_MATH_WRONG_TYPE;
    }
    if (cand->kind != K_LIST && cand->kind != K_SET)
        return gold->n == 1                                     ? r1_math_compare(c, gold->kid[0], cand)
               : gold->n == 0                                   ? R1_MATH_WRONG_TYPE
               : r1_math_is_scalar(cand) || cand->kind == K_REL ? R1_MATH_DIFFERENT
                                                                : R1_MATH_WRONG_TYPE;
    for (uint32_t i = 0; i < gold->n; i++)
        if (gold->kid[i]->kind == K_DOTS) return ordered(c, gold, cand);
    for (uint32_t i = 0; i < cand->n; i++)
        if (cand->kid[i]->kind == K_DOTS) return R1_MATH_WRONG_TYPE;
    return unordered(c, gold, cand);
}

static bool vector(const r1_node *m) { return m->kind == K_MATRIX && (m->rows == 1 || m->cols == 1); }

static r1_math_reason matrices(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (cand->kind == K_TUPLE && vector(gold)) return ordered(c, gold, cand);
    if (cand->kind == K_TUPLE && cand->n == gold->rows && gold->rows > 1) { /* ((1,2),(3,4)) */
        uint32_t k = 0;
        r1_math_reason all = R1_MATH_EQUAL_EXACT;
        for (uint32_t i = 0; i < cand->n && equal(all); i++) {
            r1_node *row = cand->kid[i];
            if (row->kind != K_TUPLE || row->n != gold->cols) return R1_MATH_WRONG_TYPE;
            for (uint32_t j = 0; j < row->n && equal(all); j++) all = weaker(all, r1_math_compare(c, gold->kid[k++], row->kid[j]));
        }
        return all;
    }
    if (cand->kind != K_MATRIX) return R1_MATH_WRONG_TYPE;
    if (gold->rows != cand->rows || gold->cols != cand->cols) return R1_MATH_DIFFERENT;
    return ordered(c, gold, cand);
}

static r1_math_reason tuples(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (cand->kind == K_LIST) {
        if (gold->n == 2 && gold->op != '<' && r1_math_is_real_set(cand)) {
            r1_sameness s = r1_math_equal_sets(c, gold, cand);
            if (s != SAME_UNKNOWN) return reason_of(c, s);
        }
        r1_node *tuple = assigned_tuple(c, cand);
        return tuple && gold->lo_open && gold->hi_open ? ordered(c, gold, tuple) : R1_MATH_WRONG_TYPE;
    }
    if (vector(cand)) return ordered(c, gold, cand);
    if (gold->n == 2 && gold->op != '<' && cand->kind != K_TUPLE && (r1_math_is_real_set(cand))) return reason_of(c, r1_math_equal_sets(c, gold, cand));
    if (cand->kind == K_SET && gold->n == 2 && !gold->lo_open && !gold->hi_open && gold->op != '<') { /* [2,2] */
        r1_sameness s = r1_math_equal_sets(c, gold, cand);
        if (s != SAME_UNKNOWN) return reason_of(c, s);
    }
    if (cand->kind == K_MATRIX) return matrices(c, cand, gold); /* [[1,2],[3,4]] */
    if (cand->kind != K_TUPLE) return R1_MATH_WRONG_TYPE;
    if (gold->n == 2 && cand->n == 2 && (gold->lo_open != cand->lo_open || gold->hi_open != cand->hi_open)) return R1_MATH_DIFFERENT;
    return ordered(c, gold, cand);
}

/* ---- quantities, percentages, ratios, times ---------------------------------------------------------------------- */

static r1_node *times_q(r1_math_ctx *c, r1_node *a, mpq_srcptr q)
{
    if (mpq_cmp_ui(q, 1, 1) == 0) return a;
    return r1_math_op2(c, K_MUL, r1_math_num_q(c, q), a);
}

static bool plain(const r1_unit *u)
{
    static const r1_unit none;
    return !u->n_name && !memcmp(u->dim, none.dim, sizeof none.dim);
}

static bool is_radian(const r1_unit *u) { return u->n_name == 6 && !memcmp(u->name, "radian", 6); }

static r1_math_reason quantities(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    r1_unit *u = gold->u;
    if (cand->kind == K_PERCENT) return R1_MATH_WRONG_TYPE;
    if (cand->kind == K_QUANTITY) {
        r1_unit *v = cand->u;
        if (plain(v) && !plain(u)) return scalars(c, gold->kid[0], times_q(c, cand->kid[0], v->factor));
        if (plain(u) && !plain(v)) return scalars(c, times_q(c, gold->kid[0], u->factor), cand->kid[0]);
        if (u->is_degree && is_radian(v)) return scalars(c, r1_math_fn(c, F_DEGREE, gold->kid[0], NULL), cand->kid[0]);
        if (v->is_degree && is_radian(u)) return scalars(c, gold->kid[0], r1_math_fn(c, F_DEGREE, cand->kid[0], NULL));
        if (!r1_math_unit_same_dim(u, v)) return R1_MATH_WRONG_TYPE;
        if (mpq_equal(u->factor, v->factor)) return scalars(c, gold->kid[0], cand->kid[0]);
        return scalars(c, times_q(c, gold->kid[0], u->factor), times_q(c, cand->kid[0], v->factor));
    }
    if (!r1_math_is_scalar(cand)) return R1_MATH_WRONG_TYPE;
    r1_node *as = r1_math_as_quantity(c, cand);
    if (as && !r1_math_has(gold->kid[0], K_SYM)) return quantities(c, gold, as);
    if (plain(u)) return scalars(c, times_q(c, gold->kid[0], u->factor), cand);
    r1_math_reason r = scalars(c, gold->kid[0], cand);
    if (equal(r) || !u->is_degree) return r;
    return equal(scalars(c, r1_math_fn(c, F_DEGREE, gold->kid[0], NULL), cand)) ? R1_MATH_EQUAL_EXACT : r; /* radians */
}

static r1_node *hundredth(r1_math_ctx *c, r1_node *a)
{
    r1_node *q = r1_math_num(c, 1);
    if (q != &c->bad) mpq_set_ui(q->q, 1, 100);
    return r1_math_op2(c, K_MUL, q, a);
}

static r1_math_reason percentages(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (cand->kind == K_PERCENT) return scalars(c, gold->kid[0], cand->kid[0]);
    if (!r1_math_is_scalar(cand)) return R1_MATH_WRONG_TYPE;
    r1_math_reason r = scalars(c, gold->kid[0], cand);
    return equal(r) ? r : scalars(c, hundredth(c, gold->kid[0]), cand);
}

/* A bare gold and a percentage: its value; or the number before the sign, where that cannot be a share. */
static r1_math_reason bare_and_percent(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    r1_math_reason r = scalars(c, gold, hundredth(c, cand->kid[0]));
    if (equal(r)) return r;
    mpq_t q;
    mpq_init(q);
    bool share = r1_math_rational(c, gold, q) != FOUND_VALUE || mpz_cmpabs(mpq_numref(q), mpq_denref(q)) <= 0;
    mpq_clear(q);
    return share ? r : scalars(c, gold, cand->kid[0]);
}

static r1_math_reason ratios(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (cand->kind == K_CLOCK && !cand->op && !cand->digits && !cand->lo_open)
        cand = r1_math_append(c, r1_math_append(c, r1_math_node(c, K_RATIO, 0), r1_math_num(c, (long)cand->rows)), r1_math_num(c, (long)cand->cols));
    if (r1_math_is_scalar(cand) && gold->n == 2) return scalars(c, r1_math_op2(c, K_MUL, gold->kid[0], r1_math_inv(c, gold->kid[1])), cand);
    if (cand->kind != K_RATIO) return R1_MATH_WRONG_TYPE;
    if (gold->n != cand->n) return R1_MATH_DIFFERENT;
    r1_math_reason all = R1_MATH_EQUAL_EXACT;
    for (uint32_t i = 1; i < gold->n && equal(all); i++)
        all = weaker(all, scalars(c, r1_math_op2(c, K_MUL, gold->kid[0], cand->kid[i]), r1_math_op2(c, K_MUL, gold->kid[i], cand->kid[0])));
    if (equal(all) && !equal(scalars(c, gold->kid[0], cand->kid[0])) && equal(scalars(c, r1_math_num(c, 0), cand->kid[0]))) return R1_MATH_DIFFERENT; /* 0:0 */
    return all;
}

static r1_math_reason clocks(const r1_node *gold, const r1_node *cand)
{
    if (cand->kind != K_CLOCK) return R1_MATH_WRONG_TYPE;
    uint32_t g = gold->rows, k = cand->rows;
    if (gold->op && cand->op && gold->op != cand->op) return R1_MATH_DIFFERENT;
    if (gold->op && !cand->op && k > 12) g = g % 12 + (gold->op == 'p' ? 12 : 0);
    if (cand->op && !gold->op && g > 12) k = k % 12 + (cand->op == 'p' ? 12 : 0);
    return g == k && gold->cols == cand->cols && gold->digits == cand->digits ? R1_MATH_EQUAL_TEXT : R1_MATH_DIFFERENT;
}

static r1_math_reason dates(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (cand->kind != K_DATE) return R1_MATH_WRONG_TYPE;
    for (int i = 0; i < 3; i++) {
        bool year_left_out = i == 2 && (mpq_sgn(gold->kid[2]->q) == 0 || mpq_sgn(cand->kid[2]->q) == 0);
        if (!year_left_out && !mpq_equal(gold->kid[i]->q, cand->kid[i]->q)) return R1_MATH_DIFFERENT;
    }
    return c->over ? R1_MATH_OVER_BUDGET : R1_MATH_EQUAL_TEXT;
}

/* ---- words and choices ------------------------------------------------------------------------------------------- */

static bool same_words(const r1_node *a, const r1_node *b) { return a->n_name == b->n_name && !memcmp(a->name, b->name, a->n_name); }

static bool named(const r1_node *a, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (a->n_name == strlen(list[i]) && !memcmp(list[i], a->name, a->n_name)) return true;
    return false;
}

/* Different words for one thing: a limit that does not exist, infinitely many. */
static bool other_words(const r1_node *a, const r1_node *b)
{
    static const char *const dne[] = { "dne", "does not exist", "limit does not exist", "it does not exist", "doesn't exist", "limit doesn't exist" };
    static const char *const many[] = { "infinitely many",        "infinitely many solutions", "there are infinitely many solutions",
                                        "infinite solutions",     "infinite number of solutions", "infinite many solutions" };
    return (named(a, dne, R1_COUNT(dne)) && named(b, dne, R1_COUNT(dne))) || (named(a, many, R1_COUNT(many)) && named(b, many, R1_COUNT(many)));
}

static bool says_nothing(const r1_node *a)
{
    static const char *const list[] = { "no solution",
                                        "no solutions",
                                        "no real solution",
                                        "no real solutions",
                                        "none",
                                        "empty set",
                                        "there are no solutions",
                                        "there is no solution",
                                        "no real roots",
                                        "there are no real solutions",
                                        "no such number exists" };
    return named(a, list, R1_COUNT(list));
}

static bool all_reals(const r1_node *a)
{
    static const char *const list[] = { "all real numbers", "all reals", "every real number", "any real number", "set of all real numbers", "real numbers" };
    return named(a, list, R1_COUNT(list));
}

static r1_node *reals(r1_math_ctx *c)
{
    r1_node *r = r1_math_node(c, K_NUMBERS, 0);
    if (r != &c->bad) r->name = "R", r->n_name = 1;
    return r;
}

static r1_math_reason words(r1_math_ctx *c, const r1_node *gold, r1_node *cand)
{
    if (all_reals(gold) && r1_math_is_real_set(cand)) return reason_of(c, r1_math_equal_sets(c, reals(c), cand));
    if (cand->kind == K_SET && cand->n == 0 && says_nothing(gold)) return R1_MATH_EQUAL_TEXT;
    if (cand->kind != K_WORDS) return cand->kind == K_LIST ? R1_MATH_SEVERAL_ANSWERS : R1_MATH_WRONG_TYPE;
    if (same_words(gold, cand) || (says_nothing(gold) && says_nothing(cand)) || other_words(gold, cand)) return R1_MATH_EQUAL_TEXT;
    return R1_MATH_DIFFERENT;
}

static r1_math_reason choices(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (cand->kind == K_CHOICE) return gold->op == cand->op ? R1_MATH_EQUAL_TEXT : R1_MATH_DIFFERENT;
    bool letter = cand->kind == K_SYM && cand->n_name == 1 && (cand->name[0] | 0x20) == (gold->op | 0x20);
    bool e_or_i = (cand->kind == K_E && gold->op == 'E') || (cand->kind == K_I && gold->op == 'I');
    if (letter || e_or_i) return R1_MATH_EQUAL_TEXT;
    if (cand->kind == K_LIST) return R1_MATH_SEVERAL_ANSWERS;
    if (gold->n) return r1_math_compare(c, gold->kid[0], cand);
    if (!r1_math_is_scalar(cand)) return R1_MATH_WRONG_TYPE;
    char *name = r1_math_alloc(c, 2); /* "A" may be a letter of mathematics after all: A + 0 */
    r1_node *symbol = r1_math_node(c, K_SYM, 0);
    if (!name || symbol == &c->bad) return R1_MATH_WRONG_TYPE;
    *name = (char)gold->op;
    symbol->name = name;
    symbol->n_name = 1;
    return r1_math_has_symbol(cand, symbol) ? scalars(c, symbol, cand) : R1_MATH_WRONG_TYPE;
}

/* ---- letters before brackets, unit vectors ----------------------------------------------------------------------- */

/* A(2,3): the letter of a point and its coordinates, or C(10,3): a number of combinations. NULL when a is no such thing. */
static r1_node *behind_letter(const r1_node *a, char *letter)
{
    if (a->kind != K_MUL || a->n != 2 || a->kid[0]->kind != K_SYM || a->kid[0]->n_name != 1 || a->kid[1]->kind != K_TUPLE) return NULL;
    *letter = a->kid[0]->name[0];
    return *letter >= 'A' && *letter <= 'Z' && a->kid[1]->lo_open && a->kid[1]->hi_open && a->kid[1]->n >= 2 ? a->kid[1] : NULL;
}

/* C(10,3), or P(10,3): that of permutations. */
static r1_node *combinations(r1_math_ctx *c, const r1_node *tuple, char letter)
{
    bool two = (letter == 'C' || letter == 'P') && tuple->n == 2 && r1_math_is_scalar(tuple->kid[0]) && r1_math_is_scalar(tuple->kid[1]);
    r1_node *chosen = two ? r1_math_fn(c, F_BINOM, tuple->kid[0], tuple->kid[1]) : NULL;
    return chosen && letter == 'P' ? r1_math_op2(c, K_MUL, chosen, r1_math_fn(c, F_FACT, tuple->kid[1], NULL)) : chosen;
}

static r1_math_reason with_letters(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    char a, b;
    r1_node *g = behind_letter(gold, &a), *k = behind_letter(cand, &b);
    if (g && k) return a == b ? ordered(c, g, k) : R1_MATH_WRONG_TYPE;
    r1_node *tuple = g ? g : k, *other = g ? cand : gold;
    char letter = g ? a : b;
    if (other->kind == K_TUPLE) return g ? tuples(c, g, cand) : tuples(c, gold, k);
    if (!r1_math_is_scalar(other) && other->kind != K_QUANTITY) return R1_MATH_WRONG_TYPE;
    r1_node *number = g && letter == 'P' ? NULL : combinations(c, tuple, letter); /* a gold P(5,2) is a point */
    if (!number) return R1_MATH_WRONG_TYPE;
    return g ? r1_math_compare(c, number, cand) : r1_math_compare(c, gold, number);
}

/* The factors of a term, without its unit vector, whose number is in *which (-1 so far). False when it has two, or another i. */
static bool split_term(r1_math_ctx *c, r1_node *x, uint32_t n, r1_node *factor, int *which)
{
    static const char *const names[][3] = { { "i", "j", "k" }, { "\\imath", "\\jmath", "k" } };
    if (x->kind == K_MUL) {
        for (uint32_t i = 0; i < x->n; i++)
            if (!split_term(c, x->kid[i], n, factor, which)) return false;
        return true;
    }
    int found = x->kind == K_I ? 0 : -1;
    for (int s = 0; s < 2; s++)
        for (int m = 0; m < (int)n; m++) found = r1_math_sym_is(x, names[s][m]) ? m : found;
    if (found >= 0 && *which >= 0) return false;
    if (found >= 0) *which = found;
    else r1_math_append(c, factor, x);
    return found >= 0 || !r1_math_has(x, K_I);
}

/* 2i - 3j + k as the tuple of its coefficients; NULL when it is no such sum of at least i and j. */
static r1_node *components(r1_math_ctx *c, const r1_node *a, uint32_t n)
{
    r1_node *of[3] = { NULL };
    if (a->kind != K_ADD || !r1_math_is_scalar(a) || n < 2 || n > 3) return NULL;
    for (uint32_t i = 0; i < a->n; i++) {
        r1_node *factor = r1_math_append(c, r1_math_node(c, K_MUL, 0), r1_math_num(c, 1));
        int which = -1;
        if (!split_term(c, a->kid[i], n, factor, &which) || which < 0 || of[which]) return NULL;
        of[which] = factor;
    }
    if (!of[1]) return NULL; /* without j it is a complex number */
    r1_node *tuple = r1_math_node(c, K_TUPLE, 0);
    for (uint32_t i = 0; i < n; i++) tuple = r1_math_append(c, tuple, of[i] ? of[i] : r1_math_num(c, 0));
    if (tuple != &c->bad) tuple->lo_open = tuple->hi_open = true;
    return c->over ? NULL : tuple;
}

/* n = 3 of n = 3 (mod 7) as 3: the residue that a letter has. */
static r1_node *residue_of(r1_node *a)
{
    bool named = a->kind == K_REL && a->n == 2 && (a->ops[0] == R_EQUIV || a->ops[0] == R_EQ) && a->kid[0]->kind == K_SYM;
    return named && r1_math_is_scalar(a->kid[1]) && !r1_math_has(a->kid[1], K_SYM) ? a->kid[1] : NULL;
}

/* n = 3 (mod 7) and n = 10 (mod 7), or 3 (mod 7) */
static r1_math_reason residues(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (cand->kind != K_MODULO) return R1_MATH_WRONG_TYPE;
    r1_node *of_gold = residue_of(gold->kid[0]), *of_cand = residue_of(cand->kid[0]);
    bool one_name = (of_gold && r1_math_is_scalar(cand->kid[0])) || (of_cand && r1_math_is_scalar(gold->kid[0]));
    if (one_name && equal(r1_math_compare(c, gold->kid[1], cand->kid[1])))
        return r1_math_compare(c, of_gold ? of_gold : gold->kid[0], of_cand ? of_cand : cand->kid[0]);
    r1_math_reason r = ordered(c, gold, cand);
    r1_node *g = gold->kid[0], *k = cand->kid[0];
    bool one = g->kind == K_REL && k->kind == K_REL && g->n == 2 && k->n == 2 && g->ops[0] == k->ops[0] && r1_math_same(g->kid[0], k->kid[0]);
    if (equal(r) || !one || !equal(r1_math_compare(c, gold->kid[1], cand->kid[1])) || !is_name(g->kid[0])) return r;
    mpq_t x, y, m;
    mpq_inits(x, y, m, NULL);
    bool found = r1_math_rational(c, g->kid[1], x) == FOUND_VALUE && r1_math_rational(c, k->kid[1], y) == FOUND_VALUE &&
                 r1_math_rational(c, gold->kid[1], m) == FOUND_VALUE;
    mpq_sub(x, x, y);
    found = found && !mpz_cmp_ui(mpq_denref(x), 1) && !mpz_cmp_ui(mpq_denref(m), 1) && mpq_sgn(m) && r1_math_spend(c, 100) &&
            mpz_divisible_p(mpq_numref(x), mpq_numref(m));
    mpq_clears(x, y, m, NULL);
    return found ? R1_MATH_EQUAL_EXACT : r;
}

/* ---- by kind ----------------------------------------------------------------------------------------------------- */

static r1_math_reason scalar_gold(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (r1_math_is_scalar(cand)) {
        r1_node *as = r1_math_has(gold, K_SYM) ? NULL : r1_math_as_quantity(c, cand);
        return scalars(c, gold, as ? as->kid[0] : cand);
    }
    switch ((r1_kind)cand->kind) {
    case K_QUANTITY: {
        r1_node *as = r1_math_has(cand->kid[0], K_SYM) ? NULL : r1_math_as_quantity(c, gold); /* "5 m" */
        if (as) return quantities(c, as, cand);
        if (plain(cand->u)) return scalars(c, gold, times_q(c, cand->kid[0], cand->u->factor));
        if (cand->u->is_degree) {
            r1_math_reason r = scalars(c, gold, cand->kid[0]); /* degrees left out, or radians */
            return equal(r) ? r : scalars(c, gold, r1_math_fn(c, F_DEGREE, cand->kid[0], NULL));
        }
        return scalars(c, gold, cand->kid[0]);
    }
    case K_PERCENT: return bare_and_percent(c, gold, cand);
    case K_RATIO: return cand->n == 2 ? scalars(c, gold, r1_math_op2(c, K_MUL, cand->kid[0], r1_math_inv(c, cand->kid[1]))) : R1_MATH_WRONG_TYPE;
    case K_SET:
        return cand->n == 1 && r1_math_is_scalar(cand->kid[0]) ? r1_math_compare(c, gold, cand->kid[0])
               : cand->n                                       ? R1_MATH_SEVERAL_ANSWERS
                                                               : R1_MATH_WRONG_TYPE;
    case K_LIST: return R1_MATH_SEVERAL_ANSWERS;
    case K_WORDS: return R1_MATH_UNPARSED_CANDIDATE;
    default: return R1_MATH_WRONG_TYPE;
    }
}

static r1_math_reason set_gold(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (cand->kind == K_WORDS) {
        bool whole = gold->kind == K_NUMBERS && gold->name[0] == 'R';
        if (all_reals(cand) && (whole || gold->kind == K_INTERVAL)) return reason_of(c, r1_math_equal_sets(c, gold, reals(c)));
        return R1_MATH_UNPARSED_CANDIDATE;
    }
    if (gold->kind == K_NUMBERS && cand->kind == K_NUMBERS) return gold->name[0] == cand->name[0] ? R1_MATH_EQUAL_EXACT : R1_MATH_DIFFERENT;
    if (r1_math_is_scalar(cand)) return R1_MATH_WRONG_TYPE;
    if (gold->kind == K_BUILDER && cand->kind == K_BUILDER) {
        r1_sameness s = r1_math_equal_sets(c, gold, cand);
        return s != SAME_UNKNOWN ? reason_of(c, s) : ordered(c, gold, cand);
    }
    r1_sameness s = r1_math_equal_sets(c, gold, cand);
    if (s != SAME_UNKNOWN || c->over) return reason_of(c, s);
    return gold->kind == cand->kind && gold->n == cand->n ? (gold->kind == K_UNION ? unordered(c, gold, cand) : ordered(c, gold, cand)) : R1_MATH_WRONG_TYPE;
}

/* "m + n = 11": a sum of letters that was asked for, and its value; NULL when it is none. An equation of x, y or z is a line. */
static r1_node *asked_sum(r1_math_ctx *c, const r1_node *a)
{
    enum { LETTERS_MAX = 8 };
    if (!equation(a) || a->kid[0]->kind != K_ADD || a->kid[0]->n > LETTERS_MAX) return NULL;
    const r1_node *sum = a->kid[0];
    r1_node *last = a->kid[a->n - 1];
    for (uint32_t i = 0; i < sum->n; i++) {
        const r1_node *x = sum->kid[i];
        if (x->kind != K_SYM || (x->n_name == 1 && strchr("xyzXYZ", x->name[0]))) return NULL;
        for (uint32_t k = 0; k < i; k++)
            if (r1_math_same(x, sum->kid[k])) return NULL;
    }
    if (!r1_math_is_scalar(last) || r1_math_has(last, K_SYM) || r1_math_has(last, K_APPLY)) return NULL;
    for (uint32_t i = 1; i + 1 < a->n; i++)
        if (!equal(r1_math_compare(c, last, a->kid[i]))) return NULL;
    return last;
}

/* A relation on one side only. */
static r1_math_reason relation_and_other(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    r1_node *name, *value;
    if (gold->kind == K_REL) {
        if (cand->kind == K_WORDS && !cand->letters) return R1_MATH_UNPARSED_CANDIDATE;
        if (assigned(c, gold, &name, &value)) return r1_math_compare(c, value, cand);
        if (cand->kind == K_LIST && !r1_math_is_real_set(gold)) return R1_MATH_SEVERAL_ANSWERS;
        return r1_math_is_real_set(gold) && !r1_math_is_scalar(cand) ? inequalities(c, gold, cand) : R1_MATH_WRONG_TYPE;
    }
    if (assigned(c, cand, &name, &value)) return r1_math_compare(c, gold, value);
    r1_node *sum = r1_math_is_scalar(gold) && !r1_math_has(gold, K_SYM) ? asked_sum(c, cand) : NULL;
    if (sum) return r1_math_compare(c, gold, sum);
    if (equation(cand) && !r1_math_has(cand, K_SYM) && !r1_math_has(cand, K_APPLY)) { /* 3 * 5 = 15 */
        r1_math_reason all = R1_MATH_EQUAL_EXACT;
        for (uint32_t i = 0; i < cand->n && equal(all); i++) all = weaker(all, r1_math_compare(c, gold, cand->kid[i]));
        return all;
    }
    if ((r1_math_is_real_set(gold) || gold->kind == K_TUPLE) && r1_math_is_real_set(cand)) return reason_of(c, r1_math_equal_sets(c, gold, cand));
    if (gold->kind == K_LIST || gold->kind == K_SET) return lists(c, gold, cand);
    return R1_MATH_WRONG_TYPE;
}

/* "xy" as a product, when the other side is an expression of the same letters; NULL when it is not. */
static r1_node *as_product(r1_math_ctx *c, const r1_node *words, const r1_node *other)
{
    if (!words->letters || !r1_math_is_scalar(other)) return NULL;
    r1_node *list = r1_math_node(c, K_MUL, 0);
    for (uint32_t i = 0; i < words->n_name; i++) {
        bool e = words->name[i] == 'e', im = words->name[i] == 'i';
        r1_node *x = r1_math_node(c, e ? K_E : im ? K_I : K_SYM, 0);
        if (x == &c->bad) return NULL;
        if (!e && !im) {
            x->name = words->name + i;
            x->n_name = 1;
            if (!r1_math_has_symbol(other, x)) return NULL;
        }
        list = r1_math_append(c, list, x);
    }
    return list;
}

/* "ab" and "ba": products of the letters that are used so, no words. */
static bool same_letters(const r1_node *a, const r1_node *b)
{
    unsigned count[26] = { 0 };
    if (!a->letters || !b->letters || a->n_name != b->n_name) return false;
    bool has_a = memchr(a->name, 'a', a->n_name) != NULL;
    for (uint32_t i = 0; i < a->n_name; i++) {
        if (strchr(has_a ? "efghijklmnopqrstuvw" : "aeiou", a->name[i])) return false;
        count[a->name[i] - 'a']++;
    }
    for (uint32_t i = 0; i < b->n_name; i++)
        if (!count[b->name[i] - 'a']--) return false;
    return true;
}

/* |x| < 3 as -3 < x < 3, |x| > 3 as x < -3 or x > 3; NULL when it is no such thing. */
static r1_node *without_bars(r1_math_ctx *c, const r1_node *a)
{
    if (a->kind != K_REL || a->n != 2 || !direction(a->ops[0]) || a->kid[0]->kind != K_FUNC || a->kid[0]->op != F_ABS || a->kid[0]->kid[0]->kind != K_SYM) return NULL;
    r1_node *x = a->kid[0]->kid[0], *hi = a->kid[1], *zero = r1_math_num(c, 0);
    if (!r1_math_is_scalar(hi) || r1_math_has(hi, K_SYM) || r1_math_order(c, zero, hi) != -1) return NULL;
    r1_node *lo = r1_math_neg(c, hi), *left = r1_math_node(c, K_REL, 2), *right = r1_math_node(c, K_REL, 2), *list = r1_math_node(c, K_LIST, 0);
    uint8_t *ops = r1_math_alloc(c, 2);
    if (!ops || list == &c->bad) return NULL;
    bool less = direction(a->ops[0]) < 0;
    ops[0] = less ? a->ops[0] : a->ops[0] == R_GT ? R_LT : R_LE;
    ops[1] = a->ops[0];
    left->kid[0] = less ? lo : x;
    left->kid[1] = less ? x : lo;
    right->kid[0] = x;
    right->kid[1] = hi;
    left->ops = ops;
    right->ops = ops + 1;
    list->op = less ? '&' : '|';
    return r1_math_append(c, r1_math_append(c, list, left), right);
}

/* \overline{AB} and AB: one segment. */
static bool segment(const r1_node *symbol, const r1_node *words)
{
    if (symbol->kind != K_SYM || words->kind != K_WORDS || words->letters || symbol->n_name < 2 || symbol->n_name != words->n_name) return false;
    for (uint32_t i = 0; i < symbol->n_name; i++)
        if (symbol->name[i] < 'A' || symbol->name[i] > 'Z' || (symbol->name[i] | 0x20) != words->name[i]) return false;
    return true;
}

static r1_math_reason by_kind(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (segment(gold, cand) || segment(cand, gold)) return R1_MATH_EQUAL_TEXT;
    r1_node *solved = cand->kind == K_REL && cand->n == 2 ? NULL : without_bars(c, gold); /* a gold of the question's form, an answer that is solved */
    if (solved && (cand->kind == K_REL || r1_math_is_real_set(cand) || cand->kind == K_TUPLE)) return reason_of(c, r1_math_equal_sets(c, solved, cand));
    if (gold->kind == K_WORDS && cand->kind == K_WORDS && same_letters(gold, cand)) return R1_MATH_EQUAL_EXACT;
    r1_node *product = gold->kind == K_WORDS ? as_product(c, gold, cand) : cand->kind == K_WORDS ? as_product(c, cand, gold) : NULL;
    if (product) return gold->kind == K_WORDS ? scalars(c, product, cand) : scalars(c, gold, product);
    r1_node *measured = gold->kind == K_QUANTITY ? gold : cand->kind == K_QUANTITY ? cand : NULL, *letters = measured == gold ? cand : gold; /* ab cm, "ab" */
    product = measured && letters->kind == K_WORDS ? as_product(c, letters, measured->kid[0]) : NULL;
    if (product) return scalars(c, measured == gold ? gold->kid[0] : product, measured == gold ? product : cand->kid[0]);
    if (gold->kind == K_CHOICE) return choices(c, gold, cand);
    if (cand->kind == K_CHOICE) return cand->n ? r1_math_compare(c, gold, cand->kid[0]) : R1_MATH_WRONG_TYPE;
    if (gold->kind == K_WORDS && !(gold->letters && cand->kind == K_REL)) return words(c, gold, cand);
    if (gold->kind == K_SET && gold->n == 0 && cand->kind == K_WORDS) return says_nothing(cand) ? R1_MATH_EQUAL_TEXT : R1_MATH_UNPARSED_CANDIDATE;
    if (gold->kind == K_REL && cand->kind == K_REL) return relations(c, gold, cand);
    if (gold->kind == K_REL || cand->kind == K_REL) return relation_and_other(c, gold, cand);
    char letter;
    if (behind_letter(gold, &letter) || behind_letter(cand, &letter)) return with_letters(c, gold, cand);
    bool coordinates = gold->kind == K_TUPLE || vector(gold), other_coordinates = cand->kind == K_TUPLE || vector(cand);
    r1_node *parts = coordinates && !other_coordinates ? components(c, cand, gold->n) : other_coordinates && !coordinates ? components(c, gold, cand->n) : NULL;
    if (parts) return coordinates ? r1_math_compare(c, gold, parts) : r1_math_compare(c, parts, cand);
    switch ((r1_kind)gold->kind) {
    case K_LIST: case K_SET: return lists(c, gold, cand);
    case K_TUPLE: return tuples(c, gold, cand);
    case K_MATRIX: return matrices(c, gold, cand);
    case K_QUANTITY: return cand->kind == K_LIST ? R1_MATH_SEVERAL_ANSWERS : quantities(c, gold, cand);
    case K_PERCENT: return cand->kind == K_LIST ? R1_MATH_SEVERAL_ANSWERS : percentages(c, gold, cand);
    case K_CASES: return r1_math_compare_cases(c, gold, cand);
    case K_RATIO: return ratios(c, gold, cand);
    case K_CLOCK: return clocks(gold, cand);
    case K_DATE: return dates(c, gold, cand);
    case K_DOTS: return cand->kind == K_DOTS ? R1_MATH_EQUAL_EXACT : R1_MATH_WRONG_TYPE;
    case K_MODULO: return residues(c, gold, cand);
    case K_INTERVAL: case K_UNION: case K_INTERSECT: case K_MINUS: case K_BUILDER: case K_NUMBERS: return set_gold(c, gold, cand);
    default: return scalar_gold(c, gold, cand);
    }
}

/* "30 or 30.0": a list whose elements all are the gold, and are each other, is one answer. */
static r1_math_reason said_again(r1_math_ctx *c, r1_node *gold, const r1_node *list)
{
    r1_math_reason all = R1_MATH_EQUAL_EXACT;
    for (uint32_t i = 0; i < list->n && equal(all); i++) {
        if (list->kid[i]->kind == K_LIST || list->kid[i]->kind == K_DOTS) return R1_MATH_SEVERAL_ANSWERS;
        all = weaker(all, r1_math_compare(c, gold, list->kid[i]));
        for (uint32_t k = 0; k < i && equal(all); k++) { /* "35 or 0.35" answers 35% twice, in two ways */
            all = weaker(all, r1_math_compare(c, list->kid[i], list->kid[k]));
            if (equal(all)) all = weaker(all, r1_math_compare(c, list->kid[k], list->kid[i]));
        }
    }
    return all;
}

/* "1/3 = 2/6 \approx 0.33": the decimal at the end of a chain may be dropped where it is the value before it, rightly rounded. */
static r1_node *without_rounded(r1_math_ctx *c, r1_node *a)
{
    if (a->kind != K_REL || a->n < 2 || a->ops[a->n - 2] != R_APPROX) return a;
    r1_node *value = a->kid[a->n - 2], *decimal = a->kid[a->n - 1];
    if (decimal->kind == K_QUANTITY) { /* 100\pi cm, 314.16 cm */
        bool same_unit = value->kind == K_QUANTITY && r1_math_unit_same_dim(value->u, decimal->u) && mpq_equal(value->u->factor, decimal->u->factor);
        if (value->kind == K_QUANTITY && !same_unit) return a;
        decimal = decimal->kid[0];
    }
    if (value->kind == K_QUANTITY) value = value->kid[0];
    if (!r1_math_is_scalar(value) || r1_math_has(value, K_SYM) || r1_math_has(value, K_APPLY) || !r1_math_rounds_to(c, value, decimal)) return a;
    if (a->n == 2) return a->kid[0];
    r1_node *x = r1_math_node(c, K_REL, a->n - 1);
    if (x == &c->bad) return x;
    for (uint32_t i = 0; i + 1 < a->n; i++) x->kid[i] = a->kid[i];
    x->ops = a->ops;
    return x;
}

r1_math_reason r1_math_compare(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (c->over || !r1_math_spend(c, 10)) return R1_MATH_OVER_BUDGET;
    gold = without_rounded(c, spread(c, expand(c, gold)));
    cand = without_rounded(c, spread(c, expand(c, cand)));
    if (gold->kind != K_WORDS && gold->kind != K_CHOICE && !r1_math_is_scalar(gold) && r1_math_same(gold, cand)) return R1_MATH_EQUAL_EXACT;
    r1_math_reason r = by_kind(c, gold, cand);
    bool again = !equal(r) && cand->kind == K_LIST && cand->op == '|' && cand->n >= 2 && cand->n <= 3 && gold->kind != K_LIST && gold->kind != K_SET;
    if (again) {
        r1_math_reason other = said_again(c, gold, cand);
        r = equal(other) ? other : r;
    }
    return c->over ? R1_MATH_OVER_BUDGET : r;
}
