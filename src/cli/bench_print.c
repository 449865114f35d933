/* The results of `r1 bench` as a table for people, as CSV, and as JSON. The fields of the JSON are fixed in docs/cli/r1-bench.md. */
#include "cli/bench.h"

/* ---- text ------------------------------------------------------------------------------------------------------ */

static void print_tests(const r1_bench *b)
{
    if (!b->n_tests) return;
    printf("\n%-8s %7s %6s %7s %12s   %-21s %s\n", "test", "tokens", "batch", "depth", "tokens/s", "(min to max)", "weights GB/s");
    for (size_t i = 0; i < b->n_tests; i++) {
        const r1_bench_test *t = &b->tests[i];
        char range[48];
        snprintf(range, sizeof range, "(%.1f to %.1f)", t->speed.min, t->speed.max);
        printf("%-8s %7zu %6zu %7zu %12.1f   %-21s", t->name, t->tokens, t->batch, t->depth, t->speed.median, range);
        if (t->weights_gb_s > 0) printf(" %.1f", t->weights_gb_s);
        printf("\n");
    }
}

static r1_status print_text(const r1_bench *b)
{
    printf("%s; cpu %s, %d threads", b->machine, b->cpu_level, b->threads);
    if (b->path) printf("; %s", b->path);
    printf("; median of %zu\n", b->repeat);
    print_tests(b);
    return R1_OK;
}

/* ---- CSV ------------------------------------------------------------------------------------------------------- */

/* One table for everything: a line a number. */
static void csv_row(const r1_bench_test *t, const char *unit, const r1_bench_stat *v)
{
    printf("%s,%zu,%zu,%zu,%s,%.6g,%.6g,%.6g\n", t->name, t->tokens, t->batch, t->depth, unit, v->median, v->min, v->max);
}

static r1_status print_csv(const r1_bench *b)
{
    printf("test,tokens,batch,depth,unit,median,min,max\n");
    for (size_t i = 0; i < b->n_tests; i++) csv_row(&b->tests[i], "tokens/s", &b->tests[i].speed);
    return R1_OK;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static json_t *test_json(const r1_bench *b, const r1_bench_test *t)
{
    json_t *v = json_pack("{s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:I}", "name", t->name, "tokens", (json_int_t)t->tokens, "batch", (json_int_t)t->batch,
                          "depth", (json_int_t)t->depth, "tokens_per_s", t->speed.median, "min", t->speed.min, "max", t->speed.max,
                          "repeats", (json_int_t)b->repeat);
    if (v && t->weights_gb_s > 0) json_object_set_new(v, "weights_gb_s", json_real(t->weights_gb_s));
    return v;
}

static r1_status print_json(const r1_bench *b, r1_error *err)
{
    json_t *tests = json_array();
    for (size_t i = 0; i < b->n_tests; i++) json_array_append_new(tests, test_json(b, &b->tests[i]));
    json_t *v = json_pack("{s:o, s:s, s:i, s:o, s:o, s:n}", "machine", r1_json_text(b->machine, strlen(b->machine)), "cpu_level", b->cpu_level, "threads", b->threads,
                          "model", b->path ? r1_json_text(b->path, strlen(b->path)) : json_null(), "tests", tests, "roof");
    if (!v) return r1_fail(err, R1_ENOMEM, "no memory for the JSON output");
    r1_status s = r1_print_json(v, err);
    json_decref(v);
    return s;
}

r1_status r1_bench_print(const r1_bench *b, r1_error *err)
{
    if (b->c->o.json) return print_json(b, err);
    return b->c->o.csv ? print_csv(b) : print_text(b);
}
