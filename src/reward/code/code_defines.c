/* Whether a block of code defines what a task asks for, or only uses it.
 *
 * This chooses between the blocks of a response and judges nothing: it knows the usual forms of a definition, and where it is wrong another
 * block is run. The name is that of the entry point, or of the function that the prompt has begun, or that the test asserts something of. */
#include "reward/code/code_int.h"

typedef struct line {
    const char *s, *end;
} line;

static bool is_name(char c, r1_code_language l)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c == '$' && l == R1_CODE_JAVASCRIPT);
}

static const char *skip_space(line l)
{
    while (l.s < l.end && (*l.s == ' ' || *l.s == '\t')) l.s++;
    return l.s;
}

/* The word at the front is that one: go behind it and the blanks after it. */
static bool take(line *l, const char *word, size_t n, r1_code_language lang)
{
    if ((size_t)(l->end - l->s) < n || memcmp(l->s, word, n) || (l->s + n < l->end && is_name(l->s[n], lang))) return false;
    l->s = skip_space((line){ l->s + n, l->end });
    return true;
}

static bool take_any(line *l, const char *const *words, r1_code_language lang)
{
    for (size_t i = 0; words[i]; i++)
        if (take(l, words[i], strlen(words[i]), lang)) return true;
    return false;
}

/* ---- lines of Python and JavaScript ---- */

/* "= require(...)" and "= await import(...)" fetch what is defined elsewhere. */
static bool is_value(line l, r1_code_language lang)
{
    if (l.s == l.end || *l.s != '=' || (l.s + 1 < l.end && (l.s[1] == '=' || l.s[1] == '>'))) return false;
    l.s = skip_space((line){ l.s + 1, l.end });
    return !take(&l, "require", 7, lang) && !take(&l, "await", 5, lang);
}

/* Go to the name that the line would define. Whether it is said by a word such as "def", so that no "=" must follow. */
static bool skip_to_name(line *l, r1_code_language lang)
{
    static const char *const python[] = { "def", "class", NULL }, *const script[] = { "function", "class", NULL };
    static const char *const before[] = { "export", "default", "async", NULL }, *const variables[] = { "const", "let", "var", NULL };
    while (take_any(l, before, lang)) {}
    bool sure = take_any(l, lang == R1_CODE_PYTHON ? python : script, lang);
    if (lang == R1_CODE_PYTHON) return sure;
    if (sure && l->s < l->end && *l->s == '*') l->s = skip_space((line){ l->s + 1, l->end });
    if (!sure) (void)take_any(l, variables, lang);
    return sure;
}

static bool line_defines(line l, r1_code_text name, r1_code_language lang)
{
    static const char *const owners[] = { "module", "exports", "globalThis", NULL };
    bool sure = skip_to_name(&l, lang);
    while (lang == R1_CODE_JAVASCRIPT && !sure && take_any(&l, owners, lang) && l.s < l.end && *l.s == '.') l.s++;
    if (!take(&l, name.data, name.n, lang)) return false;
    if (sure) return true;
    if (lang == R1_CODE_PYTHON && l.s < l.end && *l.s == ':') return memchr(l.s, '=', (size_t)(l.end - l.s)) != NULL;
    return is_value(l, lang);
}

static bool next_line(r1_code_text code, size_t *at, line *out)
{
    if (*at >= code.n) return false;
    const char *lf = memchr(code.data + *at, '\n', code.n - *at);
    *out = (line){ code.data + *at, lf ? lf : code.data + code.n };
    *at = (size_t)(out->end - code.data) + 1;
    return true;
}

static bool script_defines(r1_code_text code, size_t indent, r1_code_text name, r1_code_language lang)
{
    line l;
    for (size_t at = 0; next_line(code, &at, &l);) {
        const char *first = skip_space(l);
        if ((size_t)(first - l.s) <= indent && line_defines((line){ first, l.end }, name, lang)) return true;
    }
    return false;
}

/* ---- words of C and C++ ---- */

/* Behind the "(" at i: the place behind its ")". *steps: how many more words may be looked at, for a text may hold nothing but brackets. */
static size_t behind_bracket(const r1_code_words *w, size_t i, size_t *steps)
{
    size_t depth = 0;
    for (; i < w->n && *steps; i++, --*steps) {
        if (r1_code_word_is(w, i, "(")) depth++;
        else if (r1_code_word_is(w, i, ")") && --depth == 0) return i + 1;
    }
    return w->n;
}

/* "f(...) const -> int {", "class f {", "auto f = [": what stands behind the name at i. */
static bool word_defines(const r1_code_words *w, size_t i, size_t *steps)
{
    if (w->t[i].macro) return i > 0 && w->t[i - 1].macro && r1_code_word_is(w, i - 1, "define");
    if (i > 0 && (r1_code_word_is(w, i - 1, "class") || r1_code_word_is(w, i - 1, "struct"))) return i + 1 < w->n && !r1_code_word_is(w, i + 1, ";");
    if (i + 1 >= w->n) return false;
    if (i > 0 && r1_code_word_is(w, i - 1, "auto") && r1_code_word_is(w, i + 1, "=")) return i + 2 < w->n && r1_code_word_is(w, i + 2, "[");
    if (!r1_code_word_is(w, i + 1, "(")) return false;
    for (size_t k = behind_bracket(w, i + 1, steps); k < w->n; k++) {
        if (r1_code_word_is(w, k, "{")) return true;
        if (!r1_code_word_is_name(w, k) && !strchr("->:<>*&", *w->t[k].s)) return false;
    }
    return false;
}

static bool native_defines(r1_code_text code, r1_code_text name, bool cpp)
{
    r1_code_words w;
    bool found = false;
    if (r1_code_split(&w, code, cpp)) {
        size_t steps = 8 * w.n + 1000;
        for (size_t i = 0; i < w.n && !found; i++) found = w.t[i].n == name.n && !memcmp(w.t[i].s, name.data, name.n) && word_defines(&w, i, &steps);
    }
    r1_code_words_free(&w);
    return found;
}

/* ---- the name ---- */

/* The first name of "NAME().NAME" or "NAME.NAME". */
static r1_code_text first_name(r1_code_text t, r1_code_language lang)
{
    size_t n = 0;
    while (n < t.n && is_name(t.data[n], lang)) n++;
    return (r1_code_text){ t.data, n };
}

/* What the last line of the prompt that begins a function begins; a name of no length for none. */
static r1_code_text name_in_prompt(const r1_code_task *t)
{
    bool native = t->language == R1_CODE_C || t->language == R1_CODE_CPP;
    r1_code_text found = { "", 0 };
    line l;
    for (size_t at = 0; next_line(t->prompt, &at, &l);) {
        const char *open = l.s < l.end ? memchr(l.s, '(', (size_t)(l.end - l.s)) : NULL;
        if (!open || !is_name(*l.s, t->language)) continue;
        if (native) {
            while (open > l.s && (open[-1] == ' ' || open[-1] == '\t')) open--;
            const char *from = open;
            while (from > l.s && is_name(from[-1], t->language)) from--;
            if (from > l.s && from < open) found = (r1_code_text){ from, (size_t)(open - from) };
        } else {
            bool sure = skip_to_name(&l, t->language);
            r1_code_text name = first_name((r1_code_text){ l.s, (size_t)(l.end - l.s) }, t->language);
            const char *behind = skip_space((line){ l.s + name.n, l.end });
            if (name.n && behind < l.end && (sure || *behind == '=')) found = name;
        }
    }
    return found;
}

/* What the first line "assert f(...)" of the test calls, where nothing else names it. */
static r1_code_text name_in_test(const r1_code_task *t)
{
    line l;
    for (size_t at = 0; t->language == R1_CODE_PYTHON && next_line(t->test, &at, &l);) {
        if (!take(&l, "assert", 6, t->language)) continue;
        while (l.s < l.end && *l.s == '(') l.s++;
        (void)take(&l, "not", 3, t->language);
        r1_code_text name = first_name((r1_code_text){ l.s, (size_t)(l.end - l.s) }, t->language);
        if (name.n && l.s + name.n < l.end && l.s[name.n] == '(') return name;
    }
    return (r1_code_text){ "", 0 };
}

r1_code_text r1_code_wanted(const r1_code_task *t)
{
    r1_code_text name = t->entry_point.n ? first_name(t->entry_point, t->language) : name_in_prompt(t);
    return name.n ? name : name_in_test(t);
}

bool r1_code_defines(r1_code_language l, r1_code_text name, r1_code_text code, size_t indent)
{
    if (!name.n) return false;
    if (l == R1_CODE_C || l == R1_CODE_CPP) return native_defines(code, name, l == R1_CODE_CPP);
    return script_defines(code, indent, name, l);
}
