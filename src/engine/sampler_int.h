/* sampler_int: the passes over all logits that the sampler is made of. Private to src/engine.
 *
 * Rows are padded with -inf to whole blocks, so no pass has a tail. A block's largest value is kept beside it: what looks
 * for the few large values then reads a sixteenth of the row. Every sum has one order that depends on the length only, and
 * nothing but +, - and * is used on the way to the chosen id, so it is the same on every machine.
 */
#ifndef R1_ENGINE_SAMPLER_INT_H
#define R1_ENGINE_SAMPLER_INT_H

#include "base/base.h"
#include "kernels/soft_sum.h"

#define R1_SCAN_BLOCK R1_SOFT_BLOCK
#define R1_SCAN_DIGIT 11 /* bits of a float looked at together */

/* A row of n_blocks * R1_SCAN_BLOCK logits, 16-byte aligned, without NaN and +inf. */
typedef struct r1_scan {
    float *x;       /* the logits */
    float *max;     /* [n_blocks] largest of each block */
    double *sum;    /* [n_blocks] of the last r1_scan_exp_sum */
    size_t n_blocks;
    r1_soft_sum exp_sum; /* of this machine */
} r1_scan;

/* Copy n logits into s: NaN becomes -inf, +inf FLT_MAX, what is left of the last block -inf. Returns the largest. */
float r1_scan_read(r1_scan *s, const float *logits, size_t n);
/* Set s->max again after s->x was changed. Returns the largest. */
float r1_scan_max(r1_scan *s);
/* y[i] = exp((x[i] - max) * scale) for one block; no x is above max, 0 < scale <= FLT_MAX. 0 below 1.2e-38. */
void r1_scan_exp(float *y, const float *x, float max, float scale);
/* Sum of the same over the whole row: blocks first (kept in s->sum), then block after block (kernels/soft_sum.h). */
double r1_scan_exp_sum(r1_scan *s, float max, float scale);
/* Ids of all values >= floor, ascending, to ids[]; returns how many. */
size_t r1_scan_at_least(const r1_scan *s, float floor, int32_t *ids);

/* A value v such that at least min(k, n) of the values are >= v: cheap, and close enough to gather candidates with. */
float r1_scan_floor_of_top(const r1_scan *s, size_t k);

/* Where a descending order of values, equal ones by place, is cut: kept are the values with a key above `key` and the first
 * `ties` that have it. */
typedef struct r1_cut { uint32_t key; size_t ties; } r1_cut;

/* Bits of a float in ascending order of the values; not for NaN. -0 counts as 0. */
static inline uint32_t r1_scan_key(float f)
{
    uint32_t u;
    f += 0.0f;
    memcpy(&u, &f, 4);
    return u >> 31 ? ~u : u | 0x80000000u;
}

/* Cut x[id[0..n)] (id NULL: x[0..n)) after the first k >= 1; k <= n. Three passes whatever the values. */
r1_cut r1_cut_count(const float *x, const int32_t *id, size_t n, size_t k);
/* Cut x[id[0..n)], each weighing w[i], after the first whose sum of weights reaches `target`, at least one that weighs something;
 * everything is kept when rounding lets none reach it. */
r1_cut r1_cut_mass(const float *x, const int32_t *id, const float *w, size_t n, double target);

#endif
