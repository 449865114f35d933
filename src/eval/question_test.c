/* Tests of question.c: templates, their places, the questions of each benchmark. */
#include "eval/question.h"
#include "tests/test.h"

static r1_items items;

static const r1_item *item_of(const char *task, const char *line)
{
    const r1_benchmark *b = r1_benchmark_find(task);
    r1_items_options o = { .task = task };
    r1_error e = { 0 };
    r1_items_deinit(&items);
    EXPECT_OK(r1_items_parse(&items, b ? b : r1_benchmark_custom(), &o, line, strlen(line), &e), &e);
    return &items.items[0];
}

static const char *ask(const char *template, const r1_item *item)
{
    static r1_buf b;
    r1_error e = { 0 };
    r1_buf_deinit(&b);
    r1_buf_init(&b, 1 << 20);
    EXPECT_OK(r1_question_make(template, item, &b, &e), &e);
    return b.data;
}

static const char *usual(const char *task, const r1_item *item)
{
    const r1_benchmark *b = r1_benchmark_find(task);
    return ask(r1_question_template(b ? b : r1_benchmark_custom(), item), item);
}

TEST(the_protocol_for_mathematics)
{
    EXPECT_STR(usual("gsm8k", item_of("gsm8k", "{\"problem\":\"What is {x}?\",\"answer\":\"1\"}")),
               "What is {x}?\n\nPlease reason step by step, and put your final answer within \\boxed{}.");
}

TEST(questions_of_other_kinds)
{
    const char *q = usual("x", item_of("x", "{\"problem\":\"Which?\",\"choices\":[\"one\",\"two\"],\"answer\":\"A\"}"));
    EXPECT_CONTAINS(q, "Which?\n\nA) one\nB) two\n\n");
    EXPECT_CONTAINS(q, "\\boxed{}");
    q = usual("countdown", item_of("countdown", "{\"problem\":\"Make 3.\",\"nums\":[1,2],\"target\":3}"));
    EXPECT_CONTAINS(q, "Make 3.");
    EXPECT_CONTAINS(q, "<answer>(1 + 2) / 3</answer>");
    q = usual("humaneval", item_of("humaneval", "{\"problem\":\"def f(x):\\n\",\"entry_point\":\"f\",\"test\":\"def check(c): pass\"}"));
    EXPECT_CONTAINS(q, "```python\ndef f(x):\n");
    q = usual("mbpp", item_of("mbpp", "{\"problem\":\"Add.\",\"test_list\":[\"assert f(1) == 2\",\"assert f(2) == 3\"]}"));
    EXPECT_CONTAINS(q, "assert f(1) == 2\nassert f(2) == 3\n```");
    q = usual("codeforces", item_of("codeforces", "{\"problem\":\"Sum.\",\"tests\":[{\"stdin\":\"\",\"stdout\":\"\"}]}"));
    EXPECT_CONTAINS(q, "a program in C++");
    EXPECT_CONTAINS(q, "```cpp");
    q = usual("livecodebench", item_of("livecodebench", "{\"problem\":\"P.\",\"entry_point\":\"f\",\"starter_code\":\"class Solution:\",\"tests\":[{\"input\":\"1\",\"output\":\"1\"}]}"));
    EXPECT_CONTAINS(q, "P.\n\nBegin with this code:\n\n```python\nclass Solution:\n```\n\nWrite the code in Python");
    q = usual("swebench", item_of("swebench", "{\"instance_id\":\"a\",\"problem_statement\":\"It breaks.\"}"));
    EXPECT_CONTAINS(q, "It breaks.\n\nAnswer with a patch");
}

TEST(places_of_a_template)
{
    const r1_item *t = item_of("x", "{\"problem\":\"p\",\"answer\":\"1\",\"n\":5,\"half\":0.5,\"hints\":[\"a\",\"b\"],\"deep\":{\"k\":[1]}}");
    EXPECT_STR(ask("{problem}|{n}|{half}|{hints}|{deep}|{{}}", t), "p|5|0.5|a\nb|{\"k\": [1]}|{}");
    EXPECT_STR(ask("no place", t), "no place");
}

static void refused(const char *template, const char *word)
{
    r1_buf b;
    r1_error e = { 0 };
    r1_buf_init(&b, 1 << 20);
    EXPECT_STATUS(r1_question_make(template, item_of("x", "{\"id\":\"i\",\"problem\":\"p\",\"answer\":\"1\"}"), &b, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, word);
    r1_buf_deinit(&b);
}

TEST(wrong_templates_are_refused)
{
    refused("{hint}", "{hint}, which item 'i' has not: it has choices, fence, language, problem, starter, tests, id, problem, answer");
    refused("a { b", "byte 2 of the prompt is '{' alone");
    refused("a } b", "'}' alone");
    refused("{}", "alone");
    refused("{a{b}", "alone");
    refused("{problem", "alone");
    refused("{choices}", "{choices}");
}
