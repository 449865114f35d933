/* The answer checker survives the failure of each of its allocations. (What GMP and MPFR allocate inside themselves is not seen.) */
#include "tests/faults/faults.h"

#include "reward/math/math.h"

typedef struct pair { const char *gold, *answer; } pair;

static r1_status verify(void *arg, r1_error *err)
{
    const pair *p = arg;
    r1_math_verdict v;
    r1_status s = r1_math_verify(p->gold, strlen(p->gold), p->answer, strlen(p->answer), R1_MATH_RESPONSE, NULL, &v, err);
    if (s == R1_OK && !v.equal) s = r1_fail(err, R1_EINVAL, "not equal: %s", r1_math_reason_name(v.reason));
    if (s == R1_OK) r1_math_verdict_deinit(&v);
    else if (v.extracted) return r1_fail(err, R1_EINVAL, "a failure left an answer behind");
    return s;
}

TEST(r1_math_verify)
{
    static const pair pairs[] = {
        { "\\frac{3}{4}", "So $\\boxed{0.75}$" },
        { "\\{1,2\\}", "\\boxed{2 \\text{ and } 1}" },
        { "[1,5)", "\\boxed{\\{x \\mid 1\\le x<5\\}}" },
        { "3\\text{ hours }20\\text{ minutes}", "\\boxed{200 \\text{ minutes}}" },
        { "\\sin 2x", "\\boxed{2\\sin x\\cos x}" },
        { "\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}", "\\boxed{\\begin{bmatrix} 1 & 2 \\\\ 3 & 2^2 \\end{bmatrix}}" },
        { "y=2x+1", "\\boxed{2x-y+1=0}" },
        { "\\text{(B)}", "\\boxed{B) 12}" },
        { "1,2,3", "\\boxed{3,2,1}" },
        { "1000000", "\\boxed{one million}" },
        { "\\begin{cases} x & x \\ge 0 \\\\ -x & x < 0 \\end{cases}", "\\boxed{\\begin{cases} -x & x \\le 0 \\\\ x & \\text{otherwise} \\end{cases}}" },
        { "\\begin{cases} 1 & n \\text{ even} \\\\ 0 & n \\text{ odd} \\end{cases}", "\\boxed{\\begin{cases} 0 & n \\text{ is odd} \\\\ 1 & \\text{else} \\end{cases}}" },
        { "\\frac13", "\\boxed{\\int_0^1 x^2\\,dx}" },
        { "\\int_0^\\infty e^{-x^2}\\,dx", "\\boxed{\\int_0^\\infty e^{-t^2}\\,dt}" },
        { "\\lim_{x\\to 0^+} f(x)", "\\boxed{\\lim_{t\\to 0^{+}} f(t)}" },
        { "(2,-3)", "\\boxed{2\\mathbf{i}-3\\mathbf{j}}" },
        { "(-\\infty,0)\\cup(1,2]", "\\boxed{]-\\infty;0[\\cup]1;2]}" },
        { "\\frac23", "\\boxed{\\frac23 \\approx 0.67}" },
        { "120", "\\boxed{C(10,3) \\text{ or } {}_{10}C_7}" },
        { "f(x)=kx", "\\boxed{f(t)=kt \\text{ for all } t}" },
        { "n\\equiv 3\\pmod 7", "\\boxed{n\\equiv 10\\pmod 7}" },
        { "\\pi r^2\\text{ cm}^2", "\\boxed{\\pi r^2 \\text{ sq cm}}" },
        { "\\frac{n(n+1)}{2}", "\\boxed{\\sum_{k=1}^{n} k}" },
    };
    for (size_t i = 0; i < R1_COUNT(pairs); i++) FAULTS_SWEEP(verify, (void *)(uintptr_t)&pairs[i]);
}

static r1_status group(void *arg, r1_error *err)
{
    (void)arg;
    static const r1_math_text answers[] = { { "1/2", 3 }, { "0.5", 3 }, { "2", 1 } };
    int32_t ids[3];
    return r1_math_group(answers, 3, NULL, ids, err);
}

TEST(r1_math_group) { FAULTS_SWEEP(group, NULL); }
