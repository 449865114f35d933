/* math_parse: expressions: set operations, sums, products, powers. Recursive descent; a group nests by one level of depth.
 *
 * Products may be implicit, but a number never follows a number ("2 4" is no 8 and no 24), except as a mixed number, 1\frac34 and
 * "1 3/4". "1/2x" is (1/2)x, as written from left to right. */
#include "reward/math/math_int.h"

const r1_token *r1_math_peek(const r1_parser *p, uint32_t ahead)
{
    static const r1_token end = { .kind = T_END, .s = "" };
    return p->end - p->i > ahead ? &p->t[p->i + ahead] : &end;
}

bool r1_math_is(const r1_parser *p, r1_tok kind, int sub)
{
    const r1_token *t = r1_math_peek(p, 0);
    return t->kind == kind && (sub < 0 || t->sub == sub);
}

bool r1_math_take(r1_parser *p, r1_tok kind, int sub)
{
    if (!r1_math_is(p, kind, sub)) return false;
    p->i++;
    return true;
}

/* A number times a matrix or a vector, element by element; any other product as it is. */
r1_node *r1_math_distribute(r1_math_ctx *c, r1_node *product)
{
    r1_node *body = NULL, *factor = r1_math_node(c, K_MUL, 0);
    if (product->kind != K_MUL) return product;
    const r1_node *head = product->kid[0];
    bool point = product->n == 2 && head->kind == K_SYM && head->n_name == 1 && *head->name >= 'A' && *head->name <= 'Z';
    if (point && product->kid[1]->kind == K_TUPLE) return product; /* A(2,3), C(10,3) */
    for (uint32_t i = 0; i < product->n; i++) {
        r1_node *k = product->kid[i];
        bool vector = k->kind == K_MATRIX || (k->kind == K_TUPLE && k->n > 1 && k->lo_open && k->hi_open);
        if (vector && body) return product;
        if (vector) body = k;
        else if (!r1_math_is_scalar(k)) return product;
        else factor = r1_math_append(c, factor, k);
    }
    if (!body || factor == &c->bad || !factor->n) return product;
    r1_node *made = r1_math_node(c, (r1_kind)body->kind, body->n);
    if (made == &c->bad) return made;
    r1_node **kid = made->kid;
    *made = *body;
    made->kid = kid;
    made->cap = made->n;
    for (uint32_t i = 0; i < body->n; i++) {
        if (!r1_math_is_scalar(body->kid[i])) return product;
        made->kid[i] = r1_math_op2(c, K_MUL, factor->n == 1 ? factor->kid[0] : factor, body->kid[i]);
    }
    return made;
}

/* Signs before a term: their product, and whether one of them was plus-minus ('P', 'M', else 0). */
static bool signs(r1_parser *p, char *both)
{
    bool minus = false;
    *both = 0;
    while (r1_math_is(p, T_OP, '+') || r1_math_is(p, T_OP, '-') || r1_math_is(p, T_OP, 'P') || r1_math_is(p, T_OP, 'M')) {
        char op = (char)r1_math_peek(p, 0)->sub;
        minus ^= op == '-';
        if (op == 'P' || op == 'M') *both = op;
        p->i++;
        r1_math_spend(p->c, 1);
    }
    return minus;
}

static r1_node *with_sign(r1_math_ctx *c, r1_node *a, bool minus, char both)
{
    if (both) {
        a = r1_math_op1(c, K_PM, a);
        if (a != &c->bad) a->op = (uint8_t)((both == 'P') != minus ? '+' : '-');
        return a;
    }
    return minus ? r1_math_distribute(c, r1_math_neg(c, a)) : a;
}

static bool is_set_kind(const r1_node *a)
{
    return a->kind == K_TUPLE || a->kind == K_INTERVAL || a->kind == K_SET || a->kind == K_UNION || a->kind == K_NUMBERS || a->kind == K_BUILDER ||
           a->kind == K_INTERSECT || a->kind == K_MINUS;
}

/* Short words that are no product of letters: "8 men", "2/3 of the cake". */
static bool short_word(const r1_parser *p)
{
    static const char *const joining[] = { "of", "per", "for", "in", "st", "nd", "rd", "th", "am", "pm", "the" };
    static const char *const things[] = { "men", "cow", "dog", "cat", "pig", "hen", "ant", "bee", "egg", "pie", "bag", "box", "can", "jar", "pot", "pen", "car",
                                          "bus", "kid", "boy", "toy", "hat", "cap", "bed", "key", "nut", "win", "lap", "job", "row", "bar", "bun", "tub", "van",
                                          "red", "man", "way", "fly", "bat", "bug", "hut", "jet", "mat", "pet", "pin", "rat", "rod", "rug", "owl", "fox", "fig",
                                          "fan", "map", "tie", "die", "leg", "eye", "arm", "gem", "mug", "pan", "pea", "cab", "peg" };
    const r1_token *t = r1_math_peek(p, 0);
    for (size_t k = 0; k < R1_COUNT(joining); k++)
        if (r1_math_word_is(t->s, t->n, joining[k])) return true;
    bool behind_number = t->space && p->i && p->t[p->i - 1].kind == T_NUM;
    for (size_t k = 0; k < R1_COUNT(things) && behind_number; k++)
        if (r1_math_word_is(t->s, t->n, things[k])) return true;
    return false;
}

bool r1_math_starts_factor(const r1_parser *p, const r1_node *before)
{
    const r1_token *t = r1_math_peek(p, 0);
    if (before && is_set_kind(before)) return false;
    switch ((r1_tok)t->kind) {
    case T_IDENT: {
        r1_unit u; /* \text{ m} behind a value is a unit */
        return !(before && t->text && r1_math_unit_find(p->c, t->s, t->n, &u));
    }
    case T_CONST: case T_FUNC: case T_LBRACE: case T_FRAC: case T_SQRT: case T_SUM: case T_PROD: case T_CALCULUS: case T_OVERLINE: case T_BEGIN: return true;
    case T_BINOM: return t->sub == 0;
    case T_INFTY: return before == NULL;
    case T_OPEN: return (t->sub == '(' && r1_math_peek(p, 1)->kind != T_MODULO) || t->sub == '[' || t->sub == 'f' || t->sub == 'c';
    case T_BAR: return !p->in_bars && !p->in_builder && t->sub != 1 && t->sub != 3;
    case T_WORD: { /* "xy" is a product where it cannot be a word */
        r1_unit u;
        const r1_token *next = r1_math_peek(p, 1);
        bool power = (r1_math_word_is(t->s, t->n, "sq") || r1_math_word_is(t->s, t->n, "cu")) && (next->kind == T_WORD || next->kind == T_STOP || next->text);
        if (power) return false; /* "15 sq cm" */
        if (t->text || t->n > 3 || r1_math_is_stop_word(t->s, t->n) || r1_math_unit_find(p->c, t->s, t->n, &u)) return false;
        return !short_word(p);
    }
    default: return false;
    }
}

static bool whole(const r1_token *t) { return t->kind == T_NUM && t->num->digits == 0 && mpz_cmp_ui(mpq_denref(t->num->q), 1) == 0; }

static bool proper(r1_math_ctx *c, const r1_node *a)
{
    (void)c;
    return a->kind == K_NUM && mpq_sgn(a->q) > 0 && mpq_cmp_ui(a->q, 1, 1) < 0;
}

/* Whether \frac at p->i has nothing but numbers in it: seen before it is read, because it may have to be read again. */
static bool of_numbers(const r1_parser *p)
{
    uint32_t k = 1;
    for (int argument = 0; argument < 2; argument++) {
        bool brace = r1_math_peek(p, k)->kind == T_LBRACE;
        const r1_token *number = r1_math_peek(p, k + brace);
        if (number->kind != T_NUM || (brace && r1_math_peek(p, k + 2)->kind != T_RBRACE)) return false;
        if (!brace && number->n == 2 && argument == 0) return true; /* \frac34 */
        k += brace ? 3 : 1;
    }
    return true;
}

/* Behind a whole number: a proper fraction, as part of a mixed number. */
static r1_node *mixed(r1_parser *p)
{
    const r1_token *t = r1_math_peek(p, 0);
    uint32_t start = p->i;
    r1_node *f = NULL;
    if (whole(t) && t->space && r1_math_peek(p, 1)->kind == T_OP && r1_math_peek(p, 1)->sub == '/' && whole(r1_math_peek(p, 2))) {
        const r1_node *num = t->num, *den = r1_math_peek(p, 2)->num;
        if (mpq_sgn(den->q) <= 0) return NULL;
        f = r1_math_num(p->c, 0);
        if (f != &p->c->bad) mpq_div(f->q, num->q, den->q);
        p->i += 3;
    } else if (t->kind == T_FRAC && of_numbers(p)) {
        f = r1_math_parse_atom(p);
        if (f && f->kind == K_MUL && f->n == 2 && f->kid[0]->kind == K_NUM && f->kid[1]->kind == K_POW && f->kid[1]->kid[0]->kind == K_NUM &&
            mpq_sgn(f->kid[1]->kid[0]->q) > 0 && !f->kid[0]->digits &&
            r1_math_spend(p->c, 10 + mpz_size(mpq_numref(f->kid[0]->q)) * mpz_size(mpq_numref(f->kid[1]->kid[0]->q)))) {
            r1_node *value = r1_math_num(p->c, 0);
            if (value != &p->c->bad) mpq_div(value->q, f->kid[0]->q, f->kid[1]->kid[0]->q);
            f = value;
        }
    }
    if (f && f != &p->c->bad && proper(p->c, f) && !r1_math_is(p, T_CARET, -1)) return f;
    p->i = start;
    return NULL;
}

static r1_node *first_factor(r1_parser *p)
{
    const r1_token *t = r1_math_peek(p, 0);
    bool number = whole(t) && !p->used;
    r1_node *a = r1_math_parse_power(p);
    if (!a || !number || a->kind != K_NUM) return a;
    r1_node *f = mixed(p);
    return f ? r1_math_op2(p->c, K_ADD, a, f) : a;
}

static r1_node *signed_factor(r1_parser *p)
{
    char both;
    bool minus = signs(p, &both);
    r1_node *a = first_factor(p);
    return a ? with_sign(p->c, a, minus, both) : NULL;
}

/* "3 x 10^4": the letter between two numbers. */
static bool times_letter(const r1_parser *p)
{
    const r1_token *t = r1_math_peek(p, 0);
    return t->kind == T_IDENT && t->n == 1 && (*t->s == 'x' || *t->s == 'X') && p->i > 0 && p->t[p->i - 1].kind == T_NUM && r1_math_peek(p, 1)->kind == T_NUM;
}

/* "n2^{n-1}", "(n+1)2^n", "2^{3}5^{2}", "2^3 5^2": a number with a power is a factor where it cannot be part of the one before. */
static bool number_with_power(const r1_parser *p)
{
    const r1_token *t = r1_math_peek(p, 0), *before = p->i ? &p->t[p->i - 1] : t;
    if (t->kind != T_NUM || r1_math_peek(p, 1)->kind != T_CARET || p->used || !p->i) return false;
    if (before->kind == T_NUM) return t->space && p->i > 1 && p->t[p->i - 2].kind == T_CARET;
    return before->kind == T_IDENT || before->kind == T_CONST || before->kind == T_RBRACE || (before->kind == T_CLOSE && before->sub == '(');
}

/* "3 out of 8" */
static bool out_of(const r1_parser *p)
{
    const r1_token *t = r1_math_peek(p, 0), *of = r1_math_peek(p, 1);
    return t->kind == T_WORD && r1_math_word_is(t->s, t->n, "out") && of->kind == T_WORD && r1_math_word_is(of->s, of->n, "of") && p->i &&
           p->t[p->i - 1].kind == T_NUM && r1_math_peek(p, 2)->kind == T_NUM;
}

r1_node *r1_math_parse_product(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    r1_node *list = NULL, *last = first_factor(p), *first = last;
    while (last && !c->over) {
        const r1_token *t = r1_math_peek(p, 0);
        uint64_t many;
        if ((t->kind == T_OP && t->sub == '*') || times_letter(p)) {
            p->i++;
            last = signed_factor(p);
        } else if (t->kind == T_OP && t->sub == '/') {
            p->i++;
            last = signed_factor(p);
            if (last) last = r1_math_inv(c, last);
        } else if (out_of(p)) {
            p->i += 2;
            last = r1_math_parse_power(p);
            if (last) last = r1_math_inv(c, last);
        } else if (t->kind == T_WORD && (many = r1_math_multiplier(t->s, t->n)) > 0) {
            p->i++;
            last = r1_math_num(c, (long)many);
        } else if (t->kind == T_NUM && p->i > 0 && p->t[p->i - 1].kind == T_BANG) last = r1_math_parse_power(p); /* 2!3! */
        else if (number_with_power(p) && r1_math_is_scalar(last)) last = r1_math_parse_power(p);
        else if (!p->used && r1_math_starts_factor(p, last)) last = r1_math_parse_power(p);
        else break;
        if (!last) return NULL;
        if (!list) list = r1_math_append(c, r1_math_node(c, K_MUL, 0), first);
        list = r1_math_append(c, list, last);
    }
    return list ? r1_math_distribute(c, list) : last;
}

r1_node *r1_math_parse_sum(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    r1_node *list = NULL, *first = NULL;
    if (++p->depth > R1_MATH_DEPTH_MAX) c->over = true;
    for (bool begun = false; !c->over; begun = true) {
        bool sign = r1_math_is(p, T_OP, '+') || r1_math_is(p, T_OP, '-') || r1_math_is(p, T_OP, 'P') || r1_math_is(p, T_OP, 'M');
        if (begun && !sign) break;
        char both;
        bool minus = signs(p, &both);
        r1_node *term = r1_math_parse_product(p);
        if (!term) {
            first = NULL;
            break;
        }
        term = with_sign(c, term, minus, both);
        if (!first) first = term;
        else {
            if (!list) list = r1_math_append(c, r1_math_node(c, K_ADD, 0), first);
            list = r1_math_append(c, list, term);
        }
    }
    r1_node *sum = first && list ? list : first;
    if (sum && r1_math_take(p, T_BINOM, 2)) { /* {a \over b} */
        r1_node *b = r1_math_parse_sum(p);
        sum = b ? r1_math_op2(c, K_MUL, sum, r1_math_inv(c, b)) : NULL;
    }
    if (sum && r1_math_take(p, T_BINOM, 1)) { /* n \choose k */
        r1_node *k = r1_math_parse_sum(p);
        sum = k ? r1_math_fn(c, F_BINOM, sum, k) : NULL;
    }
    p->depth--;
    return sum;
}

r1_node *r1_math_parse_expr(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    r1_node *a = r1_math_parse_sum(p);
    while (a && !c->over) {
        const r1_token *t = r1_math_peek(p, 0);
        bool letter_u = t->kind == T_IDENT && t->n == 1 && *t->s == 'U' && is_set_kind(a) && r1_math_peek(p, 1)->kind != T_END;
        if (t->kind != T_SETOP && !letter_u) break;
        r1_kind k = letter_u || t->sub == 'u' ? K_UNION : t->sub == 'n' ? K_INTERSECT : K_MINUS;
        p->i++;
        r1_node *b = r1_math_parse_sum(p);
        if (!b) return NULL;
        a = a->kind == k && k != K_MINUS ? r1_math_append(c, a, b) : r1_math_op2(c, k, a, b);
    }
    return a;
}

/* Behind ^: a degree sign, the ending of an ordinal, a prime; what they make of a, NULL when it is a plain exponent. */
static r1_node *odd_exponent(r1_parser *p, r1_node *a)
{
    uint32_t start = p->i;
    bool brace = r1_math_take(p, T_LBRACE, -1);
    const r1_token *t = r1_math_peek(p, 0);
    r1_node *made = NULL;
    if (t->kind == T_DEGREE) made = a; /* the sign is left for the caller */
    else if (t->kind == T_WORD && a->kind == K_NUM &&
             (r1_math_word_is(t->s, t->n, "th") || r1_math_word_is(t->s, t->n, "st") || r1_math_word_is(t->s, t->n, "nd") ||
              r1_math_word_is(t->s, t->n, "rd"))) {
        made = a;
        p->i++;
    }
    if (made && brace && t->kind != T_DEGREE && !r1_math_take(p, T_RBRACE, -1)) made = NULL;
    if (!made || t->kind == T_DEGREE) p->i = start;
    return made;
}

/* A degree sign, as a function of what stands before it, or a temperature. */
static r1_node *degree(r1_parser *p, r1_node *a)
{
    r1_math_ctx *c = p->c;
    bool brace = r1_math_take(p, T_LBRACE, -1);
    p->i++;
    if (brace && !r1_math_take(p, T_RBRACE, -1)) return NULL;
    const r1_token *t = r1_math_peek(p, 0);
    bool cel = (t->kind == T_IDENT || t->kind == T_WORD) && (r1_math_word_is(t->s, t->n, "c") || r1_math_word_is(t->s, t->n, "celsius"));
    bool fah = (t->kind == T_IDENT || t->kind == T_WORD) && (r1_math_word_is(t->s, t->n, "f") || r1_math_word_is(t->s, t->n, "fahrenheit"));
    if (!cel && !fah) return r1_math_fn(c, F_DEGREE, a, NULL);
    p->i++;
    r1_node *x = r1_math_op1(c, K_QUANTITY, a);
    r1_unit *u = r1_math_unit_new(c);
    if (x == &c->bad || !u || !r1_math_unit_find(c, cel ? "celsius" : "fahrenheit", cel ? 7 : 10, u)) return NULL;
    x->u = u;
    return x;
}

static r1_node *exponent(r1_parser *p)
{
    char both;
    bool minus = signs(p, &both);
    r1_node *e = r1_math_parse_argument(p);
    return e ? with_sign(p->c, e, minus, both) : NULL;
}

r1_node *r1_math_parse_power(r1_parser *p)
{
    enum { TOWER_MAX = 40 };
    r1_math_ctx *c = p->c;
    r1_node *tower[TOWER_MAX];
    uint32_t n = 0;
    r1_node *a = r1_math_parse_atom(p);
    if (!a) return NULL;
    tower[n++] = a;
    while (!c->over && r1_math_is(p, T_CARET, -1)) {
        p->i++;
        if (n == 1) {
            r1_node *odd = odd_exponent(p, a);
            bool sign = odd && (r1_math_is(p, T_DEGREE, -1) || r1_math_is(p, T_LBRACE, -1));
            if (odd && !sign) return odd;
            if (odd) return degree(p, a);
        }
        if (n == TOWER_MAX) {
            c->over = true;
            return NULL;
        }
        r1_node *e = exponent(p);
        if (!e) return NULL;
        tower[n++] = e;
    }
    while (n > 1) {
        n--;
        tower[n - 1] = r1_math_op2(c, K_POW, tower[n - 1], tower[n]);
    }
    if (r1_math_is(p, T_DEGREE, -1)) return degree(p, tower[0]);
    return tower[0];
}
