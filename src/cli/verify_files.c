/* `r1 verify FILE.jsonl` and `r1 verify --tsv FILE.tsv`: what one line says, and the sums of a file that knows its answers. */
#define _GNU_SOURCE
#include "cli/verify.h"
#include "base/utf8.h"
#include "reward/code/code.h"
#include "reward/math/math.h"
#include "reward/reward.h"

#include <pthread.h>
#include <stdio.h>

/* ---- results ---- */

json_t *r1_verdict_json(const r1_verdict *v, bool with_score)
{
    json_t *o = json_object(), *details = v->details ? json_loads(v->details, 0, NULL) : NULL;
    int bad = !o || json_object_set_new(o, "verdict", v->word ? json_string(v->word) : json_integer(v->right));
    if (with_score) bad = bad || json_object_set_new(o, "score", json_real(v->score));
    bad = bad || json_object_set_new(o, "reason", r1_json_text(v->reason, strlen(v->reason)));
    bad = bad || json_object_set_new(o, "extracted", v->extracted ? r1_json_text(v->extracted, v->n_extracted) : json_null());
    bad = bad || json_object_set_new(o, "cpu_ms", json_real(v->cpu_ms)) || (v->details && !details) || (details && json_object_update(o, details));
    json_decref(details);
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

static r1_status give(r1_judged *out, json_t *o, r1_error *err)
{
    out->text = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(o);
    return out->text ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for a result");
}

/* An error of one line, or of everything. */
static bool is_of_line(r1_status s) { return s == R1_EFORMAT || s == R1_ELIMIT || s == R1_EINVAL || s == R1_EUNSUPPORTED; }

static void mark_bad(r1_judged *out, const char *why)
{
    out->bad = true;
    snprintf(out->why, sizeof out->why, "%s", why);
}

/* ---- items ---- */

typedef struct items {
    r1_cli *c;
    r1_custom **custom;    /* [threads], NULL without a command */
    r1_code_checker *code; /* made for the first item of code; under lock until then */
    pthread_mutex_t lock;
} items;

static bool cancelled(void *unused) { return !r1_judge_go_on(unused); }

r1_status r1_verify_checker(r1_code_checker **out, bool allow_weaker, r1_error *err)
{
    r1_code_options o = { .allow_weaker = allow_weaker, .cancelled = cancelled };
    return r1_code_checker_open(out, &o, err);
}

static r1_status checker_for(items *x, const json_t *item, r1_code_checker **out, r1_error *err)
{
    const char *kind = json_string_value(json_object_get(item, "kind"));
    r1_status s = R1_OK;
    *out = NULL;
    if (!kind || strcmp(kind, "code")) return R1_OK;
    pthread_mutex_lock(&x->lock);
    if (!x->code) s = r1_verify_checker(&x->code, x->c->o.allow_weaker, err);
    *out = x->code;
    pthread_mutex_unlock(&x->lock);
    return s;
}

static bool is_utf16(const r1_line *line)
{
    return line->number == 1 && line->n >= 2 && (!memcmp(line->text, "\xFF\xFE", 2) || !memcmp(line->text, "\xFE\xFF", 2));
}

static r1_status judge_item(void *ctx, int thread, const r1_line *line, r1_judged *out, r1_error *err)
{
    items *x = ctx;
    r1_reward_options o = { .custom = x->custom ? x->custom[thread] : NULL };
    r1_verdict v = { 0 };
    json_t *item = NULL, *result = NULL;
    r1_error why = { 0 };
    r1_status s;
    if (line->kind == R1_LINE_TOO_LONG) s = r1_fail(&why, R1_ELIMIT, "the line has more than %zu bytes", R1_VERIFY_LINE_MAX);
    else if (is_utf16(line)) s = r1_fail(&why, R1_EFORMAT, "the file starts like UTF-16, expected UTF-8");
    else s = r1_json_parse(&item, line->text, line->n, &why);
    if (s == R1_OK) s = checker_for(x, item, &o.code, &why);
    if (s == R1_OK) s = r1_reward_check(&o, item, &v, &why);
    json_t *id = json_object_get(item, "id");
    if (s == R1_OK) {
        result = r1_verdict_json(&v, true);
    } else if (is_of_line(s) || (s == R1_EIO && x->custom)) {
        mark_bad(out, why.msg);
        result = json_pack("{s:s}", "error", why.msg);
    } else {
        r1_verdict_deinit(&v);
        json_decref(item);
        return r1_fail(err, s, "%s", why.msg);
    }
    json_t *whole = json_object();
    bool named = json_is_string(id) || json_is_integer(id);
    int bad = !whole || !result || (id ? json_object_set(whole, "id", id) : json_object_set_new(whole, "id", json_null()));
    if (!named) bad = bad || json_object_set_new(whole, "line", json_integer((json_int_t)line->number));
    bad = bad || json_object_update(whole, result);
    json_decref(result);
    r1_verdict_deinit(&v);
    json_decref(item);
    if (bad) json_decref(whole);
    return give(out, bad ? NULL : whole, err);
}

static r1_status open_custom(items *x, r1_error *err)
{
    const r1_opts *o = &x->c->o;
    int n = r1_verify_threads(x->c);
    r1_custom_options options = { .persistent = o->persistent, .time_s = o->command_time, .go_on = r1_judge_go_on };
    if (!o->command) return R1_OK;
    x->custom = calloc((size_t)n, sizeof *x->custom);
    r1_status s = x->custom ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for %d commands", n);
    for (int i = 0; i < n && s == R1_OK; i++) s = r1_custom_new(&x->custom[i], o->command, &options, err);
    return s;
}

r1_status r1_verify_items(r1_cli *c, const char *path, r1_error *err)
{
    r1_reader in = { .fd = -1 };
    items x = { .c = c, .lock = PTHREAD_MUTEX_INITIALIZER };
    r1_judges j = { .judge = judge_item, .ctx = &x, .total = UINT64_MAX, .label = "checking", .skip_blank = true };
    r1_status s = r1_reader_open(&in, path, R1_VERIFY_LINE_MAX, err);
    if (s == R1_OK) s = r1_reader_count(path, &j.total, err);
    if (s == R1_OK) s = open_custom(&x, err);
    if (s == R1_OK) s = r1_judge_lines(c, &in, &j, err);
    for (int i = 0; x.custom && i < r1_verify_threads(c); i++) r1_custom_free(x.custom[i]);
    free(x.custom);
    r1_code_checker_close(x.code);
    r1_reader_close(&in);
    return s == R1_EFORMAT ? r1_context(err, s, "'%s'", path) : s;
}

/* ---- tables ---- */

enum { GOLD, CANDIDATE, EQUIVALENT, CATEGORY, MODE, N_COLUMNS, CATEGORIES_MOST = 200, FIELDS_MOST = 64 };

typedef struct sums { char name[40]; uint64_t n, right, false_positive, false_negative; } sums;

typedef struct table {
    r1_cli *c;
    int column[N_COLUMNS]; /* -1: not there */
    size_t n_columns;
    sums all, *by_category; size_t n_categories;
} table;

/* Split at tabs; returns how many fields there are, of which at most FIELDS_MOST are told. */
static size_t split(const char *p, size_t n, r1_span fields[FIELDS_MOST])
{
    size_t k = 0;
    for (const char *end = p + n;; k++) {
        const char *tab = p < end ? memchr(p, '\t', (size_t)(end - p)) : NULL, *to = tab ? tab : end;
        if (k < FIELDS_MOST) fields[k] = (r1_span){ p, (size_t)(to - p) };
        if (!tab) return k + 1;
        p = tab + 1;
    }
}

static r1_status read_header(table *t, r1_reader *in, const char *path, r1_error *err)
{
    static const char *const names[N_COLUMNS] = { "gold", "candidate", "equivalent", "category", "mode" };
    r1_line line;
    r1_span fields[FIELDS_MOST];
    do {
        r1_status s = r1_reader_next(in, true, &line, err);
        if (s) return s;
    } while (line.kind == R1_LINE_NONE && !r1_interrupted());
    for (int i = 0; i < N_COLUMNS; i++) t->column[i] = -1;
    if (line.kind != R1_LINE_TEXT) return r1_fail(err, R1_EFORMAT, "'%s' has no header line, expected the columns gold and candidate", path);
    t->n_columns = split(line.text, line.n, fields);
    for (size_t k = 0; k < r1_min(t->n_columns, FIELDS_MOST); k++)
        for (int i = 0; i < N_COLUMNS; i++)
            if (r1_span_is(fields[k], names[i]) && t->column[i] < 0) t->column[i] = (int)k;
    if (t->column[GOLD] >= 0 && t->column[CANDIDATE] >= 0) return R1_OK;
    return r1_fail(err, R1_EFORMAT, "the first line of '%s' is '%.*s', expected names of columns with gold and candidate among them", path,
                   (int)r1_min(line.n, 80), line.text);
}

static r1_status read_row(const table *t, const r1_line *line, r1_span fields[N_COLUMNS], r1_judged *out, r1_math_mode *mode, r1_error *why)
{
    r1_span all[FIELDS_MOST];
    if (line->kind == R1_LINE_TOO_LONG) return r1_fail(why, R1_ELIMIT, "the line has more than %zu bytes", R1_VERIFY_LINE_MAX);
    size_t n = split(line->text, line->n, all);
    for (int i = 0; i < N_COLUMNS; i++) {
        fields[i] = (r1_span){ "", 0 };
        if (t->column[i] < 0) continue;
        if ((size_t)t->column[i] >= n) return r1_fail(why, R1_EFORMAT, "the line has %zu columns, expected %zu", n, t->n_columns);
        fields[i] = all[t->column[i]];
    }
    if (n > t->n_columns) return r1_fail(why, R1_EFORMAT, "the line has %zu columns, expected %zu", n, t->n_columns);
    *mode = R1_MATH_ANSWER;
    if (r1_span_is(fields[MODE], "response")) *mode = R1_MATH_RESPONSE;
    else if (fields[MODE].n && !r1_span_is(fields[MODE], "answer"))
        return r1_fail(why, R1_EFORMAT, "the mode is '%.*s', expected answer or response", (int)r1_min(fields[MODE].n, 40), fields[MODE].p);
    out->label = r1_span_is(fields[EQUIVALENT], "1") ? 1 : r1_span_is(fields[EQUIVALENT], "0") ? 0 : -1;
    if (out->label < 0 && fields[EQUIVALENT].n)
        return r1_fail(why, R1_EFORMAT, "equivalent is '%.*s', expected 1 or 0", (int)r1_min(fields[EQUIVALENT].n, 40), fields[EQUIVALENT].p);
    snprintf(out->category, sizeof out->category, "%.*s", (int)r1_min(fields[CATEGORY].n, sizeof out->category - 1), fields[CATEGORY].p);
    return R1_OK;
}

static r1_status print_row(const table *t, uint64_t index, const r1_judged *out, const r1_math_verdict *v, char **text, r1_error *err)
{
    const char *reason = out->bad ? out->why : r1_math_reason_name(v->reason);
    if (!t->c->o.json) {
        if (asprintf(text, "%llu\t%d\t%s%s", (unsigned long long)index, out->right, out->bad ? "error: " : "", reason) < 0) *text = NULL;
        return *text ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for a result");
    }
    json_t *o = out->bad ? json_pack("{s:I, s:s}", "index", (json_int_t)index, "error", reason)
                         : json_pack("{s:I, s:i, s:s, s:o, s:f}", "index", (json_int_t)index, "verdict", out->right, "reason", reason, "extracted",
                                     v->extracted ? r1_json_text(v->extracted, strlen(v->extracted)) : json_null(), "cpu_ms", v->cpu_ms);
    *text = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(o);
    return *text ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for a result");
}

static r1_status judge_row(void *ctx, int thread, const r1_line *line, r1_judged *out, r1_error *err)
{
    const table *t = ctx;
    r1_span fields[N_COLUMNS];
    r1_math_mode mode = R1_MATH_ANSWER;
    r1_math_verdict v = { 0 };
    r1_error why = { 0 };
    (void)thread;
    out->label = -1;
    r1_status s = read_row(t, line, fields, out, &mode, &why);
    if (s) {
        out->label = -1;
        mark_bad(out, why.msg);
    } else {
        s = r1_math_verify(fields[GOLD].p, fields[GOLD].n, fields[CANDIDATE].p, fields[CANDIDATE].n, mode, NULL, &v, err);
        if (s) return s;
        out->right = v.equal;
    }
    s = print_row(t, line->number - 1, out, &v, &out->text, err);
    r1_math_verdict_deinit(&v);
    return s;
}

static void add(sums *s, const r1_judged *j)
{
    s->n++;
    s->right += j->right == j->label;
    s->false_positive += j->right && !j->label;
    s->false_negative += !j->right && j->label;
}

static void sum_up(void *ctx, const r1_judged *j)
{
    table *t = ctx;
    if (j->label < 0) return;
    add(&t->all, j);
    if (t->column[CATEGORY] < 0) return;
    sums *s = NULL;
    for (size_t i = 0; i < t->n_categories && !s; i++)
        if (!strcmp(t->by_category[i].name, j->category)) s = &t->by_category[i];
    if (!s && t->n_categories < CATEGORIES_MOST) {
        s = &t->by_category[t->n_categories++];
        memcpy(s->name, j->category, sizeof s->name);
    }
    if (s) add(s, j);
}

static int by_name(const void *a, const void *b) { return strcmp(((const sums *)a)->name, ((const sums *)b)->name); }

static void tell(const table *t)
{
    if (t->c->o.quiet || !t->all.n) return;
    r1_note(t->c, "%llu of %llu agree with the column equivalent; %llu false positives, %llu false negatives", (unsigned long long)t->all.right,
            (unsigned long long)t->all.n, (unsigned long long)t->all.false_positive, (unsigned long long)t->all.false_negative);
    if (!t->n_categories) return;
    qsort(t->by_category, t->n_categories, sizeof *t->by_category, by_name);
    fprintf(stderr, "  %-24s %6s %6s %8s %8s\n", "category", "agree", "of", "false +", "false -");
    for (size_t i = 0; i < t->n_categories; i++) {
        const sums *s = &t->by_category[i];
        r1_error name; /* made printable */
        (void)r1_fail(&name, R1_OK, "%s", s->name);
        fprintf(stderr, "  %-24s %6llu %6llu %8llu %8llu\n", name.msg, (unsigned long long)s->right, (unsigned long long)s->n,
                (unsigned long long)s->false_positive, (unsigned long long)s->false_negative);
    }
}

r1_status r1_verify_table(r1_cli *c, const char *path, r1_error *err)
{
    r1_reader in = { .fd = -1 };
    table t = { .c = c, .by_category = calloc(CATEGORIES_MOST, sizeof(sums)) };
    r1_judges j = { .judge = judge_row, .written = sum_up, .ctx = &t, .total = UINT64_MAX, .label = "checking" };
    r1_status s = t.by_category ? r1_reader_open(&in, path, R1_VERIFY_LINE_MAX, err) : r1_fail(err, R1_ENOMEM, "no memory for sums");
    if (s == R1_OK) s = r1_reader_count(path, &j.total, err);
    if (j.total != UINT64_MAX && j.total) j.total--;
    if (s == R1_OK) s = read_header(&t, &in, path, err);
    if (s == R1_OK) {
        s = r1_judge_lines(c, &in, &j, err);
        if (s == R1_OK || s == R1_EFORMAT || s == R1_ECANCELLED) tell(&t);
        if (s == R1_EFORMAT) s = r1_context(err, s, "'%s'", path);
    }
    r1_reader_close(&in);
    free(t.by_category);
    return s;
}
