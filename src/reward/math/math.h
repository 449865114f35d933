/* math: whether a candidate answer equals a gold answer.
 *
 *   r1_math_verify("\\frac{5}{8}", ..., "0.625", ...)     equal, by exact arithmetic
 *
 * Text becomes a small typed tree (math_lex.c, math_parse.c): numbers are exact rationals, and expressions, relations, sets,
 * tuples, intervals, matrices, quantities with units, choices and words are kinds of their own. The gold decides which kind is
 * asked for (math_compare.c). Two expressions are compared exactly where that is possible: rational arithmetic, rational
 * functions at random points modulo random primes, radicals with a bound below which only zero lies; else by interval
 * arithmetic of growing precision, where an enclosure without 0 disproves and 60 digits of agreement at every point count as
 * equal. There is no tolerance anywhere but one: a written decimal stands for a value that has no finite decimal form when at
 * least 8 significant digits are right.
 *
 * Policies, in short: values decide, in any notation; comma lists are unordered, tuples are not; a solved inequality is its
 * interval; "x = 5" may stand for 5; a unit, a degree sign or a percent sign may be left out on one side
 * (25 and 25%: also where the gold is the bare number, unless that could be a share); units of one dimension compare by value; two answers, a list
 * that contains the answer, "A or B" are wrong; only text after </think> counts; the last complete box wins.
 *
 * Hostile text: it is never evaluated as code. Every step is counted (nodes, bits, interval operations) against one budget,
 * there is no clock and no signal, recursion is bounded, and what exceeds the budget is "not equal" with the reason
 * over_budget: below 50 ms and 64 MB whatever the text says.
 *
 * Threads: any; there are no globals, and MPFR's constants of the thread are given back after each verdict.
 * Tests: math_test.c, math_interval_test.c, math_cost_test.c, tests/golden/answers_test.c, tests/faults/math_faults_test.c, tests/fuzz/fuzz_math.c. */
#ifndef R1_REWARD_MATH_MATH_H
#define R1_REWARD_MATH_MATH_H

#include "base/base.h"

typedef enum r1_math_mode {
    R1_MATH_ANSWER,  /* the text is the bare final answer */
    R1_MATH_RESPONSE /* the text is a whole response: the answer is extracted first */
} r1_math_mode;

typedef enum r1_math_reason {
    R1_MATH_EQUAL_EXACT,        /* equal by exact arithmetic or structure */
    R1_MATH_EQUAL_TEXT,         /* equal as text or words */
    R1_MATH_EQUAL_NUMERIC,      /* equal by interval arithmetic at every point, or a decimal with 8 right digits */
    R1_MATH_DIFFERENT,          /* the same kind of thing, another value */
    R1_MATH_WRONG_TYPE,         /* another kind: an interval for a point, words for a number, another unit or name */
    R1_MATH_SEVERAL_ANSWERS,    /* more than one answer where one is asked for */
    R1_MATH_UNPARSED_GOLD,      /* the gold cannot be read, and the texts differ */
    R1_MATH_UNPARSED_CANDIDATE, /* the candidate cannot be read */
    R1_MATH_UNDEFINED,          /* the candidate has no value (division by zero, outside the domain) */
    R1_MATH_UNDECIDED,          /* too few points where both are defined */
    R1_MATH_NO_ANSWER,          /* there is nothing to extract, or it is empty */
    R1_MATH_OPEN_THOUGHT,       /* thinking is not closed */
    R1_MATH_OPEN_BOX,           /* the last box is not closed */
    R1_MATH_OVER_BUDGET,        /* given up */
    R1_MATH_REASONS
} r1_math_reason;

typedef struct r1_math_options {
    uint64_t budget; /* operations, about 20 ns each; 0: R1_MATH_BUDGET */
} r1_math_options;

#define R1_MATH_BUDGET 900000u
#define R1_MATH_ANSWER_MAX 20000u /* bytes of one answer that are looked at; longer ones can only be equal as text */

typedef struct r1_math_verdict {
    bool equal;
    r1_math_reason reason;
    char *extracted;     /* the answer that was compared, NUL-terminated, at most R1_MATH_ANSWER_MAX bytes; NULL when there is none */
    uint64_t operations; /* counted: the same for the same texts, always */
    double cpu_ms;       /* of this thread */
} r1_math_verdict;

/* "equal_exact", "over_budget" and so on: stable names for logs. */
const char *r1_math_reason_name(r1_math_reason reason);

/* Compare answer[0..n) with gold[0..n_gold). Texts may hold anything, invalid UTF-8 too. options may be NULL. A text that cannot
 * be read is a verdict, never an error.
 * Errors:  R1_ENOMEM; *out is then empty.   Memory: out->extracted belongs to the caller: r1_math_verdict_deinit. */
r1_status r1_math_verify(const char *gold, size_t n_gold, const char *answer, size_t n, r1_math_mode mode, const r1_math_options *options,
                         r1_math_verdict *out, r1_error *err) R1_MUST_CHECK;
void r1_math_verdict_deinit(r1_math_verdict *v);

/* The final answer inside a response: *out points into it (n_out bytes, blanks at both ends taken off). Returns
 * R1_MATH_EQUAL_TEXT when there is one, else why not (R1_MATH_NO_ANSWER, _OPEN_THOUGHT, _OPEN_BOX, _SEVERAL_ANSWERS: "\boxed{3} or
 * \boxed{4}"); *out is then NULL. Reads the text a fixed number of times, allocates nothing. */
r1_math_reason r1_math_extract(const char *response, size_t n, const char **out, size_t *n_out);

/* For a majority vote: group[i] becomes the smallest j with answer j equal to answer i in both directions; a NULL answer is
 * in no group (-1). At most `count` answers in at most count * groups comparisons, texts that are the same are compared once.
 * Errors:  R1_ENOMEM. */
typedef struct r1_math_text { const char *p; size_t n; } r1_math_text;
r1_status r1_math_group(const r1_math_text *answers, size_t count, const r1_math_options *options, int32_t *group, r1_error *err) R1_MUST_CHECK;

#endif
