/* Markdown: what single blocks look like, and that a text shown in pieces ends as the same picture as the whole, which a
 * small terminal in this file tells. */
#include "tests/test.h"
#include "cli/markdown.h"

#include <stdio.h>

static char *render(const char *text, size_t width, bool color)
{
    r1_buf b;
    r1_error err = { 0 };
    r1_buf_init(&b, 1 << 24);
    EXPECT_OK(r1_buf_adds(&b, "", &err), &err);
    EXPECT_OK(r1_markdown_render(text, strlen(text), width, color, &b, &err), &err);
    return r1_buf_take(&b, NULL);
}

static void shows(const char *text, size_t width, const char *want)
{
    char *got = render(text, width, true);
    char *plain = malloc(strlen(got) + 1); /* without styles */
    size_t n = 0;
    for (const char *p = got; *p; p++) {
        if (*p == '\033') {
            while (*p != 'm') p++;
            continue;
        }
        plain[n++] = *p;
    }
    plain[n] = 0;
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", plain);
    free(plain);
    free(got);
    EXPECT_STR(copy, want);
}

TEST(markdown_paragraphs_wrap_at_words)
{
    shows("one two three four five", 10, "one two\nthree four\nfive");
    shows("one\ntwo\n\nthree", 80, "one two\n\nthree");
    shows("a  \nb", 80, "a\nb");
    shows("abcdefghijklmnop", 10, "abcdefghij\nklmnop");
    shows("日本語日本語日本語", 10, "日本語日本\n語日本語");
}

TEST(markdown_blocks)
{
    shows("# Title\ntext", 80, "Title\n\ntext");
    shows("- a\n- b\n  - c\n- d", 80, "• a\n• b\n  ◦ c\n• d");
    shows("text\n\n3. a\n4. b", 80, "text\n\n 3. a\n 4. b");
    shows("- a\n\n- b", 80, "• a\n\n• b");
    shows("- one two three four", 12, "• one two\n  three four");
    shows("> a\n>\n> b", 80, "│ a\n│\n│ b");
    shows("> - a\n> - b", 80, "│ • a\n│ • b");
    shows("- > a", 80, "• │ a");
    shows("```c\nint a;\n\n  b\n```", 80, "  int a;\n\n    b");
    shows("- a\n  ```\n  code\n  ```\n- b", 80, "• a\n\n    code\n• b");
    shows("a\n\n---\n\nb", 80, "a\n\n────────────────────────────────────────\n\nb");
    shows("- [x] done\n- [ ] not", 80, "• [x] done\n• [ ] not");
    shows("<b>raw</b> &amp; &#65; &unknown;", 80, "<b>raw</b> & A &unknown;");
    shows("[here](http://x.y) http://z.w", 80, "here (http://x.y) http://z.w");
}

TEST(markdown_tables)
{
    shows("| a | right |\n|---|--:|\n| long cell | 1 |", 80, "a         │ right\n──────────┼──────\nlong cell │     1");
    shows("| a | b |\n|---|---|\n| one two three | x |", 14, "a          │ b\n───────────┼──\none two    │ x\nthree      │");
}

TEST(markdown_keeps_latex)
{
    shows("\\( x_1 \\) and \\[ \\boxed{42} \\]", 80, "\\( x_1 \\) and \\[ \\boxed{42} \\]");
    shows("$\\{a\\,b\\}$ \\\\ \\* \\_", 80, "$\\{a\\,b\\}$ \\\\ * _");
}

TEST(markdown_styles)
{
    char *s = render("a **b** `c` *d*", 80, true);
    EXPECT_STR(s, "a \033[0;1mb\033[0m \033[0;36mc\033[0m \033[0;3md\033[0m");
    free(s);
    s = render("a **b**", 80, false);
    EXPECT_STR(s, "a b");
    free(s);
}

TEST(markdown_makes_control_characters_visible)
{
    shows("a\033[2Jb\x07\xc2\x9b", 80, "a␛[2Jb␇\xef\xbf\xbd");
    shows("`x\033y`", 80, "x␛y");
}

TEST(markdown_survives_deep_nesting)
{
    char text[4096];
    memset(text, '>', sizeof text - 2);
    text[sizeof text - 2] = 'x';
    text[sizeof text - 1] = 0;
    r1_buf b;
    r1_error err = { 0 };
    r1_buf_init(&b, 1 << 20);
    EXPECT_STATUS(r1_markdown_render(text, strlen(text), 80, true, &b, &err), R1_ELIMIT);
    EXPECT_CONTAINS(err.msg, "nested");
    r1_buf_deinit(&b);
}

/* ---- a terminal ------------------------------------------------------------------------------------------------ */

enum { ROWS = 2000, COLUMNS = 200 };

typedef struct screen {
    char cell[ROWS][COLUMNS][5]; /* "" where nothing was written */
    size_t row, column, last;    /* cursor, last row used */
    size_t height;               /* rows that can still be reached from the bottom */
} screen;

static void erase(screen *s, size_t row, size_t column)
{
    for (size_t r = row; r <= s->last; r++, column = 0)
        for (size_t c = column; c < COLUMNS; c++) s->cell[r][c][0] = 0;
}

static const char *escape(screen *s, const char *p)
{
    EXPECT(p[1] == '[');
    size_t n = 0;
    p += 2;
    while ((*p >= '0' && *p <= '9') || *p == ';') n = *p == ';' ? 0 : n * 10 + (size_t)(*p - '0'), p++;
    if (*p == 'A') {
        EXPECT(n <= s->row);
        EXPECT(s->last - (s->row - n) < s->height); /* else the real cursor would stop at the top edge */
        s->row -= n;
    } else if (*p == 'K') {
        for (size_t c = s->column; c < COLUMNS; c++) s->cell[s->row][c][0] = 0;
    } else if (*p == 'J') {
        erase(s, s->row, s->column);
        s->last = s->row;
    } else {
        EXPECT(*p == 'm');
    }
    return p + 1;
}

static void play(screen *s, const char *p, size_t n)
{
    const char *end = p + n;
    while (p < end) {
        if (*p == '\033') { p = escape(s, p); continue; }
        if (*p == '\r') { s->column = 0; p++; continue; }
        if (*p == '\n') {
            s->column = 0;
            EXPECT(++s->row < ROWS);
            s->last = r1_max(s->last, s->row);
            p++;
            continue;
        }
        size_t len;
        int k = r1_term_columns(p, (size_t)(end - p), &len);
        EXPECT(len >= 1 && len <= 4 && s->column + 2 < COLUMNS);
        memcpy(s->cell[s->row][s->column], p, len);
        s->cell[s->row][s->column][len] = 0;
        s->column += (size_t)(k > 0 ? k : 0);
        p += len;
    }
}

/* What is on the screen, lines without blanks at their ends. */
static char *picture(const screen *s)
{
    r1_buf b;
    r1_buf_init(&b, 1 << 24);
    EXPECT(r1_buf_adds(&b, "", NULL) == R1_OK);
    for (size_t r = 0; r <= s->last; r++) {
        size_t used = COLUMNS;
        while (used > 0 && (s->cell[r][used - 1][0] == 0 || !strcmp(s->cell[r][used - 1], " "))) used--;
        for (size_t c = 0; c < used; c++) EXPECT(r1_buf_adds(&b, s->cell[r][c][0] ? s->cell[r][c] : "", NULL) == R1_OK);
        EXPECT(r1_buf_adds(&b, "\n", NULL) == R1_OK);
    }
    while (b.len && b.data[b.len - 1] == '\n') b.data[--b.len] = 0;
    return r1_buf_take(&b, NULL);
}

static const char *const texts[] = {
    "Just words, many of them, enough to be wrapped once or twice in a narrow window.\n\nAnd **bold words that go on** for a while, `code`, *more*.",
    "# A title\n\nText with a list:\n\n- first item that is long enough to wrap\n- second **item**\n  - inner\n\n- third after a gap\n\nEnd.",
    "1. one\n2. two\n\n```python\ndef f(x):\n    return x\n\n\nprint(f(1))\n```\n\nAfter `code`.\n\n---\n\n> quoted\n> more\n\nlast",
    "| a | b |\n|---|--:|\n| 1 | 2 |\n| a much longer cell | 3 |\n\nThe table ended. 日本語 and ünïcödé.",
    "Heading by underline\n====\n\npara\n- item right after\n- item\n\nThe answer is \\(x = 4\\).\n\n\\[\n\\boxed{42}\n\\]",
    "42", "", "\n\n\nspace before", "- ", "~~~\nopen fence\n\nwith gap", "a *b* **c", "10. ten\n11. eleven\n\n12. twelve",
};

static char *show_in_pieces(const char *text, size_t width, size_t height, uint64_t *seed, screen *s)
{
    char *bytes;
    size_t n;
    FILE *f = open_memstream(&bytes, &n);
    EXPECT(f != NULL);
    r1_term term = { f, true, true };
    r1_markdown m;
    r1_markdown_init(&m, &term);
    m.width = width;
    m.height = height;
    memset(s, 0, sizeof *s);
    s->height = height;
    size_t len = strlen(text);
    for (size_t at = 0; at < len;) {
        size_t k = r1_min(1 + test_random(seed) % 7, len - at);
        while (at + k < len && ((unsigned char)text[at + k] & 0xc0) == 0x80) k++; /* whole characters */
        r1_markdown_add(&m, text + at, k);
        at += k;
    }
    r1_markdown_end(&m);
    fclose(f);
    play(s, bytes, n);
    free(bytes);
    return picture(s);
}

TEST(markdown_in_pieces_ends_as_the_whole)
{
    static screen s;
    uint64_t seed = test_seed();
    for (size_t i = 0; i < R1_COUNT(texts); i++)
        for (int round = 0; round < 40; round++) {
            size_t width = 21 + test_random(&seed) % 60;
            char *whole = render(texts[i], width - 1, true), *got = show_in_pieces(texts[i], width, 500, &seed, &s);
            static screen t;
            memset(&t, 0, sizeof t);
            play(&t, whole, strlen(whole));
            char *want = picture(&t);
            EXPECT_STR(got, want);
            free(whole);
            free(got);
            free(want);
        }
}

TEST(markdown_taller_than_the_screen_loses_no_word)
{
    static screen s;
    uint64_t seed = test_seed();
    char text[8192];
    size_t n = 0;
    for (int i = 0; i < 200; i++) n += (size_t)snprintf(text + n, sizeof text - n, "word%03d%s", i, i % 10 == 9 ? "\n" : " ");
    for (int round = 0; round < 20; round++) {
        char *got = show_in_pieces(text, 40, 6, &seed, &s);
        for (int i = 0; i < 200; i++) {
            char word[16];
            snprintf(word, sizeof word, "word%03d", i);
            EXPECT_CONTAINS(got, word);
        }
        free(got);
    }
}

TEST(markdown_on_random_bytes)
{
    static screen s;
    uint64_t seed = test_seed();
    static const char alphabet[] = "ab 1.)-*_#`~>|\n\n  [](!\\<&;\x01";
    for (int round = 0; round < 300; round++) {
        char text[200];
        size_t n = test_random(&seed) % (sizeof text - 1);
        for (size_t i = 0; i < n; i++) text[i] = alphabet[test_random(&seed) % (sizeof alphabet - 1)];
        text[n] = 0;
        free(show_in_pieces(text, 30, 12, &seed, &s));
    }
}

TEST(flow_wraps_words_and_cleans)
{
    char *bytes;
    size_t n;
    FILE *f = open_memstream(&bytes, &n);
    r1_term term = { f, true, true };
    r1_flow w = { .term = &term, .dim = true };
    r1_flow_add(&w, "ab", 2);
    r1_flow_add(&w, "c d\033", 4);
    r1_flow_end(&w);
    fclose(f);
    EXPECT_STR(bytes, "\033[2mabc d␛\033[0m\n");
    free(bytes);
    f = open_memstream(&bytes, &n);
    r1_term pipe = { f, false, false };
    r1_flow raw = { .term = &pipe };
    r1_flow_add(&raw, "a\033b\n", 4);
    r1_flow_end(&raw);
    fclose(f);
    EXPECT_STR(bytes, "a\033b\n");
    free(bytes);
}
