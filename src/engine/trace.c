/* What `r1 logits` looks at: hidden states, routes, the prediction module. */
#include "engine/engine_int.h"

/* The module's logits for rows 0..n-1 from the final hidden states h[n, D]. */
static r1_status run_mtp(r1_session *s, const int32_t *ids, size_t n, const float *h, float *logits, r1_error *err)
{
    const r1_model_info *info = r1_model_get_info(s->e->m);
    size_t D = (size_t)info->n_embd, V = (size_t)info->n_vocab;
    r1_kv_pool *pool = NULL;
    r1_kv *kv = NULL;
    r1_kv_shape shape = *r1_kv_pool_shape(s->e->kv);
    shape.n_layers = 1;
    r1_status st = r1_kv_pool_new(&pool, &shape, err);
    if (st == R1_OK) st = r1_kv_new(&kv, pool, n, err);
    if (st == R1_OK) r1_kv_resize(kv, n);
    for (size_t i = 0; i < n && st == R1_OK; i += s->e->chunk)
        r1_forward_mtp(s->e->forward, kv, i, ids + i + 1, h + i * D, r1_min(s->e->chunk, n - i), logits + i * V);
    r1_kv_free(kv);
    r1_kv_pool_free(pool);
    return st;
}

r1_status r1_engine_trace(r1_session *s, const int32_t *ids, size_t n_ids, float *logits, size_t n_logits, const r1_trace *trace, r1_error *err)
{
    r1_engine *e = s->e;
    const r1_model_info *info = r1_model_get_info(e->m);
    size_t D = (size_t)info->n_embd, V = (size_t)info->n_vocab;
    if (s->n) return r1_fail(err, R1_EINVAL, "a trace needs an empty session, this one holds %zu tokens", s->n);
    if (!n_ids || n_logits > n_ids || (n_logits && !logits)) return r1_fail(err, R1_EINVAL, "%zu ids and %zu logits are asked for", n_ids, n_logits);
    if (trace->hidden && (trace->hidden_layer < 0 || trace->hidden_layer > info->n_layers))
        return r1_fail(err, R1_EINVAL, "layer %d; expected 0 (the embedding) to %d", trace->hidden_layer, info->n_layers);
    if (trace->mtp_logits && !r1_model_has_mtp(e->m)) return r1_fail(err, R1_EUNSUPPORTED, "the model has no multi-token prediction module");
    r1_status st = r1_session_check(s, ids, n_ids, err);
    if (st) return st;
    r1_tap tap = { .hidden_layer = trace->hidden ? trace->hidden_layer : -1, .hidden = trace->hidden, .route_ids = trace->route_ids,
                   .route_weights = trace->route_weights, .n_rows = n_ids };
    if (trace->mtp_logits && !(tap.final = calloc(n_ids * D, sizeof *tap.final))) return r1_fail(err, R1_ENOMEM, "no memory for %zu hidden states", n_ids);
    r1_kv_resize(s->kv, n_ids);
    memmove(s->ids, ids, n_ids * sizeof *ids);
    for (size_t i = 0; i < n_ids; i += e->chunk) {
        size_t n = r1_min(e->chunk, n_ids - i), n_wanted = 0;
        r1_span span = { s->kv, s->ids + i, i, n };
        tap.first = i;
        r1_forward_run(e->forward, &span, 1, &tap);
        for (size_t j = 0; j < n; j++)
            if (n_ids - (i + j) <= n_logits) e->wanted[n_wanted++] = (r1_logits_to){ j, logits + (n_logits - (n_ids - (i + j))) * V };
        r1_forward_logits(e->forward, e->wanted, n_wanted);
    }
    s->n = n_ids;
    if (tap.final && n_ids > 1) st = run_mtp(s, s->ids, n_ids - 1, tap.final, trace->mtp_logits, err);
    if (st) r1_session_truncate(s, 0); /* as it was */
    free(tap.final);
    return st;
}
