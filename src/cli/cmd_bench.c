/* r1 bench: how fast a model runs here, and what the machine could do.
 *
 * Options become a plan, the plan is run part by part, and each result is printed as it is there. What is measured stands in
 * bench_model.c; this file knows which of it was asked for.
 */
#include "cli/bench.h"
#include "base/thread.h"
#include "kernels/kernels.h"

#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

r1_status r1_bench_list_parse(const char *option, const char *text, size_t lo, size_t hi, r1_bench_list *out, r1_error *err)
{
    *out = (r1_bench_list){ 0 };
    for (const char *p = text;; p++) {
        char *end = NULL;
        bool digit = *p >= '0' && *p <= '9';
        unsigned long long v = digit ? strtoull(p, &end, 10) : 0;
        if (!digit || (*end && *end != ',') || v < lo || v > hi)
            return r1_fail(err, R1_EINVAL, "%s is '%s', expected integers from %zu to %zu between commas, such as %s", option, text, lo, hi,
                           !strcmp(option, "--batch") ? "1,8" : lo == 0 ? "0,4096" : "512,2048");
        for (size_t i = 0; i < out->n; i++)
            if (out->items[i] == v) return r1_fail(err, R1_EINVAL, "%s is '%s', which names %llu twice", option, text, v);
        if (out->n == R1_BENCH_LIST) return r1_fail(err, R1_EINVAL, "%s names more than %d values", option, R1_BENCH_LIST);
        out->items[out->n++] = (size_t)v;
        if (!*end) return R1_OK;
        p = end;
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

r1_bench_stat r1_bench_stat_of(double *x, size_t n)
{
    qsort(x, n, sizeof *x, ascending);
    return (r1_bench_stat){ .median = n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2, .min = x[0], .max = x[n - 1] };
}

bool r1_bench_over_roof(const r1_bench *b)
{
    bool over = false;
    for (size_t i = 0; i < b->n_tests; i++) over = over || b->tests[i].share.median > 1;
    for (size_t i = 0; i < b->n_products; i++) over = over || b->products[i].share.median > 1;
    return over;
}

/* ---- the machine ----------------------------------------------------------------------------------------------- */

/* "AMD EPYC, family 25 model 17, 2 CPUs" from /proc/cpuinfo; elsewhere what uname says. */
static void describe_machine(char *out, size_t n)
{
    char line[256], name[96] = "";
    int family = -1, model = -1;
    FILE *f = fopen("/proc/cpuinfo", "re");
    while (f && fgets(line, sizeof line, f) && strcmp(line, "\n")) {
        if (sscanf(line, "cpu family : %d", &family) == 1 || sscanf(line, "model : %d", &model) == 1) continue;
        char *value = strstr(line, ": ");
        if (!strncmp(line, "model name", 10) && value) snprintf(name, sizeof name, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
    }
    if (f) fclose(f);
    struct utsname u;
    if (!*name) snprintf(name, sizeof name, "%s", uname(&u) == 0 ? u.machine : "unknown");
    int k = snprintf(out, n, "%s", name);
    if (family >= 0 && model >= 0) k += snprintf(out + k, n - (size_t)k, ", family %d model %d", family, model);
    snprintf(out + k, n - (size_t)k, ", %ld CPUs", sysconf(_SC_NPROCESSORS_ONLN));
}

/* ---- options --------------------------------------------------------------------------------------------------- */

static r1_status read_list(const char *option, const char *given, const char *usual, size_t lo, r1_bench_list *out, r1_error *err)
{
    const size_t most = 1 << 20; /* tokens: longer than any context there is */
    const char *text = given ? given : usual;
    return text ? r1_bench_list_parse(option, text, lo, most, out, err) : R1_OK;
}

/* Without any of the tests prefill and decode are done; one of them alone leaves the other out. The roof is something to compare
 * with and leaves nothing out. */
static r1_status read_lists(r1_bench *b, r1_error *err)
{
    const r1_opts *o = &b->c->o;
    bool part = o->bench_load || o->bench_tokenizer || o->bench_sampler || o->bench_products;
    bool usual = !o->bench_prefill && !o->bench_decode && !o->bench_batch && (o->bench_depth || (b->path && !part));
    r1_status s = read_list("--prefill", o->bench_prefill, usual ? "512" : NULL, 1, &b->prefill, err);
    if (s == R1_OK) s = read_list("--decode", o->bench_decode, usual || o->bench_batch ? "64" : NULL, 1, &b->decode, err);
    if (s == R1_OK) s = read_list("--batch", o->bench_batch, "1", 1, &b->batch, err);
    if (s == R1_OK) s = read_list("--depth", o->bench_depth, "0", 0, &b->depth, err);
    for (size_t i = 0; i < b->batch.n && s == R1_OK; i++)
        if (b->batch.items[i] > 1024) s = r1_fail(err, R1_EINVAL, "--batch names %zu sequences, expected at most 1024", b->batch.items[i]);
    return s;
}

static r1_status read_options(r1_bench *b, r1_error *err)
{
    const r1_opts *o = &b->c->o;
    if (o->csv && o->json) return r1_fail(err, R1_EINVAL, "--csv and --json cannot both be; choose one");
    b->repeat = o->repeat ? (size_t)o->repeat : 5;
    b->threads = o->threads ? (int)o->threads : r1_physical_cores();
    b->level = (r1_cpu_level)o->cpu == R1_CPU_AUTO ? r1_cpu_best() : (r1_cpu_level)o->cpu;
    if (!r1_cpu_has(b->level))
        return r1_fail(err, R1_EUNSUPPORTED, "this machine has no %s; its best level is %s", r1_cpu_level_name(b->level), r1_cpu_level_name(r1_cpu_best()));
    r1_status s = read_lists(b, err);
    if (s || b->path) return s;
    const char *needs = b->prefill.n || b->decode.n ? "prefill and decode need" : o->bench_load ? "--load needs" : o->bench_tokenizer ? "--tokenizer needs" : NULL;
    if (needs) return r1_fail(err, R1_EINVAL, "%s MODEL; without one there are --roof, --products and --sampler", needs);
    if (!o->bench_roof && !o->bench_products && !o->bench_sampler)
        return r1_fail(err, R1_EINVAL, "'bench' needs MODEL, or --roof, --products or --sampler; `r1 help bench` tells more");
    return R1_OK;
}

/* What is wrong with a model is told before other things are measured for a while. */
static r1_status check_model(const r1_bench *b, r1_error *err)
{
    const r1_opts *o = &b->c->o;
    if (!b->path || !(o->bench_sampler || o->bench_roof || o->bench_products)) return R1_OK;
    r1_model *m;
    r1_model_options words_only = { .vocabulary_only = true };
    r1_status s = r1_model_open(&m, b->path, &words_only, err);
    if (s) return s;
    s = r1_setup_check(o, m, err);
    r1_model_close(m);
    return s;
}

static r1_status run_parts(r1_bench *b, r1_error *err)
{
    const r1_opts *o = &b->c->o;
    r1_status s = o->bench_load ? r1_bench_load_run(b, err) : R1_OK;
    if (s == R1_OK && o->bench_tokenizer) s = r1_bench_tokenizer_run(b, err);
    if (s == R1_OK && o->bench_sampler) s = r1_bench_sampler_run(b, err);
    if (s == R1_OK && (o->bench_roof || o->bench_products)) s = r1_bench_roof_open(b, err);
    if (s == R1_OK && o->bench_products) s = r1_bench_products_run(b, err);
    if (s == R1_OK && (b->prefill.n || b->decode.n)) s = r1_bench_model(b, err);
    return s;
}

r1_status r1_cmd_bench(r1_cli *c, r1_error *err)
{
    r1_bench b = { .c = c, .path = c->n_args ? c->args[0] : NULL };
    describe_machine(b.machine, sizeof b.machine);
    r1_status s = read_options(&b, err);
    r1_interrupt_arm(true);
    if (s == R1_OK) s = check_model(&b, err);
    if (s == R1_OK) s = run_parts(&b, err);
    r1_interrupt_arm(false);
    b.interrupted = s == R1_ECANCELLED;
    if (s == R1_OK || b.interrupted) { /* what is done is told all the same */
        r1_status shown = r1_bench_show_end(&b, s ? NULL : err);
        if (s == R1_OK) s = shown;
        if (r1_bench_over_roof(&b))
            r1_note(c, "a share above 100 %%: weights that fit a cache do not come from memory, and a probe and the run after it may meet different moments of a shared machine");
    }
    r1_bench_roof_close(&b);
    free(b.tests);
    free(b.products);
    free(b.samplers);
    return s;
}
