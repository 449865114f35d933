/* Attention over the paged cache, with a running softmax (Milakov & Gimelshein, arXiv:1805.02867) over blocks of keys.
 *
 * A block is a page, so its borders depend on positions only. Each query row goes through the blocks from 0 to its own
 * position in order and sees exactly the keys up to it: its result is the same in any chunk, tile or batch. A piece of
 * work is a tile of rows of one key-value head: rows are (token, head of the group), so a block is loaded once for all of
 * them. Keys meet the queries as columns. The cache has them so and the kernels widen what they read; latents are rows in
 * the cache, because they are values too, and are turned for every tile, whose many rows make that cheap.
 */
#include "model/forward_int.h"

#include <math.h>

enum { ROWS_AT_ONCE = 24 }; /* rows scored, softened and mixed before the next: their scores and the block stay in L1 */

/* A thread's memory for one tile. */
typedef struct scratch {
    float *q;                   /* [rows, key_dim], scaled */
    float *o;                   /* [rows, value_dim] */
    float *s;                   /* [ROWS_AT_ONCE, page] scores, then probabilities */
    float *max, *sum, *shrink;  /* [rows] */
    float *k, *v;               /* [key_dim, page], [page, value_dim]: what must be widened or turned */
    float *latent, *turned;     /* latents: [page, lora + rope], expanded form: [lora + rope, page] */
    float *w_k, *w_v;           /* expanded form: a head's k_b turned [nope, lora], v_b [v_dim, lora] */
} scratch;

/* A block of keys: columns, `page` apart, and rows of values, as the kernels take them. */
typedef struct block {
    const void *keys, *values, *next; /* next: the block that will follow, or NULL */
    size_t ldv;
    r1_type key_type, value_type;
} block;

static r1_type type_of(r1_kv_type t) { return t == R1_KV_F32 ? R1_F32 : t == R1_KV_BF16 ? R1_BF16 : t == R1_KV_Q8_0 ? R1_Q8_0 : R1_F16; }

/* Memory handed out in parts that start at multiples of 16 floats; without a base only counted. */
typedef struct parts { float *base; size_t n; } parts;

static float *part(parts *p, size_t n)
{
    float *at = p->base ? p->base + p->n : NULL;
    p->n += r1_round_up(n, 16);
    return at;
}

static scratch lay_out(const r1_config *c, bool expanded, size_t rows, parts *at)
{
    size_t lora = c->mla ? (size_t)c->kv_lora : 0, width = lora + (size_t)c->rope.dim, nope = (size_t)c->nope_dim, v_dim = (size_t)c->v_dim;
    size_t key = c->mla && !expanded ? width : (size_t)c->head_dim, value = !c->mla ? (size_t)c->head_dim : expanded ? v_dim : lora;
    scratch s = { .q = part(at, rows * key), .o = part(at, rows * value), .s = part(at, ROWS_AT_ONCE * R1_KV_PAGE), .max = part(at, rows),
                  .sum = part(at, rows), .shrink = part(at, rows), .k = part(at, R1_KV_PAGE * key), .v = part(at, R1_KV_PAGE * value) };
    if (c->mla) s.latent = part(at, R1_KV_PAGE * width);
    if (expanded) {
        s.turned = part(at, R1_KV_PAGE * width);
        s.w_k = part(at, lora * nope);
        s.w_v = part(at, v_dim * lora);
    }
    return s;
}

size_t r1_attention_scratch(const r1_model *m, size_t rows)
{
    parts p = { 0 };
    lay_out(&m->c, m->c.mla && m->options.mla_expanded, rows, &p);
    return p.n;
}

/* Rows of n values from the cache as floats: in place where they are floats. */
static const float *widen(const r1_attention *a, r1_kv_type type, float *buf, const uint8_t *src, size_t n_keys, size_t n)
{
    if (type == R1_KV_F32) return (const float *)(const void *)src;
    size_t row = r1_kv_row_bytes(type, n);
    for (size_t t = 0; t < n_keys; t++) r1_kv_load(type, &a->f->m->k, buf + t * n, src + t * row, n);
    return buf;
}

/* Keys and values of one head from latents: k = [W_UK c ; k_pe], v = W_UV c. */
static void expand(const r1_attention *a, scratch *s, const float *latent, size_t n_keys)
{
    const r1_config *c = &a->f->m->c;
    const r1_kernels *k = &a->f->m->k;
    size_t lora = (size_t)c->kv_lora, nope = (size_t)c->nope_dim, rope = (size_t)c->rope.dim, width = lora + rope;
    k->transpose(s->turned, R1_KV_PAGE, latent, width, n_keys, width);
    k->scores[R1_F32](s->k, R1_KV_PAGE, s->w_k, lora, nope, s->turned, R1_KV_PAGE, n_keys, lora, NULL);
    memcpy(s->k + nope * R1_KV_PAGE, s->turned + lora * R1_KV_PAGE, rope * R1_KV_PAGE * sizeof(float));
    k->matmul_f32(s->v, a->value_dim, s->w_v, lora * sizeof(float), (size_t)c->v_dim, latent, width, n_keys, lora);
}

static block load_latents(const r1_attention *a, const uint8_t *src, r1_kv_type type, size_t n_keys, scratch *s)
{
    const r1_config *c = &a->f->m->c;
    size_t width = (size_t)(c->kv_lora + c->rope.dim);
    const float *latent = widen(a, type, s->latent, src, n_keys, width);
    if (a->expanded) {
        expand(a, s, latent, n_keys);
        return (block){ s->k, s->v, NULL, a->value_dim, R1_F32, R1_F32 };
    }
    a->f->m->k.transpose(s->k, R1_KV_PAGE, latent, width, n_keys, width);
    return (block){ s->k, latent, NULL, width, R1_F32, R1_F32 }; /* the value is the start of the key */
}

static block load_block(const r1_attention *a, const r1_span *span, size_t head, size_t first_key, size_t n_keys, scratch *s)
{
    const r1_kernels *k = &a->f->m->k;
    r1_kv_type type = r1_kv_shape_of(span->kv)->type;
    bool latents = a->f->m->c.mla;
    const uint8_t *keys = r1_kv_keys(span->kv, a->layer_index, latents ? 0 : (int)head, first_key), *values;
    if (latents) return load_latents(a, keys, type, n_keys, s);
    values = r1_kv_values(span->kv, a->layer_index, (int)head, first_key);
    if (type != R1_KV_Q8_0) return (block){ keys, values, NULL, a->value_dim, type_of(type), type_of(type) };
    for (size_t j = 0; j < a->key_dim; j += 32, keys += R1_KV_PAGE * 34)
        k->decode_q8_columns(s->k + j * R1_KV_PAGE, (const uint16_t *)(const void *)keys, (const int8_t *)keys + R1_KV_PAGE * 2,
                             r1_min(32, a->key_dim - j), R1_KV_PAGE);
    return (block){ s->k, widen(a, type, s->v, values, n_keys, a->value_dim), NULL, a->value_dim, R1_F32, R1_F32 };
}

typedef struct work {
    const r1_attention *a;
    size_t n_heads;      /* of keys (the cache's, or the model's when expanded) */
    size_t group;        /* query heads of one key head */
} work;

static work work_of(const r1_attention *a)
{
    const r1_config *c = &a->f->m->c;
    const size_t H = (size_t)c->n_heads, n_heads = a->expanded ? H : (size_t)c->n_kv_heads;
    return (work){ a, n_heads, H / n_heads };
}

static void attend_block(const work *w, const r1_span *span, size_t base, const r1_tile *tile, size_t head, size_t first_key, size_t n_keys, scratch *s)
{
    const r1_attention *a = w->a;
    const r1_kernels *k = &a->f->m->k;
    size_t row = 0;
    block b = load_block(a, span, head, first_key, n_keys, s);
    if (base + (tile->first + tile->n - 1) / w->group >= first_key + R1_KV_PAGE)
        b.next = r1_kv_keys(span->kv, a->layer_index, a->f->m->c.mla ? 0 : (int)head, first_key + R1_KV_PAGE);
    while (base + (tile->first + row) / w->group < first_key) row++; /* rows that ended before this block */
    const size_t from = row;
    for (size_t end; row < tile->n; row = end) {
        end = r1_min(tile->n, row + ROWS_AT_ONCE);
        k->scores[b.key_type](s->s, R1_KV_PAGE, s->q + row * a->key_dim, a->key_dim, end - row, b.keys, R1_KV_PAGE, n_keys, a->key_dim,
                              row == from ? b.values : NULL);
        for (size_t r = row, next; r < end; r = next) { /* rows that see the same keys together */
            size_t sees = r1_min(n_keys, base + (tile->first + r) / w->group + 1 - first_key);
            for (next = r; next < end && r1_min(n_keys, base + (tile->first + next) / w->group + 1 - first_key) == sees;) next++;
            float *p = s->s + (r - row) * R1_KV_PAGE;
            k->soften(p, R1_KV_PAGE, next - r, sees, s->max + r, s->sum + r, s->shrink + r);
            k->mix[b.value_type](s->o + r * a->value_dim, a->value_dim, s->shrink + r, p, R1_KV_PAGE, next - r, b.values, b.ldv, sees, a->value_dim,
                              r == from ? b.next : NULL);
        }
    }
}

/* Expanded form: the weights of a head. s->k is free yet. */
static void decode_head(const r1_attention *a, size_t head, scratch *s)
{
    const r1_kernels *k = &a->f->m->k;
    const r1_weight *k_b = &a->layer->k_b[head], *v_b = &a->layer->v_b[head];
    for (size_t r = 0; r < k_b->rows; r++) {
        r1_weight_decode(k_b, k, r, s->k);
        k->transpose(s->w_k + r, k_b->rows, s->k, k_b->k, 1, k_b->k);
    }
    for (size_t r = 0; r < v_b->rows; r++) r1_weight_decode(v_b, k, r, s->w_v + r * v_b->k);
}

/* A tile of one head; token0: the run's tokens before its span. */
static void attend_tile(const work *w, const r1_tile *tile, size_t token0, size_t head, int thread)
{
    const r1_attention *a = w->a;
    const r1_forward *f = a->f;
    const r1_kernels *k = &f->m->k;
    size_t H = w->n_heads * w->group, skip = a->first;
    const r1_span *span = &f->spans[tile->span];
    /* The part of the span inside [first, first + n): its first token has position `base`, its column is token0 - first. */
    size_t cut = skip > token0 ? skip - token0 : 0, base = span->pos + cut, column = token0 + cut - skip;
    scratch s = lay_out(&f->m->c, a->expanded, f->tile_rows, &(parts){ f->attn_scratch + (size_t)thread * f->attn_floats, 0 });
    /* With one key head the rows of a tile lie together: queries are scaled and results made where they are. */
    const bool together = w->n_heads == 1;
    if (together) {
        s.q = a->q + (column * H + tile->first) * a->key_dim;
        s.o = a->o + (column * H + tile->first) * a->value_dim;
    }
    for (size_t r = 0; r < tile->n; r++) {
        size_t at = (column + (tile->first + r) / w->group) * H + head * w->group + (tile->first + r) % w->group;
        if (!together) memcpy(s.q + r * a->key_dim, a->q + at * a->key_dim, a->key_dim * sizeof(float));
        k->scale(s.q + r * a->key_dim, f->m->c.softmax_scale, a->key_dim);
        s.max[r] = -INFINITY;
        s.sum[r] = 0;
    }
    memset(s.o, 0, tile->n * a->value_dim * sizeof(float));
    if (a->expanded) decode_head(a, head, &s);
    size_t n_keys = base + (tile->first + tile->n - 1) / w->group + 1;
    for (size_t t = 0; t < n_keys; t += R1_KV_PAGE)
        attend_block(w, span, base, tile, head, t, r1_min(R1_KV_PAGE, n_keys - t), &s);
    for (size_t r = 0; r < tile->n; r++) {
        size_t at = (column + (tile->first + r) / w->group) * H + head * w->group + (tile->first + r) % w->group;
        k->scale(s.o + r * a->value_dim, 1.0f / s.sum[r], a->value_dim);
        if (!together) memcpy(a->o + at * a->value_dim, s.o + r * a->value_dim, a->value_dim * sizeof(float));
    }
}

static void attend_piece(void *ctx, size_t i, int thread)
{
    const work *w = ctx;
    const r1_forward *f = w->a->f;
    const r1_tile *tile = &f->tiles[f->n_tiles - 1 - i / w->n_heads]; /* the last see most keys: begin with them */
    size_t token0 = 0;
    for (size_t j = 0; j < tile->span; j++) token0 += f->spans[j].n;
    attend_tile(w, tile, token0, i % w->n_heads, thread);
}

void r1_attend_token(const r1_attention *a, size_t c, int thread)
{
    const work w = work_of(a);
    const size_t tile_rows = a->f->tile_rows;
    for (size_t head = 0; head < w.n_heads; head++)
        for (size_t r = 0; r < w.group; r += tile_rows)
            attend_tile(&w, &(r1_tile){ (uint32_t)c, (uint32_t)r, (uint32_t)r1_min(tile_rows, w.group - r) }, c, head, thread);
}

void r1_attend(const r1_attention *a)
{
    r1_forward *f = a->f;
    work w = work_of(a);
    size_t token0 = 0;
    f->n_tiles = 0;
    for (size_t i = 0; i < f->n_spans; token0 += f->spans[i++].n) {
        size_t lo = r1_max(token0, a->first), hi = r1_min(token0 + f->spans[i].n, a->first + a->n);
        if (lo >= hi) continue;
        size_t rows = (hi - lo) * w.group;
        for (size_t r = 0; r < rows; r += f->tile_rows)
            f->tiles[f->n_tiles++] = (r1_tile){ (uint32_t)i, (uint32_t)r, (uint32_t)r1_min(f->tile_rows, rows - r) };
    }
    r1_pool_run(f->pool, f->n_tiles * w.n_heads, attend_piece, &w);
}
