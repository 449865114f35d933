/* The answer checker and the code checker as rewards, and the public functions of libr1. */
#include "reward/reward.h"
#include "reward/code/code.h"
#include "reward/math/math.h"

#include <math.h>

/* ---- mathematics ---- */

r1_status r1_reward_math(r1_span gold, r1_span text, bool is_response, r1_verdict *v, r1_error *err)
{
    r1_math_verdict m;
    *v = (r1_verdict){ 0 };
    r1_status s = r1_math_verify(gold.p, gold.n, text.p, text.n, is_response ? R1_MATH_RESPONSE : R1_MATH_ANSWER, NULL, &m, err);
    if (s) return s;
    s = r1_verdict_set(v, m.equal, r1_math_reason_name(m.reason), r1_span_of(m.extracted), err);
    v->cpu_ms = m.cpu_ms;
    r1_math_verdict_deinit(&m);
    return s;
}

/* ---- code ---- */

/* peak_mb: in tenths, which is as fine as it is measured. */
static json_t *details_of(const r1_code_result *r)
{
    return json_pack("{s:I, s:I, s:f, s:s, s:s}", "tests_passed", (json_int_t)r->tests_passed, "tests", (json_int_t)r->tests, "peak_mb", round(10 * r->peak_mb) / 10,
                     "stdout_tail", r->stdout_tail, "stderr_tail", r->stderr_tail);
}

static bool is_cancelled(void *ctx)
{
    const r1_reward_options *o = ctx;
    return !o->go_on(o->ctx);
}

/* The caller's checker, or one of our own, which is *to_close. */
static r1_status find_checker(const r1_reward_options *o, r1_code_checker **out, r1_code_checker **to_close, r1_error *err)
{
    *to_close = NULL;
    *out = o ? o->code : NULL;
    if (*out) return R1_OK;
    r1_code_options options = { .cancelled = o && o->go_on ? is_cancelled : NULL, .ctx = (void *)(uintptr_t)o };
    r1_status s = r1_code_checker_open(to_close, &options, err);
    *out = *to_close;
    return s;
}

r1_status r1_reward_code_without(const struct r1_code_task *t, const char *word, const char *reason, r1_verdict *v, r1_error *err)
{
    *v = (r1_verdict){ 0 };
    r1_status s = r1_verdict_set(v, false, reason, (r1_span){ NULL, 0 }, err);
    v->word = word;
    return s ? s : r1_verdict_details(v, json_pack("{s:i, s:I, s:f, s:s, s:s}", "tests_passed", 0, "tests", (json_int_t)t->n_tests, "peak_mb", 0.0, "stdout_tail", "",
                                                   "stderr_tail", ""), err);
}

r1_status r1_reward_code(const r1_reward_options *o, const struct r1_code_task *t, r1_span solution, r1_verdict *v, r1_error *err)
{
    r1_code_checker *checker, *to_close;
    r1_error why = { 0 };
    *v = (r1_verdict){ 0 };
    r1_status s = find_checker(o, &checker, &to_close, err);
    if (s) return s;
    r1_code_result *r = calloc(1, sizeof *r); /* too large for the stack of a thread */
    s = r ? r1_code_verify(checker, t, solution.p, solution.n, r, &why) : r1_fail(&why, R1_ENOMEM, "no memory for a verdict");
    if (s == R1_ELIMIT) { /* what a model wrote is never an error */
        s = r1_reward_code_without(t, r1_code_verdict_name(R1_CODE_COMPILE_ERROR), why.msg, v, err);
    } else if (s) {
        s = r1_fail(err, s, "%s", why.msg);
    } else {
        s = r1_verdict_set(v, r->verdict == R1_CODE_PASS, r->reason, (r1_span){ NULL, 0 }, err);
        v->word = r1_code_verdict_name(r->verdict);
        v->cpu_ms = r->cpu_ms;
        if (s == R1_OK) s = r1_verdict_details(v, details_of(r), err);
    }
    if (s) r1_verdict_deinit(v);
    free(r);
    r1_code_checker_close(to_close);
    return s;
}

/* ---- the public functions ---- */

r1_status r1_verify_math(const char *gold, const char *text, r1_verify_mode mode, r1_verdict *out, r1_error *err)
{
    *out = (r1_verdict){ 0 };
    if (!gold || !text) return r1_fail(err, R1_EINVAL, "there is no %s", gold ? "answer" : "gold answer");
    return r1_reward_math(r1_span_of(gold), r1_span_of(text), mode == R1_VERIFY_RESPONSE, out, err);
}

r1_status r1_verify_code(const char *task, size_t n_task, const char *solution, size_t n, r1_verdict *out, r1_error *err)
{
    r1_code_task *t;
    *out = (r1_verdict){ 0 };
    r1_status s = r1_code_task_parse_text(&t, task, n_task, err);
    if (s) return s;
    s = r1_reward_code(NULL, t, (r1_span){ solution, n }, out, err);
    r1_code_task_free(t);
    return s;
}

r1_status r1_verify_item(const char *json, size_t n, r1_verdict *out, r1_error *err)
{
    json_t *item;
    *out = (r1_verdict){ 0 };
    r1_status s = r1_json_parse(&item, json, n, err);
    if (s) return s;
    s = r1_reward_check(NULL, item, out, err);
    json_decref(item);
    return s;
}
