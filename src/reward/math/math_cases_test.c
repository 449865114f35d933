/* Functions given piece by piece: what may change without changing the function, and what may not. */
#include "reward/math/math_both_test.h"

#define CASES(lines) "\\begin{cases} " lines " \\end{cases}"

TEST(order_and_notation_do_not_matter)
{
    static const char gold[] = CASES("x^2 & x < 0 \\\\ x & 0 \\le x \\le 1 \\\\ 1 & x > 1");
    expect(gold, CASES("1, & x>1, \\\\ x\\cdot x, & 0 > x, \\\\ x, & x \\in [0,1]."), true);
    expect(gold, CASES("x^2 & \\text{if } x < 0 \\\\ x & \\text{if } 0 \\le x \\text{ and } x \\le 1 \\\\ 1 & \\text{otherwise}"), true);
    expect(gold, "\\left\\{\\begin{array}{ll} x^2 & x < 0 \\\\ x & x \\in [0,1] \\\\ 1 & x > 1 \\end{array}\\right.", true);
    expect(gold, "\\begin{dcases} x^2 & x < 0 \\\\ x & 0 \\le x \\le 1 \\\\ 1 & 1 < x \\end{dcases}", true);
    expect(CASES("1 \\text{ if } x > 0 \\\\ 0 \\text{ otherwise}"), CASES("0 & x \\le 0 \\\\ 1 & 0 < x"), true);
    expect("f(x) = " CASES("x & x > 0 \\\\ 0 & x \\le 0"), "f(t) = " CASES("0 & t \\le 0 \\\\ t & t > 0"), true);
}

TEST(an_end_point_may_change_sides_where_the_values_agree)
{
    expect(CASES("x & x \\ge 0 \\\\ -x & x < 0"), CASES("x & x > 0 \\\\ -x & x \\le 0"), true);
    expect(CASES("x + 1 & x \\ge 0 \\\\ -x & x < 0"), CASES("x + 1 & x > 0 \\\\ -x & x \\le 0"), false);
    expect(CASES("\\frac{x^2-1}{x-1} & x \\ne 1 \\\\ 2 & x = 1"), CASES("x + 1 & x \\ne 1 \\\\ 2 & x = 1"), true);
    expect(CASES("\\frac{x^2-1}{x-1} & x \\ne 1 \\\\ 2 & x = 1"), CASES("x + 1 & x \\ne 1 \\\\ 3 & x = 1"), false);
}

TEST(another_function_is_another)
{
    static const char gold[] = CASES("x & x \\ge 0 \\\\ 2 & x < 0");
    expect(gold, CASES("2 & x \\ge 0 \\\\ x & x < 0"), false);             /* values exchanged */
    expect(gold, CASES("x & x \\ge 1 \\\\ 2 & x < 1"), false);             /* another bound */
    expect(gold, CASES("x & x \\ge 0"), false);                             /* a line left out */
    expect(gold, CASES("x & x \\ge 0 \\\\ 2 & x < -1"), false);            /* a gap */
    expect(gold, CASES("x & x \\ge 0 \\\\ 3 & x \\ge 0 \\\\ 2 & x < 0"), false); /* two values on one piece */
    expect(gold, CASES("t & t \\ge 0 \\\\ 2 & t < 0"), false);             /* another letter */
    expect(gold, "x", false);
    expect(gold, "x, 2", false);
    expect(CASES("a & x \\ge 0 \\\\ b & x < 0"), CASES("b & x \\ge 0 \\\\ a & x < 0"), false);
}

TEST(conditions_that_are_no_sets_are_matched_line_by_line)
{
    static const char gold[] = CASES("1 & n \\text{ even} \\\\ 0 & n \\text{ odd}");
    expect(gold, CASES("0 & \\text{if } n \\text{ is odd} \\\\ \\frac22 & \\text{if } n \\text{ is an even integer}"), true);
    expect(gold, CASES("1 & n \\text{ is even} \\\\ 0 & \\text{otherwise}"), true);
    expect(gold, CASES("1 & n \\text{ is odd} \\\\ 0 & \\text{otherwise}"), false);
    expect(gold, CASES("0 & n \\text{ even} \\\\ 1 & n \\text{ odd}"), false);
    expect(gold, CASES("1 & m \\text{ even} \\\\ 0 & m \\text{ odd}"), false);
    expect(CASES("x & x > a \\\\ a & x \\le a"), CASES("a & a \\ge x \\\\ x & a < x"), true);
    expect(CASES("x & x > a \\\\ a & x \\le a"), CASES("a & x \\le a \\\\ x & x > b"), false);
    expect(CASES("n & n \\equiv 1 \\pmod 3 \\\\ 0 & \\text{else}"), CASES("0 & \\text{otherwise} \\\\ n & n \\equiv 1 \\pmod{3}"), true);
}

TEST(a_system_is_none)
{
    expect("\\begin{cases} x &= 1 \\\\ y &= 2 \\end{cases}", "x = 1, y = 2", true);
    expect("\\begin{cases} x + y = 3 \\\\ x - y = -1 \\end{cases}", "x = 1, y = 2", false);
    expect("\\begin{cases} x = 1 \\\\ y = 2 \\end{cases}", "(2,1)", false);
}
