/* The one file that a C or C++ function task becomes.
 *
 *   headers   all that prompt, solution or test include from the system, once more and first
 *   prompt
 *   saved     what the words of the test mean as macros at that point (code_macro.c)
 *   solution  a main of its own gets another name
 *   restored  the same words again, so that no macro of the solution changes the test; our assert
 *   test
 *   a pointer to its main, under a name drawn for this run; C++: to what tells exceptions that leave it
 *
 * Options that the solution sets by a pragma end with it. Words are saved behind the last whole line of the prompt.
 *
 * What the solution could open and not close is closed: a comment by the "*" "/" that follows it, a last line that ends with a
 * backslash by an empty line; an open #if, string or brace makes the file no program. */
#define _GNU_SOURCE
#include "reward/code/code_int.h"
#include <ctype.h>
#include <dlfcn.h>

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

bool r1_code_has_word(r1_code_text t, const char *word, size_t n)
{
    for (size_t i = 0; i + n <= t.n; i++) {
        const char *p = memmem(t.data + i, t.n - i, word, n);
        if (!p) return false;
        i = (size_t)(p - t.data);
        if ((i == 0 || !is_word_char(t.data[i - 1])) && (i + n == t.n || !is_word_char(t.data[i + n]))) return true;
    }
    return false;
}

/* ---- what the test takes from the library ---- */

/* Whether the C library, or that of mathematics, has a function of that name. */
bool r1_code_is_library(const char *s, size_t n)
{
    char name[64];
    if (n >= sizeof name) return false;
    memcpy(name, s, n);
    name[n] = 0;
    return dlsym(RTLD_DEFAULT, name) != NULL;
}

bool r1_code_is_taken(const r1_code_run *run, const char *name, size_t n)
{
    /* verbs of queues, trees and graphs that decide no comparison */
    static const char *const harmless[] = { "remove", "index", "link", "unlink", "connect", "accept", "bind", "listen", "select", "send", "recv", "read", "write", "open", "close",
                                            "wait", "signal", "step", "advance", "dup", "pipe", "sync", "time", "access", "rename", "pause", "kill", "raise", "getline" };
    const r1_code_task *t = run->task;
    if ((t->entry_point.n == n && !memcmp(t->entry_point.data, name, n)) || r1_code_listed(harmless, R1_COUNT(harmless), name, n)) return false;
    return r1_code_is_library(name, n) && r1_code_has_word(t->test, name, n) && !r1_code_has_word(t->prompt, name, n);
}

/* ---- definitions that stand in the place of the library's ---- */

/* The position behind the parenthesis that closes the one at i; 0 when there is none. */
static size_t behind_parentheses(r1_code_text t, size_t i)
{
    int depth = 0;
    for (; i < t.n; i++) {
        if (t.data[i] == '(') depth++;
        else if (t.data[i] == ')' && --depth == 0) return i + 1;
        else if (t.data[i] == ';' || t.data[i] == '{') return 0;
    }
    return 0;
}

static size_t skip_blanks(r1_code_text t, size_t i)
{
    while (i < t.n && isspace((unsigned char)t.data[i])) i++;
    return i;
}

/* Whether at i, behind a name, a function's parameters and body follow. */
static bool defines_function(r1_code_text t, size_t i)
{
    i = skip_blanks(t, i);
    if (i >= t.n || t.data[i] != '(') return false;
    i = behind_parentheses(t, i);
    if (!i) return false;
    i = skip_blanks(t, i);
    for (bool more = true; more;) {
        more = false;
        static const char *const after[] = { "noexcept", "const", "throw()" };
        for (size_t k = 0; k < R1_COUNT(after); k++)
            if (t.n - i > strlen(after[k]) && !memcmp(t.data + i, after[k], strlen(after[k]))) {
                i = skip_blanks(t, i + strlen(after[k]));
                more = true;
            }
    }
    return i < t.n && t.data[i] == '{';
}

/* Whether the text before position i, back to the last declaration or body, holds a word that lets a function vanish into its callers. */
static bool is_inlined(r1_code_text t, size_t i)
{
    static const char *const words[] = { "static", "inline", "__inline", "__inline__", "__attribute__", "__attribute", "always_inline", "gnu_inline" };
    size_t from = i;
    while (from > 0 && t.data[from - 1] != ';' && t.data[from - 1] != '}') from--;
    for (size_t k = 0; k < R1_COUNT(words); k++)
        if (r1_code_has_word((r1_code_text){ t.data + from, i - from }, words[k], strlen(words[k]))) return true;
    return false;
}

/* What no honest solution does, and what changes the meaning of macros or symbols behind the back of what is restored. NULL: nothing. */
static const char *meddles(const r1_code_run *run, r1_status *status, r1_error *err)
{
    static const char *const counted[] = { "__LINE__", "__FILE__", "__COUNTER__", "__DATE__", "__TIME__", "__TIMESTAMP__", "__INCLUDE_LEVEL__", "__BASE_FILE__" };
    static const char *const signs[] = { "push_macro", "pop_macro", "ZNSt", "ZNKSt", "ZNSs", "ZNKSs", "ZSt" };
    r1_code_words w;
    const char *why = NULL;
    bool pragma = false;
    *status = r1_code_split(&w, run->solution, run->task->language == R1_CODE_CPP) ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for the words of a solution");
    if (*status) w.n = 0;
    for (size_t i = 0; i < R1_COUNT(signs) && !why && !*status; i++)
        if (strstr(w.text, signs[i])) why = i < 2 ? "saved macros" : "symbols of the C++ library";
    for (size_t i = 1; i < w.n && !why; i++) {
        pragma = pragma || r1_code_word_is(&w, i, "_Pragma");
        if ((r1_code_word_is(&w, i - 1, "define") || r1_code_word_is(&w, i - 1, "undef")) && r1_code_listed(counted, R1_COUNT(counted), w.t[i].s, w.t[i].n)) why = "the macros of the compiler";
    }
    if (pragma && w.glues && !why) why = "macros by glued pragmas";
    if (w.raw && w.joins && !why) why = "lines by raw strings and joined lines"; /* inside a raw string lines are not joined */
    if (w.full && !why) why = "more words than are examined";
    r1_code_words_free(&w);
    return why;
}

static bool redefines(const r1_code_run *run, char *what, size_t size)
{
    static const char *const labels[] = { "asm", "__asm", "__asm__", "redefine_extname" };
    r1_code_text s = run->solution;
    bool label = false, inlined = false;
    size_t n_other = 0, name = 0, n_name = 0;
    for (size_t i = 0; i < R1_COUNT(labels); i++) label = label || r1_code_has_word(s, labels[i], strlen(labels[i]));
    if (label && r1_code_has_word(s, "main", 4)) return snprintf(what, size, "main"), true;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_word_char(s.data[i]) || (i && is_word_char(s.data[i - 1]))) continue;
        size_t start = i;
        while (i < s.n && is_word_char(s.data[i])) i++;
        bool taken = r1_code_is_taken(run, s.data + start, i - start), defined = (taken || !inlined || !n_other) && defines_function(s, i);
        if (!taken) {
            bool is_main = i - start == 4 && !memcmp(s.data + start, "main", 4); /* put aside */
            n_other += defined && !is_main && r1_code_has_word(run->task->test, s.data + start, i - start);
            continue;
        }
        if (label || (run->task->entry_point.n && defined)) return snprintf(what, size, "%.*s", (int)r1_min(i - start, 60), s.data + start), true;
        if (defined && !inlined && run->task->language == R1_CODE_C && is_inlined(s, start)) inlined = true, name = start, n_name = i - start;
    }
    /* a task without entry_point may be about a function that has such a name: then it calls no other. C++: code_cpp.c */
    return inlined && n_other && (snprintf(what, size, "%.*s", (int)r1_min(n_name, 60), s.data + name), true);
}

r1_status r1_code_redefines(const r1_code_run *run, bool *found, char *what, size_t size, r1_error *err)
{
    r1_status s;
    const char *why = meddles(run, &s, err);
    if (why) snprintf(what, size, "%s", why);
    *found = why || (!s && redefines(run, what, size));
    return s;
}

/* ---- headers ---- */

/* The name of a header from the system in the line, with its signs; *n: its length. NULL: none. */
static const char *header_of(const char *line, size_t n, size_t *len)
{
    const char *p = line, *end = line + n;
    while (p < end && (*p == ' ' || *p == '\t')) p++;
    if (p == end || *p++ != '#') return NULL;
    while (p < end && (*p == ' ' || *p == '\t')) p++;
    if ((size_t)(end - p) < 7 || memcmp(p, "include", 7)) return NULL;
    for (p += 7; p < end && (*p == ' ' || *p == '\t');) p++;
    const char *close = p < end && *p == '<' ? memchr(p, '>', (size_t)(end - p)) : p + 1 < end && *p == '"' ? memchr(p + 1, '"', (size_t)(end - p - 1)) : NULL;
    if (!close || close - p > 100) return NULL;
    *len = (size_t)(close - p) + 1;
    for (const char *q = p + 1; q < close; q++)
        if (!is_word_char(*q) && !strchr("./+-", *q)) return NULL;
    return memmem(p, *len, "..", 2) || p[1] == '/' ? NULL : p;
}

/* The headers that lines of t include, each if it is there. A compiler that was asked about a name in vain leaves out a later #include of the same name
 * without a word (gcc does): headers of the prompt and the test that this system lacks are passed over so, but one that only the
 * solution asks for is looked up by another name, so that it is an error there. */
static r1_status add_headers(r1_code_text t, bool of_solution, r1_buf *out, r1_error *err)
{
    for (size_t i = 0; i < t.n;) {
        const char *line = t.data + i, *lf = memchr(line, '\n', t.n - i);
        size_t n = lf ? (size_t)(lf - line) : t.n - i, len = 0;
        i += n + 1;
        const char *name = header_of(line, n, &len);
        if (!name) continue;
        const char *dot = of_solution || *name == '"' ? "./" : "";
        int k = (int)len - 2;
        r1_status s = r1_buf_addf(out, err, "#if __has_include(<%s%.*s>)\n#include <%.*s>\n#endif\n", dot, k, name + 1, k, name + 1);
        if (s) return s;
    }
    return R1_OK;
}

/* ---- the file ---- */

/* exit and abort of the test's part are the stub's, unless the prompt has something of that name. */
static r1_status add_ends(const r1_code_run *run, const char *mark, r1_buf *out, r1_error *err)
{
    static const char *const names[] = { "exit", "abort" }, *const parameters[] = { "int", "void" };
    bool cpp = run->task->language == R1_CODE_CPP;
    r1_status s = R1_OK;
    for (int i = 0; i < 2 && !s; i++) {
        if (r1_code_has_word(run->task->prompt, names[i], strlen(names[i]))) continue;
        s = r1_buf_addf(out, err, "%svoid r1_%s_%s(%s) __attribute__((__noreturn__));\n", cpp ? "extern \"C\" " : "", names[i], mark, parameters[i]);
        if (!s && cpp) s = r1_buf_addf(out, err, "namespace std { using ::r1_%s_%s; }\n", names[i], mark);
        if (!s) s = r1_buf_addf(out, err, "#undef %s\n#define %s(...) r1_%s_%s(__VA_ARGS__)\n", names[i], names[i], names[i], mark);
    }
    return s;
}

/* The test, and in its main the calls that count its steps. */
static r1_status add_test(const r1_code_task *t, const char *mark, r1_buf *out, r1_error *err)
{
    size_t *places = malloc(R1_CODE_STEPS * sizeof *places), at = 0;
    if (!places) return r1_fail(err, R1_ENOMEM, "no memory for the steps of a test");
    size_t n = 0;
    r1_status s = r1_code_steps(t, places, R1_CODE_STEPS, &n, err);
    for (size_t i = 0; i < n && !s; i++) {
        s = r1_buf_add(out, t->test.data + at, places[i] - at, err);
        if (!s) s = r1_buf_addf(out, err, " r1_step_%s(%zu);", mark, i);
        at = places[i];
    }
    free(places);
    return s ? s : r1_buf_add(out, t->test.data + at, t->test.n - at, err);
}

/* The length of the prompt's lines that are complete, and no part of a comment or a macro that goes on; *next: the number of the line behind them. */
static size_t whole_lines(r1_code_text t, size_t *next)
{
    size_t whole = 0, line = 1;
    bool comment = false;
    for (size_t i = 0; i < t.n; i++) {
        const char *p = t.data + i;
        bool pair = i + 1 < t.n;
        if (*p == '\n') {
            line++;
            if (!comment && !(i && p[-1] == '\\')) whole = i + 1, *next = line;
        } else if (comment) {
            if (*p == '*' && pair && p[1] == '/') comment = false, i++;
        } else if (*p == '/' && pair && p[1] == '*') {
            comment = true, i++;
        } else if (*p == '/' && pair && p[1] == '/') {
            while (i + 1 < t.n && t.data[i + 1] != '\n') i++;
        } else if (*p == '"' || *p == '\'') {
            for (i++; i < t.n && t.data[i] != *p && t.data[i] != '\n'; i++)
                if (t.data[i] == '\\') i++;
            if (i < t.n && t.data[i] == '\n') i--;
        }
    }
    return whole;
}

/* Whether the solution has a main of its own, a demonstration beside the function: then it gets another name, and nobody calls it. whole: the prompt ends with a line, so
 * that a directive may stand behind it. */
static r1_status puts_main_aside(const r1_code_run *run, bool whole, bool *aside, r1_error *err)
{
    r1_code_words w, test;
    bool cpp = run->task->language == R1_CODE_CPP;
    int depth = 0;
    *aside = false;
    if (!whole || !r1_code_has_word(run->solution, "main", 4) || r1_code_has_word(run->task->prompt, "main", 4)) return R1_OK;
    bool ok = r1_code_split(&w, run->solution, cpp);
    ok = r1_code_split(&test, run->task->test, cpp) && ok;
    for (size_t i = 0; i < w.n && ok; i++) {
        if (!w.t[i].macro) depth += r1_code_word_is(&w, i, "{") - r1_code_word_is(&w, i, "}");
        bool name = !w.t[i].macro && depth <= 0 && r1_code_word_is(&w, i, "main") && r1_code_word_is(&w, i + 1, "(");
        *aside = *aside || (name && (!i || r1_code_word_is_name(&w, i - 1) || r1_code_word_is(&w, i - 1, ";") || r1_code_word_is(&w, i - 1, "}")));
    }
    for (size_t i = 1; i < test.n && ok && *aside; i++) /* a member of that name */
        if (r1_code_word_is(&test, i, "main") && strchr(".:>", *test.t[i - 1].s)) *aside = false;
    r1_code_words_free(&w);
    r1_code_words_free(&test);
    return ok ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for the words of a solution");
}

r1_status r1_code_native_source(const r1_code_run *run, const char *mark, r1_buf *out, r1_error *err)
{
    const r1_code_task *t = run->task;
    r1_code_text parts[] = { t->prompt, run->solution, t->test };
    bool cpp = t->language == R1_CODE_CPP;
    r1_code_macros *macros;
    r1_status s = r1_code_macros_open(&macros, run, mark, err);
    if (s) return s;
    if (r1_code_has_word(t->prompt, "_GNU_SOURCE", 11) || r1_code_has_word(run->solution, "_GNU_SOURCE", 11))
        s = r1_buf_adds(out, "#ifndef _GNU_SOURCE\n#define _GNU_SOURCE\n#endif\n", err);
    for (int i = 0; i < 3 && !s; i++) s = add_headers(parts[i], i == 1, out, err);
    size_t lines = 1, whole = whole_lines(t->prompt, &lines), at = lines;
    bool aside = false;
    if (!s) s = puts_main_aside(run, whole == t->prompt.n, &aside, err);
    if (!s) s = r1_buf_adds(out, "#line 1 \"solution\"\n", err);
    if (!s) s = r1_buf_add(out, t->prompt.data, whole, err);
    if (!s) s = r1_code_macros_save(macros, out, err);
    if (!s) s = r1_buf_addf(out, err, "#line %zu \"solution\"\n", lines);
    if (!s) s = r1_buf_add(out, t->prompt.data + whole, t->prompt.n - whole, err);
    if (!s && aside) s = r1_buf_addf(out, err, "#define main r1_solution_main\n#line %zu \"solution\"\n", at);
    if (!s) s = r1_buf_add(out, run->solution.data, run->solution.n, err);
    if (!s) s = r1_buf_adds(out, "\n\n/**/\n", err);
    if (!s) s = r1_code_macros_restore(macros, out, err);
    r1_code_macros_free(macros);
    if (!s) s = r1_buf_adds(out, "#pragma GCC reset_options\n#pragma pack()\n", err);
    if (!s) s = r1_buf_addf(out, err, "#undef NDEBUG\n#undef main\n#define r1_test_%s\n#include <assert.h>\n", mark);
    if (!s) s = add_ends(run, mark, out, err);
    if (!s && cpp) s = r1_code_rename(run, mark, out, err);
    if (!s) s = r1_buf_adds(out, "#line 1 \"test\"\n", err);
    if (!s) s = add_test(t, mark, out, err);
    if (s || !cpp) return s ? s : r1_buf_addf(out, err, "\nint (*const r1_main_%s)(int, char **, char **) = (int (*)(int, char **, char **))main;\n", mark);
    return r1_buf_addf(out, err, "\nextern \"C\" void r1_uncaught_%s();\nextern \"C\" int (*const r1_main_%s)(int, char **, char **);\n"
                       "static int (*const volatile r1_inner_%s)(int, char **, char **) = (int (*)(int, char **, char **))main;\n"
                       "static int r1_outer_%s(int c, char **v, char **e) { try { return r1_inner_%s(c, v, e); } catch (...) { r1_uncaught_%s(); throw; } }\n"
                       "int (*const r1_main_%s)(int, char **, char **) = r1_outer_%s;\n", mark, mark, mark, mark, mark, mark, mark, mark);
}
