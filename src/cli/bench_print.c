/* The results of `r1 bench` as tables for people, as CSV, and as JSON, whose fields docs/cli/r1-bench.md fixes. */
#include "cli/bench.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- text ------------------------------------------------------------------------------------------------------ */

static const char *range(char out[48], const r1_bench_stat *v, int digits)
{
    snprintf(out, 48, "(%.*f to %.*f)", digits, v->min, digits, v->max);
    return out;
}

static const char *percent(char out[64], const r1_bench_stat *share)
{
    *out = 0;
    if (share->median > 0) snprintf(out, 64, "%3.0f%% (%.0f to %.0f)", 100 * share->median, 100 * share->min, 100 * share->max);
    return out;
}

/* A line without blanks at its end, at once. */
static void put_line(const char *fmt, ...) R1_PRINTF(1, 2);
static void put_line(const char *fmt, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    size_t n = strlen(line);
    while (n && line[n - 1] == ' ') n--;
    printf("%.*s\n", (int)n, line);
    r1_term_flush(stdout);
}

static void text_begin(const r1_bench *b)
{
    r1_shown_name name;
    if (b->path) printf("%s\n", r1_shown(name, b->path));
    printf("%s\ncpu %s, %d %s; median of %zu (smallest to largest)\n", b->machine, r1_cpu_level_name(b->level), b->threads, b->threads == 1 ? "thread" : "threads", b->repeat);
}

static void text_roof(const r1_bench *b)
{
    const r1_bench_roof *r = &b->roof;
    char text[48];
    printf("\nroof of %d threads\n", b->threads);
    put_line("  memory read %7.1f GB/s   %-18s %zu MB", r->read.median, range(text, &r->read, 1), r->bytes >> 20);
    put_line("  int8        %7.0f GOPS   %-18s %s", r->int8.median, range(text, &r->int8, 0), r->loops.int8_name);
    put_line("  bf16        %7.0f GFLOPS %-18s %s", r->bf16.median, range(text, &r->bf16, 0), r->loops.bf16_name);
}

static void text_product(const r1_bench *b, size_t i)
{
    const r1_bench_product *t = &b->products[i];
    char share[64], rounded[32] = "";
    if (i == 0) put_line("\n%-8s %7s %6s %8s %10s        share of the roof  +rounding", "product", "rows", "k", "columns", "speed");
    if (t->columns > 1) snprintf(rounded, sizeof rounded, "%.0f%%", 100 * t->rounded.median);
    put_line("%-8s %7zu %6zu %8zu %10.1f %-5s  %-18s %s", r1_type_get(t->type)->name, t->rows, t->k, t->columns, t->speed.median, t->columns > 1 ? "GOPS" : "GB/s",
             percent(share, &t->share), rounded);
}

static void text_test(const r1_bench *b, size_t i)
{
    const r1_bench_test *t = &b->tests[i];
    char text[48], share[64], weights[32] = "";
    int digits = t->speed.median < 10 ? 2 : t->speed.median < 1000 ? 1 : 0; /* a line has room in 80 columns */
    if (i == 0)
        put_line("\n%-7s %6s %5s %6s %8s %-18s %5s %s", "test", "tokens", "batch", "depth", "tokens/s", "", "GB/s", b->roof.read.median ? "share of roof" : "");
    if (t->weights_gb_s > 0) snprintf(weights, sizeof weights, "%.1f", t->weights_gb_s);
    put_line("%-7s %6zu %5zu %6zu %8.*f %-18s %5s %s", t->name, t->tokens, t->batch, t->depth, digits, t->speed.median, range(text, &t->speed, digits), weights,
             percent(share, &t->share));
}

static void text_load(const r1_bench *b)
{
    char text[48];
    const r1_bench_load *l = &b->load;
    put_line("\nload to first token %.3f s %s", l->total.median, range(text, &l->total, 3));
    put_line("  model %.3f, engine %.3f, first step %.3f", l->model.median, l->engine.median, l->first_step.median);
}

static void text_sampler(const r1_bench *b, size_t i)
{
    char text[48];
    if (i == 0) put_line("\n%-42s us a token", "sampler, 151936 logits");
    put_line("%-42s %8.1f   %s", b->samplers[i].settings, b->samplers[i].us.median, range(text, &b->samplers[i].us, 1));
}

/* ---- CSV ------------------------------------------------------------------------------------------------------- */

/* What is no UTF-8 becomes U+FFFD, as in JSON. */
static void csv_text(const char *text)
{
    json_t *v = r1_json_text(text, strlen(text));
    const char *s = v ? json_string_value(v) : "";
    putchar('"');
    for (; *s; s++) {
        if (*s == '"') putchar('"');
        putchar(*s);
    }
    putchar('"');
    json_decref(v);
}

/* One table for everything, a line a number; what does not apply is empty. `what`: tokens, batch, depth. */
static void csv_row(const r1_bench *b, const char *name, const char *what, const char *unit, const r1_bench_stat *v, double gb_s, const r1_bench_stat *share)
{
    printf("%s,%s,%s,%.6g,%.6g,%.6g,", name, what, unit, v->median, v->min, v->max);
    if (gb_s > 0) printf("%.6g", gb_s);
    if (share && share->median > 0) printf(",%.6g,%.6g,%.6g,", share->median, share->min, share->max);
    else fputs(",,,,", stdout);
    if (b->path) csv_text(b->path);
    printf(",%d,%s,", b->threads, r1_cpu_level_name(b->level));
    csv_text(b->machine);
    putchar('\n');
    r1_term_flush(stdout);
}

static void csv_begin(void)
{
    puts("test,tokens,batch,depth,unit,median,min,max,weights_gb_s,share,share_min,share_max,model,threads,cpu,machine");
}

static void csv_roof(const r1_bench *b)
{
    csv_row(b, "roof read", ",,", "GB/s", &b->roof.read, 0, NULL);
    csv_row(b, "roof int8", ",,", "GOPS", &b->roof.int8, 0, NULL);
    csv_row(b, "roof bf16", ",,", "GFLOPS", &b->roof.bf16, 0, NULL);
}

static void csv_product(const r1_bench *b, size_t i)
{
    const r1_bench_product *t = &b->products[i];
    char name[64], what[32];
    snprintf(name, sizeof name, "product %s %zux%zu", r1_type_get(t->type)->name, t->rows, t->k);
    snprintf(what, sizeof what, "%zu,,", t->columns);
    csv_row(b, name, what, t->columns > 1 ? "GOPS" : "GB/s", &t->speed, 0, &t->share);
}

static void csv_test(const r1_bench *b, size_t i)
{
    const r1_bench_test *t = &b->tests[i];
    char what[96];
    snprintf(what, sizeof what, "%zu,%zu,%zu", t->tokens, t->batch, t->depth);
    csv_row(b, t->name, what, "tokens/s", &t->speed, t->weights_gb_s, &t->share);
}

static void csv_sampler(const r1_bench *b, size_t i)
{
    char name[96];
    snprintf(name, sizeof name, "\"sampler, %s\"", b->samplers[i].settings);
    csv_row(b, name, "1,,", "us/token", &b->samplers[i].us, 0, NULL);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

/* Whether something could not be made is looked at once, when all of it is put together. */
static json_t *stat_json(const r1_bench_stat *v) { return json_pack("{s:f, s:f, s:f}", "median", v->median, "min", v->min, "max", v->max); }

static void set_share(json_t *v, const char *key, const r1_bench_stat *share)
{
    if (v && share->median > 0) json_object_set_new(v, key, stat_json(share));
}

static json_t *tests_json(const r1_bench *b)
{
    json_t *all = json_array();
    for (size_t i = 0; i < b->n_tests; i++) {
        const r1_bench_test *t = &b->tests[i];
        json_t *v = json_pack("{s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:I}", "name", t->name, "tokens", (json_int_t)t->tokens, "batch", (json_int_t)t->batch,
                              "depth", (json_int_t)t->depth, "tokens_per_s", t->speed.median, "min", t->speed.min, "max", t->speed.max,
                              "repeats", (json_int_t)b->repeat);
        if (v && t->weights_gb_s > 0) json_object_set_new(v, "weights_gb_s", json_real(t->weights_gb_s));
        set_share(v, "share_of_read", &t->share);
        json_array_append_new(all, v);
    }
    return all;
}

static json_t *roof_json(const r1_bench *b)
{
    const r1_bench_roof *r = &b->roof;
    if (!r->read.median) return json_null();
    return json_pack("{s:f, s:f, s:f, s:s, s:s, s:I, s:o, s:o, s:o}", "read_gb_s", r->read.median, "int8_gops", r->int8.median, "bf16_gflops", r->bf16.median,
                     "int8_instruction", r->loops.int8_name, "bf16_instruction", r->loops.bf16_name, "read_bytes", (json_int_t)r->bytes,
                     "read", stat_json(&r->read), "int8", stat_json(&r->int8), "bf16", stat_json(&r->bf16));
}

static json_t *products_json(const r1_bench *b)
{
    json_t *all = json_array();
    for (size_t i = 0; i < b->n_products; i++) {
        const r1_bench_product *t = &b->products[i];
        json_t *v = json_pack("{s:s, s:I, s:I, s:I, s:s, s:f, s:f, s:f}", "type", r1_type_get(t->type)->name, "rows", (json_int_t)t->rows, "k", (json_int_t)t->k,
                              "columns", (json_int_t)t->columns, "unit", t->columns > 1 ? "GOPS" : "GB/s", "speed", t->speed.median, "min", t->speed.min, "max", t->speed.max);
        set_share(v, "share", &t->share);
        if (t->columns > 1) set_share(v, "share_with_rounding", &t->rounded);
        json_array_append_new(all, v);
    }
    return all;
}

static json_t *samplers_json(const r1_bench *b)
{
    json_t *all = json_array();
    for (size_t i = 0; i < b->n_samplers; i++) {
        const r1_bench_sampler *t = &b->samplers[i];
        json_array_append_new(all, json_pack("{s:s, s:f, s:f, s:f}", "settings", t->settings, "us_per_token", t->us.median, "min", t->us.min, "max", t->us.max));
    }
    return all;
}

static r1_status print_json(const r1_bench *b, r1_error *err)
{
    json_t *v = json_pack("{s:o, s:s, s:i, s:o, s:s?, s:o, s:o, s:b}", "machine", r1_json_text(b->machine, strlen(b->machine)), "cpu_level", r1_cpu_level_name(b->level),
                          "threads", b->threads, "model", b->path ? r1_json_text(b->path, strlen(b->path)) : json_null(), "kv", b->kv, "tests", tests_json(b), "roof", roof_json(b), "interrupted", b->interrupted);
    if (!v) return r1_fail(err, R1_ENOMEM, "no memory for the JSON output");
    const r1_bench_load *l = &b->load;
    if (b->n_products) json_object_set_new(v, "products", products_json(b));
    if (l->done)
        json_object_set_new(v, "load", json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "first_token_s", l->total.median, "min", l->total.min, "max", l->total.max,
                                                 "model_s", l->model.median, "engine_s", l->engine.median, "first_step_s", l->first_step.median));
    if (b->tokenizer.median > 0)
        json_object_set_new(v, "tokenizer", json_pack("{s:f, s:f, s:f}", "mb_per_s", b->tokenizer.median, "min", b->tokenizer.min, "max", b->tokenizer.max));
    if (b->n_samplers) json_object_set_new(v, "sampler", samplers_json(b));
    r1_status s = r1_print_json(v, err);
    json_decref(v);
    return s;
}

/* ---- what is there is shown --------------------------------------------------------------------------------------- */

void r1_bench_show_begin(r1_bench *b)
{
    if (b->c->o.json || b->begun) return;
    b->begun = true;
    if (b->c->o.csv) csv_begin();
    else text_begin(b);
    r1_term_flush(stdout);
}

void r1_bench_show_load(const r1_bench *b)
{
    if (b->c->o.csv) csv_row(b, "load", "1,,", "s", &b->load.total, 0, NULL);
    else if (!b->c->o.json) text_load(b);
}

void r1_bench_show_tokenizer(const r1_bench *b)
{
    char text[48];
    if (b->c->o.csv) csv_row(b, "tokenizer", ",,", "MB/s", &b->tokenizer, 0, NULL);
    else if (!b->c->o.json) put_line("\ntokenizer %.1f MB/s %s", b->tokenizer.median, range(text, &b->tokenizer, 1));
}

void r1_bench_show_sampler(const r1_bench *b, size_t i)
{
    if (b->c->o.csv) csv_sampler(b, i);
    else if (!b->c->o.json) text_sampler(b, i);
}

void r1_bench_show_roof(const r1_bench *b)
{
    if (b->c->o.csv) csv_roof(b);
    else if (!b->c->o.json) text_roof(b);
}

void r1_bench_show_product(const r1_bench *b, size_t i)
{
    if (b->c->o.csv) csv_product(b, i);
    else if (!b->c->o.json) text_product(b, i);
}

void r1_bench_show_test(const r1_bench *b, size_t i)
{
    if (b->c->o.csv) csv_test(b, i);
    else if (!b->c->o.json) text_test(b, i);
}

r1_status r1_bench_show_end(const r1_bench *b, r1_error *err) { return b->c->o.json ? print_json(b, err) : R1_OK; }
