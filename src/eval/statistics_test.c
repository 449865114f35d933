/* Expected values were computed apart from this code: binomials and sign tests with exact fractions, the permutation test by
 * going through all signs, the rating by Newton's method, the rest by the textbook's formulas in another language. */
#include "eval/statistics.h"
#include "base/rng.h"
#include "tests/test.h"

#include <math.h>

static void near_to(double got, double want, double slack) { EXPECT_MSG(fabs(got - want) <= slack, "got %.15g, expected %.15g", got, want); }

TEST(pass_at_k_is_the_exact_share)
{
    near_to(r1_pass_at(10, 3, 1), 0.3, 1e-15);
    near_to(r1_pass_at(10, 3, 5), 0.9166666666666666, 1e-14);
    near_to(r1_pass_at(64, 1, 16), 0.25, 1e-14);
    near_to(r1_pass_at(200, 7, 100), 0.9929911172418123, 1e-13);
    near_to(r1_pass_at(5, 5, 2), 1, 0);
    near_to(r1_pass_at(5, 0, 3), 0, 0);
    near_to(r1_pass_at(64, 60, 8), 1, 0);
}

/* Unbiased: the mean over all ways 6 samples can come out, each right with probability p, is 1 - (1 - p)^j. */
TEST(pass_at_k_is_unbiased)
{
    const double p = 0.3;
    for (unsigned j = 1; j <= 6; j++) {
        double sum = 0;
        for (unsigned m = 0; m < 64; m++) {
            unsigned c = (unsigned)__builtin_popcount(m);
            sum += pow(p, c) * pow(1 - p, 6 - c) * r1_pass_at(6, c, j);
        }
        near_to(sum, 1 - pow(1 - p, j), 1e-14);
    }
}

TEST(wilson)
{
    r1_interval a = r1_wilson(0.3, 30), b = r1_wilson(0, 30), c = r1_wilson(1, 164);
    near_to(a.lo, 0.16664748268243795, 1e-12);
    near_to(a.hi, 0.4787578745871494, 1e-12);
    near_to(b.lo, 0, 1e-15);
    near_to(b.hi, 0.11351339317396876, 1e-12);
    near_to(c.lo, 0.9771125748805723, 1e-12);
    near_to(c.hi, 1, 1e-15);
}

TEST(sign_test)
{
    near_to(r1_sign_test(2, 10), 0.109375, 1e-12);
    near_to(r1_sign_test(5, 10), 1, 0);
    near_to(r1_sign_test(30, 100), 7.85013964559367e-05, 1e-13);
    near_to(r1_sign_test(6, 6), 0.03125, 1e-12);
    near_to(r1_sign_test(480, 1000), 0.21744829320414094, 1e-10);
    near_to(r1_sign_test(0, 0), 1, 0);
}

TEST(both_sources_of_error)
{
    const double x[] = { 0, 0.25, 1, 0.5, 0.75, 0, 1, 1 };
    const uint32_t k[] = { 4, 4, 4, 4, 4, 4, 4, 4 };
    r1_estimate e;
    r1_error err;
    EXPECT_OK(r1_estimate_mean(&(r1_scores){ x, k, 8 }, 1, &e, &err), &err);
    near_to(e.value, 0.5625, 1e-15);
    near_to(e.se, 0.15490492475801315, 1e-14);
    near_to(e.se_samples, 0.0570544330734548, 1e-14);
    near_to(e.se_problems, 0.14401502484446677, 1e-13);
    near_to(e.ci95_wilson.lo, 0.2859506301784617, 1e-12);
    near_to(e.ci95_wilson.hi, 0.8049872955268447, 1e-12);
    EXPECT(e.ci95.lo >= 0.2 && e.ci95.lo <= 0.35 && e.ci95.hi >= 0.78 && e.ci95.hi <= 0.9);
    /* the dice alone: about 1.96 standard errors to each side */
    near_to(e.ci95_samples.hi - e.ci95_samples.lo, 2 * 1.96 * e.se_samples, 0.03);
}

TEST(the_same_seed_gives_the_same_interval)
{
    const double x[] = { 0, 1, 1, 0, 0.5, 0.25, 1 };
    const uint32_t k[] = { 4, 4, 4, 4, 4, 4, 4 };
    r1_estimate a, b, c;
    EXPECT_OK(r1_estimate_mean(&(r1_scores){ x, k, 7 }, 5, &a, NULL), NULL);
    EXPECT_OK(r1_estimate_mean(&(r1_scores){ x, k, 7 }, 5, &b, NULL), NULL);
    EXPECT_OK(r1_estimate_mean(&(r1_scores){ x, k, 7 }, 6, &c, NULL), NULL);
    EXPECT(!memcmp(&a, &b, sizeof a));
    EXPECT(memcmp(&a.ci95_samples, &c.ci95_samples, sizeof a.ci95) != 0 || memcmp(&a.ci95, &c.ci95, sizeof a.ci95) != 0);
}

TEST(few_or_no_problems)
{
    const double x[] = { 0.5 };
    const uint32_t k[] = { 1 };
    r1_estimate e;
    EXPECT_OK(r1_estimate_mean(&(r1_scores){ NULL, NULL, 0 }, 1, &e, NULL), NULL);
    EXPECT(isnan(e.value) && isnan(e.ci95.lo));
    EXPECT_OK(r1_estimate_mean(&(r1_scores){ x, k, 1 }, 1, &e, NULL), NULL);
    EXPECT(isnan(e.se) && isnan(e.se_samples) && e.value > 0.4 && e.ci95.lo > 0.4);
}

/* 200 made-up benchmarks of 60 problems with 4 samples each: the interval must hold the truth about 95 times in 100. Drawing
 * the samples of each drawn problem anew, too, would be wide for nothing; holding problems fixed, far less often. */
TEST(intervals_hold_the_truth_as_often_as_they_say)
{
    enum { RUNS = 200, N = 60, K = 4 };
    int hits = 0, narrow_hits = 0;
    for (uint64_t run = 0; run < RUNS; run++) {
        double x[N];
        uint32_t k[N];
        r1_estimate e;
        for (int i = 0; i < N; i++) { /* p is the square of a uniform number: its mean is 1/3 */
            double u = r1_rng_uniform(run, 77, (uint64_t)i * 8), p = u * u;
            int c = 0;
            for (int s = 0; s < K; s++) c += r1_rng_uniform(run, 77, (uint64_t)i * 8 + 1 + (uint64_t)s) < p;
            x[i] = (double)c / K;
            k[i] = K;
        }
        EXPECT_OK(r1_estimate_mean(&(r1_scores){ x, k, N }, run, &e, NULL), NULL);
        hits += e.ci95.lo <= 1.0 / 3 && 1.0 / 3 <= e.ci95.hi;
        narrow_hits += e.ci95_samples.lo <= 1.0 / 3 && 1.0 / 3 <= e.ci95_samples.hi;
    }
    EXPECT_MSG(hits >= 0.91 * RUNS && hits <= 0.985 * RUNS, "%d of %d intervals hold the truth", hits, RUNS);
    EXPECT_MSG(narrow_hits < 0.85 * RUNS, "%d of %d", narrow_hits, RUNS);
}

TEST(two_runs_on_the_same_problems)
{
    const double a[] = { 1, .75, .5, 0, .25, 1, .5, .75 }, b[] = { .5, .75, .25, .25, 0, .5, .5, .25 };
    r1_paired p;
    EXPECT_OK(r1_compare_scores(a, b, 8, 3, &p, NULL), NULL);
    near_to(p.difference, 0.21875, 1e-15);
    near_to(p.se, 0.09952453932860693, 1e-14);
    near_to(p.p_permutation, 0.125, 1e-15);
    near_to(p.p_sign, 0.21875, 1e-13);
    near_to(p.correlation, 0.60279628678631, 1e-13);
    EXPECT_INT(p.better, 5);
    EXPECT_INT(p.worse, 1);
    EXPECT(p.ci95.lo > 0 && p.ci95.lo < 0.1 && p.ci95.hi > 0.35 && p.ci95.hi < 0.45);
    EXPECT_OK(r1_compare_scores(a, a, 8, 3, &p, NULL), NULL);
    near_to(p.p_permutation, 1, 0);
    near_to(p.difference, 0, 0);
}

/* Without exact enumeration: 40 problems, b is a with 12 right ones lost and 2 won. The exact p of all signs is that of McNemar. */
TEST(random_signs_come_near_the_exact_test)
{
    double a[40], b[40];
    for (int i = 0; i < 40; i++) {
        a[i] = i < 20;
        b[i] = i < 8 || (i >= 38);
    }
    r1_paired p;
    EXPECT_OK(r1_compare_scores(a, b, 40, 3, &p, NULL), NULL);
    EXPECT_INT(p.better, 12);
    EXPECT_INT(p.worse, 2);
    near_to(p.p_sign, 2 * (1 + 14 + 91) / 16384.0, 1e-12);
    near_to(p.p_permutation, p.p_sign, 0.003);
    for (int i = 0; i < 40; i++) a[i] = i % 4 < 2; /* 20 that differ: the random way */
    for (int i = 0; i < 40; i++) b[i] = i % 4 == 1 || i % 4 == 2;
    EXPECT_OK(r1_compare_scores(a, b, 40, 3, &p, NULL), NULL);
    near_to(p.p_permutation, 1, 1e-3);
}

TEST(majority_and_its_ties)
{
    const char *t[] = { "7", NULL, "8", "7", "9", "8" };
    const bool right[] = { true, false, false, true, false, false };
    int32_t g[6];
    r1_vote v;
    r1_group_texts(t, 6, g);
    const int32_t want[] = { 0, -1, 2, 0, 4, 2 };
    EXPECT(!memcmp(g, want, sizeof want));
    EXPECT_OK(r1_majority(g, right, 6, &v, NULL), NULL);
    near_to(v.right, 0.5, 0); /* 7 and 8 tie: one of the two is right */
    EXPECT_INT(v.winner, 0);
    EXPECT_INT(v.votes, 2);
    EXPECT_INT(v.answers, 5);
    EXPECT_OK(r1_majority(g, right, 5, &v, NULL), NULL);
    near_to(v.right, 1, 0);
    const int32_t none[] = { -1, -1 };
    EXPECT_OK(r1_majority(none, right, 2, &v, NULL), NULL);
    near_to(v.right, 0, 0);
    EXPECT(v.winner == SIZE_MAX && v.answers == 0);
}

TEST(rating_of_most_likelihood)
{
    const double score[] = { 1, .5, .25, 0, .75, .125, 0.5 }, rating[] = { 800, 1200, 1600, 2400, 1000, 1900, NAN };
    const uint32_t k[] = { 16, 16, 16, 16, 16, 16, 16 };
    r1_rating r;
    EXPECT_OK(r1_estimate_rating(score, rating, k, 7, 1, &r, NULL), NULL);
    near_to(r.value, 1301.7568263442042, 1e-6);
    near_to(r.se, 57.63320598576576, 1e-6);
    EXPECT_INT(r.n, 6);
    EXPECT(r.ci95.lo < r.value - 50 && r.ci95.hi > r.value + 50 && r.ci95.lo > 700 && r.ci95.hi < 1900);
    const double even[] = { 0.5 }, at[] = { 1500 };
    EXPECT_OK(r1_estimate_rating(even, at, k, 1, 1, &r, NULL), NULL);
    near_to(r.value, 1500, 1e-6);
}

TEST(rating_without_a_maximum)
{
    const double none[] = { 0, 0 }, all[] = { 1, 1 }, rating[] = { 800, 1200 }, unknown[] = { NAN, NAN };
    const uint32_t k[] = { 4, 4 };
    r1_rating r;
    EXPECT_OK(r1_estimate_rating(none, rating, k, 2, 1, &r, NULL), NULL);
    EXPECT(isinf(r.value) && r.value < 0 && isnan(r.se));
    EXPECT_OK(r1_estimate_rating(all, rating, k, 2, 1, &r, NULL), NULL);
    EXPECT(isinf(r.value) && r.value > 0);
    EXPECT_OK(r1_estimate_rating(all, unknown, k, 2, 1, &r, NULL), NULL);
    EXPECT(isnan(r.value) && r.n == 0);
}

TEST(quantiles)
{
    double x[] = { 3, 1, 4, 1, 5, 9, 2, 6 };
    r1_spread s = r1_spread_of(x, 8);
    near_to(s.mean, 3.875, 1e-15);
    near_to(s.median, 3.5, 1e-15);
    near_to(s.p10, 1, 1e-15);
    near_to(s.p90, 6.9, 1e-12);
    near_to(s.max, 9, 0);
    EXPECT(isnan(r1_spread_of(x, 0).mean));
}
