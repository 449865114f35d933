/* stdio tasks: the solution is a program that each test runs once, in a fresh box. What it should print stays outside. The first test that
 * fails decides, and those after it are not run. */
#define _GNU_SOURCE
#include "reward/code/code_int.h"
#include <stdio.h>

enum { FD_SOURCE = 4, FD_PROOF = 5, FD_SCRIPT = 6 };

/* What every test of one task runs. */
typedef struct program {
    char *native;                  /* C, C++: the file to run */
    size_t n_native;
    const char *argv[8];
    const r1_code_script *script;  /* Python, JavaScript: what starts the solution */
} program;

/* *ready is false when the verdict is there. */
static r1_status prepare(r1_code_run *run, program *p, bool *ready, r1_error *err)
{
    r1_code_language l = run->task->language;
    *ready = false;
    if (l == R1_CODE_C || l == R1_CODE_CPP) {
        r1_status s = r1_code_build(run, NULL, &p->native, &p->n_native, err);
        p->argv[0] = "./program";
        *ready = !s && p->native;
        return s;
    }
    const r1_box_program *tool = r1_code_find(run, l == R1_CODE_PYTHON ? R1_TOOL_PYTHON : R1_TOOL_NODE);
    if (!tool) return R1_OK;
    const char *const python[] = { tool->path, "-I", "-X", "utf8", "-c", r1_code_start_python };
    const char *const node[] = { tool->path, "--no-warnings", "--experimental-vm-modules", "--stack-size=3900", "-e", r1_code_start_node };
    memcpy(p->argv, l == R1_CODE_PYTHON ? python : node, sizeof python);
    p->script = l == R1_CODE_PYTHON ? &r1_script_stdio_py : &r1_script_stdio_js;
    *ready = true;
    return R1_OK;
}

/* Whether the last line of stderr, or of one of Node's reports, is about memory. */
static bool out_of_memory(const r1_code_run *run, const r1_box_result *b)
{
    switch (run->task->language) {
    case R1_CODE_PYTHON: return b->n_err >= 11 && r1_code_err_has(b, "\nMemoryError");
    case R1_CODE_CPP: return b->end == R1_BOX_SIGNALED && r1_code_err_has(b, "std::bad_alloc");
    case R1_CODE_JAVASCRIPT: return r1_code_err_has(b, "JavaScript heap out of memory") || r1_code_err_has(b, "RangeError: Array buffer allocation failed");
    default: return false;
    }
}

/* Whether a line of standard error may be the one that says what went wrong: not the place, a frame, a mark or what Node adds. */
static bool may_say(const char *s, size_t n, r1_code_language l)
{
    static const char *const never[] = { "Node.js v", "(Use `node", "}", "{", "^" };
    if (!n || s[0] == ' ' || s[0] == '\t') return false;
    for (size_t i = 0; l == R1_CODE_JAVASCRIPT && i < R1_COUNT(never); i++)
        if (n >= strlen(never[i]) && !memcmp(s, never[i], strlen(never[i]))) return false;
    return true;
}

/* The exception that ended a Python or JavaScript program, as its standard error tells it: the last such line, or the first of several that stand behind
 * frames (Python) or an empty line (Node). Empty: there is none. */
static r1_code_text exception_of(const r1_code_run *run, const r1_box_result *b)
{
    r1_code_language l = run->task->language;
    r1_code_text last = { "", 0 }, line = last;
    size_t end = b->n_err, first = b->n_err > 65536 ? b->n_err - 65536 : 0;
    if (l != R1_CODE_PYTHON && l != R1_CODE_JAVASCRIPT) return last;
    for (size_t from; end > first; end = from ? from - 1 : 0) {
        const char *lf = memrchr(b->err + first, '\n', end - first), *s;
        from = lf ? (size_t)(lf - b->err) + 1 : first;
        s = b->err + from;
        if (may_say(s, end - from, l)) {
            line = (r1_code_text){ s, end - from };
            if (!last.n) last = line;
        } else if (last.n) {
            return (l == R1_CODE_PYTHON ? end > from : end == from) ? line : last;
        }
        if (!lf) break;
    }
    return last;
}

/* Whether test i passed; the verdict is set when not. */
static bool decide(r1_code_run *run, const r1_box_result *b, size_t i)
{
    r1_code_result *r = run->result;
    const r1_code_io *io = &run->task->tests[i];
    r1_code_text out = { b->out ? b->out : "", b->n_out };
    char what[64], how[128], difference[300];
    size_t line;
    snprintf(what, sizeof what, "test %zu", i + 1);
    r1_box_describe(b, how, sizeof how);
    if (r1_code_limit_verdict(run, b, what)) return false;
    if (b->n_proof) r1_code_say(r, R1_CODE_COMPILE_ERROR, "%.*s", (int)r1_min(b->n_proof, 400), b->proof);
    else if ((b->end == R1_BOX_SIGNALED || b->exit_status) && out_of_memory(run, b)) r1_code_say(r, R1_CODE_MEMORY_LIMIT, "%s ran out of memory", what);
    else if (b->end != R1_BOX_EXITED || b->exit_status) {
        r1_code_text x = exception_of(run, b);
        r1_code_say(r, R1_CODE_RUNTIME_ERROR, "%s %s%s%.*s", what, how, x.n ? ": " : "", (int)r1_min(x.n, 200), x.data);
    } else if (!r1_code_same_output(out, io->expected, run->task->tolerance, &line)) {
        r1_code_tell_difference(out, io->expected, line, difference, sizeof difference);
        r1_code_say(r, R1_CODE_WRONG_ANSWER, "%s: %s", what, difference);
    } else return true;
    return false;
}

/* The source in memory; before that of Python stands whether it has the usual names (stdio.py). */
static r1_status open_source(const r1_code_run *run, int *fd, r1_error *err)
{
    r1_buf source;
    r1_buf_init(&source, SIZE_MAX / 2);
    r1_status s = run->task->language == R1_CODE_PYTHON ? r1_buf_adds(&source, run->task->usual_imports ? "1" : "0", err) : R1_OK;
    if (!s) s = r1_buf_add(&source, run->solution.data, run->solution.n, err);
    if (!s && (*fd = r1_code_memory_file(source.data ? source.data : "", source.len, err)) < 0) s = R1_EIO;
    r1_buf_deinit(&source);
    return s;
}

static r1_status run_test(r1_code_run *run, const program *p, size_t i, bool *passed, r1_error *err)
{
    const r1_code_io *io = &run->task->tests[i];
    r1_box_file file = { "program", p->native, p->n_native, 0755 };
    r1_box_fd fds[2] = { { -1, FD_SOURCE }, { -1, FD_SCRIPT } };
    r1_box_party party = { .argv = p->argv, .stdin_data = io->input.data, .stdin_bytes = io->input.n };
    r1_box_result b = { 0 };
    r1_status s = R1_OK;
    r1_code_limits(run, &party.limits);
    if (p->native) {
        party.files = &file;
        party.n_files = 1;
    } else {
        s = open_source(run, &fds[0].host, err);
        if (!s && (fds[1].host = r1_code_memory_file(p->script->data, p->script->n, err)) < 0) s = R1_EIO;
        party.fds = fds;
        party.n_fds = 2;
        party.proof_fd = FD_PROOF;
    }
    if (!s) s = r1_code_box(run, &party, 1, &b, NULL, NULL, err);
    for (int k = 0; k < 2; k++) r1_code_close(fds[k].host);
    if (s) return s;
    *passed = decide(run, &b, i);
    r1_code_tails(run, &b, NULL);
    r1_box_result_deinit(&b);
    return R1_OK;
}

r1_status r1_code_run_stdio(r1_code_run *run, r1_error *err)
{
    program p = { 0 };
    bool ready, passed = true;
    r1_code_result *r = run->result;
    r1_status s = prepare(run, &p, &ready, err);
    for (size_t i = 0; i < run->task->n_tests && ready && passed && !s; i++) {
        s = run_test(run, &p, i, &passed, err);
        if (!s && passed) r->tests_passed++;
    }
    free(p.native);
    if (!s && ready && passed) r1_code_say(r, R1_CODE_PASS, r->tests == 1 ? "the test passed" : "all %zu tests passed", r->tests);
    return s;
}
