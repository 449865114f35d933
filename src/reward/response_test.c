/* Thought, answer, final answer. */
#include "tests/test.h"
#include "reward/reward.h"

static bool is(r1_span s, const char *text) { return text ? s.p && r1_span_is(s, text) : !s.p; }

static void splits(const char *text, bool opened, const char *thought, const char *answer)
{
    r1_response r;
    r1_response_split(text, strlen(text), opened, &r);
    EXPECT_MSG(is(r.thought, thought), "thought of '%s' is '%.*s'", text, (int)r.thought.n, r.thought.p ? r.thought.p : "none");
    EXPECT_MSG(is(r.answer, answer), "answer of '%s' is '%.*s'", text, (int)r.answer.n, r.answer.p ? r.answer.p : "none");
}

TEST(a_response_is_split_at_the_end_of_its_thought)
{
    splits("plain", false, NULL, "plain");
    splits("plain", true, "plain", NULL);
    splits("", false, NULL, "");
    splits("<think>a</think>b", false, "a", "b");
    splits("a</think>b", true, "a", "b");
    splits("a</think>b", false, "a", "b");
    splits("<think>a", false, "a", NULL);
    splits("x<think>a</think>b</think>c", false, "a</think>b", "c");
    splits("<think>a</think>b<think>c", false, "a", NULL);
    splits("<think>a</think>b<think>c</think>d", false, "a</think>b<think>c", "d");
    splits("<think>a</think>", false, "a", "");
}

static void finds(const char *text, r1_final kind, const char *answer)
{
    r1_span got;
    r1_final k = r1_response_final(r1_span_of(text), &got);
    EXPECT_MSG(k == kind, "'%s': kind %d, expected %d", text, k, kind);
    EXPECT_MSG(is(got, answer), "'%s': '%.*s', expected '%s'", text, (int)got.n, got.p ? got.p : "", answer ? answer : "none");
}

TEST(the_last_complete_box_is_the_answer)
{
    finds("so \\boxed{5}", R1_FINAL_BOX, "5");
    finds("\\boxed{5}, no: \\boxed {8}.", R1_FINAL_BOX, "8");
    finds("\\fbox{\\frac{1}{2}}", R1_FINAL_BOX, "\\frac{1}{2}");
    finds("\\boxed{\\{1,2\\}}", R1_FINAL_BOX, "\\{1,2\\}");
    finds("\\boxed{5} and then \\boxed{6", R1_FINAL_BOX, "5");
    finds("\\boxed{5 \\boxed{7}", R1_FINAL_BOX, "7");
    finds("\\boxed{\\boxed{7}}", R1_FINAL_BOX, "\\boxed{7}");
    finds("\\boxed{5", R1_FINAL_EMPTY, NULL);
    finds("\\boxed{}", R1_FINAL_EMPTY, NULL);
    finds("\\boxed{  }", R1_FINAL_EMPTY, NULL);
    finds("the answer is 4, \\boxed{", R1_FINAL_EMPTY, NULL);
    finds("\\boxed 5", R1_FINAL_NONE, NULL);
    finds("\\boxedx{5}", R1_FINAL_NONE, NULL);
    finds("}}}\\boxed{1}", R1_FINAL_BOX, "1");
    finds("\\boxed{3} or \\boxed{4}", R1_FINAL_SEVERAL, NULL);
    finds("$\\boxed{3}$, $\\boxed{4}$", R1_FINAL_SEVERAL, NULL);
    finds("\\boxed{3}\n\n\\boxed{4}", R1_FINAL_SEVERAL, NULL);
    finds("\\boxed{3} \\text{or} \\boxed{4} and \\boxed{4}", R1_FINAL_SEVERAL, NULL);
    finds("\\boxed{4}, \\boxed{4}", R1_FINAL_BOX, "4");
    finds("\\boxed{3} or \\boxed{4}? No, certainly \\boxed{5}", R1_FINAL_BOX, "5");
    finds("\\boxed{3} is wrong, it is \\boxed{4}", R1_FINAL_BOX, "4");
}

TEST(tags_hold_one_answer)
{
    finds("<answer> 1+2 </answer>", R1_FINAL_TAG, "1+2");
    finds("<answer>so \\boxed{3}</answer>", R1_FINAL_BOX, "3");
    finds("<answer>3</answer> <answer>3</answer>", R1_FINAL_TAG, "3");
    finds("<answer>3</answer> <answer>4</answer>", R1_FINAL_SEVERAL, NULL);
    finds("<answer></answer>", R1_FINAL_EMPTY, NULL);
    finds("<answer>3", R1_FINAL_EMPTY, NULL);
    finds("I write <answer> tags: <answer>3</answer>", R1_FINAL_TAG, "3");
    finds("3</answer>", R1_FINAL_NONE, NULL);
}

TEST(without_marks_a_phrase_announces_it)
{
    finds("The answer is 5.", R1_FINAL_PHRASE, "5");
    finds("**Answer:** C", R1_FINAL_PHRASE, "C");
    finds("Final answer: **B**.", R1_FINAL_PHRASE, "B");
    finds("answer is: x\nmore", R1_FINAL_PHRASE, "x");
    finds("The answer is 5. No, the answer is 6", R1_FINAL_PHRASE, "6");
    finds("reasons\n#### 42", R1_FINAL_PHRASE, "42");
    finds("\xe7\xad\x94\xe6\xa1\x88\xe6\x98\xaf 7", R1_FINAL_PHRASE, "7");
    finds("The answer isolates x", R1_FINAL_NONE, NULL);
    finds("my answer", R1_FINAL_NONE, NULL);
    finds("Answer:", R1_FINAL_EMPTY, NULL);
    finds("", R1_FINAL_NONE, NULL);
}

TEST(many_open_marks_take_linear_time)
{
    enum { N = 300000 };
    char *text = malloc(8 * (size_t)N);
    for (size_t i = 0; i < N; i++) memcpy(text + 7 * i, "\\boxed{", 7);
    r1_span got;
    EXPECT_INT(r1_response_final((r1_span){ text, 7 * (size_t)N }, &got), R1_FINAL_EMPTY);
    for (size_t i = 0; i < N; i++) memcpy(text + 8 * i, "<answer>", 8);
    EXPECT_INT(r1_response_final((r1_span){ text, 8 * (size_t)N }, &got), R1_FINAL_EMPTY);
    free(text);
}
