/* Enclosures enclose: every function on intervals of every width, against MPFR at points inside with far more bits. The radical bound
 * and the modular test are held against what they promise, too. */
#include "tests/test.h"

#include "reward/math/math_interval.h"

enum { COARSE = 64, FINE = 600 };

typedef int (*plain)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);
typedef struct row { r1_func f; plain fn; double lo, hi; } row;

static int absolute(mpfr_ptr y, mpfr_srcptr x, mpfr_rnd_t r) { return mpfr_abs(y, x, r); }
static int floor_of(mpfr_ptr y, mpfr_srcptr x, mpfr_rnd_t r) { (void)r; return mpfr_floor(y, x); }

static const row rows[] = {
    { F_SIN, mpfr_sin, -30, 30 },       { F_COS, mpfr_cos, -30, 30 },         { F_TAN, mpfr_tan, -5, 5 },   { F_COT, mpfr_cot, 0.1, 6 },
    { F_SEC, mpfr_sec, -5, 5 },         { F_CSC, mpfr_csc, 0.1, 6 },          { F_EXP, mpfr_exp, -50, 50 }, { F_LN, mpfr_log, 0.001, 90 },
    { F_LOG10, mpfr_log10, 0.001, 90 }, { F_ASIN, mpfr_asin, -1, 1 },         { F_ACOS, mpfr_acos, -1, 1 }, { F_ATAN, mpfr_atan, -20, 20 },
    { F_SINH, mpfr_sinh, -9, 9 },       { F_COSH, mpfr_cosh, -9, 9 },         { F_TANH, mpfr_tanh, -9, 9 }, { F_ASINH, mpfr_asinh, -9, 9 },
    { F_ACOSH, mpfr_acosh, 1.1, 9 },    { F_ATANH, mpfr_atanh, -0.99, 0.99 }, { F_SQRT, mpfr_sqrt, 0, 90 }, { F_ABS, absolute, -9, 9 },
    { F_FLOOR, floor_of, -9, 9 },
};

static double unit_random(uint64_t *state) { return (double)test_random(state) / 4294967296.0; }

/* Whether f of every tried point of a lies in out. */
static bool encloses(const row *r, const r1_iv *a, const r1_iv *out, uint64_t *state)
{
    mpfr_t x, y, w;
    bool ok = true;
    mpfr_inits2(FINE, x, y, w, (mpfr_ptr)0);
    mpfr_sub(w, a->hi, a->lo, MPFR_RNDN);
    for (int k = 0; k < 12 && ok; k++) {
        mpfr_mul_d(x, w, k == 0 ? 0 : k == 1 ? 1 : unit_random(state), MPFR_RNDN);
        mpfr_add(x, x, a->lo, MPFR_RNDN);
        r->fn(y, x, MPFR_RNDN);
        if (mpfr_number_p(y)) ok = mpfr_lessequal_p(out->lo, y) && mpfr_lessequal_p(y, out->hi);
    }
    mpfr_clears(x, y, w, (mpfr_ptr)0);
    return ok;
}

TEST(functions_enclose)
{
    uint64_t random = test_seed() | 1;
    r1_math_ctx c;
    r1_iv a, out;
    r1_math_iv_init(&a, COARSE);
    r1_math_iv_init(&out, COARSE);
    for (size_t i = 0; i < R1_COUNT(rows); i++) {
        int enclosed = 0;
        for (int k = 0; k < 600; k++) {
            const row *r = &rows[i];
            static const double widths[] = { 0, 1e-15, 1e-6, 0.01, 0.5, 2, 7 };
            double lo = r->lo + (r->hi - r->lo) * unit_random(&random), hi = lo + widths[k % 7] * unit_random(&random);
            if (k % 5 == 0) lo = (double)(long)lo, hi = lo + (k % 7 == 0 ? 0 : hi - lo); /* whole numbers and 0 too */
            if (lo < r->lo) lo = r->lo;
            if (hi > r->hi) hi = r->hi;
            if (hi < lo) hi = lo;
            mpfr_set_d(a.lo, lo, MPFR_RNDD);
            mpfr_set_d(a.hi, hi, MPFR_RNDU);
            r1_math_ctx_init(&c, R1_MATH_BUDGET, 1);
            r1_iv_state s = r1_math_iv_fn(&c, r->f, &out, &a);
            r1_math_ctx_deinit(&c);
            if (s != I_OK) continue; /* a pole inside, a step inside */
            enclosed++;
            EXPECT_MSG(encloses(r, &a, &out, &random), "function %d on [%.17g, %.17g]", (int)r->f, lo, hi);
        }
        EXPECT_MSG(enclosed > 100, "function %d: only %d intervals had a value", (int)rows[i].f, enclosed);
    }
    r1_math_iv_clear(&a);
    r1_math_iv_clear(&out);
}

TEST(roots_enclose)
{
    static const unsigned long degrees[] = { 1, 2, 3, 4, 5, 6, 7, 51, 1000 };
    uint64_t random = test_seed() | 1;
    r1_math_ctx c;
    r1_iv a, out;
    mpfr_t y;
    mpfr_init2(y, FINE);
    r1_math_iv_init(&a, COARSE);
    r1_math_iv_init(&out, COARSE);
    for (size_t i = 0; i < R1_COUNT(degrees); i++)
        for (int k = 0; k < 200; k++) {
            double lo = (unit_random(&random) - (degrees[i] % 2 ? 0.5 : 0)) * 100, hi = lo + (k % 3 ? unit_random(&random) * 5 : 0);
            mpfr_set_d(a.lo, lo, MPFR_RNDD);
            mpfr_set_d(a.hi, hi, MPFR_RNDU);
            r1_math_ctx_init(&c, R1_MATH_BUDGET, 1);
            EXPECT_INT(r1_math_iv_root(&c, &out, &a, degrees[i]), I_OK);
            r1_math_ctx_deinit(&c);
            for (int end = 0; end < 2; end++) {
                mpfr_rootn_ui(y, end ? a.hi : a.lo, degrees[i], MPFR_RNDN);
                EXPECT_MSG(mpfr_lessequal_p(out.lo, y) && mpfr_lessequal_p(y, out.hi), "root %lu on [%.17g, %.17g]", degrees[i], lo, hi);
            }
        }
    mpfr_clear(y);
    r1_math_iv_clear(&a);
    r1_math_iv_clear(&out);
}

TEST(extremes_are_found)
{
    r1_math_ctx c;
    r1_iv a, out;
    r1_math_iv_init(&a, COARSE);
    r1_math_iv_init(&out, COARSE);
    r1_math_ctx_init(&c, R1_MATH_BUDGET, 1);
    for (int k = -20; k <= 20; k++) { /* around k pi / 2: extremes of sine or cosine */
        double at = k * 1.57079632679489661923;
        mpfr_set_d(a.lo, at - 0.01, MPFR_RNDD);
        mpfr_set_d(a.hi, at + 0.02, MPFR_RNDU);
        bool sine = k % 2 != 0;
        EXPECT_INT(r1_math_iv_fn(&c, sine ? F_SIN : F_COS, &out, &a), I_OK);
        int sign = ((sine ? k - 1 : k) / 2) % 2 ? -1 : 1;
        EXPECT(sign > 0 ? mpfr_cmp_si(out.hi, 1) == 0 && mpfr_cmp_d(out.lo, 0.99) > 0 : mpfr_cmp_si(out.lo, -1) == 0 && mpfr_cmp_d(out.hi, -0.99) < 0);
    }
    r1_math_ctx_deinit(&c);
    r1_math_iv_clear(&a);
    r1_math_iv_clear(&out);
}

static r1_node *parse(r1_math_ctx *c, const char *s)
{
    bool two;
    r1_node *a = r1_math_parse_text(c, s, strlen(s), 0, &two);
    EXPECT_MSG(a != NULL && r1_math_is_scalar(a), "'%s' is no expression", s);
    return a;
}

TEST(the_radical_bound_lies_below_small_values)
{
    static const char *const small[] = { "\\sqrt{2}+\\sqrt{3}-\\sqrt{9.89897948556635619639456814941178278393189496131334025686538514950163}",
                                         "\\sqrt{1000001}-1000-\\frac{1}{2000}",
                                         "\\sqrt[3]{1000001}-100-\\frac{1}{30000}",
                                         "\\sqrt{10^{40}+1}-10^{20}",
                                         "\\frac{1}{1+\\sqrt{10^{60}+1}}-10^{-30}",
                                         "\\sqrt{5}+\\sqrt{7}-\\sqrt{12+2\\sqrt{35}+10^{-90}}" };
    for (size_t i = 0; i < R1_COUNT(small); i++) { /* none of them is 0, so each must be at least 2^-bound */
        r1_math_ctx c;
        static const r1_point nowhere = { .n = 0 };
        r1_iv out;
        r1_math_iv_init(&out, 4000);
        r1_math_ctx_init(&c, R1_MATH_BUDGET, 1);
        r1_node *a = parse(&c, small[i]);
        double bound = r1_math_zero_bound(&c, a, r1_math_num(&c, 0));
        EXPECT_MSG(bound > 0, "'%s' has no bound", small[i]);
        EXPECT_INT(r1_math_real(&c, &nowhere, a, &out), I_OK);
        EXPECT_MSG(r1_math_iv_sign(&out) && (double)r1_math_iv_exponent(&out) > -bound, "'%s': 2^%ld is below the bound 2^-%.0f", small[i],
                   (long)r1_math_iv_exponent(&out), bound);
        r1_math_ctx_deinit(&c);
        r1_math_iv_clear(&out);
    }
}

TEST(modular_equality)
{
    static const struct { const char *a, *b; int equal;
    } pairs[] = {
        { "(x+y)^{50}", "(y+x)^{49}(x+y)", 1 },
        { "(x+y)^{50}", "(y+x)^{49}(x+y)+1", 0 },
        { "\\frac{1}{x}-\\frac{1}{y}", "\\frac{y-x}{xy}", 1 },
        { "(1+i)^{20}x", "-1024x", 1 },
        { "(1+i)^{20}x", "1024x", 0 },
        { "x^{10^{30}}", "x^{10^{30}-1}x", 1 },
        { "x^{10^{30}}", "x^{10^{30}+1}", 0 },
        { "\\sin x", "x", -1 },
        { "\\sqrt{x}", "x", -1 },
    };
    for (size_t i = 0; i < R1_COUNT(pairs); i++)
        for (uint64_t seed = 1; seed < 6; seed++) {
            r1_math_ctx c;
            r1_math_ctx_init(&c, R1_MATH_BUDGET, seed);
            int got = r1_math_modular_equal(&c, parse(&c, pairs[i].a), parse(&c, pairs[i].b));
            r1_math_ctx_deinit(&c);
            EXPECT_MSG(got == pairs[i].equal, "'%s', '%s': %d", pairs[i].a, pairs[i].b, got);
        }
}
