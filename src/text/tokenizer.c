/* The tokenizer object: built once from arrays, then only read.
 *
 * Everything is a few flat arrays, made with one allocation each: a 150,000-token vocabulary must load in milliseconds,
 * because it is part of the time to the first token. Tokens are kept as bytes, not in the byte alphabet of the files
 * (bytes 33-126, 161-172 and 174-255 stand for themselves, the other 68 are U+0100 and up, in order).
 */
#include "text/tokenizer_int.h"

#include <stdio.h>

/* Names under which the families end a turn; a control token so named ends a generation also when a file forgets to say it. */
static const char *const eog_names[] = { ("<\xEF\xBD\x9C" "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"), "<|EOT|>", "<|im_end|>",
                                         "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>" };

void r1_tokenizer_free(r1_tokenizer *t)
{
    if (!t) return;
    free(t->bytes);
    free(t->offset);
    free(t->flags);
    free(t->tokens);
    free(t->pairs);
    free(t->byte_pairs);
    free(t->merged);
    free(t->before.v);
    free(t->after.v);
    r1_pretok_free(t->pre);
    free(t);
}

/* ---- the byte alphabet ----------------------------------------------------------------------------------------- */

typedef struct alphabet { int16_t byte[0x144]; } alphabet; /* of a code point, -1: none */

static void alphabet_init(alphabet *a)
{
    int next = 0x100;
    memset(a->byte, -1, sizeof a->byte);
    for (int b = 0; b < 256; b++) {
        bool itself = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        a->byte[itself ? b : next++] = (int16_t)b;
    }
}

/* Bytes of a spelled token, at most n of them; false when it is not in the alphabet. */
static bool unspell(const alphabet *a, const char *s, size_t n, char *out, size_t *n_out)
{
    const unsigned char *p = (const unsigned char *)s, *end = p + n;
    char *o = out;
    while (p < end) {
        unsigned cp = *p++;
        if (cp >= 0x80) {
            if (cp < 0xC2 || cp > 0xC5 || p == end || (*p & 0xC0) != 0x80) return false;
            cp = (cp & 0x1F) << 6 | (*p++ & 0x3F);
        }
        if (cp >= R1_COUNT(a->byte) || a->byte[cp] < 0) return false;
        *o++ = (char)a->byte[cp];
    }
    *n_out = (size_t)(o - out);
    return true;
}

/* ---- tables ---------------------------------------------------------------------------------------------------- */

/* Making the tables is waiting for memory. So it goes a few entries at a time: all their places are asked for, then read. */
enum { AHEAD = 16 };

static uint64_t hash_bytes(const char *p, size_t n)
{
    uint64_t h = n * 0x9E3779B97F4A7C15u, w;
    for (; n > 8; p += 8, n -= 8) {
        memcpy(&w, p, 8);
        h = (h ^ w) * 0xD6E8FEB86659FD93u;
        h ^= h >> 29;
    }
    w = 0;
    memcpy(&w, p, n);
    h = (h ^ w) * 0xD6E8FEB86659FD93u;
    h ^= h >> 32;
    return h * 0x9E3779B97F4A7C15u;
}

static unsigned shift_for(size_t n) /* a table at most 5/8 full */
{
    unsigned bits = 4;
    while (((size_t)5 << bits) / 8 < n) bits++;
    return 64 - bits;
}

/* The slot of a token whose hash is h, or the empty one where it would go. */
static size_t find_slot(const r1_tokenizer *t, uint64_t h, const char *p, size_t n)
{
    uint64_t mask = ((uint64_t)1 << (64 - t->tokens_shift)) - 1;
    for (uint64_t i = h >> t->tokens_shift;; i = (i + 1) & mask) {
        uint64_t e = t->tokens[i];
        if (!e) return i;
        if ((uint32_t)(e >> 32) != (uint32_t)h) continue;
        uint32_t id = (uint32_t)e - 1, at = t->offset[id];
        if (t->offset[id + 1] - at == n && !memcmp(t->bytes + at, p, n)) return i;
    }
}

int32_t r1_tokenizer_lookup(const r1_tokenizer *t, const char *p, size_t n)
{
    return (int32_t)(uint32_t)t->tokens[find_slot(t, hash_bytes(p, n), p, n)] - 1;
}

static r1_status store_bytes(r1_tokenizer *t, const r1_tok_source *src, const alphabet *a, r1_error *err)
{
    uint64_t total = 0;
    for (size_t i = 0; i < src->n_tokens; i++) {
        if (src->tokens[i].n > R1_TOKEN_BYTES_MAX)
            return r1_fail(err, R1_EFORMAT, "token %zu has %zu bytes, expected at most %u", i, src->tokens[i].n, R1_TOKEN_BYTES_MAX);
        total += src->tokens[i].n;
    }
    if (total > R1_VOCAB_BYTES_MAX)
        return r1_fail(err, R1_EFORMAT, "the tokens have %llu bytes together, expected at most %u", (unsigned long long)total, R1_VOCAB_BYTES_MAX);
    t->bytes = malloc(total + 1);
    t->offset = malloc((src->n_tokens + 1) * sizeof *t->offset);
    t->flags = malloc(src->n_tokens + 1);
    if (!t->bytes || !t->offset || !t->flags) return r1_fail(err, R1_ENOMEM, "no memory for %zu tokens", src->n_tokens);
    size_t at = 0;
    for (size_t i = 0; i < src->n_tokens; i++) {
        r1_slice s = src->tokens[i];
        uint8_t f = src->flags[i];
        size_t n = s.n;
        t->offset[i] = (uint32_t)at;
        if (s.p) f |= R1_TOK_KNOWN;
        bool spelled = s.n && s.p && (f & R1_TOK_VOCAB) && unspell(a, s.p, s.n, t->bytes + at, &n);
        if (!spelled) f &= (uint8_t)~R1_TOK_VOCAB;
        if (!spelled || (f & R1_TOK_ADDED)) {
            n = s.n;
            if (n) memcpy(t->bytes + at, s.p, n);
        }
        at += n;
        t->flags[i] = f;
    }
    t->offset[src->n_tokens] = (uint32_t)at;
    return R1_OK;
}

/* A token as a message shows it. */
static r1_slice bytes_of(const r1_tokenizer *t, size_t id)
{
    return (r1_slice){ t->bytes + t->offset[id], t->offset[id + 1] - t->offset[id] };
}

#define SHOW(s) (int)r1_min((s).n, 100), (s).p

/* Control tokens are left out: no merge and no plain text may make one. */
static r1_status index_tokens(r1_tokenizer *t, r1_error *err)
{
    t->tokens_shift = shift_for((size_t)t->n_tokens);
    t->tokens = calloc((size_t)1 << (64 - t->tokens_shift), sizeof *t->tokens);
    if (!t->tokens) return r1_fail(err, R1_ENOMEM, "no memory for %d tokens", t->n_tokens);
    uint64_t hash[AHEAD] = { 0 }; /* of the tokens from id on; their slots are on the way from memory */
    for (int32_t id = -AHEAD; id < t->n_tokens; id++) {
        r1_slice s = id + AHEAD < t->n_tokens ? bytes_of(t, (size_t)(id + AHEAD)) : (r1_slice){ "", 0 };
        uint64_t h = hash[(id + AHEAD) % AHEAD];
        hash[(id + AHEAD) % AHEAD] = hash_bytes(s.p, s.n);
        __builtin_prefetch(&t->tokens[hash[(id + AHEAD) % AHEAD] >> t->tokens_shift], 1);
        if (id < 0 || !(t->flags[id] & R1_TOK_VOCAB) || (t->flags[id] & R1_TOK_SPECIAL)) continue;
        s = bytes_of(t, (size_t)id);
        size_t i = find_slot(t, h, s.p, s.n);
        if (t->tokens[i]) {
            int32_t other = (int32_t)(uint32_t)t->tokens[i] - 1;
            if (t->flags[id] & R1_TOK_ADDED) continue;
            if (!(t->flags[other] & R1_TOK_ADDED))
                return r1_fail(err, R1_EFORMAT, "tokens %d and %d are both '%.*s', expected different ones", other, id, SHOW(s));
        }
        t->tokens[i] = h << 32 | (uint32_t)(id + 1);
    }
    for (int b = 0; b < 256; b++) {
        char c = (char)b;
        t->byte_id[b] = r1_tokenizer_lookup(t, &c, 1);
    }
    return R1_OK;
}

/* ---- merges ---------------------------------------------------------------------------------------------------- */

/* The two spelled halves of merge i. */
static bool halves(const r1_tok_source *src, size_t i, r1_slice *l, r1_slice *r)
{
    *l = src->merges[i];
    if (src->rights) {
        *r = src->rights[i];
        return l->n && r->n;
    }
    const char *space = memchr(l->p, ' ', l->n);
    if (!space || memchr(space + 1, ' ', (size_t)(l->p + l->n - space - 1))) return false;
    *r = (r1_slice){ space + 1, (size_t)(l->p + l->n - space - 1) };
    l->n = (size_t)(space - l->p);
    return l->n && r->n;
}

static r1_status missing_part(size_t i, r1_slice l, r1_slice r, const char *what, r1_error *err)
{
    return r1_fail(err, R1_EFORMAT, "merge %zu ('%.*s' '%.*s') %s, expected tokens of the vocabulary", i, SHOW(l), SHOW(r), what);
}

static r1_status add_pair(r1_tokenizer *t, uint32_t left, uint32_t right, uint32_t rank, r1_error *err)
{
    uint64_t key = (uint64_t)left << 20 | right, mask = ((uint64_t)1 << (64 - t->pairs_shift)) - 1;
    uint64_t i = key * 0x9E3779B97F4A7C15u >> t->pairs_shift;
    for (; t->pairs[i] != UINT64_MAX; i = (i + 1) & mask)
        if (t->pairs[i] >> 24 == key)
            return r1_fail(err, R1_EFORMAT, "merges %u and %u are the same, expected different ones", (unsigned)(t->pairs[i] & 0xFFFFFF), rank);
    t->pairs[i] = key << 24 | rank;
    return R1_OK;
}

/* The token that a merge makes. Files list merges in the order of their results, so it is mostly that of the merge before,
 * or the one after that; looking there first is a third of the time of loading. */
static int32_t result_of(const r1_tokenizer *t, uint32_t before, const char *p, size_t n)
{
    for (uint32_t id = before; id < (uint32_t)t->n_tokens && id < before + 2; id++) {
        uint32_t at = t->offset[id];
        if (t->offset[id + 1] - at == n && !memcmp(t->bytes + at, p, n) && (t->flags[id] & R1_TOK_VOCAB) && !(t->flags[id] & R1_TOK_ADDED)) return (int32_t)id;
    }
    return r1_tokenizer_lookup(t, p, n);
}

static r1_status index_merge(r1_tokenizer *t, const r1_tok_source *src, const alphabet *a, size_t i, r1_error *err)
{
    char text[2 * 1024], *big = NULL, *p = text;
    r1_slice l, r;
    size_t nl, nr;
    if (!halves(src, i, &l, &r))
        return r1_fail(err, R1_EFORMAT, "merge %zu is '%.*s', expected two tokens with one space between", i, SHOW(src->merges[i]));
    if (l.n + r.n > sizeof text) { /* in no known file */
        if (l.n + r.n > 2 * R1_TOKEN_BYTES_MAX) return missing_part(i, l, r, "is too long", err);
        p = big = malloc(l.n + r.n);
        if (!big) return r1_fail(err, R1_ENOMEM, "no memory for a merge");
    }
    r1_status s = R1_OK;
    if (!unspell(a, l.p, l.n, p, &nl) || !unspell(a, r.p, r.n, p + nl, &nr)) {
        s = missing_part(i, l, r, "is not spelled in the byte alphabet", err);
    } else {
        int32_t left = r1_tokenizer_lookup(t, p, nl), right = r1_tokenizer_lookup(t, p + nl, nr);
        int32_t both = result_of(t, i ? t->merged[i - 1] : 0, p, nl + nr);
        if (src->drop_merges && (left < 0 || right < 0 || both < 0)) { /* it could never be taken; cut-down vocabularies have such */
            t->merged[i] = i ? t->merged[i - 1] : 0;
            goto done;
        }
        if (left < 0) s = missing_part(i, l, r, "begins with an unknown token", err);
        else if (right < 0) s = missing_part(i, l, r, "ends with an unknown token", err);
        else if (both < 0) s = missing_part(i, l, r, "makes an unknown token", err);
        else s = add_pair(t, (uint32_t)left, (uint32_t)right, (uint32_t)i, err);
        if (!s) t->merged[i] = (uint32_t)both;
        if (!s && nl == 1 && nr == 1) t->byte_pairs[(unsigned char)p[0] << 8 | (unsigned char)p[1]] = (uint32_t)i;
    }
done:
    free(big);
    return s;
}

/* A merge on its way into the tables. */
typedef struct merge {
    bool usual;              /* short, and well spelled; else index_merge sees to it */
    char text[64];
    size_t n_left, n_both;
    uint64_t left_hash, right_hash, key;
    int32_t left, right, both;
} merge;

static void start_merge(const r1_tokenizer *t, const r1_tok_source *src, const alphabet *a, size_t i, merge *m)
{
    r1_slice l, r;
    size_t n_right = 0;
    m->usual = halves(src, i, &l, &r) && l.n + r.n <= sizeof m->text && unspell(a, l.p, l.n, m->text, &m->n_left) &&
               unspell(a, r.p, r.n, m->text + m->n_left, &n_right);
    if (!m->usual) return;
    m->n_both = m->n_left + n_right;
    m->left_hash = hash_bytes(m->text, m->n_left);
    m->right_hash = hash_bytes(m->text + m->n_left, n_right);
    __builtin_prefetch(&t->tokens[m->left_hash >> t->tokens_shift]);
    __builtin_prefetch(&t->tokens[m->right_hash >> t->tokens_shift]);
}

/* The bytes of the token that is probably meant. */
static void ask_for_bytes(const r1_tokenizer *t, uint64_t hash)
{
    uint64_t e = t->tokens[hash >> t->tokens_shift];
    if (e) __builtin_prefetch(t->bytes + t->offset[(uint32_t)e - 1]);
}

static void look_up_merge(const r1_tokenizer *t, merge *m, uint32_t before)
{
    if (!m->usual) return;
    m->left = (int32_t)(uint32_t)t->tokens[find_slot(t, m->left_hash, m->text, m->n_left)] - 1;
    m->right = (int32_t)(uint32_t)t->tokens[find_slot(t, m->right_hash, m->text + m->n_left, m->n_both - m->n_left)] - 1;
    m->both = result_of(t, before, m->text, m->n_both);
    m->usual = m->left >= 0 && m->right >= 0 && m->both >= 0;
    m->key = (uint64_t)(uint32_t)m->left << 20 | (uint32_t)m->right;
    if (m->usual) __builtin_prefetch(&t->pairs[m->key * 0x9E3779B97F4A7C15u >> t->pairs_shift], 1);
}

static r1_status finish_merge(r1_tokenizer *t, const merge *m, size_t i, r1_error *err)
{
    r1_status s = add_pair(t, (uint32_t)m->left, (uint32_t)m->right, (uint32_t)i, err);
    if (s) return s;
    t->merged[i] = (uint32_t)m->both;
    if (m->n_left == 1 && m->n_both == 2) t->byte_pairs[(unsigned char)m->text[0] << 8 | (unsigned char)m->text[1]] = (uint32_t)i;
    return R1_OK;
}

static r1_status index_some_merges(r1_tokenizer *t, const r1_tok_source *src, const alphabet *a, size_t first, size_t n, r1_error *err)
{
    merge m[AHEAD];
    uint32_t before = first ? t->merged[first - 1] : 0;
    r1_status s = R1_OK;
    for (size_t i = 0; i < n; i++) start_merge(t, src, a, first + i, &m[i]);
    for (size_t i = 0; i < n; i++) {
        if (!m[i].usual) continue;
        ask_for_bytes(t, m[i].left_hash);
        ask_for_bytes(t, m[i].right_hash);
    }
    for (size_t i = 0; i < n; i++) {
        look_up_merge(t, &m[i], before);
        if (m[i].usual) before = (uint32_t)m[i].both;
    }
    for (size_t i = 0; i < n && !s; i++) s = m[i].usual ? finish_merge(t, &m[i], first + i, err) : index_merge(t, src, a, first + i, err);
    return s;
}

static r1_status index_merges(r1_tokenizer *t, const r1_tok_source *src, const alphabet *a, r1_error *err)
{
    if (src->n_merges >= R1_MERGES_MAX)
        return r1_fail(err, R1_EFORMAT, "there are %zu merges, expected fewer than %u", src->n_merges, R1_MERGES_MAX);
    t->n_merges = src->n_merges;
    t->pairs_shift = shift_for(src->n_merges);
    size_t slots = (size_t)1 << (64 - t->pairs_shift);
    t->pairs = malloc(slots * sizeof *t->pairs);
    t->merged = malloc((src->n_merges + 1) * sizeof *t->merged);
    t->byte_pairs = malloc(65536 * sizeof *t->byte_pairs);
    if (!t->pairs || !t->merged || !t->byte_pairs) return r1_fail(err, R1_ENOMEM, "no memory for %zu merges", src->n_merges);
    memset(t->pairs, 0xFF, slots * sizeof *t->pairs);
    memset(t->byte_pairs, 0xFF, 65536 * sizeof *t->byte_pairs);
    r1_status s = R1_OK;
    for (size_t i = 0; !s && i < src->n_merges; i += AHEAD) s = index_some_merges(t, src, a, i, r1_min(AHEAD, src->n_merges - i), err);
    return s;
}

/* ---- added tokens ---------------------------------------------------------------------------------------------- */

static int compare_added(const void *a, const void *b)
{
    const r1_added *x = a, *y = b;
    int c = memcmp(x->p, y->p, r1_min(x->n, y->n));
    return c ? c : (x->n > y->n) - (x->n < y->n);
}

static r1_status index_added(r1_tokenizer *t, r1_added_set *set, bool normalized, r1_error *err)
{
    size_t n = 0;
    for (int32_t i = 0; i < t->n_tokens; i++)
        n += (t->flags[i] & R1_TOK_ADDED) && !(t->flags[i] & R1_TOK_NORMALIZED) == !normalized;
    if (!n) return R1_OK;
    set->v = malloc(n * sizeof *set->v);
    if (!set->v) return r1_fail(err, R1_ENOMEM, "no memory for %zu added tokens", n);
    for (int32_t i = 0; i < t->n_tokens; i++) {
        if (!(t->flags[i] & R1_TOK_ADDED) || !(t->flags[i] & R1_TOK_NORMALIZED) != !normalized) continue;
        r1_slice s = bytes_of(t, (size_t)i);
        if (s.n == 0) return r1_fail(err, R1_EFORMAT, "added token %d is empty, expected a text", i);
        if (s.n > R1_ADDED_BYTES_MAX)
            return r1_fail(err, R1_EUNSUPPORTED, "added token %d has %zu bytes, expected at most %u", i, s.n, R1_ADDED_BYTES_MAX);
        set->v[set->n++] = (r1_added){ s.p, (uint32_t)s.n, i };
        set->first[(unsigned char)s.p[0]] = true;
    }
    qsort(set->v, n, sizeof *set->v, compare_added);
    for (size_t i = 1; i < n; i++)
        if (!compare_added(&set->v[i - 1], &set->v[i]))
            return r1_fail(err, R1_EFORMAT, "added tokens %d and %d are both '%.*s', expected different ones", set->v[i - 1].id,
                           set->v[i].id, SHOW(set->v[i]));
    return R1_OK;
}

/* First of v[lo..hi), equal in their first d bytes, whose byte d is not below c. */
static size_t lower(const r1_added *v, size_t lo, size_t hi, size_t d, unsigned c)
{
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (v[mid].n <= d || (unsigned char)v[mid].p[d] < c) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

const r1_added *r1_added_match(const r1_added_set *set, const char *text, size_t n)
{
    const r1_added *best = NULL;
    size_t lo = 0, hi = set->n;
    for (size_t d = 0; d < n && lo < hi; d++) { /* narrow to those with text[0..d] */
        unsigned c = (unsigned char)text[d];
        lo = lower(set->v, lo, hi, d, c);
        hi = lower(set->v, lo, hi, d, c + 1);
        if (lo < hi && set->v[lo].n == d + 1) best = &set->v[lo];
    }
    return best;
}

/* ---- building -------------------------------------------------------------------------------------------------- */

static r1_status check_id(int32_t id, size_t n, const char *what, r1_error *err)
{
    if (id >= -1 && (id < 0 || (size_t)id < n)) return R1_OK;
    return r1_fail(err, R1_EFORMAT, "the %s token is %d, expected an id below %zu", what, id, n);
}

static void mark_eog(r1_tokenizer *t)
{
    if (t->eos >= 0) t->flags[t->eos] |= R1_TOK_EOG;
    for (size_t i = 0; i < R1_COUNT(eog_names); i++) {
        int32_t id = r1_tokenizer_find(t, eog_names[i], strlen(eog_names[i]));
        if (id >= 0 && (t->flags[id] & R1_TOK_SPECIAL)) t->flags[id] |= R1_TOK_EOG;
    }
}

r1_status r1_tokenizer_build(r1_tokenizer **out, const r1_tok_source *src, r1_pretok *pre_take, r1_error *err)
{
    alphabet a;
    *out = NULL;
    alphabet_init(&a);
    r1_tokenizer *t = calloc(1, sizeof *t);
    if (!t) {
        r1_pretok_free(pre_take);
        return r1_fail(err, R1_ENOMEM, "no memory for a tokenizer");
    }
    t->pre = pre_take;
    t->n_tokens = (int32_t)src->n_tokens;
    t->nfc = src->nfc;
    t->ignore_merges = src->ignore_merges;
    t->add_bos = src->add_bos;
    t->bos = src->bos;
    t->eos = src->eos;
    r1_status s = check_id(src->bos, src->n_tokens, "BOS", err);
    if (!s) s = check_id(src->eos, src->n_tokens, "EOS", err);
    if (!s) s = store_bytes(t, src, &a, err);
    if (!s) s = index_tokens(t, err);
    if (!s) s = index_merges(t, src, &a, err);
    if (!s) s = index_added(t, &t->before, false, err);
    if (!s) s = index_added(t, &t->after, true, err);
    if (s) {
        r1_tokenizer_free(t);
        return s;
    }
    mark_eog(t);
    *out = t;
    return R1_OK;
}

/* ---- GGUF ------------------------------------------------------------------------------------------------------ */

/* What a pre-tokenizer's name in a GGUF file means. The file does not say whether NFC applies or merges are ignored. */
typedef struct pre_name { const char *name; r1_pretok_kind kind; bool nfc, ignore_merges; } pre_name;
static const pre_name pre_names[] = {
    { "deepseek-v3", R1_PRETOK_DEEPSEEK_V3, false, false },
    { "deepseek-r1-qwen", R1_PRETOK_QWEN2, true, false },
    { "qwen2", R1_PRETOK_QWEN2, true, false },
    { "llama-bpe", R1_PRETOK_LLAMA3, false, true },
    { "llama3", R1_PRETOK_LLAMA3, false, true },
    { "llama-v3", R1_PRETOK_LLAMA3, false, true },
    { "smollm", R1_PRETOK_SMOLLM, false, false },
    { "deepseek-llm", R1_PRETOK_STEPS, false, false },
    { "gpt-2", R1_PRETOK_GPT2, false, false },
    { "gpt2", R1_PRETOK_GPT2, false, false },
};

static const pre_name *find_pre(const char *name)
{
    for (size_t i = 0; name && i < R1_COUNT(pre_names); i++)
        if (!strcmp(pre_names[i].name, name)) return &pre_names[i];
    return NULL;
}

static r1_status unknown_pre(const char *name, r1_error *err)
{
    char list[256] = "";
    for (size_t i = 0; i < R1_COUNT(pre_names); i++) {
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", pre_names[i].name);
    }
    return r1_fail(err, R1_EUNSUPPORTED, "the pre-tokenizer is '%s', expected one of %s", name ? name : "(none)", list);
}

static uint8_t flags_of_type(int32_t type)
{
    switch (type) {
    case R1_TOKEN_NORMAL: return R1_TOK_VOCAB;
    case R1_TOKEN_CONTROL: case R1_TOKEN_UNKNOWN: return R1_TOK_ADDED | R1_TOK_SPECIAL;
    case R1_TOKEN_USER_DEFINED: return R1_TOK_VOCAB | R1_TOK_ADDED;
    default: return 0; /* unused; bytes as a type belong to another kind of vocabulary */
    }
}

/* Padding rows at the end, "[PAD151665]", are not tokens. */
static size_t without_padding(const r1_vocab *v)
{
    size_t n = v->n_tokens;
    while (n && v->types && v->types[n - 1] == R1_TOKEN_UNUSED && v->tokens[n - 1].n > 4 && !memcmp(v->tokens[n - 1].p, "[PAD", 4)) n--;
    return n;
}

r1_status r1_tokenizer_from_vocab(r1_tokenizer **out, const r1_vocab *v, r1_error *err)
{
    *out = NULL;
    if (v->n_tokens == 0 || v->n_tokens > R1_TOKENS_MAX)
        return r1_fail(err, R1_EFORMAT, "the vocabulary has %zu tokens, expected 1 to %u", v->n_tokens, R1_TOKENS_MAX);
    const pre_name *pre = find_pre(v->pre);
    if (!pre) return unknown_pre(v->pre, err);
    size_t n = without_padding(v);
    r1_status s = check_id(v->eot, n, "end-of-turn", err);
    if (!s) s = check_id(v->pad, v->n_tokens, "padding", err);
    if (s) return s;
    uint8_t *flags = malloc(n + 1);
    if (!flags) return r1_fail(err, R1_ENOMEM, "no memory for %zu tokens", n);
    for (size_t i = 0; i < n; i++) {
        int32_t type = v->types ? v->types[i] : R1_TOKEN_NORMAL;
        if (!s && (type < R1_TOKEN_NORMAL || type > R1_TOKEN_BYTE))
            s = r1_fail(err, R1_EFORMAT, "token %zu has type %d, expected %d to %d", i, type, R1_TOKEN_NORMAL, R1_TOKEN_BYTE);
        flags[i] = flags_of_type(type);
    }
    r1_tok_source src = { .tokens = v->tokens, .n_tokens = n, .flags = flags, .drop_merges = true, .merges = v->merges, .n_merges = v->n_merges,
                          .nfc = pre->nfc, .ignore_merges = pre->ignore_merges, .add_bos = v->add_bos, .bos = v->bos, .eos = v->eos };
    r1_pretok *rules = NULL;
    if (!s) s = r1_pretok_new(&rules, pre->kind, err);
    if (!s && pre->kind == R1_PRETOK_STEPS) s = r1_pretok_add_deepseek_llm(rules, err);
    if (!s) s = r1_tokenizer_build(out, &src, rules, err);
    else r1_pretok_free(rules);
    free(flags);
    if (!s && v->eot >= 0) s = r1_tokenizer_add_eog(*out, v->eot, err);
    return s;
}

/* ---- questions ------------------------------------------------------------------------------------------------- */

static bool has(const r1_tokenizer *t, int32_t id, unsigned flag) { return id >= 0 && id < t->n_tokens && (t->flags[id] & flag); }

int32_t r1_tokenizer_size(const r1_tokenizer *t) { return t->n_tokens; }
int32_t r1_tokenizer_bos(const r1_tokenizer *t) { return t->bos; }
int32_t r1_tokenizer_eos(const r1_tokenizer *t) { return t->eos; }
bool r1_tokenizer_adds_bos(const r1_tokenizer *t) { return t->add_bos; }
const char *r1_tokenizer_pre(const r1_tokenizer *t) { return r1_pretok_name(t->pre); }
bool r1_tokenizer_is_added(const r1_tokenizer *t, int32_t id) { return has(t, id, R1_TOK_ADDED); }
bool r1_tokenizer_is_special(const r1_tokenizer *t, int32_t id) { return has(t, id, R1_TOK_SPECIAL); }
bool r1_token_is_eog(const r1_tokenizer *t, int32_t id) { return has(t, id, R1_TOK_EOG); }

int32_t r1_tokenizer_find(const r1_tokenizer *t, const char *text, size_t n)
{
    const r1_added_set *sets[] = { &t->before, &t->after };
    for (size_t i = 0; i < R1_COUNT(sets); i++) {
        const r1_added *a = r1_added_match(sets[i], text, n); /* the longest, so the whole text if there is one */
        if (a && a->n == n) return a->id;
    }
    return -1;
}

const char *r1_token_bytes(const r1_tokenizer *t, int32_t id, size_t *n)
{
    bool known = has(t, id, R1_TOK_KNOWN);
    *n = known ? t->offset[id + 1] - t->offset[id] : 0;
    return known ? t->bytes + t->offset[id] : NULL;
}

r1_status r1_tokenizer_add_eog(r1_tokenizer *t, int32_t id, r1_error *err)
{
    if (id < 0 || id >= t->n_tokens)
        return r1_fail(err, R1_EINVAL, "token %d cannot end a generation, expected an id below %d", id, t->n_tokens);
    t->flags[id] |= R1_TOK_EOG;
    return R1_OK;
}

/* ---- lists of ids ---------------------------------------------------------------------------------------------- */

void r1_ids_deinit(r1_ids *v)
{
    free(v->ids);
    *v = (r1_ids){ 0 };
}

r1_status r1_ids_add(r1_ids *v, int32_t id, r1_error *err)
{
    r1_status s = r1_ids_reserve(v, 1, err);
    if (!s) v->ids[v->n++] = id;
    return s;
}
