/* samples: the log of a run, samples.jsonl: one JSON object a line, a line a sample (docs/cli/r1-eval.md lists its fields).
 *
 * The file only grows, and each line is on the disk before r1_samples_add returns. A last line without its end, which a killed
 * process leaves, is cut off when the log is opened again; its sample is made anew. A sample that failed has a line with
 * `error`; a later line of the same sample replaces it. Of several lines with a result the first counts.
 * Only what statistics need is kept in memory; texts stay in the file.
 *
 * Threads: r1_samples_add from any, one at a time by its own lock; the rest from one.
 * Tests: samples_test.c, tests/fuzz/fuzz_samples.c
 */
#ifndef R1_EVAL_SAMPLES_H
#define R1_EVAL_SAMPLES_H

#include "eval/benchmark.h"

/* A task as a run has it. */
typedef struct r1_run_task {
    const char *name;            /* "gsm8k", or the name of a file without its ending */
    const r1_benchmark *benchmark;
    char *path;                  /* of the items */
    r1_items items;
    uint32_t k;                  /* samples of each item */
} r1_run_task;

typedef enum r1_record_state { R1_RECORD_NONE, R1_RECORD_FAILED, R1_RECORD_DONE } r1_record_state;

/* What is remembered of a line. */
typedef struct r1_record {
    uint8_t state;               /* r1_record_state */
    int8_t verdict;              /* 1, 0, -1: not judged */
    bool truncated;              /* finish_reason is "length" */
    int64_t prompt_tokens, completion_tokens, reasoning_tokens;
    double seconds;
    char *extracted;             /* NULL: none */
    uint64_t at, bytes;          /* the line in the file, its end not counted */
} r1_record;

typedef struct r1_samples r1_samples;

/* Open or make FOLDER/samples.jsonl for the samples of these tasks (borrowed) and read what is there.
 * Errors: R1_EFORMAT names the line; R1_EIO, also when another process has it open; R1_ENOMEM. */
r1_status r1_samples_open(r1_samples **out, const char *folder, const r1_run_task *tasks, size_t n_tasks, r1_error *err) R1_MUST_CHECK;
void r1_samples_close(r1_samples *l);

/* The record of a sample; never NULL. Until the next _add of the same sample. */
const r1_record *r1_samples_get(const r1_samples *l, size_t task, size_t item, uint32_t sample);
/* The offset that was cut off when it was opened, in bytes. */
size_t r1_samples_cut(const r1_samples *l);

/* Append a line. Errors: R1_ENOMEM (memory; disk full), R1_EIO; nothing of the line is then in the file. */
r1_status r1_samples_add(r1_samples *l, const r1_eval_sample *s, r1_error *err) R1_MUST_CHECK;

/* Put the lines in order of task, item and sample, without those that were replaced; atomic. Errors: the file is as before. */
r1_status r1_samples_sort(r1_samples *l, r1_error *err) R1_MUST_CHECK;

/* Judge every result again: `grade` gets a sample with everything but extracted, reason and verdict, which it sets. The file then has
 * the new verdicts, in order; atomic. *changed: how many verdicts are others than before. Errors: those of grade and of r1_samples_sort;
 * the file is as before, and the log can only be closed. */
typedef r1_status (*r1_regrade_fn)(void *ctx, r1_eval_sample *s, r1_error *err);
r1_status r1_samples_regrade(r1_samples *l, r1_regrade_fn grade, void *ctx, size_t *changed, r1_error *err) R1_MUST_CHECK;

/* ---- lines, for who reads them alone ---- */

typedef struct r1_sample_line {
    const char *task, *id, *category, *error; /* error NULL: none */
    uint32_t sample;
    r1_record record;            /* its texts are borrowed from the object, state is DONE or FAILED */
} r1_sample_line;

/* Errors: R1_EFORMAT names the field, found and expected. Borrows `o`. */
r1_status r1_sample_parse(const json_t *o, r1_sample_line *out, r1_error *err) R1_MUST_CHECK;

/* Call fn for each whole line of a file's text; *whole receives the bytes up to the end of the last one. Errors of parsing and
 * of fn come back with the number of the line. */
typedef r1_status (*r1_sample_fn)(void *ctx, const r1_sample_line *line, r1_error *err);
r1_status r1_samples_each(const char *text, size_t n, r1_sample_fn fn, void *ctx, size_t *whole, r1_error *err) R1_MUST_CHECK;

#endif
