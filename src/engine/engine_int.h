/* Private to engine/: engines and sessions. */
#ifndef R1_ENGINE_ENGINE_INT_H
#define R1_ENGINE_ENGINE_INT_H

#include "base/thread.h"
#include "engine/draft.h"
#include "engine/engine.h"
#include "engine/lookup.h"
#include "kv/kv.h"
#include "model/forward.h"

struct r1_engine {
    const r1_model *m;
    r1_pool *pool;
    r1_forward *forward;
    r1_kv_pool *kv;
    size_t chunk;
    r1_span *spans;            /* [chunk] of the current chunk */
    r1_logits_to *wanted;      /* [chunk] */
    bool (*go_on)(void *ctx);  /* r1_engine_options */
    void *go_on_ctx;
    r1_draft_costs costs;      /* of generating */
};

struct r1_session {
    r1_engine *e;
    r1_kv *kv;
    int32_t *ids;              /* [n_ctx]: address space; memory as it fills */
    size_t n, n_ctx;
    r1_lookup *lookup;         /* made by the first generation that guesses ahead, NULL before; its ids may lag behind */
    r1_draft_odds odds;
};

/* Begin an empty session with the first n tokens of another one of the engine. n fits into both. */
void r1_session_share(r1_session *s, const r1_session *from, size_t n);
/* Refuse ids out of range, and a context that would overflow; nothing is changed. */
r1_status r1_engine_check(const r1_engine *e, const int32_t *ids, size_t n, r1_error *err) R1_MUST_CHECK;
r1_status r1_session_check(const r1_session *s, const int32_t *ids, size_t n, r1_error *err) R1_MUST_CHECK;

#endif
