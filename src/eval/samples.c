/* The log of samples.
 *
 * Records stand in one table, [task][item][sample]; ids are found through a hash table of items. A line is made in memory and
 * written by one call, so that only the death of the machine can leave a half of one. */
#define _GNU_SOURCE
#include "eval/samples.h"
#include "base/map.h"
#include "base/utf8.h"
#include "base/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES_MAX ((size_t)1 << 28)

typedef struct slot { size_t task, item; bool used; } slot;

struct r1_samples {
    char *path;
    int fd;
    uint64_t size;           /* of the file */
    size_t cut;
    const r1_run_task *tasks;
    size_t n_tasks;
    size_t *first;           /* [n_tasks] the record of a task's first sample */
    r1_record *records;
    size_t n_records;
    slot *slots;             /* [n_slots], a power of two, at most half full */
    size_t n_slots;
    pthread_mutex_t lock;    /* guards records, size and the file while samples are added */
    bool locked;             /* lock was initialised */
};

void r1_eval_sample_deinit(r1_eval_sample *s)
{
    free(s->content);
    free(s->reasoning);
    free(s->extracted);
    free(s->reason);
    free(s->error);
    *s = (r1_eval_sample){ 0 };
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */

r1_status r1_sample_parse(const json_t *o, r1_sample_line *out, r1_error *err)
{
    int64_t sample = 0, verdict = -1;
    const char *finish = "";
    r1_record *r = &out->record;
    *out = (r1_sample_line){ 0 };
    if (!json_is_object(o)) return r1_fail(err, R1_EFORMAT, "it is %s, expected an object", r1_json_kind(o));
    r1_status s = r1_json_str(o, "task", true, NULL, &out->task, err);
    if (s == R1_OK) s = r1_json_str(o, "id", true, NULL, &out->id, err);
    if (s == R1_OK) s = r1_json_int(o, "sample", true, 0, 0, UINT32_MAX - 1, &sample, err);
    if (s == R1_OK) s = r1_json_str(o, "error", false, NULL, &out->error, err);
    out->sample = (uint32_t)sample;
    r->state = out->error ? R1_RECORD_FAILED : R1_RECORD_DONE;
    if (s || out->error) return s;
    s = r1_json_int(o, "prompt_tokens", false, -1, 0, INT64_MAX, &r->prompt_tokens, err);
    if (s == R1_OK) s = r1_json_int(o, "completion_tokens", false, -1, 0, INT64_MAX, &r->completion_tokens, err);
    if (s == R1_OK) s = r1_json_int(o, "reasoning_tokens", false, -1, 0, INT64_MAX, &r->reasoning_tokens, err);
    if (s == R1_OK) s = r1_json_str(o, "finish_reason", true, NULL, &finish, err);
    const char *extracted = NULL;
    if (s == R1_OK) s = r1_json_str(o, "extracted", false, NULL, &extracted, err);
    if (s == R1_OK) s = r1_json_str(o, "category", false, "", &out->category, err);
    if (s == R1_OK) s = r1_json_int(o, "verdict", false, -1, 0, 1, &verdict, err);
    if (s == R1_OK) s = r1_json_real(o, "seconds", false, 0, &r->seconds, err);
    r->extracted = (char *)extracted;
    r->verdict = (int8_t)verdict;
    r->truncated = s == R1_OK && !strcmp(finish, "length");
    return s;
}

r1_status r1_samples_each(const char *text, size_t n, r1_sample_fn fn, void *ctx, size_t *whole, r1_error *err)
{
    r1_status s = R1_OK;
    size_t number = 0;
    *whole = 0;
    while (s == R1_OK) {
        const char *end = n > *whole ? memchr(text + *whole, '\n', n - *whole) : NULL;
        if (!end) break;
        size_t at = *whole, len = (size_t)(end - text) - at;
        json_t *o = NULL;
        r1_sample_line line;
        number++;
        if (len > LINE_BYTES_MAX) s = r1_fail(err, R1_ELIMIT, "it has %zu bytes, the limit is %zu", len, LINE_BYTES_MAX);
        if (s == R1_OK) s = r1_json_parse(&o, text + at, len, err);
        if (s == R1_OK) s = r1_sample_parse(o, &line, err);
        if (s == R1_OK) {
            line.record.at = at;
            line.record.bytes = len;
            s = fn(ctx, &line, err);
        }
        json_decref(o);
        s = r1_context(err, s, "line %zu", number);
        if (s == R1_OK) *whole = at + len + 1;
    }
    return s;
}

/* A text as JSON; what is no UTF-8 becomes U+FFFD, for a server may send anything. */
static json_t *json_text(const char *t)
{
    if (!t) return json_null();
    json_t *v = json_string(t);
    if (v) return v;
    r1_buf b;
    r1_buf_init(&b, SIZE_MAX / 4);
    size_t n = strlen(t);
    r1_status s = R1_OK;
    for (size_t i = 0; i < n && s == R1_OK;) {
        uint32_t cp;
        int len = r1_utf8_decode(t + i, n - i, &cp);
        s = len > 0 ? r1_buf_add(&b, t + i, (size_t)len, NULL) : r1_buf_adds(&b, "\xEF\xBF\xBD", NULL);
        i += (size_t)(len > 0 ? len : len < 0 ? -len : 1);
    }
    if (s == R1_OK) v = json_stringn(b.data ? b.data : "", b.len);
    r1_buf_deinit(&b);
    return v;
}

static json_t *count_or_null(int64_t n) { return n < 0 ? json_null() : json_integer(n); }

static json_t *line_of(const r1_samples *l, const r1_eval_sample *s)
{
    const r1_run_task *task = &l->tasks[s->task];
    const r1_item *item = &task->items.items[s->item];
    json_t *o = json_object();
    int bad = json_object_set_new(o, "task", json_string(task->name)) | json_object_set_new(o, "id", json_string(item->id)) |
              json_object_set_new(o, "sample", json_integer(s->sample)) | json_object_set_new(o, "seed", json_integer((json_int_t)s->seed));
    if (s->error) {
        bad |= json_object_set_new(o, "error", json_text(s->error));
    } else {
        bad |= json_object_set_new(o, "prompt_tokens", count_or_null(s->prompt_tokens)) | json_object_set_new(o, "completion_tokens", count_or_null(s->completion_tokens)) |
               json_object_set_new(o, "reasoning_tokens", count_or_null(s->reasoning_tokens)) | json_object_set_new(o, "finish_reason", json_string(s->finish ? s->finish : "stop")) |
               json_object_set_new(o, "content", json_text(s->content ? s->content : "")) | json_object_set_new(o, "reasoning_content", json_text(s->reasoning)) |
               json_object_set_new(o, "extracted", json_text(s->extracted)) | json_object_set_new(o, "verdict", s->verdict < 0 ? json_null() : json_integer(s->verdict)) |
               json_object_set_new(o, "reason", json_text(s->reason ? s->reason : ""));
        if (*item->category) bad |= json_object_set_new(o, "category", json_string(item->category));
        bad |= json_object_set_new(o, "gold", json_string(item->gold)) | json_object_set_new(o, "seconds", json_real(s->seconds));
    }
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

/* ---- finding --------------------------------------------------------------------------------------------------- */

static uint64_t hash_of(const char *task, const char *id)
{
    uint64_t h = 0xCBF29CE484222325ull;
    for (; *task; task++) h = (h ^ (unsigned char)*task) * 0x100000001B3ull;
    h *= 0x9E3779B97F4A7C15ull;
    for (; *id; id++) h = (h ^ (unsigned char)*id) * 0x100000001B3ull;
    return h ^ h >> 29;
}

static slot *find_slot(const r1_samples *l, const char *task, const char *id)
{
    size_t i = hash_of(task, id) & (l->n_slots - 1);
    for (; l->slots[i].used; i = (i + 1) & (l->n_slots - 1)) {
        const r1_run_task *t = &l->tasks[l->slots[i].task];
        if (!strcmp(t->name, task) && !strcmp(t->items.items[l->slots[i].item].id, id)) break;
    }
    return &l->slots[i];
}

static size_t index_of(const r1_samples *l, size_t task, size_t item, uint32_t sample) { return l->first[task] + item * l->tasks[task].k + sample; }

static r1_status make_tables(r1_samples *l, r1_error *err)
{
    size_t n_items = 0;
    l->first = calloc(l->n_tasks + 1, sizeof *l->first);
    if (!l->first) return r1_fail(err, R1_ENOMEM, "no memory for the samples of a run");
    for (size_t t = 0; t < l->n_tasks; t++) {
        uint64_t n;
        l->first[t] = l->n_records;
        if (!r1_mul_ok(l->tasks[t].items.n, l->tasks[t].k, &n) || n > (uint64_t)1 << 32)
            return r1_fail(err, R1_ELIMIT, "%zu items with %u samples each are more than r1 keeps account of", l->tasks[t].items.n, l->tasks[t].k);
        l->n_records += (size_t)n;
        n_items += l->tasks[t].items.n;
    }
    for (l->n_slots = 16; l->n_slots < 2 * n_items; l->n_slots *= 2) {}
    l->records = calloc(l->n_records + 1, sizeof *l->records);
    l->slots = calloc(l->n_slots, sizeof *l->slots);
    if (!l->records || !l->slots) return r1_fail(err, R1_ENOMEM, "no memory for %zu samples", l->n_records);
    for (size_t t = 0; t < l->n_tasks; t++)
        for (size_t i = 0; i < l->tasks[t].items.n; i++) {
            slot *p = find_slot(l, l->tasks[t].name, l->tasks[t].items.items[i].id);
            if (p->used) return r1_fail(err, R1_EINVAL, "the task '%s' is given twice", l->tasks[t].name);
            *p = (slot){ t, i, true };
        }
    return R1_OK;
}

/* The first result counts, and any result more than a failure. Takes r->extracted over when it returns true. */
static bool keep(r1_record *old, const r1_record *r)
{
    if (old->state == R1_RECORD_DONE) return false;
    free(old->extracted);
    *old = *r;
    return true;
}

static r1_status read_line(void *ctx, const r1_sample_line *line, r1_error *err)
{
    r1_samples *l = ctx;
    const slot *p = find_slot(l, line->task, line->id);
    if (!p->used) return r1_fail(err, R1_EFORMAT, "there is no item '%s' of task '%s' in this run", line->id, line->task);
    if (line->sample >= l->tasks[p->task].k) return r1_fail(err, R1_EFORMAT, "it is sample %u, expected 0 to %u", line->sample, l->tasks[p->task].k - 1);
    r1_record r = line->record;
    if (r.extracted && !(r.extracted = strdup(r.extracted))) return r1_fail(err, R1_ENOMEM, "no memory for an answer");
    if (!keep(&l->records[index_of(l, p->task, p->item, line->sample)], &r)) free(r.extracted);
    return R1_OK;
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

static r1_status read_file(r1_samples *l, r1_error *err)
{
    r1_map m;
    size_t whole = 0;
    r1_status s = r1_map_open(&m, l->path, err);
    if (s) return s;
    s = r1_context(err, r1_samples_each((const char *)m.data, m.size, read_line, l, &whole, err), "'%s'", l->path);
    l->cut = m.size - whole;
    l->size = whole;
    r1_map_close(&m);
    if (s == R1_OK && l->cut && ftruncate(l->fd, (off_t)whole) < 0) s = r1_fail(err, R1_EIO, "cannot cut '%s': %s", l->path, strerror(errno));
    return s;
}

static r1_status sync_folder(const char *folder, r1_error *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int e = errno;
    if (fd >= 0) close(fd);
    return ok || e == EINVAL ? R1_OK : r1_fail(err, R1_EIO, "cannot write '%s': %s", folder, strerror(e));
}

static r1_status open_file(r1_samples *l, const char *folder, r1_error *err)
{
    if (asprintf(&l->path, "%s/samples.jsonl", folder) < 0) {
        l->path = NULL;
        return r1_fail(err, R1_ENOMEM, "no memory for a path");
    }
    l->fd = open(l->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (l->fd < 0) return r1_fail(err, R1_EIO, "cannot open '%s': %s", l->path, strerror(errno));
    if (flock(l->fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK) return r1_fail(err, R1_EIO, "'%s' is being written by another r1", l->path);
        return r1_fail(err, R1_EIO, "cannot lock '%s': %s", l->path, strerror(errno));
    }
    return sync_folder(folder, err);
}

r1_status r1_samples_open(r1_samples **out, const char *folder, const r1_run_task *tasks, size_t n_tasks, r1_error *err)
{
    *out = NULL;
    r1_samples *l = calloc(1, sizeof *l);
    if (!l) return r1_fail(err, R1_ENOMEM, "no memory for the samples of a run");
    l->fd = -1;
    l->tasks = tasks;
    l->n_tasks = n_tasks;
    r1_status s = make_tables(l, err);
    if (s == R1_OK && pthread_mutex_init(&l->lock, NULL)) s = r1_fail(err, R1_ENOMEM, "no memory for a lock");
    l->locked = s == R1_OK;
    if (s == R1_OK) s = open_file(l, folder, err);
    if (s == R1_OK) s = read_file(l, err);
    if (s) {
        r1_samples_close(l);
        return s;
    }
    *out = l;
    return R1_OK;
}

void r1_samples_close(r1_samples *l)
{
    if (!l) return;
    for (size_t i = 0; i < l->n_records && l->records; i++) free(l->records[i].extracted);
    if (l->fd >= 0) close(l->fd);
    if (l->locked) pthread_mutex_destroy(&l->lock);
    free(l->records);
    free(l->slots);
    free(l->first);
    free(l->path);
    free(l);
}

const r1_record *r1_samples_get(const r1_samples *l, size_t task, size_t item, uint32_t sample) { return &l->records[index_of(l, task, item, sample)]; }
size_t r1_samples_cut(const r1_samples *l) { return l->cut; }

/* ---- writing --------------------------------------------------------------------------------------------------- */

static r1_status append(r1_samples *l, const char *text, size_t n, r1_error *err)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = write(l->fd, text + done, n - done);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) {
            int e = k < 0 ? errno : EIO;
            (void)!ftruncate(l->fd, (off_t)l->size); /* what fails here is cut off when the log is opened again */
            return r1_fail(err, e == ENOSPC || e == EDQUOT || e == EFBIG ? R1_ENOMEM : R1_EIO, "cannot write %zu bytes to '%s': %s", n, l->path, strerror(e));
        }
        done += (size_t)k;
    }
    if (fdatasync(l->fd) == 0 || errno == EINVAL) return R1_OK;
    return r1_fail(err, errno == ENOSPC || errno == EDQUOT ? R1_ENOMEM : R1_EIO, "cannot write to '%s': %s", l->path, strerror(errno));
}

static r1_record record_of(const r1_eval_sample *s)
{
    return (r1_record){ .state = s->error ? R1_RECORD_FAILED : R1_RECORD_DONE, .verdict = (int8_t)s->verdict, .truncated = s->finish && !strcmp(s->finish, "length"),
                        .prompt_tokens = s->prompt_tokens, .completion_tokens = s->completion_tokens, .reasoning_tokens = s->reasoning_tokens, .seconds = s->seconds };
}

r1_status r1_samples_add(r1_samples *l, const r1_eval_sample *sample, r1_error *err)
{
    r1_record r = record_of(sample);
    json_t *o = line_of(l, sample);
    char *text = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(o);
    if (text && sample->extracted && !sample->error) {
        r.extracted = strdup(sample->extracted);
        if (!r.extracted) {
            free(text);
            text = NULL;
        }
    }
    if (!text) return r1_fail(err, R1_ENOMEM, "no memory for the line of a sample");
    r.bytes = strlen(text);
    text[r.bytes] = '\n'; /* the place of its NUL: the line is written with its end in one piece */
    pthread_mutex_lock(&l->lock);
    r1_status s = append(l, text, r.bytes + 1, err);
    bool kept = false;
    if (s == R1_OK) {
        r.at = l->size;
        l->size += r.bytes + 1;
        kept = keep(&l->records[index_of(l, sample->task, sample->item, sample->sample)], &r);
    }
    pthread_mutex_unlock(&l->lock);
    if (!kept) free(r.extracted);
    free(text);
    return s;
}

static r1_status write_sorted(const r1_samples *l, const r1_map *m, r1_error *err)
{
    r1_writer w;
    r1_status s = r1_writer_open(&w, l->path, l->size, true, err);
    for (size_t i = 0; i < l->n_records && s == R1_OK; i++)
        if (l->records[i].state != R1_RECORD_NONE) s = r1_writer_add(&w, m->data + l->records[i].at, (size_t)l->records[i].bytes + 1, err);
    if (s == R1_OK) return r1_writer_finish(&w, err);
    r1_writer_abandon(&w);
    return s;
}

static bool is_sorted(const r1_samples *l)
{
    uint64_t at = 0;
    for (size_t i = 0; i < l->n_records; i++) {
        const r1_record *r = &l->records[i];
        if (r->state == R1_RECORD_NONE) continue;
        if (r->at != at) return false;
        at += r->bytes + 1;
    }
    return at == l->size;
}

/* The file was replaced: its new bytes, a lock on them, and where records stand now. */
static r1_status reopen(r1_samples *l, r1_error *err)
{
    int fd = open(l->path, O_RDWR | O_APPEND | O_CLOEXEC); /* the old file, and the lock on it, goes */
    if (fd < 0) return r1_fail(err, R1_EIO, "cannot open '%s': %s", l->path, strerror(errno));
    (void)flock(fd, LOCK_EX | LOCK_NB);
    close(l->fd);
    l->fd = fd;
    l->size = 0;
    for (size_t i = 0; i < l->n_records; i++) {
        if (l->records[i].state == R1_RECORD_NONE) continue;
        l->records[i].at = l->size;
        l->size += l->records[i].bytes + 1;
    }
    return R1_OK;
}

r1_status r1_samples_sort(r1_samples *l, r1_error *err)
{
    if (is_sorted(l)) return R1_OK;
    r1_map m;
    r1_status s = r1_map_open(&m, l->path, err);
    if (s) return s;
    s = write_sorted(l, &m, err);
    r1_map_close(&m);
    return s ? s : reopen(l, err);
}

/* ---- judging again --------------------------------------------------------------------------------------------- */

typedef struct regrading {
    r1_samples *log;
    r1_regrade_fn grade;
    void *ctx;
    r1_writer *writer;
    const r1_map *map;
} regrading;

/* A line with a new verdict instead of its old one; what the record says of it changes along. */
static r1_status regrade_line(const regrading *g, r1_record *r, r1_eval_sample *a, const char *old, r1_error *err)
{
    json_t *o, *now = NULL;
    char *text = NULL;
    r1_status s = r1_json_parse(&o, old, (size_t)r->bytes, err);
    if (s) return s;
    const char *finish = json_string_value(json_object_get(o, "finish_reason")), *thought = json_string_value(json_object_get(o, "reasoning_content"));
    const char *content = json_string_value(json_object_get(o, "content"));
    a->seed = (uint64_t)json_integer_value(json_object_get(o, "seed"));
    a->prompt_tokens = r->prompt_tokens;
    a->completion_tokens = r->completion_tokens;
    a->reasoning_tokens = r->reasoning_tokens;
    a->seconds = r->seconds;
    a->finish = finish;
    a->content = (char *)content; /* borrowed from the object, as the thinking is */
    a->reasoning = (char *)thought;
    s = g->grade(g->ctx, a, err);
    if (s == R1_OK) now = line_of(g->log, a);
    if (s == R1_OK) text = now ? json_dumps(now, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    if (s == R1_OK && !text) s = r1_fail(err, R1_ENOMEM, "no memory for the line of a sample");
    if (s == R1_OK) s = r1_writer_add(g->writer, text, strlen(text), err);
    if (s == R1_OK) s = r1_writer_add(g->writer, "\n", 1, err);
    if (s == R1_OK) {
        free(r->extracted);
        r->extracted = a->extracted;
        a->extracted = NULL;
        r->verdict = (int8_t)a->verdict;
        r->bytes = strlen(text);
    }
    free(text);
    json_decref(now);
    json_decref(o);
    free(a->extracted);
    free(a->reason);
    return s;
}

static r1_status regrade_all(const regrading *g, size_t *changed, r1_error *err)
{
    r1_samples *l = g->log;
    r1_status s = R1_OK;
    for (size_t t = 0; t < l->n_tasks && s == R1_OK; t++)
        for (size_t i = 0; i < l->tasks[t].items.n * l->tasks[t].k && s == R1_OK; i++) {
            r1_record *r = &l->records[l->first[t] + i];
            r1_eval_sample a = { .task = t, .item = i / l->tasks[t].k, .sample = (uint32_t)(i % l->tasks[t].k) };
            const char *old = (const char *)g->map->data + r->at;
            int before = r->verdict;
            if (r->state == R1_RECORD_FAILED) s = r1_writer_add(g->writer, old, (size_t)r->bytes + 1, err);
            if (r->state != R1_RECORD_DONE) continue;
            s = regrade_line(g, r, &a, old, err);
            *changed += r->verdict != before;
        }
    return s;
}

r1_status r1_samples_regrade(r1_samples *l, r1_regrade_fn grade, void *ctx, size_t *changed, r1_error *err)
{
    r1_map m;
    r1_writer w;
    *changed = 0;
    r1_status s = r1_map_open(&m, l->path, err);
    if (s) return s;
    s = r1_writer_open(&w, l->path, l->size, true, err);
    if (s == R1_OK) {
        s = regrade_all(&(regrading){ l, grade, ctx, &w, &m }, changed, err);
        if (s == R1_OK) s = r1_writer_finish(&w, err);
        else r1_writer_abandon(&w);
    }
    r1_map_close(&m);
    return s ? s : reopen(l, err);
}
