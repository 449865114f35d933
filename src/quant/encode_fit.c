/* The fit of one run: nearest codes for a scale, least squares, and the search for the best scale.
 *
 * Error as a function of the scale is piecewise smooth with many local minima, one for each way of rounding. The search
 * looks at a grid of scales, predicts for each what a refit with the codes held would give, and walks on from the most
 * promising ones by refit and re-rounding until nothing gains. A grid costs little: a step is about six operations per value in
 * 4-lane vectors, which every machine has; the order of additions is the lanes', the same everywhere.
 */
#include "quant/encode_int.h"

typedef float v4 __attribute__((vector_size(16)));
typedef int v4i __attribute__((vector_size(16)));

/* Adding and taking off 1.5 * 2^23 rounds a float of less than 2^22 to the nearest integer, ties to even. */
#define ROUNDER 12582912.0f

static inline v4 splat(float f) { return (v4){ f, f, f, f }; }
static inline v4 select4(v4i m, v4 a, v4 b) { return (v4)(((v4i)a & m) | ((v4i)b & ~m)); }
static inline float sum4(v4 v) { return (v[0] + v[2]) + (v[1] + v[3]); }

static inline v4 round_clamped(v4 v, v4 lo, v4 hi)
{
    v = select4(v > lo, v, lo);
    v = select4(v < hi, v, hi);
    return (v + splat(ROUNDER)) - splat(ROUNDER);
}

/* Nearest value of an ascending table: each midpoint passed adds the step to the next value. */
static inline v4 nearest_in(const r1_code_set *c, v4 v)
{
    v4 q = splat(c->table[0]);
    for (int j = 1; j < c->n; j++) {
        v4i past = v > splat(0.5f * (c->table[j - 1] + c->table[j]));
        q += (v4)((v4i)splat(c->table[j] - c->table[j - 1]) & past);
    }
    return q;
}

static inline v4 nearest(const r1_code_set *c, v4 v)
{
    return c->table ? nearest_in(c, v) : round_clamped(v, splat(c->lo), splat(c->hi));
}

static inline r1_fit fit_scale(const r1_code_set *c, const float *x, const float *w, int n, float s)
{
    float inv = s != 0 ? 1 / s : 0;
    v4 e = splat(0), rq = e, qq = e;
    for (int i = 0; i < n; i += 4) {
        v4 xi = *(const v4 *)(x + i), wi = *(const v4 *)(w + i);
        v4 q = nearest(c, xi * splat(inv)), r = xi - splat(s) * q, wr = wi * r;
        e += wr * r;
        rq += wr * q;
        qq += wi * q * q;
    }
    return (r1_fit){ .e = sum4(e), .rq = sum4(rq), .qq = sum4(qq) };
}

r1_fit r1_fit_scale(const r1_code_set *c, r1_run run, float s)
{
    return run.n == 16 ? fit_scale(c, run.x, run.w, 16, s) : fit_scale(c, run.x, run.w, 32, s);
}

static inline r1_fit fit_offset(float top, const float *x, const float *w, int n, float s, float o)
{
    float inv = s != 0 ? 1 / s : 0;
    v4 e = splat(0), rq = e, qq = e, sr = e, sq = e;
    for (int i = 0; i < n; i += 4) {
        v4 xi = *(const v4 *)(x + i) - splat(o), wi = *(const v4 *)(w + i);
        v4 q = round_clamped(xi * splat(inv), splat(0), splat(top)), r = xi - splat(s) * q, wr = wi * r, wq = wi * q;
        e += wr * r;
        rq += wr * q;
        qq += wq * q;
        sr += wr;
        sq += wq;
    }
    return (r1_fit){ .e = sum4(e), .rq = sum4(rq), .qq = sum4(qq), .r = sum4(sr), .q = sum4(sq) };
}

r1_fit r1_fit_offset(float top, r1_run run, float s, float o)
{
    return run.n == 16 ? fit_offset(top, run.x, run.w, 16, s, o) : fit_offset(top, run.x, run.w, 32, s, o);
}

float r1_power(const float *x, const float *w, int n)
{
    v4 e = splat(0);
    for (int i = 0; i < n; i += 4) e += *(const v4 *)(w + i) * *(const v4 *)(x + i) * *(const v4 *)(x + i);
    return sum4(e);
}

void r1_codes_scale(const r1_code_set *c, r1_run run, float s, int *code)
{
    float inv = s != 0 ? 1 / s : 0;
    for (int i = 0; i < run.n; i += 4) {
        v4 q = nearest(c, *(const v4 *)(run.x + i) * splat(inv));
        for (int l = 0; l < 4; l++) code[i + l] = (int)q[l];
    }
}

void r1_codes_offset(float top, r1_run run, float s, float o, int *code)
{
    float inv = s != 0 ? 1 / s : 0;
    for (int i = 0; i < run.n; i += 4) {
        v4 q = round_clamped((*(const v4 *)(run.x + i) - splat(o)) * splat(inv), splat(0), splat(top));
        for (int l = 0; l < 4; l++) code[i + l] = (int)q[l];
    }
}

/* ---- searching ---- */

enum { KEPT = 3, WALK = 5, GRID = 16, CLIPS = 5 };

/* The KEPT candidates of least predicted error, best first. */
typedef struct kept {
    float e[KEPT], s[KEPT], o[KEPT];
} kept;

static void keep(kept *k, float e, float s, float o)
{
    int at = KEPT;
    while (at > 0 && e < k->e[at - 1]) at--;
    if (at == KEPT) return;
    for (int j = KEPT - 1; j > at; j--) {
        k->e[j] = k->e[j - 1];
        k->s[j] = k->s[j - 1];
        k->o[j] = k->o[j - 1];
    }
    k->e[at] = e;
    k->s[at] = s;
    k->o[at] = o;
}

static kept kept_none(void)
{
    kept k;
    for (int j = 0; j < KEPT; j++) {
        k.e[j] = INFINITY;
        k.s[j] = k.o[j] = 0;
    }
    return k;
}

static float largest(r1_run run)
{
    float m = 0;
    for (int i = 0; i < run.n; i++) m = fabsf(run.x[i]) > m ? fabsf(run.x[i]) : m;
    return m;
}

float r1_best_scale(const r1_code_set *c, r1_run run)
{
    float m = largest(run), reach = -c->lo > c->hi ? -c->lo : c->hi;
    if (m == 0) return 0;
    /* few levels clip more: the grid begins at a scale that loses about a level in four of the extremes */
    float first = (reach > 60 && !c->table ? 0.96f : reach > 20 && !c->table ? 0.8f : 0.6f) * m / reach, last = 1.02f * m / (-c->lo < c->hi ? -c->lo : c->hi);
    kept k = kept_none();
    for (int sign = 1; sign >= -1; sign -= 2)
        for (int i = 0; i < GRID; i++) {
            float s = (float)sign * (first + (last - first) * (float)i / (GRID - 1));
            r1_fit f = r1_fit_scale(c, run, s);
            if (f.qq > 0) keep(&k, f.e - f.rq * f.rq / f.qq, s + f.rq / f.qq, 0);
        }
    float best = 0, e = INFINITY;
    for (int j = 0; j < KEPT && k.e[j] < INFINITY; j++) {
        float s = k.s[j];
        for (int i = 0; i < WALK; i++) {
            r1_fit f = r1_fit_scale(c, run, s);
            if (f.e < e) {
                e = f.e;
                best = s;
            } else if (i) break;
            if (!(f.qq > 0)) break;
            s += f.rq / f.qq;
        }
    }
    return best;
}

/* The refit of s and o with the codes held: returns the predicted error. */
static float refit(r1_fit f, float sum_w, float o_max, float *s, float *o)
{
    float det = f.qq * sum_w - f.q * f.q;
    if (det > 1e-6f * f.qq * sum_w) {
        float ds = (f.rq * sum_w - f.r * f.q) / det, dm = (f.r * f.qq - f.rq * f.q) / det;
        if (*o + dm <= o_max) {
            *s += ds;
            *o += dm;
            return f.e - (f.rq * ds + f.r * dm);
        }
    }
    if (!(f.qq > 0)) return f.e;
    *s += f.rq / f.qq; /* the offset stays, at its limit or undetermined */
    return f.e - f.rq * f.rq / f.qq;
}

/* Scales with a code that is exactly 0: rows with many zeros, and weights that were rounded to few levels before, want one. With four
 * levels such a run spoils the common d of the others (worst matrix of all-MiniLM-L6-v2 0.97 of ggml's error instead of 0.91), so
 * there it takes a quarter of zeros. */
static void keep_zero_aligned(kept *k, float top, r1_run run, float lo, float hi, float sum_w)
{
    int zeros = 0;
    for (int i = 0; i < run.n; i++) zeros += run.x[i] == 0;
    if (!(lo < 0 && hi > 0) || (top < 4 && zeros < run.n / 4)) return;
    float at = floorf(-lo / (hi - lo) * top);
    for (float n = at - 1; n <= at + 2; n++) {
        if (n < 1 || n > top - 1) continue;
        for (int clip = 0; clip < 2; clip++) {
            float s = fmaxf(-lo / n, hi / (top - n)) * (clip ? 0.9f : 1), o = -n * s;
            r1_fit f = r1_fit_offset(top, run, s, o);
            float e = refit(f, sum_w, 0, &s, &o);
            keep(k, e, s, o);
        }
    }
}

void r1_best_offset(float top, r1_run run, float o_max, float *s_out, float *o_out)
{
    float lo = run.x[0], hi = run.x[0], sum_w = 0;
    for (int i = 0; i < run.n; i++) {
        lo = run.x[i] < lo ? run.x[i] : lo;
        hi = run.x[i] > hi ? run.x[i] : hi;
        sum_w += run.w[i];
    }
    lo = lo < o_max ? lo : o_max;
    *s_out = 0;
    *o_out = lo;
    if (!(hi > lo)) return;
    float step = (hi - lo) * (top < 4 ? 0.07f : top < 20 ? 0.025f : 0.012f);
    kept k = kept_none();
    for (int i = -1; i < CLIPS; i++)
        for (int j = -1; j < CLIPS; j++) {
            float o = lo + step * (float)i, s = (hi - step * (float)j - o) / top;
            if (o > o_max || !(s > 0)) continue;
            r1_fit f = r1_fit_offset(top, run, s, o);
            float e = refit(f, sum_w, o_max, &s, &o);
            keep(&k, e, s, o);
        }
    keep_zero_aligned(&k, top, run, lo, hi, sum_w);
    float least = INFINITY;
    for (int j = 0; j < KEPT && k.e[j] < INFINITY; j++) {
        float s = k.s[j], o = k.o[j];
        for (int i = 0; i < WALK; i++) {
            r1_fit f = r1_fit_offset(top, run, s, o);
            if (f.e < least) {
                least = f.e;
                *s_out = s;
                *o_out = o;
            } else if (i) break;
            refit(f, sum_w, o_max, &s, &o);
        }
    }
}
