/* The index of runs of tokens.
 *
 * For each length g of 2 to 4: head[g][hash of the run] is the newest place a run with this hash was followed by, and
 * before[g][place] the next older one, 0 ends the chain (no run ends at place 0). A place enters when its own id is known, so
 * the end of the text never finds itself. Chains are in descending order, and an id is taken out by putting back what its
 * places had replaced. Different runs may share a hash: every candidate is compared with the ids.
 */
#include "engine/lookup.h"

enum {
    SHORTEST = 2, LONGEST_RUN = 4, RUNS = LONGEST_RUN - SHORTEST + 1,
    PROBES = 16,      /* candidates of a chain that are looked at */
    HEAD_BITS_MAX = 18
};

struct r1_lookup {
    int32_t *ids;           /* [n_max] */
    size_t n, n_max;
    uint32_t *head[RUNS];   /* [1 << head_bits] */
    uint32_t *before[RUNS]; /* [n_max] */
    unsigned head_bits;
    size_t follow;          /* where the match found last goes on, while it is right; 0: nowhere */
    bool full;              /* ids were left out */
};

void r1_lookup_free(r1_lookup *l)
{
    if (!l) return;
    free(l->ids);
    for (int i = 0; i < RUNS; i++) {
        free(l->head[i]);
        free(l->before[i]);
    }
    free(l);
}

r1_status r1_lookup_new(r1_lookup **out, size_t n_max, r1_error *err)
{
    *out = NULL;
    r1_lookup *l = calloc(1, sizeof *l);
    if (!l) return r1_fail(err, R1_ENOMEM, "no memory for an index of tokens");
    l->n_max = r1_max(1, r1_min(n_max, R1_LOOKUP_IDS_MAX));
    while (l->head_bits < HEAD_BITS_MAX && (size_t)1 << l->head_bits < l->n_max) l->head_bits++;
    bool ok = (l->ids = calloc(l->n_max, sizeof *l->ids)) != NULL;
    for (int i = 0; i < RUNS && ok; i++)
        ok = (l->head[i] = calloc((size_t)1 << l->head_bits, sizeof *l->head[i])) != NULL &&
             (l->before[i] = calloc(l->n_max, sizeof *l->before[i])) != NULL;
    if (!ok) {
        r1_lookup_free(l);
        return r1_fail(err, R1_ENOMEM, "no memory for an index of %zu tokens", r1_min(n_max, R1_LOOKUP_IDS_MAX));
    }
    *out = l;
    return R1_OK;
}

size_t r1_lookup_length(const r1_lookup *l) { return l->n; }

/* The head of the run of g ids that ends before place p >= g. */
static uint32_t *head_of(const r1_lookup *l, size_t g, size_t p)
{
    uint64_t h = g;
    for (size_t i = p - g; i < p; i++) h = (h ^ (uint32_t)l->ids[i]) * 0x9E3779B97F4A7C15u; /* 2^64 / golden ratio */
    return &l->head[g - SHORTEST][l->head_bits ? h >> (64 - l->head_bits) : 0];
}

void r1_lookup_add(r1_lookup *l, int32_t id)
{
    if (l->n == l->n_max) {
        l->full = true;
        return;
    }
    if (l->follow) l->follow = l->ids[l->follow] == id ? l->follow + 1 : 0;
    size_t p = l->n;
    for (size_t g = SHORTEST; g <= LONGEST_RUN && g <= p; g++) {
        uint32_t *head = head_of(l, g, p);
        l->before[g - SHORTEST][p] = *head;
        *head = (uint32_t)p;
    }
    l->ids[l->n++] = id;
}

static void take_out_last(r1_lookup *l)
{
    size_t p = --l->n;
    for (size_t g = SHORTEST; g <= LONGEST_RUN && g <= p; g++) *head_of(l, g, p) = l->before[g - SHORTEST][p];
}

void r1_lookup_sync(r1_lookup *l, const int32_t *ids, size_t n)
{
    size_t same = 0, most = r1_min(l->n, n);
    while (same < most && l->ids[same] == ids[same]) same++;
    if (l->n > same) l->follow = 0;
    while (l->n > same) take_out_last(l);
    l->full = false;
    for (size_t i = same; i < n && !l->full; i++) r1_lookup_add(l, ids[i]);
}

/* How many ids before place p equal the last ones of the text. p itself is before the end. */
static size_t match_length(const r1_lookup *l, size_t p)
{
    size_t k = 0;
    while (k < R1_LOOKUP_LONGEST && k < p && l->ids[p - 1 - k] == l->ids[l->n - 1 - k]) k++;
    return k;
}

r1_match r1_lookup_find(r1_lookup *l)
{
    r1_match best = { 0, 0 };
    if (l->full) return best;
    if (l->follow) best = (r1_match){ l->follow, match_length(l, l->follow) };
    for (size_t g = LONGEST_RUN; g >= SHORTEST && best.length < g; g--) {
        if (g > l->n) continue;
        uint32_t p = *head_of(l, g, l->n);
        for (int i = 0; i < PROBES && p && best.length < R1_LOOKUP_LONGEST; i++, p = l->before[g - SHORTEST][p]) {
            size_t k = match_length(l, p);
            if (k > best.length) best = (r1_match){ p, k };
        }
    }
    if (best.length < SHORTEST) best = (r1_match){ 0, 0 };
    l->follow = best.at;
    return best;
}

void r1_lookup_copy(const r1_lookup *l, r1_match m, int32_t *out, size_t n)
{
    size_t known = l->n - m.at;
    for (size_t i = 0; i < n; i++) out[i] = i < known ? l->ids[m.at + i] : out[i - known];
}
