/* Reference solutions of benchmarks must pass: HumanEval and MBPP in the folder that the environment names in R1_DATA, as JSON lines with
 * problem, answer, and test and entry_point, or test_list and test_imports. Skipped without the variable. */
#include "reward/code/code_int.h"
#include "base/json.h"
#include "base/map.h"
#include "tests/test.h"

static json_t *task_of(const json_t *item)
{
    const json_t *list = json_object_get(item, "test_list"), *imports = json_object_get(item, "test_imports");
    json_t *t = json_pack("{s:s, s:s, s:O?, s:O?, s:O?}", "kind", "function", "language", "python", "prompt", list ? NULL : json_object_get(item, "problem"), "test",
                          json_object_get(item, "test"), "entry_point", json_object_get(item, "entry_point"));
    if (!list) return t;
    r1_buf b;
    r1_buf_init(&b, 1 << 20);
    for (size_t i = 0; i < json_array_size(imports); i++) EXPECT(!r1_buf_addf(&b, NULL, "%s\n", json_string_value(json_array_get(imports, i))));
    for (size_t i = 0; i < json_array_size(list); i++) EXPECT(!r1_buf_addf(&b, NULL, "%s\n", json_string_value(json_array_get(list, i))));
    json_object_set_new(t, "test", json_string(b.data));
    r1_buf_deinit(&b);
    return t;
}

static void run_file(const char *name, size_t at_least)
{
    const char *folder = getenv("R1_DATA");
    if (!folder) SKIP("R1_DATA names no folder with benchmarks");
    char path[1024], *text;
    size_t n, n_items = 0, n_passed = 0;
    r1_error e = { 0 };
    r1_code_checker *c;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    EXPECT_OK(r1_file_read(path, 64 << 20, &text, &n, &e), &e);
    EXPECT_OK(r1_code_checker_open(&c, NULL, &e), &e);
    double start = r1_now(), cpu = 0;
    for (char *line = text, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        json_t *item;
        r1_code_task *t;
        r1_code_result r;
        EXPECT_OK(r1_json_parse(&item, line, (size_t)(end - line), &e), &e);
        json_t *o = task_of(item);
        EXPECT_OK(r1_code_task_parse(&t, o, &e), &e);
        const char *answer = json_string_value(json_object_get(item, "answer"));
        EXPECT_OK(r1_code_verify(c, t, answer, strlen(answer), &r, &e), &e);
        n_items++;
        n_passed += r.verdict == R1_CODE_PASS;
        cpu += r.cpu_ms;
        if (r.verdict == R1_CODE_UNSUPPORTED) SKIP(r.reason);
        if (r.verdict != R1_CODE_PASS) printf("%s: %s: %s\n", json_string_value(json_object_get(item, "id")), r1_code_verdict_name(r.verdict), r.reason);
        r1_code_task_free(t);
        json_decref(o);
        json_decref(item);
    }
    printf("%s: %zu of %zu pass, %.0f ms a task by the clock, %.0f ms of processor time\n", name, n_passed, n_items, 1000 * (r1_now() - start) / (double)n_items,
           cpu / (double)n_items);
    r1_code_checker_close(c);
    free(text);
    EXPECT_MSG(n_passed >= at_least, "%s: %zu of %zu pass, expected %zu", name, n_passed, n_items, at_least);
}

TEST(references_of_humaneval_pass)
{
    run_file("humaneval.jsonl", 164);
}

TEST(references_of_mbpp_pass)
{
    run_file("mbpp_sanitized.jsonl", 427);
}
