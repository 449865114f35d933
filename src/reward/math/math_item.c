/* math_item: answers as wholes: quantities, percentages, ratios, relations, lists of them, and words where nothing else fits.
 *
 * An item ends at a comma, "and", "or" or a closing bracket outside its own brackets. A list of items is tried as one item first,
 * because "3 hours and 20 minutes" is one. */
#include "reward/math/math_int.h"

/* Tokens from p->i up to the end of the item. */
static uint32_t item_length(const r1_parser *p)
{
    uint32_t level = 0, k = p->i;
    for (; k < p->end; k++) {
        r1_tok kind = (r1_tok)p->t[k].kind;
        if (kind == T_OPEN || kind == T_LBRACE) level++;
        else if (kind == T_CLOSE || kind == T_RBRACE) {
            if (!level) break;
            level--;
        } else if (!level &&
                   (kind == T_COMMA || kind == T_SEMI || kind == T_REL || kind == T_AND || kind == T_OR || kind == T_AMP || kind == T_ROW || kind == T_MODULO))
            break;
    }
    while (k > p->i && p->t[k - 1].kind == T_STOP) k--;
    return k - p->i;
}

static bool any_of(const r1_token *t, const char *const *list, size_t count)
{
    for (size_t k = 0; k < count && t->kind == T_WORD; k++)
        if (r1_math_word_is(t->s, t->n, list[k])) return true;
    return false;
}

static bool is_constant(const r1_node *a) { return r1_math_is_scalar(a) && !r1_math_has(a, K_SYM) && !r1_math_has(a, K_APPLY); }

static r1_node *quantity(r1_math_ctx *c, r1_node *value, const r1_unit *u)
{
    r1_node *x = r1_math_op1(c, K_QUANTITY, value);
    r1_unit *own = r1_math_unit_new(c);
    if (x == &c->bad || !own) return &c->bad;
    *own = *u;
    x->u = own;
    return x;
}

static r1_node *currency(r1_math_ctx *c, uint8_t sign, r1_node *value)
{
    r1_unit u;
    const char *name = sign == 'L' ? "gbp" : sign == 'E' ? "euro" : sign == 'Y' ? "yen" : sign == 'R' ? "rupee" : "usd";
    return r1_math_unit_find(c, name, strlen(name), &u) ? quantity(c, value, &u) : &c->bad;
}

/* "$7.20", "-$5" */
static r1_node *money(r1_parser *p)
{
    uint32_t start = p->i;
    bool minus = r1_math_take(p, T_OP, '-');
    const r1_token *code = r1_math_peek(p, 0);
    uint8_t named = code->kind != T_WORD || r1_math_peek(p, 1)->kind != T_NUM ? 0 : !memcmp(code->s, "USD", 3) ? '$' : !memcmp(code->s, "EUR", 3) ? 'E' :
                    !memcmp(code->s, "GBP", 3) ? 'L' : 0; /* "USD 990" */
    if (!r1_math_is(p, T_CURRENCY, -1) && (!named || code->n != 3)) {
        p->i = start;
        return NULL;
    }
    uint8_t sign = named ? named : r1_math_peek(p, 0)->sub;
    p->i++;
    r1_node *a = r1_math_parse_sum(p);
    if (!a || !r1_math_is_scalar(a)) return NULL;
    r1_unit u;
    if (r1_math_is(p, T_WORD, -1) && r1_math_word_is(r1_math_peek(p, 0)->s, r1_math_peek(p, 0)->n, "per")) p->i++; /* "$5 per hour" */
    uint32_t n = item_length(p);
    if (n && p->t[p->i].kind == T_WORD && r1_math_unit_tokens(p->c, &p->t[p->i], n, &u) == n) p->i += n; /* "$5 per hour", "$12 dollars" */
    return currency(p->c, sign, minus ? r1_math_neg(p->c, a) : a);
}

/* Degrees of a whole item are a unit; inside expressions they are a number. */
static r1_node *degrees_out(r1_math_ctx *c, r1_node *a)
{
    r1_node *value = NULL;
    if (a->kind == K_FUNC && a->op == F_DEGREE) value = a->kid[0];
    else if (a->kind == K_MUL && a->n == 2 && a->kid[0]->kind == K_NUM && a->kid[1]->kind == K_FUNC && a->kid[1]->op == F_DEGREE)
        value = r1_math_op2(c, K_MUL, a->kid[0], a->kid[1]->kid[0]);
    if (!value || !is_constant(value)) return a;
    r1_unit u;
    return r1_math_unit_find(c, "degree", 6, &u) ? quantity(c, value, &u) : a;
}

static bool unit_may_start(const r1_token *t)
{
    return t->kind == T_WORD || t->kind == T_DEGREE || (t->kind == T_IDENT && t->text) || (t->kind == T_CURRENCY);
}

/* "3 hours 20 minutes": more quantities of the same kind behind the first. */
static r1_node *more_quantities(r1_parser *p, r1_node *first)
{
    r1_math_ctx *c = p->c;
    r1_node *sum = first;
    for (int k = 0; k < 4; k++) {
        uint32_t start = p->i;
        bool joined = r1_math_take(p, T_AND, -1);
        if (!joined) joined = r1_math_take(p, T_COMMA, -1) && r1_math_is(p, T_NUM, -1);
        r1_unit u;
        r1_node *a = r1_math_is(p, T_NUM, -1) ? r1_math_parse_product(p) : NULL;
        uint32_t n = a ? item_length(p) : 0, used = n && unit_may_start(&p->t[p->i]) ? r1_math_unit_tokens(c, &p->t[p->i], n, &u) : 0;
        if (!used || !r1_math_unit_same_dim(&u, first->u) || mpq_cmp(u.factor, sum->u->factor) >= 0 || a->kind != K_NUM) {
            p->i = start;
            return sum;
        }
        p->i += used;
        r1_node *scaled = r1_math_num_q(c, a->q);
        if (scaled == &c->bad) return scaled;
        mpq_mul(scaled->q, scaled->q, u.factor);
        mpq_div(scaled->q, scaled->q, first->u->factor);
        r1_node *total = quantity(c, r1_math_op2(c, K_ADD, sum->kid[0], scaled), first->u);
        if (total == &c->bad) return total;
        sum = total;
    }
    return sum;
}

/* Behind letters only what is surely a unit is one: "2xy\text{ cm}", but not "n\text{ even}". */
static bool unit_of_letters(const r1_parser *p, const r1_node *a)
{
    const r1_token *t = &p->t[p->i];
    r1_unit u;
    if (!r1_math_is_scalar(a) || (t->kind != T_WORD && !t->text)) return false;
    if (r1_math_word_is(t->s, t->n, "in") || r1_math_word_is(t->s, t->n, "a")) return t->text && r1_math_peek(p, 1)->kind == T_END;
    if (r1_math_word_is(t->s, t->n, "square") || r1_math_word_is(t->s, t->n, "cubic") || r1_math_word_is(t->s, t->n, "sq")) return true;
    return r1_math_unit_find(p->c, t->s, t->n, &u);
}

/* An expression with what may stand behind it: unit, percent sign. */
static r1_node *with_unit(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    r1_node *a = money(p);
    if (a) return a;
    a = r1_math_parse_expr(p);
    if (!a || c->over) return a;
    if (r1_math_is(p, T_PERCENT, -1) && r1_math_is_scalar(a)) {
        p->i++;
        uint32_t n = item_length(p);
        r1_unit u;
        if (n && p->t[p->i].kind == T_WORD && r1_math_unit_tokens(c, &p->t[p->i], n, &u) == n) p->i += n; /* "20% of them" */
        return r1_math_op1(c, K_PERCENT, a);
    }
    a = degrees_out(c, a);
    uint32_t n = item_length(p);
    r1_unit u;
    if (!n || !unit_may_start(&p->t[p->i]) || !(is_constant(a) || unit_of_letters(p, a))) return a;
    bool in_relation = p->t[p->i].kind == T_WORD && r1_math_word_is(p->t[p->i].s, p->t[p->i].n, "in") && n > 1 && p->t[p->i + 1].kind == T_OPEN;
    uint32_t used = in_relation ? 0 : r1_math_unit_tokens(c, &p->t[p->i], n, &u);
    if (!used) return a;
    p->i += used;
    a = quantity(c, a, &u);
    return a == &c->bad || a->kid[0]->kind != K_NUM ? a : more_quantities(p, a);
}

/* "3 to 2" */
static bool word_to(const r1_parser *p)
{
    const r1_token *t = r1_math_peek(p, 0);
    return t->kind == T_WORD && r1_math_word_is(t->s, t->n, "to") && p->i && p->t[p->i - 1].kind == T_NUM && r1_math_peek(p, 1)->kind == T_NUM;
}

static r1_node *ratio(r1_parser *p, r1_node *first)
{
    r1_math_ctx *c = p->c;
    r1_node *list = NULL;
    while (!p->in_builder && (r1_math_is(p, T_COLON, -1) || word_to(p)) && r1_math_is_scalar(first) && !c->over) {
        p->i++;
        r1_node *b = r1_math_parse_sum(p);
        if (!b || !r1_math_is_scalar(b)) return NULL;
        if (!list) list = r1_math_append(c, r1_math_node(c, K_RATIO, 0), first);
        list = r1_math_append(c, list, b);
    }
    return list ? list : first;
}

/* P(x) = ...: any letter before brackets that touch it, and an equals sign behind them. */
static bool applied_letter(const r1_parser *p)
{
    const r1_token *t = r1_math_peek(p, 0), *open = r1_math_peek(p, 1);
    if (t->kind != T_IDENT || open->kind != T_OPEN || open->sub != '(' || open->space) return false;
    uint32_t level = 0;
    for (uint32_t k = 1; k < 40; k++) {
        const r1_token *x = r1_math_peek(p, k);
        if (x->kind == T_END) return false;
        level += x->kind == T_OPEN;
        level -= x->kind == T_CLOSE;
        if (!level) return r1_math_peek(p, k + 1)->kind == T_REL && r1_math_peek(p, k + 1)->sub == R_EQ;
    }
    return false;
}

/* A symbol called by the words from one token to another. */
static r1_node *symbol_of_words(r1_math_ctx *c, const r1_token *from, const r1_token *to)
{
    const char *s;
    size_t n;
    r1_node *x = r1_math_node(c, K_SYM, 0);
    if (x == &c->bad || !r1_math_words(c, from->s, (size_t)(to->s + to->n - from->s), &s, &n)) return NULL;
    x->name = s;
    x->n_name = (uint32_t)n;
    return x;
}

/* P(\text{both red}) = ...: a letter before words in brackets, and an equals sign behind them, as a name; NULL when it is none. */
static r1_node *applied_words(r1_parser *p)
{
    enum { TOKENS_MAX = 16 };
    r1_math_ctx *c = p->c;
    const r1_token *t = r1_math_peek(p, 0), *open = r1_math_peek(p, 1);
    uint32_t k = 2;
    bool words = false;
    if (t->kind != T_IDENT || open->kind != T_OPEN || open->sub != '(' || open->space) return NULL;
    for (; k < TOKENS_MAX; k++) {
        const r1_token *x = r1_math_peek(p, k);
        if (x->kind != T_WORD && x->kind != T_IDENT && x->kind != T_NUM && x->kind != T_AND && x->kind != T_OR) break;
        words = words || (x->kind == T_WORD && (x->text || x->n > 3));
    }
    const r1_token *close = r1_math_peek(p, k), *behind = r1_math_peek(p, k + 1);
    if (!words || close->kind != T_CLOSE || close->sub != '(' || behind->kind != T_REL || behind->sub != R_EQ) return NULL;
    r1_node *x = symbol_of_words(c, t, close);
    if (!x) return NULL;
    p->i += k + 1;
    return x;
}

/* The relation at p->i, taken; R_OTHER + 1 when there is none. */
static unsigned relation(r1_parser *p)
{
    const r1_token *t = r1_math_peek(p, 0);
    if (t->kind == T_REL) {
        p->i++;
        return t->sub;
    }
    const r1_token *next = r1_math_peek(p, 1);
    bool set = (next->kind == T_OPEN && next->sub != 'f' && next->sub != 'c') || next->kind == T_NUMBERS || next->kind == T_EMPTYSET;
    if (t->kind == T_WORD && r1_math_word_is(t->s, t->n, "in") && set) {
        p->i++;
        return R_IN;
    }
    return R_OTHER + 1;
}

static r1_node *modulus(r1_parser *p)
{
    bool bracket = r1_math_is(p, T_OPEN, '(') && r1_math_peek(p, 1)->kind == T_MODULO;
    if (!bracket && !r1_math_is(p, T_MODULO, -1)) return NULL;
    p->i += bracket ? 2u : 1u;
    r1_node *m = r1_math_parse_sum(p);
    if (m && bracket && !r1_math_take(p, T_CLOSE, '(')) return NULL;
    return m && r1_math_is_scalar(m) ? m : NULL;
}

static r1_node *new_relation(r1_math_ctx *c, r1_node *first)
{
    r1_node *x = r1_math_append(c, r1_math_node(c, K_REL, 0), first);
    if (x != &c->bad) x->ops = r1_math_alloc(c, R1_MATH_DEPTH_MAX);
    return x != &c->bad && x->ops ? x : &c->bad;
}

/* Whether "=", or ":" or "is" and no word, stands at p->i + k behind a name of words. A name is no keyword of a program. */
static bool says_is(const r1_parser *p, uint32_t k)
{
    static const char *const code[] = { "lambda", "else", "elif", "try", "finally", "while", "def", "class", "return", "print", "assert", "with", "for" };
    const r1_token *t = r1_math_peek(p, k);
    if (t->kind == T_REL) return t->sub == R_EQ;
    bool is = (t->kind == T_COLON && !p->in_builder) || (t->kind == T_WORD && r1_math_word_is(t->s, t->n, "is"));
    return is && !any_of(r1_math_peek(p, 0), code, R1_COUNT(code)) && r1_math_peek(p, k + 1)->kind != T_WORD && r1_math_peek(p, k + 1)->kind != T_END;
}

/* "Area = 5", "total cost: 7", "the total is 7": words as a name. */
static r1_node *word_name(r1_parser *p)
{
    enum { WORDS_MAX = 5 };
    r1_math_ctx *c = p->c;
    uint32_t n = 0;
    while (n <= WORDS_MAX && r1_math_peek(p, n)->kind == T_WORD && !r1_math_is_stop_word(r1_math_peek(p, n)->s, r1_math_peek(p, n)->n)) n++;
    const r1_token *from = r1_math_peek(p, 0), *to = n ? r1_math_peek(p, n - 1) : from;
    bool person = from->n == 3 && from->s[0] >= 'A' && from->s[0] <= 'Z' && from->s[1] >= 'a' && from->s[2] >= 'a'; /* Bob = 3 */
    if (!n || n > WORDS_MAX || !says_is(p, n) || (n == 1 && from->n < 4 && !from->text && !person)) return NULL;
    r1_node *x = symbol_of_words(c, from, to);
    if (!x) return NULL;
    p->i += n;
    return x;
}

r1_node *r1_math_parse_item(r1_parser *p)
{
    r1_math_ctx *c = p->c;
    if (r1_math_is(p, T_REL, R_EQ) || r1_math_is(p, T_REL, R_APPROX)) p->i++; /* "= 5" */
    r1_node *a = word_name(p);
    bool named = a != NULL;
    if (!a) a = applied_words(p);
    if (!a) a = applied_letter(p) ? r1_math_parse_apply(p) : with_unit(p);
    if (a && !named) a = ratio(p, a);
    r1_node *list = NULL;
    while (a && !c->over) {
        unsigned op = named && !list ? (p->i++, R_EQ) : relation(p);
        if (op > R_OTHER) break;
        r1_node *b = with_unit(p);
        if (b) b = ratio(p, b);
        if (!b) return NULL;
        if (!list) list = new_relation(c, a);
        if (list == &c->bad || list->n + 1 >= R1_MATH_DEPTH_MAX) return NULL;
        list->ops[list->n - 1] = (uint8_t)op;
        list = r1_math_append(c, list, b);
    }
    if (!a) return NULL;
    a = list ? list : a;
    uint32_t start = p->i;
    r1_node *m = modulus(p);
    if (!m) {
        if (p->i != start) return NULL;
        return a;
    }
    bool residue = a->kind == K_REL || p->t[start].kind == T_OPEN || p->t[start].sub == 1;
    return residue ? r1_math_op2(c, K_MODULO, a, m) : r1_math_is_scalar(a) ? r1_math_fn(c, F_MOD, a, m) : NULL;
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

static r1_node *words_of(r1_math_ctx *c, const r1_math_tokens *all, uint32_t from, uint32_t to)
{
    const char *a = all->t[from].s, *b = to ? all->t[to - 1].s + all->t[to - 1].n : a;
    if (from == 0) a = all->clean; /* wrappers before the first token too */
    if (to == all->n) b = all->clean + all->n_clean;
    const char *s;
    size_t n;
    if (b < a || !r1_math_words(c, a, (size_t)(b - a), &s, &n) || !n) return NULL;
    r1_node *x = r1_math_node(c, K_WORDS, 0);
    if (x == &c->bad) return x;
    x->name = s;
    x->n_name = (uint32_t)n;
    const r1_token *t = &all->t[from];
    x->letters = to == from + 1 && t->kind == T_WORD && !t->text && t->n >= 2 && t->n <= 4 && n == t->n;
    for (uint32_t i = 0; i < t->n && x->letters; i++) x->letters = s[i] == t->s[i] && s[i] >= 'a' && s[i] <= 'z';
    return x;
}

/* Whether [ and ] stand around all of it: then it is a list of one, and no number. */
static bool square_brackets(const r1_math_tokens *all, uint32_t from, uint32_t to)
{
    uint32_t level = 0;
    if (all->t[from].kind != T_OPEN || all->t[from].sub != '[') return false;
    for (uint32_t k = from; k < to; k++) {
        level += all->t[k].kind == T_OPEN;
        level -= all->t[k].kind == T_CLOSE;
        if (!level) return k + 1 == to;
    }
    return false;
}

static r1_node *one_item(r1_math_ctx *c, const r1_math_tokens *all, uint32_t from, uint32_t to)
{
    r1_parser p = { .c = c, .t = all->t, .i = from, .end = to };
    while (p.end > from && p.t[p.end - 1].kind == T_STOP) p.end--;
    if (p.end == from) return NULL;
    if (p.end == from + 1 && p.t[from].kind == T_DOTS) return r1_math_node(c, K_DOTS, 0);
    r1_node *a = r1_math_parse_item(&p);
    if (!a || p.i != p.end || c->over) return NULL;
    return r1_math_is_scalar(a) && square_brackets(all, from, p.end) ? r1_math_append(c, r1_math_node(c, K_TUPLE, 0), a) : a;
}

/* The next separator at depth 0 in [from, to), or to. */
static uint32_t next_separator(const r1_math_tokens *all, uint32_t from, uint32_t to, bool or_only)
{
    uint32_t level = 0;
    for (uint32_t k = from; k < to; k++) {
        r1_tok kind = (r1_tok)all->t[k].kind;
        if (kind == T_OPEN || kind == T_LBRACE || kind == T_BEGIN) level++;
        else if ((kind == T_CLOSE || kind == T_RBRACE || kind == T_ENDENV) && level) level--;
        if (level) continue;
        if (kind == T_OR) return k;
        if (!or_only && (kind == T_COMMA || kind == T_SEMI || kind == T_AND || kind == T_AMP || kind == T_ROW)) return k;
    }
    return to;
}

/* The items of [from, to) appended to list; NULL when one cannot be read. */
static r1_node *split(r1_math_ctx *c, const r1_math_tokens *all, uint32_t from, uint32_t to, r1_node *list, bool words)
{
    while (from < to && !c->over) {
        uint32_t k = next_separator(all, from, to, false);
        if (k > from) {
            r1_node *e = one_item(c, all, from, k);
            if (!e && words) e = words_of(c, all, from, k);
            if (!e) return NULL;
            list = r1_math_append(c, list, e);
        } else if (all->t[k].kind == T_COMMA && k + 1 < to && all->t[k + 1].kind == T_COMMA) return NULL; /* ",," */
        from = k + 1;
    }
    return list->n ? list : NULL;
}

static bool all_relations(const r1_node *list)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (list->kid[i]->kind != K_REL) return false;
    return true;
}

r1_node *r1_math_parse_items(r1_math_ctx *c, const r1_math_tokens *all, uint32_t from, uint32_t to, bool words)
{
    while (to > from && (all->t[to - 1].kind == T_STOP || all->t[to - 1].kind == T_SEMI)) to--;
    if (from == to) return NULL;
    if (all->t[to - 1].kind == T_OR) return words ? words_of(c, all, from, to) : NULL; /* "7 or": the other is not said */
    r1_node *one = one_item(c, all, from, to);
    if (one || c->over) return one;
    if (next_separator(all, from, to, false) == to) return words ? words_of(c, all, from, to) : NULL;
    r1_node *outer = r1_math_node(c, K_LIST, 0);
    bool any_or = next_separator(all, from, to, true) < to, nested = any_or, any_comma = false, any_and = false;
    for (uint32_t k = next_separator(all, from, to, false); k < to; k = next_separator(all, k + 1, to, false)) {
        any_comma |= all->t[k].kind == T_COMMA || all->t[k].kind == T_SEMI || all->t[k].kind == T_ROW;
        any_and |= all->t[k].kind == T_AND;
    }
    for (uint32_t f = from; f < to && !c->over;) {
        uint32_t k = next_separator(all, f, to, true);
        r1_node *group = split(c, all, f, k, r1_math_node(c, K_LIST, 0), words);
        if (!group || group == &c->bad) return NULL;
        group->op = ',';
        nested = nested && group->n > 1 && all_relations(group);
        outer = r1_math_append(c, outer, group);
        f = k + 1;
    }
    if (outer == &c->bad || !outer->n) return NULL;
    outer->op = any_or ? '|' : any_and && !any_comma ? '&' : ',';
    if (nested && outer->n > 1) return outer;
    r1_node *flat = r1_math_node(c, K_LIST, 0);
    for (uint32_t i = 0; i < outer->n; i++)
        for (uint32_t k = 0; k < outer->kid[i]->n; k++) flat = r1_math_append(c, flat, outer->kid[i]->kid[k]);
    if (flat == &c->bad) return flat;
    flat->op = outer->op;
    return flat->n == 1 ? flat->kid[0] : flat;
}

/* What may stand before an answer and says nothing: "answer:", "therefore", "\therefore". Returns the first token behind it. */
static uint32_t skip_lead(const r1_math_tokens *all)
{
    static const char *const lead[] = { "answer", "the",           "final", "is",      "therefore", "thus",     "so",        "hence", "result",
                                        "value",  "approximately", "about", "exactly", "equals",    "solution", "solutions", "are",   "roughly" };
    static const char *const place[] = { "point", "points", "coordinates", "ordered", "pair", "pairs", "triple" }; /* only before brackets */
    uint32_t k = 0;
    for (bool more = true; more && k < all->n;) {
        const r1_token *t = &all->t[k];
        more = false;
        for (size_t i = 0; i < R1_COUNT(lead) && t->kind == T_WORD; i++) more |= r1_math_word_is(t->s, t->n, lead[i]);
        more |= k > 0 && t->kind == T_COLON;
        k += more;
    }
    uint32_t m = k;
    while (m < all->n && any_of(&all->t[m], place, R1_COUNT(place))) m++;
    if (m < all->n && all->t[m].kind == T_OPEN && all->t[m].sub == '(') k = m;
    return k < all->n ? k : 0;
}

/* The end of tokens without the plus of \mathbb{Z}^+ or \mathbb{Z}^{+}. */
static uint32_t without_plus(const r1_token *t, uint32_t end)
{
    if (end > 2 && t[end - 1].kind == T_OP && t[end - 1].sub == '+' && t[end - 2].kind == T_CARET) return end - 2;
    bool braced = end > 4 && t[end - 1].kind == T_RBRACE && t[end - 2].kind == T_OP && t[end - 2].sub == '+' && t[end - 3].kind == T_LBRACE;
    return braced && t[end - 4].kind == T_CARET ? end - 4 : end;
}

/* "non-negative" before t[k]: three tokens. */
static bool non_negative(const r1_token *t, uint32_t k)
{
    return k > 2 && t[k - 1].kind == T_WORD && r1_math_word_is(t[k - 1].s, t[k - 1].n, "negative") && t[k - 2].kind == T_OP && t[k - 2].sub == '-' &&
           t[k - 3].kind == T_WORD && r1_math_word_is(t[k - 3].s, t[k - 3].n, "non");
}

/* The set that words behind an answer name: "for all positive integers n". */
static char range_of_words(const r1_token *t, uint32_t n)
{
    static const char *const integers[] = { "integer", "integers", "whole" }, *const naturals[] = { "natural" }, *const positive[] = { "positive" },
                             *const other[] = { "nonnegative" }, *const reals[] = { "real" };
    char of = 'A';
    for (uint32_t i = 0; i < n; i++) of = any_of(&t[i], integers, R1_COUNT(integers)) ? 'Z' : any_of(&t[i], reals, 1) ? 'R' : of;
    for (uint32_t i = 0; i < n; i++) of = any_of(&t[i], naturals, 1) ? 'N' : any_of(&t[i], positive, 1) ? '+' : any_of(&t[i], other, 1) ? '0' : of;
    return of;
}

/* Where what only names the range of a letter begins: ", k \in \mathbb{Z}", "(k is an integer)", "for all real x"; all->n when there is no
 * such thing. It is none behind an inequality, which it would restrict, nor of a letter that is not in the answer. */
static uint32_t range_of_letter(const r1_math_tokens *all, r1_math_range *range)
{
    static const char *const words[] = { "where", "for",     "with",     "is",      "an",          "any",  "all", "every", "integer", "integers",
                                         "real",  "numbers", "positive", "natural", "nonnegative", "whole", "number" };
    static const char *const saying[] = { "integer", "integers", "all", "every", "any" };
    uint32_t end = all->n, k, letters = 0;
    const r1_token *t = all->t, *letter = NULL;
    while (end && t[end - 1].kind == T_STOP) end--;
    bool bracket = end && t[end - 1].kind == T_CLOSE && t[end - 1].sub == '(', says = false;
    if (bracket) end--;
    k = end;
    uint32_t set = without_plus(t, end);
    char of = 0;
    if (set > 3 && t[set - 1].kind == T_NUMBERS && strchr("ZN", t[set - 1].s[0]) && t[set - 2].kind == T_REL && t[set - 2].sub == R_IN) {
        letter = &t[set - 3];
        letters = says = letter->kind == T_IDENT;
        of = set < end ? '+' : t[set - 1].s[0];
        k = set - 3;
    }
    uint32_t to = k;
    while (k && (any_of(&t[k - 1], words, R1_COUNT(words)) || (!letters && t[k - 1].kind == T_IDENT) || non_negative(t, k))) {
        bool two = non_negative(t, k);
        if (two) of = '0';
        k -= two ? 3 : 1;
        says = says || any_of(&t[k], saying, R1_COUNT(saying));
        if (t[k].kind == T_IDENT) letters++, letter = &t[k];
    }
    if (!of) of = range_of_words(t + k, to - k);
    if (bracket && !(k && t[k - 1].kind == T_OPEN && t[k - 1].sub == '(')) return all->n;
    k -= bracket;
    if (k && t[k - 1].kind == T_COMMA) k--;
    bool used = false;
    for (uint32_t i = 0; i < k && letter; i++) {
        if (t[i].kind == T_REL && t[i].sub != R_EQ) return all->n;
        used = used || (t[i].kind == T_IDENT && t[i].n == letter->n && !memcmp(t[i].s, letter->s, letter->n));
    }
    if (!used || !says || letters != 1) return all->n;
    *range = (r1_math_range){ { letter->s, letter->n }, of };
    return k;
}

/* Where what only leaves out points begins, ", x \ne 3" or "where x \ne 3 and x \ne 4" behind a formula in x, which has no value there or
 * goes on; all->n when there is no such thing. */
static uint32_t excluded_points(const r1_math_tokens *all)
{
    static const char *const words[] = { "where", "for", "with", "when", "if", "provided", "that", "all" };
    const r1_token *t = all->t;
    uint32_t end = all->n, i = 2, k;
    while (i < end && !(t[i].kind == T_REL && t[i].sub == R_NE)) i++;
    while (end && t[end - 1].kind == T_STOP) end--;
    if (i + 1 >= end || t[i - 1].kind != T_IDENT) return all->n;
    const r1_token *letter = &t[i - 1];
    for (k = i - 1; k && any_of(&t[k - 1], words, R1_COUNT(words));) k--;
    bool bracket = k && t[k - 1].kind == T_OPEN && t[k - 1].sub == '(' && t[end - 1].kind == T_CLOSE;
    bool said = k < i - 1 || bracket;
    k -= bracket;
    end -= bracket;
    if (k && t[k - 1].kind == T_COMMA) k--, said = true;
    bool used = false, same = true;
    for (uint32_t j = 0; j < k && same; j++) {
        same = t[j].kind != T_COMMA && !(t[j].kind == T_REL && t[j].sub != R_EQ);
        used = used || (t[j].kind == T_IDENT && t[j].n == letter->n && !memcmp(t[j].s, letter->s, letter->n));
    }
    for (uint32_t j = i + 1; j < end && same; j++) {
        r1_tok kind = (r1_tok)t[j].kind;
        same = kind == T_NUM || kind == T_OP || kind == T_COMMA || kind == T_FRAC || kind == T_LBRACE || kind == T_RBRACE || kind == T_AND ||
               (kind == T_REL && t[j].sub == R_NE) || (kind == T_IDENT && t[j].n == letter->n && !memcmp(t[j].s, letter->s, letter->n));
    }
    return said && used && same ? k : all->n;
}

/* Whether words name one thing: no second letter that could be a choice, none of the words that join, deny or doubt. */
static bool one_thing(const r1_math_tokens *t)
{
    for (uint32_t i = 0; i < t->n; i++) {
        const r1_token *x = &t->t[i];
        bool letter = x->n == 1 && *x->s >= 'A' && *x->s <= 'J' && (x->kind == T_IDENT || x->kind == T_WORD);
        bool joins = x->kind == T_OR || x->kind == T_AND || x->kind == T_SEMI || x->kind == T_AMP || x->kind == T_ROW;
        if (letter || joins || (x->kind == T_WORD && r1_math_is_stop_word(x->s, x->n))) return false;
    }
    return true;
}

/* "(B) 12 cm": what stands behind the letter must be one value or words for one thing; else the whole is only words. */
static r1_node *choice_with_text(r1_math_ctx *c, r1_node *choice, unsigned flags, const char *clean, size_t n_clean)
{
    r1_math_tokens inner;
    const char *s;
    size_t n;
    r1_node *content = NULL;
    if (r1_math_lex(c, choice->name, choice->n_name, flags, &inner) && one_thing(&inner)) content = r1_math_parse_items(c, &inner, 0, inner.n, true);
    bool ascii = true;
    for (uint32_t i = 0; i < choice->n_name; i++) ascii = ascii && (unsigned char)choice->name[i] < 0x80;
    if (content && content->kind != K_LIST && (ascii || content->kind != K_WORDS)) return r1_math_append(c, choice, content);
    if (c->over || !r1_math_words(c, clean, n_clean, &s, &n)) return NULL;
    r1_node *words = r1_math_node(c, K_WORDS, 0);
    if (words == &c->bad) return words;
    words->name = s;
    words->n_name = (uint32_t)n;
    return words;
}

/* Where the bracket opens that closes at t[end - 1]; `end` when there is none. */
static uint32_t last_bracket(const r1_token *t, uint32_t end)
{
    uint32_t level = 0;
    for (uint32_t k = end; k-- > 0;) {
        level += t[k].kind == T_CLOSE;
        if (!level) return end;
        if (t[k].kind == T_OPEN && --level == 0) return t[k].sub == '(' ? k : end;
    }
    return end;
}

/* Whether the token at k says "approximately". */
static bool says_about(const r1_token *t)
{
    static const char *const list[] = { "approximately", "about", "roughly", "approx" };
    return any_of(t, list, R1_COUNT(list)) || (t->kind == T_REL && t->sub == R_APPROX);
}

/* Whether a bracket that begins so only says why: "5 (since x > 0)", "5 (rejecting -3)". */
static bool gives_reason(const r1_token *t)
{
    static const char *const list[] = { "since", "because", "rejecting", "discarding", "ignoring" };
    return any_of(t, list, R1_COUNT(list));
}

/* "1/3 or approximately 0.333", "1/3 (about 0.333)", "1/3, or about 0.333" as "1/3 \approx 0.333", which is 1/3 if it is rounded so; reasons are taken off. */
static void mend_brackets(r1_math_tokens *all)
{
    r1_token *t = all->t;
    uint32_t end = all->n;
    while (end && t[end - 1].kind == T_STOP) end--;
    uint32_t last = last_bracket(t, end);
    for (uint32_t k = 1; k + 1 < end; k++) {
        uint32_t i = k;
        bool bracket = i == last;
        if (bracket) i++;
        else if (t[i].kind == T_COMMA) i++;
        if (t[i].kind == T_OR) i++;
        bool alone = bracket && i + 2 == end && says_about(&t[i]) && t[i].kind == T_WORD; /* "100 (approximately)" */
        if (alone || (bracket && gives_reason(&t[i]))) {
            all->n = k;
            return;
        }
        if (i + 1 >= end || !says_about(&t[i]) || (t[i + 1].kind != T_NUM && t[i + 1].kind != T_CURRENCY && t[i + 1].kind != T_OP)) continue;
        if (i == k && t[i].kind == T_REL) return;
        t[k] = t[i];
        t[k].kind = T_REL;
        t[k].sub = R_APPROX;
        uint32_t to = bracket ? end - 1 : end, m = k + 1;
        for (uint32_t from = i + 1; from < to; from++) t[m++] = t[from];
        all->n = m;
        return;
    }
}

/* "x < 1 \cup x > 2": a union of what are no sets is "or"; "Yes!" is no factorial. */
static void mend_tokens(r1_math_tokens *all)
{
    mend_brackets(all);
    bool relations = false;
    for (uint32_t i = 0; i < all->n; i++) relations = relations || (all->t[i].kind == T_REL && all->t[i].sub != R_IN);
    for (uint32_t i = 1; i + 1 < all->n && relations; i++) {
        r1_tok before = (r1_tok)all->t[i - 1].kind, behind = (r1_tok)all->t[i + 1].kind;
        bool set = before == T_CLOSE || before == T_OPEN || before == T_NUMBERS || before == T_EMPTYSET || behind == T_OPEN || behind == T_CLOSE ||
                   behind == T_NUMBERS || behind == T_EMPTYSET;
        if (all->t[i].kind == T_SETOP && all->t[i].sub == 'u' && !set) all->t[i].kind = T_OR;
    }
    bool exclaimed = all->n >= 2 && all->t[all->n - 1].kind == T_BANG && all->t[all->n - 2].kind == T_WORD && all->t[all->n - 2].n > 2;
    if (exclaimed) all->n--;
}

r1_node *r1_math_parse_text(r1_math_ctx *c, const char *s, size_t n, unsigned flags, bool *ambiguous)
{
    const char *clean;
    size_t n_clean;
    r1_math_tokens all;
    *ambiguous = false;
    c->range = (r1_math_range){ { NULL, 0 }, 0 };
    if (!r1_math_clean(c, s, n, &clean, &n_clean)) return NULL;
    r1_node *a = r1_math_choice(c, clean, n_clean);
    if (!a) a = r1_math_clock(c, clean, n_clean);
    if (!a) a = r1_math_date(c, clean, n_clean);
    if (a && a->kind == K_CHOICE && a->n_name) a = choice_with_text(c, a, flags, clean, n_clean);
    if (a || c->over) return a;
    if (!r1_math_lex(c, clean, n_clean, flags, &all) || !all.n) return NULL;
    *ambiguous = all.ambiguous;
    mend_tokens(&all);
    uint32_t skip = skip_lead(&all), range = range_of_letter(&all, &c->range);
    if (range == all.n) range = excluded_points(&all);
    if (range < all.n) a = r1_math_parse_items(c, &all, skip, range, false);
    if (a || c->over) return a;
    if (skip) a = r1_math_parse_items(c, &all, skip, all.n, false);
    return a || c->over ? a : r1_math_parse_items(c, &all, 0, all.n, true);
}
