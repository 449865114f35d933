/* versus: two runs, problem by problem. The same problems are what makes a comparison sharp: the difference of two scores of
 * one problem varies far less than either, and intervals of two separate results say little about it.
 *
 * Tests: versus_test.c
 */
#ifndef R1_EVAL_VERSUS_H
#define R1_EVAL_VERSUS_H

#include "eval/eval.h"

/* Compare the runs in two folders, from run.json and samples.jsonl alone. *out (docs/cli/r1-eval.md) has an object for each task both
 * have, and "warnings": what makes them unequal (other items, other questions or options, samples that are missing).
 * Errors: R1_EIO, R1_EFORMAT (names the file), R1_EINVAL (no task in common), R1_ENOMEM. */
r1_status r1_versus(const char *a, const char *b, uint64_t seed, json_t **out, r1_error *err) R1_MUST_CHECK;

#endif
