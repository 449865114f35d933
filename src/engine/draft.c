/* Odds and costs of guesses. See draft.h. */
#include "engine/draft.h"

#include <math.h>

/* Lengths of match that are counted together, and what to expect of them before anything was seen. */
static const struct { size_t from; double chance; } classes[R1_DRAFT_CLASSES] = {
    { 2, 0.2 }, { 3, 0.35 }, { 4, 0.5 }, { 5, 0.6 }, { 8, 0.75 }, { 16, 0.85 }, { 32, 0.9 },
};

static const double
    PRIOR = 4,            /* the expectation weighs as much as so many tokens */
    FADE = 0.97,          /* what was seen counts by half after 23 tokens of its class */
    SLOPE = 0.12,         /* of the cost of one guess to that of a token, before one was measured */
    GAIN_MIN = 1.03,      /* less is not worth the risk */
    CHANCE_TRIAL = 0.5;   /* a trial of a width that seemed not to pay should at least give tokens */
enum {
    FIRST = 3, MEMORY = 8,              /* samples of a time: the first ones, and how far a mean goes back */
    WAIT_MIN = 32, WAIT_MAX = 8192,     /* steps between trials */
    TRIAL = 2                           /* guesses of one */
};

static size_t class_of(size_t length)
{
    size_t i = R1_DRAFT_CLASSES - 1;
    while (i && length < classes[i].from) i--;
    return i;
}

void r1_draft_learn(r1_draft_odds *o, size_t length, bool right)
{
    size_t i = class_of(length);
    o->right[i] = FADE * o->right[i] + (right ? 1 : 0);
    o->seen[i] = FADE * o->seen[i] + 1;
}

double r1_draft_chance(const r1_draft_odds *o, size_t length)
{
    size_t i = class_of(length);
    return (PRIOR * classes[i].chance + o->right[i]) / (PRIOR + o->seen[i]);
}

/* A step may take ten times its time when another program has the core. The first few samples count by their least, so that one
 * that met such a moment does not end the drafting; later a sample moves the mean by no more than doubling or halving would. */
void r1_draft_measured(r1_draft_costs *c, size_t d, double seconds)
{
    double *mean = &c->seconds[d];
    if (!(seconds > 0)) return;
    if (c->n[d] < MEMORY) c->n[d]++;
    if (c->n[d] == 1) *mean = seconds;
    else if (c->n[d] <= FIRST) *mean = fmin(*mean, seconds);
    else *mean += (fmax(*mean / 2, fmin(*mean * 2, seconds)) - *mean) / MEMORY;
}

double r1_draft_cost(const r1_draft_costs *c, size_t d)
{
    if (c->n[d]) return c->seconds[d];
    size_t below = d, above = d;
    while (below && !c->n[below]) below--;
    while (above <= R1_DRAFT_MAX && !c->n[above]) above++;
    double low = c->seconds[below];
    if (above <= R1_DRAFT_MAX) return low + (c->seconds[above] - low) * (double)(d - below) / (double)(above - below);
    double slope = below ? (low - c->seconds[0]) / (double)below : SLOPE * low;
    return low + (slope > 0 ? slope : 0) * (double)(d - below);
}

size_t r1_draft_length(r1_draft_costs *c, const r1_draft_odds *o, size_t length, size_t most)
{
    if (!c->n[0] || length < classes[0].from) return 0;
    double tokens = 1, come = 1, first = r1_draft_chance(o, length), best = GAIN_MIN;
    size_t n = 0;
    for (size_t d = 1; d <= r1_min(most, R1_DRAFT_MAX); d++) {
        come *= r1_draft_chance(o, length + d - 1);
        tokens += come;
        double gain = tokens * c->seconds[0] / r1_draft_cost(c, d);
        if (gain <= best) continue;
        best = gain;
        n = d;
    }
    if (n) {
        c->idle = c->wait = 0;
        return n;
    }
    if (!c->wait) c->wait = WAIT_MIN;
    if (++c->idle < c->wait || first < CHANCE_TRIAL || !most) return 0;
    c->idle = 0;
    if (c->wait < WAIT_MAX) c->wait *= 2;
    memset(&c->n[1], 0, R1_DRAFT_MAX * sizeof c->n[1]); /* the trial alone decides */
    return r1_min(most, (size_t)TRIAL);
}
