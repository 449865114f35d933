/* Tests of runner.c with a source made of text: everything is asked once, in order; failures, stops, refusals; what is kept. */
#include "eval/run_test.h"
#include "eval/runner.h"

#include <math.h>

/* A source that answers with the number in its prompt, or fails as told. */
typedef struct text_source {
    r1_source base;
    size_t n_asked, fail_from, fail_to;  /* questions with these numbers fail */
    size_t stop_after;                   /* it ends with an error of its own; 0: never */
    const char *wrong_id;                /* prompts of this item get a wrong answer */
    uint64_t seeds[64];
} text_source;

static r1_status run_text(r1_source *base, const r1_feed *feed, r1_error *err)
{
    text_source *t = (text_source *)base;
    r1_ask ask;
    while (feed->next(feed->ctx, &ask)) {
        char said[64];
        r1_eval_sample a = { .prompt_tokens = 1, .completion_tokens = 2, .reasoning_tokens = 0, .finish = "stop" };
        if (!feed->go_on(feed->ctx)) return r1_fail(err, R1_ECANCELLED, "stopped");
        if (t->stop_after && t->n_asked == t->stop_after) return r1_fail(err, R1_EIO, "the source broke");
        snprintf(said, sizeof said, "\\boxed{%s}", t->wrong_id && strstr(ask.prompt, t->wrong_id) ? "wrong" : ask.prompt + 1);
        char *line = strchr(said, '\n');
        if (line) strcpy(line, "}");
        if (t->n_asked >= t->fail_from && t->n_asked < t->fail_to) a.error = strdup("no connection");
        else a.content = strdup(said);
        t->seeds[t->n_asked % 64] = ask.seed;
        t->n_asked++;
        feed->note(feed->ctx, "the same sentence");
        feed->tokens(feed->ctx, 2);
        r1_status s = feed->done(feed->ctx, &ask, &a, err);
        if (s) return s;
    }
    return R1_OK;
}

typedef struct watch { size_t n_notes, n_ticks, stop_at; r1_eval_progress last; } watch;

static bool on_tick(void *ctx, const r1_eval_progress *p)
{
    watch *w = ctx;
    w->last = *p;
    return !w->stop_at || ++w->n_ticks < w->stop_at;
}

static void on_note(void *ctx, const char *text)
{
    (void)text;
    ((watch *)ctx)->n_notes++;
}

static r1_runner_options options_of(small_run *r, r1_samples *l, text_source *t, watch *w)
{
    t->base.run = run_text;
    return (r1_runner_options){ .tasks = r->tasks, .n_tasks = r->n_tasks, .log = l, .source = &t->base, .prompt = "{problem}", .seed = 9, .graders = 2, .tick = on_tick, .note = on_note, .ctx = w };
}

TEST(everything_is_asked_once)
{
    small_run r = small_run_new(5, 3);
    r1_samples *l = small_log(&r);
    text_source t = { .wrong_id = "p3" };
    watch w = { 0 };
    r1_eval_progress end;
    r1_error e = { 0 };
    r1_runner_options o = options_of(&r, l, &t, &w);
    EXPECT_OK(r1_runner_run(&o, &end, &e), &e);
    EXPECT_INT(t.n_asked, 15);
    EXPECT(end.done == 15 && end.total == 15 && end.made == 15 && end.failed == 0 && end.tokens == 30);
    EXPECT_MSG(fabs(end.score - 0.8) < 1e-12, "%g", end.score);
    EXPECT(end.lo > 0.2 && end.lo < 0.8 && end.hi > 0.8 && end.hi < 1);
    EXPECT_INT(w.n_notes, 1);
    for (size_t i = 0; i < 5; i++)
        for (uint32_t k = 0; k < 3; k++) {
            EXPECT_INT(r1_samples_get(l, 0, i, k)->verdict, i != 3);
            EXPECT(t.seeds[i * 3 + k] == r1_eval_seed(9, "t", r.tasks[0].items.items[i].id, k));
        }
    EXPECT_OK(r1_runner_run(&o, &end, &e), &e); /* nothing is left */
    EXPECT(t.n_asked == 15 && end.done == 15 && end.made == 0);
    r1_samples_close(l);
    small_run_free(&r);
}

TEST(failed_questions_are_asked_again_by_the_next_run)
{
    small_run r = small_run_new(4, 2);
    r1_samples *l = small_log(&r);
    text_source t = { .fail_from = 2, .fail_to = 5 };
    watch w = { 0 };
    r1_eval_progress end;
    r1_error e = { 0 };
    r1_runner_options o = options_of(&r, l, &t, &w);
    EXPECT_OK(r1_runner_run(&o, &end, &e), &e);
    EXPECT(end.done == 5 && end.failed == 3 && r1_samples_get(l, 0, 1, 0)->state == R1_RECORD_FAILED);
    r1_samples_close(l);
    l = small_log(&r);
    t = (text_source){ 0 };
    o = options_of(&r, l, &t, &w);
    EXPECT_OK(r1_runner_run(&o, &end, &e), &e);
    EXPECT(t.n_asked == 3 && end.done == 8 && end.failed == 0 && r1_samples_get(l, 0, 1, 0)->verdict == 1);
    r1_samples_close(l);
    small_run_free(&r);
}

TEST(when_everything_fails_the_run_ends)
{
    small_run r = small_run_new(30, 4);
    r1_samples *l = small_log(&r);
    text_source t = { .fail_to = 1000 };
    watch w = { 0 };
    r1_error e = { 0 };
    r1_runner_options o = options_of(&r, l, &t, &w);
    EXPECT_STATUS(r1_runner_run(&o, NULL, &e), R1_EIO);
    EXPECT_CONTAINS(e.msg, "no connection");
    EXPECT_MSG(t.n_asked < 60, "%zu were asked", t.n_asked);
    r1_samples_close(l);
    small_run_free(&r);
}

TEST(an_error_of_the_source_keeps_what_is_finished)
{
    small_run r = small_run_new(5, 2);
    r1_samples *l = small_log(&r);
    text_source t = { .stop_after = 7 };
    watch w = { 0 };
    r1_eval_progress end;
    r1_error e = { 0 };
    r1_runner_options o = options_of(&r, l, &t, &w);
    EXPECT_STATUS(r1_runner_run(&o, &end, &e), R1_EIO);
    EXPECT_STR(e.msg, "the source broke");
    EXPECT_INT(end.done, 7);
    for (uint32_t i = 0; i < 10; i++) EXPECT_INT(r1_samples_get(l, 0, i / 2, i % 2)->state, i < 7 ? R1_RECORD_DONE : R1_RECORD_NONE);
    r1_samples_close(l);
    small_run_free(&r);
}

TEST(stopping_keeps_what_is_finished)
{
    small_run r = small_run_new(5, 2);
    r1_samples *l = small_log(&r);
    text_source t = { 0 };
    watch w = { .stop_at = 1 };
    r1_eval_progress end;
    r1_error e = { 0 };
    r1_runner_options o = options_of(&r, l, &t, &w);
    EXPECT_STATUS(r1_runner_run(&o, &end, &e), R1_ECANCELLED);
    EXPECT(t.n_asked == 0 && end.done == 0);
    r1_samples_close(l);
    small_run_free(&r);
}

TEST(a_wrong_template_is_found_before_anything_is_asked)
{
    small_run r = small_run_new(5, 2);
    r1_samples *l = small_log(&r);
    text_source t = { 0 };
    watch w = { 0 };
    r1_error e = { 0 };
    r1_runner_options o = options_of(&r, l, &t, &w);
    o.prompt = "{nothing}";
    EXPECT_STATUS(r1_runner_run(&o, NULL, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "task t, item 'q0': the prompt names {nothing}");
    EXPECT_INT(t.n_asked, 0);
    r1_samples_close(l);
    small_run_free(&r);
}
