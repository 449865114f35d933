/* C and C++: compiling, linking, running; and what main's 0 is worth.
 *
 * Three boxes. The first compiles the one file of code_source.c; the second links its object with the stub (native_stub.inc), which the
 * first never saw, and which holds this run's number; the third runs the program. A pass is the number on the proof's descriptor
 * and exit status 0.
 *
 * Withstood: exit, _exit, quick_exit and constructors that end the process (no number comes), a main of the solution's own (nobody calls it), macros
 * with words of the test, NDEBUG, functions in the place of the library's that the test calls, handlers of SIGABRT and jumps out
 * of them (a failed assert is told before the signal), guessing in forked children (only the first process proves), a number read at
 * compile time or out of arguments, environment or files (it is nowhere there), machine code changed or added while the program runs (nothing
 * becomes executable after its start: no dlopen, no program started by it), constants and tables of library functions changed (the memory of all
 * images is not mapped or protected again), leaving the test's main early (its statements are counted, code_steps.c), macros of the assembler
 * (code_assembly.c), and in C++ what would decide the test's comparisons (code_cpp.c).
 *
 * Not withstood, by anything that leaves both in one address space: a solution that finds the stub's code in its own process and
 * calls it, or jumps past a comparison and no further. It needs the addresses, which are random, and has no name for them. Judge hostile C by stdio tasks, whose expected outputs are outside. */
#include "reward/code/code_int.h"
#include <ctype.h>
#include <stdio.h>

#define COMPILE_CPU_S 20
#define COMPILE_MEMORY (UINT64_C(1) << 30)
#define COMPILE_OUTPUT (UINT64_C(256) << 10)
#define PROGRAM_MAX ((size_t)256 << 20)
enum { MAX_ARGS = 48 };

static void compile_limits(r1_box_limits *l)
{
    memset(l, 0, sizeof *l);
    l->cpu_s = COMPILE_CPU_S;
    l->wall_s = 10 * COMPILE_CPU_S;
    l->memory_bytes = COMPILE_MEMORY;
    l->output_bytes = COMPILE_OUTPUT;
    l->stack_bytes = UINT64_C(64) << 20;
}

/* Files that the compiler makes in between get a name that says something: /tmp/ccAbCdEf.s is program.s. */
static void name_files(r1_box_result *b)
{
    static const char temporary[] = "/tmp/cc", plain[] = "program";
    enum { DRAWN = 6 };
    size_t out = 0, n = b->n_err;
    for (size_t i = 0; i < n; out++) {
        size_t k = 0;
        const char *p = b->err + i;
        bool named = n - i > sizeof temporary - 1 + DRAWN && !memcmp(p, temporary, sizeof temporary - 1);
        while (named && k < DRAWN && isalnum((unsigned char)p[sizeof temporary - 1 + k])) k++;
        if (k < DRAWN || p[sizeof temporary - 1 + k] != '.') {
            b->err[out] = b->err[i++];
            continue;
        }
        memcpy(b->err + out, plain, sizeof plain - 1);
        out += sizeof plain - 2;
        i += sizeof temporary - 1 + DRAWN;
    }
    if (n) b->err[b->n_err = out] = 0;
}

/* The first line of the compiler's messages that says what is wrong. */
static void first_error(const r1_box_result *b, char *out, size_t size)
{
    const char *at = NULL, *text = b->n_err ? b->err : "";
    static const char *const signs[] = { "undefined reference", "multiple definition", "error:", "Error:" }, *const large[] = { "File size limit exceeded", "No space left on device", "File too large" };
    for (size_t i = 0; i < R1_COUNT(large); i++)
        if (strstr(text, large[i])) {
            snprintf(out, size, "the compiled program is too large: %s", large[i]);
            return;
        }
    for (size_t i = 0; i < R1_COUNT(signs) && !at; i++) at = strstr(text, signs[i]);
    const char *start = at ? at : text, *end;
    while (start > text && start[-1] != '\n') start--;
    end = strchr(start, '\n');
    snprintf(out, size, "%.*s", (int)r1_min(end ? (size_t)(end - start) : strlen(start), 300), start);
}

/* Run the compiler or linker. *out is NULL when the verdict is there. */
static r1_status tool_run(r1_code_run *run, const r1_box_party *party, char **out, size_t *n, r1_error *err)
{
    r1_box_result b = { 0 };
    r1_code_result *r = run->result;
    double cpu = r->cpu_ms, peak = r->peak_mb;
    char text[320];
    *out = NULL;
    r1_status s = r1_code_box(run, party, 1, &b, NULL, NULL, err);
    if (s) return s;
    name_files(&b);
    r->cpu_ms = cpu, r->peak_mb = peak; /* those of the program are asked for, not the compiler's */
    if (b.end == R1_BOX_DENIED || b.end == R1_BOX_NOT_STARTED) {
        (void)r1_code_limit_verdict(run, &b, "the compiler");
    } else if (b.end != R1_BOX_EXITED) {
        r1_code_say(r, R1_CODE_COMPILE_ERROR, "compiling %s", r1_box_describe(&b, text, sizeof text));
    } else if (b.exit_status || !b.taken) {
        first_error(&b, text, sizeof text);
        r1_code_say(r, R1_CODE_COMPILE_ERROR, "%s", text[0] ? text : "the compiler failed");
    } else {
        *out = b.taken;
        *n = b.n_taken;
        b.taken = NULL;
    }
    if (!*out) r1_code_tails(run, &b, NULL);
    r1_box_result_deinit(&b);
    return R1_OK;
}

/* text with every `from` replaced by `to` plus mark. */
static r1_status replace(r1_buf *out, const char *text, const char *const (*pairs)[2], size_t n, const char *mark, r1_error *err)
{
    r1_status s = R1_OK;
    while (*text && !s) {
        size_t i = 0;
        while (i < n && strncmp(text, pairs[i][0], strlen(pairs[i][0]))) i++;
        if (i == n) s = r1_buf_add(out, text++, 1, err);
        else {
            s = r1_buf_addf(out, err, "%s%s", pairs[i][1], mark);
            text += strlen(pairs[i][0]);
        }
    }
    return s;
}

enum { ASSEMBLY = 1, CPP20 = 2 };

/* *out: the object, or with ASSEMBLY the text for the assembler. */
static r1_status compile(r1_code_run *run, const char *compiler, const char *mark, int how, char **out, size_t *n, r1_error *err)
{
    static const char *const pairs[][2] = { { "R1_TEST", "r1_test_" }, { "R1_FAIL", "r1_fail_" }, { "R1_STEP", "r1_step_" } };
    bool cpp = run->task->language == R1_CODE_CPP, function = run->task->kind == R1_CODE_FUNCTION;
    r1_buf source, header;
    r1_buf_init(&source, SIZE_MAX / 2);
    r1_buf_init(&header, SIZE_MAX / 2);
    r1_status s = R1_OK;
    if (function) {
        s = r1_code_native_source(run, mark, &source, err);
        if (!s) s = replace(&header, r1_script_native_assert.data, pairs, R1_COUNT(pairs), mark, err);
    } else {
        s = r1_buf_adds(&source, "#line 1 \"solution\"\n", err);
        if (!s) s = r1_buf_add(&source, run->solution.data, run->solution.n, err);
        if (!s) s = r1_buf_adds(&source, "\n", err);
    }
    const char *argv[MAX_ARGS] = { compiler, "-x", cpp ? "c++" : "c", cpp ? (how & CPP20 ? "-std=gnu++20" : "-std=gnu++17") : "-std=gnu17", "-O2", "-pthread", "-w", "-fno-lto", "-fno-delete-null-pointer-checks", how & ASSEMBLY ? "-S" : "-c", "program.src", "-o", "program.o" };
    if (function) {
        argv[13] = "-isystem";
        argv[14] = R1_BOX_WORK;
    }
    r1_box_file files[2] = { { "program.src", source.data, source.len, 0 }, { "assert.h", header.data, header.len, 0 } };
    r1_box_party party = { .argv = argv, .files = files, .n_files = function ? 2 : 1, .take = "program.o", .take_max = PROGRAM_MAX };
    compile_limits(&party.limits);
    if (!s) s = tool_run(run, &party, out, n, err);
    r1_buf_deinit(&source);
    r1_buf_deinit(&header);
    return s;
}

/* The two halves of the number as differences: -DR1_A0=..., and the length of a step. The number is right behind all steps only. */
static r1_status number_options(const char *number, size_t n_steps, char defs[5][48], r1_error *err)
{
    char mask[R1_CODE_NUMBER], half[17] = "";
    r1_status s = r1_code_number(mask, err);
    if (s) return s;
    memcpy(half, mask, 16);
    unsigned long long length = strtoull(half, NULL, 16) | 1, all = n_steps * length;
    snprintf(defs[4], sizeof defs[0], "-DR1_LENGTH=0x%llxULL", length);
    s = r1_code_number(mask, err);
    for (int i = 0; i < 2 && !s; i++) {
        memcpy(half, number + 16 * i, 16);
        unsigned long long value = strtoull(half, NULL, 16);
        memcpy(half, mask + 16 * i, 16);
        unsigned long long m = strtoull(half, NULL, 16);
        snprintf(defs[2 * i], sizeof defs[0], "-DR1_%c0=0x%llxULL", 'A' + i, value ^ m);
        snprintf(defs[2 * i + 1], sizeof defs[0], "-DR1_%c1=0x%llxULL", 'A' + i, m ^ all);
    }
    return s;
}

/* What the test speaks of and the stub then does not refuse: 1 handlers of SIGABRT and SIGILL, 2 children. */
static int allowances(const r1_code_task *t)
{
    static const char *const words[2][6] = { { "SIGABRT", "SIGILL" }, { "fork", "vfork", "clone", "posix_spawn", "popen", "system" } };
    int allowed = 0;
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 6 && words[i][k]; k++)
            if (r1_code_has_word(t->test, words[i][k], strlen(words[i][k])) || r1_code_has_word(t->prompt, words[i][k], strlen(words[i][k]))) allowed |= 1 << i;
    return allowed;
}

static r1_status link_program(r1_code_run *run, const char *compiler, const char *number, const char *mark, r1_box_file *object, char **program, size_t *n, r1_error *err)
{
    char names[9][64], defs[5][48];
    const char *argv[MAX_ARGS] = { compiler, "-O2", "-w", "-fno-lto", "-pthread", "-s", "-x", "c", "stub.src", "-x", "none", "program.o", "-o", "program" };
    size_t k = 14;
    r1_status s = R1_OK;
    if (number) {
        snprintf(names[0], sizeof names[0], "-DR1_MAIN=r1_main_%s", mark);
        snprintf(names[1], sizeof names[1], "-DR1_FAIL=r1_fail_%s", mark);
        snprintf(names[2], sizeof names[2], "-DR1_EXIT=r1_exit_%s", mark);
        snprintf(names[3], sizeof names[3], "-DR1_ABORT=r1_abort_%s", mark);
        snprintf(names[4], sizeof names[4], "-DR1_FD=%d", r1_code_proof_fd(number));
        snprintf(names[5], sizeof names[5], "-DR1_STEP=r1_step_%s", mark);
        size_t n_steps = 0;
        s = r1_code_steps(run->task, NULL, R1_CODE_STEPS, &n_steps, err);
        snprintf(names[6], sizeof names[6], "-DR1_STEPS=%zu", n_steps);
        if (!s) s = number_options(number, n_steps, defs, err);
        snprintf(names[7], sizeof names[7], "-DR1_ALLOW=%d", allowances(run->task));
        snprintf(names[8], sizeof names[8], "-DR1_UNCAUGHT=r1_uncaught_%s", mark);
        for (int i = 0; i < 9; i++) argv[k++] = names[i];
        for (int i = 0; i < 5; i++) argv[k++] = defs[i];
        argv[k++] = "-Wl,--wrap=main";
    }
    if (run->task->language == R1_CODE_CPP) argv[k++] = "-lstdc++";
    argv[k++] = "-lm";
    if (number) argv[k++] = "-Wl,-z,relro,-z,now"; /* the table of the library's functions is filled at the start and never changes */
    if (number) argv[k++] = "-Wl,--no-as-needed", argv[k++] = "-lgcc_s"; /* pthread_exit loads it, which the running program cannot */
    r1_box_file files[2] = { *object, { "stub.src", r1_script_native_stub.data, r1_script_native_stub.n, 0 } };
    r1_box_party party = { .argv = argv, .files = files, .n_files = 2, .take = "program", .take_max = PROGRAM_MAX };
    compile_limits(&party.limits);
    return s ? s : tool_run(run, &party, program, n, err);
}

int r1_code_proof_fd(const char *number)
{
    return 10 + (number[0] + 7 * number[1]) % 50;
}

/* Refuse a solution whose function is a macro; with `failed`, say so where that is why the test did not compile. */
static r1_status explain_macros(r1_code_run *run, bool failed, r1_error *err)
{
    char what[80];
    r1_code_macros *m;
    if (failed && !strncmp(run->result->reason, "solution:", 9)) return R1_OK; /* wrong in itself */
    r1_code_text message = { run->result->reason, failed ? strlen(run->result->reason) : 0 };
    r1_status s = r1_code_macros_open(&m, run, "", err);
    if (s) return s;
    if (r1_code_macros_only(m, message, what, sizeof what))
        r1_code_say(run->result, R1_CODE_COMPILE_ERROR, "%s is only a macro of the solution; such do not reach the test, which needs a function or a value of that name", what);
    r1_code_macros_free(m);
    return R1_OK;
}

/* What is refused before it is compiled: then the result has its reason. */
static r1_status refuse(r1_code_run *run, r1_error *err)
{
    char what[160];
    r1_status s = explain_macros(run, false, err);
    if (s || run->result->reason[0]) return s;
    const char *forbidden = NULL;
    bool found = false;
    s = r1_code_redefines(run, &found, what, sizeof what, err);
    if (!s && found) r1_code_say(run->result, R1_CODE_COMPILE_ERROR, "the solution redefines %s, which the test relies on", what);
    else if (!s && run->task->language == R1_CODE_CPP) s = r1_code_cpp_forbidden(run, &forbidden, err);
    if (forbidden) r1_code_say(run->result, R1_CODE_COMPILE_ERROR, "the solution %s", forbidden);
    return s;
}

/* Whether a solution that is not C++17 may be C++20. With operators of its own it may not: that turns comparisons round and makes new ones out of them, which code_cpp.c does
 * not know. */
static bool may_be_newer(const r1_code_run *run)
{
    const r1_code_task *t = run->task;
    r1_code_words w;
    if (t->language != R1_CODE_CPP || run->result->verdict != R1_CODE_COMPILE_ERROR) return false;
    if (t->kind != R1_CODE_FUNCTION) return true;
    bool may = r1_code_split(&w, run->solution, true) && !w.glues && !r1_code_has_assembly(run);
    for (size_t i = 0; may && i < w.n; i++) may = !r1_code_word_is(&w, i, "operator");
    r1_code_words_free(&w);
    return may;
}

/* The same as C++20. What is wrong stays as it was told for C++17 when that fails, too. */
static r1_status compile_newer(r1_code_run *run, const char *compiler, const char *mark, char **out, size_t *n, r1_error *err)
{
    r1_code_result *first = malloc(sizeof *first), *r = run->result;
    if (!first) return r1_fail(err, R1_ENOMEM, "no memory for a result");
    *first = *r;
    r1_status s = compile(run, compiler, mark, CPP20, out, n, err);
    double cpu = r->cpu_ms, peak = r->peak_mb;
    if (!s && !*out && r->verdict == R1_CODE_COMPILE_ERROR) *r = *first;
    r->cpu_ms = cpu, r->peak_mb = peak;
    if (!s && *out) r->reason[0] = r->stdout_tail[0] = r->stderr_tail[0] = 0, r->verdict = R1_CODE_NO_VERDICT;
    free(first);
    return s;
}

r1_status r1_code_build(r1_code_run *run, const char *number, char **program, size_t *n, r1_error *err)
{
    char mark[R1_CODE_NUMBER], what[160], *object = NULL;
    size_t n_object = 0;
    *program = NULL;
    const r1_box_program *p = r1_code_find(run, run->task->language == R1_CODE_CPP ? R1_TOOL_GXX : R1_TOOL_GCC);
    if (!p) return R1_OK;
    r1_status s = number ? refuse(run, err) : R1_OK;
    if (s || run->result->reason[0]) return s;
    s = r1_code_number(mark, err);
    if (!s && number && r1_code_has_assembly(run)) {
        s = compile(run, p->path, mark, ASSEMBLY, &object, &n_object, err);
        if (s || !object) return s;
        bool bad = r1_code_assembly_forbidden(object, n_object, what, sizeof what);
        free(object);
        object = NULL;
        if (bad) {
            r1_code_say(run->result, R1_CODE_COMPILE_ERROR, "the solution tells the assembler '%s', which could change the test", what);
            return R1_OK;
        }
    }
    if (!s) s = compile(run, p->path, mark, 0, &object, &n_object, err);
    if (!s && !object && may_be_newer(run)) s = compile_newer(run, p->path, mark, &object, &n_object, err);
    if (!s && object && number && r1_code_replaces(run, object, n_object, what, sizeof what)) {
        r1_code_say(run->result, R1_CODE_COMPILE_ERROR, "the solution %s", what);
        free(object);
        return R1_OK;
    }
    r1_box_file file = { "program.o", object, n_object, 0 };
    if (!s && object) s = link_program(run, p->path, number, mark, &file, program, n, err);
    free(object);
    return !s && number && !*program ? explain_macros(run, true, err) : s;
}

/* ---- running a function task ---- */

static bool proves(const r1_box_result *b, const char *number)
{
    char half[17] = "";
    unsigned long long words[2];
    for (int i = 0; i < 2; i++) {
        memcpy(half, number + 16 * i, 16);
        words[i] = strtoull(half, NULL, 16);
    }
    return b->n_proof == 17 && b->proof[0] == 'P' && !memcmp(b->proof + 1, words, 16);
}

static void decide(r1_code_run *run, const r1_box_result *b, const char *number)
{
    r1_code_result *r = run->result;
    char how[128], kind = b->n_proof ? b->proof[0] : 0;
    const char *said = kind == 'A' || kind == 'R' || kind == 'S' ? b->proof + 1 : "", *text = strchr(said, ' ');
    int n_text = (int)(text ? strcspn(text + 1, "\n") : 0);
    r1_box_describe(b, how, sizeof how);
    if (r1_code_limit_verdict(run, b, "the program")) return;
    if (kind == 'A') r1_code_say(r, R1_CODE_WRONG_ANSWER, "a test failed in line %d of the test: %.*s", atoi(said), n_text, text ? text + 1 : "");
    else if (kind == 'S') r1_code_say(r, R1_CODE_WRONG_ANSWER, "%.*s", n_text, text ? text + 1 : "");
    else if (kind == 'R') r1_code_say(r, R1_CODE_WRONG_ANSWER, "%.*s (status %d)", n_text, text ? text + 1 : "", atoi(said));
    else if (b->end == R1_BOX_SIGNALED && r1_code_err_has(b, "std::bad_alloc")) r1_code_say(r, R1_CODE_MEMORY_LIMIT, "the program ran out of memory (std::bad_alloc)");
    else if (b->end == R1_BOX_SIGNALED) r1_code_say(r, R1_CODE_RUNTIME_ERROR, "the program %s", how);
    else if (proves(b, number) && b->end == R1_BOX_EXITED && b->exit_status == 0) {
        r1_code_say(r, R1_CODE_PASS, "the test passed");
        r->tests_passed = 1;
    } else r1_code_say(r, R1_CODE_NO_VERDICT, "the program %s before the test's main had returned 0", how);
}

r1_status r1_code_run_native(r1_code_run *run, r1_error *err)
{
    char number[R1_CODE_NUMBER], *program = NULL;
    size_t n = 0;
    r1_status s = r1_code_number(number, err);
    if (!s) s = r1_code_build(run, number, &program, &n, err);
    if (s || !program) return s;
    static const char *const argv[] = { "./program", NULL };
    r1_box_file file = { "program", program, n, 0755 };
    r1_box_party party = { .argv = argv, .files = &file, .n_files = 1, .proof_fd = r1_code_proof_fd(number) };
    r1_box_result b = { 0 };
    r1_code_limits(run, &party.limits);
    s = r1_code_box(run, &party, 1, &b, NULL, NULL, err);
    free(program);
    if (s) return s;
    decide(run, &b, number);
    r1_code_tails(run, &b, NULL);
    r1_box_result_deinit(&b);
    return R1_OK;
}
