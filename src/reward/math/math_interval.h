/* math_interval: real and complex intervals over MPFR, rounded outwards.
 *
 * An interval encloses the true value; nothing here is ever less. Operations return I_OK; I_OUTSIDE when every point is outside the
 * domain; I_VAGUE when the enclosure is too wide to say (a divisor that may be 0): a finer precision may help; I_NOT for what is
 * not done. After anything but I_OK the result is not to be read. `out` may be an operand. Each operation is paid for. */
#ifndef R1_REWARD_MATH_MATH_INTERVAL_H
#define R1_REWARD_MATH_MATH_INTERVAL_H

#include "reward/math/math_int.h"

#include <mpfr.h>

typedef enum r1_math_iv_state { I_OK, I_OUTSIDE, I_VAGUE, I_NOT } istate;
typedef struct iv { mpfr_t lo, hi; } iv;
typedef struct cv { iv re, im; } cv;

void r1_math_iv_init(iv *a, mpfr_prec_t prec);
void r1_math_iv_clear(iv *a);
void r1_math_iv_set(iv *out, const iv *a);
void r1_math_iv_set_q(iv *out, mpq_srcptr q);
void r1_math_iv_set_si(iv *out, long v);
void r1_math_iv_add(iv *out, const iv *a, const iv *b);
void r1_math_iv_sub(iv *out, const iv *a, const iv *b);
void r1_math_iv_neg(iv *out, const iv *a);
istate r1_math_iv_mul(iv *out, const iv *a, const iv *b);
istate r1_math_iv_div(iv *out, const iv *a, const iv *b);
istate r1_math_iv_pow_z(ctx *c, iv *out, const iv *a, mpz_srcptr e);
istate r1_math_iv_root(ctx *c, iv *out, const iv *a, unsigned long k); /* odd roots of negative numbers are negative */
istate r1_math_iv_fn(ctx *c, func f, iv *out, const iv *a);
void r1_math_iv_pi(iv *out);
bool r1_math_iv_has_zero(const iv *a);
/* Note in c->hidden when a is not 0 and lies so far below `top`, an exponent, that a sum at this precision does not show it. */
void r1_math_iv_note_small(ctx *c, const iv *a, mpfr_exp_t top);
mpfr_exp_t r1_math_iv_exponent(const iv *a);   /* of its largest magnitude; very small for 0 */
int r1_math_iv_sign(const iv *a);               /* -1, 1; 0: it may be either */
istate r1_math_iv_check(const iv *a);            /* I_VAGUE when an end is not a number or infinite */

/* A value for each symbol, rational. */
enum { R1_MATH_SYMBOLS_MAX = 24 };
typedef struct point {
    const node *sym[R1_MATH_SYMBOLS_MAX];
    mpq_t value[R1_MATH_SYMBOLS_MAX], imag[R1_MATH_SYMBOLS_MAX];
    uint32_t n;
} point;

istate r1_math_real(ctx *c, const point *at, const node *a, iv *out);
istate r1_math_complex(ctx *c, const point *at, const node *a, cv *out);
void r1_math_cv_init(cv *a, mpfr_prec_t prec);
void r1_math_cv_clear(cv *a);
/* One unit of the last of a decimal's digits; the values that one unit more or less would be. */
void r1_math_last_place(mpfr_t out, const node *a, uint32_t digits);
void r1_math_widen(iv *out, const node *a);
/* What an unknown function does: made of its name, smooth, without symmetry. */
istate r1_math_apply_real(ctx *c, const point *at, const node *a, iv *out);

#endif
