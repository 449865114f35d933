/* Mixture of experts: routing (arXiv:2412.19437, section 2.1.2, and arXiv:2405.04434) and the experts' products.
 *
 * Tokens are gathered by expert, so that each expert's weights are read once for all its tokens; all experts and the
 * shared one are products of the same parallel region (down of a shared one of another width has a region of its own). A token's result is the shared expert's output plus its experts' in
 * ascending order of id, whoever else was in the chunk.
 */
#include "model/forward_int.h"

#include <math.h>

typedef struct scored { float score; int32_t id; } scored;

/* ---- routing --------------------------------------------------------------------------------------------------- */

static void softmax(const r1_kernels *k, float *z, size_t n)
{
    float m = k->max(z, n), sum = 0;
    for (size_t i = 0; i < n; i++) sum += z[i] = r1_exp(z[i] - m);
    for (size_t i = 0; i < n; i++) z[i] /= sum;
}

/* Index of the best of choice[0..n) not yet taken (-inf); the lowest among equals, also when nothing is comparable. */
static size_t best_of(const float *choice, const bool *taken, size_t n)
{
    size_t best = n;
    for (size_t i = 0; i < n; i++)
        if (!taken[i] && (best == n || choice[i] > choice[best])) best = i;
    return best;
}

/* Score of a group: sum of its two best (sigmoid), or its best (softmax). */
static float group_score(const float *choice, size_t n, bool sigmoid)
{
    float a = -INFINITY, b = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        if (choice[i] > a) {
            b = a;
            a = choice[i];
        } else if (choice[i] > b) {
            b = choice[i];
        }
    }
    return sigmoid && n > 1 ? a + b : a;
}

/* Choose n_used experts for a token from its logits z[E] (overwritten by scores); ids ascending. */
static void route(const r1_model *m, const float *bias, float *z, int32_t *ids, float *weights)
{
    const r1_config *c = &m->c;
    size_t E = (size_t)c->n_experts, G = (size_t)c->n_groups, per = E / G, used = (size_t)c->n_used;
    float choice[R1_EXPERTS_MAX], groups[R1_EXPERTS_MAX];
    bool taken[R1_EXPERTS_MAX], kept[R1_EXPERTS_MAX];
    if (c->sigmoid)
        for (size_t e = 0; e < E; e++) z[e] = 1.0f / (1.0f + r1_exp(-z[e]));
    else softmax(&m->k, z, E);
    for (size_t e = 0; e < E; e++) {
        choice[e] = bias ? z[e] + bias[e] : z[e]; /* the bias decides the choice, never the weight */
        taken[e] = false;
    }
    if (c->n_groups_used < c->n_groups) {
        for (size_t g = 0; g < G; g++) {
            groups[g] = group_score(choice + g * per, per, c->sigmoid);
            kept[g] = false;
        }
        for (int i = 0; i < c->n_groups_used; i++) kept[best_of(groups, kept, G)] = true;
        for (size_t e = 0; e < E; e++) taken[e] = !kept[e / per];
    }
    bool chosen[R1_EXPERTS_MAX] = { false };
    for (size_t i = 0; i < used; i++) {
        size_t e = best_of(choice, taken, E);
        taken[e] = chosen[e] = true;
    }
    size_t n = 0;
    float sum = 0;
    for (size_t e = 0; e < E; e++) {
        if (!chosen[e]) continue;
        ids[n] = (int32_t)e;
        weights[n++] = z[e];
        sum += z[e];
    }
    bool scale = !c->normalise || c->sigmoid; /* V2 either normalises or scales, V3 does both */
    for (size_t i = 0; i < used; i++) {
        if (c->normalise) weights[i] /= sum + 1e-20f;
        if (scale) weights[i] *= c->expert_scale;
    }
}

typedef struct routing {
    r1_forward *f;
    const r1_layer *l;
    int moe_index;
} routing;

static void route_column(void *ctx, size_t c, int thread)
{
    const routing *a = ctx;
    r1_forward *f = a->f;
    size_t used = (size_t)f->m->c.n_used;
    (void)thread;
    int32_t *ids = f->route_ids + c * used;
    float *weights = f->route_weights + c * used;
    route(f->m, a->l->router_bias, f->router_out + c * (size_t)f->m->c.n_experts, ids, weights);
    const r1_tap *tap = f->tap;
    if (!tap) return;
    size_t at = ((size_t)a->moe_index * tap->n_rows + tap->first + c) * used;
    if (tap->route_ids) memcpy(tap->route_ids + at, ids, used * sizeof *ids);
    if (tap->route_weights) memcpy(tap->route_weights + at, weights, used * sizeof *weights);
}

/* ---- experts --------------------------------------------------------------------------------------------------- */

/* Order the (token, slot) pairs of tokens [first, first + n) by expert. The rows of an expert with several start at a multiple of 4, as
 * r1_multiply asks for; expert_token of the gaps is UINT32_MAX. Returns the number of rows with the gaps. */
static size_t sort_by_expert(r1_forward *f, size_t first, size_t n)
{
    size_t E = (size_t)f->m->c.n_experts, used = (size_t)f->m->c.n_used, at = 0;
    const int32_t *ids = f->route_ids + first * used;
    memset(f->expert_n, 0, E * sizeof *f->expert_n);
    for (size_t i = 0; i < n * used; i++) f->expert_n[ids[i]]++;
    for (size_t e = 0; e < E; e++) {
        if (f->expert_n[e] > 1) at = r1_round_up(at, 4);
        f->expert_first[e] = (uint32_t)at;
        at += f->expert_n[e];
    }
    memset(f->expert_n, 0, E * sizeof *f->expert_n);
    for (size_t i = 0; i < at; i++) f->expert_token[i] = UINT32_MAX;
    for (size_t i = 0; i < n * used; i++) {
        f->expert_row[i] = f->expert_first[ids[i]] + f->expert_n[ids[i]]++;
        f->expert_token[f->expert_row[i]] = (uint32_t)(i / used);
    }
    return at;
}

typedef struct step {
    r1_forward *f;
    size_t first, n, base; /* base: row of expert_in where the gathered ones start, after the tokens themselves */
    bool shared;
} step;

/* Row i of expert_in. */
static void gather_column(void *ctx, size_t i, int thread)
{
    const step *a = ctx;
    r1_forward *f = a->f;
    const size_t D = (size_t)f->m->c.n_embd;
    const uint32_t token = i >= a->base ? f->expert_token[i - a->base] : i < a->n ? (uint32_t)i : UINT32_MAX;
    (void)thread;
    if (token != UINT32_MAX) memcpy(f->expert_in + i * D, f->h + (a->first + token) * D, D * sizeof(float));
}

static void combine_column(void *ctx, size_t i, int thread)
{
    const step *a = ctx;
    r1_forward *f = a->f;
    size_t D = (size_t)f->m->c.n_embd, used = (size_t)f->m->c.n_used;
    float *y = f->y + (a->first + i) * D;
    (void)thread;
    if (!a->shared) memset(y, 0, D * sizeof(float));
    for (size_t j = 0; j < used; j++)
        f->m->k.axpy(y, f->route_weights[(a->first + i) * used + j], f->expert_out + f->expert_row[i * used + j] * D, D);
}

/* Products of down: of the shared expert where its rows stand before those of the others, then of each expert with rows. `base`: row of the
 * input of gate and up where those start; row `from` of it is the first of the input of down. */
static size_t down_products(r1_forward *f, const r1_layer *l, const step *a, size_t from, bool joined)
{
    size_t D = (size_t)f->m->c.n_embd, np = 0;
    r1_product *p = f->products;
    if (joined) p[np++] = (r1_product){ &l->mlp.down, NULL, f->y + a->first * D, D, 0, a->n };
    for (size_t e = 0; e < (size_t)f->m->c.n_experts; e++) {
        size_t r = f->expert_first[e], m = f->expert_n[e];
        if (m) p[np++] = (r1_product){ &l->experts[e].down, NULL, f->expert_out + r * D, D, a->base + r - from, m };
    }
    return np;
}

/* All of it with results of gate and up that are rounded at once. */
static bool gated_experts(r1_forward *f, const r1_layer *l, step *a, size_t rows)
{
    const r1_config *c = &f->m->c;
    size_t D = (size_t)c->n_embd, F = (size_t)c->n_ff_expert, S = l->mlp.gate.rows, np = 0;
    if (S && S != F) return false;
    const size_t from = S ? 0 : a->base, n_down = down_products(f, l, a, from, S > 0);
    r1_pair *p = f->pairs;
    if (S) p[np++] = (r1_pair){ &l->mlp.gate, &l->mlp.up, 0, a->n, 0 };
    for (size_t e = 0; e < (size_t)c->n_experts; e++) {
        size_t r = a->base + f->expert_first[e], m = f->expert_n[e];
        if (m) p[np++] = (r1_pair){ &l->experts[e].gate, &l->experts[e].up, r, m, r - from };
    }
    const r1_input in = { .x = f->expert_in, .ldx = D, .C = a->base + rows, .K = D, .before = gather_column, .ctx = a };
    if (!r1_multiply_gated(&f->exec, p, np, f->products, n_down, &in)) return false;
    r1_multiply(&f->exec, f->products, n_down, &(r1_input){ .C = a->base - from + rows, .K = F, .quantised = true });
    return true;
}

static void separate_experts(r1_forward *f, const r1_layer *l, step *a, size_t rows)
{
    const r1_config *c = &f->m->c;
    size_t D = (size_t)c->n_embd, E = (size_t)c->n_experts, F = (size_t)c->n_ff_expert, S = l->mlp.gate.rows, np = 0, base = a->base, n = a->n;
    const bool joined = S == F; /* the shared expert's rows come first */
    r1_product *p = f->products;
    float *gate = f->expert_gate, *up = f->expert_up;
    if (S) {
        p[np++] = (r1_product){ &l->mlp.gate, NULL, joined ? gate : f->gate, S, 0, n };
        p[np++] = (r1_product){ &l->mlp.up, NULL, joined ? up : f->up, S, 0, n };
    }
    for (size_t e = 0; e < E; e++) {
        size_t r = base + f->expert_first[e], m = f->expert_n[e];
        if (!m) continue;
        p[np++] = (r1_product){ &l->experts[e].gate, NULL, gate + r * F, F, r, m };
        p[np++] = (r1_product){ &l->experts[e].up, NULL, up + r * F, F, r, m };
    }
    r1_multiply(&f->exec, p, np, &(r1_input){ .x = f->expert_in, .ldx = D, .C = base + rows, .K = D, .before = gather_column, .ctx = a });
    const size_t from = joined ? 0 : base; /* first row of the input of down */
    np = down_products(f, l, a, from, joined);
    r1_multiply(&f->exec, p, np, &(r1_input){ .x = gate + from * F, .ldx = F, .C = base - from + rows, .K = F, .before = r1_silu_column,
                                              .ctx = &(r1_gated){ f, gate + from * F, up + from * F, F } });
    if (S && !joined) {
        const r1_product down = { &l->mlp.down, NULL, f->y + a->first * D, D, 0, n };
        r1_multiply(&f->exec, &down, 1, &(r1_input){ .x = f->gate, .ldx = S, .C = n, .K = S, .before = r1_silu_column, .ctx = &(r1_gated){ f, f->gate, f->up, S } });
    }
}

/* Tokens [first, first + n): gate and up of all experts, activation, down of all experts, sum. */
static void run_experts(r1_forward *f, const r1_layer *l, size_t first, size_t n)
{
    size_t rows = sort_by_expert(f, first, n);
    step a = { f, first, n, n == 1 ? 1 : r1_round_up(n, 4), l->mlp.gate.rows > 0 };
    if (!gated_experts(f, l, &a, rows)) separate_experts(f, l, &a, rows);
    r1_columns(&f->exec, n, combine_column, &a);
}

void r1_experts(r1_forward *f, const r1_layer *l, int moe_index, r1_residual *before)
{
    size_t D = (size_t)f->m->c.n_embd, E = (size_t)f->m->c.n_experts;
    const r1_product p = { &l->router, NULL, f->router_out, E, 0, f->n };
    r1_multiply(&f->exec, &p, 1, &(r1_input){ .x = f->h, .ldx = D, .C = f->n, .K = D, .exact = true, .before = r1_residual_column, .ctx = before });
    r1_columns(&f->exec, f->n, route_column, &(routing){ f, l, moe_index });
    for (size_t i = 0; i < f->n; i += f->expert_tokens) run_experts(f, l, i, r1_min(f->expert_tokens, f->n - i));
}
