/* math_sets: subsets of the reals: intervals, unions, finite sets, solved inequalities, set-builder, the reals without points.
 *
 * A set is a list of pieces with ends. Normal form: pieces in order, none touching the next. Ends that cannot be ordered (letters)
 * leave a single piece as it is and make anything else unknown. A solved inequality has its letter alone on one side; an inequality
 * that is only stated is none, so that repeating the question answers nothing. */
#include "reward/math/math_int.h"

enum { PIECES_MAX = 24 };
typedef struct piece { r1_node *lo, *hi; bool lo_open, hi_open; } piece;
typedef struct set { piece p[PIECES_MAX]; unsigned n; const r1_node *var; bool bad; } set;

static void add(set *s, piece p)
{
    if (s->n == PIECES_MAX) s->bad = true;
    else s->p[s->n++] = p;
}

static r1_node *infinity(r1_math_ctx *c, int sign)
{
    r1_node *x = r1_math_node(c, K_INF, 0);
    return sign < 0 ? r1_math_neg(c, x) : x;
}

static piece all_reals(r1_math_ctx *c) { return (piece){ infinity(c, -1), infinity(c, 1), true, true }; }

static void same_variable(set *s, const r1_node *var)
{
    if (s->var && var && !r1_math_same(s->var, var)) s->bad = true;
    if (var) s->var = var;
}

/* ---- normal form ------------------------------------------------------------------------------------------------- */

static bool empty(r1_math_ctx *c, const piece *p, bool *bad)
{
    int o = r1_math_order(c, p->lo, p->hi);
    if (o == 2) *bad = true;
    return o == 1 || (o == 0 && (p->lo_open || p->hi_open));
}

static void drop_empty(r1_math_ctx *c, set *s)
{
    unsigned m = 0;
    if (s->n == 1 && r1_math_order(c, s->p[0].lo, s->p[0].hi) == 2) return; /* letters at the ends: as it is */
    for (unsigned i = 0; i < s->n; i++)
        if (!empty(c, &s->p[i], &s->bad)) s->p[m++] = s->p[i];
    s->n = m;
}

static int before(r1_math_ctx *c, const piece *a, const piece *b, bool *bad)
{
    int o = r1_math_order(c, a->lo, b->lo);
    if (o == 2) *bad = true;
    return o ? o : (int)a->lo_open - (int)b->lo_open;
}

static void normalise(r1_math_ctx *c, set *s)
{
    drop_empty(c, s);
    if (s->n < 2) return;
    for (unsigned i = 1; i < s->n && !s->bad; i++)
        for (unsigned k = i; k > 0 && before(c, &s->p[k - 1], &s->p[k], &s->bad) > 0; k--) {
            piece t = s->p[k];
            s->p[k] = s->p[k - 1];
            s->p[k - 1] = t;
        }
    unsigned m = 1;
    for (unsigned i = 1; i < s->n && !s->bad; i++) {
        piece *last = &s->p[m - 1], *next = &s->p[i];
        int o = r1_math_order(c, next->lo, last->hi);
        if (o == 2) s->bad = true;
        if (o < 0 || (o == 0 && !(next->lo_open && last->hi_open))) { /* they touch */
            int h = r1_math_order(c, next->hi, last->hi);
            if (h == 2) s->bad = true;
            if (h > 0) {
                last->hi = next->hi;
                last->hi_open = next->hi_open;
            } else if (h == 0) last->hi_open = last->hi_open && next->hi_open;
        } else s->p[m++] = *next;
    }
    s->n = m;
}

static set intersect(r1_math_ctx *c, const set *a, const set *b)
{
    set r = { .var = a->var ? a->var : b->var, .bad = a->bad || b->bad };
    if (a->var && b->var && !r1_math_same(a->var, b->var)) r.bad = true;
    for (unsigned i = 0; i < a->n && !r.bad; i++)
        for (unsigned k = 0; k < b->n && !r.bad; k++) {
            piece x = a->p[i], y = b->p[k];
            int lo = r1_math_order(c, x.lo, y.lo), hi = r1_math_order(c, x.hi, y.hi);
            if (lo == 2 || hi == 2) r.bad = true;
            piece z = { lo < 0 ? y.lo : x.lo, hi > 0 ? y.hi : x.hi, lo == 0 ? x.lo_open || y.lo_open : lo < 0 ? y.lo_open : x.lo_open,
                        hi == 0 ? x.hi_open || y.hi_open : hi > 0 ? y.hi_open : x.hi_open };
            if (!r.bad && !empty(c, &z, &r.bad)) add(&r, z);
        }
    return r;
}

static set complement(r1_math_ctx *c, set *a)
{
    set r = { .var = a->var, .bad = a->bad };
    normalise(c, a);
    piece rest = all_reals(c);
    for (unsigned i = 0; i < a->n; i++) {
        piece left = { rest.lo, a->p[i].lo, rest.lo_open, !a->p[i].lo_open };
        if (!empty(c, &left, &r.bad)) add(&r, left);
        rest.lo = a->p[i].hi;
        rest.lo_open = !a->p[i].hi_open;
    }
    if (!empty(c, &rest, &r.bad)) add(&r, rest);
    return r;
}

/* ---- from trees -------------------------------------------------------------------------------------------------- */

static bool convert(r1_math_ctx *c, r1_node *a, set *s);

static bool is_name(const r1_node *a) { return a->kind == K_SYM || a->kind == K_APPLY; }

static bool end_ok(const r1_node *a) { return r1_math_is_scalar(a) && !r1_math_has(a, K_I); }

/* var op bound, or bound op var when flipped. */
static bool half_line(r1_math_ctx *c, r1_relop op, bool flipped, r1_node *bound, set *s)
{
    piece p = all_reals(c);
    if (!end_ok(bound)) return false;
    if (flipped) op = op == R_LT ? R_GT : op == R_LE ? R_GE : op == R_GT ? R_LT : op == R_GE ? R_LE : op;
    switch (op) {
    case R_LT: case R_LE: p.hi = bound; p.hi_open = op == R_LT; break;
    case R_GT: case R_GE: p.lo = bound; p.lo_open = op == R_GT; break;
    case R_EQ: p = (piece){ bound, bound, false, false }; break;
    case R_NE:
        add(s, (piece){ p.lo, bound, true, true });
        p.lo = bound;
        break;
    default: return false;
    }
    add(s, p);
    return true;
}

static bool from_relation(r1_math_ctx *c, r1_node *a, set *s)
{
    if (a->n == 2 && a->ops[0] == R_IN) {
        same_variable(s, a->kid[0]);
        return is_name(a->kid[0]) && convert(c, a->kid[1], s);
    }
    if (a->n == 2) {
        bool left = is_name(a->kid[0]) && !r1_math_has_symbol(a->kid[1], a->kid[0]),
             right = !left && is_name(a->kid[1]) && !r1_math_has_symbol(a->kid[0], a->kid[1]);
        if (left && is_name(a->kid[1]) && a->kid[0]->kind == K_SYM) return false; /* a < b orders two letters */
        if (!left && !right) return false;
        same_variable(s, a->kid[left ? 0 : 1]);
        return half_line(c, (r1_relop)a->ops[0], right, a->kid[left ? 1 : 0], s);
    }
    if (a->n != 3 || !is_name(a->kid[1])) return false;
    set x = { .n = 0 }, y = { .n = 0 };
    bool up = (a->ops[0] == R_LT || a->ops[0] == R_LE) && (a->ops[1] == R_LT || a->ops[1] == R_LE),
         down = (a->ops[0] == R_GT || a->ops[0] == R_GE) && (a->ops[1] == R_GT || a->ops[1] == R_GE);
    if ((!up && !down) || !half_line(c, (r1_relop)a->ops[0], true, a->kid[0], &x) || !half_line(c, (r1_relop)a->ops[1], false, a->kid[2], &y)) return false;
    same_variable(s, a->kid[1]);
    piece p = { up ? x.p[0].lo : y.p[0].lo, up ? y.p[0].hi : x.p[0].hi, up ? x.p[0].lo_open : y.p[0].lo_open, up ? y.p[0].hi_open : x.p[0].hi_open };
    add(s, p);
    return true;
}

static bool from_list(r1_math_ctx *c, r1_node *a, set *s)
{
    set all = { .n = 0 };
    bool both = a->op != '|';
    for (uint32_t i = 0; i < a->n; i++) {
        set one = { .n = 0 };
        if (a->kid[i]->kind != K_REL && !r1_math_is_real_set(a->kid[i])) return false;
        if (!convert(c, a->kid[i], &one)) return false;
        if (i == 0) all = one;
        else if (both) all = intersect(c, &all, &one);
        else {
            same_variable(&all, one.var);
            for (unsigned k = 0; k < one.n; k++) add(&all, one.p[k]);
        }
    }
    if (both && a->op == ',' && all.n == 0 && !all.bad) { /* "x < -1, x > 5" can only mean "or" */
        uint8_t op = a->op;
        a->op = '|';
        bool ok = from_list(c, a, s);
        a->op = op;
        return ok;
    }
    same_variable(s, all.var);
    s->bad |= all.bad;
    for (unsigned k = 0; k < all.n; k++) add(s, all.p[k]);
    return a->n > 0;
}

static bool combine(r1_math_ctx *c, r1_node *a, set *s)
{
    set x = { .n = 0 }, y = { .n = 0 };
    if (!convert(c, a->kid[0], &x)) return false;
    for (uint32_t i = 1; i < a->n; i++) {
        y = (set){ .n = 0 };
        if (!convert(c, a->kid[i], &y)) return false;
        if (a->kind == K_MINUS) y = complement(c, &y);
        if (a->kind == K_UNION) {
            same_variable(&x, y.var);
            for (unsigned k = 0; k < y.n; k++) add(&x, y.p[k]);
            x.bad |= y.bad;
        } else x = intersect(c, &x, &y);
    }
    same_variable(s, x.var);
    s->bad |= x.bad;
    for (unsigned k = 0; k < x.n; k++) add(s, x.p[k]);
    return true;
}

/* (5,2) is a point, (5,2] is nothing. */
static bool backwards(r1_math_ctx *c, const r1_node *a)
{
    int o = r1_math_order(c, a->kid[0], a->kid[1]);
    return o == 1 || (o == 0 && (a->lo_open || a->hi_open));
}

static bool convert(r1_math_ctx *c, r1_node *a, set *s)
{
    if (c->over || !r1_math_spend(c, 10)) return false;
    switch ((r1_kind)a->kind) {
    case K_TUPLE:
        if (a->n != 2 || a->op == '<') return false;
        /* fall through */
    case K_INTERVAL:
        if (a->n != 2 || !end_ok(a->kid[0]) || !end_ok(a->kid[1]) || backwards(c, a)) return false;
        add(s, (piece){ a->kid[0], a->kid[1], a->lo_open, a->hi_open });
        return true;
    case K_SET:
        for (uint32_t i = 0; i < a->n; i++) {
            if (!end_ok(a->kid[i]) || r1_math_has(a->kid[i], K_SYM)) return false;
            add(s, (piece){ a->kid[i], a->kid[i], false, false });
        }
        return true;
    case K_NUMBERS:
        if (a->name[0] != 'R') return false;
        add(s, all_reals(c));
        return true;
    case K_UNION: case K_INTERSECT: case K_MINUS: return combine(c, a, s);
    case K_REL: return from_relation(c, a, s);
    case K_LIST: return from_list(c, a, s);
    case K_BUILDER: {
        r1_node *head = a->kid[0];
        if (head->kind == K_REL && head->n == 2 && head->ops[0] == R_IN && head->kid[1]->kind == K_NUMBERS && head->kid[1]->name[0] == 'R') head = head->kid[0];
        if (head->kind != K_SYM) return false;
        same_variable(s, head);
        bool ok = convert(c, a->kid[1], s);
        if (ok && !s->bad) s->var = NULL; /* the letter is bound */
        return ok;
    }
    default:
        if (!end_ok(a) || r1_math_has(a, K_SYM)) return false;
        add(s, (piece){ a, a, false, false });
        return true;
    }
}

bool r1_math_is_real_set(const r1_node *a)
{
    switch ((r1_kind)a->kind) {
    case K_INTERVAL: case K_UNION: case K_INTERSECT: case K_MINUS: case K_BUILDER: return true;
    case K_NUMBERS: return a->name[0] == 'R';
    case K_REL:
        for (uint32_t i = 0; i + 1 < a->n; i++)
            if (a->ops[i] == R_EQ || a->ops[i] > R_IN) return false;
        return true;
    case K_LIST:
        for (uint32_t i = 0; i < a->n; i++)
            if (r1_math_is_real_set(a->kid[i])) return true;
        return false;
    default: return false;
    }
}

static bool same_end(r1_math_ctx *c, r1_node *a, r1_node *b, r1_sameness *worst)
{
    r1_sameness s = r1_math_equal_expr(c, a, b);
    if (s == SAME_NUMERIC) *worst = SAME_NUMERIC;
    return s == SAME_EXACT || s == SAME_NUMERIC;
}

r1_sameness r1_math_equal_sets(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    set g = { .n = 0 }, k = { .n = 0 };
    if (!convert(c, gold, &g) || !convert(c, cand, &k)) return SAME_UNKNOWN;
    if (g.var && k.var && !r1_math_same(g.var, k.var)) return SAME_NOT;
    normalise(c, &g);
    normalise(c, &k);
    if (g.bad || k.bad || c->over) return SAME_UNKNOWN;
    if (g.n != k.n) return SAME_NOT;
    r1_sameness worst = SAME_EXACT;
    for (unsigned i = 0; i < g.n; i++) {
        piece *x = &g.p[i], *y = &k.p[i];
        if (x->lo_open != y->lo_open || x->hi_open != y->hi_open || !same_end(c, x->lo, y->lo, &worst) || !same_end(c, x->hi, y->hi, &worst)) return SAME_NOT;
    }
    return worst;
}

r1_math_meeting r1_math_sets_meet(r1_math_ctx *c, r1_node *a, r1_node *b, r1_node *points, const r1_node **letter)
{
    set x = { .n = 0 }, y = { .n = 0 };
    if (!convert(c, a, &x) || !convert(c, b, &y)) return MEET_UNKNOWN;
    normalise(c, &x);
    normalise(c, &y);
    set both = intersect(c, &x, &y);
    *letter = both.var;
    if (both.bad || x.bad || y.bad || c->over) return MEET_UNKNOWN;
    for (unsigned i = 0; i < both.n; i++) {
        int o = r1_math_order(c, both.p[i].lo, both.p[i].hi);
        if (o == 2) return MEET_UNKNOWN;
        if (o) return MEET_MORE;
    }
    for (unsigned i = 0; i < both.n; i++) r1_math_append(c, points, both.p[i].lo);
    return both.n ? MEET_POINTS : MEET_NOT;
}
