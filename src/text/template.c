/* Rendering: the driver, the writer that the families put text into, and the safe encoding.
 *
 * Text and segments grow together; neighbours of one kind are one segment, so a rendering has about two segments a
 * message. continue_final_message does what transformers does: the whole conversation is rendered, then cut where the
 * last message's content ends, and refused when the template does not show that content or when the cut would lose
 * anything that came from outside.
 */
#define _GNU_SOURCE /* memmem: linear, unlike a loop of our own */
#include "text/template_int.h"
#include "base/utf8.h"
#include <stdint.h>
#include <stdio.h>

/* ---- text helpers ------------------------------------------------------------------------------------------------- */

size_t r1_slice_find(r1_slice s, r1_slice part)
{
    const char *p = s.n >= part.n ? memmem(s.p, s.n, part.p, part.n) : NULL;
    return p ? (size_t)(p - s.p) : SIZE_MAX;
}

size_t r1_slice_rfind(r1_slice s, r1_slice part)
{
    size_t at = SIZE_MAX, next, from = 0;
    while ((next = r1_slice_find(r1_slice_from(s, from), part)) != SIZE_MAX) {
        at = from + next;
        from = at + 1;
    }
    return at;
}

r1_slice r1_slice_from(r1_slice s, size_t at) { return (r1_slice){ s.p + at, s.n - at }; }
r1_slice r1_slice_until(r1_slice s, size_t at) { return (r1_slice){ s.p, at }; }

r1_slice r1_strip_newlines(r1_slice s, bool left, bool right)
{
    while (left && s.n && s.p[0] == '\n') s = r1_slice_from(s, 1);
    while (right && s.n && s.p[s.n - 1] == '\n') s.n--;
    return s;
}

/* str.isspace() of Python: the bidirectional classes WS, B, S and the category Zs. */
static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
           c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

r1_slice r1_strip_space(r1_slice s, bool left, bool right)
{
    uint32_t c;
    while (left && s.n) {
        int k = r1_utf8_decode(s.p, s.n, &c);
        if (k <= 0 || !is_space(c)) break;
        s = r1_slice_from(s, (size_t)k);
    }
    while (right && s.n) {
        size_t at = s.n - 1;
        while (at && s.n - at < 4 && ((unsigned char)s.p[at] & 0xC0) == 0x80) at--;
        int k = r1_utf8_decode(s.p + at, s.n - at, &c);
        if (k <= 0 || (size_t)k != s.n - at || !is_space(c)) break;
        s.n = at;
    }
    return s;
}

r1_slice r1_after_thought(r1_slice s)
{
    r1_slice close = R1_SLICE("</think>");
    size_t at = r1_slice_rfind(s, close);
    return at == SIZE_MAX ? s : r1_slice_from(s, at + close.n);
}

/* ---- the writer --------------------------------------------------------------------------------------------------- */

void r1_writer_fail(r1_writer *w, r1_status s, const char *fmt, ...)
{
    char text[R1_ERROR_MAX];
    va_list ap;
    if (w->s) return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    w->s = r1_fail(w->err, s, "%s", text);
}

/* Make the bytes added since `start` part of a segment of this kind. */
static void grow_segment(r1_writer *w, r1_seg_kind kind, size_t start, size_t n)
{
    r1_rendering *r = w->out;
    if (r->n_segments && r->segments[r->n_segments - 1].kind == kind) {
        r->segments[r->n_segments - 1].n += n;
        return;
    }
    if (r->n_segments == r->cap_segments) {
        size_t cap = r->cap_segments ? r->cap_segments * 2 : 16;
        r1_segment *more = realloc(r->segments, cap * sizeof *more);
        if (!more) {
            r1_writer_fail(w, R1_ENOMEM, "no memory for %zu segments", cap);
            return;
        }
        r->segments = more;
        r->cap_segments = cap;
    }
    r->segments[r->n_segments++] = (r1_segment){ kind, start, n };
}

void r1_put(r1_writer *w, r1_seg_kind kind, const char *p, size_t n)
{
    size_t start = w->out->text.len;
    if (w->s || !n) return;
    w->s = r1_buf_add(&w->out->text, p, n, w->err);
    if (!w->s) grow_segment(w, kind, start, n);
}

void r1_put_text(r1_writer *w, const char *s) { r1_put(w, R1_SEG_TEMPLATE, s, strlen(s)); }
void r1_put_outside(r1_writer *w, r1_slice s) { r1_put(w, R1_SEG_OUTSIDE, s.p, s.n); }

void r1_put_content(r1_writer *w, size_t i, r1_slice s)
{
    r1_put(w, w->messages[i].role == R1_ROLE_ASSISTANT ? R1_SEG_ASSISTANT : R1_SEG_OUTSIDE, s.p, s.n);
    if (i + 1 == w->n_messages && w->messages[i].content.p) w->end_of_last = w->out->text.len;
}

void r1_put_trimmed(r1_writer *w, size_t i)
{
    r1_put_content(w, i, r1_strip_space(w->messages[i].content, true, true));
    if (i + 1 == w->n_messages) w->strip_end = true;
}

/* ---- the driver --------------------------------------------------------------------------------------------------- */

static bool unclosed_thought(r1_slice s)
{
    size_t open = r1_slice_rfind(s, R1_SLICE("<think>")), close = r1_slice_rfind(s, R1_SLICE("</think>"));
    return open != SIZE_MAX && (close == SIZE_MAX || close < open);
}

static void cut(r1_rendering *r, size_t end)
{
    r->text.len = end;
    if (r->text.data) r->text.data[end] = 0;
    while (r->n_segments && r->segments[r->n_segments - 1].start >= end) r->n_segments--;
    if (r->n_segments) {
        r1_segment *last = &r->segments[r->n_segments - 1];
        last->n = r1_min(last->n, end - last->start);
    }
}

/* continue_final_message: end the text where the last message's content ends. */
static void cut_after_last(r1_writer *w)
{
    size_t i = w->n_messages - 1, end = w->end_of_last;
    const r1_message *m = &w->messages[i];
    r1_rendering *r = w->out;
    r1_slice text = { r->text.data, r->text.len };
    if (!m->content.p) {
        r1_writer_fail(w, R1_EFORMAT, "continue_final_message: messages[%zu].content is %s, expected a text to continue", i, m->content_json ? "not a text" : "null");
        return;
    }
    if (end == SIZE_MAX || r1_slice_find(text, r1_strip_space(m->content, true, true)) == SIZE_MAX) {
        r1_writer_fail(w, R1_EUNSUPPORTED, "continue_final_message: the template '%s' does not show the whole content of messages[%zu] (earlier thoughts are removed)", w->t->name, i);
        return;
    }
    for (size_t k = r->n_segments; k-- > 0 && r->segments[k].start + r->segments[k].n > end;)
        if (r->segments[k].kind != R1_SEG_TEMPLATE) {
            r1_writer_fail(w, R1_EUNSUPPORTED, "continue_final_message: the template '%s' shows more after the content of messages[%zu], such as tool calls, which would be lost", w->t->name, i);
            return;
        }
    if (w->strip_end) end = r1_strip_space(r1_slice_until(text, end), false, true).n;
    cut(r, end);
    r->opens_thinking = m->role == R1_ROLE_ASSISTANT && unclosed_thought(m->content);
}

r1_status r1_template_render(const r1_template *t, const json_t *request, const char *bos, r1_rendering *r, r1_error *err)
{
    r1_writer w = { .out = r, .err = err, .t = t, .bos = bos && *t->bos ? bos : t->bos, .end_of_last = SIZE_MAX };
    *r = (r1_rendering){ 0 };
    r1_buf_init(&r->text, R1_TEMPLATE_TEXT_MAX);
    if (!r1_writer_read(&w, request)) t->render(&w);
    if (!w.s) w.s = r1_buf_add(&r->text, "", 0, err); /* text.data is never NULL */
    if (!w.s && w.continued) cut_after_last(&w);
    if (!w.s && w.generation) {
        r1_slice end = R1_SLICE("<think>\n"), text = { r->text.data, r->text.len };
        const r1_segment *last = r->n_segments ? &r->segments[r->n_segments - 1] : NULL;
        r->opens_thinking = last && last->kind == R1_SEG_TEMPLATE && last->n >= end.n && r1_slice_equal(r1_slice_from(text, text.n - end.n), end);
    }
    r1_writer_deinit(&w);
    if (w.s) r1_rendering_deinit(r);
    return w.s;
}

void r1_rendering_deinit(r1_rendering *r)
{
    r1_buf_deinit(&r->text);
    free(r->segments);
    *r = (r1_rendering){ 0 };
}

/* ---- encoding ----------------------------------------------------------------------------------------------------- */

#define TAG_MAX 128 /* bytes; no vocabulary has a longer added token that a template writes */

/* The added token at the front of s that counts in text of this kind: its length, 0 when there is none. */
static size_t tag_at(r1_seg_kind kind, r1_slice s, const r1_tokenizer *t, int32_t *id)
{
    r1_slice thought[] = { R1_SLICE("<think>"), R1_SLICE("</think>") };
    if (s.p[0] != '<') return 0;
    for (size_t i = 0; i < R1_COUNT(thought) && kind == R1_SEG_ASSISTANT; i++)
        if (s.n >= thought[i].n && !memcmp(s.p, thought[i].p, thought[i].n)) return (*id = r1_tokenizer_find(t, s.p, thought[i].n)) >= 0 ? thought[i].n : 0;
    if (kind != R1_SEG_TEMPLATE) return 0;
    for (size_t n = r1_min(s.n, TAG_MAX); n >= 2; n--) /* the longest counts */
        if (s.p[n - 1] == '>' && (*id = r1_tokenizer_find(t, s.p, n)) >= 0) return n;
    return 0;
}

r1_status r1_rendering_encode(const r1_rendering *r, const r1_tokenizer *t, r1_ids *out, r1_error *err)
{
    size_t plain = 0, n_before = out->n; /* everything from `plain` on is not encoded yet */
    r1_status s = R1_OK;
    for (size_t k = 0; k < r->n_segments && !s; k++) {
        const r1_segment *g = &r->segments[k];
        for (size_t at = g->start; g->kind != R1_SEG_OUTSIDE && at < g->start + g->n && !s;) {
            int32_t id = -1;
            size_t n = tag_at(g->kind, (r1_slice){ r->text.data + at, g->start + g->n - at }, t, &id);
            if (!n) {
                at++;
                continue;
            }
            if (at > plain) s = r1_tokenizer_encode(t, r->text.data + plain, at - plain, R1_SPECIAL_NONE, out, err);
            if (!s) s = r1_ids_add(out, id, err);
            plain = at += n;
        }
    }
    if (!s && plain < r->text.len) s = r1_tokenizer_encode(t, r->text.data + plain, r->text.len - plain, R1_SPECIAL_NONE, out, err);
    if (s) out->n = n_before;
    return s;
}
