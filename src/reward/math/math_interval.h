/* math_interval: real and complex intervals over MPFR, rounded outwards.
 *
 * An interval encloses the true value; nothing here is ever less. Operations return I_OK; I_OUTSIDE when every point is outside the
 * domain; I_VAGUE when the enclosure is too wide to say (a divisor that may be 0): a finer precision may help; I_NOT for what is
 * not done. After anything but I_OK the result is not to be read. `out` may be an operand. Each operation is paid for. */
#ifndef R1_REWARD_MATH_MATH_INTERVAL_H
#define R1_REWARD_MATH_MATH_INTERVAL_H

#include "reward/math/math_int.h"

#include <mpfr.h>

typedef enum r1_math_iv_state { I_OK, I_OUTSIDE, I_VAGUE, I_NOT } r1_iv_state;
typedef struct r1_iv { mpfr_t lo, hi; } r1_iv;
typedef struct r1_cv { r1_iv re, im; } r1_cv;

void r1_math_iv_init(r1_iv *a, mpfr_prec_t prec);
void r1_math_iv_clear(r1_iv *a);
void r1_math_iv_set(r1_iv *out, const r1_iv *a);
void r1_math_iv_set_q(r1_iv *out, mpq_srcptr q);
void r1_math_iv_set_si(r1_iv *out, long v);
void r1_math_iv_add(r1_iv *out, const r1_iv *a, const r1_iv *b);
void r1_math_iv_sub(r1_iv *out, const r1_iv *a, const r1_iv *b);
void r1_math_iv_neg(r1_iv *out, const r1_iv *a);
r1_iv_state r1_math_iv_mul(r1_iv *out, const r1_iv *a, const r1_iv *b);
r1_iv_state r1_math_iv_div(r1_iv *out, const r1_iv *a, const r1_iv *b);
r1_iv_state r1_math_iv_pow_z(r1_math_ctx *c, r1_iv *out, const r1_iv *a, mpz_srcptr e);
r1_iv_state r1_math_iv_root(r1_math_ctx *c, r1_iv *out, const r1_iv *a, unsigned long k); /* odd roots of negative numbers are negative */
r1_iv_state r1_math_iv_fn(r1_math_ctx *c, r1_func f, r1_iv *out, const r1_iv *a);
void r1_math_iv_pi(r1_iv *out);
bool r1_math_iv_has_zero(const r1_iv *a);
/* Note in c->hidden when a is not 0 and lies so far below `top`, an exponent, that a sum at this precision does not show it. */
void r1_math_iv_note_small(r1_math_ctx *c, const r1_iv *a, mpfr_exp_t top);
mpfr_exp_t r1_math_iv_exponent(const r1_iv *a);   /* of its largest magnitude; very small for 0 */
int r1_math_iv_sign(const r1_iv *a);               /* -1, 1; 0: it may be either */
r1_iv_state r1_math_iv_check(const r1_iv *a);            /* I_VAGUE when an end is not a number or infinite */

/* A value for each symbol, rational. */
enum { R1_MATH_SYMBOLS_MAX = 24 };
typedef struct r1_point {
    const r1_node *sym[R1_MATH_SYMBOLS_MAX];
    mpq_t value[R1_MATH_SYMBOLS_MAX], imag[R1_MATH_SYMBOLS_MAX];
    uint32_t n;
} r1_point;

r1_iv_state r1_math_real(r1_math_ctx *c, const r1_point *at, const r1_node *a, r1_iv *out);
r1_iv_state r1_math_complex(r1_math_ctx *c, const r1_point *at, const r1_node *a, r1_cv *out);
void r1_math_cv_init(r1_cv *a, mpfr_prec_t prec);
void r1_math_cv_clear(r1_cv *a);
/* One unit of the last of a decimal's digits; the values that one unit more or less would be. */
void r1_math_last_place(mpfr_t out, const r1_node *a, uint32_t digits);
void r1_math_widen(r1_iv *out, const r1_node *a);
/* What an unknown function does: made of its name, smooth, without symmetry. */
r1_iv_state r1_math_apply_real(r1_math_ctx *c, const r1_point *at, const r1_node *a, r1_iv *out);

#endif
