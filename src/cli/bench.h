/* bench: what the files of `r1 bench` share: the plan, the measurements, their statistics.
 *
 * cmd_bench.c makes the plan from the options and runs it; bench_model.c measures what needs a model; bench_print.c shows it
 * all. Every measurement is the median of `repeat` repeats after one that does not count, with the smallest and largest
 * beside it.
 */
#ifndef R1_CLI_BENCH_H
#define R1_CLI_BENCH_H

#include "cli/cli.h"

enum { R1_BENCH_LIST = 16, R1_BENCH_REPEATS = 1000 };

typedef struct r1_bench_list { size_t items[R1_BENCH_LIST], n; } r1_bench_list;

/* "512,2048": integers from lo to hi between commas, none twice. Errors: R1_EINVAL names the option, found and expected. */
r1_status r1_bench_list_parse(const char *option, const char *text, size_t lo, size_t hi, r1_bench_list *out, r1_error *err) R1_MUST_CHECK;

typedef struct r1_bench_stat { double median, min, max; } r1_bench_stat;

/* Of x[n], n >= 1; sorts x. The median of an even number is the mean of the middle two. */
r1_bench_stat r1_bench_stat_of(double *x, size_t n);

typedef struct r1_bench_test {
    const char *name;         /* "prefill", "decode" */
    size_t tokens, batch, depth;
    r1_bench_stat speed;      /* tokens per second, summed over the batch */
    double weights_gb_s;      /* decode of one sequence: bytes of weights a token reads, over its time; else 0 */
} r1_bench_test;

typedef struct r1_bench {
    r1_cli *c;
    const char *path;         /* NULL: no model */
    r1_bench_list prefill, decode, batch, depth;
    size_t repeat;
    int threads;
    /* results */
    char machine[128];
    char cpu_level[16];
    r1_bench_test *tests;     /* prefill before decode at each depth */
    size_t n_tests;
} r1_bench;

/* Prefill and decode. */
r1_status r1_bench_model(r1_bench *b, r1_error *err) R1_MUST_CHECK;

r1_status r1_bench_print(const r1_bench *b, r1_error *err) R1_MUST_CHECK;

#endif
