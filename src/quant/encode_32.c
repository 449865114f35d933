/* Encoders of the blocks of 32: a scale, with Q4_1 and Q5_1 an added minimum, stored as F16; MXFP4 a power of two.
 *
 * The best scale as a float comes from the search of encode_fit.c. What is stored is the best of the F16 numbers around it,
 * each measured with the codes it implies: for small scales (subnormal F16) the neighbours are far apart and it matters.
 */
#include "quant/encode_int.h"

static const float iq4[16] = { -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113 };
static const float mxfp4[15] = { -12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12 };

const r1_code_set r1_set_iq4 = { -127, 113, iq4, 16 };
static const r1_code_set set_mxfp4 = { -12, 12, mxfp4, 15 };

/* The F16 that lies `step` places up from h in magnitude, or h where that is not a finite number of the same sign. */
static uint16_t f16_step(uint16_t h, int step)
{
    int m = (h & 0x7FFF) + step;
    return m < 0 || m > 0x7BFF ? h : (uint16_t)((h & 0x8000) | m);
}

static uint16_t best_f16(const r1_code_set *c, r1_run run)
{
    uint16_t h = r1_f16_finite(r1_best_scale(c, run)), best = 0;
    float least = r1_power(run.x, run.w, run.n); /* of zeros */
    for (int step = -2; step <= 2; step++) {
        uint16_t at = f16_step(h, step);
        float e = r1_fit_scale(c, run, r1_f16_to_f32(at)).e;
        if (e < least) {
            least = e;
            best = at;
        }
    }
    return best;
}

static void best_f16_pair(float top, r1_run run, uint16_t *d, uint16_t *m)
{
    float s, o, least = r1_power(run.x, run.w, run.n); /* of zeros */
    *d = *m = 0;
    r1_best_offset(top, run, INFINITY, &s, &o);
    uint16_t hs = r1_f16_finite(s), ho = r1_f16_finite(o);
    for (int i = -1; i <= 1; i++)
        for (int j = -1; j <= 1; j++) {
            uint16_t as = f16_step(hs, i), ao = f16_step(ho, j);
            float e = r1_fit_offset(top, run, r1_f16_to_f32(as), r1_f16_to_f32(ao)).e;
            if (e < least) {
                least = e;
                *d = as;
                *m = ao;
            }
        }
}

/* Low nibbles are values 0..15, high ones 16..31; the fifth bits go to qh unless it is NULL. */
static void put_nibbles(const int *code, uint8_t *qs, uint8_t *qh)
{
    if (qh) memset(qh, 0, 4);
    for (int i = 0; i < 16; i++) {
        qs[i] = (uint8_t)((code[i] & 15) | (code[i + 16] & 15) << 4);
        if (qh) {
            qh[i / 8] = (uint8_t)(qh[i / 8] | (code[i] >> 4 & 1) << i % 8);
            qh[2 + i / 8] = (uint8_t)(qh[2 + i / 8] | (code[i + 16] >> 4 & 1) << i % 8);
        }
    }
}

/* From values of an int8 table to the place of each in it. */
static void find_in(const int8_t *table, int *code)
{
    for (int i = 0; i < 32; i++) {
        int at = 0;
        while (at < 15 && table[at] != code[i]) at++;
        code[i] = at;
    }
}

static void encode_pair(float top, r1_run run, uint8_t *b)
{
    int code[32];
    uint16_t d, m;
    best_f16_pair(top, run, &d, &m);
    r1_codes_offset(top, run, r1_f16_to_f32(d), r1_f16_to_f32(m), code);
    r1_put_u16(b, d);
    r1_put_u16(b + 2, m);
    if (top > 15) put_nibbles(code, b + 8, b + 4);
    else put_nibbles(code, b + 4, NULL);
}

void r1_encode_32(r1_type t, const float *x, const float *w, uint8_t *b)
{
    static const r1_code_set four = { -8, 7, NULL, 16 }, five = { -16, 15, NULL, 32 }, eight = { -128, 127, NULL, 256 };
    r1_run run = { x, w, 32 };
    if (t == R1_Q4_1 || t == R1_Q5_1) {
        encode_pair(t == R1_Q4_1 ? 15 : 31, run, b);
        return;
    }
    const r1_code_set *c = t == R1_Q4_0 ? &four : t == R1_Q5_0 ? &five : t == R1_Q8_0 ? &eight : &r1_set_iq4;
    int code[32];
    uint16_t d = best_f16(c, run);
    r1_codes_scale(c, run, r1_f16_to_f32(d), code);
    r1_put_u16(b, d);
    if (t == R1_Q8_0) {
        for (int i = 0; i < 32; i++) b[2 + i] = (uint8_t)code[i];
        return;
    }
    if (c->table) find_in(r1_iq4_values, code);
    else for (int i = 0; i < 32; i++) code[i] -= (int)c->lo;
    put_nibbles(code, b + (t == R1_Q5_0 ? 6 : 2), t == R1_Q5_0 ? b + 2 : NULL);
}

/* Scales are 2^(e - 128). e stays at or below 252, where 12 times the scale is still finite; 255 would be a NaN to others. Values are
 * measured after a power of two that brings the largest to [1, 2), so neither end of the range matters. */
void r1_encode_mxfp4(const float *x, const float *w, uint8_t *b)
{
    float m = 0, y[32] __attribute__((aligned(16)));
    for (int i = 0; i < 32; i++) m = fabsf(x[i]) > m ? fabsf(x[i]) : m;
    int up = 0, code[32], best = 0;
    if (m > 0) up = ilogbf(m);
    for (int i = 0; i < 32; i++) y[i] = ldexpf(x[i], -up);
    r1_run run = { y, w, 32 };
    float least = INFINITY;
    for (int p = -4; p <= 0; p++) { /* the scale as 2^(p + up): the largest value is 1..2 to 16..32 of them */
        int e = p + up + 128;
        e = e < 0 ? 0 : e > 252 ? 252 : e;
        float err = r1_fit_scale(&set_mxfp4, run, ldexpf(1, e - 128 - up)).e;
        if (err < least) {
            least = err;
            best = e;
        }
    }
    r1_codes_scale(&set_mxfp4, run, ldexpf(1, best - 128 - up), code);
    find_in(r1_mxfp4_values, code);
    b[0] = (uint8_t)best;
    put_nibbles(code, b + 1, NULL);
}
