/* runner: a run while it is going on: questions to the source, answers to graders, graded samples to the log.
 *
 * Tests: runner_test.c (a source made of text, failing and slow), tests/e2e/eval.py
 */
#ifndef R1_EVAL_RUNNER_H
#define R1_EVAL_RUNNER_H

#include "eval/samples.h"
#include "eval/source.h"

typedef struct r1_eval_progress {
    size_t done, total;          /* samples with a result, also of earlier parts of the run; all there will be */
    size_t failed;               /* in this part */
    size_t made;                 /* samples with a result made in this part */
    double score, lo, hi;        /* mean score of the problems so far, with a 95% interval over problems; NaN: nothing was judged */
    uint64_t tokens;             /* generated in this part */
    double seconds;              /* this part has taken */
    char failure[256];           /* why the last sample that failed did; "" when none did */
    double seconds_left;         /* at the rate of this part; NaN: not known yet */
} r1_eval_progress;

typedef struct r1_runner_options {
    const r1_run_task *tasks; size_t n_tasks;
    r1_samples *log;
    r1_source *source;
    const char *prompt;          /* template for all questions; NULL: each task's own */
    uint64_t seed;               /* of the run */
    bool allow_weaker;           /* as in r1_grade_options */
    int graders;                 /* threads that check answers, >= 1; of programs half as many at once, for each may have two sandboxes */
    /* Asked some times a second; false: stop and keep what is finished. */
    bool (*tick)(void *ctx, const r1_eval_progress *p);
    void (*note)(void *ctx, const char *text); /* each sentence once, from the caller's thread */
    void *ctx;
} r1_runner_options;

/* What can be known to be wrong of items before anything is made: their questions, by the template or (NULL) each task's own, and their tests.
 * Errors: R1_EFORMAT, which names task and item; R1_ENOMEM. */
r1_status r1_runner_check(const r1_run_task *tasks, size_t n, const char *template, r1_error *err) R1_MUST_CHECK;

/* Make the samples that the log has not. *end (may be NULL) is the last state of things, also after an error. What is finished is
 * in the log, whatever happened.
 * Errors: R1_ECANCELLED (tick); R1_EIO when the first R1_RUNNER_GIVE_UP answers all failed: the last one's sentence; those of the
 * source, the graders and the log. */
#define R1_RUNNER_GIVE_UP 10
r1_status r1_runner_run(const r1_runner_options *o, r1_eval_progress *end, r1_error *err) R1_MUST_CHECK;

#endif
