/* forward: one chunk of tokens through the model. Used by engine/.
 *
 * A chunk is at most `chunk` tokens of one or several sessions ("spans"). Everything a step needs is allocated when the
 * r1_forward is made. The result of a token depends on its own span only, never on the chunk it is computed in.
 */
#ifndef R1_MODEL_FORWARD_H
#define R1_MODEL_FORWARD_H

#include "base/thread.h"
#include "kv/kv.h"
#include "model/model.h"
#include "tensor/tensor.h"

typedef struct r1_forward r1_forward;

/* ids[0..n) at positions pos.. of the session that kv belongs to; kv has pages for pos + n tokens. */
typedef struct r1_span {
    const r1_kv *kv;
    const int32_t *ids;
    size_t pos, n;
} r1_span;

/* Where to copy what is looked at on the way; token j of the call goes to row first + j of each array of n_rows rows. */
typedef struct r1_tap {
    int hidden_layer;        /* -1: none */
    float *hidden;           /* [n_rows, D] */
    int32_t *route_ids;      /* [n_moe_layers, n_rows, n_used] or NULL */
    float *route_weights;    /* the same shape, or NULL */
    float *final;            /* [n_rows, D] after the final norm, or NULL */
    size_t first, n_rows;
} r1_tap;

/* The shape of the cache this model needs. */
r1_kv_shape r1_model_kv_shape(const r1_model *m, r1_kv_type type);

r1_status r1_forward_new(r1_forward **out, const r1_model *m, r1_pool *pool, size_t chunk, r1_error *err) R1_MUST_CHECK;
void r1_forward_free(r1_forward *f);
size_t r1_forward_chunk(const r1_forward *f);

/* Run the spans (together at most `chunk` tokens) through all layers and write their keys and values. tap may be NULL.
 * Ids must be in [0, n_vocab). */
/* False: given up, because a watcher said so. */
bool r1_forward_run(r1_forward *f, const r1_span *spans, size_t n_spans, const r1_tap *tap);
/* From now on `go_on` is asked before each layer of a run; NULL: nobody is. */
void r1_forward_watch(r1_forward *f, bool (*go_on)(void *ctx), void *ctx);

/* Logits of token `token` (counted over the spans of the last run) to out[n_vocab], for each of n pairs. */
typedef struct r1_logits_to { size_t token; float *out; } r1_logits_to;
void r1_forward_logits(r1_forward *f, const r1_logits_to *to, size_t n);

/* From now on `fn` sees every product of the passes (tensor.h); NULL: nobody looks. r1_forward_show_head shows it what meets the
 * head for every token of the last run, without computing logits. */
void r1_forward_observe(r1_forward *f, r1_observe fn, void *ctx);
void r1_forward_show_head(r1_forward *f);

/* The prediction module on n <= chunk tokens: row i from the final hidden state h[i] and the id after it, at position
 * pos + i; logits [n, n_vocab]. kv is its own one-layer cache (r1_model_kv_shape with n_layers 1). */
void r1_forward_mtp(r1_forward *f, const r1_kv *kv, size_t pos, const int32_t *next_ids, const float *h, size_t n, float *logits);

#endif
