/* Integrals and limits: the exact values of polynomials, the names of bound letters, and what stays unknown. */
#include "reward/math/math_both_test.h"

TEST(polynomials_are_integrated)
{
    for (int n = 0; n <= 12; n++) { /* every number of nodes */
        char integral[60], value[40];
        snprintf(integral, sizeof integral, "\\int_{-1}^{2} x^{%d}\\,dx", n);
        snprintf(value, sizeof value, "\\frac{2^{%d}-(-1)^{%d}}{%d}", n + 1, n + 1, n + 1);
        expect(value, integral, true);
        snprintf(value, sizeof value, "\\frac{2^{%d}-(-1)^{%d}}{%d}", n + 1, n + 1, n + 2);
        expect(value, integral, false);
    }
    expect("\\frac{b^2-a^2}{2}", "\\int_a^b x\\,dx", true);
    expect("\\frac{a^2-b^2}{2}", "\\int_a^b x\\,dx", false);
    expect("\\frac{512\\pi}{15}", "\\pi \\int^4_0 (4x-x^2)^2 \\mathrm{d}x", true);
    expect("\\frac23", "\\int_0^1 \\int_0^2 xy^2\\,dx\\,dy", true);
    expect("\\frac43", "\\int_0^1 \\int_0^2 xy^2\\,dx\\,dy", false);
    expect("1", "\\int_0^1 d\\theta", true);
}

TEST(other_integrals_are_their_ends_and_insides)
{
    static const char gold[] = "\\int_0^\\infty e^{-x^2}\\,dx";
    expect(gold, "\\int_{0}^{+\\infty} e^{-t\\cdot t}\\,dt", true);
    expect(gold, "\\int_{-\\infty}^{0} e^{-t^2}\\,dt", false);
    expect(gold, "\\int_{0}^{\\infty} e^{-t}\\,dt", false);
    expect(gold, "\\frac{\\sqrt\\pi}{2}", false); /* not evaluated */
    expect("\\int_0^x \\sin t\\,dt", "\\int_0^x \\sin u\\,du", true);
    expect("\\int_0^x \\sin t\\,dt", "\\int_0^t \\sin x\\,dx", false);
    expect("\\int_0^1 f(x)\\,dx", "\\int_0^1 f(t)\\,dt", true);
    expect("\\int_0^1 f(x)\\,dx", "\\int_0^1 g(x)\\,dx", false);
    expect("\\int_0^1 e^x\\,dx = e - 1", "e-1", true);
    expect("\\int_0^1 e^x\\,dx", "-\\int_0^1 e^x\\,dx", false);
}

TEST(limits_are_their_ends_and_insides)
{
    static const char gold[] = "\\lim_{x\\to 0}\\frac{\\sin x}{x}";
    expect(gold, "\\lim_{t \\rightarrow 0} \\frac{\\sin t}{t}", true);
    expect(gold, "\\lim_{t \\to 0^+} \\frac{\\sin t}{t}", false);
    expect(gold, "\\lim_{t \\to 1} \\frac{\\sin t}{t}", false);
    expect("\\lim_{t \\to 0^{-}} \\frac{1}{t}", "\\lim_{x \\to 0^-} x^{-1}", true);
    expect("\\lim_{n\\to\\infty} a_n = 2", "2", true);
    expect("\\lim_{n\\to\\infty} a_n", "\\lim_{n\\to-\\infty} a_n", false);
}
