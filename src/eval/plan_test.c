/* Tests of plan.c: a record gives the plan it was made from; every option that could change a sample is compared. */
#include "eval/run_test.h"

#include <math.h>

static r1_plan some_plan(void)
{
    r1_plan p;
    r1_plan_init(&p);
    p.tasks[0] = "t";
    p.n_tasks = 1;
    p.model = "m.gguf";
    p.seed = 11;
    p.limit = 3;
    p.samples = 2;
    return p;
}

static json_t *model_json(void) { return json_pack("{s:s, s:s, s:I}", "name", "m.gguf", "path", "/x/m.gguf", "bytes", (json_int_t)5); }

static json_t *record(const r1_plan *p, const small_run *r)
{
    json_t *m = model_json(), *o = r1_plan_record(p, r->tasks, m, "now");
    json_decref(m);
    EXPECT(o != NULL);
    return o;
}

TEST(the_protocol_of_the_paper)
{
    r1_plan p;
    r1_plan_init(&p);
    EXPECT(fabs(p.sampling.temperature - 0.6) < 1e-12 && fabs(p.sampling.top_p - 0.95) < 1e-12 && p.sampling.max_tokens == 32768);
    EXPECT(p.sampling.top_k == 0 && p.sampling.think_budget == -1 && p.seed == 0 && !p.loop_guard);
}

TEST(a_record_gives_its_plan)
{
    small_run r = small_run_new(3, 2);
    r1_plan p = some_plan(), q;
    r1_error e = { 0 };
    p.where = "split=test";
    p.prompt = "{problem}";
    p.template = "r1";
    p.context = 4096;
    p.loop_guard = true;
    p.kv = "q8_0";
    p.sampling = (r1_eval_sampling){ .temperature = 0.25, .top_p = 0.5, .min_p = 0.125, .top_k = 40, .max_tokens = 77, .think_budget = 12 };
    json_t *o = record(&p, &r), *back;
    EXPECT_OK(r1_plan_write(r.folder, o, &e), &e);
    EXPECT_OK(r1_plan_read(r.folder, &back, &e), &e);
    EXPECT_OK(r1_plan_same(o, back, &e), &e);
    EXPECT_OK(r1_plan_of(back, &q, &e), &e);
    EXPECT_STR(q.tasks[0], "t");
    EXPECT_STR(q.model, "/x/m.gguf");
    EXPECT_STR(q.files[0], "items.jsonl");
    json_t *again = record(&q, &r);
    EXPECT_OK(r1_plan_same(o, again, &e), &e);
    EXPECT(q.seed == 11 && q.limit == 3 && q.samples == 2 && q.loop_guard && q.context == 4096 && q.sampling.think_budget == 12);
    EXPECT_NULL(q.url);
    json_decref(o);
    json_decref(back);
    json_decref(again);
    small_run_free(&r);
}

/* Change one thing at a time: each must be found and named. */
TEST(every_difference_is_named)
{
    small_run r = small_run_new(3, 2);
    r1_error e = { 0 };
    const r1_plan p = some_plan();
    json_t *o = record(&p, &r);
    static const char *const words[] = { "temperature", "top_p", "top_k", "min_p", "max_tokens", "think_budget", "seed", "samples", "limit", "where", "prompt_template", "template", "context",
                                         "loop_guard", "kv", "activations", "mla", "cpu" };
    for (size_t i = 0; i < R1_COUNT(words); i++) {
        r1_plan q = p;
        if (i == 0) q.sampling.temperature = 0.7;
        if (i == 1) q.sampling.top_p = 0.9;
        if (i == 2) q.sampling.top_k = 1;
        if (i == 3) q.sampling.min_p = 0.1;
        if (i == 4) q.sampling.max_tokens = 512;
        if (i == 5) q.sampling.think_budget = 0;
        if (i == 6) q.seed = 12;
        if (i == 7) q.samples = 0;
        if (i == 8) q.limit = 0;
        if (i == 9) q.where = "a=b";
        if (i == 10) q.prompt = "x";
        if (i == 11) q.template = "r1";
        if (i == 12) q.context = 1;
        if (i == 13) q.loop_guard = true;
        if (i == 14) q.kv = "f16";
        if (i == 15) q.activations = "f32";
        if (i == 16) q.mla = "expanded";
        if (i == 17) q.cpu = "avx2";
        json_t *now = record(&q, &r);
        EXPECT_STATUS(r1_plan_same(o, now, &e), R1_EINVAL);
        char want[64];
        snprintf(want, sizeof want, "its options.%s is ", words[i]);
        EXPECT_CONTAINS(e.msg, want);
        json_decref(now);
    }
    json_decref(o);
    small_run_free(&r);
}

TEST(other_items_and_other_models)
{
    small_run r = small_run_new(3, 2), s = small_run_new(2, 2);
    r1_error e = { 0 };
    r1_plan p = some_plan();
    json_t *o = record(&p, &r), *now = record(&p, &s);
    EXPECT_STATUS(r1_plan_same(o, now, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "its tasks[0].items is 3, now it is 2");
    json_decref(now);
    now = json_deep_copy(o);
    json_object_set_new(json_object_get(now, "model"), "bytes", json_integer(6));
    EXPECT_STATUS(r1_plan_same(o, now, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "its model.bytes is 5, now it is 6");
    json_object_set_new(json_object_get(now, "model"), "bytes", json_integer(5));
    json_object_set_new(json_object_get(now, "model"), "path", json_string("/elsewhere/m.gguf"));
    json_object_set_new(now, "created", json_string("later"));
    EXPECT_OK(r1_plan_same(o, now, &e), &e);
    json_array_append_new(json_object_get(now, "tasks"), json_object());
    EXPECT_STATUS(r1_plan_same(o, now, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "1 tasks, now there are 2");
    json_decref(o);
    json_decref(now);
    small_run_free(&r);
    small_run_free(&s);
}

static void refused(const char *text, const char *word)
{
    json_t *v;
    r1_plan p;
    r1_error e = { 0 };
    EXPECT_OK(r1_json_parse(&v, text, strlen(text), &e), &e);
    EXPECT_STATUS(r1_plan_of(v, &p, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, word);
    json_decref(v);
}

TEST(wrong_records_are_refused)
{
    refused("{}", "'model' is nothing");
    refused("{\"model\":{},\"options\":{}}", "neither");
    refused("{\"model\":{\"path\":\"a\",\"url\":\"b\",\"name\":\"c\"},\"options\":{}}", "both");
    refused("{\"model\":{\"url\":\"b\"},\"options\":{}}", "'name'");
    refused("{\"model\":{\"path\":\"a\"},\"options\":{},\"tasks\":[]}", "0 tasks");
    refused("{\"model\":{\"path\":\"a\"},\"options\":{},\"tasks\":[5]}", "task 1 is an integer");
    refused("{\"model\":{\"path\":\"a\"},\"options\":{},\"tasks\":[{\"name\":\"t\",\"file\":\"f\",\"check\":\"math\"}]}", "'temperature'");
    small_run r = small_run_new(1, 1);
    json_t *v;
    r1_error e = { 0 };
    EXPECT_OK(r1_plan_read(r.folder, &v, &e), &e);
    EXPECT_NULL(v); /* nothing is there */
    small_write(&r, "run.json", "{\"version\":2}");
    EXPECT_STATUS(r1_plan_read(r.folder, &v, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "'version'");
    small_write(&r, "run.json", "[]");
    EXPECT_STATUS(r1_plan_read(r.folder, &v, &e), R1_EFORMAT);
    EXPECT_NULL(v);
    small_run_free(&r);
}

TEST(tasks_are_benchmarks_or_files)
{
    small_run r = small_run_new(1, 1);
    char path[300];
    r1_plan p;
    r1_run_task *tasks;
    r1_error e = { 0 };
    r1_plan_init(&p);
    small_write(&r, "my set.jsonl", "{\"problem\":\"p\",\"answer\":\"1\"}\n{\"problem\":\"q\",\"answer\":\"2\"}\n");
    snprintf(path, sizeof path, "%s/my set.jsonl", r.folder);
    p.tasks[0] = path;
    p.n_tasks = 1;
    EXPECT_OK(r1_plan_open(&p, NULL, &tasks, &e), &e);
    EXPECT_STR(tasks[0].name, "my set");
    EXPECT(tasks[0].k == 4 && tasks[0].items.n == 2);
    r1_plan_close(tasks, 1);
    p.tasks[1] = path;
    p.n_tasks = 2;
    EXPECT_STATUS(r1_plan_open(&p, NULL, &tasks, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "given twice");
    p.tasks[0] = "gms8k";
    p.n_tasks = 1;
    EXPECT_STATUS(r1_plan_open(&p, NULL, &tasks, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "gsm8k, svamp");
    EXPECT_NULL(tasks);
    p.tasks[0] = "gsm8k";
    p.data = r.folder;
    EXPECT_STATUS(r1_plan_open(&p, NULL, &tasks, &e), R1_EIO);
    p.data = path;
    p.samples = 9;
    EXPECT_OK(r1_plan_open(&p, NULL, &tasks, &e), &e);
    EXPECT(tasks[0].k == 9 && !strcmp(tasks[0].name, "gsm8k"));
    r1_plan_close(tasks, 1);
    p.tasks[1] = "svamp";
    p.n_tasks = 2;
    EXPECT_STATUS(r1_plan_open(&p, NULL, &tasks, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "for both gsm8k and svamp");
    EXPECT_CONTAINS(e.msg, "--data");
    p.tasks[1] = path; /* has its own file */
    EXPECT_OK(r1_plan_open(&p, NULL, &tasks, &e), &e);
    r1_plan_close(tasks, 2);
    small_run_free(&r);
}
