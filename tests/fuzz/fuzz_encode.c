/* Fuzz target: a text. The first byte chooses the family and how added tokens count, the rest is encoded, valid or not. The
 * bytes come back (Qwen: normalised, so encoding them again gives the same ids); plain text gives no special token; a stream
 * of the ids says what decoding their bytes at once says; the pieces cover the text. */
#include "base/utf8.h"
#include "text/tokenizer_int.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const families[] = { "deepseek-v3", "qwen2", "llama-bpe", "smollm", "gpt-2" };
static const char *const merges[] = { "a b", "ab ab", "\xC4\xA0 a", "\xC4\xA0 \xC4\xA0", "t h", "th e", "e e", "1 2", "12 3", "a a", "aa a", "aa aa", ". .", "\xC3\xA4 \xC2\xB8", "' s", "\xC4\x8A \xC4\x8A" };
static const char *const added[] = { "<think>", "</think>", "<s>", "<s", "s>t" }; /* the first two are not special */

static r1_tokenizer *tokenizers[R1_COUNT(families)];

static r1_tokenizer *make(const char *pre)
{
    char spelled[256][3], joined[R1_COUNT(merges)][16];
    r1_slice tokens[256 + R1_COUNT(merges) + R1_COUNT(added)], pairs[R1_COUNT(merges)];
    int32_t types[R1_COUNT(tokens)];
    uint32_t others = 256;
    size_t n = 0;
    for (uint32_t b = 0; b < 256; b++) {
        bool itself = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        types[n] = R1_TOKEN_NORMAL;
        tokens[n++] = (r1_slice){ spelled[b], (size_t)r1_utf8_encode(itself ? b : others++, spelled[b]) };
    }
    for (size_t i = 0; i < R1_COUNT(merges); i++) {
        const char *space = strchr(merges[i], ' ');
        size_t left = (size_t)(space - merges[i]), right = strlen(space + 1);
        pairs[i] = (r1_slice){ merges[i], strlen(merges[i]) };
        memcpy(joined[i], merges[i], left);
        memcpy(joined[i] + left, space + 1, right);
        types[n] = R1_TOKEN_NORMAL;
        tokens[n++] = (r1_slice){ joined[i], left + right };
    }
    for (size_t i = 0; i < R1_COUNT(added); i++) {
        types[n] = i < 2 ? R1_TOKEN_USER_DEFINED : R1_TOKEN_CONTROL;
        tokens[n++] = (r1_slice){ added[i], strlen(added[i]) };
    }
    r1_vocab v = { tokens, n, types, pairs, R1_COUNT(merges), pre, -1, -1, -1, -1, false };
    r1_tokenizer *t;
    require(r1_tokenizer_from_vocab(&t, &v, NULL) == R1_OK);
    return t;
}

static void free_all(void)
{
    for (size_t i = 0; i < R1_COUNT(families); i++) r1_tokenizer_free(tokenizers[i]);
}

static void check_pieces(const r1_tokenizer *t, const char *p, size_t n)
{
    if (!r1_utf8_is_valid(p, n, NULL)) return;
    for (const char *end = p + n; p < end;) {
        const char *q = r1_pretok_next(t->pre, p, end);
        require(q > p && q <= end && (q == end || (*q & 0xC0) != 0x80));
        p = q;
    }
}

static void check_stream(const r1_tokenizer *t, const r1_ids *ids, const r1_buf *bytes)
{
    r1_detok one = { 0 }, all = { 0 };
    r1_buf a, b;
    r1_buf_init(&a, 1 << 28);
    r1_buf_init(&b, 1 << 28);
    for (size_t i = 0; i < ids->n; i++) {
        require(r1_detok_token(&one, t, ids->ids[i], &a, NULL) == R1_OK);
        require(one.n_held >= 0 && one.n_held <= 3);
    }
    require(r1_detok_bytes(&all, bytes->data, bytes->len, &b, NULL) == R1_OK && a.len == b.len);
    require(r1_detok_end(&one, &a, NULL) == R1_OK && r1_detok_end(&all, &b, NULL) == R1_OK);
    require(a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len)) && (!a.len || r1_utf8_is_valid(a.data, a.len, NULL)));
    r1_buf_deinit(&a);
    r1_buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    unsigned which = data[0] % R1_COUNT(families);
    int special = data[0] / R1_COUNT(families) % 3;
    if (!tokenizers[0]) {
        for (size_t i = 0; i < R1_COUNT(families); i++) tokenizers[i] = make(families[i]);
        atexit(free_all);
    }
    const r1_tokenizer *t = tokenizers[which];
    const char *text = (const char *)data + 1;
    r1_ids ids = { 0 }, again = { 0 };
    r1_buf bytes;
    r1_buf_init(&bytes, 1 << 28);
    require(r1_tokenizer_encode(t, text, size - 1, special, &ids, NULL) == R1_OK);
    for (size_t i = 0; i < ids.n; i++) {
        size_t n;
        const char *p = r1_token_bytes(t, ids.ids[i], &n);
        require(p && n && r1_buf_add(&bytes, p, n, NULL) == R1_OK);
        require(special == R1_SPECIAL_ALL || !r1_tokenizer_is_special(t, ids.ids[i]));
        require(special != R1_SPECIAL_NONE || !r1_tokenizer_is_added(t, ids.ids[i]));
    }
    if (!t->nfc) require(bytes.len == size - 1 && (!bytes.len || !memcmp(bytes.data, text, bytes.len)));
    if (special == R1_SPECIAL_NONE) { /* normalising may not be repeated across an added token */
        require(r1_tokenizer_encode(t, bytes.data, bytes.len, special, &again, NULL) == R1_OK);
        require(again.n == ids.n && (!ids.n || !memcmp(again.ids, ids.ids, ids.n * sizeof *ids.ids)));
    }
    check_pieces(t, text, size - 1);
    check_stream(t, &ids, &bytes);
    r1_buf_deinit(&bytes);
    r1_ids_deinit(&ids);
    r1_ids_deinit(&again);
    return 0;
}
