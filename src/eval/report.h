/* report: report.html of a run: one file without anything from outside, made from run.json, samples.jsonl and summary.json.
 *
 * Tests: report_test.c
 */
#ifndef R1_EVAL_REPORT_H
#define R1_EVAL_REPORT_H

#include "base/base.h"

/* Write RUN/report.html, atomically. Errors: R1_EIO, R1_EFORMAT (a file of the run is wrong: named), R1_ENOMEM. */
r1_status r1_eval_report(const char *run_folder, r1_error *err) R1_MUST_CHECK;

#endif
