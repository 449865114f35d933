/* Countdown: right expressions in every notation, and what other checkers fall for. */
#include "tests/test.h"
#include "reward/reward.h"

static r1_countdown task(const char *nums, int64_t target)
{
    r1_countdown t = { .target = target };
    for (char *end; *nums; nums = end + (*end == ' ')) t.nums[t.n_nums++] = strtoll(nums, &end, 10);
    return t;
}

static void gives(const r1_countdown *t, const char *text, const char *code)
{
    const char *got = r1_countdown_check(t, r1_span_of(text));
    EXPECT_MSG(!got == !code && (!code || !strcmp(got, code)), "'%s' is %s, expected %s", text, got ? got : "right", code ? code : "right");
}

TEST(countdown_takes_expressions)
{
    r1_countdown t = task("86 25 16", 95), u = task("50 45 9", 10);
    gives(&t, "86+(25-16)", NULL);
    gives(&t, " 86 + 25 - 16 ", NULL);
    gives(&t, "(86 + (25 \xe2\x88\x92 16))", NULL);
    gives(&t, "86 + 25 - 16 = 95", NULL);
    gives(&t, "95 = 86+25-16.", NULL);
    gives(&t, "$86+25-16 = 95$", NULL);
    gives(&t, "\\(86 + \\left(25 - 16\\right)\\)", NULL);
    gives(&t, "-16+25+86", NULL);
    gives(&u, "50/(45/9)", NULL);
    gives(&u, "50 \xc3\xb7 (45 \xc3\xb7 9)", NULL);
    gives(&u, "50 \\div (45 \\div 9)", NULL);
    gives(&u, "\\frac{50}{\\frac{45}{9}}", NULL);
    gives(&u, "50*9/45", NULL);
    gives(&u, "50 \\times 9 / 45", NULL);
    gives(&u, "50\xc3\x97" "9/45=10", NULL);
    r1_countdown exact = task("3 3 8 8", 24);
    gives(&exact, "8/(3-8/3)", NULL); /* exact: in binary fractions this is 23.99... */
}

TEST(countdown_refuses_tricks)
{
    r1_countdown t = task("2 5 4", 10), p = task("2 5", 32), q = task("7 2", 3);
    gives(&t, "2.5*4", "syntax");
    gives(&t, "2 .5*4", "syntax");
    gives(&t, "25-4", "wrong_numbers");
    gives(&t, "2 5*4", "syntax");
    gives(&t, "(2)(5)", "syntax");
    gives(&t, "2*5", "wrong_numbers");
    gives(&t, "2*5*4/4", "wrong_numbers");
    gives(&t, "10", "wrong_numbers");
    gives(&t, "2*5+4-4", "wrong_numbers");
    gives(&t, "2*5*4", "wrong_value");
    gives(&t, "2*5+0*4", "wrong_numbers");
    gives(&p, "2**5", "syntax");
    gives(&p, "2^5", "syntax");
    gives(&p, "2e5", "syntax");
    gives(&p, "1<<5", "syntax");
    gives(&q, "7//2", "syntax");
    gives(&q, "7/2", "wrong_value");
    gives(&q, "7%2", "syntax");
    gives(&t, "2*5 # 4", "syntax");
    gives(&t, "2*5 = 10 = 10", "syntax");
    gives(&t, "2*4+5 = 10", "wrong_value");
    gives(&t, "2*5 = 4+6", "syntax");
    gives(&t, "4*5/2 = 11", "wrong_value");
    gives(&t, "(4*5/2", "syntax");
    gives(&t, "4*5/2)", "syntax");
    gives(&t, "4*05/2", "syntax");
    gives(&t, "", "syntax");
    gives(&t, "=", "syntax");
    gives(&t, "4*5/2 or 5*4/2", "syntax");
    gives(&t, "__import__('os').getpid()", "syntax");
    gives(&t, "99999999999999999999999999*5/2", "wrong_numbers");
    r1_countdown zero = task("5 5 3", 3);
    gives(&zero, "3/(5-5)", "division_by_zero");
    gives(&zero, "3/(5-5) = 3", "division_by_zero");
    gives(&zero, "3+5-5", NULL);
}

TEST(countdown_may_leave_numbers_out_when_told)
{
    r1_countdown t = task("2 5 4", 10);
    t.some = true;
    gives(&t, "2*5", NULL);
    gives(&t, "5+5", "wrong_numbers");
    gives(&t, "4*5/2", NULL);
    gives(&t, "10", "wrong_numbers");
}

TEST(countdown_is_bounded)
{
    static char text[5000];
    r1_countdown t = task("1", 1);
    memset(text, '(', 4000);
    gives(&t, text, "over_budget");
    memset(text, '-', 4000);
    gives(&t, text, "over_budget");
    memset(text, '1', 4500);
    gives(&t, text, "over_budget");
    for (size_t i = 0; i + 1 < 4000; i += 2) memcpy(text + i, "1*", 2);
    memcpy(text + 3998, "1\0", 2);
    gives(&t, text, "wrong_numbers");
}

TEST(countdown_agrees_with_the_evaluation_set)
{
    /* a few items of each size, solutions as the set has them */
    static const struct { const char *nums, *solution; int64_t target; } items[] = {
        { "86 25 16", "86+(25-16)", 95 }, { "46 90 19", "90-(19+46)", 25 }, { "50 45 9", "50/(45/9)", 10 }, { "4 13 84", "13+(84-4)", 93 }, { "5 97 51", "97-(51+5)", 41 },
    };
    for (size_t i = 0; i < R1_COUNT(items); i++) {
        r1_countdown t = task(items[i].nums, items[i].target);
        gives(&t, items[i].solution, NULL);
        t.target++;
        gives(&t, items[i].solution, "wrong_value");
    }
}
