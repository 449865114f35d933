/* Matching in text that comes in pieces and, once given out, cannot be taken back: stop strings and tags.
 *
 * What is held back is always the beginning of something looked for, so it need not be stored: its length is enough.
 */
#define _GNU_SOURCE
#include "text/reasoning_int.h"
#include "base/utf8.h"

/* ---- stop strings ---------------------------------------------------------------------------------------------- */

static r1_status check(const char *s, size_t i, size_t n, r1_error *err)
{
    size_t bad;
    if (!n) return r1_fail(err, R1_EINVAL, "stop string %zu is empty", i + 1);
    if (n > R1_STOP_BYTES_MAX) return r1_fail(err, R1_EINVAL, "stop string %zu has more than %d bytes", i + 1, R1_STOP_BYTES_MAX);
    if (!r1_utf8_is_valid(s, n, &bad)) return r1_fail(err, R1_EINVAL, "stop string %zu is not UTF-8 at byte %zu", i + 1, bad);
    return R1_OK;
}

static void prepare(r1_stop *s)
{
    s->next[0] = 0;
    for (size_t i = 1, k = 0; i < s->n; i++) {
        while (k && s->text[i] != s->text[k]) k = s->next[k - 1];
        k += s->text[i] == s->text[k];
        s->next[i] = (uint16_t)k;
    }
}

r1_status r1_stops_init(r1_stops *s, const char *const *stop, size_t n, r1_error *err)
{
    *s = (r1_stops){ 0 };
    if (!n) return R1_OK;
    if (n > R1_STOP_MAX) return r1_fail(err, R1_EINVAL, "there are %zu stop strings, expected at most %d", n, R1_STOP_MAX);
    r1_stop *v = calloc(n, sizeof *v);
    if (!v) return r1_fail(err, R1_ENOMEM, "no memory for %zu stop strings", n);
    for (size_t i = 0; i < n; i++) {
        v[i].n = strnlen(stop[i], R1_STOP_BYTES_MAX + 1);
        r1_status st = check(stop[i], i, v[i].n, err);
        if (st) {
            free(v);
            return st;
        }
        memcpy(v[i].text, stop[i], v[i].n);
        prepare(&v[i]);
    }
    *s = (r1_stops){ v, n };
    return R1_OK;
}

void r1_stops_deinit(r1_stops *s)
{
    free(s->v);
    *s = (r1_stops){ 0 };
}

r1_slice r1_stops_held(const r1_stops *s)
{
    r1_slice held = { "", 0 };
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].k > held.n) held = (r1_slice){ s->v[i].text, s->v[i].k };
    return held;
}

/* Move every string on by one byte; returns the length of the longest that is complete, 0 for none. */
static size_t step(r1_stops *s, char c)
{
    size_t longest = 0;
    for (size_t i = 0; i < s->n; i++) {
        r1_stop *v = &s->v[i];
        while (v->k && v->text[v->k] != c) v->k = v->next[v->k - 1];
        v->k += v->text[v->k] == c;
        if (v->k < v->n) continue;
        longest = r1_max(longest, v->n);
        v->k = 0;
    }
    return longest;
}

r1_status r1_stops_feed(r1_stops *s, const char *p, size_t n, r1_buf *out, bool *hit, r1_error *err)
{
    r1_slice before = r1_stops_held(s);
    size_t i = 0, match = 0;
    while (s->n && i < n && !match) match = step(s, p[i++]);
    *hit = match != 0;
    size_t withheld = match ? match : r1_stops_held(s).n;
    size_t free_now = before.n + (s->n ? i : n) - withheld; /* of what was held, then of p */
    r1_status st = r1_buf_add(out, before.p, r1_min(before.n, free_now), err);
    if (!st && free_now > before.n) st = r1_buf_add(out, p, free_now - before.n, err);
    return st;
}

/* ---- tags in text ---------------------------------------------------------------------------------------------- */

/* '<' is nowhere but at the beginning, so after a byte that does not fit only a new beginning is possible. A tag that is taken
 * out must not let the text before and after it join to another: the state goes back to what it was before (`under`), and
 * bytes that then complete a tag whose beginning was given out long ago are left out too. */
static const char open_tag[] = "<think>", close_tag[] = "</think>";

static const char *spelled(r1_tag tag) { return tag == R1_TAG_CLOSE ? close_tag : open_tag; }

r1_slice r1_tags_held(const r1_tags *t) { return (r1_slice){ spelled(t->at.tag) + t->at.out, (size_t)(t->at.n - t->at.out) }; }

/* Whether c continues what is matched; sets the tag, which is open until the second byte. */
static bool fits(r1_tag_state *s, char c)
{
    if (!s->n) return false;
    if (s->n == 1) s->tag = c == '/' ? R1_TAG_CLOSE : R1_TAG_OPEN;
    return spelled(s->tag)[s->n] == c;
}

r1_status r1_tags_feed(r1_tags *t, const char **p, const char *end, r1_buf *out, r1_tag *found, r1_error *err)
{
    r1_status s = R1_OK;
    *found = R1_TAG_NONE;
    while (!s && *p < end && !*found) {
        if (!t->at.n) { /* as far as there is no tag */
            const char *lt = memchr(*p, '<', (size_t)(end - *p)), *until = lt ? lt : end;
            s = r1_buf_add(out, *p, (size_t)(until - *p), err);
            *p = until;
            if (s || !lt) break;
        }
        char c = *(*p)++;
        if (fits(&t->at, c)) {
            if (spelled(t->at.tag)[++t->at.n]) continue;
            if (t->at.out) {
                t->at.n = t->at.out;
                continue;
            }
            *found = t->at.tag;
            t->at = t->under;
            t->at.out = t->at.n;
            continue;
        }
        r1_slice held = r1_tags_held(t);
        s = r1_buf_add(out, held.p, held.n, err);
        if (c == '<') {
            t->under = t->at;
            t->at = (r1_tag_state){ R1_TAG_OPEN, 1, 0 };
        } else {
            if (!s) s = r1_buf_add(out, &c, 1, err);
            t->at = (r1_tag_state){ 0 };
        }
    }
    return s;
}
