/* The streaming detokeniser: bytes of tokens in, valid UTF-8 out.
 *
 * What is held back is always a proper prefix of a character, so at most 3 bytes; a byte that does not continue it turns it
 * into one U+FFFD (Unicode 3.9, "substitution of maximal subparts") and is looked at again by itself.
 */
#include "text/tokenizer_int.h"
#include "base/utf8.h"

/* The first two bytes of what would be a surrogate. They can never become a character, but the reference's stream (Python's
 * incremental decoder) looks at the third byte before it says so, and r1 sends what it sends, when it sends it. */
static bool is_half_surrogate(const char *p, size_t n) { return n == 2 && p[0] == '\xED' && (p[1] & 0xE0) == 0xA0; }

static bool is_open(const char *p, size_t n) { return r1_utf8_is_partial(p, n) || is_half_surrogate(p, n); }

/* What is held will not be continued. */
static r1_status drop_held(r1_detok *d, r1_buf *out, r1_error *err)
{
    r1_status s = r1_buf_add(out, "\xEF\xBF\xBD\xEF\xBF\xBD", is_half_surrogate(d->held, (size_t)d->n_held) ? 6 : 3, err);
    if (!s) d->n_held = 0;
    return s;
}

/* Offer one byte to what is held. *used is false when the byte must be looked at again. */
static r1_status continue_held(r1_detok *d, char byte, bool *used, r1_buf *out, r1_error *err)
{
    uint32_t cp;
    char b[4];
    size_t n = (size_t)d->n_held;
    memcpy(b, d->held, n);
    b[n++] = byte;
    *used = true;
    r1_status s = R1_OK;
    if (is_open(b, n)) {
        d->held[d->n_held++] = byte;
    } else if (r1_utf8_decode(b, n, &cp) == (int)n) {
        s = r1_buf_add(out, b, n, err);
        if (!s) d->n_held = 0;
    } else {
        s = drop_held(d, out, err);
        *used = false;
    }
    return s;
}

r1_status r1_detok_bytes(r1_detok *d, const char *p, size_t n, r1_buf *out, r1_error *err)
{
    r1_status s = R1_OK;
    size_t i = 0;
    while (!s && i < n && d->n_held) {
        bool used = false;
        s = continue_held(d, p[i], &used, out, err);
        if (!s && used) i++;
    }
    while (!s && i < n) {
        size_t from = i;
        uint32_t cp;
        int len = 0;
        while (i < n && (len = r1_utf8_decode(p + i, n - i, &cp)) > 0) i += (size_t)len;
        if (i > from) s = r1_buf_add(out, p + from, i - from, err);
        if (s || i == n) break;
        if (is_open(p + i, n - i)) {
            d->n_held = (int)(n - i);
            memcpy(d->held, p + i, n - i);
            break;
        }
        s = r1_buf_add(out, "\xEF\xBF\xBD", 3, err);
        i += (size_t)-len;
    }
    return s;
}

r1_status r1_detok_token(r1_detok *d, const r1_tokenizer *t, int32_t id, r1_buf *out, r1_error *err)
{
    size_t n;
    const char *p = r1_token_bytes(t, id, &n);
    return p ? r1_detok_bytes(d, p, n, out, err) : R1_OK;
}

r1_status r1_detok_end(r1_detok *d, r1_buf *out, r1_error *err)
{
    return d->n_held ? drop_held(d, out, err) : R1_OK;
}
