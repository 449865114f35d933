/* Charts: text is escaped, marks stand where their numbers say, and what is not known is not drawn. */
#include "tests/test.h"
#include "eval/chart.h"

#include <math.h>

static char *made(r1_buf *b)
{
    EXPECT(b->data != NULL);
    return b->data;
}

static size_t times(const char *s, const char *what)
{
    size_t n = 0;
    for (; (s = strstr(s, what)) != NULL; s += strlen(what)) n++;
    return n;
}

/* Number behind `key` in the first element that has `class`. */
static double attribute(const char *svg, const char *class, const char *key)
{
    char text[64];
    snprintf(text, sizeof text, "class=\"%s\"", class);
    const char *at = strstr(svg, text);
    EXPECT_MSG(at != NULL, "no %s", class);
    snprintf(text, sizeof text, " %s=\"", key);
    at = strstr(at, text);
    EXPECT_MSG(at != NULL, "no %s", key);
    return atof(at + strlen(text));
}

/* Every element that is opened is closed, in order. */
static void expect_balanced(const char *s)
{
    char stack[32][16];
    size_t depth = 0;
    for (; (s = strchr(s, '<')) != NULL; s++) {
        char name[16] = "";
        sscanf(s, s[1] == '/' ? "</%15[a-z]" : "<%15[a-z]", name);
        const char *end = strchr(s, '>');
        EXPECT(end != NULL && *name);
        if (s[1] == '/') {
            EXPECT(depth > 0);
            EXPECT_STR(name, stack[--depth]);
        } else if (end[-1] != '/') {
            EXPECT(depth < R1_COUNT(stack));
            strcpy(stack[depth++], name);
        }
    }
    EXPECT_INT(depth, 0);
}

TEST(text_is_escaped)
{
    r1_buf b;
    r1_error e;
    r1_buf_init(&b, 1000);
    EXPECT_OK(r1_html_text(&b, "a<b>&\"'\n\x01z", &e), &e);
    EXPECT_STR(made(&b), "a&lt;b&gt;&amp;&quot;&#39;\n\xef\xbf\xbdz");
    r1_buf_clear(&b);
    EXPECT_OK(r1_html_text(&b, "", &e), &e);
    EXPECT_INT(b.len, 0);
    r1_buf_deinit(&b);
}

TEST(counts_for_people)
{
    static const struct { double n; const char *text; } of[] = { { 0, "0" }, { 999, "999" }, { 1000, "1k" }, { 1536, "1.5k" }, { 32768, "32.8k" }, { 999960, "1M" }, { 1234567, "1.2M" }, { 2e9, "2G" } };
    char text[24];
    for (size_t i = 0; i < R1_COUNT(of); i++) EXPECT_STR(r1_chart_count(of[i].n, text), of[i].text);
}

TEST(rows_stand_where_they_should)
{
    r1_buf b;
    r1_error e;
    const r1_chart_names names = { "Title <1>", "value", "extra", NULL };
    const r1_chart_row rows[] = { { "first & <b>", NULL, 0.5, 0.25, 0.75, 1.0, 0.3 }, { "a label that is much too long for its place, so it is cut", "n", NAN, NAN, NAN, NAN, NAN } };
    r1_buf_init(&b, 1 << 20);
    EXPECT_OK(r1_chart_rows(&b, &names, rows, 2, &e), &e);
    expect_balanced(made(&b));
    EXPECT_INT(times(b.data, "class=\"value\""), 1);
    EXPECT_INT(times(b.data, "class=\"extra\""), 1);
    EXPECT_INT(times(b.data, "class=\"other\""), 0); /* it has no name, so no meaning */
    EXPECT_CONTAINS(b.data, "first &amp; &lt;b&gt;");
    EXPECT_CONTAINS(b.data, "…</text>");
    const double value = attribute(b.data, "value", "cx"), lo = attribute(b.data, "interval", "x1"), hi = attribute(b.data, "interval", "x2"), extra = attribute(b.data, "extra", "cx");
    EXPECT(fabs((lo + hi) / 2 - value) < 0.2 && fabs(extra - value - (hi - lo)) < 0.2);
    EXPECT(!strstr(b.data, "nan"));
    r1_buf_deinit(&b);
}

TEST(bins_are_as_high_as_they_count)
{
    r1_buf b;
    r1_error e;
    const r1_chart_bin bins[] = { { 16, 32, 3, 1, 0.3, 0.95 }, { 32, 64, 0, 0, NAN, NAN }, { 64, 128, 0, 2, 0, 0.66 } };
    r1_buf_init(&b, 1 << 20);
    EXPECT_OK(r1_chart_bins(&b, "t", bins, 3, &e), &e);
    expect_balanced(made(&b));
    EXPECT(fabs(attribute(b.data, "right", "height") - 3 * attribute(b.data, "wrong", "height")) < 0.3);
    EXPECT_CONTAINS(b.data, "16 to 32 tokens: 3 right, 1 wrong, 75.0 % right");
    EXPECT_INT(times(b.data, "class=\"value\""), 2);
    EXPECT(!strstr(b.data, "nan"));
    r1_buf_clear(&b);
    EXPECT_OK(r1_chart_bins(&b, "nothing", bins, 0, &e), &e);
    expect_balanced(made(&b));
    r1_buf_deinit(&b);
}

TEST(lines_rise_with_their_shares)
{
    r1_buf b;
    r1_error e;
    const double x[] = { 1, 4, 16 }, y[] = { 0, 0.5, 1 }, one[] = { 3 };
    const r1_chart_line lines[] = { { "l", x, y, 3 }, { "one", one, one, 0 } };
    const r1_chart_axes axes = { "t", "x", "y", false };
    r1_buf_init(&b, 1 << 20);
    EXPECT_OK(r1_chart_lines(&b, &axes, lines, 2, &e), &e);
    expect_balanced(made(&b));
    double p[6];
    const char *path = strstr(b.data, "class=\"line c0\" d=\"");
    EXPECT(path != NULL);
    EXPECT_INT(sscanf(path + strlen("class=\"line c0\" d=\""), "M%lf %lfL%lf %lfL%lf %lf", p, p + 1, p + 2, p + 3, p + 4, p + 5), 6);
    EXPECT(fabs(p[2] - (p[0] + p[4]) / 2) < 0.2 && fabs(p[3] - (p[1] + p[5]) / 2) < 0.2 && p[5] < p[1]);
    r1_buf_clear(&b);
    const double low[] = { 0, 0.01, 0.04 };
    EXPECT_OK(r1_chart_lines(&b, &axes, &(r1_chart_line){ "low", x, low, 3 }, 1, &e), &e); /* small shares get a scale of their own, named at its side */
    EXPECT_CONTAINS(made(&b), ">5 %</text>");
    EXPECT(!strstr(b.data, ">100 %</text>"));
    r1_buf_clear(&b);
    EXPECT_OK(r1_chart_lines(&b, &axes, &(r1_chart_line){ "a point", one, y + 1, 1 }, 1, &e), &e);
    EXPECT(!strstr(made(&b), "nan") && !strstr(b.data, "inf"));
    r1_chart_line many[R1_CHART_LINES + 1] = { { "l", x, y, 3 } };
    EXPECT_STATUS(r1_chart_lines(&b, &axes, many, R1_COUNT(many), &e), R1_EINVAL);
    r1_buf_deinit(&b);
}
