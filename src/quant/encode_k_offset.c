/* Encoders of the blocks of 256 with minimums: Q2_K, Q4_K, Q5_K. value = (d * scale) * code - dmin * min, codes and both
 * integers unsigned.
 *
 * First the best float scale and offset of each run alone. Then several pairs (d, dmin) are tried; for each every run takes
 * the best integer pair near its own floats. From the best of them d and dmin are refitted together with integers and codes
 * held, and integers are chosen again, from a wider choice, as long as that gains. Every error is measured with the stored
 * F16 numbers and the codes they imply.
 */
#include "quant/encode_int.h"

enum { RUNS = 16, ROUNDS = 4 };

typedef struct k_form {
    float top;          /* the largest code */
    int run, most;      /* values in a run; the largest integer scale and minimum */
    int tried;          /* how many d, and how many dmin, to begin with: the largest integer at most, at most - step, ... */
    float step;
    int reach;          /* how far from the wanted integers to look in the end */
} k_form;

typedef struct k_choice {
    float e;
    uint16_t d, dmin;
    int scale[RUNS], min[RUNS];
} k_choice;

/* Sums of a refit of d and dmin: residual * (scale code), residual * min, and their squares and product. */
typedef struct sums {
    float rs, rm, ss, mm, sm;
} sums;

typedef struct target {
    float s[RUNS], m[RUNS], sum_w[RUNS]; /* wanted scale, minimum; weights of the run */
    float s_most, m_most;
    int reach;  /* how far from the wanted integers to look */
} target;

static r1_run run_at(const k_form *k, const float *x, const float *w, int i)
{
    return (r1_run){ x + i * k->run, w + i * k->run, k->run };
}

static int clamped(float v, int most) { return v < 0 ? 0 : v > (float)most ? most : (int)lrintf(v); }

/* The best integer pair of run i near the wanted one, into c. For each scale the minimum is first moved to where that scale wants
 * it, then its neighbours are looked at. */
static float best_pair(const k_form *k, r1_run run, k_choice *c, const target *g, int i)
{
    float d = r1_f16_to_f32(c->d), dmin = r1_f16_to_f32(c->dmin), least = INFINITY;
    int mid = clamped(d > 0 ? g->s[i] / d : 0, k->most), reach = g->reach;
    for (int s = mid - reach; s <= mid + reach; s++) {
        if (s < 0 || s > k->most) continue;
        /* the centre of the values stays where it was: the minimum gives way by half the change of the span */
        float m = g->m[i] + (d * (float)s - g->s[i]) * k->top * 0.5f;
        int m_mid = clamped(dmin > 0 ? m / dmin : 0, k->most);
        for (int n = m_mid - reach; n <= m_mid + reach; n++) {
            if (n < 0 || n > k->most) continue;
            float e = r1_fit_offset(k->top, run, d * (float)s, -dmin * (float)n).e;
            if (e < least) {
                least = e;
                c->scale[i] = s;
                c->min[i] = n;
            }
        }
    }
    return least;
}

static k_choice choose(const k_form *k, const float *x, const float *w, uint16_t d, uint16_t dmin, const target *g, sums *z)
{
    k_choice c = { .d = d, .dmin = dmin };
    *z = (sums){ 0 };
    for (int i = 0; i < 256 / k->run; i++) {
        r1_run run = run_at(k, x, w, i);
        c.e += best_pair(k, run, &c, g, i);
        float s = (float)c.scale[i], m = (float)c.min[i];
        r1_fit f = r1_fit_offset(k->top, run, r1_f16_to_f32(d) * s, -r1_f16_to_f32(dmin) * m);
        z->rs += f.rq * s;
        z->rm -= f.r * m;
        z->ss += f.qq * s * s;
        z->mm += g->sum_w[i] * m * m;
        z->sm -= f.q * s * m;
    }
    return c;
}

static void refit(const sums *z, float *d, float *dmin)
{
    float det = z->ss * z->mm - z->sm * z->sm, nd = *d, nm = *dmin;
    if (det > 1e-6f * z->ss * z->mm) {
        nd += (z->rs * z->mm - z->rm * z->sm) / det;
        nm += (z->rm * z->ss - z->rs * z->sm) / det;
    } else if (z->ss > 0) nd += z->rs / z->ss;
    else if (z->mm > 0) nm += z->rm / z->mm;
    if (nd >= 0 && nm >= 0) {
        *d = nd;
        *dmin = nm;
    }
}

/* A pair (d, dmin) tried: what it gave, and where a refit would go. */
typedef struct start {
    k_choice c;
    float d, dmin;
} start;

static start begin(const k_form *k, const float *x, const float *w, const target *g, int i, int j)
{
    start s;
    sums z;
    uint16_t d = r1_f16_finite(g->s_most / ((float)k->most - k->step * (float)i)), dmin = r1_f16_finite(g->m_most / ((float)k->most - k->step * (float)j));
    s.c = choose(k, x, w, d, dmin, g, &z);
    s.d = r1_f16_to_f32(d);
    s.dmin = r1_f16_to_f32(dmin);
    refit(&z, &s.d, &s.dmin);
    return s;
}

/* Look for better integers around what was found, and no longer around what each run alone wanted. */
static void follow(const k_choice *c, target *g)
{
    for (int i = 0; i < RUNS; i++) {
        g->s[i] = r1_f16_to_f32(c->d) * (float)c->scale[i];
        g->m[i] = r1_f16_to_f32(c->dmin) * (float)c->min[i];
    }
    g->reach = 1;
}

static k_choice improved(const k_form *k, const float *x, const float *w, start s, const target *alone)
{
    target g = *alone;
    g.reach = k->reach;
    for (int round = 0; round < ROUNDS; round++) {
        uint16_t d = r1_f16_finite(s.d), dmin = r1_f16_finite(s.dmin);
        sums z;
        if (d == s.c.d && dmin == s.c.dmin && round) break;
        k_choice c = choose(k, x, w, d, dmin, &g, &z);
        if (!(c.e < s.c.e)) break;
        s.c = c;
        s.d = r1_f16_to_f32(d);
        s.dmin = r1_f16_to_f32(dmin);
        refit(&z, &s.d, &s.dmin);
        follow(&c, &g);
    }
    return s.c;
}

static target wanted(const k_form *k, const float *x, const float *w)
{
    target g = { .reach = 1 };
    for (int i = 0; i < 256 / k->run; i++) {
        r1_run run = run_at(k, x, w, i);
        float s, o;
        r1_best_offset(k->top, run, 0, &s, &o);
        g.s[i] = s;
        g.m[i] = -o;
        for (int j = 0; j < k->run; j++) g.sum_w[i] += run.w[j];
        g.s_most = s > g.s_most ? s : g.s_most;
        g.m_most = -o > g.m_most ? -o : g.m_most;
    }
    return g;
}

/* Improving also the second best start was measured to gain 0.02 to 0.2 % of the error for a third more time. */
static k_choice search(const k_form *k, const float *x, const float *w)
{
    target g = wanted(k, x, w);
    start best = { .c.e = INFINITY };
    for (int i = 0; i < k->tried; i++)
        for (int j = 0; j < k->tried; j++) {
            start s = begin(k, x, w, &g, i, j);
            if (s.c.e < best.c.e) best = s;
        }
    k_choice c = improved(k, x, w, best, &g);
    /* where the values are so small that F16 has no fitting d, zeros may be nearer */
    return c.e < r1_power(x, w, 256) ? c : (k_choice){ 0 };
}

/* ---- writing ---- */

static void put_q2_k(const k_choice *c, const int *code, uint8_t *b)
{
    memset(b, 0, 80);
    for (int k = 0; k < 16; k++) b[k] = (uint8_t)(c->scale[k] | c->min[k] << 4);
    for (int i = 0; i < 256; i++) {
        uint8_t *at = b + 16 + 32 * (i / 128) + i % 32;
        *at = (uint8_t)(*at | code[i] << 2 * (i % 128 / 32));
    }
    r1_put_u16(b + 80, c->d);
    r1_put_u16(b + 82, c->dmin);
}

/* Q4_K, and Q5_K with its fifth bits. */
static void put_q45_k(const k_choice *c, const int *code, uint8_t *b, bool five)
{
    uint8_t *s = b + 4, *qh = b + 16, *qs = b + (five ? 48 : 16);
    memset(b, 0, five ? 176 : 144);
    r1_put_u16(b, c->d);
    r1_put_u16(b + 2, c->dmin);
    for (int k = 0; k < 4; k++) {
        s[k] = (uint8_t)(c->scale[k] | c->scale[k + 4] >> 4 << 6);
        s[k + 4] = (uint8_t)(c->min[k] | c->min[k + 4] >> 4 << 6);
        s[k + 8] = (uint8_t)((c->scale[k + 4] & 15) | (c->min[k + 4] & 15) << 4);
    }
    for (int i = 0; i < 256; i++) {
        uint8_t *at = qs + 32 * (i / 64) + i % 32;
        *at = (uint8_t)(*at | (code[i] & 15) << (i % 64 < 32 ? 0 : 4));
        if (five) qh[i % 32] = (uint8_t)(qh[i % 32] | (code[i] >> 4) << (i / 32));
    }
}

void r1_encode_k_offset(r1_type t, const float *x, const float *w, uint8_t *b)
{
    const k_form q2 = { 3, 16, 15, 3, 1, 2 }, q4 = { 15, 32, 63, 2, 1, 3 }, q5 = { 31, 32, 63, 2, 1, 3 };
    const k_form *k = t == R1_Q2_K ? &q2 : t == R1_Q4_K ? &q4 : &q5;
    int code[256];
    k_choice c = search(k, x, w);
    for (int i = 0; i < 256 / k->run; i++) {
        float s = r1_f16_to_f32(c.d) * (float)c.scale[i], o = -r1_f16_to_f32(c.dmin) * (float)c.min[i];
        r1_codes_offset(k->top, run_at(k, x, w, i), s, o, code + i * k->run);
    }
    if (t == R1_Q2_K) put_q2_k(&c, code, b);
    else put_q45_k(&c, code, b, t == R1_Q5_K);
}
