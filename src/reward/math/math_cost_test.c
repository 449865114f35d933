/* The answer checker's cost: texts made to be expensive. Operations are counted, never time: the same text costs the same on every
 * machine. A verdict must come within the budget, must not be "equal", and a few texts that look expensive must be decided cheaply. */
#include "tests/test.h"

#include "reward/math/math.h"

enum { TEXT_MAX = 1 << 20 };

/* before, then unit n times, middle, back n times, after. */
static char *repeat(const char *unit, int n, const char *middle, const char *back)
{
    size_t a = strlen(unit), b = strlen(back), m = strlen(middle);
    char *s = malloc((a + b) * (size_t)n + m + 1), *p = s;
    for (int i = 0; i < n; i++, p += a) memcpy(p, unit, a);
    memcpy(p, middle, m);
    p += m;
    for (int i = 0; i < n; i++, p += b) memcpy(p, back, b);
    *p = 0;
    return s;
}

static r1_math_verdict verify(const char *gold, const char *answer, r1_math_mode mode, uint64_t budget)
{
    r1_math_verdict v;
    r1_error e = { 0 };
    EXPECT_OK(r1_math_verify(gold, strlen(gold), answer, strlen(answer), mode, &(r1_math_options){ .budget = budget }, &v, &e), &e);
    return v;
}

/* Not equal to any of a few golds of different kinds, nor as a gold to 6; within the budget. */
static void hostile(const char *text)
{
    static const char *const golds[] = { "6", "x", "\\sqrt{2}", "\\sin x", "1+i", "\\{1,2\\}", "[0,1)", "5 cm", "x+y=1", "\\text{red}", "C" };
    for (size_t i = 0; i < sizeof golds / sizeof *golds; i++)
        for (int way = 0; way < 2; way++) {
            r1_math_verdict v = verify(way ? text : golds[i], way ? golds[i] : text, R1_MATH_ANSWER, 0);
            bool fine = !v.equal && v.operations <= R1_MATH_BUDGET;
            r1_math_reason why = v.reason;
            r1_math_verdict_deinit(&v);
            EXPECT_MSG(fine, "gold '%s', '%.50s' (%zu bytes): %s", golds[i], text, strlen(text), r1_math_reason_name(why));
        }
}

static void hostile_take(char *text)
{
    hostile(text);
    free(text);
}

TEST(towers_and_factorials)
{
    static const char *const texts[] = { "7^{7^{7^{7}}}",
                                         "7^{7^{7^{7^{7^{7}}}}}",
                                         "(10^{9})!",
                                         "(10^{10})!",
                                         "\\binom{10^{12}}{10^{11}}",
                                         "(x+1)^{10000}",
                                         "((10!)!)!",
                                         "10^{10^{10}}",
                                         "1e99999",
                                         "10^{-10^{10}}",
                                         "e^{e^{e^{e^{e}}}}",
                                         "\\sin(10^{10^{10}})",
                                         "x^{x^{x^{x^{x}}}}",
                                         "\\sqrt[10^9]{7}",
                                         "\\prod_{k=1}^{400} k^{k^{k}}",
                                         "\\sum_{k=1}^{10^{9}} k",
                                         "\\log_{2}(7^{7^{7^{7}}})",
                                         "(1+i)^{(1+i)^{(1+i)^{100}}}",
                                         "2^{-7^{7^7}}",
                                         "\\lfloor e^{e^{e^{e}}} \\rfloor",
                                         "\\gcd(7^{7^{7^7}}, 3)",
                                         "(2^{60000}-1)(3^{40000}-1)(5^{30000}-1)(7^{28000}-1)" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) hostile(texts[i]);
}

TEST(nesting)
{
    static const char *const around[][2] = { { "(1+", ")" },
                                             { "[", "]" },
                                             { "\\sqrt{", "}" },
                                             { "\\frac{1}{1+", "}" },
                                             { "\\{", "\\}" },
                                             { "2^{", "}" },
                                             { "\\sin(", ")" },
                                             { "|", "|" },
                                             { "f(", ")" },
                                             { "\\boxed{", "}" },
                                             { "\\text{", "}" },
                                             { "\\left(", "\\right)" },
                                             { "\\begin{pmatrix}", "\\end{pmatrix}" },
                                             { "-", "" },
                                             { "", "!" },
                                             { "", "'" },
                                             { "", "^2" },
                                             { "\\frac", "" },
                                             { "(", "" },
                                             { "{", "" },
                                             { "\\langle", "\\rangle" },
                                             { "{=", "}" },
                                             { "{1,", "}" },
                                             { "1\\frac{x+", "}{2}" },
                                             { "5 cm (", ")" },
                                             { "{x|", "}" },
                                             { "3 hours (", ")" },
                                             { "$5 + (", ")" },
                                             { "{\\binom", "}" } };
    for (size_t i = 0; i < sizeof around / sizeof *around; i++)
        for (int n = 50; n <= 5000; n *= 10) hostile_take(repeat(around[i][0], n, "7.5", around[i][1]));
}

TEST(brackets_and_cases)
{
    hostile_take(repeat("]", 5000, "0", ""));
    hostile_take(repeat("[0,", 3000, "1", "["));
    hostile_take(repeat("]0,", 3000, "1", "["));
    hostile_take(repeat("[0,((", 2000, "1", "["));
    hostile_take(repeat("\\begin{cases}", 1500, "6", ""));
    hostile_take(repeat("\\begin{cases} 6 & ", 900, "6", "\\end{cases}"));
    hostile_take(repeat("\\{\\begin{array}{l}", 1000, "6", ""));
    hostile_take(repeat("6 & x > 6 \\\\ ", 1500, "", ""));
    char *lines = repeat("x^9 & x < 6^6 \\\\ ", 900, "", ""), text[20000];
    snprintf(text, sizeof text, "\\begin{cases} %s \\end{cases}", lines);
    free(lines);
    r1_math_verdict v = verify(text, "\\begin{cases} x & x > 0 \\\\ 1 & x < 1 \\end{cases}", R1_MATH_ANSWER, 0);
    EXPECT(!v.equal && v.operations <= R1_MATH_BUDGET);
    r1_math_verdict_deinit(&v);
    snprintf(text, sizeof text, "{}_{10^9}C_{10^8} or {}_{10^9}C_{10^8} or C(10^9,10^8)");
    hostile(text);
}

TEST(what_is_said_over_and_over)
{
    static const struct { const char *unit, *middle, *back; int n;
    } texts[] = {
        { "(since ", "8", ")", 1400 },   { "8 (since x) ", "", "", 1600 },    { "(about 8)", "", "", 2000 },      { "for all integers n ", "", "", 1000 },
        { "x \\ne 2, ", "", "", 2000 },  { "P(both red ", " = 8", "", 1500 },  { "the total area: ", "8", "", 1200 }, { "8 out of ", "9", "", 2000 },
        { "\\overline{z} + ", "z", "", 1300 }, { "p \\lor ", "q", "", 2400 }, { "one and a half ", "", "", 1200 }, { "points ", "(3,4)", "", 2500 },
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) hostile_take(repeat(texts[i].unit, texts[i].n, texts[i].middle, texts[i].back));
    char sum[16000], *p = sum;
    for (int i = 0; i < 2000; i++) p += sprintf(p, "a_%d+", i);
    sprintf(p, "b = 6");
    hostile(sum);
}

TEST(integrals_and_limits)
{
    hostile_take(repeat("\\int_0^1 ", 1500, "x", " dx"));
    hostile_take(repeat("\\int_0^1 ", 30, "x", " dx"));
    hostile_take(repeat("\\int_0^{x^9} x^{9}+", 4, "x", " dx"));
    hostile_take(repeat("\\int_0^1 ", 2000, "x", ""));
    hostile_take(repeat("\\lim_{x \\to 0} ", 1200, "x", ""));
    hostile_take(repeat("\\lim_{x \\to ", 1200, "x", "}"));
    hostile("\\int_0^{10^{9999}} x^{12} dx");
    hostile("\\int_0^{9^{9^9}} (x+y)^{12} dx");
    hostile("\\int_0^1 \\sum_{k=1}^{400} x^{12} dx");
    hostile_take(repeat("2^9 ", 4000, "3^9", ""));
    hostile_take(repeat("x ", 5000, "\\in \\mathbb{Z}", ""));
    hostile_take(repeat("6 for all x ", 1500, "", ""));
}

TEST(length)
{
    static const char *const units[] = { "1,",     "\\pm 1",           "+\\sin 7", "\\frac{1}{7}+", "x_{12}+", "\\sqrt{2}+",   "\\cup[0,1]",
                                         "(1,2),", "apple ",           "$",        "\\text{ or }5", "1<",      "=x",           "\\\\",
                                         "&",      "\\begin{aligned}", "7^",       "\\log_",        "3!",      "\xE2\x88\x9A", "\xFF" };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        for (int n = 30; n <= 30000; n *= 10) hostile_take(repeat(units[i], n, "7", ""));
}

TEST(a_megabyte)
{
    static const char *const units[] = { "\\boxed{", "\\boxed{5}", "#### ",    "The answer is ",           "<think>", "</think>", "answer ", "{",
                                         "}",        "\\",         "<answer>", "\xE7\xAD\x94\xE6\xA1\x88", "7" };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        char *text = repeat(units[i], (int)(TEXT_MAX / strlen(units[i])), "", "");
        r1_math_verdict v = verify("6", text, R1_MATH_RESPONSE, 0);
        EXPECT_MSG(!v.equal && v.operations <= R1_MATH_BUDGET, "'%s': %s", units[i], r1_math_reason_name(v.reason));
        r1_math_verdict_deinit(&v);
        v = verify("6", text, R1_MATH_ANSWER, 0);
        EXPECT_MSG(!v.equal && v.operations <= R1_MATH_BUDGET, "'%s': %s", units[i], r1_math_reason_name(v.reason));
        r1_math_verdict_deinit(&v);
        free(text);
    }
}

static void decided(const char *gold, const char *answer, bool equal, uint64_t most)
{
    r1_math_verdict v = verify(gold, answer, R1_MATH_ANSWER, 0);
    bool got = v.equal;
    uint64_t operations = v.operations;
    r1_math_reason why = v.reason;
    r1_math_verdict_deinit(&v);
    EXPECT_MSG(got == equal && operations <= most, "gold '%.30s', '%.30s': %s after %llu operations", gold, answer, r1_math_reason_name(why),
               (unsigned long long)operations);
}

TEST(long_but_simple)
{
    char *a = repeat("7", 4999, "8", ""), *b = repeat("7", 4999, "9", ""), *spaced = repeat(" ", 10, a, " ");
    char *deep = repeat("(", 400, "6", ")"), *zeros = repeat("", 1, "6", "+0");
    decided(a, spaced, true, 100);
    char *plus = repeat("+", 1, a, "");
    decided(a, plus, true, 20000);
    decided(a, b, false, 20000);
    decided("6", deep, true, 30000);
    free(zeros);
    zeros = repeat("0+", 1000, "6", "");
    decided("6", zeros, true, 60000);
    decided("3^{20000}", "3^{19999}\\cdot 3", true, 400000);
    decided("3^{20000}", "3^{20000}+1", false, 400000);
    decided("\\frac{1}{2004!}", "\\frac{1}{2006!}", false, 400000);
    free(a);
    free(b);
    free(plus);
    free(spaced);
    free(deep);
    free(zeros);
}

TEST(a_budget_is_kept)
{
    static const uint64_t budgets[] = { 1, 10, 100, 1000, 10000, 100000 };
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
        r1_math_verdict v = verify("\\sin x + \\sqrt{2}", "\\sqrt2 + \\cos(\\frac{\\pi}{2}-x)", R1_MATH_ANSWER, budgets[i]);
        EXPECT(v.operations <= budgets[i]);
        EXPECT_MSG(v.reason == R1_MATH_OVER_BUDGET || (v.equal && budgets[i] >= 10000), "%s with %llu", r1_math_reason_name(v.reason),
                   (unsigned long long)budgets[i]);
        r1_math_verdict_deinit(&v);
    }
}
