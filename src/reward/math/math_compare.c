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
    if (!listed && a->kind == K_REL && a->n == 2 && a->kid[0]->kind == K_SYM && !r1_math_has(a->kid[0], K_PM)) list->op = '|';
    if (listed)
        for (uint32_t i = 0; i < a->n; i++) expand_one(c, a->kid[i], list);
    else expand_one(c, a, list);
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
    if (a->kind == K_REL && a->n == 2 && a->ops[0] == R_IN && a->kid[0]->kind == K_SYM && a->kid[1]->kind == K_SET) { /* x is one of these */
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

static r1_math_reason relations(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    r1_node *name, *value, *other, *its;
    if (!equation(gold) || !equation(cand))
        return equation(gold) != equation(cand) && gold->n == 2 && cand->n == 2 && !r1_math_is_real_set(cand) && !r1_math_is_real_set(gold)
                   ? R1_MATH_WRONG_TYPE
                   : inequalities(c, gold, cand);
    bool g = assigned(c, gold, &name, &value), k = assigned(c, cand, &other, &its);
    if (g && k && r1_math_same(name, other)) return r1_math_compare(c, value, its);
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

/* Every element of one has an equal in the other, and the other way round. */
static r1_math_reason unordered(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    enum { ELEMENTS_MAX = 200 };
    bool matched[ELEMENTS_MAX] = { false };
    if (gold->n > ELEMENTS_MAX || cand->n > ELEMENTS_MAX || (uint64_t)gold->n * cand->n > PAIRS_MAX * 10) {
        c->over = true;
        return R1_MATH_OVER_BUDGET;
    }
    if (!has_relations(gold) && mixed_names(c, cand)) return R1_MATH_WRONG_TYPE;
    r1_math_reason all = R1_MATH_EQUAL_EXACT;
    for (uint32_t i = 0; i < gold->n; i++) {
        bool any = false;
        for (uint32_t k = 0; k < cand->n && !c->over; k++) {
            if (matched[k] && any) continue;
            r1_math_reason r = r1_math_compare(c, gold->kid[i], cand->kid[k]);
            if (!equal(r)) continue;
            all = weaker(all, r);
            matched[k] = any = true;
        }
        if (c->over) return R1_MATH_OVER_BUDGET;
        if (!any) return R1_MATH_DIFFERENT;
    }
    for (uint32_t k = 0; k < cand->n; k++) {
        bool any = matched[k];
        for (uint32_t i = 0; i < gold->n && !any && !c->over; i++) any = equal(r1_math_compare(c, gold->kid[i], cand->kid[k]));
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
    if (cand->kind != K_TUPLE) return R1_MATH_WRONG_TYPE;
    if (gold->n == 2 && cand->n == 2 && (gold->lo_open != cand->lo_open || gold->hi_open != cand->hi_open)) return R1_MATH_DIFFERENT;
    return ordered(c, gold, cand);
}

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
    for (size_t i = 0; i < R1_COUNT(list); i++)
        if (a->n_name == strlen(list[i]) && !memcmp(list[i], a->name, a->n_name)) return true;
    return false;
}

static bool all_reals(const r1_node *a)
{
    static const char *const list[] = { "all real numbers", "all reals", "every real number", "any real number", "set of all real numbers", "real numbers" };
    for (size_t i = 0; i < R1_COUNT(list); i++)
        if (a->n_name == strlen(list[i]) && !memcmp(list[i], a->name, a->n_name)) return true;
    return false;
}

static r1_math_reason words(const r1_node *gold, const r1_node *cand)
{
    if (cand->kind == K_SET && cand->n == 0 && says_nothing(gold)) return R1_MATH_EQUAL_TEXT;
    if (cand->kind != K_WORDS) return cand->kind == K_LIST ? R1_MATH_SEVERAL_ANSWERS : R1_MATH_WRONG_TYPE;
    if (same_words(gold, cand) || (says_nothing(gold) && says_nothing(cand))) return R1_MATH_EQUAL_TEXT;
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

/* ---- by kind ----------------------------------------------------------------------------------------------------- */

static r1_math_reason scalar_gold(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (r1_math_is_scalar(cand)) {
        r1_node *as = r1_math_has(gold, K_SYM) ? NULL : r1_math_as_quantity(c, cand);
        return scalars(c, gold, as ? as->kid[0] : cand);
    }
    switch ((r1_kind)cand->kind) {
    case K_QUANTITY:
        if (plain(cand->u)) return scalars(c, gold, times_q(c, cand->kid[0], cand->u->factor));
        if (cand->u->is_degree) {
            r1_math_reason r = scalars(c, gold, cand->kid[0]); /* degrees left out, or radians */
            return equal(r) ? r : scalars(c, gold, r1_math_fn(c, F_DEGREE, cand->kid[0], NULL));
        }
        return scalars(c, gold, cand->kid[0]);
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
        if (all_reals(cand) && (whole || gold->kind == K_INTERVAL)) {
            r1_node *r = r1_math_node(c, K_NUMBERS, 0);
            if (r == &c->bad) return R1_MATH_OVER_BUDGET;
            r->name = "R";
            r->n_name = 1;
            return reason_of(c, r1_math_equal_sets(c, gold, r));
        }
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

static r1_math_reason by_kind(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (gold->kind == K_WORDS && cand->kind == K_WORDS && same_letters(gold, cand)) return R1_MATH_EQUAL_EXACT;
    r1_node *product = gold->kind == K_WORDS ? as_product(c, gold, cand) : cand->kind == K_WORDS ? as_product(c, cand, gold) : NULL;
    if (product) return gold->kind == K_WORDS ? scalars(c, product, cand) : scalars(c, gold, product);
    if (gold->kind == K_CHOICE) return choices(c, gold, cand);
    if (cand->kind == K_CHOICE) return cand->n ? r1_math_compare(c, gold, cand->kid[0]) : R1_MATH_WRONG_TYPE;
    if (gold->kind == K_WORDS && !(gold->letters && cand->kind == K_REL)) return words(gold, cand);
    if (gold->kind == K_SET && gold->n == 0 && cand->kind == K_WORDS) return says_nothing(cand) ? R1_MATH_EQUAL_TEXT : R1_MATH_UNPARSED_CANDIDATE;
    if (gold->kind == K_REL && cand->kind == K_REL) return relations(c, gold, cand);
    if (gold->kind == K_REL || cand->kind == K_REL) return relation_and_other(c, gold, cand);
    switch ((r1_kind)gold->kind) {
    case K_LIST: case K_SET: return lists(c, gold, cand);
    case K_TUPLE: return tuples(c, gold, cand);
    case K_MATRIX: return matrices(c, gold, cand);
    case K_QUANTITY: return cand->kind == K_LIST ? R1_MATH_SEVERAL_ANSWERS : quantities(c, gold, cand);
    case K_PERCENT: return cand->kind == K_LIST ? R1_MATH_SEVERAL_ANSWERS : percentages(c, gold, cand);
    case K_RATIO: return ratios(c, gold, cand);
    case K_CLOCK: return clocks(gold, cand);
    case K_DATE: return dates(c, gold, cand);
    case K_DOTS: return cand->kind == K_DOTS ? R1_MATH_EQUAL_EXACT : R1_MATH_WRONG_TYPE;
    case K_MODULO: return cand->kind == K_MODULO ? ordered(c, gold, cand) : R1_MATH_WRONG_TYPE;
    case K_INTERVAL: case K_UNION: case K_INTERSECT: case K_MINUS: case K_BUILDER: case K_NUMBERS: return set_gold(c, gold, cand);
    default: return scalar_gold(c, gold, cand);
    }
}

r1_math_reason r1_math_compare(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (c->over || !r1_math_spend(c, 10)) return R1_MATH_OVER_BUDGET;
    gold = expand(c, gold);
    cand = expand(c, cand);
    if (gold->kind != K_WORDS && gold->kind != K_CHOICE && !r1_math_is_scalar(gold) && r1_math_same(gold, cand)) return R1_MATH_EQUAL_EXACT;
    r1_math_reason r = by_kind(c, gold, cand);
    if (c->over) return R1_MATH_OVER_BUDGET;
    return r;
}
