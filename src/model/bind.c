/* Binding: from names in a file to weights ready for kernels.
 *
 * Every tensor of the file must be asked for exactly by the family's binder; what is missing, misshapen or left over is
 * an error that names it. Quantised matrices are repacked into panels here, once, and their file pages given back.
 */
#include "model/model_int.h"
#include "base/half.h"

#include <stdio.h>

static bool failed(const r1_binder *b) { return b->s != R1_OK; }

static void *keep(r1_binder *b, size_t bytes, void *(*alloc)(size_t))
{
    r1_model *m = b->m;
    if (failed(b)) return NULL;
    if (m->n_owned == m->cap_owned) {
        size_t cap = m->cap_owned ? m->cap_owned * 2 : 64;
        void **p = realloc(m->owned, cap * sizeof *p);
        if (!p) {
            b->s = r1_fail(b->err, R1_ENOMEM, "no memory for a table of %zu weights", cap);
            return NULL;
        }
        m->owned = p;
        m->cap_owned = cap;
    }
    void *p = alloc(bytes);
    if (!p)
        b->s = r1_fail(b->err, R1_ENOMEM, "no memory for weights: %.1f MiB are needed in all, %.1f MiB is available", (double)r1_ckpt_file_bytes(m->ckpt) / 1048576,
                       (double)r1_memory_available() / 1048576);
    else m->owned[m->n_owned++] = p;
    return p;
}

static bool packs(const r1_binder *b, r1_type t)
{
    r1_activations a = b->m->options.activations;
    return !b->no_pack && (a == R1_ACTIVATIONS_AUTO || a == R1_ACTIVATIONS_INT8) && r1_type_get(t)->quantised && b->m->k.matmul_q8[t];
}

void r1_bind_check_memory(r1_binder *b)
{
    const r1_ckpt *c = b->m->ckpt;
    uint64_t needed = 0, available = r1_memory_available();
    for (size_t i = 0; i < r1_ckpt_n_tensors(c); i++)
        if (packs(b, r1_ckpt_at(c, i)->type) && !r1_ckpt_at(c, i)->packed) needed += r1_ckpt_at(c, i)->bytes;
    if (needed > available)
        b->s = r1_fail(b->err, R1_ENOMEM, "the weights need %.1f MiB, %.1f MiB is available; --activations f32 leaves them in the file, and is slow",
                       (double)needed / 1048576, (double)available / 1048576);
}

void *r1_bind_alloc(r1_binder *b, size_t bytes) { return keep(b, bytes, r1_alloc_aligned); }

static const r1_ckpt_tensor *find(r1_binder *b, bool required, const char *name)
{
    if (failed(b)) return NULL;
    const r1_ckpt_tensor *t = r1_ckpt_find(b->m->ckpt, name);
    if (t && !b->no_pack) {
        if (!b->head_is_copy || strcmp(name, "output.weight")) b->elements += t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3];
        b->bytes += t->bytes;
    }
    if (t) b->used[t - r1_ckpt_at(b->m->ckpt, 0)] = true;
    else if (required) b->s = r1_fail(b->err, R1_EFORMAT, "tensor '%s' is missing", name);
    return t;
}

const r1_ckpt_tensor *r1_bind_find(r1_binder *b, bool required, const char *fmt, ...)
{
    char name[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    return find(b, required, name);
}

void r1_bind_ignore(r1_binder *b, const char *name)
{
    const r1_ckpt_tensor *t = failed(b) ? NULL : r1_ckpt_find(b->m->ckpt, name);
    if (t) b->used[t - r1_ckpt_at(b->m->ckpt, 0)] = true;
}

static void shape_text(char *out, size_t cap, int n_dims, const uint64_t *ne)
{
    size_t at = 0;
    out[0] = 0;
    for (int i = n_dims - 1; i >= 0 && at < cap; i--)
        at += (size_t)snprintf(out + at, cap - at, "%llu%s", (unsigned long long)ne[i], i ? " x " : "");
}

bool r1_bind_shape(r1_binder *b, const r1_ckpt_tensor *t, int n_dims, const uint64_t *ne)
{
    if (failed(b) || !t) return false;
    bool same = true; /* dimensions of 1 at the end do not count */
    for (int i = 0; i < 4; i++) same = same && t->ne[i] == (i < n_dims ? ne[i] : 1);
    if (same) return true;
    char found[96], want[96];
    shape_text(found, sizeof found, t->n_dims, t->ne);
    shape_text(want, sizeof want, n_dims, ne);
    b->s = r1_fail(b->err, R1_EFORMAT, "tensor '%s' has shape [%s], expected [%s]", t->name, found, want);
    return false;
}

r1_weight r1_bind_view(const r1_ckpt_tensor *t)
{
    return (r1_weight){ .type = t->type, .rows = (size_t)t->ne[1], .k = (size_t)t->ne[0], .data = t->packed ? NULL : t->data,
                        .panels = t->packed ? t->data : NULL, .stride = r1_row_bytes(t->type, (size_t)t->ne[0]), .scale = t->scale,
                        .scale_ld = r1_ceil_div((size_t)t->ne[0], 128), .name = t->name, .n_parts = 1 };
}

typedef struct pack_job {
    const r1_weight *w;
    uint8_t *dst;
    size_t panels_a_piece;
} pack_job;

static void pack_piece(void *ctx, size_t i, int thread)
{
    const pack_job *j = ctx;
    const r1_weight *w = j->w;
    size_t panels = r1_ceil_div(w->rows, R1_PANEL), bytes = R1_PANEL * w->stride;
    (void)thread;
    for (size_t p = i * j->panels_a_piece; p < r1_min(panels, (i + 1) * j->panels_a_piece); p++)
        r1_pack_panel(w->type, j->dst + p * bytes, w->data + p * bytes, w->stride, w->rows - p * R1_PANEL, w->k);
}

/* Panels of a copy in memory; the pages of the file are given back. */
static void pack(r1_binder *b, r1_weight *w, const r1_ckpt_tensor *t)
{
    size_t panels = r1_ceil_div(w->rows, R1_PANEL), panel_bytes = R1_PANEL * w->stride;
    pack_job j = { .w = w, .dst = keep(b, panels * panel_bytes, r1_alloc_scratch) };
    if (!j.dst) return;
    if (w->rows % R1_PANEL) memset(j.dst + (panels - 1) * panel_bytes, 0, panel_bytes); /* rows that are not there */
    j.panels_a_piece = r1_max(1, (256 << 10) / panel_bytes);
    r1_pool_run(b->pool, r1_ceil_div(panels, j.panels_a_piece), pack_piece, &j);
    r1_map_forget(t->map, w->data, w->rows * w->stride);
    w->packed = j.dst;
}

void r1_bind_weight(r1_binder *b, r1_weight *out, const r1_ckpt_tensor *t, size_t first_row, size_t rows)
{
    if (failed(b)) return;
    r1_model *m = b->m;
    r1_weight view = r1_bind_view(t);
    size_t part = first_row / view.rows, in_part = first_row % view.rows; /* a stack is one tall matrix, of panels with each part padded */
    if (t->packed && in_part % R1_PANEL) {
        b->s = r1_fail(b->err, R1_EFORMAT, "tensor '%s' is packed whole, but a weight starts at its row %zu, expected a multiple of %d", t->name, in_part, R1_PANEL);
        return;
    }
    view.n_parts = (size_t)(t->ne[2] * t->ne[3]);
    *out = r1_weight_rows(&view, t->packed ? part * r1_round_up(view.rows, R1_PANEL) + in_part : first_row, rows);
    out->part = part;
    m->max_k = r1_max(m->max_k, out->k);
    if (t->type != R1_F32) m->all_f32 = false;
    if (!packs(b, t->type)) return;
    if (t->packed) out->packed = out->panels;
    else pack(b, out, t);
    const r1_model_options *o = &m->options; /* a head or a stack of experts takes long enough to be asked between */
    if (b->s == R1_OK && !t->packed && o->progress && !o->progress(o->progress_ctx, b->fraction)) b->s = r1_fail(b->err, R1_ECANCELLED, "loading was cancelled");
    if (r1_type_get(t->type)->by_256) m->need_256 = true;
    else m->need_32 = true;
}

void r1_bind_matrix(r1_binder *b, r1_weight *out, size_t rows, size_t k, const char *fmt, ...)
{
    char name[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    const r1_ckpt_tensor *t = find(b, true, name);
    if (r1_bind_shape(b, t, 2, (uint64_t[]){ k, rows })) r1_bind_weight(b, out, t, 0, rows);
}

void r1_bind_stack(r1_binder *b, r1_weight *first, size_t stride, size_t n, size_t rows, size_t k, const char *name)
{
    const r1_ckpt_tensor *t = find(b, true, name);
    if (!r1_bind_shape(b, t, 3, (uint64_t[]){ k, rows, n })) return;
    for (size_t i = 0; i < n; i++) r1_bind_weight(b, (r1_weight *)(void *)((char *)first + i * stride), t, i * rows, rows);
}

const float *r1_bind_vector(r1_binder *b, bool required, size_t n, const char *fmt, ...)
{
    char name[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    const r1_ckpt_tensor *t = find(b, required, name);
    if (!r1_bind_shape(b, t, 1, (uint64_t[]){ n })) return NULL;
    if (t->type != R1_F32 && t->type != R1_F16 && t->type != R1_BF16) {
        b->s = r1_fail(b->err, R1_EUNSUPPORTED, "tensor '%s' is %s%s; F32, F16 or BF16 are expected for a vector", t->name, t->packed ? "packed " : "",
                       r1_type_get(t->type)->name);
        return NULL;
    }
    float *v = r1_bind_alloc(b, n * sizeof *v);
    if (v) r1_decode(t->type, t->data, v, n);
    return v;
}

bool r1_bind_progress(r1_binder *b, int done, int total)
{
    const r1_model_options *o = &b->m->options;
    b->fraction = (double)done / total;
    if (b->s == R1_OK && o->progress && !o->progress(o->progress_ctx, b->fraction))
        b->s = r1_fail(b->err, R1_ECANCELLED, "loading was cancelled");
    return b->s == R1_OK;
}

void r1_bind_common(r1_binder *b, const char *embd, const char *norm, const char *head)
{
    r1_model *m = b->m;
    size_t D = (size_t)m->c.n_embd, V = (size_t)m->c.n_vocab;
    const r1_ckpt_tensor *e = find(b, true, embd);
    if (!r1_bind_shape(b, e, 2, (uint64_t[]){ D, V })) return;
    m->embd = r1_bind_view(e); /* rows are looked up one by one: stays as it is in the file */
    m->max_k = r1_max(m->max_k, m->embd.k);
    m->out_norm = r1_bind_vector(b, true, D, "%s", norm);
    const r1_ckpt_tensor *h = NULL;
    if (m->c.tied && !b->gguf) r1_bind_ignore(b, head); /* a directory that says "tied" may hold a copy of the embedding */
    else h = find(b, !m->c.tied, head);
    m->c.tied = !h;
    if (h && !r1_bind_shape(b, h, 2, (uint64_t[]){ D, V })) return;
    if (!failed(b)) r1_bind_weight(b, &m->head, h ? h : e, 0, V);
}
