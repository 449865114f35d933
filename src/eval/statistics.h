/* statistics: what a table of right and wrong answers says, and how sure one can be of it.
 *
 * A run has n problems with k samples each; problem i was answered right c of k times, its score is c / k. Two things make
 * a result uncertain: which problems were asked, and what the dice gave. Everything here is a pure function of its
 * arguments; random draws come from the counter-based generator, so the same numbers always give the same interval.
 *
 * Sources: pass@k, Chen et al., arXiv:2107.03374, section 2.1. Errors of two levels, Miller, arXiv:2411.00640. Drawing whole
 * problems, Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8: drawing the samples of a
 * problem anew as well would count their noise twice. Wilson's interval, J. Am. Stat. Assoc. 22 (1927).
 * Threads: any. Tests: statistics_test.c, against values computed elsewhere.
 */
#ifndef R1_EVAL_STATISTICS_H
#define R1_EVAL_STATISTICS_H

#include "base/base.h"

typedef struct r1_interval { double lo, hi; } r1_interval;

/* The chance that one of j samples drawn without replacement from n, of which c are right, is right; 1 <= j <= n. Unbiased. */
double r1_pass_at(size_t n, size_t c, size_t j);

/* Scores of n problems and how they were come by. */
typedef struct r1_scores {
    const double *score;    /* [n] in 0..1 */
    const uint32_t *k;      /* [n] samples of each, >= 1; NULL: the scores are not means of samples */
    size_t n;
} r1_scores;

typedef struct r1_estimate {
    double value;           /* mean of the scores */
    double se;              /* standard error, both sources; NaN when n < 2 */
    double se_samples;      /* of it, by the dice: the problems stay as they are; NaN when no problem has two samples */
    double se_problems;     /* of it, by the choice of problems: sqrt(se^2 - se_samples^2), at least 0; NaN when either is */
    r1_interval ci95;       /* bootstrap over problems, each with all its samples: percentiles 2.5 and 97.5 */
    r1_interval ci95_samples; /* bootstrap over the samples of fixed problems; NaN as se_samples */
    r1_interval ci95_wilson;  /* Wilson's, with as many trials as have the same standard error; has a width where all scores are equal */
} r1_estimate;

#define R1_DRAWS 10000      /* of a bootstrap or a test */

/* All of it. n may be 0: everything is NaN.  Errors: R1_ENOMEM.   Time: O(R1_DRAWS n), and k times that for ci95_samples. */
r1_status r1_estimate_mean(const r1_scores *s, uint64_t seed, r1_estimate *out, r1_error *err) R1_MUST_CHECK;

/* Wilson's interval at 95% for a share p of n trials; n need not be whole. */
r1_interval r1_wilson(double p, double n);

/* ---- two runs on the same problems ---- */

typedef struct r1_paired {
    size_t n, better, worse;  /* problems; where a's score is above b's, below it */
    double difference;        /* mean of a - b */
    double se;                /* NaN when n < 2 */
    r1_interval ci95;         /* bootstrap over problems */
    double p_permutation;     /* two-sided: signs of the differences turned at random; exact up to 16 of them that are not 0 */
    double p_sign;            /* two-sided exact sign test on better and worse; with one sample each it is McNemar's exact test */
    double correlation;       /* of the scores; NaN when one side does not vary */
} r1_paired;

r1_status r1_compare_scores(const double *a, const double *b, size_t n, uint64_t seed, r1_paired *out, r1_error *err) R1_MUST_CHECK;

/* P(X <= min(k, n - k)) * 2, at most 1, for X binomial (n, 1/2). */
double r1_sign_test(size_t k, size_t n);

/* ---- votes ---- */

typedef struct r1_vote {
    double right;             /* 1 the most frequent answer is right, 0 it is not; between where several tie: the share of right ones */
    size_t winner;            /* the sample the most frequent answer stands in, of several the earliest; SIZE_MAX: nobody answered */
    size_t votes, answers;    /* for the winner; samples that have an answer */
} r1_vote;

/* Majority of n answers: group[i] is the first sample with the same answer as sample i (i itself included), -1 for none. An answer
 * counts as right when the first sample that gave it is. Errors: R1_ENOMEM. */
r1_status r1_majority(const int32_t *group, const bool *right, size_t n, r1_vote *out, r1_error *err) R1_MUST_CHECK;
/* Groups of equal texts; NULL has none.   Time: O(n^2). */
void r1_group_texts(const char *const *texts, size_t n, int32_t *group);

/* ---- ratings ---- */

typedef struct r1_rating {
    double value;             /* NaN: nothing has a rating. -INFINITY, INFINITY: nothing, everything was solved: there is no maximum */
    double se;                /* from the information of all samples, as if they were independent; NaN when there is no maximum */
    r1_interval ci95;         /* bootstrap over problems; its ends may be infinite */
    size_t n;                 /* problems with a rating */
} r1_rating;

/* The rating R that makes the results most likely when a problem of rating D is solved with probability
 * 1 / (1 + 10^((D - R) / 400)), Elo's model. Problems whose rating is NaN are left out.
 *   score [n] shares of solved samples, rating [n], k [n] samples */
r1_status r1_estimate_rating(const double *score, const double *rating, const uint32_t *k, size_t n, uint64_t seed, r1_rating *out, r1_error *err) R1_MUST_CHECK;

/* ---- numbers ---- */

typedef struct r1_spread { size_t n; double mean, median, p10, p90, max; } r1_spread;

/* Sorts x. Quantiles are interpolated linearly between order statistics (type 7). n 0: NaN. */
r1_spread r1_spread_of(double *x, size_t n);

#endif
