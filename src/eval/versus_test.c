/* Tests of versus.c: pairs, what is left out, warnings. */
#include "eval/run_test.h"
#include "eval/versus.h"

#include <math.h>

/* A run of n items with k samples; item i is right in as many samples as right[i] says ('0' to '9', '-': not there). */
static small_run make(const char *right, uint32_t k, double temperature)
{
    small_run r = small_run_new(strlen(right), k);
    r1_samples *l;
    r1_error e = { 0 };
    r1_plan p;
    r1_plan_init(&p);
    p.tasks[0] = "t";
    p.n_tasks = 1;
    p.model = "m";
    p.sampling.temperature = temperature;
    json_t *model = json_pack("{s:s}", "name", "m"), *record = r1_plan_record(&p, r.tasks, model, NULL);
    EXPECT_OK(r1_plan_write(r.folder, record, &e), &e);
    EXPECT_OK(r1_samples_open(&l, r.folder, r.tasks, 1, &e), &e);
    for (size_t i = 0; right[i]; i++)
        for (uint32_t s = 0; s < k && right[i] != '-'; s++) small_add(l, i, s, s < (uint32_t)(right[i] - '0'), "x", 10 + s);
    r1_samples_close(l);
    json_decref(model);
    json_decref(record);
    return r;
}

static double number(const json_t *o, const char *key) { return json_number_value(json_object_get(o, key)); }

TEST(two_runs)
{
    small_run a = make("4320", 4, 0.6), b = make("2332", 4, 0.6);
    json_t *v;
    r1_error e = { 0 };
    EXPECT_OK(r1_versus(a.folder, b.folder, 1, &v, &e), &e);
    const json_t *t = json_array_get(json_object_get(v, "tasks"), 0), *d = json_object_get(t, "differences");
    EXPECT_INT(json_array_size(json_object_get(v, "warnings")), 0);
    EXPECT(number(t, "items") == 4 && number(t, "a_better") == 1 && number(t, "b_better") == 2);
    EXPECT(fabs(number(t, "a") - 9 / 16.0) < 1e-12 && fabs(number(t, "b") - 10 / 16.0) < 1e-12 && fabs(number(t, "difference") + 1 / 16.0) < 1e-12);
    EXPECT_STR(json_string_value(json_object_get(t, "sign_test")), "sign test, exact");
    EXPECT_INT(json_array_size(d), 3);
    EXPECT_STR(json_string_value(json_object_get(json_array_get(d, 0), "id")), "q0");
    EXPECT_STR(json_string_value(json_object_get(json_array_get(d, 2), "id")), "q2");
    EXPECT(fabs(number(t, "completion_length_a") - 11.5) < 1e-12);
    json_decref(v);
    small_run_free(&a);
    small_run_free(&b);
}

TEST(one_sample_each_is_mcnemar)
{
    small_run a = make("11110000", 1, 0.6), b = make("10000000", 1, 0.6);
    json_t *v;
    r1_error e = { 0 };
    EXPECT_OK(r1_versus(a.folder, b.folder, 1, &v, &e), &e);
    const json_t *t = json_array_get(json_object_get(v, "tasks"), 0);
    EXPECT_STR(json_string_value(json_object_get(t, "sign_test")), "McNemar, exact");
    EXPECT(fabs(number(t, "p_sign") - 0.25) < 1e-12);
    json_decref(v);
    small_run_free(&a);
    small_run_free(&b);
}

TEST(unequal_runs_are_told)
{
    small_run a = make("1-11", 1, 0.6), b = make("110", 2, 1);
    json_t *v;
    r1_error e = { 0 };
    EXPECT_OK(r1_versus(a.folder, b.folder, 1, &v, &e), &e);
    char *w = json_dumps(json_object_get(v, "warnings"), 0);
    EXPECT_CONTAINS(w, "temperature is 0.6");
    EXPECT_CONTAINS(w, "A has 1 samples of each item, B 2");
    EXPECT_CONTAINS(w, "1 items are in A alone and 1 in B alone");
    EXPECT_INT(number(json_array_get(json_object_get(v, "tasks"), 0), "items"), 2);
    free(w);
    json_decref(v);
    small_run_free(&a);
    small_run_free(&b);
}

TEST(what_is_no_run_is_refused)
{
    small_run a = make("1", 1, 0.6), b = make("-", 1, 0.6), c = small_run_new(1, 1);
    json_t *v;
    r1_error e = { 0 };
    EXPECT_STATUS(r1_versus(a.folder, c.folder, 1, &v, &e), R1_EIO);
    EXPECT_CONTAINS(e.msg, "no run.json");
    EXPECT_STATUS(r1_versus(a.folder, b.folder, 1, &v, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "in common");
    EXPECT_NULL(v);
    small_run_free(&a);
    small_run_free(&b);
    small_run_free(&c);
}
