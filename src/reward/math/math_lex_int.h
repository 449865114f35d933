/* math_lex_int: the state of the lexer, between math_lex.c and math_number.c. */
#ifndef R1_REWARD_MATH_MATH_LEX_INT_H
#define R1_REWARD_MATH_MATH_LEX_INT_H

#include "reward/math/math_int.h"

typedef struct r1_lexer {
    r1_math_ctx *c;
    const char *s;
    size_t len, i;
    r1_token *t;
    uint32_t n, cap;
    unsigned flags, text;     /* text: how many \text{} are open */
    unsigned dollars, brackets, depth;
    bool space, ambiguous, in_formula, in_lines, in_cases, left_brace; /* in_lines: inside aligned and the like */
    uint8_t stack[600];       /* open braces: 0 a group, 1 a wrapper, 2 a text wrapper */
    char *digits;
    r1_token spare;
} r1_lexer;

r1_token *r1_math_push(r1_lexer *x, r1_tok kind, unsigned sub, size_t from);
/* Read a number at x->i and push it; false, and nothing read, when there is none. */
bool r1_math_lex_number(r1_lexer *x);

#endif
