/* eval_print: what `r1 eval` shows: results as tables, the live line. Tables are made from summary.json's object alone. */
#ifndef R1_CLI_EVAL_PRINT_H
#define R1_CLI_EVAL_PRINT_H

#include "cli/cli.h"
#include "eval/runner.h"

void r1_eval_print_summary(const json_t *summary);
void r1_eval_print_versus(const json_t *comparison);
r1_status r1_eval_print_list(const char *data, const char *usual, bool json, r1_error *err) R1_MUST_CHECK;

/* The live line on a terminal: done, score, speed, what is left. _end takes it away. */
typedef struct r1_eval_line { const r1_term *term; bool quiet, shown; double drawn; } r1_eval_line;
void r1_eval_line_draw(r1_eval_line *l, const r1_eval_progress *p);
void r1_eval_line_end(r1_eval_line *l);

#endif
