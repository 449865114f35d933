/* Length rewards against their formulas, at the ends and beyond. */
#include "tests/test.h"
#include "reward/reward.h"

#include <math.h>

static void near(double got, double want) { EXPECT_MSG(fabs(got - want) < 1e-12, "%.17g, expected %.17g", got, want); }

TEST(cosine_goes_from_one_end_to_the_other_and_stays_there)
{
    near(r1_reward_length_cosine(0, 1000, true, NULL), 1);
    near(r1_reward_length_cosine(500, 1000, true, NULL), 0.75);
    near(r1_reward_length_cosine(1000, 1000, true, NULL), 0.5);
    near(r1_reward_length_cosine(5000, 1000, true, NULL), 0.5); /* an unclamped cosine would come back to 1 */
    near(r1_reward_length_cosine(0, 1000, false, NULL), -1);
    near(r1_reward_length_cosine(1000, 1000, false, NULL), -0.5);
    near(r1_reward_length_cosine(250, 1000, false, NULL), -0.5 - 0.25 * (1 + sqrt(0.5)));
    r1_length_cosine o = R1_LENGTH_COSINE_DEFAULT;
    o.exceeded = -10;
    near(r1_reward_length_cosine(999, 1000, true, &o) > 0, 1);
    near(r1_reward_length_cosine(1000, 1000, true, &o), -10);
    near(r1_reward_length_cosine(0, 0, true, NULL), 0.5);
    near(r1_reward_length_cosine(SIZE_MAX, SIZE_MAX - 1, false, NULL), -0.5);
}

TEST(linear_never_rewards_a_wrong_answer)
{
    near(r1_reward_length_linear(100, 100, 300, true), 0.5);
    near(r1_reward_length_linear(200, 100, 300, true), 0);
    near(r1_reward_length_linear(300, 100, 300, true), -0.5);
    near(r1_reward_length_linear(100, 100, 300, false), 0);
    near(r1_reward_length_linear(300, 100, 300, false), -0.5);
    near(r1_reward_length_linear(5, 100, 300, true), 0.5);
    near(r1_reward_length_linear(900, 100, 300, true), -0.5);
    near(r1_reward_length_linear(7, 7, 7, true), 0);
}

TEST(overlong_is_the_rule_of_dapo)
{
    near(r1_reward_overlong(0, 20480, 4096), 0);
    near(r1_reward_overlong(16384, 20480, 4096), 0);
    near(r1_reward_overlong(18432, 20480, 4096), -0.5);
    near(r1_reward_overlong(20480, 20480, 4096), -1);
    near(r1_reward_overlong(99999, 20480, 4096), -1);
    near(r1_reward_overlong(100, 100, 0), 0);
    near(r1_reward_overlong(101, 100, 0), -1);
    near(r1_reward_overlong(50, 100, 1000), -0.5); /* a cache over the maximum is all of it */
}

static double share(const char *text, unsigned n)
{
    double v = -1;
    r1_error e = { 0 };
    EXPECT_OK(r1_repetition(text, strlen(text), n, &v, &e), &e);
    return v;
}

TEST(repetition_counts_ngrams_that_were_there_before)
{
    near(share("a b c d", 2), 0);
    near(share("a b a b", 2), 1 - 2.0 / 3);
    near(share("A, b; a... B!", 2), 1 - 2.0 / 3);
    near(share("so so so so so", 1), 0.8);
    near(share("", 3), 0);
    near(share("one two", 3), 0);
    near(share("\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd", 2), 1 - 2.0 / 3); /* four characters without blanks */
    near(share("ab abc ab abc", 2), 1 - 2.0 / 3);
    near(share("a b\xff\xfe a b", 2), 1 - 2.0 / 3);
    double v;
    r1_error e = { 0 };
    EXPECT_STATUS(r1_repetition("a", 1, 0, &v, &e), R1_EINVAL);
    EXPECT_STATUS(r1_repetition("a", 1, 17, &v, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "1 to 16");
}

TEST(repetition_is_bounded)
{
    const size_t n = R1_REPETITION_WORDS_MAX * 3;
    char *text = malloc(2 * n);
    for (size_t i = 0; i < n; i++) memcpy(text + 2 * i, "a ", 2);
    double v;
    r1_error e = { 0 };
    EXPECT_OK(r1_repetition(text, 2 * n, 3, &v, &e), &e);
    EXPECT(v > 0.999);
    free(text);
}
