/* code: is a program right? The checker of Python, JavaScript, C and C++ solutions.
 *
 * A task says what a solution must do, in one of two kinds. `function`: prompt, solution, a newline and test behave as one
 * file (the form of HumanEval and MBPP). `stdio`: the solution is a program, run once for each test. Everything hostile
 * runs in boxes (box.h); this module writes what goes into them and decides what came out.
 *
 * What a pass rests on
 *   Python, JavaScript   The test runs in another box than the solution. Calls, arguments and results cross a pipe as plain
 *                        data (wire.py tells the protocol), so that no object of the solution ever meets the test.
 *                        After its last line the tester writes a number that the host drew for this run and gave to the
 *                        tester alone.
 *   C, C++               One file, compiled and linked in boxes of their own. A stub that the solution cannot name or see while
 *                        it is compiled calls the test's main and writes the number once that returned 0 in the process it
 *                        was started in (native.c tells what this withstands and what no C program can).
 *   stdio                Expected outputs never enter a box; an exit status other than 0 is an error whatever was printed.
 *
 * No verdict rests on an exit code alone, on a text printed, or on the clock of the wall where processor time can be had.
 */
#ifndef R1_REWARD_CODE_CODE_H
#define R1_REWARD_CODE_CODE_H

#include "base/base.h"
#include <jansson.h>

typedef enum r1_code_language { R1_CODE_PYTHON, R1_CODE_C, R1_CODE_CPP, R1_CODE_JAVASCRIPT } r1_code_language;
typedef enum r1_code_kind { R1_CODE_FUNCTION, R1_CODE_STDIO } r1_code_kind;

/* A text that may hold NUL bytes; data is NUL-terminated all the same. */
typedef struct r1_code_text {
    const char *data;
    size_t n;
} r1_code_text;

typedef struct r1_code_io {
    r1_code_text input, expected;
} r1_code_io;

typedef struct r1_code_task {
    r1_code_kind kind;
    r1_code_language language;
    r1_code_text prompt, test, entry_point; /* function; entry_point may be empty */
    r1_code_io *tests;                      /* stdio: at least one */
    size_t n_tests;                         /* 1 for function; a run may find that the test has more */
    double tolerance;                       /* of checker float:E; < 0: bytes are compared */
    bool usual_imports;                     /* Python: the solution has the usual names of the library without an import */
    double time_limit_s;
    uint64_t memory_limit, output_limit;    /* bytes; the latter for each stream */
    json_t *json;                           /* what the texts lie in */
} r1_code_task;

typedef enum r1_code_verdict {
    R1_CODE_PASS, R1_CODE_WRONG_ANSWER, R1_CODE_RUNTIME_ERROR, R1_CODE_COMPILE_ERROR, R1_CODE_TIME_LIMIT, R1_CODE_MEMORY_LIMIT,
    R1_CODE_OUTPUT_LIMIT, R1_CODE_FORBIDDEN, R1_CODE_NO_VERDICT, R1_CODE_UNSUPPORTED
} r1_code_verdict;

#define R1_CODE_TAIL 2000 /* bytes of a stream that are shown */

typedef struct r1_code_result {
    r1_code_verdict verdict;
    char reason[512];                      /* one sentence, valid UTF-8 */
    size_t tests_passed, tests;
    double cpu_ms, peak_mb;                /* processor time of everything that ran; the largest memory of a run */
    char stdout_tail[3 * R1_CODE_TAIL + 1]; /* of the test that decided; invalid UTF-8 as U+FFFD */
    char stderr_tail[3 * R1_CODE_TAIL + 1];
} r1_code_result;

/* The boxes and programs that runs use. One may serve any number of calls, from any threads. */
typedef struct r1_code_checker r1_code_checker;

typedef struct r1_code_options {
    const char *search;           /* folders with python3, node, gcc and g++, with colons between; NULL: the system's */
    bool allow_weaker;            /* run although the kernel lacks some protections of the box (box.h) */
    unsigned pretend_missing;     /* for tests: protections not to be used, programs not to be found (R1_CODE_NO_PROGRAMS) */
    bool (*cancelled)(void *ctx); /* may be NULL; asked about every 50 ms */
    void *ctx;
} r1_code_options;

#define R1_CODE_NO_PROGRAMS 0x80000000u

/* Make a task of a JSON object (the fields are those of docs/cli/r1-verify.md). Errors: R1_EFORMAT names the field, what
 * was found and what was expected; an unknown field is one. R1_ELIMIT: a text that is too large. R1_ENOMEM.
 * Memory: the task holds a reference to the object, which must not be changed meanwhile. Tests: code_task_test.c */
r1_status r1_code_task_parse(r1_code_task **out, json_t *json, r1_error *err) R1_MUST_CHECK;
/* The same from the bytes of a file. */
r1_status r1_code_task_parse_text(r1_code_task **out, const char *text, size_t n, r1_error *err) R1_MUST_CHECK;
void r1_code_task_free(r1_code_task *t);

/* Find the programs and prepare boxes. What is missing is no error here but the verdict `unsupported` of what needs it. o may be NULL;
 * it is copied. Errors: R1_ENOMEM, R1_EIO. */
r1_status r1_code_checker_open(r1_code_checker **out, const r1_code_options *o, r1_error *err) R1_MUST_CHECK;
void r1_code_checker_close(r1_code_checker *c);

/* Judge solution[0..n). A wrong, hostile or endless solution is a verdict, not an error; *result is always filled.
 * Errors: R1_ENOMEM, R1_EIO (the host cannot run a box), R1_ECANCELLED, R1_ELIMIT (a solution over 4 MB), R1_EFORMAT (a test in Python or JavaScript that
 * came to its end without asking anything of the solution).
 * Threads: any number at once; each call runs at most two boxes at a time. Tests: code_test.c, code_attack_test.c */
r1_status r1_code_verify(r1_code_checker *c, const r1_code_task *t, const char *solution, size_t n, r1_code_result *result, r1_error *err) R1_MUST_CHECK;

/* "pass", "wrong_answer" ...; "python" ... */
const char *r1_code_verdict_name(r1_code_verdict v);
const char *r1_code_language_name(r1_code_language l);

/* Take the code out of a model's response: what follows the last </think> (a thought never closed has no code), there the last complete
 * fenced block whose language fits (one of c fits C++ where there is none of its own), or the last complete block of no language, or, when
 * there is no fence at all, the whole text. Of blocks that fit equally, one that defines the entry point, or the function the prompt begins
 * or the test asserts something of, goes before those that do not. Lines lose the indent of their fence. For a function task whose block starts the function again, the code
 * is as it is; a prompt before it does no harm.
 * Writes a NUL-terminated copy. *code is NULL with R1_OK when there is none. Errors: R1_ENOMEM. */
r1_status r1_code_extract(const r1_code_task *t, const char *response, size_t n, char **code, size_t *n_code, r1_error *err) R1_MUST_CHECK;
/* The language that the last complete block which does not fit the task names: its place in the response and its length, 0 for none. */
size_t r1_code_other_language(const r1_code_task *t, const char *response, size_t n, const char **name);

/* Whether what a program printed is what is expected: lines end at LF; blanks, tabs and CR before it and one final LF are
 * ignored; all lines and their number. tolerance >= 0: tokens between blanks, numbers equal when they differ by at most
 * tolerance * max(1, |expected|). *line: the first (from 1) that differs. Allocates nothing. */
bool r1_code_same_output(r1_code_text got, r1_code_text expected, double tolerance, size_t *line);
/* Of two outputs whose first difference is in that line: what is there and what was expected, shortened, as a part of a sentence. */
void r1_code_tell_difference(r1_code_text got, r1_code_text expected, size_t line, char *out, size_t size);

#endif
