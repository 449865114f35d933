/* Macros of a C or C++ solution and the words of its test.
 *
 * The test and the solution are one text, so a macro of the solution would change what the test's words mean: f(3) == 9 is 1||(3) == 9 where f(x) is 1||(x).
 * What those words mean as macros is remembered behind the prompt and restored behind the solution; so are words by which headers mean things.
 *
 * One kind of macro stays, because tests of a whole file use it: with a name in capitals, which no directive of the test asks about, and with a value made of
 * numbers, its own parameters and operators that bind more than a comparison does (SIZE, MAX(a, b)). It does nothing that a function could not.
 *
 * A function that is asked for and is nothing but a macro is refused. */
#include "reward/code/code_int.h"
#include <ctype.h>
#include <stdio.h>

#define NAMES_MAX 20000
enum { BODY_MAX = 40, NESTED_MAX = 3 };

static const char *const keywords[] = {
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long",
    "register", "return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "main", "assert",
};
static const char *const cpp_keywords[] = { "bool", "true", "false", "nullptr", "class", "namespace", "operator", "private", "public", "protected", "template",
                                            "this", "throw", "try", "catch", "typename", "using", "virtual", "constexpr", "new", "delete", "std" };
static const char *const types[] = { "int", "long", "short", "unsigned", "signed", "char", "float", "double", "bool", "_Bool", "const", "size_t", "int8_t", "uint8_t", "int16_t",
                                     "uint16_t", "int32_t", "uint32_t", "int64_t", "uint64_t", "__int128" };
static const char *const values[] = { "NULL", "nullptr", "true", "false", "EOF", "RAND_MAX", "CHAR_BIT", "INT_MAX", "INT_MIN", "UINT_MAX", "LONG_MAX", "LONG_MIN", "ULONG_MAX", "LLONG_MAX",
                                      "LLONG_MIN", "ULLONG_MAX", "SHRT_MAX", "SHRT_MIN", "CHAR_MAX", "CHAR_MIN", "UCHAR_MAX", "INT32_MAX", "INT32_MIN", "UINT32_MAX", "INT64_MAX", "INT64_MIN",
                                      "UINT64_MAX", "SIZE_MAX", "FLT_MAX", "FLT_MIN", "DBL_MAX", "DBL_MIN", "DBL_EPSILON", "FLT_EPSILON", "INFINITY", "NAN", "M_PI", "M_E" };

typedef struct word {
    const char *s;
    size_t n;
    size_t at; /* of a macro of the solution: its name's place in its words */
} word;

struct r1_code_macros {
    const r1_code_run *run;
    r1_code_words solution, prompt;
    word *defined, *words; /* macros that the solution defines or undefines; words to restore. Sorted */
    size_t n_defined, n_words;
    const char *mark;
};

static int compare_words(const void *a, const void *b)
{
    const word *x = a, *y = b;
    int c = memcmp(x->s, y->s, r1_min(x->n, y->n));
    return c ? c : (x->n > y->n) - (x->n < y->n);
}

static int compare_places(const void *a, const void *b)
{
    const word *x = a, *y = b;
    int c = compare_words(a, b);
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

/* ---- what is collected ---- */

/* The macros that a text defines or undefines, sorted. */
static size_t collect_macros(const r1_code_words *w, word *out, size_t max)
{
    size_t n = 0;
    for (size_t i = 1; i < w->n && n < max; i++)
        if (w->t[i].macro && w->t[i - 1].macro == R1_CODE_DIRECTIVE) out[n++] = (word){ w->t[i].s, w->t[i].n, i };
    qsort(out, n, sizeof *out, compare_places);
    return n;
}

/* Each identifier of t, what comments and directives say included. */
static size_t collect_text(r1_code_text t, word *out, size_t n, size_t max)
{
    for (size_t i = 0; i < t.n && n < max; i++) {
        if (!r1_code_is_word_char(t.data[i])) continue;
        size_t start = i;
        while (i < t.n && r1_code_is_word_char(t.data[i])) i++;
        if (!isdigit((unsigned char)t.data[start])) out[n++] = (word){ t.data + start, i - start, 0 };
    }
    return n;
}

static size_t once(word *words, size_t n)
{
    size_t kept = 0;
    qsort(words, n, sizeof *words, compare_words);
    for (size_t i = 0; i < n; i++)
        if (!kept || compare_words(&words[kept - 1], &words[i])) words[kept++] = words[i];
    return kept;
}

r1_status r1_code_macros_open(r1_code_macros **out, const r1_code_run *run, const char *mark, r1_error *err)
{
    const r1_code_task *t = run->task;
    bool cpp = t->language == R1_CODE_CPP;
    r1_code_macros *m = *out = calloc(1, sizeof *m);
    if (!m) return r1_fail(err, R1_ENOMEM, "no memory for the words of a test");
    m->run = run;
    m->mark = mark;
    m->defined = malloc(NAMES_MAX / 2 * sizeof *m->defined);
    m->words = malloc(NAMES_MAX * sizeof *m->words);
    bool ok = m->defined && m->words && r1_code_split(&m->solution, run->solution, cpp);
    ok = ok && r1_code_split(&m->prompt, t->prompt, cpp);
    if (!ok) {
        r1_code_macros_free(m);
        *out = NULL;
        return r1_fail(err, R1_ENOMEM, "no memory for the words of a test");
    }
    m->n_defined = collect_macros(&m->solution, m->defined, NAMES_MAX / 2);
    memcpy(m->words, m->defined, m->n_defined * sizeof *m->words);
    size_t n = collect_text(t->test, m->words, m->n_defined, NAMES_MAX);
    for (size_t i = 0; i < m->prompt.n && n < NAMES_MAX; i++) /* what the test says by macros of the prompt */
        if (m->prompt.t[i].macro && r1_code_word_is_name(&m->prompt, i)) m->words[n++] = (word){ m->prompt.t[i].s, m->prompt.t[i].n, 0 };
    m->n_words = once(m->words, n);
    return R1_OK;
}

void r1_code_macros_free(r1_code_macros *m)
{
    if (!m) return;
    r1_code_words_free(&m->solution);
    r1_code_words_free(&m->prompt);
    free(m->defined);
    free(m->words);
    free(m);
}

/* ---- macros that are values ---- */

/* A number of the language, no literal of the solution's own. */
static bool is_number(const char *s, size_t n)
{
    size_t i = 0;
    bool hex = n > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
    if (!isdigit((unsigned char)s[0])) return false;
    if (hex || (n > 2 && s[0] == '0' && (s[1] == 'b' || s[1] == 'B'))) i = 2;
    while (i < n && (isdigit((unsigned char)s[i]) || s[i] == '\'' || (hex && isxdigit((unsigned char)s[i])))) i++;
    if (i < n && !hex && (s[i] == 'e' || s[i] == 'E'))
        for (i++; i < n && isdigit((unsigned char)s[i]);) i++;
    while (i < n && strchr("uUlLfF", s[i])) i++;
    return i == n;
}

typedef struct body {
    const r1_code_macros *m;
    size_t from, to;             /* its words */
    size_t first_parameter, end; /* the words of its parameters */
} body;

static bool is_value(const r1_code_macros *m, const word *name, int nested);

/* Whether the name, word i of a body, is one whose meaning is known. */
static bool is_known(const body *b, size_t i, int nested)
{
    const r1_code_words *w = &b->m->solution;
    word name = { w->t[i].s, w->t[i].n, 0 };
    for (size_t k = b->first_parameter; k < b->end; k++)
        if (w->t[k].n == name.n && !memcmp(w->t[k].s, name.s, name.n)) return true;
    if (bsearch(&name, b->m->defined, b->m->n_defined, sizeof name, compare_words)) return is_value(b->m, &name, nested + 1);
    return r1_code_listed(types, R1_COUNT(types), name.s, name.n) || r1_code_listed(values, R1_COUNT(values), name.s, name.n) || r1_code_word_is(w, i, "sizeof");
}

/* Whether the sign at i may stand there; top: outside of all parentheses. */
static bool is_good_sign(const body *b, size_t i, bool top)
{
    const r1_code_words *w = &b->m->solution;
    char c = *w->t[i].s;
    bool after = i > b->from && w->t[i - 1].s + w->t[i - 1].n == w->t[i].s, before = i + 1 < b->to && w->t[i].s + 1 == w->t[i + 1].s;
    char last = after ? *w->t[i - 1].s : 0, next = before ? *w->t[i + 1].s : 0;
    bool twice = last == c || next == c;
    if (strchr("()*/%~", c)) return true;
    if (c == '+' || c == '-') return !twice && next != '>';
    if (c == '.') return isdigit((unsigned char)next) || isdigit((unsigned char)last);
    if (c == '!') return top ? next != '=' : true;
    if (c == '<' || c == '>') return top ? twice && next != '=' : !(twice && (next == '=' || last == '='));
    if (c == '=') return !top && (last == '=' || next == '=' || (last && strchr("!<>", last)));
    return !top && strchr("?:&|^[]", c) && !(next == '=' && !strchr("?:[]", c));
}

/* Whether a definition's text is one value: known names, numbers and operators, and outside of parentheses none that binds less than a comparison. */
static bool is_value_text(const body *b, int nested)
{
    const r1_code_words *w = &b->m->solution;
    int depth = 0;
    if (b->from == b->to) { /* a string, perhaps, which is no word */
        const char *p = w->t[b->from - 1].s + w->t[b->from - 1].n;
        while (*p == ' ' || *p == '\t') p++;
        return *p == '"' || *p == '\'';
    }
    if (b->to - b->from > BODY_MAX) return false;
    for (size_t i = b->from; i < b->to; i++) {
        const r1_code_word *t = &w->t[i];
        char c = *t->s;
        if (r1_code_is_word_char(c)) {
            if (!(isdigit((unsigned char)c) ? is_number(t->s, t->n) : is_known(b, i, nested))) return false;
            continue;
        }
        depth += (c == '(' || c == '[') - (c == ')' || c == ']');
        if (depth < 0 || !is_good_sign(b, i, !depth && c != ']')) return false;
    }
    char last = *w->t[b->to - 1].s;
    return !depth && (r1_code_is_word_char(last) || last == ')' || last == ']') && !r1_code_word_is(w, b->to - 1, "sizeof");
}

/* Whether all definitions of the name are values. */
static bool is_value(const r1_code_macros *m, const word *name, int nested)
{
    const r1_code_words *w = &m->solution;
    const word *d = m->n_defined && m->n_defined < NAMES_MAX / 2 && nested < NESTED_MAX ? bsearch(name, m->defined, m->n_defined, sizeof *name, compare_words) : NULL;
    if (!d) return false;
    while (d > m->defined && !compare_words(d - 1, name)) d--;
    for (; d < m->defined + m->n_defined && !compare_words(d, name); d++) {
        body b = { m, d->at + 1, d->at + 1, 0, 0 };
        if (r1_code_word_is(w, d->at - 1, "undef")) continue;
        if (r1_code_word_is(w, b.from, "(") && w->t[b.from].macro == 1 && w->t[d->at].s + w->t[d->at].n == w->t[b.from].s) {
            for (b.first_parameter = ++b.from; b.from < w->n && w->t[b.from].macro == 1 && !r1_code_word_is(w, b.from, ")"); b.from++)
                if (r1_code_word_is(w, b.from, ".")) return false;
            if (b.from == w->n || !r1_code_word_is(w, b.from, ")")) return false;
            b.end = b.from++;
        }
        for (b.to = b.from; b.to < w->n && w->t[b.to].macro == 1;) b.to++;
        if (!is_value_text(&b, nested)) return false;
    }
    return true;
}

/* ---- what happens to a word ---- */

/* Whether a directive of the test has the word: it asks whether there is such a macro, or makes one. */
static bool in_directive(r1_code_text test, word w)
{
    bool start = true, directive = false;
    size_t from = 0;
    for (size_t i = 0; i <= test.n; i++) {
        if (i == test.n || (test.data[i] == '\n' && !(i && test.data[i - 1] == '\\'))) {
            if (directive && r1_code_has_word((r1_code_text){ test.data + from, i - from }, w.s, w.n)) return true;
            start = true, directive = false, from = i + 1;
        } else if (start && test.data[i] == '/' && i + 1 < test.n && test.data[i + 1] == '*') { /* a comment may stand before it */
            for (i += 2; i + 1 < test.n && !(test.data[i] == '*' && test.data[i + 1] == '/');) i++;
            i = r1_min(i + 1, test.n - 1);
        } else if (start && !isspace((unsigned char)test.data[i])) {
            start = false;
            directive = test.data[i] == '#' || test.data[i] == '%';
        }
    }
    return false;
}

static bool is_of_test(const r1_code_macros *m, word w)
{
    if (r1_code_has_word(m->run->task->test, w.s, w.n)) return true;
    for (size_t i = 0; i < m->prompt.n; i++)
        if (m->prompt.t[i].macro && m->prompt.t[i].n == w.n && !memcmp(m->prompt.t[i].s, w.s, w.n)) return true;
    return false;
}

typedef enum protection { LEAVE, IF_DEFINED, ALWAYS } protection;

/* What to do about a macro of the solution: undo it always, or only where a header gave the word a meaning. */
static protection protect(const r1_code_macros *m, word w)
{
    static const char *const untouched[] = { "defined", "__VA_ARGS__", "__VA_OPT__" };
    static const char *const often[] = { "bool", "true", "false", "nullptr" };
    const r1_code_task *t = m->run->task;
    bool is_entry = t->entry_point.n == w.n && !memcmp(t->entry_point.data, w.s, w.n), of_test = is_entry || is_of_test(m, w), small = false;
    if (w.n > 200 || r1_code_listed(untouched, R1_COUNT(untouched), w.s, w.n)) return LEAVE;
    if (w.n > 2 && w.s[0] == '_' && w.s[1] == '_' && !r1_code_has_word((r1_code_text){ m->solution.text, strlen(m->solution.text) }, w.s, w.n)) return LEAVE;
    if (r1_code_listed(keywords, R1_COUNT(keywords), w.s, w.n) || (t->language == R1_CODE_CPP && r1_code_listed(cpp_keywords, R1_COUNT(cpp_keywords), w.s, w.n))) return ALWAYS;
    if (!of_test) return w.s[0] == '_' ? ALWAYS : IF_DEFINED;
    if (is_entry) return ALWAYS;
    for (size_t i = 0; i < w.n; i++) small = small || islower((unsigned char)w.s[i]);
    if (small && !r1_code_listed(often, R1_COUNT(often), w.s, w.n)) return ALWAYS;
    return is_value(m, &w, 0) && !in_directive(t->test, w) ? IF_DEFINED : ALWAYS;
}

r1_status r1_code_macros_save(const r1_code_macros *m, r1_buf *out, r1_error *err)
{
    r1_status s = R1_OK;
    for (size_t i = 0; i < m->n_words && !s; i++) {
        word w = m->words[i];
        protection p = protect(m, w);
        int len = (int)w.n;
        if (p == ALWAYS) s = r1_buf_addf(out, err, "#pragma push_macro(\"%.*s\")\n", len, w.s);
        if (p == IF_DEFINED) s = r1_buf_addf(out, err, "#ifdef %.*s\n#pragma push_macro(\"%.*s\")\n#define r1_had_%s_%.*s\n#endif\n", len, w.s, len, w.s, m->mark, len, w.s);
    }
    return s;
}

r1_status r1_code_macros_restore(const r1_code_macros *m, r1_buf *out, r1_error *err)
{
    r1_status s = R1_OK;
    for (size_t i = 0; i < m->n_words && !s; i++) {
        word w = m->words[i];
        protection p = protect(m, w);
        int len = (int)w.n;
        if (p == ALWAYS) s = r1_buf_addf(out, err, "#pragma pop_macro(\"%.*s\")\n", len, w.s);
        if (p == IF_DEFINED) s = r1_buf_addf(out, err, "#ifdef r1_had_%s_%.*s\n#pragma pop_macro(\"%.*s\")\n#endif\n", m->mark, len, w.s, len, w.s);
    }
    return s;
}

/* ---- functions that are macros ---- */

/* Whether the solution has the name outside of macros: it may define it. */
static bool stands_alone(const r1_code_macros *m, word w)
{
    for (size_t i = 0; i < m->solution.n; i++)
        if (!m->solution.t[i].macro && m->solution.t[i].n == w.n && !memcmp(m->solution.t[i].s, w.s, w.n)) return true;
    return false;
}

bool r1_code_macros_only(const r1_code_macros *m, r1_code_text message, char *what, size_t size)
{
    for (size_t i = 0; i < m->n_defined; i++) {
        word w = m->defined[i];
        r1_code_text entry = m->run->task->entry_point;
        bool is_entry = entry.n == w.n && !memcmp(entry.data, w.s, w.n) && !r1_code_has_word(m->run->task->prompt, w.s, w.n);
        if (i && !compare_words(&m->defined[i - 1], &w)) continue;
        if (r1_code_word_is(&m->solution, w.at - 1, "undef") || !(message.n ? r1_code_has_word(message, w.s, w.n) && protect(m, w) == ALWAYS : is_entry && !stands_alone(m, w))) continue;
        snprintf(what, size, "%.*s", (int)r1_min(w.n, 60), w.s);
        return true;
    }
    return false;
}
