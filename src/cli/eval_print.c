/* Results of evaluations as text. */
#define _GNU_SOURCE
#include "cli/eval_print.h"
#include "eval/benchmark.h"

#include <math.h>
#include <unistd.h>

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static double end_of(const json_t *o, const char *key, size_t i)
{
    const json_t *v = json_array_get(json_object_get(o, key), i);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static long long whole(const json_t *o, const char *key) { return (long long)json_integer_value(json_object_get(o, key)); }

/* ---- a run ----------------------------------------------------------------------------------------------------- */

/* Scores that are all equal: a bootstrap sees no error, Wilson's interval does. */
static const char *interval_of(const json_t *e) { return number(e, "stderr") > 0 || !json_object_get(e, "ci95_wilson") ? "ci95" : "ci95_wilson"; }

static void print_estimate(const char *label, const json_t *e, bool sources)
{
    double value = number(e, "value");
    if (isnan(value)) return;
    printf("  %-12s %6.2f %%", label, 100 * value);
    if (!isnan(number(e, "stderr"))) printf("  +- %.2f", 100 * number(e, "stderr"));
    const char *which = interval_of(e);
    printf("   95%%: %.2f to %.2f", 100 * end_of(e, which, 0), 100 * end_of(e, which, 1));
    if (sources && !isnan(number(e, "stderr_samples")) && !isnan(number(e, "stderr_problems"))) /* one problem says nothing of others */
        printf("   (of problems %.2f, of samples %.2f)", 100 * number(e, "stderr_problems"), 100 * number(e, "stderr_samples"));
    putchar('\n');
}

static void print_rating(const json_t *r)
{
    if (!json_is_object(r)) return;
    if (json_object_get(r, "bound")) printf("  %-12s none: %s\n", "rating", text(r, "bound"));
    else
        printf("  %-12s %6.0f    +- %.0f   95%%: %.0f to %.0f   (%lld rated problems)\n", "rating", number(r, "value"), number(r, "stderr"), end_of(r, "ci95", 0), end_of(r, "ci95", 1),
               whole(r, "problems"));
}

static void print_lengths(const json_t *t)
{
    const json_t *all = json_object_get(json_object_get(t, "completion_length"), "all"), *thought = json_object_get(json_object_get(t, "thinking_length"), "all");
    if (json_is_object(all)) printf("  %-12s %.0f tokens on average, median %.0f, at most %.0f", "length", number(all, "mean"), number(all, "median"), number(all, "max"));
    if (json_is_object(all) && number(thought, "mean") > 0) printf("; thinking %.0f, median %.0f", number(thought, "mean"), number(thought, "median"));
    if (json_is_object(all)) putchar('\n');
    if (!isnan(number(t, "truncated"))) printf("  %-12s %6.2f %% of the samples; without an answer %.2f %%\n", "truncated", 100 * number(t, "truncated"), 100 * number(t, "no_answer"));
}

static void print_categories(const json_t *list)
{
    if (json_array_size(list) < 2) return;
    printf("  by category\n");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i), *e = json_object_get(c, "pass_at_1");
        r1_shown_name name;
        printf("    %-28.60s %5lld items  %6.2f %%   95%%: %.2f to %.2f\n", r1_shown(name, text(c, "category")), whole(c, "items"), 100 * number(e, "value"), 100 * end_of(e, interval_of(e), 0),
               100 * end_of(e, interval_of(e), 1));
    }
}

static void print_task(const json_t *t)
{
    char label[32];
    const json_t *cons = json_object_get(t, "cons_at_k"), *list = json_object_get(t, "pass_at_k");
    r1_shown_name name;
    printf("%s: %lld items, %lld sample%s each", r1_shown(name, text(t, "task")), whole(t, "items"), whole(t, "samples"), whole(t, "samples") == 1 ? "" : "s");
    if (whole(t, "samples_done") < whole(t, "items") * whole(t, "samples")) printf("; %lld of %lld samples are there", whole(t, "samples_done"), whole(t, "items") * whole(t, "samples"));
    if (whole(t, "samples_failed")) printf(", %lld failed", whole(t, "samples_failed"));
    putchar('\n');
    print_estimate("pass@1", json_object_get(t, "pass_at_1"), true);
    for (size_t i = 1; i < json_array_size(list); i++) {
        snprintf(label, sizeof label, "pass@%lld", whole(json_array_get(list, i), "k"));
        print_estimate(label, json_array_get(list, i), false);
    }
    snprintf(label, sizeof label, "cons@%lld", whole(cons, "k"));
    print_estimate(label, cons, false);
    print_rating(json_object_get(t, "rating"));
    print_lengths(t);
    print_categories(json_object_get(t, "categories"));
}

void r1_eval_print_summary(const json_t *summary)
{
    const json_t *tasks = json_object_get(summary, "tasks"), *tokens = json_object_get(summary, "tokens"), *cost = json_object_get(summary, "cost");
    for (size_t i = 0; i < json_array_size(tasks); i++) print_task(json_array_get(tasks, i));
    printf("tokens: %lld of prompts, %lld generated, %lld of them thinking%s", whole(tokens, "prompt"), whole(tokens, "completion"), whole(tokens, "reasoning"),
           json_is_false(json_object_get(tokens, "all_told")) ? " (where the server told)" : "");
    double rate = number(json_object_get(summary, "timings"), "part_tokens_per_second");
    if (rate > 0) printf("; %.0f tokens/s", rate);
    if (json_is_object(cost)) printf("; cost %.4f", number(cost, "total"));
    putchar('\n');
    r1_term_flush(stdout);
}

/* ---- two runs -------------------------------------------------------------------------------------------------- */

/* A probability is never shown as nothing. */
static const char *chance(double p, char out[16])
{
    snprintf(out, 16, p < 0.00005 ? "< 0.0001" : "= %.4f", p);
    return out;
}

static void print_pair(const json_t *t)
{
    char turned[16], sign[16];
    r1_shown_name name;
    printf("%s: %lld items in both\n", r1_shown(name, text(t, "task")), whole(t, "items"));
    printf("  A %.2f %%, B %.2f %%\n", 100 * number(t, "a"), 100 * number(t, "b"));
    printf("  A - B       %+.2f points  +- %.2f   95%%: %+.2f to %+.2f\n", 100 * number(t, "difference"), 100 * number(t, "stderr"), 100 * end_of(t, "ci95", 0), 100 * end_of(t, "ci95", 1));
    printf("  A better in %lld items, B in %lld; p %s (permutation), %s (%s)\n", whole(t, "a_better"), whole(t, "b_better"), chance(number(t, "p_permutation"), turned),
           chance(number(t, "p_sign"), sign), text(t, "sign_test"));
    printf("  length      A %.0f tokens, B %.0f; thinking %.0f and %.0f\n", number(t, "completion_length_a"), number(t, "completion_length_b"), number(t, "thinking_length_a"),
           number(t, "thinking_length_b"));
    const json_t *list = json_object_get(t, "differences");
    for (size_t i = 0; i < json_array_size(list) && i < 10; i++) {
        const json_t *d = json_array_get(list, i);
        if (i == 0) printf("  most different items\n");
        printf("    %-40.80s A %.2f  B %.2f\n", r1_shown(name, text(d, "id")), number(d, "a"), number(d, "b"));
    }
}

void r1_eval_print_versus(const json_t *v)
{
    const json_t *tasks = json_object_get(v, "tasks"), *warnings = json_object_get(v, "warnings"), *a = json_object_get(v, "a"), *b = json_object_get(v, "b");
    r1_shown_name folder, model;
    printf("A: %s (%s)\n", r1_shown(folder, text(a, "folder")), r1_shown(model, text(json_object_get(a, "model"), "name")));
    printf("B: %s (%s)\n", r1_shown(folder, text(b, "folder")), r1_shown(model, text(json_object_get(b, "model"), "name")));
    for (size_t i = 0; i < json_array_size(tasks); i++) print_pair(json_array_get(tasks, i));
    for (size_t i = 0; i < json_array_size(warnings); i++) fprintf(stderr, "r1: careful: %s\n", r1_shown(folder, json_string_value(json_array_get(warnings, i))));
    r1_term_flush(stdout);
}

/* ---- the list -------------------------------------------------------------------------------------------------- */

static json_t *list_entry(const r1_benchmark *b, const char *path)
{
    return json_pack("{s:s, s:s, s:i, s:s, s:s, s:o}", "task", b->name, "check", r1_eval_check_name(b->check), "samples", (int)b->samples, "source", b->source, "fields", b->form,
                     "file", path ? json_string(path) : json_null());
}

r1_status r1_eval_print_list(const char *data, const char *usual, bool json, r1_error *err)
{
    json_t *list = json_array();
    r1_status s = R1_OK;
    if (!json) printf("%-14s %-10s %3s  %s\n", "task", "check", "k", "file, or where its items come from");
    for (size_t i = 0; r1_benchmark_at(i) && s == R1_OK; i++) {
        const r1_benchmark *b = r1_benchmark_at(i);
        char *path = NULL;
        r1_shown_name name;
        bool found = r1_benchmark_locate(b, data, usual, &path, NULL) == R1_OK && access(path, R_OK) == 0;
        if (json && json_array_append_new(list, list_entry(b, found ? path : NULL))) s = r1_fail(err, R1_ENOMEM, "no memory for the list");
        if (!json) printf("%-14s %-10s %3u  %s%s\n", b->name, r1_eval_check_name(b->check), b->samples, found ? "" : "not here: ", r1_shown(name, found ? path : b->source));
        free(path);
    }
    if (s == R1_OK && json) s = r1_print_json(list, err);
    r1_shown_name folder;
    if (!json)
        printf("\nFiles are looked for in %s, or where --data says. Any other FILE.jsonl is a task, too.\n",
               r1_shown(folder, data ? data : usual ? usual : "no folder, for there is no home"));
    json_decref(list);
    return s;
}

/* ---- the live line --------------------------------------------------------------------------------------------- */

static void duration(double s, char out[32])
{
    if (!(s >= 0) || s > 99 * 86400.0) snprintf(out, 32, "?");
    else if (s >= 3600) snprintf(out, 32, "%d h %02d min", (int)(s / 3600), (int)s / 60 % 60);
    else snprintf(out, 32, "%d:%02d", (int)s / 60, (int)s % 60);
}

void r1_eval_line_draw(r1_eval_line *l, const r1_eval_progress *p)
{
    double now = r1_now();
    if (!l->term->tty || l->quiet || now - l->drawn < 0.1) return;
    l->drawn = now;
    char line[256], left[32], score[64] = "", failed[32] = "";
    duration(p->seconds_left, left);
    if (!isnan(p->score)) snprintf(score, sizeof score, "  %.1f %% (%.1f to %.1f)", 100 * p->score, 100 * p->lo, 100 * p->hi);
    if (p->failed) snprintf(failed, sizeof failed, "  %zu failed", p->failed);
    int n = snprintf(line, sizeof line, "%zu/%zu%s%s  %.0f tokens/s  %s left", p->done, p->total, score, failed, p->seconds > 0 ? (double)p->tokens / p->seconds : 0.0, left);
    fprintf(l->term->f, "\r%.*s\033[K", (int)r1_min((size_t)n, r1_term_width(l->term) - 1), line);
    fflush(l->term->f);
    l->shown = true;
}

void r1_eval_line_end(r1_eval_line *l)
{
    if (l->shown) {
        fputs("\r\033[K", l->term->f);
        fflush(l->term->f);
    }
    l->shown = false;
    l->drawn = 0;
}
