/* report_int: what the two files of a report share: the run as it was read, and the page made of it. */
#ifndef R1_EVAL_REPORT_INT_H
#define R1_EVAL_REPORT_INT_H

#include "base/base.h"
#include "base/json.h"

/* A sample as charts need it. */
typedef struct r1_report_point {
    int verdict;               /* 1, 0, -1: not judged */
    double tokens, thinking;   /* -1: not known */
} r1_report_point;

typedef struct r1_report {
    json_t *record, *summary;  /* run.json, summary.json */
    json_t *items;             /* array of {task, id, problem, gold, category, samples: [...]}, in the order they were asked */
    r1_report_point *points;
    size_t n_points, cap_points;
    size_t n_failed;           /* samples without a result */
    size_t text_cap;           /* longest text of a sample shown whole, in bytes; SIZE_MAX: all */
    char *no_problems;         /* why problems are not shown; NULL: they are */
} r1_report;

/* The whole page. Errors: R1_ENOMEM, R1_EFORMAT (summary.json has another form). */
r1_status r1_report_page(const r1_report *r, r1_buf *out, r1_error *err) R1_MUST_CHECK;

#endif
