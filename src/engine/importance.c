/* Sums of squares of activations, by weight.
 *
 * Weights are found by their address in a table that grows as new ones are met. A call of the observer adds all products of a
 * region: pieces are blocks of columns, and a piece goes through the products and their tokens in order, so each sum is
 * one chain of additions whatever the threads. */
#include "engine/importance.h"
#include "engine/engine_int.h"

#include <math.h>

enum { COLUMNS = 64 /* of a piece: two cache lines of sums are eight; enough pieces for many threads */ };

typedef struct slot {
    const r1_weight *w;
    double *sum2;                /* [k] */
    uint64_t count;
} slot;

struct r1_importance {
    r1_engine *e;
    slot *slots;                 /* [n], in the order met; sorted by _list */
    size_t n, cap;
    uint32_t *table;             /* open addressing: index + 1 of a slot, 0: empty */
    size_t table_size;           /* a power of two, at least twice cap */
    size_t *found;               /* [cap_found] slots of the products of the current call */
    size_t cap_found;
    bool failed;                 /* no memory */
    r1_importance_tensor *list;
    size_t n_list;
};

void r1_importance_free(r1_importance *m)
{
    if (!m) return;
    r1_forward_observe(m->e->forward, NULL, NULL);
    for (size_t i = 0; i < m->n; i++) free(m->slots[i].sum2);
    free(m->slots);
    free(m->table);
    free(m->found);
    free(m->list);
    free(m);
}

/* ---- finding a weight's sums ----------------------------------------------------------------------------------- */

static size_t place_of(const r1_importance *m, const r1_weight *w)
{
    size_t mask = m->table_size - 1, i = (size_t)((uint64_t)(uintptr_t)w * 0x9E3779B97F4A7C15u >> 32) & mask;
    while (m->table[i] && m->slots[m->table[i] - 1].w != w) i = (i + 1) & mask;
    return i;
}

static bool index_slots(r1_importance *m)
{
    size_t size = 1024;
    while (size < 2 * m->cap) size *= 2;
    uint32_t *t = calloc(size, sizeof *t);
    if (!t) return false;
    free(m->table);
    m->table = t;
    m->table_size = size;
    for (size_t i = 0; i < m->n; i++) m->table[place_of(m, m->slots[i].w)] = (uint32_t)i + 1;
    return true;
}

static bool grow(r1_importance *m)
{
    size_t cap = m->cap ? 2 * m->cap : 512;
    slot *s = realloc(m->slots, cap * sizeof *s);
    if (!s) return false;
    m->slots = s;
    m->cap = cap;
    return index_slots(m);
}

/* The slot of a weight, made if there is none; SIZE_MAX: no memory. */
static size_t find(r1_importance *m, const r1_weight *w)
{
    size_t i = place_of(m, w);
    if (m->table[i]) return m->table[i] - 1;
    if (m->n == m->cap) {
        if (!grow(m)) return SIZE_MAX;
        i = place_of(m, w);
    }
    double *sums = calloc(w->k, sizeof *sums);
    if (!sums) return SIZE_MAX;
    m->slots[m->n] = (slot){ .w = w, .sum2 = sums };
    m->table[i] = (uint32_t)++m->n;
    return m->n - 1;
}

/* ---- adding ---------------------------------------------------------------------------------------------------- */

typedef struct call {
    r1_importance *m;
    const r1_product *p;
    size_t n;
    const r1_input *in;
} call;

static void add_columns(void *ctx, size_t piece, int thread)
{
    const call *a = ctx;
    size_t first = piece * COLUMNS, end = r1_min(a->in->K, first + COLUMNS);
    (void)thread;
    for (size_t i = 0; i < a->n; i++) {
        if (a->m->found[i] == SIZE_MAX) continue;
        double *sum = a->m->slots[a->m->found[i]].sum2;
        for (size_t c = a->p[i].c0; c < a->p[i].c0 + a->p[i].C; c++) {
            const float *x = a->in->x + c * a->in->ldx;
            for (size_t j = first; j < end; j++) sum[j] += (double)x[j] * (double)x[j];
        }
    }
}

static void look(void *ctx, r1_exec *e, const r1_product *p, size_t n, const r1_input *in)
{
    call a = { ctx, p, n, in };
    r1_importance *m = a.m;
    if (n > m->cap_found) {
        size_t *f = realloc(m->found, n * sizeof *f);
        if (!f) m->failed = true;
        else m->found = f, m->cap_found = n;
    }
    for (size_t i = 0; i < n && !m->failed; i++) {
        m->found[i] = SIZE_MAX;
        if (!p[i].w->name || !p[i].C) continue;
        m->found[i] = find(m, p[i].w);
        if (m->found[i] == SIZE_MAX) m->failed = true;
        else m->slots[m->found[i]].count += p[i].C;
    }
    if (!m->failed) r1_pool_run(e->pool, r1_ceil_div(in->K, COLUMNS), add_columns, &a);
}

r1_status r1_importance_new(r1_importance **out, r1_engine *e, r1_error *err)
{
    *out = NULL;
    r1_importance *m = calloc(1, sizeof *m);
    if (!m) return r1_fail(err, R1_ENOMEM, "no memory for an importance matrix");
    m->e = e;
    if (!grow(m)) {
        r1_importance_free(m);
        return r1_fail(err, R1_ENOMEM, "no memory for an importance matrix");
    }
    r1_forward_observe(e->forward, look, m);
    *out = m;
    return R1_OK;
}

r1_status r1_importance_run(r1_importance *m, r1_session *s, const int32_t *ids, size_t n, r1_error *err)
{
    r1_session_truncate(s, 0);
    r1_status st = r1_session_check(s, ids, n, err);
    if (st) return st;
    m->n_list = 0;
    r1_kv_resize(s->kv, n);
    for (size_t i = 0; i < n && !m->failed; i += m->e->chunk) {
        r1_span span = { s->kv, ids + i, i, r1_min(m->e->chunk, n - i) };
        r1_forward_run(m->e->forward, &span, 1, NULL);
        r1_forward_show_head(m->e->forward);
    }
    r1_kv_resize(s->kv, 0);
    return m->failed ? r1_fail(err, R1_ENOMEM, "no memory for the sums of %zu weights", m->n + 1) : R1_OK;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static int compare_slots(const void *a, const void *b)
{
    const r1_weight *x = ((const slot *)a)->w, *y = ((const slot *)b)->w;
    int c = strcmp(x->name, y->name);
    if (c) return c;
    if (x->keys != y->keys) return x->keys ? 1 : -1;
    if (x->part != y->part) return x->part < y->part ? -1 : 1;
    return (x > y) - (x < y); /* slices of one matrix stand in the order of the heads */
}

static r1_status check_sums(const slot *s, r1_error *err)
{
    for (size_t j = 0; j < s->w->k; j++)
        if (!isfinite((float)s->sum2[j]))
            return r1_fail(err, R1_EFORMAT, "what meets column %zu of tensor '%s' is not finite; the model computes infinities on this text", j, s->w->name);
    return R1_OK;
}

r1_status r1_importance_list(r1_importance *m, const r1_importance_tensor **list, size_t *n, r1_error *err)
{
    *list = NULL;
    *n = m->n_list = 0;
    free(m->list);
    m->list = calloc(r1_max(m->n, 1), sizeof *m->list);
    if (!m->list) return r1_fail(err, R1_ENOMEM, "no memory for a list of %zu weights", m->n);
    if (m->n) qsort(m->slots, m->n, sizeof *m->slots, compare_slots);
    for (size_t i = 0; i < m->table_size; i++) m->table[i] = 0; /* the slots have moved */
    for (size_t i = 0; i < m->n; i++) m->table[place_of(m, m->slots[i].w)] = (uint32_t)i + 1;
    for (size_t i = 0; i < m->n; i++) {
        const slot *s = &m->slots[i];
        r1_status st = check_sums(s, err);
        if (st) return st;
        bool same = i && !strcmp(s->w->name, s[-1].w->name) && s->w->keys == s[-1].w->keys;
        if (!same) m->list[m->n_list++] = (r1_importance_tensor){ .name = s->w->name, .keys = s->w->keys, .k = s->w->k, .n_matrices = r1_max(1, s->w->n_parts), .first = i };
        r1_importance_tensor *t = &m->list[m->n_list - 1];
        t->n++;
        t->n_met += !same || s->w->part != s[-1].w->part;
    }
    *list = m->list;
    *n = m->n_list;
    return R1_OK;
}

void r1_importance_values(const r1_importance *m, const r1_importance_tensor *t, float *sum2, float *counts)
{
    memset(sum2, 0, t->n_matrices * t->k * sizeof *sum2);
    memset(counts, 0, t->n_matrices * sizeof *counts);
    for (size_t i = t->first; i < t->first + t->n;) {
        size_t part = m->slots[i].w->part, end = i;
        uint64_t count = 0;
        while (end < t->first + t->n && m->slots[end].w->part == part) count += m->slots[end++].count;
        for (size_t j = 0; j < t->k; j++) {
            double sum = 0;
            for (size_t s = i; s < end; s++) sum += m->slots[s].sum2[j];
            sum2[part * t->k + j] = (float)sum;
        }
        counts[part] = (float)count;
        i = end;
    }
}

void r1_importance_slices(const r1_importance *m, const r1_importance_tensor *t, float *sum2, float *counts)
{
    for (size_t i = 0; i < t->n; i++) {
        const slot *s = &m->slots[t->first + i];
        for (size_t j = 0; j < t->k; j++) sum2[i * t->k + j] = (float)s->sum2[j];
        counts[i] = (float)s->count;
    }
}
