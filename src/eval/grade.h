/* grade: the verdict on one answer. The checkers are those of reward; here stands which one an item asks for, and what it is given.
 *
 * Tests: grade_test.c
 */
#ifndef R1_EVAL_GRADE_H
#define R1_EVAL_GRADE_H

#include "eval/benchmark.h"

typedef struct r1_grader r1_grader;

typedef struct r1_grade_options {
    bool (*cancelled)(void *ctx); /* may be NULL; asked while code runs, from its thread; true: R1_ECANCELLED */
    void *ctx;
    int programs;                 /* programs judged at once, each in up to two sandboxes; the rest waits. 0: as many as there are threads */
    bool allow_weaker;            /* judge code although the kernel lacks some protections of the sandbox */
} r1_grade_options;

/* o may be NULL. Errors: R1_ENOMEM. */
r1_status r1_grader_open(r1_grader **out, const r1_grade_options *o, r1_error *err) R1_MUST_CHECK;
void r1_grader_close(r1_grader *g);

/* Fill verdict, reason and extracted of a sample from its content (the text after the thinking). Of code, `extracted` is the code, of
 * a patch the patch. A sample without content is wrong: "no_answer", or "truncated" when a limit of tokens ended it.
 * Errors: R1_EUNSUPPORTED (an interpreter or a protection of the sandbox is missing, named), R1_ECANCELLED, R1_ENOMEM, R1_EIO.
 * Threads: any. */
r1_status r1_grade(r1_grader *g, const r1_item *item, r1_eval_sample *s, r1_error *err) R1_MUST_CHECK;

/* For a vote: group[i] is the first of n answers (`extracted`, NULL: none) that is the same as answer i, as the item's check sees
 * it; -1: none. False where answers cannot be told to be the same: code and patches.
 * Errors: R1_ENOMEM. */
r1_status r1_grade_group(r1_eval_check check, const char *const *answers, size_t n, int32_t *group, bool *can, r1_error *err) R1_MUST_CHECK;

/* The task of an item of code, as r1_code_task_parse takes it, in *out; the caller decrefs it. Errors: R1_ENOMEM. */
r1_status r1_grade_code_task(const r1_item *item, json_t **out, r1_error *err) R1_MUST_CHECK;

/* Whether the item's tests are such that an answer can be judged by them. Errors: R1_EFORMAT, which names the item; R1_ENOMEM. */
r1_status r1_grade_check(const r1_item *item, r1_error *err) R1_MUST_CHECK;

#endif
