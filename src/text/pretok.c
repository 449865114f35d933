/* The families' splitters, written out by hand.
 *
 * Each of them is a list of alternatives that a regular expression engine would try in order at every place; here the
 * class of the first character decides, and each alternative is a loop. All are linear: a run is scanned once, or twice
 * when white space is cut into "up to its last line end" and the rest.
 *
 * deepseek-v3 and smollm cut at digits (and Chinese and Japanese runs) in earlier steps, and what is between is treated as
 * a whole text. Their class tables have STOP at such characters: no alternative of the words between matches it, and the
 * look-ahead (?!\S) holds before it as at the end of the text. A Chinese or Japanese run is then cut by the words' rules
 * itself, because its signs are not letters. So one pass does all steps.
 */
#include "text/pretok_int.h"

uint8_t *r1_unicode_table(void)
{
    uint8_t *t = calloc(0x110000, 1);
    if (!t) return NULL;
    for (size_t i = 0; i < r1_unicode_n_ranges; i++) {
        uint32_t from = r1_unicode_ranges[i] >> 8, c = r1_unicode_ranges[i] & 0xFF;
        uint32_t to = i + 1 < r1_unicode_n_ranges ? r1_unicode_ranges[i + 1] >> 8 : 0x110000;
        if (c) memset(t + from, (int)c, to - from);
    }
    return t;
}

enum {
    L = R1_CLASS_L, M = R1_CLASS_M, N = R1_CLASS_N, P = R1_CLASS_P, S = R1_CLASS_S, SPACE = R1_CLASS_SPACE,
    STOP = R1_CLASS_STOP
};

/* \u4E00-\u9FA5, \u3040-\u309F, \u30A0-\u30FF: the second step of deepseek-v3. */
static bool is_cjk(uint32_t c) { return (c >= 0x4E00 && c <= 0x9FA5) || (c >= 0x3040 && c <= 0x30FF); }

void r1_pretok_put_stops(r1_pretok *p)
{
    if (p->kind != R1_PRETOK_DEEPSEEK_V3 && p->kind != R1_PRETOK_SMOLLM) return;
    for (size_t i = 0; i < r1_unicode_n_ranges; i++) {
        uint32_t from = r1_unicode_ranges[i] >> 8, c = r1_unicode_ranges[i] & 0xFF;
        uint32_t to = i + 1 < r1_unicode_n_ranges ? r1_unicode_ranges[i + 1] >> 8 : 0x110000;
        if (c & N) memset(p->classes + from, (int)(c | STOP), to - from);
    }
    if (p->kind != R1_PRETOK_DEEPSEEK_V3) return;
    for (uint32_t c = 0x3040; c <= 0x9FA5; c++) /* also the letters, marks and signs in these blocks */
        if (is_cjk(c)) p->classes[c] |= STOP;
}

r1_status r1_pretok_new(r1_pretok **out, r1_pretok_kind kind, r1_error *err)
{
    *out = NULL;
    r1_pretok *p = calloc(1, sizeof *p);
    uint8_t *classes = r1_unicode_table();
    if (!p || !classes) {
        free(p);
        free(classes);
        return r1_fail(err, R1_ENOMEM, "no memory for splitting rules");
    }
    p->kind = kind;
    p->classes = classes;
    r1_pretok_put_stops(p);
    *out = p;
    return R1_OK;
}

void r1_pretok_free(r1_pretok *p)
{
    if (!p) return;
    r1_pretok_free_steps(p);
    free(p->classes);
    free(p);
}

r1_pretok_kind r1_pretok_kind_of(const r1_pretok *p) { return p->kind; }
const uint8_t *r1_pretok_classes(const r1_pretok *p) { return p->classes; }

const char *r1_pretok_name(const r1_pretok *p)
{
    static const char *const name[] = { "deepseek-v3", "qwen2", "llama-bpe", "gpt-2", "smollm", "steps" };
    return p->name ? p->name : name[p->kind];
}

/* Class of the character at p and its length; STOP at the end. The text is valid. */
static inline unsigned peek(const uint8_t *t, const char *p, const char *end, unsigned *len)
{
    if (p == end) {
        *len = 0;
        return STOP;
    }
    const unsigned char *u = (const unsigned char *)p;
    if (u[0] < 0x80) {
        *len = 1;
        return t[u[0]];
    }
    if (u[0] < 0xE0) {
        *len = 2;
        return t[(u[0] & 0x1Fu) << 6 | (u[1] & 0x3Fu)];
    }
    if (u[0] < 0xF0) {
        *len = 3;
        return t[(u[0] & 0x0Fu) << 12 | (u[1] & 0x3Fu) << 6 | (u[2] & 0x3Fu)];
    }
    *len = 4;
    return t[(u[0] & 7u) << 18 | (u[1] & 0x3Fu) << 12 | (u[2] & 0x3Fu) << 6 | (u[3] & 0x3Fu)];
}

/* The run of characters with any of the classes in `of` and none of those in `not`. */
static inline const char *run(const uint8_t *t, const char *p, const char *end, unsigned of, unsigned not)
{
    unsigned len, k;
    while (k = peek(t, p, end, &len), (k & of) && !(k & not)) p += len;
    return p;
}

/* The run of characters with none of the classes in `not`; STOP always ends it. */
static inline const char *run_not(const uint8_t *t, const char *p, const char *end, unsigned not)
{
    unsigned len;
    while (!(peek(t, p, end, &len) & (not | STOP))) p += len;
    return p;
}

static inline bool is_newline(char c) { return c == '\r' || c == '\n'; }

static inline const char *newlines(const char *p, const char *end)
{
    while (p < end && is_newline(*p)) p++;
    return p;
}

/* \s*[\r\n]+ (when `lines`) | \s+(?!\S) | \s+ at white space: a run up to its last line end, or all of it when the text
 * ends there, or all but the last character, or the one there is. */
static const char *space(const uint8_t *t, const char *p, const char *end, bool lines)
{
    const char *last = p, *line = NULL, *q = p;
    unsigned len, k;
    while (k = peek(t, q, end, &len), k & SPACE) {
        last = q;
        q += len;
        if (is_newline(*last)) line = q;
    }
    if (lines && line) return line;
    return (k & STOP) || last == p ? q : last;
}

static inline bool is_ascii_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* [!-/:-@[-`{-~][A-Za-z]+ | [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+ | ?[\p{P}\p{S}]+[\r\n]* | white space; p when none of
 * them matches. */
static const char *deepseek_word(const uint8_t *t, const char *p, const char *end)
{
    unsigned len, next_len, k = peek(t, p, end, &len);
    const char *q = p + len;
    if (k & STOP) return p;
    if (k & L) return run(t, q, end, L | M, STOP);
    if (k & (P | S)) {
        if (len == 1 && q < end && is_ascii_letter(*q)) {
            while (q < end && is_ascii_letter(*q)) q++;
            return q;
        }
        return newlines(run(t, q, end, P | S, STOP), end);
    }
    if (!is_newline(*p)) {
        unsigned next = peek(t, q, end, &next_len);
        if ((next & (L | M)) && !(next & STOP)) return run(t, q + next_len, end, L | M, STOP);
        if (k & M) return q;
        if (*p == ' ' && (next & (P | S)) && !(next & STOP)) return newlines(run(t, q, end, P | S, STOP), end);
    }
    return k & SPACE ? space(t, p, end, true) : p;
}

/* The same inside a run of Chinese or Japanese, which is a text of its own; p when nothing matches. The run has no digits and
 * no white space. */
static const char *cjk_word(const uint8_t *t, const char *p, const char *end)
{
    unsigned len, next_len, of = L | M, k = peek(t, p, end, &len);
    if (!(k & of) && (k & (P | S))) of = P | S;
    if (!(k & of)) { /* not assigned: may begin a word */
        unsigned next = peek(t, p + len, end, &next_len);
        if (!(next & STOP) || !(next & of)) return p;
    }
    for (p += len; k = peek(t, p, end, &len), (k & STOP) && (k & of); p += len) {}
    return p;
}

static const char *digits_by_three(const uint8_t *t, const char *p, const char *end)
{
    unsigned len;
    for (int i = 0; i < 3 && (peek(t, p, end, &len) & N); i++) p += len;
    return p;
}

static const char *deepseek_next(const uint8_t *t, const char *p, const char *end)
{
    unsigned len, k = peek(t, p, end, &len), stop = k & STOP;
    if (stop && (k & N)) return digits_by_three(t, p, end);
    const char *q;
    /* What no alternative matches is a piece up to the next match: control characters, unassigned ones. */
    for (const char *first = p; (q = stop ? cjk_word(t, p, end) : deepseek_word(t, p, end)) == p || p > first; p = q) {
        if (q > p) return p;
        q = p + len;
        k = peek(t, q, end, &len);
        if (q == end || (k & STOP) != stop || (stop && (k & N))) return q;
    }
    return q;
}

/* The length of 's 't 're 've 'm 'll 'd at an apostrophe, or 0. Caseless after Unicode, U+017F is an s. */
static size_t contraction(const char *p, const char *end, bool caseless)
{
    size_t n = (size_t)(end - p);
    if (n < 2) return 0;
    char mask = caseless ? 0x20 : 0, a = (char)(p[1] | (is_ascii_letter(p[1]) ? mask : 0));
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if (n < 3) return 0;
    char b = (char)(p[2] | (is_ascii_letter(p[2]) ? mask : 0));
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
    return caseless && p[1] == '\xC5' && p[2] == '\xBF' ? 3 : 0;
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d) | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N} or \p{N}{1,3} | ?[^\s\p{L}\p{N}]+[\r\n]* | white space */
static inline const char *qwen_next(const uint8_t *t, const char *p, const char *end, bool by_three)
{
    unsigned len, next_len, k = peek(t, p, end, &len);
    const char *q = p + len;
    if (*p == '\'') {
        size_t n = contraction(p, end, true);
        if (n) return p + n;
    }
    if (k & L) return run(t, q, end, L, 0);
    if (k & N) return by_three ? digits_by_three(t, p, end) : q;
    unsigned next = peek(t, q, end, &next_len);
    if (!is_newline(*p) && (next & L)) return run(t, q + next_len, end, L, 0);
    if (!(k & SPACE) || (*p == ' ' && !(next & (SPACE | L | N | STOP))))
        return newlines(run_not(t, q, end, SPACE | L | N), end);
    return space(t, p, end, true);
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static const char *gpt2_next(const uint8_t *t, const char *p, const char *end)
{
    unsigned len, next_len, k = peek(t, p, end, &len);
    const char *q = p + len;
    if (*p == '\'') {
        size_t n = contraction(p, end, false);
        if (n) return p + n;
    }
    if (k & STOP) return q; /* a digit, alone */
    if (*p == ' ') {
        unsigned next = peek(t, q, end, &next_len);
        if (next & (SPACE | STOP)) return space(t, p, end, false);
        q += next_len;
        k = next;
    }
    if (k & L) return run(t, q, end, L, 0);
    if (k & N) return run(t, q, end, N, 0);
    if (k & SPACE) return space(t, p, end, false);
    return run_not(t, q, end, SPACE | L | N);
}

const char *r1_pretok_next(const r1_pretok *t, const char *p, const char *end)
{
    switch (t->kind) {
    case R1_PRETOK_DEEPSEEK_V3: return deepseek_next(t->classes, p, end);
    case R1_PRETOK_QWEN2: return qwen_next(t->classes, p, end, false);
    case R1_PRETOK_LLAMA3: return qwen_next(t->classes, p, end, true);
    default: return gpt2_next(t->classes, p, end);
    }
}
