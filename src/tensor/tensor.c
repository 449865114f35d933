/* Products of weights and activations.
 *
 * Three ways, chosen by the weight alone, so that one row and five hundred go the same way:
 *   packed weights          int8 activations, panels of 16 rows
 *   F32, BF16, F16          float activations, rows as they are in the file
 *   any other, not packed   float activations, a few rows decoded at a time (the reference path, and E4M3)
 * Rows are cut into pieces that threads take in order; which thread computes a row changes nothing.
 */
#include "tensor/tensor_int.h"
#include "base/half.h"

#include <assert.h>

enum {
    COLUMN_PIECES = 8,       /* pieces a thread of what is done for each column */
    DECODED_FLOATS = 16 << 10 /* weights decoded at a time: 64 kB, stays in the second-level cache */
};

bool r1_act_alloc(r1_act8 *a, const r1_kernels *k, size_t n, int group, int sub)
{
    size_t d = n / (size_t)group * sizeof(float), sum = n / (size_t)sub * sizeof(int32_t);
    *a = (r1_act8){ .q = r1_alloc_scratch(n), .d = r1_alloc_scratch(d), .sum = r1_alloc_scratch(sum), .group = group, .sub = sub };
    if (!k->interleave) return a->q && a->d && a->sum;
    a->q4 = r1_alloc_scratch(n);
    a->d4 = r1_alloc_scratch(d);
    a->s4 = r1_alloc_scratch(sum);
    return a->q && a->d && a->sum && a->q4 && a->d4 && a->s4;
}

r1_status r1_exec_init(r1_exec *e, const r1_kernels *k, r1_pool *pool, r1_activations mode, const r1_exec_sizes *s, r1_error *err)
{
    size_t n = s->input_values + 3 * s->max_k, threads = (size_t)r1_pool_threads(pool);
    *e = (r1_exec){ .k = k, .pool = pool, .mode = mode, .input_cap = n, .max_products = s->max_products };
    e->decoded_cap = r1_max(DECODED_FLOATS, s->max_k);
    bool ok = (e->decoded = r1_alloc_scratch(threads * e->decoded_cap * sizeof(float))) &&
              (e->first_piece = calloc(s->max_products + 1, sizeof *e->first_piece));
    if (ok && s->need_32) ok = r1_act_alloc(&e->a32, k, n, 32, 32) && r1_gated_init(e, n);
    if (ok && s->need_256) ok = r1_act_alloc(&e->a256, k, n, 256, 16);
    if (ok && mode == R1_ACTIVATIONS_BF16) ok = (e->rounded = r1_alloc_scratch(n * sizeof(float))) != NULL;
    if (ok && mode == R1_ACTIVATIONS_BF16 && k->matmul_bf16_fours) /* an odd K has a value more in each column, and there are no more columns than values */
        ok = (e->fours = r1_alloc_scratch((2 * s->input_values + 4 * (s->max_k + 1)) * sizeof *e->fours)) != NULL;
    if (ok) return R1_OK;
    r1_exec_deinit(e);
    return r1_fail(err, R1_ENOMEM, "no memory for the scratch of %zu activations", n);
}

void r1_act_free(r1_act8 *a)
{
    free(a->q);
    free(a->d);
    free(a->sum);
    free(a->q4);
    free(a->d4);
    free(a->s4);
}

void r1_exec_deinit(r1_exec *e)
{
    r1_act_free(&e->a32);
    r1_act_free(&e->a256);
    r1_gated_deinit(e);
    free(e->rounded);
    free(e->fours);
    free(e->decoded);
    free(e->first_piece);
    *e = (r1_exec){ 0 };
}

typedef struct column_range {
    r1_work fn;
    void *ctx;
    size_t n, C;
} column_range;

static void run_columns(void *ctx, size_t i, int thread)
{
    const column_range *r = ctx;
    for (size_t c = i * r->n; c < r1_min(r->C, (i + 1) * r->n); c++) r->fn(r->ctx, c, thread);
}

void r1_columns(r1_exec *e, size_t C, r1_work fn, void *ctx)
{
    size_t pieces = (size_t)r1_pool_threads(e->pool) * COLUMN_PIECES;
    column_range r = { fn, ctx, r1_max(1, r1_ceil_div(C, pieces)), C };
    if (C < 4) /* a region costs more than it saves */
        for (size_t c = 0; c < C; c++) fn(ctx, c, 0);
    else r1_pool_run(e->pool, r1_ceil_div(C, r.n), run_columns, &r);
}

/* ---- input ----------------------------------------------------------------------------------------------------- */

typedef struct prepare {
    r1_exec *e;
    const r1_input *in;
    bool q32, q256, round, fours, wide; /* wide: a product of several columns is among them */
} prepare;

static void prepare_act(const prepare *p, const r1_act8 *a, size_t c, size_t n)
{
    const r1_kernels *k = p->e->k;
    const r1_input *in = p->in;
    for (size_t i = c; i < c + n; i++) k->quantize(a, i, in->x + i * in->ldx, in->K);
    if (p->wide && k->interleave) k->interleave(a, c, n, in->K);
}

static uint16_t *fours_column(const r1_exec *e, size_t c, size_t K) { return e->fours + c / 4 * 4 * r1_round_up(K, 2) + c % 4 * 2; }

/* Columns [4 i, 4 i + 4). */
static void prepare_four(void *ctx, size_t i, int thread)
{
    const prepare *p = ctx;
    const r1_input *in = p->in;
    size_t c = 4 * i, n = r1_min(4, in->C - c);
    for (size_t j = c; in->before && j < c + n; j++) in->before(in->ctx, j, thread);
    if (p->q32) prepare_act(p, &p->e->a32, c, n);
    if (p->q256) prepare_act(p, &p->e->a256, c, n);
    if (p->fours) p->e->k->bf16_fours(fours_column(p->e, c, in->K), in->x + c * in->ldx, in->ldx, n, in->K);
    for (size_t j = c; p->round && j < c + n; j++) {
        const float *x = in->x + j * in->ldx;
        float *y = p->e->rounded + j * in->K;
        for (size_t k = 0; k < in->K; k++) y[k] = r1_bf16_to_f32(r1_bf16_from_f32(x[k]));
    }
}

/* ---- products -------------------------------------------------------------------------------------------------- */

typedef struct group {
    r1_exec *e;
    const r1_product *p;
    size_t n;
    r1_input in;          /* after rounding */
    bool rounded;
    size_t unit;          /* rows that stay together */
} group;

r1_act8 r1_act_columns(const r1_act8 *a, size_t c0, size_t K)
{
    r1_act8 v = *a;
    v.q += c0 * K;
    if (v.q4) {
        v.q4 += c0 * K;
        v.d4 += c0 * (K / (size_t)a->group);
        v.s4 += c0 * (K / (size_t)a->group) * (a->group == 32 ? 1 : 12);
    }
    v.d += c0 * (K / (size_t)a->group);
    v.sum += c0 * (K / (size_t)a->sub);
    return v;
}

/* Rows [r, r + n) of a product; r is a multiple of 16. */
static void product_rows(const group *g, const r1_product *p, size_t r, size_t n, int thread)
{
    const r1_exec *e = g->e;
    const r1_weight *w = p->w;
    size_t K = g->in.K;
    float *y = p->y + r;
    if (w->packed) {
        r1_act8 a = r1_act_columns(r1_type_get(w->type)->by_256 ? &e->a256 : &e->a32, p->c0, K);
        e->k->matmul_q8[w->type](y, p->ldy, w->packed + r * r1_row_bytes(w->type, K), r1_ceil_div(n, R1_PANEL), n, &a, p->C, K);
    } else {
        const float *x = g->in.x + p->c0 * g->in.ldx;
        const uint8_t *rows = w->data ? w->data + r * w->stride : NULL;
        if (w->type == R1_F32) {
            e->k->matmul_f32(y, p->ldy, rows, w->stride, n, x, g->in.ldx, p->C, K);
        } else if (w->type == R1_BF16 && g->rounded && e->fours) {
            e->k->matmul_bf16_fours(y, p->ldy, rows, w->stride, n, fours_column(e, p->c0, K), p->C, K);
        } else if (w->type == R1_BF16) {
            const bool pairs = e->k->matmul_bf16_pairs && g->rounded;
            (pairs ? e->k->matmul_bf16_pairs : e->k->matmul_bf16)(y, p->ldy, rows, w->stride, n, x, g->in.ldx, p->C, K);
        } else if (w->type == R1_F16) {
            e->k->matmul_f16(y, p->ldy, rows, w->stride, n, x, g->in.ldx, p->C, K);
        } else {
            float *buf = e->decoded + (size_t)thread * e->decoded_cap;
            size_t step = r1_max(1, r1_min(R1_PANEL, e->decoded_cap / K));
            for (size_t i = 0; i < n; i += step) {
                size_t m = r1_min(step, n - i);
                for (size_t j = 0; j < m; j++) r1_weight_decode(w, e->k, r + i + j, buf + j * K);
                e->k->matmul_f32(y + i, p->ldy, buf, K * sizeof(float), m, x, g->in.ldx, p->C, K);
            }
        }
    }
    if (p->bias)
        for (size_t c = 0; c < p->C; c++) e->k->add(y + c * p->ldy, p->bias + r, n);
}

size_t r1_piece_of(const size_t *first, size_t n, size_t i)
{
    size_t lo = 0, hi = n;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        if (first[mid] <= i) lo = mid;
        else hi = mid;
    }
    return lo;
}

static void product_piece(void *ctx, size_t i, int thread)
{
    const group *g = ctx;
    const size_t *first = g->e->first_piece, lo = r1_piece_of(first, g->n, i);
    const r1_product *p = &g->p[lo];
    const size_t pieces = first[lo + 1] - first[lo], units = r1_ceil_div(p->w->rows, g->unit), k = i - first[lo];
    const size_t r = k * units / pieces * g->unit, end = r1_min(p->w->rows, (k + 1) * units / pieces * g->unit);
    product_rows(g, p, r, end - r, thread);
}

void r1_prepare_packed(r1_exec *e, const r1_input *in, bool q32, bool q256)
{
    prepare p = { .e = e, .in = in, .q32 = q32, .q256 = q256, .wide = true };
    r1_pool_run(e->pool, r1_ceil_div(in->C, 4), prepare_four, &p);
}

void r1_multiply(r1_exec *e, const r1_product *p, size_t n, const r1_input *in)
{
    prepare pre = { .e = e, .in = in };
    for (size_t i = 0; i < n; i++) {
        if (!p[i].w->packed && p[i].w->type == R1_BF16 && e->fours) pre.fours = true;
        else if (!p[i].w->packed) pre.round = true;
        else if (r1_type_get(p[i].w->type)->by_256) pre.q256 = true;
        else pre.q32 = true;
        assert(p[i].C <= 1 || p[i].c0 % 4 == 0);
        if (p[i].C > 1) pre.wide = true;
    }
    const bool rounded = e->rounded && !in->exact;
    pre.round = pre.round && rounded;
    pre.fours = pre.fours && rounded;
    if (!in->quantised && (pre.q32 || pre.q256 || pre.round || pre.fours || in->before)) r1_pool_run(e->pool, r1_ceil_div(in->C, 4), prepare_four, &pre);
    if (e->observe) e->observe(e->observe_ctx, e, p, n, in);

    group g = { .e = e, .p = p, .n = n, .in = *in, .rounded = rounded };
    if (pre.round) {
        g.in.x = e->rounded;
        g.in.ldx = in->K;
    }
    /* Pieces are small, threads take several while there are many; those of a product differ by a unit at most. */
    g.unit = pre.wide ? 2 * R1_PANEL : R1_PANEL; /* kernels take two panels at a time */
    e->first_piece[0] = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t work = p[i].w->rows * r1_row_bytes(p[i].w->type, in->K) * p[i].C, units = r1_ceil_div(p[i].w->rows, g.unit);
        e->first_piece[i + 1] = e->first_piece[i] + (p[i].C ? r1_min(r1_max(1, work / (p[i].C > 1 ? PIECE_WORK : PIECE_BYTES)), units) : 0);
    }
    r1_pool_run(e->pool, e->first_piece[n], product_piece, &g);
}
