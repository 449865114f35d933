/* Records to a summary, one task after another.
 *
 * A task's problems become a table of problem, right samples, judged samples; everything but lengths comes from it. JSON is put
 * together by small makers that may return NULL for want of memory; json_object_set_new reports that, and `bad` gathers it. */
#include "eval/score.h"
#include "base/map.h"
#include "eval/grade.h"
#include "eval/statistics.h"

#include <math.h>
#include <stdio.h>

/* What one task's samples come to. Lists have a place for each item that has a judged sample: `n` of them. */
typedef struct table {
    const r1_run_task *task;
    size_t *item;                /* [n] its number */
    double *score, *rating;      /* [n] */
    uint32_t *right, *k;         /* [n] right ones, judged ones */
    size_t n;
    size_t n_done, n_failed, n_judged, n_right, n_truncated, n_answered; /* samples */
} table;

static bool add(json_t *o, const char *key, json_t *v) { return json_object_set_new(o, key, v) != 0; }

json_t *r1_score_number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static json_t *interval_json(r1_interval i)
{
    if (isnan(i.lo)) return json_null();
    json_t *v = json_array();
    if (!v || json_array_append_new(v, r1_score_number(i.lo)) || json_array_append_new(v, r1_score_number(i.hi))) {
        json_decref(v);
        return NULL;
    }
    return v;
}

static json_t *estimate_json(const r1_estimate *e)
{
    json_t *o = json_object();
    bool bad = add(o, "value", r1_score_number(e->value)) || add(o, "stderr", r1_score_number(e->se)) || add(o, "stderr_problems", r1_score_number(e->se_problems)) ||
               add(o, "stderr_samples", r1_score_number(e->se_samples)) || add(o, "ci95", interval_json(e->ci95)) || add(o, "ci95_samples", interval_json(e->ci95_samples)) ||
               add(o, "ci95_wilson", interval_json(e->ci95_wilson));
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

/* Value, standard error and intervals alone: for scores that are no means of samples. */
static json_t *short_json(const r1_estimate *e)
{
    json_t *o = json_object();
    if (!add(o, "value", r1_score_number(e->value)) && !add(o, "stderr", r1_score_number(e->se)) && !add(o, "ci95", interval_json(e->ci95)) &&
        !add(o, "ci95_wilson", interval_json(e->ci95_wilson))) return o;
    json_decref(o);
    return NULL;
}

/* ---- the table ------------------------------------------------------------------------------------------------- */

static void table_deinit(table *t)
{
    free(t->item);
    free(t->score);
    free(t->rating);
    free(t->right);
    free(t->k);
}

static r1_status make_table(table *t, const r1_run_task *task, size_t number, const r1_samples *log, r1_error *err)
{
    size_t most = task->items.n + 1;
    *t = (table){ .task = task, .item = calloc(most, sizeof *t->item), .score = calloc(most, sizeof *t->score), .rating = calloc(most, sizeof *t->rating),
                  .right = calloc(most, sizeof *t->right), .k = calloc(most, sizeof *t->k) };
    if (!t->item || !t->score || !t->rating || !t->right || !t->k) return r1_fail(err, R1_ENOMEM, "no memory for the summary of %zu items", task->items.n);
    for (size_t i = 0; i < task->items.n; i++) {
        uint32_t right = 0, judged = 0;
        for (uint32_t s = 0; s < task->k; s++) {
            const r1_record *r = r1_samples_get(log, number, i, s);
            t->n_failed += r->state == R1_RECORD_FAILED;
            if (r->state != R1_RECORD_DONE) continue;
            t->n_done++;
            t->n_truncated += r->truncated;
            t->n_answered += r->extracted != NULL;
            judged += r->verdict >= 0;
            right += r->verdict == 1;
        }
        t->n_judged += judged;
        t->n_right += right;
        if (!judged) continue;
        t->item[t->n] = i;
        t->right[t->n] = right;
        t->k[t->n] = judged;
        t->score[t->n] = (double)right / judged;
        t->rating[t->n++] = task->items.items[i].rating;
    }
    return R1_OK;
}

/* ---- scores ---------------------------------------------------------------------------------------------------- */

static r1_status pass_at_1(const table *t, uint64_t seed, json_t **out, r1_error *err)
{
    r1_estimate e;
    r1_status s = r1_estimate_mean(&(r1_scores){ t->score, t->k, t->n }, seed, &e, err);
    *out = s ? NULL : estimate_json(&e);
    return s;
}

/* One for each power of two below the smallest number of samples, and for that one. */
static r1_status pass_at_k(const table *t, uint64_t seed, json_t **out, r1_error *err)
{
    uint32_t least = t->n ? UINT32_MAX : 0;
    for (size_t i = 0; i < t->n; i++) least = t->k[i] < least ? t->k[i] : least;
    double *x = malloc((t->n + 1) * sizeof *x);
    json_t *list = *out = json_array();
    r1_status s = x && list ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for pass@k");
    for (uint32_t j = 1; j <= least && s == R1_OK;) {
        r1_estimate e;
        for (size_t i = 0; i < t->n; i++) x[i] = r1_pass_at(t->k[i], t->right[i], j);
        s = r1_estimate_mean(&(r1_scores){ x, NULL, t->n }, seed, &e, err);
        json_t *o = s ? NULL : short_json(&e);
        if (s == R1_OK && (!o || add(o, "k", json_integer(j)) || json_array_append(list, o))) s = r1_fail(err, R1_ENOMEM, "no memory for pass@k");
        json_decref(o);
        if (j == least) break;
        j = 2 * j < least ? 2 * j : least;
    }
    free(x);
    return s;
}

/* The votes on one item: room for k of each. */
typedef struct ballot { const char **answers; bool *right; int32_t *group; bool can; } ballot;

static r1_status vote_on(ballot *b, const r1_samples *log, size_t number, size_t item, const r1_run_task *task, double *x, r1_error *err)
{
    size_t n = 0;
    r1_vote v = { 0 };
    for (uint32_t s = 0; s < task->k; s++) {
        const r1_record *r = r1_samples_get(log, number, item, s);
        if (r->state != R1_RECORD_DONE || r->verdict < 0) continue;
        b->answers[n] = r->extracted;
        b->right[n++] = r->verdict == 1;
    }
    r1_status s = r1_grade_group(task->items.items[item].check, b->answers, n, b->group, &b->can, err);
    if (s == R1_OK && b->can) s = r1_majority(b->group, b->right, n, &v, err);
    if (s == R1_OK && b->can) *x = v.right;
    return s;
}

/* null where answers cannot be compared, or there is one sample alone. */
static r1_status cons_at_k(const table *t, size_t number, const r1_samples *log, uint64_t seed, json_t **out, r1_error *err)
{
    *out = json_null();
    uint32_t k = t->task->k;
    if (k < 2 || t->n == 0) return R1_OK;
    ballot b = { calloc(k, sizeof *b.answers), calloc(k, sizeof *b.right), calloc(k, sizeof *b.group), true };
    double *x = calloc(t->n, sizeof *x);
    r1_status s = b.answers && b.right && b.group && x ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for votes");
    for (size_t i = 0; i < t->n && s == R1_OK && b.can; i++) s = vote_on(&b, log, number, t->item[i], t->task, &x[i], err);
    if (s == R1_OK && b.can) {
        r1_estimate e;
        s = r1_estimate_mean(&(r1_scores){ x, NULL, t->n }, seed, &e, err);
        json_t *o = s ? NULL : short_json(&e);
        if (s == R1_OK && (!o || add(o, "k", json_integer(k)))) s = r1_fail(err, R1_ENOMEM, "no memory for votes");
        *out = o;
    }
    free(b.answers);
    free(b.right);
    free(b.group);
    free(x);
    return s;
}

static r1_status rating_of(const table *t, uint64_t seed, json_t **out, r1_error *err)
{
    r1_rating r;
    *out = json_null();
    r1_status s = r1_estimate_rating(t->score, t->rating, t->k, t->n, seed, &r, err);
    if (s || r.n == 0) return s;
    const char *bound = isfinite(r.value) ? NULL : r.value < 0 ? "nothing was solved" : "everything was solved";
    *out = json_object();
    if (add(*out, "value", r1_score_number(r.value)) || add(*out, "stderr", r1_score_number(r.se)) || add(*out, "ci95", interval_json(r.ci95)) ||
        add(*out, "problems", json_integer((json_int_t)r.n)) || (bound && add(*out, "bound", json_string(bound))))
        s = r1_fail(err, R1_ENOMEM, "no memory for a rating");
    return s;
}

/* ---- categories ------------------------------------------------------------------------------------------------ */

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static r1_status category_json(const table *t, const char *name, uint64_t seed, json_t **out, r1_error *err)
{
    double *x = malloc((t->n + 1) * sizeof *x);
    uint32_t *k = malloc((t->n + 1) * sizeof *k);
    size_t n = 0;
    r1_estimate e;
    *out = NULL;
    r1_status s = x && k ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for a category");
    for (size_t i = 0; i < t->n && s == R1_OK; i++) {
        if (strcmp(t->task->items.items[t->item[i]].category, name)) continue;
        x[n] = t->score[i];
        k[n++] = t->k[i];
    }
    if (s == R1_OK) s = r1_estimate_mean(&(r1_scores){ x, k, n }, seed, &e, err);
    if (s == R1_OK) {
        *out = json_object();
        if (add(*out, "category", json_string(name)) || add(*out, "items", json_integer((json_int_t)n)) || add(*out, "pass_at_1", estimate_json(&e)))
            s = r1_fail(err, R1_ENOMEM, "no memory for a category");
    }
    free(x);
    free(k);
    return s;
}

static r1_status categories_of(const table *t, uint64_t seed, json_t **out, r1_error *err)
{
    const char **names = malloc((t->n + 1) * sizeof *names);
    json_t *list = *out = json_array();
    r1_status s = names && list ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for categories");
    size_t n = 0;
    for (size_t i = 0; i < t->n && s == R1_OK; i++)
        if (*t->task->items.items[t->item[i]].category) names[n++] = t->task->items.items[t->item[i]].category;
    if (s == R1_OK) qsort(names, n, sizeof *names, by_text);
    for (size_t i = 0; i < n && s == R1_OK; i++) {
        json_t *o = NULL;
        if (i && !strcmp(names[i - 1], names[i])) continue;
        if (json_array_size(list) == 200) break; /* a field that is different in every item is no category */
        s = category_json(t, names[i], seed, &o, err);
        if (s == R1_OK && json_array_append(list, o)) s = r1_fail(err, R1_ENOMEM, "no memory for categories");
        json_decref(o);
    }
    free(names);
    return s;
}

/* ---- lengths --------------------------------------------------------------------------------------------------- */

static json_t *spread_json(double *x, size_t n)
{
    if (n == 0) return json_null();
    r1_spread d = r1_spread_of(x, n);
    return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f}", "n", (json_int_t)d.n, "mean", d.mean, "median", d.median, "p10", d.p10, "p90", d.p90, "max", d.max);
}

typedef struct lengths {
    const r1_samples *log;
    size_t number;
    const r1_run_task *task;
    double *x;                   /* room for all samples */
} lengths;

/* Of samples with this verdict (-2: any). reasoning: of the thinking, else of all that was generated. */
static json_t *lengths_json(const lengths *l, int verdict, bool reasoning)
{
    size_t n = 0;
    for (size_t i = 0; i < l->task->items.n; i++)
        for (uint32_t s = 0; s < l->task->k; s++) {
            const r1_record *r = r1_samples_get(l->log, l->number, i, s);
            int64_t tokens = reasoning ? r->reasoning_tokens : r->completion_tokens;
            if (r->state == R1_RECORD_DONE && tokens >= 0 && (verdict == -2 || r->verdict == verdict)) l->x[n++] = (double)tokens;
        }
    return spread_json(l->x, n);
}

static json_t *three_lengths(const lengths *l, bool reasoning)
{
    json_t *o = json_object();
    if (!add(o, "all", lengths_json(l, -2, reasoning)) && !add(o, "right", lengths_json(l, 1, reasoning)) && !add(o, "wrong", lengths_json(l, 0, reasoning))) return o;
    json_decref(o);
    return NULL;
}

/* The score if every answer had been cut at so many tokens: what is longer counts as wrong. Powers of two, from the first that
 * some sample fits to the first that all fit. */
static json_t *budgets_json(const lengths *l, const table *t)
{
    json_t *list = json_array();
    int64_t longest = -1;
    for (size_t i = 0; i < t->n; i++)
        for (uint32_t s = 0; s < l->task->k; s++) {
            const r1_record *r = r1_samples_get(l->log, l->number, t->item[i], s);
            if (r->state == R1_RECORD_DONE && r->completion_tokens > longest) longest = r->completion_tokens;
        }
    for (int64_t most = 16; list && longest >= 0; most *= 2) {
        double sum = 0;
        size_t fits = 0;
        for (size_t i = 0; i < t->n; i++) {
            uint32_t right = 0;
            for (uint32_t s = 0; s < l->task->k; s++) {
                const r1_record *r = r1_samples_get(l->log, l->number, t->item[i], s);
                bool within = r->state == R1_RECORD_DONE && r->completion_tokens >= 0 && r->completion_tokens <= most;
                fits += within;
                right += within && r->verdict == 1;
            }
            sum += (double)right / t->k[i];
        }
        if (fits && json_array_append_new(list, json_pack("{s:I, s:f, s:f}", "tokens", (json_int_t)most, "value", sum / (double)t->n, "fits", (double)fits / (double)t->n_judged))) {
            json_decref(list);
            return NULL;
        }
        if (most >= longest) break;
    }
    return list;
}

/* ---- a task ---------------------------------------------------------------------------------------------------- */

typedef struct totals { int64_t prompt, completion, reasoning; double seconds; bool known; } totals;

static void count_tokens(const r1_scored_run *run, size_t number, totals *t)
{
    const r1_run_task *task = &run->tasks[number];
    for (size_t i = 0; i < task->items.n; i++)
        for (uint32_t s = 0; s < task->k; s++) {
            const r1_record *r = r1_samples_get(run->log, number, i, s);
            if (r->state != R1_RECORD_DONE) continue;
            t->prompt += r->prompt_tokens > 0 ? r->prompt_tokens : 0;
            t->completion += r->completion_tokens > 0 ? r->completion_tokens : 0;
            t->reasoning += r->reasoning_tokens > 0 ? r->reasoning_tokens : 0;
            t->seconds += r->seconds;
            t->known = t->known && r->prompt_tokens >= 0 && r->completion_tokens >= 0;
        }
}

static json_t *tokens_json(const totals *t)
{
    return json_pack("{s:I, s:I, s:I, s:b}", "prompt", (json_int_t)t->prompt, "completion", (json_int_t)t->completion, "reasoning", (json_int_t)t->reasoning, "all_told", t->known);
}

static double share(size_t n, size_t of) { return of ? (double)n / (double)of : NAN; }

static r1_status fill_task(json_t *o, const r1_scored_run *run, size_t number, table *t, r1_error *err)
{
    const r1_run_task *task = &run->tasks[number];
    totals sum = { .known = true };
    uint64_t seed = run->seed;
    json_t *pass1 = NULL, *passk = NULL, *cons = NULL, *categories = NULL, *rating = NULL;
    size_t n_samples = task->items.n * task->k;
    lengths l = { run->log, number, task, malloc((n_samples + 1) * sizeof *l.x) };
    r1_status s = l.x ? make_table(t, task, number, run->log, err) : r1_fail(err, R1_ENOMEM, "no memory for %zu samples", n_samples);
    if (s == R1_OK) s = pass_at_1(t, seed, &pass1, err);
    if (s == R1_OK) s = pass_at_k(t, seed, &passk, err);
    if (s == R1_OK) s = cons_at_k(t, number, run->log, seed, &cons, err);
    if (s == R1_OK) s = categories_of(t, seed, &categories, err);
    if (s == R1_OK) s = rating_of(t, seed, &rating, err);
    if (s == R1_OK) {
        count_tokens(run, number, &sum);
        bool bad = add(o, "task", json_string(task->name)) || add(o, "check", json_string(r1_eval_check_name(task->benchmark->check))) ||
                   add(o, "items", json_integer((json_int_t)task->items.n)) || add(o, "samples", json_integer(task->k)) ||
                   add(o, "samples_done", json_integer((json_int_t)t->n_done)) || add(o, "samples_failed", json_integer((json_int_t)t->n_failed)) ||
                   add(o, "samples_judged", json_integer((json_int_t)t->n_judged)) || add(o, "samples_right", json_integer((json_int_t)t->n_right)) ||
                   add(o, "pass_at_1", json_incref(pass1)) || add(o, "pass_at_k", json_incref(passk)) || add(o, "cons_at_k", json_incref(cons)) ||
                   add(o, "rating", json_incref(rating)) || add(o, "truncated", r1_score_number(share(t->n_truncated, t->n_done))) ||
                   add(o, "no_answer", r1_score_number(share(t->n_done - t->n_answered, t->n_done))) || add(o, "tokens", tokens_json(&sum)) ||
                   add(o, "completion_length", three_lengths(&l, false)) || add(o, "thinking_length", three_lengths(&l, true)) ||
                   add(o, "budget", budgets_json(&l, t)) || add(o, "categories", json_incref(categories));
        if (bad) s = r1_fail(err, R1_ENOMEM, "no memory for a summary");
    }
    json_decref(pass1);
    json_decref(passk);
    json_decref(cons);
    json_decref(categories);
    json_decref(rating);
    free(l.x);
    return s;
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

static json_t *cost_json(const totals *t, const r1_price *p)
{
    if (isnan(p->in) && isnan(p->out)) return json_null();
    double in = isnan(p->in) ? 0 : p->in, out = isnan(p->out) ? 0 : p->out;
    return json_pack("{s:f, s:f, s:f}", "price_in", in, "price_out", out, "total", (in * (double)t->prompt + out * (double)t->completion) / 1e6);
}

static r1_status add_whole(json_t *o, const r1_scored_run *run, bool complete, json_t *list, r1_error *err)
{
    totals sum = { .known = true };
    for (size_t i = 0; i < run->n_tasks; i++) count_tokens(run, i, &sum);
    bool bad = add(o, "version", json_integer(1)) || add(o, "complete", json_boolean(complete)) || add(o, "model", json_incref(json_object_get(run->record, "model"))) ||
               add(o, "options", json_incref(json_object_get(run->record, "options"))) || json_object_set(o, "tasks", list) || add(o, "tokens", tokens_json(&sum)) ||
               add(o, "cost", cost_json(&sum, &run->price)) ||
               add(o, "timings", json_pack("{s:f, s:f, s:I, s:o}", "sample_seconds", sum.seconds, "part_seconds", run->part_seconds, "part_tokens", (json_int_t)run->part_tokens,
                                        "part_tokens_per_second", r1_score_number(run->part_seconds > 0 ? (double)run->part_tokens / run->part_seconds : NAN)));
    return bad ? r1_fail(err, R1_ENOMEM, "no memory for a summary") : R1_OK;
}

r1_status r1_score_run(const r1_scored_run *run, json_t **out, r1_error *err)
{
    json_t *o = *out = json_object(), *list = json_array();
    bool complete = true;
    r1_status s = o && list ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for a summary");
    for (size_t i = 0; i < run->n_tasks && s == R1_OK; i++) {
        table t = { 0 };
        json_t *task = json_object();
        s = task ? fill_task(task, run, i, &t, err) : r1_fail(err, R1_ENOMEM, "no memory for a summary");
        complete = complete && t.n_done == run->tasks[i].items.n * run->tasks[i].k;
        if (s == R1_OK && json_array_append(list, task)) s = r1_fail(err, R1_ENOMEM, "no memory for a summary");
        json_decref(task);
        table_deinit(&t);
    }
    if (s == R1_OK) s = add_whole(o, run, complete, list, err);
    json_decref(list);
    if (s) {
        json_decref(o);
        *out = NULL;
    }
    return s;
}

r1_status r1_score_write(const char *folder, const json_t *summary, r1_error *err)
{
    char *text = json_dumps(summary, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    r1_buf path, b;
    r1_buf_init(&path, 8192);
    r1_buf_init(&b, (size_t)1 << 30);
    r1_status s = text ? r1_buf_addf(&path, err, "%s/summary.json", folder) : r1_fail(err, R1_ENOMEM, "no memory for a summary");
    if (s == R1_OK) s = r1_buf_addf(&b, err, "%s\n", text);
    if (s == R1_OK) s = r1_file_write(path.data, b.data, b.len, true, err);
    r1_buf_deinit(&b);
    r1_buf_deinit(&path);
    free(text);
    return s;
}

/* ---- predictions ----------------------------------------------------------------------------------------------- */

static r1_status add_prediction(r1_buf *b, const char *id, const char *model, const char *patch, r1_error *err)
{
    json_t *o = json_pack("{s:s, s:s, s:s}", "instance_id", id, "model_name_or_path", model, "model_patch", patch);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    r1_status s = text ? r1_buf_addf(b, err, "%s\n", text) : r1_fail(err, R1_ENOMEM, "no memory for a prediction");
    free(text);
    json_decref(o);
    return s;
}

r1_status r1_score_predictions(const char *folder, const r1_run_task *task, size_t number, const r1_samples *log, const json_t *model, r1_error *err)
{
    const char *name = json_string_value(json_object_get(model, "name"));
    r1_status s = R1_OK;
    for (uint32_t k = 0; k < task->k && s == R1_OK; k++) {
        r1_buf b, path;
        r1_buf_init(&b, (size_t)1 << 30);
        r1_buf_init(&path, 8192);
        s = k ? r1_buf_addf(&path, err, "%s/predictions-%u.jsonl", folder, k) : r1_buf_addf(&path, err, "%s/predictions.jsonl", folder);
        for (size_t i = 0; i < task->items.n && s == R1_OK; i++) {
            const r1_record *r = r1_samples_get(log, number, i, k);
            if (r->state == R1_RECORD_DONE) s = add_prediction(&b, task->items.items[i].id, name ? name : "unknown", r->extracted ? r->extracted : "", err);
        }
        if (s == R1_OK) s = r1_file_write(path.data, b.data ? b.data : "", b.len, true, err);
        r1_buf_deinit(&b);
        r1_buf_deinit(&path);
    }
    return s;
}
