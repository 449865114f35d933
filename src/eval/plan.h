/* plan: what a run is, and its record run.json. A run goes on only as what it was begun as: every difference that could change a
 * sample is found and named.
 *
 * Tests: plan_test.c, tests/fuzz/fuzz_plan.c
 */
#ifndef R1_EVAL_PLAN_H
#define R1_EVAL_PLAN_H

#include "eval/samples.h"
#include "eval/source.h"

#define R1_EVAL_TASKS_MAX 16

typedef struct r1_plan {
    const char *tasks[R1_EVAL_TASKS_MAX]; /* names of benchmarks, or paths of JSONL files */
    const char *files[R1_EVAL_TASKS_MAX]; /* of each task's items, as a record has them; NULL: they are looked for */
    size_t n_tasks;
    const char *data;            /* file or folder of items; NULL: the usual place */
    const char *where;           /* only items with "field=text"; NULL: all */
    const char *prompt;          /* template of the question; NULL: the task's own */
    int64_t samples;             /* of each item; 0: as many as the task has it */
    int64_t limit;               /* of items; 0: all */
    uint64_t seed;
    r1_eval_sampling sampling;
    /* a local model */
    const char *model;           /* path; NULL: a server is asked */
    const char *template;        /* of the chat; NULL: the model's own */
    const char *kv, *activations, *mla, *cpu; /* words of their options */
    int64_t context;             /* 0: the model's own */
    bool loop_guard;
    /* a server */
    const char *url, *model_name;
} r1_plan;

/* The protocol of the R1 paper: temperature 0.6, top-p 0.95, 32,768 tokens; seed 0, so that the same command gives the same. */
void r1_plan_init(r1_plan *p);

/* Find and read the items of every task. usual: the folder they are looked for in without `data`; NULL: none. Errors: R1_EINVAL (no
 * such task: the nearest and those there are; one twice), those of r1_benchmark_locate and r1_items_read, R1_ELIMIT; *out is NULL.
 * Memory: the caller calls r1_plan_close. */
r1_status r1_plan_open(const r1_plan *p, const char *usual, r1_run_task **out, r1_error *err) R1_MUST_CHECK;
void r1_plan_close(r1_run_task *tasks, size_t n);

/* The record of a run: version, r1, created, model, tasks, options. model: the source's description, borrowed; created: text or
 * NULL. NULL: no memory. */
json_t *r1_plan_record(const r1_plan *p, const r1_run_task *tasks, const json_t *model, const char *created);

/* R1_OK when a run recorded as `old` may go on as `now`, else R1_EINVAL naming the first difference and both values. What cannot change
 * a sample (when it was begun, where files are) may differ. */
r1_status r1_plan_same(const json_t *old, const json_t *now, r1_error *err) R1_MUST_CHECK;

/* The plan a record was made from; borrows its texts. Errors: R1_EFORMAT names field, found and expected. */
r1_status r1_plan_of(const json_t *record, r1_plan *out, r1_error *err) R1_MUST_CHECK;

/* FOLDER/run.json. Errors of reading: R1_EIO, R1_EFORMAT (also another version); R1_OK and *out NULL when the folder or the file is not
 * there. Of writing: R1_EIO, R1_ENOMEM; makes the folder. */
r1_status r1_plan_read(const char *folder, json_t **out, r1_error *err) R1_MUST_CHECK;
r1_status r1_plan_write(const char *folder, const json_t *record, r1_error *err) R1_MUST_CHECK;

#endif
