/* Fuzz target: what the code checker reads from outside. The first byte chooses: 't' a task file, 's' a solution, of which the file to
 * compile is made for a C and a C++ task, 'm' a test whose steps are counted, 'a' a text for the assembler, 'e' an object file, 'x' a response to take code out of, 'o' two outputs with a NUL
 * between. A task that is accepted keeps its promises; the file to compile holds the solution whole. */
#define _GNU_SOURCE
#include "reward/code/code_int.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char test_text[] = "#include <assert.h>\n#include <string.h>\nint main(void) { assert(f(1) == 2 && strcmp(g(), \"a\") == 0 && MAX(1, 2)); return 0; }\n";

static void fuzz_task(const char *text, size_t n)
{
    r1_code_task *t;
    r1_error e = { 0 };
    r1_status s = r1_code_task_parse_text(&t, text, n, &e);
    if (s) {
        require((s == R1_EFORMAT || s == R1_ELIMIT) && e.msg[0] && !t);
        return;
    }
    require(t->n_tests >= 1 && t->time_limit_s > 0 && t->memory_limit > 0);
    require(t->kind == R1_CODE_FUNCTION ? !t->tests && t->test.data && !memchr(t->test.data, 0, t->test.n) : t->tests && !t->test.n);
    r1_code_task_free(t);
}

static r1_code_task c_task(bool cpp, bool entry)
{
    return (r1_code_task){ .kind = R1_CODE_FUNCTION, .language = cpp ? R1_CODE_CPP : R1_CODE_C, .prompt = { "#include <stdio.h>\n", 19 },
                           .test = { test_text, sizeof test_text - 1 }, .entry_point = { entry ? "f" : "", entry }, .n_tests = 1 };
}

static void fuzz_solution(const char *text, size_t n)
{
    size_t step = (size_t)(strstr(test_text, " return") - test_text); /* behind its one statement stands a call */
    for (int i = 0; i < 4; i++) {
        r1_code_task t = c_task(i & 1, i & 2);
        r1_code_run run = { NULL, &t, { text, n }, NULL };
        char what[80] = "";
        r1_buf out;
        r1_buf_init(&out, SIZE_MAX / 2);
        require(!r1_code_native_source(&run, "0", &out, NULL));
        require(out.len > n && (!n || memmem(out.data, out.len, text, n)) && memmem(out.data, out.len, test_text, step) && memmem(out.data, out.len, test_text + step, sizeof test_text - 1 - step));
        (void)r1_code_has_assembly(&run);
        bool found;
        const char *forbidden = NULL;
        require(!r1_code_redefines(&run, &found, what, sizeof what, NULL) && (!found || what[0]));
        if (i & 1) require(!r1_code_cpp_forbidden(&run, &forbidden, NULL));
        require(!forbidden || *forbidden);
        r1_buf_deinit(&out);
    }
}

/* A test: its steps are in order and inside, and the file holds it whole but for them. */
static void fuzz_test(const char *text, size_t n)
{
    for (int i = 0; i < 2; i++) {
        static size_t places[R1_CODE_STEPS];
        r1_code_task t = c_task(i, false);
        r1_code_run run = { NULL, &t, { "int f(int x) { return x; }", 26 }, NULL };
        r1_buf out;
        t.test = (r1_code_text){ text, n };
        size_t n_steps, n_few;
        require(!r1_code_steps(&t, places, R1_CODE_STEPS, &n_steps, NULL) && !r1_code_steps(&t, NULL, 3, &n_few, NULL));
        require(n_steps <= R1_CODE_STEPS && n_few == r1_min(n_steps, 3));
        for (size_t k = 0; k < n_steps; k++) require(places[k] > (k ? places[k - 1] : 0) && places[k] <= n && strchr(";}", text[places[k] - 1]));
        r1_buf_init(&out, SIZE_MAX / 2);
        require(!r1_code_native_source(&run, "0", &out, NULL));
        require(!n_steps || memmem(out.data, out.len, text, places[0]));
        const char *why;
        if (i) require(!r1_code_cpp_forbidden(&run, &why, NULL));
        r1_buf_deinit(&out);
    }
}

static void fuzz_assembly(const char *text, size_t n)
{
    char what[80] = "";
    if (r1_code_assembly_forbidden(text, n, what, sizeof what)) require(what[0]);
}

static void fuzz_object(const char *bytes, size_t n)
{
    r1_code_task t = c_task(false, true);
    r1_code_run run = { NULL, &t, { "", 0 }, NULL };
    char what[160] = "";
    if (r1_code_replaces(&run, bytes, n, what, sizeof what)) require(what[0]);
}

/* Code is the text without what stands around it and the indent of its lines. */
static bool is_part(const char *text, size_t n, const char *code, size_t n_code)
{
    size_t k = 0;
    for (size_t i = 0; i < n && k < n_code; i++) k += text[i] == code[k];
    return k == n_code;
}

static void fuzz_response(const char *text, size_t n)
{
    for (int l = 0; l < 8; l++) {
        r1_code_text f = { "f", (size_t)(l & 1) }, prompt = { text, l & 1 ? 0 : n };
        r1_code_task t = { .language = (r1_code_language)(l / 2), .entry_point = f, .prompt = prompt, .test = prompt };
        char *code;
        const char *name;
        size_t n_code, n_name = r1_code_other_language(&t, text, n, &name);
        require(!n_name || (name >= text && name + n_name <= text + n));
        require(!r1_code_extract(&t, text, n, &code, &n_code, NULL));
        require(code ? n_code <= n && code[n_code] == 0 && is_part(text, n, code, n_code) : n_code == 0);
        free(code);
    }
}

static void fuzz_outputs(const char *text, size_t n)
{
    const char *nul = n ? memchr(text, 0, n) : NULL;
    if (!nul) return;
    r1_code_text a = { text, (size_t)(nul - text) }, b = { nul + 1, n - a.n - 1 };
    size_t line = 0;
    bool same = r1_code_same_output(a, b, -1, &line);
    require(line >= 1 && r1_code_same_output(a, a, -1, &line) && r1_code_same_output(a, a, 0, &line));
    char told[300] = "";
    if (!same) r1_code_tell_difference(a, b, line, told, sizeof told);
    require(same || told[0]);
    if (same) require(r1_code_same_output(b, a, -1, &line) && r1_code_same_output(a, b, 0, &line));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    char *copy = malloc(size); /* of its own, so that a byte too far is seen */
    require(copy != NULL);
    memcpy(copy, data, size);
    const char *text = copy + 1;
    switch (copy[0]) {
    case 't': fuzz_task(text, size - 1); break;
    case 's': fuzz_solution(text, size - 1); break;
    case 'm': fuzz_test(text, size - 1); break;
    case 'a': fuzz_assembly(text, size - 1); break;
    case 'e': fuzz_object(text, size - 1); break;
    case 'x': fuzz_response(text, size - 1); break;
    case 'o': fuzz_outputs(text, size - 1); break;
    default: break;
    }
    free(copy);
    return 0;
}
