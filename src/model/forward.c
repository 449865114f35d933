/* The layers in order. For each: norm, projections, rope and cache write, attention, output; norm, feed-forward.
 *
 * What runs over tokens (norms, rope, activation functions) is a parallel region over columns for chunks and plain calls
 * for a single token; products are regions over rows of weights.
 */
#include "model/forward_int.h"

#include <math.h>

r1_kv_shape r1_model_kv_shape(const r1_model *m, r1_kv_type type)
{
    const r1_config *c = &m->c;
    if (type == R1_KV_AUTO) /* float32 all through: do not be the one to round. Latents: small, and every head is made from them */
        type = m->options.activations == R1_ACTIVATIONS_F32 || m->all_f32 || c->mla ? R1_KV_F32 : R1_KV_F16;
    if (c->mla) return (r1_kv_shape){ type, c->n_layers, 1, c->kv_lora + c->rope.dim, 0 };
    return (r1_kv_shape){ type, c->n_layers, c->n_kv_heads, c->head_dim, c->head_dim };
}

/* ---- workspace ------------------------------------------------------------------------------------------------- */

typedef struct shopping { void **to; size_t bytes; } shopping;

static void size_latent(r1_forward *f)
{
    const r1_config *c = &f->m->c;
    size_t a_token = (size_t)c->n_heads * (size_t)(2 * c->kv_lora + c->rope.dim) * sizeof(float);
    f->latent_tokens = c->mla ? r1_max(1, r1_min(f->chunk, LATENT_BYTES / a_token)) : 0;
}

static void size_experts(r1_forward *f)
{
    const r1_config *c = &f->m->c;
    size_t used = (size_t)c->n_used, D = (size_t)c->n_embd, F = (size_t)c->n_ff_expert;
    if (c->n_dense == c->n_layers && !f->m->mtp) return;
    size_t a_token = ((1 + 2 * used) * D + 2 * (1 + used) * F) * sizeof(float);
    f->expert_tokens = r1_max(1, r1_min(f->chunk, EXPERT_BYTES / a_token));
    /* an expert with two rows or more may leave a gap of 3 before it */
    f->expert_rows = f->expert_tokens * used + 3 * r1_min((size_t)c->n_experts, f->expert_tokens * used / 2);
}

static r1_exec_sizes exec_sizes(const r1_forward *f)
{
    const r1_config *c = &f->m->c;
    size_t H = (size_t)c->n_heads, D = (size_t)c->n_embd;
    size_t dense = r1_max(r1_max(D * (f->m->mtp ? 2 : 1), (size_t)c->n_ff), (size_t)(c->n_shared * c->n_ff_expert));
    dense = r1_max(dense, r1_max(H * (size_t)(c->mla ? c->v_dim : c->head_dim), (size_t)c->q_lora));
    size_t input = f->chunk * dense;
    if (f->latent_tokens) input = r1_max(input, H * r1_round_up(f->latent_tokens, 4) * (size_t)r1_max((size_t)c->nope_dim, (size_t)c->kv_lora));
    if (f->expert_tokens) input = r1_max(input, (f->expert_tokens + 3 + f->expert_rows) * r1_max(D, (size_t)c->n_ff_expert));
    input = r1_max(input, LOGIT_ROWS * D);
    return (r1_exec_sizes){ .input_values = input, .max_k = f->m->max_k, .need_32 = f->m->need_32, .need_256 = f->m->need_256,
                            .max_products = 2 * (size_t)c->n_experts + r1_max(4, (size_t)c->n_heads) };
}

static r1_status allocate(r1_forward *f, r1_error *err)
{
    const r1_config *c = &f->m->c;
    size_t T = f->chunk, D = (size_t)c->n_embd, H = (size_t)c->n_heads, V = (size_t)c->n_vocab, R = (size_t)c->rope.dim, lora = (size_t)c->kv_lora;
    size_t kv = c->mla ? lora + R : (size_t)(c->n_kv_heads * c->head_dim), vd = (size_t)(c->mla ? c->v_dim : c->head_dim);
    size_t F = r1_max((size_t)c->n_ff, (size_t)(c->n_shared * c->n_ff_expert)), LT = f->latent_tokens, ET = f->expert_tokens, ER = f->expert_rows, GR = ET ? ET + 3 + ER : 0, used = (size_t)c->n_used;
    size_t E = (size_t)c->n_experts, threads = (size_t)r1_pool_threads(f->pool), fl = sizeof(float);
    f->tile_rows = c->mla ? LATENT_ROWS : QUERY_ROWS;
    f->attn_floats = r1_round_up(r1_attention_scratch(f->m, f->tile_rows), 16);
    f->cap_tiles = T * r1_max(1, r1_ceil_div(H, f->tile_rows));
    shopping list[] = {
        { (void **)&f->x, T * D * fl }, { (void **)&f->h, T * D * fl }, { (void **)&f->y, T * D * fl },
        { (void **)&f->q, T * H * (size_t)c->head_dim * fl }, { (void **)&f->k, T * kv * fl }, { (void **)&f->v, c->mla ? 0 : T * kv * fl },
        { (void **)&f->o, T * H * vd * fl }, { (void **)&f->gate, T * F * fl }, { (void **)&f->up, T * F * fl },
        { (void **)&f->cos, T * R / 2 * fl }, { (void **)&f->sin, T * R / 2 * fl },
        { (void **)&f->wide, T * r1_max((size_t)c->q_lora, f->m->mtp ? 2 * D : 0) * fl },
        { (void **)&f->q_latent, LT * H * (lora + R) * fl }, { (void **)&f->o_latent, LT * H * lora * fl },
        { (void **)&f->head_in, r1_round_up(LT, 4) * H * r1_max((size_t)c->nope_dim, lora) * fl },
        { (void **)&f->router_out, ET ? T * E * fl : 0 }, { (void **)&f->route_ids, ET ? T * used * 4 : 0 },
        { (void **)&f->route_weights, ET ? T * used * fl : 0 },
        { (void **)&f->expert_in, GR * D * fl }, { (void **)&f->expert_gate, GR * (size_t)c->n_ff_expert * fl },
        { (void **)&f->expert_up, GR * (size_t)c->n_ff_expert * fl }, { (void **)&f->expert_out, ER * D * fl },
        { (void **)&f->expert_row, ET * used * 4 }, { (void **)&f->expert_token, ER * 4 }, { (void **)&f->expert_first, E * 4 }, { (void **)&f->expert_n, E * 4 },
        { (void **)&f->products, (2 * E + r1_max(4, H)) * sizeof(r1_product) },
        { (void **)&f->pairs, ET ? (E + 1) * sizeof(r1_pair) : 0 },
        { (void **)&f->tiles, f->cap_tiles * sizeof(r1_tile) }, { (void **)&f->attn_scratch, threads * f->attn_floats * fl },
        { (void **)&f->head_x, LOGIT_ROWS * D * fl }, { (void **)&f->head_y, LOGIT_COLUMNS * V * fl },
    };
    for (size_t i = 0; i < R1_COUNT(list); i++) {
        if (!list[i].bytes) continue;
        *list[i].to = r1_alloc_scratch(list[i].bytes);
        if (!*list[i].to) return r1_fail(err, R1_ENOMEM, "no memory for %.1f MiB of scratch; a smaller chunk needs less", (double)list[i].bytes / 1048576);
    }
    return R1_OK;
}

void r1_forward_free(r1_forward *f)
{
    if (!f) return;
    r1_exec_deinit(&f->exec);
    void *all[] = { f->x, f->h, f->y, f->q, f->k, f->v, f->o, f->gate, f->up, f->cos, f->sin, f->wide, f->q_latent, f->o_latent, f->head_in,
                    f->router_out, f->route_ids, f->route_weights, f->expert_in, f->expert_gate, f->expert_up, f->expert_out, f->expert_row, f->expert_token,
                    f->expert_first, f->expert_n, f->products, f->pairs, f->tiles, f->attn_scratch, f->head_x, f->head_y };
    for (size_t i = 0; i < R1_COUNT(all); i++) free(all[i]);
    free(f);
}

r1_status r1_forward_new(r1_forward **out, const r1_model *m, r1_pool *pool, size_t chunk, r1_error *err)
{
    *out = NULL;
    r1_forward *f = calloc(1, sizeof *f);
    if (!f) return r1_fail(err, R1_ENOMEM, "no memory for a forward pass");
    f->m = m;
    f->pool = pool;
    f->chunk = chunk;
    size_latent(f);
    size_experts(f);
    r1_exec_sizes sizes = exec_sizes(f);
    r1_status s = r1_exec_init(&f->exec, &m->k, pool, m->options.activations, &sizes, err);
    if (s == R1_OK) s = allocate(f, err);
    if (s) {
        r1_forward_free(f);
        return s;
    }
    *out = f;
    return R1_OK;
}

size_t r1_forward_chunk(const r1_forward *f) { return f->chunk; }

const r1_span *r1_span_of(const r1_forward *f, size_t c, size_t *pos)
{
    const r1_span *s = f->spans;
    while (c >= s->n) c -= (s++)->n;
    *pos = s->pos + c;
    return s;
}

/* ---- column-wise steps ----------------------------------------------------------------------------------------- */

typedef struct columns {
    r1_forward *f;
    float *y; const float *x, *w;
    size_t n, ld;
    float eps;
} columns;

static void norm_column(void *ctx, size_t c, int thread)
{
    const columns *a = ctx;
    (void)thread;
    a->f->m->k.rmsnorm(a->y + c * a->ld, a->x + c * a->ld, a->w, a->n, a->eps);
}

void r1_normalise(r1_forward *f, float *y, const float *x, const float *w, size_t n, size_t C, size_t ld, float eps)
{
    columns a = { f, y, x, w, n, ld, eps };
    r1_columns(&f->exec, C, norm_column, &a);
}

void r1_silu_column(void *ctx, size_t c, int thread)
{
    const r1_gated *a = ctx;
    (void)thread;
    a->f->m->k.silu_mul(a->gate + c * a->n, a->gate + c * a->n, a->up + c * a->n, a->n);
}

void r1_residual_column(void *ctx, size_t c, int thread)
{
    const r1_residual *a = ctx;
    r1_forward *f = a->f;
    size_t D = (size_t)f->m->c.n_embd;
    (void)thread;
    if (a->y) f->m->k.add(f->x + c * D, a->y + c * D, D);
    if (a->w) f->m->k.rmsnorm(f->h + c * D, f->x + c * D, a->w, D, f->m->c.eps);
}

static void embed_column(void *ctx, size_t c, int thread)
{
    r1_forward *f = ctx;
    size_t pos, half = (size_t)f->m->c.rope.dim / 2;
    const r1_span *s = r1_span_of(f, c, &pos);
    (void)thread;
    if (s->ids) r1_weight_decode(&f->m->embd, &f->m->k, (size_t)s->ids[pos - s->pos], f->x + c * (size_t)f->m->c.n_embd);
    for (size_t i = 0; i < half; i++) { /* angles in double: positions reach 1.6e5 */
        double a = (double)pos * f->m->c.rope.inv_freq[i];
        f->cos[c * half + i] = (float)(cos(a) * f->m->c.rope.multiplier);
        f->sin[c * half + i] = (float)(sin(a) * f->m->c.rope.multiplier);
    }
}

void r1_rotate(const r1_forward *f, float *x, size_t n_heads, size_t stride, size_t c)
{
    const r1_rope *r = &f->m->c.rope;
    size_t half = (size_t)r->dim / 2;
    const float *cs = f->cos + c * half, *sn = f->sin + c * half;
    for (size_t h = 0; h < n_heads; h++, x += stride) {
        if (!r->adjacent) {
            for (size_t i = 0; i < half; i++) {
                float a = x[i], b = x[half + i];
                x[i] = a * cs[i] - b * sn[i];
                x[half + i] = b * cs[i] + a * sn[i];
            }
            continue;
        }
        float even[R1_ROPE_MAX / 2], odd[R1_ROPE_MAX / 2];
        for (size_t i = 0; i < half; i++) {
            float a = x[2 * i], b = x[2 * i + 1];
            even[i] = a * cs[i] - b * sn[i];
            odd[i] = b * cs[i] + a * sn[i];
        }
        size_t step = r->to_halves ? 1 : 2, second = r->to_halves ? half : 1;
        for (size_t i = 0; i < half; i++) {
            x[i * step] = even[i];
            x[i * step + second] = odd[i];
        }
    }
}

/* ---- grouped-query attention ----------------------------------------------------------------------------------- */

typedef struct store {
    r1_forward *f;
    int layer;
} store;

/* Rotate q and k of a token and put k and v into the cache. */
static void store_column(void *ctx, size_t c, int thread)
{
    const store *a = ctx;
    r1_forward *f = a->f;
    const r1_config *m = &f->m->c;
    size_t d = (size_t)m->head_dim, KV = (size_t)m->n_kv_heads, pos;
    const r1_span *s = r1_span_of(f, c, &pos);
    (void)thread;
    r1_rotate(f, f->q + c * (size_t)m->n_heads * d, (size_t)m->n_heads, d, c);
    r1_rotate(f, f->k + c * KV * d, KV, d, c);
    for (size_t h = 0; h < KV; h++) {
        r1_kv_store_key(s->kv, &f->m->k, a->layer, (int)h, pos, f->k + (c * KV + h) * d);
        r1_kv_store_value(s->kv, &f->m->k, a->layer, (int)h, pos, f->v + (c * KV + h) * d);
    }
}

/* A token's keys and values into the cache, and its attention over them. */
static void attend_column(void *ctx, size_t c, int thread)
{
    const r1_attention *a = ctx;
    store_column(&(store){ a->f, a->layer_index }, c, thread);
    r1_attend_token(a, c, thread);
}

/* Are these many short sequences, a token each? Then a token's attention is done by whoever rounds its result for the next product: a region
 * would cost as much as what it shares out, and what a core has just written is in its cache. */
static bool short_steps(const r1_forward *f)
{
    size_t longest = 0;
    if (f->n != f->n_spans || f->n < SHORT_STEPS * (size_t)r1_pool_threads(f->pool)) return false;
    for (size_t i = 0; i < f->n_spans; i++) longest = r1_max(longest, f->spans[i].pos);
    return longest < SHORT_CONTEXT;
}

/* y = wo * attention of h. */
static void grouped_attention(r1_forward *f, const r1_layer *l, int index, r1_residual *in)
{
    const r1_config *c = &f->m->c;
    size_t d = (size_t)c->head_dim, D = (size_t)c->n_embd, Q = (size_t)c->n_heads * d, KV = (size_t)c->n_kv_heads * d;
    const r1_product qkv[] = {
        { &l->wq, l->bq, f->q, Q, 0, f->n }, { &l->wk, l->bk, f->k, KV, 0, f->n }, { &l->wv, l->bv, f->v, KV, 0, f->n },
    };
    const r1_product out = { &l->wo, NULL, f->y, D, 0, f->n };
    r1_attention a = { .f = f, .layer = l, .layer_index = index, .n = f->n, .q = f->q, .key_dim = d, .o = f->o, .value_dim = d };
    r1_input o = { .x = f->o, .ldx = Q, .C = f->n, .K = Q };
    r1_multiply(&f->exec, qkv, 3, &(r1_input){ .x = f->h, .ldx = D, .C = f->n, .K = D, .before = r1_residual_column, .ctx = in });
    if (short_steps(f)) {
        o.before = attend_column;
        o.ctx = &a;
    } else {
        r1_columns(&f->exec, f->n, store_column, &(store){ f, index });
        r1_attend(&a);
    }
    r1_multiply(&f->exec, &out, 1, &o);
}

/* ---- layers ---------------------------------------------------------------------------------------------------- */

static void dense_feed_forward(r1_forward *f, const r1_mlp *m, r1_residual *before)
{
    size_t D = (size_t)f->m->c.n_embd, F = m->gate.rows;
    const r1_product out = { &m->down, NULL, f->y, D, 0, f->n };
    const r1_pair pair = { &m->gate, &m->up, 0, f->n, 0 };
    r1_input x = { .x = f->h, .ldx = D, .C = f->n, .K = D, .before = r1_residual_column, .ctx = before };
    if (r1_multiply_gated(&f->exec, &pair, 1, &out, 1, &x)) {
        r1_multiply(&f->exec, &out, 1, &(r1_input){ .C = f->n, .K = F, .quantised = true });
        return;
    }
    const r1_product in[] = { { &m->gate, NULL, f->gate, F, 0, f->n }, { &m->up, NULL, f->up, F, 0, f->n } };
    r1_multiply(&f->exec, in, 2, &x);
    r1_multiply(&f->exec, &out, 1, &(r1_input){ .x = f->gate, .ldx = F, .C = f->n, .K = F, .before = r1_silu_column, .ctx = &(r1_gated){ f, f->gate, f->up, F } });
}

/* x is behind by f->y where `pending` says so, before and after: the sum is made by whoever reads x next. */
static void run_layer(r1_forward *f, const r1_layer *l, int index, int moe_index, bool pending)
{
    const r1_config *c = &f->m->c;
    r1_residual in = { f, pending ? f->y : NULL, l->attn_norm }, between = { f, f->y, l->ffn_norm };
    if (c->mla) {
        const size_t O = (size_t)c->n_heads * (size_t)c->v_dim;
        const r1_product out = { &l->wo, NULL, f->y, (size_t)c->n_embd, 0, f->n };
        r1_latent_attention(f, l, index, &in);
        r1_multiply(&f->exec, &out, 1, &(r1_input){ .x = f->o, .ldx = O, .C = f->n, .K = O });
    } else {
        grouped_attention(f, l, index, &in);
    }
    if (l->moe) r1_experts(f, l, moe_index, &between);
    else dense_feed_forward(f, &l->mlp, &between);
}

static void add_residual(r1_forward *f)
{
    r1_columns(&f->exec, f->n, r1_residual_column, &(r1_residual){ f, f->y, NULL });
}

static void start(r1_forward *f, const r1_span *spans, size_t n_spans, const r1_tap *tap)
{
    f->spans = spans;
    f->n_spans = n_spans;
    f->tap = tap;
    f->n = 0;
    for (size_t i = 0; i < n_spans; i++) f->n += spans[i].n;
    r1_columns(&f->exec, f->n, embed_column, f);
}

static void tap_hidden(r1_forward *f, int layer)
{
    size_t D = (size_t)f->m->c.n_embd;
    if (f->tap && f->tap->hidden && f->tap->hidden_layer == layer) memcpy(f->tap->hidden + f->tap->first * D, f->x, f->n * D * sizeof(float));
}

void r1_forward_watch(r1_forward *f, bool (*go_on)(void *ctx), void *ctx)
{
    f->go_on = go_on;
    f->go_on_ctx = ctx;
}

bool r1_forward_run(r1_forward *f, const r1_span *spans, size_t n_spans, const r1_tap *tap)
{
    const r1_model *m = f->m;
    size_t D = (size_t)m->c.n_embd;
    int moe_index = 0;
    bool pending = false;
    start(f, spans, n_spans, tap);
    tap_hidden(f, 0);
    for (int i = 0; i < m->c.n_layers; i++) {
        bool last = i + 1 == m->c.n_layers, shown = tap && tap->hidden && tap->hidden_layer == i + 1;
        if (f->go_on && !f->go_on(f->go_on_ctx)) return false;
        run_layer(f, &m->layers[i], i, moe_index, pending);
        moe_index += m->layers[i].moe;
        pending = !last && !shown;
        if (!pending) add_residual(f);
        tap_hidden(f, i + 1);
    }
    if (tap && tap->final) r1_normalise(f, tap->final + tap->first * D, f->x, m->out_norm, D, f->n, D, m->c.eps);
    return true;
}

/* Tokens whose logits are wanted, and where their columns come from. */
typedef struct head_columns {
    r1_forward *f;
    const float *norm;
    const r1_logits_to *to;
} head_columns;

static void head_column(void *ctx, size_t c, int thread)
{
    const head_columns *a = ctx;
    r1_forward *f = a->f;
    size_t D = (size_t)f->m->c.n_embd;
    (void)thread;
    f->m->k.rmsnorm(f->head_x + c * D, f->x + a->to[c].token * D, a->norm, D, f->m->c.eps);
}

/* n columns, at most LOGIT_ROWS, through a norm and a head; rows of logits are ld apart. */
static void head_product(r1_forward *f, const head_columns *a, const r1_weight *head, float *logits, size_t ld, size_t n)
{
    size_t D = (size_t)f->m->c.n_embd;
    const r1_product p = { head, NULL, logits, ld, 0, n };
    r1_multiply(&f->exec, &p, 1, &(r1_input){ .x = f->head_x, .ldx = D, .C = n, .K = D, .before = head_column, .ctx = (void *)a });
}

/* How many of n rows, from the first on, have one distance from each to the next, at least V. */
static size_t evenly_spaced(const r1_logits_to *to, size_t n, size_t V, size_t *distance)
{
    *distance = V;
    for (size_t i = 1; i < n; i++) {
        const uintptr_t last = (uintptr_t)to[i - 1].out, at = (uintptr_t)to[i].out, bytes = at - last;
        if (at < last || bytes % sizeof(float) || bytes / sizeof(float) < V || (i > 1 && bytes / sizeof(float) != *distance)) return i;
        *distance = bytes / sizeof(float);
    }
    return n;
}

void r1_forward_logits(r1_forward *f, const r1_logits_to *to, size_t n)
{
    size_t V = (size_t)f->m->c.n_vocab;
    for (size_t i = 0, m; i < n; i += m) {
        const head_columns which = { f, f->m->out_norm, to + i };
        size_t ld;
        m = evenly_spaced(to + i, r1_min(LOGIT_ROWS, n - i), V, &ld);
        if (m == n - i || m >= LOGIT_COLUMNS) {
            head_product(f, &which, &f->m->head, to[i].out, ld, m);
            continue;
        }
        m = r1_min(LOGIT_COLUMNS, n - i);
        head_product(f, &which, &f->m->head, f->head_y, V, m);
        for (size_t j = 0; j < m; j++) memcpy(to[i + j].out, f->head_y + j * V, V * sizeof(float));
    }
}

void r1_forward_observe(r1_forward *f, r1_observe fn, void *ctx)
{
    f->exec.observe = fn;
    f->exec.observe_ctx = ctx;
}

void r1_forward_show_head(r1_forward *f)
{
    const r1_model *m = f->m;
    size_t D = (size_t)m->c.n_embd;
    for (size_t i = 0; i < f->n && f->exec.observe; i += LOGIT_COLUMNS) {
        size_t n = r1_min(LOGIT_COLUMNS, f->n - i);
        r1_normalise(f, f->head_x, f->x + i * D, m->out_norm, D, n, D, m->c.eps);
        const r1_product p = { &m->head, NULL, f->head_y, (size_t)m->c.n_vocab, 0, n };
        f->exec.observe(f->exec.observe_ctx, &f->exec, &p, 1, &(r1_input){ .x = f->head_x, .ldx = D, .C = n, .K = D });
    }
}

void r1_forward_mtp(r1_forward *f, const r1_kv *kv, size_t pos, const int32_t *next_ids, const float *h, size_t n, float *logits)
{
    const r1_mtp *m = f->m->mtp;
    size_t D = (size_t)f->m->c.n_embd, V = (size_t)f->m->c.n_vocab;
    float eps = f->m->c.eps;
    r1_span span = { kv, NULL, pos, n };
    start(f, &span, 1, NULL);
    for (size_t i = 0; i < n; i++) { /* embedding first, then the hidden state */
        float *u = f->wide + i * 2 * D;
        r1_weight_decode(&m->embd, &f->m->k, (size_t)next_ids[i], u);
        f->m->k.rmsnorm(u, u, m->enorm, D, eps);
        f->m->k.rmsnorm(u + D, h + i * D, m->hnorm, D, eps);
    }
    const r1_product p = { &m->eh_proj, NULL, f->x, D, 0, n };
    r1_multiply(&f->exec, &p, 1, &(r1_input){ .x = f->wide, .ldx = 2 * D, .C = n, .K = 2 * D });
    run_layer(f, &m->layer, 0, 0, false);
    add_residual(f);
    for (size_t i = 0; i < n; i += LOGIT_ROWS) {
        r1_logits_to rows[LOGIT_ROWS];
        size_t c = r1_min(LOGIT_ROWS, n - i);
        for (size_t j = 0; j < c; j++) rows[j] = (r1_logits_to){ i + j, NULL };
        head_product(f, &(head_columns){ f, m->head_norm, rows }, &m->head, logits + i * V, V, c);
    }
}
