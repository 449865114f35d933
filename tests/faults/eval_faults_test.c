/* eval survives the failure of each of its allocations: items, questions, logs, records, statistics, summaries, comparisons,
 * requests and replies, runs. */
#include "tests/faults/faults.h"
#include "eval/question.h"
#include "eval/run_test.h"
#include "eval/runner.h"
#include "eval/score.h"
#include "eval/statistics.h"
#include "eval/url_reply.h"
#include "eval/versus.h"

#include <math.h>

static r1_status parse_items(void *ctx, r1_error *err)
{
    static const char *const text[] = {
        "{\"id\":5,\"problem\":\"p\",\"answer\":7,\"level\":3}\n{\"problem\":\"q\",\"answer\":\"1\"}\n", "{\"id\":\"g\",\"problem\":\"p\",\"answer\":\"r\",\"incorrect\":[\"a\",\"b\"]}\n",
        "{\"id\":\"c\",\"problem\":\"p\",\"nums\":[1,2],\"target\":3}\n", "{\"id\":\"f\",\"problem\":\"p\",\"tests\":[{\"stdin\":\"\",\"stdout\":\"\"}],\"rating\":1500}\n" };
    (void)ctx;
    r1_status s = R1_OK;
    for (size_t i = 0; i < R1_COUNT(text) && s == R1_OK; i++) {
        r1_items t;
        r1_buf b;
        r1_benchmark any = *r1_benchmark_custom();
        r1_items_options o = { .task = "x" };
        s = r1_items_parse(&t, &any, &o, text[i], strlen(text[i]), err);
        r1_buf_init(&b, 1 << 20);
        if (s == R1_OK) s = r1_question_make(r1_question_template(&any, &t.items[0]), &t.items[0], &b, err);
        r1_buf_deinit(&b);
        r1_items_deinit(&t);
    }
    return s;
}

TEST(items_and_questions) { FAULTS_SWEEP(parse_items, NULL); }

static r1_status use_log(void *ctx, r1_error *err)
{
    small_run *r = ctx;
    r1_samples *l;
    char path[300];
    snprintf(path, sizeof path, "%s/samples.jsonl", r->folder);
    unlink(path);
    r1_status s = r1_samples_open(&l, r->folder, r->tasks, r->n_tasks, err);
    if (s) return s;
    r1_eval_sample a = { .item = 1, .finish = "stop", .content = (char *)"c", .extracted = (char *)"1", .reason = (char *)"x", .verdict = 1 }, b = { .error = (char *)"no" };
    s = r1_samples_add(l, &a, err);
    if (s == R1_OK) s = r1_samples_add(l, &b, err);
    if (s == R1_OK) s = r1_samples_sort(l, err);
    r1_samples_close(l);
    return s;
}

TEST(logs)
{
    small_run r = small_run_new(2, 1);
    FAULTS_SWEEP(use_log, &r);
    small_run_free(&r);
}

static r1_status use_plan(void *ctx, r1_error *err)
{
    small_run *r = ctx;
    r1_plan p;
    r1_run_task *tasks;
    char path[300];
    snprintf(path, sizeof path, "%s/set.jsonl", r->folder);
    r1_plan_init(&p);
    p.tasks[0] = path;
    p.n_tasks = 1;
    p.model = "m";
    r1_status s = r1_plan_open(&p, NULL, &tasks, err);
    if (s) return s;
    json_t *model = json_object(), *record = r1_plan_record(&p, tasks, model, "now"), *back = NULL;
    s = model && record ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory");
    if (s == R1_OK) s = r1_plan_write(r->folder, record, err);
    if (s == R1_OK) s = r1_plan_read(r->folder, &back, err);
    json_decref(model);
    json_decref(record);
    json_decref(back);
    r1_plan_close(tasks, 1);
    return s;
}

TEST(plans)
{
    small_run r = small_run_new(2, 1);
    small_write(&r, "set.jsonl", "{\"problem\":\"p\",\"answer\":\"1\"}\n");
    FAULTS_SWEEP(use_plan, &r);
    small_run_free(&r);
}

static r1_status estimate(void *ctx, r1_error *err)
{
    const double x[] = { 0, 1, 0.5 }, y[] = { 1, 1, 0 }, rating[] = { 1000, 1200, NAN };
    const uint32_t k[] = { 2, 2, 2 };
    const int32_t group[] = { 0, -1, 0 };
    const bool right[] = { true, false, true };
    r1_estimate e;
    r1_paired p;
    r1_vote v;
    r1_rating g;
    (void)ctx;
    r1_status s = r1_estimate_mean(&(r1_scores){ x, k, 3 }, 1, &e, err);
    if (s == R1_OK) s = r1_compare_scores(x, y, 3, 1, &p, err);
    if (s == R1_OK) s = r1_majority(group, right, 3, &v, err);
    if (s == R1_OK) s = r1_estimate_rating(x, rating, k, 3, 1, &g, err);
    return s;
}

TEST(estimates) { FAULTS_SWEEP(estimate, NULL); }

typedef struct scored { small_run run; r1_samples *log; json_t *record; } scored;

static r1_status summarise(void *ctx, r1_error *err)
{
    scored *c = ctx;
    json_t *out;
    r1_scored_run run = { c->record, c->run.tasks, c->run.n_tasks, c->log, 3, { 1, NAN }, 0, 0 };
    r1_status s = r1_score_run(&run, &out, err);
    if (s == R1_OK) s = r1_score_write(c->run.folder, out, err);
    json_decref(out);
    return s;
}

static r1_status compare(void *ctx, r1_error *err)
{
    scored *c = ctx;
    json_t *out;
    r1_status s = r1_versus(c->run.folder, c->run.folder, 1, &out, err);
    json_decref(out);
    return s;
}

TEST(summaries_and_comparisons)
{
    scored c = { .run = small_run_new(2, 2) };
    r1_error e = { 0 };
    r1_plan p;
    char why[512];
    r1_plan_init(&p);
    p.n_tasks = 1;
    p.url = "u";
    json_t *model = json_pack("{s:s}", "name", "m");
    c.record = r1_plan_record(&p, c.run.tasks, model, NULL);
    EXPECT_OK(r1_plan_write(c.run.folder, c.record, &e), &e);
    EXPECT_OK(r1_samples_open(&c.log, c.run.folder, c.run.tasks, 1, &e), &e);
    small_add(c.log, 0, 0, 1, "0", 9);
    small_add(c.log, 0, 1, 0, "3", 40);
    small_add(c.log, 1, 1, 1, "1", 20);
    faults_jansson(true);
    bool good = faults_try(summarise, &c, why);
    faults_jansson(false);
    EXPECT_MSG(good, "%s", why);
    FAULTS_SWEEP(compare, &c);
    r1_samples_close(c.log);
    json_decref(c.record);
    json_decref(model);
    small_run_free(&c.run);
}

static r1_status speak(void *ctx, r1_error *err)
{
    static const char reply[] = "{\"choices\":[{\"message\":{\"content\":\"<think>a</think>b\"}}]}", other[] = "{\"choices\":[{\"message\":{\"content\":\"b\",\"reasoning_content\":\"a\"}}]}";
    (void)ctx;
    char *address = NULL, *body = NULL;
    r1_url_options o = { .model = "m", .sampling = { .top_k = 3, .think_budget = 5 } };
    r1_ask ask = { .prompt = "p" };
    r1_eval_sample a = { 0 };
    r1_status s = r1_url_route("http://h", "models", &address, err);
    if (s == R1_OK) s = r1_url_request(&o, &ask, &body, err);
    if (s == R1_OK) s = r1_url_reply(reply, sizeof reply - 1, &a, err);
    r1_eval_sample_deinit(&a);
    if (s == R1_OK) s = r1_url_reply(other, sizeof other - 1, &a, err);
    r1_eval_sample_deinit(&a);
    free(address);
    free(body);
    return s;
}

static r1_status always_right(void *ctx, r1_eval_sample *s, r1_error *err)
{
    (void)ctx;
    s->verdict = 1;
    s->extracted = strdup("x");
    s->reason = strdup("y");
    return s->extracted && s->reason ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory");
}

static r1_status regrade(void *ctx, r1_error *err)
{
    small_run *r = ctx;
    r1_samples *l;
    size_t changed;
    r1_status s = r1_samples_open(&l, r->folder, r->tasks, r->n_tasks, err);
    if (s) return s;
    s = r1_samples_regrade(l, always_right, NULL, &changed, err);
    r1_samples_close(l);
    return s;
}

TEST(judging_again)
{
    small_run r = small_run_new(2, 1);
    r1_samples *l;
    r1_error e = { 0 };
    EXPECT_OK(r1_samples_open(&l, r.folder, r.tasks, 1, &e), &e);
    small_add(l, 1, 0, 0, "3", 5);
    r1_samples_close(l);
    FAULTS_SWEEP(regrade, &r);
    small_run_free(&r);
}

TEST(requests_and_replies) { FAULTS_SWEEP(speak, NULL); }

static r1_status answer_all(r1_source *base, const r1_feed *feed, r1_error *err)
{
    r1_ask ask;
    r1_status s = R1_OK;
    (void)base;
    while (s == R1_OK && feed->next(feed->ctx, &ask)) {
        r1_eval_sample a = { .finish = "stop", .content = strdup("\\boxed{0}") };
        s = a.content ? feed->done(feed->ctx, &ask, &a, err) : r1_fail(err, R1_ENOMEM, "no memory");
    }
    return s;
}

static r1_status run_all(void *ctx, r1_error *err)
{
    small_run *r = ctx;
    r1_samples *l;
    char path[300];
    snprintf(path, sizeof path, "%s/samples.jsonl", r->folder);
    unlink(path);
    r1_source source = { .run = answer_all };
    r1_status s = r1_samples_open(&l, r->folder, r->tasks, r->n_tasks, err);
    if (s) return s;
    r1_runner_options o = { .tasks = r->tasks, .n_tasks = r->n_tasks, .log = l, .source = &source, .graders = 1 };
    s = r1_runner_run(&o, NULL, err);
    r1_samples_close(l);
    return s;
}

TEST(runs)
{
    small_run r = small_run_new(2, 2);
    FAULTS_SWEEP(run_all, &r);
    small_run_free(&r);
}
