/* What the files of the code checker share. */
#ifndef R1_REWARD_CODE_CODE_INT_H
#define R1_REWARD_CODE_CODE_INT_H

#include "reward/code/box.h"
#include "reward/code/code.h"

#include <pthread.h>

typedef enum r1_code_tool { R1_TOOL_PYTHON, R1_TOOL_NODE, R1_TOOL_GCC, R1_TOOL_GXX, R1_N_TOOLS } r1_code_tool;

struct r1_code_checker {
    r1_code_options options;
    r1_boxes *boxes;                    /* NULL: boxes_missing says why */
    char boxes_missing[R1_ERROR_MAX];
    r1_box_program tools[R1_N_TOOLS];   /* path "" when it was not found */
    pthread_mutex_t lock;               /* of the two below */
    unsigned n_python;                  /* function tests in Python so far */
    r1_box_result prepared[2];          /* `taken`: the scripts for them as code objects of this Python, once both are there; then constant */
};

/* One call of r1_code_verify. */
typedef struct r1_code_run {
    r1_code_checker *checker;
    const r1_code_task *task;
    r1_code_text solution;
    r1_code_result *result;
} r1_code_run;

#define R1_CODE_NUMBER 33 /* 32 hexadecimal digits */

/* ---- code.c: what all kinds need ---- */

/* Set verdict and reason; the reason may hold anything and is made one valid line. */
void r1_code_say(r1_code_result *r, r1_code_verdict v, const char *fmt, ...) R1_PRINTF(3, 4);
/* The program, or NULL with the verdict `unsupported`. */
const r1_box_program *r1_code_find(r1_code_run *run, r1_code_tool tool);
/* Run parties and add up their processor time and memory. */
r1_status r1_code_box(r1_code_run *run, const r1_box_party *parties, size_t n, r1_box_result *results, void (*started)(void *), void *ctx, r1_error *err) R1_MUST_CHECK;
/* Verdict for an end that leaves no question (a limit, a denied call, a program that could not be started); false: there is one. */
bool r1_code_limit_verdict(r1_code_run *run, const r1_box_result *b, const char *what);
/* Show the ends of what one or two parties wrote. b may be NULL. */
void r1_code_tails(r1_code_run *run, const r1_box_result *a, const r1_box_result *b);
void r1_code_limits(const r1_code_run *run, r1_box_limits *l);
/* Program texts for -c and -e that read a script from descriptor 6 and run it; the name in tracebacks, <r1>, tells it from the solution. */
extern const char r1_code_start_python[], r1_code_start_node[];
/* A fresh number from the system's random bytes. */
r1_status r1_code_number(char number[R1_CODE_NUMBER], r1_error *err) R1_MUST_CHECK;
/* A descriptor from which n bytes can be read; -1 with an error. */
int r1_code_memory_file(const char *data, size_t n, r1_error *err);
/* close, but for -1. */
void r1_code_close(int fd);
/* Whether the end of b.err holds the text. */
bool r1_code_err_has(const r1_box_result *b, const char *text);

/* ---- kinds and languages ---- */

r1_status r1_code_run_script(r1_code_run *run, r1_error *err) R1_MUST_CHECK;   /* code_script.c */
r1_status r1_code_run_native(r1_code_run *run, r1_error *err) R1_MUST_CHECK;   /* code_native.c: function, C and C++ */
r1_status r1_code_run_stdio(r1_code_run *run, r1_error *err) R1_MUST_CHECK;    /* code_stdio.c */

/* code_native.c. Compile and link the solution, and for a function task (number is not NULL) the test; *program is NULL when the verdict is there. */
r1_status r1_code_build(r1_code_run *run, const char *number, char **program, size_t *n, r1_error *err) R1_MUST_CHECK;
/* code_source.c. The file to compile: headers, solution, what undoes its macros, test. */
r1_status r1_code_native_source(const r1_code_run *run, const char *mark, r1_buf *out, r1_error *err) R1_MUST_CHECK;
/* code_native.c. The descriptor of the proof of this run. */
int r1_code_proof_fd(const char *number);
/* Whether the C library, or that of mathematics, has a function of that name. */
bool r1_code_is_library(const char *name, size_t n);
/* Whether the test takes the function of that name from the library. */
bool r1_code_is_taken(const r1_code_run *run, const char *name, size_t n);
/* Whether the solution's text defines such a function, or otherwise changes what the test's words mean; what: its name. */
r1_status r1_code_redefines(const r1_code_run *run, bool *found, char *what, size_t size, r1_error *err) R1_MUST_CHECK;
/* code_cpp.c. What the solution does that could decide the test's comparisons, behind "the solution"; NULL: nothing. */
r1_status r1_code_cpp_forbidden(const r1_code_run *run, const char **why, r1_error *err) R1_MUST_CHECK;
/* code_steps.c. Positions of the test behind which its main has to come past, in order, at most that many; places may be NULL. */
#define R1_CODE_STEPS 2000
r1_status r1_code_steps(const r1_code_task *t, size_t *places, size_t most, size_t *n, r1_error *err) R1_MUST_CHECK;
/* code_assembly.c. Whether the solution may have something of its own in the text for the assembler; whether that text holds what could change the
 * test's part, and what. */
bool r1_code_has_assembly(const r1_code_run *run);
bool r1_code_assembly_forbidden(const char *text, size_t n, char *what, size_t size);
/* code_cpp.c. Macros that give functions of the test names of this run, which no overload of the solution has. */
r1_status r1_code_rename(const r1_code_run *run, const char *mark, r1_buf *out, r1_error *err) R1_MUST_CHECK;
/* code_elf.c. As r1_code_redefines, of an object file; what: what the solution does, as "defines strcmp, ...". */
bool r1_code_replaces(const r1_code_run *run, const char *object, size_t n, char *what, size_t size);

/* code_words.c. Words and signs of a text of C or C++; '==' and the like are two signs. */
typedef struct r1_code_word {
    const char *s;
    unsigned n;
    unsigned macro; /* inside a #define or #undef, the word itself included: that one is R1_CODE_DIRECTIVE */
} r1_code_word;
#define R1_CODE_DIRECTIVE 2
typedef struct r1_code_words {
    char *text; /* with broken lines joined; the words point into it */
    r1_code_word *t;
    size_t n;
    bool glues; /* a macro holds # # */
    bool joins; /* a line end was joined */
    bool raw;   /* there is a raw string */
    bool full;  /* there are more */
} r1_code_words;
/* cpp: numbers may hold '. false: no memory. Either way r1_code_words_free. */
bool r1_code_split(r1_code_words *out, r1_code_text text, bool cpp) R1_MUST_CHECK;
void r1_code_words_free(r1_code_words *w);
bool r1_code_word_is(const r1_code_words *w, size_t i, const char *text);
bool r1_code_word_is_name(const r1_code_words *w, size_t i);
bool r1_code_is_word_char(char c); /* of an identifier or number; gcc takes $ too */
/* Whether s[len] is one of n texts. */
bool r1_code_listed(const char *const *list, size_t n, const char *s, size_t len);

/* code_macro.c. What words of the test, and others by which headers mean things, mean as macros; mark: drawn for this run, so that the solution cannot undefine
 * what is remembered. Save goes before the solution, restore behind it. run and mark are kept, not copied. */
typedef struct r1_code_macros r1_code_macros;
r1_status r1_code_macros_open(r1_code_macros **out, const r1_code_run *run, const char *mark, r1_error *err) R1_MUST_CHECK;
void r1_code_macros_free(r1_code_macros *m);
r1_status r1_code_macros_save(const r1_code_macros *m, r1_buf *out, r1_error *err) R1_MUST_CHECK;
r1_status r1_code_macros_restore(const r1_code_macros *m, r1_buf *out, r1_error *err) R1_MUST_CHECK;
/* Whether the function asked for, or with a message of the compiler a word of it, is a macro of the solution and nothing else; what: its name. */
bool r1_code_macros_only(const r1_code_macros *m, r1_code_text message, char *what, size_t size);

/* code_defines.c. What a solution must define: the task's entry point or, without one, the function that its prompt begins or its test asserts something
 * of; of no length where nothing says it. Whether a block of code, whose fence is indented so far, defines it. */
r1_code_text r1_code_wanted(const r1_code_task *t);
bool r1_code_defines(r1_code_language l, r1_code_text name, r1_code_text code, size_t indent);

/* Whether the identifier stands in the text. */
bool r1_code_has_word(r1_code_text t, const char *word, size_t n);

/* code_compare.c. A decimal number and nothing else in s[0..n). */
bool r1_code_decimal(const char *s, size_t n, double *value);

/* Scripts, made from the files of this folder by tools/mkscripts; NUL-terminated. */
typedef struct r1_code_script {
    const char *data;
    size_t n;
} r1_code_script;
extern const r1_code_script r1_script_tester_py, r1_script_guest_py, r1_script_stdio_py, r1_script_tester_js, r1_script_guest_js, r1_script_stdio_js,
    r1_script_native_stub, r1_script_native_assert;

#endif
