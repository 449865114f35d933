/* silu(gate x) * (up x), rounded to int8 in the region that computes it.
 *
 * A group of the next product's input is 32 neighbouring rows of gate and up, so whoever has computed those can round them at once: they
 * are in the first cache, where a pass of its own would fetch them from afar. The numbers are those of the separate steps.
 */
#include "tensor/tensor_int.h"

#include <assert.h>

enum {
    GROUP = 32,
    HALF_VALUES = 264 * GROUP, /* rows times columns of a step: 33 kB, and 22 tiles of the widest kernels */
    FEW = 4                    /* columns up to which a step has many rows, so that weights come as long streams; above, kernels ask ahead for the next 32 */
};

struct r1_halves {
    _Alignas(64) float gate[HALF_VALUES], up[HALF_VALUES]; /* [columns, rows] of a step */
    int8_t q[HALF_VALUES];                                 /* the product of both, rounded */
    float d[HALF_VALUES / GROUP];
    int32_t sum[HALF_VALUES / GROUP];
};

bool r1_gated_init(r1_exec *e, size_t n)
{
    return r1_act_alloc(&e->gated, e->k, n, GROUP, GROUP) && (e->halves = r1_alloc_scratch((size_t)r1_pool_threads(e->pool) * sizeof *e->halves));
}

void r1_gated_deinit(r1_exec *e)
{
    r1_act_free(&e->gated);
    free(e->halves);
}

typedef struct gated {
    r1_exec *e;
    const r1_pair *p;
    size_t n, K;
} gated;

/* Put a rounded step, rows [r, r + n) of F and columns [to, to + C), where the next product reads it. */
static void place(const r1_exec *e, const struct r1_halves *h, size_t to, size_t C, size_t r, size_t n, size_t F)
{
    const size_t groups = n / GROUP, all = F / GROUP;
    const bool fours = C > 1 && e->k->interleave;
    for (size_t c = 0; c < C && (!fours || e->k->reads_both); c++) {
        const size_t at = (to + c) * all + r / GROUP;
        memcpy(e->gated.q + (to + c) * F + r, h->q + c * n, n);
        memcpy(e->gated.d + at, h->d + c * groups, groups * sizeof *h->d);
        memcpy(e->gated.sum + at, h->sum + c * groups, groups * sizeof *h->sum);
    }
    for (size_t c = 0; fours && c < C; c += 4) {
        const size_t at = (to + c) * all + r / GROUP * 4;
        const r1_act8 four = { .q = (int8_t *)h->q + c * n, .d = (float *)h->d + c * groups, .sum = (int32_t *)h->sum + c * groups, .group = GROUP, .sub = GROUP,
                               .q4 = e->gated.q4 + (to + c) * F + r * 4, .d4 = e->gated.d4 + at, .s4 = e->gated.s4 + at };
        e->k->interleave(&four, 0, r1_min(4, C - c), n);
    }
}

static void half(const gated *g, const r1_weight *w, float *y, size_t c0, size_t C, size_t r, size_t n)
{
    const r1_act8 a = r1_act_columns(r1_type_get(w->type)->by_256 ? &g->e->a256 : &g->e->a32, c0, g->K);
    g->e->k->matmul_q8[w->type](y, n, w->packed + r * r1_row_bytes(w->type, g->K), n / R1_PANEL, n, &a, C, g->K);
}

/* Rows [r, end) of a pair, as many at a time as there is room for. */
static void pair_rows(const gated *g, const r1_pair *p, size_t r, size_t end, int thread)
{
    struct r1_halves *h = &g->e->halves[thread];
    const r1_kernels *k = g->e->k;
    const r1_act8 rounded = { .q = h->q, .d = h->d, .sum = h->sum, .group = GROUP, .sub = GROUP };
    for (size_t c = 0, C; c < p->C; c += C) {
        C = r1_min(p->C - c, HALF_VALUES / GROUP);
        for (size_t at = r, n; at < end; at += n) {
            n = p->C > FEW ? GROUP : r1_min(end - at, HALF_VALUES / (C * GROUP) * GROUP);
            half(g, p->gate, h->gate, p->c0 + c, C, at, n);
            half(g, p->up, h->up, p->c0 + c, C, at, n);
            k->silu_mul(h->gate, h->gate, h->up, C * n);
            k->quantize(&rounded, 0, h->gate, C * n);
            place(g->e, h, p->to + c, C, at, n, p->gate->rows);
        }
    }
}

static void gated_piece(void *ctx, size_t i, int thread)
{
    const gated *g = ctx;
    const size_t *first = g->e->first_piece;
    size_t lo = r1_piece_of(first, g->n, i);
    const r1_pair *p = &g->p[lo];
    const size_t pieces = first[lo + 1] - first[lo], units = p->gate->rows / GROUP, k = i - first[lo];
    pair_rows(g, p, k * units / pieces * GROUP, (k + 1) * units / pieces * GROUP, thread);
}

static bool fits(const r1_exec *e, const r1_pair *p, size_t n, const r1_product *down, size_t n_down)
{
    bool several = false;
    if (!e->halves || e->observe) return false;
    for (size_t i = 0; i < n; i++) {
        several = several || p[i].C > 1;
        if (!p[i].gate->packed || !p[i].up->packed || p[i].gate->rows % GROUP) return false;
    }
    for (size_t i = 0; i < n_down; i++)
        if (!down[i].w->packed || r1_type_get(down[i].w->type)->by_256) return false;
    return several;
}

bool r1_multiply_gated(r1_exec *e, const r1_pair *p, size_t n, const r1_product *down, size_t n_down, const r1_input *in)
{
    if (!fits(e, p, n, down, n_down)) return false;
    bool q32 = false, q256 = false;
    e->first_piece[0] = 0;
    for (size_t i = 0; i < n; i++) {
        const r1_weight *both[] = { p[i].gate, p[i].up };
        size_t work = 0, units = p[i].gate->rows / GROUP;
        for (int j = 0; j < 2; j++) {
            if (r1_type_get(both[j]->type)->by_256) q256 = true;
            else q32 = true;
            work += both[j]->rows * r1_row_bytes(both[j]->type, in->K) * p[i].C;
        }
        assert(p[i].C <= 1 || (p[i].c0 % 4 == 0 && p[i].to % 4 == 0));
        e->first_piece[i + 1] = e->first_piece[i] + (p[i].C ? r1_min(r1_max(1, work / (p[i].C > 1 ? PIECE_WORK : PIECE_BYTES)), units) : 0);
    }
    r1_prepare_packed(e, in, q32, q256);
    r1_pool_run(e->pool, e->first_piece[n], gated_piece, &(gated){ e, p, n, in->K });
    const r1_act8 made = e->gated;
    e->gated = e->a32;
    e->a32 = made;
    return true;
}
