/* The run. The caller's thread drives the source; graders wait for answers in a queue of bounded length, so that a fast source
 * waits for slow checks instead of filling memory. The order in which samples are asked is that of tasks, items, samples: the
 * samples of an item stand together, for they begin with the same tokens. */
#define _GNU_SOURCE
#include "eval/runner.h"
#include "eval/grade.h"
#include "eval/question.h"
#include "eval/statistics.h"

#include <math.h>
#include <mpfr.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { GRADERS_MAX = 256, NOTES_MAX = 64 };

typedef struct runner {
    const r1_runner_options *o;
    char **prompts;              /* of all items, task after task */
    size_t *first;               /* [n_tasks] the first item of a task in lists of all items */
    size_t n_items;
    size_t task, item;           /* where the next question is looked for */
    uint32_t sample;
    double begun, ticked;
    r1_grader *grader;
    char *notes[NOTES_MAX];
    size_t n_notes;

    pthread_mutex_t lock;        /* guards what follows */
    pthread_cond_t changed;
    r1_eval_sample *queue;       /* [cap] a ring */
    size_t cap, head, n_queued, n_grading;
    bool closed, stopping;       /* no more answers come; the caller asked to stop */
    r1_status status;            /* the first error of a grader */
    r1_error error;
    double *right;               /* [n_items] judged right, and judged, so far */
    uint32_t *judged;
    size_t done, total, made, failed;
    char failure[R1_ERROR_MAX];  /* the last failed sample's */
    uint64_t tokens;
} runner;

/* ---- questions ------------------------------------------------------------------------------------------------- */

static r1_status make_prompt(const char *template, const r1_run_task *t, const r1_item *item, char **out, r1_error *err)
{
    r1_buf b;
    r1_buf_init(&b, R1_QUESTION_BYTES_MAX);
    r1_status s = r1_question_make(template ? template : r1_question_template(t->benchmark, item), item, &b, err);
    if (s == R1_OK && !b.data) s = r1_fail(err, R1_EFORMAT, "the prompt is empty");
    if (s == R1_OK) *out = r1_buf_take(&b, NULL);
    r1_buf_deinit(&b);
    return r1_context(err, s, "task %s, item '%s'", t->name, item->id);
}

r1_status r1_runner_check(const r1_run_task *tasks, size_t n, const char *template, r1_error *err)
{
    r1_status s = R1_OK;
    for (size_t t = 0; t < n && s == R1_OK; t++)
        for (size_t i = 0; i < tasks[t].items.n && s == R1_OK; i++) {
            char *prompt = NULL;
            s = make_prompt(template, &tasks[t], &tasks[t].items.items[i], &prompt, err);
            free(prompt);
            if (s == R1_OK) s = r1_context(err, r1_grade_check(&tasks[t].items.items[i], err), "task %s", tasks[t].name);
        }
    return s;
}

static bool next_question(void *ctx, r1_ask *ask)
{
    runner *r = ctx;
    for (; r->task < r->o->n_tasks; r->task++, r->item = 0) {
        const r1_run_task *t = &r->o->tasks[r->task];
        for (; r->item < t->items.n; r->item++, r->sample = 0)
            while (r->sample < t->k) {
                uint32_t sample = r->sample++;
                if (r1_samples_get(r->o->log, r->task, r->item, sample)->state == R1_RECORD_DONE) continue;
                *ask = (r1_ask){ r->task, r->item, sample, 0, r->prompts[r->first[r->task] + r->item] };
                return true;
            }
    }
    return false;
}

/* ---- graders --------------------------------------------------------------------------------------------------- */

/* Another grader failed, and the run with it. */
static bool grading_is_over(void *ctx)
{
    runner *r = ctx;
    pthread_mutex_lock(&r->lock);
    bool yes = r->status != R1_OK;
    pthread_mutex_unlock(&r->lock);
    return yes;
}

static void count(runner *r, const r1_eval_sample *s)
{
    size_t i = r->first[s->task] + s->item;
    if (s->error) {
        r->failed++;
        snprintf(r->failure, sizeof r->failure, "%s", s->error);
        return;
    }
    r->done++;
    r->made++;
    if (s->verdict < 0) return;
    r->right[i] += s->verdict;
    r->judged[i]++;
}

static r1_status grade_one(runner *r, r1_eval_sample *s, r1_error *err)
{
    const r1_item *item = &r->o->tasks[s->task].items.items[s->item];
    r1_status st = s->error || s->reason ? R1_OK : r1_grade(r->grader, item, s, err); /* with a reason it was judged before it came here */
    return st ? st : r1_samples_add(r->o->log, s, err);
}

static void *grader(void *ctx)
{
    runner *r = ctx;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (r->n_queued == 0 && !r->closed) pthread_cond_wait(&r->changed, &r->lock);
        if (r->n_queued == 0) break;
        r1_eval_sample s = r->queue[r->head];
        r->head = (r->head + 1) % r->cap;
        r->n_queued--;
        r->n_grading++;
        bool go = r->status == R1_OK;
        pthread_cond_broadcast(&r->changed);
        pthread_mutex_unlock(&r->lock);
        r1_error e = { 0 };
        r1_status st = go ? grade_one(r, &s, &e) : R1_OK;
        pthread_mutex_lock(&r->lock);
        if (go && st == R1_OK) count(r, &s);
        if (st && r->status == R1_OK) {
            r->status = st;
            r->error = e;
        }
        r->n_grading--;
        r1_eval_sample_deinit(&s);
        pthread_cond_broadcast(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
    mpfr_free_cache(); /* constants that the answer checker had computed for this thread */
    return NULL;
}

/* ---- progress -------------------------------------------------------------------------------------------------- */

/* Under the lock. */
static r1_eval_progress progress_of(runner *r)
{
    r1_eval_progress p = { .done = r->done, .total = r->total, .failed = r->failed, .made = r->made, .tokens = r->tokens, .score = NAN, .lo = NAN, .hi = NAN,
                           .seconds = r1_now() - r->begun, .seconds_left = NAN };
    size_t n = 0;
    double sum = 0, squares = 0;
    snprintf(p.failure, sizeof p.failure, "%.*s", (int)sizeof p.failure - 1, r->failure);
    for (size_t i = 0; i < r->n_items; i++) {
        if (!r->judged[i]) continue;
        double x = r->right[i] / r->judged[i];
        n++;
        sum += x;
        squares += x * x;
    }
    if (n) {
        double mean = sum / (double)n, variance = n > 1 ? fmax(0, (squares - sum * mean) / (double)(n - 1)) : 0;
        r1_interval w = r1_wilson(mean, variance > 0 && mean < 1 ? mean * (1 - mean) / variance * (double)n : (double)n);
        p.score = mean;
        p.lo = w.lo;
        p.hi = w.hi;
    }
    if (r->made) p.seconds_left = p.seconds / (double)r->made * (double)(r->total - r->done);
    return p;
}

/* Between two steps of whatever the caller's thread does. */
static bool tick(runner *r)
{
    double now = r1_now();
    pthread_mutex_lock(&r->lock);
    bool failed = r->status != R1_OK, due = now - r->ticked >= 0.1, go = !r->stopping;
    r1_eval_progress p = { 0 };
    if (due) {
        r->ticked = now;
        p = progress_of(r);
    }
    pthread_mutex_unlock(&r->lock);
    if (due && r->o->tick && !r->o->tick(r->o->ctx, &p)) go = false;
    pthread_mutex_lock(&r->lock);
    if (!go) r->stopping = true;
    pthread_mutex_unlock(&r->lock);
    return go && !failed;
}

static void add_tokens(void *ctx, size_t n)
{
    runner *r = ctx;
    pthread_mutex_lock(&r->lock);
    r->tokens += n;
    pthread_mutex_unlock(&r->lock);
}

static void tell(void *ctx, const char *text)
{
    runner *r = ctx;
    for (size_t i = 0; i < r->n_notes; i++)
        if (!strcmp(r->notes[i], text)) return;
    if (r->n_notes == NOTES_MAX || !r->o->note) return;
    r->notes[r->n_notes] = strdup(text);
    if (r->notes[r->n_notes]) r->n_notes++;
    r->o->note(r->o->ctx, text);
}

static bool go_on(void *ctx) { return tick(ctx); }

/* Wait for a change, a fifth of a second at most. Under the lock. */
static void wait_a_little(runner *r)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += 200000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_timedwait(&r->changed, &r->lock, &t);
}

/* ---- answers --------------------------------------------------------------------------------------------------- */

static r1_status take_answer(void *ctx, const r1_ask *ask, r1_eval_sample *answer, r1_error *err)
{
    runner *r = ctx;
    answer->task = ask->task;
    answer->item = ask->item;
    answer->sample = ask->sample;
    answer->seed = ask->seed;
    pthread_mutex_lock(&r->lock);
    while (r->n_queued == r->cap && r->status == R1_OK) {
        wait_a_little(r);
        pthread_mutex_unlock(&r->lock);
        (void)tick(r); /* stopping waits for what is finished */
        pthread_mutex_lock(&r->lock);
    }
    r1_status s = r->status;
    if (s == R1_OK && r->made == 0 && r->failed >= R1_RUNNER_GIVE_UP)
        s = r1_fail(err, R1_EIO, "the first %zu questions failed, the last with: %s", r->failed, r->failure);
    else if (s && err) *err = r->error;
    if (s == R1_OK) {
        r->queue[(r->head + r->n_queued++) % r->cap] = *answer;
        *answer = (r1_eval_sample){ 0 };
        pthread_cond_broadcast(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
    r1_eval_sample_deinit(answer);
    return s;
}

static bool next_seeded(void *ctx, r1_ask *ask)
{
    runner *r = ctx;
    if (!next_question(r, ask)) return false;
    ask->seed = r1_eval_seed(r->o->seed, r->o->tasks[ask->task].name, r->o->tasks[ask->task].items.items[ask->item].id, ask->sample);
    return true;
}

/* ---------------------------------------------------------------------------------------------------------------- */

static void count_old(runner *r)
{
    for (size_t t = 0; t < r->o->n_tasks; t++)
        for (size_t i = 0; i < r->o->tasks[t].items.n; i++)
            for (uint32_t k = 0; k < r->o->tasks[t].k; k++) {
                const r1_record *d = r1_samples_get(r->o->log, t, i, k);
                r->total++;
                if (d->state != R1_RECORD_DONE) continue;
                r->done++;
                if (d->verdict < 0) continue;
                r->right[r->first[t] + i] += d->verdict;
                r->judged[r->first[t] + i]++;
            }
}

static r1_status prepare(runner *r, r1_error *err)
{
    const r1_runner_options *o = r->o;
    r->first = calloc(o->n_tasks + 1, sizeof *r->first);
    if (!r->first) return r1_fail(err, R1_ENOMEM, "no memory for a run");
    for (size_t t = 0; t < o->n_tasks; t++) {
        r->first[t] = r->n_items;
        r->n_items += o->tasks[t].items.n;
    }
    r->cap = 2 * (size_t)o->graders + 16;
    r->prompts = calloc(r->n_items + 1, sizeof *r->prompts);
    r->right = calloc(r->n_items + 1, sizeof *r->right);
    r->judged = calloc(r->n_items + 1, sizeof *r->judged);
    r->queue = calloc(r->cap, sizeof *r->queue);
    if (!r->prompts || !r->right || !r->judged || !r->queue) return r1_fail(err, R1_ENOMEM, "no memory for a run of %zu items", r->n_items);
    r1_status s = r1_grader_open(&r->grader, &(r1_grade_options){ grading_is_over, r, o->graders > 1 ? o->graders / 2 : 1, o->allow_weaker }, err);
    for (size_t t = 0; t < o->n_tasks && s == R1_OK; t++)
        for (size_t i = 0; i < o->tasks[t].items.n && s == R1_OK; i++)
            s = make_prompt(o->prompt, &o->tasks[t], &o->tasks[t].items.items[i], &r->prompts[r->first[t] + i], err);
    if (s == R1_OK) count_old(r);
    return s;
}

static void clean(runner *r)
{
    r1_grader_close(r->grader);
    for (size_t i = 0; r->prompts && i < r->n_items; i++) free(r->prompts[i]);
    for (size_t i = 0; i < r->n_notes; i++) free(r->notes[i]);
    free(r->prompts);
    free(r->first);
    free(r->right);
    free(r->judged);
    free(r->queue);
}

/* Let the graders finish what there is. */
static void drain(runner *r, pthread_t *threads, int n_threads)
{
    pthread_mutex_lock(&r->lock);
    r->closed = true;
    pthread_cond_broadcast(&r->changed);
    while (r->n_queued + r->n_grading) {
        wait_a_little(r);
        pthread_mutex_unlock(&r->lock);
        (void)tick(r);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    for (int i = 0; i < n_threads; i++) pthread_join(threads[i], NULL);
}

r1_status r1_runner_run(const r1_runner_options *o, r1_eval_progress *end, r1_error *err)
{
    runner r = { .o = o, .begun = r1_now(), .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
    pthread_t threads[GRADERS_MAX];
    int n_threads = 0, wanted = o->graders < GRADERS_MAX ? o->graders : GRADERS_MAX;
    r1_status s = prepare(&r, err);
    while (s == R1_OK && n_threads < wanted && pthread_create(&threads[n_threads], NULL, grader, &r) == 0) n_threads++;
    if (s == R1_OK && n_threads == 0) s = r1_fail(err, R1_ENOMEM, "no thread to check answers with");
    if (s == R1_OK) {
        r1_feed feed = { next_seeded, take_answer, go_on, tell, add_tokens, &r };
        if (r.done < r.total) s = o->source->run(o->source, &feed, err);
        drain(&r, threads, n_threads);
    }
    if (r.status && (s == R1_OK || s == R1_ECANCELLED)) {
        s = r.status;
        if (err) *err = r.error;
    } else if (s == R1_OK && r.stopping && r.done < r.total) {
        s = r1_fail(err, R1_ECANCELLED, "stopped");
    }
    if (end) *end = r.queue ? progress_of(&r) : (r1_eval_progress){ .score = NAN, .lo = NAN, .hi = NAN, .seconds_left = NAN };
    clean(&r);
    return s;
}
