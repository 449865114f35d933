/* Comparing what a program printed with what is expected: bytes, or numbers within a tolerance.
 *
 * A line ends at LF. Blanks, tabs and CR before its end do not count, nor does one LF at the end of the text; every other line
 * does, and so does the number of lines. */
#include "reward/code/code_int.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>

/* Lines of a text, one after the other; an empty text is one empty line. */
typedef struct lines {
    const char *at, *end;
    bool over;
} lines;

static lines first_line(r1_code_text t)
{
    if (t.n && t.data[t.n - 1] == '\n') t.n--;
    return (lines){ t.data, t.data + t.n, false };
}

static bool next_line(lines *l, r1_code_text *line)
{
    if (l->over) return false;
    const char *lf = memchr(l->at, '\n', (size_t)(l->end - l->at)), *stop = lf ? lf : l->end;
    line->data = l->at;
    while (stop > l->at && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == '\r')) stop--;
    line->n = (size_t)(stop - l->at);
    l->over = !lf;
    l->at = lf ? lf + 1 : l->end;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* The next token of a line, or false. */
static bool next_token(r1_code_text *line, r1_code_text *token)
{
    while (line->n && is_blank(line->data[0])) line->data++, line->n--;
    token->data = line->data;
    while (line->n && !is_blank(line->data[0])) line->data++, line->n--;
    token->n = (size_t)(line->data - token->data);
    return token->n > 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A decimal number and nothing else: sign, digits with at most one point, exponent. */
static bool is_decimal(const char *s, size_t n)
{
    size_t i = 0, digits = 0;
    if (i < n && (s[i] == '+' || s[i] == '-')) i++;
    for (; i < n && is_digit(s[i]); i++) digits++;
    if (i < n && s[i] == '.')
        for (i++; i < n && is_digit(s[i]); i++) digits++;
    if (!digits) return false;
    if (i < n && (s[i] == 'e' || s[i] == 'E')) {
        i++;
        if (i < n && (s[i] == '+' || s[i] == '-')) i++;
        size_t start = i;
        while (i < n && is_digit(s[i])) i++;
        if (i == start) return false;
    }
    return i == n;
}

bool r1_code_decimal(const char *s, size_t n, double *value)
{
    char buffer[400]; /* longer than any double needs; longer tokens are compared as text */
    if (n >= sizeof buffer || !is_decimal(s, n)) return false;
    memcpy(buffer, s, n);
    buffer[n] = 0;
    char *point = strchr(buffer, '.');
    if (point) *point = *localeconv()->decimal_point; /* strtod follows the locale of the process */
    *value = strtod(buffer, NULL);
    return true;
}

static bool same_token(r1_code_text a, r1_code_text b, double tolerance)
{
    double x, y;
    if (a.n == b.n && !memcmp(a.data, b.data, a.n)) return true;
    if (!r1_code_decimal(a.data, a.n, &x) || !r1_code_decimal(b.data, b.n, &y)) return false;
    return isfinite(x) && isfinite(y) && fabs(x - y) <= tolerance * fmax(1, fabs(y));
}

static bool same_line(r1_code_text got, r1_code_text expected, double tolerance)
{
    if (tolerance < 0) return got.n == expected.n && !memcmp(got.data, expected.data, got.n);
    r1_code_text a, b;
    for (;;) {
        bool more = next_token(&got, &a), wanted = next_token(&expected, &b);
        if (more != wanted) return false;
        if (!more) return true;
        if (!same_token(a, b, tolerance)) return false;
    }
}

bool r1_code_same_output(r1_code_text got, r1_code_text expected, double tolerance, size_t *line)
{
    lines g = first_line(got), e = first_line(expected);
    r1_code_text a = { "", 0 }, b = { "", 0 };
    for (*line = 1;; ++*line) {
        bool more = next_line(&g, &a), wanted = next_line(&e, &b);
        if (more != wanted) return false;
        if (!more) return true;
        if (!same_line(a, b, tolerance)) return false;
    }
}

/* ---- telling the difference ---- */

enum { BEFORE = 20, SHOWN = 60 };

static bool is_inside_character(const r1_code_text t, size_t i)
{
    return i < t.n && ((unsigned char)t.data[i] & 0xC0) == 0x80;
}

/* What is in a line near the byte `at`, in quotes. */
static void show(char *out, size_t size, r1_code_text t, size_t at)
{
    size_t from = at > BEFORE + 10 ? at - BEFORE : 0, to = r1_min(t.n, from + SHOWN);
    while (from && is_inside_character(t, from)) from--;
    while (to > from && is_inside_character(t, to)) to--;
    snprintf(out, size, "'%s%.*s%s'", from ? "..." : "", (int)(to - from), t.data + from, to < t.n ? "..." : "");
}

void r1_code_tell_difference(r1_code_text got, r1_code_text expected, size_t line, char *out, size_t size)
{
    lines g = first_line(got), e = first_line(expected);
    r1_code_text a = { "", 0 }, b = { "", 0 };
    bool more = true, wanted = true;
    for (size_t i = 0; i < line; i++) {
        more = next_line(&g, &a);
        wanted = next_line(&e, &b);
    }
    size_t at = 0;
    while (more && wanted && at < a.n && at < b.n && a.data[at] == b.data[at]) at++;
    char found[SHOWN + 16], right[SHOWN + 16];
    show(found, sizeof found, a, at);
    show(right, sizeof right, b, at);
    if (!got.n) snprintf(out, size, "no output, expected line %zu to be %s", line, right);
    else if (!more) snprintf(out, size, "the output ends before line %zu, expected %s", line, right);
    else if (!wanted) snprintf(out, size, "line %zu of the output is %s, expected is no such line", line, found);
    else snprintf(out, size, "line %zu of the output is %s, expected %s", line, found, right);
}
