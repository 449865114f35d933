/* Tests of grade.c: each kind of item with right, wrong and no answers; code in the sandbox where there is one. */
#define _GNU_SOURCE
#include "eval/grade.h"
#include "tests/test.h"

static r1_items items;
static r1_grader *grader;

static const r1_item *item_of(const char *task, const char *line)
{
    const r1_benchmark *b = r1_benchmark_find(task);
    r1_items_options o = { .task = task };
    r1_error e = { 0 };
    r1_items_deinit(&items);
    EXPECT_OK(r1_items_parse(&items, b ? b : r1_benchmark_custom(), &o, line, strlen(line), &e), &e);
    if (!grader) EXPECT_OK(r1_grader_open(&grader, NULL, &e), &e);
    return &items.items[0];
}

/* The verdict on an answer, with its reason and what was taken from it; NULL: anything, "" : nothing. */
static void judged(const r1_item *item, const char *content, int verdict, const char *reason, const char *extracted)
{
    r1_eval_sample s = { .content = content ? strdup(content) : NULL, .finish = "stop" };
    r1_error e = { 0 };
    r1_status st = r1_grade(grader, item, &s, &e);
    if (st == R1_EUNSUPPORTED) {
        r1_eval_sample_deinit(&s);
        SKIP(e.msg);
    }
    EXPECT_OK(st, &e);
    EXPECT_MSG(s.verdict == verdict, "'%s' has the verdict %d (%s), expected %d", content ? content : "", s.verdict, s.reason, verdict);
    if (reason) EXPECT_STR(s.reason, reason);
    if (extracted && *extracted) EXPECT_STR(s.extracted, extracted);
    if (extracted && !*extracted) EXPECT_NULL(s.extracted);
    r1_eval_sample_deinit(&s);
}

TEST(mathematics)
{
    const r1_item *t = item_of("math500", "{\"problem\":\"p\",\"answer\":\"\\\\frac{5}{8}\"}");
    judged(t, "So \\boxed{0.625}.", 1, "equal_exact", "0.625");
    judged(t, "First \\boxed{5/8}, no: \\boxed{\\frac{8}{5}}", 0, "different", "\\frac{8}{5}");
    judged(t, "I do not know.", 0, "no_answer", "");
    judged(t, "", 0, "no_answer", "");
    judged(t, NULL, 0, "no_answer", "");
    r1_eval_sample s = { .finish = "length", .content = strdup(" \n") };
    EXPECT_OK(r1_grade(grader, t, &s, NULL), NULL);
    EXPECT_STR(s.reason, "truncated");
    r1_eval_sample_deinit(&s);
    judged(item_of("gsm8k", "{\"problem\":\"p\",\"answer\":\"1,200\"}"), "The answer is 1200.", 1, NULL, NULL);
}

/* A test that asks nothing of the solution is a fault of the item, which is named. */
TEST(a_test_that_tests_nothing)
{
    const r1_item *t = item_of("humaneval", "{\"id\":\"one\",\"problem\":\"import math\\n\",\"entry_point\":\"f\",\"test\":\"def check(c):\\n    pass\\n\"}");
    r1_eval_sample s = { .content = strdup("```python\ndef f(x):\n    return x\n```"), .finish = "stop" };
    r1_error e = { 0 };
    r1_status st = r1_grade(grader, t, &s, &e);
    r1_eval_sample_deinit(&s);
    if (st == R1_EUNSUPPORTED) SKIP(e.msg);
    EXPECT_STATUS(st, R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "item 'one'");
    EXPECT_CONTAINS(e.msg, "asks nothing");
}

TEST(choices)
{
    const r1_item *t = item_of("x", "{\"problem\":\"p\",\"choices\":[\"stone\",\"apple\",\"iron\"],\"answer\":\"B\"}");
    judged(t, "It is \\boxed{B}", 1, NULL, "B");
    judged(t, "\\boxed{(B) apple}", 1, NULL, NULL);
    judged(t, "\\boxed{A}", 0, NULL, "A");
    judged(t, "\\boxed{A or B}", 0, NULL, NULL);
}

TEST(countdowns)
{
    const r1_item *t = item_of("countdown", "{\"problem\":\"p\",\"nums\":[2,3,4],\"target\":14}");
    judged(t, "<answer>2 + 3 * 4</answer>", 1, NULL, "2 + 3 * 4");
    judged(t, "\\boxed{2+3*4=14}", 1, NULL, NULL);
    judged(t, "<answer>2*7</answer>", 0, "wrong_numbers", NULL);
    judged(t, "<answer>(2+3)*4</answer>", 0, "wrong_value", NULL);
    judged(t, "fourteen", 0, NULL, NULL);
}

TEST(patches_are_not_judged)
{
    const r1_item *t = item_of("swebench", "{\"instance_id\":\"i\",\"problem_statement\":\"p\"}");
    judged(t, "```python\nx\n```\nThen\n```diff\n--- a\n+++ b\n```\nand better:\n```diff\n--- c\n+++ d\n```\n", -1, "not_judged", "--- c\n+++ d\n");
    judged(t, "Apply this:\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n", -1, "not_judged", "diff --git a/x b/x\n--- a/x\n+++ b/x\n");
    judged(t, "nothing", -1, "no_patch", "");
    judged(t, "", -1, "no_answer", "");
}

TEST(functions_that_go_on_from_their_problem)
{
    const r1_item *t = item_of("humaneval", "{\"id\":\"H/0\",\"problem\":\"import math\\n\\ndef helper(x):\\n    return x + 1\\n\\ndef f(x: int) -> int:\\n    \\\"\\\"\\\" Add two. \\\"\\\"\\\"\\n\","
                                            "\"entry_point\":\"f\",\"test\":\"def check(candidate):\\n    assert candidate(1) == 3\\n    assert candidate(5) == 7\\n\"}");
    judged(t, "```python\ndef f(x: int) -> int:\n    return helper(x) + 1\n```", 1, "pass", "def f(x: int) -> int:\n    return helper(x) + 1\n");
    judged(t, "```python\ndef f(x):\n    return x + math.floor(2.5)\n```\nIt works.", 1, "pass", NULL);
    judged(t, "```python\n    return x + 2\n```", 1, "pass", NULL);
    judged(t, "```python\ndef f(x):\n    return 3\n```", 0, "wrong_answer", NULL);
    judged(t, "```python\ndef f(x):\n    return x +\n```", 0, "compile_error", NULL);
    judged(t, "```python\ndef g(x):\n    return 1\nraise SystemExit(0)\n```", 0, NULL, NULL);
}

TEST(functions_with_asserts)
{
    const r1_item *t = item_of("mbpp", "{\"problem\":\"p\",\"test_imports\":[\"import math\"],\"test_list\":[\"assert math.isclose(half(3), 1.5)\",\"assert half(4) == 2\"]}");
    judged(t, "```python\ndef half(x):\n    return x / 2\n```", 1, "pass", NULL);
    judged(t, "```python\ndef half(x):\n    return x // 2\n```", 0, "wrong_answer", NULL);
}

TEST(functions_with_inputs_and_outputs)
{
    const r1_item *t = item_of("livecodebench", "{\"problem\":\"p\",\"entry_point\":\"twoSum\",\"starter_code\":\"class Solution:\\n    def twoSum(self, nums, target):\\n        \","
                                                "\"tests\":[{\"input\":\"[2, 7, 11]\\n9\",\"output\":\"[0, 1]\"},{\"input\":\"[\\\"\\\\u00e9'\\\", 1]\\n1\",\"output\":\"[9, 9]\"}]}");
    const char *code = "```python\nclass Solution:\n    def twoSum(self, nums, target):\n        if nums[0] == \"\xC3\xA9'\": return (9, 9)\n        for i, a in enumerate(nums):\n"
                       "            for j in range(i):\n                if nums[j] + a == target: return [j, i]\n```";
    judged(t, code, 1, "pass", NULL);
    judged(t, "```python\nclass Solution:\n    def twoSum(self, nums, target):\n        return [0, 1]\n```", 0, "wrong_answer", NULL);
    t = item_of("livecodebench", "{\"problem\":\"p\",\"entry_point\":\"twice\",\"tests\":[{\"input\":\"2\",\"output\":\"4\"}]}");
    judged(t, "```python\ndef twice(x):\n    return 2 * x\n```", 1, "pass", NULL);
}

/* As the harnesses of LeetCode and LiveCodeBench: the usual names are known without an import, and only there. */
TEST(usual_imports)
{
    static const char *const code = "```python\nclass Solution:\n    def most(self, nums: List[int]) -> int:\n        return Counter(nums).most_common(1)[0][0]\n```";
    judged(item_of("livecodebench", "{\"problem\":\"p\",\"entry_point\":\"most\",\"starter_code\":\"class Solution:\\n    def most(self, nums: List[int]) -> int:\\n\","
                                    "\"tests\":[{\"input\":\"[1, 7, 7]\",\"output\":\"7\"}]}"), code, 1, "pass", NULL);
    judged(item_of("livecodebench", "{\"problem\":\"p\",\"tests\":[{\"stdin\":\"9\",\"stdout\":\"3\"}]}"), "```python\nprint(isqrt(int(sys.stdin.readline())))\n```", 1, "pass", NULL);
    judged(item_of("humaneval", "{\"problem\":\"import math\\n\",\"entry_point\":\"f\",\"test\":\"def check(c):\\n    assert c(9) == 3\"}"), "```python\ndef f(x):\n    return isqrt(x)\n```", 0,
           "runtime_error", NULL);
}

TEST(calls_with_a_tolerance)
{
    static const char *const third = "```python\ndef third(x):\n    return [x / 3, 'a']\n```";
    static const char form[] = "{\"problem\":\"p\",\"entry_point\":\"third\",%s\"tests\":[{\"input\":\"1\",\"output\":\"[0.33333, \\\"a\\\"]\"}]}";
    static const struct { const char *checker; int right; } cases[] = {
        { "", 0 }, { "\"checker\":null,", 0 }, { "\"checker\":\"float:1e-3\",", 1 }, { "\"checker\":\"float:1e-7\",", 0 }, { "\"checker\":\"float:0\",", 0 },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        char line[300];
        snprintf(line, sizeof line, form, cases[i].checker);
        judged(item_of("livecodebench", line), third, cases[i].right, cases[i].right ? "pass" : "wrong_answer", NULL);
    }
    const r1_item *t = item_of("livecodebench", "{\"problem\":\"p\",\"entry_point\":\"f\",\"checker\":\"float:1\",\"tests\":[{\"input\":\"1\",\"output\":\"1\"}]}");
    judged(t, "```python\ndef f(x):\n    return 2.0\n```", 1, "pass", NULL);
    judged(t, "```python\ndef f(x):\n    return float('nan')\n```", 0, "wrong_answer", NULL);
    judged(t, "```python\ndef f(x):\n    return float('inf')\n```", 0, "wrong_answer", NULL);
    judged(t, "```python\ndef f(x):\n    return '1'\n```", 0, "wrong_answer", NULL);
    judged(t, "```python\nclass F(float):\n    def __sub__(self, o): return 0\n    def __eq__(self, o): return True\ndef f(x):\n    return F(9)\n```", 0, "wrong_answer", NULL);
}

TEST(programs)
{
    const r1_item *t = item_of("codeforces", "{\"problem\":\"p\",\"language\":\"python\",\"tests\":[{\"stdin\":\"1 2\\n\",\"stdout\":\"3\\n\",\"note\":\"x\"},{\"input\":\"5 5\\n\",\"output\":\"10\\n\"}],"
                                             "\"time_limit_s\":2,\"rating\":800}");
    judged(t, "```python\nprint(sum(map(int, input().split())))\n```", 1, "pass", NULL);
    judged(t, "```python\nprint(3)\n```", 0, "wrong_answer", NULL);
    judged(t, "```python\nwhile True: pass\n```", 0, "time_limit", NULL);
    t = item_of("codeforces", "{\"problem\":\"p\",\"tests\":[{\"stdin\":\"1 2\\n\",\"stdout\":\"3\\n\"}]}");
    judged(t, "```cpp\n#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b << \"\\n\"; }\n```", 1, "pass", NULL);
}

TEST(votes)
{
    const char *said[] = { "1/2", "0.5", NULL, "\\frac{2}{4}", "7" }, *letters[] = { "A", "B", "A" };
    int32_t group[5];
    bool can;
    r1_error e = { 0 };
    EXPECT_OK(r1_grade_group(R1_EVAL_MATH, said, 5, group, &can, &e), &e);
    EXPECT(can && group[0] == 0 && group[1] == 0 && group[2] == -1 && group[3] == 0 && group[4] == 4);
    EXPECT_OK(r1_grade_group(R1_EVAL_CHOICE, letters, 3, group, &can, &e), &e);
    EXPECT(can && group[0] == 0 && group[1] == 1 && group[2] == 0);
    EXPECT_OK(r1_grade_group(R1_EVAL_FUNCTION, letters, 3, group, &can, &e), &e);
    EXPECT(!can);
}
