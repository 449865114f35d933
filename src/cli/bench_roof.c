/* What `r1 bench --roof` and `--products` measure: the machine by its probes, and single products of a weight with activations as
 * a share of them.
 *
 * Products go through r1_multiply as in a model, the quantising of their input included. Their weights are made up: a panel of random
 * codes with sensible scales, repeated. The shapes are those of a 1.5B model; with one column the weight is far larger than any cache,
 * so that what is measured is the way from memory.
 */
#include "cli/bench.h"
#include "tensor/tensor.h"

#include <stdio.h>

enum { PROBE_MB = 1024, LEAST_MB = 64, GEMV_MB = 256, COLUMNS = 512, K = 1536, N_SHAPES = 3 };

static r1_status stop(r1_error *err) { return r1_fail(err, R1_ECANCELLED, "interrupted"); }

/* ---- probes ---------------------------------------------------------------------------------------------------- */

static double probe_read(const r1_bench_roof *r) { return r1_roof_read(&r->loops, r->pool, r->buffer, r->bytes); }

void r1_bench_roof_close(r1_bench *b)
{
    r1_pool_free(b->roof.pool);
    free(b->roof.buffer);
    b->roof.pool = NULL;
    b->roof.buffer = NULL;
}

enum { READ, INT8, BF16, N_PROBES };

static double run_probe(const r1_bench_roof *r, int which)
{
    const double seconds = 0.05; /* longer than a time slice of the system, shorter than anybody's patience */
    return which == READ ? probe_read(r) : which == INT8 ? r1_roof_int8(&r->loops, r->pool, seconds) : r1_roof_bf16(&r->loops, r->pool, seconds);
}

static r1_status run_probes(r1_bench *b, r1_progress *bar, r1_error *err)
{
    static const char *const labels[N_PROBES] = { "roof, memory read", "roof, int8", "roof, bf16" };
    r1_bench_roof *r = &b->roof;
    double *x = malloc(N_PROBES * b->repeat * sizeof *x);
    if (!x) return r1_fail(err, R1_ENOMEM, "no memory for the measurements");
    probe_read(r);
    r1_status s = R1_OK;
    for (size_t i = 0; i < N_PROBES * b->repeat && s == R1_OK; i++) { /* in turn, for the machine changes with time */
        r1_progress_say(bar, labels[i % N_PROBES], (double)i, (double)(N_PROBES * b->repeat));
        x[i % N_PROBES * b->repeat + i / N_PROBES] = run_probe(r, (int)(i % N_PROBES));
        if (r1_interrupted()) s = stop(err);
    }
    r1_progress_hide(bar);
    if (s == R1_OK) {
        r->read = r1_bench_stat_of(x + READ * b->repeat, b->repeat);
        r->int8 = r1_bench_stat_of(x + INT8 * b->repeat, b->repeat);
        r->bf16 = r1_bench_stat_of(x + BF16 * b->repeat, b->repeat);
        r1_bench_show_roof(b);
    }
    free(x);
    return s;
}

/* A buffer far larger than a cache; smaller where memory is short. */
r1_status r1_bench_roof_open(r1_bench *b, r1_error *err)
{
    r1_bench_roof *r = &b->roof;
    uint64_t free_mb = r1_memory_available() / 4 >> 20;
    r->bytes = r1_max(LEAST_MB, (size_t)(free_mb < PROBE_MB ? free_mb : PROBE_MB)) << 20;
    r1_status s = R1_OK;
    r1_bench_show_begin(b);
    r1_roof_init(&r->loops, b->level);
    r1_progress bar;
    r1_progress_begin(&bar, &b->c->err, b->c->o.quiet, "roof", "");
    r1_progress_say(&bar, "roof, memory to read", 0, 1);
    r->buffer = r1_alloc_aligned(r->bytes);
    if (!r->buffer) s = r1_fail(err, R1_ENOMEM, "no memory for the probe: %zu MB are needed", r->bytes >> 20);
    if (s == R1_OK) s = r1_pool_new(&r->pool, b->threads, err);
    if (s == R1_OK) s = run_probes(b, &bar, err);
    r1_progress_end(&bar);
    return s;
}

/* ---- products -------------------------------------------------------------------------------------------------- */

typedef struct products {
    r1_bench *b;
    r1_kernels k;
    r1_exec exec;
    uint8_t *weights;        /* GEMV_MB */
    float *x, *y;
    double *speed, *share, *rounded; /* [repeat] */
} products;

/* Random codes; where a field holds f16 numbers 2^-7, where exponents 2^-7 too. */
static void fill_panel(r1_type type, uint8_t *panel)
{
    size_t n;
    const r1_packed_field *f = r1_packed_fields(type, &n);
    const r1_type_info *info = r1_type_get(type);
    size_t bytes = R1_PANEL * r1_row_bytes(type, K);
    uint32_t state = 1;
    for (size_t i = 0; i < bytes; i++) panel[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
    for (size_t at = 0; at < bytes; at += (size_t)R1_PANEL * info->bytes)
        for (size_t j = 0, field = at; j < n; field += (size_t)R1_PANEL * f[j].unit * f[j].n_units, j++)
            for (size_t i = 0; f[j].unit < 4 && i < (size_t)R1_PANEL * f[j].unit * f[j].n_units; i++)
                panel[field + i] = f[j].unit == 2 ? (i % 2 ? 0x20 : 0) : 121;
}

static void fill_weights(products *p, r1_type type, size_t bytes)
{
    size_t unit = R1_PANEL * r1_row_bytes(type, K);
    if (r1_type_get(type)->quantised) fill_panel(type, p->weights);
    else
        for (size_t i = 0; i < unit; i++) p->weights[i] = i % 2 ? 0x3C : (uint8_t)(i * 37); /* bf16 near 1/64 */
    for (size_t at = unit; at + unit <= bytes; at += unit) memcpy(p->weights + at, p->weights, unit);
}

/* ready: the activations are those of the last call, rounded there. */
static double run_product(products *p, const r1_bench_product *t, bool ready)
{
    bool packed = r1_type_get(t->type)->quantised;
    r1_weight w = { .type = t->type, .rows = t->rows, .k = t->k, .stride = r1_row_bytes(t->type, t->k) };
    if (packed) w.packed = w.panels = p->weights;
    else w.data = p->weights;
    r1_product one = { .w = &w, .y = p->y, .ldy = t->rows, .C = t->columns };
    r1_input in = { .x = p->x, .ldx = t->k, .C = t->columns, .K = t->k, .quantised = ready };
    double begin = r1_now();
    r1_multiply(&p->exec, &one, 1, &in);
    double seconds = r1_now() - begin;
    double work = t->columns > 1 ? 2.0 * (double)t->rows * (double)t->k * (double)t->columns : (double)t->rows * (double)w.stride;
    return 1e-9 * work / seconds;
}

static double probe_for(const products *p, const r1_bench_product *t)
{
    const double seconds = 0.01; /* about as long as the product */
    const r1_bench_roof *r = &p->b->roof;
    if (t->columns == 1) return probe_read(r);
    return r1_type_get(t->type)->quantised ? r1_roof_int8(&r->loops, r->pool, seconds) : r1_roof_bf16(&r->loops, r->pool, seconds);
}

static r1_status measure(products *p, r1_bench_product *t, r1_error *err)
{
    const bool many = t->columns > 1;
    run_product(p, t, false);
    for (size_t i = 0; i < p->b->repeat; i++) {
        if (r1_interrupted()) return stop(err);
        double probe = probe_for(p, t);
        p->speed[i] = run_product(p, t, many);
        p->share[i] = p->speed[i] / probe;
        p->rounded[i] = many ? run_product(p, t, false) / probe : 0;
    }
    t->speed = r1_bench_stat_of(p->speed, p->b->repeat);
    t->share = r1_bench_stat_of(p->share, p->b->repeat);
    t->rounded = r1_bench_stat_of(p->rounded, p->b->repeat);
    return R1_OK;
}

/* Every packed type the level can multiply, then bf16. */
static size_t list_types(const r1_kernels *k, r1_type types[R1_TYPE_END])
{
    size_t n = 0;
    for (int t = 0; t < R1_TYPE_END; t++)
        if (r1_type_get((unsigned)t) && r1_type_get((unsigned)t)->quantised && k->matmul_q8[t]) types[n++] = (r1_type)t;
    types[n++] = R1_BF16;
    return n;
}

static r1_status run_types(products *p, r1_error *err)
{
    r1_type types[R1_TYPE_END];
    size_t n = list_types(&p->k, types), gemv_bytes = (size_t)GEMV_MB << 20;
    r1_status s = R1_OK;
    p->b->products = calloc(n * N_SHAPES, sizeof *p->b->products);
    if (!p->b->products) return r1_fail(err, R1_ENOMEM, "no memory for the measurements");
    r1_progress bar;
    char label[96];
    r1_progress_begin(&bar, &p->b->c->err, p->b->c->o.quiet, "products", "");
    for (size_t i = 0; i < n && s == R1_OK; i++) {
        size_t many = gemv_bytes / (R1_PANEL * r1_row_bytes(types[i], K)) * R1_PANEL;
        const size_t rows[N_SHAPES] = { 1536, 8960, many }, columns[N_SHAPES] = { COLUMNS, COLUMNS, 1 };
        snprintf(label, sizeof label, "product %s", r1_type_get(types[i])->name);
        r1_progress_say(&bar, label, (double)i, (double)n);
        fill_weights(p, types[i], gemv_bytes);
        for (size_t j = 0; j < N_SHAPES && s == R1_OK; j++) {
            r1_bench_product *t = &p->b->products[p->b->n_products];
            *t = (r1_bench_product){ .type = types[i], .rows = rows[j], .k = K, .columns = columns[j] };
            snprintf(label, sizeof label, "product %s, %zu x %d x %zu", r1_type_get(types[i])->name, rows[j], K, columns[j]);
            r1_progress_say(&bar, label, (double)(i * N_SHAPES + j), (double)(n * N_SHAPES));
            s = measure(p, t, err);
            if (s) break;
            r1_progress_hide(&bar);
            r1_bench_show_product(p->b, p->b->n_products++);
        }
    }
    r1_progress_end(&bar);
    return s;
}

r1_status r1_bench_products_run(r1_bench *b, r1_error *err)
{
    products p = { .b = b };
    size_t x_floats = (size_t)COLUMNS * K, y_floats = (size_t)COLUMNS * 8960;
    r1_exec_sizes sizes = { .input_values = x_floats, .max_k = K, .max_products = 1, .need_32 = true, .need_256 = true };
    r1_kernels_init(&p.k, b->level);
    p.weights = r1_alloc_scratch((size_t)GEMV_MB << 20);
    p.x = r1_alloc_aligned(x_floats * sizeof(float));
    p.y = r1_alloc_aligned(y_floats * sizeof(float));
    p.speed = calloc(b->repeat, sizeof *p.speed);
    p.share = calloc(b->repeat, sizeof *p.share);
    p.rounded = calloc(b->repeat, sizeof *p.rounded);
    bool ok = p.weights && p.x && p.y && p.speed && p.share && p.rounded;
    r1_status s = ok ? r1_exec_init(&p.exec, &p.k, b->roof.pool, R1_ACTIVATIONS_BF16, &sizes, err) : r1_fail(err, R1_ENOMEM, "no memory for products of %d MB", GEMV_MB);
    if (s == R1_OK) {
        for (size_t i = 0; i < x_floats; i++) p.x[i] = (float)((int)(i * 7919 % 2001) - 1000) / 1000;
        s = run_types(&p, err);
    }
    r1_exec_deinit(&p.exec);
    free(p.weights);
    free(p.x);
    free(p.y);
    free(p.speed);
    free(p.share);
    free(p.rounded);
    return s;
}
