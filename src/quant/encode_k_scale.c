/* Encoders of the blocks of 256 without minimums: Q3_K, Q6_K, IQ4_XS. value = (d * scale) * code, with a signed scale for
 * each run of 16 or 32.
 *
 * First the best float scale of each run alone. Then several d are tried, which put the largest of them at or near the end of the
 * range of integer scales. For each d every run takes the best of the integer scales near its own, of both signs where
 * the code set is lopsided; then d is refitted with scales and codes held, and scales are chosen again, as long as that
 * gains. Every error is measured with d as F16 and codes as they will be stored.
 */
#include "quant/encode_int.h"

enum { RUNS = 16, ROUNDS = 4, KEPT = 2 };

typedef struct k_form {
    r1_code_set codes;
    int run, lo, hi;    /* values in a run; range of the integer scales */
    bool lopsided;      /* the other sign of a scale is worth a look */
    int tried;          /* how many d to begin with */
} k_form;

typedef struct k_choice {
    float e;
    uint16_t d;
    int scale[RUNS];
} k_choice;

static r1_run run_at(const k_form *k, const float *x, const float *w, int i)
{
    return (r1_run){ x + i * k->run, w + i * k->run, k->run };
}

/* Best integer scale of a run near `near` for this d; *e receives its error. */
static int best_integer(const k_form *k, r1_run run, float d, float near, float *e)
{
    int best = 0;
    *e = INFINITY;
    for (int side = 0; side < (k->lopsided ? 2 : 1); side++, near = -near) {
        float at = near < (float)k->lo ? (float)k->lo : near > (float)k->hi ? (float)k->hi : near;
        int mid = (int)lrintf(at);
        for (int s = mid - 1; s <= mid + 1; s++) {
            if (s < k->lo || s > k->hi) continue;
            float err = r1_fit_scale(&k->codes, run, d * (float)s).e;
            if (err < *e) {
                *e = err;
                best = s;
            }
        }
    }
    return best;
}

/* Scales for this d, near `want` (floats, not divided by d); then the d that fits them best in *refit. */
static k_choice choose(const k_form *k, const float *x, const float *w, uint16_t d_half, const float *want, float *refit)
{
    k_choice c = { .d = d_half };
    float d = r1_f16_to_f32(d_half), rq = 0, qq = 0;
    for (int i = 0; i < 256 / k->run; i++) {
        float e, near = d != 0 ? want[i] / d : 0;
        r1_run run = run_at(k, x, w, i);
        c.scale[i] = best_integer(k, run, d, near, &e);
        float s = (float)c.scale[i];
        r1_fit f = r1_fit_scale(&k->codes, run, d * s);
        c.e += f.e;
        rq += f.rq * s;
        qq += f.qq * s * s;
    }
    *refit = qq > 0 ? d + rq / qq : d;
    return c;
}

typedef struct start {
    k_choice c;
    float d;    /* refitted */
} start;

/* Best d: several that put the largest scale near the ends; those of the least error are improved by refits. */
static k_choice search(const k_form *k, const float *x, const float *w)
{
    float want[RUNS], most = 0;
    start kept[KEPT];
    int n = 256 / k->run;
    for (int i = 0; i < n; i++) {
        want[i] = r1_best_scale(&k->codes, run_at(k, x, w, i));
        if (fabsf(want[i]) > fabsf(most)) most = want[i];
    }
    for (int i = 0; i < KEPT; i++) kept[i].c.e = INFINITY;
    for (int i = 0; i < k->tried; i++) {
        float end = i % 2 ? (float)k->hi - 0.5f * (float)(i / 2) : (float)k->lo + 0.5f * (float)(i / 2);
        start s;
        s.c = choose(k, x, w, r1_f16_finite(most / end), want, &s.d);
        for (int j = 0; j < KEPT; j++)
            if (s.c.e < kept[j].c.e) {
                start worse = kept[j];
                kept[j] = s;
                s = worse;
            }
    }
    k_choice best = { .e = INFINITY };
    for (int i = 0; i < KEPT && kept[i].c.e < INFINITY; i++) {
        k_choice here = kept[i].c;
        float d = kept[i].d;
        for (int round = 0; round < ROUNDS; round++) {
            uint16_t h = r1_f16_finite(d);
            if (h == here.d) break;
            k_choice c = choose(k, x, w, h, want, &d);
            if (!(c.e < here.e)) break;
            here = c;
        }
        if (here.e < best.e) best = here;
    }
    /* where the values are so small that F16 has no fitting d, zeros may be nearer */
    return best.e < r1_power(x, w, 256) ? best : (k_choice){ 0 };
}

/* ---- writing ---- */

static void put_q3_k(const k_choice *c, const int *code, uint8_t *b)
{
    memset(b, 0, 110);
    for (int k = 0; k < 16; k++) {
        int s = c->scale[k] + 32;
        uint8_t *low = b + 96 + k % 8, *high = b + 104 + k % 4;
        *low = (uint8_t)(*low | (s & 15) << 4 * (k / 8));
        *high = (uint8_t)(*high | (s >> 4) << 2 * (k / 4));
    }
    for (int i = 0; i < 256; i++) {
        int q = code[i] + 4, at = i % 32, half = i / 128, j = i % 128 / 32;
        uint8_t *two = b + 32 + 32 * half + at;
        *two = (uint8_t)(*two | (q & 3) << 2 * j);
        b[at] = (uint8_t)(b[at] | (q >> 2) << (i / 32));
    }
    r1_put_u16(b + 108, c->d);
}

static void put_q6_k(const k_choice *c, const int *code, uint8_t *b)
{
    memset(b, 0, 192);
    for (int i = 0; i < 256; i++) {
        int q = code[i] + 32, half = i / 128, j = i % 128 / 32;
        uint8_t *low = b + 64 * half + i % 64, *high = b + 128 + 32 * half + i % 32;
        *low = (uint8_t)(*low | (q & 15) << (j < 2 ? 0 : 4));
        *high = (uint8_t)(*high | (q >> 4) << 2 * j);
    }
    for (int k = 0; k < 16; k++) b[192 + k] = (uint8_t)c->scale[k];
    r1_put_u16(b + 208, c->d);
}

static void put_iq4_xs(const k_choice *c, const int *code, uint8_t *b)
{
    unsigned high = 0;
    memset(b, 0, 136);
    for (int s = 0; s < 8; s++) {
        int v = c->scale[s] + 32;
        b[4 + s / 2] = (uint8_t)(b[4 + s / 2] | (v & 15) << 4 * (s % 2));
        high |= (unsigned)(v >> 4) << 2 * s;
        for (int i = 0; i < 32; i++) {
            uint8_t *at = b + 8 + 16 * s + i % 16;
            int q = 0;
            while (q < 15 && r1_iq4_values[q] != code[32 * s + i]) q++;
            *at = (uint8_t)(*at | q << 4 * (i / 16));
        }
    }
    r1_put_u16(b, c->d);
    r1_put_u16(b + 2, (uint16_t)high);
}

void r1_encode_k_scale(r1_type t, const float *x, const float *w, uint8_t *b)
{
    const k_form q3 = { { -4, 3, NULL, 8 }, 16, -32, 31, true, 8 }, q6 = { { -32, 31, NULL, 64 }, 16, -128, 127, false, 6 };
    const k_form xs = { r1_set_iq4, 32, -32, 31, true, 6 };
    const k_form *k = t == R1_Q3_K ? &q3 : t == R1_Q6_K ? &q6 : &xs;
    int code[256];
    k_choice c = search(k, x, w);
    for (int i = 0; i < 256 / k->run; i++)
        r1_codes_scale(&k->codes, run_at(k, x, w, i), r1_f16_to_f32(c.d) * (float)c.scale[i], code + i * k->run);
    if (t == R1_Q3_K) put_q3_k(&c, code, b);
    else if (t == R1_Q6_K) put_q6_k(&c, code, b);
    else put_iq4_xs(&c, code, b);
}
