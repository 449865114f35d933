/* Merging one piece: symbols are bytes at first; the neighbouring pair with the lowest rank is merged, the leftmost of
 * equals first, until no pair has a rank.
 *
 * Common: a piece is a word of a few bytes; two small arrays and a scan for the lowest rank beat everything else.
 * Rare: long pieces (a megabyte of one letter, runs of Chinese): a linked list and a heap, O(n log n). An entry of the heap
 * is rank and place; it is stale when the place has another rank by now. Two pairs never share a rank, so an entry whose
 * rank still holds is true whatever happened in between.
 */
#include "text/tokenizer_int.h"

#define SMALL 48 /* bytes; measured: where the heap begins to win */

void r1_bpe_deinit(r1_bpe *w)
{
    free(w->nodes);
    free(w->heap);
    *w = (r1_bpe){ 0 };
}

r1_status r1_ids_reserve(r1_ids *v, size_t more, r1_error *err)
{
    if (v->cap - v->n >= more) return R1_OK;
    size_t cap = r1_max(v->n + more, v->cap + v->cap / 2 + 64);
    int32_t *p = realloc(v->ids, cap * sizeof *p);
    if (!p) return r1_fail(err, R1_ENOMEM, "no memory for %zu token ids", cap);
    v->ids = p;
    v->cap = cap;
    return R1_OK;
}

static void encode_small(r1_bpe *w, const r1_tokenizer *t, const unsigned char *p, size_t n, r1_ids *out)
{
    uint32_t id[SMALL], rank[SMALL];
    unsigned char byte[SMALL];
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (t->byte_id[p[i]] < 0) continue;
        id[m] = (uint32_t)t->byte_id[p[i]];
        byte[m++] = p[i];
    }
    for (size_t i = 0; i + 1 < m; i++) rank[i] = t->byte_pairs[byte[i] << 8 | byte[i + 1]];
    while (m > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < m; i++)
            if (rank[i] < rank[best]) best = i;
        w->work += m;
        if (rank[best] == R1_NO_RANK) break;
        id[best] = t->merged[rank[best]];
        m--;
        for (size_t i = best + 1; i < m; i++) id[i] = id[i + 1];
        for (size_t i = best; i + 1 < m; i++) rank[i] = rank[i + 1];
        if (best + 1 < m) rank[best] = r1_pair_rank(t, id[best], id[best + 1]);
        if (best) rank[best - 1] = r1_pair_rank(t, id[best - 1], id[best]);
    }
    for (size_t i = 0; i < m; i++) out->ids[out->n++] = (int32_t)id[i];
}

/* ---- the heap: smallest first ---------------------------------------------------------------------------------- */

static void sift_down(r1_bpe *w, size_t i)
{
    uint64_t x = w->heap[i];
    for (size_t c; (c = 2 * i + 1) < w->n_heap; i = c) {
        if (c + 1 < w->n_heap && w->heap[c + 1] < w->heap[c]) c++;
        w->work++;
        if (w->heap[c] >= x) break;
        w->heap[i] = w->heap[c];
    }
    w->heap[i] = x;
}

static void heap_push(r1_bpe *w, uint64_t x)
{
    size_t i = w->n_heap++;
    for (; i && w->heap[(i - 1) / 2] > x; i = (i - 1) / 2) {
        w->heap[i] = w->heap[(i - 1) / 2];
        w->work++;
    }
    w->heap[i] = x;
}

static uint64_t heap_pop(r1_bpe *w)
{
    uint64_t x = w->heap[0];
    w->heap[0] = w->heap[--w->n_heap];
    if (w->n_heap) sift_down(w, 0);
    return x;
}

static r1_status reserve(r1_bpe *w, size_t n, r1_error *err)
{
    if (n >= UINT32_MAX) return r1_fail(err, R1_EINVAL, "a piece of %zu bytes is too long to merge", n);
    if (w->cap_nodes < n) {
        r1_bpe_node *p = realloc(w->nodes, n * sizeof *p);
        if (!p) return r1_fail(err, R1_ENOMEM, "no memory to merge %zu bytes", n);
        w->nodes = p;
        w->cap_nodes = n;
    }
    if (w->cap_heap < 3 * n) { /* n - 1 pairs at first, two more for each of at most n - 1 merges */
        uint64_t *p = realloc(w->heap, 3 * n * sizeof *p);
        if (!p) return r1_fail(err, R1_ENOMEM, "no memory to merge %zu bytes", n);
        w->heap = p;
        w->cap_heap = 3 * n;
    }
    return R1_OK;
}

#define END UINT32_MAX

/* The rank of a place and its right neighbour, remembered and queued. */
static void look(r1_bpe *w, const r1_tokenizer *t, uint32_t i)
{
    r1_bpe_node *x = &w->nodes[i];
    x->rank = x->next == END ? R1_NO_RANK : r1_pair_rank(t, x->id, w->nodes[x->next].id);
    if (x->rank != R1_NO_RANK) heap_push(w, (uint64_t)x->rank << 32 | i);
}

static r1_status encode_large(r1_bpe *w, const r1_tokenizer *t, const unsigned char *p, size_t n, r1_ids *out, r1_error *err)
{
    r1_status s = reserve(w, n, err);
    if (s) return s;
    uint32_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (t->byte_id[p[i]] < 0) continue;
        w->nodes[m] = (r1_bpe_node){ .id = (uint32_t)t->byte_id[p[i]], .rank = R1_NO_RANK, .prev = m ? m - 1 : END, .next = m + 1 };
        m++;
    }
    if (!m) return R1_OK;
    w->nodes[m - 1].next = END;
    w->n_heap = 0;
    for (uint32_t i = 0; i + 1 < m; i++) look(w, t, i);
    while (w->n_heap) {
        uint64_t top = heap_pop(w);
        uint32_t i = (uint32_t)top, rank = (uint32_t)(top >> 32);
        r1_bpe_node *x = &w->nodes[i];
        if (x->rank != rank) continue;
        uint32_t gone = x->next;
        x->id = t->merged[rank];
        x->next = w->nodes[gone].next;
        w->nodes[gone].rank = R1_NO_RANK;
        if (x->next != END) w->nodes[x->next].prev = i;
        look(w, t, i);
        if (x->prev != END) look(w, t, x->prev);
    }
    for (uint32_t i = 0; i != END; i = w->nodes[i].next) out->ids[out->n++] = (int32_t)w->nodes[i].id;
    return R1_OK;
}

r1_status r1_bpe_encode(r1_bpe *w, const r1_tokenizer *t, const char *p, size_t n, r1_ids *out, r1_error *err)
{
    r1_status s = r1_ids_reserve(out, n, err);
    if (s) return s;
    if (t->ignore_merges) {
        int32_t id = r1_tokenizer_lookup(t, p, n);
        if (id >= 0 && !(t->flags[id] & R1_TOK_ADDED)) {
            out->ids[out->n++] = id;
            return R1_OK;
        }
    }
    if (n > SMALL) return encode_large(w, t, (const unsigned char *)p, n, out, err);
    encode_small(w, t, (const unsigned char *)p, n, out);
    return R1_OK;
}
