/* Answers to their checkers. */
#define _GNU_SOURCE
#include "eval/grade.h"
#include "eval/statistics.h"
#include "reward/code/code.h"
#include "reward/math/math.h"
#include "reward/reward.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

struct r1_grader {
    r1_grade_options o;
    pthread_mutex_t lock;        /* guards code while it is opened */
    sem_t places;                /* for programs, when their number is bounded */
    r1_code_checker *code;       /* NULL until code is judged: opening it looks for interpreters */
};

static r1_status set_text(char **to, const char *text, size_t n, r1_error *err)
{
    free(*to);
    *to = strndup(text, n);
    return *to ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for a verdict");
}

static r1_status verdict(r1_eval_sample *s, bool right, const char *reason, r1_error *err)
{
    s->verdict = right;
    return set_text(&s->reason, reason, strlen(reason), err);
}

static r1_status grade_math(const r1_item *item, r1_eval_sample *s, r1_error *err)
{
    r1_math_verdict v;
    r1_status st = r1_math_verify(item->gold, strlen(item->gold), s->content, strlen(s->content), R1_MATH_RESPONSE, NULL, &v, err);
    if (st) return st;
    st = verdict(s, v.equal, r1_math_reason_name(v.reason), err);
    if (st == R1_OK && v.extracted) st = set_text(&s->extracted, v.extracted, strlen(v.extracted), err);
    r1_math_verdict_deinit(&v);
    return st;
}

/* By r1_reward_check; takes the fields over. */
static r1_status grade_by_fields(json_t *fields, r1_eval_sample *s, r1_error *err)
{
    r1_verdict v;
    json_t *response = json_string(s->content);
    if (!fields || !response || json_object_set_new(fields, "response", response)) {
        json_decref(fields);
        return r1_fail(err, response ? R1_ENOMEM : R1_EFORMAT, "the answer is no UTF-8");
    }
    r1_status st = r1_reward_check(NULL, fields, &v, err);
    json_decref(fields);
    if (st) return st;
    st = verdict(s, v.right, v.reason, err);
    if (st == R1_OK && v.extracted) st = set_text(&s->extracted, v.extracted, strlen(v.extracted), err);
    r1_verdict_deinit(&v);
    return st;
}

static json_t *choice_fields(const r1_item *item)
{
    json_t *list = json_array(), *o = json_pack("{s:s, s:s}", "kind", "choice", "gold", item->gold);
    int bad = !o || !list;
    for (size_t i = 0; i < item->n_choices && !bad; i++) bad |= json_array_append_new(list, json_string(item->choices[i]));
    if (!bad) bad |= json_object_set(o, "choices", list);
    json_decref(list);
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

static json_t *countdown_fields(const r1_item *item)
{
    return json_pack("{s:s, s:O, s:O}", "kind", "countdown", "nums", json_object_get(item->fields, "nums"), "target", json_object_get(item->fields, "target"));
}

/* ---- code ------------------------------------------------------------------------------------------------------ */

/* Lines of a list of strings. */
static r1_status add_lines(r1_buf *b, const json_t *list, r1_error *err)
{
    r1_status s = R1_OK;
    for (size_t i = 0; i < json_array_size(list) && s == R1_OK; i++) s = r1_buf_addf(b, err, "%s\n", json_string_value(json_array_get(list, i)));
    return s;
}

/* A text as a literal of Python: that of JSON, whose escapes Python knows, surrogate pairs aside, which are not made. */
static r1_status add_literal(r1_buf *b, const char *text, r1_error *err)
{
    json_t *v = json_string(text);
    char *literal = v ? json_dumps(v, JSON_ENCODE_ANY) : NULL;
    r1_status s = literal ? r1_buf_adds(b, literal, err) : r1_fail(err, R1_ENOMEM, "no memory for a test");
    free(literal);
    json_decref(v);
    return s;
}

/* Tests of {input, output}: a line of JSON for each argument, and the result as JSON. Python alone. */
static r1_status call_tests(const r1_item *item, r1_buf *b, r1_error *err)
{
    const json_t *tests = json_object_get(item->fields, "tests");
    const char *checker = json_string_value(json_object_get(item->fields, "checker"));
    r1_status s = r1_buf_adds(b, "import json\n\ndef _same(a, b):\n    if isinstance(a, tuple): a = list(a)\n    if isinstance(a, list) and isinstance(b, list):\n"
                                 "        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b))\n", err);
    if (s == R1_OK && checker) /* float:E, as items.c has made sure */
        s = r1_buf_addf(b, err, "    if type(a) in (int, float) and type(b) in (int, float) and a != b:\n"
                                "        return abs(a - b) <= %s * max(1, abs(b)) < float('inf')\n", checker + 6);
    if (s == R1_OK) s = r1_buf_adds(b, "    return a == b\n\ndef check(candidate):\n", err);
    for (size_t i = 0; i < json_array_size(tests) && s == R1_OK; i++) {
        const json_t *t = json_array_get(tests, i);
        s = r1_buf_adds(b, "    assert _same(candidate(*[json.loads(x) for x in ", err);
        if (s == R1_OK) s = add_literal(b, json_string_value(json_object_get(t, "input")), err);
        if (s == R1_OK) s = r1_buf_adds(b, ".split('\\n') if x.strip()]), json.loads(", err);
        if (s == R1_OK) s = add_literal(b, json_string_value(json_object_get(t, "output")), err);
        if (s == R1_OK) s = r1_buf_adds(b, "))\n", err);
    }
    return s;
}

static r1_status function_test(const r1_item *item, r1_buf *b, r1_error *err)
{
    const json_t *list = json_object_get(item->fields, "test_list"), *test = json_object_get(item->fields, "test");
    if (json_is_string(test)) return r1_buf_adds(b, json_string_value(test), err);
    if (!list) return call_tests(item, b, err);
    r1_status s = add_lines(b, json_object_get(item->fields, "test_imports"), err);
    return s ? s : add_lines(b, list, err);
}

static bool in_class(const r1_item *item)
{
    const char *starter = json_string_value(json_object_get(item->fields, "starter_code"));
    return starter && strstr(starter, "class Solution");
}

/* Only HumanEval's problems are code that the solution goes on from. */
static const char *code_prompt(const r1_item *item)
{
    const json_t *o = item->fields;
    return json_is_string(json_object_get(o, "test")) && json_is_string(json_object_get(o, "entry_point")) && !json_object_get(o, "starter_code") ? item->problem : "";
}

/* The tests of a program, with nothing but what a task file may have. */
static json_t *program_tests(const r1_item *item)
{
    const json_t *tests = json_object_get(item->fields, "tests");
    json_t *out = json_array();
    for (size_t i = 0; out && i < json_array_size(tests); i++) {
        json_t *t = json_array_get(tests, i);
        bool plain = json_is_string(json_object_get(t, "stdin")) && json_is_string(json_object_get(t, "stdout"));
        if (json_array_append_new(out, json_pack("{s:O, s:O}", "stdin", json_object_get(t, plain ? "stdin" : "input"), "stdout", json_object_get(t, plain ? "stdout" : "output")))) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

r1_status r1_grade_code_task(const r1_item *item, json_t **out, r1_error *err)
{
    static const char *const limits[] = { "time_limit_s", "memory_limit_mb", "output_limit_kb", "checker" };
    bool program = item->check == R1_EVAL_STDIO;
    json_t *o = json_pack("{s:s, s:s}", "kind", program ? "stdio" : "function", "language", item->language);
    const char *entry = json_string_value(json_object_get(item->fields, "entry_point"));
    int bad = !o;
    r1_status s = R1_OK;
    if (program) {
        bad |= bad || json_object_set_new(o, "tests", program_tests(item));
    } else {
        r1_buf test;
        r1_buf_init(&test, R1_ITEM_BYTES_MAX * 2);
        s = function_test(item, &test, err);
        bad |= bad || json_object_set_new(o, "prompt", json_string(code_prompt(item))) || json_object_set_new(o, "test", json_string(test.data ? test.data : ""));
        if (entry) bad |= bad || json_object_set_new(o, "entry_point", json_string(in_class(item) ? "_entry" : entry));
        r1_buf_deinit(&test);
    }
    if (item->usual_imports) bad |= bad || json_object_set_new(o, "usual_imports", json_true());
    for (size_t i = 0; i < R1_COUNT(limits) && !bad; i++) {
        json_t *v = json_object_get(item->fields, limits[i]);
        if (v && !json_is_null(v) && (program || i < 3)) bad |= json_object_set(o, limits[i], v);
    }
    if (s == R1_OK && bad) s = r1_fail(err, R1_ENOMEM, "no memory for the task of an item");
    if (s) json_decref(o);
    *out = s ? NULL : o;
    return s;
}

/* A method of a class becomes a function of its own. */
static r1_status add_entry(const r1_item *item, r1_buf *code, r1_error *err)
{
    if (item->check != R1_EVAL_FUNCTION || !in_class(item)) return R1_OK;
    return r1_buf_addf(code, err, "\n\ndef _entry(*a):\n    return Solution().%s(*a)\n", json_string_value(json_object_get(item->fields, "entry_point")));
}

static r1_status code_checker(r1_grader *g, r1_code_checker **out, r1_error *err)
{
    r1_code_options o = { .allow_weaker = g->o.allow_weaker, .cancelled = g->o.cancelled, .ctx = g->o.ctx };
    pthread_mutex_lock(&g->lock);
    r1_status s = g->code ? R1_OK : r1_code_checker_open(&g->code, &o, err);
    *out = g->code;
    pthread_mutex_unlock(&g->lock);
    return s;
}

static r1_status run_in_place(r1_grader *g, r1_code_checker *checker, const r1_code_task *t, const r1_buf *code, r1_code_result *r, r1_error *err)
{
    while (g->o.programs && sem_wait(&g->places) && errno == EINTR) {}
    r1_status s = r1_code_verify(checker, t, code->data, code->len, r, err);
    if (g->o.programs) sem_post(&g->places);
    return s;
}

static r1_status run_code(r1_grader *g, const r1_item *item, const r1_code_task *t, r1_eval_sample *s, r1_error *err)
{
    char *code;
    size_t n;
    r1_code_checker *checker;
    r1_code_task wanted = *t; /* of a method, its class is what an answer defines */
    if (item->check == R1_EVAL_FUNCTION && in_class(item)) wanted.entry_point = (r1_code_text){ "Solution", 8 };
    r1_status st = r1_code_extract(&wanted, s->content, strlen(s->content), &code, &n, err);
    if (st) return st;
    if (!code) return verdict(s, false, "no_code", err);
    st = set_text(&s->extracted, code, n, err);
    r1_buf whole;
    r1_buf_init(&whole, R1_ITEM_BYTES_MAX);
    if (st == R1_OK) st = r1_buf_add(&whole, code, n, err);
    if (st == R1_OK) st = add_entry(item, &whole, err);
    free(code);
    r1_code_result *r = calloc(1, sizeof *r); /* too large for the stack of a thread */
    if (st == R1_OK && !r) st = r1_fail(err, R1_ENOMEM, "no memory for a verdict");
    if (st == R1_OK) st = code_checker(g, &checker, err);
    if (st == R1_OK) st = run_in_place(g, checker, t, &whole, r, err);
    if (st == R1_EFORMAT) st = r1_context(err, st, "item '%s'", item->id);
    else if (st == R1_ELIMIT) st = verdict(s, false, "too_long", err);
    else if (st == R1_OK && r->verdict == R1_CODE_UNSUPPORTED) st = r1_fail(err, R1_EUNSUPPORTED, "code cannot be checked here: %s", r->reason);
    else if (st == R1_OK) st = verdict(s, r->verdict == R1_CODE_PASS, r1_code_verdict_name(r->verdict), err);
    free(r);
    r1_buf_deinit(&whole);
    return st;
}

static r1_status parse_task(const r1_item *item, r1_code_task **t, r1_error *err)
{
    json_t *fields;
    *t = NULL;
    r1_status st = r1_grade_code_task(item, &fields, err);
    if (st) return st;
    st = r1_code_task_parse(t, fields, err);
    json_decref(fields);
    return st;
}

r1_status r1_grade_check(const r1_item *item, r1_error *err)
{
    r1_code_task *t;
    if (item->check != R1_EVAL_FUNCTION && item->check != R1_EVAL_STDIO) return R1_OK;
    r1_status st = r1_context(err, parse_task(item, &t, err), "item '%s'", item->id);
    if (st == R1_OK) r1_code_task_free(t);
    return st;
}

static r1_status grade_code(r1_grader *g, const r1_item *item, r1_eval_sample *s, r1_error *err)
{
    r1_code_task *t;
    r1_status st = parse_task(item, &t, err);
    if (st == R1_OK) st = run_code(g, item, t, s, err);
    r1_code_task_free(t);
    return st == R1_OK ? R1_OK : r1_context(err, st, "item '%s'", item->id);
}

/* ---- patches --------------------------------------------------------------------------------------------------- */

/* The last block that begins with ```diff or ```patch; without one, the text from the first line "diff --git" or "--- ". */
static r1_status take_patch(r1_eval_sample *s, r1_error *err)
{
    const char *p = s->content, *start = NULL, *end = NULL;
    while ((p = strstr(p, "```"))) {
        const char *line = strchr(p, '\n'), *close = line ? strstr(line, "\n```") : NULL;
        if (!strncmp(p, "```diff", 7) || !strncmp(p, "```patch", 8)) {
            start = close ? line + 1 : start;
            end = close ? close + 1 : end;
        }
        if (!close) break;
        p = close + 4;
    }
    for (p = s->content; !start && p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
        if (!strncmp(p, "diff --git ", 11) || !strncmp(p, "--- ", 4)) start = p;
    s->verdict = -1;
    if (!start) return set_text(&s->reason, "no_patch", 8, err);
    r1_status st = set_text(&s->extracted, start, end ? (size_t)(end - start) : strlen(start), err);
    return st ? st : set_text(&s->reason, "not_judged", 10, err);
}

/* ---------------------------------------------------------------------------------------------------------------- */

r1_status r1_grader_open(r1_grader **out, const r1_grade_options *o, r1_error *err)
{
    r1_grader *g = *out = calloc(1, sizeof *g);
    if (!g) return r1_fail(err, R1_ENOMEM, "no memory for a grader");
    if (o) g->o = *o;
    bool bounded = !g->o.programs || sem_init(&g->places, 0, (unsigned)g->o.programs) == 0;
    if (bounded && pthread_mutex_init(&g->lock, NULL) == 0) return R1_OK;
    if (bounded && g->o.programs) sem_destroy(&g->places);
    free(g);
    *out = NULL;
    return r1_fail(err, R1_ENOMEM, "no memory for a lock");
}

void r1_grader_close(r1_grader *g)
{
    if (!g) return;
    r1_code_checker_close(g->code);
    if (g->o.programs) sem_destroy(&g->places);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

r1_status r1_grade(r1_grader *g, const r1_item *item, r1_eval_sample *s, r1_error *err)
{
    free(s->extracted);
    s->extracted = NULL;
    s->verdict = 0;
    if (!s->content || !s->content[strspn(s->content, " \t\r\n")]) {
        bool cut = s->finish && !strcmp(s->finish, "length");
        r1_status st = verdict(s, false, cut ? "truncated" : "no_answer", err);
        if (item->check == R1_EVAL_PATCH) s->verdict = -1;
        return st;
    }
    switch (item->check) {
    case R1_EVAL_CHOICE: return grade_by_fields(choice_fields(item), s, err);
    case R1_EVAL_COUNTDOWN: return grade_by_fields(countdown_fields(item), s, err);
    case R1_EVAL_FUNCTION: case R1_EVAL_STDIO: return grade_code(g, item, s, err);
    case R1_EVAL_PATCH: return take_patch(s, err);
    case R1_EVAL_MATH: case R1_EVAL_BY_ITEM: break;
    }
    return grade_math(item, s, err);
}

r1_status r1_grade_group(r1_eval_check check, const char *const *answers, size_t n, int32_t *group, bool *can, r1_error *err)
{
    *can = check == R1_EVAL_MATH || check == R1_EVAL_CHOICE;
    if (check != R1_EVAL_MATH) {
        r1_group_texts(answers, n, group);
        return R1_OK;
    }
    r1_math_text *texts = calloc(n ? n : 1, sizeof *texts);
    if (!texts) return r1_fail(err, R1_ENOMEM, "no memory for a vote of %zu", n);
    for (size_t i = 0; i < n; i++)
        if (answers[i]) texts[i] = (r1_math_text){ answers[i], strlen(answers[i]) };
    r1_status s = r1_math_group(texts, n, NULL, group, err);
    free(texts);
    return s;
}
