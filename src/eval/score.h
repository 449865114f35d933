/* score: summary.json: what the samples of a run say (docs/cli/r1-eval.md lists its fields).
 *
 * A pure function of records and items: the same samples give the same bytes but for the member `timings`.
 * Tests: score_test.c
 */
#ifndef R1_EVAL_SCORE_H
#define R1_EVAL_SCORE_H

#include "eval/samples.h"

typedef struct r1_price { double in, out; } r1_price; /* of a million tokens of prompts and of answers; NaN: not told */

/* What a summary is made from; all borrowed. */
typedef struct r1_scored_run {
    const json_t *record;        /* of the run (plan.h): model and options are repeated */
    const r1_run_task *tasks; size_t n_tasks;
    const r1_samples *log;
    uint64_t seed;               /* of bootstraps */
    r1_price price;
    double part_seconds;         /* of this part of the run, and what was generated in it */
    uint64_t part_tokens;
} r1_scored_run;

/* Summarise. Samples that failed or are missing do not take part: a
 * problem counts with the samples it has, one without any not at all, and `complete` is false.
 * Errors: R1_ENOMEM. *out is a new object. */
r1_status r1_score_run(const r1_scored_run *run, json_t **out, r1_error *err) R1_MUST_CHECK;

/* FOLDER/summary.json, atomically. Errors: R1_EIO, R1_ENOMEM. */
r1_status r1_score_write(const char *folder, const json_t *summary, r1_error *err) R1_MUST_CHECK;

/* FOLDER/predictions.jsonl as the harness of SWE-bench reads it: instance_id, model_name_or_path, model_patch. Samples after the first
 * go to predictions-1.jsonl and so on. model: the record's. Errors: R1_EIO, R1_ENOMEM. */
r1_status r1_score_predictions(const char *folder, const r1_run_task *task, size_t number, const r1_samples *log, const json_t *model, r1_error *err) R1_MUST_CHECK;

json_t *r1_score_number(double x); /* null for NaN and infinities, which JSON has not */

#endif
