/* question: what the model is asked, made from an item and a template.
 *
 * In a template {name} stands for a field of the item: a string as it is, a number in decimal, a list of strings as lines,
 * anything else as JSON. {{ and }} are braces. Some names are made here: {problem}, {choices} (lettered lines), {language},
 * {tests} (asserts of test_list, or the first examples of a program), {starter} (starter_code in a fenced block, or nothing).
 * The R1 protocol has no system message: the question is the whole conversation.
 * Tests: question_test.c
 */
#ifndef R1_EVAL_QUESTION_H
#define R1_EVAL_QUESTION_H

#include "eval/benchmark.h"

/* The template of a check when the benchmark has none of its own. */
const char *r1_question_template(const r1_benchmark *b, const r1_item *item);

/* Errors: R1_EFORMAT names a field the item has not, or a brace without partner; R1_ELIMIT (R1_QUESTION_BYTES_MAX); R1_ENOMEM. */
#define R1_QUESTION_BYTES_MAX ((size_t)16 << 20)
r1_status r1_question_make(const char *template, const r1_item *item, r1_buf *out, r1_error *err) R1_MUST_CHECK;

#endif
