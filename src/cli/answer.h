/* answer: one answer of a model, shown while it is made. Used by the one-shot `r1 run` and by its chat.
 *
 * The answer goes to standard output: as Markdown on a terminal with colour, byte for byte into a pipe. Thinking goes to
 * standard error, with --think show to standard output. On a terminal that shows both the same way a line above
 * each says which it is.
 */
#ifndef R1_CLI_ANSWER_H
#define R1_CLI_ANSWER_H

#include "cli/cli.h"

typedef struct r1_answer {
    r1_generation g;
    size_t n_prompt, n_cached;   /* tokens of the prompt, and how many of them the session already had */
    size_t n_read;               /* how many were read for this answer: less than the rest when it was stopped before */
    bool chat;                   /* set by the caller: what is said names what a chat can do */
    bool stopped;                /* by Ctrl-C; what was made so far is in g */
    bool full;                   /* the context has no room for another token */
} r1_answer;

/* Whether a conversation of n tokens and the beginning of an answer fit. Errors: R1_ELIMIT says what can be done. */
r1_status r1_answer_fits(size_t n, const r1_setup *u, bool chat, r1_error *err) R1_MUST_CHECK;

/* Answer the conversation `ids`: the session keeps what it shares with them and reads the rest. The caller calls
 * r1_answer_deinit also after an error. Errors: as r1_generate; too long a prompt says what can be done. */
r1_status r1_answer_make(r1_answer *a, r1_cli *c, r1_setup *u, const int32_t *ids, size_t n, const r1_sampling *sampling, r1_error *err) R1_MUST_CHECK;
void r1_answer_deinit(r1_answer *a);

/* A line of numbers on standard error. */
void r1_answer_stats(const r1_answer *a, const r1_cli *c);
/* What a reader must know of how it ended: the budget closed the thought, the length was reached, a loop was stopped. */
void r1_answer_remarks(const r1_answer *a, const r1_cli *c);

const char *r1_finish_name(r1_finish f);

#endif
