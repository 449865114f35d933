/* chart: drawings as inline SVG, for reports that are one file. Nothing is fetched and nothing is run: a chart is text, its colours are
 * names of classes that the page's style sheet fills, and each mark says its numbers in a <title>.
 *
 * Memory: text is added to a buffer; after an error the buffer ends in the middle of a chart.   Threads: any.
 * Tests: chart_test.c
 */
#ifndef R1_EVAL_CHART_H
#define R1_EVAL_CHART_H

#include "base/base.h"

/* Text as it may stand in HTML and between the quotes of an attribute. Control characters that XML has not become U+FFFD. */
r1_status r1_html_text(r1_buf *out, const char *s, r1_error *err) R1_MUST_CHECK;

/* A count for people: 999, 1.5k, 32.8k, 1.2M. */
const char *r1_chart_count(double n, char text[24]);

/* ---- shares with intervals, a line each ---- */

typedef struct r1_chart_row {
    const char *label, *note;  /* note: behind the label, may be NULL */
    double value, lo, hi;      /* 0..1; NaN: not drawn */
    double extra, other;       /* two more marks: a hollow circle and a diamond; NaN: none */
} r1_chart_row;

typedef struct r1_chart_names { const char *title, *value, *extra, *other; } r1_chart_names; /* of a legend; extra, other may be NULL */

r1_status r1_chart_rows(r1_buf *out, const r1_chart_names *names, const r1_chart_row *rows, size_t n, r1_error *err) R1_MUST_CHECK;

/* ---- how many right and wrong by length, and the share of right ones ---- */

typedef struct r1_chart_bin {
    double from, to;           /* tokens, from <= length < to */
    size_t right, wrong;
    double lo, hi;             /* interval of the share; NaN where the bin is empty */
} r1_chart_bin;

/* bins ascending; lengths lie on a logarithmic scale when the last bin ends at more than 16 times the end of the first one. */
r1_status r1_chart_bins(r1_buf *out, const char *title, const r1_chart_bin *bins, size_t n, r1_error *err) R1_MUST_CHECK;

/* ---- shares over a number ---- */

typedef struct r1_chart_line {
    const char *label;
    const double *x, *y;       /* [n] x ascending and above 0, y 0..1 */
    size_t n;
} r1_chart_line;

typedef struct r1_chart_axes {
    const char *title, *x_label, *y_label;
    bool steps;                /* y holds until the next x */
} r1_chart_axes;

/* x on a logarithmic scale. At most R1_CHART_LINES lines are told apart by colour; more are refused with R1_EINVAL. */
#define R1_CHART_LINES 8
r1_status r1_chart_lines(r1_buf *out, const r1_chart_axes *axes, const r1_chart_line *lines, size_t n, r1_error *err) R1_MUST_CHECK;

#endif
