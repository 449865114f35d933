/* Tests of score.c: a small table worked out by hand; the same bytes whatever order samples came in. */
#include "eval/run_test.h"
#include "eval/score.h"

#include <math.h>

static json_t *score(const small_run *r, const r1_samples *l)
{
    json_t *record = json_pack("{s:{s:s}, s:{}}", "model", "name", "m", "options"), *out;
    r1_scored_run run = { record, r->tasks, r->n_tasks, l, 3, { 1, 4 }, 2, 100 };
    r1_error e = { 0 };
    EXPECT(record != NULL);
    EXPECT_OK(r1_score_run(&run, &out, &e), &e);
    json_decref(record);
    return out;
}

static double at(const json_t *o, const char *path)
{
    char part[64];
    while (*path && o) {
        size_t n = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)n, path);
        o = json_is_array(o) ? json_array_get(o, (size_t)atoi(part)) : json_object_get(o, part);
        path += n + (path[n] == '.');
    }
    return json_is_number(o) ? json_number_value(o) : NAN;
}

static void is(const json_t *o, const char *path, double want) { EXPECT_MSG(fabs(at(o, path) - want) < 1e-9, "%s is %g, expected %g", path, at(o, path), want); }

/* 3 items, 4 samples: 4, 1 and 0 right; lengths 10 (right) and 40 (wrong). Item 1: answers 1, 9, 9, 8. */
static void fill(r1_samples *l, bool backwards)
{
    static const char *const said[] = { "0", "0", "0", "0", "1", "9", "9", "8", NULL, "5", "6", "7" };
    for (uint32_t i = 0; i < 12; i++) {
        uint32_t j = backwards ? 11 - i : i;
        bool right = j < 5;
        small_add(l, j / 4, j % 4, right, said[j], right ? 10 : 40);
    }
}

TEST(a_table_worked_out_by_hand)
{
    small_run r = small_run_new(3, 4);
    r1_samples *l = small_log(&r);
    fill(l, false);
    json_t *s = score(&r, l);
    const json_t *t = json_array_get(json_object_get(s, "tasks"), 0);
    EXPECT(json_is_true(json_object_get(s, "complete")));
    is(t, "items", 3);
    is(t, "samples_done", 12);
    is(t, "samples_right", 5);
    is(t, "pass_at_1.value", (1 + 0.25 + 0) / 3);
    is(t, "pass_at_1.stderr", sqrt(((1 - 5 / 12.0) * (1 - 5 / 12.0) + (0.25 - 5 / 12.0) * (0.25 - 5 / 12.0) + 25 / 144.0) / 2 / 3));
    is(t, "pass_at_1.stderr_samples", sqrt(0.25 * 0.75 / 3) / 3);
    EXPECT_INT(json_array_size(json_object_get(t, "pass_at_k")), 3);
    is(t, "pass_at_k.1.k", 2);
    is(t, "pass_at_k.1.value", (1 + 0.5 + 0) / 3);
    is(t, "pass_at_k.2.value", 2 / 3.0);
    is(t, "cons_at_k.k", 4);
    is(t, "cons_at_k.value", 1 / 3.0); /* item 1 votes for 9; item 2 is a tie of wrong ones */
    is(t, "no_answer", 1 / 12.0);
    is(t, "truncated", 0);
    is(t, "tokens.prompt", 84);
    is(t, "tokens.completion", 5 * 10 + 7 * 40);
    is(t, "completion_length.right.mean", 10);
    is(t, "completion_length.wrong.median", 40);
    is(t, "completion_length.all.n", 12);
    is(t, "thinking_length.wrong.max", 20);
    is(t, "budget.0.tokens", 16);
    is(t, "budget.0.value", 5 / 12.0);
    is(t, "budget.0.fits", 5 / 12.0);
    is(t, "budget.2.tokens", 64);
    is(t, "budget.2.fits", 1);
    EXPECT_STR(json_string_value(json_object_get(json_array_get(json_object_get(t, "categories"), 0), "category")), "even");
    is(t, "categories.0.items", 2);
    is(t, "categories.0.pass_at_1.value", 0.5);
    is(t, "categories.1.pass_at_1.value", 0.25);
    EXPECT(json_is_null(json_object_get(t, "rating")));
    is(s, "cost.total", (84 * 1 + 330 * 4) / 1e6);
    is(s, "timings.sample_seconds", 3);
    is(s, "timings.part_tokens_per_second", 50);
    json_decref(s);
    r1_samples_close(l);
    small_run_free(&r);
}

TEST(order_does_not_matter)
{
    char *want = NULL;
    for (int i = 0; i < 2; i++) {
        small_run r = small_run_new(3, 4);
        r1_samples *l = small_log(&r);
        fill(l, i);
        json_t *s = score(&r, l);
        r1_error e = { 0 };
        EXPECT_OK(r1_score_write(r.folder, s, &e), &e);
        char *text = small_read(&r, "summary.json");
        if (!want) want = strdup(text);
        EXPECT_STR(text, want);
        free(text);
        json_decref(s);
        r1_samples_close(l);
        small_run_free(&r);
    }
    free(want);
}

TEST(half_a_run_counts_what_it_has)
{
    small_run r = small_run_new(3, 4);
    r1_samples *l = small_log(&r);
    r1_error e = { 0 };
    json_t *s = score(&r, l); /* nothing at all */
    EXPECT(json_is_false(json_object_get(s, "complete")) && isnan(at(s, "tasks.0.pass_at_1.value")) && isnan(at(s, "tasks.0.cons_at_k.value")));
    json_decref(s);
    small_add(l, 0, 0, 1, "0", 5);
    small_add(l, 0, 1, 0, "4", 5);
    small_add(l, 2, 3, 1, "2", 5);
    r1_eval_sample failed = { .item = 1, .error = (char *)"x" };
    EXPECT_OK(r1_samples_add(l, &failed, &e), &e);
    s = score(&r, l);
    is(s, "tasks.0.samples_done", 3);
    is(s, "tasks.0.samples_failed", 1);
    is(s, "tasks.0.pass_at_1.value", 0.75);
    EXPECT_INT(json_array_size(json_object_get(json_array_get(json_object_get(s, "tasks"), 0), "pass_at_k")), 1);
    json_decref(s);
    r1_samples_close(l);
    small_run_free(&r);
}

TEST(ratings_and_patches)
{
    small_run r = small_run_new(2, 1);
    r.tasks[0].items.items[0].rating = 1500;
    r.tasks[0].items.items[1].rating = 1500;
    r1_samples *l = small_log(&r);
    small_add(l, 0, 0, 1, "0", 5);
    small_add(l, 1, 0, 0, "--- a\n+++ b\n", 5);
    json_t *s = score(&r, l), *model = json_pack("{s:s}", "name", "m");
    is(s, "tasks.0.rating.value", 1500);
    is(s, "tasks.0.rating.problems", 2);
    r1_error e = { 0 };
    EXPECT_OK(r1_score_predictions(r.folder, &r.tasks[0], 0, l, model, &e), &e);
    char *text = small_read(&r, "predictions.jsonl");
    EXPECT_CONTAINS(text, "{\"instance_id\":\"q1\",\"model_name_or_path\":\"m\",\"model_patch\":\"--- a\\n+++ b\\n\"}\n");
    free(text);
    json_decref(model);
    json_decref(s);
    r1_samples_close(l);
    small_run_free(&r);
}
