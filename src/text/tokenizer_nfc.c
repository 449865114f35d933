/* Normalisation form C, as far as a text needs it.
 *
 * Most code points neither change under NFC nor change their neighbours; such a one also ends whatever is before it. So a
 * text is copied, and only the stretches between that hold others (R1_CLASS_NFC), with the character before them, are
 * decomposed, put in canonical order and composed, by utf8proc. The order is made here with one counting sort for each run
 * of marks, because utf8proc's own is quadratic in the length of a run and a text from outside may be one run.
 *
 * The reference's NFC is that of Unicode 13; what later versions added does not take part. The class table says so, and what
 * utf8proc knows beyond it is kept from it.
 */
#include "text/tokenizer_int.h"
#include "base/utf8.h"

#include <utf8proc.h>

typedef struct cps { int32_t *v; size_t n, cap; } cps;

static r1_status reserve(cps *c, size_t more, r1_error *err)
{
    if (c->cap - c->n >= more) return R1_OK;
    size_t cap = r1_max(c->n + more, c->cap * 2 + 64);
    int32_t *p = realloc(c->v, cap * sizeof *p);
    if (!p) return r1_fail(err, R1_ENOMEM, "no memory to normalise a text");
    c->v = p;
    c->cap = cap;
    return R1_OK;
}

static unsigned combining_class(int32_t cp) { return (unsigned)utf8proc_get_property(cp)->combining_class; }

/* Stable sort of v[0..n), all of combining class > 0, by class. tmp [n]. */
static void sort_marks(int32_t *v, int32_t *tmp, size_t n)
{
    size_t count[257] = { 0 };
    for (size_t i = 0; i < n; i++) count[combining_class(v[i]) + 1]++;
    for (size_t k = 1; k < 257; k++) count[k] += count[k - 1];
    for (size_t i = 0; i < n; i++) tmp[count[combining_class(v[i])]++] = v[i];
    memcpy(v, tmp, n * sizeof *v);
}

static r1_status order(cps *c, r1_error *err)
{
    size_t n = c->n;
    r1_status s = reserve(c, n, err); /* the second half is scratch */
    if (s) return s;
    for (size_t i = 0; i < n;) {
        size_t k = i;
        while (k < n && combining_class(c->v[k])) k++;
        if (k > i + 1) sort_marks(c->v + i, c->v + n, k - i);
        i = k + 1;
    }
    return R1_OK;
}

/* Append NFC of text[0..n), a stretch that is closed at both ends. */
static r1_status compose(cps *c, const char *text, size_t n, r1_buf *out, r1_error *err)
{
    c->n = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        int last = 0, len = r1_utf8_decode(text + i, n - i, &cp);
        r1_status s = reserve(c, 8, err); /* canonical decompositions have at most four */
        if (s) return s;
        utf8proc_ssize_t k = utf8proc_decompose_char((int32_t)cp, c->v + c->n, 8, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, &last);
        if (k < 0 || k > 8) return r1_fail(err, R1_EFORMAT, "U+%04X cannot be normalised: %s", cp, utf8proc_errmsg(k));
        c->n += (size_t)k;
        i += (size_t)len;
    }
    r1_status s = order(c, err);
    if (s) return s;
    utf8proc_ssize_t m = utf8proc_normalize_utf32(c->v, (utf8proc_ssize_t)c->n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (m < 0) return r1_fail(err, R1_EFORMAT, "a text cannot be normalised: %s", utf8proc_errmsg(m));
    for (utf8proc_ssize_t i = 0; !s && i < m; i++) {
        char b[4];
        s = r1_buf_add(out, b, (size_t)r1_utf8_encode((uint32_t)c->v[i], b), err);
    }
    return s;
}

/* A character without R1_CLASS_NFC that a newer Unicode would reorder, or compose with a mark that was there before (the
 * Todhri letters, in Unicode 16). */
static bool is_too_new(uint32_t cp) { return combining_class((int32_t)cp) || (cp >= 0x105C0 && cp <= 0x105FF); }

/* The next character at or after i that NFC may concern; n when there is none. *prev is the one before it. */
static size_t next_unsafe(const uint8_t *classes, const char *text, size_t n, size_t i, size_t *prev)
{
    size_t before = i;
    while (i < n) {
        if ((unsigned char)text[i] < 0xC0) { /* ASCII never; the text is valid */
            before = i++;
            continue;
        }
        uint32_t cp = 0;
        int len = r1_utf8_decode(text + i, n - i, &cp);
        if (classes[cp] & R1_CLASS_NFC) {
            if (before < i && r1_utf8_decode(text + before, i - before, &cp) > 0 && is_too_new(cp)) before = i;
            break;
        }
        before = i;
        i += (size_t)len;
    }
    *prev = before;
    return i;
}

/* The next character at or after i that begins anew; n when there is none. */
static size_t next_safe(const uint8_t *classes, const char *text, size_t n, size_t i)
{
    while (i < n) {
        uint32_t cp = 0;
        int len = r1_utf8_decode(text + i, n - i, &cp);
        if (!(classes[cp] & R1_CLASS_NFC)) break;
        i += (size_t)len;
    }
    return i;
}

r1_status r1_nfc(const uint8_t *classes, const char *text, size_t n, r1_buf *buf, const char **out, size_t *n_out, r1_error *err)
{
    size_t from = 0, start, i = next_unsafe(classes, text, n, 0, &start);
    cps c = { 0 };
    r1_status s = R1_OK;
    *out = text;
    *n_out = n;
    if (i == n) return R1_OK;
    r1_buf_clear(buf);
    while (!s && i < n) {
        size_t end = next_safe(classes, text, n, i);
        s = r1_buf_add(buf, text + from, start - from, err);
        if (!s) s = compose(&c, text + start, end - start, buf, err);
        from = end;
        i = next_unsafe(classes, text, n, end, &start);
    }
    if (!s) s = r1_buf_add(buf, text + from, n - from, err);
    free(c.v);
    if (s) return s;
    *out = buf->data ? buf->data : "";
    *n_out = buf->len;
    return R1_OK;
}
