/* Taking the code out of what a model wrote: its last fenced block that fits the task.
 *
 * A fence is a line of three or more ` or ~ behind at most three blanks, or as many more as a list before it is indented; it ends at a line
 * of as many or more of the same and nothing else. The word after it is the language. Lines inside lose the indent of the fence. What is
 * thought does not count. Among blocks that fit, one that defines what the task asks for goes before a later one that only uses it. */
#define _GNU_SOURCE
#include "reward/code/code_int.h"
#include <strings.h>

enum { FITS_NOT, FITS_PLAIN, FITS_RELATED, FITS, N_FITS };

typedef struct block {
    const char *data;
    size_t n, indent;
} block;

typedef struct text_line {
    const char *s;
    size_t n;
} text_line;

/* Where a fence stands in its line, and what is behind it. */
typedef struct fence_mark {
    char c;
    size_t length, indent;
    const char *info;
    size_t n_info;
} fence_mark;

static const char *const tags[][8] = {
    [R1_CODE_PYTHON] = { "python", "py", "python3", "python2", NULL },
    [R1_CODE_C] = { "c", "h", "c11", "c17", "c99", NULL },
    [R1_CODE_CPP] = { "cpp", "c++", "cc", "cxx", "hpp", "c++17", "cpp17", NULL },
    [R1_CODE_JAVASCRIPT] = { "javascript", "js", "node", "nodejs", "mjs", "jsx", NULL },
};

/* Skip blanks; a tab goes to the next column that is a multiple of four. */
static size_t skip_blanks(text_line l, size_t i, size_t *column)
{
    for (; i < l.n && (l.s[i] == ' ' || l.s[i] == '\t'); i++) *column += l.s[i] == ' ' ? 1 : 4 - *column % 4;
    return i;
}

/* "- " or "12. " at i: how long it is, 0 for none. */
static size_t list_mark(text_line l, size_t i)
{
    size_t k = i;
    while (k < l.n && k < i + 9 && l.s[k] >= '0' && l.s[k] <= '9') k++;
    if (k < l.n && (k > i ? l.s[k] == '.' || l.s[k] == ')' : strchr("-*+", l.s[k]) != NULL)) k++;
    else return 0;
    return k < l.n && (l.s[k] == ' ' || l.s[k] == '\t') ? k - i : 0;
}

static bool starts(text_line l, size_t i, const char *word) { return l.n - i >= strlen(word) && !memcmp(l.s + i, word, strlen(word)); }

/* Whether the line is a fence. *list: the column where the content of the last item of a list begins; NULL inside a block, where an item is none. */
static bool fence(text_line l, size_t *list, fence_mark *out)
{
    static const char tag[] = "<answer>";
    size_t column = 0, i = skip_blanks(l, 0, &column), mark, k = 0;
    while (list && (mark = list_mark(l, i)) != 0) {
        column += mark;
        i = skip_blanks(l, i + mark, &column);
        *list = column;
    }
    if (list && column > *list + 3) return false;
    if (list && starts(l, i, tag)) i = skip_blanks(l, i + sizeof tag - 1, &(size_t){ 0 });
    if (i == l.n || (l.s[i] != '`' && l.s[i] != '~')) return false;
    char c = l.s[i];
    while (i + k < l.n && l.s[i + k] == c) k++;
    if (k < 3) return false;
    i = skip_blanks(l, i + k, &(size_t){ 0 });
    while (l.n > i && strchr(" \t\r", l.s[l.n - 1])) l.n--;
    if (c == '`' && memchr(l.s + i, '`', l.n - i)) return false; /* a line of inline code */
    *out = (fence_mark){ c, k, column, l.s + i, l.n - i };
    return true;
}

static bool closes(const fence_mark *f, const fence_mark *open)
{
    static const char tag[] = "</answer>";
    bool bare = f->n_info == 0 || (f->n_info == sizeof tag - 1 && !memcmp(f->info, tag, sizeof tag - 1));
    return bare && f->c == open->c && f->length >= open->length && f->indent <= open->indent + 3;
}

static size_t word_of(const char *info, size_t n)
{
    size_t word = 0;
    while (word < n && !strchr(" \t{,", info[word])) word++;
    return word;
}

static bool has_tag(r1_code_language l, const char *info, size_t n)
{
    size_t word = word_of(info, n);
    for (size_t i = 0; i < 8 && tags[l][i]; i++)
        if (strlen(tags[l][i]) == word && !strncasecmp(info, tags[l][i], word)) return true;
    return false;
}

static int fit_of(r1_code_language l, const fence_mark *f)
{
    if (has_tag(l, f->info, f->n_info)) return FITS;
    if (l == R1_CODE_CPP && has_tag(R1_CODE_C, f->info, f->n_info)) return FITS_RELATED;
    return f->n_info ? FITS_NOT : FITS_PLAIN;
}

/* What the blocks of a response are. */
typedef struct blocks {
    block last[N_FITS], defining[N_FITS]; /* of each fit; data NULL: none */
    bool any;                             /* there was a fence */
    fence_mark other;                     /* of the last complete block that does not fit; n_info 0: none */
} blocks;

static void take_block(r1_code_language l, r1_code_text name, block b, const fence_mark *open, blocks *out)
{
    int fits = fit_of(l, open);
    out->last[fits] = b;
    if (fits == FITS_NOT) out->other = *open;
    else if (r1_code_defines(l, name, (r1_code_text){ b.data, b.n }, b.indent)) out->defining[fits] = b;
}

static void find_blocks(const r1_code_task *t, text_line s, blocks *out)
{
    fence_mark open = { 0 }, f;
    size_t start = 0, list = 0;
    r1_code_text name = r1_code_wanted(t);
    *out = (blocks){ 0 };
    for (size_t i = 0; i < s.n;) {
        const char *lf = memchr(s.s + i, '\n', s.n - i);
        size_t end = lf ? (size_t)(lf - s.s) : s.n;
        bool is_fence = fence((text_line){ s.s + i, end - i }, open.length ? NULL : &list, &f);
        if (is_fence && !open.length) {
            out->any = true;
            open = f;
            start = r1_min(end + 1, s.n);
        } else if (is_fence && closes(&f, &open)) {
            take_block(t->language, name, (block){ s.s + start, i - start, open.indent }, &open, out);
            open.length = 0;
        }
        i = end + 1;
    }
}

/* What follows the last thought; false: a thought was not closed. */
static bool skip_thought(text_line *s)
{
    static const char start[] = "<think>", end[] = "</think>";
    for (const char *p; (p = memmem(s->s, s->n, end, sizeof end - 1)) != NULL;) {
        p += sizeof end - 1;
        s->n -= (size_t)(p - s->s);
        s->s = p;
    }
    return !memmem(s->s, s->n, start, sizeof start - 1);
}

/* "<answer>x = 1</answer>" and nothing else: what is between. */
static block without_tags(text_line s)
{
    static const char start[] = "<answer>", end[] = "</answer>";
    const char *p = s.s, *to = s.s + s.n;
    while (p < to && r1_is_space(*p)) p++;
    while (to > p && r1_is_space(to[-1])) to--;
    size_t n = (size_t)(to - p);
    if (n < sizeof start + sizeof end - 2 || memcmp(p, start, sizeof start - 1) || memcmp(to - (sizeof end - 1), end, sizeof end - 1)) return (block){ s.s, s.n, 0 };
    return (block){ p + sizeof start - 1, n - (sizeof start + sizeof end - 2), 0 };
}

/* A copy without the indent of the fence: each line loses at most as many columns of blanks. */
static char *copy_block(block b, size_t *n)
{
    char *copy = malloc(b.n + 1), *to = copy;
    for (size_t i = 0; copy && i < b.n;) {
        const char *lf = memchr(b.data + i, '\n', b.n - i);
        size_t end = lf ? (size_t)(lf - b.data) + 1 : b.n, column = 0;
        while (i < end && column < b.indent && (b.data[i] == ' ' || b.data[i] == '\t')) column += b.data[i++] == ' ' ? 1 : 4 - column % 4;
        memcpy(to, b.data + i, end - i);
        to += end - i;
        i = end;
    }
    if (copy) *to = 0;
    *n = copy ? (size_t)(to - copy) : 0;
    return copy;
}

r1_status r1_code_extract(const r1_code_task *t, const char *response, size_t n, char **code, size_t *n_code, r1_error *err)
{
    text_line s = { response, n };
    blocks found;
    block b = { NULL, 0, 0 };
    *code = NULL;
    *n_code = 0;
    if (!skip_thought(&s)) return R1_OK;
    find_blocks(t, s, &found);
    if (!found.any) b = without_tags(s);
    for (int fits = FITS; fits > FITS_NOT && !b.data; fits--) b = found.defining[fits].data ? found.defining[fits] : found.last[fits];
    if (!b.data) return R1_OK;
    *code = copy_block(b, n_code);
    return *code ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for code of %zu bytes", b.n);
}

size_t r1_code_other_language(const r1_code_task *t, const char *response, size_t n, const char **name)
{
    text_line s = { response, n };
    blocks found;
    *name = NULL;
    if (!skip_thought(&s)) return 0;
    find_blocks(t, s, &found);
    *name = found.other.info;
    return *name ? word_of(found.other.info, found.other.n_info) : 0;
}
