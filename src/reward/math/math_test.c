/* The answer checker: verdicts with their reasons, extraction, groups, limits. Pairs by the hundred stand in tests/golden/answers.tsv. */
#include "tests/test.h"

#include "reward/math/math.h"

#include <pthread.h>

static r1_math_verdict verify(const char *gold, const char *answer, r1_math_mode mode)
{
    r1_math_verdict v;
    r1_error e = { 0 };
    EXPECT_OK(r1_math_verify(gold, strlen(gold), answer, strlen(answer), mode, NULL, &v, &e), &e);
    EXPECT_MSG(v.operations <= R1_MATH_BUDGET, "%llu operations", (unsigned long long)v.operations);
    return v;
}

static void expect(const char *gold, const char *answer, r1_math_reason reason)
{
    r1_math_verdict v = verify(gold, answer, R1_MATH_ANSWER);
    r1_math_reason got = v.reason;
    bool equal = v.equal;
    r1_math_verdict_deinit(&v);
    EXPECT_MSG(got == reason, "gold '%.60s', answer '%.60s': %s, expected %s", gold, answer, r1_math_reason_name(got), r1_math_reason_name(reason));
    EXPECT(equal == (reason <= R1_MATH_EQUAL_NUMERIC));
}

static void expect_response(const char *gold, const char *response, r1_math_reason reason, const char *extracted)
{
    r1_math_verdict v = verify(gold, response, R1_MATH_RESPONSE);
    r1_math_reason got = v.reason;
    char text[200] = "(none)";
    if (v.extracted) snprintf(text, sizeof text, "%.190s", v.extracted);
    r1_math_verdict_deinit(&v);
    EXPECT_MSG(got == reason, "gold '%.60s', response '%.80s': %s, expected %s", gold, response, r1_math_reason_name(got), r1_math_reason_name(reason));
    EXPECT_STR(text, extracted ? extracted : "(none)");
}

TEST(numbers_are_exact)
{
    expect("1250000", "1,250,000", R1_MATH_EQUAL_EXACT);
    expect("\\frac{2}{3}", "0.\\overline{6}", R1_MATH_EQUAL_EXACT);
    expect("\\frac{2}{3}", "0.67", R1_MATH_DIFFERENT);
    expect("\\frac{2}{3}", "0.66666667", R1_MATH_EQUAL_NUMERIC);
    expect("\\frac{2}{3}", "0.6666667", R1_MATH_DIFFERENT);
    expect("987654321987654321", "987654321987654322", R1_MATH_DIFFERENT);
    expect("\\frac{1}{2004!}", "\\frac{1}{2006!}", R1_MATH_DIFFERENT);
    expect("2^{-99}", "2^{-98}", R1_MATH_DIFFERENT);
    expect("24", "2 4", R1_MATH_UNPARSED_CANDIDATE);
}

TEST(radicals_are_proved_equal)
{
    expect("\\sqrt{5+2\\sqrt{6}}", "\\sqrt{2}+\\sqrt{3}", R1_MATH_EQUAL_EXACT);
    expect("\\sqrt{2}", "\\sqrt{2}+10^{-300}", R1_MATH_DIFFERENT);
    expect("\\sqrt[3]{7+5\\sqrt{2}}", "1+\\sqrt 2", R1_MATH_EQUAL_EXACT);
}

TEST(functions_are_compared_at_points)
{
    expect("(x+1)(x-4)", "x^2-3x-4", R1_MATH_EQUAL_EXACT);
    expect("\\cos 2x", "1-2\\sin^2 x", R1_MATH_EQUAL_NUMERIC);
    expect("\\cos 2x", "2\\cos x", R1_MATH_DIFFERENT);
    expect("x", "\\sqrt{x^2}", R1_MATH_DIFFERENT);
    expect("f(x+y)", "f(x)+f(y)", R1_MATH_DIFFERENT);
    expect("f(2x)", "f(x+x)", R1_MATH_EQUAL_NUMERIC);
}

TEST(reasons_say_what_is_wrong)
{
    expect("15", "14 \\text{ or } 15", R1_MATH_SEVERAL_ANSWERS);
    expect("15", "(14,16)", R1_MATH_WRONG_TYPE);
    expect("15", "\\frac{15}{0}", R1_MATH_UNDEFINED);
    expect("15", "", R1_MATH_NO_ANSWER);
    expect("15", "__import__('os').getpid()", R1_MATH_UNPARSED_CANDIDATE);
    expect("12\\text{ km}", "12\\text{ kg}", R1_MATH_WRONG_TYPE);
    expect("\\text{Monday}", "monday", R1_MATH_EQUAL_TEXT);
}

TEST(a_response_is_extracted)
{
    expect_response("30", "Thus \\boxed{20}, no: $\\boxed{30}$.", R1_MATH_EQUAL_EXACT, "30");
    expect_response("30", "<think>it is \\boxed{30}", R1_MATH_OPEN_THOUGHT, NULL);
    expect_response("30", "<think>\\boxed{30}</think> I do not know.", R1_MATH_NO_ANSWER, NULL);
    expect_response("30", "\\boxed{30", R1_MATH_OPEN_BOX, NULL);
    expect_response("30", "\\boxed{30} or \\boxed{20}", R1_MATH_SEVERAL_ANSWERS, NULL);
    expect_response("20", "\\boxed{30} or \\boxed{20}", R1_MATH_SEVERAL_ANSWERS, NULL);
    expect_response("30", "**The answer is: 30.** Done", R1_MATH_EQUAL_EXACT, "30");
    expect_response("30", "so\n#### 30\n", R1_MATH_EQUAL_EXACT, "30");
    expect_response("\\frac{3}{4}", "\\boxed{\\frac{3}{4}}", R1_MATH_EQUAL_EXACT, "\\frac{3}{4}");
    expect_response("30", "\\boxed{}", R1_MATH_NO_ANSWER, NULL);
}

TEST(one_answer_said_twice_is_one)
{
    expect("30", "30 or 30.0", R1_MATH_EQUAL_EXACT);
    expect("\\frac14", "\\frac14 \\text{ or } 25\\%", R1_MATH_EQUAL_EXACT);
    expect("30", "30 or 31", R1_MATH_SEVERAL_ANSWERS);
    expect("30", "30, 30", R1_MATH_SEVERAL_ANSWERS);
    expect("35\\%", "35 or 0.35", R1_MATH_SEVERAL_ANSWERS); /* each may answer it, but they differ */
    expect("12", "12 km or 12 miles", R1_MATH_SEVERAL_ANSWERS);
    expect("\\frac13", "1/3 or 0.333", R1_MATH_SEVERAL_ANSWERS);
}

TEST(a_rounded_decimal_may_follow_the_exact_value)
{
    expect("\\frac23", "\\frac23 \\approx 0.67", R1_MATH_EQUAL_EXACT);
    expect("\\frac23", "\\frac23 \\approx 0.66", R1_MATH_DIFFERENT);
    expect("100\\pi", "A = 100\\pi \\text{ cm}^2 \\approx 314 \\text{ cm}^2", R1_MATH_EQUAL_NUMERIC);
    expect("100\\pi", "100\\pi \\approx 315", R1_MATH_DIFFERENT);
    expect("\\frac13", "\\frac14 \\approx 0.25", R1_MATH_DIFFERENT);
    expect("0.25", "\\frac13 \\approx 0.25", R1_MATH_DIFFERENT);
}

TEST(brackets_that_point_outwards)
{
    expect("(0,1)", "]0;1[", R1_MATH_EQUAL_EXACT);
    expect("[0,1)", "[0,1[", R1_MATH_EQUAL_EXACT);
    expect("[0,1)", "]0,1]", R1_MATH_DIFFERENT);
    expect("x \\le 3", "]-\\infty;3]", R1_MATH_EQUAL_EXACT);
    expect("]-1,1[\\cup]2,3]", "(-1,1) \\cup (2,3]", R1_MATH_EQUAL_EXACT);
    expect("[0,2]", "[0,1[\\cup]1,2]", R1_MATH_DIFFERENT);
    expect("5", "]4,6[", R1_MATH_WRONG_TYPE);
}

TEST(points_vectors_and_combinations)
{
    expect("A(2,3)", "(2,3)", R1_MATH_EQUAL_EXACT);
    expect("(2,3)", "P(3,2)", R1_MATH_DIFFERENT);
    expect("A(2,3)", "B(2,3)", R1_MATH_WRONG_TYPE);
    expect("120", "C(10,3)", R1_MATH_EQUAL_EXACT);
    expect("120", "{}_{10}C_{3}", R1_MATH_EQUAL_EXACT);
    expect("720", "{}_{10}P_3", R1_MATH_EQUAL_EXACT);
    expect("120", "P(10,3)", R1_MATH_DIFFERENT);
    expect("(2,-3)", "2\\mathbf{i}-3\\mathbf{j}", R1_MATH_EQUAL_EXACT);
    expect("(2,-3)", "2-3i", R1_MATH_WRONG_TYPE);
    expect("\\{1,\\{2\\}\\}", "\\{1,2\\}", R1_MATH_DIFFERENT);
}

TEST(units_behind_letters)
{
    expect("\\pi r^2 h\\text{ cm}^3", "\\pi r^2 h", R1_MATH_EQUAL_EXACT);
    expect("ab", "ab\\text{ cm}", R1_MATH_EQUAL_EXACT);
    expect("ab\\text{ cm}", "ab\\text{ m}", R1_MATH_DIFFERENT);
    expect("15 sq ft", "15\\text{ ft}^2", R1_MATH_EQUAL_EXACT);
    expect("15 sq ft", "15\\text{ ft}", R1_MATH_WRONG_TYPE);
}

TEST(functions_and_their_letters)
{
    expect("f(x)=x^2-1", "f(t)=t^2-1", R1_MATH_EQUAL_EXACT);
    expect("f(x)=x^2-1", "f(t)=x^2-1", R1_MATH_WRONG_TYPE);
    expect("f(2)=3", "f(3)=3", R1_MATH_WRONG_TYPE);
    expect("f(2)=3", "3=f(2)", R1_MATH_EQUAL_NUMERIC);
}

TEST(what_is_said_beside_an_answer)
{
    expect_response("25", "The answer is 25 (since 5^2 = 25).", R1_MATH_EQUAL_EXACT, "25");
    expect_response("25", "The answer is 25 (since a = 5) or 36 (since a = 6).", R1_MATH_SEVERAL_ANSWERS, "25 (since a = 5) or 36");
    expect_response("10", "Therefore, the answer equals 10.", R1_MATH_EQUAL_EXACT, "10");
    expect_response("3, 5", "The answers are 3 and 5.", R1_MATH_EQUAL_EXACT, "3 and 5");
    expect_response("10", "The answer equalsomething 10.", R1_MATH_NO_ANSWER, NULL);
    expect_response("10", "the answer must be 10, not 11.", R1_MATH_EQUAL_EXACT, "10");
    expect_response("11", "\\boxed{m+n = 11}", R1_MATH_EQUAL_EXACT, "m+n = 11");
    expect("11", "a+b+c = 7+4 = 11", R1_MATH_EQUAL_EXACT);
    expect("11", "a+b+c = 7+5 = 11", R1_MATH_WRONG_TYPE);
    expect("11", "x+y = 11", R1_MATH_WRONG_TYPE); /* a line */
    expect("11", "2m = 11", R1_MATH_WRONG_TYPE);
    expect("\\frac13", "\\frac13 \\text{ or approximately } 0.333", R1_MATH_EQUAL_EXACT);
    expect("\\frac13", "\\frac13 (about 0.33)", R1_MATH_EQUAL_EXACT);
    expect("\\frac13", "\\frac13 (about 0.34)", R1_MATH_DIFFERENT);
    expect("0.33", "\\frac13 (about 0.33)", R1_MATH_DIFFERENT);
    expect("\\frac38", "3 out of 8", R1_MATH_EQUAL_EXACT);
    expect("3", "3 out of 8", R1_MATH_DIFFERENT);
    expect("\\frac38", "P(\\text{both red}) = \\frac38", R1_MATH_EQUAL_EXACT);
    expect("P(\\text{red}) = \\frac38", "P(\\text{blue}) = \\frac38", R1_MATH_WRONG_TYPE);
    expect("60", "P(5,3)", R1_MATH_EQUAL_EXACT);
    expect("P(5,3)", "60", R1_MATH_WRONG_TYPE); /* a point */
    expect("AB", "\\overline{AB}", R1_MATH_EQUAL_TEXT);
    expect("BA", "\\overline{AB}", R1_MATH_WRONG_TYPE);
}

TEST(marks_make_other_letters)
{
    expect("x", "\\bar{x}", R1_MATH_DIFFERENT);
    expect("A", "\\overline{A}", R1_MATH_WRONG_TYPE);
    expect("\\bar{x}", "\\overline x", R1_MATH_EQUAL_EXACT);
    expect("z", "\\overline{z}", R1_MATH_DIFFERENT);
    expect("|z|^2", "z\\bar z", R1_MATH_EQUAL_NUMERIC);
    expect("\\operatorname{Re} z", "\\frac{z+\\bar z}{2}", R1_MATH_EQUAL_NUMERIC);
    expect("\\operatorname{Im} z", "0", R1_MATH_DIFFERENT);
    expect("x", "\\dot{x}", R1_MATH_UNPARSED_CANDIDATE);
    expect("0.\\dot{3}", "\\frac13", R1_MATH_EQUAL_EXACT);
    expect("p \\land q", "p \\lor q", R1_MATH_WRONG_TYPE);
    expect("p \\lor q", "q \\lor p", R1_MATH_EQUAL_EXACT);
    expect("1 \\text{ and } 2", "1 \\text{ or } 2", R1_MATH_EQUAL_EXACT); /* solutions */
}

TEST(names_of_words_and_reasons)
{
    expect("100", "total: 100", R1_MATH_EQUAL_EXACT);
    expect("100", "The total area is 100 cm^2", R1_MATH_EQUAL_EXACT);
    expect("100", "The total is not 100", R1_MATH_UNPARSED_CANDIDATE);
    expect("100", "wrong answer: 100", R1_MATH_UNPARSED_CANDIDATE);
    expect("100", "lambda: 100", R1_MATH_UNPARSED_CANDIDATE);
    expect("100", "maximum: 100, minimum: 50", R1_MATH_SEVERAL_ANSWERS);
    expect("\\text{Alice: } 5, \\text{Bob: } 3", "Bob: 3, Alice: 5", R1_MATH_EQUAL_EXACT);
    expect("\\text{Alice: } 5, \\text{Bob: } 3", "Bob: 5, Alice: 3", R1_MATH_DIFFERENT);
    expect("3:4", "the ratio is 3:4", R1_MATH_EQUAL_EXACT);
    expect("5", "x = 5 \\text{ (rejecting } x = -3 \\text{)}", R1_MATH_EQUAL_EXACT);
    expect("5", "5 (since x > 0)", R1_MATH_EQUAL_EXACT);
    expect("5", "5 (since x > 0) or 6", R1_MATH_SEVERAL_ANSWERS);
    expect("5", "5 (if x > 0)", R1_MATH_UNPARSED_CANDIDATE);
    expect("100", "100 (approximately)", R1_MATH_EQUAL_EXACT);
    expect("\\frac52", "two and a half", R1_MATH_EQUAL_EXACT);
    expect("2", "two and a half", R1_MATH_DIFFERENT);
    expect("(3,4)", "the point (3, 4)", R1_MATH_EQUAL_EXACT);
    expect("5", "point five", R1_MATH_UNPARSED_CANDIDATE);
    expect("Alice: 5, Bob: 3", "3, 5", R1_MATH_WRONG_TYPE);
    expect("5", "\\colorbox{yellow}{$5$}", R1_MATH_EQUAL_EXACT);
}

TEST(letters_for_any_integer)
{
    expect("k\\pi, k \\in \\mathbb{Z}", "n\\pi, n \\in \\mathbb{Z}", R1_MATH_EQUAL_EXACT);
    expect("x = \\frac{\\pi}{4} + k\\pi", "x = \\frac{\\pi}{4} + n\\pi \\text{ where } n \\text{ is an integer}", R1_MATH_EQUAL_EXACT);
    expect("k\\pi, k \\in \\mathbb{Z}", "2n\\pi, n \\in \\mathbb{Z}", R1_MATH_DIFFERENT);
    expect("k\\pi, k \\in \\mathbb{Z}", "k\\pi, k \\in \\mathbb{N}", R1_MATH_DIFFERENT);
    expect("k\\pi", "n\\pi", R1_MATH_DIFFERENT); /* a letter of the question */
    expect("2k+1", "2n+1, n \\in \\mathbb{Z}", R1_MATH_DIFFERENT);
    expect("2^n - 1", "2^n - 1 \\text{ for all positive integers } n", R1_MATH_EQUAL_EXACT);
    expect("2^n", "2^n for all non-negative integers n", R1_MATH_EQUAL_EXACT);
    expect("2^n for n \\in \\mathbb{N}", "2^n for all integers n", R1_MATH_DIFFERENT);
}

TEST(what_leaves_no_trace_in_a_value)
{
    expect("x^3 + C", "x^3 + c", R1_MATH_EQUAL_EXACT);
    expect("x^3 + C", "x^3 - c", R1_MATH_DIFFERENT);
    expect("a^2 - c^2", "a^2 - C^2", R1_MATH_DIFFERENT);
    expect("x+2", "x+2, x \\ne 2", R1_MATH_EQUAL_EXACT);
    expect("x+2", "x+2 \\text{ where } x \\ne 2 \\text{ and } x \\ne -2", R1_MATH_EQUAL_EXACT);
    expect("x+2", "x+2 (x \\ne 2)", R1_MATH_EQUAL_EXACT);
    expect("x+2", "x+2, x > 2", R1_MATH_SEVERAL_ANSWERS);
    expect("1, 2", "1, 2, x \\ne 3", R1_MATH_SEVERAL_ANSWERS);
    expect("[0,4]", "0 \\le x \\le 4, x \\ne 1", R1_MATH_DIFFERENT);
    expect("x \\ne 2, x \\ne 3", "x \\ne 2, 3", R1_MATH_EQUAL_EXACT);
    expect("\\mathbb{R} \\setminus \\{2,3\\}", "x \\ne 2, 3", R1_MATH_EQUAL_EXACT);
    expect("x \\ne 2, 3", "x \\ne 2, 4", R1_MATH_DIFFERENT);
    expect("x \\equiv 3 \\pmod{7}", "3 \\pmod 7", R1_MATH_EQUAL_EXACT);
    expect("x \\equiv 3 \\pmod{7}", "3 \\pmod 8", R1_MATH_DIFFERENT);
    expect("x \\equiv 3 \\pmod{7}", "4 \\pmod 7", R1_MATH_DIFFERENT);
    expect("\\text{10 red, 5 blue}", "5 blue, 10 red", R1_MATH_EQUAL_EXACT);
    expect("\\text{10 red, 5 blue}", "5 red, 10 blue", R1_MATH_DIFFERENT);
}

TEST(a_gold_with_bars_and_numbered_roots)
{
    expect("|x| < 1", "-1 < x < 1", R1_MATH_EQUAL_EXACT);
    expect("|x| \\ge 1", "(-\\infty,-1] \\cup [1,\\infty)", R1_MATH_EQUAL_EXACT);
    expect("|x| \\ge 1", "x > 1", R1_MATH_DIFFERENT);
    expect("|x| < 1", "[-1,1]", R1_MATH_DIFFERENT);
    expect("(-1,1)", "|x| < 1", R1_MATH_UNDECIDED); /* the question repeated */
    expect("x = 3 \\text{ or } x = -2", "x_1 = 3, x_2 = -2", R1_MATH_EQUAL_EXACT);
    expect("x = 3, y = -2", "x_1 = 3, x_2 = -2", R1_MATH_DIFFERENT);
    expect("x = 3", "x_1 = 3", R1_MATH_WRONG_TYPE);
}

TEST(groups_for_a_vote)
{
    static const char *const text[] = { "1/2", "0.5", "2", "\\frac12", NULL, "2.0", "1/2" };
    r1_math_text a[7];
    int32_t group[7];
    r1_error e = { 0 };
    for (int i = 0; i < 7; i++) a[i] = (r1_math_text){ text[i], text[i] ? strlen(text[i]) : 0 };
    EXPECT_OK(r1_math_group(a, 7, NULL, group, &e), &e);
    static const int want[] = { 0, 0, 2, 0, -1, 2, 0 };
    for (int i = 0; i < 7; i++) EXPECT_INT(group[i], want[i]);
}

/* Pairs of every way to decide, over and over; returns how many verdicts were wrong. */
static void *verify_often(void *arg)
{
    static const struct { const char *gold, *answer; r1_math_reason reason;
    } pairs[] = {
        { "\\frac{5}{8}", "0.625", R1_MATH_EQUAL_EXACT },
        { "\\cos 2x", "1-2\\sin^2 x", R1_MATH_EQUAL_NUMERIC },
        { "\\sqrt{5+2\\sqrt{6}}", "\\sqrt{2}+\\sqrt{3}", R1_MATH_EQUAL_EXACT },
        { "e^{i\\pi/3}", "\\frac12+\\frac{\\sqrt3}{2}i", R1_MATH_EQUAL_NUMERIC },
        { "6", "7^{7^{7^{7}}}", R1_MATH_UNDECIDED },
        { "[1,5)", "1\\le x<5", R1_MATH_EQUAL_EXACT },
    };
    size_t *wrong = arg;
    for (int k = 0; k < 40; k++)
        for (size_t i = 0; i < R1_COUNT(pairs); i++) {
            r1_math_verdict v;
            if (r1_math_verify(pairs[i].gold, strlen(pairs[i].gold), pairs[i].answer, strlen(pairs[i].answer), R1_MATH_ANSWER, NULL, &v, NULL)) ++*wrong;
            else if (v.reason != pairs[i].reason) ++*wrong;
            r1_math_verdict_deinit(&v);
        }
    return NULL;
}

TEST(threads_do_not_meet)
{
    pthread_t t[4];
    size_t wrong[4] = { 0 };
    for (int i = 0; i < 4; i++) EXPECT_INT(pthread_create(&t[i], NULL, verify_often, &wrong[i]), 0);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    for (int i = 0; i < 4; i++) EXPECT_INT(wrong[i], 0);
}
