/* The format reward: every way to be wrong has its code. */
#include "tests/test.h"
#include "reward/reward.h"

static void gives(const char *text, r1_format_options o, const char *code)
{
    const char *got = r1_format_check(text, strlen(text), &o, NULL);
    EXPECT_MSG(!got == !code && (!code || !strcmp(got, code)), "'%s' is %s, expected %s", text, got ? got : "right", code ? code : "right");
}

TEST(format_is_a_thought_and_an_answer)
{
    const r1_format_options plain = { 0 }, opened = { .opened = true };
    gives("<think>a</think>b", plain, NULL);
    gives("\n <think>\na\n</think>\n\nb\n", plain, NULL);
    gives("a</think>b", opened, NULL);
    gives("b", plain, "no_think");
    gives("a</think>b", plain, "no_think");
    gives("Sure! <think>a</think>b", plain, "text_before_think");
    gives("<think>a", plain, "unclosed_think");
    gives("a", opened, "unclosed_think");
    gives("<think>a</think>b<think>c</think>d", plain, "second_think");
    gives("<think>a</think>b</think>", plain, "second_think");
    gives("<think>a</think>b", opened, "second_think");
    gives("</think><think>a b", plain, "text_before_think");
    gives("<think> </think>b", plain, "empty_think");
    gives("<think>a</think> \n", plain, "empty_answer");
    gives("", plain, "no_think");
    gives("", opened, "unclosed_think");
    gives("<THINK>a</THINK>b", plain, "no_think");
    gives("<think>\n</think>b", (r1_format_options){ .empty_thought = true }, NULL);
}

TEST(format_of_r1_zero_has_answer_tags)
{
    const r1_format_options wanted = { .answer_tags = R1_ANSWER_TAGS_REQUIRED }, may = { 0 }, none = { .answer_tags = R1_ANSWER_TAGS_NONE };
    gives("<think>a</think> <answer>b</answer>", wanted, NULL);
    gives("<think>a</think> <answer>b</answer>", may, NULL);
    gives("<think>a</think> <answer>b</answer>", none, "bad_answer_tags");
    gives("<think>a</think>b", wanted, "no_answer_tag");
    gives("<think>a</think><answer> </answer>", wanted, "empty_answer");
    gives("<think>a</think>so <answer>b</answer>", may, "bad_answer_tags");
    gives("<think>a</think><answer>b</answer> done", may, "bad_answer_tags");
    gives("<think>a</think><answer>b</answer><answer>c</answer>", may, "bad_answer_tags");
    gives("<think>a</think></answer>b<answer>", may, "bad_answer_tags");
    gives("<think>a</think><answer>b", may, "bad_answer_tags");
    gives("<think><answer>a</answer></think><answer>b</answer>", may, "answer_tag_in_think");
}

TEST(format_gives_the_parts)
{
    r1_response r;
    const char *text = " <think> a </think> <answer> b </answer> ";
    EXPECT(!r1_format_check(text, strlen(text), NULL, &r));
    EXPECT(r1_span_is(r.thought, "a") && r1_span_is(r.answer, "b"));
}
