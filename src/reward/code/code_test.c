/* Whole runs: honest solutions that must pass, wrong ones, and those that fake a pass, from the files of tests/code.
 *
 * A file has cases: "=== name | language | verdict[, verdict...] [| field=value ...]", then sections "--- prompt", "--- solution",
 * "--- test", "--- stdin", "--- stdout" up to the next. A case with stdout is a stdio task (several pairs: several tests); "{{N*text}}" in a
 * section stands for text N times. */
#define _GNU_SOURCE
#include "reward/code/code_int.h"
#include "base/json.h"
#include "base/map.h"
#include "tests/test.h"

typedef struct sections {
    r1_buf text[5];
    int n_io;
    json_t *io;
} sections;

static const char *const section_names[] = { "prompt", "solution", "test", "stdin", "stdout" };

static void trim(char *s)
{
    size_t n = strlen(s);
    while (n && (s[n - 1] == ' ' || s[n - 1] == '\n')) s[--n] = 0;
}

/* {{N*text}} is written out. */
static void add_line(r1_buf *b, const char *line, size_t n)
{
    const char *open = memmem(line, n, "{{", 2), *star = open ? memchr(open, '*', n - (size_t)(open - line)) : NULL;
    const char *close = star ? memmem(star, n - (size_t)(star - line), "}}", 2) : NULL;
    char *end;
    long times = open ? strtol(open + 2, &end, 10) : 0;
    if (!close || end != star) {
        EXPECT(!r1_buf_add(b, line, n, NULL));
        return;
    }
    EXPECT(!r1_buf_add(b, line, (size_t)(open - line), NULL));
    for (long i = 0; i < times; i++) EXPECT(!r1_buf_add(b, star + 1, (size_t)(close - star - 1), NULL));
    add_line(b, close + 2, n - (size_t)(close + 2 - line));
}

static r1_code_task *make_task(const char *language, const char *options, sections *s)
{
    json_t *o = json_pack("{s:s}", "language", language);
    bool stdio = s->n_io > 0;
    json_object_set_new(o, "kind", json_string(stdio ? "stdio" : "function"));
    if (stdio) json_object_set(o, "tests", s->io);
    else {
        json_object_set_new(o, "prompt", json_stringn_nocheck(s->text[0].data ? s->text[0].data : "", s->text[0].len));
        json_object_set_new(o, "test", json_stringn_nocheck(s->text[2].data ? s->text[2].data : "", s->text[2].len));
    }
    char copy[512];
    snprintf(copy, sizeof copy, "%s", options);
    for (char *save, *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        char *eq = strchr(w, '=');
        EXPECT_MSG(eq != NULL, "option '%s'", w);
        *eq = 0;
        double number;
        bool is_number = strcmp(w, "entry_point") && r1_code_decimal(eq + 1, strlen(eq + 1), &number);
        json_object_set_new(o, w, is_number ? json_real(number) : json_string(eq + 1));
    }
    r1_code_task *t;
    r1_error e = { 0 };
    EXPECT_OK(r1_code_task_parse(&t, o, &e), &e);
    json_decref(o);
    return t;
}

static bool is_listed(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ' ' || p[-1] == ',') && (!p[n] || p[n] == ' ' || p[n] == ',')) return true;
    return false;
}

/* The blank line before the next case is none of this one's. */
static void drop_blank_line(r1_buf *b)
{
    if (b->len && b->data[b->len - 1] == '\n' && (b->len == 1 || b->data[b->len - 2] == '\n')) b->data[--b->len] = 0;
}

/* Counters of one file. */
typedef struct score {
    int n, n_wrong, n_skipped;
} score;

static void run_case(r1_code_checker *c, char *head, sections *s, score *k)
{
    char *save, *name = strtok_r(head, "|", &save), *language = strtok_r(NULL, "|", &save), *verdicts = strtok_r(NULL, "|", &save), *options = strtok_r(NULL, "|", &save);
    EXPECT_MSG(verdicts != NULL, "case '%s' has no verdict", head);
    trim(name);
    language += strspn(language, " ");
    trim(language);
    trim(verdicts);
    const char *only = getenv("R1_CASE"); /* part of a name: run only these, and tell all */
    if (only && !strstr(name, only)) return;
    r1_code_task *t = make_task(language, options ? options : "", s);
    r1_code_result *r = calloc(1, sizeof *r);
    r1_error e = { 0 };
    EXPECT_OK(r1_code_verify(c, t, s->text[1].data ? s->text[1].data : "", s->text[1].len, r, &e), &e);
    k->n++;
    bool right = is_listed(verdicts, r1_code_verdict_name(r->verdict)) && (r->tests_passed == r->tests) == (r->verdict == R1_CODE_PASS);
    if (r->verdict == R1_CODE_UNSUPPORTED && !right) k->n_skipped++;
    else if (!right) k->n_wrong++;
    if (!right || only)
        printf("%s: %s (%s), expected%s; %zu of %zu tests, %.0f ms, %.0f MB\n%s%s", name, r1_code_verdict_name(r->verdict), r->reason, verdicts, r->tests_passed, r->tests,
               r->cpu_ms, r->peak_mb, r->stdout_tail, r->stderr_tail);
    free(r);
    r1_code_task_free(t);
}

static void reset(sections *s)
{
    for (int i = 0; i < 5; i++) r1_buf_clear(&s->text[i]);
    json_decref(s->io);
    s->io = json_array();
    s->n_io = 0;
}

/* A pair of stdin and stdout is complete. */
static void end_io(sections *s, int section)
{
    if (section != 4) return;
    json_array_append_new(s->io, json_pack("{s:s%, s:s%}", "stdin", s->text[3].data ? s->text[3].data : "", s->text[3].len, "stdout",
                                           s->text[4].data ? s->text[4].data : "", s->text[4].len));
    s->n_io++;
    r1_buf_clear(&s->text[3]);
    r1_buf_clear(&s->text[4]);
}

static void run_cases(const char *file, int at_least)
{
    char path[256], *text, head[512] = "";
    size_t n;
    r1_error e = { 0 };
    r1_code_checker *c;
    sections s = { .io = NULL };
    score k = { 0 };
    int section = -1;
    for (int i = 0; i < 5; i++) r1_buf_init(&s.text[i], 64 << 20);
    reset(&s);
    snprintf(path, sizeof path, "code/%s", file);
    EXPECT_OK(r1_file_read(test_path(path), 8 << 20, &text, &n, &e), &e);
    EXPECT_OK(r1_code_checker_open(&c, NULL, &e), &e);
    for (char *line = text, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        size_t len = (size_t)(end - line);
        if (!strncmp(line, "=== ", 4)) {
            if (section >= 0) drop_blank_line(&s.text[section]);
            end_io(&s, section);
            if (head[0]) run_case(c, head, &s, &k);
            reset(&s);
            snprintf(head, sizeof head, "%.*s", (int)len - 4, line + 4);
            section = -1;
        } else if (!strncmp(line, "--- ", 4)) {
            end_io(&s, section);
            section = 0;
            while (section < 5 && (strlen(section_names[section]) != len - 4 || memcmp(line + 4, section_names[section], len - 4))) section++;
            EXPECT_MSG(section < 5, "section '%.*s' of '%s'", (int)len, line, head);
        } else if (section >= 0) {
            add_line(&s.text[section], line, len + 1);
        }
    }
    end_io(&s, section);
    if (head[0]) run_case(c, head, &s, &k);
    r1_code_checker_close(c);
    for (int i = 0; i < 5; i++) r1_buf_deinit(&s.text[i]);
    json_decref(s.io);
    free(text);
    printf("%s: %d cases, %d wrong, %d not supported here\n", file, k.n, k.n_wrong, k.n_skipped);
    EXPECT_INT(k.n_wrong, 0);
    if (!getenv("R1_CASE")) EXPECT_MSG(k.n >= at_least, "%d cases, expected %d", k.n, at_least);
    if (k.n_skipped) SKIP("a language is not installed, or the kernel lacks what a box needs");
}

TEST(honest_solutions_pass)
{
    run_cases("honest.cases", 40);
}

TEST(honest_native_solutions_pass)
{
    run_cases("honest_cpp.cases", 12);
}

TEST(wrong_solutions_have_their_verdicts)
{
    run_cases("wrong.cases", 20);
}

TEST(python_cannot_fake_a_pass)
{
    run_cases("fake_python.cases", 20);
}

TEST(javascript_cannot_fake_a_pass)
{
    run_cases("fake_javascript.cases", 12);
}

TEST(c_cannot_fake_a_pass)
{
    run_cases("fake_c.cases", 20);
}

TEST(native_code_cannot_reach_around_the_test)
{
    run_cases("fake_native.cases", 25);
}

TEST(stdio_cannot_fake_a_pass)
{
    run_cases("fake_stdio.cases", 8);
}

TEST(attacks_on_the_machine_end)
{
    run_cases("contain.cases", 15);
}

/* A function test of a language, judged. */
static r1_status judge_function(r1_code_checker *c, const char *language, const char *test, r1_code_text solution, r1_code_result *r, r1_error *e)
{
    r1_code_task *t;
    json_t *o = json_pack("{s:s, s:s, s:s}", "kind", "function", "language", language, "test", test);
    EXPECT_OK(r1_code_task_parse(&t, o, e), e);
    r1_status s = r1_code_verify(c, t, solution.data, solution.n, r, e);
    r1_code_task_free(t);
    json_decref(o);
    return s;
}

/* The reason for a failure names what the test did that stays in its process; other failures are told nothing of it. */
TEST(what_does_not_cross_is_told)
{
    static const struct {
        const char *language, *solution, *test, *verdict, *told;
    } cases[] = {
        { "python", "LIMIT = 100\ndef f(x): return x > LIMIT\n", "LIMIT = 10\nassert f(11)\n", "wrong_answer", "sets LIMIT, a name of the solution" },
        { "python", "def g(): return 1\ndef f(): return g()\n", "def g(): return 2\nassert f() == 2\n", "wrong_answer", "sets g, a name of the solution" },
        { "python", "r = 3\nLIMIT = 5\ndef f(x): return x + LIMIT\n", "r = f(1)\nLIMIT = 5\nassert r == 9\n", "wrong_answer", NULL },
        { "python", "class S:\n def f(self): return self\n def __sub__(self, o): return 0\n", "assert abs(S().f() - 4) < 1\n", "runtime_error", "gives no number" },
        { "python", "class S:\n pass\n", "class T(S):\n def __new__(c): return 1\nT()\n", "runtime_error", "cannot have a __new__" },
        { "javascript", "let limit = 100; const f = (x) => x > limit;", "limit = 10; require('assert').ok(f(11));", "wrong_answer", "assigns limit, a variable of the solution" },
        { "javascript", "Object.prototype.size = function () { return 1; };", "require('assert').strictEqual({}.size(), 1);", "runtime_error", "Object.prototype.size is the solution's own" },
        { "javascript", "const f = (a) => a.second();", "Array.prototype.second = function () { return this[1]; };\nf([1, 2]);", "runtime_error", "Array.prototype.second is the test's own" },
        { "javascript", "const f = (x) => x;", "require('assert').strictEqual(f(1), 2);", "wrong_answer", NULL },
    };
    r1_code_checker *c;
    r1_error e = { 0 };
    EXPECT_OK(r1_code_checker_open(&c, NULL, &e), &e);
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_code_result r;
        EXPECT_OK(judge_function(c, cases[i].language, cases[i].test, (r1_code_text){ cases[i].solution, strlen(cases[i].solution) }, &r, &e), &e);
        if (r.verdict == R1_CODE_UNSUPPORTED) continue;
        EXPECT_STR(r1_code_verdict_name(r.verdict), cases[i].verdict);
        if (cases[i].told) EXPECT_CONTAINS(r.reason, cases[i].told);
        else EXPECT_MSG(!strstr(r.reason, "the test sets") && !strstr(r.reason, "the test assigns"), "%s", r.reason);
    }
    r1_code_checker_close(c);
}

/* A test that comes to its end without asking anything of the solution is an error of the task; classes of tests are counted. */
TEST(a_test_that_tests_nothing_is_an_error)
{
    static const struct {
        const char *language, *test;
        r1_status status;
        size_t tests, passed;
    } cases[] = {
        { "python", "# nothing\n", R1_EFORMAT, 0, 0 },
        { "python", "def run():\n    assert f(1) == 1\n", R1_EFORMAT, 0, 0 },
        { "python", "def test_a(fixture):\n    assert f(1) == 1\n", R1_EFORMAT, 0, 0 },
        { "python", "import unittest\nunittest.main()\n", R1_EFORMAT, 0, 0 },
        { "python", "import unittest\n@unittest.skip('x')\nclass T(unittest.TestCase):\n def test_a(self): f(1)\n", R1_EFORMAT, 0, 0 },
        { "python", "def test_a(): assert f(1) == 1\ndef test_b(fixture): assert f(1) == 2\n", R1_EFORMAT, 0, 0 },
        { "python", "f(1)\n", R1_OK, 1, 1 },
        { "python", "import unittest\nclass T(unittest.TestCase):\n def test_a(self): f(1)\n def test_b(self): self.assertEqual(f(1), 1)\n", R1_OK, 2, 2 },
        { "python", "import unittest\nclass T(unittest.TestCase):\n def test_a(self): f(1)\n def test_b(self): self.assertEqual(f(1), 2)\n", R1_OK, 2, 1 },
        { "python", "def test_a(): f(1)\ndef test_b(): assert f(1) == 2\ndef test_c(): pass\n", R1_OK, 3, 1 },
        { "javascript", "const run = () => { require('assert').equal(f(1), 2); };", R1_EFORMAT, 0, 0 },
        { "javascript", "f(1);", R1_OK, 1, 1 },
    };
    r1_code_checker *c;
    r1_error e = { 0 };
    EXPECT_OK(r1_code_checker_open(&c, NULL, &e), &e);
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_code_result r;
        const char *solution = *cases[i].language == 'p' ? "def f(x): return x\n" : "const f = (x) => x;";
        r1_status s = judge_function(c, cases[i].language, cases[i].test, (r1_code_text){ solution, strlen(solution) }, &r, &e);
        if (s == R1_OK && r.verdict == R1_CODE_UNSUPPORTED) continue;
        EXPECT_MSG(s == cases[i].status, "case %zu: status %d (%s), expected %d", i, (int)s, s ? e.msg : r.reason, (int)cases[i].status);
        if (s == R1_OK) EXPECT_MSG(r.tests == cases[i].tests && r.tests_passed == cases[i].passed, "case %zu: %zu of %zu tests", i, r.tests_passed, r.tests);
        else EXPECT_CONTAINS(e.msg, "'test'");
    }
    r1_code_checker_close(c);
}

/* What is examined word by word has an end: its time grows with the square of the words. */
TEST(long_cpp_solutions_with_operators_are_not_examined)
{
    r1_code_checker *c;
    r1_code_result r;
    r1_error e = { 0 };
    r1_buf b;
    r1_buf_init(&b, 1 << 20);
    EXPECT_OK(r1_buf_adds(&b, "struct E { int w; bool operator<(const E &o) const { return w < o.w; } };\nvoid g(int) {}\nint f() {\n", &e), &e);
    for (int i = 0; i < 4000; i++) EXPECT_OK(r1_buf_adds(&b, "g(1);\n", &e), &e);
    EXPECT_OK(r1_buf_adds(&b, "return 1; }\n", &e), &e);
    EXPECT_OK(r1_code_checker_open(&c, NULL, &e), &e);
    EXPECT_OK(judge_function(c, "cpp", "int main() { if (f() != 1) return 1; }", (r1_code_text){ b.data, b.len }, &r, &e), &e);
    if (r.verdict != R1_CODE_UNSUPPORTED) EXPECT_CONTAINS(r.reason, "too many words");
    r1_code_checker_close(c);
    r1_buf_deinit(&b);
}

/* A program that fails tells how, and one that is wrong where. */
TEST(reasons_of_programs_name_what_happened)
{
    static const struct {
        const char *language, *solution, *said;
    } cases[] = {
        { "python", "import sys\nprint('note', file=sys.stderr)\nint('x')\n", "test 1 exited with status 1: ValueError: invalid literal for int()" },
        { "python", "raise ValueError('one\\ntwo')\n", "status 1: ValueError: one" },
        { "python", "import sys\nprint('note', file=sys.stderr)\nsys.exit('no way')\n", "status 1: no way" },
        { "python", "exit(3)\n", "exited with status 3" },
        { "python", "print('a')\n", "test 1: line 1 of the output is 'a', expected 'x'" },
        { "python", "x = " "{{\n", "SyntaxError" },
        { "javascript", "console.error('note'); throw new RangeError('one\\ntwo')", "status 1: RangeError: one" },
        { "javascript", "const e = new Error('m'); e.code = 'E'; throw e", "status 1: Error: m" },
        { "javascript", "function g(n) { return g(n + 1) + 1; } g(0)", "status 1: RangeError: Maximum call stack size exceeded" },
        { "javascript", "throw 'text'", "text" },
        { "javascript", "console.log(1)", "test 1: line 1 of the output is '1', expected 'x'" },
    };
    r1_code_checker *c;
    r1_error e = { 0 };
    EXPECT_OK(r1_code_checker_open(&c, NULL, &e), &e);
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_code_task *t;
        r1_code_result r;
        json_t *o = json_pack("{s:s, s:s, s:[{s:s, s:s}]}", "kind", "stdio", "language", cases[i].language, "tests", "stdin", "", "stdout", "x\n");
        EXPECT_OK(r1_code_task_parse(&t, o, &e), &e);
        EXPECT_OK(r1_code_verify(c, t, cases[i].solution, strlen(cases[i].solution), &r, &e), &e);
        r1_code_task_free(t);
        json_decref(o);
        if (r.verdict != R1_CODE_UNSUPPORTED) EXPECT_CONTAINS(r.reason, cases[i].said);
    }
    r1_code_checker_close(c);
}

/* A checker prepares its scripts at some run; all have the same verdicts. */
TEST(many_runs_of_one_checker)
{
    static const char text[] = "{\"kind\":\"function\",\"language\":\"python\",\"test\":\"assert f(2) == 4\"}", right[] = "def f(x): return x * x\n", wrong[] = "def f(x): return x\n";
    r1_code_checker *c;
    r1_code_task *t;
    r1_code_result r;
    r1_error e = { 0 };
    EXPECT_OK(r1_code_task_parse_text(&t, text, strlen(text), &e), &e);
    EXPECT_OK(r1_code_checker_open(&c, NULL, &e), &e);
    for (int i = 0; i < 6; i++) {
        EXPECT_OK(r1_code_verify(c, t, right, strlen(right), &r, &e), &e);
        if (r.verdict == R1_CODE_UNSUPPORTED) break;
        EXPECT_STR(r1_code_verdict_name(r.verdict), "pass");
        EXPECT_OK(r1_code_verify(c, t, wrong, strlen(wrong), &r, &e), &e);
        EXPECT_STR(r1_code_verdict_name(r.verdict), "wrong_answer");
        EXPECT_CONTAINS(r.reason, "line 1 of the test");
    }
    EXPECT(r.verdict == R1_CODE_UNSUPPORTED || c->prepared[0].n_taken > 1000);
    r1_code_checker_close(c);
    r1_code_task_free(t);
}

/* The verdict on a solution that is right. */
static void judge(const r1_code_options *o, const char *language, r1_code_result *r)
{
    char text[512];
    r1_code_checker *c;
    r1_code_task *t;
    r1_error e = { 0 };
    snprintf(text, sizeof text, "{\"kind\":\"stdio\",\"language\":\"%s\",\"tests\":[{\"stdin\":\"\",\"stdout\":\"\"}]}", language);
    EXPECT_OK(r1_code_task_parse_text(&t, text, strlen(text), &e), &e);
    EXPECT_OK(r1_code_checker_open(&c, o, &e), &e);
    const char *solution = *language == 'c' ? "int main(void) { return 0; }" : "0";
    EXPECT_OK(r1_code_verify(c, t, solution, strlen(solution), r, &e), &e);
    r1_code_checker_close(c);
    r1_code_task_free(t);
}

TEST(what_is_missing_is_named)
{
    static const char *const languages[] = { "python", "javascript", "c" };
    static const char *const programs[] = { "neither python3 nor python", "neither node nor nodejs", "neither gcc nor clang" };
    r1_code_result r;
    for (size_t i = 0; i < R1_COUNT(languages); i++) {
        judge(&(r1_code_options){ .pretend_missing = R1_CODE_NO_PROGRAMS }, languages[i], &r);
        EXPECT_STR(r1_code_verdict_name(r.verdict), "unsupported");
        EXPECT_CONTAINS(r.reason, programs[i]);
    }
    judge(&(r1_code_options){ .pretend_missing = R1_BOX_SECCOMP }, "python", &r);
    EXPECT_STR(r1_code_verdict_name(r.verdict), "unsupported");
    EXPECT_CONTAINS(r.reason, "seccomp");
}

static bool at_once(void *ctx)
{
    ++*(int *)ctx;
    return true;
}

TEST(a_run_can_be_cancelled)
{
    static const char text[] = "{\"kind\":\"function\",\"language\":\"python\",\"test\":\"f()\"}", solution[] = "def f():\n    while True: pass\n";
    int asked = 0;
    r1_code_options o = { .cancelled = at_once, .ctx = &asked };
    r1_code_checker *c;
    r1_code_task *t;
    r1_code_result r;
    r1_error e = { 0 };
    EXPECT_OK(r1_code_task_parse_text(&t, text, strlen(text), &e), &e);
    EXPECT_OK(r1_code_checker_open(&c, &o, &e), &e);
    if (!c->boxes) {
        r1_code_checker_close(c);
        r1_code_task_free(t);
        SKIP("the kernel lacks what a box needs");
    }
    EXPECT_STATUS(r1_code_verify(c, t, solution, strlen(solution), &r, &e), R1_ECANCELLED);
    EXPECT(asked >= 1);
    r1_code_checker_close(c);
    r1_code_task_free(t);
}
