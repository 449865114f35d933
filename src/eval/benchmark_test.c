/* Tests of benchmark.c and items.c: what files may hold, what is refused and how. */
#define _GNU_SOURCE
#include "eval/benchmark.h"
#include "tests/test.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

static r1_status parse(r1_items *out, const char *task, const char *text, r1_error *e)
{
    const r1_benchmark *b = r1_benchmark_find(task);
    r1_items_options o = { .task = task, .seed = 7 };
    return r1_items_parse(out, b ? b : r1_benchmark_custom(), &o, text, strlen(text), e);
}

static void refused(const char *task, const char *text, const char *word)
{
    r1_items t;
    r1_error e = { 0 };
    EXPECT_STATUS(parse(&t, task, text, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, word);
    EXPECT(t.items == NULL && t.n == 0);
}

TEST(every_benchmark_is_found_by_its_name)
{
    size_t n = 0;
    for (; r1_benchmark_at(n); n++) {
        const r1_benchmark *b = r1_benchmark_at(n);
        EXPECT(r1_benchmark_find(b->name) == b);
        EXPECT(b->samples >= 1 && b->files[0] && *b->source && *b->form);
    }
    EXPECT_INT(n, 11);
    EXPECT_NULL(r1_benchmark_find("mmlu"));
    EXPECT_INT(r1_benchmark_find("aime")->samples, 64); /* the paper's */
    EXPECT_INT(r1_benchmark_find("gpqa")->samples, 64);
    EXPECT_INT(r1_benchmark_find("math500")->samples, 16);
    EXPECT_INT(r1_benchmark_find("codeforces")->samples, 16);
    EXPECT_INT(r1_benchmark_find("livecodebench")->samples, 8);
}

TEST(items_of_problems_and_answers)
{
    r1_items t;
    r1_error e = { 0 };
    EXPECT_OK(parse(&t, "math500", "{\"unique_id\":\"a/1\",\"problem\":\"p\",\"answer\":\"\\\\frac12\",\"subject\":\"Algebra\",\"level\":3}\r\n\n"
                                   "{\"id\":60,\"question\":\"q\",\"answer\":204,\"level\":5}\n{\"problem\":\"r\",\"answer\":0.5}", &e), &e);
    EXPECT_INT(t.n, 3);
    EXPECT_STR(t.items[0].id, "a/1");
    EXPECT_STR(t.items[0].gold, "\\frac12");
    EXPECT_STR(t.items[0].category, "Algebra");
    EXPECT_STR(t.items[1].id, "60");
    EXPECT_STR(t.items[1].problem, "q");
    EXPECT_STR(t.items[1].gold, "204");
    EXPECT_STR(t.items[1].category, "5");
    EXPECT_STR(t.items[2].id, "4"); /* the line */
    EXPECT_STR(t.items[2].gold, "0.5");
    EXPECT(isnan(t.items[2].rating));
    r1_items_deinit(&t);
}

TEST(limit_and_where)
{
    const char *text = "{\"id\":\"a\",\"problem\":\"p\",\"answer\":\"1\",\"split\":\"train\"}\n{\"id\":\"b\",\"problem\":\"p\",\"answer\":\"1\",\"split\":\"test\",\"n\":5}\n"
                       "{\"id\":\"c\",\"problem\":\"p\",\"answer\":\"1\",\"split\":\"test\",\"n\":6}\nthis is not looked at\n";
    r1_items t;
    r1_error e = { 0 };
    r1_items_options o = { .task = "x", .where = "split=test", .limit = 2 };
    EXPECT_OK(r1_items_parse(&t, r1_benchmark_custom(), &o, text, strlen(text), &e), &e);
    EXPECT(t.n == 2 && !strcmp(t.items[0].id, "b") && !strcmp(t.items[1].id, "c"));
    r1_items_deinit(&t);
    o = (r1_items_options){ .task = "x", .where = "n=6", .limit = 1 };
    EXPECT_OK(r1_items_parse(&t, r1_benchmark_custom(), &o, text, strlen(text), &e), &e);
    EXPECT(t.n == 1 && !strcmp(t.items[0].id, "c"));
    r1_items_deinit(&t);
    o = (r1_items_options){ .task = "x", .where = "n=7" };
    EXPECT_STATUS(r1_items_parse(&t, r1_benchmark_custom(), &o, text, strlen(text) - 23, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "n=7");
}

TEST(choices_are_shuffled_by_the_seed)
{
    const r1_benchmark *b = r1_benchmark_find("gpqa");
    size_t at[4] = { 0 };
    for (int i = 0; i < 400; i++) {
        char text[200];
        r1_items t, again;
        r1_error e = { 0 };
        r1_items_options o = { .task = "gpqa", .seed = 3 };
        int n = snprintf(text, sizeof text, "{\"id\":\"q%d\",\"problem\":\"p\",\"answer\":\"right\",\"incorrect\":[\"x\",\"y\",\"z\"]}", i);
        EXPECT_OK(r1_items_parse(&t, b, &o, text, (size_t)n, &e), &e);
        EXPECT_OK(r1_items_parse(&again, b, &o, text, (size_t)n, &e), &e);
        const r1_item *q = &t.items[0];
        EXPECT_INT(q->n_choices, 4);
        EXPECT_STR(q->choices[q->right_choice], "right");
        EXPECT(q->gold[0] == (char)('A' + q->right_choice) && q->gold[1] == 0);
        EXPECT(q->right_choice == again.items[0].right_choice);
        unsigned seen = 0;
        for (size_t k = 0; k < 4; k++) seen |= 1u << (q->choices[k][0] == 'r' ? 3 : q->choices[k][0] - 'x');
        EXPECT_INT(seen, 15);
        at[q->right_choice]++;
        r1_items_deinit(&t);
        r1_items_deinit(&again);
    }
    for (int i = 0; i < 4; i++) EXPECT_MSG(at[i] > 60 && at[i] < 140, "choice %d is right %zu of 400 times", i, at[i]);
}

TEST(choices_in_their_own_order)
{
    r1_items t;
    r1_error e = { 0 };
    EXPECT_OK(parse(&t, "x", "{\"id\":\"a\",\"problem\":\"p\",\"choices\":[\"u\",\"v\",\"w\"],\"answer\":\"C\"}\n{\"id\":\"b\",\"problem\":\"p\",\"choices\":[\"u\",\"v\"],\"answer\":\"v\"}", &e), &e);
    EXPECT(t.items[0].check == R1_EVAL_CHOICE && t.items[0].right_choice == 2 && !strcmp(t.items[0].choices[0], "u"));
    EXPECT_STR(t.items[1].gold, "B");
    r1_items_deinit(&t);
    refused("x", "{\"problem\":\"p\",\"choices\":[\"u\",\"v\"],\"answer\":\"w\"}", "A to B");
    refused("gpqa", "{\"problem\":\"p\",\"answer\":\"w\"}", "'incorrect' is nothing");
    refused("gpqa", "{\"problem\":\"p\",\"answer\":\"w\",\"incorrect\":[]}", "1 to 25 texts");
}

TEST(code_and_ratings)
{
    r1_items t;
    r1_error e = { 0 };
    EXPECT_OK(parse(&t, "codeforces", "{\"id\":\"1A\",\"problem\":\"p\",\"tests\":[{\"stdin\":\"1\",\"stdout\":\"2\"}],\"rating\":1350}", &e), &e);
    EXPECT(t.items[0].check == R1_EVAL_STDIO && t.items[0].rating > 1349 && !strcmp(t.items[0].language, "cpp"));
    EXPECT_STR(t.items[0].category, "rating 1200 to 1599");
    r1_items_deinit(&t);
    EXPECT_OK(parse(&t, "livecodebench", "{\"id\":\"f\",\"problem\":\"p\",\"entry_point\":\"solve\",\"tests\":[{\"input\":\"1\",\"output\":\"2\"}]}", &e), &e);
    EXPECT(t.items[0].check == R1_EVAL_FUNCTION && !strcmp(t.items[0].language, "python"));
    r1_items_deinit(&t);
    EXPECT_OK(parse(&t, "countdown", "{\"id\":\"c\",\"problem\":\"p\",\"nums\":[1,2,3],\"target\":6}", &e), &e);
    EXPECT_STR(t.items[0].category, "3 numbers");
    r1_items_deinit(&t);
    EXPECT_OK(parse(&t, "swebench", "{\"instance_id\":\"a__b-1\",\"problem_statement\":\"short\",\"text\":\"long\"}", &e), &e);
    EXPECT(t.items[0].check == R1_EVAL_PATCH && !strcmp(t.items[0].problem, "long"));
    r1_items_deinit(&t);
}

TEST(wrong_files_are_refused_by_name)
{
    refused("gsm8k", "", "problem, answer");
    refused("gsm8k", "\n \n", "it is empty");
    refused("gsm8k", "{\"problem\":\"p\"}", "line 1: 'answer' is nothing");
    refused("gsm8k", "{\"problem\":\"p\",\"answer\":\"1\"}\n{\"problem\":\"p\",\"answer\":[]}", "line 2: 'answer' is an array");
    refused("gsm8k", "{\"problem\":\"p\",\"answer\":\"\"}", "'answer' is empty");
    refused("gsm8k", "{\"problem\":5,\"answer\":\"1\"}", "'problem' is an integer");
    refused("gsm8k", "{\"id\":\"\",\"problem\":\"p\",\"answer\":\"1\"}", "0 bytes");
    refused("gsm8k", "{\"id\":[],\"problem\":\"p\",\"answer\":\"1\"}", "'id' is an array");
    refused("gsm8k", "{\"id\":\"a\",\"problem\":\"p\",\"answer\":\"1\"}\n{\"id\":\"a\",\"problem\":\"q\",\"answer\":\"1\"}", "two items have the id 'a'");
    refused("gsm8k", "[1]", "it is an array");
    refused("gsm8k", "{\"problem\":", "wrong JSON");
    refused("humaneval", "{\"problem\":\"p\",\"entry_point\":\"f\"}", "'test' is nothing");
    refused("humaneval", "{\"problem\":\"p\",\"test\":\"x\"}", "'entry_point' is nothing");
    refused("mbpp", "{\"problem\":\"p\",\"test_list\":[]}", "a list of texts");
    refused("mbpp", "{\"problem\":\"p\",\"test_list\":[\"assert 1\"],\"test_imports\":\"math\"}", "'test_imports' is a string");
    refused("codeforces", "{\"problem\":\"p\",\"tests\":[{\"stdin\":\"1\"}]}", "stdin and stdout");
    refused("livecodebench", "{\"problem\":\"p\",\"entry_point\":\"f\",\"checker\":\"float:x\",\"tests\":[{\"input\":\"1\",\"output\":\"1\"}]}", "'checker' is no float:E");
    refused("livecodebench", "{\"problem\":\"p\",\"entry_point\":\"f\",\"checker\":1,\"tests\":[{\"input\":\"1\",\"output\":\"1\"}]}", "'checker' is no float:E");
    refused("humaneval", "{\"problem\":\"p\",\"entry_point\":\"f\",\"test\":\"t\",\"checker\":\"float:1e-3\"}", "'checker' belongs to 'tests'");
    refused("codeforces", "{\"problem\":\"p\",\"tests\":[{\"stdin\":\"1\",\"stdout\":\"\"}],\"rating\":\"high\"}", "'rating' is a string");
    refused("codeforces", "{\"problem\":\"p\",\"language\":\"rust\",\"tests\":[{\"stdin\":\"1\",\"stdout\":\"\"}]}", "python, c, cpp or javascript");
    refused("countdown", "{\"problem\":\"p\",\"nums\":[1,2.5],\"target\":3}", "'nums' is an array");
    refused("countdown", "{\"problem\":\"p\",\"nums\":[1,2],\"target\":\"3\"}", "'target' is a string");
}

TEST(files_are_looked_for_where_the_message_says)
{
    char dir[] = "/tmp/r1-test-XXXXXX", file[64], *path;
    r1_error e = { 0 };
    const r1_benchmark *b = r1_benchmark_find("gsm8k");
    EXPECT(mkdtemp(dir) != NULL);
    EXPECT_STATUS(r1_benchmark_locate(b, dir, "/nowhere", &path, &e), R1_EIO);
    EXPECT_CONTAINS(e.msg, dir);
    EXPECT_CONTAINS(e.msg, "gsm8k_test.jsonl");
    EXPECT_CONTAINS(e.msg, "problem, answer");
    EXPECT_STATUS(r1_benchmark_locate(b, NULL, "/nowhere", &path, &e), R1_EIO);
    EXPECT_CONTAINS(e.msg, "/nowhere/gsm8k.jsonl");
    EXPECT_STATUS(r1_benchmark_locate(b, NULL, NULL, &path, &e), R1_EIO);
    snprintf(file, sizeof file, "%s/gsm8k_test.jsonl", dir);
    FILE *f = fopen(file, "w");
    EXPECT(f != NULL);
    fputs("{\"problem\":\"p\",\"answer\":\"1\"}\n", f);
    fclose(f);
    EXPECT_OK(r1_benchmark_locate(b, NULL, dir, &path, &e), &e);
    EXPECT_STR(path, file);
    r1_items t;
    r1_items_options o = { .task = "gsm8k" };
    EXPECT_OK(r1_items_read(&t, b, &o, path, &e), &e);
    EXPECT_STR(t.sha256, "d36c7c4dd2a3b1f6c92daf9eca041c92e4cbc2e684eb7bb3af5a8fa83b8a7b6b");
    r1_items_deinit(&t);
    free(path);
    EXPECT_OK(r1_benchmark_locate(b, file, NULL, &path, &e), &e);
    EXPECT_STR(path, file);
    free(path);
    unlink(file);
    rmdir(dir);
}

TEST(seeds_differ_within_an_item_and_between_items)
{
    uint64_t a = r1_eval_seed(1, "gsm8k", "q", 0);
    EXPECT(a < (uint64_t)1 << 31);
    EXPECT(a == r1_eval_seed(1, "gsm8k", "q", 0));
    EXPECT(a != r1_eval_seed(2, "gsm8k", "q", 0) && a != r1_eval_seed(1, "svamp", "q", 0) && a != r1_eval_seed(1, "gsm8k", "r", 0));
    EXPECT(r1_eval_seed(1, "ab", "c", 0) != r1_eval_seed(1, "a", "bc", 0));
    for (uint32_t i = 1; i < 64; i++) EXPECT(r1_eval_seed(1, "gsm8k", "q", i) == ((a + i) & 0x7FFFFFFF));
}
