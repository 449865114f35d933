/* draft: how many tokens to guess at once, from what guesses were worth and what steps cost.
 *
 * A step over a token and d guesses gives 1 to d + 1 tokens of the answer: as many guesses as the sampler then chooses itself,
 * and one more. It pays when the expected number of tokens, over the cost of the step, is higher than for a single token.
 *
 *   odds    How often the id after a match of a given length was the one that came. Learned from every token, whether it was
 *           guessed or not, so drafting stops and starts again without a trial.
 *   costs   Time of a step over d guesses, a running mean in which a late wake-up counts little; widths that were not measured
 *           are taken from their neighbours. When no width seems to pay, one is tried again from time to time, at intervals
 *           that double, for a busy machine may have become quiet.
 *
 * Times choose the length of drafts and nothing else: the tokens of an answer never depend on it.
 */
#ifndef R1_ENGINE_DRAFT_H
#define R1_ENGINE_DRAFT_H

#include "base/base.h"

enum { R1_DRAFT_MAX = R1_SPECULATION_MAX, R1_DRAFT_CLASSES = 7 };

/* Of one text. Zeros: nothing learned yet. */
typedef struct r1_draft_odds {
    double right[R1_DRAFT_CLASSES], seen[R1_DRAFT_CLASSES]; /* by length of the match; older ones fade */
} r1_draft_odds;

/* Of one engine. Zeros: nothing measured yet. */
typedef struct r1_draft_costs {
    double seconds[R1_DRAFT_MAX + 1]; /* of a step over a token and d guesses; 0: not measured */
    uint32_t n[R1_DRAFT_MAX + 1];     /* how many times, at most 8 */
    uint32_t idle, wait;              /* steps since guesses were last run although none seemed to pay; how many to let pass */
} r1_draft_costs;

/* The id after a match of `length` ids was the one that came, or not. */
void r1_draft_learn(r1_draft_odds *o, size_t length, bool right);
/* A step over a token and d guesses took so long. */
void r1_draft_measured(r1_draft_costs *c, size_t d, double seconds);

/* The probability that the id after such a match comes, and the cost of a step with d guesses; both as far as is known. */
double r1_draft_chance(const r1_draft_odds *o, size_t length);
double r1_draft_cost(const r1_draft_costs *c, size_t d);

/* How many of at most `most` tokens to guess after a match of `length` ids; 0: none pays. */
size_t r1_draft_length(r1_draft_costs *c, const r1_draft_odds *o, size_t length, size_t most);

#endif
