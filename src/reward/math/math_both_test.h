/* For tests of the answer checker: a pair of answers is judged in both directions. */
#ifndef R1_REWARD_MATH_MATH_BOTH_TEST_H
#define R1_REWARD_MATH_MATH_BOTH_TEST_H

#include "reward/math/math.h"
#include "tests/test.h"

static void expect(const char *gold, const char *answer, bool want)
{
    for (int way = 0; way < 2; way++) { /* in both directions */
        const char *g = way ? answer : gold, *k = way ? gold : answer;
        r1_math_verdict v;
        r1_error e = { 0 };
        EXPECT_OK(r1_math_verify(g, strlen(g), k, strlen(k), R1_MATH_ANSWER, NULL, &v, &e), &e);
        bool equal = v.equal;
        r1_math_reason why = v.reason;
        r1_math_verdict_deinit(&v);
        EXPECT_MSG(equal == want, "gold '%s', answer '%s': %s", g, k, r1_math_reason_name(why));
    }
}

#endif
