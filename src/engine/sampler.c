/* The sampler: from a row of logits to one token, in time O(n_vocab), without a sort and without memory.
 *
 * Order of the steps, that of vLLM and, with DeepSeek's defaults, of DeepSeek's own code:
 *   1. logprob and the alternatives come from the logits as the model made them;
 *   2. logit bias is added; 3. repetition penalty; 4. presence and frequency penalty, all over the window;
 *   5. temperature 0: the largest, the lowest id among equals. Otherwise the logits are divided by the temperature;
 *   6. min-p: tokens below min_p times the most probable one's probability go;
 *   7. top-k: the k largest stay, of equal ones those with lower ids;
 *   8. top-p: of what is left, the shortest row in descending order whose probability reaches top_p stays, at least one;
 *   9. one uniform number at (seed, stream 0, position) chooses among them by the sums of probabilities in order of id.
 *
 * Why top-p needs no sort: let Z be the sum of all weights and n their number. Tokens that weigh less than (1 - p) Z / n weigh
 * less than (1 - p) Z together, so the heavier ones reach p Z without them. Only these are gathered, mostly a few hundred;
 * Z still has all of them. The same floor in other words serves min-p; for top-k it is the k-th largest block maximum.
 * All cuts are then exact, by radix selection (sampler_scan.c). Weights are floats of 24 bits, sums are doubles.
 */
#include "engine/sampler_int.h"
#include "base/rng.h"

#include <float.h>
#include <math.h>

#define WINDOW_MAX (1 << 24)

struct r1_sampler {
    r1_sampling p;       /* p.bias is ours */
    int32_t n_tokens;
    r1_scan row;
    int32_t *ids;        /* candidates, ascending */
    float *w;            /* their weights */
    /* The window; everything NULL when no penalty is on. */
    int32_t *ring;       /* [p.penalty_window], NULL: it has no end */
    size_t ring_at, ring_n;
    uint32_t *count;     /* [n_tokens] how often a token is in it */
    int32_t *seen;       /* the distinct ones, in no order */
    int32_t *place;      /* [n_tokens] where in seen, while count > 0 */
    size_t n_seen;
};

/* ---- making ---------------------------------------------------------------------------------------------------- */

static r1_status check_real(const char *name, float v, float lo, float hi, r1_error *err)
{
    if (v >= lo && v <= hi) return R1_OK;
    return r1_fail(err, R1_EINVAL, "%s is %g, expected %g to %g", name, (double)v, (double)lo, (double)hi);
}

static r1_status check_int(const char *name, int32_t v, int32_t lo, int32_t hi, r1_error *err)
{
    if (v >= lo && v <= hi) return R1_OK;
    return r1_fail(err, R1_EINVAL, "%s is %d, expected %d to %d", name, v, lo, hi);
}

static r1_status check(int32_t n_vocab, int32_t n_tokens, const r1_sampling *p, r1_error *err)
{
    r1_status s = check_int("n_vocab", n_vocab, 1, INT32_MAX - R1_SCAN_BLOCK, err);
    if (!s) s = check_int("n_tokens", n_tokens, 1, n_vocab, err);
    if (!s) s = check_real("temperature", p->temperature, 0, 100, err);
    if (!s) s = check_int("top_k", p->top_k, 0, INT32_MAX, err);
    if (!s) s = check_real("top_p", p->top_p, 0, 1, err);
    if (!s) s = check_real("min_p", p->min_p, 0, 1, err);
    if (!s && !(p->repetition_penalty > 0 && p->repetition_penalty <= 10))
        s = r1_fail(err, R1_EINVAL, "repetition_penalty is %g, expected above 0 to 10", (double)p->repetition_penalty);
    if (!s) s = check_real("presence_penalty", p->presence_penalty, -100, 100, err);
    if (!s) s = check_real("frequency_penalty", p->frequency_penalty, -100, 100, err);
    if (!s) s = check_int("penalty_window", p->penalty_window, -1, WINDOW_MAX, err);
    if (!s) s = check_int("n_top", p->n_top, 0, R1_TOP_MAX, err);
    if (!s && p->n_bias && !p->bias) s = r1_fail(err, R1_EINVAL, "bias is NULL, expected %zu entries", p->n_bias);
    for (size_t i = 0; !s && i < p->n_bias; i++) {
        const r1_logit_bias *b = &p->bias[i];
        if (b->id < 0 || b->id >= n_tokens) s = r1_fail(err, R1_EINVAL, "bias[%zu] is for token %d, expected 0 to %d", i, b->id, n_tokens - 1);
        else if (!(b->bias <= FLT_MAX)) s = r1_fail(err, R1_EINVAL, "bias[%zu] of token %d is %g, expected a number or -inf", i, b->id, (double)b->bias);
    }
    return s;
}

/* NULL also for a product that does not fit. */
static void *zeros(size_t n, size_t size) { return calloc(n ? n : 1, size); }

static bool make(r1_sampler *s)
{
    const r1_sampling *p = &s->p;
    size_t n = (size_t)s->n_tokens;
    r1_scan *row = &s->row;
    row->n_blocks = r1_ceil_div(n, R1_SCAN_BLOCK);
    row->exp_sum = r1_soft_sum_of(R1_CPU_AUTO);
    size_t padded = row->n_blocks * R1_SCAN_BLOCK;
    row->x = r1_alloc_aligned(padded * sizeof *row->x);
    row->max = zeros(row->n_blocks, sizeof *row->max);
    row->sum = zeros(row->n_blocks, sizeof *row->sum);
    s->ids = zeros(padded + 1, sizeof *s->ids); /* one more is written, see r1_scan_at_least */
    s->w = r1_alloc_aligned(padded * sizeof *s->w);
    if (!row->x || !row->max || !row->sum || !s->ids || !s->w) return false;
    bool penalties = p->repetition_penalty != 1 || p->presence_penalty != 0 || p->frequency_penalty != 0;
    if (!penalties || p->penalty_window == 0) return true;
    if (p->penalty_window > 0 && !(s->ring = zeros((size_t)p->penalty_window, sizeof *s->ring))) return false;
    s->count = zeros(n, sizeof *s->count);
    s->seen = zeros(n, sizeof *s->seen);
    s->place = zeros(n, sizeof *s->place);
    return s->count && s->seen && s->place;
}

r1_status r1_sampler_new(r1_sampler **out, int32_t n_vocab, int32_t n_tokens, const r1_sampling *p, r1_error *err)
{
    *out = NULL;
    r1_status st = check(n_vocab, n_tokens, p, err);
    if (st) return st;
    r1_sampler *s = calloc(1, sizeof *s);
    r1_logit_bias *bias = s ? zeros(p->n_bias, sizeof *bias) : NULL;
    if (!bias) goto no_memory;
    if (p->n_bias) memcpy(bias, p->bias, p->n_bias * sizeof *bias);
    s->p = *p;
    s->p.bias = bias;
    s->n_tokens = n_tokens;
    if (!make(s)) goto no_memory;
    *out = s;
    return R1_OK;
no_memory:
    r1_sampler_free(s);
    return r1_fail(err, R1_ENOMEM, "no memory for a sampler of %d tokens", n_tokens);
}

void r1_sampler_free(r1_sampler *s)
{
    if (!s) return;
    free((void *)s->p.bias);
    free(s->row.x);
    free(s->row.max);
    free(s->row.sum);
    free(s->ids);
    free(s->w);
    free(s->ring);
    free(s->count);
    free(s->seen);
    free(s->place);
    free(s);
}

/* ---- the window ------------------------------------------------------------------------------------------------ */

static void forget(r1_sampler *s, int32_t id)
{
    if (--s->count[id]) return;
    int32_t last = s->seen[--s->n_seen]; /* takes the free place */
    s->seen[s->place[id]] = last;
    s->place[last] = s->place[id];
}

void r1_sampler_accept(r1_sampler *s, int32_t id)
{
    if (!s->count || id < 0 || id >= s->n_tokens) return;
    if (s->ring) {
        size_t size = (size_t)s->p.penalty_window;
        if (s->ring_n == size) forget(s, s->ring[s->ring_at]);
        else s->ring_n++;
        s->ring[s->ring_at] = id;
        s->ring_at = s->ring_at + 1 < size ? s->ring_at + 1 : 0;
    }
    if (s->count[id] == UINT32_MAX) return; /* only in a window without end */
    if (s->count[id]++) return;
    s->place[id] = (int32_t)s->n_seen;
    s->seen[s->n_seen++] = id;
}

/* Keep what arithmetic gave inside the row's values: no NaN, no +inf. */
static inline float bounded(float x) { return x != x ? -INFINITY : x > FLT_MAX ? FLT_MAX : x; }

/* Bias and penalties. Returns whether anything was changed. */
static bool change(r1_sampler *s)
{
    const r1_sampling *p = &s->p;
    float *x = s->row.x;
    for (size_t i = 0; i < p->n_bias; i++) x[p->bias[i].id] = bounded(x[p->bias[i].id] + p->bias[i].bias);
    for (size_t i = 0; i < s->n_seen; i++) {
        int32_t id = s->seen[i];
        float v = x[id];
        v = v > 0 ? v / p->repetition_penalty : v * p->repetition_penalty;
        v -= p->presence_penalty + p->frequency_penalty * (float)s->count[id];
        x[id] = bounded(v);
    }
    return p->n_bias || s->n_seen;
}

/* ---- choosing -------------------------------------------------------------------------------------------------- */

static int32_t first_of_largest(const r1_scan *row, float max)
{
    size_t b = 0;
    while (row->max[b] != max) b++;
    size_t i = b * R1_SCAN_BLOCK;
    while (row->x[i] != max) i++;
    return (int32_t)i;
}

/* A logit below every one whose weight is `weight` or more. The margin of 0.001 is a hundred times the error of an exponent;
 * the other part that of max and of the result. */
static float floor_of_weight(double weight, float max, float temperature)
{
    double f = (double)max + (double)temperature * (log(weight) - 0.001) - 1e-6 * fabs((double)max);
    return f > -(double)FLT_MAX ? (float)f : -FLT_MAX;
}

/* Weights of the candidates, a block at a time. */
static void weigh(r1_sampler *s, size_t n, float max, float scale)
{
    float x[R1_SCAN_BLOCK] __attribute__((aligned(16)));
    for (size_t i = 0; i < n; i += R1_SCAN_BLOCK) {
        for (size_t k = 0; k < R1_SCAN_BLOCK; k++) x[k] = i + k < n ? s->row.x[s->ids[i + k]] : -INFINITY;
        r1_scan_exp(s->w + i, x, max, scale);
    }
}

/* Keep the candidates before the cut. */
static size_t keep(r1_sampler *s, size_t n, r1_cut c)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t key = r1_scan_key(s->row.x[s->ids[i]]);
        if (key < c.key || (key == c.key && !c.ties)) continue;
        if (key == c.key) c.ties--;
        s->ids[m] = s->ids[i];
        s->w[m++] = s->w[i];
    }
    return m;
}

static size_t keep_weights(r1_sampler *s, size_t n, float least)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (s->w[i] < least) continue;
        s->ids[m] = s->ids[i];
        s->w[m++] = s->w[i];
    }
    return m;
}

static double sum_of_weights(const r1_sampler *s, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)s->w[i];
    return sum;
}

/* The first of weights whose running sum passes r; the last that weighs something when rounding lets none. */
static size_t pass(const float *w, size_t n, double r)
{
    double sum = 0;
    size_t last = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(w[i] > 0)) continue;
        sum += (double)w[i];
        last = i;
        if (sum > r) break;
    }
    return last;
}

/* With nothing cut off: by sums of blocks. total is that of row.sum. */
static int32_t choose_from_all(r1_sampler *s, double u, double total, float max, float scale)
{
    double r = u * total, sum = 0;
    size_t last = 0;
    for (size_t b = 0; b < s->row.n_blocks; b++) {
        if (!(s->row.sum[b] > 0)) continue;
        last = b;
        if (sum + s->row.sum[b] > r) break;
        sum += s->row.sum[b];
    }
    r1_scan_exp(s->w, s->row.x + last * R1_SCAN_BLOCK, max, scale);
    return (int32_t)(last * R1_SCAN_BLOCK + pass(s->w, R1_SCAN_BLOCK, r - sum));
}

/* known: the sum of weights when the caller has it (and row.sum), else 0. */
static int32_t choose(r1_sampler *s, double u, float max, double known)
{
    const r1_sampling *p = &s->p;
    float scale = 1 / p->temperature;
    if (scale > FLT_MAX) scale = FLT_MAX;
    size_t top_k = p->top_k < s->n_tokens ? (size_t)p->top_k : 0;
    bool top_p = p->top_p < 1;
    double total = known;
    float lowest = -FLT_MAX; /* banned tokens are no candidates */
    if (!top_k && !(p->min_p > 0)) {
        if (!(known > 0)) total = r1_scan_exp_sum(&s->row, max, scale);
        if (!top_p) return choose_from_all(s, u, total, max, scale);
        lowest = floor_of_weight((1 - (double)p->top_p) * total / s->n_tokens, max, p->temperature);
    }
    if (p->min_p > 0) lowest = floor_of_weight((double)p->min_p, max, p->temperature);
    if (top_k) lowest = fmaxf(lowest, r1_scan_floor_of_top(&s->row, top_k));
    size_t n = r1_scan_at_least(&s->row, lowest, s->ids);
    weigh(s, n, max, scale);
    if (p->min_p > 0) n = keep_weights(s, n, p->min_p);
    if (top_k && top_k < n) n = keep(s, n, r1_cut_count(s->row.x, s->ids, n, top_k));
    if (top_p) {
        if (top_k || p->min_p > 0) total = sum_of_weights(s, n);
        n = keep(s, n, r1_cut_mass(s->row.x, s->ids, s->w, n, (double)p->top_p * total));
    }
    return s->ids[pass(s->w, n, u * sum_of_weights(s, n))];
}

/* The n_top largest, and their probabilities: exp(x - max) / sum. */
static void list_top(r1_sampler *s, double max_and_sum, r1_sample *out)
{
    int32_t want = s->p.n_top < s->n_tokens ? s->p.n_top : s->n_tokens, have = 0;
    size_t n = want ? r1_scan_at_least(&s->row, fmaxf(-FLT_MAX, r1_scan_floor_of_top(&s->row, (size_t)want)), s->ids) : 0;
    for (size_t i = 0; i < n; i++) {
        float x = s->row.x[s->ids[i]];
        if (have == want && !(x > out->top[have - 1].logprob)) continue;
        int32_t at = have < want ? have++ : have - 1;
        for (; at > 0 && x > out->top[at - 1].logprob; at--) out->top[at] = out->top[at - 1];
        out->top[at] = (r1_token_prob){ s->ids[i], x };
    }
    for (int32_t i = 0; i < have; i++) out->top[i].logprob = (float)((double)out->top[i].logprob - max_and_sum);
    out->n_top = have;
}

r1_status r1_sampler_sample(r1_sampler *s, const float *logits, uint64_t position, r1_sample *out, r1_error *err)
{
    const r1_sampling *p = &s->p;
    *out = (r1_sample){ .id = -1 };
    float max = r1_scan_read(&s->row, logits, (size_t)s->n_tokens);
    if (max < -FLT_MAX) return r1_fail(err, R1_EINVAL, "no finite logit among %d, expected at least one", s->n_tokens);
    double sum = r1_scan_exp_sum(&s->row, max, 1), lse = (double)max + log(sum);
    if (p->n_top) list_top(s, lse, out);
    bool changed = change(s);
    if (changed) max = r1_scan_max(&s->row);
    if (max < -FLT_MAX) return r1_fail(err, R1_EINVAL, "no finite logit is left of %d after bias and penalties, expected at least one", s->n_tokens);
    if (p->temperature > 0)
        out->id = choose(s, r1_rng_uniform(p->seed, 0, position), max, !changed && p->temperature == 1 ? sum : 0);
    else out->id = first_of_largest(&s->row, max);
    double x = (double)logits[out->id];
    if (x > (double)FLT_MAX) x = (double)FLT_MAX;
    out->logprob = (float)(x - lse);
    return R1_OK;
}
