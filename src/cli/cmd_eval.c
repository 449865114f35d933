/* r1 eval: a model measured on benchmarks; a run that goes on after whatever ended it; its answers judged again; two runs
 * compared. */
#define _GNU_SOURCE
#include "cli/eval_print.h"
#include "eval/grade.h"
#include "eval/plan.h"
#include "eval/report.h"
#include "eval/runner.h"
#include "eval/score.h"
#include "eval/versus.h"
#include "base/map.h"
#include "base/thread.h"

#include <math.h>
#include <time.h>

typedef struct job {
    r1_cli *c;
    r1_plan plan;
    json_t *record;              /* run.json as it is, or as it was just written */
    char *usual, *folder, *template_text, *key;
    r1_run_task *tasks;
    r1_samples *log;
    r1_model *model;
    r1_source *source;
    size_t done, total;
    r1_eval_progress end;        /* of this part of the run */
    r1_eval_line line;
} job;

/* ---- what is asked for ----------------------------------------------------------------------------------------- */

static const char *const kv_names[] = { "auto", "f16", "bf16", "q8_0", "f32" };
static const char *const activation_names[] = { "auto", "f32", "bf16", "int8" };
static const char *const cpu_names[] = { "auto", "scalar", "avx2", "avx512", "amx", "neon" };

static int64_t index_of(const char *word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(word, words[i])) return (int64_t)i;
    return 0;
}

static void take_sampling(const r1_opts *o, r1_eval_sampling *g)
{
    if (!isnan(o->temperature)) g->temperature = o->temperature;
    if (o->greedy) g->temperature = 0;
    if (!isnan(o->top_p)) g->top_p = o->top_p;
    if (!isnan(o->min_p)) g->min_p = o->min_p;
    if (o->top_k >= 0) g->top_k = o->top_k;
    if (o->max_tokens_given) g->max_tokens = o->max_tokens;
    if (o->think_budget >= 0) g->think_budget = o->think_budget;
}

/* A text, or "@FILE". */
static r1_status read_template(job *j, const char *given, r1_error *err)
{
    size_t n;
    j->plan.prompt = given;
    if (given[0] != '@') return R1_OK;
    r1_status s = r1_file_read(given + 1, (size_t)1 << 20, &j->template_text, &n, err);
    if (s == R1_OK && strlen(j->template_text) != n) s = r1_fail(err, R1_EFORMAT, "'%s' holds a NUL character", given + 1);
    j->plan.prompt = j->template_text;
    return s;
}

/* Options that were given, on top of those of the record. */
static r1_status take_options(job *j, r1_error *err)
{
    const r1_opts *o = &j->c->o;
    r1_plan *p = &j->plan;
    take_sampling(o, &p->sampling);
    if (j->c->n_args > R1_EVAL_TASKS_MAX) return r1_fail(err, R1_EINVAL, "%zu tasks are asked for, at most %d can be", j->c->n_args, R1_EVAL_TASKS_MAX);
    if (j->c->n_args) p->n_tasks = j->c->n_args;
    for (size_t i = 0; i < j->c->n_args; i++) p->tasks[i] = j->c->args[i];
    if (o->eval_data || j->c->n_args) { /* what the record says of files is forgotten */
        memset(p->files, 0, sizeof p->files);
        p->data = o->eval_data;
    }
    if (o->eval_model || o->eval_url) {
        p->model = o->eval_model;
        p->url = o->eval_url;
        p->model_name = NULL;
    }
    if (o->model_name) p->model_name = o->model_name;
    if (o->where) p->where = o->where;
    if (o->samples) p->samples = o->samples;
    if (o->limit) p->limit = o->limit;
    if (o->seed_given) p->seed = o->seed;
    if (o->template) p->template = o->template;
    if (o->loop_guard) p->loop_guard = true;
    if (o->ctx) p->context = o->ctx;
    if (o->kv) p->kv = kv_names[o->kv];
    if (o->activations) p->activations = activation_names[o->activations];
    if (o->cpu) p->cpu = cpu_names[o->cpu];
    if (o->mla) p->mla = "expanded";
    return o->prompt_template ? read_template(j, o->prompt_template, err) : R1_OK;
}

static r1_status check_plan(const job *j, r1_error *err)
{
    const r1_plan *p = &j->plan;
    if (p->n_tasks == 0) return r1_fail(err, R1_EINVAL, "'eval' needs a TASK; `r1 eval list` names them");
    if (p->model && p->url) return r1_fail(err, R1_EINVAL, "--model and --url are both given; expected one of them");
    if (!p->model && !p->url) return r1_fail(err, R1_EINVAL, "'eval' needs --model MODEL or --url URL");
    if (p->sampling.max_tokens < 1) return r1_fail(err, R1_EINVAL, "--max-tokens is %lld, expected at least 1", (long long)p->sampling.max_tokens);
    if (p->where && !strchr(p->where, '=')) return r1_fail(err, R1_EINVAL, "--where is '%s', expected FIELD=TEXT such as split=test", p->where);
    if (!p->url && j->c->o.api_key_file) return r1_fail(err, R1_EINVAL, "--api-key-file belongs to --url");
    return R1_OK;
}

/* "eval-gsm8k+svamp-model.gguf" where nobody names a folder: the same command finds its run again. */
static r1_status name_folder(job *j, r1_error *err)
{
    const char *m = j->plan.model ? j->plan.model : j->plan.model_name ? j->plan.model_name : j->plan.url, *slash;
    size_t n = strlen(m);
    while (n > 1 && m[n - 1] == '/') n--;
    slash = memrchr(m, '/', n);
    r1_buf b;
    r1_buf_init(&b, 4096);
    r1_status s = r1_buf_adds(&b, "eval", err);
    for (size_t i = 0; i < j->plan.n_tasks && s == R1_OK; i++) s = r1_buf_addf(&b, err, "%c%s", i ? '+' : '-', j->tasks[i].name);
    if (s == R1_OK) s = r1_buf_addf(&b, err, "-%.*s", slash ? (int)(n - (size_t)(slash - m) - 1) : (int)n, slash ? slash + 1 : m);
    for (size_t i = 0; s == R1_OK && i < b.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-", b.data[i])) b.data[i] = '-';
    if (s == R1_OK) j->folder = r1_buf_take(&b, NULL);
    r1_buf_deinit(&b);
    return s;
}

/* ---- the model or server ---------------------------------------------------------------------------------------- */

static bool load_progress(void *ctx, double fraction)
{
    r1_progress_step(ctx, fraction, 1);
    return !r1_interrupted();
}

static r1_status open_model(job *j, r1_error *err)
{
    const r1_opts *o = &j->c->o;
    const r1_plan *p = &j->plan;
    r1_progress bar;
    r1_progress_begin(&bar, &j->c->err, o->quiet, "loading", "");
    r1_model_options mo = { .cpu = (r1_cpu_level)index_of(p->cpu, cpu_names, R1_COUNT(cpu_names)), .activations = (r1_activations)index_of(p->activations, activation_names, R1_COUNT(activation_names)),
                            .mla_expanded = !strcmp(p->mla, "expanded"), .n_threads = (int)o->threads, .progress = load_progress, .progress_ctx = &bar };
    r1_status s = r1_model_open(&j->model, p->model, &mo, err);
    r1_progress_end(&bar);
    if (s) return s;
    r1_model_source_options so = { .model = j->model, .path = p->model, .template = p->template, .context = (size_t)p->context, .parallel = (size_t)o->parallel,
                                   .loop_guard = p->loop_guard, .sampling = p->sampling,
                                   .engine = { .n_threads = (int)o->threads, .chunk = (int)o->chunk, .kv = (r1_kv_type)index_of(p->kv, kv_names, R1_COUNT(kv_names)) } };
    return r1_source_model(&j->source, &so, err);
}

static r1_status read_key(job *j, r1_error *err)
{
    size_t n;
    if (!j->c->o.api_key_file) return R1_OK;
    r1_status s = r1_file_read(j->c->o.api_key_file, 65536, &j->key, &n, err);
    if (s) return s;
    while (n && strchr(" \t\r\n", j->key[n - 1])) j->key[--n] = 0;
    return R1_OK;
}

static r1_status open_url(job *j, r1_error *err)
{
    const r1_opts *o = &j->c->o;
    r1_status s = read_key(j, err);
    if (s) return s;
    r1_url_options u = { .url = j->plan.url, .model = j->plan.model_name, .key = j->key, .parallel = o->parallel ? (int)o->parallel : 8, .tries = o->tries ? (int)o->tries : 6,
                         .timeout_s = isnan(o->timeout) ? 3600 : o->timeout, .sampling = j->plan.sampling };
    return r1_source_url(&j->source, &u, err);
}

/* ---- the run's folder ------------------------------------------------------------------------------------------ */

static r1_status compare_record(const job *j, const json_t *model, r1_error *err)
{
    json_t *now = r1_plan_record(&j->plan, j->tasks, model, NULL);
    r1_status s = now ? r1_plan_same(j->record, now, err) : r1_fail(err, R1_ENOMEM, "no memory for the record of a run");
    json_decref(now);
    return s == R1_EINVAL ? r1_context(err, s, "'%s' holds another run; --out FOLDER names a new one", j->folder) : s;
}

/* With a model at hand: the old record is compared, a new one written. */
static r1_status settle_record(job *j, r1_error *err)
{
    json_t *model = j->source->describe(j->source);
    if (!model) return r1_fail(err, R1_ENOMEM, "no memory for the record of a run");
    r1_status s = R1_OK;
    if (j->record) {
        s = compare_record(j, model, err);
    } else {
        char created[32];
        time_t t = time(NULL);
        struct tm tm;
        strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
        j->record = r1_plan_record(&j->plan, j->tasks, model, created);
        s = j->record ? r1_plan_write(j->folder, j->record, err) : r1_fail(err, R1_ENOMEM, "no memory for the record of a run");
    }
    json_decref(model);
    return s;
}

static void count_done(job *j)
{
    j->done = j->total = 0;
    for (size_t t = 0; t < j->plan.n_tasks; t++)
        for (size_t i = 0; i < j->tasks[t].items.n; i++)
            for (uint32_t k = 0; k < j->tasks[t].k; k++, j->total++) j->done += r1_samples_get(j->log, t, i, k)->state == R1_RECORD_DONE;
}

static r1_status open_log(job *j, r1_error *err)
{
    r1_status s = r1_samples_open(&j->log, j->folder, j->tasks, j->plan.n_tasks, err);
    if (s) return s;
    if (r1_samples_cut(j->log)) r1_note(j->c, "the last line of samples.jsonl was not whole: its %zu bytes were cut off", r1_samples_cut(j->log));
    count_done(j);
    if (j->done) r1_note(j->c, "%zu of %zu samples are in '%s'", j->done, j->total, j->folder);
    return R1_OK;
}

/* What an earlier part of the run left; j->record stays NULL when there was none. */
static r1_status find_run(job *j, r1_error *err)
{
    const r1_opts *o = &j->c->o;
    r1_plan_init(&j->plan);
    if (o->resume && !o->out) return r1_fail(err, R1_EINVAL, "--resume needs --out FOLDER, the run that is to go on");
    if (!o->resume) return R1_OK;
    r1_status s = r1_plan_read(o->out, &j->record, err);
    if (s == R1_OK && !j->record) s = r1_fail(err, R1_EIO, "'%s' is no folder of a run: it has no run.json", o->out);
    return s ? s : r1_context(err, r1_plan_of(j->record, &j->plan, err), "'%s/run.json'", o->out);
}

static r1_status prepare(job *j, r1_error *err)
{
    r1_status s = find_run(j, err);
    if (s == R1_OK) s = take_options(j, err);
    if (s == R1_OK) s = check_plan(j, err);
    if (s == R1_OK) s = r1_plan_open(&j->plan, j->usual, &j->tasks, err);
    if (s == R1_OK) s = r1_runner_check(j->tasks, j->plan.n_tasks, j->plan.prompt, err);
    if (s == R1_OK && j->c->o.out) s = (j->folder = strdup(j->c->o.out)) ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for a path");
    else if (s == R1_OK) s = name_folder(j, err);
    if (s == R1_OK && !j->record) s = r1_plan_read(j->folder, &j->record, err);
    if (s == R1_OK && j->record) s = compare_record(j, json_object_get(j->record, "model"), err); /* before a model is loaded in vain */
    if (s == R1_OK && j->record) s = open_log(j, err);
    if (s || (j->log && j->done == j->total)) return s; /* nothing is left to ask */
    if (j->plan.model && j->plan.sampling.temperature <= 0 && j->tasks[0].k > 1)
        r1_note(j->c, "at temperature 0 all samples of an item are the same; --samples 1 is enough");
    r1_interrupt_arm(true);
    s = j->plan.model ? open_model(j, err) : open_url(j, err);
    if (s == R1_OK) s = settle_record(j, err);
    if (s == R1_OK && !j->log) s = open_log(j, err);
    return s;
}

/* ---- the run --------------------------------------------------------------------------------------------------- */

static bool on_tick(void *ctx, const r1_eval_progress *p)
{
    job *j = ctx;
    r1_eval_line_draw(&j->line, p);
    return !r1_interrupted();
}

static void on_note(void *ctx, const char *text)
{
    job *j = ctx;
    r1_eval_line_end(&j->line);
    r1_note(j->c, "%s", text);
}

static r1_status write_predictions(const job *j, r1_error *err)
{
    for (size_t t = 0; t < j->plan.n_tasks; t++)
        if (j->tasks[t].benchmark->check == R1_EVAL_PATCH) {
            r1_status s = r1_score_predictions(j->folder, &j->tasks[t], t, j->log, json_object_get(j->record, "model"), err);
            if (s) return s;
            r1_note(j->c, "'%s/predictions.jsonl' is for the official harness of SWE-bench", j->folder);
        }
    return R1_OK;
}

/* summary.json, report.html, and what standard output gets: of whatever is there. */
static r1_status conclude(job *j, r1_error *err)
{
    const r1_opts *o = &j->c->o;
    json_t *summary;
    count_done(j);
    r1_status s = j->done == j->total ? r1_samples_sort(j->log, err) : R1_OK;
    r1_scored_run run = { j->record, j->tasks, j->plan.n_tasks, j->log, j->plan.seed, { o->price_in, o->price_out }, j->end.seconds, j->end.tokens };
    if (s == R1_OK) s = r1_score_run(&run, &summary, err);
    if (s) return s;
    s = r1_score_write(j->folder, summary, err);
    if (s == R1_OK) s = write_predictions(j, err);
    if (s == R1_OK) s = r1_eval_report(j->folder, err);
    if (s == R1_OK && o->json) s = r1_print_json(summary, err);
    else if (s == R1_OK) r1_eval_print_summary(summary);
    if (s == R1_OK) r1_note(j->c, "the run is in '%s': samples.jsonl, summary.json, report.html", j->folder);
    json_decref(summary);
    return s;
}

static r1_status run(job *j, r1_error *err)
{
    r1_error own = { 0 };
    r1_runner_options o = { .tasks = j->tasks, .n_tasks = j->plan.n_tasks, .log = j->log, .source = j->source, .prompt = j->plan.prompt, .seed = j->plan.seed, .allow_weaker = j->c->o.allow_weaker,
                            .graders = j->c->o.threads ? (int)j->c->o.threads : r1_physical_cores(), .tick = on_tick, .note = on_note, .ctx = j };
    r1_status s = j->source ? r1_runner_run(&o, &j->end, &own) : R1_OK;
    r1_eval_line_end(&j->line);
    bool stopped = r1_interrupted();
    r1_interrupt_arm(false);
    count_done(j);
    if (s && s != R1_ECANCELLED) { /* what is there is summed up all the same, but the error is what counts */
        if (j->end.made) (void)conclude(j, NULL);
        if (err) *err = own;
        return s;
    }
    if (j->done) s = conclude(j, err);
    else s = R1_OK;
    if (s == R1_OK && stopped && j->done < j->total)
        s = r1_fail(err, R1_ECANCELLED, "stopped with %zu of %zu samples; the same command goes on from there", j->done, j->total);
    else if (s == R1_OK && j->done < j->total) {
        fprintf(stderr, "r1: %zu of %zu samples failed%s%s; the same command tries them again\n", j->total - j->done, j->total, *j->end.failure ? ", the last with: " : "", j->end.failure);
        j->c->result = 1;
    }
    return s;
}

/* ---- judging again --------------------------------------------------------------------------------------------- */

typedef struct regrading { job *j; r1_grader *grader; r1_progress bar; size_t n; } regrading;

static bool is_interrupted(void *ctx)
{
    (void)ctx;
    return r1_interrupted();
}

static r1_status regrade_one(void *ctx, r1_eval_sample *s, r1_error *err)
{
    regrading *g = ctx;
    r1_progress_step(&g->bar, (double)g->n++, (double)g->j->done);
    if (r1_interrupted()) return r1_fail(err, R1_ECANCELLED, "stopped; nothing was changed");
    return r1_grade(g->grader, &g->j->tasks[s->task].items.items[s->item], s, err);
}

/* The answers of a run through the checkers of this r1. */
static r1_status regrade(job *j, r1_error *err)
{
    regrading g = { .j = j };
    size_t changed = 0;
    r1_status s = r1_plan_read(j->folder, &j->record, err);
    if (s == R1_OK && !j->record) s = r1_fail(err, R1_EIO, "'%s' is no folder of a run: it has no run.json", j->folder);
    if (s == R1_OK) s = r1_context(err, r1_plan_of(j->record, &j->plan, err), "'%s/run.json'", j->folder);
    if (s == R1_OK && j->c->o.eval_data) {
        memset(j->plan.files, 0, sizeof j->plan.files);
        j->plan.data = j->c->o.eval_data;
    }
    if (s == R1_OK) s = r1_plan_open(&j->plan, j->usual, &j->tasks, err);
    if (s == R1_OK) s = compare_record(j, json_object_get(j->record, "model"), err);
    if (s == R1_OK) s = open_log(j, err);
    if (s == R1_OK) s = r1_grader_open(&g.grader, &(r1_grade_options){ is_interrupted, NULL, 0, j->c->o.allow_weaker }, err);
    if (s) return s;
    r1_progress_begin(&g.bar, &j->c->err, j->c->o.quiet, "judging", "answers");
    r1_interrupt_arm(true);
    s = r1_samples_regrade(j->log, regrade_one, &g, &changed, err);
    r1_interrupt_arm(false);
    r1_progress_end(&g.bar);
    r1_grader_close(g.grader);
    if (s) return s;
    r1_note(j->c, "%zu of %zu verdicts are others than before", changed, j->done);
    return conclude(j, err);
}

static r1_status eval_tasks(r1_cli *c, char *usual, const char *again, r1_error *err)
{
    job j = { .c = c, .usual = usual, .line = { .term = &c->err, .quiet = c->o.quiet } };
    r1_status s = R1_OK;
    if (again) s = (j.folder = strdup(again)) ? regrade(&j, err) : r1_fail(err, R1_ENOMEM, "no memory for a path");
    else s = prepare(&j, err);
    if (s == R1_OK && !again) s = run(&j, err);
    r1_interrupt_arm(false);
    if (j.source) j.source->close(j.source);
    r1_model_close(j.model);
    r1_samples_close(j.log);
    r1_plan_close(j.tasks, j.plan.n_tasks);
    json_decref(j.record);
    if (j.key) explicit_bzero(j.key, strlen(j.key));
    free(j.key);
    free(j.folder);
    free(j.template_text);
    return s;
}

/* ---------------------------------------------------------------------------------------------------------------- */

static r1_status compare(r1_cli *c, r1_error *err)
{
    json_t *v;
    if (c->n_args != 3) return r1_fail(err, R1_EINVAL, "'eval compare' takes two folders of runs, A and B");
    r1_status s = r1_versus(c->args[1], c->args[2], c->o.seed_given ? c->o.seed : 0, &v, err);
    if (s) return s;
    if (c->o.json) s = r1_print_json(v, err);
    else r1_eval_print_versus(v);
    json_decref(v);
    return s;
}

r1_status r1_cmd_eval(r1_cli *c, r1_error *err)
{
    const char *first = c->n_args ? c->args[0] : "";
    char *usual = r1_user_path("DATA", "eval");
    r1_status s;
    if (!strcmp(first, "list")) {
        s = c->n_args == 1 ? r1_eval_print_list(c->o.eval_data, usual, c->o.json, err) : r1_fail(err, R1_EINVAL, "'eval list' takes nothing more, so '%s' is too much", c->args[1]);
    } else if (!strcmp(first, "regrade")) {
        s = c->n_args == 2 ? eval_tasks(c, usual, c->args[1], err) : r1_fail(err, R1_EINVAL, "'eval regrade' takes the folder of one run");
    } else {
        s = !strcmp(first, "compare") ? compare(c, err) : eval_tasks(c, usual, NULL, err);
    }
    free(usual);
    return s;
}
