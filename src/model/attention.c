/* Attention over the paged cache, with a running softmax (Milakov & Gimelshein, arXiv:1805.02867) over blocks of keys.
 *
 * A block is a page, so its borders depend on positions only. Each query row goes through the blocks from 0 to its own
 * position in order and sees exactly the keys up to it: its result is the same in any chunk, tile or batch. A piece of
 * work is a tile of rows of one key-value head: rows are (token, head of the group), so the keys of a block are widened
 * to float once for all of them.
 */
#include "model/forward_int.h"

#include <math.h>

/* A thread's memory for one tile. */
typedef struct scratch {
    float *q;            /* [rows, key_dim], scaled */
    float *o;            /* [rows, value_dim] */
    float *s;            /* [rows, page] scores, then probabilities */
    float *max, *sum;    /* [rows] */
    float *k, *v;        /* [page, key_dim], [page, value_dim] */
    float *latent;       /* expanded form: [page, lora + rope] */
    float *w_k, *w_v;    /* expanded form: a head's k_b [lora, nope], v_b [v_dim, lora] */
} scratch;

size_t r1_attention_scratch(const r1_model *m, size_t rows)
{
    const r1_config *c = &m->c;
    size_t lora = (size_t)c->kv_lora, key = c->mla ? lora + (size_t)c->rope.dim : (size_t)c->head_dim;
    size_t value = c->mla ? r1_max(lora, (size_t)c->v_dim) : (size_t)c->head_dim;
    key = r1_max(key, (size_t)c->head_dim);
    size_t n = rows * (key + value + R1_KV_PAGE + 2) + R1_KV_PAGE * (key + value);
    if (m->options.mla_expanded && c->mla) n += R1_KV_PAGE * (lora + (size_t)c->rope.dim) + lora * (size_t)(c->nope_dim + c->v_dim);
    return n + 16 * 9; /* each part starts at a multiple of 16 floats */
}

static float *part(float **at, size_t n)
{
    float *p = *at;
    *at += r1_round_up(n, 16);
    return p;
}

static scratch lay_out(const r1_attention *a, size_t rows, int thread)
{
    const r1_config *c = &a->f->m->c;
    float *at = a->f->attn_scratch + (size_t)thread * a->f->attn_floats;
    scratch s = { .q = part(&at, rows * a->key_dim), .o = part(&at, rows * a->value_dim), .s = part(&at, rows * R1_KV_PAGE), .max = part(&at, rows),
                  .sum = part(&at, rows), .k = part(&at, R1_KV_PAGE * a->key_dim), .v = part(&at, R1_KV_PAGE * a->value_dim) };
    if (a->expanded) {
        s.latent = part(&at, R1_KV_PAGE * (size_t)(c->kv_lora + c->rope.dim));
        s.w_k = part(&at, (size_t)c->kv_lora * (size_t)c->nope_dim);
        s.w_v = part(&at, (size_t)c->v_dim * (size_t)c->kv_lora);
    }
    return s;
}

/* Rows of n values from the cache as floats: in place where they are floats. */
static const float *widen(const r1_attention *a, const r1_kv_shape *shape, float *buf, const uint8_t *src, size_t n_keys, size_t n)
{
    if (shape->type == R1_KV_F32) return (const float *)(const void *)src;
    size_t row = r1_kv_row_bytes(shape->type, n);
    for (size_t t = 0; t < n_keys; t++) r1_kv_load(shape->type, &a->f->m->k, buf + t * n, src + t * row, n);
    return buf;
}

/* Keys and values of one head for n_keys latents: k = [W_UK c ; k_pe], v = W_UV c. */
static void expand(const r1_attention *a, scratch *s, const float *latent, size_t n_keys)
{
    const r1_config *c = &a->f->m->c;
    const r1_kernels *k = &a->f->m->k;
    size_t lora = (size_t)c->kv_lora, nope = (size_t)c->nope_dim, rope = (size_t)c->rope.dim, width = lora + rope;
    for (size_t t = 0; t < n_keys; t++) {
        float *key = s->k + t * a->key_dim;
        memset(key, 0, nope * sizeof(float));
        memcpy(key + nope, latent + t * width + lora, rope * sizeof(float));
    }
    k->weighted_sum(s->k, a->key_dim, latent, width, n_keys, s->w_k, nope, lora, nope);
    k->matmul_f32(s->v, a->value_dim, s->w_v, lora * sizeof(float), (size_t)c->v_dim, latent, width, n_keys, lora);
}

/* Keys and values of a block as floats; *ldv is the step between values. */
static void load_block(const r1_attention *a, const r1_span *span, size_t head, size_t first_key, size_t n_keys, scratch *s,
                       const float **keys, const float **values, size_t *ldv)
{
    const r1_config *c = &a->f->m->c;
    const r1_kv_shape *shape = r1_kv_shape_of(span->kv);
    const uint8_t *src = r1_kv_keys(span->kv, a->layer_index, c->mla ? 0 : (int)head, first_key);
    *ldv = a->value_dim;
    if (a->expanded) {
        expand(a, s, widen(a, shape, s->latent, src, n_keys, (size_t)shape->key_dim), n_keys);
        *keys = s->k;
        *values = s->v;
        return;
    }
    *keys = widen(a, shape, s->k, src, n_keys, a->key_dim);
    if (c->mla) { /* the value is the start of the key */
        *values = *keys;
        *ldv = a->key_dim;
    } else {
        *values = widen(a, shape, s->v, r1_kv_values(span->kv, a->layer_index, (int)head, first_key), n_keys, a->value_dim);
    }
}

/* One row, one block: scores to probabilities, running maximum and sum. */
static void soften(const r1_kernels *k, scratch *s, size_t row, size_t n, size_t value_dim)
{
    float *p = s->s + row * R1_KV_PAGE, m = k->max(p, n);
    if (m > s->max[row]) {
        float shrink = r1_exp(s->max[row] - m); /* 0 at the first block */
        s->max[row] = m;
        s->sum[row] *= shrink;
        k->scale(s->o + row * value_dim, shrink, value_dim);
    }
    s->sum[row] += k->exp_sum(p, s->max[row], n);
}

typedef struct work {
    const r1_attention *a;
    size_t n_heads;      /* of keys (the cache's, or the model's when expanded) */
    size_t group;        /* query heads of one key head */
} work;

static void attend_block(const work *w, const r1_span *span, size_t base, const r1_tile *tile, size_t head, size_t first_key, size_t n_keys, scratch *s)
{
    const r1_attention *a = w->a;
    const r1_kernels *k = &a->f->m->k;
    const float *keys, *values;
    size_t ldv, row = 0;
    load_block(a, span, head, first_key, n_keys, s, &keys, &values, &ldv);
    while (base + (tile->first + row) / w->group < first_key) row++; /* rows that ended before this block */
    k->matmul_f32(s->s + row * R1_KV_PAGE, R1_KV_PAGE, keys, a->key_dim * sizeof(float), n_keys, s->q + row * a->key_dim, a->key_dim,
                  tile->n - row, a->key_dim);
    while (row < tile->n) { /* rows that see the same keys together */
        size_t sees = r1_min(n_keys, base + (tile->first + row) / w->group + 1 - first_key), end = row;
        while (end < tile->n && r1_min(n_keys, base + (tile->first + end) / w->group + 1 - first_key) == sees)
            soften(k, s, end++, sees, a->value_dim);
        k->weighted_sum(s->o + row * a->value_dim, a->value_dim, s->s + row * R1_KV_PAGE, R1_KV_PAGE, end - row, values, ldv, sees, a->value_dim);
        row = end;
    }
}

static void attend_tile(void *ctx, size_t i, int thread)
{
    const work *w = ctx;
    const r1_attention *a = w->a;
    const r1_forward *f = a->f;
    const r1_kernels *k = &f->m->k;
    const r1_tile *tile = &f->tiles[i / w->n_heads];
    size_t head = i % w->n_heads, H = w->n_heads * w->group, token0 = 0, skip = a->first;
    const r1_span *span = &f->spans[tile->span];
    for (size_t j = 0; j < tile->span; j++) token0 += f->spans[j].n;
    /* The part of the span inside [first, first + n): its first token has position `base`, its column is token0 - first. */
    size_t cut = skip > token0 ? skip - token0 : 0, base = span->pos + cut, column = token0 + cut - skip;
    scratch s = lay_out(a, tile->n, thread);
    for (size_t r = 0; r < tile->n; r++) {
        size_t at = (column + (tile->first + r) / w->group) * H + head * w->group + (tile->first + r) % w->group;
        memcpy(s.q + r * a->key_dim, a->q + at * a->key_dim, a->key_dim * sizeof(float));
        k->scale(s.q + r * a->key_dim, f->m->c.softmax_scale, a->key_dim);
        s.max[r] = -INFINITY;
        s.sum[r] = 0;
    }
    memset(s.o, 0, tile->n * a->value_dim * sizeof(float));
    if (a->expanded)
        for (size_t r = 0; r < r1_max(a->layer->k_b[head].rows, a->layer->v_b[head].rows); r++) {
            if (r < a->layer->k_b[head].rows) r1_weight_decode(&a->layer->k_b[head], k, r, s.w_k + r * a->layer->k_b[head].k);
            if (r < a->layer->v_b[head].rows) r1_weight_decode(&a->layer->v_b[head], k, r, s.w_v + r * a->layer->v_b[head].k);
        }
    size_t n_keys = base + (tile->first + tile->n - 1) / w->group + 1;
    for (size_t t = 0; t < n_keys; t += R1_KV_PAGE)
        attend_block(w, span, base, tile, head, t, r1_min(R1_KV_PAGE, n_keys - t), &s);
    for (size_t r = 0; r < tile->n; r++) {
        size_t at = (column + (tile->first + r) / w->group) * H + head * w->group + (tile->first + r) % w->group;
        k->scale(s.o + r * a->value_dim, 1.0f / s.sum[r], a->value_dim);
        memcpy(a->o + at * a->value_dim, s.o + r * a->value_dim, a->value_dim * sizeof(float));
    }
}

void r1_attend(const r1_attention *a)
{
    r1_forward *f = a->f;
    const r1_config *c = &f->m->c;
    size_t H = (size_t)c->n_heads, n_heads = a->expanded ? H : (size_t)c->n_kv_heads;
    work w = { a, n_heads, H / n_heads };
    size_t token0 = 0;
    f->n_tiles = 0;
    for (size_t i = 0; i < f->n_spans; token0 += f->spans[i++].n) {
        size_t lo = r1_max(token0, a->first), hi = r1_min(token0 + f->spans[i].n, a->first + a->n);
        if (lo >= hi) continue;
        size_t rows = (hi - lo) * w.group;
        for (size_t r = 0; r < rows; r += f->tile_rows)
            f->tiles[f->n_tiles++] = (r1_tile){ (uint32_t)i, (uint32_t)r, (uint32_t)r1_min(f->tile_rows, rows - r) };
    }
    r1_pool_run(f->pool, f->n_tiles * n_heads, attend_tile, &w);
}
