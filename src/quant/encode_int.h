/* Between the encoders: code sets, the fit of one run of values, and writing bits. Private to quant/.
 *
 * A run is 16 or 32 values that share a scale. Every search is built from one step, "measure": for given scale (and offset)
 * take the nearest code of each value, and return the weighted error with the sums of a least-squares refit. Sums are of
 * residuals, not of squares of values: they stay exact where the error is a millionth of the signal. */
#ifndef R1_QUANT_ENCODE_INT_H
#define R1_QUANT_ENCODE_INT_H

#include "base/half.h"
#include "quant/encode.h"

enum { R1_RUN_MAX = 32 };

/* Codes a run may use: the integers lo..hi, or the n ascending values of table. */
typedef struct r1_code_set {
    float lo, hi;
    const float *table; /* NULL: all integers */
    int n;
} r1_code_set;

/* Of value ~ s * code + o with nearest codes: e = sum w r^2, rq = sum w r code, qq = sum w code^2; with an offset also
 * r = sum w r, q = sum w code. */
typedef struct r1_fit {
    float e, rq, qq, r, q;
} r1_fit;

typedef struct r1_run {
    const float *x, *w; /* n values and weights, 16-byte aligned */
    int n;              /* 16 or 32 */
} r1_run;

/* Value ~ s * code. s = 0 gives the error of zeros. */
r1_fit r1_fit_scale(const r1_code_set *c, r1_run run, float s);
/* Value ~ s * code + o, codes 0..top. */
r1_fit r1_fit_offset(float top, r1_run run, float s, float o);

/* The best scale of a run as a float; both signs are tried when the set is lopsided. */
float r1_best_scale(const r1_code_set *c, r1_run run);
/* The best scale and offset of a run as floats; o_max: the largest offset allowed (0 for formats with a minimum >= 0). */
void r1_best_offset(float top, r1_run run, float o_max, float *s, float *o);

/* Sum of w x^2: the error of zeros. */
float r1_power(const float *x, const float *w, int n);

/* The codes that belong to a scale (and offset). */
void r1_codes_scale(const r1_code_set *c, r1_run run, float s, int *code);
void r1_codes_offset(float top, r1_run run, float s, float o, int *code);

/* Nearest F16 that is finite. */
static inline uint16_t r1_f16_finite(float f)
{
    return r1_f16_from_f32(f > 65504 ? 65504 : f < -65504 ? -65504 : f);
}

static inline void r1_put_u16(uint8_t *b, uint16_t v)
{
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
}

/* One block each: x, w [block], 16-byte aligned; finite, |x| <= R1_ENCODE_REACH, 0 < w <= 1. */
#define R1_ENCODE_REACH 2.7e8f /* 65504 * 128 * 32, the largest value of any F16-scaled type */
void r1_encode_32(r1_type t, const float *x, const float *w, uint8_t *b);
void r1_encode_mxfp4(const float *x, const float *w, uint8_t *b);
void r1_encode_k_scale(r1_type t, const float *x, const float *w, uint8_t *b);  /* Q3_K, Q6_K, IQ4_XS */
void r1_encode_k_offset(r1_type t, const float *x, const float *w, uint8_t *b); /* Q2_K, Q4_K, Q5_K */

extern const r1_code_set r1_set_iq4;

#endif
