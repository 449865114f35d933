/* bench: what the files of `r1 bench` share: the plan, the measurements, their statistics.
 *
 * cmd_bench.c makes the plan from the options and runs it, each result being shown as it is there, for what takes minutes may be ended by
 * Ctrl-C, and what is done must not be lost; bench_model.c measures a model, bench_parts.c loading, tokenizer and
 * sampler, bench_roof.c the machine and single products; bench_print.c shows it all. Every measurement is the median of
 * `repeat` repeats after one that does not count, with the smallest and largest beside it. Shares of what the machine can do
 * are taken repeat by repeat from a probe right before, for both drift together where a machine is shared.
 */
#ifndef R1_CLI_BENCH_H
#define R1_CLI_BENCH_H

#include "cli/cli.h"
#include "kernels/roof.h"

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
    r1_bench_stat share;      /* of what memory gives, where both are known; else 0 */
} r1_bench_test;

typedef struct r1_bench_product {
    r1_type type;
    size_t rows, k, columns;
    r1_bench_stat speed;      /* several columns: 10^9 operations a second; one: GB/s of weights */
    r1_bench_stat share;      /* of the probe */
    r1_bench_stat rounded;    /* several columns: the share where rounding of the activations takes its time too */
} r1_bench_product;

/* The probes, ready to be used between other measurements. */
typedef struct r1_bench_roof {
    r1_roof loops;
    r1_pool *pool;            /* NULL: not asked for */
    void *buffer;
    size_t bytes;
    r1_bench_stat read, int8, bf16;   /* GB/s, 10^9 operations a second */
} r1_bench_roof;

/* Seconds from nothing to the first token, and of its parts. */
typedef struct r1_bench_load { bool done; r1_bench_stat total, model, engine, first_step; } r1_bench_load;

typedef struct r1_bench_sampler { const char *settings; r1_bench_stat us; } r1_bench_sampler;

typedef struct r1_bench {
    r1_cli *c;
    const char *path;         /* NULL: no model */
    r1_bench_list prefill, decode, batch, depth;
    size_t repeat;
    int threads;
    r1_cpu_level level;
    /* results */
    bool begun, interrupted; /* begun: the machine was shown */
    char machine[128];
    const char *kv;           /* type of keys and values; NULL: no model was measured */
    r1_bench_test *tests;     /* prefill before decode at each depth */
    size_t n_tests, n_planned; /* finished; all */
    r1_bench_roof roof;
    r1_bench_product *products;
    size_t n_products;
    r1_bench_load load;
    r1_bench_stat tokenizer;  /* MB/s; median 0: not asked for */
    r1_bench_sampler *samplers;
    size_t n_samplers;
} r1_bench;

/* Whether any median is more than the probe before it says is there. */
bool r1_bench_over_roof(const r1_bench *b);

/* Prefill and decode. */
r1_status r1_bench_model(r1_bench *b, r1_error *err) R1_MUST_CHECK;

r1_status r1_bench_load_run(r1_bench *b, r1_error *err) R1_MUST_CHECK;
r1_status r1_bench_tokenizer_run(r1_bench *b, r1_error *err) R1_MUST_CHECK;
r1_status r1_bench_sampler_run(r1_bench *b, r1_error *err) R1_MUST_CHECK;

/* Open the probes and run each; _close accepts what was not opened. */
r1_status r1_bench_roof_open(r1_bench *b, r1_error *err) R1_MUST_CHECK;
void r1_bench_roof_close(r1_bench *b);
/* Products of every packed type, and of bf16, with many columns and with one. After _roof_open. */
r1_status r1_bench_products_run(r1_bench *b, r1_error *err) R1_MUST_CHECK;

/* The machine, and what JSON has at its end; between them each result as it is there: JSON shows nothing before the end. Every part
 * begins when what it measures is open; the first one shows the machine. */
void r1_bench_show_begin(r1_bench *b);
void r1_bench_show_load(const r1_bench *b);
void r1_bench_show_tokenizer(const r1_bench *b);
void r1_bench_show_sampler(const r1_bench *b, size_t i);
void r1_bench_show_roof(const r1_bench *b);
void r1_bench_show_product(const r1_bench *b, size_t i);
void r1_bench_show_test(const r1_bench *b, size_t i);
r1_status r1_bench_show_end(const r1_bench *b, r1_error *err) R1_MUST_CHECK;

#endif
