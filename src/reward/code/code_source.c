/* The one file that a C or C++ function task becomes.
 *
 *   headers   all that prompt, solution or test include from the system, once more and first
 *   saved     what the words of the test mean as macros at that point
 *   prompt, solution
 *   restored  the same words again, so that no macro of the solution changes the test; our assert
 *   test
 *   a pointer to its main, under a name drawn for this run
 *
 * What the solution could open and not close is closed: a comment by the "*" "/" that follows it, a last line that ends with a
 * backslash by an empty line; an open #if, string or brace makes the file no program. A macro in capitals that only the solution defines, and a
 * test may mean, stays. */
#define _GNU_SOURCE
#include "reward/code/code_int.h"
#include <ctype.h>
#include <dlfcn.h>

#define WORDS_MAX 20000

static const char *const keywords[] = {
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long",
    "register", "return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "main", "assert",
};
static const char *const cpp_keywords[] = { "bool", "true", "false", "nullptr", "class", "namespace", "operator", "private", "public", "protected", "template",
                                            "this", "throw", "try", "catch", "typename", "using", "virtual", "constexpr", "new", "delete", "std" };
static const char *const often_macros[] = { "bool", "true", "false", "nullptr", "min", "max", "defined" };

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool in(const char *const *list, size_t n, const char *s, size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(list[i]) == len && !memcmp(list[i], s, len)) return true;
    return false;
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
static bool is_library(const char *s, size_t n)
{
    char name[64];
    if (n >= sizeof name) return false;
    memcpy(name, s, n);
    name[n] = 0;
    return dlsym(RTLD_DEFAULT, name) != NULL;
}

bool r1_code_is_taken(const r1_code_run *run, const char *name, size_t n)
{
    const r1_code_task *t = run->task;
    if (t->entry_point.n == n && !memcmp(t->entry_point.data, name, n)) return false;
    return is_library(name, n) && r1_code_has_word(t->test, name, n) && !r1_code_has_word(t->prompt, name, n);
}

/* ---- words of the test ---- */

typedef struct word {
    const char *s;
    size_t n;
} word;

static int compare_words(const void *a, const void *b)
{
    const word *x = a, *y = b;
    int c = memcmp(x->s, y->s, r1_min(x->n, y->n));
    return c ? c : (x->n > y->n) - (x->n < y->n);
}

/* Each identifier of t once, sorted. */
static size_t collect(r1_code_text t, word *out, size_t max)
{
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < t.n && n < max; i++) {
        if (!is_word_char(t.data[i])) continue;
        size_t start = i;
        while (i < t.n && is_word_char(t.data[i])) i++;
        if (!isdigit((unsigned char)t.data[start])) out[n++] = (word){ t.data + start, i - start };
    }
    qsort(out, n, sizeof *out, compare_words);
    for (size_t i = 0; i < n; i++)
        if (!kept || compare_words(&out[kept - 1], &out[i])) out[kept++] = out[i];
    return kept;
}

typedef enum protection { LEAVE, IF_DEFINED, ALWAYS } protection;

/* What to do about a macro of the solution with a word of the test: undo it always, or only where a header gave the word a meaning. */
static protection protect(const r1_code_run *run, word w)
{
    r1_code_text entry = run->task->entry_point;
    if (w.n > 200 || (entry.n == w.n && !memcmp(entry.data, w.s, w.n))) return LEAVE;
    if (w.n > 2 && w.s[0] == '_' && w.s[1] == '_') return LEAVE;
    if (in(keywords, R1_COUNT(keywords), w.s, w.n)) return ALWAYS;
    if (run->task->language == R1_CODE_CPP && in(cpp_keywords, R1_COUNT(cpp_keywords), w.s, w.n)) return ALWAYS;
    if (in(often_macros, R1_COUNT(often_macros), w.s, w.n)) return w.n == 7 && w.s[0] == 'd' ? LEAVE : IF_DEFINED;
    for (size_t i = 0; i < w.n; i++)
        if (islower((unsigned char)w.s[i])) return ALWAYS;
    return IF_DEFINED;
}

/* Whether the solution can change what is saved: then words are only undefined. */
static bool meddles(r1_code_text s)
{
    static const char *const signs[] = { "push_macro", "pop_macro", "_Pragma", "__pragma" };
    for (size_t i = 0; i < R1_COUNT(signs); i++)
        if (memmem(s.data, s.n, signs[i], strlen(signs[i]))) return true;
    /* the same with a line broken inside the word */
    const char *broken = memmem(s.data, s.n, "_\\\n", 3);
    return broken || memmem(s.data, s.n, "h\\\n", 3) || memmem(s.data, s.n, "p\\\n", 3);
}

static r1_status save_words(const r1_code_run *run, const word *words, size_t n, r1_buf *out, r1_error *err)
{
    r1_status s = R1_OK;
    for (size_t i = 0; i < n && !s; i++) {
        protection p = protect(run, words[i]);
        int len = (int)words[i].n;
        if (p == ALWAYS) s = r1_buf_addf(out, err, "#pragma push_macro(\"%.*s\")\n", len, words[i].s);
        if (p == IF_DEFINED)
            s = r1_buf_addf(out, err, "#ifdef %.*s\n#pragma push_macro(\"%.*s\")\n#define r1_had_%.*s\n#endif\n", len, words[i].s, len, words[i].s, len, words[i].s);
    }
    return s;
}

static r1_status restore_words(const r1_code_run *run, const word *words, size_t n, r1_buf *out, r1_error *err)
{
    r1_status s = R1_OK;
    bool only_undefine = meddles(run->solution);
    for (size_t i = 0; i < n && !s; i++) {
        protection p = protect(run, words[i]);
        int len = (int)words[i].n;
        if (p == ALWAYS) s = r1_buf_addf(out, err, only_undefine ? "#undef %.*s\n" : "#pragma pop_macro(\"%.*s\")\n", len, words[i].s);
        if (p == IF_DEFINED && !only_undefine)
            s = r1_buf_addf(out, err, "#ifdef r1_had_%.*s\n#pragma pop_macro(\"%.*s\")\n#endif\n", len, words[i].s, len, words[i].s);
    }
    return s;
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

bool r1_code_redefines(const r1_code_run *run, char *what, size_t size)
{
    static const char *const labels[] = { "asm", "__asm", "__asm__", "redefine_extname" };
    r1_code_text s = run->solution;
    bool label = false;
    for (size_t i = 0; i < R1_COUNT(labels); i++) label = label || r1_code_has_word(s, labels[i], strlen(labels[i]));
    if (label && r1_code_has_word(s, "main", 4)) return snprintf(what, size, "main"), true;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_word_char(s.data[i]) || (i && is_word_char(s.data[i - 1]))) continue;
        size_t start = i;
        while (i < s.n && is_word_char(s.data[i])) i++;
        if (!r1_code_is_taken(run, s.data + start, i - start)) continue;
        if (label || (run->task->entry_point.n && defines_function(s, i))) return snprintf(what, size, "%.*s", (int)r1_min(i - start, 60), s.data + start), true;
    }
    return false;
}

/* ---- headers ---- */

/* #include <name> at the start of each line of t. */
static r1_status add_headers(r1_code_text t, r1_buf *out, r1_error *err)
{
    for (size_t i = 0; i < t.n;) {
        const char *line = t.data + i, *lf = memchr(line, '\n', t.n - i);
        size_t n = lf ? (size_t)(lf - line) : t.n - i;
        i += n + 1;
        const char *p = line, *end = line + n;
        while (p < end && (*p == ' ' || *p == '\t')) p++;
        if (p == end || *p++ != '#') continue;
        while (p < end && (*p == ' ' || *p == '\t')) p++;
        if ((size_t)(end - p) < 7 || memcmp(p, "include", 7)) continue;
        for (p += 7; p < end && (*p == ' ' || *p == '\t');) p++;
        const char *close = p < end && *p == '<' ? memchr(p, '>', (size_t)(end - p)) : NULL;
        if (!close || close - p > 100) continue;
        int len = (int)(close - p) + 1;
        bool safe = true;
        for (const char *q = p + 1; q < close; q++) safe = safe && (is_word_char(*q) || strchr("./+-", *q));
        if (!safe || memmem(p, (size_t)len, "..", 2) || p[1] == '/') continue;
        r1_status s = r1_buf_addf(out, err, "#if __has_include(%.*s)\n#include %.*s\n#endif\n", len, p, len, p);
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

r1_status r1_code_native_source(const r1_code_run *run, const char *mark, r1_buf *out, r1_error *err)
{
    const r1_code_task *t = run->task;
    r1_code_text parts[] = { t->prompt, run->solution, t->test };
    bool cpp = t->language == R1_CODE_CPP;
    word *words = malloc(WORDS_MAX * sizeof *words);
    if (!words) return r1_fail(err, R1_ENOMEM, "no memory for the words of a test");
    size_t n = collect(t->test, words, WORDS_MAX);
    r1_status s = R1_OK;
    if (r1_code_has_word(t->prompt, "_GNU_SOURCE", 11) || r1_code_has_word(run->solution, "_GNU_SOURCE", 11))
        s = r1_buf_adds(out, "#ifndef _GNU_SOURCE\n#define _GNU_SOURCE\n#endif\n", err);
    for (int i = 0; i < 3 && !s; i++) s = add_headers(parts[i], out, err);
    if (!s) s = save_words(run, words, n, out, err);
    if (!s) s = r1_buf_adds(out, "#line 1 \"solution\"\n", err);
    if (!s) s = r1_buf_add(out, t->prompt.data, t->prompt.n, err);
    if (!s) s = r1_buf_add(out, run->solution.data, run->solution.n, err);
    if (!s) s = r1_buf_adds(out, "\n\n/**/\n", err);
    if (!s) s = restore_words(run, words, n, out, err);
    free(words);
    if (!s) s = r1_buf_addf(out, err, "#undef NDEBUG\n#undef main\n#define r1_test_%s\n#include <assert.h>\n", mark);
    if (!s) s = add_ends(run, mark, out, err);
    if (!s) s = r1_buf_adds(out, "#line 1 \"test\"\n", err);
    if (!s) s = r1_buf_add(out, t->test.data, t->test.n, err);
    if (!s && cpp) s = r1_buf_addf(out, err, "\nextern \"C\" int (*const r1_main_%s)(int, char **, char **);\n", mark);
    if (!s) s = r1_buf_addf(out, err, "\nint (*const r1_main_%s)(int, char **, char **) = (int (*)(int, char **, char **))main;\n", mark);
    return s;
}
