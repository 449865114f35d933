/* Where the test's main has to come past: a call behind each of its statements, counted by the stub.
 *
 * A solution in the same process can leave main early with the result 0, by the stack or by a signal's context. Then the calls are not
 * all there, and the stub proves nothing. Only statements directly in main's body count, up to the first that may end main without having failed; a
 * test that ends by itself elsewhere (exit, longjmp), or whose main is not easily read, has none: a right solution must never miss one. */
#include "reward/code/code_int.h"

typedef r1_code_words words;

static bool is(const words *w, size_t i, const char *text) { return r1_code_word_is(w, i, text); }

static bool one_of(const words *w, size_t i, const char *const *list, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (is(w, i, list[k])) return true;
    return false;
}
#define ONE_OF(w, i, ...) one_of(w, i, (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

/* Whether the `return` at i tells a failure: a number that is not 0. */
static bool is_failure(const words *w, size_t i)
{
    size_t at = i + 1;
    while (ONE_OF(w, at, "(", "-")) at++;
    if (is(w, at, "EXIT_FAILURE")) return true;
    if (at + 1 >= w->n || w->t[at].s[0] < '1' || w->t[at].s[0] > '9') return false;
    for (at++; is(w, at, ")"); at++) {}
    return ONE_OF(w, at, ";", "}") || (at < w->n && !w->t[at].macro && w->t[i].macro); /* or the end of a macro */
}

/* Whether the text may end the program, or leave a function, in a way that is not looked at. */
static bool ends_elsewhere(const words *w)
{
    for (size_t i = 0; i < w->n; i++) {
        if (ONE_OF(w, i, "exit", "_exit", "_Exit", "quick_exit", "longjmp", "siglongjmp", "fork", "vfork", "pthread_exit", "goto", "setcontext", "swapcontext")) return true;
        if (w->t[i].macro && ONE_OF(w, i, "break", "continue", "main")) return true;
        if (w->t[i].macro && is(w, i, "return") && !is_failure(w, i)) return true;
    }
    return w->glues || w->full;
}

/* The first word of main's body; 0 when there is not exactly one main of the usual form. */
static size_t find_main(const words *w)
{
    size_t found = 0;
    for (size_t i = 0, depth = 0; i < w->n; i++) {
        if (is(w, i, "{")) depth++;
        if (is(w, i, "}") && depth) depth--;
        if (!is(w, i, "main") || w->t[i].macro) continue;
        if (depth || found || !is(w, i + 1, "(")) return 0;
        size_t k = i + 1;
        while (k < w->n && !is(w, k, ")")) k++;
        if (!is(w, k + 1, "{")) return 0;
        found = k + 2;
    }
    return found;
}

/* Whether a line of text[0..n) is for the preprocessor. */
static bool has_directive(const char *text, size_t n)
{
    bool start = true;
    for (size_t i = 0; i < n; i++) {
        if (start && (text[i] == '#' || text[i] == '%')) return true;
        if (text[i] == '\n') start = true;
        else if (text[i] != ' ' && text[i] != '\t') start = false;
    }
    return false;
}

/* The `;` or `}` that ends the statement at i; 0 when main may end, or is not understood, before that. */
static size_t end_of_statement(const words *w, size_t i)
{
    static const char *const control[] = { "if", "for", "while", "do", "switch", "try", "else", "catch" };
    bool controls = is(w, i, "{") || one_of(w, i, control, R1_COUNT(control)), functions = ONE_OF(w, i, "struct", "class");
    int braces = 0, others = 0;
    for (size_t k = i; k < w->n; k++) {
        bool top = !braces && !others;
        if (w->t[k].macro) return 0;
        if (k > i && top && !controls && (one_of(w, k, control, R1_COUNT(control)) || is(w, k, "return"))) return 0; /* a macro without a semicolon before it */
        if (top && ONE_OF(w, k, "case", "default")) return 0;
        if (top && k == i + 1 && is(w, k, ":") && !is(w, k + 1, ":")) return 0; /* a label */
        functions = functions || (!controls && is(w, k, "]") && ONE_OF(w, k + 1, "(", "{")); /* a lambda */
        if (!functions && is(w, k, "return") && !is_failure(w, k)) return 0;
        braces += is(w, k, "{") - is(w, k, "}");
        others += ONE_OF(w, k, "(", "[") - ONE_OF(w, k, ")", "]");
        if (braces < 0 || others < 0) return 0;
        bool ends = !braces && !others && (is(w, k, ";") || (controls && is(w, k, "}")));
        if (ends && !(controls && ONE_OF(w, k + 1, "else", "catch", "while"))) return k;
    }
    return 0;
}

r1_status r1_code_steps(const r1_code_task *t, size_t *places, size_t most, size_t *n, r1_error *err)
{
    words prompt, w;
    *n = 0;
    bool ok = r1_code_split(&prompt, t->prompt, t->language == R1_CODE_CPP);
    ok = r1_code_split(&w, t->test, t->language == R1_CODE_CPP) && ok;
    r1_status s = ok ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for the steps of a test");
    ok = ok && strlen(w.text) == t->test.n; /* else places in it are not those of the test */
    size_t at = ok && !ends_elsewhere(&prompt) && !ends_elsewhere(&w) ? find_main(&w) : 0;
    size_t first = at ? (size_t)(w.t[at - 1].s - w.text) : 0;
    while (at && at < w.n && *n < most && !ONE_OF(&w, at, "}", "return")) {
        size_t end = end_of_statement(&w, at);
        size_t behind = end ? (size_t)(w.t[end].s - w.text) + 1 : 0;
        if (!end || has_directive(w.text + first, behind - first)) break;
        if (places) places[*n] = behind;
        ++*n;
        at = end + 1;
    }
    r1_code_words_free(&prompt);
    r1_code_words_free(&w);
    return s;
}
