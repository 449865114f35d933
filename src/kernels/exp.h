/* Private to kernels/: the constants of r1_exp, shared by every level so that all give the same bits.
 *
 * For LO <= x <= HI:
 *   t = fma(x, LOG2E, MAGIC);  n = t - MAGIC           nearest whole number to x / ln 2, in the low bits of t
 *   r = fma(-n, LN2_HI, x);    r = fma(-n, LN2_LO, r)  n * LN2_HI is exact, so only the second step rounds
 *   p = C6; p = fma(p, r, C5); ... C4, C3, C2; p = fma(p, r, 1); p = fma(p, r, 1)
 *   result: the bits of p plus (the bits of t) << 23; the shift throws the bits of MAGIC away
 * x < LO gives 0, x > HI gives +inf, NaN gives NaN. Results are never subnormal.
 *
 * C2..C6 minimise the largest relative error of 1 + r + r^2 q(r) on |r| <= ln(2)/2, rounded to float one after the other
 * (Lawson's weights; 0.053 * 2^-24 before rounding of the steps). Worst error over every float in range, against expl:
 * R1_EXP_WORST_ULP, measured by kernels_test.c; its test walks a stride of them in every run.
 */
#ifndef R1_KERNELS_EXP_H
#define R1_KERNELS_EXP_H

#define R1_EXP_LO -87.3365f        /* just above ln 2^-126 */
#define R1_EXP_HI 0x1.62e42ep+6f   /* the largest float below ln of the largest float */
#define R1_EXP_LOG2E 0x1.715476p+0f
#define R1_EXP_MAGIC 0x1.8p23f
#define R1_EXP_LN2_HI 0x1.62e4p-1f /* 15 bits */
#define R1_EXP_LN2_LO 0x1.7f7d1cp-20f
#define R1_EXP_C2 0x1.fffffcp-2f
#define R1_EXP_C3 0x1.555492p-3f
#define R1_EXP_C4 0x1.5558aap-5f
#define R1_EXP_C5 0x1.12396cp-7f
#define R1_EXP_C6 0x1.6a5228p-10f
#define R1_EXP_WORST_ULP 0.90

#endif
