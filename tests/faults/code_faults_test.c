/* Failing allocations of the code checker: a task, a checker, a run of each kind, code out of a response. */
#include "tests/faults/faults.h"
#include "reward/code/code.h"

/* A task and a solution that passes. */
typedef struct item {
    const char *task, *solution;
} item;

static r1_status judge(void *ctx, r1_error *err)
{
    const item *i = ctx;
    r1_code_task *t;
    r1_code_checker *c;
    r1_code_result *r = NULL;
    char *code = NULL;
    size_t n = 0;
    r1_status s = r1_code_task_parse_text(&t, i->task, strlen(i->task), err);
    if (s) return s;
    s = r1_code_extract(t, i->solution, strlen(i->solution), &code, &n, err);
    if (!s && !(r = calloc(1, sizeof *r))) {
        s = err->status = R1_ENOMEM;
        snprintf(err->msg, sizeof err->msg, "the test's own");
    }
    if (!s) s = r1_code_checker_open(&c, NULL, err);
    if (!s) {
        s = r1_code_verify(c, t, code, n, r, err);
        if (!s) EXPECT_MSG(r->verdict == R1_CODE_PASS, "%s: %s\n%s", r1_code_verdict_name(r->verdict), r->reason, r->stderr_tail);
        r1_code_checker_close(c);
    }
    free(r);
    free(code);
    r1_code_task_free(t);
    return s;
}

static void sweep(const item *i)
{
    r1_code_checker *c;
    r1_error e = { 0 };
    item copy = *i;
    r1_code_task *t;
    r1_code_result *r = calloc(1, sizeof *r);
    EXPECT(r != NULL);
    EXPECT_OK(r1_code_task_parse_text(&t, i->task, strlen(i->task), &e), &e);
    EXPECT_OK(r1_code_checker_open(&c, NULL, &e), &e);
    EXPECT_OK(r1_code_verify(c, t, i->solution, strlen(i->solution), r, &e), &e);
    bool unsupported = r->verdict == R1_CODE_UNSUPPORTED;
    r1_code_checker_close(c);
    r1_code_task_free(t);
    free(r);
    if (unsupported) SKIP("a language is not installed, or the kernel lacks what a box needs");
    FAULTS_SWEEP(judge, &copy);
}

TEST(a_python_function_survives_failing_allocations)
{
    sweep(&(item){ "{\"kind\":\"function\",\"language\":\"python\",\"test\":\"assert f(1) == 2\"}", "def f(x): return x + 1\n" });
}

TEST(a_c_function_survives_failing_allocations)
{
    sweep(&(item){ "{\"kind\":\"function\",\"language\":\"c\",\"test\":\"int main(void) { return f(1) != 2; }\"}", "int f(int x) { return x + 1; }\n" });
}

TEST(a_program_survives_failing_allocations)
{
    sweep(&(item){ "{\"kind\":\"stdio\",\"language\":\"python\",\"tests\":[{\"stdin\":\"1\",\"stdout\":\"2\"}]}", "print(int(input()) + 1)\n" });
}
