/* math_atom: what expressions are made of: numbers, letters, functions, brackets of every kind, fractions, roots, matrices. */
#include "reward/math/math_int.h"

static r1_node *symbol(r1_math_ctx *c, const char *s, uint32_t n, bool spaced)
{
    r1_node *x = r1_math_node(c, K_SYM, 0);
    if (x == &c->bad) return x;
    x->name = s;
    x->n_name = n;
    x->spaced = spaced;
    return x;
}

/* name with a mark and more text behind it: x_1, f', \mathbb R */
static r1_node *rename_to(r1_math_ctx *c, const r1_node *a, const char *mark, const char *s, size_t n)
{
    size_t m = strlen(mark);
    char *p = r1_math_alloc(c, a->n_name + m + n + 1);
    if (!p) return &c->bad;
    memcpy(p, a->name, a->n_name);
    memcpy(p + a->n_name, mark, m);
    size_t k = a->n_name + m;
    for (size_t i = 0; i < n; i++)
        if (!strchr("{} \\$", s[i])) p[k++] = s[i];
    return symbol(c, p, (uint32_t)k, a->spaced);
}

/* Up to a closing token; NULL when it does not come. */
static r1_node *closed(r1_parser *p, r1_node *a, r1_tok kind, int sub)
{
    return a && r1_math_take(p, kind, sub) ? a : NULL;
}

r1_node *r1_math_parse_argument(r1_parser *p)
{
    const r1_token *t = r1_math_peek(p, 0);
    r1_math_ctx *c = p->c;
    if (t->kind == T_LBRACE) {
        p->i++;
        bool bars = p->in_bars, builder = p->in_builder;
        p->in_bars = p->in_builder = false;
        r1_node *a = closed(p, r1_math_parse_expr(p), T_RBRACE, -1);
        p->in_bars = bars;
        p->in_builder = builder;
        return a;
    }
    if (t->kind == T_FUNC) { /* x^\sin y is rare, e^\ln 2 is not */
        if (++p->depth > R1_MATH_DEPTH_MAX) c->over = true;
        r1_node *a = r1_math_parse_atom(p);
        p->depth--;
        return a;
    }
    return r1_math_parse_atom(p);
}

/* An argument of \frac: one digit when there are no braces. */
static r1_node *frac_argument(r1_parser *p)
{
    const r1_token *t = r1_math_peek(p, 0);
    if (t->kind != T_NUM || t->n == 1) return r1_math_parse_argument(p);
    char ch = t->s[p->used];
    if (ch < '0' || ch > '9') return NULL;
    if (++p->used == t->n) {
        p->used = 0;
        p->i++;
    }
    return r1_math_num(p->c, ch - '0');
}

/* {dy}{dx} behind \frac: a name, no quotient. NULL when it is none. */
static r1_node *derivative(r1_parser *p)
{
    const r1_token *t[6];
    for (uint32_t k = 0; k < 6; k++) t[k] = r1_math_peek(p, k);
    bool two = t[0]->kind == T_LBRACE && t[2]->kind == T_RBRACE && t[3]->kind == T_LBRACE && t[5]->kind == T_RBRACE;
    if (!two || t[1]->kind != T_WORD || t[4]->kind != T_WORD || t[1]->n != 2 || t[4]->n != 2 || t[1]->s[0] != 'd' || t[4]->s[0] != 'd') return NULL;
    p->i += 6;
    return rename_to(p->c, symbol(p->c, t[1]->s, t[1]->n, false), "/", t[4]->s, t[4]->n);
}

static r1_node *fraction(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    r1_node *name = derivative(p);
    if (name) return name;
    r1_node *a = frac_argument(p), *b = a ? frac_argument(p) : NULL;
    if (!b || p->used) return NULL;
    return r1_math_op2(c, K_MUL, a, r1_math_inv(c, b));
}

static r1_node *root(r1_parser *p, unsigned degree)
{
    r1_math_ctx *c = p->c;
    r1_node *index = NULL;
    if (r1_math_take(p, T_OPEN, '[')) {
        index = closed(p, r1_math_parse_sum(p), T_CLOSE, '[');
        if (!index) return NULL;
    }
    r1_node *a = r1_math_parse_argument(p);
    if (!a) return NULL;
    if (!index && degree == 2) return r1_math_fn(c, F_SQRT, a, NULL);
    return r1_math_fn(c, F_ROOT, a, index ? index : r1_math_num(c, (long)degree));
}

static r1_node *binomial(r1_parser *p)
{
    r1_node *a, *b;
    if (r1_math_is(p, T_OPEN, '(')) {
        p->i++;
        a = r1_math_parse_sum(p);
        b = a && r1_math_take(p, T_COMMA, -1) ? closed(p, r1_math_parse_sum(p), T_CLOSE, '(') : NULL;
    } else {
        a = frac_argument(p);
        b = a ? frac_argument(p) : NULL;
    }
    return b && !p->used ? r1_math_fn(p->c, F_BINOM, a, b) : NULL;
}

/* ---- brackets ---------------------------------------------------------------------------------------------------- */

static r1_node *elements(r1_parser *p, r1_node *list, r1_tok close)
{
    while (!p->c->over && !r1_math_is(p, close, -1)) {
        r1_node *e = r1_math_is(p, T_DOTS, -1) ? (p->i++, r1_math_node(p->c, K_DOTS, 0)) : r1_math_parse_item(p);
        if (!e) return NULL;
        list = r1_math_append(p->c, list, e);
        if (r1_math_is(p, close, -1)) break;
        if (!r1_math_take(p, T_COMMA, -1) && !r1_math_take(p, T_SEMI, -1)) return NULL;
        if (r1_math_is(p, close, -1)) return NULL; /* a comma before the bracket */
    }
    return list;
}

static bool infinite(const r1_node *a)
{
    if (a->kind == K_INF) return true;
    return a->kind == K_MUL && a->n == 2 && a->kid[1]->kind == K_INF && a->kid[0]->kind == K_NUM;
}

/* ]0,1[ and [0,1[: where the bracket is that closes the interval begun at p->i; 0 when it is none. */
static uint32_t french_end(const r1_parser *p)
{
    bool open = r1_math_is(p, T_OPEN, '[');
    uint32_t level = 0, separators = 0;
    for (uint32_t k = p->i + 1; k < p->end && r1_math_spend(p->c, 1); k++) {
        const r1_token *t = &p->t[k];
        bool square = (t->kind == T_OPEN || t->kind == T_CLOSE) && t->sub == '[';
        if (square && !level) {
            r1_tok behind = k + 1 < p->end ? (r1_tok)p->t[k + 1].kind : T_END;
            bool ends = behind != T_NUM && behind != T_OP && behind != T_CARET && behind != T_UNDER && behind != T_FRAC && behind != T_SQRT && behind != T_OPEN;
            bool item = p->t[k - 1].kind != T_COMMA && p->t[k - 1].kind != T_SEMI && p->t[k - 1].kind != T_OP;
            return separators == 1 && item && ends && !(open && t->kind == T_CLOSE) ? k : 0; /* [0,1] is read elsewhere */
        }
        if (square) return 0;
        if (t->kind == T_OPEN || t->kind == T_LBRACE || t->kind == T_BEGIN) level++;
        else if (t->kind == T_CLOSE || t->kind == T_RBRACE || t->kind == T_ENDENV) {
            if (!level--) return 0;
        } else if (!level) separators += t->kind == T_COMMA || t->kind == T_SEMI;
    }
    return 0;
}

static r1_node *french_interval(r1_parser *p, uint32_t close)
{
    r1_math_ctx *c = p->c;
    uint32_t end = p->end;
    bool lo_open = r1_math_is(p, T_CLOSE, '['), hi_open = p->t[close].kind == T_OPEN;
    p->i++;
    p->end = close;
    r1_node *lo = r1_math_parse_sum(p), *hi = NULL;
    if (lo && (r1_math_take(p, T_COMMA, -1) || r1_math_take(p, T_SEMI, -1))) hi = r1_math_parse_sum(p);
    bool whole = hi && p->i == close;
    p->end = end;
    if (!whole || !r1_math_is_scalar(lo) || !r1_math_is_scalar(hi)) return NULL;
    p->i++;
    r1_node *x = r1_math_op2(c, K_INTERVAL, lo, hi);
    if (x != &c->bad) x->lo_open = lo_open, x->hi_open = hi_open;
    return x;
}

/* ( or [ up to ) or ]: a group, a tuple, an interval. */
static r1_node *round_or_square(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    uint8_t open = r1_math_peek(p, 0)->sub;
    uint32_t french = open == '[' ? french_end(p) : 0;
    if (french) return french_interval(p, french);
    p->i++;
    r1_node *list = elements(p, r1_math_node(c, K_TUPLE, 0), T_CLOSE);
    if (!list || list == &c->bad || !r1_math_is(p, T_CLOSE, -1)) return NULL;
    uint8_t close = r1_math_peek(p, 0)->sub;
    p->i++;
    if (close != '(' && close != '[') return NULL;
    if (list->n == 0) return NULL;
    if (list->n == 1 && open == close) {
        r1_node *a = list->kid[0];
        if (open == '(' || r1_math_is_scalar(a) || a->kind == K_MATRIX) return a;
        return list;
    }
    list->lo_open = open == '(';
    list->hi_open = close == '(';
    if (list->n == 2 && (open != close || infinite(list->kid[0]) || infinite(list->kid[1]))) list->kind = K_INTERVAL;
    else if (open != close) return NULL;
    return list;
}

static r1_node *set_of(r1_parser *p, r1_tok close)
{
    r1_math_ctx *c = p->c;
    r1_node *list = r1_math_node(c, K_SET, 0);
    p->i++;
    if (r1_math_is(p, close, -1)) {
        p->i++;
        return list;
    }
    bool bars = p->in_bars, builder = p->in_builder;
    p->in_bars = false;
    p->in_builder = true;
    r1_node *first = r1_math_is(p, T_DOTS, -1) ? (p->i++, r1_math_node(c, K_DOTS, 0)) : r1_math_parse_item(p);
    p->in_builder = false;
    if (first && (r1_math_take(p, T_BAR, -1) || r1_math_take(p, T_COLON, -1))) {
        r1_node *conditions = r1_math_node(c, K_LIST, 0);
        if (conditions != &c->bad) conditions->op = '&';
        for (bool more = true; more && !c->over;) {
            r1_node *e = r1_math_parse_item(p);
            if (!e) return NULL;
            conditions = r1_math_append(c, conditions, e);
            more = r1_math_take(p, T_COMMA, -1) || r1_math_take(p, T_AND, -1);
            if (r1_math_is(p, T_OR, -1) && conditions->n == 1 && !more) {
                p->i++;
                conditions->op = '|';
                more = true;
            } else if (conditions->op == '|' && r1_math_take(p, T_OR, -1)) more = true;
        }
        list = r1_math_op2(c, K_BUILDER, first, conditions->n == 1 ? conditions->kid[0] : conditions);
    } else if (first) {
        list = r1_math_append(c, list, first);
        if (r1_math_take(p, T_COMMA, -1) || r1_math_take(p, T_SEMI, -1)) list = elements(p, list, close);
    } else list = NULL;
    p->in_bars = bars;
    p->in_builder = builder;
    return list ? closed(p, list, close, close == T_CLOSE ? '{' : -1) : NULL;
}

/* Whether what stands in the brace at p->i, on its own level, can only be read by items: commas, relations, units. */
static bool holds_items(const r1_parser *p)
{
    uint32_t level = 0;
    for (uint32_t k = 0;; k++) {
        const r1_token *t = r1_math_peek(p, k);
        if (t->kind == T_END || !r1_math_spend(p->c, 1)) return false;
        if (t->kind == T_LBRACE || t->kind == T_OPEN) level++;
        else if (t->kind == T_RBRACE || t->kind == T_CLOSE) {
            if (--level == 0) return false;
        } else if (level == 1 && (t->kind == T_COMMA || t->kind == T_SEMI || t->kind == T_REL || t->kind == T_COLON || t->kind == T_WORD ||
                                  t->kind == T_PERCENT || t->kind == T_CURRENCY))
            return true;
    }
}

static r1_node *left_index(r1_parser *p);

/* A plain brace: a group, or a set when there are commas. It is read once: trying both would take 2^depth steps. */
static r1_node *brace(r1_parser *p)
{
    if (r1_math_peek(p, 1)->kind == T_RBRACE) {
        p->i += 2;
        if (r1_math_is(p, T_UNDER, -1) || r1_math_is(p, T_CARET, -1)) return left_index(p);
        return r1_math_node(p->c, K_SET, 0);
    }
    if (!holds_items(p)) return r1_math_parse_argument(p);
    r1_node *a = set_of(p, T_RBRACE);
    return a && a->kind == K_SET && a->n == 1 ? a->kid[0] : a; /* {x = 5} */
}

static r1_node *angle(r1_parser *p)
{
    p->i++;
    r1_node *list = elements(p, r1_math_node(p->c, K_TUPLE, 0), T_CLOSE);
    if (!list || list == &p->c->bad) return NULL;
    list->lo_open = list->hi_open = true;
    list->op = '<';
    return list->n ? closed(p, list, T_CLOSE, '<') : NULL;
}

static r1_node *bars(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    r1_tok kind = (r1_tok)r1_math_peek(p, 0)->kind;
    bool outer = p->in_bars, builder = p->in_builder;
    p->i++;
    p->in_bars = true;
    p->in_builder = false;
    r1_node *a = r1_math_parse_expr(p);
    p->in_bars = outer;
    p->in_builder = builder;
    a = closed(p, a, kind, -1);
    if (!a) return NULL;
    if (a->kind == K_MATRIX) return r1_math_det(c, a);
    return r1_math_is_scalar(a) ? r1_math_fn(c, F_ABS, a, NULL) : NULL;
}

static r1_node *floor_or_ceil(r1_parser *p, uint8_t which)
{
    p->i++;
    r1_node *a = closed(p, r1_math_parse_sum(p), T_CLOSE, which);
    return a ? r1_math_fn(p->c, which == 'f' ? F_FLOOR : F_CEIL, a, NULL) : NULL;
}

/* ---- matrices ---------------------------------------------------------------------------------------------------- */

static bool named(const r1_token *t, const char *name) { return t->n == strlen(name) && !memcmp(t->s, name, t->n); }

static r1_node *environment(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    const r1_token *head = r1_math_peek(p, 0);
    if (head->sub == R1_MATH_CASES) return r1_math_parse_cases(p);
    bool det = named(head, "vmatrix"), matrix = det || named(head, "pmatrix") || named(head, "bmatrix") || named(head, "matrix") || named(head, "Bmatrix") ||
                                                named(head, "smallmatrix") || named(head, "array") || named(head, "psmallmatrix") ||
                                                named(head, "bsmallmatrix");
    if (!matrix) return NULL;
    r1_node *m = r1_math_node(c, K_MATRIX, 0);
    p->i++;
    uint32_t cols = 0, rows = 0, in_row = 0;
    while (!c->over && !r1_math_is(p, T_ENDENV, -1)) {
        if (in_row == 0 && rows && r1_math_take(p, T_ROW, -1)) continue;
        r1_node *e = r1_math_parse_expr(p);
        if (!e) return NULL;
        m = r1_math_append(c, m, e);
        in_row++;
        if (r1_math_take(p, T_AMP, -1)) continue;
        if (rows && in_row != cols) return NULL;
        cols = in_row;
        rows++;
        in_row = 0;
        while (r1_math_take(p, T_ROW, -1)) continue;
        if (!r1_math_is(p, T_ENDENV, -1) && p->t[p->i - 1].kind != T_ROW) return NULL;
    }
    if (in_row || !rows || m == &c->bad || !r1_math_take(p, T_ENDENV, -1)) return NULL;
    m->rows = rows;
    m->cols = cols;
    return det ? r1_math_det(c, m) : m;
}

/* ---- functions --------------------------------------------------------------------------------------------------- */

static r1_node *arguments_in_brackets(r1_parser *p)
{
    p->i++;
    bool outer = p->in_bars;
    p->in_bars = false;
    r1_node *list = elements(p, r1_math_node(p->c, K_LIST, 0), T_CLOSE);
    p->in_bars = outer;
    for (uint32_t i = 0; list && i < list->n; i++) { /* degrees are a number here */
        r1_node *k = list->kid[i];
        if (k->kind == K_QUANTITY && k->u->is_degree) list->kid[i] = r1_math_fn(p->c, F_DEGREE, k->kid[0], NULL);
    }
    return list && list != &p->c->bad && list->n ? closed(p, list, T_CLOSE, '(') : NULL;
}

/* "\sin 2x": factors up to an operator, a function or a bracket. */
static r1_node *loose_argument(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    bool minus = false;
    while (r1_math_is(p, T_OP, '-')) minus = !minus, p->i++;
    bool bracket = r1_math_is(p, T_OPEN, -1) || r1_math_is(p, T_BAR, -1);
    r1_node *a = r1_math_parse_power(p), *list = NULL;
    while (a && !bracket && !c->over) {
        const r1_token *t = r1_math_peek(p, 0);
        if (t->kind != T_IDENT && t->kind != T_CONST && t->kind != T_FRAC && t->kind != T_SQRT) break;
        r1_node *b = r1_math_parse_power(p);
        if (!b) return NULL;
        if (!list) list = r1_math_append(c, r1_math_node(c, K_MUL, 0), a);
        list = r1_math_append(c, list, b);
        a = list;
    }
    return a && minus ? r1_math_neg(c, a) : a;
}

static r1_func inverse_of(r1_func f)
{
    switch (f) {
    case F_SIN: return F_ASIN;
    case F_COS: return F_ACOS;
    case F_TAN: return F_ATAN;
    case F_COT: return F_ACOT;
    case F_SEC: return F_ASEC;
    case F_CSC: return F_ACSC;
    case F_SINH: return F_ASINH;
    case F_COSH: return F_ACOSH;
    case F_TANH: return F_ATANH;
    default: return F_NONE;
    }
}

static r1_node *function(r1_parser *p, r1_func f)
{
    r1_math_ctx *c = p->c;
    r1_node *base = NULL, *power = NULL;
    for (int k = 0; k < 2; k++) {
        if (!base && r1_math_take(p, T_UNDER, -1)) {
            base = r1_math_parse_argument(p);
            if (!base) return NULL;
        } else if (!power && r1_math_take(p, T_CARET, -1)) {
            power = r1_math_parse_argument(p);
            if (!power) return NULL;
        }
    }
    bool minus_one = power && power->kind == K_NUM && mpq_cmp_si(power->q, -1, 1) == 0;
    if (minus_one && inverse_of(f) != F_NONE) {
        f = inverse_of(f);
        power = NULL;
    }
    r1_node *args = NULL, *x;
    if (r1_math_is(p, T_OPEN, '(')) {
        args = arguments_in_brackets(p);
        if (!args) return NULL;
        x = args->kid[0];
    } else x = loose_argument(p);
    if (x && f == F_DET) return power ? NULL : r1_math_det(c, x);
    if (!x || !r1_math_is_scalar(x)) return NULL;
    bool many = f == F_MAX || f == F_MIN || f == F_GCD || f == F_LCM;
    if (args && args->n > 1 && !many) return NULL;
    if (base && f != F_LOG10) return NULL;
    r1_node *made;
    if (many && args) {
        made = args;
        for (uint32_t i = 0; i < args->n; i++)
            if (!r1_math_is_scalar(args->kid[i])) return NULL;
        made->kind = K_FUNC;
        made->op = (uint8_t)f;
    } else if (many) return NULL;
    else if (f == F_CIS) made = r1_math_op2(c, K_POW, r1_math_node(c, K_E, 0), r1_math_op2(c, K_MUL, r1_math_node(c, K_I, 0), x));
    else if (base) made = r1_math_fn(c, F_LOG, base, x);
    else made = r1_math_fn(c, f, x, NULL);
    return power ? r1_math_op2(c, K_POW, made, power) : made;
}

/* \sum_{k=1}^{n} body: kids var, low, high, body. */
static r1_node *sum_or_product(r1_parser *p, r1_func f)
{
    r1_math_ctx *c = p->c;
    r1_node *high = r1_math_take(p, T_CARET, -1) ? r1_math_parse_argument(p) : NULL; /* \sum^5_{k=1} */
    if (!r1_math_take(p, T_UNDER, -1) || !r1_math_take(p, T_LBRACE, -1)) return NULL;
    const r1_token *v = r1_math_peek(p, 0);
    bool letter = v->kind == T_IDENT || (v->kind == T_CONST && v->sub == K_I);
    if (!letter || r1_math_peek(p, 1)->kind != T_REL || r1_math_peek(p, 1)->sub != R_EQ) return NULL;
    p->i += 2;
    r1_node *low = closed(p, r1_math_parse_sum(p), T_RBRACE, -1);
    if (!high) high = low && r1_math_take(p, T_CARET, -1) ? r1_math_parse_argument(p) : NULL;
    if (!low || !high) return NULL;
    bool outer = p->i_is_index;
    p->i_is_index = outer || v->kind == T_CONST;
    r1_node *body = r1_math_parse_product(p);
    p->i_is_index = outer;
    if (!body || !r1_math_is_scalar(body)) return NULL;
    r1_node *x = r1_math_node(c, K_FUNC, 4);
    if (x == &c->bad) return x;
    x->op = (uint8_t)f;
    x->kid[0] = symbol(c, v->s, v->n, false);
    x->kid[1] = low;
    x->kid[2] = high;
    x->kid[3] = body;
    return x;
}

r1_node *r1_math_parse_apply(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    const r1_token *t = r1_math_peek(p, 0);
    r1_node *name = symbol(c, t->s, t->n, t->space);
    p->i++;
    while (r1_math_take(p, T_PRIME, -1)) name = rename_to(c, name, "'", "", 0);
    if (r1_math_is(p, T_CARET, -1)) { /* f^{-1}(x) */
        p->i++;
        r1_node *e = r1_math_parse_argument(p);
        if (!e || e->kind != K_NUM || mpq_cmp_si(e->q, -1, 1)) return NULL;
        name = rename_to(c, name, "^-1", "", 0);
    }
    if (!r1_math_is(p, T_OPEN, '(')) return NULL;
    r1_node *x = arguments_in_brackets(p);
    if (!x) return NULL;
    for (uint32_t i = 0; i < x->n; i++)
        if (!r1_math_is_scalar(x->kid[i])) return NULL;
    x->kind = K_APPLY;
    x->name = name->name;
    x->n_name = name->n_name;
    return x;
}

static bool is_function_letter(const r1_parser *p)
{
    const r1_token *t = r1_math_peek(p, 0);
    if (t->kind != T_IDENT || t->n != 1 || !strchr("fghFGH", *t->s)) return false;
    uint32_t k = 1;
    while (r1_math_peek(p, k)->kind == T_PRIME) k++;
    const r1_token *next = r1_math_peek(p, k);
    if (next->kind == T_OPEN && next->sub == '(' && !next->space) return true;
    return next->kind == T_CARET && r1_math_peek(p, k + 1)->kind == T_LBRACE && r1_math_peek(p, k + 2)->kind == T_OP &&
           r1_math_peek(p, k + 4)->kind == T_RBRACE && r1_math_peek(p, k + 5)->kind == T_OPEN && r1_math_peek(p, k + 5)->sub == '(';
}

/* ---- letters ----------------------------------------------------------------------------------------------------- */

/* Subscripts and primes belong to the name. */
static r1_node *letter_with_marks(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    const r1_token *t = r1_math_peek(p, 0);
    r1_node *x = symbol(c, t->s, t->n, t->space || t->text);
    p->i++;
    for (;;) {
        if (r1_math_take(p, T_PRIME, -1)) {
            x = rename_to(c, x, "'", "", 0);
            continue;
        }
        if (!r1_math_is(p, T_UNDER, -1)) return x;
        p->i++;
        const r1_token *from = r1_math_peek(p, 0), *to = from;
        if (from->kind == T_LBRACE) {
            uint32_t level = 0;
            do {
                to = r1_math_peek(p, 0);
                if (to->kind == T_END) return NULL;
                level += to->kind == T_LBRACE;
                level -= to->kind == T_RBRACE;
                p->i++;
            } while (level);
        } else if (from->kind == T_NUM || from->kind == T_IDENT || from->kind == T_WORD || from->kind == T_CONST) p->i++;
        else return NULL;
        x = rename_to(c, x, "_", from->s, (size_t)(to->s + to->n - from->s));
        if (x->n_name > 200) return NULL;
    }
}

/* A plain run of two or three letters as a product of letters. */
static r1_node *letters_of(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    const r1_token *t = r1_math_peek(p, 0);
    bool capitals = true;
    for (uint32_t k = 0; k < t->n; k++) capitals = capitals && t->s[k] >= 'A' && t->s[k] <= 'Z';
    p->i++;
    if (capitals) return symbol(c, t->s, t->n, t->space); /* AB is a segment, ABC an angle */
    r1_node *list = r1_math_node(c, K_MUL, 0);
    bool power = r1_math_is(p, T_CARET, -1);
    for (uint32_t k = 0; k < t->n; k++) {
        r1_node *x = t->s[k] == 'e' ? r1_math_node(c, K_E, 0) : t->s[k] == 'i' && !p->i_is_index ? r1_math_node(c, K_I, 0) : symbol(c, t->s + k, 1, false);
        if (power && k + 1 == t->n) { /* ab^2: the power belongs to the last letter */
            p->i++;
            bool minus = r1_math_take(p, T_OP, '-');
            r1_node *e = r1_math_parse_argument(p);
            if (!e) return NULL;
            x = r1_math_op2(c, K_POW, x, minus ? r1_math_neg(c, e) : e);
        }
        list = r1_math_append(c, list, x);
    }
    return list;
}

static r1_node *over_bar(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    const r1_token *t = r1_math_peek(p, 1);
    if (r1_math_is(p, T_LBRACE, -1) && t->kind == T_WORD && r1_math_peek(p, 2)->kind == T_RBRACE) {
        p->i += 3;
        return symbol(c, t->s, t->n, false); /* a segment AB */
    }
    r1_node *a = r1_math_parse_argument(p);
    bool complex = a && (r1_math_sym_is(a, "z") || r1_math_sym_is(a, "w"));
    if (a && a->kind == K_SYM && !complex) return rename_to(c, a, "~", "", 0); /* a mean, a complement: another letter */
    return a && r1_math_is_scalar(a) && !(a->kind == K_NUM) ? r1_math_fn(c, F_CONJ, a, NULL) : NULL;
}

static r1_node *word(r1_parser *p)
{
    r1_node *x = NULL;
    uint32_t used = r1_math_number_words(p->c, &p->t[p->i], p->end - p->i, &x);
    if (used) {
        p->i += used;
        return x;
    }
    r1_unit u;
    const r1_token *next = r1_math_peek(p, 1);
    bool measured = next->kind == T_WORD && next->text && !p->t[p->i].text && 
                    (r1_math_unit_find(p->c, next->s, next->n, &u) || r1_math_word_is(next->s, next->n, "square") || r1_math_word_is(next->s, next->n, "cubic")); /* ab\text{ cm} */
    bool alone = !measured && (p->i == 0 || p->t[p->i - 1].kind == T_COMMA || p->t[p->i - 1].kind == T_OR || p->t[p->i - 1].kind == T_AND) &&
                 (r1_math_peek(p, 1)->kind == T_END || r1_math_peek(p, 1)->kind == T_COMMA || r1_math_peek(p, 1)->kind == T_OR ||
                  r1_math_peek(p, 1)->kind == T_AND || r1_math_peek(p, 1)->kind == T_STOP || r1_math_peek(p, 1)->kind == T_WORD);
    return !alone && r1_math_starts_factor(p, NULL) ? letters_of(p) : NULL;
}

/* {}_{10}C_{3}, {}^{10}C_3 and the same of P: combinations and permutations, with the index before the letter. */
static r1_node *left_index(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    p->i++;
    r1_node *n = r1_math_parse_argument(p);
    const r1_token *t = r1_math_peek(p, 0);
    bool letter = n && (t->kind == T_IDENT || t->kind == T_WORD) && t->n == 1 && (*t->s == 'C' || *t->s == 'P');
    if (!letter) return NULL;
    p->i++;
    r1_node *k = r1_math_take(p, T_UNDER, -1) ? r1_math_parse_argument(p) : NULL;
    if (!k || !r1_math_is_scalar(n) || !r1_math_is_scalar(k)) return NULL;
    r1_node *chosen = r1_math_fn(c, F_BINOM, n, k);
    return *t->s == 'C' ? chosen : r1_math_op2(c, K_MUL, chosen, r1_math_fn(c, F_FACT, k, NULL));
}

static r1_node *plain_atom(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    const r1_token *t = r1_math_peek(p, 0);
    switch ((r1_tok)t->kind) {
    case T_NUM: {
        if (p->used) return NULL;
        p->i++;
        const r1_token *next = r1_math_peek(p, 0);
        bool ordinal = next->kind == T_WORD && !next->space && next->n == 2 &&
                       (r1_math_word_is(next->s, 2, "st") || r1_math_word_is(next->s, 2, "nd") || r1_math_word_is(next->s, 2, "rd") ||
                        r1_math_word_is(next->s, 2, "th"));
        p->i += ordinal;
        return t->num;
    }
    case T_IDENT: return is_function_letter(p) ? r1_math_parse_apply(p) : letter_with_marks(p);
    case T_CONST:
        p->i++;
        return t->sub == K_I && p->i_is_index ? symbol(c, t->s, t->n, false) : r1_math_node(c, (r1_kind)t->sub, 0);
    case T_INFTY: p->i++; return r1_math_node(c, K_INF, 0);
    case T_EMPTYSET: p->i++; return r1_math_node(c, K_SET, 0);
    case T_NUMBERS: {
        p->i++;
        r1_node *x = r1_math_node(c, K_NUMBERS, 0);
        if (x != &c->bad) x->name = t->s, x->n_name = t->n;
        return x;
    }
    case T_FRAC: p->i++; return fraction(p);
    case T_SQRT: p->i++; return root(p, t->sub);
    case T_BINOM:
        if (t->sub) return NULL;
        p->i++;
        return binomial(p);
    case T_FUNC: p->i++; return function(p, (r1_func)t->sub);
    case T_SUM: p->i++; return sum_or_product(p, F_SUM);
    case T_PROD: p->i++; return sum_or_product(p, F_PROD);
    case T_CALCULUS: p->i++; return t->sub == 'i' ? r1_math_parse_integral(p) : r1_math_parse_limit(p);
    case T_OVERLINE: p->i++; return over_bar(p);
    case T_LBRACE: return brace(p);
    case T_BAR: return t->sub == 1 || t->sub == 3 ? NULL : bars(p);
    case T_NORM: return bars(p);
    case T_BEGIN: return environment(p);
    case T_WORD: return word(p);
    case T_CLOSE: {
        uint32_t french = t->sub == '[' ? french_end(p) : 0;
        return french ? french_interval(p, french) : NULL;
    }
    case T_UNDER: case T_CARET: return left_index(p);
    case T_OPEN:
        if (t->sub == '{') return set_of(p, T_CLOSE);
        if (t->sub == '<') return angle(p);
        if (t->sub == 'f' || t->sub == 'c') return floor_or_ceil(p, t->sub);
        return round_or_square(p);
    default: return NULL;
    }
}

r1_node *r1_math_parse_atom(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    if (++p->depth > R1_MATH_DEPTH_MAX) c->over = true;
    if (!r1_math_spend(c, 6) || c->nomem) return NULL;
    bool inside = p->in_bars;
    const r1_token *t = r1_math_peek(p, 0);
    if (t->kind == T_OPEN) p->in_bars = false;
    r1_node *a = plain_atom(p);
    p->in_bars = inside;
    for (uint32_t k = 0; a && k < 4 && r1_math_is(p, T_BANG, -1); k++) {
        p->i++;
        bool two = r1_math_is(p, T_BANG, -1) && !r1_math_peek(p, 0)->space;
        p->i += two;
        a = r1_math_is_scalar(a) ? r1_math_fn(c, two ? F_FACT2 : F_FACT, a, NULL) : NULL;
    }
    p->depth--;
    return a;
}
