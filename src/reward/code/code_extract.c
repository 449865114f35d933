/* Taking the code out of what a model wrote: its last fenced block that fits the task.
 *
 * A fence is a line that starts, after at most three blanks, with three or more ` or ~; it ends at a line of as many or more of the same
 * and nothing else. The word after it is the language. What is thought does not count. */
#define _GNU_SOURCE
#include "reward/code/code_int.h"
#include <strings.h>

typedef struct block {
    const char *data;
    size_t n;
} block;

static const char *const tags[][8] = {
    [R1_CODE_PYTHON] = { "python", "py", "python3", "python2", NULL },
    [R1_CODE_C] = { "c", "h", "c11", "c17", "c99", NULL },
    [R1_CODE_CPP] = { "cpp", "c++", "cc", "cxx", "hpp", "c++17", "cpp17", NULL },
    [R1_CODE_JAVASCRIPT] = { "javascript", "js", "node", "nodejs", "mjs", "jsx", NULL },
};

/* The line at s[0..n): how many fence characters it starts with (0: it is no fence), and what stands behind them. */
static size_t fence(const char *s, size_t n, char *c, const char **info, size_t *n_info)
{
    size_t i = 0, k = 0;
    while (i < n && i < 3 && s[i] == ' ') i++;
    if (i == n || (s[i] != '`' && s[i] != '~')) return 0;
    *c = s[i];
    while (i + k < n && s[i + k] == *c) k++;
    if (k < 3) return 0;
    for (i += k; i < n && (s[i] == ' ' || s[i] == '\t'); i++) {}
    while (n > i && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '\r')) n--;
    if (*c == '`' && memchr(s + i, '`', n - i)) return 0; /* a line of inline code */
    *info = s + i;
    *n_info = n - i;
    return k;
}

static bool has_tag(r1_code_language l, const char *info, size_t n)
{
    size_t word = 0;
    while (word < n && info[word] != ' ' && info[word] != '\t' && info[word] != '{' && info[word] != ',') word++;
    for (size_t i = 0; i < 8 && tags[l][i]; i++)
        if (strlen(tags[l][i]) == word && !strncasecmp(info, tags[l][i], word)) return true;
    return false;
}

/* The last complete block with the task's tag, else the last one without a tag. *any: there was a fence. */
static block last_block(r1_code_language l, const char *s, size_t n, bool *any)
{
    block tagged = { NULL, 0 }, plain = { NULL, 0 };
    size_t open = 0, start = 0;
    char open_char = 0;
    int fits = 0; /* 2: the task's language, 1: none, 0: another */
    *any = false;
    for (size_t i = 0; i < n;) {
        const char *lf = memchr(s + i, '\n', n - i), *info = NULL;
        size_t end = lf ? (size_t)(lf - s) : n, n_info = 0;
        char c = 0;
        size_t k = fence(s + i, end - i, &c, &info, &n_info);
        if (k && !open) {
            *any = true;
            open = k;
            open_char = c;
            start = end + (lf ? 1 : 0);
            fits = has_tag(l, info, n_info) ? 2 : n_info == 0;
        } else if (k >= open && open && c == open_char && !n_info) {
            block b = { s + start, i - start };
            if (fits == 2) tagged = b;
            if (fits == 1) plain = b;
            open = 0;
        }
        i = end + 1;
    }
    return tagged.data ? tagged : plain;
}

r1_status r1_code_extract(const r1_code_task *t, const char *response, size_t n, char **code, size_t *n_code, r1_error *err)
{
    static const char start[] = "<think>", end[] = "</think>";
    *code = NULL;
    *n_code = 0;
    for (const char *p; (p = memmem(response, n, end, sizeof end - 1)) != NULL;) {
        p += sizeof end - 1;
        n -= (size_t)(p - response);
        response = p;
    }
    if (memmem(response, n, start, sizeof start - 1)) return R1_OK; /* a thought that was not closed */
    bool any;
    block b = last_block(t->language, response, n, &any);
    if (!b.data && !any) b = (block){ response, n };
    if (!b.data) return R1_OK;
    char *copy = malloc(b.n + 1);
    if (!copy) return r1_fail(err, R1_ENOMEM, "no memory for code of %zu bytes", b.n);
    memcpy(copy, b.data, b.n);
    copy[b.n] = 0;
    *code = copy;
    *n_code = b.n;
    return R1_OK;
}
