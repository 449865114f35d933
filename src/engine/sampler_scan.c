/* Passes over a row of logits: copy, exponentials, sums, and finding the largest without sorting.
 *
 * Written with vectors of four floats, which every compiler here turns into the instructions all x86-64 and ARM64 machines
 * have; wider ones gain little where a row is only read. The sum of exponentials is where they gain, and comes from kernels/.
 * Finding a rank is a radix selection: count (or weigh) values by the upper 11 bits of their keys, go to the bucket where the
 * rank falls, and again with the next 11 and the last 10. Three passes for any input: no bad pivots, nothing moved.
 */
#define R1_LANES 4
#include "engine/sampler_int.h"
#include "kernels/soft_lanes.h"

#include <float.h>
#include <math.h>

typedef float v4 __attribute__((vector_size(16), may_alias));
typedef int32_t v4i __attribute__((vector_size(16)));

#define SAME(f) ((v4){ (f), (f), (f), (f) })

static inline v4 load(const float *p) { return *(const v4 *)p; }
static inline v4 pick(v4i mask, v4 yes, v4 no) { return (v4)(((v4i)yes & mask) | ((v4i)no & ~mask)); }
static inline v4 larger(v4 a, v4 b) { return pick(a > b, a, b); }

static inline float largest(v4 a)
{
    float p = a[0] > a[1] ? a[0] : a[1], q = a[2] > a[3] ? a[2] : a[3];
    return p > q ? p : q;
}

float r1_scan_max(r1_scan *s)
{
    v4 all = SAME(-INFINITY);
    for (size_t b = 0; b < s->n_blocks; b++) {
        const float *x = s->x + b * R1_SCAN_BLOCK;
        v4 m = larger(larger(load(x), load(x + 4)), larger(load(x + 8), load(x + 12)));
        s->max[b] = largest(m);
        all = larger(all, m);
    }
    return largest(all);
}

float r1_scan_read(r1_scan *s, const float *logits, size_t n)
{
    size_t whole = n / 4 * 4;
    for (size_t i = 0; i < whole; i += 4) {
        v4 x;
        memcpy(&x, logits + i, sizeof x);
        x = pick(x == x, x, SAME(-INFINITY));
        *(v4 *)(s->x + i) = pick(x > SAME(FLT_MAX), SAME(FLT_MAX), x);
    }
    for (size_t i = whole; i < s->n_blocks * R1_SCAN_BLOCK; i++) {
        float x = i < n ? logits[i] : -INFINITY;
        s->x[i] = x != x ? -INFINITY : x > FLT_MAX ? FLT_MAX : x;
    }
    return r1_scan_max(s);
}

void r1_scan_exp(float *y, const float *x, float max, float scale) { soft_block(y, x, max, scale); }

double r1_scan_exp_sum(r1_scan *s, float max, float scale) { return s->exp_sum(s->x, s->sum, s->n_blocks, max, scale); }

size_t r1_scan_at_least(const r1_scan *s, float floor, int32_t *ids)
{
    size_t n = 0;
    for (size_t b = 0; b < s->n_blocks; b++) {
        if (!(s->max[b] >= floor)) continue;
        for (size_t i = b * R1_SCAN_BLOCK; i < (b + 1) * R1_SCAN_BLOCK; i++) {
            ids[n] = (int32_t)i;
            n += s->x[i] >= floor;
        }
    }
    return n;
}

float r1_scan_floor_of_top(const r1_scan *s, size_t k)
{
    if (k > s->n_blocks) return -INFINITY;
    r1_cut c = r1_cut_count(s->max, NULL, s->n_blocks, k);
    uint32_t u = c.key >> 31 ? c.key & 0x7FFFFFFFu : ~c.key;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

/* ---- ranks ----------------------------------------------------------------------------------------------------- */

#define BUCKETS (1u << R1_SCAN_DIGIT)

/* Keys that agree with `key` above bit `shift + width` are told apart by the `width` bits from `shift` on. */
typedef struct digit { unsigned shift, width; } digit;
static const digit digits[] = { { 21, 11 }, { 10, 11 }, { 0, 10 } };

static inline bool agrees(uint32_t k, uint32_t key, digit d) { return (uint64_t)(k ^ key) >> (d.shift + d.width) == 0; }

r1_cut r1_cut_count(const float *x, const int32_t *id, size_t n, size_t k)
{
    r1_cut c = { 0, k };
    for (size_t j = 0; j < R1_COUNT(digits); j++) {
        digit d = digits[j];
        uint32_t count[BUCKETS] = { 0 }, mask = (1u << d.width) - 1, v = mask;
        for (size_t i = 0; i < n; i++) {
            uint32_t key = r1_scan_key(x[id ? (size_t)id[i] : i]);
            if (agrees(key, c.key, d)) count[key >> d.shift & mask]++;
        }
        for (; v && c.ties > count[v]; v--) c.ties -= count[v];
        c.key |= v << d.shift;
    }
    return c;
}

r1_cut r1_cut_mass(const float *x, const int32_t *id, const float *w, size_t n, double target)
{
    r1_cut c = { 0, 0 };
    double above = 0; /* weight of all keys larger than what is looked at */
    target = fmax(target, DBL_MIN); /* so that an empty bucket never reaches it */
    for (size_t j = 0; j < R1_COUNT(digits); j++) {
        digit d = digits[j];
        double mass[BUCKETS] = { 0 };
        uint32_t mask = (1u << d.width) - 1, v = mask;
        for (size_t i = 0; i < n; i++) {
            uint32_t key = r1_scan_key(x[id[i]]);
            if (agrees(key, c.key, d)) mass[key >> d.shift & mask] += (double)w[i];
        }
        for (; v && above + mass[v] < target; v--) above += mass[v];
        c.key |= v << d.shift;
    }
    for (size_t i = 0; i < n; i++) {
        if (r1_scan_key(x[id[i]]) != c.key) continue;
        c.ties++;
        above += (double)w[i];
        if (above >= target) break;
    }
    return c;
}
