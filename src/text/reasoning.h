/* reasoning: the state machine on token ids that alone decides what is thinking and what is answer (design section 5).
 *
 * It is started from the prompt's own ids and sees every sampled id. It decides to which part a token belongs, when the
 * thinking budget closes the thought (a soft notice, then a forced </think>), when a loop is closed, what the stop
 * strings match, and it turns tokens into text that is never taken back. Streaming and whole results are the same by
 * construction: any chunking gives the same parts, and no tag is ever part of either.
 *
 * Where a vocabulary has <think> and </think> as tokens, only these ids count: the same letters spelled by other tokens
 * are text. Where it has not, the tags are matched in the decoded text.
 *
 * Tags      </think> ends the thought. <think> begins one when nothing has been answered yet and no thought was closed by
 *           force; two thoughts are joined by a blank line. Any other tag is left out, and the text around it stays where it is.
 * Space     White space around tags belongs to no part: a part begins with its first other character, and white space at the
 *           end of a thought waits until more follows; it is let go at the tag, and given out when the turn ends without one.
 *           A turn that continues text of the prompt begins as it is. (White space is that of ASCII.)
 * Control   tokens never become text. Characters are always whole; what is no UTF-8 becomes U+FFFD.
 * Budget    Shortly before it is spent, "I have to answer now." is put into the thought, once, with room for a sentence after
 *           it (not where the budget is too small for that). When it is spent, "\n</think>\n\n" is forced; a character
 *           that is half there may be ended first. After that no <think> begins a thought.
 * Loops     A block of 1 to 256 tokens that comes 8 times or more in a row, over 256 tokens of thinking or 1,024 of answer;
 *           a block of at most 8 different tokens (rulers, tables of zeros) over 1,024 or 4,096. A thought is then closed as
 *           if its budget were spent; an answer ends.
 * Stop      strings are looked for in the answer, across tokens. The one that is complete first counts, of several the longest.
 *
 * Tests: reasoning_test.c (a slow oracle on whole strings), tests/fuzz/fuzz_reasoning.c.
 */
#ifndef R1_TEXT_REASONING_H
#define R1_TEXT_REASONING_H

#include "base/base.h"
#include "text/tokenizer.h"

#define R1_STOP_MAX 16
#define R1_STOP_BYTES_MAX 256
#define R1_PART_BYTES_MAX ((size_t)64 << 20) /* of the text of one part */

typedef struct r1_reasoning r1_reasoning;

typedef struct r1_reasoning_options {
    bool off;                  /* everything is answer, tags are text, no white space is left out; stop strings and loops count */
    long think_budget;         /* tokens; < 0: none. 0: the thought is closed before its first token */
    bool no_loop_guard;
    bool ignore_eos;           /* an end token is neither text nor the end */
    const char *const *stop; size_t n_stop;
    bool (*on_text)(void *ctx, r1_part part, const char *text, size_t n); /* may be NULL; false: stop asked */
    void *ctx;
} r1_reasoning_options;

/* Start after a prompt: thinking if its last <think> has no </think> after it. Only what follows the prompt's last other added
 * token (a role or the end of a turn) is looked at. Errors: R1_EINVAL for a stop string that is empty, too long or not UTF-8,
 * or too many; R1_ENOMEM. Borrows the tokenizer; copies the options, stop strings included. Time: O(n). */
r1_status r1_reasoning_new(r1_reasoning **out, const r1_tokenizer *t, const int32_t *prompt, size_t n,
                           const r1_reasoning_options *o, r1_error *err) R1_MUST_CHECK;
void r1_reasoning_free(r1_reasoning *r);

/* Before sampling the next token: the id to use instead of a sampled one (the soft notice of a budget, a forced </think>), or -1. */
int32_t r1_reasoning_forced(r1_reasoning *r);

/* The next token, sampled or forced. After it: ask _done; tokens after the end are ignored. Errors: R1_ENOMEM, R1_ELIMIT for a
 * part over R1_PART_BYTES_MAX, R1_ECANCELLED when on_text returned false. Time: O(1) and O(bytes of the token), amortised. */
r1_status r1_reasoning_accept(r1_reasoning *r, int32_t id, r1_error *err) R1_MUST_CHECK;

typedef enum r1_reasoning_end { R1_END_NONE, R1_END_EOG, R1_END_STOP_STRING, R1_END_LOOP } r1_reasoning_end;
r1_reasoning_end r1_reasoning_done(const r1_reasoning *r);

/* No more tokens: flush held-back text. Also after an end; a second call does nothing. Errors: as _accept. */
r1_status r1_reasoning_finish(r1_reasoning *r, r1_error *err) R1_MUST_CHECK;

r1_part r1_reasoning_part(const r1_reasoning *r);                        /* of the next token */
size_t r1_reasoning_thinking_tokens(const r1_reasoning *r);              /* without tags' ids and a forced close */
bool r1_reasoning_budget_closed(const r1_reasoning *r);
bool r1_reasoning_loop_closed(const r1_reasoning *r);                    /* the guard closed a thought or ended an answer */
const r1_buf *r1_reasoning_text(const r1_reasoning *r, r1_part part);    /* all text so far */

#endif
