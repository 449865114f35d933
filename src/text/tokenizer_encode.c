/* From text to ids.
 *
 *   text -> added tokens cut out -> valid UTF-8 and other bytes -> NFC where asked -> added tokens that wait for it
 *        -> pieces -> merged ids
 *
 * Bytes that are not UTF-8 are a piece of their own and cut the text, so that everything after them works on valid text.
 * Added tokens are matched leftmost, then longest. In the variant R1_SPECIAL_HF a special one still takes its place in this
 * order but counts as text, as in the reference.
 */
#include "text/tokenizer_int.h"
#include "base/utf8.h"

typedef struct encoder {
    const r1_tokenizer *t;
    int special;
    r1_bpe *bpe;
    r1_buf normal; /* the present stretch, normalised */
    r1_ids *out;
} encoder;

static r1_status encode_pieces(encoder *e, const char *p, size_t n, r1_error *err)
{
    r1_status s = R1_OK;
    if (r1_pretok_kind_of(e->t->pre) != R1_PRETOK_STEPS) {
        for (const char *end = p + n; !s && p < end;) {
            const char *q = r1_pretok_next(e->t->pre, p, end);
            s = r1_bpe_encode(e->bpe, e->t, p, (size_t)(q - p), e->out, err);
            p = q;
        }
        return s;
    }
    uint32_t *ends;
    size_t n_ends, from = 0;
    s = r1_pretok_split(e->t->pre, p, n, &ends, &n_ends, err);
    for (size_t i = 0; !s && i < n_ends; i++) {
        s = r1_bpe_encode(e->bpe, e->t, p + from, ends[i] - from, e->out, err);
        from = ends[i];
    }
    free(ends);
    return s;
}

typedef r1_status (*stretch)(encoder *e, const char *p, size_t n, r1_error *err);

/* Ids of the added tokens of a set, and `rest` of what is between them. */
static r1_status cut_added(encoder *e, const r1_added_set *set, stretch rest, const char *p, size_t n, r1_error *err)
{
    r1_status s = R1_OK;
    size_t from = 0, i = 0;
    if (e->special == R1_SPECIAL_NONE || !set->n) return n ? rest(e, p, n, err) : R1_OK;
    while (!s && i < n) {
        const r1_added *a = set->first[(unsigned char)p[i]] ? r1_added_match(set, p + i, n - i) : NULL;
        if (!a) {
            i++;
            continue;
        }
        size_t at = i;
        i += a->n;
        if (e->special == R1_SPECIAL_HF && (e->t->flags[a->id] & R1_TOK_SPECIAL)) continue;
        if (at > from) s = rest(e, p + from, at - from, err);
        if (!s) s = r1_ids_add(e->out, a->id, err);
        from = i;
    }
    return !s && from < n ? rest(e, p + from, n - from, err) : s;
}

static r1_status encode_valid(encoder *e, const char *p, size_t n, r1_error *err)
{
    r1_status s = R1_OK;
    if (e->t->nfc) s = r1_nfc(r1_pretok_classes(e->t->pre), p, n, &e->normal, &p, &n, err);
    return s ? s : cut_added(e, &e->t->after, encode_pieces, p, n, err);
}

/* The end of the valid UTF-8 at p. */
static size_t valid_length(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n) {
        uint64_t w;
        uint32_t cp;
        if (n - i >= 8 && (memcpy(&w, p + i, 8), !(w & 0x8080808080808080u))) {
            i += 8;
            continue;
        }
        int len = r1_utf8_decode(p + i, n - i, &cp);
        if (len <= 0) break;
        i += (size_t)len;
    }
    return i;
}

static r1_status encode_bytes(encoder *e, const char *p, size_t n, r1_error *err)
{
    r1_status s = R1_OK;
    for (size_t i = 0; !s && i < n;) {
        size_t good = valid_length(p + i, n - i), bad = 0;
        if (good) s = encode_valid(e, p + i, good, err);
        i += good;
        uint32_t cp;
        for (int len; i + bad < n && (len = r1_utf8_decode(p + i + bad, n - i - bad, &cp)) < 0;) bad += (size_t)-len;
        if (!s && bad) s = r1_bpe_encode(e->bpe, e->t, p + i, bad, e->out, err);
        i += bad;
    }
    return s;
}

r1_status r1_tokenizer_encode_with(r1_bpe *w, const r1_tokenizer *t, r1_slice text, int special, r1_ids *out, r1_error *err)
{
    if (special != R1_SPECIAL_NONE && special != R1_SPECIAL_ALL && special != R1_SPECIAL_HF)
        return r1_fail(err, R1_EINVAL, "the treatment of special tokens is %d, expected %d, %d or %d", special, R1_SPECIAL_NONE,
                       R1_SPECIAL_ALL, R1_SPECIAL_HF);
    if (text.n > R1_TEXT_MAX)
        return r1_fail(err, R1_EINVAL, "the text has %zu bytes, expected at most %zu to encode at once", text.n, R1_TEXT_MAX);
    encoder e = { .t = t, .special = special, .bpe = w, .out = out };
    size_t before = out->n;
    r1_buf_init(&e.normal, 4 * R1_TEXT_MAX); /* NFC makes UTF-8 at most three times as long */
    r1_status s = cut_added(&e, &t->before, encode_bytes, text.p, text.n, err);
    r1_buf_deinit(&e.normal);
    if (s) out->n = before;
    return s;
}

r1_status r1_tokenizer_encode(const r1_tokenizer *t, const char *text, size_t n, int special, r1_ids *out, r1_error *err)
{
    r1_bpe w = { 0 };
    r1_status s = r1_tokenizer_encode_with(&w, t, (r1_slice){ text, n }, special, out, err);
    r1_bpe_deinit(&w);
    return s;
}

r1_status r1_tokenize(const r1_tokenizer *t, const char *text, size_t n, r1_special special, bool add_bos, int32_t *ids,
                      size_t cap, size_t *n_ids, r1_error *err)
{
    r1_ids v = { 0 };
    r1_status s = R1_OK;
    *n_ids = 0;
    if (add_bos && t->add_bos && t->bos >= 0) s = r1_ids_add(&v, t->bos, err);
    if (!s) s = r1_tokenizer_encode(t, text, n, (int)special, &v, err);
    if (!s) {
        *n_ids = v.n;
        if (v.n > cap) s = r1_fail(err, R1_ELIMIT, "the text has %zu tokens, there is room for %zu", v.n, cap);
        else if (v.n) memcpy(ids, v.ids, v.n * sizeof *ids);
    }
    r1_ids_deinit(&v);
    return s;
}
