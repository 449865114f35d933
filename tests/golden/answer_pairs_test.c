/* The answer checker on pairs written by someone who did not know it.
 *
 * answer_pairs.tsv: a header line, then gold, candidate, equivalent (1 or 0), category, mode (answer or response), and a note with the
 * number of the policy. Written from the policies alone (the head of src/reward/math/math.h has them in short), before the checker was
 * seen; pairs that the policies do not settle are left out. The demand here is that of the whole set, not of each line: the set is for
 * measuring (docs/results/answers.md), answers_test.c is where the checker's author writes what must hold. */
#include "tests/test.h"

#include "reward/math/math.h"

enum { PAIRS_LEAST = 1600, MISSED_MOST = 8 }; /* half a percent may be missed; nothing wrong may be taken for right */

typedef struct pair { char *gold, *candidate, *equivalent, *category, *mode, *note; } pair;

static bool equal(const char *gold, const char *answer, r1_math_mode mode, r1_math_reason *why)
{
    r1_math_verdict v;
    r1_error e = { 0 };
    EXPECT_OK(r1_math_verify(gold, strlen(gold), answer, strlen(answer), mode, NULL, &v, &e), &e);
    EXPECT(v.operations <= R1_MATH_BUDGET);
    bool is = v.equal;
    *why = v.reason;
    r1_math_verdict_deinit(&v);
    return is;
}

static pair split(char *line, int row)
{
    pair p;
    char **column[] = { &p.gold, &p.candidate, &p.equivalent, &p.category, &p.mode, &p.note };
    line[strcspn(line, "\n")] = 0;
    for (size_t k = 0; k < sizeof column / sizeof *column; k++) *column[k] = strsep(&line, "\t");
    EXPECT_MSG(p.note && !line, "row %d has not six columns", row);
    EXPECT_MSG(!strcmp(p.equivalent, "0") || !strcmp(p.equivalent, "1"), "row %d: equivalent is '%s'", row, p.equivalent);
    EXPECT_MSG(!strcmp(p.mode, "answer") || !strcmp(p.mode, "response"), "row %d: mode is '%s'", row, p.mode);
    return p;
}

TEST(blind_pairs)
{
    FILE *f = fopen(test_path("golden/answer_pairs.tsv"), "r");
    EXPECT_MSG(f != NULL, "tests/golden/answer_pairs.tsv is missing");
    char *line = NULL;
    size_t cap = 0;
    int row = 1, hacked = 0, missed = 0, lopsided = 0;
    EXPECT(getline(&line, &cap, f) > 0);
    while (getline(&line, &cap, f) > 0) {
        row++;
        pair p = split(line, row);
        bool want = *p.equivalent == '1', response = !strcmp(p.mode, "response");
        r1_math_reason why;
        bool is = equal(p.gold, p.candidate, response ? R1_MATH_RESPONSE : R1_MATH_ANSWER, &why);
        if (is != want) {
            printf("row %d: gold '%.100s', candidate '%.100s': %s\n", row, p.gold, p.candidate, r1_math_reason_name(why));
            if (is) hacked++;
            else missed++;
        }
        /* what is wrong stays wrong when the two change places: a checker that trusts one side is found by this. Not so for a percent
         * sign, which may be left out only where the gold has it */
        if (!response && !want && !strchr(p.candidate, '%') && equal(p.candidate, p.gold, R1_MATH_ANSWER, &why)) {
            printf("row %d, turned round: gold '%.100s', candidate '%.100s': %s\n", row, p.candidate, p.gold, r1_math_reason_name(why));
            lopsided++;
        }
    }
    free(line);
    fclose(f);
    EXPECT(row > PAIRS_LEAST);
    EXPECT_INT(hacked, 0);
    EXPECT_MSG(missed <= MISSED_MOST, "%d pairs are equal and were not found to be", missed);
    EXPECT_INT(lopsided, 0);
}
