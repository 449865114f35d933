/* report_page: the page of a report: what the run was, tables and charts of summary.json, and the items as data that report.js shows.
 *
 * Everything from a run is text when it comes here, and is escaped; the data of the items stands in a script element that no browser
 * runs, with every "<" written as \u003c. A policy in the page forbids it to fetch or send anything.
 * Members that summary.json has not are shown as a dash, so that an older run has a report too.
 */
#include "eval/chart.h"
#include "eval/report_int.h"
#include "eval/statistics.h"

#include <math.h>
#include <stdio.h>

extern const unsigned char r1_embed_report_css[], r1_embed_report_js[];

/* What stops at the first error: no call does anything after it. */
typedef struct page {
    r1_buf *out;
    r1_error *err;
    r1_status s;
    const r1_report *r;
} page;

static void html(page *p, const char *text)
{
    if (p->s == R1_OK) p->s = r1_buf_adds(p->out, text, p->err);
}

static void words(page *p, const char *text)
{
    if (p->s == R1_OK) p->s = r1_html_text(p->out, text, p->err);
}

R1_PRINTF(2, 3) static void wordsf(page *p, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    words(p, text);
}

static double number_of(const json_t *v) { return json_is_number(v) ? json_number_value(v) : NAN; }
static double member(const json_t *o, const char *key) { return number_of(json_object_get(o, key)); }

static r1_interval interval_of(const json_t *v) { return (r1_interval){ number_of(json_array_get(v, 0)), number_of(json_array_get(v, 1)) }; }

/* The 95 % interval of an estimate: Wilson's where drawing anew gives no width, because all scores are equal. */
static r1_interval interval_95(const json_t *e)
{
    const r1_interval i = interval_of(json_object_get(e, "ci95")), w = interval_of(json_object_get(e, "ci95_wilson"));
    return i.hi > i.lo || isnan(w.lo) ? i : w;
}

/* ---- cells ----------------------------------------------------------------------------------------------------- */

static void cell(page *p, const char *text)
{
    html(p, "<td>");
    words(p, text);
    html(p, "</td>");
}

static void count_cell(page *p, double n)
{
    char text[24];
    if (isnan(n)) cell(p, "–");
    else snprintf(text, sizeof text, "%.0f", n), cell(p, text);
}

static void share_cell(page *p, double x)
{
    char text[24];
    if (isnan(x)) cell(p, "–");
    else snprintf(text, sizeof text, "%.1f %%", 100 * x), cell(p, text);
}

/* "37.5 % (33.1 to 42.0)" of {value, ci95} */
static void estimate_cell(page *p, const json_t *e)
{
    const double v = member(e, "value");
    const r1_interval i = interval_95(e);
    html(p, "<td class=\"big\">");
    if (isnan(v)) html(p, "–");
    else if (isnan(i.lo)) wordsf(p, "%.1f %%", 100 * v);
    else wordsf(p, "%.1f %% (%.1f to %.1f)", 100 * v, 100 * i.lo, 100 * i.hi);
    html(p, "</td>");
}

static void heads(page *p, const char *const *names)
{
    html(p, "<div class=\"scroll\"><table><thead><tr>");
    for (size_t i = 0; names[i]; i++) {
        html(p, "<th>");
        words(p, names[i]);
        html(p, "</th>");
    }
    html(p, "</tr></thead><tbody>\n");
}

static const char *task_name(const json_t *task)
{
    const char *name = json_string_value(json_object_get(task, "task"));
    return name ? name : "?";
}

/* ---- what the run was ------------------------------------------------------------------------------------------ */

static void value_words(page *p, const json_t *v)
{
    if (json_is_string(v)) words(p, json_string_value(v));
    else if (json_is_integer(v)) wordsf(p, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v)) wordsf(p, "%g", json_real_value(v));
    else if (json_is_boolean(v)) words(p, json_is_true(v) ? "yes" : "no");
    else {
        char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
        words(p, text ? text : "");
        free(text);
    }
}

static void option_list(page *p, const json_t *o)
{
    const char *key;
    json_t *v;
    html(p, "<dl class=\"options\">");
    json_object_foreach((json_t *)o, key, v) {
        if (json_is_null(v)) continue;
        html(p, "<dt>");
        words(p, key);
        html(p, "</dt><dd>");
        value_words(p, v);
        html(p, "</dd>");
    }
    html(p, "</dl>\n");
}

static const char *model_name(const json_t *model)
{
    static const char *const keys[] = { "name", "path", "url" };
    for (size_t i = 0; i < R1_COUNT(keys); i++) {
        const char *s = json_string_value(json_object_get(model, keys[i]));
        if (s && *s) return s;
    }
    return "a model";
}

static void opening(page *p)
{
    const json_t *record = p->r->record, *model = json_object_get(record, "model");
    const char *created = json_string_value(json_object_get(record, "created"));
    html(p, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<title>");
    words(p, model_name(model));
    html(p, ": evaluation</title>\n<style>\n");
    html(p, (const char *)r1_embed_report_css);
    html(p, "</style></head><body>\n<h1>");
    words(p, model_name(model));
    html(p, "</h1>\n<p class=\"soft\">");
    if (created) wordsf(p, "begun %s, ", created);
    wordsf(p, "r1 %s", json_string_value(json_object_get(record, "r1")) ? json_string_value(json_object_get(record, "r1")) : "?");
    html(p, "</p>\n");
    if (json_is_false(json_object_get(p->r->summary, "complete"))) {
        html(p, "<p class=\"warn\">This run is not complete: ");
        wordsf(p, "%zu samples have a result, %zu failed. The numbers are of what is there.", p->r->n_points, p->r->n_failed);
        html(p, "</p>\n");
    }
}

static void settings(page *p)
{
    html(p, "<h2>How it was run</h2>\n<details><summary>model and options</summary>\n");
    option_list(p, json_object_get(p->r->record, "model"));
    option_list(p, json_object_get(p->r->record, "options"));
    html(p, "</details>\n");
}

/* ---- accuracy -------------------------------------------------------------------------------------------------- */

static const json_t *last_pass(const json_t *task)
{
    const json_t *list = json_object_get(task, "pass_at_k");
    return json_array_size(list) > 1 ? json_array_get(list, json_array_size(list) - 1) : NULL;
}

static void accuracy_table(page *p, json_t *tasks)
{
    static const char *const names[] = { "task", "items", "samples each", "pass@1 (95 %)", "pass@k (95 %)", "cons@k (95 %)", "rating", "cut off", "no answer", NULL };
    size_t i;
    json_t *t;
    heads(p, names);
    json_array_foreach(tasks, i, t) {
        const json_t *rating = json_object_get(t, "rating");
        html(p, "<tr>");
        cell(p, task_name(t));
        count_cell(p, member(t, "items"));
        count_cell(p, member(t, "samples"));
        estimate_cell(p, json_object_get(t, "pass_at_1"));
        estimate_cell(p, last_pass(t));
        estimate_cell(p, json_object_get(t, "cons_at_k"));
        if (json_is_string(json_object_get(rating, "bound"))) cell(p, json_string_value(json_object_get(rating, "bound")));
        else count_cell(p, member(rating, "value"));
        share_cell(p, member(t, "truncated"));
        share_cell(p, member(t, "no_answer"));
        html(p, "</tr>\n");
    }
    html(p, "</tbody></table></div>\n<p class=\"soft\">k is the number of samples of each item. pass@k: at least one of k is right (unbiased estimate); cons@k: the most frequent "
            "answer is right. Intervals come from drawing items anew, each with all its samples.</p>\n");
}

/* One row for each task, or for each category of one. */
static void accuracy_chart(page *p, json_t *list, const char *title, const char *label, bool of_tasks)
{
    const size_t n = json_array_size(list);
    const r1_chart_names names = { title, "pass@1 with its 95 % interval", of_tasks ? "pass@k" : NULL, of_tasks ? "cons@k" : NULL };
    r1_chart_row *rows = calloc(n + 1, sizeof *rows);
    if (!rows) {
        if (p->s == R1_OK) p->s = r1_fail(p->err, R1_ENOMEM, "no memory for a chart");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *o = json_array_get(list, i), *e = json_object_get(o, "pass_at_1");
        const char *name = json_string_value(json_object_get(o, label));
        const r1_interval w = interval_95(e);
        rows[i] = (r1_chart_row){ .label = name ? name : "?", .value = member(e, "value"), .lo = w.lo, .hi = w.hi, .extra = member(last_pass(o), "value"),
                                  .other = member(json_object_get(o, "cons_at_k"), "value") };
    }
    if (p->s == R1_OK && n) p->s = r1_chart_rows(p->out, &names, rows, n, p->err);
    free(rows);
}

static void category_charts(page *p, json_t *tasks)
{
    bool first = true;
    size_t i;
    json_t *t;
    json_array_foreach(tasks, i, t) {
        json_t *list = json_object_get(t, "categories");
        if (json_array_size(list) < 2) continue;
        if (first) html(p, "<h2>By category</h2>\n<div class=\"charts\">\n");
        first = false;
        accuracy_chart(p, list, task_name(t), "category", false);
    }
    if (!first) html(p, "</div>\n");
}

/* ---- lengths --------------------------------------------------------------------------------------------------- */

enum { BINS_MAX = 64 };

/* Which bin of a length: `per` bins for each doubling, from 1 token on; 0 tokens are in the first. */
static size_t bin_of(double tokens, int per) { return tokens <= 1 ? 0 : (size_t)(log2(tokens) * per + 1e-9); }

static void length_chart(page *p)
{
    r1_chart_bin bins[BINS_MAX];
    const r1_report *r = p->r;
    bool thinks = false;
    double least = INFINITY, most = 0;
    for (size_t i = 0; i < r->n_points; i++) thinks = thinks || r->points[i].thinking > 0;
    for (size_t i = 0; i < r->n_points; i++) {
        double x = thinks ? r->points[i].thinking : r->points[i].tokens;
        if (x < 0 || r->points[i].verdict < 0) continue;
        least = fmin(least, x);
        most = fmax(most, x);
    }
    if (!isfinite(least)) return;
    const double doublings = log2(fmax(most, 1)) - log2(fmax(least, 1));
    const int per = doublings < 2 ? 6 : doublings < 5 ? 3 : doublings < 9 ? 2 : 1;
    const size_t first = bin_of(least, per), n = r1_min(bin_of(most, per) - first + 1, BINS_MAX);
    for (size_t i = 0; i < n; i++) bins[i] = (r1_chart_bin){ .from = first + i ? exp2((double)(first + i) / per) : 0, .to = exp2((double)(first + i + 1) / per), .lo = NAN, .hi = NAN };
    for (size_t i = 0; i < r->n_points; i++) {
        double x = thinks ? r->points[i].thinking : r->points[i].tokens;
        if (x < 0 || r->points[i].verdict < 0) continue;
        r1_chart_bin *b = &bins[r1_min(bin_of(x, per) - first, n - 1)];
        if (r->points[i].verdict) b->right++;
        else b->wrong++;
    }
    for (size_t i = 0; i < n; i++) {
        const size_t all = bins[i].right + bins[i].wrong;
        if (!all) continue;
        const r1_interval w = r1_wilson((double)bins[i].right / (double)all, (double)all);
        bins[i].lo = w.lo;
        bins[i].hi = w.hi;
    }
    if (p->s == R1_OK) p->s = r1_chart_bins(p->out, thinks ? "Length of thinking and right answers" : "Length of responses and right answers", bins, n, p->err);
}

/* A line a task from an array of {x_key, "value"}. */
static void task_lines(page *p, json_t *tasks, const char *list_key, const char *x_key, const r1_chart_axes *axes)
{
    r1_chart_line lines[R1_CHART_LINES];
    double *numbers[R1_CHART_LINES] = { NULL };
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(tasks) && n < R1_CHART_LINES && p->s == R1_OK; i++) {
        const json_t *t = json_array_get(tasks, i), *list = json_object_get(t, list_key);
        const size_t m = json_array_size(list);
        size_t used = 0;
        if (m < 2) continue;
        double *x = numbers[n] = malloc(2 * m * sizeof *x);
        if (!x) {
            p->s = r1_fail(p->err, R1_ENOMEM, "no memory for a chart");
            break;
        }
        for (size_t j = 0; j < m; j++) {
            const double at = member(json_array_get(list, j), x_key), y = member(json_array_get(list, j), "value");
            if (!(at > 0) || !(y >= 0 && y <= 1) || (used && at <= x[used - 1])) continue;
            x[used] = at;
            x[m + used++] = y;
        }
        if (used) lines[n++] = (r1_chart_line){ task_name(t), x, x + m, used };
        else free(x), numbers[n] = NULL;
    }
    if (n && p->s == R1_OK) p->s = r1_chart_lines(p->out, axes, lines, n, p->err);
    for (size_t i = 0; i < R1_CHART_LINES; i++) free(numbers[i]);
}

static void length_table(page *p, json_t *tasks)
{
    static const char *const names[] = { "task", "mean", "median", "10 %", "90 %", "longest", "mean of right ones", "mean of wrong ones", "mean thinking", NULL };
    size_t i;
    json_t *t;
    heads(p, names);
    json_array_foreach(tasks, i, t) {
        const json_t *l = json_object_get(t, "completion_length"), *all = json_object_get(l, "all");
        static const char *const keys[] = { "mean", "median", "p10", "p90", "max" };
        html(p, "<tr>");
        cell(p, task_name(t));
        for (size_t k = 0; k < R1_COUNT(keys); k++) count_cell(p, member(all, keys[k]));
        count_cell(p, member(json_object_get(l, "right"), "mean"));
        count_cell(p, member(json_object_get(l, "wrong"), "mean"));
        count_cell(p, member(json_object_get(json_object_get(t, "thinking_length"), "all"), "mean"));
        html(p, "</tr>\n");
    }
    html(p, "</tbody></table></div>\n<p class=\"soft\">Tokens that were generated for a sample, thinking included.</p>\n");
}

/* ---- cost ------------------------------------------------------------------------------------------------------ */

static void cost_table(page *p, json_t *tasks)
{
    static const char *const names[] = { "task", "tokens of prompts", "tokens generated", "of them thinking", "generated for a sample", "generated for a right answer", NULL };
    const json_t *cost = json_object_get(p->r->summary, "cost"), *timings = json_object_get(p->r->summary, "timings");
    size_t i;
    json_t *t;
    char text[24];
    heads(p, names);
    json_array_foreach(tasks, i, t) {
        const json_t *k = json_object_get(t, "tokens");
        const double made = member(k, "completion"), done = member(t, "samples_done"), right = member(t, "samples_right");
        html(p, "<tr>");
        cell(p, task_name(t));
        cell(p, r1_chart_count(member(k, "prompt"), text));
        cell(p, r1_chart_count(made, text));
        cell(p, r1_chart_count(member(k, "reasoning"), text));
        count_cell(p, done > 0 ? made / done : NAN);
        count_cell(p, right > 0 ? made / right : NAN);
        html(p, "</tr>\n");
    }
    html(p, "</tbody></table></div>\n");
    if (json_is_object(cost)) {
        html(p, "<p>");
        wordsf(p, "Price: %.4g, at %g a million tokens of prompts and %g a million tokens generated.", member(cost, "total"), member(cost, "price_in"), member(cost, "price_out"));
        html(p, "</p>\n");
    }
    if (member(timings, "part_tokens_per_second") > 0) {
        html(p, "<p class=\"soft\">");
        wordsf(p, "The last part of the run made %.0f tokens in %.3g seconds, %.1f a second.", member(timings, "part_tokens"), member(timings, "part_seconds"),
               member(timings, "part_tokens_per_second"));
        html(p, "</p>\n");
    }
}

/* ---- items ----------------------------------------------------------------------------------------------------- */

typedef struct sink { page *p; } sink;

static int data_piece(const char *s, size_t n, void *ctx)
{
    page *p = ((sink *)ctx)->p;
    while (n && p->s == R1_OK) {
        const char *lt = memchr(s, '<', n);
        size_t before = lt ? (size_t)(lt - s) : n;
        p->s = r1_buf_add(p->out, s, before, p->err);
        if (lt && p->s == R1_OK) p->s = r1_buf_adds(p->out, "\\u003c", p->err);
        s += before + (lt != NULL);
        n -= before + (lt != NULL);
    }
    return p->s ? -1 : 0;
}

static void select_of(page *p, const char *id, const char *label, bool any)
{
    html(p, "<label>");
    words(p, label);
    html(p, "<select id=\"");
    words(p, id);
    html(p, any ? "\"><option value=\"\">all</option></select></label>\n" : "\"></select></label>\n");
}

static void items(page *p)
{
    sink k = { p };
    html(p, "<h2>Items</h2>\n<noscript><p class=\"warn\">The list of items needs JavaScript; samples.jsonl has all of it.</p></noscript>\n");
    if (p->r->no_problems) {
        html(p, "<p class=\"warn\">The problems are not shown: ");
        words(p, p->r->no_problems);
        html(p, "</p>\n");
    }
    if (p->r->text_cap != SIZE_MAX) {
        html(p, "<p class=\"soft\">");
        wordsf(p, "Texts of more than %zu bytes are cut in the middle; samples.jsonl has all of them.", p->r->text_cap);
        html(p, "</p>\n");
    }
    html(p, "<div id=\"list\" hidden>\n<div class=\"filters\">\n");
    select_of(p, "task", "task", true);
    select_of(p, "result", "result", true);
    select_of(p, "category", "category", true);
    select_of(p, "reason", "reason", true);
    select_of(p, "order", "order", false);
    html(p, "<label>search<input id=\"search\" type=\"search\" placeholder=\"in problems, thinking and answers\"></label>\n<button id=\"clear\" type=\"button\">clear</button>\n"
            "<span id=\"count\" class=\"soft\" aria-live=\"polite\"></span></div>\n<div id=\"items\"></div>\n<button id=\"more\" type=\"button\">show more</button>\n</div>\n"
            "<script id=\"data\" type=\"application/json\">");
    if (p->s == R1_OK && json_dump_callback(p->r->items, data_piece, &k, JSON_COMPACT) && p->s == R1_OK) p->s = r1_fail(p->err, R1_ENOMEM, "no memory for the items of a report");
    html(p, "</script>\n<script>\n");
    html(p, (const char *)r1_embed_report_js);
    html(p, "</script>\n</body></html>\n");
}

r1_status r1_report_page(const r1_report *r, r1_buf *out, r1_error *err)
{
    page p = { .out = out, .err = err, .r = r };
    json_t *tasks = json_object_get(r->summary, "tasks");
    if (!json_is_array(tasks)) return r1_fail(err, R1_EFORMAT, "'tasks' of summary.json is %s, expected an array", r1_json_kind(tasks));
    opening(&p);
    html(&p, "<h2>Accuracy</h2>\n");
    accuracy_table(&p, tasks);
    html(&p, "<div class=\"charts\">\n");
    accuracy_chart(&p, tasks, "Accuracy", "task", true);
    task_lines(&p, tasks, "pass_at_k", "k", &(r1_chart_axes){ "At least one of j samples is right (pass@j)", "samples j", "share of items", false });
    html(&p, "</div>\n");
    category_charts(&p, tasks);
    html(&p, "<h2>Thinking and its price</h2>\n<div class=\"charts\">\n");
    length_chart(&p);
    task_lines(&p, tasks, "budget", "tokens", &(r1_chart_axes){ "Budget and accuracy", "budget of tokens: what is longer counts as wrong", "pass@1", true });
    html(&p, "</div>\n");
    length_table(&p, tasks);
    html(&p, "<h2>Tokens</h2>\n");
    cost_table(&p, tasks);
    settings(&p);
    items(&p);
    return p.s;
}
