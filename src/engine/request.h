/* request: one request in JSON, from outside: what to answer, and how. A line of `r1 batch`, an item of `r1 eval`.
 *
 *   {"id": "a1", "prompt": "Why is the sky blue?", "temperature": 0, "max_tokens": 200}
 *
 * id        a string of at most R1_ASK_ID_MAX bytes, or an integer
 * prompt    one message of a user; or messages, an array as chat templates take it
 * and       temperature, top_p, top_k (-1 or 0: off), min_p, seed, max_tokens, stop (a string or an array), repetition_penalty,
 *           presence_penalty, frequency_penalty, penalty_window, logit_bias ({"13": -5}), think_budget, ignore_eos
 *
 * null is as if the field were not there; any other field is an error that names it. What is not given is that of the caller's
 * options. Values out of range are found here or by r1_generate.
 * Tests: request_test.c, tests/fuzz/fuzz_request.c
 */
#ifndef R1_ENGINE_REQUEST_H
#define R1_ENGINE_REQUEST_H

#include "base/json.h"

#define R1_ASK_ID_MAX 256
#define R1_ASK_BIAS_MAX 1024

typedef struct r1_ask {
    char *id;                     /* as JSON: "\"a1\"" or "7"; NULL when there is none */
    bool seed_given;
    r1_generate_options options;  /* stop and bias live in the r1_ask, or are the caller's */
    json_t *json;                 /* the whole of it */
    const char **stop;
    r1_logit_bias *bias;
} r1_ask;

/* Errors: R1_EFORMAT, R1_ENOMEM. *out then has nothing but the id, when that was found: the caller calls _deinit after errors too. */
r1_status r1_ask_parse(r1_ask *out, const char *text, size_t n, const r1_generate_options *usual, r1_error *err) R1_MUST_CHECK;
void r1_ask_deinit(r1_ask *a);

/* The conversation as ids (r1_chat_ids), with a system message before it when `system` is not NULL and it has none. template: a
 * name, or NULL for the model's own. The caller frees *ids. */
r1_status r1_ask_ids(const r1_ask *a, const r1_model *m, const char *template, const char *system, int32_t **ids, size_t *n, r1_error *err) R1_MUST_CHECK;

/* A seed for a text (an id) that follows from another one; below 2^63. The same on every machine, for ever. */
uint64_t r1_seed_of(uint64_t seed, const char *text, size_t n);

#endif
