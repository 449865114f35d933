/* Estimates, intervals, tests. Sums are in double and in the order of the problems, so results do not depend on threads.
 *
 * A bootstrap draw is one pass over n random indices; a block of the generator gives four of them. The streams of the
 * generator tell apart what is drawn for what. */
#include "eval/statistics.h"
#include "base/rng.h"

#include <math.h>

enum { STREAM_PROBLEMS = 1, STREAM_SAMPLES, STREAM_PAIRED, STREAM_SIGNS, STREAM_RATING };

static const r1_interval no_interval = { NAN, NAN };

/* Random indices below n, four from each block of the generator. 32 bits times n, the upper half: for n below 2^20 an index is
 * off by less than one draw in 4,096 of being equally likely. */
typedef struct dice {
    uint64_t seed, stream, at;
    uint32_t block[4];
    unsigned used;
} dice;

static dice dice_new(uint64_t seed, uint64_t stream) { return (dice){ .seed = seed, .stream = stream, .used = 4 }; }

static uint32_t roll(dice *d)
{
    if (d->used == 4) {
        r1_rng_block(d->seed, d->stream, d->at++, d->block);
        d->used = 0;
    }
    return d->block[d->used++];
}

static size_t roll_below(dice *d, size_t n) { return (size_t)((uint64_t)roll(d) * n >> 32); }

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of sorted x; the nearer one where a neighbour is infinite. */
static double quantile(const double *x, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t i = (size_t)at;
    double part = at - (double)i;
    if (i + 1 >= n) return x[i];
    if (isinf(x[i]) || isinf(x[i + 1])) return x[part < 0.5 ? i : i + 1];
    return x[i] + part * (x[i + 1] - x[i]);
}

static r1_interval percentiles(double *draws, size_t n)
{
    qsort(draws, n, sizeof *draws, by_value);
    return (r1_interval){ quantile(draws, n, 0.025), quantile(draws, n, 0.975) };
}

static double mean_of(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return sum / (double)n;
}

static double variance_of(const double *x, size_t n)
{
    double m = mean_of(x, n), sum = 0;
    for (size_t i = 0; i < n; i++) sum += (x[i] - m) * (x[i] - m);
    return sum / (double)(n - 1);
}

double r1_pass_at(size_t n, size_t c, size_t j)
{
    if (j == 0 || n == 0) return 0;
    if (j > n) j = n;
    if (n - c < j) return 1;
    double none = 1; /* C(n - c, j) / C(n, j) */
    for (size_t i = n - c + 1; i <= n; i++) none *= 1 - (double)j / (double)i;
    return 1 - none;
}

r1_interval r1_wilson(double p, double n)
{
    const double z = 1.959963984540054; /* 97.5% of a normal distribution lies below */
    if (isnan(p) || !(n > 0)) return no_interval;
    double z2 = z * z, middle = (p + z2 / (2 * n)) / (1 + z2 / n), half = z / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    return (r1_interval){ fmax(0, middle - half), fmin(1, middle + half) };
}

/* ---- one run --------------------------------------------------------------------------------------------------- */

/* Mean of n drawn with replacement, R1_DRAWS times. */
static void draw_means(const double *x, size_t n, uint64_t seed, uint64_t stream, double *draws)
{
    dice d = dice_new(seed, stream);
    for (size_t r = 0; r < R1_DRAWS; r++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++) sum += x[roll_below(&d, n)];
        draws[r] = sum / (double)n;
    }
}

/* Problems stay, samples are drawn anew: k - 1 of k, for then the variance of a drawn mean is the unbiased one of the mean. */
static void draw_samples(const r1_scores *s, uint64_t seed, double *draws)
{
    dice d = dice_new(seed, STREAM_SAMPLES);
    for (size_t r = 0; r < R1_DRAWS; r++) {
        double sum = 0;
        for (size_t i = 0; i < s->n; i++) {
            uint32_t k = s->k[i], right = (uint32_t)lround(s->score[i] * k), hits = 0;
            if (k < 2 || right == 0 || right == k) {
                sum += s->score[i];
                continue;
            }
            for (uint32_t j = 0; j + 1 < k; j++) hits += roll_below(&d, k) < right;
            sum += (double)hits / (double)(k - 1);
        }
        draws[r] = sum / (double)s->n;
    }
}

static double error_of_samples(const r1_scores *s)
{
    double sum = 0;
    bool any = false;
    for (size_t i = 0; i < s->n && s->k; i++) {
        if (s->k[i] < 2) continue;
        any = true;
        sum += s->score[i] * (1 - s->score[i]) / (double)(s->k[i] - 1);
    }
    return any ? sqrt(sum) / (double)s->n : NAN;
}

r1_status r1_estimate_mean(const r1_scores *s, uint64_t seed, r1_estimate *out, r1_error *err)
{
    *out = (r1_estimate){ NAN, NAN, NAN, NAN, no_interval, no_interval, no_interval };
    if (s->n == 0) return R1_OK;
    double *draws = malloc(R1_DRAWS * sizeof *draws);
    if (!draws) return r1_fail(err, R1_ENOMEM, "no memory for %d draws", R1_DRAWS);
    out->value = mean_of(s->score, s->n);
    if (s->n >= 2) out->se = sqrt(variance_of(s->score, s->n) / (double)s->n);
    out->se_samples = error_of_samples(s);
    if (!isnan(out->se) && !isnan(out->se_samples)) out->se_problems = sqrt(fmax(0, out->se * out->se - out->se_samples * out->se_samples));
    double trials = out->se > 0 ? out->value * (1 - out->value) / (out->se * out->se) : (double)s->n;
    out->ci95_wilson = r1_wilson(out->value, trials);
    draw_means(s->score, s->n, seed, STREAM_PROBLEMS, draws);
    out->ci95 = percentiles(draws, R1_DRAWS);
    if (!isnan(out->se_samples)) {
        draw_samples(s, seed, draws);
        out->ci95_samples = percentiles(draws, R1_DRAWS);
    }
    free(draws);
    return R1_OK;
}

/* ---- two runs -------------------------------------------------------------------------------------------------- */

double r1_sign_test(size_t k, size_t n)
{
    if (n == 0) return 1;
    size_t least = r1_min(k, n - k);
    double sum = 0;
    for (size_t i = 0; i <= least; i++)
        sum += exp(lgamma((double)n + 1) - lgamma((double)i + 1) - lgamma((double)(n - i) + 1) - (double)n * log(2));
    return fmin(1, 2 * sum);
}

/* How often turning signs gives a sum at least as far from 0. Differences that are 0 do not matter. */
static double permutation_test(const double *d, size_t n, double sum, uint64_t seed)
{
    const double slack = 1e-9; /* sums of thirds and the like must tie where they are equal */
    double far = fabs(sum) - slack * (1 + fabs(sum));
    size_t hits = 0;
    if (n <= 16) {
        for (uint32_t m = 0; m < (uint32_t)1 << n; m++) {
            double t = 0;
            for (size_t i = 0; i < n; i++) t += m >> i & 1 ? -d[i] : d[i];
            hits += fabs(t) >= far;
        }
        return (double)hits / (double)((uint32_t)1 << n);
    }
    dice o = dice_new(seed, STREAM_SIGNS);
    for (size_t r = 0; r < R1_DRAWS; r++) {
        double t = 0;
        uint32_t bits = 0;
        for (size_t i = 0; i < n; i++, bits >>= 1) {
            if (i % 32 == 0) bits = roll(&o);
            t += bits & 1 ? -d[i] : d[i];
        }
        hits += fabs(t) >= far;
    }
    return (double)(hits + 1) / (double)(R1_DRAWS + 1); /* the result itself is one of the orders */
}

static double correlation_of(const double *a, const double *b, size_t n)
{
    double ma = mean_of(a, n), mb = mean_of(b, n), aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < n; i++) {
        aa += (a[i] - ma) * (a[i] - ma);
        bb += (b[i] - mb) * (b[i] - mb);
        ab += (a[i] - ma) * (b[i] - mb);
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

r1_status r1_compare_scores(const double *a, const double *b, size_t n, uint64_t seed, r1_paired *out, r1_error *err)
{
    *out = (r1_paired){ .n = n, .difference = NAN, .se = NAN, .ci95 = no_interval, .p_permutation = NAN, .p_sign = NAN, .correlation = NAN };
    if (n == 0) return R1_OK;
    double *d = malloc(n * sizeof *d), *draws = malloc(R1_DRAWS * sizeof *draws);
    if (!d || !draws) {
        free(d);
        free(draws);
        return r1_fail(err, R1_ENOMEM, "no memory for %d draws", R1_DRAWS);
    }
    for (size_t i = 0; i < n; i++) {
        d[i] = a[i] - b[i];
        out->better += d[i] > 0;
        out->worse += d[i] < 0;
    }
    out->difference = mean_of(d, n);
    if (n >= 2) out->se = sqrt(variance_of(d, n) / (double)n);
    draw_means(d, n, seed, STREAM_PAIRED, draws);
    out->ci95 = percentiles(draws, R1_DRAWS);
    out->correlation = correlation_of(a, b, n);
    out->p_sign = r1_sign_test(out->better, out->better + out->worse);
    double sum = 0;
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        sum += d[i];
        if (d[i] < 0 || d[i] > 0) d[m++] = d[i];
    }
    out->p_permutation = permutation_test(d, m, sum, seed);
    free(d);
    free(draws);
    return R1_OK;
}

/* ---- votes ----------------------------------------------------------------------------------------------------- */

void r1_group_texts(const char *const *texts, size_t n, int32_t *group)
{
    for (size_t i = 0; i < n; i++) {
        size_t j = 0;
        while (texts[i] && j < i && (!texts[j] || strcmp(texts[j], texts[i]))) j++;
        group[i] = texts[i] ? (int32_t)j : -1;
    }
}

r1_status r1_majority(const int32_t *group, const bool *right, size_t n, r1_vote *out, r1_error *err)
{
    *out = (r1_vote){ .winner = SIZE_MAX };
    size_t *votes = calloc(n ? n : 1, sizeof *votes), tied = 0, tied_right = 0;
    if (!votes) return r1_fail(err, R1_ENOMEM, "no memory for %zu votes", n);
    for (size_t i = 0; i < n; i++) {
        if (group[i] < 0) continue;
        out->answers++;
        votes[group[i]]++;
        out->votes = r1_max(out->votes, votes[group[i]]);
    }
    for (size_t i = 0; i < n; i++) {
        if (votes[i] == 0 || votes[i] != out->votes) continue;
        if (tied++ == 0) out->winner = i;
        tied_right += right[i];
    }
    out->right = tied ? (double)tied_right / (double)tied : 0;
    free(votes);
    return R1_OK;
}

/* ---- ratings --------------------------------------------------------------------------------------------------- */

static double chance(double rating, double difficulty) { return 1 / (1 + pow(10, (difficulty - rating) / 400)); }

/* The likelihood has one maximum: there expected and real numbers of solved ones are equal. The difference falls with R, so
 * halving finds it, without a start that must be good. weight[i] problems of kind i. */
static double best_rating(const double *score, const double *rating, const uint32_t *k, const uint32_t *weight, size_t n)
{
    double solved = 0, all = 0, lo = INFINITY, hi = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        if (isnan(rating[i]) || !weight[i]) continue;
        double w = (double)weight[i] * k[i];
        solved += w * score[i];
        all += w;
        lo = fmin(lo, rating[i]);
        hi = fmax(hi, rating[i]);
    }
    if (all == 0) return NAN;
    if (solved <= all * 1e-12) return -INFINITY;
    if (solved >= all * (1 - 1e-12)) return INFINITY;
    lo -= 8000; /* there, one of 10^20 is solved */
    hi += 8000;
    for (int step = 0; step < 100 && hi - lo > 1e-9; step++) {
        double middle = (lo + hi) / 2, expected = 0;
        for (size_t i = 0; i < n; i++)
            if (!isnan(rating[i]) && weight[i]) expected += (double)weight[i] * k[i] * chance(middle, rating[i]);
        if (expected < solved) lo = middle;
        else hi = middle;
    }
    return (lo + hi) / 2;
}

static double rating_error(const double *rating, const uint32_t *k, size_t n, double value)
{
    double information = 0; /* minus the second derivative of the log-likelihood */
    const double slope = log(10) / 400;
    for (size_t i = 0; i < n; i++) {
        if (isnan(rating[i])) continue;
        double p = chance(value, rating[i]);
        information += slope * slope * k[i] * p * (1 - p);
    }
    return information > 0 ? 1 / sqrt(information) : NAN;
}

r1_status r1_estimate_rating(const double *score, const double *rating, const uint32_t *k, size_t n, uint64_t seed, r1_rating *out, r1_error *err)
{
    enum { DRAWS = 1000 }; /* each is a search; the ends of an interval of ratings need no third digit */
    *out = (r1_rating){ .value = NAN, .se = NAN, .ci95 = no_interval };
    uint32_t *weight = malloc((n ? n : 1) * sizeof *weight);
    double *draws = malloc(DRAWS * sizeof *draws);
    size_t *known = malloc((n ? n : 1) * sizeof *known);
    r1_status s = R1_OK;
    if (!weight || !draws || !known) s = r1_fail(err, R1_ENOMEM, "no memory for the ratings of %zu problems", n);
    for (size_t i = 0; i < n && s == R1_OK; i++) {
        weight[i] = 1;
        if (!isnan(rating[i])) known[out->n++] = i;
    }
    if (s == R1_OK && out->n) {
        out->value = best_rating(score, rating, k, weight, n);
        if (isfinite(out->value)) out->se = rating_error(rating, k, n, out->value);
        dice d = dice_new(seed, STREAM_RATING);
        for (size_t r = 0; r < DRAWS; r++) {
            memset(weight, 0, n * sizeof *weight);
            for (size_t i = 0; i < out->n; i++) weight[known[roll_below(&d, out->n)]]++;
            draws[r] = best_rating(score, rating, k, weight, n);
        }
        out->ci95 = percentiles(draws, DRAWS);
    }
    free(weight);
    free(draws);
    free(known);
    return s;
}

/* ---------------------------------------------------------------------------------------------------------------- */

r1_spread r1_spread_of(double *x, size_t n)
{
    if (n == 0) return (r1_spread){ 0, NAN, NAN, NAN, NAN, NAN };
    double mean = mean_of(x, n);
    qsort(x, n, sizeof *x, by_value);
    return (r1_spread){ n, mean, quantile(x, n, 0.5), quantile(x, n, 0.1), quantile(x, n, 0.9), x[n - 1] };
}
