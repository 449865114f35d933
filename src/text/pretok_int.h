/* pretok_int: the splitting rules' insides, shared by pretok.c and pretok_steps.c. */
#ifndef R1_TEXT_PRETOK_INT_H
#define R1_TEXT_PRETOK_INT_H

#include "text/pretok.h"

#define R1_PRETOK_MAX_STEPS 16
#define R1_PRETOK_MAX_PATTERN 65536

typedef enum r1_step_kind {
    R1_STEP_REGEX, R1_STEP_LITERAL, R1_STEP_DIGITS, R1_STEP_DIGIT_RUNS, R1_STEP_GPT2, R1_STEP_TRAILING_SPACE
} r1_step_kind;

typedef struct r1_step {
    r1_step_kind kind;
    char *text; size_t n; /* pattern or literal, malloc'ed */
    void *code;           /* pcre2_code of a REGEX */
} r1_step;

struct r1_pretok {
    r1_pretok_kind kind;
    uint8_t *classes;
    r1_step steps[R1_PRETOK_MAX_STEPS];
    size_t n_steps;
    const char *name; /* of known STEPS; NULL otherwise */
};

void r1_pretok_free_steps(r1_pretok *p);
void r1_pretok_put_stops(r1_pretok *p); /* after kind has become a family's */

#endif
