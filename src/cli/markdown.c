/* Rendering of Markdown: md4c finds the structure, this file lays it out in columns.
 *
 * The text of a paragraph is gathered with one byte of style beside each byte, then broken into lines at blanks. A table
 * is gathered cell by cell and laid out when it ends. Every line carries its own style from its first byte to its last, so
 * that a line can be written again alone (markdown_live.c does that).
 */
#include "cli/markdown.h"
#include "base/utf8.h"

#include <md4c.h>

enum { BOLD = 1, ITALIC = 2, CODE = 4, LINK = 8, STRIKE = 16, DIM = 32, TITLE = 64 };

typedef struct cell { size_t start, n; bool end_of_row; MD_ALIGN align; } cell;

enum { MAX_DEPTH = 32, MAX_COLUMNS = 64 };

typedef struct level { bool ordered, tight, fresh; unsigned number; char prefix[8]; } level;

typedef struct page {
    r1_buf *out;
    size_t width;
    bool color;
    r1_error *err;
    r1_status status;
    r1_buf text, style;        /* of the open paragraph, same length */
    unsigned now;              /* style of what comes */
    char prefix[MAX_DEPTH * 4 + 8]; /* what stands before each line: quote bars, list indents */
    size_t prefix_n, prefix_columns;
    char mark[24];             /* a list mark that stands once in place of its level's indent, */
    size_t mark_end;           /* which ends here in the prefix */
    bool gap;                  /* an empty line comes before the next one, */
    size_t gap_prefix;         /* with this much of the prefix */
    level levels[MAX_DEPTH];
    int depth;
    bool any;
    const char *source;
    const char *last_end;      /* end of the previous piece of text, to see what md4c skipped */
    size_t link_start;
    cell *cells; size_t n_cells, cap_cells;
    bool in_table;
} page;

static void keep(page *p, r1_status s) { if (s && !p->status) p->status = s; }
static void emit(page *p, const char *s, size_t n) { keep(p, r1_buf_add(p->out, s, n, p->err)); }
static void emits(page *p, const char *s) { emit(p, s, strlen(s)); }

/* ---- lines ----------------------------------------------------------------------------------------------------- */

static void emit_style(page *p, unsigned from, unsigned to)
{
    if (!p->color || from == to) return;
    char s[40] = "\033[0";
    if (to & (BOLD | TITLE)) strcat(s, ";1");
    if (to & DIM) strcat(s, ";2");
    if (to & ITALIC) strcat(s, ";3");
    if (to & LINK) strcat(s, ";4");
    if (to & STRIKE) strcat(s, ";9");
    if (to & CODE) strcat(s, ";36");
    strcat(s, "m");
    emits(p, s);
}

static void emit_styled(page *p, const char *text, const char *style, size_t n)
{
    unsigned now = 0;
    for (size_t i = 0; i < n;) {
        size_t k = i;
        while (k < n && style[k] == style[i]) k++;
        emit_style(p, now, (unsigned char)style[i]);
        now = (unsigned char)style[i];
        emit(p, text + i, k - i);
        i = k;
    }
    emit_style(p, now, 0);
}

static void begin_line(page *p)
{
    if (p->any) emits(p, "\n");
    if (p->any && p->gap) {
        size_t n = p->gap_prefix;
        while (n && p->prefix[n - 1] == ' ') n--;
        emit(p, p->prefix, n);
        emits(p, "\n");
    }
    p->any = true;
    p->gap = false;
    if (p->mark[0]) {
        emit(p, p->prefix, p->mark_end - strlen(p->levels[p->depth - 1].prefix));
        emits(p, p->mark);
        emit(p, p->prefix + p->mark_end, p->prefix_n - p->mark_end);
        p->mark[0] = 0;
    } else {
        emit(p, p->prefix, p->prefix_n);
    }
}

/* Ask for an empty line before the next one. A block that opens an item stands beside its mark. */
static void gap(page *p)
{
    if (!p->any || p->gap || p->mark[0]) return;
    p->gap = true;
    p->gap_prefix = p->prefix_n;
}

/* One line of text[0..n) from *at: how many bytes fit into `width` columns, broken at a blank if there is one. Moves *at
 * past the break. */
static size_t fit(const char *text, size_t n, size_t *at, size_t width)
{
    size_t i = *at, columns = 0, last_blank = SIZE_MAX, after = 0;
    while (i < n && text[i] != '\n') {
        size_t len;
        int k = r1_term_columns(text + i, n - i, &len);
        if (text[i] == ' ' && i > *at) { last_blank = i; after = i + 1; }
        if (columns + (size_t)(k > 0 ? k : 0) > width && i > *at) {
            if (last_blank != SIZE_MAX) {
                size_t start = *at;
                *at = after;
                return last_blank - start;
            }
            size_t start = *at;
            *at = i;
            return i - start;
        }
        columns += (size_t)(k > 0 ? k : 0);
        if (k > 1) { last_blank = i + len; after = i + len; } /* a break is allowed behind a wide character */
        i += len;
    }
    size_t start = *at;
    *at = i < n ? i + 1 : n;
    return i - start;
}

static size_t trimmed(const char *text, size_t n)
{
    while (n && text[n - 1] == ' ') n--;
    return n;
}

static void trim_line(page *p)
{
    while (p->out->len && p->out->data[p->out->len - 1] == ' ') p->out->data[--p->out->len] = 0;
}

static void layout(page *p)
{
    size_t width = p->width > p->prefix_columns + 8 ? p->width - p->prefix_columns : 8;
    const char *text = p->text.data;
    size_t n = trimmed(text ? text : "", p->text.len), at = 0;
    do {
        size_t start = at, len = n ? fit(text, n, &at, width) : 0;
        begin_line(p);
        if (len) emit_styled(p, text + start, p->style.data + start, trimmed(text + start, len));
        else trim_line(p);
        while (at < n && at > 0 && text[at - 1] != '\n' && text[at] == ' ') at++; /* further blanks at a break */
    } while (at < n);
    r1_buf_clear(&p->text);
    r1_buf_clear(&p->style);
}

static void put(page *p, const char *s, size_t n)
{
    r1_buf clean;
    r1_buf_init(&clean, SIZE_MAX / 4);
    keep(p, r1_term_clean(s, n, &clean, p->err));
    for (size_t i = 0; i < clean.len; i++) {
        char c = clean.data[i];
        char style[4] = { (char)p->now, (char)p->now, (char)p->now, (char)p->now };
        size_t width = c == '\t' ? 4 : 1;
        keep(p, r1_buf_add(&p->text, c == '\t' ? "    " : &c, width, p->err));
        keep(p, r1_buf_add(&p->style, style, width, p->err));
    }
    r1_buf_deinit(&clean);
}

/* ---- tables ---------------------------------------------------------------------------------------------------- */

static size_t columns_of(const char *s, size_t n)
{
    size_t sum = 0;
    for (size_t i = 0, len; i < n; i += len) {
        int k = r1_term_columns(s + i, n - i, &len);
        if (len == 0) break;
        sum += (size_t)(k > 0 ? k : 0);
    }
    return sum;
}

static void end_cell(page *p, MD_ALIGN align)
{
    if (p->n_cells == p->cap_cells) {
        size_t cap = p->cap_cells ? p->cap_cells * 2 : 32;
        cell *q = realloc(p->cells, cap * sizeof *q);
        if (!q) {
            keep(p, r1_fail(p->err, R1_ENOMEM, "no memory for a table"));
            return;
        }
        p->cells = q;
        p->cap_cells = cap;
    }
    size_t start = p->n_cells ? p->cells[p->n_cells - 1].start + p->cells[p->n_cells - 1].n : 0;
    p->cells[p->n_cells++] = (cell){ start, p->text.len - start, false, align };
}

static void spaces(page *p, size_t n)
{
    while (n--) emits(p, " ");
}

/* Widths that fit: as long as the sum is too large the widest column gives one. */
static void squeeze(size_t *w, size_t n, size_t room)
{
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += w[i];
    while (sum > room) {
        size_t widest = 0;
        for (size_t i = 1; i < n; i++)
            if (w[i] > w[widest]) widest = i;
        if (w[widest] <= 3) break;
        w[widest]--;
        sum--;
    }
}

static void emit_row(page *p, const cell *row, size_t n, const size_t *w)
{
    size_t at[MAX_COLUMNS] = { 0 };
    bool more = true;
    while (more) {
        more = false;
        begin_line(p);
        for (size_t i = 0; i < n; i++) {
            const char *text = p->text.data + row[i].start, *style = p->style.data + row[i].start;
            size_t start = at[i], len = at[i] < row[i].n ? fit(text, row[i].n, &at[i], w[i]) : 0;
            len = trimmed(text + start, len);
            size_t columns = columns_of(text + start, len), pad = w[i] > columns ? w[i] - columns : 0;
            size_t before = row[i].align == MD_ALIGN_RIGHT ? pad : row[i].align == MD_ALIGN_CENTER ? pad / 2 : 0;
            if (i) emits(p, " │ ");
            spaces(p, before);
            emit_styled(p, text + start, style + start, len);
            if (i + 1 < n) spaces(p, pad - before);
            more = more || at[i] < row[i].n;
        }
        trim_line(p);
    }
}

static void emit_table(page *p)
{
    size_t w[MAX_COLUMNS] = { 0 }, n_columns = 0, column = 0;
    for (size_t i = 0; i < p->n_cells; i++) {
        size_t k = columns_of(p->text.data + p->cells[i].start, p->cells[i].n);
        if (k > w[column]) w[column] = k;
        n_columns = r1_max(n_columns, ++column);
        if (p->cells[i].end_of_row || column == MAX_COLUMNS) column = 0;
    }
    if (n_columns) {
        size_t seams = 3 * (n_columns - 1), room = p->width > p->prefix_columns + seams ? p->width - p->prefix_columns - seams : 1;
        squeeze(w, n_columns, room);
    }
    bool head = true;
    for (size_t i = 0; i < p->n_cells;) {
        size_t n = 1;
        while (!p->cells[i + n - 1].end_of_row && i + n < p->n_cells && n < MAX_COLUMNS) n++;
        emit_row(p, p->cells + i, n, w);
        i += n;
        if (!head) continue;
        head = false;
        begin_line(p);
        for (size_t c = 0; c < n_columns; c++) {
            if (c) emits(p, "─┼─");
            for (size_t k = 0; k < w[c]; k++) emits(p, "─");
        }
    }
    p->n_cells = 0;
    r1_buf_clear(&p->text);
    r1_buf_clear(&p->style);
}

/* ---- blocks ---------------------------------------------------------------------------------------------------- */

static void push_prefix(page *p, const char *s, size_t columns)
{
    size_t n = strlen(s);
    if (p->prefix_n + n >= sizeof p->prefix) {
        keep(p, r1_fail(p->err, R1_ELIMIT, "lists and quotes are nested too deeply to show"));
        return;
    }
    memcpy(p->prefix + p->prefix_n, s, n + 1);
    p->prefix_n += n;
    p->prefix_columns += columns;
}

static void pop_prefix(page *p, size_t n, size_t columns)
{
    if (p->prefix_n < n) return;
    p->prefix_n -= n;
    p->prefix_columns -= columns;
}

static const char bar[] = "│ "; /* four bytes, two columns */

static void enter_item(page *p)
{
    level *l = &p->levels[p->depth - 1];
    if (l->fresh ? p->depth == 1 : !l->tight) gap(p);
    l->fresh = false;
    if (l->ordered) snprintf(p->mark, sizeof p->mark, "%2u. ", l->number++);
    else snprintf(p->mark, sizeof p->mark, "%s", p->depth % 2 ? "• " : "◦ ");
    snprintf(l->prefix, sizeof l->prefix, "%s", l->ordered ? "    " : "  ");
    push_prefix(p, l->prefix, strlen(l->prefix));
    p->mark_end = p->prefix_n;
}

static void enter_list(page *p, bool ordered, bool tight, unsigned first)
{
    if (p->mark[0] && p->depth > 0) begin_line(p); /* a list that opens an item */
    if (p->depth < MAX_DEPTH) p->levels[p->depth++] = (level){ .ordered = ordered, .tight = tight, .fresh = true, .number = first };
    else keep(p, r1_fail(p->err, R1_ELIMIT, "lists are nested too deeply to show"));
}

/* Tight items have no paragraph: their text ends where a block begins. */
static bool ends_text(MD_BLOCKTYPE type)
{
    return type == MD_BLOCK_QUOTE || type == MD_BLOCK_UL || type == MD_BLOCK_OL || type == MD_BLOCK_HR || type == MD_BLOCK_H
        || type == MD_BLOCK_CODE || type == MD_BLOCK_HTML || type == MD_BLOCK_TABLE;
}

static int enter_block(MD_BLOCKTYPE type, void *detail, void *ctx)
{
    page *p = ctx;
    p->last_end = NULL;
    if (p->text.len && ends_text(type)) layout(p);
    switch (type) {
    case MD_BLOCK_QUOTE:
        gap(p);
        push_prefix(p, bar, 2);
        break;
    case MD_BLOCK_UL: enter_list(p, false, ((MD_BLOCK_UL_DETAIL *)detail)->is_tight != 0, 0); break;
    case MD_BLOCK_OL: enter_list(p, true, ((MD_BLOCK_OL_DETAIL *)detail)->is_tight != 0, ((MD_BLOCK_OL_DETAIL *)detail)->start); break;
    case MD_BLOCK_LI:
        if (p->status) return 1;
        enter_item(p);
        if (((MD_BLOCK_LI_DETAIL *)detail)->is_task) put(p, ((MD_BLOCK_LI_DETAIL *)detail)->task_mark == ' ' ? "[ ] " : "[x] ", 4);
        break;
    case MD_BLOCK_HR:
        gap(p);
        begin_line(p);
        for (size_t i = 0; i < r1_min(p->width - r1_min(p->width, p->prefix_columns), 40); i++) emits(p, "─");
        break;
    case MD_BLOCK_H:
        gap(p);
        p->now = TITLE | (((MD_BLOCK_H_DETAIL *)detail)->level == 1 ? LINK : 0);
        break;
    case MD_BLOCK_CODE: gap(p); p->now = CODE; break;
    case MD_BLOCK_HTML: gap(p); break;
    case MD_BLOCK_P: gap(p); break;
    case MD_BLOCK_TABLE: gap(p); p->in_table = true; break;
    case MD_BLOCK_TH: p->now = BOLD; break;
    default: break;
    }
    return p->status != R1_OK;
}

static void end_code(page *p)
{
    if (p->text.len && p->text.data[p->text.len - 1] == '\n') {
        p->text.len--;
        p->style.len--;
    }
    push_prefix(p, "  ", 2);
    layout(p);
    pop_prefix(p, 2, 2);
    p->now = 0;
}

static int leave_block(MD_BLOCKTYPE type, void *detail, void *ctx)
{
    page *p = ctx;
    switch (type) {
    case MD_BLOCK_QUOTE: pop_prefix(p, sizeof bar - 1, 2); break;
    case MD_BLOCK_UL: case MD_BLOCK_OL: p->depth--; break;
    case MD_BLOCK_LI: {
        size_t n = strlen(p->levels[p->depth - 1].prefix);
        if (p->text.len || p->mark[0]) layout(p); /* tight items have no paragraph; an empty item still shows its mark */
        pop_prefix(p, n, n);
        break;
    }
    case MD_BLOCK_H: case MD_BLOCK_P: layout(p); p->now = 0; break;
    case MD_BLOCK_CODE: end_code(p); break;
    case MD_BLOCK_HTML:
        if (p->text.len && p->text.data[p->text.len - 1] == '\n') { p->text.len--; p->style.len--; }
        layout(p);
        break;
    case MD_BLOCK_TABLE: emit_table(p); p->in_table = false; break;
    case MD_BLOCK_TH: case MD_BLOCK_TD:
        end_cell(p, ((MD_BLOCK_TD_DETAIL *)detail)->align);
        p->now = 0;
        break;
    case MD_BLOCK_TR:
        if (p->n_cells) p->cells[p->n_cells - 1].end_of_row = true;
        break;
    default: break;
    }
    return p->status != R1_OK;
}

/* ---- spans and text -------------------------------------------------------------------------------------------- */

static unsigned span_style(MD_SPANTYPE type)
{
    switch (type) {
    case MD_SPAN_EM: return ITALIC;
    case MD_SPAN_STRONG: return BOLD;
    case MD_SPAN_CODE: return CODE;
    case MD_SPAN_DEL: return STRIKE;
    case MD_SPAN_A: return LINK;
    default: return 0;
    }
}

static int enter_span(MD_SPANTYPE type, void *detail, void *ctx)
{
    (void)detail;
    page *p = ctx;
    if (type == MD_SPAN_A || type == MD_SPAN_IMG) p->link_start = p->text.len;
    p->now |= span_style(type);
    p->last_end = NULL;
    return p->status != R1_OK;
}

static int leave_span(MD_SPANTYPE type, void *detail, void *ctx)
{
    page *p = ctx;
    p->now &= ~span_style(type);
    p->last_end = NULL;
    if (type != MD_SPAN_A && type != MD_SPAN_IMG) return p->status != R1_OK;
    const MD_ATTRIBUTE *to = type == MD_SPAN_A ? &((MD_SPAN_A_DETAIL *)detail)->href : &((MD_SPAN_IMG_DETAIL *)detail)->src;
    if (to->size == 0) return p->status != R1_OK;
    size_t shown = p->text.len - r1_min(p->link_start, p->text.len);
    bool same = shown == to->size && !memcmp(p->text.data + p->link_start, to->text, to->size);
    bool mail = to->size > 7 && !memcmp(to->text, "mailto:", 7);
    if (same || mail) return p->status != R1_OK;
    put(p, " (", 2);
    put(p, to->text, to->size);
    put(p, ")", 1);
    return p->status != R1_OK;
}

static void put_entity(page *p, const char *s, size_t n)
{
    static const struct { const char *name, *text; } known[] = {
        { "&amp;", "&" }, { "&lt;", "<" }, { "&gt;", ">" }, { "&quot;", "\"" }, { "&apos;", "'" }, { "&nbsp;", " " },
        { "&times;", "×" }, { "&divide;", "÷" }, { "&minus;", "−" }, { "&deg;", "°" }, { "&rarr;", "→" }, { "&larr;", "←" },
        { "&le;", "≤" }, { "&ge;", "≥" }, { "&ne;", "≠" }, { "&pi;", "π" }, { "&mdash;", "—" }, { "&ndash;", "–" }, { "&hellip;", "…" },
    };
    for (size_t i = 0; i < R1_COUNT(known); i++)
        if (strlen(known[i].name) == n && !memcmp(known[i].name, s, n)) {
            put(p, known[i].text, strlen(known[i].text));
            return;
        }
    if (n > 3 && s[1] == '#') {
        bool hex = s[2] == 'x' || s[2] == 'X';
        unsigned long cp = strtoul(s + (hex ? 3 : 2), NULL, hex ? 16 : 10);
        char utf8[4];
        if (cp > 0 && cp <= 0x10ffff && !(cp >= 0xd800 && cp < 0xe000)) {
            put(p, utf8, (size_t)r1_utf8_encode((uint32_t)cp, utf8));
            return;
        }
    }
    put(p, s, n);
}

static int on_text(MD_TEXTTYPE type, const MD_CHAR *s, MD_SIZE n, void *ctx)
{
    page *p = ctx;
    switch (type) {
    case MD_TEXT_NULLCHAR: put(p, "\xef\xbf\xbd", 3); break;
    case MD_TEXT_BR: put(p, p->in_table ? " " : "\n", 1); break;
    case MD_TEXT_SOFTBR: put(p, " ", 1); break;
    case MD_TEXT_ENTITY: put_entity(p, s, n); break;
    case MD_TEXT_NORMAL:
        /* md4c drops the backslash of an escape. Before these it is LaTeX far more often than Markdown: \( \[ \{ \, \\ */
        if (n == 1 && strchr("()[]{},;:!%&\\", *s) && s > p->source && s[-1] == '\\' && s != p->last_end) put(p, "\\", 1);
        put(p, s, n);
        break;
    default: put(p, s, n); break;
    }
    p->last_end = type == MD_TEXT_NORMAL || type == MD_TEXT_ENTITY ? s + n : NULL;
    return p->status != R1_OK;
}

r1_status r1_markdown_render(const char *text, size_t n, size_t width, bool color, r1_buf *out, r1_error *err)
{
    page p = { .out = out, .width = r1_max(width, 10), .color = color, .err = err, .source = text };
    const size_t most = SIZE_MAX / 4;
    r1_buf_init(&p.text, most);
    r1_buf_init(&p.style, most);
    keep(&p, r1_buf_adds(&p.text, "", err));
    keep(&p, r1_buf_adds(&p.style, "", err));
    MD_PARSER parser = { .flags = MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH | MD_FLAG_PERMISSIVEURLAUTOLINKS | MD_FLAG_TASKLISTS,
                         .enter_block = enter_block, .leave_block = leave_block, .enter_span = enter_span,
                         .leave_span = leave_span, .text = on_text };
    if (n > UINT32_MAX / 2) p.status = r1_fail(err, R1_ELIMIT, "%zu bytes are too many to render", n);
    else if (p.status) { /* no memory */ }
    else if (md_parse(text, (MD_SIZE)n, &parser, &p) != 0 && !p.status) p.status = r1_fail(err, R1_ENOMEM, "no memory to render %zu bytes", n);
    r1_buf_deinit(&p.text);
    r1_buf_deinit(&p.style);
    free(p.cells);
    return p.status;
}
