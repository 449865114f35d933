/* Two runs side by side. Each side is read into a list of (task, id, sums), sorted; a merge of both lists finds the pairs. */
#define _GNU_SOURCE
#include "eval/versus.h"
#include "base/map.h"
#include "eval/plan.h"
#include "eval/samples.h"
#include "eval/score.h"
#include "eval/statistics.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

/* What one run says of one problem. */
typedef struct row {
    char *task, *id;
    uint32_t right, judged, k;   /* k: the number of the sample, until rows are joined */
    double tokens, thinking;     /* sums */
} row;

typedef struct side {
    const char *folder;
    json_t *record;
    row *rows;
    size_t n, cap;
} side;

static void side_deinit(side *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->rows[i].task);
        free(s->rows[i].id);
    }
    free(s->rows);
    json_decref(s->record);
}

static r1_status add_line(void *ctx, const r1_sample_line *l, r1_error *err)
{
    side *s = ctx;
    if (l->error || l->record.verdict < 0) return R1_OK;
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 1024;
        row *more = realloc(s->rows, cap * sizeof *more);
        if (!more) return r1_fail(err, R1_ENOMEM, "no memory for %zu samples", cap);
        s->rows = more;
        s->cap = cap;
    }
    row *r = &s->rows[s->n];
    *r = (row){ strdup(l->task), strdup(l->id), l->record.verdict == 1, 1, l->sample,
                l->record.completion_tokens > 0 ? (double)l->record.completion_tokens : 0, l->record.reasoning_tokens > 0 ? (double)l->record.reasoning_tokens : 0 };
    s->n++;
    return r->task && r->id ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for a sample");
}

static int by_place(const void *pa, const void *pb)
{
    const row *a = pa, *b = pb;
    int c = strcmp(a->task, b->task);
    if (c == 0) c = strcmp(a->id, b->id);
    return c ? c : (a->k > b->k) - (a->k < b->k);
}

/* Samples of one problem become one row; of lines of the same sample one counts, as in the log. */
static void join_rows(side *s)
{
    size_t n = 0;
    uint32_t last = 0;
    for (size_t i = 0; i < s->n; i++) {
        row *r = &s->rows[i], *p = n ? &s->rows[n - 1] : NULL;
        bool same = p && !strcmp(p->task, r->task) && !strcmp(p->id, r->id), again = same && last == r->k;
        last = r->k;
        if (same && !again) {
            p->right += r->right;
            p->judged++;
            p->tokens += r->tokens;
            p->thinking += r->thinking;
        }
        if (same) {
            free(r->task);
            free(r->id);
            continue;
        }
        s->rows[n++] = *r;
    }
    s->n = n;
}

static r1_status read_side(side *s, const char *folder, r1_error *err)
{
    char *path;
    r1_map m;
    size_t whole;
    *s = (side){ .folder = folder };
    r1_status st = r1_plan_read(folder, &s->record, err);
    if (st) return st;
    if (!s->record) return r1_fail(err, R1_EIO, "'%s' is no folder of a run: it has no run.json", folder);
    if (asprintf(&path, "%s/samples.jsonl", folder) < 0) return r1_fail(err, R1_ENOMEM, "no memory for a path");
    st = r1_map_open(&m, path, err);
    if (st == R1_OK) {
        st = r1_context(err, r1_samples_each((const char *)m.data, m.size, add_line, s, &whole, err), "'%s'", path);
        r1_map_close(&m);
    }
    free(path);
    if (st) return st;
    if (s->n) qsort(s->rows, s->n, sizeof *s->rows, by_place);
    join_rows(s);
    return R1_OK;
}

/* ---- warnings -------------------------------------------------------------------------------------------------- */

static r1_status warn(json_t *list, r1_error *err, const char *fmt, ...) R1_PRINTF(3, 4);
static r1_status warn(json_t *list, r1_error *err, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    r1_error clean;
    (void)r1_fail(&clean, R1_OK, "%s", text);
    return json_array_append_new(list, json_string(clean.msg)) ? r1_fail(err, R1_ENOMEM, "no memory for a warning") : R1_OK;
}

/* Options that change what is measured. */
static r1_status warn_of_options(const side *a, const side *b, json_t *list, r1_error *err)
{
    static const char *const keys[] = { "temperature", "top_p", "top_k", "min_p", "max_tokens", "think_budget", "prompt_template", "where", NULL };
    const json_t *x = json_object_get(a->record, "options"), *y = json_object_get(b->record, "options");
    r1_status s = R1_OK;
    for (size_t i = 0; keys[i] && s == R1_OK; i++) {
        const json_t *u = json_object_get(x, keys[i]), *v = json_object_get(y, keys[i]);
        if (json_equal(u, v) || (json_is_number(u) && json_is_number(v) && fabs(json_number_value(u) - json_number_value(v)) < 1e-12)) continue;
        char *p = json_dumps(u, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6)), *q = json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        s = warn(list, err, "%s is %.100s in A and %.100s in B", keys[i], p ? p : "not there", q ? q : "not there");
        free(p);
        free(q);
    }
    return s;
}

static const json_t *task_of(const side *s, const char *name)
{
    const json_t *list = json_object_get(s->record, "tasks");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *t = json_array_get(list, i);
        const char *n = json_string_value(json_object_get(t, "name"));
        if (n && !strcmp(n, name)) return t;
    }
    return NULL;
}

/* ---- one task -------------------------------------------------------------------------------------------------- */

typedef struct pairs {
    const char *task;
    double *a, *b;               /* [n] scores */
    const row **x, **y;          /* [n] */
    size_t n, only_a, only_b;
    bool single;                 /* one sample of each problem on both sides */
} pairs;

static void pairs_deinit(pairs *p)
{
    free(p->a);
    free(p->b);
    free(p->x);
    free(p->y);
}

/* Rows of one task in a sorted list. */
static void range_of(const side *s, const char *task, size_t *from, size_t *to)
{
    *from = 0;
    while (*from < s->n && strcmp(s->rows[*from].task, task)) ++*from;
    for (*to = *from; *to < s->n && !strcmp(s->rows[*to].task, task);) ++*to;
}

static r1_status make_pairs(pairs *p, const char *task, const side *a, const side *b, r1_error *err)
{
    size_t i, j, end_i, end_j;
    range_of(a, task, &i, &end_i);
    range_of(b, task, &j, &end_j);
    size_t most = r1_min(end_i - i, end_j - j) + 1;
    *p = (pairs){ .task = task, .a = malloc(most * sizeof(double)), .b = malloc(most * sizeof(double)), .x = malloc(most * sizeof(row *)), .y = malloc(most * sizeof(row *)), .single = true };
    if (!p->a || !p->b || !p->x || !p->y) return r1_fail(err, R1_ENOMEM, "no memory for %zu pairs", most);
    while (i < end_i || j < end_j) {
        const row *x = i < end_i ? &a->rows[i] : NULL, *y = j < end_j ? &b->rows[j] : NULL;
        int c = !x ? 1 : !y ? -1 : strcmp(x->id, y->id);
        if (c == 0) {
            p->x[p->n] = x;
            p->y[p->n] = y;
            p->a[p->n] = (double)x->right / x->judged;
            p->b[p->n++] = (double)y->right / y->judged;
            p->single = p->single && x->judged == 1 && y->judged == 1;
        }
        p->only_a += c < 0;
        p->only_b += c > 0;
        i += c <= 0;
        j += c >= 0;
    }
    return R1_OK;
}

static double mean(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return n ? sum / (double)n : NAN;
}

static double mean_length(const row *const *rows, size_t n, bool thinking)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (thinking ? rows[i]->thinking : rows[i]->tokens) / rows[i]->judged;
    return n ? sum / (double)n : NAN;
}

static json_t *range_json(r1_interval i) { return json_pack("[o, o]", r1_score_number(i.lo), r1_score_number(i.hi)); }

/* Every problem whose scores differ, the most different first. */
static int by_difference(const void *pa, const void *pb)
{
    const double *a = pa, *b = pb; /* [0] difference, [1] number of the pair */
    double x = fabs(a[0]), y = fabs(b[0]);
    if (x > y || x < y) return x > y ? -1 : 1;
    return (a[1] > b[1]) - (a[1] < b[1]);
}

static json_t *differences_json(const pairs *p)
{
    double (*d)[2] = malloc((p->n + 1) * sizeof *d);
    json_t *list = d ? json_array() : NULL;
    for (size_t i = 0; d && i < p->n; i++) {
        d[i][0] = p->a[i] - p->b[i];
        d[i][1] = (double)i;
    }
    if (d) qsort(d, p->n, sizeof *d, by_difference);
    for (size_t i = 0; list && i < p->n && fabs(d[i][0]) > 0; i++) {
        size_t k = (size_t)d[i][1];
        if (json_array_append_new(list, json_pack("{s:s, s:f, s:f, s:f}", "id", p->x[k]->id, "a", p->a[k], "b", p->b[k], "difference", d[i][0]))) {
            json_decref(list);
            list = NULL;
        }
    }
    free(d);
    return list;
}

static r1_status pairs_json(const pairs *p, uint64_t seed, json_t **out, r1_error *err)
{
    r1_paired r;
    *out = NULL;
    r1_status s = r1_compare_scores(p->a, p->b, p->n, seed, &r, err);
    if (s) return s;
    *out = json_pack("{s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "task", p->task, "items", (json_int_t)p->n,
                     "only_in_a", (json_int_t)p->only_a, "only_in_b", (json_int_t)p->only_b, "a", mean(p->a, p->n), "b", mean(p->b, p->n), "difference", r.difference,
                     "stderr", r1_score_number(r.se), "ci95", range_json(r.ci95), "p_permutation", r1_score_number(r.p_permutation), "p_sign", r1_score_number(r.p_sign),
                     "sign_test", p->single ? "McNemar, exact" : "sign test, exact", "correlation", r1_score_number(r.correlation), "a_better", (json_int_t)r.better,
                     "b_better", (json_int_t)r.worse, "completion_length_a", r1_score_number(mean_length(p->x, p->n, false)), "completion_length_b",
                     r1_score_number(mean_length(p->y, p->n, false)), "thinking_length_a", r1_score_number(mean_length(p->x, p->n, true)), "thinking_length_b",
                     r1_score_number(mean_length(p->y, p->n, true)), "differences", differences_json(p));
    return *out ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for a comparison");
}

static r1_status compare_task(const json_t *t, const side *a, const side *b, uint64_t seed, json_t *tasks, json_t *warnings, r1_error *err)
{
    const char *name = json_string_value(json_object_get(t, "name"));
    const json_t *other = name ? task_of(b, name) : NULL;
    if (!name) return R1_OK;
    if (!other) return warn(warnings, err, "task %s is in A alone", name);
    pairs p = { 0 };
    json_t *o = NULL;
    r1_status s = make_pairs(&p, name, a, b, err);
    if (s == R1_OK && !json_equal(json_object_get(t, "sha256"), json_object_get(other, "sha256"))) s = warn(warnings, err, "%s: the files of the items are not the same", name);
    if (s == R1_OK && !json_equal(json_object_get(t, "samples"), json_object_get(other, "samples")))
        s = warn(warnings, err, "%s: A has %lld samples of each item, B %lld", name, (long long)json_integer_value(json_object_get(t, "samples")), (long long)json_integer_value(json_object_get(other, "samples")));
    if (s == R1_OK && p.only_a + p.only_b) s = warn(warnings, err, "%s: %zu items are in A alone and %zu in B alone; they are left out", name, p.only_a, p.only_b);
    if (s == R1_OK && p.n == 0) s = warn(warnings, err, "%s: no item was judged in both", name);
    else if (s == R1_OK) s = pairs_json(&p, seed, &o, err);
    if (s == R1_OK && o && json_array_append(tasks, o)) s = r1_fail(err, R1_ENOMEM, "no memory for a comparison");
    json_decref(o);
    pairs_deinit(&p);
    return s;
}

/* ---------------------------------------------------------------------------------------------------------------- */

r1_status r1_versus(const char *folder_a, const char *folder_b, uint64_t seed, json_t **out, r1_error *err)
{
    side a = { 0 }, b = { 0 };
    json_t *tasks = json_array(), *warnings = json_array();
    *out = NULL;
    r1_status s = tasks && warnings ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for a comparison");
    if (s == R1_OK) s = read_side(&a, folder_a, err);
    if (s == R1_OK) s = read_side(&b, folder_b, err);
    if (s == R1_OK) s = warn_of_options(&a, &b, warnings, err);
    const json_t *list = json_object_get(a.record, "tasks"), *other = json_object_get(b.record, "tasks");
    for (size_t i = 0; i < json_array_size(list) && s == R1_OK; i++) s = compare_task(json_array_get(list, i), &a, &b, seed, tasks, warnings, err);
    for (size_t i = 0; i < json_array_size(other) && s == R1_OK; i++) {
        const char *name = json_string_value(json_object_get(json_array_get(other, i), "name"));
        if (name && !task_of(&a, name)) s = warn(warnings, err, "task %s is in B alone", name);
    }
    if (s == R1_OK && json_array_size(tasks) == 0) s = r1_fail(err, R1_EINVAL, "'%s' and '%s' have no judged item of a task in common", folder_a, folder_b);
    if (s == R1_OK) {
        *out = json_pack("{s:{s:s, s:O}, s:{s:s, s:O}, s:O, s:O}", "a", "folder", folder_a, "model", json_object_get(a.record, "model"), "b", "folder", folder_b, "model",
                         json_object_get(b.record, "model"), "tasks", tasks, "warnings", warnings);
        if (!*out) s = r1_fail(err, R1_EFORMAT, "the record of a run has no model");
    }
    json_decref(tasks);
    json_decref(warnings);
    side_deinit(&a);
    side_deinit(&b);
    return s;
}
