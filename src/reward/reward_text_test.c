/* Exact texts and patterns. */
#include "tests/test.h"
#include "reward/reward.h"

static const char *exact(const char *gold, const char *answer, bool ignore_case)
{
    const char *why;
    r1_error e = { 0 };
    EXPECT_OK(r1_exact_check(r1_span_of(gold), r1_span_of(answer), ignore_case, &why, &e), &e);
    return why;
}

TEST(exact_compares_normalised_texts)
{
    EXPECT_NULL(exact("Paris", " Paris\n", false));
    EXPECT_NULL(exact("a  b", "a\tb", false));
    EXPECT_NULL(exact("caf\xc3\xa9", "cafe\xcc\x81", false));
    EXPECT_NULL(exact("a b", "a\xc2\xa0 b", false));
    EXPECT_NULL(exact("STRASSE", "stra\xc3\x9f" "e", true));
    EXPECT_NULL(exact("", "  ", false));
    EXPECT_STR(exact("Paris", "paris", false), "different");
    EXPECT_STR(exact("Paris", "Paris or Rome", false), "different");
    EXPECT_STR(exact("ab", "a b", false), "different");
    EXPECT_STR(exact("x", "x\xff", false), "different");
}

TEST(exact_is_bounded)
{
    const char *why;
    r1_error e = { 0 };
    const size_t n = (size_t)2 << 20;
    char *text = malloc(n);
    for (size_t i = 0; i < n; i += 2) memcpy(text + i, "\xcc\x81", 2);
    EXPECT_OK(r1_exact_check(r1_span_of("x"), (r1_span){ text, 500000 }, false, &why, &e), &e);
    EXPECT_STR(why, "over_budget");
    EXPECT_OK(r1_exact_check(r1_span_of("x"), (r1_span){ text, n }, false, &why, &e), &e);
    EXPECT_STR(why, "over_budget");
    EXPECT_STATUS(r1_exact_check((r1_span){ text, n }, r1_span_of("x"), false, &why, &e), R1_ELIMIT);
    EXPECT_CONTAINS(e.msg, "gold");
    EXPECT_STATUS(r1_exact_check(r1_span_of("\xff"), r1_span_of("x"), false, &why, &e), R1_EFORMAT);
    free(text);
}

static const char *regex(const char *pattern, const char *answer)
{
    const char *why;
    r1_error e = { 0 };
    EXPECT_OK(r1_regex_check(r1_span_of(pattern), r1_span_of(answer), &why, &e), &e);
    return why;
}

TEST(regex_matches_from_end_to_end)
{
    EXPECT_NULL(regex("[0-9]+", "42"));
    EXPECT_STR(regex("[0-9]+", "42 or 43"), "no_match");
    EXPECT_STR(regex("[0-9]+", "x42"), "no_match");
    EXPECT_STR(regex("a|b", "ab"), "no_match");
    EXPECT_STR(regex("42", "42\n"), "no_match");
    EXPECT_NULL(regex("(?s).*word.*", "a\nword\n"));
    EXPECT_NULL(regex("(?i)paris", "PARIS"));
    EXPECT_NULL(regex("\\w+", "\xc3\xa9t\xc3\xa9"));
    EXPECT_NULL(regex("", ""));
    EXPECT_STR(regex("x", "\xff"), "no_match");
}

TEST(regex_has_a_budget)
{
    static char text[60001];
    memset(text, 'a', 60000);
    double start = r1_now();
    EXPECT_STR(regex("(a+)+b", text), "over_budget");
    EXPECT_STR(regex("(a*)*(a*)*(a*)*b", text), "over_budget");
    EXPECT_STR(regex("(.+?)+(.+?)+\\1\\2b", text), "over_budget");
    EXPECT_MSG(r1_now() - start < 20, "%.1f s", r1_now() - start); /* no measurement: far above a loaded machine's time, far below none */
    static char longer[70000];
    memset(longer, 'a', sizeof longer - 1);
    EXPECT_STR(regex(".*", longer), "over_budget");
}

TEST(regex_tells_what_is_wrong_with_a_pattern)
{
    const char *why;
    r1_error e = { 0 };
    EXPECT_STATUS(r1_regex_check(r1_span_of("a(b"), r1_span_of("ab"), &why, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "at byte 3");
    EXPECT_STATUS(r1_regex_check(r1_span_of("\\C"), r1_span_of("a"), &why, &e), R1_EFORMAT);
    static char pattern[5000];
    memset(pattern, 'a', sizeof pattern - 1);
    EXPECT_STATUS(r1_regex_check(r1_span_of(pattern), r1_span_of("a"), &why, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "4096");
}
