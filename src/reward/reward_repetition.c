/* Repetition: how many of a text's n-grams of words stand in it before. Words become 64-bit numbers, n-grams numbers of those, and sorting
 * brings equal ones together: time and memory are bounded whatever the text. Two different n-grams with one number would be counted
 * as equal; with a million of them that happens about once in thirty million texts. */
#include "reward/reward_int.h"
#include "base/utf8.h"

#include <utf8proc.h>

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9E3779B97F4A7C15u; /* the golden ratio, as in splitmix64 */
    return h ^ h >> 29;
}

typedef struct list { uint64_t *v; size_t n, cap; } list;

static bool add(list *l, uint64_t v)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 1024;
        uint64_t *p = realloc(l->v, cap * sizeof *p);
        if (!p) return false;
        l->v = p;
        l->cap = cap;
    }
    l->v[l->n++] = v;
    return true;
}

/* The numbers of the words. False: no memory. */
static bool read_words(list *l, const char *p, size_t n)
{
    uint64_t word = 0;
    bool inside = false, ok = true;
    for (const char *end = p + n; p < end && ok && l->n < R1_REPETITION_WORDS_MAX;) {
        uint32_t cp;
        int len = r1_utf8_decode(p, (size_t)(end - p), &cp);
        r1_char_kind kind = len > 0 ? r1_char_kind_of(cp) : R1_CHAR_NONE;
        bool alone = kind == R1_CHAR_LETTER && r1_script_is_unspaced(r1_script_of(cp));
        if (inside && (kind == R1_CHAR_NONE || alone)) ok = add(l, word);
        if (kind == R1_CHAR_NONE || alone) inside = false;
        if (alone && ok) ok = add(l, mix(1, cp));
        if (kind != R1_CHAR_NONE && !alone) {
            word = mix(inside ? word : 1, (uint64_t)utf8proc_tolower((utf8proc_int32_t)cp));
            inside = true;
        }
        p += len > 0 ? len : len < 0 ? -len : 1;
    }
    if (inside && ok && l->n < R1_REPETITION_WORDS_MAX) ok = add(l, word);
    return ok;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

r1_status r1_repetition(const char *text, size_t n, unsigned ngram, double *share, r1_error *err)
{
    list l = { 0 };
    *share = 0;
    if (ngram < 1 || ngram > 16) return r1_fail(err, R1_EINVAL, "n-grams of %u words, expected 1 to 16", ngram);
    if (!read_words(&l, text, n)) {
        free(l.v);
        return r1_fail(err, R1_ENOMEM, "no memory for the words of %zu bytes", n);
    }
    if (l.n >= ngram) {
        size_t m = l.n - ngram + 1, different = 1;
        for (size_t i = 0; i < m; i++) {
            uint64_t h = 1;
            for (unsigned k = 0; k < ngram; k++) h = mix(h, l.v[i + k]);
            l.v[i] = h;
        }
        qsort(l.v, m, sizeof *l.v, compare);
        for (size_t i = 1; i < m; i++) different += l.v[i] != l.v[i - 1];
        *share = 1 - (double)different / (double)m;
    }
    free(l.v);
    return R1_OK;
}
