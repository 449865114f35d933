/* Multi-head latent attention (arXiv:2405.04434).
 *
 * The cache holds, per token, the normed latent c and the rotated shared key. Absorbed form (the default): queries are
 * taken into latent space by k_b, all heads attend over the same rows, and v_b brings the result back. Expanded form:
 * keys and values of each head are made from the latents block by block. Both are the same function; the form is an
 * option of the model, never a matter of the chunk's length, so that results do not depend on the chunk.
 */
#include "model/forward_int.h"

static const float LATENT_EPS = 1e-6f; /* of the norms of latents, whatever the configuration says: DeepSeek's code */

typedef struct store {
    r1_forward *f;
    const r1_layer *l;
    int layer;
} store;

/* Finish a token's queries and its cache row. */
static void store_column(void *ctx, size_t c, int thread)
{
    const store *a = ctx;
    r1_forward *f = a->f;
    const r1_config *m = &f->m->c;
    size_t lora = (size_t)m->kv_lora, width = lora + (size_t)m->rope.dim, hd = (size_t)m->head_dim, H = (size_t)m->n_heads, pos;
    const r1_span *s = r1_span_of(f, c, &pos);
    float *row = f->k + c * width;
    (void)thread;
    r1_rotate(f, f->q + c * H * hd + m->nope_dim, H, hd, c);
    f->m->k.rmsnorm(row, row, a->l->kv_a_norm, lora, LATENT_EPS);
    r1_rotate(f, row + lora, 1, width, c);
    r1_kv_store_key(s->kv, &f->m->k, a->layer, 0, pos, row);
}

static void norm_query(void *ctx, size_t c, int thread)
{
    const store *a = ctx;
    size_t n = (size_t)a->f->m->c.q_lora;
    float *q = a->f->wide + c * n;
    (void)thread;
    a->f->m->k.rmsnorm(q, q, a->l->q_a_norm, n, LATENT_EPS);
}

static void project(r1_forward *f, const r1_layer *l, r1_residual *before)
{
    const r1_config *c = &f->m->c;
    size_t D = (size_t)c->n_embd, Q = (size_t)c->n_heads * (size_t)c->head_dim, width = (size_t)(c->kv_lora + c->rope.dim), q_lora = (size_t)c->q_lora;
    const r1_product down[] = {
        { &l->wkv_a, NULL, f->k, width, 0, f->n },
        { q_lora ? &l->wq_a : &l->wq, NULL, q_lora ? f->wide : f->q, q_lora ? q_lora : Q, 0, f->n },
    };
    r1_multiply(&f->exec, down, 2, &(r1_input){ .x = f->h, .ldx = D, .C = f->n, .K = D, .before = r1_residual_column, .ctx = before });
    if (!q_lora) return;
    const r1_product up = { &l->wq_b, NULL, f->q, Q, 0, f->n };
    r1_multiply(&f->exec, &up, 1, &(r1_input){ .x = f->wide, .ldx = q_lora, .C = f->n, .K = q_lora, .before = norm_query, .ctx = &(store){ f, l, 0 } });
}

typedef struct gather {
    r1_forward *f;
    const float *src;
    size_t n, K, step_token, step_head; /* src[token * step_token + head * step_head ..+K] -> head_in[(head * n4 + token) * K], n4: n rounded up to 4 */
} gather;

/* Each head's columns start at a multiple of 4, as r1_multiply asks for. */
static size_t aligned(size_t n) { return n == 1 ? 1 : r1_round_up(n, 4); }

/* Column i of the heads' inputs; those that only align hold anything. */
static void gather_column(void *ctx, size_t i, int thread)
{
    const gather *g = ctx;
    const size_t n4 = aligned(g->n), token = i % n4;
    (void)thread;
    if (token < g->n) memcpy(g->f->head_in + i * g->K, g->src + token * g->step_token + i / n4 * g->step_head, g->K * sizeof(float));
}

/* out[token, head, 0..rows) = w[head] src[token, head]; `ld` and `step` are out's steps of a token and a head. */
static void per_head(r1_forward *f, const r1_weight *w, const gather *g, float *out, size_t ld, size_t step)
{
    size_t H = (size_t)f->m->c.n_heads;
    for (size_t h = 0; h < H; h++) f->products[h] = (r1_product){ &w[h], NULL, out + h * step, ld, h * aligned(g->n), g->n };
    r1_multiply(&f->exec, f->products, H, &(r1_input){ .x = f->head_in, .ldx = g->K, .C = H * aligned(g->n), .K = g->K, .before = gather_column, .ctx = (void *)g });
}

typedef struct rope_part {
    r1_forward *f;
    size_t first;
} rope_part;

/* The rotated part of the queries stands behind the latent part. */
static void rope_column(void *ctx, size_t i, int thread)
{
    const rope_part *a = ctx;
    const r1_config *c = &a->f->m->c;
    size_t H = (size_t)c->n_heads, lora = (size_t)c->kv_lora, rope = (size_t)c->rope.dim, hd = (size_t)c->head_dim;
    (void)thread;
    for (size_t h = 0; h < H; h++)
        memcpy(a->f->q_latent + (i * H + h) * (lora + rope) + lora, a->f->q + ((a->first + i) * H + h) * hd + c->nope_dim, rope * sizeof(float));
}

static void absorbed(r1_forward *f, const r1_layer *l, int index, size_t first, size_t n)
{
    const r1_config *c = &f->m->c;
    size_t H = (size_t)c->n_heads, hd = (size_t)c->head_dim, lora = (size_t)c->kv_lora, width = lora + (size_t)c->rope.dim, v = (size_t)c->v_dim;
    gather q = { f, f->q + first * H * hd, n, (size_t)c->nope_dim, H * hd, hd };
    per_head(f, l->k_b, &q, f->q_latent, H * width, width);
    r1_columns(&f->exec, n, rope_column, &(rope_part){ f, first });
    r1_attend(&(r1_attention){ .f = f, .layer = l, .layer_index = index, .first = first, .n = n, .q = f->q_latent, .key_dim = width,
                               .o = f->o_latent, .value_dim = lora });
    gather o = { f, f->o_latent, n, lora, H * lora, lora };
    per_head(f, l->v_b, &o, f->o + first * H * v, H * v, v);
}

void r1_latent_attention(r1_forward *f, const r1_layer *l, int index, r1_residual *before)
{
    const r1_config *c = &f->m->c;
    project(f, l, before);
    r1_columns(&f->exec, f->n, store_column, &(store){ f, l, index });
    if (f->m->options.mla_expanded) {
        r1_attend(&(r1_attention){ .f = f, .layer = l, .layer_index = index, .n = f->n, .q = f->q, .key_dim = (size_t)c->head_dim,
                                   .o = f->o, .value_dim = (size_t)c->v_dim, .expanded = true });
        return;
    }
    for (size_t i = 0; i < f->n; i += f->latent_tokens) absorbed(f, l, index, i, r1_min(f->latent_tokens, f->n - i));
}
