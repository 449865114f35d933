/* Items of every kind by their JSON: verdicts, and what is said of wrong items. */
#include "tests/test.h"
#include "reward/reward.h"

static r1_status check(const char *text, r1_verdict *v, r1_error *e)
{
    json_t *item;
    *e = (r1_error){ 0 };
    r1_status s = r1_json_parse(&item, text, strlen(text), e);
    EXPECT_OK(s, e);
    s = r1_reward_check(NULL, item, v, e);
    json_decref(item);
    return s;
}

static void gives(const char *item, double score, const char *reason, const char *extracted)
{
    r1_verdict v;
    r1_error e;
    EXPECT_OK(check(item, &v, &e), &e);
    EXPECT_MSG(v.score > score - 1e-9 && v.score < score + 1e-9, "%s: score %g, expected %g (%s)", item, v.score, score, v.reason);
    EXPECT_STR(v.reason, reason);
    if (extracted) EXPECT_STR(v.extracted ? v.extracted : "(none)", extracted);
    r1_verdict_deinit(&v);
}

static void refused(const char *item, r1_status status, const char *found, const char *expected)
{
    r1_verdict v;
    r1_error e;
    EXPECT_STATUS(check(item, &v, &e), status);
    EXPECT_CONTAINS(e.msg, found);
    EXPECT_CONTAINS(e.msg, expected);
    EXPECT(!v.extracted && !v.details);
}

TEST(items_of_every_kind)
{
    gives("{\"id\":1,\"gold\":\"1/2\",\"answer\":\"0.5\"}", 1, "equal_exact", "0.5");
    gives("{\"gold\":5,\"kind\":\"math\",\"response\":\"<think>4</think>So \\\\boxed{5}\"}", 1, "equal_exact", "5");
    gives("{\"gold\":5,\"response\":\"\\\\boxed{5}\",\"opened\":true}", 0, "open_thought", "(none)");
    gives("{\"gold\":5,\"answer\":-5}", 0, "different", "-5");
    gives("{\"kind\":\"choice\",\"id\":1,\"gold\":\"C\",\"answer\":\"(C)\"}", 1, "right", "C");
    gives("{\"kind\":\"choice\",\"gold\":\"C\",\"response\":\"<think>D</think>The answer is C.\"}", 1, "right", "C");
    gives("{\"kind\":\"choice\",\"gold\":\"C\",\"response\":\"It must be\\n\\n**C**\"}", 1, "right", "C");
    gives("{\"kind\":\"choice\",\"gold\":\"C\",\"response\":\"<think>x</think>C\\n\\nB is too small.\"}", 1, "right", "C");
    gives("{\"kind\":\"choice\",\"gold\":\"C\",\"response\":\"C\\n\\nNo, I mean\\n\\nB\"}", 0, "wrong_choice", "B");
    gives("{\"kind\":\"choice\",\"gold\":\"C\",\"response\":\"C\\n\\nThe answer is that one.\"}", 0, "no_choice", "that one");
    gives("{\"kind\":\"choice\",\"gold\":\"C\",\"response\":\"C\",\"opened\":true}", 0, "open_thought", "(none)");
    gives("{\"kind\":\"choice\",\"gold\":\"C\",\"answer\":\"C or D\"}", 0, "hedged", "C or D");
    gives("{\"kind\":\"choice\",\"gold\":\"B\",\"choices\":[\"x\",\"y\"],\"answer\":\"y\"}", 1, "right", "B");
    gives("{\"kind\":\"countdown\",\"nums\":[86,25,16],\"target\":95,\"response\":\"<think>86+25</think><answer>86+(25-16)</answer>\"}", 1, "right", "86+(25-16)");
    gives("{\"kind\":\"countdown\",\"nums\":[86,25,16],\"target\":95,\"response\":\"so\\n86+(25-16) = 95\",\"gold\":\"86+25-16\",\"problem\":\"?\",\"n_solutions\":3}", 1, "right", NULL);
    gives("{\"kind\":\"countdown\",\"nums\":[2,5,4],\"target\":10,\"response\":\"<answer>2.5*4</answer>\"}", 0, "syntax", "2.5*4");
    gives("{\"kind\":\"countdown\",\"nums\":[2,5],\"target\":10,\"response\":\"<answer>2+5</answer><answer>2*5</answer>\"}", 0, "several_answers", "(none)");
    gives("{\"kind\":\"countdown\",\"nums\":[2,5,4],\"target\":10,\"use\":\"some\",\"answer\":\"2*5\"}", 1, "right", NULL);
    gives("{\"kind\":\"exact\",\"gold\":\"New  York\",\"response\":\"</think> New York\"}", 1, "equal", "New York");
    gives("{\"kind\":\"exact\",\"gold\":\"yes\",\"answer\":\"YES\",\"ignore_case\":true}", 1, "equal", "YES");
    gives("{\"kind\":\"exact\",\"gold\":42,\"answer\":42}", 1, "equal", "42");
    gives("{\"kind\":\"regex\",\"gold\":\"[0-9]{2}\",\"response\":\"I say \\\\boxed{42}\"}", 1, "match", "42");
    gives("{\"kind\":\"regex\",\"gold\":\"[0-9]{2}\",\"answer\":\"42 or 43\"}", 0, "no_match", NULL);
    gives("{\"kind\":\"language\",\"gold\":\"en\",\"response\":\"<think>we know that this is so</think>好的\"}", 1, "language", "(none)");
    gives("{\"kind\":\"language\",\"gold\":\"en\",\"response\":\"<think>we know that this is so</think>好的\",\"part\":\"answer\"}", 0, "other_language", NULL);
    gives("{\"kind\":\"language\",\"gold\":\"en\",\"response\":\"<think>we know 好的</think>\",\"threshold\":0.5}", 0.5, "language", NULL);
    gives("{\"kind\":\"language\",\"gold\":\"en\",\"response\":\"no thought here\"}", 0, "no_words", NULL);
    gives("{\"kind\":\"format\",\"response\":\"<think>a</think>b\"}", 1, "format", "b");
    gives("{\"kind\":\"format\",\"response\":\"a</think>b\",\"opened\":true}", 1, "format", "b");
    gives("{\"kind\":\"format\",\"response\":\"<think>a</think>b\",\"answer_tags\":\"required\"}", 0, "no_answer_tag", "(none)");
    gives("{\"kind\":\"repetition\",\"answer\":\"a b a b a b a b\",\"ngram\":2}", 2.0 / 7, "repeats", NULL);
    gives("{\"kind\":\"repetition\",\"response\":\"<think>a b c d</think>x\",\"ngram\":2}", 1, "varied", NULL);
    gives("{\"kind\":\"length\",\"tokens\":90,\"max_tokens\":100,\"cache_tokens\":20}", -0.5, "within", NULL);
    gives("{\"kind\":\"length\",\"tokens\":101,\"max_tokens\":100}", -1, "overlong", NULL);
}

TEST(thinking_is_never_an_answer)
{
    static const char *const kinds[] = { "\"choice\"", "\"exact\"", "\"regex\"" };
    for (size_t i = 0; i < R1_COUNT(kinds); i++) {
        char item[300];
        snprintf(item, sizeof item, "{\"kind\":%s,\"gold\":\"C\",\"response\":\"<think>\\\\boxed{C} the answer is C\"}", kinds[i]);
        gives(item, 0, "open_thought", "(none)");
        snprintf(item, sizeof item, "{\"kind\":%s,\"gold\":\"C\",\"response\":\"<think>\\\\boxed{C} the answer is C</think>\"}", kinds[i]);
        gives(item, 0, "no_answer", "(none)");
        snprintf(item, sizeof item, "{\"kind\":%s,\"gold\":\"C\",\"response\":\"\\\\boxed{C}, \\\\boxed{}\"}", kinds[i]);
        gives(item, 0, "no_answer", "(none)");
    }
}

TEST(wrong_items_are_named)
{
    refused("[1]", R1_EFORMAT, "an array", "an object");
    refused("{\"kind\":\"poem\"}", R1_EUNSUPPORTED, "'poem'", "countdown");
    refused("{\"kind\":7}", R1_EFORMAT, "'kind' is an integer", "a string");
    refused("{\"kind\":\"exact\",\"gold\":\"a\"}", R1_EFORMAT, "'answer'", "missing");
    refused("{\"kind\":\"exact\",\"answer\":\"a\"}", R1_EFORMAT, "'gold'", "missing");
    refused("{\"kind\":\"exact\",\"gold\":\"a\",\"answer\":\"a\",\"response\":\"a\"}", R1_EFORMAT, "both", "one of them");
    refused("{\"kind\":\"exact\",\"gold\":\"a\",\"answr\":\"a\"}", R1_EFORMAT, "'answr'", "answer");
    refused("{\"kind\":\"exact\",\"gold\":\"a\",\"answer\":\"a\",\"nums\":[1]}", R1_EFORMAT, "'nums'", "ignore_case");
    refused("{\"kind\":\"exact\",\"gold\":1.5,\"answer\":\"a\"}", R1_EFORMAT, "'gold' is a fraction", "a string");
    refused("{\"kind\":\"exact\",\"id\":[],\"gold\":\"a\",\"answer\":\"a\"}", R1_EFORMAT, "'id'", "a string or an integer");
    refused("{\"kind\":\"choice\",\"gold\":\"E\",\"choices\":[\"a\",\"b\"],\"answer\":\"E\"}", R1_EFORMAT, "'E'", "2 choices, expected A to B");
    refused("{\"kind\":\"choice\",\"gold\":\"A,C\",\"choices\":[\"a\",\"b\"],\"answer\":\"A\"}", R1_EFORMAT, "'A,C'", "A to B");
    refused("{\"gold\":\" \",\"answer\":\"1\"}", R1_EFORMAT, "'gold' is empty", "");
    refused("{\"kind\":\"choice\",\"gold\":\"Paris\",\"answer\":\"A\"}", R1_EFORMAT, "'Paris'", "letter");
    refused("{\"kind\":\"choice\",\"gold\":\"A\",\"answer\":\"A\",\"choices\":[\"x\"]}", R1_EFORMAT, "'choices'", "2 to 26");
    refused("{\"kind\":\"choice\",\"gold\":\"A\",\"answer\":\"A\",\"choices\":[\"x\",1]}", R1_EFORMAT, "choice 2", "a string");
    refused("{\"kind\":\"countdown\",\"target\":1,\"answer\":\"1\"}", R1_EFORMAT, "'nums' is nothing", "1 to 64");
    refused("{\"kind\":\"countdown\",\"nums\":[1.5],\"target\":1,\"answer\":\"1\"}", R1_EFORMAT, "number 1", "an integer");
    refused("{\"kind\":\"countdown\",\"nums\":[1],\"answer\":\"1\"}", R1_EFORMAT, "'target'", "missing");
    refused("{\"kind\":\"countdown\",\"nums\":[1],\"target\":1,\"use\":\"any\",\"answer\":\"1\"}", R1_EFORMAT, "'any'", "all, some");
    refused("{\"kind\":\"regex\",\"gold\":\"(\",\"answer\":\"a\"}", R1_EFORMAT, "pattern", "byte 1");
    refused("{\"kind\":\"regex\",\"gold\":\"(\",\"response\":\"<think>\"}", R1_EFORMAT, "pattern", "byte 1");
    refused("{\"kind\":\"language\",\"gold\":\"xx\",\"answer\":\"a\"}", R1_EFORMAT, "'xx'", "en zh");
    refused("{\"kind\":\"language\",\"gold\":\"en\",\"answer\":\"a\",\"threshold\":2}", R1_EFORMAT, "'threshold' is 2", "0 to 1");
    refused("{\"kind\":\"format\",\"answer\":\"a\"}", R1_EFORMAT, "'response' is missing", "format");
    refused("{\"kind\":\"length\",\"tokens\":1}", R1_EFORMAT, "'max_tokens'", "missing");
    refused("{\"kind\":\"length\",\"tokens\":1,\"max_tokens\":5,\"cache_tokens\":6}", R1_EFORMAT, "'cache_tokens' is 6", "0 to 5");
    refused("{\"kind\":\"code\",\"answer\":\"x\"}", R1_EFORMAT, "'task' is missing", "an object");
    refused("{\"kind\":\"code\",\"answer\":\"x\",\"task\":{\"kind\":\"stdio\"}}", R1_EFORMAT, "'task'", "language");
    refused("{\"answer\":\"x\"}", R1_EFORMAT, "'gold'", "missing");
    refused("{\"kind\":\"custom\",\"anything\":1}", R1_EUNSUPPORTED, "custom", "command");
}

TEST(code_of_an_item_runs)
{
#define TASK "\"kind\":\"code\",\"task\":{\"kind\":\"stdio\",\"language\":\"python\",\"tests\":[{\"stdin\":\"\",\"stdout\":\"4\"}]}"
    r1_verdict v;
    r1_error e;
    EXPECT_OK(check("{" TASK ",\"answer\":\"print(4)\"}", &v, &e), &e);
    if (!strcmp(v.word, "unsupported")) {
        char why[600];
        snprintf(why, sizeof why, "%s", v.reason);
        r1_verdict_deinit(&v);
        SKIP(why);
    }
    EXPECT_STR(v.word, "pass");
    EXPECT_STR(v.reason, "the test passed");
    EXPECT_STR(v.extracted, "print(4)");
    EXPECT(v.right && v.score == 1 && v.details && v.cpu_ms > 0);
    EXPECT_CONTAINS(v.details, "\"tests_passed\":1");
    const char *peak = strstr(v.details, "\"peak_mb\":");
    EXPECT(peak && strtod(peak + 10, NULL) > 0);
    EXPECT_INT(strcspn(strchr(peak, '.'), ","), 2); /* one decimal */
    r1_verdict_deinit(&v);
    EXPECT_OK(check("{" TASK ",\"response\":\"</think>```python\\nprint(5)\\n```\"}", &v, &e), &e);
    EXPECT_STR(v.word, "wrong_answer");
    EXPECT_STR(v.extracted, "print(5)\n");
    r1_verdict_deinit(&v);
    EXPECT_OK(check("{" TASK ",\"response\":\"```python\\nprint(4)\\n```\",\"opened\":true}", &v, &e), &e);
    EXPECT_STR(v.reason, "the thought is never closed, so there is no code");
    EXPECT(!v.right && v.score == 0 && !v.extracted);
    EXPECT_STR(v.details, "{\"tests_passed\":0,\"tests\":1,\"peak_mb\":0.0,\"stdout_tail\":\"\",\"stderr_tail\":\"\"}");
    r1_verdict_deinit(&v);
    EXPECT_OK(check("{" TASK ",\"response\":\"</think>```c\\nint x;\\n```\"}", &v, &e), &e);
    EXPECT_STR(v.word, "wrong_answer");
    EXPECT_STR(v.reason, "the response has no block of python, only of 'c'");
    EXPECT_CONTAINS(v.details, "\"tests\":1");
    r1_verdict_deinit(&v);
#undef TASK
}

TEST(public_functions_judge)
{
    static const char task[] = "{\"kind\":\"stdio\",\"language\":\"python\",\"tests\":[{\"stdin\":\"\",\"stdout\":\"4\"}]}", item[] = "{\"gold\":\"1\",\"answer\":\"2\"}";
    r1_verdict v;
    r1_error e = { 0 };
    EXPECT_OK(r1_verify_math("0.75", "\\frac34", R1_VERIFY_ANSWER, &v, &e), &e);
    EXPECT(v.right);
    r1_verdict_deinit(&v);
    EXPECT_OK(r1_verify_math("3", "<think>\\boxed{3}", R1_VERIFY_RESPONSE, &v, &e), &e);
    EXPECT(!v.right && !v.extracted);
    EXPECT_STR(v.reason, "open_thought");
    r1_verdict_deinit(&v);
    EXPECT_STATUS(r1_verify_math(NULL, "3", R1_VERIFY_ANSWER, &v, &e), R1_EINVAL);
    EXPECT_OK(r1_verify_item(item, sizeof item - 1, &v, &e), &e);
    EXPECT(!v.right && !v.word);
    r1_verdict_deinit(&v);
    EXPECT_STATUS(r1_verify_item("{", 1, &v, &e), R1_EFORMAT);
    EXPECT_OK(r1_verify_code(task, sizeof task - 1, "print(4)", 8, &v, &e), &e);
    EXPECT(v.word && (v.right || !strcmp(v.word, "unsupported")));
    r1_verdict_deinit(&v);
    EXPECT_STATUS(r1_verify_code("{}", 2, "", 0, &v, &e), R1_EFORMAT);
}

TEST(verdicts_can_be_freed_twice)
{
    r1_verdict v;
    r1_error e;
    EXPECT_OK(check("{\"kind\":\"exact\",\"gold\":\"a\",\"answer\":\"a\"}", &v, &e), &e);
    EXPECT(v.cpu_ms >= 0 && v.n_extracted == 1 && v.right);
    r1_verdict_deinit(&v);
    r1_verdict_deinit(&v);
    r1_verdict_deinit(NULL);
}
