/* Plans to records and back. */
#define _GNU_SOURCE
#include "eval/plan.h"
#include "base/map.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VERSION = 1 };

void r1_plan_init(r1_plan *p)
{
    *p = (r1_plan){ .sampling = { .temperature = 0.6, .top_p = 0.95, .max_tokens = 32768, .think_budget = -1 },
                    .kv = "auto", .activations = "auto", .mla = "absorbed", .cpu = "auto" };
}

/* ---- tasks ----------------------------------------------------------------------------------------------------- */

static r1_status unknown_task(const char *name, r1_error *err)
{
    char list[256];
    size_t n = 0;
    for (size_t i = 0; r1_benchmark_at(i) && n < sizeof list; i++) n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", r1_benchmark_at(i)->name);
    return r1_fail(err, R1_EINVAL, "there is no task '%s'; there are %s, or a file whose name ends in .jsonl", name, list);
}

/* "folder/my_set.jsonl" is the task my_set. */
static char *stem_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    return strndup(name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
}

static bool is_file_name(const char *task)
{
    size_t n = strlen(task);
    return strchr(task, '/') || (n > 6 && !strcmp(task + n - 6, ".jsonl"));
}

static r1_status open_task(const r1_plan *p, size_t i, const char *usual, r1_run_task *t, r1_error *err)
{
    const char *name = p->tasks[i];
    bool file = is_file_name(name);
    t->benchmark = file ? r1_benchmark_custom() : r1_benchmark_find(name);
    if (!t->benchmark) return unknown_task(name, err);
    char *own = file ? stem_of(name) : strdup(name);
    if (!own) return r1_fail(err, R1_ENOMEM, "no memory for a task");
    t->name = own;
    t->k = (uint32_t)(p->samples ? p->samples : t->benchmark->samples);
    r1_status s = R1_OK;
    if (file) {
        t->path = strdup(name);
        if (!t->path) s = r1_fail(err, R1_ENOMEM, "no memory for a path");
    } else {
        s = r1_benchmark_locate(t->benchmark, p->files[i] ? p->files[i] : p->data, usual, &t->path, err);
    }
    r1_items_options o = { .task = own, .limit = (size_t)p->limit, .seed = p->seed, .where = p->where };
    return s ? s : r1_items_read(&t->items, t->benchmark, &o, t->path, err);
}

/* One file cannot be that of two benchmarks. */
static r1_status check_data(const r1_plan *p, r1_error *err)
{
    struct stat st;
    const char *first = NULL;
    if (!p->data || (stat(p->data, &st) == 0 && S_ISDIR(st.st_mode))) return R1_OK;
    for (size_t i = 0; i < p->n_tasks; i++) {
        if (is_file_name(p->tasks[i]) || p->files[i]) continue;
        if (first && strcmp(first, p->tasks[i]))
            return r1_fail(err, R1_EINVAL, "--data is '%s' for both %s and %s; expected a folder that has a file for each, or one task", p->data, first, p->tasks[i]);
        first = p->tasks[i];
    }
    return R1_OK;
}

r1_status r1_plan_open(const r1_plan *p, const char *usual, r1_run_task **out, r1_error *err)
{
    *out = NULL;
    r1_run_task *tasks = calloc(p->n_tasks + 1, sizeof *tasks);
    if (!tasks) return r1_fail(err, R1_ENOMEM, "no memory for %zu tasks", p->n_tasks);
    r1_status s = check_data(p, err);
    for (size_t i = 0; i < p->n_tasks && s == R1_OK; i++) {
        s = open_task(p, i, usual, &tasks[i], err);
        for (size_t j = 0; j < i && s == R1_OK; j++)
            if (!strcmp(tasks[j].name, tasks[i].name)) s = r1_fail(err, R1_EINVAL, "the task '%s' is given twice", tasks[i].name);
    }
    if (s) r1_plan_close(tasks, p->n_tasks);
    else *out = tasks;
    return s;
}

void r1_plan_close(r1_run_task *tasks, size_t n)
{
    for (size_t i = 0; tasks && i < n; i++) {
        r1_items_deinit(&tasks[i].items);
        free(tasks[i].path);
        free((char *)tasks[i].name);
    }
    free(tasks);
}

/* ---- records --------------------------------------------------------------------------------------------------- */

static json_t *text_or_null(const char *s) { return s ? json_string(s) : json_null(); }

static json_t *task_record(const r1_run_task *t)
{
    char *path = realpath(t->path, NULL);
    json_t *v = json_pack("{s:s, s:s, s:I, s:I, s:s, s:s}", "name", t->name, "check", r1_eval_check_name(t->benchmark->check), "items", (json_int_t)t->items.n,
                          "samples", (json_int_t)t->k, "file", path ? path : t->path, "sha256", t->items.sha256);
    free(path);
    return v;
}

static json_t *options_record(const r1_plan *p)
{
    const r1_eval_sampling *g = &p->sampling;
    json_t *o = json_pack("{s:f, s:f, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "temperature", g->temperature, "top_p", g->top_p, "top_k", (json_int_t)g->top_k,
                          "min_p", g->min_p, "max_tokens", (json_int_t)g->max_tokens, "think_budget", (json_int_t)g->think_budget, "seed", (json_int_t)p->seed,
                          "samples", (json_int_t)p->samples, "limit", (json_int_t)p->limit, "where", text_or_null(p->where), "prompt_template", text_or_null(p->prompt));
    if (!o || !p->model) return o;
    json_t *local = json_pack("{s:o, s:I, s:b, s:s, s:s, s:s, s:s}", "template", text_or_null(p->template), "context", (json_int_t)p->context, "loop_guard", p->loop_guard, "kv", p->kv,
                              "activations", p->activations, "mla", p->mla, "cpu", p->cpu);
    if (!local || json_object_update(o, local)) {
        json_decref(o);
        o = NULL;
    }
    json_decref(local);
    return o;
}

json_t *r1_plan_record(const r1_plan *p, const r1_run_task *tasks, const json_t *model, const char *created)
{
    json_t *list = json_array(), *options = options_record(p);
    int bad = !list || !options;
    for (size_t i = 0; i < p->n_tasks && !bad; i++) bad |= json_array_append_new(list, task_record(&tasks[i]));
    json_t *o = bad ? NULL : json_pack("{s:i, s:s, s:o, s:O, s:O, s:O}", "version", VERSION, "r1", r1_version(), "created", text_or_null(created), "model", model, "tasks", list,
                                       "options", options);
    json_decref(list);
    json_decref(options);
    return o;
}

/* ---- differences ----------------------------------------------------------------------------------------------- */

/* Where a file is, and when it was begun, changes nothing; contents are compared by their hash. */
static bool may_differ(const char *key)
{
    static const char *const keys[] = { "created", "r1", "file", "path", NULL };
    for (size_t i = 0; keys[i]; i++)
        if (!strcmp(keys[i], key)) return true;
    return false;
}

static r1_status differ(const char *where, const json_t *a, const json_t *b, r1_error *err)
{
    char *x = a ? json_dumps(a, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL, *y = b ? json_dumps(b, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    r1_status s = r1_fail(err, R1_EINVAL, "its %s is %.200s, now it is %.200s", where, x ? x : "not there", y ? y : "not there");
    free(x);
    free(y);
    return s;
}

static r1_status same(const char *where, const json_t *a, const json_t *b, r1_error *err);

static r1_status same_members(const char *where, const json_t *a, const json_t *b, r1_error *err)
{
    const char *key;
    json_t *v;
    char place[160];
    json_object_foreach((json_t *)b, key, v) {
        if (may_differ(key)) continue;
        snprintf(place, sizeof place, "%.80s%s%.70s", where, *where ? "." : "", key);
        r1_status s = same(place, json_object_get(a, key), v, err);
        if (s) return s;
    }
    json_object_foreach((json_t *)a, key, v) {
        if (may_differ(key) || json_object_get(b, key)) continue;
        snprintf(place, sizeof place, "%.80s%s%.70s", where, *where ? "." : "", key);
        return differ(place, v, NULL, err);
    }
    return R1_OK;
}

static r1_status same(const char *where, const json_t *a, const json_t *b, r1_error *err)
{
    if (json_is_object(a) && json_is_object(b)) return same_members(where, a, b, err);
    if (json_is_number(a) && json_is_number(b)) /* 1 and 1.0 are the same */
        return fabs(json_number_value(a) - json_number_value(b)) <= 1e-12 * fabs(json_number_value(a)) ? R1_OK : differ(where, a, b, err);
    if (!json_is_array(a) || !json_is_array(b)) return json_equal(a, b) ? R1_OK : differ(where, a, b, err);
    if (json_array_size(a) != json_array_size(b)) return r1_fail(err, R1_EINVAL, "it has %zu %s, now there are %zu", json_array_size(a), where, json_array_size(b));
    for (size_t i = 0; i < json_array_size(a); i++) {
        char place[160];
        snprintf(place, sizeof place, "%.120s[%zu]", where, i);
        r1_status s = same(place, json_array_get(a, i), json_array_get(b, i), err);
        if (s) return s;
    }
    return R1_OK;
}

r1_status r1_plan_same(const json_t *old, const json_t *now, r1_error *err) { return same("", old, now, err); }

/* ---- back ------------------------------------------------------------------------------------------------------ */

static r1_status read_options(const json_t *o, r1_plan *p, r1_error *err)
{
    r1_eval_sampling *g = &p->sampling;
    int64_t seed = 0;
    r1_status s = r1_json_real(o, "temperature", true, 0, &g->temperature, err);
    if (s == R1_OK) s = r1_json_real(o, "top_p", true, 0, &g->top_p, err);
    if (s == R1_OK) s = r1_json_real(o, "min_p", true, 0, &g->min_p, err);
    if (s == R1_OK) s = r1_json_int(o, "top_k", true, 0, 0, INT32_MAX, &g->top_k, err);
    if (s == R1_OK) s = r1_json_int(o, "max_tokens", true, 0, 1, (int64_t)1 << 40, &g->max_tokens, err);
    if (s == R1_OK) s = r1_json_int(o, "think_budget", true, 0, -1, (int64_t)1 << 40, &g->think_budget, err);
    if (s == R1_OK) s = r1_json_int(o, "seed", true, 0, INT64_MIN, INT64_MAX, &seed, err);
    if (s == R1_OK) s = r1_json_int(o, "samples", true, 0, 0, R1_SAMPLES_MAX, &p->samples, err);
    if (s == R1_OK) s = r1_json_int(o, "limit", true, 0, 0, R1_ITEMS_MAX, &p->limit, err);
    if (s == R1_OK) s = r1_json_str(o, "where", false, NULL, &p->where, err);
    if (s == R1_OK) s = r1_json_str(o, "prompt_template", false, NULL, &p->prompt, err);
    p->seed = (uint64_t)seed;
    if (s || !p->model) return s;
    s = r1_json_str(o, "template", false, NULL, &p->template, err);
    if (s == R1_OK) s = r1_json_int(o, "context", true, 0, 0, (int64_t)1 << 40, &p->context, err);
    if (s == R1_OK) s = r1_json_bool(o, "loop_guard", false, &p->loop_guard, err);
    if (s == R1_OK) s = r1_json_str(o, "kv", true, NULL, &p->kv, err);
    if (s == R1_OK) s = r1_json_str(o, "activations", true, NULL, &p->activations, err);
    if (s == R1_OK) s = r1_json_str(o, "mla", true, NULL, &p->mla, err);
    if (s == R1_OK) s = r1_json_str(o, "cpu", true, NULL, &p->cpu, err);
    return s;
}

static r1_status read_tasks(const json_t *list, r1_plan *p, r1_error *err)
{
    size_t n = json_array_size(list);
    if (n < 1 || n > R1_EVAL_TASKS_MAX) return r1_fail(err, R1_EFORMAT, "it has %zu tasks, expected 1 to %d", n, R1_EVAL_TASKS_MAX);
    p->n_tasks = n;
    for (size_t i = 0; i < n; i++) {
        const json_t *t = json_array_get(list, i);
        const char *file, *check;
        if (!json_is_object(t)) return r1_fail(err, R1_EFORMAT, "task %zu is %s, expected an object", i + 1, r1_json_kind(t));
        r1_status s = r1_json_str(t, "name", true, NULL, &p->tasks[i], err);
        if (s == R1_OK) s = r1_json_str(t, "file", true, NULL, &file, err);
        if (s == R1_OK) s = r1_json_str(t, "check", true, NULL, &check, err);
        if (s) return s;
        if (!strcmp(check, r1_eval_check_name(R1_EVAL_BY_ITEM))) p->tasks[i] = file;
        else p->files[i] = file;
    }
    return R1_OK;
}

r1_status r1_plan_of(const json_t *record, r1_plan *out, r1_error *err)
{
    const json_t *model = json_object_get(record, "model"), *options = json_object_get(record, "options");
    r1_plan_init(out);
    if (!json_is_object(model)) return r1_fail(err, R1_EFORMAT, "'model' is %s, expected an object", r1_json_kind(model));
    if (!json_is_object(options)) return r1_fail(err, R1_EFORMAT, "'options' is %s, expected an object", r1_json_kind(options));
    r1_status s = r1_json_str(model, "path", false, NULL, &out->model, err);
    if (s == R1_OK) s = r1_json_str(model, "url", false, NULL, &out->url, err);
    if (s == R1_OK && out->url) s = r1_json_str(model, "name", true, NULL, &out->model_name, err);
    if (s == R1_OK && !out->url == !out->model) s = r1_fail(err, R1_EFORMAT, "'model' has %s, expected either a path or a url", out->url ? "both" : "neither");
    if (s == R1_OK) s = read_tasks(json_object_get(record, "tasks"), out, err);
    return s ? s : read_options(options, out, err);
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

static char *path_in(const char *folder, const char *name)
{
    char *path;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

r1_status r1_plan_read(const char *folder, json_t **out, r1_error *err)
{
    *out = NULL;
    char *path = path_in(folder, "run.json");
    if (!path) return r1_fail(err, R1_ENOMEM, "no memory for a path");
    r1_status s = R1_OK;
    int64_t version = 0;
    if (access(path, F_OK) == 0) {
        s = r1_json_read(out, path, (size_t)1 << 24, err);
        if (s == R1_OK && !json_is_object(*out)) s = r1_fail(err, R1_EFORMAT, "'%s' is %s, expected an object", path, r1_json_kind(*out));
        if (s == R1_OK) s = r1_context(err, r1_json_int(*out, "version", true, 0, VERSION, VERSION, &version, err), "'%s'", path);
    } else if (errno != ENOENT && errno != ENOTDIR) {
        s = r1_fail(err, R1_EIO, "cannot read '%s': %s", path, strerror(errno));
    }
    if (s) {
        json_decref(*out);
        *out = NULL;
    }
    free(path);
    return s;
}

r1_status r1_plan_write(const char *folder, const json_t *record, r1_error *err)
{
    if (mkdir(folder, 0777) < 0 && errno != EEXIST) return r1_fail(err, R1_EIO, "cannot make the folder '%s': %s", folder, strerror(errno));
    char *path = path_in(folder, "run.json"), *text = json_dumps(record, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    r1_buf b;
    r1_buf_init(&b, (size_t)1 << 26);
    r1_status s = path && text ? r1_buf_addf(&b, err, "%s\n", text) : r1_fail(err, R1_ENOMEM, "no memory for the record of a run");
    if (s == R1_OK) s = r1_file_write(path, b.data, b.len, true, err);
    r1_buf_deinit(&b);
    free(text);
    free(path);
    return s;
}
