/* The sampler against an oracle that sorts everything and computes in double, on random and adversarial logits; its
 * distribution, its determinism, its window and every refusal. */
#include "engine/sampler_int.h"
#include "base/half.h"
#include "base/rng.h"
#include "tests/test.h"

#include <float.h>
#include <math.h>

/* ---- the oracle ---- */

typedef struct ranked { double x; int32_t id; } ranked;

static int descending(const void *a, const void *b)
{
    const ranked *p = a, *q = b;
    if (p->x != q->x) return p->x > q->x ? -1 : 1;
    return (p->id > q->id) - (p->id < q->id);
}

static int by_id(const void *a, const void *b)
{
    const ranked *p = a, *q = b;
    return (p->id > q->id) - (p->id < q->id);
}

static double tame(float x) { return x != x ? -INFINITY : x > FLT_MAX ? (double)FLT_MAX : (double)x; }

/* log(sum(exp(x))) of n raw logits. */
static double oracle_lse(const float *logits, int32_t n)
{
    double max = -INFINITY, sum = 0;
    for (int32_t i = 0; i < n; i++) max = fmax(max, tame(logits[i]));
    for (int32_t i = 0; i < n; i++) sum += exp(tame(logits[i]) - max);
    return max + log(sum);
}

/* Logits after bias and penalties; these steps are defined in float. */
static void oracle_change(const float *logits, int32_t n, const r1_sampling *p, const int32_t *window, size_t n_window, ranked *r)
{
    for (int32_t i = 0; i < n; i++) {
        float x = (float)tame(logits[i]);
        for (size_t b = 0; b < p->n_bias; b++)
            if (p->bias[b].id == i) x = (float)tame(x + p->bias[b].bias);
        float count = 0;
        for (size_t w = 0; w < n_window; w++) count += window[w] == i;
        if (count > 0) {
            x = x > 0 ? x / p->repetition_penalty : x * p->repetition_penalty;
            x -= p->presence_penalty + p->frequency_penalty * count;
        }
        r[i] = (ranked){ tame(x), i };
    }
}

/* The token u chooses, or -1 when the answer hangs on less than `eps` of the probability. */
static int32_t oracle_choose(ranked *r, int32_t n, const r1_sampling *p, double u, double eps)
{
    qsort(r, (size_t)n, sizeof *r, descending);
    if (p->temperature == 0) return r[0].id;
    double max = r[0].x, *w = malloc(sizeof *w * (size_t)n), sum = 0, run = 0;
    int32_t kept = p->top_k && p->top_k < n ? p->top_k : n, id = -1;
    bool close = false;
    for (int32_t i = 0; i < kept; i++) {
        double x = (r[i].x - max) / (double)p->temperature;
        w[i] = r[i].x == -INFINITY ? 0 : exp(x);
        if (p->min_p > 0 && fabs(w[i] - (double)p->min_p) < eps * (double)p->min_p) close = close || w[i] != 1;
        if (w[i] < (double)p->min_p && w[i] != 1) kept = i;
        else sum += w[i];
    }
    if (p->top_p < 1) {
        double target = (double)p->top_p * sum;
        int32_t k = 0;
        while (k < kept && !(k && run >= target)) {
            run += w[k++];
            if (fabs(run - target) < eps * sum && target > 0) close = true;
        }
        kept = k;
        sum = run;
    }
    for (int32_t i = 0; i < kept; i++) r[i].x = w[i];
    qsort(r, (size_t)kept, sizeof *r, by_id);
    run = 0;
    for (int32_t i = 0; i < kept && id < 0; i++) {
        run += r[i].x;
        if (fabs(run - u * sum) < eps * sum && !(i == kept - 1)) close = true;
        if (run > u * sum) id = r[i].id;
    }
    free(w);
    return close ? -1 : id;
}

/* ---- cases ---- */

enum { N_MAX = 3000 };

static float uniform(uint64_t *rng) { return (float)(test_random(rng) >> 8) * 0x1p-24f; }
static float normal(uint64_t *rng) { return sqrtf(-2 * logf(1 - uniform(rng))) * cosf(6.2831853f * uniform(rng)); }

static void fill(float *x, int32_t n, unsigned kind, uint64_t *rng)
{
    for (int32_t i = 0; i < n; i++) {
        switch (kind) {
        case 0: x[i] = 4 * normal(rng); break;
        case 1: x[i] = 0.5f; break;                                     /* all equal */
        case 2: x[i] = (float)(test_random(rng) % 4); break;            /* many ties */
        case 3: x[i] = -10; break;                                      /* one huge */
        case 4: x[i] = (float)i * 0.01f; break;                         /* ascending */
        case 5: x[i] = -(float)i * 0.01f; break;                        /* descending */
        case 6: x[i] = i / 16 == n / 32 ? 5 + uniform(rng) : -1; break; /* all in one block */
        case 7: x[i] = test_random(rng) % 8 ? -INFINITY : normal(rng); break;
        case 8: x[i] = test_random(rng) % 3 ? normal(rng) : NAN; break;
        case 9: x[i] = test_random(rng) % 5 ? 1000 * normal(rng) : 3e38f; break;
        case 10: x[i] = -3 * logf((float)i + 1) + 0.1f * normal(rng); break; /* like words */
        case 11: x[i] = test_random(rng) & 1 ? 0.0f : -0.0f; break;
        default: x[i] = test_random(rng) % 50 ? normal(rng) : INFINITY;
        }
    }
    if (kind == 3) x[test_random(rng) % (uint32_t)n] = 60;
    if (kind >= 7) x[test_random(rng) % (uint32_t)n] = 1;
}

static float one_of(const float *v, size_t n, uint64_t *rng) { return v[test_random(rng) % n]; }

static r1_sampling random_sampling(int32_t n, uint64_t *rng)
{
    static const float temperatures[] = { 0, 0.01f, 0.6f, 0.6f, 1, 1, 1.7f, 100, 1e-40f }, top_ps[] = { 1, 1, 0.95f, 0.95f, 0.5f, 0.1f, 0, 0.9999999f },
                       min_ps[] = { 0, 0, 0, 0.05f, 0.5f, 1 }, reps[] = { 1, 1, 1.3f, 0.7f }, adds[] = { 0, 0, 0.5f, -0.5f };
    static const int32_t windows[] = { 0, -1, 1, 5, 64 };
    r1_sampling p = R1_SAMPLING_DEFAULT;
    p.temperature = one_of(temperatures, R1_COUNT(temperatures), rng);
    p.top_p = one_of(top_ps, R1_COUNT(top_ps), rng);
    p.min_p = one_of(min_ps, R1_COUNT(min_ps), rng);
    p.repetition_penalty = one_of(reps, R1_COUNT(reps), rng);
    p.presence_penalty = one_of(adds, R1_COUNT(adds), rng);
    p.frequency_penalty = one_of(adds, R1_COUNT(adds), rng);
    p.penalty_window = windows[test_random(rng) % R1_COUNT(windows)];
    if (test_random(rng) & 1) p.top_k = 1 + (int32_t)(test_random(rng) % (uint32_t)(test_random(rng) & 1 ? 50 : n + 10));
    p.seed = test_random(rng);
    p.n_top = (int32_t)(test_random(rng) % (R1_TOP_MAX + 1));
    return p;
}

static void check_top(const r1_sample *s, const r1_sampling *p, const float *logits, int32_t n, double lse, ranked *r)
{
    int32_t finite = 0;
    for (int32_t i = 0; i < n; i++) {
        r[i] = (ranked){ tame(logits[i]), i };
        finite += r[i].x > -INFINITY;
    }
    qsort(r, (size_t)n, sizeof *r, descending);
    EXPECT_INT(s->n_top, p->n_top < finite ? p->n_top : finite);
    for (int32_t i = 0; i < s->n_top; i++) {
        double want = r[i].x - lse;
        EXPECT_INT(s->top[i].id, r[i].id);
        EXPECT_MSG(fabs((double)s->top[i].logprob - want) <= 1e-6 * (1 + fabs(want)), "logprob %g, expected %g", (double)s->top[i].logprob, want);
    }
    double want = tame(logits[s->id]) - lse;
    EXPECT_MSG(fabs((double)s->logprob - want) <= 1e-6 * (1 + fabs(want)), "logprob %g, expected %g", (double)s->logprob, want);
}

TEST(agrees_with_a_sorting_oracle)
{
    enum { CASES = 6000 };
    uint64_t rng = test_seed() | 1;
    float *x = malloc(sizeof *x * N_MAX);
    ranked *r = malloc(sizeof *r * N_MAX);
    size_t decided = 0;
    for (size_t c = 0; c < CASES; c++) {
        static const int32_t sizes[] = { 1, 2, 15, 16, 17, 50, 257, 1000, N_MAX };
        int32_t n_vocab = sizes[test_random(&rng) % R1_COUNT(sizes)], window[80];
        int32_t n = n_vocab - (int32_t)(test_random(&rng) % 3 == 0 ? test_random(&rng) % (uint32_t)n_vocab : 0);
        unsigned kind = (unsigned)(c % 13);
        fill(x, n, kind, &rng);
        for (int32_t i = n; i < n_vocab; i++) x[i] = i & 1 ? 1e30f : NAN; /* padding must not be looked at */
        r1_sampling p = random_sampling(n, &rng);
        r1_logit_bias bias[4];
        p.bias = bias;
        p.n_bias = test_random(&rng) % 5;
        for (size_t b = 0; b < p.n_bias; b++)
            bias[b] = (r1_logit_bias){ (int32_t)(test_random(&rng) % (uint32_t)n), b == 3 ? -100.0f : 4 * normal(&rng) };
        r1_sampler *s;
        r1_error e = { 0 };
        EXPECT_OK(r1_sampler_new(&s, n_vocab, n, &p, &e), &e);
        size_t n_window = test_random(&rng) % 80, seen = 0;
        for (size_t i = 0; i < n_window; i++) r1_sampler_accept(s, window[i] = (int32_t)(test_random(&rng) % (uint32_t)n));
        if (p.penalty_window >= 0 && n_window > (size_t)p.penalty_window) seen = n_window - (size_t)p.penalty_window;
        uint64_t position = test_random(&rng);
        r1_sample got;
        EXPECT_OK(r1_sampler_sample(s, x, position, &got, &e), &e);
        EXPECT(got.id >= 0 && got.id < n);
        oracle_change(x, n, &p, window + seen, n_window - seen, r);
        int32_t want = oracle_choose(r, n, &p, r1_rng_uniform(p.seed, 0, position), 1e-5);
        EXPECT_MSG(want < 0 || want == got.id, "case %zu of kind %u, n %d, T %g, k %d, p %g, min %g: token %d, expected %d", c, kind, n,
                   (double)p.temperature, p.top_k, (double)p.top_p, (double)p.min_p, got.id, want);
        decided += want >= 0;
        check_top(&got, &p, x, n, oracle_lse(x, n), r);
        r1_sampler_free(s);
    }
    EXPECT_MSG(decided > CASES * 4 / 5, "only %zu of %d cases were decided", decided, CASES);
    free(x);
    free(r);
}

/* ---- parts ---- */

TEST(exponentials_are_close)
{
    uint64_t rng = test_seed() | 1;
    double worst = 0;
    for (int round = 0; round < 20000; round++) {
        float x[R1_SCAN_BLOCK] __attribute__((aligned(16))), y[R1_SCAN_BLOCK] __attribute__((aligned(16)));
        for (size_t i = 0; i < R1_SCAN_BLOCK; i++) x[i] = -87.3f * uniform(&rng) * (i & 1 ? 1 : 0.01f);
        r1_scan_exp(y, x, 0, 1);
        for (size_t i = 0; i < R1_SCAN_BLOCK; i++) worst = fmax(worst, fabs((double)y[i] / exp((double)x[i]) - 1));
    }
    EXPECT_MSG(worst < 3 * 0x1p-24, "relative error %g", worst);
    float edge[R1_SCAN_BLOCK] __attribute__((aligned(16))) = { 0, -0.0f, -INFINITY, -FLT_MAX, -88, -87.3365f, -1e-30f };
    r1_scan_exp(edge, edge, 0, 1);
    EXPECT(edge[0] == 1 && edge[1] == 1 && edge[2] == 0 && edge[3] == 0 && edge[4] == 0 && edge[5] > 0 && edge[6] == 1);
}

TEST(keys_are_in_the_order_of_the_values)
{
    static const float v[] = { -INFINITY, -FLT_MAX, -1, -FLT_MIN, -1e-45f, 0, 1e-45f, 1, FLT_MAX };
    for (size_t i = 1; i < R1_COUNT(v); i++) EXPECT(r1_scan_key(v[i - 1]) < r1_scan_key(v[i]));
    EXPECT(r1_scan_key(-0.0f) == r1_scan_key(0.0f));
}

TEST(cuts_fall_where_a_sort_says)
{
    uint64_t rng = test_seed() | 1;
    for (int round = 0; round < 400; round++) {
        float x[300], w[300];
        int32_t id[300];
        ranked r[300];
        size_t n = 1 + test_random(&rng) % 300;
        for (size_t i = 0; i < n; i++) {
            x[i] = round & 1 ? (float)(test_random(&rng) % 9) - 4 : r1_f32_from_bits(test_random(&rng) % 0x7F800000u) * (i & 1 ? -1 : 1);
            w[i] = (float)(test_random(&rng) % 8); /* sums are exact */
            id[i] = (int32_t)i;
            r[i] = (ranked){ (double)x[i], (int32_t)i };
        }
        w[0] = 1;
        qsort(r, n, sizeof *r, descending);
        size_t k = 1 + test_random(&rng) % n, above = 0;
        r1_cut c = r1_cut_count(x, NULL, n, k);
        for (size_t i = 0; i < n; i++) above += r1_scan_key(x[i]) > c.key;
        EXPECT_INT(above + c.ties, k);
        EXPECT(r1_scan_key(x[r[k - 1].id]) == c.key);
        double sum = 0, target = 1 + (double)(test_random(&rng) % 50);
        for (k = 0; k < n && sum < target; k++) sum += (double)w[r[k].id];
        c = r1_cut_mass(x, id, w, n, target);
        for (size_t i = above = 0; i < n; i++) above += r1_scan_key(x[i]) > c.key;
        if (sum >= target) EXPECT_INT(above + c.ties, k);
        else EXPECT_INT(above + c.ties, n);
    }
}

/* ---- behaviour ---- */

static int32_t sample_at(const r1_sampling *p, int32_t n, const float *x, uint64_t position)
{
    r1_sampler *s;
    r1_error e = { 0 };
    r1_sample out;
    EXPECT_OK(r1_sampler_new(&s, n, n, p, &e), &e);
    EXPECT_OK(r1_sampler_sample(s, x, position, &out, &e), &e);
    r1_sampler_free(s);
    return out.id;
}

/* Pearson's statistic of 40,000 draws; degrees of freedom are the tokens with a probability, less one. */
static double chi_square(const r1_sampling *p, const float *x, int32_t n, const double *prob)
{
    enum { DRAWS = 40000 };
    r1_sampler *s;
    r1_error e = { 0 };
    size_t count[64] = { 0 };
    EXPECT_OK(r1_sampler_new(&s, n, n, p, &e), &e);
    for (uint64_t i = 0; i < DRAWS; i++) {
        r1_sample out;
        EXPECT_OK(r1_sampler_sample(s, x, i, &out, &e), &e);
        count[out.id]++;
    }
    r1_sampler_free(s);
    double chi = 0;
    for (int32_t i = 0; i < n; i++) {
        double want = prob[i] * DRAWS;
        EXPECT(want > 0 || count[i] == 0);
        if (want > 0) chi += ((double)count[i] - want) * ((double)count[i] - want) / want;
    }
    return chi;
}

TEST(draws_have_the_distribution)
{
    float x[50];
    double prob[50], sum = 0;
    for (int i = 0; i < 50; i++) {
        x[i] = 0.05f * (float)(i * 37 % 50);
        sum += prob[i] = exp((double)x[i] / 0.8);
    }
    for (int i = 0; i < 50; i++) prob[i] /= sum;
    r1_sampling p = R1_SAMPLING_DEFAULT;
    p.temperature = 0.8f;
    p.top_p = 1;
    p.seed = 7;
    double chi = chi_square(&p, x, 50, prob); /* 49 degrees of freedom: above 112 once in a million */
    EXPECT_MSG(chi < 112, "chi square %g", chi);
    p.top_k = 10;
    for (int i = 0; i < 50; i++) prob[i] = x[i] > 1.99f ? prob[i] : 0;
    sum = 0;
    for (int i = 0; i < 50; i++) sum += prob[i];
    for (int i = 0; i < 50; i++) prob[i] /= sum;
    chi = chi_square(&p, x, 50, prob); /* 9 degrees of freedom */
    EXPECT_MSG(chi < 46, "chi square %g", chi);
}

TEST(position_and_seed_decide_and_nothing_else)
{
    float x[1000];
    uint64_t rng = 5;
    for (int i = 0; i < 1000; i++) x[i] = normal(&rng);
    r1_sampling p = R1_SAMPLING_DEFAULT;
    p.seed = 11;
    r1_sampler *s;
    r1_error e = { 0 };
    r1_sample out;
    EXPECT_OK(r1_sampler_new(&s, 1000, 1000, &p, &e), &e);
    int differs = 0, other_seed = 0;
    int32_t first = sample_at(&p, 1000, x, 0);
    for (uint64_t i = 100; i-- > 0;) { /* backwards, and each alone */
        EXPECT_OK(r1_sampler_sample(s, x, i, &out, &e), &e);
        EXPECT_INT(out.id, sample_at(&p, 1000, x, i));
        differs += out.id != first;
        r1_sampling q = p;
        q.seed = 12;
        other_seed += out.id != sample_at(&q, 1000, x, i);
    }
    EXPECT(differs > 80 && other_seed > 80);
    r1_sampler_free(s);
}

TEST(greedy_takes_the_first_of_the_largest)
{
    float x[40] = { 0 };
    r1_sampling p = R1_SAMPLING_DEFAULT;
    p.temperature = 0;
    EXPECT_INT(sample_at(&p, 40, x, 3), 0);
    x[17] = x[33] = 2;
    EXPECT_INT(sample_at(&p, 40, x, 3), 17);
    r1_logit_bias bias[] = { { 17, -3 }, { 5, 2.5f } };
    p.bias = bias;
    p.n_bias = 2;
    EXPECT_INT(sample_at(&p, 40, x, 3), 5);
    p.n_bias = 1;
    EXPECT_INT(sample_at(&p, 40, x, 3), 33);
    p.n_bias = 0;
    p.temperature = 1;
    p.top_k = 1;
    for (uint64_t i = 0; i < 50; i++) EXPECT_INT(sample_at(&p, 40, x, i), 17);
    p.top_k = 0;
    p.top_p = 0;
    for (uint64_t i = 0; i < 50; i++) EXPECT_INT(sample_at(&p, 40, x, i), 17);
    p.top_p = 1;
    p.min_p = 1; /* both of the largest */
    int n17 = 0;
    for (uint64_t i = 0; i < 200; i++) {
        int32_t id = sample_at(&p, 40, x, i);
        EXPECT(id == 17 || id == 33);
        n17 += id == 17;
    }
    EXPECT(n17 > 50 && n17 < 150);
}

TEST(banned_tokens_never_come)
{
    float x[64] = { 0 };
    r1_logit_bias bias[63];
    for (int i = 0; i < 63; i++) bias[i] = (r1_logit_bias){ i, i & 1 ? -INFINITY : -100 };
    r1_sampling p = R1_SAMPLING_DEFAULT;
    p.temperature = 1;
    p.top_p = 1;
    p.bias = bias;
    p.n_bias = 63;
    for (uint64_t i = 0; i < 100; i++) EXPECT_INT(sample_at(&p, 64, x, i), 63);
    for (int i = 0; i < 62; i++) bias[i].bias = -INFINITY;
    bias[62].bias = 0;
    for (int k = 0; k < 3; k++) {
        p.top_k = k * 20;
        for (uint64_t i = 0; i < 100; i++) EXPECT(sample_at(&p, 64, x, i) >= 62);
    }
}

TEST(the_window_forgets)
{
    float x[8] = { 3, 2.9f, 2.8f, 0, 0, 0, 0, 0 };
    r1_sampling p = R1_SAMPLING_DEFAULT;
    p.temperature = 0;
    p.repetition_penalty = 2;
    p.penalty_window = 2;
    r1_sampler *s;
    r1_error e = { 0 };
    r1_sample out;
    EXPECT_OK(r1_sampler_new(&s, 8, 8, &p, &e), &e);
    static const struct { int32_t accept, then; } steps[] = { { -1, 0 }, { 8, 0 }, { 0, 1 }, { 1, 2 }, { 2, 0 }, { 2, 0 }, { 0, 1 }, { 0, 1 }, { 0, 1 }, { 5, 1 }, { 5, 0 } };
    for (size_t i = 0; i < R1_COUNT(steps); i++) {
        r1_sampler_accept(s, steps[i].accept);
        EXPECT_OK(r1_sampler_sample(s, x, i, &out, &e), &e);
        EXPECT_INT(out.id, steps[i].then);
    }
    r1_sampler_free(s);
}

TEST(rows_without_a_finite_logit_are_refused)
{
    float x[20];
    for (int i = 0; i < 20; i++) x[i] = i & 1 ? NAN : -INFINITY;
    x[19] = 1; /* padding */
    r1_sampling p = R1_SAMPLING_DEFAULT;
    r1_sampler *s;
    r1_error e = { 0 };
    r1_sample out;
    EXPECT_OK(r1_sampler_new(&s, 20, 19, &p, &e), &e);
    EXPECT_STATUS(r1_sampler_sample(s, x, 0, &out, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "no finite logit among 19");
    r1_sampler_free(s);
    r1_logit_bias ban = { 18, -INFINITY };
    p.bias = &ban;
    p.n_bias = 1;
    x[18] = 1;
    EXPECT_OK(r1_sampler_new(&s, 20, 19, &p, &e), &e);
    EXPECT_STATUS(r1_sampler_sample(s, x, 0, &out, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "after bias and penalties");
    x[3] = INFINITY;
    EXPECT_OK(r1_sampler_sample(s, x, 0, &out, &e), &e);
    EXPECT_INT(out.id, 3);
    EXPECT(out.logprob == 0);
    r1_sampler_free(s);
}

TEST(arguments_outside_their_range_are_named)
{
    static const r1_logit_bias bad_id = { 10, 1 }, bad_value = { 3, NAN }, infinite = { 3, INFINITY };
    const r1_sampling d = R1_SAMPLING_DEFAULT;
    struct { r1_sampling p; int32_t n_vocab, n_tokens; const char *says; } cases[] = {
        { d, 0, 0, "n_vocab is 0" }, { d, 10, 11, "n_tokens is 11, expected 1 to 10" }, { d, 10, 0, "n_tokens is 0" },
        { d, 10, 10, "temperature is -1, expected 0 to 100" }, { d, 10, 10, "temperature is nan" }, { d, 10, 10, "top_k is -1" },
        { d, 10, 10, "top_p is 1.5" }, { d, 10, 10, "min_p is -0.5" }, { d, 10, 10, "repetition_penalty is 0, expected above 0 to 10" },
        { d, 10, 10, "repetition_penalty is nan" }, { d, 10, 10, "presence_penalty is 101" }, { d, 10, 10, "frequency_penalty is -inf" },
        { d, 10, 10, "penalty_window is -2" }, { d, 10, 10, "penalty_window is 16777217" }, { d, 10, 10, "n_top is 21, expected 0 to 20" },
        { d, 10, 10, "bias is NULL" }, { d, 10, 10, "bias[0] is for token 10, expected 0 to 9" }, { d, 10, 10, "bias[0] of token 3 is nan" },
        { d, 10, 10, "bias[0] of token 3 is inf" },
    };
    cases[3].p.temperature = -1;
    cases[4].p.temperature = NAN;
    cases[5].p.top_k = -1;
    cases[6].p.top_p = 1.5f;
    cases[7].p.min_p = -0.5f;
    cases[8].p.repetition_penalty = 0;
    cases[9].p.repetition_penalty = NAN;
    cases[10].p.presence_penalty = 101;
    cases[11].p.frequency_penalty = -INFINITY;
    cases[12].p.penalty_window = -2;
    cases[13].p.penalty_window = 16777217;
    cases[14].p.n_top = 21;
    for (int i = 15; i < 19; i++) cases[i].p.n_bias = 1;
    cases[16].p.bias = &bad_id;
    cases[17].p.bias = &bad_value;
    cases[18].p.bias = &infinite;
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_sampler *s = (r1_sampler *)(void *)cases;
        r1_error e = { 0 };
        EXPECT_STATUS(r1_sampler_new(&s, cases[i].n_vocab, cases[i].n_tokens, &cases[i].p, &e), R1_EINVAL);
        EXPECT_CONTAINS(e.msg, cases[i].says);
        EXPECT_NULL(s);
    }
    r1_sampler_free(NULL);
}
