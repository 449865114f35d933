/* r1 batch: many requests, a JSON line each, answered many at once; the answers in the order of the requests.
 *
 * Lines are read as far ahead as it takes to keep the scheduler busy, and no further. Each becomes an entry of a ring; the text of
 * its answer waits there until those before it are written. */
#include "cli/answer.h"
#include "cli/batch.h"
#include "base/append.h"
#include "base/reader.h"
#include "engine/request.h"

#include <stdio.h>

enum { AHEAD_MIN = 256, AHEAD_EACH = 16 /* entries, for each generation at once */ };
static const size_t LINE_BYTES_MAX = (size_t)64 << 20, HELD_BYTES_MAX = (size_t)256 << 20;

typedef struct batch batch;

typedef struct entry {
    batch *b;
    uint64_t line, seed;
    char *id;              /* as JSON; NULL: the line is its name */
    char *text;            /* the line of output, when it is made */
} entry;

struct batch {
    r1_cli *c;
    r1_setup u;
    r1_scheduler *scheduler;
    r1_reader in;
    r1_append out;         /* not used for standard output */
    bool to_file;
    r1_batch_keys keys;
    r1_generate_options usual;
    r1_logit_bias bias[64];
    uint64_t seed;         /* of all seeds that are not given */
    entry *ring; size_t cap, first, n;
    size_t held;           /* bytes of texts that wait */
    bool at_end, no_memory;
    uint64_t n_requests, n_skipped, n_answers, n_errors, n_written; /* n_requests: without those skipped */
    uint64_t n_lines;      /* of the input, UINT64_MAX: not known */
    r1_progress bar;
    char label[96];
    double start;
};

/* ---- answers ------------------------------------------------------------------------------------------------------ */

/* Takes text. */
static void finish_entry(entry *e, char *text)
{
    batch *b = e->b;
    if (!text) b->no_memory = true;
    else b->held += strlen(text);
    e->text = text;
}

static void refuse(entry *e, r1_status s, const char *message)
{
    e->b->n_errors++;
    finish_entry(e, r1_batch_error_text(e->id, e->line, s, message));
}

static void on_done(void *ctx, uint64_t ticket, r1_generation *g, r1_status s, const r1_error *err)
{
    entry *e = ctx;
    (void)ticket;
    if (s) {
        refuse(e, s, err->msg);
        return;
    }
    e->b->n_answers++;
    finish_entry(e, r1_batch_answer_text(e->id, e->seed, g));
}

/* Write the answers whose turn it is. */
static r1_status write_answers(batch *b, r1_error *err)
{
    r1_status s = R1_OK;
    while (b->n && b->ring[b->first].text && s == R1_OK) {
        entry *e = &b->ring[b->first];
        size_t n = strlen(e->text);
        if (b->c->out.tty && !b->to_file) r1_progress_hide(&b->bar);
        s = b->to_file ? r1_append_line(&b->out, e->text, n, err) : r1_print_line(e->text, err);
        b->held -= n;
        b->n_written += s == R1_OK;
        free(e->text);
        free(e->id);
        *e = (entry){ 0 };
        b->first = (b->first + 1) % b->cap;
        b->n--;
    }
    return s;
}

/* ---- requests ----------------------------------------------------------------------------------------------------- */

static r1_status submit(entry *e, const r1_ask *a, r1_error *err)
{
    batch *b = e->b;
    int32_t *ids;
    size_t n;
    r1_status s = r1_ask_ids(a, b->u.model, b->c->o.template, b->c->o.system, &ids, &n, err);
    if (s) return s;
    r1_request r = { ids, n, a->options, on_done };
    e->seed = a->seed_given ? a->options.sampling.seed : r1_seed_of(b->seed, a->id, strlen(a->id));
    r.options.sampling.seed = e->seed;
    r.options.ctx = e;
    s = r1_scheduler_submit(b->scheduler, &r, NULL, err);
    free(ids);
    return s;
}

/* The key of a line, with what is wrong with it in *s; NULL: it is to be skipped, or there is no memory. */
static r1_batch_key *find_key(batch *b, r1_ask *a, uint64_t line, r1_status *s, r1_error *err)
{
    char number[32];
    snprintf(number, sizeof number, "#%llu", (unsigned long long)line);
    if (*s == R1_OK && !a->id) *s = r1_fail(err, R1_EFORMAT, "'id' is missing, expected a string or an integer");
    r1_batch_key *key = r1_batch_key_of(&b->keys, a->id ? a->id : number);
    if (key && key->line) { /* only ids can be met twice */
        *s = r1_fail(err, R1_EFORMAT, "the id %.300s is that of line %llu, too", a->id, (unsigned long long)key->line);
        free(a->id);
        a->id = NULL;
        key = r1_batch_key_of(&b->keys, number);
    }
    if (!key) {
        b->no_memory = true;
        return NULL;
    }
    key->line = line;
    b->n_skipped += key->out_line > 0;
    return key->out_line ? NULL : key;
}

static void take_line(batch *b, const r1_line *line)
{
    r1_ask a = { 0 };
    r1_error err = { 0 };
    r1_status s = line->kind == R1_LINE_TOO_LONG ? r1_fail(&err, R1_EFORMAT, "the line has more than %zu bytes", LINE_BYTES_MAX) :
                  r1_ask_parse(&a, line->text, line->n, &b->usual, &err);
    if (find_key(b, &a, line->number, &s, &err)) {
        entry *e = &b->ring[(b->first + b->n++) % b->cap];
        b->n_requests++;
        *e = (entry){ .b = b, .line = line->number, .id = a.id };
        if (s == R1_OK) s = submit(e, &a, &err);
        a.id = NULL;
        if (s) refuse(e, s, err.msg);
    }
    r1_ask_deinit(&a);
}

static bool is_blank(const r1_line *line)
{
    size_t i = 0;
    while (i < line->n && (line->text[i] == ' ' || line->text[i] == '\t')) i++;
    return line->kind == R1_LINE_TEXT && i == line->n;
}

static bool is_busy(const batch *b)
{
    r1_scheduler_state state = r1_scheduler_get_state(b->scheduler);
    return state.n_running || state.n_waiting;
}

/* Read on while there is room. A pipe is waited for only when there is nothing else to do. */
static r1_status read_requests(batch *b, r1_error *err)
{
    r1_line line;
    while (!b->at_end && !b->no_memory && b->n < b->cap && b->held < HELD_BYTES_MAX && !r1_interrupted()) {
        r1_status s = r1_reader_next(&b->in, b->n == 0 && !is_busy(b), &line, err);
        if (s) return s;
        if (line.kind == R1_LINE_NONE) return R1_OK;
        b->at_end = line.kind == R1_LINE_END;
        if (!b->at_end && !is_blank(&line)) take_line(b, &line);
    }
    return R1_OK;
}

/* ---- the run ------------------------------------------------------------------------------------------------------ */

static void show_progress(batch *b)
{
    r1_scheduler_state state = r1_scheduler_get_state(b->scheduler);
    double seconds = r1_now() - b->start, done = (double)(b->n_answers + b->n_errors), total = -1;
    char all[32] = "";
    if (b->n_lines != UINT64_MAX) {
        total = (double)b->n_lines - (double)b->n_skipped;
        snprintf(all, sizeof all, " of %.0f", total);
    }
    snprintf(b->label, sizeof b->label, "%.0f%s answered, %.0f tokens/s", done, all, seconds > 0 ? (double)state.n_tokens / seconds : 0);
    r1_progress_step(&b->bar, done, total);
}

static bool go_on(void *ctx)
{
    (void)ctx;
    return !r1_interrupted();
}

static r1_status answer_all(batch *b, r1_error *err)
{
    r1_status s = R1_OK;
    r1_progress_begin(&b->bar, &b->c->err, b->c->o.quiet, b->label, "");
    while (s == R1_OK && !r1_interrupted()) {
        s = read_requests(b, err);
        if (s == R1_OK && is_busy(b)) s = r1_scheduler_step(b->scheduler, err);
        if (b->no_memory) s = r1_fail(err, R1_ENOMEM, "no memory for the answers");
        r1_error lost = { 0 };
        r1_status wrote = write_answers(b, &lost);
        if (wrote && err) *err = lost;
        if (wrote) s = wrote;
        if (s == R1_OK && b->at_end && b->n == 0) break;
        show_progress(b);
    }
    r1_progress_end(&b->bar);
    if (s == R1_OK && r1_interrupted()) s = R1_ECANCELLED;
    if (s == R1_ECANCELLED)
        (void)r1_fail(err, s, "interrupted: %llu answers are written%s", (unsigned long long)b->n_written, b->to_file ? "; --resume goes on behind them" : "");
    return s;
}

static void sum_up(const batch *b)
{
    r1_scheduler_state t = r1_scheduler_get_state(b->scheduler);
    double seconds = r1_now() - b->start;
    char before[64] = "";
    if (b->n_skipped) snprintf(before, sizeof before, "; %llu were there before", (unsigned long long)b->n_skipped);
    r1_note(b->c, "%llu answers and %llu errors in %.1f s: %llu tokens, %.1f a second%s", (unsigned long long)b->n_answers, (unsigned long long)b->n_errors, seconds,
            (unsigned long long)t.n_tokens, seconds > 0 ? (double)t.n_tokens / seconds : 0, before);
    if (!b->c->o.stats) return;
    r1_note(b->c, "up to %zu at once, room for %zu tokens of keys and values; prompts: %llu tokens, %llu of them shared, %llu read again", t.parallel, t.kv_tokens,
            (unsigned long long)t.n_prompt, (unsigned long long)t.n_shared, (unsigned long long)t.n_reread);
}

static r1_status open_files(batch *b, r1_error *err)
{
    const r1_opts *o = &b->c->o;
    const char *in = b->c->n_args > 1 ? b->c->args[1] : "-";
    b->to_file = o->out && strcmp(o->out, "-");
    if (o->resume && !b->to_file) return r1_fail(err, R1_EINVAL, "--resume needs --out FILE, which holds the answers so far");
    if (o->resume && o->force) return r1_fail(err, R1_EINVAL, "--resume goes on with a file and --force overwrites it; expected one of them");
    r1_status s = b->to_file ? r1_check_target(o->out, in, err) : R1_OK;
    if (s == R1_OK) s = r1_reader_open(&b->in, in, LINE_BYTES_MAX, err);
    if (s == R1_OK) s = r1_reader_count(in, &b->n_lines, err);
    if (s == R1_OK && b->to_file)
        s = r1_append_open(&b->out, o->out, o->resume ? R1_APPEND_RESUME : o->force ? R1_APPEND_FORCE : R1_APPEND_NEW, err);
    if (s == R1_OK && o->resume) s = r1_batch_keys_read(&b->keys, o->out, err);
    if (s == R1_OK && b->out.torn && b->to_file)
        r1_note(b->c, "the last line of '%s' was not written to its end (%llu bytes); it is made again", o->out, (unsigned long long)b->out.torn);
    return s;
}

static r1_status open_model(batch *b, r1_error *err)
{
    const r1_opts *o = &b->c->o;
    b->u.go_on = go_on;
    r1_status s = r1_setup_open(&b->u, b->c, b->c->args[0], err);
    if (s == R1_OK && b->to_file) s = r1_ckpt_check_target(r1_model_checkpoint(b->u.model), o->out, err);
    if (s == R1_OK) s = r1_setup_sampling(&b->usual.sampling, o, b->u.model, b->bias, err);
    if (s) return s;
    b->usual.max_tokens = (size_t)o->max_tokens;
    b->usual.think_budget = (long)o->think_budget;
    b->usual.no_loop_guard = o->no_loop_guard;
    b->usual.stop = o->stop.items;
    b->usual.n_stop = o->stop.n;
    b->usual.speculation = r1_setup_speculation(o);
    b->seed = o->seed_given ? o->seed : 0; /* resuming must give the same */
    const r1_scheduler_options so = { .parallel = (size_t)o->parallel, .n_ctx = (size_t)o->ctx };
    s = r1_scheduler_open(&b->scheduler, b->u.engine, &so, err);
    if (s) return s;
    b->cap = r1_max(AHEAD_MIN, AHEAD_EACH * r1_scheduler_get_state(b->scheduler).parallel);
    b->ring = calloc(b->cap, sizeof *b->ring);
    return b->ring ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for %zu requests", b->cap);
}

static void close_all(batch *b)
{
    r1_scheduler_close(b->scheduler);
    for (size_t i = 0; i < b->cap && b->ring; i++) {
        free(b->ring[i].id);
        free(b->ring[i].text);
    }
    free(b->ring);
    r1_batch_keys_deinit(&b->keys);
    r1_reader_close(&b->in);
    r1_setup_close(&b->u);
}

r1_status r1_cmd_batch(r1_cli *c, r1_error *err)
{
    batch b = { .c = c, .in = { .fd = -1 }, .out = { .fd = -1 } };
    r1_status s = r1_check_template(c->o.template, err);
    if (s == R1_OK) s = open_files(&b, err);
    if (s == R1_OK) s = open_model(&b, err);
    if (s == R1_OK && b.to_file) s = r1_append_begin(&b.out, err);
    b.start = r1_now();
    r1_interrupt_arm(true);
    if (s == R1_OK) s = answer_all(&b, err);
    r1_interrupt_arm(false);
    r1_error lost = { 0 };
    r1_status closed = r1_append_close(&b.out, &lost);
    if (s == R1_OK && closed) {
        s = closed;
        if (err) *err = lost;
    }
    if (b.scheduler && b.ring) sum_up(&b);
    close_all(&b);
    return s;
}
