/* reasoning: the state machine on token ids that alone decides what is thinking and what is answer (design section 5).
 *
 * It is started from the prompt's own ids and sees every sampled id. It decides to which part a token belongs, when the
 * thinking budget closes the thought (a soft notice, then a forced </think>), when a loop is closed, what the stop
 * strings match, and it turns tokens into text that is never taken back. Streaming and whole results are the same by
 * construction: any chunking gives the same parts, and no tag is ever part of either.
 *
 * Where a vocabulary has <think> and </think> as tokens, only these ids count: the same letters spelled by other tokens
 * are text. Where it has not, the tags are matched in the decoded text.
 */
#ifndef R1_TEXT_REASONING_H
#define R1_TEXT_REASONING_H

#include "base/base.h"
#include "text/tokenizer.h"

#define R1_STOP_MAX 16
#define R1_STOP_BYTES_MAX 256

typedef struct r1_reasoning r1_reasoning;

typedef struct r1_reasoning_options {
    bool off;                  /* everything is answer, tags are text */
    long think_budget;         /* tokens; < 0: none. 0: the thought is closed before its first token */
    bool no_loop_guard;
    bool ignore_eos;           /* an end token is neither text nor the end */
    const char *const *stop; size_t n_stop;
    bool (*on_text)(void *ctx, r1_part part, const char *text, size_t n); /* may be NULL; false: stop asked */
    void *ctx;
} r1_reasoning_options;

/* Start after a prompt: thinking if its last <think> has no </think> after it. Errors: R1_EINVAL for a stop string that is
 * empty or too long; R1_ENOMEM. Borrows the tokenizer; copies the options, stop strings included. */
r1_status r1_reasoning_new(r1_reasoning **out, const r1_tokenizer *t, const int32_t *prompt, size_t n,
                           const r1_reasoning_options *o, r1_error *err) R1_MUST_CHECK;
void r1_reasoning_free(r1_reasoning *r);

/* Before sampling the next token: the id to use instead of a sampled one (the soft notice of a budget, a forced </think>), or -1. */
int32_t r1_reasoning_forced(r1_reasoning *r);

/* The next token, sampled or forced. After it: ask _done. Errors: R1_ENOMEM, R1_ECANCELLED when on_text returned false. */
r1_status r1_reasoning_accept(r1_reasoning *r, int32_t id, r1_error *err) R1_MUST_CHECK;

typedef enum r1_reasoning_end { R1_END_NONE, R1_END_EOG, R1_END_STOP_STRING, R1_END_LOOP } r1_reasoning_end;
r1_reasoning_end r1_reasoning_done(const r1_reasoning *r);

/* No more tokens: flush held-back text. */
r1_status r1_reasoning_finish(r1_reasoning *r, r1_error *err) R1_MUST_CHECK;

r1_part r1_reasoning_part(const r1_reasoning *r);                        /* of the next token */
size_t r1_reasoning_thinking_tokens(const r1_reasoning *r);              /* tags not counted */
bool r1_reasoning_budget_closed(const r1_reasoning *r);
bool r1_reasoning_loop_closed(const r1_reasoning *r);
const r1_buf *r1_reasoning_text(const r1_reasoning *r, r1_part part);    /* all text so far */

#endif
