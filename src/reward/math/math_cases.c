/* math_cases: functions given piece by piece: \begin{cases} x^2 & x < 0 \\ 2x & \text{otherwise} \end{cases}.
 *
 * Where all conditions are sets of reals of one letter, the functions are compared on the common parts of their conditions: wherever
 * a condition of one meets a condition of the other their values have to be equal, and both have to cover the same reals. So the order
 * of the lines, the side an end point stands on, and "otherwise" do not matter where they do not change a value. Other conditions ("n even")
 * are matched line by line. A value must be equal as a function, not only on its piece. No cases inside cases: that bounds the depth. */
#include "reward/math/math_int.h"

static bool equal(r1_math_reason r) { return r <= R1_MATH_EQUAL_NUMERIC; }

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static bool one_of(const r1_token *t, const char *const *list, size_t count)
{
    if (t->kind != T_WORD) return false;
    for (size_t k = 0; k < count; k++)
        if (r1_math_word_is(t->s, t->n, list[k])) return true;
    return false;
}

static bool begins_condition(const r1_token *t)
{
    static const char *const list[] = { "if", "for", "when", "where", "whenever", "otherwise", "else", "elsewhere" };
    return one_of(t, list, R1_COUNT(list));
}

static bool says_otherwise(const r1_token *t)
{
    static const char *const list[] = { "otherwise", "else", "elsewhere" };
    return one_of(t, list, R1_COUNT(list));
}

/* The T_ENDENV that closes what begins before `from`; 0 when there is none, or when cases stand inside it. */
static uint32_t closing(const r1_parser *p, uint32_t from)
{
    uint32_t level = 0;
    for (uint32_t k = from; k < p->end && r1_math_spend(p->c, 1); k++) {
        if (p->t[k].kind == T_BEGIN) {
            if (p->t[k].sub == R1_MATH_CASES) return 0;
            level++;
        } else if (p->t[k].kind == T_ENDENV && level-- == 0) return k;
    }
    return 0;
}

/* The next of kind at the level of the cases in [from, to), or to. T_WORD: a word that begins a condition. */
static uint32_t next(const r1_parser *p, uint32_t from, uint32_t to, r1_tok kind)
{
    uint32_t level = 0;
    for (uint32_t k = from; k < to; k++) {
        r1_tok at = (r1_tok)p->t[k].kind;
        if (at == T_OPEN || at == T_LBRACE || at == T_BEGIN) level++;
        else if ((at == T_CLOSE || at == T_RBRACE || at == T_ENDENV) && level) level--;
        else if (!level && at == kind && (kind != T_WORD || begins_condition(&p->t[k]))) return k;
    }
    return to;
}

static bool is_stop(const r1_token *t) { return t->kind == T_COMMA || t->kind == T_STOP || t->kind == T_SEMI || t->kind == T_COLON; }

/* "n is an even integer" as "n even". */
static void drop_fillers(r1_math_ctx *c, r1_node *words)
{
    static const char *const fillers[] = { "is", "are", "an", "a", "the", "integer", "integers", "number", "numbers" };
    char *p = r1_math_alloc(c, words->n_name + 1u);
    uint32_t m = 0;
    if (!p) return;
    for (uint32_t i = 0; i < words->n_name;) {
        uint32_t from = i;
        while (i < words->n_name && words->name[i] != ' ') i++;
        bool filler = false;
        for (size_t k = 0; k < R1_COUNT(fillers); k++) filler = filler || r1_math_word_is(words->name + from, i - from, fillers[k]);
        if (!filler) {
            if (m) p[m++] = ' ';
            memcpy(p + m, words->name + from, i - from);
            m += i - from;
        }
        i++;
    }
    if (!m) return;
    words->name = p;
    words->n_name = m;
}

/* The condition in [from, to): relations, words, or "otherwise" as words of that name; NULL when there is none. */
static r1_node *condition(r1_math_ctx *c, const r1_math_tokens *all, uint32_t from, uint32_t to)
{
    while (from < to && is_stop(&all->t[from])) from++;
    while (from < to && begins_condition(&all->t[from]) && !says_otherwise(&all->t[from])) from++;
    while (from < to && is_stop(&all->t[to - 1])) to--;
    if (from == to) return NULL;
    if (to == from + 1 && says_otherwise(&all->t[from])) {
        r1_node *x = r1_math_node(c, K_WORDS, 0);
        if (x != &c->bad) x->name = "otherwise", x->n_name = 9;
        return x;
    }
    r1_node *x = r1_math_parse_items(c, all, from, to, true);
    if (x && x->kind == K_WORDS) drop_fillers(c, x);
    return x;
}

r1_node *r1_math_parse_cases(r1_parser *p)
{
    enum { DEPTH_MAX = 20 }; /* what stands in a line has a depth of its own */
    r1_math_ctx *c = p->c;
    r1_node *cases = r1_math_node(c, K_CASES, 0);
    uint32_t from = p->i + 1, end = closing(p, from);
    r1_math_tokens all = { .t = (r1_token *)p->t, .n = UINT32_MAX }; /* no line is the whole text */
    if (!end || cases == &c->bad || p->depth > DEPTH_MAX) return NULL;
    for (uint32_t to; from < end && !c->over; from = to + 1) {
        to = next(p, from, end, T_ROW);
        if (to == from) continue;
        uint32_t split = next(p, from, to, T_AMP), rest = split + 1;
        if (split == to) rest = split = next(p, from, to, T_WORD);
        if (split == to || next(p, rest, to, T_AMP) < to) return NULL;
        while (split > from && is_stop(&p->t[split - 1])) split--;
        r1_node *value = split > from ? r1_math_parse_items(c, &all, from, split, true) : NULL, *when = value ? condition(c, &all, rest, to) : NULL;
        if (!when) return NULL;
        cases = r1_math_append(c, r1_math_append(c, cases, value), when);
    }
    p->i = end + 1;
    return cases != &c->bad && cases->n ? cases : NULL;
}

/* ---- comparing --------------------------------------------------------------------------------------------------- */

static bool words_are(const r1_node *a, const char *s) { return a->kind == K_WORDS && a->n_name == strlen(s) && !memcmp(a->name, s, a->n_name); }

/* All conditions but number `but` as one set, or -1 for all of them; "otherwise" is left out. */
static r1_node *together(r1_math_ctx *c, const r1_node *cases, uint32_t but)
{
    r1_node *all = r1_math_node(c, K_UNION, 0);
    for (uint32_t i = 1; i < cases->n; i += 2)
        if (i != but && !words_are(cases->kid[i], "otherwise")) all = r1_math_append(c, all, cases->kid[i]);
    return all;
}

static r1_node *reals(r1_math_ctx *c)
{
    r1_node *x = r1_math_node(c, K_NUMBERS, 0);
    if (x != &c->bad) x->name = "R", x->n_name = 1;
    return x;
}

/* The conditions of a as sets, "otherwise" as what the others leave; *all is what they cover. False when one is no set. */
static bool sets_of(r1_math_ctx *c, const r1_node *a, r1_node *sets, r1_node **all)
{
    bool rest = false;
    for (uint32_t i = 1; i < a->n; i += 2) {
        r1_node *when = a->kid[i];
        if (words_are(when, "otherwise")) {
            r1_node *others = together(c, a, i);
            if (rest || !others->n) return false;
            rest = true;
            when = r1_math_op2(c, K_MINUS, reals(c), others);
        } else if (when->kind != K_REL && !r1_math_is_real_set(when)) return false;
        r1_math_append(c, sets, when);
    }
    *all = rest ? reals(c) : together(c, a, 0);
    return sets->n && sets != &c->bad && *all != &c->bad && !c->over;
}

/* On the points where two conditions meet, or on all of the letter's values when they meet in more. */
static r1_math_reason values(r1_math_ctx *c, r1_node *gold, r1_node *cand, const r1_node *points, const r1_node *letter)
{
    r1_math_reason all = points->n ? R1_MATH_EQUAL_EXACT : r1_math_compare(c, gold, cand);
    for (uint32_t i = 0; i < points->n && equal(all); i++) {
        if (!letter || !r1_math_is_scalar(gold) || !r1_math_is_scalar(cand)) return r1_math_compare(c, gold, cand);
        r1_math_reason r = r1_math_compare(c, r1_math_subst(c, gold, letter, points->kid[i]), r1_math_subst(c, cand, letter, points->kid[i]));
        all = r > all ? r : all;
    }
    return all;
}

/* R1_MATH_UNDECIDED: a condition is no set of reals. */
static r1_math_reason by_sets(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    r1_node *g = r1_math_node(c, K_LIST, 0), *k = r1_math_node(c, K_LIST, 0), *all_g, *all_k;
    if (!sets_of(c, gold, g, &all_g) || !sets_of(c, cand, k, &all_k)) return R1_MATH_UNDECIDED;
    r1_sameness covered = r1_math_equal_sets(c, all_g, all_k);
    if (covered != SAME_EXACT && covered != SAME_NUMERIC) return covered == SAME_NOT ? R1_MATH_DIFFERENT : R1_MATH_UNDECIDED;
    r1_math_reason all = R1_MATH_EQUAL_EXACT;
    for (uint32_t i = 0; i < g->n; i++)
        for (uint32_t j = 0; j < k->n; j++) {
            r1_node *points = r1_math_node(c, K_LIST, 0);
            const r1_node *letter;
            r1_math_meeting m = r1_math_sets_meet(c, g->kid[i], k->kid[j], points, &letter);
            if (m == MEET_UNKNOWN || c->over) return R1_MATH_UNDECIDED;
            if (m == MEET_NOT) continue;
            r1_math_reason r = values(c, gold->kid[2 * i], cand->kid[2 * j], points, letter);
            if (!equal(r)) return r == R1_MATH_OVER_BUDGET ? r : R1_MATH_DIFFERENT;
            all = r > all ? r : all;
        }
    return all;
}

/* "otherwise" beside "n even" is "n odd". */
static bool complements(const r1_node *a, const r1_node *b)
{
    static const char *const pairs[][2] = { { "even", "odd" }, { "odd", "even" }, { "rational", "irrational" }, { "irrational", "rational" } };
    if (a->kind != K_WORDS || b->kind != K_WORDS) return false;
    for (size_t k = 0; k < R1_COUNT(pairs); k++) {
        size_t x = strlen(pairs[k][0]), y = strlen(pairs[k][1]);
        bool fits = a->n_name > x && b->n_name > y && a->n_name - x == b->n_name - y && a->name[a->n_name - x - 1] == ' ';
        if (fits && !memcmp(a->name, b->name, a->n_name - x) && !memcmp(a->name + a->n_name - x, pairs[k][0], x) &&
            !memcmp(b->name + b->n_name - y, pairs[k][1], y))
            return true;
    }
    return false;
}

static bool same_condition(r1_math_ctx *c, const r1_node *gold, uint32_t i, const r1_node *cand, uint32_t j)
{
    r1_node *a = gold->kid[i], *b = cand->kid[j];
    bool rest_a = words_are(a, "otherwise"), rest_b = words_are(b, "otherwise");
    if (rest_a && rest_b) return true;
    if (rest_a) return gold->n == 4 && complements(gold->kid[4 - i], b); /* the other line of two */
    if (rest_b) return cand->n == 4 && complements(cand->kid[4 - j], a);
    return (a->kind == K_WORDS) == (b->kind == K_WORDS) && equal(r1_math_compare(c, a, b));
}

static r1_math_reason by_line(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    enum { LINES_MAX = 40 };
    bool used[LINES_MAX] = { false };
    r1_math_reason all = R1_MATH_EQUAL_EXACT;
    if (gold->n != cand->n || gold->n > 2 * LINES_MAX) return R1_MATH_DIFFERENT;
    for (uint32_t i = 0; i < gold->n; i += 2) {
        uint32_t j = 0;
        while (j < cand->n && (used[j / 2] || !same_condition(c, gold, i + 1, cand, j + 1))) j += 2;
        if (j >= cand->n) return R1_MATH_DIFFERENT;
        used[j / 2] = true;
        r1_math_reason r = r1_math_compare(c, gold->kid[i], cand->kid[j]);
        if (!equal(r)) return r == R1_MATH_OVER_BUDGET ? r : R1_MATH_DIFFERENT;
        all = r > all ? r : all;
    }
    return all;
}

r1_math_reason r1_math_compare_cases(r1_math_ctx *c, r1_node *gold, r1_node *cand)
{
    if (cand->kind != K_CASES) return R1_MATH_WRONG_TYPE;
    r1_math_reason r = by_sets(c, gold, cand);
    return r == R1_MATH_UNDECIDED && !c->over ? by_line(c, gold, cand) : r;
}
