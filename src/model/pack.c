/* Writing packed files.
 *
 * The source is opened as a model in the reference form, which packs nothing but binds every tensor: so what is missing,
 * misshapen or left over is refused before a byte is written, and which tensor is what is known. Then a plan is made,
 * a list of tensors with where their bytes come from, and written in order, panels made by all threads a few MB at a time.
 * Special cases: the embedding stays in rows (they are looked up one by one) and, where it is the head too, is written
 * once more in panels; the prediction module is never packed; a combined attn_kv_b becomes attn_k_b and attn_v_b, as the
 * binder makes them, for panels cannot begin inside others.
 */
#include "model/pack.h"
#include "format/gguf_write.h"
#include "model/model_int.h"

#include <stdio.h>

enum { PIECE_BYTES = 8 << 20, ALIGNMENT = 4096 /* tensors start on pages, so advice about one does not reach the next */ };

typedef enum source { COPY, PANELS, TRANSPOSED_KEYS, VALUES } source;

typedef struct item {
    source from;
    const r1_ckpt_tensor *t;
    r1_layer *layer;          /* TRANSPOSED_KEYS, VALUES: the layer whose heads these are */
    char name[160];
    uint64_t ne[4];
    int n_dims;
    r1_type type;             /* before packing */
} item;

typedef struct packer {
    r1_model *m;
    r1_pool *pool;
    r1_gguf_out *w;
    item *items;
    size_t n;
    uint8_t *piece;           /* [PIECE_BYTES], or one panel if that is more */
    r1_pack_result *result;
    r1_error *err;
} packer;

/* ---- the plan -------------------------------------------------------------------------------------------------- */

static item *add(packer *p, source from, const r1_ckpt_tensor *t, const char *name)
{
    item *i = &p->items[p->n++];
    *i = (item){ .from = from, .t = t, .n_dims = t->n_dims, .type = t->type };
    memcpy(i->ne, t->ne, sizeof i->ne);
    snprintf(i->name, sizeof i->name, "%s", name);
    return i;
}

/* "blk.12.attn_q.weight": 12, and *rest "attn_q.weight"; -1 for a tensor of no layer. */
static int layer_of(const char *name, const char **rest)
{
    int layer = -1, n = 0;
    *rest = name;
    if (sscanf(name, "blk.%6d.%n", &layer, &n) != 1 || !n) return -1;
    *rest = name + n;
    return layer;
}

static bool has_combined(const packer *p, int layer)
{
    char name[64];
    snprintf(name, sizeof name, "blk.%d.attn_kv_b.weight", layer);
    return r1_ckpt_find(p->m->ckpt, name) != NULL;
}

static void plan_combined(packer *p, const r1_ckpt_tensor *t, int layer)
{
    const r1_config *c = &p->m->c;
    char name[64];
    snprintf(name, sizeof name, "blk.%d.attn_k_b.weight", layer);
    item *k = add(p, TRANSPOSED_KEYS, t, name);
    k->layer = &p->m->layers[layer];
    k->type = k->layer->k_b[0].type;
    k->n_dims = 3;
    memcpy(k->ne, (uint64_t[]){ (uint64_t)c->nope_dim, (uint64_t)c->kv_lora, (uint64_t)c->n_heads, 1 }, sizeof k->ne);
    snprintf(name, sizeof name, "blk.%d.attn_v_b.weight", layer);
    item *v = add(p, VALUES, t, name);
    v->layer = k->layer;
    v->n_dims = 3;
    memcpy(v->ne, (uint64_t[]){ (uint64_t)c->kv_lora, (uint64_t)c->v_dim, (uint64_t)c->n_heads, 1 }, sizeof v->ne);
}

static void plan_tensor(packer *p, const r1_ckpt_tensor *t)
{
    const r1_config *c = &p->m->c;
    const char *part;
    int layer = layer_of(t->name, &part);
    bool blocks = r1_type_get(t->type)->quantised && t->n_dims > 1, in_model = layer >= 0 && layer < c->n_layers;
    if (in_model && c->mla && blocks && !strcmp(part, "attn_kv_b.weight")) {
        plan_combined(p, t, layer);
    } else if (in_model && c->mla && (!strcmp(part, "attn_k_b.weight") || !strcmp(part, "attn_v_b.weight")) && has_combined(p, layer)) {
        return; /* a file with both forms: the binder takes the combined one */
    } else {
        bool rows = !strcmp(part, "ffn_gate_inp.weight"); /* the router meets exact inputs */
        add(p, blocks && ((in_model && !rows) || !strcmp(t->name, "output.weight")) ? PANELS : COPY, t, t->name);
    }
    if (!strcmp(t->name, "token_embd.weight") && c->tied && blocks) add(p, PANELS, t, "output.weight");
}

static r1_status plan(packer *p, const char *src)
{
    const r1_ckpt *k = p->m->ckpt;
    size_t n = r1_ckpt_n_tensors(k);
    p->items = calloc(2 * n + 1, sizeof *p->items);
    if (!p->items) return r1_fail(p->err, R1_ENOMEM, "no memory for a list of %zu tensors", n);
    for (size_t i = 0; i < n; i++) plan_tensor(p, r1_ckpt_at(k, i));
    for (size_t i = 0; i < p->n; i++)
        if (p->items[i].from == PANELS || p->items[i].from == VALUES) return R1_OK;
    return r1_fail(p->err, R1_EUNSUPPORTED, "'%s' has no quantised matrix; there is nothing to pack, weights of floats are used where they lie", src);
}

static bool is_packed(const item *i) { return i->from == PANELS || i->from == VALUES; }

static uint64_t bytes_of(const item *i)
{
    uint64_t matrices = i->ne[2] * i->ne[3];
    if (is_packed(i)) return matrices * r1_packed_bytes(i->type, (size_t)i->ne[1], (size_t)i->ne[0]);
    return matrices * i->ne[1] * r1_row_bytes(i->type, (size_t)i->ne[0]);
}

/* Header: the source's metadata, what a packed file adds, the tensors. */
static r1_status declare(packer *p)
{
    r1_error *err = p->err;
    r1_status s = r1_gguf_out_copy_keys(p->w, r1_ckpt_gguf(p->m->ckpt), err);
    if (s == R1_OK) s = r1_gguf_out_align(p->w, ALIGNMENT, err);
    if (s == R1_OK) s = r1_gguf_out_u32(p->w, R1_PACKED_VERSION_KEY, R1_PACKED_VERSION, err);
    if (s == R1_OK && p->m->c.tied) s = r1_gguf_out_bool(p->w, R1_PACKED_TIED_KEY, true, err);
    for (size_t i = 0; i < p->n && s == R1_OK; i++) {
        const item *x = &p->items[i];
        r1_gguf_info info = { .name = x->name, .type = (unsigned)x->type + (is_packed(x) ? R1_PACKED_ID : 0), .n_dims = x->n_dims, .bytes = bytes_of(x) };
        memcpy(info.ne, x->ne, sizeof info.ne);
        s = r1_gguf_out_tensor(p->w, &info, err);
        p->result->n_packed += is_packed(x);
        p->result->packed_bytes += is_packed(x) ? info.bytes : 0;
    }
    p->result->n_tensors = p->n;
    p->result->bytes = r1_gguf_out_bytes(p->w);
    return s;
}

/* ---- the data -------------------------------------------------------------------------------------------------- */

typedef struct panels {
    const r1_ckpt_tensor *t;
    const uint8_t *src;       /* rows of one matrix */
    size_t first, rows, stride; /* first: panel at dst */
    uint8_t *dst;
} panels;

static void make_panel(void *ctx, size_t i, int thread)
{
    const panels *j = ctx;
    size_t row = (j->first + i) * R1_PANEL;
    (void)thread;
    r1_pack_panel(j->t->type, j->dst + i * R1_PANEL * j->stride, j->src + row * j->stride, j->stride, j->rows - row, (size_t)j->t->ne[0]);
}

/* One matrix of `rows` rows. */
static r1_status write_panels(packer *p, const r1_ckpt_tensor *t, const uint8_t *src, size_t rows)
{
    panels j = { .t = t, .src = src, .rows = rows, .stride = r1_row_bytes(t->type, (size_t)t->ne[0]), .dst = p->piece };
    size_t n = r1_ceil_div(rows, R1_PANEL), bytes = R1_PANEL * j.stride, most = r1_max(1, PIECE_BYTES / bytes);
    r1_status s = R1_OK;
    for (; j.first < n && s == R1_OK; j.first += most) {
        size_t k = r1_min(most, n - j.first);
        r1_pool_run(p->pool, k, make_panel, &j);
        s = r1_gguf_out_data(p->w, p->piece, k * bytes, p->err);
    }
    return s;
}

/* The value rows of each head of a combined tensor. */
static r1_status write_values(packer *p, const item *x)
{
    const r1_config *c = &p->m->c;
    size_t nope = (size_t)c->nope_dim, v = (size_t)c->v_dim, stride = r1_row_bytes(x->type, (size_t)x->ne[0]);
    r1_status s = R1_OK;
    for (size_t h = 0; h < (size_t)c->n_heads && s == R1_OK; h++) s = write_panels(p, x->t, x->t->data + (h * (nope + v) + nope) * stride, v);
    return s;
}

static r1_status write_item(packer *p, const item *x)
{
    r1_status s = R1_OK;
    size_t row = r1_row_bytes(x->type, (size_t)x->ne[0]), rows = (size_t)x->ne[1];
    switch (x->from) {
    case COPY:
        for (uint64_t at = 0; at < x->t->bytes && s == R1_OK; at += PIECE_BYTES)
            s = r1_gguf_out_data(p->w, x->t->data + at, r1_min(PIECE_BYTES, (size_t)(x->t->bytes - at)), p->err);
        break;
    case PANELS:
        for (uint64_t i = 0; i < x->ne[2] * x->ne[3] && s == R1_OK; i++) s = write_panels(p, x->t, x->t->data + i * rows * row, rows);
        break;
    case TRANSPOSED_KEYS:
        for (uint64_t h = 0; h < x->ne[2] && s == R1_OK; h++) s = r1_gguf_out_data(p->w, x->layer->k_b[h].data, rows * row, p->err);
        break;
    case VALUES: s = write_values(p, x); break;
    }
    r1_map_forget(x->t->map, x->t->data, (size_t)x->t->bytes);
    return r1_context(p->err, s, "tensor '%s'", x->name);
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

static bool watch(void *ctx, uint64_t done, uint64_t total)
{
    const r1_pack_options *o = ctx;
    return o->progress(o->progress_ctx, (double)done / (double)r1_max(total, 1));
}

static r1_status open_source(packer *p, const char *src, const char *dst, int n_threads)
{
    const r1_model_options mo = { .activations = R1_ACTIVATIONS_F32, .n_threads = n_threads };
    r1_status s = r1_model_open(&p->m, src, &mo, p->err);
    if (s) return s;
    if (!r1_ckpt_gguf(p->m->ckpt))
        return r1_fail(p->err, R1_EUNSUPPORTED, "'%s' is a Hugging Face folder; a packed file is made from a GGUF file, see `r1 help convert`", src);
    if (r1_ckpt_packed(p->m->ckpt)) return r1_fail(p->err, R1_EUNSUPPORTED, "'%s' is packed already", src);
    s = r1_ckpt_check_target(p->m->ckpt, dst, p->err);
    if (s) return s;
    p->result->source_bytes = r1_ckpt_file_bytes(p->m->ckpt);
    p->result->parameters = p->m->info.parameters;
    return R1_OK;
}

static r1_status write_all(packer *p, const char *dst, bool force)
{
    size_t panel = 0;
    for (size_t i = 0; i < p->n; i++) panel = r1_max(panel, R1_PANEL * r1_row_bytes(p->items[i].type, (size_t)p->items[i].ne[0]));
    p->piece = r1_alloc_scratch(r1_max(PIECE_BYTES, panel));
    if (!p->piece) return r1_fail(p->err, R1_ENOMEM, "no memory for %zu bytes of panels", r1_max(PIECE_BYTES, panel));
    r1_status s = r1_gguf_out_begin(p->w, dst, force, p->err);
    for (size_t i = 0; i < p->n && s == R1_OK; i++) s = write_item(p, &p->items[i]);
    return s == R1_OK ? r1_gguf_out_finish(p->w, p->err) : s;
}

r1_status r1_pack(const char *src, const char *dst, const r1_pack_options *options, r1_pack_result *out, r1_error *err)
{
    packer p = { .result = out, .err = err };
    int threads = options->n_threads ? options->n_threads : r1_physical_cores();
    *out = (r1_pack_result){ 0 };
    r1_status s = open_source(&p, src, dst, threads);
    if (s == R1_OK) s = plan(&p, src);
    if (s == R1_OK) s = r1_pool_new(&p.pool, threads, err);
    if (s == R1_OK) s = r1_gguf_out_new(&p.w, err);
    if (s == R1_OK) s = declare(&p);
    if (s == R1_OK) r1_gguf_out_tell(p.w, options->temporary, options->temporary_ctx);
    if (s == R1_OK && options->progress) r1_gguf_out_watch(p.w, watch, (void *)options);
    if (s == R1_OK) s = write_all(&p, dst, options->force);
    r1_gguf_out_free(p.w);
    r1_pool_free(p.pool);
    free(p.piece);
    free(p.items);
    r1_model_close(p.m);
    return s;
}
