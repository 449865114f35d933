/* The tokenizer on vocabularies made by hand, so that these run without any download: merging against a naive one, added
 * tokens, bytes, NFC, hostile texts, streams, and everything a file can have wrong. */
#include "base/utf8.h"
#include "tests/test.h"
#include "text/tokenizer_int.h"

#include <utf8proc.h>

#define MAX_TOKENS 1024

/* A vocabulary being made: bytes are spelled in the byte alphabet for it. */
typedef struct maker {
    char text[1 << 16]; size_t n_text;
    r1_slice tokens[MAX_TOKENS]; int32_t types[MAX_TOKENS]; size_t n_tokens;
    r1_slice merges[MAX_TOKENS]; size_t n_merges;
    const char *pre;
    int32_t bos, eos, eot, pad;
    bool add_bos;
} maker;

static size_t spell_byte(unsigned b, char *out)
{
    unsigned others = 0;
    for (unsigned i = 0; i < b; i++) others += !((i >= 33 && i <= 126) || (i >= 161 && i <= 172) || i >= 174);
    bool itself = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    return (size_t)r1_utf8_encode(itself ? b : 256 + others, out);
}

static size_t spell(maker *m, const char *s, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) k += spell_byte((unsigned char)s[i], m->text + m->n_text + k);
    m->n_text += k;
    return k;
}

static int32_t add_bytes(maker *m, const char *s, size_t n)
{
    const char *p = m->text + m->n_text;
    m->types[m->n_tokens] = R1_TOKEN_NORMAL;
    m->tokens[m->n_tokens] = (r1_slice){ p, spell(m, s, n) };
    return (int32_t)m->n_tokens++;
}

static int32_t add_raw(maker *m, const char *s, int32_t type)
{
    m->types[m->n_tokens] = type;
    m->tokens[m->n_tokens] = (r1_slice){ s, strlen(s) };
    return (int32_t)m->n_tokens++;
}

static void add_merge_text(maker *m, const char *text) { m->merges[m->n_merges++] = (r1_slice){ text, strlen(text) }; }

/* The merge, and the token that it makes if it is new. */
static int32_t add_merge(maker *m, const char *left, const char *right)
{
    char both[256];
    const char *p = m->text + m->n_text;
    size_t n = spell(m, left, strlen(left));
    m->text[m->n_text++] = ' ';
    n += 1 + spell(m, right, strlen(right));
    m->merges[m->n_merges++] = (r1_slice){ p, n };
    snprintf(both, sizeof both, "%s%s", left, right);
    char spelled[1024];
    size_t k = 0;
    for (size_t i = 0; both[i]; i++) k += spell_byte((unsigned char)both[i], spelled + k);
    for (size_t i = 0; i < m->n_tokens; i++)
        if (m->tokens[i].n == k && !memcmp(m->tokens[i].p, spelled, k)) return (int32_t)i;
    return add_bytes(m, both, strlen(both));
}

/* Ids 0..255 are the bytes. */
static void begin(maker *m, const char *pre)
{
    memset(m, 0, sizeof *m);
    m->pre = pre;
    m->bos = m->eos = m->eot = m->pad = -1;
    for (int b = 0; b < 256; b++) add_bytes(m, &(char){ (char)b }, 1);
}

static r1_status finish(maker *m, r1_tokenizer **t, r1_error *e)
{
    r1_vocab v = { m->tokens, m->n_tokens, m->types, m->merges, m->n_merges, m->pre, m->bos, m->eos, m->eot, m->pad, m->add_bos };
    return r1_tokenizer_from_vocab(t, &v, e);
}

static r1_tokenizer *made(maker *m)
{
    r1_tokenizer *t;
    r1_error e = { 0 };
    EXPECT_OK(finish(m, &t, &e), &e);
    return t;
}

/* Ids as "1 2 3". */
static const char *encoded(const r1_tokenizer *t, const char *text, size_t n, int special)
{
    static char out[4096];
    r1_ids ids = { 0 };
    r1_error e = { 0 };
    size_t at = 0;
    out[0] = 0;
    EXPECT_OK(r1_tokenizer_encode(t, text, n, special, &ids, &e), &e);
    for (size_t i = 0; i < ids.n; i++) at += (size_t)snprintf(out + at, sizeof out - at, i ? " %d" : "%d", ids.ids[i]);
    r1_ids_deinit(&ids);
    return out;
}

#define ENCODED(t, text, mode) encoded(t, text, strlen(text), mode)

static maker m;

TEST(lowest_rank_first_then_leftmost)
{
    begin(&m, "gpt-2");
    int32_t bc = add_merge(&m, "b", "c"), ab = add_merge(&m, "a", "b"), aa = add_merge(&m, "a", "a"), aab = add_merge(&m, "aa", "b");
    r1_tokenizer *t = made(&m);
    char want[64];
    snprintf(want, sizeof want, "97 %d", bc);
    EXPECT_STR(ENCODED(t, "abc", R1_SPECIAL_NONE), want);
    snprintf(want, sizeof want, "%d 97", aa);
    EXPECT_STR(ENCODED(t, "aaa", R1_SPECIAL_NONE), want);
    snprintf(want, sizeof want, "97 %d", ab); /* "aab" is a token, but a+b comes before a+a */
    EXPECT_STR(ENCODED(t, "aab", R1_SPECIAL_NONE), want);
    EXPECT(aab > 0);
    r1_tokenizer_free(t);
}

TEST(a_whole_piece_that_is_a_token_ignores_merges_in_llama)
{
    char want[16];
    for (int llama = 0; llama < 2; llama++) {
        begin(&m, llama ? "llama-bpe" : "gpt-2");
        int32_t bc = add_merge(&m, "b", "c");
        int32_t abc = add_bytes(&m, "abc", 3); /* no merges make it */
        r1_tokenizer *t = made(&m);
        if (llama) snprintf(want, sizeof want, "%d", abc);
        else snprintf(want, sizeof want, "97 %d", bc);
        EXPECT_STR(ENCODED(t, "abc", R1_SPECIAL_NONE), want);
        r1_tokenizer_free(t);
    }
}

/* ---- merging against a naive one ------------------------------------------------------------------------------- */

static size_t naive(const maker *v, const char *text, size_t n, r1_slice *out)
{
    size_t k = n;
    for (size_t i = 0; i < n; i++) out[i] = (r1_slice){ text + i, 1 };
    for (;;) {
        size_t best = SIZE_MAX, at = 0;
        for (size_t i = 0; i + 1 < k; i++) {
            for (size_t r = 0; r < v->n_merges && r < best; r++) {
                const char *space = memchr(v->merges[r].p, ' ', v->merges[r].n);
                size_t left = (size_t)(space - v->merges[r].p), right = v->merges[r].n - left - 1;
                if (left != out[i].n || right != out[i + 1].n || memcmp(space - left, out[i].p, left) || memcmp(space + 1, out[i + 1].p, right)) continue;
                best = r;
                at = i;
            }
        }
        if (best == SIZE_MAX) return k;
        out[at].n += out[at + 1].n;
        memmove(out + at + 1, out + at + 2, (k - at - 2) * sizeof *out);
        k--;
    }
}

TEST(merging_equals_a_naive_one)
{
    uint64_t rng = test_seed();
    for (int round = 0; round < 60; round++) {
        begin(&m, "llama-bpe"); /* letters are one piece */
        m.pre = "gpt-2";
        for (int i = 0; i < 40; i++) { /* random merges over what is there; letters only, spelled as themselves */
            size_t l = test_random(&rng) % (3 + m.n_tokens - 256), r = test_random(&rng) % (3 + m.n_tokens - 256);
            r1_slice a = m.tokens[l < 3 ? 'a' + l : 256 + l - 3], b = m.tokens[r < 3 ? 'a' + r : 256 + r - 3];
            char left[64], right[64], both[128];
            snprintf(left, sizeof left, "%.*s", (int)a.n, a.p);
            snprintf(right, sizeof right, "%.*s", (int)b.n, b.p);
            if (a.n + b.n > 12) continue;
            snprintf(both, sizeof both, "%s %s", left, right);
            bool there = false;
            for (size_t k = 0; k < m.n_merges; k++) there |= m.merges[k].n == strlen(both) && !memcmp(m.merges[k].p, both, m.merges[k].n);
            if (!there) add_merge(&m, left, right);
        }
        r1_tokenizer *t = made(&m);
        for (int k = 0; k < 20; k++) {
            char text[200];
            r1_slice want[200];
            r1_ids got = { 0 };
            r1_error e = { 0 };
            size_t n = 1 + test_random(&rng) % (k % 2 ? 199 : 47), at = 0;
            for (size_t i = 0; i < n; i++) text[i] = (char)('a' + test_random(&rng) % 3);
            EXPECT_OK(r1_tokenizer_encode(t, text, n, R1_SPECIAL_NONE, &got, &e), &e);
            EXPECT_INT(got.n, naive(&m, text, n, want));
            for (size_t i = 0; i < got.n; i++) {
                size_t len;
                const char *p = r1_token_bytes(t, got.ids[i], &len);
                EXPECT(p && len == want[i].n && !memcmp(p, text + at, len));
                at += len;
            }
            EXPECT_INT(at, n);
            r1_ids_deinit(&got);
        }
        r1_tokenizer_free(t);
    }
}

/* ---- bytes ----------------------------------------------------------------------------------------------------- */

TEST(a_byte_without_token_vanishes_before_merging)
{
    begin(&m, "gpt-2");
    m.tokens[0x14] = (r1_slice){ "[PAD]", 5 };
    m.types[0x14] = R1_TOKEN_UNUSED;
    int32_t quotes = add_merge(&m, "\"", "'");
    r1_tokenizer *t = made(&m);
    char want[16];
    snprintf(want, sizeof want, "%d", quotes);
    EXPECT_STR(ENCODED(t, "\"\x14'", R1_SPECIAL_NONE), want);
    EXPECT_STR(ENCODED(t, "\x14", R1_SPECIAL_NONE), "");
    char text[101]; /* the same in a piece for the heap */
    memset(text, '!', sizeof text);
    memcpy(text + 50, "\"\x14'", 3);
    EXPECT_CONTAINS(encoded(t, text, sizeof text, R1_SPECIAL_NONE), want);
    r1_tokenizer_free(t);
}

static void check_round_trip(const r1_tokenizer *t, const char *text, size_t n)
{
    r1_ids ids = { 0 };
    r1_error e = { 0 };
    size_t at = 0;
    EXPECT_OK(r1_tokenizer_encode(t, text, n, R1_SPECIAL_ALL, &ids, &e), &e);
    for (size_t i = 0; i < ids.n; i++) {
        size_t len;
        const char *p = r1_token_bytes(t, ids.ids[i], &len);
        EXPECT(p && at + len <= n && !memcmp(p, text + at, len));
        at += len;
    }
    EXPECT_INT(at, n);
    r1_ids_deinit(&ids);
}

TEST(any_bytes_come_back)
{
    static const char *const pres[] = { "deepseek-v3", "llama-bpe", "smollm", "gpt-2" };
    uint64_t rng = test_seed();
    for (size_t k = 0; k < R1_COUNT(pres); k++) {
        begin(&m, pres[k]);
        add_merge(&m, "a", "b");
        add_merge(&m, " ", "a");
        add_merge(&m, "\xE4", "\xB8");
        add_raw(&m, "<x>", R1_TOKEN_CONTROL);
        r1_tokenizer *t = made(&m);
        for (int round = 0; round < 2000; round++) {
            char text[96];
            size_t n = test_random(&rng) % sizeof text;
            for (size_t i = 0; i < n; i++) {
                static const char often[] = "ab  \n<x>1'\xE4\xB8\xAD\xF0\x9F\x98\x80\xED\xA0\xC3\xFF\xE3\x82";
                text[i] = test_random(&rng) % 3 ? often[test_random(&rng) % (sizeof often - 1)] : (char)test_random(&rng);
            }
            check_round_trip(t, text, n);
        }
        r1_tokenizer_free(t);
    }
}

/* ---- added tokens ---------------------------------------------------------------------------------------------- */

TEST(added_tokens_leftmost_then_longest_in_three_variants)
{
    begin(&m, "gpt-2");
    int32_t s = add_raw(&m, "<s>", R1_TOKEN_CONTROL), st = add_raw(&m, "<s>t", R1_TOKEN_USER_DEFINED), tt = add_raw(&m, "t<s", R1_TOKEN_USER_DEFINED);
    r1_tokenizer *t = made(&m);
    char want[64];
    snprintf(want, sizeof want, "97 %d 98 %d %d 62", s, st, tt);
    EXPECT_STR(ENCODED(t, "a<s>b<s>tt<s>", R1_SPECIAL_ALL), want);
    EXPECT_STR(ENCODED(t, "<s>", R1_SPECIAL_NONE), "60 115 62");
    EXPECT_STR(ENCODED(t, "<s>", R1_SPECIAL_HF), "60 115 62");
    snprintf(want, sizeof want, "60 115 62 %d", st); /* the special one is text, the other one counts */
    EXPECT_STR(ENCODED(t, "<s><s>t", R1_SPECIAL_HF), want);
    EXPECT_INT(r1_tokenizer_find(t, "<s>", 3), s);
    EXPECT_INT(r1_tokenizer_find(t, "<s", 2), -1);
    EXPECT_INT(r1_tokenizer_find(t, "a", 1), -1);
    EXPECT(r1_tokenizer_is_added(t, st) && !r1_tokenizer_is_special(t, st) && r1_tokenizer_is_special(t, s) && !r1_tokenizer_is_added(t, 'a'));
    EXPECT_STATUS(r1_tokenizer_encode(t, "a", 1, 3, &(r1_ids){ 0 }, NULL), R1_EINVAL);
    r1_tokenizer_free(t);
}

TEST(plain_text_never_makes_a_control_token)
{
    begin(&m, "llama-bpe");
    add_raw(&m, "ab", R1_TOKEN_CONTROL);
    r1_tokenizer *t = made(&m); /* "ab" is a whole piece and spelled like a token */
    EXPECT_STR(ENCODED(t, "ab", R1_SPECIAL_NONE), "97 98");
    r1_tokenizer_free(t);
    add_merge_text(&m, "a b"); /* no merge makes it either */
    t = made(&m);
    EXPECT_STR(ENCODED(t, "ab", R1_SPECIAL_NONE), "97 98");
    r1_tokenizer_free(t);
}

/* ---- NFC ------------------------------------------------------------------------------------------------------- */

TEST(nfc_where_the_rules_ask_for_it)
{
    begin(&m, "qwen2");
    r1_tokenizer *t = made(&m);
    EXPECT_STR(ENCODED(t, "e\xCC\x81", R1_SPECIAL_NONE), "195 169");
    EXPECT_STR(ENCODED(t, "e\xCC\x81\xFF" "e\xCC\x81", R1_SPECIAL_NONE), "195 169 255 195 169");
    r1_tokenizer_free(t);
    m.pre = "llama-bpe";
    t = made(&m);
    EXPECT_STR(ENCODED(t, "e\xCC\x81", R1_SPECIAL_NONE), "101 204 129");
    r1_tokenizer_free(t);
}

TEST(nfc_equals_utf8proc)
{
    uint8_t *classes = r1_unicode_table();
    EXPECT(classes != NULL);
    uint64_t rng = test_seed();
    r1_buf buf;
    r1_buf_init(&buf, 1 << 20);
    for (int round = 0; round < 20000; round++) {
        static const uint32_t often[] = { 'a', 'e', 'q', ' ', 0xE9, 0x1EA1, 0x300, 0x301, 0x323, 0x345, 0x1100, 0x1161, 0x11A8, 0xAC00, 0xAC01, 0x9C7, 0x9BE, 0x212B, 0x958, 0x344, 0x1D15F, 0xF900 };
        char text[4 * 24 + 1];
        size_t n = 0, m_out;
        for (uint32_t k = 1 + test_random(&rng) % 24; k;) {
            uint32_t c = test_random(&rng) % 2 ? often[test_random(&rng) % R1_COUNT(often)] : 1 + test_random(&rng) % 0x3100;
            if (!(classes[c] & R1_CLASS_NFC) && utf8proc_get_property((int32_t)c)->combining_class) continue; /* newer than the reference's NFC */
            if (c == 0x11A7) continue; /* utf8proc 2.8 swallows it after a Hangul syllable; no composition has it */
            n += (size_t)r1_utf8_encode(c, text + n);
            k--;
        }
        text[n] = 0;
        const char *out;
        r1_error e = { 0 };
        EXPECT_OK(r1_nfc(classes, text, n, &buf, &out, &m_out, &e), &e);
        utf8proc_uint8_t *want = utf8proc_NFC((const utf8proc_uint8_t *)text);
        EXPECT(want != NULL);
        bool same = m_out == strlen((char *)want) && !memcmp(out, want, m_out);
        if (!same) printf("seed %llu round %d: '%s' gave '%.*s'\n", (unsigned long long)test_seed(), round, text, (int)m_out, out);
        free(want);
        EXPECT(same);
    }
    r1_buf_deinit(&buf);
    free(classes);
}

/* ---- hostile texts --------------------------------------------------------------------------------------------- */

static uint64_t work_of(const r1_tokenizer *t, const char *text, size_t n)
{
    r1_bpe w = { 0 };
    r1_ids ids = { 0 };
    r1_error e = { 0 };
    EXPECT_OK(r1_tokenizer_encode_with(&w, t, (r1_slice){ text, n }, R1_SPECIAL_ALL, &ids, &e), &e);
    uint64_t work = w.work;
    r1_bpe_deinit(&w);
    r1_ids_deinit(&ids);
    return work;
}

/* Ten times the text may cost little more than ten times the steps; a quadratic one costs a hundred times. */
TEST(hostile_texts_take_n_log_n_steps)
{
    static const char *const pres[] = { "deepseek-v3", "llama-bpe", "smollm", "gpt-2" };
    static const char *const patterns[] = { "a", " ", "ab", "\n", " \n", "'", "\xE4\xB8\xAD", "\xCC\x81", "\xFF", "1", "<", "a " };
    enum { N = 1 << 20 };
    char *text = malloc(N);
    EXPECT(text != NULL);
    for (size_t k = 0; k < R1_COUNT(pres); k++) {
        begin(&m, pres[k]);
        static const char *const doubled[] = { "a", " ", "ab", "'", "\xFF" };
        add_merge(&m, "a", "b");
        for (size_t d = 0; d < R1_COUNT(doubled); d++) {
            char s[128];
            snprintf(s, sizeof s, "%s", doubled[d]);
            for (int i = 0; i < 5; i++) {
                add_merge(&m, s, s);
                size_t n = strlen(s);
                memmove(s + n, s, n);
                s[2 * n] = 0;
            }
        }
        add_raw(&m, "<<<<<<<<<<x", R1_TOKEN_CONTROL);
        r1_tokenizer *t = made(&m);
        for (size_t p = 0; p < R1_COUNT(patterns); p++) {
            size_t len = strlen(patterns[p]);
            size_t n = k ? N / 8 : N;
            for (size_t i = 0; i < n; i++) text[i] = patterns[p][i % len];
            uint64_t small = work_of(t, text, n / 10), large = work_of(t, text, n);
            if (large > 14 * small + 1000) fail_msg("%s, '%s': %llu steps, ten times the text %llu", pres[k], patterns[p], (unsigned long long)small, (unsigned long long)large);
        }
        r1_tokenizer_free(t);
    }
    free(text);
}

TEST(a_megabyte_of_marks_is_normalised)
{
    enum { N = 1 << 20 };
    uint8_t *classes = r1_unicode_table();
    char *text = malloc(N + 1);
    EXPECT(classes && text);
    text[0] = 'a';
    for (size_t i = 0; i < N / 4; i++) memcpy(text + 1 + 4 * i, i % 2 ? "\xCC\xA3\xCC\x82" : "\xCC\x81\xCC\xA3", 4); /* classes 230 and 220 in turn */
    r1_buf buf;
    const char *out;
    size_t n;
    r1_error e = { 0 };
    r1_buf_init(&buf, 4u << 20);
    EXPECT_OK(r1_nfc(classes, text, N + 1, &buf, &out, &n, &e), &e);
    EXPECT(n > N / 2 && !memcmp(out, "\xE1\xBA\xA1\xCC\xA3", 5)); /* a with dot below, then the other dots */
    r1_buf_deinit(&buf);
    free(text);
    free(classes);
}

/* ---- the public function ---------------------------------------------------------------------------------------- */

TEST(tokenize_counts_and_adds_bos)
{
    begin(&m, "gpt-2");
    m.bos = add_raw(&m, "<s>", R1_TOKEN_CONTROL);
    m.add_bos = true;
    r1_tokenizer *t = made(&m);
    int32_t ids[4];
    size_t n;
    r1_error e = { 0 };
    EXPECT_OK(r1_tokenize(t, "ab", 2, R1_SPECIAL_NONE, true, ids, 4, &n, &e), &e);
    EXPECT(n == 3 && ids[0] == m.bos && ids[1] == 'a' && ids[2] == 'b');
    EXPECT_OK(r1_tokenize(t, "ab", 2, R1_SPECIAL_NONE, false, ids, 2, &n, &e), &e);
    EXPECT_INT(n, 2);
    EXPECT_STATUS(r1_tokenize(t, "ab", 2, R1_SPECIAL_NONE, false, NULL, 0, &n, &e), R1_ELIMIT);
    EXPECT_INT(n, 2);
    EXPECT_OK(r1_tokenize(t, "", 0, R1_SPECIAL_NONE, false, NULL, 0, &n, &e), &e);
    EXPECT_INT(n, 0);
    EXPECT_STATUS(r1_tokenize(t, "ab", R1_TEXT_MAX + 1, R1_SPECIAL_NONE, false, ids, 4, &n, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "1073741824");
    EXPECT_NULL(r1_token_bytes(t, -1, &n));
    EXPECT_NULL(r1_token_bytes(t, r1_tokenizer_size(t), &n));
    EXPECT_INT(n, 0);
    EXPECT(!r1_token_is_eog(t, -1) && !r1_token_is_eog(t, 'a'));
    EXPECT_OK(r1_tokenizer_add_eog(t, 'a', &e), &e);
    EXPECT(r1_token_is_eog(t, 'a'));
    EXPECT_STATUS(r1_tokenizer_add_eog(t, r1_tokenizer_size(t), &e), R1_EINVAL);
    r1_tokenizer_free(t);
    m.add_bos = false; /* the model's own rules count */
    t = made(&m);
    EXPECT_OK(r1_tokenize(t, "ab", 2, R1_SPECIAL_NONE, true, ids, 4, &n, &e), &e);
    EXPECT_INT(n, 2);
    r1_tokenizer_free(t);
    r1_tokenizer_free(NULL);
}

TEST(ends_of_generation)
{
    begin(&m, "gpt-2");
    m.eos = add_raw(&m, "<|e|>", R1_TOKEN_CONTROL);
    m.eot = add_raw(&m, "<|t|>", R1_TOKEN_CONTROL);
    int32_t named = add_raw(&m, "<|im_end|>", R1_TOKEN_CONTROL), plain = add_raw(&m, "<|EOT|>", R1_TOKEN_USER_DEFINED);
    r1_tokenizer *t = made(&m);
    EXPECT_INT(r1_tokenizer_eos(t), m.eos);
    EXPECT(r1_token_is_eog(t, m.eos) && r1_token_is_eog(t, m.eot) && r1_token_is_eog(t, named) && !r1_token_is_eog(t, plain));
    r1_tokenizer_free(t);
}

/* ---- streams --------------------------------------------------------------------------------------------------- */

/* What a stream has sent after all of p[0..n), in pieces of `step` bytes, and at the end. */
static size_t stream(const char *p, size_t n, size_t step, bool end, char *out)
{
    r1_detok d = { 0 };
    r1_buf b;
    r1_error e = { 0 };
    r1_buf_init(&b, 4096);
    for (size_t i = 0; i < n; i += step) {
        EXPECT_OK(r1_detok_bytes(&d, p + i, r1_min(step, n - i), &b, &e), &e);
        EXPECT(d.n_held <= 3 && r1_utf8_is_valid(b.data ? b.data : "", b.len, NULL));
    }
    if (end) EXPECT_OK(r1_detok_end(&d, &b, &e), &e);
    size_t len = b.len;
    if (len) memcpy(out, b.data, len);
    r1_buf_deinit(&b);
    return len;
}

/* Python's bytes.decode(errors="replace"), written down by itself. */
static size_t lossy(const char *p, size_t n, char *out)
{
    size_t k = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        int len = r1_utf8_decode(p + i, n - i, &cp);
        memcpy(out + k, len > 0 ? p + i : "\xEF\xBF\xBD", len > 0 ? (size_t)len : 3);
        k += len > 0 ? (size_t)len : 3;
        i += (size_t)(len > 0 ? len : -len);
    }
    return k;
}

TEST(streams_are_the_same_in_any_pieces)
{
    uint64_t rng = test_seed();
    for (int round = 0; round < 20000; round++) {
        static const char often[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xED\xA0\x80\xE0\xF4\x90\xC0\xFF";
        char text[32], a[128], b[128];
        size_t n = test_random(&rng) % sizeof text;
        for (size_t i = 0; i < n; i++) text[i] = often[test_random(&rng) % (sizeof often - 1)];
        size_t want = lossy(text, n, a), got = stream(text, n, 1 + test_random(&rng) % 7, true, b);
        EXPECT(want == got && !memcmp(a, b, want));
        EXPECT_INT(stream(text, n, 1, false, a), stream(text, n, n + 1, false, b)); /* held back alike */
    }
}

TEST(a_stream_sends_as_soon_as_it_can)
{
    static const struct { const char *bytes; size_t sent, total; } cases[] = {
        { "\xE2\x82", 0, 3 }, { "\xE2\x82\xAC", 3, 3 }, { "\xE2" "A", 4, 4 }, { "\x80", 3, 3 }, { "\xF0\x9F\x98", 0, 3 }, { "\xC0", 3, 3 },
        { "\xF4\x90", 6, 6 }, { "\xED\xA0", 0, 6 }, { "\xED\xA0\x80", 9, 9 }, { "\xE2\xE2\x82", 3, 6 }, { "a\xF0", 1, 4 },
    };
    char out[32];
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        EXPECT_INT(stream(cases[i].bytes, strlen(cases[i].bytes), 1, false, out), cases[i].sent);
        EXPECT_INT(stream(cases[i].bytes, strlen(cases[i].bytes), 9, false, out), cases[i].sent);
        EXPECT_INT(stream(cases[i].bytes, strlen(cases[i].bytes), 1, true, out), cases[i].total);
    }
}

TEST(a_stream_of_tokens)
{
    begin(&m, "gpt-2");
    r1_tokenizer *t = made(&m);
    r1_detok d = { 0 };
    r1_buf b;
    r1_error e = { 0 };
    r1_buf_init(&b, 64);
    EXPECT_OK(r1_detok_token(&d, t, 0xC3, &b, &e), &e);
    EXPECT_INT(b.len, 0);
    EXPECT_OK(r1_detok_token(&d, t, 9999, &b, &e), &e);
    EXPECT_OK(r1_detok_token(&d, t, 0xA9, &b, &e), &e);
    EXPECT_STR(b.data, "\xC3\xA9");
    r1_buf_deinit(&b);
    r1_tokenizer_free(t);
}

/* ---- files that are wrong --------------------------------------------------------------------------------------- */

static void refused(r1_status want, const char *what)
{
    r1_error e = { 0 };
    r1_tokenizer *t = (r1_tokenizer *)&e;
    r1_status s = finish(&m, &t, &e);
    if (s != want) fail_msg("expected status %d and '%s', got %d: %s", (int)want, what, (int)s, e.msg);
    EXPECT_CONTAINS(e.msg, what);
    EXPECT_NULL(t);
}

TEST(merges_of_unknown_tokens_are_left_out)
{
    begin(&m, "gpt-2");
    add_merge_text(&m, "a b");  /* makes "ab", which is no token */
    add_merge_text(&m, "ab c"); /* begins with it */
    add_merge_text(&m, "a bc"); /* ends with one */
    add_merge(&m, "b", "c");
    r1_tokenizer *t = made(&m);
    EXPECT_STR(ENCODED(t, "abc", R1_SPECIAL_NONE), "97 256");
    r1_tokenizer_free(t);
}

TEST(wrong_vocabularies_are_named)
{
    begin(&m, "gpt-2");
    add_bytes(&m, "a", 1);
    refused(R1_EFORMAT, "tokens 97 and 256 are both 'a'");
    begin(&m, "gpt-2");
    add_merge_text(&m, "ab");
    refused(R1_EFORMAT, "merge 0 is 'ab'");
    begin(&m, "gpt-2");
    add_merge_text(&m, "a b c");
    refused(R1_EFORMAT, "one space");
    begin(&m, "gpt-2");
    add_merge_text(&m, "a \xEF\xBC\x9C");
    refused(R1_EFORMAT, "byte alphabet");
    begin(&m, "gpt-2");
    add_merge(&m, "a", "b");
    add_merge(&m, "a", "b");
    refused(R1_EFORMAT, "merges 0 and 1 are the same");
    begin(&m, "gpt-2");
    add_raw(&m, "<s>", R1_TOKEN_CONTROL);
    add_raw(&m, "<s>", R1_TOKEN_CONTROL);
    refused(R1_EFORMAT, "added tokens 256 and 257 are both '<s>'");
    begin(&m, "gpt-2");
    add_raw(&m, "", R1_TOKEN_CONTROL);
    refused(R1_EFORMAT, "added token 256 is empty");
    begin(&m, "gpt-2");
    m.types[5] = 7;
    refused(R1_EFORMAT, "token 5 has type 7");
    begin(&m, "gpt-2");
    m.bos = 256;
    refused(R1_EFORMAT, "BOS token is 256");
    begin(&m, "gpt-2");
    m.eos = -2;
    refused(R1_EFORMAT, "EOS token is -2");
    begin(&m, "gpt-2");
    m.eot = 1000;
    refused(R1_EFORMAT, "end-of-turn token is 1000");
    begin(&m, "tekken");
    refused(R1_EUNSUPPORTED, "'tekken', expected one of deepseek-v3");
    begin(&m, NULL);
    refused(R1_EUNSUPPORTED, "(none)");
    begin(&m, "gpt-2");
    m.n_tokens = 0;
    refused(R1_EFORMAT, "0 tokens");
}

TEST(sizes_are_limited)
{
    begin(&m, "gpt-2");
    char *big = malloc(R1_TOKEN_BYTES_MAX + 1);
    EXPECT(big != NULL);
    memset(big, 'a', R1_TOKEN_BYTES_MAX + 1);
    m.tokens[m.n_tokens] = (r1_slice){ big, R1_TOKEN_BYTES_MAX + 1 };
    m.types[m.n_tokens++] = R1_TOKEN_NORMAL;
    refused(R1_EFORMAT, "token 256 has 65537 bytes");
    m.tokens[256].n = R1_ADDED_BYTES_MAX + 1;
    m.types[256] = R1_TOKEN_CONTROL;
    refused(R1_EUNSUPPORTED, "added token 256 has 1025 bytes");
    m.tokens[256].n = R1_TOKEN_BYTES_MAX;
    m.types[256] = R1_TOKEN_NORMAL;
    r1_tokenizer_free(made(&m));
    free(big);
    r1_slice *many = calloc(R1_TOKENS_MAX + 1, sizeof *many);
    EXPECT(many != NULL);
    r1_vocab v = { .tokens = many, .n_tokens = R1_TOKENS_MAX + 1, .pre = "gpt-2", .bos = -1, .eos = -1, .eot = -1, .pad = -1 };
    r1_tokenizer *t;
    r1_error e = { 0 };
    EXPECT_STATUS(r1_tokenizer_from_vocab(&t, &v, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "1048577");
    free(many);
}

/* ---- tokenizer.json --------------------------------------------------------------------------------------------- */

#define PRE "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}"
#define MODEL "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}"
#define ADDED "\"added_tokens\":[{\"id\":5,\"content\":\"<s>\",\"special\":true},{\"id\":4,\"content\":\"<t>\",\"special\":false},{\"id\":6,\"content\":\"<e>\",\"special\":true}]"

static r1_status parse3(const char *json, const char *config, const char *generation, r1_tokenizer **t, r1_error *e)
{
    return r1_tokenizer_from_json(t, json, strlen(json), config, config ? strlen(config) : 0, generation, generation ? strlen(generation) : 0, e);
}

TEST(a_small_json)
{
    r1_tokenizer *t;
    r1_error e = { 0 };
    EXPECT_OK(parse3("{" ADDED ",\"pre_tokenizer\":" PRE "," MODEL "}", NULL, NULL, &t, &e), &e);
    EXPECT_INT(r1_tokenizer_size(t), 7);
    EXPECT_STR(r1_tokenizer_pre(t), "gpt-2");
    EXPECT_STR(ENCODED(t, "abb<s>c<t>", R1_SPECIAL_ALL), "2 1 5 4"); /* c has no token */
    size_t n;
    EXPECT_NULL(r1_token_bytes(t, 3, &n));
    EXPECT(!r1_tokenizer_adds_bos(t) && r1_tokenizer_bos(t) == -1 && r1_tokenizer_eos(t) == -1);
    r1_tokenizer_free(t);
    EXPECT_OK(parse3("{\"pre_tokenizer\":" PRE ",\"model\":{\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]]}}", NULL, NULL, &t, &e), &e);
    EXPECT_STR(ENCODED(t, "abb", R1_SPECIAL_ALL), "2 1");
    r1_tokenizer_free(t);
}

TEST(special_tokens_of_the_vocabulary_are_not_made_by_merging)
{
    static const char spelled[] = "{\"added_tokens\":[{\"id\":2,\"content\":\"ab\",\"special\":true}],\"pre_tokenizer\":" PRE
                                  ",\"model\":{\"ignore_merges\":true,\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[%s]}}";
    char json[512];
    r1_tokenizer *t;
    r1_error e = { 0 };
    snprintf(json, sizeof json, spelled, "");
    EXPECT_OK(parse3(json, NULL, NULL, &t, &e), &e);
    EXPECT_STR(ENCODED(t, "ab", R1_SPECIAL_NONE), "0 1");
    EXPECT_STR(ENCODED(t, "ab", R1_SPECIAL_ALL), "2");
    r1_tokenizer_free(t);
    snprintf(json, sizeof json, spelled, "\"a b\"");
    EXPECT_STATUS(parse3(json, NULL, NULL, &t, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "makes an unknown token");
}

TEST(tokens_that_wait_for_normalisation)
{
    r1_tokenizer *t;
    r1_error e = { 0 };
    const char *json = "{\"added_tokens\":[{\"id\":3,\"content\":\"\xC3\xA9\",\"special\":false,\"normalized\":true},{\"id\":4,\"content\":\"e\xCC\x81!\",\"special\":false,\"normalized\":false}],"
                       "\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":" PRE "," MODEL "}";
    EXPECT_OK(parse3(json, NULL, NULL, &t, &e), &e);
    EXPECT_STR(ENCODED(t, "a\xC3\xA9" "e\xCC\x81" "e\xCC\x81!", R1_SPECIAL_ALL), "0 3 3 4");
    EXPECT_INT(r1_tokenizer_find(t, "\xC3\xA9", 2), 3);
    r1_tokenizer_free(t);
}

TEST(beginnings_and_ends_in_configurations)
{
    static const char body[] = "{" ADDED ",\"pre_tokenizer\":" PRE "," MODEL "}";
    static const char templated[] = "{" ADDED ",\"pre_tokenizer\":" PRE "," MODEL ",\"post_processor\":{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"},"
        "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}},{\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[5]}}}]}}";
    static const struct { const char *json, *config, *generation; int bos, eos; bool adds, eog4, eog6; } cases[] = {
        { body, "{\"bos_token\":\"<s>\",\"eos_token\":{\"content\":\"<e>\"},\"add_bos_token\":true}", NULL, 5, 6, true, false, true },
        { body, "{\"bos_token\":\"<s>\",\"add_bos_token\":false}", "{\"eos_token_id\":[4,6],\"bos_token_id\":0}", 5, 4, false, true, true },
        { body, NULL, "{\"eos_token_id\":4,\"bos_token_id\":5}", 5, 4, false, true, false },
        { body, "{\"bos_token\":null,\"eos_token\":null,\"add_bos_token\":true}", "{}", -1, -1, false, false, false },
        { templated, "{\"bos_token\":\"<e>\",\"add_bos_token\":false}", "{\"bos_token_id\":6}", 5, -1, true, false, false },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_tokenizer *t;
        r1_error e = { 0 };
        EXPECT_OK(parse3(cases[i].json, cases[i].config, cases[i].generation, &t, &e), &e);
        EXPECT_INT(r1_tokenizer_bos(t), cases[i].bos);
        EXPECT_INT(r1_tokenizer_eos(t), cases[i].eos);
        EXPECT_INT(r1_tokenizer_adds_bos(t), cases[i].adds);
        EXPECT_INT(r1_token_is_eog(t, 4), cases[i].eog4);
        EXPECT_INT(r1_token_is_eog(t, 6), cases[i].eog6);
        r1_tokenizer_free(t);
    }
}

TEST(wrong_jsons_are_named)
{
#define WITH(pre, more) "{\"pre_tokenizer\":" pre more "," MODEL "}"
#define M(x) "{\"pre_tokenizer\":" PRE ",\"model\":" x "}"
#define SPLIT(pattern, rest) "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":" pattern rest "}," PRE "]}"
#define TEMPLATE(single) WITH(PRE, ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":" single ",\"special_tokens\":{\"a\":{\"ids\":[0]},\"b\":{\"ids\":[0,1]}}}")
    static const struct { const char *json, *what; r1_status status; } cases[] = {
        { "", "tokenizer.json", R1_EFORMAT }, { "[]", "an array", R1_EFORMAT }, { "{}", "'model' is nothing", R1_EFORMAT },
        { M("{\"type\":\"Unigram\"}"), "'Unigram', expected 'BPE'", R1_EUNSUPPORTED },
        { M("{\"vocab\":[],\"merges\":[]}"), "'vocab' is an array", R1_EFORMAT }, { M("{\"vocab\":{\"a\":0}}"), "'merges' is nothing", R1_EFORMAT },
        { M("{\"vocab\":{},\"merges\":[]}"), "empty", R1_EFORMAT }, { M("{\"vocab\":{\"a\":-1},\"merges\":[]}"), "has id -1", R1_EFORMAT },
        { M("{\"vocab\":{\"a\":1048576},\"merges\":[]}"), "has id 1048576", R1_EFORMAT }, { M("{\"vocab\":{\"a\":\"x\"},\"merges\":[]}"), "is a string", R1_EFORMAT },
        { M("{\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}"), "both have id 0", R1_EFORMAT }, { M("{\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}"), "tokenizer.json", R1_EFORMAT },
        { M("{\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}"), "merge 0 ('a' 'b')", R1_EFORMAT }, { M("{\"vocab\":{\"a\":0},\"merges\":[3]}"), "merge 0 is an integer", R1_EFORMAT },
        { M("{\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]}"), "merge 0", R1_EFORMAT }, { M("{\"vocab\":{\"a\":0},\"merges\":[[\"a\",\"\"]]}"), "merge 0", R1_EFORMAT },
        { M("{\"vocab\":{\"a\":0},\"merges\":[],\"byte_fallback\":true}"), "byte_fallback", R1_EUNSUPPORTED }, { M("{\"vocab\":{\"a\":0},\"merges\":[],\"dropout\":0.1}"), "dropout", R1_EUNSUPPORTED },
        { M("{\"vocab\":{\"a\":0},\"merges\":[],\"unk_token\":\"a\"}"), "unk_token", R1_EUNSUPPORTED },
        { M("{\"vocab\":{\"a\":0},\"merges\":[],\"end_of_word_suffix\":\"</w>\"}"), "'</w>'", R1_EUNSUPPORTED },
        { WITH("{\"type\":\"Metaspace\"}", ""), "'Metaspace', expected Split", R1_EUNSUPPORTED }, { WITH("null", ""), "no ByteLevel", R1_EUNSUPPORTED },
        { WITH("{\"type\":\"ByteLevel\"}", ""), "add_prefix_space", R1_EUNSUPPORTED },
        { WITH("{\"type\":\"Sequence\",\"pretokenizers\":[" PRE "," PRE "]}", ""), "after ByteLevel", R1_EUNSUPPORTED },
        { WITH("{\"type\":\"Sequence\"}", ""), "'pretokenizers' is nothing", R1_EFORMAT },
        { WITH(SPLIT("{\"Regex\":\"a\"}", ",\"behavior\":\"Removed\""), ""), "'Removed', expected 'Isolated'", R1_EUNSUPPORTED },
        { WITH(SPLIT("{\"Regex\":\"a\"}", ",\"behavior\":\"Isolated\",\"invert\":true"), ""), "invert", R1_EUNSUPPORTED },
        { WITH(SPLIT("{\"Regex\":\"(\"}", ",\"behavior\":\"Isolated\""), ""), "'('", R1_EFORMAT }, { WITH(SPLIT("3", ",\"behavior\":\"Isolated\""), ""), "pattern", R1_EFORMAT },
        { WITH(PRE, ",\"normalizer\":{\"type\":\"NFKC\"}"), "'NFKC', expected NFC", R1_EUNSUPPORTED }, { WITH(PRE, ",\"decoder\":{\"type\":\"WordPiece\"}"), "'WordPiece'", R1_EUNSUPPORTED },
        { WITH(PRE, ",\"post_processor\":{\"type\":\"BertProcessing\"}"), "'BertProcessing'", R1_EUNSUPPORTED },
        { TEMPLATE("[{\"Sequence\":{}},{\"SpecialToken\":{\"id\":\"a\"}}]"), "adds 'a'", R1_EUNSUPPORTED }, { TEMPLATE("[{\"SpecialToken\":{\"id\":\"b\"}}]"), "2 ids", R1_EFORMAT },
        { WITH(PRE, ",\"added_tokens\":3"), "'added_tokens' is an integer", R1_EFORMAT },
        { WITH(PRE, ",\"added_tokens\":[{\"id\":9,\"content\":\"x\",\"lstrip\":true}]"), "'x' has lstrip", R1_EUNSUPPORTED },
        { WITH(PRE, ",\"added_tokens\":[{\"id\":9,\"content\":\"x\",\"single_word\":true}]"), "'x' has single_word", R1_EUNSUPPORTED },
        { WITH(PRE, ",\"added_tokens\":[{\"id\":0,\"content\":\"x\"}]"), "which is 'a'", R1_EFORMAT }, { WITH(PRE, ",\"added_tokens\":[{\"id\":9}]"), "'content' is missing", R1_EFORMAT },
        { WITH(PRE, ",\"added_tokens\":[{\"id\":9,\"content\":\"x\"},{\"id\":9,\"content\":\"x\"}]"), "there twice", R1_EFORMAT },
        { WITH(PRE, ",\"added_tokens\":[{\"content\":\"x\"}]"), "nothing", R1_EFORMAT },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_error e = { 0 };
        r1_tokenizer *t = (r1_tokenizer *)&e;
        r1_status s = parse3(cases[i].json, NULL, NULL, &t, &e);
        if (s != cases[i].status) fail_msg("%s gave status %d: %s", cases[i].json, (int)s, e.msg);
        EXPECT_CONTAINS(e.msg, cases[i].what);
        EXPECT_NULL(t);
    }
}

TEST(wrong_configurations_are_named)
{
    static const char body[] = "{" ADDED ",\"pre_tokenizer\":" PRE "," MODEL "}";
    static const struct { const char *config, *generation, *what; } cases[] = {
        { "x", NULL, "tokenizer_config.json" }, { NULL, "[]", "generation_config.json" }, { "{\"bos_token\":3}", NULL, "'bos_token'" },
        { "{\"eos_token\":\"nowhere\"}", NULL, "'nowhere'" }, { NULL, "{\"eos_token_id\":-4}", "-4" }, { NULL, "{\"bos_token_id\":1000}", "BOS token is 1000" },
        { "{\"add_bos_token\":3}", NULL, "'add_bos_token'" },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_error e = { 0 };
        r1_tokenizer *t;
        EXPECT_STATUS(parse3(body, cases[i].config, cases[i].generation, &t, &e), R1_EFORMAT);
        EXPECT_CONTAINS(e.msg, cases[i].what);
        EXPECT_NULL(t);
    }
    r1_error e = { 0 };
    r1_tokenizer *t;
    EXPECT_STATUS(parse3(body, NULL, "{\"eos_token_id\":[4,1000]}", &t, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "1000");
    EXPECT_NULL(t);
}
