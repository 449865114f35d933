/* Rewards survive the failure of each of their allocations: every kind of item but code, which runs programs, and commands. */
#include "tests/faults/faults.h"
#include "reward/reward.h"

/* Parsed once: jansson's parser is not to be tested (faults.h). */
static json_t *item(const char *text)
{
    json_t *o;
    r1_error e = { 0 };
    EXPECT_OK(r1_json_parse(&o, text, strlen(text), &e), &e);
    return o;
}

static r1_status judge(void *ctx, r1_error *err)
{
    r1_verdict v;
    r1_status s = r1_reward_check(NULL, ctx, &v, err);
    r1_verdict_deinit(&v);
    return s;
}

static void sweep(const char *text)
{
    json_t *o = item(text);
    FAULTS_SWEEP(judge, o);
    faults_jansson(true);
    FAULTS_SWEEP(judge, o);
    faults_jansson(false);
    json_decref(o);
}

TEST(choice) { sweep("{\"kind\":\"choice\",\"gold\":\"C\",\"response\":\"The answer is C.\"}"); }
TEST(countdown) { sweep("{\"kind\":\"countdown\",\"nums\":[86,25,16],\"target\":95,\"response\":\"<answer>86+(25-16)</answer>\"}"); }
TEST(exact) { sweep("{\"kind\":\"exact\",\"gold\":\"caf\xc3\xa9 au lait\",\"answer\":\"cafe\xcc\x81 au lait\",\"ignore_case\":true}"); }
TEST(language) { sweep("{\"kind\":\"language\",\"gold\":\"en\",\"response\":\"<think>we know that \xe4\xb8\xad\xe6\x96\x87 is here</think>\"}"); }
TEST(format) { sweep("{\"kind\":\"format\",\"response\":\"<think>a</think><answer>b</answer>\"}"); }
TEST(repetition) { sweep("{\"kind\":\"repetition\",\"answer\":\"a b a b a b a b\",\"ngram\":2}"); }
TEST(math) { sweep("{\"gold\":\"\\\\frac{1}{2}\",\"response\":\"so \\\\boxed{0.5}\"}"); }

static r1_status talk(void *ctx, r1_error *err)
{
    r1_custom *c;
    r1_verdict v = { 0 };
    r1_status s = r1_custom_new(&c, "echo '{\"score\":1,\"reason\":\"fine\",\"extracted\":\"x\"}'", NULL, err);
    if (s == R1_OK) s = r1_custom_check(c, ctx, &v, err);
    r1_verdict_deinit(&v);
    r1_custom_free(c);
    return s;
}

TEST(custom)
{
    json_t *o = item("{\"kind\":\"custom\",\"text\":\"t\"}");
    FAULTS_SWEEP(talk, o);
    json_decref(o);
}
