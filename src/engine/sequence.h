/* sequence: one generation as a machine that somebody else steps, alone (r1_generate) or with others (the scheduler).
 *
 *   READING   tokens of the prompt, or of a sequence that was put back, wait to be run
 *   READY     there are logits: _choose the next token, _accept it
 *   WAITING   a token was chosen and waits to be run
 *   ENDED     _finish it
 *
 * Whoever steps asks each READING or WAITING sequence for its row (_next), runs the rows, gives them back (_took), and then lets
 * every READY one _choose and _accept until none is READY. _choose may run on any thread beside those of other sequences; it
 * calls nobody. Everything else belongs to one thread and may call the request's callbacks.
 *
 * Guessing ahead (lookup.h, draft.h): a step runs the token chosen last and some guesses behind it, and gives logits after each.
 * Then everything goes on as without guesses, a token at a time: sampler, callbacks, reasoning machine. A chosen token that is
 * the next guess was run already and its logits are there; another one ends the row, and what was run behind it is forgotten.
 * A row of a batch step gives the bits of single steps, so nobody can see the difference: the session's length counts guesses
 * only when they have come true, also for callbacks that look at it.
 *
 * Tests: generate_test.c, speculation_test.c, scheduler_test.c
 */
#ifndef R1_ENGINE_SEQUENCE_H
#define R1_ENGINE_SEQUENCE_H

#include "engine/engine_int.h"
#include "text/reasoning.h"

typedef enum r1_sequence_state { R1_SEQUENCE_READING, R1_SEQUENCE_READY, R1_SEQUENCE_WAITING, R1_SEQUENCE_ENDED } r1_sequence_state;

typedef struct r1_sequence {
    /* The caller's, set before _start. */
    r1_session *s;
    const int32_t *prompt; size_t n_prompt; /* what comes after the session's tokens */
    const r1_generate_options *o;
    r1_generation *out;
    r1_error *err;                          /* may be NULL */
    /* Read only. */
    r1_sequence_state state;
    r1_status status;                       /* of an ended one */
    size_t max_tokens, max_guesses;
    /* Its own. */
    const int32_t *read; size_t n_read, n_to_read; /* what is being read, and how much of it is */
    r1_sampler *sampler;
    r1_reasoning *reasoning;                /* NULL: the model has no tokenizer */
    const float *logits;                    /* the row the next token is chosen from */
    r1_sample chosen;
    r1_status choice;                       /* of _choose */
    int32_t ahead[1 + R1_DRAFT_MAX];        /* the last step: a token, then guesses */
    size_t n_ahead, i_ahead;                /* guesses of it, and how many have come true */
    r1_match match;                         /* of the end of all tokens so far */
    bool guessing, put_back;
    double begun, answering;                /* when reading began and when it was done */
} r1_sequence;

/* Errors: as r1_generate, nothing was run. The caller calls _finish also after an error. */
r1_status r1_sequence_start(r1_sequence *q) R1_MUST_CHECK;

/* Take the first n tokens of the prompt from a session that has them: to an empty session, before the first step. At least one
 * token must be left to read. */
void r1_sequence_share(r1_sequence *q, const r1_session *from, size_t n);

/* Whether to guess ahead from now on; while READING or WAITING. Errors: R1_ENOMEM; it does not guess then. */
r1_status r1_sequence_guess(r1_sequence *q, bool on) R1_MUST_CHECK;

/* Its row of the next step: at most `most` tokens of what it reads, or the chosen token and at most `guesses` behind it. The
 * caller sets row->logits, which must stay until nothing is READY. False: on_prefill has ended it. */
bool r1_sequence_next(r1_sequence *q, size_t most, size_t guesses, r1_batch_row *row);
/* The row was run. seconds: how long that took when it was alone, else 0. */
void r1_sequence_took(r1_sequence *q, const r1_batch_row *row, double seconds);

void r1_sequence_choose(r1_sequence *q);
void r1_sequence_accept(r1_sequence *q);

/* Give its pages away and read its tokens again, while READING or WAITING. Nothing of the result changes. */
void r1_sequence_put_back(r1_sequence *q);

/* End it, with R1_ECANCELLED or an error whose sentence is in *q->err. */
void r1_sequence_end(r1_sequence *q, r1_status s);

/* What there is goes to *q->out; the session holds prompt and generated tokens but the last, as far as they were run. Returns the
 * status of the generation; to have been cancelled is no error. */
r1_status r1_sequence_finish(r1_sequence *q);
/* Without a result and without a call; *q->out keeps what it holds. Also after _finish, and of a zeroed one. */
void r1_sequence_abandon(r1_sequence *q);

#endif
