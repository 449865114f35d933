/* The hand-written splitters against the same rules run by PCRE2, the class table against utf8proc, and what is refused. */
#include "base/utf8.h"
#include "tests/test.h"
#include "text/pretok.h"

#include <utf8proc.h>

#define WORDS(digits) "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define DEEPSEEK "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const struct { r1_pretok_kind kind; const char *name; const char *steps[3]; } rules[] = {
    { R1_PRETOK_DEEPSEEK_V3, "deepseek-v3", { "\\p{N}{1,3}", "[\\u4E00-\\u9FA5\\u3040-\\u309F\\u30A0-\\u30FF]+", DEEPSEEK } },
    { R1_PRETOK_QWEN2, "qwen2", { WORDS("\\p{N}") } },
    { R1_PRETOK_LLAMA3, "llama-bpe", { WORDS("\\p{N}{1,3}") } },
    { R1_PRETOK_GPT2, "gpt-2", { GPT2 } },
    { R1_PRETOK_SMOLLM, "smollm", { "\\p{N}", GPT2 } },
};

static r1_pretok *family(r1_pretok_kind kind)
{
    r1_pretok *p;
    r1_error e = { 0 };
    EXPECT_OK(r1_pretok_new(&p, kind, &e), &e);
    return p;
}

static r1_pretok *steps(const char *const *patterns, size_t n)
{
    r1_error e = { 0 };
    r1_pretok *p = family(R1_PRETOK_STEPS);
    for (size_t i = 0; i < n && patterns[i]; i++) EXPECT_OK(r1_pretok_add_regex(p, patterns[i], strlen(patterns[i]), &e), &e);
    return p;
}

/* The pieces joined by '|'. */
static const char *shown(const r1_pretok *p, const char *text)
{
    static char out[512];
    uint32_t *ends;
    size_t n, from = 0, at = 0;
    r1_error e = { 0 };
    EXPECT_OK(r1_pretok_split(p, text, strlen(text), &ends, &n, &e), &e);
    for (size_t i = 0; i < n; i++) {
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%.*s", i ? "|" : "", (int)(ends[i] - from), text + from);
        from = ends[i];
    }
    EXPECT_INT(from, strlen(text));
    free(ends);
    return out;
}

#define N_POOL 0x20000

/* Which code points this PCRE2 knows; ours is the table of a certain Unicode version, PCRE2's may be older or newer. */
static void find_known(bool *known)
{
    static const char *const unassigned[] = { "\\p{Cn}" };
    r1_pretok *p = steps(unassigned, 1);
    char *text = malloc(5 * N_POOL);
    uint32_t *ends, *start = malloc(N_POOL * sizeof *start);
    size_t n = 0, n_ends, k = 0;
    r1_error e = { 0 };
    EXPECT(text && start);
    for (uint32_t c = 0; c < N_POOL; c++) { /* a letter before each one */
        text[n++] = 'a';
        start[c] = (uint32_t)n;
        if (c < 0xD800 || c > 0xDFFF) n += (size_t)r1_utf8_encode(c, text + n);
    }
    EXPECT_OK(r1_pretok_split(p, text, n, &ends, &n_ends, &e), &e);
    uint8_t *ours = r1_unicode_table();
    EXPECT(ours != NULL);
    for (uint32_t c = 0; c < N_POOL; c++) {
        while (k < n_ends && ends[k] < start[c]) k++;
        known[c] = (c < 0xD800 || c > 0xDFFF) && !(k < n_ends && ends[k] == start[c]) && (c < 0x80 || (ours[c] & 63));
    }
    free(ours);
    free(ends);
    free(start);
    free(text);
    r1_pretok_free(p);
}

/* Characters that rules tell apart, often; any other one, sometimes. */
static uint32_t random_character(uint64_t *state, const bool *known)
{
    static const uint32_t often[] = { ' ', ' ', ' ', '\n', '\r', '\t', 'a', 'b', 'Z', 's', 'S', 't', 'r', 'e', 'E', 'v', 'l', 'L', 'm', 'd', '\'', '\'', '.', '!',
                                      '_', '(', '1', '2', '9', 0, 0x1F, 0x7F, 0x85, 0xA0, 0xAD, 0xB2, 0xE9, 0x17F, 0x301, 0x300, 0x660, 0x180E, 0x200B, 0x2009,
                                      0x2028, 0x2160, 0x3000, 0x3007, 0x3040, 0x3097, 0x309A, 0x309B, 0x30A0, 0x3042, 0x30FB, 0x30FC, 0x4E00, 0x9FA5, 0x9FA6,
                                      0xAC00, 0xFEFF, 0xFF01, 0xE000, 0x1F600, 0x10FFFF };
    if (test_random(state) % 4) return often[test_random(state) % R1_COUNT(often)];
    uint32_t c;
    do c = test_random(state) % (test_random(state) % 2 ? 0x3100 : N_POOL);
    while (!known[c]);
    return c;
}

static size_t random_text(uint64_t *state, const bool *known, char *out, size_t n_chars)
{
    size_t n = 0;
    for (size_t i = 0; i < n_chars; i++) n += (size_t)r1_utf8_encode(random_character(state, known), out + n);
    return n;
}

TEST(splitters_by_hand_equal_pcre2)
{
    uint64_t rng = test_seed();
    static bool known[N_POOL];
    r1_error e = { 0 };
    find_known(known);
    for (size_t r = 0; r < R1_COUNT(rules); r++) {
        r1_pretok *hand = family(rules[r].kind), *general = steps(rules[r].steps, 3);
        for (int round = 0; round < 4000; round++) {
            char text[4 * 64];
            uint32_t *a, *b;
            size_t n = random_text(&rng, known, text, test_random(&rng) % 64), na, nb;
            EXPECT_OK(r1_pretok_split(hand, text, n, &a, &na, &e), &e);
            EXPECT_OK(r1_pretok_split(general, text, n, &b, &nb, &e), &e);
            bool same = na == nb && (!na || !memcmp(a, b, na * sizeof *a));
            if (!same) {
                printf("%s, seed %llu, round %d:", rules[r].name, (unsigned long long)test_seed(), round);
                for (size_t i = 0; i < n; i++) printf(" %02x", (unsigned char)text[i]);
                printf("\n by hand:");
                for (size_t i = 0; i < na; i++) printf(" %u", a[i]);
                printf("\n PCRE2:  ");
                for (size_t i = 0; i < nb; i++) printf(" %u", b[i]);
                printf("\n");
            }
            free(a);
            free(b);
            EXPECT(same);
        }
        r1_pretok_free(hand);
        r1_pretok_free(general);
    }
}

TEST(classes_are_those_of_utf8proc)
{
    static const uint8_t of_category[] = { 0, 1, 1, 1, 1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0 };
    uint8_t *t = r1_unicode_table();
    EXPECT(t != NULL);
    bool newer = atoi(utf8proc_unicode_version()) > 16;
    size_t compared = 0;
    for (int32_t c = 0; c < 0x110000; c++) {
        utf8proc_category_t k = utf8proc_category(c);
        if (k == UTF8PROC_CATEGORY_CN || (newer && !(t[c] & 31))) continue;
        if ((t[c] & 31) != of_category[k]) fail_msg("U+%04X has class %d, utf8proc says %s", (unsigned)c, t[c], utf8proc_category_string(c));
        compared++;
    }
    EXPECT(compared > 200000);
    static const uint32_t white[] = { 9, 10, 11, 12, 13, 32, 0x85, 0xA0, 0x1680, 0x2000, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000 };
    size_t n = 0;
    for (size_t i = 0; i < R1_COUNT(white); i++) EXPECT(t[white[i]] & R1_CLASS_SPACE);
    for (size_t c = 0; c < 0x110000; c++) n += (t[c] & R1_CLASS_SPACE) != 0;
    EXPECT_INT(n, 25);
    free(t);
}

TEST(pieces_of_each_family)
{
    r1_pretok *p = family(R1_PRETOK_DEEPSEEK_V3);
    EXPECT_STR(shown(p, "a 12345 b"), "a| |123|45| b");
    EXPECT_STR(shown(p, "x\xE4\xB8\xAD\xE3\x81\x82\xE3\x83\xBB!.abc"), "x|\xE4\xB8\xAD\xE3\x81\x82|\xE3\x83\xBB|!.|abc");
    EXPECT_STR(shown(p, "\x01\x02\x03" "a"), "\x01\x02|\x03" "a");
    r1_pretok_free(p);
    p = family(R1_PRETOK_QWEN2);
    EXPECT_STR(shown(p, "it'S 12  x\n\n y"), "it|'S| |1|2| | x|\n\n| y");
    EXPECT_STR(shown(p, "a'\xC5\xBF" "b"), "a|'\xC5\xBF|b");
    EXPECT_STR(shown(p, "a\xE1\xA0\x8E" "b"), "a|\xE1\xA0\x8E" "b");
    r1_pretok_free(p);
    p = family(R1_PRETOK_LLAMA3);
    EXPECT_STR(shown(p, "1234 !?\nx  "), "123|4| !?\n|x|  ");
    r1_pretok_free(p);
    p = family(R1_PRETOK_SMOLLM);
    EXPECT_STR(shown(p, "it'S 12  x"), "it|'|S| |1|2| | x");
    r1_pretok_free(p);
}

TEST(families_are_recognised_in_files)
{
    r1_error e = { 0 };
    for (size_t r = 0; r < 3; r++) {
        const char *spelled[3];
        memcpy(spelled, rules[r].steps, sizeof spelled);
        if (spelled[1]) spelled[1] = "[\xE4\xB8\x80-\xE9\xBE\xA5\xE3\x81\x80-\xE3\x82\x9F\xE3\x82\xA0-\xE3\x83\xBF]+"; /* as files write it */
        r1_pretok *p = steps(spelled, 3);
        r1_pretok_finish(p);
        EXPECT_STR(r1_pretok_name(p), rules[r].name);
        r1_pretok_free(p);
    }
    const char *almost[] = { WORDS("\\p{N}{1,2}") };
    r1_pretok *p = steps(almost, 1);
    r1_pretok_finish(p);
    EXPECT_STR(r1_pretok_name(p), "steps");
    r1_pretok_free(p);
    p = family(R1_PRETOK_STEPS);
    EXPECT_OK(r1_pretok_add_digits(p, true, &e), &e);
    EXPECT_OK(r1_pretok_add_gpt2(p, &e), &e);
    r1_pretok_finish(p);
    EXPECT_STR(r1_pretok_name(p), "smollm");
    EXPECT_STR(shown(p, "a12 b"), "a|1|2| b");
    r1_pretok_free(p);
}

TEST(general_steps)
{
    r1_error e = { 0 };
    r1_pretok *p = family(R1_PRETOK_STEPS);
    EXPECT_OK(r1_pretok_add_literal(p, "--", 2, &e), &e);
    EXPECT_OK(r1_pretok_add_digits(p, false, &e), &e);
    EXPECT_STR(shown(p, "a---b12c--"), "a|--|-b|12|c|--");
    EXPECT_STATUS(r1_pretok_add_literal(p, "", 0, &e), R1_EFORMAT);
    r1_pretok_free(p);
    static const char *const lines[] = { "\\s+$", "^b" }; /* Ruby's $ and ^ are at every line */
    p = steps(lines, 1);
    EXPECT_STR(shown(p, "a \nb  "), "a| |\nb|  ");
    r1_pretok_free(p);
    p = steps(lines + 1, 1);
    EXPECT_STR(shown(p, "a\nb"), "a\n|b");
    r1_pretok_free(p);
    static const char *const white[] = { "\\s+|\\S" };
    p = steps(white, 1);
    EXPECT_STR(shown(p, "\xC2\x85\xE1\xA0\x8E \xE3\x80\x80z"), "\xC2\x85|\xE1\xA0\x8E| \xE3\x80\x80|z");
    r1_pretok_free(p);
    static const char *const empty[] = { "x*" }; /* an empty match cuts nothing */
    p = steps(empty, 1);
    EXPECT_STR(shown(p, "ab\xC3\xA9xxc"), "ab\xC3\xA9|xx|c");
    r1_pretok_free(p);
}

TEST(trailing_space_is_what_pcre2_finds)
{
    static const char *const by_hand[] = { "\\s+$" }, *const pcre2[] = { "(?:\\s+$)" };
    static const char often[] = " \n\r\ta ";
    uint64_t rng = test_seed();
    r1_pretok *a = steps(by_hand, 1), *b = steps(pcre2, 1);
    r1_error e = { 0 };
    for (int round = 0; round < 20000; round++) {
        char text[24];
        uint32_t *x, *y;
        size_t n = test_random(&rng) % sizeof text, nx, ny;
        for (size_t i = 0; i < n; i++) text[i] = often[test_random(&rng) % (sizeof often - 1)];
        EXPECT_OK(r1_pretok_split(a, text, n, &x, &nx, &e), &e);
        EXPECT_OK(r1_pretok_split(b, text, n, &y, &ny, &e), &e);
        bool same = nx == ny && (!nx || !memcmp(x, y, nx * sizeof *x));
        free(x);
        free(y);
        EXPECT(same);
    }
    r1_pretok_free(a);
    r1_pretok_free(b);
}

TEST(pieces_of_deepseek_v2)
{
    r1_error e = { 0 };
    r1_pretok *p = family(R1_PRETOK_STEPS);
    EXPECT_OK(r1_pretok_add_deepseek_llm(p, &e), &e);
    r1_pretok_finish(p);
    EXPECT_STR(r1_pretok_name(p), "deepseek-llm");
    EXPECT_STR(shown(p, "It's 12  caf\xC3\xA9\n\n (x) \xE4\xB8\xAD\xE6\x96\x87\xEF\xBC\x81 "),
               "It|'|s| |1|2| | caf|\xC3\xA9|\n|\n| (|x|)| |\xE4\xB8\xAD\xE6\x96\x87|\xEF\xBC\x81| ");
    EXPECT_STR(shown(p, "\xCE\xB1\xCE\xB2 \xD0\x96\xF0\x90\x90\x80z"), "\xCE\xB1\xCE\xB2| \xD0\x96\xF0\x90\x90\x80|z");
    enum { N = 300000 };
    char *text = malloc(N); /* spaces that end in a digit: linear */
    uint32_t *ends;
    size_t n;
    EXPECT(text != NULL);
    memset(text, ' ', N);
    text[N - 1] = '1';
    EXPECT_OK(r1_pretok_split(p, text, N, &ends, &n, &e), &e);
    EXPECT(n == 2 && ends[0] == N - 1 && ends[1] == N);
    free(ends);
    free(text);
    r1_pretok_free(p);
}

TEST(what_would_mean_something_else_is_refused)
{
    static const struct { const char *pattern, *what; r1_status status; } bad[] = {
        { "\\w+", "\\w", R1_EUNSUPPORTED }, { "\\ba", "\\b", R1_EUNSUPPORTED }, { "\\h", "\\h", R1_EUNSUPPORTED }, { "(a)\\1", "\\1", R1_EUNSUPPORTED },
        { "[a[b]]", "set inside", R1_EUNSUPPORTED }, { "[a&&b]", "&&", R1_EUNSUPPORTED }, { "(?m:.)", "group", R1_EUNSUPPORTED }, { "(?i)a", "group", R1_EUNSUPPORTED },
        { "(*FAIL)", "verb", R1_EUNSUPPORTED }, { "a{,3}", "{", R1_EUNSUPPORTED }, { "a{1,3}+", "after {n,m}", R1_EUNSUPPORTED }, { "\\pL", "property", R1_EUNSUPPORTED },
        { "\\", "lone", R1_EUNSUPPORTED }, { "\\u12", "short", R1_EUNSUPPORTED }, { "\\u12zz", "four digits", R1_EUNSUPPORTED }, { "[]a]", "empty set", R1_EUNSUPPORTED },
        { "a(", "wrong", R1_EFORMAT }, { "\\p{Nonsense}", "wrong", R1_EFORMAT }, { "\xFF", "UTF-8", R1_EFORMAT }, { "[a", "wrong", R1_EFORMAT },
    };
    r1_pretok *p = family(R1_PRETOK_STEPS);
    for (size_t i = 0; i < R1_COUNT(bad); i++) {
        r1_error e = { 0 };
        r1_status s = r1_pretok_add_regex(p, bad[i].pattern, strlen(bad[i].pattern), &e);
        if (s != bad[i].status) fail_msg("'%s' gave status %d: %s", bad[i].pattern, (int)s, e.msg);
        EXPECT_CONTAINS(e.msg, bad[i].what);
    }
    r1_error e = { 0 };
    for (int i = 0; i < 16; i++) EXPECT_OK(r1_pretok_add_gpt2(p, &e), &e);
    EXPECT_STATUS(r1_pretok_add_gpt2(p, &e), R1_EUNSUPPORTED);
    r1_pretok_free(p);
}

TEST(a_pattern_that_takes_too_long_is_stopped)
{
    static const char *const slow[] = { "(a+a+)+b" };
    r1_pretok *p = steps(slow, 1);
    char text[3000];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = 'c';
    text[0] = 'b'; /* PCRE2 sees at once when a needed letter is nowhere */
    uint32_t *ends;
    size_t n;
    r1_error e = { 0 };
    memcpy(text + 2000, "cb", 2);
    EXPECT_STATUS(r1_pretok_split(p, text, sizeof text, &ends, &n, &e), R1_ELIMIT);
    EXPECT_CONTAINS(e.msg, "(a+a+)+b");
    EXPECT_NULL(ends);
    r1_pretok_free(p);
}
