/* C and C++ as words and signs, as the preprocessor sees them: broken lines joined, comments and strings left out.
 *
 * Of directives only #define and #undef leave words, which are marked. Digraphs are the signs they stand for; trigraphs are not known, as to
 * the compilers with -std=gnu. */
#include "reward/code/code_int.h"
#include <ctype.h>

#define WORDS_MAX 200000

bool r1_code_is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$';
}

bool r1_code_listed(const char *const *list, size_t n, const char *s, size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(list[i]) == len && !memcmp(list[i], s, len)) return true;
    return false;
}

bool r1_code_word_is(const r1_code_words *w, size_t i, const char *text)
{
    return i < w->n && w->t[i].n == strlen(text) && !memcmp(w->t[i].s, text, w->t[i].n);
}

bool r1_code_word_is_name(const r1_code_words *w, size_t i)
{
    return i < w->n && r1_code_is_word_char(w->t[i].s[0]) && !isdigit((unsigned char)w->t[i].s[0]);
}

/* The position behind a string, character or raw string that starts at i; i when none does. */
static size_t behind_text(const char *p, size_t n, size_t i, const r1_code_word *before)
{
    char quote = p[i];
    if (quote != '"' && quote != '\'') return i;
    static const char *const prefixes[] = { "R", "LR", "uR", "UR", "u8R" };
    bool raw = false;
    for (size_t k = 0; k < R1_COUNT(prefixes) && quote == '"' && before && before->s + before->n == p + i; k++)
        raw = raw || (before->n == strlen(prefixes[k]) && !memcmp(before->s, prefixes[k], before->n));
    if (raw) {
        size_t open = i + 1;
        while (open < n && p[open] != '(') open++;
        for (size_t k = open, len = open - i - 1; k + len + 1 < n; k++)
            if (p[k] == ')' && !memcmp(p + k + 1, p + i + 1, len) && p[k + 1 + len] == '"') return k + len + 2;
        return n;
    }
    for (i++; i < n && p[i] != quote && p[i] != '\n'; i++)
        if (p[i] == '\\') i++;
    return i < n ? i + 1 : n;
}

static size_t behind_comment(const char *p, size_t n, size_t i)
{
    if (p[i] != '/' || i + 1 >= n) return i;
    if (p[i + 1] == '/') while (i < n && p[i] != '\n') i++;
    else if (p[i + 1] == '*') {
        for (i += 2; i + 1 < n && !(p[i] == '*' && p[i + 1] == '/');) i++;
        return r1_min(i + 2, n);
    }
    return i;
}

/* The position behind <name>, when it stands at i. */
static size_t behind_header(const char *p, size_t n, size_t i)
{
    size_t at = i;
    while (at < n && (p[at] == ' ' || p[at] == '\t')) at++;
    if (at == n || p[at] != '<') return i;
    while (at < n && p[at] != '>' && p[at] != '\n') at++;
    return at < n && p[at] == '>' ? at + 1 : i;
}

/* Words and signs of the text; '==' and the like are two signs. Strings and comments are no words. */
static void split(r1_code_words *s, const char *p, size_t n, bool cpp)
{
    enum { NO_DIRECTIVE, NAME_NEXT, NAME_SEEN } directive = NO_DIRECTIVE;
    bool line_start = true;
    unsigned define = 0;
    for (size_t i = 0; i < n && s->n < WORDS_MAX;) {
        if (p[i] == '\n') line_start = true, define = 0, directive = NO_DIRECTIVE;
        size_t next = behind_comment(p, n, i); /* a # may stand behind one */
        if (next == i) {
            next = behind_text(p, n, i, s->n ? &s->t[s->n - 1] : NULL);
            const r1_code_word *last = s->n ? &s->t[s->n - 1] : NULL;
            if (next > i && last && last->s + last->n == p + i && last->s[last->n - 1] == 'R') s->raw = true;
            line_start = line_start && next == i;
        }
        if (next > i) {
            i = next;
            continue;
        }
        if (isspace((unsigned char)p[i])) {
            i++;
            continue;
        }
        size_t start = i++;
        if (r1_code_is_word_char(p[start]))
            while (i < n && (r1_code_is_word_char(p[i]) || (cpp && isdigit((unsigned char)p[start]) && p[i] == '\'' && i + 1 < n && r1_code_is_word_char(p[i + 1])))) i++;
        size_t len = i - start;
        if (line_start && (p[start] == '#' || (p[start] == '%' && p[i] == ':'))) {
            directive = NAME_NEXT;
            if (p[start] == '%') i++;
        } else if (directive == NAME_NEXT) {
            directive = NAME_SEEN;
            if ((len == 6 && !memcmp(p + start, "define", 6)) || (len == 5 && !memcmp(p + start, "undef", 5))) define = R1_CODE_DIRECTIVE;
            else if (len >= 6 && (!memcmp(p + start, "include", r1_min(len, 7)) || !memcmp(p + start, "import", 6))) i = behind_header(p, n, i);
        }
        if (define && ((p[start] == '#' && p[i] == '#') || (p[start] == '%' && p[i] == ':'))) s->glues = true;
        line_start = false;
        if (directive && !define) continue; /* other directives may stand between any two words */
        s->t[s->n++] = (r1_code_word){ p + start, (unsigned)(i - start), define };
        if (define) define = 1;
    }
}

/* The text with broken lines joined and the signs <% %> <: :> as braces and brackets. */
static char *joined(r1_code_text text, size_t *n, bool *joins)
{
    char *out = malloc(text.n + 1);
    *n = 0;
    for (size_t i = 0; out && i < text.n; i++) {
        size_t k = i + 1;
        if (text.data[i] == '\\') {
            while (k < text.n && (text.data[k] == ' ' || text.data[k] == '\t' || text.data[k] == '\r')) k++;
            if (k < text.n && text.data[k] == '\n') {
                i = k;
                *joins = true;
                continue;
            }
        }
        static const char two[] = "<%{%>}<:[:>]";
        char c = text.data[i];
        for (int d = 0; d < 12 && i + 1 < text.n; d += 3)
            if (c == two[d] && text.data[i + 1] == two[d + 1] && !(c == '<' && text.data[i + 1] == ':' && i + 2 < text.n && text.data[i + 2] == ':')) {
                c = two[d + 2];
                i++;
                break;
            }
        out[(*n)++] = c;
    }
    if (out) out[*n] = 0;
    return out;
}

bool r1_code_split(r1_code_words *out, r1_code_text text, bool cpp)
{
    size_t n = 0;
    bool joins = false;
    char *whole = joined(text, &n, &joins);
    *out = (r1_code_words){ .text = whole, .joins = joins };
    out->t = malloc((r1_min(n, WORDS_MAX) + 1) * sizeof *out->t);
    if (!out->text || !out->t) return false;
    split(out, out->text, n, cpp);
    out->full = out->n == WORDS_MAX;
    return true;
}

void r1_code_words_free(r1_code_words *w)
{
    free(w->text);
    free(w->t);
    *w = (r1_code_words){ .text = NULL };
}
