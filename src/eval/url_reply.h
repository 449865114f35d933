/* url_reply: the words exchanged with a server of the OpenAI dialect: addresses, requests, replies. No network here.
 *
 * Tests: url_reply_test.c, tests/fuzz/fuzz_url_reply.c
 */
#ifndef R1_EVAL_URL_REPLY_H
#define R1_EVAL_URL_REPLY_H

#include "eval/source.h"

/* The address of a route ("chat/completions", "models") below a base: "http://h:1" gains "/v1/ROUTE", ".../v1" gains "/ROUTE",
 * ".../v1/chat/completions" is its own base. The caller frees *out.
 * Errors: R1_EINVAL when it does not begin with http:// or https://, has no host, or has a user's name in it. */
r1_status r1_url_route(const char *base, const char *route, char **out, r1_error *err) R1_MUST_CHECK;

/* The body of a request; the caller frees *out. Only what is not at its usual value is sent of top_k, min_p and think_budget
 * (thinking_budget), which not all servers know. Errors: R1_ENOMEM, R1_EFORMAT (a prompt that is no UTF-8). */
r1_status r1_url_request(const r1_url_options *o, const r1_ask *ask, char **out, r1_error *err) R1_MUST_CHECK;

/* Read a reply into *answer. reasoning_content, or `reasoning`, is the thinking; without one, what stands before </think> in the
 * content is (the opening tag may be missing: many templates write it into the prompt), and a thought that is not closed has no
 * answer after it. White space around the parts is left out then.
 * Errors: R1_EFORMAT, R1_ENOMEM; *answer is then as it was. */
r1_status r1_url_reply(const char *text, size_t n, r1_eval_sample *answer, r1_error *err) R1_MUST_CHECK;

/* The sentence in an error's body, or its first bytes, into out[cap]. */
void r1_url_complaint(const char *text, size_t n, char *out, size_t cap);

/* The names of the models in the reply to /models, or NULL. A JSON array of strings. */
json_t *r1_url_models(const char *text, size_t n);

/* Seconds to wait before try number `tries` + 1 (tries >= 1): doubling from 1 to 60, times 0.5 to 1 by `random` (0..1); at least
 * what the server asked for (retry_after, < 0: nothing), but never over 300. */
double r1_url_wait(int tries, double retry_after, double random);

#endif
