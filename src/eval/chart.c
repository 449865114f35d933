/* chart: see chart.h. Each chart is a fixed number of units wide and scales with the page; one pixel of a usual screen is a unit.
 *
 * Common is a drawing that fits; rare are long labels, which are cut with their whole text in the <title>.
 */
#include "eval/chart.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 720, LABEL_WIDTH = 200, ROW_HEIGHT = 28, RIGHT_MARGIN = 84, TOP = 34 };

/* Everything an error stops: each call does nothing once `s` is not R1_OK. */
typedef struct pen {
    r1_buf *out;
    r1_error *err;
    r1_status s;
} pen;

R1_PRINTF(2, 3) static void draw(pen *p, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    if (p->s) return;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof text) p->s = r1_fail(p->err, R1_EINVAL, "a piece of a chart is longer than %zu bytes", sizeof text);
    else p->s = r1_buf_add(p->out, text, (size_t)n, p->err);
}

static void words(pen *p, const char *s)
{
    if (p->s == R1_OK) p->s = r1_html_text(p->out, s, p->err);
}

r1_status r1_html_text(r1_buf *out, const char *s, r1_error *err)
{
    const char *from = s;
    r1_status st = R1_OK;
    for (; st == R1_OK; s++) {
        const unsigned char c = (unsigned char)*s;
        const char *as = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : c == '\'' ? "&#39;" :
                         (c && c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? "\xef\xbf\xbd" : NULL;
        if (c && !as) continue;
        if (s > from) st = r1_buf_add(out, from, (size_t)(s - from), err);
        if (!c) break;
        if (st == R1_OK) st = r1_buf_adds(out, as, err);
        from = s + 1;
    }
    return st;
}

const char *r1_chart_count(double n, char text[24])
{
    static const struct { double from; char unit; } units[] = { { 1e9, 'G' }, { 1e6, 'M' }, { 1e3, 'k' } };
    for (size_t i = 0; i < R1_COUNT(units); i++) {
        if (n < units[i].from * 0.99995) continue;
        double v = n / units[i].from;
        snprintf(text, 24, v < 100 && fabs(v - round(v)) >= 0.05 ? "%.1f%c" : "%.0f%c", v, units[i].unit);
        return text;
    }
    snprintf(text, 24, "%.0f", n);
    return text;
}

/* Label cut to at most n characters. */
static void short_words(pen *p, const char *s, size_t n)
{
    char cut[256];
    size_t at = 0, chars = 0, len = strlen(s);
    while (at < len && chars < n) {
        uint32_t cp;
        int used = r1_utf8_decode(s + at, len - at, &cp);
        at += (size_t)(used > 0 ? used : used < 0 ? -used : 1);
        chars++;
    }
    if (at >= len || at + 4 > sizeof cut) {
        words(p, at >= len ? s : "…");
        return;
    }
    memcpy(cut, s, at);
    memcpy(cut + at, "…", sizeof "…");
    words(p, cut);
}

static void begin(pen *p, const char *title, int height)
{
    draw(p, "<figure class=\"chart\"><figcaption>");
    words(p, title);
    draw(p, "</figcaption>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, height);
    words(p, title);
    draw(p, "\">\n");
}


static void label(pen *p, double x, double y, const char *anchor, const char *s)
{
    draw(p, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    words(p, s);
    draw(p, "</text>\n");
}

static void grid_line(pen *p, double x1, double y1, double x2, double y2)
{
    draw(p, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x1, y1, x2, y2);
}

/* ---- rows ------------------------------------------------------------------------------------------------------ */

static double row_x(double share) { return LABEL_WIDTH + share * (WIDTH - LABEL_WIDTH - RIGHT_MARGIN); }

static void row_marks(pen *p, const r1_chart_names *names, const r1_chart_row *r, double y)
{
    if (!isnan(r->lo) && !isnan(r->hi)) {
        draw(p, "<line class=\"interval\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", row_x(r->lo), y, row_x(r->hi), y);
        for (int i = 0; i < 2; i++) {
            double x = row_x(i ? r->hi : r->lo);
            draw(p, "<line class=\"interval\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x, y - 4, x, y + 5);
        }
    }
    if (!isnan(r->extra) && names->extra) {
        draw(p, "<circle class=\"extra\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"><title>", row_x(r->extra), y);
        words(p, names->extra);
        draw(p, ": %.1f %%</title></circle>\n", 100 * r->extra);
    }
    if (!isnan(r->other) && names->other) {
        double x = row_x(r->other);
        draw(p, "<path class=\"other\" d=\"M%.1f %.1fl5 5l-5 5l-5 -5z\"><title>", x, y - 5);
        words(p, names->other);
        draw(p, ": %.1f %%</title></path>\n", 100 * r->other);
    }
    if (isnan(r->value)) return;
    draw(p, "<circle class=\"value\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"><title>", row_x(r->value), y);
    words(p, names->value);
    draw(p, ": %.1f %%", 100 * r->value);
    if (!isnan(r->lo) && !isnan(r->hi)) draw(p, " (%.1f to %.1f)", 100 * r->lo, 100 * r->hi);
    draw(p, "</title></circle>\n<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\" class=\"number\">%.1f %%</text>\n", WIDTH - 4, y + 4, 100 * r->value);
}

static void legend(pen *p, const r1_chart_names *names)
{
    draw(p, "<p class=\"legend\"><span class=\"key value\"></span>");
    words(p, names->value);
    if (names->extra) {
        draw(p, " <span class=\"key extra\"></span>");
        words(p, names->extra);
    }
    if (names->other) {
        draw(p, " <span class=\"key other\"></span>");
        words(p, names->other);
    }
    draw(p, "</p>\n");
}

r1_status r1_chart_rows(r1_buf *out, const r1_chart_names *names, const r1_chart_row *rows, size_t n, r1_error *err)
{
    pen p = { .out = out, .err = err };
    const int bottom = TOP + (int)n * ROW_HEIGHT;
    begin(&p, names->title, bottom + 10);
    for (int i = 0; i <= 10; i += 2) {
        char text[16];
        snprintf(text, sizeof text, "%d %%", 10 * i);
        grid_line(&p, row_x(i / 10.0), TOP - 8, row_x(i / 10.0), bottom);
        label(&p, row_x(i / 10.0), TOP - 14, "middle", text);
    }
    for (size_t i = 0; i < n; i++) {
        double y = TOP + ((double)i + 0.5) * ROW_HEIGHT;
        draw(&p, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\"><title>", LABEL_WIDTH - 12, y + 5);
        words(&p, rows[i].label);
        if (rows[i].note) { draw(&p, ", "); words(&p, rows[i].note); }
        draw(&p, "</title>");
        short_words(&p, rows[i].label, 22);
        draw(&p, "</text>\n");
        row_marks(&p, names, &rows[i], y);
    }
    draw(&p, "</svg>");
    legend(&p, names);
    draw(&p, "</figure>\n");
    return p.s;
}

/* ---- bins ------------------------------------------------------------------------------------------------------ */

enum { PLOT_LEFT = 64, PLOT_RIGHT = 650, PLOT_TOP = 20, PLOT_BOTTOM = 240, PLOT_HEIGHT = 300 };

/* A round number at or above x: 1, 2 or 5 times a power of ten. */
static double round_up(double x)
{
    if (!(x > 1)) return 1;
    double ten = pow(10, floor(log10(x)));
    for (;; ten *= 10) {
        if (x <= ten) return ten;
        if (x <= 2 * ten) return 2 * ten;
        if (x <= 5 * ten) return 5 * ten;
    }
}

static double share_y(double share) { return PLOT_BOTTOM - share * (PLOT_BOTTOM - PLOT_TOP); }

/* Lines for shares of 0 to top, named on the side given by x. */
static void share_axis(pen *p, double top, double x, const char *anchor)
{
    for (int i = 0; i <= 4; i++) {
        char text[16];
        snprintf(text, sizeof text, "%g %%", 25 * i * top);
        grid_line(p, PLOT_LEFT, share_y(i / 4.0), PLOT_RIGHT, share_y(i / 4.0));
        label(p, x, share_y(i / 4.0) + 5, anchor, text);
    }
}

static void bin_bar(pen *p, const r1_chart_bin *b, double x, double width, double most)
{
    const double unit = (PLOT_BOTTOM - PLOT_TOP) / most;
    const double right = (double)b->right * unit, wrong = (double)b->wrong * unit;
    char from[24], to[24];
    draw(p, "<g><title>%s to %s tokens: %zu right, %zu wrong", r1_chart_count(b->from, from), r1_chart_count(b->to, to), b->right, b->wrong);
    if (b->right + b->wrong) draw(p, ", %.1f %% right", 100 * (double)b->right / (double)(b->right + b->wrong));
    draw(p, "</title>");
    draw(p, "<rect class=\"right\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", x + 1, PLOT_BOTTOM - right, width - 2, right);
    draw(p, "<rect class=\"wrong\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/></g>\n", x + 1, PLOT_BOTTOM - right - wrong, width - 2, wrong);
}

static void bin_shares(pen *p, const r1_chart_bin *bins, size_t n, double width)
{
    bool open = false;
    for (size_t i = 0; i < n && p->s == R1_OK; i++) {
        const r1_chart_bin *b = &bins[i];
        if (b->right + b->wrong == 0) continue;
        double x = PLOT_LEFT + ((double)i + 0.5) * width, y = share_y((double)b->right / (double)(b->right + b->wrong));
        if (!open) draw(p, "<path class=\"share\" d=\"M");
        draw(p, open ? "L%.1f %.1f" : "%.1f %.1f", x, y);
        open = true;
    }
    if (open) draw(p, "\"/>\n");
    for (size_t i = 0; i < n; i++) {
        const r1_chart_bin *b = &bins[i];
        if (b->right + b->wrong == 0 || isnan(b->lo) || isnan(b->hi)) continue;
        double x = PLOT_LEFT + ((double)i + 0.5) * width, share = (double)b->right / (double)(b->right + b->wrong);
        draw(p, "<line class=\"interval\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", x, share_y(b->lo), x, share_y(b->hi));
        draw(p, "<circle class=\"value\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>%.1f %% right (%.1f to %.1f)</title></circle>\n", x, share_y(share), 100 * share,
             100 * b->lo, 100 * b->hi);
    }
}

r1_status r1_chart_bins(r1_buf *out, const char *title, const r1_chart_bin *bins, size_t n, r1_error *err)
{
    pen p = { .out = out, .err = err };
    size_t most = 0;
    char text[24];
    begin(&p, title, PLOT_HEIGHT);
    share_axis(&p, 1, PLOT_RIGHT + 6, "start");
    for (size_t i = 0; i < n; i++) most = r1_max(most, bins[i].right + bins[i].wrong);
    const double top = round_up((double)most), width = (PLOT_RIGHT - PLOT_LEFT) / (double)r1_max(n, 1);
    for (int i = 0; i <= 4; i += 2) label(&p, PLOT_LEFT - 6, share_y(i / 4.0) + 5, "end", r1_chart_count(top * i / 4, text));
    const size_t every = n > 11 ? r1_ceil_div(n, 9) : 1; /* so that numbers have room */
    for (size_t i = 0; i < n; i++) {
        double x = PLOT_LEFT + (double)i * width;
        bin_bar(&p, &bins[i], x, width, top);
        if (i % every == 0) label(&p, x, PLOT_BOTTOM + 20, "middle", r1_chart_count(bins[i].from, text));
    }
    if (n && n % every == 0) label(&p, PLOT_RIGHT, PLOT_BOTTOM + 20, "middle", r1_chart_count(bins[n - 1].to, text));
    bin_shares(&p, bins, n, width);
    label(&p, (PLOT_LEFT + PLOT_RIGHT) / 2.0, PLOT_BOTTOM + 48, "middle", "tokens");
    draw(&p, "</svg><p class=\"legend\"><span class=\"key right\"></span>right <span class=\"key wrong\"></span>wrong (samples, left) "
             "<span class=\"key value\"></span>share of right ones with its 95 %% interval (right)</p></figure>\n");
    return p.s;
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */

typedef struct scale { double lo, hi, top; } scale; /* logarithms of the ends of x; the largest share */

static double line_x(const scale *s, double x) { return PLOT_LEFT + (log(x) - s->lo) / (s->hi - s->lo) * (PLOT_RIGHT - PLOT_LEFT); }

static scale lines_scale(const r1_chart_line *lines, size_t n)
{
    static const double tops[] = { 0.05, 0.1, 0.2, 0.5, 1 };
    scale s = { INFINITY, -INFINITY, 0 };
    for (size_t i = 0; i < n; i++) {
        if (lines[i].n == 0) continue;
        for (size_t j = 0; j < lines[i].n; j++) s.top = fmax(s.top, lines[i].y[j]);
        s.lo = fmin(s.lo, log(lines[i].x[0]));
        s.hi = fmax(s.hi, log(lines[i].x[lines[i].n - 1]));
    }
    if (!isfinite(s.lo)) s.lo = 0;
    if (!(s.hi > s.lo)) s.hi = s.lo + log(2);
    for (size_t i = 0; i < R1_COUNT(tops); i++) {
        if (s.top > tops[i] && i + 1 < R1_COUNT(tops)) continue;
        s.top = tops[i];
        break;
    }
    return s;
}

static void x_axis(pen *p, const scale *s)
{
    const double span = (s->hi - s->lo) / log(2), step = span > 10 ? ceil(span / 10) : 1; /* doublings between two numbers */
    for (double two = ceil(s->lo / log(2) - 1e-9); two * log(2) <= s->hi + 1e-9; two += step) {
        char text[24];
        double x = exp2(two), at = line_x(s, x);
        grid_line(p, at, PLOT_TOP, at, PLOT_BOTTOM);
        if (x < 1) snprintf(text, sizeof text, "%g", x);
        else r1_chart_count(x, text);
        label(p, at, PLOT_BOTTOM + 20, "middle", text);
    }
    const double last = exp(s->hi), beyond = last / exp2(floor(log2(last) + 1e-9)); /* the end of the scale, when it has room of its own */
    if (beyond > 1.3 && step <= 1 && last < 1000) {
        char text[24];
        label(p, line_x(s, last), PLOT_BOTTOM + 20, "middle", r1_chart_count(last, text));
    }
}

static void one_line(pen *p, const r1_chart_line *l, size_t colour, const scale *s, bool steps)
{
    draw(p, "<path class=\"line c%zu\" d=\"M", colour);
    for (size_t i = 0; i < l->n; i++) {
        if (i == 0) draw(p, "%.1f %.1f", line_x(s, l->x[0]), share_y(l->y[0] / s->top));
        else if (steps) draw(p, "H%.1fV%.1f", line_x(s, l->x[i]), share_y(l->y[i] / s->top));
        else draw(p, "L%.1f %.1f", line_x(s, l->x[i]), share_y(l->y[i] / s->top));
    }
    draw(p, "\"><title>");
    words(p, l->label);
    draw(p, "</title></path>\n");
    if (steps && l->n > 40) return; /* a curve of many samples, not of chosen places */
    for (size_t i = 0; i < l->n; i++) {
        draw(p, "<circle class=\"dot c%zu\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>", colour, line_x(s, l->x[i]), share_y(l->y[i] / s->top));
        words(p, l->label);
        draw(p, ", %g: %.1f %%</title></circle>\n", l->x[i], 100 * l->y[i]);
    }
}

r1_status r1_chart_lines(r1_buf *out, const r1_chart_axes *axes, const r1_chart_line *lines, size_t n, r1_error *err)
{
    pen p = { .out = out, .err = err };
    if (n > R1_CHART_LINES) return r1_fail(err, R1_EINVAL, "%zu lines in a chart, at most %d can be told apart", n, R1_CHART_LINES);
    const scale s = lines_scale(lines, n);
    begin(&p, axes->title, PLOT_HEIGHT);
    share_axis(&p, s.top, PLOT_LEFT - 6, "end");
    x_axis(&p, &s);
    for (size_t i = 0; i < n; i++) {
        if (lines[i].n) one_line(&p, &lines[i], i, &s, axes->steps);
    }
    label(&p, (PLOT_LEFT + PLOT_RIGHT) / 2.0, PLOT_BOTTOM + 48, "middle", axes->x_label);
    draw(&p, "</svg><p class=\"legend\">");
    for (size_t i = 0; i < n; i++) {
        draw(&p, "<span class=\"key c%zu\"></span>", i);
        words(&p, lines[i].label);
        draw(&p, " ");
    }
    draw(&p, "(");
    words(&p, axes->y_label);
    draw(&p, ")</p></figure>\n");
    return p.s;
}
