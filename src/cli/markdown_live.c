/* Markdown while it arrives: which part of the text is settled, and how to bring the terminal from the old picture of the
 * open block to the new one.
 *
 * The common step is a word added to the last line: only its bytes are written. Rarer, a line changes (a closing ** makes
 * it bold): the cursor goes up to the first line that differs and everything from there is written again, in one write.
 * What scrolled off cannot be reached and stays. Between pieces the cursor stands behind the last character shown.
 */
#include "cli/markdown.h"

void r1_markdown_init(r1_markdown *m, const r1_term *term)
{
    *m = (r1_markdown){ .term = term };
    r1_buf_init(&m->source, SIZE_MAX / 4);
    r1_buf_init(&m->shown, SIZE_MAX / 4);
}

/* ---- the picture ----------------------------------------------------------------------------------------------- */

typedef struct row { const char *p; size_t n; } row;

static size_t split(const r1_buf *b, row **rows)
{
    size_t n = b->len > 0;
    for (size_t i = 0; i < b->len; i++) n += b->data[i] == '\n';
    *rows = calloc(n ? n : 1, sizeof **rows);
    if (!*rows) return 0;
    size_t k = 0, start = 0;
    for (size_t i = 0; n && i <= b->len; i++)
        if (i == b->len || b->data[i] == '\n') {
            (*rows)[k++] = (row){ b->data + start, i - start };
            start = i + 1;
        }
    return n;
}

/* Terminal rows a line takes: more than one only where the window became narrower since. */
static size_t height_of(const row *r, size_t width)
{
    size_t columns = 0;
    for (size_t i = 0; i < r->n;) {
        if (r->p[i] == '\033') { /* a style, which ends with 'm' */
            while (i < r->n && r->p[i] != 'm') i++;
            i += i < r->n;
            continue;
        }
        size_t len;
        int k = r1_term_columns(r->p + i, r->n - i, &len);
        columns += (size_t)(k > 0 ? k : 0);
        i += len ? len : 1;
    }
    return columns ? r1_ceil_div(columns, width) : 1;
}

static bool same(const row *a, const row *b) { return a->n == b->n && !memcmp(a->p, b->p, a->n); }

static void redraw(const r1_markdown *m, const r1_buf *next, size_t width, size_t height)
{
    FILE *f = m->term->f;
    row *old, *new;
    size_t n_old = split(&m->shown, &old), n_new = split(next, &new), k = 0, up = 0;
    bool over = false; /* new lines go over old ones: erase what is left of those, after writing, so that nothing flickers */
    while (k < n_old && k < n_new && same(&old[k], &new[k])) k++;
    if (k < n_old) { /* line k changes; unreachable lines stay as they are */
        size_t first = k;
        k = n_old;
        for (size_t used = 0; k > first; k--) {
            used += height_of(&old[k - 1], width);
            if (used >= height) break;
        }
        if (k == n_old) k--;
        if (k == n_new && k > 0) k--; /* the cursor must end behind a line that is there */
    }
    if (k + 1 == n_old && k < n_new && new[k].n > old[k].n && !memcmp(old[k].p, new[k].p, old[k].n)) {
        fwrite(new[k].p + old[k].n, 1, new[k].n - old[k].n, f); /* the last line grew */
        k++;
    } else if (k < n_old) {
        for (size_t i = k; i < n_old; i++) up += height_of(&old[i], width);
        if (up > 1) fprintf(f, "\033[%zuA", up - 1);
        putc('\r', f);
        if (k < n_new) fwrite(new[k].p, 1, new[k].n, f);
        k++;
        over = true;
    } else if (n_old == 0 && n_new > 0) {
        fwrite(new[0].p, 1, new[0].n, f);
        k = 1;
    }
    for (; k < n_new; k++) {
        fputs(over ? "\033[K\n" : "\n", f);
        fwrite(new[k].p, 1, new[k].n, f);
    }
    if (over) fputs("\033[J", f);
    free(old);
    free(new);
}

/* ---- what is settled ------------------------------------------------------------------------------------------- */

static size_t line_end(const r1_buf *b, size_t at)
{
    while (at < b->len && b->data[at] != '\n') at++;
    return at;
}

static size_t indent_of(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && p[i] == ' ') i++;
    return i;
}

/* Length of a run of ``` or ~~~ that begins a line, else 0. */
static size_t fence_of(const char *p, size_t n, char *kind)
{
    size_t i = indent_of(p, n), k = i;
    if (k == n || (p[k] != '`' && p[k] != '~')) return 0;
    *kind = p[k];
    while (k < n && p[k] == *kind) k++;
    return k - i >= 3 ? k - i : 0;
}

static bool begins_item(const char *p, size_t n)
{
    size_t i = indent_of(p, n);
    if (i < n && strchr("-*+", p[i])) return i + 1 == n || p[i + 1] == ' ';
    size_t k = i;
    while (k < n && p[k] >= '0' && p[k] <= '9') k++;
    return k > i && k - i < 10 && (k == n || p[k] == '.' || p[k] == ')');
}

/* Where a new block begins for certain: after an empty line, not in a fence, not indented, and not the next item of a list.
 * 0: nowhere yet. */
static size_t settled(const r1_buf *b)
{
    bool empty = false, list = false, text = false;
    size_t fence = 0;
    char kind = 0, k = 0;
    for (size_t at = 0; at < b->len;) {
        size_t end = line_end(b, at), n = end - at;
        const char *p = b->data + at;
        bool blank = indent_of(p, n) == n;
        size_t run = fence_of(p, n, &k);
        if (!fence && !blank && empty && text && *p != ' ' && *p != '\t' && !(list && begins_item(p, n)))
            return at;
        if (!fence && !blank && begins_item(p, n)) list = true;
        if (run && !fence) {
            fence = run;
            kind = k;
        } else if (run >= fence && fence && k == kind && indent_of(p + indent_of(p, n) + run, n - indent_of(p, n) - run) == n - indent_of(p, n) - run) {
            fence = 0;
        }
        empty = blank;
        text = text || !blank;
        at = end + (end < b->len);
        if (end == b->len) break;
    }
    return 0;
}

/* Signs that may still turn out to be a mark, a rule or a fence wait at the end of the text until more is there. */
static size_t without_open_mark(const r1_buf *b)
{
    size_t start = b->len;
    while (start > 0 && b->data[start - 1] != '\n') start--;
    bool digits = false;
    for (size_t i = start; i < b->len; i++) {
        if (b->data[i] >= '0' && b->data[i] <= '9') digits = true;
        else if (!strchr("-=*_#`~>|+:.) \t", b->data[i]) || (digits && b->data[i] == '=')) return b->len;
    }
    return start;
}

static void show(r1_markdown *m, size_t n)
{
    size_t width = m->width ? m->width : r1_term_width(m->term), height = m->height ? m->height : r1_term_height(m->term);
    r1_buf next;
    r1_buf_init(&next, SIZE_MAX / 4);
    r1_status s = r1_markdown_render(m->source.data, n, width - 1, m->term->color, &next, NULL);
    if (s) { /* nested too deeply, or no memory: as it stands */
        r1_buf_clear(&next);
        s = r1_term_clean(m->source.data, n, &next, NULL);
    }
    if (s == R1_OK && next.len > 0) {
        if (m->above && m->shown.len == 0) fputs("\n\n", m->term->f);
        redraw(m, &next, width, height);
        r1_buf_deinit(&m->shown);
        m->shown = next;
        return;
    }
    r1_buf_deinit(&next);
}

static void settle(r1_markdown *m, size_t n)
{
    show(m, n);
    m->above = m->above || m->shown.len > 0;
    memmove(m->source.data, m->source.data + n, m->source.len - n);
    m->source.len -= n;
    m->source.data[m->source.len] = 0;
    r1_buf_clear(&m->shown);
}

void r1_markdown_add(r1_markdown *m, const char *text, size_t n)
{
    if (n == 0) return;
    if (r1_buf_add(&m->source, text, n, NULL)) { /* no memory to lay it out: the bare text, without what could act */
        for (size_t i = 0; i < n; i++) putc((unsigned char)text[i] < 0x20 && text[i] != '\n' ? '?' : text[i], m->term->f);
        return;
    }
    for (size_t k; (k = settled(&m->source)) > 0;) settle(m, k);
    show(m, without_open_mark(&m->source));
    fflush(m->term->f);
}

void r1_markdown_end(r1_markdown *m)
{
    if (m->source.len) show(m, m->source.len);
    if (m->above || m->shown.len) putc('\n', m->term->f);
    fflush(m->term->f);
    r1_buf_deinit(&m->source);
    r1_buf_deinit(&m->shown);
    m->above = false;
}
