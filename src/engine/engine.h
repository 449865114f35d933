/* engine: sessions and the batch step over a model. Public part in r1/r1.h; here what only r1's own commands use.
 *
 * A batch step takes rows of many sessions, cuts them into chunks of at most `chunk` tokens, and runs each chunk through
 * the model. No result depends on the cut, on the other rows, or on the number of threads. After the first steps of the
 * largest size nothing is allocated but pages of a growing session.
 */
#ifndef R1_ENGINE_ENGINE_H
#define R1_ENGINE_ENGINE_H

#include "base/base.h"
#include "model/model.h"

/* What `r1 logits` looks at on the way. Pointers may be NULL. Filled for every token of the row. */
typedef struct r1_trace {
    int hidden_layer;      /* residual stream after this layer, 0: the embedding, n_layers: before the final norm; -1: none */
    float *hidden;         /* [n_ids, n_embd] */
    int32_t *route_ids;    /* [n_moe_layers, n_ids, n_used], ascending, layers in order (r1_model_moe_layers) */
    float *route_weights;  /* the same shape: normalised and scaled */
    float *mtp_logits;     /* [n_ids - 1, n_vocab]: row i from h_i and token i + 1 */
} r1_trace;

/* Run ids through an empty session and fill trace and logits ([n_logits, n_vocab] of the last n_logits tokens; NULL if 0).
 * Errors as r1_batch_step; R1_EUNSUPPORTED when mtp_logits is asked of a model without an MTP module. */
r1_status r1_engine_trace(r1_session *s, const int32_t *ids, size_t n_ids, float *logits, size_t n_logits,
                          const r1_trace *trace, r1_error *err) R1_MUST_CHECK;

const r1_model *r1_session_model(const r1_session *s);
uint64_t r1_session_kv_bytes(const r1_session *s);   /* memory its pages hold now */
uint64_t r1_engine_kv_bytes(const r1_engine *e, size_t n_tokens); /* memory the pages of a session of so many tokens take */

#endif
