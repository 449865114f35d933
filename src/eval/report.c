/* report: the files of a run to one structure, and the page to a file. The page itself is made in report_page.c.
 *
 * Texts of models may be long: all of them together take at most TEXT_BYTES of the page; where they are more, the longest are cut in
 * the middle, so that a browser can open the page. What was cut stays in samples.jsonl.
 * Problems are read again from the files of items that run.json names; when such a file is gone or is another one, the page says so.
 */
#define _GNU_SOURCE
#include "eval/report.h"
#include "base/map.h"
#include "eval/benchmark.h"
#include "eval/report_int.h"
#include "eval/samples.h"

#include <math.h>
#include <stdio.h>

#ifdef R1_TINY
enum { TEXT_BYTES = 4000 };
#else
enum { TEXT_BYTES = 48 << 20 };
#endif

static const char *const text_keys[] = { "content", "reasoning_content", "error" };

static r1_status no_memory(r1_error *err) { return r1_fail(err, R1_ENOMEM, "no memory for a report"); }

static void report_deinit(r1_report *r)
{
    json_decref(r->record);
    json_decref(r->summary);
    json_decref(r->items);
    free(r->points);
    free(r->no_problems);
}

/* ---- the longest text that is shown whole ---------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* The largest cap with which n texts of these sizes take at most `most` bytes; SIZE_MAX when none has to be cut. Sorts sizes. */
static size_t cap_of(size_t *sizes, size_t n, size_t most)
{
    qsort(sizes, n, sizeof *sizes, by_size);
    for (size_t i = 0, sum = 0; i < n; sum += sizes[i++]) {
        if (sizes[i] <= (most - sum) / (n - i)) continue;
        return (most - sum) / (n - i);
    }
    return SIZE_MAX;
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */

typedef r1_status (*line_fn)(r1_report *r, const json_t *o, const r1_sample_line *line, void *ctx, r1_error *err);

/* Call fn for every whole line. */
static r1_status each_line(r1_report *r, const r1_map *m, line_fn fn, void *ctx, r1_error *err)
{
    const char *text = (const char *)m->data, *end = text + m->size;
    r1_status s = R1_OK;
    for (size_t number = 1; s == R1_OK && text < end; number++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        json_t *o = NULL;
        r1_sample_line line;
        if (!stop) break;
        s = r1_json_parse(&o, text, (size_t)(stop - text), err);
        if (s == R1_OK) s = r1_sample_parse(o, &line, err);
        if (s == R1_OK) s = fn(r, o, &line, ctx, err);
        if (s) r1_context(err, s, "line %zu", number);
        json_decref(o);
        text = stop + 1;
    }
    return s;
}

typedef struct sizes { size_t *list, n, cap; } sizes;

static r1_status add_sizes(r1_report *r, const json_t *o, const r1_sample_line *line, void *ctx, r1_error *err)
{
    sizes *z = ctx;
    (void)r;
    (void)line;
    for (size_t i = 0; i < R1_COUNT(text_keys); i++) {
        if (z->n == z->cap) {
            size_t cap = z->cap ? 2 * z->cap : 1024;
            size_t *more = realloc(z->list, cap * sizeof *more);
            if (!more) return no_memory(err);
            z->list = more;
            z->cap = cap;
        }
        z->list[z->n++] = json_string_length(json_object_get(o, text_keys[i]));
    }
    return R1_OK;
}

/* A text of a line, cut in the middle when it is longer than the cap; null when there is none. NULL: no memory. */
static json_t *shown_text(const r1_report *r, const json_t *v)
{
    const char *s = json_string_value(v);
    const size_t n = json_string_length(v);
    if (!s) return json_null();
    if (n <= r->text_cap) return json_incref((json_t *)v);
    size_t head = r->text_cap / 2, tail = n - (r->text_cap - head);
    while (head && ((unsigned char)s[head] & 0xc0) == 0x80) head--;
    while (tail < n && ((unsigned char)s[tail] & 0xc0) == 0x80) tail++;
    return json_sprintf("%.*s\n\n[… %zu bytes are left out here; samples.jsonl has them …]\n\n%s", (int)head, s, tail - head, s + tail);
}

static json_t *copy_of(const json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    return v ? json_incref(v) : json_null();
}

static json_t *sample_json(const r1_report *r, const json_t *o, const r1_sample_line *line)
{
    const bool failed = line->error != NULL;
    json_t *s = json_object();
    int bad = json_object_set_new(s, "sample", json_integer(line->sample)) | json_object_set_new(s, "seed", copy_of(o, "seed")) |
              json_object_set_new(s, "verdict", failed ? json_null() : copy_of(o, "verdict")) | json_object_set_new(s, "extracted", copy_of(o, "extracted")) |
              json_object_set_new(s, "reason", copy_of(o, "reason")) | json_object_set_new(s, "finish", copy_of(o, "finish_reason")) |
              json_object_set_new(s, "tokens", copy_of(o, "completion_tokens")) | json_object_set_new(s, "thinking_tokens", copy_of(o, "reasoning_tokens")) |
              json_object_set_new(s, "seconds", copy_of(o, "seconds")) | json_object_set_new(s, "content", shown_text(r, json_object_get(o, "content"))) |
              json_object_set_new(s, "thinking", shown_text(r, json_object_get(o, "reasoning_content"))) | json_object_set_new(s, "error", shown_text(r, json_object_get(o, "error")));
    if (!bad) return s;
    json_decref(s);
    return NULL;
}

/* ---- items ----------------------------------------------------------------------------------------------------- */

/* Tasks by name: {"problems": {id: problem}, "items": {id: the object in r->items}}. */
typedef struct index_of_tasks { json_t *tasks; } index_of_tasks;

static json_t *task_of(const index_of_tasks *x, const char *name)
{
    json_t *t = json_object_get(x->tasks, name);
    if (t) return t;
    t = json_pack("{s:{}, s:{}}", "problems", "items");
    return t && json_object_set_new(x->tasks, name, t) == 0 ? t : NULL;
}

static json_t *item_of(r1_report *r, const index_of_tasks *x, const r1_sample_line *line, const json_t *o)
{
    json_t *task = task_of(x, line->task), *items = json_object_get(task, "items"), *item = json_object_get(items, line->id);
    if (item || !items) return item;
    item = json_object();
    int bad = json_object_set_new(item, "task", json_string(line->task)) | json_object_set_new(item, "id", json_string(line->id)) |
              json_object_set_new(item, "problem", copy_of(json_object_get(task, "problems"), line->id)) | json_object_set_new(item, "gold", copy_of(o, "gold")) |
              json_object_set_new(item, "category", copy_of(o, "category")) | json_object_set_new(item, "samples", json_array());
    if (bad || json_object_set(items, line->id, item) || json_array_append(r->items, item)) {
        json_decref(item);
        return NULL;
    }
    json_decref(item); /* two others hold it */
    return item;
}

static r1_status add_point(r1_report *r, const r1_record *rec, r1_error *err)
{
    if (r->n_points == r->cap_points) {
        size_t cap = r->cap_points ? 2 * r->cap_points : 1024;
        r1_report_point *more = realloc(r->points, cap * sizeof *more);
        if (!more) return no_memory(err);
        r->points = more;
        r->cap_points = cap;
    }
    r->points[r->n_points++] = (r1_report_point){ rec->verdict, (double)rec->completion_tokens, (double)rec->reasoning_tokens };
    return R1_OK;
}

/* As samples.h has it: the first result of a sample counts, and any result more than a failure. */
static r1_status add_sample(r1_report *r, const json_t *o, const r1_sample_line *line, void *ctx, r1_error *err)
{
    json_t *item = item_of(r, ctx, line, o), *samples = json_object_get(item, "samples");
    if (!item) return no_memory(err);
    size_t at = 0;
    while (at < json_array_size(samples) && json_integer_value(json_object_get(json_array_get(samples, at), "sample")) < (json_int_t)line->sample) at++;
    const json_t *old = json_array_get(samples, at);
    const bool is_there = old && json_integer_value(json_object_get(old, "sample")) == (json_int_t)line->sample;
    if (is_there && !json_is_string(json_object_get(old, "error"))) return R1_OK;
    json_t *s = sample_json(r, o, line);
    if (!s || (is_there ? json_array_set_new(samples, at, s) : json_array_insert_new(samples, at, s))) return no_memory(err);
    if (is_there) r->n_failed--;
    if (line->error) {
        r->n_failed++;
        return R1_OK;
    }
    return add_point(r, &line->record, err);
}

/* ---- problems -------------------------------------------------------------------------------------------------- */

static r1_status remember_problems(json_t *task, const r1_items *items, r1_error *err)
{
    json_t *problems = json_object_get(task, "problems");
    for (size_t i = 0; i < items->n; i++) {
        if (json_object_set_new(problems, items->items[i].id, json_string(items->items[i].problem))) return no_memory(err);
    }
    return R1_OK;
}

/* The problems of a task of the record. What is wrong with the file is no error of the report: it says why they are missing. */
static r1_status read_problems(r1_report *r, const index_of_tasks *x, const json_t *task, r1_error *err)
{
    const char *name = json_string_value(json_object_get(task, "name")), *file = json_string_value(json_object_get(task, "file"));
    const char *hash = json_string_value(json_object_get(task, "sha256"));
    const r1_benchmark *b = name ? r1_benchmark_find(name) : NULL;
    json_t *to = name ? task_of(x, name) : NULL;
    const json_t *options = json_object_get(r->record, "options");
    r1_error why = { 0 };
    r1_items items = { 0 };
    if (!name || !file || !hash) return R1_OK;
    if (!to) return no_memory(err);
    r1_status s = r1_items_read(&items, b ? b : r1_benchmark_custom(),
                                &(r1_items_options){ .task = name, .limit = (size_t)json_integer_value(json_object_get(options, "limit")),
                                                     .seed = (uint64_t)json_integer_value(json_object_get(options, "seed")), .where = json_string_value(json_object_get(options, "where")) },
                                file, &why);
    if (s == R1_OK && strcmp(items.sha256, hash)) s = r1_fail(&why, R1_EFORMAT, "'%s' has changed since the run began", file);
    if (s == R1_OK) {
        s = remember_problems(to, &items, err);
        r1_items_deinit(&items);
        return s;
    }
    r1_items_deinit(&items);
    if (s == R1_ENOMEM) return no_memory(err);
    if (!r->no_problems) r->no_problems = strdup(why.msg);
    return r->no_problems ? R1_OK : no_memory(err);
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

static r1_status read_json(json_t **out, const char *folder, const char *name, r1_error *err)
{
    r1_buf path;
    r1_buf_init(&path, 8192);
    r1_status s = r1_buf_addf(&path, err, "%s/%s", folder, name);
    if (s == R1_OK) s = r1_json_read(out, path.data, (size_t)256 << 20, err);
    if (s == R1_OK && !json_is_object(*out)) s = r1_fail(err, R1_EFORMAT, "'%s' is %s, expected an object", path.data, r1_json_kind(*out));
    r1_buf_deinit(&path);
    return s;
}

static r1_status read_samples(r1_report *r, const char *folder, const index_of_tasks *x, r1_error *err)
{
    r1_buf path;
    r1_map m = { 0 };
    sizes z = { 0 };
    r1_buf_init(&path, 8192);
    r1_status s = r1_buf_addf(&path, err, "%s/samples.jsonl", folder);
    if (s == R1_OK) s = r1_map_open(&m, path.data, err);
    if (s == R1_OK) s = r1_context(err, each_line(r, &m, add_sizes, &z, err), "'%s'", path.data);
    r->text_cap = s == R1_OK ? cap_of(z.list, z.n, TEXT_BYTES) : SIZE_MAX;
    if (s == R1_OK) s = r1_context(err, each_line(r, &m, add_sample, (void *)x, err), "'%s'", path.data);
    free(z.list);
    r1_map_close(&m);
    r1_buf_deinit(&path);
    return s;
}

static r1_status write_page(const r1_report *r, const char *folder, r1_error *err)
{
    r1_buf page, path;
    r1_buf_init(&page, (size_t)1 << 30);
    r1_buf_init(&path, 8192);
    r1_status s = r1_report_page(r, &page, err);
    if (s == R1_OK) s = r1_buf_addf(&path, err, "%s/report.html", folder);
    if (s == R1_OK) s = r1_file_write(path.data, page.data, page.len, true, err);
    r1_buf_deinit(&path);
    r1_buf_deinit(&page);
    return s;
}

r1_status r1_eval_report(const char *run_folder, r1_error *err)
{
    r1_report r = { .items = json_array() };
    index_of_tasks x = { json_object() };
    size_t i;
    json_t *task;
    r1_status s = r.items && x.tasks ? R1_OK : no_memory(err);
    if (s == R1_OK) s = read_json(&r.record, run_folder, "run.json", err);
    if (s == R1_OK) s = read_json(&r.summary, run_folder, "summary.json", err);
    if (s == R1_OK) {
        json_array_foreach(json_object_get(r.record, "tasks"), i, task) {
            if (s == R1_OK) s = read_problems(&r, &x, task, err);
        }
    }
    if (s == R1_OK) s = read_samples(&r, run_folder, &x, err);
    if (s == R1_OK) s = write_page(&r, run_folder, err);
    json_decref(x.tasks);
    report_deinit(&r);
    return s;
}
