/* Tests of the task file and of the comparison of outputs. */
#include "reward/code/code_int.h"
#include "tests/test.h"

static r1_code_task *task;
static r1_error e;

static r1_status parse(const char *text)
{
    memset(&e, 0, sizeof e);
    return r1_code_task_parse_text(&task, text, strlen(text), &e);
}

TEST(a_function_task_has_its_fields_and_defaults)
{
    EXPECT_OK(parse("{\"kind\":\"function\",\"language\":\"python\",\"prompt\":\"p\",\"test\":\"t\",\"entry_point\":\"f\"}"), &e);
    EXPECT(task->kind == R1_CODE_FUNCTION && task->language == R1_CODE_PYTHON);
    EXPECT_STR(task->prompt.data, "p");
    EXPECT_STR(task->test.data, "t");
    EXPECT_STR(task->entry_point.data, "f");
    EXPECT_INT(task->n_tests, 1);
    EXPECT(task->time_limit_s == 6);
    EXPECT_INT(task->memory_limit, 512 << 20);
    EXPECT_INT(task->output_limit, 1 << 20);
    r1_code_task_free(task);
    EXPECT_OK(parse("\xEF\xBB\xBF{\"kind\":\"function\",\"language\":\"c\",\"test\":\"int main(){}\"}"), &e); /* a byte order mark */
    r1_code_task_free(task);
}

TEST(a_stdio_task_has_tests_and_a_checker)
{
    EXPECT_OK(parse("{\"kind\":\"stdio\",\"language\":\"cpp\",\"tests\":[{\"stdin\":\"1\\u00002\",\"stdout\":\"x\"},{\"stdout\":\"\"}],\"checker\":\"float:1e-6\","
                    "\"time_limit_s\":0.5,\"memory_limit_mb\":64,\"output_limit_kb\":8}"), &e);
    EXPECT_INT(task->n_tests, 2);
    EXPECT_INT(task->tests[0].input.n, 3);
    EXPECT_INT(task->tests[1].input.n, 0);
    EXPECT(task->tolerance == 1e-6 && task->time_limit_s == 0.5);
    EXPECT_INT(task->output_limit, 8192);
    r1_code_task_free(task);
}

TEST(what_is_wrong_with_a_task_is_named)
{
    static const struct { const char *text, *says; } cases[] = {
        { "[]", "the task is an array, expected an object" },
        { "{\"kind\":\"function\",\"language\":\"python\",\"test\":\"\",\"timeout\":3}", "unknown field 'timeout'" },
        { "{\"language\":\"python\"}", "'kind' is missing" },
        { "{\"kind\":\"function\",\"language\":\"rust\",\"test\":\"t\"}", "'language' is 'rust', expected one of python, c, cpp, javascript" },
        { "{\"kind\":\"function\",\"language\":\"c\"}", "'test' is missing" },
        { "{\"kind\":\"function\",\"language\":\"python\",\"test\":\"t\",\"entry_point\":\"f()\"}", "'entry_point' is 'f()'" },
        { "{\"kind\":\"function\",\"language\":\"python\",\"test\":\"t\",\"entry_point\":\"f().\"}", "names joined by dots or NAME().NAME" },
        { "{\"kind\":\"function\",\"language\":\"python\",\"test\":\"t\",\"entry_point\":\"f.g().h\"}", "'entry_point' is 'f.g().h'" },
        { "{\"kind\":\"function\",\"language\":\"python\",\"test\":\"t\",\"entry_point\":\"f(1).h\"}", "'entry_point' is 'f(1).h'" },
        { "{\"kind\":\"function\",\"language\":\"javascript\",\"test\":\"t\",\"entry_point\":\"f().h\"}", "expected a name, names joined by dots" },
        { "{\"kind\":\"function\",\"language\":\"c\",\"test\":\"t\",\"tests\":[{}]}", "'tests' belongs to kind stdio" },
        { "{\"kind\":\"function\",\"language\":\"c\",\"test\":\"a\\u0000b\"}", "'test' holds a NUL" },
        { "{\"kind\":\"function\",\"language\":\"c\",\"test\":\"int x;\"}", "'test' has no main" },
        { "{\"kind\":\"function\",\"language\":\"python\",\"test\":\"def check(f):\\n    assert f(1)\"}", "'entry_point' is missing" },
        { "{\"kind\":\"stdio\",\"language\":\"c\"}", "'tests' is missing" },
        { "{\"kind\":\"function\",\"language\":\"python\",\"test\":\"t\",\"usual_imports\":1}", "'usual_imports' is an integer, expected true or false" },
        { "{\"kind\":\"function\",\"language\":\"javascript\",\"test\":\"t\",\"usual_imports\":true}", "'usual_imports' belongs to language python" },
        { "{\"kind\":\"stdio\",\"language\":\"c\",\"tests\":[]}", "'tests' has 0 entries" },
        { "{\"kind\":\"stdio\",\"language\":\"c\",\"tests\":[{\"stdin\":\"\"}]}", "entry 1 of 'tests': 'stdout' is missing" },
        { "{\"kind\":\"stdio\",\"language\":\"c\",\"tests\":[{\"stdin\":\"\",\"stdout\":\"\",\"x\":1}]}", "unknown field 'x'; a test has stdin, stdout" },
        { "{\"kind\":\"stdio\",\"language\":\"c\",\"tests\":[{\"stdout\":\"\"}],\"test\":\"t\"}", "'test' belongs to kind function" },
        { "{\"kind\":\"stdio\",\"language\":\"c\",\"tests\":[{\"stdout\":\"\"}],\"checker\":\"float:0x1\"}", "'checker' is 'float:0x1'" },
        { "{\"kind\":\"stdio\",\"language\":\"c\",\"tests\":[{\"stdout\":\"\"}],\"checker\":\"float:-1\"}", "'checker' is" },
        { "{\"kind\":\"stdio\",\"language\":\"c\",\"tests\":[{\"stdout\":\"\"}],\"time_limit_s\":0}", "'time_limit_s' is 0, expected" },
        { "{\"kind\":\"stdio\",\"language\":\"c\",\"tests\":[{\"stdout\":\"\"}],\"time_limit_s\":\"6\"}", "'time_limit_s' is a string" },
        { "{\"kind\":\"stdio\",\"language\":\"c\",\"tests\":[{\"stdout\":\"\"}],\"memory_limit_mb\":-5}", "'memory_limit_mb' is -5" },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        EXPECT_MSG(parse(cases[i].text) == R1_EFORMAT, "%s: %s", cases[i].text, e.msg);
        EXPECT_NULL(task);
        EXPECT_CONTAINS(e.msg, cases[i].says);
    }
}

TEST(verdicts_and_languages_have_names)
{
    EXPECT_STR(r1_code_verdict_name(R1_CODE_PASS), "pass");
    EXPECT_STR(r1_code_verdict_name(R1_CODE_UNSUPPORTED), "unsupported");
    EXPECT_STR(r1_code_language_name(R1_CODE_JAVASCRIPT), "javascript");
}

static bool same(const char *a, const char *b, double tolerance, size_t *line)
{
    return r1_code_same_output((r1_code_text){ a, strlen(a) }, (r1_code_text){ b, strlen(b) }, tolerance, line);
}

TEST(outputs_are_compared_line_by_line)
{
    size_t line;
    EXPECT(same("a\nb\n", "a\nb", -1, &line));
    EXPECT(same("a \t\r\nb\r\n", "a\nb", -1, &line));
    EXPECT(same("", "\n", -1, &line));
    EXPECT(!same("a\nb\n\n", "a\nb\n", -1, &line));
    EXPECT_INT(line, 3);
    EXPECT(!same("a\n", "a\nb\n", -1, &line));
    EXPECT_INT(line, 2);
    EXPECT(!same(" a", "a", -1, &line));
    EXPECT(!same("a  b", "a b", -1, &line));
    EXPECT(!same("a\vb", "a b", -1, &line));
    EXPECT(!same("a\rb", "ab", -1, &line));
    EXPECT(same("1\n\n2", "1\n \n2", -1, &line));
    EXPECT(!same("1.0", "1", -1, &line));
    EXPECT(!r1_code_same_output((r1_code_text){ "a\0b", 3 }, (r1_code_text){ "a\0c", 3 }, -1, &line));
}

/* What is told of the first difference. */
static const char *difference(const char *got, const char *expected, double tolerance)
{
    static char text[300];
    size_t line;
    EXPECT(!same(got, expected, tolerance, &line));
    r1_code_tell_difference((r1_code_text){ got, strlen(got) }, (r1_code_text){ expected, strlen(expected) }, line, text, sizeof text);
    return text;
}

TEST(a_difference_is_told_from_its_place_on)
{
    EXPECT_STR(difference("1\n2\n", "1\n3\n", -1), "line 2 of the output is '2', expected '3'");
    EXPECT_STR(difference("", "1\n3\n", -1), "no output, expected line 1 to be '1'");
    EXPECT_STR(difference("1\n", "1\n3\n", -1), "the output ends before line 2, expected '3'");
    EXPECT_STR(difference("1\n3\n4\n", "1\n3\n", -1), "line 3 of the output is '4', expected is no such line");
    EXPECT_STR(difference("1 2.5", "1 2", 1e-3), "line 1 of the output is '1 2.5', expected '1 2'");
    EXPECT_STR(difference("0123456789012345678901234567890123456789 x", "0123456789012345678901234567890123456789 y", -1),
               "line 1 of the output is '...1234567890123456789 x', expected '...1234567890123456789 y'");
    EXPECT_STR(difference("x\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4" "1",
                          "x\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4" "2", -1),
               "line 1 of the output is '...\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4" "1', expected "
               "'...\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4" "2'");
}

TEST(numbers_are_compared_within_a_tolerance)
{
    size_t line;
    EXPECT(same("1.0 2", "1 2.0000001", 1e-6, &line));
    EXPECT(same("  3 ", "3", 1e-6, &line));
    EXPECT(!same("1.01", "1", 1e-3, &line));
    EXPECT(same("1000.5", "1000", 1e-3, &line));
    EXPECT(same("-1000.5", "-1000", 1e-3, &line));
    EXPECT(!same("1 2", "1", 1, &line));
    EXPECT(!same("nan", "1", 1, &line));
    EXPECT(!same("inf", "1e400", 1, &line));
    EXPECT(same("nan", "nan", 1, &line));
    EXPECT(!same("0x10", "16", 1, &line));
    EXPECT(!same("1_0", "10", 1, &line));
    EXPECT(!same("1e", "1", 1, &line));
    EXPECT(same("1e0 .5 5.", "1 0.5 +5", 1e-9, &line));
    EXPECT(!same("yes 1", "no 1", 1, &line));
    EXPECT(!same("1\n", "1\n1", 1, &line));
    EXPECT(same("5", "4", 1, &line));
}
