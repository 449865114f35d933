/* The answer checker on recorded pairs, and on every gold of gsm8k and SVAMP in rewritten forms.
 *
 * answers.tsv: pairs of the shapes that answers of MATH, AIME, GPQA, Minerva and olympiad sets have, written for this test; the labels
 * follow the policies of src/reward/math/math.h. Columns: gold, candidate, equivalent, category, mode, note. */
#include "tests/test.h"

#include "reward/math/math.h"

enum { OPERATIONS_USUAL = 300000 }; /* of a pair that is no attack: a third of the budget */

static bool equal(const char *gold, const char *answer, r1_math_mode mode, r1_math_reason *why, uint64_t *operations)
{
    r1_math_verdict v;
    r1_error e = { 0 };
    EXPECT_OK(r1_math_verify(gold, strlen(gold), answer, strlen(answer), mode, NULL, &v, &e), &e);
    bool is = v.equal;
    *why = v.reason;
    if (operations) *operations = v.operations;
    r1_math_verdict_deinit(&v);
    return is;
}

TEST(pairs)
{
    FILE *f = fopen(test_path("golden/answers.tsv"), "r");
    EXPECT_MSG(f != NULL, "tests/golden/answers.tsv is missing");
    char *line = NULL;
    size_t cap = 0;
    int row = 1, pairs = 0, wrong = 0;
    EXPECT(getline(&line, &cap, f) > 0);
    for (ssize_t n; (n = getline(&line, &cap, f)) > 0;) {
        row++;
        if (line[n - 1] == '\n') line[n - 1] = 0;
        char *p = line, *column[6] = { NULL };
        for (int k = 0; k < 6; k++) column[k] = strsep(&p, "\t");
        EXPECT_MSG(column[5] && !p && (*column[2] == '0' || *column[2] == '1'), "row %d has not six columns", row);
        r1_math_reason why;
        uint64_t operations;
        bool is = equal(column[0], column[1], strcmp(column[4], "response") ? R1_MATH_ANSWER : R1_MATH_RESPONSE, &why, &operations);
        pairs++;
        if (is != (*column[2] == '1')) {
            printf("row %d: gold '%s', answer '%s': %s, expected %s\n", row, column[0], column[1], r1_math_reason_name(why),
                   *column[2] == '1' ? "equal" : "not equal");
            wrong++;
        }
        EXPECT_MSG(operations < OPERATIONS_USUAL || !strcmp(column[3], "adversarial"), "row %d took %llu operations", row, (unsigned long long)operations);
        /* a gold equals itself, written with other blanks too */
        char again[4096];
        snprintf(again, sizeof again, " %.4000s \n", column[0]);
        EXPECT_MSG(equal(column[0], again, R1_MATH_ANSWER, &why, NULL), "row %d: the gold differs from itself: %s", row, r1_math_reason_name(why));
    }
    free(line);
    fclose(f);
    EXPECT_INT(wrong, 0);
    EXPECT(pairs > 600);
}

/* 1234567 as "1,234,567", with any separator. */
static void grouped(char *out, size_t cap, long v, const char *separator)
{
    char digits[32];
    int n = snprintf(digits, sizeof digits, "%ld", labs(v));
    size_t m = 0;
    if (v < 0) out[m++] = '-';
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) m += (size_t)snprintf(out + m, cap - m, "%s", separator);
        out[m++] = digits[i];
    }
    out[m] = 0;
}

static void expect_form(long v, const char *form, r1_math_mode mode, bool want)
{
    char gold[32];
    r1_math_reason why;
    snprintf(gold, sizeof gold, "%ld", v);
    bool is = equal(gold, form, mode, &why, NULL);
    EXPECT_MSG(is == want, "gold %s, '%s': %s", gold, form, r1_math_reason_name(why));
}

static void right_forms(long v)
{
    static const char *const forms[] = { "%ld",
                                         "%ld.0",
                                         "%ld.00",
                                         "\\$%ld",
                                         "$%ld$",
                                         "\\boxed{%ld}",
                                         "%ld apples",
                                         "%ld\\text{ km}",
                                         "x = %ld",
                                         "\\text{%ld}",
                                         "(%ld)",
                                         "\\frac{%ld}{1}",
                                         "%ld/1",
                                         "%ld.",
                                         "The answer is %ld.",
                                         "**%ld**",
                                         "%ld dollars",
                                         "$%ld",
                                         "%ld miles per hour" };
    static const char *const responses[] = { "<think>Perhaps 7? No.</think>So we get $\\boxed{%ld}$.", "The answer is %ld.", "#### %ld", "**Answer:** %ld",
                                             "It is \\boxed{1}. No: \\boxed{%ld}" };
    char text[200];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        snprintf(text, sizeof text, forms[i], v);
        expect_form(v, text, R1_MATH_ANSWER, true);
    }
    for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
        snprintf(text, sizeof text, responses[i], v);
        expect_form(v, text, R1_MATH_RESPONSE, true);
    }
#pragma GCC diagnostic pop
    static const char *const separators[] = { ",", "{,}", "\\,", " ", ",\\!" };
    for (size_t i = 0; i < sizeof separators / sizeof *separators; i++) {
        grouped(text, sizeof text, v, separators[i]);
        expect_form(v, text, R1_MATH_ANSWER, true);
    }
    snprintf(text, sizeof text, "\\frac{%ld}{2}", 2 * v);
    expect_form(v, text, R1_MATH_ANSWER, true);
    snprintf(text, sizeof text, "%ld + %ld", v - 3, 3L);
    expect_form(v, text, R1_MATH_ANSWER, true);
}

static void wrong_forms(long v)
{
    const long near[] = { v + 1, v - 1, 10 * v, -v, v + 10, 2 * v, v + 100 };
    char text[200];
    for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
        if (near[i] == v) continue;
        snprintf(text, sizeof text, "%ld", near[i]);
        expect_form(v, text, R1_MATH_ANSWER, false);
        snprintf(text, sizeof text, "The answer is \\boxed{%ld}.", near[i]);
        expect_form(v, text, R1_MATH_RESPONSE, false);
    }
    static const char *const forms[] = { "%ld or %ld", "%ld, %ld", "(%ld, %ld)", "[%ld, %ld]", "%ld.%ld1", "%ldy + %ld" };
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        snprintf(text, sizeof text, forms[i], v, labs(v) + 1);
        expect_form(v, text, R1_MATH_ANSWER, false);
    }
#pragma GCC diagnostic pop
}

TEST(golds_in_other_forms)
{
    FILE *f = fopen(test_path("golden/answer_golds.txt"), "r");
    EXPECT_MSG(f != NULL, "tests/golden/answer_golds.txt is missing");
    char line[200];
    int golds = 0;
    while (fgets(line, sizeof line, f)) {
        if (*line == '#') continue;
        long v = strtol(line, NULL, 10);
        right_forms(v);
        wrong_forms(v);
        golds++;
    }
    fclose(f);
    EXPECT(golds > 400);
}
