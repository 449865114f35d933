/* math_int: what the files of the answer checker share. The tree, the arena it lives in, and the budget.
 *
 * Invariants: every node belongs to one ctx and dies with it; `over` and `nomem` are sticky, and whoever sees one may return
 * anything, because the verdict is then decided. Functions that make nodes never return NULL for lack of memory (they return
 * ctx.bad); a parser function returns NULL when the text is not of its shape.
 *
 * Enumerators are short, because they stand in every line: K_ kinds of nodes, F_ functions, R_ relations, T_ tokens. */
#ifndef R1_REWARD_MATH_MATH_INT_H
#define R1_REWARD_MATH_MATH_INT_H

#include "reward/math/math.h"

#include <gmp.h>

enum {
    R1_MATH_BITS_MAX = 80000,   /* of a numerator or denominator: about 24,000 digits */
    R1_MATH_NODES_MAX = 20000,
    R1_MATH_DEPTH_MAX = 640,    /* nesting, after brackets around brackets are taken off */
    R1_MATH_ARENA_MAX = 16 << 20,
    R1_MATH_DECIMAL_DIGITS = 8  /* a decimal with so many right digits stands for what has no finite decimal form */
};

typedef enum r1_kind {
    K_NUM, K_SYM, K_PI, K_E, K_I, K_INF,
    K_ADD, K_MUL, K_POW, K_FUNC, K_APPLY, /* APPLY: an unknown function, f(x) */
    K_PM,                                 /* one kid; op: '+' for plus-minus, '-' for minus-plus */
    K_REL,                                /* kids joined by ops[] */
    K_LIST,                               /* op: ',' '&' (and) '|' (or) */
    K_SET, K_TUPLE, K_INTERVAL, K_UNION, K_INTERSECT, K_MINUS, K_BUILDER, K_NUMBERS,
    K_MATRIX, K_CASES, K_DOTS,             /* CASES: value, condition, value, condition ... */ K_RATIO, K_CLOCK, K_DATE,
    K_QUANTITY,                           /* kid 0, and unit */
    K_PERCENT, K_MODULO, K_CHOICE, K_WORDS
} r1_kind;

typedef enum r1_func {
    F_NONE, F_SQRT, F_ROOT, F_ABS, F_FLOOR, F_CEIL, F_FACT, F_FACT2, F_BINOM, F_EXP, F_LN, F_LOG10, F_LOG,
    F_SIN, F_COS, F_TAN, F_COT, F_SEC, F_CSC, F_ASIN, F_ACOS, F_ATAN, F_ACOT, F_ASEC, F_ACSC,
    F_SINH, F_COSH, F_TANH, F_COTH, F_SECH, F_CSCH, F_ASINH, F_ACOSH, F_ATANH,
    F_MAX, F_MIN, F_GCD, F_LCM, F_MOD, F_CONJ, F_RE, F_IM, F_ARG, F_DET, F_SUM, F_PROD, F_SGN, F_DEGREE, F_CIS
} r1_func;

typedef enum r1_relop { R_EQ, R_NE, R_LT, R_LE, R_GT, R_GE, R_IN, R_NOTIN, R_APPROX, R_EQUIV, R_OTHER } r1_relop;

/* A unit as powers of base dimensions and a factor; what is no known unit has a name instead. */
enum { DIM_LENGTH, DIM_MASS, DIM_TIME, DIM_CURRENT, DIM_TEMPERATURE, DIM_AMOUNT, DIM_ANGLE, DIM_INFORMATION, DIMS };
typedef struct r1_unit {
    int8_t dim[DIMS];
    mpq_ptr factor;       /* to the base unit; owned by the node */
    const char *name;     /* of what is not in the table: a currency, a thing that is counted; NULL when none */
    uint32_t n_name;
    bool is_degree;       /* of an angle: may meet radians */
} r1_unit;

typedef struct r1_node r1_node;
struct r1_node {
    uint8_t kind, op;
    bool lo_open, hi_open; /* intervals; tuples: the brackets ( or [ */
    bool spaced;           /* SYM: blanks stood before it */
    bool dotted;           /* NUM: written with dots at the end, "3.14159..." */
    bool letters;          /* WORDS: one run of small letters outside \text: may be a product */
    uint32_t n, cap;
    uint32_t digits;       /* NUM: significant digits when written as a decimal, else 0 */
    uint32_t rows, cols;
    r1_node **kid;
    uint8_t *ops;          /* REL: n - 1 of them */
    const char *name;
    uint32_t n_name;
    mpq_t q;               /* NUM */
    r1_unit *u;
    r1_node *next_number;     /* all nodes with a q, to clear them */
};

/* What a text says of a letter in it, "k \\in \\mathbb{Z}": what it may be ('Z', 'R', 'N', '+' positive integers, '0' non-negative ones, 'A' all); 0: nothing. */
typedef struct r1_math_range { r1_math_text letter; char of; } r1_math_range;

typedef struct r1_block r1_block;
typedef struct r1_math_ctx {
    r1_block *blocks;
    size_t bytes;
    uint32_t n_nodes;
    r1_node *numbers;
    uint64_t left, spent, seed;
    bool over, nomem;
    bool hidden;             /* a term was too small to be seen at the precision of an enclosure */
    bool fuzzy;              /* long decimals stand for all values that would be written so */
    r1_math_range range;     /* of the text that was read last */
    r1_node bad, *bad_kids[4];  /* what there is when nothing can be made: 0, whose kids are itself */
} r1_math_ctx;

/* ---- math_tree.c ---- */
void r1_math_ctx_init(r1_math_ctx *c, uint64_t budget, uint64_t seed);
void r1_math_ctx_deinit(r1_math_ctx *c);
bool r1_math_spend(r1_math_ctx *c, uint64_t units); /* false, and over, when the budget is gone */
void *r1_math_alloc(r1_math_ctx *c, size_t bytes);  /* zeroed; NULL, and over or nomem, when there is none */
r1_node *r1_math_node(r1_math_ctx *c, r1_kind k, uint32_t n_kids);
r1_node *r1_math_num(r1_math_ctx *c, long value);
r1_node *r1_math_num_q(r1_math_ctx *c, mpq_srcptr q);
r1_node *r1_math_op1(r1_math_ctx *c, r1_kind k, r1_node *a);
r1_node *r1_math_op2(r1_math_ctx *c, r1_kind k, r1_node *a, r1_node *b);
r1_node *r1_math_fn(r1_math_ctx *c, r1_func f, r1_node *a, r1_node *b); /* b may be NULL */
r1_node *r1_math_neg(r1_math_ctx *c, r1_node *a);
r1_node *r1_math_inv(r1_math_ctx *c, r1_node *a);
r1_node *r1_math_append(r1_math_ctx *c, r1_node *list, r1_node *kid); /* list's kids may grow; O(1) amortised */
bool r1_math_same(const r1_node *a, const r1_node *b);     /* the same tree */
bool r1_math_has(const r1_node *a, r1_kind k);
bool r1_math_has_op(const r1_node *a, r1_kind k, uint8_t op);
bool r1_math_has_symbol(const r1_node *a, const r1_node *sym);
bool r1_math_is_scalar(const r1_node *a);               /* an expression: no relation, set, list, words inside */
bool r1_math_sym_is(const r1_node *a, const char *name);
r1_node *r1_math_subst(r1_math_ctx *c, r1_node *a, const r1_node *sym, r1_node *value); /* value in place of a symbol */
r1_node *r1_math_unroll(r1_math_ctx *c, const r1_node *a); /* a sum or product over numbers as its terms; NULL when it has none or too many */
r1_node *r1_math_det(r1_math_ctx *c, const r1_node *m);    /* NULL when it is not square or too large */
/* A copy in which each plus-minus has the sign of its bit in `signs`, in order; *n_signs counts them. */
r1_node *r1_math_choose_signs(r1_math_ctx *c, r1_node *a, unsigned signs, unsigned *n_signs, bool together);

/* ---- math_lex.c, math_unicode.c ---- */
typedef enum r1_tok {
    T_END, T_NUM, T_IDENT, T_WORD, T_FUNC, T_CONST, T_OP, T_REL, T_OPEN, T_CLOSE, T_LBRACE, T_RBRACE, T_COMMA, T_SEMI, T_BAR, T_NORM, T_CARET,
    T_UNDER, T_BANG, T_PRIME, T_PERCENT, T_DEGREE, T_CURRENCY, T_AND, T_OR, T_FRAC, T_SQRT, T_BINOM, T_OVERLINE, T_BEGIN, T_ENDENV, T_AMP, T_ROW,
    T_COLON, T_DOTS, T_SETOP, T_EMPTYSET, T_INFTY, T_NUMBERS, T_SUM, T_PROD, T_CALCULUS, T_MODULO, T_STOP, T_UNKNOWN
} r1_tok;

enum { R1_MATH_CASES = 'c' }; /* the sub of the T_BEGIN of cases with conditions; of other environments it is 0 */

typedef struct r1_token {
    uint8_t kind;
    uint8_t sub;            /* the operator, bracket, function, relation */
    bool space, text;       /* blanks before it; inside \text{} */
    const char *s;          /* its text, always a piece of the cleaned copy: words are what lies from one token to another */
    uint32_t n;
    r1_node *num;
} r1_token;

typedef struct r1_math_tokens {
    r1_token *t;
    uint32_t n;              /* without the T_END behind them */
    const char *clean;       /* the text after Unicode and markup */
    uint32_t n_clean;
    bool ambiguous;          /* a comma that may part thousands or elements */
} r1_math_tokens;

enum { R1_MATH_COMMA_LISTS = 1 }; /* flag: "1,234" is two elements */

/* Copy with Unicode mathematics as ASCII and LaTeX. */
bool r1_math_clean(r1_math_ctx *c, const char *s, size_t n, const char **out, size_t *n_out);
bool r1_math_lex(r1_math_ctx *c, const char *clean, size_t n, unsigned flags, r1_math_tokens *out);

/* ---- math_words.c ---- */
/* Lower case, wrappers, articles, final stops and doubled blanks taken off. */
bool r1_math_words(r1_math_ctx *c, const char *s, size_t n, const char **out, size_t *n_out);
/* The number that words [i, ...) name; how many tokens it took, 0 when none. */
uint32_t r1_math_number_words(r1_math_ctx *c, const r1_token *t, uint32_t n, r1_node **out);
/* The factor of "million" and the like; 0 when it is no such word. */
uint64_t r1_math_multiplier(const char *s, size_t n);
bool r1_math_is_stop_word(const char *s, size_t n); /* a word that cannot be a unit: "or", "not", "plus" */
r1_node *r1_math_choice(r1_math_ctx *c, const char *s, size_t n);   /* "(B)", "B.", "B) 12"; NULL when it is none */
r1_node *r1_math_date(r1_math_ctx *c, const char *s, size_t n);
r1_node *r1_math_clock(r1_math_ctx *c, const char *s, size_t n);
bool r1_math_word_is(const char *s, size_t n, const char *lower); /* whatever its case */

/* ---- math_units.c ---- */
bool r1_math_unit_find(r1_math_ctx *c, const char *s, size_t n, r1_unit *u); /* "km", "hours"; u->factor is new */
r1_unit *r1_math_unit_new(r1_math_ctx *c);
bool r1_math_unit_mul(r1_math_ctx *c, r1_unit *a, const r1_unit *b, int power);
bool r1_math_unit_same_dim(const r1_unit *a, const r1_unit *b);
/* A product whose last factors are letters of units, written after a blank, as a quantity; NULL when it is none. */
r1_node *r1_math_as_quantity(r1_math_ctx *c, r1_node *a);
uint32_t r1_math_unit_tokens(r1_math_ctx *c, const r1_token *t, uint32_t n, r1_unit *u); /* tokens that spell a unit, 0 when they do not */

/* ---- math_parse.c, math_atom.c, math_item.c ---- */
typedef struct r1_parser {
    r1_math_ctx *c;
    const r1_token *t;
    uint32_t i, end, depth;
    uint32_t used;           /* digits of the number at i that \\frac has taken: \\frac59 */
    bool i_is_index;         /* inside a sum over i */
    bool in_bars;            /* a BAR closes */
    bool in_builder;         /* a BAR or a colon begins the condition */
} r1_parser;

const r1_token *r1_math_peek(const r1_parser *p, uint32_t ahead); /* T_END past the end */
bool r1_math_take(r1_parser *p, r1_tok kind, int sub);            /* sub < 0: any */
bool r1_math_is(const r1_parser *p, r1_tok kind, int sub);

r1_node *r1_math_parse_text(r1_math_ctx *c, const char *s, size_t n, unsigned flags, bool *ambiguous); /* sets c->range */
r1_node *r1_math_parse_expr(r1_parser *p);  /* with set operations */
r1_node *r1_math_parse_sum(r1_parser *p);
r1_node *r1_math_parse_product(r1_parser *p);
r1_node *r1_math_distribute(r1_math_ctx *c, r1_node *product);
r1_node *r1_math_parse_power(r1_parser *p);
r1_node *r1_math_parse_atom(r1_parser *p);
r1_node *r1_math_parse_item(r1_parser *p);  /* a relation, or an expression with a unit, up to p->end */
r1_node *r1_math_parse_argument(r1_parser *p); /* what \frac, \sqrt and ^ take: a group or one thing */
bool r1_math_starts_factor(const r1_parser *p, const r1_node *before);
r1_node *r1_math_parse_apply(r1_parser *p);  /* f(x): a name, and arguments in brackets */
r1_node *r1_math_parse_items(r1_math_ctx *c, const r1_math_tokens *all, uint32_t from, uint32_t to, bool words); /* a list, a relation, words */

/* ---- math_exact.c, math_modular.c, math_bound.c ---- */
typedef enum r1_found { FOUND_NOT, FOUND_VALUE, FOUND_UNDEFINED } r1_found; /* NOT: it is no such value, or over */
r1_found r1_math_rational(r1_math_ctx *c, const r1_node *a, mpq_t out);  /* out initialised by the caller */
uint32_t r1_math_decimal_digits(const r1_node *a);            /* digits of a decimal, signed or in scientific form; 0: it is none */
/* Whether rational functions agree at random points modulo random primes: 1 yes, 0 no, -1 they are none. */
int r1_math_modular_equal(r1_math_ctx *c, const r1_node *a, const r1_node *b);
/* Whether a / b is a constant, neither being 0: 1 yes, 0 no, -1 they are no rational functions, or both are 0. */
int r1_math_modular_proportional(r1_math_ctx *c, const r1_node *a, const r1_node *b);
/* For radicals over integers: bits so that a value of a - b below 2^-bits is 0; 0 when they are none. */
double r1_math_zero_bound(r1_math_ctx *c, const r1_node *a, const r1_node *b);

/* ---- math_value.c (expressions) ---- */
typedef enum r1_sameness { SAME_EXACT, SAME_NUMERIC, SAME_NOT, SAME_UNDEFINED, SAME_UNKNOWN } r1_sameness;
r1_sameness r1_math_equal_expr(r1_math_ctx *c, r1_node *gold, r1_node *cand);
r1_sameness r1_math_equal_equation(r1_math_ctx *c, r1_node *gold, r1_node *cand, int sign); /* both lhs - rhs; sign 1: by a positive factor only */
/* Whether decimal, a number with digits behind its point, is the constant value rounded to so many of them. */
bool r1_math_rounds_to(r1_math_ctx *c, r1_node *value, const r1_node *decimal);
/* -1, 0, 1 for constants; 2 when it cannot be decided. Infinities are ordered too. */
int r1_math_order(r1_math_ctx *c, r1_node *a, r1_node *b);

/* ---- math_sets.c ---- */
/* Whether both are subsets of the reals (intervals, solved inequalities, finite sets, unions) that are equal. SAME_UNKNOWN: one is none. */
r1_sameness r1_math_equal_sets(r1_math_ctx *c, r1_node *gold, r1_node *cand);
bool r1_math_is_real_set(const r1_node *a); /* an interval, a union, an inequality */
typedef enum r1_math_meeting { MEET_UNKNOWN, MEET_NOT, MEET_POINTS, MEET_MORE } r1_math_meeting;
/* What two sets of reals have in common; for MEET_POINTS appended to points. *letter: that of their conditions, NULL when they have none. */
r1_math_meeting r1_math_sets_meet(r1_math_ctx *c, r1_node *a, r1_node *b, r1_node *points, const r1_node **letter);

/* ---- math_calculus.c ---- */
r1_node *r1_math_parse_integral(r1_parser *p); /* behind \\int */
r1_node *r1_math_parse_limit(r1_parser *p);    /* behind \\lim */

/* ---- math_cases.c ---- */
r1_node *r1_math_parse_cases(r1_parser *p); /* at \\begin{cases} with conditions */
r1_math_reason r1_math_compare_cases(r1_math_ctx *c, r1_node *gold, r1_node *cand);

/* ---- math_compare.c ---- */
r1_math_reason r1_math_compare(r1_math_ctx *c, r1_node *gold, r1_node *cand);

#endif
