/* run_test: a small run made in memory, for the tests of what works on runs. */
#ifndef R1_EVAL_RUN_TEST_H
#define R1_EVAL_RUN_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/map.h"
#include "eval/plan.h"
#include "eval/samples.h"
#include "tests/test.h"

#include <dirent.h>
#include <unistd.h>

typedef struct small_run {
    char folder[256];
    r1_run_task tasks[2];
    size_t n_tasks;
} small_run;

/* A task of n items q0, q1, ... whose answers are 0, 1, ...; categories even and odd. */
static inline void small_task(r1_run_task *t, const char *name, size_t n, uint32_t k)
{
    char text[4096];
    size_t at = 0;
    r1_error e = { 0 };
    r1_items_options o = { .task = name };
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "{\"id\":\"q%zu\",\"problem\":\"p%zu\",\"answer\":\"%zu\",\"category\":\"%s\"}\n", i, i, i, i % 2 ? "odd" : "even");
    *t = (r1_run_task){ .name = strdup(name), .benchmark = r1_benchmark_find("gsm8k"), .path = strdup("items.jsonl"), .k = k };
    EXPECT(t->name && t->path);
    EXPECT_OK(r1_items_parse(&t->items, t->benchmark, &o, text, at, &e), &e);
}

static inline small_run small_run_new(size_t n, uint32_t k)
{
    small_run r = { .n_tasks = 1 };
    const char *t = getenv("TMPDIR");
    snprintf(r.folder, sizeof r.folder, "%.200s/r1-test-XXXXXX", t && *t ? t : "/tmp");
    EXPECT(mkdtemp(r.folder) != NULL);
    small_task(&r.tasks[0], "t", n, k);
    return r;
}

static inline void small_run_free(small_run *r)
{
    DIR *d = opendir(r->folder);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.') (void)unlinkat(dirfd(d), e->d_name, 0);
    if (d) closedir(d);
    EXPECT(rmdir(r->folder) == 0);
    for (size_t i = 0; i < r->n_tasks; i++) {
        r1_items_deinit(&r->tasks[i].items);
        free(r->tasks[i].path);
        free((char *)r->tasks[i].name);
    }
}

static inline r1_samples *small_log(const small_run *r)
{
    r1_samples *l;
    r1_error e = { 0 };
    EXPECT_OK(r1_samples_open(&l, r->folder, r->tasks, r->n_tasks, &e), &e);
    return l;
}

static inline void small_add(r1_samples *l, size_t item, uint32_t sample, int verdict, const char *extracted, int64_t tokens)
{
    r1_error e = { 0 };
    r1_eval_sample s = { .item = item, .sample = sample, .seed = 5, .prompt_tokens = 7, .completion_tokens = tokens, .reasoning_tokens = tokens / 2, .seconds = 0.25, .finish = "stop",
                         .content = (char *)"said", .extracted = (char *)extracted, .reason = (char *)"why", .verdict = verdict };
    EXPECT_OK(r1_samples_add(l, &s, &e), &e);
}

/* A file of the run's folder; the caller frees it. */
static __attribute__((noinline, unused)) char *small_read(const small_run *r, const char *name)
{
    char path[512], *text = NULL;
    size_t n;
    r1_error e = { 0 };
    snprintf(path, sizeof path, "%s/%s", r->folder, name);
    EXPECT_OK(r1_file_read(path, 1 << 24, &text, &n, &e), &e);
    return text;
}

static inline void small_write(const small_run *r, const char *name, const char *text)
{
    char path[512];
    r1_error e = { 0 };
    snprintf(path, sizeof path, "%s/%s", r->folder, name);
    EXPECT_OK(r1_file_write(path, text, strlen(text), true, &e), &e);
}

#endif
