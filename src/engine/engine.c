/* Engines, sessions, the batch step. */
#include "engine/engine_int.h"

enum { DEFAULT_CHUNK = 512, MAX_CHUNK = 1 << 16 };

void r1_engine_close(r1_engine *e)
{
    if (!e) return;
    r1_forward_free(e->forward);
    r1_kv_pool_free(e->kv);
    r1_pool_free(e->pool);
    free(e->spans);
    free(e->wanted);
    free(e);
}

r1_status r1_engine_open(r1_engine **out, const r1_model *m, const r1_engine_options *options, r1_error *err)
{
    static const r1_engine_options defaults;
    *out = NULL;
    if (!options) options = &defaults;
    int threads = options->n_threads ? options->n_threads : r1_physical_cores();
    if (options->chunk < 0 || options->chunk > MAX_CHUNK) return r1_fail(err, R1_EINVAL, "a chunk of %d tokens; expected 1 to %d", options->chunk, MAX_CHUNK);
    if ((unsigned)options->kv > R1_KV_F32) return r1_fail(err, R1_EINVAL, "type %d of keys and values; expected 0 to %d", (int)options->kv, R1_KV_F32);
    if (r1_model_get_info(m)->weight_bytes == 0) return r1_fail(err, R1_EINVAL, "the model was opened for its vocabulary only");
    r1_engine *e = calloc(1, sizeof *e);
    if (!e) return r1_fail(err, R1_ENOMEM, "no memory for an engine");
    e->m = m;
    e->go_on = options->go_on;
    e->go_on_ctx = options->go_on_ctx;
    e->chunk = options->chunk ? (size_t)options->chunk : DEFAULT_CHUNK;
    e->chunk = r1_min(e->chunk, (size_t)r1_model_get_info(m)->n_ctx_train);
    e->spans = calloc(e->chunk, sizeof *e->spans);
    e->wanted = calloc(e->chunk, sizeof *e->wanted);
    r1_status s = e->spans && e->wanted ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for an engine");
    if (s == R1_OK) s = r1_pool_new(&e->pool, threads, err);
    if (s == R1_OK) s = r1_forward_new(&e->forward, m, e->pool, e->chunk, err);
    r1_kv_shape shape = r1_model_kv_shape(m, options->kv);
    if (s == R1_OK) s = r1_kv_pool_new(&e->kv, &shape, err);
    if (s) {
        r1_engine_close(e);
        return s;
    }
    *out = e;
    return R1_OK;
}

/* ---- sessions -------------------------------------------------------------------------------------------------- */

void r1_session_close(r1_session *s)
{
    if (!s) return;
    r1_kv_free(s->kv);
    r1_lookup_free(s->lookup);
    free(s->ids);
    free(s);
}

r1_status r1_session_open(r1_session **out, r1_engine *e, size_t n_ctx, r1_error *err)
{
    *out = NULL;
    if (!n_ctx) n_ctx = (size_t)r1_model_get_info(e->m)->n_ctx_train;
    r1_session *s = calloc(1, sizeof *s);
    if (!s) return r1_fail(err, R1_ENOMEM, "no memory for a session");
    s->e = e;
    s->n_ctx = n_ctx;
    r1_status st = r1_kv_new(&s->kv, e->kv, n_ctx, err);
    if (st == R1_OK && !(s->ids = calloc(n_ctx, sizeof *s->ids))) st = r1_fail(err, R1_ENOMEM, "no memory for a context of %zu ids", n_ctx);
    if (st) {
        r1_session_close(s);
        return st;
    }
    *out = s;
    return R1_OK;
}

void r1_session_share(r1_session *s, const r1_session *from, size_t n)
{
    r1_kv_share(s->kv, from->kv, n);
    memmove(s->ids, from->ids, n * sizeof *s->ids);
    s->n = n;
}

r1_status r1_session_fork(r1_session **out, const r1_session *from, size_t n, size_t n_ctx, r1_error *err)
{
    *out = NULL;
    if (n > from->n) return r1_fail(err, R1_EINVAL, "the first %zu tokens of a session that has %zu", n, from->n);
    if (!n_ctx) n_ctx = from->n_ctx;
    if (n > n_ctx) return r1_fail(err, R1_ELIMIT, "%zu tokens do not fit into a context of %zu", n, n_ctx);
    r1_status s = r1_session_open(out, from->e, n_ctx, err);
    if (s == R1_OK) r1_session_share(*out, from, n);
    return s;
}

size_t r1_session_length(const r1_session *s) { return s->n; }
size_t r1_session_context(const r1_session *s) { return s->n_ctx; }
const int32_t *r1_session_ids(const r1_session *s) { return s->ids; }
const r1_model *r1_session_model(const r1_session *s) { return s->e->m; }
uint64_t r1_session_kv_bytes(const r1_session *s) { return r1_kv_bytes(s->kv); }
uint64_t r1_engine_kv_bytes(const r1_engine *e, size_t n_tokens) { return (uint64_t)r1_ceil_div(n_tokens, R1_KV_PAGE) * r1_kv_page_bytes(e->kv); }

void r1_session_truncate(r1_session *s, size_t n)
{
    if (n >= s->n) return;
    s->n = n;
    r1_kv_resize(s->kv, n);
}

r1_status r1_engine_check(const r1_engine *e, const int32_t *ids, size_t n, r1_error *err)
{
    int32_t V = r1_model_get_info(e->m)->n_vocab;
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= V) return r1_fail(err, R1_EINVAL, "id %d at place %zu; expected 0 to %d", (int)ids[i], i, (int)V - 1);
    return R1_OK;
}

r1_status r1_session_check(const r1_session *s, const int32_t *ids, size_t n, r1_error *err)
{
    if (n > s->n_ctx - s->n)
        return r1_fail(err, R1_ELIMIT, "%zu tokens after %zu do not fit into a context of %zu", n, s->n, s->n_ctx);
    return r1_engine_check(s->e, ids, n, err);
}

/* ---- the batch step -------------------------------------------------------------------------------------------- */

static r1_status check_rows(const r1_engine *e, const r1_batch_row *rows, size_t n, r1_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const r1_batch_row *r = &rows[i];
        if (r->session->e != e) return r1_fail(err, R1_EINVAL, "row %zu belongs to another engine", i);
        if (r->n_logits && !r->logits) return r1_fail(err, R1_EINVAL, "row %zu asks for %zu logits and has no place for them (logits is NULL)", i, r->n_logits);
        if (!r->n_ids || r->n_logits > r->n_ids)
            return r1_fail(err, R1_EINVAL, "row %zu has %zu ids and asks for %zu logits", i, r->n_ids, r->n_logits);
        for (size_t j = 0; j < i; j++)
            if (rows[j].session == r->session) return r1_fail(err, R1_EINVAL, "rows %zu and %zu are of one session", j, i);
        r1_status s = r1_context(err, r1_session_check(r->session, r->ids, r->n_ids, err), "row %zu", i);
        if (s) return s;
    }
    return R1_OK;
}

/* Run the chunk collected so far; false: given up. */
static bool flush(r1_engine *e, size_t *n_spans, size_t *n_tokens, size_t *n_wanted)
{
    if (!*n_tokens) return true;
    bool done = r1_forward_run(e->forward, e->spans, *n_spans, NULL);
    if (done) r1_forward_logits(e->forward, e->wanted, *n_wanted);
    *n_spans = *n_tokens = *n_wanted = 0;
    return done;
}

static void collect(r1_engine *e, const r1_batch_row *r, size_t done, size_t m, size_t n_tokens, size_t *n_wanted)
{
    size_t V = (size_t)r1_model_get_info(e->m)->n_vocab;
    for (size_t j = 0; j < m; j++) {
        size_t left = r->n_ids - (done + j); /* this token and those after it */
        if (left <= r->n_logits) e->wanted[(*n_wanted)++] = (r1_logits_to){ n_tokens + j, r->logits + (r->n_logits - left) * V };
    }
}

/* false: given up; the first *n_begun rows have been given their tokens. */
static bool run_rows(r1_engine *e, const r1_batch_row *rows, size_t n_rows, size_t *n_begun)
{
    size_t n_spans = 0, n_tokens = 0, n_wanted = 0;
    bool go_on = true;
    for (*n_begun = 0; *n_begun < n_rows && go_on; ++*n_begun) {
        const r1_batch_row *r = &rows[*n_begun];
        r1_session *t = r->session;
        r1_kv_own(t->kv, t->n);
        r1_kv_resize(t->kv, t->n + r->n_ids);
        memmove(t->ids + t->n, r->ids, r->n_ids * sizeof *r->ids); /* they may be the session's own */
        for (size_t done = 0; done < r->n_ids && go_on;) {
            size_t m = r1_min(r->n_ids - done, e->chunk - n_tokens);
            e->spans[n_spans++] = (r1_span){ t->kv, t->ids + t->n + done, t->n + done, m };
            collect(e, r, done, m, n_tokens, &n_wanted);
            done += m;
            n_tokens += m;
            if (n_tokens == e->chunk) go_on = flush(e, &n_spans, &n_tokens, &n_wanted);
        }
        t->n += r->n_ids;
    }
    return go_on && flush(e, &n_spans, &n_tokens, &n_wanted);
}

r1_status r1_batch_step(r1_engine *e, r1_batch_row *rows, size_t n_rows, r1_error *err)
{
    size_t n_begun;
    r1_status s = check_rows(e, rows, n_rows, err);
    if (s) return s;
    r1_forward_watch(e->forward, e->go_on, e->go_on_ctx);
    bool done = run_rows(e, rows, n_rows, &n_begun);
    r1_forward_watch(e->forward, NULL, NULL);
    for (size_t i = 0; i < n_begun && !done; i++) r1_session_truncate(rows[i].session, rows[i].session->n - rows[i].n_ids);
    return done ? R1_OK : r1_fail(err, R1_ECANCELLED, "interrupted");
}

const char *r1_version(void) { return R1_VERSION; }
